//! The audit log: JSON lines, appended to a file that only this user may read.
//!
//! Nobody waits for it: a line goes into a bounded queue, and one thread writes it. A line that can't be taken or written is
//! an error in the log, is counted, and the next line that is written says how many are missing.

use crate::shard::audit::{Outcome, Record, SIGN_IN, known_until};
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that may wait to be written. Beyond: lost, and counted.
const LINES_MAX: usize = 4_096;
/// Sign-ins that are remembered, so that two shards don't note the same. Beyond: forgotten, and may be noted twice.
const SEEN_MAX: usize = 10_000;
/// How long the end of the program waits for the last lines.
pub(super) const FLUSH_TIME_MAX: Duration = Duration::from_secs(2);
/// Between two tries to have a full queue flushed.
const FLUSH_REST: Duration = Duration::from_millis(10);

/// Why there is no audit log.
#[derive(Debug, thiserror::Error)]
#[error("{}: the audit log can't be written ({error}); name a file in a folder that this user may write into with --audit", path.display())]
pub struct AuditError {
    path: PathBuf,
    error: io::Error,
}

/// Writes lines on a thread of its own, which ends with it.
#[derive(Clone)]
pub struct Audit {
    to: SyncSender<Message>,
    loss: Arc<Loss>,
}

/// Lines that are missing, and whether that was said.
#[derive(Default)]
struct Loss {
    lines: AtomicU64,
    is_said: AtomicBool,
}

enum Message {
    Record(Box<Record>),
    /// The file was moved away: go on in a new one.
    Reopen,
    Flush(SyncSender<()>),
}

impl Audit {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// When it can't be written, or the system refuses a thread.
    pub fn start(path: &Path) -> Result<Audit, AuditError> {
        let file = open(path)?;
        let (to, messages) = sync_channel(LINES_MAX);
        let audit = Audit { to, loss: Arc::default() };
        let mut writer = Writer { path: path.to_owned(), file, is_torn: false, seen: Seen::default(), loss: audit.loss.clone() };
        let work = move || writer.work(&messages);
        let born = thread::Builder::new().name("audit".to_owned()).spawn(work);
        born.map(|_| audit).map_err(|error| AuditError { path: path.to_owned(), error })
    }

    pub fn write(&self, record: Record) {
        self.write_boxed(Box::new(record));
    }

    pub(super) fn write_boxed(&self, record: Box<Record>) {
        if self.to.try_send(Message::Record(record)).is_err() {
            self.loss.add(1, "it can't be written fast enough");
        }
    }

    /// Goes on in a file of the same name, once what waits is written.
    pub(super) fn reopen(&self) {
        if self.to.try_send(Message::Reopen).is_err() {
            tracing::error!("the audit log is too busy to be opened again: reload once more");
        }
    }

    /// Waits for what was noted so far, for a bounded time.
    pub(super) fn flush(&self) {
        if !self.is_flushed(FLUSH_TIME_MAX) {
            tracing::error!("the audit log could not be written to its end in time: its last lines may be lost");
        }
    }

    fn is_flushed(&self, time_max: Duration) -> bool {
        let until = Instant::now() + time_max;
        let (to, done) = sync_channel(1);
        let mut message = Message::Flush(to);
        loop {
            match self.to.try_send(message) {
                Ok(()) => return done.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok(),
                Err(TrySendError::Full(again)) if Instant::now() < until => message = again,
                Err(_) => return false,
            }
            thread::sleep(FLUSH_REST);
        }
    }
}

/// Appends one line, for a command that has changed something.
pub fn append(path: &Path, record: &Record) -> Result<(), AuditError> {
    let wrong = |error| AuditError { path: path.to_owned(), error };
    open(path)?.write_all(&line(record, 0)).map_err(wrong)
}

/// Opens the audit log for appending; a new one can be read by this user alone.
pub fn open(path: &Path) -> Result<File, AuditError> {
    let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    opened.map_err(|error| AuditError { path: path.to_owned(), error })
}

impl Loss {
    fn add(&self, lines: u64, why: &str) {
        let lost = self.lines.fetch_add(lines, Ordering::Relaxed) + lines;
        if !self.is_said.swap(true, Ordering::Relaxed) {
            tracing::error!(lost, why, "lines of the audit log are lost; the next one that is written says how many");
        }
    }
}

struct Writer {
    path: PathBuf,
    file: File,
    /// The last line broke off in its middle.
    is_torn: bool,
    seen: Seen,
    loss: Arc<Loss>,
}

impl Writer {
    fn work(&mut self, messages: &Receiver<Message>) {
        while let Ok(message) = messages.recv() {
            match message {
                Message::Record(record) if self.seen.knows(&record) => {}
                Message::Record(record) => self.write(&record),
                Message::Reopen => match open(&self.path) {
                    Ok(file) => (self.file, self.is_torn) = (file, false),
                    Err(error) => tracing::error!(%error, "the audit log goes on in the file that it had"),
                },
                Message::Flush(done) => drop(done.try_send(())),
            }
        }
    }

    fn write(&mut self, record: &Record) {
        let lost = self.loss.lines.swap(0, Ordering::Relaxed);
        let mut bytes = line(record, lost);
        if self.is_torn {
            bytes.insert(0, b'\n');
        }
        match self.append(&bytes) {
            Ok(()) => {
                self.is_torn = false;
                self.loss.is_said.store(false, Ordering::Relaxed);
            }
            Err(error) => self.loss.add(lost + 1, &error.to_string()),
        }
    }

    fn append(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.is_torn = true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Sign-ins that another shard has noted already, each with when it is forgotten, in seconds since the epoch.
#[derive(Default)]
struct Seen(BTreeMap<(Option<Arc<str>>, Option<u64>), u64>);

impl Seen {
    fn knows(&mut self, record: &Record) -> bool {
        if record.what != SIGN_IN || record.outcome != Outcome::Done {
            return false;
        }
        let (key, now_s) = ((record.who.clone(), record.expires_s), record.at.0 / 1_000_000);
        if self.0.get(&key).is_some_and(|until| now_s < *until) {
            return true;
        }
        if self.0.len() >= SEEN_MAX {
            self.0.retain(|_, until| now_s < *until);
        }
        if self.0.len() >= SEEN_MAX {
            self.0.clear();
        }
        self.0.insert(key, known_until(record.expires_s, now_s));
        false
    }
}

/// A line of JSON with its end.
fn line(record: &Record, lost: u64) -> Vec<u8> {
    #[derive(Serialize)]
    struct Line<'a> {
        time: String,
        what: &'static str,
        outcome: &'static str,
        who: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        by: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        session: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expires: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        count: Option<u64>,
        /// Lines that are missing before this one.
        #[serde(skip_serializing_if = "Option::is_none")]
        lost: Option<u64>,
    }
    let Record { at, what: _, who, from, outcome, status, code, user, session, by, expires_s, detail, count } = record;
    let time = |us: i64| Timestamp::from_microsecond(us).map_or_else(|_| us.to_string(), |time| time.to_string());
    let mut bytes = serde_json::to_vec(&Line {
        time: time(i64::try_from(at.0).unwrap_or(i64::MAX)),
        what: record.what,
        outcome: outcome.name(),
        who: who.as_deref(),
        by: *by,
        from: from.map(|from| from.to_string()),
        user: user.as_deref(),
        session: session.as_deref(),
        detail: detail.as_deref(),
        status: *status,
        code: *code,
        expires: expires_s.map(|seconds| time(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000))),
        count: *count,
        lost: (lost > 0).then_some(lost),
    })
    .expect("it has nothing that JSON has not");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::LEEWAY_S;
    use crate::contract::Time;
    use crate::shard::address::Address;
    use crate::shard::audit::KNOWN_S;
    use serde_json::{Value, json};
    use std::io::Read;
    use std::net::IpAddr;
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::PermissionsExt;

    const AT: Time = Time(1_763_668_166_000_001);

    fn record(what: &'static str) -> Record {
        Record { who: Some("ada".into()), ..Record::new(AT, what, Outcome::Done) }
    }

    fn lines(path: &Path) -> Vec<Value> {
        std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_says_when_who_what_and_how_it_went() {
        let said: Value = serde_json::from_slice(&line(&record("clear"), 0)).unwrap();
        assert_eq!(said, json!({"time": "2025-11-20T19:49:26.000001Z", "what": "clear", "outcome": "done", "who": "ada"}));
        let full = Record {
            from: Some(Address::of("::ffff:10.0.0.1".parse::<IpAddr>().unwrap())),
            expires_s: Some(1_763_668_200),
            count: Some(3),
            ..Record::new(AT, SIGN_IN, Outcome::Refused)
        };
        let said: Value = serde_json::from_slice(&line(&full, 7)).unwrap();
        let expected = json!({
            "time": "2025-11-20T19:49:26.000001Z", "what": "sign_in", "outcome": "refused", "who": null, "from": "10.0.0.1",
            "expires": "2025-11-20T19:50:00Z", "count": 3, "lost": 7,
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn appends_to_a_file_of_this_user_alone_and_goes_on_in_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (path, moved) = (folder.path().join("audit.log"), folder.path().join("audit.log.1"));
        append(&path, &record("key_create")).unwrap();
        let audit = Audit::start(&path).unwrap();
        audit.write(record("clear"));
        audit.flush();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::rename(&path, &moved).unwrap();
        audit.write(record("switch_graph"));
        audit.reopen();
        audit.write(record("delete_data"));
        audit.flush();
        let what = |path: &Path| lines(path).iter().map(|line| line["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ");
        assert_eq!((what(&moved).as_str(), what(&path).as_str()), ("key_create clear switch_graph", "delete_data"));
        assert!(Audit::start(&folder.path().join("none/audit.log")).is_err_and(|error| error.to_string().contains("--audit")));
    }

    #[test]
    fn a_sign_in_that_two_shards_note_is_one_line_until_it_has_expired() {
        let mut seen = Seen::default();
        let signed_in = |who: &str, at_s: u64, expires_s| Record {
            who: Some(who.into()),
            expires_s,
            ..Record::new(Time(at_s * 1_000_000), SIGN_IN, Outcome::Done)
        };
        for (record, is_known) in [
            (signed_in("ada", 100, Some(200)), false),
            (signed_in("ada", 199, Some(200)), true),
            (signed_in("ada", 200 + LEEWAY_S - 1, Some(200)), true),
            (signed_in("ada", 200 + LEEWAY_S, Some(200)), false),
            (signed_in("ada", 100, Some(300)), false),
            (signed_in("eve", 100, Some(200)), false),
            (signed_in("key:ci", 100, None), false),
            (signed_in("key:ci", 100 + KNOWN_S - 1, None), true),
            (signed_in("key:ci", 100 + KNOWN_S, None), false),
        ] {
            assert_eq!(seen.knows(&record), is_known, "{record:?}");
        }
        let refused = Record { outcome: Outcome::Refused, ..signed_in("ada", 100, None) };
        assert!(!seen.knows(&refused) && !seen.knows(&refused), "each refusal counts");
        let known = (0..30_000).filter(|user: &u32| seen.knows(&signed_in(&user.to_string(), 100, None))).count();
        assert_eq!(known, 0);
        assert!(seen.0.len() <= SEEN_MAX, "{}", seen.0.len());
    }

    #[test]
    fn lost_lines_are_counted_and_the_next_line_says_how_many() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        std::os::unix::fs::symlink("/dev/full", &path).unwrap();
        let audit = Audit::start(&path).unwrap();
        (0..3).for_each(|_| audit.write(record("clear")));
        audit.flush();
        assert_eq!(audit.loss.lines.load(Ordering::Relaxed), 3);
        std::fs::remove_file(&path).unwrap();
        audit.reopen();
        audit.write(record("delete_data"));
        audit.write(record("clear"));
        audit.flush();
        let said: Vec<Value> = lines(&path).iter().map(|line| line["lost"].clone()).collect();
        assert_eq!(said, [json!(3), Value::Null]);
        // A queue that is full loses lines as well.
        let (to, _messages) = sync_channel(2);
        let audit = Audit { to, loss: Arc::default() };
        (0..5).for_each(|_| audit.write(record("clear")));
        assert_eq!(audit.loss.lines.load(Ordering::Relaxed), 3);
        assert!(!audit.is_flushed(Duration::from_millis(30)), "nobody takes anything out of it");
    }

    #[test]
    fn a_line_that_broke_off_ends_before_the_next_one() {
        let (mut reads, writes) = io::pipe().unwrap();
        rustix::fs::fcntl_setfl(&writes, rustix::fs::OFlags::NONBLOCK).unwrap();
        let file = File::from(OwnedFd::from(writes));
        let mut writer = Writer { path: PathBuf::new(), file, is_torn: false, seen: Seen::default(), loss: Arc::default() };
        // More than a pipe takes at once.
        writer.write(&Record { detail: Some("x".repeat(1 << 20)), ..record("clear") });
        let mut torn = vec![0; 2 << 20];
        let count = reads.read(&mut torn).unwrap();
        assert!(torn[..count].starts_with(b"{\"time\"") && torn[..count].ends_with(b"xxx"));
        writer.write(&record("clear"));
        drop(writer);
        let mut next = String::new();
        reads.read_to_string(&mut next).unwrap();
        let line: Value = serde_json::from_str(next.strip_prefix('\n').expect("the torn line ends first")).unwrap();
        assert_eq!(line["lost"], 1);
    }

    #[test]
    fn a_flush_waits_for_room_in_a_full_queue() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.log");
        let (to, messages) = sync_channel(2);
        let audit = Audit { to, loss: Arc::default() };
        (0..2).for_each(|_| audit.write(record("clear")));
        let file = open(&path).unwrap();
        let mut writer = Writer { path: path.clone(), file, is_torn: false, seen: Seen::default(), loss: audit.loss.clone() };
        let late = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            writer.work(&messages);
        });
        assert!(audit.is_flushed(Duration::from_secs(30)));
        assert_eq!(lines(&path).len(), 2);
        drop(audit);
        late.join().unwrap();
    }
}
