//! Files and settings that are loaded again while everything runs.

use super::sign_in::{bearer, keys, keys_file, rules, token};
use super::*;
use crate::auth::Role;
use crate::auth::testing::{NOW, SIGNERS, claims};
use crate::graph::shipped_with;

impl World {
    fn reload(&mut self, settings: Settings) {
        self.tick(vec![Event::Reload(Arc::new(settings))]);
    }
}

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
