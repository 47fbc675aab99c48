//! Interpreter: says what the data means, and only what is in it.
//!
//! Asks a model for an [`Interpretation`] of what the tools returned. One route, `output`. Default when the model can't be
//! understood: an expert's notes as they are; without any the data itself, shortened; where there is neither, the answer says so.

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
        if let Some(notes) = &view.packet.notes {
            let interpretation = Interpretation { summary: notes.clone(), findings: Vec::new() };
            return Flow::Go("output".into(), Box::new(Found { interpretation: Some(interpretation), ..Found::default() }));
        }
        let raw: Vec<String> = view.packet.results.iter().filter_map(|report| Some(report.data.as_ref()?.to_string())).collect();
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
    use super::*;
    use crate::nodes::asking::Asking;
    use crate::nodes::testing::{Fixture, check};
    use crate::nodes::{Packet, ToolReport};
    use serde_json::json;

    #[test]
    fn an_interpretation_needs_a_summary() {
        for (says, flow) in
            [(r#"{"summary":"two messages speak of tea"}"#, "go output"), (r#"{"findings":[]}"#, "again: `summary` is missing")]
        {
            assert_eq!(check(|view, out| Asking::Interpreter.resume(view, out, says)), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking::Interpreter.give_up(view, out)), "go output");
    }

    #[test]
    fn where_it_gives_up_an_expert_s_notes_go_on_and_the_rows_stay_behind() {
        let report = |data| ToolReport { tool: "query".into(), args: json!({}), ok: true, summary: String::new(), data: Some(data) };
        let results = vec![report(json!({"columns": ["n"], "rows": [[7]]}))];
        for (notes, says) in [(Some("Seven, says the expert."), "Seven, says the expert."), (None, "The data, not interpreted:")] {
            let packet = Packet { notes: notes.map(str::to_owned), results: results.clone(), ..Packet::default() };
            let Flow::Go(_, found) = Interpreter::give_up(&Fixture::default().view(&packet), &mut Out::default()) else {
                panic!("it goes on")
            };
            let interpretation = found.interpretation.unwrap();
            assert_eq!((interpretation.summary.as_str(), interpretation.findings.is_empty()), (says, notes.is_some()));
        }
    }
}
