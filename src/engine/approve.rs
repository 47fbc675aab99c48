//! Approvals: calls that a person answers.
//!
//! A node or tool that its graph marks with `approve` waits here before it does anything. What it waits with is plain data, so the
//! turn goes on exactly where it was, also after a restart: what was shown is what is done.

use super::Session;
use super::call::{Ask, Lane, Running};
use crate::contract::{
    APPROVAL_BYTES_MAX, Approval, ApprovalControl, CallId, Caller, ClientId, Code, Control, DatabaseAsk, Decided, Effect, Format, Outcome,
    Refusal, Request, Role, Time, TurnId, Verdict, What, clip, micros,
};
use crate::nodes::{Flow, Out};
use serde_json::json;
use std::sync::Arc;

const EXPIRED: Refusal = Refusal::new(Code::ApprovalExpired, "this approval has expired: ask again, and answer before it does");
const GONE: Refusal =
    Refusal::new(Code::StaleControl, "nothing waits for this approval any more: it was answered, or its turn was stopped");

impl Running {
    pub(super) fn approval(&self) -> Option<&Approval> {
        match &*self.request {
            Request::Approval(approval) => Some(approval),
            Request::Model(_) | Request::Database(_) => None,
        }
    }
}

impl Session {
    /// Whether the running turn waits for people alone, and nothing else is under way: this may last for days.
    pub fn is_paused(&self) -> bool {
        self.work.background.is_none() && self.waits_for_people()
    }

    /// Whether the running turn goes on only when a person has answered.
    pub(super) fn waits_for_people(&self) -> bool {
        let mut calls = self.work.calls.iter().filter(|running| running.lane == Lane::Turn).peekable();
        calls.peek().is_some() && calls.all(|running| running.approval().is_some())
    }

    /// When the next approval expires, in wall time.
    pub fn due(&self) -> Option<Time> {
        self.approvals().map(|(_, approval)| approval.expires_at).min()
    }

    /// Everything that is shown: what waits for approval stands last.
    pub fn controls(&self) -> Vec<Control> {
        let approvals = self.approvals().map(|(call, approval)| Control::Approval(Box::new(ApprovalControl::new(call, approval))));
        self.conversation.ui.controls().into_iter().chain(approvals).collect()
    }

    fn approvals(&self) -> impl Iterator<Item = (CallId, &Approval)> {
        self.work.calls.iter().filter_map(|running| Some((running.call, running.approval()?)))
    }

    /// The turn that an answer would go on with.
    pub(super) fn may_answer(&self, call: CallId) -> Result<TurnId, Refusal> {
        if self.approvals().any(|(waiting, _)| waiting == call) {
            return Ok(self.work.turn().about.id());
        }
        let kept = self.kept.turns.iter().flat_map(|kept| &kept.trace.frames).flat_map(|frame| &frame.calls);
        let running = self.work.turn.iter();
        let running = running.flat_map(|turn| turn.frame.calls.iter().chain(turn.frames.iter().flat_map(|frame| &frame.calls)));
        let is_expired = |code: Option<Code>| code == Some(Code::ApprovalExpired);
        let expired = kept.chain(running).any(|record| record.pid == call && is_expired(record.code));
        Err(if expired { EXPIRED } else { GONE })
    }

    /// What a marked node has to have approved before it begins; none where it makes no call and changes nothing. Beside it the
    /// request that is then made.
    pub(super) fn gate(&self, node: usize, flow: &Flow, out: &Out) -> Option<(Approval, Option<Arc<Request>>)> {
        let placed = &self.graph.nodes[node];
        let expires = placed.approve?;
        let (format, text, held) = match flow {
            // The tool that it calls first has an approval of its own.
            Flow::Ask(Request::Approval(_), _) | Flow::Again { .. } | Flow::Fail(_) => return None,
            Flow::Ask(request, _) if !self.may_ask(Lane::Turn, request) => return None,
            Flow::Ask(request, _) => {
                let (format, text) = shown(request);
                (format, text, Some(Arc::new(request.clone())))
            }
            Flow::Say(text) => (Format::Text, text.clone(), None),
            Flow::Go(..) | Flow::Rest => {
                let (format, text) = done(out)?;
                (format, text, None)
            }
        };
        let expires_at = Time(self.counters.now.wall.0.saturating_add(micros(expires)));
        let database = match held.as_deref() {
            Some(Request::Database(request)) => Some(request.database.clone()),
            Some(Request::Model(_) | Request::Approval(_)) | None => None,
        };
        let text = clip(&text, APPROVAL_BYTES_MAX);
        Some((Approval { node: placed.name.clone(), tool: None, database, format, text, expires_at }, held))
    }

    /// A person has answered.
    pub(super) fn approve(&mut self, call: CallId, verdict: Verdict, client_id: Option<ClientId>, from: Caller, effects: &mut Vec<Effect>) {
        let by = from.identity.clone();
        self.meet(Caller { trace: None, ..from }, effects);
        let Some(expires_at) = self.approvals().find(|(waiting, _)| *waiting == call).map(|(_, approval)| approval.expires_at) else {
            return;
        };
        if let Some(client_id) = client_id {
            let turn = self.work.turn().about.id();
            self.kept.named.add(client_id.clone(), turn, self.setup.limits.waiting_max);
            self.emit(turn, 0, self.engine.clone(), What::Accepted { client_id }, effects);
        }
        let is_late = expires_at <= self.counters.now.wall;
        let (verdict, by) = if is_late { (Verdict::Expired, None) } else { (verdict, Some(by)) };
        self.decide(call, verdict, by, effects);
    }

    /// Ends what has expired by now.
    pub(super) fn expire(&mut self, effects: &mut Vec<Effect>) {
        let now = self.counters.now.wall;
        let expired: Vec<CallId> = self.approvals().filter(|(_, approval)| approval.expires_at <= now).map(|(call, _)| call).collect();
        expired.into_iter().for_each(|call| self.decide(call, Verdict::Expired, None, effects));
    }

    /// Goes on after an approval. One that its turn's end has taken along is none.
    fn decide(&mut self, call: CallId, verdict: Verdict, by: Option<String>, effects: &mut Vec<Effect>) {
        let Some(running) = self.work.take_call(call) else { return };
        let (node, task, held) = (running.node, running.task.clone(), running.held.clone());
        let decided = Decided { verdict, by, asked_at: running.started.wall, decided_at: self.counters.now.wall };
        self.record_decided(running, decided, effects);
        self.show_approvals(effects);
        let step = match (task, verdict.code()) {
            (Some(task), _) => {
                let mut out = Out::after(self.counters.tool_last);
                let flow = task.decided(&self.view(Lane::Turn, node), &mut out, verdict);
                self.follow(Lane::Turn, node, flow, out, effects)
            }
            (None, None) => self.begin_approved(node, held, effects),
            (None, code) => Err(Outcome::Failed { why: verdict.sentence().to_owned(), code }),
        };
        self.advance(step, effects);
    }

    /// Begins a node that may begin: the request that was shown is the one that is made.
    fn begin_approved(&mut self, node: usize, held: Option<Arc<Request>>, effects: &mut Vec<Effect>) -> Result<(), Outcome> {
        let mut out = Out::after(self.counters.tool_last);
        let flow = self.graph.nodes[node].kind.begin(&self.view(Lane::Turn, node), &mut out);
        let flow = match (flow, held) {
            (Flow::Ask(_, task), Some(held)) => Flow::Ask(Arc::unwrap_or_clone(held), task),
            (flow, _) => flow,
        };
        self.follow(Lane::Turn, node, flow, out, effects)
    }

    /// Has a node wait for its approval.
    pub(super) fn wait_for_person(&mut self, node: usize, approval: Approval, held: Option<Arc<Request>>, effects: &mut Vec<Effect>) {
        let ask = Ask { node, request: Request::Approval(approval), task: None, held, reason: None, is_repair: false };
        self.ask(Lane::Turn, ask, effects);
    }

    /// Shows what waits for approval now. Nothing else that is shown changes within a frame.
    pub(super) fn show_approvals(&mut self, effects: &mut Vec<Effect>) {
        let turn = self.work.turn();
        let (id, frame) = (turn.about.id(), turn.frame.number);
        self.show_ui(false, id, frame, effects);
    }
}

/// A request as people read it. Of a model's the last message, which holds all that is new in it.
fn shown(request: &Request) -> (Format, String) {
    match request {
        Request::Model(request) => {
            let last = request.messages.iter().rev().find(|message| message.role == Role::User).or(request.messages.last());
            (Format::Text, last.map(|message| message.text.to_string()).unwrap_or_default())
        }
        Request::Database(request) => match &request.ask {
            DatabaseAsk::Query { sql } => (Format::Sql, sql.clone()),
            ask => (Format::Json, json!(ask).to_string()),
        },
        Request::Approval(approval) => (approval.format, approval.text.clone()),
    }
}

/// What a node without calls would do: the tools that it has run on a copy, else what it wants changed.
fn done(out: &Out) -> Option<(Format, String)> {
    let call = |what: &What| match what {
        What::ToolCall { tool, args, .. } => Some(format!("{tool} {args}")),
        _ => None,
    };
    let calls: Vec<String> = out.events.iter().filter_map(call).collect();
    match (calls.is_empty(), out.changes.is_empty()) {
        (false, _) => Some((Format::Text, calls.join("\n"))),
        (true, false) => Some((Format::Json, serde_json::to_string_pretty(&out.changes).expect("our own plain data is always JSON"))),
        (true, true) => None,
    }
}
