//! The bridge to the worker pool: starts and cancels calls, and sends what workers reply to the shard's mailbox.

use super::mailbox::{Letter, Mailbox};
use crate::contract::{CallId, Request, TraceParent, Usage, micros};
use crate::shard::event::{Again, Event, JobOutcome, SessionId, Ticket};
use crate::work::{CallHandle, Pool, Reply};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

pub(super) struct Calls {
    pool: Pool,
    mailbox: Arc<Mailbox>,
    /// Calls whose completion is yet to come.
    running: RefCell<HashMap<(SessionId, CallId), CallHandle>>,
}

impl Calls {
    pub(super) fn new(pool: Pool, mailbox: Arc<Mailbox>) -> Self {
        Calls { pool, mailbox, running: RefCell::default() }
    }

    /// Starts a call. If the pool refuses it, that is its completion, returned at once.
    pub(super) fn start(
        &self,
        session: SessionId,
        call: CallId,
        owner: &Arc<str>,
        request: Arc<Request>,
        trace: Option<TraceParent>,
    ) -> Option<Event<'static>> {
        let mailbox = self.mailbox.clone();
        let reply = move |reply| {
            mailbox.put_when_room(match reply {
                Reply::Chunk(text) => Letter::Chunk { session, call, text },
                Reply::Done { usage, waited, outcome } => Letter::Completion { session, call, usage, waited_us: micros(waited), outcome },
            });
        };
        match self.pool.start_traced(owner, request, trace, Box::new(reply)) {
            Ok(handle) => {
                self.running.borrow_mut().insert((session, call), handle);
                None
            }
            Err(error) => Some(Event::Completion { session, call, usage: Usage::default(), waited_us: 0, outcome: Err(error) }),
        }
    }

    /// Makes a recorded call again; what it says piece by piece is dropped. If the pool refuses it, that is its outcome, returned at once.
    pub(super) fn again(&self, ticket: Ticket, again: Box<Again>) -> Option<Event<'static>> {
        let mailbox = self.mailbox.clone();
        let (owner, request, mut ours) = (again.owner.clone(), again.request.clone(), Some(again.clone()));
        let reply = move |reply| {
            if let (Reply::Done { usage, waited, outcome }, Some(again)) = (reply, ours.take()) {
                let outcome = JobOutcome::Called { again, waited_us: micros(waited), usage, outcome };
                mailbox.put_when_room(Letter::JobDone { ticket, outcome });
            }
        };
        let error = self.pool.start_traced(&owner, request, None, Box::new(reply)).err()?;
        let outcome = JobOutcome::Called { again, waited_us: 0, usage: Usage::default(), outcome: Err(error) };
        Some(Event::JobDone { ticket, outcome })
    }

    pub(super) fn cancel(&self, session: SessionId, call: CallId) {
        if let Some(handle) = self.running.borrow().get(&(session, call)) {
            handle.cancel();
        }
    }

    /// A call's completion has come.
    pub(super) fn ended(&self, session: SessionId, call: CallId) {
        self.running.borrow_mut().remove(&(session, call));
    }
}
