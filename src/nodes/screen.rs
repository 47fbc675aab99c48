//! What is on the screen, as prompts tell it: each thing once, and of long ones the beginning.

use super::View;
use super::slots::json;
use crate::contract::{Control, Machine, shorten};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows of a table, labels and values of a chart.
const ROWS_MAX: usize = 10;
const SQL_BYTES_MAX: usize = 600;
const SAME: &str = "the same as under `controls`";

#[derive(Serialize)]
struct Screen<'a> {
    /// Of the last answer: those of machines stand with their states.
    controls: Vec<Value>,
    machines: &'a [Machine],
    state: &'a BTreeMap<String, Value>,
}

/// What the session shows; empty where it shows nothing.
pub(super) fn controls(view: &View<'_>) -> String {
    let ui = view.ui;
    if ui.thinker.is_empty() && ui.machines.is_empty() && ui.state.is_empty() {
        return String::new();
    }
    let controls = ui.controls().iter().take(ui.thinker.len()).map(|control| short(&shown(control))).collect();
    json(&Screen { controls, machines: &ui.machines, state: &ui.state })
}

/// What the user's own page tells of the screen; in a few words where that is what the session shows.
pub(super) fn dashboard(view: &View<'_>) -> String {
    let ui = view.ui;
    // A page tells of a display that is bound to the state with the value that it has there.
    let bound = |control: &Control| match control {
        Control::Display(display) => match display.key.as_ref().and_then(|key| ui.state.get(key)) {
            Some(value) => with(shown(control), "value", value.clone()),
            None => shown(control),
        },
        Control::Button(_) | Control::Approval(_) => shown(control),
    };
    let controls = ui.controls();
    let is_known = controls.len() == view.dashboard.len()
        && controls.iter().zip(view.dashboard).all(|(control, seen)| *seen == shown(control) || *seen == bound(control));
    if is_known && !controls.is_empty() { SAME.to_owned() } else { json(&view.dashboard.iter().map(short).collect::<Vec<_>>()) }
}

fn shown(control: &Control) -> Value {
    serde_json::to_value(control).expect("our own plain data is always JSON")
}

fn with(mut control: Value, name: &str, value: Value) -> Value {
    control[name] = value;
    control
}

/// A control with the beginning of its rows, values and SQL. What is cut says how much there is.
fn short(control: &Value) -> Value {
    let mut control = control.clone();
    if let Some(fields) = control.as_object_mut() {
        for field in ["language", "decimals", "sample", "source"] {
            fields.remove(field);
        }
        let mut cut = |name: &str, note: &str| {
            if let Some(Value::Array(items)) = fields.get_mut(name)
                && items.len() > ROWS_MAX
            {
                let count = items.len();
                items.truncate(ROWS_MAX);
                fields.insert(note.to_owned(), json!(count));
            }
        };
        cut("rows", "rows_in_all");
        cut("x", "labels_in_all");
        for one in fields.get_mut("series").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(Value::Array(values)) = one.get_mut("values") {
                values.truncate(ROWS_MAX);
            }
        }
        if let Some(Value::String(sql)) = fields.get_mut("sql") {
            shorten(sql, SQL_BYTES_MAX);
        }
    }
    control
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Change, Limits};
    use crate::nodes::Packet;
    use crate::nodes::testing::Fixture;

    /// A session that shows this.
    fn showing(display: Value) -> Fixture {
        let mut fixture = Fixture::default();
        fixture.ui.apply(Change::Show(vec![serde_json::from_value(display).unwrap()]), &Limits::default()).unwrap();
        fixture
    }

    #[test]
    fn the_rows_and_the_sql_of_an_answer_are_told_once_and_short() {
        let rows: Vec<Value> = (0..500).map(|row| json!([row])).collect();
        let sql = format!("SELECT {}", "n, ".repeat(1_000));
        let mut fixture = showing(json!({"type": "table", "label": "N", "columns": ["n"], "rows": rows, "sql": sql, "language": "de"}));
        let packet = Packet::default();
        let told = controls(&fixture.view(&packet));
        let read: Value = serde_json::from_str(&told).unwrap();
        let table = &read["controls"][0];
        assert_eq!((table["rows"].as_array().unwrap().len(), &table["rows_in_all"]), (10, &json!(500)));
        assert!(table["sql"].as_str().unwrap().len() < 700 && told.len() < 1_200, "{told}");
        let seen = [serde_json::to_value(&fixture.ui.controls()[0]).unwrap()];
        let view = View { dashboard: &seen, ..fixture.view(&packet) };
        assert_eq!(dashboard(&view), SAME, "the page shows what the session shows");
        let other = [json!({"type": "table", "columns": ["n"], "rows": rows})];
        let told = dashboard(&View { dashboard: &other, ..fixture.view(&packet) });
        assert!(told.contains(r#""rows_in_all":500"#) && told.len() < 300, "{told}");
        fixture.ui = crate::contract::Ui::default();
        let view = fixture.view(&packet);
        assert_eq!((controls(&view).as_str(), dashboard(&view).as_str()), ("", "[]"));
    }

    #[test]
    fn a_display_that_is_bound_is_told_with_its_value_and_known_from_the_page_in_either_form() {
        let mut fixture = showing(json!({"type": "text", "key": "k"}));
        fixture.ui.state.insert("k".to_owned(), json!("hi"));
        let packet = Packet::default();
        assert!(controls(&fixture.view(&packet)).contains(r#""text":"hi""#));
        let bound = json!({"type": "text", "key": "k", "text": "hi"});
        for seen in [bound.clone(), with(bound, "value", json!("hi"))] {
            let seen = [seen];
            assert_eq!(dashboard(&View { dashboard: &seen, ..fixture.view(&packet) }), SAME);
        }
    }
}
