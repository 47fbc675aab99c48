//! How busy a shard is, in three numbers for whoever looks after the process.

use super::{Shard, queries};
use crate::contract::journal::Name;
use std::ops::Add;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Connections.
    pub clients: usize,
    /// Sessions with a running turn.
    pub turns: usize,
    /// Sessions in memory.
    pub sessions: usize,
}

impl Shard {
    pub fn load(&self) -> Load {
        Load { clients: self.sockets.len(), turns: self.sessions.busy(), sessions: self.sessions.open() }
    }

    /// The sessions in memory, and those that may open there now.
    pub fn names(&self) -> Vec<Name> {
        self.sessions.iter().map(|live| queries::name(&live.key)).collect()
    }
}

impl Add for Load {
    type Output = Load;

    fn add(self, other: Load) -> Load {
        let Load { clients, turns, sessions } = other;
        Load { clients: self.clients + clients, turns: self.turns + turns, sessions: self.sessions + sessions }
    }
}
