//! Why a statement isn't sent, in a sentence that whoever wrote it can act on.

use crate::contract::Dialect;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("there is no statement: write one SELECT")]
    Empty,
    #[error("the statement is longer than {bytes_max} bytes: write a shorter one")]
    TooLong { bytes_max: usize },
    #[error("the statement is nested too deeply: write it flatter, with CTEs")]
    TooDeep,
    #[error("the statement has more than {operators_max} operators: use IN (…) or a join instead")]
    TooMany { operators_max: usize },
    /// A character that no reading statement needs.
    #[error("{}", sign_sentence(*sign))]
    Sign { sign: char },
    #[error("a {what} has no proper end")]
    Unfinished { what: &'static str },
    #[error("comments that are code or hints (`/*!`, `/*M!`, `/*+`) are not allowed: leave them out")]
    Hint,
    #[error("the name `{name}` mixes letters of two scripts: write it in one")]
    LookAlike { name: String },
    #[error("write exactly one statement, with nothing behind its `;`")]
    Several,
    /// A word that only writing, locking or file statements need.
    #[error("`{word}` is not allowed, only reading is; quote it if it is the name of a column")]
    Word { word: String },
    #[error("only reading is allowed: write one SELECT (or WITH … SELECT)")]
    Kind,
    #[error("the gate can't read the statement as {dialect}: {why}")]
    Unreadable { dialect: &'static str, why: String },
    /// It is right, but the parser doesn't know it.
    #[error("the gate can't read `{words}` in `{function}(…)`: write {instead} instead")]
    Unread { function: &'static str, words: String, instead: &'static str },
    /// A part that the lists don't know.
    #[error("{what} is not allowed here: write a plain SELECT without it")]
    Part { what: &'static str },
    #[error("the function `{name}` is not allowed: use common aggregate, window, text, date or math functions")]
    Function { name: String },
    #[error("`{function}`: {why}")]
    Argument { function: String, why: &'static str },
    #[error("casting to `{name}` is not allowed: use CHAR, SIGNED, DECIMAL, DATE or DATETIME")]
    Type { name: String },
    #[error("the table `{name}` can't be read: use tables of this database only")]
    Table { name: String },
    #[error("`{name}` is not the database that may be read: leave the name of the database out")]
    Schema { name: String },
    #[error(
        "`{name}` is neither grouped nor aggregated, so its value would be that of an arbitrary row: add it to GROUP BY, aggregate it, or take one row with ORDER BY … LIMIT 1"
    )]
    Ungrouped { name: String },
    #[error(
        "the recursive CTE `{name}` has no bound: either count one column up in one SELECT from `{name}` alone, with WHERE column < a constant of at most {steps_max} (MySQL and MariaDB stop after 1000 steps unless configured otherwise), or walk a tree in one SELECT that joins `{name}` with a table where a column of the one equals another column of the other, both written with the name of their table",
        steps_max = super::recursion::STEPS_MAX
    )]
    Recursive { name: String },
}

fn sign_sentence(sign: char) -> String {
    if sign.is_ascii_graphic() {
        format!("`{sign}` is not allowed outside a quoted text: write values into the statement, without variables or parameters")
    } else {
        format!("the statement holds the invisible sign U+{:04X}: use plain spaces", u32::from(sign))
    }
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
