//! What is answered to an errand about a session.

use super::bounds::TRACE_LINES_MAX;
use super::errand::{Ask, Reply};
use super::resident::{NotTaken, Resident};
use super::shard::Shard;
use crate::contract::{Accepted, Caller, Input, Refusal};
use crate::wire::json;
use serde_json::json;
use sha2::{Digest, Sha256};

/// What asks for a change is taken in; everything else only looks.
pub(super) fn answer(resident: &mut Resident, shard: &Shard, from: Caller, ask: Ask) -> Result<Reply, NotTaken> {
    let session = &resident.session;
    let limits = &shard.common.limits;
    Ok(match ask {
        Ask::Check if shard.is_draining() => Reply::ok(&json!({ "ready": false, "reason": "draining", "detail": super::shard::DRAINING })),
        Ask::Check if session.busy() => Reply::ok(&json!({ "ready": false, "reason": "busy", "detail": BUSY })),
        Ask::Check => Reply::ok(&json!({
            "ready": true,
            "graph": session.graph().name(),
            "identity": from.identity,
            "history_len": session.history().len(),
            "ws_connected": resident.is_watched_in_chat(),
        })),
        Ask::Send(input) if session.busy() && !matches!(session.accepts(&input), Ok(Accepted::Known { .. })) => Reply::refused(409, BUSY),
        Ask::Send(input) => {
            let client_id = input.client_id().cloned();
            Reply::of(json::queued(resident.take(shard, input)?, client_id.as_ref()))
        }
        Ask::Clear => {
            resident.take(shard, Input::Clear { from })?;
            Reply::ok(&json!({ "status": "cleared" }))
        }
        Ask::Switch(input) => {
            let goes_on = matches!(input, Input::Switch { keep: true, .. });
            resident.take(shard, input)?;
            let name = resident.session.graph().name();
            let what = if goes_on { "The conversation goes on" } else { "A new conversation begins" };
            Reply::ok(&json!({ "status": "ok", "name": name, "note": format!("{what} with the graph `{name}`.") }))
        }
        Ask::Result => Reply::of(json::result(&session.result(), session.memory())),
        Ask::Poll { since } => {
            let hash = if resident.is_open { state_hash(resident) } else { "no_session".to_owned() };
            match hash == since {
                true => Reply::ok(&json!({ "changed": false, "hash": hash })),
                false => Reply::of(json::polled(&hash, session.memory(), session.history().iter(), session.history().len())),
            }
        }
        Ask::Frames { last } => Reply::of(json::frames(session.graph().name(), session.traces(), last.clamp(1, limits.traces_max.max(1)))),
        Ask::Turn(id) => match session.turn(id) {
            Some(detail) => Reply::of(json::turn(&detail, session.databases(), limits.detail_bytes_max)),
            None => Reply::refused(404, "this turn is not kept: `/api/frames` lists those that are"),
        },
        Ask::State => Reply::ok(&json::State {
            status: "active",
            memorizer: session.memory(),
            history_len: session.history().len(),
            ws_connected: resident.is_watched_in_chat(),
            memorizing: session.memorizing(),
            controls: session.ui().controls(),
            machines: &session.ui().machines,
            ui_state: &session.ui().state,
            processes: session.processes(),
            schema_cache: session.schema_cache(),
        }),
        Ask::History { last } => {
            let last = last.clamp(1, limits.history_max.max(1));
            Reply::of(json::history(session.history().iter(), last, session.history_seq()))
        }
        Ask::Graph => Reply::ok(&session.graph().describe()),
        Ask::Prompt { node, text } => match resident.question(shard, from, &node, text.as_deref()) {
            Ok(question) => Reply::of(json::question(&question)),
            Err(wrong) => refused(&wrong),
        },
        Ask::Trace { last } => Reply::of(json::trace_lines(resident.log.events(), last.clamp(1, TRACE_LINES_MAX))),
        Ask::Report(_) | Ask::Reports | Ask::LastRun => unreachable!("what belongs to the user is answered by the board"),
    })
}

const BUSY: &str = "a turn of this session is running: wait for it, or stop it";

/// What a refusal is to who asked over HTTP.
pub(super) fn refused(refusal: &Refusal) -> Reply {
    Reply::refused(refusal.code.status(), &refusal.to_string())
}

/// 12 hex digits over memory, the history's length and where it ends: a full history changes without growing.
fn state_hash(resident: &Resident) -> String {
    let mut hasher = Sha256::new();
    hasher.update(json::write(resident.session.memory()));
    hasher.update(resident.session.history().len().to_be_bytes());
    hasher.update(resident.session.history().back().map_or(0, |message| message.id.0).to_be_bytes());
    hasher.finalize()[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
