//! `query`: one reading SQL statement on the node's database; returns data, and shows its rows.
//!
//! The statement goes through the gate before it goes out. Its tables are described first where the session does not know
//! them yet. `show` says how the user sees the rows: as a table, a line chart, a bar chart, or not at all.

use super::{Act, Tool, args};
use crate::contract::{Change, Control, DatabaseAsk, Display, DisplayKind};
use crate::nodes::slots::language;
use crate::nodes::{ToolReport, View};
use crate::reading::{self, OrText};
use crate::sql;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "query",
    description: "runs one SELECT on the database. Returns data. The user sees its rows as `show` says: as `table` (the default), as a `line` or `bar` chart of the columns `y` over the column `x`, or `none`.",
    parameters: r#"{"type":"object","properties":{"sql":{"type":"string"},"show":{"type":"object","properties":{"as":{"enum":["table","line","bar","none"]},"label":{"type":"string"},"x":{"type":"string"},"y":{"type":"array","items":{"type":"string"}}},"required":["as"]}},"required":["sql"]}"#,
    fits: |value| read(value.clone()).map(drop),
    act: Act::Ask { ask, display: Some(display) },
};

#[derive(Deserialize)]
struct Args {
    sql: String,
    #[serde(default = "as_table")]
    show: OrText<Show>,
}

/// `as` alone, or with what a chart needs.
#[derive(Deserialize)]
struct Show {
    r#as: As,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Vec<String>,
}

fn as_table() -> OrText<Show> {
    OrText::Whole(Show::of(As::Table))
}

impl Show {
    fn of(r#as: As) -> Show {
        Show { r#as, label: None, x: None, y: Vec::new() }
    }

    fn read(show: OrText<Show>) -> Result<Show, String> {
        match show {
            OrText::Whole(show) => Ok(show),
            OrText::Text(text) => match reading::fit(json!({"as": text})) {
                Ok(show) => Ok(show),
                Err(wrong) => Err(format!("the arguments don't fit: in `show` {wrong}")),
            },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum As {
    Table,
    Line,
    Bar,
    None,
}

fn read(value: Value) -> Result<(String, Show), String> {
    let Args { sql, show } = args(value)?;
    Ok((sql, Show::read(show)?))
}

fn ask(view: &View<'_>, value: &Value) -> Result<(DatabaseAsk, Vec<String>), String> {
    let (sql, _) = read(value.clone())?;
    // Of a database that no setting names, the answer says so.
    let Some(database) = view.database() else { return Ok((DatabaseAsk::Query { sql }, Vec::new())) };
    let reading = sql::check(&sql, database.dialect, &database.schemas()).map_err(|denied| format!("not allowed: {denied}"))?;
    Ok((DatabaseAsk::Query { sql }, reading.tables))
}

/// The rows as the user sees them, with the statement for whoever wants to look behind it.
pub(super) fn display(view: &View<'_>, report: &ToolReport) -> Option<Change> {
    let (sql, show) = read(report.args.clone()).ok()?;
    let data = report.data.as_ref()?;
    let columns: Vec<String> = serde_json::from_value(data["columns"].clone()).ok()?;
    let rows: Vec<Vec<Value>> = serde_json::from_value(data["rows"].clone()).ok()?;
    let is_sample = view.database().is_some_and(|database| database.is_sample);
    let mut rest = Map::from_iter([("sql".to_owned(), json!(sql)), ("sample".to_owned(), json!(is_sample))]);
    rest.insert("language".to_owned(), json!(language(view)));
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
            rest.extend(data.get("decimals").map(|places| ("decimals".to_owned(), places.clone())));
            DisplayKind::Table
        }
    };
    Some(Change::Show(vec![Control::Display(Display { kind, label: show.label, key: None, rest })]))
}

fn place(columns: &[String], name: &str) -> Option<usize> {
    columns.iter().position(|column| column.eq_ignore_ascii_case(name))
}

/// The fields of a chart, where the rows have what it needs: the columns that it names, more than one row, and numbers. Its
/// values are those of the rows, so that what is missing or isn't a number can be seen as such.
fn chart(show: &Show, columns: &[String], rows: &[Vec<Value>]) -> Option<Map<String, Value>> {
    let x = show.x.as_ref().map_or(Some(0), |name| place(columns, name))?;
    let mut ys = show.y.iter().map(|name| place(columns, name)).collect::<Option<Vec<usize>>>()?;
    if ys.is_empty() {
        ys = (0..columns.len()).filter(|column| *column != x && rows.iter().any(|row| is_number(&row[*column]))).collect();
    }
    if rows.len() < 2 || ys.is_empty() {
        return None;
    }
    let of = |column: usize| rows.iter().map(|row| &row[column]).collect::<Vec<_>>();
    let series: Vec<Value> = ys.into_iter().map(|y| json!({"name": columns[y], "values": of(y)})).collect();
    let kind = if show.r#as == As::Line { "line" } else { "bar" };
    Some(Map::from_iter([("kind".to_owned(), json!(kind)), ("x".to_owned(), json!(of(x))), ("series".to_owned(), json!(series))]))
}

/// Also where a database writes a number as text: decimals.
fn is_number(value: &Value) -> bool {
    value.is_number() || value.as_str().is_some_and(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
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

    #[test]
    fn how_rows_are_shown_is_said_in_one_of_the_known_ways_or_not_at_all() {
        for (show, says) in [
            (json!("pie"), Some("in `show` `as` is the text \"pie\", but one of `table`, `line`, `bar`, `none` is wanted")),
            (json!({"as": "pie"}), Some("`show.as` is the text \"pie\", but one of")),
            (json!({"kind": "bar"}), Some("`show.as` is missing")),
            (json!("bar"), None),
            (json!({"as": "line", "y": "n"}), None),
            (Value::Null, None),
        ] {
            let error = (TOOL.fits)(&json!({"sql": "SELECT 1", "show": show})).err();
            assert_eq!(error.is_some(), says.is_some(), "{show}: {error:?}");
            assert!(error.iter().zip(says).all(|(error, says)| error.contains(says)), "{error:?}");
        }
    }

    #[test]
    fn a_chart_has_the_values_of_its_rows_as_they_came() {
        let (fixture, packet) = (Fixture::default(), Packet::default());
        let args = json!({"sql": "SELECT 1", "show": {"as": "line", "x": "jahr", "y": ["summe"]}});
        let rows = json!([[2023, "1234.50"], [null, null], [2025, "1,234.50"], [2026, "9007199254740993"]]);
        let data = Some(json!({"columns": ["jahr", "summe"], "rows": rows, "is_cut": false}));
        let report = ToolReport { tool: "query".into(), args, ok: true, summary: String::new(), data };
        let shown = serde_json::to_value(display(&fixture.view(&packet), &report)).unwrap()["Show"][0].clone();
        assert_eq!(shown["x"], json!([2023, null, 2025, 2026]));
        assert_eq!(shown["series"], json!([{"name": "summe", "values": ["1234.50", null, "1,234.50", "9007199254740993"]}]));
        assert_eq!(shown["language"], fixture.view(&packet).memory.language);
        let data = Some(json!({"columns": ["summe"], "rows": [["1.50"]], "is_cut": false, "decimals": [0]}));
        let table = ToolReport { args: json!({"sql": "SELECT 1"}), data, ..report };
        let shown = serde_json::to_value(display(&fixture.view(&packet), &table)).unwrap()["Show"][0].clone();
        assert_eq!((&shown["rows"], &shown["decimals"]), (&json!([["1.50"]]), &json!([0])));
    }
}
