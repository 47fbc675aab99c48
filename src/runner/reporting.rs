//! Reports how a run goes, so that everyone who watches the tested server sees it.
//!
//! When the server refuses a result, no more results of that suite are reported, but its end is: otherwise a run would be shown
//! that never ends. Refused reports fail no test.

use super::{Outcome, Plan, Progress, Source, lock};
use serde_json::{Map, Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Takes reports as `POST /api/test/status` does, or says why not.
pub type Reports = dyn Fn(Map<String, Value>) -> Result<(), String> + Send + Sync;

pub(super) struct Reporting<'a> {
    plan: &'a Plan,
    progress: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// The checks of the whole run: they go with its first report, before all others.
    checks: Mutex<Option<usize>>,
    takes_results: AtomicBool,
    has_noted: AtomicBool,
}

impl<'a> Reporting<'a> {
    pub(super) fn new(plan: &'a Plan, progress: &'a (dyn Fn(&Progress<'_>) + Sync)) -> Reporting<'a> {
        let checks = Mutex::new(Some(plan.checks()));
        Reporting { plan, progress, checks, takes_results: AtomicBool::new(true), has_noted: AtomicBool::new(false) }
    }

    pub(super) fn begin(&self, source: &Source, session: &str) {
        let mut report = json!({
            "event": "suite_start",
            "suite": source.name,
            "session": session,
            "file": source.file,
            "checks": source.suite.count(|check| self.plan.counts(check)),
        });
        // Held until it is reported: no other suite may begin before the run has.
        let mut checks = lock(&self.checks);
        let is_taken = if let Some(count) = *checks {
            report["count"] = count.into();
            let is_taken = self.report(report);
            *checks = Some(count).filter(|_| !is_taken);
            is_taken
        } else {
            drop(checks);
            self.report(report)
        };
        self.takes_results.store(is_taken, Ordering::Relaxed);
    }

    pub(super) fn result(&self, outcome: &Outcome) {
        if self.takes_results.load(Ordering::Relaxed) && !self.report(json!({"event": "step_result", "result": outcome})) {
            self.takes_results.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self, source: &Source) {
        self.report(json!({"event": "suite_end", "suite": source.name}));
    }

    /// Whether the server has taken it.
    fn report(&self, report: Value) -> bool {
        let taken = match (&self.plan.reports, report) {
            (Some(reports), Value::Object(report)) => reports(report),
            (_, report) => self.plan.address.call("/api/test/status", Some(&report)).map(drop).map_err(|trouble| trouble.to_string()),
        };
        if let Err(why) = &taken
            && !self.has_noted.swap(true, Ordering::Relaxed)
        {
            (self.progress)(&Progress::Note(&format!("the server takes no reports, so its test panel doesn't show this run: {why}")));
        }
        taken.is_ok()
    }
}
