//! `reset_machine`: puts a machine back into its initial state.

use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Ui};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "reset_machine",
    description: "puts a machine back into its initial state.",
    parameters: r#"{"type":"object","properties":{"id":{"type":"string"}},"required":["id"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

#[derive(Deserialize)]
struct Args {
    id: String,
}

fn run(view: &View<'_>, ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { id } = args(value)?;
    let summary = format!("machine {id} reset");
    apply(view, ui, Change::ResetMachine { id }, summary)
}
