//! Tells the server that is tested how the run goes, so that everyone who looks on sees it.
//!
//! A server that takes a suite's results no longer is told no more of them, but where suites begin and end: else it would show a
//! run that never ends. That fails no test.

use super::{Outcome, Plan, Progress, Source, lock};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct Relay<'a> {
    plan: &'a Plan,
    told: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// The checks of the whole run: they go with its first report, before all others.
    checks: Mutex<Option<usize>>,
    takes_results: AtomicBool,
    /// Whether it was said that reports are not taken.
    is_said: AtomicBool,
}

impl<'a> Relay<'a> {
    pub(super) fn new(plan: &'a Plan, told: &'a (dyn Fn(&Progress<'_>) + Sync)) -> Relay<'a> {
        Relay { plan, told, checks: Mutex::new(Some(plan.checks())), takes_results: AtomicBool::new(true), is_said: AtomicBool::new(false) }
    }

    pub(super) fn begin(&self, source: &Source, session: &str) {
        let mut report = json!({
            "event": "suite_start",
            "suite": source.name,
            "session": session,
            "file": source.file,
            "checks": source.count(|check| self.plan.counts(check)),
        });
        // Held until it is told: no other suite may begin before the run has.
        let mut checks = lock(&self.checks);
        let is_taken = if let Some(count) = *checks {
            report["count"] = count.into();
            let is_taken = self.report(&report);
            *checks = Some(count).filter(|_| !is_taken);
            is_taken
        } else {
            drop(checks);
            self.report(&report)
        };
        self.takes_results.store(is_taken, Ordering::Relaxed);
    }

    pub(super) fn result(&self, outcome: &Outcome) {
        if self.takes_results.load(Ordering::Relaxed) && !self.report(&json!({"event": "step_result", "result": outcome})) {
            self.takes_results.store(false, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self, source: &Source) {
        self.report(&json!({"event": "suite_end", "suite": source.name}));
    }

    /// Whether the server has taken it.
    fn report(&self, report: &Value) -> bool {
        let told = self.plan.address.call("/api/test/status", Some(report));
        if let Err(why) = &told
            && !self.is_said.swap(true, Ordering::Relaxed)
        {
            (self.told)(&Progress::Note(&format!("the server takes no reports, so nobody there sees how the run goes: {why}")));
        }
        told.is_ok()
    }
}
