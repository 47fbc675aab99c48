//! Clients that drip: each sends a byte now and then, for ever, and is let go with the reason why.

use super::raw::{Frame, Raw, frame};
use super::support::http::Wire;
use super::support::{PATIENCE, Server, in_parallel};
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Far less than the server wants to see in this time.
const EVERY: Duration = Duration::from_millis(300);

/// Drips until it is told that the connection is over. What it says no longer reaches anyone then.
fn drip(mut stream: TcpStream, drop: &[u8], is_over: &AtomicBool) {
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    while !is_over.load(Ordering::Relaxed) && stream.write_all(drop).is_ok() {
        std::thread::sleep(EVERY);
    }
}

#[test]
fn whoever_drips_for_ever_is_told_that_it_took_too_long() {
    let server = Server::start();
    let post = |framing: &str, begin: &str| {
        format!("POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{framing}\r\n\r\n{begin}").into_bytes()
    };
    let requests = [
        ("a head", b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Drip: ".to_vec(), "x"),
        ("a target", b"GET /".to_vec(), "x"),
        ("a body", post("Content-Length: 1000", "{\"text\":\""), "x"),
        ("a chunk", post("Transfer-Encoding: chunked", "500\r\n{\"text\":\""), "x"),
        ("chunks", post("Transfer-Encoding: chunked", ""), "1\r\nx\r\n"),
        ("a trailer", post("Transfer-Encoding: chunked", "0\r\nX-Drip: "), "x"),
    ];
    let messages = [
        ("a message in pieces", frame(0x01, b"{"), frame(0x00, b" ")),
        ("pieces between pings", frame(0x01, b"{"), [frame(0x89, b"?"), frame(0x00, b"")].concat()),
        ("a frame", frame(0x81, &[b'x'; 1_000])[..20].to_vec(), b"x".to_vec()),
    ];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            in_parallel(requests, |(name, begin, drop)| {
                let mut wire = Wire::open(server.address);
                wire.send(begin);
                let (stream, is_over) = (wire.stream.try_clone().unwrap(), AtomicBool::new(false));
                let answer = std::thread::scope(|scope| {
                    scope.spawn(|| drip(stream, drop.as_bytes(), &is_over));
                    let answer = wire.next(true);
                    is_over.store(true, Ordering::Relaxed);
                    answer
                });
                let answer = answer.unwrap_or_else(|| panic!("{name}: cut without a reason"));
                assert_eq!((answer.status, &*answer.code()), (408, "request_timeout"), "{name}");
            });
        });
        scope.spawn(|| {
            in_parallel(messages, |(name, begin, drop)| {
                let mut socket = Raw::open(server.address, "/ws?session=drips");
                assert!(socket.send(&begin));
                let (stream, is_over) = (socket.stream().try_clone().unwrap(), AtomicBool::new(false));
                let last = std::thread::scope(|scope| {
                    scope.spawn(|| drip(stream, &drop, &is_over));
                    let last = socket.count_until(|frame| matches!(frame, Frame::Close(_))).1;
                    is_over.store(true, Ordering::Relaxed);
                    last
                });
                assert_eq!(last, Frame::Close(1008), "{name}");
            });
        });
        (0..10).for_each(|_| assert_eq!(server.connect().ask("GET", "/health", None).status, 200));
    });
}
