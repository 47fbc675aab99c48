//! The time as the driver passed it in, and what is derived from it.
//!
//! Deadlines use the moment; the wall clock is data: the `Date` header, timestamps, the user's local time.

use crate::contract::{Moment, Now};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;
use std::sync::Arc;

pub(super) struct Clock {
    now: Now,
    zone: TimeZone,
    /// The second that `date` shows.
    second: u64,
    date: Arc<str>,
}

impl Clock {
    pub(super) fn new(zone: TimeZone) -> Self {
        Clock { now: Now::default(), zone, second: u64::MAX, date: "".into() }
    }

    /// Moments never run backwards; a driver whose clock does is taken at its last word. The wall clock may jump.
    pub(super) fn set(&mut self, now: Now) {
        self.now = Now { moment: self.now.moment.max(now.moment), wall: now.wall };
    }

    pub(super) fn now(&self) -> Now {
        self.now
    }

    pub(super) fn moment(&self) -> Moment {
        self.now.moment
    }

    /// As the `Date` header shows it.
    pub(super) fn date(&mut self) -> Arc<str> {
        let second = self.now.wall.0 / 1_000_000;
        if self.second != second {
            self.second = second;
            let timestamp = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(Timestamp::MAX);
            let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp);
            self.date = date.expect("every timestamp has an RFC 9110 form").into();
        }
        self.date.clone()
    }

    /// Minutes east of UTC where this server stands.
    pub(super) fn utc_offset_minutes(&self) -> i32 {
        let time_us = i64::try_from(self.now.wall.0).ok();
        let timestamp = time_us.and_then(|time_us| Timestamp::from_microsecond(time_us).ok()).unwrap_or(Timestamp::MAX);
        self.zone.to_offset(timestamp).seconds() / 60
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Time;

    #[test]
    fn moments_never_run_backwards_and_the_date_follows_the_wall_clock_either_way() {
        let mut clock = Clock::new(TimeZone::UTC);
        clock.set(Now { moment: Moment(5), wall: Time(784_111_777_000_000) });
        assert_eq!(&*clock.date(), "Sun, 06 Nov 1994 08:49:37 GMT");
        clock.set(Now { moment: Moment(4), wall: Time(784_111_776_999_999) });
        assert_eq!((clock.moment(), &*clock.date()), (Moment(5), "Sun, 06 Nov 1994 08:49:36 GMT"));
    }
}
