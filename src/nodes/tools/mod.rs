//! The tools that a plan can name, one file each.
//!
//! A tool reads the view and a copy of what the user sees, and returns changes as data; nothing it does is seen before the
//! engine applies them. To add one: copy the nearest file and add a line to [`ALL`].

mod add_state;
mod create_machine;
mod describe;
mod destroy_machine;
mod drawable;
mod emit_actions;
mod emit_display;
mod query;
mod recall;
mod reset_machine;
mod set_state;
mod shapes;
mod signature;

use super::{ToolReport, View};
use crate::contract::{Change, DatabaseAsk, ToolSpec, Ui, unique_json};
use crate::reading;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use signature::signatures;

/// A tool: what a model sees of it, whether arguments fit, and what it does.
#[derive(Debug)]
pub struct Tool {
    pub name: &'static str,
    pub description: &'static str,
    /// JSON Schema of the arguments.
    pub parameters: &'static str,
    pub fits: fn(&Value) -> Result<(), String>,
    pub act: Act,
}

impl Tool {
    pub fn spec(&self) -> ToolSpec {
        ToolSpec { name: self.name.into(), description: self.description.into(), parameters: self.parameters.into() }
    }
}

/// How a tool works.
#[derive(Debug)]
pub enum Act {
    /// At once, on the copy.
    Run(Run),
    /// By querying the node's database. `display` is how the user sees what it found.
    Ask { ask: fn(&View<'_>, &Value) -> Result<Asked, String>, display: Option<fn(&View<'_>, &ToolReport) -> Option<Change>> },
}

/// What a tool does at once, on the copy of what the user sees.
pub type Run = fn(&View<'_>, &mut Ui, Value) -> Result<Done, String>;

/// A question to a database, and the tables that have to be described before it.
pub type Asked = (DatabaseAsk, Vec<String>);

/// What a tool did.
#[derive(Debug, Default)]
pub struct Done {
    pub summary: String,
    pub changes: Vec<Change>,
    /// What it found; a tool that looks nothing up has none.
    pub data: Option<Value>,
    pub rows: Option<u64>,
}

pub const ALL: &[Tool] = &[
    emit_actions::TOOL,
    emit_display::TOOL,
    set_state::TOOL,
    create_machine::TOOL,
    add_state::TOOL,
    reset_machine::TOOL,
    destroy_machine::TOOL,
    recall::TOOL,
    describe::TOOL,
    query::TOOL,
];

pub fn named(name: &str) -> Option<&'static Tool> {
    ALL.iter().find(|tool| tool.name == name)
}

/// What the user sees, as tools of a new answer meet it: its controls take the place of the last answer's.
pub fn fresh(ui: &Ui) -> Ui {
    Ui { thinker: Vec::new(), ..ui.clone() }
}

/// The name under which a table's description is shown that a query needs first.
pub(super) const DESCRIBE: &str = describe::TOOL.name;

/// A tool that the node may call. A node without a list may call all that need no database.
pub(super) fn offered(view: &View<'_>, name: &str) -> Result<&'static Act, String> {
    let is_listed = view.node.tools.iter().any(|spec| spec.name == name);
    match named(name).map(|tool| &tool.act) {
        Some(act @ Act::Run(_)) if is_listed || view.node.tools.is_empty() => Ok(act),
        Some(act @ Act::Ask { .. }) if is_listed => Ok(act),
        Some(Act::Run(_) | Act::Ask { .. }) | None => Err(format!("there is no tool `{name}`; the tools are {}", names(&view.node.tools))),
    }
}

/// What the user sees of what a call found, if anything.
pub(super) fn display(view: &View<'_>, report: &ToolReport) -> Option<Change> {
    match named(&report.tool).map(|tool| &tool.act) {
        Some(Act::Ask { display: Some(display), .. }) if report.ok => display(view, report),
        Some(Act::Ask { .. } | Act::Run(_)) | None => None,
    }
}

fn names(tools: &[ToolSpec]) -> String {
    let all = if tools.is_empty() {
        ALL.iter().map(|tool| tool.name).collect()
    } else {
        tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>()
    };
    all.join(", ")
}

/// Arguments as a tool's own type.
fn args<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    if let Value::String(text) = &value
        && let (Ok(_), Err(twice)) = (serde_json::from_str::<Value>(text), unique_json(text))
    {
        return Err(format!("the arguments don't fit: {twice}"));
    }
    reading::fit(value).map_err(|wrong| format!("the arguments don't fit: {wrong}"))
}

fn fits<T: DeserializeOwned>(value: &Value) -> Result<(), String> {
    args::<T>(value.clone()).map(drop)
}

/// Applies a change to the copy, so that the next call meets it.
fn apply(view: &View<'_>, ui: &mut Ui, change: Change, summary: String) -> Result<Done, String> {
    ui.apply(change.clone(), view.limits).map_err(|error| error.to_string())?;
    Ok(Done { summary, changes: vec![change], ..Done::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_twice_is_named() {
        let text = r#"{"id":"lamp","states":{"red":{},"red":{}}}"#;
        let value = reading::certain(text).unwrap_or(text.into());
        let error = args::<Value>(value).unwrap_err();
        assert!(error.contains("`red` is there twice"), "{error}");
    }

    #[test]
    fn every_tool_states_its_arguments_as_a_schema() {
        for tool in ALL {
            let schema: Value = serde_json::from_str(tool.parameters).expect(tool.name);
            assert_eq!(schema["type"], "object", "{}", tool.name);
        }
    }
}
