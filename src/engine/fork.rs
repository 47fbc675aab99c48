//! How a session that was made of another one's inputs goes on: with another memory or other prompts, and from the middle of a turn.
//!
//! What a fork begins waits for the next input, which is `Resumed`: the server that loads it makes the calls.

use super::Session;
use super::call::Lane;
use super::turn::Begun;
use crate::contract::{Effect, Input, Memory, Request, TurnId};

/// What [`Input::Forked`] changes.
pub(super) struct Forked {
    pub(super) memory: Option<Memory>,
    pub(super) library: Option<String>,
    pub(super) is_in_turn: bool,
    pub(super) begins: Option<Input>,
}

impl Session {
    /// The running turn and its frame.
    pub fn frame_of_turn(&self) -> Option<(TurnId, u32)> {
        self.work.turn.as_ref().map(|turn| (turn.about.id(), turn.frame.number))
    }

    pub(super) fn forked(&mut self, forked: Forked, effects: &mut Vec<Effect>) {
        let Forked { memory, library, is_in_turn, begins } = forked;
        if is_in_turn {
            self.leave_frame(effects);
        }
        if let Some(hash) = library {
            let offered = self.offered.take().filter(|library| library.hash() == hash);
            let library = offered.expect("the library that an input names is handed over before");
            // Prompts alone differ, so that a running turn finds its nodes where they were.
            let graph = library.graph(&self.graph.name).filter(|graph| graph.paths == self.graph.paths);
            if let Some(graph) = graph.cloned() {
                if self.work.background.is_some() {
                    self.graph_behind.get_or_insert_with(|| self.graph.clone());
                }
                (self.graph, self.library) = (graph, library);
            }
        }
        if let Some(memory) = memory.filter(|memory| *memory != self.conversation.memory) {
            self.conversation.memory = memory.bounded(self.setup.limits.facts_max);
            self.show_memory(TurnId(0), self.engine.clone(), effects);
        }
        match begins {
            Some(Input::Message { text, dashboard, client_id, while_busy: _, from }) => {
                self.enqueue(Begun::Message { text: text.into(), dashboard }, client_id, from, effects);
            }
            Some(Input::Action { action, data, source, client_id, while_busy: _, from }) => {
                self.enqueue(Begun::Action { action, data, source }, client_id, from, effects);
            }
            Some(Input::Retry { turn, client_id, from }) => self.retry(turn, client_id, from, effects),
            Some(Input::Edit { turn, text, dashboard, client_id, from }) => {
                self.replace_from(turn, Begun::Message { text: text.into(), dashboard }, client_id, from, effects);
            }
            _ => {}
        }
        // The calls were another session's.
        effects.retain(|effect| !matches!(effect, Effect::Cancel { .. }));
    }

    /// Takes the running turn back to before its frame, none of whose calls has been answered.
    fn leave_frame(&mut self, effects: &mut Vec<Effect>) {
        for running in self.work.calls.iter().filter(|running| running.lane == Lane::Turn) {
            let Some(turn) = &mut self.work.turn else { return };
            let count = match &*running.request {
                Request::Model(_) => &mut turn.calls,
                Request::Database(_) => &mut turn.database_calls,
                Request::Approval(_) => continue,
            };
            *count = count.saturating_sub(1);
        }
        self.end_calls(Lane::Turn, effects);
        if let Some(turn) = &mut self.work.turn {
            let number = turn.frame.number;
            turn.details.retain(|call| call.frame != number);
            turn.again = turn.path.pop();
            turn.frame.number -= 1;
        }
    }

    /// Begins the frame again that a fork has left. Returns whether there is one.
    pub(super) fn begin_again(&mut self, effects: &mut Vec<Effect>) -> bool {
        let Some(node) = self.work.turn.as_mut().and_then(|turn| turn.again.take()) else { return false };
        let step = self.enter(node, effects);
        self.advance(step, effects);
        true
    }
}
