//! A deployment as people have it: the server behind a real nginx with TLS, configured by `framewright config nginx`; on Unix
//! sockets and those of systemd; under a real systemd, from a Debian package; in a container.
//!
//! `NGINX_BIN` says which nginx (`/usr/sbin/nginx` otherwise); `openssl` makes the certificate. What this machine has no means
//! for is skipped, and said.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

mod bounds;
mod checked;
mod container;
mod http2;
mod machine;
mod nginx;
mod notify;
mod package;
mod process;
#[allow(dead_code, reason = "it serves the tests of conformance too")]
mod secure;
mod sockets;
#[allow(dead_code, unused_imports, reason = "it serves the tests of the endpoint too")]
#[path = "../endpoint/support/mod.rs"]
mod support;
mod unit;

use nginx::Nginx;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;
use support::{Folder, Provider, Server, Setting, own_address, request, run};
use tungstenite::Message;

#[test]
fn conversations_and_event_streams_go_through_as_they_happen() {
    let provider = Provider::start();
    let server = provider.server();
    let nginx = Nginx::before(server.address);
    assert_eq!(nginx.ask("GET", "/health", "", "").json()["status"], "ok");
    let mut events = nginx.open("GET /api/events?session=behind HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = events.head();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    let mut chat = nginx.socket("/ws?session=behind&token=secret");
    let mut tests = nginx.socket("/ws/test");
    assert_eq!(secure::next(&mut chat)["type"], "controls");
    assert_eq!(secure::next(&mut tests)["type"], "test_status");
    let text = json!({"say": "one two three", "hold": "output", "after": 2}).to_string();
    chat.send(Message::text(json!({"text": text}).to_string())).unwrap();
    // The model stands still: whatever held these back would hold them back for ever.
    let mut said = String::new();
    while said != "one two " {
        let message = secure::next(&mut chat);
        said += message["content"].as_str().unwrap_or_default();
    }
    while !events.line().contains(r#""event":"streaming""#) {}
    let result = nginx.ask("GET", "/api/result?session=behind", "", "").json();
    assert_eq!((&result["status"], &result["partial"]), (&json!("running"), &json!("one two ")));
    provider.release(1);
    while secure::next(&mut chat)["type"] != "done" {}
    while !events.line().contains(r#""event":"frame_trace""#) {}
    let page = nginx.ask("GET", "/", "", "");
    assert!(page.status == 200 && page.body.contains("<html"), "{page:?}");
    drop((chat, tests, events));
    let logged = nginx.logged("/ws ");
    assert!(!logged.contains("secret") && logged.contains("GET /ws HTTP"), "no token is written down: {logged}");
}

#[test]
fn what_is_too_large_is_refused_in_the_servers_words_and_what_is_not_goes_through() {
    // A message may be as large as any body.
    let server = Server::with(&Setting { options: &["--message-bytes", "1048576"], ..Setting::default() });
    let nginx = Nginx::before(server.address);
    let send = |bytes: usize| {
        let around = r#"{"text":""}"#.len();
        nginx.ask("POST", "/api/send", "Content-Type: application/json\r\n", &format!(r#"{{"text":"{}"}}"#, "x".repeat(bytes - around)))
    };
    let direct = |bytes: usize| {
        let mut wire = server.connect();
        // The server need not read it all to refuse it.
        wire.try_send(request("POST", "/api/send", Some(&json!({ "text": "x".repeat(bytes - 11) }))));
        wire.answer()
    };
    assert_eq!(send(1 << 20).status, 200, "as large as may be");
    for bytes in [(1 << 20) + 1, 3 << 20] {
        let (behind, direct) = (send(bytes), direct(bytes));
        assert_eq!((behind.status, behind.json()), (413, direct.json()), "{bytes}");
    }
    let long = nginx.ask("GET", &format!("/{}", "x".repeat(20 << 10)), "", "");
    assert_eq!((long.status, &long.json()["code"]), (414, &json!("uri_too_long")), "{long:?}");
    for (length, status) in [(8 << 10, 200), (15 << 10, 200), (17 << 10, 431), (60 << 10, 431)] {
        let answer = nginx.ask("GET", "/health", &format!("X-Filler: {}\r\n", "y".repeat(length)), "");
        assert_eq!(answer.status, status, "a header of {length} bytes");
        if status == 431 {
            assert_eq!(answer.json()["code"], "head_too_large", "{answer:?}");
        }
    }
}

#[test]
fn the_server_is_told_who_asks_and_under_which_name() {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = upstream.local_addr().unwrap();
    // Stands where the server would, and answers with the head that it gets.
    thread::spawn(move || {
        for stream in upstream.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let lines: Vec<String> = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                    if lines.is_empty() {
                        return;
                    }
                    let head = json!(lines).to_string();
                    write!(&stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{head}", head.len())
                        .unwrap();
                }
            });
        }
    });
    let nginx = Nginx::before(address);
    let headers = "Origin: https://page.example\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nAuthorization: Bearer abc\r\n";
    let told = nginx.ask("GET", "/api/state?session=a", headers, "").json();
    let lines: Vec<String> = told.as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_ascii_lowercase()).collect();
    let has = |line: String| assert!(lines.contains(&line), "{line}: {lines:?}");
    has("get /api/state?session=a http/1.1".to_owned());
    for name in ["host", "x-forwarded-host"] {
        has(format!("{name}: localhost:{}", nginx.port));
    }
    for line in [
        "origin: https://page.example",
        "authorization: bearer abc",
        "x-forwarded-for: 127.0.0.1",
        "x-real-ip: 127.0.0.1",
        "x-forwarded-proto: https",
    ] {
        has(line.to_owned());
    }
    assert!(!lines.iter().any(|line| line.starts_with("upgrade:") || line.starts_with("connection:")), "it stays open: {lines:?}");
}

#[test]
fn addresses_behind_nginx_are_told_apart_once_it_is_trusted_whatever_they_say_of_themselves() {
    let (one, other) = (Ipv4Addr::new(127, 0, 77, 1), Ipv4Addr::new(127, 0, 77, 2));
    let ask = |nginx: &Nginx, source, headers: &str| nginx.ask_from(source, "/auth/config", headers);
    let fill = |nginx: &Nginx| {
        let forged = |number: usize| format!("X-Forwarded-For: 10.0.0.{}\r\nX-Real-IP: 10.0.0.{0}\r\n", number % 250);
        let refused = (0..500).map(|number| ask(nginx, one, &forged(number))).find(|answer| answer.status == 429);
        assert_eq!(refused.expect("a refusal").json()["code"], "rate_limited");
    };
    let trusting = Server::with(&Setting { options: &["--address-requests", "30", "--trusted-proxy", "127.0.0.1"], ..Setting::default() });
    let nginx = Nginx::before(trusting.address);
    fill(&nginx);
    assert_eq!(ask(&nginx, other, "").status, 200, "another address is not concerned");
    assert_eq!(ask(&nginx, other, &format!("X-Forwarded-For: {one}\r\n")).status, 200, "nor can it be said to be another");
    // One that trusts nobody has only one address to count: nginx's.
    let distrusting = Server::with(&Setting { options: &["--address-requests", "30"], ..Setting::default() });
    let nginx = Nginx::before(distrusting.address);
    fill(&nginx);
    let refused = (0..500).any(|_| ask(&nginx, other, "").status == 429);
    assert!(refused, "everyone behind it shares one quota");
}

#[test]
fn public_name_works_once_the_server_knows_it() {
    let ask = |nginx: &Nginx, origin: &str| {
        let request = "GET /api/state HTTP/1.1\r\nHost: chat.example.org\r\nConnection: close\r\n";
        nginx.open(&format!("{request}{origin}\r\n")).answer()
    };
    let (unaware, aware) = (Server::start(), Server::with(&Setting { options: &["--host", "chat.example.org"], ..Setting::default() }));
    let refused = ask(&Nginx::before(unaware.address), "");
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("unknown_host")));
    assert!(refused.json()["detail"].as_str().unwrap().contains("--host"), "it names the setting: {refused:?}");
    let nginx = Nginx::before(aware.address);
    assert_eq!(ask(&nginx, "").status, 200);
    assert_eq!(ask(&nginx, "Origin: https://chat.example.org\r\n").status, 200);
    let refused = ask(&nginx, "Origin: https://evil.example.org\r\n");
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("foreign_origin")));
}

#[test]
fn the_smoketest_passes_over_the_public_address() {
    let server = Server::start();
    let nginx = Nginx::before(server.address);
    let folder = Folder::new();
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases/smoketest.md").display().to_string();
    let (url, certificate) = (format!("https://{}:{}", nginx.ip, nginx.port), nginx.certificate().display().to_string());
    let results = folder.path().join("results.json");
    let arguments = ["test", &suite, "--url", &url, "--ca", &certificate, "--results", results.to_str().unwrap()];
    let ended = run(folder.path(), &arguments);
    assert_eq!(ended.code, Some(0), "{}{}", ended.output, ended.errors);
    let results: Value = serde_json::from_str(&std::fs::read_to_string(results).unwrap()).unwrap();
    assert_eq!((&results["failed"], &results["skipped"]), (&json!(0), &json!(0)), "{results}");
    assert!(results["passed"].as_u64().unwrap() >= 40, "{results}");
    assert_eq!(nginx.ask("GET", "/api/tests", "", "").json()["passed"], results["passed"], "the server was told");
    // Without trust in its certificate nobody talks to it.
    let distrusting = run(folder.path(), &["test", &suite, "--url", &url]);
    assert_eq!(distrusting.code, Some(4), "{distrusting:?}");
}

#[test]
fn probes_go_through_and_metrics_do_not() {
    let server = Server::start();
    let nginx = Nginx::before(server.address);
    for (path, status) in [("/health", 200), ("/livez", 200), ("/readyz", 200), ("/version", 200), ("/metrics", 404)] {
        assert_eq!(nginx.ask("GET", path, "", "").status, status, "{path}");
    }
    assert_eq!(server.connect().ask("GET", "/metrics", None).status, 200, "from this machine itself");
}

#[test]
fn a_server_that_is_away_is_a_sentence_and_plain_http_leads_to_https() {
    let mut server = Server::with(&Setting { listen: Some(own_address()), ..Setting::default() });
    let nginx = Nginx::before(server.address);
    assert_eq!(nginx.ask("GET", "/api/state", "", "").status, 200);
    server.signal("TERM");
    server.ended();
    let answer = nginx.ask("GET", "/api/state", "", "");
    assert_eq!((answer.status, &answer.json()["code"]), (502, &json!("unavailable")));
    let plain = nginx.ask_plain("/api/state?a=b");
    assert!(plain.starts_with("HTTP/1.1 301") && plain.contains("Location: https://localhost/api/state?a=b"), "{plain}");
}

#[test]
fn one_connection_of_http2_carries_a_stream_and_calls_beside_it() {
    let provider = Provider::start();
    let server = provider.server();
    let nginx = Nginx::before(server.address);
    let mut http = nginx.http2();
    let json = ("content-type", "application/json");
    let events = http.ask("GET", "/api/events?session=beside", &[], None);
    assert_eq!(http.status(events), 200);
    let text = json!({"say": "one two three", "hold": "output", "after": 2}).to_string();
    let sent = http.ask("POST", "/api/send?session=beside", &[json], Some(&json!({ "text": text }).to_string()));
    assert_eq!(http.answer(sent), (200, r#"{"status":"queued","id":"msg_1"}"#.to_owned()));
    // The model stands still: whatever held the stream back would hold it back for ever.
    http.body_with(events, r#""text":"two "#);
    let asked = http.ask("GET", "/api/result?session=beside", &[], None);
    let result: Value = serde_json::from_str(&http.answer(asked).1).unwrap();
    assert_eq!((&result["status"], &result["partial"]), (&json!("running"), &json!("one two ")));
    provider.release(1);
    http.body_with(events, r#""event":"frame_trace""#);
    let page = http.ask("GET", "/", &[], None);
    assert!(http.answer(page).1.contains("<html"));
    assert!(nginx.logged("/api/send HTTP/2.0").contains("200"));
    // The same bounds in the same words, before the body comes; a head may be as large.
    let large = http.ask("POST", "/api/send", &[json, ("content-length", "1048577")], Some(""));
    assert!(matches!(http.answer(large), (413, body) if body.contains("the request's body is too large")));
    let asked = http.ask("GET", "/health", &[("x-filler", &"y".repeat(15 << 10))], None);
    assert_eq!(http.status(asked), 200);
}

#[test]
fn it_is_reached_over_ipv6_too() {
    let server = Server::start();
    let Some(nginx) = Nginx::on_ipv6_before(server.address) else { return };
    assert_eq!(nginx.ask("GET", "/health", "", "").json()["status"], "ok");
    let mut http = nginx.http2();
    let asked = http.ask("GET", "/health", &[], None);
    assert_eq!(http.status(asked), 200);
    assert_eq!(secure::next(&mut nginx.socket("/ws"))["type"], "controls");
    let plain = nginx.ask_plain("/a");
    assert!(plain.starts_with("HTTP/1.1 301") && plain.contains("Location: https://localhost/a"), "{plain}");
}
