//! Requests and sockets at the door: parked while the issuer is asked, turned away, renewed, and let go when what let them in
//! no longer counts.

use super::bounds::{HEAD_BYTES_MAX, PARKED_BYTES_MAX, PARKED_MAX, PARKED_TIME};
use super::connection::Framing;
use super::event::{Action, Entry, Show, SocketId};
use super::operation::Reply;
use super::operator::{METRICS_CLOSED, is_from_here, may_read_metrics};
use super::origin::is_loopback;
use super::requests::refused_line;
use super::routes::Route;
use super::sign_in::{MayWait, Who};
use super::socket::{Kind, Socket};
use super::{ReplyTo, Shard, Ticket};
use crate::auth::{Ask, News, Scope};
use crate::contract::{Code, Refusal};
use crate::wire::http::Request;
use crate::wire::websocket;

/// The close code of a socket whose token is missing, wrong or expired.
pub(super) const UNAUTHORIZED: u16 = 4001;
/// The close code of a socket whose user may not use it.
const FORBIDDEN: u16 = 4003;
static TOO_MANY_PARKED: Refusal =
    Refusal::new(Code::SignInUnavailable, "too many requests wait for the issuer's keys: try again in a moment");
const MISSING_SCOPE: Refusal = Refusal::new(Code::MissingScope, "this API key may not do that: create one with the scope that it needs");

const MISSING_ROLE: Refusal = Refusal::new(
    Code::MissingRole,
    "`user` is for administrators, who may read another's sessions, turns, frames, traces, events and tests",
);
const ALL_USERS: Refusal = Refusal::new(Code::MissingRole, "`all` is for administrators: leave it out to list your own turns");
const NOT_FROM_HERE: Refusal = Refusal::new(
    Code::MissingRole,
    "without sign-in only programs on the server's own machine may call this, over a loopback address and where no proxy is configured: \
     run `framewright doctor` there",
);

impl Shard {
    /// Who sends this request, and whether they may.
    pub(super) fn who(&mut self, id: SocketId, request: &Request, route: Option<&Route>, may_wait: MayWait) -> Who {
        let Some((route, scope)) = route.and_then(|route| Some((route, route.scope?))) else { return Who::Is(self.sign_in.nobody()) };
        let Some(Socket { kind: Kind::Http(connection), .. }) = self.sockets.get(&id) else { return Who::Is(self.sign_in.nobody()) };
        if route.is_metrics() && may_read_metrics(&self.settings, connection, request) {
            return Who::Is(self.sign_in.nobody());
        }
        let (peer, now) = (connection.peer, self.clock.now());
        let is_about_all = route.is_about_all(request);
        let scope = if is_about_all { Scope::Admin } else { scope };
        let who = match self.sign_in.identify(request, route.show().is_some(), peer, now, may_wait) {
            // Where nobody signs in, whoever sits at this machine is its administrator.
            Who::Is(user) if scope == Scope::Admin && !self.sign_in.is_on() => {
                let is_local = is_loopback(request.host()) && is_from_here(&self.settings, peer, request);
                return if is_local { Who::Is(user) } else { Who::Refused(NOT_FROM_HERE) };
            }
            who => who,
        };
        let refusal = match &who {
            Who::Is(user) if !user.scopes.has(scope) => Some(match (route.is_metrics(), is_about_all) {
                (true, _) => METRICS_CLOSED,
                (false, true) => ALL_USERS,
                (false, false) => MISSING_SCOPE,
            }),
            // Another's traces and tests are for administrators; nothing else of another can be named.
            Who::Is(user) if request.query("user").is_some_and(|other| *other != *user.sub) => {
                let may = user.scopes.has(Scope::Admin) && route.is_about_anyone();
                if may { None } else { Some(MISSING_ROLE) }
            }
            Who::Is(_) | Who::Refused(_) | Who::Waits(_) => None,
        };
        if let Who::Is(user) = &who {
            let from = self.noted_from(id, request);
            self.note_sign_in(user, from);
            if let Some(refusal) = &refusal {
                self.note_forbidden(request, user, from, refusal);
            }
        }
        refusal.map_or(who, Who::Refused)
    }

    /// Keeps a request until the issuer has answered. Its connection reads nothing meanwhile.
    pub(super) fn park(&mut self, id: SocketId, framing: Framing, request: Box<Request>, ask: Ask, actions: &mut Vec<Action>) {
        let (mut parked, mut bytes, mut is_asked) = (0, size(&request), false);
        for (_, request, asked) in self.waiting.values().filter_map(|waiting| waiting.to.parked()) {
            (parked, bytes, is_asked) = (parked + 1, bytes + size(request), is_asked || *asked == ask);
        }
        if parked >= PARKED_MAX || bytes > PARKED_BYTES_MAX {
            actions.push(Action::Log(Entry::Limit { code: TOO_MANY_PARKED.code.name(), detail: TOO_MANY_PARKED.to_string() }));
            let route = super::routes::find(&request);
            return self.turn_away(id, &framing, &request, route.as_ref(), &TOO_MANY_PARKED, actions);
        }
        let time = if ask == Ask::Keys { PARKED_TIME } else { PARKED_TIME / 2 };
        let ticket = self.wait(ReplyTo::Parked(id, request, ask.clone()), time, &TOO_MANY_PARKED);
        self.pend(id, ticket, framing);
        if !is_asked {
            actions.push(Action::Ask(ask));
        }
    }

    /// Looks at a parked request again.
    pub(super) fn unpark(&mut self, ticket: Ticket, may_wait: MayWait, actions: &mut Vec<Action>) {
        let Some(ReplyTo::Parked(id, request, _)) = self.take_waiting(ticket).map(|waiting| waiting.to) else { return };
        // Its client may have gone.
        if self.take_pending(id).is_some() {
            self.request(id, request, may_wait, actions);
            self.serve(id, actions);
            self.touch(id);
        }
    }

    /// Takes in news of the issuer or of API keys, and goes on with what waited for it.
    pub(super) fn learn(&mut self, news: News, actions: &mut Vec<Action>) {
        let (about, may_wait) = match &news {
            News::Keys(_) => (Some(None), MayWait { keys: false, ..MayWait::ALL }),
            News::Userinfo { sub, .. } => (Some(Some(sub.clone())), MayWait::NONE),
            News::ApiKeys(_) => (None, MayWait::NONE),
        };
        self.sign_in.learn(news, self.clock.now());
        let Some(about) = about else { return self.let_revoked_go() };
        let is_answered = |ask: &Ask| match (ask, &about) {
            (Ask::Keys, None) => true,
            (Ask::Userinfo { sub, .. }, Some(of)) => sub == of,
            (Ask::Keys, Some(_)) | (Ask::Userinfo { .. }, None) => false,
        };
        let parked = self.waiting.iter().filter(|(_, waiting)| waiting.to.parked().is_some_and(|(_, _, ask)| is_answered(ask)));
        let tickets: Vec<Ticket> = parked.map(|(ticket, _)| *ticket).collect();
        tickets.into_iter().for_each(|ticket| self.unpark(ticket, may_wait, actions));
        if about.is_none() {
            self.renew_parked(actions);
        }
    }

    /// Refuses a request for want of a user. A WebSocket is accepted and closed, so that a browser can read why.
    pub(super) fn turn_away(
        &mut self,
        id: SocketId,
        framing: &Framing,
        request: &Request,
        route: Option<&Route>,
        refusal: &Refusal,
        actions: &mut Vec<Action>,
    ) {
        actions.push(Action::Log(refused_line(refusal)));
        if refusal.code.status() == 401 {
            let from = self.noted_from(id, request);
            self.note_refused_sign_in(None, from, refusal);
        }
        let is_socket = route.and_then(Route::show).is_some();
        let (code, reason) = farewell(refusal.code);
        if is_socket && self.accept_and_close(id, framing, request, code, reason) {
            return;
        }
        let headers: &[(&str, &str)] = match refusal.code.status() {
            401 => &[("www-authenticate", "Bearer")],
            503 => &[("retry-after", "5")],
            _ => &[],
        };
        self.write_reply(id, framing, &Reply::from(refusal.clone()), headers);
    }

    /// Accepts a WebSocket and closes it at once; `false` if the request asks for none in the right way.
    pub(super) fn accept_and_close(&mut self, id: SocketId, framing: &Framing, request: &Request, code: u16, reason: &'static str) -> bool {
        let Ok(accept) = websocket::accept(request) else { return false };
        let date = self.clock.date();
        if let Some(socket) = self.sockets.get_mut(&id) {
            let protocol = request.lists("sec-websocket-protocol", "bearer").then_some("bearer");
            websocket::write_switch(&mut socket.out, framing.manner(&date), &accept, protocol);
            websocket::write_close(&mut socket.out, code, reason);
            socket.close();
            self.metrics.answered(framing.route, 101, 0);
        }
        true
    }

    /// A socket brings a newer token.
    pub(super) fn renew(&mut self, id: SocketId, token: String, may_wait: MayWait, actions: &mut Vec<Action>) {
        let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get(&id) else { return };
        if !self.sign_in.is_on() {
            return;
        }
        let (sub, scope, is_own) = (stream.user.sub.clone(), stream.show.scope(), stream.sub == stream.user.sub);
        let now = self.clock.now();
        let who = self.sign_in.token(&token, now, may_wait);
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let Kind::Stream(stream) = &mut socket.kind else { return };
        match who {
            Who::Is(user) if user.sub == sub && user.scopes.has(scope) && (is_own || user.scopes.has(Scope::Admin)) => {
                stream.renew(user.clone(), now);
                self.note_sign_in(&user, None);
                self.touch(id);
            }
            Who::Waits(ask) => {
                stream.renewal = Some(token);
                actions.push(Action::Ask(ask));
            }
            // The token that it has still counts for as long as it does.
            Who::Refused(refusal) if refusal.code == Code::SignInUnavailable => {}
            Who::Is(_) | Who::Refused(_) => socket.say_goodbye(UNAUTHORIZED, "Invalid token"),
        }
    }

    /// Goes on with the newer tokens that waited for keys.
    fn renew_parked(&mut self, actions: &mut Vec<Action>) {
        let renewals: Vec<(SocketId, String)> = self.sockets.values_mut().filter_map(Socket::take_renewal).collect();
        for (id, token) in renewals {
            self.renew(id, token, MayWait::NONE, actions);
            self.touch(id);
        }
    }

    /// Ends the streams of API keys that were revoked, or lost a scope, and of users who could no longer come in as they did.
    pub(super) fn let_revoked_go(&mut self) {
        let sign_in = &self.sign_in;
        let is_revoked = |socket: &&mut Socket| {
            matches!(&socket.kind, Kind::Stream(stream) if !sign_in.still_may(&stream.user, stream.show.scope())
                || (stream.show != Show::Echo && !sign_in.still_lets_in(&stream.user))
                || (stream.sub != stream.user.sub && !sign_in.still_may(&stream.user, Scope::Admin)))
        };
        let mut gone = Vec::new();
        for socket in self.sockets.values_mut().filter(is_revoked) {
            socket.say_goodbye(UNAUTHORIZED, "Invalid token");
            gone.push(socket.id);
        }
        gone.into_iter().for_each(|id| self.touch(id));
    }
}

/// The goodbye to a stream whose token has expired.
pub(super) const EXPIRED: (u16, &str) = (UNAUTHORIZED, "Token expired");

/// How a socket is closed that is not let in.
fn farewell(code: Code) -> (u16, &'static str) {
    match code {
        Code::MissingToken => (UNAUTHORIZED, "Missing token"),
        Code::MissingScope | Code::MissingRole => (FORBIDDEN, "Not allowed"),
        Code::SignInUnavailable => (1013, "Sign-in is not available"),
        _ => (UNAUTHORIZED, "Invalid token"),
    }
}

/// About what a parked request takes.
fn size(request: &Request) -> usize {
    HEAD_BYTES_MAX + request.body.len()
}

impl ReplyTo {
    fn parked(&self) -> Option<(SocketId, &Request, &Ask)> {
        match self {
            ReplyTo::Parked(socket, request, ask) => Some((*socket, request, ask)),
            ReplyTo::Socket(_)
            | ReplyTo::File(..)
            | ReplyTo::Shard(..)
            | ReplyTo::Everywhere(..)
            | ReplyTo::RollCall(..)
            | ReplyTo::Nobody => None,
        }
    }
}
