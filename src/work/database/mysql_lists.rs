//! What a MySQL or MariaDB server lists of a database: tables, the columns of one, and all columns.

use super::cells::plain;
use super::mysql::{Failure, take};
use super::rows::plain_type;
use super::survey::COLUMNS;
use super::watch::Socket;
use super::{DESCRIBES, no_such_table, referenced, sample};
use crate::contract::{DatabaseAnswer, DatabaseLimits, Dialect, Rows};
use mysql::Conn;
use serde_json::Value;
use std::collections::BTreeMap;

/// An answer of ours: whether all of its rows were read, and whether its tables are the sample's.
pub(super) struct Listed {
    pub(super) answer: DatabaseAnswer,
    pub(super) is_whole: bool,
    pub(super) is_sample: bool,
}

pub(super) fn tables(conn: &mut Conn, schema: &str, limits: DatabaseLimits, socket: &Socket) -> Result<Listed, Failure> {
    let sql = "SELECT table_name AS `table`, table_comment FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name";
    let mut is_sample = false;
    let (mut answer, is_whole) = take(conn, sql, (schema,).into(), limits, socket, |row, _| {
        let mut texts = row.into_iter().map(plain);
        let name = texts.next().flatten();
        is_sample |= texts.next().flatten().is_some_and(|about| about.starts_with(sample::MARK));
        vec![name.into()]
    })?;
    if let DatabaseAnswer::Rows(rows) = &mut answer {
        rows.columns.truncate(1);
    }
    Ok(Listed { answer, is_whole, is_sample })
}

pub(super) fn describe(
    conn: &mut Conn,
    schema: &str,
    table: &str,
    limits: DatabaseLimits,
    socket: &Socket,
) -> Result<(DatabaseAnswer, bool), Failure> {
    let sql = "SELECT c.column_name, c.column_type, c.is_nullable, c.column_key,
        (SELECT CONCAT(k.referenced_table_name, '\n', k.referenced_column_name) FROM information_schema.key_column_usage k
         WHERE k.table_schema = c.table_schema AND k.table_name = c.table_name AND k.column_name = c.column_name
         AND k.referenced_table_name IS NOT NULL LIMIT 1), c.table_name
        FROM information_schema.columns c WHERE c.table_schema = ? AND c.table_name = ? ORDER BY c.ordinal_position";
    let mut own_name = None;
    let (mut answer, is_whole) = take(conn, sql, (schema, table).into(), limits, socket, |row, _| {
        let mut texts = row.into_iter().map(plain);
        let mut next = || texts.next().flatten();
        let (name, kind, nullable, key, references) = (next(), next(), next(), next(), next());
        own_name = next();
        let kind = kind.map(|kind| plain_type(&kind));
        vec![name.into(), kind.into(), is_yes(nullable), key_of(key), referenced(references, Dialect::Mysql)]
    })?;
    if let DatabaseAnswer::Rows(rows) = &mut answer {
        rows.columns = DESCRIBES.map(str::to_owned).to_vec();
        rows.table = own_name;
        if rows.rows.is_empty() {
            return Err(Failure::Refused(no_such_table(table, Dialect::Mysql).into()));
        }
    }
    Ok((answer, is_whole))
}

/// The columns of all tables. References come in a question of their own: asked for each column they take too long.
pub(super) fn columns(conn: &mut Conn, schema: &str, limits: DatabaseLimits, socket: &Socket) -> Result<Listed, Failure> {
    let references = "SELECT table_name, column_name, referenced_table_name, referenced_column_name
        FROM information_schema.key_column_usage WHERE table_schema = ? AND referenced_table_name IS NOT NULL";
    let sql = "SELECT c.table_name, t.table_comment, CAST(t.table_rows AS CHAR), t.table_type, c.column_name, c.column_type, c.is_nullable,
        c.column_key, c.column_comment FROM information_schema.columns c
        JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
        WHERE c.table_schema = ? ORDER BY c.table_name, c.ordinal_position";
    let mut referred = BTreeMap::new();
    let (_, is_whole) = take(conn, references, (schema,).into(), limits, socket, |row, _| {
        if let [Some(table), Some(column), Some(to), Some(of)] = &row.into_iter().map(plain).collect::<Vec<_>>()[..] {
            referred.insert((table.clone(), column.clone()), format!("{to}\n{of}"));
        }
        Vec::new()
    })?;
    if !is_whole {
        let answer = DatabaseAnswer::Rows(Rows { is_cut: true, ..Rows::default() });
        return Ok(Listed { answer, is_whole, is_sample: false });
    }
    let mut is_sample = false;
    let (mut answer, is_whole) = take(conn, sql, (schema,).into(), limits, socket, |row, _| {
        let mut texts = row.into_iter().map(plain);
        let mut next = || texts.next().flatten();
        let (table, about, rows, what, name, kind) = (next(), next(), next(), next(), next(), next());
        let (nullable, key, comment) = (next(), next(), next());
        is_sample |= about.as_deref().is_some_and(|about| about.starts_with(sample::MARK));
        let is_view = what.is_none_or(|what| what != "BASE TABLE" && what != "SYSTEM VERSIONED");
        // A view has the word for one in the place of its comment.
        let about = about.filter(|_| !is_view);
        let to = table.clone().zip(name.clone()).and_then(|place| referred.remove(&place));
        let kind = kind.map(|kind| plain_type(&kind));
        let table = [table.into(), about.into(), rows.into(), is_view.into()];
        let column = [name.into(), kind.into(), is_yes(nullable), key_of(key), referenced(to, Dialect::Mysql), comment.into()];
        table.into_iter().chain(column).collect()
    })?;
    if let DatabaseAnswer::Rows(rows) = &mut answer {
        rows.columns = COLUMNS.map(str::to_owned).to_vec();
    }
    Ok(Listed { answer, is_whole, is_sample })
}

fn is_yes(said: Option<String>) -> Value {
    said.map(|said| said == "YES").into()
}

/// A key as a description names it.
fn key_of(said: Option<String>) -> Value {
    let key = match said.as_deref() {
        Some("PRI") => "primary",
        Some("UNI") => "unique",
        Some("MUL") => "index",
        _ => "",
    };
    key.into()
}
