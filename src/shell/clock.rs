//! The shard's clock: the one place where time is asked.
//!
//! Invariant: time never goes backwards, whatever is done to the machine's clock.

use crate::contract::Time;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) struct Clock {
    now: Cell<Time>,
    /// The second that `date` shows.
    second: Cell<u64>,
    date: RefCell<Rc<str>>,
}

impl Clock {
    pub(super) fn new() -> Self {
        let clock = Clock { now: Cell::default(), second: Cell::new(u64::MAX), date: RefCell::new("".into()) };
        clock.tick();
        clock
    }

    /// Looks at the machine's clock. What happens until the next look happens at the same time.
    pub(super) fn tick(&self) -> Time {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = self.now.get().max(Time(micros(since_epoch)));
        self.now.set(now);
        now
    }

    pub(super) fn now(&self) -> Time {
        self.now.get()
    }

    /// As the `Date` header shows it.
    pub(super) fn date(&self) -> Rc<str> {
        let second = self.now().0 / 1_000_000;
        if self.second.replace(second) != second {
            let timestamp = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok()).unwrap_or_default();
            let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&timestamp);
            *self.date.borrow_mut() = date.unwrap_or_default().into();
        }
        self.date.borrow().clone()
    }

    /// Minutes east of UTC where this server stands.
    pub(super) fn utc_offset_minutes(&self) -> i32 {
        let timestamp = i64::try_from(self.now().0).ok().and_then(|time_us| Timestamp::from_microsecond(time_us).ok()).unwrap_or_default();
        TimeZone::system().to_offset(timestamp).seconds() / 60
    }
}

/// A time so much later.
pub(super) fn after(time: Time, wait: Duration) -> Time {
    Time(time.0.saturating_add(micros(wait)))
}

pub(super) fn micros(wait: Duration) -> u64 {
    u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_backwards_and_the_date_follows_it() {
        let clock = Clock::new();
        let ahead = after(clock.now(), Duration::from_secs(60));
        clock.now.set(ahead);
        assert_eq!(clock.tick(), ahead);
        clock.now.set(Time(784_111_777_000_000));
        assert_eq!(&*clock.date(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
