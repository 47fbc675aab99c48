//! How a conversation over the chat socket goes on after a break, as a state machine without I/O.
//!
//! Every message gets a name, its client id, and is sent on each new connection until it has ended; under a name that it knows
//! the server starts nothing, but repeats the acknowledgement and the end. The last `seq` received says where the next
//! connection resumes. Nothing is inferred: a message has arrived or ended when the server says so by its name.
//!
//! Invariants: a message ends exactly once, with [`Update::Done`] or [`Update::Refused`]; no event is reported twice; nothing
//! is sent before a connection's greeting, so a conversation always knows where to resume.

use crate::contract::Code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::VecDeque;

/// Messages without an end: as many as a server takes by default, one running and eight waiting.
const PENDING_MAX: usize = 9;
/// A longer message would end the connection.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What the server sends on the chat socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Message {
    Delta {
        id: String,
        content: String,
        kind: Option<Kind>,
        /// On an acknowledgement.
        client_id: Option<String>,
    },
    Controls {
        controls: Vec<Value>,
        /// On a connection's greeting.
        kept_from: Option<u64>,
        #[serde(default)]
        gap: bool,
    },
    Done {
        #[serde(default)]
        id: String,
        error: Option<String>,
        #[serde(default)]
        cancelled: bool,
        #[serde(default)]
        refused: bool,
        code: Option<Value>,
        client_id: Option<String>,
    },
    Cleared,
}

#[derive(Deserialize)]
struct Numbered {
    seq: Option<u64>,
    #[serde(flatten)]
    message: Message,
}

/// What a text belongs to, where it isn't the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Progress,
}

/// What happens in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// The connection is there, and these controls are shown.
    Attached {
        resumed: Resumed,
        controls: Vec<Value>,
    },
    /// The connection broke; it is being restored.
    Disconnected,
    /// The server has taken a message of this conversation.
    Accepted {
        client_id: String,
        turn: String,
    },
    /// More text of a turn. `client_id`: of the message it answers, where that is ours.
    Text {
        turn: String,
        client_id: Option<String>,
        kind: Option<Kind>,
        content: String,
    },
    Controls(Vec<Value>),
    Done(Done),
    /// A message of this conversation was not taken.
    Refused(Refused),
    Cleared,
}

/// How a connection goes on from the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resumed {
    /// There was none before.
    First,
    /// Nothing was missed.
    Whole,
    /// Some events are no longer kept.
    Gap,
    /// The server has lost the session; pending messages are sent again.
    Restarted,
}

/// The end of a turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    pub turn: String,
    /// Of the message that it answers, where that is ours.
    pub client_id: Option<String>,
    pub error: Option<String>,
    pub cancelled: bool,
    /// Some of our turn's text fell into a gap.
    pub has_gap: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub client_id: String,
    /// None: this program doesn't know it.
    pub code: Option<Code>,
    pub error: String,
}

/// Why a message can't be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsendable {
    #[error("{PENDING_MAX} messages are already waiting for an answer: let one finish, or stop")]
    TooMany,
    #[error("the message is too long: send at most {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
}

#[derive(Debug)]
pub(super) struct State {
    /// Of every client id; no other conversation has the same.
    prefix: String,
    /// Of the last client id.
    number: u64,
    /// The last event received.
    since: Option<u64>,
    /// Whether this connection's greeting has been received.
    is_attached: bool,
    /// In the order of sending.
    pending: VecDeque<Pending>,
}

#[derive(Debug)]
struct Pending {
    what: What,
    /// To be sent on this connection.
    is_due: bool,
}

#[derive(Debug)]
enum What {
    Message {
        client_id: String,
        text: String,
        /// Once the server has taken it.
        turn: Option<String>,
        has_gap: bool,
    },
    /// Stops the messages before it. It has no acknowledgement: it is sent again until what is behind it has arrived, or
    /// nothing is before it.
    Stop,
}

const STOP: &str = r#"{"type":"stop"}"#;

impl State {
    pub(super) fn new(prefix: String) -> State {
        State { prefix, number: 0, since: None, is_attached: false, pending: VecDeque::new() }
    }

    /// Where the next connection resumes.
    pub(super) fn since(&self) -> Option<u64> {
        self.since
    }

    /// Names a message and keeps it until its turn has ended; its client id.
    pub(super) fn send(&mut self, mut message: Value) -> Result<String, Unsendable> {
        if self.pending.iter().filter(|pending| matches!(pending.what, What::Message { .. })).count() >= PENDING_MAX {
            return Err(Unsendable::TooMany);
        }
        self.number += 1;
        let client_id = format!("{}.{}", self.prefix, self.number);
        message["id"] = client_id.clone().into();
        let text = message.to_string();
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(Unsendable::TooLong);
        }
        self.pending
            .push_back(Pending { what: What::Message { client_id: client_id.clone(), text, turn: None, has_gap: false }, is_due: true });
        Ok(client_id)
    }

    /// Stops the running turn and those that wait.
    pub(super) fn stop(&mut self) {
        match self.pending.back_mut() {
            Some(Pending { what: What::Stop, is_due }) => *is_due = true,
            Some(_) | None => self.pending.push_back(Pending { what: What::Stop, is_due: true }),
        }
    }

    /// Stops, and drops the messages that have no end yet: they are not sent again, and their end is not reported.
    pub(super) fn abandon(&mut self) {
        self.pending.clear();
        self.stop();
    }

    /// What is to be sent next on this connection.
    pub(super) fn next(&mut self) -> Option<String> {
        let pending = self.pending.iter_mut().find(|pending| pending.is_due).filter(|_| self.is_attached)?;
        pending.is_due = false;
        let text = match &pending.what {
            What::Message { text, .. } => text.clone(),
            What::Stop => STOP.to_owned(),
        };
        self.trim();
        Some(text)
    }

    /// The connection broke: the next one carries everything that has no end.
    pub(super) fn disconnected(&mut self) {
        self.is_attached = false;
        self.pending.iter_mut().for_each(|pending| pending.is_due = true);
    }

    /// Takes a message of the server; nothing where it says nothing new.
    pub(super) fn receive(&mut self, text: &str) -> Option<Update> {
        // Types and fields that a later version adds are none of ours.
        let Numbered { seq, message } = serde_json::from_str(text).ok()?;
        if let Message::Controls { controls, kept_from: Some(_), gap } = message {
            return Some(Update::Attached { resumed: self.attached(seq?, gap), controls });
        }
        if seq.is_some() && seq <= self.since {
            return None;
        }
        self.since = seq.or(self.since);
        match message {
            Message::Delta { id, client_id: Some(client_id), .. } => self.accepted(seq.is_some(), client_id, id),
            Message::Delta { id, content, kind, client_id: None } => {
                let client_id = self.of_turn(&id);
                Some(Update::Text { turn: id, client_id, kind, content })
            }
            Message::Controls { controls, .. } => Some(Update::Controls(controls)),
            Message::Done { refused: true, error, code, client_id, .. } => self.refused(client_id, code, error),
            Message::Done { id, error, cancelled, client_id, .. } => {
                self.done(seq.is_some(), Done { turn: id, client_id, error, cancelled, has_gap: false })
            }
            Message::Cleared => Some(Update::Cleared),
        }
    }

    /// A greeting names the last event there is; what was missed up to it only follows.
    fn attached(&mut self, last: u64, gap: bool) -> Resumed {
        self.is_attached = true;
        let resumed = match self.since {
            None => Resumed::First,
            Some(since) if last < since => Resumed::Restarted,
            Some(_) if gap => Resumed::Gap,
            Some(_) => Resumed::Whole,
        };
        if matches!(resumed, Resumed::First | Resumed::Restarted) {
            self.since = Some(last);
        }
        for pending in &mut self.pending {
            if let What::Message { turn, has_gap, .. } = &mut pending.what {
                match resumed {
                    Resumed::First | Resumed::Whole => {}
                    Resumed::Gap => *has_gap = true,
                    Resumed::Restarted => (*turn, *has_gap) = (None, false),
                }
            }
        }
        resumed
    }

    fn accepted(&mut self, is_numbered: bool, client_id: String, id: String) -> Option<Update> {
        let place = self.place(&client_id)?;
        self.pending[place].is_due = false;
        let What::Message { turn, has_gap, .. } = &mut self.pending[place].what else { return None };
        let is_new = turn.as_ref() != Some(&id);
        *turn = Some(id.clone());
        // All of its turn follows this very event.
        *has_gap &= !is_numbered;
        self.arrived(place);
        is_new.then_some(Update::Accepted { client_id, turn: id })
    }

    fn refused(&mut self, client_id: Option<String>, code: Option<Value>, error: Option<String>) -> Option<Update> {
        // What the server could not read has no name; it takes messages in order.
        let is_unread = |pending: &Pending| matches!(&pending.what, What::Message { turn: None, .. } if !pending.is_due);
        let place = match &client_id {
            Some(client_id) => self.place(client_id)?,
            None => self.pending.iter().position(is_unread)?,
        };
        let client_id = self.end(place)?.0;
        let code = code.and_then(|code| serde_json::from_value(code).ok());
        Some(Update::Refused(Refused { client_id, code, error: error.unwrap_or_default() }))
    }

    fn done(&mut self, is_numbered: bool, mut done: Done) -> Option<Update> {
        done.client_id = done.client_id.or_else(|| self.of_turn(&done.turn));
        let place = done.client_id.as_deref().and_then(|client_id| self.place(client_id));
        match place.and_then(|place| self.end(place)) {
            // An end that is repeated stands for events that were missed.
            Some((_, has_gap)) => Some(Update::Done(Done { has_gap: has_gap || !is_numbered, ..done })),
            // Ours has ended before; another client's is repeated to that client alone.
            None => (is_numbered && !done.client_id.as_ref().is_some_and(|client_id| self.is_ours(client_id)))
                .then_some(Update::Done(Done { client_id: None, ..done })),
        }
    }

    fn is_ours(&self, client_id: &str) -> bool {
        client_id.rsplit_once('.').is_some_and(|(prefix, _)| prefix == self.prefix)
    }

    fn place(&self, of: &str) -> Option<usize> {
        self.pending.iter().position(|pending| matches!(&pending.what, What::Message { client_id, .. } if client_id == of))
    }

    fn of_turn(&self, of: &str) -> Option<String> {
        self.pending.iter().find_map(|pending| match &pending.what {
            What::Message { client_id, turn: Some(turn), .. } if turn == of => Some(client_id.clone()),
            What::Message { .. } | What::Stop => None,
        })
    }

    /// Takes a message out: its client id, and whether some of its text was missed.
    fn end(&mut self, place: usize) -> Option<(String, bool)> {
        let place = self.arrived(place);
        let Pending { what: What::Message { client_id, has_gap, .. }, .. } = self.pending.remove(place)? else { return None };
        self.trim();
        Some((client_id, has_gap))
    }

    /// What was sent before something that has arrived has arrived too; its new place.
    fn arrived(&mut self, mut place: usize) -> usize {
        while let Some(stop) = self.pending.range(..place).position(|pending| matches!(pending.what, What::Stop) && !pending.is_due) {
            self.pending.remove(stop);
            place -= 1;
        }
        place
    }

    /// A stop that has been sent and has nothing left to stop is of no more use.
    fn trim(&mut self) {
        while self.pending.front().is_some_and(|pending| matches!(pending.what, What::Stop) && !pending.is_due) {
            self.pending.pop_front();
        }
    }
}
