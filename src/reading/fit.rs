//! A value put into a type: a deserializer that takes what is meant and knows its place.

use super::wrong::{At, Wrong};
use serde::de::value::{MapAccessDeserializer, StrDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::vec;

pub(super) struct Fitting<'a> {
    value: Value,
    at: At<'a>,
}

impl Fitting<'_> {
    pub(super) fn of<T: DeserializeOwned>(value: Value) -> Result<T, Wrong> {
        T::deserialize(Fitting { value, at: At::Root })
    }

    fn wrong(&self, wanted: &str) -> Wrong {
        Wrong::found(&self.value, &wanted).at(&self.at)
    }

    /// JSON that was written as text.
    fn unwrapped(mut self) -> Self {
        if let Value::String(text) = &self.value
            && let Some(inner @ (Value::Object(_) | Value::Array(_))) = super::certain(text)
        {
            self.value = inner;
        }
        self
    }

    /// A number that was written as text.
    fn counted(mut self) -> Self {
        if let Value::String(text) = &self.value
            && let Ok(number @ Value::Number(_)) = serde_json::from_str(text.trim())
        {
            self.value = number;
        }
        self
    }

    fn integer<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let this = self.counted();
        let whole = this.value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e15);
        let taken = match (this.value.as_u64(), this.value.as_i64(), whole) {
            (Some(number), ..) => visitor.visit_u64(number),
            (None, Some(number), _) => visitor.visit_i64(number),
            (None, None, Some(number)) => visitor.visit_i64(number as i64),
            (None, None, None) => return Err(this.wrong("a whole number")),
        };
        taken.map_err(|wrong: Wrong| wrong.at(&this.at))
    }
}

macro_rules! integers {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            self.integer(visitor)
        })*
    };
}

macro_rules! texts {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            let text = match self.value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => return Err(self.wrong("a text")),
            };
            visitor.visit_string(text).map_err(|wrong: Wrong| wrong.at(&self.at))
        })*
    };
}

impl<'de> Deserializer<'de> for Fitting<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let Fitting { value, at } = self;
        let taken = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (None, Some(number), _) => visitor.visit_i64(number),
                (None, None, number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(items) => visitor.visit_seq(Items { items: items.into_iter(), at, place: 0 }),
            Value::Object(fields) => visitor.visit_map(Fields { fields: fields.into_iter(), at, next: None }),
        };
        taken.map_err(|wrong: Wrong| wrong.at(&at))
    }

    texts!(deserialize_str deserialize_string deserialize_char deserialize_identifier);
    integers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let this = self.counted();
        let number = this.value.as_f64().ok_or_else(|| this.wrong("a number"))?;
        visitor.visit_f64(number).map_err(|wrong: Wrong| wrong.at(&this.at))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let truth = match &self.value {
            Value::Bool(truth) => *truth,
            Value::String(text) if text.eq_ignore_ascii_case("true") => true,
            Value::String(text) if text.eq_ignore_ascii_case("false") => false,
            _ => return Err(self.wrong("true or false")),
        };
        visitor.visit_bool(truth).map_err(|wrong: Wrong| wrong.at(&self.at))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// One value where a list is meant is a list of one; an item that is null is none.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let mut items = match self.value {
            Value::String(text) if text.trim().is_empty() => Vec::new(),
            Value::String(text) if text.trim_start().starts_with('[') => match super::certain(&text) {
                Some(Value::Array(items)) => items,
                Some(item) => vec![item],
                None => vec![Value::String(text)],
            },
            Value::Array(items) => items,
            Value::Null => return Err(self.wrong("a list")),
            one => vec![one],
        };
        items.retain(|item| !item.is_null());
        let items = Items { items: items.into_iter(), at: self.at, place: 0 };
        visitor.visit_seq(items).map_err(|wrong: Wrong| wrong.at(&self.at))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        let this = self.unwrapped();
        if this.value.is_object() { this.deserialize_any(visitor) } else { Err(this.wrong("an object")) }
    }

    /// `null` is a field that is absent.
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Wrong> {
        let mut this = self.unwrapped();
        if let Value::Array(items) = &mut this.value
            && let [Value::Object(_)] = &items[..]
        {
            this.value = items.remove(0);
        }
        if let Value::Object(fields) = &mut this.value {
            fields.retain(|_, value| !value.is_null());
        }
        this.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, names: &'static [&'static str], visitor: V) -> Result<V::Value, Wrong> {
        let meant = self.value.as_str().and_then(|text| names.iter().find(|name| name.eq_ignore_ascii_case(text.trim())));
        let meant: StrDeserializer<'_, Wrong> = match meant {
            Some(name) => name.into_deserializer(),
            None => {
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                return Err(self.wrong(&format!("one of {}", names.join(", "))));
            }
        };
        visitor.visit_enum(meant).map_err(|wrong: Wrong| wrong.at(&self.at))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_seq(visitor)
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit unit_struct ignored_any }
}

/// A list's items, each at its place.
struct Items<'a> {
    items: vec::IntoIter<Value>,
    at: At<'a>,
    place: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let place = self.place;
        self.place += 1;
        let at = At::Item(&self.at, place);
        seed.deserialize(Fitting { value, at }).map(Some).map_err(|wrong| wrong.at(&at))
    }
}

/// An object's fields, each at its place.
struct Fields<'a> {
    fields: serde_json::map::IntoIter,
    at: At<'a>,
    next: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        self.next = self.fields.next();
        let Some((name, _)) = &self.next else { return Ok(None) };
        let name: StringDeserializer<Wrong> = name.clone().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (name, value) = self.next.take().ok_or_else(|| Wrong::custom("a value is read before its name"))?;
        let at = At::Field(&self.at, &name);
        seed.deserialize(Fitting { value, at }).map_err(|wrong| wrong.at(&at))
    }
}

/// Something that may be written as a text alone.
#[derive(Clone, Debug, PartialEq)]
pub enum OrText<T> {
    Text(String),
    Whole(T),
}

impl<'de, T: DeserializeOwned> serde::Deserialize<'de> for OrText<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: DeserializeOwned> Visitor<'de> for Either<T> {
            type Value = OrText<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or an object")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OrText<T>, E> {
                match text.trim_start().starts_with('{').then(|| super::certain(text)).flatten() {
                    Some(inner @ Value::Object(_)) => super::fit(inner).map(OrText::Whole).map_err(E::custom),
                    Some(_) | None => Ok(OrText::Text(text.to_owned())),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<OrText<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(OrText::Whole)
            }
        }
        from.deserialize_any(Either(std::marker::PhantomData))
    }
}
