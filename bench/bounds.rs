//! What quotas cost a request and a greeting: the whole shard with and without them, in pairs.
//!
//! `--only SIDE CASE TIMES` does one of them and prints nothing, for counting instructions: a run of 3000 less one of 1000.

use framewright::contract::{Budget, Moment, Now, Quota, Quotas, Time};
use framewright::graph::Library;
use framewright::shard::event::{Action, Door, Event, ShardId, SocketId};
use framewright::shard::{Settings, Shard};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What is never used up here.
const MUCH: u32 = 1_000_000;
const SOCKET: SocketId = SocketId(1);
const CASES: [&str; 3] = ["health", "read", "greeting"];

/// A shard with one open connection.
struct World {
    shard: Shard,
    now: Now,
    actions: Vec<Action>,
}

impl World {
    fn new(library: &Arc<Library>, is_bounded: bool, is_socket: bool) -> World {
        let address = Quota { requests: MUCH, messages: MUCH, streams: MUCH, turns: MUCH };
        let budget = Budget { turns: 1 << 40, tokens: 1 << 40, cost: 1 << 40 };
        let quotas = if is_bounded { Quotas { address, budget, ..Quotas::default() } } else { Quotas::default() };
        let shard = Shard::new(ShardId(0), Arc::new(Settings { quotas, ..Settings::new(library.clone(), "v3-framed") }), "bench");
        let now = Now { moment: Moment(1_000_000), wall: Time(1_800_000_000_000_000) };
        let mut world = World { shard, now, actions: Vec::new() };
        // No loopback address, which nobody counts.
        world.handle(Event::Accepted { socket: SOCKET, peer: IpAddr::from(Ipv4Addr::new(203, 0, 113, 5)).into(), door: Door::Main });
        world.handle(Event::TickEnd);
        if is_socket {
            let head = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
            world.exchange(format!("{head}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").as_bytes());
        }
        world
    }

    fn handle(&mut self, event: Event<'_>) {
        self.shard.handle(self.now, event, &mut self.actions);
    }

    /// What is sent, and what comes back for it; returns its bytes.
    fn exchange(&mut self, bytes: &[u8]) -> usize {
        // So long after the last that no quota is ever used up.
        self.now.moment.0 += 1_000;
        self.actions.clear();
        self.handle(Event::Read { socket: SOCKET, bytes: black_box(bytes) });
        self.handle(Event::TickEnd);
        let written = self.actions.drain(..).find_map(|action| if let Action::Write { bytes, .. } = action { Some(bytes) } else { None });
        let written = written.expect("each is answered at once");
        let is_refused = [&b"HTTP/1.1 4"[..], b"refused"].iter().any(|part| written.windows(part.len()).any(|window| window == *part));
        assert!(!is_refused, "{}", String::from_utf8_lossy(&written));
        let length = written.len();
        self.handle(Event::Written { socket: SOCKET, buffer: written });
        self.handle(Event::TickEnd);
        length
    }

    /// Microseconds of each.
    fn time(&mut self, bytes: &[u8], times: usize) -> f64 {
        let begun = Instant::now();
        black_box((0..times).map(|_| self.exchange(bytes)).sum::<usize>());
        begun.elapsed().as_nanos() as f64 / 1e3 / times as f64
    }
}

fn sent(case: &str) -> Vec<u8> {
    match case {
        "greeting" => {
            // A client's frame, masked with zeros.
            let text = br#"{"text":"hello"}"#;
            [&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0][..], text].concat()
        }
        "health" => b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        _ => b"GET /api/test/status HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".to_vec(),
    }
}

/// The graphs of this repository.
fn library() -> Arc<Library> {
    let mut files = BTreeMap::new();
    for folder in ["", "prompts/", "schemas/"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs").join(folder);
        let entries = std::fs::read_dir(path).expect("the folder is there").map(|entry| entry.expect("it can be read"));
        for entry in entries.filter(|entry| entry.path().is_file()) {
            let text = std::fs::read_to_string(entry.path()).expect("it is text");
            files.insert(format!("{folder}{}", entry.file_name().display()), text);
        }
    }
    Arc::new(Library::load(&files).expect("the shipped graphs load"))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let library = library();
    if let Some(only) = arguments.iter().position(|argument| argument == "--only") {
        let [side, case, times] = &arguments[only + 1..only + 4] else { panic!("--only SIDE CASE TIMES") };
        let times = times.parse().expect("a number");
        World::new(&library, side == "with", case == "greeting").time(&sent(case), times);
        return;
    }
    let (pairs, times) = if arguments.iter().any(|argument| argument == "--bench") { (31, 1_000) } else { (1, 20) };
    for case in CASES {
        let bytes = sent(case);
        let mut worlds = [false, true].map(|is_bounded| World::new(&library, is_bounded, case == "greeting"));
        let (mut without, mut costs) = (Vec::new(), Vec::new());
        for _ in 0..pairs {
            let [plain, bounded] = worlds.each_mut().map(|world| world.time(&bytes, times));
            without.push(plain);
            costs.push(bounded - plain);
        }
        println!("bounds: {case} without={:.2}us with=+{:.2}us", median(without), median(costs));
    }
}
