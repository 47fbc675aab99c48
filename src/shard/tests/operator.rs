//! Probes, the version, metrics: what they show, and to whom.

use super::sign_in::{bearer, keys, keys_file, rules};
use super::*;
use crate::auth::testing::SIGNERS;
use crate::auth::{News, Rules};
use std::collections::BTreeSet;

impl World {
    /// A scrape: its status and its text.
    fn scrape(&mut self, headers: &str) -> (u16, String) {
        let socket = self.connect();
        let host = if headers.contains("Host:") { "" } else { "Host: localhost\r\n" };
        self.send(socket, format!("GET /metrics HTTP/1.1\r\n{host}{headers}\r\n").as_bytes());
        let answer = self.take(socket);
        (answer[9..12].parse().unwrap(), answer)
    }

    /// The value of a metric with these labels, as they stand.
    fn value(&mut self, sample: &str) -> f64 {
        let text = self.scrape("").1;
        let found = text.lines().find_map(|line| line.strip_prefix("framewright_")?.strip_prefix(sample)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no `{sample}` in {text}")).parse().unwrap()
    }
}

fn three_shards() -> World {
    World::new(Settings { shards: 3, ..settings() })
}

/// Who was asked, with the ticket.
fn asked(world: &mut World) -> (Vec<ShardId>, Ticket) {
    let asked: Vec<_> = std::mem::take(&mut world.mail)
        .into_iter()
        .map(|(shard, mail)| match mail {
            Mail::RollCall { ticket, .. } => (shard, ticket),
            other => panic!("{other:?}"),
        })
        .collect();
    (asked.iter().map(|(shard, _)| *shard).collect(), asked[0].1)
}

#[test]
fn a_server_lives_while_every_shard_answers() {
    let mut world = three_shards();
    let socket = world.connect();
    world.send(socket, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (shards, ticket) = asked(&mut world);
    assert_eq!(shards, [ShardId(1), ShardId(2)]);
    world.tick(vec![Event::Mail(Mail::Present { ticket, metrics: None })]);
    assert_eq!(world.take(socket), "", "one shard is still silent");
    world.tick(vec![Event::Mail(Mail::Present { ticket, metrics: None })]);
    assert!(world.take(socket).ends_with(r#"{"shards":3,"status":"ok"}"#));
    world.send(socket, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (_, ticket) = asked(&mut world);
    world.tick(vec![Event::Mail(Mail::Present { ticket, metrics: None })]);
    world.pass(bounds::ROLL_CALL_TIME);
    let answer = world.take(socket);
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("shard_timeout"), "{answer}");
    world.tick(vec![Event::Mail(Mail::Present { ticket, metrics: None })]);
    assert_eq!((world.take(socket).as_str(), world.shard.sizes().waiting), ("", 0), "what comes too late is dropped");
}

#[test]
fn a_shard_answers_a_roll_call_with_what_it_has_counted() {
    let mut world = three_shards();
    for (is_count, expected) in [(false, false), (true, true)] {
        world.tick(vec![Event::Mail(Mail::RollCall { from: ShardId(2), ticket: Ticket(9), is_count })]);
        let Some((ShardId(2), Mail::Present { ticket: Ticket(9), metrics })) = world.mail.pop() else { panic!("{:?}", world.mail) };
        assert_eq!(metrics.is_some(), expected);
    }
}

#[test]
fn a_server_is_ready_when_all_that_a_turn_needs_is_here() {
    let checks = |world: &mut World| {
        let (status, body) = world.get("/readyz");
        let failing = body["checks"].as_object().unwrap().iter().filter(|(_, check)| check["ok"] != true).map(|(name, _)| name.clone());
        (status, body["code"].as_str().map(str::to_owned), failing.collect::<Vec<_>>())
    };
    let fails = |code: &str, check: &str| (503, Some(code.to_owned()), vec![check.to_owned()]);
    let mut world = World::new(settings());
    assert_eq!(checks(&mut world), (200, None, vec![]));
    let body = world.get("/readyz").1;
    assert_eq!(body["checks"]["model"], json!({"ok": true, "name": "demo", "demo": true}), "the demo counts, and is named");
    assert_eq!(body["checks"]["graph"], json!({"ok": true, "name": "v3-framed"}));
    assert!(body["checks"].get("sign_in").is_none());
    world.tick(vec![Event::Drain]);
    assert_eq!(checks(&mut world), fails("draining", "serving"));
    assert_eq!(world.get("/livez").0, 200, "it lives while it drains");
    let mut world = World::new(Settings { about: Map::new(), ..settings() });
    assert_eq!(checks(&mut world), fails("unavailable", "model"));
    let mut world = World::new(Settings { graph: "gone".into(), ..settings() });
    assert_eq!(checks(&mut world), fails("unknown_graph", "graph"));
    let mut world = World::new(Settings { sign_in: rules(), ..settings() });
    assert_eq!(checks(&mut world), fails("sign_in_unavailable", "sign_in"));
    world.tick(vec![keys(&SIGNERS)]);
    assert_eq!(checks(&mut world), (200, None, vec![]));
}

#[test]
fn the_version_says_what_is_known_and_invents_nothing() {
    let mut world = World::new(settings());
    assert_eq!(world.get("/version"), (200, json!({"name": "framewright", "version": "0", "io": "test"})));
    let about = json!({"version": "1.2.3", "commit": "abc", "tests": true}).as_object().cloned().unwrap();
    let mut world = World::new(Settings { about, ..settings() });
    assert_eq!(world.get("/version").1, json!({"name": "framewright", "version": "1.2.3", "commit": "abc", "io": "test"}));
    assert!(world.scrape("").1.contains("framewright_build_info{version=\"1.2.3\",commit=\"abc\"} 1\n"));
}

#[test]
fn metrics_are_for_this_machine_unless_a_proxy_may_stand_between() {
    let other = Peer::from(IpAddr::from(Ipv4Addr::new(10, 0, 0, 7)));
    let mapped = Peer::from(IpAddr::from(Ipv4Addr::LOCALHOST.to_ipv6_mapped()));
    let with_host = || {
        let origins = Origins { hosts: vec!["chat.example".into()], ..Origins::default() };
        Settings { origins, ..settings() }
    };
    let with_proxy = || Settings { trusted_proxies: vec!["10.0.0.1".parse().unwrap()], ..settings() };
    let local = Peer::from(IpAddr::from(Ipv4Addr::LOCALHOST));
    for (settings, peer, headers, status) in [
        (settings(), local, "", 200),
        (settings(), mapped, "", 200),
        (settings(), other, "", 403),
        (settings(), Peer::Unix, "", 403),
        (with_proxy(), local, "", 403),
        (settings(), local, "X-Forwarded-For: 10.0.0.7\r\n", 403),
        (settings(), local, "X-Real-IP: 10.0.0.7\r\n", 403),
        (settings(), local, "Forwarded: for=10.0.0.7\r\n", 403),
        (settings(), local, "Via: 1.1 proxy\r\n", 403),
        (settings(), local, "Origin: https://evil.example\r\n", 403),
        (settings(), local, "Host: rebound.example\r\n", 403),
        (with_host(), local, "", 403),
        (with_host(), local, "Host: chat.example\r\n", 403),
    ] {
        let mut world = World::new(settings);
        world.peer = peer;
        assert_eq!(world.scrape(headers).0, status, "{peer:?} {headers}");
    }
    let mut world = World::new(settings());
    let socket = world.connect();
    world.send(socket, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: \xff\r\n\r\n");
    assert!(world.take(socket).starts_with("HTTP/1.1 403"), "a header that can't be read is one all the same");
}

#[test]
fn connections_of_clients_keep_no_probe_out() {
    let mut world = World::new(Settings { connections_max: 3, ..settings() });
    // As many as can be: three that idle, and three that read why they are refused.
    world.stuck = (4..=6).map(SocketId).collect();
    for _ in 0..7 {
        world.connect();
    }
    assert_eq!((world.shard.sizes().sockets, world.closed.as_slice()), (6, &[SocketId(7)][..]));
    (world.door, world.peer) = (Door::Metrics, IpAddr::from(Ipv4Addr::new(10, 0, 0, 7)).into());
    for path in ["/livez", "/readyz", "/version"] {
        assert_eq!(world.get(path).0, 200, "{path}");
    }
    assert_eq!(world.scrape("").0, 200);
    for _ in 4..bounds::METRICS_CONNECTIONS_MAX {
        world.connect();
    }
    world.door = Door::Main;
    let socket = world.connect();
    assert!(world.closed.contains(&socket));
    world.door = Door::Metrics;
    let socket = world.connect();
    assert!(world.closed.contains(&socket), "and that reserve has its end");
}

#[test]
fn with_sign_in_metrics_want_a_key_with_their_scope_or_an_administrator() {
    let mut world = World::new(Settings { sign_in: Rules { proxy: None, ..rules() }, ..settings() });
    world.tick(vec![keys(&SIGNERS)]);
    world.now.wall = crate::auth::testing::NOW;
    let file = keys_file(&[("board", r#""metrics""#), ("ci", r#""chat", "tests""#), ("ops", r#""admin""#)]);
    world.tick(vec![Event::News(News::ApiKeys(file))]);
    assert_eq!(world.scrape("").0, 200, "from this machine");
    world.peer = IpAddr::from(Ipv4Addr::new(10, 0, 0, 7)).into();
    assert_eq!(world.scrape("").0, 401);
    for (key, status) in [("fw_board", 200), ("fw_ci", 403), ("fw_ops", 200), ("fw_none", 401)] {
        assert_eq!(world.scrape(&bearer(key)).0, status, "{key}");
    }
    assert_eq!(world.scrape(&bearer(&sign_in::token("ada"))).0, 403, "a user");
    let socket = world.connect();
    assert_eq!(world.request(socket, "GET", "/api/state", &bearer("fw_board"), "").0, 403, "and the key of a scraper reads nothing else");
}

#[test]
fn where_metrics_are_served_nothing_else_is() {
    let mut world = World::new(Settings { sign_in: rules(), ..settings() });
    world.tick(vec![keys(&SIGNERS)]);
    (world.door, world.peer) = (Door::Metrics, IpAddr::from(Ipv4Addr::new(10, 0, 0, 7)).into());
    for (target, status) in [
        ("/metrics", 200),
        ("/livez", 200),
        ("/readyz", 200),
        ("/version", 200),
        ("/health", 200),
        ("/", 404),
        ("/auth/config", 404),
        ("/api/state", 404),
        ("/static/app.js", 404),
        ("/ws", 404),
    ] {
        for host in ["Host: framewright.monitoring.example\r\n", "Host: localhost\r\nX-Forwarded-For: 1.2.3.4\r\n"] {
            let socket = world.connect();
            world.send(socket, format!("GET {target} HTTP/1.1\r\n{host}{}\r\n", bearer(&sign_in::token("ada"))).as_bytes());
            let answer = world.take(socket);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{target}: {answer}");
        }
    }
    let socket = world.connect();
    assert_eq!(world.request(socket, "POST", "/api/send", "", r#"{"text":"hi"}"#).0, 404);
    assert_eq!(world.shard.sizes().sessions, 0);
}

#[test]
fn counts_what_happens_with_requests_turns_frames_and_calls() {
    let mut world = World::new(settings());
    world.post("/api/send", json!({"text": PLAIN}));
    assert_eq!(world.get("/nowhere").0, 404);
    assert_eq!(world.value(r#"http_requests_total{route="/api/send",code="200"}"#), 1.0);
    assert_eq!(world.value(r#"http_requests_total{route="other",code="404"}"#), 1.0);
    assert_eq!(world.value(r#"turns_total{path="reflex",outcome="done"}"#), 1.0);
    assert_eq!(world.value(r#"turn_duration_seconds_count{path="reflex"}"#), 1.0);
    assert_eq!(world.value(r#"time_to_first_delta_seconds_count{path="reflex"}"#), 1.0);
    assert_eq!(world.value(r#"frames_total{node="input"}"#), 1.0);
    assert_eq!(world.value(r#"frames_total{node="director"}"#), 0.0);
    assert_eq!(world.value("sessions"), 1.0);
    world.post("/api/send", json!({"text": ASKS}));
    assert_eq!((world.value("calls"), world.value("busy_sessions")), (1.0, 1.0));
    world.now.moment = world.now.moment.after(Duration::from_millis(300));
    let (session, call) = world.calls.remove(0);
    let usage = Usage { prompt_tokens: 40, completion_tokens: 2, cached_tokens: 30, reasoning_tokens: 1, ..Usage::default() };
    let outcome = Err(CallError::Busy);
    world.tick(vec![Event::Completion { session, call, usage, waited_us: 2_000, outcome }]);
    let llm = r#"provider="demo",model="demo""#;
    assert_eq!(world.value(&format!("llm_request_duration_seconds_count{{{llm},outcome=\"model_overloaded\"}}")), 1.0);
    assert_eq!(world.value(&format!("llm_request_duration_seconds_sum{{{llm},outcome=\"model_overloaded\"}}")), 0.3);
    for (kind, count) in [("input", 40.0), ("output", 2.0), ("reasoning", 1.0), ("cached", 30.0)] {
        assert_eq!(world.value(&format!("llm_tokens_total{{{llm},type=\"{kind}\"}}")), count);
    }
    assert_eq!(world.value(r#"worker_wait_seconds_bucket{pool="llm",le="0.01"}"#), 1.0);
    assert_eq!(world.value(r#"turns_total{path="other",outcome="error"}"#), 1.0, "one that broke off took no path of its graph");
    world.websocket("/ws");
    let events = world.connect();
    world.send(events, b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((world.value("ws_clients"), world.value("sse_clients")), (1.0, 1.0));
    assert_eq!(world.value(r#"http_requests_total{route="/ws",code="101"}"#), 1.0);
    let socket = world.connect();
    world.request(socket, "GET", "/health", "Host: evil.example\r\n", "");
    assert_eq!(world.value(r#"refusals_total{code="unknown_host"}"#), 1.0);
    assert_eq!(world.value(r#"http_requests_total{route="/health",code="403"}"#), 1.0);
}

#[test]
fn a_request_that_waits_takes_as_long_as_it_waits() {
    let mut world = World::new(settings());
    let socket = world.connect();
    world.send(socket, b"GET /api/tests HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.now.moment = world.now.moment.after(Duration::from_millis(700));
    let (ticket, _) = world.jobs.remove(0);
    world.tick(vec![Event::JobDone { ticket, outcome: JobOutcome::Reply(Reply::ok(&json!({}))) }]);
    assert_eq!(world.value(r#"http_request_duration_seconds_sum{route="/api/tests"}"#), 0.7);
}

#[test]
fn what_all_shards_have_counted_adds_up() {
    let mut other = three_shards();
    let mut world = three_shards();
    let socket = world.connect();
    // A request counts where it came in.
    world.send(socket, b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    other.get("/nowhere");
    let (_, ticket) = asked(&mut world);
    for _ in 0..2 {
        let metrics = Some(Box::new(other.shard.counted()));
        world.tick(vec![Event::Mail(Mail::Present { ticket, metrics })]);
    }
    let text = world.take(socket);
    assert!(text.contains("framewright_http_requests_total{route=\"other\",code=\"404\"} 3\n"), "{text}");
    assert!(text.contains("framewright_shards 3\n"));
}

#[test]
fn what_a_shard_counts_under_names_that_another_does_not_know_yet_is_added_too() {
    let mut other = three_shards();
    let models = metrics::Models { provider: "openai".into(), fast: "small".into(), strong: "small".into(), fallback: None };
    other.tick(vec![Event::Reload(Arc::new(Settings { shards: 3, models, ..settings() }))]);
    let id =
        (0..).map(|n| format!("s{n}")).find(|id| identity::Key { sub: "anonymous".into(), id: id.as_str().into() }.shard(3) == ShardId(0));
    other.post(&format!("/api/send?session={}", id.unwrap()), json!({"text": ASKS}));
    let (session, call) = other.calls.remove(0);
    let usage = Usage { prompt_tokens: 40, ..Usage::default() };
    other.tick(vec![Event::Completion { session, call, usage, waited_us: 0, outcome: Err(CallError::Busy) }]);
    let mut world = three_shards();
    let socket = world.connect();
    world.send(socket, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (_, ticket) = asked(&mut world);
    for _ in 0..2 {
        let metrics = Some(Box::new(other.shard.counted()));
        world.tick(vec![Event::Mail(Mail::Present { ticket, metrics })]);
    }
    let text = world.take(socket);
    assert!(text.contains("framewright_llm_tokens_total{provider=\"openai\",model=\"small\",type=\"input\"} 80\n"), "{text}");
}

#[test]
fn a_late_loop_is_seen() {
    let mut world = World::new(settings());
    world.connect();
    let due = world.wake_at.unwrap();
    world.now.moment = due.after(Duration::from_millis(30));
    world.tick(vec![Event::Time]);
    assert_eq!(world.value("loop_lag_seconds_count"), 1.0);
    assert_eq!(world.value("loop_lag_seconds_sum"), 0.03);
}

#[test]
fn no_label_holds_anything_that_a_client_chose() {
    let mut world = World::new(Settings { sessions_max: 50, ..settings() });
    for n in 0..20 {
        world.get(&format!("/pelican/{n}?session=pelican-{n}"));
        let text = format!("pelican {n}: why is the sky blue?");
        world.post(&format!("/api/send?session=pelican-{n}"), json!({"text": text, "id": format!("pelican-{n}")}));
        for (session, call) in std::mem::take(&mut world.calls) {
            let answer = Answer { text: "{}".into(), model: format!("pelican-{n}"), ..Answer::default() };
            world.tick(vec![Event::Completion { session, call, usage: Usage::default(), waited_us: 0, outcome: Ok(answer) }]);
        }
        let socket = world.connect();
        world.send(socket, format!("PELICAN{n} / HTTP/1.1\r\nHost: pelican{n}\r\n\r\n").as_bytes());
    }
    let text = world.scrape("").1;
    assert!(!text.to_ascii_lowercase().contains("pelican"), "{text}");
    let body = text.split("\r\n\r\n").nth(1).unwrap();
    let labels: BTreeSet<&str> = body
        .lines()
        .filter_map(|line| Some(line.split_once('{')?.1.rsplit_once('}')?.0))
        .flat_map(|labels| labels.split(',').filter_map(|label| label.split('=').next()))
        .collect();
    let known = ["code", "database", "le", "model", "node", "outcome", "path", "pool", "provider", "route", "type", "version"];
    assert!(labels.iter().all(|label| known.contains(label)), "{labels:?}");
}

#[test]
fn a_scraper_that_asks_for_openmetrics_gets_it() {
    let mut world = World::new(settings());
    let plain = world.scrape("").1;
    assert!(plain.contains("content-type: text/plain; version=0.0.4") && !plain.contains("# EOF"));
    let open = world.scrape("Accept: application/openmetrics-text;version=1.0.0;q=0.7,text/plain;q=0.3\r\n").1;
    assert!(open.contains("content-type: application/openmetrics-text; version=1.0.0") && open.ends_with("\n# EOF\n"), "{open}");
    assert!(open.contains("# TYPE framewright_turns counter\n") && open.contains("\nframewright_turns_total{"));
}
