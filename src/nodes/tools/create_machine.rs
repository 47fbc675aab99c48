//! `create_machine`: puts a little state machine into the chat; its buttons move it without a model.

use super::shapes::StatesArg;
use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Machine, Ui, counted};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

pub(super) const TOOL: Tool = Tool {
    name: "create_machine",
    description: "puts a state machine into the chat. `states` maps a name to {buttons, content}; a button with `go` moves the machine to that state at once, one without sends its `action` and `payload` back as a new turn; `content` holds displays as in emit_display. It stays until destroy_machine.",
    parameters: r#"{"type":"object","properties":{"id":{"type":"string"},"initial":{"type":"string"},"states":{"type":"object","additionalProperties":{"type":"object","properties":{"buttons":{"type":"array","items":{"type":"object","properties":{"label":{"type":"string"},"action":{"type":"string"},"go":{"type":"string"},"payload":{"type":"object"}},"required":["label"]}},"content":{"type":"array","items":{"type":"object"}}}}}},"required":["id","initial","states"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    id: String,
    initial: String,
    states: StatesArg,
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { id, initial, states } = args(value)?;
    let states = states.normal(&id)?;
    let summary = format!("machine {id} with {}, in {initial}", counted(states.len(), "state", "states"));
    apply(view, ui, Change::CreateMachine(Machine { id, current: initial.clone(), initial, states: Arc::new(states) }), summary)
}
