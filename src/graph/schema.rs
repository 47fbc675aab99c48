//! Schemas as their files have them: a model fills in fields in the order in which a schema names them, so what it should
//! think of first stands first.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// JSON without the blanks between its parts. The text is JSON.
pub(super) fn compact(json: &str) -> String {
    let (mut in_text, mut is_escaped) = (false, false);
    let is_kept = |sign: &char| {
        let is_kept = in_text || !sign.is_ascii_whitespace();
        if *sign == '"' && !is_escaped {
            in_text = !in_text;
        }
        is_escaped = in_text && *sign == '\\' && !is_escaped;
        is_kept
    };
    json.chars().filter(is_kept).collect()
}

/// The schema of an answer whose field `name`, where it has one, is one of `values`.
pub(super) fn with_choice(json: &str, name: &str, values: &[Option<&str>]) -> String {
    let Ok(mut schema) = serde_json::from_str::<Fields>(json) else { return json.to_owned() };
    let mut changed = schema.get("properties").and_then(|raw| serde_json::from_str::<Fields>(raw.get()).ok());
    if let Some(properties) = &mut changed
        && let Some(field) = properties.get(name)
        && let Ok(mut field) = serde_json::from_str::<Fields>(field.get())
    {
        field.set("enum", raw(&values));
        properties.set(name, raw(&field));
        schema.set("properties", raw(properties));
    }
    written(&schema)
}

/// The fields of an object, in their order.
struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what was read as JSON is written as JSON")
}

fn raw(value: &impl Serialize) -> Box<RawValue> {
    RawValue::from_string(written(value)).expect("it has just been written")
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_blanks_between_parts_are_left_out() {
        for (json, short) in [
            ("{ \"b\" : [1, 2],\n \"a\": \"x  y\" }", r#"{"b":[1,2],"a":"x  y"}"#),
            (r#"{ "a\" ": "\\ " , "c" : 1 }"#, r#"{"a\" ":"\\ ","c":1}"#),
        ] {
            assert_eq!(compact(json), short);
        }
    }

    #[test]
    fn a_choice_is_added_where_its_field_is_and_nothing_else_moves() {
        let schema = r#"{"type":"object","properties":{"z":{"type":"string"},"expert":{"type":"string"},"a":{}},"required":["z"]}"#;
        let chosen = r#"{"type":"object","properties":{"z":{"type":"string"},"expert":{"type":"string","enum":["x",null]},"a":{}},"required":["z"]}"#;
        assert_eq!(with_choice(schema, "expert", &[Some("x"), None]), chosen);
        assert_eq!(with_choice(schema, "other", &[None]), schema);
        assert_eq!(with_choice("{}", "other", &[None]), "{}");
    }
}
