//! One session of the server under test: a message goes out over the chat socket, as from a browser, and everything that a
//! client can see of its turn comes back.

use crate::client::{Address, CallTrouble, Conversation, ConversationError, Done, Kind, Refused, Resumed, Update, is_transient};
use crate::suite::{Names, Seen};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The next step may go well.
    Step(String),
    /// The server is gone, or refuses us for good.
    Gone(String),
}

impl From<ConversationError> for Trouble {
    fn from(error: ConversationError) -> Trouble {
        Trouble::Gone(error.to_string())
    }
}

pub(super) struct Session {
    address: Address,
    /// Of a turn.
    timeout: Duration,
    /// Set from elsewhere: every wait ends.
    stop: Arc<AtomicBool>,
    conversation: Conversation,
}

/// A turn that has ended.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) id: String,
    answer: String,
    progress: String,
    /// Why it failed.
    pub(super) error: Option<String>,
    /// What the chat socket showed of it, as recordings keep it.
    pub(super) received: Vec<Value>,
}

/// How long a call over HTTP is repeated.
const AWAY_MAX: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(1);
/// How long a turn's trace may take to become visible.
const AFTER_TIME: Duration = Duration::from_secs(30);

impl Session {
    pub(super) fn new(address: Address, timeout: Duration, stop: Arc<AtomicBool>) -> Session {
        Session { conversation: Conversation::new(address.clone()), address, timeout, stop }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Reads or posts, and repeats what fails for a moment.
    pub(super) fn call(&self, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        self.repeated(|| self.address.call(path, body))
    }

    fn repeated<T>(&self, call: impl Fn() -> Result<T, CallTrouble>) -> Result<T, Trouble> {
        let (begun, mut rest) = (Instant::now(), REST);
        loop {
            let trouble = match call() {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            if !trouble.is_transient() || self.is_stopped() || begun.elapsed() > AWAY_MAX.min(self.timeout) {
                return Err(match trouble {
                    CallTrouble::Refused { status: 401, detail, .. } => Trouble::Gone(format!("{detail} (401)")),
                    CallTrouble::Refused { status, detail, .. } => Trouble::Step(format!("{detail} ({status})")),
                    CallTrouble::Unreachable { .. } | CallTrouble::Unreadable => Trouble::Gone(trouble.to_string()),
                });
            }
            thread::sleep(rest);
            rest = REST_MAX.min(rest * 2);
        }
    }

    /// Sends a message or an action and waits for the end of its turn. One that fails is stopped, so that the next finds the
    /// session idle.
    pub(super) fn turn(&mut self, message: &Value) -> Result<(Turn, Seen), Trouble> {
        let begun = Instant::now();
        let turn = self.exchange(message, begun + self.timeout).inspect_err(|_| self.conversation.abandon())?;
        let time_ms = begun.elapsed().as_secs_f64() * 1000.0;
        let seen = self.seen(&turn, time_ms)?;
        Ok((turn, seen))
    }

    fn exchange(&mut self, message: &Value, until: Instant) -> Result<Turn, Trouble> {
        let (mut turn, mut own, mut send_at) = (Turn::default(), String::new(), Some(Instant::now()));
        loop {
            let now = Instant::now();
            if self.is_stopped() {
                return Err(Trouble::Step("the run was stopped".to_owned()));
            }
            if now >= until && !self.conversation.is_connected() {
                return Err(self.conversation.away().into());
            }
            if now >= until {
                let time_ms = self.timeout.as_millis();
                return Err(Trouble::Step(format!("the turn did not end within {time_ms} ms: allow more with --timeout-ms")));
            }
            if send_at.take_if(|at| *at <= now).is_some() {
                own = self.conversation.send(message.clone()).map_err(|error| Trouble::Step(error.to_string()))?;
            }
            let Some(update) = self.conversation.receive()? else { continue };
            turn.received.extend(shown(&update, &own));
            match update {
                Update::Text { client_id, kind, content, .. } if client_id.as_ref() == Some(&own) => match kind {
                    None => turn.answer += &content,
                    Some(Kind::Progress) => turn.progress += &content,
                },
                Update::Retold { client_id, content, .. } if client_id.as_ref() == Some(&own) => turn.answer = content,
                Update::Done(done) if done.client_id.as_ref() == Some(&own) => return self.done(turn, done),
                Update::Refused(Refused { code, error, .. }) => {
                    if !code.is_some_and(is_transient) || now + REST_MAX >= until {
                        return Err(Trouble::Step(format!("the server refuses it: {error}")));
                    }
                    send_at = Some(now + REST_MAX);
                }
                Update::Attached { resumed: Resumed::Restarted, .. } => {
                    return Err(Trouble::Step("the server restarted in the middle of this suite: its sessions are lost".to_owned()));
                }
                Update::Controls { controls } if controls.iter().any(|control| control["type"] == "approval") => {
                    let why = "the turn waits for a person's approval, which no suite gives: test a graph without `approve`";
                    return Err(Trouble::Step(why.to_owned()));
                }
                Update::Text { .. }
                | Update::Retold { .. }
                | Update::Done(_)
                | Update::Attached { .. }
                | Update::Controls { .. }
                | Update::Cleared
                | Update::Disconnected => {}
            }
        }
    }

    fn done(&self, mut turn: Turn, done: Done) -> Result<Turn, Trouble> {
        if done.has_gap {
            turn.answer = self.repeated(|| self.conversation.answer(&done.turn))?;
        }
        // The user reads what a failed turn shows instead of an answer.
        turn.answer.extend(done.error.as_deref());
        Ok(Turn { id: done.turn, error: done.error, ..turn })
    }

    /// Everything that the public interface shows of a turn.
    fn seen(&self, turn: &Turn, time_ms: f64) -> Result<Seen, Trouble> {
        let begun = Instant::now();
        let trace = loop {
            let found = self.traces()?.into_iter().find(|trace| trace["id"] == *turn.id);
            match found {
                Some(trace) => break trace,
                None if begun.elapsed() > AFTER_TIME => return Err(Trouble::Step(format!("the server shows no trace of {}", turn.id))),
                None => thread::sleep(REST),
            }
        };
        let mut state = self.call("/api/state", None)?;
        let events = list(self.call("/api/trace?last=40", None)?["lines"].take());
        Ok(Seen {
            response: turn.answer.clone(),
            progress: turn.progress.clone(),
            controls: list(state["controls"].take()),
            memory: state["memorizer"].take(),
            trace,
            events: events.into_iter().filter(|event| event["turn"] == *turn.id).collect(),
            names: Names::default(),
            time_ms,
        })
    }

    /// The last turns that are kept, the oldest first.
    pub(super) fn traces(&self) -> Result<Vec<Value>, Trouble> {
        match self.call("/api/frames?last=20", None)?["traces"].take() {
            Value::Array(traces) => Ok(traces),
            _ => Err(Trouble::Step("the server shows no traces".to_owned())),
        }
    }

    /// The state of the session, once the memorizer has ended or takes too long.
    pub(super) fn settled(&self) -> Result<Value, Trouble> {
        self.settled_within(self.timeout)
    }

    /// The same with a turn's timeout, and an error where the memorizer exceeds it.
    pub(super) fn at_rest(&self) -> Result<(), Trouble> {
        match self.settled_within(self.timeout)?["memorizing"] == true {
            true => Err(Trouble::Step("the memorizer does not end: allow it more time with --timeout-ms".to_owned())),
            false => Ok(()),
        }
    }

    fn settled_within(&self, time_max: Duration) -> Result<Value, Trouble> {
        let begun = Instant::now();
        loop {
            let state = self.call("/api/state", None)?;
            if state["memorizing"] != true || self.is_stopped() || begun.elapsed() > time_max {
                return Ok(state);
            }
            thread::sleep(REST);
        }
    }
}

fn list(value: Value) -> Vec<Value> {
    if let Value::Array(items) = value { items } else { Vec::new() }
}

/// What the chat socket shows of a turn, as recordings keep it.
fn shown(update: &Update, own: &str) -> Option<Value> {
    let is_shown = match update {
        Update::Text { client_id, .. } | Update::Retold { client_id, .. } | Update::Done(Done { client_id, .. }) => {
            client_id.as_deref() == Some(own)
        }
        Update::Controls { .. } | Update::Cleared => true,
        Update::Attached { .. } | Update::Refused(_) | Update::Disconnected => false,
    };
    is_shown.then(|| serde_json::to_value(update).expect("what every client sees serializes"))
}
