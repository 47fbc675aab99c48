//! What waits for a person: answered over HTTP and sockets, kept over a restart, no burden while it waits, over when it expires.

use super::*;
use crate::contract::journal::Durability;
use crate::contract::{Quota, micros};
use crate::graph::shipped_with;

const HOUR: Duration = Duration::from_secs(3_600);

/// A server whose only node begins when a person has approved it, within an hour.
fn marked() -> Settings {
    let library = shipped_with(|file| file.replace(r#""kind": "agent","#, r#""kind": "agent", "approve": {"expires": "1h"},"#));
    Settings { library, graph: "v1-direct".into(), ..settings() }
}

fn kept_settings() -> Settings {
    Settings { keeping: Some(Keeping { durability: Durability::Turn, rerun: false }), ..marked() }
}

fn kept() -> World {
    World::new(kept_settings())
}

/// Another process on the same journal.
fn restarted(world: World) -> World {
    let mut next = kept();
    next.now.wall = world.now.wall;
    next.appended = world.appended;
    next
}

impl World {
    /// A request whose session may have to be loaded, and whose answer may have to be durable.
    fn call(&mut self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let socket = self.connect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!("Content-Length: {}\r\nContent-Type: application/json\r\nX-Forwarded-For: 203.0.113.5\r\n", body.len());
        self.send(socket, format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n{body}").as_bytes());
        self.load();
        self.durable();
        let answer = self.take(socket);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn approvals(&mut self, session: &str) -> Vec<Value> {
        let (_, state) = self.call("GET", &format!("/api/state?session={session}"), &Value::Null);
        let controls = state["controls"].as_array().unwrap();
        controls.iter().filter(|control| control["type"] == "approval").cloned().collect()
    }

    fn wait_for_approval(&mut self, session: &str) {
        assert_eq!(self.call("POST", &format!("/api/send?session={session}"), &json!({"text": ASKS})).1["status"], "queued");
        assert!(self.calls.is_empty(), "no call is made");
    }

    fn decide(&mut self, session: &str, action: &str) -> (u16, Value) {
        self.call("POST", &format!("/api/action?session={session}"), &json!({"action": action, "source": "approval:1"}))
    }

    /// Both clocks go on.
    fn wait(&mut self, time: Duration) {
        self.now.wall = Time(self.now.wall.0 + micros(time));
        self.pass(time);
    }
}

#[test]
fn an_answer_goes_on_with_the_turn_that_waits_also_while_the_session_is_busy() {
    for keeps in [false, true] {
        let mut world = if keeps { kept() } else { World::new(marked()) };
        world.wait_for_approval("a");
        assert_eq!(world.approvals("a")[0]["node"], "agent");
        assert_eq!(world.call("POST", "/api/send?session=a", &json!({"text": "more"})).1["code"], "session_busy");
        let wrong = json!({"action": "allow", "source": "approval:1"});
        assert_eq!(world.call("POST", "/api/action?session=a", &wrong).1["code"], "invalid_parameter");
        let other = json!({"action": "approve", "source": "approval:7"});
        assert_eq!(world.call("POST", "/api/action?session=a", &other).1["code"], "stale_control");
        assert_eq!(world.decide("b", "approve").1["code"], "stale_control", "another session has nothing to answer");
        assert_eq!(world.decide("a", "approve"), (200, json!({"status": "approved", "id": "msg_1"})));
        assert_eq!(world.calls.len(), 1);
        assert!(world.approvals("a").is_empty());
        world.answer("Because.");
        world.durable();
        assert_eq!(world.call("GET", "/api/result?session=a", &Value::Null).1["response"], "Because.");
        assert_eq!(world.decide("a", "approve").1["code"], "stale_control");
    }
}

#[test]
fn a_socket_shows_it_takes_the_answer_and_acknowledges_it() {
    let mut world = World::new(marked());
    let socket = world.websocket("/ws?session=a");
    world.say(socket, r#"{"text":"why?","id":"m1"}"#);
    assert!(world.take(socket).contains(r#""type":"approval""#));
    let late = world.websocket("/ws?session=a");
    assert!(world.take(late).contains(r#""type":"approval""#), "whoever attaches sees it");
    world.say(socket, r#"{"text":"and?","id":"m2"}"#);
    world.say(socket, r#"{"type":"action","action":"decline","source":"approval:1","id":"a1"}"#);
    let seen = world.take(socket);
    assert!(seen.contains(r#""client_id":"a1""#) && seen.contains(r#""code":"approval_declined""#), "{seen}");
    assert!(seen.contains(r#""source":"approval:2""#), "the message that waited has begun: {seen}");
    world.say(socket, r#"{"type":"action","action":"approve","source":"approval:1"}"#);
    assert!(world.take(socket).contains("stale_control"));
}

#[test]
fn it_waits_in_the_journal_and_goes_on_after_a_restart() {
    let mut world = kept();
    world.wait_for_approval("a");
    let shown = world.approvals("a");
    for _ in 0..2 {
        world.wait(Duration::from_secs(60));
        world = restarted(world);
        assert_eq!(world.approvals("a"), shown);
        assert!(world.calls.is_empty());
    }
    assert_eq!(world.decide("a", "approve").1["status"], "approved");
    assert_eq!(world.calls.len(), 1);
    world.answer("Because.");
    world.durable();
    assert_eq!(world.call("GET", "/api/result?session=a", &Value::Null).1["response"], "Because.");
}

#[test]
fn it_expires_when_its_time_is_over_and_a_late_answer_is_refused_with_a_code() {
    let mut world = kept();
    world.wait_for_approval("a");
    world.wait(HOUR - Duration::from_secs(1));
    assert_eq!(world.approvals("a").len(), 1);
    world.wait(Duration::from_secs(2));
    assert_eq!(world.call("GET", "/api/result?session=a", &Value::Null).1["code"], "approval_expired", "the shard has woken it");
    assert_eq!(world.decide("a", "approve").1["code"], "approval_expired");
    // One that isn't in memory is looked at when it is loaded.
    world.wait_for_approval("d");
    let mut world = restarted(world);
    world.now.wall = Time(world.now.wall.0 + micros(HOUR));
    assert_eq!(world.decide("d", "approve").1["code"], "approval_expired");
}

#[test]
fn whoever_answers_too_late_learns_it_also_where_the_wall_clock_has_jumped() {
    let mut world = kept();
    world.wait_for_approval("a");
    world.now.wall = Time(world.now.wall.0 + micros(HOUR));
    assert_eq!(world.decide("a", "approve").1["code"], "approval_expired");
    assert_eq!(world.call("GET", "/api/result?session=a", &Value::Null).1["code"], "approval_expired");
}

#[test]
fn a_jump_of_the_wall_clock_is_found_out_within_a_minute() {
    let mut world = kept();
    world.wait_for_approval("a");
    world.now.wall = Time(world.now.wall.0 + micros(HOUR));
    world.wait(Duration::from_secs(61));
    assert_eq!(world.call("GET", "/api/result?session=a", &Value::Null).1["code"], "approval_expired");
}

#[test]
fn a_session_that_waits_leaves_memory_like_an_idle_one_where_there_is_a_journal() {
    let mut world = kept();
    world.wait_for_approval("a");
    let later = bounds::SESSION_IDLE * 2;
    world.pass(later);
    assert_eq!(world.shard.sizes().open_sessions, 0);
    assert_eq!(world.approvals("a").len(), 1, "it comes back");
    for session in ["b", "c", "d", "e"] {
        world.wait_for_approval(session);
    }
    assert_eq!(world.shard.sizes().open_sessions, 3, "and makes room");
    assert_eq!(world.approvals("a").len(), 1);
    let mut world = World::new(marked());
    for session in ["a", "b", "c"] {
        world.wait_for_approval(session);
    }
    world.pass(later);
    assert_eq!(world.shard.sizes().open_sessions, 3, "without a journal it would be lost");
    assert_eq!(world.call("POST", "/api/send?session=d", &json!({"text": ASKS})).1["code"], "sessions_full");
}

#[test]
fn an_ending_server_waits_for_nobody_and_the_next_one_goes_on() {
    let mut world = kept();
    world.wait_for_approval("a");
    let records = world.appended.len();
    world.tick(vec![Event::Drain]);
    assert_eq!(world.ended, ["drained"], "a person may take days");
    assert_eq!(world.decide("a", "approve").1["code"], "draining");
    world.tick(vec![Event::Stop]);
    assert_eq!(world.appended.len(), records, "its journal knows nothing of it");
    let mut world = restarted(world);
    assert_eq!(world.approvals("a").len(), 1);
    let mut world = World::new(marked());
    world.wait_for_approval("a");
    let socket = world.websocket("/ws?session=a");
    world.tick(vec![Event::Drain]);
    assert_eq!(world.ended, ["drained"]);
    world.tick(vec![Event::Stop]);
    assert!(world.take(socket).contains(r#""type":"done""#), "without a journal it ends with the server");
}

#[test]
fn a_turn_that_waits_counts_neither_as_running_nor_twice() {
    let quotas = Quotas { address: Quota { turns: 1, ..Quota::default() }, ..Quotas::default() };
    let mut world = World::new(Settings { quotas, trusted_proxies: vec!["127.0.0.1".parse().unwrap()], ..marked() });
    world.wait_for_approval("a");
    let sizes = world.shard.sizes();
    assert_eq!((sizes.turns_held, sizes.busy_sessions, sizes.timers > 0), (0, 0, true));
    world.wait_for_approval("b");
    assert_eq!(world.decide("a", "approve").0, 200);
    assert_eq!(world.shard.sizes().turns_held, 1);
    world.answer("Because.");
    assert_eq!(world.shard.sizes().counted.turns, 0, "what runs behind it is no turn");
}

#[test]
fn what_a_person_is_asked_is_seen_only_when_it_is_durable() {
    let library = shipped_with(|file| file.replace(r#""kind": "output","#, r#""kind": "output", "approve": true,"#));
    let mut world = World::new(Settings { library, graph: "v3-framed".into(), ..kept_settings() });
    let socket = world.websocket("/ws?session=a");
    world.load();
    world.durable();
    world.say(socket, &json!({ "text": ASKS }).to_string());
    world.durable();
    while !world.calls.is_empty() {
        world.complete("{}");
    }
    assert_eq!(world.shard.sizes().calls, 0, "all that is left waits for a person");
    assert!(!world.take(socket).contains("\"approval\""), "a crash could still lose it");
    world.durable();
    assert!(world.take(socket).contains("\"approval\""));
}
