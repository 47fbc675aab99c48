//! A WebSocket whose client sends whatever bytes it likes, and counts what comes back frame by frame.

use super::crowd::narrow;
use super::support::PATIENCE;
use serde_json::Value;
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a write may stand still before the server counts as one that reads no further.
const STANDS_STILL: Duration = Duration::from_secs(2);

pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Frame {
    Text(String),
    Pong,
    Close(u16),
    Other(u8),
    /// The connection is over.
    End,
}

/// The request that opens a socket.
pub(crate) fn handshake(target: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A client's frame, masked with nothing.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = match payload.len() {
        short @ 0..126 => vec![0x80 | short as u8],
        long @ 126..0x1_0000 => [&[0xfe][..], &(long as u16).to_be_bytes()].concat(),
        longer => [&[0xff][..], &(longer as u64).to_be_bytes()].concat(),
    };
    [&[first][..], &length, &[0; 4], payload].concat()
}

impl Raw {
    /// Opens a socket and reads the greeting.
    pub(crate) fn open(address: SocketAddr, target: &str) -> Raw {
        // Little room on both sides, so that it shows early who reads no further.
        let mut stream = narrow(address);
        SockRef::from(&stream).set_send_buffer_size(32 << 10).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(handshake(target).as_bytes()).unwrap();
        let mut raw = Raw { stream, read: Vec::new() };
        while !raw.read.windows(4).any(|four| four == b"\r\n\r\n") {
            assert!(raw.more(), "the handshake is answered");
        }
        let end = raw.read.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let head: Vec<u8> = raw.read.drain(..end).collect();
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{:?}", String::from_utf8_lossy(&head));
        if target.starts_with("/ws?") || target == "/ws" {
            assert!(matches!(raw.next(), Frame::Text(hello) if hello.contains("controls")));
        }
        raw
    }

    /// Writes; false where the server has ended the connection.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        self.stream.write_all(bytes).is_ok()
    }

    /// Writes for as long as the server reads, at most all of it. Returns how many bytes that were.
    pub(crate) fn send_unread(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_write_timeout(Some(STANDS_STILL)).unwrap();
        let mut sent = 0;
        while sent < bytes.len() {
            match self.stream.write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(_) => break,
            }
        }
        sent
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 64 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("nothing came within {PATIENCE:?}"),
            Err(_) => false,
        }
    }

    /// The next frame.
    pub(crate) fn next(&mut self) -> Frame {
        loop {
            if let Some((frame, bytes)) = first_frame(&self.read) {
                self.read.drain(..bytes);
                return frame;
            }
            if !self.more() {
                return Frame::End;
            }
        }
    }

    /// Counts frames up to the one that is meant, which is returned.
    pub(crate) fn count_until(&mut self, is_meant: impl Fn(&Frame) -> bool) -> (usize, Frame) {
        let mut count = 0;
        loop {
            match self.next() {
                Frame::End => return (count, Frame::End),
                frame if is_meant(&frame) => return (count, frame),
                _ => count += 1,
            }
        }
    }

    /// A second handle, to read from while this one writes.
    pub(crate) fn reader(&self) -> Raw {
        Raw { stream: self.stream.try_clone().unwrap(), read: self.read.clone() }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// The frame that some bytes begin with, and how many of them it has.
fn first_frame(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (head, length) = match bytes.get(1)? {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap()),
        short => (2, usize::from(*short)),
    };
    let payload = bytes.get(head..head + length)?;
    let frame = match bytes[0] {
        0x81 => Frame::Text(String::from_utf8(payload.to_vec()).unwrap()),
        0x88 => Frame::Close(u16::from_be_bytes([payload[0], payload[1]])),
        0x8a => Frame::Pong,
        other => Frame::Other(other),
    };
    Some((frame, head + length))
}

impl Frame {
    /// What a text frame says.
    pub(crate) fn json(&self) -> Value {
        if let Frame::Text(text) = self { serde_json::from_str(text).unwrap() } else { Value::Null }
    }
}
