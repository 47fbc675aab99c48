//! The table of the wire contract: which call a request makes, and what it needs to be one.

use super::auth::{self, User};
use super::errand::{Ask, Errand, Reply};
use super::files::Found;
use super::handover::{Attach, Show};
use super::home::{Key, shard_of_user};
use super::shard::{DRAINING, Shard};
use crate::contract::Caller;
use crate::wire::answer::Manner;
use crate::wire::http::{Method, Request};
use crate::wire::websocket::NoUpgrade;
use crate::wire::{json, said, sse, websocket};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// What is to be done with a request.
pub(super) enum Outcome {
    Reply(Reply, &'static [(&'static str, &'static str)]),
    File(Found),
    /// The head of a stream for whoever wants no more of it; the connection ends with it.
    Head(Vec<u8>),
    /// To be done on this shard.
    Errand(Errand, usize),
    /// The connection becomes a stream, and lives on this shard.
    Stream(Attach, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Health,
    AuthConfig,
    Check,
    Send,
    Result,
    Events,
    Poll,
    Frames,
    Turn,
    Clear,
    State,
    History,
    Graph,
    Prompt,
    GraphList,
    Switch,
    Report,
    Reports,
    LastRun,
    Suites,
    Play,
    Trace,
    WebSocket(Show),
}

const TABLE: &[(Method, &str, Call)] = &[
    (Method::Get, "/health", Call::Health),
    (Method::Get, "/auth/config", Call::AuthConfig),
    (Method::Post, "/api/send/check", Call::Check),
    (Method::Post, "/api/send", Call::Send),
    (Method::Get, "/api/result", Call::Result),
    (Method::Get, "/api/events", Call::Events),
    (Method::Get, "/api/poll", Call::Poll),
    (Method::Get, "/api/frames", Call::Frames),
    (Method::Get, "/api/turn", Call::Turn),
    (Method::Post, "/api/clear", Call::Clear),
    (Method::Get, "/api/state", Call::State),
    (Method::Get, "/api/history", Call::History),
    (Method::Get, "/api/graph/active", Call::Graph),
    (Method::Get, "/api/graph/prompt", Call::Prompt),
    (Method::Get, "/api/graph/list", Call::GraphList),
    (Method::Post, "/api/graph/switch", Call::Switch),
    (Method::Post, "/api/test/status", Call::Report),
    (Method::Get, "/api/test/status", Call::Reports),
    (Method::Get, "/api/tests", Call::LastRun),
    (Method::Get, "/api/tests/suites", Call::Suites),
    (Method::Post, "/api/tests/run", Call::Play),
    (Method::Get, "/api/trace", Call::Trace),
    (Method::Get, "/ws", Call::WebSocket(Show::Chat)),
    (Method::Get, "/ws/trace", Call::WebSocket(Show::Trace)),
    (Method::Get, "/ws/test", Call::WebSocket(Show::Tests)),
];

const GET: &[(&str, &str)] = &[("allow", "GET, HEAD")];
const POST: &[(&str, &str)] = &[("allow", "POST")];
const BOTH: &[(&str, &str)] = &[("allow", "GET, HEAD, POST")];
const UPGRADE: &[(&str, &str)] = &[("upgrade", "websocket"), ("sec-websocket-version", "13")];

/// Body of `/health`.
#[derive(Serialize)]
struct Healthy<'a> {
    status: &'static str,
    #[serde(flatten)]
    about: &'a Map<String, Value>,
    /// The event loop that this very answer came through.
    io: String,
}

/// Finds out what a request asks for. `manner` is how a stream's head would be sent.
pub(super) fn route(shard: &Shard, request: &Request, manner: Manner<'_>) -> Outcome {
    // What is answered to HEAD is that to GET without the body.
    let method = if request.method == Method::Head { Method::Get } else { request.method };
    let rows = || TABLE.iter().filter(|(_, path, _)| *path == request.path());
    if let Some((_, _, call)) = rows().find(|(verb, _, _)| *verb == method) {
        return make(shard, request, *call, manner).unwrap_or_else(|reply| Outcome::Reply(reply, &[]));
    }
    let wrong = |allow| Outcome::Reply(Reply::refused(405, "this path knows another method: see the Allow header"), allow);
    let has = |verb| rows().any(|(known, _, _)| *known == verb);
    match (has(Method::Get), has(Method::Post)) {
        (true, true) => wrong(BOTH),
        (true, false) => wrong(GET),
        (false, true) => wrong(POST),
        (false, false) => match shard.common.files.find(request) {
            Some(file) if method == Method::Get => Outcome::File(file),
            Some(_) => wrong(GET),
            None => Outcome::Reply(Reply::refused(404, "there is nothing at this path"), &[]),
        },
    }
}

fn make(shard: &Shard, request: &Request, call: Call, manner: Manner<'_>) -> Result<Outcome, Reply> {
    let last = |most_wanted: usize| number(request, "last").unwrap_or(most_wanted);
    let user = auth::identify(request);
    let from = || auth::caller(&user, request, shard.clock.utc_offset_minutes());
    let ask = match call {
        Call::Health => {
            return Ok(Outcome::Reply(
                match shard.is_draining() {
                    true => Reply { status: 503, body: json::write(&json!({ "status": "draining", "detail": DRAINING })) },
                    false => Reply::ok(&Healthy { status: "ok", about: &shard.common.about, io: shard.backend().to_string() }),
                },
                &[],
            ));
        }
        Call::AuthConfig => return Ok(Outcome::Reply(Reply::ok(&auth::config()), &[])),
        Call::GraphList => return Ok(Outcome::Reply(Reply::ok(&shard.common.library.list()), &[])),
        Call::Suites => return Ok(Outcome::Reply(shard.common.runs.list(), &[])),
        Call::Play if shard.is_draining() => return Err(Reply::refused(503, DRAINING)),
        // With a body that must be JSON, because a page of another site can't send that here without being allowed to.
        Call::Play => return Ok(Outcome::Reply(shard.common.runs.start(&body(request)?, auth::bearer(request))?, &[])),
        Call::WebSocket(show) => return upgrade(shard, request, show, user.clone(), from(), manner),
        Call::Events => return events(shard, request, user.clone(), from(), manner),
        Call::Check => {
            optional_body(request)?;
            Ask::Check
        }
        Call::Send => Ask::Send(said::message(body(request)?, from()).map_err(|wrong| Reply::refused(400, wrong))?),
        Call::Result => Ask::Result,
        Call::Poll => Ask::Poll { since: request.query("since").unwrap_or_default() },
        Call::Frames => Ask::Frames { last: last(5) },
        Call::Turn => match request.query("id").and_then(|id| id.parse().ok()) {
            Some(turn) => Ask::Turn(turn),
            None => return Err(Reply::refused(400, "`id` is missing: name a turn as `msg_<n>`")),
        },
        Call::Clear => {
            optional_body(request)?;
            Ask::Clear
        }
        Call::State => Ask::State,
        Call::History => Ask::History { last: last(10) },
        Call::Graph => Ask::Graph,
        Call::Prompt => match request.query("node").filter(|node| !node.is_empty()) {
            Some(node) => Ask::Prompt { node, text: request.query("text").filter(|text| !text.trim().is_empty()) },
            None => return Err(Reply::refused(400, "`node` is missing: `/api/graph/active` lists the nodes")),
        },
        Call::Switch => Ask::Switch(said::switch(body(request)?, from()).map_err(|wrong| Reply::refused(400, wrong))?),
        Call::Report => Ask::Report(body(request)?),
        Call::Reports => Ask::Reports,
        Call::LastRun => Ask::LastRun,
        Call::Trace => Ask::Trace { last: last(30) },
    };
    let key = key(&user, request)?;
    let home = home(shard, &key, ask.is_of_user());
    Ok(Outcome::Errand(Errand { key, from: from(), ask }, home))
}

fn upgrade(shard: &Shard, request: &Request, show: Show, user: User, caller: Caller, manner: Manner<'_>) -> Result<Outcome, Reply> {
    let accept = match websocket::accept(request) {
        Ok(accept) => accept,
        Err(reason @ NoUpgrade::NotAsked) => return Ok(Outcome::Reply(Reply::refused(426, reason.sentence()), UPGRADE)),
        Err(reason @ NoUpgrade::Key) => return Err(Reply::refused(400, reason.sentence())),
    };
    let key = key(&user, request)?;
    let since = since(request.query("since"))?;
    let protocol = request.lists("sec-websocket-protocol", "bearer").then_some("bearer");
    let mut head = Vec::new();
    websocket::write_switch(&mut head, manner, &accept, protocol);
    let home = home(shard, &key, show == Show::Tests);
    Ok(Outcome::Stream(Attach { show, key, user, caller, since, head, leftover: Vec::new() }, home))
}

fn events(shard: &Shard, request: &Request, user: User, caller: Caller, manner: Manner<'_>) -> Result<Outcome, Reply> {
    let key = key(&user, request)?;
    let since = since(request.header("last-event-id").map(str::to_owned).or_else(|| request.query("since")))?;
    let mut head = Vec::new();
    sse::write_head(&mut head, manner, None);
    if manner.head_only {
        return Ok(Outcome::Head(head));
    }
    let home = home(shard, &key, false);
    Ok(Outcome::Stream(Attach { show: Show::Events, key, user, caller, since, head, leftover: Vec::new() }, home))
}

fn key(user: &User, request: &Request) -> Result<Key, Reply> {
    Key::of(user, request).map_err(|wrong| Reply::refused(400, wrong))
}

fn home(shard: &Shard, key: &Key, is_of_user: bool) -> usize {
    let shards = shard.common.mailboxes.len();
    if is_of_user { shard_of_user(&key.sub, shards) } else { key.shard(shards) }
}

fn since(stated: Option<String>) -> Result<Option<u64>, Reply> {
    match stated.filter(|stated| !stated.is_empty()) {
        None => Ok(None),
        Some(stated) => match stated.parse() {
            Ok(since) => Ok(Some(since)),
            Err(_) => Err(Reply::refused(400, "`since` must be a number: the `seq` or `id` of the last event that was seen")),
        },
    }
}

/// A number that is clamped later: what is too large for one is as large as can be, what is below 1 is 0.
fn number(request: &Request, name: &str) -> Option<usize> {
    let stated = request.query(name)?;
    let digits = stated.strip_prefix('-').unwrap_or(&stated);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number, stated.starts_with('-')) {
        (true, true) => Some(0),
        (true, false) => Some(digits.parse().unwrap_or(usize::MAX)),
        (false, _) => None,
    }
}

/// The body of a call that needs one.
fn body(request: &Request) -> Result<Map<String, Value>, Reply> {
    match request.body.is_empty() {
        true => Err(Reply::refused(400, "the body is missing: send a JSON object")),
        false => optional_body(request),
    }
}

/// The body of a call that needs none; what comes all the same must be what every body is.
fn optional_body(request: &Request) -> Result<Map<String, Value>, Reply> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    if !request.is_json() {
        return Err(Reply::refused(415, "the body must be JSON: send it with `content-type: application/json`"));
    }
    said::object(&request.body).map_err(|wrong| Reply::refused(400, wrong))
}
