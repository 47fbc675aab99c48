//! Gives free pages back to the file system, some at a time.
//!
//! SQLite can do that only in a file that keeps track of where each page belongs (`auto_vacuum`), as new journals do. One of an
//! earlier version uses its free pages again, and shrinks once it is rebuilt.

use super::super::engine::Outcome;
use super::super::sql::Sql;
use super::connection::Handle;
use std::time::Duration;

/// Pages that one step frees: it writes at most 1 MiB and a few pages more, and messages wait no longer than for that.
pub(super) const STEP_PAGES: u64 = 256;
/// The setting of a file that can be shrunk in steps, as a number.
const INCREMENTAL: u64 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Nothing,
    /// Some pages were freed, and more are free.
    More,
    /// The last ones were. The file itself gets shorter when the log is copied into it.
    Last,
}

/// Frees some pages.
pub(super) fn step(handle: &mut Handle) -> Outcome<Step> {
    handle.run(|sql| {
        let before = number(sql, "PRAGMA freelist_count")?;
        if before == 0 || number(sql, "PRAGMA auto_vacuum")? != INCREMENTAL {
            return Ok(Step::Nothing);
        }
        // It frees a page for each row that is read of it.
        sql.rows(&format!("PRAGMA incremental_vacuum({STEP_PAGES})"), &[])?;
        let after = number(sql, "PRAGMA freelist_count")?;
        Ok(if after > 0 && after < before { Step::More } else { Step::Last })
    })
}

fn number(sql: &mut dyn Sql, pragma: &str) -> Outcome<u64> {
    sql.first(pragma, &[])?.map_or(Ok(0), |mut row| row.number())
}

pub(super) fn rebuild(handle: &mut Handle) -> Outcome<()> {
    handle.run(|sql| {
        sql.rows("PRAGMA auto_vacuum = INCREMENTAL", &[])?;
        sql.rows("VACUUM", &[]).map(drop)
    })?;
    handle.truncate_log(Duration::from_secs(5)).map(drop)
}
