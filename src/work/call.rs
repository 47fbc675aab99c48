//! One call on its worker: what it may say while it runs, how it is stopped, and how it ends.

use crate::contract::{Answer, CallError, ModelRequest, TraceParent, Usage};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Answers one request at a time, on one worker's thread. What it keeps between two requests (a connection) is its own.
pub trait Model: Send {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> Ended;
}

/// How a call ended. Tokens are used up whatever the outcome.
#[derive(Debug)]
pub struct Ended {
    pub usage: Usage,
    pub outcome: Result<Answer, CallError>,
}

impl From<CallError> for Ended {
    fn from(error: CallError) -> Self {
        Ended { usage: Usage::default(), outcome: Err(error) }
    }
}

/// A call while it runs.
pub struct Call<'a> {
    pub cancel: &'a Cancel,
    /// When it must have ended.
    pub due: Instant,
    /// What it says of its span in a distributed trace.
    pub trace: Option<TraceParent>,
    pub(super) say: &'a mut dyn FnMut(&str),
}

impl Call<'_> {
    /// A piece of text, for whoever watches. Nobody hears a call that was cancelled.
    pub fn say(&mut self, text: &str) {
        if !text.is_empty() && !self.cancel.is_cancelled() {
            (self.say)(text);
        }
    }
}

/// Stops a call from another thread.
#[derive(Default)]
pub struct Cancel {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_cancelled: bool,
    /// Ends what the worker waits for.
    interrupt: Option<Box<dyn FnOnce() + Send>>,
    /// An interrupt is running, so what it interrupts must not be used for anything else yet.
    is_interrupting: bool,
}

/// Ends a running interrupt, also if it panics.
struct Interrupting<'a>(&'a Cancel);

impl Drop for Interrupting<'_> {
    fn drop(&mut self) {
        self.0.state().is_interrupting = false;
        self.0.changed.notify_all();
    }
}

/// Disarms the interrupt when the work is done, also if it panics, and waits for one that is running.
struct Interruptible<'a>(&'a Cancel);

impl Drop for Interruptible<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.interrupt = None;
        drop(self.0.changed.wait_while(state, |state| state.is_interrupting));
    }
}

impl Cancel {
    pub fn cancel(&self) {
        let mut state = self.state();
        state.is_cancelled = true;
        let interrupt = state.interrupt.take();
        state.is_interrupting |= interrupt.is_some();
        drop(state);
        self.changed.notify_all();
        if let Some(interrupt) = interrupt {
            let _interrupting = Interrupting(self);
            interrupt();
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.state().is_cancelled
    }

    /// Does `work`, which `interrupt` ends from another thread if the call is cancelled meanwhile; `None` if it was already.
    /// The interrupt never runs after this returns: a pooled connection can be handed to the next call.
    pub fn interruptible<T>(&self, interrupt: impl FnOnce() + Send + 'static, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.state();
        if state.is_cancelled {
            return None;
        }
        state.interrupt = Some(Box::new(interrupt));
        drop(state);
        let _interruptible = Interruptible(self);
        Some(work())
    }

    /// Waits; `false` as soon as the call is cancelled.
    pub fn pause(&self, time: Duration) -> bool {
        let waiting = self.changed.wait_timeout_while(self.state(), time, |state| !state.is_cancelled);
        !waiting.expect("nothing panics while it holds this lock").0.is_cancelled
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    #[test]
    fn an_interrupt_never_runs_after_the_work_it_belongs_to() {
        for panics in [false, true] {
            let cancel = Arc::new(Cancel::default());
            let (interrupting, begins) = channel();
            let (done, returned) = channel();
            let (tell, was_late) = channel();
            let interrupt = move || {
                interrupting.send(()).unwrap();
                // Long enough for the worker to go on with the next call, if nothing holds it back.
                tell.send(returned.recv_timeout(Duration::from_millis(200)).is_ok()).unwrap();
            };
            let worker = {
                let cancel = cancel.clone();
                std::thread::spawn(move || {
                    let work = || {
                        begins.recv().unwrap();
                        assert!(!panics, "the work panics while its interrupt runs");
                    };
                    let run = std::panic::AssertUnwindSafe(|| cancel.interruptible(interrupt, work));
                    let ended = std::panic::catch_unwind(run);
                    let _ = done.send(());
                    ended.is_err()
                })
            };
            while cancel.state().interrupt.is_none() {
                std::thread::yield_now();
            }
            cancel.cancel();
            assert!(!was_late.recv().unwrap(), "the worker went on while the interrupt was running");
            assert_eq!(worker.join().unwrap(), panics);
            assert!(cancel.interruptible(|| (), || ()).is_none(), "a cancelled call starts nothing more");
        }
    }
}
