//! Templates: text and JSON with places to fill in.
//!
//! `{name}` is a named group of the pattern that matched, or a slot; `{memory.user_name}` is a field of a slot that is JSON;
//! `{results.data.messages[role=user].content}` goes through lists; `{n|count}` passes what it finds through a filter.
//! A number, or `last`, is a place in a list. In JSON, `{"en": .., "de": ..}` becomes what stands under the language; `{"each": "{labels}", "as": ..}` makes a list:
//! one `as` for each item of a list, each part of an enumeration («red, blue and green»), or each number up to a count. A template is filled whole or not at all.

use super::{arithmetic, figures};
use regex_lite::Regex;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The longest list that a count makes.
const COUNT_MAX: u64 = 12;

/// What a template may name.
#[derive(Clone, Debug)]
pub(super) struct Scope<'a> {
    pub(super) slots: &'a BTreeMap<String, String>,
    /// Named groups.
    pub(super) names: BTreeMap<String, String>,
    pub(super) item: Value,
}

impl Scope<'_> {
    pub(super) fn slot(&self, name: &str) -> &str {
        self.slots.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Fills a text; `None` if anything that it names is missing or empty.
pub(super) fn text(template: &str, scope: &Scope<'_>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(&shown(&find(place, scope)?));
        rest = after;
    }
    Some(filled + rest)
}

/// Fills JSON. A string that is one place alone becomes what is found there, be it a number or a list.
pub(super) fn json(template: &Value, scope: &Scope<'_>) -> Option<Value> {
    match template {
        Value::String(template) => match template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(place) if !place.contains('{') => find(place, scope),
            _ => text(template, scope).map(Value::String),
        },
        Value::Array(items) => items.iter().map(|item| json(item, scope)).collect(),
        Value::Object(fields) => match (fields.get("each"), fields.get("as")) {
            (Some(each), Some(shape)) => {
                let items = items(json(each, scope)?);
                let one = |item: Value| json(shape, &Scope { item, ..scope.clone() });
                items.into_iter().map(one).collect()
            }
            _ if fields.contains_key("en") => json(fields.get(scope.slot("language")).unwrap_or(&fields["en"]), scope),
            _ => fields.iter().map(|(name, value)| Some((name.clone(), json(value, scope)?))).collect::<Option<_>>().map(Value::Object),
        },
        plain => Some(plain.clone()),
    }
}

fn find(place: &str, scope: &Scope<'_>) -> Option<Value> {
    let mut filters = place.split('|');
    let path: Vec<&str> = filters.next()?.split('.').collect();
    let (name, only) = step(path[0]);
    let rest = &path[1..];
    let found = match scope.names.get(name) {
        Some(text) => Value::from(text.as_str()),
        None if name == "item" => follow(&scope.item, rest)?,
        None if rest.is_empty() => Value::from(scope.slots.get(name)?.as_str()),
        None => follow(&those(serde_json::from_str(scope.slots.get(name)?).ok()?, only), rest)?,
    };
    let found = filters.try_fold(found, |found, name| filter(name, &found, scope.slot("language")))?;
    (!shown(&found).is_empty()).then_some(found)
}

/// What `path` leads to; through a list it leads to a list.
fn follow(value: &Value, path: &[&str]) -> Option<Value> {
    let Some((first, rest)) = path.split_first() else { return Some(value.clone()) };
    if let Value::Array(items) = value {
        if *first == "last" {
            return follow(items.last()?, &path[1..]);
        }
        if let Ok(place) = first.parse::<usize>() {
            return follow(items.get(place)?, &path[1..]);
        }
        let found: Vec<Value> = items.iter().filter_map(|item| follow(item, path)).collect();
        let flat = found.into_iter().flat_map(|item| if let Value::Array(items) = item { items } else { vec![item] });
        return Some(Value::from(flat.collect::<Vec<_>>()));
    }
    let (name, only) = step(first);
    follow(&those(value.get(name)?.clone(), only), rest)
}

/// A step of a path, `name` or `name[field=value]`.
fn step(step: &str) -> (&str, Option<(&str, &str)>) {
    match step.strip_suffix(']').and_then(|step| step.split_once('[')) {
        Some((name, only)) => (name, only.split_once('=')),
        None => (step, None),
    }
}

/// Of a list, those whose field has the value.
fn those(mut value: Value, only: Option<(&str, &str)>) -> Value {
    if let (Value::Array(items), Some((field, wanted))) = (&mut value, only) {
        items.retain(|item| item.get(field).is_some_and(|value| shown(value) == wanted));
    }
    value
}

fn filter(name: &str, value: &Value, language: &str) -> Option<Value> {
    let text = shown(value);
    match name {
        "calc" => arithmetic::result(&text).map(Value::from),
        "count" => number(&text).map(|count| Value::from(count.min(COUNT_MAX))),
        "number" => text.replace(',', ".").parse::<f64>().ok().map(|number| json!(number)),
        "next" => text.parse::<i64>().ok()?.checked_add(1).map(Value::from),
        "previous" => text.parse::<i64>().ok()?.checked_sub(1).map(Value::from),
        "title" => {
            let mut letters = text.chars();
            let first = letters.next()?;
            Some(Value::from(first.to_uppercase().chain(letters).collect::<String>()))
        }
        // Within the quotes of a statement: nothing that could end them or stand for anything else.
        "literal" => Some(Value::from(text.replace(['\\', '%', '_'], "").replace('\'', "''"))),
        "quoted" => Some(quoted(value, '“', '”')),
        "quoted_low" => Some(quoted(value, '„', '“')),
        _ => figures::told(name, value, language).map(Value::from),
    }
}

fn quoted(value: &Value, open: char, close: char) -> Value {
    let items = items(value.clone());
    Value::from(items.iter().map(|item| format!("{open}{}{close}", shown(item))).collect::<Vec<_>>().join(", "))
}

/// A value as it stands in a text.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The items of a list, of an enumeration, or up to a count.
fn items(value: Value) -> Vec<Value> {
    static BETWEEN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(?:\s*[,;/&]\s*(?:and |und |or |oder )?|\s+(?:and|und|or|oder)\s+)(?:an?\s+|einen?\s+)?")
            .expect("a pattern of our own")
    });
    match value {
        Value::Array(items) => items,
        Value::Number(count) => (1..=count.as_u64().unwrap_or(0).min(COUNT_MAX)).map(Value::from).collect(),
        Value::String(text) => {
            let trim = |part: &str| part.trim_matches(|c: char| c.is_whitespace() || "\"'“”„«».!?:".contains(c)).to_owned();
            BETWEEN.split(&text).map(trim).filter(|part| !part.is_empty()).map(Value::from).collect()
        }
        other => vec![other],
    }
}

fn number(text: &str) -> Option<u64> {
    const WORDS: [&[&str]; 10] = [
        &["one", "a", "an", "ein", "eine", "einen"],
        &["two", "zwei", "a couple of", "ein paar"],
        &["three", "drei"],
        &["four", "vier"],
        &["five", "fünf"],
        &["six", "sechs"],
        &["seven", "sieben"],
        &["eight", "acht"],
        &["nine", "neun"],
        &["ten", "zehn"],
    ];
    let text = text.trim().to_lowercase();
    let word = || WORDS.iter().position(|words| words.contains(&text.as_str())).map(|place| place as u64 + 1);
    text.parse().ok().or_else(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(slots: &BTreeMap<String, String>) -> Scope<'_> {
        let names = [("labels", "red, 'dark blue' and green!"), ("n", "drei"), ("none", "")];
        let names = names.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Scope { slots, names, item: Value::Null }
    }

    fn slots() -> BTreeMap<String, String> {
        let memory = json!({"user_name": "Ada", "topic": null, "facts": ["likes tea"]});
        let results =
            json!([{"ok": true, "data": {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}}]);
        [("memory", memory.to_string()), ("results", results.to_string()), ("message", "2+2".into())].map(|(k, v)| (k.to_owned(), v)).into()
    }

    #[test]
    fn a_text_is_filled_whole_or_not_at_all() {
        let slots = slots();
        for (template, filled) in [
            ("plain", Some("plain")),
            ("Hello {memory.user_name}!", Some("Hello Ada!")),
            ("{memory.facts}", Some("likes tea")),
            ("{message} = {message|calc}", Some("2+2 = 4")),
            ("{results.data.messages.content|quoted}", Some("“hi”, “hello”")),
            ("{results.data.messages[role=user].content}", Some("hi")),
            ("{results[ok=true].data.messages[role=assistant].content}", Some("hello")),
            ("{results[ok=false].ok}", None),
            ("{labels|title}", Some("Red, 'dark blue' and green!")),
            ("{memory.topic}", None),
            ("{memory.nothing}", None),
            ("{none}", None),
            ("{nothing}", None),
            ("{labels|calc}", None),
            ("{labels|nothing}", None),
        ] {
            assert_eq!(text(template, &scope(&slots)).as_deref(), filled, "{template}");
        }
    }

    #[test]
    fn lists_are_made_from_enumerations_counts_and_lists() {
        let slots = slots();
        for (template, filled) in [
            (json!({"each": "{labels}", "as": "{item|title}"}), Some(json!(["Red", "Dark blue", "Green"]))),
            (
                json!({"each": "{n|count}", "as": {"label": "No. {item}", "n": "{item}"}}),
                Some(json!([{"label": "No. 1", "n": 1}, {"label": "No. 2", "n": 2}, {"label": "No. 3", "n": 3}])),
            ),
            (
                json!({"each": "{results.data.messages}", "as": "{item.role}: {item.content}"}),
                Some(json!(["user: hi", "assistant: hello"])),
            ),
            (json!({"value": "{n|count}", "fixed": [1, true]}), Some(json!({"value": 3, "fixed": [1, true]}))),
            (json!(["{nothing}"]), None),
        ] {
            assert_eq!(json(&template, &scope(&slots)), filled, "{template}");
        }
    }
}
