//! Data in a prompt, cut where it is too much: long texts first, each to the same length and marked, then rows.

use crate::contract::{clip, shorten};
use serde::Serialize;
use serde_json::{Value, json};

/// Texts are cut no shorter; then rows are left out.
const TEXT_BYTES_MIN: usize = 200;

/// The JSON of a value, with at most `bytes_max` bytes and then a mark.
pub(super) fn fitting(value: &(impl Serialize + ?Sized), bytes_max: usize) -> String {
    let mut text = written(value);
    if text.len() <= bytes_max {
        return text;
    }
    let mut value = serde_json::to_value(value).expect("our own plain data is always JSON");
    let mut text_bytes_max = bytes_max / 2;
    while text.len() > bytes_max && text_bytes_max >= TEXT_BYTES_MIN {
        shorten_texts(&mut value, text_bytes_max);
        text_bytes_max /= 2;
        text = written(&value);
    }
    while text.len() > bytes_max && halve_rows(&mut value) {
        text = written(&value);
    }
    match text.len() {
        bytes if bytes > bytes_max => format!("{} [cut: the first {bytes_max} of {bytes} bytes]", clip(&text, bytes_max)),
        _ => text,
    }
}

fn written(value: &(impl Serialize + ?Sized)) -> String {
    serde_json::to_string(value).expect("our own plain data is always JSON")
}

fn shorten_texts(value: &mut Value, bytes_max: usize) {
    match value {
        Value::String(text) => drop(shorten(text, bytes_max)),
        Value::Array(items) => items.iter_mut().for_each(|item| shorten_texts(item, bytes_max)),
        Value::Object(fields) => fields.values_mut().for_each(|field| shorten_texts(field, bytes_max)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Leaves out half of the rows of every result, and says how many there were; `false` if there are none to leave out.
fn halve_rows(value: &mut Value) -> bool {
    match value {
        Value::Array(items) => halve_each(items.iter_mut()),
        Value::Object(fields) => {
            let count = fields.get("rows").and_then(Value::as_array).map_or(0, Vec::len);
            if count < 2 || !fields.contains_key("columns") {
                return halve_each(fields.values_mut());
            }
            fields.entry("rows_in_all").or_insert(json!(count));
            fields.insert("is_cut".to_owned(), json!(true));
            if let Some(Value::Array(rows)) = fields.get_mut("rows") {
                rows.truncate(count / 2);
            }
            true
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// All of them, not only the first that has rows.
fn halve_each<'a>(values: impl Iterator<Item = &'a mut Value>) -> bool {
    let mut is_halved = false;
    for value in values {
        is_halved |= halve_rows(value);
    }
    is_halved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_texts_then_rows_and_stays_json() {
        let result = |rows: Vec<Value>| json!([{"tool": "query", "data": {"columns": ["n", "body"], "rows": rows, "is_cut": false}}]);
        let long = result(vec![json!([1, "x".repeat(50_000)]), json!([2, "short"])]);
        let read: Value = serde_json::from_str(&fitting(&long, 10_000)).unwrap();
        let rows = &read[0]["data"]["rows"];
        assert!(rows[0][1].as_str().unwrap().ends_with(" of 50000 characters]") && rows[1] == json!([2, "short"]), "{rows}");
        assert_eq!(read[0]["data"]["is_cut"], false);

        let many = result((0..1_000).map(|n| json!([n, "twenty letters of it"])).collect());
        let text = fitting(&many, 10_000);
        let read: Value = serde_json::from_str(&text).unwrap();
        let data = &read[0]["data"];
        assert_eq!((data["rows"].as_array().unwrap().len(), &data["rows_in_all"], &data["is_cut"]), (250, &json!(1_000), &json!(true)));
        assert_eq!(fitting(&many, 1 << 20), many.to_string());
        let stubborn = fitting(&vec![1; 1_000], 100);
        assert!(stubborn.ends_with("… [cut: the first 100 of 2001 bytes]"), "{stubborn}");
    }
}
