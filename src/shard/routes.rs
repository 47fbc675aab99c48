//! The table of the wire contract: which call a request makes, and what it needs to be one.

use super::Settings;
use super::answers::DRAINING;
use super::connection::Framing;
use super::event::{Attach, Job, ShardId, Show};
use super::files::{self, Found, Lookup};
use super::identity::{Key, User, caller, shard_of_user};
use super::journal_job::{JournalJob, NO_JOURNAL};
use super::operation::{Operation, Reply, What};
use super::operator::{self, RollCall};
use super::outbox;
use super::queries;
use super::rerun::{RERUN_OFF, Rerun};
use super::sign_in::bearer;
use crate::auth::Scope;
use crate::contract::{Caller, Code, Refusal, TurnId, clip};
use crate::wire::exposition::Format;
use crate::wire::http::{Method, Request};
use crate::wire::websocket::NoUpgrade;
use crate::wire::{json, said, sse, websocket};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;

type Headers = &'static [(&'static str, &'static str)];

/// What is to be done with a request.
pub(super) enum Outcome {
    Reply(Reply, Headers),
    File(Found),
    /// The head of a stream for a client that asked for no more; the connection ends with it.
    Head(Vec<u8>),
    /// To be done on that shard.
    Operation(Box<Operation>, ShardId),
    /// To be done on every shard, about the whole user.
    Everywhere(Box<Operation>),
    /// To be asked of every shard.
    RollCall(RollCall),
    /// To be done where it may block.
    Job(Job),
    /// The connection becomes a stream, and lives on that shard.
    Stream(Box<Attach>, ShardId),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Me,
    Forget,
    Health,
    Alive,
    Ready,
    Version,
    Metrics,
    AuthConfig,
    Doctor,
    Check,
    Send,
    Action,
    Retry,
    Edit,
    Stop,
    Cancel,
    Result,
    Events,
    Poll,
    Frames,
    Turn,
    Rerun,
    TurnTest,
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
    StartTests,
    Trace,
    Sessions,
    Rename,
    Delete,
    Fork,
    Export,
    Feedback,
    Turns,
    WebSocket(Show),
}

const CHAT: Option<Scope> = Some(Scope::Chat);
const READ: Option<Scope> = Some(Scope::Read);
const TESTS: Option<Scope> = Some(Scope::Tests);
const ADMIN: Option<Scope> = Some(Scope::Admin);
const METRICS: Option<Scope> = Some(Scope::Metrics);

/// Each call, and what its caller must be allowed to do; nothing: anyone may make it.
const TABLE: &[(Method, &str, Call, Option<Scope>)] = &[
    (Method::Get, "/health", Call::Health, None),
    (Method::Get, "/livez", Call::Alive, None),
    (Method::Get, "/readyz", Call::Ready, None),
    (Method::Get, "/version", Call::Version, None),
    (Method::Get, "/metrics", Call::Metrics, METRICS),
    (Method::Get, "/auth/config", Call::AuthConfig, None),
    (Method::Get, "/api/doctor", Call::Doctor, ADMIN),
    (Method::Get, "/api/me", Call::Me, READ),
    (Method::Post, "/api/me/delete", Call::Forget, CHAT),
    (Method::Post, "/api/send/check", Call::Check, CHAT),
    (Method::Post, "/api/send", Call::Send, CHAT),
    (Method::Post, "/api/action", Call::Action, CHAT),
    (Method::Post, "/api/turn/retry", Call::Retry, CHAT),
    (Method::Post, "/api/turn/edit", Call::Edit, CHAT),
    (Method::Post, "/api/stop", Call::Stop, CHAT),
    (Method::Post, "/api/cancel", Call::Cancel, CHAT),
    (Method::Get, "/api/result", Call::Result, READ),
    (Method::Get, "/api/events", Call::Events, READ),
    (Method::Get, "/api/poll", Call::Poll, READ),
    (Method::Get, "/api/frames", Call::Frames, READ),
    (Method::Get, "/api/turn", Call::Turn, READ),
    (Method::Post, "/api/call/rerun", Call::Rerun, CHAT),
    (Method::Get, "/api/turn/test", Call::TurnTest, READ),
    (Method::Post, "/api/clear", Call::Clear, CHAT),
    (Method::Get, "/api/state", Call::State, READ),
    (Method::Get, "/api/history", Call::History, READ),
    (Method::Get, "/api/graph/active", Call::Graph, READ),
    (Method::Get, "/api/graph/prompt", Call::Prompt, READ),
    (Method::Get, "/api/graph/list", Call::GraphList, READ),
    (Method::Post, "/api/graph/switch", Call::Switch, CHAT),
    (Method::Post, "/api/test/status", Call::Report, TESTS),
    (Method::Get, "/api/test/status", Call::Reports, TESTS),
    (Method::Get, "/api/tests", Call::LastRun, TESTS),
    (Method::Get, "/api/tests/suites", Call::Suites, TESTS),
    (Method::Post, "/api/tests/run", Call::StartTests, TESTS),
    (Method::Get, "/api/trace", Call::Trace, READ),
    (Method::Get, "/api/sessions", Call::Sessions, READ),
    (Method::Post, "/api/sessions/rename", Call::Rename, CHAT),
    (Method::Post, "/api/sessions/delete", Call::Delete, CHAT),
    (Method::Post, "/api/sessions/fork", Call::Fork, CHAT),
    (Method::Get, "/api/sessions/export", Call::Export, READ),
    (Method::Post, "/api/feedback", Call::Feedback, CHAT),
    (Method::Get, "/api/turns", Call::Turns, READ),
    (Method::Get, "/ws", Call::WebSocket(Show::Chat), CHAT),
    (Method::Get, "/ws/trace", Call::WebSocket(Show::Trace), READ),
    (Method::Get, "/ws/test", Call::WebSocket(Show::Tests), TESTS),
];

const GET: Headers = &[("allow", "GET, HEAD")];
const POST: Headers = &[("allow", "POST")];
const BOTH: Headers = &[("allow", "GET, HEAD, POST")];
const ALL: Headers = &[("allow", "GET, HEAD, OPTIONS, POST")];
const UPGRADE: Headers = &[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13")];

/// Body of `/health` while serving, which never changes. `io` is the event loop that the answer comes through.
pub(super) fn healthy(about: &Map<String, Value>, io: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        status: &'static str,
        #[serde(flatten)]
        about: &'a Map<String, Value>,
        io: &'a str,
    }
    json::write(&Body { status: "ok", about, io })
}

/// What a route needs to know of the shard beside its settings.
pub(super) struct Server<'a> {
    pub(super) settings: &'a Settings,
    /// Body of `/health` while serving.
    pub(super) healthy: &'a [u8],
    pub(super) is_draining: bool,
    /// Whether users sign in, and body of `/auth/config`.
    pub(super) has_sign_in: bool,
    pub(super) auth_config: &'a Value,
    /// The issuer's keys are here, or there is no issuer.
    pub(super) has_keys: bool,
    /// Why the journal can't be written.
    pub(super) journal: Option<&'a Refusal>,
    /// Body of `/version`.
    pub(super) version: &'a Value,
    pub(super) date: &'a str,
    pub(super) utc_offset_minutes: i32,
}

type Outcomes = Result<Outcome, Refusal>;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) id: RouteId,
    call: Call,
    /// What its caller must be allowed to do; nothing: anyone may make it.
    pub(super) scope: Option<Scope>,
}

/// A row of the table as metrics know it; behind the rows are files, and then everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouteId(pub(super) u8);

impl RouteId {
    pub(super) const FILE: RouteId = RouteId(TABLE.len() as u8);
    pub(super) const OTHER: RouteId = RouteId(TABLE.len() as u8 + 1);
}

/// How many there are.
pub(super) fn count() -> usize {
    TABLE.len() + 2
}

/// What each is called, with all that share the name: a path may be there for more than one method.
pub(super) fn labels() -> impl Iterator<Item = (&'static str, Vec<RouteId>)> {
    let id = |at: usize| RouteId(u8::try_from(at).expect("the table is short"));
    let is_first = |at: &usize| !TABLE[..*at].iter().any(|(_, path, ..)| *path == TABLE[*at].1);
    let same = move |path: &str| (0..TABLE.len()).filter(|at| TABLE[*at].1 == path).map(id).collect();
    let rows = (0..TABLE.len()).filter(is_first).map(move |at| (TABLE[at].1, same(TABLE[at].1)));
    rows.chain([("file", vec![RouteId::FILE]), ("other", vec![RouteId::OTHER])])
}

impl Route {
    /// Whether it is for the tools of operators rather than for users.
    pub(super) fn is_of_operators(&self) -> bool {
        use Call::{Alive, Health, Metrics, Ready, Version};
        matches!(self.call, Health | Alive | Ready | Version | Metrics)
    }

    pub(super) fn is_metrics(&self) -> bool {
        self.call == Call::Metrics
    }

    /// What a WebSocket of this route shows.
    pub(super) fn show(&self) -> Option<Show> {
        if let Call::WebSocket(show) = self.call { Some(show) } else { None }
    }

    /// Whether administrators may make this call about another user.
    pub(super) fn is_about_anyone(&self) -> bool {
        use Call::{Events, Export, Frames, LastRun, Reports, Rerun, Sessions, Trace, Turn, TurnTest, Turns, WebSocket};
        let is_kept = matches!(self.call, Sessions | Export | Rerun | TurnTest | Turns);
        is_kept || matches!(self.call, Frames | Turn | Trace | Events | Reports | LastRun | WebSocket(Show::Trace | Show::Tests))
    }

    /// Whether a request is about all users, which is for administrators.
    pub(super) fn is_about_all(&self, request: &Request) -> bool {
        self.call == Call::Turns && is_about_all(request)
    }
}

impl Route {
    /// What the audit log calls it, where it is for that.
    pub(super) fn audited(&self) -> Option<&'static str> {
        match self.call {
            Call::Switch => Some("switch_graph"),
            Call::Clear => Some("clear"),
            Call::Forget => Some("delete_data"),
            Call::Delete => Some("delete_session"),
            Call::Doctor => Some("doctor"),
            Call::StartTests => Some("start_tests"),
            _ => None,
        }
    }

    /// The graph that a request switches to.
    pub(super) fn graph_of(&self, request: &Request) -> Option<String> {
        let body = Some(request).filter(|_| self.call == Call::Switch).and_then(|request| said::object(&request.body).ok())?;
        Some(clip(body.get("name")?.as_str()?, NAME_BYTES_MAX))
    }
}

/// Whether `/api/turns` is to list those of all users.
fn is_about_all(request: &Request) -> bool {
    request.query("all").is_some_and(|all| all == "true")
}

/// What the audit log shows of a name that a client sent.
const NAME_BYTES_MAX: usize = 80;

/// The row of a request's path and method, where there is one.
pub(super) fn find(request: &Request) -> Option<Route> {
    let method = read_as(request.method);
    let at = TABLE.iter().position(|(verb, path, ..)| *verb == method && *path == request.path())?;
    let (.., call, scope) = TABLE[at];
    Some(Route { id: RouteId(at as u8), call, scope })
}

/// What is answered to HEAD is that to GET without the body.
fn read_as(method: Method) -> Method {
    if method == Method::Head { Method::Get } else { method }
}

/// Finds out what a request of `user` asks for.
pub(super) fn route(server: &Server<'_>, request: &Request, route: Option<&Route>, user: User, framing: &Framing) -> Outcome {
    if request.method == Method::Options && framing.allow_origin.is_some() {
        return Outcome::Reply(Reply::of(Vec::new()), PREFLIGHT);
    }
    if server.settings.conformance
        && let Some(outcome) = echo(server, request, &user, framing)
    {
        return outcome;
    }
    match (request.method, request.path()) {
        (Method::Options, "*") => return Outcome::Reply(Reply::of(Vec::new()), ALL),
        (Method::Unknown, _) => return refused(UNKNOWN_METHOD, ALL),
        _ => {}
    }
    if let Some(route) = route {
        return make(server, request, route.call, user, framing).unwrap_or_else(|refusal| refused(refusal, &[]));
    }
    let method = read_as(request.method);
    let rows = || TABLE.iter().filter(|(_, path, ..)| *path == request.path());
    let has = |verb| rows().any(|(known, ..)| *known == verb);
    match (has(Method::Get), has(Method::Post)) {
        (true, true) => refused(WRONG_METHOD, BOTH),
        (true, false) => refused(WRONG_METHOD, GET),
        (false, true) => refused(WRONG_METHOD, POST),
        (false, false) => match server.settings.files.find(request) {
            Lookup::Nothing => refused(NOTHING_HERE, &[]),
            _ if method != Method::Get => refused(WRONG_METHOD, GET),
            Lookup::Found(file) if file.is_another(request) => refused(ANOTHER_VERSION, &[]),
            Lookup::Found(file) => Outcome::File(file),
            Lookup::OnDisk(name) => Outcome::Job(Job::File { name }),
        },
    }
}

/// What a page of a listed origin may send.
const PREFLIGHT: Headers = &[
    ("access-control-allow-methods", "GET, HEAD, POST"),
    (
        "access-control-allow-headers",
        "authorization, content-type, idempotency-key, last-event-id, traceparent, x-session-id, x-utc-offset",
    ),
    ("access-control-max-age", "600"),
];
const WRONG_METHOD: Refusal = Refusal::new(Code::MethodNotAllowed, "this path takes another method: see the Allow header");
const UNKNOWN_METHOD: Refusal = Refusal::new(Code::NotImplemented, "this method is unknown here: see the Allow header");
const ANOTHER_VERSION: Refusal = Refusal::new(Code::PreconditionFailed, "the file has changed: none of the tags of If-Match is its own");
const NOTHING_HERE: Refusal = Refusal::new(Code::NotFound, "there is nothing at this path");

const NO_TOKEN_FOR_TESTS: Refusal =
    Refusal::new(Code::MissingToken, "test suites call this server with your token: send it as `Authorization: Bearer <token>`");

fn refused(refusal: Refusal, headers: Headers) -> Outcome {
    Outcome::Reply(refusal.into(), headers)
}

/// What a server in conformance tests answers beside its calls.
fn echo(server: &Server<'_>, request: &Request, user: &User, framing: &Framing) -> Option<Outcome> {
    match request.path() {
        "/" => Some(Outcome::File(files::repeated(request.body.clone()))),
        "/ws/echo" => {
            let from = caller(user, request, server.utc_offset_minutes);
            Some(
                upgrade(server, request, Show::Echo, &user.sub, user.clone(), from, framing)
                    .unwrap_or_else(|refusal| refused(refusal, &[])),
            )
        }
        _ => None,
    }
}

fn make(server: &Server<'_>, request: &Request, call: Call, user: User, framing: &Framing) -> Outcomes {
    // The most frequent of all, which need to know nobody.
    match call {
        Call::Health => return Ok(Outcome::Reply(health(server), &[])),
        Call::Alive => return Ok(Outcome::RollCall(RollCall::Alive)),
        Call::Ready => return Ok(Outcome::Reply(operator::ready(server), &[])),
        Call::Version => return Ok(Outcome::Reply(Reply::ok(&server.version), &[])),
        Call::Metrics => return Ok(Outcome::RollCall(RollCall::Metrics(Format::of(request.header("accept"))))),
        _ => {}
    }
    let from = caller(&user, request, server.utc_offset_minutes);
    // Only an administrator gets here with another's name.
    let sub = request.query("user").map_or_else(|| user.sub.clone(), Arc::from);
    let last = |default: usize| number(request, "last").unwrap_or(default);
    let mut webhook = None;
    let what = match call {
        Call::Health | Call::Alive | Call::Ready | Call::Version | Call::Metrics => unreachable!("answered above"),
        Call::AuthConfig => return Ok(Outcome::Reply(Reply::ok(&server.auth_config), &[])),
        Call::GraphList => return Ok(Outcome::Reply(Reply::ok(&server.settings.library.list()), &[])),
        Call::Doctor => return Ok(Outcome::Job(Job::Doctor)),
        Call::Suites => return Ok(Outcome::Job(Job::ListSuites)),
        Call::StartTests if server.is_draining => return Err(Refusal::new(Code::Draining, DRAINING)),
        // With a body that must be JSON, because a page of another site can't send that here without being allowed to.
        Call::StartTests => {
            let (sub, token) = (user.sub.clone(), bearer(request).map(str::to_owned));
            if server.has_sign_in && token.is_none() {
                return Err(NO_TOKEN_FOR_TESTS);
            }
            return Ok(Outcome::Job(Job::StartTests { sub, body: body(request)?, token }));
        }
        Call::WebSocket(show) => return upgrade(server, request, show, &sub, user, from, framing),
        Call::Events => return events(server, request, &sub, user, from, framing),
        Call::Me => {
            let what = What::Kept { user: Box::new(user) };
            return Ok(Outcome::Everywhere(Box::new(Operation { key: Key::of(&sub, request)?, from, address: None, webhook: None, what })));
        }
        Call::Forget => {
            optional_body(request)?;
            return Ok(Outcome::Everywhere(Box::new(Operation {
                key: Key::of(&sub, request)?,
                from,
                address: None,
                webhook: None,
                what: What::Forget,
            })));
        }
        Call::Check => {
            optional_body(request)?;
            What::Check
        }
        Call::Send | Call::Action => {
            let mut body = message_body(server, request, "id")?;
            let client_id = body.get("id").and_then(Value::as_str).and_then(|id| said::parse_client_id(id).ok());
            let parse = if call == Call::Send { said::message } else { said::action };
            let asked = outbox::webhook(server.settings, &mut body);
            match asked.and_then(|asked| Ok((asked, parse(body, from.clone())?))) {
                Ok((asked, input)) => {
                    webhook = asked;
                    What::Send(input)
                }
                Err(refusal) => return Ok(Outcome::Reply(Reply::refused(&refusal, client_id.as_ref()), &[])),
            }
        }
        Call::Retry | Call::Edit => {
            let mut body = message_body(server, request, "client_id")?;
            let key = match body.remove("session") {
                Some(Value::String(session)) if !Key::is_stated(request) => Key::named(&sub, &session)?,
                _ => Key::of(&sub, request)?,
            };
            let client_id = body.get("client_id").and_then(Value::as_str).and_then(|id| said::parse_client_id(id).ok());
            let parse = if call == Call::Retry { said::retry } else { said::edit };
            return Ok(match parse(body, from.clone()) {
                Ok(input) => {
                    let shard = placed(server, &key, false);
                    Outcome::Operation(Box::new(Operation { key, from, address: None, webhook: None, what: What::Send(input) }), shard)
                }
                Err(refusal) => Outcome::Reply(Reply::refused(&refusal, client_id.as_ref()), &[]),
            });
        }
        Call::Stop => What::End(said::stop(&optional_body(request)?)?),
        Call::Cancel => What::End(said::cancel(&body(request)?)?),
        Call::Result => What::Result,
        Call::Poll => What::Poll { since: request.query("since").unwrap_or_default() },
        Call::Frames => What::Frames { last: last(5) },
        Call::Turn => What::Turn(turn(request, "id")?.ok_or(NO_TURN)?),
        Call::TurnTest => {
            let turn = turn(request, "id")?.ok_or(NO_TURN)?;
            return journal(server, JournalJob::TurnTest { name: queries::name(&Key::of(&sub, request)?), turn });
        }
        Call::Rerun => {
            let body = message_body(server, request, "id")?;
            if !(server.settings.rerun || user.scopes.has(Scope::Admin)) {
                return Err(RERUN_OFF);
            }
            What::Rerun(Box::new(Rerun::parse(body, user.sub.clone())?))
        }
        Call::Clear => {
            optional_body(request)?;
            What::Clear
        }
        Call::State => What::State,
        Call::History => {
            let (last, before) = (last(10), turn(request, "before")?);
            match before.filter(|_| server.settings.keeping.is_some()) {
                Some(before) => return journal(server, queries::history(Key::of(&sub, request)?, before, last)),
                None => What::History { last, before },
            }
        }
        Call::Delete => {
            optional_body(request)?;
            What::Delete
        }
        // On the new session's shard, which must know that there is one now.
        Call::Fork => {
            let (to, job) = queries::fork(&Key::of(&sub, request)?, &bounded_body(server, request)?, &from)?;
            if server.settings.keeping.is_none() {
                return Err(NO_JOURNAL);
            }
            let shard = placed(server, &to, false);
            let what = What::Fork(Box::new(job));
            return Ok(Outcome::Operation(Box::new(Operation { key: to, from, address: None, webhook: None, what }), shard));
        }
        Call::Sessions => return journal(server, queries::sessions(&sub, request, server.has_sign_in)?),
        Call::Turns => {
            return journal(server, queries::turns(Key::of(&sub, request)?, request, server.has_sign_in, is_about_all(request))?);
        }
        Call::Export => return journal(server, queries::export(Key::of(&sub, request)?, request)?),
        Call::Rename => return journal(server, queries::rename(Key::of(&sub, request)?, &body(request)?)?),
        Call::Feedback => return journal(server, queries::rate(Key::of(&sub, request)?, &body(request)?)?),
        Call::Graph => What::Graph,
        Call::Prompt => match request.query("node").filter(|node| !node.is_empty()) {
            Some(node) => What::Prompt { node, text: request.query("text").filter(|text| !text.trim().is_empty()) },
            None => return Err(Refusal::new(Code::InvalidParameter, "`node` is missing: `/api/graph/active` lists the nodes")),
        },
        Call::Switch => What::Switch(said::switch(body(request)?, from.clone())?),
        Call::Report => What::Report(body(request)?),
        Call::Reports => What::Reports,
        // The file belongs to the person who ran tests on this machine.
        Call::LastRun => What::LastRun { may_read_file: !server.has_sign_in || user.scopes.has(Scope::Admin) },
        Call::Trace => What::Trace { last: last(30) },
    };
    let key = Key::of(&sub, request)?;
    let shard = placed(server, &key, what.is_of_user());
    Ok(Outcome::Operation(Box::new(Operation { key, from, address: None, webhook, what }), shard))
}

const NO_TURN: Refusal = Refusal::new(Code::InvalidParameter, "`id` is missing: name a turn as `msg_<n>`");

fn journal(server: &Server<'_>, job: JournalJob) -> Outcomes {
    if server.settings.keeping.is_none() {
        return Err(NO_JOURNAL);
    }
    Ok(Outcome::Job(Job::Journal(Box::new(job))))
}

fn health(server: &Server<'_>) -> Reply {
    if server.is_draining {
        let body = json!({ "status": "draining", "detail": DRAINING, "code": Code::Draining });
        return Reply { status: 503, ..Reply::of(json::write(&body)) };
    }
    Reply::of(server.healthy.to_vec())
}

fn upgrade(server: &Server<'_>, request: &Request, show: Show, sub: &Arc<str>, user: User, caller: Caller, framing: &Framing) -> Outcomes {
    let accept = match websocket::accept(request) {
        Ok(accept) => accept,
        Err(reason @ NoUpgrade::NotAsked) => return Ok(refused(Refusal::new(Code::UpgradeRequired, reason.sentence()), UPGRADE)),
        Err(reason @ NoUpgrade::Key) => return Err(Refusal::new(Code::InvalidWebSocketKey, reason.sentence())),
    };
    let key = Key::of(sub, request)?;
    let since = since(request.query("since"))?;
    let protocol = request.lists("sec-websocket-protocol", "bearer").then_some("bearer");
    let mut head = Vec::new();
    websocket::write_switch(&mut head, framing.manner(server.date), &accept, protocol);
    let shard = placed(server, &key, matches!(show, Show::Tests | Show::Echo));
    Ok(Outcome::Stream(
        Box::new(Attach { show, key, user, caller, address: None, admitted_by: None, since, head, leftover: Vec::new() }),
        shard,
    ))
}

fn events(server: &Server<'_>, request: &Request, sub: &Arc<str>, user: User, caller: Caller, framing: &Framing) -> Outcomes {
    let key = Key::of(sub, request)?;
    let since = since(request.header("last-event-id").map(str::to_owned).or_else(|| request.query("since")))?;
    let show = turn(request, "turn")?.map_or(Show::Events, Show::Turn);
    let mut head = Vec::new();
    sse::write_head(&mut head, framing.manner(server.date), framing.allow_origin.as_deref());
    if framing.head_only {
        return Ok(Outcome::Head(head));
    }
    let shard = placed(server, &key, false);
    Ok(Outcome::Stream(
        Box::new(Attach { show, key, user, caller, address: None, admitted_by: None, since, head, leftover: Vec::new() }),
        shard,
    ))
}

fn placed(server: &Server<'_>, key: &Key, is_of_user: bool) -> ShardId {
    let shards = server.settings.shards;
    if is_of_user { shard_of_user(&key.sub, shards) } else { key.shard(shards) }
}

fn since(stated: Option<String>) -> Result<Option<u64>, Refusal> {
    let Some(stated) = stated.filter(|stated| !stated.is_empty()) else { return Ok(None) };
    let wrong = Refusal::new(Code::InvalidParameter, "`since` must be a number: the `seq` or `id` of the last event that was seen");
    stated.parse().map(Some).map_err(|_| wrong)
}

/// The turn that a parameter names, where it is there.
pub(super) fn turn(request: &Request, name: &str) -> Result<Option<TurnId>, Refusal> {
    let Some(stated) = request.query(name) else { return Ok(None) };
    let wrong = || Refusal::with(Code::InvalidParameter, format!("`{name}` must name a turn as `msg_<n>`"));
    stated.parse().map(Some).map_err(|_| wrong())
}

/// A number that is clamped later: what is too large for one is as large as can be, what is below 1 is 0.
pub(super) fn number(request: &Request, name: &str) -> Option<usize> {
    let stated = request.query(name)?;
    let digits = stated.strip_prefix('-').unwrap_or(&stated);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match (is_number, stated.starts_with('-')) {
        (true, true) => Some(0),
        (true, false) => Some(digits.parse().unwrap_or(usize::MAX)),
        (false, _) => None,
    }
}

/// The body of what begins a turn, with the name that its client gave it in the header as this field.
fn message_body(server: &Server<'_>, request: &Request, field: &str) -> Result<Map<String, Value>, Refusal> {
    let mut body = bounded_body(server, request)?;
    if let Some(key) = request.header("idempotency-key") {
        body.entry(field).or_insert_with(|| key.into());
    }
    Ok(body)
}

/// The body of a call with a message in it.
fn bounded_body(server: &Server<'_>, request: &Request) -> Result<Map<String, Value>, Refusal> {
    if request.body.len() > server.settings.message_bytes_max {
        return Err(too_large(server.settings));
    }
    body(request)
}

pub(super) fn too_large(settings: &Settings) -> Refusal {
    let most = settings.message_bytes_max / 1024;
    Refusal::with(Code::MessageTooLarge, format!("the message is too large: send at most {most} KiB"))
}

/// The body of a call that needs one.
fn body(request: &Request) -> Result<Map<String, Value>, Refusal> {
    if request.body.is_empty() {
        return Err(Refusal::new(Code::BodyMissing, "the body is missing: send a JSON object"));
    }
    optional_body(request)
}

/// The body of a call that needs none; if one comes all the same, it must be what every body is.
fn optional_body(request: &Request) -> Result<Map<String, Value>, Refusal> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    if !request.is_json() {
        let detail = "the body must be JSON: send it with `content-type: application/json`";
        return Err(Refusal::new(Code::UnsupportedMediaType, detail));
    }
    said::object(&request.body)
}

/// Every call, and the scope that it needs, for tests that must know all.
#[cfg(test)]
pub(super) fn table() -> impl Iterator<Item = (&'static str, &'static str, Option<&'static str>)> {
    let verb = |method| if method == Method::Get { "GET" } else { "POST" };
    TABLE.iter().map(move |(method, path, _, scope)| (verb(*method), *path, scope.map(Scope::name)))
}
