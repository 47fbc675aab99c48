//! The two clocks, always passed in and never read: one for timestamps, one for durations and deadlines.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Microseconds since the Unix epoch, as the machine's wall clock shows them: data, not a clock. It may jump either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time(pub u64);

/// Microseconds on a clock that only runs forward, since some start. Deadlines and durations are measured on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Moment(pub u64);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Now {
    pub moment: Moment,
    pub wall: Time,
}

impl Time {
    /// Microseconds from `earlier` to this, 0 if it lies ahead.
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Moment {
    /// Microseconds from `earlier` to this, 0 if it lies ahead.
    pub fn since(self, earlier: Moment) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub fn after(self, wait: Duration) -> Moment {
        Moment(self.0.saturating_add(micros(wait)))
    }
}

/// A duration in microseconds, as long as can be where it is longer.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds as the wire's milliseconds, with up to three decimals.
pub fn milliseconds(time_us: u64) -> f64 {
    time_us as f64 / 1000.0
}
