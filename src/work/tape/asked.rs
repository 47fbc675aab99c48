//! What a question is known by on a tape: all of it but what changes by itself.
//!
//! Two questions are the same where every part is, slot by slot. What passes (the time, how long somebody was away) and how
//! long a database may take are no part of it.

use super::texts::Said;
use crate::contract::{ChatMessage, DatabaseAsk, ModelRequest, Part, Request, Role, ToolCall, ToolSpec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A question as a cassette holds it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Asked {
    Model(AskedModel),
    Database {
        database: String,
        ask: DatabaseAsk,
        rows_max: usize,
        bytes_max: usize,
    },
    /// Nothing of it is known but who asked: of a turn that was taken from a server that runs.
    Unknown {},
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AskedModel {
    role: String,
    model: String,
    messages: Vec<AskedMessage>,
    schema: Option<Said>,
    tools: Vec<AskedTool>,
    stream: bool,
    tokens_max: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AskedMessage {
    role: Role,
    parts: Vec<AskedPart>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

/// Text of a prompt file, or what a slot was filled with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AskedPart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<String>,
    text: Said,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct AskedTool {
    name: String,
    description: Said,
    parameters: Said,
}

pub(super) type Key = [u8; 32];

impl Asked {
    pub(super) fn of(request: &Request) -> Asked {
        match request {
            Request::Model(request) => Asked::Model(AskedModel::of(request)),
            Request::Database(request) => Asked::Database {
                database: request.database.to_string(),
                ask: request.ask.clone(),
                rows_max: request.limits.rows_max,
                bytes_max: request.limits.bytes_max,
            },
        }
    }

    pub(super) fn key(&self) -> Key {
        Sha256::digest(serde_json::to_vec(self).expect("our own plain data is always JSON")).into()
    }

    /// Its texts that may be long, each with what it is called.
    pub(super) fn texts(&mut self) -> Vec<(String, &mut Said)> {
        let Asked::Model(AskedModel { role, messages, schema, tools, .. }) = self else { return Vec::new() };
        let mut texts = Vec::new();
        for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
            texts.push((part.slot.clone().unwrap_or_else(|| format!("{role} prompt")), &mut part.text));
        }
        texts.extend(schema.iter_mut().map(|schema| (format!("{role} schema"), schema)));
        for AskedTool { name, description, parameters } in tools {
            texts.extend([(format!("{name} description"), description), (format!("{name} parameters"), parameters)]);
        }
        texts
    }

    /// What it consists of, each part with where it stands; in the order in which a reader looks for a difference.
    pub(super) fn parts(&self) -> Vec<(String, String)> {
        match self {
            Asked::Model(model) => model.parts(),
            Asked::Database { database, ask, rows_max, bytes_max } => {
                let asked = match ask {
                    DatabaseAsk::Tables => "tables".to_owned(),
                    DatabaseAsk::Describe { table } => format!("describe {table}"),
                    DatabaseAsk::Query { sql } => sql.clone(),
                };
                let limits = format!("{rows_max} rows, {bytes_max} bytes");
                vec![("the database".into(), database.clone()), ("the statement".into(), asked), ("the limits".into(), limits)]
            }
            Asked::Unknown {} => Vec::new(),
        }
    }
}

impl AskedModel {
    fn of(request: &ModelRequest) -> AskedModel {
        let part = |part: &Part| match part {
            Part::Fixed(text) => Some(AskedPart { slot: None, text: Said::of(text) }),
            Part::Slot(name, text) => Some(AskedPart { slot: Some(name.to_string()), text: Said::of(text) }),
            Part::Passing(..) => None,
        };
        let message = |message: &ChatMessage| AskedMessage {
            role: message.role,
            parts: message.text.0.iter().filter_map(part).collect(),
            tool_calls: message.tool_calls.clone(),
            tool_call_id: message.tool_call_id.clone(),
        };
        let tool = |tool: &ToolSpec| AskedTool {
            name: tool.name.to_string(),
            description: Said::of(&tool.description),
            parameters: Said::of(&tool.parameters),
        };
        AskedModel {
            role: request.role.to_string(),
            model: request.model.to_string(),
            messages: request.messages.iter().map(message).collect(),
            schema: request.schema.as_ref().map(|schema| Said::of(&schema.json)),
            tools: request.tools.iter().map(tool).collect(),
            stream: request.stream,
            tokens_max: request.tokens_max,
        }
    }

    fn parts(&self) -> Vec<(String, String)> {
        let mut parts = Vec::new();
        for message in &self.messages {
            let whose = match message.role {
                Role::System => "the system's message",
                Role::User => "the user's message",
                Role::Assistant => "an assistant's message",
                Role::Tool => "a tool's message",
            };
            for part in &message.parts {
                let place = match &part.slot {
                    Some(slot) => format!("the slot `{slot}` of {whose}"),
                    None => format!("the fixed text of {whose}"),
                };
                parts.push((place, part.text.to_string()));
            }
            for call in &message.tool_calls {
                parts.push((format!("a tool call of {whose}"), format!("{} {}({})", call.id, call.tool, call.args)));
            }
            if let Some(id) = &message.tool_call_id {
                parts.push((format!("the call that {whose} answers"), id.clone()));
            }
        }
        parts.push(("the schema".to_owned(), self.schema.as_ref().map(Said::to_string).unwrap_or_default()));
        for tool in &self.tools {
            parts.push((format!("the tool `{}`", tool.name), format!("{} {}", tool.description, tool.parameters)));
        }
        parts.push(("the kind of model".to_owned(), self.model.clone()));
        parts.push(("the longest answer".to_owned(), format!("{} tokens", self.tokens_max)));
        parts.push(("whether it is streamed".to_owned(), self.stream.to_string()));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{DatabaseLimits, DatabaseRequest, Text};
    use std::sync::Arc;

    fn model(parts: Vec<Part>) -> Asked {
        Asked::of(&Request::Model(ModelRequest {
            role: "director".into(),
            stage: None,
            background: false,
            model: "strong".into(),
            messages: vec![ChatMessage::new(Role::User, Text(parts))],
            schema: None,
            tools: Arc::default(),
            stream: false,
            tokens_max: 1,
        }))
    }

    fn database(sql: &str, limits: DatabaseLimits) -> Asked {
        let ask = DatabaseAsk::Query { sql: sql.to_owned() };
        Asked::of(&Request::Database(DatabaseRequest { database: "eras".into(), ask, limits }))
    }

    #[test]
    fn what_changes_by_itself_is_no_part_of_a_question() {
        let at = |time: &str, message: &str| {
            model(vec![
                Part::Fixed("Decide.".into()),
                Part::Passing("sensed".into(), time.into()),
                Part::Slot("message".into(), message.into()),
            ])
        };
        assert_eq!(at("noon", "hi").key(), at("midnight", "hi").key());
        assert_ne!(at("noon", "hi").key(), at("noon", "ho").key());
        let slot = |name: &'static str| model(vec![Part::Slot(name.into(), "hi".into())]);
        assert_ne!(slot("message").key(), slot("history").key(), "where it stands is part of it");
        let usual = DatabaseLimits::default();
        let key = |limits| database("SELECT 1", limits).key();
        assert_eq!(key(usual), key(DatabaseLimits { time_ms_max: 1, ..usual }));
        assert_ne!(key(usual), key(DatabaseLimits { rows_max: 1, ..usual }));
        assert_ne!(key(usual), database("SELECT 2", usual).key());
    }

    #[test]
    fn a_question_is_the_same_after_it_was_written_and_read() {
        for asked in [
            model(vec![Part::Fixed("a\n".into()), Part::Slot("message".into(), "«ü»".into())]),
            database("SELECT 1", DatabaseLimits::default()),
        ] {
            let written = serde_json::to_string(&asked).unwrap();
            let read: Asked = serde_json::from_str(&written).unwrap();
            assert_eq!((read.key(), &read), (asked.key(), &asked));
        }
    }
}
