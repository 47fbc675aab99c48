//! Faults before a connection stands: nobody listens, nobody accepts, nobody shakes hands.

use crate::support::{Server, nobody};
use crate::world::{CALL_MS, CONNECT_MS, FIRST_TOKEN_MS, GRACE_MS, HEALTH_TIME_MAX, Pulse, QUESTION, assert_is_a_sentence, server_before};
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Sends a question; the sentence that the turn ends with. A greeting is answered all the same.
fn fails(server: &Server, name: &str, deadline_ms: u64) -> String {
    let pulse = Pulse::of(server);
    let session = server.session(name);
    let mut chat = session.attached();
    chat.say(&json!({ "text": QUESTION }));
    let done = chat.until_done("msg_1").pop().unwrap();
    assert_is_a_sentence(&done["error"], name);
    let trace = session.trace_of("msg_1");
    assert!(trace["total_ms"].as_f64().unwrap() < (deadline_ms + GRACE_MS) as f64, "{name}: {trace}");
    chat.say(&json!({ "text": "hello" }));
    assert_eq!(chat.until_done("msg_2").pop().unwrap()["error"], Value::Null, "{name}: a greeting needs no model");
    let (median, _) = pulse.end();
    assert!(median < HEALTH_TIME_MAX, "{name}: {median:?}");
    done["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_that_is_not_there() {
    let server = server_before(&format!("http://{}/v1", nobody()), &[]);
    assert_eq!(fails(&server, "closed", CALL_MS), "The model can't be reached right now. Please try again in a moment.");
}

#[test]
fn a_server_that_takes_no_connection() {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    // Fills the queue of those who wait to be accepted, so that the next one gets no answer at all.
    let waiting = || TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok();
    let held: Vec<TcpStream> = std::iter::from_fn(waiting).take(64).collect();
    assert!(held.len() < 64, "the queue is full");
    let server = server_before(&format!("http://{address}/v1"), &[]);
    let sentence = fails(&server, "full", CONNECT_MS);
    assert_eq!(sentence, "The model took too long: a connection did not come in time. Please try again.");
}

#[test]
fn a_server_that_takes_a_connection_and_says_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = server_before(&format!("http://{address}/v1"), &["--connect-ms", "3000", "--call-ms", "20000"]);
    let sentence = fails(&server, "silent", 3_000 + FIRST_TOKEN_MS);
    assert_eq!(sentence, "The model took too long: the first word did not come in time. Please try again.");
    let server = server_before(&format!("https://{address}/v1"), &[]);
    let sentence = fails(&server, "no-handshake", CONNECT_MS + FIRST_TOKEN_MS);
    assert!(sentence.starts_with("The model took too long: "), "{sentence}");
}
