//! Every limit of the shell, with what happens when it is reached.

use std::time::Duration;

/// A request's head. Beyond: `431`, closed.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// A request's body. Beyond: `413`, closed.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// A message on a WebSocket. Beyond: closed with 1009.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Connections of one shard. Beyond: `503`, closed.
pub(super) const CONNECTIONS_MAX: usize = 16 << 10;
/// From a request's first byte to the end of its head. Beyond: closed.
pub(super) const HEAD_TIME: Duration = Duration::from_secs(10);
/// Between two requests of a connection. Beyond: closed.
pub const IDLE_TIME: Duration = Duration::from_secs(75);
/// A body may take this long, and a second more for each so many bytes that have come. Beyond: closed.
pub(super) const BODY_TIME: Duration = Duration::from_secs(10);
pub(super) const BODY_BYTES_PER_SECOND_MIN: usize = 1 << 10;
/// Between two steps of an answer that is being sent. Beyond: closed.
pub(super) const WRITE_TIME: Duration = Duration::from_secs(30);
/// What is still read of a request that was refused, and for how long, so that its sender sees the answer.
pub(super) const LINGER_BYTES_MAX: usize = 2 << 20;
pub(super) const LINGER_TIME: Duration = Duration::from_secs(2);
/// How long accepting rests when the process has no descriptor left.
pub(super) const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Bytes that are put together for one write to a socket. What comes meanwhile waits in its session's log.
pub(super) const WRITE_BYTES: usize = 128 << 10;
/// Bytes that the system may hold for a connection whose peer does not read.
pub(super) const SYSTEM_SEND_BYTES: usize = 128 << 10;
/// Bytes beside the log (test reports, refusals, pongs) that may wait for a socket. Beyond: closed with 1013.
pub(super) const BESIDE_BYTES_MAX: usize = 1 << 20;
/// A WebSocket is asked in each third of this time whether it is there; whoever is silent for all of it is given up, and so is
/// any connection whose peer confirms nothing that was sent.
pub const SILENCE_MAX: Duration = Duration::from_secs(90);
/// An event stream gets a comment this often.
pub const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// Sessions in memory, of all shards. Beyond: `503`.
pub(super) const SESSIONS_MAX: usize = 10_000;
/// A session without watchers leaves after this long.
pub(super) const SESSION_IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// Events that a session keeps beyond those of the running turn and the one before. Beyond: the oldest leave.
pub(super) const EVENTS_KEPT: usize = 200;
/// Events that a session keeps at all. Beyond: the oldest leave, and who resumes from there is told of a gap.
pub(super) const EVENTS_MAX: usize = 100_000;
/// Lines that `/api/trace` shows.
pub(super) const TRACE_LINES_MAX: usize = 500;

/// What workers may have put into a shard's mailbox. Beyond: they wait.
pub(super) const MAIL_MAX: usize = 1024;
/// Bytes of text in them. Beyond: they wait.
pub(super) const MAIL_BYTES_MAX: usize = 4 << 20;
/// Jobs that wait for the helper thread. Beyond: refused with `unavailable`.
pub(super) const JOBS_MAX: usize = 64;
/// How long a start waits for an address that another program holds, maybe one that has just ended.
pub(super) const BIND_TIME: Duration = Duration::from_secs(2);
pub(super) const BIND_REST: Duration = Duration::from_millis(20);
/// How often a failing accept is logged.
pub(super) const ACCEPT_LOG_EVERY: Duration = Duration::from_secs(10);
/// Ticks that may follow one another at once. Beyond: the shard rests, so that the loop looks at its sockets.
pub(super) const TICKS_WITHOUT_REST_MAX: u32 = 4;
pub(super) const REST: Duration = Duration::from_micros(100);
/// How much longer than its worker a shard waits for a call, before it ends the call itself.
pub(super) const CALL_GRACE: Duration = Duration::from_secs(1);

/// Results of one test run that are kept, and their bytes of JSON. Beyond: `503` until the next run begins.
pub(super) const TEST_RESULTS_MAX: usize = 5_000;
pub(super) const TEST_BYTES_MAX: usize = 16 << 20;
/// Bytes of results that are passed on with each report. Beyond: without the list of results.
pub(super) const REPORT_BYTES_MAX: usize = 64 << 10;
/// Users whose test status is kept, on one shard. Beyond: the oldest leaves.
pub(super) const BOARDS_MAX: usize = 100;
/// The file with the last test results. Beyond: as if it were not there.
pub(super) const RESULTS_FILE_BYTES_MAX: u64 = 4 << 20;

/// How long running turns may go on when the server is told to stop, unless set otherwise. Beyond: they end with an error.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How long the last words to sockets may take after that.
pub(super) const FAREWELL_TIME: Duration = Duration::from_millis(500);
/// How often a shard looks at its clock when nothing happens.
pub(super) const BEAT: Duration = Duration::from_millis(250);
