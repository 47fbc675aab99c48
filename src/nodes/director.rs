//! Director: decides what is to be done before anyone does it.
//!
//! Asks a strong model for a [`Decision`]: the goal, the steps, the tools to call with their arguments, how to present the
//! answer, and why. One route, `think`. Default when the model can't be understood: answer the message, with no tools.

use super::{Decision, Flow, Found, Out, Task, View, read, shown};
use crate::contract::{Answer, What, clip};

pub(crate) const ROUTES: &[&str] = &["think"];

#[derive(Clone, Debug, PartialEq)]
pub struct Asking;

pub(crate) fn begin(view: &View<'_>, _out: &mut Out) -> Flow {
    view.ask(Task::Director(Asking))
}

impl Asking {
    pub(crate) fn resume(self, _view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        match read::<Decision>(&answer.text) {
            Ok(decision) => go(out, decision),
            Err(why) => Flow::Again { why, task: Task::Director(self) },
        }
    }

    pub(crate) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        let goal = format!("Answer the user's message: {}", clip(view.message, 500));
        let reason = "no plan could be read".to_owned();
        go(out, Decision { goal, reason, present_as: "text".to_owned(), ..Decision::default() })
    }
}

fn go(out: &mut Out, decision: Decision) -> Flow {
    out.events.push(What::Decided { output: shown(&decision) });
    out.summary = clip(&decision.goal, 120);
    Flow::Go("think".into(), Box::new(Found { decision: Some(decision), ..Found::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::{answer, check};

    #[test]
    fn a_decision_needs_a_goal_and_nothing_else() {
        for (says, flow) in [
            (r#"{"goal":"explain"}"#, "go think"),
            (r#"{"goal":"x","tool_sequence":[{"tool":"recall"}]}"#, "go think"),
            (r#"{"steps":[]}"#, "again: missing field `goal` at line 1 column 12"),
        ] {
            assert_eq!(check(|view, out| Asking.resume(view, out, answer(says))), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking.give_up(view, out)), "go think");
    }
}
