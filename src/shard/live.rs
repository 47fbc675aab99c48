//! A session where it lives: with its kept events, its watchers, and the calls that it has out.
//!
//! [`Live::take`] is the one way in which an input reaches a session: asked first, handled, its effects done in order. A
//! panic in there is a bug of ours: it takes out this session and no other.

use super::backlog::Backlog;
use super::bounds::CALL_GRACE;
use super::event::{Action, Entry, SessionId, SocketId};
use super::identity::Key;
use super::journal::Journal;
use super::metrics::Metrics;
use super::quota::Subject;
use super::recorded::{Keep, Recorded};
use super::restore::Restored;
use super::timers::{Timer, Timers};
use super::{Settings, export};
use crate::contract::journal::Webhook;
use crate::contract::{
    Accepted, Answer, CallError, CallId, CallKind, Caller, Code, DatabaseFault, Effect, Event, Input, Moment, Now, Question, Refusal,
    Request, Time, Trace, TraceContext, TurnId, Usage, VERSION, What,
};
use crate::engine::{Session, input_bytes};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) struct Live {
    pub(super) id: SessionId,
    pub(super) key: Key,
    /// Its name for the pool.
    owner: Arc<str>,
    pub(super) session: Session,
    /// How far the journal has it; none where there is no journal.
    recorded: Option<Recorded>,
    /// Whether its first input has come. Until then it is only a place to watch.
    pub(super) is_open: bool,
    pub(super) backlog: Backlog,
    pub(super) watchers: Vec<SocketId>,
    /// Watchers that show the chat.
    pub(super) chats: usize,
    pub(super) last_used: Moment,
    /// Whose budget its turns and calls are taken from: who sent what began last. None where nothing is bounded.
    pub(super) payer: Option<Subject>,
    /// Whom the ends of its turns are to be told, and whom that of the turn that is about to begin.
    pub(super) webhooks: BTreeMap<TurnId, Webhook>,
    pub(super) asks: Option<Box<str>>,
    /// For whom it is counted as one that has a running turn.
    pub(super) runs_for: Option<Subject>,
    /// Whether its watchers are yet to be shown something.
    pub(super) is_dirty: bool,
    calls: BTreeMap<CallId, Running>,
    /// When the running turn showed its first text.
    first_token: Option<(TurnId, Moment)>,
    /// What the session itself took when it was last measured, and how many turns have ended since.
    session_bytes: usize,
    turns_unmeasured: usize,
    /// Bytes of what it has taken since: messages that wait among them.
    taken_bytes: usize,
    /// Tells it apart in the log without naming anyone.
    hashed: Arc<str>,
    /// Changes with every message, and makes the ids of its trace.
    trace_seed: u64,
    /// What it was last counted with, and when something of it was due then.
    pub(super) counted_bytes: usize,
    pub(super) counted_due: Option<Time>,
}

/// A call that is out.
struct Running {
    begun: Moment,
    due: Moment,
    request: Arc<Request>,
    /// What it failed of if no worker ends it.
    late: CallError,
    is_cancelled: bool,
}

/// What a change of a session needs beside it.
pub(super) struct Surroundings<'a> {
    pub(super) settings: &'a Settings,
    pub(super) now: Now,
    pub(super) timers: &'a mut Timers,
    pub(super) metrics: &'a mut Metrics,
    pub(super) journal: &'a mut Journal,
    pub(super) actions: &'a mut Vec<Action>,
}

/// Why an input was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    Refused(Refusal),
    /// The session had a bug; it has to go.
    Broken,
}

impl From<NotTaken> for Refusal {
    fn from(not_taken: NotTaken) -> Refusal {
        match not_taken {
            NotTaken::Refused(refusal) => refusal,
            NotTaken::Broken => BROKEN,
        }
    }
}

/// Turns between two measurements of a session, unless it has taken so many bytes.
const MEASURE_EVERY: usize = 8;
const MEASURE_BYTES: usize = 64 << 10;

const BROKEN: Refusal =
    Refusal::new(Code::SessionBroken, "something broke inside this server, and this session with it: send the message again to start over");

impl Live {
    /// `generation`: of the session that may open, where there is a journal.
    pub(super) fn new(id: SessionId, key: Key, settings: &Settings, from: &Caller, now: Moment, generation: Option<u32>) -> Live {
        let (hashed, owner) = (key.hashed().into(), key.owner());
        let mut seed = DefaultHasher::new();
        (settings.trace_seed, &key).hash(&mut seed);
        Live {
            id,
            key,
            owner,
            session: Session::new(settings.library.clone(), &settings.graph, from),
            recorded: generation.map(Recorded::new),
            is_open: false,
            backlog: Backlog::default(),
            watchers: Vec::new(),
            chats: 0,
            last_used: now,
            payer: None,
            webhooks: BTreeMap::new(),
            asks: None,
            runs_for: None,
            is_dirty: false,
            calls: BTreeMap::new(),
            first_token: None,
            session_bytes: 0,
            turns_unmeasured: MEASURE_EVERY,
            taken_bytes: 0,
            hashed,
            trace_seed: seed.finish(),
            counted_bytes: 0,
            counted_due: None,
        }
    }

    /// One that the journal had.
    pub(super) fn restored(id: SessionId, key: Key, settings: &Settings, restored: Restored, now: Moment) -> Live {
        let Restored { session, events, has_all, generation, number, moment, webhooks, differs: _ } = restored;
        let from = session.caller().clone();
        let recorded = Some(Recorded::restored(generation, number, moment, now, settings.snapshot_turns / 2, &session));
        Live {
            session,
            is_open: true,
            webhooks: webhooks.into_iter().map(|webhook| (TurnId(webhook.turn), webhook)).collect(),
            recorded,
            backlog: Backlog::restored(events, has_all),
            ..Live::new(id, key, settings, &from, now, None)
        }
    }

    /// Whether nothing that anyone waits for would be lost if it left. What waits for a person goes on waiting in the journal.
    pub(super) fn is_idle(&self) -> bool {
        let may_leave = !self.session.busy() || self.can_wait_elsewhere();
        self.watchers.is_empty() && self.calls.is_empty() && may_leave && self.waits_for().is_none()
    }

    /// Whether its turn waits for a person alone, and for as long as that takes, also after a restart.
    pub(super) fn can_wait_elsewhere(&self) -> bool {
        self.recorded.is_some() && self.session.is_paused()
    }

    /// Whether a turn is running or waiting that ends by itself.
    pub(super) fn is_at_work(&self) -> bool {
        self.session.goes_on() && !self.session.is_paused()
    }

    /// The batch of the journal that what is seen of it now waits for.
    pub(super) fn waits_for(&self) -> Option<u64> {
        self.recorded.as_ref().and_then(Recorded::waits_for)
    }

    pub(super) fn generation(&self) -> u32 {
        self.recorded.as_ref().map_or(0, Recorded::generation)
    }

    /// What it has in the journal up to this batch is safe. Returns whether it has more there.
    pub(super) fn durable(&mut self, batch: u64) -> bool {
        self.backlog.release(batch);
        self.recorded.iter_mut().for_each(|recorded| recorded.durable(batch));
        self.is_dirty |= !self.watchers.is_empty();
        self.waits_for().is_some()
    }

    /// Whether this is a message that the session has, sent again.
    pub(super) fn knows(&self, input: &Input) -> bool {
        matches!(self.session.accepts(input), Ok(Accepted::Known { .. }))
    }

    /// Takes an input, or says why not. The first input opens the session.
    pub(super) fn take(&mut self, around: &mut Surroundings<'_>, mut input: Input) -> Result<Accepted, NotTaken> {
        // A late answer is refused even before the timer fires.
        if matches!(input, Input::Approve { .. }) && self.session.due().is_some_and(|due| due <= around.now.wall) {
            self.take(around, Input::Due)?;
        }
        let (now, bytes) = (around.now, input_bytes(&input));
        self.place(around, &mut input);
        let mut effects = Vec::new();
        let opens_for = match (self.is_open, &input) {
            (true, _) => None,
            (false, Input::Message { from, .. } | Input::Action { from, .. } | Input::Switch { from, .. }) => Some(from.clone()),
            // Refused below: there is nothing to try again or to edit.
            (false, Input::Retry { .. } | Input::Edit { .. }) => None,
            // Where nothing has started there is nothing to end.
            (
                false,
                Input::Stop
                | Input::StopRunning
                | Input::Drain { .. }
                | Input::Cancel { .. }
                | Input::Attached { .. }
                | Input::Clear { .. },
            ) => {
                return Ok(Accepted::Plain);
            }
            (false, Input::Approve { .. }) => return self.session.accepts(&input).map_err(NotTaken::Refused),
            (
                false,
                Input::Opened { .. }
                | Input::Resumed { .. }
                | Input::Surveyed { .. }
                | Input::Reloaded { .. }
                | Input::Due
                | Input::Forked { .. }
                | Input::Chunk { .. }
                | Input::Completion { .. },
            ) => {
                unreachable!("the shard opens a session with its first input, and no call was out before")
            }
        };
        let handled = catch_unwind(AssertUnwindSafe(|| {
            before(&input);
            let accepted = self.session.accepts(&input)?;
            if !matches!(accepted, Accepted::Known { .. }) {
                if self.is_open && input.begins_turn() {
                    self.survey(around);
                }
                if let Some(from) = opens_for {
                    let from = Caller { trace: None, ..from };
                    let opening = opening(around.settings, &self.owner, from, self.generation());
                    self.feed(around, opening, &mut effects);
                }
                self.feed(around, input, &mut effects);
            }
            Ok(accepted)
        }));
        let accepted = handled.map_err(|_| self.panicked(around))?.map_err(NotTaken::Refused)?;
        (self.is_open, self.last_used) = (true, now.moment);
        self.taken_bytes += if matches!(accepted, Accepted::Begins(_)) { bytes } else { 0 };
        if let Accepted::Begins(turn) = accepted {
            self.await_end(around, turn);
        }
        effects.into_iter().for_each(|effect| self.fulfil(around, effect));
        self.keep(around, |recorded, keep, session, now| {
            recorded.complete_turns(keep, session, now);
            recorded.save(keep, session, now);
        });
        Ok(accepted)
    }

    /// Has the session take an input, and the journal keep it.
    fn feed(&mut self, around: &mut Surroundings<'_>, input: Input, effects: &mut Vec<Effect>) {
        let (Some(recorded), Some(keeping)) = (&mut self.recorded, around.settings.keeping) else {
            return self.session.handle(around.now, input, effects);
        };
        let now = recorded.now(around.now);
        let (journal, snapshot_turns) = (&mut *around.journal, around.settings.snapshot_turns);
        let mut keep = Keep { journal, durability: keeping.durability, snapshot_turns, key: &self.key };
        let (batch, held_from) = recorded.handle(&mut keep, &mut self.session, now, input, effects);
        around.journal.tell(self.id);
        if let Some(from) = held_from {
            self.backlog.hold(batch, from);
        }
    }

    /// Has the journal keep something beside inputs.
    pub(super) fn keep(&mut self, around: &mut Surroundings<'_>, what: impl FnOnce(&mut Recorded, &mut Keep<'_>, &Session, Now)) {
        let (Some(recorded), Some(keeping)) = (&mut self.recorded, around.settings.keeping) else { return };
        let (journal, snapshot_turns) = (&mut *around.journal, around.settings.snapshot_turns);
        let mut keep = Keep { journal, durability: keeping.durability, snapshot_turns, key: &self.key };
        what(recorded, &mut keep, &self.session, around.now);
    }

    /// A session that was loaded goes over to what the server runs on now, if it ran on something else.
    pub(super) fn catch_up(&mut self, around: &mut Surroundings<'_>) -> Result<(), NotTaken> {
        if self.session.runs_on(&around.settings.library, &around.settings.limits) { Ok(()) } else { self.reload(around) }
    }

    /// Tells a session between two turns what has been found out about its databases since it was last told.
    fn survey(&mut self, around: &mut Surroundings<'_>) {
        let databases = (around.settings.databases)(&self.owner);
        if !self.session.busy() && databases != self.session.databases() {
            self.feed(around, Input::Surveyed { databases }, &mut Vec::new());
        }
    }

    /// Graphs and limits were loaded again: the next turn runs on them. A place to watch shows what a session would begin on.
    pub(super) fn reload(&mut self, around: &mut Surroundings<'_>) -> Result<(), NotTaken> {
        let settings = around.settings;
        if !self.is_open {
            self.session = Session::new(settings.library.clone(), &settings.graph, &self.session.caller().clone());
            return Ok(());
        }
        let input = Input::Reloaded { library: settings.library.hash().to_owned(), limits: settings.limits.clone() };
        let mut effects = Vec::new();
        let handled = catch_unwind(AssertUnwindSafe(|| {
            self.session.offer(settings.library.clone());
            self.feed(around, input, &mut effects);
        }));
        handled.map_err(|_| self.panicked(around))?;
        effects.into_iter().for_each(|effect| self.fulfil(around, effect));
        Ok(())
    }

    /// Gives what begins a turn its place in a trace, that of its caller or a new one.
    fn place(&mut self, around: &Surroundings<'_>, input: &mut Input) {
        let begins = input.begins_turn();
        if let Some(from) = input.caller_mut() {
            // An odd step reaches every number, and the time tells apart what another session of this name began.
            self.trace_seed = self.trace_seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let seed = self.trace_seed ^ around.now.wall.0;
            from.trace = begins.then(|| TraceContext::begin(from.trace, seed, around.settings.export.is_some()));
        }
    }

    /// Something in here panicked.
    pub(super) fn panicked(&self, around: &mut Surroundings<'_>) -> NotTaken {
        around.actions.push(Action::Log(Entry::Panic { session: self.hashed.clone() }));
        NotTaken::Broken
    }

    /// What a node would be asked now; where the session has not opened, as it would open.
    pub(super) fn question(
        &mut self,
        around: &mut Surroundings<'_>,
        from: Caller,
        node: &str,
        text: Option<&str>,
    ) -> Result<Question, Refusal> {
        let asked = catch_unwind(AssertUnwindSafe(|| {
            if self.is_open {
                self.survey(around);
                return self.session.question(around.now, node, text);
            }
            let mut session = Session::new(around.settings.library.clone(), &around.settings.graph, &from);
            session.handle(around.now, opening(around.settings, &self.owner, from, 0), &mut Vec::new());
            session.question(around.now, node, text)
        }));
        asked.unwrap_or_else(|_| {
            self.panicked(around);
            Err(PROMPT_BROKEN)
        })
    }

    fn fulfil(&mut self, around: &mut Surroundings<'_>, effect: Effect) {
        match effect {
            Effect::Emit(event) => {
                self.note(around, &event);
                around.metrics.dropped_events(self.backlog.keep(event));
                self.is_dirty |= !self.watchers.is_empty();
            }
            Effect::Call { id, request } => self.call(around, id, request),
            Effect::Cancel { id } => {
                if let Some(running) = self.calls.get_mut(&id) {
                    running.is_cancelled = true;
                    around.actions.push(Action::CancelCall { session: self.id, call: id });
                }
            }
        }
    }

    /// Writes a line to the log for each turn that ends.
    fn note(&mut self, around: &mut Surroundings<'_>, event: &Event) {
        match &event.what {
            What::Streaming { .. } if self.first_token.is_none_or(|(turn, _)| turn != event.turn) => {
                self.first_token = Some((event.turn, around.now.moment));
            }
            What::Cleared => {
                self.turns_unmeasured = MEASURE_EVERY;
                self.keep(around, |recorded, keep, _, now| recorded.cleared(keep, now));
            }
            What::Replaced { turns, .. } => self.keep(around, |recorded, keep, _, now| recorded.replaced(keep, now, turns, false)),
            What::Withdrawn { restored } => self.keep(around, |recorded, keep, _, now| {
                recorded.replaced(keep, now, &[event.turn], false);
                if !restored.is_empty() {
                    recorded.replaced(keep, now, restored, true);
                }
            }),
            What::FrameTrace { trace } => {
                self.turns_unmeasured += 1;
                let shown = self.first_token.take().filter(|(turn, _)| *turn == trace.id);
                let since_shown = shown.map(|(_, at)| around.now.moment.since(at));
                let first_token_us = since_shown.map(|since| trace.total_us.saturating_sub(since));
                around.metrics.turn_ended(trace, first_token_us);
                around.actions.push(Action::Log(turn_line(&self.hashed, trace, first_token_us)));
                let finished = export::turn(around.settings, &self.hashed, &self.session, trace);
                around.actions.extend(finished.map(Action::Export));
                self.keep(around, |recorded, keep, session, now| recorded.ended(keep, session, now, trace.id, first_token_us));
            }
            What::Done { outcome, client_id } => self.tell_end(around, event.turn, outcome, client_id.as_ref()),
            // It may stay for long now, with what its turn has found.
            What::ProcessStart { kind: CallKind::Approval, .. } => self.turns_unmeasured = MEASURE_EVERY,
            What::ProcessEnd { pid, .. } if event.frame == 0 => {
                let finished = export::background(around.settings, &self.hashed, &self.session, event.turn, *pid);
                around.actions.extend(finished.map(Action::Export));
            }
            _ => {}
        }
    }

    fn call(&mut self, around: &mut Surroundings<'_>, call: CallId, request: Arc<Request>) {
        let begun = around.now.moment;
        let due = begun.after((around.settings.call_time)(&request) + CALL_GRACE);
        let running = Running { begun, due, request: request.clone(), late: late(&request), is_cancelled: false };
        self.calls.insert(call, running);
        around.timers.set(due, Timer::Call(self.id, call));
        let trace = self.session.trace_of(call).map(|context| context.of_call(call));
        around.actions.push(Action::Call { session: self.id, call, owner: self.owner.clone(), request, trace });
    }

    /// A worker has more of an answer.
    pub(super) fn chunk(&mut self, around: &mut Surroundings<'_>, call: CallId, text: String) -> Result<(), NotTaken> {
        if self.calls.contains_key(&call) { self.take(around, Input::Chunk { call, text }).map(drop) } else { Ok(()) }
    }

    /// A call has ended; what else comes of it is dropped.
    pub(super) fn completion(
        &mut self,
        around: &mut Surroundings<'_>,
        call: CallId,
        usage: Usage,
        waited_us: u64,
        outcome: Result<Answer, CallError>,
    ) -> Result<(), NotTaken> {
        let Some(running) = self.calls.remove(&call) else { return Ok(()) };
        around.timers.clear(running.due, Timer::Call(self.id, call));
        let took_us = around.now.moment.since(running.begun);
        around.metrics.called(&around.settings.models, &running.request, took_us, waited_us, usage, &outcome);
        self.take(around, Input::Completion { call, usage, waited_us, outcome }).map(drop)
    }

    /// Its worker should have ended the call by now: it is ended without.
    pub(super) fn overdue(&mut self, around: &mut Surroundings<'_>, call: CallId) -> Result<(), NotTaken> {
        let Some(running) = self.calls.get(&call) else { return Ok(()) };
        let error = if running.is_cancelled { CallError::Cancelled } else { running.late.clone() };
        around.actions.push(Action::CancelCall { session: self.id, call });
        self.completion(around, call, Usage::default(), 0, Err(error))
    }

    /// Ends whatever it has out.
    pub(super) fn abandon(&mut self, around: &mut Surroundings<'_>) {
        for (call, running) in std::mem::take(&mut self.calls) {
            around.timers.clear(running.due, Timer::Call(self.id, call));
            around.actions.push(Action::CancelCall { session: self.id, call });
        }
    }

    /// About what it takes in memory. Its events and what it has just taken are always counted, the rest every few turns, because
    /// measuring walks it.
    pub(super) fn bytes(&mut self) -> usize {
        const FIXED: usize = 2 << 10;
        let is_due = self.turns_unmeasured >= MEASURE_EVERY || self.taken_bytes > MEASURE_BYTES;
        if is_due && (!self.session.busy() || self.session.is_paused()) {
            (self.session_bytes, self.turns_unmeasured, self.taken_bytes) = (self.session.bytes(), 0, 0);
        }
        FIXED + self.backlog.bytes() + self.session_bytes + self.taken_bytes
    }

    /// Whether a journal keeps it.
    pub(super) fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    pub(super) fn trace_seed(&self) -> u64 {
        self.trace_seed
    }

    pub(super) fn hashed(&self) -> &str {
        &self.hashed
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }
}

const PROMPT_BROKEN: Refusal =
    Refusal::new(Code::SessionBroken, "something broke inside this server while it built the prompt: the session goes on");

/// What became of a call that its worker doesn't end.
fn late(request: &Request) -> CallError {
    match request {
        Request::Database(_) => CallError::Database(DatabaseFault::Deadline),
        Request::Model(_) | Request::Approval(_) => CallError::Deadline { waited: "its answer".to_owned() },
    }
}

fn opening(settings: &Settings, owner: &str, from: Caller, generation: u32) -> Input {
    Input::Opened {
        version: VERSION,
        library: settings.library.hash().to_owned(),
        graph: (*settings.graph).to_owned(),
        databases: (settings.databases)(owner),
        limits: settings.limits.clone(),
        from,
        generation,
    }
}

fn turn_line(session: &Arc<str>, trace: &Trace, first_token_us: Option<u64>) -> Entry {
    Entry::Turn {
        id: trace.id.to_string(),
        session: session.clone(),
        graph: trace.graph.clone(),
        path: trace.path.clone(),
        frames: trace.frames.len(),
        total_us: trace.total_us,
        first_token_us,
        usage: trace.usage,
        outcome: trace.status.name(),
        degraded: trace.degraded.clone(),
        trace_id: trace.context.map(|context| context.trace_id),
    }
}

#[cfg(not(test))]
fn before(_input: &Input) {}

/// Tests break a session with what they send.
#[cfg(test)]
fn before(input: &Input) {
    assert!(!matches!(input, Input::Message { text, .. } if text == "break"), "a session that was told to break");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{DatabaseAsk, DatabaseLimits, DatabaseRequest};

    #[test]
    fn a_database_that_is_not_heard_of_is_not_called_a_model() {
        let request = DatabaseRequest { database: "shop".into(), ask: DatabaseAsk::Tables, limits: DatabaseLimits::default() };
        assert_eq!(late(&Request::Database(request)), CallError::Database(DatabaseFault::Deadline));
    }
}
