//! The engine: sessions whose turns go through a graph in frames.
//!
//! [`Session::handle`] takes the time and one input and returns effects. It cannot wait, cannot fail and reads no clock, so
//! the same inputs give the same effects. `turn.rs` holds the life of a turn, `frame.rs` its frames, `call.rs` all calls,
//! `approve.rs` what waits for a person, `background.rs` what runs after a turn, `busy.rs` what a message does to a running turn,
//! `reset.rs` how things end early, `resume.rs` how they go on after a restart, `fork.rs` how a session goes on that was another one's,
//! `revise.rs` how an answer is made again and a message edited, `reload.rs` how graphs change, `hold.rs` how turns wait for their caller,
//! `show.rs` what watchers see, `read.rs` and
//! `question.rs` what others may read, `snapshot.rs` how a session is saved and loaded.
//!
//! Invariants: turns start in the order of their ids and end once, with one `done`; no call is out without a turn or a
//! background task that waits for it; a frame ends when the last of its calls has ended; a turn that does not end well changes
//! no control.

mod approve;
mod background;
mod busy;
mod call;
mod fork;
mod frame;
mod hold;
mod named;
mod question;
mod read;
mod reload;
mod reset;
mod resume;
mod revise;
mod show;
mod size;
mod snapshot;
mod turn;

use crate::contract::{
    Accepted, CallId, Caller, ClientId, Code, Control, DatabaseInfo, Effect, Input, Limits, Machine, Memory, Message, Now, Outcome,
    Refusal, Seq, Time, ToolId, TurnDetail, TurnId, TurnResult, Ui, Usage, Verdict, What, clip,
};
use crate::graph::{Graph, Library};
use crate::nodes::{Node, View, schema};
use background::Background;
use call::Running;
use fork::Forked;
use named::Named;
use reload::Next;
pub use resume::first_seq;
use serde::{Deserialize, Serialize};
use serde_json::Value;
pub use size::{input_bytes, value_bytes};
pub use snapshot::{RestoreError, Snapshot};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use turn::{About, Begun, Turn, Waiting};

/// One conversation: what it runs on, and all that has become of it.
pub struct Session {
    /// What a switch chooses from.
    library: Arc<Library>,
    /// What turns run on. A reload may have taken it out of the library: it stays until a switch.
    graph: Arc<Graph>,
    /// What the background runs on, where a reload came while it was at work.
    graph_behind: Option<Arc<Graph>>,
    /// A library that was handed over, and one that waits for the running turn to end.
    offered: Option<Arc<Library>>,
    next: Option<Next>,
    /// Turns wait until they are begun: see `hold.rs`.
    is_held: bool,
    /// The node that an event names where no node speaks.
    engine: Arc<str>,
    setup: Setup,
    conversation: Conversation,
    work: Work,
    kept: Kept,
    counters: Counters,
}

/// Under what a session runs, stated when it opens; and with whom.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Setup {
    is_open: bool,
    limits: Limits,
    databases: Vec<DatabaseInfo>,
    caller: Caller,
}

/// What nodes read and change.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Conversation {
    history: VecDeque<Message>,
    /// The last event that the history includes.
    history_seq: Seq,
    memory: Memory,
    ui: Ui,
    /// What watchers have of it.
    shown: Shown,
    /// Machine steps since a model was last called.
    ui_news: Vec<String>,
    schema_cache: BTreeMap<String, Value>,
    /// When the last turn ended, in wall time.
    idle_since: Option<Time>,
}

/// Controls, machines and state as watchers have them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Shown {
    controls: Arc<[Control]>,
    machines: Arc<[Machine]>,
    state: Arc<BTreeMap<String, Value>>,
}

/// What is going on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Work {
    turn: Option<Turn>,
    waiting: VecDeque<Waiting>,
    /// What waits is left to the next server.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_kept_waiting: bool,
    background: Option<Background>,
    /// A turn that ended while the background was busy.
    background_next: Option<Arc<About>>,
    /// Calls that are out, of the turn and of the background.
    calls: Vec<Running>,
}

/// What is kept of turns that have ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Kept {
    result: TurnResult,
    turns: VecDeque<TurnDetail>,
    /// The last turn that called a model or could have.
    last: Option<Arc<About>>,
    /// The graph has changed since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_reloaded: bool,
    named: Named,
}

/// The time of the latest input, and numbers that only go up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counters {
    now: Now,
    turn_last: TurnId,
    call_last: CallId,
    tool_last: ToolId,
    seq_last: Seq,
    usage: Usage,
}

/// What a refusal repeats of a name.
const NAME_BYTES_MAX: usize = 80;

const BLANK: Refusal = Refusal::new(Code::MessageBlank, "the message is empty: send some text");

fn queue_full(waiting_max: usize) -> Refusal {
    Refusal::with(Code::QueueFull, format!("the queue of waiting messages is full (limit {waiting_max}): let one finish, or stop the turn"))
}

fn stale_control(action: &str) -> Refusal {
    Refusal::with(
        Code::StaleControl,
        format!("control `{}` is no longer offered: use one that is shown now, or write a message", clip(action, NAME_BYTES_MAX)),
    )
}

fn unknown_graph(name: &str, known: &[String]) -> Refusal {
    Refusal::with(Code::UnknownGraph, format!("there is no graph `{}`: choose one of {}", clip(name, NAME_BYTES_MAX), known.join(", ")))
}

impl Session {
    /// A session that nothing has happened to: what reads show before its first input, which is [`Input::Opened`].
    ///
    /// # Panics
    /// When the library has no graph of that name: settings are checked before.
    pub fn new(library: Arc<Library>, graph: &str, from: &Caller) -> Session {
        let graph = library.graph(graph).expect("the configured graph is in the library").clone();
        Session {
            library,
            graph,
            graph_behind: None,
            offered: None,
            next: None,
            is_held: false,
            engine: "engine".into(),
            setup: Setup { is_open: false, limits: Limits::default(), databases: Vec::new(), caller: from.clone() },
            conversation: Conversation {
                history: VecDeque::new(),
                history_seq: Seq(0),
                memory: Memory::initial(&from.identity),
                ui: Ui::default(),
                shown: Shown::default(),
                ui_news: Vec::new(),
                schema_cache: BTreeMap::new(),
                idle_since: None,
            },
            work: Work::default(),
            kept: Kept::default(),
            counters: Counters::default(),
        }
    }

    /// Called before `handle`: what the input would do, or why the session refuses it.
    pub fn accepts(&self, input: &Input) -> Result<Accepted, Refusal> {
        if let Some((turn, done)) = input.client_id().and_then(|client_id| self.kept.named.find(client_id)) {
            return Ok(Accepted::Known { turn, done: done.cloned() });
        }
        match input {
            Input::Message { text, .. } | Input::Edit { text, .. } if text.trim().is_empty() => Err(BLANK),
            Input::Action { action, source, .. } if self.conversation.ui.button(action, source.as_ref()).is_none() => {
                Err(stale_control(action))
            }
            Input::Message { .. } | Input::Action { .. } => {
                self.has_room_for(input)?;
                Ok(Accepted::Begins(TurnId(self.counters.turn_last.0 + 1)))
            }
            Input::Retry { turn, .. } => {
                self.has_room_for(input)?;
                self.retried(*turn).map(|_| Accepted::Begins(TurnId(self.counters.turn_last.0 + 1)))
            }
            Input::Edit { turn, .. } => {
                self.has_room_for(input)?;
                self.edited(*turn).map(|()| Accepted::Begins(TurnId(self.counters.turn_last.0 + 1)))
            }
            Input::Approve { call, .. } => self.may_answer(*call).map(Accepted::Resumes),
            Input::Switch { graph, .. } if self.library_ahead().graph(graph).is_none() => {
                Err(unknown_graph(graph, &self.library_ahead().names()))
            }
            Input::Switch { .. }
            | Input::Opened { .. }
            | Input::Resumed { .. }
            | Input::Surveyed { .. }
            | Input::Reloaded { .. }
            | Input::Forked { .. }
            | Input::Attached { .. }
            | Input::Due
            | Input::Cancel { .. }
            | Input::Stop
            | Input::StopRunning
            | Input::Drain { .. }
            | Input::Clear { .. }
            | Input::Chunk { .. }
            | Input::Completion { .. } => Ok(Accepted::Plain),
        }
    }

    /// The only way in which a session changes. A message with a known client id changes nothing. `now.moment` never runs
    /// backwards; one that does is taken as the last. `now.wall` is data.
    ///
    /// # Panics
    /// On an input that `accepts` refuses, and when the first input is not [`Input::Opened`]: bugs of the caller.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Vec<Effect>) {
        assert!(self.setup.is_open || matches!(input, Input::Opened { .. }), "a session's first input is `Opened`");
        self.counters.now = Now { moment: self.counters.now.moment.max(now.moment), wall: now.wall };
        if input.client_id().is_some_and(|client_id| self.kept.named.find(client_id).is_some()) {
            return;
        }
        self.make_way(&input, effects);
        match input {
            Input::Opened { version: _, library: _, graph, databases, limits, from, generation } => {
                self.open(&graph, limits, databases, from);
                // Above every number of an earlier session of this name: a client that resumes from one of those learns of the gap.
                self.counters.seq_last = first_seq(generation).unwrap_or(Seq(now.wall.0));
            }
            Input::Resumed { generation, rerun } => self.resumed(generation, rerun, effects),
            Input::Forked { of: _, turn: _, memory, library, frame, begins } => {
                let (memory, begins) = (memory.map(|memory| *memory), begins.map(|begins| *begins));
                return self.forked(Forked { memory, library, is_in_turn: frame.is_some(), begins }, effects);
            }
            Input::Surveyed { databases } => self.surveyed(databases),
            Input::Reloaded { library, limits } => self.reloaded(&library, limits),
            Input::Attached { from } => self.meet(from, effects),
            Input::Message { text, dashboard, client_id, while_busy: _, from } => {
                self.enqueue(Begun::Message { text: text.into(), dashboard }, client_id, from, effects);
            }
            Input::Action { action, data, source, client_id, while_busy: _, from } => {
                self.enqueue(Begun::Action { action, data, source }, client_id, from, effects);
            }
            Input::Retry { turn, client_id, from } => self.retry(turn, client_id, from, effects),
            Input::Edit { turn, text, dashboard, client_id, from } => {
                self.replace_from(turn, Begun::Message { text: text.into(), dashboard }, client_id, from, effects);
            }
            Input::Approve { call, approved, client_id, from } => {
                let verdict = if approved { Verdict::Approved } else { Verdict::Declined };
                self.approve(call, verdict, client_id, from, effects);
            }
            Input::Due => self.expire(effects),
            Input::Cancel { call } => self.cancel(call, effects),
            Input::Stop => self.stop(effects),
            Input::StopRunning => self.stop_running(Outcome::Cancelled, effects),
            Input::Drain { cut, keeps } => self.drain(cut, keeps, effects),
            Input::Clear { from } => {
                self.meet(from, effects);
                self.reset(None, false, effects);
            }
            Input::Switch { graph, keep, from } => {
                self.meet(from, effects);
                let graph = self.library_ahead().graph(&graph).expect("`accepts` has found the graph").clone();
                self.reset(Some(graph), keep, effects);
            }
            Input::Chunk { call, text } => self.chunk(call, &text, effects),
            Input::Completion { call, usage, waited_us, outcome } => self.completion(call, usage, waited_us, outcome, effects),
        }
        while self.work.turn.is_none() {
            self.adopt();
            if self.is_held || self.work.is_kept_waiting {
                break;
            }
            let Some(waiting) = self.work.waiting.pop_front() else { break };
            self.begin(waiting, effects);
        }
    }

    fn open(&mut self, graph: &str, limits: Limits, databases: Vec<DatabaseInfo>, from: Caller) {
        self.graph = self.library.graph(graph).expect("a session opens on a graph of its library").clone();
        self.conversation.memory = Memory::initial(&from.identity);
        self.setup = Setup { is_open: true, limits, databases, caller: from };
    }

    /// Takes what a new survey found. A description that it contradicts is older: the table is described again at its next query.
    fn surveyed(&mut self, databases: Vec<DatabaseInfo>) {
        self.conversation.schema_cache.retain(|table, columns| schema::agrees(&databases, table, columns));
        self.setup.databases = databases;
    }

    /// Who the session talks to from now on. A name that nobody chose follows the identity.
    fn meet(&mut self, from: Caller, effects: &mut Vec<Effect>) {
        let before = std::mem::replace(&mut self.setup.caller, from);
        let identity = &self.setup.caller.identity;
        if self.conversation.memory.user_name == before.identity && *identity != before.identity {
            self.conversation.memory.user_name.clone_from(identity);
            self.show_memory(TurnId(0), self.engine.clone(), effects);
        }
    }

    fn enqueue(&mut self, begun: Begun, client_id: Option<ClientId>, mut from: Caller, effects: &mut Vec<Effect>) {
        // The turn's, and not that of whom the session talks to.
        let trace = from.trace.take();
        self.meet(from, effects);
        self.counters.turn_last.0 += 1;
        let id = self.counters.turn_last;
        if let Some(client_id) = client_id.clone() {
            self.kept.named.add(client_id.clone(), id, self.setup.limits.waiting_max);
            self.emit(id, 0, self.engine.clone(), What::Accepted { client_id }, effects);
        }
        self.work.waiting.push_back(Waiting { id, client_id, begun, trace, replaces: None, is_too_late: false });
    }

    /// All that a node may read, at a wall time: the one place where a view is built.
    fn view_at<'a>(&'a self, wall: Time, about: &'a About, node: &'a Node) -> View<'a> {
        let conversation = &self.conversation;
        View {
            node,
            wall,
            caller: &self.setup.caller,
            limits: &self.setup.limits,
            message: &about.message,
            history: &conversation.history,
            memory: &conversation.memory,
            schema: &conversation.schema_cache,
            databases: &self.setup.databases,
            ui: &conversation.ui,
            dashboard: &about.dashboard,
            ui_news: &conversation.ui_news,
            idle_since: conversation.idle_since,
            packet: &about.packet,
            answer: &about.answer,
            asked: None,
        }
    }
}

#[cfg(test)]
mod tests;
