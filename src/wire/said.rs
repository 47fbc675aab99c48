//! What clients send, read into inputs; what can't be taken is told so in a sentence.

use crate::contract::{CallId, Caller, Input, Source};
use serde_json::{Map, Value};

/// What a client sent, where it can't be taken: the sentence that says what to do.
pub type Wrong = &'static str;

/// Reads a JSON object.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Wrong> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err("this is JSON but no object: send one in `{…}`"),
        Err(_) => Err("this is not JSON: send one object in `{…}`"),
    }
}

/// Reads what a client says on the chat socket.
pub fn said(text: &str, from: Caller) -> Result<Input, Wrong> {
    let mut object = object(text.as_bytes())?;
    match object.get("type") {
        None => message(object, from),
        Some(Value::String(kind)) => match kind.as_str() {
            "message" => message(object, from),
            "action" => action(&mut object, from),
            "cancel_process" => match object.get("pid").and_then(Value::as_u64) {
                Some(pid) => Ok(Input::Cancel { call: CallId(pid) }),
                None => Err("`pid` is missing: give the number of a running call"),
            },
            "stop" => Ok(Input::Stop),
            _ => Err("this `type` is unknown: send `message`, `action`, `cancel_process` or `stop`"),
        },
        Some(_) => Err("`type` must be a string: `message`, `action`, `cancel_process` or `stop`"),
    }
}

/// Reads a message: its text, and what the user sees while they send it.
pub fn message(mut object: Map<String, Value>, from: Caller) -> Result<Input, Wrong> {
    let text = match object.remove("text") {
        Some(Value::String(text)) if !text.trim().is_empty() => text,
        Some(Value::String(_)) => return Err("the message is empty: send some text"),
        Some(_) => return Err("`text` must be a string"),
        None => return Err("`text` is missing: send the message's text"),
    };
    let dashboard = match object.remove("dashboard") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(controls)) => controls,
        Some(_) => return Err("`dashboard` must be a list of controls"),
    };
    Ok(Input::Message { text, dashboard, from })
}

fn action(object: &mut Map<String, Value>, from: Caller) -> Result<Input, Wrong> {
    let action = match object.remove("action") {
        Some(Value::String(action)) if !action.is_empty() => action,
        _ => return Err("`action` is missing: name the control's action"),
    };
    let source = match object.remove("source") {
        None | Some(Value::Null) => None,
        Some(Value::String(source)) => Some(Source::try_from(source)?),
        Some(_) => return Err("`source` must be a string: `thinker` or `machine:<id>`"),
    };
    Ok(Input::Action { action, data: object.remove("data").unwrap_or(Value::Null), source, from })
}

/// Reads a switch to another graph.
pub fn switch(mut object: Map<String, Value>, from: Caller) -> Result<Input, Wrong> {
    let graph = match object.remove("name") {
        Some(Value::String(graph)) => graph,
        _ => return Err("`name` is missing: name the graph to switch to"),
    };
    let keep = match object.remove("keep") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(keep)) => keep,
        Some(_) => return Err("`keep` must be true or false"),
    };
    Ok(Input::Switch { graph, keep, from })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_client_is_understood_or_told_what_is_wrong() {
        let from = Caller::default;
        let message = |text: &str, dashboard| Ok(Input::Message { text: text.to_owned(), dashboard, from: from() });
        let action = |data, source| Ok(Input::Action { action: "a".to_owned(), data, source, from: from() });
        for (text, understood) in [
            (r#"{"text":"hi"}"#, message("hi", vec![])),
            (r#"{"type":"message","text":" hi ","dashboard":[1]}"#, message(" hi ", vec![json!(1)])),
            (r#"{"type":"action","action":"a"}"#, action(Value::Null, None)),
            (
                r#"{"type":"action","action":"a","data":{"b":1},"source":"machine:m"}"#,
                action(json!({"b":1}), Some(Source::Machine("m".into()))),
            ),
            (r#"{"type":"cancel_process","pid":3}"#, Ok(Input::Cancel { call: CallId(3) })),
            (r#"{"type":"stop"}"#, Ok(Input::Stop)),
            ("hello", Err("this is not JSON: send one object in `{…}`")),
            ("[]", Err("this is JSON but no object: send one in `{…}`")),
            (r#"{"text":" \n"}"#, Err("the message is empty: send some text")),
            (r#"{"text":1}"#, Err("`text` must be a string")),
            ("{}", Err("`text` is missing: send the message's text")),
            (r#"{"text":"a","dashboard":{}}"#, Err("`dashboard` must be a list of controls")),
            (r#"{"type":"dance"}"#, Err("this `type` is unknown: send `message`, `action`, `cancel_process` or `stop`")),
            (r#"{"type":1}"#, Err("`type` must be a string: `message`, `action`, `cancel_process` or `stop`")),
            (r#"{"type":"action"}"#, Err("`action` is missing: name the control's action")),
            (r#"{"type":"action","action":"a","source":"machines:m"}"#, Err("`source` must be `thinker` or `machine:<id>`")),
            (r#"{"type":"action","action":"a","source":1}"#, Err("`source` must be a string: `thinker` or `machine:<id>`")),
            (r#"{"type":"cancel_process","pid":-1}"#, Err("`pid` is missing: give the number of a running call")),
        ] {
            assert_eq!(said(text, from()), understood, "{text}");
        }
    }
}
