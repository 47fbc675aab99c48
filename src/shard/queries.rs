//! What a request wants of the journal: its parameters, checked, as a [`JournalJob`].
//!
//! Every job names the user whom the request is from, or the one whom an administrator named: no other can be reached.

use super::bounds::{COMMENT_CHARS_MAX, NAMED_SESSIONS_MAX, PAGE, PAGE_MAX, TITLE_CHARS_MAX};
use super::fork::{Begins, Fork};
use super::identity::Key;
use super::journal_job::{ExportFormat, JournalJob, Sent};
use super::routes::number;
use crate::contract::journal::{Name, Place, SessionQuery, TurnOrder, TurnQuery};
use crate::contract::{Caller, Code, Memory, Refusal, Time, TurnId, clip};
use crate::wire::http::Request;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `/api/sessions/fork` takes.
const FORK_FIELDS: &[&str] = &["turn", "to", "message", "memory"];
/// What a refusal shows of a field's name.
const FIELD_BYTES_MAX: usize = 40;

const NAME_THEM: Refusal = Refusal::new(
    Code::InvalidParameter,
    "nobody signs in to this server, so sessions are listed only by name: send `ids` with up to 200 names, separated by commas",
);

fn invalid(detail: &'static str) -> Refusal {
    Refusal::new(Code::InvalidParameter, detail)
}

pub(super) fn name(key: &Key) -> Name {
    Name { user: (*key.sub).to_owned(), session: (*key.id).to_owned() }
}

/// `/api/sessions`. Where nobody signs in all are one user, who sees the sessions that they can name.
pub(super) fn sessions(sub: &Arc<str>, request: &Request, has_sign_in: bool) -> Result<JournalJob, Refusal> {
    let names = names(request)?;
    if !has_sign_in && names.is_empty() {
        return Err(NAME_THEM);
    }
    let before = match text(request, "before") {
        None => None,
        Some(before) => {
            let wrong = || invalid("`before` must be the `next` of the page before");
            let (used_at, session) = before.split_once('-').ok_or_else(wrong)?;
            let used_at = used_at.parse().map_err(|_| wrong())?;
            Some((Time(used_at), Name { user: (**sub).to_owned(), session: session.to_owned() }))
        }
    };
    let (search, limit) = (request.query("search"), limit(request)?);
    Ok(JournalJob::Sessions(SessionQuery { user: Some((**sub).to_owned()), names, search, before, limit }))
}

/// The part of `/api/me` that the journal has; of the session of this name alone, where nobody signs in.
pub(super) fn kept_of(key: &Key, is_one: bool) -> JournalJob {
    let names = if is_one { vec![(*key.id).to_owned()] } else { Vec::new() };
    JournalJob::KeptOf(SessionQuery { user: Some((*key.sub).to_owned()), names, limit: PAGE_MAX, ..SessionQuery::default() })
}

fn names(request: &Request) -> Result<Vec<String>, Refusal> {
    let Some(ids) = text(request, "ids") else { return Ok(Vec::new()) };
    let names: Vec<String> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect();
    if names.len() > NAMED_SESSIONS_MAX {
        return Err(invalid("`ids` names too many sessions: send at most 200"));
    }
    if !names.iter().all(|name| Key::is_id(name)) {
        return Err(Refusal::new(Code::InvalidSession, "a session's name is 1 to 64 letters, digits, `_` and `-`"));
    }
    // Blank is not the same as none: it names no session.
    if names.is_empty() { Err(invalid("`ids` names no session")) } else { Ok(names) }
}

/// `/api/turns`: of the sessions of this user, or of one that the request names; of all users where an administrator wants that.
pub(super) fn turns(key: Key, request: &Request, has_sign_in: bool, of_all: bool) -> Result<JournalJob, Refusal> {
    let session = (Key::is_stated(request) || !(has_sign_in || of_all)).then(|| (*key.id).to_owned());
    let status = text(request, "status");
    if !matches!(status.as_deref(), None | Some("done" | "error" | "cancelled")) {
        return Err(invalid("`status` must be `done`, `error` or `cancelled`"));
    }
    let is_degraded = match text(request, "degraded").as_deref() {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(invalid("`degraded` must be `true` or `false`")),
    };
    let rating = match text(request, "rating").as_deref() {
        None => None,
        Some("1") => Some(1),
        Some("-1") => Some(-1),
        Some(_) => return Err(invalid("`rating` must be `1` or `-1`")),
    };
    let order = match text(request, "sort").as_deref() {
        None | Some("latest") => TurnOrder::Latest,
        Some("slowest") => TurnOrder::Slowest,
        Some("first_token") => TurnOrder::SlowestFirstToken,
        Some("tokens") => TurnOrder::MostTokens,
        Some("cost") => TurnOrder::MostCost,
        Some(_) => return Err(invalid("`sort` must be `latest`, `slowest`, `first_token`, `tokens` or `cost`")),
    };
    let before = text(request, "before").map(|before| before.parse::<Place>()).transpose();
    let query = TurnQuery {
        // An administrator may list one user's among all.
        user: (!of_all || request.query("user").is_some()).then(|| (*key.sub).to_owned()),
        session,
        before: before.map_err(|_| invalid("`before` must be the `next` of the page before, in the same order"))?,
        status,
        is_degraded,
        path: text(request, "path"),
        graph: text(request, "graph"),
        rating,
        search: request.query("search"),
        order,
        min_total_us: at_least_ms(request, "min_ms")?,
        min_first_token_us: at_least_ms(request, "min_first_token_ms")?,
        min_tokens: at_least(request, "min_tokens")?,
        min_cost_micros: at_least(request, "min_cost_micros")?,
        limit: limit(request)?,
        ..TurnQuery::default()
    };
    Ok(JournalJob::Turns { query, of_all })
}

/// `/api/history?before=`. `last` counts messages; a page has whole turns, at least one.
pub(super) fn history(key: Key, before: TurnId, last: usize) -> JournalJob {
    JournalJob::History { name: name(&key), before, turns: (last / 2).clamp(1, PAGE_MAX) }
}

/// `/api/sessions/export`
pub(super) fn export(key: Key, request: &Request) -> Result<JournalJob, Refusal> {
    let format = match text(request, "format").as_deref() {
        None | Some("md") => ExportFormat::Markdown,
        Some("json") => ExportFormat::Json,
        Some(_) => return Err(invalid("`format` must be `md` or `json`")),
    };
    Ok(JournalJob::Export { name: name(&key), format })
}

/// `/api/sessions/rename`
pub(super) fn rename(key: Key, body: &Map<String, Value>) -> Result<JournalJob, Refusal> {
    let Some(Value::String(title)) = body.get("title") else {
        return Err(invalid("`title` is missing: send it as a string; an empty one restores the first question"));
    };
    if title.chars().count() > TITLE_CHARS_MAX {
        return Err(invalid("`title` is too long: send at most 1,000 characters, of which 80 are kept"));
    }
    Ok(JournalJob::Rename { name: name(&key), title: title.clone() })
}

/// `/api/sessions/fork`: the new session's key, and how it is made of this one.
pub(super) fn fork(key: &Key, body: &Map<String, Value>, from: &Caller) -> Result<(Key, JournalJob), Refusal> {
    // What the command line can do beyond this must not look as if it was done.
    if let Some(unknown) = body.keys().find(|field| !FORK_FIELDS.contains(&field.as_str())) {
        let unknown = clip(unknown, FIELD_BYTES_MAX);
        let detail = format!(
            "a fork has no field `{unknown}`: send `turn`, `to`, `message` and `memory` (operators: `framewright sessions fork` can also \
             continue at a frame or change prompts)"
        );
        return Err(Refusal::with(Code::InvalidParameter, detail));
    }
    let turn = body.get("turn").and_then(Value::as_str).and_then(|turn| turn.parse::<TurnId>().ok());
    let turn = turn.ok_or_else(|| invalid("`turn` is missing: name the turn before which to fork as `msg_<n>`"))?;
    let to = match body.get("to") {
        Some(Value::String(to)) if Key::is_id(to) => to.as_str(),
        None | Some(Value::Null) => return Err(invalid("`to` is missing: name the new session with 1 to 64 letters, digits, `_` and `-`")),
        Some(_) => return Err(invalid("`to` is not a session name: use 1 to 64 letters, digits, `_` and `-`")),
    };
    let message = match body.get("message") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => {
            return Err(Refusal::new(Code::MessageBlank, "the message is empty: send some text, or leave `message` out"));
        }
        Some(Value::String(text)) => Some(Box::new(Sent { text: text.clone(), from: from.clone(), address: None })),
        Some(_) => return Err(invalid("`message` must be a string")),
    };
    let memory = match body.get("memory") {
        None | Some(Value::Null) => None,
        Some(memory) => match serde_json::from_value::<Memory>(memory.clone()) {
            Ok(memory) => Some(memory),
            Err(_) => return Err(invalid("`memory` must be a whole memory, as `memorizer` in `/api/state` shows it")),
        },
    };
    let to = Key { sub: key.sub.clone(), id: to.into() };
    let (prompts, begins) = (BTreeMap::new(), Begins::Nothing);
    let fork = Box::new(Fork { of: name(key), to: name(&to), turn, frame: None, memory, prompts, begins });
    Ok((to, JournalJob::Fork { fork, message }))
}

/// `/api/feedback`
pub(super) fn rate(key: Key, body: &Map<String, Value>) -> Result<JournalJob, Refusal> {
    let turn = body.get("turn").and_then(Value::as_str).and_then(|turn| turn.parse::<TurnId>().ok());
    let turn = turn.ok_or_else(|| invalid("`turn` is missing: name a turn as `msg_<n>`"))?;
    let rating = match body.get("rating") {
        Some(Value::Null) => None,
        Some(rating) if rating.as_i64() == Some(1) => Some(1),
        Some(rating) if rating.as_i64() == Some(-1) => Some(-1),
        Some(_) | None => return Err(invalid("`rating` must be 1, -1, or null to take it back")),
    };
    let comment = match body.get("comment") {
        None | Some(Value::Null) => None,
        Some(Value::String(comment)) => Some(comment.trim()).filter(|comment| !comment.is_empty()).map(str::to_owned),
        Some(_) => return Err(invalid("`comment` must be a string")),
    };
    if comment.as_ref().is_some_and(|comment| comment.chars().count() > COMMENT_CHARS_MAX) {
        return Err(invalid("`comment` is too long: send at most 2,000 characters"));
    }
    Ok(JournalJob::Rate { name: name(&key), turn, rating, comment })
}

/// A parameter that isn't blank.
fn text(request: &Request, name: &str) -> Option<String> {
    request.query(name).filter(|text| !text.trim().is_empty())
}

fn limit(request: &Request) -> Result<usize, Refusal> {
    match text(request, "limit") {
        None => Ok(PAGE),
        Some(_) => match number(request, "limit") {
            Some(limit) => Ok(limit.clamp(1, PAGE_MAX)),
            None => Err(invalid("`limit` must be a whole number, up to 200")),
        },
    }
}

/// A lower bound that a list is filtered by.
fn at_least(request: &Request, name: &str) -> Result<Option<u64>, Refusal> {
    let wrong = |_| Refusal::with(Code::InvalidParameter, format!("`{name}` must be a whole number, at least 0"));
    text(request, name).map(|stated| stated.parse()).transpose().map_err(wrong)
}

/// A lower bound in milliseconds, in µs.
fn at_least_ms(request: &Request, name: &str) -> Result<Option<u64>, Refusal> {
    Ok(at_least(request, name)?.map(|ms: u64| ms.saturating_mul(1000)))
}
