//! The one place that reads clocks: a monotonic one for deadlines and durations, the wall clock as data.

use crate::contract::{Moment, Now, Time, micros};
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clocks of one shard. All shards of a server share `start`, so their moments compare.
pub(super) struct Clock {
    start: Instant,
    /// This tick's reading: everything in a tick happens at the same time.
    now: Cell<Option<Now>>,
}

impl Clock {
    pub(super) fn new(start: Instant) -> Self {
        Clock { start, now: Cell::new(None) }
    }

    pub(super) fn now(&self) -> Now {
        if let Some(now) = self.now.get() {
            return now;
        }
        // A clock that stands before 1970 is as wrong as one that stands there.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = Now { moment: self.moment(), wall: Time(micros(wall)) };
        self.now.set(Some(now));
        now
    }

    /// The moment right now, whatever this tick's reading is.
    pub(super) fn moment(&self) -> Moment {
        Moment(micros(self.start.elapsed()))
    }

    /// Ends the tick: the next look reads the clocks again.
    pub(super) fn expire(&self) {
        self.now.set(None);
    }

    /// `moment` as the loop's timers know it.
    pub(super) fn instant(&self, moment: Moment) -> Instant {
        // A timer that can't reach so far rings early, and is set again.
        const REACH: Duration = Duration::from_secs(24 * 60 * 60);
        self.start + Duration::from_micros(moment.0).min(self.start.elapsed() + REACH)
    }
}
