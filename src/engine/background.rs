//! What goes on behind a finished turn: the memorizer. It counts in no frame and holds nothing up.
//!
//! One runs per session; a turn that ends meanwhile makes it run again. Clear and switch end it.

use super::Session;
use super::call::{End, Running, repair};
use super::turn::Turn;
use crate::contract::{Answer, CallDetail, CallError, CallId, CallRecord, Came, Effect, Now, TurnId, Usage, What, clip};
use crate::nodes::{Flow, Out, Packet, View};
use serde_json::Value;
use std::sync::Arc;

/// A turn that has ended, as the memorizer sees it, and whoever asks for a prompt.
#[derive(Debug)]
pub(super) struct Finished {
    turn: TurnId,
    pub(super) message: Arc<str>,
    pub(super) dashboard: Vec<Value>,
    pub(super) answer: String,
    pub(super) packet: Packet,
    started: Now,
}

impl From<Turn> for Finished {
    fn from(turn: Turn) -> Finished {
        let Turn { id, message, dashboard, answer, packet, started, .. } = turn;
        Finished { turn: id, message, dashboard, answer, packet, started }
    }
}

/// The memorizer at work.
#[derive(Debug)]
pub(super) struct Background {
    finished: Arc<Finished>,
    pub(super) running: Running,
}

impl Background {
    pub(super) fn turn(&self) -> TurnId {
        self.finished.turn
    }
}

impl Session {
    pub(super) fn memorize(&mut self, finished: Arc<Finished>, effects: &mut Vec<Effect>) {
        match (self.graph.after, &self.background) {
            (None, _) => {}
            (Some(_), Some(_)) => self.memorize_next = Some(finished),
            (Some(node), None) => self.begin_background(node, finished, effects),
        }
    }

    fn begin_background(&mut self, node: usize, finished: Arc<Finished>, effects: &mut Vec<Effect>) {
        let mut out = Out::default();
        let graph = self.graph.clone();
        let flow = graph.nodes[node].kind.begin(&self.background_view(node, &finished), &mut out);
        if let Flow::Ask(request, task) = flow {
            let running = self.ask(finished.turn, 0, node, Arc::new(request), task, None, effects);
            self.background = Some(Background { finished, running });
        }
    }

    pub(super) fn background_completion(&mut self, call: CallId, end: End, outcome: Result<Answer, CallError>, effects: &mut Vec<Effect>) {
        let Some(Background { finished, running }) = self.background.take_if(|background| background.running.call == call) else { return };
        let (node, is_repair, request, task) = (running.node, running.is_repair, running.request.clone(), running.task.clone());
        let bytes_max = self.limits.detail_bytes_max;
        let came = match &outcome {
            Ok(answer) => Came::answered(answer, bytes_max),
            Err(error) => Came::Text(clip(&error.to_string(), bytes_max)),
        };
        self.put_down_background(&finished, running, end, came, effects);
        if let Ok(answer) = outcome {
            let said = answer.said();
            let mut out = Out::default();
            let flow = task.resume(&self.background_view(node, &finished), &mut out, answer);
            if let (Flow::Again { why, task }, false) = (flow, is_repair) {
                let again = self.ask(finished.turn, 0, node, Arc::new(repair(&request, &said, &why)), task, Some(clip(&why, 500)), effects);
                self.background = Some(Background { finished, running: Running { is_repair: true, ..again } });
                return;
            }
            let has_changed = out.patch.is_some_and(|patch| self.memory.apply(patch, self.limits.facts_max));
            let name = self.graph.nodes[node].name.clone();
            for what in out.events {
                self.emit(finished.turn, 0, name.clone(), what, effects);
            }
            if has_changed {
                self.show_memory(finished.turn, name, effects);
            }
        }
        if let (Some(node), Some(next)) = (self.graph.after, self.memorize_next.take()) {
            self.begin_background(node, next, effects);
        }
    }

    /// Adds an ended call to the kept trace of its turn.
    fn put_down_background(&mut self, finished: &Finished, running: Running, end: End, came: Came, effects: &mut Vec<Effect>) {
        let End { status, usage, waited_us } = end;
        let node = self.graph.nodes[running.node].name.clone();
        let (pid, kind, label) = (running.call, running.request.kind(), running.request.label());
        let usage = (usage != Usage::default()).then_some(usage);
        let duration_us = self.now.moment.since(running.started.moment);
        let what = What::ProcessEnd { pid, kind, label: label.clone(), status, duration_us, waited_us, usage };
        self.emit(finished.turn, 0, node.clone(), what, effects);
        if let Some(kept) = self.kept.iter_mut().find(|kept| kept.trace.id == finished.turn) {
            let started_us = running.started.moment.since(finished.started.moment);
            let record = CallRecord { pid, kind, label, started_us, duration_us, waited_us, status, usage };
            Arc::make_mut(&mut kept.trace).background.push(record);
            kept.calls.push(CallDetail { pid, node, frame: 0, request: running.request, came });
        }
    }

    pub(super) fn cancel_background(&mut self, call: CallId, effects: &mut Vec<Effect>) {
        if self.background.as_ref().is_some_and(|background| background.running.call == call) {
            effects.push(Effect::Cancel { id: call });
            self.background_completion(call, End::CANCELLED, Err(CallError::Cancelled), effects);
        }
    }

    /// Ends it and what was to come.
    pub(super) fn end_background(&mut self, effects: &mut Vec<Effect>) {
        self.memorize_next = None;
        if let Some(background) = &self.background {
            self.cancel_background(background.running.call, effects);
        }
    }

    fn background_view<'a>(&'a self, node: usize, finished: &'a Finished) -> View<'a> {
        View {
            node: &self.graph.nodes[node],
            wall: self.now.wall,
            caller: &self.caller,
            limits: &self.limits,
            message: &finished.message,
            history: &self.history,
            memory: &self.memory,
            schema: &self.schema_cache,
            databases: &self.databases,
            ui: &self.ui,
            dashboard: &finished.dashboard,
            ui_news: &[],
            idle_since: self.idle_since,
            packet: &finished.packet,
            answer: &finished.answer,
            asked: None,
        }
    }
}
