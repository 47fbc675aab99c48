//! Named messages: sent again, whichever way, one starts nothing and gets the turn that it already has.

use crate::support::{Conversation, Provider, Server, WebSocket, eventually};
use serde_json::{Value, json};

fn say(text: &Value, id: &str) -> Value {
    json!({ "text": text.to_string(), "id": id })
}

/// Sends a message under a name, in the body or in the header.
fn send(session: &Conversation, text: &str, id: &str, in_header: bool) -> Value {
    let (header, body) = match in_header {
        true => (format!("Idempotency-Key: {id}\r\n"), json!({ "text": text })),
        false => (String::new(), json!({ "text": text, "id": id })),
    };
    post(session, "/api/send", &header, &body).1
}

/// Posts a body with these lines in its head; status and answer.
fn post(session: &Conversation, path: &str, header: &str, body: &Value) -> (u16, Value) {
    let (target, body) = (session.target(path), body.to_string());
    let mut wire = crate::support::http::Wire::open(session.address);
    let length = body.len();
    wire.send(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{header}Content-Length: {length}\r\n\r\n{body}"
    ));
    let answer = wire.answer();
    (answer.status, answer.json())
}

fn acknowledgement(turn: &str, id: &str) -> Value {
    json!({ "type": "delta", "id": turn, "content": "", "client_id": id })
}

/// Sees to it that nothing else was sent to a socket: what is refused there comes behind everything before.
fn has_seen_nothing_more(chat: &mut WebSocket) {
    chat.say(&json!({ "type": "nothing" }));
    let next = chat.next();
    assert_eq!(next["code"], "unknown_type", "{next}");
}

fn without_seq(mut message: Value) -> Value {
    assert!(message.as_object_mut().unwrap().remove("seq").is_some_and(|seq| seq.is_u64()), "{message}");
    message
}

#[test]
fn resent_message_gets_its_turn_whichever_way_it_comes() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("again");
    let (mut chat, mut other) = (session.attached(), session.attached());
    let message = say(&json!({ "say": "once" }), "tab-1:a.b_c");
    chat.say(&message);
    let seen = chat.until_done("msg_1");
    assert_eq!(without_seq(seen[0].clone()), acknowledgement("msg_1", "tab-1:a.b_c"), "the first thing that anyone sees of it");
    assert_eq!(seen.last().unwrap()["client_id"], "tab-1:a.b_c");
    assert_eq!(other.until_done("msg_1"), seen);
    session.memorized();
    let calls = provider.asked();

    let done = json!({ "type": "done", "id": "msg_1", "client_id": "tab-1:a.b_c" });
    for again in [&message, &json!({ "type": "message", "text": "something else", "id": "tab-1:a.b_c" })] {
        chat.say(again);
        assert_eq!([chat.next(), chat.next()], [acknowledgement("msg_1", "tab-1:a.b_c"), done.clone()], "without `seq`: {again}");
    }
    let queued = json!({ "status": "queued", "id": "msg_1", "client_id": "tab-1:a.b_c" });
    for in_header in [false, true] {
        assert_eq!(send(&session, "{}", "tab-1:a.b_c", in_header), queued, "in the header: {in_header}");
    }
    assert_eq!(session.post("/api/action", &json!({ "action": "none", "id": "tab-1:a.b_c" })), queued);
    has_seen_nothing_more(&mut chat);
    has_seen_nothing_more(&mut other);
    assert_eq!((session.messages().len(), provider.asked()), (2, calls), "nothing was started");
    for (number, in_header) in [(2, false), (3, true)] {
        let (id, turn) = (format!("next-{number}"), format!("msg_{number}"));
        assert_eq!(send(&session, "{}", &id, in_header), json!({ "status": "queued", "id": turn, "client_id": id }));
        session.result_of(&turn);
    }
    let other_session = server.session("another");
    assert_eq!(send(&other_session, "{}", "tab-1:a.b_c", false)["id"], "msg_1");
    assert_eq!(other_session.result_of("msg_1")["status"], "done", "a name belongs to its session");
}

#[test]
fn resent_message_is_acknowledged_while_its_turn_runs_or_waits() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("busy");
    let mut chat = session.attached();
    chat.say(&say(&json!({ "hold": "input" }), "runs"));
    chat.say(&say(&json!({ "say": "second" }), "waits"));
    provider.holds(1);
    let seen: Vec<Value> = chat.until(|message| message["client_id"] == "waits").into_iter().map(without_seq).collect();
    assert_eq!(seen, [acknowledgement("msg_1", "runs"), acknowledgement("msg_2", "waits")]);
    for (turn, id) in [("msg_1", "runs"), ("msg_2", "waits"), ("msg_1", "runs")] {
        chat.say(&say(&json!({}), id));
        assert_eq!(chat.next(), acknowledgement(turn, id), "no `done` before the turn has ended");
        assert_eq!(send(&session, "{}", id, true), json!({ "status": "queued", "id": turn, "client_id": id }), "never 409");
    }
    let (status, refusal) = post(&session, "/api/send", "", &json!({ "text": "{}", "id": "new" }));
    assert_eq!((status, &refusal["code"]), (409, &json!("session_busy")), "{refusal}");
    provider.release(1);
    let seen = chat.until_done("msg_2");
    let ends: Vec<_> = seen.iter().filter(|message| message["type"] == "done").map(|done| (&done["id"], &done["client_id"])).collect();
    assert_eq!(ends, [(&json!("msg_1"), &json!("runs")), (&json!("msg_2"), &json!("waits"))]);
    assert_eq!(send(&session, "{}", "new", false)["id"], "msg_3", "what was refused has no name");
}

#[test]
fn name_outlives_clear_and_switch_and_tells_how_its_turn_ended() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("outlives");
    let mut chat = session.attached();
    chat.say(&say(&json!({ "say": "answered" }), "first"));
    chat.until_done("msg_1");
    chat.say(&say(&json!({ "hold": "output" }), "cut"));
    provider.holds(1);
    session.post("/api/clear", &json!({}));
    let cancelled = chat.until_done("msg_2").pop().unwrap();
    assert_eq!((&cancelled["client_id"], &cancelled["cancelled"]), (&json!("cut"), &json!(true)));
    chat.until(|message| message["type"] == "controls");
    let is_known = |chat: &mut WebSocket| {
        chat.say(&say(&json!({}), "first"));
        assert_eq!(
            [chat.next(), chat.next()],
            [acknowledgement("msg_1", "first"), json!({ "type": "done", "id": "msg_1", "client_id": "first" })]
        );
        chat.say(&say(&json!({}), "cut"));
        assert_eq!(
            [chat.next(), chat.next()],
            [acknowledgement("msg_2", "cut"), json!({ "type": "done", "id": "msg_2", "client_id": "cut", "cancelled": true })]
        );
    };
    is_known(&mut chat);
    session.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
    chat.until(|message| message["type"] == "controls");
    is_known(&mut chat);
    is_known(&mut session.attached());
    assert_eq!(session.messages(), [] as [Value; 0], "nothing was started");
}

#[test]
fn name_is_known_after_199_others_and_forgotten_at_some_time() {
    let server = Server::start();
    let session = server.session("many");
    let named = |number: usize| {
        let turn = send(&session, "hello", &format!("n-{number}"), false)["id"].as_str().unwrap().to_owned();
        eventually("the end of the last turn", || (session.result()["status"] == "done").then_some(()));
        turn
    };
    (0..200).for_each(|number| assert_eq!(named(number), format!("msg_{}", number + 1)));
    assert_eq!(named(0), "msg_1", "the last 200 are remembered");
    (200..220).for_each(|number| assert_eq!(named(number), format!("msg_{}", number + 1)));
    assert_eq!(named(0), "msg_221", "the memory of names has a bound");
    assert_eq!(named(219), "msg_220");
}

#[test]
fn client_id_is_shown_wherever_the_turn_is() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("shown");
    let (mut events, mut chat) = (session.events(), session.attached());
    chat.say(&json!({ "text": json!({ "hold": "output" }).to_string(), "id": "mine" }));
    provider.holds(1);
    let running = session.result();
    assert_eq!((&running["status"], &running["client_id"]), (&json!("running"), &json!("mine")), "{running}");
    assert_eq!(session.messages()[0]["client_id"], "mine", "in the history while it runs");
    provider.release(1);
    chat.until_done("msg_1");
    assert_eq!(session.result()["client_id"], "mine");
    let messages = session.messages();
    assert_eq!((&messages[0]["client_id"], messages[1].get("client_id")), (&json!("mine"), None), "the user's message has it");
    let turn = session.read("/api/turn?id=msg_1");
    assert_eq!(turn["trace"]["client_id"], "mine", "{turn}");
    assert_eq!(session.trace_of("msg_1")["client_id"], "mine");
    let told = events.until_trace("msg_1");
    let started = &told.iter().find(|told| told.event["event"] == "turn_started").unwrap().event;
    assert_eq!((&started["client_id"], &started["entry"]), (&json!("mine"), &json!("message")));
    assert_eq!(started["message"], json!({ "hold": "output" }).to_string());
    assert_eq!(told.last().unwrap().event["trace"]["client_id"], "mine");
    chat.say(&json!({ "text": " ", "id": "refused" }));
    let refusal = chat.next();
    assert_eq!((&refusal["code"], &refusal["client_id"]), (&json!("message_blank"), &json!("refused")), "{refusal}");
    chat.say(&json!({ "text": "{}" }));
    let unnamed = Value::from(chat.until_done("msg_2")).to_string();
    assert!(!unnamed.contains("client_id"), "a message without a name has none anywhere: {unnamed}");
    for place in ["/api/result", "/api/turn?id=msg_2"] {
        assert!(!session.read(place).to_string().contains("client_id"), "{place}");
    }
}

#[test]
fn invalid_client_ids_are_refused() {
    let server = Server::start();
    let session = server.session("odd");
    let longest = "a".repeat(64);
    let too_long = "a".repeat(65);
    for id in [json!(""), json!("a b"), json!("ä"), json!("a/b"), json!("a\n"), json!(too_long), json!(7), json!({}), json!([])] {
        for (path, body) in [("/api/send", json!({ "text": "hello", "id": id })), ("/api/action", json!({ "action": "a", "id": id }))] {
            let (status, refusal) = post(&session, path, "", &body);
            assert_eq!((status, &refusal["code"]), (400, &json!("invalid_client_id")), "{path} {id}: {refusal}");
        }
    }
    for id in ["a b", "a/b", &*too_long] {
        let (status, refusal) = post(&session, "/api/send", &format!("Idempotency-Key: {id}\r\n"), &json!({ "text": "hello" }));
        assert_eq!((status, &refusal["code"]), (400, &json!("invalid_client_id")), "{id}: {refusal}");
    }
    assert_eq!(session.read("/api/poll")["hash"], "no_session");
    assert_eq!(send(&session, "hello", &longest, true)["client_id"], *longest);
}

#[test]
fn client_without_a_socket_uses_controls_stops_turns_and_cancels_calls() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("no-socket");
    let button = json!([{ "tool": "emit_actions", "args": { "actions": [{ "label": "Red", "action": "red" }] } }]);
    session.ask(&json!({ "tools": button }).to_string());
    let queued = session.post("/api/action", &json!({ "action": "red", "source": "thinker", "data": { "tools": button }, "id": "press" }));
    assert_eq!(queued, json!({ "status": "queued", "id": "msg_2", "client_id": "press" }));
    session.result_of("msg_2");
    let trace = session.trace_of("msg_2");
    assert_eq!((&trace["path"], &trace["client_id"]), (&json!("action"), &json!("press")));
    assert_eq!(session.post("/api/action", &json!({ "action": "red", "id": "press" }))["id"], "msg_2", "pressed once");
    for (body, expected) in [
        (json!({ "action": "blue" }), (409, "stale_control")),
        (json!({ "action": "red", "source": "machine:none" }), (409, "stale_control")),
        (json!({}), (400, "invalid_parameter")),
    ] {
        let (status, refusal) = post(&session, "/api/action", "", &body);
        assert_eq!((status, refusal["code"].as_str().unwrap()), expected, "{body}");
    }

    let (ok, held) = (json!({ "status": "ok" }), json!({ "hold": "output", "after": 1, "say": "one two" }).to_string());
    assert_eq!(session.call("POST", "/api/stop", None).json(), ok, "nothing runs, and that is no mistake");
    assert_eq!(session.post("/api/cancel", &json!({ "pid": 99 })), ok);
    let (status, refusal) = post(&session, "/api/cancel", "", &json!({ "pid": "1" }));
    assert_eq!((status, &refusal["code"]), (400, &json!("invalid_parameter")));
    for turn in ["msg_3", "msg_4"] {
        session.send(&held);
        provider.holds(1);
        let (status, refusal) = post(&session, "/api/action", "", &json!({ "action": "red" }));
        assert_eq!((status, &refusal["code"]), (409, &json!("session_busy")), "{refusal}");
        let ended = if turn == "msg_3" {
            session.call("POST", "/api/stop", None).json()
        } else {
            let pid = session.read("/api/state")["processes"][0]["pid"].clone();
            session.post("/api/cancel", &json!({ "pid": pid }))
        };
        assert_eq!(ended, ok);
        session.result_of(turn);
        assert_eq!(session.trace_of(turn)["status"], "cancelled", "{turn}");
        provider.hung_up(if turn == "msg_3" { 1 } else { 2 });
    }
}
