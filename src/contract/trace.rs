//! What a turn did, frame by frame. Serialises to the shapes of the wire contract.

use super::memory::turn_id;
use super::time::{ms, time_ms};
use super::{
    Answer, CallError, CallId, CallKind, ClientId, Code, Decided, Name, Request, Time, TraceContext, TurnId, Usage, clip, milliseconds,
};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use std::sync::Arc;

/// One finished turn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Trace {
    #[serde(with = "turn_id")]
    pub id: TurnId,
    #[serde(default)]
    pub client_id: Option<ClientId>,
    pub message: Arc<str>,
    pub graph: Arc<str>,
    /// The start of the graph's content hash, where a reload changed the graph since the turn before.
    #[serde(default)]
    pub reloaded: Option<Arc<str>>,
    /// The name that the graph gives to the way the turn went; of a turn that broke off, as far as it went.
    pub path: String,
    #[serde(with = "time_ms")]
    pub started_at: Time,
    #[serde(rename = "total_ms", with = "ms")]
    pub total_us: u64,
    pub status: CallStatus,
    /// Which nodes took their default route, and why: the answer may be less than it seems. None where all went as planned.
    #[serde(default)]
    pub degraded: Option<String>,
    pub usage: Usage,
    pub frames: Vec<FrameRecord>,
    /// What ran on after `done`: the memorizer's call.
    pub background: Vec<CallRecord>,
    /// Its place in a distributed trace.
    #[serde(default, flatten)]
    pub context: Option<TraceContext>,
}

/// Nodes that ran together. `frame` counts from 1; times are µs after the turn's start.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FrameRecord {
    pub frame: u32,
    pub nodes: Arc<[Arc<str>]>,
    #[serde(rename = "started_ms", with = "ms")]
    pub started_us: u64,
    #[serde(rename = "ended_ms", with = "ms")]
    pub ended_us: u64,
    /// The route that the frame's first node took; empty at the end of the path.
    pub route: String,
    pub summary: String,
    pub calls: Vec<CallRecord>,
}

/// One call as the trace shows it. Times are µs after the turn's start; `waited_us`, the time in line before a worker took it,
/// is part of `duration_us`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallRecord {
    pub pid: CallId,
    pub kind: CallKind,
    pub label: Arc<str>,
    #[serde(rename = "started_ms", with = "ms")]
    pub started_us: u64,
    #[serde(rename = "duration_ms", with = "ms")]
    pub duration_us: u64,
    #[serde(rename = "waited_ms", with = "ms")]
    pub waited_us: u64,
    pub status: CallStatus,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why the worker called again before it had an answer, a line for each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<String>,
    /// Of an approval: who answered, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decided>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallStatus {
    Done,
    Error,
    Cancelled,
}

impl CallStatus {
    /// As the wire names it.
    pub fn name(self) -> &'static str {
        match self {
            CallStatus::Done => "done",
            CallStatus::Error => "error",
            CallStatus::Cancelled => "cancelled",
        }
    }

    pub fn of(outcome: &Result<Answer, CallError>) -> CallStatus {
        match outcome {
            Ok(_) => CallStatus::Done,
            Err(CallError::Cancelled) => CallStatus::Cancelled,
            Err(_) => CallStatus::Error,
        }
    }
}

/// A call that is out now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    pub pid: CallId,
    pub kind: CallKind,
    pub label: Arc<str>,
    #[serde(with = "turn_id")]
    pub turn: TurnId,
    /// Milliseconds since the epoch.
    #[serde(with = "time_ms")]
    pub started_at: Time,
}

/// A kept turn in full, for looking closely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnDetail {
    pub trace: Arc<Trace>,
    /// The action that began it, where no message did.
    pub action: Option<String>,
    pub calls: Vec<CallDetail>,
}

/// One call with what was asked and what came, both capped when shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallDetail {
    pub pid: CallId,
    pub node: Arc<str>,
    /// 0 for a call in the background.
    pub frame: u32,
    pub request: Arc<Request>,
    pub came: Came,
}

/// What came of a call, as a kept turn shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Came {
    /// The whole answer.
    Whole(Box<Answer>),
    /// What there is to say: why it failed, what it said before it broke off, or the beginning of an answer too long to keep.
    Text(String),
}

impl Came {
    /// An answer, whole where it fits; of its thoughts as much as there is room for.
    pub fn answered(answer: &Answer, bytes_max: usize) -> Came {
        match bytes_max.checked_sub(answer.bytes() - answer.thoughts.len()) {
            Some(room) => Came::Whole(Box::new(Answer { thoughts: clip(&answer.thoughts, room), ..answer.clone() })),
            None => Came::Text(clip(&answer.said(), bytes_max)),
        }
    }

    /// In words.
    pub fn said(&self) -> String {
        match self {
            Came::Whole(answer) => answer.said(),
            Came::Text(text) => text.clone(),
        }
    }

    /// The answer, where all of it is kept.
    pub fn whole(&self) -> Option<&Answer> {
        match self {
            Came::Whole(answer) => Some(answer),
            Came::Text(_) => None,
        }
    }
}

/// The session's latest turn: what `GET /api/result` tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum TurnResult {
    #[default]
    Idle,
    Cleared,
    /// `stage` is the node at work, `event` its last event, `text` the user's message, `partial` the answer so far.
    Running {
        id: TurnId,
        stage: Arc<str>,
        event: Name,
        text: Arc<str>,
        partial: String,
        client_id: Option<ClientId>,
    },
    Done {
        id: TurnId,
        response: String,
        degraded: Option<String>,
        client_id: Option<ClientId>,
    },
    Error {
        id: TurnId,
        detail: String,
        code: Option<Code>,
        client_id: Option<ClientId>,
    },
}

impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut out = to.serialize_struct("Trace", 18)?;
        out.serialize_field("id", &self.id.to_string())?;
        match &self.client_id {
            Some(client_id) => out.serialize_field("client_id", client_id)?,
            None => out.skip_field("client_id")?,
        }
        out.serialize_field("message", &self.message)?;
        out.serialize_field("graph", &self.graph)?;
        match &self.reloaded {
            Some(reloaded) => out.serialize_field("reloaded", reloaded)?,
            None => out.skip_field("reloaded")?,
        }
        out.serialize_field("path", &self.path)?;
        out.serialize_field("started_at", &milliseconds(self.started_at.0))?;
        out.serialize_field("total_frames", &self.frames.len())?;
        out.serialize_field("total_ms", &milliseconds(self.total_us))?;
        out.serialize_field("status", &self.status)?;
        match &self.degraded {
            Some(degraded) => out.serialize_field("degraded", degraded)?,
            None => out.skip_field("degraded")?,
        }
        out.serialize_field("usage", &self.usage)?;
        out.serialize_field("frames", &self.frames)?;
        out.serialize_field("background", &self.background)?;
        if let Some(context) = &self.context {
            out.serialize_field("trace_id", &context.trace_id)?;
            out.serialize_field("span_id", &context.span_id)?;
            context.parent.iter().try_for_each(|parent| out.serialize_field("parent_span_id", parent))?;
            out.serialize_field("sampled", &context.is_sampled)?;
        }
        out.end()
    }
}

impl Serialize for FrameRecord {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut out = to.serialize_struct("FrameRecord", 8)?;
        out.serialize_field("frame", &self.frame)?;
        out.serialize_field("nodes", &self.nodes)?;
        out.serialize_field("started_ms", &milliseconds(self.started_us))?;
        out.serialize_field("ended_ms", &milliseconds(self.ended_us))?;
        out.serialize_field("duration_ms", &milliseconds(self.ended_us.saturating_sub(self.started_us)))?;
        out.serialize_field("route", &self.route)?;
        out.serialize_field("summary", &self.summary)?;
        out.serialize_field("calls", &self.calls)?;
        out.end()
    }
}
