//! A client's connection to a whole shard: requests of every kind, and frames behind a handshake.

use framewright::contract::{Moment, Now, Time};
use framewright::graph::Library;
use framewright::shard::event::{Door, Entry, JobOutcome};
use framewright::shard::operation::Reply;
use framewright::shard::{Action, Event, Settings, Shard, ShardId, SocketId};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The beginning of a chat socket.
pub(super) const HANDSHAKE: &[u8] = b"GET /ws?session=a HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const REFUSED: &[u8] = b"\"refused\":true";

/// One connection, its bytes whole and in pieces.
pub(super) fn connection(bytes: &[u8]) {
    let whole = answers(bytes, usize::MAX);
    for piece in [1, 50] {
        assert_eq!(answers(bytes, piece), whole, "in pieces of {piece}");
    }
}

/// What comes of it: what was said in HTTP, and of the frames behind a handshake the refusals, pongs and closes, in no order. These
/// answer at once; what shows what became of a message comes at the end of a tick, unless its client leaves before.
fn answers(bytes: &[u8], piece: usize) -> (String, Vec<Vec<u8>>) {
    let out = Connection::new().run(bytes, piece);
    let switch = b"HTTP/1.1 101 ";
    let Some(at) = out.windows(switch.len()).position(|part| part == switch) else { return (lossy(&out), Vec::new()) };
    let end = out[at..].windows(4).position(|four| four == b"\r\n\r\n").expect("a head ends") + at + 4;
    let (mut frames, mut rest) = (Vec::new(), &out[end..]);
    while let [_, length, ..] = rest {
        let (head, length) = match length {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            127 => (10, usize::try_from(u64::from_be_bytes(rest[2..10].try_into().expect("8 bytes"))).expect("a length")),
            short => (2, usize::from(*short)),
        };
        let (frame, behind) = rest.split_at(head + length);
        if frame[0] != 0x81 || frame.windows(REFUSED.len()).any(|part| part == REFUSED) {
            frames.push(frame.to_vec());
        }
        rest = behind;
    }
    frames.sort();
    (lossy(&out[..end]), frames)
}

/// Without `100 Continue`, which only a client that waits with its body is sent.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("HTTP/1.1 100 Continue\r\n\r\n", "")
}

/// The driver of a shard with one socket.
struct Connection {
    shard: Shard,
    reads: Option<usize>,
    is_open: bool,
    out: Vec<u8>,
    follows: VecDeque<Event<'static>>,
}

const SOCKET: SocketId = SocketId(1);
const NOW: Now = Now { moment: Moment(1_000_000), wall: Time(1_800_000_000_000_000) };

impl Connection {
    fn new() -> Connection {
        thread_local! {
            static SETTINGS: Arc<Settings> = {
                let mut files = super::prompts_and_schemas();
                let graphs = super::root().join("graphs");
                for name in ["v1-direct.json", "v3-framed.json"] {
                    files.insert(name.to_owned(), std::fs::read_to_string(graphs.join(name)).expect("our graphs are there"));
                }
                Arc::new(Settings::new(Arc::new(Library::load(&files).expect("our graphs load")), "v3-framed"))
            };
        }
        let shard = Shard::new(ShardId(0), SETTINGS.with(Arc::clone), "fuzzed");
        Connection { shard, reads: None, is_open: true, out: Vec::new(), follows: VecDeque::new() }
    }

    fn run(mut self, mut bytes: &[u8], piece: usize) -> Vec<u8> {
        self.tick(Event::Accepted { socket: SOCKET, peer: IpAddr::V4(Ipv4Addr::LOCALHOST).into(), door: Door::Main });
        while self.is_open && !bytes.is_empty() {
            // Where nothing is read any more the client waits for ever.
            let Some(bytes_max) = self.reads.take() else { break };
            let (part, rest) = bytes.split_at(bytes.len().min(piece).min(bytes_max));
            self.tick(Event::Read { socket: SOCKET, bytes: part });
            bytes = rest;
        }
        if self.is_open && self.reads.take().is_some() {
            self.tick(Event::Ended { socket: SOCKET });
        }
        let sizes = self.shard.sizes();
        if !self.is_open {
            assert_eq!((sizes.sockets, sizes.input_bytes, sizes.unread_bytes, sizes.watchers), (0, 0, 0, 0), "{sizes:?}");
        }
        self.out
    }

    fn tick(&mut self, event: Event<'_>) {
        let mut actions = Vec::new();
        self.shard.handle(NOW, event, &mut actions);
        self.shard.handle(NOW, Event::TickEnd, &mut actions);
        self.carry_out(actions);
        while let Some(event) = self.follows.pop_front() {
            let mut actions = Vec::new();
            self.shard.handle(NOW, event, &mut actions);
            self.shard.handle(NOW, Event::TickEnd, &mut actions);
            self.carry_out(actions);
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Read { bytes_max, .. } => {
                    assert!(self.is_open && self.reads.replace(bytes_max).is_none(), "one read at a time");
                }
                Action::Write { bytes, .. } => {
                    assert!(self.is_open, "nothing is written behind the end");
                    self.out.extend_from_slice(&bytes);
                    self.follows.push_back(Event::Written { socket: SOCKET, buffer: bytes });
                }
                Action::Close { .. } => self.is_open = false,
                Action::Job { ticket, .. } => {
                    let outcome = JobOutcome::Reply(Reply::of(Vec::new()));
                    self.follows.push_back(Event::JobDone { ticket, outcome });
                }
                Action::Log(Entry::Panic { session }) => panic!("a session panicked: {session}"),
                // Calls are never answered: when they were would be a matter of the pieces.
                Action::Shutdown { .. }
                | Action::HandOver { .. }
                | Action::Audit(_)
                | Action::Export(_)
                | Action::Deliver(_)
                | Action::Recall { .. }
                | Action::Mail { .. }
                | Action::Call { .. }
                | Action::CancelCall { .. }
                | Action::Append { .. }
                | Action::Load { .. }
                | Action::Ask(_)
                | Action::WakeAt(_)
                | Action::Log(_)
                | Action::Drained
                | Action::Stopped => {}
            }
        }
    }
}
