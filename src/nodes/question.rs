//! What a node would be asked now: its prompts, filled from a view. For people who look at a prompt; nothing is asked.

use super::{Kind, Packet, View, agent, expert, slots, thinker};
use crate::contract::{ChatMessage, Part, Question};

/// Stands in the place of what the nodes before this one are still to find.
const NOT_YET: &str = "(not known yet: an earlier node finds it)";

impl View<'_> {
    /// Nothing for a node that asks no model. An expert's second prompt comes behind its first, each marked with its stage.
    /// `is_ahead`: the turn is yet to come, so nothing has been found for it.
    pub fn question(&self, is_ahead: bool) -> Option<Question> {
        let filled = |stage: Option<&'static str>, messages: Vec<ChatMessage>| {
            messages.into_iter().map(move |message| (stage.map(Into::into), message))
        };
        let mut messages: Vec<_> = match self.node.kind {
            Kind::Ui | Kind::Sensor => return None,
            Kind::Agent => filled(None, agent::messages(self)).collect(),
            Kind::Thinker => {
                let planned = self.packet.decision.as_ref().map(|decision| decision.tool_sequence.as_slice()).unwrap_or_default();
                let packet = Packet { open: thinker::open(planned), ..self.packet.clone() };
                filled(None, self.node.prompt.fill(&View { packet: &packet, ..*self })).collect()
            }
            Kind::Expert => {
                let plan = filled(Some(expert::PLAN), self.node.prompt.fill(self));
                plan.chain(filled(Some(expert::COMPOSE), self.node.compose.fill(self))).collect()
            }
            Kind::Input | Kind::Director | Kind::Interpreter | Kind::Output | Kind::Memorizer | Kind::Pa => {
                filled(None, self.node.prompt.fill(self)).collect()
            }
        };
        if is_ahead {
            let parts = messages.iter_mut().flat_map(|(_, message)| &mut message.text.0);
            parts.for_each(|part| self.mark(part));
        }
        Some(Question {
            node: self.node.name.clone(),
            role: self.node.role.clone(),
            model: self.node.model.clone(),
            messages,
            schema: self.node.schema.clone(),
            tools: self.native_tools(),
        })
    }

    /// Says of what is not there yet that it is not: empty means something else.
    fn mark(&self, part: &mut Part) {
        if let Part::Slot(name, text) = part
            && slots::named(name).is_some_and(|slot| (slot.is_missing)(self))
        {
            NOT_YET.clone_into(text);
        }
    }
}
