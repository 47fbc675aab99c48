//! Expert: a specialist that a graph configures without code: a database, a prompt, tools, limits.
//!
//! Stateless: the job that it is given is all it knows. It plans its tool calls ([`ExpertPlan`]) and runs them with a line of
//! progress each. Where the plan says `interpret`, the interpreter writes the answer from their results; else a second call
//! composes it, streamed. A call that fails goes back to the model with the error, twice at most. Default when a plan
//! can't be understood: the answer says that nothing could be planned; when an answer can't be composed: the interpreter gets
//! what the tools returned.

use super::fit::fitting;
use super::sequence::{Sequence, Step};
use super::{AnsweredBy, ExpertPlan, Flow, Found, Out, Task, ToolReport, View, read, shown, tools, unrouted};
use crate::contract::{Answer, ChatMessage, Finish, ModelRequest, Request, Role, Text, Verdict, What, clip};
use serde::{Deserialize, Serialize};

pub(crate) const ROUTES: &[&str] = &["output", "interpret"];

/// What its two questions are called.
pub(super) const PLAN: &str = "plan";
pub(super) const COMPOSE: &str = "compose";

/// How often a failing call goes back to the model.
const REPAIRS_MAX: usize = 2;
/// Bytes of a plan that failed, as its maker reads it again.
const PLAN_BYTES_MAX: usize = 8_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Expert {
    /// The plan is being made; after a failure with what was done so far.
    Planning { done: Option<Box<Sequence>>, failed: Vec<Failed> },
    /// A database is asked; the calls that are left wait.
    Running { plan: ExpertPlan, sequence: Box<Sequence>, failed: Vec<Failed> },
    /// The answer is being put together.
    Composing { plan: ExpertPlan, sequence: Box<Sequence> },
}

/// A plan of which a call failed, and what its maker reads of that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    plan: String,
    plea: String,
}

pub(crate) fn begin(view: &View<'_>, _out: &mut Out) -> Flow {
    ask_for_plan(view, None, Vec::new())
}

impl Expert {
    pub(crate) fn resume(self, view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        match self {
            Expert::Planning { done, failed } => match read::<ExpertPlan>(&answer.text) {
                Ok(plan) => {
                    out.events.push(What::Planned { output: shown(&plan) });
                    let calls = plan.tool_sequence.iter().cloned();
                    let sequence = match done {
                        Some(done) => done.instead(calls),
                        None => Sequence::new(view, calls).careful(),
                    };
                    let step = sequence.run(view, out);
                    go_on(view, out, plan, failed, step)
                }
                Err(why) => Flow::Again { why, task: Task::Expert(Expert::Planning { done, failed }) },
            },
            Expert::Running { plan, sequence, failed } => {
                let step = sequence.resume(view, out, answer);
                go_on(view, out, plan, failed, step)
            }
            Expert::Composing { plan, sequence } => {
                if answer.text.trim().is_empty() {
                    return Flow::Again { why: answer.silence().why().into(), task: Task::Expert(Expert::Composing { plan, sequence }) };
                }
                finish(view, out, plan, *sequence, Some(answer.finish))
            }
        }
    }

    pub(crate) fn decided(self, view: &View<'_>, out: &mut Out, verdict: Verdict) -> Flow {
        match self {
            Expert::Running { plan, sequence, failed } => {
                let step = sequence.decided(view, out, verdict);
                go_on(view, out, plan, failed, step)
            }
            Expert::Planning { .. } | Expert::Composing { .. } => unreachable!("a sequence waits for approvals"),
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
                finish(view, out, plan, sequence, None)
            }
            Expert::Composing { plan, sequence } => finish(view, out, plan, *sequence, None),
        }
    }
}

/// Runs the plan on: queries the database, has a failure repaired, composes, or leaves that to the interpreter.
fn go_on(view: &View<'_>, out: &mut Out, plan: ExpertPlan, mut failed: Vec<Failed>, step: Step) -> Flow {
    match step {
        Step::Ask(request, sequence) => Flow::Ask(request, Task::Expert(Expert::Running { plan, sequence: Box::new(sequence), failed })),
        Step::Done(sequence) => match sequence.failure() {
            Some(_) if sequence.answers_nothing().is_some() => finish(view, out, plan, sequence, None),
            // A plan without calls repairs nothing, and nobody asks again for what was not approved: the answer says what failed.
            Some(report) if failed.len() < REPAIRS_MAX && !sequence.planned().is_empty() && sequence.unapproved().is_none() => {
                out.reason = Some(clip(&report.summary, 500));
                failed.push(Failed { plan: clip(&shown(&plan).to_string(), PLAN_BYTES_MAX), plea: plea(sequence.planned()) });
                // The prompt tells the tables as they are known by now.
                let schema = view.schema_with(out);
                ask_for_plan(&View { schema: &schema, ..*view }, Some(Box::new(sequence)), failed)
            }
            Some(_) | None if plan.interpret => finish(view, out, plan, sequence, None),
            Some(_) | None => compose(view, plan, sequence),
        },
    }
}

/// What the maker of a plan reads when its last call failed. The calls themselves stand in the plan.
fn plea(reports: &[ToolReport]) -> String {
    let (number, last) = (reports.len(), reports.last().expect("a plan fails at a call"));
    let mut plea = format!("Call {number} of that plan, `{}`, failed: {}\n", last.tool, clip(&last.summary, 1_000));
    let is_found = |report: &&ToolReport| report.ok && report.tool != tools::DESCRIBE;
    let found: Vec<_> = reports.iter().filter(is_found).map(|report| (&report.summary, &report.data)).collect();
    if !found.is_empty() {
        plea.push_str(&format!("The calls before it worked and need not be repeated: {}\n", fitting(&found, 8_000)));
    }
    plea.push_str("Plan again: the calls that are still needed, this one repaired.");
    plea
}

/// Asks for a plan, behind those that failed.
fn ask_for_plan(view: &View<'_>, done: Option<Box<Sequence>>, failed: Vec<Failed>) -> Flow {
    let mut messages = view.node.prompt.fill(view);
    for Failed { plan, plea } in &failed {
        messages.push(ChatMessage::new(Role::Assistant, Text::slot("plan", plan)));
        messages.push(ChatMessage::new(Role::User, Text::slot("failure", plea)));
    }
    let request = ModelRequest { stage: Some(PLAN.into()), ..view.request(messages, false) };
    Flow::Ask(Request::Model(request), Task::Expert(Expert::Planning { done, failed }))
}

fn compose(view: &View<'_>, plan: ExpertPlan, sequence: Sequence) -> Flow {
    let mut packet = view.packet.clone();
    packet.results.extend(told(&sequence.reports));
    packet.plan = Some(plan.clone());
    let messages = view.node.compose.fill(&View { packet: &packet, ..*view });
    let request = ModelRequest { stage: Some(COMPOSE.into()), schema: None, ..view.request(messages, true) };
    Flow::Ask(Request::Model(request), Task::Expert(Expert::Composing { plan, sequence: Box::new(sequence) }))
}

/// What an answer is made from: no failure that a later call replaced, and descriptions only where nothing else was found.
fn told(reports: &[ToolReport]) -> Vec<ToolReport> {
    let describes = |report: &ToolReport| report.ok && report.tool == tools::DESCRIBE;
    let has_other = reports.iter().any(|report| report.ok && report.data.is_some() && !describes(report));
    let last = reports.iter().rposition(|report| !(has_other && describes(report)));
    let is_told = |(at, report): &(usize, &ToolReport)| if report.ok { !(has_other && describes(report)) } else { Some(*at) == last };
    reports.iter().enumerate().filter(is_told).map(|(_, report)| report.clone()).collect()
}

/// The way on: an answer that was composed has been streamed; else the interpreter gets what the tools returned.
fn finish(view: &View<'_>, out: &mut Out, plan: ExpertPlan, sequence: Sequence, composed: Option<Finish>) -> Flow {
    out.summary = super::thinker::summary(&sequence.reports);
    let answered_by = composed.map(|finish| AnsweredBy { kind: view.node.role.clone(), finish });
    let route = if answered_by.is_some() { "output" } else { "interpret" };
    let job = view.packet.routing.as_ref().map(|routing| routing.job.clone()).unwrap_or_default();
    let decision = Some(super::Decision { goal: job, present_as: "text".to_owned(), ..super::Decision::default() });
    let unapproved = sequence.answers_nothing().filter(|_| answered_by.is_none());
    let Sequence { reports, changes, .. } = sequence;
    let results = told(&reports);
    let found = Found { results, changes, plan: Some(plan), decision, answered_by, ..Found::default() };
    if let Some(verdict) = unapproved {
        return unrouted::unapproved(view, "output", verdict, found);
    }
    Flow::Go(route.into(), Box::new(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Packet;
    use crate::nodes::testing::{Fixture, answer, check};

    #[test]
    fn who_made_no_plan_says_so() {
        let (fixture, packet) = (Fixture::default(), Packet::default());
        let planning = Expert::Planning { done: None, failed: Vec::new() };
        match planning.give_up(&fixture.view(&packet), &mut Out::default()) {
            Flow::Go(_, found) => assert!(found.reply.unwrap().starts_with("I could not plan how to answer")),
            _ => panic!("the answer is said"),
        }
    }

    #[test]
    fn what_is_no_plan_is_never_taken_for_an_empty_one() {
        for (says, flow) in [
            (r#"{"tool_sequence":[]}"#, "ask"),
            (r#"For example {"interpret": true}. My answer: {"tool_sequence":[],"interpret":true}"#, "go interpret"),
            (r#"[{"tool":"query","args":{"sql":"SELECT count(*) FROM k"}}]"#, "again: `tool_sequence` is missing"),
            (r#"{"tool":"query","args":{"sql":"SELECT count(*) FROM k"}}"#, "again: `tool_sequence` is missing"),
            (r#"{"tool_calls":[{"name":"query"}]}"#, "again: `tool_sequence` is missing"),
            (r#"{"sql":"SELECT count(*) FROM k"}"#, "again: `tool_sequence` is missing"),
            (r#"{"error":"I cannot plan this"}"#, "again: `tool_sequence` is missing"),
            (r#"{"interpret":true}"#, "again: `tool_sequence` is missing"),
            (r#"{"tool_sequence":null,"interpret":true}"#, "again: `tool_sequence` is missing"),
            ("I use {} here.", "again: `tool_sequence` is missing"),
        ] {
            let planning = Expert::Planning { done: None, failed: Vec::new() };
            assert_eq!(check(|view, out| planning.resume(view, out, answer(says))), flow, "{says}");
        }
    }
}
