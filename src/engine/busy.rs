//! What a session does with a message or action that arrives while a turn runs or waits. A request states it, else the graph.

use super::Session;
use crate::contract::{Code, Effect, Input, Outcome, Refusal, WhileBusy};

const IN_PROGRESS: Refusal =
    Refusal::new(Code::TurnInProgress, "a turn of this session is running or waiting: wait until it has ended, or stop it");

impl Session {
    /// What the request or the session's graph states for this input. None: nothing is stated, or it begins no turn.
    pub fn while_busy(&self, input: &Input) -> Option<WhileBusy> {
        match input {
            Input::Message { while_busy, .. } | Input::Action { while_busy, .. } => while_busy.or(self.graph.while_busy),
            // These two are for a session that rests.
            Input::Retry { .. } | Input::Edit { .. } => Some(WhileBusy::Reject),
            _ => None,
        }
    }

    /// Whether an input that begins a turn may come now.
    pub(super) fn has_room_for(&self, input: &Input) -> Result<(), Refusal> {
        let waiting_max = self.setup.limits.waiting_max;
        match self.while_busy(input).unwrap_or(WhileBusy::Enqueue) {
            WhileBusy::Reject if self.busy() => Err(IN_PROGRESS),
            WhileBusy::Enqueue if self.work.turn.is_some() && self.work.waiting.len() >= waiting_max => Err(super::queue_full(waiting_max)),
            // As many wait afterwards as before: the running turn makes room.
            WhileBusy::Enqueue | WhileBusy::Reject | WhileBusy::Interrupt | WhileBusy::Rollback => Ok(()),
        }
    }

    /// Makes way for an input that interrupts the running turn.
    pub(super) fn make_way(&mut self, input: &Input, effects: &mut Vec<Effect>) {
        match self.while_busy(input) {
            Some(WhileBusy::Interrupt) => self.stop_running(Outcome::Cancelled, effects),
            Some(WhileBusy::Rollback) => self.stop_running(Outcome::Withdrawn, effects),
            Some(WhileBusy::Enqueue | WhileBusy::Reject) | None => {}
        }
    }
}
