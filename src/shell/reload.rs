//! Reloading: files and settings are read again while the server runs, on SIGHUP or when `framewright reload` asks for it.
//!
//! [`Reloading::reload`] is the one place where a reload begins and ends. Whoever starts the server hands in what reads and
//! checks the files ([`Reloads`]); what is wrong changes nothing.

use super::audit::Audit;
use super::control;
use super::journal::Journal;
use super::mailbox::{Letter, Mailbox};
use super::server::Notice;
use super::supervisor::Supervisor;
use crate::contract::{Listen, Time};
use crate::shard;
use crate::shard::audit::{Outcome, Record};
use crate::shard::origin::Origins;
use signal_hook::consts::SIGHUP;
use std::fmt;
use std::io::{self, IsTerminal, Read};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a reload waits for the shards to take what is new.
const SHARDS_TIME: Duration = Duration::from_secs(10);

/// What a reload has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reloaded {
    /// Settings, graphs and keys that count from now on.
    pub changed: Vec<String>,
    /// Settings that were changed and need a restart.
    pub waiting: Vec<String>,
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changed.is_empty() {
            true => f.write_str("reloaded: nothing has changed")?,
            false => write!(f, "reloaded: {}", self.changed.join(", "))?,
        }
        match self.waiting.is_empty() {
            true => Ok(()),
            false => write!(f, "\nneeds a restart: {}", self.waiting.join(", ")),
        }
    }
}

/// Has the server run on new rules, and give turns so long at its end.
pub type Apply<'a> = dyn FnMut(shard::Settings, Duration) + 'a;

/// Reads the files and settings of a server again.
pub trait Reloads: Send {
    /// Checks everything first, then applies all of it.
    ///
    /// # Errors
    /// With a sentence that names the file and line, if anything is wrong: then nothing has changed.
    fn reload(&mut self, apply: &mut Apply<'_>) -> Result<Reloaded, String>;
}

/// Who asked for a reload.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    Signal,
    /// The user of the system who ran `framewright reload`.
    Command {
        uid: u32,
    },
}

#[derive(Clone)]
pub(super) struct Reloading(Arc<Shared>);

struct Shared {
    /// Held for as long as a reload takes, so there is one at a time.
    reloads: Mutex<Box<dyn Reloads>>,
    /// The addresses that it listens on.
    listen: Vec<IpAddr>,
    mailboxes: Arc<[Arc<Mailbox>]>,
    drain_ms: Arc<AtomicU64>,
    audit: Option<Audit>,
    journal: Option<Journal>,
    supervisor: Supervisor,
}

impl Reloading {
    pub(super) fn new(
        reloads: Box<dyn Reloads>,
        places: &[Listen],
        mailboxes: Arc<[Arc<Mailbox>]>,
        drain_ms: Arc<AtomicU64>,
        audit: Option<Audit>,
        journal: Option<Journal>,
        supervisor: Supervisor,
    ) -> Self {
        let listen = places.iter().filter_map(Listen::tcp).map(|address| address.ip()).collect();
        Reloading(Arc::new(Shared { reloads: Mutex::new(reloads), listen, mailboxes, drain_ms, audit, journal, supervisor }))
    }

    /// Reloads: a reload begins and ends here, and the supervisor hears of both.
    pub(super) fn reload(&self, by: By) -> Result<Reloaded, String> {
        let mut reloads = self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        // Also when the files are wrong: the audit log may have been moved away.
        self.0.audit.iter().for_each(Audit::reopen);
        let reload = || reloads.reload(&mut |rules, drain_time| self.apply(rules, drain_time));
        let outcome = self.0.supervisor.while_reloading(|| catch_unwind(AssertUnwindSafe(reload)));
        let outcome =
            outcome.unwrap_or_else(|_| Err("the reload broke off because of a bug: see the log, and restart the server".to_owned()));
        match &outcome {
            Ok(Reloaded { changed, waiting }) => {
                tracing::info!(by = %by, changed = changed.join(", "), needs_restart = waiting.join(", "), "reloaded");
            }
            Err(why) => tracing::error!(by = %by, why, "the reload was refused and nothing has changed"),
        }
        self.0.audit.iter().for_each(|audit| audit.write(noted(by, &outcome)));
        outcome
    }

    /// Hands new rules to every shard, and waits until each has taken them.
    fn apply(&self, rules: shard::Settings, drain_time: Duration) {
        let Shared { listen, mailboxes, drain_ms, .. } = &*self.0;
        drain_ms.store(drain_time.as_millis() as u64, Ordering::Relaxed);
        let origins = Origins { listen: listen.clone(), ..rules.origins };
        let keeping = rules.keeping.filter(|_| self.0.journal.is_some());
        let rules = Arc::new(shard::Settings { shards: mailboxes.len(), origins, audit: self.0.audit.is_some(), keeping, ..rules });
        // Before a session runs on it.
        self.0.journal.iter().for_each(|journal| journal.learn(rules.library.clone()));
        let (done, taken) = channel();
        // A shard that has ended takes nothing.
        let asked = mailboxes.iter().filter(|mailbox| mailbox.put(Letter::Reload { rules: rules.clone(), done: done.clone() }).is_none());
        let asked = asked.count();
        drop(done);
        let late = (0..asked).filter(|_| taken.recv_timeout(SHARDS_TIME).is_err()).count();
        if late > 0 {
            tracing::warn!(late, "shards are busy and will take what was reloaded later");
        }
    }
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Signal => f.write_str("SIGHUP"),
            By::Command { uid } => write!(f, "uid:{uid}"),
        }
    }
}

fn noted(by: By, outcome: &Result<Reloaded, String>) -> Record {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(Time(0), |since| Time(crate::contract::micros(since)));
    let (how, detail) = match outcome {
        Ok(reloaded) => (Outcome::Done, Some(reloaded.changed.join(", ")).filter(|changed| !changed.is_empty())),
        Err(_) => (Outcome::Refused, None),
    };
    Record { who: Some(by.to_string().into()), detail, ..Record::new(at, "reload", how) }
}

/// Reloads on SIGHUP and on request, for as long as the process lives.
pub(super) fn listen(reloading: &Reloading, names: Vec<Listen>, notify: Sender<Notice>) -> io::Result<()> {
    let (mut received, sends) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGHUP, sends)?;
    let was_on_terminal = is_on_terminal();
    let own = reloading.clone();
    let reload = move || {
        // Signals that come while one is dealt with are one more reload.
        let mut signals = [0; 64];
        while received.read(&mut signals).is_ok_and(|count| count > 0) {
            if was_on_terminal && !is_on_terminal() {
                // The terminal was closed: whoever started the server there means it to end.
                if notify.send(Notice::Signal).is_err() {
                    return;
                }
            } else {
                // It has been logged.
                let _ = own.reload(By::Signal);
            }
        }
    };
    thread::Builder::new().name("reload".to_owned()).spawn(reload)?;
    for place in names {
        if let Err(error) = control::listen(&place, reloading.clone()) {
            tracing::warn!(%error, "`framewright reload` will not find this server at {place}; SIGHUP reloads it");
        }
    }
    Ok(())
}

fn is_on_terminal() -> bool {
    io::stderr().is_terminal() || io::stdin().is_terminal()
}
