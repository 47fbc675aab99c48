//! A model request as the JSON that providers take.

use super::dialect::{Dialect, Format, Longest};
use super::tags::Kinds;
use crate::contract::{Answer, ChatMessage, Finish, ModelRequest, Part, Role, Schema, Text, ToolCall};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::fmt;

/// The tags between which models think and of which a question speaks.
pub fn named_tags(request: &ModelRequest) -> Kinds {
    let parts = request.messages.iter().flat_map(|message| &message.text.0);
    parts.fold(Kinds::NONE, |kinds, part| if let Part::Slot(_, text) = part { kinds.and(Kinds::named_in(text)) } else { kinds })
}

/// The body of `POST …/chat/completions`. `model` is what the provider calls it. Every answer is asked for as a stream,
/// whether or not people see it grow: only then is a model that works on told from one that hangs.
pub fn body(request: &ModelRequest, model: &str, dialect: Dialect) -> Vec<u8> {
    let longest = |name: Longest| dialect.limit(request.tokens_max).filter(|_| dialect.longest == name);
    let shape = request.schema.as_deref().map(|schema| (schema, format(request, dialect)));
    let mut messages: Vec<Message<'_>> = request.messages.iter().map(Message::from).collect();
    let mut tools: Vec<Tool<'_>> = request.tools.iter().map(|tool| function(&tool.name, &tool.description, &tool.parameters)).collect();
    let (mut response_format, mut tool_choice) = (None, None);
    match shape {
        None => {}
        Some((schema, Format::Schema)) => response_format = Some(json_schema(schema, dialect.strict)),
        Some((schema, Format::Object)) => {
            response_format = Some(ResponseFormat { kind: "json_object", json_schema: None });
            let last = messages.iter_mut().rev().find(|message| message.role == Role::User);
            if let Some(Content { more, .. }) = last.and_then(|message| message.content.as_mut()) {
                *more = format!("\n\nAnswer with nothing but one JSON object that fits this JSON Schema:\n{}", schema.json);
            }
        }
        Some((schema, Format::Tool)) => {
            let says = "Gives the answer. Call it once.";
            tools.push(function(&schema.name, says, &schema.json));
            tool_choice = Some(json!({"type": "function", "function": {"name": schema.name}}));
        }
    }
    let body = Body {
        model,
        messages,
        stream: true,
        stream_options: dialect.usage.then_some(StreamOptions { include_usage: true }),
        max_tokens: longest(Longest::MaxTokens),
        max_completion_tokens: longest(Longest::MaxCompletionTokens),
        response_format,
        tools,
        tool_choice,
        provider: (dialect.require_parameters && shape.is_some()).then(|| json!({"require_parameters": true})),
    };
    serde_json::to_vec(&body).expect("a request holds only text, numbers and JSON that was parsed before")
}

/// How the shape of an answer is asked for. Where tools may be called, none can be forced.
fn format(request: &ModelRequest, dialect: Dialect) -> Format {
    match dialect.format {
        Format::Tool if !request.tools.is_empty() => Format::Object,
        format => format,
    }
}

/// An answer as it was asked for: what came as the arguments of a forced tool is its text.
pub fn shaped(mut answer: Answer, request: &ModelRequest, dialect: Dialect) -> Answer {
    if request.schema.is_some() && format(request, dialect) == Format::Tool && !answer.tool_calls.is_empty() {
        answer.text = match answer.tool_calls.swap_remove(0).args {
            Value::String(text) => text,
            args => args.to_string(),
        };
        answer.tool_calls.clear();
        answer.finish = if answer.finish == Finish::ToolCalls { Finish::Stop } else { answer.finish };
    }
    answer
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<Value>,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    json_schema: Option<JsonSchema<'a>>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    strict: bool,
    /// As it was written: models fill in fields in this order.
    schema: &'a RawValue,
}

#[derive(Serialize)]
struct Tool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a RawValue,
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
    content: Option<Content<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

/// A message's text, and what the dialect adds to it.
struct Content<'a> {
    text: &'a Text,
    more: String,
}

impl fmt::Display for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, self.more)
    }
}

impl<'a> From<&'a ChatMessage> for Message<'a> {
    fn from(message: &'a ChatMessage) -> Self {
        let silent = message.text.is_empty() && !message.tool_calls.is_empty();
        Message {
            role: message.role,
            content: (!silent).then_some(Content { text: &message.text, more: String::new() }),
            tool_calls: message.tool_calls.iter().map(tool_call).collect(),
            tool_call_id: message.tool_call_id.as_deref(),
        }
    }
}

fn joined<S: Serializer>(text: &Option<Content<'_>>, to: S) -> Result<S::Ok, S::Error> {
    match text {
        Some(text) => to.collect_str(text),
        None => to.serialize_none(),
    }
}

/// Arguments that nobody understood stay here: some providers refuse all of a request for them.
fn tool_call(call: &ToolCall) -> Value {
    let arguments = if call.args.is_object() { call.args.to_string() } else { "{}".to_owned() };
    json!({"id": call.id, "type": "function", "function": {"name": call.tool, "arguments": arguments}})
}

fn function<'a>(name: &'a str, description: &'a str, parameters: &'a str) -> Tool<'a> {
    Tool { kind: "function", function: Function { name, description, parameters: parsed(parameters) } }
}

fn json_schema(schema: &Schema, may_be_strict: bool) -> ResponseFormat<'_> {
    let strict = may_be_strict && is_strict(&parsed(&schema.json));
    ResponseFormat { kind: "json_schema", json_schema: Some(JsonSchema { name: &schema.name, strict, schema: parsed(&schema.json) }) }
}

fn parsed<'a, T: Deserialize<'a>>(json: &'a str) -> T {
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
    use crate::contract::{Part, ToolSpec};
    use std::sync::Arc;

    fn request() -> ModelRequest {
        let text = Text(vec![Part::Fixed("Say ".into()), Part::Slot("message".into(), "\"hi\"".into())]);
        ModelRequest {
            role: "output".into(),
            stage: None,
            background: false,
            model: "strong".into(),
            messages: vec![ChatMessage::new(Role::User, text)],
            schema: None,
            tools: Arc::default(),
            stream: false,
            streamed_field: None,
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
        for (longest, field) in [(Longest::MaxTokens, "max_tokens"), (Longest::MaxCompletionTokens, "max_completion_tokens")] {
            let mut asked = asked.clone();
            asked[field] = json!(9);
            assert_eq!(sent(&bounded, Dialect { longest, ..Dialect::default() }), asked);
        }
        let mut roomy = asked.clone();
        roomy["max_tokens"] = json!(19);
        assert_eq!(sent(&bounded, Dialect { room: Some(10), ..Dialect::default() }), roomy);
        assert_eq!(sent(&bounded, Dialect { room: None, ..Dialect::default() }), asked);
        let mut bare = asked.clone();
        bare.as_object_mut().unwrap().remove("stream_options");
        let silent = Dialect { longest: Longest::Unsaid, usage: false, ..Dialect::default() };
        assert_eq!(sent(&bounded, silent), bare);
    }

    #[test]
    fn tools_and_their_results_have_the_shape_of_functions() {
        let call = ToolCall { id: "c1".into(), tool: "recall".into(), args: json!({"query": "tea"}) };
        let mut asked = ChatMessage::new(Role::Assistant, Text::default());
        asked.tool_calls.push(call);
        let mut found = ChatMessage::new(Role::Tool, Text::slot("results", "[]"));
        found.tool_call_id = Some("c1".into());
        let tool = ToolSpec { name: "recall".into(), description: "searches".into(), parameters: r#"{"type":"object"}"#.into() };
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
    fn schemas_keep_the_order_in_which_they_were_written() {
        let json = r#"{"type":"object","properties":{"why":{"type":"string"},"answer":{"type":"string"}}}"#;
        let schema = Arc::new(Schema { name: "s".into(), json: json.into() });
        let tool = ToolSpec { name: "t".into(), description: "d".into(), parameters: json.into() };
        let asked = ModelRequest { schema: Some(schema), tools: Arc::new([tool]), ..request() };
        for (format, count) in [(Format::Schema, 2), (Format::Object, 1), (Format::Tool, 1)] {
            let body = String::from_utf8(body(&asked, "m", Dialect { format, ..Dialect::default() })).unwrap();
            assert_eq!(body.matches(json).count(), count, "{format:?}: {body}");
        }
        let alone = ModelRequest { tools: Arc::default(), ..asked };
        let body = body(&alone, "m", Dialect { format: Format::Tool, ..Dialect::default() });
        assert!(String::from_utf8(body).unwrap().contains(json));
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
    #[test]
    fn a_shape_is_asked_for_in_three_ways_and_read_back_from_each() {
        let json = r#"{"type":"object"}"#;
        let schema = Arc::new(Schema { name: "perception".into(), json: json.into() });
        let shaped_request = ModelRequest { schema: Some(schema), ..request() };
        let dialect = |format| Dialect { format, ..Dialect::default() };
        let by_schema = sent(&shaped_request, dialect(Format::Schema));
        assert_eq!(by_schema["response_format"]["json_schema"]["name"], "perception");
        assert_eq!(by_schema["tools"], Value::Null);
        let by_object = sent(&shaped_request, dialect(Format::Object));
        assert_eq!(by_object["response_format"], json!({"type": "json_object"}));
        let content = by_object["messages"][0]["content"].as_str().unwrap();
        assert!(content.starts_with("Say \"hi\"\n\n") && content.ends_with(json), "{content}");
        let by_tool = sent(&shaped_request, dialect(Format::Tool));
        assert_eq!(by_tool["response_format"], Value::Null);
        assert_eq!(by_tool["tool_choice"], json!({"type": "function", "function": {"name": "perception"}}));
        assert_eq!(by_tool["tools"][0]["function"]["name"], "perception");

        let call = ToolCall { id: "a".into(), tool: "perception".into(), args: json!({"tone": "kind"}) };
        let called = Answer { text: "Here:".into(), tool_calls: vec![call], finish: Finish::ToolCalls, ..Answer::default() };
        let read = shaped(called.clone(), &shaped_request, dialect(Format::Tool));
        assert_eq!((read.text.as_str(), read.tool_calls.len(), read.finish), (r#"{"tone":"kind"}"#, 0, Finish::Stop));
        assert_eq!(shaped(called.clone(), &shaped_request, dialect(Format::Schema)), called);
        assert_eq!(shaped(called.clone(), &request(), dialect(Format::Tool)), called, "no shape was asked for");
    }

    #[test]
    fn a_gateway_is_asked_for_hosts_that_take_all_of_a_request_with_a_shape() {
        let gateway = Dialect::of("openrouter.ai");
        assert_eq!(sent(&request(), gateway)["provider"], Value::Null);
        let schema = Arc::new(Schema { name: "s".into(), json: "{}".into() });
        let sent = sent(&ModelRequest { schema: Some(schema), ..request() }, gateway);
        assert_eq!(sent["provider"], json!({"require_parameters": true}));
    }
}
