//! A shard and a driver that does what it asks at once, unless a test says otherwise.

use super::audit::Record;
use super::event::{Attach, Door, Job, JobOutcome};
use super::*;
use crate::auth::Peer;
use crate::contract::journal::Append;
use crate::contract::{Answer, CallError, CallId, Time, Usage};
use identity::Key;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

mod approve;
mod audit;
mod bounded;
mod busy;
mod hostile;
mod isolation;
mod journal;
mod kept;
mod operator;
mod outbox;
mod reload;
mod rerun;
mod sign_in;
mod store;
mod tracing;

/// One shard, its clients, and everything it asked for.
struct World {
    shard: Shard,
    now: Now,
    /// Where clients come from, and where they come in.
    peer: Peer,
    door: Door,
    exported: Vec<crate::contract::Finished>,
    traces: Vec<Option<crate::contract::TraceParent>>,
    /// What was asked of the issuer.
    asked: Vec<Ask>,
    next_socket: u64,
    /// What each client was sent.
    sent: BTreeMap<SocketId, Vec<u8>>,
    /// Sockets whose writes stand still.
    stuck: Vec<SocketId>,
    /// What the last read of each socket was ordered to take.
    reading: BTreeMap<SocketId, usize>,
    shut: Vec<SocketId>,
    closed: Vec<SocketId>,
    handed: Vec<(SocketId, ShardId, Box<Attach>)>,
    calls: Vec<(SessionId, CallId)>,
    /// Whose they were, as the pool knows them.
    owners: Vec<Arc<str>>,
    cancelled: Vec<CallId>,
    mail: Vec<(ShardId, Mail)>,
    jobs: Vec<(Ticket, Job)>,
    /// The last batch for the journal, all that was handed to it, and what it is asked for.
    batch: u64,
    appended: Vec<Append>,
    loads: Vec<Key>,
    /// Where there is one, it does at once what the shard wants of it.
    store: Option<store::RealStore>,
    /// What webhooks are to learn where there is no journal, and whose was recalled.
    delivered: Vec<crate::contract::journal::Delivery>,
    recalled: Vec<(Arc<str>, Option<Arc<str>>)>,
    log: Vec<Entry>,
    audit: Vec<Record>,
    wake_at: Option<Moment>,
    ended: Vec<&'static str>,
    writes_in_tick: BTreeMap<SocketId, usize>,
}

fn settings() -> Settings {
    Settings {
        origins: Origins { allowed: vec!["https://listed.example".into()], ..Origins::default() },
        databases: Box::new(|session| if session == "panics" { panic!("a bug, on purpose") } else { Vec::new() }),
        sessions_max: 3,
        about: json!({ "version": "0", "model": { "name": "demo", "demo": true } }).as_object().cloned().unwrap_or_default(),
        connections_max: 100,
        ..Settings::new(crate::graph::shipped(), "v3-framed")
    }
}

impl World {
    fn new(settings: Settings) -> World {
        World {
            shard: Shard::new(ShardId(0), Arc::new(settings), "test"),
            now: Now { moment: Moment(1_000_000), wall: Time(1_750_000_000_000_000) },
            peer: IpAddr::from(Ipv4Addr::LOCALHOST).into(),
            door: Door::Main,
            exported: Vec::new(),
            traces: Vec::new(),
            asked: Vec::new(),
            next_socket: 0,
            sent: BTreeMap::new(),
            stuck: Vec::new(),
            reading: BTreeMap::new(),
            shut: Vec::new(),
            closed: Vec::new(),
            handed: Vec::new(),
            calls: Vec::new(),
            owners: Vec::new(),
            cancelled: Vec::new(),
            mail: Vec::new(),
            jobs: Vec::new(),
            batch: 0,
            appended: Vec::new(),
            loads: Vec::new(),
            store: None,
            delivered: Vec::new(),
            recalled: Vec::new(),
            log: Vec::new(),
            audit: Vec::new(),
            wake_at: None,
            ended: Vec::new(),
            writes_in_tick: BTreeMap::new(),
        }
    }

    /// Handles events in one tick, and then whatever follows from what the driver does.
    fn tick(&mut self, events: Vec<Event<'_>>) {
        let mut actions = Vec::new();
        self.writes_in_tick.clear();
        for event in events {
            self.shard.handle(self.now, event, &mut actions);
        }
        self.shard.handle(self.now, Event::TickEnd, &mut actions);
        let follows = self.carry_out(actions);
        if !follows.is_empty() {
            self.tick(follows);
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) -> Vec<Event<'static>> {
        let mut follows = Vec::new();
        for action in actions {
            let action = match &mut self.store {
                Some(store) => match store.done(action) {
                    Ok(event) => {
                        follows.push(event);
                        continue;
                    }
                    Err(action) => *action,
                },
                None => action,
            };
            match action {
                Action::Read { socket, bytes_max } => {
                    assert!(self.reading.insert(socket, bytes_max).is_none(), "one read at a time on {socket:?}");
                }
                Action::Write { socket, bytes } => {
                    *self.writes_in_tick.entry(socket).or_default() += 1;
                    assert_eq!(self.writes_in_tick[&socket], 1, "one write per socket and tick");
                    self.sent.entry(socket).or_default().extend_from_slice(&bytes);
                    if !self.stuck.contains(&socket) {
                        follows.push(Event::Written { socket, buffer: bytes });
                    }
                }
                Action::Shutdown { socket } => self.shut.push(socket),
                Action::Close { socket } => self.closed.push(socket),
                Action::HandOver { socket, shard, attach } => {
                    assert!(!self.reading.contains_key(&socket), "nothing may be under way on a socket that is handed over");
                    self.handed.push((socket, shard, attach));
                }
                Action::Mail { shard, mail } => self.mail.push((shard, mail)),
                Action::Call { session, call, owner, trace, .. } => {
                    self.traces.push(trace);
                    self.calls.push((session, call));
                    self.owners.push(owner);
                }
                Action::CancelCall { call, .. } => self.cancelled.push(call),
                Action::Job { ticket, job } => self.jobs.push((ticket, job)),
                Action::Ask(ask) => self.asked.push(ask),
                Action::Append { batch, appends } => {
                    self.batch = batch;
                    self.appended.extend(appends);
                }
                Action::Load { key } => self.loads.push(key),
                Action::Deliver(delivery) => self.delivered.push(*delivery),
                Action::Recall { user, session } => self.recalled.push((user, session)),
                Action::WakeAt(moment) => self.wake_at = Some(moment),
                Action::Log(entry) => self.log.push(entry),
                Action::Audit(record) => self.audit.push(*record),
                Action::Export(finished) => self.exported.push(*finished),
                Action::Drained => self.ended.push("drained"),
                Action::Stopped => self.ended.push("stopped"),
            }
        }
        follows
    }

    fn connect(&mut self) -> SocketId {
        self.next_socket += 1;
        let socket = SocketId(self.next_socket);
        self.tick(vec![Event::Accepted { socket, peer: self.peer, door: self.door }]);
        socket
    }

    fn send(&mut self, socket: SocketId, bytes: &[u8]) {
        for piece in bytes.chunks(60_000) {
            self.reading.remove(&socket);
            self.tick(vec![Event::Read { socket, bytes: piece }]);
        }
    }

    /// What a client was sent since this was last asked for.
    fn take(&mut self, socket: SocketId) -> String {
        String::from_utf8_lossy(&self.sent.remove(&socket).unwrap_or_default()).into_owned()
    }

    fn request(&mut self, socket: SocketId, method: &str, target: &str, headers: &str, body: &str) -> (u16, Value) {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\nContent-Type: application/json\r\n", body.len()) };
        let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        self.send(socket, format!("{method} {target} HTTP/1.1\r\n{host}{headers}{length}\r\n{body}").as_bytes());
        let answer = self.take(socket);
        let status = answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"));
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn get(&mut self, target: &str) -> (u16, Value) {
        let socket = self.connect();
        self.request(socket, "GET", target, "", "")
    }

    fn post(&mut self, target: &str, body: Value) -> (u16, Value) {
        let socket = self.connect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.request(socket, "POST", target, "", &body)
    }

    fn websocket(&mut self, target: &str) -> SocketId {
        let socket = self.connect();
        let head =
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        self.send(socket, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n").as_bytes());
        socket
    }

    fn say(&mut self, socket: SocketId, text: &str) {
        self.send(socket, &frame(0x81, text.as_bytes()));
    }

    /// Lets time pass, waking the shard whenever it wants to be woken.
    fn pass(&mut self, time: Duration) {
        let until = self.now.moment.after(time);
        while let Some(at) = self.wake_at.take_if(|at| *at <= until) {
            self.now.moment = self.now.moment.max(at);
            self.tick(vec![Event::Time]);
        }
        self.now.moment = until;
    }

    /// Ends every call that is out with this answer.
    fn complete(&mut self, text: &str) {
        for (session, call) in std::mem::take(&mut self.calls) {
            let outcome = Ok(Answer { text: text.to_owned(), ..Answer::default() });
            self.tick(vec![Event::Completion { session, call, usage: Usage::default(), waited_us: 0, outcome }]);
        }
    }

    fn codes(&self) -> Vec<&'static str> {
        let code = |entry: &Entry| match entry {
            Entry::Limit { code, .. } | Entry::Refused { code, .. } => Some(*code),
            Entry::Turn { .. } | Entry::Panic { .. } | Entry::Differs { .. } => None,
        };
        self.log.iter().filter_map(code).collect()
    }
}

/// A client's frame: masked, as it must be, with a mask of zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

const PLAIN: &str = "hello";
const ASKS: &str = "why is the sky blue?";

#[test]
fn answers_requests_that_arrive_together_in_one_write_and_in_order() {
    let mut world = World::new(settings());
    let socket = world.connect();
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    world.send(socket, format!("{health}GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n{health}").as_bytes());
    let answers = world.take(socket);
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "200"]);
    assert!(world.reading.contains_key(&socket), "the connection stays open");
}

#[test]
fn a_greeting_takes_two_frames_and_leaves_a_line_in_the_log() {
    let mut world = World::new(settings());
    assert_eq!(world.post("/api/send", json!({"text": PLAIN})).1, json!({"status":"queued","id":"msg_1"}));
    assert_eq!(world.get("/api/result").1["status"], "done");
    let turn = world.log.iter().find_map(|entry| match entry {
        Entry::Turn { id, path, frames, outcome, first_token_us, session, .. } => {
            Some((id.clone(), path.clone(), *frames, *outcome, first_token_us.is_some(), session.len()))
        }
        Entry::Panic { .. } | Entry::Differs { .. } | Entry::Limit { .. } | Entry::Refused { .. } => None,
    });
    assert_eq!(turn, Some(("msg_1".to_owned(), "reflex".to_owned(), 2, "done", true, 12)));
}

#[test]
fn refuses_foreign_pages_whatever_they_ask_for() {
    let mut world = World::new(settings());
    let evil = "Origin: https://evil.example\r\n";
    for (method, target, headers, body, code) in [
        ("POST", "/api/clear", evil, "", "foreign_origin"),
        ("GET", "/api/state", "Host: rebound.example\r\n", "", "unknown_host"),
        ("GET", "/", evil, "", "foreign_origin"),
        ("OPTIONS", "/api/send", evil, "", "foreign_origin"),
    ] {
        let socket = world.connect();
        let (status, answer) = world.request(socket, method, target, headers, body);
        assert_eq!((status, &answer["code"]), (403, &json!(code)), "{method} {target}");
    }
    let socket = world.connect();
    world.send(socket, format!("GET /static/nothing HTTP/1.1\r\nHost: localhost\r\n{evil}\r\n").as_bytes());
    assert!(world.take(socket).starts_with("HTTP/1.1 404"), "static files are public");
    let socket = world.connect();
    let upgrade =
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    assert_eq!(world.request(socket, "GET", "/ws", &format!("{evil}{upgrade}"), "").0, 403);
    assert_eq!(world.codes(), ["foreign_origin", "unknown_host", "foreign_origin", "foreign_origin", "foreign_origin"]);
    let listed = "Origin: https://listed.example\r\nAccess-Control-Request-Method: POST\r\n";
    let socket = world.connect();
    world.send(socket, format!("OPTIONS /api/send HTTP/1.1\r\nHost: localhost\r\n{listed}\r\n").as_bytes());
    let preflight = world.take(socket);
    assert!(preflight.starts_with("HTTP/1.1 200") && preflight.contains("access-control-allow-origin: https://listed.example\r\n"));
    world.send(socket, format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{listed}\r\n").as_bytes());
    assert!(world.take(socket).contains("access-control-allow-origin: https://listed.example\r\n"));
}

#[test]
fn a_full_server_evicts_the_session_unused_longest_and_refuses_only_when_all_are_in_use() {
    let mut world = World::new(settings());
    for session in ["a", "b", "c", "a", "d"] {
        world.pass(Duration::from_secs(1));
        assert_eq!(world.post(&format!("/api/send?session={session}"), json!({"text": PLAIN})).0, 200);
        world.complete("{}");
    }
    assert_eq!(world.codes(), ["session_evicted"]);
    assert_eq!(world.get("/api/history?session=b").1["messages"], json!([]), "`b` was unused longest and left");
    assert_ne!(world.get("/api/history?session=a").1["messages"], json!([]));
    world.websocket("/ws?session=a");
    for session in ["e", "f"] {
        assert_eq!(world.post(&format!("/api/send?session={session}"), json!({"text": ASKS})).0, 200);
    }
    let (status, refused) = world.post("/api/send?session=g", json!({"text": PLAIN}));
    assert_eq!((status, &refused["code"]), (503, &json!("sessions_full")), "one is watched, two have running turns");
    let other = world.websocket("/ws?session=g");
    world.take(other);
    world.say(other, r#"{"text":"hi","id":"x"}"#);
    let refused = world.take(other);
    assert!(refused.contains(r#""code":"sessions_full""#) && refused.contains(r#""client_id":"x""#), "{refused}");
}

#[test]
fn clearing_a_session_that_was_never_used_opens_none() {
    let mut world = World::new(settings());
    for n in 0..10 {
        assert_eq!(world.post(&format!("/api/clear?session=s{n}"), Value::Null), (200, json!({"status":"cleared"})));
    }
    assert_eq!(world.shard.sizes().sessions, 0);
}

#[test]
fn sessions_beyond_the_byte_budget_leave() {
    let mut world = World::new(Settings { session_bytes_max: 40 << 10, sessions_max: 1000, ..settings() });
    for n in 0..50 {
        world.pass(Duration::from_secs(1));
        assert_eq!(world.post(&format!("/api/send?session=s{n}"), json!({"text": PLAIN})).0, 200);
        world.complete("{}");
        assert!(world.shard.sizes().session_bytes <= 40 << 10, "{:?}", world.shard.sizes());
    }
    assert!((2..20).contains(&world.shard.sizes().open_sessions), "{:?}", world.shard.sizes());
    assert!(world.codes().contains(&"session_evicted"));
}

#[test]
fn an_oversized_message_is_refused_on_an_open_socket_and_a_huge_frame_ends_it_with_1009() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.take(socket);
    let large = json!({"text": "x".repeat(bounds::MESSAGE_BYTES_MAX), "id": "m1"}).to_string();
    world.say(socket, &large);
    let refused = world.take(socket);
    assert!(refused.contains(r#""code":"message_too_large""#) && refused.contains(r#""client_id":"m1""#), "{refused}");
    assert!(world.shut.is_empty() && world.reading.contains_key(&socket), "the socket stays open");
    let (status, refused) = world.post("/api/send", serde_json::from_str(&large).unwrap());
    assert_eq!((status, &refused["code"]), (413, &json!("message_too_large")));
    world.say(socket, r#"{"text":"hello"}"#);
    assert!(world.take(socket).contains(r#""type":"done""#));
    let mut huge = frame(0x81, &vec![b'x'; bounds::BODY_BYTES_MAX + 1]);
    let rest = huge.split_off(100_000);
    world.send(socket, &huge);
    let goodbye = world.sent.remove(&socket).unwrap();
    assert_eq!((goodbye[0], &goodbye[2..4]), (0x88, &1009u16.to_be_bytes()[..]));
    assert_eq!((&world.shut, world.closed.contains(&socket)), (&vec![socket], false), "what the client still sends is drained");
    world.send(socket, &rest);
    assert!(world.reading.contains_key(&socket) && !world.closed.contains(&socket));
    world.pass(bounds::LINGER_TIME);
    assert!(world.closed.contains(&socket), "but not for ever");
}

#[test]
fn a_client_that_is_refused_can_read_why_before_the_connection_ends() {
    let mut world = World::new(settings());
    let socket = world.connect();
    world.send(socket, b"GET / HTTP/1.1\r\n\r\n");
    assert!(world.take(socket).contains(r#""code":"bad_request""#));
    assert_eq!((&world.shut, &world.closed), (&vec![socket], &vec![]));
    world.reading.remove(&socket);
    world.tick(vec![Event::Ended { socket }]);
    assert_eq!(world.closed, [socket]);
    assert_eq!(world.shard.sizes().sockets, 0);
}

#[test]
fn a_slow_request_is_told_so_and_an_idle_connection_just_ends() {
    let mut world = World::new(settings());
    let (slow, idle) = (world.connect(), world.connect());
    world.send(idle, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.take(idle);
    world.send(slow, b"GET /health HT");
    world.pass(bounds::HEAD_TIME - Duration::from_millis(1));
    assert_eq!(world.take(slow), "");
    world.pass(Duration::from_millis(2));
    assert!(world.take(slow).contains(r#""code":"request_timeout""#));
    world.pass(bounds::IDLE_TIME);
    assert_eq!(world.take(idle), "");
    assert!(world.shut.contains(&idle));
}

#[test]
fn the_wall_clock_may_jump_either_way_and_nothing_happens() {
    for step in [-3_600_000_000i64, 3_600_000_000] {
        let mut world = World::new(settings());
        let (half, socket) = (world.connect(), world.websocket("/ws?session=w"));
        world.send(half, b"GET /health HTTP/1.1\r\nHo");
        world.say(socket, &json!({"text": ASKS}).to_string());
        world.post("/api/send?session=idle", json!({"text": PLAIN}));
        world.take(socket);
        world.now.wall = Time(world.now.wall.0.checked_add_signed(step).unwrap());
        world.pass(Duration::from_secs(5));
        assert!(world.closed.is_empty() && world.cancelled.is_empty(), "{step}");
        assert_eq!(world.shard.sizes().open_sessions, 2, "{step}");
        world.send(half, b"st: localhost\r\n\r\n");
        assert!(world.take(half).starts_with("HTTP/1.1 200"), "{step}");
        world.send(half, b"GET /hea");
        world.pass(bounds::HEAD_TIME);
        assert!(world.take(half).contains("request_timeout"), "deadlines still hold after a step of {step}");
        world.pass(Duration::from_secs(700));
        assert!(!world.cancelled.is_empty(), "the call's deadline holds after a step of {step}");
    }
}

#[test]
fn a_request_that_waits_for_another_shard_has_a_deadline() {
    let mut world = World::new(Settings { shards: 2, ..settings() });
    let name =
        (0..).map(|n| format!("s{n}")).find(|id| Key { sub: "anonymous".into(), id: id.as_str().into() }.shard(2) == ShardId(1)).unwrap();
    let socket = world.connect();
    let target = format!("GET /api/state?session={name} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.send(socket, target.as_bytes());
    assert_eq!(world.take(socket), "");
    let Some((ShardId(1), Mail::Operation { ticket, .. })) = world.mail.pop() else { panic!("the request is forwarded") };
    world.pass(bounds::FORWARD_TIME);
    assert!(world.take(socket).contains(r#""code":"shard_timeout""#));
    let reply = |status: &str| Mail::Reply { ticket, reply: Reply::ok(&json!({ "status": status })) };
    world.tick(vec![Event::Mail(reply("late"))]);
    assert_eq!(world.take(socket), "", "a late reply is nobody's");
    world.send(socket, target.as_bytes());
    let Some((_, Mail::Operation { ticket, .. })) = world.mail.pop() else { panic!("the next one is forwarded too") };
    world.tick(vec![Event::Mail(Mail::Reply { ticket, reply: Reply::ok(&json!({ "status": "in time" })) })]);
    assert!(world.take(socket).contains("in time"));
    let socket = world.websocket(&format!("/ws?session={name}"));
    assert!(matches!(world.handed.pop(), Some((handed, ShardId(1), _)) if handed == socket));
}

#[test]
fn a_panic_takes_out_its_session_and_a_panicking_prompt_not_even_that() {
    let mut world = World::new(settings());
    let (broken, other) = (world.websocket("/ws?session=a"), world.websocket("/ws?session=b"));
    let asked = world.get("/api/graph/prompt?session=panics&node=director&text=hi");
    assert_eq!((asked.0, &asked.1["code"]), (500, &json!("session_broken")));
    let (status, refused) = world.post("/api/send?session=panics", json!({"text": PLAIN}));
    assert_eq!((status, &refused["code"]), (500, &json!("session_broken")));
    world.take(broken);
    world.say(broken, r#"{"text":"break"}"#);
    let goodbye = world.sent.remove(&broken).unwrap();
    assert_eq!((goodbye[0], &goodbye[2..4]), (0x88, &1011u16.to_be_bytes()[..]));
    world.take(other);
    world.say(other, r#"{"text":"hello"}"#);
    assert!(world.take(other).contains(r#""type":"done""#));
    assert_eq!(world.log.iter().filter(|entry| matches!(entry, Entry::Panic { .. })).count(), 3);
}

#[test]
fn a_named_message_starts_one_turn_however_often_it_is_sent() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.take(socket);
    let named = r#"{"text":"hello","id":"tab:1"}"#;
    world.say(socket, named);
    let first = world.take(socket);
    assert!(first.contains(r#"{"type":"delta","id":"msg_1","content":"","client_id":"tab:1","seq":"#), "{first}");
    let other = world.websocket("/ws");
    world.take(other);
    world.say(other, named);
    assert_eq!(world.take(socket), "", "what is known concerns nobody else");
    let again = world.take(other);
    assert!(again.contains(r#"{"type":"delta","id":"msg_1","content":"","client_id":"tab:1"}"#), "{again}");
    assert!(again.contains(r#"{"type":"done","id":"msg_1","client_id":"tab:1"}"#), "{again}");
    let sent = json!({"text": "hello", "id": "tab:1"});
    assert_eq!(world.post("/api/send", sent).1, json!({"status":"queued","id":"msg_1","client_id":"tab:1"}));
    let connection = world.connect();
    let (_, by_header) = world.request(connection, "POST", "/api/send", "Idempotency-Key: tab:1\r\n", r#"{"text":"hello"}"#);
    assert_eq!(by_header["id"], "msg_1");
    assert_eq!(world.post("/api/send", json!({"text": ASKS, "id": "tab:2"})).1["id"], "msg_2");
    assert_eq!(world.post("/api/send", json!({"text": ASKS, "id": "tab:2"})).1["id"], "msg_2", "known, though the session is busy");
    let busy = world.post("/api/send", json!({"text": ASKS, "id": "tab:3"})).1;
    assert_eq!((&busy["code"], &busy["client_id"]), (&json!("session_busy"), &json!("tab:3")));
    let blank = world.post("/api/send", json!({"text": " ", "id": "tab:4"})).1;
    assert_eq!((&blank["code"], &blank["client_id"]), (&json!("message_blank"), &json!("tab:4")));
    assert_eq!(world.post("/api/send", json!({"text": ASKS, "id": "no good"})).1["code"], "invalid_client_id");
    assert_eq!(world.post("/api/stop", Value::Null), (200, json!({"status":"ok"})));
    assert_eq!(world.get("/api/result").1["status"], "error");
    assert_eq!(world.post("/api/action", json!({"action": "none"})).1["code"], "stale_control");
    assert_eq!(world.post("/api/cancel", json!({"pid": 99})), (200, json!({"status":"ok"})));
}

#[test]
fn a_reader_that_stands_still_is_told_and_then_cut() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.take(socket);
    world.stuck.push(socket);
    world.say(socket, r#"{"text":"hello"}"#);
    world.pass(bounds::WRITE_TIME + Duration::from_secs(1));
    assert!(!world.closed.contains(&socket));
    world.pass(bounds::WRITE_TIME);
    assert!(world.closed.contains(&socket));
    assert_eq!(world.shard.sizes().watchers, 0);
}

#[test]
fn a_client_that_has_gone_with_a_write_standing_still_is_not_waited_for_twice() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.take(socket);
    world.stuck.push(socket);
    world.say(socket, r#"{"text":"hello"}"#);
    world.tick(vec![Event::Ended { socket }]);
    world.pass(bounds::WRITE_TIME + Duration::from_secs(1));
    assert!(world.closed.contains(&socket));
}

#[test]
fn silent_websockets_are_pinged_and_then_cut_and_event_streams_get_comments() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    let events = world.connect();
    world.send(events, b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.take(events);
    world.take(socket);
    world.pass(bounds::SILENCE_MAX / 3);
    assert_eq!(world.sent.remove(&socket).unwrap(), [0x89, 0]);
    assert_eq!(world.take(events), ": awake\n\n".repeat(2));
    world.send(socket, &frame(0x8a, b""));
    world.pass(bounds::SILENCE_MAX - Duration::from_secs(1));
    assert!(!world.closed.contains(&socket), "its pong was a sign of life");
    world.pass(Duration::from_secs(2));
    assert!(world.closed.contains(&socket) && !world.closed.contains(&events));
}

#[test]
fn a_resumed_event_stream_starts_with_whether_anything_was_missed() {
    let mut world = World::new(settings());
    assert_eq!(world.post("/api/send", json!({"text": PLAIN})).0, 200);
    let last = world.get("/api/history").1["seq"].as_u64().unwrap();
    for (since, has_gap) in [(last, false), (1, true)] {
        let socket = world.websocket(&format!("/ws/trace?since={since}"));
        let events = world.connect();
        world.send(events, format!("GET /api/events HTTP/1.1\r\nHost: localhost\r\nlast-event-id: {since}\r\n\r\n").as_bytes());
        for socket in [socket, events] {
            let text = world.take(socket);
            assert!(text.contains(r#"{"type":"attached","seq":"#), "{since}: {text}");
            assert_eq!(text.contains(r#""gap":true}"#), has_gap, "{since}: {text}");
        }
    }
    let fresh = world.websocket("/ws/trace");
    assert!(!world.take(fresh).contains("attached"), "who resumes nothing has missed nothing");
}

#[test]
fn a_stream_of_one_turn_ends_with_it() {
    let mut world = World::new(settings());
    let follow = |world: &mut World, turn: &str, since: &str| {
        let socket = world.connect();
        world.send(socket, format!("GET /api/events?turn={turn}{since} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        socket
    };
    let chat = world.websocket("/ws");
    world.say(chat, &json!({ "text": ASKS }).to_string());
    world.say(chat, &json!({ "text": PLAIN }).to_string());
    let (running, waiting, never) = (follow(&mut world, "msg_1", ""), follow(&mut world, "msg_2", ""), follow(&mut world, "msg_3", ""));
    let refused = world.take(never);
    assert!(refused.contains(r#"data: {"type":"done","#) && refused.contains(r#""code":"unknown_turn""#), "{refused}");
    assert!(world.shut.contains(&never));
    for (turn, code, says) in [
        ("msg_0", "unknown_turn", "this session knows no such turn"),
        ("msg_3", "unknown_turn", "this session knows no such turn"),
        ("msg_1", "turn_not_kept", "this turn has not ended"),
        ("msg_2", "turn_not_kept", "this turn has not ended"),
    ] {
        let (status, body) = world.get(&format!("/api/turn?id={turn}"));
        assert_eq!((status, &body["code"]), (404, &json!(code)), "{turn}");
        assert!(body["detail"].as_str().unwrap().starts_with(says), "{turn}: {body}");
    }
    let begun = world.take(running);
    assert!(begun.contains(r#""event":"turn_started""#), "it is shown from its start: {begun}");
    assert_eq!(world.take(waiting).matches("data: ").count(), 0);
    assert!(!world.shut.contains(&running) && !world.shut.contains(&waiting));
    while !world.calls.is_empty() {
        world.complete("{}");
    }
    let end = |turn: &str| format!(r#"data: {{"type":"done","id":"{turn}","#);
    for (socket, turn) in [(running, "msg_1"), (waiting, "msg_2")] {
        let shown = world.take(socket);
        assert!(shown.contains(r#""event":"frame_trace""#) && shown.contains(&end(turn)), "{turn}: {shown}");
        assert!(shown.lines().filter(|line| line.starts_with("data: ")).all(|line| line.contains(turn)), "nothing of another: {shown}");
        assert!(world.shut.contains(&socket), "the stream of {turn} ends");
    }
    let whole = follow(&mut world, "msg_2", "");
    let shown = world.take(whole);
    assert!(shown.contains(r#""event":"turn_started""#) && shown.contains(&end("msg_2")), "a turn that has ended is shown whole: {shown}");
    let late = follow(&mut world, "msg_2", "&since=18446744073709551615");
    let shown = world.take(late);
    assert!(shown.contains(&end("msg_2")) && world.shut.contains(&late), "{shown}");
    assert_eq!(world.get("/api/events?turn=seven").1["code"], "invalid_parameter");
    assert_eq!(world.get("/api/turn?id=7").1["detail"], "`id` must name a turn as `msg_<n>`");
    assert_eq!(world.get("/api/turn").1["code"], "invalid_parameter");
}

#[test]
fn draining_ends_running_turns_first_and_stopping_says_goodbye() {
    let mut world = World::new(settings());
    let (socket, idle) = (world.websocket("/ws"), world.connect());
    world.say(socket, &json!({"text": ASKS, "id": "m1"}).to_string());
    world.tick(vec![Event::Drain]);
    assert!(world.ended.is_empty(), "a turn is running");
    assert!(matches!(world.jobs.as_slice(), [(_, Job::StopTests)]));
    world.take(socket);
    world.say(socket, r#"{"text":"more"}"#);
    assert!(world.take(socket).contains(r#""code":"draining""#));
    let again = json!({"text": ASKS, "id": "m1"});
    world.say(socket, &again.to_string());
    assert!(world.take(socket).contains(r#""id":"msg_1","content":"","client_id":"m1""#), "a message that is known gets its turn");
    assert_eq!(world.post("/api/send", again).1["id"], "msg_1");
    assert_eq!(world.get("/health"), (503, json!({"status":"draining","detail":answers::DRAINING,"code":"draining"})));
    for _ in 0..8 {
        world.complete("{}");
    }
    assert_eq!(world.ended, ["drained"]);
    world.take(socket);
    world.tick(vec![Event::Stop]);
    let goodbye = world.sent.remove(&socket).unwrap();
    assert_eq!((goodbye[0], &goodbye[2..4]), (0x88, &1001u16.to_be_bytes()[..]));
    assert!(world.closed.contains(&idle));
    world.reading.remove(&socket);
    world.tick(vec![Event::Ended { socket }]);
    world.pass(bounds::FAREWELL_TIME);
    assert_eq!(world.ended, ["drained", "stopped"]);
}

#[test]
fn a_job_answers_its_connection_in_time_or_not_at_all() {
    let mut world = World::new(settings());
    let socket = world.connect();
    world.send(socket, b"GET /api/tests/suites HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (ticket, job) = world.jobs.pop().unwrap();
    assert_eq!(job, Job::ListSuites);
    world.tick(vec![Event::JobDone { ticket, outcome: JobOutcome::Reply(Reply::ok(&json!({"suites": []}))) }]);
    assert!(world.take(socket).contains(r#"{"suites":[]}"#));
    world.send(socket, b"GET /api/tests HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.pass(bounds::JOB_TIME);
    assert!(world.take(socket).contains(r#""code":"unavailable""#));
}

#[test]
fn what_arrives_in_part_has_a_budget() {
    let mut world = World::new(Settings { input_bytes_max: 100_000, ..settings() });
    let head = "POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n";
    let (one, two) = (world.connect(), world.connect());
    for socket in [one, two] {
        world.send(socket, format!("{head}{}", "x".repeat(59_000)).as_bytes());
    }
    assert_eq!(world.take(one), "");
    assert!(world.take(two).contains(r#""code":"memory_full""#));
    assert_eq!(world.shard.sizes().input_bytes, 59_000);
    world.reading.remove(&one);
    world.tick(vec![Event::Ended { socket: one }]);
    assert_eq!(world.shard.sizes().input_bytes, 0);
}

#[test]
fn a_call_that_fails_ends_its_turn_with_an_error() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.say(socket, &json!({"text": ASKS}).to_string());
    let (session, call) = world.calls.pop().unwrap();
    let outcome = Err(CallError::Unreachable);
    world.tick(vec![Event::Completion { session, call, usage: Usage::default(), waited_us: 0, outcome }]);
    assert!(world.take(socket).contains(r#""error":"The model can't be reached"#));
    assert_eq!(world.shard.sizes().calls, 0);
}

#[test]
fn a_second_socket_of_a_session_shows_the_same_and_costs_no_second_write_of_events() {
    let mut world = World::new(settings());
    let (one, two) = (world.websocket("/ws"), world.websocket("/ws"));
    world.take(one);
    world.take(two);
    world.say(one, r#"{"text":"hello"}"#);
    let (first, second) = (world.take(one), world.take(two));
    assert!(first.contains(r#""type":"done""#));
    assert_eq!(first, second);
}

#[test]
fn a_repeated_end_never_overtakes_the_answer() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.take(socket);
    world.stuck.push(socket);
    let named = r#"{"text":"hello","id":"a"}"#;
    world.say(socket, named);
    world.take(socket);
    world.say(socket, r#"{"text":"hello","id":"b"}"#);
    world.say(socket, r#"{"text":"hello","id":"b"}"#);
    assert_eq!(world.take(socket), "", "the first write stands still");
    world.stuck.clear();
    world.tick(vec![Event::Written { socket, buffer: Vec::new() }]);
    let caught_up = world.take(socket);
    let place = |what: &str| caught_up.find(what).unwrap_or_else(|| panic!("{what}: {caught_up}"));
    let (answer, repeat) = (place(r#""type":"done","id":"msg_2""#), place(r#"{"type":"done","id":"msg_2","client_id":"b"}"#));
    assert!(answer < repeat, "{caught_up}");
}

#[test]
fn a_socket_that_was_told_goodbye_watches_no_longer_while_it_lingers() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.say(socket, r#"{"text":"hello"}"#);
    world.send(socket, &frame(0x83, b"no such frame"));
    assert!(world.shut.contains(&socket) && !world.closed.contains(&socket));
    assert_eq!(world.shard.sizes().watchers, 0);
    world.complete("{}");
    world.pass(bounds::LINGER_TIME);
    assert_eq!(world.shard.sizes().sockets, 0);
}

#[test]
fn pings_are_no_part_of_a_message() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    for _ in 0..10 {
        world.send(socket, &frame(0x89, b"are you there?"));
    }
    assert_eq!(world.shard.sizes().input_bytes, 0);
    world.send(socket, &frame(0x01, b"the first piece"));
    world.send(socket, &frame(0x89, b"?"));
    assert_eq!(world.shard.sizes().input_bytes, frame(0x01, b"the first piece").len());
}
