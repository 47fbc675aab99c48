//! Output: the answer, in the user's language and style, streamed as it is made.
//!
//! What an earlier node has said already is not said again; what a plain case has answered is said without a model. An empty
//! answer is asked for once more, then the turn fails.

use super::{Flow, Out, Task, View};
use crate::contract::{Answer, Finish, Request, Silence, clip};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Speaking {
    /// Why nothing was said so far.
    silence: Silence,
}

pub(crate) fn begin(view: &View<'_>, out: &mut Out) -> Flow {
    match (&view.packet.reply, &view.packet.answered_by) {
        (_, Some(by)) => {
            out.summary = format!("said by the {}", by.kind);
            ended(by.finish)
        }
        (Some(reply), None) => {
            out.summary = clip(reply, 120);
            Flow::Say(reply.clone())
        }
        (None, None) => Flow::Ask(Request::Model(view.request(view.node.prompt.fill(view), true)), Task::Output(Speaking::default())),
    }
}

impl Speaking {
    pub(crate) fn resume(self, _view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        if answer.text.trim().is_empty() {
            return silent(&answer, |silence| Task::Output(Speaking { silence }));
        }
        out.summary = clip(&answer.text, 120);
        ended(answer.finish)
    }

    pub(crate) fn give_up(self, _view: &View<'_>, _out: &mut Out) -> Flow {
        Flow::Fail(self.silence.to_string())
    }
}

/// What to do with an answer in which nothing is said. One that was cut had all the room there is.
pub(super) fn silent(answer: &Answer, task: impl FnOnce(Silence) -> Task) -> Flow {
    let silence = answer.silence();
    match (answer.finish, silence) {
        (_, Silence::Withheld) => Flow::Fail(silence.to_string()),
        (Finish::Length, _) => Flow::Fail("The model reached its longest answer before it said anything. Please ask for less.".to_owned()),
        (_, Silence::Empty | Silence::OnlyThoughts) => Flow::Again { why: silence.why().into(), task: task(silence) },
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
    use crate::nodes::testing::{answer, check, check_with};
    use crate::nodes::{AnsweredBy, Packet};

    #[test]
    fn an_empty_answer_is_no_answer() {
        for (says, flow) in [("Because.", "rest"), (" \n", "again: it was empty")] {
            assert_eq!(check(|view, out| Speaking::default().resume(view, out, answer(says))), flow, "{says:?}");
        }
        for (text, finish, flow) in [
            ("Because", Finish::Length, "say  …"),
            ("Because", Finish::ContentFilter, "fail: The model's service withheld the rest"),
            ("", Finish::Length, "fail: The model reached its longest answer before it said anything"),
            ("", Finish::ContentFilter, "fail: The model's service withheld the answer"),
        ] {
            let cut = Answer { finish, ..answer(text) };
            assert!(check(|view, out| Speaking::default().resume(view, out, cut)).starts_with(flow), "{finish:?}");
            let packet = Packet { answered_by: Some(AnsweredBy { kind: "expert".into(), finish }), ..Packet::default() };
            if !text.is_empty() {
                assert!(check_with(&packet, begin).starts_with(flow), "what an expert has said ends the same: {finish:?}");
            }
        }
        assert!(check(|view, out| Speaking::default().give_up(view, out)).starts_with("fail: The model gave no answer"));
        let thought = Answer { thoughts: "hm".to_owned(), ..answer("") };
        let flow = check(|view, out| match Speaking::default().resume(view, out, thought) {
            Flow::Again { why, task } => {
                assert_eq!(why.why, "it held only thoughts and no answer");
                task.give_up(view, out)
            }
            other => other,
        });
        assert!(flow.starts_with("fail: The model only thought about it"), "{flow}");
    }
}
