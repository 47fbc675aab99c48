//! A token, checked: what it must say, and what it proves.
//!
//! The signature comes first: nothing that a token claims is looked at before the issuer has vouched for it. The algorithm
//! must be one of the key's; what the token names is only compared with them. Keys that a token brings along (`jwk`, `jku`,
//! `x5u`) make it invalid, as does anything that two readers could understand differently.

use super::{Issuer, KeySet};
use crate::contract::{Code, Refusal, Time, unique_json};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The longest token that is looked at.
pub const TOKEN_BYTES_MAX: usize = 8 << 10;
/// How far the issuer's clock may be from ours.
pub const LEEWAY_S: u64 = 60;
/// The longest `sub`, as OpenID Connect bounds it.
const SUB_BYTES_MAX: usize = 255;
/// The longest name that is kept.
const NAME_BYTES_MAX: usize = 200;

/// What a valid token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub sub: Arc<str>,
    pub names: Names,
    pub is_admin: bool,
    /// When it expires, in seconds since the epoch.
    pub expires_s: u64,
}

/// How an issuer calls a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub name: Option<String>,
    pub preferred_username: Option<String>,
    pub email: Option<String>,
}

/// Why a token does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("the access token is opaque: in Zitadel, open the application's Token Settings and set Auth Token Type to JWT")]
    Opaque,
    #[error("the token is encrypted, which only its issuer can read: have the issuer sign it instead")]
    Encrypted,
    #[error("the token is longer than 8 KiB: request fewer claims")]
    TooLong,
    #[error("the token can't be read: {0}")]
    Malformed(&'static str),
    #[error("the token is of another kind: send an access token (`at+jwt`) or an ID token (`JWT`)")]
    Kind,
    #[error("the token requires an extension (`crit`) that this server does not support")]
    Critical,
    #[error("the token brings its own key; only the issuer's keys count")]
    OwnKey,
    #[error("the token names an algorithm that its key does not allow")]
    Algorithm,
    /// Perhaps a new one.
    #[error("the token is signed with a key that the issuer does not publish: sign in again")]
    UnknownKey,
    #[error("the token's signature is wrong: sign in again")]
    Signature,
    #[error("the token is from another issuer: sign in again")]
    Issuer,
    #[error("the token is for another application: its `aud` names neither this client nor this project")]
    Audience,
    #[error("the token has expired: sign in again")]
    Expired,
    #[error("the token is not valid yet: check the clocks of the issuer and of this server")]
    NotYet,
}

impl Rejected {
    pub fn code(self) -> Code {
        match self {
            Rejected::Opaque => Code::OpaqueToken,
            Rejected::Expired => Code::TokenExpired,
            Rejected::Encrypted
            | Rejected::TooLong
            | Rejected::Malformed(_)
            | Rejected::Kind
            | Rejected::Critical
            | Rejected::OwnKey
            | Rejected::Algorithm
            | Rejected::UnknownKey
            | Rejected::Signature
            | Rejected::Issuer
            | Rejected::Audience
            | Rejected::NotYet => Code::InvalidToken,
        }
    }
}

impl From<Rejected> for Refusal {
    fn from(rejected: Rejected) -> Refusal {
        Refusal::with(rejected.code(), rejected.to_string())
    }
}

impl Names {
    /// What stands in a token's claims or a userinfo answer.
    pub fn of(claims: &Map<String, Value>) -> Names {
        let text = |key: &str| {
            let text = claims.get(key)?.as_str()?.trim();
            let is_plain = !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
            is_plain.then(|| text.to_owned())
        };
        Names { name: text("name"), preferred_username: text("preferred_username"), email: text("email") }
    }

    /// What the user is called.
    pub fn shown(&self) -> Option<&str> {
        self.name.as_deref().or(self.preferred_username.as_deref())
    }
}

/// Checks a token against the issuer's keys at `now`.
///
/// # Errors
/// Why it does not count. [`Rejected::UnknownKey`] may be different with newer keys.
pub fn verify(token: &str, issuer: &Issuer, keys: &KeySet, now: Time) -> Result<Verified, Rejected> {
    let [head, body, signature] = shape(token)?;
    let signed = &token[..head.len() + 1 + body.len()];
    let head = object(head, "its head is not a JSON object in base64url")?;
    check_head(&head)?;
    let algorithm = text(&head, "alg").ok_or(Rejected::Malformed("its head names no algorithm"))?;
    let key_id = match head.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.as_str()),
        Some(_) => return Err(Rejected::Malformed("`kid` is not a text")),
    };
    keys.verify(key_id, algorithm, signed.as_bytes(), signature)?;
    let claims = object(body, "its claims are not a JSON object in base64url")?;
    check_claims(&claims, issuer, keys.issuer(), now.0 / 1_000_000)
}

/// The three parts of a token that could count.
///
/// # Errors
/// A token that no key could make valid.
pub fn shape(token: &str) -> Result<[&str; 3], Rejected> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(Rejected::TooLong);
    }
    let parts: Vec<&str> = token.splitn(6, '.').collect();
    match parts[..] {
        [head, claims, signature] => Ok([head, claims, signature]),
        [_, _, _, _, _] => Err(Rejected::Encrypted),
        _ => Err(Rejected::Opaque),
    }
}

/// What every token's head must be, whoever signed it.
fn check_head(head: &Map<String, Value>) -> Result<(), Rejected> {
    if head.contains_key("crit") {
        return Err(Rejected::Critical);
    }
    if ["jwk", "jku", "x5u"].iter().any(|key| head.contains_key(*key)) {
        return Err(Rejected::OwnKey);
    }
    let kind = text(head, "typ").unwrap_or_default().to_ascii_lowercase();
    if !["jwt", "at+jwt", "application/at+jwt"].contains(&kind.as_str()) {
        return Err(Rejected::Kind);
    }
    Ok(())
}

fn check_claims(claims: &Map<String, Value>, issuer: &Issuer, name: &str, now_s: u64) -> Result<Verified, Rejected> {
    if text(claims, "iss") != Some(name) {
        return Err(Rejected::Issuer);
    }
    let is_for_us = |audience: &str| [&issuer.client_id, &issuer.project_id].into_iter().flatten().any(|own| own == audience);
    let is_for_us = match claims.get("aud") {
        Some(Value::String(audience)) => is_for_us(audience),
        Some(Value::Array(all)) if all.iter().all(Value::is_string) => all.iter().filter_map(Value::as_str).any(is_for_us),
        _ => false,
    };
    if !is_for_us {
        return Err(Rejected::Audience);
    }
    let expires_s = claims.get("exp").and_then(seconds).ok_or(Rejected::Malformed("`exp` is missing or no number"))?;
    if now_s >= expires_s.saturating_add(LEEWAY_S) {
        return Err(Rejected::Expired);
    }
    if let Some(not_before) = claims.get("nbf") {
        let not_before_s = seconds(not_before).ok_or(Rejected::Malformed("`nbf` is no number"))?;
        if now_s.saturating_add(LEEWAY_S) < not_before_s {
            return Err(Rejected::NotYet);
        }
    }
    let sub = text(claims, "sub").filter(|sub| is_sub(sub)).ok_or(Rejected::Malformed("`sub` is missing, too long or not plain text"))?;
    Ok(Verified {
        sub: sub.into(),
        names: Names::of(claims),
        is_admin: issuer.admin.as_ref().is_some_and(|role| role.is_in(claims)),
        expires_s,
    })
}

/// A user's id: printable, bounded, and none of those that this server gives out itself.
fn is_sub(sub: &str) -> bool {
    let is_plain = (1..=SUB_BYTES_MAX).contains(&sub.len()) && !sub.chars().any(|sign| sign.is_control() || sign.is_whitespace());
    is_plain && sub != ANONYMOUS && !OWN_PREFIXES.iter().any(|prefix| sub.starts_with(prefix))
}

/// Who everyone is where nobody signs in.
pub const ANONYMOUS: &str = "anonymous";
/// What the ids begin with that this server gives to API keys and to users that a proxy has signed in.
const OWN_PREFIXES: [&str; 2] = ["key:", "proxy:"];

fn object(part: &str, wrong: &'static str) -> Result<Map<String, Value>, Rejected> {
    let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).ok();
    let value = bytes.and_then(|bytes| unique_json(std::str::from_utf8(&bytes).ok()?).ok());
    match value {
        Some(Value::Object(object)) => Ok(object),
        _ => Err(Rejected::Malformed(wrong)),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// A moment as tokens state it. One before the epoch has long passed.
fn seconds(value: &Value) -> Option<u64> {
    let seconds = value.as_f64()?;
    Some(value.as_u64().unwrap_or(seconds.max(0.0) as u64))
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
