//! What frames hand on to each other: the structured answers of the nodes, gathered along the path.

use crate::contract::{Change, Finish, TurnId, unique};
use crate::reading;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// The longest name of a language: `zh-Hant-TW` and the like.
const LANGUAGE_BYTES_MAX: usize = 16;

/// Everything that earlier frames of a turn produced.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Packet {
    pub turn: TurnId,
    pub sensed: Sensed,
    /// The control that began this turn, if one did.
    pub action: Option<Action>,
    pub perception: Option<Perception>,
    /// An answer that needs no model.
    pub reply: Option<String>,
    pub decision: Option<Decision>,
    /// Calls whose arguments the plan left open.
    pub open: Vec<PlannedCall>,
    pub results: Vec<ToolReport>,
    /// What the tools want changed; `ui` hands it to the engine in the last frame, so that a turn that fails changes nothing.
    pub changes: Vec<Change>,
    pub interpretation: Option<Interpretation>,
    /// Where the PA sent the message.
    pub routing: Option<PaRouting>,
    /// What the expert planned.
    pub plan: Option<ExpertPlan>,
    /// The answer has been given already.
    pub answered_by: Option<AnsweredBy>,
}

impl Packet {
    /// Takes over what a frame found; what it left empty stays as it was.
    pub fn add(&mut self, found: Found) {
        let Found { perception, reply, decision, results, changes, interpretation, routing, plan, answer: _, answered_by } = found;
        self.perception = perception.or(self.perception.take());
        self.reply = reply.or(self.reply.take());
        self.decision = decision.or(self.decision.take());
        self.interpretation = interpretation.or(self.interpretation.take());
        self.routing = routing.or(self.routing.take());
        self.plan = plan.or(self.plan.take());
        self.answered_by = answered_by.or(self.answered_by.take());
        self.results.extend(results);
        self.changes.extend(changes);
    }
}

impl Packet {
    /// Whether the session knows in which language to answer: a model has perceived it in this turn's message, or a control was
    /// used, which tells nothing of it. Else the memorizer may say.
    pub fn is_language_known(&self) -> bool {
        self.action.is_some() || (self.perception.is_some() && self.reply.is_none())
    }
}

/// What the sensor found when the turn began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sensed {
    /// What changes by itself: the time, and how long the user was away.
    pub passing: String,
    /// What changed on the user's screen.
    pub screen: String,
}

/// What one frame adds to the packet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub perception: Option<Perception>,
    pub reply: Option<String>,
    pub decision: Option<Decision>,
    pub results: Vec<ToolReport>,
    pub changes: Vec<Change>,
    pub interpretation: Option<Interpretation>,
    pub routing: Option<PaRouting>,
    pub plan: Option<ExpertPlan>,
    /// The whole answer, of which the user may have seen a part, or something else. It is shown and not handed on.
    pub answer: Option<String>,
    pub answered_by: Option<AnsweredBy>,
}

/// Who gave the answer, before `output`, and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// The node's kind.
    pub kind: Arc<str>,
    pub finish: Finish,
}

impl Found {
    /// The language that a model has perceived. A listed saying, such as “ok”, belongs to more than one.
    pub fn language(&self) -> Option<&str> {
        let language = self.perception.as_ref().filter(|_| self.reply.is_none())?.language.trim();
        let code = language.split(['-', '_']).next().unwrap_or_default();
        let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphabetic());
        (is_code && language.len() <= LANGUAGE_BYTES_MAX).then_some(language)
    }
}

/// A control that was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    pub action: String,
    pub label: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// The machine and the state that it moves to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub go: Option<(String, String)>,
}

/// What `input` perceives.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Perception {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub who: String,
    /// ISO 639-1, such as `en`.
    #[serde(default)]
    pub language: String,
    /// `social`, `question`, `request`, `action`, `recall`, `other`.
    pub intent: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tone: String,
    /// `trivial`, `simple`, `complex`.
    #[serde(default)]
    pub complexity: String,
    #[serde(default)]
    pub context: String,
}

/// What `director` decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub goal: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    #[serde(default)]
    pub tool_sequence: Vec<PlannedCall>,
    /// `text`, `list`, `table`, `buttons`.
    #[serde(default)]
    pub present_as: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A tool to call. `args` that are missing or don't fit are filled in by `thinker`'s model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenCall")]
pub struct PlannedCall {
    pub tool: String,
    pub args: Value,
}

/// A call as models write it: under our names, under those of their own tools, or under both; ours win.
#[derive(Deserialize)]
struct WrittenCall {
    tool: Option<String>,
    name: Option<Value>,
    #[serde(default, deserialize_with = "unwrapped")]
    args: Value,
    #[serde(default, deserialize_with = "unwrapped")]
    arguments: Value,
}

impl TryFrom<WrittenCall> for PlannedCall {
    type Error = &'static str;

    fn try_from(WrittenCall { tool, name, args, arguments }: WrittenCall) -> Result<PlannedCall, &'static str> {
        let tool = tool.or_else(|| Some(name?.as_str()?.to_owned())).ok_or("`tool` is missing")?;
        Ok(PlannedCall { tool, args: if args.is_null() { arguments } else { args } })
    }
}

/// Arguments, also where they were written as JSON text.
fn unwrapped<'de, D: Deserializer<'de>>(from: D) -> Result<Value, D::Error> {
    let args = unique(from)?;
    let inner = args.as_str().and_then(reading::certain).filter(Value::is_object);
    Ok(inner.unwrap_or(args))
}

/// What became of a tool call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolReport {
    pub tool: String,
    pub args: Value,
    pub ok: bool,
    pub summary: String,
    /// What the tool found; only tools that return data have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// What `interpreter` makes of the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interpretation {
    #[serde(default)]
    pub findings: Vec<String>,
    /// The answer, as the user reads it.
    pub summary: String,
}

/// Where the PA sends a message. Without an expert it holds the answer, or else `job` is the brief for `output`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PaRouting {
    pub expert: Option<String>,
    pub job: String,
    pub thinking_message: String,
    pub language: String,
    /// Empty where an expert is named.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub answer: String,
}

/// A routing as models write it.
#[derive(Deserialize)]
struct WrittenRouting {
    expert: Option<String>,
    job: Option<String>,
    thinking_message: Option<String>,
    language: Option<String>,
    answer: Option<String>,
}

impl<'de> Deserialize<'de> for PaRouting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PaRouting, D::Error> {
        let WrittenRouting { expert, job, thinking_message, language, answer } = WrittenRouting::deserialize(from)?;
        let expert = expert.filter(|name| !matches!(name.trim(), "" | "null"));
        let answer = answer.filter(|answer| expert.is_none() && !answer.trim().is_empty()).unwrap_or_default();
        let job = job.unwrap_or_default();
        if job.trim().is_empty() && answer.is_empty() {
            return Err(D::Error::missing_field("job"));
        }
        Ok(PaRouting {
            expert,
            job,
            thinking_message: thinking_message.unwrap_or_default(),
            language: language.unwrap_or_default(),
            answer,
        })
    }
}

/// What an expert plans.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExpertPlan {
    /// Required: without it nothing was planned, and what is then composed is made up.
    pub tool_sequence: Vec<PlannedCall>,
    #[serde(default)]
    pub response_hint: String,
    /// Whether the interpreter writes the answer from the results.
    #[serde(default)]
    pub interpret: bool,
}
