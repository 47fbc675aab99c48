//! A session where it lives: with its kept events, its watchers and the calls that it has out.
//!
//! [`Resident::take`] is the one way in which an input reaches a session: asked first, handled, its effects done in order.
//! A panic in there is a bug of ours: it takes out this session and no other.

use super::bounds::CALL_GRACE;
use super::clock::{after, micros};
use super::handover::Show;
use super::mailbox::Mail;
use super::shard::{Common, Shard};
use super::watchers::{Log, Watcher, Written};
use crate::contract::{
    Accepted, Answer, CallError, CallId, Caller, DatabaseInfo, Effect, Input, Moment, Now, Question, Refusal, Request, Time, TurnId, Usage,
    VERSION,
};
use crate::engine::Session;
use crate::work::{CallHandle, Reply};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub(super) struct Resident {
    /// Its number on this shard; never used twice.
    pub(super) number: u64,
    /// Its name, as its user knows it.
    id: Arc<str>,
    pub(super) session: Session,
    /// Whether its first input has come. Until then it is only a place to watch.
    pub(super) is_open: bool,
    pub(super) log: Log,
    pub(super) watchers: Vec<Watcher>,
    pub(super) last_used: Time,
    /// Whether its watchers are yet to be shown something.
    pub(super) is_dirty: bool,
    calls: HashMap<CallId, Out>,
}

/// A call that is out.
struct Out {
    /// Nothing where the pool did not take it: its end is on the way.
    handle: Option<CallHandle>,
    due: Time,
    is_cancelled: bool,
}

/// Why an input was not taken.
#[derive(Debug)]
pub(super) enum NotTaken {
    Refused(Refusal),
    /// The session had a bug and is gone.
    Broken,
}

impl Resident {
    pub(super) fn new(number: u64, id: Arc<str>, common: &Common, from: &Caller, now: Time) -> Self {
        Resident {
            number,
            id,
            session: Session::new(common.library.clone(), &common.graph, from),
            is_open: false,
            log: Log::default(),
            watchers: Vec::new(),
            last_used: now,
            is_dirty: false,
            calls: HashMap::new(),
        }
    }

    /// What shows this session's chat to someone.
    pub(super) fn is_watched_in_chat(&self) -> bool {
        self.watchers.iter().any(|watcher| watcher.socket.show == Show::Chat)
    }

    /// Whether a socket is yet to be shown something.
    pub(super) fn is_behind(&self, socket: u64) -> bool {
        self.watchers.iter().any(|watcher| watcher.socket.number == socket && watcher.is_behind(&self.log))
    }

    /// Whether nothing would be lost that anyone waits for, if it left.
    pub(super) fn is_idle(&self) -> bool {
        self.watchers.is_empty() && self.calls.is_empty() && !self.session.busy()
    }

    /// Takes an input, or says why not. The first input opens the session.
    pub(super) fn take(&mut self, shard: &Shard, input: Input) -> Result<TurnId, NotTaken> {
        let now = shard.clock.now();
        let (session, mut effects) = (&mut self.session, Vec::new());
        let opening = match (self.is_open, &input) {
            (true, _) => None,
            (false, Input::Message { from, .. } | Input::Action { from, .. } | Input::Clear { from } | Input::Switch { from, .. }) => {
                Some(shard.common.opening(shard.common.pool.open(&self.id), from.clone()))
            }
            // Where nothing has begun there is nothing to stop.
            (false, Input::Stop | Input::Drain { .. } | Input::Cancel { .. } | Input::Attached { .. }) => return Ok(TurnId(0)),
            (false, Input::Opened { .. } | Input::Chunk { .. } | Input::Completion { .. }) => {
                unreachable!("the shell opens a session with its first input, and no call was out before")
            }
        };
        let handled = catch_unwind(AssertUnwindSafe(|| {
            before(&input);
            let turn = match session.accepts(&input)? {
                Accepted::Begins(turn) | Accepted::Known { turn, .. } => turn,
                Accepted::Plain => TurnId(0),
            };
            if let Some(opening) = opening {
                session.handle(both(now), opening, &mut effects);
            }
            session.handle(both(now), input, &mut effects);
            Ok(turn)
        }));
        let turn = handled.map_err(|_| NotTaken::Broken)?.map_err(NotTaken::Refused)?;
        (self.is_open, self.last_used) = (true, now);
        effects.into_iter().for_each(|effect| self.fulfil(shard, effect));
        Ok(turn)
    }

    /// What a node would be asked now; where the session has not begun, as it would begin.
    pub(super) fn question(&self, shard: &Shard, from: Caller, node: &str, text: Option<&str>) -> Result<Question, Refusal> {
        let (now, common) = (shard.clock.now(), &shard.common);
        if self.is_open {
            return self.session.question(both(now), node, text);
        }
        let mut session = Session::new(common.library.clone(), &common.graph, &from);
        session.handle(both(now), common.opening(common.pool.databases(&self.id), from), &mut Vec::new());
        session.question(both(now), node, text)
    }

    fn fulfil(&mut self, shard: &Shard, effect: Effect) {
        match effect {
            Effect::Emit(event) => {
                self.log.keep(event);
                self.is_dirty |= !self.watchers.is_empty();
            }
            Effect::Call { id, request } => self.call(shard, id, request),
            Effect::Cancel { id } => {
                if let Some(out) = self.calls.get_mut(&id) {
                    out.is_cancelled = true;
                    out.handle.iter().for_each(CallHandle::cancel);
                }
            }
        }
    }

    fn call(&mut self, shard: &Shard, call: CallId, request: Arc<Request>) {
        let pool = &shard.common.pool;
        let (mailbox, session) = (shard.mailbox().clone(), self.number);
        let due = after(shard.clock.now(), pool.deadline(&request) + CALL_GRACE);
        let reply = move |reply| {
            mailbox.put_when_room(match reply {
                Reply::Chunk(text) => Mail::Chunk { session, call, text },
                Reply::Done { usage, waited, outcome } => Mail::Completion { session, call, usage, waited_us: micros(waited), outcome },
            });
        };
        let handle = match pool.start(&self.id, request, Box::new(reply)) {
            Ok(handle) => Some(handle),
            Err(error) => {
                shard.mailbox().put(Mail::Completion { session, call, usage: Usage::default(), waited_us: 0, outcome: Err(error) });
                None
            }
        };
        self.calls.insert(call, Out { handle, due, is_cancelled: false });
        shard.expect(due, session, call);
    }

    /// A worker has more of an answer.
    pub(super) fn chunk(&mut self, shard: &Shard, call: CallId, text: String) -> Result<(), NotTaken> {
        match self.calls.contains_key(&call) {
            true => self.take(shard, Input::Chunk { call, text }).map(|_| ()),
            false => Ok(()),
        }
    }

    /// A call has ended; what else comes of it is dropped.
    pub(super) fn completion(
        &mut self,
        shard: &Shard,
        call: CallId,
        usage: Usage,
        waited_us: u64,
        outcome: Result<Answer, CallError>,
    ) -> Result<(), NotTaken> {
        match self.calls.remove(&call) {
            Some(out) => {
                shard.expect_no_longer(out.due, self.number, call);
                self.take(shard, Input::Completion { call, usage, waited_us, outcome }).map(|_| ())
            }
            None => Ok(()),
        }
    }

    /// Its worker should have ended the call by now: it is ended without.
    pub(super) fn overdue(&mut self, shard: &Shard, call: CallId) -> Result<(), NotTaken> {
        let Some(out) = self.calls.get(&call) else { return Ok(()) };
        out.handle.iter().for_each(CallHandle::cancel);
        let error = match out.is_cancelled {
            true => CallError::Cancelled,
            false => CallError::Deadline { waited: "its answer".to_owned() },
        };
        self.completion(shard, call, Usage::default(), 0, Err(error))
    }

    /// Gives each watcher what comes next, as far as its socket takes it.
    pub(super) fn show(&mut self) {
        self.is_dirty = false;
        let mut written = Written::default();
        self.watchers.iter_mut().for_each(|watcher| watcher.show(&self.log, &mut written));
    }

    /// Ends whatever it has out.
    pub(super) fn abandon(&mut self, shard: &Shard) {
        for (call, out) in self.calls.drain() {
            shard.expect_no_longer(out.due, self.number, call);
            out.handle.iter().for_each(CallHandle::cancel);
        }
    }
}

/// The same reading for both clocks: this shell's clock never runs backwards.
fn both(now: Time) -> Now {
    Now { moment: Moment(now.0), wall: now }
}

impl Common {
    fn opening(&self, databases: Vec<DatabaseInfo>, from: Caller) -> Input {
        Input::Opened {
            version: VERSION,
            library: self.library.hash().to_owned(),
            graph: (*self.graph).to_owned(),
            databases,
            limits: self.limits.clone(),
            from,
        }
    }
}

#[cfg(not(test))]
fn before(_input: &Input) {}

/// Tests break a session with what they say.
#[cfg(test)]
fn before(input: &Input) {
    super::tests::break_if_told(input);
}
