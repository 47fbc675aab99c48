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
    match (&view.packet.reply, view.packet.said) {
        (_, Some(finish)) => {
            out.summary = "said by the expert".to_owned();
            ended(finish)
        }
        (Some(reply), None) => {
            out.summary = clip(reply, 120);
            Flow::Say(reply.clone())
        }
        (None, None) => Flow::Ask(Request::Model(view.request(view.node.prompt.fill(view), true)), Task::Output(Speaking)),
    }
}

impl Speaking {
    pub(crate) fn resume(self, _view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        if answer.text.trim().is_empty() {
            return empty(answer.finish, Task::Output(self));
        }
        out.summary = clip(&answer.text, 120);
        ended(answer.finish)
    }

    pub(crate) fn give_up(self, _view: &View<'_>, _out: &mut Out) -> Flow {
        Flow::Fail("The model gave no answer. Please try again, or put it in other words.".to_owned())
    }
}

/// What to do with an answer in which nothing is said. One that was cut had all the room there is.
pub(super) fn empty(finish: Finish, task: Task) -> Flow {
    match finish {
        Finish::Stop | Finish::ToolCalls => Flow::Again { why: "it was empty".to_owned(), task },
        Finish::Length => Flow::Fail("The model reached its longest answer before it said anything. Please ask for less.".to_owned()),
        Finish::ContentFilter => Flow::Fail("The model's service withheld the answer. Please ask in another way.".to_owned()),
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
    use crate::nodes::Packet;
    use crate::nodes::testing::{answer, check, check_with};

    #[test]
    fn an_empty_answer_is_no_answer() {
        for (says, flow) in [("Because.", "rest"), (" \n", "again: it was empty")] {
            assert_eq!(check(|view, out| Speaking.resume(view, out, answer(says))), flow, "{says:?}");
        }
        for (text, finish, flow) in [
            ("Because", Finish::Length, "say  …"),
            ("Because", Finish::ContentFilter, "fail: The model's service withheld the rest"),
            ("", Finish::Length, "fail: The model reached its longest answer before it said anything"),
            ("", Finish::ContentFilter, "fail: The model's service withheld the answer"),
        ] {
            let cut = Answer { finish, ..answer(text) };
            assert!(check(|view, out| Speaking.resume(view, out, cut)).starts_with(flow), "{finish:?}");
            let packet = Packet { said: Some(finish), ..Packet::default() };
            if !text.is_empty() {
                assert!(check_with(&packet, begin).starts_with(flow), "what an expert has said ends the same: {finish:?}");
            }
        }
        assert!(check(|view, out| Speaking.give_up(view, out)).starts_with("fail: The model gave no answer"));
    }
}
