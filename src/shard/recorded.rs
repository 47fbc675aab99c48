//! What a session has in the journal: its inputs one by one, a snapshot now and then, and each turn that has ended.

use super::bounds::SNAPSHOT_BYTES;
use super::identity::Key;
use super::journal::Journal;
use super::restore;
use crate::contract::journal::{Durability, Item, Turn};
use crate::contract::{CallKind, Effect, Input, Moment, Now, Role, Seq, TurnId, What};
use crate::engine::Session;

/// A turn as it is kept behind record `number`, if its session has it; with its detail where nothing runs behind it any more.
pub(super) fn turn(session: &Session, id: TurnId, number: u64, first_token_us: Option<u64>, is_settled: bool) -> Option<Turn> {
    let detail = session.kept_turn(id)?;
    let trace = &detail.trace;
    let answer = session.messages_of(id).find(|message| message.role == Role::Assistant);
    let progress = session.messages_of(id).map(|message| &message.progress).find(|progress| !progress.is_empty());
    Some(Turn {
        turn: id.0,
        number,
        started_at: trace.started_at,
        question: trace.message.to_string(),
        client_id: trace.client_id.as_ref().map(ToString::to_string),
        answer: answer.map(|message| message.content.clone()).unwrap_or_default(),
        progress: progress.cloned().unwrap_or_default(),
        status: trace.status.name().to_owned(),
        degraded: trace.degraded.clone(),
        graph: trace.graph.to_string(),
        path: trace.path.clone(),
        total_us: trace.total_us,
        first_token_us,
        tokens_in: trace.usage.prompt_tokens,
        tokens_out: trace.usage.completion_tokens,
        cost_micros: trace.usage.cost_micros,
        detail: if is_settled { serde_json::to_vec(detail).expect("a turn serializes") } else { Vec::new() },
    })
}

/// How far a session is kept.
pub(super) struct Recorded {
    generation: u32,
    /// Its last record.
    number: u64,
    /// How much its own clock is ahead of the shard's: it goes on where it stood before a restart.
    ahead_us: u64,
    /// Turns and bytes since the last snapshot, and how many of the turns this process has seen end.
    turns: u32,
    bytes: usize,
    ended: u32,
    /// Turns as the journal has them without their detail, because something runs behind them that will be part of it.
    undetailed: Vec<Turn>,
    /// The last batch that has something of it, while that is not durable.
    waits_for: Option<u64>,
}

/// Beside a session's own rules: where it is kept, and what waits for that.
pub(super) struct Keep<'a> {
    pub(super) journal: &'a mut Journal,
    pub(super) durability: Durability,
    pub(super) snapshot_turns: u32,
    pub(super) key: &'a Key,
}

impl Recorded {
    pub(super) fn new(generation: u32) -> Recorded {
        Recorded { generation, number: 0, ahead_us: 0, turns: 0, bytes: 0, ended: 0, undetailed: Vec::new(), waits_for: None }
    }

    /// Goes on behind record `number`, at `moment` of the session's own clock.
    /// Turns are taken to have ended since the last snapshot: a load plays all since the last but one, so the next comes soon.
    pub(super) fn restored(generation: u32, number: u64, moment: Moment, now: Moment, turns: u32, session: &Session) -> Recorded {
        let undetailed = session.remembering().filter_map(|id| turn(session, id, number, None, false)).collect();
        Recorded { number, ahead_us: moment.since(now), turns, undetailed, ..Recorded::new(generation) }
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// The batch that what is seen of the session now waits for.
    pub(super) fn waits_for(&self) -> Option<u64> {
        self.waits_for
    }

    pub(super) fn durable(&mut self, batch: u64) {
        self.waits_for = self.waits_for.filter(|waits_for| *waits_for > batch);
    }

    /// The time as the session is told it.
    pub(super) fn now(&self, now: Now) -> Now {
        Now { moment: Moment(now.moment.0.saturating_add(self.ahead_us)), ..now }
    }

    /// Has the session take an input and keeps that. Returns the batch, and the first event that is to wait for it.
    pub(super) fn handle(
        &mut self,
        keep: &mut Keep<'_>,
        session: &mut Session,
        now: Now,
        input: Input,
        effects: &mut Vec<Effect>,
    ) -> (u64, Option<Seq>) {
        let holds_all = keep.durability == Durability::EveryDelta || !matches!(input, Input::Chunk { .. } | Input::Completion { .. });
        let first = effects.len();
        let library = match &input {
            Input::Opened { library, .. } | Input::Reloaded { library, .. } => Some(library.clone()),
            _ => None,
        };
        let mut bytes = restore::begin_record(now, &input);
        session.handle(now, input, effects);
        restore::end_record(&mut bytes, &restore::digest(restore::events(&effects[first..])));
        self.number += 1;
        self.bytes += bytes.len();
        let batch = self.append(keep, now, Item::Record { number: self.number, bytes });
        if let Some(hash) = library {
            self.append(keep, now, Item::Library { hash });
        }
        let is_held = |what: &What| {
            // What a person is asked to approve is there after a crash too.
            let is_asked = matches!(what, What::ProcessStart { kind: CallKind::Approval, .. });
            holds_all || is_asked || matches!(what, What::FrameTrace { .. } | What::Done { .. })
        };
        (batch, restore::events(&effects[first..]).find(|event| is_held(&event.what)).map(|event| event.seq))
    }

    pub(super) fn append(&mut self, keep: &mut Keep<'_>, now: Now, item: Item) -> u64 {
        let batch = keep.journal.append(keep.key, self.generation, now.wall, item);
        self.waits_for = Some(batch);
        batch
    }

    /// A turn has ended.
    pub(super) fn ended(&mut self, keep: &mut Keep<'_>, session: &Session, now: Now, id: TurnId, first_token_us: Option<u64>) {
        self.turns += 1;
        self.ended += 1;
        let is_settled = session.is_settled(id);
        if let Some(turn) = turn(session, id, self.number, first_token_us, is_settled) {
            if !is_settled {
                self.undetailed.push(turn.clone());
            }
            self.append(keep, now, Item::Turn(Box::new(turn)));
        }
    }

    /// Keeps turns again, with their detail, behind which nothing runs any more. What was said in them stays as it is: another turn may
    /// have come in their place.
    pub(super) fn complete_turns(&mut self, keep: &mut Keep<'_>, session: &Session, now: Now) {
        for kept in self.undetailed.extract_if(.., |kept| session.is_settled(TurnId(kept.turn))).collect::<Vec<_>>() {
            let Some(whole) = turn(session, TurnId(kept.turn), self.number, kept.first_token_us, true) else { continue };
            let Turn { question, answer, progress, .. } = kept;
            self.append(keep, now, Item::Turn(Box::new(Turn { question, answer, progress, ..whole })));
        }
    }

    /// These turns are in the history no more, or again.
    pub(super) fn replaced(&mut self, keep: &mut Keep<'_>, now: Now, turns: &[TurnId], is_back: bool) {
        let turns = turns.iter().map(|turn| turn.0).collect();
        self.append(keep, now, Item::Replaced { turns, is_back });
    }

    pub(super) fn cleared(&mut self, keep: &mut Keep<'_>, now: Now) {
        self.append(keep, now, Item::Cleared);
    }

    /// Keeps a snapshot, where one is due and nothing runs.
    pub(super) fn save(&mut self, keep: &mut Keep<'_>, session: &Session, now: Now) {
        // A load brings back the events behind the last snapshot but one: those of the last turn and of the one before among them.
        let is_due = self.ended >= 2 && (self.turns >= keep.snapshot_turns || self.bytes >= SNAPSHOT_BYTES);
        if !is_due || session.busy() {
            return;
        }
        let bytes = serde_json::to_vec(&session.snapshot()).expect("a session serializes");
        (self.turns, self.bytes, self.ended) = (0, 0, 0);
        self.append(keep, now, Item::Snapshot { number: self.number, bytes });
    }
}
