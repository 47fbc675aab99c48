//! Memorizer: after an answer, notes what is worth remembering of it.
//!
//! Runs behind the turn and holds nothing up. Asks a fast model for a [`MemoryPatch`]; what can't be read, twice, changes nothing.

use super::{Flow, Out, Task, View, read};
use crate::contract::{Answer, MemoryPatch, What};

#[derive(Clone, Debug, PartialEq)]
pub struct Asking;

pub(crate) fn begin(view: &View<'_>, _out: &mut Out) -> Flow {
    view.ask(Task::Memorizer(Asking))
}

impl Asking {
    pub(crate) fn resume(self, _view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        match read::<MemoryPatch>(&answer.text) {
            Ok(patch) => {
                if patch != MemoryPatch::default() {
                    out.events.push(What::Updated { detail: "memory".to_owned() });
                }
                out.patch = Some(patch);
                Flow::Rest
            }
            Err(why) => Flow::Again { why, task: Task::Memorizer(self) },
        }
    }

    pub(crate) fn give_up(self, _view: &View<'_>, _out: &mut Out) -> Flow {
        Flow::Rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::{answer, check};

    #[test]
    fn what_can_not_be_read_changes_nothing() {
        for (says, flow) in [
            (r#"{"topic":"tea","facts":["likes tea"]}"#, "rest"),
            ("{}", "rest"),
            (r#"{"facts":"tea"}"#, "again: invalid type: string \"tea\", expected a sequence at line 1 column 14"),
        ] {
            assert_eq!(check(|view, out| Asking.resume(view, out, answer(says))), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking.give_up(view, out)), "rest");
    }
}
