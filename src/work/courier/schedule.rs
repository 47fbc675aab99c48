//! When an attempt is followed by another one.

use super::post::Answered;
use crate::contract::Time;
use std::time::Duration;

/// Before the second attempt; each further pause is four times as long, with a fifth more or less: ten attempts take about a day.
const PAUSE: Duration = Duration::from_secs(1);
const ATTEMPTS_MAX: u32 = 10;
/// The longest pause, also where the receiver asks for a longer one.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(24 * 3_600);
/// From the end of the turn to the last attempt.
const TIME_MAX: Duration = Duration::from_secs(3 * 24 * 3_600);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Delivered,
    Again(Duration),
    GiveUp,
}

/// What follows from an attempt, the `attempts`-th of a delivery that is due since `since`.
pub(super) fn next(answered: &Answered, attempts: u32, since: Time, now: Time) -> Next {
    match answered.status {
        Some(200..=299) => return Next::Delivered,
        // The receiver wants no more of it.
        Some(410) => return Next::GiveUp,
        Some(_) | None => {}
    }
    let pause = PAUSE.saturating_mul(4u32.saturating_pow(attempts.saturating_sub(1))).mul_f64(0.8 + 0.4 * fastrand::f64());
    let wait = pause.max(answered.wait.unwrap_or_default()).min(WAIT_MAX);
    let has_taken = Duration::from_micros(now.since(since));
    if attempts >= ATTEMPTS_MAX || has_taken + wait > TIME_MAX { Next::GiveUp } else { Next::Again(wait) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_about_a_day_and_then_it_is_given_up() {
        let mut all = Duration::ZERO;
        for attempts in 1..ATTEMPTS_MAX {
            let Next::Again(wait) = next(&Answered::of(Some(500), None), attempts, Time(0), Time(0)) else { panic!("after {attempts}") };
            let fifth = PAUSE * 4u32.pow(attempts - 1) / 5;
            assert!(wait >= fifth * 4 && wait <= fifth * 6, "after {attempts}: {wait:?}");
            all += wait;
        }
        assert!(all > Duration::from_secs(18 * 3_600) && all < Duration::from_secs(30 * 3_600), "{all:?}");
        assert_eq!(next(&Answered::of(None, None), ATTEMPTS_MAX, Time(0), Time(0)), Next::GiveUp);
    }

    #[test]
    fn what_the_receiver_says_counts_within_bounds() {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        for status in [200, 202, 204, 299] {
            assert_eq!(next(&Answered::of(Some(status), Some(hours(1))), 10, Time(0), Time(u64::MAX)), Next::Delivered);
        }
        assert_eq!(next(&Answered::of(Some(410), Some(hours(1))), 1, Time(0), Time(0)), Next::GiveUp);
        for status in [None, Some(100), Some(301), Some(302), Some(400), Some(404), Some(429), Some(500), Some(503)] {
            assert!(matches!(next(&Answered::of(status, None), 1, Time(0), Time(0)), Next::Again(_)), "{status:?}");
            assert_eq!(next(&Answered::of(status, Some(hours(2))), 1, Time(0), Time(0)), Next::Again(hours(2)), "{status:?}");
            assert_eq!(next(&Answered::of(status, Some(hours(900))), 1, Time(0), Time(0)), Next::Again(hours(24)), "{status:?}");
        }
        // What would end beyond three days does not begin; a clock that was set back ends nothing.
        let after = |hours: u64| Time(hours * 3_600_000_000);
        assert_eq!(next(&Answered::of(Some(503), Some(hours(24))), 2, Time(0), after(49)), Next::GiveUp);
        assert_eq!(next(&Answered::of(Some(503), Some(hours(24))), 2, after(9), after(0)), Next::Again(hours(24)));
    }
}
