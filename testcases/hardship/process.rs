//! The server's process as the system sees it.

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs;
use std::time::Duration;

/// Descriptors that it holds.
pub(crate) fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Memory that it holds, in KiB.
pub(crate) fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// What it has used of the processors so far.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold anything; a tick is a hundredth of a second for whoever reads this.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(10 * ticks)
}

/// How many descriptors a process is allowed to hold: for now, and at most.
pub(crate) fn allowed(pid: u32) -> (u64, u64) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().map_while(|word| word.parse().ok());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

/// Allows it so many for now.
pub(crate) fn allow(pid: u32, count: u64) {
    let (_, maximum) = allowed(pid);
    let pid = Pid::from_raw(i32::try_from(pid).unwrap());
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(count), maximum: Some(maximum) }).unwrap();
}

/// Allows this process, and those that it starts, so many descriptors, or as many as the system lets it have. Returns how many.
pub(crate) fn allow_own(count: u64) -> u64 {
    let own = std::process::id();
    let (_, maximum) = allowed(own);
    let wanted = Rlimit { current: Some(count.max(maximum)), maximum: Some(count.max(maximum)) };
    if prlimit(Pid::from_raw(i32::try_from(own).unwrap()), Resource::Nofile, wanted).is_err() {
        // Only root may have more than the hard limit.
        allow(own, maximum);
    }
    allowed(own).0
}
