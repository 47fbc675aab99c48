//! Who is asking, which session they mean, and on which shard it lives.
//!
//! Without an issuer every caller is the anonymous user. Tokens will be checked in [`identify`]; nothing else needs to know
//! of them. The same key leads to the same shard for as long as the server runs; nothing else decides where a session lives.

use super::ids::ShardId;
use crate::contract::{Caller, Code, Refusal};
use crate::wire::http::Request;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    pub sub: Arc<str>,
    /// The user's name, else the preferred one, else `sub`.
    pub identity: Arc<str>,
}

/// A session of a user. Nobody can name another user's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub sub: Arc<str>,
    pub id: Arc<str>,
}

/// Finds out whose request this is.
pub fn identify(_request: &Request) -> User {
    User { sub: "anonymous".into(), identity: "anonymous".into() }
}

/// The token that a request carries.
pub fn bearer(request: &Request) -> Option<String> {
    let (scheme, token) = request.header("authorization")?.trim().split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty()).then(|| token.trim().to_owned())
}

/// Body of `/auth/config`: what the page needs to log in.
pub fn config() -> Value {
    json!({ "enabled": false, "issuer": null, "clientId": null, "projectId": null })
}

/// The user as a session gets to know them. `utc_offset_minutes` is used where the request states none.
pub fn caller(user: &User, request: &Request, utc_offset_minutes: i32) -> Caller {
    let stated = request.header("x-utc-offset").map(str::to_owned).or_else(|| request.query("utc_offset"));
    let stated = stated.and_then(|minutes| minutes.trim().parse().ok()).filter(|minutes| (-840..=840).contains(minutes));
    Caller {
        identity: (*user.identity).to_owned(),
        channel: request.header("origin").unwrap_or_else(|| request.host()).to_owned(),
        utc_offset_minutes: stated.unwrap_or(utc_offset_minutes),
    }
}

impl Key {
    /// The session that a request names.
    pub fn of(user: &User, request: &Request) -> Result<Key, Refusal> {
        let id = request.query("session").or_else(|| request.header("x-session-id").map(str::to_owned));
        let id = id.unwrap_or_else(|| "default".to_owned());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if (1..=64).contains(&id.len()) && id.bytes().all(plain) {
            Ok(Key { sub: user.sub.clone(), id: id.into() })
        } else {
            Err(Refusal::new(Code::InvalidSession, "a session's name is 1 to 64 letters, digits, `_` and `-`"))
        }
    }

    /// Tells sessions apart in a log without naming anyone.
    pub fn hashed(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.sub.as_bytes());
        hasher.update([0]);
        hasher.update(self.id.as_bytes());
        super::hex(&hasher.finalize()[..6])
    }

    pub fn shard(&self, shards: usize) -> ShardId {
        place(self, shards)
    }
}

/// The shard of what belongs to a user rather than to a session.
pub fn shard_of_user(sub: &str, shards: usize) -> ShardId {
    place(&sub, shards)
}

fn place(thing: &impl Hash, shards: usize) -> ShardId {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    ShardId(usize::try_from(hasher.finish() % shards as u64).expect("less than the number of shards"))
}
