//! Appends a batch: checks numbers and generations, inserts, and updates each session's counters once.

use super::session::{self, Session};
use super::sql::{Bounds, Dialect, Sql, Value};
use super::{Append, Item, Kind, Name, StoreError, Turn, outbox, packed, spent, words};
use crate::contract::Time;
use std::collections::BTreeMap;

/// Snapshots that are kept of each session.
const SNAPSHOTS: usize = 2;
/// Larger counts of a turn are kept as this one, so that sums never overflow.
pub(super) const COUNT_MAX: u64 = 1 << 53;
/// What a row takes in a statement besides its bytes, at most.
const ROW_BYTES: usize = 64;

/// What `is_hidden` says of a turn: it is shown, its session was cleared since, or it was rolled back or replaced.
pub(super) const SHOWN: u64 = 0;
pub(super) const CLEARED: u64 = 1;
pub(super) const REPLACED: u64 = 2;

/// A record that waits for the next insert.
struct NewRecord<'a> {
    session: u64,
    number: u64,
    generation: u32,
    at: Time,
    bytes: &'a [u8],
}

/// Appends within a transaction of the caller.
pub(super) fn append(sql: &mut dyn Sql, batch: &[Append]) -> Result<(), StoreError> {
    let mut sessions: BTreeMap<&Name, Option<Session>> =
        batch.iter().filter(|append| !matches!(append.item, Item::Spent(_))).map(|append| (&append.name, None)).collect();
    // In the order of their names, so that two servers can't wait for each other.
    for (name, session) in &mut sessions {
        *session = session::locked(sql, name)?;
    }
    let mut records = Vec::new();
    for append in batch {
        if let Item::Spent(spending) = &append.item {
            spent::keep(sql, spending)?;
            continue;
        }
        let session = sessions.get_mut(&append.name).expect("each name of the batch is in the map");
        let session = fenced(sql, session, append)?;
        match &append.item {
            Item::Record { number, bytes } => {
                let record = NewRecord { session: session.id, number: *number, generation: append.generation, at: append.at, bytes };
                if *number == session.number + 1 {
                    session.number += 1;
                    session.used_at = append.at;
                    session.bytes += size(&[bytes]);
                    records.push(record);
                } else {
                    insert(sql, &mut records)?;
                    repeated(sql, session, &record)?;
                }
            }
            Item::Snapshot { number, bytes } => snapshot(sql, session, *number, bytes)?,
            Item::Turn(turn) => keep_turn(sql, session, turn, &packed::pack(&turn.detail))?,
            Item::Cleared => {
                sql.run("UPDATE turns SET is_hidden = 1 WHERE session_id = ? AND is_hidden <> 1", &[session.id.into()])?;
                session.turns = 0;
                if !session.is_renamed {
                    session.title.clear();
                }
            }
            Item::Replaced { turns, is_back } => replace(sql, session, turns, *is_back)?,
            Item::Library { hash } => name_library(sql, session, hash)?,
            Item::Webhook(webhook) => outbox::ask(sql, session, append.at, webhook)?,
            Item::Delivery { webhook, body } => outbox::begin(sql, session, append.at, webhook, body)?,
            Item::Spent(_) => unreachable!("it is of no session, and kept above"),
        }
    }
    insert(sql, &mut records)?;
    sessions.values().flatten().try_for_each(|session| session.save(sql))
}

/// The session that an append may change. A first record creates it.
fn fenced<'s>(sql: &mut dyn Sql, session: &'s mut Option<Session>, append: &Append) -> Result<&'s mut Session, StoreError> {
    match session {
        Some(session) if append.generation == session.generation => {}
        Some(session) if append.generation < session.generation => return Err(StoreError::fenced(&append.name, "loaded again")),
        // It didn't exist when it was loaded: an existing one would have this generation.
        Some(_) => return Err(StoreError::fenced(&append.name, "created by another server")),
        None if matches!(append.item, Item::Record { number: 1, .. }) => {
            *session = Some(Session::create(sql, &append.name, append.generation, append.at)?);
        }
        None => return Err(StoreError::fenced(&append.name, "deleted")),
    }
    Ok(session.as_mut().expect("it was found or has just been created"))
}

/// Checks a record that isn't the next: it may be there already, from a batch whose outcome was unknown.
fn repeated(sql: &mut dyn Sql, session: &Session, record: &NewRecord<'_>) -> Result<(), StoreError> {
    let kept = sql.first(
        "SELECT generation, at, bytes FROM records WHERE session_id = ? AND number = ?",
        &[record.session.into(), record.number.into()],
    )?;
    let is_same = match kept {
        Some(mut kept) => {
            (kept.generation()?, kept.number()?) == (record.generation, record.at.0) && kept.bytes()?.as_slice() == record.bytes
        }
        None => false,
    };
    if is_same {
        return Ok(());
    }
    let (number, next) = (record.number, session.number + 1);
    Err(StoreError::new(Kind::Other, format!("record {number} of a session can't be appended: its next number is {next}")))
}

fn insert(sql: &mut dyn Sql, records: &mut Vec<NewRecord<'_>>) -> Result<(), StoreError> {
    let bounds = sql.bounds();
    let mut rest = records.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(fitting(rest, bounds));
        let rows = vec!["(?, ?, ?, ?, ?)"; now.len()].join(", ");
        let values: Vec<Value<'_>> = now
            .iter()
            .flat_map(|record| {
                let generation = u64::from(record.generation);
                [record.session.into(), record.number.into(), generation.into(), record.at.0.into(), record.bytes.into()]
            })
            .collect();
        sql.run(&format!("INSERT INTO records (session_id, number, generation, at, bytes) VALUES {rows}"), &values)?;
        rest = later;
    }
    records.clear();
    Ok(())
}

/// How many records go into one statement: a power of two, so that few statements have to be prepared.
fn fitting(records: &[NewRecord<'_>], bounds: Bounds) -> usize {
    let mut bytes = 0;
    let fits = |record: &&NewRecord<'_>| {
        bytes += record.bytes.len() + ROW_BYTES;
        bytes <= bounds.bytes
    };
    let count = records.iter().take(bounds.rows).take_while(fits).count();
    // A record that doesn't fit alone is refused by name when it is run.
    1 << count.max(1).ilog2()
}

fn snapshot(sql: &mut dyn Sql, session: &mut Session, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
    if number == 0 || number > session.number {
        let last = session.number;
        return Err(StoreError::new(Kind::Other, format!("a snapshot after record {number} can't be appended: the last record is {last}")));
    }
    let mut kept = Vec::new();
    for mut row in
        sql.rows("SELECT number, OCTET_LENGTH(bytes) FROM snapshots WHERE session_id = ? ORDER BY number", &[session.id.into()])?
    {
        kept.push((row.number()?, row.number()?));
    }
    let is_new_later = |than: u64| usize::from(number > than);
    let later = |than: u64| kept.iter().filter(|(other, _)| *other > than && *other != number).count() + is_new_later(than);
    for (other, size) in &kept {
        if *other == number || later(*other) >= SNAPSHOTS {
            sql.run("DELETE FROM snapshots WHERE session_id = ? AND number = ?", &[session.id.into(), (*other).into()])?;
            session.bytes = session.bytes.saturating_sub(*size);
        }
    }
    if later(number) < SNAPSHOTS {
        let insert = "INSERT INTO snapshots (session_id, number, bytes) VALUES (?, ?, ?)";
        let bytes = packed::pack(bytes);
        sql.run(insert, &[session.id.into(), number.into(), bytes.as_slice().into()])?;
        session.bytes += size(&[&bytes]);
    }
    Ok(())
}

/// `detail` is the turn's, packed.
fn keep_turn(sql: &mut dyn Sql, session: &mut Session, turn: &Turn, detail: &[u8]) -> Result<(), StoreError> {
    if update_turn(sql, session, turn, detail)? {
        return Ok(());
    }
    let Removed { rating, comment, is_replaced } = remove_turn(sql, session, turn.turn)?;
    let spaced;
    let mut values = figures(turn, detail);
    values.extend([session.id.into(), turn.turn.into(), turn.client_id.as_deref().into()]);
    values.extend([turn.question.as_str().into(), turn.answer.as_str().into()]);
    values.extend([rating.map_or(Value::Null, Value::Int), comment.as_deref().into()]);
    values.push(if is_replaced { REPLACED } else { SHOWN }.into());
    let insert = match sql.dialect() {
        Dialect::Sqlite => {
            "INSERT INTO turns (number, started_at, status, degraded, graph, path, total_us, first_token_us, tokens_in, tokens_out, \
             cost_micros, progress, detail, session_id, turn, client_id, question, answer, rating, comment, is_hidden) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        }
        Dialect::Mysql => {
            spaced = words::spaced(&[&turn.question, &turn.answer]);
            values.push(spaced.as_str().into());
            "INSERT INTO turns (number, started_at, status, degraded, graph, path, total_us, first_token_us, tokens_in, tokens_out, \
             cost_micros, progress, detail, session_id, turn, client_id, question, answer, rating, comment, is_hidden, words) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        }
    };
    sql.run(insert, &values)?;
    session.turns += u64::from(!is_replaced);
    let [tokens_in, tokens_out, cost_micros] = counts(turn);
    session.tokens = session.tokens.saturating_add(tokens_in + tokens_out);
    session.cost_micros = session.cost_micros.saturating_add(cost_micros);
    session.bytes += size(&[turn.question.as_bytes(), turn.answer.as_bytes(), turn.progress.as_bytes(), detail]);
    session.called(turn);
    Ok(())
}

/// The columns of a turn that may change when it is appended again, from `number` to `detail`.
fn figures<'a>(turn: &'a Turn, detail: &'a [u8]) -> Vec<Value<'a>> {
    let [tokens_in, tokens_out, cost_micros] = counts(turn);
    vec![
        turn.number.into(),
        turn.started_at.0.into(),
        turn.status.as_str().into(),
        turn.degraded.as_deref().into(),
        turn.graph.as_str().into(),
        turn.path.as_str().into(),
        turn.total_us.into(),
        turn.first_token_us.into(),
        tokens_in.into(),
        tokens_out.into(),
        cost_micros.into(),
        turn.progress.as_str().into(),
        detail.into(),
    ]
}

/// Tokens in, tokens out and cost, capped at what every reader can represent.
fn counts(turn: &Turn) -> [u64; 3] {
    [turn.tokens_in, turn.tokens_out, turn.cost_micros].map(|count| count.min(COUNT_MAX))
}

/// Updates a turn that is appended again, usually because its memorizer call has ended. Returns false if no turn with the same question
/// and answer is stored. Leaves the search index alone, which is by far the most expensive part.
fn update_turn(sql: &mut dyn Sql, session: &mut Session, turn: &Turn, detail: &[u8]) -> Result<bool, StoreError> {
    let kept = sql.first(
        "SELECT question, answer, is_hidden, OCTET_LENGTH(detail) + OCTET_LENGTH(progress), tokens_in + tokens_out, cost_micros FROM turns \
         WHERE session_id = ? AND turn = ?",
        &[session.id.into(), turn.turn.into()],
    )?;
    let Some(mut kept) = kept else { return Ok(false) };
    if kept.text()? != turn.question || kept.text()? != turn.answer {
        return Ok(false);
    }
    session.turns += u64::from(kept.number()? == CLEARED);
    let [tokens_in, tokens_out, cost_micros] = counts(turn);
    session.bytes = session.bytes.saturating_sub(kept.number()?) + size(&[detail, turn.progress.as_bytes()]);
    session.tokens = session.tokens.saturating_sub(kept.number()?).saturating_add(tokens_in + tokens_out);
    session.cost_micros = session.cost_micros.saturating_sub(kept.number()?).saturating_add(cost_micros);
    session.called(turn);
    let update = "UPDATE turns SET is_hidden = CASE WHEN is_hidden = 2 THEN 2 ELSE 0 END, number = ?, started_at = ?, status = ?, degraded = ?, \
                  graph = ?, path = ?, total_us = ?, first_token_us = ?, tokens_in = ?, tokens_out = ?, cost_micros = ?, progress = ?, \
                  detail = ? WHERE session_id = ? AND turn = ?";
    let mut values = figures(turn, detail);
    values.extend([session.id.into(), turn.turn.into()]);
    sql.run(update, &values)?;
    Ok(true)
}

/// Takes turns out of the session's history, or back into it. One that is there already, or not any more, changes nothing.
fn replace(sql: &mut dyn Sql, session: &mut Session, turns: &[u64], is_back: bool) -> Result<(), StoreError> {
    let (from, to) = if is_back { (REPLACED, SHOWN) } else { (SHOWN, REPLACED) };
    let update = "UPDATE turns SET is_hidden = ? WHERE session_id = ? AND turn = ? AND is_hidden = ?";
    for turn in turns {
        let changed = sql.run(update, &[to.into(), session.id.into(), (*turn).into(), from.into()])?;
        session.turns = if is_back { session.turns + changed } else { session.turns.saturating_sub(changed) };
    }
    if !session.is_renamed {
        session.title = session.first_question(sql)?;
    }
    Ok(())
}

/// What a turn that is stored anew keeps.
#[derive(Default)]
struct Removed {
    rating: Option<i64>,
    comment: Option<String>,
    is_replaced: bool,
}

/// Removes a turn whose texts have changed.
fn remove_turn(sql: &mut dyn Sql, session: &mut Session, turn: u64) -> Result<Removed, StoreError> {
    let kept = sql.first(
        "SELECT OCTET_LENGTH(question) + OCTET_LENGTH(answer) + OCTET_LENGTH(progress) + OCTET_LENGTH(detail), tokens_in + tokens_out, cost_micros, is_hidden, \
         rating, comment FROM turns WHERE session_id = ? AND turn = ?",
        &[session.id.into(), turn.into()],
    )?;
    let Some(mut kept) = kept else { return Ok(Removed::default()) };
    session.bytes = session.bytes.saturating_sub(kept.number()?);
    session.tokens = session.tokens.saturating_sub(kept.number()?);
    session.cost_micros = session.cost_micros.saturating_sub(kept.number()?);
    let hidden = kept.number()?;
    session.turns = session.turns.saturating_sub(u64::from(hidden == SHOWN));
    sql.run("DELETE FROM turns WHERE session_id = ? AND turn = ?", &[session.id.into(), turn.into()])?;
    Ok(Removed { rating: kept.maybe_signed()?, comment: kept.maybe_text()?, is_replaced: hidden == REPLACED })
}

fn name_library(sql: &mut dyn Sql, session: &Session, hash: &str) -> Result<(), StoreError> {
    let named = sql.first("SELECT 1 FROM session_libraries WHERE session_id = ? AND hash = ?", &[session.id.into(), hash.into()])?;
    if named.is_none() {
        sql.run("INSERT INTO session_libraries (session_id, hash) VALUES (?, ?)", &[session.id.into(), hash.into()])?;
    }
    Ok(())
}

fn size(parts: &[&[u8]]) -> u64 {
    parts.iter().map(|part| part.len() as u64).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_go_into_statements_by_powers_of_two_within_both_bounds() {
        let bytes = vec![0; 936];
        let records = |count: u64| -> Vec<NewRecord<'_>> {
            (0..count).map(|number| NewRecord { session: 1, number, generation: 1, at: Time(0), bytes: &bytes }).collect()
        };
        for (count, rows, bytes, fit) in [
            (1, 64, 1 << 20, 1),
            (3, 64, 1 << 20, 2),
            (100, 64, 1 << 20, 64),
            (100, 64, 10_000, 8),
            (100, 64, 1_000, 1),
            (100, 64, 10, 1),
            (100, 1, 1 << 20, 1),
        ] {
            assert_eq!(fitting(&records(count), Bounds { rows, bytes }), fit, "{count} {rows} {bytes}");
        }
    }
}
