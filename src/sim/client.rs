//! The client's end of a connection: reads answers, WebSocket frames and event streams out of whatever pieces come.
//!
//! Written against the specifications and with tungstenite's client side, not with the server's own code.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use tungstenite::protocol::{Message, Role, WebSocket, WebSocketConfig};
use tungstenite::{Error, handshake::derive_accept_key};

pub(super) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// What a server has sent.
#[derive(Debug, PartialEq)]
pub(super) enum Received {
    Answer {
        status: u16,
        body: String,
        is_last: bool,
    },
    /// The head of a WebSocket or an event stream.
    Opened,
    Text(String),
    /// An event of an event stream, with its id.
    Event {
        id: Option<u64>,
        data: String,
    },
    /// A close frame, with its reason.
    Goodbye(u16, String),
}

pub(super) struct Peer {
    state: State,
    /// What requests are out: whether they were `HEAD`.
    asked: VecDeque<bool>,
    buffer: Vec<u8>,
}

enum State {
    Http,
    WebSocket(Box<WebSocket<Memory>>),
    Events,
}

#[derive(Default)]
struct Memory {
    arrived: VecDeque<u8>,
    replies: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.arrived.is_empty() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => self.arrived.read(into),
        }
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Peer {
    pub(super) fn new() -> Peer {
        Peer { state: State::Http, asked: VecDeque::new(), buffer: Vec::new() }
    }

    pub(super) fn asks(&mut self, is_head: bool) {
        self.asked.push_back(is_head);
    }

    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.state, State::WebSocket(_))
    }

    pub(super) fn is_stream(&self) -> bool {
        !matches!(self.state, State::Http)
    }

    /// Whether the server broke off in the middle of something.
    pub(super) fn is_inside(&self) -> bool {
        match &self.state {
            State::Http | State::Events => !self.buffer.is_empty(),
            State::WebSocket(_) => false,
        }
    }

    /// Takes bytes that have arrived. What the protocol has to reply (pongs, the echo of a close) goes to `out`.
    pub(super) fn feed(&mut self, bytes: &[u8], received: &mut Vec<Received>, out: &mut Vec<u8>) -> Result<(), String> {
        match &mut self.state {
            State::WebSocket(socket) => {
                socket.get_mut().arrived.extend(bytes);
                return frames(socket, received, out);
            }
            State::Http | State::Events => self.buffer.extend_from_slice(bytes),
        }
        while let State::Http = self.state {
            if self.buffer.is_empty() || !self.answer(received, out)? {
                return Ok(());
            }
        }
        if let State::Events = self.state {
            while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
                received.extend(event_of(&event)?);
            }
        }
        Ok(())
    }

    /// Takes one whole answer, if it is there.
    fn answer(&mut self, received: &mut Vec<Received>, out: &mut Vec<u8>) -> Result<bool, String> {
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut slots);
        let length = match head.parse(&self.buffer) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(false),
            Err(error) => return Err(format!("an answer's head cannot be read: {error}: {}", String::from_utf8_lossy(&self.buffer))),
        };
        let status = head.code.unwrap_or_default();
        let header = |name: &str| {
            let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value).into_owned())
        };
        if status == 100 {
            self.buffer.drain(..length);
            return Ok(true);
        }
        let is_head = self.asked.pop_front();
        if header("date").is_none_or(|date| date.len() != 29) {
            return Err(format!("an answer {status} without a date"));
        }
        if status == 101 {
            if header("sec-websocket-accept").as_deref() != Some(&derive_accept_key(KEY.as_bytes())) {
                return Err("the accept key of a WebSocket is wrong".to_owned());
            }
            let config = WebSocketConfig::default().read_buffer_size(512).max_message_size(Some(8 << 20)).max_frame_size(Some(8 << 20));
            let mut socket = Box::new(WebSocket::from_raw_socket(Memory::default(), Role::Client, Some(config)));
            socket.get_mut().arrived.extend(&self.buffer[length..]);
            self.buffer.clear();
            received.push(Received::Opened);
            let read = frames(&mut socket, received, out);
            self.state = State::WebSocket(socket);
            return read.map(|()| true);
        }
        if header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            self.buffer.drain(..length);
            self.state = State::Events;
            received.push(Received::Opened);
            return Ok(true);
        }
        let stated: usize = header("content-length").and_then(|stated| stated.parse().ok()).ok_or(format!("answer {status}: no length"))?;
        let body = if is_head == Some(true) || status == 304 { 0 } else { stated };
        if self.buffer.len() < length + body {
            if is_head.is_some() {
                self.asked.push_front(is_head == Some(true));
            }
            return Ok(false);
        }
        let is_last = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let body = String::from_utf8_lossy(&self.buffer[length..length + body]).into_owned();
        self.buffer.drain(..length + if is_head == Some(true) || status == 304 { 0 } else { stated });
        if is_head.is_none() && !is_last {
            return Err(format!("an answer {status} to nothing that was asked: {body}"));
        }
        received.push(Received::Answer { status, body, is_last });
        Ok(true)
    }
}

fn frames(socket: &mut WebSocket<Memory>, received: &mut Vec<Received>, out: &mut Vec<u8>) -> Result<(), String> {
    let read = loop {
        match socket.read() {
            Ok(Message::Text(text)) => received.push(Received::Text(text.as_str().to_owned())),
            Ok(Message::Binary(_)) => break Err("a binary message from the server".to_owned()),
            Ok(Message::Close(frame)) => {
                let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.as_str().to_owned()));
                received.push(Received::Goodbye(code, reason));
            }
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => break Ok(()),
            Err(error) => break Err(format!("the server's frames cannot be read: {error}")),
        }
    };
    // A pong is written when the socket is next used.
    let _ = socket.flush();
    out.append(&mut socket.get_mut().replies);
    read
}

fn event_of(event: &[u8]) -> Result<Option<Received>, String> {
    let text = std::str::from_utf8(event).map_err(|_| "an event that is not UTF-8".to_owned())?;
    let (mut id, mut data) = (None, None);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        match (line.strip_prefix("id: ").and_then(|id| id.parse().ok()), line.strip_prefix("data: ")) {
            (Some(number), _) => id = Some(number),
            (_, Some(text)) if data.is_none() => data = Some(text.to_owned()),
            _ => return Err(format!("an event with a line {line:?}")),
        }
    }
    Ok(data.map(|data| Received::Event { id, data }))
}

/// A client's frame, masked as it must be.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    const MASK: [u8; 4] = [0x1f, 0x2e, 0x3d, 0x4c];
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
