//! `eras2_production` as sample data: a company that bills heating costs, made up from a seed.
//!
//! One text of SQL makes it, the same for SQLite and MariaDB but for the words that only one of them knows; numbers are whole
//! thousandths until they are written, so both hold the same to the last digit. It has the oddities that real data has:
//! readings that are missing, a meter that was swapped, a flat that stands empty, a reading that is plainly wrong.

mod people;
mod tables;

use crate::contract::Dialect;
use std::fmt::Write;
use tables::{Cell, TABLES, Table};

/// The name under which it is known.
pub const NAME: &str = "eras2_production";
/// How the comment of each of its tables begins.
pub const MARK: &str = "Musterdaten";

const SEED: u64 = 20_251_120;
const ROWS_A_STATEMENT: usize = 250;

/// The statements that make it.
pub fn sql(dialect: Dialect) -> String {
    let mut text = String::with_capacity(1 << 20);
    text.push_str("-- Sample data (Musterdaten): everything in it is made up. Written by `framewright sample-data`.\n");
    if dialect == Dialect::Mysql {
        text.push_str("SET NAMES utf8mb4;\nSET foreign_key_checks = 0;\n");
    }
    let all = people::make(SEED);
    for table in TABLES.iter().rev() {
        let _ = writeln!(text, "DROP TABLE IF EXISTS {};", table.name);
    }
    for table in TABLES {
        create(table, dialect, &mut text);
    }
    text.push_str(if dialect == Dialect::Mysql { "START TRANSACTION;\n" } else { "BEGIN;\n" });
    for (table, rows) in TABLES.iter().zip(&all) {
        for rows in rows.chunks(ROWS_A_STATEMENT) {
            insert(table, rows, &mut text);
        }
    }
    text.push_str("COMMIT;\n");
    if dialect == Dialect::Mysql {
        text.push_str("SET foreign_key_checks = 1;\n");
    }
    text
}

fn create(table: &Table, dialect: Dialect, text: &mut String) {
    let _ = write!(text, "CREATE TABLE {} (\n  {}", table.name, table.columns.join(",\n  "));
    for (column, to) in table.references {
        let _ = write!(text, ",\n  FOREIGN KEY ({column}) REFERENCES {to} (id)");
    }
    match dialect {
        Dialect::Mysql => {
            let _ = writeln!(text, "\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COMMENT='{MARK}: {}';", table.about);
        }
        Dialect::Sqlite => {
            let _ = writeln!(text, "\n);");
            for (column, _) in table.references {
                let _ = writeln!(text, "CREATE INDEX {}_{column} ON {} ({column});", table.name, table.name);
            }
        }
    }
}

fn insert(table: &Table, rows: &[Vec<Cell>], text: &mut String) {
    let _ = write!(text, "INSERT INTO {} VALUES", table.name);
    for (place, row) in rows.iter().enumerate() {
        text.push_str(if place == 0 { "\n(" } else { ",\n(" });
        for (place, cell) in row.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let _ = write!(text, "{comma}{cell}");
        }
        text.push(')');
    }
    text.push_str(";\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_every_time_and_in_both_dialects() {
        let rows = |dialect| {
            let text = sql(dialect);
            text.lines().filter(|line| line.starts_with('(') || line.starts_with("INSERT")).map(str::to_owned).collect::<Vec<_>>()
        };
        let (mysql, sqlite) = (rows(Dialect::Mysql), rows(Dialect::Sqlite));
        assert_eq!(mysql, sqlite);
        assert!((4_000..12_000).contains(&mysql.len()), "{}", mysql.len());
        assert_eq!(sql(Dialect::Mysql), sql(Dialect::Mysql));
    }
}
