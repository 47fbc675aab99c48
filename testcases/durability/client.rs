//! A client that means well: it names its messages, sends them again until they are acknowledged, and resumes where it was.
//!
//! It checks as it goes: one turn for each message, one end for each turn, nothing twice, and no gap.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tungstenite::{Error, Message, WebSocket};

/// How long it looks at what it does beside reading.
const GLANCE: Duration = Duration::from_millis(100);

pub(crate) struct Client {
    address: SocketAddr,
    pub(crate) session: String,
    socket: Option<WebSocket<TcpStream>>,
    /// The last number that it has seen.
    pub(crate) seen: u64,
    /// The message that has no end yet.
    pending: Option<String>,
    sent: usize,
    /// The turn of each acknowledged message, and the code that its end had.
    pub(crate) turns: BTreeMap<String, String>,
    pub(crate) ends: BTreeMap<String, Option<String>>,
    /// When the socket was last lost, and how long it took each time until the first piece of an answer came again.
    lost: Option<Instant>,
    pub(crate) recoveries: Vec<Duration>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, session: String) -> Client {
        let (turns, ends) = (BTreeMap::new(), BTreeMap::new());
        Client { address, session, socket: None, seen: 0, pending: None, sent: 0, turns, ends, lost: None, recoveries: Vec::new() }
    }

    /// How many messages it has sent.
    pub(crate) fn sent(&self) -> usize {
        self.sent
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_none()
    }

    /// Does what can be done now; with `asks` it sends another message when the last one has ended.
    pub(crate) fn go_on(&mut self, asks: bool) {
        if self.socket.is_none() && !self.connect() {
            std::thread::sleep(Duration::from_millis(10));
            return;
        }
        if self.pending.is_none() && asks {
            self.sent += 1;
            self.pending = Some(format!("m{}", self.sent));
            self.send();
        }
        self.read();
    }

    fn connect(&mut self) -> bool {
        let Ok(stream) = TcpStream::connect(self.address) else { return false };
        stream.set_read_timeout(Some(GLANCE)).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
        let since = if self.seen > 0 { format!("&since={}", self.seen) } else { String::new() };
        let target = format!("ws://{}/ws?session={}{since}", self.address, self.session);
        let begun = Instant::now();
        let mut shaken = tungstenite::client(target, stream);
        loop {
            match shaken {
                Ok((socket, _)) => {
                    self.socket = Some(socket);
                    self.send();
                    return self.socket.is_some();
                }
                Err(tungstenite::HandshakeError::Interrupted(middle)) if begun.elapsed() < Duration::from_secs(20) => {
                    shaken = middle.handshake();
                }
                Err(_) => return false,
            }
        }
    }

    /// Sends what is not acknowledged.
    fn send(&mut self) {
        let Some(id) = self.pending.clone().filter(|id| !self.turns.contains_key(id)) else { return };
        let message = json!({ "text": "why is the sky blue?", "id": id }).to_string();
        if let Some(socket) = &mut self.socket
            && socket.send(Message::text(message)).is_err()
        {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.socket = None;
        self.lost = Some(Instant::now());
    }

    fn read(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        match socket.read() {
            Ok(Message::Text(text)) => self.hear(&serde_json::from_str(&text).unwrap()),
            Ok(Message::Close(_)) => self.lose(),
            Ok(_) => {}
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.lose(),
        }
    }

    fn hear(&mut self, message: &Value) {
        let who = &self.session;
        assert_ne!(message["gap"], true, "{who} missed something: {message}");
        let is_greeting = !message["kept_from"].is_null();
        if let Some(seq) = message["seq"].as_u64().filter(|_| !is_greeting) {
            assert!(seq > self.seen, "{who} sees {seq} after {}: {message}", self.seen);
            self.seen = seq;
        }
        if message["type"] == "delta" {
            if let Some(since) = self.lost.take() {
                self.recoveries.push(since.elapsed());
            }
            if let (Some(id), Some(turn)) = (message["client_id"].as_str(), message["id"].as_str()) {
                let known = self.turns.entry(id.to_owned()).or_insert_with(|| turn.to_owned());
                assert_eq!(known, turn, "{who}: {id} has one turn");
            }
        }
        if message["type"] == "done" && message["refused"] != true {
            let turn = message["id"].as_str().unwrap().to_owned();
            let code = message["code"].as_str().map(str::to_owned);
            // An end that is repeated, because its message was sent again, has no number.
            let before = self.ends.insert(turn.clone(), code.clone());
            assert!(before.is_none() || message["seq"].is_null(), "{who}: {turn} ends twice: {message}");
            if self.pending.as_ref().and_then(|id| self.turns.get(id)) == Some(&turn) {
                self.pending = None;
            }
        }
        if message["type"] == "done" && message["refused"] == true && message["client_id"].as_str() == self.pending.as_deref() {
            // The server is about to end, or its journal fails: once more.
            std::thread::sleep(Duration::from_millis(20));
            self.send();
        }
    }
}
