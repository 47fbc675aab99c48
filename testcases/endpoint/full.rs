//! A server that is full: nobody fills it with nothing, and those that nobody uses make room.

use crate::support::http::Wire;
use crate::support::{Conversation, Provider, Server, eventually, in_parallel, request};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A server of one shard with these settings.
fn server(options: &[&str]) -> Server {
    Server::of(&[&["serve", "--shards", "1", "--listen", "127.0.0.1:0"], options].concat(), &[])
}

fn is_open(session: &Conversation) -> bool {
    session.read("/api/poll")["hash"] != "no_session"
}

/// So many requests on one connection, a hundred at a time; each is answered with 200.
fn flood(address: SocketAddr, count: usize, bytes: impl Fn(usize) -> Vec<u8>) {
    let mut wire = Wire::open(address);
    let numbers: Vec<usize> = (0..count).collect();
    for batch in numbers.chunks(100) {
        wire.send(batch.iter().flat_map(|number| bytes(*number)).collect::<Vec<_>>());
        for number in batch {
            let answer = wire.answer();
            assert_eq!(answer.status, 200, "request {number}: {}", answer.text());
        }
    }
}

#[test]
fn ten_thousand_clears_open_no_session_and_refuse_nobody() {
    let server = server(&["--sessions", "4"]);
    let session = server.session("real");
    session.ask("hello");
    in_parallel(0..4, |part| {
        flood(server.address, 2_500, |number| request("POST", &format!("/api/clear?session=n{part}-{number}"), None));
    });
    for name in ["n0-0", "n1-1249", "n3-2499"] {
        assert!(!is_open(&server.session(name)), "{name}");
    }
    assert_eq!(session.messages().len(), 2, "nobody had to make room");
    for name in ["b", "c", "d"] {
        server.session(name).ask("hello");
    }
    assert_eq!(session.messages().len(), 2, "four fit");
}

#[test]
fn calls_that_start_nothing_open_no_session() {
    let server = server(&["--sessions", "1"]);
    let session = server.session("real");
    session.ask("hello");
    let other = server.session("other");
    let mut chat = other.attached();
    chat.say(&json!({ "type": "stop" }));
    chat.say(&json!({ "type": "cancel_process", "pid": 1 }));
    for path in ["/api/send/check", "/api/stop", "/api/clear"] {
        assert_eq!(other.call("POST", path, None).status, 200, "{path}");
    }
    assert_eq!(other.post("/api/cancel", &json!({ "pid": 1 })), json!({ "status": "ok" }));
    other.read("/api/graph/prompt?node=input");
    drop((other.events(), other.tracing()));
    assert!(!is_open(&other) && is_open(&session));
}

#[test]
fn session_unused_longest_makes_room() {
    let provider = Provider::start();
    let server = server(&["--durability", "none", "--sessions", "4", "--llm-url", &provider.url(), "--model", "puppet"]);
    let named = |name: &str| server.session(name);
    let (watched, running) = (named("watched"), named("running"));
    watched.ask("{}");
    watched.memorized();
    let mut chat = watched.attached();
    running.send(&json!({ "hold": "output" }).to_string());
    provider.holds(1);
    for name in ["first", "second", "first", "third"] {
        named(name).ask("{}");
        named(name).memorized();
    }
    let open: Vec<bool> = ["watched", "running", "first", "second", "third"].iter().map(|name| is_open(&named(name))).collect();
    assert_eq!(open, [true, true, true, false, true], "of those that nobody needs the one unused longest has left");
    // Nobody can leave now.
    let _watching = [named("first").attached(), named("third").attached()];
    for (path, body) in [("/api/send", json!({ "text": "{}" })), ("/api/graph/switch", json!({ "name": "v1-direct" }))] {
        let refused = named("late").call("POST", path, Some(&body));
        assert_eq!((refused.status, &*refused.code()), (503, "sessions_full"), "{path}");
    }
    let mut late = named("late").attached();
    late.say(&json!({ "text": "{}", "id": "mine" }));
    let refusal = late.next();
    assert_eq!((&refusal["code"], &refusal["client_id"]), (&json!("sessions_full"), &json!("mine")), "{refusal}");
    chat.say(&json!({ "text": "{}" }));
    assert!(chat.until_done("msg_2").last().unwrap()["error"].is_null(), "who is there goes on");
    provider.release(1);
    running.result_of("msg_1");
    running.memorized();
    late.say(&json!({ "text": "{}", "id": "mine" }));
    late.until_done("msg_1");
    assert!(!is_open(&running), "it has ended and nobody watches it");
}

#[test]
fn histories_and_events_keep_to_their_budget() {
    let provider = Provider::start();
    let server = server(&["--durability", "none", "--session-bytes", "1048576", "--llm-url", &provider.url(), "--model", "puppet"]);
    let text = json!({ "filler": "x".repeat(20_000) }).to_string();
    let sessions: Vec<Conversation> = (0..40).map(|number| server.session(&format!("large-{number}"))).collect();
    for session in &sessions {
        session.ask(&text);
        session.memorized();
    }
    let open: Vec<bool> = sessions.iter().map(is_open).collect();
    assert!(!open[0] && open[39], "the oldest make room for the latest: {open:?}");
    assert!(open.is_sorted(), "in the order of their use: {open:?}");
    assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
    sessions[0].ask("{}");
}

/// A request whose body is to be larger than this part of it.
fn large(bytes: usize) -> String {
    format!(
        "POST /api/test/status HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{{\"a\":\"{}",
        1 << 20,
        "x".repeat(bytes)
    )
}

fn has_an_answer(wire: &Wire) -> bool {
    wire.stream.set_nonblocking(true).unwrap();
    let peeked = wire.stream.peek(&mut [0]);
    wire.stream.set_nonblocking(false).unwrap();
    peeked.is_ok()
}

#[test]
fn requests_in_flight_keep_to_their_budget() {
    let server = server(&["--request-bytes", "2097152"]);
    let half = 900 << 10;
    let mut wires: Vec<Wire> = (0..3).map(|_| server.connect()).collect();
    wires.iter_mut().for_each(|wire| wire.send(large(half)));
    // Two fit. Whichever comes last finds no room.
    let refused = eventually("a refusal", || wires.iter().position(has_an_answer));
    let refusal = wires.remove(refused).answer();
    assert_eq!((refusal.status, &*refusal.code()), (503, "memory_full"));
    assert_eq!(server.connect().ask("GET", "/health", None).status, 200, "small requests go on");
    let rest = (1 << 20) - half - r#"{"a":""#.len() - 2;
    for wire in &mut wires {
        wire.send(format!("{}\"}}", "x".repeat(rest)));
        assert_eq!(wire.answer().code(), "invalid_report", "a connection that had room is served to the end");
    }
    let mut again = server.connect();
    again.send(large(half));
    again.send(format!("{}\"}}", "x".repeat(rest)));
    assert_eq!(again.answer().status, 400, "room is given back");
    let told: Value = server.connect().ask("GET", "/api/test/status", None).json();
    assert_eq!(told["running"], false);
}
