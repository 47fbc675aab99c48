//! How a journal is kept: every session's inputs in order, snapshots, finished turns, and the graphs that all of it ran on.
//!
//! A store doesn't look into the bytes that it keeps. It blocks, so it runs on threads of its own (`shell/journal.rs`). Two
//! implementations pass the same tests (`testcases/store`): [`sqlite`], one file, and [`mysql`], a server that speaks MySQL's
//! protocol. Both run the same statements: `append.rs`, `load.rs`, `list.rs`, `change.rs`, `delete.rs`, `outbox.rs` and `spent.rs` say
//! what happens,
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
mod outbox;
mod packed;
mod session;
mod spent;
mod sql;
pub mod sqlite;
mod words;

use crate::contract::Time;
pub use error::{Kind, StoreError};

/// The format that this version writes. An older journal is migrated when it is opened, a newer one is refused.
pub const FORMAT: u32 = 2;

pub use crate::contract::journal::{
    Append, Attempted, Deleted, Delivery, DeliveryState, DeliveryStatus, Item, Loaded, Name, Place, Record, Retention, SessionQuery,
    SessionRow, Spending, SpentOn, TITLE_CHARS, Turn, TurnOrder, TurnQuery, TurnRow, Undelivered, Webhook,
};

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

    /// Gives space that deletions left back to the file system, a bounded amount a call: call it again while it returns true. Where
    /// the database does that by itself, it does nothing.
    fn compact(&mut self) -> Result<bool, StoreError>;

    /// Keeps what became of deliveries. One that was deleted meanwhile is skipped.
    fn attempted(&mut self, attempted: &[Attempted]) -> Result<(), StoreError>;

    /// Whether other servers may write the same journal.
    fn is_shared(&self) -> bool;

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

    /// What was spent of budgets, by day and payer. Days before the latest are deleted when something is spent on a later one.
    fn spent(&mut self) -> Result<Vec<SpentOn>, StoreError>;

    /// Deliveries that were due before this time, and sessions last used before it that a webhook waits for.
    fn undelivered(&mut self, before: Time) -> Result<Undelivered, StoreError>;

    /// The files of a library.
    fn library(&mut self, hash: &str) -> Result<Option<Vec<u8>>, StoreError>;
}
