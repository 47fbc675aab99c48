//! Frames: the nodes that run together, until the last call that they made has ended.

use super::Session;
use super::call::Running;
use super::turn::Turn;
use crate::contract::{CallRecord, Change, Effect, FrameRecord, Outcome, Request, What, push_clipped};
use crate::graph::Entry;
use crate::nodes::{Flow, Out, Task, View};
use std::sync::Arc;

/// One step of a turn. `number` counts from 1; 0 before the first.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) number: u32,
    pub(super) nodes: Vec<Arc<str>>,
    started_us: u64,
    /// Calls that are out.
    pub(super) running: Vec<Running>,
    pub(super) calls: Vec<CallRecord>,
    changes: Vec<Change>,
    /// The route that the first node took, and where it leads.
    route: String,
    next: Option<usize>,
    summary: String,
}

impl Session {
    /// Samples the turn's context before its first frame. A machine's own button asks no model, so nobody would read it.
    pub(super) fn sense(&mut self, turn: &mut Turn) {
        if let Some(index) = self.graph.before.filter(|_| turn.entry != Entry::Machine) {
            let mut out = Out::default();
            let node = &self.graph.nodes[index];
            let _rest = node.kind.begin(&self.view(turn, index), &mut out);
            turn.packet.sensed = out.sensed.unwrap_or_default();
        }
    }

    /// Begins a frame: runs its first node and those beside it.
    pub(super) fn enter(&mut self, turn: &mut Turn, first: usize, effects: &mut Vec<Effect>) -> Result<(), Outcome> {
        let graph = self.graph.clone();
        turn.way.push(first);
        assert!(graph.paths_from(turn.entry, &turn.way).next().is_some(), "every way through a graph is one of its stated paths");
        let mut nodes = vec![first];
        nodes.extend(&graph.nodes[first].beside);
        turn.frame = Frame {
            number: turn.frame.number + 1,
            nodes: nodes.iter().map(|index| graph.nodes[*index].name.clone()).collect(),
            started_us: turn.at(self.now.moment),
            ..Frame::default()
        };
        for node in nodes {
            let mut out = Out::after(self.tool_last);
            let flow = graph.nodes[node].kind.begin(&self.view(turn, node), &mut out);
            self.follow(turn, node, flow, out, effects)?;
        }
        Ok(())
    }

    /// Does what a node's step asks for. A node that asks beyond the path's budget has to give up instead.
    pub(super) fn follow(
        &mut self,
        turn: &mut Turn,
        node: usize,
        flow: Flow,
        mut out: Out,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Outcome> {
        let reason = out.reason.take();
        self.take(turn, node, out, effects);
        match flow {
            Flow::Ask(request, task) if self.may_ask(turn, &request) => {
                count(turn, &request);
                let running = self.ask(turn.id, turn.frame.number, node, Arc::new(request), task, reason, effects);
                turn.frame.running.push(running);
                Ok(())
            }
            Flow::Ask(_, task) | Flow::Again { task, .. } => self.give_up(turn, node, task, effects),
            Flow::Go(route, found) => {
                if node == *turn.way.last().expect("a frame has a first node") {
                    turn.frame.next = Some(self.graph.nodes[node].edges[&*route]);
                    turn.frame.route = route.into_owned();
                }
                turn.packet.add(*found);
                Ok(())
            }
            Flow::Say(text) => {
                self.say(turn, node, &text, effects);
                Ok(())
            }
            Flow::Rest => Ok(()),
            Flow::Fail(why) => Err(Outcome::Failed(why)),
        }
    }

    /// Lets a task take its default route.
    pub(super) fn give_up(&mut self, turn: &mut Turn, node: usize, task: Task, effects: &mut Vec<Effect>) -> Result<(), Outcome> {
        let mut out = Out::after(self.tool_last);
        let flow = task.give_up(&self.view(turn, node), &mut out);
        match flow {
            Flow::Ask(..) | Flow::Again { .. } => unreachable!("a task that gives up asks nothing more"),
            Flow::Go(..) | Flow::Say(_) | Flow::Rest | Flow::Fail(_) => self.follow(turn, node, flow, out, effects),
        }
    }

    /// Shows what a node wants shown now, and keeps what it wants changed until the frame ends.
    fn take(&mut self, turn: &mut Turn, node: usize, out: Out, effects: &mut Vec<Effect>) {
        let name = self.graph.nodes[node].name.clone();
        self.tool_last = out.tool_last;
        for what in out.events {
            turn.event = what.name();
            let room = self.limits.answer_bytes_max.saturating_sub(turn.progress.len());
            if let (What::Progress { text }, 1..) = (&what, room) {
                push_clipped(&mut turn.progress, text, room);
            }
            self.emit(turn.id, turn.frame.number, name.clone(), what, effects);
        }
        for (table, columns) in out.learned {
            match columns {
                Some(columns) if self.schema_cache.len() < self.limits.schema_tables_max || self.schema_cache.contains_key(&table) => {
                    self.schema_cache.insert(table, columns);
                }
                Some(_) => {}
                None => drop(self.schema_cache.remove(&table)),
            }
        }
        turn.frame.changes.extend(out.changes);
        if !out.summary.is_empty() {
            turn.frame.summary = out.summary;
        }
    }

    /// Ends a frame whose calls have all ended: applies its changes and tells where the route leads.
    pub(super) fn close(&mut self, turn: &mut Turn, effects: &mut Vec<Effect>) -> Option<usize> {
        let changes = std::mem::take(&mut turn.frame.changes);
        let before = (!changes.is_empty()).then(|| (self.ui.machines.clone(), self.ui.state.clone()));
        let next = turn.frame.next;
        let shows = changes.iter().any(|change| matches!(change, Change::Show(_)));
        let mut may_differ = !changes.is_empty();
        if !turn.is_fresh && (next.is_none() || shows) {
            may_differ |= !self.ui.thinker.is_empty();
            self.ui.thinker.clear();
            turn.is_fresh = true;
        }
        for change in changes {
            if let Err(error) = self.ui.apply(change, &self.limits) {
                let node = turn.frame.nodes[0].clone();
                self.emit(turn.id, turn.frame.number, node, What::Error { detail: error.to_string() }, effects);
            }
        }
        if may_differ {
            let controls = self.ui.controls();
            if *controls != *self.shown {
                self.show(controls, turn.id, turn.frame.number, effects);
            }
        }
        if let Some((machines, state)) = before {
            self.show_changed(&machines, &state, turn.id, turn.frame.number, effects);
        }
        self.record(turn);
        next
    }

    /// Writes the frame down.
    pub(super) fn record(&mut self, turn: &mut Turn) {
        let ended_us = turn.at(self.now.moment);
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

    pub(super) fn view<'a>(&'a self, turn: &'a Turn, node: usize) -> View<'a> {
        View {
            node: &self.graph.nodes[node],
            wall: self.now.wall,
            caller: &self.caller,
            limits: &self.limits,
            message: &turn.message,
            history: &self.history,
            memory: &self.memory,
            schema: &self.schema_cache,
            databases: &self.databases,
            ui: &self.ui,
            dashboard: &turn.dashboard,
            ui_news: &self.ui_news,
            idle_since: self.idle_since,
            packet: &turn.packet,
            answer: &turn.answer,
            asked: None,
        }
    }

    /// Whether some path that the turn can still take has model calls left; databases have a bound of their own.
    pub(super) fn may_ask(&self, turn: &Turn, request: &Request) -> bool {
        match request {
            Request::Model(_) => self.graph.paths_from(turn.entry, &turn.way).any(|path| turn.calls < path.calls),
            Request::Database(_) => turn.database_calls < self.limits.database_calls_max,
        }
    }
}

pub(super) fn count(turn: &mut Turn, request: &Request) {
    match request {
        Request::Model(_) => turn.calls += 1,
        Request::Database(_) => turn.database_calls += 1,
    }
}
