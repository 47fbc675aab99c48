//! One call on its worker: what it may say while it runs, how it is stopped, and how it ends.

use crate::contract::{Answer, CallError, ModelRequest, Usage};
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
}

impl Cancel {
    pub fn cancel(&self) {
        let mut state = self.state();
        state.is_cancelled = true;
        let interrupt = state.interrupt.take();
        drop(state);
        self.changed.notify_all();
        if let Some(interrupt) = interrupt {
            interrupt();
        }
    }

    pub fn is_cancelled(&self) -> bool {
        self.state().is_cancelled
    }

    /// Does `work`, which `interrupt` ends from another thread if the call is cancelled meanwhile; `None` if it was already.
    pub fn interruptible<T>(&self, interrupt: impl FnOnce() + Send + 'static, work: impl FnOnce() -> T) -> Option<T> {
        let mut state = self.state();
        if state.is_cancelled {
            return None;
        }
        state.interrupt = Some(Box::new(interrupt));
        drop(state);
        let done = work();
        self.state().interrupt = None;
        Some(done)
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
