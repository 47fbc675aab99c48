//! Tells the server that is tested how the run goes, so that everyone who looks on sees it.
//!
//! A server that does not want to know is told nothing more; that fails no test.

use super::{Outcome, Plan, Progress, Source, lock};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) struct Relay<'a> {
    plan: &'a Plan,
    told: &'a (dyn Fn(&Progress<'_>) + Sync),
    /// The checks of the whole run: they go with its first report, before all others.
    checks: Mutex<Option<usize>>,
    is_refused: AtomicBool,
}

impl<'a> Relay<'a> {
    pub(super) fn new(plan: &'a Plan, told: &'a (dyn Fn(&Progress<'_>) + Sync)) -> Relay<'a> {
        Relay { plan, told, checks: Mutex::new(Some(plan.checks())), is_refused: AtomicBool::new(false) }
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
        if let Some(checks) = checks.take() {
            report["count"] = checks.into();
            self.report(&report);
        } else {
            drop(checks);
            self.report(&report);
        }
    }

    pub(super) fn result(&self, outcome: &Outcome) {
        self.report(&json!({"event": "step_result", "result": outcome}));
    }

    pub(super) fn end(&self, source: &Source) {
        self.report(&json!({"event": "suite_end", "suite": source.name}));
    }

    fn report(&self, report: &Value) {
        if self.is_refused.load(Ordering::Relaxed) {
            return;
        }
        if let Err(why) = self.plan.address.call("/api/test/status", Some(report))
            && !self.is_refused.swap(true, Ordering::Relaxed)
        {
            (self.told)(&Progress::Note(&format!("the server takes no reports, so nobody there sees how the run goes: {why}")));
        }
    }
}
