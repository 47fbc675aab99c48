//! `set_state`: writes an entry of the user interface state, to which displays bind by `key`.

use super::{Act, Done, Tool, apply, args};
use crate::contract::{Change, Ui, clip};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "set_state",
    description: "sets one entry of the user interface state; every display with this `key` shows it.",
    parameters: r#"{"type":"object","properties":{"key":{"type":"string"},"value":{}},"required":["key","value"]}"#,
    fits: |value| set(value.clone()).map(drop),
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    key: String,
    #[serde(default)]
    value: Value,
}

/// `null` is a value here, and not the same as none.
fn set(value: Value) -> Result<Args, String> {
    let is_there = value.as_object().is_none_or(|fields| fields.contains_key("value"));
    let args = args(value)?;
    if is_there { Ok(args) } else { Err("the arguments don't fit: `value` is missing".to_owned()) }
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { key, value } = set(value)?;
    let summary = format!("{key} = {}", clip(&value.to_string(), 80));
    apply(view, ui, Change::SetState { key, value }, summary)
}
