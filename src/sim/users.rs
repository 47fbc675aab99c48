//! Clients: what they send, how they hold on to a conversation, and what they make of what they receive.
//!
//! A client names its messages and sends them again after a reconnect until they are acknowledged; it resumes from the last
//! event that it has seen.

use super::client::{KEY, frame};
use super::network::Expected;
use super::script::{Do, Kind, Rude, SECOND, Text, Wire};
use super::world::{Happens, SILENCE_TIME, World};
use super::{below, mix};
use crate::shard::event::Show;
use fastrand::Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

pub(super) struct Client {
    pub(super) kind: Kind,
    /// Wants a connection, and connects again when it breaks.
    pub(super) wants: bool,
    pub(super) line: Option<usize>,
    pub(super) serial: u32,
    pub(super) is_open: bool,
    /// It will send again what was refused because of the journal.
    pub(super) tries_again: bool,
    /// The last event seen.
    pub(super) since: Option<u64>,
    pub(super) segments: Vec<Segment>,
    /// Named messages that are not acknowledged.
    pub(super) unacknowledged: Vec<Named>,
    pub(super) last_named: Option<Named>,
    /// Requests that are out on the connection, and those that wait for one.
    pub(super) asked: VecDeque<Asked>,
    pub(super) waiting: VecDeque<Asked>,
    pub(super) button: Option<Value>,
    pub(super) pid: u64,
    /// The last answer to each question.
    pub(super) answers: BTreeMap<&'static str, Value>,
    /// All of it in order, for comparing.
    pub(super) seen: Vec<String>,
}

#[derive(Clone)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) json: String,
}

pub(super) struct Asked {
    pub(super) what: &'static str,
    /// The message or action that it carries, by its name.
    pub(super) id: Option<String>,
    pub(super) bytes: Vec<u8>,
    pub(super) is_head: bool,
}

/// What one connection showed of a session's events.
pub(super) struct Segment {
    /// It shows what comes after this; unknown until the first event where nobody says.
    pub(super) after: Option<u64>,
    pub(super) seqs: Vec<u64>,
    pub(super) is_chat: bool,
    /// The server has said that something is missing.
    pub(super) has_gap: bool,
    pub(super) is_live: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    ByServer,
    Reset,
    Broken,
}

impl Client {
    pub(super) fn new(wire: &Wire) -> Client {
        Client {
            kind: wire.kind,
            wants: false,
            line: None,
            serial: 0,
            is_open: false,
            tries_again: false,
            since: None,
            segments: Vec::new(),
            unacknowledged: Vec::new(),
            last_named: None,
            asked: VecDeque::new(),
            waiting: VecDeque::new(),
            button: None,
            pid: 1,
            answers: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    /// Why it is not at rest yet.
    pub(super) fn is_waiting_for(&self) -> Option<String> {
        let named: Vec<&str> = self.unacknowledged.iter().map(|named| named.id.as_str()).collect();
        let asked: Vec<&str> = self.asked.iter().chain(&self.waiting).map(|asked| asked.what).collect();
        match (self.wants && !self.is_open, named.is_empty() || !self.wants, asked.is_empty()) {
            (true, ..) => Some("a connection".to_owned()),
            (_, false, _) => Some(format!("acknowledgements of {named:?}")),
            (_, _, false) => Some(format!("answers to {asked:?}")),
            (false, true, true) => None,
        }
    }
}

impl World<'_> {
    pub(super) fn client(&mut self, user: usize, client: usize) -> &mut Client {
        &mut self.users[user][client]
    }

    pub(super) fn step(&mut self, user: usize, step: usize) {
        let step = self.script.users[user].steps[step].clone();
        let (number, client) = (self.script.users[user].number, step.client);
        match (step.what, self.client(user, client).kind) {
            (Do::Connect, _) => {
                self.client(user, client).wants = true;
                self.connect(user, client);
            }
            (Do::Leave { is_abrupt }, kind) => {
                let it = self.client(user, client);
                it.wants = false;
                let Some(line) = it.line.take() else { return };
                let is_open = std::mem::take(&mut it.is_open);
                if !is_abrupt && is_open && kind != Kind::Stream(Show::Events) && kind != Kind::Http {
                    self.send(line, &frame(0x88, &1000_u16.to_be_bytes()));
                }
                self.lines[line].misbehaved = true;
                self.hang_up(line, is_abrupt);
                self.forget_line(user, client);
            }
            (Do::Message { number: nth, text, is_named, while_busy }, kind) => {
                let id = is_named.then(|| format!("{client}-{nth}"));
                let text = written(number, nth, text);
                let mut json = json!({ "text": text });
                if let Some(while_busy) = while_busy {
                    json["while_busy"] = json!(while_busy);
                }
                if let Some(id) = &id {
                    json["id"] = json!(id);
                }
                self.say(user, client, kind, id, &json, "/api/send");
            }
            (Do::Press { number: nth, is_named }, kind) => {
                let id = is_named.then(|| format!("{client}-{nth}"));
                let button = self.client(user, client).button.clone();
                let mut json =
                    button.map_or(json!({ "action": "on" }), |button| json!({ "action": button["action"], "source": button["source"] }));
                json["type"] = json!("action");
                if let Some(id) = &id {
                    json["id"] = json!(id);
                }
                self.say(user, client, kind, id, &json, "/api/action");
            }
            (Do::Again, kind) => {
                let Some(named) = self.client(user, client).last_named.clone() else { return };
                let json: Value = serde_json::from_str(&named.json).expect("we wrote it");
                let has = |field: &str| json[field].is_string();
                let path = match (has("text"), has("action"), has("message")) {
                    (true, ..) => "/api/send",
                    (_, true, _) => "/api/action",
                    (.., true) => "/api/turn/edit",
                    _ => "/api/turn/retry",
                };
                self.say(user, client, kind, Some(named.id), &json, path);
            }
            (Do::Retry { number: nth, turn, is_named }, kind) => {
                let id = is_named.then(|| format!("{client}-{nth}"));
                let json = json!({ "id": turn.map(|turn| format!("msg_{turn}")), "client_id": id });
                self.say(user, client, kind, id, &json, "/api/turn/retry");
            }
            (Do::Edit { number: nth, turn, text, is_named }, kind) => {
                let id = is_named.then(|| format!("{client}-{nth}"));
                let json = json!({ "id": format!("msg_{turn}"), "message": written(number, nth, text), "client_id": id });
                self.say(user, client, kind, id, &json, "/api/turn/edit");
            }
            (Do::Stop { waiting }, Kind::Http) => {
                let body = waiting.then(|| json!({ "waiting": true }));
                self.post(user, client, "/api/stop", body.as_ref(), None);
            }
            (Do::Stop { waiting }, _) => self.say_plain(user, client, &json!({ "type": "stop", "waiting": waiting })),
            (Do::Cancel, kind) => {
                let pid = self.client(user, client).pid;
                match kind {
                    Kind::Http => self.post(user, client, "/api/cancel", Some(&json!({ "pid": pid })), None),
                    _ => self.say_plain(user, client, &json!({ "type": "cancel_process", "pid": pid })),
                }
                self.client(user, client).pid += 1;
            }
            (Do::Clear, _) => self.post(user, client, "/api/clear", None, None),
            (Do::Switch { graph, keep }, _) => {
                self.post(user, client, "/api/graph/switch", Some(&json!({ "name": graph, "keep": keep })), None);
            }
            (Do::Report(event), _) => {
                let report = json!({ "event": event, "suite": "s", "result": { "status": "PASS", "step": "a", "check": "b" } });
                self.post(user, client, "/api/test/status", Some(&report), None);
            }
            (Do::Ask(path), _) => self.ask(user, client, path),
            (Do::Ping, _) => {
                if let Some(line) = self.client(user, client).line.filter(|_| self.users[user][client].is_open) {
                    self.send(line, &frame(0x89, b"p"));
                }
            }
            (Do::Rude(rude), _) => self.be_rude(user, client, rude),
        }
    }

    /// Sends a message or an action, over whatever the client has.
    fn say(&mut self, user: usize, client: usize, kind: Kind, id: Option<String>, json: &Value, path: &'static str) {
        if kind == Kind::Http {
            if let Some(id) = &id {
                self.client(user, client).last_named = Some(Named { id: id.clone(), json: json.to_string() });
            }
            return self.post(user, client, path, Some(json), id);
        }
        match id {
            None => self.say_plain(user, client, json),
            Some(id) => {
                let named = Named { id, json: json.to_string() };
                let it = self.client(user, client);
                it.last_named = Some(named.clone());
                it.unacknowledged.push(named);
                self.say_plain(user, client, json);
            }
        }
    }

    /// Sends a text on an open chat socket; else nothing.
    fn say_plain(&mut self, user: usize, client: usize, json: &Value) {
        let it = self.client(user, client);
        if let (Some(line), true) = (it.line, it.is_open) {
            self.send(line, &frame(0x81, json.to_string().as_bytes()));
        }
    }

    pub(super) fn ask(&mut self, user: usize, client: usize, path: &'static str) {
        let number = self.script.users[user].number;
        let separator = if path.contains('?') { '&' } else { '?' };
        let is_head = path == "/health";
        let method = if is_head { "HEAD" } else { "GET" };
        let bytes = format!("{method} {path}{separator}session=u{number} HTTP/1.1\r\nHost: localhost:7878\r\n\r\n").into_bytes();
        self.request(user, client, Asked { what: path, id: None, bytes, is_head });
    }

    fn post(&mut self, user: usize, client: usize, path: &'static str, json: Option<&Value>, id: Option<String>) {
        let number = self.script.users[user].number;
        let mut head = format!("POST {path}?session=u{number} HTTP/1.1\r\nHost: localhost:7878\r\n");
        let body = json.map(Value::to_string).unwrap_or_default();
        let draw = mix(mix(self.script.seed, self.now), number);
        if json.is_some() {
            head += "Content-Type: application/json\r\n";
        }
        let body = match draw % 4 {
            0 if json.is_some() => {
                head += "Transfer-Encoding: chunked\r\n";
                let middle = (body.len() / 2..body.len()).find(|at| body.is_char_boundary(*at)).unwrap_or(0);
                let chunk = |part: &str| if part.is_empty() { String::new() } else { format!("{:x}\r\n{part}\r\n", part.len()) };
                format!("{}{}0\r\n\r\n", chunk(&body[..middle]), chunk(&body[middle..]))
            }
            _ => {
                head += &format!("Content-Length: {}\r\n", body.len());
                body
            }
        };
        if let (Some(id), 1) = (&id, draw % 2) {
            head += &format!("Idempotency-Key: {id}\r\n");
        }
        self.request(user, client, Asked { what: path, id, bytes: format!("{head}\r\n{body}").into_bytes(), is_head: false });
        if draw % 5 == 4 {
            // Without waiting for the answer.
            self.ask(user, client, "/api/result");
        }
    }

    /// Sends a request on the connection that is there, or on a new one.
    fn request(&mut self, user: usize, client: usize, asked: Asked) {
        if self.client(user, client).line.is_none() {
            self.connect(user, client);
        }
        let it = self.client(user, client);
        let Some(line) = it.line else { return it.waiting.push_back(asked) };
        let bytes = asked.bytes.clone();
        it.asked.push_back(asked);
        self.lines[line].peer.asks(self.users[user][client].asked.back().is_some_and(|asked| asked.is_head));
        self.send(line, &bytes);
    }

    pub(super) fn connect(&mut self, user: usize, client: usize) {
        let number = self.script.users[user].number;
        let it = self.client(user, client);
        if it.line.is_some() {
            return;
        }
        let (kind, serial, since) = (it.kind, it.serial, it.since);
        it.serial += 1;
        let line = self.dial(user, client, serial);
        self.client(user, client).line = Some(line);
        let Kind::Stream(show) = kind else { return };
        if self.script.users[user].clients[client].is_mute && show != Show::Events {
            self.later(SILENCE_TIME, Happens::MustHaveEnded { line });
        }
        let path = match show {
            Show::Chat => "/ws",
            Show::Trace => "/ws/trace",
            Show::Tests => "/ws/test",
            Show::Events => "/api/events",
            Show::Turn(_) | Show::Echo => unreachable!("users of the simulation follow sessions"),
        };
        let since = since.map_or(String::new(), |since| format!("&since={since}"));
        let upgrade = match show {
            Show::Events => String::new(),
            _ => format!("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"),
        };
        let request = format!("GET {path}?session=u{number}{since} HTTP/1.1\r\nHost: localhost:7878\r\n{upgrade}\r\n");
        self.lines[line].peer.asks(false);
        self.send(line, request.as_bytes());
    }

    /// The journal failed: what was refused is sent again in a while.
    pub(super) fn try_later(&mut self, user: usize, client: usize) {
        if !std::mem::replace(&mut self.client(user, client).tries_again, true) {
            let draw = mix(mix(self.script.seed, self.now), client as u64);
            self.later(50_000 + draw % 400_000, Happens::TryAgain { user, client });
        }
    }

    pub(super) fn try_again(&mut self, user: usize, client: usize) {
        let it = self.client(user, client);
        it.tries_again = false;
        let (line, waiting, named): (_, Vec<Asked>, _) = (it.line, it.waiting.drain(..).collect(), it.unacknowledged.clone());
        if self.is_stopping {
            return;
        }
        match (self.users[user][client].kind, line.filter(|_| self.users[user][client].is_open)) {
            (Kind::Stream(_), Some(line)) => named.iter().for_each(|named| self.send(line, &frame(0x81, named.json.as_bytes()))),
            // What is not acknowledged is sent when it connects.
            (Kind::Stream(_), None) => {}
            (Kind::Http | Kind::Rude, _) => waiting.into_iter().for_each(|asked| self.request(user, client, asked)),
        }
    }

    pub(super) fn reconnect(&mut self, user: usize, client: usize) {
        let it = &self.users[user][client];
        if self.is_stopping || it.line.is_some() {
            return;
        }
        let waiting: Vec<Asked> = self.client(user, client).waiting.drain(..).collect();
        match self.users[user][client].kind {
            Kind::Stream(_) if self.users[user][client].wants => self.connect(user, client),
            _ => waiting.into_iter().for_each(|asked| self.request(user, client, asked)),
        }
    }

    /// A connection has ended, and not by the client's will.
    pub(super) fn left(&mut self, line: usize, how: Left) {
        let it = &self.lines[line];
        let (user, client, expects) = (it.user, it.client, it.expects);
        let may_be_lost = it.cut_is_planned() || how == Left::Broken;
        if let (Some(expected), false) = (expects, may_be_lost || self.is_stopping) {
            return self.fail(format!("connection {line} ended ({how:?}), and its client never saw {expected:?}"));
        }
        // An event stream can't say why.
        let may_end = !it.peer.is_websocket() && (self.is_stopping || self.journal_may_fail());
        if it.peer.is_stream() && it.is_healthy() && how != Left::Broken && !may_end {
            let number = self.script.users[user].number;
            self.fail(format!("the server ended ({how:?}) a healthy stream of user {number}, client {client}, without a goodbye"));
        }
        if self.users[user][client].line == Some(line) {
            self.client(user, client).line = None;
            self.forget_line(user, client);
        }
    }

    /// What was out on a connection that is no more: what has a name is sent again.
    pub(super) fn forget_line(&mut self, user: usize, client: usize) {
        let draw = mix(mix(self.script.seed, self.now), client as u64);
        let it = self.client(user, client);
        it.is_open = false;
        if let Some(segment) = it.segments.last_mut() {
            segment.is_live = false;
        }
        let again: Vec<Asked> = it.asked.drain(..).filter(|asked| asked.id.is_some()).collect();
        it.waiting.extend(again);
        if it.wants || !it.waiting.is_empty() {
            self.later(1_000 + draw % 400_000, Happens::Reconnect { user, client });
        }
    }

    fn be_rude(&mut self, user: usize, client: usize, rude: Rude) {
        let number = self.script.users[user].number;
        let it = self.client(user, client);
        let serial = it.serial;
        it.serial += 1;
        let line = self.dial(user, client, serial);
        self.client(user, client).line = Some(line);
        let head = |rest: &str| format!("POST /api/clear?session=u{number} HTTP/1.1\r\nHost: localhost:7878\r\n{rest}\r\n").into_bytes();
        let json = "Content-Type: application/json\r\n";
        let upgrade = format!(
            "GET /ws?session=u{number} HTTP/1.1\r\nHost: localhost:7878\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        let then = |frame: Vec<u8>| [upgrade.as_bytes(), &frame].concat();
        let huge = [&[0x81, 0xff][..], &(2_u64 << 20).to_be_bytes(), &[0; 4], &[b'x'; 200_000]].concat();
        let (bytes, expects) = match rude {
            Rude::NotHttp => (b"\x16\x03\x01 hello\r\n\r\n".to_vec(), Some(Expected::Status(400))),
            Rude::HalfHead => (b"GET / HTTP/1.1\r\nHost: local".to_vec(), None),
            Rude::HalfBody => ([&head(&format!("{json}Content-Length: 100\r\n"))[..], b"{"].concat(), None),
            Rude::SlowBody => ([&head(&format!("{json}Transfer-Encoding: chunked\r\n"))[..], b"5\r\n{"].concat(), None),
            Rude::LongHead => (head(&format!("X: {}\r\n", "x".repeat(40_000))), Some(Expected::Status(431))),
            Rude::LongBody => {
                ([&head(&format!("{json}Content-Length: 3000000\r\n"))[..], &[b'x'; 100_000]].concat(), Some(Expected::Status(413)))
            }
            Rude::TwoFramings => (head("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), Some(Expected::Status(400))),
            Rude::ForeignOrigin => (head("Origin: http://evil.example\r\nContent-Length: 0\r\n"), Some(Expected::Code("foreign_origin"))),
            Rude::UnknownHost => (b"GET /api/state HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec(), Some(Expected::Code("unknown_host"))),
            Rude::BadFrame => (then(vec![0x81, 2, b'h', b'i']), Some(Expected::Goodbye(1002))),
            Rude::HugeFrame => (then(huge), Some(Expected::Goodbye(1009))),
            Rude::Binary => (then(frame(0x82, b"hi")), Some(Expected::Code("message_binary"))),
            Rude::BadJson => (then(frame(0x81, b"{")), Some(Expected::Code("invalid_json"))),
        };
        self.lines[line].expects = expects;
        self.lines[line].peer.asks(false);
        self.send(line, &bytes);
        self.later(100 * SECOND, Happens::MustHaveEnded { line });
    }
}

fn written(user: u64, nth: u64, text: Text) -> String {
    let rng = &mut Rng::with_seed(mix(user, nth));
    match text {
        Text::Greeting => ["hello", "danke", "thanks", "hi"][below(rng, 4) as usize].to_owned(),
        Text::Question => format!("what about {nth}? ~u{user}~"),
        Text::Long => format!("~u{user}~ {}", "ein wörtchen ".repeat(400)),
        Text::Blank => " \n".to_owned(),
        Text::TooLong => format!("~u{user}~").repeat(60_000),
    }
}
