//! Interpreter: says what the data means, and only what is in it.
//!
//! Asks a model for an [`Interpretation`] of what the tools returned. One route, `output`. Default when the model can't be
//! understood: the data itself, shortened.

use super::{Flow, Found, Interpretation, Out, View, asking::Asks, shown};
use crate::contract::{What, clip};

pub(crate) const ROUTES: &[&str] = &["output"];

pub(super) struct Interpreter;

impl Asks for Interpreter {
    type Answer = Interpretation;

    fn take(_view: &View<'_>, out: &mut Out, interpretation: Interpretation) -> Result<Flow, String> {
        out.events.push(What::Interpreted { output: shown(&interpretation) });
        out.summary = clip(&interpretation.summary, 120);
        Ok(Flow::Go("output".into(), Box::new(Found { interpretation: Some(interpretation), ..Found::default() })))
    }

    fn fallback(view: &View<'_>) -> Interpretation {
        let found = view.packet.results.iter().filter_map(|report| report.data.as_ref());
        let findings = found.map(|data| clip(&data.to_string(), 1_000)).collect();
        Interpretation { summary: "What was found, as it is:".to_owned(), findings }
    }
}

#[cfg(test)]
mod tests {
    use crate::nodes::asking::Asking;
    use crate::nodes::testing::check;

    #[test]
    fn an_interpretation_needs_a_summary() {
        for (says, flow) in [
            (r#"{"summary":"two messages speak of tea"}"#, "go output"),
            (r#"{"findings":[]}"#, "again: missing field `summary` at line 1 column 15"),
        ] {
            assert_eq!(check(|view, out| Asking::Interpreter.resume(view, out, Some(says))), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking::Interpreter.resume(view, out, None)), "go output");
    }
}
