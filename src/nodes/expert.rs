//! Expert: a specialist that a graph configures without code: a database, a prompt, tools, limits.
//!
//! Stateless: the job that it is given is all it knows. It plans its tool calls ([`ExpertPlan`]), runs them with a line of
//! progress each, and a second call composes the answer from their results: streamed, or, when the plan says `interpret`, as
//! notes for the interpreter. A call that fails goes back to the model with the error, twice at most. Default when a plan
//! can't be understood: the answer says that nothing could be planned; when an answer can't be composed: the interpreter gets
//! what the tools returned.

use super::fit::fitting;
use super::sequence::{Sequence, Step};
use super::{ExpertPlan, Flow, Found, Out, Task, View, read, shown, unrouted};
use crate::contract::{Answer, ChatMessage, Finish, ModelRequest, Request, Role, Text, What, clip};
use serde::{Deserialize, Serialize};

pub(crate) const ROUTES: &[&str] = &["output", "interpret"];

/// What its two questions are called.
pub(super) const PLAN: &str = "plan";
pub(super) const COMPOSE: &str = "compose";

/// How often a failing call goes back to the model.
const REPAIRS_MAX: u32 = 2;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expert {
    /// The plan is being made; after a failure with what was done so far.
    Planning { done: Option<Box<Sequence>>, repairs: u32 },
    /// A database is asked; the calls that are left wait.
    Running { plan: ExpertPlan, sequence: Box<Sequence>, repairs: u32 },
    /// The answer is being put together.
    Composing { plan: ExpertPlan, sequence: Box<Sequence> },
}

pub(crate) fn begin(view: &View<'_>, _out: &mut Out) -> Flow {
    ask_for_plan(view, view.node.prompt.fill(view), Expert::Planning { done: None, repairs: 0 })
}

impl Expert {
    pub(crate) fn resume(self, view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        match self {
            Expert::Planning { done, repairs } => match read::<ExpertPlan>(&answer.text) {
                Ok(plan) => {
                    out.events.push(What::Planned { output: shown(&plan) });
                    let calls = plan.tool_sequence.iter().cloned();
                    let sequence = match done {
                        Some(done) => done.instead(calls),
                        None => Sequence::new(view, calls).careful(),
                    };
                    let step = sequence.run(view, out);
                    go_on(view, out, plan, repairs, step)
                }
                Err(why) => Flow::Again { why, task: Task::Expert(Expert::Planning { done, repairs }) },
            },
            Expert::Running { plan, sequence, repairs } => {
                let step = sequence.resume(view, out, answer);
                go_on(view, out, plan, repairs, step)
            }
            Expert::Composing { plan, sequence } => {
                if answer.text.trim().is_empty() {
                    return Flow::Again { why: answer.silence().why().into(), task: Task::Expert(Expert::Composing { plan, sequence }) };
                }
                finish(view, out, &plan, *sequence, Some((answer.text, answer.finish)))
            }
        }
    }

    pub(crate) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        match self {
            // What its calls found so far stays out of it: without a plan nobody knows what it answers.
            Expert::Planning { .. } => {
                out.summary = "not understood".to_owned();
                unrouted::unplanned(view, "output")
            }
            Expert::Running { plan, sequence, .. } => {
                let sequence = sequence.cut_short(view, out);
                finish(view, out, &plan, sequence, None)
            }
            Expert::Composing { plan, sequence } => finish(view, out, &plan, *sequence, None),
        }
    }
}

/// Runs the plan on: asks the database, has a failure mended, or composes. Tells each tool's end as progress.
fn go_on(view: &View<'_>, out: &mut Out, plan: ExpertPlan, repairs: u32, step: Step) -> Flow {
    match step {
        Step::Ask(request, sequence) => Flow::Ask(request, Task::Expert(Expert::Running { plan, sequence: Box::new(sequence), repairs })),
        Step::Done(sequence) => match sequence.failure() {
            Some(report) if repairs < REPAIRS_MAX => {
                let plea = format!(
                    "The call `{}` with {} failed: {}\nDone so far: {}\nPlan again: the calls that are still needed, this one mended.",
                    report.tool,
                    clip(&report.args.to_string(), 2_000),
                    clip(&report.summary, 1_000),
                    fitting(&sequence.reports, 8_000),
                );
                out.reason = Some(clip(&report.summary, 500));
                let mut messages = view.node.prompt.fill(view);
                messages.push(ChatMessage::new(Role::User, Text::slot("failure", plea)));
                ask_for_plan(view, messages, Expert::Planning { done: Some(Box::new(sequence)), repairs: repairs + 1 })
            }
            Some(_) | None => compose(view, plan, sequence),
        },
    }
}

fn ask_for_plan(view: &View<'_>, messages: Vec<ChatMessage>, task: Expert) -> Flow {
    let request = ModelRequest { stage: Some(PLAN.into()), ..view.request(messages, false) };
    Flow::Ask(Request::Model(request), Task::Expert(task))
}

fn compose(view: &View<'_>, plan: ExpertPlan, sequence: Sequence) -> Flow {
    let mut packet = view.packet.clone();
    packet.results.extend(sequence.reports.iter().cloned());
    packet.plan = Some(plan.clone());
    let messages = view.node.compose.fill(&View { packet: &packet, ..*view });
    let request = ModelRequest { stage: Some(COMPOSE.into()), schema: None, ..view.request(messages, !plan.interpret) };
    Flow::Ask(Request::Model(request), Task::Expert(Expert::Composing { plan, sequence: Box::new(sequence) }))
}

/// The way on: what was streamed is said; what was not goes along as notes, or as what the tools returned.
fn finish(view: &View<'_>, out: &mut Out, plan: &ExpertPlan, sequence: Sequence, answer: Option<(String, Finish)>) -> Flow {
    out.summary = super::thinker::summary(&sequence.reports);
    let (notes, said) = match answer {
        Some((text, _)) if plan.interpret => (Some(text), None),
        Some((_, finish)) => (None, Some(finish)),
        None => (None, None),
    };
    let job = view.packet.routing.as_ref().map(|routing| routing.job.clone()).unwrap_or_default();
    let decision = Some(super::Decision { goal: job, present_as: "text".to_owned(), ..super::Decision::default() });
    let Sequence { reports: results, changes, .. } = sequence;
    let found = Found { results, changes, plan: Some(plan.clone()), notes, decision, said, ..Found::default() };
    Flow::Go(if said.is_some() { "output" } else { "interpret" }.into(), Box::new(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Packet;
    use crate::nodes::testing::{Fixture, answer, check};

    #[test]
    fn who_made_no_plan_says_so() {
        let (fixture, packet) = (Fixture::default(), Packet::default());
        let planning = Expert::Planning { done: None, repairs: 0 };
        match planning.give_up(&fixture.view(&packet), &mut Out::default()) {
            Flow::Go(_, found) => assert!(found.reply.unwrap().starts_with("I could not plan how to answer")),
            _ => panic!("the answer is said"),
        }
    }

    #[test]
    fn what_is_no_plan_is_never_taken_for_an_empty_one() {
        for (says, flow) in [
            (r#"{"tool_sequence":[]}"#, "ask"),
            (r#"For example {"interpret": true}. My answer: {"tool_sequence":[],"interpret":true}"#, "ask"),
            (r#"[{"tool":"query","args":{"sql":"SELECT count(*) FROM k"}}]"#, "again: `tool_sequence` is missing"),
            (r#"{"tool":"query","args":{"sql":"SELECT count(*) FROM k"}}"#, "again: `tool_sequence` is missing"),
            (r#"{"tool_calls":[{"name":"query"}]}"#, "again: `tool_sequence` is missing"),
            (r#"{"sql":"SELECT count(*) FROM k"}"#, "again: `tool_sequence` is missing"),
            (r#"{"error":"I cannot plan this"}"#, "again: `tool_sequence` is missing"),
            (r#"{"interpret":true}"#, "again: `tool_sequence` is missing"),
            (r#"{"tool_sequence":null,"interpret":true}"#, "again: `tool_sequence` is missing"),
            ("I use {} here.", "again: `tool_sequence` is missing"),
        ] {
            let planning = Expert::Planning { done: None, repairs: 0 };
            assert_eq!(check(|view, out| planning.resume(view, out, answer(says))), flow, "{says}");
        }
    }
}
