//! Input: perceives what a message is before anyone thinks about it.
//!
//! A plain, listed saying is answered without a model; anything else asks a fast one for a [`Perception`]. The social and
//! trivial takes the route `reflex`, the rest `direct`. Default route when the model can't be understood: `direct`.

use super::{
    Flow, Found, Out, Perception, Unfit, View,
    asking::{Asking, Asks},
    shown,
};
use crate::contract::What;

pub(crate) const ROUTES: &[&str] = &["reflex", "direct"];

pub(crate) fn begin(view: &View<'_>, out: &mut Out) -> Flow {
    match view.node.plain.meet(view.message, &view.memory.user_name) {
        Some(met) => {
            let perception = Perception {
                who: view.memory.user_name.clone(),
                language: met.language.to_owned(),
                intent: "social".to_owned(),
                topic: met.topic.to_owned(),
                tone: "friendly".to_owned(),
                complexity: "trivial".to_owned(),
                context: String::new(),
            };
            go(out, perception, Some(met.reply))
        }
        None => Asking::Input.begin(view),
    }
}

pub(super) struct Input;

impl Asks for Input {
    type Answer = Perception;

    fn take(_view: &View<'_>, out: &mut Out, perception: Perception) -> Result<Flow, Unfit> {
        if perception.intent.is_empty() {
            return Err("`intent` is missing".into());
        }
        Ok(go(out, perception, None))
    }

    fn give_up(_view: &View<'_>, _out: &mut Out) -> Flow {
        Flow::Go("direct".into(), Box::default())
    }
}

fn go(out: &mut Out, perception: Perception, reply: Option<String>) -> Flow {
    let is_trivial = perception.intent == "social" || perception.complexity == "trivial";
    out.events.push(What::Perceived { output: shown(&perception) });
    out.summary = format!("{} · {}", perception.intent, perception.language);
    let found = Found { perception: Some(perception), reply, ..Found::default() };
    Flow::Go(if is_trivial { "reflex" } else { "direct" }.into(), Box::new(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::check;

    #[test]
    fn the_social_and_the_trivial_take_the_reflex_route() {
        for (says, route) in [
            (r#"{"intent":"social","language":"en"}"#, "go reflex"),
            (r#"```json {"intent":"question","complexity":"trivial"}```"#, "go reflex"),
            (r#"{"intent":"question","complexity":"simple"}"#, "go direct"),
            (r#"{"language":"en"}"#, "again: `intent` is missing"),
            (r#"Use {"language":"en"}: {"intent":"question"}"#, "go direct"),
            (r#"{"error":"no"}"#, "again: `intent` is missing"),
            ("hello", "again: there is no JSON object in it"),
        ] {
            assert_eq!(check(|view, out| Asking::Input.resume(view, out, says)), route, "{says}");
        }
        assert_eq!(check(|view, out| Asking::Input.give_up(view, out)), "go direct");
    }
}
