//! How turns end before their time: a stop, a drain, a clear, a switch.

use super::Session;
use super::call::Lane;
use crate::contract::{Code, Effect, Memory, Outcome, TurnId, TurnResult, Ui, What};
use crate::graph::Graph;
use std::sync::Arc;

const CUT_OFF: &str = "The server had to shut down before this answer was finished. Please ask again in a moment.";

impl Session {
    /// Ends the running turn, if one runs. The outcome is `Cancelled` or `Withdrawn`.
    pub(super) fn stop_running(&mut self, outcome: Outcome, effects: &mut Vec<Effect>) {
        if self.work.turn.is_some() {
            self.end(outcome, effects);
        }
    }

    /// Ends the running turn and those waiting.
    pub(super) fn stop(&mut self, effects: &mut Vec<Effect>) {
        self.stop_running(Outcome::Cancelled, effects);
        while let Some(waiting) = self.work.waiting.pop_front() {
            self.start(waiting, effects);
            self.end(Outcome::Cancelled, effects);
        }
    }

    /// Begins nothing that waits: it is left to the next server if it `keeps`, and else fails when its turn comes. Fails what runs
    /// now if it is to be `cut`. The session itself stays as any other, so that it goes on after a restart.
    pub(super) fn drain(&mut self, cut: bool, keeps: bool, effects: &mut Vec<Effect>) {
        self.work.is_kept_waiting |= keeps;
        if !keeps {
            self.work.waiting.iter_mut().for_each(|waiting| waiting.is_too_late = true);
        }
        if cut {
            if self.work.turn.is_some() {
                let code = keeps.then_some(Code::CutOff);
                self.end(Outcome::Failed { why: CUT_OFF.to_owned(), code }, effects);
            }
            self.end_background(effects);
        }
    }

    /// Starts over, on another graph or the same. `keep` carries history, memory and traces over; without it nothing is left of what was said, and of turns only
    /// their ids, the clients' names for them and how they ended.
    pub(super) fn reset(&mut self, graph: Option<Arc<Graph>>, keep: bool, effects: &mut Vec<Effect>) {
        // All that runs ends on the graph that it began on.
        self.stop(effects);
        self.end_background(effects);
        self.adopt();
        if let Some(graph) = graph {
            self.kept.is_reloaded = false;
            self.graph = graph;
        }
        let conversation = &mut self.conversation;
        let mut has_new_memory = false;
        if !keep {
            self.kept.turns.clear();
            conversation.history.clear();
            let situation = conversation.memory.situation.clone();
            let initial = Memory { situation, ..Memory::initial(&self.setup.caller.identity) };
            has_new_memory = conversation.memory != initial;
            conversation.memory = initial;
        }
        conversation.ui = Ui::default();
        conversation.ui_news.clear();
        self.kept.last = None;
        self.kept.result = TurnResult::Cleared;
        if !keep {
            self.emit(TurnId(0), 0, self.engine.clone(), What::Cleared, effects);
        }
        self.show_ui(true, TurnId(0), 0, effects);
        if has_new_memory {
            self.show_memory(TurnId(0), self.engine.clone(), effects);
        }
        self.conversation.history_seq = self.counters.seq_last;
    }

    /// Ends the background's call and drops what was to come.
    fn end_background(&mut self, effects: &mut Vec<Effect>) {
        self.work.background_next = None;
        self.end_calls(Lane::Background, effects);
        self.work.background = None;
        self.graph_behind = None;
    }
}
