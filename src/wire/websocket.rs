//! WebSocket: the handshake, and a server's frames read and written in memory.
//!
//! Framing is tungstenite's; here it gets small buffers, bounds, and a socket made of two byte vectors. Server frames are
//! not masked, so an event is framed once and its bytes copied to every socket that shows it: [`write_text`].

use super::answer::Manner;
use super::http::{Method, Request};
use super::utf8::Follower;
use std::io::{self, Read, Write};
use tungstenite::Error;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};
use tungstenite::protocol::frame::{Frame, FrameHeader};
use tungstenite::protocol::{CloseFrame, Message, Role, WebSocket, WebSocketConfig};

/// Why an upgrade is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoUpgrade {
    /// Plain HTTP where a WebSocket is spoken, or another version of it: `426`.
    NotAsked,
    /// The client's key is missing or none: `400`.
    Key,
}

impl NoUpgrade {
    pub fn sentence(self) -> &'static str {
        match self {
            NoUpgrade::NotAsked => "this path speaks WebSocket version 13: connect with a WebSocket client",
            NoUpgrade::Key => "the handshake needs one Sec-WebSocket-Key of 16 bytes in base64",
        }
    }
}

/// Checks a handshake and finds what to accept it with.
pub fn accept(request: &Request) -> Result<String, NoUpgrade> {
    let asked = request.lists("upgrade", "websocket") && request.lists("connection", "upgrade");
    // HTTP/1.0 knows no `Upgrade` (RFC 9110, 7.8).
    if request.method != Method::Get || !request.is_modern || !asked || request.only("sec-websocket-version") != Some("13") {
        return Err(NoUpgrade::NotAsked);
    }
    // 16 bytes in base64 are 22 signs and two fills.
    let sound = |key: &&str| key.len() == 24 && key.ends_with("==") && key[..22].bytes().all(is_base64);
    let key = request.only("sec-websocket-key").filter(sound).ok_or(NoUpgrade::Key)?;
    Ok(tungstenite::handshake::derive_accept_key(key.as_bytes()))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// Writes the head that ends HTTP on this connection. `protocol` is echoed where the client offered one that we speak.
pub fn write_switch(out: &mut Vec<u8>, manner: Manner<'_>, accept: &str, protocol: Option<&str>) {
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: ");
    out.extend_from_slice(accept.as_bytes());
    if let Some(protocol) = protocol {
        out.extend_from_slice(b"\r\nsec-websocket-protocol: ");
        out.extend_from_slice(protocol.as_bytes());
    }
    out.extend_from_slice(b"\r\ndate: ");
    out.extend_from_slice(manner.date.as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

/// Frames one text message.
pub fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    write_message(out, Data::Text, text);
}

/// Frames one binary message.
pub fn write_binary(out: &mut Vec<u8>, bytes: &[u8]) {
    write_message(out, Data::Binary, bytes);
}

fn write_message(out: &mut Vec<u8>, kind: Data, payload: &[u8]) {
    let header = FrameHeader { is_final: true, opcode: OpCode::Data(kind), ..FrameHeader::default() };
    header.format(payload.len() as u64, out).expect("a vector takes everything");
    out.extend_from_slice(payload);
}

/// Frames a ping; what answers it says that the peer is there.
pub fn write_ping(out: &mut Vec<u8>) {
    let header = FrameHeader { is_final: true, opcode: OpCode::Control(Control::Ping), ..FrameHeader::default() };
    header.format(0, out).expect("a vector takes everything");
}

/// Frames our farewell.
pub fn write_close(out: &mut Vec<u8>, code: u16, reason: &'static str) {
    let frame = Frame::close(Some(CloseFrame { code: CloseCode::from(code), reason: reason.into() }));
    frame.format(out).expect("a vector takes everything");
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    Text(String),
    Binary(Vec<u8>),
    /// A ping or pong, which the codec has dealt with.
    Control,
    /// The conversation is over; what the codec has to reply is in its output.
    Over,
}

/// Reads one client's frames. Replies that the protocol asks for (pongs, the echo of a close) are written to `out`.
pub struct Codec {
    socket: WebSocket<Memory>,
    follower: Follower,
}

/// A socket made of memory: bytes that have arrived, and bytes to send.
#[derive(Default)]
struct Memory {
    arrived: Vec<u8>,
    taken: usize,
    replies: Vec<u8>,
}

impl Read for Memory {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = &self.arrived[self.taken..];
        if rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
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

impl Codec {
    pub fn new(message_bytes_max: usize) -> Self {
        // Twice as many as its content: more is nothing but heads.
        let wire_bytes_max = message_bytes_max.saturating_mul(2).saturating_add(WIRE_BYTES_BESIDE);
        let config = WebSocketConfig::default()
            .read_buffer_size(256)
            .write_buffer_size(0)
            .max_write_buffer_size(1024)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        let socket = WebSocket::from_raw_socket(Memory::default(), Role::Server, Some(config));
        Codec { socket, follower: Follower::new(message_bytes_max, wire_bytes_max) }
    }

    /// Adds bytes that have arrived; true where they end a message.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let read = self.follower.follow(bytes);
        let memory = self.socket.get_mut();
        memory.arrived.drain(..memory.taken);
        memory.taken = 0;
        memory.arrived.extend_from_slice(&bytes[..read]);
        self.follower.has_ended()
    }

    /// Bytes of a message that has come in part, with the heads of its frames.
    pub fn partial_bytes(&self) -> usize {
        self.follower.message_bytes()
    }

    /// The next thing that the client sent, if all of it is there. After [`Received::Over`] nothing follows.
    pub fn next(&mut self, out: &mut Vec<u8>) -> Option<Received> {
        let said = loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => break Some(Received::Text(text.as_str().to_owned())),
                Ok(Message::Binary(bytes)) => break Some(Received::Binary(bytes.into())),
                Ok(Message::Ping(_) | Message::Pong(_)) => break Some(Received::Control),
                Ok(Message::Close(_) | Message::Frame(_)) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock && !self.has_seen_enough() => break None,
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => break Some(Received::Over),
                Err(error) => {
                    let (code, reason) = if let Error::Io(_) = error { self.seen() } else { farewell(&error) };
                    write_close(&mut self.socket.get_mut().replies, code, reason);
                    break Some(Received::Over);
                }
            }
        };
        let memory = self.socket.get_mut();
        out.append(&mut memory.replies);
        if memory.taken == memory.arrived.len() {
            // Nothing of a burst stays behind with an idle socket.
            (memory.arrived, memory.taken) = (Vec::new(), 0);
        }
        said
    }

    /// Whether what has come can't go on, though the codec doesn't know yet.
    fn has_seen_enough(&self) -> bool {
        let follower = &self.follower;
        follower.has_seen_bad_text() || follower.has_seen_too_much() || follower.has_seen_a_wrong_frame()
    }

    /// Why it can't.
    fn seen(&self) -> (u16, &'static str) {
        match (self.follower.has_seen_too_much(), self.follower.has_seen_a_wrong_frame()) {
            (true, _) => TOO_LARGE,
            (false, true) => UNREADABLE,
            (false, false) => NOT_TEXT,
        }
    }
}

/// What the frames of a message may take beside twice its content.
const WIRE_BYTES_BESIDE: usize = 1 << 10;
const TOO_LARGE: (u16, &str) = (1009, "the message is too large: send at most 1 MiB");
const NOT_TEXT: (u16, &str) = (1007, "the message is not UTF-8");
const UNREADABLE: (u16, &str) = (1002, "the frames can't be read");

/// What to close with when a client breaks the protocol.
fn farewell(error: &Error) -> (u16, &'static str) {
    match error {
        Error::Capacity(_) => TOO_LARGE,
        Error::Utf8(_) => NOT_TEXT,
        _ => UNREADABLE,
    }
}

/// A client's frame: masked, as it must be.
#[cfg(test)]
pub(super) fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => bytes.extend([&[0xfe][..], &(length as u16).to_be_bytes()].concat()),
        length => bytes.extend([&[0xff][..], &(length as u64).to_be_bytes()].concat()),
    }
    bytes.extend([9, 8, 7, 6]);
    bytes.extend(payload.iter().zip([9, 8, 7, 6].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

#[cfg(test)]
mod tests {
    use super::{client_frame as frame, *};
    use crate::wire::http::{Limits, Reader, Step};

    /// What a codec makes of bytes that come in pieces: what was said, and what it replies.
    fn read(bytes: &[u8], piece: usize) -> (Vec<Received>, Vec<u8>) {
        let (mut codec, mut said, mut out) = (Codec::new(1000), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            codec.feed(piece);
            while let Some(next) = codec.next(&mut out) {
                if next == Received::Control {
                    continue;
                }
                let over = next == Received::Over;
                said.push(next);
                if over {
                    return (said, out);
                }
            }
        }
        (said, out)
    }

    #[test]
    fn messages_come_out_whole_and_the_protocol_is_answered() {
        let text = |text: &str| Received::Text(text.to_owned());
        let close = |code: u16| [&[0x88, 2][..], &code.to_be_bytes()].concat();
        let table: Vec<(Vec<u8>, Vec<Received>, Vec<u8>)> = vec![
            (frame(0x81, b"hi"), vec![text("hi")], vec![]),
            ([frame(0x01, b"a"), frame(0x89, b"p"), frame(0x80, b"b")].concat(), vec![text("ab")], vec![0x8a, 1, b'p']),
            ([frame(0x82, b"\0"), frame(0x8a, b""), frame(0x81, b"x")].concat(), vec![Received::Binary(b"\0".to_vec()), text("x")], vec![]),
            (frame(0x81, &[b'y'; 1000]), vec![text(&"y".repeat(1000))], vec![]),
            (frame(0x88, &1000u16.to_be_bytes()), vec![Received::Over], close(1000)),
        ];
        for (bytes, said, replies) in table {
            for piece in [1, 5, 4096] {
                assert_eq!(read(&bytes, piece), (said.iter().map(copy).collect(), replies.clone()), "pieces of {piece}: {bytes:?}");
            }
        }
    }

    fn copy(said: &Received) -> Received {
        match said {
            Received::Text(text) => Received::Text(text.clone()),
            Received::Binary(bytes) => Received::Binary(bytes.clone()),
            Received::Control => Received::Control,
            Received::Over => Received::Over,
        }
    }

    #[test]
    fn who_breaks_the_protocol_is_told_why_and_let_go() {
        for (bytes, code) in [
            (vec![0x81, 1, b'x'], 1002u16),                                          // not masked
            (frame(0x81, &[b'y'; 1001]), 1009),                                      // too large
            ([frame(0x01, &[b'y'; 600]), frame(0x80, &[b'y'; 600])].concat(), 1009), // too large in pieces
            (frame(0x81, b"\xff"), 1007),                                            // no UTF-8
            (frame(0x81, &[0xff; 900])[..200].to_vec(), 1007),                       // nor will the rest make it
            (frame(0xc1, b""), 1002),                                                // a bit that means nothing
            (frame(0x80, b""), 1002),                                                // goes on where nothing began
            (frame(0x09, b""), 1002),                                                // a ping in pieces
            (frame(0x83, b""), 1002),                                                // no such frame
            (frame(0x80, &[0xff; 500])[..20].to_vec(), 1002),                        // the same, whatever it holds
            (vec![0x81, 0x7e, 3, 0], 1002),                                          // not masked, and never whole
            ([frame(0x01, b"a"), frame(0x00, b"").repeat(600)].concat(), 1009),      // pieces of nothing, without end
            ([frame(0x01, b"a"), frame(0x00, b"x").repeat(600)].concat(), 1009),     // more heads than content
        ] {
            let (said, out) = read(&bytes, 4096);
            assert_eq!((said, &out[2..4]), (vec![Received::Over], &code.to_be_bytes()[..]), "{bytes:?}");
        }
    }

    #[test]
    fn a_flood_of_control_frames_is_no_message_and_keeps_nothing() {
        let mut codec = Codec::new(1000);
        for bytes in [frame(0x8a, b""), frame(0x8a, &[b'p'; 125]), frame(0x89, b"?")] {
            let mut out = Vec::new();
            for _ in 0..1_000 {
                assert!(!codec.feed(&bytes));
                assert_eq!((codec.next(&mut out), codec.next(&mut out)), (Some(Received::Control), None));
            }
            assert_eq!((codec.partial_bytes(), codec.socket.get_ref().arrived.capacity()), (0, 0), "{bytes:?}");
            assert!(out.len() <= 1_000 * 3, "a pong is no longer than its ping, and a pong has no answer");
        }
    }

    #[test]
    fn a_handshake_is_accepted_only_as_the_standard_has_it() {
        let head = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        for (from, to, accepted) in [
            ("", "", Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")),
            ("Upgrade: websocket", "Upgrade: h2c", Err(NoUpgrade::NotAsked)),
            ("Connection: keep-alive, Upgrade", "Connection: keep-alive", Err(NoUpgrade::NotAsked)),
            ("Version: 13", "Version: 8", Err(NoUpgrade::NotAsked)),
            ("GET /ws", "HEAD /ws", Err(NoUpgrade::NotAsked)),
            ("HTTP/1.1", "HTTP/1.0", Err(NoUpgrade::NotAsked)),
            ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13", Err(NoUpgrade::NotAsked)),
            ("Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key", Err(NoUpgrade::Key)),
            ("\r\n\r\n", "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", Err(NoUpgrade::Key)),
            ("Key: dGhl", "Key: ", Err(NoUpgrade::Key)),
            ("Key: dGhl", "Key: d-hl", Err(NoUpgrade::Key)),
        ] {
            let mut buffer = head.replacen(from, to, 1).into_bytes();
            let limits = Limits { head_bytes_max: 1000, body_bytes_max: 0 };
            let Step::Request(request) = Reader::new(limits).step(&mut buffer) else { panic!("a whole request") };
            assert_eq!(accept(&request).as_deref(), accepted.as_ref().copied(), "{from} -> {to}");
        }
    }
}
