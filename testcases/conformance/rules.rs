//! What RFC 9112, RFC 9110 and RFC 6455 demand of a server: a request, and what has to come back.

/// One rule: its section, what it says, the bytes that put it to the test, and what is expected.
pub(crate) struct Rule {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) send: Vec<u8>,
    /// One line for each answer: the status, then what else must hold, separated by ` · `. `name: value` is a header, `-name` one
    /// that must be missing, `=text` the body; statuses may have alternatives, `400|501`.
    pub(crate) answers: &'static [&'static str],
    pub(crate) then: Then,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next request is answered.
    GoesOn,
    /// Nothing behind the request is read.
    Ends,
    /// It speaks another protocol.
    Switches,
}

const HOST: &str = "Host: localhost";
/// An ordinary refusal.
const BAD: &[&str] = &["400"];
const TOO_LARGE: &[&str] = &["413"];
const TOO_LONG: &[&str] = &["414"];
const OK: &[&str] = &["200"];

/// A head of these lines.
fn head(lines: &[&str]) -> String {
    lines.join("\r\n") + "\r\n\r\n"
}

/// A POST to the echo, with these lines in its head and this body.
pub(crate) fn post(lines: &[&str], body: &str) -> String {
    head(&[&["POST / HTTP/1.1", HOST], lines].concat()) + body
}

/// A body in chunks, as it stands.
fn chunks(body: &str) -> String {
    post(&["Transfer-Encoding: chunked"], body)
}

/// A GET of the echo with one more line.
fn get(line: &str) -> String {
    head(&["GET / HTTP/1.1", HOST, line])
}

/// A handshake in which one thing is another.
fn handshake(from: &str, to: &str) -> String {
    let sound = head(&[
        "GET /ws/echo HTTP/1.1",
        HOST,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ]);
    assert!(sound.contains(from), "{from}");
    sound.replacen(from, to, 1)
}

pub(crate) fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut section = "";
    let mut rule = |at: &'static str, name, answers, then, send: &dyn AsRef<[u8]>| {
        section = if at.is_empty() { section } else { at };
        rules.push(Rule { section, name, send: send.as_ref().to_vec(), answers, then });
    };
    use Then::{Ends, GoesOn, Switches};

    // The lines of a message.
    rule("9112 2.2", "empty lines before a request are skipped", OK, GoesOn, &format!("\r\n\r\n{}", get("A: b")));
    rule("", "a bare CR in a value", BAD, Ends, &get("A: b\rc"));
    rule("", "a bare CR before a header", BAD, Ends, &get("A: b\rContent-Length: 50"));
    rule("", "a bare CR in the request line", &["400|505"], Ends, &head(&["GET / \rHTTP/1.1", HOST]));
    rule("", "a bare CR in a name", BAD, Ends, &get("A\rB: c"));
    rule("", "whitespace before the first header", BAD, Ends, &head(&["GET / HTTP/1.1", " Host: localhost"]));
    rule("", "a line of whitespace before the first header", BAD, Ends, &head(&["GET / HTTP/1.1", " ", HOST]));
    rule("", "lines that end in a bare LF", BAD, Ends, &"GET / HTTP/1.1\nHost: localhost\n\n");
    rule("", "one line that ends in a bare LF", BAD, Ends, &"GET / HTTP/1.1\r\nHost: localhost\nA: b\r\n\r\n");
    rule("", "a head that ends in a bare LF", BAD, Ends, &"GET / HTTP/1.1\r\nHost: localhost\r\n\n");
    rule("", "a TLS greeting", BAD, Ends, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n");
    rule("", "nothing but noise", BAD, Ends, b"\x00\xff\x00\xff\r\n\r\n");
    let version = &["505"];
    rule("9112 2.3", "version 2", version, Ends, &"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    rule("", "an unknown version", version, Ends, &head(&["GET / HTTP/9.9", HOST]));
    rule("", "the name of the protocol is written in capitals", &["400|505"], Ends, &head(&["GET / http/1.1", HOST]));
    rule("", "a version of three digits", &["400|505"], Ends, &head(&["GET / HTTP/1.10", HOST]));
    rule("", "no version", BAD, Ends, &head(&["GET /", HOST]));

    // The request line.
    rule("9112 3", "two spaces in the request line", BAD, Ends, &head(&["GET  / HTTP/1.1", HOST]));
    rule("", "tabs in the request line", BAD, Ends, &head(&["GET\t/\tHTTP/1.1", HOST]));
    rule("", "a space behind the version", &["400|505"], Ends, &head(&["GET / HTTP/1.1 ", HOST]));
    rule("", "a space before the method", BAD, Ends, &head(&[" GET / HTTP/1.1", HOST]));
    rule("", "no target", BAD, Ends, &head(&["GET HTTP/1.1", HOST]));
    rule("", "a target longer than the server takes", TOO_LONG, Ends, &head(&[&format!("GET /{} HTTP/1.1", "x".repeat(20_000)), HOST]));
    rule("9112 3.1", "a method is a token", BAD, Ends, &head(&["GE(T / HTTP/1.1", HOST]));
    let unknown = &["501 · allow: GET, HEAD, OPTIONS, POST"];
    rule("9110 9.1", "an unknown method", unknown, GoesOn, &head(&["BREW /health HTTP/1.1", HOST]));
    rule("", "methods are case-sensitive", unknown, GoesOn, &head(&["get /health HTTP/1.1", HOST]));
    rule("", "a method longer than any that is known", &["501"], Ends, &"X".repeat(20_000));
    let bounds = "a head larger than the server takes";
    rule("9110 5.4", bounds, &["431"], Ends, &get(&format!("A: {}", "x".repeat(20_000))));
    rule("", "more headers than the server takes", &["431"], Ends, &get(&vec!["A: b"; 200].join("\r\n")));

    // The host, and the forms of a target.
    rule("9112 3.2", "no Host", BAD, Ends, &head(&["GET / HTTP/1.1"]));
    rule("", "two Hosts", BAD, Ends, &get("Host: other"));
    rule("", "the same Host twice", BAD, Ends, &get(HOST));
    rule("", "two Hosts from an HTTP/1.0 client", BAD, Ends, &head(&["GET / HTTP/1.0", HOST, HOST]));
    rule("", "an absolute target without Host", BAD, Ends, &head(&["GET http://localhost/ HTTP/1.1"]));
    for host in
        ["", "a, b", "a,b", "a b", "a/b", "me@a", "a:b", "a:80:80", ":80", "[::1", "[a]", "::1", "a?b", "a#b", "a\u{e9}", "%zz", "a:99999"]
    {
        rule("", "an invalid Host", BAD, Ends, &head(&["GET / HTTP/1.1", &format!("Host: {host}")]));
    }
    rule("", "a Host with a port", OK, GoesOn, &head(&["GET / HTTP/1.1", "Host: localhost:7878"]));
    rule("", "a Host that is an address", OK, GoesOn, &head(&["GET / HTTP/1.1", "Host: [::1]:7878"]));
    rule("9112 3.2.1", "a query", OK, GoesOn, &head(&["GET /?a=b&c HTTP/1.1", HOST]));
    rule("", "a target without slash", BAD, Ends, &head(&["GET health HTTP/1.1", HOST]));
    rule("", "a target with a fragment", BAD, Ends, &head(&["GET /#part HTTP/1.1", HOST]));
    rule("", "a target with a NUL", BAD, Ends, &head(&["GET /a\0b HTTP/1.1", HOST]));
    rule(
        "9112 3.2.2",
        "an absolute target",
        &["200 · =hi"],
        GoesOn,
        &head(&["POST http://localhost/ HTTP/1.1", HOST, "Content-Length: 2"]).replace("\r\n\r\n", "\r\n\r\nhi"),
    );
    rule("", "its host takes precedence over Host", OK, GoesOn, &head(&["GET http://localhost HTTP/1.1", "Host: evil.example"]));
    rule("", "its host is checked as Host is", &["403"], GoesOn, &head(&["GET http://evil.example/ HTTP/1.1", HOST]));
    rule("", "an absolute target without a host", BAD, Ends, &head(&["GET http:///a HTTP/1.1", HOST]));
    rule("", "an absolute target with a user", BAD, Ends, &head(&["GET http://me@localhost/ HTTP/1.1", HOST]));
    rule("", "an absolute target of another scheme", BAD, Ends, &head(&["GET ftp://localhost/ HTTP/1.1", HOST]));
    rule("9110 7.4", "an https target on an unencrypted connection", &["421"], Ends, &head(&["GET https://localhost/ HTTP/1.1", HOST]));
    rule("9112 3.2.3", "CONNECT", BAD, Ends, &head(&["CONNECT localhost:80 HTTP/1.1", HOST]));
    rule(
        "9112 3.2.4",
        "`*` is for OPTIONS",
        &["200 · allow: GET, HEAD, OPTIONS, POST · content-length: 0"],
        GoesOn,
        &head(&["OPTIONS * HTTP/1.1", HOST]),
    );
    rule("", "`*` is for nothing else", BAD, Ends, &head(&["GET * HTTP/1.1", HOST]));

    // Headers.
    rule("9112 5.1", "space before the colon", BAD, Ends, &get("A : b"));
    rule("", "a tab before the colon", BAD, Ends, &get("A\t: b"));
    rule("", "space before the colon of a length", BAD, Ends, &post(&["Content-Length : 2"], "{}"));
    rule("", "space before the colon of a coding", BAD, Ends, &post(&["Transfer-Encoding : chunked"], "0\r\n\r\n"));
    rule("", "space around a value is no part of it", &["200 · =hi"], GoesOn, &post(&["Content-Length: \t 2 \t"], "hi"));
    rule("", "no space behind the colon", &["200 · =hi"], GoesOn, &post(&["Content-Length:2"], "hi"));
    rule("9112 5.2", "a folded header", BAD, Ends, &get("A: b\r\n c"));
    rule("", "a header folded with a tab", BAD, Ends, &get("A: b\r\n\tc"));
    rule("", "a folded length", BAD, Ends, &post(&["Content-Length:\r\n 2"], "{}"));
    rule(
        "9110 5.1",
        "names in any case",
        &["200 · =hi"],
        GoesOn,
        &head(&["POST / HTTP/1.1", "hOSt: localhost", "CONTENT-length: 2"]).replace("\r\n\r\n", "\r\n\r\nhi"),
    );
    rule("", "a header without a colon", BAD, Ends, &get("no header"));
    rule("", "a header without a name", BAD, Ends, &get(": b"));
    rule("", "a space in a name", BAD, Ends, &get("A B: c"));
    rule("", "a NUL in a name", BAD, Ends, &get("A\0B: c"));
    rule("", "a byte beyond ASCII in a name", BAD, Ends, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-N\xe4me: value\r\n\r\n");
    rule("9110 5.5", "a NUL in a value", BAD, Ends, &get("A: b\0c"));
    rule("", "a control character in a value", BAD, Ends, &get("A: b\x01c"));
    rule("", "a value beyond ASCII", OK, GoesOn, &get("A: größe"));
    rule("", "an empty value", OK, GoesOn, &get("A:"));
    rule("9110 5.6.1", "empty elements of a list", &["200 · connection: close"], Ends, &get("Connection: , ,close,"));

    // The length of a body.
    rule("9112 6", "a body that comes with GET", &["200 · =hi"], GoesOn, &(get("Content-Length: 2") + "hi"));
    rule(
        "",
        "a body that comes with an unknown method",
        &["200 · =hi"],
        GoesOn,
        &(head(&["BREW / HTTP/1.1", HOST, "Content-Length: 2"]) + "hi"),
    );
    rule(
        "",
        "a body that comes with DELETE in chunks",
        &["200 · =hi"],
        GoesOn,
        &(head(&["DELETE / HTTP/1.1", HOST, "Transfer-Encoding: chunked"]) + "2\r\nhi\r\n0\r\n\r\n"),
    );
    rule("9112 6.1", "a body in chunks", &["200 · =hello"], GoesOn, &chunks("2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"));
    rule("", "the coding in any case", &["200 · =hi"], GoesOn, &post(&["transfer-encoding: CHUNKED"], "2\r\nhi\r\n0\r\n\r\n"));
    rule("", "an unknown coding before chunked", &["501"], Ends, &post(&["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"));
    rule("", "the same in two lines", &["501"], Ends, &post(&["Transfer-Encoding: x", "Transfer-Encoding: chunked"], "0\r\n\r\n"));
    rule("", "chunked twice", BAD, Ends, &post(&["Transfer-Encoding: chunked, chunked"], "0\r\n\r\n"));
    rule("", "chunked in two lines", BAD, Ends, &post(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n"));
    let old = "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    rule("", "chunks from an HTTP/1.0 client", BAD, Ends, &old);
    rule("9112 6.3", "a length and chunks", BAD, Ends, &post(&["Content-Length: 4", "Transfer-Encoding: chunked"], "0\r\n\r\n"));
    rule("", "chunks and a length", BAD, Ends, &post(&["Transfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n"));
    for coding in ["gzip", "chunked, identity", "identity", "xchunked", "\"chunked\"", "chunked;q=1", "", "chunked,", "chunked\x0b"] {
        rule("", "chunked is not the last coding", BAD, Ends, &post(&[&format!("Transfer-Encoding: {coding}")], "0\r\n\r\n"));
    }
    // A list may have empty elements; but not every reader knows, so that such a list is not taken here.
    rule("", "an empty coding before chunked", &["501"], Ends, &post(&["Transfer-Encoding: ,chunked"], "0\r\n\r\n"));
    rule("", "two lengths that differ", BAD, Ends, &post(&["Content-Length: 2", "Content-Length: 7"], "{}"));
    rule("", "two lengths that agree", BAD, Ends, &post(&["Content-Length: 2", "Content-Length: 2"], "{}"));
    for length in
        ["2, 2", "2,7", "+2", "-2", "0x2", "2.0", "2 2", "", "\"2\"", "two", "18446744073709551618", "99999999999999999999999999999999"]
    {
        rule("", "an invalid length", BAD, Ends, &post(&[&format!("Content-Length: {length}")], "{}"));
    }
    rule("", "a body larger than the server takes", TOO_LARGE, Ends, &post(&["Content-Length: 1048577"], ""));
    rule("", "no length means no body", &["200 · ="], GoesOn, &post(&[], ""));
    rule("", "a length of zero", &["200 · ="], GoesOn, &post(&["Content-Length: 0"], ""));

    // Chunks.
    rule(
        "9112 7.1",
        "digits in either case and zeros before them",
        &["200 · =0123456789hi"],
        GoesOn,
        &chunks("000A\r\n0123456789\r\n02\r\nhi\r\n000\r\n\r\n"),
    );
    rule("", "no chunk but the last", &["200 · ="], GoesOn, &chunks("0\r\n\r\n"));
    for (name, body) in [
        ("a chunk size in words", "zz\r\n{}\r\n0\r\n\r\n"),
        ("a chunk size with a prefix", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("a chunk size with a sign", "+2\r\n{}\r\n0\r\n\r\n"),
        ("a negative chunk size", "-2\r\n{}\r\n0\r\n\r\n"),
        ("an underscore in a chunk size", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
        ("an empty chunk size", "\r\n{}\r\n0\r\n\r\n"),
        ("space before a chunk size", " 2\r\n{}\r\n0\r\n\r\n"),
        ("space behind a chunk size", "2 \r\n{}\r\n0\r\n\r\n"),
        ("a chunk size beyond numbers", "10000000000000002\r\n{}\r\n0\r\n\r\n"),
        ("a chunk that is longer than it says", "1\r\n{}\r\n0\r\n\r\n"),
        ("a chunk that is shorter than it says", "3\r\n{}\r\n0\r\n\r\n"),
        ("a chunk without its end", "2\r\n{}0\r\n\r\n"),
        ("a chunk that ends in a bare LF", "2\r\n{}\n0\r\n\r\n"),
        ("a chunk that ends in a bare CR", "2\r\n{}\r0\r\n\r\n"),
        ("a chunk size that ends in a bare LF", "2\n{}\r\n0\r\n\r\n"),
        ("a chunk size that ends in a bare CR", "2\r{}\r\n0\r\n\r\n"),
        ("a last chunk that ends in a bare LF", "2\r\n{}\r\n0\n\r\n"),
        ("an end in a bare LF", "2\r\n{}\r\n0\r\n\n"),
    ] {
        rule("", name, BAD, Ends, &chunks(body));
    }
    rule("", "a chunk size near the end of numbers", TOO_LARGE, Ends, &chunks("ffffffffffffffff\r\n{}\r\n0\r\n\r\n"));
    rule("", "chunks larger than the server takes", TOO_LARGE, Ends, &chunks("100001\r\n"));
    rule("9112 7.1.1", "unknown extensions are skipped", &["200 · =hi"], GoesOn, &chunks("2;a;b=c;d=\"e\"\r\nhi\r\n0;f\r\n\r\n"));
    rule("", "space around the semicolon", &["200 · =hi"], GoesOn, &chunks("2 ;\ta = b\r\nhi\r\n0\r\n\r\n"));
    rule("", "an extension with a bare CR", BAD, Ends, &chunks("2;a\rb\r\n{}\r\n0\r\n\r\n"));
    rule("", "an extension with a NUL", BAD, Ends, &chunks("2;a\0b\r\n{}\r\n0\r\n\r\n"));
    rule("", "an extension that ends in a bare LF", BAD, Ends, &chunks("2;a\n{}\r\n0\r\n\r\n"));
    rule("", "an extension larger than the server takes", BAD, Ends, &chunks(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20_000))));
    rule(
        "",
        "more extensions than the server takes",
        BAD,
        Ends,
        &chunks(&(format!("1;{}\r\nx\r\n", "e".repeat(200)).repeat(100) + "0\r\n\r\n")),
    );
    rule("9112 7.1.2", "a trailer", &["200 · =hi"], GoesOn, &chunks("2\r\nhi\r\n0\r\nA: b\r\nContent-Length: 50\r\n\r\n"));
    rule("", "a trailer that is no header", BAD, Ends, &chunks("2\r\n{}\r\n0\r\nno header\r\n\r\n"));
    rule("", "a trailer with space before its colon", BAD, Ends, &chunks("2\r\n{}\r\n0\r\nA : b\r\n\r\n"));
    rule("", "a folded trailer", BAD, Ends, &chunks("2\r\n{}\r\n0\r\nA: b\r\n c\r\n\r\n"));
    rule("", "a trailer that ends in a bare LF", BAD, Ends, &chunks("2\r\n{}\r\n0\r\nA: b\n\r\n"));
    rule("", "a trailer larger than the server takes", &["400|431"], Ends, &chunks(&format!("0\r\nA: {}\r\n\r\n", "x".repeat(20_000))));

    // The connection.
    rule("9112 9.3", "it persists", &["200", "200"], GoesOn, &get("A: b").repeat(2));
    rule("", "not with HTTP/1.0", &["200 · connection: close"], Ends, &head(&["GET / HTTP/1.0", HOST]));
    rule("", "unless it asks for it", &["200 · -connection"], GoesOn, &head(&["GET / HTTP/1.0", "Connection: keep-alive"]));
    rule("", "close weighs more than keep-alive", OK, Ends, &head(&["GET / HTTP/1.0", "Connection: keep-alive, close"]));
    let pipelined = post(&["Content-Length: 1"], "a") + &chunks("1\r\nb\r\n0\r\n\r\n") + &post(&["Content-Length: 1"], "c");
    rule("9112 9.3.2", "pipelined requests are answered in order", &["200 · =a", "200 · =b", "200 · =c"], GoesOn, &pipelined);
    rule("9112 9.6", "nothing is read behind close", &["200 · connection: close"], Ends, &(get("Connection: close") + &get("A: b")));
    rule("", "close in any case and in a list", &["200 · connection: close"], Ends, &get("Connection: x, CLOSE"));
    rule("", "close in a line of its own", &["200 · connection: close"], Ends, &get("Connection: keep-alive\r\nConnection: close"));

    // Methods and what they are answered.
    let found = &["200 · date: * · content-length: * · content-type: application/json"];
    rule("9110 9.3.1", "GET", found, GoesOn, &head(&["GET /auth/config HTTP/1.1", HOST]));
    rule("9110 9.3.2", "HEAD is GET without the body", found, GoesOn, &head(&["HEAD /auth/config HTTP/1.1", HOST]));
    rule("", "HEAD of what is not there", &["404 · content-length: *"], GoesOn, &head(&["HEAD /nothing HTTP/1.1", HOST]));
    rule("", "HEAD that is refused has no body either", &["400 · content-length: *"], Ends, &head(&["HEAD / HTTP/1.1"]));
    rule("9110 9.3.8", "TRACE is known and not allowed", &["405 · allow: GET, HEAD"], GoesOn, &head(&["TRACE /health HTTP/1.1", HOST]));
    rule("9110 15.5.6", "405 comes with Allow", &["405 · allow: POST · date: *"], GoesOn, &head(&["GET /api/clear HTTP/1.1", HOST]));
    rule("", "also for OPTIONS", &["405 · allow: GET, HEAD, POST"], GoesOn, &head(&["OPTIONS /api/test/status HTTP/1.1", HOST]));
    rule("9110 6.6.1", "Date on an error", &["404 · date: *"], GoesOn, &head(&["GET /nothing HTTP/1.1", HOST]));
    rule("", "Date on a refusal", &["400 · date: * · connection: close"], Ends, &head(&["GET / HTTP/1.1"]));
    rule(
        "9110 13.1.2",
        "If-None-Match with `*`",
        &["304 · etag: * · date: * · -transfer-encoding"],
        GoesOn,
        &head(&["GET /index.html HTTP/1.1", HOST, "If-None-Match: *"]),
    );
    rule(
        "",
        "If-None-Match with another tag",
        &["200 · etag: *"],
        GoesOn,
        &head(&["HEAD /index.html HTTP/1.1", HOST, "If-None-Match: \"a\", W/\"b\""]),
    );
    rule("9110 13.1.1", "If-Match with another tag", &["412"], GoesOn, &head(&["GET /index.html HTTP/1.1", HOST, "If-Match: \"a\""]));
    rule("", "If-Match with `*`", &["200 · etag: *"], GoesOn, &head(&["HEAD /index.html HTTP/1.1", HOST, "If-Match: *"]));
    rule(
        "",
        "If-Match with another tag, of what is not there",
        &["404"],
        GoesOn,
        &head(&["GET /nothing HTTP/1.1", HOST, "If-Match: \"a\""]),
    );
    rule(
        "9110 13.1.3",
        "a date is no condition where nothing has one",
        &["200 · -last-modified"],
        GoesOn,
        &head(&["HEAD /index.html HTTP/1.1", HOST, "If-Modified-Since: Mon, 30 Nov 2099 00:00:00 GMT"]),
    );
    rule(
        "9110 14.2",
        "ranges are not supported and ignored",
        &["200 · -content-range"],
        GoesOn,
        &head(&["HEAD /index.html HTTP/1.1", HOST, "Range: bytes=0-1"]),
    );

    // Expectations.
    let expects = ["Content-Length: 2", "Expect: 100-continue"];
    rule(
        "9110 10.1.1",
        "a client that waits gets 100 Continue",
        &["100 · -content-length", "200 · =hi"],
        GoesOn,
        &format!("{}{WAIT}hi", post(&expects, "")),
    );
    rule(
        "",
        "in any case",
        &["100", "200 · =hi"],
        GoesOn,
        &format!("{}{WAIT}hi", post(&["Content-Length: 2", "Expect: 100-CONTINUE"], "")),
    );
    rule(
        "",
        "before a body in chunks",
        &["100", "200 · =hi"],
        GoesOn,
        &format!("{}{WAIT}2\r\nhi\r\n0\r\n\r\n", post(&["Transfer-Encoding: chunked", "Expect: 100-continue"], "")),
    );
    rule("", "not before a body that is refused", TOO_LARGE, Ends, &post(&["Content-Length: 99999999", "Expect: 100-continue"], ""));
    rule("", "not where there is no body", &["200 · ="], GoesOn, &post(&["Expect: 100-continue"], ""));
    rule("", "another expectation", &["417"], Ends, &post(&["Content-Length: 2", "Expect: a-miracle"], "{}"));
    rule(
        "9110 15.2",
        "an HTTP/1.0 client gets no 100",
        &["200 · =hi"],
        Ends,
        &format!("{}{WAIT}hi", head(&["POST / HTTP/1.0", "Content-Length: 2", "Expect: 100-continue"])),
    );

    // Upgrades.
    let switch = &["101 · upgrade: websocket · connection: Upgrade · sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo= · -content-length"];
    rule(
        "9110 7.8",
        "another protocol is not taken",
        &["200 · -upgrade"],
        GoesOn,
        &get("Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__"),
    );
    rule("", "an upgrade where none is", &["200 · -upgrade"], GoesOn, &get("Upgrade: websocket\r\nConnection: Upgrade"));
    let required = &["426 · upgrade: websocket · connection: upgrade · sec-websocket-version: 13"];
    rule("9110 15.5.22", "426 says to what", required, GoesOn, &head(&["GET /ws/echo HTTP/1.1", HOST]));
    rule("9110 7.8", "HTTP/1.0 knows no upgrade", &["426 · upgrade: websocket"], Ends, &handshake("HTTP/1.1", "HTTP/1.0"));
    rule("6455 4.2.2", "a handshake", switch, Switches, &handshake("", ""));
    rule("6455 4.2.1", "another method", required, GoesOn, &handshake("GET", "POST"));
    rule("", "no Upgrade", required, GoesOn, &handshake("Upgrade: websocket\r\n", ""));
    rule("", "another Upgrade", required, GoesOn, &handshake("Upgrade: websocket", "Upgrade: h2c"));
    rule("", "no Connection", required, GoesOn, &handshake("Connection: Upgrade\r\n", ""));
    rule("", "another version", required, GoesOn, &handshake("Version: 13", "Version: 8"));
    rule("", "no version", required, GoesOn, &handshake("Sec-WebSocket-Version: 13\r\n", ""));
    rule("6455 11.3.5", "two versions", required, GoesOn, &handshake("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13"));
    rule("6455 11.3.1", "two keys", BAD, GoesOn, &handshake("Key: ", "Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Key: "));
    rule("6455 4.2.1", "no key", BAD, GoesOn, &handshake("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""));
    rule("", "a short key", BAD, GoesOn, &handshake("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ=="));
    rule("", "a key that is not base64", BAD, GoesOn, &handshake("dGhl", "dG-l"));
    let foreign = &["403"];
    rule("6455 10.2", "a foreign Origin", foreign, GoesOn, &handshake(HOST, "Host: localhost\r\nOrigin: https://evil.example"));
    rule("", "the Origin `null`", foreign, GoesOn, &handshake(HOST, "Host: localhost\r\nOrigin: null"));
    rule(
        "",
        "an Origin that begins with our host",
        foreign,
        GoesOn,
        &handshake(HOST, "Host: localhost\r\nOrigin: http://localhost.evil.example"),
    );
    rule(
        "",
        "an Origin with our host as its user",
        foreign,
        GoesOn,
        &handshake(HOST, "Host: localhost\r\nOrigin: http://localhost@evil.example"),
    );
    rules
}

/// Where a client waits for `100 Continue`; no byte of the request.
pub(crate) const WAIT: &str = "\u{1}WAIT\u{1}";
