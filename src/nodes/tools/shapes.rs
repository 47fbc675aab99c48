//! The shapes in which models write buttons, displays and states, and what they are normalised to.
//!
//! A button may be a label alone, states may be a map or a list, content may be a sentence: what a model means is taken.

use crate::contract::{Button, Display, DisplayKind, Source, State};
use crate::reading::OrText;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;

/// A button, or its label alone.
pub(crate) type ButtonArg = OrText<ButtonBody>;

#[derive(Deserialize)]
pub(crate) struct ButtonBody {
    label: String,
    action: Option<String>,
    go: Option<String>,
    payload: Option<Value>,
    // What models write where `go` is meant, some of it beside it.
    target: Option<Value>,
    to: Option<Value>,
    next: Option<Value>,
    goto: Option<Value>,
    next_state: Option<Value>,
    state: Option<Value>,
    transition: Option<Value>,
}

/// # Errors
/// When a machine's button says where it leads, and not by `go`.
pub(crate) fn button(arg: ButtonArg, source: &Source) -> Result<Button, String> {
    let (label, action, go, payload, target) = match arg {
        OrText::Text(label) => (label, None, None, None, None),
        OrText::Whole(ButtonBody { label, action, go, payload, target, to, next, goto, next_state, state, transition }) => {
            let target = [target, to, next, goto, next_state, state, transition].into_iter().flatten().next();
            (label, action, go, payload, target)
        }
    };
    if let (None, Source::Machine(_), Some(state)) = (&go, source, target) {
        return Err(format!("the button `{label}` leads to {state}, but not by `go`: write `go` with the name of that state"));
    }
    let action = action.filter(|action| !action.trim().is_empty()).unwrap_or_else(|| slug(&label));
    let mut button = Button::new(label, action);
    (button.go, button.payload, button.source) = (go, payload, source.clone());
    Ok(button)
}

/// A label as an action's name: `Switch on!` becomes `switch_on`.
fn slug(label: &str) -> String {
    let words = label.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_lowercase).collect::<Vec<_>>().join("_");
    if slug.is_empty() { "button".to_owned() } else { slug }
}

/// A display, or a sentence.
pub(crate) type ContentArg = OrText<DisplayBody>;

pub(crate) struct DisplayBody(Display);

pub(crate) fn display(arg: ContentArg) -> Display {
    match arg {
        OrText::Text(text) => {
            let rest = Map::from_iter([("text".to_owned(), Value::String(text))]);
            Display { kind: DisplayKind::Text, label: None, key: None, rest }
        }
        OrText::Whole(DisplayBody(display)) => display,
    }
}

impl<'de> Deserialize<'de> for DisplayBody {
    /// Field by field, so that each knows its place.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = DisplayBody;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<DisplayBody, A::Error> {
                let (mut kind, mut label, mut key, mut rest) = (None, None, None, Map::new());
                while let Some(name) = fields.next_key::<String>()? {
                    match name.as_str() {
                        "type" => kind = Some(fields.next_value()?),
                        "label" => label = fields.next_value()?,
                        "key" => key = fields.next_value()?,
                        _ => {
                            rest.insert(name, fields.next_value()?);
                        }
                    }
                }
                let kind = kind.ok_or_else(|| Error::missing_field("type"))?;
                Ok(DisplayBody(Display { kind, label, key, rest }))
            }
        }
        from.deserialize_map(Fields)
    }
}

#[derive(Deserialize)]
pub(crate) struct StateArg {
    name: Option<String>,
    // What models write where `name` is meant, some of it beside it.
    state: Option<Value>,
    id: Option<Value>,
    #[serde(default)]
    buttons: Vec<ButtonArg>,
    #[serde(default)]
    content: Vec<ContentArg>,
}

impl StateArg {
    fn normal(self, name: Option<String>, machine: &str) -> Result<State, String> {
        let other = || [self.state, self.id].into_iter().flatten().find_map(|name| crate::reading::fit(name).ok());
        let name = name.or(self.name).or_else(other).filter(|name| !name.trim().is_empty()).ok_or("a state in the list has no `name`")?;
        state(name, self.buttons, self.content, machine)
    }
}

pub(crate) fn state(name: String, buttons: Vec<ButtonArg>, content: Vec<ContentArg>, machine: &str) -> Result<State, String> {
    let source = Source::Machine(machine.to_owned());
    let buttons = buttons.into_iter().map(|arg| button(arg, &source)).collect::<Result<_, _>>()?;
    Ok(State { name, buttons, content: content.into_iter().map(display).collect() })
}

/// States as a list, or as a map from their names.
pub(crate) struct StatesArg(Vec<(Option<String>, StateArg)>);

impl StatesArg {
    pub(crate) fn normal(self, machine: &str) -> Result<Vec<State>, String> {
        self.0.into_iter().map(|(name, state)| state.normal(name, machine)).collect()
    }
}

impl<'de> Deserialize<'de> for StatesArg {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = StatesArg;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of states, or a list of them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<StatesArg, E> {
                match crate::reading::certain(text) {
                    Some(inner @ (Value::Object(_) | Value::Array(_))) => crate::reading::fit(inner).map_err(E::custom),
                    Some(_) | None => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<StatesArg, A::Error> {
                let mut states = Vec::new();
                while let Some(state) = items.next_element()? {
                    states.push((None, state));
                }
                Ok(StatesArg(states))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<StatesArg, A::Error> {
                let mut states = Vec::new();
                while let Some((name, state)) = fields.next_entry()? {
                    states.push((Some(name), state));
                }
                Ok(StatesArg(states))
            }
        }
        from.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::fit;
    use serde_json::json;

    #[test]
    fn states_may_be_a_map_or_a_list() {
        let state = json!({"buttons": [{"label": "Go!", "go": "b"}], "content": ["It waits.", {"type": "value", "value": 1}]});
        let mut named = state.clone();
        named["name"] = json!("a");
        let normal = |states| fit::<StatesArg>(states).unwrap().normal("m").unwrap();
        let (map, list) = (normal(json!({"a": state})), normal(json!([named])));
        assert_eq!(map, list);
        assert_eq!((map[0].buttons[0].action.as_str(), map[0].content.len()), ("go", 2));
        assert!(fit::<StatesArg>(json!([{"buttons": []}])).unwrap().normal("m").is_err(), "no name");
    }

    #[test]
    fn a_button_may_be_a_label_or_whole_and_has_an_action_in_the_end() {
        let source = Source::Machine("m".to_owned());
        for (button, label, action, go, payload) in [
            (json!("Switch on!"), "Switch on!", "switch_on", None, None),
            (json!({"label": "Über Nacht"}), "Über Nacht", "über_nacht", None, None),
            (json!({"label": "→"}), "→", "button", None, None),
            (json!({"label": "A", "action": "do_it", "go": "b"}), "A", "do_it", Some("b"), None),
            (json!({"label": "A", "action": " ", "payload": {"n": 1}}), "A", "a", None, Some(json!({"n": 1}))),
        ] {
            let normal = super::button(fit::<ButtonArg>(button.clone()).unwrap(), &source).unwrap();
            let told = (normal.label.as_str(), normal.action.as_str(), normal.go.as_deref(), normal.payload.clone(), &normal.source);
            assert_eq!(told, (label, action, go, payload, &source), "{button}");
        }
        for button in [json!({"action": "a"}), json!(1), json!({"label": {}})] {
            assert!(fit::<ButtonArg>(button.clone()).is_err(), "{button}");
        }
    }

    #[test]
    fn a_button_of_a_machine_that_names_its_state_otherwise_is_told_of_go() {
        let button = |button: Value, source: &Source| super::button(fit::<ButtonArg>(button).unwrap(), source);
        let machine = Source::Machine("m".to_owned());
        for field in ["target", "to", "next", "goto", "next_state", "state", "transition"] {
            let error = button(json!({"label": "On", field: "on"}), &machine).unwrap_err();
            assert!(error.contains("leads to \"on\"") && error.contains("write `go`"), "{error}");
        }
        assert!(button(json!({"label": "On", "go": "on", "type": "button", "target": "on"}), &machine).is_ok(), "it says where it goes");
        let both = json!({"label": "On", "go": "on", "state": "off", "transition": {"to": "off"}});
        assert_eq!(button(both, &machine).unwrap().go.as_deref(), Some("on"), "`go` wins");
        assert!(button(json!({"label": "On", "target": "on"}), &Source::Thinker).is_ok(), "it goes nowhere");
    }

    #[test]
    fn a_state_s_name_and_content_are_taken_as_models_write_them() {
        let normal = |state: Value| fit::<StatesArg>(json!([state])).unwrap().normal("m").unwrap().remove(0);
        for field in ["name", "state", "id"] {
            assert_eq!(normal(json!({field: "a"})).name, "a", "{field}");
        }
        assert_eq!(normal(json!({"id": 7, "name": "a", "state": {}})).name, "a", "`name` wins");
        let value = json!({"type": "value", "label": "Score", "value": 7});
        for (content, shown) in [
            (json!("It is dark."), vec![json!({"type": "text", "text": "It is dark."})]),
            (value.clone(), vec![value.clone()]),
            (json!(["Dark.", value]), vec![json!({"type": "text", "text": "Dark."}), value.clone()]),
            (json!([]), vec![]),
            (Value::Null, vec![]),
        ] {
            let state = normal(json!({"name": "a", "content": content}));
            assert_eq!(serde_json::to_value(state.content).unwrap(), json!(shown), "{content}");
        }
    }
}
