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
        let (ui, shown) = (&self.conversation.ui, &mut self.conversation.shown);
        let mut changes = Vec::new();
        let controls = ui.controls();
        if is_reset || *controls != *shown.controls {
            shown.controls = controls.into();
            changes.push(What::Controls { controls: shown.controls.clone() });
        }
        if *ui.machines != *shown.machines {
            shown.machines = ui.machines.clone().into();
            changes.push(What::Machines { machines: shown.machines.clone() });
        }
        if ui.state != *shown.state {
            shown.state = Arc::new(ui.state.clone());
            changes.push(What::State { state: shown.state.clone() });
        }
        for what in changes {
            self.emit(turn, frame, self.engine.clone(), what, effects);
        }
    }

    pub(super) fn show_memory(&mut self, turn: TurnId, node: Arc<str>, effects: &mut Vec<Effect>) {
        let memory = Arc::new(self.conversation.memory.clone());
        self.emit(turn, 0, node, What::Memory { memory }, effects);
    }
}
