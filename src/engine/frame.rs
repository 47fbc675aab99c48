//! Frames: the nodes that run together, until the last call that they made has ended.

use super::Session;
use super::call::{Ask, Lane};
use crate::contract::{CallRecord, Change, Effect, FrameRecord, MemoryPatch, Outcome, What, clip, push_clipped};
use crate::graph::Entry;
use crate::nodes::{Flow, Out, Task, learn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Bytes of the reason why a node took its default route.
const REASON_BYTES_MAX: usize = 200;

/// One step of a turn. `number` counts from 1; 0 before the first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Frame {
    pub(super) number: u32,
    pub(super) nodes: Arc<[Arc<str>]>,
    started_us: u64,
    pub(super) calls: Vec<CallRecord>,
    changes: Vec<Change>,
    /// The route that the first node took, and where it leads.
    route: String,
    next: Option<usize>,
    summary: String,
}

impl Session {
    /// Samples the turn's context before its first frame. A machine's own button calls no model, so nobody would read it.
    pub(super) fn sense(&mut self) {
        let turn = self.work.turn();
        if let Some(index) = self.graph.before.filter(|_| turn.entry != Entry::Machine) {
            let mut out = Out::default();
            let _rest = self.graph.nodes[index].kind.begin(&self.view(Lane::Turn, index), &mut out);
            self.work.turn_mut().about.packet.sensed = out.sensed.unwrap_or_default();
        }
    }

    /// Begins a frame: runs its first node and those beside it.
    pub(super) fn enter(&mut self, first: usize, effects: &mut Vec<Effect>) -> Result<(), Outcome> {
        let (graph, now) = (self.graph.clone(), self.counters.now);
        let turn = self.work.turn_mut();
        turn.path.push(first);
        assert!(graph.paths_from(turn.entry, &turn.path).next().is_some(), "every way through a graph is one of its stated paths");
        turn.frame = Frame {
            number: turn.frame.number + 1,
            nodes: graph.nodes[first].together.clone(),
            started_us: turn.at(now),
            ..Frame::default()
        };
        for node in std::iter::once(first).chain(graph.nodes[first].beside.iter().copied()) {
            let mut out = Out::after(self.counters.tool_last);
            let flow = graph.nodes[node].kind.begin(&self.view(Lane::Turn, node), &mut out);
            match self.gate(node, &flow, &out) {
                Some((approval, held)) => self.wait_for_person(node, approval, held, effects),
                None => self.follow(Lane::Turn, node, flow, out, effects)?,
            }
        }
        Ok(())
    }

    /// Does what a node's step asks for. A node without calls left has to give up instead.
    pub(super) fn follow(&mut self, lane: Lane, node: usize, flow: Flow, mut out: Out, effects: &mut Vec<Effect>) -> Result<(), Outcome> {
        let reason = out.reason.take();
        self.take(lane, node, out, effects);
        match flow {
            Flow::Ask(request, task) if self.may_ask(lane, &request) => {
                self.ask(lane, Ask { node, request, task: Some(task), held: None, reason, is_repair: false }, effects);
                Ok(())
            }
            Flow::Ask(_, task) => self.give_up(lane, node, task, "has no calls left", effects),
            Flow::Again { why, task } => {
                let why = format!("could not be understood: {}", clip(&why.outline, REASON_BYTES_MAX));
                self.give_up(lane, node, task, &why, effects)
            }
            // No frame follows on the background, and nobody reads what it says.
            Flow::Go(..) | Flow::Say(_) if lane == Lane::Background => Ok(()),
            Flow::Go(route, mut found) => {
                let answer = found.answer.take();
                if let Some(language) = found.language() {
                    self.meet_language(lane, node, language, effects);
                }
                let turn = self.work.turn_mut();
                if turn.path.last() == Some(&node) {
                    turn.frame.next = Some(self.graph.nodes[node].edges[&*route]);
                    turn.frame.route = route.into_owned();
                }
                turn.about.packet.add(*found);
                match answer {
                    Some(answer) => self.tell(node, &answer, effects),
                    // What was shown of an answer that nobody gave is none.
                    None if self.work.turn().about.packet.answered_by.is_none() => self.tell(node, "", effects),
                    None => {}
                }
                Ok(())
            }
            Flow::Say(text) => {
                self.say(node, &text, effects);
                Ok(())
            }
            Flow::Rest => Ok(()),
            Flow::Fail(why) => Err(Outcome::Failed { why, code: None }),
        }
    }

    /// Lets a task take its default route, and marks what comes of it.
    fn give_up(&mut self, lane: Lane, node: usize, task: Task, why: &str, effects: &mut Vec<Effect>) -> Result<(), Outcome> {
        let mut out = Out::after(self.counters.tool_last);
        let flow = task.give_up(&self.view(lane, node), &mut out);
        let why = format!("{} {why}", self.graph_of(lane).nodes[node].name);
        match (&flow, lane) {
            (Flow::Ask(..) | Flow::Again { .. }, _) => unreachable!("a task that gives up asks nothing more"),
            (Flow::Fail(_), _) => {}
            (Flow::Go(..) | Flow::Say(_) | Flow::Rest, Lane::Turn) => self.work.turn_mut().degraded.push(why),
            // The turn has ended: its trace has been shown.
            (Flow::Go(..) | Flow::Say(_) | Flow::Rest, Lane::Background) => {
                self.emit_in(lane, node, What::Thinking { detail: why }, effects);
            }
        }
        self.follow(lane, node, flow, out, effects)
    }

    /// Shows what a node wants shown now, and keeps what it wants changed until the frame ends.
    fn take(&mut self, lane: Lane, node: usize, out: Out, effects: &mut Vec<Effect>) {
        self.counters.tool_last = out.tool_last;
        if let (Some(why), Lane::Turn) = (out.degraded, lane) {
            let name = self.graph.nodes[node].name.clone();
            self.work.turn_mut().degraded.push(format!("{name} {why}"));
        }
        for what in out.events {
            if lane == Lane::Turn {
                let turn = self.work.turn_mut();
                turn.event = what.name().into();
                let room = self.setup.limits.answer_bytes_max.saturating_sub(turn.progress.len());
                if let (What::Progress { text }, 1..) = (&what, room) {
                    push_clipped(&mut turn.progress, text, room);
                }
            }
            self.emit_in(lane, node, what, effects);
        }
        learn(&mut self.conversation.schema_cache, out.learned, self.setup.limits.schema_tables_max);
        let facts_max = self.setup.limits.facts_max;
        let is_language_known = self.about(lane).packet.is_language_known();
        let patch = out.patch.map(|patch| if is_language_known { MemoryPatch { language: None, ..patch } } else { patch });
        if patch.is_some_and(|patch| self.conversation.memory.apply(patch, facts_max)) {
            let memory = Arc::new(self.conversation.memory.clone());
            self.emit_in(lane, node, What::Memory { memory }, effects);
        }
        if lane == Lane::Turn {
            let frame = &mut self.work.turn_mut().frame;
            frame.changes.extend(out.changes);
            if !out.summary.is_empty() {
                frame.summary = out.summary;
            }
        }
    }

    /// The language of a message is that of the session from then on: also a button that is pressed at once is answered in it.
    fn meet_language(&mut self, lane: Lane, node: usize, language: &str, effects: &mut Vec<Effect>) {
        if self.conversation.memory.language != language {
            language.clone_into(&mut self.conversation.memory.language);
            let memory = Arc::new(self.conversation.memory.clone());
            self.emit_in(lane, node, What::Memory { memory }, effects);
        }
    }

    /// Ends a frame whose calls have all ended: applies its changes and returns where the route leads.
    pub(super) fn close(&mut self, effects: &mut Vec<Effect>) -> Option<usize> {
        let turn = self.work.turn_mut();
        let (id, frame, node, next) = (turn.about.id(), turn.frame.number, turn.frame.nodes[0].clone(), turn.frame.next);
        let changes = std::mem::take(&mut turn.frame.changes);
        let ui = &mut self.conversation.ui;
        let shows = changes.iter().any(|change| matches!(change, Change::Show(_)));
        let mut may_differ = !changes.is_empty();
        if !turn.is_fresh && (next.is_none() || shows) {
            may_differ |= !ui.thinker.is_empty();
            ui.thinker.clear();
            turn.is_fresh = true;
        }
        for change in changes {
            if let Err(error) = self.conversation.ui.apply(change, &self.setup.limits) {
                self.emit(id, frame, node.clone(), What::Error { detail: error.to_string() }, effects);
            }
        }
        if may_differ {
            self.show_ui(false, id, frame, effects);
        }
        self.record_frame();
        next
    }

    /// Writes the frame down.
    pub(super) fn record_frame(&mut self) {
        let now = self.counters.now;
        let turn = self.work.turn_mut();
        let ended_us = turn.at(now);
        let frame = &mut turn.frame;
        turn.frames.push(FrameRecord {
            frame: frame.number,
            nodes: frame.nodes.clone(),
            started_us: frame.started_us,
            ended_us,
            route: std::mem::take(&mut frame.route),
            summary: std::mem::take(&mut frame.summary),
            calls: std::mem::take(&mut frame.calls),
        });
    }
}
