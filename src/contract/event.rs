//! What a session lets its watchers see: one stream of events, of which every protocol is a projection.
//!
//! The chat socket shows [`What::Accepted`], [`What::Streaming`], [`What::Retold`], [`What::Progress`], [`What::Controls`],
//! [`What::Done`] and [`What::Cleared`]; the trace shows all but `Accepted` and `Done`. One count runs through all of them, so that
//! either can be resumed.

use super::{CallId, CallKind, CallStatus, ClientId, Code, Control, Machine, Memory, Seq, Time, ToolId, Trace, TurnId, Usage, Variant};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub seq: Seq,
    pub at: Time,
    pub turn: TurnId,
    /// 0 outside of a frame.
    pub frame: u32,
    /// The node that speaks; `engine` where none does.
    pub node: Arc<str>,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A message with a client id was accepted; its turn starts now or after those that wait.
    Accepted {
        client_id: ClientId,
    },
    /// A turn starts. `message` is what the user wrote, or the label of the control that they used.
    TurnStarted {
        message: Arc<str>,
        client_id: Option<ClientId>,
        entry: Entry,
    },
    Thinking {
        detail: String,
    },
    Updated {
        detail: String,
    },
    Perceived {
        output: Value,
    },
    Decided {
        output: Value,
    },
    Routed {
        output: Value,
    },
    Planned {
        output: Value,
    },
    Interpreted {
        output: Value,
    },
    /// A piece of the answer.
    Streaming {
        text: Arc<str>,
    },
    /// The answer so far, in the place of all pieces before: some of them turned out to be a thought, or not the answer.
    Retold {
        text: Arc<str>,
    },
    /// A piece of what a node says while it works; not part of the answer.
    Progress {
        text: Arc<str>,
    },
    /// The result has the same `id`.
    ToolCall {
        id: ToolId,
        tool: String,
        args: Value,
    },
    ToolResult {
        id: ToolId,
        tool: String,
        ok: bool,
        summary: String,
        rows: Option<u64>,
    },
    /// The whole new set of controls.
    Controls {
        controls: Arc<[Control]>,
    },
    /// Memory has changed; this is all of it.
    Memory {
        memory: Arc<Memory>,
    },
    /// Machines have changed; these are all of them.
    Machines {
        machines: Arc<[Machine]>,
    },
    /// The user interface state has changed; this is all of it.
    State {
        state: Arc<BTreeMap<String, Value>>,
    },
    ProcessStart {
        pid: CallId,
        kind: CallKind,
        label: Arc<str>,
        /// Why a model is called again for the same step.
        reason: Option<String>,
    },
    ProcessEnd {
        pid: CallId,
        kind: CallKind,
        label: Arc<str>,
        status: CallStatus,
        duration_us: u64,
        waited_us: u64,
        usage: Option<Usage>,
        /// Why the worker called again before it had an answer, a line for each time.
        retries: Vec<String>,
    },
    /// Closes a turn's trace.
    FrameTrace {
        trace: Arc<Trace>,
    },
    Error {
        detail: String,
    },
    /// The event's turn came in the place of these turns: their messages are in the history no more, but as the last of the
    /// variants of its message. These are all of them.
    Replaced {
        turns: Vec<TurnId>,
        variants: Arc<[Variant]>,
    },
    /// The messages of the event's turn are in the history no more. Those of turns that it had replaced are in it again.
    Withdrawn {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        restored: Vec<TurnId>,
    },
    /// The turn is over.
    Done {
        outcome: Outcome,
        client_id: Option<ClientId>,
    },
    /// The session was cleared: history, controls and machines are gone.
    Cleared,
}

/// What starts a turn, and so where it enters the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    Message,
    Action,
    /// A machine's own button.
    Machine,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Answered,
    Cancelled,
    /// Cancelled, and its messages are in the history no more.
    Withdrawn,
    /// `why` is the sentence that the user sees, `code` the reason where it was a call.
    Failed {
        why: String,
        code: Option<Code>,
    },
}

impl What {
    /// The event's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            What::Accepted { .. } => "accepted",
            What::TurnStarted { .. } => "turn_started",
            What::Thinking { .. } => "thinking",
            What::Updated { .. } => "updated",
            What::Perceived { .. } => "perceived",
            What::Decided { .. } => "decided",
            What::Routed { .. } => "routed",
            What::Planned { .. } => "planned",
            What::Interpreted { .. } => "interpreted",
            What::Streaming { .. } => "streaming",
            What::Retold { .. } => "retold",
            What::Progress { .. } => "thinking",
            What::ToolCall { .. } => "tool_call",
            What::ToolResult { .. } => "tool_result",
            What::Controls { .. } => "controls",
            What::Memory { .. } => "memory",
            What::Machines { .. } => "machines",
            What::State { .. } => "state",
            What::ProcessStart { .. } => "process_start",
            What::ProcessEnd { .. } => "process_end",
            What::FrameTrace { .. } => "frame_trace",
            What::Error { .. } => "error",
            What::Replaced { .. } => "replaced",
            What::Withdrawn { .. } => "withdrawn",
            What::Done { .. } => "done",
            What::Cleared => "cleared",
        }
    }
}
