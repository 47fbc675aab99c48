//! Names and definitions of tables in what is answered: as the database spells them, and without users, addresses and paths.

use super::Known;
use crate::contract::{DatabaseAnswer, DatabaseAsk, DatabaseLimits, Rows};
use crate::sql;
use crate::work::call::Cancel;
use std::collections::BTreeSet;
use std::time::Instant;

/// Tables among which one is looked for that is called nearly so.
const LOOKED: DatabaseLimits = DatabaseLimits { rows_max: 10_000, bytes_max: 1 << 20, time_ms_max: 10_000 };
/// What stands before the place of a table that is kept elsewhere than in the server's own folder.
const PLACES: [&str; 8] = ["CONNECTION", "DIRECTORY", "SPIDER", "FEDERATED", "CONNECT", "FILE_NAME", "OPTION_LIST", "REMOTE"];

impl Known {
    /// How the database spells tables that it doesn't know as they were written: on a server that tells upper from lower case.
    pub(super) fn spelt(&self, tables: &[String], due: Instant, cancel: &Cancel) -> String {
        let Ok(DatabaseAnswer::Rows(known)) = self.backend.ask(&DatabaseAsk::Tables, LOOKED, due, cancel) else { return String::new() };
        let known: BTreeSet<&str> = known.rows.iter().filter_map(|row| row.first()?.as_str()).collect();
        let mut says = String::new();
        for table in tables.iter().filter(|table| !known.contains(table.as_str())) {
            for alike in known.iter().filter(|known| known.to_lowercase() == table.to_lowercase()) {
                let dialect = self.info().dialect;
                says.push_str(&format!("; there is {1}, but no {0}", sql::quoted(table, dialect), sql::quoted(alike, dialect)));
            }
        }
        says
    }
}

/// `SHOW CREATE TABLE` names who made a view, and where a table is that the server keeps elsewhere.
pub(super) fn without_places(rows: &mut Rows) {
    if !matches!(rows.columns.get(1).map(String::as_str), Some("Create Table" | "Create View")) {
        return;
    }
    for cell in rows.rows.iter_mut().filter_map(|row| row.get_mut(1)) {
        if let Some(definition) = cell.as_str().map(defined) {
            *cell = definition.into();
        }
    }
}

fn defined(text: &str) -> String {
    if let (Some((before, rest)), false) = (text.split_once(" DEFINER="), text.starts_with("CREATE TABLE")) {
        return rest.split_once(" SQL SECURITY ").map_or_else(|| before.to_owned(), |(_, rest)| format!("{before} SQL SECURITY {rest}"));
    }
    match text.rsplit_once("\n)") {
        Some((columns, options)) if PLACES.iter().any(|place| options.to_uppercase().contains(place)) => {
            format!("{columns}\n) /* options left out: they name a place */")
        }
        Some(_) | None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_names_no_user_no_address_and_no_path() {
        let columns = "CREATE TABLE `t` (\n  `id` int(11) COMMENT 'CONNECTION'\n)";
        let left_out = format!("{columns} /* options left out: they name a place */");
        let plain = format!("{columns} ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT='what is sold'");
        for (column, definition, shown) in [
            ("Create Table", plain.clone(), plain.clone()),
            ("Create Table", format!("{columns} ENGINE=FEDERATED CONNECTION='mysql://u:secret@h/x'"), left_out.clone()),
            ("Create Table", format!("{columns} ENGINE=SPIDER COMMENT='host \"h\", user \"u\"'"), left_out.clone()),
            ("Create Table", format!("{columns} ENGINE=InnoDB DATA DIRECTORY='/srv/x/'"), left_out.clone()),
            (
                "Create Table",
                format!("{columns} ENGINE=InnoDB\n PARTITION BY RANGE (`id`)\n(PARTITION `p` DATA DIRECTORY = '/x')"),
                left_out,
            ),
            (
                "Create View",
                "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`10.0.0.1` SQL SECURITY DEFINER VIEW `v` AS select 1".to_owned(),
                "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS select 1".to_owned(),
            ),
            ("said", "CREATE VIEW DEFINER=x".to_owned(), "CREATE VIEW DEFINER=x".to_owned()),
        ] {
            let rows = vec![vec![json!("t"), json!(definition)]];
            let mut rows = Rows { columns: vec!["Table".to_owned(), column.to_owned()], rows, ..Rows::default() };
            without_places(&mut rows);
            assert_eq!(rows.rows[0][1], json!(shown));
        }
    }
}
