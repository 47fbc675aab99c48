//! HTTP over a bare socket: what is sent and what comes is known byte by byte.

use super::patience::PATIENCE;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// One connection to the server.
pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    /// Bytes that have come and were not yet looked at.
    read: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// A whole request as a well-behaved client sends it.
pub(crate) fn request(method: &str, target: &str, body: Option<&Value>) -> Vec<u8> {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    match body {
        None => format!("{head}\r\n").into_bytes(),
        Some(body) => {
            let body = body.to_string();
            format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
        }
    }
}

impl Wire {
    pub(crate) fn open(address: SocketAddr) -> Wire {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire::of(stream)
    }

    /// On a Unix socket, whose bytes are those of TCP.
    pub(crate) fn open_file(path: &Path) -> Wire {
        Wire::of(OwnedFd::from(UnixStream::connect(path).unwrap()).into())
    }

    fn of(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Wire { stream, read: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends what the server may stop reading in the middle.
    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Says that nothing more will be sent.
    pub(crate) fn end_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn ask(&mut self, method: &str, target: &str, body: Option<&Value>) -> Answer {
        self.send(request(method, target, body));
        match method {
            "HEAD" => self.answer_without_body(),
            _ => self.answer(),
        }
    }

    pub(crate) fn answer(&mut self) -> Answer {
        self.next(true).expect("an answer instead of the connection's end")
    }

    /// The answer to a HEAD request.
    pub(crate) fn answer_without_body(&mut self) -> Answer {
        self.next(false).expect("an answer instead of the connection's end")
    }

    /// The next answer; nothing where the connection ends instead.
    pub(crate) fn next(&mut self, has_body: bool) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.more() {
                assert!(self.read.is_empty(), "the connection ended within an answer's head: {:?}", String::from_utf8_lossy(&self.read));
                return None;
            }
        };
        let head: Vec<u8> = self.read.drain(..end).collect();
        let mut answer = Answer::of_head(std::str::from_utf8(&head).unwrap());
        if has_body && answer.status >= 200 && answer.status != 304 {
            let length = answer.header("content-length").and_then(|length| length.parse().ok());
            match length {
                Some(length) => {
                    while self.read.len() < length {
                        assert!(self.more(), "the connection ended within an answer's body");
                    }
                    answer.body = self.read.drain(..length).collect();
                }
                // A stream: it has no end but the connection's.
                None => assert_eq!(answer.header("content-type").unwrap_or("").split(';').next(), Some("text/event-stream")),
            }
        }
        Some(answer)
    }

    /// All answers until the server ends the connection.
    pub(crate) fn rest(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.next(true)).collect()
    }

    /// The next line of a stream, without its end.
    pub(crate) fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(String::from_utf8(line).unwrap().trim_end_matches(['\r', '\n']).to_owned());
            }
            if !self.more() {
                return None;
            }
        }
    }

    /// Whether the server has ended the connection and nothing else came.
    pub(crate) fn is_ended(&mut self) -> bool {
        self.read.is_empty() && !self.more()
    }

    /// Waits for more bytes; false at the connection's end.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        match self.stream.read(&mut bytes) {
            Ok(0) => false,
            Ok(count) => {
                self.read.extend_from_slice(&bytes[..count]);
                true
            }
            Err(error) if [ErrorKind::ConnectionReset, ErrorKind::ConnectionAborted, ErrorKind::BrokenPipe].contains(&error.kind()) => {
                false
            }
            Err(error) => panic!("nothing came in time ({error}); so far: {:?}", String::from_utf8_lossy(&self.read)),
        }
    }
}

impl Answer {
    fn of_head(head: &str) -> Answer {
        let mut lines = head.split("\r\n");
        let first = lines.next().unwrap();
        let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("this is no status line: {first:?}"));
        let header = |line: &str| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("this is no header: {line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Answer { status, headers: lines.filter(|line| !line.is_empty()).map(header).collect(), body: Vec::new() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of a header that may come more than once.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type").and_then(|kind| kind.split(';').next()), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The sentence of a refusal, for people.
    pub(crate) fn detail(&self) -> String {
        self.code();
        let body = self.json();
        let detail = body["detail"].as_str().unwrap_or_else(|| panic!("a refusal has a `detail`: {body}"));
        assert!(detail.contains(' '), "a refusal is a sentence: {detail}");
        detail.to_owned()
    }

    /// The code of a refusal, for programs.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        let code = body["code"].as_str().unwrap_or_else(|| panic!("a refusal has a `code`: {body}"));
        assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "a code is in snake case: {code}");
        code.to_owned()
    }
}
