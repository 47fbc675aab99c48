//! Coming back: whoever tells the last number that they saw gets what came after it, once, and then what comes next.

use crate::support::{Provider, Server, Setting, answer_text, seqs};
use serde_json::{Value, json};

fn seq(message: &Value) -> u64 {
    message["seq"].as_u64().unwrap_or_else(|| panic!("a `seq`: {message}"))
}

#[test]
fn from_every_number_on_the_rest_of_the_conversation_is_told_again() {
    let server = Server::start();
    let session = server.session("again");
    let mut chat = session.attached();
    let mut all = Vec::new();
    for (id, text) in [("msg_1", "hello"), ("msg_2", "why is the sky blue?")] {
        chat.say(&json!({ "text": text }));
        all.extend(chat.until_done(id));
    }
    let numbers = seqs(&all);
    session.memorized();
    for since in std::iter::once(0).chain(numbers.iter().copied()).step_by(3).chain(numbers.last().copied()) {
        let mut again = session.chat_since(since);
        let hello = again.next();
        assert!(hello["kept_from"].is_u64() && hello["gap"].is_null(), "{since}: {hello}");
        assert!(seq(&hello) >= numbers[numbers.len() - 1], "the last number used: {hello}");
        let rest: Vec<&Value> = all.iter().filter(|message| seq(message) > since).collect();
        for expected in rest {
            assert_eq!(&again.next(), expected, "since {since}");
        }
    }
    // Whoever is up to date hears nothing old: the next thing is new.
    let mut current = session.chat_since(numbers[numbers.len() - 1]);
    current.next();
    current.say(&json!({ "text": "hello" }));
    let fresh = current.until_done("msg_3");
    assert!(fresh.iter().all(|message| message["id"].is_null() || message["id"] == "msg_3"), "{fresh:?}");
}

#[test]
fn an_answer_that_is_cut_again_and_again_is_neither_doubled_nor_short() {
    let server = Server::with(&Setting { word_ms: 5, ..Setting::default() });
    let session = server.session("cut");
    let mut chat = session.attached();
    chat.say(&json!({ "text": "tell me a long story" }));
    let (mut all, mut last) = (Vec::new(), 0);
    'turn: for _ in 0..1_000 {
        for _ in 0..3 {
            let message = chat.next();
            let is_end = message["type"] == "done";
            last = seq(&message);
            all.push(message);
            if is_end {
                break 'turn;
            }
        }
        drop(chat);
        chat = session.chat_since(last);
        let hello = chat.next();
        assert!(hello["gap"].is_null(), "{hello}");
    }
    seqs(&all);
    assert_eq!(answer_text(&all, "msg_1"), session.result_of("msg_1")["response"].as_str().unwrap());
}

#[test]
fn from_the_history_the_running_answer_is_followed_without_a_gap() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("history");
    let mut chat = session.attached();
    chat.say(&json!({ "text": json!({ "say": "Before." }).to_string() }));
    chat.until_done("msg_1");
    session.memorized();
    chat.say(&json!({ "text": json!({ "hold": "output", "after": 2, "say": "one two three" }).to_string() }));
    chat.until(|message| message["content"] == "two ");
    let history = session.read("/api/history");
    let shown: Vec<_> = history["messages"].as_array().unwrap().iter().map(|message| (&message["role"], &message["id"])).collect();
    assert_eq!(
        shown,
        [(&json!("user"), &json!("msg_1")), (&json!("assistant"), &json!("msg_1")), (&json!("user"), &json!("msg_2"))],
        "finished turns and the running turn's message"
    );
    let mut reader = session.chat_since(history["seq"].as_u64().unwrap());
    assert_eq!(reader.next()["type"], "controls");
    provider.release(1);
    let rest = reader.until_done("msg_2");
    assert_eq!(answer_text(&rest, "msg_2"), "one two three");
    assert!(rest.iter().all(|message| message["id"].is_null() || message["id"] == "msg_2"), "nothing of what the history holds: {rest:?}");
    let after = session.read("/api/history");
    let mut late = session.chat_since(after["seq"].as_u64().unwrap());
    late.next();
    late.say(&json!({ "text": "{}" }));
    let next = late.until_done("msg_3");
    assert!(
        next.iter().all(|message| message["id"].is_null() || message["id"] == "msg_3"),
        "a finished turn is all in the history: {next:?}"
    );
}

#[test]
fn what_is_no_longer_kept_is_a_gap_and_the_last_two_turns_always_are_kept() {
    let server = Server::start();
    let session = server.session("gap");
    let mut ends = Vec::new();
    let mut chat = session.attached();
    let kept_from = |since: u64| {
        let hello = session.chat_since(since).next();
        (hello["kept_from"].as_u64().unwrap(), hello["gap"] == true)
    };
    // Until the first event of all has left.
    for number in 1.. {
        assert!(number < 2_000, "events leave at some time");
        chat.say(&json!({ "text": "hello" }));
        ends.push(seq(chat.until_done(&format!("msg_{number}")).last().unwrap()));
        if number % 20 == 0 && kept_from(0).1 {
            break;
        }
    }
    session.memorized();
    let (kept, _) = kept_from(0);
    for (since, gap) in
        [(1, true), (kept - 2, true), (kept - 1, false), (kept, false), (ends[ends.len() - 3], false), (ends[ends.len() - 1], false)]
    {
        assert_eq!(kept_from(since), (kept, gap), "since {since}");
    }
    let mut back = session.chat_since(ends[ends.len() - 3]);
    back.next();
    let last = format!("msg_{}", ends.len());
    let told = back.until_done(&last);
    assert_eq!(told.iter().filter(|message| message["type"] == "done").count(), 2);
    let mut behind = session.chat_since(1);
    assert_eq!(behind.next()["gap"], true);
    behind.say(&json!({ "text": "hello" }));
    behind.until_done(&format!("msg_{}", ends.len() + 1));
}

#[test]
fn a_number_that_is_no_number_is_refused_or_left_alone() {
    let server = Server::start();
    for since in ["x", "-1", "", "1.5", "99999999999999999999999"] {
        let mut wire = server.connect();
        wire.send(format!(
            "GET /ws?since={since} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ));
        let status = wire.next(false).unwrap().status;
        assert!([101, 400].contains(&status), "since={since}: {status}");
    }
}

#[test]
fn an_event_stream_goes_on_behind_the_last_event_that_was_seen() {
    let server = Server::start();
    let session = server.session("stream");
    let mut stream = session.events();
    session.ask("hello");
    session.ask("why is the sky blue?");
    let all = stream.until_trace("msg_2");
    let ids: Vec<u64> = all.iter().map(|told| told.id.unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    for at in (0..all.len()).step_by(4).chain([all.len() - 1]) {
        let mut again = session.events_since(ids[at]);
        for expected in &all[at + 1..] {
            assert_eq!(&again.next(), expected, "behind {}", ids[at]);
        }
    }
    let mut fresh = session.events();
    session.ask("hello");
    assert!(fresh.until_trace("msg_3").iter().all(|told| told.id.unwrap() > ids[ids.len() - 1]), "without it only what is new is told");
}

#[test]
fn a_stream_that_is_cut_in_the_middle_of_an_answer_loses_nothing() {
    let server = Server::with(&Setting { word_ms: 5, ..Setting::default() });
    let session = server.session("stream-cut");
    let mut stream = session.events();
    session.send("tell me a long story");
    let (mut text, mut last) = (String::new(), 0);
    'turn: for _ in 0..1_000 {
        for _ in 0..4 {
            let told = stream.next();
            assert!(told.id.unwrap() > last, "no event twice");
            last = told.id.unwrap();
            if told.event["event"] == "streaming" {
                text.push_str(told.event["text"].as_str().unwrap());
            }
            if told.event["event"] == "frame_trace" {
                break 'turn;
            }
        }
        drop(stream);
        stream = session.events_since(last);
    }
    assert_eq!(text, session.result_of("msg_1")["response"].as_str().unwrap());
}

#[test]
fn numbers_rise_through_clears_and_switches() {
    let server = Server::start();
    let session = server.session("rising");
    let mut chat = session.attached();
    let mut all = Vec::new();
    for (id, graph) in [("msg_1", "v1-direct"), ("msg_2", "v3-framed")] {
        chat.say(&json!({ "text": "hello" }));
        all.extend(chat.until_done(id));
        session.post("/api/clear", &json!({}));
        all.extend(chat.until(|message| message["type"] == "controls" && message["controls"] == json!([])));
        session.post("/api/graph/switch", &json!({ "name": graph }));
        all.extend(chat.until(|message| message["type"] == "cleared"));
        all.extend(chat.until(|message| message["type"] == "controls"));
    }
    seqs(&all);
}
