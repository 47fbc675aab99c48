//! Why a statement isn't sent, in a sentence that whoever wrote it can act on.

use crate::contract::Dialect;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    Empty,
    TooLong {
        bytes_max: usize,
    },
    TooDeep,
    TooMany {
        operators_max: usize,
    },
    /// A sign that no reading statement needs.
    Sign {
        sign: char,
    },
    Unfinished {
        what: &'static str,
    },
    Hint,
    /// Letters of two scripts in one name.
    LookAlike {
        name: String,
    },
    Several,
    /// A word that only writing, locking or file statements need.
    Word {
        word: String,
    },
    Kind,
    Unreadable {
        dialect: &'static str,
        why: String,
    },
    /// A part that the lists don't know.
    Part {
        what: &'static str,
    },
    Function {
        name: String,
    },
    Argument {
        function: String,
        why: &'static str,
    },
    Type {
        name: String,
    },
    Table {
        name: String,
    },
    Schema {
        name: String,
    },
    Recursive {
        name: String,
    },
}

impl Denied {
    pub(super) fn unreadable(dialect: Dialect, why: &str) -> Denied {
        let dialect = match dialect {
            Dialect::Mysql => "MySQL",
            Dialect::Sqlite => "SQLite",
        };
        let why = why.trim_start_matches("sql parser error: ");
        Denied::Unreadable { dialect, why: why.chars().take(200).collect::<String>().replace(['\n', '\r', '\t'], " ") }
    }
}

impl std::error::Error for Denied {}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Empty => write!(f, "there is no statement: write one SELECT"),
            Denied::TooLong { bytes_max } => write!(f, "the statement is longer than {bytes_max} bytes: write a shorter one"),
            Denied::TooDeep => write!(f, "the statement is nested too deeply: write it flatter, with CTEs"),
            Denied::TooMany { operators_max } => {
                write!(f, "the statement has more than {operators_max} operators: use IN (…) or a join instead")
            }
            Denied::Sign { sign } if sign.is_ascii_graphic() => {
                write!(f, "`{sign}` is not allowed outside a quoted text: write values into the statement, without variables or parameters")
            }
            Denied::Sign { sign } => write!(f, "the statement holds the invisible sign U+{:04X}: use plain spaces", u32::from(*sign)),
            Denied::Unfinished { what } => write!(f, "a {what} has no proper end"),
            Denied::Hint => write!(f, "comments that are code or hints (`/*!`, `/*M!`, `/*+`) are not allowed: leave them out"),
            Denied::LookAlike { name } => write!(f, "the name `{name}` mixes letters of two scripts: write it in one"),
            Denied::Several => write!(f, "write exactly one statement, with nothing behind its `;`"),
            Denied::Word { word } => write!(f, "`{word}` is not allowed, only reading is; quote it if it is the name of a column"),
            Denied::Kind => write!(f, "only reading is allowed: write one SELECT (or WITH … SELECT)"),
            Denied::Unreadable { dialect, why } => write!(f, "the statement can't be read as {dialect}: {why}"),
            Denied::Part { what } => write!(f, "{what} is not allowed here: write a plain SELECT without it"),
            Denied::Function { name } => {
                write!(f, "the function `{name}` is not allowed: use common aggregate, window, text, date or math functions")
            }
            Denied::Argument { function, why } => write!(f, "`{function}`: {why}"),
            Denied::Type { name } => write!(f, "casting to `{name}` is not allowed: use CHAR, SIGNED, DECIMAL, DATE or DATETIME"),
            Denied::Table { name } => write!(f, "the table `{name}` can't be read: use tables of this database only"),
            Denied::Schema { name } => write!(f, "`{name}` is not the database that may be read: leave the name of the database out"),
            Denied::Recursive { name } => write!(
                f,
                "the recursive CTE `{name}` is not a bounded series: one column counted up in one SELECT from `{name}` alone, with WHERE column < a constant of at most {}",
                super::series::STEPS_MAX
            ),
        }
    }
}
