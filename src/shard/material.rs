//! What is known of a turn that ended, from its session's records: enough to write it as a test.

use super::restore::{self, Libraries, Player, Unreadable};
use crate::contract::journal::Record;
use crate::contract::{CallStatus, Effect, TurnDetail, TurnId, What};
use crate::engine::Session;
use crate::wire::json;
use serde_json::{Value, json};

/// In the shapes in which the interface shows it.
#[derive(Debug, Default, PartialEq)]
pub struct Material {
    /// The turns that made its controls, where one was used, as far as they are kept; and the turn.
    pub turns: Vec<Value>,
    pub history: Value,
    /// The names of its events, pieces of one answer once.
    pub events: Vec<String>,
    /// The tables that the session knew before it.
    pub known: Value,
}

/// Plays records up to the end of a turn, and of what runs behind it.
///
/// # Errors
/// The outer one is of the records' source; the inner one says why there is no such turn.
pub fn of_turn<'a, E>(
    records: impl Iterator<Item = Result<Record, E>>,
    libraries: &'a mut Libraries<'a>,
    turn: TurnId,
) -> Result<Result<Material, String>, E> {
    let mut player = Player::held(libraries);
    let (mut material, mut has_ended, mut expected) = (Material::default(), false, 1);
    for record in records {
        let record = record?;
        if record.number != expected {
            return Ok(Err(format!("record {expected} of the session is missing")));
        }
        expected += 1;
        match play(&mut player, &record, turn, &mut material) {
            Ok(ended) => has_ended |= ended,
            Err(why) => return Ok(Err(format!("the session can't be played again: {why}"))),
        }
        if has_ended && !player.session().is_some_and(|session| session.is_at_work_for(turn)) {
            break;
        }
    }
    let session = player.session().filter(|_| has_ended);
    let Some((session, detail)) = session.and_then(|session| Some((session, session.kept_turn(turn)?))) else {
        return Ok(Err(format!("the session has no turn {turn} that has ended")));
    };
    let shown = |detail: &TurnDetail| {
        let bytes = json::turn(detail, session.databases(), session.detail_bytes_max(), None, None);
        serde_json::from_slice(&bytes).unwrap_or_default()
    };
    material.turns = earlier(session, detail).into_iter().chain([detail]).map(shown).collect();
    material.history = json!(session.history());
    Ok(Ok(material))
}

/// Plays a record. Returns whether the turn ends with it.
fn play(player: &mut Player<'_>, record: &Record, turn: TurnId, material: &mut Material) -> Result<bool, Unreadable> {
    let (_, effects) = player.play(record.number, &record.bytes)?;
    let mut has_ended = note(&effects, turn, material);
    while let Some(held) = player.next_turn() {
        if held == turn {
            // It may begin again, after a restart.
            material.events.clear();
            material.known = player.session().map(|session| json!(session.schema_cache())).unwrap_or_default();
        }
        has_ended |= note(&player.begin_held(record.number)?, turn, material);
    }
    Ok(has_ended)
}

fn note(effects: &[Effect], turn: TurnId, material: &mut Material) -> bool {
    let mut has_ended = false;
    for event in restore::events(effects).filter(|event| event.turn == turn) {
        match &event.what {
            What::Done { .. } => has_ended = true,
            What::Accepted { .. } => {}
            What::Streaming { .. } if material.events.last().is_some_and(|last| *last == event.what.name()) => {}
            what => material.events.push(what.name().to_owned()),
        }
    }
    has_ended
}

/// The turns that made the controls of one that used one: those before it on its graph that ended well.
fn earlier<'s>(session: &'s Session, detail: &TurnDetail) -> Vec<&'s TurnDetail> {
    if detail.action.is_none() {
        return Vec::new();
    }
    let traces = session.traces().rev().skip_while(|trace| trace.id != detail.trace.id).skip(1);
    let same_graph = traces.take_while(|trace| trace.graph == detail.trace.graph).filter(|trace| trace.status == CallStatus::Done);
    let mut turns: Vec<&TurnDetail> = same_graph.filter_map(|trace| session.kept_turn(trace.id)).collect();
    turns.reverse();
    turns
}
