//! What a journal keeps of budgets, so that a restart gives none back.
//!
//! A shard hands over its own count of each payer, all of it since the server started, whenever that has grown
//! ([`Ledger::take_unkept`]). At the start it learns what all shards had counted by then. Payers are kept as a hash: the journal names
//! neither users nor addresses here, so deleting a user's data leaves nothing of them but that, until the day is over.

use super::ledger::Ledger;
use super::slot::Slot;
use super::{Spent, Subject, day::Day};
use crate::contract::Now;
use crate::contract::journal::{Spending, SpentOn};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

#[derive(Default)]
pub(super) struct Kept {
    /// What this shard's counts are kept under; none: there is no journal.
    counted_by: Option<String>,
    /// What was spent of the day before the start, of those who were not looked up since. Never walked.
    before: HashMap<String, Spent>,
    /// Who has spent something that was not handed over.
    unkept: Vec<usize>,
}

impl Ledger {
    /// Goes on with the day that budgets were last spent on. `counted_by` is unique to this shard and start.
    ///
    /// A row of today or an earlier day shows that a later day among the rows is over: it began when that one had ended, or else
    /// that one would have deleted it.
    pub(in crate::shard) fn resume(&mut self, now: Now, counted_by: String, spent: &[SpentOn]) {
        let today = Day::resumed(None, now).number();
        let is_past = spent.iter().any(|row| row.day <= today);
        self.day = Day::resumed(spent.iter().map(|row| row.day).filter(|_| !is_past).max(), now);
        let (mut before, is_of_day) = (HashMap::new(), |row: &&SpentOn| if is_past { row.day == today } else { row.day > today });
        for row in spent.iter().filter(is_of_day) {
            *before.entry(row.payer.clone()).or_insert_with(Spent::default) += row.spent;
        }
        self.kept = Kept { counted_by: Some(counted_by), before, unkept: Vec::new() };
    }

    /// What is to be kept since this was last called.
    pub(in crate::shard) fn take_unkept(&mut self) -> Vec<Spending> {
        let Some(counted_by) = &self.kept.counted_by else { return Vec::new() };
        let mut all = Vec::with_capacity(self.kept.unkept.len());
        for place in self.kept.unkept.drain(..) {
            let slot = &mut self.slots[place];
            slot.is_unkept = false;
            all.push(Spending { day: self.day.number(), payer: name(&slot.subject), counted_by: counted_by.clone(), spent: slot.own });
        }
        all
    }
}

impl Kept {
    /// Someone has spent something.
    pub(super) fn note(&mut self, place: usize, slot: &mut Slot) {
        if self.counted_by.is_some() && !std::mem::replace(&mut slot.is_unkept, true) {
            self.unkept.push(place);
        }
    }

    /// A new day has begun.
    pub(super) fn forget_before(&mut self) {
        self.before.clear();
    }

    /// What a payer had spent before the start, and those with whom they are counted; only once.
    pub(super) fn take_before(&mut self, payer: &Subject, counted_as: &Subject) -> Spent {
        let mut spent = Spent::default();
        if !self.before.is_empty() {
            spent += self.before.remove(&name(payer)).unwrap_or_default();
            spent += self.before.remove(&name(counted_as)).unwrap_or_default();
        }
        spent
    }
}

/// A payer as the journal has it.
pub(super) fn name(subject: &Subject) -> String {
    let plain = match subject {
        Subject::Address(address) => format!("address {address}"),
        Subject::User(sub) => format!("user {sub}"),
        Subject::OtherAddresses => "other addresses".to_owned(),
        Subject::OtherUsers => "other users".to_owned(),
    };
    super::super::hex(&Sha256::digest(plain.as_bytes())[..16])
}
