//! The world: virtual time, the shards with their mailboxes, and a driver that obeys the contract of `shard::event` and
//! insists that the shards do.

use super::check::Books;
use super::network::Line;
use super::pool::Call;
use super::replay::Played;
use super::script::{Kind, SECOND, Script};
use super::store::Store;
use super::users::Client;
use super::{Ran, mix};
use crate::auth::Rules;
use crate::contract::{Answer, Budget, CallError, CallId, DatabaseInfo, Dialect, Limits, Quota, Quotas, Refusal, Usage};
use crate::graph::Library;
use crate::shard::event::{Attach, Event, Found, JobOutcome, Mail, SessionId, ShardId, SocketId, Ticket};
use crate::shard::files::Files;
use crate::shard::identity::Key;
use crate::shard::metrics::{Machine, Models};
use crate::shard::origin::Origins;
use crate::shard::{Export, Settings, Shard, bounds};
use jiff::tz::TimeZone;
use serde_json::Map;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};
use std::hash::{DefaultHasher, Hasher};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

pub(super) struct World<'a> {
    pub(super) script: &'a Script,
    pub(super) library: Arc<Library>,
    /// Microseconds since the world began.
    pub(super) now: u64,
    pub(super) wall_offset: i64,
    queue: BinaryHeap<Due>,
    order: u64,
    pub(super) settings: Arc<Settings>,
    pub(super) seats: Vec<Seat>,
    pub(super) lines: Vec<Line>,
    pub(super) users: Vec<Vec<Client>>,
    pub(super) books: Vec<Books>,
    pub(super) calls: BTreeMap<(usize, SessionId, CallId), Call>,
    pub(super) store: Store,
    /// What the journal of each user's session says.
    pub(super) played: Vec<Played>,
    /// How often the server has died. What it had under way went with it.
    life: u64,
    /// It dies before so many more actions; it is dead and not yet cleared away; it is not there.
    dies_in: Option<u64>,
    is_dead: bool,
    is_away: bool,
    /// How much its monotonic clock is ahead of the world's.
    pub(super) moment_ahead: i64,
    /// Faults have stopped, and since when.
    pub(super) is_quiet: bool,
    pub(super) quiet_since: u64,
    /// The server gets a signal to end.
    pub(super) is_draining: bool,
    pub(super) is_stopping: bool,
    pub(super) failure: Option<String>,
    pub(super) hash: DefaultHasher,
    pub(super) events: u64,
}

/// A shard and the driver around it.
pub(super) struct Seat {
    pub(super) shard: Shard,
    pub(super) inbox: Vec<Owned>,
    pub(super) sockets: BTreeMap<SocketId, usize>,
    pub(super) next_socket: u64,
    pub(super) wake: Option<u64>,
    pub(super) stalled_until: u64,
    pub(super) ticks: u64,
    pub(super) drained: bool,
    pub(super) stopped: bool,
}

/// An event on its way to a shard. Sockets are lines here; they get their number when they arrive.
pub(super) enum Owned {
    Accepted {
        line: usize,
    },
    Arrived {
        line: usize,
        attach: Box<Attach>,
    },
    Read {
        line: usize,
    },
    Ended {
        line: usize,
    },
    Moved {
        line: usize,
    },
    Written {
        line: usize,
    },
    Failed {
        line: usize,
    },
    Mail(Mail),
    Chunk {
        session: SessionId,
        call: CallId,
        text: String,
    },
    Completion {
        session: SessionId,
        call: CallId,
        usage: Usage,
        waited_us: u64,
        outcome: Result<Answer, CallError>,
    },
    JobDone {
        ticket: Ticket,
        outcome: JobOutcome,
    },
    Reload(Arc<Settings>),
    Drain,
    Stop,
    Time,
    /// With what it tells the shard of the store.
    Durable {
        batch: u64,
        number: u64,
    },
    Loaded {
        key: Key,
        outcome: Result<Found, Refusal>,
        number: u64,
    },
    JournalState {
        broken: Option<Refusal>,
    },
}

/// What will happen.
pub(super) enum Happens {
    ToShard(usize, Owned),
    Wake {
        shard: usize,
        at: u64,
    },
    ClockStep(i64),
    /// Files are loaded again: those from the start, or such as differ from them.
    Reload {
        differ: bool,
    },
    Stall {
        shard: usize,
        length: u64,
    },
    StallEnds {
        shard: usize,
    },
    Call {
        shard: usize,
        session: SessionId,
        call: CallId,
        generation: u32,
    },
    Step {
        user: usize,
        step: usize,
    },
    Reconnect {
        user: usize,
        client: usize,
    },
    /// Bytes reach the server.
    Up {
        line: usize,
        bytes: Vec<u8>,
    },
    /// The client sends nothing more; `is_gone` when it does not read either.
    UpEnd {
        line: usize,
        is_gone: bool,
    },
    /// The write under way goes on.
    Flow {
        line: usize,
    },
    /// Bytes reach the client.
    Down {
        line: usize,
        bytes: Vec<u8>,
    },
    /// The server's end reaches the client.
    DownEnd {
        line: usize,
        is_reset: bool,
    },
    Break {
        line: usize,
    },
    /// By now the server must have ended this connection.
    MustHaveEnded {
        line: usize,
    },
    /// A client sends again what was refused.
    TryAgain {
        user: usize,
        client: usize,
    },
    /// A commit ends, and a load.
    Committed {
        attempt: u64,
    },
    Loaded {
        load: u64,
    },
    /// The server is about to die, dies, and starts again.
    Dies {
        actions: u64,
    },
    IsDead,
    Starts,
}

impl Happens {
    /// Whether it is under way in the server, and ends with it.
    fn is_of_server(&self) -> bool {
        match self {
            Happens::ToShard(..)
            | Happens::Wake { .. }
            | Happens::StallEnds { .. }
            | Happens::Call { .. }
            | Happens::Committed { .. }
            | Happens::Loaded { .. }
            | Happens::IsDead => true,
            Happens::ClockStep(_)
            | Happens::Reload { .. }
            | Happens::Stall { .. }
            | Happens::Step { .. }
            | Happens::Reconnect { .. }
            | Happens::Up { .. }
            | Happens::UpEnd { .. }
            | Happens::Flow { .. }
            | Happens::Down { .. }
            | Happens::DownEnd { .. }
            | Happens::Break { .. }
            | Happens::MustHaveEnded { .. }
            | Happens::TryAgain { .. }
            | Happens::Dies { .. }
            | Happens::Starts => false,
        }
    }
}

struct Due {
    at: u64,
    order: u64,
    life: u64,
    what: Happens,
}

impl PartialEq for Due {
    fn eq(&self, other: &Due) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Due) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The earliest is the greatest, as the heap wants it.
impl Ord for Due {
    fn cmp(&self, other: &Due) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

const MOMENT_ZERO: i64 = 77_000_000;
/// How long the server still lives at most where it is to die in the middle of something.
const DIES_WITHIN: u64 = SECOND / 50;
pub(super) const WALL_ZERO: u64 = 1_763_668_166 * SECOND;
/// A client that was silent for so long must be gone.
pub(super) const SILENCE_TIME: u64 = 140 * SECOND;
/// The longest that a call may take.
const CALL_TIME: Duration = Duration::from_secs(60);
/// One world in so many loads its files again while it runs.
const RELOADS_EVERY: u64 = 3;
/// Where the users are.
pub(super) const ADDRESSES: u64 = 2;
/// More events than any honest world has.
const EVENTS_MAX: u64 = 2_000_000;

impl<'a> World<'a> {
    pub(super) fn new(script: &'a Script, library: Arc<Library>) -> World<'a> {
        let settings = Arc::new(settings(script, library.clone()));
        World {
            script,
            now: 0,
            wall_offset: 0,
            queue: BinaryHeap::new(),
            order: 0,
            seats: seats(&settings),
            settings,
            lines: Vec::new(),
            users: script.users.iter().map(|user| user.clients.iter().map(Client::new).collect()).collect(),
            books: script.users.iter().map(|user| Books::new(user, script)).collect(),
            calls: BTreeMap::new(),
            store: Store::new(mix(script.seed, 14), script.shards, &library),
            played: script.users.iter().map(|_| Played::default()).collect(),
            library,
            life: 0,
            dies_in: None,
            is_dead: false,
            is_away: false,
            moment_ahead: MOMENT_ZERO,
            is_quiet: false,
            quiet_since: u64::MAX,
            is_draining: false,
            is_stopping: false,
            failure: None,
            hash: DefaultHasher::new(),
            events: 0,
        }
    }

    /// Plays the script, lets everything come to its end, and checks the books.
    pub(super) fn run(mut self) -> Result<Ran, String> {
        self.start();
        for (user, steps) in self.script.users.iter().map(|user| &user.steps).enumerate() {
            for (step, at) in steps.iter().map(|step| step.at).enumerate() {
                self.later(at, Happens::Step { user, step });
            }
        }
        self.script.clock.iter().for_each(|(at, by)| self.later(*at, Happens::ClockStep(*by)));
        for &(shard, at, length) in self.script.stalls.iter().filter(|(shard, ..)| *shard < self.script.shards) {
            self.later(at, Happens::Stall { shard, length });
        }
        if self.script.seed % RELOADS_EVERY == 1 {
            (1..=3).for_each(|time| self.later(time * self.script.ends_at / 4, Happens::Reload { differ: time % 2 == 1 }));
        }
        self.script.crashes.iter().for_each(|crash| self.later(crash.at, Happens::Dies { actions: crash.actions }));
        self.run_until(self.script.ends_at)?;
        while self.is_away || self.dies_in.is_some() {
            self.run_until(self.now + SECOND / 100)?;
        }
        (self.is_quiet, self.quiet_since) = (true, self.now);
        self.hasten_calls();
        self.hasten_lines();
        self.hasten_store();
        if !self.script.drains {
            // What stalled, or is on its way, comes first.
            self.run_until(self.now + SECOND)?;
            if self.script.disk.is_some() {
                if self.script.is_bounded {
                    self.run_until(self.now + 61 * SECOND)?;
                }
                self.wake_sessions();
            }
            self.settle(600, "everything to end", |world| world.is_waiting_for())?;
            if self.script.is_bounded {
                // By then there are requests left again to ask with.
                self.run_until(self.now + 61 * SECOND)?;
            }
            self.ask_for_the_end();
            self.settle(60, "the last answers", |world| world.is_waiting_for())?;
            self.check_journal()?;
            self.check_at_rest()?;
            self.check_sizes_at_rest()?;
        }
        self.is_draining = true;
        (0..self.seats.len()).for_each(|shard| self.put_event(1, shard, Owned::Drain));
        let is_cut = self.script.drains && self.script.seed.is_multiple_of(3);
        match is_cut {
            true => self.run_until(self.now + SECOND / 20)?,
            false => self.settle(60, "all shards to drain", |world| world.seats.iter().any(|seat| !seat.drained).then(String::new))?,
        }
        if !is_cut {
            self.run_until(self.now + SECOND / 2)?;
            let is_busy = if self.script.disk.is_some() { Books::runs } else { Books::is_busy_with };
            if let Some(busy) = self.books.iter().filter(|books| !books.may_crash).find_map(is_busy) {
                return Err(format!("all shards have drained, but {busy} has not ended"));
            }
        }
        self.is_stopping = true;
        (0..self.seats.len()).for_each(|shard| self.put_event(1, shard, Owned::Stop));
        self.settle(5, "all shards to stop", |world| world.seats.iter().any(|seat| !seat.stopped).then(String::new))?;
        self.run_until(self.now + 2 * SECOND)?;
        if let Some(line) = self.lines.iter().position(Line::is_at_server) {
            return Err(format!("connection {line} is still open after the server has stopped"));
        }
        self.check_journal()?;
        self.check_books()?;
        self.check_nothing_is_held()?;
        let (hash, events) = (self.hash.finish(), self.events);
        let turns = self.books.iter().map(Books::turns).sum();
        Ok(Ran {
            hash,
            events,
            turns,
            seen: self.users.into_iter().map(|clients| clients.into_iter().flat_map(|client| client.seen).collect()).collect(),
        })
    }

    /// Has the shards learn what the journal has, before anything else.
    fn start(&mut self) {
        if self.script.disk.is_some() {
            let (run, spent): (_, Arc<[_]>) = (self.life, self.store.spent().into());
            (0..self.seats.len()).for_each(|shard| self.act(shard, Event::Started { run, spent: spent.clone() }));
        }
    }

    /// Runs until nothing is waited for any more.
    fn settle(&mut self, seconds: u64, what: &str, waits: impl Fn(&World<'_>) -> Option<String>) -> Result<(), String> {
        let until = self.now + seconds * SECOND;
        while let Some(still) = waits(self) {
            if self.now >= until {
                let sizes: Vec<_> = self.seats.iter().map(|seat| seat.shard.sizes()).collect();
                return Err(format!("waited {seconds} s for {what}, in vain: {still}; the shards hold {sizes:?}"));
            }
            self.run_until(self.now + SECOND / 20)?;
        }
        Ok(())
    }

    fn run_until(&mut self, until: u64) -> Result<(), String> {
        while self.queue.peek().is_some_and(|due| due.at <= until) {
            self.now = self.queue.peek().expect("it was just seen").at;
            while self.queue.peek().is_some_and(|due| due.at == self.now) {
                let due = self.queue.pop().expect("it was just seen");
                if due.life == self.life || !due.what.is_of_server() {
                    self.happen(due.what);
                }
            }
            (0..self.seats.len()).for_each(|shard| self.tick(shard));
            if self.is_dead {
                self.crash()?;
            }
            if self.events > EVENTS_MAX {
                self.fail("the shards never come to rest".to_owned());
            }
            if let Some(failure) = self.failure.take() {
                return Err(format!("at {:.6} s: {failure}", self.now as f64 / SECOND as f64));
            }
        }
        self.now = self.now.max(until);
        Ok(())
    }

    /// The server dies, with all that it had under way. Only what it has kept is there when it starts again.
    fn crash(&mut self) -> Result<(), String> {
        let crash = &self.script.crashes[self.life as usize];
        (self.is_dead, self.dies_in, self.is_away) = (false, None, true);
        self.life += 1;
        (0..self.lines.len()).for_each(|line| self.cut_off(line));
        self.calls.clear();
        self.seats = seats(&self.settings);
        self.store.crash(self.script.disk.as_ref().is_some_and(|disk| disk.loses))?;
        self.check_crash().map_err(|what| format!("at {:.6} s: {what} (the server died)", self.now as f64 / SECOND as f64))?;
        self.wall_offset += crash.wall;
        self.moment_ahead = crash.moment as i64 - (self.now + crash.away_us) as i64;
        self.later(crash.away_us, Happens::Starts);
        Ok(())
    }

    pub(super) fn is_away_or_dead(&self) -> bool {
        self.is_away || self.is_dead
    }

    /// Whether the server dies before it does what it was about to do.
    pub(super) fn dies_before_this(&mut self) -> bool {
        match &mut self.dies_in {
            Some(0) => self.is_dead = true,
            Some(left) => *left -= 1,
            None => {}
        }
        self.is_dead
    }

    pub(super) fn later(&mut self, wait_us: u64, what: Happens) {
        self.order += 1;
        self.queue.push(Due { at: self.now + wait_us, order: self.order, life: self.life, what });
    }

    /// Only the first failure counts.
    pub(super) fn fail(&mut self, what: String) {
        self.failure.get_or_insert(what);
    }

    pub(super) fn put_event(&mut self, wait_us: u64, shard: usize, event: Owned) {
        match wait_us {
            0 => self.seats[shard].inbox.push(event),
            _ => self.later(wait_us, Happens::ToShard(shard, event)),
        }
    }

    fn happen(&mut self, what: Happens) {
        match what {
            Happens::ToShard(shard, event) => self.seats[shard].inbox.push(event),
            Happens::Wake { shard, at } => {
                let seat = &mut self.seats[shard];
                if seat.wake.take_if(|wake| *wake == at).is_some() {
                    seat.inbox.push(Owned::Time);
                }
            }
            Happens::ClockStep(by) => self.wall_offset += by,
            Happens::Reload { differ } => {
                let library = if differ { Arc::new(self.library.twin()) } else { self.library.clone() };
                let mut settings = settings(self.script, library);
                if differ && self.script.is_bounded {
                    settings.quotas = other_quotas(settings.quotas);
                }
                let settings = Arc::new(settings);
                self.settings = settings.clone();
                if self.is_away {
                    return self.seats = seats(&settings);
                }
                (0..self.seats.len()).for_each(|shard| self.put_event(0, shard, Owned::Reload(settings.clone())));
            }
            Happens::Stall { shard, length } => {
                self.seats[shard].stalled_until = self.now + length;
                self.later(length, Happens::StallEnds { shard });
            }
            // A driver may look at the time whenever it likes.
            Happens::StallEnds { shard } => self.seats[shard].inbox.push(Owned::Time),
            Happens::Call { shard, session, call, generation } => self.call_goes_on(shard, session, call, generation),
            Happens::Step { user, step } => self.step(user, step),
            Happens::Reconnect { user, client } => self.reconnect(user, client),
            Happens::Up { line, bytes } => self.up(line, bytes),
            Happens::UpEnd { line, is_gone } => self.up_end(line, is_gone),
            Happens::Flow { line } => self.flow(line),
            Happens::Down { line, bytes } => self.down(line, &bytes),
            Happens::DownEnd { line, is_reset } => self.down_end(line, is_reset),
            Happens::Break { line } => self.break_line(line),
            Happens::MustHaveEnded { line } => self.must_have_ended(line),
            Happens::TryAgain { user, client } => self.try_again(user, client),
            Happens::Committed { attempt } => self.committed(attempt),
            Happens::Loaded { load } => self.loaded(load),
            Happens::Dies { .. } if self.is_away_or_dead() || self.dies_in.is_some() || self.is_quiet => {}
            Happens::Dies { actions: 0 } => self.is_dead = true,
            Happens::Dies { actions } => {
                self.dies_in = Some(actions);
                self.later(DIES_WITHIN, Happens::IsDead);
            }
            Happens::IsDead => self.is_dead = true,
            Happens::Starts => {
                self.is_away = false;
                self.start();
            }
        }
    }

    /// A client that broke the rules, or has been silent for too long, may not be there any more.
    fn must_have_ended(&mut self, line: usize) {
        let it = &self.lines[line];
        let is_rude = self.script.users[it.user].clients[it.client].kind == Kind::Rude || it.is_given_up();
        let silent_for = self.now.saturating_sub(it.last_sent());
        if !it.is_at_server() || self.is_quiet && !is_rude {
            return;
        }
        if !is_rude && silent_for < SILENCE_TIME {
            return self.later(SILENCE_TIME - silent_for, Happens::MustHaveEnded { line });
        }
        self.fail(format!("the server should have ended connection {line} long ago"));
    }

    /// The shard that a new connection reaches.
    pub(super) fn any_shard(&self, user: u64, client: usize, serial: u32) -> usize {
        (mix(mix(self.script.seed, user), mix(client as u64, u64::from(serial))) % self.seats.len() as u64) as usize
    }
}

fn seats(settings: &Arc<Settings>) -> Vec<Seat> {
    let seat = |number| Seat {
        shard: Shard::new(ShardId(number), settings.clone(), "sim"),
        inbox: Vec::new(),
        sockets: BTreeMap::new(),
        next_socket: 1,
        wake: None,
        stalled_until: 0,
        ticks: 0,
        drained: false,
        stopped: false,
    };
    (0..settings.shards).map(seat).collect()
}

/// What each address may use: so little that much is refused, but that whoever watches from the beginning is not.
fn quotas(script: &Script) -> Quotas {
    if !script.is_bounded {
        return Quotas::default();
    }
    let at = |address| script.users.iter().filter(|user| user.number % ADDRESSES == address).count() as u32;
    let users = (0..ADDRESSES).map(at).max().unwrap_or_default();
    let watchers = 2 * users;
    let address = Quota { requests: 60 + 20 * users, messages: 6, streams: watchers + 1, turns: 1 };
    Quotas { address, budget: Budget { turns: 20, tokens: 4_000, cost: 0 }, ..Quotas::default() }
}

/// What operators may make of quotas while the server runs: tighter, wider, and without a bound for streams.
fn other_quotas(quotas: Quotas) -> Quotas {
    let address = Quota { messages: 4, streams: 0, turns: 2, ..quotas.address };
    Quotas { address, budget: Budget { turns: 15, ..quotas.budget }, ..quotas }
}

/// What the server runs on. Only a tight world is small enough to reach a limit.
fn settings(script: &Script, library: Arc<Library>) -> Settings {
    let tight = |small: usize, large: usize| if script.is_tight { small } else { large };
    let clients: usize = script.users.iter().map(|user| user.clients.len()).sum();
    let database =
        DatabaseInfo { name: "eras2_production".to_owned(), dialect: Dialect::Sqlite, schema: None, is_sample: true, survey: None };
    Settings {
        shards: script.shards,
        library,
        graph: script.graph.into(),
        limits: Limits { history_max: tight(6, 200), waiting_max: tight(2, 8), traces_max: tight(3, 20), ..Limits::default() },
        files: Files::new(BTreeMap::from([("index.html".to_owned(), Arc::from(*b"<!doctype html>"))])),
        origins: Origins { allowed: Vec::new(), hosts: Vec::new(), listen: vec![Ipv4Addr::LOCALHOST.into()] },
        sign_in: Rules::default(),
        api_keys: Arc::default(),
        trusted_proxies: Vec::new(),
        quotas: quotas(script),
        about: Map::new(),
        databases: Box::new(move |_| vec![database.clone()]),
        call_time: Box::new(|_| CALL_TIME),
        time_zone: TimeZone::UTC,
        sessions_max: tight(2 * script.shards, bounds::SESSIONS_MAX),
        // All clients that mean well find a place, beside which there are rude ones.
        connections_max: tight(clients.max(30), bounds::CONNECTIONS_MAX),
        session_bytes_max: tight(200 << 10, bounds::SESSION_BYTES_MAX),
        input_bytes_max: tight(400 << 10, bounds::INPUT_BYTES_MAX),
        output_bytes_max: tight(2 << 20, bounds::OUTPUT_BYTES_MAX),
        message_bytes_max: bounds::MESSAGE_BYTES_MAX,
        session_idle: match &script.disk {
            Some(disk) => Duration::from_micros(disk.idle_us),
            None if script.is_tight => Duration::from_secs(20),
            None => bounds::SESSION_IDLE,
        },
        silence_max: bounds::SILENCE_MAX,
        write_time: bounds::WRITE_TIME,
        models: Models::default(),
        database_names: vec!["eras2_production".into()],
        machine: Box::new(Machine::default),
        trace_seed: script.seed,
        export: script.seed.is_multiple_of(2).then_some(Export { content: true }),
        conformance: false,
        rerun: false,
        audit: false,
        keeping: script.disk.as_ref().map(|disk| disk.keeping),
        snapshot_turns: script.disk.as_ref().map_or(bounds::SNAPSHOT_TURNS, |disk| disk.snapshot_turns),
        outbox: None,
    }
}
