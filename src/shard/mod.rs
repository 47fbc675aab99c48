//! A shard: its connections, sessions and watchers, and everything that is decided about them.
//!
//! [`Shard::handle`] takes the time and one [`Event`] and appends [`Action`]s. It does no I/O, reads no clock and never
//! blocks, so a whole server can be simulated from a seed. [`event`] is the boundary; this file dispatches. What happens to
//! HTTP requests is in `requests.rs`, to sockets that show something in `streams.rs`, because time has passed in
//! `passing.rs`.
//!
//! Invariants: an event is handled to its end before the next; a socket has one write and one read under way at most; a
//! watcher sees a prefix of its session's events, in order; everything that grows has a bound (`bounds.rs`).

pub mod address;
mod answers;
pub mod audit;
mod backlog;
mod bounded;
pub mod bounds;
mod clock;
mod connection;
pub mod event;
mod export;
pub mod files;
pub mod fork;
mod forked;
mod histogram;
pub mod identity;
mod ids;
mod journal;
pub mod journal_answers;
pub mod journal_job;
mod kept;
mod live;
mod load;
pub mod material;
pub mod metrics;
pub mod operation;
mod operator;
pub mod origin;
pub mod outbox;
mod parked;
mod passing;
mod projection;
mod queries;
pub mod quota;
mod recent;
mod recorded;
mod reload;
mod requests;
mod rerun;
pub mod restore;
mod routes;
mod sessions;
mod sign_in;
mod slow_readers;
mod socket;
mod stream;
mod streams;
mod test_status;
mod timers;

use crate::auth::{ApiKeys, Ask, Network, Rules};
use crate::contract::journal::Keeping;
use crate::contract::{DatabaseInfo, Input, Limits, Moment, Now, Quotas, Refusal, Request, Time};
use crate::engine::Session;
use crate::graph::Library;
use crate::wire::http::Request as HttpRequest;
use audit::Notes;
use bounded::count_turn;
use clock::Clock;
use connection::Framing;
pub use event::{Action, Event, SessionId, ShardId, SocketId, Ticket};
use event::{Entry, Mail};
use files::Files;
use identity::shard_of_user;
use jiff::tz::TimeZone;
use journal::Journal;
use kept::Gathered;
use live::{Live, NotTaken, Surroundings};
pub use load::Load;
use metrics::{Machine, Metrics, Models};
use operation::{Answer, Reply};
use operator::Called;
use origin::Origins;
pub use outbox::Outbox;
use outbox::Waking;
use quota::Ledger;
use serde_json::{Map, Value};
use sessions::Sessions;
use sign_in::SignIn;
use socket::{Flushed, Kind, Socket};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use test_status::TestStatuses;
use timers::Timers;

/// What all shards of a server share.
pub struct Settings {
    pub shards: usize,
    pub library: Arc<Library>,
    /// What a session begins on; the library has it.
    pub graph: Arc<str>,
    pub limits: Limits,
    pub files: Files,
    pub origins: Origins,
    /// How users sign in, and the API keys that count at first.
    pub sign_in: Rules,
    pub api_keys: Arc<ApiKeys>,
    /// The proxies that say where a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// What each user and address may use.
    pub quotas: Quotas,
    /// What `/health` tells beside the status.
    pub about: Map<String, Value>,
    /// The databases that a session can query, by its name.
    pub databases: Box<Databases>,
    /// The longest that a call may take.
    pub call_time: Box<CallTime>,
    pub time_zone: TimeZone,
    /// Of all shards together.
    pub sessions_max: usize,
    /// Of each shard, like the bytes below.
    pub connections_max: usize,
    pub session_bytes_max: usize,
    pub input_bytes_max: usize,
    pub output_bytes_max: usize,
    pub message_bytes_max: usize,
    /// How long a session stays that nobody uses.
    pub session_idle: Duration,
    /// How long a WebSocket's client may be silent.
    pub silence_max: Duration,
    /// How long a step of a write may take.
    pub write_time: Duration,
    /// Whose models answer, as metrics and traces name them.
    pub models: Models,
    /// The databases that metrics name.
    pub database_names: Vec<Arc<str>>,
    /// What `/metrics` shows beside what shards count.
    pub machine: Box<Observe>,
    /// Makes the ids of traces differ from those of any other server.
    pub trace_seed: u64,
    /// What is exported of turns; none: nothing.
    pub export: Option<Export>,
    /// Echoes what is sent to `/` and `/ws/echo`, so that test suites can see what was understood.
    pub conformance: bool,
    /// Whether users may have recorded calls made again; administrators always may.
    pub rerun: bool,
    /// Whether there is an audit log.
    pub audit: bool,
    /// How sessions are kept; none: they live in memory only.
    pub keeping: Option<Keeping>,
    /// Turns after which a snapshot of a session is kept.
    pub snapshot_turns: u32,
    /// Where webhooks may go; none: nowhere.
    pub outbox: Option<Outbox>,
}

pub type Databases = dyn Fn(&str) -> Vec<DatabaseInfo> + Send + Sync;
pub type CallTime = dyn Fn(&Request) -> Duration + Send + Sync;
pub type Observe = dyn Fn() -> Machine + Send + Sync;

/// What is exported of turns beside their times, counts and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// Messages too.
    pub content: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("library", &self.library.hash()).field("graph", &self.graph).finish_non_exhaustive()
    }
}

impl Settings {
    /// One shard with the default limits, no files, no databases, and the loopback names as hosts.
    pub fn new(library: Arc<Library>, graph: &str) -> Settings {
        Settings {
            shards: 1,
            library,
            graph: graph.into(),
            limits: Limits::default(),
            files: Files::new(BTreeMap::new()),
            origins: Origins::default(),
            sign_in: Rules::default(),
            api_keys: Arc::default(),
            trusted_proxies: Vec::new(),
            quotas: Quotas::default(),
            about: Map::new(),
            databases: Box::new(|_| Vec::new()),
            call_time: Box::new(|_| Duration::from_secs(600)),
            time_zone: TimeZone::UTC,
            sessions_max: bounds::SESSIONS_MAX,
            connections_max: bounds::CONNECTIONS_MAX,
            session_bytes_max: bounds::SESSION_BYTES_MAX,
            input_bytes_max: bounds::INPUT_BYTES_MAX,
            output_bytes_max: bounds::OUTPUT_BYTES_MAX,
            message_bytes_max: bounds::MESSAGE_BYTES_MAX,
            session_idle: bounds::SESSION_IDLE,
            silence_max: bounds::SILENCE_MAX,
            write_time: bounds::WRITE_TIME,
            models: Models::default(),
            database_names: Vec::new(),
            machine: Box::new(Machine::default),
            trace_seed: 0,
            export: None,
            conformance: false,
            rerun: false,
            audit: false,
            keeping: None,
            snapshot_turns: bounds::SNAPSHOT_TURNS,
            outbox: None,
        }
    }

    fn sessions_max_of_shard(&self) -> usize {
        self.sessions_max.div_ceil(self.shards)
    }
}

pub struct Shard {
    id: ShardId,
    settings: Arc<Settings>,
    /// The event loop that answers come through, as `/health` names it.
    io: Box<str>,
    /// Body of `/health` while serving.
    healthy: Vec<u8>,
    clock: Clock,
    phase: Phase,
    sockets: BTreeMap<SocketId, Socket>,
    sign_in: SignIn,
    /// Body of `/auth/config`, and what the page may do.
    auth_config: Value,
    /// Body of `/version`.
    version: Value,
    policy: String,
    sessions: Sessions,
    tests: TestStatuses,
    ledger: Ledger,
    waiting: BTreeMap<Ticket, Waiting>,
    last_ticket: Ticket,
    timers: Timers,
    /// What the audit log is to say.
    notes: Notes,
    journal: Journal,
    waking: Waking,
    metrics: Metrics,
    /// Bytes of requests and messages that have arrived in part.
    input_bytes: usize,
    /// Bytes that wait for their readers.
    output_bytes: usize,
    /// Sockets that the end of the tick looks at, and sessions whose watchers have something to see.
    touched: Vec<SocketId>,
    dirty: Vec<SessionId>,
    written: projection::Written,
    /// A sweep for unused sessions is among the timers.
    is_sweeping: bool,
    /// Recorded calls that are being made again.
    reruns: usize,
    /// When the next approval expires, and when that is looked at.
    approval_timer: Option<(Time, Moment)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Running turns may end; no new one starts.
    Draining,
    Drained,
    Stopping {
        until: Moment,
    },
    Stopped,
}

/// Who waits for another shard or a job.
struct Waiting {
    to: ReplyTo,
    due: Moment,
    /// What is answered if nothing comes by then.
    otherwise: &'static Refusal,
}

#[derive(Clone, Debug)]
enum ReplyTo {
    /// A connection of this shard.
    Socket(SocketId),
    /// A connection that wants a file of this name.
    File(SocketId, String),
    /// A connection whose request is looked at again once this was answered.
    Parked(SocketId, Box<HttpRequest>, Ask),
    /// A connection that wants the replies of all shards.
    Everywhere(SocketId, Box<Gathered>),
    /// A connection that wants to know that all shards are there, or what they have counted.
    RollCall(SocketId, Box<Called>),
    /// A connection of another shard.
    Shard(ShardId, Ticket),
    Nobody,
}

/// How much a shard holds: what its bounds bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub sockets: usize,
    pub output_bytes: usize,
    /// The same, with what is being written.
    pub unread_bytes: usize,
    pub input_bytes: usize,
    /// Sessions and places to watch one.
    pub sessions: usize,
    pub open_sessions: usize,
    pub session_bytes: usize,
    pub busy_sessions: usize,
    pub calls: usize,
    pub events: usize,
    pub watchers: usize,
    pub waiting: usize,
    /// What waits for the journal.
    pub journal: usize,
    pub timers: usize,
    /// What sockets and sessions hold of quotas, and what the ledger has counted.
    pub streams_held: usize,
    pub turns_held: usize,
    pub counted: quota::Sums,
}

impl Shard {
    /// `io` is the event loop that answers come through, as `/health` names it.
    pub fn new(id: ShardId, settings: Arc<Settings>, io: &str) -> Shard {
        let clock = Clock::new(settings.time_zone.clone());
        let sign_in = SignIn::new(settings.sign_in.clone(), settings.api_keys.clone());
        Shard {
            id,
            io: io.into(),
            healthy: routes::healthy(&settings.about, io),
            auth_config: sign_in.config(),
            ledger: Ledger::new(settings.quotas, settings.shards),
            version: operator::version(&settings.about, io),
            metrics: Metrics::new(&settings),
            policy: files::policy(settings.sign_in.issuer.as_ref().map(|issuer| &*issuer.url)),
            sign_in,
            settings,
            clock,
            phase: Phase::Serving,
            sockets: BTreeMap::new(),
            sessions: Sessions::default(),
            tests: TestStatuses::default(),
            waiting: BTreeMap::new(),
            last_ticket: Ticket::default(),
            timers: Timers::default(),
            notes: Notes::default(),
            journal: Journal::new(),
            waking: Waking::default(),
            input_bytes: 0,
            output_bytes: 0,
            touched: Vec::new(),
            dirty: Vec::new(),
            written: projection::Written::default(),
            is_sweeping: false,
            reruns: 0,
            approval_timer: None,
        }
    }

    /// The only way in which a shard changes.
    pub fn handle(&mut self, now: Now, event: Event<'_>, actions: &mut Vec<Action>) {
        self.clock.set(now);
        let before = actions.len();
        match event {
            Event::Started { run, spent } => self.ledger.resume(now, format!("{run:016x}.{}", self.id.0), &spent),
            Event::Accepted { socket, peer, door } => self.accept(socket, peer, door, actions),
            Event::Arrived { socket, attach } => self.arrive(socket, *attach, actions),
            Event::Read { socket, bytes } => self.read(socket, bytes, actions),
            Event::Ended { socket } => self.ended(socket, actions),
            Event::Moved { socket } => {
                if let Some(socket) = self.sockets.get_mut(&socket) {
                    socket.moved(now.moment);
                }
            }
            Event::Written { socket, buffer } => self.written(socket, buffer, actions),
            Event::Failed { socket } => self.drop_socket(socket, actions),
            Event::Mail(mail) => self.receive_mail(mail, actions),
            Event::Chunk { session, call, text } => self.change(session, actions, |live, around| live.chunk(around, call, text)),
            Event::Completion { session, call, usage, waited_us, outcome } => {
                self.count_usage(session, &usage, &outcome);
                self.change(session, actions, |live, around| live.completion(around, call, usage, waited_us, outcome));
            }
            Event::JobDone { ticket, outcome } => self.job_done(ticket, outcome, actions),
            Event::News(news) => self.learn(news, actions),
            Event::Durable { batch } => self.durable(batch, actions),
            Event::Loaded { key, outcome } => self.loaded(&key, outcome, actions),
            Event::Fenced { key, generation } => self.fenced(&key, generation, actions),
            Event::Wake(keys) => self.wake(keys, actions),
            Event::JournalState { broken } => self.journal_changed(broken, actions),
            Event::Reload(settings) => self.reload(settings, actions),
            Event::Drain => self.drain(actions),
            Event::Stop => self.stop(actions),
            Event::Time => {
                let due = self.timers.woken().filter(|due| *due <= self.clock.moment());
                due.into_iter().for_each(|due| self.metrics.lagged(self.clock.moment().since(due)));
                self.pass_time(actions);
            }
            Event::TickEnd => self.end_tick(actions),
        }
        for action in &actions[before..] {
            if let Action::Log(entry) = action {
                self.metrics.logged(entry);
            }
        }
    }

    pub fn sizes(&self) -> Sizes {
        let mut sizes = Sizes {
            sockets: self.sockets.len(),
            output_bytes: self.sockets.values().map(|socket| socket.out.len()).sum(),
            unread_bytes: self.output_bytes,
            input_bytes: self.input_bytes,
            open_sessions: self.sessions.open(),
            session_bytes: self.sessions.bytes(),
            waiting: self.waiting.len(),
            journal: self.journal.len(),
            timers: self.timers.len(),
            streams_held: self.sockets.values().map(|socket| socket.held.count()).sum(),
            counted: self.ledger.sums(),
            ..Sizes::default()
        };
        for live in self.sessions.iter() {
            sizes.sessions += 1;
            sizes.busy_sessions += usize::from(live.is_at_work());
            sizes.calls += live.calls();
            sizes.events += live.backlog.len();
            sizes.watchers += live.watchers.len();
            sizes.turns_held += usize::from(live.runs_for.is_some());
        }
        sizes
    }

    /// A session that is open and in memory.
    pub fn session(&self, key: &identity::Key) -> Option<&Session> {
        self.sessions.find(key).filter(|live| live.is_open).map(|live| &live.session)
    }

    fn is_draining(&self) -> bool {
        self.phase != Phase::Serving
    }

    fn receive_mail(&mut self, mail: Mail, actions: &mut Vec<Action>) {
        match mail {
            Mail::Operation { operation, from, ticket } => {
                let to = ReplyTo::Shard(from, ticket);
                match self.operate(*operation, actions) {
                    Answer::Reply(reply) => self.reply(to, reply, actions),
                    Answer::Job(job) => drop(self.start_job(to, job, actions)),
                    Answer::Later(later) => drop(self.answer_later(to, later, actions)),
                }
            }
            Mail::Reply { ticket, reply } => {
                if let Some(waiting) = self.take_waiting(ticket) {
                    match waiting.to {
                        ReplyTo::Everywhere(socket, gathered) => self.gather(ticket, socket, gathered, waiting.due, reply, actions),
                        to => self.reply(to, reply, actions),
                    }
                }
            }
            Mail::Counts { from, counts } => {
                self.ledger.hear(self.clock.now(), &counts);
                actions.push(Action::Mail { shard: from, mail: Mail::Counted });
            }
            Mail::Counted => self.ledger.confirmed(),
            Mail::RollCall { from, ticket, is_count } => {
                let metrics = is_count.then(|| Box::new(self.counted()));
                actions.push(Action::Mail { shard: from, mail: Mail::Present { ticket, metrics } });
            }
            Mail::Present { ticket, metrics } => self.present(ticket, metrics, actions),
            Mail::TestReport { sub, json } => self.show_test_report(&sub, &json),
            Mail::Report { sub, report } => match shard_of_user(&sub, self.settings.shards) {
                // What a full test status refuses, the run's results hold all the same.
                shard if shard == self.id => drop(self.report(&sub, &report, actions)),
                shard => actions.push(Action::Mail { shard, mail: Mail::Report { sub, report } }),
            },
        }
    }

    /// Changes a session, and settles what follows from the change. A session that has gone needs nothing.
    fn with_live<R>(
        &mut self,
        id: SessionId,
        actions: &mut Vec<Action>,
        change: impl FnOnce(&mut Live, &mut Surroundings<'_>) -> R,
    ) -> Option<R> {
        let live = self.sessions.get_mut(id)?;
        let (was_open, was_dirty) = (live.is_open, live.is_dirty);
        let was_idle_since = (was_open && live.is_idle()).then_some(live.last_used);
        let (now, timers, metrics) = (self.clock.now(), &mut self.timers, &mut self.metrics);
        let mut around = Surroundings { settings: &self.settings, now, timers, metrics, journal: &mut self.journal, actions };
        let result = change(live, &mut around);
        count_turn(live, &mut self.ledger, self.clock.now());
        if live.is_dirty && !was_dirty {
            self.dirty.push(id);
        }
        self.sessions.settle(id, was_idle_since, was_open);
        Some(result)
    }

    /// Has a session take something that nobody waits for an answer to.
    fn change(
        &mut self,
        id: SessionId,
        actions: &mut Vec<Action>,
        change: impl FnOnce(&mut Live, &mut Surroundings<'_>) -> Result<(), NotTaken>,
    ) {
        if let Some(Err(NotTaken::Broken)) = self.with_live(id, actions, change) {
            self.take_out(id, actions);
        }
    }

    /// A session had a bug: it goes, with its sockets and calls.
    fn take_out(&mut self, id: SessionId, actions: &mut Vec<Action>) {
        self.remove_session(id, 1011, "something broke inside this session", actions);
    }

    /// A session goes, and its sockets with this goodbye.
    fn remove_session(&mut self, id: SessionId, code: u16, reason: &'static str, actions: &mut Vec<Action>) {
        let Some(mut live) = self.sessions.remove(id) else { return };
        let (now, timers, metrics) = (self.clock.now(), &mut self.timers, &mut self.metrics);
        let mut around = Surroundings { settings: &self.settings, now, timers, metrics, journal: &mut self.journal, actions };
        live.abandon(&mut around);
        live.runs_for.take().iter().for_each(|payer| self.ledger.end_turn(payer));
        for socket in live.watchers {
            if let Some(socket) = self.sockets.get_mut(&socket) {
                socket.say_goodbye(code, reason);
            }
            self.touch(socket);
        }
    }

    fn drain(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Serving {
            self.phase = Phase::Draining;
            self.start_job(ReplyTo::Nobody, event::Job::StopTests, actions);
            self.drain_sessions(false, actions);
        }
    }

    fn stop(&mut self, actions: &mut Vec<Action>) {
        self.sum_up_audit();
        self.drain_sessions(true, actions);
        let until = self.clock.moment().after(bounds::FAREWELL_TIME);
        self.phase = Phase::Stopping { until };
        self.timers.set(self.clock.moment().after(bounds::FAREWELL_TIME / 2), timers::Timer::Farewell);
        self.timers.set(until, timers::Timer::Farewell);
    }

    /// Has no session begin what waits, and every session fail what runs if it is to be `cut`. With a journal the next server goes on
    /// with what waits, for its turn or for a person, and with what was cut off, where that is to run again.
    fn drain_sessions(&mut self, cut: bool, actions: &mut Vec<Action>) {
        for id in self.sessions.ids() {
            // One that does nothing is not touched: its journal would say that it was used.
            let Some(live) = self.sessions.get(id) else { continue };
            let keeps = live.is_recorded();
            let reruns = keeps && self.settings.keeping.is_some_and(|keeping| keeping.rerun);
            if cut && reruns && live.session.goes_on() && !live.session.is_paused() {
                self.change(id, actions, |live, around| {
                    live.abandon(around);
                    Ok(())
                });
                continue;
            }
            let goes_on = live.session.is_paused() && (!cut || keeps);
            if !goes_on && (live.session.busy() || live.calls() > 0) {
                self.change(id, actions, |live, around| live.take(around, Input::Drain { cut, keeps }).map(drop));
            }
        }
    }

    /// Has the end of the tick look at a socket.
    fn touch(&mut self, id: SocketId) {
        if let Some(socket) = self.sockets.get_mut(&id)
            && !std::mem::replace(&mut socket.is_touched, true)
        {
            self.touched.push(id);
        }
    }

    /// Writes what is new, one write for each socket.
    fn end_tick(&mut self, actions: &mut Vec<Action>) {
        self.evict_excess(actions);
        for id in std::mem::take(&mut self.dirty) {
            let Some(live) = self.sessions.get_mut(id) else { continue };
            live.is_dirty = false;
            for socket in &live.watchers {
                if let Some(socket) = self.sockets.get_mut(socket)
                    && !std::mem::replace(&mut socket.is_touched, true)
                {
                    self.touched.push(socket.id);
                }
            }
        }
        if let Phase::Stopping { until } = self.phase {
            self.say_goodbyes(until, actions);
        }
        // A socket that becomes a stream is looked at once more.
        while !self.touched.is_empty() {
            for id in std::mem::take(&mut self.touched) {
                self.finish(id, actions);
            }
        }
        self.cut_slow_readers(actions);
        self.written.reset();
        self.write_audit(actions);
        self.write_journal(actions);
        self.tell_counts(actions);
        match self.phase {
            Phase::Draining if !self.sessions.any_busy() && !self.journal.is_waiting() => {
                self.phase = Phase::Drained;
                actions.push(Action::Drained);
            }
            Phase::Stopping { until } if self.sockets.is_empty() || self.clock.moment() >= until => {
                let left: Vec<SocketId> = self.sockets.keys().copied().collect();
                left.into_iter().for_each(|id| self.drop_socket(id, actions));
                self.write_audit(actions);
                self.phase = Phase::Stopped;
                return actions.push(Action::Stopped);
            }
            Phase::Serving | Phase::Draining | Phase::Drained | Phase::Stopping { .. } | Phase::Stopped => {}
        }
        if self.sessions.open() > 0 && !self.is_sweeping {
            self.is_sweeping = true;
            self.timers.set(self.clock.moment().after((self.settings.session_idle / 1000).max(bounds::SWEEP_MIN)), timers::Timer::Sweep);
        }
        self.time_approvals();
        actions.extend(self.timers.announce().map(Action::WakeAt));
    }

    /// Orders a socket's write and read of this tick.
    fn finish(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        self.show(id);
        if self.sockets.get(&id).is_some_and(|socket| socket.is_closing() && socket.is_quiet()) {
            self.stop_showing(id, actions);
        }
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        match socket.flush(self.clock.moment(), actions) {
            Flushed::Stays => {
                socket.schedule(&self.settings, &mut self.timers);
                self.count_output(id);
            }
            Flushed::Closed => self.forget_socket(id, actions),
            Flushed::Leaves => self.leave(id, actions),
        }
    }

    /// Lets go of a socket at once.
    fn drop_socket(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        if self.sockets.contains_key(&id) {
            actions.push(Action::Close { socket: id });
            self.forget_socket(id, actions);
        }
    }

    /// A socket has gone.
    fn forget_socket(&mut self, id: SocketId, actions: &mut Vec<Action>) {
        let Some(mut socket) = self.sockets.remove(&id) else { return };
        socket.unschedule(&mut self.timers);
        self.input_bytes -= socket.counted_input;
        self.ledger.close_stream(std::mem::take(&mut socket.held));
        self.output_bytes -= socket.counted_output;
        self.journal.arrives_no_more(id);
        match socket.kind {
            Kind::Stream(stream) => self.detach(id, &stream, actions),
            Kind::Http(connection) => {
                if let Some((_, Framing { audit: Some(record), .. })) = connection.pending {
                    self.note_unanswered(*record);
                }
            }
            Kind::Leaving(..) | Kind::Lingering { .. } => {}
        }
    }

    fn evict_excess(&mut self, actions: &mut Vec<Action>) {
        for live in self.sessions.evict_excess(&self.settings) {
            actions.push(Action::Log(evicted(&live)));
        }
    }

    fn reply(&mut self, to: ReplyTo, reply: Reply, actions: &mut Vec<Action>) {
        match to {
            ReplyTo::Socket(socket)
            | ReplyTo::File(socket, _)
            | ReplyTo::Parked(socket, ..)
            | ReplyTo::Everywhere(socket, _)
            | ReplyTo::RollCall(socket, _) => self.answer(socket, &reply, actions),
            ReplyTo::Shard(shard, ticket) => actions.push(Action::Mail { shard, mail: Mail::Reply { ticket, reply } }),
            ReplyTo::Nobody => {}
        }
    }
}

/// A session had to make room for others.
fn evicted(live: &Live) -> Entry {
    let detail = format!("session {} was evicted to make room; it was unused and unwatched", live.hashed());
    Entry::Limit { code: "session_evicted", detail }
}

/// Bytes as lower-case hex digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
