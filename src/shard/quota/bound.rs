//! The bounds that someone can reach, as clients and the log learn of them.

use super::super::bounds::STREAMS_RETRY;
use super::{Counts, Spent};
use crate::contract::{Budget, Code, Quota, micros};

/// What is counted by the minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::shard) enum Rate {
    Requests,
    Messages,
}

/// A bound that was reached.
pub(super) struct Bound {
    pub(super) name: &'static str,
    /// As the log says it.
    pub(super) what: &'static str,
    pub(super) code: Code,
    pub(super) detail: &'static str,
    pub(super) limit: u64,
    pub(super) unit: Option<&'static str>,
    pub(super) window_s: Option<u64>,
    pub(super) retry_us: u64,
}

const AT_ONCE: Option<&str> = Some("concurrent-requests");
pub(super) const DAY_S: u64 = 24 * 60 * 60;

impl Bound {
    pub(super) fn streams(limit: u32) -> Bound {
        let detail = "too many sockets and event streams are open: close one, then try again";
        Bound::at_once("streams", "streams at once", Code::TooManyStreams, detail, limit)
    }

    pub(super) fn turns(limit: u32) -> Bound {
        let detail = "too many turns run at once: wait until one has ended, or stop it";
        Bound::at_once("turns", "turns at once", Code::TooManyTurns, detail, limit)
    }

    fn at_once(name: &'static str, what: &'static str, code: Code, detail: &'static str, limit: u32) -> Bound {
        let (limit, retry_us) = (limit.into(), micros(STREAMS_RETRY));
        Bound { name, what, code, detail, limit, unit: AT_ONCE, window_s: None, retry_us }
    }

    /// The part of a day's budget that is used up.
    pub(super) fn of_day(budget: &Budget, spent: &Spent, ends_in: u64) -> Option<Bound> {
        let parts = [
            ("day-turns", "turns a day", None, budget.turns, spent.turns),
            ("day-tokens", "tokens a day", Some("tokens"), budget.tokens, spent.tokens),
            ("day-cost", "millionths of cost a day", Some("millionths"), budget.cost, spent.cost),
        ];
        let (name, what, unit, limit, _) = parts.into_iter().find(|(.., limit, spent)| *limit > 0 && spent >= limit)?;
        let detail = "today's budget is used up: it is renewed at midnight UTC, see `budget` in /api/state";
        Some(Bound { name, what, code: Code::BudgetUsedUp, detail, limit, unit, window_s: Some(DAY_S), retry_us: ends_in })
    }
}

impl Rate {
    pub(super) fn of(self, quota: &Quota) -> u32 {
        match self {
            Rate::Requests => quota.requests,
            Rate::Messages => quota.messages,
        }
    }

    pub(super) fn unsent(self, counts: &mut Counts) -> &mut u32 {
        match self {
            Rate::Requests => &mut counts.requests,
            Rate::Messages => &mut counts.messages,
        }
    }

    pub(super) fn bound(self, limit: u32, retry_us: u64) -> Bound {
        let (name, what, detail) = match self {
            Rate::Requests => {
                ("requests", "requests a minute", "too many requests: try again when the time has passed that `Retry-After` states")
            }
            Rate::Messages => ("messages", "messages a minute", "too many messages in a short time: try again in a moment"),
        };
        Bound { name, what, code: Code::RateLimited, detail, limit: limit.into(), unit: None, window_s: Some(60), retry_us }
    }
}
