//! A message while a turn runs, and stops, over HTTP and WebSockets.

use super::*;

/// The refusal's code, or the status of what was taken.
fn outcome(answer: &Value) -> &str {
    answer["code"].as_str().or(answer["status"].as_str()).unwrap_or_default()
}

fn send(world: &mut World, while_busy: Option<&str>) -> Value {
    let mut body = json!({ "text": ASKS });
    if let Some(while_busy) = while_busy {
        body["while_busy"] = json!(while_busy);
    }
    world.post("/api/send", body).1
}

#[test]
fn over_http_a_message_waits_only_where_that_is_asked_for() {
    for (while_busy, code) in [
        (None, "session_busy"),
        (Some("reject"), "turn_in_progress"),
        (Some("enqueue"), "queued"),
        (Some("interrupt"), "queued"),
        (Some("rollback"), "queued"),
        (Some("later"), "invalid_parameter"),
    ] {
        let mut world = World::new(settings());
        assert_eq!(outcome(&send(&mut world, None)), "queued");
        let answer = send(&mut world, while_busy);
        assert_eq!(outcome(&answer), code, "{while_busy:?}");
        let is_ended = |world: &World| world.log.iter().any(|entry| matches!(entry, Entry::Turn { .. }));
        assert_eq!(is_ended(&world), matches!(while_busy, Some("interrupt" | "rollback")), "{while_busy:?}");
        let history = world.get("/api/history").1["messages"].clone();
        let turns: Vec<&str> = history.as_array().unwrap().iter().filter_map(|message| message["id"].as_str()).collect();
        match while_busy {
            Some("interrupt") => assert_eq!(turns, ["msg_1", "msg_2"]),
            Some("rollback") => assert_eq!(turns, ["msg_2"]),
            _ => assert_eq!(turns, ["msg_1"]),
        }
    }
}

#[test]
fn a_graph_says_what_becomes_of_messages_that_do_not() {
    let library =
        crate::graph::shipped_with(|file| file.replace("\"before\": \"sensor\"", "\"while_busy\": \"reject\", \"before\": \"sensor\""));
    let mut world = World::new(Settings { library, ..settings() });
    assert_eq!(outcome(&send(&mut world, None)), "queued");
    assert_eq!(outcome(&send(&mut world, None)), "turn_in_progress");
    assert_eq!(world.get("/api/graph/active").1["while_busy"], "reject");
    assert_eq!(world.get("/api/state").1["while_busy"], "reject");
    let socket = world.websocket("/ws");
    world.take(socket);
    world.say(socket, r#"{"text":"hello","id":"a"}"#);
    let refused = world.take(socket);
    assert!(
        refused.contains(r#""refused":true"#) && refused.contains("turn_in_progress") && refused.contains(r#""client_id":"a""#),
        "{refused}"
    );
    world.say(socket, r#"{"text":"hello","id":"a","while_busy":"enqueue"}"#);
    assert!(world.take(socket).contains(r#""id":"msg_2","content":"","client_id":"a""#));
}

#[test]
fn watchers_learn_that_a_turn_was_withdrawn() {
    let mut world = World::new(settings());
    let (chat, trace) = (world.websocket("/ws"), world.websocket("/ws/trace"));
    world.say(chat, &json!({ "text": ASKS, "id": "a" }).to_string());
    world.take(chat);
    world.take(trace);
    world.say(chat, r#"{"text":"hello","while_busy":"rollback"}"#);
    let shown = world.take(chat);
    assert!(shown.contains(r#"{"type":"done","id":"msg_1","cancelled":true,"withdrawn":true,"client_id":"a""#), "{shown}");
    let traced = world.take(trace);
    assert!(traced.contains(r#""event":"withdrawn""#), "{traced}");
    world.say(chat, &json!({ "text": ASKS, "id": "a", "while_busy": "rollback" }).to_string());
    let again = world.take(chat);
    assert!(again.contains(r#"{"type":"done","id":"msg_1","cancelled":true,"withdrawn":true,"client_id":"a"}"#), "{again}");
}

#[test]
fn a_stop_ends_the_running_turn_and_with_waiting_all() {
    for by_socket in [false, true] {
        let mut world = World::new(settings());
        let socket = world.websocket("/ws");
        (0..3).for_each(|_| world.say(socket, &json!({ "text": ASKS }).to_string()));
        let stop = |world: &mut World, waiting: Option<bool>| {
            let body = waiting.map_or(json!({}), |waiting| json!({ "waiting": waiting }));
            match by_socket {
                false => assert_eq!(world.post("/api/stop", body), (200, json!({"status":"ok"}))),
                true => {
                    let mut said = body;
                    said["type"] = json!("stop");
                    world.say(socket, &said.to_string());
                }
            }
            world.log.iter().filter(|entry| matches!(entry, Entry::Turn { .. })).count()
        };
        assert_eq!(stop(&mut world, None), 1);
        assert_eq!(world.get("/api/result").1["id"], "msg_2", "the next one runs");
        assert_eq!(stop(&mut world, Some(true)), 3);
        assert_eq!(world.get("/api/send/check").0, 405);
        assert_eq!(world.post("/api/send/check", Value::Null).1["ready"], true);
    }
    let mut world = World::new(settings());
    assert_eq!(world.post("/api/stop", json!({"waiting": "yes"})).1["code"], "invalid_parameter");
}
