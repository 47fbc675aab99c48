//! The chat socket: what it says, in which order, and what it refuses.

use crate::support::{PATIENCE, Provider, Server, WebSocket, answer_text, eventually, seqs};
use serde_json::{Value, json};
use tungstenite::Message;

/// Every message of the chat socket has one of these shapes and nothing else.
fn is_of_the_contract(message: &Value) {
    let fields: Vec<&str> = message.as_object().unwrap().keys().map(String::as_str).collect();
    let (needed, allowed): (&[&str], &[&str]) = match message["type"].as_str().unwrap() {
        "delta" => (&["type", "id", "content", "seq"], &["kind", "client_id"]),
        "controls" => (&["type", "controls", "seq"], &["kept_from", "gap"]),
        "done" if message["refused"] == true => (&["type", "refused", "error", "code"], &["client_id"]),
        "done" => (&["type", "id", "seq"], &["error", "cancelled", "client_id"]),
        "cleared" => (&["type", "seq"], &[]),
        other => panic!("an unknown type `{other}`: {message}"),
    };
    assert!(needed.iter().all(|name| fields.contains(name)), "{needed:?} are missing in {message}");
    assert!(fields.iter().all(|name| needed.contains(name) || allowed.contains(name)), "more than the contract has: {message}");
}

/// The code of the refusal that comes next.
fn is_refused(chat: &mut WebSocket) -> String {
    let refusal = chat.next();
    is_of_the_contract(&refusal);
    assert_eq!((&refusal["type"], &refusal["refused"]), (&json!("done"), &json!(true)), "{refusal}");
    assert!(refusal["error"].as_str().unwrap().contains(' '), "a refusal is a sentence too: {refusal}");
    refusal["code"].as_str().unwrap().to_owned()
}

#[test]
fn a_socket_is_told_the_controls_and_the_last_number_when_it_attaches() {
    let server = Server::start();
    let session = server.session("hello");
    let hello = session.chat().next();
    is_of_the_contract(&hello);
    assert_eq!((&hello["type"], &hello["controls"], &hello["seq"]), (&json!("controls"), &json!([]), &json!(0)));
    assert!(hello["kept_from"].is_u64() && hello["gap"].is_null(), "{hello}");
    let mut chat = session.attached();
    chat.say(&json!({ "text": "hello" }));
    let last = chat.until_done("msg_1").last().unwrap()["seq"].as_u64().unwrap();
    session.memorized();
    let (first, second) = (session.chat().next(), session.chat().next());
    assert!(first["seq"].as_u64().unwrap() >= last, "{first}");
    assert_eq!(first["seq"], second["seq"], "attaching uses up no number");
}

#[test]
fn an_answer_comes_in_pieces_with_rising_numbers_and_ends_once() {
    let server = Server::start();
    let session = server.session("pieces");
    let mut chat = session.attached();
    for (number, message) in [
        json!({ "text": "hello" }),
        json!({ "type": "message", "text": "why is the sky blue?" }),
        json!({ "text": "what did I say before?", "dashboard": [{ "type": "button", "label": "Red", "action": "red", "source": "thinker" }] }),
        json!({ "text": "hello", "dashboard": [] }),
        json!({ "text": "hello", "more": "is left alone" }),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("msg_{}", number + 1);
        chat.say(&message);
        let messages = chat.until_done(&id);
        messages.iter().for_each(is_of_the_contract);
        seqs(&messages);
        let others: Vec<_> = messages.iter().filter(|message| message["id"].is_string() && message["id"] != id).collect();
        assert!(others.is_empty(), "all of it belongs to {id}: {others:?}");
        let done = messages.last().unwrap();
        assert!(done["error"].is_null() && done["cancelled"].is_null(), "{done}");
        let result = session.result();
        assert_eq!((&result["id"], &result["response"]), (&json!(id), &json!(answer_text(&messages, &id))), "{message}");
        assert!(!answer_text(&messages, &id).trim().is_empty());
    }
    assert_eq!(session.messages().len(), 10);
}

#[test]
fn the_dashboard_reaches_the_model() {
    let provider = Provider::start();
    let server = provider.server();
    let mut chat = server.session("dashboard").attached();
    chat.say(&json!({ "text": "{}", "dashboard": [{ "type": "value", "label": "Altitude", "value": 4711 }] }));
    chat.until_done("msg_1");
    let asked = provider.asked_of("director");
    assert!(asked[0].to_string().contains("4711"), "{}", asked[0]);
}

#[test]
fn what_can_not_be_taken_is_refused_to_its_sender_alone_and_the_socket_stays_open() {
    let server = Server::start();
    let session = server.session("refusals");
    let (mut chat, mut other) = (session.attached(), session.attached());
    let wrong = [
        ("", "invalid_json"),
        (" ", "invalid_json"),
        ("hello", "invalid_json"),
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ("[{\"text\":\"hello\"}]", "invalid_json"),
        ("1", "invalid_json"),
        ("null", "invalid_json"),
        ("true", "invalid_json"),
        ("\"text\"", "invalid_json"),
        ("{}", "message_missing"),
        (r#"{"text":""}"#, "message_blank"),
        (r#"{"text":" \t\n"}"#, "message_blank"),
        (r#"{"text":1}"#, "message_missing"),
        (r#"{"text":null}"#, "message_missing"),
        (r#"{"text":{}}"#, "message_missing"),
        (r#"{"text":"hello","dashboard":"red"}"#, "invalid_parameter"),
        (r#"{"text":"hello","dashboard":{}}"#, "invalid_parameter"),
        (r#"{"text":"hello","id":1}"#, "invalid_client_id"),
        (r#"{"text":"hello","id":""}"#, "invalid_client_id"),
        (r#"{"text":"hello","id":"a b"}"#, "invalid_client_id"),
        (r#"{"type":"nothing"}"#, "unknown_type"),
        (r#"{"type":"nothing","text":"hello"}"#, "unknown_type"),
        (r#"{"type":1,"text":"hello"}"#, "unknown_type"),
        (r#"{"type":"Message","text":"hello"}"#, "unknown_type"),
        (r#"{"type":"done","id":"msg_1"}"#, "unknown_type"),
        (r#"{"type":"clear"}"#, "unknown_type"),
        (r#"{"type":"message"}"#, "message_missing"),
        (r#"{"type":"action"}"#, "invalid_parameter"),
        (r#"{"type":"action","action":""}"#, "invalid_parameter"),
        (r#"{"type":"action","action":7}"#, "invalid_parameter"),
        (r#"{"type":"action","action":"gone"}"#, "stale_control"),
        (r#"{"type":"action","action":"gone","source":"machine:none"}"#, "stale_control"),
        (r#"{"type":"action","action":"gone","source":1}"#, "invalid_parameter"),
        (r#"{"type":"cancel_process"}"#, "invalid_parameter"),
        (r#"{"type":"cancel_process","pid":"1"}"#, "invalid_parameter"),
        (r#"{"type":"cancel_process","pid":-1}"#, "invalid_parameter"),
    ];
    for (message, code) in wrong {
        chat.send(Message::text(message));
        assert_eq!(is_refused(&mut chat), code, "{message}");
    }
    chat.send(Message::binary(&b"{\"text\":\"hello\"}"[..]));
    assert_eq!(is_refused(&mut chat), "message_binary");
    assert_eq!(session.read("/api/poll")["hash"], "no_session", "none of this began a session");
    // What there is nothing to do about is no mistake.
    chat.say(&json!({ "type": "stop" }));
    chat.say(&json!({ "type": "cancel_process", "pid": 99 }));
    chat.say(&json!({ "text": "hello" }));
    let messages = chat.until_done("msg_1");
    assert!(messages.iter().all(|message| message["refused"].is_null()), "{messages:?}");
    assert_eq!(other.until_done("msg_1"), messages, "the other socket has seen the turn and nothing else");
}

#[test]
fn messages_that_come_while_a_turn_runs_wait_in_their_order() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("queue");
    let (mut first, mut second) = (session.attached(), session.attached());
    first.say(&json!({ "text": json!({ "hold": "output" }).to_string() }));
    provider.holds(1);
    for number in 2..=5 {
        let from = if number % 2 == 0 { &mut first } else { &mut second };
        from.say(&json!({ "text": json!({ "say": format!("This is number {number}.") }).to_string() }));
    }
    provider.release(1);
    let messages = first.until_done("msg_5");
    let order: Vec<&str> = messages.iter().filter(|message| message["type"] == "done").map(|done| done["id"].as_str().unwrap()).collect();
    assert_eq!(order, ["msg_1", "msg_2", "msg_3", "msg_4", "msg_5"]);
    let mut said: Vec<&str> =
        messages.iter().filter(|message| message["type"] == "delta").map(|delta| delta["id"].as_str().unwrap()).collect();
    said.dedup();
    assert_eq!(said, order, "no answer begins before the one before has ended");
    let texts: Vec<String> = (2..=5).map(|number| answer_text(&messages, &format!("msg_{number}"))).collect();
    let mut sorted = texts.clone();
    sorted.sort();
    assert_eq!(sorted, ["This is number 2.", "This is number 3.", "This is number 4.", "This is number 5."]);
    assert_eq!(seqs(&second.until_done("msg_5")), seqs(&messages), "both sockets see the same");
}

#[test]
fn eight_may_wait_and_the_ninth_is_refused() {
    let provider = Provider::start();
    let server = provider.server();
    let mut chat = server.session("nine").attached();
    chat.say(&json!({ "text": json!({ "hold": "input" }).to_string() }));
    provider.holds(1);
    for number in 1..=9 {
        chat.say(&json!({ "text": json!({ "say": format!("waiting {number}") }).to_string() }));
    }
    assert_eq!(is_refused(&mut chat), "queue_full");
    provider.release(1);
    let messages = chat.until_done("msg_9");
    assert_eq!(messages.iter().filter(|message| message["type"] == "done").count(), 9);
    assert_eq!(answer_text(&messages, "msg_9"), "waiting 8");
    chat.say(&json!({ "text": "{}" }));
    chat.until_done("msg_10");
}

#[test]
fn a_turn_runs_to_its_end_with_nobody_connected() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("left-alone");
    let mut chat = session.attached();
    chat.say(&json!({ "text": json!({ "hold": "output", "after": 1, "say": "All of it is there." }).to_string() }));
    provider.holds(1);
    drop(chat);
    eventually("the socket to be gone", || (session.read("/api/state")["ws_connected"] == false).then_some(()));
    provider.release(1);
    let result = session.result_of("msg_1");
    assert_eq!((&result["status"], &result["response"]), (&json!("done"), &json!("All of it is there.")));
    assert_eq!(session.messages().len(), 2);
}

#[test]
fn pings_are_answered_and_a_goodbye_is_returned() {
    let server = Server::start();
    for path in ["/ws", "/ws/trace", "/ws/test"] {
        let mut socket = WebSocket::open(server.address, path);
        socket.send(Message::Ping(b"are you there".to_vec().into()));
        let pong = loop {
            match socket.next_message() {
                Message::Pong(bytes) => break bytes,
                Message::Text(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(&pong[..], b"are you there", "{path}");
        socket.close();
    }
}

#[test]
fn a_handshake_that_is_none_is_refused_over_http() {
    let server = Server::start();
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    for (name, lines, statuses) in [
        ("no upgrade", vec![], [400, 426]),
        ("no version", vec!["Upgrade: websocket", "Connection: Upgrade", key], [400, 426]),
        ("an old version", vec!["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 8", key], [400, 426]),
        ("no key", vec!["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"], [400, 400]),
        (
            "a short key",
            vec!["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhl"],
            [400, 400],
        ),
        ("another protocol", vec!["Upgrade: h2c", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key], [400, 426]),
        ("no connection upgrade", vec!["Upgrade: websocket", "Connection: keep-alive", "Sec-WebSocket-Version: 13", key], [400, 426]),
    ] {
        for path in ["/ws", "/ws/trace", "/ws/test"] {
            let mut wire = server.connect();
            let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            wire.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n"));
            let answer = wire.answer();
            assert!(statuses.contains(&answer.status), "{name} on {path}: {}", answer.status);
            answer.detail();
        }
    }
}

#[test]
fn a_message_that_comes_with_the_handshake_is_not_lost() {
    let server = Server::start();
    // The frame of `{"text":"hello"}`, masked with zeros, in one piece with the request: on whichever shard it arrives.
    let frame = |text: &str| [&[0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0], text.as_bytes()].concat();
    for number in 0..12 {
        let session = server.session(&format!("eager-{number}"));
        let mut wire = server.connect();
        let head = format!(
            "GET /ws?session=eager-{number} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        wire.send([head.as_bytes(), &frame(r#"{"text":"hello"}"#)].concat());
        assert_eq!(wire.next(false).unwrap().status, 101);
        assert_eq!(session.result_of("msg_1")["status"], "done", "within {PATIENCE:?}");
    }
}
