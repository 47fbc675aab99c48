//! Calls: work outside the engine, and what comes back from it.

use super::{Approval, Code, DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseRequest, Name};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Work outside the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    Model(ModelRequest),
    Database(DatabaseRequest),
    /// No worker does this one: a person answers it.
    Approval(Approval),
}

impl Request {
    pub fn kind(&self) -> CallKind {
        match self {
            Request::Model(_) => CallKind::Llm,
            Request::Database(_) => CallKind::Db,
            Request::Approval(_) => CallKind::Approval,
        }
    }

    /// Whether all of the answer's text comes as chunks.
    pub fn is_streamed(&self) -> bool {
        matches!(self, Request::Model(model) if model.stream)
    }

    /// The field of the answer that comes as chunks.
    pub fn streamed_field(&self) -> Option<&StreamedField> {
        match self {
            Request::Model(model) => model.streamed_field.as_ref(),
            Request::Database(_) | Request::Approval(_) => None,
        }
    }

    /// What people see it called: for a model the asking node's kind, for a database what it is asked.
    pub fn label(&self) -> Arc<str> {
        match self {
            Request::Model(ModelRequest { role, stage: None, .. }) => role.clone(),
            Request::Model(ModelRequest { role, stage: Some(stage), .. }) => format!("{role} {stage}").into(),
            Request::Database(request) => match &request.ask {
                DatabaseAsk::Tables => "tables".into(),
                DatabaseAsk::Describe { table } => format!("describe {table}").into(),
                DatabaseAsk::Query { .. } => "query".into(),
                DatabaseAsk::Columns => "columns".into(),
                DatabaseAsk::Range { .. } => "range".into(),
            },
            Request::Approval(approval) => format!("approve {}", approval.tool.as_deref().unwrap_or(&approval.node)).into(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallKind {
    Llm,
    Db,
    Approval,
}

impl CallKind {
    /// As the wire names it.
    pub fn name(self) -> &'static str {
        match self {
            CallKind::Llm => "llm",
            CallKind::Db => "db",
            CallKind::Approval => "approval",
        }
    }
}

/// One question to a model, in parts; the worker joins them, so that building a prompt copies no fixed text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelRequest {
    /// The kind of the node that asks: `input`, `director` …
    pub role: Arc<str>,
    /// What it asks for, where it asks in more than one: `plan`, `compose`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Name>,
    /// `fast` or `strong`; settings say which model that is.
    pub model: Arc<str>,
    pub messages: Vec<ChatMessage>,
    /// The shape that the answer must have; `None` asks for text.
    pub schema: Option<Arc<Schema>>,
    /// Tools that the model may call natively.
    pub tools: Arc<[ToolSpec]>,
    /// Whether text comes as chunks while it is made.
    pub stream: bool,
    /// What comes as chunks of an answer with a schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streamed_field: Option<StreamedField>,
    /// Longest answer, in tokens.
    pub tokens_max: u32,
    /// Nobody waits for it: it makes way for calls of turns.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
}

/// The field of a structured answer that is written for the user. It is streamed, decoded, while the rest of the answer stays
/// hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamedField {
    /// A string at the top level of the answer.
    pub field: Name,
    /// Another such field, which excludes this one: stream only after it was seen to be null or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatMessage {
    pub role: Role,
    pub text: Text,
    /// What an assistant's message asked for.
    pub tool_calls: Vec<ToolCall>,
    /// Which call a tool's message answers.
    pub tool_call_id: Option<String>,
}

impl ChatMessage {
    pub fn new(role: Role, text: Text) -> Self {
        ChatMessage { role, text, tool_calls: Vec::new(), tool_call_id: None }
    }
}

/// Text in parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Text(pub Vec<Part>);

/// Fixed text of a prompt file, or what a named slot of it was filled with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Part {
    Fixed(Arc<str>),
    Slot(Name, String),
    /// What a slot says that changes by itself, such as the time. The model reads it; it is no part of what the question is
    /// known by.
    Passing(Name, String),
}

impl Part {
    pub fn text(&self) -> &str {
        match self {
            Part::Fixed(text) => text,
            Part::Slot(_, text) | Part::Passing(_, text) => text,
        }
    }
}

impl Text {
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|part| part.text().is_empty())
    }

    pub fn slot(name: impl Into<Name>, value: impl Into<String>) -> Self {
        Text(vec![Part::Slot(name.into(), value.into())])
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| f.write_str(part.text()))
    }
}

/// A JSON Schema as it stands in its file; sent with the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    pub name: String,
    /// Compact JSON, known to parse.
    pub json: Box<str>,
}

/// A tool as a model sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    pub name: Name,
    pub description: Name,
    /// JSON Schema of the arguments, known to parse.
    pub parameters: Name,
}

/// What a node would be asked now, for people who look at its prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    pub node: Arc<str>,
    /// The node's kind.
    pub role: Arc<str>,
    pub model: Arc<str>,
    /// Each with the stage that it belongs to, where the node asks in more than one: `plan`, `compose`.
    pub messages: Vec<(Option<Name>, ChatMessage)>,
    pub schema: Option<Arc<Schema>>,
    pub tools: Arc<[ToolSpec]>,
}

/// A tool that a model wants called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's name for this call, echoed with its result.
    pub id: String,
    pub tool: String,
    /// An object; what a provider sends as text has been parsed. Where its meaning is not certain the text as it came.
    pub args: Value,
}

/// What a finished call brought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// All of the text, unless it was streamed as chunks. Of an answer with a schema always all, also where a field was streamed.
    pub text: String,
    /// The text stands in the place of what was streamed: some of that turned out to be a thought.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_retold: bool,
    /// What the model thought, for the trace: it is never shown as an answer and never sent again.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub thoughts: String,
    pub tool_calls: Vec<ToolCall>,
    /// What a database brought.
    pub database: Option<Box<DatabaseAnswer>>,
    pub finish: Finish,
    /// The model that answered, as it calls itself.
    pub model: String,
    /// Why the model was called again before this answer came, a line for each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retries: Vec<String>,
}

impl Answer {
    /// What a model said, for its own eyes and for whoever looks closely.
    pub fn said(&self) -> String {
        match self.tool_calls.is_empty() {
            true => self.text.clone(),
            false => {
                let calls = self.tool_calls.iter().map(|call| format!("{}({})", call.tool, call.args));
                format!("{}{}", self.text, calls.collect::<Vec<_>>().join("; "))
            }
        }
    }

    /// Why there is nothing in it, where nothing is.
    pub fn silence(&self) -> Silence {
        match self.finish {
            Finish::ContentFilter => Silence::Withheld,
            Finish::Stop | Finish::Length | Finish::ToolCalls if self.thoughts.trim().is_empty() => Silence::Empty,
            Finish::Stop | Finish::Length | Finish::ToolCalls => Silence::OnlyThoughts,
        }
    }

    /// About what it takes to keep it.
    pub fn bytes(&self) -> usize {
        let calls: usize = self.tool_calls.iter().map(|call| call.id.len() + call.tool.len() + call.args.to_string().len()).sum();
        let rows = |database| serde_json::to_vec(database).expect("our own plain data is always JSON").len();
        self.text.len() + self.thoughts.len() + calls + self.database.as_deref().map_or(0, rows)
    }
}

/// Why a model said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Silence {
    #[default]
    Empty,
    OnlyThoughts,
    /// By a filter of the provider.
    Withheld,
}

impl Silence {
    /// For the model that is asked again.
    pub fn why(self) -> &'static str {
        match self {
            Silence::Empty => "it was empty",
            Silence::OnlyThoughts => "it held only thoughts and no answer",
            Silence::Withheld => "a filter withheld it",
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Silence::Empty => "The model gave no answer. Please try again, or put it in other words.",
            Silence::OnlyThoughts => "The model only thought about it and gave no answer. Please try again, or put it in other words.",
            Silence::Withheld => "The model's service withheld the answer. Please ask in another way.",
        })
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    #[default]
    Stop,
    /// Cut at the longest answer.
    Length,
    ToolCalls,
    /// Withheld by the provider.
    ContentFilter,
}

/// Tokens of all tries, as the provider counts them. Cached ones are part of `prompt_tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub total_tokens: u64,
    #[serde(default)]
    pub cached_tokens: u64,
    /// Part of `completion_tokens`: what the model thought before it answered. 0 where the provider doesn't say.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning_tokens: u64,
    /// What it cost, in millionths of the unit that the configured prices are in; 0 where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost_micros: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Usage {
    pub const NONE: Usage =
        Usage { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0, cached_tokens: 0, reasoning_tokens: 0, cost_micros: 0 };
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Usage) {
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.completion_tokens = self.completion_tokens.saturating_add(other.completion_tokens);
        self.total_tokens = self.total_tokens.saturating_add(other.total_tokens);
        self.cached_tokens = self.cached_tokens.saturating_add(other.cached_tokens);
        self.reasoning_tokens = self.reasoning_tokens.saturating_add(other.reasoning_tokens);
        self.cost_micros = self.cost_micros.saturating_add(other.cost_micros);
    }
}

/// Why a call brought nothing, or not all. The sentence is for the user: no address, key or stack is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallError {
    /// The pool's queue is full.
    Overloaded,
    /// Nothing came in time; `waited` says for what: `a connection`, `the first word` …
    Deadline {
        waited: String,
    },
    Unreachable,
    /// The provider refuses our key.
    Unauthorized,
    /// The provider knows no such model, or has nothing at this address.
    NotFound,
    /// The account has no credit left, or reached its spending limit: waiting doesn't help.
    QuotaExhausted,
    /// Too many requests in too short a time.
    RateLimited,
    /// The provider has more to do than it can, or is starting.
    Busy,
    /// The provider refuses this request.
    Rejected {
        status: u16,
    },
    /// The provider is at fault.
    Failed {
        status: u16,
    },
    /// The stream ended in the middle.
    Truncated,
    /// What came is not what the provider's interface promises.
    Unreadable,
    TooLarge,
    /// A bug of ours: the worker panicked.
    Panicked,
    Database(DatabaseFault),
    /// Someone stopped it.
    Cancelled,
    /// A recording answers, and this was not asked when it was made. `difference` says what was.
    NotOnTape {
        difference: String,
    },
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CallError::Overloaded => write!(f, "Too many answers are being made at once. Please try again in a moment."),
            CallError::Deadline { waited } => write!(f, "The model took too long: {waited} did not come in time. Please try again."),
            CallError::Unreachable => write!(f, "The model can't be reached right now. Please try again in a moment."),
            CallError::Unauthorized => write!(f, "The model's service refuses this server's key. Please tell the server's operator."),
            CallError::NotFound => {
                write!(f, "The model's service does not know this server's model. Please tell the server's operator.")
            }
            CallError::QuotaExhausted => {
                write!(f, "This server's account with the model's service is used up. Please tell the server's operator.")
            }
            CallError::RateLimited => write!(f, "The model's service is asked too often right now. Please try again in a minute."),
            CallError::Busy => write!(f, "The model's service is overloaded right now. Please try again in a few minutes."),
            CallError::Rejected { status } => {
                write!(f, "The model refused the request (status {status}). Please tell this server's operator.")
            }
            CallError::Failed { status } => write!(f, "The model's service failed (status {status}). Please try again."),
            CallError::Truncated => write!(f, "The model broke off in the middle of its answer. Please try again."),
            CallError::Unreadable => write!(f, "The model's answer could not be read. Please try again."),
            CallError::TooLarge => write!(f, "The model's answer was too long to take. Please ask for less."),
            CallError::Panicked => write!(f, "Something broke inside this server. Please try again; the next message works."),
            CallError::Database(fault) => write!(f, "{fault}"),
            CallError::Cancelled => write!(f, "The step was stopped."),
            CallError::NotOnTape { difference } => write!(f, "{difference}"),
        }
    }
}

impl CallError {
    /// As clients and logs name it.
    pub fn code(&self) -> Code {
        match self {
            CallError::Overloaded => Code::CallsFull,
            CallError::Deadline { .. } => Code::ModelTimeout,
            CallError::Unreachable => Code::ModelUnreachable,
            CallError::Unauthorized => Code::ModelUnauthorized,
            CallError::NotFound => Code::ModelNotFound,
            CallError::QuotaExhausted => Code::ModelQuotaExhausted,
            CallError::RateLimited => Code::ModelRateLimited,
            CallError::Busy => Code::ModelOverloaded,
            CallError::Rejected { .. } => Code::ModelRejected,
            CallError::Failed { .. } => Code::ModelFailed,
            CallError::Truncated => Code::ModelTruncated,
            CallError::Unreadable => Code::ModelUnreadable,
            CallError::TooLarge => Code::ModelTooLarge,
            CallError::Panicked => Code::CallPanicked,
            CallError::Database(_) => Code::DatabaseFailed,
            CallError::Cancelled => Code::CallCancelled,
            CallError::NotOnTape { .. } => Code::NotOnTape,
        }
    }
}
