//! The tables of a journal, the format that it has, and the steps from one format to the next.
//!
//! Texts of turns and titles are indexed for searches (`turn_words`, `title_words`). Triggers keep the index true; it doesn't hold
//! the texts, and forgets a deleted one for good (`secure-delete`).

use super::super::{FORMAT, Kind, StoreError};
use super::trouble::{failed, refused};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// `fwjl`: tells a journal from other SQLite files.
const APPLICATION: i32 = 0x6677_6a6c;

/// From each format to the next; an empty file has format 0.
const STEPS: [&str; FORMAT as usize] = [CREATE, SPENT_AND_DELIVERIES];

const CREATE: &str = "
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta (name, value) VALUES ('format', 0), ('floor', 0);

CREATE TABLE sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user TEXT NOT NULL,
    session TEXT NOT NULL,
    title TEXT NOT NULL DEFAULT '',
    is_renamed INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    number INTEGER NOT NULL DEFAULT 0,
    turns INTEGER NOT NULL DEFAULT 0,
    graph TEXT NOT NULL DEFAULT '',
    tokens INTEGER NOT NULL DEFAULT 0,
    cost_micros INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (user, session)
) STRICT;
CREATE INDEX sessions_by_use ON sessions (used_at DESC, user, session);
CREATE INDEX sessions_of_user_by_use ON sessions (user, used_at DESC, session);

CREATE TABLE records (
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (session_id, number)
) STRICT;

CREATE TABLE snapshots (
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    number INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (session_id, number)
) STRICT;

CREATE TABLE libraries (
    hash TEXT NOT NULL UNIQUE,
    kept_at INTEGER NOT NULL,
    files BLOB NOT NULL
) STRICT;

CREATE TABLE session_libraries (
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    hash TEXT NOT NULL,
    PRIMARY KEY (session_id, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_libraries_by_hash ON session_libraries (hash);

-- The detail comes last, so that lists need not read over it.
CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    turn INTEGER NOT NULL,
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    degraded TEXT,
    graph TEXT NOT NULL,
    path TEXT NOT NULL,
    total_us INTEGER NOT NULL,
    first_token_us INTEGER,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL,
    is_hidden INTEGER NOT NULL DEFAULT 0,
    rating INTEGER,
    comment TEXT,
    client_id TEXT,
    progress TEXT NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    detail BLOB NOT NULL,
    UNIQUE (session_id, turn)
) STRICT;
CREATE INDEX turns_by_start ON turns (started_at, session_id, turn);

CREATE VIRTUAL TABLE title_words USING fts5 (title, content = 'sessions', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2');
INSERT INTO title_words (title_words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER sessions_inserted AFTER INSERT ON sessions BEGIN
    INSERT INTO title_words (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER sessions_retitled AFTER UPDATE OF title ON sessions WHEN old.title <> new.title BEGIN
    INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.id, old.title);
    INSERT INTO title_words (rowid, title) VALUES (new.id, new.title);
END;
CREATE TRIGGER sessions_deleted AFTER DELETE ON sessions BEGIN
    INSERT INTO title_words (title_words, rowid, title) VALUES ('delete', old.id, old.title);
END;

CREATE VIRTUAL TABLE turn_words USING fts5 (
    question, answer, content = 'turns', content_rowid = 'id', tokenize = 'unicode61 remove_diacritics 2'
);
INSERT INTO turn_words (turn_words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER turns_inserted AFTER INSERT ON turns BEGIN
    INSERT INTO turn_words (rowid, question, answer) VALUES (new.id, new.question, new.answer);
END;
CREATE TRIGGER turns_deleted AFTER DELETE ON turns BEGIN
    INSERT INTO turn_words (turn_words, rowid, question, answer) VALUES ('delete', old.id, old.question, old.answer);
END;
";

const SPENT_AND_DELIVERIES: &str = "
CREATE TABLE spent (
    day INTEGER NOT NULL,
    payer TEXT NOT NULL,
    counted_by TEXT NOT NULL,
    turns INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    cost_micros INTEGER NOT NULL,
    PRIMARY KEY (day, payer, counted_by)
) STRICT, WITHOUT ROWID;

-- The body comes last, so that lists need not read over it.
CREATE TABLE deliveries (
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    turn INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    body BLOB NOT NULL,
    UNIQUE (session_id, turn)
) STRICT;
CREATE INDEX deliveries_by_state ON deliveries (state, due);
";

/// The format of what is in the file: 0 if it is empty.
pub(super) fn format(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let failed = |error: rusqlite::Error| failed(path, &error);
    let number = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0));
    let tables = number("SELECT COUNT(*) FROM sqlite_master").map_err(failed)?;
    let application = number("PRAGMA application_id").map_err(failed)?;
    let version = number("PRAGMA user_version").map_err(failed)?;
    if application == i64::from(APPLICATION) {
        let format = u32::try_from(version).unwrap_or_default();
        return if format <= FORMAT { Ok(format) } else { Err(newer(path, format)) };
    }
    if tables == 0 && application == 0 && version == 0 {
        return Ok(0);
    }
    Err(refused(path, Kind::Format, "is a SQLite database of another program; name another file"))
}

fn newer(path: &Path, format: u32) -> StoreError {
    let why =
        format!("has format {format}, and this version reads formats up to {FORMAT}; use the framewright that wrote it, or a newer one");
    refused(path, Kind::Format, &why)
}

/// Brings a journal to this version's format, in one transaction.
pub(super) fn migrate(connection: &mut Connection, format: u32, path: &Path) -> Result<(), StoreError> {
    if format == FORMAT {
        return Ok(());
    }
    let mut steps = || {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for step in &STEPS[format as usize..] {
            transaction.execute_batch(step)?;
        }
        transaction.execute("UPDATE meta SET value = ?1 WHERE name = 'format'", [FORMAT])?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.commit()
    };
    steps().map_err(|error| failed(path, &error))
}
