//! Each rule on a connection of its own, with a request behind it that is answered only where the connection may go on.

use crate::rules::{Rule, Then, WAIT, rules};
use crate::server;
use crate::support::Server;
use crate::support::http::{Answer, Wire};
use crate::support::in_parallel;

/// What an attacker would like to be taken for the next request.
fn smuggled(session: &str) -> String {
    let (body, host) = (r#"{"text":"smuggled"}"#, "Host: localhost");
    let kind = format!("Content-Type: application/json\r\nContent-Length: {}", body.len());
    format!("POST /api/send?session={session} HTTP/1.1\r\n{host}\r\n{kind}\r\n\r\n{body}")
}

/// The rules that can be put to the test byte by byte.
fn short_rules() -> impl Iterator<Item = Rule> {
    rules().into_iter().filter(|rule| rule.send.len() < 1_000)
}

fn send(wire: &mut Wire, bytes: &[u8], piece: usize) {
    bytes.chunks(piece).for_each(|piece| wire.try_send(piece));
}

/// Compares an answer with what is expected of it; see [`Rule::answers`].
fn compare(answer: &Answer, expected: &str, what: &str) {
    let mut parts = expected.split(" · ");
    let statuses = parts.next().unwrap();
    assert!(statuses.split('|').any(|status| status == answer.status.to_string()), "{what}: {expected}, not {answer:?}");
    for part in parts {
        let holds = match (part.strip_prefix('='), part.strip_prefix('-'), part.split_once(": ")) {
            (Some(body), _, _) => answer.text() == body,
            (_, Some(name), _) => answer.header(name).is_none(),
            (_, _, Some((name, "*"))) => answer.header(name).is_some(),
            (_, _, Some((name, value))) => answer.all(name).any(|header| header == value),
            (_, _, None) => panic!("{what}: `{part}` can't be read"),
        };
        assert!(holds, "{what}: {part}, not {answer:?}");
    }
    if answer.status >= 200 {
        // RFC 9110, 6.6.1 and 5.6.7.
        let date = regex_lite::Regex::new(r"^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$").unwrap();
        assert!(answer.header("date").is_some_and(|text| date.is_match(text)), "{what}: {answer:?}");
    }
    if answer.status >= 400 && !expected.contains("content-length: *") {
        answer.detail();
    }
}

/// Puts a rule to the test, its bytes in pieces of this size.
fn check(server: &Server, number: usize, rule: &Rule, piece: usize) {
    let what = format!("{} ({}), in pieces of {piece}", rule.section, rule.name);
    let is_head = rule.send.starts_with(b"HEAD ");
    let session = format!("smuggled-{number}-{}", piece.min(9));
    let mut wire = server.connect();
    let mut expected = rule.answers.iter();
    let waits = rule.send.windows(WAIT.len()).position(|part| part == WAIT.as_bytes());
    let (first, rest) = rule.send.split_at(waits.unwrap_or(rule.send.len()));
    send(&mut wire, first, piece);
    if rule.answers[0].starts_with("100") {
        compare(&wire.answer(), expected.next().unwrap(), &what);
    }
    send(&mut wire, rest.strip_prefix(WAIT.as_bytes()).unwrap_or(rest), piece);
    let behind = match rule.then {
        Then::GoesOn => "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nbehind".to_owned(),
        Then::Ends => smuggled(&session),
        Then::Switches => return compare(&wire.answer(), expected.next().unwrap(), &what),
    };
    wire.try_send(behind);
    for expected in expected {
        match wire.next(!is_head) {
            Some(answer) => compare(&answer, expected, &what),
            // Where an unread byte is on its way when the server closes, its answer may be lost.
            None => assert!(rule.then == Then::Ends && piece == 1, "{what}: {expected}, not the connection's end"),
        }
    }
    match rule.then {
        Then::GoesOn => assert_eq!(wire.answer().text(), "behind", "{what}: the connection goes on"),
        Then::Ends => {
            assert!(wire.is_ended(), "{what}: the connection ends");
            assert_eq!(server.session(&session).read("/api/poll")["hash"], "no_session", "{what}: what stood behind it was taken");
        }
        Then::Switches => unreachable!("returned above"),
    }
}

#[test]
fn keeps_each_rule_of_http() {
    let server = server();
    let rules = rules();
    assert!(rules.len() >= 190, "{}", rules.len());
    rules.iter().enumerate().for_each(|(number, rule)| check(&server, number, rule, usize::MAX));
}

#[test]
fn keeps_each_rule_whatever_pieces_a_request_comes_in() {
    let server = server();
    for piece in [1, 7] {
        in_parallel(short_rules().enumerate(), |(number, rule)| check(&server, number, &rule, piece));
    }
}

/// RFC 9112, section 8: what breaks off is no request.
#[test]
fn request_that_breaks_off_is_never_done() {
    let server = server();
    for (number, framing) in ["Content-Length: 100", "Transfer-Encoding: chunked"].into_iter().enumerate() {
        let session = format!("broken-off-{number}");
        let mut wire = server.connect();
        let body = if number == 0 { r#"{"text":"hello"}"#.to_owned() } else { format!("10\r\n{}\r\n", r#"{"text":"hello"}"#) };
        wire.send(format!(
            "POST /api/send?session={session} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n{body}"
        ));
        wire.end_sending();
        assert!(wire.rest().iter().all(|answer| answer.status >= 400), "{framing}");
        assert_eq!(server.session(&session).read("/api/poll")["hash"], "no_session", "{framing}");
    }
}

/// RFC 9110, sections 8.6 and 15.4.5: `304` says of the file what `200` would.
#[test]
fn unchanged_file_is_described_as_a_whole_one() {
    let server = server();
    let mut wire = server.connect();
    let whole = wire.ask("GET", "/index.html", None);
    let tag = whole.header("etag").unwrap();
    for condition in [tag.to_owned(), format!("\"other\", {tag}"), format!("W/{tag}")] {
        wire.send(format!("GET /index.html HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {condition}\r\n\r\n"));
        let known = wire.answer();
        assert_eq!((known.status, known.body.len()), (304, 0), "{condition}");
        for name in ["etag", "cache-control", "vary", "content-length"] {
            assert_eq!(known.header(name), whole.header(name), "{name}");
        }
    }
    wire.send(format!("GET /index.html HTTP/1.1\r\nHost: localhost\r\nIf-Match: {tag}\r\n\r\n"));
    assert_eq!(wire.answer().status, 200);
    wire.send(format!("GET /index.html HTTP/1.1\r\nHost: localhost\r\nIf-Match: W/{tag}\r\n\r\n"));
    assert_eq!(wire.answer().code(), "precondition_failed", "a weak tag is no promise");
}
