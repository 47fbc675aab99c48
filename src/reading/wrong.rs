//! What doesn't fit, and where.

use crate::contract::clip;
use serde::de::{Error, Expected, Unexpected};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;

/// Bytes of a text that are quoted.
const QUOTED_BYTES_MAX: usize = 120;

/// Why a value doesn't fit: "`steps[1]` is the number 3, but a text is wanted".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Empty for the whole; nothing as long as it isn't known.
    place: Option<String>,
    words: String,
    /// The same without anything that the answer says.
    outline: Cow<'static, str>,
}

impl Wrong {
    /// What quotes nothing.
    pub(super) fn new(words: &'static str) -> Wrong {
        Wrong::quoting(words, words)
    }

    pub(super) fn quoting(words: impl Into<String>, outline: impl Into<Cow<'static, str>>) -> Wrong {
        Wrong { place: None, words: words.into(), outline: outline.into() }
    }

    /// Another thing stands there than what is wanted.
    pub(super) fn found(value: &Value, wanted: &dyn fmt::Display) -> Wrong {
        let (found, kind) = match value {
            Value::Null => ("null".to_owned(), "null"),
            Value::Bool(truth) => (truth.to_string(), "true or false"),
            Value::Number(number) => (format!("the number {number}"), "a number"),
            Value::String(text) => (quoted(text), "a text"),
            Value::Array(_) => ("a list".to_owned(), "a list"),
            Value::Object(_) => ("an object".to_owned(), "an object"),
        };
        Wrong::instead(&found, kind, wanted)
    }

    fn instead(found: &str, kind: &str, wanted: &dyn fmt::Display) -> Wrong {
        Wrong::quoting(format!("is {found}, but {wanted} is wanted"), format!("is {kind}, but {wanted} is wanted"))
    }

    /// The place and what is wanted there, without anything that the answer says: for traces and logs. A place has the names of
    /// our own fields only.
    pub fn outline(&self) -> String {
        Sentence(self.place.as_deref(), &self.outline).to_string()
    }

    /// The innermost place is the exact one.
    pub(super) fn at(self, place: &At<'_>) -> Wrong {
        let known = self.place.or_else(|| Some(place.to_string()));
        Wrong { place: known, ..self }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Sentence(self.place.as_deref(), &self.words).fmt(f)
    }
}

/// A place and what is said of it.
struct Sentence<'a>(Option<&'a str>, &'a str);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sentence(place, words) = *self;
        match place {
            // A field that is missing has no place of its own.
            Some(place) if words.starts_with('`') && !place.is_empty() => write!(f, "`{place}.{}", &words[1..]),
            None | Some(_) if words.starts_with('`') => f.write_str(words),
            Some(place) if !place.is_empty() => write!(f, "`{place}` {words}"),
            None | Some(_) if words.starts_with("is ") => write!(f, "it {words}"),
            None | Some(_) => f.write_str(words),
        }
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: fmt::Display>(words: T) -> Wrong {
        Wrong::quoting(words.to_string(), "is not what is wanted")
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Wrong {
        let (found, kind) = match found {
            Unexpected::Unit | Unexpected::Option => ("null".to_owned(), "null"),
            Unexpected::Bool(truth) => (truth.to_string(), "true or false"),
            Unexpected::Str(text) => (quoted(text), "a text"),
            Unexpected::Seq => ("a list".to_owned(), "a list"),
            Unexpected::Map => ("an object".to_owned(), "an object"),
            Unexpected::Unsigned(number) => (format!("the number {number}"), "a number"),
            Unexpected::Signed(number) => (format!("the number {number}"), "a number"),
            Unexpected::Float(number) => (format!("the number {number}"), "a number"),
            other => (other.to_string(), "something else"),
        };
        Wrong::instead(&found, kind, &wanted)
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Wrong {
        Wrong::invalid_type(found, wanted)
    }

    fn missing_field(field: &'static str) -> Wrong {
        let words = format!("`{field}` is missing");
        Wrong::quoting(words.clone(), words)
    }
}

fn quoted(text: &str) -> String {
    format!("the text {}", Value::from(clip(text, QUOTED_BYTES_MAX)))
}

/// A place in a value: `tool_sequence[0].args`.
#[derive(Clone, Copy)]
pub(super) enum At<'a> {
    Root,
    Field(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Field(At::Root, name) => f.write_str(name),
            At::Field(outer, name) => write!(f, "{outer}.{name}"),
            At::Item(outer, place) => write!(f, "{outer}[{place}]"),
        }
    }
}
