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

/// The token that a request brings.
pub(super) fn bearer(request: &Request) -> Option<String> {
    let (scheme, token) = request.header("authorization")?.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim().to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::{Limits, Reader, Step};

    #[test]
    fn a_caller_comes_from_the_origin_else_the_host_and_may_state_an_offset() {
        for (target, headers, channel, utc_offset_minutes) in [
            ("/", "", "h:1", 60),
            ("/", "Origin: https://o\r\nX-Utc-Offset: -330\r\n", "https://o", -330),
            ("/?utc_offset=120", "", "h:1", 120),
            ("/?utc_offset=841", "", "h:1", 60),
            ("/", "X-Utc-Offset: noon\r\n", "h:1", 60),
        ] {
            let mut buffer = format!("GET {target} HTTP/1.1\r\nHost: h:1\r\n{headers}\r\n").into_bytes();
            let limits = Limits { head_bytes_max: 1000, body_bytes_max: 0 };
            let Step::Request(request) = Reader::new(limits).step(&mut buffer) else { panic!("a whole request") };
            let expected = Caller { identity: "anonymous".to_owned(), channel: channel.to_owned(), utc_offset_minutes };
            assert_eq!(caller(&identify(&request), &request, 60), expected, "{target} {headers}");
        }
    }
}
