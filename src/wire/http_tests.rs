//! Requests, whole and in pieces, and those that are refused.

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
    check("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nDELETE / HTTP/1.1\r\nHost: a\r\n\r\n", &["Options *", "Other /"]);
    check("BREW / HTTP/1.1\r\nHost: a\r\n\r\nget / HTTP/1.1\r\nHost: a\r\n\r\n", &["Unknown /", "Unknown /"]);
    check("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", &["Get / close"]);
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
        ("3 \t; x=y\r\nabc\r\n0\r\n\r\n", &["Post / abc"]),
        ("3 x\r\nabc\r\n0\r\n\r\n", &["400"]),
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
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400"),
        ("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "421"),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "400"),
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
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", "501"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400"),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", "400"),
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
    check(&format!("GET /{}\n", "x".repeat(600)), &["414"]);
    for (line, status) in [(format!("GET /{} HTTP/1.1\r\n", "x".repeat(600)), "414"), ("X".repeat(601), "501")] {
        check(&line, &[status]);
        check(&line[..601], &[status]);
    }
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
    let old = head.replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(read(format!("{old}ab").as_bytes(), 1), ["Post / ab close"], "an HTTP/1.0 client would not understand");
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

#[test]
fn a_header_that_is_not_utf_8_is_seen() {
    let mut buffer = b"GET / HTTP/1.1\r\nHost: h\r\nX-Y: \xff, z\r\nX-Y: a\r\nConnection: \xff, close\r\n\r\n".to_vec();
    let Step::Request(request) = Reader::new(LIMITS).step(&mut buffer) else { panic!("a whole request") };
    assert!(request.has("x-y") && request.has("connection") && !request.has("x-z"));
    assert_eq!(request.headers_lossy("x-y").collect::<Vec<_>>(), ["\u{fffd}, z", "a"]);
    assert_eq!((request.headers("x-y").collect::<Vec<_>>(), request.only("x-y"), request.only("connection")), (vec!["a"], None, None));
    assert!(request.lists("connection", "close") && !request.keep_alive);
}

#[test]
fn extensions_are_bounded_over_all_chunks() {
    let limits = Limits { head_bytes_max: 600, body_bytes_max: 1 << 20 };
    let chunk = format!("1;{}\r\nx\r\n", "e".repeat(200));
    for (count, is_refused) in [(80, false), (90, true)] {
        let mut buffer = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        (0..count).for_each(|_| buffer.extend_from_slice(chunk.as_bytes()));
        buffer.extend_from_slice(b"0\r\n\r\n");
        let step = Reader::new(limits).step(&mut buffer);
        assert_eq!(matches!(step, Step::Refused(refusal) if refusal.code == Code::BadRequest), is_refused, "{count} chunks");
    }
}

#[test]
fn a_refused_head_request_is_known_as_one() {
    for (text, is_head) in [("HEAD / HTTP/1.1\r\n\r\n", true), ("\r\nHEAD / HTTP/1.1\r\n\r\n", true), ("GET / HTTP/1.1\r\n\r\n", false)] {
        let (mut reader, mut buffer) = (Reader::new(LIMITS), text.as_bytes().to_vec());
        assert!(matches!(reader.step(&mut buffer), Step::Refused(_)), "{text:?}");
        assert_eq!(reader.is_head(), is_head, "{text:?}");
    }
}
