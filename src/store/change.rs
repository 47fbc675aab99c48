//! Small changes: titles, ratings, libraries, and the sample that shows whether the journal can be written.

use super::session;
use super::sql::{Sql, Value};
use super::{CHECK_BYTES, Name, StoreError, words};
use crate::contract::Time;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the sample is kept as: no library has such a hash.
const SAMPLE: &str = "check";

pub(super) fn rename(sql: &mut dyn Sql, name: &Name, title: &str) -> Result<bool, StoreError> {
    let Some(mut session) = session::locked(sql, name)? else { return Ok(false) };
    session.title = words::title(title);
    session.is_renamed = !session.title.is_empty();
    if !session.is_renamed {
        session.title = session.first_question(sql)?;
    }
    session.save(sql)?;
    Ok(true)
}

pub(super) fn rate(sql: &mut dyn Sql, name: &Name, turn: u64, rating: Option<i8>, comment: Option<&str>) -> Result<bool, StoreError> {
    let Some(id) = session::id(sql, name)? else { return Ok(false) };
    // How many rows were changed would be 0 for the same rating once more.
    if sql.first("SELECT 1 FROM turns WHERE session_id = ? AND turn = ?", &[id.into(), turn.into()])?.is_none() {
        return Ok(false);
    }
    let rating = rating.map_or(Value::Null, |rating| Value::Int(rating.into()));
    sql.run(
        "UPDATE turns SET rating = ?, comment = ? WHERE session_id = ? AND turn = ?",
        &[rating, comment.into(), id.into(), turn.into()],
    )?;
    Ok(true)
}

pub(super) fn keep_library(sql: &mut dyn Sql, hash: &str, files: &[u8]) -> Result<(), StoreError> {
    let now = now();
    if sql.first("SELECT 1 FROM libraries WHERE hash = ?", &[hash.into()])?.is_some() {
        sql.run("UPDATE libraries SET kept_at = ? WHERE hash = ?", &[now.0.into(), hash.into()])?;
    } else {
        sql.run("INSERT INTO libraries (hash, kept_at, files) VALUES (?, ?, ?)", &[hash.into(), now.0.into(), files.into()])?;
    }
    Ok(())
}

pub(super) fn library(sql: &mut dyn Sql, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
    sql.first("SELECT files FROM libraries WHERE hash = ?", &[hash.into()])?.map(|mut row| row.bytes()).transpose()
}

pub(super) fn write_sample(sql: &mut dyn Sql) -> Result<(), StoreError> {
    let sample = vec![0x5a; CHECK_BYTES];
    remove_sample(sql)?;
    let insert = "INSERT INTO libraries (hash, kept_at, files) VALUES (?, ?, ?)";
    sql.run(insert, &[SAMPLE.into(), now().0.into(), sample.as_slice().into()])?;
    Ok(())
}

pub(super) fn remove_sample(sql: &mut dyn Sql) -> Result<(), StoreError> {
    sql.run("DELETE FROM libraries WHERE hash = ?", &[SAMPLE.into()])?;
    Ok(())
}

/// The wall clock: only how old a library is depends on it.
pub(super) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
