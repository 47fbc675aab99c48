//! What a node would be asked now: its prompts, filled from a view. For people who look at a prompt; nothing is asked.

use super::{Kind, Packet, Prompt, View, agent, expert, thinker};
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
        let fill = |prompt: &Prompt, view: &View<'_>| {
            prompt.filled(|slot, parts| match is_ahead && (slot.is_missing)(view) {
                // Empty means something else.
                true => parts.push(Part::Slot(slot.name.into(), NOT_YET.to_owned())),
                false => slot.fill(view, parts),
            })
        };
        let messages: Vec<_> = match self.node.kind {
            Kind::Ui | Kind::Sensor => return None,
            Kind::Agent => filled(None, agent::messages(self)).collect(),
            Kind::Thinker => {
                let planned = self.packet.decision.as_ref().map(|decision| decision.tool_sequence.as_slice()).unwrap_or_default();
                let packet = Packet { open: thinker::open(planned), ..self.packet.clone() };
                filled(None, fill(&self.node.prompt, &View { packet: &packet, ..*self })).collect()
            }
            Kind::Expert => {
                let plan = filled(Some(expert::PLAN), fill(&self.node.prompt, self));
                plan.chain(filled(Some(expert::COMPOSE), fill(&self.node.compose, self))).collect()
            }
            Kind::Input | Kind::Director | Kind::Interpreter | Kind::Output | Kind::Memorizer | Kind::Pa => {
                filled(None, fill(&self.node.prompt, self)).collect()
            }
        };
        Some(Question {
            node: self.node.name.clone(),
            role: self.node.role.clone(),
            model: self.node.model.clone(),
            messages,
            schema: self.node.schema.clone(),
            tools: self.native_tools(),
        })
    }
}
