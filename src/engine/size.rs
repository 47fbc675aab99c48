//! About how much memory a session takes, so that the shard can keep its sessions within a budget.
//!
//! Counts the texts that can grow. What sessions share (prompts, schemas, graphs) is nobody's.

use super::turn::About;
use super::{Conversation, Session};
use crate::contract::{Came, Input, Part, Request, TurnDetail};
use serde_json::Value;

impl Session {
    /// Bytes, to within a small factor.
    pub fn bytes(&self) -> usize {
        let Conversation { history, memory, ui, schema_cache, .. } = &self.conversation;
        let history: usize = history.iter().map(|message| FIXED + message.bytes()).sum();
        let kept: usize = self.kept.turns.iter().map(turn).sum();
        let shown: usize = ui.state.values().chain(schema_cache.values()).map(value_bytes).sum();
        let memory: usize = memory.facts.iter().chain(&memory.topic_history).map(String::len).sum();
        let last = self.kept.last.as_deref().map_or(0, about);
        // A turn that waits for a person may stay for long, with all that it has found so far.
        let paused = if self.is_paused() { serde_json::to_vec(&self.work).map_or(0, |work| work.len()) } else { 0 };
        FIXED + history + kept + shown + memory + last + paused
    }
}

/// What comes with every item, whatever its text.
const FIXED: usize = 64;
/// What a map takes for so many entries, however short they are.
const MAP: usize = 640;
const MAP_ENTRIES: usize = 11;

/// About what an input takes until its turn is over.
pub fn input_bytes(input: &Input) -> usize {
    match input {
        Input::Message { text, dashboard, .. } | Input::Edit { text, dashboard, .. } => FIXED + text.len() + values(dashboard),
        Input::Retry { .. } => FIXED,
        Input::Action { action, data, .. } => FIXED + action.len() + value_bytes(data),
        _ => 0,
    }
}

/// What is kept of the last turn beside its trace; its message is the history's.
fn about(about: &About) -> usize {
    FIXED + about.answer.len() + values(&about.dashboard)
}

fn values(values: &[Value]) -> usize {
    values.iter().map(value_bytes).sum()
}

fn turn(detail: &TurnDetail) -> usize {
    let calls = detail.calls.iter().map(|call| {
        let came = match &call.came {
            Came::Whole(answer) => answer.bytes(),
            Came::Text(text) => text.len(),
        };
        FIXED + request(&call.request) + came
    });
    let frames = detail.trace.frames.len() * FIXED;
    FIXED + detail.trace.message.len() + frames + calls.sum::<usize>()
}

fn request(request: &Request) -> usize {
    match request {
        Request::Model(model) => {
            let parts = model.messages.iter().flat_map(|message| &message.text.0);
            parts.map(|part| if let Part::Fixed(_) = part { 0 } else { part.text().len() }).sum()
        }
        Request::Database(_) => FIXED,
        Request::Approval(approval) => FIXED + approval.text.len(),
    }
}

/// About what a value takes in memory.
pub fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => FIXED,
        Value::String(text) => FIXED + text.len(),
        Value::Array(items) => FIXED + values(items),
        Value::Object(map) => {
            let items = map.iter().map(|(key, item)| key.len() + value_bytes(item)).sum::<usize>();
            FIXED + MAP * map.len().div_ceil(MAP_ENTRIES) + items
        }
    }
}
