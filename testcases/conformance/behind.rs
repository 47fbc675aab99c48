//! Behind a real nginx that keeps its connections to the server open: whatever an attacker sends, the next one who asks over the
//! same connection gets their own answer.

use crate::nginx::Nginx;
use crate::rules::{WAIT, post, rules};
use crate::secure::Secure;
use crate::server;
use std::time::Duration;

/// Ways to write a coding, most of which only some readers understand.
const CODINGS: &[&str] = &[
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: Chunked",
    "Transfer-Encoding:chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: chunked ",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: \x00chunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding:\r\n\tchunked",
    "A: b\r\n Transfer-Encoding: chunked",
    "A: b\rTransfer-Encoding: chunked",
    "A: b\nTransfer-Encoding: chunked",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding\0: chunked",
    "TRANSFER-ENCODING: CHUNKED",
    "Transfer-Encoding: chunked\x0c",
    "Transfer-Encoding: c\u{212a}unked",
];

/// Ways to write a length; each is replaced by that of the body, or by another.
const LENGTHS: &[&str] = &[
    "Content-Length: {}",
    "Content-Length:{}",
    "Content-Length : {}",
    " Content-Length: {}",
    "Content-Length: +{}",
    "Content-Length: 0{}",
    "Content-Length: {},{}",
    "Content-Length: 0\r\nContent-Length: {}",
    "Content-Length: {}\r\nContent-Length: 0",
    "Content-Length:\r\n {}",
    "Content-Length: {}\x0b",
    "Content-Length: 0x{}",
    "A: b\rContent-Length: {}",
    "A: b\nContent-Length: {}",
    "Content_Length: {}",
];

/// The beginning of a request that would swallow the head of the next one.
const STOLEN: &str = "GET /stolen HTTP/1.1\r\nHost: localhost\r\nX-Swallows: ";

/// Requests that two readers could end at different places; behind each end stands what must never be a request.
fn attacks() -> Vec<Vec<u8>> {
    let ends = format!("0\r\n\r\n{STOLEN}");
    let mut attacks: Vec<String> = Vec::new();
    for coding in CODINGS {
        for length in [ends.len(), 5, 0] {
            let length = format!("Content-Length: {length}");
            attacks.push(post(&[&length, coding], &ends));
            attacks.push(post(&[coding, &length], &ends));
        }
        attacks.push(post(&[coding], &ends));
    }
    for length in LENGTHS {
        for number in [STOLEN.len(), 0] {
            attacks.push(post(&[&length.replace("{}", &number.to_string())], STOLEN));
        }
    }
    for size in ["0;", "0 ", " 0", "0x0", "00", "+0", "0\n", "0\r", "-0", "0;a=\"\r\n\""] {
        attacks.push(post(&["Transfer-Encoding: chunked"], &format!("{size}\r\n\r\n{STOLEN}")));
        attacks.push(post(&["Transfer-Encoding: chunked"], &format!("1\r\nx\r\n{size}\r\n\r\n{STOLEN}")));
    }
    for target in [
        "/ HTTP/1.1\r\nHost: localhost\r\n\r\nGET /stolen",
        "/\tHTTP/1.1",
        "/ HTTP/1.1 HTTP/1.0",
        "http://localhost/",
        "*",
        "//",
        "/?\u{e9}",
    ] {
        attacks.push(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n{STOLEN}"));
    }
    // What nginx would like to become a tunnel, and what has an answer without a body.
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: ";
    for (method, path, version) in
        [("GET", "/ws", "8"), ("GET", "/ws", "13"), ("POST", "/ws", "13"), ("GET", "/health", "13"), ("HEAD", "/ws", "13")]
    {
        attacks.push(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{upgrade}{version}\r\n\r\n{STOLEN}"));
    }
    for head in ["HEAD /", "HEAD /nothing", "HEAD /api/clear", "OPTIONS /health", "OPTIONS *", "TRACE /", "BREW /health", "DELETE /"] {
        attacks.push(format!("{head} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{STOLEN}", STOLEN.len()));
    }
    attacks.push(format!(
        "GET /index.html HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\nContent-Length: {}\r\n\r\n{STOLEN}",
        STOLEN.len()
    ));
    for expectation in ["100-continue", "a-miracle", "100-continue, 100-continue"] {
        attacks.push(post(&[&format!("Expect: {expectation}"), &format!("Content-Length: {}", STOLEN.len())], STOLEN));
    }
    // And every rule that a server keeps when it is asked directly.
    let without_wait = |bytes: Vec<u8>| match bytes.windows(WAIT.len()).position(|part| part == WAIT.as_bytes()) {
        Some(at) => [&bytes[..at], &bytes[at + WAIT.len()..]].concat(),
        None => bytes,
    };
    let rules = rules().into_iter().map(|rule| [without_wait(rule.send), STOLEN.as_bytes().to_vec()].concat());
    attacks.into_iter().map(String::into_bytes).chain(rules).collect()
}

/// Asks for an echo of a word that nobody else knows, and returns what came.
fn ask(victim: &mut Secure, word: &str) -> String {
    victim.send(post(&[&format!("Content-Length: {}", word.len())], word).as_bytes());
    let head = victim.head();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    victim.bytes(length.unwrap_or_else(|| panic!("no length: {head}")))
}

#[test]
fn victim_behind_each_attack_gets_their_own_answer() {
    let server = server();
    let nginx = Nginx::before(server.address);
    let mut victim = nginx.open("");
    let attacks = attacks();
    assert!(attacks.len() > 400, "{}", attacks.len());
    for (number, attack) in attacks.iter().enumerate() {
        let what = || format!("attack {number}: {:?}", String::from_utf8_lossy(&attack[..attack.len().min(300)]));
        // nginx ends a client's connection after 1,000 requests.
        if number % 100 == 0 {
            victim = nginx.open("");
        }
        let mut attacker = nginx.open("");
        attacker.try_send(attack);
        // So that it is over, if nginx passes it on at all.
        attacker.wait_for(Duration::from_millis(100));
        // Twice: one of them comes over the connection that the attack went over, or meets what it left behind.
        for turn in 0..2 {
            let word = format!("word-{number}-{turn}");
            assert_eq!(ask(&mut victim, &word), word, "{}", what());
        }
        let seen = attacker.what_came();
        assert!(!seen.contains("word-"), "{}: the attacker reads the victim's answer: {seen}", what());
    }
}
