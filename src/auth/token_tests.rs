//! Tokens that count, and a great many that don't.

use super::*;
use crate::auth::testing::*;
use aws_lc_rs::hmac;
use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD as URL};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

static KEYS: LazyLock<KeySet> = LazyLock::new(|| key_set(&*SIGNERS));

fn check(token: &str) -> Result<Verified, Rejected> {
    verify(token, &issuer(), &KEYS, NOW)
}

/// Claims of a valid token with one changed; null removes it.
fn with(key: &str, value: Value) -> Value {
    let mut claims = claims("ada");
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
        value => claims[key] = value,
    }
    claims
}

/// The first key, which is Zitadel's kind.
fn rsa() -> &'static Signer {
    &SIGNERS[0]
}

/// A token with a head of our own.
fn headed(head: &Value) -> String {
    rsa().sign_parts("RS256", head.to_string().as_bytes(), claims("ada").to_string().as_bytes())
}

#[test]
fn tokens_of_each_algorithm_count() {
    for signer in SIGNERS.iter() {
        assert_eq!(check(&signer.token(&claims("ada"))).map(|token| token.sub), Ok("ada".into()), "{}", signer.id);
    }
    for algorithm in ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"] {
        let head = json!({ "alg": algorithm, "kid": "rsa", "typ": "at+jwt" }).to_string();
        let token = rsa().sign_parts(algorithm, head.as_bytes(), claims("ada").to_string().as_bytes());
        assert!(check(&token).is_ok(), "{algorithm}: a key that states no algorithm allows all of its kind");
    }
}

#[test]
fn what_may_differ_between_issuers_counts() {
    let zitadel = json!({"admin": {"2486": "acme.example"}});
    for (key, value, expected) in [
        ("aud", json!(CLIENT), "ada ada user"),
        ("aud", json!(PROJECT), "ada ada user"),
        ("aud", json!(["other", PROJECT]), "ada ada user"),
        ("nbf", Value::Null, "ada ada user"),
        ("nbf", json!(NOW_S + LEEWAY_S), "ada ada user"),
        ("exp", json!(NOW_S - LEEWAY_S + 1), "ada ada user"),
        ("exp", json!(NOW_S as f64 + 0.5), "ada ada user"),
        ("exp", json!(1e300), "ada ada user"),
        ("exp", json!(u64::MAX), "ada ada user"),
        ("name", json!("Ada Lovelace"), "ada Ada Lovelace user"),
        ("name", json!("  "), "ada ada user"),
        ("name", json!(7), "ada ada user"),
        ("name", json!("a\u{7}b"), "ada ada user"),
        ("name", json!("x".repeat(201)), "ada ada user"),
        ("preferred_username", json!("ada@acme"), "ada ada@acme user"),
        ("email", json!("ada@acme.example"), "ada ada user"),
        ("sub", json!("248655512345678901"), "248655512345678901 248655512345678901 user"),
        ("urn:zitadel:iam:org:project:roles", zitadel, "ada ada admin"),
        ("urn:zitadel:iam:org:project:roles", json!({"user": {}}), "ada ada user"),
    ] {
        let verified = check(&rsa().token(&with(key, value.clone()))).unwrap_or_else(|why| panic!("{key} {value}: {why}"));
        let shown = verified.names.shown().unwrap_or(&verified.sub);
        let role = if verified.is_admin { "admin" } else { "user" };
        assert_eq!(format!("{} {shown} {role}", verified.sub), expected, "{key} {value}");
    }
    for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
        assert!(check(&headed(&json!({ "alg": "RS256", "kid": "rsa", "typ": typ }))).is_ok(), "{typ}");
    }
    // An issuer with one key need not name it.
    let head = json!({ "alg": "ES256", "typ": "JWT" }).to_string();
    let token = SIGNERS[3].sign_parts("ES256", head.as_bytes(), claims("ada").to_string().as_bytes());
    assert!(check(&token).is_ok(), "one key fits");
    assert!(check(&headed(&json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT", "x5t": "abc", "cty": "x" }))).is_ok());
}

#[test]
fn a_project_or_a_client_is_enough() {
    let token = rsa().token(&with("aud", json!([PROJECT])));
    for (client, project, expected) in
        [(Some(CLIENT), None, Err(Rejected::Audience)), (None, Some(PROJECT), Ok(())), (None, None, Err(Rejected::Audience))]
    {
        let issuer = Issuer { client_id: client.map(str::to_owned), project_id: project.map(str::to_owned), ..issuer() };
        assert_eq!(verify(&token, &issuer, &KEYS, NOW).map(drop), expected, "{client:?} {project:?}");
    }
}

#[test]
fn opaque_tokens_get_the_sentence_that_names_the_setting_in_zitadel() {
    for token in ["", "x", "uNTW3Jx4o9dLM0xc0Dk1", "a.b", "a.b.c.d", "V2_1-at_2.x"] {
        assert_eq!(check(token), Err(Rejected::Opaque), "{token}");
    }
    assert!(Rejected::Opaque.to_string().contains("Auth Token Type to JWT") && Rejected::Opaque.code() == Code::OpaqueToken);
    assert_eq!(check("a.b.c.d.e"), Err(Rejected::Encrypted));
}

#[test]
fn a_key_that_is_unknown_now_counts_with_newer_keys() {
    let (old, new) = (key_set(&SIGNERS[..1]), key_set(&SIGNERS[3..4]));
    let token = SIGNERS[3].token(&claims("ada"));
    assert_eq!(verify(&token, &issuer(), &old, NOW), Err(Rejected::UnknownKey));
    assert!(verify(&token, &issuer(), &new, NOW).is_ok());
    assert_eq!(verify(&rsa().token(&claims("ada")), &issuer(), &new, NOW), Err(Rejected::UnknownKey), "and a withdrawn one no longer");
}

/// Everything that must not count, by what is wrong with it.
fn bad_tokens() -> Vec<(String, String)> {
    let mut bad = Vec::new();
    let mut add = |what: String, token: String| bad.push((what, token));
    let good = rsa().token(&claims("ada"));
    let (head, body, signature) = {
        let parts: Vec<&str> = good.split('.').collect();
        (parts[0].to_owned(), parts[1].to_owned(), parts[2].to_owned())
    };

    // Every key with every other algorithm, signed as the key can.
    const NAMES: &[&str] = &[
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "ES256K",
        "EdDSA",
        "Ed25519",
        "Ed448",
        "RS1",
        "rs256",
        "RS256 ",
        " RS256",
        "RS256\u{0}",
        "dir",
        "A256KW",
        "RSA-OAEP",
        "eddsa",
    ];
    for signer in SIGNERS.iter() {
        let same: &[&str] = if signer.algorithm == "EdDSA" { &["EdDSA", "Ed25519"] } else { &[signer.algorithm] };
        for name in NAMES.iter().filter(|name| !same.contains(name)) {
            let lying = json!({ "alg": name, "kid": signer.id, "typ": "JWT" }).to_string();
            add(
                format!("{} says {name}", signer.id),
                signer.sign_parts(signer.algorithm, lying.as_bytes(), claims("ada").to_string().as_bytes()),
            );
        }
        for other in SIGNERS.iter().filter(|other| other.id != signer.id) {
            let lying = json!({ "alg": signer.algorithm, "kid": other.id, "typ": "JWT" }).to_string();
            let token = signer.sign_parts(signer.algorithm, lying.as_bytes(), claims("ada").to_string().as_bytes());
            add(format!("{} says it is {}", signer.id, other.id), token);
        }
    }
    // Right algorithms that the key's `alg` rules out.
    for (place, algorithm) in [(1, "RS256"), (1, "PS512"), (2, "RS256"), (2, "PS384")] {
        let signer = &SIGNERS[place];
        let lying = json!({ "alg": algorithm, "kid": signer.id, "typ": "JWT" }).to_string();
        add(
            format!("{} signs {algorithm}", signer.id),
            signer.sign_parts(algorithm, lying.as_bytes(), claims("ada").to_string().as_bytes()),
        );
    }
    // The public key as the secret of an HMAC, in every form that someone may have it.
    for signer in SIGNERS.iter() {
        let jwk = signer.jwk();
        let public = jwk.get("n").or(jwk.get("x")).and_then(Value::as_str).unwrap().to_owned();
        let bytes = URL.decode(public.as_bytes()).unwrap();
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&bytes));
        for (form, secret) in [
            ("bytes", bytes),
            ("base64", public.into_bytes()),
            ("JWK", jwk.to_string().into_bytes()),
            ("PEM", pem.into_bytes()),
            ("kid", signer.id.as_bytes().to_vec()),
            ("nothing", Vec::new()),
        ] {
            for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)] {
                let lying = json!({ "alg": name, "kid": signer.id, "typ": "JWT" }).to_string();
                let signed = format!("{}.{}", URL.encode(lying.as_bytes()), URL.encode(claims("ada").to_string().as_bytes()));
                let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), signed.as_bytes());
                add(format!("{name} with {}'s {form}", signer.id), format!("{signed}.{}", URL.encode(tag.as_ref())));
            }
        }
    }
    // No signature, and signatures that once passed somewhere.
    for name in ["none", "None", "NONE", "RS256", "ES256", "EdDSA"] {
        let lying = URL.encode(json!({ "alg": name, "typ": "JWT" }).to_string().as_bytes());
        for end in ["", ".", ".AA", ".AAAA"] {
            add(format!("{name} with `{end}` for a signature"), format!("{lying}.{body}{end}"));
        }
    }
    for (id, algorithm, length) in
        [("p256", "ES256", 64), ("p384", "ES384", 96), ("ed", "EdDSA", 64), ("rsa", "RS256", 256), ("rsa-pss", "PS256", 256)]
    {
        let own = URL.encode(json!({ "alg": algorithm, "kid": id, "typ": "JWT" }).to_string().as_bytes());
        for (what, bytes) in [
            ("zeros", vec![0; length]),
            ("ones", vec![1; length]),
            ("full", vec![255; length]),
            ("short", vec![0; length - 1]),
            ("long", vec![0; length + 1]),
            ("empty", vec![]),
            ("DER zeros", vec![0x30, 6, 2, 1, 0, 2, 1, 0]),
        ] {
            add(format!("{algorithm} with {what}"), format!("{own}.{body}.{}", URL.encode(&bytes)));
        }
    }

    // Claims that are wrong, each rightly signed.
    let claim = |key: &str, value: Value| rsa().token(&with(key, value));
    for iss in [
        json!(format!("{ISSUER}/")),
        json!(ISSUER.to_uppercase()),
        json!("http://id.example.org"),
        json!("https://id.example.org.evil.example"),
        json!("https://evil.example"),
        json!(""),
        json!([ISSUER]),
        json!(7),
        json!({ "iss": ISSUER }),
        json!(format!(" {ISSUER}")),
        json!(true),
        json!(format!("{ISSUER}\u{0}")),
        json!(format!("{ISSUER}#")),
        Value::Null,
    ] {
        add(format!("iss {iss}"), claim("iss", iss));
    }
    for aud in [
        json!("other"),
        json!(""),
        json!([]),
        json!([""]),
        json!(["other", "another"]),
        json!([[CLIENT]]),
        json!({ CLIENT: true }),
        json!([CLIENT, 7]),
        json!(248_612_345_678_901_234_u64),
        json!(format!("{CLIENT} ")),
        json!(format!("{CLIENT} {PROJECT}")),
        json!(format!("{CLIENT},{PROJECT}")),
        json!(CLIENT[1..].to_owned()),
        json!(format!("{CLIENT}0")),
        json!(true),
        json!("*"),
        json!([null, CLIENT]),
        Value::Null,
    ] {
        add(format!("aud {aud}"), claim("aud", aud));
    }
    for exp in [
        json!(NOW_S - 60),
        json!(NOW_S - 61),
        json!(NOW_S - 3600),
        json!(0),
        json!(-1),
        json!(-1e300),
        json!(1),
        json!(NOW_S.to_string()),
        json!("never"),
        json!([NOW_S + 3600]),
        json!({}),
        json!(true),
        json!((NOW_S - 60) as f64),
        json!("2099-01-01T00:00:00Z"),
        Value::Null,
    ] {
        add(format!("exp {exp}"), claim("exp", exp));
    }
    for nbf in [
        json!(NOW_S + 61),
        json!(NOW_S + 3600),
        json!(u64::MAX),
        json!(1e300),
        json!(NOW_S.to_string()),
        json!("x"),
        json!([]),
        json!({}),
        json!(false),
    ] {
        add(format!("nbf {nbf}"), claim("nbf", nbf));
    }
    for sub in [
        json!(""),
        json!(7),
        json!(["ada"]),
        json!({ "sub": "ada" }),
        json!(true),
        json!("x".repeat(256)),
        json!("a\u{0}b"),
        json!("a\nb"),
        json!("a b"),
        json!("ada\r\nx: y"),
        json!("key:ci"),
        json!("anonymous"),
        json!("proxy:ada"),
        json!("\u{7f}"),
        json!("a\u{85}b"),
        json!(" ada"),
        json!("ada\t"),
        json!("a\u{2028}b"),
        Value::Null,
    ] {
        add(format!("sub {sub}"), claim("sub", sub));
    }

    // Heads that are wrong, each rightly signed.
    let head_with = |key: &str, value: Value| {
        let mut head = rsa().head();
        match value {
            Value::Null => drop(head.as_object_mut().unwrap().remove(key)),
            value => head[key] = value,
        }
        headed(&head)
    };
    for typ in [
        json!("JWE"),
        json!("JWS"),
        json!("logout+jwt"),
        json!("dpop+jwt"),
        json!("secevent+jwt"),
        json!("client-authentication+jwt"),
        json!("at+jwt "),
        json!("at jwt"),
        json!("JOSE"),
        json!("application/jwt"),
        json!(""),
        json!(7),
        json!(["JWT"]),
        json!({}),
        json!("rt+jwt"),
        json!("id_token+jwt;x"),
        Value::Null,
    ] {
        add(format!("typ {typ}"), head_with("typ", typ));
    }
    for crit in
        [json!([]), json!(["b64"]), json!(["exp"]), json!(["http://example.com/x"]), json!("b64"), json!({}), json!(false), json!(0)]
    {
        add(format!("crit {crit}"), head_with("crit", crit));
    }
    add("crit null".to_owned(), headed(&json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT", "crit": null })));
    add("b64 false".to_owned(), headed(&json!({ "alg": "RS256", "kid": "rsa", "typ": "JWT", "b64": false, "crit": ["b64"] })));
    for signer in SIGNERS.iter() {
        add(format!("jwk {}", signer.id), {
            let lying = json!({ "alg": signer.algorithm, "kid": signer.id, "typ": "JWT", "jwk": signer.jwk() }).to_string();
            signer.sign_parts(signer.algorithm, lying.as_bytes(), claims("ada").to_string().as_bytes())
        });
    }
    for (key, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("jku", json!(format!("{ISSUER}/oauth/v2/keys"))),
        ("x5u", json!("https://evil.example/cert")),
        ("jwk", json!({})),
        ("jku", json!("")),
        ("x5u", json!(7)),
    ] {
        add(format!("{key} {value}"), head_with(key, value));
    }
    for kid in [
        json!("../../etc/passwd"),
        json!("..\\..\\windows"),
        json!("/dev/null"),
        json!("file:///dev/null"),
        json!("https://evil.example/key"),
        json!("' OR '1'='1"),
        json!("rsa' UNION SELECT 'x"),
        json!("rsa\u{0}"),
        json!("rsa "),
        json!("RSA"),
        json!(""),
        json!("x".repeat(4000)),
        json!("${jndi:ldap://x}"),
        json!("|id"),
        json!("rsa\n"),
        json!("%2e%2e%2f"),
        json!(7),
        json!(["rsa"]),
        json!({ "kid": "rsa" }),
        json!(true),
        json!("p256"),
        json!("ed"),
    ] {
        add(format!("kid {kid}"), head_with("kid", kid));
    }
    add("kid null".to_owned(), headed(&json!({ "alg": "RS256", "kid": null, "typ": "JWT" })));
    for alg in [json!(7), json!(["RS256"]), json!({ "alg": "RS256" }), json!(true), Value::Null] {
        add(format!("alg {alg}"), head_with("alg", alg));
    }

    // Texts that two readers could understand differently.
    let parts = |what: &str, head: &str, claims: &str, add: &mut dyn FnMut(String, String)| {
        add(what.to_owned(), rsa().sign_parts("RS256", head.as_bytes(), claims.as_bytes()));
    };
    let (plain_head, plain) = (rsa().head().to_string(), claims("ada").to_string());
    let doubled = |text: &str, entry: &str| text.replacen('{', &format!("{{{entry},"), 1);
    for entry in [r#""sub":"eve""#, r#""iss":"x""#, r#""aud":"x""#, r#""exp":1"#, r#""s\u0075b":"eve""#, r#""nbf":1"#, r#""client_id":"x""#]
    {
        parts(&format!("claims with {entry} twice"), &plain_head, &doubled(&plain, entry), &mut add);
        parts(&format!("claims with {entry} twice, last"), &plain_head, &plain.replace('}', &format!(",{entry}}}")), &mut add);
    }
    for entry in [r#""alg":"none""#, r#""kid":"x""#, r#""typ":"x""#, r#""\u0061lg":"none""#] {
        parts(&format!("a head with {entry} twice"), &doubled(&plain_head, entry), &plain, &mut add);
    }
    parts("roles twice", &plain_head, &doubled(&plain, r#""r":{"admin":1,"admin":2}"#), &mut add);
    for (what, text) in [
        ("nothing", String::new()),
        ("a list", "[]".to_owned()),
        ("a text", "\"x\"".to_owned()),
        ("null", "null".to_owned()),
        ("a number", "1".to_owned()),
        ("half", plain[..plain.len() / 2].to_owned()),
        ("more", format!("{plain}{plain}")),
        ("a tail", format!("{plain}x")),
        ("a mark", format!("\u{feff}{plain}")),
        ("NaN", plain.replace("3600", "NaN")),
        ("a comment", format!("/**/{plain}")),
        ("a comma", plain.replace('}', ",}")),
        ("depth", format!("{}{}", "[".repeat(3000), "]".repeat(3000))),
        ("deep claims", plain.replacen('{', &format!("{{\"x\":{}{},", "[".repeat(500), "]".repeat(500)), 1)),
    ] {
        parts(&format!("claims that are {what}"), &plain_head, &text, &mut add);
        parts(&format!("a head that is {what}"), &text.replace(&plain, &plain_head), &plain, &mut add);
    }
    for bytes in [&b"\xff\xfe"[..], b"{\"sub\":\"\xc3\x28\"}", b"{\"sub\":\"\xed\xa0\x80\"}", b"\0"] {
        add(format!("claims of {bytes:?}"), rsa().sign_parts("RS256", plain_head.as_bytes(), bytes));
        add(format!("a head of {bytes:?}"), rsa().sign_parts("RS256", bytes, plain.as_bytes()));
    }

    // Base64 that is not quite that.
    let padded = BASE64URL.encode(plain.as_bytes());
    let signed = |head: &str, body: &str| {
        let signed = format!("{head}.{body}");
        format!("{signed}.{}", URL.encode(&rsa().signature("RS256", signed.as_bytes())))
    };
    for body in [
        format!("{}=", body),
        format!("{body}=="),
        padded.clone() + "=",
        format!("{body}\n"),
        format!(" {body}"),
        format!("{body}%3D"),
        format!("{body}+/"),
        "!".to_owned(),
        format!("{body}A"),
    ] {
        add(format!("claims as …{}", &body[body.len().saturating_sub(4)..]), signed(&head, &body));
        add("and the same as a head".to_owned(), signed(&body, &head));
    }
    for tail in ["=", "==", " ", "\n", "%", "A", "AAAA", ".", "..", "/", "+"] {
        add(format!("a signature and `{}`", tail.escape_default()), format!("{good}{tail}"));
    }
    // The last character of 256 bytes holds four bits that must be zero.
    let last = signature.chars().last().unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|other| *other != last) {
        add(format!("a last character {other}"), format!("{}{other}", &good[..good.len() - 1]));
    }
    // Parts that don't belong together, and one bit that was changed.
    let eve = rsa().token(&claims("eve"));
    let eve: Vec<&str> = eve.split('.').collect();
    for (what, token) in [
        ("another's claims", format!("{head}.{}.{signature}", eve[1])),
        ("another's signature", format!("{head}.{body}.{}", eve[2])),
        ("no head", format!(".{body}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("only dots", "..".to_owned()),
        ("parts in another order", format!("{body}.{head}.{signature}")),
        ("an empty part before", format!(".{good}")),
        ("Bearer before", format!("Bearer {good}")),
        ("a space before", format!(" {good}")),
        ("quotes", format!("\"{good}\"")),
        ("twice", format!("{good}{good}")),
        ("twice with a comma", format!("{good},{good}")),
        ("in upper case", good.to_uppercase()),
    ] {
        add(what.to_owned(), token);
    }
    for place in (0..good.len()).step_by(7) {
        let mut changed = good.clone().into_bytes();
        changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
        add(format!("character {place} changed"), String::from_utf8(changed).unwrap());
        add(format!("cut at {place}"), good[..place].to_owned());
    }
    // Too long.
    for extra in [8 << 10, 64 << 10, 1 << 20] {
        add(format!("{extra} more bytes"), rsa().token(&with("x", json!("x".repeat(extra)))));
    }
    bad
}

#[test]
fn hundreds_of_bad_tokens_are_refused_each_with_a_code() {
    let (bad, mut codes) = (bad_tokens(), BTreeMap::<&str, usize>::new());
    for (what, token) in &bad {
        match check(token) {
            Ok(verified) => panic!("{what} was accepted as {}: {token}", verified.sub),
            Err(why) => *codes.entry(why.code().name()).or_default() += 1,
        }
    }
    let mut shown = format!("{} bad tokens refused:", bad.len());
    codes.iter().for_each(|(code, count)| write!(shown, " {code} {count}").unwrap());
    assert!(bad.len() >= 800, "{shown}");
    assert!(codes.keys().eq(["invalid_token", "opaque_token", "token_expired"].iter()), "{shown}");
    eprintln!("{shown}");
}

#[test]
fn a_set_of_keys_holds_only_what_can_sign() {
    let jwk = |place: usize| SIGNERS[place].jwk();
    let changed = |place: usize, key: &str, value: Value| {
        let mut jwk = jwk(place);
        jwk[key] = value;
        jwk
    };
    let read = |keys: Vec<Value>| KeySet::read(ISSUER, json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.len());
    assert_eq!(read((0..6).map(jwk).collect()), Ok(6));
    for (what, key) in [
        ("for encryption", changed(0, "use", json!("enc"))),
        ("that only signs", changed(0, "key_ops", json!(["sign"]))),
        ("of another algorithm's kind", changed(0, "alg", json!("ES256"))),
        ("of HMAC", changed(0, "alg", json!("HS256"))),
        ("of no algorithm", changed(0, "alg", json!(null))),
        ("of 1024 bits", changed(0, "n", json!(URL.encode(&[0x81; 128])))),
        ("of 2048 bits that are mostly zeros", changed(0, "n", json!(URL.encode(&[vec![0; 192], vec![0x81; 64]].concat())))),
        ("of 16384 bits", changed(0, "n", json!(URL.encode(&[0x81; 2048])))),
        ("with a short point", changed(3, "x", json!("AA"))),
        ("on another curve", changed(3, "crv", json!("secp256k1"))),
        ("of P-521", json!({ "kty": "EC", "crv": "P-521", "x": URL.encode(&[1; 66]), "y": URL.encode(&[1; 66]) })),
        ("of Ed448", json!({ "kty": "OKP", "crv": "Ed448", "x": URL.encode(&[1; 57]) })),
        ("that is secret", json!({ "kty": "oct", "k": "AAAA", "kid": "rsa" })),
        ("of nothing", json!({})),
        ("that is none", json!("rsa")),
    ] {
        assert_eq!(read(vec![key.clone()]), Err(crate::auth::KeySetError::NoneUsable), "a key {what}");
        assert_eq!(read(vec![key, jwk(5)]), Ok(1), "and does no harm to others: {what}");
    }
    assert_eq!(read(Vec::new()), Err(crate::auth::KeySetError::NoneUsable), "empty");
    assert_eq!(read((0..101).map(|_| jwk(5)).collect()), Err(crate::auth::KeySetError::TooMany));
    for (document, expected) in [
        (&b""[..], crate::auth::KeySetError::NoList),
        (b"[]", crate::auth::KeySetError::NoList),
        (b"{\"keys\":{}}", crate::auth::KeySetError::NoList),
        (b"<html>", crate::auth::KeySetError::NoList),
        (&[b' '; 300 << 10], crate::auth::KeySetError::TooLarge),
    ] {
        assert_eq!(KeySet::read(ISSUER, document).unwrap_err(), expected);
    }
    // Two keys of one name, as some issuers publish them: each counts for its kind.
    let same = key_set(&*SIGNERS);
    assert!(same.is_same(&key_set(&*SIGNERS)) && !same.is_same(&key_set(&SIGNERS[1..])));
}
