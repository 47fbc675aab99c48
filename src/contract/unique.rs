//! JSON in which no object has a key twice. Most readers keep the last one and drop the others without a word.
//!
//! What reads text keeps its numbers, too: see [`exact`](super::exact()).

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Reads JSON to the digit; a key that an object has twice is an error that names it.
pub fn unique_json(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(&super::exact(text)).map(|Unique(value)| value)
}

/// For a field: JSON in which no key is there twice.
///
/// # Errors
/// As [`unique_json`].
pub fn unique<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    Unique::deserialize(from).map(|Unique(value)| value)
}

/// JSON in which no key is there twice.
pub struct Unique(pub Value);

struct Reader;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader).map(Unique)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(all.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if all.contains_key(&key) {
                return Err(Error::custom(format_args!("`{key}` is there twice: one of them would be lost; rename or remove it")));
            }
            let Unique(value) = entries.next_value()?;
            all.insert(key, value);
        }
        Ok(all.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_named_with_its_place() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,0.1,1e300,"x\"y",{}],"b":{"a":1}}"#;
        assert_eq!(unique_json(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(unique_json(r#"{"a":18446744073709551616}"#).unwrap()["a"], "18446744073709551616");
        for (text, says) in [
            ("{\"a\":1,\n\"a\":1}", "`a` is there twice: one of them would be lost; rename or remove it at line 2"),
            (r#"{"states":[{"red":{},"green":{},"red":{}}]}"#, "`red` is there twice"),
            (r#"{"a":1} {"a":2}"#, "trailing characters"),
        ] {
            let error = unique_json(text).unwrap_err().to_string();
            assert!(error.starts_with(says), "{error}");
        }
    }
}
