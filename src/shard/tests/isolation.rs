//! One user's data is unreachable for another: every route is tried, with everything by which a session, turn, message or
//! event can be named, on a shard with a real journal. A new route fails this test until it is listed here.

use super::sign_in::{bearer, keys, rules, token};
use super::store::RealStore;
use super::*;
use crate::auth::testing::{NOW, SIGNERS};
use crate::contract::journal::Durability;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What stands in everything that is Ada's, and must never reach Eve, who sends none of it.
const MARKS: &[&str] = &["pelican", "\"ada\"", "ada/"];

/// A route's method, path and scope; targets and bodies.
type Probe = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// What Eve sends to each route, as targets and bodies; `{}` stands for a body that names nothing.
const PROBES: &[Probe] = &[
    ("GET", "/health", "-", &["", "?user=ada"], &[]),
    ("GET", "/livez", "-", &["", "?user=ada"], &[]),
    ("GET", "/readyz", "-", &["", "?user=ada"], &[]),
    ("GET", "/version", "-", &["", "?user=ada"], &[]),
    ("GET", "/metrics", "metrics", &["", "?user=ada"], &[]),
    ("GET", "/auth/config", "-", &["", "?user=ada"], &[]),
    ("GET", "/api/doctor", "admin", &["", "?user=ada"], &[]),
    ("GET", "/api/me", "read", &["", "?user=ada"], &[]),
    ("POST", "/api/send/check", "chat", &["", "?user=ada"], &["", "{}"]),
    (
        "POST",
        "/api/send",
        "chat",
        &["", "?user=ada"],
        &[r#"{"text":"hello","id":"adas-message"}"#, r#"{"text":"hello","sub":"ada","user":"ada"}"#],
    ),
    (
        "POST",
        "/api/action",
        "chat",
        &["", "?user=ada"],
        &[r#"{"action":"adas-action","source":"thinker","id":"adas-action-1"}"#, r#"{"action":"go","source":"machine:adas"}"#],
    ),
    (
        "POST",
        "/api/turn/retry",
        "chat",
        &["", "?user=ada"],
        &["{}", r#"{"id":"msg_1"}"#, r#"{"session":"adas-session","user":"ada","client_id":"adas-message"}"#],
    ),
    (
        "POST",
        "/api/turn/edit",
        "chat",
        &["", "?user=ada"],
        &[r#"{"id":"msg_1","message":"hello"}"#, r#"{"id":"msg_1","message":"hello","session":"adas-session","user":"ada"}"#],
    ),
    ("POST", "/api/stop", "chat", &["", "?user=ada"], &["", r#"{"id":"msg_2","user":"ada"}"#]),
    ("POST", "/api/cancel", "chat", &["", "?user=ada"], &[r#"{"pid":1}"#, r#"{"pid":2}"#, r#"{"pid":3,"user":"ada"}"#]),
    ("GET", "/api/result", "read", &["", "?user=ada", "?id=msg_2"], &[]),
    ("GET", "/api/events", "read", &["", "?user=ada", "?since=0", "?turn=msg_1", "?turn=msg_2&since=0"], &[]),
    ("GET", "/api/poll", "read", &["", "?user=ada", "?since=no_session", "?since=000000000000"], &[]),
    ("GET", "/api/frames", "read", &["", "?user=ada", "?last=1000"], &[]),
    ("GET", "/api/turn", "read", &["?id=msg_1", "?id=msg_2", "?id=msg_1&user=ada"], &[]),
    (
        "POST",
        "/api/call/rerun",
        "chat",
        &["", "?user=ada"],
        &[r#"{"turn":"msg_1","pid":1}"#, r#"{"turn":"msg_1","pid":1,"user":"ada","session":"adas-session"}"#],
    ),
    ("GET", "/api/turn/test", "read", &["?id=msg_1", "?id=msg_2", "?id=msg_1&user=ada"], &[]),
    ("GET", "/api/state", "read", &["", "?user=ada"], &[]),
    ("GET", "/api/history", "read", &["", "?user=ada", "?last=1000", "?before=msg_9", "?before=msg_9&user=ada"], &[]),
    ("GET", "/api/graph/active", "read", &["", "?user=ada"], &[]),
    ("GET", "/api/graph/prompt", "read", &["?node=input", "?node=director&text=hi", "?node=director&user=ada"], &[]),
    ("GET", "/api/graph/list", "read", &["", "?user=ada"], &[]),
    ("POST", "/api/test/status", "tests", &["", "?user=ada"], &[r#"{"event":"suite_start","suite":"eves","count":1,"sub":"ada"}"#]),
    ("GET", "/api/test/status", "tests", &["", "?user=ada"], &[]),
    ("GET", "/api/tests", "tests", &["", "?user=ada"], &[]),
    ("GET", "/api/tests/suites", "tests", &["", "?user=ada"], &[]),
    ("POST", "/api/tests/run", "tests", &["", "?user=ada"], &[r#"{"suites":["fast"],"user":"ada"}"#]),
    ("GET", "/api/trace", "read", &["", "?user=ada", "?last=1000"], &[]),
    ("GET", "/api/sessions", "read", &["", "?user=ada", "?ids=adas-session", "?search=pelican&before=9-a"], &[]),
    (
        "POST",
        "/api/sessions/rename",
        "chat",
        &["", "?user=ada"],
        &[r#"{"title":"x"}"#, r#"{"title":"x","user":"ada","session":"adas-session"}"#],
    ),
    (
        "POST",
        "/api/sessions/fork",
        "chat",
        &["", "?user=ada"],
        &[
            r#"{"turn":"msg_1","to":"eves-fork"}"#,
            r#"{"turn":"msg_1","to":"adas-session","message":"hi"}"#,
            r#"{"turn":"msg_2","to":"eves","message":"hi","user":"ada","of":"adas-session"}"#,
        ],
    ),
    ("GET", "/api/sessions/export", "read", &["", "?user=ada", "?format=json"], &[]),
    (
        "POST",
        "/api/feedback",
        "chat",
        &["", "?user=ada"],
        &[r#"{"turn":"msg_1","rating":1}"#, r#"{"turn":"msg_1","rating":-1,"user":"ada"}"#],
    ),
    ("GET", "/api/turns", "read", &["", "?user=ada", "?all=true", "?all=true&user=ada", "?search=pelican&before=9-1-1"], &[]),
    ("GET", "/ws", "chat", &["", "?user=ada", "?since=0", "?since=18446744073709551615"], &[]),
    ("GET", "/ws/trace", "read", &["", "?user=ada", "?since=0"], &[]),
    ("GET", "/ws/test", "tests", &["", "?user=ada", "?since=0"], &[]),
    // What ends her own sessions comes last: until then there is something to be found under each name.
    ("POST", "/api/clear", "chat", &["", "?user=ada"], &["", r#"{"user":"ada"}"#]),
    (
        "POST",
        "/api/graph/switch",
        "chat",
        &["", "?user=ada"],
        &[r#"{"name":"v1-direct"}"#, r#"{"name":"v1-direct","keep":true,"user":"ada"}"#],
    ),
    ("POST", "/api/sessions/delete", "chat", &["", "?user=ada"], &["", r#"{"user":"ada","session":"adas-session"}"#]),
    ("POST", "/api/me/delete", "chat", &["", "?user=ada"], &["{}", r#"{"sub":"ada"}"#]),
];

/// What names a session, each way.
const NAMES: &[(&str, &str)] = &[
    ("", ""),
    ("session=adas-session", ""),
    ("session=adas-old", ""),
    ("session=default", ""),
    ("", "X-Session-Id: adas-session\r\n"),
    ("session=ada%2Fadas-session", ""),
    ("session=..%2Fada%2Fadas-session", ""),
    ("session=adas-session%00", ""),
    ("session=eves&session=adas-session", ""),
    ("session=adas-session&sub=ada", "X-User: ada\r\nX-Remote-User: ada\r\nX-Forwarded-For: 10.0.0.1\r\n"),
    ("session=adas-session", "Last-Event-ID: 0\r\nIdempotency-Key: adas-message\r\n"),
];

impl World {
    fn of(&mut self, sub: &str, method: &str, target: &str, headers: &str, body: &str) -> String {
        let socket = self.connect();
        let kind =
            if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
        let upgrade =
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let upgrade = if target.starts_with("/ws") { upgrade } else { "" };
        let bearer = if sub.is_empty() { String::new() } else { bearer(&token(sub)) };
        self.send(
            socket,
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{bearer}{headers}{upgrade}{kind}\r\n{body}").as_bytes(),
        );
        let answer = self.take(socket);
        self.tick(vec![Event::Failed { socket }]);
        answer
    }
}

/// A shard with a journal, where users sign in and may have calls made again.
fn world() -> World {
    let keeping = Some(Keeping { durability: Durability::Turn, rerun: false });
    let mut world = World::new(Settings { sign_in: rules(), sessions_max: 50, keeping, rerun: true, ..settings() });
    world.now.wall = NOW;
    world.tick(vec![keys(&SIGNERS[..5])]);
    world.store = Some(RealStore::new());
    world
}

/// What only a journal can answer; all of it shows something of Ada to Ada.
const OF_THE_JOURNAL: &[&str] = &[
    "sessions",
    "sessions?search=pelican",
    "turns",
    "turns?search=pelican",
    "history?before=msg_9&last=100",
    "sessions/export?format=json",
    "sessions/export?format=md",
    "turn/test?id=msg_1",
];

/// Everything that Ada can see of herself.
fn all_of_ada(world: &mut World) -> String {
    let mut all = String::new();
    for path in [
        "state",
        "history?last=100",
        "frames?last=20",
        "turn?id=msg_1",
        "result",
        "poll",
        "trace?last=500",
        "test/status",
        "tests",
        "me",
        "graph/active",
    ]
    .iter()
    .chain(OF_THE_JOURNAL)
    {
        let with = if path.contains('?') { '&' } else { '?' };
        let answer = world.of("ada", "GET", &format!("/api/{path}{with}session=adas-session"), "", "");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        assert!(body.contains("pelican") || !OF_THE_JOURNAL.contains(path), "{path}: {answer}");
        writeln!(all, "{path}: {body}").unwrap();
    }
    all
}

/// Ada has a conversation with a rated turn, a running turn with a call, a named message, a test run, and watches all of it; and
/// another conversation that is in the journal only.
fn with_ada() -> (World, Vec<SocketId>) {
    let mut world = world();
    let post = |world: &mut World, target: &str, body: Value| {
        let answer = world.of("ada", "POST", target, "", &body.to_string());
        assert!(answer.starts_with("HTTP/1.1 200"), "{target}: {answer}");
    };
    for session in ["adas-old", "adas-session"] {
        post(&mut world, &format!("/api/send?session={session}"), json!({ "text": "why do pelicans float?", "id": "adas-message" }));
        while !world.calls.is_empty() {
            world.complete("{}");
        }
        let rating = json!({ "turn": "msg_1", "rating": 1, "comment": "a fine pelican" });
        post(&mut world, &format!("/api/feedback?session={session}"), rating);
    }
    let old = world.shard.sessions.find(&Key { sub: "ada".into(), id: "adas-old".into() }).expect("it is in memory").id;
    world.shard.remove_session(old, 1000, "out of memory", &mut Vec::new());
    assert_eq!(world.shard.sizes().open_sessions, 1);
    post(&mut world, "/api/send?session=adas-session", json!({ "text": "and what does a pelican eat?", "id": "adas-pelican" }));
    assert!(!world.calls.is_empty(), "a call of hers is out");
    assert!(world.owners.iter().all(|owner| owner.starts_with("ada/adas-")), "the pool and its tapes know whose it is: {:?}", world.owners);
    world.of("ada", "POST", "/api/test/status", "", r#"{"event":"suite_start","suite":"adas-pelican-suite","count":1}"#);
    let watching = ["/ws", "/ws/trace", "/ws/test"].map(|path| {
        let socket = world.socket_with(&format!("{path}?session=adas-session"), &bearer(&token("ada")));
        world.take(socket);
        socket
    });
    (world, watching.to_vec())
}

#[test]
fn every_route_is_listed_here_with_its_scope() {
    let listed: BTreeSet<_> = PROBES.iter().map(|(method, path, scope, ..)| (*method, *path, *scope)).collect();
    let all: BTreeSet<_> = routes::table().map(|(method, path, scope)| (method, path, scope.unwrap_or("-"))).collect();
    let missing: Vec<_> = all.symmetric_difference(&listed).collect();
    assert!(missing.is_empty() && listed.len() == PROBES.len(), "list each route of `routes.rs` in PROBES, and no other: {missing:?}");
}

#[test]
fn nothing_of_one_user_reaches_another_on_any_route() {
    let (mut world, watching) = with_ada();
    let before = all_of_ada(&mut world);
    assert!(before.contains("pelican") && before.contains("adas-message"), "{before}");
    let (calls, mut tried, mut done) = (world.calls.len(), 0, BTreeSet::new());
    for (method, path, _, targets, bodies) in PROBES {
        for (name, headers) in NAMES {
            for target in *targets {
                let join = if target.is_empty() { "?" } else { "&" };
                let target = if name.is_empty() { format!("{path}{target}") } else { format!("{path}{target}{join}{name}") };
                for body in if bodies.is_empty() { &[""] } else { *bodies } {
                    let answer = world.of("eve", method, &target, headers, body);
                    tried += 1;
                    let is_job = world.jobs.len();
                    world.jobs.clear();
                    assert!(answer.starts_with("HTTP/1.1 ") || is_job == 1, "{method} {target}: {answer}");
                    assert!(!answer.contains("no_journal"), "{method} {target} is not tried: {answer}");
                    if answer.starts_with("HTTP/1.1 200") {
                        done.insert(*path);
                    }
                    for mark in MARKS {
                        assert!(!answer.contains(mark), "{method} {target} {headers} {body} shows `{mark}`: {answer}");
                    }
                }
            }
        }
    }
    assert!(tried > 900, "{tried}");
    for path in [
        "/api/sessions",
        "/api/turns",
        "/api/sessions/export",
        "/api/sessions/rename",
        "/api/sessions/fork",
        "/api/sessions/delete",
        "/api/feedback",
        "/api/history",
        "/api/turn",
        "/api/me/delete",
    ] {
        assert!(done.contains(path), "{path} has done what Eve wanted of her own sessions: {done:?}");
    }
    assert_eq!(all_of_ada(&mut world), before, "and nothing of it was changed");
    let old = world.of("ada", "GET", "/api/turn?session=adas-old&id=msg_1", "", "");
    assert!(old.contains("why do pelicans float?") && old.contains("a fine pelican"), "{old}");
    for socket in &watching {
        assert_eq!(world.take(*socket), "", "nor was anything shown to her");
        assert!(!world.shut.contains(socket) && !world.closed.contains(socket));
    }
    let hers: Vec<CallId> = world.calls[..calls].iter().map(|(_, call)| *call).collect();
    assert!(world.shard.sizes().calls >= hers.len(), "her call runs on");
    let first = world.calls[0];
    assert!(world.shard.sessions.get(first.0).is_some_and(|live| &*live.key.sub == "ada" && live.session.busy()));
    for entry in &world.log {
        let line = format!("{entry:?}");
        assert!(!line.contains("pelican") && !line.contains("adas-") && !line.contains("\"ada\""), "the log names nobody: {line}");
    }
}

#[test]
fn what_is_done_on_a_socket_reaches_only_its_own_session() {
    let (mut world, watching) = with_ada();
    let before = all_of_ada(&mut world);
    let chat = world.socket_with("/ws?session=adas-session", &bearer(&token("eve")));
    let mut shown = world.take(chat);
    for said in [
        r#"{"text":"hello","id":"adas-message"}"#,
        r#"{"type":"stop"}"#,
        r#"{"type":"cancel_process","pid":1}"#,
        r#"{"type":"cancel_process","pid":2}"#,
        r#"{"type":"action","action":"x","source":"machine:adas"}"#,
        r#"{"text":"hello","session":"adas-session","sub":"ada","user":"ada"}"#,
        r#"{"type":"auth","token":"x"}"#,
    ] {
        world.say(chat, said);
        shown += &world.take(chat);
    }
    assert!(shown.contains(r#""id":"msg_1""#) && !shown.contains("pelican"), "it starts over: {shown}");
    assert_eq!(all_of_ada(&mut world), before);
    assert!(watching.iter().all(|socket| !world.sent.contains_key(socket)));
}

#[test]
fn without_a_token_only_public_routes_answer() {
    let mut world = world();
    for (method, path, scope, targets, bodies) in PROBES {
        let answer = world.of("", method, &format!("{path}{}", targets[0]), "", bodies.first().copied().unwrap_or_default());
        let expected = match (*scope, path.starts_with("/ws")) {
            ("-", _) => "HTTP/1.1 200",
            (_, true) => "HTTP/1.1 101",
            (_, false) => "HTTP/1.1 401",
        };
        assert!(answer.starts_with(expected), "{method} {path}: {answer}");
        assert_eq!(answer.contains("missing_token") || answer.contains("Missing token"), *scope != "-", "{method} {path}: {answer}");
    }
    assert_eq!((world.shard.sizes().sessions, world.jobs.len()), (0, 0));
}
