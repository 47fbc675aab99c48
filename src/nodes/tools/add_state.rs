//! `add_state`: adds a state to a machine, or replaces it.

use super::shapes::StateArg;
use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Ui};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "add_state",
    description: "adds a state to a machine, or replaces the one of that name as a whole; `buttons` and `content` as in create_machine.",
    parameters: r#"{"type":"object","properties":{"id":{"type":"string"},"state":{"type":"string"},"buttons":{"type":"array","items":{"type":"object"}},"content":{"type":"array","items":{"type":"object"}}},"required":["id","state"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    id: String,
    state: String,
    #[serde(flatten)]
    what: StateBody,
}

/// The rest of a state; its name stands outside.
#[derive(Deserialize)]
struct StateBody {
    #[serde(default)]
    buttons: Value,
    #[serde(default)]
    content: Value,
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { id, state, what } = args(value)?;
    let mut body = serde_json::Map::new();
    for (name, value) in [("buttons", what.buttons), ("content", what.content)] {
        if !value.is_null() {
            body.insert(name.to_owned(), value);
        }
    }
    let body: StateArg = args(Value::Object(body))?;
    let summary = format!("machine {id}: state {state}");
    let state = body.normal(Some(state), &id)?;
    apply(view, ui, Change::AddState { id, state }, summary)
}
