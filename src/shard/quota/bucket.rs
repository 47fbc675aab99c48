//! A token bucket in whole numbers: `rate` tokens at once, and as many in each minute that follows.
//!
//! One token is as many units as a minute has microseconds, so that a bucket gains `rate` units in each microsecond and
//! nothing is ever rounded. Time is the moment, which never runs backwards.

use crate::contract::Moment;

/// Units of one token.
const TOKEN: u64 = 60_000_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Units that are missing, and when that was so.
    missing: u64,
    at: Moment,
}

impl Bucket {
    /// Whether there is a token, or after how many microseconds there will be one.
    pub(super) fn check(&self, now: Moment, rate: u32) -> Result<(), u64> {
        let beyond = self.missing_at(now, rate).saturating_add(TOKEN).saturating_sub(capacity(rate));
        if beyond == 0 { Ok(()) } else { Err(beyond.div_ceil(u64::from(rate))) }
    }

    /// Takes tokens, also those that are not there: what other shards have admitted can't be undone. A rate of 0 is no bound, and
    /// nothing is taken.
    pub(super) fn take(&mut self, now: Moment, rate: u32, tokens: u32) {
        if rate == 0 {
            return;
        }
        self.missing = self.missing_at(now, rate).saturating_add(TOKEN.saturating_mul(u64::from(tokens)));
        self.at = self.at.max(now);
    }

    /// Has the bucket another rate from now on. What was taken stays taken, but no more than all there is: nobody waits longer than
    /// somebody who used up the new rate. A rate of 0 is no bound.
    pub(super) fn change_rate(&mut self, now: Moment, before: u32, after: u32) {
        self.missing = self.missing_at(now, before).min(capacity(after));
        self.at = self.at.max(now);
    }

    /// Whether it is as if nobody had ever taken anything.
    pub(super) fn is_full(&self, now: Moment, rate: u32) -> bool {
        self.missing_at(now, rate) == 0
    }

    fn missing_at(&self, now: Moment, rate: u32) -> u64 {
        self.missing.saturating_sub(now.since(self.at).saturating_mul(u64::from(rate)))
    }
}

fn capacity(rate: u32) -> u64 {
    TOKEN * u64::from(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fastrand::Rng;

    /// Random bursts and pauses: in no stretch of time more is admitted than the rate allows, and no token is withheld.
    #[test]
    fn admits_its_rate_and_nothing_beyond_in_any_stretch_of_time() {
        for seed in 0..300 {
            let rng = &mut Rng::with_seed(seed);
            let rate = [1, 2, 7, 60, 1_000, 999_983][rng.usize(..6)];
            let (mut bucket, mut now, mut taken) = (Bucket::default(), Moment(rng.u64(..1 << 40)), Vec::new());
            for _ in 0..400 {
                match bucket.check(now, rate) {
                    Ok(()) => {
                        bucket.take(now, rate, 1);
                        taken.push(now.0);
                    }
                    Err(wait_us) => {
                        assert!(wait_us <= 60_000_000, "seed {seed}: {wait_us} us");
                        assert!(bucket.check(Moment(now.0 + wait_us - 1), rate).is_err(), "seed {seed}: not a microsecond too late");
                        assert!(bucket.check(Moment(now.0 + wait_us), rate).is_ok(), "seed {seed}: not a microsecond too early");
                    }
                }
                now.0 += [0, 0, 0, rng.u64(..1_000), rng.u64(..2_000_000), rng.u64(..200_000_000)][rng.usize(..6)];
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let (admitted, earned) = ((last - first + 1) as u128, u128::from(to - from) * u128::from(rate));
                    assert!(
                        admitted * 60_000_000 <= u128::from(rate) * 60_000_000 + earned,
                        "seed {seed}: {admitted} within {}",
                        to - from
                    );
                }
            }
        }
    }

    #[test]
    fn another_rate_counts_from_now_on_and_what_was_taken_stays_taken() {
        const SECOND: u64 = 1_000_000;
        // Taken of a rate of 60 at the start, half a minute later another rate, and the seconds until there is a token.
        for (taken, rate, wait_s) in [
            (60, 60, 0),
            (60, 30, 2), // Of the 30 that are still missing 30 count, and come back evenly.
            (60, 31, 0), // One is left.
            (60, 10, 6), // No longer than after using all 10 of them.
            (60, 600, 0),
            (90, 6, 10),
            (20, 6, 0),
        ] {
            let mut bucket = Bucket::default();
            bucket.take(Moment(0), 60, taken);
            bucket.change_rate(Moment(30 * SECOND), 60, rate);
            let wait_us = bucket.check(Moment(30 * SECOND), rate).err().unwrap_or(0);
            assert_eq!(wait_us, wait_s * SECOND, "{taken} of 60, then {rate}");
        }
        let mut bucket = Bucket::default();
        bucket.take(Moment(0), 600, 600);
        bucket.change_rate(Moment(0), 600, 6_000);
        assert!((0..5_400).all(|_| bucket.check(Moment(0), 6_000).map(|()| bucket.take(Moment(0), 6_000, 1)).is_ok()));
        assert!(bucket.check(Moment(0), 6_000).is_err(), "a higher rate doesn't give back what was used");
        bucket.change_rate(Moment(0), 6_000, 0);
        bucket.take(Moment(0), 0, 1_000);
        assert!(bucket.is_full(Moment(0), 0), "without a bound nothing is counted");
        bucket.change_rate(Moment(5), 0, 1);
        assert_eq!(bucket.check(Moment(5), 1), Ok(()));
    }

    #[test]
    fn what_others_admitted_is_paid_back_and_a_moment_that_comes_late_takes_nothing_back() {
        let mut bucket = Bucket::default();
        bucket.take(Moment(1_000_000), 60, 90);
        assert_eq!(bucket.check(Moment(1_000_000), 60), Err(31_000_000));
        assert_eq!(bucket.check(Moment(0), 60), Err(31_000_000), "time does not run backwards here");
        bucket.take(Moment(0), 60, 1);
        assert_eq!(bucket.check(Moment(33_000_000), 60), Ok(()));
        assert!(!bucket.is_full(Moment(91_999_999), 60) && bucket.is_full(Moment(92_000_000), 60));
        bucket.take(Moment(u64::MAX), u32::MAX, u32::MAX);
        assert!(bucket.check(Moment(u64::MAX), u32::MAX).is_err());
    }
}
