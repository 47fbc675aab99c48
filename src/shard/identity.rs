//! Users, their sessions, and on which shard each lives.
//!
//! A session belongs to its user's `sub`: the key is both, so no name reaches another user's session. The same key leads to
//! the same shard for as long as the server runs; nothing else decides where a session lives. Who a request is from is
//! decided in `sign_in.rs`.

use super::ids::ShardId;
use crate::auth::{ANONYMOUS, KeyHash, LEEWAY_S, Names, Peer, Scopes};
use crate::contract::{Caller, Code, Moment, Now, Refusal, TraceContext};
use crate::wire::http::Request;
use sha2::{Digest, Sha256};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub sub: Arc<str>,
    /// The user's name, else the preferred one, else `sub`.
    pub identity: Arc<str>,
    pub email: Option<Arc<str>>,
    pub scopes: Scopes,
    /// Their token does not hold their name; userinfo may.
    pub is_nameless: bool,
    /// When the token expires that signed them in, in seconds since the epoch.
    pub expires_s: Option<u64>,
    /// The API key that did.
    pub key: Option<KeyHash>,
    /// The proxy that did.
    pub proxy: Option<ProxiedBy>,
}

/// A proxy that named a user, and the header that it did it in, which is in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxiedBy {
    pub peer: Peer,
    pub header: Arc<str>,
}

impl User {
    pub fn anonymous() -> User {
        User {
            sub: ANONYMOUS.into(),
            identity: ANONYMOUS.into(),
            email: None,
            scopes: Scopes::USER,
            is_nameless: false,
            expires_s: None,
            key: None,
            proxy: None,
        }
    }

    /// Takes over what a token or userinfo says of them.
    pub(super) fn is_called(&mut self, names: &Names) {
        if let Some(shown) = names.shown() {
            self.identity = shown.into();
        }
        if let Some(email) = &names.email {
            self.email = Some(email.as_str().into());
        }
    }

    /// When a stream of theirs ends: when the token expires, or a little later if the issuer's clock is behind ours.
    pub(super) fn ends(&self, now: Now) -> Option<Moment> {
        let us = |seconds: u64| seconds.saturating_mul(1_000_000);
        let expires_us = us(self.expires_s?);
        let left_us =
            if expires_us > now.wall.0 { expires_us - now.wall.0 } else { (expires_us + us(LEEWAY_S)).saturating_sub(now.wall.0) };
        Some(Moment(now.moment.0.saturating_add(left_us)))
    }
}

/// A session of a user. Nobody can name another user's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub sub: Arc<str>,
    pub id: Arc<str>,
}

/// The user as a session gets to know them. `utc_offset_minutes` is used where the request states none.
pub fn caller(user: &User, request: &Request, utc_offset_minutes: i32) -> Caller {
    let stated = request.header("x-utc-offset").map(str::to_owned).or_else(|| request.query("utc_offset"));
    let stated = stated.and_then(|minutes| minutes.trim().parse().ok()).filter(|minutes| (-840..=840).contains(minutes));
    Caller {
        identity: (*user.identity).to_owned(),
        channel: request.header("origin").unwrap_or_else(|| request.host()).to_owned(),
        utc_offset_minutes: stated.unwrap_or(utc_offset_minutes),
        // One that can't be read, and more than one, are as if none were there.
        trace: request.only("traceparent").and_then(|text| text.parse().ok()).map(TraceContext::called),
    }
}

impl Key {
    /// The session that a request names, of the user `sub`.
    pub fn of(sub: &Arc<str>, request: &Request) -> Result<Key, Refusal> {
        let id = request.query("session").or_else(|| request.header("x-session-id").map(str::to_owned));
        Key::named(sub, id.as_deref().unwrap_or("default"))
    }

    /// Whether the request names a session beside its body.
    pub(super) fn is_stated(request: &Request) -> bool {
        request.query("session").is_some() || request.has("x-session-id")
    }

    /// The session of this name, of the user `sub`.
    pub(super) fn named(sub: &Arc<str>, id: &str) -> Result<Key, Refusal> {
        if Key::is_id(id) {
            Ok(Key { sub: sub.clone(), id: id.into() })
        } else {
            Err(Refusal::new(Code::InvalidSession, "a session's name is 1 to 64 letters, digits, `_` and `-`"))
        }
    }

    /// Whether a session may be called this.
    pub(super) fn is_id(id: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (1..=64).contains(&id.len()) && id.bytes().all(plain)
    }

    /// The session's name for the pool and its tapes: unique across users. A session's id has no slash.
    pub fn owner(&self) -> Arc<str> {
        if &*self.sub == ANONYMOUS { self.id.clone() } else { format!("{}/{}", self.sub, self.id).into() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Time;

    #[test]
    fn sessions_of_different_users_have_different_names_for_the_pool() {
        let owner = |sub: &str, id: &str| Key { sub: sub.into(), id: id.into() }.owner().to_string();
        assert_eq!(owner(ANONYMOUS, "default"), "default");
        assert_ne!(owner("a/b", "c"), owner("a", "b"));
        assert_ne!(owner("ada", "default"), owner("eve", "default"));
    }

    #[test]
    fn a_stream_ends_with_its_token_or_after_the_leeway_if_that_has_passed() {
        let now = Now { moment: Moment(500), wall: Time(1_000_000_000) };
        for (expires_s, expected) in [
            (None, None),
            (Some(1_001), Some(1_000_500)),
            (Some(1_000), Some(60_000_500)),
            (Some(950), Some(10_000_500)),
            (Some(u64::MAX), Some(u64::MAX)),
        ] {
            let ends = User { expires_s, ..User::anonymous() }.ends(now);
            match expected {
                Some(u64::MAX) => assert!(ends > Some(Moment(u64::MAX / 2))),
                _ => assert_eq!(ends, expected.map(Moment), "{expires_s:?}"),
            }
        }
    }
}
