//! Templates: text and JSON with places to fill in.
//!
//! `{name}` is a named group of the pattern that matched, or a slot; `{memory.user_name}` is a field of a slot that is JSON, and
//! `{rows.0.1}` an item of a list there; `{n|count}` passes what it finds through a filter, and
//! `{n|count|row/rows}` says one word of one thing and the other of several. In JSON, `{"en": .., "de": ..}` becomes what stands under the language; `{"each": "{labels}", "as": ..}` makes a list:
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
    let path = filters.next()?;
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    let field = |value: &Value| value.pointer(&format!("/{}", rest.replace('.', "/"))).cloned();
    let found = match scope.names.get(name) {
        Some(text) => Value::from(text.as_str()),
        None if name == "item" && rest.is_empty() => scope.item.clone(),
        None if name == "item" => field(&scope.item)?,
        None if rest.is_empty() => Value::from(scope.slots.get(name)?.as_str()),
        None => field(&serde_json::from_str(scope.slots.get(name)?).ok()?)?,
    };
    let found = filters.try_fold(found, |found, name| filter(name, &found, scope.slot("language")))?;
    (!shown(&found).is_empty()).then_some(found)
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
        // What stands beside a number: of one thing, of several.
        _ if name.contains('/') => name.split_once('/').map(|(one, many)| Value::from(if text == "1" { one } else { many })),
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
        let names = [("labels", "red, 'dark blue' and green!"), ("n", "drei"), ("one", "ein"), ("none", "")];
        let names = names.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Scope { slots, names, item: Value::Null }
    }

    fn slots() -> BTreeMap<String, String> {
        let memory = json!({"user_name": "Ada", "topic": null, "facts": ["likes tea"]});
        let found = json!({"said": ["hi", "hello"], "messages": [{"role": "user", "content": "hi"}]});
        [("memory", memory.to_string()), ("found", found.to_string()), ("message", "2+2".into())].map(|(k, v)| (k.to_owned(), v)).into()
    }

    #[test]
    fn a_text_is_filled_whole_or_not_at_all() {
        let slots = slots();
        for (template, filled) in [
            ("plain", Some("plain")),
            ("Hello {memory.user_name}!", Some("Hello Ada!")),
            ("{memory.facts}", Some("likes tea")),
            ("{message} = {message|calc}", Some("2+2 = 4")),
            ("{found.said|quoted}", Some("“hi”, “hello”")),
            ("{found.said.1}", Some("hello")),
            ("{found.said.2}", None),
            ("{labels|title}", Some("Red, 'dark blue' and green!")),
            ("{memory.topic}", None),
            ("{memory.nothing}", None),
            ("{none}", None),
            ("{nothing}", None),
            ("{n|count} {n|count|row/rows}", Some("3 rows")),
            ("{one|count|is/are} {one|count} {one|count|row/rows}", Some("is 1 row")),
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
            (json!({"each": "{found.messages}", "as": "{item.role}: {item.content}"}), Some(json!(["user: hi"]))),
            (json!({"value": "{n|count}", "fixed": [1, true]}), Some(json!({"value": 3, "fixed": [1, true]}))),
            (json!(["{nothing}"]), None),
        ] {
            assert_eq!(json(&template, &scope(&slots)), filled, "{template}");
        }
    }
}
