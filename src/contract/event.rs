//! What a session lets its watchers see: one stream of events, of which every protocol is a projection.
//!
//! The chat socket shows [`What::Streaming`], [`What::Progress`], [`What::Controls`], [`What::Done`] and [`What::Cleared`];
//! the trace shows all but the last two. One count runs through all of them, so that either can be resumed.

use super::{CallId, CallKind, CallStatus, Control, Seq, Time, Trace, TurnId, Usage};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Serialize)]
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

#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum What {
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
    /// A piece of what a node says while it works; not part of the answer.
    Progress {
        text: Arc<str>,
    },
    ToolCall {
        tool: String,
        args: Value,
    },
    ToolResult {
        tool: String,
        ok: bool,
        summary: String,
        rows: Option<u64>,
    },
    /// The whole new set of controls.
    Controls {
        controls: Arc<[Control]>,
    },
    ProcessStart {
        pid: CallId,
        kind: CallKind,
        label: Arc<str>,
    },
    ProcessEnd {
        pid: CallId,
        kind: CallKind,
        label: Arc<str>,
        status: CallStatus,
        duration_us: u64,
        waited_us: u64,
        usage: Option<Usage>,
    },
    /// Closes a turn's trace.
    FrameTrace {
        trace: Arc<Trace>,
    },
    Error {
        detail: String,
    },
    /// The turn is over.
    Done {
        outcome: Outcome,
    },
    /// The session begins anew.
    Cleared,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    Answered,
    Cancelled,
    /// With the sentence that the user sees.
    Failed(String),
}

impl What {
    /// The event's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            What::Thinking { .. } => "thinking",
            What::Updated { .. } => "updated",
            What::Perceived { .. } => "perceived",
            What::Decided { .. } => "decided",
            What::Routed { .. } => "routed",
            What::Planned { .. } => "planned",
            What::Interpreted { .. } => "interpreted",
            What::Streaming { .. } => "streaming",
            What::Progress { .. } => "thinking",
            What::ToolCall { .. } => "tool_call",
            What::ToolResult { .. } => "tool_result",
            What::Controls { .. } => "controls",
            What::ProcessStart { .. } => "process_start",
            What::ProcessEnd { .. } => "process_end",
            What::FrameTrace { .. } => "frame_trace",
            What::Error { .. } => "error",
            What::Done { .. } => "done",
            What::Cleared => "cleared",
        }
    }
}
