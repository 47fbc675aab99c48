//! Interpreter: says what the data means, and only what is in it.
//!
//! Asks a model for an [`Interpretation`] of what the tools returned. One route, `output`. Default when the model can't be
//! understood: an expert's notes and the data itself, shortened; where there is neither, the answer says so.

use super::{Flow, Found, Interpretation, Out, Unfit, View, asking::Asks, shown, unrouted};
use crate::contract::{What, clip};

pub(crate) const ROUTES: &[&str] = &["output"];

/// Of each piece of data that nobody has read.
const FINDING_BYTES_MAX: usize = 1_000;

pub(super) struct Interpreter;

impl Asks for Interpreter {
    type Answer = Interpretation;

    fn take(_view: &View<'_>, out: &mut Out, interpretation: Interpretation) -> Result<Flow, Unfit> {
        out.events.push(What::Interpreted { output: shown(&interpretation) });
        out.summary = clip(&interpretation.summary, 120);
        Ok(Flow::Go("output".into(), Box::new(Found { interpretation: Some(interpretation), ..Found::default() })))
    }

    fn give_up(view: &View<'_>, _out: &mut Out) -> Flow {
        let found = view.packet.results.iter().filter_map(|report| Some(report.data.as_ref()?.to_string()));
        let raw: Vec<String> = view.packet.notes.iter().cloned().chain(found).collect();
        if raw.is_empty() {
            return unrouted::go(view, "output");
        }
        let summary = match raw.iter().any(|text| text.len() > FINDING_BYTES_MAX) {
            true => "The data, not interpreted, and only its beginning: more follows that is not shown, so count and sum nothing.",
            false => "The data, not interpreted:",
        };
        let findings = raw.iter().map(|text| clip(text, FINDING_BYTES_MAX)).collect();
        let interpretation = Some(Interpretation { summary: summary.to_owned(), findings });
        Flow::Go("output".into(), Box::new(Found { interpretation, ..Found::default() }))
    }
}

#[cfg(test)]
mod tests {
    use crate::nodes::asking::Asking;
    use crate::nodes::testing::check;

    #[test]
    fn an_interpretation_needs_a_summary() {
        for (says, flow) in
            [(r#"{"summary":"two messages speak of tea"}"#, "go output"), (r#"{"findings":[]}"#, "again: `summary` is missing")]
        {
            assert_eq!(check(|view, out| Asking::Interpreter.resume(view, out, says)), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking::Interpreter.give_up(view, out)), "go output");
    }
}
