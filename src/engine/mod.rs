//! The engine: sessions whose turns go through a graph in frames.
//!
//! [`Session::handle`] takes the time and one input and hands back effects. It cannot wait, cannot fail, and never asks what
//! time it is; so the same inputs give the same effects. `turn.rs` holds the life of a turn, `frame.rs` its frames, `call.rs`
//! its calls, `background.rs` what goes on behind it, `read.rs` and
//! `question.rs` what others may see.
//!
//! Invariants: turns begin in the order of their ids and end once, with one `done`; no call is out without a turn or a
//! background task that waits for it; a frame ends when the last of its calls has ended; a turn that does not end well changes
//! no control.

mod background;
mod call;
mod frame;
mod named;
mod question;
mod read;
mod size;
mod turn;

use crate::contract::{
    Accepted, CallId, Caller, ClientId, Code, Control, DatabaseInfo, Effect, Event, Input, Limits, Machine, Memory, Message, Now, Outcome,
    Refusal, Seq, Source, Time, ToolId, TurnDetail, TurnId, TurnResult, Ui, Usage, What,
};
use crate::graph::{Graph, Library};
use background::{Background, Finished};
use named::Named;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use turn::{Begun, Turn, Waiting};

/// One conversation: its graph, history, memory, controls and machines.
pub struct Session {
    library: Arc<Library>,
    graph: Arc<Graph>,
    limits: Limits,
    caller: Caller,
    is_open: bool,
    now: Now,
    history: VecDeque<Message>,
    history_seq: Seq,
    memory: Memory,
    ui: Ui,
    /// The controls that watchers have.
    shown: Arc<[Control]>,
    named: Named,
    ui_news: Vec<String>,
    databases: Vec<DatabaseInfo>,
    schema_cache: BTreeMap<String, Value>,
    turn: Option<Turn>,
    waiting: VecDeque<Waiting>,
    background: Option<Background>,
    /// A turn that ended while the memorizer ran.
    memorize_next: Option<Arc<Finished>>,
    /// The last turn that asked a model or could have.
    finished: Option<Arc<Finished>>,
    result: TurnResult,
    kept: VecDeque<TurnDetail>,
    idle_since: Option<Time>,
    turn_last: TurnId,
    call_last: CallId,
    tool_last: ToolId,
    seq_last: Seq,
    usage: Usage,
    engine: Arc<str>,
}

/// Machine steps that the next turn's model is told of.
const NEWS_MAX: usize = 20;

const CUT_OFF: &str = "The server had to shut down before this answer was finished. Please ask again in a moment.";

const BLANK: Refusal = Refusal::new(Code::MessageBlank, "the message is empty: send some text");

fn queue_full(waiting_max: usize) -> Refusal {
    Refusal::with(Code::QueueFull, format!("{waiting_max} messages are already waiting: let one finish, or stop the turn"))
}

fn stale_control(action: &str) -> Refusal {
    Refusal::with(Code::StaleControl, format!("control `{action}` is no longer offered: use one that is shown now, or write a message"))
}

fn unknown_graph(name: &str, known: &[String]) -> Refusal {
    Refusal::with(Code::UnknownGraph, format!("there is no graph `{name}`: choose one of {}", known.join(", ")))
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
            limits: Limits::default(),
            caller: from.clone(),
            is_open: false,
            now: Now::default(),
            history: VecDeque::new(),
            history_seq: Seq(0),
            memory: Memory::initial(&from.identity),
            ui: Ui::default(),
            shown: Arc::default(),
            named: Named::default(),
            ui_news: Vec::new(),
            databases: Vec::new(),
            schema_cache: BTreeMap::new(),
            turn: None,
            waiting: VecDeque::new(),
            background: None,
            memorize_next: None,
            finished: None,
            result: TurnResult::Idle,
            kept: VecDeque::new(),
            idle_since: None,
            turn_last: TurnId(0),
            call_last: CallId(0),
            tool_last: ToolId(0),
            seq_last: Seq(0),
            usage: Usage::default(),
            engine: "engine".into(),
        }
    }

    /// Called before `handle`: what the input would do, or why the session refuses it.
    pub fn accepts(&self, input: &Input) -> Result<Accepted, Refusal> {
        if let Some((turn, done)) = input.client_id().and_then(|client_id| self.named.find(client_id)) {
            return Ok(Accepted::Known { turn, done: done.cloned() });
        }
        match input {
            Input::Message { text, .. } if text.trim().is_empty() => Err(BLANK),
            Input::Action { action, source, .. } if self.ui.button(action, source.as_ref()).is_none() => Err(stale_control(action)),
            Input::Message { .. } | Input::Action { .. } => match self.waiting.len() < self.limits.waiting_max || self.turn.is_none() {
                true => Ok(Accepted::Begins(TurnId(self.turn_last.0 + 1))),
                false => Err(queue_full(self.limits.waiting_max)),
            },
            Input::Switch { graph, .. } if self.library.graph(graph).is_none() => Err(unknown_graph(graph, &self.library.names())),
            Input::Switch { .. }
            | Input::Opened { .. }
            | Input::Attached { .. }
            | Input::Cancel { .. }
            | Input::Stop
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
        assert!(self.is_open || matches!(input, Input::Opened { .. }), "a session's first input is `Opened`");
        self.now = Now { moment: self.now.moment.max(now.moment), wall: now.wall };
        if input.client_id().is_some_and(|client_id| self.named.find(client_id).is_some()) {
            return;
        }
        match input {
            Input::Opened { version: _, library: _, graph, databases, limits, from } => {
                self.databases = databases;
                self.open(&graph, limits, from);
            }
            Input::Attached { from } => self.meet(from, effects),
            Input::Message { text, dashboard, client_id, from } => {
                self.arrive(Begun::Message { text, dashboard }, client_id, from, effects)
            }
            Input::Action { action, data, source, client_id, from } => {
                self.arrive(Begun::Action { action, data, source }, client_id, from, effects);
            }
            Input::Cancel { call } => self.cancel(call, effects),
            Input::Stop => self.stop(effects),
            Input::Drain { cut } => self.drain(cut, effects),
            Input::Clear { from } => {
                self.meet(from, effects);
                self.renew(self.graph.clone(), false, effects);
            }
            Input::Switch { graph, keep, from } => {
                self.meet(from, effects);
                let graph = self.library.graph(&graph).expect("`accepts` has found the graph").clone();
                self.renew(graph, keep, effects);
            }
            Input::Chunk { call, text } => self.chunk(call, text, effects),
            Input::Completion { call, usage, waited_us, outcome } => self.completion(call, usage, waited_us, outcome, effects),
        }
        while self.turn.is_none() {
            let Some(waiting) = self.waiting.pop_front() else { break };
            self.begin(waiting, effects);
        }
    }

    fn open(&mut self, graph: &str, limits: Limits, from: Caller) {
        self.graph = self.library.graph(graph).expect("a session opens on a graph of its library").clone();
        self.limits = limits;
        self.memory = Memory::initial(&from.identity);
        self.caller = from;
        self.is_open = true;
        // Above every number of a session of this name that was before: who resumes from one of those is told of the gap.
        self.seq_last = Seq(self.now.wall.0);
    }

    /// Who the session talks to from now on. A name that nobody chose follows the identity.
    fn meet(&mut self, from: Caller, effects: &mut Vec<Effect>) {
        if self.memory.user_name == self.caller.identity && from.identity != self.caller.identity {
            self.memory.user_name.clone_from(&from.identity);
            self.show_memory(TurnId(0), self.engine.clone(), effects);
        }
        self.caller = from;
    }

    fn arrive(&mut self, begun: Begun, client_id: Option<ClientId>, from: Caller, effects: &mut Vec<Effect>) {
        self.meet(from, effects);
        self.turn_last.0 += 1;
        let id = self.turn_last;
        if let Some(client_id) = client_id.clone() {
            self.named.add(client_id.clone(), id, self.limits.waiting_max);
            self.emit(id, 0, self.engine.clone(), What::Accepted { client_id }, effects);
        }
        self.waiting.push_back(Waiting { id, client_id, begun, is_given_up: false });
    }

    /// Ends the running turn and those waiting.
    fn stop(&mut self, effects: &mut Vec<Effect>) {
        if let Some(turn) = self.turn.take() {
            self.end(turn, Outcome::Cancelled, effects);
        }
        while let Some(waiting) = self.waiting.pop_front() {
            let turn = self.turn_of(waiting, effects);
            self.end(turn, Outcome::Cancelled, effects);
        }
    }

    /// Gives up what waits, and what runs if it is to be `cut`. Nothing of it is remembered: a session that is played again
    /// after a restart goes on as any other.
    fn drain(&mut self, cut: bool, effects: &mut Vec<Effect>) {
        self.waiting.iter_mut().for_each(|waiting| waiting.is_given_up = true);
        if cut {
            if let Some(turn) = self.turn.take() {
                self.end(turn, Outcome::Failed(CUT_OFF.to_owned()), effects);
            }
            self.end_background(effects);
        }
    }

    /// Begins anew: ids, traces and the schema cache stay; `keep` carries history and memory over.
    fn renew(&mut self, graph: Arc<Graph>, keep: bool, effects: &mut Vec<Effect>) {
        // All that runs ends on the graph that it began on.
        self.stop(effects);
        self.end_background(effects);
        self.graph = graph;
        let mut has_new_memory = false;
        if !keep {
            self.history.clear();
            let situation = std::mem::take(&mut self.memory.situation);
            let initial = Memory { situation, ..Memory::initial(&self.caller.identity) };
            has_new_memory = std::mem::replace(&mut self.memory, initial) != self.memory;
        }
        let ui = std::mem::take(&mut self.ui);
        self.ui_news.clear();
        self.finished = None;
        self.result = TurnResult::Cleared;
        if !keep {
            self.emit(TurnId(0), 0, self.engine.clone(), What::Cleared, effects);
        }
        self.show(self.ui.controls(), TurnId(0), 0, effects);
        self.show_changed(&ui.machines, &ui.state, TurnId(0), 0, effects);
        if has_new_memory {
            self.show_memory(TurnId(0), self.engine.clone(), effects);
        }
        self.history_seq = self.seq_last;
    }

    /// Shows watchers what differs from these machines and this state.
    fn show_changed(&mut self, machines: &[Machine], state: &BTreeMap<String, Value>, turn: TurnId, frame: u32, effects: &mut Vec<Effect>) {
        if self.ui.machines != machines {
            let machines = self.ui.machines.clone().into();
            self.emit(turn, frame, self.engine.clone(), What::Machines { machines }, effects);
        }
        if self.ui.state != *state {
            let state = Arc::new(self.ui.state.clone());
            self.emit(turn, frame, self.engine.clone(), What::State { state }, effects);
        }
    }

    fn show_memory(&mut self, turn: TurnId, node: Arc<str>, effects: &mut Vec<Effect>) {
        let memory = Arc::new(self.memory.clone());
        self.emit(turn, 0, node, What::Memory { memory }, effects);
    }

    /// Shows watchers the whole new set of controls.
    fn show(&mut self, controls: Vec<Control>, turn: TurnId, frame: u32, effects: &mut Vec<Effect>) {
        self.shown = controls.into();
        self.emit(turn, frame, self.engine.clone(), What::Controls { controls: self.shown.clone() }, effects);
    }

    fn emit(&mut self, turn: TurnId, frame: u32, node: Arc<str>, what: What, effects: &mut Vec<Effect>) {
        self.seq_last.0 += 1;
        effects.push(Effect::Emit(Event { seq: self.seq_last, at: self.now.wall, turn, frame, node, what }));
    }

    /// The button that an action means now.
    fn button(&self, action: &str, source: Option<&Source>) -> Option<&crate::contract::Button> {
        self.ui.button(action, source)
    }
}

#[cfg(test)]
mod tests;
