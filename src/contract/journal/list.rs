//! Lists of sessions and turns: what is wanted, and what a store finds.

use super::{DeliveryStatus, Name, Place, Turn};
use crate::contract::Time;

/// A session in a list.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct SessionRow {
    pub user: String,
    pub session: String,
    /// What the user renamed it to, else the first question since it was last cleared; at most [`TITLE_CHARS`] characters.
    pub title: String,
    /// µs since the epoch.
    pub created_at: u64,
    /// µs since the epoch: the time of its latest record.
    pub used_at: u64,
    /// Turns that aren't hidden.
    pub turns: u64,
    /// Of the latest turn.
    pub graph: String,
    /// Of all turns, hidden ones too: tokens in and out.
    pub tokens: u64,
    pub cost_micros: u64,
    /// Bytes of records, snapshots and turns.
    pub bytes: u64,
}

/// A turn in a list, with its rating.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnRow {
    pub user: String,
    pub session: String,
    /// Without `detail` in lists.
    pub turn: Turn,
    pub is_hidden: bool,
    /// It was rolled back, or another turn came in its place.
    pub is_replaced: bool,
    /// -1 or 1.
    pub rating: Option<i8>,
    pub comment: Option<String>,
    /// Of its webhook, if it has one.
    pub webhook: Option<DeliveryStatus>,
    /// Where the turn stands in the list: pass the last one's as [`TurnQuery::before`] to get the next page.
    pub place: Place,
}

pub const TITLE_CHARS: usize = 80;

/// Which sessions to list, the latest used first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionQuery {
    /// None: of all users.
    pub user: Option<String>,
    /// Only sessions of these names, where it isn't empty.
    pub names: Vec<String>,
    /// Beginnings of words, in any case: the title has all of them, or one turn's question and answer do. Blank: no filter.
    pub search: Option<String>,
    /// Where the previous page ended: only sessions used before this time, or at this time with a greater name.
    pub before: Option<(Time, Name)>,
    pub limit: usize,
}

/// Which turns to list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnQuery {
    pub user: Option<String>,
    pub session: Option<String>,
    /// Only turns with a lower number.
    pub before_turn: Option<u64>,
    /// Where the previous page, in the same order, ended.
    pub before: Option<Place>,
    pub status: Option<String>,
    pub is_degraded: Option<bool>,
    pub path: Option<String>,
    pub graph: Option<String>,
    pub rating: Option<i8>,
    /// Only turns that took at least this long, in µs.
    pub min_total_us: Option<u64>,
    /// Only turns that showed text, after at least this long, in µs.
    pub min_first_token_us: Option<u64>,
    /// In and out.
    pub min_tokens: Option<u64>,
    pub min_cost_micros: Option<u64>,
    /// Beginnings of words, in any case: question and answer have all of them. Blank: no filter.
    pub search: Option<String>,
    pub order: TurnOrder,
    /// Also turns that were hidden when their session was cleared.
    pub with_hidden: bool,
    /// Also turns that are in their session's history no more, because they were rolled back or replaced.
    pub with_replaced: bool,
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TurnOrder {
    /// The latest start first; within one user's session the highest number first.
    #[default]
    Latest,
    Slowest,
    SlowestFirstToken,
    MostTokens,
    MostCost,
}

/// What is kept of sessions, as settings say it. None: all, for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retain {
    /// Days since a session was last used.
    pub days: Option<u32>,
    pub user_bytes: Option<u64>,
}

/// How long sessions are kept, and how much of each user. None: unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Delete sessions last used before this.
    pub unused_since: Option<Time>,
    /// Delete each user's least recently used sessions until the others take at most this many bytes.
    pub user_bytes_max: Option<u64>,
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Deleted {
    pub sessions: u64,
    pub turns: u64,
    pub records: u64,
    pub bytes: u64,
}

impl Deleted {
    pub fn add(&mut self, more: Deleted) {
        self.sessions += more.sessions;
        self.turns += more.turns;
        self.records += more.records;
        self.bytes += more.bytes;
    }
}
