//! Who is asking. Every request has a user; where no issuer is configured, that is the anonymous one.
//!
//! Tokens will be checked in [`identify`]; nothing else needs to know of them.

use crate::contract::Caller;
use crate::wire::http::Request;
use serde_json::{Value, json};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct User {
    pub(super) sub: Arc<str>,
    /// The user's name, else the preferred one, else `sub`.
    pub(super) identity: Arc<str>,
}

/// Finds out whose request this is.
pub(super) fn identify(_request: &Request) -> User {
    User { sub: "anonymous".into(), identity: "anonymous".into() }
}

/// Body of `/auth/config`: what the page needs to log in.
pub(super) fn config() -> Value {
    json!({ "enabled": false, "issuer": null, "clientId": null, "projectId": null })
}

/// The user as a session gets to know them. `utc_offset_minutes` is used where the request states none.
pub(super) fn caller(user: &User, request: &Request, utc_offset_minutes: i32) -> Caller {
    let stated = request.header("x-utc-offset").map(str::to_owned).or_else(|| request.query("utc_offset"));
    let stated = stated.and_then(|minutes| minutes.trim().parse().ok()).filter(|minutes| (-840..=840).contains(minutes));
    Caller {
        identity: (*user.identity).to_owned(),
        channel: request.header("origin").unwrap_or_else(|| request.host()).to_owned(),
        utc_offset_minutes: stated.unwrap_or(utc_offset_minutes),
    }
}
