//! The life of a turn: it waits, begins, goes through frames, and ends once.

use super::Session;
use super::call::Lane;
use super::frame::Frame;
use super::revise::{self, Replaced};
use crate::contract::{
    CallDetail, CallStatus, ClientId, Effect, FrameRecord, Message, Name, Now, Outcome, Role, Source, Trace, TraceContext, TurnDetail,
    TurnId, TurnResult, Usage, What, clip,
};
use crate::graph::Entry;
use crate::nodes::{Action, Packet};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// What began a turn.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Begun {
    Message { text: Arc<str>, dashboard: Vec<Value> },
    Action { action: String, data: Value, source: Option<Source> },
}

/// A turn that has been accepted and not begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) id: TurnId,
    pub(super) client_id: Option<ClientId>,
    pub(super) begun: Begun,
    #[serde(default)]
    pub(super) trace: Option<TraceContext>,
    /// What it comes in the place of, and all variants of its message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<Replaced>,
    /// The server ends before its turn comes.
    pub(super) is_too_late: bool,
}

/// What nodes read of a turn, while it runs and after.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) started: Now,
    /// What models read.
    pub(super) message: Arc<str>,
    pub(super) dashboard: Vec<Value>,
    pub(super) packet: Packet,
    pub(super) answer: String,
    /// Its place in a distributed trace.
    #[serde(default)]
    pub(super) trace: Option<TraceContext>,
    /// Which control began it, where the action says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Source>,
}

/// All that one message or action sets off.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Turn {
    pub(super) about: About,
    pub(super) client_id: Option<ClientId>,
    /// What it was begun with: it may have to begin again.
    pub(super) begun: Begun,
    pub(super) entry: Entry,
    /// What it came in the place of: it returns if the turn is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) replaces: Option<Replaced>,
    /// What people read: the text, or the label of the control.
    pub(super) title: Arc<str>,
    /// What nodes reported while they worked.
    pub(super) progress: String,
    /// The last answer's controls have made way for this one's.
    pub(super) is_fresh: bool,
    pub(super) frame: Frame,
    pub(super) frames: Vec<FrameRecord>,
    /// The nodes so far.
    pub(super) path: Vec<usize>,
    /// Model calls so far.
    pub(super) calls: u32,
    pub(super) database_calls: u32,
    pub(super) usage: Usage,
    /// The graph's hash, where a reload changed it before this turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reloaded: Option<Arc<str>>,
    /// Which nodes took their default route, and why.
    pub(super) degraded: Vec<String>,
    pub(super) details: Vec<CallDetail>,
    /// The last event of the node at work.
    pub(super) event: Name,
    /// The node whose frame begins with the next input, in a session that was forked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) again: Option<usize>,
}

/// Machine steps that the next turn's model reads of.
const NEWS_MAX: usize = 20;
/// Bytes of the sentence that a failed turn ends with.
const FAILURE_BYTES_MAX: usize = 4_000;

const GONE: &str = "That control went away before its turn came. Please use one that is shown now.";
const TOO_LATE: &str = "The server shut down before the turn of this message came. Please send it again in a moment.";

impl About {
    pub(super) fn id(&self) -> TurnId {
        self.packet.turn
    }
}

impl Turn {
    /// µs after the turn's start.
    pub(super) fn at(&self, now: Now) -> u64 {
        now.moment.since(self.about.started.moment)
    }
}

impl Session {
    /// Makes a turn that has done nothing yet the one that runs.
    pub(super) fn start(&mut self, waiting: Waiting, effects: &mut Vec<Effect>) {
        let Waiting { id, client_id, begun, trace, replaces, is_too_late: _ } = waiting;
        let mut packet = Packet { turn: id, ..Packet::default() };
        let again = begun.clone();
        let source = if let Begun::Action { source, .. } = &begun { source.clone() } else { None };
        let (entry, message, title, dashboard) = match begun {
            Begun::Message { text, dashboard } => (Entry::Message, text.clone(), text, dashboard),
            Begun::Action { action, data, source } => {
                let button = self.conversation.ui.button(&action, source.as_ref());
                let label = button.map_or_else(|| action.clone(), |button| button.label.clone());
                let data = if data.is_null() { button.and_then(|button| button.payload.clone()).unwrap_or_default() } else { data };
                let title: Arc<str> = label.as_str().into();
                let go = button.and_then(|button| match (&button.source, &button.go) {
                    (Source::Machine(id), Some(to)) => Some((id.clone(), to.clone())),
                    (Source::Machine(_) | Source::Thinker | Source::Approval(_), _) => None,
                });
                let entry = if go.is_some() { Entry::Machine } else { Entry::Action };
                let message = match (entry, &data) {
                    // No model reads of a machine's own button.
                    (Entry::Machine, _) => title.clone(),
                    (Entry::Action | Entry::Message, Value::Null) => format!("action: {action} (the control «{label}» was used)").into(),
                    (Entry::Action | Entry::Message, data) => {
                        format!("action: {action} (the control «{label}» was used with data {data})").into()
                    }
                };
                packet.action = Some(Action { action, label, data, go });
                (entry, message, title, Vec::new())
            }
        };
        let what = What::TurnStarted { message: title.clone(), client_id: client_id.clone(), entry };
        self.emit(id, 0, self.engine.clone(), what, effects);
        let reloaded = self.take_reloaded();
        self.work.turn = Some(Turn {
            about: About { started: self.counters.now, message, dashboard, packet, answer: String::new(), trace, source },
            client_id,
            begun: again,
            replaces,
            entry,
            title,
            progress: String::new(),
            is_fresh: entry == Entry::Machine,
            frame: Frame::default(),
            frames: Vec::new(),
            path: Vec::new(),
            calls: 0,
            database_calls: 0,
            usage: Usage::default(),
            reloaded,
            degraded: Vec::new(),
            details: Vec::new(),
            event: Name::default(),
            again: None,
        });
    }

    pub(super) fn begin(&mut self, waiting: Waiting, effects: &mut Vec<Effect>) {
        let in_vain = match &waiting.begun {
            _ if waiting.is_too_late => Some(TOO_LATE),
            Begun::Action { action, source, .. } if self.conversation.ui.button(action, source.as_ref()).is_none() => Some(GONE),
            Begun::Action { .. } | Begun::Message { .. } => None,
        };
        self.start(waiting, effects);
        self.keep_question(false);
        self.show_replaced(effects);
        if let Some(why) = in_vain {
            return self.end(Outcome::Failed { why: why.to_owned(), code: None }, effects);
        }
        let first = self.graph.entries[&self.work.turn().entry];
        self.sense();
        let step = self.enter(first, effects);
        self.advance(step, effects);
    }

    /// Goes on until a call is out or the turn has ended.
    pub(super) fn advance(&mut self, mut step: Result<(), Outcome>, effects: &mut Vec<Effect>) {
        loop {
            step = match step {
                Err(outcome) => return self.end(outcome, effects),
                Ok(()) if self.work.is_waiting(Lane::Turn) => return,
                Ok(()) => match self.close(effects) {
                    Some(next) => self.enter(next, effects),
                    None => Err(Outcome::Answered),
                },
            }
        }
    }

    /// Ends the turn, once, whatever it was doing.
    pub(super) fn end(&mut self, mut outcome: Outcome, effects: &mut Vec<Effect>) {
        if self.work.calls.iter().any(|running| running.approval().is_some()) {
            self.end_calls(Lane::Turn, effects);
            self.show_approvals(effects);
        }
        self.end_calls(Lane::Turn, effects);
        if self.work.turn().frame.number > self.work.turn().frames.len() as u32 {
            self.record_frame();
        }
        let mut restored = Vec::new();
        match outcome {
            Outcome::Withdrawn => restored = self.withdraw(),
            Outcome::Answered | Outcome::Cancelled | Outcome::Failed { .. } => self.keep_answer(&outcome),
        }
        let mut turn = self.work.turn.take().expect("it has just been read");
        let (id, frame, client_id) = (turn.about.id(), turn.frame.number, turn.client_id.clone());
        let status = match &mut outcome {
            Outcome::Answered => CallStatus::Done,
            Outcome::Cancelled | Outcome::Withdrawn => CallStatus::Cancelled,
            Outcome::Failed { why, code: _ } => {
                *why = clip(why, FAILURE_BYTES_MAX);
                let node = turn.frame.nodes.first().unwrap_or(&self.engine).clone();
                self.emit(id, frame, node, What::Error { detail: why.clone() }, effects);
                CallStatus::Error
            }
        };
        let trace = Arc::new(self.trace(&mut turn, status));
        let action = turn.about.packet.action.as_ref().map(|action| action.action.clone());
        self.kept.turns.push_back(TurnDetail { trace: trace.clone(), action, calls: std::mem::take(&mut turn.details) });
        if self.kept.turns.len() > self.setup.limits.traces_max {
            self.kept.turns.pop_front();
        }
        self.kept.result = match &outcome {
            Outcome::Answered => TurnResult::Done { id, response: turn.about.answer.clone(), degraded: trace.degraded.clone(), client_id },
            Outcome::Cancelled | Outcome::Withdrawn => {
                TurnResult::Error { id, detail: "The answer was stopped.".to_owned(), code: None, client_id }
            }
            Outcome::Failed { why, code } => TurnResult::Error { id, detail: why.clone(), code: *code, client_id },
        };
        self.kept.named.end(id, &outcome);
        self.note_news(&turn, &outcome);
        self.conversation.idle_since = Some(self.counters.now.wall);
        self.emit(id, frame, self.engine.clone(), What::FrameTrace { trace }, effects);
        let (is_answered, is_withdrawn) = (outcome == Outcome::Answered, outcome == Outcome::Withdrawn);
        if is_withdrawn {
            self.emit(id, frame, self.engine.clone(), What::Withdrawn { restored }, effects);
        }
        self.emit(id, frame, self.engine.clone(), What::Done { outcome, client_id: turn.client_id }, effects);
        self.conversation.history_seq = self.counters.seq_last;
        if turn.entry != Entry::Machine && !is_withdrawn {
            let about = Arc::new(turn.about);
            self.kept.last = Some(about.clone());
            // Of a message that was answered without a model there is nothing to remember.
            if is_answered && turn.calls > 0 {
                self.memorize(about, effects);
            }
        }
    }

    /// Puts the user's message into the history. A machine's own button says nothing.
    fn keep_question(&mut self, partial: bool) {
        let turn = self.work.turn();
        if turn.entry != Entry::Machine {
            let message = Message::new(Role::User, &*turn.title, turn.about.id());
            let variants = turn.replaces.as_ref().map(|replaces| replaces.variants.clone()).unwrap_or_default();
            self.keep(Message { partial, client_id: turn.client_id.clone(), variants, ..message });
            self.conversation.history_seq = self.counters.seq_last;
        }
    }

    /// Puts what was shown into the history; where nothing was, marks the question itself.
    fn keep_answer(&mut self, outcome: &Outcome) {
        let turn = self.work.turn();
        let (id, partial, progress) = (turn.about.id(), *outcome != Outcome::Answered, turn.progress.clone());
        if !turn.about.answer.is_empty() {
            self.keep(Message { partial, progress, ..Message::new(Role::Assistant, turn.about.answer.clone(), id) });
        } else if partial {
            match self.conversation.history.iter_mut().rev().find(|message| message.id == id) {
                Some(question) => (question.partial, question.progress) = (true, progress),
                None => self.keep_question(true),
            }
        }
    }

    fn keep(&mut self, message: Message) {
        let (history, limits) = (&mut self.conversation.history, &self.setup.limits);
        history.push_back(message);
        let mut bytes: usize = history.iter().map(Message::bytes).sum();
        if bytes > limits.history_bytes_max {
            bytes -= revise::make_room(history, bytes - limits.history_bytes_max);
        }
        while history.len() > limits.history_max || (bytes > limits.history_bytes_max && history.len() > 1) {
            bytes -= history.pop_front().map_or(0, |message| message.bytes());
        }
    }

    fn note_news(&mut self, turn: &Turn, outcome: &Outcome) {
        if *outcome != Outcome::Answered {
            return;
        }
        let news = &mut self.conversation.ui_news;
        match &turn.about.packet.action {
            Some(Action { label, go: Some((machine, to)), .. }) => {
                let label = clip(label, 80);
                news.push(["«", &label, "» was pressed; machine `", machine, "` is now in state `", to, "`"].concat());
                let excess = news.len().saturating_sub(NEWS_MAX);
                news.drain(..excess);
            }
            // A greeting that needs no model reports to nobody.
            Some(_) | None if turn.calls > 0 => news.clear(),
            Some(_) | None => {}
        }
    }

    fn trace(&self, turn: &mut Turn, status: CallStatus) -> Trace {
        let bytes_max = self.setup.limits.detail_bytes_max;
        Trace {
            id: turn.about.id(),
            client_id: turn.client_id.clone(),
            message: if turn.title.len() <= bytes_max { turn.title.clone() } else { clip(&turn.title, bytes_max).into() },
            graph: self.graph.name.clone(),
            reloaded: turn.reloaded.clone(),
            path: self.path(turn),
            started_at: turn.about.started.wall,
            total_us: turn.at(self.counters.now),
            status,
            degraded: (!turn.degraded.is_empty()).then(|| turn.degraded.join("; ")),
            usage: turn.usage,
            frames: std::mem::take(&mut turn.frames),
            background: Vec::new(),
            context: turn.about.trace,
        }
    }

    /// The path's name; of a turn that broke off, the nodes that it came through.
    fn path(&self, turn: &Turn) -> String {
        match self.graph.paths.iter().find(|path| path.entry == turn.entry && path.nodes == turn.path) {
            Some(path) => path.name.clone(),
            None => {
                let nodes: Vec<&str> = turn.path.iter().map(|index| &*self.graph.nodes[*index].name).collect();
                nodes.join(" → ")
            }
        }
    }
}
