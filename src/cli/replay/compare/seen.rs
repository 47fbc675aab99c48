//! What a turn did, as far as two runs of it are compared.

use crate::contract::{CallStatus, DatabaseAsk, Effect, Event, Outcome, Request, Usage, What};
use serde::Serialize;
use serde_json::Value;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Seen {
    /// The path's name, and the nodes of its frames.
    pub(super) path: String,
    pub(super) frames: Vec<String>,
    /// Each tool with its arguments, but for statements of SQL.
    pub(super) tools: Vec<String>,
    pub(super) sql: Vec<String>,
    pub(super) text: String,
    /// Why it failed, or gave less than it should.
    pub(super) error: Option<String>,
    pub(super) tokens_in: u64,
    pub(super) tokens_out: u64,
    pub(super) cost_micros: u64,
    #[serde(skip)]
    pub(super) has_ended: bool,
}

impl Seen {
    /// Takes note of an effect of the turn.
    pub(super) fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::Emit(event) => self.note_event(event),
            Effect::Call { request, .. } => {
                if let Request::Database(database) = &**request
                    && let DatabaseAsk::Query { sql } = &database.ask
                {
                    self.sql.push(sql.clone());
                }
            }
            Effect::Cancel { .. } => {}
        }
    }

    fn note_event(&mut self, event: &Event) {
        match &event.what {
            What::Streaming { text } => self.text.push_str(text),
            What::Retold { text } => text.as_ref().clone_into(&mut self.text),
            What::ToolCall { tool, args, .. } => self.tools.push(called(tool, args)),
            What::FrameTrace { trace } => {
                self.path.clone_from(&trace.path);
                self.frames = trace.frames.iter().map(|frame| frame.nodes.join("+")).collect();
                self.error = trace.degraded.as_ref().map(|why| format!("degraded: {why}"));
                if trace.status == CallStatus::Cancelled {
                    self.error = Some("the turn was stopped".to_owned());
                }
            }
            What::Done { outcome, .. } => {
                self.has_ended = true;
                if let Outcome::Failed { why, .. } = outcome {
                    self.error = Some(why.clone());
                }
            }
            _ => {}
        }
    }

    pub(super) fn spend(&mut self, usage: &Usage) {
        self.tokens_in = self.tokens_in.saturating_add(usage.prompt_tokens);
        self.tokens_out = self.tokens_out.saturating_add(usage.completion_tokens);
        self.cost_micros = self.cost_micros.saturating_add(usage.cost_micros);
    }
}

/// `query({"database":"eras"})`
fn called(tool: &str, args: &Value) -> String {
    let mut args = args.clone();
    if let Some(fields) = args.as_object_mut() {
        fields.remove("sql");
    }
    format!("{tool}({args})")
}
