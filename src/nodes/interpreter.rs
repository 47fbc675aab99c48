//! Interpreter: says what the data means, and only what is in it.
//!
//! Calls a model for an [`Interpretation`] of what the tools returned. Its summary is the answer, streamed from the field. One
//! route, `output`. Default when the model can't be understood: `output` writes from the data itself, shortened; where there is
//! none, the answer says so.

use super::{AnsweredBy, Flow, Found, Interpretation, Out, Unfit, View, asking::Asks, shown, unrouted};
use crate::contract::{Finish, StreamedField, What, clip};

pub(crate) const ROUTES: &[&str] = &["output"];

/// Of each piece of data that nobody has read.
const FINDING_BYTES_MAX: usize = 1_000;

pub(super) struct Interpreter;

impl Asks for Interpreter {
    type Answer = Interpretation;

    fn streamed_field() -> Option<StreamedField> {
        Some(StreamedField { field: "summary".into(), unless: None })
    }

    fn take(view: &View<'_>, out: &mut Out, interpretation: Interpretation) -> Result<Flow, Unfit> {
        if interpretation.summary.trim().is_empty() {
            return Err("`summary` is empty".into());
        }
        out.events.push(What::Interpreted { output: shown(&interpretation) });
        out.summary = clip(&interpretation.summary, 120);
        let answered_by = Some(AnsweredBy { kind: view.node.role.clone(), finish: Finish::Stop });
        let answer = Some(interpretation.summary.clone());
        Ok(Flow::Go("output".into(), Box::new(Found { interpretation: Some(interpretation), answer, answered_by, ..Found::default() })))
    }

    fn give_up(view: &View<'_>, _out: &mut Out) -> Flow {
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
        for (says, flow) in [
            (r#"{"summary":"two messages speak of tea"}"#, "go output"),
            (r#"{"findings":[]}"#, "again: `summary` is missing"),
            (r#"{"findings":["tea"],"summary":" "}"#, "again: `summary` is empty"),
        ] {
            assert_eq!(check(|view, out| Asking::Interpreter.resume(view, out, says)), flow, "{says}");
        }
        assert_eq!(check(|view, out| Asking::Interpreter.give_up(view, out)), "go output");
    }

    #[test]
    fn its_summary_is_the_answer_and_where_it_gives_up_output_writes_from_the_data() {
        let data = Some(json!({"columns": ["n"], "rows": [[7]]}));
        let report = ToolReport { tool: "query".into(), args: json!({}), ok: true, summary: String::new(), data };
        let (packet, fixture) = (Packet { results: vec![report], ..Packet::default() }, Fixture::default());
        let says = r#"{"findings":["n: 7"],"summary":"Seven."}"#;
        for (flow, summary, answer) in [
            (Asking::Interpreter.resume(&fixture.view(&packet), &mut Out::default(), says), "Seven.", Some("Seven.")),
            (Asking::Interpreter.give_up(&fixture.view(&packet), &mut Out::default()), "The data, not interpreted:", None),
        ] {
            let Flow::Go(_, found) = flow else { panic!("it goes on") };
            assert_eq!((found.answer.as_deref(), found.answered_by.is_some()), (answer, answer.is_some()));
            let Interpretation { findings, summary: told } = found.interpretation.unwrap();
            assert_eq!((told.as_str(), findings.len()), (summary, 1));
        }
    }
}
