//! `emit_actions`: shows buttons under the answer.

use super::shapes::{ButtonArg, button};
use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Control, Source, Ui};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "emit_actions",
    description: "shows buttons under this answer; pressing one sends its action and payload back as a new turn. They are replaced by the next answer.",
    parameters: r#"{"type":"object","properties":{"actions":{"type":"array","items":{"type":"object","properties":{"label":{"type":"string"},"action":{"type":"string","description":"short snake_case name"},"payload":{"type":"object"}},"required":["label"]}}},"required":["actions"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    actions: Vec<ButtonArg>,
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let args: Args = args(value)?;
    let buttons = args.actions.into_iter().map(|arg| button(arg, &Source::Thinker)).collect::<Result<Vec<_>, _>>()?;
    let labels: Vec<&str> = buttons.iter().map(|button| button.label.as_str()).collect();
    let summary = format!("buttons: {}", labels.join(", "));
    // Only a machine has states to go to.
    let controls = buttons.into_iter().map(|mut button| {
        button.go = None;
        Control::Button(button)
    });
    apply(view, ui, Change::Show(controls.collect()), summary)
}
