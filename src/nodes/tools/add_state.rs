//! `add_state`: adds a state to a machine, or replaces it.

use super::shapes::{ButtonArg, ContentArg, state};
use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Ui};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "add_state",
    description: "adds a state to a machine, or replaces the one of that name as a whole; `buttons` and `content` as in create_machine.",
    parameters: r#"{"type":"object","properties":{"id":{"type":"string"},"state":{"type":"string"},"content":{"type":"array","items":{"type":"object"}},"buttons":{"type":"array","items":{"type":"object"}}},"required":["id","state"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    id: String,
    state: String,
    #[serde(default)]
    buttons: Vec<ButtonArg>,
    #[serde(default)]
    content: Vec<ContentArg>,
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { id, state: name, buttons, content } = args(value)?;
    let summary = format!("machine {id}: state {name}");
    let state = state(name, buttons, content, &id)?;
    apply(view, ui, Change::AddState { id, state }, summary)
}
