//! Interpreter: says what the data means, and only what is in it.
//!
//! Asks a model for an [`Interpretation`] of what the tools returned. One route, `output`. Default when the model can't be
//! understood: the data itself, shortened.

use super::{Flow, Found, Interpretation, Out, Task, View, read, shown};
use crate::contract::{Answer, What, clip};

pub(crate) const ROUTES: &[&str] = &["output"];

#[derive(Clone, Debug, PartialEq)]
pub struct Asking;

pub(crate) fn begin(view: &View<'_>, _out: &mut Out) -> Flow {
    view.ask(Task::Interpreter(Asking))
}

impl Asking {
    pub(crate) fn resume(self, _view: &View<'_>, out: &mut Out, answer: Answer) -> Flow {
        match read::<Interpretation>(&answer.text) {
            Ok(interpretation) => go(out, interpretation),
            Err(why) => Flow::Again { why, task: Task::Interpreter(self) },
        }
    }

    pub(crate) fn give_up(self, view: &View<'_>, out: &mut Out) -> Flow {
        let found = view.packet.results.iter().filter_map(|report| report.data.as_ref());
        let findings = found.map(|data| clip(&data.to_string(), 1_000)).collect();
        go(out, Interpretation { summary: "What was found, as it is:".to_owned(), findings })
    }
}

fn go(out: &mut Out, interpretation: Interpretation) -> Flow {
    out.events.push(What::Interpreted { output: shown(&interpretation) });
    out.summary = clip(&interpretation.summary, 120);
    Flow::Go("output".into(), Box::new(Found { interpretation: Some(interpretation), ..Found::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::{answer, check};

    #[test]
    fn an_interpretation_needs_a_summary() {
        for (says, flow) in [
            (r#"{"summary":"two messages speak of tea"}"#, "go output"),
            (r#"{"findings":[]}"#, "again: missing field `summary` at line 1 column 15"),
        ] {
            assert_eq!(check(|view, out| Asking.resume(view, out, answer(says))), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking.give_up(view, out)), "go output");
    }
}
