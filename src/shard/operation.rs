//! A request about a session or a user, as plain data: it can be carried to the shard where the session lives, and its
//! answer back.

use super::address::Address;
use super::identity::{Key, User};
use super::journal::Later;
use super::journal_job::JournalJob;
use super::quota::{Limited, Over};
use super::rerun::{Again, Rerun};
use crate::contract::{Caller, ClientId, Code, Input, Refusal, TurnId};
use crate::wire::answer;
use crate::wire::json;
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Who wants what, about which session.
#[derive(Debug)]
pub struct Operation {
    pub key: Key,
    pub from: Caller,
    /// Where it comes from, if that is known and counted.
    pub address: Option<Address>,
    /// Who is to learn of the end of the turn that this begins.
    pub webhook: Option<Box<str>>,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    Check,
    /// A message or an action; answered with its turn.
    Send(Input),
    /// A stop or a cancel; always answered `ok`.
    End(Input),
    Result,
    Poll {
        since: String,
    },
    Frames {
        last: usize,
    },
    Turn(TurnId),
    /// Make one of its calls again.
    Rerun(Box<Rerun>),
    Clear,
    State,
    History {
        last: usize,
        /// Only what is older than this turn.
        before: Option<TurnId>,
    },
    Graph,
    Prompt {
        node: String,
        text: Option<String>,
    },
    Switch(Input),
    /// Delete the session.
    Delete,
    /// Make this session out of another one: a [`JournalJob::Fork`].
    Fork(Box<JournalJob>),
    Trace {
        last: usize,
    },
    /// The test runner's reports; these three belong to the user rather than to a session.
    Report(Map<String, Value>),
    Reports,
    LastRun {
        /// Whether the results in the server's folder stand in for those that this user has not reported.
        may_read_file: bool,
    },
    /// What is kept of the user; these two are done on every shard.
    Kept {
        user: Box<User>,
    },
    Forget,
}

impl What {
    /// Whether this is about the user, whatever the session.
    pub fn is_of_user(&self) -> bool {
        matches!(self, What::Report(_) | What::Reports | What::LastRun { .. })
    }
}

/// Work that may block: files, and starting test suites.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Read a static file from disk, in development. `name` is relative to `static/` and has been checked.
    File { name: String },
    /// Read the last test run that was written to a file beside the server.
    LastRun,
    /// List the test suites.
    ListSuites,
    /// Start test suites: the request's body, and the token of who asked.
    StartTests { sub: Arc<str>, body: Map<String, Value>, token: Option<String> },
    /// Check what the server needs, as `framewright doctor` does.
    Doctor,
    /// The server drains: tests that run come to an end soon.
    StopTests,
    /// Read or change what the journal keeps.
    Journal(Box<JournalJob>),
    /// Make a recorded call again; [`super::event::JobOutcome::Called`] follows.
    Call(Box<Again>),
}

/// What an operation leads to.
pub(super) enum Answer {
    Reply(Reply),
    /// Its answer comes from a job.
    Job(Job),
    /// Its answer waits for the journal.
    Later(Later),
}

/// A status and a body of JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub body: Vec<u8>,
    /// The bound that was reached, which the head states too.
    pub limited: Option<Box<Limited>>,
}

impl Reply {
    pub fn ok(body: &impl Serialize) -> Self {
        Self::of(json::write(body))
    }

    pub fn of(body: Vec<u8>) -> Self {
        Reply { status: 200, body, limited: None }
    }
}

impl Reply {
    /// A refusal, with the client's id of the message that it refuses.
    pub fn refused(refusal: &Refusal, client_id: Option<&ClientId>) -> Self {
        Reply { status: refusal.code.status(), body: answer::refusal(refusal, client_id), limited: None }
    }

    /// A refusal for now, because a quota is used up.
    pub(super) fn over(over: Over, client_id: Option<&ClientId>) -> Self {
        Reply { limited: Some(Box::new(over.limited)), ..Reply::refused(&over.refusal, client_id) }
    }
}

const UNCONFIRMED: &str = "the server has this message, and can't store it now: it may still run. Read its `id` with GET /api/turn, or send \
                           it again with its own `client_id` (operators: see `/readyz`)";

impl Reply {
    /// Instead of this answer, which says that something was taken: the same, but nobody knows whether it is kept. The turn's id
    /// and the client's stay in it.
    pub(super) fn unconfirmed(&self) -> Self {
        let mut body: Map<String, Value> = serde_json::from_slice(&self.body).unwrap_or_default();
        body.retain(|field, _| matches!(field.as_str(), "id" | "client_id"));
        body.insert("detail".to_owned(), UNCONFIRMED.into());
        body.insert("code".to_owned(), Code::Unconfirmed.name().into());
        Reply { status: Code::Unconfirmed.status(), body: json::write(&body), limited: None }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Reply::refused(&refusal, None)
    }
}
