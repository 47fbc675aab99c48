//! The shapes in which models write buttons, displays and states, and what they are normalised to.
//!
//! A button may be a label alone, states may be a map or a list, content may be a sentence: what a model means is taken.

use crate::contract::{Button, Display, DisplayKind, Source, State};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum ButtonArg {
    Label(String),
    Full {
        label: String,
        #[serde(default)]
        action: Option<String>,
        #[serde(default)]
        go: Option<String>,
        #[serde(default)]
        payload: Option<Value>,
    },
}

impl ButtonArg {
    pub(crate) fn normal(self, source: &Source) -> Button {
        let (label, action, go, payload) = match self {
            ButtonArg::Label(label) => (label, None, None, None),
            ButtonArg::Full { label, action, go, payload } => (label, action, go, payload),
        };
        let action = action.filter(|action| !action.trim().is_empty()).unwrap_or_else(|| slug(&label));
        let mut button = Button::new(label, action);
        (button.go, button.payload, button.source) = (go, payload, source.clone());
        button
    }
}

/// A label as an action's name: `Switch on!` becomes `switch_on`.
fn slug(label: &str) -> String {
    let words = label.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let slug = words.map(str::to_lowercase).collect::<Vec<_>>().join("_");
    if slug.is_empty() { "button".to_owned() } else { slug }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum ContentArg {
    Sentence(String),
    One(Display),
    Many(Vec<ContentItem>),
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum ContentItem {
    Sentence(String),
    Display(Display),
}

impl ContentArg {
    pub(crate) fn normal(self) -> Vec<Display> {
        match self {
            ContentArg::Sentence(text) => vec![text_display(text)],
            ContentArg::One(display) => vec![display],
            ContentArg::Many(items) => items.into_iter().map(ContentItem::normal).collect(),
        }
    }
}

impl ContentItem {
    pub(crate) fn normal(self) -> Display {
        match self {
            ContentItem::Sentence(text) => text_display(text),
            ContentItem::Display(display) => display,
        }
    }
}

fn text_display(text: String) -> Display {
    Display { kind: DisplayKind::Text, label: None, key: None, rest: Map::from_iter([("text".to_owned(), Value::String(text))]) }
}

#[derive(Deserialize)]
pub(crate) struct StateArg {
    #[serde(default, alias = "state", alias = "id")]
    name: Option<String>,
    #[serde(default)]
    buttons: Vec<ButtonArg>,
    #[serde(default)]
    content: Option<ContentArg>,
}

impl StateArg {
    pub(crate) fn normal(self, name: Option<String>, machine: &str) -> Result<State, String> {
        let name = name.or(self.name).filter(|name| !name.trim().is_empty()).ok_or("a state in the list has no `name`")?;
        let source = Source::Machine(machine.to_owned());
        let buttons = self.buttons.into_iter().map(|button| button.normal(&source)).collect();
        Ok(State { name, buttons, content: self.content.map(ContentArg::normal).unwrap_or_default() })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum StatesArg {
    List(Vec<StateArg>),
    Map(std::collections::BTreeMap<String, StateArg>),
}

impl StatesArg {
    pub(crate) fn normal(self, machine: &str) -> Result<Vec<State>, String> {
        match self {
            StatesArg::List(list) => list.into_iter().map(|state| state.normal(None, machine)).collect(),
            StatesArg::Map(map) => map.into_iter().map(|(name, state)| state.normal(Some(name), machine)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn states_may_be_a_map_or_a_list() {
        let state = json!({"buttons": [{"label": "Go!", "go": "b"}], "content": ["It waits.", {"type": "value", "value": 1}]});
        let mut named = state.clone();
        named["name"] = json!("a");
        let normal = |states| serde_json::from_value::<StatesArg>(states).unwrap().normal("m").unwrap();
        let (map, list) = (normal(json!({"a": state})), normal(json!([named])));
        assert_eq!(map, list);
        assert_eq!((map[0].buttons[0].action.as_str(), map[0].content.len()), ("go", 2));
        assert!(serde_json::from_value::<StatesArg>(json!([{"buttons": []}])).unwrap().normal("m").is_err(), "no name");
    }
}
