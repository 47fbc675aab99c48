//! What a node would be asked now: its prompts, filled from a view. For people who look at a prompt; nothing is asked.

use super::{Kind, Packet, View, agent, thinker};
use crate::contract::{ChatMessage, Question};

impl View<'_> {
    /// Nothing for a node that asks no model. An expert's second prompt comes behind its first, each marked with its stage.
    pub fn question(&self) -> Option<Question> {
        let filled = |stage: Option<&'static str>, messages: Vec<ChatMessage>| messages.into_iter().map(move |message| (stage, message));
        let messages = match self.node.kind {
            Kind::Ui | Kind::Sensor => return None,
            Kind::Agent => filled(None, agent::messages(self)).collect(),
            Kind::Thinker => {
                let planned = self.packet.decision.as_ref().map(|decision| decision.tool_sequence.as_slice()).unwrap_or_default();
                let packet = Packet { open: thinker::open(planned), ..self.packet.clone() };
                filled(None, self.node.prompt.fill(&View { packet: &packet, ..*self })).collect()
            }
            Kind::Expert => {
                let plan = filled(Some("plan"), self.node.prompt.fill(self));
                plan.chain(filled(Some("compose"), self.node.compose.fill(self))).collect()
            }
            Kind::Input | Kind::Director | Kind::Interpreter | Kind::Output | Kind::Memorizer | Kind::Pa => {
                filled(None, self.node.prompt.fill(self)).collect()
            }
        };
        Some(Question {
            node: self.node.name.clone(),
            role: self.node.role.clone(),
            model: self.node.model.clone(),
            messages,
            schema: self.node.schema.clone(),
            tools: self.node.tools.clone(),
        })
    }
}
