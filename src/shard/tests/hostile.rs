//! Clients that mean harm: slow ones, ones that never read, floods, and JSON made to be large. In virtual time, so that each bound
//! is met to the microsecond.

use super::*;
use crate::contract::Code;
use crate::shard::routes;

const SECOND: Duration = Duration::from_secs(1);

/// The close code of the last frame that a socket was sent.
fn close_code(world: &mut World, socket: SocketId) -> Option<u16> {
    let sent = world.sent.remove(&socket)?;
    let at = sent.windows(2).rposition(|two| two[0] == 0x88 && two[1] >= 2)?;
    Some(u16::from_be_bytes([sent[at + 2], sent[at + 3]]))
}

/// Sends the same bytes for as long as the shard reads them and does not only drop them; how often that was. Never more than `most`.
fn flood(world: &mut World, socket: SocketId, bytes: &[u8], most: usize) -> usize {
    let mut reads = 0;
    while reads < most && world.reading.contains_key(&socket) && !world.shut.contains(&socket) {
        world.send(socket, bytes);
        reads += 1;
    }
    reads
}

/// A session with a history of about so many bytes.
fn with_history(world: &mut World, session: &str, bytes: usize) {
    assert_eq!(world.post(&format!("/api/send?session={session}"), json!({ "text": "x".repeat(bytes) })).0, 200);
    while !world.calls.is_empty() {
        world.complete("{}");
    }
}

/// A connection that asks for a session's history and reads nothing of it.
fn stuck_reader(world: &mut World, session: &str) -> SocketId {
    let socket = world.connect();
    world.stuck.push(socket);
    world.send(socket, format!("GET /api/history?session={session} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    socket
}

#[test]
fn a_body_below_the_minimum_rate_is_refused_and_one_above_it_is_not() {
    let head = "POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    let chunked =
        "POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n";
    for head in [head, chunked] {
        let mut world = World::new(settings());
        let (slow, steady) = (world.connect(), world.connect());
        world.send(slow, head.as_bytes());
        world.send(steady, head.as_bytes());
        for second in 0..30 {
            world.send(slow, b"x");
            world.send(steady, &[b'x'; bounds::BODY_BYTES_PER_SECOND_MIN]);
            assert_eq!(world.take(slow).contains("request_timeout"), second == 10, "after {second} s");
            world.pass(SECOND);
            assert_eq!(world.take(steady), "", "after {second} s");
        }
    }
}

#[test]
fn a_message_below_the_minimum_rate_closes_its_socket_whatever_stands_between_its_pieces() {
    for between in [&b""[..], &frame(0x89, b"ping"), &frame(0x8a, b"")] {
        let mut world = World::new(settings());
        let (slow, steady) = (world.websocket("/ws"), world.websocket("/ws"));
        // A whole message first: the time of the next one starts with its own first byte.
        world.say(slow, r#"{"type":"stop"}"#);
        world.pass(8 * SECOND);
        world.send(slow, &frame(0x01, b"{"));
        world.send(steady, &frame(0x01, b"{"));
        for second in 0..30 {
            world.send(slow, &[between, &frame(0x00, b" ")].concat());
            world.send(steady, &frame(0x00, &[b' '; bounds::BODY_BYTES_PER_SECOND_MIN]));
            world.pass(SECOND);
            if second < 9 {
                assert!(!world.shut.contains(&slow), "after {second} s");
            }
        }
        assert_eq!(close_code(&mut world, slow), Some(1008));
        world.send(steady, &frame(0x80, br#""text":"hello"}"#));
        assert!(world.take(steady).contains(r#""type":"done""#), "it took long and was never slow");
    }
}

#[test]
fn half_a_frame_is_waited_for_no_longer_than_half_a_message() {
    for bytes in [&b"\x81"[..], &frame(0x81, b"hello")[..7], &frame(0x89, b"ping")[..7]] {
        let mut world = World::new(settings());
        let socket = world.websocket("/ws");
        world.send(socket, bytes);
        world.pass(bounds::BODY_TIME - SECOND);
        assert!(!world.shut.contains(&socket));
        world.pass(2 * SECOND);
        assert_eq!(close_code(&mut world, socket), Some(1008), "{bytes:?}");
    }
}

#[test]
fn a_reader_that_only_trickles_is_let_go_like_one_that_stands_still() {
    let mut world = World::new(settings());
    with_history(&mut world, "a", 50_000);
    let http = stuck_reader(&mut world, "a");
    let chat = world.websocket("/ws?session=a");
    world.stuck.push(chat);
    world.say(chat, r#"{"text":"hello"}"#);
    let bytes = world.sent[&http].len();
    let due = bounds::WRITE_TIME + Duration::from_secs((bytes / bounds::WRITE_BYTES_PER_SECOND_MIN) as u64);
    let moved = |world: &mut World| world.tick([http, chat].map(|socket| Event::Moved { socket }).into());
    for _ in 0..due.as_secs() {
        assert!(!world.closed.contains(&http));
        moved(&mut world);
        world.pass(SECOND);
    }
    assert!(world.closed.contains(&http), "{bytes} bytes are not read for ever");
    assert!(world.closed.contains(&chat), "it was told, and then cut");
}

#[test]
fn a_goodbye_that_nobody_reads_keeps_nobody_awake() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    world.stuck.push(socket);
    world.say(socket, r#"{"text":"hello"}"#);
    world.send(socket, &frame(0x81, b"half a message")[..9]);
    let (until, mut wakes) = (world.now.moment.after(bounds::BODY_TIME + bounds::WRITE_TIME), 0);
    while let Some(at) = world.wake_at.take_if(|at| *at <= until) {
        world.now.moment = world.now.moment.max(at);
        world.tick(vec![Event::Time]);
        wakes += 1;
        assert!(wakes < 20, "it is woken again and again at {at:?}");
    }
    assert!(!world.closed.contains(&socket), "its goodbye still waits");
    world.now.moment = until;
    world.pass(bounds::WRITE_TIME);
    assert!(world.closed.contains(&socket));
}

#[test]
fn answers_that_nobody_reads_keep_to_a_budget_and_the_slowest_reader_leaves_first() {
    let mut world = World::new(Settings { output_bytes_max: 200_000, ..settings() });
    with_history(&mut world, "a", 60_000);
    let mut readers = Vec::new();
    for _ in 0..20 {
        world.pass(Duration::from_millis(1));
        readers.push(stuck_reader(&mut world, "a"));
        assert!(world.shard.sizes().unread_bytes <= 200_000, "{:?}", world.shard.sizes());
    }
    assert_eq!(world.closed, readers[..17], "in the order in which their writes began");
    assert_eq!(world.codes(), vec!["slow_reader_cut"; 17]);
    assert_eq!(world.get("/api/state?session=a").0, 200, "who reads is answered");
    // Those that are left read after all.
    world.stuck.clear();
    for socket in readers.split_off(17) {
        world.tick(vec![Event::Written { socket, buffer: Vec::new() }]);
        assert_eq!(world.request(socket, "GET", "/health", "", "").0, 200);
    }
    assert_eq!(world.shard.sizes().unread_bytes, 0);
}

#[test]
fn readers_that_hold_little_stay_however_full_the_budget_is() {
    let mut world = World::new(Settings { output_bytes_max: 1_000, ..settings() });
    let readers: Vec<SocketId> = (0..20).map(|_| stuck_reader(&mut world, "a")).collect();
    assert!(world.closed.is_empty() && world.shard.sizes().unread_bytes > 1_000, "{:?}", world.shard.sizes());
    world.pass(bounds::WRITE_TIME + SECOND);
    assert_eq!(world.closed, readers, "until their time is up");
}

#[test]
fn a_client_that_does_not_read_its_refusals_is_read_no_further() {
    let refused = |text: &str| frame(0x81, text.as_bytes());
    for (bytes, most_of_each) in [
        (refused(""), 400),
        (refused("{}"), 400),
        (refused(r#"{"type":"dance"}"#), 400),
        (frame(0x82, b""), 400),
        (frame(0x89, b""), 2),
        (frame(0x89, &[b'p'; 125]), 127),
    ] {
        let mut world = World::new(settings());
        let socket = world.websocket("/ws");
        world.stuck.push(socket);
        // What an eager client gets into one read.
        let much = bytes.repeat((16 << 10) / bytes.len());
        let frames_in_each = much.len() / bytes.len();
        let reads = flood(&mut world, socket, &much, 1_000);
        let held = world.shard.sizes().unread_bytes;
        if most_of_each > 2 {
            assert!(reads < 100, "{bytes:?}: it was read {reads} times");
        }
        assert!(held <= bounds::WRITE_BYTES + 2 * frames_in_each * most_of_each, "{bytes:?}: {held} bytes wait");
        assert!(!world.closed.contains(&socket) && !world.shut.contains(&socket), "{bytes:?}: it has its time to read");
        if reads < 1_000 {
            world.stuck.clear();
            world.tick(vec![Event::Written { socket, buffer: Vec::new() }]);
            assert!(world.reading.contains_key(&socket), "{bytes:?}: who reads is read again");
            world.take(socket);
            world.say(socket, r#"{"text":"hello"}"#);
            let answer = world.take(socket);
            assert!(answer.contains(r#""type":"done","id":"msg_1""#), "{bytes:?}: it was let go: {answer}");
        } else {
            world.pass(2 * bounds::WRITE_TIME);
            assert!(world.closed.contains(&socket), "{bytes:?}");
        }
    }
}

#[test]
fn pipelined_requests_whose_answers_nobody_reads_are_read_no_further() {
    let mut world = World::new(settings());
    let socket = world.connect();
    world.stuck.push(socket);
    let requests = "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    let reads = flood(&mut world, socket, requests.as_bytes(), 1_000);
    assert!(reads < 50, "{reads}");
    assert!(world.shard.sizes().unread_bytes <= 2 * bounds::WRITE_BYTES, "{:?}", world.shard.sizes());
    world.pass(bounds::WRITE_TIME + SECOND);
    assert!(world.closed.contains(&socket));
}

#[test]
fn a_message_of_endless_pieces_closes_with_1009_and_is_counted_meanwhile() {
    for piece in [&b""[..], b"x"] {
        let mut world = World::new(settings());
        let socket = world.websocket("/ws");
        world.send(socket, &frame(0x01, b"{"));
        let pieces = frame(0x00, piece).repeat(2_000);
        let reads = flood(&mut world, socket, &pieces, 1_000);
        let sent = reads * pieces.len();
        assert!(sent <= 2 * bounds::BODY_BYTES_MAX + (16 << 10), "{sent} bytes of pieces were read");
        assert_eq!(close_code(&mut world, socket), Some(1009));
        assert_eq!(world.shard.sizes().input_bytes, 0);
    }
}

#[test]
fn small_messages_of_any_number_keep_nothing_and_have_no_end() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    let stops = frame(0x81, br#"{"type":"stop"}"#).repeat(500);
    assert_eq!(flood(&mut world, socket, &stops, 100), 100, "it reads, and so it is read");
    assert_eq!((world.shard.sizes().input_bytes, world.shard.sizes().unread_bytes), (0, 0));
    let pongs = frame(0x8a, b"").repeat(2_000);
    assert_eq!(flood(&mut world, socket, &pongs, 100), 100);
    assert_eq!(world.shard.sizes().input_bytes, 0);
    // After the first close nothing counts, and not for long.
    let closes = frame(0x88, &1000_u16.to_be_bytes()).repeat(2_000);
    assert_eq!(flood(&mut world, socket, &closes, 10), 1);
    let most = bounds::LINGER_BYTES_MAX / closes.len() + 1;
    let dropped = (0..=most).take_while(|_| {
        world.send(socket, &closes);
        !world.closed.contains(&socket)
    });
    assert!(dropped.count() < most && world.closed.contains(&socket));
}

/// Texts that are small to send and large to hold.
fn complex() -> [String; 4] {
    let (deep, many) = (100_000, 25_000);
    [
        format!(r#"{{"text":"hi","action":"a","a":{}"#, "[".repeat(deep)),
        format!(r#"{{"text":"hi","action":"a","a":{}1{}}}"#, r#"{"a":"#.repeat(100), "}".repeat(100)),
        format!(r#"{{"text":"hi","action":"a","dashboard":[{}0]}}"#, r#"{"":0},"#.repeat(many)),
        format!(r#"{{"text":"hi","action":"a",{}"b":0}}"#, (0..many).map(|n| format!(r#""{n}":0,"#)).collect::<String>()),
    ]
}

#[test]
fn json_too_deep_or_of_too_many_values_is_refused_wherever_json_is_taken() {
    let mut world = World::new(settings());
    for body in complex() {
        for (_, path, _) in routes::table().filter(|(method, ..)| *method == "POST") {
            let socket = world.connect();
            let (status, refused) = world.request(socket, "POST", path, "", &body);
            assert_eq!((status, &refused["code"]), (400, &json!(Code::JsonTooComplex)), "{path}: {}", &body[..60]);
        }
        let socket = world.websocket("/ws");
        world.take(socket);
        for text in [body.clone(), body.replacen('{', r#"{"type":"auth","token":"a","#, 1)] {
            world.say(socket, &text);
            let refused = world.take(socket);
            assert!(refused.contains(r#""code":"json_too_complex""#), "{refused}");
        }
        world.say(socket, r#"{"text":"hello"}"#);
        assert!(world.take(socket).contains(r#""type":"done""#), "the socket stays open");
    }
}

#[test]
fn text_that_is_not_utf_8_is_refused_wherever_text_is_taken() {
    let mut world = World::new(settings());
    for (_, path, _) in routes::table().filter(|(method, ..)| *method == "POST") {
        let socket = world.connect();
        let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n");
        world.send(socket, &[head.as_bytes(), b"{\"text\":\"\xff\xfe\"} "].concat());
        assert!(world.take(socket).contains(r#""code":"invalid_json""#), "{path}");
    }
    for (lines, code) in [
        (&b"GET /api/state?session=%ff HTTP/1.1\r\nHost: localhost\r\n"[..], "invalid_session"),
        (b"GET /api/state?session=\xff HTTP/1.1\r\nHost: localhost\r\n", "bad_request"),
        (b"GET /api/events?since=%c3 HTTP/1.1\r\nHost: localhost\r\n", "invalid_parameter"),
        (b"GET /api/turn?id=msg_%c3%28 HTTP/1.1\r\nHost: localhost\r\n", "invalid_parameter"),
        (b"GET /api/state?user=%ff HTTP/1.1\r\nHost: localhost\r\n", "missing_role"),
        (b"GET /api/graph/prompt?node=%ff HTTP/1.1\r\nHost: localhost\r\n", "unknown_node"),
        (b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n", "bad_request"),
        (b"GET /%ff HTTP/1.1\r\nHost: localhost\r\n", "not_found"),
        (b"GET /health HTTP/1.1\r\nHost: local\xffhost\r\n", "bad_request"),
        (b"G\xffT /health HTTP/1.1\r\nHost: localhost\r\n", "bad_request"),
        (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\xff: a\r\n", "bad_request"),
        (
            b"POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/\xff\r\nContent-Length: 2\r\n",
            "unsupported_media_type",
        ),
    ] {
        let socket = world.connect();
        world.send(socket, &[lines, b"\r\n{}"].concat());
        let refused = world.take(socket);
        assert!(refused.contains(&format!(r#""code":"{code}""#)), "{:?}: {refused}", String::from_utf8_lossy(lines));
    }
    for (bytes, code) in [
        (frame(0x81, b"{\"text\":\"\xff\"}"), 1007),
        ([frame(0x01, b"{\"text\":\"\xc3"), frame(0x80, b"\"}")].concat(), 1007),
        (frame(0x81, b"\xed\xa0\x80"), 1007),
        (frame(0x88, b"\x03\xe8\xff"), 1007),
    ] {
        let socket = world.websocket("/ws");
        world.send(socket, &bytes);
        assert_eq!(close_code(&mut world, socket), Some(code), "{bytes:?}");
    }
}

#[test]
fn names_that_are_too_long_are_refused_and_come_back_to_nobody() {
    let mut world = World::new(settings());
    let long = "a".repeat(8_000);
    for (method, target, header, body, code) in [
        ("GET", format!("/api/state?session={long}"), String::new(), String::new(), "invalid_session"),
        ("GET", "/api/state".to_owned(), format!("X-Session-Id: {long}\r\n"), String::new(), "invalid_session"),
        ("POST", "/api/send".to_owned(), format!("Idempotency-Key: {long}\r\n"), r#"{"text":"hi"}"#.to_owned(), "invalid_client_id"),
        ("POST", "/api/send".to_owned(), String::new(), json!({ "text": "hi", "id": long }).to_string(), "invalid_client_id"),
        ("GET", format!("/api/turn?id=msg_{}", "9".repeat(8_000)), String::new(), String::new(), "invalid_parameter"),
        ("GET", "/api/events".to_owned(), format!("Last-Event-ID: {}\r\n", "9".repeat(8_000)), String::new(), "invalid_parameter"),
        ("GET", format!("/{long}"), String::new(), String::new(), "not_found"),
        ("GET", format!("/static/{long}"), String::new(), String::new(), "not_found"),
        ("GET", format!("/api/graph/prompt?node={long}"), String::new(), String::new(), "unknown_node"),
        ("POST", "/api/graph/switch".to_owned(), String::new(), json!({ "name": long }).to_string(), "unknown_graph"),
        ("POST", "/api/action".to_owned(), String::new(), json!({ "action": long }).to_string(), "stale_control"),
    ] {
        let socket = world.connect();
        let (status, refused) = world.request(socket, method, &target, &header, &body);
        assert_eq!(refused["code"], code, "{status} {}", &target[..target.len().min(40)]);
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.len() < 1_000, "{code} repeats it: {} bytes", detail.len());
    }
}

#[test]
fn messages_that_wait_are_part_of_a_session_s_memory() {
    let mut world = World::new(settings());
    let socket = world.websocket("/ws");
    for waiting in 0..5 {
        let before = world.shard.sizes().session_bytes;
        world.say(socket, &json!({ "text": format!("{ASKS}{}", "x".repeat(100_000)) }).to_string());
        let grown = world.shard.sizes().session_bytes - before;
        assert!((100_000..400_000).contains(&grown), "{waiting}: {grown} bytes more");
    }
    let before = world.shard.sizes().session_bytes;
    let controls: Vec<Value> = (0..1_000).map(|_| json!({ "": 0 })).collect();
    world.say(socket, &json!({ "text": ASKS, "dashboard": controls }).to_string());
    assert!(world.shard.sizes().session_bytes - before > 600 * controls.len(), "what stands beside a message counts as what it takes");
}

#[test]
fn an_open_session_takes_nothing_more_while_memory_is_full_and_nobody_can_leave() {
    let mut world = World::new(Settings { session_bytes_max: 300_000, ..settings() });
    let socket = world.websocket("/ws");
    let large = json!({ "text": format!("{ASKS}{}", "x".repeat(100_000)), "id": "large" }).to_string();
    let mut taken = 0;
    let refused = loop {
        world.take(socket);
        world.say(socket, &large.replace("large", &format!("large-{taken}")));
        let answer = world.take(socket);
        if answer.contains("refused") {
            break answer;
        }
        taken += 1;
    };
    assert!((1..=4).contains(&taken), "{taken} were taken");
    assert!(refused.contains(r#""code":"memory_full""#) && refused.contains(&format!(r#""client_id":"large-{taken}""#)), "{refused}");
    world.say(socket, &large.replace("large", "large-0"));
    assert!(world.take(socket).contains(r#""client_id":"large-0""#), "a message that it has is known");
    assert_eq!(world.post("/api/clear", Value::Null).0, 200);
    world.take(socket);
    world.say(socket, r#"{"text":"hello"}"#);
    assert!(world.take(socket).contains(r#""type":"done""#), "who clears has room");
}
