//! What a journal keeps of sessions, as it is handed to a store and comes back. A store knows nothing of what is in the bytes.

use super::Time;

/// What waits until it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// What begins and ends turns; the pieces of an answer are shown at once.
    Turn,
    /// Every event.
    EveryDelta,
}

/// How a shard keeps its sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    pub durability: Durability,
    /// A turn that was cut off by a crash begins again, instead of ending with an error.
    pub rerun: bool,
}

/// Whose session, and its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    pub user: String,
    pub session: String,
}

/// Something to keep, in the order in which it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    pub name: Name,
    /// What the session was loaded with. Refused where it was loaded again since.
    pub generation: u32,
    pub at: Time,
    pub item: Item,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// An input; numbers count up from 1.
    Record { number: u64, bytes: Vec<u8> },
    /// All that the session is after the record of this number. The two latest are kept.
    Snapshot { number: u64, bytes: Vec<u8> },
    /// A turn has ended, or what ran behind it has: the same turn again replaces it.
    Turn(Box<Turn>),
    /// The session was cleared: its turns are hidden from histories; its records stay.
    Cleared,
}

impl Item {
    /// Bytes of what grows.
    pub fn bytes(&self) -> usize {
        match self {
            Item::Record { bytes, .. } | Item::Snapshot { bytes, .. } => bytes.len(),
            Item::Turn(turn) => turn.detail.len() + turn.question.len() + turn.answer.len(),
            Item::Cleared => 0,
        }
    }
}

/// A finished turn: what lists, histories and searches show, and all of it as bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    pub turn: u64,
    /// The record that ended it.
    pub number: u64,
    pub started_at: Time,
    pub question: String,
    pub answer: String,
    /// `done`, `error` or `cancelled`.
    pub status: String,
    pub degraded: Option<String>,
    pub graph: String,
    pub path: String,
    pub total_us: u64,
    pub first_token_us: Option<u64>,
    pub tokens_in: u64,
    pub tokens_out: u64,
    pub cost_micros: u64,
    /// What `/api/turn` shows, for the store only bytes.
    pub detail: Vec<u8>,
}

/// What is needed to go on with a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Never used before for this name. Kept for a session that exists; of one that doesn't, its first append keeps it.
    pub generation: u32,
    /// The older of the two latest snapshots, with the number of its record; none where there are fewer than two. What came
    /// behind it can be told again to those who watch.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// What came after it.
    pub records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub number: u64,
    pub generation: u32,
    pub at: Time,
    pub bytes: Vec<u8>,
}
