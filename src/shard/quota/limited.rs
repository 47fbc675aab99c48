//! What a client learns whose quota is used up: the refusal, when to try again, and the header fields that say so.
//!
//! `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-10. Its earlier versions had
//! `RateLimit-Limit`, `-Remaining` and `-Reset`, which is what most clients read today, so both are sent. All of them agree
//! with `Retry-After`, as the draft wants it.

use super::super::event::Entry;
use crate::contract::Refusal;

/// A refusal for now, and the line for the log, if one is due.
#[derive(Debug)]
pub(in crate::shard) struct Over {
    pub(in crate::shard) refusal: Refusal,
    pub(in crate::shard) limited: Limited,
    pub(in crate::shard) log: Option<Entry>,
}

/// Which bound was reached, and when there is room again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limited {
    /// `user-messages`.
    pub(super) policy: String,
    pub(super) limit: u64,
    /// What is counted; nothing: requests.
    pub(super) unit: Option<&'static str>,
    /// The seconds that it is counted over; nothing where it is about what is open at once.
    pub(super) window_s: Option<u64>,
    pub(super) retry_us: u64,
}

impl Limited {
    /// Milliseconds until there is room again, never too few.
    pub(in crate::shard) fn retry_ms(&self) -> u64 {
        self.retry_us.div_ceil(1_000).max(1)
    }

    pub(in crate::shard) fn headers(&self) -> Vec<(&'static str, String)> {
        let Limited { policy, limit, .. } = self;
        // Whole seconds, never too few.
        let retry_s = self.retry_us.div_ceil(1_000_000).max(1);
        let unit = self.unit.map_or_else(String::new, |unit| format!(";qu=\"{unit}\""));
        let window = self.window_s.map_or_else(String::new, |window_s| format!(";w={window_s}"));
        vec![
            ("retry-after", retry_s.to_string()),
            ("ratelimit-limit", limit.to_string()),
            ("ratelimit-remaining", "0".to_owned()),
            ("ratelimit-reset", retry_s.to_string()),
            ("ratelimit-policy", format!("\"{policy}\";q={limit}{unit}{window}")),
            ("ratelimit", format!("\"{policy}\";r=0;t={retry_s}")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_fields_state_the_bound_and_whole_seconds_rounded_up() {
        let limited = |unit, window_s, retry_us| {
            let limited = Limited { policy: "user-messages".to_owned(), limit: 30, unit, window_s, retry_us };
            limited.headers().iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(
            limited(None, Some(60), 1_000_001),
            "retry-after: 2\nratelimit-limit: 30\nratelimit-remaining: 0\nratelimit-reset: 2\n\
             ratelimit-policy: \"user-messages\";q=30;w=60\nratelimit: \"user-messages\";r=0;t=2"
        );
        assert_eq!(
            limited(Some("concurrent-requests"), None, 0),
            "retry-after: 1\nratelimit-limit: 30\nratelimit-remaining: 0\nratelimit-reset: 1\n\
             ratelimit-policy: \"user-messages\";q=30;qu=\"concurrent-requests\"\nratelimit: \"user-messages\";r=0;t=1"
        );
    }
}
