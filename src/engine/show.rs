//! What watchers see: events, numbered.

use super::Session;
use crate::contract::{Effect, Event, TurnId, What};
use std::sync::Arc;

impl Session {
    pub(super) fn emit(&mut self, turn: TurnId, frame: u32, node: Arc<str>, what: What, effects: &mut Vec<Effect>) {
        self.counters.seq_last.0 += 1;
        effects.push(Effect::Emit(Event { seq: self.counters.seq_last, at: self.counters.now.wall, turn, frame, node, what }));
    }

    /// Shows the controls, machines and state that have changed; after a reset the controls in any case.
    pub(super) fn show_ui(&mut self, is_reset: bool, turn: TurnId, frame: u32, effects: &mut Vec<Effect>) {
        let controls = self.controls();
        let (ui, shown) = (&self.conversation.ui, &mut self.conversation.shown);
        let controls = (is_reset || *controls != *shown.controls).then(|| {
            shown.controls = controls.into();
            What::Controls { controls: shown.controls.clone() }
        });
        let machines = (*ui.machines != *shown.machines).then(|| {
            shown.machines = ui.machines.iter().cloned().collect();
            What::Machines { machines: shown.machines.clone() }
        });
        let state = (ui.state != *shown.state).then(|| {
            shown.state = Arc::new(ui.state.clone());
            What::State { state: shown.state.clone() }
        });
        for what in [controls, machines, state].into_iter().flatten() {
            self.emit(turn, frame, self.engine.clone(), what, effects);
        }
    }

    pub(super) fn show_memory(&mut self, turn: TurnId, node: Arc<str>, effects: &mut Vec<Effect>) {
        let memory = Arc::new(self.conversation.memory.clone());
        self.emit(turn, 0, node, What::Memory { memory }, effects);
    }
}
