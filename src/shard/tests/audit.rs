//! What the audit log notes, and that no flood fills it.

use super::sign_in::{bearer, keys, keys_file, rules, token};
use super::*;
use crate::auth::testing::{NOW, SIGNERS, claims};
use crate::auth::{KeyHash, News};
use crate::contract::Quota;
use crate::shard::address::Address;
use crate::shard::audit::Outcome;

/// A shard that keeps an audit log and knows the issuer's keys but the last.
fn audited() -> World {
    let mut world = World::new(Settings { sign_in: rules(), sessions_max: 50, audit: true, ..settings() });
    world.now.wall = NOW;
    world.peer = ip("10.0.0.9");
    world.tick(vec![keys(&SIGNERS[..5])]);
    world.tick(vec![Event::News(News::ApiKeys(keys_file(&[("board", r#""read""#)])))]);
    world
}

fn ip(text: &str) -> Peer {
    text.parse::<IpAddr>().unwrap().into()
}

fn root() -> String {
    let mut admin = claims("root");
    admin["urn:zitadel:iam:org:project:roles"] = json!({"admin": {"2486": "acme.example"}});
    SIGNERS[0].token(&admin)
}

impl World {
    fn with(&mut self, token: &str, method: &str, target: &str, body: &str) -> u16 {
        let socket = self.connect();
        self.request(socket, method, target, &if token.is_empty() { String::new() } else { bearer(token) }, body).0
    }

    /// The lines so far, in short: what, who, outcome, whose data, detail, count.
    fn noted(&mut self) -> Vec<String> {
        let short = |record: Record| {
            let text = |part: &Option<Arc<str>>| part.as_deref().unwrap_or("-").to_owned();
            let mut line = format!("{} {} {}", record.what, text(&record.who), record.outcome.name());
            for part in
                [record.by.map(str::to_owned), record.user.map(|user| user.to_string()), record.detail, record.code.map(str::to_owned)]
            {
                line.extend(part.map(|part| format!(" {part}")));
            }
            line.extend(record.count.map(|count| format!(" ×{count}")));
            line
        };
        std::mem::take(&mut self.audit).into_iter().map(short).collect()
    }
}

#[test]
fn notes_each_sign_in_once_whatever_it_is_by() {
    let mut world = audited();
    let ada = token("ada");
    for _ in 0..3 {
        assert_eq!(world.with(&ada, "GET", "/api/state", ""), 200);
        assert_eq!(world.with("fw_board", "GET", "/api/state", ""), 200);
    }
    let socket = world.socket_with("/ws", &bearer(&ada));
    world.take(socket);
    let record = world.audit[0].clone();
    assert_eq!((record.from, record.at, record.expires_s.is_some()), (Some(Address::of(world.peer)), NOW, true));
    assert_eq!(world.noted(), ["sign_in ada done token", "sign_in key:board done api_key"]);
    world.peer = ip("10.0.0.1");
    let by_proxy = |world: &mut World| {
        let socket = world.connect();
        world.request(socket, "GET", "/api/state", "X-Remote-User: bob\r\n", "").0
    };
    assert_eq!((by_proxy(&mut world), by_proxy(&mut world)), (200, 200));
    assert_eq!(world.noted(), ["sign_in proxy:bob done proxy"]);
    // An hour later a key's user has signed in again; a token counts until it expires.
    world.now.wall.0 += 3_599_000_000;
    assert_eq!(world.with("fw_board", "GET", "/api/state", ""), 200);
    assert_eq!(world.with(&ada, "GET", "/api/state", ""), 200);
    assert!(world.noted().is_empty());
    world.now.wall.0 += 1_000_000;
    assert_eq!(world.with("fw_board", "GET", "/api/state", ""), 200);
    assert_eq!(world.noted(), ["sign_in key:board done api_key"]);
    // A little longer if the issuer's clock is behind; then too it is one sign-in.
    world.now.wall.0 += 30_000_000;
    assert_eq!([0; 2].map(|_| world.with(&ada, "GET", "/api/state", "")), [200; 2]);
    assert!(world.noted().is_empty());
}

#[test]
fn notes_an_administrators_stream_that_a_quota_refuses() {
    let quotas = Quotas { user: Quota { streams: 1, ..Quota::default() }, ..Quotas::default() };
    let mut world = World::new(Settings { sign_in: rules(), sessions_max: 50, audit: true, quotas, ..settings() });
    (world.now.wall, world.peer) = (NOW, ip("10.0.0.9"));
    world.tick(vec![keys(&SIGNERS[..5])]);
    let root = root();
    world.socket_with("/ws", &bearer(&root));
    world.noted();
    let socket = world.socket_with("/ws/trace?user=ada", &bearer(&root));
    assert_eq!(world.farewell(socket), Some((1013, "too_many_streams".to_owned())));
    assert_eq!(world.audit[0].status, Some(429));
    assert_eq!(world.noted(), ["read_other root failed ada /ws/trace"]);
}

#[test]
fn notes_who_read_changed_or_deleted_what() {
    let mut world = audited();
    let (ada, root) = (token("ada"), root());
    for (who, method, target, body, expected) in [
        (&ada, "POST", "/api/send", r#"{"text":"hello, pelican"}"#, &["sign_in ada done token"][..]),
        (&ada, "GET", "/api/frames", "", &[]),
        (&root, "GET", "/api/frames?user=ada", "", &["sign_in root done token", "read_other root done ada /api/frames"]),
        (&root, "GET", "/api/turn?user=ada&id=msg_9", "", &["read_other root failed ada /api/turn"]),
        (&ada, "GET", "/api/trace?user=root", "", &["read_other ada refused root /api/trace missing_role"]),
        (&ada, "GET", "/api/doctor", "", &["call_beyond_scope ada refused /api/doctor missing_scope"]),
        (&ada, "POST", "/api/graph/switch", r#"{"name":"v1-direct"}"#, &["switch_graph ada done v1-direct"]),
        (&ada, "POST", "/api/graph/switch", r#"{"name":"v9"}"#, &["switch_graph ada failed v9"]),
        (&ada, "POST", "/api/clear", "", &["clear ada done"]),
        (&ada, "POST", "/api/me/delete", "", &["delete_data ada done"]),
        (&String::new(), "GET", "/health?user=ada", "", &[]),
    ] {
        world.with(who, method, target, body);
        let lines: Vec<String> = world.audit.iter().map(|record| format!("{record:?}")).collect();
        assert!(lines.iter().all(|line| !line.contains("pelican") && !line.contains(who.as_str()) || who.is_empty()), "{lines:?}");
        assert_eq!(world.noted(), expected, "{method} {target}");
    }
    for path in ["/ws/trace?user=ada", "/ws/test?user=ada"] {
        let socket = world.socket_with(path, &bearer(&root));
        world.take(socket);
        assert_eq!(world.noted(), [format!("read_other root done ada {}", path.split('?').next().unwrap())]);
    }
    let socket = world.connect();
    world.send(socket, format!("GET /api/events?user=ada HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(&root)).as_bytes());
    assert_eq!(world.noted(), ["read_other root done ada /api/events"]);
}

#[test]
fn notes_what_was_asked_for_by_a_client_that_left_before_the_answer() {
    let mut world = audited();
    let root = root();
    let socket = world.connect();
    world.send(socket, format!("GET /api/doctor HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(&root)).as_bytes());
    assert_eq!((world.jobs.len(), world.noted()), (1, vec!["sign_in root done token".to_owned()]));
    world.tick(vec![Event::Failed { socket }]);
    assert_eq!(world.noted(), ["doctor root unanswered"]);
    let (ticket, _) = world.jobs.remove(0);
    world.tick(vec![Event::JobDone { ticket, outcome: JobOutcome::Reply(operation::Reply::ok(&json!({}))) }]);
    assert!(world.noted().is_empty(), "one line for each");
}

#[test]
fn a_flood_of_bad_tokens_is_counted_in_one_line_a_minute() {
    let mut world = audited();
    let try_in = |world: &mut World, count: u64| {
        let socket = world.connect();
        for _ in 0..count {
            assert_eq!(world.request(socket, "GET", "/api/state", &bearer("a.b.c"), "").0, 401);
        }
    };
    try_in(&mut world, 1_000);
    let lines = world.noted();
    assert_eq!((lines.len(), lines[0].as_str()), (30, "sign_in - refused invalid_token"));
    world.pass(Duration::from_secs(45));
    assert!(world.noted().is_empty());
    world.pass(Duration::from_secs(16));
    assert_eq!(world.noted(), ["sign_in - refused ×970"], "without another attempt");
    try_in(&mut world, 40);
    assert_eq!(world.noted().len(), 30);
    world.tick(vec![Event::Stop]);
    assert_eq!(world.noted(), ["sign_in - refused ×10"], "nothing is lost when the server ends");
    world.pass(Duration::from_secs(10));
    assert!(world.noted().is_empty());
    // Without a token at all, and on a socket.
    let mut world = audited();
    world.with("", "GET", "/api/state", "");
    let socket = world.socket_with("/ws?token=x", "");
    world.take(socket);
    assert_eq!(world.noted(), ["sign_in - refused missing_token", "sign_in - refused opaque_token"]);
}

#[test]
fn without_an_audit_log_or_sign_in_nothing_is_noted_that_nobody_did() {
    let mut world = super::sign_in::world();
    world.with(&token("ada"), "POST", "/api/clear", "");
    world.with("a.b.c", "GET", "/api/state", "");
    assert!(world.noted().is_empty());
    let mut world = World::new(Settings { audit: true, ..settings() });
    world.get("/api/state");
    world.post("/api/clear", Value::Null);
    assert_eq!(world.noted(), ["clear anonymous done"]);
    assert_eq!(Outcome::Done.name(), "done");
    assert_ne!(KeyHash::of("fw_a"), KeyHash::of("fw_b"));
}

#[test]
fn without_sign_in_the_checks_are_for_this_machine() {
    let mut world = World::new(settings());
    let ask = |world: &mut World, headers: &str| {
        let socket = world.connect();
        world.send(socket, format!("GET /api/doctor HTTP/1.1\r\n{headers}\r\n").as_bytes());
        let is_job = !std::mem::take(&mut world.jobs).is_empty();
        (is_job, world.take(socket).contains("missing_role"))
    };
    for (peer, headers, is_job) in [
        ("127.0.0.1", "Host: localhost\r\n", true),
        ("::1", "Host: [::1]:7878\r\n", true),
        ("::ffff:127.0.0.1", "Host: 127.0.0.1\r\n", true),
        ("10.0.0.9", "Host: localhost\r\n", false),
        ("127.0.0.1", "Host: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n", false),
        ("127.0.0.1", "Host: localhost\r\nForwarded: for=_x\r\n", false),
        ("127.0.0.1", "Host: localhost\r\nX-Real-IP: 127.0.0.1\r\n", false),
        ("127.0.0.1", "Host: localhost\r\nX-Forwarded-Proto: https\r\n", false),
        ("127.0.0.1", "Host: localhost\r\nX-Forwarded-Host: a.example\r\n", false),
    ] {
        world.peer = ip(peer);
        assert_eq!(ask(&mut world, headers), (is_job, !is_job), "{peer} {headers}");
    }
    world.peer = Peer::Unix;
    assert_eq!(ask(&mut world, "Host: localhost\r\n"), (false, true), "at the other end of a Unix socket is a proxy");
    world.peer = ip("127.0.0.1");
    let socket = world.connect();
    world.send(socket, b"GET /api/doctor HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: \xff\r\n\r\n");
    assert!(world.take(socket).contains("missing_role"), "a header that can't be read is one all the same");
    let hosts = Settings { origins: Origins { hosts: vec!["chat.example".into()], ..Origins::default() }, ..settings() };
    let trusted = Settings { trusted_proxies: vec!["10.0.0.1".parse().unwrap()], ..settings() };
    for settings in [hosts, trusted] {
        let mut world = World::new(settings);
        assert_eq!(ask(&mut world, "Host: localhost\r\n"), (false, true), "everyone seems to be here where there is a proxy");
    }
}
