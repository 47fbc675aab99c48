//! Files and settings that are loaded again while everything runs.

use super::sign_in::{bearer, keys, keys_file, rules, token};
use super::*;
use crate::auth::testing::{NOW, SIGNERS, claims};
use crate::auth::{Proxy, Role, Rules};
use crate::contract::{Budget, Quota};
use crate::graph::shipped_with;
use metrics::Models;

impl World {
    fn reload(&mut self, settings: Settings) {
        self.tick(vec![Event::Reload(Arc::new(settings))]);
    }
}

const ROLES_CHANGED: &str = super::super::reload::ROLES_CHANGED.1;

fn renamed() -> Arc<Library> {
    shipped_with(|file| file.replace("\"v1-direct\"", "\"v1-renamed\"").replace("=== user", "MARKED\n=== user"))
}

#[test]
fn a_turn_a_socket_and_a_stream_go_on_and_the_next_turn_is_on_the_new_graph() {
    let mut world = World::new(settings());
    let chat = world.websocket("/ws");
    let events = world.connect();
    world.send(events, b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let idle = world.connect();
    world.say(chat, &json!({ "text": ASKS }).to_string());
    world.take(chat);
    world.take(events);
    assert_eq!(world.calls.len(), 1);
    world.reload(Settings { library: renamed(), graph: "v1-renamed".into(), ..settings() });
    assert!(world.closed.is_empty() && world.shut.is_empty() && world.cancelled.is_empty(), "nobody and nothing is dropped");
    let (status, list) = world.get("/api/graph/list");
    assert!(status == 200 && list.to_string().contains("v1-renamed") && !list.to_string().contains("v1-direct"), "{list}");
    while !world.calls.is_empty() {
        world.complete("{}");
    }
    let shown = world.take(chat);
    assert!(shown.contains(r#""type":"done","id":"msg_1""#) && world.take(events).contains("frame_trace"), "{shown}");
    let trace = world.get("/api/frames").1["last_trace"].clone();
    assert_eq!((&trace["graph"], &trace["reloaded"]), (&json!("v3-framed"), &Value::Null));
    world.say(chat, &json!({ "text": PLAIN }).to_string());
    let trace = world.get("/api/frames").1["last_trace"].clone();
    assert_eq!((&trace["graph"], trace["reloaded"].as_str().map(str::len)), (&json!("v3-framed"), Some(12)), "it says so: {trace}");
    let prompt = world.get("/api/graph/prompt?node=director").1.to_string();
    assert!(prompt.contains("MARKED"), "{prompt}");
    // Another session begins on the new graph, also one that was only looked at before.
    assert_eq!(world.get("/api/graph/active?session=b").1["name"], "v1-renamed");
    assert_eq!(world.get("/health").1["status"], "ok");
    let (status, _) = world.request(idle, "GET", "/api/state", "", "");
    assert_eq!(status, 200, "a connection that was idle is still there");
}

#[test]
fn a_place_to_watch_shows_the_graph_that_its_session_will_begin_on() {
    let mut world = World::new(settings());
    let chat = world.websocket("/ws");
    world.reload(Settings { library: renamed(), graph: "v1-renamed".into(), ..settings() });
    assert_eq!(world.get("/api/graph/active").1["name"], "v1-renamed");
    world.say(chat, &json!({ "text": ASKS }).to_string());
    assert_eq!(world.calls.len(), 1, "and begins on it");
}

#[test]
fn limits_hosts_and_origins_count_at_once() {
    let mut world = World::new(settings());
    let large = json!({ "text": "x".repeat(3_000) });
    assert_eq!(world.post("/api/send", large.clone()).0, 200);
    world.reload(Settings {
        message_bytes_max: 2_000,
        origins: Origins { hosts: vec!["chat.example".into()], ..Origins::default() },
        about: Map::from_iter([("graph".to_owned(), json!("another"))]),
        ..settings()
    });
    assert_eq!(world.post("/api/send?session=b", large).0, 413);
    let socket = world.connect();
    assert_eq!(world.request(socket, "GET", "/api/state", "Host: chat.example\r\n", "").0, 200);
    let socket = world.connect();
    assert_eq!(world.request(socket, "GET", "/api/state", "Origin: https://listed.example\r\n", "").0, 403, "it is no longer listed");
    assert_eq!(world.get("/health").1["graph"], "another");
}

#[test]
fn metrics_name_what_was_reloaded_and_keep_what_was_counted() {
    let mut world = World::new(settings());
    let ask = |world: &mut World| {
        world.post("/api/send", json!({ "text": ASKS }));
        let calls = world.calls.len();
        while !world.calls.is_empty() {
            world.complete("{}");
        }
        assert!(calls > 0);
    };
    ask(&mut world);
    let scrape = |world: &mut World| {
        let socket = world.connect();
        world.send(socket, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        world.take(socket)
    };
    let counted = |text: &str, provider: &str, model: &str| -> f64 {
        let labels = format!("llm_request_duration_seconds_count{{provider=\"{provider}\",model=\"{model}\",outcome=\"done\"}} ");
        text.lines().find_map(|line| line.strip_prefix("framewright_")?.strip_prefix(&labels)).map_or(0.0, |count| count.parse().unwrap())
    };
    let before = counted(&scrape(&mut world), "demo", "demo");
    assert!(before > 0.0);
    world.post("/api/send", json!({ "text": PLAIN }));
    let models = Models { provider: "openai".into(), fast: "small".into(), strong: "large".into(), fallback: None };
    let library = shipped_with(|file| file.replace("\"director+interpreter\"", "\"director+analyst\""));
    world.reload(Settings { models, library, database_names: vec!["shop".into()], ..settings() });
    ask(&mut world);
    let text = scrape(&mut world);
    assert_eq!(counted(&text, "demo", "demo"), before, "an old series stays its provider's");
    assert!(text.contains("turns_total{path=\"reflex\",outcome=\"done\"} 1\n"), "counters of paths that stay go on: {text}");
    assert!(counted(&text, "openai", "small") + counted(&text, "openai", "large") > 0.0, "{text}");
    for path in ["director+interpreter", "director+analyst"] {
        assert!(text.contains(&format!("turns_total{{path=\"{path}\",outcome=\"done\"}} 0\n")), "{path}: {text}");
    }
}

#[test]
fn an_administrators_stream_that_was_on_its_way_during_a_reload_shows_nothing() {
    let signed_in = || Settings { sign_in: rules(), shards: 2, sessions_max: 50, ..settings() };
    let mut changed = rules();
    let issuer = changed.issuer.as_mut().unwrap();
    issuer.admin = issuer.admin.take().map(|role| Role { value: "superuser".to_owned(), ..role });
    let mut admin = claims("root");
    admin["urn:zitadel:iam:org:project:roles"] = json!({"admin": {"2486": "acme.example"}});
    let root = SIGNERS[0].token(&admin);
    let by_key = |scopes| keys_file(&[("ops", scopes)]);
    let closed = |code, reason: &str| Some((code, reason.to_owned()));
    for (token, sign_in, api_keys, expected) in [
        (root.as_str(), rules(), by_key(r#""admin""#), None),
        (&root, changed.clone(), by_key(r#""admin""#), closed(1013, ROLES_CHANGED)),
        ("fw_ops", changed.clone(), by_key(r#""admin""#), None),
        ("fw_ops", rules(), by_key(r#""read""#), closed(4001, "Invalid token")),
    ] {
        let mut world = World::new(Settings { api_keys: by_key(r#""admin""#), ..signed_in() });
        world.now.wall = NOW;
        world.tick(vec![keys(&SIGNERS[..5])]);
        let away =
            (0..).map(|n| format!("s{n}")).find(|id| identity::Key { sub: "ada".into(), id: id.as_str().into() }.shard(2) == ShardId(1));
        let socket = world.socket_with(&format!("/ws/trace?user=ada&session={}", away.unwrap()), &bearer(token));
        let (_, _, attach) = world.handed.pop().expect("it lives on the other shard");
        let mut other = World::new(Settings { sign_in, api_keys, ..signed_in() });
        other.now.wall = NOW;
        other.tick(vec![Event::Arrived { socket, attach }]);
        assert_eq!(other.farewell(socket), expected, "{token}");
    }
}

#[test]
fn keys_and_the_administrators_role_count_at_once() {
    let signed_in = || Settings { sign_in: rules(), sessions_max: 50, ..settings() };
    let mut world = World::new(signed_in());
    world.now.wall = NOW;
    world.tick(vec![keys(&SIGNERS[..5])]);
    let mut admin = claims("root");
    admin["urn:zitadel:iam:org:project:roles"] = json!({"admin": {"2486": "acme.example"}});
    let (root, ada) = (SIGNERS[0].token(&admin), token("ada"));
    let reads = |world: &mut World| {
        let socket = world.connect();
        world.request(socket, "GET", "/api/frames?user=ada", &bearer(&root), "").0
    };
    assert_eq!(reads(&mut world), 200);
    let (own, others) = (world.socket_with("/ws", &bearer(&ada)), world.socket_with("/ws/trace?user=ada", &bearer(&root)));
    let mut changed = rules();
    let issuer = changed.issuer.as_mut().unwrap();
    issuer.admin = issuer.admin.take().map(|role| Role { value: "superuser".to_owned(), ..role });
    world.reload(Settings { sign_in: changed, api_keys: keys_file(&[("ci", r#""chat""#)]), ..signed_in() });
    assert_eq!(reads(&mut world), 403, "a token that was verified before is looked at again");
    assert!(world.shut.contains(&others) && !world.shut.contains(&own), "who looked at another's data has to show their token again");
    let socket = world.connect();
    assert_eq!(world.request(socket, "GET", "/api/state", &bearer("fw_ci"), "").0, 200);
    let by_key = world.socket_with("/ws", &bearer("fw_ci"));
    world.reload(Settings { sign_in: rules(), ..signed_in() });
    assert!(world.shut.contains(&by_key), "its key is gone");
    assert_eq!(reads(&mut world), 200, "the issuer's keys were not lost");
}

/// Addresses behind a trusted proxy, which may use this much.
fn bounded(address: Quota, budget: Budget) -> Settings {
    let trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    Settings { quotas: Quotas { address, budget, ..Quotas::default() }, trusted_proxies, sessions_max: 50, ..settings() }
}

const FAR: &str = "X-Forwarded-For: 203.0.113.5\r\n";

fn sends(world: &mut World) -> String {
    let socket = world.connect();
    let (status, body) = world.request(socket, "POST", "/api/send", FAR, &json!({ "text": PLAIN }).to_string());
    format!("{status} {}", body["code"].as_str().unwrap_or_default())
}

#[test]
fn quotas_count_at_once_and_what_was_used_stays_used() {
    let budget = |turns| Budget { turns, ..Budget::default() };
    let messages = |messages| Quota { messages, ..Quota::default() };
    let mut world = World::new(bounded(messages(3), budget(9)));
    assert_eq!([sends(&mut world), sends(&mut world)], ["200 ", "200 "]);
    world.reload(bounded(messages(1), budget(9)));
    assert_eq!(sends(&mut world), "429 rate_limited", "a lower rate is used up");
    world.reload(bounded(messages(0), budget(3)));
    assert_eq!([sends(&mut world), sends(&mut world)], ["200 ", "429 budget_used_up"], "two turns of three had been used");
    world.reload(bounded(messages(0), budget(5)));
    assert_eq!([sends(&mut world), sends(&mut world), sends(&mut world)], ["200 ", "200 ", "429 budget_used_up"]);
    world.reload(bounded(Quota::default(), Budget::default()));
    assert_eq!(sends(&mut world), "200 ", "without any bound");
    assert_eq!(world.get("/api/state").1["budget"], Value::Null);
    world.reload(bounded(Quota { requests: 1, ..Quota::default() }, budget(5)));
    assert_eq!([sends(&mut world), sends(&mut world)], ["429 budget_used_up", "429 rate_limited"], "and with bounds again");
    let mut world = World::new(bounded(Quota::default(), Budget::default()));
    assert_eq!(sends(&mut world), "200 ");
    world.reload(bounded(messages(1), Budget::default()));
    assert_eq!([sends(&mut world), sends(&mut world)], ["200 ", "429 rate_limited"], "also where there was none at the start");
}

#[test]
fn open_streams_and_running_turns_outlast_a_lower_bound_and_are_given_back_once() {
    let quota = |streams, turns| bounded(Quota { streams, turns, ..Quota::default() }, Budget::default());
    let counted = |world: &World| (world.shard.sizes().counted.streams, world.shard.sizes().counted.turns);
    let mut world = World::new(quota(2, 2));
    let (first, second) = (world.socket_with("/ws", FAR), world.socket_with("/ws?session=b", FAR));
    world.say(first, &json!({ "text": ASKS }).to_string());
    assert_eq!(counted(&world), (2, 1));
    world.reload(quota(1, 1));
    assert!(world.shut.is_empty() && world.closed.is_empty(), "nobody is dropped");
    world.say(second, &json!({ "text": ASKS }).to_string());
    assert!(world.take(second).contains("too_many_turns"));
    let third = world.socket_with("/ws", FAR);
    assert_eq!(world.farewell(third), Some((1013, "too_many_streams".to_owned())));
    // Without a bound nothing new is counted, and what was is still given back.
    world.reload(quota(0, 0));
    let fourth = world.socket_with("/ws", FAR);
    assert_eq!((world.farewell(fourth), counted(&world)), (None, (2, 1)));
    while !world.calls.is_empty() {
        world.complete("{}");
    }
    [first, second, fourth].into_iter().for_each(|socket| world.tick(vec![Event::Failed { socket }]));
    assert_eq!(counted(&world), (0, 0));
    world.reload(quota(1, 1));
    world.socket_with("/ws", FAR);
    assert_eq!(counted(&world), (1, 0));
}

#[test]
fn trusted_proxies_count_at_once() {
    let quota = Quota { requests: 1, ..Quota::default() };
    let with = |proxies: &[&str]| Settings {
        trusted_proxies: proxies.iter().map(|proxy| proxy.parse().unwrap()).collect(),
        ..bounded(quota, Budget::default())
    };
    let mut world = World::new(with(&[]));
    world.peer = std::net::IpAddr::from([10, 0, 0, 1]).into();
    let asks = |world: &mut World, address: &str| {
        let socket = world.connect();
        world.request(socket, "GET", "/auth/config", &format!("X-Forwarded-For: {address}\r\n"), "").0
    };
    assert_eq!([asks(&mut world, "1.1.1.1"), asks(&mut world, "1.1.1.2")], [200, 429], "both are the proxy");
    world.reload(with(&["10.0.0.1"]));
    assert_eq!([asks(&mut world, "1.1.1.1"), asks(&mut world, "1.1.1.2"), asks(&mut world, "1.1.1.2")], [200, 200, 429]);
    world.reload(with(&["10.0.0.2"]));
    assert_eq!(asks(&mut world, "1.1.1.3"), 429);
}

/// Settings where a proxy at these addresses names users in a header.
fn proxied(header: &str, trusted: &[&str]) -> Settings {
    let trusted = trusted.iter().map(|proxy| proxy.parse().unwrap()).collect();
    let sign_in = Rules { proxy: Some(Proxy { header: header.to_owned(), trusted }), ..Rules::default() };
    Settings { sign_in, sessions_max: 50, ..settings() }
}

#[test]
fn a_stream_ends_when_the_proxy_that_let_its_user_in_counts_no_longer() {
    let gone = Some((4001, "Invalid token".to_owned()));
    for (changed, expected) in [
        (proxied("x-user", &["10.0.0.1"]), None),
        (proxied("x-user", &["10.0.0.0/30", "10.0.0.9"]), None),
        (proxied("x-user", &["10.0.0.2"]), gone.clone()),
        (proxied("x-other", &["10.0.0.1"]), gone.clone()),
        (settings(), gone.clone()),
    ] {
        let mut world = World::new(proxied("x-user", &["10.0.0.1"]));
        world.peer = std::net::IpAddr::from([10, 0, 0, 1]).into();
        let chat = world.socket_with("/ws", "X-User: ada\r\n");
        assert!(world.take(chat).starts_with("HTTP/1.1 101"));
        let rules = changed.sign_in.proxy.clone();
        world.reload(changed);
        assert_eq!(world.farewell(chat), expected, "{rules:?}");
    }
    // Also one that was on its way from another shard.
    let mut world = World::new(Settings { shards: 2, ..proxied("x-user", &["10.0.0.1"]) });
    world.peer = std::net::IpAddr::from([10, 0, 0, 1]).into();
    let key = |id: &str| identity::Key { sub: "proxy:ada".into(), id: id.into() };
    let away = (0..).map(|number| format!("s{number}")).find(|id| key(id).shard(2) == ShardId(1)).unwrap();
    let socket = world.socket_with(&format!("/ws?session={away}"), "X-User: ada\r\n");
    let (_, _, attach) = world.handed.pop().expect("it lives on the other shard");
    let mut other = World::new(Settings { shards: 2, ..proxied("x-user", &["10.0.0.2"]) });
    other.tick(vec![Event::Arrived { socket, attach }]);
    assert_eq!(other.farewell(socket), gone);
}

#[test]
fn who_never_signed_in_is_let_go_when_sign_in_is_switched_on() {
    let mut world = World::new(settings());
    let (chat, events) = (world.websocket("/ws"), world.connect());
    world.send(events, b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.take(chat);
    world.reload(proxied("x-user", &["10.0.0.1"]));
    assert_eq!(world.farewell(chat), Some((4001, "Invalid token".to_owned())));
    assert!(world.shut.contains(&events));
    let socket = world.connect();
    assert_eq!(world.request(socket, "GET", "/api/state", "", "").0, 401);
}

#[test]
fn administrators_watch_on_when_only_a_proxy_changes() {
    let signed_in = |sign_in| Settings { sign_in, sessions_max: 50, ..settings() };
    let mut world = World::new(signed_in(rules()));
    world.now.wall = NOW;
    world.tick(vec![keys(&SIGNERS[..5])]);
    let mut admin = claims("root");
    admin["urn:zitadel:iam:org:project:roles"] = json!({"admin": {"2486": "acme.example"}});
    let watches = world.socket_with("/ws/trace?user=ada", &bearer(&SIGNERS[0].token(&admin)));
    world.take(watches);
    world.reload(signed_in(Rules { proxy: None, ..rules() }));
    assert_eq!(world.farewell(watches), None);
}
