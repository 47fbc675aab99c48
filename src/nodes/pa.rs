//! PA: knows the user, and decides who answers.
//!
//! Calls a model for a [`PaRouting`]: an expert and the job for it, or no expert and the answer, which is streamed from the
//! field. Without an answer the job is the brief for `output`. The thinking message is shown at once. Routes: `output`, and one
//! for each expert that the graph draws an edge to. Default when the model can't be understood: `output`, which says that the
//! question went nowhere.

use super::{AnsweredBy, Decision, Flow, Found, Out, PaRouting, Unfit, View, asking::Asks, shown, unrouted};
use crate::contract::{Finish, StreamedField, What, clip};

pub(crate) const ROUTES: &[&str] = &["output"];

pub(super) struct Pa;

impl Asks for Pa {
    type Answer = PaRouting;

    fn streamed_field() -> Option<StreamedField> {
        Some(StreamedField { field: "answer".into(), unless: Some("expert".into()) })
    }

    fn take(view: &View<'_>, out: &mut Out, routing: PaRouting) -> Result<Flow, Unfit> {
        let experts = || view.node.edges.keys().map(String::as_str).filter(|route| !ROUTES.contains(route));
        if let Some(name) = routing.expert.as_deref().filter(|name| !experts().any(|known| known == *name)) {
            let known: Vec<&str> = experts().collect();
            return Err(Unfit {
                why: format!("there is no expert `{name}`; the experts are {}, or null", known.join(", ")),
                outline: "the expert that it names is not known".to_owned(),
            });
        }
        out.events.push(What::Routed { output: shown(&routing) });
        if routing.answer.is_empty() && !routing.thinking_message.trim().is_empty() {
            out.progress(format!("{}\n", routing.thinking_message.trim()));
        }
        let route = routing.expert.clone();
        let answer = Some(routing.answer.clone()).filter(|answer| !answer.is_empty());
        out.summary = format!("{} · {}", route.as_deref().unwrap_or("no expert"), clip(answer.as_ref().unwrap_or(&routing.job), 100));
        let answered_by = answer.as_ref().map(|_| AnsweredBy { kind: view.node.role.clone(), finish: Finish::Stop });
        let is_brief = route.is_none() && answer.is_none();
        let decision = is_brief.then(|| Decision { goal: routing.job.clone(), present_as: "text".to_owned(), ..Decision::default() });
        let found = Found { routing: Some(routing), decision, answer, answered_by, ..Found::default() };
        Ok(Flow::Go(route.map_or("output".into(), Into::into), Box::new(found)))
    }

    fn give_up(view: &View<'_>, _out: &mut Out) -> Flow {
        unrouted::go(view, "output")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Packet;
    use crate::nodes::asking::Asking;
    use crate::nodes::testing::{Fixture, drawn};

    #[test]
    fn a_message_goes_to_an_expert_that_the_graph_knows_or_to_none() {
        let mut fixture = Fixture::default();
        fixture.node.edges = [("eras".to_owned(), 1), ("output".to_owned(), 2)].into();
        let packet = Packet::default();
        for (says, flow) in [
            (r#"{"expert":"eras","job":"count"}"#, "go eras"),
            (r#"{"expert":null,"job":"say hello"}"#, "go output"),
            (r#"{"expert":"","job":"say hello"}"#, "go output"),
            (r#"{"expert":"weather","job":"rain?"}"#, "again: there is no expert `weather`; the experts are eras, or null"),
            (r#"{"expert":"eras"}"#, "again: `job` is missing"),
            (r#"{"expert":null,"job":"","answer":" "}"#, "again: `job` is missing"),
            (r#"{"expert":"eras","answer":"Sixteen."}"#, "again: `job` is missing"),
        ] {
            let flown = drawn(Asking::Pa.resume(&fixture.view(&packet), &mut Out::default(), says));
            assert_eq!(flown, flow, "{says}");
        }
    }

    #[test]
    fn without_an_expert_an_answer_is_the_answer_and_with_one_it_is_ignored() {
        let mut fixture = Fixture::default();
        fixture.node.edges = [("eras".to_owned(), 1), ("output".to_owned(), 2)].into();
        let packet = Packet::default();
        for (says, answer, goal) in [
            (r#"{"expert":null,"answer":"Hello."}"#, Some("Hello."), None),
            (r#"{"expert":"null","job":"say hello","answer":"Hello."}"#, Some("Hello."), None),
            (r#"{"expert":null,"job":"say hello","answer":null}"#, None, Some("say hello")),
            (r#"{"expert":"eras","job":"count","answer":"Sixteen."}"#, None, None),
        ] {
            let mut out = Out::default();
            let Flow::Go(_, found) = Asking::Pa.resume(&fixture.view(&packet), &mut out, says) else { panic!("{says}") };
            assert_eq!((found.answer.as_deref(), found.answered_by.is_some()), (answer, answer.is_some()), "{says}");
            assert_eq!(found.decision.map(|decision| decision.goal).as_deref(), goal, "{says}");
            let [What::Routed { output }] = &out.events[..] else { panic!("{says}: {:?}", out.events) };
            assert_eq!(output.get("answer").and_then(|answer| answer.as_str()), answer, "{says}");
        }
    }
}
