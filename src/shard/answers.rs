//! What is answered to an operation on a session.

use super::bounds::TRACE_LINES_MAX;
use super::live::{Live, NotTaken, Surroundings};
use super::operation::{Reply, What};
use crate::contract::{Accepted, Caller, Code, Input, Message, Refusal, TurnId, Verdict};
use crate::wire::json;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Why nothing new starts.
pub(super) const DRAINING: &str = "the server is shutting down: try again in a moment";
const BUSY: Refusal = Refusal::new(Code::SessionBusy, "a turn of this session is running: wait for it, or stop it");
pub(super) const NOT_KEPT: Refusal = Refusal::new(Code::TurnNotKept, "this turn is no longer kept: `/api/frames` lists those that are");
pub(super) const NOT_KEPT_YET: Refusal = Refusal::new(Code::TurnNotKept, "this turn has not ended: ask again when it has");
pub(super) const UNKNOWN_TURN: Refusal =
    Refusal::new(Code::UnknownTurn, "this session knows no such turn: `/api/frames` lists those that are kept");

/// Changes go in as inputs; everything else only reads.
pub(super) fn answer(
    live: &mut Live,
    around: &mut Surroundings<'_>,
    from: Caller,
    what: What,
    is_draining: bool,
    budget: Option<Value>,
) -> Result<Reply, NotTaken> {
    let refuse = |refusal: Refusal| Err(NotTaken::Refused(refusal));
    let session = &live.session;
    let limits = &around.settings.limits;
    Ok(match what {
        What::Check if is_draining => Reply::ok(&json!({ "ready": false, "reason": "draining", "detail": DRAINING })),
        What::Check if session.busy() => Reply::ok(&json!({ "ready": false, "reason": "busy", "detail": BUSY.detail })),
        What::Check => Reply::ok(&json!({
            "ready": true,
            "graph": session.graph().name(),
            "identity": from.identity,
            "history_len": session.history().len(),
            "ws_connected": live.chats > 0,
        })),
        What::Send(input) => return send(live, around, input),
        What::End(input) => {
            live.take(around, input)?;
            Reply::ok(&json!({ "status": "ok" }))
        }
        What::Clear => {
            live.take(around, Input::Clear { from })?;
            Reply::ok(&json!({ "status": "cleared" }))
        }
        What::Switch(input) => {
            let keeps = matches!(input, Input::Switch { keep: true, .. });
            live.take(around, input)?;
            let name = live.session.graph().name();
            let what = if keeps { "The conversation continues" } else { "A new conversation starts" };
            Reply::ok(&json!({ "status": "ok", "name": name, "note": format!("{what} with the graph `{name}`.") }))
        }
        What::Result => Reply::of(json::result(&session.result(), session.memory())),
        What::Poll { since } => {
            let hash = if live.is_open { state_hash(live) } else { "no_session".to_owned() };
            if hash == since {
                Reply::ok(&json!({ "changed": false, "hash": hash }))
            } else {
                Reply::of(json::polled(&hash, session.memory(), session.history().iter(), session.history().len()))
            }
        }
        What::Frames { last } => Reply::of(json::frames(session.graph().name(), session.traces(), last.clamp(1, limits.traces_max.max(1)))),
        What::Turn(id) => match session.turn(id) {
            Some(detail) => {
                let webhook = live.delivery(around.settings, id);
                Reply::of(json::turn(&detail, session.databases(), limits.detail_bytes_max, webhook.as_ref(), None))
            }
            None if session.is_due(id) => return refuse(NOT_KEPT_YET),
            None => return refuse(if session.has_had(id) { NOT_KEPT } else { UNKNOWN_TURN }),
        },
        What::State => Reply::ok(&json::State {
            status: "active",
            memorizer: session.memory(),
            history_len: session.history().len(),
            ws_connected: live.chats > 0,
            memorizing: session.memorizing(),
            controls: session.controls(),
            machines: &session.ui().machines,
            ui_state: &session.ui().state,
            processes: session.processes(),
            schema_cache: session.schema_cache(),
            while_busy: session.graph().while_busy,
            face: session.graph().face.as_ref().map(|face| json!(face)),
            budget,
        }),
        What::History { last, before } => {
            let last = last.clamp(1, limits.history_max.max(1));
            match before {
                None => Reply::of(json::history(session.history().iter(), last, session.history_seq())),
                Some(before) => Reply::of(history_before(session.history(), last, before)),
            }
        }
        What::Graph => Reply::ok(&session.graph().describe()),
        What::Prompt { node, text } => {
            let question = live.question(around, from, &node, text.as_deref()).map_err(NotTaken::Refused)?;
            Reply::of(json::question(&question))
        }
        What::Trace { last } => Reply::of(json::trace_lines(live.backlog.lines(last.clamp(1, TRACE_LINES_MAX)))),
        What::Report(_)
        | What::Reports
        | What::LastRun { .. }
        | What::Kept { .. }
        | What::Forget
        | What::Delete
        | What::Rerun(_)
        | What::Fork(_) => {
            unreachable!("what belongs to the user, begins or ends a session, or makes a call again, is answered elsewhere")
        }
    })
}

/// The last messages before a turn, in whole turns; at least one turn.
fn history_before(history: &VecDeque<Message>, last: usize, before: TurnId) -> Vec<u8> {
    let older = history.iter().take_while(|message| message.id < before).count();
    let mut from = older.saturating_sub(last.max(2));
    while from > 0 && from < older && history[from].id == history[from - 1].id {
        from += 1;
    }
    let next = (from > 0).then(|| history.get(from).map(|message| message.id)).flatten();
    json::history_before(history.range(from..older), next)
}

/// A message or action. One that the session knows already gets the turn that it has, however busy the session is.
fn send(live: &mut Live, around: &mut Surroundings<'_>, input: Input) -> Result<Reply, NotTaken> {
    let client_id = input.client_id().cloned();
    let is_approved = matches!(input, Input::Approve { approved: true, .. });
    let accepted = live.session.accepts(&input).map_err(NotTaken::Refused)?;
    // Over HTTP a message waits only where that was asked for.
    if live.session.busy() && matches!(accepted, Accepted::Begins(_)) && live.session.while_busy(&input).is_none() {
        return Err(NotTaken::Refused(BUSY));
    }
    match live.take(around, input)? {
        Accepted::Begins(turn) | Accepted::Known { turn, .. } => Ok(Reply::of(json::queued(turn, client_id.as_ref()))),
        Accepted::Resumes(turn) => {
            let verdict = if is_approved { Verdict::Approved } else { Verdict::Declined };
            Ok(Reply::of(json::decided(turn, verdict, client_id.as_ref())))
        }
        Accepted::Plain => unreachable!("a message or action begins a turn, goes on with one, or is known"),
    }
}

/// 12 hex digits over memory, the history's length and where it ends: a full history changes without growing.
fn state_hash(live: &Live) -> String {
    let mut hasher = Sha256::new();
    hasher.update(json::write(live.session.memory()));
    hasher.update(live.session.history().len().to_be_bytes());
    hasher.update(live.session.history().back().map_or(0, |message| message.id.0).to_be_bytes());
    super::hex(&hasher.finalize()[..6])
}
