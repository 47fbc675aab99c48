//! The wire contract's JSON: events as the sockets show them, and the bodies of answers.
//!
//! Every field name of the contract that is not the shape of a contract type stands here and nowhere else.

use crate::contract::journal::{DeliveryStatus, SessionRow, TurnRow};
use crate::contract::{
    Answer, CallId, CallKind, CallStatus, ChatMessage, ClientId, Code, Control, DatabaseInfo, Entry, Event, Machine, Memory, Message,
    ModelRequest, Name, Outcome, Process, Question, Refusal, Request, Seq, ToolId, Trace, TurnDetail, TurnId, TurnResult, Usage, Variant,
    Verdict, What, WhileBusy, clip, milliseconds,
};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the chat socket shows of an event, if anything.
pub fn chat(event: &Event) -> Option<Vec<u8>> {
    let (id, seq) = (Id(event.turn), event.seq);
    let delta = |content, kind| Some(write(&Chat::Delta { id, content, kind, client_id: None, seq: Some(seq) }));
    match &event.what {
        What::Accepted { client_id } => Some(accepted(event.turn, client_id, Some(seq))),
        What::Streaming { text } => delta(text, None),
        What::Retold { text } => delta(text, Some("retold")),
        What::Progress { text } => delta(text, Some("progress")),
        What::Controls { controls } => Some(write(&Chat::Controls { controls, seq, kept_from: None, gap: false })),
        What::Done { outcome, client_id } => Some(ended(event.turn, outcome, client_id.as_ref(), Some(seq))),
        What::Cleared => Some(write(&Chat::Cleared { seq })),
        What::TurnStarted { .. }
        | What::Thinking { .. }
        | What::Updated { .. }
        | What::Perceived { .. }
        | What::Decided { .. }
        | What::Routed { .. }
        | What::Planned { .. }
        | What::Interpreted { .. }
        | What::ToolCall { .. }
        | What::ToolResult { .. }
        | What::Memory { .. }
        | What::Machines { .. }
        | What::State { .. }
        | What::ProcessStart { .. }
        | What::ProcessEnd { .. }
        | What::FrameTrace { .. }
        | What::Replaced { .. }
        | What::Withdrawn { .. }
        | What::Error { .. } => None,
    }
}

/// The first message of an event stream that is resumed: from where on events are kept.
pub fn resumed(seq: Seq, kept_from: Seq, gap: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body {
        #[serde(rename = "type")]
        kind: &'static str,
        seq: Seq,
        kept_from: Seq,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        gap: bool,
    }
    write(&Body { kind: "attached", seq, kept_from, gap })
}

/// A known message's acknowledgement, for the client that sent it again and for nobody else.
pub fn acknowledged(turn: TurnId, client_id: &ClientId) -> Vec<u8> {
    accepted(turn, client_id, None)
}

/// A known message's end, for the client that sent it again and for nobody else.
pub fn done(turn: TurnId, outcome: &Outcome, client_id: &ClientId) -> Vec<u8> {
    ended(turn, outcome, Some(client_id), None)
}

fn accepted(turn: TurnId, client_id: &ClientId, seq: Option<Seq>) -> Vec<u8> {
    write(&Chat::Delta { id: Id(turn), content: "", kind: None, client_id: Some(client_id), seq })
}

fn ended(turn: TurnId, outcome: &Outcome, client_id: Option<&ClientId>, seq: Option<Seq>) -> Vec<u8> {
    let (error, code) = match outcome {
        Outcome::Failed { why, code } => (Some(why.as_str()), *code),
        Outcome::Answered | Outcome::Cancelled | Outcome::Withdrawn => (None, None),
    };
    let withdrawn = *outcome == Outcome::Withdrawn;
    let cancelled = withdrawn || *outcome == Outcome::Cancelled;
    write(&Chat::Done { id: Some(Id(turn)), error, code, retry_after_ms: None, cancelled, withdrawn, refused: false, client_id, seq })
}

/// The first message on a socket: what is shown now, and from where on events are kept.
pub fn attached(controls: &[Control], seq: Seq, kept_from: Seq, gap: bool) -> Vec<u8> {
    write(&Chat::Controls { controls, seq, kept_from: Some(kept_from), gap })
}

/// A refusal on a chat socket, for its sender and nobody else.
pub fn refusal(refusal: &Refusal, client_id: Option<&ClientId>) -> Vec<u8> {
    refused(refusal, client_id, None)
}

/// One that is only for now: after so many milliseconds it may be accepted.
pub fn refusal_for_now(refusal: &Refusal, client_id: Option<&ClientId>, retry_after_ms: u64) -> Vec<u8> {
    refused(refusal, client_id, Some(retry_after_ms))
}

fn refused(refusal: &Refusal, client_id: Option<&ClientId>, retry_after_ms: Option<u64>) -> Vec<u8> {
    let (error, code) = (Some(&*refusal.detail), Some(refusal.code));
    write(&Chat::Done { id: None, error, code, retry_after_ms, cancelled: false, withdrawn: false, refused: true, client_id, seq: None })
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Chat<'a> {
    Delta {
        id: Id,
        content: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
    },
    Controls {
        controls: &'a [Control],
        seq: Seq,
        #[serde(skip_serializing_if = "Option::is_none")]
        kept_from: Option<Seq>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        gap: bool,
    },
    Done {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Id>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<Code>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cancelled: bool,
        /// Nothing of the turn is left in the history.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        withdrawn: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        refused: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
    },
    Cleared {
        seq: Seq,
    },
}

/// A turn as the wire writes it: `msg_<n>`, and nothing for «no turn».
#[derive(Clone, Copy)]
struct Id(TurnId);

impl Serialize for Id {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 == TurnId(0) { to.serialize_str("") } else { to.collect_str(&self.0) }
    }
}

/// An event as the trace shows it, if it does.
pub fn trace(event: &Event) -> Option<Vec<u8>> {
    trace_line(event).map(|line| write(&line))
}

/// Whether the trace shows this event.
pub fn is_traced(event: &Event) -> bool {
    trace_line(event).is_some()
}

/// Body of `/api/trace`. Each line is an event; of an answer the first one, with all of its text.
pub fn trace_lines<'a>(lines: impl Iterator<Item = (&'a Event, &'a str)>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Lines<'a> {
        lines: Vec<TraceLine<'a>>,
    }
    let line = |(event, whole): (&'a Event, &'a str)| {
        let mut line = trace_line(event)?;
        if let Body::Streaming { text } = &mut line.body {
            *text = whole;
        }
        Some(line)
    };
    write(&Lines { lines: lines.filter_map(line).collect() })
}

#[derive(Serialize)]
struct TraceLine<'a> {
    node: &'a str,
    event: &'static str,
    at: f64,
    turn: Id,
    frame: u32,
    seq: Seq,
    #[serde(flatten)]
    body: Body<'a>,
}

/// The further fields of an event.
#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Nothing {},
    Detail {
        detail: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<&'static str>,
    },
    Output {
        output: &'a Value,
    },
    Streaming {
        text: &'a str,
    },
    Retold {
        text: &'a str,
    },
    TurnStarted {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
        entry: Entry,
    },
    ToolCall {
        call_id: ToolId,
        tool: &'a str,
        args: &'a Value,
    },
    ToolResult {
        call_id: ToolId,
        tool: &'a str,
        ok: bool,
        summary: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
    },
    Controls {
        controls: &'a [Control],
    },
    Memory {
        memory: &'a Memory,
    },
    Machines {
        machines: &'a [Machine],
    },
    State {
        ui_state: &'a BTreeMap<String, Value>,
    },
    ProcessStart {
        pid: CallId,
        kind: CallKind,
        label: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    ProcessEnd {
        pid: CallId,
        kind: CallKind,
        label: &'a str,
        status: CallStatus,
        duration_ms: f64,
        waited_ms: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        retries: &'a [String],
    },
    FrameTrace {
        trace: &'a Trace,
    },
    Replaced {
        turns: Vec<Id>,
        variants: &'a [Variant],
    },
    Withdrawn {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        restored: Vec<Id>,
    },
}

fn ids(turns: &[TurnId]) -> Vec<Id> {
    turns.iter().copied().map(Id).collect()
}

fn trace_line(event: &Event) -> Option<TraceLine<'_>> {
    let body = match &event.what {
        What::Thinking { detail } | What::Updated { detail } | What::Error { detail } => Body::Detail { detail, kind: None },
        What::Progress { text } => Body::Detail { detail: text, kind: Some("progress") },
        What::Perceived { output }
        | What::Decided { output }
        | What::Routed { output }
        | What::Planned { output }
        | What::Interpreted { output } => Body::Output { output },
        What::Streaming { text } => Body::Streaming { text },
        What::Retold { text } => Body::Retold { text },
        What::TurnStarted { message, client_id, entry } => Body::TurnStarted { message, client_id: client_id.as_ref(), entry: *entry },
        What::ToolCall { id, tool, args } => Body::ToolCall { call_id: *id, tool, args },
        What::ToolResult { id, tool, ok, summary, rows } => Body::ToolResult { call_id: *id, tool, ok: *ok, summary, rows: *rows },
        What::Memory { memory } => Body::Memory { memory },
        What::Machines { machines } => Body::Machines { machines },
        What::State { state } => Body::State { ui_state: state },
        What::Controls { controls } => Body::Controls { controls },
        What::ProcessStart { pid, kind, label, reason } => Body::ProcessStart { pid: *pid, kind: *kind, label, reason: reason.as_deref() },
        What::ProcessEnd { pid, kind, label, status, duration_us, waited_us, usage, retries } => {
            let (duration_ms, waited_ms) = (milliseconds(*duration_us), milliseconds(*waited_us));
            Body::ProcessEnd { pid: *pid, kind: *kind, label, status: *status, duration_ms, waited_ms, usage: *usage, retries }
        }
        What::FrameTrace { trace } => Body::FrameTrace { trace },
        What::Cleared => Body::Nothing {},
        What::Replaced { turns, variants } => Body::Replaced { turns: ids(turns), variants },
        What::Withdrawn { restored } => Body::Withdrawn { restored: ids(restored) },
        What::Accepted { .. } | What::Done { .. } => return None,
    };
    let (name, at) = (event.what.name(), milliseconds(event.at.0));
    Some(TraceLine { node: &event.node, event: name, at, turn: Id(event.turn), frame: event.frame, seq: event.seq, body })
}

/// Body of `/api/result`.
pub fn result(result: &TurnResult, memory: &Memory) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(tag = "status", rename_all = "lowercase")]
    enum Body<'a> {
        Idle {
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'static str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            stage: Option<&'static str>,
        },
        Running {
            id: Id,
            stage: &'a str,
            event: &'a str,
            text: &'a str,
            partial: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_id: Option<&'a ClientId>,
        },
        Done {
            id: Id,
            stage: &'static str,
            response: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            degraded: Option<&'a str>,
            memorizer: &'a Memory,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_id: Option<&'a ClientId>,
        },
        Error {
            id: Id,
            stage: &'static str,
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<Code>,
            #[serde(skip_serializing_if = "Option::is_none")]
            client_id: Option<&'a ClientId>,
        },
    }
    write(&match result {
        TurnResult::Idle => Body::Idle { id: None, stage: None },
        TurnResult::Cleared => Body::Idle { id: Some(""), stage: Some("cleared") },
        TurnResult::Running { id, stage, event, text, partial, client_id } => {
            Body::Running { id: Id(*id), stage, event, text, partial, client_id: client_id.as_ref() }
        }
        TurnResult::Done { id, response, degraded, client_id } => {
            let (degraded, client_id) = (degraded.as_deref(), client_id.as_ref());
            Body::Done { id: Id(*id), stage: "done", response, degraded, memorizer: memory, client_id }
        }
        TurnResult::Error { id, detail, code, client_id } => {
            Body::Error { id: Id(*id), stage: "error", detail, code: *code, client_id: client_id.as_ref() }
        }
    })
}

/// Body of `/api/action` that answers an approval.
pub fn decided(turn: TurnId, verdict: Verdict, client_id: Option<&ClientId>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        status: Verdict,
        id: Id,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
    }
    write(&Body { status: verdict, id: Id(turn), client_id })
}

/// Body of `/api/send` and `/api/action`.
pub fn queued(turn: TurnId, client_id: Option<&ClientId>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        status: &'static str,
        id: Id,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
    }
    write(&Body { status: "queued", id: Id(turn), client_id })
}

/// Body of `/api/history`.
pub fn history<'a>(messages: impl DoubleEndedIterator<Item = &'a Message>, last: usize, seq: Seq) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        status: &'static str,
        messages: Vec<&'a Message>,
        seq: Seq,
    }
    write(&Body { status: "active", messages: tail(messages, last), seq })
}

/// Body of `/api/history?before=`. `next` is what the page before this one ends before, where there is one.
pub fn history_before<'a>(messages: impl Iterator<Item = &'a Message>, next: Option<TurnId>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        status: &'static str,
        messages: Vec<&'a Message>,
        next: Option<Id>,
    }
    write(&Body { status: "active", messages: messages.collect(), next: next.map(Id) })
}

/// Body of `/api/poll` when something has changed.
pub fn polled<'a>(hash: &str, memory: &Memory, messages: impl DoubleEndedIterator<Item = &'a Message>, history_len: usize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        changed: bool,
        hash: &'a str,
        state: &'a Memory,
        history_len: usize,
        last_messages: Vec<&'a Message>,
    }
    write(&Body { changed: true, hash, state: memory, history_len, last_messages: tail(messages, 3) })
}

/// Body of `/api/frames`.
pub fn frames<'a>(graph: &str, traces: impl DoubleEndedIterator<Item = &'a Arc<Trace>>, last: usize) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        graph: &'a str,
        engine: &'static str,
        traces: &'a [&'a Arc<Trace>],
        last_trace: Option<&'a Arc<Trace>>,
    }
    let traces = tail(traces, last);
    write(&Body { graph, engine: "frames", traces: &traces, last_trace: traces.last().copied() })
}

/// The last few, oldest first.
fn tail<T>(items: impl DoubleEndedIterator<Item = T>, last: usize) -> Vec<T> {
    let mut tail: Vec<T> = items.rev().take(last).collect();
    tail.reverse();
    tail
}

/// What `/api/state` tells of a session.
#[derive(Serialize)]
pub struct State<'a> {
    pub status: &'static str,
    pub memorizer: &'a Memory,
    pub history_len: usize,
    pub ws_connected: bool,
    pub memorizing: bool,
    pub controls: Vec<Control>,
    pub machines: &'a [Machine],
    pub ui_state: &'a BTreeMap<String, Value>,
    pub processes: Vec<Process>,
    pub schema_cache: &'a BTreeMap<String, Value>,
    /// What becomes of a message while a turn runs, where the graph states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub while_busy: Option<WhileBusy>,
    /// What the page shows of the graph, where the graph states it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face: Option<Value>,
    /// What the user may use today, where that is bounded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Value>,
}

/// How a turn was rated; both null where it was not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Feedback {
    pub rating: Option<i8>,
    pub comment: Option<String>,
}

/// Body of `/api/turn`: the trace, the databases that the session knows, without what a survey found in them, and each call's request and answer, each cut to
/// `bytes_max`; `reply` is the answer as data, where it was kept whole. `feedback`: none where it isn't known.
pub fn turn(
    detail: &TurnDetail,
    databases: &[DatabaseInfo],
    bytes_max: usize,
    webhook: Option<&DeliveryStatus>,
    feedback: Option<&Feedback>,
) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        id: Id,
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<&'a ClientId>,
        trace: &'a Trace,
        databases: Vec<DatabaseInfo>,
        calls: Vec<Call<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        webhook: Option<&'a DeliveryStatus>,
        #[serde(flatten)]
        feedback: Option<&'a Feedback>,
    }
    #[derive(Serialize)]
    struct Call<'a> {
        pid: CallId,
        node: &'a str,
        frame: u32,
        request: Value,
        answer: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply: Option<&'a Answer>,
    }
    let calls = detail.calls.iter().map(|call| Call {
        pid: call.pid,
        node: &call.node,
        frame: call.frame,
        request: match &*call.request {
            Request::Model(request) => model_request(request, bytes_max),
            Request::Database(request) => json!(request),
            Request::Approval(approval) => json!(approval),
        },
        answer: clip(&call.came.said(), bytes_max),
        reply: call.came.whole(),
    });
    let databases = databases.iter().map(|database| DatabaseInfo { survey: None, ..database.clone() }).collect();
    let (trace, action) = (&*detail.trace, detail.action.as_deref());
    let (id, client_id, calls) = (Id(trace.id), trace.client_id.as_ref(), calls.collect());
    write(&Body { id, action, client_id, trace, databases, calls, webhook, feedback })
}

/// A model's request as `/api/turn` shows it, its texts cut to `bytes_max` in all.
pub fn model_request(request: &ModelRequest, bytes_max: usize) -> Value {
    let mut left = bytes_max;
    let mut message = |message: &ChatMessage| {
        let content = clip(&message.text.to_string(), left);
        left = left.saturating_sub(content.len());
        let mut shown = json!({ "role": message.role, "content": content });
        if !message.tool_calls.is_empty() {
            shown["tool_calls"] = json!(message.tool_calls);
        }
        if let Some(id) = &message.tool_call_id {
            shown["tool_call_id"] = json!(id);
        }
        shown
    };
    json!({
        "role": request.role,
        "model": request.model,
        "messages": request.messages.iter().map(&mut message).collect::<Vec<_>>(),
        "schema": request.schema.as_ref().map(|schema| &schema.name),
        "tools": request.tools.iter().map(|tool| &tool.name).collect::<Vec<_>>(),
        "stream": request.stream,
        "tokens_max": request.tokens_max,
    })
}

/// Body of `/api/graph/prompt`. Schemas stand there as they are sent, in the order of their files.
pub fn question(question: &Question) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        node: &'a str,
        kind: &'a str,
        model: &'a str,
        messages: Vec<Value>,
        schema: Option<&'a RawValue>,
        tools: Vec<Tool<'a>>,
    }
    #[derive(Serialize)]
    struct Tool<'a> {
        name: &'a str,
        description: &'a str,
        parameters: &'a RawValue,
    }
    let message = |(stage, message): &(Option<Name>, ChatMessage)| {
        let mut shown = json!({ "role": message.role, "content": message.text.to_string() });
        if let Some(stage) = stage {
            shown["stage"] = json!(stage);
        }
        shown
    };
    fn plain(json: &str) -> &RawValue {
        serde_json::from_str(json).expect("schemas are known to parse")
    }
    let tools = question.tools.iter();
    write(&Body {
        node: &question.node,
        kind: &question.role,
        model: &question.model,
        messages: question.messages.iter().map(message).collect(),
        schema: question.schema.as_ref().map(|schema| plain(&schema.json)),
        tools: tools.map(|tool| Tool { name: &tool.name, description: &tool.description, parameters: plain(&tool.parameters) }).collect(),
    })
}

/// Body of `/api/sessions`.
pub fn sessions(rows: &[SessionRow], next: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        sessions: Vec<Session<'a>>,
        next: Option<&'a str>,
    }
    write(&Body { sessions: rows.iter().map(Session::of).collect(), next })
}

#[derive(Serialize)]
struct Session<'a> {
    id: &'a str,
    title: &'a str,
    created_at: f64,
    used_at: f64,
    turns: u64,
    graph: &'a str,
    tokens: u64,
    cost_micros: u64,
}

impl Session<'_> {
    fn of(row: &SessionRow) -> Session<'_> {
        let SessionRow { user: _, session, title, created_at, used_at, turns, graph, tokens, cost_micros, bytes: _ } = row;
        let (created_at, used_at) = (milliseconds(*created_at), milliseconds(*used_at));
        Session { id: session, title, created_at, used_at, turns: *turns, graph, tokens: *tokens, cost_micros: *cost_micros }
    }
}

/// Body of `/api/turns`. `of_all`: each turn says whose it is.
pub fn turns(rows: &[TurnRow], of_all: bool, next: Option<&str>) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        turns: Vec<Listed<'a>>,
        next: Option<&'a str>,
    }
    let listed = |row| {
        let listed = Listed::of(row, of_all);
        Listed { question: clip(&listed.question, QUESTION_BYTES_MAX).into(), ..listed }
    };
    write(&Body { turns: rows.iter().map(listed).collect(), next })
}

/// Of a question in a list of turns.
const QUESTION_BYTES_MAX: usize = 2_000;

/// A turn in a list.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    session: &'a str,
    id: Id,
    question: Cow<'a, str>,
    started_at: f64,
    status: &'a str,
    degraded: Option<&'a str>,
    graph: &'a str,
    path: &'a str,
    total_ms: f64,
    first_token_ms: Option<f64>,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
    rating: Option<i8>,
    comment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<&'a DeliveryStatus>,
    /// Rolled back, or another turn came in its place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replaced: bool,
}

impl Listed<'_> {
    fn of(row: &TurnRow, of_all: bool) -> Listed<'_> {
        let turn = &row.turn;
        Listed {
            user: of_all.then_some(&*row.user),
            session: &row.session,
            id: Id(TurnId(turn.turn)),
            question: turn.question.as_str().into(),
            started_at: milliseconds(turn.started_at.0),
            status: &turn.status,
            degraded: turn.degraded.as_deref(),
            graph: &turn.graph,
            path: &turn.path,
            total_ms: milliseconds(turn.total_us),
            first_token_ms: turn.first_token_us.map(milliseconds),
            tokens_in: turn.tokens_in,
            tokens_out: turn.tokens_out,
            cost_micros: turn.cost_micros,
            rating: row.rating,
            comment: row.comment.as_deref(),
            webhook: row.webhook.as_ref(),
            replaced: row.is_replaced,
        }
    }
}

/// An exported session. `is_whole`: no turn is missing.
pub fn export<'a>(session: &SessionRow, turns: impl Iterator<Item = &'a TurnRow>, is_whole: bool) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        session: Session<'a>,
        truncated: bool,
        turns: Vec<Exported<'a>>,
    }
    #[derive(Serialize)]
    struct Exported<'a> {
        #[serde(flatten)]
        turn: Listed<'a>,
        answer: &'a str,
    }
    let turns = turns.map(|row| Exported { turn: Listed::of(row, false), answer: &row.turn.answer }).collect();
    write(&Body { session: Session::of(session), truncated: !is_whole, turns })
}

/// A body of bytes.
pub fn write(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("the wire's shapes are JSON: their keys are texts")
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
