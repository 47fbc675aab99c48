//! What a node would be asked now: so that a prompt can be looked at without a turn.
//!
//! It reads what a turn would read, at the time that it is given, and changes nothing.

use super::Session;
use crate::contract::{Code, Now, Question, Refusal, Role, TurnId};
use crate::nodes::{Kind, Out, PaRouting, Packet, Sensed, View};
use serde_json::Value;

/// What a question is about.
struct About<'a> {
    message: &'a str,
    dashboard: &'a [Value],
    packet: Packet,
    answer: &'a str,
    /// Its turn is yet to come.
    is_ahead: bool,
}

impl Session {
    /// What the node would be asked about `text`, which is an expert's job; without one about the running turn's message, else
    /// the last one's, with what the nodes before it have found.
    pub fn question(&self, now: Now, node: &str, text: Option<&str>) -> Result<Question, Refusal> {
        let nodes = &self.graph.nodes;
        let Some(index) = nodes.iter().position(|known| *known.name == *node) else {
            let known: Vec<&str> = nodes.iter().filter(|node| node.kind.asks()).map(|node| &*node.name).collect();
            let (graph, known) = (&self.graph.name, known.join(", "));
            let detail = format!("the graph `{graph}` has no node `{node}`: choose one of {known}");
            return Err(Refusal::with(Code::UnknownNode, detail));
        };
        let mut about = self.about(text);
        if let (Kind::Expert, Some(job)) = (nodes[index].kind, text) {
            about.packet.routing = Some(PaRouting { job: job.to_owned(), ..PaRouting::default() });
        }
        if about.packet.sensed == Sensed::default()
            && let Some(before) = self.graph.before
        {
            let mut out = Out::default();
            let _rest = nodes[before].kind.begin(&self.view_about(&about, before, now), &mut out);
            about.packet.sensed = out.sensed.unwrap_or_default();
        }
        let no_model = || Refusal::with(Code::NodeWithoutPrompt, format!("the node `{node}` calls no model: it has no prompt"));
        self.view_about(&about, index, now).question(about.is_ahead).ok_or_else(no_model)
    }

    fn about<'a>(&'a self, text: Option<&'a str>) -> About<'a> {
        // A message that is yet to come finds all others before it.
        let new = Packet { turn: TurnId(self.turn_last.0 + 1), ..Packet::default() };
        match (text, &self.turn, &self.finished) {
            (Some(message), _, _) => About { message, dashboard: &[], packet: new, answer: "", is_ahead: true },
            (None, Some(turn), _) => About {
                message: &turn.message,
                dashboard: &turn.dashboard,
                packet: turn.packet.clone(),
                answer: &turn.answer,
                is_ahead: false,
            },
            (None, None, Some(turn)) => About {
                message: &turn.message,
                dashboard: &turn.dashboard,
                packet: turn.packet.clone(),
                answer: &turn.answer,
                is_ahead: false,
            },
            (None, None, None) => {
                // A switch that keeps the conversation leaves its messages, and nothing that the other graph found.
                let last = self.history.iter().rev().find(|message| message.role == Role::User);
                let turn = last.map_or(new.turn, |message| message.id);
                let message = last.map_or("", |message| &message.content);
                About { message, dashboard: &[], packet: Packet { turn, ..new }, answer: "", is_ahead: true }
            }
        }
    }

    fn view_about<'a>(&'a self, about: &'a About<'_>, node: usize, now: Now) -> View<'a> {
        View {
            node: &self.graph.nodes[node],
            wall: now.wall,
            caller: &self.caller,
            limits: &self.limits,
            message: about.message,
            history: &self.history,
            memory: &self.memory,
            schema: &self.schema_cache,
            databases: &self.databases,
            ui: &self.ui,
            dashboard: about.dashboard,
            ui_news: &self.ui_news,
            idle_since: self.idle_since,
            packet: &about.packet,
            answer: about.answer,
            asked: None,
        }
    }
}
