//! What sign-in costs a request on a connection that is kept open: the whole shard with and without it, in pairs.
//!
//! Both sides read the same request with the same token. `first` is a token that the shard has not seen, whose signature it
//! verifies; `known` one that it has.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use data_encoding::BASE64URL_NOPAD;
use framewright::auth::{Issuer, KeySet, News, Rules};
use framewright::contract::{Moment, Now, Time};
use framewright::graph::Library;
use framewright::shard::event::{Action, Door, Event, ShardId, SocketId};
use framewright::shard::{Settings, Shard};
use serde_json::json;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const NOW_S: u64 = 1_800_000_000;
const ISSUER: &str = "https://id.example.org";
const CLIENT: &str = "248612345678901234";

/// An issuer with one RSA key, as Zitadel's is.
struct Signer(RsaKeyPair);

impl Signer {
    fn keys(&self) -> KeySet {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(self.0.public_key());
        let (n, e) = (BASE64URL_NOPAD.encode(&public.n), BASE64URL_NOPAD.encode(&public.e));
        let document = json!({ "keys": [{ "kty": "RSA", "kid": "1", "use": "sig", "n": n, "e": e }] }).to_string();
        KeySet::read(ISSUER, document.as_bytes()).expect("the document is sound")
    }

    /// A token as long as one of Zitadel.
    fn token(&self, number: usize) -> String {
        let head = json!({ "alg": "RS256", "kid": "1", "typ": "JWT" }).to_string();
        let claims = json!({
            "iss": ISSUER, "sub": "248655512345678901", "aud": [CLIENT, "248612345678901235", "248698765432109876"], "exp": NOW_S + 43_200,
            "iat": NOW_S, "nbf": NOW_S, "jti": format!("V2_248699999999999999-at_{number:018}"), "client_id": CLIENT,
            "urn:zitadel:iam:org:project:roles": { "user": { "248600000000000000": "acme.zitadel.cloud" } },
        });
        let signed = format!("{}.{}", BASE64URL_NOPAD.encode(head.as_bytes()), BASE64URL_NOPAD.encode(claims.to_string().as_bytes()));
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("the key signs");
        format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }
}

/// A shard with one open connection.
struct World {
    shard: Shard,
    now: Now,
    actions: Vec<Action>,
}

const SOCKET: SocketId = SocketId(1);

impl World {
    fn new(library: &Arc<Library>, keys: Option<KeySet>) -> World {
        let issuer = Issuer { url: ISSUER.to_owned(), client_id: Some(CLIENT.to_owned()), project_id: None, admin: None };
        let sign_in = keys.as_ref().map(|_| Rules { issuer: Some(issuer), ..Rules::default() }).unwrap_or_default();
        let shard = Shard::new(ShardId(0), Arc::new(Settings { sign_in, ..Settings::new(library.clone(), "v3-framed") }), "bench");
        let now = Now { moment: Moment(1_000_000), wall: Time(NOW_S * 1_000_000) };
        let mut world = World { shard, now, actions: Vec::new() };
        world.handle(Event::News(News::Keys(keys.map(Arc::new))));
        world.handle(Event::Accepted { socket: SOCKET, peer: IpAddr::from(Ipv4Addr::LOCALHOST).into(), door: Door::Main });
        world.handle(Event::TickEnd);
        world
    }

    fn handle(&mut self, event: Event<'_>) {
        self.shard.handle(self.now, event, &mut self.actions);
    }

    /// One request and its answer; returns the answer's bytes.
    fn request(&mut self, bytes: &[u8]) -> usize {
        self.actions.clear();
        self.handle(Event::Read { socket: SOCKET, bytes: black_box(bytes) });
        self.handle(Event::TickEnd);
        let written = self.actions.drain(..).find_map(|action| if let Action::Write { bytes, .. } = action { Some(bytes) } else { None });
        let written = written.expect("each request is answered at once");
        assert!(written.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&written));
        let length = written.len();
        self.handle(Event::Written { socket: SOCKET, buffer: written });
        self.handle(Event::TickEnd);
        length
    }

    /// Microseconds of each request.
    fn time(&mut self, requests: &[Vec<u8>], times: usize) -> f64 {
        let begun = Instant::now();
        let mut bytes = 0;
        for _ in 0..times {
            bytes += requests.iter().map(|request| self.request(request)).sum::<usize>();
        }
        black_box(bytes);
        begun.elapsed().as_nanos() as f64 / 1e3 / (times * requests.len()) as f64
    }
}

/// The graphs of this repository.
fn library() -> Arc<Library> {
    let mut files = BTreeMap::new();
    for folder in ["", "prompts/", "schemas/"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs").join(folder);
        let entries = std::fs::read_dir(path).expect("the folder is there").map(|entry| entry.expect("it can be read"));
        for entry in entries.filter(|entry| entry.path().is_file()) {
            let text = std::fs::read_to_string(entry.path()).expect("it is text");
            files.insert(format!("{folder}{}", entry.file_name().display()), text);
        }
    }
    Arc::new(Library::load(&files).expect("the shipped graphs load"))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[allow(clippy::print_stdout, reason = "a benchmark prints")]
fn main() {
    let is_real = std::env::args().any(|argument| argument == "--bench");
    let (pairs, times, firsts) = if is_real { (31, 2_000, 500) } else { (1, 20, 3) };
    let library = library();
    let signer = Signer(RsaKeyPair::generate(KeySize::Rsa2048).expect("the system has random numbers"));
    let ask = |token: &str| {
        format!("GET /api/test/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nAccept: */*\r\n\r\n").into_bytes()
    };
    let known = [ask(&signer.token(0))];
    let (mut without, mut with) = (World::new(&library, None), World::new(&library, Some(signer.keys())));
    let (mut plain, mut signed) = (Vec::new(), Vec::new());
    for _ in 0..pairs {
        plain.push(without.time(&known, times));
        signed.push(with.time(&known, times));
    }
    let fresh: Vec<Vec<u8>> = (1..=firsts).map(|number| ask(&signer.token(number))).collect();
    let first = with.time(&fresh, 1);
    let costs: Vec<f64> = plain.iter().zip(&signed).map(|(plain, signed)| signed - plain).collect();
    let ratios: Vec<f64> = plain.iter().zip(&signed).map(|(plain, signed)| signed / plain).collect();
    let (plain, cost, ratio) = (median(plain), median(costs), median(ratios));
    println!(
        "auth: token={}B without={plain:.2}us known=+{cost:.2}us (x{ratio:.2}) first=+{:.1}us",
        known[0].len() - ask("").len(),
        first - plain
    );
}
