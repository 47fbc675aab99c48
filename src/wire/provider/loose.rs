//! Fields of a provider's JSON that take what they understand and let anything else pass.

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;
use std::marker::PhantomData;

/// An object; anything else is nothing.
#[derive(Debug)]
pub(super) struct Loose<T>(pub(super) Option<T>);

/// A text, or a number as one; anything else is nothing.
#[derive(Debug, Default)]
pub(super) struct Word(pub(super) Option<String>);

/// A list of objects, or one of them alone.
#[derive(Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

/// What a model says and thinks: a text, parts of one, or an object.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) text: String,
    pub(super) thoughts: String,
    /// There is something, if only what nobody can read.
    pub(super) is_something: bool,
}

impl<T> Default for Loose<T> {
    fn default() -> Self {
        Loose(None)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        List(Vec::new())
    }
}

/// Builds a field from what stands there; what isn't overridden says nothing.
trait Field: Default {
    fn text(_text: &str) -> Self {
        Self::default()
    }

    fn number(_number: impl fmt::Display) -> Self {
        Self::default()
    }

    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn object<'de, A: MapAccess<'de>>(mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

struct Of<F>(PhantomData<F>);

impl<'de, F: Field> Visitor<'de> for Of<F> {
    type Value = F;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: Error>(self) -> Result<F, E> {
        Ok(F::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<F, E> {
        Ok(F::default())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<F, E> {
        Ok(F::number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<F, E> {
        Ok(F::number(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<F, E> {
        Ok(F::number(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<F, E> {
        Ok(F::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<F, A::Error> {
        F::list(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<F, A::Error> {
        F::object(fields)
    }
}

impl<T: DeserializeOwned> Field for Loose<T> {
    fn object<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(fields)).map(|object| Loose(Some(object)))
    }
}

impl Field for Word {
    fn text(text: &str) -> Self {
        Word(Some(text.to_owned()))
    }

    fn number(number: impl fmt::Display) -> Self {
        Word(Some(number.to_string()))
    }
}

impl<T: DeserializeOwned> Field for List<T> {
    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut list = Vec::new();
        while let Some(Loose(item)) = items.next_element::<Loose<T>>()? {
            list.extend(item);
        }
        Ok(List(list))
    }

    fn object<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        Loose::object(fields).map(|Loose(item)| List(item.into_iter().collect()))
    }
}

impl Field for Content {
    fn text(text: &str) -> Self {
        Content { text: text.to_owned(), thoughts: String::new(), is_something: !text.is_empty() }
    }

    fn number(number: impl fmt::Display) -> Self {
        Content::text(&number.to_string())
    }

    fn list<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut content = Content::default();
        while let Some(part) = items.next_element::<Value>()? {
            content.is_something |= !part.is_null();
            content.add(&part, false);
        }
        Ok(content)
    }

    fn object<'de, A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        let object = Value::deserialize(MapAccessDeserializer::new(fields))?;
        let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
        let is_part = is_thought(kind) || kind.contains("text") || object.as_object().is_some_and(|fields| fields.len() == 1);
        let mut content = Content { is_something: object.as_object().is_some_and(|fields| !fields.is_empty()), ..Content::default() };
        if is_part {
            content.add(&object, false);
        }
        // What was asked for as an object may come as one.
        if content.text.is_empty() && content.thoughts.is_empty() && content.is_something && !is_thought(kind) {
            content.text = object.to_string();
        }
        Ok(content)
    }
}

impl Content {
    fn add(&mut self, part: &Value, in_thought: bool) {
        match part {
            Value::String(text) if in_thought => self.thoughts.push_str(text),
            Value::String(text) => self.text.push_str(text),
            Value::Array(parts) => parts.iter().for_each(|part| self.add(part, in_thought)),
            Value::Object(fields) => {
                let kind = fields.get("type").and_then(Value::as_str).unwrap_or_default();
                let in_thought = in_thought || is_thought(kind) || fields.get("thought") == Some(&Value::Bool(true));
                let inner = ["text", "thinking", "reasoning", "content", "summary", "refusal"];
                inner.iter().find_map(|name| fields.get(*name)).into_iter().for_each(|inner| self.add(inner, in_thought));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Whether a part of this kind is a thought: `reasoning`, `thinking`, `reasoning.summary` …
fn is_thought(kind: &str) -> bool {
    ["reason", "think", "thought"].iter().any(|word| kind.contains(word))
}

macro_rules! fields {
    ($([$($generic:ident)?] $name:ty;)*) => {
        $(impl<'de, $($generic: DeserializeOwned)?> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Of::<Self>(PhantomData))
            }
        })*
    };
}

fields! {
    [T] Loose<T>;
    [] Word;
    [T] List<T>;
    [] Content;
}
