//! Runs the statements in transactions: what a kind of database has to bring to be a store.

use super::sql::Sql;
use super::{
    Append, Attempted, Deleted, FORMAT, Loaded, Name, Read, Record, Retention, SessionQuery, SessionRow, SpentOn, Store, StoreError,
    TurnQuery, TurnRow, Undelivered, append, change, delete, list, load, outbox, spent,
};
use crate::contract::Time;
use std::collections::BTreeSet;

pub(super) type Outcome<T> = Result<T, StoreError>;

/// What a journal is opened for. Only [`Access::Write`] creates or migrates one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Why a journal of this format can't be read as it is.
pub(super) fn unreadable(format: u32) -> Option<&'static str> {
    match format {
        FORMAT => None,
        0 => Some("is empty: no server has written to it yet"),
        _ => Some("has an older format; start the server once, which migrates it"),
    }
}

pub(super) trait Reading {
    /// Runs single statements that read. They may be run twice, after a lost connection.
    fn reading<T>(&mut self, work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T>;
}

pub(super) trait Writing: Reading {
    /// Runs statements in one transaction, durable when this returns. They may be run again, from the start, after a lost connection
    /// or a deadlock, even if the first transaction was committed: what they do must be the same when done twice.
    fn writing<T>(&mut self, work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T>;

    /// Something was deleted: removes what is left of it.
    fn erase(&mut self) -> Outcome<()>;

    /// Gives back some of the space that deletions left. Returns whether there is more.
    fn compact(&mut self) -> Outcome<bool>;

    /// Libraries that this handle kept: the server may use them although no session names them yet.
    fn own_libraries(&mut self) -> &mut BTreeSet<String>;

    /// Whether other servers may write the same journal.
    const IS_SHARED: bool;

    fn another(&self) -> Outcome<Box<dyn Read + Send>>;
}

impl<E: Reading> Read for E {
    fn sessions(&mut self, query: &SessionQuery) -> Outcome<Vec<SessionRow>> {
        self.reading(|sql| list::sessions(sql, query))
    }

    fn turns(&mut self, query: &TurnQuery) -> Outcome<Vec<TurnRow>> {
        self.reading(|sql| list::turns(sql, query))
    }

    fn turn(&mut self, name: &Name, turn: u64) -> Outcome<Option<TurnRow>> {
        self.reading(|sql| list::turn(sql, name, turn))
    }

    fn records(&mut self, name: &Name, from: u64, limit: usize) -> Outcome<Vec<Record>> {
        self.reading(|sql| load::records(sql, name, from, limit))
    }

    fn snapshot(&mut self, name: &Name, number: u64) -> Outcome<Option<(u64, Vec<u8>)>> {
        self.reading(|sql| load::snapshot(sql, name, number))
    }

    fn spent(&mut self) -> Outcome<Vec<SpentOn>> {
        self.reading(spent::spent)
    }

    fn undelivered(&mut self, before: Time) -> Outcome<Undelivered> {
        self.reading(|sql| outbox::undelivered(sql, before))
    }

    fn library(&mut self, hash: &str) -> Outcome<Option<Vec<u8>>> {
        self.reading(|sql| change::library(sql, hash))
    }
}

impl<E: Writing> Store for E {
    fn append(&mut self, batch: &[Append]) -> Outcome<()> {
        self.writing(|sql| append::append(sql, batch))
    }

    fn load(&mut self, name: &Name) -> Outcome<Loaded> {
        self.writing(|sql| load::load(sql, name))
    }

    fn keep_library(&mut self, hash: &str, files: &[u8]) -> Outcome<()> {
        self.writing(|sql| change::keep_library(sql, hash, files))?;
        self.own_libraries().insert(hash.to_owned());
        Ok(())
    }

    fn rename(&mut self, name: &Name, title: &str) -> Outcome<bool> {
        self.writing(|sql| change::rename(sql, name, title))
    }

    fn rate(&mut self, name: &Name, turn: u64, rating: Option<i8>, comment: Option<&str>) -> Outcome<bool> {
        self.writing(|sql| change::rate(sql, name, turn, rating, comment))
    }

    fn delete(&mut self, name: &Name) -> Outcome<Deleted> {
        let deleted = self.writing(|sql| delete::session(sql, name, |_| true));
        erased(self, deleted)
    }

    fn delete_user(&mut self, user: &str) -> Outcome<Deleted> {
        let deleted = delete::user(self, user);
        erased(self, deleted)
    }

    fn retain(&mut self, retention: &Retention, keep: &dyn Fn(&Name) -> bool) -> Outcome<Deleted> {
        let deleted = delete::retain(self, retention, keep);
        erased(self, deleted)
    }

    fn compact(&mut self) -> Outcome<bool> {
        Writing::compact(self)
    }

    fn attempted(&mut self, attempted: &[Attempted]) -> Outcome<()> {
        self.writing(|sql| outbox::attempted(sql, attempted))
    }

    fn is_shared(&self) -> bool {
        E::IS_SHARED
    }

    fn check(&mut self) -> Outcome<()> {
        self.writing(change::write_sample)?;
        self.writing(change::remove_sample)
    }

    fn reader(&self) -> Outcome<Box<dyn Read + Send>> {
        self.another()
    }
}

/// Removes what is left of deleted sessions, also if only some of them could be deleted.
fn erased(store: &mut impl Writing, deleted: Outcome<Deleted>) -> Outcome<Deleted> {
    if deleted.as_ref().is_ok_and(|deleted| deleted.sessions == 0) {
        return deleted;
    }
    let erased = store.erase();
    let deleted = deleted?;
    erased?;
    Ok(deleted)
}
