//! One JSON object of an answer, as far as we read it: a chunk of a stream, or the whole answer at once.
//!
//! Every field may be missing or null. Everything unknown is left alone.

use crate::contract::Usage;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk {
    pub(super) error: Option<Value>,
    pub(super) model: Option<String>,
    pub(super) choices: Option<Vec<Choice>>,
    pub(super) usage: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// In a stream.
    pub(super) delta: Option<Delta>,
    /// In an answer that comes at once.
    pub(super) message: Option<Delta>,
    pub(super) finish_reason: Option<String>,
}

/// Of reasoning only whether there is any: what a model thought is no part of what it says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    pub(super) content: Option<Content>,
    pub(super) refusal: Option<String>,
    pub(super) tool_calls: Option<Vec<Fragment>>,
    pub(super) reasoning: Option<Value>,
    pub(super) reasoning_content: Option<Value>,
    pub(super) reasoning_details: Option<Value>,
}

impl Delta {
    /// Whether the model has made anything of it: the first delta often only says who speaks.
    pub(super) fn has_token(&self) -> bool {
        let is_something = |value: &Option<Value>| match value {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(_) => true,
        };
        let has_text = match &self.content {
            Some(Content::Text(text)) => !text.is_empty(),
            Some(Content::Parts(parts)) => !parts.is_empty(),
            None => false,
        };
        has_text
            || self.refusal.as_ref().is_some_and(|text| !text.is_empty())
            || self.tool_calls.as_ref().is_some_and(|calls| !calls.is_empty())
            || [&self.reasoning, &self.reasoning_content, &self.reasoning_details].into_iter().any(is_something)
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Content {
    Text(String),
    Parts(Vec<ContentPart>),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContentPart {
    text: Option<String>,
}

impl Content {
    pub(super) fn text(self) -> String {
        match self {
            Content::Text(text) => text,
            Content::Parts(parts) => parts.into_iter().filter_map(|part| part.text).collect(),
        }
    }
}

/// A fragment of a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fragment {
    pub(super) id: Option<String>,
    /// A number; what else some servers put here says nothing.
    pub(super) index: Option<Value>,
    pub(super) function: Option<Function>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function {
    pub(super) name: Option<String>,
    /// A piece of JSON text, or all of it as an object.
    pub(super) arguments: Option<Value>,
}

/// The tokens of a `usage` object; what it doesn't name counts nothing.
pub(super) fn usage(value: &Value) -> Option<Usage> {
    let count = |pointers: [&str; 2]| pointers.iter().find_map(|pointer| value.pointer(pointer)?.as_u64());
    value.as_object()?;
    let prompt_tokens = count(["/prompt_tokens", "/input_tokens"]).unwrap_or(0);
    let completion_tokens = count(["/completion_tokens", "/output_tokens"]).unwrap_or(0);
    Some(Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens: count(["/total_tokens", "/total_tokens"]).unwrap_or(prompt_tokens.saturating_add(completion_tokens)),
        cached_tokens: count(["/prompt_tokens_details/cached_tokens", "/cache_read_input_tokens"]).unwrap_or(0),
        reasoning_tokens: count(["/completion_tokens_details/reasoning_tokens", "/output_tokens_details/reasoning_tokens"]).unwrap_or(0),
    })
}
