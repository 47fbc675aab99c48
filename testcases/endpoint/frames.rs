//! How many frames each path takes, counted from outside: in `/api/frames` and in the event that closes the turn.

use crate::support::{Conversation, Provider, Server, Setting};
use serde_json::{Value, json};
use std::thread;
use std::time::Duration;

/// Sees to it that a turn went its path in its frames, through these nodes.
fn went(session: &Conversation, event: &Value, trace: &Value, path: &str, nodes: &[&[&str]]) {
    let shown: Vec<Vec<&str>> = trace["frames"].as_array().unwrap().iter().map(|frame| names(&frame["nodes"])).collect();
    assert_eq!((trace["path"].as_str().unwrap(), shown), (path, nodes.iter().map(|names| names.to_vec()).collect()), "{}", session.name);
    assert_eq!(trace["total_frames"], nodes.len(), "{path}");
    for (name, value) in trace.as_object().unwrap() {
        if name != "background" {
            assert_eq!(&event["trace"][name], value, "`{name}` of the event and of the kept trace");
        }
    }
    is_of_the_contract(trace);
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

fn is_of_the_contract(trace: &Value) {
    let has =
        |object: &Value, names: &[&str]| names.iter().for_each(|name| assert!(!object[*name].is_null(), "`{name}` is missing in {object}"));
    has(trace, &["id", "message", "graph", "path", "started_at", "total_frames", "total_ms", "status", "usage", "frames", "background"]);
    assert_eq!(trace["status"], "done");
    let mut last_end = 0.0;
    for (place, frame) in trace["frames"].as_array().unwrap().iter().enumerate() {
        has(frame, &["frame", "nodes", "started_ms", "ended_ms", "duration_ms", "route", "summary", "calls"]);
        assert_eq!(frame["frame"], place + 1, "frames count from 1");
        let (started, ended) = (frame["started_ms"].as_f64().unwrap(), frame["ended_ms"].as_f64().unwrap());
        assert!(
            last_end <= started && started <= ended && ended <= trace["total_ms"].as_f64().unwrap(),
            "one frame after the other: {trace}"
        );
        last_end = ended;
        for call in frame["calls"].as_array().unwrap() {
            has(call, &["pid", "kind", "label", "started_ms", "duration_ms", "waited_ms", "status"]);
            assert_eq!((&call["kind"], &call["status"]), (&json!("llm"), &json!("done")), "{call}");
            let begun = call["started_ms"].as_f64().unwrap();
            assert!(started <= begun && begun <= ended, "a call lies in its frame: {frame}");
        }
    }
}

const REFLEX: &[&[&str]] = &[&["input"], &["output", "ui"]];
const DIRECTOR: &[&[&str]] = &[&["input"], &["director"], &["thinker"], &["output", "ui"]];
const INTERPRETER: &[&[&str]] = &[&["input"], &["director"], &["thinker"], &["interpreter"], &["output", "ui"]];

#[test]
fn the_demo_model_takes_every_path_in_its_frames() {
    let server = Server::start();
    let session = server.session("demo");
    let mut stream = session.events();
    for (place, (text, path, nodes)) in [
        ("hello", "reflex", REFLEX),
        ("why is the sky blue?", "director", DIRECTOR),
        ("what did I say before?", "director+interpreter", INTERPRETER),
        ("thank you", "reflex", REFLEX),
        ("give me two buttons, red and blue", "director", DIRECTOR),
        ("hello", "reflex", REFLEX),
    ]
    .into_iter()
    .enumerate()
    {
        let trace = session.ask(text);
        let event = stream.until_trace(&format!("msg_{}", place + 1)).pop().unwrap().event;
        assert_eq!(trace["message"], text);
        went(&session, &event, &trace, path, nodes);
    }
}

#[test]
fn the_path_follows_from_routes_and_what_tools_return() {
    let provider = Provider::start();
    let server = provider.server();
    let recall = json!({ "tool": "recall", "args": { "query": "tea" } });
    let set = json!({ "tool": "set_state", "args": { "key": "a", "value": 1 } });
    for (place, (plan, path, nodes, asked)) in [
        (json!({ "intent": "social" }), "reflex", REFLEX, "input output memorizer"),
        (json!({ "intent": "question", "complexity": "trivial" }), "reflex", REFLEX, "input output memorizer"),
        (json!({ "intent": "question" }), "director", DIRECTOR, "input director output memorizer"),
        (json!({ "tools": [set] }), "director", DIRECTOR, "input director output memorizer"),
        (json!({ "tools": [recall] }), "director+interpreter", INTERPRETER, "input director interpreter memorizer"),
        (json!({ "tools": [set, recall] }), "director+interpreter", INTERPRETER, "input director interpreter memorizer"),
        (
            json!({ "tools": [{ "tool": "recall" }], "fill": [recall] }),
            "director+interpreter",
            INTERPRETER,
            "input director thinker interpreter memorizer",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let session = server.session(&format!("path-{place}"));
        let mut stream = session.events();
        let before = provider.asked().len();
        let trace = session.ask(&plan.to_string());
        let event = stream.until_trace("msg_1").pop().unwrap().event;
        went(&session, &event, &trace, path, nodes);
        session.memorized();
        assert_eq!(provider.asked()[before..].join(" "), asked, "{plan}");
        let kept = session.trace_of("msg_1");
        assert_eq!(kept["background"].as_array().unwrap().len(), 1, "the memorizer's call stands under `background`");
        let calls: u64 = kept["frames"].as_array().unwrap().iter().map(|frame| frame["calls"].as_array().unwrap().len() as u64).sum();
        assert_eq!(kept["usage"]["total_tokens"], 15 * calls, "the tokens of the turn's calls");
    }
}

#[test]
fn a_plain_greeting_needs_no_model_and_still_two_frames() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("plain");
    for text in ["hello", "Hallo", "thanks!", "Guten Morgen"] {
        let trace = session.ask(text);
        assert_eq!((&trace["path"], &trace["total_frames"]), (&json!("reflex"), &json!(2)), "{text}");
        session.memorized();
    }
    assert_eq!(provider.asked(), [""; 0], "nothing is to be remembered of it either");
}

#[test]
fn the_direct_graph_takes_one_frame_whatever_it_does() {
    for by_option in [true, false] {
        let provider = Provider::start();
        let url = provider.url();
        let options = ["--llm-url", &url, "--model", "puppet", "--graph", "v1-direct"];
        let options = if by_option { &options[..] } else { &options[..4] };
        let server = Server::with(&Setting { options, ..Default::default() });
        let session = server.session("direct");
        if !by_option {
            session.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
        }
        let mut stream = session.events();
        let buttons = json!({ "tool": "emit_actions", "args": { "actions": [{ "label": "Red", "action": "red" }] } });
        let recall = json!({ "tool": "recall", "args": { "query": "tea" } });
        for (place, (plan, calls)) in [
            (json!({ "say": "One." }), 1),
            (json!({ "tools": [buttons], "say": "Two." }), 2),
            (json!({ "tools": [recall, buttons], "say": "Three." }), 2),
        ]
        .into_iter()
        .enumerate()
        {
            let trace = session.ask(&plan.to_string());
            let event = stream.until_trace(&format!("msg_{}", place + 1)).pop().unwrap().event;
            went(&session, &event, &trace, "direct", &[&["agent"]]);
            assert_eq!(trace["frames"][0]["calls"].as_array().unwrap().len(), calls, "{plan}");
            assert_eq!(session.result()["response"], plan["say"]);
        }
        assert_eq!(session.read("/api/state")["controls"][0]["label"], "Red");
    }
}

#[test]
fn the_demo_model_takes_the_direct_graph_in_one_frame() {
    let server = Server::with(&Setting { options: &["--graph", "v1-direct"], ..Default::default() });
    let session = server.session("demo-direct");
    for text in ["hello", "why is the sky blue?", "give me two buttons, red and blue", "what did I say before?"] {
        let trace = session.ask(text);
        assert_eq!((&trace["graph"], &trace["path"], &trace["total_frames"]), (&json!("v1-direct"), &json!("direct"), &json!(1)), "{text}");
    }
}

#[test]
fn a_call_tells_how_long_it_stood_in_line() {
    let provider = Provider::start();
    let server =
        Server::with(&Setting { options: &["--llm-url", &provider.url(), "--model", "puppet", "--workers", "1"], ..Default::default() });
    let (first, second) = (server.session("first"), server.session("second"));
    first.post("/api/send", &json!({ "text": json!({ "intent": "social", "hold": "input" }).to_string() }));
    provider.holds(1);
    let mut events = second.events();
    second.post("/api/send", &json!({ "text": json!({ "intent": "social" }).to_string() }));
    let stood = Duration::from_millis(30);
    thread::sleep(stood);
    provider.release(1);
    second.result_of("msg_1");
    let trace = second.trace_of("msg_1");
    let call = &trace["frames"][0]["calls"][0];
    let (waited, duration) = (call["waited_ms"].as_f64().unwrap(), call["duration_ms"].as_f64().unwrap());
    assert!(waited >= 30.0 && waited <= duration, "behind the other session's call, and part of its own time: {call}");
    let ended = events.until_trace("msg_1").into_iter().find(|told| told.event["event"] == "process_end").unwrap();
    assert_eq!(ended.event["waited_ms"], call["waited_ms"]);
}
