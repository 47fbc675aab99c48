//! What the tools of operators ask: whether the server lives and is ready, which it is, and what it has counted.
//!
//! `/livez` and `/metrics` ask every shard: a loop that hangs makes the first fail. Metrics name no user; still, they are for
//! the operator alone (see [`may_read_metrics`]).

use super::bounds::ROLL_CALL_TIME;
use super::connection::{Connection, Framing};
use super::event::{Action, Door, Mail, SocketId};
use super::metrics::{Beside, Metrics, Present};
use super::operation::Reply;
use super::requests::SHARD_SILENT;
use super::routes::Server;
use super::socket::Kind;
use super::timers::Timer;
use super::{ReplyTo, Settings, Shard, Ticket, Waiting};
use crate::auth::Peer;
use crate::contract::{Code, Refusal};
use crate::wire::exposition::Format;
use crate::wire::http::Request;
use serde_json::{Map, Value, json};

/// What every shard is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RollCall {
    Alive,
    Metrics(Format),
}

/// The answers of shards so far.
#[derive(Clone, Debug)]
pub(super) struct Called {
    call: RollCall,
    /// Shards that have not answered.
    left: usize,
    metrics: Option<Box<Metrics>>,
}

/// What a proxy says of whom it forwards for.
const FORWARDED: &[&str] = &["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];
pub(super) const METRICS_CLOSED: Refusal = Refusal::new(
    Code::MissingScope,
    "metrics are for programs on the server's own machine and API keys with the scope `metrics` (operators: see `--metrics-listen`)",
);
const NO_KEYS: &str = "the issuer's keys could not be fetched yet: nobody can sign in";
const NO_MODEL: &str = "no model was chosen: set `--model`";
const NO_GRAPH: &str = "the graph of new sessions is not loaded: see `--graph`";

/// Whether a request without a key may read the metrics: it came in where only they are served, or from this very machine.
pub(super) fn may_read_metrics(settings: &Settings, connection: &Connection, request: &Request) -> bool {
    connection.door == Door::Metrics || is_from_here(settings, connection.peer, request)
}

/// Whether a request comes from a program on this machine. Behind a proxy everyone seems to be on this machine, so nobody counts
/// as local where a proxy is configured or shows.
pub(super) fn is_from_here(settings: &Settings, peer: Peer, request: &Request) -> bool {
    let is_forwarded = || FORWARDED.iter().any(|name| request.has(name));
    let has_proxy = || !settings.origins.hosts.is_empty() || !settings.trusted_proxies.is_empty() || settings.sign_in.proxy.is_some();
    // At the other end of a Unix socket is a proxy, as a rule.
    let is_loopback = || peer.ip().is_some_and(|ip| ip.to_canonical().is_loopback());
    is_loopback() && !has_proxy() && !is_forwarded()
}

/// Body of `/version`. `io` is the event loop that the answer comes through.
pub(super) fn version(about: &Map<String, Value>, io: &str) -> Value {
    let mut body = json!({ "name": "framewright", "io": io });
    for name in ["version", "commit"] {
        if let Some(known) = about.get(name) {
            body[name] = known.clone();
        }
    }
    body
}

/// Whether new turns can start: everything that they need is here, and the server doesn't end.
pub(super) fn ready(server: &Server<'_>) -> Reply {
    let settings = server.settings;
    let model = settings.about.get("model").filter(|model| model["name"].is_string());
    let has_graph = settings.library.graph(&settings.graph).is_some();
    let mut checks = json!({
        "graph": { "ok": has_graph, "name": settings.graph },
        "model": { "ok": model.is_some() },
        "serving": { "ok": !server.is_draining },
    });
    for name in ["name", "demo"] {
        if let Some(known) = model.and_then(|model| model.get(name)) {
            checks["model"][name] = known.clone();
        }
    }
    if settings.sign_in.issuer.is_some() {
        checks["sign_in"] = json!({ "ok": server.has_keys });
    }
    if settings.keeping.is_some() {
        checks["journal"] = json!({ "ok": server.journal.is_none() });
    }
    let broken = server.journal.map_or("", |refusal| &*refusal.detail);
    let why = [
        (server.is_draining, Code::Draining, super::answers::DRAINING),
        (!has_graph, Code::UnknownGraph, NO_GRAPH),
        (model.is_none(), Code::Unavailable, NO_MODEL),
        (!server.has_keys, Code::SignInUnavailable, NO_KEYS),
        (server.journal.is_some(), Code::JournalUnavailable, broken),
    ];
    match why.into_iter().find(|(fails, ..)| *fails) {
        None => Reply::ok(&json!({ "status": "ready", "checks": checks })),
        Some((_, code, detail)) => {
            let body = json!({ "status": "not_ready", "detail": detail, "code": code, "checks": checks });
            Reply { status: 503, ..Reply::ok(&body) }
        }
    }
}

impl Shard {
    /// Asks every shard, and answers when all have.
    pub(super) fn call_roll(&mut self, id: SocketId, framing: Framing, call: RollCall, actions: &mut Vec<Action>) {
        let is_count = matches!(call, RollCall::Metrics(_));
        let called = Called { call, left: self.settings.shards - 1, metrics: is_count.then(|| Box::new(self.counted())) };
        if called.left == 0 {
            return self.write_roll(id, &framing, &called);
        }
        let ticket = self.wait(ReplyTo::RollCall(id, Box::new(called)), ROLL_CALL_TIME, &SHARD_SILENT);
        self.pend(id, ticket, framing);
        let from = self.id;
        actions.extend(self.shards().map(|shard| Action::Mail { shard, mail: Mail::RollCall { from, ticket, is_count } }));
    }

    /// A shard has answered.
    pub(super) fn present(&mut self, ticket: Ticket, metrics: Option<Box<Metrics>>, actions: &mut Vec<Action>) {
        let Some(Waiting { to: ReplyTo::RollCall(id, mut called), due, otherwise }) = self.take_waiting(ticket) else { return };
        if let (Some(all), Some(more)) = (&mut called.metrics, metrics) {
            all.add(&more);
        }
        called.left -= 1;
        if called.left > 0 {
            self.timers.set(due, Timer::Ticket(ticket));
            self.waiting.insert(ticket, Waiting { to: ReplyTo::RollCall(id, called), due, otherwise });
            return;
        }
        // Its client may have gone.
        let Some(framing) = self.take_pending(id) else { return };
        self.write_roll(id, &framing, &called);
        self.serve(id, actions);
        self.touch(id);
    }

    /// What this shard has counted, with what there is now.
    pub(super) fn counted(&self) -> Metrics {
        let mut present = Present { sizes: self.sizes(), ..Present::default() };
        for socket in self.sockets.values() {
            if let Kind::Stream(stream) = &socket.kind {
                *if stream.is_websocket() { &mut present.web_sockets } else { &mut present.event_streams } += 1;
            }
        }
        self.metrics.snapshot(present)
    }

    fn write_roll(&mut self, id: SocketId, framing: &Framing, called: &Called) {
        let settings = self.settings.clone();
        match (called.call, &called.metrics) {
            (RollCall::Metrics(format), Some(metrics)) => {
                let machine = (settings.machine)();
                let beside = Beside { shards: settings.shards, machine, about: &settings.about };
                let body = metrics.write(format, &beside);
                let kind = [("content-type", format.content_type()), ("cache-control", "no-store"), ("vary", "accept")];
                self.write_body(id, framing, 200, &kind, &body);
            }
            (RollCall::Alive | RollCall::Metrics(_), _) => {
                self.write_reply(id, framing, &Reply::ok(&json!({ "status": "ok", "shards": settings.shards })), &[]);
            }
        }
    }
}
