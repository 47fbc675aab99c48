//! Who someone is: tokens of an issuer, API keys, roles.
//!
//! Everything here is a function of what is handed in: the token, the keys, the time. Fetching keys and reading key files is
//! `work::issuer`; which credential a request carries, and what it may do with it, is `shard::sign_in`.

mod api_key;
mod keys;
mod network;
mod peer;
mod refresh;
mod roles;
#[cfg(test)]
pub(crate) mod testing;
mod token;

pub use api_key::{ApiKey, ApiKeyError, ApiKeys, KEY_PREFIX, KeyHash, Scope, Scopes, is_key_name};
pub use keys::{JWKS_BYTES_MAX, KeySet, KeySetError};
pub use network::Network;
pub use peer::Peer;
pub use refresh::Refresh;
pub use roles::Role;
pub use token::{ANONYMOUS, LEEWAY_S, Names, Rejected, TOKEN_BYTES_MAX, Verified, shape, verify};

use std::sync::Arc;

/// How users sign in to this server. Without any of these there is no sign-in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    pub issuer: Option<Issuer>,
    pub proxy: Option<Proxy>,
    /// Whether there is a file of API keys.
    pub api_keys: bool,
}

/// An OpenID Connect issuer whose tokens count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// As it was configured, without a slash at its end.
    pub url: String,
    pub client_id: Option<String>,
    pub project_id: Option<String>,
    /// Who is an administrator; none: nobody.
    pub admin: Option<Role>,
}

/// A header in which a proxy names the user that it has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// In lower case.
    pub header: String,
    /// The only ones whose header counts.
    pub trusted: Vec<Network>,
}

impl Rules {
    pub fn is_on(&self) -> bool {
        self.issuer.is_some() || self.proxy.is_some() || self.api_keys
    }
}

/// What a shard asks of the thread that may wait for the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A token names a key that is not known.
    Keys,
    /// What the issuer knows of the user whose token this is.
    Userinfo { sub: Arc<str>, token: String },
}

/// What that thread reports to every shard.
#[derive(Clone, Debug)]
pub enum News {
    /// The issuer's keys; none when a fetch brought none, or none was due.
    Keys(Option<Arc<KeySet>>),
    /// The API keys that count from now on.
    ApiKeys(Arc<ApiKeys>),
    /// None when the issuer did not say.
    Userinfo { sub: Arc<str>, names: Option<Names> },
}
