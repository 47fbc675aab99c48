//! What happens because time has passed: one ordered set of moments.
//!
//! A socket has at most one entry, and it may be early: a deadline that moves back costs nothing until its entry comes up,
//! which is when the socket finds out and enters the later one.

use super::event::{SessionId, SocketId, Ticket};
use crate::contract::{CallId, Moment};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A socket may have to be pinged, refused or cut.
    Socket(SocketId),
    /// A call should have ended by now.
    Call(SessionId, CallId),
    /// A request has waited long enough for another shard or a job.
    Ticket(Ticket),
    /// Sessions that nobody has used for long leave.
    Sweep,
    /// An approval expires.
    Approval,
    /// Refused attempts that were only counted are noted.
    Audit,
    /// The last words to sockets have taken long enough.
    Farewell,
}

#[derive(Default)]
pub(super) struct Timers {
    due: BTreeSet<(Moment, Timer)>,
    /// What the driver was last asked to wake us at.
    announced: Option<Moment>,
}

impl Timers {
    pub(super) fn set(&mut self, at: Moment, timer: Timer) {
        self.due.insert((at, timer));
    }

    pub(super) fn clear(&mut self, at: Moment, timer: Timer) {
        self.due.remove(&(at, timer));
    }

    /// The next timer that is due by now.
    pub(super) fn pop(&mut self, now: Moment) -> Option<Timer> {
        self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first().map(|(_, timer)| timer)
    }

    /// The driver has woken us: it has to be asked again. Returns when it was to.
    pub(super) fn woken(&mut self) -> Option<Moment> {
        self.announced.take()
    }

    /// When to be woken, if the driver doesn't know yet.
    pub(super) fn announce(&mut self) -> Option<Moment> {
        let first = self.due.first().map(|(at, _)| *at)?;
        if self.announced.is_some_and(|announced| announced <= first) {
            return None;
        }
        self.announced = Some(first);
        Some(first)
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}
