//! HTTP/1.1 requests, out of a buffer of bytes.
//!
//! `httparse` reads a head; what makes framing safe is here: a request that two readers could understand differently is
//! refused and its connection closed. [`Reader::step`] may be called after any number of new bytes and says the same
//! whatever pieces they came in.
//!
//! Invariants: no byte of a body is ever read as a head; what is refused is never continued; a head and a body never
//! hold more than their limits.

use super::chunked::{Place, chunks};
use crate::contract::{Code, Refusal};
use percent_encoding::percent_decode_str;
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
    Other,
}

/// A whole request. Headers are looked up in the head as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: Method,
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
        place: Place,
        waits: bool,
    },
    Refused(Refusal),
}

impl Reader {
    pub fn new(limits: Limits) -> Self {
        Reader { limits, state: State::Head { scanned: 0 } }
    }

    /// Whether a request has begun: its bytes may not take for ever.
    pub fn begun(&self, buffer: &[u8]) -> bool {
        !matches!(self.state, State::Head { .. }) || !buffer.is_empty()
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
            let Some(end) = head_end(buffer, scanned, self.limits.head_bytes_max)? else { return Ok(Step::More) };
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
                    State::Chunked { request, place: Place::Size, waits }
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
            State::Chunked { mut request, mut place, waits } => {
                if waits && buffer.is_empty() {
                    self.state = State::Chunked { request, place, waits: false };
                    return Ok(Step::Continue);
                }
                match chunks(buffer, &mut request.body, &mut place, &self.limits)? {
                    true => Ok(Step::Request(request)),
                    false => {
                        self.state = State::Chunked { request, place, waits: false };
                        Ok(Step::More)
                    }
                }
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
        self.values(name).flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(word))
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

    /// All headers of this name.
    pub fn headers(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name)
    }

    /// Values that are UTF-8; others are as if they were not there.
    fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.headers.iter().filter(move |(key, _)| self.head[key.clone()].eq_ignore_ascii_case(name.as_bytes()));
        named.filter_map(|(_, value)| std::str::from_utf8(&self.head[value.clone()]).ok())
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
    while *scanned == 0 && buffer.starts_with(b"\r\n") {
        buffer.drain(..2);
    }
    let mut at = *scanned;
    while let Some(offset) = buffer[at..].iter().position(|&byte| byte == b'\n') {
        let line_feed = at + offset;
        if line_feed == 0 || buffer[line_feed - 1] != b'\r' {
            return refused(Code::BadRequest, "a line of the head ends without a carriage return: end lines with CRLF");
        }
        at = line_feed + 1;
        if at > head_bytes_max {
            break;
        }
        if line_feed >= 3 && buffer[line_feed - 3..].starts_with(b"\r\n\r\n") {
            return Ok(Some(at));
        }
    }
    *scanned = if buffer == b"\r" { 0 } else { buffer.len() };
    match buffer.len() > head_bytes_max {
        true => refused(Code::HeadTooLarge, HEAD_TOO_LARGE),
        false => Ok(None),
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
    let method = match parsed.method {
        Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("POST") => Method::Post,
        Some("OPTIONS") => Method::Options,
        _ => Method::Other,
    };
    let target = parsed.path.unwrap_or("");
    let (authority, path, query) = target_parts(target)?;
    let headers = parsed.headers.iter().map(|header| (within(header.name.as_bytes()), within(header.value))).collect();
    let (authority, path, query) = (within(authority.as_bytes()), within(path.as_bytes()), within(query.as_bytes()));
    let modern = parsed.version == Some(1);
    let mut request = Box::new(Request { method, keep_alive: modern, body: Vec::new(), head, path, query, authority, headers });
    check_host(&request, modern)?;
    request.keep_alive = match modern {
        true => !request.lists("connection", "close"),
        false => request.lists("connection", "keep-alive"),
    };
    let framing = framing(&request, modern, body_bytes_max)?;
    Ok((request, framing))
}

/// `/path?query`, or `http://authority/path?query` as a proxy would send it.
fn target_parts(target: &str) -> Result<(&str, &str, &str), Refusal> {
    if target.contains('#') {
        return refused(Code::BadRequest, "the request's target has a fragment: leave out what follows the `#`");
    }
    let bare = ["http://", "https://"].iter().find_map(|scheme| {
        let named = target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        named.then(|| &target[scheme.len()..])
    });
    let (authority, rest) = match bare {
        Some(bare) => bare.split_at(bare.find(['/', '?']).unwrap_or(bare.len())),
        None => target.split_at(0),
    };
    if bare.is_some() && !is_host(authority.as_bytes()) {
        return refused(Code::BadRequest, "the request's target names no host");
    }
    let (path, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
    let path = if path.is_empty() && bare.is_some() { "/" } else { path };
    match path.starts_with('/') || path == "*" {
        // A lone `/` is not a part of the head: point at the target's first slash instead.
        true if path == "/" => Ok((authority, &target[target.find('/').unwrap_or(0)..][..1], query.get(1..).unwrap_or(&rest[..0]))),
        true => Ok((authority, path, query.get(1..).unwrap_or(&rest[..0]))),
        false => refused(Code::BadRequest, "the request's target must begin with `/`"),
    }
}

fn check_host(request: &Request, modern: bool) -> Result<(), Refusal> {
    let mut hosts = request.headers.iter().filter(|(name, _)| request.head[name.clone()].eq_ignore_ascii_case(b"host"));
    match (hosts.next(), hosts.next()) {
        (None, _) if modern => refused(Code::BadRequest, "the request has no Host header: send exactly one"),
        (_, Some(_)) => refused(Code::BadRequest, "the request has more than one Host header: send exactly one"),
        (Some((_, value)), None) if !is_host(&request.head[value.clone()]) => refused(Code::BadRequest, "the Host header names no host"),
        _ => Ok(()),
    }
}

/// A name or address, with or without a port.
fn is_host(host: &[u8]) -> bool {
    let mark = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+;=:[]".contains(byte);
    !host.is_empty() && host.iter().all(mark)
}

/// How the body's end is found. Whatever is not clear is refused.
fn framing(request: &Request, modern: bool, body_bytes_max: usize) -> Result<Framing, Refusal> {
    let raw = |name: &'static [u8]| {
        let named = request.headers.iter().filter(move |(key, _)| request.head[key.clone()].eq_ignore_ascii_case(name));
        named.map(|(_, value)| &request.head[value.clone()])
    };
    let (mut codings, mut lengths) = (raw(b"transfer-encoding"), raw(b"content-length"));
    match (codings.next(), lengths.next()) {
        (Some(_), Some(_)) => refused(Code::BadRequest, "the request has both Content-Length and Transfer-Encoding: send one of them"),
        (Some(_), None) if !modern => refused(Code::BadRequest, "HTTP/1.0 knows no Transfer-Encoding: send Content-Length"),
        (Some(coding), None) => match coding.eq_ignore_ascii_case(b"chunked") && codings.next().is_none() {
            true => Ok(Framing::Chunked),
            false => refused(Code::NotImplemented, "the only Transfer-Encoding taken here is `chunked`, once"),
        },
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

pub const HEAD_TOO_LARGE: &str = "the request's head is too large: send fewer or shorter headers";
pub const BODY_TOO_LARGE: &str = "the request's body is too large: send at most 1 MiB";

fn expects_continue(request: &Request) -> Result<bool, Refusal> {
    match request.header("expect") {
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
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { head_bytes_max: 600, body_bytes_max: 64 };

    /// What a reader makes of some bytes that come in pieces of one size: each request as `METHOD path body`.
    fn read(bytes: &[u8], piece: usize) -> Vec<String> {
        let (mut reader, mut buffer, mut seen) = (Reader::new(LIMITS), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            loop {
                match reader.step(&mut buffer) {
                    Step::More => break,
                    Step::Continue => seen.push("continue".to_owned()),
                    Step::Refused(refused) => {
                        seen.push(refused.code.status().to_string());
                        return seen;
                    }
                    Step::Request(request) => {
                        let close = if request.keep_alive { "" } else { " close" };
                        let body = String::from_utf8_lossy(&request.body).into_owned();
                        let body = if body.is_empty() { body } else { format!(" {body}") };
                        seen.push(format!("{:?} {}{body}{close}", request.method, request.path()));
                    }
                }
            }
        }
        seen
    }

    /// The same whatever pieces the bytes come in.
    fn check(text: &str, expected: &[&str]) {
        for piece in [1, 2, 3, 7, usize::MAX] {
            assert_eq!(read(text.as_bytes(), piece.min(text.len())), expected, "pieces of {piece}: {text:?}");
        }
    }

    #[test]
    fn requests_follow_one_another_on_one_connection() {
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b?c=1 HTTP/1.1\r\nhost: a:80\r\n\r\n", &["Get /", "Get /b"]);
        check("\r\nHEAD / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &["Head /"]);
        check("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["Post /p abc", "Get /"]);
        check("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", &["Post /p"]);
        check("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", &["Get / close"]);
        check("GET / HTTP/1.0\r\n\r\n", &["Get / close"]);
        check("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &["Get /"]);
        check("GET http://b:1/x?y HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /x"]);
        check("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n", &["Get /"]);
        check("BREW * HTTP/1.1\r\nHost: a\r\n\r\n", &["Other *"]);
    }

    #[test]
    fn a_chunked_body_is_put_together_and_its_framing_is_strict() {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (body, expected) in [
            ("3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", &["Post / abc", "Get /"] as &[&str]),
            ("3;x=\"y\"\r\nabc\r\n02\r\nde\r\n000\r\nA: b\r\nC: d\r\n\r\n", &["Post / abcde"]),
            ("3\nabc\r\n0\r\n\r\n", &["400"]),
            ("3\r\nabcd\r\n0\r\n\r\n", &["400"]),
            ("3\r\nab\r\n0\r\n\r\n", &["400"]),
            ("3 \r\nabc\r\n0\r\n\r\n", &["400"]),
            ("0x3\r\nabc\r\n0\r\n\r\n", &["400"]),
            ("+3\r\nabc\r\n0\r\n\r\n", &["400"]),
            ("-1\r\nabc\r\n0\r\n\r\n", &["400"]),
            ("\r\nabc\r\n0\r\n\r\n", &["400"]),
            ("3;a\rb\r\nabc\r\n0\r\n\r\n", &["400"]),
            ("fffffffffffffffff\r\n", &["400"]),
            ("ffffffffffffffff\r\n", &["413"]),
            ("41\r\n", &["413"]),
            ("0\r\nA : b\r\n\r\n", &["400"]),
            ("0\r\n folded\r\n\r\n", &["400"]),
        ] {
            check(&format!("{post}{body}"), expected);
        }
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        for (head, status) in [
            ("GET / HTTP/1.1\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost:\r\n\r\n", "400"),
            ("GET / HTTP/1.1\nHost: a\n\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", "400"),
            ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "400"),
            ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
            ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
            ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
            ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
            ("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n", "413"),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "501"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", "501"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", "501"),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n", "400"),
            ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\n", "417"),
        ] {
            check(head, &[status]);
        }
    }

    #[test]
    fn a_head_has_a_longest_length_and_a_longest_list() {
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(600));
        check(&long, &["431"]);
        check(&long[..610], &["431"]);
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A:\r\n".repeat(100));
        check(&many, &["431"]);
    }

    #[test]
    fn a_client_that_waits_is_told_once_to_go_on() {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
        let (mut reader, mut buffer) = (Reader::new(LIMITS), head.as_bytes().to_vec());
        assert!(matches!(reader.step(&mut buffer), Step::Continue));
        assert!(matches!(reader.step(&mut buffer), Step::More));
        buffer.extend_from_slice(b"ab");
        assert!(matches!(reader.step(&mut buffer), Step::Request(request) if request.body == b"ab"));
        assert_eq!(read(format!("{head}ab").as_bytes(), usize::MAX), ["Post / ab"], "who does not wait is not told");
    }

    #[test]
    fn queries_and_headers_are_found_by_name() {
        let text = "GET /p?a=1%202+3&b&%63=%zz HTTP/1.1\r\nHost: h\r\nX-Y:  z \r\nConnection: keep-alive, Upgrade\r\n\
                    Content-Type: Application/JSON; charset=utf-8\r\n\r\n";
        let mut buffer = text.as_bytes().to_vec();
        let Step::Request(request) = Reader::new(LIMITS).step(&mut buffer) else { panic!("a whole request") };
        for (name, value) in [("a", Some("1 2 3")), ("b", Some("")), ("c", Some("%zz")), ("d", None)] {
            assert_eq!(request.query(name).as_deref(), value, "{name}");
        }
        assert_eq!((request.header("x-y"), request.host()), (Some("z"), "h"));
        assert!(request.lists("connection", "upgrade") && request.is_json());
    }
}
