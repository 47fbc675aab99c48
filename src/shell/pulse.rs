//! Whether every shard's loop turns: each is asked now and then, and only when all have answered is the watchdog fed.
//!
//! A loop that is stuck answers nothing, so the supervisor hears nothing either and restarts the server.

use super::bounds::PULSE_EVERY;
use super::mailbox::{Letter, Mailbox};
use super::supervisor::Supervisor;
use crate::contract::counted;
use crate::shard::Load;
use crate::shard::event::ShardId;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) struct Pulse {
    supervisor: Supervisor,
    every: Duration,
    next: Instant,
    /// What each shard has answered since it was asked.
    loads: Vec<Option<Load>>,
    is_ending: bool,
    /// The status that was sent last.
    status: String,
}

impl Pulse {
    pub(super) fn new(supervisor: Supervisor, shards: usize, now: Instant) -> Pulse {
        // Twice in the time would do; a third leaves room for one that is late.
        let every = supervisor.watchdog().map_or(PULSE_EVERY, |watchdog| PULSE_EVERY.min(watchdog / 3));
        Pulse { supervisor, every, next: now, loads: vec![Some(Load::default()); shards], is_ending: false, status: String::new() }
    }

    /// When the shards are to be asked again; never where nobody wants to know.
    pub(super) fn due(&self) -> Option<Instant> {
        self.supervisor.is_there().then_some(self.next)
    }

    /// Asks every shard, unless one still owes an answer: then its letter is still on its way.
    pub(super) fn ask(&mut self, mailboxes: &[Arc<Mailbox>], now: Instant) {
        self.next = now + self.every;
        if self.loads.iter().all(Option::is_some) {
            self.loads.fill(None);
            mailboxes.iter().for_each(|mailbox| drop(mailbox.put(Letter::Turn)));
        }
    }

    /// A shard's loop has turned.
    pub(super) fn turned(&mut self, shard: ShardId, load: Load) {
        self.loads[shard.0] = Some(load);
        let Some(load) = self.loads.iter().copied().try_fold(Load::default(), |sum, load| Some(sum + load?)) else { return };
        self.supervisor.alive();
        let status = status(load, self.is_ending);
        if status != self.status {
            self.supervisor.status(&status);
            self.status = status;
        }
    }

    pub(super) fn end(&mut self) {
        self.is_ending = true;
    }
}

fn status(load: Load, is_ending: bool) -> String {
    let Load { clients, turns, sessions } = load;
    let clients = counted(clients, "client", "clients");
    let turns = counted(turns, "running turn", "running turns");
    let sessions = counted(sessions, "session", "sessions");
    if is_ending { format!("Shutting down: {turns}, {clients}") } else { format!("Serving {clients}: {turns}, {sessions}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[test]
    fn a_shard_that_owes_an_answer_is_not_asked_again() {
        let name = format!("framewright-pulse-{}", std::process::id());
        let _supervisor = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let supervisor = Supervisor::at(OsStr::new(&format!("@{name}")), Some(Duration::from_secs(3))).unwrap();
        let (now, mailboxes) = (Instant::now(), [Arc::new(Mailbox::default()), Arc::new(Mailbox::default())]);
        let mut pulse = Pulse::new(supervisor, 2, now);
        let asked = |pulse: &mut Pulse| {
            pulse.ask(&mailboxes, now);
            mailboxes.each_ref().map(|mailbox| mailbox.take().len())
        };
        assert_eq!(asked(&mut pulse), [1, 1]);
        pulse.turned(ShardId(0), Load::default());
        assert_eq!(asked(&mut pulse), [0, 0], "letters to a shard that is stuck would gather");
        pulse.turned(ShardId(1), Load::default());
        assert_eq!(asked(&mut pulse), [1, 1]);
        assert_eq!(pulse.due(), Some(now + Duration::from_secs(1)));
    }

    #[test]
    fn the_status_counts_what_there_is() {
        let load = Load { clients: 1, turns: 0, sessions: 12 };
        assert_eq!(status(load, false), "Serving 1 client: 0 running turns, 12 sessions");
        assert_eq!(status(load + Load { clients: 2, turns: 1, sessions: 0 }, true), "Shutting down: 1 running turn, 3 clients");
    }
}
