//! What one user or address has used, as a shard knows it.

use super::bound::Rate;
use super::bucket::Bucket;
use super::{Counts, Spent, Subject};
use crate::contract::{Moment, Quota};

pub(super) struct Slot {
    pub(super) subject: Subject,
    pub(super) requests: Bucket,
    pub(super) messages: Bucket,
    pub(super) streams: Open,
    pub(super) turns: Open,
    pub(super) spent: Spent,
    /// What of it this shard has counted since the server started, and whether the journal has yet to hear of that.
    pub(super) own: Spent,
    pub(super) is_unkept: bool,
    /// The day that it was spent on.
    pub(super) day: u64,
    pub(super) unsent: Counts,
    pub(super) is_ready: bool,
    /// When it was last looked up, and when the log last said something of it.
    pub(super) seen: Moment,
    pub(super) logged: Option<Moment>,
}

/// How many are open: counted here, and told by the other shards.
#[derive(Clone, Copy, Default)]
pub(super) struct Open {
    pub(super) own: i64,
    pub(super) told: i64,
}

impl Open {
    pub(super) fn count(self) -> u64 {
        u64::try_from(self.own + self.told).unwrap_or(0)
    }
}

impl Slot {
    pub(super) fn new(subject: Subject) -> Slot {
        Slot {
            subject,
            requests: Bucket::default(),
            messages: Bucket::default(),
            streams: Open::default(),
            turns: Open::default(),
            spent: Spent::default(),
            own: Spent::default(),
            is_unkept: false,
            day: 0,
            unsent: Counts::default(),
            is_ready: false,
            seen: Moment::default(),
            logged: None,
        }
    }

    pub(super) fn bucket(&mut self, rate: Rate) -> &mut Bucket {
        match rate {
            Rate::Requests => &mut self.requests,
            Rate::Messages => &mut self.messages,
        }
    }

    /// Whether forgetting it would give nobody anything back. Who was looked up in this very moment may be in use.
    pub(super) fn is_idle(&self, now: Moment, quota: &Quota, day: Option<u64>) -> bool {
        let is_open = [self.streams.own, self.streams.told, self.turns.own, self.turns.told] != [0; 4];
        let has_spent = day == Some(self.day) && self.spent != Spent::default();
        let is_full = self.requests.is_full(now, quota.requests) && self.messages.is_full(now, quota.messages);
        self.seen < now && !is_open && !has_spent && !self.is_ready && is_full
    }
}
