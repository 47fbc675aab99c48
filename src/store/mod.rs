//! How a journal is kept: every session's inputs in order, snapshots, finished turns, and the graphs that all of it ran on.
//!
//! A store knows nothing of what is in the bytes that it keeps. It blocks, so it lives on threads of its own (`shell/journal.rs`).
//! Two kinds pass the same tests: [`sqlite`], one file, and [`mysql`], a server that speaks the MySQL protocol.
//!
//! Invariants: an append is durable as a whole or not at all, when `append` returns; a record's number is used once; a session's
//! generation only rises, also over its deletion, so that no number of an event is used twice.

pub mod mysql;
pub mod sqlite;

use crate::contract::Time;
use std::fmt;

/// The format of what is kept. A store of another version is refused, or brought up to this one where that can be done.
pub const FORMAT: u32 = 1;

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
    /// A turn has ended.
    Turn(Box<Turn>),
    /// The session was cleared: its turns are hidden from histories; its records stay.
    Cleared,
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
    /// The older of the two latest snapshots, if there are two, else none unless it was asked for: what came behind it can be
    /// told again to those who watch. With the number of its record.
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

/// A session in a list.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct SessionRow {
    pub user: String,
    pub session: String,
    /// What it was renamed to, else the first question, at most [`TITLE_CHARS`] characters.
    pub title: String,
    /// µs since the epoch.
    pub created_at: u64,
    pub used_at: u64,
    pub turns: u64,
    pub graph: String,
    pub tokens: u64,
    pub cost_micros: u64,
    /// Bytes of records, snapshots and turns.
    pub bytes: u64,
}

/// A turn in a list, with what was said of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnRow {
    pub user: String,
    pub session: String,
    /// Without `detail` in lists.
    pub turn: Turn,
    pub is_hidden: bool,
    /// -1 or 1.
    pub rating: Option<i8>,
    pub comment: Option<String>,
}

pub const TITLE_CHARS: usize = 80;

/// Which sessions a list shows: the latest first.
#[derive(Clone, Debug, Default)]
pub struct SessionQuery {
    /// None: of all users.
    pub user: Option<String>,
    /// Words that titles, questions or answers have.
    pub search: Option<String>,
    /// Those used before this, and of those used at the same time, those after this name: where the page before ended.
    pub before: Option<(Time, Name)>,
    pub limit: usize,
}

/// Which turns a list shows: the latest first.
#[derive(Clone, Debug, Default)]
pub struct TurnQuery {
    pub user: Option<String>,
    pub session: Option<String>,
    /// Those before this turn of the session.
    pub before_turn: Option<u64>,
    /// Those that started before this: where the page before ended.
    pub before: Option<Time>,
    pub status: Option<String>,
    pub is_degraded: Option<bool>,
    pub path: Option<String>,
    pub graph: Option<String>,
    pub rating: Option<i8>,
    pub search: Option<String>,
    pub order: TurnOrder,
    /// Turns that a clear has hidden too.
    pub with_hidden: bool,
    pub limit: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TurnOrder {
    #[default]
    Latest,
    Slowest,
    SlowestFirstToken,
    MostTokens,
    MostCost,
}

/// What is kept for how long, and how much of it. None: without bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Sessions not used since this leave.
    pub unused_since: Option<Time>,
    /// Of each user, the sessions used longest ago leave until the others take at most so many bytes.
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

/// Keeps and finds. One writer at a time; see [`Read`] for what may run beside it.
pub trait Store: Read {
    /// Keeps all of it, durably, or nothing.
    ///
    /// # Errors
    /// [`Kind::Fenced`] where a session was loaded again since: nothing is kept, and the name of the session is in the error.
    fn append(&mut self, batch: &[Append]) -> Result<(), StoreError>;

    /// What is needed to go on with a session, under a new generation. A session that doesn't exist is not made.
    fn load(&mut self, name: &Name) -> Result<Loaded, StoreError>;

    /// Keeps the files that a library was read from, by its content hash; once is enough.
    fn keep_library(&mut self, hash: &str, files: &[u8]) -> Result<(), StoreError>;

    /// False where there is no such session.
    fn rename(&mut self, name: &Name, title: &str) -> Result<bool, StoreError>;

    /// False where there is no such turn.
    fn rate(&mut self, name: &Name, turn: u64, rating: Option<i8>, comment: Option<&str>) -> Result<bool, StoreError>;

    fn delete(&mut self, name: &Name) -> Result<Deleted, StoreError>;

    /// All that is kept of a user.
    fn delete_user(&mut self, user: &str) -> Result<Deleted, StoreError>;

    /// Deletes what is beyond the bounds; libraries that nothing refers to any more as well. `keep` are sessions in memory.
    fn retain(&mut self, retention: &Retention, keep: &dyn Fn(&Name) -> bool) -> Result<Deleted, StoreError>;

    /// Writes something and takes it back: whether it can be written.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Another handle that reads beside this one, for another thread.
    fn reader(&self) -> Result<Box<dyn Read + Send>, StoreError>;
}

/// What may run beside a writer.
pub trait Read {
    fn sessions(&mut self, query: &SessionQuery) -> Result<Vec<SessionRow>, StoreError>;

    fn turns(&mut self, query: &TurnQuery) -> Result<Vec<TurnRow>, StoreError>;

    /// One turn with its detail.
    fn turn(&mut self, name: &Name, turn: u64) -> Result<Option<TurnRow>, StoreError>;

    /// Records from this number on, at most so many.
    fn records(&mut self, name: &Name, from: u64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The latest snapshot at or before this record.
    fn snapshot(&mut self, name: &Name, number: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError>;

    fn library(&mut self, hash: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Why a store can't do what is wanted. `detail` is for operators; it never holds what users wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    pub kind: Kind,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No space is left.
    Full,
    ReadOnly,
    /// What is there can't be read.
    Corrupt,
    /// Another process has it, or the server can't be reached.
    Unavailable,
    /// It was written by another version.
    Format,
    /// A session was loaded again by another since.
    Fenced,
    Other,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for StoreError {}
