//! Twenty thousand connections that only wait, on the real server, and one that talks.

use super::process::{allow_own, descriptors, memory};
use super::raw::handshake;
use super::support::http::Wire;
use super::support::{PATIENCE, Server, eventually, in_parallel, request};
use serde_json::json;
use socket2::{Domain, Socket, Type};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

const CONNECTIONS: usize = 20_000;
/// What the test and the server need beside them.
const SPARE: usize = 1_000;
const THREADS: usize = 4;
/// Connections that are opened before their answers are read.
const BATCH: usize = 100;
/// Sessions that they watch.
const SESSIONS: usize = 200;
/// What one may hold of the server's memory, of a debug build too.
const BYTES_MOST: u64 = 16 << 10;

/// One of many clients, each with a few connections.
fn open(address: SocketAddr, number: usize) -> TcpStream {
    let client = Ipv4Addr::new(127, 1, u8::try_from(number / 10 / 200).unwrap(), u8::try_from(1 + number / 10 % 200).unwrap());
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = TcpStream::from(socket);
    let session = number % SESSIONS;
    // Every fourth is a chat socket; a server closes one that is silent for 90 seconds, and no event stream.
    let asks = match number % 4 {
        0 => handshake(&format!("/ws?session=idle-{session}")).into_bytes(),
        _ => request("GET", &format!("/api/events?session=idle-{session}"), None),
    };
    stream.write_all(&asks).unwrap();
    stream
}

/// Reads the head of the answer.
fn is_taken(stream: &mut TcpStream) -> bool {
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    [&b"HTTP/1.1 101"[..], b"HTTP/1.1 200"].contains(&&head[..])
}

#[test]
fn twenty_thousand_idle_connections_are_held_and_others_are_answered_beside_them() {
    let allowed = usize::try_from(allow_own((CONNECTIONS + SPARE) as u64)).unwrap();
    let count = CONNECTIONS.min(allowed.saturating_sub(SPARE));
    if count < CONNECTIONS {
        println!("only {count} of {CONNECTIONS}: this system allows a process {allowed} descriptors");
    }
    let server = Server::start();
    let pid = server.pid();
    server.session("idle-7").ask("hello");
    let (memory_before, descriptors_before) = (memory(pid), descriptors(pid));
    let idle = in_parallel(0..THREADS, |thread| {
        let mut open_ones: Vec<TcpStream> = Vec::new();
        let numbers: Vec<usize> = (thread..count).step_by(THREADS).collect();
        for batch in numbers.chunks(BATCH) {
            let from = open_ones.len();
            open_ones.extend(batch.iter().map(|number| open(server.address, *number)));
            assert!(open_ones[from..].iter_mut().all(is_taken), "all are taken");
        }
        open_ones
    });
    assert!(descriptors(pid) >= count, "{} descriptors", descriptors(pid));
    let bytes = memory(pid).saturating_sub(memory_before) * 1024 / count as u64;
    println!("{count} idle connections: each holds {bytes} bytes of the server's memory");
    assert!(bytes <= BYTES_MOST, "{bytes} bytes for each");
    // A session that a hundred of them watch, and one that nobody watches.
    for (name, first) in [("idle-7", 2), ("beside", 1)] {
        let mut chat = server.session(name).attached();
        for turn in first..first + 3 {
            chat.say(&json!({ "text": "hello" }));
            assert!(chat.until_done(&format!("msg_{turn}")).last().unwrap()["error"].is_null());
        }
    }
    let mut kept = Wire::open(server.address);
    (0..20).for_each(|_| assert_eq!(kept.ask("GET", "/health", None).status, 200));
    // One of those that only waited is told what was said.
    let mut watcher = &idle[7 % THREADS][7 / THREADS];
    let (mut told, mut bytes) = (Vec::new(), [0; 4096]);
    while !told.windows(6).any(|part| part == b"msg_4\"") {
        let read = watcher.read(&mut bytes).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&bytes[..read]);
    }
    drop(idle);
    eventually("the descriptors' return", || (descriptors(pid) <= descriptors_before + 10).then_some(()));
}
