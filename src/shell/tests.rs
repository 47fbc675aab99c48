//! The driver with a stand-in for the shard: it does what lines on its sockets say, and checks that events keep the
//! contract of [`crate::shard::event`].

use super::driver::Machine;
use super::server::{Ended, ServeError, Settings, Stopper, start};
use crate::contract::{Answer, CallError, CallId, Caller, ModelRequest, Moment, Now, Request};
use crate::shard::event::{Action, Attach, Event, Job, JobOutcome, Mail, SessionId, ShardId, Show, SocketId, Ticket};
use crate::shard::identity::{Key, User};
use crate::shard::operation::{Operation, What};
use crate::shell::Backend;
use crate::work::{self, Call, Model, Pool};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);
const READ_BYTES: usize = 512;
/// More than the system buffers for both ends of a connection.
const FLOOD_BYTES: usize = 16 << 20;

#[derive(Default)]
struct Peer {
    line: Vec<u8>,
    out: Vec<u8>,
    reading: bool,
    writing: bool,
    moved: usize,
    /// Counts what still comes once nothing is sent any more.
    counts: Option<usize>,
    close_at: Option<Moment>,
}

/// Stands in for a shard.
struct Puppet {
    number: ShardId,
    peers: BTreeMap<SocketId, Peer>,
    /// Who waits for the shard's one timer, mail, job or call.
    waits: Option<SocketId>,
    calls: u64,
    stopping: bool,
}

impl Puppet {
    fn new(number: ShardId, _: Backend) -> Self {
        Puppet { number, peers: BTreeMap::new(), waits: None, calls: 0, stopping: false }
    }

    fn say(&mut self, socket: SocketId, text: &str) {
        if let Some(peer) = self.peers.get_mut(&socket) {
            peer.out.extend_from_slice(text.as_bytes());
            peer.out.push(b'\n');
        }
    }

    fn answer(&mut self, text: &str) {
        if let Some(socket) = self.waits {
            self.say(socket, text);
        }
    }

    fn obey(&mut self, now: Now, socket: SocketId, line: &str, actions: &mut Vec<Action>) {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let peer = self.peers.get_mut(&socket).unwrap();
        self.waits = Some(socket);
        match verb {
            "echo" => self.say(socket, rest),
            "flood" => peer.out.resize(FLOOD_BYTES, b'x'),
            // Is cut while its write is under way.
            "cut" => {
                peer.out.resize(FLOOD_BYTES, b'x');
                peer.close_at = Some(now.moment.after(Duration::from_millis(20)));
                actions.push(Action::WakeAt(peer.close_at.unwrap()));
            }
            // Is closed while a read is under way.
            "leave" => {
                peer.close_at = Some(now.moment.after(Duration::from_millis(20)));
                actions.push(Action::WakeAt(peer.close_at.unwrap()));
            }
            "half" => {
                peer.counts = Some(0);
                actions.push(Action::Shutdown { socket });
            }
            "wake" => {
                // The one set last counts, whether it is later or earlier.
                for wait_ms in [100_000, 60_000, 10] {
                    actions.push(Action::WakeAt(now.moment.after(Duration::from_millis(wait_ms))));
                }
            }
            "move" => {
                let peer = self.peers.remove(&socket).unwrap();
                assert!(!peer.writing && !peer.reading);
                let attach = Box::new(attach(rest, peer.line));
                actions.push(Action::HandOver { socket, shard: ShardId(1 - self.number.0), attach });
            }
            "call" => {
                self.calls += 1;
                let request = Arc::new(Request::Model(asked(rest)));
                actions.push(Action::Call { session: SessionId(1), call: CallId(self.calls), owner: "a".into(), request, trace: None });
            }
            "file" => actions.push(Action::Job { ticket: Ticket(1), job: Job::File { name: rest.to_owned() } }),
            "suites" => actions.push(Action::Job { ticket: Ticket(1), job: Job::ListSuites }),
            "flood-jobs" => {
                for n in 0..1000 {
                    actions.push(Action::Job { ticket: Ticket(n), job: Job::LastRun });
                }
            }
            "ask" => {
                let (sub, id) = ("u".into(), "s".into());
                let operation =
                    Box::new(Operation { key: Key { sub, id }, from: caller(), address: None, webhook: None, what: What::Result });
                let mail = Mail::Operation { operation, from: self.number, ticket: Ticket(7) };
                actions.push(Action::Mail { shard: ShardId(1 - self.number.0), mail });
            }
            _ => panic!("no such order: {line}"),
        }
    }
}

fn caller() -> Caller {
    Caller { identity: "u".to_owned(), channel: "c".to_owned(), utc_offset_minutes: 0, trace: None }
}

fn asked(role: &str) -> ModelRequest {
    let model = "fast".into();
    ModelRequest {
        background: false,
        role: role.into(),
        stage: None,
        model,
        messages: Vec::new(),
        schema: None,
        tools: [].into(),
        stream: true,
        streamed_field: None,
        tokens_max: 1,
    }
}

fn attach(head: &str, leftover: Vec<u8>) -> Attach {
    let user = User { sub: "u".into(), identity: "u".into(), ..User::anonymous() };
    let key = Key { sub: "u".into(), id: "s".into() };
    Attach { show: Show::Chat, key, user, caller: caller(), address: None, admitted_by: None, since: None, head: head.into(), leftover }
}

impl Machine for Puppet {
    fn handle(&mut self, now: Now, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Accepted { socket, .. } => {
                self.peers.insert(socket, Peer { reading: true, ..Peer::default() });
                actions.push(Action::Read { socket, bytes_max: READ_BYTES });
            }
            Event::Arrived { socket, attach } => {
                self.peers.insert(socket, Peer { line: attach.leftover, ..Peer::default() });
                let said = format!("{} on {}", String::from_utf8(attach.head).unwrap(), self.number.0);
                self.say(socket, &said);
            }
            Event::Read { socket, bytes } => {
                let peer = self.peers.get_mut(&socket).expect("an open socket");
                assert!(std::mem::take(&mut peer.reading) && !bytes.is_empty() && bytes.len() <= READ_BYTES);
                match &mut peer.counts {
                    Some(count) => *count += bytes.len(),
                    None => peer.line.extend_from_slice(bytes),
                }
            }
            Event::Ended { socket } => {
                let peer = self.peers.remove(&socket).expect("an open socket");
                assert!(peer.reading);
                actions.push(Action::Close { socket });
                if let (Some(count), Some(waits)) = (peer.counts, self.waits) {
                    self.say(waits, &format!("{count} bytes came"));
                }
            }
            Event::Moved { socket } => {
                let peer = self.peers.get_mut(&socket).expect("an open socket");
                assert!(peer.writing);
                peer.moved += 1;
            }
            Event::Written { socket, buffer } => {
                let peer = self.peers.get_mut(&socket).expect("an open socket");
                assert!(std::mem::take(&mut peer.writing) && buffer.is_empty());
            }
            Event::Failed { socket } => {
                assert!(self.peers.remove(&socket).expect("an open socket").writing);
                actions.push(Action::Close { socket });
            }
            Event::Mail(Mail::Operation { from, ticket, .. }) => {
                let reply = crate::shard::operation::Reply::of(b"{}".to_vec());
                actions.push(Action::Mail { shard: from, mail: Mail::Reply { ticket, reply } });
            }
            Event::Mail(Mail::Reply { ticket, reply }) => self.answer(&format!("{} {}", ticket.0, reply.status)),
            Event::Mail(Mail::TestReport { .. } | Mail::Report { .. } | Mail::Counts { .. } | Mail::Counted)
            | Event::Started { .. }
            | Event::Wake(_)
            | Event::Fenced { .. }
            | Event::News(_)
            | Event::Durable { .. }
            | Event::Loaded { .. }
            | Event::JournalState { .. }
            | Event::Reload(_) => {}
            Event::Mail(Mail::RollCall { .. } | Mail::Present { .. }) => {}
            Event::Chunk { session, call, text } => match text.as_str() {
                "waiting" => actions.push(Action::CancelCall { session, call }),
                _ => self.answer(&text),
            },
            Event::Completion { call, outcome, .. } => self.answer(&format!("{} {outcome:?}", call.0)),
            Event::JobDone { outcome: JobOutcome::File(file), .. } => self.answer(&format!("{:?}", file.map(|file| file.len()))),
            Event::JobDone { outcome: JobOutcome::Document { body, .. }, .. } => self.answer(&format!("{}", body.len())),
            Event::JobDone { outcome: JobOutcome::Forked(forked), .. } => self.answer(&forked.turn.to_string()),
            Event::JobDone { ticket, outcome: JobOutcome::Reply(reply) } => self.answer(&format!("{} {}", ticket.0, reply.status)),
            Event::JobDone { outcome: JobOutcome::Called { .. } | JobOutcome::Recorded { .. }, .. } => {}
            Event::Drain => actions.push(Action::Drained),
            Event::Stop => self.stopping = true,
            Event::Time => {
                if self.peers.values().all(|peer| peer.close_at.is_none()) {
                    self.answer("woke");
                }
            }
            Event::TickEnd => {
                for (&socket, peer) in &mut self.peers {
                    if !peer.writing && !peer.out.is_empty() {
                        peer.writing = true;
                        actions.push(Action::Write { socket, bytes: std::mem::take(&mut peer.out) });
                    }
                }
                // Unlike a real shard it stays for as long as its clients do.
                if self.stopping && self.peers.is_empty() {
                    return actions.push(Action::Stopped);
                }
                let due = |peer: &Peer| peer.close_at.is_some_and(|due| due <= now.moment);
                self.peers.retain(|&socket, peer| {
                    if due(peer) {
                        actions.push(Action::Close { socket });
                    }
                    !due(peer)
                });
            }
        }
        let lines: Vec<_> = self.peers.iter_mut().filter_map(|(&socket, peer)| Some((socket, next_line(peer)?))).collect();
        for (socket, line) in lines {
            self.obey(now, socket, &line, actions);
        }
        for (&socket, peer) in self.peers.iter_mut().filter(|(_, peer)| !peer.reading) {
            peer.reading = true;
            actions.push(Action::Read { socket, bytes_max: READ_BYTES });
        }
    }
}

fn next_line(peer: &mut Peer) -> Option<String> {
    let end = peer.line.iter().position(|&byte| byte == b'\n')?;
    let rest = peer.line.split_off(end + 1);
    let line = std::mem::replace(&mut peer.line, rest);
    Some(String::from_utf8(line[..end].to_vec()).unwrap())
}

struct Told;

impl Model for Told {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> work::Ended {
        match &*request.role {
            "wait" => {
                call.say("waiting");
                while call.cancel.pause(Duration::from_secs(3600)) {}
                return CallError::Cancelled.into();
            }
            role => call.say(role),
        }
        work::Ended { usage: Default::default(), outcome: Ok(Answer::default()) }
    }
}

struct Running {
    address: SocketAddr,
    stopper: Stopper,
    ended: Option<JoinHandle<Ended>>,
}

fn settings(backend: Option<Backend>) -> Settings {
    let pool = Pool::new(work::Settings { workers_max: 1, queue_max: 1, ..Default::default() }, Box::new(|| Box::new(Told)));
    Settings { shards: 2, backend, ..Settings::new("127.0.0.1:0".parse().unwrap(), pool) }
}

impl Running {
    fn new(backend: Option<Backend>) -> Self {
        let server = start(settings(backend), None, Puppet::new).unwrap();
        let (address, stopper) = (server.places()[0].tcp().unwrap(), server.stopper());
        Running { address, stopper, ended: Some(std::thread::spawn(|| server.wait())) }
    }

    fn connect(&self) -> Client {
        Client::of(TcpStream::connect(self.address).unwrap())
    }

    /// Ends the server, which waits for its last client.
    fn stop(mut self, last: Client) {
        self.stopper.stop();
        drop(last);
        assert_eq!(self.ended.take().unwrap().join().unwrap(), Ended::Quietly);
    }

    /// A connection that this shard accepted.
    fn connect_to(&self, shard: usize) -> Client {
        loop {
            let mut client = self.connect();
            client.send("move here\n");
            // It has moved to the other one.
            if client.line() == format!("here on {shard}") {
                return client;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stopper.stop();
    }
}

struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { reader: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(&format!("{text}\n"));
        self.line()
    }

    /// Everything up to the end of the connection, also where it is reset.
    fn rest(&mut self) -> usize {
        let (mut count, mut bytes) = (0, vec![0; 64 << 10]);
        while let Ok(read @ 1..) = self.reader.read(&mut bytes) {
            count += read;
        }
        count
    }
}

const BACKENDS: [Option<Backend>; 2] = [Some(Backend::IoUring), Some(Backend::Epoll)];

#[test]
fn torn_and_merged_reads_arrive_whole_and_in_order() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
        for client in &mut clients {
            for byte in "echo torn\n".as_bytes() {
                client.stream.write_all(&[*byte]).unwrap();
            }
            assert_eq!(client.line(), "torn");
            let many: String = (0..500).map(|n| format!("echo {n}\n")).collect();
            client.send(&many);
            (0..500).for_each(|n| assert_eq!(client.line(), n.to_string()));
        }
    }
}

#[test]
fn a_write_that_the_peer_does_not_read_waits_and_goes_on() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        let mut slow = server.connect();
        slow.send("flood\n");
        // Others are served meanwhile, and the slow one is read.
        assert_eq!(server.connect().ask("echo on"), "on");
        slow.send("echo behind\n");
        std::thread::sleep(Duration::from_millis(20));
        let mut flood = vec![0; FLOOD_BYTES];
        slow.reader.read_exact(&mut flood).unwrap();
        assert!(flood.iter().all(|byte| *byte == b'x'));
        assert_eq!(slow.line(), "behind");
    }
}

#[test]
fn closing_ends_a_read_or_a_write_under_way() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        let mut cut = server.connect();
        cut.send("cut\n");
        // Only then does it read: by then the rest can't come any more.
        std::thread::sleep(Duration::from_millis(200));
        assert!(cut.rest() < FLOOD_BYTES);
        let mut left = server.connect();
        left.send("leave\n");
        assert_eq!(left.rest(), 0);
        assert_eq!(server.connect().ask("echo on"), "on");
    }
}

#[test]
fn a_peer_that_goes_away_is_reported_once() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        for n in 0..32 {
            let mut gone = server.connect();
            gone.send("flood\n");
            match n % 3 {
                0 => gone.stream.shutdown(Shutdown::Both).unwrap(),
                1 => socket2::SockRef::from(&gone.stream).set_linger(Some(Duration::ZERO)).unwrap(),
                _ => {}
            }
        }
        assert_eq!(server.connect().ask("echo on"), "on");
    }
}

#[test]
fn after_a_shutdown_reading_goes_on() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        let mut half = server.connect_to(0);
        half.send("half\n");
        assert_eq!(half.line(), "", "the server sends nothing more");
        half.send(&"x".repeat(100_000));
        let mut other = server.connect_to(0);
        assert_eq!(other.ask("echo on"), "on");
        half.stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(other.line(), "100000 bytes came");
    }
}

#[test]
fn a_socket_moves_between_shards_with_what_was_read_and_what_comes_later() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        for n in 0..50 {
            let mut client = server.connect();
            client.send(&format!("move {n}\necho left over\n"));
            assert!(client.line().starts_with(&format!("{n} on ")));
            assert_eq!(client.line(), "left over");
            let (first, second) = (client.ask("move a"), client.ask("move b"));
            assert_ne!(first.chars().last(), second.chars().last());
        }
    }
}

#[test]
fn the_timer_rings_at_the_moment_set_last() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        let mut client = server.connect();
        for _ in 0..3 {
            assert_eq!(client.ask("wake"), "woke");
        }
    }
}

#[test]
fn calls_stream_end_once_and_can_be_refused_and_cancelled() {
    let server = Running::new(None);
    let mut client = server.connect();
    client.send("call hello\n");
    assert_eq!(client.line(), "hello");
    assert!(client.line().starts_with("1 Ok("));
    assert!(client.ask("call wait").starts_with("2 Err(Cancelled"));
    client.send(&"call wait\n".repeat(8));
    let ends: Vec<_> = (0..8).map(|_| client.line()).collect();
    assert!(ends.iter().any(|end| end.contains("Overloaded")) && ends.iter().any(|end| end.contains("Cancelled")), "{ends:?}");
}

#[test]
fn jobs_run_elsewhere_and_too_many_are_refused() {
    let server = Running::new(None);
    let mut client = server.connect();
    assert!(client.ask("file index.html").starts_with("Some("));
    assert_eq!(client.ask("file nothing"), "None");
    assert_eq!(client.ask("suites"), "1 200");
    client.send("flood-jobs\n");
    let statuses: Vec<_> = (0..1000).map(|_| client.line()).collect();
    assert!(statuses.iter().any(|line| line.ends_with(" 200")) && statuses.iter().any(|line| line.ends_with(" 503")));
}

#[test]
fn a_request_to_a_shard_that_has_ended_is_refused() {
    let server = Running::new(None);
    let mut client = server.connect_to(0);
    assert_eq!(client.ask("ask"), "7 200");
    server.stopper.stop();
    // The other shard ends; its answers turn into refusals.
    while client.ask("ask") == "7 200" {}
    assert_eq!(client.ask("ask"), "7 503");
    server.stop(client);
}

#[test]
fn a_stopped_server_frees_its_address_while_its_sockets_are_still_open() {
    for backend in BACKENDS {
        let server = Running::new(backend);
        let address = server.address;
        let second = || start(Settings { listen: address.into(), ..settings(backend) }, None, Puppet::new);
        assert!(matches!(second().err(), Some(ServeError::AddressInUse { .. })));
        let mut client = server.connect_to(0);
        server.stopper.stop();
        // Even before the first one has ended.
        let next = second().unwrap();
        assert_eq!(client.ask("echo still here"), "still here");
        assert_eq!(next.places(), [address.into()]);
        drop(next);
        server.stop(client);
    }
}
