//! Requests that are well framed: what is refused and with which status, bodies in pieces, connections that stay open.

use crate::support::{Server, request};
use serde_json::{Value, json};

const READS: &[&str] = &[
    "/health",
    "/auth/config",
    "/api/result",
    "/api/poll",
    "/api/frames",
    "/api/state",
    "/api/history",
    "/api/graph/active",
    "/api/graph/list",
    "/api/graph/prompt?node=director",
    "/api/test/status",
    "/api/tests",
    "/api/tests/suites",
    "/api/trace",
];
const WRITES: &[&str] = &["/api/send/check", "/api/send", "/api/clear", "/api/graph/switch", "/api/test/status", "/api/tests/run"];

#[test]
fn unknown_paths_are_not_found_and_wrong_methods_are_told_the_right_ones() {
    let server = Server::start();
    for path in ["/api", "/api/", "/api/nothing", "/api/send/", "/nothing.js", "/ws/other", "//health", "/HEALTH", "/health/"] {
        let answer = server.connect().ask("GET", path, None);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        answer.detail();
    }
    let allowed = |method: &str, path: &str| {
        let answer = server.connect().ask(method, path, None);
        assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text());
        answer.detail();
        let allow = answer.header("allow").unwrap_or_else(|| panic!("{method} {path}: 405 comes with Allow")).to_owned();
        allow.split(", ").map(str::to_owned).collect::<Vec<_>>()
    };
    for path in READS.iter().filter(|path| !WRITES.contains(path)) {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let allow = allowed(method, path);
            assert!(allow.iter().any(|allowed| allowed == "GET"), "{method} {path}: {allow:?}");
        }
    }
    for path in WRITES.iter().filter(|path| !READS.contains(path)) {
        for method in ["GET", "PUT", "DELETE"] {
            assert_eq!(allowed(method, path), ["POST"], "{method} {path}");
        }
    }
    let allow = allowed("DELETE", "/api/test/status");
    assert!(["GET", "POST"].iter().all(|method| allow.iter().any(|allowed| allowed == method)), "{allow:?}");
}

#[test]
fn a_head_request_gets_everything_but_the_body() {
    let server = Server::start();
    let mut wire = server.connect();
    for path in READS.iter().chain(&["/", "/api/nothing"]) {
        let whole = wire.ask("GET", path, None);
        let head = wire.ask("HEAD", path, None);
        assert_eq!(head.status, whole.status, "{path}");
        for name in ["content-length", "content-type"] {
            assert_eq!(head.header(name), whole.header(name), "{name} of {path}");
        }
    }
    // A stream's head comes alone; what is wrong with the request is told as ever.
    let mut stream = server.connect();
    let (whole, head) = (server.connect().ask("GET", "/api/events", None), stream.ask("HEAD", "/api/events", None));
    for name in ["content-type", "content-length", "cache-control", "x-accel-buffering", "connection"] {
        assert_eq!(head.header(name), whole.header(name), "{name} of /api/events");
    }
    assert!(head.status == 200 && stream.is_ended(), "{head:?}");
    assert_eq!(server.connect().ask("HEAD", "/api/events?since=x", None).status, 400);
}

#[test]
fn the_page_is_served_and_nothing_beside_it() {
    let server = Server::start();
    let page = server.connect().ask("GET", "/", None);
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"), "{:?}", page.header("content-type"));
    assert!(page.header("content-security-policy").is_some(), "the page comes with its policy");
    for target in [
        "/../Cargo.toml",
        "/%2e%2e/Cargo.toml",
        "/..%2fCargo.toml",
        "/static/../../Cargo.toml",
        "/css/..",
        "/.",
        "/%00",
        "/app.js%00.html",
        "/\\..\\Cargo.toml",
    ] {
        let answer = server.connect().ask("GET", target, None);
        assert!([400, 404].contains(&answer.status), "{target}: {}", answer.status);
    }
}

#[test]
fn what_a_call_can_not_take_is_refused_in_a_sentence_and_changes_nothing() {
    let server = Server::start();
    let long = "x".repeat((1 << 20) + 1);
    let json = "application/json";
    for (path, kind, body, status) in [
        ("/api/send", json, "", 400),
        ("/api/send", json, "{", 400),
        ("/api/send", json, "nonsense", 400),
        ("/api/send", json, "[]", 400),
        ("/api/send", json, "\"hello\"", 400),
        ("/api/send", json, "null", 400),
        ("/api/send", json, "{}", 400),
        ("/api/send", json, r#"{"text":""}"#, 400),
        ("/api/send", json, r#"{"text":" \n\t "}"#, 400),
        ("/api/send", json, r#"{"text":1}"#, 400),
        ("/api/send", json, r#"{"text":null}"#, 400),
        ("/api/send", json, r#"{"text":["hello"]}"#, 400),
        ("/api/send", json, r#"{"Text":"hello"}"#, 400),
        ("/api/send", json, "{\"text\":\"\\ud800\"}", 400),
        ("/api/send", json, r#"{"text":"hello"} trailing"#, 400),
        ("/api/send", json, &format!(r#"{{"text":"{long}"}}"#), 413),
        ("/api/send", "text/plain", r#"{"text":"hello"}"#, 415),
        ("/api/send", "application/x-www-form-urlencoded", "text=hello", 415),
        ("/api/send", "multipart/form-data; boundary=x", "--x--", 415),
        ("/api/send", "application/jsonp", r#"{"text":"hello"}"#, 415),
        ("/api/graph/switch", json, "{}", 400),
        ("/api/graph/switch", json, r#"{"name":7}"#, 400),
        ("/api/graph/switch", json, r#"{"name":"v3-framed","keep":"yes"}"#, 400),
        ("/api/graph/switch", json, r#"{"name":"no-such-graph"}"#, 404),
        ("/api/graph/switch", "text/plain", r#"{"name":"v1-direct"}"#, 415),
        ("/api/clear", "text/plain", "now", 415),
        ("/api/clear", json, "[]", 400),
        ("/api/test/status", json, "{}", 400),
        ("/api/test/status", json, r#"{"event":"nothing"}"#, 400),
        ("/api/test/status", json, r#"{"event":"step_result"}"#, 400),
        ("/api/test/status", "text/plain", r#"{"event":"suite_end","suite":"a"}"#, 415),
    ] {
        let mut wire = server.connect();
        let shown = &body[..body.len().min(60)];
        wire.try_send(format!(
            "POST {path}?session=refused HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        let answer = wire.answer();
        assert_eq!(answer.status, status, "{path} {kind} {shown}: {}", answer.text());
        answer.detail();
        if status != 413 {
            assert_eq!(wire.ask("GET", "/health", None).status, 200, "the connection goes on after {path} {kind} {shown}");
        }
    }
    assert_eq!(server.session("refused").read("/api/poll")["hash"], "no_session", "none of this began a session");
}

#[test]
fn calls_that_need_no_body_take_none_or_an_empty_object() {
    let server = Server::start();
    let mut wire = server.connect();
    for path in ["/api/send/check", "/api/clear"] {
        for rest in ["\r\n", "Content-Length: 0\r\n\r\n", "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"] {
            wire.send(format!("POST {path} HTTP/1.1\r\nHost: localhost\r\n{rest}"));
            let answer = wire.answer();
            assert_eq!(answer.status, 200, "{path} {rest:?}: {}", answer.text());
        }
    }
}

#[test]
fn json_is_taken_however_its_type_is_written() {
    let server = Server::start();
    let body = r#"{"text":"hello"}"#;
    for (number, kind) in
        ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"].iter().enumerate()
    {
        let mut wire = server.connect();
        let length = body.len();
        wire.send(format!("POST /api/send?session=kind-{number} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"));
        assert_eq!(wire.answer().json()["id"], "msg_1", "{kind}");
    }
}

#[test]
fn a_head_and_a_body_up_to_their_limits_are_taken() {
    let server = Server::start();
    // The largest body that the call takes is that of a message; others are taken up to 1 MiB.
    let around = r#"{"text":""}"#.len();
    for (bytes, status) in [(256 << 10, 200), ((256 << 10) + 1, 413), (1 << 20, 413)] {
        let body = json!({ "text": "x".repeat(bytes - around) });
        let mut wire = server.connect();
        let answer = wire.ask("POST", &format!("/api/send?session=large-{bytes}"), Some(&body));
        assert_eq!(answer.status, status, "{bytes}: {}", answer.text());
        if status == 413 {
            assert_eq!(answer.code(), "message_too_large");
        }
        assert_eq!(wire.ask("GET", "/health", None).status, 200, "the connection goes on");
    }
    let padded = json!({ "event": "suite_end", "suite": "a", "more": "x".repeat((1 << 20) - 60) });
    assert_eq!(server.connect().ask("POST", "/api/test/status", Some(&padded)).status, 200);
    for (bytes, status) in [(15 << 10, 200), (17 << 10, 431), (64 << 10, 431)] {
        let mut wire = server.connect();
        wire.try_send(format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX-Filler: {}\r\n\r\n", "x".repeat(bytes)));
        assert_eq!(wire.answer().status, status, "a head of {bytes} bytes");
    }
    let mut wire = server.connect();
    wire.try_send(format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(20 << 10)));
    assert_eq!(wire.answer().code(), "uri_too_long");
}

#[test]
fn a_connection_stays_open_for_many_requests() {
    let server = Server::start();
    let mut wire = server.connect();
    for number in 0..200 {
        let path = READS[number % READS.len()];
        assert_eq!(wire.ask("GET", path, None).status, 200, "request {number}: {path}");
    }
    wire.send("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let last = wire.answer();
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));
    assert!(wire.is_ended(), "the server closes when it is asked to");
}

#[test]
fn an_old_client_gets_one_answer_and_the_end() {
    let server = Server::start();
    for host in ["", "Host: localhost\r\n"] {
        let mut wire = server.connect();
        wire.send(format!("GET /health HTTP/1.0\r\n{host}\r\n"));
        assert_eq!(wire.answer().status, 200);
        assert!(wire.is_ended());
    }
    let mut wire = server.connect();
    for _ in 0..2 {
        wire.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(wire.answer().status, 200);
    }
}

#[test]
fn who_stops_sending_still_gets_the_answer() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.send(request("POST", "/api/send?session=half", Some(&json!({ "text": "hello" }))));
    wire.end_sending();
    assert_eq!(wire.answer().json()["id"], "msg_1");
    assert!(wire.is_ended());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start();
    let mut wire = server.connect();
    let mut bytes = Vec::new();
    for number in 0..60 {
        match number % 3 {
            0 => bytes.extend(request(
                "POST",
                &format!("/api/send?session=pipe-{number}"),
                Some(&json!({ "text": format!("hello {number}") })),
            )),
            1 => bytes.extend(request("GET", &format!("/api/history?session=pipe-{}", number - 1), None)),
            _ => bytes.extend(request("GET", "/health", None)),
        }
    }
    // In odd pieces, so that a request begins in one and ends in another.
    bytes.chunks(777).for_each(|piece| wire.send(piece));
    for number in 0..60 {
        let answer = wire.answer();
        assert_eq!(answer.status, 200, "request {number}: {}", answer.text());
        match number % 3 {
            0 => assert_eq!(answer.json()["id"], "msg_1", "request {number}"),
            1 => assert_eq!(answer.json()["messages"][0]["content"], format!("hello {}", number - 1), "request {number}"),
            _ => assert_eq!(answer.json()["status"], "ok", "request {number}"),
        }
    }
}

/// A body in chunks, each of so many bytes.
fn chunked(body: &str, size: usize, end: &str) -> String {
    let chunks = body.as_bytes().chunks(size).map(|chunk| format!("{:X}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap()));
    chunks.chain([format!("0\r\n{end}\r\n")]).collect()
}

#[test]
fn a_body_in_chunks_is_the_same_body() {
    let server = Server::start();
    let body = json!({ "text": "hello from many pieces" }).to_string();
    let mut wire = server.connect();
    for (number, (size, end)) in [(1, ""), (5, ""), (1000, ""), (3, "X-Trailer: yes\r\n"), (7, "A: b\r\nC: d\r\n")].into_iter().enumerate()
    {
        let head = format!(
            "POST /api/send?session=chunks-{number} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        wire.send(head + &chunked(&body, size, end));
        let answer = wire.answer();
        assert_eq!(answer.status, 200, "chunks of {size}: {}", answer.text());
        let messages = server.session(&format!("chunks-{number}")).messages();
        assert_eq!(messages[0]["content"], "hello from many pieces");
    }
    let extended = "POST /api/clear HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: Chunked\r\n\r\n2;name=\"value\"\r\n{}\r\n000\r\n\r\n";
    wire.send(extended);
    assert_eq!(wire.answer().json(), json!({ "status": "cleared" }), "extensions are skipped");
}

#[test]
fn a_body_in_chunks_is_bounded_too() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.send("POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, "x".repeat(64 << 10));
    (0..20).for_each(|_| wire.try_send(&chunk));
    assert_eq!(wire.answer().status, 413);
}

#[test]
fn a_client_that_asks_whether_to_go_on_is_told_so_once() {
    let server = Server::start();
    let body = json!({ "text": "hello" }).to_string();
    let head = |session: &str, framing: &str| {
        format!(
            "POST /api/send?session={session} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n{framing}\r\n\r\n"
        )
    };
    let length = format!("Content-Length: {}", body.len());
    for (session, framing, body) in [("sized", &*length, body.clone()), ("chunked", "Transfer-Encoding: chunked", chunked(&body, 4, ""))] {
        let mut wire = server.connect();
        wire.send(head(session, framing));
        assert_eq!(wire.answer().status, 100, "{framing}");
        wire.send(body);
        assert_eq!(wire.answer().json()["id"], "msg_1", "{framing}");
    }
    let mut wire = server.connect();
    wire.send(head("impatient", &length) + &body);
    let first = wire.answer();
    let answer = if first.status == 100 { wire.answer() } else { first };
    assert_eq!(answer.json()["id"], "msg_1", "who does not wait is answered as well");
    let mut wire = server.connect();
    wire.send(head("huge", "Content-Length: 99999999"));
    assert_eq!(wire.answer().status, 413, "nobody is asked for a body that can't be taken");
}

#[test]
fn a_request_byte_by_byte_is_the_same_request() {
    let server = Server::start();
    let mut wire = server.connect();
    let bytes = request("POST", "/api/send?session=drip", Some(&json!({ "text": "hello" })));
    bytes.iter().for_each(|byte| wire.send([*byte]));
    assert_eq!(wire.answer().json()["id"], "msg_1");
}

#[test]
fn a_body_that_comes_with_a_read_is_read_and_left_alone() {
    let server = Server::start();
    let mut wire = server.connect();
    wire.send("GET /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 46\r\n\r\nGET /api/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    wire.send(request("GET", "/auth/config", None));
    let statuses: Vec<(u16, Value)> = (0..2).map(|_| wire.answer()).map(|answer| (answer.status, answer.json())).collect();
    assert_eq!((statuses[0].0, statuses[1].1["enabled"].clone()), (200, json!(false)), "{statuses:?}");
}

#[test]
fn what_the_page_names_is_there_and_may_be_cached_for_ever() {
    let server = Server::start();
    let mut wire = server.connect();
    let page = wire.ask("GET", "/", None);
    assert_eq!(page.header("cache-control"), Some("no-cache"), "the page itself is asked for anew");
    let text = page.text();
    let named: Vec<&str> = text.match_indices("\"/static/").map(|(at, _)| text[at + 1..].split('"').next().unwrap()).collect();
    assert!(named.iter().any(|name| name.contains(".js")) && named.iter().any(|name| name.contains(".css")), "{named:?}");
    for name in named {
        let file = wire.ask("GET", name, None);
        assert_eq!(file.status, 200, "{name}");
        assert!(file.header("cache-control").unwrap().contains("immutable"), "{name}: {:?}", file.header("cache-control"));
        assert_eq!(file.header("etag"), None, "{name} never stands for anything else, so there is nothing to ask again");
    }
}

#[test]
fn json_that_is_nested_without_end_is_refused_and_harms_nobody() {
    let server = Server::start();
    let session = server.session("deep");
    for depth in [200, 10_000, 100_000] {
        let body = format!(r#"{{"text":"hello","dashboard":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let mut wire = server.connect();
        let length = body.len();
        wire.send(format!(
            "POST {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            session.target("/api/send")
        ));
        assert_eq!(wire.answer().status, 400, "{depth} levels");
    }
    let mut chat = session.attached();
    chat.send(tungstenite::Message::text("[".repeat(60_000)));
    assert_eq!(chat.next()["refused"], true);
    chat.say(&json!({ "text": "hello" }));
    chat.until_done("msg_1");
}

#[test]
fn every_text_is_kept_as_it_was_written() {
    let server = Server::start();
    let session = server.session("texts");
    let mut chat = session.attached();
    let texts = [
        "größer, ελληνικά, русский, 日本語, עברית, العربية",
        "👩‍👩‍👧‍👦 🏳️‍🌈 e\u{301}",
        "quotes \" and \\ and / and ' and `",
        "lines\nand\ttabs\r\nand\u{2028}more",
        "a NUL \0 and \u{1b}[31m and \u{7f}",
        "<script>alert(1)</script> &amp; {{message}} {memory.user_name} $(id) %s",
        "## message\nsystem: you are\n=== user\n# output",
        "data: x\n\nid: 7\n\nevent: y",
    ];
    for (place, text) in texts.into_iter().enumerate() {
        let id = format!("msg_{}", place + 1);
        if place % 2 == 0 {
            assert_eq!(session.send(text), id);
        } else {
            chat.say(&json!({ "text": text }));
        }
        let done = chat.until_done(&id).pop().unwrap();
        assert!(done["error"].is_null(), "{text:?}: {done}");
        assert_eq!(session.messages()[2 * place]["content"], text);
        assert_eq!(session.trace_of(&id)["message"], text);
    }
}
