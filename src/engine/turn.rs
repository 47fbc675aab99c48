//! The life of a turn: it waits, begins, goes through frames, and ends once.

use super::background::Finished;
use super::frame::Frame;
use super::{NEWS_MAX, Session};
use crate::contract::{
    CallDetail, CallStatus, ClientId, Effect, FrameRecord, Message, Moment, Now, Outcome, Role, Source, Trace, TurnDetail, TurnId,
    TurnResult, Usage, What, clip,
};
use crate::graph::Entry;
use crate::nodes::{Action, Packet};
use serde_json::Value;
use std::sync::Arc;

/// What began a turn.
#[derive(Debug)]
pub(super) enum Begun {
    Message { text: String, dashboard: Vec<Value> },
    Action { action: String, data: Value, source: Option<Source> },
}

/// A turn that has been accepted and not begun.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: TurnId,
    pub(super) client_id: Option<ClientId>,
    pub(super) begun: Begun,
    /// The server ends before its turn comes.
    pub(super) is_given_up: bool,
}

/// All that one message or action sets off.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) id: TurnId,
    pub(super) client_id: Option<ClientId>,
    pub(super) entry: Entry,
    /// What models read.
    pub(super) message: Arc<str>,
    /// What people read: the text, or the label of the control.
    pub(super) title: Arc<str>,
    pub(super) dashboard: Vec<Value>,
    pub(super) started: Now,
    pub(super) packet: Packet,
    pub(super) answer: String,
    /// What nodes told while they worked.
    pub(super) progress: String,
    /// The last answer's controls have made place for this one's.
    pub(super) is_fresh: bool,
    pub(super) frame: Frame,
    pub(super) frames: Vec<FrameRecord>,
    /// The nodes of the path so far.
    pub(super) way: Vec<usize>,
    /// Model calls so far.
    pub(super) calls: u32,
    pub(super) database_calls: u32,
    pub(super) usage: Usage,
    pub(super) details: Vec<CallDetail>,
    pub(super) event: &'static str,
}

const GONE: &str = "That control went away before its turn came. Please use one that is shown now.";
const GIVEN_UP: &str = "The server shut down before the turn of this message came. Please send it again in a moment.";

impl Turn {
    /// µs after the turn's start.
    pub(super) fn at(&self, moment: Moment) -> u64 {
        moment.since(self.started.moment)
    }
}

impl Session {
    /// A turn that has done nothing yet.
    pub(super) fn turn_of(&mut self, waiting: Waiting, effects: &mut Vec<Effect>) -> Turn {
        let Waiting { id, client_id, begun, is_given_up: _ } = waiting;
        let mut packet = Packet { turn: id, ..Packet::default() };
        let (entry, message, title, dashboard) = match begun {
            Begun::Message { text, dashboard } => {
                let text: Arc<str> = text.into();
                (Entry::Message, text.clone(), text, dashboard)
            }
            Begun::Action { action, data, source } => {
                let button = self.button(&action, source.as_ref());
                let label = button.map_or_else(|| action.clone(), |button| button.label.clone());
                let data = if data.is_null() { button.and_then(|button| button.payload.clone()).unwrap_or_default() } else { data };
                let go = button.and_then(|button| match (&button.source, &button.go) {
                    (Source::Machine(id), Some(to)) => Some((id.clone(), to.clone())),
                    (Source::Machine(_) | Source::Thinker, _) => None,
                });
                let entry = if go.is_some() { Entry::Machine } else { Entry::Action };
                let with_data = if data.is_null() { String::new() } else { format!(" with data {data}") };
                let message = format!("action: {action} (the control «{label}» was used{with_data})");
                packet.action = Some(Action { action, label: label.clone(), data, go });
                (entry, message.into(), label.into(), Vec::new())
            }
        };
        let what = What::TurnStarted { message: title.clone(), client_id: client_id.clone(), entry };
        self.emit(id, 0, self.engine.clone(), what, effects);
        Turn {
            id,
            client_id,
            entry,
            message,
            title,
            dashboard,
            started: self.now,
            packet,
            answer: String::new(),
            progress: String::new(),
            is_fresh: entry == Entry::Machine,
            frame: Frame::default(),
            frames: Vec::new(),
            way: Vec::new(),
            calls: 0,
            database_calls: 0,
            usage: Usage::default(),
            details: Vec::new(),
            event: "",
        }
    }

    pub(super) fn begin(&mut self, waiting: Waiting, effects: &mut Vec<Effect>) {
        let in_vain = match &waiting.begun {
            _ if waiting.is_given_up => Some(GIVEN_UP),
            Begun::Action { action, source, .. } if self.button(action, source.as_ref()).is_none() => Some(GONE),
            Begun::Action { .. } | Begun::Message { .. } => None,
        };
        let mut turn = self.turn_of(waiting, effects);
        self.keep_question(&turn, false);
        if let Some(why) = in_vain {
            return self.end(turn, Outcome::Failed(why.to_owned()), effects);
        }
        let first = self.graph.entries[&turn.entry];
        self.sense(&mut turn);
        let step = self.enter(&mut turn, first, effects);
        self.advance(turn, step, effects);
    }

    /// Goes on until a call is out or the turn has ended.
    pub(super) fn advance(&mut self, mut turn: Turn, mut step: Result<(), Outcome>, effects: &mut Vec<Effect>) {
        loop {
            step = match step {
                Err(outcome) => return self.end(turn, outcome, effects),
                Ok(()) if !turn.frame.running.is_empty() => {
                    self.turn = Some(turn);
                    return;
                }
                Ok(()) => match self.close(&mut turn, effects) {
                    Some(next) => self.enter(&mut turn, next, effects),
                    None => Err(Outcome::Answered),
                },
            }
        }
    }

    /// Ends a turn, once, whatever it was doing.
    pub(super) fn end(&mut self, mut turn: Turn, outcome: Outcome, effects: &mut Vec<Effect>) {
        self.end_calls(&mut turn, effects);
        if turn.frame.number > turn.frames.len() as u32 {
            self.record(&mut turn);
        }
        self.keep_answer(&turn, &outcome);
        let status = match &outcome {
            Outcome::Answered => CallStatus::Done,
            Outcome::Cancelled => CallStatus::Cancelled,
            Outcome::Failed(why) => {
                let node = turn.frame.nodes.first().unwrap_or(&self.engine).clone();
                self.emit(turn.id, turn.frame.number, node, What::Error { detail: why.clone() }, effects);
                CallStatus::Error
            }
        };
        let trace = Arc::new(self.trace(&mut turn, status));
        let action = turn.packet.action.as_ref().map(|action| action.action.clone());
        self.kept.push_back(TurnDetail { trace: trace.clone(), action, calls: std::mem::take(&mut turn.details) });
        if self.kept.len() > self.limits.traces_max {
            self.kept.pop_front();
        }
        let client_id = turn.client_id.clone();
        self.result = match &outcome {
            Outcome::Answered => TurnResult::Done { id: turn.id, response: turn.answer.clone(), client_id },
            Outcome::Cancelled => TurnResult::Error { id: turn.id, detail: "The answer was stopped.".to_owned(), client_id },
            Outcome::Failed(why) => TurnResult::Error { id: turn.id, detail: why.clone(), client_id },
        };
        self.note_news(&turn, &outcome);
        self.idle_since = Some(self.now.wall);
        self.emit(turn.id, turn.frame.number, self.engine.clone(), What::FrameTrace { trace }, effects);
        self.emit(
            turn.id,
            turn.frame.number,
            self.engine.clone(),
            What::Done { outcome: outcome.clone(), client_id: turn.client_id.clone() },
            effects,
        );
        self.named.end(turn.id, &outcome);
        self.history_seq = self.seq_last;
        // A machine's own button asks no model: there is nothing to remember of it.
        if turn.entry != Entry::Machine {
            let finished = Arc::new(Finished::from(turn));
            self.finished = Some(finished.clone());
            if outcome == Outcome::Answered {
                self.memorize(finished, effects);
            }
        }
    }

    /// Puts the user's message into the history. A machine's own button says nothing.
    fn keep_question(&mut self, turn: &Turn, partial: bool) {
        if turn.entry != Entry::Machine {
            self.keep(Message { partial, client_id: turn.client_id.clone(), ..Message::new(Role::User, &*turn.title, turn.id) });
            self.history_seq = self.seq_last;
        }
    }

    /// Puts what was shown into the history; where nothing was, the question itself is marked.
    fn keep_answer(&mut self, turn: &Turn, outcome: &Outcome) {
        let (partial, progress) = (*outcome != Outcome::Answered, turn.progress.clone());
        if !turn.answer.is_empty() {
            self.keep(Message { partial, progress, ..Message::new(Role::Assistant, turn.answer.clone(), turn.id) });
        } else if partial {
            match self.history.iter_mut().rev().find(|message| message.id == turn.id) {
                Some(question) => (question.partial, question.progress) = (true, progress),
                None => self.keep_question(turn, true),
            }
        }
    }

    fn keep(&mut self, message: Message) {
        self.history.push_back(message);
        let mut bytes: usize = self.history.iter().map(Message::bytes).sum();
        while self.history.len() > self.limits.history_max || (bytes > self.limits.history_bytes_max && self.history.len() > 1) {
            bytes -= self.history.pop_front().map_or(0, |message| message.bytes());
        }
    }

    fn note_news(&mut self, turn: &Turn, outcome: &Outcome) {
        if *outcome != Outcome::Answered {
            return;
        }
        match &turn.packet.action {
            Some(Action { label, go: Some((machine, to)), .. }) => {
                self.ui_news.push(format!("«{}» was pressed; machine `{machine}` is now in state `{to}`", clip(label, 80)));
                let excess = self.ui_news.len().saturating_sub(NEWS_MAX);
                self.ui_news.drain(..excess);
            }
            // A greeting that needs no model tells nobody.
            Some(_) | None if turn.calls > 0 => self.ui_news.clear(),
            Some(_) | None => {}
        }
    }

    fn trace(&self, turn: &mut Turn, status: CallStatus) -> Trace {
        Trace {
            id: turn.id,
            client_id: turn.client_id.clone(),
            message: clipped(&turn.title, self.limits.detail_bytes_max),
            graph: self.graph.name.clone(),
            path: self.path(turn),
            started_at: turn.started.wall,
            total_us: turn.at(self.now.moment),
            status,
            usage: turn.usage,
            frames: std::mem::take(&mut turn.frames),
            background: Vec::new(),
        }
    }

    /// The path's name; of a turn that broke off, the nodes that it came through.
    fn path(&self, turn: &Turn) -> String {
        match self.graph.paths.iter().find(|path| path.entry == turn.entry && path.nodes == turn.way) {
            Some(path) => path.name.clone(),
            None => {
                let nodes: Vec<&str> = turn.way.iter().map(|index| &*self.graph.nodes[*index].name).collect();
                nodes.join(" → ")
            }
        }
    }
}

/// [`clip`], without a copy where the text fits.
fn clipped(text: &Arc<str>, bytes_max: usize) -> Arc<str> {
    if text.len() <= bytes_max { text.clone() } else { clip(text, bytes_max).into() }
}
