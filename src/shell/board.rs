//! A user's test status: what the test runner reported, and who watches.

use super::bounds::{REPORT_BYTES_MAX, TEST_RESULTS_MAX};
use super::errand::Reply;
use super::socket::Socket;
use crate::wire::{json, websocket};
use serde_json::{Map, Value, json};
use std::rc::Rc;

#[derive(Default)]
pub(super) struct Board {
    began: u64,
    ended: u64,
    current: String,
    results: Vec<Value>,
    last_green: Value,
    last_red: Value,
    total_expected: Value,
    /// The results of the last run that ended.
    last_run: Option<Value>,
    pub(super) watchers: Vec<Rc<Socket>>,
}

impl Board {
    /// Takes a report; what is to be passed on, or why it can't be taken.
    pub(super) fn report(&mut self, report: &Map<String, Value>) -> Result<Vec<u8>, Reply> {
        let text = |key: &str| report.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("event") {
            "suite_start" => {
                if let Some(count) = report.get("count").filter(|count| !count.is_null()) {
                    let (watchers, last_run) = (std::mem::take(&mut self.watchers), self.last_run.take());
                    *self = Board { total_expected: count.clone(), watchers, last_run, ..Board::default() };
                }
                self.began += 1;
                self.current = text("suite").to_owned();
            }
            "step_result" => {
                let Some(Value::Object(result)) = report.get("result") else {
                    return Err(Reply::refused(400, "`result` is missing: send the step's result as an object"));
                };
                if self.results.len() >= TEST_RESULTS_MAX {
                    return Err(Reply::refused(503, "too many results in one run: send a `count` to begin the next"));
                }
                let part = |key: &str| result.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
                self.current = [part("step"), part("check")].into_iter().flatten().collect::<Vec<_>>().join(" · ");
                let result = Value::Object(result.clone());
                match part_of(&result, "status") {
                    "PASS" => self.last_green = result.clone(),
                    "FAIL" => self.last_red = result.clone(),
                    _ => {}
                }
                self.results.push(result);
            }
            "suite_end" => {
                self.ended = (self.ended + 1).min(self.began);
                self.current = String::new();
                if self.began > 0 && !self.is_running() {
                    self.last_run = Some(self.summary());
                }
            }
            _ => return Err(Reply::refused(400, "`event` must be `suite_start`, `step_result` or `suite_end`")),
        }
        let line = self.line(report);
        self.watchers.iter().for_each(|socket| socket.push(|out| websocket::write_text(out, &line)));
        Ok(line)
    }

    fn is_running(&self) -> bool {
        self.began > self.ended
    }

    /// Body of `/api/test/status`.
    pub(super) fn status(&self) -> Value {
        json!({
            "running": self.is_running(),
            "current": self.current,
            "results": self.results,
            "last_green": self.last_green,
            "last_red": self.last_red,
            "total_expected": self.total_expected,
        })
    }

    /// What watchers see: a report, and the status that it leads to. A very long list of results is left out: it can be
    /// read from `/api/test/status`.
    pub(super) fn line(&self, report: &Map<String, Value>) -> Vec<u8> {
        let Value::Object(mut line) = self.status() else { unreachable!("a status is an object") };
        line.extend(report.clone());
        line.insert("type".to_owned(), json!("test_status"));
        let json = json::write(&line);
        if json.len() <= REPORT_BYTES_MAX {
            return json;
        }
        line.remove("results");
        json::write(&line)
    }

    /// Body of `/api/tests`, once a run has ended.
    pub(super) fn last_run(&self) -> Option<&Value> {
        self.last_run.as_ref()
    }

    fn summary(&self) -> Value {
        let count = |status: &str| self.results.iter().filter(|result| part_of(result, "status") == status).count();
        json!({
            "results": self.results,
            "passed": count("PASS"),
            "failed": count("FAIL"),
            "skipped": count("SKIP"),
            "total_expected": self.total_expected,
        })
    }
}

fn part_of<'a>(result: &'a Value, key: &str) -> &'a str {
    result.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_kept_as_it_was_reported() {
        let mut board = Board::default();
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
            board.report(report.as_object().unwrap()).unwrap();
            let status = board.status();
            assert_eq!((&status["running"], &status["current"]), (&json!(running), &json!(current)), "{report}");
            assert_eq!((status["results"].as_array().unwrap().len(), &status["total_expected"]), (results, &json!(2)), "{report}");
        }
        assert_eq!(board.status()["last_green"], green);
        assert_eq!(board.last_run().unwrap()["failed"], 1);
        board.report(json!({"event":"suite_start","suite":"c","count":1}).as_object().unwrap()).unwrap();
        assert_eq!((board.status()["results"].clone(), board.status()["last_red"].clone()), (json!([]), Value::Null));
        assert!(board.last_run().is_some(), "the last finished run stays until the next has finished");
    }

    #[test]
    fn what_is_no_report_is_refused_and_changes_nothing() {
        let mut board = Board::default();
        for report in [json!({}), json!({"event":"x"}), json!({"event":"step_result"}), json!({"event":"step_result","result":1})] {
            assert_eq!(board.report(report.as_object().unwrap()).unwrap_err().status, 400, "{report}");
        }
        assert_eq!(board.status()["running"], false);
        board.report(json!({"event":"suite_end","suite":"x"}).as_object().unwrap()).unwrap();
        assert!(board.last_run().is_none(), "no run ended that did not begin");
    }
}
