//! Requests whose framing is unusual, and those that never end. Each rule of the standards is in `testcases/conformance`.

use crate::support::{Server, eventually, in_parallel};
use std::io::Write;

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
