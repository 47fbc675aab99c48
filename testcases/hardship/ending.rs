//! The end of the server: running turns may finish, what waits is left to the next server, sockets are closed, and the process ends well.

use super::process::processor_time;
use super::support::{Folder, Provider, Server, Setting, WebSocket, answer_text, eventually, in_parallel, own_address, request, run};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

/// A server that asks this model and lets turns run for so long when it ends.
fn server(provider: &Provider, drain_ms: &str) -> Server {
    let url = provider.url();
    Server::with(&Setting { options: &["--llm-url", &url, "--model", "puppet", "--drain-ms", drain_ms], ..Setting::default() })
}

/// Waits until the server says that it is about to end, on a new connection.
fn drains(server: &Server) {
    eventually("the drain to be seen", || {
        let health = server.connect().ask("GET", "/health", None);
        (health.status == 503).then(|| assert_eq!(health.json()["status"], "draining"))
    });
}

/// A message whose answer stands still after two words.
fn held() -> Value {
    json!({ "text": json!({ "hold": "output", "after": 2, "say": "one two three" }).to_string() })
}

fn ends(messages: &[Value]) -> Vec<(&str, Option<&str>)> {
    let ends = messages.iter().filter(|message| message["type"] == "done");
    ends.map(|end| (end["id"].as_str().unwrap(), end["error"].as_str())).collect()
}

/// The next server on the same data.
fn next(server: &Server, provider: &Provider) -> Server {
    let url = provider.url();
    let options = ["--llm-url", &url, "--model", "puppet"];
    Server::with(&Setting { options: &options, data: Some(server.folder.path()), ..Setting::default() })
}

#[test]
fn what_runs_ends_whole_and_what_waits_runs_in_the_next_server_in_order() {
    let provider = Provider::start();
    let mut server = server(&provider, "60000");
    let session = server.session("queue");
    let (mut chat, mut stream) = (session.attached(), session.events());
    chat.say(&held());
    chat.until(|message| message["content"] == "two ");
    provider.holds(1);
    chat.say(&json!({ "text": "second" }));
    chat.say(&json!({ "text": "third" }));
    // What is refused is answered behind the two.
    chat.say(&json!({ "text": " " }));
    assert_eq!(chat.next()["refused"], true);
    server.signal("TERM");
    drains(&server);
    let refused = server.session("other").call("POST", "/api/send", Some(&json!({ "text": "hello" })));
    assert_eq!((refused.status, &*refused.code()), (503, "draining"));
    chat.say(&json!({ "text": "late" }));
    assert_eq!(chat.next()["refused"], true);
    // Who comes now is shown the answer that still runs.
    let mut late = session.chat_since(0);
    assert_eq!(late.next()["type"], "controls");
    provider.release(1);
    assert_eq!(ends(&chat.until_done("msg_1")), [("msg_1", None)]);
    assert_eq!(answer_text(&late.until_done("msg_1"), "msg_1"), "one two three");
    stream.until_trace("msg_1");
    assert!(stream.is_ended());
    for socket in [&mut chat, &mut late] {
        assert_eq!(u16::from(socket.farewell().expect("a reason").code), 1001);
    }
    assert_eq!(server.ended().code(), Some(0));
    let server = next(&server, &provider);
    let mut chat = server.session("queue").chat_since(0);
    assert_eq!(ends(&chat.until_done("msg_3")).last(), Some(&("msg_3", None)));
    let asked: Vec<_> = server.session("queue").messages().iter().filter(|message| message["role"] == "user").cloned().collect();
    assert_eq!(asked.iter().map(|message| &message["content"]).skip(1).collect::<Vec<_>>(), ["second", "third"]);
}

#[test]
fn what_takes_too_long_is_cut_off_and_everyone_is_told() {
    let provider = Provider::start();
    let mut server = server(&provider, "1000");
    let sessions: Vec<_> = (0..4).map(|n| server.session(&format!("long-{n}"))).collect();
    let mut chats: Vec<_> = sessions.iter().map(|session| session.attached()).collect();
    for chat in &mut chats {
        chat.say(&held());
        chat.until(|message| message["content"] == "two ");
        chat.say(&json!({ "text": "second" }));
        // What is refused is answered behind what was taken.
        chat.say(&json!({ "text": " " }));
        assert_eq!(chat.next()["refused"], true);
    }
    provider.holds(4);
    server.signal("TERM");
    for chat in &mut chats {
        let messages = chat.until_done("msg_1");
        let end = messages.last().unwrap();
        assert!(end["error"].as_str().is_some_and(|error| error.contains("shut down before this answer")), "{end}");
        assert_eq!(end["code"], "cut_off");
        assert_eq!(u16::from(chat.farewell().expect("a reason").code), 1001);
    }
    assert_eq!(server.ended().code(), Some(0));
    provider.hung_up(4);
    let server = next(&server, &provider);
    for n in 0..4 {
        let mut chat = server.session(&format!("long-{n}")).chat_since(0);
        assert_eq!(ends(&chat.until_done("msg_2")).last(), Some(&("msg_2", None)), "what waited runs");
    }
}

#[test]
fn a_second_signal_ends_it_at_once_whatever_runs() {
    for (first, second) in [("TERM", "TERM"), ("INT", "TERM"), ("TERM", "INT")] {
        let provider = Provider::start();
        // Far longer than anything here waits.
        let mut server = server(&provider, "600000");
        let session = server.session("impatient");
        let mut chat = session.attached();
        chat.say(&held());
        chat.until(|message| message["content"] == "two ");
        provider.holds(1);
        server.signal(first);
        drains(&server);
        assert!(server.is_running());
        server.signal(second);
        let messages = chat.until_done("msg_1");
        assert!(ends(&messages)[0].1.is_some());
        assert_eq!(u16::from(chat.farewell().expect("a reason").code), 1001);
        assert_eq!(server.ended().code(), Some(0));
        provider.hung_up(1);
    }
}

#[test]
fn a_reader_that_sleeps_does_not_keep_it() {
    let mut server = Server::start();
    let session = server.session("asleep");
    let (asleep, mut awake) = (session.attached(), session.attached());
    for turn in 1..=20 {
        awake.say(&json!({ "text": "why is the sky blue?" }));
        awake.until_done(&format!("msg_{turn}"));
    }
    server.signal("TERM");
    assert_eq!(u16::from(awake.farewell().expect("a reason").code), 1001);
    assert_eq!(server.ended().code(), Some(0));
    drop(asleep);
}

#[test]
fn whoever_was_heard_is_answered() {
    let mut server = Server::start();
    // All of them are there before the server ends.
    let wires: Vec<_> = (0..8).map(|n| (n, server.connect())).collect();
    let is_ending = AtomicBool::new(false);
    let asked = in_parallel(wires, |(n, mut wire)| {
        // Until the connection ends: every answer that came is whole, and none is cut in its middle.
        let mut answers = 0;
        loop {
            if n == 0 && answers == 50 {
                is_ending.store(true, Ordering::SeqCst);
                server.signal("TERM");
            }
            wire.try_send(request("GET", &format!("/api/state?session=s{n}"), None));
            match wire.next(true) {
                None => return answers,
                Some(answer) if answer.status == 200 => {}
                // The session's shard may have ended before the connection's.
                Some(answer) => {
                    assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("draining")));
                    assert!(is_ending.load(Ordering::SeqCst));
                }
            }
            answers += 1;
        }
    });
    assert_eq!(server.ended().code(), Some(0), "{asked:?}");
}

#[test]
fn a_second_server_takes_the_address_at_once() {
    let mut first = Server::with(&Setting { listen: Some(own_address()), ..Setting::default() });
    let session = first.session("again");
    session.ask("hello");
    let _open = session.attached();
    first.signal("TERM");
    assert_eq!(first.ended().code(), Some(0));
    let address = first.address.to_string();
    let second = Server::of(&["serve", "--listen", &address, "--shards", "2"], &[]);
    assert_eq!(second.address, first.address);
    second.session("again").ask("hello");
}

#[test]
fn whoever_tests_a_server_that_is_about_to_end_asks_again_after_a_rest() {
    let (provider, folder) = (Provider::start(), Folder::new());
    let server = server(&provider, "60000");
    let mut chat = server.session("running").attached();
    chat.say(&held());
    provider.holds(1);
    // The first turn of the run is stopped while the server ends; the next one is refused.
    let held = held()["text"].as_str().unwrap().to_owned();
    folder.write("late.md", &format!("# T\n## 1\n- send: {held}\n## 2\n- send: hello\n- expect frames: > 0\n"));
    let url = format!("http://{}", server.address);
    let mut watching = WebSocket::open(server.address, "/ws/test");
    let (ended, used) = std::thread::scope(|scope| {
        let playing = scope.spawn(|| run(folder.path(), &["test", "late.md", "--url", &url, "--timeout-ms", "15000"]));
        let begun = watching.until(|report| report["event"] == "suite_start").pop().unwrap();
        provider.holds(2);
        server.signal("TERM");
        drains(&server);
        server.session(begun["session"].as_str().unwrap()).attached().say(&json!({ "type": "stop" }));
        let before = processor_time(server.pid());
        (playing.join().unwrap(), processor_time(server.pid()) - before)
    });
    // Whoever asks without a rest keeps a processor busy for all of fifteen seconds.
    assert!(used.as_secs() < 3, "the server was kept busy for {used:?}");
    let says = "the server refuses it: the server is shutting down";
    assert!(ended.code == Some(1) && ended.output.contains(says), "{ended:?}");
    provider.release(1);
}
