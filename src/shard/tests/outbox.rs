//! Webhooks: which addresses may be called, what the journal keeps of them and when, and what the server sends.

use super::*;
use crate::contract::journal::{Delivery, DeliveryState, DeliveryStatus, Durability, Item, Webhook};
use crate::shard::outbox::Outbox;

const HOOK: &str = "https://hooks.example/a/b";

pub(super) fn outbox(is_full: bool) -> Outbox {
    let pending = DeliveryStatus { state: DeliveryState::Pending, attempts: 2, status: Some(500) };
    Outbox {
        allowed: vec!["https://hooks.example/a".parse().unwrap()],
        is_full: Box::new(move || is_full),
        status: Box::new(move |name, turn| (name.session == "default" && turn == 1).then_some(pending)),
    }
}

fn world(durability: Option<Durability>) -> World {
    let keeping = durability.map(|durability| Keeping { durability, rerun: false });
    World::new(Settings { keeping, graph: "v1-direct".into(), outbox: Some(outbox(false)), ..settings() })
}

impl World {
    fn send_for(&mut self, text: &str, webhook: &Value, id: &str) -> (u16, Value) {
        let socket = self.connect();
        let body = json!({ "text": text, "webhook": webhook, "id": id }).to_string();
        self.send(socket, &request("POST", "/api/send", &body));
        self.load();
        self.durable();
        let answer = self.take(socket);
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"));
        (status, serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap())
    }

    /// What the journal was given of webhooks.
    fn asked(&self) -> Vec<Webhook> {
        self.appended
            .iter()
            .filter_map(|append| if let Item::Webhook(webhook) = &append.item { Some((**webhook).clone()) } else { None })
            .collect()
    }

    fn kept(&self) -> Vec<(Webhook, Value)> {
        let delivery = |append: &Append| match &append.item {
            Item::Delivery { webhook, body } => Some(((**webhook).clone(), serde_json::from_slice(body).unwrap())),
            _ => None,
        };
        self.appended.iter().filter_map(delivery).collect()
    }
}

fn request(method: &str, target: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

#[test]
fn only_listed_addresses_may_be_named_and_none_where_none_is_listed() {
    let with = |outbox| World::new(Settings { graph: "v1-direct".into(), outbox, ..settings() });
    let mut worlds = [with(None), with(Some(outbox(true))), with(Some(outbox(false)))];
    let [unlisted, full, listed] = [0, 1, 2];
    for (world, webhook, status, code) in [
        (unlisted, json!(HOOK), 403, "webhooks_disabled"),
        (unlisted, json!(7), 400, "invalid_webhook"),
        (full, json!(HOOK), 503, "webhooks_full"),
        (listed, json!("https://hooks.example/b"), 403, "webhook_not_allowed"),
        (listed, json!("http://hooks.example/a"), 403, "webhook_not_allowed"),
        (listed, json!("http://169.254.169.254/latest"), 403, "webhook_not_allowed"),
        (listed, json!("https://hooks.example/a/../b"), 400, "invalid_webhook"),
        (listed, json!("hooks.example/a"), 400, "invalid_webhook"),
        (listed, json!(["https://hooks.example/a"]), 400, "invalid_webhook"),
    ] {
        let world = &mut worlds[world];
        let (is, body) = world.send_for("hi", &webhook, "m1");
        assert_eq!((is, &body["code"], &body["client_id"]), (status, &json!(code), &json!("m1")), "{webhook}: {body}");
        assert!(world.calls.is_empty(), "{webhook}: nothing begins");
    }
    let (_, body) = worlds[unlisted].send_for("hi", &json!(HOOK), "m1");
    assert!(body["detail"].as_str().unwrap().contains("--webhook-allow"), "{body}");
    // Who wants none is not concerned.
    for world in [unlisted, full] {
        assert_eq!(worlds[world].send_for("hi", &Value::Null, "m1").0, 200);
    }
}

#[test]
fn the_address_is_kept_with_its_message_and_the_delivery_with_the_end_of_the_turn() {
    let mut world = world(Some(Durability::Turn));
    assert_eq!(world.send_for("hi", &json!(HOOK), "m1").0, 200);
    let batches = |world: &World, which: fn(&Item) -> bool| world.appended.iter().position(|append| which(&append.item));
    assert!(batches(&world, |item| matches!(item, Item::Webhook(_))).is_some());
    let [asked] = &world.asked()[..] else { panic!("one address") };
    assert!(asked.url == HOOK && asked.turn == 1 && asked.id.starts_with("wh_"), "{asked:?}");
    // Sent again it is the same turn, and one webhook.
    assert_eq!(world.send_for("hi", &json!(HOOK), "m1").0, 200);
    assert_eq!((world.asked().len(), world.kept().len()), (1, 0));
    let before = world.appended.len();
    world.answer("Hello there");
    let of_end = &world.appended[before..];
    assert!(of_end.iter().any(|append| matches!(append.item, Item::Record { .. })), "in the batch of the end");
    let [(webhook, body)] = &world.kept()[..] else { panic!("one delivery") };
    assert_eq!(webhook, asked);
    assert_eq!((&body["type"], &body["data"]["status"], &body["data"]["id"]), (&json!("turn.ended"), &json!("done"), &json!("msg_1")));
    assert_eq!((&body["data"]["answer"], &body["data"]["client_id"]), (&json!("Hello there"), &json!("m1")));
    assert!(world.delivered.is_empty(), "the journal hands it over");
    // The next turn has one of its own, under another id; one without has none.
    world.durable();
    world.send_for("again", &json!(HOOK), "m2");
    world.answer("Yes");
    world.durable();
    world.send_for("quietly", &Value::Null, "m3");
    world.answer("Well");
    let kept = world.kept();
    assert_eq!(kept.iter().map(|(webhook, _)| webhook.turn).collect::<Vec<_>>(), [1, 2]);
    assert_ne!(kept[0].0.id, kept[1].0.id);
}

#[test]
fn a_turn_that_a_crash_has_cut_off_is_told_by_the_next_server_without_being_asked() {
    let mut world = world(Some(Durability::Turn));
    world.send_for("hi", &json!(HOOK), "m1");
    let asked = world.asked();
    let mut next = world.restart();
    let key = Key { sub: "anonymous".into(), id: "default".into() };
    next.tick(vec![Event::Wake(vec![key.clone()])]);
    assert_eq!(next.loads.len(), 1);
    // Asked for meanwhile, it is loaded once.
    let socket = next.connect();
    next.send(socket, b"GET /api/result HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(next.load(), 1);
    let [(webhook, body)] = &next.kept()[..] else { panic!("one delivery") };
    assert_eq!((webhook, &body["data"]["status"]), (&asked[0], &json!("error")));
    assert_eq!(body["data"]["error"]["code"], "cut_off");
    next.durable();
    assert!(next.take(socket).contains("cut_off"));
    // One that is there is left alone.
    next.tick(vec![Event::Wake(vec![key])]);
    assert!(next.loads.is_empty());
}

#[test]
fn many_sessions_that_are_waited_for_are_loaded_a_few_at_a_time() {
    let mut world = world(Some(Durability::Turn));
    let keys = (0..10).map(|number| Key { sub: "anonymous".into(), id: format!("s{number}").into() }).collect();
    world.tick(vec![Event::Wake(keys)]);
    let mut loaded = 0;
    while !world.loads.is_empty() {
        assert!(world.loads.len() <= super::super::bounds::WAKING_MAX);
        let key = world.loads.remove(0);
        world.tick(vec![Event::Loaded { key, outcome: Ok(crate::shard::restore::Found::Nothing { generation: 1 }) }]);
        loaded += 1;
    }
    assert_eq!(loaded, 10);
}

#[test]
fn without_a_journal_it_is_delivered_at_once_and_recalled_with_its_session() {
    let mut world = world(None);
    assert_eq!(world.send_for("hi", &json!(HOOK), "m1").0, 200);
    assert!(world.delivered.is_empty());
    world.answer("Hello");
    let [Delivery { name, webhook, body, attempts: 0, .. }] = &world.delivered[..] else { panic!("{:?}", world.delivered) };
    assert_eq!((name.session.as_str(), webhook.url.as_str()), ("default", HOOK));
    assert_eq!(serde_json::from_slice::<Value>(body).unwrap()["data"]["answer"], "Hello");
    let turn = world.get("/api/turn?id=msg_1").1;
    assert_eq!(turn["webhook"], json!({ "state": "pending", "attempts": 2, "status": 500 }));
    let socket = world.connect();
    assert_eq!(world.request(socket, "POST", "/api/sessions/delete", "", "").0, 200);
    assert_eq!(world.recalled, [("anonymous".into(), Some("default".into()))]);
}
