//! Thinker: does what the director decided, tool by tool.
//!
//! A call whose arguments fit is run at once; where the plan left arguments open, a model is asked for them, once. Each tool
//! runs on a copy of what the user sees, so that a later call meets what an earlier one did; the changes go along in the
//! packet. Route `interpret` when a tool returned data, else `output`. Default: the calls that stay open are reported as failed.

use super::{Flow, Found, Out, Packet, PlannedCall, Task, ToolReport, View, read, tools};
use crate::contract::{Answer, What};
use serde::Deserialize;

pub(crate) const ROUTES: &[&str] = &["output", "interpret"];

/// Calls that one turn may make.
const CALLS_MAX: usize = 20;

/// The calls of the plan, some with open arguments; a model was asked for those.
#[derive(Clone, Debug, PartialEq)]
pub struct Filling {
    calls: Vec<PlannedCall>,
}

#[derive(Deserialize)]
struct Filled {
    calls: Vec<PlannedCall>,
}

pub(crate) fn begin(view: &View<'_>, out: &mut Out) -> Flow {
    let planned = view.packet.decision.as_ref().map(|decision| decision.tool_sequence.as_slice()).unwrap_or_default();
    let calls: Vec<PlannedCall> = planned.iter().take(CALLS_MAX).cloned().collect();
    let open: Vec<PlannedCall> = calls.iter().filter(|call| is_open(call)).cloned().collect();
    if open.is_empty() {
        return run(view, out, calls);
    }
    let packet = Packet { open, ..view.packet.clone() };
    View { packet: &packet, ..*view }.ask(Task::Thinker(Filling { calls }))
}

/// A known tool whose arguments don't fit yet. An unknown tool stays unknown, whatever its arguments.
fn is_open(call: &PlannedCall) -> bool {
    tools::named(&call.tool).is_some_and(|tool| (tool.fits)(&call.args).is_err())
}

impl Filling {
    /// Puts the model's arguments, in order, where the plan left them open.
    pub(crate) fn resume(self, view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        let mut filled = match read::<Filled>(&answer.text) {
            Ok(Filled { calls }) => calls,
            Err(why) => return Flow::Again { why, task: Task::Thinker(self) },
        };
        let mut calls = self.calls.clone();
        for call in calls.iter_mut().filter(|call| is_open(call)) {
            match filled.iter().position(|new| new.tool == call.tool && !is_open(new)) {
                Some(at) => call.args = filled.remove(at).args,
                None => {
                    let why = format!("the arguments of `{}` are missing or don't fit its signature", call.tool);
                    return Flow::Again { why, task: Task::Thinker(self) };
                }
            }
        }
        run(view, out, calls)
    }

    pub(crate) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        run(view, out, self.calls)
    }
}

fn run(view: &View<'_>, out: &mut Out, calls: Vec<PlannedCall>) -> Flow {
    let mut found = Found::default();
    let mut ui = tools::fresh(view.ui);
    for call in calls {
        let (report, changes) = tools::run(view, &mut ui, &call.tool, call.args, out);
        found.changes.extend(changes);
        found.results.push(report);
    }
    let has_data = found.results.iter().any(|report| report.data.is_some());
    out.summary = summary(&found.results);
    if found.results.is_empty() {
        out.events.push(What::Thinking { detail: "no tools needed".to_owned() });
    }
    Flow::Go(if has_data { "interpret" } else { "output" }, Box::new(found))
}

fn summary(results: &[ToolReport]) -> String {
    let done = results.iter().map(|report| format!("{} {}", report.tool, if report.ok { "ok" } else { "failed" }));
    done.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Decision;
    use crate::nodes::testing::{answer, check_with};
    use serde_json::json;

    fn plan(calls: serde_json::Value) -> Packet {
        let tool_sequence = serde_json::from_value(calls).unwrap();
        Packet { decision: Some(Decision { tool_sequence, ..Decision::default() }), ..Packet::default() }
    }

    #[test]
    fn the_route_follows_from_what_the_tools_returned() {
        for (calls, flow) in [
            (json!([]), "go output"),
            (json!([{"tool":"set_state","args":{"key":"a","value":1}}]), "go output"),
            (json!([{"tool":"recall","args":{"query":"tea"}}]), "go interpret"),
            (json!([{"tool":"no_such_tool","args":{}}]), "go output"),
            (json!([{"tool":"recall"}]), "ask"),
        ] {
            assert_eq!(check_with(&plan(calls.clone()), begin), flow, "{calls}");
        }
    }

    #[test]
    fn a_model_fills_in_only_what_was_left_open() {
        let filling = Filling { calls: vec![PlannedCall { tool: "recall".into(), args: json!(null) }] };
        for (says, flow) in [
            (r#"{"calls":[{"tool":"recall","args":{"query":"tea"}}]}"#, "go interpret"),
            (r#"{"calls":[{"tool":"recall","args":{}}]}"#, "again: the arguments of `recall` are missing or don't fit its signature"),
            (r#"{"calls":[]}"#, "again: the arguments of `recall` are missing or don't fit its signature"),
        ] {
            assert_eq!(check_with(&plan(json!([])), |view, out| filling.clone().resume(view, out, answer(says))), flow, "{says}");
        }
        assert_eq!(check_with(&plan(json!([])), |view, out| filling.clone().give_up(view, out)), "go output");
        let open = PlannedCall { tool: "recall".into(), args: json!(null) };
        let twice = Filling { calls: vec![open.clone(), open] };
        let one = r#"{"calls":[{"tool":"recall","args":{"query":"tea"}}]}"#;
        let flow = check_with(&plan(json!([])), |view, out| twice.resume(view, out, answer(one)));
        assert!(flow.starts_with("again"), "each open call needs arguments of its own: {flow}");
    }
}
