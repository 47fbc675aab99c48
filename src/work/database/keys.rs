//! What SQLite knows of a table that tells its rows apart: what the check of grouping needs.

use crate::sql::Known;
use rusqlite::{Connection, OptionalExtension, Result};

pub(super) fn known(connection: &Connection, schema: &str, table: &str) -> Result<Option<Known>> {
    let made =
        format!("SELECT type = 'view', sql FROM \"{schema}\".sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE");
    let made = connection.query_row(&made, [table], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match made {
        None => Ok(None),
        Some((true, statement)) => Ok(Some(Known::View { statement })),
        Some((false, _)) => of_table(connection, schema, table).map(Some),
    }
}

fn of_table(connection: &Connection, schema: &str, table: &str) -> Result<Known> {
    // Hidden columns of virtual tables are left out, generated columns are not.
    let sql = "SELECT name, pk, \"notnull\" FROM pragma_table_xinfo(?1, ?2) WHERE hidden <> 1 ORDER BY cid";
    let mut statement = connection.prepare(sql)?;
    let columns: Vec<(String, i64, bool)> =
        statement.query_map([table, schema], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect::<Result<_>>()?;
    let mut primary: Vec<(i64, String)> = columns.iter().filter(|(_, pk, _)| *pk > 0).map(|(name, pk, _)| (*pk, name.clone())).collect();
    primary.sort();
    let mut keys = vec![primary.into_iter().map(|(_, name)| name).collect()];
    let sql = "SELECT l.name, i.name FROM pragma_index_list(?1, ?2) l JOIN pragma_index_info(l.name, ?2) i
        WHERE l.\"unique\" AND NOT l.partial ORDER BY l.seq, i.seqno";
    let mut statement = connection.prepare(sql)?;
    let mut parts = statement.query([table, schema])?;
    let mut indexes: Vec<(String, Vec<Option<String>>)> = Vec::new();
    while let Some(part) = parts.next()? {
        let (index, column) = (part.get(0)?, part.get(1)?);
        match indexes.last_mut() {
            Some((name, columns)) if *name == index => columns.push(column),
            Some(_) | None => indexes.push((index, vec![column])),
        }
    }
    // Rows with NULL may be many in a unique index; an expression in one has no name.
    let is_needed = |name: &String| columns.iter().any(|(known, _, is_needed)| known == name && *is_needed);
    let whole = |columns: Vec<Option<String>>| columns.into_iter().map(|name| name.filter(is_needed)).collect::<Option<Vec<String>>>();
    keys.extend(indexes.into_iter().filter_map(|(_, columns)| whole(columns)));
    keys.retain(|key: &Vec<String>| !key.is_empty());
    Ok(Known::Table { columns: columns.into_iter().map(|(name, _, _)| name).collect(), keys })
}
