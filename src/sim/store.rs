//! The journal's thread and its store: slow, at times failing, and cut off by crashes.
//!
//! What shards append while one commit is written goes into the next one. A commit is a transaction: after a crash it is there
//! wholly or not at all. What a shard was told to be durable is there in any case; the store refuses, as a failure of the world,
//! whatever no shard may hand to it: gaps in records, a generation that was replaced, a load of what is not kept yet.

use super::script::{Disk, SECOND};
use super::world::{Happens, Owned, World};
use super::{below, one_in};
use crate::contract::journal::{Append, Item, Loaded, Name, Record, Spending, SpentOn};
use crate::contract::{Code, Refusal, Spent};
use crate::graph::Library;
use crate::shard::event::Found;
use crate::shard::identity::Key;
use crate::shard::restore;
use fastrand::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

const BROKEN: Refusal = Refusal::new(Code::JournalUnavailable, "the journal can't be written now: try again in a moment");
const UNREAD: Refusal = Refusal::new(Code::JournalUnavailable, "the journal can't be read now: try again in a moment");
/// How long a commit waits that failed.
const RETRY_US: u64 = 50_000;
/// The slowest commit.
const DELAY_MAX: u64 = 15 * SECOND;

pub(super) struct Store {
    rng: Rng,
    libraries: Vec<Arc<Library>>,
    pub(super) kept: BTreeMap<Name, Kept>,
    /// By day, payer and who counted it, each with its place in the order in which they came.
    spent: BTreeMap<(u64, String, String), (usize, Spent)>,
    /// What waits for the next commit, and what is being written.
    waiting: Vec<Batch>,
    writing: Vec<Batch>,
    /// Which attempt to write, or to load, may still end: those before were hastened.
    attempt: u64,
    loads: BTreeMap<u64, (usize, Key)>,
    load_last: u64,
    /// What was written, and not reported to any shard: how to take it back.
    unreported: VecDeque<Written>,
    written_last: u64,
    /// The shards were told that nothing can be written.
    is_broken: bool,
    /// When the last report reaches each shard: a mailbox keeps the order.
    reaches: Vec<u64>,
}

/// What a shard wants kept as a whole.
struct Batch {
    shard: usize,
    batch: u64,
    appends: Vec<Append>,
}

/// What is kept of a session.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) generation: u32,
    /// Its last record.
    pub(super) number: u64,
    pub(super) items: Vec<Item>,
}

struct Written {
    number: u64,
    undo: Vec<(Name, Undo)>,
    /// What had been spent before.
    spent: Vec<Spending>,
}

/// What a session had before.
struct Undo {
    generation: u32,
    number: u64,
    items: usize,
}

impl Kept {
    fn undo(&self) -> Undo {
        Undo { generation: self.generation, number: self.number, items: self.items.len() }
    }

    fn take(&mut self, append: Append) -> Result<(), String> {
        let Append { name, generation, item, .. } = append;
        let own = format!("session {}", name.session);
        if generation < self.generation || (generation > self.generation && !self.items.is_empty()) {
            return Err(format!("{own} appends under generation {generation}, and has {}", self.generation));
        }
        self.generation = generation;
        match &item {
            Item::Record { number, .. } if *number != self.number + 1 => {
                return Err(format!("{own} appends record {number} behind record {}", self.number));
            }
            Item::Record { number, .. } => self.number = *number,
            Item::Snapshot { number, .. } if *number != self.number => {
                return Err(format!("{own} appends a snapshot of record {number} behind record {}", self.number));
            }
            Item::Snapshot { .. } | Item::Turn(_) | Item::Replaced { .. } | Item::Cleared | Item::Library { .. } => {}
            Item::Webhook(_) | Item::Delivery { .. } | Item::Spent(_) => return Err(format!("{own} appends what is none of its own")),
        }
        self.items.push(item);
        Ok(())
    }

    /// What a load brings: the older of the two latest snapshots, and the records behind it.
    pub(super) fn loaded(&self) -> Loaded {
        let snapshot_of = |item: &Item| match item {
            Item::Snapshot { number, bytes } => Some((*number, bytes.clone())),
            _ => None,
        };
        let snapshot = self.items.iter().rev().filter_map(snapshot_of).nth(1);
        let from = snapshot.as_ref().map_or(0, |(number, _)| *number);
        let record = |item: &Item| match item {
            Item::Record { number, bytes } if *number > from => {
                Some(Record { number: *number, generation: self.generation, at: Default::default(), bytes: bytes.clone() })
            }
            _ => None,
        };
        Loaded { generation: self.generation, snapshot, records: self.items.iter().filter_map(record).collect(), ..Loaded::default() }
    }
}

impl Store {
    pub(super) fn new(seed: u64, shards: usize, library: &Arc<Library>) -> Store {
        Store {
            rng: Rng::with_seed(seed),
            libraries: vec![library.clone(), Arc::new(library.twin())],
            kept: BTreeMap::new(),
            spent: BTreeMap::new(),
            waiting: Vec::new(),
            writing: Vec::new(),
            attempt: 0,
            loads: BTreeMap::new(),
            load_last: 0,
            unreported: VecDeque::new(),
            written_last: 0,
            is_broken: false,
            reaches: vec![0; shards],
        }
    }

    pub(super) fn library(&self, hash: &str) -> Option<Arc<Library>> {
        self.libraries.iter().find(|library| library.hash() == hash).cloned()
    }

    /// Whether all that it was given is kept, and all loads have ended.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_empty() && self.loads.is_empty() && !self.is_broken
    }

    fn has_unkept(&self, name: &Name) -> bool {
        self.waiting.iter().chain(&self.writing).flat_map(|batch| &batch.appends).any(|append| append.name == *name)
    }

    /// A shard has been told of this and all before it.
    pub(super) fn reported(&mut self, number: u64) {
        while self.unreported.front().is_some_and(|written| written.number <= number) {
            self.unreported.pop_front();
        }
    }

    fn wrote(&mut self, undo: Vec<(Name, Undo)>, spent: Vec<Spending>) -> u64 {
        self.written_last += 1;
        self.unreported.push_back(Written { number: self.written_last, undo, spent });
        self.written_last
    }

    /// Writes what was to be written, in one transaction.
    fn write(&mut self) -> Result<(u64, BTreeMap<usize, u64>), String> {
        let (mut undo, mut spent, mut batches) = (Vec::new(), Vec::new(), BTreeMap::new());
        for Batch { shard, batch, appends } in std::mem::take(&mut self.writing) {
            batches.insert(shard, batch);
            for append in appends {
                if let Item::Spent(spending) = append.item {
                    spent.push(self.spend(*spending));
                    continue;
                }
                let name = append.name.clone();
                let kept = self.kept.entry(name.clone()).or_default();
                undo.push((name, kept.undo()));
                kept.take(append)?;
            }
        }
        Ok((self.wrote(undo, spent), batches))
    }

    /// The process dies. `loses`: the disk too loses what no shard was told of.
    pub(super) fn crash(&mut self, loses: bool) -> Result<(), String> {
        if !self.writing.is_empty() && !self.is_broken && one_in(&mut self.rng, 2) {
            self.write()?;
        }
        let lost = if loses { below(&mut self.rng, self.unreported.len() as u64 + 1) } else { 0 };
        for _ in 0..lost {
            let Some(Written { undo, spent, .. }) = self.unreported.pop_back() else { continue };
            spent.into_iter().rev().for_each(|before| drop(self.spend(before)));
            for (name, before) in undo.into_iter().rev() {
                let kept = self.kept.entry(name).or_default();
                kept.items.truncate(before.items);
                (kept.generation, kept.number) = (before.generation, before.number);
            }
        }
        self.kept.retain(|_, kept| !kept.items.is_empty());
        (self.is_broken, self.attempt) = (false, self.attempt + 1);
        self.waiting.clear();
        self.writing.clear();
        self.loads.clear();
        self.unreported.clear();
        self.reaches.iter_mut().for_each(|reaches| *reaches = 0);
        Ok(())
    }

    /// Keeps what was spent, and returns what it replaces.
    fn spend(&mut self, spending: Spending) -> Spending {
        let Spending { day, payer, counted_by, spent } = spending;
        let place = self.spent.len();
        let kept = self.spent.entry((day, payer.clone(), counted_by.clone())).or_insert((place, Spent::default()));
        Spending { day, payer, counted_by, spent: std::mem::replace(&mut kept.1, spent) }
    }

    /// What a server that starts is to know: days that came before a later one are gone.
    pub(super) fn spent(&self) -> Vec<SpentOn> {
        let rows = || self.spent.iter().filter(|(_, (_, spent))| *spent != Spent::default());
        let is_gone = |day: u64, place: usize| rows().any(|((later, ..), (behind, _))| *later > day && *behind > place);
        let left = rows().filter(|((day, ..), (place, _))| !is_gone(*day, *place));
        left.map(|((day, payer, _), (_, spent))| SpentOn { day: *day, payer: payer.clone(), spent: *spent }).collect()
    }

    /// Each turn that has begun is taken from a budget, over all crashes, once.
    pub(super) fn check_spent(&self) -> Result<(), String> {
        let begins = |item: &&Item| match item {
            Item::Record { bytes, .. } => serde_json::from_slice::<restore::Record>(bytes).is_ok_and(|record| record.input.begins_turn()),
            _ => false,
        };
        let begun = self.kept.values().flat_map(|kept| &kept.items).filter(begins).count() as u64;
        let spent: u64 = self.spent.values().map(|(_, spent)| spent.turns).sum();
        if begun == spent { Ok(()) } else { Err(format!("{begun} turns have begun, and {spent} were taken from budgets")) }
    }

    fn delay(&mut self, disk: &Disk, is_quiet: bool) -> u64 {
        let rare = if one_in(&mut self.rng, 25) { 20 } else { 1 };
        1 + below(&mut self.rng, if is_quiet { 500 } else { (2 * disk.delay_us * rare).min(DELAY_MAX) })
    }
}

impl World<'_> {
    pub(super) fn append(&mut self, shard: usize, batch: u64, appends: Vec<Append>) {
        if self.script.disk.is_none() || appends.is_empty() {
            return self.fail(format!("shard {shard} appends {} items to a journal that is not there", appends.len()));
        }
        self.store.waiting.push(Batch { shard, batch, appends });
        self.commit();
    }

    /// Begins to write what waits, if nothing is being written.
    fn commit(&mut self) {
        let Some(disk) = &self.script.disk else { return };
        if self.store.writing.is_empty() && !self.store.waiting.is_empty() {
            self.store.writing = std::mem::take(&mut self.store.waiting);
            let wait_us = self.store.delay(disk, self.is_quiet);
            self.try_to_write(wait_us);
        }
    }

    fn try_to_write(&mut self, wait_us: u64) {
        self.store.attempt += 1;
        self.later(wait_us, Happens::Committed { attempt: self.store.attempt });
    }

    pub(super) fn committed(&mut self, attempt: u64) {
        if attempt != self.store.attempt {
            return;
        }
        if self.is_within(|disk| &disk.fails) {
            if !std::mem::replace(&mut self.store.is_broken, true) {
                (0..self.seats.len()).for_each(|shard| self.report(shard, Owned::JournalState { broken: Some(BROKEN) }));
            }
            // The next try takes what has come meanwhile.
            self.store.writing.append(&mut self.store.waiting);
            return self.try_to_write(RETRY_US);
        }
        match self.store.write() {
            Ok((number, batches)) => {
                for (shard, batch) in batches {
                    self.report(shard, Owned::Durable { batch, number });
                }
            }
            Err(what) => return self.fail(what),
        }
        if std::mem::take(&mut self.store.is_broken) {
            (0..self.seats.len()).for_each(|shard| self.report(shard, Owned::JournalState { broken: None }));
        }
        self.commit();
    }

    pub(super) fn load(&mut self, shard: usize, key: Key) {
        let Some(disk) = &self.script.disk else { return self.fail(format!("shard {shard} loads a session where there is no journal")) };
        let wait_us = self.store.delay(disk, self.is_quiet);
        self.store.load_last += 1;
        let load = self.store.load_last;
        self.store.loads.insert(load, (shard, key));
        self.later(wait_us, Happens::Loaded { load });
    }

    pub(super) fn loaded(&mut self, load: u64) {
        let Some((shard, key)) = self.store.loads.remove(&load) else { return };
        let name = name_of(&key);
        if self.store.has_unkept(&name) {
            return self.fail(format!("session {} is loaded before all of it is kept", key.id));
        }
        if self.is_within(|disk| &disk.loads_fail) {
            return self.report(shard, Owned::Loaded { key, outcome: Err(UNREAD), number: 0 });
        }
        let Some(kept) = self.store.kept.get_mut(&name) else {
            return self.report(shard, Owned::Loaded { key, outcome: Ok(Found::Nothing { generation: 1 }), number: 0 });
        };
        let undo = kept.undo();
        kept.generation += 1;
        let loaded = kept.loaded();
        let number = self.store.wrote(vec![(name, undo)], Vec::new());
        let store = &self.store;
        match restore::restore(&loaded, &mut |hash| store.library(hash)) {
            Ok(found) => self.report(shard, Owned::Loaded { key, outcome: Ok(found), number }),
            Err(error) => self.fail(format!("session {} can't be loaded: {error}", key.id)),
        }
    }

    /// Puts a letter of the journal's thread into a shard's mailbox.
    fn report(&mut self, shard: usize, event: Owned) {
        let most = if self.is_quiet { 50 } else { 2_000 };
        let at = (self.now + 1 + below(&mut self.store.rng, most)).max(self.store.reaches[shard]);
        self.store.reaches[shard] = at;
        self.put_event(at - self.now, shard, event);
    }

    /// When faults stop, so do those of the disk, and it is fast.
    pub(super) fn hasten_store(&mut self) {
        if !self.store.writing.is_empty() {
            self.try_to_write(1);
        }
        let loads: Vec<u64> = self.store.loads.keys().copied().collect();
        loads.into_iter().for_each(|load| self.later(1 + load % 100, Happens::Loaded { load }));
    }

    /// Whether something fails now.
    fn is_within(&self, times: impl Fn(&Disk) -> &Vec<(u64, u64)>) -> bool {
        let is_now = |(at, length): &(u64, u64)| (*at..at + length).contains(&self.now);
        !self.is_quiet && self.script.disk.as_ref().is_some_and(|disk| times(disk).iter().any(is_now))
    }
}

pub(super) fn name_of(key: &Key) -> Name {
    Name { user: (*key.sub).to_owned(), session: (*key.id).to_owned() }
}
