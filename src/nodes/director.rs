//! Director: decides what is to be done before anyone does it.
//!
//! Asks a strong model for a [`Decision`]: the goal, the tools to call with their arguments, and how to present the
//! answer. One route, `think`. Default when the model can't be understood: nothing is planned, and the answer says so.

use super::{Decision, Flow, Found, Out, Unfit, View, asking::Asks, shown, unrouted};
use crate::contract::{What, clip};

pub(crate) const ROUTES: &[&str] = &["think"];

pub(super) struct Director;

impl Asks for Director {
    type Answer = Decision;

    fn take(_view: &View<'_>, out: &mut Out, decision: Decision) -> Result<Flow, Unfit> {
        out.events.push(What::Decided { output: shown(&decision) });
        out.summary = clip(&decision.goal, 120);
        Ok(Flow::Go("think".into(), Box::new(Found { decision: Some(decision), ..Found::default() })))
    }

    fn give_up(view: &View<'_>, _out: &mut Out) -> Flow {
        unrouted::go(view, "think")
    }
}

#[cfg(test)]
mod tests {
    use crate::nodes::asking::Asking;
    use crate::nodes::testing::check;

    #[test]
    fn a_decision_needs_a_goal_and_nothing_else() {
        for (says, flow) in [
            (r#"{"goal":"explain"}"#, "go think"),
            (r#"{"goal":"x","tool_sequence":[{"tool":"recall"}]}"#, "go think"),
            (r#"{"goal":"x","tool_sequence":[{"tool":"a","name":"b","args":{},"arguments":"{}"},{"name":"c"}]}"#, "go think"),
            (r#"{"goal":"x","tool_sequence":[{"tool":"a"},{"name":5}]}"#, "again: `tool_sequence[1].tool` is missing"),
            (r#"{"steps":[]}"#, "again: `goal` is missing"),
        ] {
            assert_eq!(check(|view, out| Asking::Director.resume(view, out, says)), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking::Director.give_up(view, out)), "go think");
    }
}
