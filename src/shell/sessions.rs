//! The sessions of a shard, by key and by number.
//!
//! Reading or watching creates no session, only a place for one, which goes when nobody watches it any more. Invariant:
//! every session has one key and one number, and leads a shared count of those that are open.

use super::clock::micros;
use super::home::Key;
use super::resident::Resident;
use super::shard::{Common, Shard};
use crate::contract::{Caller, Time};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;

#[derive(Default)]
pub(super) struct Sessions {
    numbers: HashMap<Key, u64>,
    residents: HashMap<u64, Home>,
    next: u64,
    /// Those whose watchers have something to be shown.
    dirty: Vec<Rc<RefCell<Resident>>>,
}

struct Home {
    key: Key,
    resident: Rc<RefCell<Resident>>,
    /// Whether it is counted among the open ones.
    is_counted: bool,
}

impl Sessions {
    pub(super) fn numbered(&self, number: u64) -> Option<Rc<RefCell<Resident>>> {
        self.residents.get(&number).map(|home| home.resident.clone())
    }

    /// The session of this key, or a place for it.
    pub(super) fn find_or_place(&mut self, shard: &Shard, key: &Key, from: &Caller) -> Rc<RefCell<Resident>> {
        if let Some(resident) = self.numbers.get(key).and_then(|&number| self.numbered(number)) {
            return resident;
        }
        self.next += 1;
        let number = self.next;
        let resident = Rc::new(RefCell::new(Resident::new(number, key.id.clone(), &shard.common, from, shard.clock.now())));
        self.numbers.insert(key.clone(), number);
        self.residents.insert(number, Home { key: key.clone(), resident: resident.clone(), is_counted: false });
        resident
    }

    /// Whether one more session may open.
    pub(super) fn has_room(&self, common: &Common) -> bool {
        common.sessions.load(Ordering::Relaxed) < common.sessions_max
    }

    /// After something was done with it: a place that nobody needs goes, and what is new waits to be shown.
    pub(super) fn settle(&mut self, shard: &Shard, resident: &Rc<RefCell<Resident>>) {
        let (number, is_open, is_watched, is_dirty) = {
            let resident = resident.borrow();
            (resident.number, resident.is_open, !resident.watchers.is_empty(), resident.is_dirty)
        };
        if is_dirty {
            self.dirty.push(resident.clone());
        }
        if !is_open && !is_watched {
            self.remove(shard, number);
        } else if let Some(home) = self.residents.get_mut(&number).filter(|home| is_open && !home.is_counted) {
            home.is_counted = true;
            shard.common.sessions.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn take_dirty(&mut self) -> Vec<Rc<RefCell<Resident>>> {
        std::mem::take(&mut self.dirty)
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.residents.keys().copied().collect()
    }

    pub(super) fn any_busy(&self) -> bool {
        self.residents.values().any(|home| home.resident.borrow().session.busy())
    }

    pub(super) fn remove(&mut self, shard: &Shard, number: u64) -> Option<Rc<RefCell<Resident>>> {
        let home = self.residents.remove(&number)?;
        self.numbers.remove(&home.key);
        if home.is_counted {
            shard.common.sessions.fetch_sub(1, Ordering::Relaxed);
        }
        Some(home.resident)
    }

    /// Lets those go that nobody has used for long.
    pub(super) fn sweep(&mut self, shard: &Shard, now: Time) {
        let left = |home: &Home| {
            let resident = home.resident.borrow();
            resident.is_idle() && now.since(resident.last_used) > micros(shard.common.session_idle)
        };
        let left: Vec<u64> = self.residents.iter().filter(|(_, home)| left(home)).map(|(&number, _)| number).collect();
        left.into_iter().for_each(|number| drop(self.remove(shard, number)));
    }
}
