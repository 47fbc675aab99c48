//! Questions to a database and what they bring. Only reads: a statement goes through the gate before it goes out.

use super::Survey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// A database as a session knows it: stated when the session opens and when it changes, so that a replay plans in the same
/// dialect and with the same survey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseInfo {
    pub name: String,
    pub dialect: Dialect,
    /// What the database calls itself, where settings call it otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// It holds the sample data that ships with the program; marked as such wherever it shows.
    pub is_sample: bool,
    /// What it holds; nothing until the first survey is done. All sessions share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub survey: Option<Arc<Survey>>,
}

impl DatabaseInfo {
    /// What may stand before the name of a table: the database's own name first.
    pub fn schemas(&self) -> Vec<&str> {
        self.schema.iter().chain([&self.name]).map(String::as_str).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// MySQL and MariaDB.
    Mysql,
    Sqlite,
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dialect::Mysql => "MySQL",
            Dialect::Sqlite => "SQLite",
        })
    }
}

/// One question to a database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseRequest {
    /// The name under which settings know the database: `eras2_production`.
    pub database: Arc<str>,
    pub ask: DatabaseAsk,
    pub limits: DatabaseLimits,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DatabaseAsk {
    /// The names of all tables, one a row.
    Tables,
    /// A table's columns: `column`, `type`, `nullable`, `key`, `references`.
    Describe { table: String },
    /// One reading statement, as the gate let it through.
    Query { sql: String },
    /// All columns of all tables, one a row, for a survey.
    Columns,
    /// What stands in columns, each named as table and column, one a row: `column`, `holds`. Those of which nothing short can
    /// be said are left out.
    Range { columns: Vec<(String, String)> },
}

/// Where an answer is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseLimits {
    pub rows_max: usize,
    /// Bytes of JSON of all rows.
    pub bytes_max: usize,
    pub time_ms_max: u64,
}

impl Default for DatabaseLimits {
    fn default() -> Self {
        DatabaseLimits { rows_max: 200, bytes_max: 64 << 10, time_ms_max: 10_000 }
    }
}

/// What a database answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DatabaseAnswer {
    Rows(Rows),
    /// The database refuses the statement; its own words, for the model to mend it.
    Refused {
        message: String,
        reason: Refused,
    },
}

/// Why a statement was refused, as far as it matters to who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    UnknownTable,
    /// What is known of the table's columns may be out of date.
    UnknownColumn,
    Other,
}

/// A result set. Integers are JSON numbers up to 2^53 - 1 and text beyond, since readers of JSON may keep no more digits. Decimals
/// and dates are text, BIT is an integer, bytes are `0x…`, geometry is WKT. NULL is `null`, and nothing else is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    /// There are more rows than were taken.
    pub is_cut: bool,
    /// What a reader of the rows must know: what was cut, what the database warned of. One sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Of a description: the table's name as the database spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The places of the columns whose text is a number with decimals, exactly as the database keeps it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decimals: Vec<usize>,
}

/// Why a database brought nothing. The sentence is for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DatabaseFault {
    /// No database of that name is configured.
    Unknown,
    Unreachable,
    /// The database or its server refuses us until an operator changes a setting: a wrong password, an unknown database, TLS.
    Misconfigured,
    /// The connection broke while the statement ran.
    Broken,
    Deadline,
}

impl fmt::Display for DatabaseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DatabaseFault::Unknown => "The database is not set up on this server. Please tell its operator.",
            DatabaseFault::Unreachable => "The database can't be reached right now. Please try again in a moment.",
            DatabaseFault::Misconfigured => "The database can't be used the way this server is set up. Please tell its operator.",
            DatabaseFault::Broken => "The connection to the database broke. Please ask again.",
            DatabaseFault::Deadline => "The database took too long. Please ask for less, or for a shorter time.",
        })
    }
}
