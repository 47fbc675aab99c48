//! What others may see of a session. Reads change nothing.

use super::Session;
use super::call::Running;
use crate::contract::{
    CallId, Caller, DatabaseInfo, Memory, Message, Process, Seq, Trace, TraceContext, TurnDetail, TurnId, TurnResult, Ui, Usage,
};
use crate::graph::Graph;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

impl Session {
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub fn caller(&self) -> &Caller {
        &self.setup.caller
    }

    /// Whether a turn is running or waiting.
    pub fn busy(&self) -> bool {
        self.work.turn.is_some() || !self.work.waiting.is_empty()
    }

    /// Whether a turn is running, or one that waits will begin in this server.
    pub fn goes_on(&self) -> bool {
        self.work.turn.is_some() || !(self.work.waiting.is_empty() || self.work.is_kept_waiting)
    }

    /// Whether this turn is running or waiting.
    pub fn is_due(&self, turn: TurnId) -> bool {
        let running = self.work.turn.iter().map(|running| running.about.id());
        running.chain(self.work.waiting.iter().map(|waiting| waiting.id)).any(|id| id == turn)
    }

    /// Whether this turn has begun, waits, or is over.
    pub fn has_had(&self, turn: TurnId) -> bool {
        (1..=self.counters.turn_last.0).contains(&turn.0)
    }

    /// Finished turns and the running turn's user message.
    pub fn history(&self) -> &VecDeque<Message> {
        &self.conversation.history
    }

    /// The last event that `history` includes: a watcher who asks for what came after it misses nothing.
    pub fn history_seq(&self) -> Seq {
        self.conversation.history_seq
    }

    /// The last number used.
    pub fn seq(&self) -> Seq {
        self.counters.seq_last
    }

    pub fn memory(&self) -> &Memory {
        &self.conversation.memory
    }

    /// Whether all of a kept turn is there: nothing runs behind it, or the next one takes its place.
    pub fn is_settled(&self, id: TurnId) -> bool {
        let is_leaving = self.kept.turns.len() >= self.setup.limits.traces_max;
        let leaves = self.kept.turns.front().filter(|_| is_leaving).map(|kept| kept.trace.id);
        leaves == Some(id) || self.remembering().all(|remembered| remembered != id)
    }

    /// The turns behind which the memorizer runs, or will.
    pub fn remembering(&self) -> impl Iterator<Item = TurnId> {
        let now = self.work.background.iter().map(|background| background.about.id());
        now.chain(self.work.background_next.iter().map(|about| about.id()))
    }

    pub fn memorizing(&self) -> bool {
        self.work.background.is_some()
    }

    pub fn ui(&self) -> &Ui {
        &self.conversation.ui
    }

    /// The latest turn: the one that runs, else the last one that ended.
    pub fn result(&self) -> TurnResult {
        match &self.work.turn {
            Some(turn) => TurnResult::Running {
                id: turn.about.id(),
                stage: turn.frame.nodes.first().cloned().unwrap_or_else(|| "queued".into()),
                event: turn.event.clone(),
                text: turn.title.clone(),
                partial: turn.about.answer.clone(),
                client_id: turn.client_id.clone(),
            },
            None => self.kept.result.clone(),
        }
    }

    /// The kept turns' traces.
    pub fn traces(&self) -> impl DoubleEndedIterator<Item = &Arc<Trace>> {
        self.kept.turns.iter().map(|kept| &kept.trace)
    }

    /// One kept turn in full.
    pub fn turn(&self, id: TurnId) -> Option<TurnDetail> {
        self.kept_turn(id).cloned()
    }

    /// The same, to look at.
    pub fn kept_turn(&self, id: TurnId) -> Option<&TurnDetail> {
        self.kept.turns.iter().rev().find(|kept| kept.trace.id == id)
    }

    /// How much of a request or an answer a kept turn shows.
    pub fn detail_bytes_max(&self) -> usize {
        self.setup.limits.detail_bytes_max
    }

    /// The calls that are out.
    pub fn processes(&self) -> Vec<Process> {
        let process = |running: &Running| Process {
            pid: running.call,
            kind: running.request.kind(),
            label: running.request.label(),
            turn: self.about(running.lane).id(),
            started_at: running.started.wall,
        };
        self.work.calls.iter().map(process).collect()
    }

    /// Where the turn of a call that is out stands in a distributed trace.
    pub fn trace_of(&self, call: CallId) -> Option<TraceContext> {
        let running = self.work.calls.iter().find(|running| running.call == call)?;
        self.about(running.lane).trace
    }

    /// The databases that it can ask, as it was told when it opened.
    pub fn databases(&self) -> &[DatabaseInfo] {
        &self.setup.databases
    }

    pub fn schema_cache(&self) -> &BTreeMap<String, Value> {
        &self.conversation.schema_cache
    }

    /// Tokens of all calls that ever came back, also of those nobody waited for.
    pub fn usage(&self) -> Usage {
        self.counters.usage
    }
}
