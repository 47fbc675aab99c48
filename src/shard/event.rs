//! What happens to a shard, and what it wants done: the whole boundary between the rules and the machine.
//!
//! The driver turns completions of the event loop into [`Event`]s and carries [`Action`]s out, in order, without deciding
//! anything. Per tick it calls [`Shard::handle`](super::Shard::handle) for everything that has arrived and then once with
//! [`Event::TickEnd`], which is when output is written: one write per socket and tick.
//!
//! Contract of a socket, from [`Event::Accepted`] or [`Event::Arrived`] to [`Action::Close`] or [`Action::HandOver`]:
//! - at most one read is under way, started by [`Action::Read`] and ended by exactly one [`Event::Read`] or [`Event::Ended`];
//! - at most one write is under way, started by [`Action::Write`] and ended by exactly one [`Event::Written`] or
//!   [`Event::Failed`], with any number of [`Event::Moved`] before;
//! - a read and a write may be under way at the same time;
//! - [`Action::Close`] may come while either is under way: the driver cancels both and reports nothing more of this socket;
//! - [`Action::HandOver`] and [`Action::Shutdown`] come only while no write is under way; `HandOver` only while no read is.

use super::Settings;
use super::address::Address;
pub use super::audit::Record;
use super::identity::{Key, User};
pub use super::ids::{SessionId, ShardId, SocketId, Ticket};
use super::journal_job::Sent;
use super::metrics::Metrics;
pub use super::operation::Job;
use super::operation::{Operation, Reply};
use super::quota::{Counts, Subject};
pub use super::rerun::{Again, Wanted};
pub use super::restore::Found;
use crate::auth::{Ask, News, Peer, Rules};
use crate::contract::journal::{Append, Delivery, Name, SpentOn};
use crate::contract::{
    Answer, CallError, CallId, Caller, Finished, Moment, Refusal, Request, TraceId, TraceParent, TurnDetail, TurnId, Usage,
};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What happens to a shard.
#[derive(Debug)]
pub enum Event<'a> {
    /// The server has started, and its journal says what was spent of budgets. Comes before anything else, where there is a journal.
    /// `run` is unique to this start.
    Started { run: u64, spent: Arc<[SpentOn]> },
    /// A client has connected.
    Accepted { socket: SocketId, peer: Peer, door: Door },
    /// A socket comes over from another shard, between two reads and before anything of its stream's head was sent.
    Arrived { socket: SocketId, attach: Box<Attach> },
    /// A read has brought bytes; never none.
    Read { socket: SocketId, bytes: &'a [u8] },
    /// A read has ended without bytes: the peer sends nothing more, or the connection broke.
    Ended { socket: SocketId },
    /// Some of the write under way has gone out, and there is more of it.
    Moved { socket: SocketId },
    /// All of the write under way has gone out. Its buffer comes back to be used again.
    Written { socket: SocketId, buffer: Vec<u8> },
    /// The write under way has failed: nothing can be sent any more.
    Failed { socket: SocketId },
    /// Another shard sends something.
    Mail(Mail),
    /// A running call has more text.
    Chunk { session: SessionId, call: CallId, text: String },
    /// A call has ended. Comes once for each [`Action::Call`], also after a cancel, unless the session has gone.
    Completion { session: SessionId, call: CallId, usage: Usage, waited_us: u64, outcome: Result<Answer, CallError> },
    /// A job has ended.
    JobDone { ticket: Ticket, outcome: JobOutcome },
    /// The issuer, or the file of API keys, has something new.
    News(News),
    /// All appends up to this batch are safe. Batches come in order, and some may be skipped.
    Durable { batch: u64 },
    /// A load has ended. Comes once for each [`Action::Load`].
    Loaded { key: Key, outcome: Result<Found, Refusal> },
    /// Another server has loaded a session since this one did, under this generation: what was appended of it since is not kept. Comes
    /// before the batches are reported that had it.
    Fenced { key: Key, generation: u32 },
    /// Load these sessions of this shard, unless they are there: a webhook waits for the end of a turn of theirs.
    Wake(Vec<Key>),
    /// The journal can't be written now, for this reason, or can be again. What was handed to it is still kept as soon as that is
    /// possible.
    JournalState { broken: Option<Refusal> },
    /// Files and settings were loaded again. Turns that run keep the graph that they began with, and nobody is disconnected. The
    /// number of shards and the listen address are the same as before.
    Reload(Arc<Settings>),
    /// Start no new turn; report [`Action::Drained`] when the last one has ended.
    Drain,
    /// End what still runs, say goodbye to every socket, and report [`Action::Stopped`].
    Stop,
    /// The moment that [`Action::WakeAt`] named has come. May come late, and may come without having been asked for.
    Time,
    /// Everything that has arrived is handled: show watchers what is new and write.
    TickEnd,
}

/// What a shard wants done, in this order.
#[derive(Debug)]
pub enum Action {
    /// Read once, at most so many bytes.
    Read { socket: SocketId, bytes_max: usize },
    /// Write all of it.
    Write { socket: SocketId, bytes: Vec<u8> },
    /// Send nothing more on this socket; reading goes on.
    Shutdown { socket: SocketId },
    /// Cancel what is under way and let go of the socket.
    Close { socket: SocketId },
    /// Give the socket to another shard, where it comes as [`Event::Arrived`].
    HandOver { socket: SocketId, shard: ShardId, attach: Box<Attach> },
    /// Send something to another shard; never to this one.
    Mail { shard: ShardId, mail: Mail },
    /// Start a call. Where the pool refuses it, that is its completion. `owner` is the session's name as tapes know it, `trace` what
    /// the call says of its span.
    Call { session: SessionId, call: CallId, owner: Arc<str>, request: Arc<Request>, trace: Option<TraceParent> },
    /// End a call early. Its completion still comes.
    CancelCall { session: SessionId, call: CallId },
    /// Do something that may block, on another thread.
    Job { ticket: Ticket, job: Job },
    /// Keep this, in order and durably, as a whole: [`Event::Durable`] follows.
    Append { batch: u64, appends: Vec<Append> },
    /// Load a session from the journal; [`Event::Loaded`] follows.
    Load { key: Key },
    /// Deliver this to its webhook. Only where there is no journal, which else hands it over when it is durable.
    Deliver(Box<Delivery>),
    /// Deliver nothing more of a user's session, or of all of theirs. Only where there is no journal.
    Recall { user: Arc<str>, session: Option<Arc<str>> },
    /// Ask the issuer; [`Event::News`] answers.
    Ask(Ask),
    /// Come back with [`Event::Time`] at this moment. Replaces the moment named before.
    WakeAt(Moment),
    /// Write a line to the log.
    Log(Entry),
    /// Write a line to the audit log.
    Audit(Box<Record>),
    /// Export a turn, or a call behind one, to the collector of traces.
    Export(Box<Finished>),
    /// The last turn has ended; comes once after [`Event::Drain`].
    Drained,
    /// Nothing is left to do; comes once after [`Event::Stop`]. Nothing follows.
    Stopped,
}

/// What shards send one another.
#[derive(Debug)]
pub enum Mail {
    /// A request whose session lives on the receiving shard.
    Operation { operation: Box<Operation>, from: ShardId, ticket: Ticket },
    /// Its answer.
    Reply { ticket: Ticket, reply: Reply },
    /// Say that you are there, and what you have counted if that is wanted.
    RollCall { from: ShardId, ticket: Ticket, is_count: bool },
    /// The answer.
    Present { ticket: Ticket, metrics: Option<Box<Metrics>> },
    /// A test report of a user, for the event streams there.
    TestReport { sub: Arc<str>, json: Arc<[u8]> },
    /// A report of test suites that this server runs itself; any shard takes it to the user's.
    Report { sub: Arc<str>, report: Map<String, Value> },
    /// What a shard has counted of users and addresses since its last one. It sends no other until all shards have confirmed it.
    Counts { from: ShardId, counts: Arc<[(Subject, Counts)]> },
    /// Confirms the last of them.
    Counted,
}

/// Where a connection came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Door {
    #[default]
    Main,
    /// For metrics and probes alone.
    Metrics,
}

/// What a socket shows once it is no longer an HTTP connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Show {
    /// `/ws`
    Chat,
    /// `/ws/trace`
    Trace,
    /// `/ws/test`
    Tests,
    /// `/api/events`
    Events,
    /// `/api/events?turn=msg_7`
    Turn(TurnId),
    /// `/ws/echo`, in conformance tests
    Echo,
}

impl Show {
    /// Whether it shows a session.
    pub fn is_of_session(self) -> bool {
        matches!(self, Show::Chat | Show::Trace | Show::Events | Show::Turn(_))
    }
}

/// What an HTTP connection becomes, carried to the shard where it will live.
#[derive(Debug)]
pub struct Attach {
    pub show: Show,
    pub key: Key,
    pub user: User,
    pub caller: Caller,
    /// Where it comes from, if that is known and counted.
    pub address: Option<Address>,
    /// The rules that let an administrator see another's data; none for one's own. They may change on the way.
    pub admitted_by: Option<Arc<Rules>>,
    /// The last event that the client has seen.
    pub since: Option<u64>,
    /// `101`, or the head of an event stream; not yet sent.
    pub head: Vec<u8>,
    /// What was read behind the request.
    pub leftover: Vec<u8>,
}

#[derive(Debug)]
pub enum JobOutcome {
    /// A file's bytes; none if there is no such file.
    File(Option<Vec<u8>>),
    Reply(Reply),
    /// A file of that media type and name to be saved.
    Document {
        kind: &'static str,
        name: String,
        body: Vec<u8>,
    },
    /// What came of a call that was made again.
    Called {
        again: Box<Again>,
        waited_us: u64,
        usage: Usage,
        outcome: Result<Answer, CallError>,
    },
    /// The turn of a call that is to be made again, as the journal keeps it.
    Recorded {
        wanted: Box<Wanted>,
        kept: Result<Box<TurnDetail>, Refusal>,
    },
    /// A session was forked and is kept.
    Forked(Box<Forked>),
}

/// The new session, and the message that it gets now.
#[derive(Debug)]
pub struct Forked {
    pub to: Name,
    pub turn: TurnId,
    pub message: Option<Box<Sent>>,
}

/// A line of the log, without message contents, keys or tokens.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A turn has ended.
    Turn {
        id: String,
        /// A hash of user and session: the same session is recognizable, nobody is named.
        session: Arc<str>,
        graph: Arc<str>,
        path: String,
        frames: usize,
        total_us: u64,
        /// From the turn's start to its first visible text.
        first_token_us: Option<u64>,
        usage: Usage,
        /// `done`, `error` or `cancelled`.
        outcome: &'static str,
        /// Which nodes took their default route, and why; no message is quoted.
        degraded: Option<String>,
        trace_id: Option<TraceId>,
    },
    /// A session panicked and was dropped.
    Panic { session: Arc<str> },
    /// A session was loaded, and this record of its journal led to other events than when it was written.
    Differs { session: Arc<str>, record: u64 },
    /// Something reached its limit and was refused, closed or evicted.
    Limit { code: &'static str, detail: String },
    /// A connection was refused before it said anything, or because of what it said.
    Refused { code: &'static str, detail: String },
}
