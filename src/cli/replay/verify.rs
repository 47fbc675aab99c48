//! Has a session take its recorded inputs again, and compares what each leads to with the digest that was recorded of it.

use super::Failure;
use crate::contract::journal::Record;
use crate::contract::{CallId, Event, Input, TurnDetail, TurnId, What};
use crate::engine::Session;
use crate::graph::Library;
use crate::shard::restore::{self, Libraries, Player, Unreadable};
use crate::wire::json;
use std::collections::BTreeMap;
use std::panic;
use std::sync::Arc;

/// What was proven, up to the first difference.
#[derive(Default)]
pub(in crate::cli) struct Proof {
    /// Turns that have ended.
    pub(super) turns: u64,
    pub(super) inputs: u64,
    pub(super) events: u64,
    /// What chat clients saw of the turn that was wanted.
    pub(super) stream: Vec<Vec<u8>>,
    /// The record that completed each call.
    pub(super) completed: BTreeMap<CallId, u64>,
    pub(in crate::cli) difference: Option<Difference>,
}

/// A record that leads to other events than it did, or behind which a turn is another than the one that was kept.
pub(in crate::cli) struct Difference {
    pub(in crate::cli) record: u64,
    /// What kind of input it holds.
    pub(super) input: String,
    pub(super) turn: TurnId,
    /// Of what clients saw; none where only the kept turn differs.
    pub(super) stream: Option<Stream>,
    /// The turn as it is kept after the replay, if it ends.
    pub(super) detail: Option<TurnDetail>,
}

pub(super) struct Stream {
    /// How many events were recorded, and how many came now.
    pub(super) recorded: usize,
    pub(super) replayed: usize,
    /// The first that came now.
    pub(super) first: Option<Event>,
}

/// Returns the JSON of a kept turn's detail.
pub(super) type Detail<'a> = dyn FnMut(TurnId) -> Result<Option<Vec<u8>>, Failure> + 'a;

/// The turns of a session as they were kept.
pub(in crate::cli) struct Turns<'a> {
    /// For each turn the record behind which it was kept.
    pub(super) ends: BTreeMap<TurnId, u64>,
    pub(super) detail: Box<Detail<'a>>,
}

impl<'a> Turns<'a> {
    /// None, where only the stream is to be compared.
    pub(in crate::cli) fn none() -> Turns<'a> {
        Turns { ends: BTreeMap::new(), detail: Box::new(|_| Ok(None)) }
    }
}

/// Replays records from the first on, and compares each one's events with their digest, and each turn with the kept one.
///
/// # Errors
/// The records can't be replayed: exit code 4 where something isn't kept, 1 where a record is damaged.
pub(in crate::cli) fn verify<'a>(
    records: impl Iterator<Item = Result<Record, Failure>>,
    libraries: &'a mut Libraries<'a>,
    turns: &mut Turns<'_>,
    shown: Option<TurnId>,
) -> Result<Proof, Failure> {
    let (mut player, mut proof, mut turn) = (Player::new(libraries), Proof::default(), TurnId(0));
    let mut ended: Vec<(u64, TurnId)> = turns.ends.iter().map(|(turn, number)| (*number, *turn)).collect();
    ended.sort_unstable_by(|one, other| other.cmp(one));
    for record in records {
        let record = record?;
        if let Some(difference) = &mut proof.difference {
            // What comes after a difference proves nothing: it only shows how the turn ends now.
            let end = turns.ends.get(&difference.turn).copied().unwrap_or(0);
            if record.number > end || play(&mut player, &record).is_err() {
                break;
            }
            difference.detail = player.session().and_then(|session| kept(session, difference.turn));
            continue;
        }
        check_number(record.number, proof.inputs + 1)?;
        let (recorded, effects) = play(&mut player, &record).map_err(|error| failure(&error, record.number, turn))?;
        proof.inputs += 1;
        if let Input::Completion { call, .. } = &recorded.input {
            proof.completed.insert(*call, record.number);
        }
        let events = || restore::events(&effects);
        let own_turn = events().map(|event| event.turn).find(|turn| *turn != TurnId(0));
        turn = own_turn.unwrap_or(turn);
        let (count, digest) = restore::digest(events());
        if (count, &digest) == (recorded.events, &recorded.digest) {
            proof.events += count as u64;
            proof.turns += events().filter(|event| matches!(event.what, What::Done { .. })).count() as u64;
            proof.stream.extend(events().filter(|event| Some(event.turn) == shown).filter_map(json::chat));
            while let Some((_, turn)) = ended.pop_if(|(number, _)| *number <= record.number) {
                let detail = player.session().and_then(|session| kept(session, turn));
                if proof.difference.is_none() && !is_same((turns.detail)(turn)?.as_deref(), detail.as_ref()) {
                    let input = kind(&recorded.input);
                    proof.difference = Some(Difference { record: record.number, input, turn, stream: None, detail });
                }
            }
            continue;
        }
        proof.difference = Some(Difference {
            record: record.number,
            input: kind(&recorded.input),
            turn,
            stream: Some(Stream { recorded: recorded.events, replayed: count, first: events().next().cloned() }),
            detail: player.session().and_then(|session| kept(session, turn)),
        });
    }
    Ok(proof)
}

/// A library by its hash, found once.
pub(in crate::cli) fn library(
    known: &mut BTreeMap<String, Option<Arc<Library>>>,
    hash: &str,
    files: impl FnOnce() -> Option<Vec<u8>>,
) -> Option<Arc<Library>> {
    if !known.contains_key(hash) {
        known.insert(hash.to_owned(), files().and_then(|files| restore::kept_library(hash, &files)));
    }
    known[hash].clone()
}

pub(super) fn check_number(number: u64, expected: u64) -> Result<(), Failure> {
    if number == expected {
        return Ok(());
    }
    if expected == 1 {
        let why = format!("the records begin with {number}: a replay needs all of them, and those before are not kept any more");
        return Err(Failure::unavailable(why));
    }
    Err(Failure { code: 1, says: format!("record {expected} is missing: record {number} follows {}", expected - 1) })
}

/// Plays a record. A damaged one may break an assertion of the engine; the player reports that, so it is not printed too.
fn play(player: &mut Player<'_>, record: &Record) -> Result<(restore::Record, Vec<crate::contract::Effect>), Unreadable> {
    quietly(|| player.play(record.number, &record.bytes))
}

/// Does something without a report of a panic that is caught.
pub(in crate::cli) fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let done = work();
    panic::set_hook(hook);
    done
}

pub(super) fn failure(error: &Unreadable, number: u64, turn: TurnId) -> Failure {
    let place = if turn == TurnId(0) { format!("record {number}") } else { format!("record {number}, after events of turn {turn}") };
    match error {
        Unreadable::Library { hash } => Failure::unavailable(format!("{place}: the graphs that it runs on ({hash}) are not kept")),
        Unreadable::NotOpened => {
            Failure::unavailable(format!("{place}: the first record does not open a session, so there is nothing to replay"))
        }
        Unreadable::Record { why, .. } => Failure { code: 1, says: format!("{place}: it can't be read ({why})") },
        Unreadable::Panicked { .. } => {
            Failure { code: 1, says: format!("{place}: the session can't take this input here; it or a record before it was changed") }
        }
        Unreadable::Snapshot(_) | Unreadable::Session(_) => Failure { code: 1, says: format!("{place}: {error}") },
    }
}

fn kept(session: &Session, turn: TurnId) -> Option<TurnDetail> {
    session.kept_turn(turn).cloned()
}

/// Whether a turn is the one that was kept, where that is there.
fn is_same(recorded: Option<&[u8]>, replayed: Option<&TurnDetail>) -> bool {
    let Some(recorded) = recorded else { return true };
    replayed.is_some_and(|replayed| serde_json::to_vec(replayed).is_ok_and(|replayed| replayed == recorded))
}

/// `message`, `chunk`, `completion` …
fn kind(input: &Input) -> String {
    let value = serde_json::to_value(input).unwrap_or_default();
    let name = value.as_object().and_then(|object| object.keys().next().cloned());
    name.or(value.as_str().map(str::to_owned)).unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::library as graphs;
    use crate::contract::{Caller, Effect, Limits, Moment, Now, Time, VERSION};

    /// A session's records: opened, one message, stopped.
    fn records(library: &Arc<Library>) -> Vec<Record> {
        let opened = Input::Opened {
            version: VERSION,
            library: library.hash().to_owned(),
            graph: "v3-framed".to_owned(),
            databases: Vec::new(),
            limits: Limits::default(),
            from: Caller::default(),
            generation: 1,
        };
        let message =
            Input::Message { text: "hello".to_owned(), dashboard: Vec::new(), client_id: None, while_busy: None, from: Caller::default() };
        let mut session = Session::new(library.clone(), "v3-framed", &Caller::default());
        let inputs = [opened, message, Input::Stop].into_iter().enumerate();
        let record = |(place, input): (usize, Input)| {
            let number = place as u64 + 1;
            let now = Now { moment: Moment(number), wall: Time(number) };
            let mut bytes = restore::begin_record(now, &input);
            let mut effects: Vec<Effect> = Vec::new();
            session.handle(now, input, &mut effects);
            restore::end_record(&mut bytes, &restore::digest(restore::events(&effects)));
            Record { number, generation: 1, at: now.wall, bytes }
        };
        inputs.map(record).collect()
    }

    fn verified(library: &Arc<Library>, records: Vec<Record>) -> Result<Proof, (u8, String)> {
        let mut turns = Turns { ends: BTreeMap::from([(TurnId(1), 3)]), ..Turns::none() };
        let mut find = |hash: &str| (library.hash() == hash).then(|| library.clone());
        verify(records.into_iter().map(Ok), &mut find, &mut turns, Some(TurnId(1))).map_err(|failure| (failure.code, failure.says))
    }

    #[test]
    fn a_changed_record_is_named_with_its_turn_and_a_missing_one_too() {
        let library = Arc::new(graphs::load(None).ok().unwrap());
        let all = records(&library);
        let proof = verified(&library, all.clone()).unwrap();
        assert_eq!((proof.turns, proof.inputs, proof.difference.is_none()), (1, 3, true));
        assert!(proof.stream.last().is_some_and(|done| done.starts_with(b"{\"type\":\"done\",\"id\":\"msg_1\"")));

        let mut changed = all.clone();
        changed[1].bytes = String::from_utf8(changed[1].bytes.clone()).unwrap().replace("hello", "hallo").into_bytes();
        let difference = verified(&library, changed).unwrap().difference.unwrap();
        assert_eq!((difference.record, difference.input.as_str(), difference.turn), (2, "message", TurnId(1)));
        assert!(difference.detail.is_some_and(|detail| &*detail.trace.message == "hallo"), "the turn's end was replayed");

        for (taken_out, code, says) in [(0, 4, "the records begin with 2"), (1, 1, "record 2 is missing")] {
            let mut fewer = all.clone();
            fewer.remove(taken_out);
            let (found, said) = verified(&library, fewer).err().unwrap();
            assert!(found == code && said.starts_with(says), "{found} {said}");
        }
        let mut damaged = all;
        damaged[2].bytes.truncate(10);
        let (code, says) = verified(&library, damaged).err().unwrap();
        assert!(code == 1 && says.starts_with("record 3, after events of turn msg_1: it can't be read"), "{says}");
    }
}
