//! PA: knows the user, and decides who answers.
//!
//! Asks a model for a [`PaRouting`]: the expert and the job for it, or none, and then the job is the brief for `output`. The
//! thinking message is shown at once. Routes: `output`, and one for each expert that the graph draws an edge to. Default when
//! the model can't be understood: `output`, which says that the question went nowhere.

use super::{Decision, Flow, Found, Out, PaRouting, Unfit, View, asking::Asks, shown, unrouted};
use crate::contract::{What, clip};

pub(crate) const ROUTES: &[&str] = &["output"];

pub(super) struct Pa;

impl Asks for Pa {
    type Answer = PaRouting;

    fn take(view: &View<'_>, out: &mut Out, routing: PaRouting) -> Result<Flow, Unfit> {
        let expert = routing.expert.filter(|name| !name.is_empty() && name != "null");
        let experts = || view.node.edges.keys().map(String::as_str).filter(|route| !ROUTES.contains(route));
        if let Some(name) = expert.as_deref().filter(|name| !experts().any(|known| known == *name)) {
            let known: Vec<&str> = experts().collect();
            return Err(Unfit {
                why: format!("there is no expert `{name}`; the experts are {}, or null", known.join(", ")),
                outline: "the expert that it names is not known".to_owned(),
            });
        }
        let routing = PaRouting { expert, ..routing };
        out.events.push(What::Routed { output: shown(&routing) });
        if !routing.thinking_message.trim().is_empty() {
            out.progress(format!("{}\n", routing.thinking_message.trim()));
        }
        let route = routing.expert.clone();
        out.summary = format!("{} · {}", route.as_deref().unwrap_or("no expert"), clip(&routing.job, 100));
        let decision =
            route.is_none().then(|| Decision { goal: routing.job.clone(), present_as: "text".to_owned(), ..Decision::default() });
        let found = Found { routing: Some(routing), decision, ..Found::default() };
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
        ] {
            let flown = drawn(Asking::Pa.resume(&fixture.view(&packet), &mut Out::default(), says));
            assert_eq!(flown, flow, "{says}");
        }
    }
}
