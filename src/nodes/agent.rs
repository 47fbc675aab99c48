//! Agent: one streamed model call with native tool calling, for the lowest latency that a model allows.
//!
//! The whole conversation goes to the model as chat turns. Tools that it calls are run and their results asked about again,
//! `rounds` times at most; the last round is asked without tools, so that it ends in an answer.

use super::sequence::{CALLS_MAX, Sequence, Step};
use super::slots::Window;
use super::{Flow, Out, PlannedCall, Task, ToolReport, View, output};
use crate::contract::{Answer, ChatMessage, Finish, Request, Role, Silence, Text, ToolCall, Verdict, clip};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Chat turns that go along, and bytes of each.
const EARLIER: Window = Window { messages_max: 40, step: 5 };
const TURN_BYTES_MAX: usize = 8_000;
/// Stands in the place of an answer that never came.
const NOT_ANSWERED: &str = "(not answered)";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Round {
    /// A question is out. `tools` has what the tools of earlier rounds did.
    /// `silence` has why nothing was said.
    Asking { number: u32, tools: Option<Box<Sequence>>, silence: Silence },
    /// A database is asked for one of the tools that the model called.
    Running { number: u32, messages: Vec<ChatMessage>, ids: Vec<String>, tools: Box<Sequence> },
}

pub(crate) fn begin(view: &View<'_>, _out: &mut Out) -> Flow {
    ask(view, messages(view), 1, None)
}

/// The prompt, with the conversation between what the system says and what is asked.
pub(super) fn messages(view: &View<'_>) -> Vec<ChatMessage> {
    let mut prompt = view.node.prompt.fill(view);
    let question = prompt.iter().position(|message| message.role == Role::User).map(|at| prompt.split_off(at)).unwrap_or_default();
    for message in EARLIER.of(view).into_iter().skip_while(|message| message.role != Role::User) {
        if message.role == Role::User {
            answered(&mut prompt);
        }
        prompt.push(ChatMessage::new(message.role, Text::slot("said", clip(&message.content, TURN_BYTES_MAX))));
    }
    answered(&mut prompt);
    prompt.extend(question);
    prompt
}

/// Many chat templates refuse two messages of a user in a row, as where the turn of the first failed.
fn answered(messages: &mut Vec<ChatMessage>) {
    if messages.last().is_some_and(|message| message.role == Role::User) {
        messages.push(ChatMessage::new(Role::Assistant, Text::slot("said", NOT_ANSWERED)));
    }
}

fn ask(view: &View<'_>, messages: Vec<ChatMessage>, number: u32, tools: Option<Box<Sequence>>) -> Flow {
    let mut request = view.request(messages, true);
    if number >= view.node.rounds {
        request.tools = Arc::default();
    }
    Flow::Ask(Request::Model(request), Task::Agent(Round::Asking { number, tools, silence: Silence::default() }))
}

impl Round {
    pub(crate) fn resume(self, view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        match self {
            Round::Asking { number, tools, .. } if answer.tool_calls.is_empty() || number >= view.node.rounds => {
                // What was said before the tools ran is no answer to what they found.
                let has_found = tools.as_ref().is_some_and(|tools| tools.reports.iter().any(|report| report.data.is_some()));
                let is_owed = has_found && matches!(answer.finish, Finish::Stop | Finish::ToolCalls);
                match answer.text.trim().is_empty() && (is_owed || view.answer.trim().is_empty()) {
                    true => output::silent(&answer, |silence| Task::Agent(Round::Asking { number, tools, silence })),
                    false => finish(view, out, tools, answer.finish),
                }
            }
            Round::Asking { number, tools, .. } => {
                let mut messages = match view.asked {
                    Some(Request::Model(request)) => request.messages.clone(),
                    Some(Request::Database(_) | Request::Approval(_)) | None => Vec::new(),
                };
                let said = ChatMessage::new(Role::Assistant, Text::slot("said", answer.text));
                // One beyond the bound: its result says which calls were left out.
                let calls: Vec<ToolCall> = answer.tool_calls.iter().take(CALLS_MAX + 1).cloned().collect();
                let ids = calls.iter().map(|call| call.id.clone()).collect();
                messages.push(ChatMessage { tool_calls: calls, ..said });
                let planned = answer.tool_calls.into_iter().map(|call| PlannedCall { tool: call.tool, args: call.args });
                let sequence = match tools {
                    Some(earlier) => earlier.instead(planned),
                    None => Sequence::new(view, planned),
                };
                go_on(view, number, messages, ids, sequence.run(view, out))
            }
            Round::Running { number, messages, ids, tools } => {
                let step = tools.resume(view, out, answer);
                go_on(view, number, messages, ids, step)
            }
        }
    }

    pub(crate) fn decided(self, view: &View<'_>, out: &mut Out, verdict: Verdict) -> Flow {
        match self {
            Round::Running { number, messages, ids, tools } => {
                let step = tools.decided(view, out, verdict);
                go_on(view, number, messages, ids, step)
            }
            Round::Asking { .. } => unreachable!("a sequence waits for approvals"),
        }
    }

    pub(crate) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        let (tools, silence) = match self {
            Round::Asking { tools, silence, .. } => (tools, silence),
            Round::Running { tools, .. } => (Some(Box::new(tools.cut_short(view, out))), Silence::Empty),
        };
        match view.answer.trim().is_empty() {
            true => Flow::Fail(silence.to_string()),
            false => finish(view, out, tools, Finish::Stop),
        }
    }
}

/// Asks on when the tools have run: the model is told what each of its calls brought.
fn go_on(view: &View<'_>, number: u32, mut messages: Vec<ChatMessage>, ids: Vec<String>, step: Step) -> Flow {
    match step {
        Step::Ask(request, tools) => Flow::Ask(request, Task::Agent(Round::Running { number, messages, ids, tools: Box::new(tools) })),
        Step::Done(tools) => {
            let reports = &tools.reports[tools.reports.len() - ids.len()..];
            for (id, report) in ids.into_iter().zip(reports) {
                let told = ChatMessage::new(Role::Tool, Text::slot("result", told(report)));
                messages.push(ChatMessage { tool_call_id: Some(id), ..told });
            }
            // What a person did not allow is not tried in another way.
            let number = if tools.unapproved().is_some() { view.node.rounds } else { number + 1 };
            ask(view, messages, number, Some(Box::new(tools)))
        }
    }
}

/// The answer stands; what the tools want changed goes along with it.
fn finish(view: &View<'_>, out: &mut Out, tools: Option<Box<Sequence>>, finish: Finish) -> Flow {
    out.summary = clip(view.answer, 120);
    out.changes.extend(tools.into_iter().flat_map(|tools| tools.changes));
    output::ended(finish)
}

fn told(report: &ToolReport) -> String {
    match &report.data {
        Some(data) => clip(&data.to_string(), TURN_BYTES_MAX),
        None => report.summary.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Message, TurnId};
    use crate::nodes::Packet;
    use crate::nodes::testing::{Fixture, answer, check};
    use serde_json::json;

    #[test]
    fn the_model_learns_which_of_many_calls_were_left_out() {
        for (count, results, last) in [(20, 20, "q20"), (30, 21, "left out (one plan makes 20 calls at most")] {
            let call = |number| ToolCall { id: format!("c{number}"), tool: "recall".into(), args: json!({"query": format!("q{number}")}) };
            let wants = Answer { tool_calls: (1..=count).map(call).collect(), ..answer("") };
            let round = Round::Asking { number: 1, tools: None, silence: Silence::Empty };
            check(|view, out| {
                let flow = round.resume(view, out, wants);
                let Flow::Ask(Request::Model(request), _) = &flow else { panic!("{flow:?}") };
                let calls = &request.messages.iter().find(|message| !message.tool_calls.is_empty()).unwrap().tool_calls;
                let told: Vec<_> = request.messages.iter().filter_map(|message| message.tool_call_id.clone()).collect();
                assert!(told.len() == results && calls.iter().map(|call| &call.id).eq(&told), "every call has its result");
                let said = format!("{:?}", request.messages.last());
                assert!(said.contains(last), "{said}");
                flow
            });
        }
    }

    #[test]
    fn a_conversation_takes_turns_also_where_a_turn_failed_or_its_beginning_is_gone() {
        let mut fixture = Fixture::default();
        fixture.node.prompt = crate::nodes::Prompt::parse("# agent\n=== user\n## message\n{{message}}\n", &[], "").unwrap();
        for (role, text, turn) in
            [(Role::Assistant, "a1", 1), (Role::User, "u2", 2), (Role::User, "u3", 3), (Role::Assistant, "a3", 3), (Role::User, "u4", 4)]
        {
            fixture.history.push_back(Message::new(role, text, TurnId(turn)));
        }
        let packet = Packet { turn: TurnId(5), ..Packet::default() };
        let told: Vec<String> = messages(&fixture.view(&packet)).iter().map(|message| message.text.to_string()).collect();
        assert_eq!(told[1..6], ["u2", NOT_ANSWERED, "u3", "a3", "u4"]);
        assert_eq!(told[6..], [NOT_ANSWERED, "## message\na message\n"]);
    }

    #[test]
    fn tools_are_run_and_asked_about_until_the_rounds_are_used_up() {
        let round = |number| Round::Asking { number, tools: None, silence: Silence::Empty };
        let call = ToolCall { id: "a".into(), tool: "recall".into(), args: json!({"query": "tea"}) };
        let wants = Answer { tool_calls: vec![call], ..answer("") };
        assert_eq!(check(|view, out| round(1).resume(view, out, wants.clone())), "ask");
        assert_eq!(check(|view, out| round(9).resume(view, out, wants)), "again: it was empty");
        assert_eq!(check(|view, out| round(1).resume(view, out, answer("Tea."))), "rest");
    }
}
