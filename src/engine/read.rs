//! What others may see of a session. Reads change nothing.

use super::Session;
use crate::contract::{Caller, DatabaseInfo, Memory, Message, Process, Seq, Trace, TurnDetail, TurnId, TurnResult, Ui, Usage};
use crate::graph::Graph;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

impl Session {
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether a turn is running or waiting.
    pub fn busy(&self) -> bool {
        self.turn.is_some() || !self.waiting.is_empty()
    }

    /// Finished turns and the running turn's user message.
    pub fn history(&self) -> &VecDeque<Message> {
        &self.history
    }

    /// The last event that `history` includes: a watcher who asks for what came after it misses nothing.
    pub fn history_seq(&self) -> Seq {
        self.history_seq
    }

    /// The last number used.
    pub fn seq(&self) -> Seq {
        self.seq_last
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    pub fn memorizing(&self) -> bool {
        self.background.is_some()
    }

    pub fn ui(&self) -> &Ui {
        &self.ui
    }

    /// The latest turn: the one that runs, else the last one that ended.
    pub fn result(&self) -> TurnResult {
        match &self.turn {
            Some(turn) => TurnResult::Running {
                id: turn.id,
                stage: turn.frame.nodes.first().cloned().unwrap_or_else(|| "queued".into()),
                event: turn.event,
                text: turn.title.clone(),
                partial: turn.answer.clone(),
                client_id: turn.client_id.clone(),
            },
            None => self.result.clone(),
        }
    }

    /// The kept turns' traces.
    pub fn traces(&self) -> impl DoubleEndedIterator<Item = &Arc<Trace>> {
        self.kept.iter().map(|kept| &kept.trace)
    }

    /// One kept turn in full.
    pub fn turn(&self, id: TurnId) -> Option<TurnDetail> {
        self.kept.iter().find(|kept| kept.trace.id == id).cloned()
    }

    /// The calls that are out.
    pub fn processes(&self) -> Vec<Process> {
        let of_turn = self.turn.iter().flat_map(|turn| turn.frame.running.iter().map(|running| (turn.id, running)));
        let behind = self.background.iter().map(|background| (background.turn(), &background.running));
        of_turn
            .chain(behind)
            .map(|(turn, running)| Process {
                pid: running.call,
                kind: running.request.kind(),
                label: running.request.label(),
                turn,
                started_at: running.started.wall,
            })
            .collect()
    }

    /// The databases that it can ask, as it was told when it opened.
    pub fn databases(&self) -> &[DatabaseInfo] {
        &self.databases
    }

    pub fn schema_cache(&self) -> &BTreeMap<String, Value> {
        &self.schema_cache
    }

    /// Tokens of all calls that ever came back, also of those nobody waited for.
    pub fn usage(&self) -> Usage {
        self.usage
    }
}
