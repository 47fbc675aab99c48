//! `destroy_machine`: takes a machine and its buttons away.

use super::{Act, Done, Tool, apply, args, fits};
use crate::contract::{Change, Ui};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "destroy_machine",
    description: "takes a machine and its buttons away.",
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
    let summary = format!("machine {id} destroyed");
    apply(view, ui, Change::DestroyMachine { id }, summary)
}
