//! What a provider does wrong, on purpose: each fault by its name, at each point of a call.
//!
//! A user's message asks for it, so that one server has good and bad sessions side by side:
//! `fault:429@director.head*1 why is the sky blue?` answers the first call of the director with status 429, and every
//! other one as it should. Points are `head` (nothing was sent), `start` (the head was), `middle` (half of the answer was)
//! and `end` (all of it and its finish, but not `[DONE]`). Without `*<times>` it happens every time.
//!
//! What a fault says of itself is [`INSIDE`], which no user may ever see.

use super::is_closed;
use std::io::{self, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// In every error's words, headers and pages.
const INSIDE: &str = "sk-inside-4711 at 10.9.8.7:5432 in /srv/inside.py line 66";

/// Every fault ends by itself, too.
const TIME_MAX: Duration = Duration::from_secs(600);
const BYTES_MAX: usize = 100 << 20;

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

#[derive(Debug)]
pub(super) struct Fault {
    name: String,
    role: String,
    point: String,
    times_max: u32,
}

impl Fault {
    /// The fault that a message asks for.
    pub(super) fn told(message: &str) -> Option<Fault> {
        let told = message.split_whitespace().find_map(|word| word.strip_prefix("fault:"))?;
        let (name, place) = told.split_once('@')?;
        let (place, times) = place.split_once('*').unwrap_or((place, ""));
        let (role, point) = place.split_once('.')?;
        let times_max = times.parse().unwrap_or(u32::MAX);
        Some(Fault { name: name.to_owned(), role: role.to_owned(), point: point.to_owned(), times_max })
    }

    /// Whether it happens in a call for this role that comes after so many others like it.
    pub(super) fn is_for(&self, role: &str, earlier: u32) -> bool {
        self.role == role && earlier < self.times_max
    }

    pub(super) fn is_at(&self, point: &str) -> bool {
        self.point == point
    }

    /// Does what is wrong; the connection is to be closed afterwards.
    pub(super) fn happen(&self, to: &TcpStream) -> io::Result<()> {
        let wire = Wire { to, has_head: self.point != "head" };
        let error = |code: &str| format!(r#"{{"error":{{"message":"{INSIDE}","type":"server_error","param":null,"code":{code}}}}}"#);
        match self.name.as_str() {
            "hang" => wire.wait(),
            "slow" => wire.slowly(),
            "drip" => wire.again_and_again(b": still here\n\n"),
            "tokens" => wire.again_and_again(token("so ").as_bytes()),
            "reset" => socket2::SockRef::from(to).set_linger(Some(Duration::ZERO)),
            "cut" => Ok(()),
            "ended" => wire.say(b"").and_then(|()| wire.raw(b"0\r\n\r\n")),
            "error" => wire.say(format!("data: {}\n\n", error("500")).as_bytes()),
            "unframed" => wire.say(error("400").as_bytes()).and_then(|()| wire.raw(b"0\r\n\r\n")),
            "html" if wire.has_head => wire.say(format!("<html><body>{INSIDE}</body></html>\n\n").as_bytes()),
            "html" => wire.whole("200 OK", "text/html", "", &format!("<html><body><h1>502</h1>{INSIDE}</body></html>")),
            "utf8" => wire.say(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xFF\xC3(\"}}]}\n\n"),
            "line" => wire.say(b"data: ").and_then(|()| wire.much(&[b'a'; 64 << 10])),
            "huge" => wire.much(token(&"a".repeat(64 << 10)).as_bytes()),
            "comments" => wire.much(format!(": {}\n", "a".repeat(64 << 10)).as_bytes()),
            "args" => {
                let call = r#"{"index":0,"id":"c","type":"function","function":{"name":"emit_actions","arguments":"{\"actions\":[{"}}"#;
                let event = format!(
                    "data: {{\"choices\":[{{\"delta\":{{\"tool_calls\":[{call}]}},\"finish_reason\":\"tool_calls\"}}]}}\n\ndata: [DONE]\n\n"
                );
                wire.say(event.as_bytes()).and_then(|()| wire.raw(b"0\r\n\r\n"))
            }
            "framing" => wire.say(b"").and_then(|()| wire.raw(format!("zz\r\n{INSIDE}\r\n").as_bytes())),
            "binary" => wire.raw(b"\x00\x01\x02SSH-2.0-inside\xFF\xFE\r\n\r\n"),
            "headers" => wire.endless_head(),
            "empty" if wire.has_head => wire.say(b"data: [DONE]\n\n").and_then(|()| wire.raw(b"0\r\n\r\n")),
            "empty" => wire.whole("200 OK", "text/event-stream", "", ""),
            "shape" => wire.say(format!("data: {{\"choices\":7,\"inside\":\"{INSIDE}\"}}\n\n").as_bytes()),
            name => {
                let (code, more) = name.split_once('-').unwrap_or((name, ""));
                let code: u16 = code.parse().map_err(|_| io::Error::other("an unknown fault"))?;
                let error = if more == "quota" { error("\"insufficient_quota\"") } else { error(&code.to_string()) };
                if wire.has_head {
                    return wire.say(format!("data: {error}\n\n").as_bytes());
                }
                let header = match more {
                    "after" => "retry-after: 1\r\n".to_owned(),
                    "late" => "retry-after: 3600\r\n".to_owned(),
                    _ if code == 302 => "location: http://10.9.8.7/inside\r\n".to_owned(),
                    _ => String::new(),
                };
                wire.whole(&format!("{code} {INSIDE}"), "application/json", &header, &error)
            }
        }
    }
}

/// A text without what it says about faults: the model behind them answers as if nothing had been said.
pub(super) fn without(text: &str) -> String {
    let Some((before, after)) = text.split_once("fault:") else { return text.to_owned() };
    let rest = after.trim_start_matches(|sign: char| !sign.is_whitespace());
    format!("{before}{}", without(rest.strip_prefix(' ').unwrap_or(rest)))
}

fn token(content: &str) -> String {
    format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n")
}

/// The connection, from where the fault begins.
struct Wire<'a> {
    to: &'a TcpStream,
    /// The head of a stream has been sent.
    has_head: bool,
}

impl Wire<'_> {
    fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut to = self.to;
        to.write_all(bytes)
    }

    /// A piece of the stream, with its head where that was not sent.
    fn say(&self, bytes: &[u8]) -> io::Result<()> {
        if !self.has_head {
            self.raw(HEAD.as_bytes())?;
        }
        self.piece(bytes)
    }

    fn piece(&self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.raw(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
    }

    fn whole(&self, status: &str, kind: &str, header: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\n{header}connection: close\r\ncontent-length: {length}\r\n\r\n");
        self.raw((head + body).as_bytes())
    }

    /// Says nothing until the client goes.
    fn wait(&self) -> io::Result<()> {
        let begun = Instant::now();
        while !is_closed(self.to) && begun.elapsed() < TIME_MAX {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Byte by byte, each long after the last.
    fn slowly(&self) -> io::Result<()> {
        let event = token("so slow");
        let bytes = if self.has_head { format!("{:x}\r\n{event}\r\n", event.len()) } else { HEAD.to_owned() };
        for byte in bytes.bytes() {
            self.raw(&[byte])?;
            thread::sleep(Duration::from_millis(100));
            if is_closed(self.to) {
                return Ok(());
            }
        }
        self.wait()
    }

    /// The same piece every few milliseconds.
    fn again_and_again(&self, piece: &[u8]) -> io::Result<()> {
        let begun = Instant::now();
        self.say(piece)?;
        while !is_closed(self.to) && begun.elapsed() < TIME_MAX {
            thread::sleep(Duration::from_millis(50));
            self.piece(piece)?;
        }
        Ok(())
    }

    /// The same piece as fast as it is taken.
    fn much(&self, piece: &[u8]) -> io::Result<()> {
        self.say(b"")?;
        for _ in 0..BYTES_MAX / piece.len() {
            self.piece(piece)?;
        }
        Ok(())
    }

    fn endless_head(&self) -> io::Result<()> {
        if self.has_head {
            return self.much(format!("inside-header: {INSIDE}\n").repeat(1000).as_bytes());
        }
        self.raw(b"HTTP/1.1 200 OK\r\n")?;
        let line = format!("x-inside: {INSIDE} {}\r\n", "a".repeat(4 << 10));
        for _ in 0..BYTES_MAX / line.len() {
            self.raw(line.as_bytes())?;
        }
        Ok(())
    }
}
