//! Databases: who can be asked, one question to one of them, on a worker's thread, and what a survey found in each.
//!
//! MySQL or MariaDB, or SQLite built in, each behind the same questions. Every statement goes through the gate here
//! again, whoever let it through before; then it runs in a transaction that can only read, under a deadline that is ours.
//!
//! Invariants: what is answered is cut where [`DatabaseLimits`] says; no answer holds an address, a user or a path; a
//! question ends at its deadline whatever the server does.

mod cells;
pub mod geometry;
mod keys;
mod look;
mod mysql;
mod mysql_lists;
mod names;
mod rows;
pub mod sample;
mod setup;
mod source;
mod sqlite;
mod survey;
mod trouble;
mod watch;

pub use source::{Source, SourceError};
pub use trouble::Trouble;

use super::call::{Call, Cancel, Ended};
use crate::contract::{
    Answer, CallError, DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseInfo, DatabaseLimits, DatabaseRequest, Dialect, Refused, Usage,
};
use crate::log;
use crate::sql;
use serde_json::Value;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// All databases that settings name. Cheap to clone.
#[derive(Clone, Default)]
pub struct Databases(Arc<Vec<Known>>);

struct Known {
    name: String,
    backend: Backend,
    surveys: survey::Surveys,
}

enum Backend {
    Sqlite(sqlite::Sqlite),
    Mysql(Box<mysql::Mysql>),
}

impl Databases {
    pub fn new(sources: Vec<(String, Source)>) -> Databases {
        let known = |(name, source): (String, Source)| {
            let backend = match source {
                Source::Sample => Backend::Sqlite(sqlite::Sqlite::sample(&name)),
                Source::Sqlite(path) => Backend::Sqlite(sqlite::Sqlite::file(&name, path)),
                Source::Mysql(address) => Backend::Mysql(Box::new(mysql::Mysql::new(*address))),
            };
            Known { name, backend, surveys: survey::Surveys::default() }
        };
        Databases(Arc::new(sources.into_iter().map(known).collect()))
    }

    /// The sample alone, for who has configured none.
    pub fn sample() -> Databases {
        Databases::new(vec![(sample::NAME.to_owned(), Source::Sample)])
    }

    /// What a session has to know of them.
    pub fn infos(&self) -> Vec<DatabaseInfo> {
        self.0.iter().map(Known::info).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Where a database stands among the others: each has its own lane.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|known| known.name == name)
    }

    /// Connects to each as a question would, and tells what is there or why it can't be used.
    pub fn look(&self, mut tell: impl FnMut(&str, Result<String, Trouble>)) {
        for Known { name, backend, .. } in self.0.iter() {
            let found = match backend {
                Backend::Sqlite(sqlite) => sqlite.look(),
                Backend::Mysql(mysql) => mysql.look(Instant::now() + LOOK_TIME_MAX),
            };
            tell(name, found);
        }
    }

    pub(super) fn answer(&self, request: &DatabaseRequest, call: &mut Call<'_>) -> Ended {
        let outcome = match self.place(&request.database) {
            Some(place) => {
                let outcome = self.0[place].ask(&request.ask, request.limits, call);
                self.survey_if_due(place);
                outcome
            }
            None => Err(failed(&request.database, DatabaseFault::Unknown, &"no setting names it")),
        };
        let outcome = outcome.map(|answer| Answer { database: Some(Box::new(answer)), ..Answer::default() });
        Ended { usage: Usage::default(), outcome }
    }
}

/// How long `look` waits for a server.
const LOOK_TIME_MAX: Duration = Duration::from_secs(10);

/// A database that can't be used: what is wrong goes to the log, one sentence to the user.
fn in_trouble(database: &str, trouble: &Trouble) -> CallError {
    let cause = log::redacted(&trouble.cause, []);
    tracing::warn!(database, error = ?trouble.kind, cause, "database call failed");
    trouble.kind.fault().into()
}

/// Why a call of a database brought no answer: the cause goes to the log, a sentence to the user.
fn failed(database: &str, fault: DatabaseFault, cause: &dyn Display) -> CallError {
    let cause = log::redacted(&cause.to_string(), []);
    tracing::warn!(database, error = ?fault, cause, "database call failed");
    fault.into()
}

impl From<DatabaseFault> for CallError {
    fn from(fault: DatabaseFault) -> Self {
        CallError::Database(fault)
    }
}

impl Known {
    fn info(&self) -> DatabaseInfo {
        let (dialect, schema, is_sample) = match &self.backend {
            Backend::Sqlite(sqlite) => (Dialect::Sqlite, sqlite.schema(), sqlite.is_sample()),
            Backend::Mysql(mysql) => (Dialect::Mysql, mysql.schema(), mysql.is_sample()),
        };
        let schema = (schema != self.name).then(|| schema.to_owned());
        DatabaseInfo { name: self.name.clone(), dialect, schema, is_sample, survey: self.surveys.latest() }
    }

    fn ask(&self, ask: &DatabaseAsk, limits: DatabaseLimits, call: &mut Call<'_>) -> Result<DatabaseAnswer, CallError> {
        let due = call.due.min(Instant::now() + Duration::from_millis(limits.time_ms_max));
        let (ask, tables) = match ask {
            DatabaseAsk::Query { sql } => {
                let info = self.info();
                match sql::check(sql, info.dialect, &info.schemas()) {
                    Ok(reading) => (DatabaseAsk::Query { sql: reading.statement }, reading.tables),
                    Err(denied) => return Ok(refused(format!("not allowed: {denied}"), Refused::Other)),
                }
            }
            DatabaseAsk::Describe { table } => (ask.clone(), vec![table.clone()]),
            DatabaseAsk::Tables | DatabaseAsk::Columns => (ask.clone(), Vec::new()),
            DatabaseAsk::Range { columns } => return self.range(columns, due, call.cancel),
        };
        let mut answer = self.backend.ask(&ask, limits, due, call.cancel)?;
        match &mut answer {
            DatabaseAnswer::Rows(rows) => {
                names::without_places(rows);
                if let DatabaseAsk::Describe { .. } = ask {
                    self.surveys.compare(rows);
                }
            }
            DatabaseAnswer::Refused { message, reason: Refused::UnknownTable } => message.push_str(&self.spelt(&tables, due, call.cancel)),
            DatabaseAnswer::Refused { .. } => {}
        }
        Ok(answer)
    }
}

impl Backend {
    fn ask(&self, ask: &DatabaseAsk, limits: DatabaseLimits, due: Instant, cancel: &Cancel) -> Result<DatabaseAnswer, CallError> {
        match self {
            Backend::Sqlite(sqlite) => sqlite.ask(ask, limits, due, cancel),
            Backend::Mysql(mysql) => mysql.ask(ask, limits, due, cancel),
        }
    }
}

fn refused(message: impl Into<String>, reason: Refused) -> DatabaseAnswer {
    DatabaseAnswer::Refused { message: message.into(), reason }
}

fn no_such_table(table: &str, dialect: Dialect) -> DatabaseAnswer {
    refused(format!("no such table: {}", sql::quoted(table, dialect)), Refused::UnknownTable)
}

/// The table and the column that a column refers to, which come as two lines.
fn referenced(lines: Option<String>, dialect: Dialect) -> Value {
    let both = lines.as_deref().and_then(|lines| lines.split_once('\n'));
    both.map(|(table, column)| format!("{}.{}", sql::quoted(table, dialect), sql::quoted(column, dialect))).into()
}

/// The columns of the answer to `Describe`, in every dialect.
const DESCRIBES: [&str; 5] = ["column", "type", "nullable", "key", "references"];

#[cfg(test)]
#[path = "database_tests.rs"]
mod tests;
