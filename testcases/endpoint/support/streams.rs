//! WebSockets and event streams from the client's side.

use super::http::Wire;
use super::patience::PATIENCE;
use serde_json::Value;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::{Error, Message};

/// Any of the three sockets.
pub(crate) struct WebSocket {
    socket: tungstenite::WebSocket<TcpStream>,
}

impl WebSocket {
    /// Attaches; `target` is path and query.
    pub(crate) fn open(address: SocketAddr, target: &str) -> WebSocket {
        let wire = Wire::open(address);
        let (socket, _) = tungstenite::client(format!("ws://{address}{target}"), wire.stream).unwrap();
        WebSocket { socket }
    }

    pub(crate) fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string()));
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }

    /// The next message, as JSON.
    pub(crate) fn next(&mut self) -> Value {
        match self.next_message() {
            Message::Text(text) => serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}")),
            other => panic!("a message of text was expected, not {other:?}"),
        }
    }

    /// The next message of any kind but pings, which the client answers by itself and which end no waiting.
    pub(crate) fn next_message(&mut self) -> Message {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match self.socket.read() {
                Ok(Message::Ping(_)) => {}
                Ok(message) => return message,
                Err(error) => panic!("no message came within {PATIENCE:?}: {error}"),
            }
        }
        panic!("no message came within {PATIENCE:?}, only pings");
    }

    /// Messages up to and with the first that is meant.
    pub(crate) fn until(&mut self, is_meant: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            seen.push(self.next());
            if is_meant(&seen[seen.len() - 1]) {
                return seen;
            }
        }
    }

    /// Messages up to the end of a turn.
    pub(crate) fn until_done(&mut self, id: &str) -> Vec<Value> {
        self.until(|message| message["type"] == "done" && message["id"] == id)
    }

    /// Events of a trace socket up to the one that closes a turn.
    pub(crate) fn until_trace(&mut self, id: &str) -> Vec<Value> {
        self.until(|event| event["event"] == "frame_trace" && event["turn"] == id)
    }

    /// The farewell of the server; what comes before it is skipped.
    pub(crate) fn farewell(&mut self) -> Option<CloseFrame> {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the server did not say goodbye within {PATIENCE:?}");
            match self.socket.read() {
                Ok(Message::Close(frame)) => return frame,
                Ok(_) => {}
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return None,
                Err(error) => panic!("the server did not say goodbye: {error}"),
            }
        }
    }

    /// Says goodbye and waits for the answer.
    pub(crate) fn close(mut self) -> Option<CloseFrame> {
        self.socket.close(None).unwrap();
        self.farewell()
    }
}

/// What comes on an event stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Told {
    pub(crate) id: Option<u64>,
    pub(crate) event: Value,
}

/// `GET /api/events`.
pub(crate) struct Events {
    wire: Wire,
}

impl Events {
    /// Attaches; `target` is path and query, `headers` are whole lines.
    pub(crate) fn open(address: SocketAddr, target: &str, headers: &str) -> Events {
        let mut wire = Wire::open(address);
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{headers}\r\n"));
        let answer = wire.answer();
        assert_eq!(answer.status, 200, "{answer:?}");
        for (name, value) in [("cache-control", "no-cache"), ("x-accel-buffering", "no")] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
        let mut events = Events { wire };
        let first = events.wire.line().expect("a first line");
        assert!(first.starts_with(':'), "the first line is a comment, at once: {first:?}");
        events
    }

    /// The next line as it comes.
    pub(crate) fn next_line(&mut self) -> Option<String> {
        self.wire.line()
    }

    pub(crate) fn next(&mut self) -> Told {
        let (mut id, mut data) = (None, None);
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "no event came within {PATIENCE:?}, only comments");
            let line = self.wire.line().expect("an event instead of the stream's end");
            match line.split_once(": ") {
                Some(("id", number)) => id = Some(number.parse().unwrap()),
                Some(("data", json)) => {
                    assert!(data.is_none(), "an event is one line of JSON");
                    data = Some(serde_json::from_str(json).unwrap());
                }
                None if line.is_empty() => {
                    if let Some(event) = data {
                        return Told { id, event };
                    }
                }
                _ => assert!(line.starts_with(':'), "a line of an event stream: {line:?}"),
            }
        }
    }

    pub(crate) fn until(&mut self, is_meant: impl Fn(&Value) -> bool) -> Vec<Told> {
        let mut seen = Vec::new();
        loop {
            seen.push(self.next());
            if is_meant(&seen[seen.len() - 1].event) {
                return seen;
            }
        }
    }

    /// Events up to the one that closes a turn.
    pub(crate) fn until_trace(&mut self, id: &str) -> Vec<Told> {
        self.until(|event| event["event"] == "frame_trace" && event["turn"] == id)
    }

    /// Waits until the server has ended the stream.
    pub(crate) fn is_ended(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.wire.line().is_none() {
                return true;
            }
        }
        false
    }
}

/// The text of a turn's answer as a chat socket showed it.
pub(crate) fn answer_text<'a>(messages: impl IntoIterator<Item = &'a Value>, id: &str) -> String {
    let mut answer = String::new();
    for message in messages.into_iter().filter(|message| message["type"] == "delta" && message["id"] == id) {
        match (message["kind"].as_str(), message["content"].as_str().unwrap()) {
            (None, piece) => answer.push_str(piece),
            (Some("retold"), whole) => whole.clone_into(&mut answer),
            (Some(_), _) => {}
        }
    }
    answer
}

/// The numbers of chat messages; they must rise strictly.
pub(crate) fn seqs<'a>(messages: impl IntoIterator<Item = &'a Value>) -> Vec<u64> {
    let seqs: Vec<u64> = messages.into_iter().filter_map(|message| message["seq"].as_u64()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b), "seq rises strictly: {seqs:?}");
    seqs
}
