//! The journal of a shard: what it keeps, what is durable, and who waits for that.
//!
//! An input is appended where a session takes it ([`Journal::append`]); all of a tick is one batch ([`Action::Append`]), and
//! [`Event::Durable`](super::event::Event::Durable) names the last batch that is safe. Calls go out at once. What a client would
//! see waits: events in their session's backlog, answers and new watchers here. A session that is not in memory is loaded first;
//! what is asked of it waits here as well.

use super::answers::DRAINING;
use super::bounds::{JOURNAL_TIME, LOADING_MAX};
use super::event::{Action, Attach, Entry, Job, SessionId, SocketId};
use super::identity::Key;
use super::live::{Live, NotTaken};
use super::operation::{Answer, Operation, Reply};
use super::restore::Found;
use super::{ReplyTo, Shard, Ticket};
use crate::contract::journal::{Append, Item, Name};
use crate::contract::{Code, Input, Refusal, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

#[derive(Default)]
pub(super) struct Journal {
    /// The batch that gathers, and the last one that is durable.
    gathering: u64,
    durable: u64,
    appends: Vec<Append>,
    /// Something that had gathered was dropped again.
    has_dropped: bool,
    /// Sessions that have something in a batch that is not durable.
    sessions: BTreeSet<SessionId>,
    /// Answers that wait for a batch.
    replies: VecDeque<Unconfirmed>,
    /// Sockets that are about to watch a session.
    arriving: BTreeMap<SocketId, Arriving>,
    /// What waits for sessions that are being loaded, and how much that is.
    loading: BTreeMap<Key, Vec<Parked>>,
    parked: usize,
    /// Sessions that were deleted while they were being loaded: they are loaded again.
    outdated: BTreeSet<Key>,
    /// Names that no session has, as a load has found in this tick, with the generation of the one that may open.
    nobody: BTreeMap<Key, u32>,
    /// Why it can't be written now.
    broken: Option<Refusal>,
}

/// An answer that can't be given before its batch is durable.
pub(super) struct Unconfirmed {
    batch: u64,
    /// The session that it tells of.
    key: Key,
    ticket: Ticket,
    then: Then,
    /// Whether it says that a message or an action was taken.
    has_taken: bool,
}

/// What waits for a session to be loaded.
enum Parked {
    Operation(Ticket, Box<Operation>),
    Socket(SocketId),
}

/// What a socket that is about to watch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arriving {
    Load,
    Batch(u64),
    Nothing,
    /// It can't, with this goodbye.
    Failed(Goodbye),
}

/// The code and the reason with which a socket is closed.
pub(super) type Goodbye = (u16, &'static str);

/// What an answer waits for.
pub(super) enum Later {
    /// What it tells is not durable yet.
    Durable { batch: u64, key: Key, then: Then, has_taken: bool },
    /// Its session has to be loaded.
    Loaded(Box<Operation>),
}

/// What follows once it is.
pub(super) enum Then {
    Reply(Reply),
    /// The answer comes from a job.
    Job(Job),
}

pub(super) static JOURNAL_SILENT: Refusal =
    Refusal::new(Code::JournalUnavailable, "the journal does not answer in time: try again in a moment (operators: see `/readyz`)");
pub(super) const LOADING_FULL: Refusal =
    Refusal::new(Code::JournalUnavailable, "too many sessions are being loaded from the journal: try again in a moment");
const MOVED: Refusal = Refusal::new(Code::SessionMoved, "another server has taken over this session, so this was not kept: send it again");
/// Close codes for sockets whose session can't be loaded, or finds no room.
const NOT_LOADED: Goodbye = (1013, "the journal can't be read now: reconnect");
const NO_ROOM: Goodbye = (1013, "session limit reached: reconnect later");
pub(super) const SHUTTING_DOWN: Goodbye = (1001, "the server is shutting down");

impl Journal {
    pub(super) fn new() -> Journal {
        Journal { gathering: 1, ..Journal::default() }
    }

    /// Adds something to the batch that gathers, and says which that is.
    pub(super) fn append(&mut self, key: &Key, generation: u32, at: Time, item: Item) -> u64 {
        let name = Name { user: (*key.sub).to_owned(), session: (*key.id).to_owned() };
        self.appends.push(Append { name, generation, at, item });
        self.gathering
    }

    /// A session has something in the batch that gathers.
    pub(super) fn tell(&mut self, session: SessionId) {
        self.sessions.insert(session);
    }

    /// These sessions are about to be deleted: what has gathered of them is not kept, and what a load under way finds doesn't count.
    pub(super) fn forget(&mut self, is_theirs: impl Fn(&str, &str) -> bool) {
        let before = self.appends.len();
        self.appends.retain(|append| !is_theirs(&append.name.user, &append.name.session));
        self.has_dropped |= self.appends.len() < before;
        self.nobody.retain(|key, _| !is_theirs(&key.sub, &key.id));
        self.outdated.extend(self.loading.keys().filter(|key| is_theirs(&key.sub, &key.id)).cloned());
    }

    /// Why nothing new can be kept now.
    pub(super) fn broken(&self) -> Option<&Refusal> {
        self.broken.as_ref()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.sessions.is_empty()
    }

    /// Whether as much waits for sessions to be loaded as may.
    pub(super) fn is_full(&self) -> bool {
        self.parked >= LOADING_MAX
    }

    /// Nobody waits for this answer any more.
    pub(super) fn gives_up(&mut self, ticket: Ticket) -> Option<Unconfirmed> {
        let at = self.replies.iter().position(|waiting| waiting.ticket == ticket)?;
        self.replies.remove(at)
    }

    /// A socket has gone.
    pub(super) fn arrives_no_more(&mut self, id: SocketId) {
        self.arriving.remove(&id);
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len() + self.replies.len() + self.arriving.len() + self.parked
    }

    /// The generation of a session that may open: as many as were loaded under this name before, and one.
    pub(super) fn generation(&self, key: &Key) -> Option<u32> {
        self.nobody.get(key).copied()
    }
}

impl Unconfirmed {
    /// What is answered instead, because of this.
    pub(super) fn unconfirmed(&self, why: &Refusal) -> Reply {
        match &self.then {
            Then::Reply(reply) if self.has_taken => reply.unconfirmed(),
            _ => why.clone().into(),
        }
    }
}

impl Shard {
    /// Hands what has gathered in this tick to the journal.
    pub(super) fn write_journal(&mut self, actions: &mut Vec<Action>) {
        self.journal.nobody.clear();
        let (at, spent) = (self.clock.now().wall, self.ledger.take_unkept());
        self.journal.appends.extend(spent.into_iter().map(|spent| Append::of_no_session(at, Item::Spent(Box::new(spent)))));
        // A batch that something waits for goes out also if all in it was dropped.
        if std::mem::take(&mut self.journal.has_dropped) || !self.journal.appends.is_empty() {
            let appends = std::mem::take(&mut self.journal.appends);
            actions.push(Action::Append { batch: self.journal.gathering, appends });
            self.journal.gathering += 1;
        }
    }

    /// Everything up to this batch is safe: it may be seen.
    pub(super) fn durable(&mut self, batch: u64, actions: &mut Vec<Action>) {
        self.journal.durable = batch;
        for session in std::mem::take(&mut self.journal.sessions) {
            let waits_on = self.with_live(session, actions, |live, _| live.durable(batch)).unwrap_or(false);
            if waits_on {
                self.journal.sessions.insert(session);
            }
        }
        while self.journal.replies.front().is_some_and(|waiting| waiting.batch <= batch)
            && let Some(safe) = self.journal.replies.pop_front()
        {
            match (self.take_waiting(safe.ticket), safe.then) {
                (Some(waiting), Then::Reply(reply)) => self.reply(waiting.to, reply, actions),
                (Some(waiting), Then::Job(job)) => drop(self.start_job(waiting.to, job, actions)),
                (None, _) => {}
            }
        }
        let ready: Vec<SocketId> = self.arriving_for(|arriving| matches!(arriving, Arriving::Batch(of) if of <= batch)).collect();
        self.arrived(ready, Arriving::Nothing);
    }

    /// Another server goes on with a session, and what this one had not kept of it is dropped: nobody may be told of that as if it were
    /// kept. The session leaves memory, and is loaded again when it is wanted.
    pub(super) fn fenced(&mut self, key: &Key, generation: u32, actions: &mut Vec<Action>) {
        // One that was loaded again meanwhile has it from the journal.
        let Some(id) = self.sessions.find(key).filter(|live| live.generation() <= generation).map(|live| live.id) else { return };
        self.remove_session(id, 1013, "another server has taken over this session: reconnect", actions);
        self.journal.forget(|user, session| *user == *key.sub && *session == *key.id);
        let replies = std::mem::take(&mut self.journal.replies);
        let (of_session, others) = replies.into_iter().partition::<VecDeque<_>, _>(|waiting| waiting.key == *key);
        self.journal.replies = others;
        for lost in of_session {
            if let Some(waiting) = self.take_waiting(lost.ticket) {
                self.reply(waiting.to, MOVED.into(), actions);
            }
        }
    }

    /// The journal can be written again, or no more.
    pub(super) fn journal_changed(&mut self, broken: Option<Refusal>, actions: &mut Vec<Action>) {
        self.journal.broken.clone_from(&broken);
        let Some(broken) = broken else { return };
        // Nobody is kept waiting for what may take long: they learn it now, and what was taken is kept as soon as it can be.
        for answer in std::mem::take(&mut self.journal.replies) {
            if let Some(waiting) = self.take_waiting(answer.ticket) {
                self.reply(waiting.to, answer.unconfirmed(&broken), actions);
            }
        }
    }

    fn arriving_for(&self, which: impl Fn(Arriving) -> bool) -> impl Iterator<Item = SocketId> {
        self.journal.arriving.iter().filter(move |(_, arriving)| which(**arriving)).map(|(id, _)| *id)
    }

    fn arrived(&mut self, sockets: impl IntoIterator<Item = SocketId>, how: Arriving) {
        for socket in sockets {
            match self.sockets.contains_key(&socket) {
                true => drop(self.journal.arriving.insert(socket, how)),
                false => drop(self.journal.arriving.remove(&socket)),
            }
            self.touch(socket);
        }
    }

    /// Whether a session is in memory, or known not to exist: else it has to be loaded first.
    pub(super) fn is_here(&self, key: &Key) -> bool {
        self.settings.keeping.is_none() || self.sessions.find(key).is_some() || self.journal.nobody.contains_key(key)
    }

    /// The batch that what is seen of a session now waits for.
    pub(super) fn batch_of(&self, key: &Key) -> Option<u64> {
        self.sessions.find(key).and_then(Live::waits_for)
    }

    /// Has an answer wait.
    pub(super) fn answer_later(&mut self, to: ReplyTo, later: Later, actions: &mut Vec<Action>) -> Ticket {
        let ticket = self.wait(to, JOURNAL_TIME, &JOURNAL_SILENT);
        match later {
            Later::Durable { batch, key, then, has_taken } => {
                self.journal.replies.push_back(Unconfirmed { batch, key, ticket, then, has_taken });
            }
            Later::Loaded(operation) => {
                let key = operation.key.clone();
                self.load_session(key, Parked::Operation(ticket, operation), actions);
            }
        }
        ticket
    }

    /// Whether a socket that is about to watch a session has to wait; it is looked at again when it need not. `Err`: it can't.
    pub(super) fn must_wait_to_watch(&mut self, id: SocketId, attach: &Attach, actions: &mut Vec<Action>) -> Result<bool, Goodbye> {
        let key = &attach.key;
        if self.settings.keeping.is_none() || !attach.show.is_of_session() {
            return Ok(false);
        }
        match self.journal.arriving.get(&id) {
            Some(Arriving::Load | Arriving::Batch(_)) => return Ok(true),
            Some(Arriving::Failed(goodbye)) => {
                let goodbye = *goodbye;
                self.journal.arriving.remove(&id);
                return Err(goodbye);
            }
            Some(Arriving::Nothing) if self.is_here(key) => {
                self.journal.arriving.remove(&id);
                return Ok(false);
            }
            Some(Arriving::Nothing) | None => {}
        }
        if !self.is_here(key) {
            if self.journal.is_full() {
                return Err(NOT_LOADED);
            }
            self.journal.arriving.insert(id, Arriving::Load);
            self.load_session(key.clone(), Parked::Socket(id), actions);
            return Ok(true);
        }
        match self.batch_of(key) {
            Some(batch) => {
                self.journal.arriving.insert(id, Arriving::Batch(batch));
                Ok(true)
            }
            None => Ok(false),
        }
    }

    fn load_session(&mut self, key: Key, parked: Parked, actions: &mut Vec<Action>) {
        self.journal.parked += 1;
        self.begin_load(&key, actions);
        self.journal.loading.entry(key).or_default().push(parked);
    }

    /// Has a session loaded, unless that is under way. Returns whether it was not.
    pub(super) fn begin_load(&mut self, key: &Key, actions: &mut Vec<Action>) -> bool {
        let is_new = !self.journal.loading.contains_key(key);
        if is_new {
            self.journal.loading.insert(key.clone(), Vec::new());
            actions.push(Action::Load { key: key.clone() });
        }
        is_new
    }

    /// A load has ended: what waited for it goes on.
    pub(super) fn loaded(&mut self, key: &Key, outcome: Result<Found, Refusal>, actions: &mut Vec<Action>) {
        if self.journal.outdated.remove(key) {
            return actions.push(Action::Load { key: key.clone() });
        }
        let parked = self.journal.loading.remove(key).unwrap_or_default();
        self.journal.parked -= parked.len();
        let failed = match outcome {
            Ok(Found::Nothing { generation }) => {
                self.journal.nobody.insert(key.clone(), generation);
                None
            }
            // What it was cut off from goes on in the next server.
            Ok(Found::Session(_)) if self.is_draining() => Some(Refusal::new(Code::Draining, DRAINING)),
            Ok(Found::Session(restored)) => self.take_up(key, *restored, actions).err(),
            Err(refusal) => Some(refusal),
        };
        self.woke(key, actions);
        for parked in parked {
            match (parked, &failed) {
                (Parked::Operation(ticket, operation), None) => {
                    // Whoever asked may have been told that it takes too long.
                    let Some(waiting) = self.take_waiting(ticket) else { continue };
                    match self.operate(*operation, actions) {
                        Answer::Reply(reply) => self.reply(waiting.to, reply, actions),
                        Answer::Job(job) => drop(self.start_job(waiting.to, job, actions)),
                        Answer::Later(later) => drop(self.answer_later(waiting.to, later, actions)),
                    }
                }
                (Parked::Operation(ticket, _), Some(refusal)) => {
                    if let Some(waiting) = self.take_waiting(ticket) {
                        self.reply(waiting.to, refusal.clone().into(), actions);
                    }
                }
                (Parked::Socket(socket), None) => self.arrived([socket], Arriving::Nothing),
                (Parked::Socket(socket), Some(refusal)) => {
                    let goodbye = match refusal.code {
                        Code::JournalUnavailable => NOT_LOADED,
                        Code::Draining => SHUTTING_DOWN,
                        _ => NO_ROOM,
                    };
                    self.arrived([socket], Arriving::Failed(goodbye));
                }
            }
        }
    }

    /// Goes on with a session that was loaded.
    fn take_up(&mut self, key: &Key, restored: super::restore::Restored, actions: &mut Vec<Action>) -> Result<(), Refusal> {
        let (now, settings) = (self.clock.moment(), self.settings.clone());
        let left = self.sessions.make_room(&settings)?;
        actions.extend(left.iter().map(|live| Action::Log(super::evicted(live))));
        // What it now is counts all the same: the rest of the journal belongs to it.
        actions.extend(restored.differs.map(|record| Action::Log(Entry::Differs { session: key.hashed().into(), record })));
        let rerun = settings.keeping.is_some_and(|keeping| keeping.rerun);
        // An address that paid is not kept: nobody pays for what goes on of such a session until its next message.
        let payer = self.user(&key.sub);
        let id = self.sessions.insert(key, |id| Live::restored(id, key.clone(), &settings, restored, now));
        self.sessions.get_mut(id).into_iter().for_each(|live| live.payer.clone_from(&payer));
        let generation = self.sessions.get(id).map_or(0, Live::generation);
        let taken = self.with_live(id, actions, |live, around| {
            live.take(around, Input::Resumed { generation, rerun })?;
            live.catch_up(around)
        });
        if let Some(Err(NotTaken::Broken)) = taken {
            self.take_out(id, actions);
            return Err(Refusal::new(Code::SessionBroken, "something broke inside this server while it loaded this session"));
        }
        Ok(())
    }
}
