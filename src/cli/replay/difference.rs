//! The first field in which two kept turns differ, in the order in which a turn goes: its message, its calls, its trace.

use serde_json::Value;
use std::collections::BTreeSet;

#[derive(Debug, PartialEq)]
pub(super) struct Field {
    /// Where a call or a frame differs; 0 behind the turn.
    pub(super) frame: Option<u64>,
    pub(super) node: Option<String>,
    /// Such as `calls[0].came.Whole.text`.
    pub(super) path: String,
    /// The call whose answer differs.
    pub(super) answer_of: Option<u64>,
    /// JSON; none where the field is not there.
    pub(super) recorded: Option<String>,
    pub(super) replayed: Option<String>,
}

/// Compares the JSON of two `TurnDetail`s.
pub(super) fn first(recorded: &Value, replayed: &Value) -> Option<Field> {
    let calls = [recorded, replayed].map(|turn| turn["calls"].as_array().map_or(0, Vec::len));
    let mut places = vec!["/trace/message".to_owned(), "/action".to_owned()];
    for call in 0..calls[0].max(calls[1]) {
        places.extend([format!("/calls/{call}/request"), format!("/calls/{call}")]);
    }
    places.push(String::new());
    let (path, recorded_value, replayed_value) =
        places.iter().find_map(|place| within(place, recorded.pointer(place), replayed.pointer(place)))?;
    let of = |field: &str| both(recorded, replayed, &path, field);
    Some(Field {
        frame: of("frame").and_then(|frame| frame.as_u64()),
        node: of("node").or_else(|| of("nodes")).map(|node| names(&node)),
        answer_of: of("pid").and_then(|pid| pid.as_u64()).filter(|_| path.split('/').nth(3) == Some("came")),
        path: spelled(&path),
        recorded: recorded_value.map(|value| value.to_string()),
        replayed: replayed_value.map(|value| value.to_string()),
    })
}

type Found = (String, Option<Value>, Option<Value>);

/// The first difference of two values, as a JSON pointer.
fn within(path: &str, one: Option<&Value>, other: Option<&Value>) -> Option<Found> {
    match (one, other) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            keys.into_iter().find_map(|key| within(&format!("{path}/{}", escaped(key)), one.get(key), other.get(key)))
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            (0..one.len().max(other.len())).find_map(|place| within(&format!("{path}/{place}"), one.get(place), other.get(place)))
        }
        _ if one == other => None,
        _ => Some((path.to_owned(), one.cloned(), other.cloned())),
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A field of the call or frame that a pointer leads into.
fn both(recorded: &Value, replayed: &Value, path: &str, field: &str) -> Option<Value> {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let holder = match parts.as_slice() {
        ["calls", place, ..] => format!("/calls/{place}/{field}"),
        ["trace", "frames", place, ..] => format!("/trace/frames/{place}/{field}"),
        _ => return None,
    };
    [recorded, replayed].iter().find_map(|turn| turn.pointer(&holder).cloned())
}

fn names(node: &Value) -> String {
    match node {
        Value::Array(nodes) => nodes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("+"),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// A JSON pointer as programs write it: `calls[0].came`.
fn spelled(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        match part.parse::<usize>() {
            Ok(place) => path.push_str(&format!("[{place}]")),
            Err(_) if path.is_empty() => path.push_str(&part),
            Err(_) => path.push_str(&format!(".{part}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_the_first_field_in_the_order_of_the_turn() {
        let turn = |message: &str, asked: &str, came: &str, route: &str| {
            json!({
                "trace": { "message": message, "frames": [{ "frame": 2, "nodes": ["output", "ui"], "route": route }], "total_ms": 1.5 },
                "action": null,
                "calls": [{ "pid": 7, "frame": 1, "node": "input", "request": { "Model": { "tokens_max": asked } }, "came": { "Text": came } }],
            })
        };
        let kept = turn("hi", "a", "b", "c");
        let found = |other: &Value| {
            first(&kept, other).map(|field| {
                let Field { frame, node, answer_of, path, recorded, replayed } = field;
                let place = format!("{frame:?} {answer_of:?}");
                format!("{place} {} {path} {} {}", node.unwrap_or_default(), recorded.unwrap_or_default(), replayed.unwrap_or_default())
            })
        };
        for (other, says) in [
            (turn("ho", "x", "x", "x"), r#"None None  trace.message "hi" "ho""#),
            (turn("hi", "x", "x", "x"), r#"Some(1) None input calls[0].request.Model.tokens_max "a" "x""#),
            (turn("hi", "a", "x", "x"), r#"Some(1) Some(7) input calls[0].came.Text "b" "x""#),
            (turn("hi", "a", "b", "x"), r#"Some(2) None output+ui trace.frames[0].route "c" "x""#),
        ] {
            assert_eq!(found(&other).as_deref(), Some(says));
        }
        assert_eq!(found(&kept), None);
        let mut fewer = kept.clone();
        fewer["calls"] = json!([]);
        let field = first(&kept, &fewer).unwrap();
        assert_eq!((field.path.as_str(), field.replayed), ("calls[0].request", None));
    }
}
