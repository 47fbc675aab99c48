//! The one place that reads clocks: a monotonic one for deadlines and durations, the wall clock as data.

use crate::contract::{Moment, Now, Time, micros};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The clocks of one shard. All shards of a server share `start`, so their moments compare.
pub(super) struct Clock {
    start: Instant,
    /// This tick's reading: everything in a tick happens at the same time.
    now: Cell<Option<Now>>,
    /// The minute of `utc_offset`.
    minute: Cell<u64>,
    utc_offset: Cell<i32>,
}

impl Clock {
    pub(super) fn new(start: Instant) -> Self {
        Clock { start, now: Cell::new(None), minute: Cell::new(u64::MAX), utc_offset: Cell::new(i32::MIN) }
    }

    pub(super) fn now(&self) -> Now {
        match self.now.get() {
            Some(now) => now,
            None => {
                let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let now = Now { moment: Moment(micros(self.start.elapsed())), wall: Time(micros(wall)) };
                self.now.set(Some(now));
                now
            }
        }
    }

    /// Ends the tick: the next look reads the clocks again.
    pub(super) fn expire(&self) {
        self.now.set(None);
    }

    pub(super) fn instant(&self, moment: Moment) -> Instant {
        let wait = Duration::from_micros(moment.0);
        // No timer reaches further; it fires early and is set again.
        self.start.checked_add(wait).unwrap_or_else(|| Instant::now() + Duration::from_secs(24 * 60 * 60))
    }

    /// This machine's minutes east of UTC, when they have changed; looked up once a minute.
    pub(super) fn new_utc_offset(&self) -> Option<i32> {
        let wall = self.now().wall;
        let minute = wall.0 / 60_000_000;
        if self.minute.replace(minute) == minute {
            return None;
        }
        let timestamp = i64::try_from(wall.0).ok().and_then(|time_us| Timestamp::from_microsecond(time_us).ok()).unwrap_or_default();
        let offset = TimeZone::system().to_offset(timestamp).seconds() / 60;
        (self.utc_offset.replace(offset) != offset).then_some(offset)
    }
}
