//! Deletes sessions, one a transaction, with everything that belongs to them.

use super::change;
use super::engine::Writing;
use super::load;
use super::session::{self, Session};
use super::spent;
use super::sql::{Sql, Value};
use super::{Deleted, Name, RETAIN_SESSIONS_MAX, Retention, StoreError};
use crate::contract::Time;

/// Names that are read at once.
const PAGE: u64 = 200;
/// A library that no session names stays this long, in µs: a server may have kept it that has no session yet.
const UNNAMED_US: u64 = DAY_US;
const DAY_US: u64 = 24 * 3_600 * 1_000_000;

/// Deletes a session within a transaction of the caller, if it is there and `is_due`.
pub(super) fn session(sql: &mut dyn Sql, name: &Name, is_due: impl Fn(&Session) -> bool) -> Result<Deleted, StoreError> {
    let Some(session) = session::locked(sql, name)?.filter(|session| is_due(session)) else { return Ok(Deleted::default()) };
    let id = [Value::from(session.id)];
    let records = sql.run("DELETE FROM records WHERE session_id = ?", &id)?;
    let turns = sql.run("DELETE FROM turns WHERE session_id = ?", &id)?;
    sql.run("DELETE FROM deliveries WHERE session_id = ?", &id)?;
    sql.run("DELETE FROM snapshots WHERE session_id = ?", &id)?;
    sql.run("DELETE FROM session_libraries WHERE session_id = ?", &id)?;
    sql.run("DELETE FROM sessions WHERE id = ?", &id)?;
    if session.generation > load::floor(sql)? {
        let raise = "UPDATE meta SET value = ? WHERE name = 'floor' AND value < ?";
        sql.run(raise, &[u64::from(session.generation).into(), u64::from(session.generation).into()])?;
    }
    Ok(Deleted { sessions: 1, turns, records, bytes: session.bytes })
}

pub(super) fn user(store: &mut impl Writing, user: &str) -> Result<Deleted, StoreError> {
    let mut deleted = Deleted::default();
    loop {
        let names = store.reading(|sql| {
            let rows = sql.rows("SELECT session FROM sessions WHERE user = ? ORDER BY session LIMIT ?", &[user.into(), PAGE.into()])?;
            rows.into_iter().map(|mut row| row.text()).collect::<Result<Vec<_>, _>>()
        })?;
        if names.is_empty() {
            return Ok(deleted);
        }
        for session_name in names {
            let name = Name { user: user.to_owned(), session: session_name };
            deleted.add(store.writing(|sql| session(sql, &name, |_| true))?);
        }
    }
}

pub(super) fn retain(store: &mut impl Writing, retention: &Retention, keep: &dyn Fn(&Name) -> bool) -> Result<Deleted, StoreError> {
    let mut deleted = Deleted::default();
    if let Some(since) = retention.unused_since {
        unused(store, since, keep, &mut deleted)?;
    }
    if let Some(bytes_max) = retention.user_bytes_max {
        let users = store.reading(|sql| {
            let sums = "SELECT user, CAST(SUM(bytes) AS SIGNED) FROM sessions GROUP BY user HAVING SUM(bytes) > ? ORDER BY user";
            let rows = sql.rows(sums, &[bytes_max.into()])?;
            rows.into_iter().map(|mut row| Ok((row.text()?, row.number()?))).collect::<Result<Vec<_>, StoreError>>()
        })?;
        for (user, bytes) in users {
            beyond(store, &user, bytes.saturating_sub(bytes_max), keep, &mut deleted)?;
        }
    }
    libraries(store)?;
    // Today's and, where clocks differ, yesterday's may still count.
    let yesterday = (change::now().0 / DAY_US).saturating_sub(1);
    store.writing(|sql| spent::forget(sql, yesterday))?;
    Ok(deleted)
}

/// Deletes sessions that were last used before `since`.
fn unused(store: &mut impl Writing, since: Time, keep: &dyn Fn(&Name) -> bool, deleted: &mut Deleted) -> Result<(), StoreError> {
    let mut after = (0, 0);
    loop {
        let page = store.reading(|sql| {
            let old = "SELECT used_at, id, user, session FROM sessions WHERE used_at < ? AND used_at >= ? \
                       AND (used_at > ? OR id > ?) ORDER BY used_at, id LIMIT ?";
            least_used(sql, old, &[since.0.into(), after.0.into(), after.0.into(), after.1.into(), PAGE.into()])
        })?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.used_at, last.id);
        for old in page.iter().filter(|old| !keep(&old.name)) {
            if deleted.sessions >= RETAIN_SESSIONS_MAX {
                return Ok(());
            }
            // It may have been used since, by another server.
            deleted.add(store.writing(|sql| session(sql, &old.name, |session| session.used_at < since))?);
        }
    }
}

/// Deletes a user's least recently used sessions until `surplus` bytes are gone.
fn beyond(
    store: &mut impl Writing,
    user: &str,
    surplus: u64,
    keep: &dyn Fn(&Name) -> bool,
    deleted: &mut Deleted,
) -> Result<(), StoreError> {
    let goal = deleted.bytes + surplus;
    let mut after = (0, 0);
    loop {
        let page = store.reading(|sql| {
            let of_user = "SELECT used_at, id, user, session FROM sessions WHERE user = ? AND used_at >= ? \
                           AND (used_at > ? OR id > ?) ORDER BY used_at, id LIMIT ?";
            least_used(sql, of_user, &[user.into(), after.0.into(), after.0.into(), after.1.into(), PAGE.into()])
        })?;
        let Some(last) = page.last() else { return Ok(()) };
        after = (last.used_at, last.id);
        for old in page.iter().filter(|old| !keep(&old.name)) {
            if deleted.bytes >= goal || deleted.sessions >= RETAIN_SESSIONS_MAX {
                return Ok(());
            }
            deleted.add(store.writing(|sql| session(sql, &old.name, |session| session.used_at.0 == old.used_at))?);
        }
    }
}

struct LeastUsed {
    used_at: u64,
    id: u64,
    name: Name,
}

fn least_used(sql: &mut dyn Sql, select: &str, values: &[Value<'_>]) -> Result<Vec<LeastUsed>, StoreError> {
    let rows = sql.rows(select, values)?.into_iter();
    rows.map(|mut row| Ok(LeastUsed { used_at: row.number()?, id: row.number()?, name: Name { user: row.text()?, session: row.text()? } }))
        .collect()
}

/// Deletes libraries that no session names. While some session names none at all, it could be any.
fn libraries(store: &mut impl Writing) -> Result<(), StoreError> {
    let before = change::now().0.saturating_sub(UNNAMED_US);
    let unnamed = store.reading(|sql| {
        let unnamed = "SELECT hash FROM libraries WHERE kept_at < ? \
                       AND NOT EXISTS (SELECT 1 FROM session_libraries named WHERE named.hash = libraries.hash) \
                       AND NOT EXISTS (SELECT 1 FROM sessions WHERE NOT EXISTS \
                       (SELECT 1 FROM session_libraries named WHERE named.session_id = sessions.id))";
        let rows = sql.rows(unnamed, &[before.into()])?;
        rows.into_iter().map(|mut row| row.text()).collect::<Result<Vec<_>, _>>()
    })?;
    for hash in unnamed {
        if !store.own_libraries().contains(&hash) {
            // Still unnamed: another server may have named it since.
            store.writing(|sql| {
                let delete = "DELETE FROM libraries WHERE hash = ? AND kept_at < ? \
                              AND NOT EXISTS (SELECT 1 FROM session_libraries named WHERE named.hash = libraries.hash)";
                sql.run(delete, &[hash.as_str().into(), before.into()])
            })?;
        }
    }
    Ok(())
}
