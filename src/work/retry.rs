//! What to do after a try that failed: whether to try again, and when.
//!
//! A call that failed is repeated here alone. It never is once a model has made its first token, because a second
//! answer is not the first one's end; and a budget that all workers share keeps a provider that is down from being asked
//! three times as often as one that is up.

use crate::contract::CallError;
use crate::wire::provider::Complaint;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use ureq::http::HeaderMap;

/// A try that brought no answer.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: CallError,
    /// The model had made a first token.
    pub(super) has_begun: bool,
    /// How long the provider asks to be left alone.
    pub(super) wait: Option<Duration>,
    /// What it said against the request.
    pub(super) complaint: Option<Box<Complaint>>,
    /// What the network or the provider said, for the log, where it is redacted. It may repeat a message.
    pub(super) cause: String,
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Failure { error, has_begun: false, wait: None, complaint: None, cause: String::new() }
    }
}

impl Failure {
    /// Whether the same may work in a moment.
    fn is_passing(&self) -> bool {
        let passes = match &self.error {
            CallError::Failed { status } => !matches!(status, 501 | 505),
            CallError::Rejected { status } => matches!(status, 408 | 425),
            CallError::RateLimited | CallError::Busy | CallError::Unreachable | CallError::Truncated => true,
            CallError::Overloaded
            | CallError::Deadline { .. }
            | CallError::Unauthorized
            | CallError::NotFound
            | CallError::QuotaExhausted
            | CallError::Unreadable
            | CallError::TooLarge
            | CallError::Panicked
            | CallError::Database(_)
            | CallError::NotOnTape { .. }
            | CallError::Cancelled => false,
        };
        passes && !self.has_begun
    }

    /// Whether another model of the same provider may do better.
    pub(super) fn leaves_another_model(&self) -> bool {
        let may_help = match &self.error {
            CallError::RateLimited
            | CallError::Busy
            | CallError::QuotaExhausted
            | CallError::NotFound
            | CallError::Failed { .. }
            | CallError::Truncated
            | CallError::Deadline { .. }
            | CallError::Unauthorized
            | CallError::Rejected { .. }
            | CallError::Unreadable
            | CallError::TooLarge => true,
            CallError::Unreachable
            | CallError::Overloaded
            | CallError::Panicked
            | CallError::Database(_)
            | CallError::NotOnTape { .. }
            | CallError::Cancelled => false,
        };
        may_help && !self.has_begun
    }
}

/// How often and when a call is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Beyond the first try.
    pub retries_max: u32,
    /// Before the first retry; each further one doubles it.
    pub pause: Duration,
}

const PAUSE_MAX: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is waited for; a provider that asks for more has failed.
const WAIT_MAX: Duration = Duration::from_secs(20);

impl Default for Retries {
    fn default() -> Self {
        Retries { retries_max: 2, pause: Duration::from_millis(200) }
    }
}

impl Retries {
    /// How long to rest before the next try; nothing, if this failure is for good. `retry` counts from 0.
    pub(super) fn pause(&self, retry: u32, failure: &Failure, budget: &Budget, due: Instant) -> Option<Duration> {
        if retry >= self.retries_max || !failure.is_passing() {
            return None;
        }
        let pause = match failure.wait {
            Some(wait) if wait > WAIT_MAX => return None,
            Some(wait) => wait + jitter(self.pause / 2),
            None => {
                let full = self.pause.saturating_mul(1 << retry.min(16)).min(PAUSE_MAX);
                full / 2 + jitter(full / 2)
            }
        };
        (Instant::now() + pause < due && budget.spend()).then_some(pause)
    }
}

/// A time up to `most`, so that calls that failed together don't come back together.
fn jitter(most: Duration) -> Duration {
    most.mul_f64(fastrand::f64())
}

/// Retries that all calls may still make together: some at first, then one for every few calls.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

const KEPT_MAX: u32 = 20 * CALLS_PER_RETRY;
const CALLS_PER_RETRY: u32 = 5;

impl Default for Budget {
    fn default() -> Self {
        Budget(AtomicU32::new(KEPT_MAX))
    }
}

impl Budget {
    /// A call begins.
    pub(super) fn earn(&self) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| (kept < KEPT_MAX).then_some(kept + 1));
    }

    fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |kept| kept.checked_sub(CALLS_PER_RETRY)).is_ok()
    }
}

/// What `Retry-After` asks for: seconds, or a date. OpenAI says it in milliseconds too.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let seconds = |text: &str| text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    if let Some(wait) = text("retry-after-ms").and_then(seconds) {
        return Some(wait / 1000);
    }
    let said = text("retry-after")?;
    seconds(said).or_else(|| {
        let until = rfc2822::DateTimeParser::new().parse_timestamp(said).ok()?;
        Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(error: CallError, has_begun: bool, wait: Option<Duration>) -> Failure {
        Failure { has_begun, wait, ..Failure::from(error) }
    }

    #[test]
    fn only_what_may_pass_by_itself_is_tried_again_and_never_after_the_first_token() {
        let retries = Retries::default();
        let due = Instant::now() + Duration::from_secs(7200);
        let (second, hour) = (Some(Duration::from_secs(1)), Some(Duration::from_secs(3600)));
        let late = || CallError::Deadline { waited: "the first word".to_owned() };
        for (retry, error, has_begun, wait, again) in [
            (0, CallError::RateLimited, false, None, true),
            (1, CallError::RateLimited, false, second, true),
            (0, CallError::RateLimited, false, hour, false),
            (0, CallError::RateLimited, true, None, false),
            (2, CallError::RateLimited, false, None, false),
            (0, CallError::Busy, false, None, true),
            (0, CallError::QuotaExhausted, false, None, false),
            (0, CallError::QuotaExhausted, false, second, false),
            (0, CallError::NotFound, false, None, false),
            (0, CallError::Failed { status: 502 }, false, None, true),
            (0, CallError::Failed { status: 501 }, false, None, false),
            (0, CallError::Failed { status: 500 }, true, None, false),
            (0, CallError::Unreachable, false, None, true),
            (0, CallError::Truncated, false, None, true),
            (0, CallError::Truncated, true, None, false),
            (0, CallError::Rejected { status: 400 }, false, None, false),
            (0, CallError::Rejected { status: 408 }, false, None, true),
            (0, CallError::Unauthorized, false, None, false),
            (0, late(), false, None, false),
            (0, CallError::Unreadable, false, None, false),
            (0, CallError::Cancelled, false, None, false),
        ] {
            let failure = failed(error, has_begun, wait);
            let pause = retries.pause(retry, &failure, &Budget::default(), due);
            assert_eq!(pause.is_some(), again, "{failure:?}");
        }
        let soon = Instant::now() + Duration::from_millis(10);
        assert_eq!(
            retries.pause(0, &failed(CallError::Unreachable, false, second), &Budget::default(), soon),
            None,
            "it would be too late"
        );
    }

    #[test]
    fn pauses_grow_and_differ_and_keep_what_the_provider_asks_for() {
        let retries = Retries { retries_max: 100, ..Retries::default() };
        let due = Instant::now() + Duration::from_secs(600);
        let mut drawn = Vec::new();
        for retry in 0..40 {
            let full = Duration::from_millis(200).saturating_mul(1 << retry.min(16)).min(Duration::from_secs(5));
            let pause = retries.pause(retry, &CallError::Unreachable.into(), &Budget::default(), due).unwrap();
            assert!(pause >= full / 2 && pause <= full, "{retry}: {pause:?}");
            drawn.push(pause);
        }
        let after_the_longest = &drawn[10..];
        assert!(after_the_longest.iter().any(|pause| *pause != after_the_longest[0]), "{drawn:?}");
        let asked = Duration::from_secs(3);
        let pause = retries.pause(0, &failed(CallError::RateLimited, false, Some(asked)), &Budget::default(), due).unwrap();
        assert!(pause >= asked && pause <= asked + Duration::from_millis(100));
    }

    #[test]
    fn all_calls_together_may_repeat_themselves_only_so_often() {
        let budget = Budget::default();
        let may_retry = |budget: &Budget| {
            let due = Instant::now() + Duration::from_secs(60);
            Retries::default().pause(0, &CallError::Unreachable.into(), budget, due).is_some()
        };
        let mut repeated = 0;
        for _ in 0..1000 {
            budget.earn();
            repeated += u32::from(may_retry(&budget));
        }
        assert!((200..=220).contains(&repeated), "{repeated} retries of 1000 calls");
        (0..1000).for_each(|_| budget.earn());
        assert_eq!((0..1000).filter(|_| may_retry(&budget)).count(), 20, "what was not used is not kept for ever");
    }

    #[test]
    fn retry_after_is_read_as_seconds_milliseconds_or_a_date() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        for (name, text, seconds) in [
            ("retry-after", "2", Some(2.0)),
            ("retry-after", " 0.5 ", Some(0.5)),
            ("retry-after-ms", "1500", Some(1.5)),
            ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT", Some(30.0)),
            ("retry-after", "Sun, 06 Nov 1994 08:48:37 GMT", Some(0.0)),
            ("retry-after", "-1", None),
            ("retry-after", "1e400", None),
            ("retry-after", "soon", None),
            ("x-other", "2", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ureq::http::HeaderName::from_static(name), text.parse().unwrap());
            assert_eq!(retry_after(&headers, now).map(|wait| wait.as_secs_f64()), seconds, "{name}: {text}");
        }
    }
}
