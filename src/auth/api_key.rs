//! API keys: for programs, which can't sign in. The server knows only their hashes.
//!
//! A key is `fw_` and 32 random bytes, so its plain SHA-256 can't be reversed. The file that lists them is TOML:
//! `[keys.NAME]` with `sha256` and `scopes`; removing one revokes it.

use crate::contract::clip;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What every key begins with; no token does.
pub const KEY_PREFIX: &str = "fw_";
/// The most keys of a file.
const KEYS_MAX: usize = 10_000;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scope {
    /// Look at sessions of one's own: results, history, traces, events.
    Read = 1,
    /// Send messages and actions, stop, clear, switch; includes `Read`.
    Chat = 2,
    /// Run test suites and report results.
    Tests = 4,
    /// Look at other users' traces and tests; includes all others.
    Admin = 8,
    /// Read the server's metrics.
    Metrics = 16,
}

impl Scope {
    pub const ALL: [Scope; 5] = [Scope::Chat, Scope::Read, Scope::Tests, Scope::Metrics, Scope::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Chat => "chat",
            Scope::Tests => "tests",
            Scope::Admin => "admin",
            Scope::Metrics => "metrics",
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Scope::ALL.into_iter().find(|scope| scope.name() == text);
        found.ok_or_else(|| format!("there is no scope `{}`: choose chat, read, tests, metrics or admin", clip(text, 40)))
    }
}

/// A set of scopes, with all that they include.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// What a user has who has signed in.
    pub const USER: Scopes = Scopes(Scope::Read as u8 | Scope::Chat as u8 | Scope::Tests as u8);
    pub const ADMIN: Scopes = Scopes(Scopes::USER.0 | Scope::Metrics as u8 | Scope::Admin as u8);

    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Scopes {
        scopes.into_iter().fold(Scopes::default(), |all, scope| {
            Scopes(match scope {
                Scope::Read | Scope::Tests | Scope::Metrics => all.0 | scope as u8,
                Scope::Chat => all.0 | scope as u8 | Scope::Read as u8,
                Scope::Admin => all.0 | Scopes::ADMIN.0,
            })
        })
    }

    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope as u8 != 0
    }

    pub fn names(self) -> Vec<&'static str> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope)).map(Scope::name).collect()
    }
}

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    pub fn of(key: &str) -> KeyHash {
        KeyHash(Sha256::digest(key.as_bytes()).into())
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

/// The keys that count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiKeys(BTreeMap<KeyHash, ApiKey>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    pub name: String,
    pub scopes: Scopes,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    #[error("{0}")]
    Toml(String),
    #[error("the key `{0}` has a name that none may have: use 1 to 64 letters, digits, `_` and `-`")]
    Name(String),
    #[error("the key `{0}` has no SHA-256 of 64 hex digits: `framewright key create` makes one")]
    Hash(String),
    #[error("the key `{name}`: {why}")]
    Scope { name: String, why: String },
    #[error("the keys `{0}` and `{1}` are the same key")]
    Same(String, String),
    #[error("it lists more than 10000 keys")]
    TooMany,
}

impl ApiKeys {
    /// Reads a file of keys.
    ///
    /// # Errors
    /// Anything that is not understood: a file that is half right changes nothing.
    pub fn read(text: &str) -> Result<ApiKeys, ApiKeyError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            #[serde(default)]
            keys: BTreeMap<String, Entry>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Entry {
            sha256: String,
            scopes: Vec<String>,
            /// For people.
            #[serde(default, rename = "created")]
            _created: Option<String>,
        }
        let file: File = toml::from_str(text).map_err(|error| ApiKeyError::Toml(error.to_string().trim().replace('\n', " ")))?;
        if file.keys.len() > KEYS_MAX {
            return Err(ApiKeyError::TooMany);
        }
        let mut keys: BTreeMap<KeyHash, ApiKey> = BTreeMap::new();
        for (name, entry) in file.keys {
            if !is_key_name(&name) {
                return Err(ApiKeyError::Name(clip(&name, 80)));
            }
            let hash = HEXLOWER.decode(entry.sha256.to_ascii_lowercase().as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
            let hash = KeyHash(hash.ok_or_else(|| ApiKeyError::Hash(name.clone()))?);
            let scopes: Result<Vec<Scope>, String> = entry.scopes.iter().map(|scope| scope.parse()).collect();
            let scopes = Scopes::of(scopes.map_err(|why| ApiKeyError::Scope { name: name.clone(), why })?);
            if let Some(other) = keys.insert(hash, ApiKey { name: name.clone(), scopes }) {
                return Err(ApiKeyError::Same(other.name, name));
            }
        }
        Ok(ApiKeys(keys))
    }

    pub fn get(&self, hash: &KeyHash) -> Option<&ApiKey> {
        self.0.get(hash)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By name.
    pub fn list(&self) -> Vec<&ApiKey> {
        let mut all: Vec<&ApiKey> = self.0.values().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }
}

/// Whether a key may be called so.
pub fn is_key_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, key: &str, scopes: &str) -> String {
        format!("[keys.{name}]\nsha256 = \"{}\"\nscopes = {scopes}\n", KeyHash::of(key))
    }

    #[test]
    fn a_key_is_found_by_its_hash_and_has_what_its_scopes_include() {
        let file =
            entry("ci", "fw_a", r#"["tests", "chat"]"#) + &entry("board", "fw_b", r#"["read"]"#) + &entry("root", "fw_c", r#"["admin"]"#);
        let keys = ApiKeys::read(&file).unwrap();
        for (key, name, scopes) in [
            ("fw_a", Some("ci"), &["chat", "read", "tests"][..]),
            ("fw_b", Some("board"), &["read"]),
            ("fw_c", Some("root"), &["chat", "read", "tests", "metrics", "admin"]),
            ("fw_d", None, &[]),
            ("", None, &[]),
        ] {
            let found = keys.get(&KeyHash::of(key));
            assert_eq!(found.map(|key| key.name.as_str()), name, "{key}");
            assert_eq!(found.map_or(Vec::new(), |key| key.scopes.names()), scopes, "{key}");
        }
        assert_eq!(keys.list().iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["board", "ci", "root"]);
        assert_eq!(ApiKeys::read(""), Ok(ApiKeys::default()), "an empty file revokes all");
    }

    #[test]
    fn a_file_that_is_half_right_is_refused_whole() {
        let good = entry("ci", "fw_a", r#"["chat"]"#);
        for (bad, says) in [
            ("keys = 1", "unknown field `keys`"),
            ("[key.ci]\n", "unknown field `key`"),
            ("[keys.ci]\nscopes = []\n", "duplicate key"),
            ("[keys.x]\nscopes = []\n", "missing field `sha256`"),
            ("[keys.x]\nsha256 = \"12\"\nscopes = []\n", "the key `x` has no SHA-256"),
            (&entry("\"a b\"", "fw_x", "[]"), "the key `a b` has a name that none may have"),
            (&entry("x", "fw_x", r#"["write"]"#), "the key `x`: there is no scope `write`"),
            (&entry("x", "fw_a", "[]"), "are the same key"),
            (&format!("{}owner = 1\n", entry("x", "fw_x", "[]")), "unknown field `owner`"),
        ] {
            let error = ApiKeys::read(&format!("{good}{bad}")).unwrap_err().to_string();
            assert!(error.contains(says), "{bad}: {error}");
        }
    }
}
