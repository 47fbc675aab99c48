//! The messages that clients gave a name, so that sending one again starts nothing.
//!
//! Names outlive a clear and a switch, as the ids of turns do.

use crate::contract::{ClientId, Outcome, TurnId};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Messages that are remembered, those of running and waiting turns among them.
const NAMED_MAX: usize = 200;

/// The latest named messages, oldest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Named(VecDeque<Entry>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    client_id: ClientId,
    turn: TurnId,
    /// How its turn ended, once it has.
    done: Option<Outcome>,
}

impl Named {
    /// The turn of a message, and how it ended if it has.
    pub(super) fn find(&self, client_id: &ClientId) -> Option<(TurnId, Option<&Outcome>)> {
        self.0.iter().rev().find(|entry| entry.client_id == *client_id).map(|entry| (entry.turn, entry.done.as_ref()))
    }

    /// Remembers a message, or an answer to an approval, whose turn has not ended; the oldest is forgotten. All that wait have room besides the last 200.
    pub(super) fn add(&mut self, client_id: ClientId, turn: TurnId, waiting_max: usize) {
        self.0.push_back(Entry { client_id, turn, done: None });
        if self.0.len() > NAMED_MAX + waiting_max {
            self.0.pop_front();
        }
    }

    pub(super) fn end(&mut self, turn: TurnId, outcome: &Outcome) {
        for entry in self.0.iter_mut().filter(|entry| entry.turn == turn) {
            entry.done = Some(outcome.clone());
        }
    }
}
