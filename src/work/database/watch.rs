//! Ends connections whose time is up: a server that won't stop can't keep a worker.
//!
//! One thread for all, asleep until the next deadline. Whoever works on a connection holds a [`Guard`]; as long as it does,
//! the descriptor is that connection's, and shutting it down wakes whoever reads from it.

use nix::sys::socket::{Shutdown, shutdown};
use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

/// A connection's socket, until it is let go.
#[derive(Clone)]
pub(super) struct Socket(Arc<Mutex<Option<RawFd>>>);

impl Socket {
    pub(super) fn new(descriptor: RawFd) -> Self {
        Socket(Arc::new(Mutex::new(Some(descriptor))))
    }

    /// Ends what is read from it. It stays open: its owner closes it.
    pub(super) fn shut(&self) {
        if let Some(descriptor) = *self.0.lock().expect("nothing panics while it holds this lock") {
            let _ = shutdown(descriptor, Shutdown::Both);
        }
    }

    /// From now on the descriptor is nobody's.
    fn forget(&self) {
        *self.0.lock().expect("nothing panics while it holds this lock") = None;
    }
}

/// While it lives, the socket is shut down at its deadline.
pub(super) struct Guard {
    key: (Instant, u64),
    socket: Socket,
}

pub(super) fn guard(socket: Socket, due: Instant) -> Guard {
    let watch = watch();
    let mut state = watch.state();
    state.ever += 1;
    let key = (due, state.ever);
    state.due.insert(key, socket.clone());
    drop(state);
    watch.changed.notify_one();
    Guard { key, socket }
}

impl Drop for Guard {
    fn drop(&mut self) {
        watch().state().due.remove(&self.key);
        self.socket.forget();
    }
}

#[derive(Default)]
struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    ever: u64,
    due: BTreeMap<(Instant, u64), Socket>,
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    fn run(&self) {
        let mut state = self.state();
        loop {
            let now = Instant::now();
            while let Some(entry) = state.due.first_entry().filter(|entry| entry.key().0 <= now) {
                entry.remove().shut();
            }
            let next = state.due.keys().next().map(|(due, _)| *due);
            state = match next {
                Some(due) => self.changed.wait_timeout(state, due - now).expect("nothing panics while it holds this lock").0,
                None => self.changed.wait(state).expect("nothing panics while it holds this lock"),
            };
        }
    }
}

fn watch() -> &'static Watch {
    static WATCH: OnceLock<&'static Watch> = OnceLock::new();
    WATCH.get_or_init(|| {
        let watch: &'static Watch = Box::leak(Box::default());
        let born = std::thread::Builder::new().name("database watch".to_owned()).stack_size(64 << 10).spawn(|| watch.run());
        // Without it the sockets' own time-outs remain.
        drop(born);
        watch
    })
}
