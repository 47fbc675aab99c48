//! Stop, cancel, clear, switch, leave: what becomes of the connection to the model, and of what was shown.

use crate::support::{Conversation, WebSocket, answer_text, eventually};
use crate::world::{ANSWER, Model, QUESTION};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long the model may still be held to: a moment, on a machine that is busy. Each deadline is much later.
const SOON: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Stop,
    Cancel,
    Clear,
    Switch,
}

fn end(way: Way, session: &Conversation, chat: &mut WebSocket) {
    match way {
        Way::Stop => chat.say(&json!({ "type": "stop" })),
        Way::Cancel => {
            let pid = session.read("/api/state")["processes"][0]["pid"].clone();
            chat.say(&json!({ "type": "cancel_process", "pid": pid }));
        }
        Way::Clear => assert_eq!(session.call("POST", "/api/clear", None).status, 200),
        Way::Switch => drop(session.post("/api/graph/switch", &json!({ "name": "v1-direct" }))),
    }
}

#[test]
fn whoever_ends_a_turn_ends_the_call_to_the_model_at_once() {
    for way in [Way::Stop, Way::Cancel, Way::Clear, Way::Switch] {
        // In the middle of an answer that is shown, and would not end by itself.
        let model = Model::start(0);
        let server = model.patient_server(&[]);
        let session = server.session("shown");
        let mut chat = session.attached();
        chat.say(&json!({ "text": format!("fault:tokens@output.start {QUESTION}") }));
        let mut messages = chat.until(|message| message["type"] == "delta");
        let number = model.number_of("output");
        let begun = Instant::now();
        end(way, &session, &mut chat);
        let (line, time) = model.is_rid_of(&number, begun);
        assert!(time < SOON, "{way:?}: {line} after {time:?}");
        messages.extend(chat.until_done("msg_1"));
        let shown = answer_text(&messages, "msg_1");
        assert_eq!(messages[messages.len() - 1]["cancelled"], true, "{way:?}: {messages:?}");
        assert!(shown.starts_with("so "), "{way:?}: {shown}");
        let kept = session.messages();
        match way {
            Way::Stop | Way::Cancel => {
                assert_eq!((&kept[1]["content"], &kept[1]["partial"]), (&json!(shown), &json!(true)), "{way:?}: {kept:?}");
            }
            Way::Clear | Way::Switch => assert!(kept.is_empty(), "{way:?}: {kept:?}"),
        }
        // What the model has still sent is dropped: all that comes is the next turn.
        chat.say(&json!({ "text": "thank you so much" }));
        let next = chat.until_done("msg_2");
        assert!(next.iter().all(|message| message["id"] != "msg_1"), "{way:?}: {next:?}");
        assert_eq!(next[next.len() - 1]["error"], Value::Null, "{way:?}: the next message works");
    }
}

#[test]
fn a_call_that_shows_nothing_ends_as_quickly_wherever_it_stands() {
    for place in ["input.head", "director.start", "output.head", "output.middle", "output.end"] {
        for way in [Way::Stop, Way::Cancel] {
            let model = Model::start(0);
            let server = model.patient_server(&[]);
            let session = server.session("silent");
            let mut chat = session.attached();
            chat.say(&json!({ "text": format!("fault:hang@{place} {QUESTION}") }));
            let number = model.number_of(place.split('.').next().unwrap());
            eventually("a call", || (session.read("/api/state")["processes"] != json!([])).then_some(()));
            let begun = Instant::now();
            end(way, &session, &mut chat);
            let (line, time) = model.is_rid_of(&number, begun);
            assert!(time < SOON, "{place} {way:?}: {line} after {time:?}");
            let done = chat.until_done("msg_1").pop().unwrap();
            assert_eq!(done["cancelled"], true, "{place} {way:?}: {done}");
        }
    }
}

#[test]
fn a_pause_between_two_tries_ends_with_the_turn() {
    let model = Model::start(0);
    let server = model.patient_server(&[]);
    let session = server.session("pausing");
    let mut chat = session.attached();
    chat.say(&json!({ "text": format!("fault:429-after@output.head {QUESTION}") }));
    let number = model.number_of("output");
    model.says(&format!("faulty {number}"), Instant::now());
    chat.say(&json!({ "type": "stop" }));
    assert_eq!(chat.until_done("msg_1").pop().unwrap()["cancelled"], true);
    chat.say(&json!({ "text": QUESTION }));
    let next = chat.until_done("msg_2");
    assert!(answer_text(&next, "msg_2").starts_with(ANSWER), "{next:?}");
}

#[test]
fn a_client_that_leaves_does_not_stop_the_turn() {
    let model = Model::start(30);
    let server = model.patient_server(&[]);
    let session = server.session("left");
    let mut chat = session.attached();
    chat.say(&json!({ "text": QUESTION }));
    chat.until(|message| message["type"] == "delta");
    drop(chat);
    eventually("the client to be gone", || (session.read("/api/state")["ws_connected"] == false).then_some(()));
    let result = session.result_of("msg_1");
    assert!(result["response"].as_str().is_some_and(|answer| answer.starts_with(ANSWER)), "{result}");
    let number = model.number_of("output");
    model.says(&format!("answered {number} "), Instant::now());
    assert_eq!(session.messages()[1]["partial"], Value::Null, "the answer is whole");
}
