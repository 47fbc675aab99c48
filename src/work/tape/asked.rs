//! What a call asks, as a cassette holds it: the contract's own request, but for what changes by itself.
//!
//! Two requests are the same where every part is. What passes (the time, how long somebody was away) and how long a database
//! may take are no part of it.

use crate::contract::{Part, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The JSON of a request; `null` where only the asker is known, in a turn that was taken from a running server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Asked(Value);

pub(super) type Key = [u8; 32];

/// Stands in a file for a long text, which the file holds once under this name.
const NAMED: &str = "$text";

/// A text within a request: what it is called, and where it is.
pub(super) struct Place<'a> {
    pub(super) what: String,
    value: &'a mut Value,
}

impl Asked {
    pub(super) fn of(request: &Request) -> Asked {
        let mut request = request.clone();
        match &mut request {
            Request::Model(model) => {
                for message in &mut model.messages {
                    message.text.0.retain(|part| !matches!(part, Part::Passing(..)));
                }
            }
            Request::Database(database) => database.limits.time_ms_max = 0,
            Request::Approval(_) => unreachable!("no worker does an approval"),
        }
        Asked(serde_json::to_value(request).expect("our own plain data is always JSON"))
    }

    pub(super) fn unknown() -> Asked {
        Asked(Value::Null)
    }

    pub(super) fn key(&self) -> Key {
        Sha256::digest(self.0.to_string()).into()
    }

    /// Its texts. The arguments of a tool call are a model's, and left alone.
    pub(super) fn texts(&mut self) -> Vec<Place<'_>> {
        let mut places = Vec::new();
        texts(&mut self.0, "", "text", &mut places);
        places
    }

    /// What it consists of, each part with where it stands; in the order in which a reader looks for a difference.
    pub(super) fn parts(&self) -> Vec<(String, String)> {
        let (model, database) = (&self.0["Model"], &self.0["Database"]);
        let mut parts = Vec::new();
        for message in model["messages"].as_array().into_iter().flatten() {
            let whose = match message["role"].as_str() {
                Some("system") => "the system's message",
                Some("user") => "the user's message",
                Some("assistant") => "an assistant's message",
                _ => "a tool's message",
            };
            for part in message["text"].as_array().into_iter().flatten() {
                parts.push(match (&part["Fixed"], &part["Slot"][0], &part["Slot"][1]) {
                    (Value::String(text), ..) => (format!("the fixed text of {whose}"), text.clone()),
                    (_, Value::String(slot), Value::String(text)) => (format!("the slot `{slot}` of {whose}"), text.clone()),
                    _ => (format!("a part of {whose}"), part.to_string()),
                });
            }
            rest(message, &["role", "text"], &mut |name, value| parts.push((format!("`{name}` of {whose}"), value)));
        }
        rest(model, &["messages"], &mut |name, value| parts.push((format!("`{name}`"), value)));
        if let Some(statement) = database["ask"].pointer("/Query/sql").and_then(Value::as_str) {
            parts.push(("the statement".to_owned(), statement.to_owned()));
        }
        rest(database, &[], &mut |name, value| parts.push((format!("`{name}`"), value)));
        parts
    }
}

/// The other fields of an object.
fn rest(object: &Value, shown: &[&str], tell: &mut dyn FnMut(&str, String)) {
    let fields = object.as_object().into_iter().flatten().filter(|(name, _)| !shown.contains(&name.as_str()));
    fields.for_each(|(name, value)| tell(name, value.to_string()));
}

fn texts<'a>(value: &'a mut Value, owner: &str, name: &str, into: &mut Vec<Place<'a>>) {
    if value.is_string() || value.get(NAMED).is_some() {
        return into.push(Place { what: format!("{owner} {name}").trim_start().to_owned(), value });
    }
    match value {
        Value::Array(items) => {
            let mut items = items.iter_mut();
            // A slot is its name, and what it was filled with.
            let slot = if name == "Slot" { items.next().and_then(|slot| slot.as_str().map(str::to_owned)) } else { None };
            let (owner, name) = slot.as_deref().map_or((owner, name), |slot| ("", slot));
            items.for_each(|item| texts(item, owner, name, into));
        }
        Value::Object(fields) => {
            let own = fields.get("name").or(fields.get("role").filter(|_| fields.contains_key("messages")));
            let owner = own.and_then(Value::as_str).unwrap_or(owner).to_owned();
            for (name, field) in fields.iter_mut().filter(|(name, _)| *name != "args") {
                texts(field, &owner, if name == "Fixed" { "prompt" } else { name }, into);
            }
        }
        _ => {}
    }
}

impl Place<'_> {
    /// The text itself, if it stands here.
    pub(super) fn text(&self) -> Option<&str> {
        self.value.as_str()
    }

    /// The name of the text, if that stands here.
    pub(super) fn name(&self) -> Option<&str> {
        self.value.get(NAMED)?.as_str()
    }

    pub(super) fn put_name(self, name: &str) {
        *self.value = json!({ NAMED: name });
    }

    pub(super) fn put_text(self, text: &str) {
        *self.value = text.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{ChatMessage, DatabaseAsk, DatabaseLimits, DatabaseRequest, ModelRequest, Role, Text};
    use std::sync::Arc;

    fn model(parts: Vec<Part>) -> Asked {
        Asked::of(&Request::Model(ModelRequest {
            background: false,
            role: "director".into(),
            stage: None,
            model: "strong".into(),
            messages: vec![ChatMessage::new(Role::User, Text(parts))],
            schema: None,
            tools: Arc::default(),
            stream: false,
            streamed_field: None,
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
        let slot = |name| model(vec![Part::Slot(name, "hi".into())]);
        assert_ne!(slot("message".into()).key(), slot("history".into()).key(), "where it stands is part of it");
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
