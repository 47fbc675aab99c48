//! Webhooks and what became of them: a row for each turn that has one.

use super::session::Session;
use super::sql::{Row, Sql, Value};
use super::{Attempted, Delivery, DeliveryState, DeliveryStatus, Kind, Name, StoreError, Undelivered, Webhook};
use crate::contract::Time;

/// Notes whom the end of a turn is to be told, unless that is noted already.
pub(super) fn ask(sql: &mut dyn Sql, session: &Session, at: Time, webhook: &Webhook) -> Result<(), StoreError> {
    let key = [session.id.into(), webhook.turn.into()];
    if sql.first("SELECT 1 FROM deliveries WHERE session_id = ? AND turn = ?", &key)?.is_none() {
        let insert = "INSERT INTO deliveries (session_id, turn, id, url, state, since, due, body) VALUES (?, ?, ?, ?, 'awaited', ?, ?, ?)";
        let (id, url, none) = (webhook.id.as_str().into(), webhook.url.as_str().into(), Value::Bytes(b""));
        let [session, turn] = key;
        sql.run(insert, &[session, turn, id, url, at.0.into(), at.0.into(), none])?;
    }
    Ok(())
}

/// The turn has ended. What became of the delivery since stays.
pub(super) fn begin(sql: &mut dyn Sql, session: &Session, at: Time, webhook: &Webhook, body: &[u8]) -> Result<(), StoreError> {
    let begin =
        "UPDATE deliveries SET state = 'pending', since = ?, due = ?, body = ? WHERE session_id = ? AND turn = ? AND state = 'awaited'";
    sql.run(begin, &[at.0.into(), at.0.into(), body.into(), session.id.into(), webhook.turn.into()])?;
    Ok(())
}

pub(super) fn attempted(sql: &mut dyn Sql, attempted: &[Attempted]) -> Result<(), StoreError> {
    for Attempted { id, status: DeliveryStatus { state, attempts, status }, due } in attempted {
        let mut update = "UPDATE deliveries SET state = ?, attempts = ?, status = ?, due = ? WHERE id = ?";
        if state.is_final() {
            update = "UPDATE deliveries SET state = ?, attempts = ?, status = ?, due = ?, body = X'' WHERE id = ?";
        }
        let status = status.map_or(Value::Null, |status| Value::Int(status.into()));
        sql.run(update, &[state.name().into(), u64::from(*attempts).into(), status, due.0.into(), id.as_str().into()])?;
    }
    Ok(())
}

/// The webhooks of turns of a session that have not ended.
pub(super) fn awaited(sql: &mut dyn Sql, session: &Session) -> Result<Vec<Webhook>, StoreError> {
    let awaited = "SELECT turn, id, url FROM deliveries WHERE session_id = ? AND state = 'awaited' ORDER BY turn";
    let rows = sql.rows(awaited, &[session.id.into()])?.into_iter();
    rows.map(|mut row| Ok(Webhook { turn: row.number()?, id: row.text()?, url: row.text()? })).collect()
}

pub(super) fn undelivered(sql: &mut dyn Sql, before: Time) -> Result<Undelivered, StoreError> {
    let pending = "SELECT s.user, s.session, d.turn, d.id, d.url, d.body, d.since, d.attempts, d.due FROM deliveries d \
                   JOIN sessions s ON s.id = d.session_id WHERE d.state = 'pending' AND d.due < ? ORDER BY d.due, d.id";
    let deliveries = sql.rows(pending, &[before.0.into()])?.into_iter().map(delivery).collect::<Result<_, _>>()?;
    let awaited = "SELECT s.user, s.session FROM sessions s WHERE s.used_at < ? AND EXISTS \
                   (SELECT 1 FROM deliveries d WHERE d.session_id = s.id AND d.state = 'awaited') ORDER BY s.user, s.session";
    let awaited = sql.rows(awaited, &[before.0.into()])?.into_iter().map(name).collect::<Result<_, _>>()?;
    Ok(Undelivered { deliveries, awaited })
}

fn delivery(mut row: Row) -> Result<Delivery, StoreError> {
    let name = Name { user: row.text()?, session: row.text()? };
    let webhook = Webhook { turn: row.number()?, id: row.text()?, url: row.text()? };
    Ok(Delivery { name, webhook, body: row.bytes()?, since: Time(row.number()?), attempts: row.generation()?, due: Time(row.number()?) })
}

fn name(mut row: Row) -> Result<Name, StoreError> {
    Ok(Name { user: row.text()?, session: row.text()? })
}

/// The columns of a delivery in a list of turns; all are NULL where there is none.
pub(super) const STATUS: &str = "d.state, d.attempts, d.status";

pub(super) fn status(row: &mut Row) -> Result<Option<DeliveryStatus>, StoreError> {
    let (state, attempts, status) = (row.maybe_text()?, row.maybe_number()?, row.maybe_number()?);
    let (Some(state), Some(attempts)) = (state, attempts) else { return Ok(None) };
    let unknown = || StoreError::new(Kind::Corrupt, "the journal holds a delivery of an unknown state; restore a backup");
    Ok(Some(DeliveryStatus {
        state: DeliveryState::named(&state).ok_or_else(unknown)?,
        attempts: u32::try_from(attempts).unwrap_or(u32::MAX),
        status: status.and_then(|status| u16::try_from(status).ok()),
    }))
}
