//! What is too large, and what is refused while its client still writes: everyone can read why.

use crate::support::http::Wire;
use crate::support::{PATIENCE, Server, Setting, eventually};
use serde_json::json;
use std::net::TcpStream;
use tungstenite::Message;

const LIMIT: usize = 256 << 10;
/// Much more than the system holds of what nobody reads.
const MUCH: usize = 16 << 20;

/// A message of so many bytes, whole.
fn message(bytes: usize, id: &str) -> String {
    let around = json!({ "text": "", "id": id }).to_string().len();
    json!({ "text": "x".repeat(bytes - around), "id": id }).to_string()
}

#[test]
fn messages_up_to_the_limit_are_taken_whichever_way_they_come() {
    let server = Server::start();
    let session = server.session("large");
    let mut chat = session.attached();
    for (number, bytes) in [(1, 65 << 10), (2, 200 << 10), (3, LIMIT)] {
        let turn = format!("msg_{number}");
        chat.send(Message::text(message(bytes, &turn)));
        assert!(chat.until_done(&turn).last().unwrap()["error"].is_null(), "{bytes} bytes");
    }
    let body = serde_json::from_str(&message(LIMIT, "http")).unwrap();
    assert_eq!(session.post("/api/send", &body)["id"], "msg_4");
}

#[test]
fn message_beyond_the_limit_is_refused_on_an_open_socket() {
    let server = Server::start();
    let session = server.session("larger");
    let mut chat = session.attached();
    for bytes in [LIMIT + 1, 1 << 20] {
        chat.send(Message::text(message(bytes, "mine")));
        let refusal = chat.next();
        assert_eq!((&refusal["refused"], &refusal["code"]), (&json!(true), &json!("message_too_large")), "{refusal}");
        assert_eq!(refusal["client_id"], "mine", "so that its client knows which");
    }
    let answer = session.call("POST", "/api/send", Some(&serde_json::from_str(&message(LIMIT + 1, "http")).unwrap()));
    assert_eq!((answer.status, &*answer.code()), (413, "message_too_large"), "the same over HTTP");
    chat.say(&json!({ "text": "hello" }));
    chat.until_done("msg_1");
}

#[test]
fn limit_of_messages_is_a_setting() {
    let server = Server::with(&Setting { options: &["--message-bytes", "2000"], ..Setting::default() });
    let mut chat = server.session("small").attached();
    chat.send(Message::text(message(2_001, "mine")));
    assert_eq!(chat.next()["code"], "message_too_large");
    chat.send(Message::text(message(2_000, "mine")));
    chat.until_done("msg_1");
}

#[test]
fn frame_over_1_mib_closes_with_1009_that_a_writing_client_can_read() {
    let server = Server::start();
    let session = server.session("endless");
    for bytes in [2 << 20, MUCH] {
        let mut chat = session.attached();
        // Writes all of it, and finds no broken pipe.
        chat.send(Message::text("x".repeat(bytes)));
        let farewell = chat.farewell().expect("a reason");
        assert_eq!(u16::from(farewell.code), 1009, "{farewell:?}");
    }
    assert_eq!(session.ask("hello")["id"], "msg_1");
}

#[test]
fn fragments_over_1_mib_close_with_1009_too() {
    let server = Server::start();
    let address = server.address;
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut socket, _) = tungstenite::client(format!("ws://{address}/ws"), stream).unwrap();
    use tungstenite::protocol::frame::Frame;
    use tungstenite::protocol::frame::coding::{Data, OpCode};
    for number in 0..64 {
        let code = if number == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message("x".repeat(64 << 10), OpCode::Data(code), false);
        socket.send(Message::Frame(frame)).unwrap();
    }
    let code = loop {
        if let Message::Close(frame) = socket.read().unwrap() {
            break frame.map(|frame| u16::from(frame.code));
        }
    };
    assert_eq!(code, Some(1009));
}

#[test]
fn client_that_still_writes_can_read_why_it_was_refused() {
    let server = Server::start();
    let json = "Host: localhost\r\nContent-Type: application/json\r\n";
    for (name, head, status, code) in [
        ("a body too large", format!("POST /api/send HTTP/1.1\r\n{json}Content-Length: {MUCH}\r\n\r\n"), 413, "body_too_large"),
        ("a head too large", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Filler: ".to_owned(), 431, "head_too_large"),
        (
            "two lengths",
            format!("POST /api/send HTTP/1.1\r\n{json}Content-Length: {MUCH}\r\nContent-Length: 7\r\n\r\n"),
            400,
            "bad_request",
        ),
        ("a broken chunk", format!("POST /api/send HTTP/1.1\r\n{json}Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400, "bad_request"),
        ("an unknown coding", format!("POST /api/send HTTP/1.1\r\n{json}Transfer-Encoding: gzip, chunked\r\n\r\n"), 501, "not_implemented"),
        (
            "an expectation",
            format!("POST /api/send HTTP/1.1\r\n{json}Expect: a-miracle\r\nContent-Length: 7\r\n\r\n"),
            417,
            "expectation_failed",
        ),
    ] {
        let mut wire = server.connect();
        wire.send(head);
        // Every byte is written: nothing resets the connection.
        (0..16).for_each(|_| wire.send("x".repeat(MUCH / 16)));
        let answers = wire.rest();
        assert_eq!(answers.len(), 1, "{name}: {answers:?}");
        assert_eq!((answers[0].status, &*answers[0].code()), (status, code), "{name}");
    }
}

#[test]
fn client_that_finds_no_room_can_read_why_while_it_writes() {
    let server = Server::of(&["serve", "--shards", "1", "--listen", "127.0.0.1:0", "--connections", "2"], &[]);
    let session = server.session("kept");
    let (mut chat, mut kept) = (session.attached(), server.connect());
    assert_eq!(kept.ask("GET", "/health", None).status, 200);
    let mut wire = Wire::open(server.address);
    wire.send(format!("POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {MUCH}\r\n\r\n"));
    wire.send("x".repeat(MUCH));
    let refusal = wire.answer();
    assert_eq!((refusal.status, &*refusal.code()), (503, "connections_full"));
    chat.say(&json!({ "text": "hello" }));
    chat.until_done("msg_1");
    assert_eq!(kept.ask("GET", "/health", None).status, 200);
    // A session that leaves makes room.
    drop((kept, wire));
    eventually("room", || (server.connect().ask("GET", "/health", None).status == 200).then_some(()));
}
