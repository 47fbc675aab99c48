//! The day that a budget is for: a day of UTC, by the wall clock, which may jump.
//!
//! A day that the clock has not shown yet renews the budgets. A day that lies back does not: whoever sets the clock back must
//! not give a budget twice. Where the clock had been ahead by mistake, 24 hours on the clock that only runs forward end the
//! wrong day, so nobody waits longer than that.

use crate::contract::{Now, Time};

const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Day {
    /// Days since the epoch.
    number: u64,
    /// When it began, as far as is known here.
    began: Now,
    /// How many there have been; 0 before the first.
    pub(super) count: u64,
}

impl Day {
    /// The day that a server goes on with that has just started, where budgets were last spent on day `last`. Where the wall clock
    /// shows an earlier one, `last` goes on, for 24 hours from now at most.
    pub(super) fn resumed(last: Option<u64>, now: Now) -> Day {
        let today = now.wall.0 / DAY_US;
        Day { number: last.map_or(today, |last| last.max(today)), began: now, count: 1 }
    }

    /// Days since the epoch.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Goes on to the next day, if it is time. Returns whether one has begun.
    pub(super) fn update(&mut self, now: Now) -> bool {
        let today = now.wall.0 / DAY_US;
        let is_over = now.moment.since(self.began.moment) >= DAY_US;
        if self.count == 0 || today > self.number || (today < self.number && is_over) {
            *self = Day { number: today, began: now, count: self.count + 1 };
            return true;
        }
        false
    }

    /// Microseconds until the budgets are renewed.
    pub(super) fn ends_in(&self, now: Now) -> u64 {
        if now.wall.0 / DAY_US < self.number {
            return DAY_US.saturating_sub(now.moment.since(self.began.moment));
        }
        Time((self.number + 1).saturating_mul(DAY_US)).since(now.wall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Moment;

    #[test]
    fn a_day_begins_once_whatever_the_wall_clock_does() {
        const HOUR: u64 = 3_600_000_000;
        let mut day = Day::default();
        // Hours on either clock, how many days there have been, and in how many hours the next one comes.
        for (moment, wall, count, ends_in) in [
            (0, 24 * 100 + 6, 1, 18),
            (17, 24 * 100 + 23, 1, 1),
            (18, 24 * 101, 2, 24),
            (19, 24 * 100 + 23, 2, 23), // An hour back over midnight: the day that was had is not had again.
            (20, 24 * 101 + 1, 2, 23),
            (21, 24 * 400, 3, 24),     // A year ahead by mistake …
            (22, 24 * 101 + 4, 3, 23), // … and set right: the day goes on,
            (23, 24 * 400 + 2, 3, 22), // also where it goes to and fro,
            (44, 24 * 102 + 2, 3, 1),
            (45, 24 * 102 + 3, 4, 21), // but not for a year.
            (66, 24 * 103, 5, 24),
        ] {
            let now = Now { moment: Moment(5 + moment * HOUR), wall: Time(wall * HOUR) };
            day.update(now);
            assert_eq!((day.count, day.ends_in(now) / HOUR), (count, ends_in), "after {moment} h, at {wall} h");
        }
    }
}
