//! What a model writes where JSON is wanted, read for what it means.
//!
//! [`read`] finds the object in an answer's text, [`fit`] puts a value into a type. Shapes are taken where their meaning is
//! certain: `null` for an optional field is absent, JSON as text is JSON, one value where a list is meant is a list of one.
//! A number that would be rounded is a text, so that its digits stay.
//! What doesn't fit is a [`Wrong`]: the place, what stands there, and what is wanted, in words that a model can act on.

mod field_stream;
mod fit;
mod repaired;
mod wanted;
mod wrong;

pub use field_stream::FieldStream;
pub use fit::OrText;
pub use repaired::repaired;
pub use wrong::Wrong;

use crate::contract::{Unique, exact, unique_json};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Deserializer, Value};

/// Objects that are tried in one text.
const TRIES_MAX: usize = 64;

/// What an object without an end counts for: all that follows is looked through for its end.
const OPEN_TRIES: usize = 7;

/// Puts a value into a type.
pub fn fit<T: DeserializeOwned>(value: Value) -> Result<T, Wrong> {
    fit::Fitting::of(value)
}

/// Reads a structured answer: the first object in `text` that fits, whatever stands around it.
///
/// Objects are tried in order; braces in the prose are none. An object without any field that is wanted is looked into, since
/// models wrap what they were asked for, and is never taken itself; an empty one is, where nothing is required and there is no
/// better one. One that has such a field and doesn't fit is what was meant, so it is what the correction speaks of.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    let text = text.trim();
    if let Some(plain) = plain(text) {
        return Ok(plain);
    }
    if let (true, Ok(inner)) = (text.starts_with('"'), serde_json::from_str::<String>(text)) {
        return read(&inner);
    }
    let mut search = Search { wanted: wanted::fields::<T>(), spare: None, wrong: None, tries: TRIES_MAX };
    let mut from = 0;
    while search.tries > 0
        && let Some(at) = text[from..].find('{').map(|at| from + at)
    {
        search.tries -= 1;
        from = at
            + match first(&text[at..]) {
                First::Object(object, length) => {
                    if let Some(found) = search.look(object) {
                        return Ok(found);
                    }
                    length
                }
                First::Broken(why, length) => {
                    search.note(1, why);
                    length
                }
                First::Open(why) => {
                    search.note(1, why);
                    search.tries = search.tries.saturating_sub(OPEN_TRIES);
                    1
                }
                First::Prose => 1,
            };
    }
    match (search.spare, search.wrong) {
        (_, Some((1.., why))) => Err(why),
        (Some(spare), _) => Ok(spare),
        (None, Some((_, why))) => Err(why),
        (None, None) => Err(Wrong::new("there is no JSON object in it")),
    }
}

struct Search<T> {
    wanted: &'static [&'static str],
    spare: Option<T>,
    /// The best that doesn't fit: how many of its fields are wanted, and why it doesn't.
    wrong: Option<(usize, Wrong)>,
    tries: usize,
}

impl<T: DeserializeOwned> Search<T> {
    /// The first object in a value that is wanted and fits.
    fn look(&mut self, value: Value) -> Option<T> {
        match value {
            Value::Object(fields) => {
                let known = self.wanted.iter().filter(|name| fields.contains_key(**name)).count();
                if known == 0 && !self.wanted.is_empty() && !fields.is_empty() {
                    self.note(0, unwanted::<T>(self.wanted));
                    return fields.into_values().find_map(|value| self.look_deeper(value));
                }
                match fit::Fitting::of(Value::Object(fields)) {
                    Ok(fitted) if known > 0 => return Some(fitted),
                    Ok(fitted) => self.spare = self.spare.take().or(Some(fitted)),
                    Err(why) => self.note(known, why),
                }
                None
            }
            Value::Array(items) => items.into_iter().find_map(|item| self.look_deeper(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
        }
    }

    fn look_deeper(&mut self, value: Value) -> Option<T> {
        if value.is_object() {
            self.tries = self.tries.checked_sub(1)?;
        }
        self.look(value)
    }

    fn note(&mut self, known: usize, why: Wrong) {
        if self.wrong.as_ref().is_none_or(|(best, _)| *best < known) {
            self.wrong = Some((known, why));
        }
    }
}

/// Why an object that has none of the wanted fields doesn't fit.
fn unwanted<T: DeserializeOwned>(wanted: &[&str]) -> Wrong {
    match fit::Fitting::of::<T>(Value::Object(Default::default())) {
        Ok(_) => {
            let words = format!("none of its fields is wanted; those that are: {}", wanted.join(", "));
            Wrong::quoting(words.clone(), words)
        }
        Err(why) => why,
    }
}

/// Reads an answer that is what was asked for, as most are, without a detour: its first field is one that is wanted.
fn plain<T: DeserializeOwned>(text: &str) -> Option<T> {
    let first = text.strip_prefix('{')?.trim_start().strip_prefix('"')?.split('"').next()?;
    if wanted::fields::<T>().contains(&first) { serde_json::from_str(&exact(text)).ok() } else { None }
}

/// Reads text that should be JSON and nothing else, such as a tool's arguments, where its meaning is certain: JSON that was
/// written as text once more is unwrapped, and of objects in a row that say nothing but one, the one is taken.
pub fn certain(text: &str) -> Option<Value> {
    within(text, LAYERS_MAX)
}

/// How often JSON may have been written as text once more.
const LAYERS_MAX: usize = 8;

fn within(text: &str, layers: usize) -> Option<Value> {
    let text = text.trim();
    let unfenced = text.strip_prefix("```").and_then(|text| text.strip_suffix("```")).map(|text| text.trim_start_matches("json"));
    let text = unfenced.unwrap_or(text);
    let values = |text: &str| {
        Deserializer::from_str(&exact(text))
            .into_iter::<Unique>()
            .map(|value| value.map(|Unique(value)| value))
            .collect::<Result<Vec<_>, _>>()
            .ok()
    };
    let mut values = values(text).or_else(|| values(&repaired(text)?))?;
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
        // A number that is a text because it is long stays one: it holds no JSON but itself.
        Value::String(inner) if inner.len() < text.len() => within(&inner, layers.checked_sub(1)?),
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
            First::Open(_) | First::Prose => 1,
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
    /// Neither an end nor a first field: it may be prose, and nothing in it is a part of it.
    Open(Wrong),
    Prose,
}

fn first(text: &str) -> First {
    if !text[1..].trim_start().starts_with(['"', '}']) {
        return First::Prose;
    }
    let Some(length) = balanced(text) else {
        let why = Wrong::new("its JSON object doesn't end: the last `}` is missing");
        return if has_field(text) { First::Broken(why, text.len()) } else { First::Open(why) };
    };
    let whole = &text[..length];
    match unique_json(whole).or_else(|error| repaired(whole).and_then(|text| unique_json(&text).ok()).ok_or(error)) {
        Ok(object) => First::Object(object, length),
        Err(error) => First::Broken(Wrong::quoting(format!("it is not JSON: {error}"), "it is not JSON"), length),
    }
}

/// Whether the object that `text` begins with has the name of a field at its head.
fn has_field(text: &str) -> bool {
    let mut names = Deserializer::from_str(&text[1..]).into_iter::<IgnoredAny>();
    matches!(names.next(), Some(Ok(_))) && text[1 + names.byte_offset()..].trim_start().starts_with(':')
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
