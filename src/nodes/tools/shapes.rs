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
        #[serde(flatten)]
        rest: Map<String, Value>,
    },
}

/// What models write where `go` is meant.
const MEANT_GO: [&str; 7] = ["target", "to", "next", "goto", "next_state", "state", "transition"];

impl ButtonArg {
    pub(crate) fn normal(self, source: &Source) -> Result<Button, String> {
        let (label, action, go, payload, rest) = match self {
            ButtonArg::Label(label) => (label, None, None, None, Map::new()),
            ButtonArg::Full { label, action, go, payload, rest } => (label, action, go, payload, rest),
        };
        if let (None, Source::Machine(_), Some(field)) = (&go, source, MEANT_GO.iter().find(|field| rest.contains_key(**field))) {
            return Err(format!(
                "the button `{label}` has a `{field}`, and no button has that: write `go` with the state that it leads to"
            ));
        }
        let action = action.filter(|action| !action.trim().is_empty()).unwrap_or_else(|| slug(&label));
        let mut button = Button::new(label, action);
        (button.go, button.payload, button.source) = (go, payload, source.clone());
        Ok(button)
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
        let buttons = self.buttons.into_iter().map(|button| button.normal(&source)).collect::<Result<_, _>>()?;
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
            let normal = serde_json::from_value::<ButtonArg>(button.clone()).unwrap().normal(&source).unwrap();
            let told = (normal.label.as_str(), normal.action.as_str(), normal.go.as_deref(), normal.payload.clone(), &normal.source);
            assert_eq!(told, (label, action, go, payload, &source), "{button}");
        }
        for button in [json!({"action": "a"}), json!(1), json!({"label": 1})] {
            assert!(serde_json::from_value::<ButtonArg>(button.clone()).is_err(), "{button}");
        }
    }

    #[test]
    fn a_button_of_a_machine_that_names_its_state_otherwise_is_told_of_go() {
        let button = |button: Value, source: &Source| serde_json::from_value::<ButtonArg>(button).unwrap().normal(source);
        let machine = Source::Machine("m".to_owned());
        for field in MEANT_GO {
            let error = button(json!({"label": "On", field: "on"}), &machine).unwrap_err();
            assert!(error.contains(&format!("`{field}`")) && error.contains("write `go`"), "{error}");
        }
        assert!(button(json!({"label": "On", "go": "on", "type": "button", "target": "on"}), &machine).is_ok(), "it says where it goes");
        assert!(button(json!({"label": "On", "target": "on"}), &Source::Thinker).is_ok(), "it goes nowhere");
    }

    #[test]
    fn a_state_s_name_and_content_are_taken_as_models_write_them() {
        let normal = |state: Value| serde_json::from_value::<StatesArg>(json!([state])).unwrap().normal("m").unwrap().remove(0);
        for field in ["name", "state", "id"] {
            assert_eq!(normal(json!({field: "a"})).name, "a", "{field}");
        }
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
