//! An issuer's published keys, and what each may be used for.
//!
//! A key's type decides which algorithms it allows, and `alg` narrows that to one. Keys that are not for signatures, too
//! short, or of a kind that we don't know are left out; a set without any left is an error, so that it replaces nothing.

use super::token::Rejected;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The longest document that is read, of keys or of discovery.
pub const JWKS_BYTES_MAX: usize = 256 << 10;
/// The most keys of a set.
const KEYS_MAX: usize = 100;

#[derive(Clone, Debug)]
pub struct KeySet {
    issuer: String,
    keys: Vec<Key>,
    digest: [u8; 32],
}

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    allows: Vec<Algorithm>,
    key: DecodingKey,
}

/// Why a document holds no keys for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    #[error("the issuer's keys are longer than 256 KiB")]
    TooLarge,
    #[error("the issuer's keys are not a JSON object with a list of `keys`")]
    NoList,
    #[error("the issuer publishes more than 100 keys")]
    TooMany,
    #[error("the issuer publishes no key that can sign a token (RSA from 2048 bits, P-256, P-384 or Ed25519)")]
    NoneUsable,
}

impl KeySet {
    /// `issuer` is what `iss` must be.
    ///
    /// # Errors
    /// A document that is too large, none, or without a usable key.
    pub fn read(issuer: &str, document: &[u8]) -> Result<KeySet, KeySetError> {
        if document.len() > JWKS_BYTES_MAX {
            return Err(KeySetError::TooLarge);
        }
        let value: Value = serde_json::from_slice(document).map_err(|_| KeySetError::NoList)?;
        let listed = value.get("keys").and_then(Value::as_array).ok_or(KeySetError::NoList)?;
        if listed.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<Key> = listed.iter().filter_map(Key::read).collect();
        if keys.is_empty() {
            return Err(KeySetError::NoneUsable);
        }
        Ok(KeySet { issuer: issuer.to_owned(), keys, digest: Sha256::digest(document).into() })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// How many keys count.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether it is the same document.
    pub fn is_same(&self, other: &KeySet) -> bool {
        (&self.issuer, self.digest) == (&other.issuer, other.digest)
    }

    /// Checks a signature with the key that `id` names; without an id, with the only key that allows the algorithm.
    pub(super) fn verify(&self, id: Option<&str>, algorithm: &str, signed: &[u8], signature: &str) -> Result<(), Rejected> {
        let algorithm = named(algorithm).ok_or(Rejected::Algorithm)?;
        let mut named = self.keys.iter().filter(|key| id.is_none() || key.id.as_deref() == id).peekable();
        if named.peek().is_none() {
            return Err(Rejected::UnknownKey);
        }
        let fitting: Vec<&Key> = named.filter(|key| key.allows.contains(&algorithm)).collect();
        let [key] = fitting[..] else {
            // A token that does not say which of several keys it means could mean a new one.
            return Err(if fitting.is_empty() { Rejected::Algorithm } else { Rejected::UnknownKey });
        };
        if BASE64URL_NOPAD.decode(signature.as_bytes()).is_err() {
            return Err(Rejected::Malformed("its signature is not base64url"));
        }
        match crypto::verify(signature, signed, &key.key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Rejected::Signature),
        }
    }
}

/// An asymmetric algorithm by its name. There is no other kind here: a name that isn't listed is none.
fn named(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" | "Ed25519" => Algorithm::EdDSA,
        _ => return None,
    })
}

impl Key {
    /// A key that may check signatures.
    fn read(value: &Value) -> Option<Key> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let bytes = |name: &str| BASE64URL_NOPAD.decode(text(name)?.as_bytes()).ok();
        let is_long = |name: &str, length: usize| bytes(name).is_some_and(|bytes| bytes.len() == length);
        let verifies = |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"));
        if value.get("use").is_some_and(|usage| usage != "sig") || value.get("key_ops").is_some_and(|all| !verifies(all)) {
            return None;
        }
        let (allows, key): (&[Algorithm], _) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
                let modulus = bytes("n")?;
                let bytes = modulus.len() - modulus.iter().take_while(|byte| **byte == 0).count();
                if !(256..=1024).contains(&bytes) {
                    return None;
                }
                (&[RS256, RS384, RS512, PS256, PS384, PS512], DecodingKey::from_rsa_components(text("n")?, text("e")?))
            }
            ("EC", Some("P-256")) if is_long("x", 32) && is_long("y", 32) => {
                (&[Algorithm::ES256], DecodingKey::from_ec_components(text("x")?, text("y")?))
            }
            ("EC", Some("P-384")) if is_long("x", 48) && is_long("y", 48) => {
                (&[Algorithm::ES384], DecodingKey::from_ec_components(text("x")?, text("y")?))
            }
            ("OKP", Some("Ed25519")) if is_long("x", 32) => (&[Algorithm::EdDSA], DecodingKey::from_ed_components(text("x")?)),
            _ => return None,
        };
        let allows = match value.get("alg") {
            None => allows.to_vec(),
            Some(stated) => vec![named(stated.as_str()?).filter(|stated| allows.contains(stated))?],
        };
        Some(Key { id: text("kid").map(str::to_owned), allows, key: key.ok()? })
    }
}
