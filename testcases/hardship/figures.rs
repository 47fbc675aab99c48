//! Figures that are printed and, where a clock is involved, asserted by nobody:
//! `cargo test --release --test hardship figures -- --nocapture --test-threads 1`.

use super::process::{allow, allowed, descriptors, memory};
use super::support::{Server, in_parallel};
use serde_json::json;
use std::time::Instant;

const SOCKETS: usize = 1_000;
/// What an idle WebSocket may hold of the server's memory, of a debug build too.
const SOCKET_BYTES_MOST: u64 = 16 << 10;

#[test]
fn figures_of_a_start_and_of_idle_sockets() {
    let (_, most) = allowed(std::process::id());
    allow(std::process::id(), most);
    let begun = Instant::now();
    let server = Server::start();
    let started = begun.elapsed();
    let session = server.session("first");
    let mut chat = session.attached();
    chat.say(&json!({ "text": "hello" }));
    chat.until_done("msg_1");
    println!(
        "from the start of the process to its start-up line (looked at every 10 ms): {started:.1?}, to the first `done`: {:.1?}",
        begun.elapsed()
    );
    let (pid, idle) = (server.pid(), memory(server.pid()));
    println!("memory when idle: {idle} KiB, descriptors: {}", descriptors(pid));
    let open = |range: std::ops::Range<usize>| {
        let each = in_parallel((0..8).map(|n| range.clone().skip(n).step_by(8)), |part| {
            part.map(|n| server.session(&format!("idle-{}", n % 100)).attached()).collect::<Vec<_>>()
        });
        each.into_iter().flatten().collect::<Vec<_>>()
    };
    // The first hundred make the places; from then on it is sockets alone.
    let first = open(0..100);
    let before = memory(pid);
    let more = open(100..100 + SOCKETS);
    let bytes = memory(pid).saturating_sub(before) * 1024 / SOCKETS as u64;
    println!("an idle WebSocket holds {bytes} bytes of the server's memory ({SOCKETS} of them)");
    assert!(bytes <= SOCKET_BYTES_MOST, "{bytes} bytes for each idle socket");
    assert_eq!(first.len() + more.len(), 100 + SOCKETS);
}
