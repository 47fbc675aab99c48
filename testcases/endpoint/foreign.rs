//! Pages of other sites: they reach this server through the user's browser, and get nothing from it and change nothing.

use crate::support::http::{Answer, Wire};
use crate::support::{Conversation, Server, Setting};
use serde_json::json;
use std::net::SocketAddr;

const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A request with these lines in its head, `Host` among them, and no body.
fn ask(address: SocketAddr, method: &str, target: &str, lines: &str) -> Answer {
    let mut wire = Wire::open(address);
    wire.send(format!("{method} {target} HTTP/1.1\r\n{lines}\r\n"));
    // The head of a stream has no end of its own.
    wire.answer()
}

/// What a page can make a browser send without asking first, and what it would like to read.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("GET", "/ws?session=victim", UPGRADE),
    ("GET", "/ws/trace?session=victim", UPGRADE),
    ("GET", "/ws/test", UPGRADE),
    ("GET", "/api/events?session=victim", ""),
    ("POST", "/api/clear?session=victim", ""),
    ("POST", "/api/stop?session=victim", ""),
    ("POST", "/api/send/check?session=victim", "Content-Length: 0\r\n"),
    ("GET", "/api/history?session=victim", ""),
    ("GET", "/health", ""),
    ("GET", "/", ""),
    ("OPTIONS", "/api/send?session=victim", "Access-Control-Request-Method: POST\r\n"),
];

fn victim(server: &Server) -> Conversation {
    let session = server.session("victim");
    session.ask("hello");
    session
}

/// All these requests, with these lines, are refused with this code and have no effect.
fn refuses(server: &Server, session: &Conversation, lines: &str, code: &str) {
    for (method, target, more) in REQUESTS {
        let answer = ask(server.address, method, target, &format!("{lines}{more}"));
        if *method == "OPTIONS" {
            assert_eq!(answer.header("access-control-allow-methods"), None, "{lines}");
        }
        assert_eq!((answer.status, &*answer.code()), (403, code), "{method} {target} {lines}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "the page can't even read why: {method} {target} {lines}");
    }
    assert_eq!(session.messages().len(), 2, "nothing was cleared: {lines}");
    assert_eq!(session.read("/api/state")["ws_connected"], false, "{lines}");
}

#[test]
fn refuses_pages_of_other_origins() {
    let server = Server::start();
    let session = victim(&server);
    let port = server.address.port();
    for origin in [
        "https://evil.example".to_owned(),
        "null".to_owned(),
        "file://".to_owned(),
        format!("http://localhost:{port}.evil.example"),
        format!("http://localhost:{port}@evil.example"),
        format!("http://localhost:{}", port ^ 1),
        format!("http://localhos:{port}"),
        "http://localhost".to_owned(),
    ] {
        refuses(&server, &session, &format!("Host: localhost:{port}\r\nOrigin: {origin}\r\n"), "foreign_origin");
    }
}

#[test]
fn refuses_names_that_were_rebound_to_its_address() {
    let server = Server::start();
    let session = victim(&server);
    let port = server.address.port();
    for host in ["evil.example".to_owned(), format!("evil.example:{port}"), format!("127.0.0.1.evil.example:{port}"), "10.0.0.1".to_owned()]
    {
        // To a page of that name this is its own origin; requests for documents have none.
        for origin in [format!("Origin: http://{host}\r\n"), String::new()] {
            refuses(&server, &session, &format!("Host: {host}\r\n{origin}"), "unknown_host");
        }
    }
}

#[test]
fn serves_its_own_pages_under_every_name_of_its_own() {
    let server = Server::with(&Setting { options: &["--host", "chat.example"], ..Setting::default() });
    let port = server.address.port();
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}"), "chat.example".to_owned()] {
        for scheme in ["http", "https"] {
            let lines = format!("Host: {host}\r\nOrigin: {scheme}://{host}\r\n");
            assert_eq!(ask(server.address, "POST", "/api/clear", &lines).status, 200, "{lines}");
            assert_eq!(ask(server.address, "GET", "/ws", &format!("{lines}{UPGRADE}")).status, 101, "{lines}");
        }
        assert_eq!(ask(server.address, "GET", "/health", &format!("Host: {host}\r\n")).status, 200, "{host}");
    }
    let foreign = format!("Host: localhost:{port}\r\nOrigin: http://chat.example\r\n");
    assert_eq!(ask(server.address, "POST", "/api/clear", &foreign).code(), "foreign_origin", "a page must come from where it goes");
}

#[test]
fn listed_origin_may_call_read_and_watch() {
    let server = Server::with(&Setting { options: &["--allow-origin", "https://app.example"], ..Setting::default() });
    let session = victim(&server);
    let host = format!("Host: localhost:{}\r\n", server.address.port());
    let lines = format!("{host}Origin: https://app.example\r\n");
    let preflight = ask(
        server.address,
        "OPTIONS",
        "/api/send",
        &format!("{lines}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n"),
    );
    assert_eq!(preflight.status, 200);
    let allowed = preflight.header("access-control-allow-headers").unwrap();
    for name in ["content-type", "idempotency-key", "x-session-id", "x-utc-offset", "last-event-id", "authorization"] {
        assert!(allowed.split(", ").any(|allowed| allowed == name), "{name}: {allowed}");
    }
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    for (method, target, more) in REQUESTS {
        let answer = ask(server.address, method, target, &format!("{lines}{more}"));
        let expected = if more == &UPGRADE { 101 } else { 200 };
        assert_eq!(answer.status, expected, "{method} {target}");
        if answer.status == 200 {
            assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"), "{method} {target}");
            assert!(answer.all("vary").any(|vary| vary.eq_ignore_ascii_case("origin")), "{method} {target}");
        }
    }
    assert_eq!(session.messages().len(), 0, "it was allowed to clear");
    // A refusal can be read too, and nobody else may do any of this.
    let refusal = ask(server.address, "GET", "/api/turn", &lines);
    assert_eq!((&*refusal.code(), refusal.header("access-control-allow-origin")), ("invalid_parameter", Some("https://app.example")));
    session.ask("hello");
    for origin in ["https://app.example.evil", "http://app.example", "https://app.example:8443", "https://sub.app.example", "null"] {
        refuses(&server, &session, &format!("{host}Origin: {origin}\r\n"), "foreign_origin");
    }
    let own = ask(server.address, "GET", "/health", &host);
    assert_eq!(own.header("access-control-allow-origin"), None, "only for other origins");
}

#[test]
fn wildcard_admits_every_origin_but_no_rebound_name_and_is_announced() {
    let server = Server::with(&Setting { options: &["--allow-origin", "*"], ..Setting::default() });
    assert!(server.said().contains("allow-origin: *"), "{}", server.said());
    let session = victim(&server);
    let host = format!("Host: localhost:{}\r\n", server.address.port());
    for origin in ["https://anyone.example", "null"] {
        let answer = ask(server.address, "GET", "/api/history?session=victim", &format!("{host}Origin: {origin}\r\n"));
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)));
    }
    refuses(&server, &session, "Host: evil.example\r\nOrigin: http://evil.example\r\n", "unknown_host");
    let closed = Server::start();
    assert!(!closed.said().contains("allow-origin"), "{}", closed.said());
    assert_eq!(closed.session("a").post("/api/clear", &json!({})), json!({ "status": "cleared" }));
}
