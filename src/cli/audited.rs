//! What a command notes in the audit log, where there is one.

use super::Failure;
use crate::contract::Time;
use crate::shard::audit::{Outcome, Record};
use crate::shell::audit;
use jiff::Zoned;
use std::path::Path;

/// Checks that the log can be written: what can't be noted is not done.
pub(super) fn check(audit: Option<&Path>) -> Result<(), Failure> {
    audit.map(audit::open).transpose().map(drop).map_err(Failure::config)
}

/// What this user of the machine has done now.
pub(super) fn record(what: &'static str, detail: String) -> Record {
    let at = u64::try_from(Zoned::now().timestamp().as_microsecond()).unwrap_or(0);
    let who = format!("uid:{}", rustix::process::getuid().as_raw());
    Record { who: Some(who.into()), detail: Some(detail), ..Record::new(Time(at), what, Outcome::Done) }
}

pub(super) fn note(audit: Option<&Path>, record: &Record) -> Result<(), Failure> {
    audit.map_or(Ok(()), |path| audit::append(path, record).map_err(Failure::config))
}
