//! Requests that two readers could understand differently: each is refused, its connection ends, and nothing that stands
//! behind it is ever taken for a request.

use crate::support::{Server, eventually, in_parallel};
use std::io::Write;

/// What makes a request hostile, its bytes, and the statuses that refuse it.
struct Probe {
    name: &'static str,
    bytes: Vec<u8>,
    statuses: &'static [u16],
}

const BAD: &[u16] = &[400];

fn probe(name: &'static str, statuses: &'static [u16], bytes: impl AsRef<[u8]>) -> Probe {
    Probe { name, bytes: bytes.as_ref().to_vec(), statuses }
}

/// A head of these lines.
fn head(lines: &[&str]) -> String {
    lines.join("\r\n") + "\r\n\r\n"
}

/// A POST to a harmless call, with these lines in its head and this body.
fn post(lines: &[&str], body: &str) -> String {
    head(&[&["POST /api/send/check HTTP/1.1", "Host: localhost", "Content-Type: application/json"], lines].concat()) + body
}

/// A body in chunks, as it stands.
fn chunks(body: &str) -> String {
    post(&["Transfer-Encoding: chunked"], body)
}

fn probes() -> Vec<Probe> {
    let get = "GET /health HTTP/1.1";
    let host = "Host: localhost";
    vec![
        // Lengths
        probe("a length and chunks", BAD, post(&["Content-Length: 4", "Transfer-Encoding: chunked"], "0\r\n\r\n")),
        probe("chunks and a length", BAD, post(&["Transfer-Encoding: chunked", "Content-Length: 5"], "0\r\n\r\n")),
        probe("two lengths that differ", BAD, post(&["Content-Length: 2", "Content-Length: 7"], "{}")),
        probe("two lengths that agree", BAD, post(&["Content-Length: 2", "Content-Length: 2"], "{}")),
        probe("a list of lengths", BAD, post(&["Content-Length: 2, 2"], "{}")),
        probe("a length with a sign", BAD, post(&["Content-Length: +2"], "{}")),
        probe("a negative length", BAD, post(&["Content-Length: -2"], "{}")),
        probe("a length in hex", BAD, post(&["Content-Length: 0x2"], "{}")),
        probe("a length with a point", BAD, post(&["Content-Length: 2.0"], "{}")),
        probe("a length in two words", BAD, post(&["Content-Length: 2 2"], "{}")),
        probe("an empty length", BAD, post(&["Content-Length: "], "{}")),
        probe("a length beyond numbers", &[400, 413], post(&["Content-Length: 18446744073709551618"], "{}")),
        probe("a length beyond everything", &[400, 413], post(&["Content-Length: 99999999999999999999999999999999"], "{}")),
        // Codings
        probe("two codings", &[400, 501], post(&["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n")),
        probe("chunked twice", &[400, 501], post(&["Transfer-Encoding: chunked, chunked"], "0\r\n\r\n")),
        probe("chunked in two lines", &[400, 501], post(&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "0\r\n\r\n")),
        probe("chunked is not last", &[400, 501], post(&["Transfer-Encoding: chunked, identity"], "0\r\n\r\n")),
        probe("an unknown coding", &[400, 501], post(&["Transfer-Encoding: xchunked"], "0\r\n\r\n")),
        probe("the coding `identity`", &[400, 501], post(&["Transfer-Encoding: identity"], "0\r\n\r\n")),
        probe("a coding in quotes", &[400, 501], post(&["Transfer-Encoding: \"chunked\""], "0\r\n\r\n")),
        probe("an empty coding", &[400, 501], post(&["Transfer-Encoding: "], "0\r\n\r\n")),
        probe("a coding behind a control sign", &[400, 501], post(&["Transfer-Encoding: \x0bchunked"], "0\r\n\r\n")),
        probe(
            "chunks from an old client",
            &[400, 501],
            "POST /api/send/check HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        // Chunks
        probe("a chunk size in words", BAD, chunks("zz\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk size with a prefix", BAD, chunks("0x2\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk size with a sign", BAD, chunks("+2\r\n{}\r\n0\r\n\r\n")),
        probe("a negative chunk size", BAD, chunks("-2\r\n{}\r\n0\r\n\r\n")),
        probe("an empty chunk size", BAD, chunks("\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk size behind a space", BAD, chunks(" 2\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk size before a space", BAD, chunks("2 \r\n{}\r\n0\r\n\r\n")),
        probe("a chunk size beyond numbers", &[400, 413], chunks("10000000000000002\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk size near the end of numbers", &[400, 413], chunks("ffffffffffffffff\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk that is longer than it says", BAD, chunks("1\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk that is shorter than it says", BAD, chunks("3\r\n{}\r\n0\r\n\r\n")),
        probe("a chunk without its end", BAD, chunks("2\r\n{}0\r\n\r\n")),
        probe("a chunk that ends in a bare LF", BAD, chunks("2\r\n{}\n0\r\n\r\n")),
        probe("a chunk size that ends in a bare LF", BAD, chunks("2\n{}\r\n0\r\n\r\n")),
        probe("a chunk size that ends in a bare CR", BAD, chunks("2\r{}\r\n0\r\n\r\n")),
        probe("an extension with a bare CR", BAD, chunks("2;a\rb\r\n{}\r\n0\r\n\r\n")),
        probe("an extension with a NUL", BAD, chunks("2;a\0b\r\n{}\r\n0\r\n\r\n")),
        probe("an extension without end", BAD, chunks(&format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(20_000)))),
        probe("a trailer that is no header", BAD, chunks("2\r\n{}\r\n0\r\nno header\r\n\r\n")),
        probe("a trailer with a space before its colon", BAD, chunks("2\r\n{}\r\n0\r\nA : b\r\n\r\n")),
        probe("a trailer that ends in a bare LF", BAD, chunks("2\r\n{}\r\n0\r\nA: b\n\r\n")),
        // Hosts
        probe("no host", BAD, head(&[get])),
        probe("two hosts", BAD, head(&[get, host, "Host: other"])),
        probe("the same host twice", BAD, head(&[get, host, host])),
        probe("an empty host", BAD, head(&[get, "Host: "])),
        probe("a list of hosts", BAD, head(&[get, "Host: a, b"])),
        probe("a host with a space", BAD, head(&[get, "Host: a b"])),
        probe("a host with a path", BAD, head(&[get, "Host: a/b"])),
        probe("a host with a user", BAD, head(&[get, "Host: me@a"])),
        // Lines
        probe("a header that is folded", BAD, head(&[get, host, "X-Long: one", " two"])),
        probe("a first header that is folded", BAD, head(&[get, " Host: localhost"])),
        probe("a space before the colon", BAD, head(&[get, host, "X-Name : value"])),
        probe("a tab before the colon", BAD, head(&[get, host, "X-Name\t: value"])),
        probe("a length with a space before the colon", BAD, post(&["Content-Length : 2"], "{}")),
        probe("a coding with a space before the colon", BAD, post(&["Transfer-Encoding : chunked"], "0\r\n\r\n")),
        probe("a header without a colon", BAD, head(&[get, host, "no header"])),
        probe("a header without a name", BAD, head(&[get, host, ": value"])),
        probe("a space in a name", BAD, head(&[get, host, "X Name: value"])),
        probe("a NUL in a name", BAD, head(&[get, host, "X\0Name: value"])),
        probe("a NUL in a value", BAD, head(&[get, host, "X-Name: a\0b"])),
        probe("a bare CR in a value", BAD, head(&[get, host, "X-Name: a\rb"])),
        probe("a bare CR before a header", BAD, head(&[get, host, "X-Name: a\rContent-Length: 50"])),
        probe("a control sign in a value", BAD, head(&[get, host, "X-Name: a\x01b"])),
        probe("a sign beyond ASCII in a name", BAD, b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-N\xe4me: value\r\n\r\n"),
        probe("lines that end in a bare LF", BAD, "GET /health HTTP/1.1\nHost: localhost\n\n"),
        probe("one line that ends in a bare LF", BAD, "GET /health HTTP/1.1\r\nHost: localhost\nX-Name: value\r\n\r\n"),
        probe("a head that ends in a bare LF", BAD, "GET /health HTTP/1.1\r\nHost: localhost\r\n\n"),
        probe("too many headers", &[400, 431], head(&[&[get, host][..], &vec!["X-Name: value"; 200]].concat())),
        // Request lines
        probe("no version", BAD, head(&["GET /health", host])),
        probe("an unknown version", &[400, 505], head(&["GET /health HTTP/9.9", host])),
        probe("version 2", &[400, 505], "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        probe("a version in small letters", &[400, 505], head(&["GET /health http/1.1", host])),
        probe("two spaces in the first line", BAD, head(&["GET  /health HTTP/1.1", host])),
        probe("a tab in the first line", BAD, head(&["GET\t/health\tHTTP/1.1", host])),
        probe("a space behind the version", &[400, 505], head(&["GET /health HTTP/1.1 ", host])),
        probe("a space before the method", BAD, head(&[" GET /health HTTP/1.1", host])),
        probe("no target", BAD, head(&["GET HTTP/1.1", host])),
        probe("a target that begins with no slash", BAD, head(&["GET health HTTP/1.1", host])),
        probe("a target with a fragment", BAD, head(&["GET /health#part HTTP/1.1", host])),
        probe("a target with a NUL", BAD, head(&["GET /hea\0lth HTTP/1.1", host])),
        probe("a method with a bracket", BAD, head(&["GE(T /health HTTP/1.1", host])),
        probe("a TLS greeting", BAD, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n"),
        probe("nothing but noise", BAD, b"\x00\xff\x00\xff\r\n\r\n"),
        probe("an expectation that nobody meets", &[400, 417], post(&["Content-Length: 2", "Expect: a-miracle"], "{}")),
    ]
}

/// What an attacker would like to be taken for the next request.
fn smuggled(session: &str) -> String {
    let body = r#"{"text":"smuggled"}"#;
    let length = body.len();
    format!(
        "POST /api/send?session={session} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

#[test]
fn a_request_that_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_is_read() {
    let server = Server::start();
    for (number, Probe { name, bytes, statuses }) in probes().into_iter().enumerate() {
        let session = format!("smuggled-{number}");
        let mut wire = server.connect();
        let mut all = bytes;
        all.extend(smuggled(&session).bytes());
        wire.try_send(all);
        let answers = wire.rest();
        let seen: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(seen.len(), 1, "{name}: one answer and then the connection's end, not {seen:?}");
        assert!(statuses.contains(&seen[0]), "{name}: {seen:?}");
        answers[0].detail();
        assert_eq!(answers[0].header("connection"), Some("close"), "{name}");
        assert_eq!(server.session(&session).read("/api/poll")["hash"], "no_session", "{name}: what stood behind it was taken");
    }
}

#[test]
fn a_hostile_request_byte_by_byte_is_refused_as_well() {
    let server = Server::start();
    let probes: Vec<Probe> = probes().into_iter().filter(|probe| probe.bytes.len() < 1_000).collect();
    in_parallel(probes, |Probe { name, bytes, statuses }| {
        let mut wire = server.connect();
        bytes.iter().for_each(|byte| wire.try_send([*byte]));
        let answers = wire.rest();
        // Where an unread byte is on its way when the server closes, its answer may be lost; a second one may not come.
        assert!(answers.len() <= 1, "{name}");
        answers.iter().for_each(|answer| assert!(statuses.contains(&answer.status), "{name}: {}", answer.status));
    });
}

#[test]
fn unusual_requests_that_can_only_be_read_in_one_way_are_taken() {
    let server = Server::start();
    for (name, bytes) in [
        ("empty lines before the request", "\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()),
        ("names in any case", "GET /health HTTP/1.1\r\nhOSt: localhost\r\nCONNECTION: Keep-Alive\r\n\r\n".to_owned()),
        ("no space behind the colon", "GET /health HTTP/1.1\r\nHost:localhost\r\n\r\n".to_owned()),
        ("much space around a value", "GET /health HTTP/1.1\r\nHost: \t localhost \t \r\n\r\n".to_owned()),
        ("an empty value", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Empty:\r\n\r\n".to_owned()),
        ("a host with a port", "GET /health HTTP/1.1\r\nHost: localhost:7878\r\n\r\n".to_owned()),
        ("an IPv6 host", "GET /health HTTP/1.1\r\nHost: [::1]:7878\r\n\r\n".to_owned()),
        ("a whole address as target", "GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()),
        ("a query", "GET /health?a=b&c HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned()),
        ("a value beyond ASCII", "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Name: größe\r\n\r\n".to_owned()),
        ("an empty body in chunks", chunks("0\r\n\r\n")),
        ("leading zeros", chunks("0002\r\n{}\r\n0\r\n\r\n")),
        ("a length of zero", post(&["Content-Length: 0"], "")),
    ] {
        let mut wire = server.connect();
        wire.send(&bytes);
        let answer = wire.answer();
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        assert_eq!(wire.ask("GET", "/health", None).status, 200, "{name}: the connection goes on");
    }
}

#[test]
fn whoever_never_finishes_a_request_is_let_go_and_holds_up_nobody() {
    let server = Server::start();
    let beginnings = [
        ("a head that stops", "GET /health HTTP/1.1\r\nHost: loc".to_owned()),
        ("a head without its last line", "GET /health HTTP/1.1\r\nHost: localhost\r\n".to_owned()),
        ("a body that stops", post(&["Content-Length: 10"], "{")),
        ("a body that never comes", post(&["Content-Length: 10"], "")),
        ("chunks that stop", chunks("a\r\n{")),
    ];
    in_parallel(beginnings, |(name, bytes)| {
        let mut wire = server.connect();
        wire.send(bytes);
        // The bound on waiting here is well beyond the server's own patience.
        let answers = wire.rest();
        assert!(answers.iter().all(|answer| answer.status == 408 || answer.status == 400), "{name}: {answers:?}");
        assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
    });
}

#[test]
fn closes_silent_connections_of_a_server_where_nothing_else_happens() {
    let server = Server::start();
    // Requests that wait for the other shard set an earlier deadline, which their answers remove again.
    (0..16).for_each(|number| drop(server.session(&format!("elsewhere-{number}")).read("/api/state")));
    let silent: Vec<_> = (0..8).map(|_| server.connect()).collect();
    assert!(silent.into_iter().all(|mut wire| wire.rest().is_empty()), "nothing was asked, so nothing is answered");
    in_parallel(0..8, |_| assert_eq!(server.connect().ask("GET", "/health", None).status, 200));
}

#[test]
fn whoever_drips_a_head_for_ever_is_let_go() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.send("GET /health HTTP/1.1\r\nHost: localhost\r\n");
    let mut number = 0;
    eventually("the connection's end", || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        number += 1;
        wire.stream.write_all(format!("X-{number}: drip\r\n").as_bytes()).err()
    });
}
