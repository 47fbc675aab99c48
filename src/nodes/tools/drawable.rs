//! What a display needs so that something is drawn, and what models write in its place.
//!
//! A display with a `key` may leave out what it shows first: the state has it, or will. Sentences begin with the field that is
//! wrong, and say what belongs there.

use crate::contract::{Display, DisplayKind};
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

/// A display that can be drawn.
///
/// # Errors
/// Says what is missing or wrong, for the model that wrote it.
pub(super) fn drawable(mut display: Display) -> Result<Display, String> {
    let (fields, is_bound) = (&mut display.rest, display.key.is_some());
    match display.kind {
        DisplayKind::Text => text(fields, is_bound)?,
        DisplayKind::Value => value(fields, is_bound)?,
        DisplayKind::Progress => progress(fields, is_bound)?,
        DisplayKind::Table => table(fields, is_bound)?,
        DisplayKind::Chart => chart(fields, is_bound)?,
    }
    Ok(display)
}

fn text(fields: &mut Fields, is_bound: bool) -> Result<(), String> {
    meant(fields, "text", &["value", "content"]);
    match fields.get("text") {
        None if is_bound => Ok(()),
        None => Err("`text` is missing: a text display shows it".to_owned()),
        Some(Value::String(text)) if text.trim().is_empty() => Err("`text` is empty: write what is to be read".to_owned()),
        Some(text) => scalar("text", text),
    }
}

fn value(fields: &mut Fields, is_bound: bool) -> Result<(), String> {
    match fields.get("value") {
        None if is_bound => Ok(()),
        None => Err("`value` is missing: write the number or text to show, or a `key` of the state that holds it".to_owned()),
        Some(value) => scalar("value", value),
    }
}

fn progress(fields: &mut Fields, is_bound: bool) -> Result<(), String> {
    let max = match fields.get("max") {
        None => None,
        Some(max) => Some(number(max).filter(|max| *max > 0.0).ok_or_else(|| format!("`max` is {max}: write a number above 0"))?),
    };
    match (fields.get("value"), max) {
        (None, _) if is_bound => Ok(()),
        (None, _) => Err("`value` is missing: write how much is done, and `max` for the whole".to_owned()),
        (Some(value), max) => match number(value) {
            None => Err(format!("`value` is {value}: write a number, how much of `max` is done")),
            Some(done) if max.is_none() && done > 1.0 => Err(format!("`max` is missing: {value} of how much?")),
            Some(_) => Ok(()),
        },
    }
}

fn table(fields: &mut Fields, is_bound: bool) -> Result<(), String> {
    let columns = match fields.get("columns") {
        None => None,
        Some(Value::Array(names)) if !names.is_empty() && names.iter().all(Value::is_string) => Some(names.clone()),
        Some(_) => return Err("`columns` is not a list of names: write one text for each column".to_owned()),
    };
    let Some(rows) = fields.get_mut("rows") else {
        return if is_bound {
            Ok(())
        } else {
            Err("`rows` is missing: write a list of rows, each a list with a cell for each column".to_owned())
        };
    };
    let columns = columns.ok_or("`columns` is missing: name each column of the rows")?;
    let rows = rows.as_array_mut().ok_or("`rows` is not a list: write a list of rows, each a list with a cell for each column")?;
    for (place, row) in rows.iter_mut().enumerate() {
        if let Value::Object(cells) = row {
            let unknown = cells.keys().find(|name| !columns.iter().any(|column| column == *name));
            if let Some(name) = unknown {
                return Err(format!("`rows[{place}]` has a cell `{name}`, which is not one of `columns`"));
            }
            let cell = |column: &Value| column.as_str().and_then(|name| cells.get(name)).cloned().unwrap_or_default();
            *row = columns.iter().map(cell).collect();
        }
        match row.as_array().map(Vec::len) {
            Some(cells) if cells == columns.len() => {}
            Some(cells) => return Err(format!("`rows[{place}]` has {cells} cells, but there are {} `columns`", columns.len())),
            None => return Err(format!("`rows[{place}]` is not a list: write a cell for each column")),
        }
    }
    Ok(())
}

fn chart(fields: &mut Fields, is_bound: bool) -> Result<(), String> {
    meant(fields, "x", &["labels", "categories"]);
    match fields.get("kind") {
        None => {}
        Some(Value::String(kind)) if ["line", "bar"].contains(&kind.as_str()) => {}
        Some(kind) => return Err(format!("`kind` is {kind}: charts are `line` or `bar`; for shares use `bar`")),
    }
    let labels = match fields.get("x") {
        None => None,
        Some(Value::Array(labels)) => Some(labels.len()),
        Some(_) => return Err("`x` is not a list: write one label for each value of a series".to_owned()),
    };
    let Some(series) = fields.get_mut("series") else {
        let why = "`series` is missing: write [{\"name\", \"values\"}], with a number in `values` for each label of `x`";
        return if is_bound { Ok(()) } else { Err(why.to_owned()) };
    };
    let series = series.as_array_mut().filter(|series| !series.is_empty());
    let series = series.ok_or("`series` is not a list: write [{\"name\", \"values\"}], one for each line or kind of bar")?;
    let mut has_number = false;
    for (place, one) in series.iter_mut().enumerate() {
        let one = one.as_object_mut().ok_or_else(|| format!("`series[{place}]` is not an object: write {{\"name\", \"values\"}}"))?;
        meant(one, "values", &["data", "y"]);
        let values = one.get("values").and_then(Value::as_array).filter(|values| !values.is_empty());
        let values =
            values.ok_or_else(|| format!("`series[{place}].values` is missing: write a list with a number for each label of `x`"))?;
        if let Some(odd) = values.iter().find(|value| !value.is_null() && number(value).is_none()) {
            return Err(format!(
                "`series[{place}].values` holds {odd}: write numbers, or null where one is missing; labels belong into `x`"
            ));
        }
        if let Some(labels) = labels.filter(|labels| *labels != values.len()) {
            return Err(format!("`series[{place}].values` has {} values, but `x` has {labels} labels", values.len()));
        }
        has_number |= values.iter().any(|value| number(value).is_some());
    }
    if has_number { Ok(()) } else { Err("`series` has no number: there is nothing to draw".to_owned()) }
}

/// Takes what models write where a field is meant.
fn meant(fields: &mut Fields, name: &str, others: &[&str]) {
    if !fields.contains_key(name)
        && let Some(value) = others.iter().find_map(|other| fields.remove(*other))
    {
        fields.insert(name.to_owned(), value);
    }
}

fn scalar(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => Ok(()),
        Value::Null => Err(format!("`{name}` is null: leave the display out where there is nothing to show")),
        Value::Array(_) | Value::Object(_) => Err(format!("`{name}` holds more than one thing: show a table or a chart instead")),
    }
}

/// Also where a number is written as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::super::shapes::{ContentArg, display};
    use serde_json::{Value, json};

    fn read(item: Value) -> Result<Value, String> {
        crate::reading::fit::<ContentArg>(item).map(|arg| serde_json::to_value(display(arg)).unwrap()).map_err(|wrong| wrong.to_string())
    }

    #[test]
    fn a_display_that_would_draw_nothing_is_refused_with_what_belongs_there() {
        for (item, says) in [
            (json!({"type": "pie", "label": "x"}), "`type` is the text \"pie\", but one of `text`, `value`, `table`, `chart`, `progress`"),
            (json!({"type": "text"}), "`text` is missing"),
            (json!({"type": "text", "text": " "}), "`text` is empty"),
            (json!({"type": "value", "label": "Sum"}), "`value` is missing"),
            (json!({"type": "value", "value": null}), "`value` is null"),
            (json!({"type": "value", "value": {"a": 1}}), "`value` holds more than one thing"),
            (json!({"type": "progress"}), "`value` is missing"),
            (json!({"type": "progress", "value": 24}), "`max` is missing: 24 of how much?"),
            (json!({"type": "progress", "value": 1, "max": 0}), "`max` is 0"),
            (json!({"type": "progress", "value": "half", "max": 2}), "`value` is \"half\""),
            (json!({"type": "table", "columns": ["a"]}), "`rows` is missing"),
            (json!({"type": "table", "rows": [[1]]}), "`columns` is missing"),
            (json!({"type": "table", "columns": ["a"], "rows": 1}), "`rows` is not a list"),
            (json!({"type": "table", "columns": ["a", "b"], "rows": [[1, 2], [1]]}), "`rows[1]` has 1 cells, but there are 2"),
            (json!({"type": "table", "columns": ["a"], "rows": [{"b": 1}]}), "`rows[0]` has a cell `b`"),
            (
                json!({"type": "chart", "kind": "pie", "x": ["a"], "series": [{"values": [1]}]}),
                "`kind` is \"pie\": charts are `line` or `bar`",
            ),
            (json!({"type": "chart", "x": ["a"]}), "`series` is missing"),
            (json!({"type": "chart", "x": ["a"], "series": [{"name": "n"}]}), "`series[0].values` is missing"),
            (json!({"type": "chart", "x": ["a"], "series": [{"values": [{"x": "a", "y": 1}]}]}), "`series[0].values` holds {"),
            (json!({"type": "chart", "x": ["a", "b"], "series": [{"values": [1]}]}), "`series[0].values` has 1 values, but `x` has 2"),
            (json!({"type": "chart", "series": [{"values": [null]}]}), "`series` has no number"),
        ] {
            let error = read(item.clone()).expect_err(&item.to_string());
            assert!(error.starts_with(says), "{item}: {error}");
        }
    }

    #[test]
    fn what_is_meant_is_taken_and_what_is_bound_may_wait_for_its_state() {
        let chart = json!({"type": "chart", "x": ["a", "b"], "series": [{"name": "n", "values": [1, "2.5"]}]});
        for (item, shown) in [
            (json!({"type": "chart", "labels": ["a", "b"], "series": [{"name": "n", "data": [1, "2.5"]}]}), chart),
            (json!({"type": "text", "value": "hi"}), json!({"type": "text", "text": "hi"})),
            (
                json!({"type": "table", "columns": ["a", "b"], "rows": [{"b": 2, "a": 1}, {"a": 3}]}),
                json!({"type": "table", "columns": ["a", "b"], "rows": [[1, 2], [3, null]]}),
            ),
            (json!({"type": "progress", "value": 0.5}), json!({"type": "progress", "value": 0.5})),
        ] {
            assert_eq!(read(item.clone()), Ok(shown), "{item}");
        }
        for kind in ["text", "value", "progress", "table", "chart"] {
            let bound = json!({"type": kind, "key": "k"});
            assert_eq!(read(bound.clone()), Ok(bound), "{kind}");
        }
    }
}
