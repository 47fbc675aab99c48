//! Reads what a session is continued from. Every statement finds its rows by an index.

use super::outbox;
use super::session;
use super::sql::{Row, Sql};
use super::{Kind, Loaded, Name, Record, StoreError, packed};
use crate::contract::Time;

/// Loads within a transaction of the caller, which makes the new generation durable.
pub(super) fn load(sql: &mut dyn Sql, name: &Name) -> Result<Loaded, StoreError> {
    let Some(session) = session::locked(sql, name)? else {
        let generation = next(floor(sql)?)?;
        return Ok(Loaded { generation, ..Loaded::default() });
    };
    let generation = next(session.generation)?;
    sql.run("UPDATE sessions SET generation = ? WHERE id = ?", &[u64::from(generation).into(), session.id.into()])?;
    let older = sql.first(OLDER_SNAPSHOT, &[session.id.into()])?;
    let snapshot = older.map(unpacked).transpose()?;
    let after = snapshot.as_ref().map_or(0, |(number, _)| *number);
    let records = sql.rows(RECORDS, &[session.id.into(), (after + 1).into(), u64::MAX.into()])?;
    let records = records.into_iter().map(record).collect::<Result<_, _>>()?;
    let webhooks = outbox::awaited(sql, &session)?;
    Ok(Loaded { generation, snapshot, records, webhooks })
}

pub(super) const OLDER_SNAPSHOT: &str = "SELECT number, bytes FROM snapshots WHERE session_id = ? ORDER BY number DESC LIMIT 1 OFFSET 1";
pub(super) const RECORDS: &str =
    "SELECT number, generation, at, bytes FROM records WHERE session_id = ? AND number >= ? ORDER BY number LIMIT ?";

fn next(generation: u32) -> Result<u32, StoreError> {
    generation.checked_add(1).ok_or_else(|| StoreError::new(Kind::Other, "a session was loaded too often: its generations are used up"))
}

/// The highest generation of any session that was deleted.
pub(super) fn floor(sql: &mut dyn Sql) -> Result<u32, StoreError> {
    match sql.first("SELECT value FROM meta WHERE name = 'floor'", &[])? {
        Some(mut row) => row.generation(),
        None => Ok(0),
    }
}

pub(super) fn records(sql: &mut dyn Sql, name: &Name, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
    let Some(id) = session::id(sql, name)? else { return Ok(Vec::new()) };
    sql.rows(RECORDS, &[id.into(), from.into(), (limit as u64).into()])?.into_iter().map(record).collect()
}

fn record(mut row: Row) -> Result<Record, StoreError> {
    Ok(Record { number: row.number()?, generation: row.generation()?, at: Time(row.number()?), bytes: row.bytes()? })
}

pub(super) fn snapshot(sql: &mut dyn Sql, name: &Name, number: u64) -> Result<Option<(u64, Vec<u8>)>, StoreError> {
    let Some(id) = session::id(sql, name)? else { return Ok(None) };
    let latest = "SELECT number, bytes FROM snapshots WHERE session_id = ? AND number <= ? ORDER BY number DESC LIMIT 1";
    sql.first(latest, &[id.into(), number.into()])?.map(unpacked).transpose()
}

fn unpacked(mut row: Row) -> Result<(u64, Vec<u8>), StoreError> {
    Ok((row.number()?, packed::unpack(row.bytes()?)?))
}
