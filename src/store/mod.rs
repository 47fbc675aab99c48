//! How a journal is kept: every session's inputs in order, snapshots, finished turns, and the graphs that all of it ran on.
//!
//! A store knows nothing of what is in the bytes that it keeps. It blocks, so it lives on threads of its own (`shell/journal.rs`).
//! Two kinds pass the same tests: [`sqlite`], one file, and [`mysql`], a server that speaks the MySQL protocol.
//!
//! Invariants: an append is durable as a whole or not at all, when `append` returns; a record's number is used once; a session's
//! generation only rises, also over its deletion, so that no number of an event is used twice.

use crate::contract::Time;
use std::fmt;

/// The format of what is kept. A store of another version is refused, or brought up to this one where that can be done.
pub const FORMAT: u32 = 1;

pub use crate::contract::journal::{Append, Item, Loaded, Name, Record, Turn};

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

#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// This session was loaded again by another since.
    Fenced(Name),
    Other,
}

impl Kind {
    /// What an operator does about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Kind::Full => "its disk is full; free some space, and it goes on by itself",
            Kind::ReadOnly => "it may not be written; give the server the right to, and it goes on by itself",
            Kind::Corrupt => "it is damaged; stop the server and restore a backup",
            Kind::Unavailable => "it can't be reached; bring its server back, and it goes on by itself",
            Kind::Format => "another version of this program wrote it; use that one",
            Kind::Fenced(_) => "another server goes on with this session",
            Kind::Other => "see the log",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for StoreError {}

pub mod sqlite {
    pub fn open(_: &std::path::Path) -> Result<Box<dyn super::Store + Send>, super::StoreError> {
        unimplemented!()
    }
}
pub mod mysql {
    pub fn open(_: &str) -> Result<Box<dyn super::Store + Send>, super::StoreError> {
        unimplemented!()
    }
}
