//! A request for a session, as plain data: it can be carried to the shard where the session lives, and its answer back.

use super::home::Key;
use crate::contract::{Caller, Input, TurnId};
use crate::wire::answer::detail;
use crate::wire::json;
use serde::Serialize;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Who asks what, about which session.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) key: Key,
    pub(super) from: Caller,
    pub(super) ask: Ask,
}

#[derive(Debug)]
pub(super) enum Ask {
    Check,
    Send(Input),
    Result,
    Poll {
        since: String,
    },
    Frames {
        last: usize,
    },
    Turn(TurnId),
    Clear,
    State,
    History {
        last: usize,
    },
    Graph,
    Prompt {
        node: String,
        text: Option<String>,
    },
    Switch(Input),
    Trace {
        last: usize,
    },
    /// The test runner reports; belongs to the user, like the two below.
    Report(Map<String, Value>),
    Reports,
    LastRun,
}

impl Ask {
    /// Whether this is about the user, whatever the session.
    pub(super) fn is_of_user(&self) -> bool {
        match self {
            Ask::Report(_) | Ask::Reports | Ask::LastRun => true,
            Ask::Check
            | Ask::Send(_)
            | Ask::Result
            | Ask::Poll { .. }
            | Ask::Frames { .. }
            | Ask::Turn(_)
            | Ask::Clear
            | Ask::State
            | Ask::History { .. }
            | Ask::Graph
            | Ask::Prompt { .. }
            | Ask::Switch(_)
            | Ask::Trace { .. } => false,
        }
    }
}

impl Ask {
    /// Whether it may set off something new.
    pub(super) fn begins(&self) -> bool {
        matches!(self, Ask::Send(_) | Ask::Clear | Ask::Switch(_))
    }
}

/// A status and a body of JSON.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Reply {
    pub(super) fn ok(body: &impl Serialize) -> Self {
        Self::of(json::write(body))
    }

    pub(super) fn of(body: Vec<u8>) -> Self {
        Reply { status: 200, body }
    }

    pub(super) fn refused(status: u16, sentence: &str) -> Self {
        Reply { status, body: detail(sentence) }
    }
}

impl From<crate::shard::operation::Reply> for Reply {
    fn from(reply: crate::shard::operation::Reply) -> Self {
        Reply { status: reply.status, body: reply.body }
    }
}

/// Where a connection waits for its reply. Filled once.
#[derive(Default)]
pub(super) struct Slot {
    reply: RefCell<Option<Reply>>,
    waker: RefCell<Option<Waker>>,
}

impl Slot {
    pub(super) fn fill(&self, reply: Reply) {
        *self.reply.borrow_mut() = Some(reply);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    pub(super) async fn wait(self: Rc<Self>) -> Reply {
        poll_fn(|context| match self.reply.borrow_mut().take() {
            Some(reply) => Poll::Ready(reply),
            None => {
                *self.waker.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

/// Who gets a reply: a connection of this shard, or of another one.
pub(super) enum ReplyTo {
    Here(Rc<Slot>),
    Shard { shard: usize, ticket: u64 },
}
