//! Controls: what an answer shows stays until the next one, a machine's buttons until the machine moves; a stale one is refused.

use crate::support::{Conversation, Provider, Server, WebSocket};
use serde_json::{Value, json};

fn labels(controls: &Value) -> Vec<&str> {
    controls.as_array().unwrap().iter().map(|control| control["label"].as_str().unwrap_or("")).collect()
}

/// Sends a message that tells the model which tools to call, and waits for its end.
fn told(chat: &mut WebSocket, id: &str, tools: &Value) -> Vec<Value> {
    chat.say(&json!({ "text": json!({ "tools": tools }).to_string() }));
    chat.until_done(id)
}

/// Uses a control and waits for the end of its turn.
fn used(chat: &mut WebSocket, id: &str, action: &Value) -> Vec<Value> {
    let mut message = json!({ "type": "action" });
    message.as_object_mut().unwrap().extend(action.as_object().unwrap().clone());
    chat.say(&message);
    chat.until(|message| message["type"] == "done" && (message["id"] == id || message["refused"] == true))
}

fn buttons(names: &[&str]) -> Value {
    let actions: Vec<Value> = names.iter().map(|name| json!({ "label": name, "action": name.to_lowercase() })).collect();
    json!({ "tool": "emit_actions", "args": { "actions": actions } })
}

fn lamp() -> Value {
    json!({ "tool": "create_machine", "args": { "id": "lamp", "initial": "off", "states": {
        "off": { "buttons": [{ "label": "Switch on", "action": "switch", "go": "on" }], "content": [{ "type": "text", "text": "It is dark." }] },
        "on": { "buttons": [{ "label": "Switch off", "action": "switch", "go": "off" }, { "label": "Ask", "action": "ask", "payload": { "n": 1 } }],
                "content": [{ "type": "text", "text": "It is bright." }] } } } })
}

fn stage(name: &str) -> (Provider, Server, Conversation, WebSocket) {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session(name);
    let chat = session.attached();
    (provider, server, session, chat)
}

#[test]
fn an_answers_buttons_are_shown_and_the_next_answer_replaces_them() {
    let (_provider, _server, session, mut chat) = stage("buttons");
    for (id, tools, shown) in [
        ("msg_1", json!([buttons(&["Red", "Blue"])]), vec!["Red", "Blue"]),
        ("msg_2", json!([buttons(&["Green"])]), vec!["Green"]),
        ("msg_3", json!([]), vec![]),
    ] {
        let messages = told(&mut chat, id, &tools);
        let sets: Vec<&Value> = messages.iter().filter(|message| message["type"] == "controls").collect();
        assert_eq!(labels(&sets.last().unwrap()["controls"]), shown, "{id}: the whole new set: {sets:?}");
        assert_eq!(labels(&session.read("/api/state")["controls"]), shown);
        assert_eq!(labels(&session.chat().next()["controls"]), shown, "whoever comes back sees them again");
    }
    let messages = told(&mut chat, "msg_4", &json!([buttons(&["Red"])]));
    let control = &messages.iter().rfind(|message| message["type"] == "controls").unwrap()["controls"][0];
    assert_eq!(control, &json!({ "type": "button", "label": "Red", "action": "red", "source": "thinker" }));
}

#[test]
fn displays_keep_what_their_kind_needs() {
    let (_provider, _server, session, mut chat) = stage("displays");
    let items = json!([
        { "type": "text", "text": "Hello" },
        { "type": "value", "label": "Score", "key": "score" },
        { "type": "table", "columns": ["a", "b"], "rows": [[1, 2], [3, 4]] },
        { "type": "chart", "kind": "line", "x": ["mon", "tue"], "series": [{ "name": "s", "values": [1, 2] }] },
        { "type": "progress", "label": "Done", "value": 3, "max": 10 },
    ]);
    let set = json!({ "tool": "set_state", "args": { "key": "score", "value": { "points": 7 } } });
    told(&mut chat, "msg_1", &json!([{ "tool": "emit_display", "args": { "items": items } }, set]));
    let state = session.read("/api/state");
    let kept = state["controls"].as_array().unwrap();
    for (control, item) in kept.iter().zip(items.as_array().unwrap()) {
        for (name, value) in item.as_object().unwrap() {
            assert_eq!(&control[name], value, "{control}");
        }
    }
    assert_eq!(kept.len(), 5);
    assert_eq!(state["ui_state"], json!({ "score": { "points": 7 } }));
}

#[test]
fn a_machines_button_moves_it_without_a_call_in_one_frame() {
    let (provider, _server, session, mut chat) = stage("machine");
    told(&mut chat, "msg_1", &json!([lamp()]));
    session.memorized();
    let asked = provider.asked().len();
    let on = json!({ "action": "switch", "source": "machine:lamp" });
    for (number, shown) in [(2, vec!["", "Switch off", "Ask"]), (3, vec!["", "Switch on"]), (4, vec!["", "Switch off", "Ask"])] {
        let id = format!("msg_{number}");
        let messages = used(&mut chat, &id, &on);
        assert_eq!(labels(&messages[0]["controls"]), shown, "{messages:?}");
        assert!(messages.iter().all(|message| message["type"] != "delta"), "a machine says nothing: {messages:?}");
        let trace = session.trace_of(&id);
        assert_eq!((&trace["path"], &trace["total_frames"], &trace["frames"][0]["calls"]), (&json!("machine"), &json!(1), &json!([])));
        assert_eq!(trace["background"], json!([]), "no memorizer");
    }
    assert_eq!(provider.asked().len(), asked, "the model was asked nothing");
    assert_eq!(session.messages().len(), 2, "a machine's step is no message");
    assert_eq!(session.read("/api/state")["machines"][0]["current"], "on");
}

#[test]
fn any_other_button_is_a_turn_that_knows_what_was_pressed() {
    let (provider, _server, session, mut chat) = stage("action");
    told(&mut chat, "msg_1", &json!([buttons(&["Red"]), lamp()]));
    used(&mut chat, "msg_2", &json!({ "action": "switch" }));
    for (id, action, told_to_model) in [
        ("msg_3", json!({ "action": "ask", "source": "machine:lamp" }), r#"{\"n\":1}"#),
        ("msg_4", json!({ "action": "ask", "data": { "n": 42 } }), r#"{\"n\":42}"#),
    ] {
        used(&mut chat, id, &action);
        let trace = session.trace_of(id);
        assert_eq!((&trace["path"], &trace["total_frames"]), (&json!("action"), &json!(3)), "{trace}");
        let asked = provider.asked_of("director").pop().unwrap().to_string();
        assert!(asked.contains(told_to_model), "payload or data goes along as data: {asked}");
    }
    assert_eq!(session.messages().iter().rfind(|message| message["role"] == "user").unwrap()["content"], "Ask");
}

#[test]
fn an_actions_tools_decide_its_path() {
    let (_provider, _server, session, mut chat) = stage("paths");
    let again = buttons(&["Red"]);
    told(&mut chat, "msg_1", &json!([again]));
    let recall = json!({ "tool": "recall", "args": { "query": "tea" } });
    for (id, tools, path, frames) in [
        ("msg_2", json!([again]), "action", 3),
        ("msg_3", json!([recall, again]), "action+interpreter", 4),
        ("msg_4", json!([again]), "action", 3),
    ] {
        let mut stream = session.events();
        used(&mut chat, id, &json!({ "action": "red", "data": { "tools": tools } }));
        let trace = session.trace_of(id);
        assert_eq!((&trace["path"], &trace["total_frames"]), (&json!(path), &json!(frames)), "{trace}");
        let told = stream.until_trace(id).pop().unwrap().event;
        assert_eq!((&told["trace"]["path"], &told["trace"]["total_frames"]), (&json!(path), &json!(frames)));
    }
}

#[test]
fn what_is_no_longer_offered_is_refused_and_the_socket_stays_open() {
    let (_provider, _server, session, mut chat) = stage("stale");
    told(&mut chat, "msg_1", &json!([buttons(&["Red"]), lamp()]));
    told(&mut chat, "msg_2", &json!([buttons(&["Blue"])]));
    for action in [
        json!({ "action": "red" }),
        json!({ "action": "blue", "source": "machine:lamp" }),
        json!({ "action": "switch", "source": "thinker" }),
        json!({ "action": "switch", "source": "machine:other" }),
        json!({ "action": "blue", "source": "nobody" }),
        json!({ "action": "ask" }),
    ] {
        let refusal = used(&mut chat, "msg_3", &action).pop().unwrap();
        assert_eq!(refusal["refused"], true, "{action}: {refusal}");
        assert!(refusal["id"].is_null() && refusal["seq"].is_null(), "{refusal}");
    }
    let done = used(&mut chat, "msg_3", &json!({ "action": "blue" })).pop().unwrap();
    assert_eq!(done["id"], "msg_3", "{done}");
    session.post("/api/clear", &json!({}));
    chat.until(|message| message["type"] == "controls" && message["controls"] == json!([]));
    assert_eq!(used(&mut chat, "msg_4", &json!({ "action": "switch" })).pop().unwrap()["refused"], true, "a clear takes machines away");
}

#[test]
fn an_action_that_waited_too_long_ends_with_a_sentence() {
    let (provider, _server, session, mut chat) = stage("late");
    told(&mut chat, "msg_1", &json!([buttons(&["Red"])]));
    chat.say(&json!({ "text": json!({ "hold": "output", "tools": [buttons(&["Blue"])] }).to_string() }));
    provider.holds(1);
    chat.say(&json!({ "type": "action", "action": "red" }));
    chat.say(&json!({ "type": "nothing" }));
    chat.until(|message| message["refused"] == true);
    provider.release(1);
    let done = chat.until_done("msg_3").pop().unwrap();
    assert!(done["error"].as_str().is_some_and(|sentence| sentence.contains(' ')), "its control went away before its turn came: {done}");
    assert_eq!(session.trace_of("msg_3")["status"], "error");
}

#[test]
fn machine_and_answer_keep_apart_and_machines_can_be_changed_and_removed() {
    let (_provider, _server, session, mut chat) = stage("machines");
    told(&mut chat, "msg_1", &json!([buttons(&["Red"]), lamp()]));
    assert_eq!(labels(&session.read("/api/state")["controls"]), ["Red", "", "Switch on"]);
    told(&mut chat, "msg_2", &json!([]));
    assert_eq!(labels(&session.read("/api/state")["controls"]), ["", "Switch on"], "a machine's buttons stay");
    let door = json!({ "tool": "create_machine", "args": { "id": "door", "initial": "shut", "states": [
        { "name": "shut", "buttons": [{ "label": "Open", "go": "open" }] }, { "name": "open", "buttons": ["Knock"] } ] } });
    told(&mut chat, "msg_3", &json!([door]));
    assert_eq!(labels(&session.read("/api/state")["controls"]), ["", "Switch on", "Open"], "in the order of their creation");
    used(&mut chat, "msg_4", &json!({ "action": "open", "source": "machine:door" }));
    assert_eq!(labels(&session.read("/api/state")["controls"]), ["", "Switch on", "Knock"]);
    told(&mut chat, "msg_5", &json!([{ "tool": "reset_machine", "args": { "id": "door" } }]));
    assert_eq!(labels(&session.read("/api/state")["controls"]), ["", "Switch on", "Open"]);
    told(&mut chat, "msg_6", &json!([{ "tool": "destroy_machine", "args": { "id": "lamp" } }]));
    assert_eq!(labels(&session.read("/api/state")["controls"]), ["Open"]);
}

#[test]
fn whoever_comes_back_finds_everything_as_it_was() {
    let (_provider, _server, session, mut chat) = stage("back");
    let score = json!({ "tool": "emit_display", "args": { "items": [{ "type": "value", "label": "Score", "key": "score" }] } });
    let set = json!({ "tool": "set_state", "args": { "key": "score", "value": 7 } });
    told(&mut chat, "msg_1", &json!([buttons(&["Red"]), score, set, lamp()]));
    let before = session.read("/api/history")["seq"].as_u64().unwrap();
    used(&mut chat, "msg_2", &json!({ "action": "switch" }));
    chat.close();
    let state = session.read("/api/state");
    let shown = &state["controls"];
    assert_eq!(labels(shown), ["Red", "Score", "", "Switch off", "Ask"]);
    let kept: Vec<&Value> = [1, 2, 3, 4].map(|place| &shown[place]).into();
    assert_eq!(
        (&kept[0]["value"], &kept[1]["text"], &kept[2]["go"], &kept[3]["payload"]),
        (&json!(7), &json!("It is bright."), &json!("off"), &json!({ "n": 1 }))
    );
    assert_eq!((&shown[0]["source"], &shown[3]["source"]), (&json!("thinker"), &json!("machine:lamp")));
    assert_eq!((&state["machines"][0]["id"], &state["machines"][0]["current"]), (&json!("lamp"), &json!("on")));
    assert_eq!((&state["machines"][0]["states"].as_array().unwrap().len(), &state["ui_state"]), (&2, &json!({ "score": 7 })));

    let greeting = session.chat().next();
    assert_eq!((&greeting["type"], &greeting["controls"]), (&json!("controls"), shown), "after a reload");
    let mut again = session.chat_since(before);
    let greeting = again.next();
    assert_eq!((&greeting["controls"], greeting.get("gap")), (shown, None), "after a broken connection");
    let missed = again.until_done("msg_2");
    assert!(missed.iter().any(|message| message["type"] == "controls" && message["controls"] == *shown), "{missed:?}");
    used(&mut again, "msg_3", &json!({ "action": "switch", "source": "machine:lamp" }));
    assert_eq!(labels(&session.read("/api/state")["controls"]), ["Red", "Score", "", "Switch on"], "and it can be used");
}

#[test]
fn the_next_turn_is_told_what_was_pressed_on_a_machine() {
    let (provider, _server, _session, mut chat) = stage("news");
    told(&mut chat, "msg_1", &json!([lamp()]));
    used(&mut chat, "msg_2", &json!({ "action": "switch" }));
    told(&mut chat, "msg_3", &json!([]));
    let asked = provider.asked_of("director").pop().unwrap().to_string();
    assert!(asked.contains("«Switch on» was pressed"), "{asked}");
}
