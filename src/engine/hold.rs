//! Turns that begin when the caller says so, for those who play a session again: they look at the session before a turn, or
//! have the turn run on another graph.

use super::Session;
use crate::contract::{CallId, Effect, TurnId};
use crate::graph::Library;
use std::sync::Arc;

impl Session {
    /// From now on no turn begins by itself: it waits for [`Session::begin_held`]. No snapshot says so.
    pub fn hold(&mut self) {
        self.is_held = true;
    }

    /// The turn that would begin now.
    pub fn held(&self) -> Option<TurnId> {
        let first = self.work.waiting.front().filter(|_| self.work.turn.is_none());
        first.map(|waiting| waiting.id)
    }

    /// Begins it, at the time of the last input.
    pub fn begin_held(&mut self, effects: &mut Vec<Effect>) {
        self.adopt();
        if self.held().is_some()
            && let Some(waiting) = self.work.waiting.pop_front()
        {
            self.begin(waiting, effects);
        }
    }

    /// Has the next turn run on this graph, without what a switch resets. What runs behind a turn keeps the graph that it
    /// began with. `false`: the library has no such graph.
    ///
    /// # Panics
    /// When a turn is running: its nodes are those of its graph.
    pub fn run_on(&mut self, library: &Arc<Library>, graph: &str) -> bool {
        assert!(self.work.turn.is_none(), "a turn ends on the graph that it began with");
        let Some(graph) = library.graph(graph).cloned() else { return false };
        if self.work.background.is_some() {
            self.graph_behind.get_or_insert_with(|| self.graph.clone());
        }
        (self.graph, self.library, self.next) = (graph, library.clone(), None);
        true
    }

    /// Whether a turn is running, or something runs or is still to run behind it.
    pub fn is_at_work_for(&self, turn: TurnId) -> bool {
        let (running, behind) = (self.work.turn.iter().map(|turn| turn.about.id()), self.work.background.iter());
        let behind = behind.map(|background| background.about.id()).chain(self.work.background_next.iter().map(|about| about.id()));
        running.chain(behind).any(|id| id == turn)
    }

    /// The calls that are out.
    pub fn calls_out(&self) -> impl Iterator<Item = CallId> {
        self.work.calls.iter().map(|running| running.call)
    }
}
