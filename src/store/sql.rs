//! What the statements need of a database: values in, rows out, within a transaction that `engine.rs` begins and ends.
//!
//! Statements are written once, in what SQLite, MariaDB and MySQL have in common. [`Dialect`] has the differences.

use super::{Kind, StoreError};
use std::borrow::Cow;

/// A value of a statement. Whole numbers beyond 63 bits are kept as the largest that fits.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Null,
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    pub(super) fn size(&self) -> usize {
        match self {
            Value::Null => 0,
            Value::Int(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
        }
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value<'_> {
    fn from(flag: bool) -> Self {
        Value::Int(i64::from(flag))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Value::Text(Cow::Owned(text))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Value::Bytes(bytes)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    /// Text too.
    Bytes(Vec<u8>),
}

/// A row, read from its first column to its last.
pub(super) struct Row(std::vec::IntoIter<Cell>);

impl Row {
    pub(super) fn new(cells: Vec<Cell>) -> Row {
        Row(cells.into_iter())
    }

    pub(super) fn maybe_signed(&mut self) -> Result<Option<i64>, StoreError> {
        match self.0.next() {
            Some(Cell::Int(number)) => Ok(Some(number)),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Bytes(_)) | None => Err(unexpected()),
        }
    }

    pub(super) fn maybe_number(&mut self) -> Result<Option<u64>, StoreError> {
        self.maybe_signed()?.map(|number| u64::try_from(number).map_err(|_| unexpected())).transpose()
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        self.maybe_number()?.ok_or_else(unexpected)
    }

    pub(super) fn generation(&mut self) -> Result<u32, StoreError> {
        u32::try_from(self.number()?).map_err(|_| unexpected())
    }

    pub(super) fn flag(&mut self) -> Result<bool, StoreError> {
        Ok(self.number()? != 0)
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.0.next() {
            Some(Cell::Bytes(bytes)) => Ok(bytes),
            Some(Cell::Int(_) | Cell::Null) | None => Err(unexpected()),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.maybe_text()?.ok_or_else(unexpected)
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.0.next() {
            Some(Cell::Bytes(bytes)) => String::from_utf8(bytes).map(Some).map_err(|_| unexpected()),
            Some(Cell::Null) => Ok(None),
            Some(Cell::Int(_)) | None => Err(unexpected()),
        }
    }
}

fn unexpected() -> StoreError {
    StoreError::new(Kind::Corrupt, "the journal holds a value of an unexpected type; restore a backup")
}

/// How the databases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Mysql,
}

impl Dialect {
    /// Ends a SELECT that locks its rows until the end of the transaction. SQLite has one writer anyway.
    pub(super) fn for_update(self) -> &'static str {
        match self {
            Dialect::Sqlite => "",
            Dialect::Mysql => " FOR UPDATE",
        }
    }
}

/// How much one statement may insert.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// A database that runs statements. All of them are fixed texts with `?` for values.
pub(super) trait Sql {
    fn dialect(&self) -> Dialect;

    fn bounds(&self) -> Bounds;

    /// Runs a statement. Returns how many rows it inserted, deleted or changed.
    fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError>;

    /// Inserts a row. Returns the id that it got.
    fn insert(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError>;

    fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError>;

    fn first(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, values)?.into_iter().next())
    }
}
