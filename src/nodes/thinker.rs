//! Thinker: does what the director decided, tool by tool.
//!
//! A call whose arguments fit is run at once; where the plan left arguments open, a model is asked for them, once. What the
//! tools want changed goes along in the packet. Route `interpret` when a tool returned data, else `output`. Default: the calls
//! that stay open are reported as failed.

use super::sequence::{Sequence, Step};
use super::{Flow, Found, Out, Packet, PlannedCall, Task, ToolReport, Unfit, View, read, tools, unrouted};
use crate::contract::{Answer, Verdict, What};
use serde::{Deserialize, Serialize};

pub(crate) const ROUTES: &[&str] = &["output", "interpret"];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Thinking {
    /// The calls of the plan, some with open arguments; a model was asked for those.
    Filling { calls: Vec<PlannedCall> },
    /// A database is asked; the calls that are left wait.
    Running { sequence: Box<Sequence> },
}

#[derive(Deserialize)]
struct Filled {
    calls: Vec<PlannedCall>,
}

pub(crate) fn begin(view: &View<'_>, out: &mut Out) -> Flow {
    if view.packet.reply.is_some() {
        // The answer is there: nothing was planned.
        return Flow::Go("output".into(), Box::default());
    }
    let planned = view.packet.decision.as_ref().map(|decision| decision.tool_sequence.as_slice()).unwrap_or_default();
    let open = open(planned);
    if open.is_empty() {
        return run(view, out, planned.to_vec());
    }
    let packet = Packet { open, ..view.packet.clone() };
    View { packet: &packet, ..*view }.ask(Task::Thinker(Thinking::Filling { calls: planned.to_vec() }))
}

/// The calls that a model is asked to fill in.
pub(super) fn open(planned: &[PlannedCall]) -> Vec<PlannedCall> {
    planned.iter().filter(|call| is_open(call)).cloned().collect()
}

/// A known tool whose arguments don't fit yet. An unknown tool stays unknown, whatever its arguments.
fn is_open(call: &PlannedCall) -> bool {
    tools::named(&call.tool).is_some_and(|tool| (tool.fits)(&call.args).is_err())
}

impl Thinking {
    pub(crate) fn resume(self, view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        match self {
            Thinking::Filling { calls } => match fill(&calls, &answer.text) {
                Ok(calls) => run(view, out, calls),
                Err(why) => Flow::Again { why, task: Task::Thinker(Thinking::Filling { calls }) },
            },
            Thinking::Running { sequence } => go_on(view, out, |out| sequence.resume(view, out, answer)),
        }
    }

    pub(crate) fn decided(self, view: &View<'_>, out: &mut Out, verdict: Verdict) -> Flow {
        match self {
            Thinking::Running { sequence } => go_on(view, out, |out| sequence.decided(view, out, verdict)),
            Thinking::Filling { .. } => unreachable!("a sequence waits for approvals"),
        }
    }

    pub(crate) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        match self {
            Thinking::Filling { calls } => run(view, out, calls),
            Thinking::Running { sequence } => {
                let sequence = sequence.cut_short(view, out);
                finish(view, out, sequence)
            }
        }
    }
}

/// Puts the model's arguments, in order, where the plan left them open.
fn fill(calls: &[PlannedCall], text: &str) -> Result<Vec<PlannedCall>, Unfit> {
    let mut filled = read::<Filled>(text)?.calls;
    let mut calls = calls.to_vec();
    for call in calls.iter_mut().filter(|call| is_open(call)) {
        let fitting = filled.iter().position(|new| new.tool == call.tool && !is_open(new));
        call.args = match (fitting, filled.iter().find(|new| new.tool == call.tool)) {
            (Some(place), _) => filled.remove(place).args,
            (None, Some(new)) => {
                let why = tools::named(&new.tool).and_then(|tool| (tool.fits)(&new.args).err());
                return Err(Unfit {
                    why: format!("`{}`: {}", call.tool, why.unwrap_or_default()),
                    outline: format!("`{}`: its arguments don't fit", call.tool),
                });
            }
            (None, None) => return Err(format!("the arguments of `{}` are missing", call.tool).as_str().into()),
        };
    }
    Ok(calls)
}

fn run(view: &View<'_>, out: &mut Out, calls: Vec<PlannedCall>) -> Flow {
    if calls.is_empty() {
        out.events.push(What::Thinking { detail: "no tools needed".to_owned() });
    }
    go_on(view, out, |out| Sequence::new(view, calls).run(view, out))
}

fn go_on(view: &View<'_>, out: &mut Out, run: impl FnOnce(&mut Out) -> Step) -> Flow {
    match run(out) {
        Step::Ask(request, sequence) => Flow::Ask(request, Task::Thinker(Thinking::Running { sequence: Box::new(sequence) })),
        Step::Done(sequence) => finish(view, out, sequence),
    }
}

fn finish(view: &View<'_>, out: &mut Out, sequence: Sequence) -> Flow {
    let unapproved = sequence.answers_nothing();
    let Sequence { reports, changes, .. } = sequence;
    let has_data = reports.iter().any(|report| report.data.is_some());
    out.summary = summary(&reports);
    let found = Found { results: reports, changes, ..Found::default() };
    if let Some(verdict) = unapproved {
        return unrouted::unapproved(view, "output", verdict, found);
    }
    Flow::Go(if has_data { "interpret" } else { "output" }.into(), Box::new(found))
}

/// What became of each call, in a line.
pub(super) fn summary(reports: &[ToolReport]) -> String {
    let done = reports.iter().map(|report| format!("{} {}", report.tool, if report.ok { "ok" } else { "failed" }));
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
        let filling = Thinking::Filling { calls: vec![PlannedCall { tool: "recall".into(), args: json!(null) }] };
        for (says, flow) in [
            (r#"{"calls":[{"tool":"recall","args":{"query":"tea"}}]}"#, "go interpret"),
            (r#"{"calls":{"name":"recall","arguments":"{\"query\":\"tea\"}"}}"#, "go interpret"),
            (r#"{"calls":[{"tool":"recall","args":{}}]}"#, "again: `recall`: the arguments don't fit: `query` is missing"),
            (r#"{"calls":[]}"#, "again: the arguments of `recall` are missing"),
        ] {
            assert_eq!(check_with(&plan(json!([])), |view, out| filling.clone().resume(view, out, answer(says))), flow, "{says}");
        }
        assert_eq!(check_with(&plan(json!([])), |view, out| filling.clone().give_up(view, out)), "go output");
        let open = PlannedCall { tool: "recall".into(), args: json!(null) };
        let twice = Thinking::Filling { calls: vec![open.clone(), open] };
        let one = r#"{"calls":[{"tool":"recall","args":{"query":"tea"}}]}"#;
        let flow = check_with(&plan(json!([])), |view, out| twice.resume(view, out, answer(one)));
        assert!(flow.starts_with("again"), "each open call needs arguments of its own: {flow}");
    }
}
