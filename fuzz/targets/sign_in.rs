//! What sign-in reads: tokens, an issuer's keys and its discovery document, and the file of API keys.

use framewright::auth::{ANONYMOUS, ApiKeys, Issuer, KeySet, Names, Role, is_key_name, verify};
use framewright::contract::{Time, unique_json};
use framewright::work::issuer::{discovered, is_safe_url};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;

const ISSUER: &str = "https://id.example.org";
const NOW_S: u64 = 1_800_000_000;
/// The pair of RFC 8037, appendix A, which everyone knows.
const PUBLIC: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const SECRET: &[u8] = b"\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20\
    \x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60\
    \x81\x21\x00\
    \xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";

fn issuer() -> Issuer {
    Issuer {
        url: ISSUER.to_owned(),
        client_id: Some("client".to_owned()),
        project_id: None,
        admin: Some(Role { claim: "realm_access.roles".to_owned(), value: "admin".to_owned() }),
    }
}

/// A token: the bytes as they are, and a line as its head and the rest as its claims, signed by the issuer.
pub(super) fn token(bytes: &[u8]) {
    thread_local! {
        static KEYS: (KeySet, EncodingKey) =
            (KeySet::read(ISSUER, PUBLIC.as_bytes()).expect("a key that is usable"), EncodingKey::from_ed_der(SECRET));
    }
    KEYS.with(|(keys, secret)| {
        let now = Time(NOW_S * 1_000_000);
        if let Ok(text) = std::str::from_utf8(bytes) {
            let rejected = verify(text, &issuer(), keys, now).expect_err("nobody has signed it");
            assert!(!rejected.to_string().is_empty());
        }
        let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
        let (head, claims) = (&bytes[..at], bytes.get(at + 1..).unwrap_or_default());
        let url = |part: &[u8]| data_encoding::BASE64URL_NOPAD.encode(part);
        let signed = format!("{}.{}", url(head), url(claims));
        let signature = crypto::sign(signed.as_bytes(), secret, Algorithm::EdDSA).expect("the key signs");
        let Ok(verified) = verify(&format!("{signed}.{signature}"), &issuer(), keys, now) else { return };
        let (head, claims) = (object(head), object(claims));
        assert!(head["alg"] == "EdDSA" && claims["iss"] == ISSUER, "{head} {claims}");
        assert!(["crit", "jwk", "jku", "x5u"].iter().all(|key| head.get(key).is_none()), "{head}");
        assert!(claims["aud"] == "client" || claims["aud"].as_array().is_some_and(|all| all.contains(&"client".into())), "{claims}");
        assert!(verified.expires_s + 60 > NOW_S && claims["sub"] == *verified.sub, "{claims}");
        let is_plain = !verified.sub.chars().any(|sign| sign.is_control() || sign.is_whitespace());
        assert!(is_plain && (1..=255).contains(&verified.sub.len()) && *verified.sub != *ANONYMOUS, "{claims}");
        assert!(!verified.sub.starts_with("key:") && !verified.sub.starts_with("proxy:"), "{claims}");
        assert!(verified.names.shown().is_none_or(|name| (1..=200).contains(&name.len())), "{claims}");
    });
}

fn object(json: &[u8]) -> Value {
    let text = std::str::from_utf8(json).expect("a token that counts is text");
    unique_json(text).expect("a token that counts is made of JSON")
}

/// What an issuer publishes: keys, a discovery document, and what it knows of a user.
pub(super) fn keys(bytes: &[u8]) {
    match KeySet::read(ISSUER, bytes) {
        Ok(keys) => {
            assert!((1..=100).contains(&keys.len()) && keys.is_same(&keys));
            let token = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.e30.AAAA";
            assert!(verify(token, &issuer(), &keys, Time(NOW_S * 1_000_000)).is_err());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match discovered("https://id.example.org/.well-known/openid-configuration", bytes, &issuer()) {
        Ok(found) => {
            assert_eq!(found.issuer.trim_end_matches('/'), ISSUER, "it is the issuer that is meant");
            assert!(found.userinfo.is_none_or(|url| is_safe_url(&url)), "a token is sent nowhere else");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    if let Ok(Value::Object(claims)) = serde_json::from_slice(bytes) {
        let names = Names::of(&claims);
        assert!(names.shown().is_none_or(|name| !name.is_empty() && !name.chars().any(char::is_control)));
    }
}

/// A file of API keys.
pub(super) fn api_keys(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match ApiKeys::read(text) {
        Ok(keys) => {
            let listed = keys.list();
            assert_eq!(listed.len(), keys.len());
            assert!(listed.iter().all(|key| is_key_name(&key.name)));
            assert!(listed.is_sorted_by(|one, other| one.name < other.name), "no name twice");
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.to_string().contains('\n')),
    }
}
