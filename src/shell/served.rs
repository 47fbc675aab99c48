//! A real server on loopback, with a scripted model, and clients that speak to it over sockets.

use super::{Backend, Ended, ServeError, Server, Settings, Stopper, rules, serve};
use crate::contract::{Answer, CallError, ModelRequest, Part};
use crate::graph::Library;
use crate::shard;
use crate::work::{self, Call, Model, Pool};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// The longest that anything is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);

/// What `gate` waits for.
static GATE: AtomicBool = AtomicBool::new(false);

/// Says what the last message says, word by word. `wait` waits until it is stopped; `stuck` hears nothing for longer than any test
/// takes; `flood` says much.
struct Told;

impl Model for Told {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> work::Ended {
        let parts = request.messages.last().map_or(&[] as &[Part], |message| &message.text.0);
        let asked =
            parts.iter().find_map(|part| if let Part::Slot(name, text) = part { (name == "message").then_some(&**text) } else { None });
        let text = asked.unwrap_or_default();
        if &*request.role != "agent" {
            return work::Ended { usage: Default::default(), outcome: Ok(Answer { text: "{}".to_owned(), ..Answer::default() }) };
        }
        match text {
            "wait" => {
                call.say("waiting");
                while call.cancel.pause(Duration::from_secs(3600)) {}
                return CallError::Cancelled.into();
            }
            "stuck" => std::thread::sleep(2 * PATIENCE),
            "gate" => {
                call.say("waiting");
                while !GATE.load(Ordering::Relaxed) {
                    if !call.cancel.pause(Duration::from_millis(5)) {
                        break;
                    }
                }
            }
            "flood" => (0..1000).for_each(|_| call.say(&"x".repeat(1000))),
            _ => text.split_inclusive(' ').for_each(|word| call.say(word)),
        }
        work::Ended { usage: Default::default(), outcome: Ok(Answer::default()) }
    }
}

pub(super) fn library() -> Arc<Library> {
    fn read(root: &Path, folder: &Path, into: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(root, &path, into);
            } else {
                into.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let (root, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs"), BTreeMap::new());
    read(&root, &root, &mut files);
    Arc::new(Library::load(&files).unwrap())
}

pub(super) fn pool() -> Pool {
    Pool::new(work::Settings { workers_max: 16, ..Default::default() }, Box::new(|| Box::new(Told)))
}

pub(super) fn settings() -> Settings {
    Settings { shards: 2, ..Settings::new("127.0.0.1:0".parse().unwrap(), pool()) }
}

/// A server that ends with its test.
struct Running {
    address: SocketAddr,
    stopper: Stopper,
    ended: Option<JoinHandle<Ended>>,
}

impl Running {
    fn new(settings: Settings) -> Self {
        Self::with(settings, |_| {})
    }

    /// With some other rules.
    fn with(settings: Settings, change: impl FnOnce(&mut shard::Settings)) -> Self {
        let mut rules = rules(library(), "v1-direct", &settings.pool);
        change(&mut rules);
        Self::of(serve(settings, rules).unwrap())
    }

    fn of(server: Server) -> Self {
        let (address, stopper) = (server.places()[0].tcp().unwrap(), server.stopper());
        Running { address, stopper, ended: Some(std::thread::spawn(|| server.wait())) }
    }

    fn stop(&mut self) -> Ended {
        self.stopper.stop();
        self.ended.take().unwrap().join().unwrap()
    }

    fn connect(&self) -> Http {
        Http::of(TcpStream::connect(self.address).unwrap())
    }

    fn get(&self, path: &str) -> Value {
        self.connect().call("GET", path, "").1
    }

    fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.connect().call("POST", path, &body.to_string())
    }

    fn socket(&self, path: &str) -> WebSocket<TcpStream> {
        let stream = self.connect().stream;
        tungstenite::client(format!("ws://{}{path}", self.address), stream).unwrap().0
    }

    /// A socket to a client with little room.
    fn narrow_socket(&self, path: &str) -> WebSocket<TcpStream> {
        let narrow = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        narrow.set_recv_buffer_size(32 << 10).unwrap();
        narrow.connect(&self.address.into()).unwrap();
        narrow.set_read_timeout(Some(PATIENCE)).unwrap();
        tungstenite::client(format!("ws://{}{path}", self.address), TcpStream::from(narrow)).unwrap().0
    }

    /// The result once it is no longer that of a running turn.
    fn result(&self, session: &str) -> Value {
        eventually("the end of a turn", || {
            let result = self.get(&format!("/api/result?session={session}"));
            (result["status"] != "running").then_some(result)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

/// Looks again and again until there is something to see.
pub(super) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited too long for this: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A kept-alive connection.
pub(super) struct Http {
    pub(super) stream: TcpStream,
    read: Vec<u8>,
}

impl Http {
    pub(super) fn of(stream: TcpStream) -> Http {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Http { stream, read: Vec::new() }
    }

    pub(super) fn send(&mut self, method: &str, path: &str, body: &str) {
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{kind}content-length: {}\r\n\r\n{body}", body.len());
        self.stream.write_all(head.as_bytes()).unwrap();
    }

    fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|bytes| bytes == end) {
                let rest = self.read.split_off(at + end.len());
                return std::mem::replace(&mut self.read, rest);
            }
            self.more();
        }
    }

    fn more(&mut self) {
        let mut bytes = [0; 4096];
        let count = self.stream.read(&mut bytes).unwrap();
        assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&self.read));
        self.read.extend_from_slice(&bytes[..count]);
    }

    pub(super) fn answer(&mut self) -> (u16, Value) {
        let head = String::from_utf8(self.until(b"\r\n\r\n")).unwrap();
        let length: usize = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
        while self.read.len() < length {
            self.more();
        }
        let rest = self.read.split_off(length);
        let body = std::mem::replace(&mut self.read, rest);
        (head[9..12].parse().unwrap(), serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(super) fn call(&mut self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.send(method, path, body);
        self.answer()
    }
}

pub(super) fn next(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(text.as_str()).unwrap(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn say(socket: &mut WebSocket<TcpStream>, message: Value) {
    socket.send(Message::text(message.to_string())).unwrap();
}

/// All events up to the end of a turn.
pub(super) fn turn(socket: &mut WebSocket<TcpStream>) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        events.push(next(socket));
        if events.last().unwrap()["type"] == "done" {
            return events;
        }
    }
}

pub(super) fn text(events: &[Value]) -> String {
    events.iter().filter(|event| event["type"] == "delta").filter_map(|event| event["content"].as_str()).collect()
}

#[test]
fn one_session_is_met_through_many_connections_whatever_the_loop() {
    for backend in [None, Some(Backend::Epoll)] {
        let server = Running::new(Settings { backend, ..settings() });
        for n in 0..16 {
            let session = format!("s{n}");
            let at = |path: &str| format!("{path}?session={session}");
            assert_eq!(server.get(&at("/api/result")), json!({"status":"idle"}), "reading creates nothing");
            assert_eq!(server.get(&at("/api/poll"))["hash"], "no_session");
            let mut sockets: Vec<_> = (0..4).map(|_| server.socket(&at("/ws"))).collect();
            for socket in &mut sockets {
                assert_eq!(next(socket), json!({"type":"controls","controls":[],"seq":0,"kept_from":1}));
            }
            assert_eq!(server.get(&at("/api/poll"))["hash"], "no_session", "nor does watching");
            assert_eq!(server.post(&at("/api/send"), json!({"text":"one two three"})), (200, json!({"status":"queued","id":"msg_1"})));
            let seen: Vec<_> = sockets.iter_mut().map(turn).collect();
            assert_eq!(text(&seen[0]), "one two three");
            assert!(seen.iter().all(|events| *events == seen[0]), "all watchers see the same");
            assert_eq!(server.result(&session)["response"], "one two three");
            assert_eq!(server.get(&at("/api/frames"))["last_trace"]["total_frames"], 1);
            let history = server.get(&at("/api/history"));
            assert_eq!(history["messages"].as_array().unwrap().len(), 2);
            let seqs: Vec<_> = seen[0].iter().map(|event| event["seq"].as_u64().unwrap()).collect();
            assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
            // Who comes back is shown what it missed, and nothing twice.
            let mut late = server.socket(&format!("/ws?session={session}&since={}", seqs[1]));
            assert!(next(&mut late)["kept_from"].as_u64().is_some_and(|from| from <= seqs[0]));
            assert_eq!(turn(&mut late), seen[0][2..]);
            let mut after = server.socket(&format!("/ws?session={session}&since={}", history["seq"]));
            next(&mut after);
            say(&mut after, json!({"text":"four"}));
            assert_eq!(text(&turn(&mut after)), "four");
        }
    }
}

#[test]
fn what_comes_together_with_a_handshake_is_not_lost_on_the_way_to_its_shard() {
    let server = Running::new(settings());
    for n in 0..16 {
        let mut http = server.connect();
        let head = format!("GET /ws?session=s{n} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n");
        let keys = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        // Masked with nothing.
        let frame = [&[0x81, 0x80 | 16, 0, 0, 0, 0][..], br#"{"text":"early"}"#].concat();
        http.stream.write_all(&[format!("{head}{keys}").as_bytes(), &frame[..10]].concat()).unwrap();
        let answer = String::from_utf8(http.until(b"\r\n\r\n")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        http.stream.write_all(&frame[10..]).unwrap();
        let mut socket = WebSocket::from_partially_read(http.stream, http.read, tungstenite::protocol::Role::Client, None);
        assert_eq!(text(&turn(&mut socket)), "early");
    }
}

#[test]
fn what_can_not_be_taken_is_told_to_its_sender_alone() {
    let server = Running::new(settings());
    let (mut one, mut other) = (server.socket("/ws"), server.socket("/ws"));
    next(&mut one);
    next(&mut other);
    for wrong in [json!([]), json!({"type":"x"}), json!({"text":" "}), json!({"type":"action","action":"gone"})] {
        say(&mut one, wrong);
        let told = next(&mut one);
        assert_eq!((&told["type"], &told["refused"]), (&json!("done"), &json!(true)));
        assert!(told["error"].is_string() && told.get("id").is_none() && told.get("seq").is_none(), "{told}");
    }
    for _ in 0..10 {
        say(&mut one, json!({"text":"wait"}));
    }
    let refused = std::iter::repeat_with(|| next(&mut one)).find(|event| event["type"] == "done").unwrap();
    assert_eq!(refused["refused"], true, "the ninth that would have to wait");
    say(&mut one, json!({"type":"stop","waiting":true}));
    let ends: Vec<_> = (0..9).map(|_| turn(&mut one).pop().unwrap()).collect();
    assert!(ends.iter().all(|end| end["cancelled"] == true), "{ends:?}");
    assert_eq!(next(&mut other)["id"], "msg_1", "the other socket saw nothing of what was refused");
}

#[test]
fn a_turn_that_runs_can_be_stopped_and_keeps_others_from_starting_over_http() {
    let server = Running::new(settings());
    assert_eq!(server.post("/api/send", json!({"text":"wait"})).0, 200);
    assert_eq!(server.post("/api/send", json!({"text":"more"})).0, 409);
    assert_eq!(server.post("/api/send/check", Value::Null).0, 400);
    let check = server.connect().call("POST", "/api/send/check", "");
    assert_eq!((check.0, &check.1["ready"], &check.1["reason"]), (200, &json!(false), &json!("busy")));
    let mut socket = server.socket("/ws");
    next(&mut socket);
    say(&mut socket, json!({"type":"stop"}));
    assert_eq!(turn(&mut socket).pop().unwrap()["cancelled"], true);
    assert_eq!(server.post("/api/send", json!({"text":"on"})), (200, json!({"status":"queued","id":"msg_2"})));
    assert_eq!(server.result("default")["response"], "on");
    assert_eq!(server.connect().call("POST", "/api/clear", ""), (200, json!({"status":"cleared"})));
    assert_eq!(server.get("/api/result"), json!({"status":"idle","id":"","stage":"cleared"}));
    assert_eq!(server.post("/api/graph/switch", json!({"name":"none"})).0, 404);
    assert_eq!(server.post("/api/graph/switch", json!({"name":"v3-framed"})).1["name"], "v3-framed");
    assert_eq!(server.get("/api/graph/active")["name"], "v3-framed");
}

#[test]
fn each_path_of_the_contract_answers_on_one_connection_and_no_other_does() {
    let server = Running::new(settings());
    let mut http = server.connect();
    for (method, path, body, status) in [
        ("GET", "/health", "", 200),
        ("GET", "/auth/config", "", 200),
        ("GET", "/api/state", "", 200),
        ("GET", "/api/graph/list", "", 200),
        ("GET", "/api/trace?last=0", "", 200),
        ("GET", "/api/turn?id=msg_9", "", 404),
        ("GET", "/api/turn?id=9", "", 400),
        ("GET", "/api/frames?last=99999999999999999999", "", 200),
        ("GET", "/api/tests", "", 200),
        ("GET", "/api/test/status", "", 200),
        ("POST", "/api/test/status", r#"{"event":"x"}"#, 400),
        ("GET", "/nothing", "", 404),
        ("GET", "/api/send", "", 405),
        ("POST", "/health", "{}", 405),
        ("GET", "/ws", "", 426),
        ("GET", "/api/state?session=a/b", "", 400),
        ("POST", "/api/send", "", 400),
        ("POST", "/api/send", "[]", 400),
        ("POST", "/api/send", r#"{"text":1}"#, 400),
    ] {
        assert_eq!(http.call(method, path, body).0, status, "{method} {path} {body}");
    }
    http.stream
        .write_all(b"POST /api/send HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}")
        .unwrap();
    assert_eq!(http.answer().0, 415);
    (0..50).for_each(|_| http.send("GET", "/health", ""));
    (0..50).for_each(|_| assert_eq!(http.answer().1["status"], "ok"));
    http.send("GET", "/health", "");
    http.stream.write_all(b"GET / HTTP/1.1\n\n").unwrap();
    assert_eq!((http.answer().0, http.answer().0), (200, 400));
    assert_eq!(http.stream.read(&mut [0; 1]).unwrap(), 0, "closed after what can't be read");
}

#[test]
fn a_refused_body_leaves_its_answer_behind() {
    let server = Running::new(settings());
    let mut http = server.connect();
    let head = format!("POST /api/send HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", (1 << 20) + 1);
    http.stream.write_all(head.as_bytes()).unwrap();
    // It need not be read to be refused.
    let _ = http.stream.write_all(&vec![b'x'; 1 << 20]);
    assert_eq!(http.answer().0, 413);
}

#[test]
fn an_event_stream_shows_the_trace_and_goes_on_where_it_was_left() {
    let server = Running::new(settings());
    let mut stream = server.connect();
    stream.send("GET", "/api/events", "");
    let head = String::from_utf8(stream.until(b"\r\n\r\n")).unwrap();
    assert!(head.contains("cache-control: no-cache\r\n") && head.contains("x-accel-buffering: no\r\n"), "{head}");
    assert!(stream.until(b"\n\n").starts_with(b":"), "the first comment comes at once");
    server.post("/api/send", json!({"text":"one two"}));
    let mut first = String::new();
    while !first.contains("frame_trace") {
        first.push_str(&String::from_utf8(stream.until(b"\n\n")).unwrap());
    }
    let ids =
        |text: &str| -> Vec<u64> { text.lines().filter_map(|line| line.strip_prefix("id: ")).map(|id| id.parse().unwrap()).collect() };
    let seen = ids(&first);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    let mut again = server.connect();
    again
        .stream
        .write_all(format!("GET /api/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {}\r\n\r\n", seen[1]).as_bytes())
        .unwrap();
    again.until(b"\r\n\r\n");
    again.until(b"\n\n");
    let greeting = String::from_utf8(again.until(b"\n\n")).unwrap();
    assert!(greeting.contains(r#""type":"attached""#) && !greeting.contains(r#""gap":true"#), "{greeting}");
    let rest: String = (2..seen.len()).map(|_| String::from_utf8(again.until(b"\n\n")).unwrap()).collect();
    assert_eq!(ids(&rest), seen[2..]);
    let lines = server.get("/api/trace?last=100");
    let streaming = lines["lines"].as_array().unwrap().iter().filter(|line| line["event"] == "streaming").collect::<Vec<_>>();
    assert_eq!((streaming.len(), &streaming[0]["text"]), (1, &json!("one two")), "one line per answer");
}

#[test]
fn a_reader_that_sleeps_through_much_is_let_go_or_misses_nothing() {
    let server = Running::new(settings());
    let mut sleeper = server.narrow_socket("/ws/trace");
    for _ in 0..12 {
        assert_eq!(server.post("/api/send", json!({"text":"flood"})).0, 200);
        eventually("the end of a flood", || (server.connect().call("POST", "/api/send/check", "").1["ready"] == true).then_some(()));
    }
    let (mut last, mut closed, end) = (0, None, server.get("/api/history?last=1")["seq"].as_u64().unwrap());
    while closed.is_none() && last < end {
        match sleeper.read().unwrap() {
            Message::Text(text) => {
                let event: Value = serde_json::from_str(text.as_str()).unwrap();
                assert!(event["seq"].as_u64().unwrap() > last);
                last = event["seq"].as_u64().unwrap();
            }
            Message::Close(frame) => closed = frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    }
    assert_eq!(closed, Some(1013), "it was {last} behind");
}

#[test]
fn test_reports_are_passed_on_before_they_are_answered() {
    let server = Running::new(settings());
    let mut watcher = server.socket("/ws/test");
    assert_eq!(next(&mut watcher)["running"], false);
    let mut events = server.connect();
    events.send("GET", "/api/events?session=any", "");
    events.until(b": awake\n\n");
    for report in [
        json!({"event":"suite_start","suite":"a","count":1}),
        json!({"event":"step_result","result":{"suite":"a","step":"s","check":"c","status":"PASS","detail":"","elapsed_ms":1}}),
        json!({"event":"suite_end","suite":"a"}),
    ] {
        assert_eq!(server.post("/api/test/status", report.clone()), (200, json!({"ok":true})));
        let seen = next(&mut watcher);
        assert_eq!((&seen["type"], &seen["event"]), (&json!("test_status"), &report["event"]));
        let event = String::from_utf8(events.until(b"\n\n")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(event.strip_prefix("data: ").unwrap()).unwrap(), seen, "without an id");
    }
    assert_eq!(server.get("/api/test/status")["last_green"]["check"], "c");
    assert_eq!(server.get("/api/tests")["passed"], 1);
}

#[test]
fn a_session_with_a_bug_takes_nothing_else_along() {
    let server = Running::new(settings());
    let (mut broken, mut sound) = (server.socket("/ws?session=a"), server.socket("/ws?session=b"));
    next(&mut broken);
    next(&mut sound);
    say(&mut broken, json!({"text":"wait"}));
    assert_eq!(next(&mut broken)["content"], "waiting");
    say(&mut sound, json!({"text":"wait"}));
    say(&mut broken, json!({"text":"break"}));
    assert!(matches!(broken.read().unwrap(), Message::Close(Some(frame)) if u16::from(frame.code) == 1011));
    assert_eq!(server.post("/api/send?session=c", json!({"text":"break"})).0, 500);
    assert_eq!(server.get("/api/result?session=a"), json!({"status":"idle"}), "it starts over");
    assert_eq!(server.post("/api/send?session=a", json!({"text":"hi"})).0, 200);
    assert_eq!(server.result("a")["response"], "hi");
    say(&mut sound, json!({"type":"stop"}));
    assert_eq!(turn(&mut sound).pop().unwrap()["cancelled"], true);
}

#[test]
fn a_worker_that_is_stuck_does_not_hold_its_turn() {
    // Time enough for what is not stuck.
    let call_time_max = Duration::from_secs(3);
    let pool = Pool::new(work::Settings { workers_max: 4, call_time_max, ..Default::default() }, Box::new(|| Box::new(Told)));
    let server = Running::new(Settings { pool, ..settings() });
    server.post("/api/send", json!({"text":"stuck"}));
    assert_eq!(server.result("default")["status"], "error");
    assert_eq!(server.post("/api/send", json!({"text":"hi"})).0, 200);
    assert_eq!(server.result("default")["response"], "hi");
}

#[test]
fn a_full_server_opens_no_more_sessions_while_all_are_in_use() {
    let server = Running::with(Settings { shards: 1, ..settings() }, |rules| rules.sessions_max = 2);
    let send = |session: &str, text: &str| server.post(&format!("/api/send?session={session}"), json!({"text": text}));
    assert_eq!((send("a", "hi").0, send("b", "wait").0), (200, 200));
    let mut watched = server.socket("/ws?session=a");
    next(&mut watched);
    let (status, refused) = send("c", "hi");
    assert_eq!((status, &refused["code"]), (503, &json!("sessions_full")));
    assert_eq!(server.get("/api/result?session=c")["status"], "idle");
    server.result("a");
    assert_eq!(send("a", "hi").0, 200, "those that are open go on");
}

#[test]
fn a_connection_too_many_is_told_so() {
    let server = Running::with(Settings { shards: 1, ..settings() }, |rules| rules.connections_max = 2);
    let (mut one, _two) = (server.socket("/ws"), server.socket("/ws/trace"));
    next(&mut one);
    let mut three = server.connect();
    assert_eq!(three.answer().0, 503);
    assert_eq!(three.stream.read(&mut [0; 1]).unwrap(), 0);
    drop(one);
    std::iter::repeat_with(|| server.connect()).find(|http| {
        std::thread::sleep(Duration::from_millis(5));
        http.stream.set_nonblocking(true).unwrap();
        http.stream.peek(&mut [0; 1]).is_err()
    });
}

#[test]
fn who_does_not_read_its_reports_is_let_go() {
    let server = Running::new(settings());
    let mut watcher = server.narrow_socket("/ws/test");
    next(&mut watcher);
    server.post("/api/test/status", json!({"event":"suite_start","suite":"a","count":1}));
    for _ in 0..60 {
        let result = json!({"suite":"a","step":"s","check":"c","status":"SKIP","detail":"x".repeat(200_000),"elapsed_ms":1});
        assert_eq!(server.post("/api/test/status", json!({"event":"step_result","result":result})).0, 200);
    }
    let close = std::iter::repeat_with(|| watcher.read().unwrap()).find_map(|message| match message {
        Message::Close(frame) => frame.map(|frame| u16::from(frame.code)),
        _ => None,
    });
    assert_eq!(close, Some(1013));
}

#[test]
fn who_stops_reading_is_let_go_in_time_and_goes_on_where_it_was() {
    let write_time = Duration::from_secs(6);
    let server = Running::with(settings(), |rules| rules.write_time = write_time);
    let mut sleeper = server.narrow_socket("/ws");
    let begun = Instant::now();
    assert_eq!(server.post("/api/send", json!({"text":"flood"})).0, 200);
    server.result("default");
    // Longer than it may take, and not yet so long, by far, that it is cut without a goodbye.
    std::thread::sleep((write_time + write_time / 2).saturating_sub(begun.elapsed()));
    let mut seen = Vec::new();
    let code = loop {
        match sleeper.read().unwrap() {
            Message::Text(text) => seen.push(serde_json::from_str::<Value>(text.as_str()).unwrap()),
            Message::Close(frame) => break frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    };
    assert_eq!(code, Some(1013));
    assert!(text(&seen).len() < 1_000_000, "it was behind");
    let since = seen.last().unwrap()["seq"].as_u64().unwrap();
    let mut back = server.socket(&format!("/ws?since={since}"));
    assert!(next(&mut back)["gap"].is_null());
    seen.extend(turn(&mut back));
    assert!(text(&seen) == "x".repeat(1_000_000), "neither doubled nor short");
    assert!(seen[1..].iter().map(|event| event["seq"].as_u64().unwrap()).is_sorted_by(|a, b| a < b));
}

#[test]
fn who_is_silent_is_cut_and_makes_place() {
    let server = Running::with(settings(), |rules| rules.silence_max = Duration::from_secs(5));
    let (mut asleep, mut awake) = (server.socket("/ws?session=a"), server.socket("/ws?session=b"));
    next(&mut asleep);
    next(&mut awake);
    let pings = std::thread::spawn(move || std::iter::repeat_with(|| awake.read()).take_while(Result::is_ok).count());
    let is_there = |session: &str| server.get(&format!("/api/state?session={session}"))["ws_connected"] == true;
    assert!(is_there("a"));
    eventually("the end of the silent one", || (!is_there("a")).then_some(()));
    assert!(is_there("b"), "who answers stays");
    drop(server);
    assert!(pings.join().unwrap() > 1);
}

#[test]
fn a_session_that_nobody_uses_leaves_and_makes_room() {
    let server = Running::with(settings(), |rules| rules.session_idle = Duration::from_millis(100));
    let mut watched = server.socket("/ws?session=a");
    next(&mut watched);
    let send = |session: &str| server.post(&format!("/api/send?session={session}"), json!({"text":"hi"})).0;
    let is_open = |session: &str| server.get(&format!("/api/poll?session={session}"))["hash"] != "no_session";
    assert_eq!((send("a"), send("b")), (200, 200));
    eventually("room", || (!is_open("b")).then_some(()));
    assert_eq!(send("c"), 200);
    assert!(is_open("a"), "who is watched stays");
}

#[test]
fn a_server_that_is_let_go_ends_its_turns_and_then_its_sockets() {
    let mut server = Running::new(settings());
    let mut socket = server.socket("/ws");
    next(&mut socket);
    say(&mut socket, json!({"text":"gate"}));
    assert_eq!(next(&mut socket)["content"], "waiting");
    server.stopper.stop();
    eventually("the drain", || (server.get("/health")["status"] == "draining").then_some(()));
    let (status, health) = server.connect().call("GET", "/health", "");
    assert_eq!((status, &health["status"], &health["code"]), (503, &json!("draining"), &json!("draining")));
    assert_eq!(server.post("/api/send?session=b", json!({"text":"hi"})).0, 503);
    // The shard of this session may hear of it a moment later than the one that was asked.
    eventually("the drain there", || (server.connect().call("POST", "/api/send/check", "").1["reason"] == "draining").then_some(()));
    say(&mut socket, json!({"text":"late"}));
    assert_eq!(next(&mut socket)["refused"], true);
    GATE.store(true, Ordering::Relaxed);
    assert_eq!(turn(&mut socket).pop().unwrap()["id"], "msg_1");
    assert!(matches!(socket.read().unwrap(), Message::Close(Some(frame)) if u16::from(frame.code) == 1001));
    assert_eq!(server.ended.take().unwrap().join().unwrap(), Ended::Quietly);
}

#[test]
fn an_address_and_a_folder_belong_to_one_server() {
    let folder = std::env::temp_dir().join(format!("framewright-{}", std::process::id()));
    let mut server = Running::new(Settings { data: Some(folder.clone()), ..settings() });
    let second =
        |listen, data| serve(Settings { listen, data, ..settings() }, rules(library(), "v1-direct", &pool())).map(|_| ()).unwrap_err();
    assert!(matches!(second(server.address.into(), None), ServeError::AddressInUse { .. }));
    assert!(matches!(second("127.0.0.1:0".parse().unwrap(), Some(folder.clone())), ServeError::DataInUse { .. }));
    assert_eq!(server.stop(), Ended::Quietly);
    Running::new(Settings { data: Some(folder.clone()), ..settings() }).stop();
    std::fs::remove_dir_all(folder).unwrap();
}
