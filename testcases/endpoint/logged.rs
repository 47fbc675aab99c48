//! The log of a server: a line for each turn, and nothing that anyone said.

use crate::support::{Server, Setting, eventually, nobody};
use serde_json::{Value, json};

/// The lines of the log so far; the start-up line is none of them.
fn lines(server: &Server) -> Vec<Value> {
    server.said().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The line of a turn.
fn turn_line(server: &Server, turn: &str) -> Value {
    let is_meant = |line: &Value| line["message"] == "turn" && line["id"] == turn;
    eventually(&format!("the line of {turn}"), || lines(server).into_iter().find(is_meant))
}

#[test]
fn each_turn_leaves_one_line_without_what_was_said() {
    let server = Server::start();
    let session = server.session("my-session-name");
    let trace = session.ask("why is the sky blue?");
    let line = turn_line(&server, "msg_1");
    assert_eq!((&line["path"], &line["frames"], &line["graph"]), (&trace["path"], &trace["total_frames"], &trace["graph"]), "{line}");
    assert_eq!((&line["outcome"], &line["level"]), (&json!("done"), &json!("INFO")), "{line}");
    for name in ["ms", "first_token_ms", "prompt_tokens", "completion_tokens"] {
        assert!(line[name].is_u64(), "`{name}` is missing: {line}");
    }
    assert!(line["first_token_ms"].as_u64() <= line["ms"].as_u64(), "{line}");
    assert!(line["session"].as_str().is_some_and(|hash| hash.len() >= 8), "{line}");
    session.ask("my name is Xylophone");
    let again = turn_line(&server, "msg_2");
    assert_eq!(again["session"], line["session"], "a session is recognizable");
    server.session("other").ask("hello");
    let all = lines(&server);
    let of_turns: Vec<&Value> = all.iter().filter(|line| line["message"] == "turn").collect();
    assert_eq!(of_turns.iter().filter(|line| line["id"] == "msg_2").count(), 1, "{of_turns:?}");
    let said = server.said();
    for secret in ["sky blue", "Xylophone", "my-session-name", "Sunlight"] {
        assert!(!said.contains(secret), "`{secret}` is in the log: {said}");
    }
}

#[test]
fn failed_and_stopped_turns_and_refusals_are_logged() {
    let url = format!("http://{}/v1", nobody());
    let server = Server::with(&Setting { options: &["--llm-url", &url, "--model", "nobody", "--retries", "0"], ..Setting::default() });
    let session = server.session("failing");
    let id = session.send("why is the sky blue?");
    assert_eq!(session.result_of(&id)["status"], "error");
    let line = turn_line(&server, &id);
    assert_eq!(line["outcome"], "error", "{line}");
    assert_eq!(line["first_token_ms"], Value::Null, "nothing was shown: {line}");
    let mut wire = server.connect();
    wire.send("GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    assert_eq!(wire.answer().code(), "unknown_host");
    let refused = eventually("the refusal", || lines(&server).into_iter().find(|line| line["code"] == "unknown_host"));
    assert_eq!(refused["level"], "WARN", "{refused}");
}

#[test]
fn filter_silences_the_log() {
    let server = Server::with(&Setting { options: &["--log", "off"], ..Setting::default() });
    server.session("silent").ask("hello");
    assert_eq!(lines(&server), [] as [Value; 0]);
}
