//! How a journal is kept: every session's inputs in order, snapshots, finished turns, and the graphs that all of it ran on.
//!
//! A store doesn't look into the bytes that it keeps. It blocks, so it runs on threads of its own (`shell/journal.rs`). Two
//! implementations pass the same tests (`testcases/store`): [`sqlite`], one file, and [`mysql`], a server that speaks MySQL's
//! protocol. Both run the same statements: `append.rs`, `load.rs`, `list.rs`, `change.rs` and `delete.rs` say what happens,
//! against the few operations of `sql.rs`.
//!
//! Invariants: when `append` returns, all of the batch is durable or none of it; a record's number is used once; a session's
//! generation only rises, even when the session is deleted and created again, so that no event number is used twice.

mod append;
mod change;
mod delete;
mod engine;
mod error;
mod list;
mod load;
pub mod mysql;
mod place;
mod session;
mod sql;
pub mod sqlite;
mod words;

pub use error::{Kind, StoreError};
pub use place::Place;

use crate::contract::Time;

/// The format that this version writes. An older journal is migrated when it is opened, a newer one is refused.
pub const FORMAT: u32 = 1;

pub use crate::contract::journal::{Append, Item, Loaded, Name, Record, Turn};

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
    /// -1 or 1.
    pub rating: Option<i8>,
    pub comment: Option<String>,
    /// Where the turn stands in the list: pass the last one's as [`TurnQuery::before`] to get the next page.
    pub place: Place,
}

pub const TITLE_CHARS: usize = 80;

/// Which sessions to list, the latest used first.
#[derive(Clone, Debug, Default)]
pub struct SessionQuery {
    /// None: of all users.
    pub user: Option<String>,
    /// Beginnings of words, in any case: the title has all of them, or one turn's question and answer do. Blank: no filter.
    pub search: Option<String>,
    /// Where the previous page ended: only sessions used before this time, or at this time with a greater name.
    pub before: Option<(Time, Name)>,
    pub limit: usize,
}

/// Which turns to list.
#[derive(Clone, Debug, Default)]
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
    /// Beginnings of words, in any case: question and answer have all of them. Blank: no filter.
    pub search: Option<String>,
    pub order: TurnOrder,
    /// Also turns that were hidden when their session was cleared.
    pub with_hidden: bool,
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

/// The writer of a journal: one per SQLite file; sessions of a MySQL server may have several, each fenced by its generation.
///
/// After an error the store can be used again as soon as the cause is gone: it reopens or reconnects at the next call.
pub trait Store: Read {
    /// Keeps the whole batch durably, or nothing. A record that is kept already, with the same bytes, generation and time, is
    /// skipped, so that a batch whose outcome is unknown can be appended again.
    ///
    /// # Errors
    /// [`Kind::Fenced`] if a session was loaded again or deleted since: nothing is kept, and the error names the session.
    /// [`Kind::Other`] if a number is not the session's next, which is a bug of the caller.
    fn append(&mut self, batch: &[Append]) -> Result<(), StoreError>;

    /// Loads a session under a new generation. A session that doesn't exist is not created.
    fn load(&mut self, name: &Name) -> Result<Loaded, StoreError>;

    /// Keeps the files that a library was read from, by its content hash. Call it at each start and reload.
    fn keep_library(&mut self, hash: &str, files: &[u8]) -> Result<(), StoreError>;

    /// Sets a session's title; an empty one restores the first question. False if there is no such session.
    fn rename(&mut self, name: &Name, title: &str) -> Result<bool, StoreError>;

    /// Sets or removes a turn's rating. False if there is no such turn.
    fn rate(&mut self, name: &Name, turn: u64, rating: Option<i8>, comment: Option<&str>) -> Result<bool, StoreError>;

    /// Deletes a session with everything that belongs to it.
    fn delete(&mut self, name: &Name) -> Result<Deleted, StoreError>;

    /// Deletes everything of a user, session by session. After an error, call it again.
    fn delete_user(&mut self, user: &str) -> Result<Deleted, StoreError>;

    /// Deletes sessions beyond the bounds, at most [`RETAIN_SESSIONS_MAX`] a call: call it again while it deletes that many. Then deletes
    /// libraries that no session names. `keep` returns true for sessions in memory; those are never deleted.
    fn retain(&mut self, retention: &Retention, keep: &dyn Fn(&Name) -> bool) -> Result<Deleted, StoreError>;

    /// Checks that the journal can be written: writes and removes [`CHECK_BYTES`], durably.
    fn check(&mut self) -> Result<(), StoreError>;

    /// Another handle, for reading on another thread.
    fn reader(&self) -> Result<Box<dyn Read + Send>, StoreError>;
}

/// Sessions that one call of [`Store::retain`] deletes at most.
pub const RETAIN_SESSIONS_MAX: u64 = 200;
/// What [`Store::check`] writes.
pub const CHECK_BYTES: usize = 16 << 10;

/// Reads, beside a writer if need be.
pub trait Read {
    fn sessions(&mut self, query: &SessionQuery) -> Result<Vec<SessionRow>, StoreError>;

    /// Turns without their detail.
    fn turns(&mut self, query: &TurnQuery) -> Result<Vec<TurnRow>, StoreError>;

    /// One turn with its detail.
    fn turn(&mut self, name: &Name, turn: u64) -> Result<Option<TurnRow>, StoreError>;

    /// Up to `limit` records from this number on.
    fn records(&mut self, name: &Name, from: u64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The latest snapshot at or before this record, with the number of its record.
    fn snapshot(&mut self, name: &Name, number: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError>;

    /// The files of a library.
    fn library(&mut self, hash: &str) -> Result<Option<Vec<u8>>, StoreError>;
}
