//! Floods of small things, readers that never read, and connections that are reset in the middle of everything. What is counted
//! is bytes, frames and sockets; what must hold is that nobody else notices, and that nothing stays behind.

use super::crowd::narrow;
use super::process::{descriptors, memory};
use super::raw::{Frame, Raw, frame, handshake};
use super::support::{PATIENCE, Server, Setting, eventually, in_parallel, request};
use serde_json::json;
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// More than the server and the system take of anything that nobody reads the answers to.
const MUCH: usize = 64 << 20;
/// What the system holds of a connection in both directions, and what the server gathers for it before it stops reading.
const TAKEN_MOST: usize = 24 << 20;
/// What a flood may leave of the server's memory in use.
const GROWS_KIB_MOST: u64 = 32 << 10;

/// Asks others' questions for as long as a flood lasts: each is answered.
fn is_unharmed(server: &Server, turns: std::ops::RangeInclusive<usize>) {
    let session = server.session("beside");
    let (mut chat, mut kept) = (session.attached(), server.connect());
    for turn in turns {
        chat.say(&json!({ "text": "hello" }));
        assert!(chat.until_done(&format!("msg_{turn}")).last().unwrap()["error"].is_null());
        assert_eq!(kept.ask("GET", "/health", None).status, 200);
    }
}

#[test]
fn whoever_does_not_read_their_refusals_is_read_no_further_and_every_frame_is_answered_once() {
    let server = Server::start();
    let before = memory(server.pid());
    for (number, (name, one)) in [
        ("empty messages", frame(0x81, b"")),
        ("messages of two bytes", frame(0x81, b"{}")),
        ("binary messages", frame(0x82, b"")),
        ("pings", frame(0x89, &[b'p'; 125])),
    ]
    .into_iter()
    .enumerate()
    {
        let mut flooder = Raw::open(server.address, &format!("/ws?session=flood-{number}"));
        let flood = one.repeat(MUCH / one.len());
        let sent = flooder.send_unread(&flood);
        assert!(sent < TAKEN_MOST, "{name}: {sent} bytes were taken of one who reads nothing");
        assert!(memory(server.pid()) <= before + GROWS_KIB_MOST, "{name}: {} KiB, {before} before", memory(server.pid()));
        is_unharmed(&server, 3 * number + 1..=3 * number + 3);
        // From now on it reads: the frame that was cut is ended, and a good message follows.
        let mut reader = flooder.reader();
        let (frames, rest) = (sent.div_ceil(one.len()), sent.next_multiple_of(one.len()) - sent);
        let (answers, last) = std::thread::scope(|scope| {
            let reading = scope.spawn(|| reader.count_until(|frame| frame.json()["type"] == "delta"));
            assert!(flooder.send(&flood[sent..sent + rest]) && flooder.send(&frame(0x81, br#"{"text":"hello"}"#)), "{name}");
            reading.join().unwrap()
        });
        assert!(matches!(last, Frame::Text(_)), "{name}: {last:?} after {answers} answers to {frames} frames");
        match name {
            // Those that came together may have one answer (RFC 6455, 5.5.3).
            "pings" => assert!((1..=frames).contains(&answers), "{answers} pongs to {frames} pings"),
            _ => assert_eq!(answers, frames, "{name}: each was refused once"),
        }
    }
}

#[test]
fn floods_without_end_end_in_a_close_code_or_cost_nothing() {
    let server = Server::start();
    let before = memory(server.pid());
    for (name, begin, one, close) in [
        ("pieces of nothing", frame(0x01, b"{"), frame(0x00, b""), Some(1009)),
        ("pieces of one byte", frame(0x01, b"{"), frame(0x00, b"x"), Some(1009)),
        ("a message of large pieces", frame(0x01, b"{"), frame(0x00, &[b'x'; 60_000]), Some(1009)),
        ("a frame without end", [&[0x81, 0xff][..], &u64::MAX.to_be_bytes()[..], &[0; 4]].concat(), vec![b'x'; 60_000], Some(1002)),
        ("bad text", frame(0x81, b"\xff"), frame(0x81, b""), Some(1007)),
        ("closes", frame(0x88, &1000_u16.to_be_bytes()), frame(0x88, &1000_u16.to_be_bytes()), Some(1000)),
        ("pongs", Vec::new(), frame(0x8a, &[b'p'; 125]), None),
        ("pongs of nothing", Vec::new(), frame(0x8a, b""), None),
    ] {
        let mut flooder = Raw::open(server.address, "/ws?session=flood");
        let much: usize = if close.is_some() { 8 << 20 } else { 1 << 20 };
        let flood = [begin, one.repeat(much / one.len())].concat();
        let mut reader = flooder.reader();
        let came = std::thread::scope(|scope| {
            let reading = scope.spawn(|| match close {
                Some(_) => reader.count_until(|frame| matches!(frame, Frame::Close(_))).1,
                None => reader.next(),
            });
            let is_taken = flooder.send(&flood);
            if close.is_none() {
                assert!(is_taken && flooder.send(&frame(0x81, br#"{"text":"hello"}"#)), "{name}: all of it is read");
            }
            reading.join().unwrap()
        });
        match (close, &came) {
            // 2^64 bytes are no length, and too many of them.
            (Some(1002), Frame::Close(code)) => assert!([1002, 1009].contains(code), "{name}: {code}"),
            (Some(code), came) => assert_eq!(*came, Frame::Close(code), "{name}"),
            (None, came) => assert_eq!(came.json()["type"], "delta", "{name}: nothing was answered but the message"),
        }
        assert!(memory(server.pid()) <= before + GROWS_KIB_MOST, "{name}: {} KiB, {before} before", memory(server.pid()));
    }
    is_unharmed(&server, 1..=3);
}

#[test]
fn others_are_answered_beside_floods_that_never_stop() {
    let server = Server::start();
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let one = frame(0x81, b"");
    std::thread::scope(|scope| {
        for number in 0..4 {
            let mut flooder = Raw::open(server.address, &format!("/ws?session=flood-{number}"));
            let mut reader = flooder.reader();
            let (is_over, refused, one) = (&is_over, &refused, &one);
            scope.spawn(move || {
                let flood = one.repeat(1_000);
                while !is_over.load(Ordering::Relaxed) && flooder.send(&flood) {}
                flooder.stream().shutdown(std::net::Shutdown::Write).unwrap();
            });
            scope.spawn(move || refused.fetch_add(reader.count_until(|_| false).0, Ordering::Relaxed));
        }
        is_unharmed(&server, 1..=20);
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(refused.load(Ordering::Relaxed) > 1_000, "it was a flood: {refused:?}");
}

#[test]
fn answers_that_nobody_reads_keep_to_their_budget() {
    const READERS: usize = 150;
    let server = Server::of(&["serve", "--shards", "1", "--listen", "127.0.0.1:0", "--answer-bytes", "4194304"], &[]);
    let file = "/static/vendor/cytoscape.mjs";
    let large = server.connect().ask("GET", file, None).body.len();
    assert!(large > 400_000, "{large} bytes are much");
    let before = memory(server.pid());
    let readers: Vec<TcpStream> = (0..READERS)
        .map(|_| {
            let mut stream = narrow(server.address);
            stream.write_all(&request("GET", file, None)).unwrap();
            stream
        })
        .collect();
    // Ten have room, whatever the system takes of each.
    eventually("the cut of those beyond", || (server.said().matches("slow_reader_cut").count() >= READERS - 30).then_some(()));
    let grown = memory(server.pid()).saturating_sub(before);
    let together = (READERS * large) as u64 / 1024;
    println!("{READERS} readers of {large} bytes who read nothing: {grown} KiB are held, all of it would be {together} KiB");
    assert!(grown < together / 2, "{grown} KiB");
    is_unharmed(&server, 1..=3);
    assert_eq!(server.connect().ask("GET", file, None).body.len(), large, "who reads gets all of it");
    // Those that came last are not cut: they read after all.
    let mut last = readers.into_iter().next_back().unwrap();
    last.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut came = Vec::new();
    while came.len() < large {
        let mut bytes = [0; 64 << 10];
        let count = last.read(&mut bytes).unwrap();
        assert!(count > 0, "cut after {} bytes", came.len());
        came.extend_from_slice(&bytes[..count]);
    }
}

/// Where a connection is reset: what is sent before, and how much is read of what comes.
fn beginnings() -> Vec<(&'static str, Vec<u8>, usize)> {
    let post = |rest: &str| {
        format!("POST /api/send?session=reset HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{rest}").into_bytes()
    };
    let chat = |rest: &[u8]| [handshake("/ws?session=reset").as_bytes(), rest].concat();
    let question = br#"{"text":"why is the sky blue?"}"#;
    vec![
        ("before the first byte", Vec::new(), 0),
        ("in a head", b"GET /health HTTP/1.1\r\nHos".to_vec(), 0),
        ("behind a head that waits for `100`", post("Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"), 1),
        ("in a body", post("Content-Length: 100\r\n\r\n{\"text\":"), 0),
        ("in a chunk", post("Transfer-Encoding: chunked\r\n\r\n50\r\n{\"text\":"), 0),
        ("behind a request", request("GET", "/api/state?session=reset", None), 0),
        ("behind many requests", request("GET", "/api/state?session=reset", None).repeat(50), 10),
        ("in a large answer", request("GET", "/static/vendor/cytoscape.mjs", None), 30_000),
        ("behind a message", request("POST", "/api/send?session=reset", Some(&json!({ "text": "why is the sky blue?" }))), 0),
        ("at the start of an event stream", request("GET", "/api/events?session=reset&since=0", None), 0),
        ("in an event stream", request("GET", "/api/events?session=reset&since=0", None), 500),
        ("on the way to another shard", handshake("/ws?session=reset").into_bytes(), 0),
        ("behind a handshake", handshake("/ws/trace?session=reset").into_bytes(), 100),
        ("in a frame", chat(&frame(0x81, question)[..9]), 0),
        ("between two pieces", chat(&frame(0x01, b"{")), 200),
        ("in an answer on a socket", chat(&frame(0x81, question)), 600),
        ("behind a close", chat(&frame(0x88, &1000_u16.to_be_bytes())), 0),
        ("behind what is refused", chat(&[0xff; 40]), 0),
    ]
}

#[test]
fn connections_reset_in_the_middle_of_everything_leave_nothing_behind() {
    const TIMES: usize = 20;
    let server = Server::with(&Setting { word_ms: 1, ..Setting::default() });
    server.session("reset").ask("why is the sky blue?");
    let (pid, before) = (server.pid(), descriptors(server.pid()));
    in_parallel(beginnings(), |(name, bytes, reads)| {
        for _ in 0..TIMES {
            let mut stream = TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.write_all(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut read = 0;
            while read < reads {
                match stream.read(&mut vec![0; reads - read]) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => read += count,
                }
            }
            // A close with nothing left to wait for is a reset.
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    eventually("the descriptors' return", || (descriptors(pid) <= before).then_some(()));
    is_unharmed(&server, 1..=3);
    // The session goes on when the turns of those that are gone have ended.
    let session = server.session("reset");
    eventually("the end of what was begun", || (session.result()["status"] != "running").then_some(()));
    session.ask("hello");
}
