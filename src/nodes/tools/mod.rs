//! The tools that a plan can name, one file each.
//!
//! A tool reads the view and a copy of what the user sees, and returns changes as data; nothing it does is seen before the
//! engine applies them. To add one: copy the nearest file and add a line to [`ALL`].

mod add_state;
mod create_machine;
mod describe;
mod destroy_machine;
mod emit_actions;
mod emit_display;
mod query;
mod recall;
mod reset_machine;
mod set_state;
mod shapes;

use super::{Out, PlannedCall, ToolReport, View};
use crate::contract::{Change, DatabaseAsk, ToolSpec, Ui, What, clip};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A tool: what a model sees of it, whether arguments fit, and what it does.
#[derive(Debug)]
pub struct Tool {
    pub spec: ToolSpec,
    pub fits: fn(&Value) -> Result<(), String>,
    pub act: Act,
}

/// How a tool works.
#[derive(Debug)]
pub enum Act {
    /// At once, on the copy.
    Run(fn(&View<'_>, &mut Ui, Value) -> Result<Done, String>),
    /// By asking the node's database: the question, and the tables that have to be described before it.
    Ask(fn(&View<'_>, &Value) -> Result<Asked, String>),
}

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
    ALL.iter().find(|tool| tool.spec.name == name)
}

/// What the user sees, as tools of a new answer meet it: its controls take the place of the last answer's.
pub fn fresh(ui: &Ui) -> Ui {
    Ui { thinker: Vec::new(), ..ui.clone() }
}

/// The signatures of tools, for a prompt.
pub fn signatures(tools: &[ToolSpec]) -> String {
    let line = |tool: &ToolSpec| format!("- `{}`: {}\n  arguments: `{}`", tool.name, tool.description, tool.parameters);
    tools.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Runs one call and shows it. A failed call is a report that says why, never the end of a turn.
pub fn run(view: &View<'_>, ui: &mut Ui, name: &str, args: Value, out: &mut Out) -> (ToolReport, Vec<Change>) {
    out.events.push(What::ToolCall { tool: name.to_owned(), args: args.clone() });
    let outcome = match named(name).filter(|_| is_offered(view, name)).map(|tool| &tool.act) {
        Some(Act::Run(run)) => run(view, ui, args.clone()),
        Some(Act::Ask(_)) | None => Err(format!("there is no tool `{name}`; the tools are {}", names(&view.node.tools))),
    };
    let tool = name.to_owned();
    let (report, done) = match outcome {
        Ok(done) => (ToolReport { tool, args, ok: true, summary: done.summary.clone(), data: done.data.clone() }, done),
        Err(why) => (ToolReport { tool, args, ok: false, summary: why, data: None }, Done::default()),
    };
    let summary = clip(&report.summary, 500);
    out.events.push(What::ToolResult { tool: report.tool.clone(), ok: report.ok, summary, rows: done.rows });
    (report, done.changes)
}

/// Whether the node may call the tool; a node without a list may call all that need no database.
pub(super) fn is_offered(view: &View<'_>, name: &str) -> bool {
    let is_listed = view.node.tools.iter().any(|spec| spec.name == name);
    is_listed || (view.node.tools.is_empty() && named(name).is_some_and(|tool| matches!(tool.act, Act::Run(_))))
}

/// What a call asks the node's database.
pub(super) fn asks(view: &View<'_>, call: &PlannedCall) -> Result<(DatabaseAsk, Vec<String>), String> {
    match named(&call.tool).map(|tool| &tool.act) {
        Some(Act::Ask(ask)) => ask(view, &call.args),
        Some(Act::Run(_)) | None => Err(format!("`{}` asks no database", call.tool)),
    }
}

/// What the user sees of a call's rows, if anything.
pub(super) fn display(view: &View<'_>, report: &ToolReport) -> Option<Change> {
    if report.tool == "query" { query::display(view, report) } else { None }
}

fn names(tools: &[ToolSpec]) -> String {
    let all = if tools.is_empty() {
        ALL.iter().map(|tool| tool.spec.name).collect()
    } else {
        tools.iter().map(|tool| tool.name).collect::<Vec<_>>()
    };
    all.join(", ")
}

/// Arguments as a tool's own type.
fn args<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| format!("the arguments don't fit: {error}"))
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
    use crate::nodes::Packet;
    use crate::nodes::testing::Fixture;
    use serde_json::json;

    #[test]
    fn every_tool_states_its_arguments_as_a_schema() {
        for tool in ALL {
            let schema: Value = serde_json::from_str(tool.spec.parameters).expect(tool.spec.name);
            assert_eq!(schema["type"], "object", "{}", tool.spec.name);
        }
    }

    #[test]
    fn a_call_that_fails_says_why_and_changes_nothing() {
        let (fixture, packet) = (Fixture::default(), Packet::default());
        for (tool, args, says) in [
            ("recal", json!({}), "there is no tool `recal`; the tools are emit_actions"),
            ("set_state", json!({"key": ""}), "the arguments don't fit: missing field `value`"),
            ("reset_machine", json!({"id": "lamp"}), "there is no machine `lamp`"),
            ("create_machine", json!({"id": "m", "initial": "b", "states": {"a": {}}}), "the machine `m` has no state `b`"),
        ] {
            let mut ui = Ui::default();
            let (report, changes) = run(&fixture.view(&packet), &mut ui, tool, args, &mut Out::default());
            assert!(!report.ok && report.summary.starts_with(says), "{}", report.summary);
            assert!(changes.is_empty() && ui == Ui::default());
        }
    }

    #[test]
    fn a_later_call_meets_what_an_earlier_one_did() {
        let (fixture, packet, mut ui) = (Fixture::default(), Packet::default(), Ui::default());
        for (tool, args) in [
            (
                "create_machine",
                json!({"id": "lamp", "initial": "off", "states": {"off": {"buttons": ["Switch on"], "content": "It is dark."}}}),
            ),
            ("add_state", json!({"id": "lamp", "state": "on", "buttons": [{"label": "Off", "go": "off"}]})),
            ("reset_machine", json!({"id": "lamp"})),
            ("emit_actions", json!({"actions": ["Red", {"label": "Blue", "payload": {"rgb": 255}}]})),
            ("emit_display", json!({"items": [{"type": "value", "key": "count"}]})),
            ("set_state", json!({"key": "count", "value": 3})),
        ] {
            let (report, _) = run(&fixture.view(&packet), &mut ui, tool, args, &mut Out::default());
            assert!(report.ok, "{tool}: {}", report.summary);
        }
        let controls = serde_json::to_value(ui.controls()).unwrap();
        assert_eq!(
            controls,
            json!([
                {"type": "button", "label": "Red", "action": "red", "source": "thinker"},
                {"type": "button", "label": "Blue", "action": "blue", "payload": {"rgb": 255}, "source": "thinker"},
                {"type": "value", "key": "count", "value": 3},
                {"type": "text", "text": "It is dark."},
                {"type": "button", "label": "Switch on", "action": "switch_on", "source": "machine:lamp"},
            ])
        );
        run(&fixture.view(&packet), &mut ui, "destroy_machine", json!({"id": "lamp"}), &mut Out::default());
        assert!(ui.machines.is_empty());
    }
}
