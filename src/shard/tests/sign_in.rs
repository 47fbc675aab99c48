//! Who is let in, with what, for how long, and what happens at the door.

use super::*;
use crate::auth::testing::{CLIENT, ISSUER, NOW, NOW_S, PROJECT, SIGNERS, Signer, claims, issuer, key_set};
use crate::auth::{ApiKeys, KeyHash, Names, News, Proxy};
use crate::shard::event::Show;
use crate::shard::identity::User;

/// Rules with an issuer, a trusted proxy at 10.0.0.1 and API keys.
pub(super) fn rules() -> Rules {
    let proxy = Proxy { header: "x-remote-user".to_owned(), trusted: vec!["10.0.0.0/30".parse().unwrap()] };
    Rules { issuer: Some(issuer()), proxy: Some(proxy), api_keys: true }
}

pub(super) fn keys_file(entries: &[(&str, &str)]) -> Arc<ApiKeys> {
    let entry = |(name, scopes): &(&str, &str)| {
        format!("[keys.{name}]\nsha256 = \"{}\"\nscopes = [{scopes}]\n", KeyHash::of(&format!("fw_{name}")))
    };
    Arc::new(ApiKeys::read(&entries.iter().map(entry).collect::<String>()).unwrap())
}

pub(super) fn keys(signers: &[Signer]) -> Event<'static> {
    Event::News(News::Keys(Some(Arc::new(key_set(signers)))))
}

/// A shard that knows the issuer's keys but the last.
pub(super) fn world() -> World {
    let mut world = without_keys();
    world.tick(vec![keys(&SIGNERS[..5])]);
    world
}

fn without_keys() -> World {
    let mut world = World::new(Settings { sign_in: rules(), sessions_max: 50, ..settings() });
    world.now.wall = NOW;
    world
}

pub(super) fn token(sub: &str) -> String {
    SIGNERS[0].token(&claims(sub))
}

fn expiring(sub: &str, in_s: u64) -> String {
    let mut claims = claims(sub);
    claims["exp"] = (NOW_S + in_s).into();
    SIGNERS[0].token(&claims)
}

/// Of a key that the shard does not know yet.
fn of_new_key(sub: &str) -> String {
    SIGNERS[5].token(&claims(sub))
}

pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

impl World {
    fn ask(&mut self, headers: &str) -> (u16, Value) {
        let socket = self.connect();
        self.request(socket, "GET", "/api/state", headers, "")
    }

    /// A WebSocket with these headers.
    pub(super) fn socket_with(&mut self, target: &str, headers: &str) -> SocketId {
        let socket = self.connect();
        let head =
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        self.send(socket, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{head}{headers}\r\n").as_bytes());
        socket
    }

    /// The code and reason that a socket was closed with; none if it is open.
    pub(super) fn farewell(&mut self, socket: SocketId) -> Option<(u16, String)> {
        let bytes = self.sent.remove(&socket).unwrap_or_default();
        let at = bytes.windows(2).rposition(|pair| pair[0] == 0x88 && pair[1] >= 2 && pair[1] < 126)?;
        let frame = &bytes[at..];
        let payload = frame.get(2..2 + usize::from(frame[1])).filter(|payload| at + 2 + payload.len() == bytes.len())?;
        Some((u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8_lossy(&payload[2..]).into_owned()))
    }

    fn news(&mut self, news: News) {
        self.tick(vec![Event::News(news)]);
    }
}

fn closed(code: u16, reason: &str) -> Option<(u16, String)> {
    Some((code, reason.to_owned()))
}

#[test]
fn a_token_lets_in_by_header_query_or_subprotocol_and_each_where_it_may() {
    let mut world = world();
    let ada = token("ada");
    for (headers, expected) in [
        (bearer(&ada), 200),
        (format!("authorization: bearer  {ada} \r\n"), 200),
        (format!("Authorization: Basic {ada}\r\n"), 401),
        (format!("Authorization: {ada}\r\n"), 401),
        ("Authorization: Bearer\r\n".to_owned(), 401),
        ("Authorization: Bearer \r\n".to_owned(), 401),
        (bearer(&ada).repeat(2), 401),
        (String::new(), 401),
        (bearer("fw_ci"), 401),
        (bearer(&of_new_key("ada")[..300]), 401),
        ("Cookie: token=x\r\n".to_owned(), 401),
    ] {
        assert_eq!(world.ask(&headers).0, expected, "{headers}");
    }
    assert_eq!(world.get(&format!("/api/state?token={ada}")).0, 401, "a query ends up in logs: only where nothing else is possible");
    for (target, headers, expected) in [
        (format!("/ws?token={ada}"), String::new(), None),
        ("/ws".to_owned(), format!("Sec-WebSocket-Protocol: bearer, {ada}\r\n"), None),
        ("/ws".to_owned(), format!("Sec-WebSocket-Protocol: bearer\r\nSec-WebSocket-Protocol: {ada}\r\n"), None),
        ("/ws".to_owned(), bearer(&ada), None),
        (format!("/ws/trace?token={ada}"), String::new(), None),
        (format!("/ws/test?token={ada}"), String::new(), None),
        ("/ws".to_owned(), String::new(), closed(4001, "Missing token")),
        ("/ws/trace".to_owned(), String::new(), closed(4001, "Missing token")),
        ("/ws/test".to_owned(), String::new(), closed(4001, "Missing token")),
        ("/ws?token=".to_owned(), String::new(), closed(4001, "Missing token")),
        ("/ws".to_owned(), "Sec-WebSocket-Protocol: bearer\r\n".to_owned(), closed(4001, "Missing token")),
        ("/ws".to_owned(), format!("Sec-WebSocket-Protocol: {ada}, bearer\r\n"), closed(4001, "Missing token")),
        ("/ws?token=x".to_owned(), String::new(), closed(4001, "Invalid token")),
        (format!("/ws?token={ada}x"), String::new(), closed(4001, "Invalid token")),
        ("/ws?token=fw_x".to_owned(), String::new(), closed(4001, "Invalid token")),
        (format!("/ws?token={}", expiring("ada", 0).replace('.', "%2E")), String::new(), None),
    ] {
        let socket = world.socket_with(&target, &headers);
        let head = String::from_utf8_lossy(&world.sent[&socket]).into_owned();
        assert!(head.starts_with("HTTP/1.1 101"), "a browser can read why only once it is accepted: {head}");
        assert_eq!(
            head.contains("sec-websocket-protocol: bearer\r\n"),
            headers.contains("bearer") && headers.contains("Protocol"),
            "{head}"
        );
        assert_eq!(world.farewell(socket), expected, "{target} {headers}");
        assert_eq!(world.shut.contains(&socket), expected.is_some(), "{target}");
    }
}

#[test]
fn who_is_turned_away_is_told_how_to_sign_in() {
    let mut world = world();
    let socket = world.connect();
    let (status, body) = world.request(socket, "GET", "/api/state", "", "");
    assert_eq!((status, &body["code"]), (401, &json!("missing_token")), "{body}");
    let socket = world.connect();
    world.send(socket, b"GET /api/state HTTP/1.1\r\nHost: localhost\r\nOrigin: https://listed.example\r\n\r\n");
    let answer = world.take(socket);
    assert!(
        answer.contains("\r\nwww-authenticate: Bearer\r\n") && answer.contains("access-control-allow-origin: https://listed.example"),
        "{answer}"
    );
    let mut expired = claims("ada");
    expired["exp"] = (NOW_S - 60).into();
    for (token, code) in [
        ("V2_248-at_opaque".to_owned(), "opaque_token"),
        (SIGNERS[0].token(&expired), "token_expired"),
        ("a.b.c".to_owned(), "invalid_token"),
        ("fw_nobody".to_owned(), "invalid_token"),
        ("x".repeat(9000), "invalid_token"),
    ] {
        let (status, body) = world.ask(&bearer(&token));
        assert_eq!((status, body["code"].as_str()), (401, Some(code)), "{token}: {body}");
        assert!(!body.to_string().contains(&token), "it is not repeated: {body}");
    }
    assert!(world.codes().contains(&"opaque_token") && world.codes().contains(&"missing_token"));
    let config = world.get("/auth/config");
    assert_eq!(config, (200, json!({"enabled": true, "issuer": ISSUER, "clientId": CLIENT, "projectId": PROJECT})));
    assert_eq!(world.get("/health").0, 200);
    let (status, _) = world.request(socket, "OPTIONS", "/api/state", "Origin: https://listed.example\r\n", "");
    assert_eq!(status, 200, "a browser asks without a token whether it may send one");
}

#[test]
fn without_keys_requests_wait_and_are_answered_when_the_issuer_is() {
    let (ada, mut world) = (token("ada"), without_keys());
    let wait = |world: &mut World| {
        let socket = world.connect();
        world.send(socket, format!("GET /api/state HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(&ada)).as_bytes());
        socket
    };
    let (first, second) = (wait(&mut world), wait(&mut world));
    let chat = world.socket_with(&format!("/ws?token={ada}"), "");
    assert_eq!(world.asked, [Ask::Keys], "fetched once, however many wait");
    assert_eq!((world.take(first), world.take(second), world.take(chat)), Default::default(), "nobody is answered yet");
    // Behind it in the same connection waits the next.
    world.send(first, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.tick(vec![keys(&SIGNERS[..1])]);
    let answers = world.take(first);
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    assert!(world.take(second).starts_with("HTTP/1.1 200") && world.take(chat).starts_with("HTTP/1.1 101"));
    assert_eq!(world.shard.sizes().waiting, 0);

    // An issuer that is down.
    let mut world = without_keys();
    let (socket, chat) = (wait(&mut world), world.socket_with(&format!("/ws?token={ada}"), ""));
    world.news(News::Keys(None));
    let answer = world.take(socket);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("sign_in_unavailable") && answer.contains("retry-after: 5"), "{answer}");
    assert_eq!(world.farewell(chat), closed(1013, "Sign-in is not available"));
    // One that never answers.
    let socket = wait(&mut world);
    world.pass(bounds::PARKED_TIME + Duration::from_secs(1));
    assert!(world.take(socket).contains("sign_in_unavailable"));
    assert_eq!(world.shard.sizes().waiting, 0);
    // What no key can make valid waits for none.
    world.asked.clear();
    assert_eq!((world.ask(&bearer("opaque")).0, world.asked.len()), (401, 0));
    // A client that has gone.
    let socket = wait(&mut world);
    world.tick(vec![Event::Failed { socket }]);
    world.tick(vec![keys(&SIGNERS[..1])]);
    assert_eq!((world.take(socket), world.shard.sizes().waiting), (String::new(), 0));
}

#[test]
fn keys_that_rotate_in_the_middle_of_a_conversation_let_old_and_new_tokens_in() {
    let mut world = world();
    let chat = world.socket_with(&format!("/ws?token={}", token("ada")), "");
    world.take(chat);
    let socket = world.connect();
    let request = |token: &str| format!("GET /api/state HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(token));
    world.send(socket, request(&of_new_key("ada")).as_bytes());
    assert_eq!((world.asked.len(), world.take(socket)), (1, String::new()));
    world.tick(vec![keys(&SIGNERS)]);
    assert!(world.take(socket).starts_with("HTTP/1.1 200"));
    assert_eq!(world.ask(&bearer(&token("ada"))).0, 200, "the old key is still published");
    world.say(chat, r#"{"text":"hello"}"#);
    assert!(world.take(chat).contains(r#""type":"done""#), "the conversation goes on");
    // The old key is withdrawn: what it signed counts no longer, though it was verified before.
    world.tick(vec![keys(&SIGNERS[5..])]);
    world.send(socket, request(&token("ada")).as_bytes());
    world.news(News::Keys(None));
    let answer = world.take(socket);
    assert!(answer.starts_with("HTTP/1.1 401") && answer.contains("invalid_token"), "{answer}");
    assert_eq!(world.ask(&bearer(&of_new_key("ada"))).0, 200);
    // A fetch that brings nothing changes nothing.
    world.news(News::Keys(None));
    assert_eq!(world.ask(&bearer(&of_new_key("ada"))).0, 200);
}

#[test]
fn what_waits_for_keys_is_bounded_in_count_and_bytes() {
    for (bytes, at_most) in [(0, bounds::PARKED_MAX), (1 << 20, bounds::PARKED_BYTES_MAX >> 20)] {
        let mut world = World::new(Settings { sign_in: rules(), connections_max: 1000, ..settings() });
        world.now.wall = NOW;
        let mut refused = 0;
        for _ in 0..at_most + 5 {
            let socket = world.connect();
            let head = format!("POST /api/send HTTP/1.1\r\nHost: localhost\r\n{}Content-Length: {bytes}\r\n\r\n", bearer(&token("ada")));
            world.send(socket, head.as_bytes());
            world.send(socket, &vec![b'x'; bytes]);
            refused += usize::from(world.take(socket).contains("sign_in_unavailable"));
        }
        let waiting = world.shard.sizes().waiting;
        assert!(
            waiting <= at_most && waiting >= at_most - 2 && waiting + refused == at_most + 5,
            "{bytes}: {waiting} wait, {refused} refused"
        );
    }
}

#[test]
fn a_socket_ends_with_its_token_unless_it_brings_a_newer_one() {
    let mut world = world();
    let short = expiring("ada", 100);
    let (left, renewed, other) = ("/ws", "/ws?session=b", "/ws/trace");
    let open = |world: &mut World, target: &str| {
        let socket = world.socket_with(target, &bearer(&short));
        world.take(socket);
        socket
    };
    let (left, renewed, trace) = (open(&mut world, left), open(&mut world, renewed), open(&mut world, other));
    let events = world.connect();
    world.send(events, format!("GET /api/events HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(&short)).as_bytes());
    let auth = |token: &str| json!({ "type": "auth", "token": token }).to_string();
    for socket in [renewed, trace] {
        world.say(socket, &auth(&expiring("ada", 300)));
        assert_eq!(world.take(socket), "", "nothing is said about it");
    }
    let pass = |world: &mut World, seconds: u64| {
        for _ in 0..seconds / 10 {
            world.pass(Duration::from_secs(10));
            world.now.wall.0 += 10_000_000;
            // Everyone answers pings.
            for socket in [left, renewed, trace] {
                if !world.shut.contains(&socket) && !world.closed.contains(&socket) {
                    world.send(socket, &frame(0x8a, b""));
                }
            }
        }
    };
    pass(&mut world, 90);
    assert!([left, renewed, trace, events].iter().all(|socket| !world.shut.contains(socket)), "it is not time yet");
    pass(&mut world, 20);
    assert_eq!(world.farewell(left), closed(4001, "Token expired"));
    assert!(world.shut.contains(&events), "the event stream has ended, to be resumed with a newer token");
    assert!(!world.shut.contains(&renewed) && !world.shut.contains(&trace));
    world.take(renewed);
    pass(&mut world, 200);
    assert_eq!(world.farewell(renewed), closed(4001, "Token expired"));
    assert_eq!(world.farewell(trace), closed(4001, "Token expired"));
    // Resumed with a newer token.
    let last = world.connect();
    world.send(
        last,
        format!("GET /api/events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 0\r\n{}\r\n", bearer(&expiring("ada", 900))).as_bytes(),
    );
    assert!(world.take(last).starts_with("HTTP/1.1 200"));
}

#[test]
fn a_newer_token_must_be_the_same_users_and_may_have_to_wait_for_its_key() {
    let mut world = world();
    let auth = |token: &str| json!({ "type": "auth", "token": token }).to_string();
    for (said, expected) in [
        (auth(&token("eve")), closed(4001, "Invalid token")),
        (auth("x"), closed(4001, "Invalid token")),
        (auth("fw_nobody"), closed(4001, "Invalid token")),
        (auth(&token("ada")), None),
        (r#"{"type":"auth"}"#.to_owned(), None),
        (r#"{"type":"auth","token":7}"#.to_owned(), None),
    ] {
        let socket = world.socket_with("/ws", &bearer(&token("ada")));
        world.take(socket);
        world.say(socket, &said);
        if !said.contains(r#""token":""#) {
            assert!(world.take(socket).contains("`token` is missing"), "{said}");
        }
        assert_eq!(world.farewell(socket), expected, "{said}");
    }
    // One that is signed with a new key.
    let (good, bad) = (world.socket_with("/ws", &bearer(&expiring("ada", 100))), world.socket_with("/ws", &bearer(&token("ada"))));
    world.say(good, &auth(&of_new_key("ada")));
    world.say(bad, &auth(&of_new_key("eve")));
    world.take(good);
    assert_eq!((world.farewell(good), world.asked.contains(&Ask::Keys)), (None, true));
    world.tick(vec![keys(&SIGNERS)]);
    assert_eq!(world.farewell(bad), closed(4001, "Invalid token"));
    world.pass(Duration::from_secs(20));
    world.send(good, &frame(0x8a, b""));
    world.pass(Duration::from_secs(85));
    assert!(!world.shut.contains(&good), "it lives as long as the newer token");
}

#[test]
fn nobody_signs_in_where_there_is_no_sign_in() {
    let mut world = World::new(settings());
    assert_eq!(world.get("/auth/config").1, json!({"enabled": false, "issuer": null, "clientId": null, "projectId": null}));
    assert_eq!(world.ask(&bearer("whatever")).0, 200);
    let socket = world.websocket("/ws?token=secret");
    world.take(socket);
    world.say(socket, r#"{"type":"auth","token":"x"}"#);
    assert_eq!((world.take(socket), world.asked.len()), (String::new(), 0));
}

#[test]
fn an_api_key_does_what_its_scopes_allow_until_it_is_revoked() {
    let mut world = world();
    world.news(News::ApiKeys(keys_file(&[("board", r#""read""#), ("ci", r#""tests", "chat""#), ("ops", r#""admin""#)])));
    let may = |world: &mut World, name: &str| {
        let allowed = ["/api/state", "/api/test/status", "/api/send", "/ws", "/ws/trace", "/ws/test"].map(|path| {
            let headers = bearer(&format!("fw_{name}"));
            if path.starts_with("/ws") {
                let socket = world.socket_with(path, &headers);
                return match world.farewell(socket) {
                    None => "101".to_owned(),
                    Some((code, reason)) => format!("{code} {reason}"),
                };
            }
            let (socket, method, body) =
                (world.connect(), if path == "/api/send" { "POST" } else { "GET" }, if path == "/api/send" { "{}" } else { "" });
            let (status, body) = world.request(socket, method, path, &headers, body);
            format!("{status} {}", body["code"].as_str().unwrap_or_default()).trim().to_owned()
        });
        allowed.join(", ")
    };
    assert_eq!(may(&mut world, "board"), "200, 403 missing_scope, 403 missing_scope, 4003 Not allowed, 101, 4003 Not allowed");
    assert_eq!(may(&mut world, "ci"), "200, 200, 400 message_missing, 101, 101, 101");
    assert_eq!(may(&mut world, "ops"), "200, 200, 400 message_missing, 101, 101, 101");
    assert_eq!(
        may(&mut world, "x"),
        "401 invalid_token, 401 invalid_token, 401 invalid_token, 4001 Invalid token, 4001 Invalid token, 4001 Invalid token"
    );
    // Each key is a user of its own.
    let socket = world.connect();
    world.request(socket, "POST", "/api/send", &bearer("fw_ci"), r#"{"text":"hello"}"#);
    let history = |world: &mut World, name: &str| {
        let socket = world.connect();
        world.request(socket, "GET", "/api/history", &bearer(&format!("fw_{name}")), "").1["messages"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((history(&mut world, "ci"), history(&mut world, "board"), history(&mut world, "ops")), (2, 0, 0));
    // Revoked, and with fewer scopes: what is open ends.
    let (ci, board) = (world.socket_with("/ws", &bearer("fw_ci")), world.socket_with("/ws/trace", &bearer("fw_board")));
    let (trace, ada) = (world.socket_with("/ws/trace", &bearer("fw_ci")), world.socket_with("/ws", &bearer(&token("ada"))));
    [ci, board, trace, ada].into_iter().for_each(|socket| drop(world.take(socket)));
    world.news(News::ApiKeys(keys_file(&[("ci", r#""read""#)])));
    for (socket, expected) in [(ci, closed(4001, "Invalid token")), (board, closed(4001, "Invalid token")), (trace, None), (ada, None)] {
        assert_eq!(world.farewell(socket), expected);
    }
    assert_eq!(may(&mut world, "board").matches("401 invalid_token").count(), 3);
}

#[test]
fn a_header_counts_only_from_a_trusted_proxy() {
    let mut world = world();
    let who = |world: &mut World, peer: &str, headers: &str| {
        world.peer = peer.parse::<IpAddr>().map_or(Peer::Unix, Peer::from);
        let socket = world.connect();
        let (status, body) = world.request(socket, "GET", "/api/me", headers, "");
        body["sub"].as_str().map_or_else(|| format!("{status} {}", body["code"].as_str().unwrap_or_default()), str::to_owned)
    };
    for (peer, headers, expected) in [
        ("10.0.0.1", "X-Remote-User: ada\r\n".to_owned(), "proxy:ada"),
        ("::ffff:10.0.0.1", "X-Remote-User: ada\r\n".to_owned(), "proxy:ada"),
        ("10.0.0.1", "x-remote-user: ada@acme.example\r\nAuthorization: Basic YWRhOng=\r\n".to_owned(), "proxy:ada@acme.example"),
        ("10.0.0.1", format!("X-Remote-User: ada\r\n{}", bearer(&token("eve"))), "eve"),
        ("10.0.0.1", format!("X-Remote-User: ada\r\n{}", bearer("x")), "401 opaque_token"),
        ("10.0.0.4", "X-Remote-User: ada\r\n".to_owned(), "401 missing_token"),
        ("127.0.0.1", "X-Remote-User: ada\r\nX-Forwarded-For: 10.0.0.1\r\n".to_owned(), "401 missing_token"),
        ("a Unix socket", "X-Remote-User: ada\r\n".to_owned(), "401 missing_token"),
        ("::1", "X-Remote-User: ada\r\n".to_owned(), "401 missing_token"),
        ("10.0.0.1", String::new(), "401 missing_token"),
        ("10.0.0.1", "X-Remote-User:  \r\n".to_owned(), "401 missing_token"),
        ("10.0.0.1", "X-Remote-User: ada\r\nX-Remote-User: eve\r\n".to_owned(), "401 invalid_token"),
        ("10.0.0.1", format!("X-Remote-User: {}\r\n", "a".repeat(256)), "401 invalid_token"),
        ("10.0.0.1", "X-Remote_User: ada\r\n".to_owned(), "401 missing_token"),
    ] {
        assert_eq!(who(&mut world, peer, &headers), expected, "{peer} {headers}");
    }
    let socket = world.connect();
    world.send(socket, b"GET /api/me HTTP/1.1\r\nHost: localhost\r\nX-Remote-User: \xff\r\nX-Remote-User: eve\r\n\r\n");
    assert!(world.take(socket).contains("invalid_token"), "one that can't be read is one too many");
    let socket = world.socket_with("/ws", "X-Remote-User: ada\r\n");
    assert_eq!(world.farewell(socket), None, "sockets too");
}

#[test]
fn a_proxy_on_a_unix_socket_is_trusted_by_name_only() {
    let proxy = Proxy { header: "x-remote-user".to_owned(), trusted: vec!["unix".parse().unwrap()] };
    let sign_in = Rules { proxy: Some(proxy), ..Rules::default() };
    let mut world = World::new(Settings { sign_in, ..settings() });
    for (peer, status) in [(Peer::Unix, 200), (IpAddr::from(Ipv4Addr::LOCALHOST).into(), 401)] {
        world.peer = peer;
        let socket = world.connect();
        assert_eq!(world.request(socket, "GET", "/api/me", "X-Remote-User: ada\r\n", "").0, status, "{peer:?}");
    }
}

#[test]
fn a_socket_waits_for_the_name_that_userinfo_knows_and_goes_on_without() {
    let mut world = world();
    let connect = |world: &mut World, sub: &str| world.socket_with(&format!("/ws?token={}&access_token=opaque-{sub}", token(sub)), "");
    let identity = |world: &mut World, sub: &str| {
        let socket = world.connect();
        world.request(socket, "POST", "/api/send/check", &bearer(&token(sub)), "").1["identity"].as_str().unwrap().to_owned()
    };
    let named =
        |name: &str, preferred: &str| Names { name: Some(name.to_owned()), preferred_username: Some(preferred.to_owned()), email: None };
    let ada = connect(&mut world, "ada");
    assert_eq!(world.asked, [Ask::Userinfo { sub: "ada".into(), token: "opaque-ada".to_owned() }]);
    assert_eq!((world.take(ada), identity(&mut world, "ada")), (String::new(), "ada".to_owned()), "HTTP waits for no name");
    world.news(News::Userinfo { sub: "ada".into(), names: Some(named("Ada Lovelace", "ada@acme")) });
    assert!(world.take(ada).starts_with("HTTP/1.1 101"));
    assert_eq!(identity(&mut world, "ada"), "Ada Lovelace");
    let again = connect(&mut world, "ada");
    assert!(world.take(again).starts_with("HTTP/1.1 101") && world.asked.len() == 1, "it is cached");
    // An issuer that does not say, and one that does not answer: no error.
    let eve = connect(&mut world, "eve");
    world.news(News::Userinfo { sub: "eve".into(), names: None });
    assert!(world.take(eve).starts_with("HTTP/1.1 101"));
    assert_eq!(identity(&mut world, "eve"), "eve");
    let bob = connect(&mut world, "bob");
    world.pass(bounds::PARKED_TIME);
    assert!(world.take(bob).starts_with("HTTP/1.1 101"));
    // News of another changes nothing, and who has a name or brings no token waits for none.
    let mut with_name = claims("carl");
    with_name["name"] = "Carl".into();
    let carl = world.socket_with(&format!("/ws?token={}&access_token=x", SIGNERS[0].token(&with_name)), "");
    let dora = world.socket_with(&format!("/ws?token={}", token("dora")), "");
    assert!(world.take(carl).starts_with("HTTP/1.1 101") && world.take(dora).starts_with("HTTP/1.1 101"));
    world.pass(bounds::NAMES_TIME);
    assert_eq!(identity(&mut world, "ada"), "ada", "a name is not for ever");
    // The page keeps tokens out of addresses.
    let (asked, fay) = (world.asked.len(), token("fay"));
    for (more, asks) in [("", 0), (", userinfo", 1)] {
        world.socket_with("/ws/trace", &format!("Sec-WebSocket-Protocol: bearer, {fay}{more}\r\n"));
        assert_eq!(world.asked.len(), asked + asks, "{more}");
    }
    assert_eq!(world.asked.last(), Some(&Ask::Userinfo { sub: "fay".into(), token: fay }));
}

#[test]
fn only_an_administrator_reads_anothers_traces_and_tests_and_takes_no_part() {
    let mut world = world();
    let mut admin = claims("root");
    admin["urn:zitadel:iam:org:project:roles"] = json!({"admin": {"2486": "acme.example"}});
    let (root, ada) = (bearer(&SIGNERS[0].token(&admin)), bearer(&token("ada")));
    let ask = |world: &mut World, method: &str, target: &str, headers: &str, body: &str| {
        let socket = world.connect();
        world.request(socket, method, target, headers, body)
    };
    ask(&mut world, "POST", "/api/send", &ada, r#"{"text":"hello"}"#);
    ask(&mut world, "POST", "/api/test/status", &ada, r#"{"event":"suite_start","suite":"adas","count":1}"#);
    let before = ask(&mut world, "GET", "/api/state", &ada, "");
    for (target, shows) in [
        ("/api/frames?user=ada", "msg_1"),
        ("/api/turn?id=msg_1&user=ada", "hello"),
        ("/api/trace?user=ada", "msg_1"),
        ("/api/test/status?user=ada", "adas"),
    ] {
        let (status, body) = ask(&mut world, "GET", target, &root, "");
        assert!(status == 200 && body.to_string().contains(shows), "{target}: {body}");
        let (status, body) = ask(&mut world, "GET", target, &bearer(&token("eve")), "");
        assert_eq!((status, &body["code"]), (403, &json!("missing_role")), "{target}");
        assert_eq!(ask(&mut world, "GET", target, &ada, "").0, 200, "one's own may be named");
    }
    for (method, target) in [
        ("GET", "/api/state?user=ada"),
        ("GET", "/api/history?user=ada"),
        ("GET", "/api/result?user=ada"),
        ("POST", "/api/send?user=ada"),
        ("POST", "/api/clear?user=ada"),
        ("POST", "/api/me/delete?user=ada"),
        ("GET", "/api/me?user=ada"),
        ("POST", "/api/test/status?user=ada"),
    ] {
        assert_eq!(ask(&mut world, method, target, &root, if method == "POST" { "{}" } else { "" }).0, 403, "{method} {target}");
    }
    let chat = world.socket_with("/ws?user=ada", &root);
    assert_eq!(world.farewell(chat), closed(4003, "Not allowed"));
    let trace = world.socket_with("/ws/trace?user=ada&since=0", &root);
    let tests = world.socket_with("/ws/test?user=ada", &root);
    assert!(world.take(trace).contains("msg_1") && world.take(tests).contains("adas"));
    ask(&mut world, "POST", "/api/test/status", &ada, r#"{"event":"suite_end","suite":"adas"}"#);
    assert!(world.take(tests).contains("suite_end"), "and goes on to see it");
    assert_eq!(ask(&mut world, "GET", "/api/state", &ada, ""), before, "reading changes nothing");
    // A later token without the role ends what it had opened.
    world.say(trace, &json!({ "type": "auth", "token": token("root") }).to_string());
    assert_eq!(world.farewell(trace), closed(4001, "Invalid token"));
}

#[test]
fn a_user_sees_and_deletes_what_is_kept_of_them_and_nothing_else() {
    let mut world = world();
    let ask = |world: &mut World, method: &str, target: &str, sub: &str, body: &str| {
        let socket = world.connect();
        world.request(socket, method, target, &bearer(&token(sub)), body)
    };
    for (sub, session) in [("ada", "a"), ("ada", "b"), ("eve", "a")] {
        assert_eq!(ask(&mut world, "POST", &format!("/api/send?session={session}"), sub, r#"{"text":"hello"}"#).0, 200);
    }
    ask(&mut world, "POST", "/api/send?session=b", "ada", &json!({ "text": ASKS }).to_string());
    ask(&mut world, "POST", "/api/test/status", "ada", r#"{"event":"suite_start","suite":"adas","count":1}"#);
    let session = |id: &str, messages: u64, busy: bool| json!({"id": id, "messages": messages, "turns": 1, "busy": busy, "watchers": 0});
    let of_b = |me: &Value| me["sessions"][1]["messages"].as_u64().unwrap();
    let (status, me) = ask(&mut world, "GET", "/api/me", "ada", "");
    assert_eq!(status, 200);
    assert_eq!(
        me,
        json!({
            "sub": "ada", "identity": "ada", "email": null, "scopes": ["chat", "read", "tests"],
            "expires_at": (NOW_S + 3600) * 1000, "tests": true, "sessions": [session("a", 2, false), session("b", of_b(&me), true)],
        })
    );
    let watching = world.socket_with("/ws?session=a", &bearer(&token("ada")));
    let hers = world.owners.iter().filter(|owner| owner.starts_with("ada/")).count();
    assert_eq!(ask(&mut world, "POST", "/api/me/delete", "ada", "").1, json!({"status": "deleted", "sessions": 2}));
    assert_eq!(world.farewell(watching), closed(1000, "deleted"));
    assert!(hers > 0 && world.cancelled.len() == hers, "what runs for them is ended");
    let (_, me) = ask(&mut world, "GET", "/api/me", "ada", "");
    assert_eq!((&me["sessions"], &me["tests"]), (&json!([]), &json!(false)));
    assert_eq!(ask(&mut world, "GET", "/api/history?session=a", "ada", "").1["messages"], json!([]));
    assert_eq!(ask(&mut world, "GET", "/api/history?session=a", "eve", "").1["messages"].as_array().unwrap().len(), 2);
    // Where all are one user, it is about the session that one can name.
    let mut world = World::new(settings());
    for session in ["mine", "yours"] {
        world.post(&format!("/api/send?session={session}"), json!({ "text": PLAIN }));
    }
    let ids =
        |world: &mut World, session: &str| world.get(&format!("/api/me?session={session}")).1["sessions"].as_array().map_or(0, Vec::len);
    assert_eq!(world.post("/api/me/delete?session=mine", Value::Null).1["sessions"], 1);
    assert_eq!((ids(&mut world, "mine"), ids(&mut world, "yours")), (0, 1));
}

#[test]
fn what_is_kept_is_gathered_from_all_shards() {
    let mut world = World::new(Settings { shards: 3, sign_in: rules(), ..settings() });
    world.now.wall = NOW;
    world.tick(vec![keys(&SIGNERS)]);
    let ask = |world: &mut World| {
        let socket = world.connect();
        world.send(socket, format!("GET /api/me HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(&token("ada"))).as_bytes());
        let asked: Vec<(usize, Ticket)> = std::mem::take(&mut world.mail)
            .into_iter()
            .map(|(shard, mail)| match mail {
                Mail::Operation { ticket, .. } => (shard.0, ticket),
                _ => panic!("nothing else is asked"),
            })
            .collect();
        assert_eq!(asked.iter().map(|(shard, _)| *shard).collect::<Vec<_>>(), [1, 2]);
        (socket, asked[0].1)
    };
    let part = |id: &str| Reply::ok(&json!({ "sessions": [{"id": id}], "tests": id == "a" }));
    let (socket, ticket) = ask(&mut world);
    world.tick(vec![Event::Mail(Mail::Reply { ticket, reply: part("z") })]);
    assert_eq!(world.take(socket), "", "one is still missing");
    world.tick(vec![Event::Mail(Mail::Reply { ticket, reply: part("a") })]);
    let answer = world.take(socket);
    assert!(answer.contains(r#""sessions":[{"id":"a"},{"id":"z"}]"#) && answer.contains(r#""tests":true"#), "{answer}");
    let (socket, _) = ask(&mut world);
    world.pass(bounds::FORWARD_TIME + Duration::from_secs(1));
    assert!(world.take(socket).contains("shard_timeout"));
    let (socket, ticket) = ask(&mut world);
    world.tick(vec![Event::Mail(Mail::Reply { ticket, reply: Refusal::new(crate::contract::Code::Draining, "x").into() })]);
    assert!(world.take(socket).contains("draining"));
    assert_eq!(world.shard.sizes().waiting, 0);
}

#[test]
fn a_key_that_was_revoked_while_its_socket_moved_between_shards_lets_nobody_in() {
    let mut world = world();
    for (name, expected) in [("gone", closed(4001, "Invalid token")), ("ci", None)] {
        world.news(News::ApiKeys(keys_file(&[("ci", r#""chat""#)])));
        let (sub, socket): (Arc<str>, _) = (format!("key:{name}").into(), SocketId(1_000 + name.len() as u64));
        let user = User { sub: sub.clone(), key: Some(KeyHash::of(&format!("fw_{name}"))), ..User::anonymous() };
        let (key, caller) = (Key { sub, id: "default".into() }, crate::contract::Caller::default());
        let attach = Attach {
            show: Show::Chat,
            key,
            user,
            caller,
            address: None,
            admitted_by: None,
            since: None,
            head: b"HTTP/1.1 101\r\n\r\n".to_vec(),
            leftover: Vec::new(),
        };
        world.tick(vec![Event::Arrived { socket, attach: Box::new(attach) }]);
        assert_eq!(world.farewell(socket), expected, "{name}");
    }
}
