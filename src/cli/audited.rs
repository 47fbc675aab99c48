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

/// Writes a line. `user` is whose data it was about.
pub(super) fn note(audit: Option<&Path>, what: &'static str, user: Option<&str>, detail: String) -> Result<(), Failure> {
    let Some(path) = audit else { return Ok(()) };
    let at = u64::try_from(Zoned::now().timestamp().as_microsecond()).unwrap_or(0);
    let who = format!("uid:{}", rustix::process::getuid().as_raw());
    let user = user.map(Into::into);
    let record = Record { who: Some(who.into()), user, detail: Some(detail), ..Record::new(Time(at), what, Outcome::Done) };
    audit::append(path, &record).map_err(Failure::config)
}
