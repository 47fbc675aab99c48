//! The slots that say what a node's database holds: the schema, with what a survey found, and today's date beside the data's latest.
//!
//! A table that this session has described is shown as described; the survey, which all sessions share, says the rest: comments,
//! what stands in columns, numbers of rows, and tables that nobody has described. A schema that is too large is shown by its
//! relevance to the job, and the rest as names.

use super::View;
use crate::contract::{DatabaseInfo, Dialect, Holds, SurveyedColumn, SurveyedTable, clip};
use crate::sql;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Bytes of tables with their columns, of one of them, and of the names of all others.
const TABLES_BYTES: usize = 24 << 10;
const TABLE_BYTES: usize = 6 << 10;
const NAMES_BYTES: usize = 8 << 10;
const COMMENT_BYTES: usize = 200;
/// What a table counts that the session has described, beside the words that it shares with the job.
const DESCRIBED: usize = 100;

/// A table as it is shown, and how much it has to do with the job.
struct Shown {
    name: String,
    text: String,
    score: usize,
}

/// What is known of the node's database, all names as a statement has to write them.
pub(super) fn schema(view: &View<'_>) -> String {
    let Some(database) = view.database() else { return "unknown".to_owned() };
    let survey = database.survey.as_deref();
    let tables = tables(view, database);
    let mut lines = String::new();
    if tables.is_empty() {
        lines.push_str("nothing is described yet\n");
    }
    let words = words(view.packet.routing.as_ref().map(|routing| routing.job.as_str()).unwrap_or_default());
    let shown = |table: &Cow<'_, SurveyedTable>| Shown {
        name: sql::quoted(&table.name, database.dialect),
        text: written(view, database.dialect, table),
        score: 0,
    };
    let mut shown: Vec<Shown> = tables.iter().map(shown).collect();
    if shown.iter().map(|table| table.text.len()).sum::<usize>() > TABLES_BYTES {
        let joined = joined(&tables, &words);
        for (shown, table) in shown.iter_mut().zip(&tables) {
            let is_described = view.schema.contains_key(&format!("{}.{}", database.name, table.name));
            shown.score = score(view, table, &words) + usize::from(joined.contains(&*table.name)) + usize::from(is_described) * DESCRIBED;
        }
        shown.sort_by_key(|table| std::cmp::Reverse(table.score));
    }
    let mut others = Vec::new();
    for table in shown {
        if lines.len() + table.text.len() <= TABLES_BYTES {
            lines.push_str(&table.text);
        } else {
            others.push(table.name);
        }
    }
    if !others.is_empty() || survey.is_some_and(|survey| survey.is_cut) {
        others.sort();
        let more = if survey.is_some_and(|survey| survey.is_cut) { " and more" } else { "" };
        let _ = writeln!(lines, "Other tables, to be described before a query: {}{more}", clip(&others.join(", "), NAMES_BYTES));
    }
    for (name, note) in view.node.notes.iter().filter(|(name, _)| !tables.iter().any(|table| is_of(name, table))) {
        let _ = writeln!(lines, "Note on {name}: {note}");
    }
    lines.truncate(lines.trim_end().len());
    lines
}

/// The latest date that a survey found in the node's database.
pub(super) fn latest(view: &View<'_>) -> String {
    let survey = view.database().and_then(|database| database.survey.as_deref());
    let columns = survey.iter().flat_map(|survey| &survey.tables).flat_map(|table| &table.columns);
    let dates = columns.filter_map(|column| match &column.holds {
        Some(Holds::Range(_, to)) if column.kind.starts_with("date") || column.kind.starts_with("timestamp") => Some(to.trim_matches('\'')),
        Some(Holds::Range(..) | Holds::Values(_)) | None => None,
    });
    dates.max().map(|date| format!("; the latest date in the database is {date}")).unwrap_or_default()
}

/// Whether what a session knows of a table is still so; `known` is its name behind its database's.
pub fn agrees(databases: &[DatabaseInfo], known: &str, columns: &Value) -> bool {
    let table_of = |database: &DatabaseInfo| known.strip_prefix(&database.name)?.strip_prefix('.').map(str::to_owned);
    databases.iter().all(|database| {
        let (Some(table), Some(survey)) = (table_of(database), &database.survey) else { return true };
        match survey.tables.iter().find(|surveyed| surveyed.name == table) {
            Some(surveyed) => {
                let described = columns.as_array().into_iter().flatten().map(|column| column["column"].as_str().unwrap_or_default());
                described.eq(surveyed.columns.iter().map(|column| column.name.as_str()))
            }
            None => survey.is_cut,
        }
    })
}

/// The columns of `tables` that a statement names and of which a range may say why nothing was found, at most so many.
pub(super) fn named_columns(view: &View<'_>, statement: &str, of: &[String], most: usize) -> Vec<(String, String)> {
    let Some(database) = view.database() else { return Vec::new() };
    let said: BTreeSet<String> = statement.split(|sign: char| !sign.is_alphanumeric() && sign != '_').map(str::to_lowercase).collect();
    let all = tables(view, database);
    let read = all.iter().filter(|table| of.iter().any(|name| name.eq_ignore_ascii_case(&table.name)));
    let columns = read.flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let named = columns.filter(|(_, column)| {
        let is_key = column.key == "primary" || column.references.is_some();
        !is_key && said.contains(&column.name.to_lowercase())
    });
    named.map(|(table, column)| (table.name.clone(), column.name.clone())).take(most).collect()
}

/// All tables that are known: as this session described them, else as the survey did.
fn tables<'a>(view: &View<'a>, database: &'a DatabaseInfo) -> Vec<Cow<'a, SurveyedTable>> {
    let surveyed = database.survey.iter().flat_map(|survey| &survey.tables);
    let mut tables: Vec<Cow<'a, SurveyedTable>> = surveyed.map(Cow::Borrowed).collect();
    for (known, columns) in view.schema {
        let Some(name) = known.strip_prefix(&database.name).and_then(|rest| rest.strip_prefix('.')) else { continue };
        match tables.iter_mut().find(|table| table.name == name) {
            Some(table) if !agrees(std::slice::from_ref(database), known, columns) => {
                let old = std::mem::take(&mut table.to_mut().columns);
                table.to_mut().columns = described(columns, &old);
            }
            Some(_) => {}
            None => {
                let columns = described(columns, &[]);
                tables.push(Cow::Owned(SurveyedTable { name: name.to_owned(), columns, ..SurveyedTable::default() }));
            }
        }
    }
    tables
}

/// A description's columns, with what an older survey found in those that there were.
fn described(columns: &Value, old: &[SurveyedColumn]) -> Vec<SurveyedColumn> {
    let column = |column: &Value| {
        let text = |field: &str| column[field].as_str().unwrap_or_default().to_owned();
        let name = text("column");
        let before = old.iter().find(|column| column.name == name).cloned().unwrap_or_default();
        SurveyedColumn {
            kind: text("type"),
            nullable: column["nullable"] == true,
            key: text("key"),
            references: column["references"].as_str().map(str::to_owned),
            name,
            ..before
        }
    };
    columns.as_array().into_iter().flatten().map(column).collect()
}

/// A table in a line, and each of its columns in another.
fn written(view: &View<'_>, dialect: Dialect, table: &SurveyedTable) -> String {
    let mut text = sql::quoted(&table.name, dialect);
    if let Some(rows) = table.rows {
        let _ = write!(text, " ({}{rows} row{})", if table.is_estimate { "~" } else { "" }, if rows == 1 { "" } else { "s" });
    }
    let said: Vec<&str> = [table.comment.as_str(), note(view, &table.name, None)].into_iter().filter(|said| !said.is_empty()).collect();
    let said = said.iter().map(|said| clip(said, COMMENT_BYTES)).collect::<Vec<_>>().join("; ");
    let _ = writeln!(text, "{}{said}", if said.is_empty() { "" } else { ": " });
    for (place, column) in table.columns.iter().enumerate() {
        let line = column_line(view, dialect, table, column);
        if text.len() + line.len() > TABLE_BYTES {
            let _ = writeln!(text, "- and {} more columns: describe the table", table.columns.len() - place);
            break;
        }
        text.push_str(&line);
    }
    text
}

fn column_line(view: &View<'_>, dialect: Dialect, table: &SurveyedTable, column: &SurveyedColumn) -> String {
    let mut line = format!("- {} {}", sql::quoted(&column.name, dialect), column.kind);
    if column.nullable {
        line.push_str(", nullable");
    }
    match column.key.as_str() {
        "primary" => line.push_str(", primary key"),
        "unique" => line.push_str(", unique"),
        _ => {}
    }
    if let Some(references) = &column.references {
        let _ = write!(line, " -> {references}");
    }
    if let Some(holds) = &column.holds {
        let _ = write!(line, ": {holds}");
    }
    for said in [column.comment.as_str(), note(view, &table.name, Some(&column.name))] {
        if !said.is_empty() {
            let _ = write!(line, " ({})", clip(said, COMMENT_BYTES));
        }
    }
    line.push('\n');
    line
}

/// What the graph says of a table, or of one of its columns.
fn note<'a>(view: &View<'a>, table: &str, column: Option<&str>) -> &'a str {
    let name = column.map_or_else(|| table.to_owned(), |column| format!("{table}.{column}"));
    let note = view.node.notes.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    note.map(|(_, note)| note.as_str()).unwrap_or_default()
}

/// Whether a note is on a table that is known, or on a column of it.
fn is_of(name: &str, table: &SurveyedTable) -> bool {
    let column = |column: &SurveyedColumn| format!("{}.{}", table.name, column.name).eq_ignore_ascii_case(name);
    table.name.eq_ignore_ascii_case(name) || table.columns.iter().any(column)
}

/// How much a table has to do with what is asked: words in its name count most, then in its columns' names, then in all that is
/// said of it. One that a join may need counts a little.
fn score(view: &View<'_>, table: &SurveyedTable, wanted: &[String]) -> usize {
    let mut said = words(&table.comment);
    said.extend(words(note(view, &table.name, None)));
    for column in &table.columns {
        said.extend(words(&column.comment));
        said.extend(words(note(view, &table.name, Some(&column.name))));
        if let Some(Holds::Values(values)) = &column.holds {
            said.extend(values.iter().flat_map(|value| words(value)));
        }
    }
    let columns: Vec<String> = table.columns.iter().flat_map(|column| words(&column.name)).collect();
    matches(&words(&table.name), wanted) * 8 + matches(&columns, wanted) * 2 + matches(&said, wanted)
}

/// The tables that a join with one whose name is wanted may need: those that refer to it, and those that it refers to.
fn joined<'a>(all: &'a [Cow<'_, SurveyedTable>], wanted: &[String]) -> BTreeSet<&'a str> {
    let named: BTreeSet<&str> = all.iter().filter(|table| matches(&words(&table.name), wanted) > 0).map(|table| &*table.name).collect();
    let mut joined = BTreeSet::new();
    for table in all {
        let references = table.columns.iter().filter_map(|column| column.references.as_deref()?.split_once('.')).map(|(to, _)| to);
        for to in references {
            joined.extend(named.contains(to).then_some(&*table.name));
            joined.extend(named.contains(&*table.name).then_some(to));
        }
    }
    joined
}

/// How many of the words that are wanted are among these.
fn matches(words: &[String], wanted: &[String]) -> usize {
    wanted.iter().filter(|wanted| words.iter().any(|word| is_alike(word, wanted))).count()
}

/// The same word, or two forms of it: `Kunde` and `kunden`.
fn is_alike(one: &str, other: &str) -> bool {
    let shared = one.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let shorter = one.chars().count().min(other.chars().count());
    one == other || (shared >= 4 && shared * 4 >= shorter * 3)
}

/// The words of a text or of a name such as `orderDetails` or `order_details`, without those that are too short to mean much.
fn words(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut before = ' ';
    for sign in text.chars() {
        if !sign.is_alphanumeric() || (before.is_lowercase() && sign.is_uppercase()) {
            parts.push(String::new());
        }
        if sign.is_alphanumeric() {
            parts.last_mut().expect("there is always one").extend(sign.to_lowercase());
        }
        before = sign;
    }
    parts.retain(|part| part.chars().count() >= 3);
    parts
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
