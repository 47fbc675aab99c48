//! Traces: whose trace a turn belongs to, what its calls say of it, and what is exported.

use super::*;
use crate::contract::{AskedOf, Finished, FinishedWhat, TraceId, TraceParent};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const OTHER: &str = "00-11111111111111111111111111111111-2222222222222222-00";

fn exporting(content: bool) -> World {
    World::new(Settings { export: Some(Export { content }), ..settings() })
}

impl World {
    fn send_traced(&mut self, headers: &str, body: Value) {
        let socket = self.connect();
        assert_eq!(self.request(socket, "POST", "/api/send", headers, &body.to_string()).0, 200);
    }

    fn trace(&mut self) -> Value {
        self.get("/api/frames?last=1").1["traces"][0].clone()
    }
}

/// The trace of each call so far.
fn called(world: &World) -> Vec<TraceParent> {
    world.traces.iter().map(|trace| trace.expect("every call is part of a trace")).collect()
}

fn parent(text: &str) -> TraceParent {
    text.parse().unwrap()
}

#[test]
fn a_turn_goes_on_with_the_trace_of_its_caller_or_begins_one() {
    let mut world = World::new(settings());
    let with = |value: &str| format!("traceparent: {value}\r\n");
    let mut seen: Vec<String> = Vec::new();
    for (headers, body, expected) in [
        (with(PARENT), json!({"text": PLAIN}), Some(parent(PARENT))),
        (with(PARENT), json!({"text": PLAIN, "traceparent": OTHER}), Some(parent(OTHER))),
        (with(OTHER), json!({"text": PLAIN, "traceparent": "00-0-0-0"}), Some(parent(OTHER))),
        (String::new(), json!({"text": PLAIN}), None),
        (String::new(), json!({"text": PLAIN, "traceparent": 7}), None),
        (with("nonsense"), json!({"text": PLAIN}), None),
        (with(&PARENT.to_uppercase()), json!({"text": PLAIN}), None),
        (with(PARENT) + &with(OTHER), json!({"text": PLAIN}), None),
    ] {
        world.send_traced(&headers, body.clone());
        let trace = world.trace();
        let ids = (trace["trace_id"].as_str().unwrap(), trace["parent_span_id"].as_str());
        match expected {
            Some(expected) => {
                assert_eq!(ids, (&*expected.trace_id.to_string(), Some(&*expected.span_id.to_string())), "{headers} {body}");
                assert_eq!(trace["sampled"], expected.is_sampled, "who calls decides whether it is recorded");
            }
            None => {
                assert!(ids.1.is_none() && trace["sampled"] == false, "{headers} {body}: {trace}");
                assert!(!seen.contains(&ids.0.to_owned()), "a trace of its own");
                seen.push(ids.0.to_owned());
            }
        }
        let span = trace["span_id"].as_str().unwrap().to_owned();
        assert!(!seen.contains(&span), "a span of its own");
        seen.push(span);
        let Some(Entry::Turn { trace_id, .. }) = world.log.last() else { panic!("{:?}", world.log) };
        assert_eq!(trace_id.map(|id: TraceId| id.to_string()).as_deref(), trace["trace_id"].as_str(), "the log line names it");
    }
}

#[test]
fn on_a_socket_a_message_names_its_trace_or_the_handshake_does() {
    let mut world = World::new(settings());
    let socket = world.socket_with("/ws", &format!("traceparent: {PARENT}\r\n"));
    for (said, expected) in
        [(json!({"text": PLAIN}), PARENT), (json!({"text": PLAIN, "traceparent": OTHER}), OTHER), (json!({"text": PLAIN}), PARENT)]
    {
        world.say(socket, &said.to_string());
        assert_eq!(world.trace()["trace_id"], parent(expected).trace_id.to_string(), "{said}");
    }
}

#[test]
fn calls_leave_with_spans_of_their_own_in_the_trace_of_the_turn() {
    let mut world = World::new(settings());
    world.send_traced(&format!("traceparent: {PARENT}\r\n"), json!({"text": ASKS}));
    while !world.calls.is_empty() {
        world.complete("{}");
    }
    let calls = called(&world);
    assert!(calls.len() >= 2 && calls.iter().all(|call| call.trace_id == parent(PARENT).trace_id && call.is_sampled), "{calls:?}");
    for (at, call) in calls.iter().enumerate() {
        assert!(!calls[..at].contains(call) && call.span_id != parent(PARENT).span_id, "{calls:?}");
    }
    // The same again gives the same ids: a replay is exact.
    let mut again = World::new(settings());
    again.send_traced(&format!("traceparent: {PARENT}\r\n"), json!({"text": ASKS}));
    while !again.calls.is_empty() {
        again.complete("{}");
    }
    assert_eq!(called(&again), calls);
    let first = |trace_seed: u64| {
        let mut world = World::new(Settings { trace_seed, ..settings() });
        world.send_traced("", json!({"text": ASKS}));
        called(&world)[0].trace_id
    };
    assert!(first(1) == first(1) && first(1) != first(2), "servers don't share ids");
}

#[test]
fn exports_turns_and_what_runs_behind_them_without_their_content() {
    let mut world = exporting(false);
    world.send_traced(&format!("traceparent: {PARENT}\r\n"), json!({"text": "why do pelicans float?"}));
    while !world.calls.is_empty() {
        world.complete("{\"answer\":\"pelican\"}");
    }
    let [Finished { context, turn, what: FinishedWhat::Turn(trace), calls, conversation }, behind @ ..] = &world.exported[..] else {
        panic!("{:?}", world.exported)
    };
    assert_eq!((context.trace_id, context.parent, turn.0), (parent(PARENT).trace_id, Some(parent(PARENT).span_id), 1));
    assert_eq!(calls.len(), trace.frames.iter().map(|frame| frame.calls.len()).sum::<usize>());
    assert!(calls.iter().all(|call| call.content.is_none() && matches!(&call.asked, AskedOf::Model { model, .. } if &**model == "demo")));
    assert!(!conversation.is_empty() && !format!("{calls:?}").contains("pelican"));
    assert!(!behind.is_empty(), "the memorizer ran");
    for finished in behind {
        let FinishedWhat::Background { record, .. } = &finished.what else { panic!("{finished:?}") };
        assert_eq!((finished.context, &finished.calls[0].pid), (*context, &record.pid));
        assert_eq!(&*finished.calls[0].node, "memorizer");
    }
}

#[test]
fn content_is_exported_where_it_was_asked_for() {
    let mut world = exporting(true);
    world.send_traced("", json!({"text": "why do pelicans float?"}));
    while !world.calls.is_empty() {
        world.complete("{\"answer\":\"feathers\"}");
    }
    let all = format!("{:?}", world.exported[0].calls);
    assert!(all.contains("pelicans float") && all.contains("feathers"), "{all}");
}

#[test]
fn a_trace_that_nobody_records_is_not_exported() {
    let mut world = exporting(false);
    world.send_traced(&format!("traceparent: {OTHER}\r\n"), json!({"text": PLAIN}));
    assert!(world.exported.is_empty(), "its caller does not record it");
    world.send_traced(&format!("traceparent: {OTHER}\r\n"), json!({"text": ASKS}));
    while !world.calls.is_empty() {
        world.complete("{}");
    }
    assert!(world.exported.is_empty(), "nor what ran behind the turn");
    world.send_traced("", json!({"text": PLAIN}));
    assert_eq!(world.exported.len(), 1);
    let mut silent = World::new(settings());
    silent.send_traced(&format!("traceparent: {PARENT}\r\n"), json!({"text": PLAIN}));
    assert!(silent.exported.is_empty(), "there is no collector");
}

#[test]
fn a_turn_that_is_cleared_away_is_exported_with_its_times() {
    let mut world = exporting(false);
    world.send_traced("", json!({"text": ASKS}));
    world.post("/api/clear", Value::Null);
    let [Finished { what: FinishedWhat::Turn(trace), .. }] = &world.exported[..] else { panic!("{:?}", world.exported) };
    assert_eq!(trace.status, crate::contract::CallStatus::Cancelled);
}
