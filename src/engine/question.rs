//! What a node would be asked now, so that a prompt can be looked at without a turn.
//!
//! It reads what a turn would read, at the given time, and changes nothing.

use super::turn::About;
use super::{NAME_BYTES_MAX, Session};
use crate::contract::{Code, Now, Question, Refusal, Role, TurnId, clip};
use crate::nodes::{Kind, Out, PaRouting, Packet, Sensed};

impl Session {
    /// What the node would be asked about `text`, which is an expert's job; without one about the running turn's message, else
    /// the last one's, with what the nodes before it have found.
    pub fn question(&self, now: Now, node: &str, text: Option<&str>) -> Result<Question, Refusal> {
        let nodes = &self.graph.nodes;
        let Some(index) = nodes.iter().position(|known| *known.name == *node) else {
            let known: Vec<&str> = nodes.iter().filter(|node| node.kind.asks()).map(|node| &*node.name).collect();
            let (graph, known) = (&self.graph.name, known.join(", "));
            let node = clip(node, NAME_BYTES_MAX);
            return Err(Refusal::with(Code::UnknownNode, format!("the graph `{graph}` has no node `{node}`: choose one of {known}")));
        };
        let (mut about, is_ahead) = self.question_about(text);
        if let (Kind::Expert, Some(job)) = (nodes[index].kind, text) {
            about.packet.routing = Some(PaRouting { job: job.to_owned(), ..PaRouting::default() });
        }
        if about.packet.sensed == Sensed::default()
            && let Some(before) = self.graph.before
        {
            let mut out = Out::default();
            let _rest = nodes[before].kind.begin(&self.view_at(now.wall, &about, &nodes[before]), &mut out);
            about.packet.sensed = out.sensed.unwrap_or_default();
        }
        let no_model = || Refusal::with(Code::NodeWithoutPrompt, format!("the node `{node}` calls no model: it has no prompt"));
        self.view_at(now.wall, &about, &nodes[index]).question(is_ahead).ok_or_else(no_model)
    }

    /// What the question is about, and whether its turn is yet to come.
    fn question_about(&self, text: Option<&str>) -> (About, bool) {
        let ahead = |message: &str, turn| {
            (About { message: message.into(), packet: Packet { turn, ..Packet::default() }, ..About::default() }, true)
        };
        // A message that is yet to come finds all others before it.
        let new = TurnId(self.counters.turn_last.0 + 1);
        match (text, &self.work.turn, &self.kept.last) {
            (Some(message), _, _) => ahead(message, new),
            (None, Some(turn), _) => (turn.about.clone(), false),
            (None, None, Some(about)) => ((**about).clone(), false),
            (None, None, None) => {
                // A switch that keeps the conversation leaves its messages, and nothing that the other graph found.
                let last = self.conversation.history.iter().rev().find(|message| message.role == Role::User);
                last.map_or_else(|| ahead("", new), |message| ahead(&message.content, message.id))
            }
        }
    }
}
