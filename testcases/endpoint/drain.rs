//! The end: a signal lets running turns end, takes nothing new, closes the sockets and exits with 0.

use crate::support::server::framewright;
use crate::support::{Folder, Provider, Server, answer_text, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::io::{BufRead, BufReader};

#[test]
fn a_server_that_does_nothing_ends_at_once_and_well() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let session = server.session("idle");
        session.ask("hello");
        let mut chat = session.attached();
        let mut stream = session.events();
        server.signal(signal);
        let farewell = chat.farewell().expect("a reason");
        assert_eq!(u16::from(farewell.code), 1001, "{farewell:?}");
        assert!(stream.is_ended());
        assert_eq!(server.ended().code(), Some(0), "{signal}");
    }
}

#[test]
fn whoever_has_read_the_first_line_can_end_the_server_well() {
    let folder = Folder::new();
    for _ in 0..20 {
        let mut server = framewright(folder.path()).args(["--shards", "1", "--listen", "127.0.0.1:0"]).spawn().unwrap();
        let mut first = String::new();
        let mut said = BufReader::new(server.stderr.take().unwrap());
        said.read_line(&mut first).unwrap();
        kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
        assert_eq!(server.wait().unwrap().code(), Some(0), "{first}");
    }
}

#[test]
fn a_running_turn_ends_first_and_nothing_new_begins() {
    let provider = Provider::start();
    let mut server = provider.server();
    let session = server.session("running");
    let mut chat = session.attached();
    chat.say(&json!({ "text": json!({ "hold": "output", "after": 1, "say": "all of it" }).to_string() }));
    chat.until(|message| message["content"] == "all ");
    provider.holds(1);
    server.signal("TERM");
    eventually("the drain to be seen", || {
        let health = server.connect().ask("GET", "/health", None);
        (health.status == 503).then(|| assert_eq!(health.json()["status"], "draining"))
    });
    let refused = server.session("other").call("POST", "/api/send", Some(&json!({ "text": "hello" })));
    assert_eq!(refused.status, 503, "{}", refused.text());
    refused.detail();
    chat.say(&json!({ "text": "one more" }));
    assert_eq!(chat.next()["refused"], true);
    provider.release(1);
    let messages = chat.until_done("msg_1");
    assert!(messages.last().unwrap()["error"].is_null(), "{messages:?}");
    assert_eq!(answer_text(&messages, "msg_1"), "of it");
    assert_eq!(u16::from(chat.farewell().expect("a reason").code), 1001);
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn a_turn_that_takes_too_long_is_cut_off_and_so_is_the_model() {
    let provider = Provider::start();
    let mut server = provider.server();
    let session = server.session("stuck");
    session.send(&json!({ "hold": "director" }).to_string());
    provider.holds(1);
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0), "for the process that is a good end too");
    provider.hung_up(1);
}

#[test]
fn a_second_signal_does_not_wait() {
    let provider = Provider::start();
    let mut server = provider.server();
    server.session("impatient").send(&json!({ "hold": "director" }).to_string());
    provider.holds(1);
    server.signal("TERM");
    eventually("the drain to be seen", || (server.connect().ask("GET", "/health", None).status == 503).then_some(()));
    server.signal("TERM");
    server.ended();
    provider.hung_up(1);
}
