//! The test relay: what a runner reports is remembered, and passed on to everyone who looks on before it is answered.

use crate::support::{Conversation, Folder, Server, Setting, WebSocket, in_parallel};
use serde_json::{Value, json};

fn step(suite: &str, check: &str, status: &str) -> Value {
    json!({ "suite": suite, "step": "a step", "check": check, "status": status, "detail": "why", "elapsed_ms": 1.5 })
}

fn report(session: &Conversation, report: &Value) {
    assert_eq!(session.post("/api/test/status", report), json!({ "ok": true }), "{report}");
}

fn start(suite: &str, count: Option<u64>) -> Value {
    match count {
        Some(count) => json!({ "event": "suite_start", "suite": suite, "count": count }),
        None => json!({ "event": "suite_start", "suite": suite }),
    }
}

fn result(result: &Value) -> Value {
    json!({ "event": "step_result", "result": result })
}

fn end(suite: &str) -> Value {
    json!({ "event": "suite_end", "suite": suite })
}

#[test]
fn a_run_is_shown_as_it_goes_and_remembered_as_it_was() {
    let server = Server::start();
    let session = server.session("runner");
    let (green, red, skipped, last) =
        (step("one", "a", "PASS"), step("one", "b", "FAIL"), step("two", "c", "SKIP"), step("two", "d", "PASS"));
    let mut results: Vec<Value> = Vec::new();
    for (sent, running, current, names) in [
        (start("one", Some(2)), true, "one", false),
        (result(&green), true, "a", true),
        (start("two", None), true, "two", false),
        (result(&red), true, "b", true),
        (result(&skipped), true, "c", true),
        (end("one"), true, "", false),
        (result(&last), true, "d", true),
        (end("two"), false, "", false),
    ] {
        report(&session, &sent);
        results.extend(sent.get("result").cloned());
        let status = session.read("/api/test/status");
        assert_eq!((&status["running"], &status["results"]), (&json!(running), &json!(results)), "after {sent}");
        assert_eq!(status["total_expected"], 2);
        let shown = status["current"].as_str().unwrap();
        match names {
            true => assert!(shown.contains("a step") && shown.ends_with(current), "step and check at each result: {shown}"),
            false => assert_eq!(shown, current, "after {sent}"),
        }
    }
    let status = session.read("/api/test/status");
    assert_eq!((&status["last_green"], &status["last_red"]), (&last, &red), "whole results");
    let run = session.read("/api/tests");
    results.iter().for_each(|result| assert!(run.to_string().contains(&result.to_string()), "{result} is missing in {run}"));
}

#[test]
fn a_count_begins_a_new_run_and_the_last_finished_one_stays_until_then() {
    let server = Server::start();
    let session = server.session("runs");
    for sent in [start("one", Some(1)), result(&step("one", "a", "FAIL")), end("one")] {
        report(&session, &sent);
    }
    let finished = session.read("/api/tests");
    assert!(finished.to_string().contains("\"FAIL\""), "{finished}");
    report(&session, &start("next", Some(1)));
    let status = session.read("/api/test/status");
    for (field, value) in [("running", json!(true)), ("results", json!([])), ("last_green", Value::Null), ("last_red", Value::Null)] {
        assert_eq!(status[field], value, "a count resets `{field}`");
    }
    assert_eq!(session.read("/api/tests"), finished, "the last finished run");
    report(&session, &result(&step("next", "b", "PASS")));
    report(&session, &end("next"));
    assert_ne!(session.read("/api/tests"), finished);
}

#[test]
fn a_run_that_was_written_to_a_file_is_shown_until_one_is_reported() {
    let folder = Folder::new();
    folder.write("testcases/results.json", r#"{"results":[],"passed":7}"#);
    let server = Server::with(&Setting { working_folder: Some(folder.path()), ..Setting::default() });
    let session = server.session("file");
    assert_eq!(session.read("/api/tests"), json!({ "results": [], "passed": 7 }));
    for sent in [start("one", Some(1)), end("one")] {
        report(&session, &sent);
    }
    assert_ne!(session.read("/api/tests")["passed"], 7);
}

#[test]
fn every_onlooker_has_been_told_before_the_report_is_answered() {
    let server = Server::start();
    // Onlookers and runners of many sessions, on both shards: test status belongs to the user.
    let mut onlookers: Vec<WebSocket> =
        (0..12).map(|number| WebSocket::open(server.address, &format!("/ws/test?session=onlooker-{number}"))).collect();
    for onlooker in &mut onlookers {
        let present = onlooker.next();
        assert_eq!(
            (&present["type"], &present["running"]),
            (&json!("test_status"), &json!(false)),
            "the present status at once: {present}"
        );
    }
    let mut streams: Vec<_> = (0..6).map(|number| server.session(&format!("stream-{number}")).events()).collect();
    let reports = [start("one", Some(1)), result(&step("one", "a", "PASS")), end("one")];
    for (number, sent) in reports.iter().enumerate() {
        report(&server.session(&format!("runner-{number}")), sent);
        for onlooker in &mut onlookers {
            let told = onlooker.next();
            assert_eq!(told["type"], "test_status");
            for (name, value) in sent.as_object().unwrap() {
                assert_eq!(&told[name], value, "`{name}` as it was sent: {told}");
            }
        }
        for stream in &mut streams {
            let told = stream.next();
            assert_eq!((told.id, &told.event["type"], &told.event["event"]), (None, &json!("test_status"), &sent["event"]), "{told:?}");
        }
    }
    let late = WebSocket::open(server.address, "/ws/test").next();
    assert_eq!((&late["running"], &late["results"]), (&json!(false), &json!([step("one", "a", "PASS")])), "{late}");
}

#[test]
fn an_onlooker_that_says_something_is_not_listened_to_and_one_that_leaves_is_not_missed() {
    let server = Server::start();
    let mut onlooker = WebSocket::open(server.address, "/ws/test");
    onlooker.next();
    onlooker.say(&json!({ "event": "suite_start", "suite": "mine" }));
    onlooker.say(&json!({ "text": "hello" }));
    for _ in 0..5 {
        drop(WebSocket::open(server.address, "/ws/test"));
    }
    let session = server.session("default");
    report(&session, &start("real", Some(1)));
    assert_eq!(onlooker.next()["suite"], "real");
    assert_eq!(session.read("/api/poll")["hash"], "no_session");
}

#[test]
fn many_runners_at_once_lose_no_report() {
    let server = Server::start();
    let mut onlooker = WebSocket::open(server.address, "/ws/test");
    onlooker.next();
    report(&server.session("first"), &start("all", Some(8)));
    in_parallel(0..8, |runner| {
        let session = server.session(&format!("runner-{runner}"));
        for check in 0..10 {
            report(&session, &result(&step("all", &format!("{runner}.{check}"), "PASS")));
        }
    });
    let told = onlooker.until(|told| told["results"].as_array().is_some_and(|results| results.len() == 80));
    assert_eq!(told.len(), 81, "one message for each report");
    assert_eq!(server.session("any").read("/api/test/status")["results"].as_array().unwrap().len(), 80);
}

#[test]
fn an_onlooker_that_does_not_read_holds_up_nobody() {
    let server = Server::start();
    let mut sleeper = server.connect();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    sleeper.send(format!(
        "GET /ws/test HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n{key}\r\n\r\n"
    ));
    assert_eq!(sleeper.next(false).unwrap().status, 101);
    let session = server.session("runner");
    report(&session, &start("loud", Some(1)));
    let detail = "x".repeat(50_000);
    for number in 0..100 {
        let loud =
            json!({ "suite": "loud", "step": "s", "check": format!("c{number}"), "status": "PASS", "detail": detail, "elapsed_ms": 1 });
        report(&session, &result(&loud));
    }
    report(&session, &end("loud"));
    assert_eq!(session.read("/api/test/status")["running"], false);
}
