//! HTTP/1.1 requests, out of a buffer of bytes.
//!
//! `httparse` reads a head; what makes framing safe is here: a request that two readers could understand differently is
//! refused and its connection closed. [`Reader::step`] may be called after any number of new bytes and says the same
//! whatever pieces they came in.
//!
//! Invariants: no byte of a body is ever read as a head; what is refused is never continued; a head and a body never
//! hold more than their limits.

use super::chunked::Chunks;
use super::target::{Target, is_host};
use crate::contract::{Code, Refusal};
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::ops::Range;

/// Most bytes and headers that one request may have.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub head_bytes_max: usize,
    pub body_bytes_max: usize,
}

/// A head may hold this many lines; more is an attack.
const HEADERS_MAX: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Options,
    /// A method of RFC 9110 or 5789 that no path takes.
    Other,
    Unknown,
}

/// A whole request. Headers are looked up in the head as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
    /// HTTP/1.1. An HTTP/1.0 client must get no `1xx` (RFC 9110, 15.2).
    pub is_modern: bool,
    /// Whether the connection stays open after the answer.
    pub keep_alive: bool,
    pub body: Vec<u8>,
    head: Vec<u8>,
    path: Range<usize>,
    query: Range<usize>,
    /// Of an absolute target; it overrides `Host`.
    authority: Range<usize>,
    headers: Vec<(Range<usize>, Range<usize>)>,
}

/// What a buffer holds.
#[derive(Debug)]
pub enum Step {
    /// Not yet a whole request.
    More,
    /// The client waits for `100 Continue` before it sends the body; said once.
    Continue,
    Request(Box<Request>),
    Refused(Refusal),
}

/// Reads the requests of one connection.
pub struct Reader {
    limits: Limits,
    state: State,
    is_head: bool,
}

enum State {
    /// `scanned` bytes hold no end of the head.
    Head {
        scanned: usize,
    },
    Sized {
        request: Box<Request>,
        length: usize,
        waits: bool,
    },
    Chunked {
        request: Box<Request>,
        chunks: Chunks,
        waits: bool,
    },
    Refused(Refusal),
}

impl Reader {
    pub fn new(limits: Limits) -> Self {
        Reader { limits, state: State::Head { scanned: 0 }, is_head: false }
    }

    /// Whether a request has begun: its bytes may not take for ever.
    pub fn begun(&self, buffer: &[u8]) -> bool {
        !matches!(self.state, State::Head { .. }) || !buffer.is_empty()
    }

    /// Whether the request that was read last is a HEAD, even a refused one: its answer has no body.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    /// Bytes of the body that have arrived, once the head is complete.
    pub fn body_bytes(&self, buffer: &[u8]) -> Option<usize> {
        match &self.state {
            State::Sized { .. } => Some(buffer.len()),
            State::Chunked { request, .. } => Some(request.body.len() + buffer.len()),
            State::Head { .. } | State::Refused(_) => None,
        }
    }

    /// Takes the next request out of `buffer`, or says what is missing.
    pub fn step(&mut self, buffer: &mut Vec<u8>) -> Step {
        match self.advance(buffer) {
            Ok(step) => step,
            Err(refused) => {
                self.state = State::Refused(refused.clone());
                Step::Refused(refused)
            }
        }
    }

    fn advance(&mut self, buffer: &mut Vec<u8>) -> Result<Step, Refusal> {
        if let State::Head { scanned } = &mut self.state {
            let end = head_end(buffer, scanned, self.limits.head_bytes_max);
            self.is_head = buffer.starts_with(b"HEAD ");
            let Some(end) = end? else { return Ok(Step::More) };
            let rest = buffer.split_off(end);
            let (request, framing) = read_head(std::mem::replace(buffer, rest), self.limits.body_bytes_max)?;
            self.state = match framing {
                Framing::None => {
                    self.state = State::Head { scanned: 0 };
                    return Ok(Step::Request(request));
                }
                Framing::Sized(length) => {
                    let waits = expects_continue(&request)?;
                    State::Sized { request, length, waits }
                }
                Framing::Chunked => {
                    let waits = expects_continue(&request)?;
                    State::Chunked { request, chunks: Chunks::default(), waits }
                }
            };
        }
        match std::mem::replace(&mut self.state, State::Head { scanned: 0 }) {
            State::Head { .. } => unreachable!("a complete head leads to a body"),
            State::Refused(refused) => Err(refused),
            State::Sized { mut request, length, waits } => {
                if buffer.len() < length {
                    self.state = State::Sized { request, length, waits: false };
                    return Ok(if waits && buffer.is_empty() { Step::Continue } else { Step::More });
                }
                let rest = buffer.split_off(length);
                request.body = std::mem::replace(buffer, rest);
                Ok(Step::Request(request))
            }
            State::Chunked { mut request, mut chunks, waits } => {
                let step = if waits && buffer.is_empty() {
                    Step::Continue
                } else if chunks.read(buffer, &mut request.body, &self.limits)? {
                    return Ok(Step::Request(request));
                } else {
                    Step::More
                };
                self.state = State::Chunked { request, chunks, waits: false };
                Ok(step)
            }
        }
    }
}

impl Request {
    pub fn path(&self) -> &str {
        text(&self.head[self.path.clone()])
    }

    /// One parameter of the query, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let pairs = text(&self.head[self.query.clone()]).split('&');
        let value = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).find(|(key, _)| decoded(key) == name);
        value.map(|(_, value)| decoded(value))
    }

    /// The first header of this name, without the space around its value.
    pub fn header(&self, name: &'static str) -> Option<&str> {
        self.values(name).next()
    }

    /// Whether a header that is a list holds this word.
    pub fn lists(&self, name: &'static str, word: &str) -> bool {
        let holds = |value: &str| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word));
        self.headers_lossy(name).any(|value| holds(&value))
    }

    /// The host that the client means.
    pub fn host(&self) -> &str {
        match self.authority.is_empty() {
            true => self.header("host").unwrap_or(""),
            false => text(&self.head[self.authority.clone()]),
        }
    }

    /// Whether the body is JSON, as its `Content-Type` says.
    pub fn is_json(&self) -> bool {
        let kind = self.header("content-type").unwrap_or("");
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    /// The value of a header that may stand there only once.
    pub fn only(&self, name: &str) -> Option<&str> {
        let mut values = self.raw(name);
        let value = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(value).ok()
    }

    /// Whether there is a header of this name, whatever it says.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).next().is_some()
    }

    /// All headers of this name. Bytes that are not UTF-8 are replaced, so that no header goes unseen.
    pub fn headers_lossy(&self, name: &str) -> impl Iterator<Item = Cow<'_, str>> {
        self.raw(name).map(String::from_utf8_lossy)
    }

    /// The headers of this name that are UTF-8; others are as if they were not there.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name)
    }

    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.raw(name).filter_map(|value| std::str::from_utf8(value).ok())
    }

    fn raw(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = self.headers.iter().filter(move |(key, _)| self.head[key.clone()].eq_ignore_ascii_case(name.as_bytes()));
        named.map(|(_, value)| &self.head[value.clone()])
    }
}

/// Of bytes that have been found to be UTF-8.
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the target was text when its head was read")
}

pub(super) fn refused<T>(code: Code, detail: &'static str) -> Result<T, Refusal> {
    Err(Refusal::new(code, detail))
}

/// Where the head ends, if all of it is there. Only CRLF ends a line; empty lines before the first are no part of it.
fn head_end(buffer: &mut Vec<u8>, scanned: &mut usize, head_bytes_max: usize) -> Result<Option<usize>, Refusal> {
    if *scanned == 0 {
        let blank = buffer.chunks_exact(2).take_while(|pair| pair == b"\r\n").count();
        buffer.drain(..2 * blank);
    }
    let mut at = *scanned;
    while let Some(offset) = buffer[at..].iter().position(|&byte| byte == b'\n') {
        let line_feed = at + offset;
        if line_feed >= head_bytes_max {
            break;
        }
        if line_feed == 0 || buffer[line_feed - 1] != b'\r' {
            return refused(Code::BadRequest, "a line of the head ends without a carriage return: end lines with CRLF");
        }
        at = line_feed + 1;
        if line_feed >= 3 && buffer[line_feed - 3..].starts_with(b"\r\n\r\n") {
            return Ok(Some(at));
        }
    }
    *scanned = if buffer == b"\r" { 0 } else { buffer.len() };
    let line = &buffer[..buffer.len().min(head_bytes_max)];
    match buffer.len() > head_bytes_max {
        false => Ok(None),
        true if line.contains(&b'\n') => refused(Code::HeadTooLarge, HEAD_TOO_LARGE),
        true if line.contains(&b' ') => refused(Code::UriTooLong, URI_TOO_LONG),
        true => refused(Code::NotImplemented, UNKNOWN_METHOD),
    }
}

enum Framing {
    None,
    Sized(usize),
    Chunked,
}

fn read_head(head: Vec<u8>, body_bytes_max: usize) -> Result<(Box<Request>, Framing), Refusal> {
    let mut slots = [const { std::mem::MaybeUninit::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut []);
    match parsed.parse_with_uninit_headers(&head, &mut slots) {
        Ok(httparse::Status::Complete(length)) if length == head.len() => {}
        Ok(_) => return refused(Code::BadRequest, "the request's head can't be read"),
        Err(httparse::Error::TooManyHeaders) => return refused(Code::HeadTooLarge, "the request has too many headers: send at most 100"),
        Err(httparse::Error::Version) => return refused(Code::UnsupportedVersion, "this server speaks HTTP/1.1"),
        Err(httparse::Error::HeaderName) => {
            return refused(Code::BadRequest, "a header's name can't be read: no space may stand before it or its colon");
        }
        Err(_) => return refused(Code::BadRequest, "the request's head can't be read"),
    }
    let within = |part: &[u8]| {
        if part.is_empty() {
            return 0..0;
        }
        let start = part.as_ptr() as usize - head.as_ptr() as usize;
        start..start + part.len()
    };
    let method = match parsed.method.unwrap_or("") {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "OPTIONS" => Method::Options,
        "PUT" | "DELETE" | "PATCH" | "CONNECT" | "TRACE" => Method::Other,
        _ => Method::Unknown,
    };
    let Target { authority, path, query } = Target::read(method, parsed.path.unwrap_or(""))?;
    let headers = parsed.headers.iter().map(|header| (within(header.name.as_bytes()), within(header.value))).collect();
    let (authority, path, query) = (within(authority.as_bytes()), within(path.as_bytes()), within(query.as_bytes()));
    let is_modern = parsed.version == Some(1);
    let mut request = Box::new(Request { method, is_modern, keep_alive: false, body: Vec::new(), head, path, query, authority, headers });
    check_host(&request)?;
    let stays = is_modern || request.lists("connection", "keep-alive");
    request.keep_alive = stays && !request.lists("connection", "close");
    let framing = framing(&request, body_bytes_max)?;
    Ok((request, framing))
}

fn check_host(request: &Request) -> Result<(), Refusal> {
    let mut hosts = request.raw("host");
    match (hosts.next(), hosts.next()) {
        (None, _) if request.is_modern => refused(Code::BadRequest, "the request has no Host header: send exactly one"),
        (_, Some(_)) => refused(Code::BadRequest, "the request has more than one Host header: send exactly one"),
        (Some(host), None) if !is_host(host) => refused(Code::BadRequest, "the Host header names no host"),
        _ => Ok(()),
    }
}

/// How the body's end is found. Whatever is not clear is refused.
fn framing(request: &Request, body_bytes_max: usize) -> Result<Framing, Refusal> {
    let (mut codings, mut lengths) = (request.raw("transfer-encoding").peekable(), request.raw("content-length"));
    match (codings.peek(), lengths.next()) {
        (Some(_), Some(_)) => refused(Code::BadRequest, "the request has both Content-Length and Transfer-Encoding: send one of them"),
        (Some(_), None) if !request.is_modern => refused(Code::BadRequest, "HTTP/1.0 knows no Transfer-Encoding: send Content-Length"),
        (Some(_), None) => {
            let codings: Vec<&[u8]> = codings.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii).collect();
            match codings.iter().position(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
                Some(0) if codings.len() == 1 => Ok(Framing::Chunked),
                // Nobody could tell where such a body ends (RFC 9112, 6.3).
                Some(at) if at + 1 < codings.len() => refused(Code::BadRequest, NOT_LAST),
                None => refused(Code::BadRequest, NOT_LAST),
                Some(_) => refused(Code::NotImplemented, "the only Transfer-Encoding taken here is `chunked`"),
            }
        }
        (None, Some(length)) => {
            if lengths.next().is_some() {
                return refused(Code::BadRequest, "the request has more than one Content-Length: send exactly one");
            }
            let digits = (1..=19).contains(&length.len()) && length.iter().all(u8::is_ascii_digit);
            match std::str::from_utf8(length).ok().filter(|_| digits).and_then(|length| length.parse::<usize>().ok()) {
                None => refused(Code::BadRequest, "the Content-Length is not a number"),
                Some(0) => Ok(Framing::None),
                Some(length) if length > body_bytes_max => refused(Code::BodyTooLarge, BODY_TOO_LARGE),
                Some(length) => Ok(Framing::Sized(length)),
            }
        }
        (None, None) => Ok(Framing::None),
    }
}

const NOT_LAST: &str = "the last Transfer-Encoding must be `chunked`, once";
const UNKNOWN_METHOD: &str = "this method is unknown here";
pub const URI_TOO_LONG: &str = "the request's target is too long: send less in the path and query";
pub const HEAD_TOO_LARGE: &str = "the request's head is too large: send fewer or shorter headers";
pub const BODY_TOO_LARGE: &str = "the request's body is too large: send at most 1 MiB";

fn expects_continue(request: &Request) -> Result<bool, Refusal> {
    match request.header("expect").filter(|_| request.is_modern) {
        None => Ok(false),
        Some(expectation) if expectation.eq_ignore_ascii_case("100-continue") => Ok(true),
        Some(_) => refused(Code::ExpectationFailed, "the only Expect taken here is `100-continue`"),
    }
}

/// `%41` and `+` of a query. What is no code stays as it is.
fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
