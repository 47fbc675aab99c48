//! A model request as the JSON that providers take.

use crate::contract::{ChatMessage, ModelRequest, Role, Schema, Text, ToolCall, ToolSpec};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

/// Where providers differ in what they take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect {
    /// `max_completion_tokens` instead of `max_tokens`, as OpenAI's own models want it.
    pub completion_tokens: bool,
}

/// The body of `POST …/chat/completions`. `model` is what the provider calls it. Every answer is asked for as a stream,
/// whether or not people see it grow: only then is a model that works on told from one that hangs.
pub fn body(request: &ModelRequest, model: &str, dialect: Dialect) -> Vec<u8> {
    let longest = Some(request.tokens_max).filter(|tokens| *tokens > 0);
    let body = Body {
        model,
        messages: request.messages.iter().map(Message::from).collect(),
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        max_tokens: longest.filter(|_| !dialect.completion_tokens),
        max_completion_tokens: longest.filter(|_| dialect.completion_tokens),
        response_format: request.schema.as_deref().map(format),
        tools: request.tools.iter().map(tool).collect(),
    };
    serde_json::to_vec(&body).expect("a request holds only text, numbers and JSON that was parsed before")
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message<'a> {
    role: Role,
    /// Null where an assistant only called tools.
    #[serde(serialize_with = "joined")]
    content: Option<&'a Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

impl<'a> From<&'a ChatMessage> for Message<'a> {
    fn from(message: &'a ChatMessage) -> Self {
        let silent = message.text.0.is_empty() && !message.tool_calls.is_empty();
        Message {
            role: message.role,
            content: (!silent).then_some(&message.text),
            tool_calls: message.tool_calls.iter().map(tool_call).collect(),
            tool_call_id: message.tool_call_id.as_deref(),
        }
    }
}

fn joined<S: Serializer>(text: &Option<&Text>, to: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => to.collect_str(text),
        None => to.serialize_none(),
    }
}

fn tool_call(call: &ToolCall) -> Value {
    json!({"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": call.args.to_string()}})
}

fn tool(tool: &ToolSpec) -> Value {
    json!({"type": "function", "function": {
        "name": tool.name,
        "description": tool.description,
        "parameters": parsed(tool.parameters),
    }})
}

fn format(schema: &Schema) -> Value {
    let shape = parsed(&schema.json);
    json!({"type": "json_schema", "json_schema": {"name": schema.name, "strict": is_strict(&shape), "schema": shape}})
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).expect("schemas are parsed when a graph is loaded")
}

/// Whether a provider can take a schema in strict mode: every object is closed and needs all that it names.
fn is_strict(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => {
            let closed = match object.get("properties").and_then(Value::as_object) {
                Some(properties) => {
                    let needed = object.get("required").and_then(Value::as_array);
                    let needs = |name: &String| needed.is_some_and(|needed| needed.iter().any(|it| it == name));
                    object.get("additionalProperties") == Some(&Value::Bool(false)) && properties.keys().all(needs)
                }
                None => object.get("type") != Some(&Value::from("object")),
            };
            closed && object.values().all(is_strict)
        }
        Value::Array(items) => items.iter().all(is_strict),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Part;
    use std::sync::Arc;

    fn request() -> ModelRequest {
        let text = Text(vec![Part::Fixed("Say ".into()), Part::Slot("message", "\"hi\"".into())]);
        ModelRequest {
            role: "output".into(),
            model: "strong".into(),
            messages: vec![ChatMessage::new(Role::User, text)],
            schema: None,
            tools: Arc::default(),
            stream: false,
            tokens_max: 0,
        }
    }

    fn sent(request: &ModelRequest, dialect: Dialect) -> Value {
        serde_json::from_slice(&body(request, "m", dialect)).unwrap()
    }

    #[test]
    fn sends_only_what_the_request_asks_for() {
        let asked = json!({"model": "m", "messages": [{"role": "user", "content": "Say \"hi\""}], "stream": true, "stream_options": {"include_usage": true}});
        assert_eq!(sent(&request(), Dialect::default()), asked);
        let bounded = ModelRequest { tokens_max: 9, ..request() };
        for (dialect, field) in [(Dialect::default(), "max_tokens"), (Dialect { completion_tokens: true }, "max_completion_tokens")] {
            let mut asked = asked.clone();
            asked[field] = json!(9);
            assert_eq!(sent(&bounded, dialect), asked);
        }
    }

    #[test]
    fn tools_and_their_results_have_the_shape_of_functions() {
        let call = ToolCall { id: "c1".into(), tool: "recall".into(), args: json!({"query": "tea"}) };
        let mut asked = ChatMessage::new(Role::Assistant, Text::default());
        asked.tool_calls.push(call);
        let mut found = ChatMessage::new(Role::Tool, Text::slot("results", "[]"));
        found.tool_call_id = Some("c1".into());
        let tool = ToolSpec { name: "recall", description: "searches", parameters: r#"{"type":"object"}"# };
        let sent = sent(&ModelRequest { messages: vec![asked, found], tools: Arc::new([tool]), ..request() }, Dialect::default());
        assert_eq!(
            sent["messages"],
            json!([
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "recall", "arguments": "{\"query\":\"tea\"}"}}]},
                {"role": "tool", "content": "[]", "tool_call_id": "c1"},
            ])
        );
        assert_eq!(sent["tools"][0]["function"]["parameters"], json!({"type": "object"}));
    }

    #[test]
    fn a_schema_is_strict_only_if_every_object_is_closed_and_complete() {
        for (schema, strict) in [
            (json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false}), true),
            (json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}), false),
            (json!({"type": "object", "properties": {"a": {}}, "required": ["a"]}), false),
            (json!({"type": "object"}), false),
            (
                json!({"type": "object", "properties": {"a": {"type": "array", "items": {"type": "object"}}}, "required": ["a"], "additionalProperties": false}),
                false,
            ),
        ] {
            let schema = Arc::new(Schema { name: "s".into(), json: schema.to_string().into() });
            let format = &sent(&ModelRequest { schema: Some(schema), ..request() }, Dialect::default())["response_format"];
            assert_eq!(format["json_schema"]["strict"], json!(strict), "{format}");
        }
    }
}
