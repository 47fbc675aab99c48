//! `set_state`: writes an entry of the user interface state, to which displays bind by `key`.

use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Ui, clip};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "set_state",
    description: "sets one entry of the user interface state; every display with this `key` shows it.",
    parameters: r#"{"type":"object","properties":{"key":{"type":"string"},"value":{}},"required":["key","value"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    key: String,
    value: Value,
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { key, value } = args(value)?;
    let summary = format!("{key} = {}", clip(&value.to_string(), 80));
    apply(view, ui, Change::SetState { key, value }, summary)
}
