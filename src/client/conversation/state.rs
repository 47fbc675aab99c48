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

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum DeltaKind {
    Progress,
    Retold,
}

/// What the server sends on the chat socket.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Message {
    Delta {
        id: String,
        content: String,
        kind: Option<DeltaKind>,
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
        withdrawn: bool,
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

/// What happens in a conversation. What every client of the session sees serializes as it does on the chat socket, without names
/// and numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Update {
    /// More text of a turn. `client_id`: of the message it answers, where that is ours.
    #[serde(rename = "delta")]
    Text {
        #[serde(rename = "id")]
        turn: String,
        #[serde(skip)]
        client_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<Kind>,
        content: String,
    },
    /// All of a turn's answer so far, in the place of what was told: some of it was a thought of the model, or not the answer.
    Retold {
        #[serde(rename = "id")]
        turn: String,
        #[serde(skip)]
        client_id: Option<String>,
        content: String,
    },
    Controls {
        controls: Vec<Value>,
    },
    Done(Done),
    Cleared,
    /// The connection is there, and these controls are shown.
    #[serde(skip)]
    Attached {
        resumed: Resumed,
        controls: Vec<Value>,
    },
    /// The connection broke; it is being restored.
    #[serde(skip)]
    Disconnected,
    /// A message of this conversation was not taken.
    #[serde(skip)]
    Refused(Refused),
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    #[serde(rename = "id")]
    pub turn: String,
    /// Of the message that it answers, where that is ours.
    #[serde(skip)]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Cancelled, and nothing of the turn is left in the history.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// Some of our turn's text fell into a gap.
    #[serde(skip)]
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
    /// A stop that is to be sent behind them.
    stop: Option<&'static str>,
}

#[derive(Debug)]
struct Pending {
    client_id: String,
    text: String,
    /// To be sent on this connection.
    is_due: bool,
    /// Once the server has taken it.
    turn: Option<String>,
    has_gap: bool,
}

const STOP: &str = r#"{"type":"stop"}"#;
const STOP_ALL: &str = r#"{"type":"stop","waiting":true}"#;

impl State {
    pub(super) fn new(prefix: String) -> State {
        State { prefix, number: 0, since: None, is_attached: false, pending: VecDeque::new(), stop: None }
    }

    /// Where the next connection resumes.
    pub(super) fn since(&self) -> Option<u64> {
        self.since
    }

    /// Names a message and keeps it until its turn has ended; its client id.
    pub(super) fn send(&mut self, mut message: Value) -> Result<String, Unsendable> {
        if self.pending.len() >= PENDING_MAX {
            return Err(Unsendable::TooMany);
        }
        self.number += 1;
        let client_id = format!("{}.{}", self.prefix, self.number);
        message["id"] = client_id.clone().into();
        let text = message.to_string();
        if text.len() > MESSAGE_BYTES_MAX {
            return Err(Unsendable::TooLong);
        }
        self.pending.push_back(Pending { client_id: client_id.clone(), text, is_due: true, turn: None, has_gap: false });
        Ok(client_id)
    }

    /// Stops the running turn; those that wait go on. A stop that a breaking connection swallows is not sent again.
    pub(super) fn stop(&mut self) {
        self.stop.get_or_insert(STOP);
    }

    /// Stops the running turn and those that wait.
    pub(super) fn stop_all(&mut self) {
        self.stop = Some(STOP_ALL);
    }

    /// Stops everything, and drops the messages that have no end yet: they are not sent again, and their end is not reported.
    pub(super) fn abandon(&mut self) {
        self.pending.clear();
        self.stop_all();
    }

    /// What is to be sent next on this connection.
    pub(super) fn next(&mut self) -> Option<String> {
        if !self.is_attached {
            return None;
        }
        match self.pending.iter_mut().find(|pending| pending.is_due) {
            Some(pending) => {
                pending.is_due = false;
                Some(pending.text.clone())
            }
            None => self.stop.take().map(str::to_owned),
        }
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
            Message::Delta { id, client_id: Some(client_id), .. } => {
                self.accepted(seq.is_some(), &client_id, id);
                None
            }
            Message::Delta { id, content, kind, client_id: None } => {
                let client_id = self.of_turn(&id);
                Some(match kind {
                    Some(DeltaKind::Retold) => Update::Retold { turn: id, client_id, content },
                    Some(DeltaKind::Progress) => Update::Text { turn: id, client_id, kind: Some(Kind::Progress), content },
                    None => Update::Text { turn: id, client_id, kind: None, content },
                })
            }
            Message::Controls { controls, .. } => Some(Update::Controls { controls }),
            Message::Done { refused: true, error, code, client_id, .. } => self.refused(client_id, code, error),
            Message::Done { id, error, cancelled, withdrawn, client_id, .. } => {
                self.done(seq.is_some(), Done { turn: id, client_id, error, cancelled, withdrawn, has_gap: false })
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
            match resumed {
                Resumed::First | Resumed::Whole => {}
                Resumed::Gap => pending.has_gap = true,
                Resumed::Restarted => (pending.turn, pending.has_gap) = (None, false),
            }
        }
        resumed
    }

    fn accepted(&mut self, is_numbered: bool, client_id: &str, turn: String) {
        if let Some(pending) = self.place(client_id).map(|place| &mut self.pending[place]) {
            (pending.is_due, pending.turn) = (false, Some(turn));
            // All of its turn follows the first acknowledgement.
            pending.has_gap &= !is_numbered;
        }
    }

    fn refused(&mut self, client_id: Option<String>, code: Option<Value>, error: Option<String>) -> Option<Update> {
        // What the server could not read has no name; it takes messages in order.
        let is_unread = |pending: &Pending| pending.turn.is_none() && !pending.is_due;
        let place = match &client_id {
            Some(client_id) => self.place(client_id)?,
            None => self.pending.iter().position(is_unread)?,
        };
        let client_id = self.pending.remove(place)?.client_id;
        let code = code.and_then(|code| serde_json::from_value(code).ok());
        Some(Update::Refused(Refused { client_id, code, error: error.unwrap_or_default() }))
    }

    fn done(&mut self, is_numbered: bool, mut done: Done) -> Option<Update> {
        done.client_id = done.client_id.or_else(|| self.of_turn(&done.turn));
        let place = done.client_id.as_deref().and_then(|client_id| self.place(client_id));
        match place.and_then(|place| self.pending.remove(place)) {
            // An end that is repeated stands for events that were missed.
            Some(pending) => Some(Update::Done(Done { has_gap: pending.has_gap || !is_numbered, ..done })),
            // Ours has ended before; another client's is repeated to that client alone.
            None => (is_numbered && !done.client_id.as_ref().is_some_and(|client_id| self.is_ours(client_id)))
                .then_some(Update::Done(Done { client_id: None, ..done })),
        }
    }

    fn is_ours(&self, client_id: &str) -> bool {
        client_id.rsplit_once('.').is_some_and(|(prefix, _)| prefix == self.prefix)
    }

    fn place(&self, of: &str) -> Option<usize> {
        self.pending.iter().position(|pending| pending.client_id == of)
    }

    fn of_turn(&self, turn: &str) -> Option<String> {
        self.pending.iter().find(|pending| pending.turn.as_deref() == Some(turn)).map(|pending| pending.client_id.clone())
    }
}
