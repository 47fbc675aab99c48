//! A session's records, turn by turn: the session before each turn, what its calls asked and what came, and what was seen of it.
//!
//! The session is played again on the graphs that it ran on; its turns are held, so that each can be looked at before it begins.

use super::super::verify;
use super::seen::Seen;
use crate::cli::Failure;
use crate::contract::journal::Record;
use crate::contract::{CallId, Effect, Input, Now, Outcome, Request, Time, TurnId, What};
use crate::engine::Session;
use crate::shard::restore::{Libraries, Player};
use std::collections::HashMap;
use std::sync::Arc;

/// A turn as it was recorded.
pub(super) struct Recorded {
    pub(super) turn: TurnId,
    /// What began it, as people read it.
    pub(super) message: Arc<str>,
    /// When it began.
    pub(super) now: Now,
    /// The session before it, which is held.
    pub(super) before: Session,
    /// The turn's calls, in the order in which they began, and those that were out from before.
    pub(super) calls: Vec<Call>,
    /// What else happened to the session meanwhile, with the numbers of the records.
    pub(super) others: Came,
    pub(super) seen: Seen,
    /// Why it can't be compared.
    pub(super) skipped: Option<&'static str>,
}

/// Inputs with the numbers of their records.
pub(super) type Came = Vec<(u64, Now, Input)>;

pub(super) struct Call {
    pub(super) id: CallId,
    /// None of a call that was out from before.
    pub(super) asked: Option<Asked>,
    /// Its pieces and its end, with the numbers of the records.
    pub(super) came: Came,
}

pub(super) struct Asked {
    pub(super) request: Arc<Request>,
}

const STOPPED: &str = "it was stopped or cut off when it was recorded";
const UNFINISHED: &str = "it had not ended when the records end";

/// Which turns are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    pub(super) turn: Option<TurnId>,
    pub(super) since: Option<Time>,
}

impl Wanted {
    fn takes(&self, turn: TurnId, at: Time) -> bool {
        self.turn.is_none_or(|wanted| wanted == turn) && self.since.is_none_or(|since| at >= since)
    }
}

/// Gives each wanted turn to `take`, the first first. Returns whether all records lead to the events that they led to.
///
/// # Errors
/// The records can't be played again, or `take` fails.
pub(super) fn each_turn<'a>(
    records: impl Iterator<Item = Result<Record, Failure>>,
    libraries: &'a mut Libraries<'a>,
    wanted: Wanted,
    take: &mut dyn FnMut(Recorded) -> Result<(), Failure>,
) -> Result<bool, Failure> {
    let mut reader = Reader { player: Player::held(libraries), open: Vec::new(), starts: HashMap::new(), wanted };
    let (mut expected, mut is_same) = (1, true);
    for record in records {
        let record = record?;
        verify::check_number(record.number, expected)?;
        expected += 1;
        is_same &= reader.play(&record)?;
        let (session, mut still_open) = (reader.player.session(), Vec::new());
        for recorded in std::mem::take(&mut reader.open) {
            let is_over = recorded.seen.has_ended && !session.is_some_and(|session| session.is_at_work_for(recorded.turn));
            if is_over { take(recorded)? } else { still_open.push(recorded) }
        }
        reader.open = still_open;
    }
    for mut recorded in reader.open {
        if !recorded.seen.has_ended {
            recorded.skipped = Some(UNFINISHED);
        }
        take(recorded)?;
    }
    Ok(is_same)
}

struct Reader<'a> {
    player: Player<'a>,
    /// Turns that have begun, and for which the session is still at work.
    open: Vec<Recorded>,
    /// Whose a call is.
    starts: HashMap<CallId, TurnId>,
    wanted: Wanted,
}

impl Reader<'_> {
    /// Plays a record, and returns whether it leads to the events that it led to.
    fn play(&mut self, record: &Record) -> Result<bool, Failure> {
        let number = record.number;
        let turn = self.open.last().map_or(TurnId(0), |recorded| recorded.turn);
        let failed = |error| verify::failure(&error, number, turn);
        let (read, mut effects) = verify::quietly(|| self.player.play(number, &record.bytes)).map_err(failed)?;
        self.happened(number, read.now, &read.input);
        self.led_to(&effects, ends_early(&read.input));
        while let Some(turn) = self.player.next_turn() {
            let before = if self.wanted.takes(turn, read.now.wall) { Some(self.player.twin().map_err(failed)?) } else { None };
            let begun = verify::quietly(|| self.player.begin_held(number)).map_err(failed)?;
            // One that begins again, after a restart, counts as it went then.
            self.open.retain(|recorded| recorded.turn != turn);
            if let Some(mut before) = before {
                before.hold();
                self.open.push(recorded(turn, read.now, before, &begun));
            }
            self.led_to(&begun, false);
            effects.extend(begun);
        }
        let (count, digest) = crate::shard::restore::digest(crate::shard::restore::events(&effects));
        Ok((count, digest) == (read.events, read.digest))
    }

    /// Notes an input for the turns that it is about.
    fn happened(&mut self, number: u64, now: Now, input: &Input) {
        let other = match input {
            Input::Chunk { call, .. } | Input::Completion { call, .. } => {
                for own in self.open.iter_mut().flat_map(|recorded| &mut recorded.calls).filter(|own| own.id == *call) {
                    own.came.push((number, now, input.clone()));
                }
                if let Input::Completion { usage, .. } = input
                    && let Some(turn) = self.starts.remove(call)
                {
                    self.open.iter_mut().filter(|recorded| recorded.turn == turn).for_each(|recorded| recorded.seen.spend(usage));
                }
                return;
            }
            Input::Attached { .. } | Input::Surveyed { .. } | Input::Approve { .. } | Input::Due => input.clone(),
            // A message that waits says who the session talks to from then on.
            Input::Message { from, .. } | Input::Action { from, .. } => Input::Attached { from: from.clone() },
            _ => return,
        };
        self.open.iter_mut().for_each(|recorded| recorded.others.push((number, now, other.clone())));
    }

    /// Notes what came of it.
    fn led_to(&mut self, effects: &[Effect], ends_early: bool) {
        for effect in effects {
            let turn = match effect {
                Effect::Emit(event) => {
                    if let What::ProcessStart { pid, .. } = &event.what {
                        self.starts.insert(*pid, event.turn);
                    }
                    event.turn
                }
                Effect::Call { id, .. } => self.starts.get(id).copied().unwrap_or(TurnId(0)),
                Effect::Cancel { .. } => continue,
            };
            let Some(recorded) = self.open.iter_mut().find(|recorded| recorded.turn == turn) else { continue };
            recorded.seen.note(effect);
            match effect {
                Effect::Call { id, request } => {
                    recorded.calls.push(Call { id: *id, asked: Some(Asked { request: request.clone() }), came: Vec::new() });
                }
                Effect::Emit(event) => {
                    // A message may have interrupted it or rolled it back.
                    let is_stopped = matches!(event.what, What::Done { outcome: Outcome::Cancelled | Outcome::Withdrawn, .. });
                    if is_stopped || ends_early && matches!(event.what, What::Done { .. }) {
                        recorded.skipped = Some(STOPPED);
                    }
                }
                Effect::Cancel { .. } => {}
            }
        }
    }
}

fn recorded(turn: TurnId, now: Now, before: Session, begun: &[Effect]) -> Recorded {
    let message = begun.iter().find_map(|effect| match effect {
        Effect::Emit(event) => {
            if let What::TurnStarted { message, .. } = &event.what {
                Some(message.clone())
            } else {
                None
            }
        }
        Effect::Call { .. } | Effect::Cancel { .. } => None,
    });
    let calls = before.calls_out().map(|id| Call { id, asked: None, came: Vec::new() }).collect();
    let message = message.unwrap_or_default();
    Recorded { turn, message, now, before, calls, others: Vec::new(), seen: Seen::default(), skipped: None }
}

/// Whether an input ends a turn before its time.
fn ends_early(input: &Input) -> bool {
    let goes_on = matches!(input, Input::Chunk { .. } | Input::Completion { .. } | Input::Approve { .. } | Input::Due);
    !(goes_on || input.begins_turn())
}
