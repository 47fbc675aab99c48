//! Durations, counted by how long they are. An observation is a few comparisons and two additions.

use crate::wire::exposition::{Family, Labels};

/// Most bounds that a histogram may have.
const BOUNDS_MAX: usize = 14;

/// The upper bounds of its buckets in µs, ascending.
pub(super) type Bounds = &'static [u64];

/// Of calls, frames and turns: those that OpenTelemetry advises for models, 10 ms and thirteen doublings.
pub(super) const LONG: Bounds = &{
    let mut bounds = [10_000; BOUNDS_MAX];
    let mut at = 1;
    while at < BOUNDS_MAX {
        bounds[at] = 2 * bounds[at - 1];
        at += 1;
    }
    bounds
};
/// Of requests.
pub(super) const SHORT: Bounds =
    &[1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000];
/// Of waiting in line.
pub(super) const WAITS: Bounds = &[1_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000, 10_000_000, 60_000_000];
/// Of an event loop that comes late.
pub(super) const LAGS: Bounds = &[100, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000];

#[derive(Clone, Debug)]
pub(super) struct Histogram {
    bounds: Bounds,
    /// How many observations are within each bound and above the one before; then those beyond all.
    counts: [u64; BOUNDS_MAX + 1],
    sum_us: u64,
}

impl Histogram {
    pub(super) const fn new(bounds: Bounds) -> Self {
        assert!(bounds.len() <= BOUNDS_MAX);
        Histogram { bounds, counts: [0; BOUNDS_MAX + 1], sum_us: 0 }
    }

    pub(super) fn observe(&mut self, us: u64) {
        let place = self.bounds.iter().position(|bound| us <= *bound).unwrap_or(self.bounds.len());
        self.counts[place] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    pub(super) fn add(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn write(&self, family: &mut Family<'_>, labels: Labels<'_>) {
        family.histogram(labels, self.bounds, &self.counts[..=self.bounds.len()], self.sum_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_falls_into_the_first_bucket_that_holds_it() {
        let mut histogram = Histogram::new(WAITS);
        for (us, place) in [(0, 0), (1_000, 0), (1_001, 1), (10_000, 1), (60_000_000, 8), (60_000_001, 9), (u64::MAX, 9)] {
            let before = histogram.counts;
            histogram.observe(us);
            let changed: Vec<usize> = (0..before.len()).filter(|at| histogram.counts[*at] != before[*at]).collect();
            assert_eq!(changed, [place], "{us}");
        }
        assert_eq!((histogram.count(), histogram.sum_us), (7, u64::MAX));
        let mut twice = histogram.clone();
        twice.add(&histogram);
        assert_eq!(twice.count(), 14);
    }

    #[test]
    fn bounds_ascend() {
        for bounds in [LONG, SHORT, WAITS, LAGS] {
            assert!(bounds.is_sorted_by(|one, next| one < next) && bounds.len() <= BOUNDS_MAX);
        }
        assert_eq!((LONG[0], LONG[13]), (10_000, 81_920_000));
    }
}
