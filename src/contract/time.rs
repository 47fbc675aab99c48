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

/// Microseconds that are milliseconds on the wire.
pub(super) mod ms {
    use super::milliseconds;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time_us: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(milliseconds(*time_us))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let ms = f64::deserialize(from)?;
        let near = (ms * 1000.0).round() as u64;
        // Far from the epoch the product may be off by one.
        let exact = [near, near.saturating_sub(1), near.saturating_add(1)].into_iter().find(|time_us| milliseconds(*time_us) == ms);
        Ok(exact.unwrap_or(near))
    }
}

/// Wall time that is milliseconds on the wire.
pub(super) mod time_ms {
    use super::{Time, ms};
    use serde::{Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Time, to: S) -> Result<S::Ok, S::Error> {
        ms::serialize(&time.0, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Time, D::Error> {
        ms::deserialize(from).map(Time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_read_back_to_the_microsecond() {
        let wrap = |time_us: u64| serde_json::from_str::<Wrapped>(&serde_json::to_string(&Wrapped { time_us }).unwrap()).unwrap().time_us;
        for time_us in (0..2_000).chain((0..2_000).flat_map(|step| [1_763_668_166_000_000 + step * 7, 4_102_444_800_000_000 + step])) {
            assert_eq!(wrap(time_us), time_us);
        }
    }

    #[derive(Serialize, Deserialize)]
    struct Wrapped {
        #[serde(with = "ms")]
        time_us: u64,
    }
}
