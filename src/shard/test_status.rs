//! A user's test status: what the test runner reported, and who watches.

use super::bounds::{REPORT_BYTES_MAX, TEST_BYTES_MAX, TEST_RESULTS_MAX, TEST_STATUS_MAX};
use super::event::SocketId;
use crate::contract::{Code, Moment, Refusal};
use crate::wire::json;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Default)]
pub(super) struct TestStatus {
    began: u64,
    ended: u64,
    current: String,
    results: Vec<Value>,
    results_bytes: usize,
    last_green: Value,
    last_red: Value,
    total_expected: Value,
    /// The results of the last run that ended.
    last_run: Option<Value>,
    pub(super) watchers: Vec<SocketId>,
    /// When it was last looked at.
    used: Moment,
}

/// Test status by user.
#[derive(Default)]
pub(super) struct TestStatuses(BTreeMap<Arc<str>, TestStatus>);

impl TestStatuses {
    /// A user's status. Where there would be too many, the one used longest ago leaves, and before all others one that nobody
    /// watches. Returns the sockets that watched the one that left.
    pub(super) fn of(&mut self, sub: &Arc<str>, now: Moment) -> (&mut TestStatus, Vec<SocketId>) {
        let mut orphans = Vec::new();
        if self.0.len() >= TEST_STATUS_MAX && !self.0.contains_key(sub) {
            let oldest = self.0.iter().min_by_key(|(_, status)| (!status.watchers.is_empty(), status.used)).map(|(sub, _)| sub.clone());
            if let Some(status) = oldest.and_then(|sub| self.0.remove(&sub)) {
                orphans = status.watchers;
            }
        }
        let status = self.0.entry(sub.clone()).or_default();
        status.used = now;
        (status, orphans)
    }

    /// Whether anything is kept of a user's tests.
    pub(super) fn has(&self, sub: &str) -> bool {
        self.0.get(sub).is_some_and(|status| status.began > 0)
    }

    /// Deletes a user's status. Returns the sockets that watched it.
    pub(super) fn forget(&mut self, sub: &str) -> Vec<SocketId> {
        self.0.remove(sub).map_or(Vec::new(), |status| status.watchers)
    }

    /// A socket has gone.
    pub(super) fn leave(&mut self, sub: &str, socket: SocketId) {
        if let Some(status) = self.0.get_mut(sub) {
            status.watchers.retain(|watcher| *watcher != socket);
        }
    }
}

/// The reason that goes with 1013.
pub(super) const TOO_MANY: &str = "too many test runs are watched on this server: reconnect";

/// The names of a status.
const STATUS: &[&str] = &["type", "running", "current", "results", "last_green", "last_red", "total_expected"];

#[derive(Serialize)]
struct View<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    running: bool,
    current: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    results: Option<&'a Vec<Value>>,
    last_green: &'a Value,
    last_red: &'a Value,
    total_expected: &'a Value,
    #[serde(flatten)]
    report: &'a Map<String, Value>,
}

impl TestStatus {
    /// Takes a report; what is to be passed on, or why it can't be taken.
    pub(super) fn report(&mut self, report: &Map<String, Value>) -> Result<Vec<u8>, Refusal> {
        let text = |key: &str| report.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("event") {
            "suite_start" => {
                if let Some(count) = report.get("count").filter(|count| !count.is_null()) {
                    let (watchers, last_run) = (std::mem::take(&mut self.watchers), self.last_run.take());
                    *self = TestStatus { total_expected: count.clone(), watchers, last_run, used: self.used, ..TestStatus::default() };
                }
                self.began += 1;
                self.current = text("suite").to_owned();
            }
            "step_result" => {
                let Some(Value::Object(result)) = report.get("result") else {
                    return Err(Refusal::new(Code::InvalidReport, "`result` is missing: send the step's result as an object"));
                };
                let bytes = json::write(result).len();
                if self.results.len() >= TEST_RESULTS_MAX || self.results_bytes + bytes > TEST_BYTES_MAX {
                    return Err(Refusal::new(Code::ResultsFull, "too many results in one run: send a `count` to begin the next"));
                }
                let part = |key: &str| result.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
                self.current = [part("step"), part("check")].into_iter().flatten().collect::<Vec<_>>().join(" · ");
                let result = Value::Object(result.clone());
                match counted(&result) {
                    Some("PASS") => self.last_green = result.clone(),
                    Some("FAIL") => self.last_red = result.clone(),
                    _ => {}
                }
                self.results.push(result);
                self.results_bytes += bytes;
            }
            "suite_end" => {
                self.ended = (self.ended + 1).min(self.began);
                self.current = String::new();
                if self.began > 0 && !self.is_running() {
                    self.last_run = Some(self.summary());
                }
            }
            _ => return Err(Refusal::new(Code::InvalidReport, "`event` must be `suite_start`, `step_result` or `suite_end`")),
        }
        Ok(self.line(report))
    }

    fn is_running(&self) -> bool {
        self.began > self.ended
    }

    /// Body of `/api/test/status`.
    pub(super) fn status(&self) -> Vec<u8> {
        json::write(&self.view(true, &Map::new(), None))
    }

    /// What watchers see: a report, and the status that it leads to; of one name, the status counts. A very long list of results is left out: it can be
    /// read from `/api/test/status`.
    pub(super) fn line(&self, report: &Map<String, Value>) -> Vec<u8> {
        let mut report = report.clone();
        report.retain(|key, _| !STATUS.contains(&key.as_str()));
        json::write(&self.view(self.results_bytes <= REPORT_BYTES_MAX, &report, Some("test_status")))
    }

    fn view<'a>(&'a self, with_results: bool, report: &'a Map<String, Value>, kind: Option<&'static str>) -> View<'a> {
        View {
            kind,
            running: self.is_running(),
            current: &self.current,
            results: with_results.then_some(&self.results),
            last_green: &self.last_green,
            last_red: &self.last_red,
            total_expected: &self.total_expected,
            report,
        }
    }

    /// Body of `/api/tests`, once a run has ended.
    pub(super) fn last_run(&self) -> Option<&Value> {
        self.last_run.as_ref()
    }

    fn summary(&self) -> Value {
        let count = |status: &str| self.results.iter().filter(|result| counted(result) == Some(status)).count();
        json!({
            "results": self.results,
            "passed": count("PASS"),
            "failed": count("FAIL"),
            "skipped": count("SKIP"),
            "total_expected": self.total_expected,
        })
    }
}

/// The status of a result, unless it is only reported and does not count.
fn counted(result: &Value) -> Option<&str> {
    result["status"].as_str().filter(|_| result["reported"] != true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: &TestStatus) -> Value {
        serde_json::from_slice(&status.status()).unwrap()
    }

    #[test]
    fn the_status_used_longest_ago_leaves_when_there_are_too_many() {
        let mut statuses = TestStatuses::default();
        let user = |n: usize| -> Arc<str> { format!("user {n}").into() };
        let begin = json!({"event":"suite_start","suite":"a","count":1});
        for n in (0..TEST_STATUS_MAX).rev() {
            statuses.of(&user(n), Moment((TEST_STATUS_MAX - n) as u64)).0.report(begin.as_object().unwrap()).unwrap();
        }
        statuses.of(&user(TEST_STATUS_MAX - 1), Moment(1_000));
        statuses.of(&user(TEST_STATUS_MAX), Moment(1_001));
        assert_eq!(statuses.0.len(), TEST_STATUS_MAX);
        assert!(!statuses.0.contains_key(&user(TEST_STATUS_MAX - 2)), "the first that came and was not used again");
        assert!(statuses.of(&user(TEST_STATUS_MAX - 1), Moment(1_002)).0.is_running());
    }

    #[test]
    fn keeps_a_run_as_it_was_reported() {
        let mut status = TestStatus::default();
        let step = |check: &str, status: &str| json!({"suite":"a","step":"s","check":check,"status":status,"detail":"","elapsed_ms":1});
        let green = step("c", "PASS");
        for (report, running, current, results) in [
            (json!({"event":"suite_start","suite":"a","count":2}), true, "a", 0),
            (json!({"event":"step_result","result":green}), true, "s · c", 1),
            (json!({"event":"suite_start","suite":"b"}), true, "b", 1),
            (json!({"event":"step_result","result":step("d", "FAIL")}), true, "s · d", 2),
            (json!({"event":"suite_end","suite":"a"}), true, "", 2),
            (json!({"event":"suite_end","suite":"b"}), false, "", 2),
        ] {
            status.report(report.as_object().unwrap()).unwrap();
            let shown = shown(&status);
            assert_eq!((&shown["running"], &shown["current"]), (&json!(running), &json!(current)), "{report}");
            assert_eq!((shown["results"].as_array().unwrap().len(), &shown["total_expected"]), (results, &json!(2)), "{report}");
        }
        assert_eq!(shown(&status)["last_green"], green);
        assert_eq!(status.last_run().unwrap()["failed"], 1);
        let last_red = shown(&status)["last_red"].clone();
        for report in [
            json!({"event":"suite_start","suite":"t","count":0}),
            json!({"event":"step_result","result":{"status":"FAIL","check":"expect time: < 1 ms","reported":true}}),
            json!({"event":"suite_end","suite":"t"}),
        ] {
            status.report(report.as_object().unwrap()).unwrap();
        }
        let run = status.last_run().unwrap();
        assert_eq!((&run["failed"], run["results"].as_array().unwrap().len()), (&json!(0), 1), "what is only reported does not count");
        assert!(last_red.is_object() && shown(&status)["last_red"].is_null());
        status.report(json!({"event":"suite_start","suite":"c","count":1}).as_object().unwrap()).unwrap();
        assert_eq!((shown(&status)["results"].clone(), shown(&status)["last_red"].clone()), (json!([]), Value::Null));
        assert!(status.last_run().is_some(), "the last finished run stays until the next has finished");
    }

    #[test]
    fn refuses_what_is_no_report_and_changes_nothing() {
        let mut status = TestStatus::default();
        for report in [json!({}), json!({"event":"x"}), json!({"event":"step_result"}), json!({"event":"step_result","result":1})] {
            assert_eq!(status.report(report.as_object().unwrap()).unwrap_err().code, Code::InvalidReport, "{report}");
        }
        assert_eq!(shown(&status)["running"], false);
        status.report(json!({"event":"suite_end","suite":"x"}).as_object().unwrap()).unwrap();
        assert!(status.last_run().is_none(), "no run ended that did not begin");
    }

    #[test]
    fn bounds_the_results_of_a_run_and_what_it_passes_on() {
        let mut status = TestStatus::default();
        let step = |detail: &str| json!({"event":"step_result","result":{"status":"SKIP","detail":detail}}).as_object().unwrap().clone();
        let (small, large) = (step("x"), step(&"x".repeat(REPORT_BYTES_MAX)));
        let taken = (0..).take_while(|_| status.report(&small).is_ok()).count();
        assert_eq!(taken, TEST_RESULTS_MAX);
        status.report(json!({"event":"suite_start","suite":"a","count":1}).as_object().unwrap()).unwrap();
        let passed_on = status.report(&large).unwrap();
        assert!(!String::from_utf8(passed_on).unwrap().contains("\"results\""));
        let taken = (0..).take_while(|_| status.report(&large).is_ok()).count();
        assert!(taken < TEST_BYTES_MAX / REPORT_BYTES_MAX, "{taken}");
        assert_eq!(status.report(&large).unwrap_err().code, Code::ResultsFull);
    }
}
