//! What goes into the audit log: who signed in, who was refused, who read another user's data, changed a graph or deleted data.
//!
//! It names users by `sub` and sessions by a hash. No token and no text of a message is in it. Whoever signs in is noted once
//! for each token, and once an hour for an API key or a user of a proxy. Refused attempts are noted one by one up to a number a
//! minute; those beyond it share a line, so that a flood of bad tokens fills no disk.

use super::Shard;
use super::address::{self, Address};
use super::bounds::{AUDIT_REFUSED_MAX, AUDIT_SEEN_MAX, AUDIT_WINDOW};
use super::event::{Action, SocketId};
use super::identity::{Key, User};
use super::recent::Recent;
use super::routes::Route;
use super::socket::{Kind, Socket};
use super::timers::Timer;
use crate::auth::LEEWAY_S;
use crate::contract::{Moment, Now, Refusal, Time, clip, micros};
use crate::wire::http::Request;
use std::sync::Arc;

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub at: Time,
    /// What was done, such as `sign_in`.
    pub what: &'static str,
    /// The `sub` of who did it; none where nobody had signed in.
    pub who: Option<Arc<str>>,
    /// The address that it came from.
    pub from: Option<Address>,
    pub outcome: Outcome,
    /// The status of the answer, where one was given.
    pub status: Option<u16>,
    /// Why it was refused.
    pub code: Option<&'static str>,
    /// Whose data it was about, where it was another's.
    pub user: Option<Arc<str>>,
    /// The session, as the log names it.
    pub session: Option<Arc<str>>,
    /// What came with a sign-in: `token`, `api_key` or `proxy`; and until when it counts, in seconds since the epoch.
    pub by: Option<&'static str>,
    pub expires_s: Option<u64>,
    /// The graph, call or settings that it was about.
    pub detail: Option<String>,
    /// How many attempts this line stands for, where it is more than one.
    pub count: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Refused,
    Failed,
    /// Whoever asked for it left before the answer; it may have been done.
    Unanswered,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Refused => "refused",
            Outcome::Failed => "failed",
            Outcome::Unanswered => "unanswered",
        }
    }
}

pub const SIGN_IN: &str = "sign_in";
const READ_OTHER: &str = "read_other";
const BEYOND_SCOPE: &str = "call_beyond_scope";
/// How long a sign-in without an expiry counts as known.
pub const KNOWN_S: u64 = 60 * 60;
/// Until when a sign-in counts as known: for as long as its token is taken, in seconds since the epoch.
pub fn known_until(expires_s: Option<u64>, now_s: u64) -> u64 {
    expires_s.map_or(now_s + KNOWN_S, |expires_s| expires_s.saturating_add(LEEWAY_S))
}

/// Bytes of what a client names.
const NAME_BYTES_MAX: usize = 200;

impl Record {
    pub fn new(at: Time, what: &'static str, outcome: Outcome) -> Record {
        Record {
            at,
            what,
            who: None,
            from: None,
            outcome,
            status: None,
            code: None,
            user: None,
            session: None,
            by: None,
            expires_s: None,
            detail: None,
            count: None,
        }
    }

    fn answered(self, status: u16) -> Record {
        let outcome = match status {
            200..300 => Outcome::Done,
            401 | 403 => Outcome::Refused,
            _ => Outcome::Failed,
        };
        Record { outcome, status: Some(status), ..self }
    }
}

/// What a shard has to note, and what it noted lately.
pub(super) struct Notes {
    records: Vec<Record>,
    /// Sign-ins, by user and expiry, with seconds of wall time.
    seen: Recent<(Arc<str>, Option<u64>), ()>,
    /// When the minute began, the refused attempts noted in it, and those beyond.
    window: Moment,
    noted: u32,
    beyond: u64,
}

impl Default for Notes {
    fn default() -> Self {
        Notes { records: Vec::new(), seen: Recent::new(AUDIT_SEEN_MAX), window: Moment(0), noted: 0, beyond: 0 }
    }
}

impl Shard {
    /// Where a request comes from, as the audit log says it.
    pub(super) fn noted_from(&self, id: SocketId, request: &Request) -> Option<Address> {
        let Some(Socket { kind: Kind::Http(connection), .. }) = self.sockets.get(&id).filter(|_| self.settings.audit) else { return None };
        Some(address::of_client(connection.peer, &self.settings.trusted_proxies, request))
    }

    /// What is to be noted of a request of `user` once it is answered.
    pub(super) fn to_note(&self, request: &Request, route: Option<&Route>, user: &User, from: Option<Address>) -> Option<Box<Record>> {
        let route = route.filter(|_| self.settings.audit)?;
        let other = other(request, user).filter(|_| route.is_about_anyone());
        let what = match &other {
            Some(_) => READ_OTHER,
            None if route.is_about_all(request) => READ_OTHER,
            None => route.audited()?,
        };
        let key = Key::of(&other.clone().unwrap_or_else(|| user.sub.clone()), request).ok();
        Some(Box::new(Record {
            who: Some(user.sub.clone()),
            from,
            user: other.map(|other| clip(&other, NAME_BYTES_MAX).into()),
            session: key.map(|key| key.hashed().into()),
            detail: route.graph_of(request).or_else(|| (what == READ_OTHER).then(|| clip(request.path(), NAME_BYTES_MAX))),
            ..Record::new(self.clock.now().wall, what, Outcome::Done)
        }))
    }

    /// A request was answered.
    pub(super) fn note_answer(&mut self, record: Record, status: u16) {
        self.notes.records.push(record.answered(status));
    }

    /// A request became a stream.
    pub(super) fn note_begun(&mut self, record: Option<Box<Record>>) {
        self.notes.records.extend(record.map(|record| *record));
    }

    /// Whoever asked for something has left.
    pub(super) fn note_unanswered(&mut self, record: Record) {
        self.notes.records.push(Record { outcome: Outcome::Unanswered, ..record });
    }

    /// A user is known by what a request carries.
    pub(super) fn note_sign_in(&mut self, user: &User, from: Option<Address>) {
        let now = self.clock.now();
        let (key, now_s) = ((user.sub.clone(), user.expires_s), now.wall.0 / 1_000_000);
        if !self.settings.audit || !self.sign_in.is_on() || self.notes.seen.get(&key, now_s).is_some() {
            return;
        }
        self.notes.seen.put(key, known_until(user.expires_s, now_s), ());
        let by = match (user.key, user.expires_s) {
            (Some(_), _) => "api_key",
            (None, Some(_)) => "token",
            (None, None) => "proxy",
        };
        let (who, expires_s) = (Some(user.sub.clone()), user.expires_s);
        self.notes.records.push(Record { who, from, by: Some(by), expires_s, ..Record::new(now.wall, SIGN_IN, Outcome::Done) });
    }

    /// Somebody was refused for want of a valid token.
    pub(super) fn note_refused_sign_in(&mut self, who: Option<Arc<str>>, from: Option<Address>, refusal: &Refusal) {
        let record = Record { who, from, ..Record::new(self.clock.now().wall, SIGN_IN, Outcome::Refused) };
        self.note_refused(record, refusal);
    }

    /// A user was refused what they may not do.
    pub(super) fn note_forbidden(&mut self, request: &Request, user: &User, from: Option<Address>, refusal: &Refusal) {
        let other = other(request, user);
        let what = if other.is_some() { READ_OTHER } else { BEYOND_SCOPE };
        let record = Record {
            who: Some(user.sub.clone()),
            from,
            user: other.map(|other| clip(&other, NAME_BYTES_MAX).into()),
            detail: Some(clip(request.path(), NAME_BYTES_MAX)),
            ..Record::new(self.clock.now().wall, what, Outcome::Refused)
        };
        self.note_refused(record, refusal);
    }

    fn note_refused(&mut self, record: Record, refusal: &Refusal) {
        if !self.settings.audit {
            return;
        }
        let (now, notes) = (self.clock.now(), &mut self.notes);
        if now.moment.since(notes.window) >= micros(AUDIT_WINDOW) {
            notes.sum_up(now);
            (notes.window, notes.noted) = (now.moment, 0);
        }
        if notes.noted < AUDIT_REFUSED_MAX {
            notes.noted += 1;
            let (code, status) = (Some(refusal.code.name()), Some(refusal.code.status()));
            return notes.records.push(Record { code, status, ..record });
        }
        if notes.beyond == 0 {
            self.timers.set(notes.window.after(AUDIT_WINDOW), Timer::Audit);
        }
        notes.beyond += 1;
    }

    /// The minute has passed, or the server ends: what was not noted one by one is noted in a line.
    pub(super) fn sum_up_audit(&mut self) {
        self.notes.sum_up(self.clock.now());
    }

    pub(super) fn write_audit(&mut self, actions: &mut Vec<Action>) {
        actions.extend(self.notes.records.drain(..).map(|record| Action::Audit(Box::new(record))));
    }
}

impl Notes {
    fn sum_up(&mut self, now: Now) {
        if self.beyond > 0 {
            let count = Some(std::mem::take(&mut self.beyond));
            self.records.push(Record { count, ..Record::new(now.wall, SIGN_IN, Outcome::Refused) });
        }
    }
}

/// The other user that a request is about.
fn other(request: &Request, user: &User) -> Option<Arc<str>> {
    request.query("user").filter(|other| **other != *user.sub).map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_an_answer_says_how_it_went() {
        for (status, outcome) in [
            (200, Outcome::Done),
            (204, Outcome::Done),
            (401, Outcome::Refused),
            (403, Outcome::Refused),
            (404, Outcome::Failed),
            (429, Outcome::Failed),
            (503, Outcome::Failed),
        ] {
            let record = Record::new(Time(0), "clear", Outcome::Done).answered(status);
            assert_eq!((record.outcome, record.status), (outcome, Some(status)));
        }
    }
}
