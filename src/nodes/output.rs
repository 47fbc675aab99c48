//! Output: the answer, in the user's language and style, streamed as it is made.
//!
//! What an expert has streamed already is not said again; what a plain case has answered is said without a model. An empty
//! answer is asked for once more, then the turn fails.

use super::{Flow, Out, Task, View};
use crate::contract::{Answer, Finish, Request, clip};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speaking;

pub(crate) fn begin(view: &View<'_>, out: &mut Out) -> Flow {
    match &view.packet.reply {
        _ if view.packet.is_said => {
            out.summary = "said by the expert".to_owned();
            Flow::Rest
        }
        Some(reply) => {
            out.summary = clip(reply, 120);
            Flow::Say(reply.clone())
        }
        None => Flow::Ask(Request::Model(view.request(view.node.prompt.fill(view), true)), Task::Output(Speaking)),
    }
}

impl Speaking {
    pub(crate) fn resume(self, _view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        if answer.text.trim().is_empty() {
            return Flow::Again { why: "it was empty".to_owned(), task: Task::Output(self) };
        }
        out.summary = clip(&answer.text, 120);
        ended(answer.finish)
    }

    pub(crate) fn give_up(self, _view: &View<'_>, _out: &mut Out) -> Flow {
        Flow::Fail("The model gave no answer. Please try again, or put it in other words.".to_owned())
    }
}

/// How an answer ends that was streamed: one that was cut says so, one that was withheld fails.
pub(super) fn ended(finish: Finish) -> Flow {
    match finish {
        Finish::Stop | Finish::ToolCalls => Flow::Rest,
        Finish::Length => Flow::Say(" …".to_owned()),
        Finish::ContentFilter => Flow::Fail("The model's service withheld the rest of this answer. Please ask in another way.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::{answer, check};

    #[test]
    fn an_empty_answer_is_no_answer() {
        for (says, flow) in [("Because.", "rest"), (" \n", "again: it was empty")] {
            assert_eq!(check(|view, out| Speaking.resume(view, out, answer(says))), flow, "{says:?}");
        }
        for (finish, flow) in [(Finish::Length, "say  …"), (Finish::ContentFilter, "fail: The model's service withheld")] {
            let cut = Answer { finish, ..answer("Because") };
            assert!(check(|view, out| Speaking.resume(view, out, cut)).starts_with(flow), "{finish:?}");
        }
        assert!(check(|view, out| Speaking.give_up(view, out)).starts_with("fail: The model gave no answer"));
    }
}
