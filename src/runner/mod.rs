//! The suite runner: runs suites over the public interface, so it tests any deployment that it can reach.
//!
//! [`run`] runs the suites of a [`Plan`], each in a session of its own, several side by side. It reports what happens at once:
//! to its caller as [`Progress`], and to everyone who watches the tested server as the test status there. The result is the
//! [`Report`].
//!
//! ```no_run
//! # use framewright::{client::Address, runner};
//! let suite = runner::Source::read("testcases/smoketest.md".as_ref())?;
//! let plan = runner::Plan::new(Address::new("http://127.0.0.1:7878", "any", None, None)?, vec![suite]);
//! let report = runner::run(&plan, &|_| {});
//! assert!(report.is_passed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Invariants: each check of each suite has exactly one [`Outcome`]; what can't be done has one too, and then the rest of its
//! step is skipped; every wait has a bound.

mod coverage;
mod judge;
mod junit;
mod play;
mod report;
mod reporting;
mod session;
mod source;

pub use coverage::Coverage;
pub use judge::{Judge, Score};
pub use junit::junit;
pub use report::{About, Outcome, Report, Status, SuiteReport, keep, write_whole};
pub use reporting::Reports;
pub use source::{Source, Unreadable};

use crate::client::Address;
use crate::suite::Check;
use crate::work::tape::Tape;
use play::Player;
use reporting::Reporting;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// What to run, where and how.
pub struct Plan {
    /// The server; each suite takes a session of its own there.
    pub address: Address,
    pub suites: Vec<Source>,
    /// How many suites at once.
    pub jobs: usize,
    /// Nobody else uses the server, so sessions are named like their suites; otherwise their names are unique.
    pub is_own_server: bool,
    /// How long a turn may take.
    pub timeout: Duration,
    /// Whether `expect time` counts.
    pub strict_time: bool,
    /// Whether `expect judge` counts.
    pub strict_judge: bool,
    /// Scores answers; without one these checks are skipped.
    pub judge: Option<Judge>,
    /// Whether to note which nodes, routes and paths the suites take.
    pub coverage: bool,
    /// Set from elsewhere: what is left is skipped.
    pub stop: Arc<AtomicBool>,
    /// What the server's pool records or replays; what the chat socket shows of turns goes there too.
    pub tape: Option<Arc<Tape>>,
    /// Takes the reports of the run; without it they are posted to the server.
    pub reports: Option<Arc<Reports>>,
}

impl Plan {
    /// A plan for a server that others use too, with everything as it usually is.
    pub fn new(address: Address, suites: Vec<Source>) -> Plan {
        Plan {
            address,
            suites,
            jobs: 1,
            is_own_server: false,
            timeout: TIMEOUT,
            strict_time: false,
            strict_judge: false,
            judge: None,
            coverage: false,
            stop: Arc::default(),
            tape: None,
            reports: None,
        }
    }

    /// How many checks count.
    pub fn checks(&self) -> usize {
        self.suites.iter().map(|source| source.suite.count(|check| self.counts(check))).sum()
    }

    /// Whether a check can fail its suite.
    fn counts(&self, check: &Check) -> bool {
        match check {
            Check::Time(_) => self.strict_time,
            Check::Judge(_) => self.strict_judge,
            _ => true,
        }
    }

    /// The sessions that its suites run in, no two the same.
    fn sessions(&self) -> Vec<String> {
        let unique = format!("{:016x}", fastrand::u64(..));
        let mut taken = BTreeSet::new();
        let name = |source: &Source| {
            let stem = source.name_in_session();
            let name = if self.is_own_server { stem } else { format!("test-{stem}-{unique}") };
            let mut free = (1..).map(|number| if number == 1 { name.clone() } else { format!("{name}-{number}") });
            free.find(|name| taken.insert(name.clone())).expect("there is always another number")
        };
        self.suites.iter().map(name).collect()
    }
}

/// How long a turn may take by default: a large model on a small machine is slow.
pub const TIMEOUT: Duration = Duration::from_secs(300);
/// Suites at once, at most.
pub const JOBS_MAX: usize = 64;

/// What happens while suites run.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    Began {
        source: &'a Source,
        session: &'a str,
    },
    Step {
        source: &'a Source,
        step: &'a str,
    },
    Came(&'a Outcome),
    Ended {
        source: &'a Source,
    },
    /// Worth knowing, but fails nothing.
    Note(&'a str),
}

/// Runs the suites of a plan; `progress` is called from several threads where several suites run at once.
pub fn run(plan: &Plan, progress: &(dyn Fn(&Progress<'_>) + Sync)) -> Report {
    let run = Run { plan, progress, reporting: Reporting::new(plan, progress), coverage: Mutex::default(), begun: Instant::now() };
    let (next, sessions) = (AtomicUsize::new(0), plan.sessions());
    let reports: Mutex<Vec<Option<SuiteReport>>> = Mutex::new(plan.suites.iter().map(|_| None).collect());
    let work = || {
        let mut last: Option<&Source> = None;
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = plan.suites.get(place) else { break };
            run.reporting.begin(source, &sessions[place]);
            // Only now, so that a run is never over between two of its suites.
            if let Some(last) = last.replace(source) {
                run.reporting.end(last);
            }
            let report = run.play(source, &sessions[place]);
            lock(&reports)[place] = Some(report);
        }
        if let Some(last) = last {
            run.reporting.end(last);
        }
    };
    thread::scope(|scope| {
        for _ in 0..plan.jobs.clamp(1, JOBS_MAX).min(plan.suites.len()) {
            scope.spawn(work);
        }
    });
    let suites = reports.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_iter().flatten().collect();
    let coverage = plan.coverage.then(|| std::mem::take(&mut *lock(&run.coverage)));
    Report { suites, checks: plan.checks(), took: run.begun.elapsed(), coverage }
}

/// What the players of a run share.
struct Run<'a> {
    plan: &'a Plan,
    progress: &'a (dyn Fn(&Progress<'_>) + Sync),
    reporting: Reporting<'a>,
    coverage: Mutex<Coverage>,
    begun: Instant,
}

impl Run<'_> {
    fn play(&self, source: &Source, session: &str) -> SuiteReport {
        (self.progress)(&Progress::Began { source, session });
        let begun = Instant::now();
        let outcomes = Player::new(self, source, session).play();
        (self.progress)(&Progress::Ended { source });
        SuiteReport { name: source.name.clone(), file: source.file.clone(), outcomes, took: begun.elapsed() }
    }

    fn report(&self, outcome: &Outcome) {
        self.reporting.result(outcome);
        (self.progress)(&Progress::Came(outcome));
    }

    fn coverage(&self) -> MutexGuard<'_, Coverage> {
        lock(&self.coverage)
    }
}

/// What a panic leaves behind is whole: nothing here changes two things that must agree.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Suite;

    fn source(name: &str, text: &str) -> Source {
        Source { name: name.to_owned(), file: format!("testcases/{name}.md"), suite: Suite::parse(text).unwrap() }
    }

    const TEXT: &str = "# T\n## 1\n- send: x\n- expect path: pa\n- expect time: < 5 ms\n- expect judge: kind\n";

    #[test]
    fn no_two_suites_share_a_session_and_every_name_is_one() {
        let address = Address::new("http://127.0.0.1:1", "any", None, None).unwrap();
        let suites = ["smoke", "smoke", "Größe & mehr", "", &"long".repeat(40)].map(|name| source(name, TEXT)).to_vec();
        for is_own_server in [true, false] {
            let plan = Plan { is_own_server, ..Plan::new(address.clone(), suites.clone()) };
            let names = plan.sessions();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
            assert!(names.iter().all(|name| address.in_session(name).is_ok()), "{names:?}");
            assert_eq!(names[0] == "smoke", is_own_server, "{names:?}");
            assert_eq!(names[0].starts_with("test-smoke-"), !is_own_server, "{names:?}");
        }
    }

    #[test]
    fn time_and_judgement_count_only_where_somebody_is_strict() {
        let plan = |strict_time, strict_judge| Plan {
            strict_time,
            strict_judge,
            ..Plan::new(Address::new("localhost", "any", None, None).unwrap(), vec![source("a", TEXT), source("b", TEXT)])
        };
        for (time, judge, checks) in [(false, false, 2), (true, false, 4), (false, true, 4), (true, true, 6)] {
            assert_eq!(plan(time, judge).checks(), checks, "{time} {judge}");
        }
    }
}
