//! The tables of a journal, the format that they have, and the steps from one format to the next.
//!
//! A server commits each statement that changes tables at once, so every statement of a step can be run twice, and the format is
//! raised when a step is complete. `words` has what searches look for: each word of a text with a space before it.

use super::super::engine::{Outcome, unreadable};
use super::super::sql::Sql;
use super::super::{FORMAT, Kind, StoreError};
use super::connection::On;

/// From each format to the next; an empty database has format 0.
const STEPS: [&[&str]; FORMAT as usize] = [CREATE, SPENT_AND_DELIVERIES];

const META: &str = "CREATE TABLE IF NOT EXISTS meta (name VARBINARY(64) NOT NULL PRIMARY KEY, value BIGINT NOT NULL) ENGINE = InnoDB";
const META_ROWS: &str = "INSERT IGNORE INTO meta (name, value) VALUES ('format', 0), ('floor', 0)";

const CREATE: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS sessions (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        user VARBINARY(255) NOT NULL,
        session VARBINARY(255) NOT NULL,
        title VARCHAR(255) NOT NULL DEFAULT '',
        is_renamed TINYINT NOT NULL DEFAULT 0,
        created_at BIGINT NOT NULL,
        used_at BIGINT NOT NULL,
        generation BIGINT NOT NULL,
        number BIGINT NOT NULL DEFAULT 0,
        turns BIGINT NOT NULL DEFAULT 0,
        graph VARCHAR(1000) NOT NULL DEFAULT '',
        tokens BIGINT NOT NULL DEFAULT 0,
        cost_micros BIGINT NOT NULL DEFAULT 0,
        bytes BIGINT NOT NULL DEFAULT 0,
        words VARCHAR(255) COLLATE utf8mb4_unicode_520_ci NOT NULL DEFAULT '',
        UNIQUE KEY sessions_by_name (user, session),
        KEY sessions_by_use (used_at DESC, user, session),
        KEY sessions_of_user_by_use (user, used_at DESC, session)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE TABLE IF NOT EXISTS records (
        session_id BIGINT NOT NULL,
        number BIGINT NOT NULL,
        generation BIGINT NOT NULL,
        at BIGINT NOT NULL,
        bytes LONGBLOB NOT NULL,
        PRIMARY KEY (session_id, number)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS snapshots (
        session_id BIGINT NOT NULL,
        number BIGINT NOT NULL,
        bytes LONGBLOB NOT NULL,
        PRIMARY KEY (session_id, number)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS libraries (
        hash VARBINARY(255) NOT NULL PRIMARY KEY,
        kept_at BIGINT NOT NULL,
        files LONGBLOB NOT NULL
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS session_libraries (
        session_id BIGINT NOT NULL,
        hash VARBINARY(255) NOT NULL,
        PRIMARY KEY (session_id, hash),
        KEY session_libraries_by_hash (hash)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS turns (
        session_id BIGINT NOT NULL,
        turn BIGINT NOT NULL,
        number BIGINT NOT NULL,
        started_at BIGINT NOT NULL,
        status TEXT NOT NULL,
        degraded MEDIUMTEXT,
        graph TEXT NOT NULL,
        path MEDIUMTEXT NOT NULL,
        total_us BIGINT NOT NULL,
        first_token_us BIGINT,
        tokens_in BIGINT NOT NULL,
        tokens_out BIGINT NOT NULL,
        cost_micros BIGINT NOT NULL,
        is_hidden TINYINT NOT NULL DEFAULT 0,
        rating TINYINT,
        comment MEDIUMTEXT,
        client_id TEXT,
        progress LONGTEXT NOT NULL,
        question LONGTEXT NOT NULL,
        answer LONGTEXT NOT NULL,
        detail LONGBLOB NOT NULL,
        words LONGTEXT COLLATE utf8mb4_unicode_520_ci NOT NULL,
        PRIMARY KEY (session_id, turn),
        KEY turns_by_start (started_at, session_id, turn)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
];

const SPENT_AND_DELIVERIES: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS spent (
        day BIGINT NOT NULL,
        payer VARBINARY(64) NOT NULL,
        counted_by VARBINARY(64) NOT NULL,
        turns BIGINT NOT NULL,
        tokens BIGINT NOT NULL,
        cost_micros BIGINT NOT NULL,
        PRIMARY KEY (day, payer, counted_by)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC",
    "CREATE TABLE IF NOT EXISTS deliveries (
        session_id BIGINT NOT NULL,
        turn BIGINT NOT NULL,
        id VARBINARY(64) NOT NULL,
        url TEXT NOT NULL,
        state VARBINARY(16) NOT NULL,
        since BIGINT NOT NULL,
        due BIGINT NOT NULL,
        attempts BIGINT NOT NULL DEFAULT 0,
        status SMALLINT,
        body LONGBLOB NOT NULL,
        PRIMARY KEY (session_id, turn),
        UNIQUE KEY deliveries_by_id (id),
        KEY deliveries_by_state (state, due)
    ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
];

/// Creates or migrates the tables, or refuses what another program or a newer version made.
pub(super) fn prepare(on: &mut On<'_>) -> Outcome<()> {
    if format(on)? == FORMAT {
        return Ok(());
    }
    // One server at a time; the others find it done.
    on.plain("DO GET_LOCK(CONCAT('framewright journal ', LEFT(SHA2(DATABASE(), 256), 32)), 60)")?;
    let done = migrate(on);
    on.plain("DO RELEASE_LOCK(CONCAT('framewright journal ', LEFT(SHA2(DATABASE(), 256), 32)))")?;
    done
}

fn migrate(on: &mut On<'_>) -> Outcome<()> {
    on.plain(META)?;
    on.plain(META_ROWS)?;
    let format = format(on)?;
    for (step, to) in STEPS[format as usize..].iter().zip(format + 1..) {
        step.iter().try_for_each(|statement| on.plain(statement))?;
        on.run("UPDATE meta SET value = ? WHERE name = 'format'", &[u64::from(to).into()])?;
    }
    Ok(())
}

/// Refuses what can't be read without migrating it.
pub(super) fn readable(on: &mut On<'_>) -> Outcome<()> {
    let why = unreadable(format(on)?);
    why.map_or(Ok(()), |why| Err(StoreError::new(Kind::Format, format!("journal {}: {why}", on.place()))))
}

/// The format of what is in the database: 0 if it is empty, or was not completed.
pub(super) fn format(on: &mut On<'_>) -> Outcome<u32> {
    let tables = "SELECT COUNT(*), CAST(COALESCE(SUM(table_name = 'meta'), 0) AS SIGNED) FROM information_schema.tables \
                  WHERE table_schema = DATABASE()";
    let (tables, metas) = match on.first(tables, &[])? {
        Some(mut row) => (row.number()?, row.number()?),
        None => (0, 0),
    };
    if tables == 0 {
        return Ok(0);
    }
    let columns = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'meta' \
                   AND column_name IN ('name', 'value')";
    let columns = on.first(columns, &[])?.map_or(Ok(0), |mut row| row.number())?;
    let rows = if metas == 1 && columns == 2 { on.rows("SELECT name, value FROM meta", &[])? } else { return Err(foreign(on.place())) };
    if rows.is_empty() && tables == 1 {
        return Ok(0);
    }
    for mut row in rows {
        if row.bytes()? == b"format" {
            let format = row.generation()?;
            return if format <= FORMAT { Ok(format) } else { Err(newer(on.place(), format)) };
        }
    }
    Err(foreign(on.place()))
}

fn foreign(place: &str) -> StoreError {
    StoreError::new(Kind::Format, format!("journal {place}: the database holds tables of another program; name an empty one"))
}

fn newer(place: &str, format: u32) -> StoreError {
    let detail = format!(
        "journal {place}: has format {format}, and this version reads formats up to {FORMAT}; use the framewright that wrote it, or a \
         newer one"
    );
    StoreError::new(Kind::Format, detail)
}
