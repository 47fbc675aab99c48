//! The nodes: small steps of which a graph is made, one file each.
//!
//! A node reads a [`View`], says in an [`Out`] what it wants shown and changed, and returns a [`Flow`]: what comes next. It
//! never changes the session itself, and what it waits with between a question and its answer is plain data, a [`Task`].
//!
//! To add a node: copy the nearest file and add a line to [`Kind`] and, if it asks, to [`asking::Asking`] or [`Task`]; the compiler
//! names the rest.

mod agent;
mod asking;
mod director;
mod expert;
mod fit;
mod input;
mod interpreter;
mod memorizer;
mod output;
mod pa;
mod packet;
mod plain;
mod prompt;
mod question;
pub mod schema;
mod screen;
mod sensor;
mod sequence;
mod slots;
mod thinker;
pub mod tools;
mod ui;
mod unrouted;

use crate::contract::{
    Answer, Caller, Change, ChatMessage, DatabaseInfo, DatabaseLimits, Limits, Memory, MemoryPatch, Message, ModelRequest, Name, Request,
    Schema, Time, ToolId, ToolSpec, Ui, Verdict, What, clip,
};
use crate::reading;
use asking::Asking;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use packet::{
    Action, AnsweredBy, Decision, ExpertPlan, Found, Interpretation, PaRouting, Packet, Perception, PlannedCall, Sensed, ToolReport,
};
pub use plain::Plain;
pub use prompt::{Prompt, PromptError};

/// What a node's `model` may be: settings say which model stands for each.
pub const MODELS: &[&str] = &["fast", "strong"];

/// What a node is. The name in a graph file is the variant's, in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Input,
    Director,
    Thinker,
    Interpreter,
    Output,
    Ui,
    Memorizer,
    Sensor,
    Agent,
    #[serde(alias = "pa_v1")]
    Pa,
    Expert,
}

/// A node as a graph file places it, with everything resolved.
#[derive(Clone, Debug)]
pub struct Node {
    pub name: Arc<str>,
    pub kind: Kind,
    /// The kind's name, as requests carry it.
    pub role: Arc<str>,
    /// One of [`MODELS`].
    pub model: Arc<str>,
    pub prompt: Prompt,
    pub schema: Option<Arc<Schema>>,
    pub tools: Arc<[ToolSpec]>,
    /// Questions that the node may ask in one frame, repairs not counted.
    pub rounds: u32,
    pub tokens_max: u32,
    /// Answers that need no model.
    pub plain: Plain,
    /// What an expert says when it puts results together.
    pub compose: Prompt,
    /// Where the two stand, below `graphs/`.
    pub prompt_file: Option<Box<str>>,
    pub compose_file: Option<Box<str>>,
    /// The database that `describe` and `query` ask.
    pub database: Option<Arc<str>>,
    pub database_limits: DatabaseLimits,
    /// What tables and columns mean where their names don't say, by `table` or `table.column`.
    pub notes: BTreeMap<String, String>,
    /// Where each route leads, as an index into the graph's nodes.
    pub edges: BTreeMap<String, usize>,
    /// How long the node, and each tool that needs it, waits for an approval; none need none.
    pub approve: Option<Duration>,
    pub approve_tools: BTreeMap<Name, Duration>,
    /// Nodes that run in the same frame.
    pub beside: Vec<usize>,
    /// The names of all nodes of its frame, its own first.
    pub together: Arc<[Arc<str>]>,
}

/// All that a node may read.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub node: &'a Node,
    /// Wall time: for what a prompt says of it.
    pub wall: Time,
    pub caller: &'a Caller,
    pub limits: &'a Limits,
    /// What the user wrote, or the control that they used, in words.
    pub message: &'a str,
    /// Finished messages, and the running turn's last.
    pub history: &'a VecDeque<Message>,
    pub memory: &'a Memory,
    /// Described tables, as `database.table`.
    pub schema: &'a BTreeMap<String, Value>,
    pub databases: &'a [DatabaseInfo],
    pub ui: &'a Ui,
    /// What the user sees, as their client told.
    pub dashboard: &'a [Value],
    /// What happened to machines since a model was last asked.
    pub ui_news: &'a [String],
    /// When the last turn ended, in wall time.
    pub idle_since: Option<Time>,
    /// What earlier frames of this turn produced.
    pub packet: &'a Packet,
    /// The turn's answer so far.
    pub answer: &'a str,
    /// The question that is being answered; none when a node begins.
    pub asked: Option<&'a Request>,
}

/// What a node wants shown at once and changed when its frame ends.
#[derive(Debug, Default)]
pub struct Out {
    pub events: Vec<What>,
    pub changes: Vec<Change>,
    pub patch: Option<MemoryPatch>,
    pub sensed: Option<Sensed>,
    /// Tables that were described, or that have changed since (`None`).
    pub learned: Vec<(String, Option<Value>)>,
    /// One line for the trace.
    pub summary: String,
    /// Why a model is called again for the same step.
    pub reason: Option<String>,
    /// Why what comes of this step is less than was planned.
    pub degraded: Option<String>,
    /// The last tool call of this session so far.
    pub tool_last: ToolId,
}

/// What comes next.
#[derive(Debug)]
pub enum Flow {
    /// A question; the node goes on with its answer.
    Ask(Request, Task),
    /// The frame's result and the way it takes.
    Go(Cow<'static, str>, Box<Found>),
    /// The whole answer, without a model.
    Say(String),
    /// Done, with nothing to hand on.
    Rest,
    /// The answer doesn't fit: the engine asks once more with `why`, then lets the task give up.
    Again { why: Unfit, task: Task },
    /// The turn can't go on; the sentence is for the user.
    Fail(String),
}

/// Why an answer doesn't fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// For the model; it may quote what the model wrote.
    pub why: String,
    /// For the trace and the log: without anything that a model or a user wrote.
    pub outline: String,
}

impl From<&str> for Unfit {
    /// A sentence that quotes nothing.
    fn from(sentence: &str) -> Unfit {
        Unfit { why: sentence.to_owned(), outline: sentence.to_owned() }
    }
}

/// What a node waits with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Task {
    /// A node that asks one question and routes by the answer.
    Asking(asking::Asking),
    Thinker(thinker::Thinking),
    Output(output::Speaking),
    Agent(agent::Round),
    Expert(expert::Expert),
}

impl Kind {
    /// The routes that a node of this kind can take; a graph draws an edge for each. Empty: a path ends here.
    pub fn routes(self) -> &'static [&'static str] {
        match self {
            Kind::Input => input::ROUTES,
            Kind::Director => director::ROUTES,
            Kind::Thinker => thinker::ROUTES,
            Kind::Interpreter => interpreter::ROUTES,
            Kind::Pa => pa::ROUTES,
            Kind::Expert => expert::ROUTES,
            Kind::Output | Kind::Ui | Kind::Memorizer | Kind::Sensor | Kind::Agent => &[],
        }
    }

    /// Whether its edges may have names of their own: those of the experts that it knows.
    pub fn knows_experts(self) -> bool {
        self == Kind::Pa
    }

    /// Whether a graph file gives the node a prompt.
    pub fn asks(self) -> bool {
        !matches!(self, Kind::Ui | Kind::Sensor)
    }

    /// The slots without which its prompt asks for something else than the node is there for.
    pub fn slots(self) -> &'static [&'static str] {
        match self {
            Kind::Input | Kind::Director | Kind::Pa | Kind::Output | Kind::Agent => &["message"],
            Kind::Thinker => &["message", "open", "decision"],
            Kind::Interpreter => &["message", "results"],
            Kind::Memorizer => &["message", "answer"],
            Kind::Expert => &["job"],
            Kind::Ui | Kind::Sensor => &[],
        }
    }

    /// Whether its model reads of its tools in the prompt and plans their calls.
    pub fn plans(self) -> bool {
        matches!(self, Kind::Director | Kind::Thinker | Kind::Expert)
    }

    /// Whether nobody waits for its calls.
    fn is_background(self) -> bool {
        self == Kind::Memorizer
    }

    /// Whether its answers have a schema.
    pub fn is_structured(self) -> bool {
        matches!(self, Kind::Input | Kind::Director | Kind::Thinker | Kind::Interpreter | Kind::Memorizer | Kind::Pa | Kind::Expert)
    }

    pub fn begin(self, view: &View<'_>, out: &mut Out) -> Flow {
        match self {
            Kind::Input => input::begin(view, out),
            Kind::Director => Asking::Director.begin(view),
            Kind::Thinker => thinker::begin(view, out),
            Kind::Interpreter => Asking::Interpreter.begin(view),
            Kind::Output => output::begin(view, out),
            Kind::Ui => ui::begin(view, out),
            Kind::Memorizer => Asking::Memorizer.begin(view),
            Kind::Sensor => sensor::begin(view, out),
            Kind::Agent => agent::begin(view, out),
            Kind::Pa => Asking::Pa.begin(view),
            Kind::Expert => expert::begin(view, out),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Input => "input",
            Kind::Director => "director",
            Kind::Thinker => "thinker",
            Kind::Interpreter => "interpreter",
            Kind::Output => "output",
            Kind::Ui => "ui",
            Kind::Memorizer => "memorizer",
            Kind::Sensor => "sensor",
            Kind::Agent => "agent",
            Kind::Pa => "pa",
            Kind::Expert => "expert",
        })
    }
}

impl Task {
    pub fn resume(self, view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        // Where JSON is wanted, an empty text differs from one that isn't JSON.
        let wants_json = matches!(view.asked, Some(Request::Model(request)) if request.schema.is_some());
        if wants_json && answer.text.trim().is_empty() {
            return Flow::Again { why: answer.silence().why().into(), task: self };
        }
        match self {
            Task::Asking(task) => task.resume(view, out, &answer.text),
            Task::Thinker(task) => task.resume(view, out, answer),
            Task::Output(task) => task.resume(view, out, answer),
            Task::Agent(task) => task.resume(view, out, answer),
            Task::Expert(task) => task.resume(view, out, answer),
        }
    }

    /// Goes on after a person has answered whether a tool may be called.
    pub fn decided(self, view: &View<'_>, out: &mut Out, verdict: Verdict) -> Flow {
        match self {
            Task::Thinker(task) => task.decided(view, out, verdict),
            Task::Agent(task) => task.decided(view, out, verdict),
            Task::Expert(task) => task.decided(view, out, verdict),
            Task::Asking(_) | Task::Output(_) => unreachable!("only tools wait for an approval within a node"),
        }
    }

    /// The node's default route, taken when the model's second answer doesn't fit either, or the path's calls are used up.
    pub fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        match self {
            Task::Asking(task) => task.give_up(view, out),
            Task::Thinker(task) => task.give_up(view, out),
            Task::Output(task) => task.give_up(view, out),
            Task::Agent(task) => task.give_up(view, out),
            Task::Expert(task) => task.give_up(view, out),
        }
    }
}

/// Takes over what was learned of tables (`None`: forgotten); a table that isn't known yet only while there is room.
pub fn learn(schema: &mut BTreeMap<String, Value>, learned: Vec<(String, Option<Value>)>, tables_max: usize) {
    for (table, columns) in learned {
        match columns {
            Some(columns) if schema.len() < tables_max || schema.contains_key(&table) => drop(schema.insert(table, columns)),
            Some(_) => {}
            None => drop(schema.remove(&table)),
        }
    }
}

impl<'v> View<'v> {
    /// What is known of tables with what this step has learned of them.
    fn schema_with(&self, out: &Out) -> Cow<'v, BTreeMap<String, Value>> {
        let mut schema = Cow::Borrowed(self.schema);
        if !out.learned.is_empty() {
            learn(schema.to_mut(), out.learned.clone(), self.limits.schema_tables_max);
        }
        schema
    }

    /// The node's database; nothing where settings name none of that name.
    fn database(&self) -> Option<&'v DatabaseInfo> {
        let name = self.node.database.as_deref()?;
        self.databases.iter().find(|known| known.name == name)
    }

    /// A question in the node's own prompt, answered in the node's schema.
    fn ask(&self, task: Task) -> Flow {
        Flow::Ask(Request::Model(self.request(self.node.prompt.fill(self), false)), task)
    }

    fn request(&self, messages: Vec<ChatMessage>, stream: bool) -> ModelRequest {
        ModelRequest {
            role: self.node.role.clone(),
            stage: None,
            background: self.node.kind.is_background(),
            model: self.node.model.clone(),
            messages,
            schema: self.node.schema.clone(),
            tools: self.native_tools(),
            stream,
            streamed_field: None,
            tokens_max: self.node.tokens_max,
        }
    }

    /// Tools that the model calls by itself; other nodes read of theirs in the prompt and plan them.
    fn native_tools(&self) -> Arc<[ToolSpec]> {
        if self.node.kind == Kind::Agent { self.node.tools.clone() } else { Arc::default() }
    }

    /// Finished messages before the running turn's own.
    fn earlier(&self) -> impl DoubleEndedIterator<Item = &Message> {
        let own = self.packet.turn;
        self.history.iter().filter(move |message| message.id != own)
    }
}

impl Out {
    /// What a step writes to, in a session that has made `tool_last` tool calls.
    pub fn after(tool_last: ToolId) -> Out {
        Out { tool_last, ..Out::default() }
    }

    /// Shows that a tool is called.
    fn tool_call(&mut self, tool: &str, args: Value) -> ToolId {
        self.tool_last.0 += 1;
        self.events.push(What::ToolCall { id: self.tool_last, tool: tool.to_owned(), args });
        self.tool_last
    }

    /// Shows what became of it.
    fn tool_result(&mut self, id: ToolId, tool: &str, ok: bool, summary: &str, rows: Option<u64>) {
        self.events.push(What::ToolResult { id, tool: tool.to_owned(), ok, summary: clip(summary, 500), rows });
    }

    /// Progress that people see while the node works.
    pub fn progress(&mut self, text: impl Into<Arc<str>>) {
        self.events.push(What::Progress { text: text.into() });
    }
}

/// Reads a structured answer, or says what is wrong with it.
fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Unfit> {
    reading::read(text).map_err(|wrong| Unfit { why: wrong.to_string(), outline: wrong.outline() })
}

/// A value as a trace event shows it.
fn shown(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("our own plain data is always JSON")
}

#[cfg(test)]
pub(crate) mod testing;
