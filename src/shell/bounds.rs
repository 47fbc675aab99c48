//! The limits of the machine side of the server, with what happens when each is reached. The rules have theirs in
//! `shard/bounds.rs`.

use std::time::Duration;

/// How long accepting rests when the process has no descriptor left.
pub(super) const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How often a failing accept is logged.
pub(super) const ACCEPT_LOG_EVERY: Duration = Duration::from_secs(10);
/// Bytes that the system may hold for a connection whose peer does not read.
pub(super) const SYSTEM_SEND_BYTES: usize = 128 << 10;
/// What workers may have put into a shard's mailbox. Beyond: they wait.
pub(super) const MAIL_MAX: usize = 1024;
/// Bytes of text in them. Beyond: they wait.
pub(super) const MAIL_BYTES_MAX: usize = 4 << 20;
/// Jobs that wait for the helper thread. Beyond: refused with `unavailable`.
pub(super) const JOBS_MAX: usize = 64;
/// The file with the last test results. Beyond: as if it were not there.
pub(super) const RESULTS_FILE_BYTES_MAX: u64 = 4 << 20;
/// How long a start waits for an address that another program holds, maybe one that has just ended.
pub(super) const BIND_TIME: Duration = Duration::from_secs(2);
pub(super) const BIND_REST: Duration = Duration::from_millis(20);
/// Connections that wait to be accepted, on each socket that listens. Beyond: the kernel has clients try again, or refuses them.
pub(super) const BACKLOG: i32 = 1024;
/// How often every shard's loop is asked whether it turns, where a supervisor wants to know; more often where its watchdog is quick.
pub(super) const PULSE_EVERY: Duration = Duration::from_secs(10);
/// How long a message to the supervisor may wait. Beyond: dropped.
pub(super) const NOTIFY_TIME: Duration = Duration::from_secs(1);
/// Permissions of the file of a Unix socket, unless set otherwise.
pub(super) const SOCKET_MODE: u32 = 0o660;
/// Ticks that may follow one another at once. Beyond: the shard rests, so that the loop looks at its sockets.
pub(super) const TICKS_WITHOUT_REST_MAX: u32 = 4;
pub(super) const REST: Duration = Duration::from_micros(100);
/// How long the end of the server waits for traces that are yet to be exported. Beyond: they are lost.
pub(super) const FLUSH_TIME: Duration = Duration::from_secs(3);
/// How long running turns may go on when the server is told to stop, unless set otherwise. Beyond: they end with an error.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(10);
