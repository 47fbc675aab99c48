//! An issuer for tests: keys of each kind, and tokens signed with them.

use super::{Issuer, KeySet, Role};
use crate::contract::Time;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub(crate) const ISSUER: &str = "https://id.example.org";
pub(crate) const CLIENT: &str = "248612345678901234";
pub(crate) const PROJECT: &str = "248698765432109876";
/// When all of it happens, in seconds since the epoch.
pub(crate) const NOW_S: u64 = 1_800_000_000;
pub(crate) const NOW: Time = Time(NOW_S * 1_000_000);

/// One of the issuer's keys.
pub(crate) struct Signer {
    pub(crate) id: &'static str,
    /// What it signs with.
    pub(crate) algorithm: &'static str,
    /// Whether its JWK says so.
    states_algorithm: bool,
    secret: Secret,
}

enum Secret {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

/// Keys are costly to make: all tests share these.
pub(crate) static SIGNERS: LazyLock<Vec<Signer>> = LazyLock::new(|| {
    let table = [
        ("rsa", "RS256", false),
        ("rsa-512", "RS512", true),
        ("rsa-pss", "PS256", true),
        ("p256", "ES256", true),
        ("p384", "ES384", false),
        ("ed", "EdDSA", false),
    ];
    table.into_iter().map(|(id, algorithm, states_algorithm)| Signer::new(id, algorithm, states_algorithm)).collect()
});

impl Signer {
    pub(crate) fn new(id: &'static str, algorithm: &'static str, states_algorithm: bool) -> Signer {
        let secret = match algorithm {
            "ES256" => Secret::Ec(EcdsaKeyPair::generate(&lc::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(), "P-256"),
            "ES384" => Secret::Ec(EcdsaKeyPair::generate(&lc::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(), "P-384"),
            "EdDSA" => Secret::Ed(Ed25519KeyPair::generate().unwrap()),
            _ => Secret::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
        };
        Signer { id, algorithm, states_algorithm, secret }
    }

    /// The key as the issuer publishes it.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
        let mut jwk = match &self.secret {
            Secret::Rsa(key) => {
                let public = lc::RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({ "kty": "RSA", "n": text(&public.n), "e": text(&public.e) })
            }
            Secret::Ec(key, curve) => {
                let point = &key.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Secret::Ed(key) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(key.public_key().as_ref()) }),
        };
        jwk["kid"] = self.id.into();
        jwk["use"] = "sig".into();
        if self.states_algorithm {
            jwk["alg"] = self.algorithm.into();
        }
        jwk
    }

    pub(crate) fn signature(&self, algorithm: &str, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.secret {
            Secret::Rsa(key) => {
                let encoding: &'static dyn lc::RsaEncoding = match algorithm {
                    "RS256" => &lc::RSA_PKCS1_SHA256,
                    "RS384" => &lc::RSA_PKCS1_SHA384,
                    "RS512" => &lc::RSA_PKCS1_SHA512,
                    "PS256" => &lc::RSA_PSS_SHA256,
                    "PS384" => &lc::RSA_PSS_SHA384,
                    "PS512" => &lc::RSA_PSS_SHA512,
                    _ => panic!("no RSA: {algorithm}"),
                };
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(encoding, &random, signed, &mut signature).unwrap();
                signature
            }
            Secret::Ec(key, _) => key.sign(&random, signed).unwrap().as_ref().to_vec(),
            Secret::Ed(key) => key.sign(signed).as_ref().to_vec(),
        }
    }

    /// A token of these parts as they are, signed with `algorithm` whatever they say.
    pub(crate) fn sign_parts(&self, algorithm: &str, head: &[u8], claims: &[u8]) -> String {
        let signed = format!("{}.{}", BASE64URL_NOPAD.encode(head), BASE64URL_NOPAD.encode(claims));
        let signature = self.signature(algorithm, signed.as_bytes());
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    pub(crate) fn head(&self) -> Value {
        json!({ "alg": self.algorithm, "kid": self.id, "typ": "JWT" })
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.sign_parts(self.algorithm, self.head().to_string().as_bytes(), claims.to_string().as_bytes())
    }
}

/// What a valid token of Zitadel says, valid for an hour.
pub(crate) fn claims(sub: &str) -> Value {
    json!({
        "iss": ISSUER, "sub": sub, "aud": [CLIENT, "248600000000000000", PROJECT],
        "iat": NOW_S - 10, "nbf": NOW_S - 10, "exp": NOW_S + 3600,
        "jti": "V2_1-at_2", "client_id": CLIENT,
    })
}

pub(crate) fn issuer() -> Issuer {
    Issuer {
        url: ISSUER.to_owned(),
        client_id: Some(CLIENT.to_owned()),
        project_id: Some(PROJECT.to_owned()),
        admin: Some(Role { claim: "urn:zitadel:iam:org:project:roles".to_owned(), value: "admin".to_owned() }),
    }
}

pub(crate) fn key_set<'a>(signers: impl IntoIterator<Item = &'a Signer>) -> KeySet {
    let keys: Vec<Value> = signers.into_iter().map(Signer::jwk).collect();
    KeySet::read(ISSUER, json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}
