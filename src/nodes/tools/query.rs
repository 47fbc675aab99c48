//! `query`: one reading SQL statement on the node's database; returns data, and shows its rows.
//!
//! The statement goes through the gate before it goes out. Its tables are described first where the session does not know
//! them yet. `show` says how the user sees the rows: as a table, a line chart, a bar chart, or not at all.

use super::{Act, Tool, args, fits};
use crate::contract::{Change, Control, DatabaseAsk, Display, DisplayKind};
use crate::nodes::{ToolReport, View};
use crate::sql;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "query",
    description: "runs one SELECT on the database. Returns data. The user sees its rows as `show` says: as `table` (the default), as a `line` or `bar` chart of the columns `y` over the column `x`, or `none`.",
    parameters: r#"{"type":"object","properties":{"sql":{"type":"string"},"show":{"type":"object","properties":{"as":{"enum":["table","line","bar","none"]},"label":{"type":"string"},"x":{"type":"string"},"y":{"type":"array","items":{"type":"string"}}},"required":["as"]}},"required":["sql"]}"#,
    fits: fits::<Args>,
    act: Act::Ask { ask, display: Some(display) },
};

#[derive(Deserialize)]
struct Args {
    sql: String,
    #[serde(default)]
    show: Show,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Show {
    r#as: As,
    label: Option<String>,
    x: Option<String>,
    y: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum As {
    #[default]
    Table,
    Line,
    Bar,
    None,
}

fn ask(view: &View<'_>, value: &Value) -> Result<(DatabaseAsk, Vec<String>), String> {
    let Args { sql, .. } = args(value.clone())?;
    // Of a database that no setting names, the answer says so.
    let Some(database) = view.database() else { return Ok((DatabaseAsk::Query { sql }, Vec::new())) };
    let reading = sql::check(&sql, database.dialect, &database.schemas()).map_err(|denied| format!("not allowed: {denied}"))?;
    Ok((DatabaseAsk::Query { sql }, reading.tables))
}

/// The rows as the user sees them, with the statement for whoever wants to look behind it.
pub(super) fn display(view: &View<'_>, report: &ToolReport) -> Option<Change> {
    let Args { sql, show } = args(report.args.clone()).ok()?;
    let data = report.data.as_ref()?;
    let columns: Vec<String> = serde_json::from_value(data["columns"].clone()).ok()?;
    let rows: Vec<Vec<Value>> = serde_json::from_value(data["rows"].clone()).ok()?;
    let is_sample = view.database().is_some_and(|database| database.is_sample);
    let mut rest = Map::from_iter([("sql".to_owned(), json!(sql)), ("sample".to_owned(), json!(is_sample))]);
    let mut notes: Vec<String> = data["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let unknown = show.x.iter().chain(&show.y).find(|name| place(&columns, name).is_none());
    if let (Some(name), As::Line | As::Bar) = (unknown, show.r#as) {
        notes.push(format!("no chart: no column is called `{name}`"));
    }
    if !notes.is_empty() {
        rest.insert("note".to_owned(), json!(notes.join("; ")));
    }
    let kind = match (show.r#as, chart(&show, &columns, &rows)) {
        (As::None, _) => return None,
        (As::Line | As::Bar, Some(chart)) => {
            rest.extend(chart);
            DisplayKind::Chart
        }
        (As::Table, _) | (As::Line | As::Bar, None) => {
            rest.insert("columns".to_owned(), json!(columns));
            rest.insert("rows".to_owned(), json!(rows));
            DisplayKind::Table
        }
    };
    Some(Change::Show(vec![Control::Display(Display { kind, label: show.label, key: None, rest })]))
}

fn place(columns: &[String], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.eq_ignore_ascii_case(name))
}

/// The fields of a chart, where the rows have what it needs: the columns that it names, more than one row, and numbers.
fn chart(show: &Show, columns: &[String], rows: &[Vec<Value>]) -> Option<Map<String, Value>> {
    let x = show.x.as_ref().map_or(Some(0), |name| place(columns, name))?;
    let mut ys = show.y.iter().map(|name| place(columns, name)).collect::<Option<Vec<usize>>>()?;
    if ys.is_empty() {
        ys = (0..columns.len()).filter(|column| *column != x && rows.iter().any(|row| number(&row[*column]).is_some())).collect();
    }
    if rows.len() < 2 || ys.is_empty() {
        return None;
    }
    let labels: Vec<String> = rows.iter().map(|row| row[x].as_str().map_or_else(|| row[x].to_string(), str::to_owned)).collect();
    let series: Vec<Value> =
        ys.into_iter().map(|y| json!({"name": columns[y], "values": rows.iter().map(|row| number(&row[y])).collect::<Vec<_>>()})).collect();
    let kind = if show.r#as == As::Line { "line" } else { "bar" };
    Some(Map::from_iter([("kind".to_owned(), json!(kind)), ("x".to_owned(), json!(labels)), ("series".to_owned(), json!(series))]))
}

/// A number, also where a database writes it as text: decimals.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Packet;
    use crate::nodes::testing::Fixture;

    #[test]
    fn rows_are_shown_as_the_call_says_and_as_a_table_where_they_make_no_chart() {
        let (fixture, packet) = (Fixture::default(), Packet::default());
        let rows = json!([["2023", "10.5"], ["2024", "12.25"]]);
        for (show, rows, kind) in [
            (json!({"as": "table"}), rows.clone(), Some("table")),
            (json!({"as": "line", "x": "jahr", "y": ["summe"]}), rows.clone(), Some("chart")),
            (json!({"as": "bar"}), rows.clone(), Some("chart")),
            (json!({"as": "bar"}), json!([["2023", "10.5"]]), Some("table")),
            (json!({"as": "bar", "y": ["jahr"], "x": "summe"}), json!([["a", "x"], ["b", "y"]]), Some("chart")),
            (json!({"as": "bar", "x": "jahr", "y": ["umsatz"]}), rows.clone(), Some("table")),
            (json!({"as": "line", "x": "monat"}), rows.clone(), Some("table")),
            (json!({"as": "none"}), rows, None),
        ] {
            let args = json!({"sql": "SELECT 1", "show": show});
            let data = Some(json!({"columns": ["jahr", "summe"], "rows": rows, "is_cut": false}));
            let report = ToolReport { tool: "query".into(), args, ok: true, summary: String::new(), data };
            let shown = display(&fixture.view(&packet), &report).map(|change| serde_json::to_value(change).unwrap());
            assert_eq!(shown.as_ref().map(|change| change["Show"][0]["type"].as_str().unwrap()), kind, "{show}");
        }
    }
}
