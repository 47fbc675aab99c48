//! The trace: over an event stream, over `/ws/trace`, and as lines; every event with the fields that the contract names.

use crate::support::{Provider, Server, Setting, Told, nobody};
use serde_json::{Value, json};

fn has_the_fields_of_its_kind(event: &Value) {
    let further: &[&str] = match event["event"].as_str().unwrap() {
        "thinking" | "updated" | "error" => &["detail"],
        "perceived" | "decided" | "routed" | "planned" | "interpreted" => &["output"],
        "streaming" => &["text"],
        "turn_started" => &["message", "entry"],
        "tool_call" => &["call_id", "tool", "args"],
        "tool_result" => &["call_id", "tool", "ok", "summary"],
        "memory" => &["memory"],
        "machines" => &["machines"],
        "state" => &["ui_state"],
        "controls" => &["controls"],
        "cleared" => &[],
        "process_start" => &["pid", "kind", "label"],
        "process_end" => &["pid", "kind", "label", "status", "duration_ms", "waited_ms"],
        "frame_trace" => &["trace"],
        other => panic!("an unknown event `{other}`: {event}"),
    };
    for name in ["node", "event", "at", "turn", "frame"].iter().chain(further) {
        assert!(!event[*name].is_null(), "`{name}` is missing in {event}");
    }
    assert!(event["node"].is_string() && event["at"].is_number() && event["turn"].is_string() && event["frame"].is_u64(), "{event}");
}

/// A message whose turn shows as many kinds of events as it can.
fn rich() -> String {
    let tools = json!([
        { "tool": "recall", "args": { "query": "tea" } },
        { "tool": "emit_actions", "args": { "actions": [{ "label": "Red", "action": "red" }] } },
        { "tool": "no_such_tool", "args": {} },
    ]);
    json!({ "tools": tools, "say": "Here is what I found.", "memory": { "user_name": "Ada" } }).to_string()
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// The texts of an answer, put together.
fn streamed(events: &[Value]) -> String {
    events.iter().filter(|event| event["event"] == "streaming").map(|event| event["text"].as_str().unwrap()).collect()
}

#[test]
fn a_turn_is_told_event_by_event_and_closed_by_its_trace() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("told");
    let mut stream = session.events();
    session.send(&rich());
    let told = stream.until_trace("msg_1");
    let ids: Vec<u64> = told.iter().map(|told| told.id.expect("an event of a session has an id")).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "ids count up: {ids:?}");
    let events: Vec<Value> = told.into_iter().map(|told| told.event).collect();
    events.iter().for_each(has_the_fields_of_its_kind);
    let seen = kinds(&events);
    for kind in ["perceived", "decided", "interpreted", "tool_call", "tool_result", "streaming", "controls", "process_start", "process_end"]
    {
        assert!(seen.contains(&kind), "`{kind}` is missing: {seen:?}");
    }
    assert_eq!(streamed(&events), "Here is what I found.");
    let tools: Vec<_> = events.iter().filter(|event| event["event"] == "tool_result").map(|event| (&event["tool"], &event["ok"])).collect();
    assert_eq!(
        tools,
        [(&json!("recall"), &json!(true)), (&json!("emit_actions"), &json!(true)), (&json!("no_such_tool"), &json!(false))],
        "a tool that does not exist is a result, not an end"
    );
    let recalled = events.iter().find(|event| event["event"] == "tool_result").unwrap();
    assert!(recalled["rows"].is_u64(), "a tool that returns data says how many rows: {recalled}");
    let trace = &events.last().unwrap()["trace"];
    assert_eq!(trace["frames"], session.trace_of("msg_1")["frames"], "it carries all of it");
    let open: Vec<&Value> = events.iter().filter(|event| event["event"] == "process_start").map(|event| &event["pid"]).collect();
    let ended: Vec<&Value> = events.iter().filter(|event| event["event"] == "process_end").map(|event| &event["pid"]).collect();
    assert_eq!(open, ended, "each call begins and ends, one after the other");
    let usage = events.iter().filter(|event| event["event"] == "process_end").all(|event| event["usage"]["total_tokens"] == 15);
    assert!(usage, "each call tells its tokens");
    let behind = stream.until(|event| event["event"] == "updated");
    behind.iter().for_each(|told| has_the_fields_of_its_kind(&told.event));
    assert_eq!(behind.last().unwrap().event["node"], "memorizer");
}

#[test]
fn the_trace_socket_tells_the_same_and_takes_no_notice_of_its_client() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("watched");
    let (mut stream, mut socket) = (session.events(), session.tracing());
    for nonsense in ["", "nonsense", r#"{"text":"hello"}"#, r#"{"type":"stop"}"#] {
        socket.send(tungstenite::Message::text(nonsense));
    }
    socket.send(tungstenite::Message::binary(&b"\x00\xff"[..]));
    session.send(&rich());
    let from_socket = socket.until_trace("msg_1");
    let from_stream: Vec<Value> = stream.until_trace("msg_1").into_iter().map(|told| told.event).collect();
    assert_eq!(from_socket, from_stream);
}

#[test]
fn the_lines_of_a_trace_hold_each_answer_once() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("lines");
    let mut stream = session.events();
    for number in 1..=2 {
        session.ask(&rich());
        stream.until_trace(&format!("msg_{number}"));
    }
    let lines = session.read("/api/trace?last=200")["lines"].as_array().unwrap().clone();
    lines.iter().for_each(has_the_fields_of_its_kind);
    let answers: Vec<_> = lines.iter().filter(|line| line["event"] == "streaming").map(|line| (&line["turn"], &line["text"])).collect();
    let text = json!("Here is what I found.");
    assert_eq!(answers, [(&json!("msg_1"), &text), (&json!("msg_2"), &text)]);
    assert_eq!(kinds(&lines).iter().filter(|kind| **kind == "frame_trace").count(), 2);
}

#[test]
fn a_turn_that_fails_says_so_and_is_closed_all_the_same() {
    let url = format!("http://{}/v1", nobody());
    let server = Server::with(&Setting { options: &["--llm-url", &url, "--model", "nobody"], ..Default::default() });
    let session = server.session("failed");
    let (mut stream, mut chat) = (session.events(), session.attached());
    chat.say(&json!({ "text": "why is the sky blue?" }));
    let done = chat.until_done("msg_1").pop().unwrap();
    let sentence = done["error"].as_str().unwrap_or_else(|| panic!("a failed turn has an error: {done}"));
    assert!(sentence.contains(' ') && !sentence.contains("127."), "a sentence for the user, without addresses: {sentence}");
    let told: Vec<Told> = stream.until_trace("msg_1");
    let events: Vec<Value> = told.into_iter().map(|told| told.event).collect();
    assert!(events.iter().any(|event| event["event"] == "error" && event["detail"] == sentence), "{events:?}");
    assert_eq!(events.last().unwrap()["trace"]["status"], "error");
    let result = session.result();
    assert_eq!(result, json!({ "status": "error", "id": "msg_1", "stage": "error", "detail": sentence, "code": "model_unreachable" }));
    assert_eq!(session.messages()[0]["partial"], true, "a failed turn keeps its message");
    assert_eq!(session.ask("hello")["path"], "reflex", "what needs no model still works");
}

#[test]
fn a_stream_on_which_nothing_happens_gets_a_comment_from_time_to_time() {
    let server = Server::start();
    let mut stream = server.session("quiet").events();
    assert!(stream.next_line().is_some_and(|line| line.is_empty() || line.starts_with(':')));
    let comment = std::iter::from_fn(|| stream.next_line()).find(|line| line.starts_with(':'));
    assert!(comment.is_some(), "proxies stay awake");
}
