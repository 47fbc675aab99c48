//! Agent: one streamed model call with native tool calling, for the lowest latency that a model allows.
//!
//! The whole conversation goes to the model as chat turns. Tools that it calls are run and their results asked about again,
//! `rounds` times at most; the last round is asked without tools, so that it ends in an answer.

use super::{Flow, Out, Task, ToolReport, View, tools};
use crate::contract::{Answer, ChatMessage, Request, Role, Text, ToolCall, Ui, clip};
use std::sync::Arc;

/// Chat turns that go along, and bytes of each.
const TURNS_MAX: usize = 40;
const TURN_BYTES_MAX: usize = 8_000;
const CALLS_MAX: usize = 20;

/// One question is out.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    number: u32,
    /// What the user sees once the tools' changes are applied; none while no tool has run.
    ui: Option<Ui>,
}

pub(crate) fn begin(view: &View<'_>, _out: &mut Out) -> Flow {
    let mut prompt = view.node.prompt.fill(view);
    let question = prompt.iter().position(|message| message.role == Role::User).map(|at| prompt.split_off(at)).unwrap_or_default();
    let mut earlier: Vec<ChatMessage> = view.earlier().rev().take(TURNS_MAX).map(turn).collect();
    earlier.reverse();
    prompt.extend(earlier);
    prompt.extend(question);
    ask(view, prompt, Round { number: 1, ui: None })
}

fn turn(message: &crate::contract::Message) -> ChatMessage {
    ChatMessage::new(message.role, Text::slot("said", clip(&message.content, TURN_BYTES_MAX)))
}

fn ask(view: &View<'_>, messages: Vec<ChatMessage>, round: Round) -> Flow {
    let Request::Model(mut request) = view.request(messages, true);
    if round.number >= view.node.rounds {
        request.tools = Arc::default();
    }
    Flow::Ask(Request::Model(request), Task::Agent(round))
}

impl Round {
    pub(crate) fn resume(mut self, view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        if answer.tool_calls.is_empty() || self.number >= view.node.rounds {
            return match answer.text.trim().is_empty() && view.answer.trim().is_empty() {
                true => Flow::Again { why: "it was empty".to_owned(), task: Task::Agent(self) },
                false => {
                    out.summary = clip(view.answer, 120);
                    super::output::ended(answer.finish)
                }
            };
        }
        let calls: Vec<ToolCall> = answer.tool_calls.into_iter().take(CALLS_MAX).collect();
        let asked = ChatMessage { tool_calls: calls.clone(), ..ChatMessage::new(Role::Assistant, Text::slot("said", answer.text)) };
        let mut messages = view.asked.map(|Request::Model(request)| request.messages.clone()).unwrap_or_default();
        messages.push(asked);
        let ui = self.ui.get_or_insert_with(|| tools::fresh(view.ui));
        for call in calls {
            let (report, changes) = tools::run(view, ui, &call.tool, call.args, out);
            out.changes.extend(changes);
            let told = ChatMessage::new(Role::Tool, Text::slot("result", told(&report)));
            messages.push(ChatMessage { tool_call_id: Some(call.id), ..told });
        }
        self.number += 1;
        ask(view, messages, self)
    }

    pub(crate) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        if view.answer.trim().is_empty() {
            return Flow::Fail("The model gave no answer. Please try again, or put it in other words.".to_owned());
        }
        out.summary = clip(view.answer, 120);
        Flow::Rest
    }
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
    use crate::nodes::testing::{answer, check};
    use serde_json::json;

    #[test]
    fn tools_are_run_and_asked_about_until_the_rounds_are_used_up() {
        let round = |number| Round { number, ui: None };
        let call = ToolCall { id: "a".into(), tool: "recall".into(), args: json!({"query": "tea"}) };
        let wants = Answer { tool_calls: vec![call], ..answer("") };
        assert_eq!(check(|view, out| round(1).resume(view, out, wants.clone())), "ask");
        assert_eq!(check(|view, out| round(9).resume(view, out, wants)), "again: it was empty");
        assert_eq!(check(|view, out| round(1).resume(view, out, answer("Tea."))), "rest");
    }
}
