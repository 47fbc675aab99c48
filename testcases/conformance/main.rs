//! The protocols, rule by rule: HTTP/1.1 as RFC 9112 and 9110 have it, directly and behind a real nginx, and WebSocket with the
//! Autobahn suite. The server echoes (`serve --conformance`), so each test sees what was understood.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

mod autobahn;
mod behind;
mod direct;
#[allow(dead_code, reason = "it serves the tests of the deployment too")]
#[path = "../deployment/http2.rs"]
mod http2;
#[allow(dead_code, reason = "it serves the tests of the deployment too")]
#[path = "../deployment/nginx.rs"]
mod nginx;
mod rules;
#[allow(dead_code, reason = "it serves the tests of the deployment too")]
#[path = "../deployment/secure.rs"]
mod secure;
#[allow(dead_code, unused_imports, reason = "it serves the tests of the endpoint too")]
#[path = "../endpoint/support/mod.rs"]
mod support;

use support::{Server, Setting};

fn server() -> Server {
    Server::with(&Setting { options: &["--conformance"], ..Setting::default() })
}

#[test]
fn nothing_is_echoed_unless_it_is_switched_on() {
    let (plain, echo) = (Server::start(), server());
    assert!(echo.said().contains("conformance: echo, for tests only"), "{}", echo.said());
    assert!(!plain.said().contains("conformance"), "{}", plain.said());
    for (method, path, statuses) in [("POST", "/", (405, 200)), ("BREW", "/", (501, 200)), ("GET", "/ws/echo", (404, 426))] {
        let status = |server: &Server| server.connect().ask(method, path, None).status;
        assert_eq!((status(&plain), status(&echo)), statuses, "{method} {path}");
    }
    assert!(plain.connect().ask("GET", "/", None).text().contains("<html"));
    assert_eq!(echo.connect().ask("GET", "/health", None).status, 200, "everything else is as ever");
}
