//! Who a request is from: the one place where that is decided.
//!
//! A request carries a token or an API key (`Authorization: Bearer`; on a WebSocket also `?token=` or the subprotocol pair
//! `bearer, <token>`), or a trusted proxy names its user in a header. A token that was verified once is recognized by its
//! hash until it expires. Nothing here waits: what is missing is asked for, and the request is parked (`parked.rs`).

use super::identity::{ProxiedBy, User};
use crate::auth::{
    ANONYMOUS, ApiKeys, Ask, Issuer, KEY_PREFIX, KeyHash, KeySet, LEEWAY_S, Names, News, Peer, Proxy, Rejected, Rules, Scope, Scopes,
    TOKEN_BYTES_MAX, shape, verify,
};
use crate::contract::{Code, Now, Refusal};
use crate::shard::bounds::{NAMES_MAX, NAMES_TIME, TOKENS_MAX};
use crate::shard::recent::Recent;
use crate::wire::http::Request;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a shard knows of who may use it.
pub(super) struct SignIn {
    rules: Arc<Rules>,
    keys: Option<Arc<KeySet>>,
    api_keys: Arc<ApiKeys>,
    /// By the SHA-256 of the token, with seconds of wall time.
    verified: Recent<[u8; 32], User>,
    /// By `sub`, with seconds of the moment: what userinfo said, or that it said nothing.
    names: Recent<Arc<str>, Names>,
    anonymous: User,
}

/// Who sends a request.
#[derive(Debug, PartialEq)]
pub(super) enum Who {
    Is(User),
    Refused(Refusal),
    /// Not known yet; this has to be asked first.
    Waits(Ask),
}

/// What a request may still wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MayWait {
    pub(super) keys: bool,
    pub(super) names: bool,
}

impl MayWait {
    pub(super) const ALL: MayWait = MayWait { keys: true, names: true };
    pub(super) const NONE: MayWait = MayWait { keys: false, names: false };
}

const MISSING: Refusal = Refusal::new(Code::MissingToken, "sign in first: send a token as `Authorization: Bearer <token>`");
const TWICE: Refusal = Refusal::new(Code::InvalidToken, "there is more than one `Authorization` header: send one");
const UNKNOWN_KEY: Refusal =
    Refusal::new(Code::InvalidToken, "this API key does not exist or was revoked: create one with `framewright key create`");
const NO_ISSUER: Refusal = Refusal::new(Code::InvalidToken, "this server takes no tokens, only API keys: see `framewright key create`");
const BAD_HEADER: Refusal = Refusal::new(Code::InvalidToken, "the proxy names no user, or more than one");
const NO_KEYS: Refusal =
    Refusal::new(Code::SignInUnavailable, "sign-in is not available: the issuer's keys could not be fetched yet; try again in a moment");

impl SignIn {
    pub(super) fn new(rules: Rules, api_keys: Arc<ApiKeys>) -> SignIn {
        SignIn {
            rules: Arc::new(rules),
            keys: None,
            api_keys,
            verified: Recent::new(TOKENS_MAX),
            names: Recent::new(NAMES_MAX),
            anonymous: User::anonymous(),
        }
    }

    /// Takes rules and API keys that were loaded again; true if what counts of tokens has changed. They are then verified anew, because
    /// a user's role may be another.
    pub(super) fn reload(&mut self, rules: Rules, api_keys: Arc<ApiKeys>) -> bool {
        self.api_keys = api_keys;
        let is_issuer_new = self.rules.issuer != rules.issuer;
        if is_issuer_new {
            self.verified.clear();
        }
        if *self.rules != rules {
            self.rules = Arc::new(rules);
        }
        is_issuer_new
    }

    /// Who makes a call that anyone may make.
    pub(super) fn nobody(&self) -> User {
        self.anonymous.clone()
    }

    /// How users sign in, and who is an administrator.
    pub(super) fn rules(&self) -> Arc<Rules> {
        self.rules.clone()
    }

    pub(super) fn is_on(&self) -> bool {
        self.rules.is_on()
    }

    /// Whether tokens can be checked, or no issuer makes any.
    pub(super) fn has_keys(&self) -> bool {
        self.keys.is_some() || self.rules.issuer.is_none()
    }

    /// Finds out who sends a request. `is_socket`: it asks for a WebSocket.
    pub(super) fn identify(&mut self, request: &Request, is_socket: bool, peer: Peer, now: Now, may_wait: MayWait) -> Who {
        if !self.is_on() {
            return Who::Is(self.anonymous.clone());
        }
        if request.headers_lossy("authorization").nth(1).is_some() {
            return Who::Refused(TWICE);
        }
        let on_socket = || protocol_token(request).map(str::to_owned).or_else(|| request.query("token").filter(|token| !token.is_empty()));
        let stated = bearer(request);
        let who = match stated {
            Some(token) => self.token(token, now, may_wait),
            None => match Some(is_socket).filter(|is| *is).and_then(|_| on_socket()) {
                Some(token) => self.token(&token, now, may_wait),
                None => self.proxied(request, peer),
            },
        };
        match who {
            Who::Is(user) if is_socket && may_wait.names => self.with_name_asked(user, request, now),
            who => who,
        }
    }

    /// Checks a token or an API key.
    pub(super) fn token(&mut self, token: &str, now: Now, may_wait: MayWait) -> Who {
        if token.starts_with(KEY_PREFIX) {
            return self.api_key(token);
        }
        let Some(issuer) = &self.rules.issuer else { return Who::Refused(NO_ISSUER) };
        if token.len() > TOKEN_BYTES_MAX {
            return Who::Refused(Rejected::TooLong.into());
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now_s = now.wall.0 / 1_000_000;
        let known = self.verified.get(&hash, now_s).cloned();
        let mut user = match known.map_or_else(|| verified(token, issuer, self.keys.as_deref(), now), Ok) {
            Ok(user) => user,
            Err(Missing::Keys | Missing::Key) if may_wait.keys => return Who::Waits(Ask::Keys),
            Err(Missing::Keys) => return Who::Refused(NO_KEYS),
            Err(Missing::Key) => return Who::Refused(Rejected::UnknownKey.into()),
            Err(Missing::Nothing(rejected)) => return Who::Refused(rejected.into()),
        };
        if self.verified.get(&hash, now_s).is_none() {
            let until = user.expires_s.unwrap_or(u64::MAX).saturating_add(LEEWAY_S);
            self.verified.put(hash, until, user.clone());
        }
        if user.is_nameless
            && let Some(names) = self.names.get(&user.sub, now.moment.0 / 1_000_000)
        {
            user.is_called(names);
        }
        Who::Is(user)
    }

    fn api_key(&self, key: &str) -> Who {
        let hash = KeyHash::of(key);
        match self.api_keys.get(&hash) {
            Some(known) => {
                let (sub, identity) = (format!("key:{}", known.name).into(), known.name.as_str().into());
                Who::Is(User { sub, identity, scopes: known.scopes, key: Some(hash), ..self.anonymous.clone() })
            }
            None => Who::Refused(UNKNOWN_KEY),
        }
    }

    /// The user that a trusted proxy has signed in.
    fn proxied(&self, request: &Request, peer: Peer) -> Who {
        let Some(proxy) = self.rules.proxy.as_ref().filter(|proxy| proxy.trusted.iter().any(|network| network.has(peer))) else {
            return Who::Refused(MISSING);
        };
        if request.headers_lossy(&proxy.header).all(|name| name.trim().is_empty()) {
            return Who::Refused(MISSING);
        }
        let is_name = |name: &&str| name.len() <= 255 && !name.chars().any(char::is_control);
        let Some(name) = request.only(&proxy.header).filter(is_name).map(str::trim) else { return Who::Refused(BAD_HEADER) };
        let sub = format!("proxy:{name}").into();
        let proxy = Some(ProxiedBy { peer, header: proxy.header.as_str().into() });
        Who::Is(User { sub, identity: name.into(), proxy, ..self.anonymous.clone() })
    }

    /// A user whose token has no name, and who brought a token for userinfo, waits until that was asked. The subprotocol `userinfo`
    /// beside `bearer, <token>` means that token: what stands in an address may be logged on its way.
    fn with_name_asked(&self, user: User, request: &Request, now: Now) -> Who {
        if !user.is_nameless || self.names.get(&user.sub, now.moment.0 / 1_000_000).is_some() {
            return Who::Is(user);
        }
        let own = || protocol_token(request).filter(|_| request.lists("sec-websocket-protocol", "userinfo")).map(str::to_owned);
        match request.query("access_token").or_else(own).filter(|token| (1..=TOKEN_BYTES_MAX).contains(&token.len())) {
            Some(token) => Who::Waits(Ask::Userinfo { sub: user.sub, token }),
            None => Who::Is(user),
        }
    }

    /// Takes in what the issuer or the file of keys said.
    pub(super) fn learn(&mut self, news: News, now: Now) {
        match news {
            News::Keys(Some(keys)) => {
                if !self.keys.as_ref().is_some_and(|known| known.is_same(&keys)) {
                    // A key that was withdrawn vouches for nothing any more.
                    self.verified.clear();
                }
                self.keys = Some(keys);
            }
            News::Keys(None) => {}
            News::ApiKeys(keys) => self.api_keys = keys,
            News::Userinfo { sub, names } => {
                let seconds = if names.is_some() { NAMES_TIME } else { NAMES_TIME / 10 }.as_secs();
                self.names.put(sub, now.moment.0 / 1_000_000 + seconds, names.unwrap_or_default());
            }
        }
    }

    /// Forgets what userinfo said of a user.
    pub(super) fn forget(&mut self, sub: &Arc<str>) {
        self.names.remove(sub);
    }

    /// Whether a user may still do what they could when they came: an API key may have been revoked, or lost a scope.
    pub(super) fn still_may(&self, user: &User, scope: Scope) -> bool {
        user.key.is_none_or(|hash| self.api_keys.get(&hash).is_some_and(|key| key.scopes.has(scope)))
    }

    /// Whether a user could still come in as they did: a proxy may no longer be trusted, and sign-in may have been switched on.
    pub(super) fn still_lets_in(&self, user: &User) -> bool {
        match &user.proxy {
            Some(ProxiedBy { peer, header }) => {
                let is_same = |proxy: &Proxy| *proxy.header == **header && proxy.trusted.iter().any(|network| network.has(*peer));
                self.rules.proxy.as_ref().is_some_and(is_same)
            }
            None => !self.is_on() || &*user.sub != ANONYMOUS,
        }
    }

    /// Body of `/auth/config`: what the page needs to log in.
    pub(super) fn config(&self) -> Value {
        let issuer = self.rules.issuer.as_ref();
        json!({
            "enabled": self.is_on(),
            "issuer": issuer.map(|issuer| &issuer.url),
            "clientId": issuer.and_then(|issuer| issuer.client_id.as_ref()),
            "projectId": issuer.and_then(|issuer| issuer.project_id.as_ref()),
        })
    }
}

/// What is missing to verify a token.
enum Missing {
    /// Keys at all.
    Keys,
    /// The key that the token names.
    Key,
    Nothing(Rejected),
}

fn verified(token: &str, issuer: &Issuer, keys: Option<&KeySet>, now: Now) -> Result<User, Missing> {
    let Some(keys) = keys else {
        // What no key could make valid is not worth waiting.
        return Err(shape(token).map_or_else(Missing::Nothing, |_| Missing::Keys));
    };
    let verified = verify(token, issuer, keys, now.wall).map_err(|rejected| match rejected {
        Rejected::UnknownKey => Missing::Key,
        rejected => Missing::Nothing(rejected),
    })?;
    let scopes = if verified.is_admin { Scopes::ADMIN } else { Scopes::USER };
    // Userinfo is asked where the token has no `name`, even if it has a preferred one.
    let is_nameless = verified.names.name.is_none();
    let identity = verified.sub.clone();
    let mut user =
        User { sub: verified.sub, identity, email: None, scopes, is_nameless, expires_s: Some(verified.expires_s), key: None, proxy: None };
    user.is_called(&verified.names);
    Ok(user)
}

/// The token of an `Authorization: Bearer`.
pub(super) fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.header("authorization")?.trim().split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}

/// The token of the subprotocol pair `bearer, <token>`.
fn protocol_token(request: &Request) -> Option<&str> {
    let mut offered = request.headers("sec-websocket-protocol").flat_map(|value| value.split(',')).map(str::trim);
    offered.find(|protocol| protocol.eq_ignore_ascii_case("bearer"))?;
    offered.next().filter(|token| !token.is_empty())
}
