//! The sessions of a shard, by key and by number, and which of them leaves when there are too many.
//!
//! Reading or watching opens no session, only a place for one, which goes when nobody watches it any more. A session that
//! nobody waits for (no running turn, no call, no watcher) may leave at any time; `idle` holds just those, the one unused
//! longest first. One whose turn waits for a person may leave as well; `due` holds when the approvals of those here expire.

use super::Settings;
use super::event::SessionId;
use super::identity::Key;
use super::live::Live;
use crate::contract::{Caller, Code, Moment, Refusal, Time, micros};
use std::collections::{BTreeMap, BTreeSet, HashMap};

#[derive(Default)]
pub(super) struct Sessions {
    /// Never walked.
    numbers: HashMap<Key, SessionId>,
    live: BTreeMap<SessionId, Live>,
    idle: BTreeSet<(Moment, SessionId)>,
    due: BTreeSet<(Time, SessionId)>,
    last: SessionId,
    open: usize,
    bytes: usize,
}

const FULL: Refusal =
    Refusal::new(Code::SessionsFull, "session limit reached and all sessions are in use; try again later (operators: raise `--sessions`)");
const MEMORY_FULL: Refusal = Refusal::new(
    Code::MemoryFull,
    "session memory is full and all sessions are in use; try again later (operators: raise `--session-bytes`)",
);

impl Sessions {
    pub(super) fn get(&self, id: SessionId) -> Option<&Live> {
        self.live.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: SessionId) -> Option<&mut Live> {
        self.live.get_mut(&id)
    }

    /// The session of this key, if there is one.
    pub(super) fn find(&self, key: &Key) -> Option<&Live> {
        self.get(*self.numbers.get(key)?)
    }

    /// The session of this key, or a place for it.
    pub(super) fn find_or_place(
        &mut self,
        settings: &Settings,
        key: &Key,
        from: &Caller,
        now: Moment,
        generation: Option<u32>,
    ) -> SessionId {
        if let Some(id) = self.numbers.get(key) {
            return *id;
        }
        self.insert(key, |id| Live::new(id, key.clone(), settings, from, now, generation))
    }

    /// Takes in a session that `make` makes of its number.
    pub(super) fn insert(&mut self, key: &Key, make: impl FnOnce(SessionId) -> Live) -> SessionId {
        self.last.0 += 1;
        let id = self.last;
        self.numbers.insert(key.clone(), id);
        let live = make(id);
        self.open += usize::from(live.is_open);
        self.live.insert(id, live);
        id
    }

    /// Makes room for one more open session. Returns those that had to leave.
    pub(super) fn make_room(&mut self, settings: &Settings) -> Result<Vec<Live>, Refusal> {
        let mut left = Vec::new();
        loop {
            let refusal = match (self.open < settings.sessions_max_of_shard(), self.bytes < settings.session_bytes_max) {
                (true, true) => return Ok(left),
                (false, _) => FULL,
                (true, false) => MEMORY_FULL,
            };
            match self.evict() {
                Some(session) => left.push(session),
                None => return Err(refusal),
            }
        }
    }

    /// Whether an open session may take more.
    pub(super) fn may_grow(&self, settings: &Settings) -> Result<(), Refusal> {
        // Those that nobody uses have made room already.
        if self.bytes <= settings.session_bytes_max { Ok(()) } else { Err(MEMORY_FULL) }
    }

    /// Has the idle session leave that was unused longest.
    fn evict(&mut self) -> Option<Live> {
        let (_, id) = *self.idle.first()?;
        self.remove(id)
    }

    /// Sessions that have grown beyond the budget make those leave that nobody uses.
    pub(super) fn evict_excess(&mut self, settings: &Settings) -> Vec<Live> {
        let mut left = Vec::new();
        while self.bytes > settings.session_bytes_max {
            match self.evict() {
                Some(session) => left.push(session),
                None => break,
            }
        }
        left
    }

    /// Takes note of what was done with a session. A place that nobody needs goes.
    pub(super) fn settle(&mut self, id: SessionId, was_idle_since: Option<Moment>, was_open: bool) {
        let Some(live) = self.live.get_mut(&id) else { return };
        if let Some(since) = was_idle_since {
            self.idle.remove(&(since, id));
        }
        if !live.is_open && live.watchers.is_empty() {
            self.remove(id);
            return;
        }
        if live.is_open && !was_open {
            self.open += 1;
        }
        let bytes = live.bytes();
        self.bytes = self.bytes - live.counted_bytes + bytes;
        live.counted_bytes = bytes;
        let due = live.session.due();
        if let Some(before) = std::mem::replace(&mut live.counted_due, due) {
            self.due.remove(&(before, id));
        }
        self.due.extend(due.map(|due| (due, id)));
        if live.is_open && live.is_idle() {
            self.idle.insert((live.last_used, id));
        }
    }

    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.live.keys().copied().collect()
    }

    /// Those at work; a turn that waits for a person may do so for days.
    pub(super) fn busy(&self) -> usize {
        self.live.values().filter(|live| live.is_at_work()).count()
    }

    pub(super) fn any_busy(&self) -> bool {
        self.live.values().any(Live::is_at_work)
    }

    /// When the next approval expires.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The sessions with an approval that has expired by now.
    pub(super) fn due_by(&self, now: Time) -> Vec<SessionId> {
        self.due.iter().take_while(|(due, _)| *due <= now).map(|(_, id)| *id).collect()
    }

    pub(super) fn remove(&mut self, id: SessionId) -> Option<Live> {
        let live = self.live.remove(&id)?;
        self.numbers.remove(&live.key);
        self.idle.remove(&(live.last_used, id));
        if let Some(due) = live.counted_due {
            self.due.remove(&(due, id));
        }
        self.open -= usize::from(live.is_open);
        self.bytes -= live.counted_bytes;
        Some(live)
    }

    /// Lets those go that nobody has used for long.
    pub(super) fn sweep(&mut self, settings: &Settings, now: Moment) {
        while let Some((since, _)) = self.idle.first()
            && now.since(*since) > micros(settings.session_idle)
        {
            self.evict();
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.live.values()
    }
}
