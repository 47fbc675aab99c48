//! Where quotas apply: to requests, messages, streams and turns, and to what calls used.
//!
//! A request is counted against its address before anything else is looked at, so that a flood of bad tokens is bounded too,
//! and against its user once that is known. What starts a turn is counted where its session lives, because only there it is
//! known whether it was sent before: an answer to a message sent again is never refused. What a stream or a turn counts is
//! held by its socket or session, and given back when that lets go of it.

use super::Shard;
use super::address::{self, Address};
use super::connection::Framing;
use super::event::{Action, Attach, Mail, SessionId, SocketId};
use super::live::Live;
use super::operation::Reply;
use super::quota::{Held, Ledger, Over, Rate, Spent, Subject, TURN, spent_by};
use super::routes;
use super::socket::{Kind, Socket};
use crate::auth::ANONYMOUS;
use crate::contract::{Answer, CallError, ClientId, Now, Usage};
use crate::wire::http::Request;
use crate::wire::{json, websocket};
use serde_json::Value;
use std::sync::Arc;

/// Whoever watches over a server must never be locked out.
const EXEMPT: &[&str] = &["/health", "/livez", "/readyz"];

/// The close code of a socket that is one too many; its reason is the refusal's code.
const TRY_AGAIN_LATER: u16 = 1013;

impl Shard {
    /// Where a request comes from, if that matters.
    pub(super) fn address(&self, id: SocketId, request: &Request) -> Option<Address> {
        if !self.ledger.is_on() {
            return None;
        }
        let Some(Socket { kind: Kind::Http(connection), .. }) = self.sockets.get(&id) else { return None };
        Some(address::of_client(connection.peer, &self.settings.trusted_proxies, request))
    }

    /// Counts a request against its address.
    pub(super) fn admit_from(&mut self, address: Option<Address>, request: &Request) -> Result<(), Box<Over>> {
        match address.map(Subject::Address) {
            Some(subject) if !EXEMPT.contains(&request.path()) => {
                self.ledger.admit(self.clock.now(), Rate::Requests, [Some(&subject), None])
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Counts a request against its user.
    pub(super) fn admit_of(&mut self, sub: &Arc<str>) -> Result<(), Box<Over>> {
        match self.user(sub) {
            Some(user) => self.ledger.admit(self.clock.now(), Rate::Requests, [Some(&user), None]),
            None => Ok(()),
        }
    }

    /// Counts a message or action, and finds out whether it may begin a turn.
    pub(super) fn admit_message(&mut self, session: Option<SessionId>, sub: &Arc<str>, address: Option<Address>) -> Result<(), Box<Over>> {
        let Some(payer) = self.payer(sub, address) else { return Ok(()) };
        let (now, address, user) = (self.clock.now(), address.map(Subject::Address), self.user(sub));
        self.ledger.admit(now, Rate::Messages, [address.as_ref(), user.as_ref()])?;
        let runs_already = session.and_then(|session| self.sessions.get(session)).is_some_and(|live| live.session.busy());
        self.ledger.may_begin(now, &payer, runs_already)
    }

    /// A turn has begun, or waits to.
    pub(super) fn count_begun(&mut self, session: SessionId) {
        self.spend(session, TURN);
    }

    /// Counts what a call has used, however it ended.
    pub(super) fn count_usage(&mut self, session: SessionId, usage: &Usage, outcome: &Result<Answer, CallError>) {
        if *usage != Usage::NONE {
            self.spend(session, spent_by(usage));
        } else if matches!(outcome, Ok(answer) if answer.database.is_none()) {
            self.ledger.note_uncounted(self.clock.now());
        }
    }

    fn spend(&mut self, session: SessionId, spent: Spent) {
        if let Some(payer) = self.sessions.get(session).and_then(|live| live.payer.clone()) {
            self.ledger.spend(self.clock.now(), &payer, spent);
        }
    }

    /// What is left of today's budget of whoever asks.
    pub(super) fn budget_left(&mut self, sub: &Arc<str>, address: Option<Address>) -> Option<Value> {
        let payer = self.payer(sub, address)?;
        self.ledger.left(self.clock.now(), &payer)
    }

    /// Whose turns these are: the user's; where nobody signs in, those of everyone at the address.
    pub(super) fn payer(&self, sub: &Arc<str>, address: Option<Address>) -> Option<Subject> {
        self.user(sub).or_else(|| address.map(Subject::Address))
    }

    /// Who has signed in. Where nobody does, all are one user, who has no bounds.
    pub(super) fn user(&self, sub: &Arc<str>) -> Option<Subject> {
        (self.ledger.is_on() && self.sign_in.is_on() && &**sub != ANONYMOUS).then(|| Subject::User(sub.clone()))
    }

    /// Counts a stream that is about to open.
    pub(super) fn open_stream(&mut self, attach: &Attach) -> Result<Held, Box<Over>> {
        let (address, user) = (attach.address.map(Subject::Address), self.user(&attach.user.sub));
        self.ledger.open_stream(self.clock.now(), [address.as_ref(), user.as_ref()])
    }

    /// Counts a stream that comes over from another shard, which has just stopped counting it.
    pub(super) fn hold_stream(&mut self, attach: &Attach) -> Held {
        let (address, user) = (attach.address.map(Subject::Address), self.user(&attach.user.sub));
        self.ledger.hold_stream(self.clock.now(), [address.as_ref(), user.as_ref()])
    }

    /// Refuses a request whose quota is used up. A WebSocket is accepted and closed, because a browser can't read why a
    /// handshake was refused.
    pub(super) fn refuse_for_now(&mut self, id: SocketId, framing: &Framing, request: &Request, over: Over, actions: &mut Vec<Action>) {
        actions.extend(over.log.clone().map(Action::Log));
        let is_socket = routes::find(request).is_some_and(|route| route.show().is_some());
        if !(is_socket && self.accept_and_close(id, framing, request, TRY_AGAIN_LATER, over.refusal.code.name())) {
            return self.write_reply(id, framing, &Reply::over(over, None), &[]);
        }
        if let Some(record) = framing.audit.clone() {
            self.note_answer(*record, over.refusal.code.status());
        }
    }

    pub(super) fn refuse_for_now_on_socket(&mut self, id: SocketId, over: Over, client_id: Option<&ClientId>, actions: &mut Vec<Action>) {
        actions.extend(over.log.clone().map(Action::Log));
        if let Some(socket) = self.sockets.get_mut(&id) {
            let refusal = json::refusal_for_now(&over.refusal, client_id, over.limited.retry_ms());
            socket.push(|out| websocket::write_text(out, &refusal));
        }
    }

    /// Has the other shards hear what was counted in this tick.
    pub(super) fn tell_counts(&mut self, actions: &mut Vec<Action>) {
        if let Some(counts) = self.ledger.take_news() {
            let from = self.id;
            actions.extend(self.shards().map(|shard| Action::Mail { shard, mail: Mail::Counts { from, counts: counts.clone() } }));
        }
        actions.extend(self.ledger.take_notices().into_iter().map(Action::Log));
    }
}

/// Counts a session that has a running turn now, or gives back what it was counted as. One that waits for a person runs nothing.
pub(super) fn count_turn(live: &mut Live, ledger: &mut Ledger, now: Now) {
    match (live.is_at_work(), &live.runs_for) {
        (true, None) => live.runs_for = live.payer.as_ref().and_then(|payer| ledger.begin_turn(now, payer)),
        (false, Some(payer)) => {
            ledger.end_turn(payer);
            live.runs_for = None;
        }
        (true, Some(_)) | (false, None) => {}
    }
}
