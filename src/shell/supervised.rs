//! Servers and a supervisor that listens to them: a real datagram socket, and loops that turn or are stuck.

use super::driver::Machine;
use super::served::{PATIENCE, eventually, settings};
use super::server::start;
use super::{Ended, Settings, Supervisor};
use crate::contract::Now;
use crate::shard::event::{Action, Event, ShardId};
use std::ffi::{OsStr, OsString};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::spawn;
use std::time::{Duration, Instant};

const WATCHDOG: Duration = Duration::from_millis(300);

/// What a supervisor hears.
struct Heard {
    socket: UnixDatagram,
    name: OsString,
    _folder: Option<tempfile::TempDir>,
}

impl Heard {
    fn on_a_file() -> Heard {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        Heard { socket: UnixDatagram::bind(&path).unwrap(), name: path.into(), _folder: Some(folder) }
    }

    fn without_a_file() -> Heard {
        let name = format!("framewright-supervised-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Heard { socket, name: format!("@{name}").into(), _folder: None }
    }

    fn supervisor(&self, watchdog: Option<Duration>) -> Supervisor {
        Supervisor::at(&self.name, watchdog).unwrap()
    }

    /// The next message, if one comes by then.
    fn next(&self, patience: Duration) -> Option<String> {
        let mut bytes = [0; 1024];
        self.socket.set_read_timeout(Some(patience)).unwrap();
        self.socket.recv(&mut bytes).ok().map(|count| String::from_utf8(bytes[..count].to_vec()).unwrap())
    }

    /// Everything up to the message with this line.
    fn until(&self, line: &str) -> Vec<String> {
        let mut all = Vec::new();
        while !all.last().is_some_and(|message: &String| message.lines().any(|own| own == line)) {
            all.push(self.next(PATIENCE).unwrap_or_else(|| panic!("`{line}` comes: {all:?}")));
        }
        all
    }
}

/// The second shard's loop stands still for as long as a test says.
struct Sticky {
    number: ShardId,
    is_to_stick: Arc<AtomicBool>,
    is_stuck: Arc<AtomicBool>,
}

impl Machine for Sticky {
    fn handle(&mut self, _now: Now, event: Event<'_>, actions: &mut Vec<Action>) {
        match event {
            Event::Drain => actions.push(Action::Drained),
            Event::Stop => actions.push(Action::Stopped),
            Event::TickEnd if self.number == ShardId(1) => {
                while self.is_to_stick.load(Ordering::Relaxed) {
                    self.is_stuck.store(true, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn the_watchdog_is_fed_only_while_every_loop_turns() {
    for heard in [Heard::on_a_file(), Heard::without_a_file()] {
        let (is_to_stick, is_stuck) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let machine = {
            let (is_to_stick, is_stuck) = (is_to_stick.clone(), is_stuck.clone());
            move |number, _| Sticky { number, is_to_stick: is_to_stick.clone(), is_stuck: is_stuck.clone() }
        };
        let supervisor = heard.supervisor(Some(WATCHDOG));
        let server = start(Settings { supervisor, drain_time: Duration::from_secs(7), ..settings() }, None, machine).unwrap();
        assert_eq!(heard.next(Duration::from_millis(50)), None, "nobody waits for it yet");
        let stopper = server.stopper();
        let ended = spawn(|| server.wait());
        assert_eq!(heard.until("READY=1"), ["READY=1\nSTATUS=Serving\n"]);
        heard.until("WATCHDOG=1");
        heard.until("WATCHDOG=1");
        is_to_stick.store(true, Ordering::Relaxed);
        eventually("the loop to be stuck", || is_stuck.load(Ordering::Relaxed).then_some(()));
        // It may have answered just before; then nothing comes, however long that is.
        let begun = Instant::now();
        let fed = std::iter::from_fn(|| heard.next((6 * WATCHDOG).saturating_sub(begun.elapsed()).max(Duration::from_millis(1))));
        assert!(fed.filter(|message| message == "WATCHDOG=1\n").count() <= 1);
        is_to_stick.store(false, Ordering::Relaxed);
        heard.until("WATCHDOG=1");
        heard.until("WATCHDOG=1");
        stopper.stop();
        let last = heard.until("STOPPING=1").pop().unwrap();
        let extended = last.lines().find_map(|line| line.strip_prefix("EXTEND_TIMEOUT_USEC=")).unwrap();
        assert_eq!(extended.parse(), Ok(19_000_000), "the drain, the goodbyes, webhooks, the journal, the audit log and traces");
        assert_eq!(ended.join().unwrap(), Ended::Quietly);
    }
}

#[test]
fn without_a_watchdog_it_is_not_fed_and_without_a_supervisor_nothing_is_sent() {
    let heard = Heard::on_a_file();
    let supervisor = heard.supervisor(None);
    supervisor.alive();
    supervisor.status("well");
    assert_eq!(heard.next(PATIENCE).as_deref(), Some("STATUS=well\n"));
    assert_eq!(Supervisor::default().while_reloading(|| 7), 7);
    assert!(Supervisor::at(OsStr::new("/nowhere/notify"), None).is_err());
}

#[test]
fn a_reload_is_announced_with_its_time_and_its_end() {
    let heard = Heard::on_a_file();
    let before = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic).tv_sec;
    let outcome = heard.supervisor(None).while_reloading(|| heard.next(PATIENCE).unwrap());
    let us = outcome.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
    assert!(us.parse::<i64>().unwrap() / 1_000_000 >= before, "{us}");
    assert_eq!(heard.next(PATIENCE).as_deref(), Some("READY=1\n"));
}
