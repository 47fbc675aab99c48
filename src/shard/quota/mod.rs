//! What each user and each address may use: requests and messages a minute, streams and turns at once, a budget a day.
//!
//! A [`Ledger`] is a shard's view of it. Someone's requests and sessions reach any shard, so each shard counts what it admits
//! and tells the others, in one mail a tick; it decides by its own counts and what it was told, and waits for nobody. What is
//! admitted beyond a bound is at most what the other shards admit until their mail is read, and a sixteenth of a rate.

mod bound;
mod bucket;
mod day;
mod kept;
mod ledger;
mod limited;
mod slot;

use super::address::Address;
pub(super) use crate::contract::Spent;
use crate::contract::{Quota, Quotas, Usage};
pub(super) use bound::Rate;
pub use ledger::Sums;
pub(super) use ledger::{Held, Ledger};
pub use limited::Limited;
pub(super) use limited::Over;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Address(Address),
    User(Arc<str>),
    /// All those together for whom a ledger has no place left.
    OtherAddresses,
    OtherUsers,
}

/// What a shard has counted of someone since it last told the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    requests: u32,
    messages: u32,
    /// How many more there are, or fewer.
    streams: i64,
    turns: i64,
    spent: Spent,
}

impl Subject {
    /// What it may use.
    fn quota(&self, quotas: &Quotas) -> Quota {
        match self {
            Subject::Address(address) if address.is_local() => quotas.loopback,
            Subject::Address(_) | Subject::OtherAddresses => quotas.address,
            Subject::User(_) | Subject::OtherUsers => quotas.user,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Subject::Address(_) | Subject::OtherAddresses => "address",
            Subject::User(_) | Subject::OtherUsers => "user",
        }
    }

    /// Who counts instead where there is no place left.
    fn others(&self) -> Subject {
        match self {
            Subject::Address(_) | Subject::OtherAddresses => Subject::OtherAddresses,
            Subject::User(_) | Subject::OtherUsers => Subject::OtherUsers,
        }
    }
}

/// As the log shows it: users by a hash, so that nobody is named.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Address(address) => write!(f, "address {address}"),
            Subject::User(sub) => write!(f, "user {}", super::hex(&Sha256::digest(sub.as_bytes())[..6])),
            Subject::OtherAddresses => f.write_str("the addresses that are not counted one by one"),
            Subject::OtherUsers => f.write_str("the users that are not counted one by one"),
        }
    }
}

/// What the beginning of a turn takes of a budget.
pub(super) const TURN: Spent = Spent { turns: 1, tokens: 0, cost: 0 };

/// What a call has taken.
pub(super) fn spent_by(usage: &Usage) -> Spent {
    Spent { turns: 0, tokens: usage.prompt_tokens.saturating_add(usage.completion_tokens), cost: usage.cost_micros }
}

#[cfg(test)]
mod tests;
