//! Quotas where they apply: each is filled, refused in the way that its client can read, and there again.

use super::sign_in::{bearer, keys, rules, token};
use super::*;
use crate::auth::testing::{NOW, SIGNERS};
use crate::contract::{Budget, Quota};
use crate::shard::address::Address;
use crate::shard::event::Show;
use crate::shard::quota::Sums;

fn with(quotas: Quotas) -> Settings {
    Settings { quotas, trusted_proxies: vec!["127.0.0.1".parse().unwrap()], sessions_max: 50, ..settings() }
}

/// A server without sign-in, whose addresses may use this much.
fn open_world(quota: Quota) -> World {
    World::new(with(Quotas { address: quota, ..Quotas::default() }))
}

/// One with sign-in.
fn signed_in(quotas: Quotas) -> World {
    let mut world = World::new(Settings { sign_in: rules(), ..with(quotas) });
    world.now.wall = NOW;
    world.tick(vec![keys(&SIGNERS[..5])]);
    world
}

/// A header that a proxy on this machine sends.
fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\r\n")
}

impl World {
    fn ask_with(&mut self, method: &str, target: &str, headers: &str, body: &str) -> (u16, Value) {
        let socket = self.connect();
        self.request(socket, method, target, headers, body)
    }

    fn send_with(&mut self, session: &str, headers: &str) -> (u16, Value) {
        self.ask_with("POST", &format!("/api/send?session={session}"), headers, &json!({ "text": PLAIN }).to_string())
    }

    fn counted(&self) -> (i64, i64) {
        let Sums { streams, turns, .. } = self.shard.sizes().counted;
        (streams, turns)
    }
}

#[test]
fn requests_are_counted_by_address_before_anything_else_and_refused_with_their_headers() {
    let quotas = Quotas { address: Quota { requests: 3, ..Quota::default() }, ..Quotas::default() };
    let mut world = signed_in(quotas);
    // A flood of bad tokens, of a foreign page and of what is not there is a flood.
    let wrong = bearer("nonsense") + &from("203.0.113.5");
    assert_eq!(world.ask_with("GET", "/api/state", &wrong, "").0, 401);
    assert_eq!(world.ask_with("GET", "/nothing", &from("203.0.113.5"), "").0, 404);
    assert_eq!(world.ask_with("GET", "/api/state", &(from("203.0.113.5") + "Origin: https://evil.example\r\n"), "").0, 403);
    let socket = world.connect();
    world.send(socket, format!("GET /api/state HTTP/1.1\r\nHost: localhost\r\n{wrong}\r\n").as_bytes());
    let answer = world.take(socket);
    for line in [
        "HTTP/1.1 429 Too Many Requests\r\n",
        "\r\nretry-after: 20\r\n",
        "\r\nratelimit-limit: 3\r\n",
        "\r\nratelimit-remaining: 0\r\n",
        "\r\nratelimit-reset: 20\r\n",
        "\r\nratelimit-policy: \"address-requests\";q=3;w=60\r\n",
        "\r\nratelimit: \"address-requests\";r=0;t=20\r\n",
        "\"code\":\"rate_limited\"",
    ] {
        assert!(answer.contains(line), "{line:?}: {answer}");
    }
    assert!(world.reading.contains_key(&socket), "the connection stays open");
    assert_eq!(world.ask_with("GET", "/api/state", &from("203.0.113.6"), "").0, 401, "others are not concerned");
    let forged = from("1.1.1.1, 203.0.113.5");
    assert_eq!(world.ask_with("GET", "/auth/config", &forged, "").0, 429, "what the client wrote itself does not count");
    for path in ["/health", "/livez", "/readyz"] {
        assert_ne!(world.ask_with("GET", path, &from("203.0.113.5"), "").0, 429, "{path} locks nobody out");
    }
    assert_eq!(world.codes().iter().filter(|code| **code == "rate_limited").count(), 1, "one line a minute: {:?}", world.log);
    let socket = world.connect();
    let listed = from("203.0.113.5") + "Origin: https://listed.example\r\n";
    world.send(socket, format!("GET /auth/config HTTP/1.1\r\nHost: localhost\r\n{listed}\r\n").as_bytes());
    let answer = world.take(socket);
    assert!(answer.contains("429 Too") && answer.contains("access-control-expose-headers: retry-after"), "a page can read it: {answer}");
    world.pass(Duration::from_secs(20));
    assert_eq!(world.ask_with("GET", "/auth/config", &from("203.0.113.5"), "").0, 200);
}

#[test]
fn only_a_trusted_proxy_is_believed_and_ipv6_counts_by_network() {
    let mut world = open_world(Quota { requests: 1, ..Quota::default() });
    world.peer = "203.0.113.9".parse::<std::net::IpAddr>().unwrap().into();
    assert_eq!(world.ask_with("GET", "/auth/config", &from("1.1.1.1"), "").0, 200);
    assert_eq!(world.ask_with("GET", "/auth/config", &from("2.2.2.2"), "").0, 429, "it says what it likes");
    world.peer = std::net::IpAddr::from(Ipv4Addr::LOCALHOST).into();
    assert_eq!(world.ask_with("GET", "/auth/config", &from("2001:db8::1"), "").0, 200);
    assert_eq!(world.ask_with("GET", "/auth/config", &from("2001:db8::ffff:2"), "").0, 429);
    assert_eq!(world.ask_with("GET", "/auth/config", &from("2001:db8:0:1::1"), "").0, 200);
    // The proxy itself, and a developer: loopback addresses have a quota of their own, here none.
    (0..5).for_each(|_| assert_eq!(world.get("/auth/config").0, 200));
}

#[test]
fn users_are_counted_wherever_they_come_from_and_administrators_and_keys_too() {
    let mut world = signed_in(Quotas { user: Quota { requests: 2, ..Quota::default() }, ..Quotas::default() });
    let ask = |world: &mut World, token: &str, address: &str| world.ask_with("GET", "/api/state", &(bearer(token) + &from(address)), "").0;
    let (ada, eve) = (token("ada"), token("eve"));
    assert_eq!([ask(&mut world, &ada, "1.1.1.1"), ask(&mut world, &ada, "1.1.1.2"), ask(&mut world, &ada, "1.1.1.3")], [200, 200, 429]);
    assert_eq!(ask(&mut world, &eve, "1.1.1.1"), 200);
    world.tick(vec![Event::News(crate::auth::News::ApiKeys(super::sign_in::keys_file(&[("ci", r#""admin""#)])))]);
    assert_eq!(
        [ask(&mut world, "fw_ci", "1.1.1.1"), ask(&mut world, "fw_ci", "1.1.1.1"), ask(&mut world, "fw_ci", "1.1.1.1")],
        [200, 200, 429]
    );
    let socket = world.socket_with(&format!("/ws?token={ada}"), "");
    assert_eq!(world.farewell(socket), Some((1013, "rate_limited".to_owned())), "a browser can read that");
    assert_eq!(world.counted(), (0, 0));
}

#[test]
fn messages_are_refused_where_a_client_can_read_it_and_never_one_that_is_known() {
    let mut world = open_world(Quota { messages: 2, ..Quota::default() });
    let headers = from("203.0.113.5");
    assert_eq!(world.send_with("a", &headers).0, 200);
    let socket = world.socket_with("/ws?session=b", &headers);
    world.take(socket);
    world.say(socket, &json!({ "text": PLAIN, "id": "one" }).to_string());
    assert!(world.take(socket).contains(r#""type":"done","id":"msg_1""#));
    world.say(socket, &json!({ "text": PLAIN, "id": "two" }).to_string());
    let refused = world.take(socket);
    for part in [r#""type":"done""#, r#""refused":true"#, r#""code":"rate_limited""#, r#""retry_after_ms":30000"#, r#""client_id":"two""#] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    world.say(socket, &json!({ "text": PLAIN, "id": "one" }).to_string());
    assert!(world.take(socket).contains(r#""id":"msg_1","#), "the same again is no new message");
    world.say(socket, r#"{"type":"stop"}"#);
    assert_eq!(world.take(socket), "", "what starts nothing is not counted");
    let (status, body) = world.send_with("a", &headers);
    assert_eq!((status, &body["code"]), (429, &json!("rate_limited")));
    assert_eq!(world.get("/api/result?session=b").1["status"], "done", "the socket is open, the session as it was");
    world.pass(Duration::from_secs(30));
    world.say(socket, &json!({ "text": PLAIN, "id": "two" }).to_string());
    assert!(world.take(socket).contains(r#""type":"done","id":"msg_2""#));
}

#[test]
fn streams_are_bounded_and_given_back_once_however_they_end() {
    let mut world = open_world(Quota { streams: 2, ..Quota::default() });
    let headers = from("203.0.113.5");
    let first = world.socket_with("/ws", &headers);
    let second = world.socket_with("/ws/trace", &headers);
    assert_eq!(world.counted(), (2, 0));
    let third = world.socket_with("/ws/test", &headers);
    assert_eq!(world.farewell(third), Some((1013, "too_many_streams".to_owned())));
    let (status, body) = world.ask_with("GET", "/api/events", &headers, "");
    assert_eq!((status, &body["code"]), (429, &json!("too_many_streams")));
    let other = world.socket_with("/ws", &from("203.0.113.6"));
    assert_eq!(world.counted(), (3, 0));
    // A goodbye, a broken write, and an end without a word.
    world.send(first, &frame(0x88, &1000_u16.to_be_bytes()));
    assert_eq!(world.counted(), (2, 0), "given back at the goodbye, not when the connection is gone");
    world.tick(vec![Event::Ended { socket: first }]);
    world.tick(vec![Event::Failed { socket: second }]);
    world.tick(vec![Event::Failed { socket: second }]);
    assert_eq!(world.counted(), (1, 0));
    let again = world.socket_with("/api/events", &headers);
    assert_eq!(world.counted(), (2, 0));
    world.reading.remove(&again);
    world.tick(vec![Event::Ended { socket: again }]);
    world.tick(vec![Event::Ended { socket: other }]);
    assert_eq!(world.counted(), (0, 0));
    // Silent for too long.
    let mute = world.socket_with("/ws", &headers);
    world.pass(Duration::from_secs(200));
    assert!(world.closed.contains(&mute));
    assert_eq!(world.counted(), (0, 0));
    // The end of the server.
    world.socket_with("/ws", &headers);
    world.tick(vec![Event::Stop]);
    world.pass(Duration::from_secs(2));
    world.tick(vec![Event::Time]);
    assert_eq!((world.counted(), world.ended.last()), ((0, 0), Some(&"stopped")));
}

#[test]
fn a_stream_that_moves_is_counted_where_it_is() {
    let mut world =
        World::new(Settings { shards: 2, ..with(Quotas { address: Quota { streams: 1, ..Quota::default() }, ..Quotas::default() }) });
    let away = (0..).map(|number| format!("s{number}")).find(|id| shard_of(id) == ShardId(1)).unwrap();
    world.socket_with(&format!("/ws?session={away}"), &from("203.0.113.5"));
    let (_, to, attach) = world.handed.pop().expect("its session lives on the other shard");
    assert_eq!((to, world.counted()), (ShardId(1), (0, 0)), "here it is counted no more");
    assert_eq!(attach.address, Some(Address::of("203.0.113.5".parse::<std::net::IpAddr>().unwrap())));
    // One that comes over is counted, also if there are too many: it has been let in.
    let arrive = |world: &mut World, socket| {
        let key = Key { sub: "anonymous".into(), id: "x".into() };
        let attach = Attach { show: Show::Chat, key, head: b"HTTP/1.1 101\r\n\r\n".to_vec(), ..copy(&attach) };
        world.tick(vec![Event::Arrived { socket: SocketId(socket), attach: Box::new(attach) }]);
    };
    arrive(&mut world, 100);
    arrive(&mut world, 101);
    assert_eq!(world.counted(), (2, 0));
    let told: Vec<&Mail> = world.mail.iter().map(|(_, mail)| mail).filter(|mail| matches!(mail, Mail::Counts { .. })).collect();
    assert_eq!(told.len(), 1, "until it is confirmed nothing more is said: {told:?}");
    world.mail.clear();
    world.tick(vec![Event::Mail(Mail::Counted)]);
    assert!(matches!(&world.mail[..], [(ShardId(1), Mail::Counts { .. })]), "{:?}", world.mail);
    world.tick(vec![Event::Failed { socket: SocketId(100) }, Event::Failed { socket: SocketId(101) }]);
    assert_eq!(world.counted(), (0, 0));
}

fn shard_of(session: &str) -> ShardId {
    Key { sub: "anonymous".into(), id: session.into() }.shard(2)
}

fn copy(attach: &Attach) -> Attach {
    let Attach { key, user, caller, admitted_by, .. } = attach;
    let (key, user, caller, admitted_by) = (key.clone(), user.clone(), caller.clone(), admitted_by.clone());
    Attach { key, user, caller, admitted_by, head: Vec::new(), leftover: Vec::new(), ..*attach }
}

#[test]
fn turns_at_once_are_bounded_by_user_and_free_again_when_one_ends() {
    let mut world = signed_in(Quotas { user: Quota { turns: 1, ..Quota::default() }, ..Quotas::default() });
    let (ada, eve) = (bearer(&token("ada")), bearer(&token("eve")));
    let asks = |world: &mut World, session: &str, who: &str| {
        let (status, body) = world.ask_with("POST", &format!("/api/send?session={session}"), who, &json!({ "text": ASKS }).to_string());
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(asks(&mut world, "a", &ada).0, 200);
    assert_eq!(world.counted(), (0, 1));
    assert_eq!(asks(&mut world, "b", &ada), (429, "too_many_turns".to_owned()));
    assert_eq!(asks(&mut world, "a", &ada), (409, "session_busy".to_owned()), "that is what it is in the same session");
    assert_eq!(asks(&mut world, "a", &eve).0, 200);
    assert_eq!(world.counted(), (0, 2));
    // On a socket messages wait behind the running turn, and are no further turns at once.
    let socket = world.socket_with("/ws?session=a", &ada);
    world.take(socket);
    world.say(socket, &json!({ "text": ASKS }).to_string());
    assert!(!world.take(socket).contains("refused"));
    world.ask_with("POST", "/api/stop?session=a", &ada, r#"{"waiting":true}"#);
    assert_eq!(world.counted(), (0, 1));
    assert_eq!(asks(&mut world, "b", &ada).0, 200);
    // Deleting everything ends what runs.
    assert_eq!(world.ask_with("POST", "/api/me/delete", &ada, "").0, 200);
    assert_eq!(world.counted(), (0, 1));
    assert_eq!(asks(&mut world, "c", &ada).0, 200);
}

#[test]
fn without_sign_in_turns_and_budgets_are_those_of_an_address() {
    let budget = Budget { turns: 2, ..Budget::default() };
    let mut world = World::new(with(Quotas { address: Quota { turns: 1, ..Quota::default() }, budget, ..Quotas::default() }));
    let (here, there) = (from("203.0.113.5"), from("203.0.113.6"));
    let ask = json!({ "text": ASKS }).to_string();
    assert_eq!(world.ask_with("POST", "/api/send?session=a", &here, &ask).0, 200);
    assert_eq!(world.ask_with("POST", "/api/send?session=b", &here, &ask).1["code"], "too_many_turns");
    assert_eq!(world.ask_with("POST", "/api/send?session=b", &there, &ask).0, 200);
    world.ask_with("POST", "/api/stop?session=a", &there, "");
    assert_eq!(world.send_with("c", &here).0, 200);
    assert_eq!(world.send_with("c", &here).1["code"], "budget_used_up");
    let left = |world: &mut World, who: &str| world.ask_with("GET", "/api/state?session=c", who, "").1["budget"]["turns"].clone();
    assert_eq!(left(&mut world, &here), json!({ "limit": 2, "left": 0 }));
    assert_eq!(left(&mut world, &there), json!({ "limit": 2, "left": 1 }));
    assert_eq!(left(&mut world, &from("203.0.113.7")), json!({ "limit": 2, "left": 2 }));
}

#[test]
fn a_budget_counts_what_calls_used_also_in_the_background_and_refuses_the_next_turn() {
    let mut world = signed_in(Quotas { budget: Budget { turns: 0, tokens: 500, cost: 1_000_000 }, ..Quotas::default() });
    let ada = bearer(&token("ada"));
    let usage = Usage { prompt_tokens: 90, completion_tokens: 10, cost_micros: 250_000, ..Usage::NONE };
    assert_eq!(world.ask_with("POST", "/api/send", &ada, &json!({ "text": ASKS }).to_string()).0, 200);
    let left = |world: &mut World| world.ask_with("GET", "/api/state", &ada, "").1["budget"].clone();
    let before = left(&mut world);
    assert_eq!((&before["tokens"], &before["turns"]), (&json!({ "limit": 500, "left": 500 }), &Value::Null), "{before}");
    assert_eq!(before["cost"], json!({ "limit": 1.0, "left": 1.0 }));
    assert_eq!(before["resets_at"].as_u64().unwrap() % 86_400_000, 0);
    let mut ended = 0;
    while let Some((session, call)) = world.calls.pop() {
        let outcome = if ended == 0 { Ok(Answer { text: "{}".to_owned(), ..Answer::default() }) } else { Err(CallError::Truncated) };
        world.tick(vec![Event::Completion { session, call, usage, waited_us: 0, outcome }]);
        ended += 1;
    }
    assert!(ended >= 2, "a call that failed was paid for too");
    let after = left(&mut world);
    assert_eq!(after["tokens"]["left"], 500 - 100 * ended.min(5), "{after}");
    assert_eq!(after["cost"]["left"], 1.0 - 0.25 * f64::from(ended.min(4)));
    assert_eq!(world.ask_with("GET", "/api/me", &ada, "").1["budget"], after);
    // What is still missing to the bound comes late, as of a memorizer that goes on behind a turn.
    let session = SessionId(1);
    let outcome = Err(CallError::Cancelled);
    world.tick(vec![Event::Completion {
        session,
        call: CallId(77),
        usage: Usage { cost_micros: 1_000_000, ..usage },
        waited_us: 0,
        outcome,
    }]);
    let (status, body) = world.send_with("default", &ada);
    assert_eq!((status, &body["code"]), (429, &json!("budget_used_up")));
    let socket = world.socket_with("/ws?session=default", &ada);
    world.take(socket);
    world.say(socket, &json!({ "text": PLAIN }).to_string());
    let refused = world.take(socket);
    assert!(refused.contains(r#""code":"budget_used_up""#) && refused.contains("retry_after_ms"), "{refused}");
    assert_eq!(world.ask_with("POST", "/api/me/delete", &ada, "").0, 200);
    assert_eq!(world.send_with("default", &ada).0, 429, "deleting everything gives no new budget");
    assert_eq!(world.send_with("default", &bearer(&token("eve"))).0, 200);
}

#[test]
fn where_nothing_is_bounded_nothing_is_counted() {
    let mut world = World::new(Settings { shards: 2, ..settings() });
    for _ in 0..50 {
        world.get("/health");
    }
    let socket = world.websocket("/ws");
    world.say(socket, &json!({ "text": PLAIN }).to_string());
    assert!(world.mail.iter().all(|(_, mail)| !matches!(mail, Mail::Counts { .. })));
    assert_eq!(world.get("/api/state").1["budget"], Value::Null);
    assert_eq!(world.shard.sizes().counted, Sums::default());
}
