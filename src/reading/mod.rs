//! What a model writes where JSON is wanted, read for what it means.
//!
//! [`read`] finds the object in an answer's text, [`fit`] puts a value into a type. Shapes are taken where their meaning is
//! certain: `null` for an optional field is absent, JSON as text is JSON, one value where a list is meant is a list of one.
//! What doesn't fit is a [`Wrong`]: the place, what stands there, and what is wanted, in words that a model can act on.

mod fit;
mod mended;
mod wrong;

pub use fit::OrText;
pub use mended::mended;
pub use wrong::Wrong;

use crate::contract::{Unique, unique_json};
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value};

/// Objects that are tried in one text.
const TRIES_MAX: usize = 64;

/// Puts a value into a type.
pub fn fit<T: DeserializeOwned>(value: Value) -> Result<T, Wrong> {
    fit::Fitting::of(value).0
}

/// Reads a structured answer: the first object in `text` that fits, whatever stands around it.
///
/// Objects are tried in order; braces in the prose are none. An object without any field that is wanted is looked into, since
/// models wrap what they were asked for, and taken only where there is no better one. One that has such a field and doesn't
/// fit is what was meant, so it is what the correction speaks of.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    let text = text.trim();
    if let (true, Ok(inner)) = (text.starts_with('"'), serde_json::from_str::<String>(text)) {
        return read(&inner);
    }
    let (mut spare, mut wrong) = (None, None);
    let mut from = 0;
    for _ in 0..TRIES_MAX {
        let Some(at) = text[from..].find('{').map(|at| from + at) else { break };
        match first(&text[at..]) {
            First::Object(object, length) => {
                let (fitted, known) = fit::Fitting::of(object);
                match fitted {
                    Ok(fitted) if known > 0 => return Ok(fitted),
                    Ok(fitted) => spare = spare.or(Some(fitted)),
                    Err(why) if wrong.as_ref().is_none_or(|(best, _)| *best < known) => wrong = Some((known, why)),
                    Err(_) => {}
                }
                from = at + if known > 0 { length } else { 1 };
            }
            First::Broken(why, length) => {
                wrong = wrong.or(Some((1, why)));
                from = at + length;
            }
            First::Prose => from = at + 1,
        }
    }
    match (spare, wrong) {
        (_, Some((1.., why))) => Err(why),
        (Some(spare), _) => Ok(spare),
        (None, Some((_, why))) => Err(why),
        (None, None) => Err(Wrong::new("there is no JSON object in it")),
    }
}

/// Reads text that should be JSON and nothing else, such as a tool's arguments, where its meaning is certain: JSON that was
/// written as text once more is unwrapped, and of objects in a row that say nothing but one, the one is taken.
pub fn certain(text: &str) -> Option<Value> {
    let text = text.trim();
    let unfenced = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")).map(|text| text.trim_start_matches("json"));
    let text = unfenced.unwrap_or(text);
    let values = |text: &str| {
        Deserializer::from_str(text).into_iter::<Unique>().map(|value| value.map(|Unique(value)| value)).collect::<Result<Vec<_>, _>>().ok()
    };
    let mut values = values(text).or_else(|| values(&mended(text)?))?;
    if values.len() > 1 {
        values.retain(|value| value.as_object().is_none_or(|object| !object.is_empty()));
        values.dedup();
    }
    let mut value = match <[Value; 1]>::try_from(values) {
        Ok([value]) => value,
        Err(values) => return values.is_empty().then(|| Value::Object(Default::default())),
    };
    if let Value::Array(list) = &mut value
        && let [Value::Object(_)] = &list[..]
    {
        return list.pop();
    }
    match value {
        Value::String(inner) => certain(&inner),
        value => Some(value),
    }
}

/// The object that a text ends with, as it stands there.
pub fn last(text: &str) -> Option<&str> {
    let text = text.trim_end().trim_end_matches('`').trim_end();
    let mut from = 0;
    for _ in 0..TRIES_MAX {
        from += text[from..].find('{')?;
        from += match first(&text[from..]) {
            First::Object(_, length) if from + length == text.len() => return Some(&text[from..]),
            First::Object(_, length) | First::Broken(_, length) => length,
            First::Prose => 1,
        };
    }
    None
}

/// What begins at a `{`.
enum First {
    /// An object, and how many bytes it takes.
    Object(Value, usize),
    /// Meant as an object, and its length up to where it ends or breaks off.
    Broken(Wrong, usize),
    Prose,
}

fn first(text: &str) -> First {
    if !text[1..].trim_start().starts_with(['"', '}']) {
        return First::Prose;
    }
    let length = balanced(text);
    let whole = &text[..length.unwrap_or(text.len())];
    let parsed = unique_json(whole).or_else(|error| mended(whole).and_then(|text| unique_json(&text).ok()).ok_or(error));
    match (parsed, length) {
        (Ok(object), _) => First::Object(object, whole.len()),
        (Err(_), None) => First::Broken(Wrong::new("its JSON object doesn't end: the last `}` is missing"), text.len()),
        (Err(error), Some(length)) => First::Broken(Wrong::quoting(format!("it is not JSON: {error}"), "it is not JSON"), length),
    }
}

/// Where the object that `text` begins with ends.
fn balanced(text: &str) -> Option<usize> {
    let (mut depth, mut in_text, mut after_backslash) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if after_backslash => after_backslash = false,
            b'\\' => after_backslash = in_text,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at + 1),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
