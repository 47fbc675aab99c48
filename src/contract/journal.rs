//! What a journal keeps of sessions, as it is handed to a store and comes back. A store knows nothing of what is in the bytes.

mod list;
mod outbox;
mod place;
mod spending;

pub use list::{Deleted, Retain, Retention, SessionQuery, SessionRow, TITLE_CHARS, TurnOrder, TurnQuery, TurnRow};
pub use outbox::{Attempted, Delivery, DeliveryState, DeliveryStatus, Undelivered, Webhook};
pub use place::{NoPlace, Place};
pub use spending::{Spending, SpentOn};

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
    /// Empty where it is of no session.
    pub name: Name,
    /// From [`Loaded`]. The append is refused if the session was loaded again, or deleted, since.
    pub generation: u32,
    pub at: Time,
    pub item: Item,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// An input. Numbers count up from 1; the first record creates the session.
    Record { number: u64, bytes: Vec<u8> },
    /// The whole session after the record of this number. The two latest are kept; one of the same number is replaced.
    Snapshot { number: u64, bytes: Vec<u8> },
    /// A finished turn. If it is kept already it is replaced, and its rating stays.
    Turn(Box<Turn>),
    /// These turns are in the session's history no more: they were rolled back, or others came in their place. Histories and exports
    /// leave them out. `is_back`: they are in it again.
    Replaced { turns: Vec<u64>, is_back: bool },
    /// The session was cleared: its turns so far are hidden from histories and searches; its records stay.
    Cleared,
    /// The session runs on this library from here on. Libraries that no session names are deleted by [`Store::retain`].
    Library { hash: String },
    /// A webhook is to learn of the end of a turn that has begun, or waits to. A repeat changes nothing.
    Webhook(Box<Webhook>),
    /// That turn has ended: this is to be delivered.
    Delivery { webhook: Box<Webhook>, body: Vec<u8> },
    /// What was spent of a budget. It is of no session, so no generation fences it.
    Spent(Box<Spending>),
}

impl Append {
    /// Something that is of no session.
    pub fn of_no_session(at: Time, item: Item) -> Append {
        Append { name: Name { user: String::new(), session: String::new() }, generation: 0, at, item }
    }
}

impl Item {
    /// Bytes of what grows.
    pub fn bytes(&self) -> usize {
        match self {
            Item::Record { bytes, .. } | Item::Snapshot { bytes, .. } => bytes.len(),
            Item::Turn(turn) => turn.detail.len() + turn.question.len() + turn.answer.len() + turn.progress.len(),
            Item::Library { hash } => hash.len(),
            Item::Webhook(webhook) => webhook.url.len(),
            Item::Delivery { webhook, body } => webhook.url.len() + body.len(),
            Item::Spent(spending) => spending.payer.len() + spending.counted_by.len(),
            Item::Replaced { turns, .. } => turns.len() * size_of::<u64>(),
            Item::Cleared => 0,
        }
    }
}

/// A finished turn: what lists, histories and searches show, and the whole turn as bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Turn {
    pub turn: u64,
    /// The record that ended it.
    pub number: u64,
    pub started_at: Time,
    pub question: String,
    /// The name that the client gave its message.
    pub client_id: Option<String>,
    pub answer: String,
    /// What its nodes told while they worked.
    pub progress: String,
    /// `done`, `error` or `cancelled`.
    pub status: String,
    pub degraded: Option<String>,
    pub graph: String,
    pub path: String,
    pub total_us: u64,
    pub first_token_us: Option<u64>,
    /// Counts beyond 2^53 are kept as 2^53.
    pub tokens_in: u64,
    pub tokens_out: u64,
    pub cost_micros: u64,
    /// What `/api/turn` shows; only bytes to the store. Nothing yet while something runs behind the turn.
    pub detail: Vec<u8>,
}

/// What is needed to continue a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// Never used before under this name. An existing session keeps it at once, a new one with its first record.
    pub generation: u32,
    /// The older of the two latest snapshots with the number of its record, so that the events since can be shown again to clients
    /// that resume. None if there are fewer than two.
    pub snapshot: Option<(u64, Vec<u8>)>,
    /// All records after the snapshot, in order; without a snapshot all from the first.
    pub records: Vec<Record>,
    /// Of turns that have not ended by then.
    pub webhooks: Vec<Webhook>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub number: u64,
    pub generation: u32,
    pub at: Time,
    pub bytes: Vec<u8>,
}
