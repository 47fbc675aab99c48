//! Who has used how much, as one shard knows it: what it counted itself, and what the others told it.
//!
//! The table is bounded. When it is full, someone makes room who is as good as new: full buckets, nothing open, nothing spent
//! today. Where nobody is, newcomers are counted together, as if they were one: an attacker with many addresses can't forget
//! what one of them has used, and locks out no one who is in the table. Looking someone up allocates nothing.

use super::super::bounds::{LEDGER_MAX, LOG_EVERY};
use super::super::event::Entry;
use super::bound::{Bound, DAY_S, Rate};
use super::day::Day;
use super::kept::Kept;
use super::limited::{Limited, Over};
use super::slot::{Open, Slot};
use super::{Counts, Spent, Subject};
use crate::contract::{Budget, Moment, Now, Quotas, Refusal, micros};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::sync::Arc;

pub(in crate::shard) struct Ledger {
    quotas: Quotas,
    is_on: bool,
    shards: usize,
    /// Those who are counted; the first two are everyone for whom there is no place.
    pub(super) slots: Vec<Slot>,
    /// Never walked.
    places: HashMap<Subject, usize>,
    slots_max: usize,
    /// Where the search for someone who makes room goes on.
    hand: usize,
    /// Those of whom the other shards have something to hear.
    ready: Vec<usize>,
    /// Shards that have not confirmed the last counts. Until they have, what is counted gathers here.
    unconfirmed: usize,
    pub(super) day: Day,
    pub(super) kept: Kept,
    /// Lines for the log, and when each was last written.
    notices: Vec<Entry>,
    full_logged: Option<Moment>,
    uncounted_logged: Option<Moment>,
}

/// What a stream is counted as; to be given back with [`Ledger::close_stream`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::shard) struct Held(pub(super) [Option<Subject>; 2]);

impl Held {
    pub(in crate::shard) fn count(&self) -> usize {
        self.0.iter().flatten().count()
    }
}

/// Slots that are looked at for someone who makes room.
const PROBES: usize = 64;
/// The others hear of so many parts of a rate at once, if all shards together may not admit more than one part unheard.
const PARTS: usize = 16;

impl Ledger {
    pub(in crate::shard) fn new(quotas: Quotas, shards: usize) -> Ledger {
        let others = [Subject::OtherAddresses, Subject::OtherUsers];
        Ledger {
            quotas,
            is_on: quotas.is_on(),
            shards,
            slots: others.iter().cloned().map(Slot::new).collect(),
            places: others.into_iter().zip(0..).collect(),
            slots_max: LEDGER_MAX,
            hand: 0,
            ready: Vec::new(),
            unconfirmed: 0,
            day: Day::default(),
            kept: Kept::default(),
            notices: Vec::new(),
            full_logged: None,
            uncounted_logged: None,
        }
    }

    /// Goes by other quotas from now on. What was used stays used, and what is open stays counted. What was open or spent while it had
    /// no bound was not counted.
    pub(in crate::shard) fn reload(&mut self, quotas: Quotas, now: Moment) {
        if quotas == self.quotas {
            return;
        }
        for slot in &mut self.slots {
            let (before, after) = (slot.subject.quota(&self.quotas), slot.subject.quota(&quotas));
            slot.requests.change_rate(now, before.requests, after.requests);
            slot.messages.change_rate(now, before.messages, after.messages);
        }
        (self.is_on, self.quotas) = (quotas.is_on(), quotas);
    }

    /// Whether anything is counted at all.
    pub(in crate::shard) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Counts a request or message of each of these, if none of them has used up its rate.
    pub(in crate::shard) fn admit(&mut self, now: Now, rate: Rate, subjects: [Option<&Subject>; 2]) -> Result<(), Box<Over>> {
        let mut found = [None; 2];
        for (found, subject) in found.iter_mut().zip(subjects) {
            let Some(subject) = subject else { continue };
            let limit = rate.of(&subject.quota(&self.quotas));
            if limit == 0 {
                continue;
            }
            let place = self.place(subject, now.moment);
            if let Err(retry_us) = self.slots[place].bucket(rate).check(now.moment, limit) {
                return Err(self.over(now, place, rate.bound(limit, retry_us)));
            }
            *found = Some((place, limit));
        }
        for (place, limit) in found.into_iter().flatten() {
            let slot = &mut self.slots[place];
            slot.bucket(rate).take(now.moment, limit, 1);
            *rate.unsent(&mut slot.unsent) += 1;
            let step = u32::try_from(limit as usize / (PARTS * self.shards)).unwrap_or(u32::MAX).max(1);
            if *rate.unsent(&mut slot.unsent) >= step {
                self.tell(place);
            }
        }
        Ok(())
    }

    /// Counts a stream of each of these, if none of them has as many as it may.
    pub(in crate::shard) fn open_stream(&mut self, now: Now, subjects: [Option<&Subject>; 2]) -> Result<Held, Box<Over>> {
        for subject in subjects.into_iter().flatten() {
            let limit = subject.quota(&self.quotas).streams;
            let place = if limit > 0 { self.place(subject, now.moment) } else { continue };
            if self.slots[place].streams.count() >= u64::from(limit) {
                return Err(self.over(now, place, Bound::streams(limit)));
            }
        }
        Ok(self.hold_stream(now, subjects))
    }

    /// Counts a stream that another shard has let in.
    pub(in crate::shard) fn hold_stream(&mut self, now: Now, subjects: [Option<&Subject>; 2]) -> Held {
        Held(subjects.map(|subject| {
            let subject = subject.filter(|subject| subject.quota(&self.quotas).streams > 0)?;
            Some(self.open(subject, now.moment, |slot| (&mut slot.streams, &mut slot.unsent.streams)))
        }))
    }

    pub(in crate::shard) fn close_stream(&mut self, held: Held) {
        for subject in held.0.into_iter().flatten() {
            self.close(&subject, |slot| (&mut slot.streams, &mut slot.unsent.streams));
        }
    }

    /// Whether someone may start a turn: not too many run, where none runs in their session yet, and today's budget is not
    /// used up.
    pub(in crate::shard) fn may_begin(&mut self, now: Now, payer: &Subject, runs_already: bool) -> Result<(), Box<Over>> {
        let limit = payer.quota(&self.quotas).turns;
        if limit > 0 && !runs_already {
            let place = self.place(payer, now.moment);
            if self.slots[place].turns.count() >= u64::from(limit) {
                return Err(self.over(now, place, Bound::turns(limit)));
            }
        }
        let budget = self.quotas.budget;
        if budget == Budget::default() {
            return Ok(());
        }
        let (place, spent) = self.spent(now, payer);
        let ends_in = self.day.ends_in(now);
        match Bound::of_day(&budget, &spent, ends_in) {
            Some(bound) => Err(self.over(now, place, bound)),
            None => Ok(()),
        }
    }

    /// A session of theirs has a running turn. Returns what has to be given back when it has none.
    pub(in crate::shard) fn begin_turn(&mut self, now: Now, payer: &Subject) -> Option<Subject> {
        let is_counted = payer.quota(&self.quotas).turns > 0;
        is_counted.then(|| self.open(payer, now.moment, |slot| (&mut slot.turns, &mut slot.unsent.turns)))
    }

    pub(in crate::shard) fn end_turn(&mut self, payer: &Subject) {
        self.close(payer, |slot| (&mut slot.turns, &mut slot.unsent.turns));
    }

    /// Counts what was used of a day's budget.
    pub(in crate::shard) fn spend(&mut self, now: Now, payer: &Subject, more: Spent) {
        if self.quotas.budget == Budget::default() || more == Spent::default() {
            return;
        }
        let (place, _) = self.spent(now, payer);
        let slot = &mut self.slots[place];
        slot.spent += more;
        slot.own += more;
        slot.unsent.spent += more;
        self.kept.note(place, slot);
        self.tell(place);
    }

    /// A model answered, and its provider did not say how many tokens that took.
    pub(in crate::shard) fn note_uncounted(&mut self, now: Now) {
        let Budget { tokens, cost, .. } = self.quotas.budget;
        if (tokens > 0 || cost > 0) && is_due(&mut self.uncounted_logged, now.moment) {
            let detail = "the model's server reports no usage, so the budgets for tokens and cost don't see its calls; set `--day-turns`";
            self.notices.push(Entry::Limit { code: "usage_missing", detail: detail.to_owned() });
        }
    }

    /// What is left of today's budget, as clients see it; nothing where there is none.
    pub(in crate::shard) fn left(&mut self, now: Now, payer: &Subject) -> Option<Value> {
        let Budget { turns, tokens, cost } = self.quotas.budget;
        if self.quotas.budget == Budget::default() {
            return None;
        }
        let (_, spent) = self.spent(now, payer);
        let mut left = Map::new();
        for (name, limit, spent, unit) in
            [("turns", turns, spent.turns, None), ("tokens", tokens, spent.tokens, None), ("cost", cost, spent.cost, Some(1e6))]
        {
            let shown = |count: u64| unit.map_or_else(|| json!(count), |unit| json!(count as f64 / unit));
            if limit > 0 {
                left.insert(name.to_owned(), json!({ "limit": shown(limit), "left": shown(limit.saturating_sub(spent)) }));
            }
        }
        let resets_us = now.wall.0.saturating_add(self.day.ends_in(now));
        left.insert("resets_at".to_owned(), json!(resets_us.div_ceil(1_000)));
        Some(Value::Object(left))
    }

    /// What the other shards are to hear, unless one of them has not confirmed what it heard before.
    pub(in crate::shard) fn take_news(&mut self) -> Option<Arc<[(Subject, Counts)]>> {
        if self.unconfirmed > 0 || self.ready.is_empty() {
            return None;
        }
        let mut counts = Vec::new();
        for place in std::mem::take(&mut self.ready) {
            let slot = &mut self.slots[place];
            slot.is_ready = false;
            let unsent = std::mem::take(&mut slot.unsent);
            if unsent != Counts::default() {
                counts.push((slot.subject.clone(), unsent));
            }
        }
        if counts.is_empty() {
            return None;
        }
        self.unconfirmed = self.shards - 1;
        Some(counts.into())
    }

    pub(in crate::shard) fn confirmed(&mut self) {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
    }

    /// Takes in what another shard has counted.
    pub(in crate::shard) fn hear(&mut self, now: Now, counts: &[(Subject, Counts)]) {
        for (subject, counts) in counts {
            let place = self.place(subject, now.moment);
            // What has no place here is counted by the shard that said so.
            if self.slots[place].subject != *subject {
                continue;
            }
            if counts.spent != Spent::default() {
                self.spent(now, subject);
                self.slots[place].spent += counts.spent;
            }
            let quota = subject.quota(&self.quotas);
            let slot = &mut self.slots[place];
            slot.requests.take(now.moment, quota.requests, counts.requests);
            slot.messages.take(now.moment, quota.messages, counts.messages);
            slot.streams.told = (slot.streams.told + counts.streams).max(0);
            slot.turns.told = (slot.turns.told + counts.turns).max(0);
        }
    }

    pub(in crate::shard) fn take_notices(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.notices)
    }

    /// Streams and turns that are counted here as open, and those that the other shards count.
    pub(in crate::shard) fn sums(&self) -> Sums {
        let sum = |count: fn(&Slot) -> i64| self.slots.iter().map(count).sum();
        Sums {
            streams: sum(|slot| slot.streams.own),
            turns: sum(|slot| slot.turns.own),
            streams_told: sum(|slot| slot.streams.told),
            turns_told: sum(|slot| slot.turns.told),
        }
    }

    fn open(&mut self, subject: &Subject, now: Moment, of: impl Fn(&mut Slot) -> (&mut Open, &mut i64)) -> Subject {
        let place = self.place(subject, now);
        let (open, unsent) = of(&mut self.slots[place]);
        (open.own, *unsent) = (open.own + 1, *unsent + 1);
        self.tell(place);
        self.slots[place].subject.clone()
    }

    fn close(&mut self, subject: &Subject, of: impl Fn(&mut Slot) -> (&mut Open, &mut i64)) {
        let place = *self.places.get(subject).expect("who has something open keeps their place");
        let (open, unsent) = of(&mut self.slots[place]);
        (open.own, *unsent) = (open.own - 1, *unsent - 1);
        assert!(open.own >= 0, "nothing is given back twice");
        self.tell(place);
    }

    /// Has the other shards hear of someone at the end of the tick.
    fn tell(&mut self, place: usize) {
        if self.shards > 1 && !std::mem::replace(&mut self.slots[place].is_ready, true) {
            self.ready.push(place);
        }
    }

    /// What someone has spent today.
    fn spent(&mut self, now: Now, payer: &Subject) -> (usize, Spent) {
        if self.day.update(now) {
            self.kept.forget_before();
        }
        let place = self.place(payer, now.moment);
        let slot = &mut self.slots[place];
        if slot.day != self.day.count {
            (slot.day, slot.spent, slot.own) = (self.day.count, Spent::default(), Spent::default());
        }
        slot.spent += self.kept.take_before(payer, &slot.subject);
        (place, slot.spent)
    }

    /// Where someone is counted.
    fn place(&mut self, subject: &Subject, now: Moment) -> usize {
        if let Some(place) = self.places.get(subject) {
            self.slots[*place].seen = now;
            return *place;
        }
        let place = if self.slots.len() < self.slots_max { Some(self.slots.len()) } else { self.make_room(now) };
        let Some(place) = place else {
            if is_due(&mut self.full_logged, now) {
                let detail = format!("{} users and addresses are counted, which is the most: further ones share one count", self.slots_max);
                self.notices.push(Entry::Limit { code: "ledger_full", detail });
            }
            return self.places[&subject.others()];
        };
        let mut slot = Slot::new(subject.clone());
        slot.seen = now;
        match self.slots.get_mut(place) {
            Some(old) => *old = slot,
            None => self.slots.push(slot),
        }
        self.places.insert(subject.clone(), place);
        place
    }

    /// A slot whose owner is as good as new, and forgotten.
    fn make_room(&mut self, now: Moment) -> Option<usize> {
        const FIRST: usize = 2;
        // Without a budget no day begins, and nobody asks what was spent.
        let day = (self.quotas.budget != Budget::default()).then_some(self.day.count);
        for _ in 0..PROBES.min(self.slots.len() - FIRST) {
            self.hand = if self.hand + 1 < self.slots.len() { (self.hand + 1).max(FIRST) } else { FIRST };
            let slot = &self.slots[self.hand];
            if slot.is_idle(now, &slot.subject.quota(&self.quotas), day) {
                self.places.remove(&slot.subject);
                return Some(self.hand);
            }
        }
        None
    }

    /// Why someone has to wait.
    fn over(&mut self, now: Now, place: usize, bound: Bound) -> Box<Over> {
        let slot = &mut self.slots[place];
        let Bound { name, what, code, detail, limit, unit, window_s, retry_us } = bound;
        let policy = if window_s == Some(DAY_S) { name.to_owned() } else { format!("{}-{name}", slot.subject.kind()) };
        let is_logged = is_due(&mut slot.logged, now.moment);
        // Turns at once have one setting, whoever counts.
        let flag = if name == "turns" { "user-turns" } else { policy.as_str() };
        let line = || format!("{} has reached its {limit} {what}: refused (raise `--{flag}` to allow more)", slot.subject);
        let log = is_logged.then(|| Entry::Limit { code: code.name(), detail: line() });
        let limited = Limited { policy: policy.clone(), limit, unit, window_s, retry_us };
        Box::new(Over { refusal: Refusal::new(code, detail), log, limited })
    }
}

/// What is open, by who counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    pub streams: i64,
    pub turns: i64,
    pub streams_told: i64,
    pub turns_told: i64,
}

/// Whether a line for the log is due, of which there is at most one a minute.
fn is_due(logged: &mut Option<Moment>, now: Moment) -> bool {
    let is_due = logged.is_none_or(|logged| now.since(logged) >= micros(LOG_EVERY));
    if is_due {
        *logged = Some(now);
    }
    is_due
}

#[cfg(test)]
impl Ledger {
    /// With a table of so many places beside those of all the others.
    pub(super) fn with_places(quotas: Quotas, shards: usize, places: usize) -> Ledger {
        Ledger { slots_max: places + 2, ..Ledger::new(quotas, shards) }
    }

    pub(super) fn places(&self) -> usize {
        self.slots.len() - 2
    }
}
