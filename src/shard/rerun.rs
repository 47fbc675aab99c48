//! `/api/call/rerun`: a recorded model call is made again, as it was or with an edited prompt, and its answer is compared with the
//! recorded one. The session is neither touched nor told.
//!
//! A shard finds the call, in memory or through the journal, and counts the call against the caller; the pool makes it as one
//! that nobody's turn waits for ([`Job::Call`]).

use super::address::Address;
use super::answers::{NOT_KEPT, NOT_KEPT_YET, UNKNOWN_TURN};
use super::bounds::RERUNS_MAX;
use super::event::{Action, Job};
use super::identity::Key;
use super::journal_job::JournalJob;
use super::operation::{Answer as Answered, Reply};
use super::quota::{Subject, spent_by};
use super::{Shard, queries};
use crate::contract::{
    Answer, CallDetail, CallError, CallId, CallStatus, Came, ChatMessage, Code, ModelRequest, Moment, Refusal, Request, Text, TurnDetail,
    TurnId, Usage, milliseconds,
};
use crate::wire::json;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// What is to be made again, and how it differs from what was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Rerun {
    turn: TurnId,
    call: CallId,
    /// New texts of messages, by their place.
    edits: Vec<(usize, String)>,
    model: Option<Arc<str>>,
    tokens_max: Option<u32>,
    /// Who asks, and so pays.
    by: Arc<str>,
}

/// A [`Rerun`] that was admitted: for which session of the pool it is made, and what it counts against.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    rerun: Rerun,
    owner: Arc<str>,
    payer: Option<Subject>,
}

/// A call that is made again.
#[derive(Clone, Debug, PartialEq)]
pub struct Again {
    pub owner: Arc<str>,
    pub request: Arc<Request>,
    turn: TurnId,
    call: CallId,
    node: Arc<str>,
    recorded: Came,
    payer: Option<Subject>,
    begun: Moment,
}

pub(super) const RERUN_OFF: Refusal =
    Refusal::new(Code::RerunDisabled, "on this server only administrators may make a recorded call again (operators: see `--rerun`)");
const RERUNS_FULL: Refusal = Refusal::new(Code::CallsFull, "several calls are being made again: wait for one to end");
const UNKNOWN_CALL: Refusal = Refusal::new(Code::UnknownCall, "the turn has no such call: `/api/turn` lists its calls with their `pid`");
const NO_MODEL_CALL: Refusal =
    Refusal::new(Code::InvalidParameter, "this call asked a database: only a call of a model can be made again with another prompt");
/// What a node may ask for; settings say which model each is.
const MODELS: [&str; 2] = ["fast", "strong"];

fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Code::InvalidParameter, detail)
}

impl Rerun {
    /// `{"turn","pid","edits"?,"model"?,"tokens_max"?}`
    pub(super) fn parse(mut body: Map<String, Value>, by: Arc<str>) -> Result<Rerun, Refusal> {
        let turn = body.get("turn").and_then(Value::as_str).and_then(|turn| turn.parse().ok());
        let turn = turn.ok_or_else(|| invalid("`turn` is missing: name a turn as `msg_<n>`"))?;
        let call = body.get("pid").and_then(Value::as_u64).map(CallId);
        let call = call.ok_or_else(|| invalid("`pid` is missing: give the number of a call, as `/api/turn` lists it"))?;
        let edits = match body.remove("edits") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(edits)) => edits.into_iter().map(edit).collect::<Result<_, _>>()?,
            Some(_) => return Err(EDITS),
        };
        let model = match body.get("model") {
            None | Some(Value::Null) => None,
            Some(Value::String(model)) if MODELS.contains(&model.as_str()) => Some(model.as_str().into()),
            Some(_) => return Err(invalid("`model` must be `fast` or `strong`")),
        };
        let tokens_max = match body.get("tokens_max") {
            None | Some(Value::Null) => None,
            Some(most) => {
                let most = most.as_u64().and_then(|most| u32::try_from(most).ok()).filter(|most| *most > 0);
                Some(most.ok_or_else(|| invalid("`tokens_max` must be a whole number of tokens, at least 1"))?)
            }
        };
        Ok(Rerun { turn, call, edits, model, tokens_max, by })
    }

    /// The request as it is to be made: whole, since nobody watches it, and behind those that people wait for.
    fn request(&self, recorded: &ModelRequest) -> Result<ModelRequest, Refusal> {
        let mut request = ModelRequest { stream: false, streamed_field: None, background: true, ..recorded.clone() };
        for (place, text) in &self.edits {
            let Some(message) = request.messages.get_mut(*place) else {
                let count = request.messages.len();
                return Err(Refusal::with(
                    Code::InvalidParameter,
                    format!("`edits` names message {place}, and the call has {count} from 0 on"),
                ));
            };
            *message = ChatMessage { text: Text::slot("edited", text.as_str()), ..message.clone() };
        }
        request.model = self.model.clone().unwrap_or(request.model);
        request.tokens_max = self.tokens_max.unwrap_or(request.tokens_max);
        Ok(request)
    }
}

const EDITS: Refusal = Refusal::new(
    Code::InvalidParameter,
    "`edits` must be a list of `{\"message\",\"content\"}`: the place of a message, from 0 on, and its new text",
);

fn edit(edit: Value) -> Result<(usize, String), Refusal> {
    let Value::Object(mut edit) = edit else { return Err(EDITS) };
    let place = edit.get("message").and_then(Value::as_u64).and_then(|place| usize::try_from(place).ok()).ok_or(EDITS)?;
    match edit.remove("content") {
        Some(Value::String(content)) => Ok((place, content)),
        _ => Err(EDITS),
    }
}

impl Wanted {
    pub fn turn(&self) -> TurnId {
        self.rerun.turn
    }

    /// The call that is to be made, of the turn as it was kept.
    pub(super) fn of(self, kept: &TurnDetail, now: Moment) -> Result<Again, Refusal> {
        let Wanted { rerun, owner, payer } = self;
        let CallDetail { node, request, came, .. } = kept.calls.iter().find(|call| call.pid == rerun.call).ok_or(UNKNOWN_CALL)?;
        let Request::Model(recorded) = &**request else { return Err(NO_MODEL_CALL) };
        let request = Arc::new(Request::Model(rerun.request(recorded)?));
        let (turn, call) = (rerun.turn, rerun.call);
        Ok(Again { owner, request, turn, call, node: node.clone(), recorded: came.clone(), payer, begun: now })
    }
}

impl Again {
    /// Body of `/api/call/rerun`. `same` is null where the recorded answer was not kept whole, or none came now.
    fn reply(&self, took_us: u64, usage: &Usage, outcome: &Result<Answer, CallError>) -> Reply {
        let Request::Model(request) = &*self.request else { unreachable!("only a model's call is made again") };
        let recorded = json!({ "answer": self.recorded.said(), "reply": self.recorded.whole() });
        let mut rerun = json!({ "status": CallStatus::of(outcome), "usage": usage, "duration_ms": milliseconds(took_us) });
        let same = match outcome {
            Ok(answer) => {
                (rerun["answer"], rerun["reply"]) = (json!(answer.said()), json!(answer));
                self.recorded.whole().map(|recorded| recorded.said() == answer.said())
            }
            Err(error) => {
                (rerun["detail"], rerun["code"]) = (json!(error.to_string()), json!(error.code()));
                None
            }
        };
        let request = json::model_request(request, usize::MAX);
        Reply::ok(&json!({
            "turn": self.turn.to_string(), "pid": self.call, "node": self.node, "request": request,
            "recorded": recorded, "rerun": rerun, "same": same,
        }))
    }
}

impl Shard {
    /// Finds a recorded call, and has it made again.
    pub(super) fn rerun(&mut self, key: &Key, rerun: Rerun, address: Option<Address>, actions: &mut Vec<Action>) -> Answered {
        if self.reruns >= RERUNS_MAX {
            return Answered::Reply(RERUNS_FULL.into());
        }
        let Some(live) = self.sessions.find(key) else { return Answered::Reply(UNKNOWN_TURN.into()) };
        let (turn, session) = (rerun.turn, &live.session);
        let is_in_journal = match session.kept_turn(turn) {
            Some(_) => false,
            None if session.is_due(turn) => return Answered::Reply(NOT_KEPT_YET.into()),
            None if !session.has_had(turn) => return Answered::Reply(UNKNOWN_TURN.into()),
            None if self.settings.keeping.is_none() => return Answered::Reply(NOT_KEPT.into()),
            None => true,
        };
        if let Err(over) = self.admit_message(None, &rerun.by, address) {
            actions.extend(over.log.clone().map(Action::Log));
            return Answered::Reply(Reply::over(*over, None));
        }
        let wanted = Wanted { owner: key.owner(), payer: self.payer(&rerun.by, address), rerun };
        if is_in_journal {
            return Answered::Job(Job::Journal(Box::new(JournalJob::Rerun { name: queries::name(key), wanted: Box::new(wanted) })));
        }
        let kept = self.sessions.find(key).and_then(|live| live.session.kept_turn(turn));
        match kept.ok_or(UNKNOWN_TURN).and_then(|kept| wanted.of(kept, self.clock.moment())) {
            Ok(again) => Answered::Job(Job::Call(Box::new(again))),
            Err(refusal) => Answered::Reply(refusal.into()),
        }
    }

    /// A call that was made again has ended. The caller pays, even after disconnecting.
    pub(super) fn rerun_ended(&mut self, again: &Again, waited_us: u64, usage: Usage, outcome: &Result<Answer, CallError>) -> Reply {
        self.reruns -= 1;
        let took_us = self.clock.moment().since(again.begun);
        self.metrics.called(&self.settings.models, &again.request, took_us, waited_us, usage, outcome);
        if let Some(payer) = &again.payer {
            self.ledger.spend(self.clock.now(), payer, spent_by(&usage));
        }
        again.reply(took_us, &usage, outcome)
    }
}
