//! Memorizer: after an answer, notes what is worth remembering of it.
//!
//! Runs behind the turn and holds nothing up. Asks a fast model for a [`MemoryPatch`]; what can't be read, twice, changes nothing.

use super::{Flow, Out, Unfit, View, asking::Asks};
use crate::contract::{MemoryPatch, What};

pub(super) struct Memorizer;

impl Asks for Memorizer {
    type Answer = MemoryPatch;

    fn take(_view: &View<'_>, out: &mut Out, patch: MemoryPatch) -> Result<Flow, Unfit> {
        if patch != MemoryPatch::default() {
            out.events.push(What::Updated { detail: "memory".to_owned() });
        }
        out.patch = Some(patch);
        Ok(Flow::Rest)
    }

    fn give_up(_view: &View<'_>, _out: &mut Out) -> Flow {
        Flow::Rest
    }
}

#[cfg(test)]
mod tests {
    use crate::nodes::asking::Asking;
    use crate::nodes::testing::check;

    #[test]
    fn what_can_not_be_read_changes_nothing() {
        for (says, flow) in [
            (r#"{"topic":"tea","facts":["likes tea"]}"#, "rest"),
            ("{}", "rest"),
            (r#"{"facts":"likes tea"}"#, "rest"),
            (
                r#"{"likes":"tea"}"#,
                "again: none of its fields is wanted; those that are: user_name, user_mood, topic, situation, language, style_hint, facts, forget",
            ),
            (r#"{"facts":[{"likes":"tea"}]}"#, "again: `facts[0]` is an object, but a text is wanted"),
        ] {
            assert_eq!(check(|view, out| Asking::Memorizer.resume(view, out, says)), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking::Memorizer.give_up(view, out)), "rest");
    }
}
