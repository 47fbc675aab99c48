//! What doesn't fit, and where.

use crate::contract::clip;
use serde::de::{Error, Expected, Unexpected};
use serde_json::Value;
use std::fmt;

/// Bytes of a text that are quoted.
const QUOTED_BYTES_MAX: usize = 120;

/// Why a value doesn't fit: "`steps[1]` is the number 3, but a text is wanted".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Empty for the whole; nothing as long as it isn't known.
    place: Option<String>,
    words: String,
}

impl Wrong {
    pub(super) fn new(words: impl Into<String>) -> Wrong {
        Wrong { place: None, words: words.into() }
    }

    /// Another thing stands there than what is wanted.
    pub(super) fn found(value: &Value, wanted: &dyn fmt::Display) -> Wrong {
        let found = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Number(number) => format!("the number {number}"),
            Value::String(text) => quoted(text),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        Wrong::new(format!("is {found}, but {wanted} is wanted"))
    }

    /// The innermost place is the exact one.
    pub(super) fn at(self, place: &At<'_>) -> Wrong {
        let Wrong { place: known, words } = self;
        Wrong { place: known.or_else(|| Some(place.to_string())), words }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wrong { place, words } = self;
        match place.as_deref() {
            // A field that is missing has no place of its own.
            Some(place) if words.starts_with('`') && !place.is_empty() => write!(f, "`{place}.{}", &words[1..]),
            None | Some(_) if words.starts_with('`') => f.write_str(words),
            Some(place) if !place.is_empty() => write!(f, "`{place}` {words}"),
            Some(_) if words.starts_with("is ") => write!(f, "it {words}"),
            None | Some(_) => f.write_str(words),
        }
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: fmt::Display>(words: T) -> Wrong {
        Wrong::new(words.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, wanted: &dyn Expected) -> Wrong {
        let found = match found {
            Unexpected::Unit | Unexpected::Option => "null".to_owned(),
            Unexpected::Bool(truth) => truth.to_string(),
            Unexpected::Str(text) => quoted(text),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "an object".to_owned(),
            Unexpected::Unsigned(number) => format!("the number {number}"),
            Unexpected::Signed(number) => format!("the number {number}"),
            Unexpected::Float(number) => format!("the number {number}"),
            other => other.to_string(),
        };
        Wrong::new(format!("is {found}, but {wanted} is wanted"))
    }

    fn invalid_value(found: Unexpected<'_>, wanted: &dyn Expected) -> Wrong {
        Wrong::invalid_type(found, wanted)
    }

    fn missing_field(field: &'static str) -> Wrong {
        Wrong::new(format!("`{field}` is missing"))
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
