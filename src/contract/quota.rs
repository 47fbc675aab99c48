//! What each user and each address may use.

/// What everyone may use. 0 is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    pub user: Quota,
    pub address: Quota,
    /// Of loopback addresses: a developer's, or those of everyone whom a proxy on this machine serves.
    pub loopback: Quota,
    /// Of each user; where nobody signs in, of each address.
    pub budget: Budget,
}

/// What one user or address may use. 0 is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// In a minute.
    pub requests: u32,
    /// In a minute: messages and actions.
    pub messages: u32,
    /// WebSockets and event streams at once.
    pub streams: u32,
    /// Sessions with a running turn at once; of an address only where nobody signs in.
    pub turns: u32,
}

/// What one user may use on a day of UTC. 0 is no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    pub turns: u64,
    /// Of prompts and answers.
    pub tokens: u64,
    /// In millionths of the unit that prices are in.
    pub cost: u64,
}

/// What someone has used of a day's budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub turns: u64,
    /// Of prompts and answers.
    pub tokens: u64,
    /// In millionths of the unit that prices are in.
    pub cost: u64,
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, other: Spent) {
        self.turns = self.turns.saturating_add(other.turns);
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.cost = self.cost.saturating_add(other.cost);
    }
}

impl Quotas {
    /// Whether anything is bounded.
    pub fn is_on(&self) -> bool {
        *self != Quotas::default()
    }
}
