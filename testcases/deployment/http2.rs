//! A client that speaks HTTP/2 as a browser does: several requests on one connection, each a stream of frames.
//!
//! As much of it as these tests need: heads are sent as plain literals, of an answer's head only the status is read, and the
//! windows are so large that nothing ever waits for them.

use crate::secure::{Stream, connect};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::IpAddr;
use std::path::Path;

pub(crate) struct Http2 {
    stream: Stream,
    authority: String,
    /// The number of the next request; a client's are odd.
    next: u32,
    answers: BTreeMap<u32, Coming>,
}

/// What has come of an answer so far.
#[derive(Default)]
struct Coming {
    status: Option<u16>,
    body: String,
    has_ended: bool,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

const FRAME_BYTES_MAX: usize = 16 << 10;
const WINDOW: u32 = 1 << 30;

impl Http2 {
    pub(crate) fn open(ip: IpAddr, port: u16, certificate: &Path) -> Http2 {
        let mut stream = connect(ip, port, certificate, &[b"h2", b"http/1.1"]);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"h2"[..]), "the server speaks HTTP/2 with whom can");
        let mut http = Http2 { stream, authority: format!("localhost:{port}"), next: 1, answers: BTreeMap::new() };
        // SETTINGS_INITIAL_WINDOW_SIZE, and the window of the connection beside those of its streams.
        http.send(SETTINGS, 0, 0, &[&[0, 4][..], &WINDOW.to_be_bytes()].concat());
        http.send(WINDOW_UPDATE, 0, 0, &WINDOW.to_be_bytes());
        http
    }

    /// Begins a request; its number. An empty body is one that is yet to come.
    pub(crate) fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> u32 {
        let (number, authority) = (self.next, self.authority.clone());
        self.next += 2;
        self.answers.insert(number, Coming::default());
        let mut head = Vec::new();
        let own = [(":method", method), (":scheme", "https"), (":path", path), (":authority", &authority)];
        for (name, value) in own.iter().chain(headers) {
            head.push(0);
            text(&mut head, name);
            text(&mut head, value);
        }
        let mut parts = head.chunks(FRAME_BYTES_MAX).peekable();
        let mut kind = HEADERS;
        while let Some(part) = parts.next() {
            let end_of_head = if parts.peek().is_none() { END_HEADERS } else { 0 };
            let end_of_request = if kind == HEADERS && body.is_none() { END_STREAM } else { 0 };
            self.send(kind, end_of_head | end_of_request, number, part);
            kind = CONTINUATION;
        }
        if let Some(body) = body.filter(|body| !body.is_empty()) {
            self.send(DATA, END_STREAM, number, body.as_bytes());
        }
        number
    }

    /// The status of an answer, once its head has come.
    pub(crate) fn status(&mut self, number: u32) -> u16 {
        self.until(number, |coming| coming.status)
    }

    /// What has come of an answer's body, once it holds this.
    pub(crate) fn body_with(&mut self, number: u32, part: &str) -> String {
        self.until(number, |coming| coming.body.contains(part).then(|| coming.body.clone()))
    }

    /// A whole answer.
    pub(crate) fn answer(&mut self, number: u32) -> (u16, String) {
        let body = self.until(number, |coming| coming.has_ended.then(|| coming.body.clone()));
        (self.status(number), body)
    }

    fn until<T>(&mut self, number: u32, look: impl Fn(&Coming) -> Option<T>) -> T {
        loop {
            if let Some(found) = look(&self.answers[&number]) {
                return found;
            }
            self.hear();
        }
    }

    /// Takes the next frame in.
    fn hear(&mut self) {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).unwrap();
        let [a, b, c, kind, flags, number @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.stream.read_exact(&mut payload).unwrap();
        let coming = self.answers.get_mut(&u32::from_be_bytes(number));
        match (kind, coming) {
            (HEADERS, Some(coming)) => {
                coming.status = coming.status.or(Some(status(&payload)));
                coming.has_ended |= flags & END_STREAM != 0;
            }
            (DATA, Some(coming)) => {
                coming.body.push_str(std::str::from_utf8(&payload).unwrap());
                coming.has_ended |= flags & END_STREAM != 0;
            }
            // Who has answered need not read the rest of what was asked.
            (RST_STREAM, Some(coming)) => coming.has_ended = true,
            (SETTINGS | PING, None) if flags & ACK == 0 => self.send(kind, ACK, 0, if kind == PING { &payload } else { &[] }),
            (GOAWAY, _) => panic!("the server ends the connection: {payload:?}"),
            _ => {}
        }
    }

    fn send(&mut self, kind: u8, flags: u8, number: u32, payload: &[u8]) {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length[..], &[kind, flags], &number.to_be_bytes(), payload].concat()).unwrap();
        self.stream.flush().unwrap();
    }
}

/// A text that is sent as it is, behind its length: seven bits, and what is more in groups of seven.
fn text(head: &mut Vec<u8>, text: &str) {
    match text.len().checked_sub(127) {
        None => head.push(text.len() as u8),
        Some(mut more) => {
            head.push(127);
            while more > 127 {
                head.push(more as u8 | 128);
                more >>= 7;
            }
            head.push(more as u8);
        }
    }
    head.extend_from_slice(text.as_bytes());
}

/// The status, which stands first in an answer's head: as an entry of the table that everyone knows, or as three digits.
fn status(head: &[u8]) -> u16 {
    // A change of the size of the other table may stand before it.
    let head = &head[head.iter().take_while(|byte| **byte & 0xe0 == 0x20).count()..];
    match head {
        [entry @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(entry - 0x88)],
        [0x08 | 0x48, 3, digits @ ..] => std::str::from_utf8(&digits[..3]).unwrap().parse().unwrap(),
        _ => panic!("no status stands first in {head:?}"),
    }
}
