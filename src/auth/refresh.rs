//! When to fetch an issuer's keys: at the start, every quarter of an hour, soon after a failure, and when a token names a key
//! that is not known, at most once a minute and not right after another fetch.
//!
//! Decides only when the next fetch may begin; the worker fetches one at a time.

use crate::contract::Moment;
use std::time::Duration;

/// Between two fetches while all is well. A key that an issuer withdraws counts no longer than this.
const EVERY: Duration = Duration::from_secs(15 * 60);
/// Between two fetches that tokens ask for.
const ASKED_EVERY: Duration = Duration::from_secs(60);
/// From the end of any fetch to one that a token asks for.
const COOL_DOWN: Duration = Duration::from_secs(2);
/// After a first failure; twice as long after each further one, up to `ASKED_EVERY`.
const RETRY: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default)]
pub struct Refresh {
    /// When the last fetch ended.
    last: Option<Moment>,
    /// When a token last brought one about.
    asked: Option<Moment>,
    failures: u32,
}

impl Refresh {
    /// When to fetch next, whatever tokens say.
    pub fn due(&self) -> Moment {
        let Some(last) = self.last else { return Moment::default() };
        match self.failures {
            0 => last.after(EVERY),
            failures => last.after(RETRY.saturating_mul(1 << (failures - 1).min(10)).min(ASKED_EVERY)),
        }
    }

    /// Whether a token that names an unknown key brings about a fetch now.
    pub fn ask(&mut self, now: Moment) -> bool {
        let has_rested = self.last.is_none_or(|last| now >= last.after(COOL_DOWN));
        let may = has_rested && self.asked.is_none_or(|asked| now >= asked.after(ASKED_EVERY));
        if may {
            self.asked = Some(now);
        }
        may
    }

    /// A fetch has ended.
    pub fn ended(&mut self, now: Moment, is_good: bool) {
        self.last = Some(now);
        self.failures = if is_good { 0 } else { self.failures.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000)
    }

    #[test]
    fn fetches_at_once_then_rarely_and_at_most_once_a_minute_when_asked() {
        let mut refresh = Refresh::default();
        assert_eq!(refresh.due(), at(0), "nothing was fetched yet");
        refresh.ended(at(10), true);
        assert_eq!(refresh.due(), at(910));
        // A flood of tokens with unknown keys for an hour.
        let mut fetched = Vec::new();
        for second in 10..3610 {
            if refresh.ask(at(second)) {
                fetched.push(second);
                refresh.ended(at(second), true);
            }
        }
        assert_eq!((&fetched[..3], fetched.len()), (&[12, 72, 132][..], 60), "after a rest, then once a minute");
        refresh.ended(at(3_700), true);
        assert!(!refresh.ask(at(3_701)), "not right after one that was due");
    }

    #[test]
    fn an_issuer_that_is_down_is_asked_less_and_less_and_then_once_a_minute() {
        let mut refresh = Refresh::default();
        let mut waits = Vec::new();
        let mut now = at(0);
        for _ in 0..8 {
            refresh.ended(now, false);
            waits.push(refresh.due().since(now) / 1_000_000);
            now = refresh.due();
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        refresh.ended(now, true);
        assert_eq!(refresh.due().since(now) / 1_000_000, 900);
    }
}
