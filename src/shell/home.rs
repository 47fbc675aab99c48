//! Which session a request means, and on which shard it lives.
//!
//! The same key leads to the same shard for as long as the server runs; nothing else decides where a session lives.

use super::auth::User;
use crate::wire::http::Request;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// A session of a user. Nobody can name another user's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) sub: Arc<str>,
    pub(super) id: Arc<str>,
}

impl Key {
    /// The session that a request names, or why it names none.
    pub(super) fn of(user: &User, request: &Request) -> Result<Key, &'static str> {
        let id = request.query("session").or_else(|| request.header("x-session-id").map(str::to_owned));
        let id = id.unwrap_or_else(|| "default".to_owned());
        let sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        match (1..=64).contains(&id.len()) && id.bytes().all(sign) {
            true => Ok(Key { sub: user.sub.clone(), id: id.into() }),
            false => Err("a session's name is 1 to 64 letters, digits, `_` and `-`"),
        }
    }

    pub(super) fn shard(&self, shards: usize) -> usize {
        place(self, shards)
    }
}

/// The shard of what belongs to a user rather than to a session.
pub(super) fn shard_of_user(sub: &str, shards: usize) -> usize {
    place(&sub, shards)
}

fn place(thing: &impl Hash, shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    thing.hash(&mut hasher);
    usize::try_from(hasher.finish() % shards as u64).expect("less than the number of shards")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_spread_over_the_shards_and_stay_where_they_are() {
        let key = |n: usize| Key { sub: "anonymous".into(), id: n.to_string().into() };
        let mut counts = [0; 4];
        for n in 0..1000 {
            counts[key(n).shard(4)] += 1;
            assert_eq!(key(n).shard(4), key(n).shard(4));
        }
        assert!(counts.iter().all(|count| (150..400).contains(count)), "{counts:?}");
    }
}
