//! Every limit of a shard, with what happens when it is reached. Those that are settings have their default here.

use std::time::Duration;

/// Turns of a shard whose end a webhook waits for. Beyond: `503`, `webhooks_full`.
pub(super) const WEBHOOKS_AWAITED_MAX: usize = 1_000;
/// Sessions that a shard loads at once because a webhook waits for them. Beyond: one after another.
pub(super) const WAKING_MAX: usize = 4;

/// A request's head. Beyond: `431`, closed.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// A request's body. Beyond: `413`, closed.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// A frame or message on a WebSocket. Beyond: closed with 1009, and so is a message whose frames take more than twice that.
pub(super) const FRAME_BYTES_MAX: usize = 1 << 20;
/// The same on `/ws/echo`, in conformance tests: the largest messages of the Autobahn suite.
pub(super) const ECHO_BYTES_MAX: usize = 16 << 20;
/// A client message, whichever way it comes. Beyond: refused, and the socket stays open.
pub const MESSAGE_BYTES_MAX: usize = 256 << 10;
/// Bytes of requests and messages that have arrived in part, of all connections of a shard. Beyond: `503`, closed.
pub const INPUT_BYTES_MAX: usize = 256 << 20;

/// Connections of one shard. Beyond: `503`, closed.
pub const CONNECTIONS_MAX: usize = 16 << 10;
/// Connections of `--metrics-listen`, in addition to those: clients can't keep out probes and scrapes. Beyond: `503`, closed.
pub(super) const METRICS_CONNECTIONS_MAX: usize = 64;
/// From a request's first byte to the end of its head. Beyond: closed.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// Between two requests of a connection. Beyond: closed.
pub const IDLE_TIME: Duration = Duration::from_secs(75);
/// A body, or a message on a WebSocket, may take this long, and a second more for each so many bytes that have come. Beyond:
/// `408`, or closed with 1008.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);
pub(super) const BODY_BYTES_PER_SECOND_MIN: usize = 1 << 10;
/// Between two steps of an answer that is being sent. Beyond: closed.
pub const WRITE_TIME: Duration = Duration::from_secs(30);
/// All of it may take that long, and a second more for each so many of its bytes. Beyond: closed.
pub(super) const WRITE_BYTES_PER_SECOND_MIN: usize = 1 << 10;
/// Bytes that wait for their readers, of all connections of a shard. Beyond: the reader is cut whose write has been under way
/// longest, unless it holds few.
pub const OUTPUT_BYTES_MAX: usize = 256 << 20;
/// What a connection may always hold, of a request or of an answer, however full its shard is.
pub(super) const SMALL_BYTES: usize = 16 << 10;
/// What is still read and dropped of a client that was refused, and for how long, so that it can read why: closing over
/// unread input would reset the connection and take the answer with it. Beyond: cut.
pub(super) const LINGER_BYTES_MAX: usize = 64 << 20;
pub(super) const LINGER_TIME: Duration = Duration::from_secs(2);
/// How long a request waits for another shard. Beyond: `503`.
pub(super) const FORWARD_TIME: Duration = Duration::from_secs(5);
/// How long a probe or a scrape waits for all shards. Beyond: `503`.
pub(super) const ROLL_CALL_TIME: Duration = Duration::from_secs(2);
/// How long a request waits for a job. Beyond: `503`.
pub(super) const JOB_TIME: Duration = Duration::from_secs(30);
/// The same for the checks of `doctor`, which call the issuer, the model's server and the databases.
pub(super) const DOCTOR_TIME: Duration = Duration::from_secs(120);
/// The same for a recorded call that is made again, and how many of those a shard makes at once. Beyond: `503`.
pub(super) const RERUN_TIME: Duration = Duration::from_secs(600);
pub(super) const RERUNS_MAX: usize = 4;

/// Verified tokens, and users whose name was asked for, that a shard remembers. Beyond: those that expire first leave, and are
/// verified or asked for again.
pub(super) const TOKENS_MAX: usize = 10_000;
pub(super) const NAMES_MAX: usize = 10_000;
/// How long a name counts that the issuer's userinfo gave; a tenth of it, that it gave none.
pub(super) const NAMES_TIME: Duration = Duration::from_secs(10 * 60);
/// How long a request waits for the issuer's keys. Beyond: `503` or `401`. For a name: half of it; beyond, without one.
pub(super) const PARKED_TIME: Duration = Duration::from_secs(5);
/// Requests of a shard that wait for them, and their bytes. Beyond: `503`.
pub(super) const PARKED_MAX: usize = 256;
pub(super) const PARKED_BYTES_MAX: usize = 16 << 20;

/// How long a request waits for the journal: for its session to be loaded, or for what it did to be kept. Beyond: `503`; what it did
/// may be kept all the same.
pub(super) const JOURNAL_TIME: Duration = Duration::from_secs(4);
/// Requests and sockets of a shard that wait for sessions to be loaded. Beyond: `503`.
pub(super) const LOADING_MAX: usize = 4_096;
/// A snapshot is kept after so many turns, or so many bytes of records, whichever comes first. A load plays at most about twice as
/// much again.
pub const SNAPSHOT_TURNS: u32 = 16;
pub(super) const SNAPSHOT_BYTES: usize = 512 << 10;

/// Rows of one page of a list, and those that a client gets that names no number.
pub(super) const PAGE_MAX: usize = 200;
pub(super) const PAGE: usize = 50;
/// Sessions that one list may name. Beyond: `400`.
pub(super) const NAMED_SESSIONS_MAX: usize = 200;
/// Characters of a title and of a comment, as a client sends them. Beyond: `400`. A longer title than a store keeps is cut there.
pub(super) const TITLE_CHARS_MAX: usize = 1_000;
pub(super) const COMMENT_CHARS_MAX: usize = 2_000;
/// Questions and answers of one page of a history, in bytes. Beyond: the page is shorter, with at least one turn.
pub(super) const HISTORY_BYTES_MAX: usize = 8 << 20;
/// Questions and answers of one exported session, in bytes. Beyond: the older turns are left out, and the export says so.
pub const EXPORT_BYTES_MAX: usize = 32 << 20;
/// What a session takes in the journal that is played again for a request, to fork it or to write a test; a larger one is refused.
pub const PLAYED_BYTES_MAX: u64 = 16 << 20;

/// Sign-ins that a shard remembers, so that each is noted once in the audit log. Beyond: those that expire first are forgotten, and
/// may be noted again.
pub(super) const AUDIT_SEEN_MAX: usize = 10_000;
/// Refused attempts that a shard notes one by one in each such time. Beyond: counted, and noted in one line at its end.
pub(super) const AUDIT_REFUSED_MAX: u32 = 30;
pub(super) const AUDIT_WINDOW: Duration = Duration::from_secs(60);
/// Users and addresses that a shard counts one by one, in some 200 bytes each. Beyond: someone leaves who is as good as new;
/// where nobody is, newcomers share one count.
pub(super) const LEDGER_MAX: usize = 64 << 10;
/// When to try again whose streams or turns at once are used up.
pub(super) const STREAMS_RETRY: Duration = Duration::from_secs(5);
/// How often the log says that someone reached a bound.
pub(super) const LOG_EVERY: Duration = Duration::from_secs(60);

/// Bytes that are put together for one write to a socket. What comes meanwhile waits in its session's log.
pub(super) const WRITE_BYTES: usize = 128 << 10;
/// Bytes beside the log (test reports, refusals, pongs) that may wait for a socket. Beyond: closed with 1013.
pub(super) const BESIDE_BYTES_MAX: usize = 1 << 20;
/// Answers to messages sent again that wait until a socket has caught up. Beyond: closed with 1013.
pub(super) const LATER_MAX: usize = 64;
/// A WebSocket is pinged in each third of this time; a client that is silent for all of it is dropped, and so is
/// any connection whose peer confirms nothing that was sent.
pub const SILENCE_MAX: Duration = Duration::from_secs(90);
/// An event stream gets a comment this often.
pub const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// Sessions in memory, of all shards. Beyond: the one unused longest leaves, if it has no running turn and no watcher;
/// where none can leave, `503`.
pub const SESSIONS_MAX: usize = 10_000;
/// Bytes of all sessions of a shard: histories, traces, kept events. Beyond: as above.
pub const SESSION_BYTES_MAX: usize = 512 << 20;
/// A session without watchers leaves after this long.
pub const SESSION_IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// The same where there is a journal, from which it comes back.
pub const SESSION_IDLE_KEPT: Duration = Duration::from_secs(10 * 60);
/// How often sessions are looked for that leave so: a thousand times in that time, but not more often than this.
pub(super) const SWEEP_MIN: Duration = Duration::from_millis(20);
/// Events that a session keeps beyond those of the running turn and the one before. Beyond: the oldest leave.
pub(super) const EVENTS_KEPT: usize = 200;
/// Events that a session keeps at all. Beyond: the oldest leave, and a client that resumes from there learns of a gap.
pub(super) const EVENTS_MAX: usize = 100_000;
/// Lines that `/api/trace` shows.
pub(super) const TRACE_LINES_MAX: usize = 500;

/// How much longer than its worker a shard waits for a call, before it ends the call itself.
pub(super) const CALL_GRACE: Duration = Duration::from_secs(1);

/// How often an approval is looked at that waits: the wall clock, by which it expires, may jump.
pub(super) const APPROVALS_EVERY: Duration = Duration::from_secs(60);

/// Results of one test run that are kept, and their bytes of JSON. Beyond: `503` until the next run begins.
pub(super) const TEST_RESULTS_MAX: usize = 5_000;
pub(super) const TEST_BYTES_MAX: usize = 16 << 20;
/// Bytes of results that are passed on with each report. Beyond: without the list of results.
pub(super) const REPORT_BYTES_MAX: usize = 64 << 10;
/// Users whose test status is kept, on one shard. Beyond: the oldest leaves.
pub(super) const TEST_STATUS_MAX: usize = 100;

/// How long the last words to sockets may take after that.
pub const FAREWELL_TIME: Duration = Duration::from_millis(500);
