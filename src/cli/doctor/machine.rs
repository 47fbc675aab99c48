//! What the machine gives: an event loop, descriptors, the time.

use super::Finding;
use crate::shell::{self, Backend};
use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn event_loop() -> Finding {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim();
    match shell::best_backend() {
        Ok(Backend::IoUring) => Finding::good("event loop", format!("io_uring, on Linux {kernel}")),
        // Slower, but nothing is missing.
        Ok(Backend::Epoll) => Finding::good(
            "event loop",
            format!("epoll, on Linux {kernel}: io_uring is not allowed here (kernel.io_uring_disabled, or a container's seccomp profile)"),
        ),
        Err(error) => Finding::bad(
            "event loop",
            format!("none: {error}"),
            "allow io_uring (sysctl kernel.io_uring_disabled=0, seccomp) and enough locked memory (ulimit -l)",
        ),
    }
}

/// Fewer than this serve nobody but a developer.
const DESCRIPTORS_MIN: u64 = 1_024;

/// How many connections all shards take together.
pub(super) fn connections_of(each: u32, shards: Option<u16>) -> u64 {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from) as u64;
    u64::from(each) * shards.map_or_else(cores, u64::from)
}

/// `connections`: how many each shard takes, and the number of shards, where it is set.
pub(super) fn descriptors(connections: Option<(u32, Option<u16>)>) -> Finding {
    let wanted = connections.map(|(each, shards)| connections_of(each, shards));
    match (getrlimit(Resource::Nofile).maximum, wanted) {
        (Some(most), _) if most < DESCRIPTORS_MIN => Finding::bad(
            "descriptors",
            format!("at most {most}, one for each connection and running call"),
            "raise the hard limit: LimitNOFILE= of the unit, or `ulimit -Hn`",
        ),
        (Some(most), Some(wanted)) if most < wanted => Finding::warn(
            "descriptors",
            format!("at most {most}, one for each connection and running call, but --connections lets in {wanted} on all shards"),
            "raise the hard limit (LimitNOFILE= of the unit, or `ulimit -Hn`), or lower --connections",
        ),
        (Some(most), _) => Finding::good("descriptors", format!("up to {most}, one for each connection and running call")),
        (None, _) => Finding::good("descriptors", "without a limit"),
    }
}

/// With less than this, the next line of a log may be lost.
const DISK_BYTES_MIN: u64 = 16 << 20;
const DISK_BYTES_GOOD: u64 = 256 << 20;

/// The room on the file systems that hold these files or folders, which may not be there yet; each file system once.
pub(super) fn disk<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Vec<Finding> {
    let (mut seen, mut found) = (Vec::new(), Vec::new());
    for path in paths {
        let here = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let Some((there, device)) = here.ancestors().find_map(|path| Some((path, fs::metadata(path).ok()?.dev()))) else { continue };
        let Ok(room) = statvfs(there) else { continue };
        // Some file systems, such as those of the kernel, have no size.
        if seen.contains(&device) || room.f_blocks == 0 {
            continue;
        }
        seen.push(device);
        let free = room.f_bavail.saturating_mul(room.f_frsize);
        let is = format!("{} MiB free where {} is", free >> 20, path.display());
        // Not every file system counts its files.
        let is_without_files = room.f_files > 0 && room.f_favail == 0;
        found.push(match free {
            _ if is_without_files => {
                Finding::bad("disk", format!("no file can be added where {} is", path.display()), "remove files there")
            }
            0..DISK_BYTES_MIN => Finding::bad("disk", is, "free some, or choose another place"),
            DISK_BYTES_MIN..DISK_BYTES_GOOD => Finding::warn("disk", is, "free some before it is full"),
            _ => Finding::good("disk", is),
        });
    }
    found
}

/// 2026-01-01 and 2100-01-01, in seconds since 1970.
const YEARS: std::ops::Range<u64> = 1_767_225_600..4_102_444_800;

pub(super) fn clock() -> Finding {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap_or(0)).map_or_else(|_| seconds.to_string(), |now| now.to_string());
    match YEARS.contains(&seconds) {
        true => Finding::good("clock", now),
        false => Finding::bad("clock", format!("{now} can't be"), "set it, best with NTP: tokens and certificates depend on it"),
    }
}
