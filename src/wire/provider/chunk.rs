//! One JSON object of an answer, as far as we read it: a chunk of a stream, or the whole answer at once.
//!
//! Every field may be missing or null, and what stands beside the answer is read leniently, field by field: one that is odd
//! says nothing, and loses no answer that is there. Everything unknown is left alone.

use super::loose::{Content, List, Loose, Word};
use crate::contract::{CallError, Finish, Usage, exact};
use crate::reading;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chunk {
    error: Option<Value>,
    pub(super) model: Word,
    pub(super) choices: Option<Vec<Loose<Choice>>>,
    pub(super) usage: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// In a stream.
    delta: Loose<Delta>,
    /// In an answer that comes at once.
    message: Loose<Delta>,
    finish_reason: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Delta {
    pub(super) content: Content,
    pub(super) refusal: Word,
    pub(super) tool_calls: List<Fragment>,
    reasoning: Content,
    reasoning_content: Content,
    reasoning_details: Content,
}

/// A fragment of a tool call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fragment {
    pub(super) id: Word,
    /// A number; what else some servers put here says nothing.
    pub(super) index: Option<Value>,
    pub(super) function: Loose<Function>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Function {
    pub(super) name: Word,
    /// A piece of JSON text, or all of it as an object.
    pub(super) arguments: Option<Value>,
}

impl Chunk {
    /// Nothing where it can't be read. What most servers never write costs the others nothing.
    pub(super) fn read(json: &[u8]) -> Option<Chunk> {
        // An answer or arguments may stand there as an object: their numbers keep their digits.
        let text = exact(std::str::from_utf8(json).ok()?);
        serde_json::from_str(&text).ok().or_else(|| {
            let repaired = reading::repaired(&text);
            // As a value first: of a field that stands there twice, the last counts.
            let value: Value = serde_json::from_str(repaired.as_deref().unwrap_or(&text)).ok()?;
            Chunk::deserialize(value).ok()
        })
    }

    pub(super) fn trouble(&self) -> Option<&Value> {
        self.error.as_ref().filter(|error| says_something(error))
    }
}

/// Whether there is anything in a value: servers fill a field in that has nothing to say.
pub(super) fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::Bool(true) => true,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(says_something),
        Value::Object(fields) => fields.values().any(says_something),
    }
}

impl Choice {
    /// How the model has finished; nothing while it hasn't.
    pub(super) fn finish(&self) -> Result<Option<Finish>, CallError> {
        let mut reason = self.finish_reason.as_ref();
        while let Some(Value::Array(_) | Value::Object(_)) = reason {
            reason = reason.and_then(|reason| reason.get(0).or_else(|| reason.get("type")).or_else(|| reason.get("reason")));
        }
        let word = match reason {
            Some(Value::String(word)) => word.to_ascii_lowercase(),
            Some(odd) if says_something(odd) => "stop".to_owned(),
            Some(_) | None => return Ok(None),
        };
        Ok(Some(match word.as_str() {
            "" => return Ok(None),
            "error" => return Err(CallError::Failed { status: 502 }),
            "length" | "max_tokens" | "max_output_tokens" | "model_length" => Finish::Length,
            "tool_calls" | "tool_use" | "function_call" => Finish::ToolCalls,
            "content_filter" | "safety" | "recitation" | "prohibited_content" | "blocklist" | "refusal" => Finish::ContentFilter,
            _ => Finish::Stop,
        }))
    }

    /// What it says; servers of one kind leave the other kind's field empty.
    pub(super) fn delta(self) -> Option<Delta> {
        self.delta.0.filter(Delta::has_token).or(self.message.0)
    }
}

impl Delta {
    /// Whether the model has made anything of it: the first delta often only says who speaks.
    pub(super) fn has_token(&self) -> bool {
        let contents = [&self.content, &self.reasoning, &self.reasoning_content, &self.reasoning_details];
        contents.into_iter().any(|content| content.is_something)
            || !self.tool_calls.0.is_empty()
            || self.refusal.0.as_ref().is_some_and(|text| !text.is_empty())
    }

    /// What it thinks apart from what it says. Gateways send the same thought under two names.
    pub(super) fn thoughts(&mut self) -> impl Iterator<Item = String> {
        let apart = [&mut self.reasoning_content, &mut self.reasoning, &mut self.reasoning_details].into_iter();
        let apart = apart.map(|content| std::mem::take(&mut content.text) + &content.thoughts).find(|thought| !thought.is_empty());
        apart.into_iter().chain(Some(std::mem::take(&mut self.content.thoughts)))
    }
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
        cost_micros: 0,
    })
}
