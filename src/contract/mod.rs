//! The words that all sides share: what goes into a session, what comes out of it, and what is kept.
//!
//! Plain, ordered data; nothing here acts. Everything an [`Input`] holds is all that a session can depend on, so whoever
//! keeps a session's inputs can play it again. Imports nothing of ours.

mod approval;
mod call;
mod client_id;
mod control;
mod cut;
mod database;
mod event;
mod exact;
mod finished;
mod input;
pub mod journal;
mod listen;
mod memory;
mod quota;
mod refusal;
mod survey;
mod time;
mod trace;
mod trace_context;
mod unique;
mod variant;
mod webhook;
mod while_busy;

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

pub use approval::{APPROVAL_BYTES_MAX, APPROVE, Approval, ApprovalControl, DECLINE, Decided, Format, Verdict};
pub use call::{
    Answer, CallError, CallKind, ChatMessage, Finish, ModelRequest, Part, Question, Request, Role, Schema, Silence, StreamedField, Text,
    ToolCall, ToolSpec, Usage,
};
pub use client_id::{Accepted, ClientId, INVALID_CLIENT_ID};
pub use control::{Button, Change, Control, Display, DisplayKind, Machine, Source, State, Ui, UiError};
pub use cut::shorten;
pub use database::{DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseInfo, DatabaseLimits, DatabaseRequest, Dialect, Refused, Rows};
pub use event::{Entry, Event, Outcome, What};
pub use exact::exact;
pub use finished::{AskedOf, Content, Finished, FinishedCall, FinishedWhat};
pub use input::{Caller, Input, Limits};
pub use listen::{Listen, ListenError};
pub use memory::{Memory, MemoryPatch, Message};
pub use quota::{Budget, Quota, Quotas, Spent};
pub use refusal::{Code, Refusal};
pub use survey::{Holds, Survey, SurveyedColumn, SurveyedTable};
pub use time::{Moment, Now, Time, micros, milliseconds};
pub use trace::{CallDetail, CallRecord, CallStatus, Came, FrameRecord, Process, Trace, TurnDetail, TurnResult};
pub use trace_context::{Below, SpanId, TraceContext, TraceId, TraceParent};
pub use unique::{Unique, unique, unique_json};
pub use variant::Variant;
pub use webhook::{WebhookPrefix, WebhookUrl};
pub use while_busy::WhileBusy;

/// A text that is fixed in the program, or that was read back.
pub type Name = Cow<'static, str>;

/// What an input or an effect looks like on disk; raised when a shape changes.
pub const VERSION: u32 = 6;

/// A turn of one session, counted from 1; `msg_7` on the wire. 0 stands for «no turn».
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TurnId(pub u64);

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{}", self.0)
    }
}

impl std::str::FromStr for TurnId {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        text.strip_prefix("msg_").and_then(|digits| digits.parse().ok()).map(TurnId).ok_or(())
    }
}

/// A call of one session, counted from 1; `pid` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallId(pub u64);

/// A tool call of one session, counted from 1; `call_id` on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ToolId(pub u64);

/// The number of an event in its session, counted from 1, never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Seq(pub u64);

/// All that a session can want, done in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Runs on the pool and comes back as chunks and one [`Input::Completion`].
    Call { id: CallId, request: std::sync::Arc<Request> },
    /// Ends a call; nobody waits for what it still says.
    Cancel { id: CallId },
    /// Seen by whoever watches the session.
    Emit(Event),
}

/// A number and what there are so many of: `1 row`, `2 rows`.
pub fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The first characters of a text, at most `bytes_max` bytes, cut between characters and marked with `…`.
pub fn clip(text: &str, bytes_max: usize) -> String {
    let mut clipped = String::with_capacity(text.len().min(bytes_max) + '…'.len_utf8());
    push_clipped(&mut clipped, text, bytes_max);
    clipped
}

/// [`clip`], onto the end of another text.
pub fn push_clipped(onto: &mut String, text: &str, bytes_max: usize) {
    if text.len() <= bytes_max {
        return onto.push_str(text);
    }
    onto.push_str(&text[..text.floor_char_boundary(bytes_max)]);
    onto.push('…');
}

#[cfg(test)]
mod round_trip_tests;
