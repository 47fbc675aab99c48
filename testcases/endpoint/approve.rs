//! Approvals over real sockets: all watchers see them, one answer counts, a stop ends them, and the next message starts.

use crate::support::{Folder, Provider, Server, Setting, WebSocket};
use serde_json::{Value, json};
use std::path::Path;

/// A server whose tool `emit_actions` has to be approved, and whose model does what it is told.
fn stage() -> (Provider, Folder, Server) {
    let (provider, folder) = (Provider::start(), Folder::new());
    let graph = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/v1-direct.json")).unwrap();
    assert!(graph.contains(r#"["emit_actions""#));
    folder.write("v1-direct.json", &graph.replace(r#"["emit_actions""#, r#"[{"name": "emit_actions", "approve": true}"#));
    let url = provider.url();
    let options = ["--graphs", folder.path().to_str().unwrap(), "--graph", "v1-direct", "--llm-url", &url, "--model", "puppet"];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    (provider, folder, server)
}

fn button(label: &str) -> Value {
    json!({ "tools": [{ "tool": "emit_actions", "args": { "actions": [{ "label": label, "action": label }] } }] })
}

/// Waits until an approval is shown.
fn shown(chat: &mut WebSocket) -> Value {
    let is_meant = |message: &Value| controls(message).iter().any(|control| control["type"] == "approval");
    let last = chat.until(is_meant).pop().unwrap();
    controls(&last).into_iter().find(|control| control["type"] == "approval").unwrap()
}

fn controls(message: &Value) -> Vec<Value> {
    if message["type"] == "controls" { message["controls"].as_array().cloned().unwrap_or_default() } else { Vec::new() }
}

#[test]
fn an_approval_is_shown_answered_once_and_acknowledged() {
    let (_provider, _folder, server) = stage();
    let session = server.session("s");
    let (mut chat, mut other) = (session.attached(), session.attached());
    chat.say(&json!({ "text": button("red").to_string(), "id": "m1" }));
    let approval = shown(&mut chat);
    assert_eq!(shown(&mut other), approval, "every watcher sees it");
    assert!(approval["text"].as_str().unwrap().contains("red") && approval["tool"] == "emit_actions", "{approval}");
    // What is written meanwhile waits as behind any turn.
    chat.say(&json!({ "text": button("blue").to_string(), "id": "m2" }));
    let answer = json!({ "type": "action", "action": "approve", "source": approval["source"], "id": "a1" });
    chat.say(&answer);
    let seen = chat.until(|message| message["type"] == "done");
    assert!(seen.iter().any(|message| message["client_id"] == "a1"), "it is acknowledged: {seen:?}");
    let done = seen.last().unwrap();
    assert_eq!((&done["id"], &done["client_id"]), (&json!("msg_1"), &json!("m1")));
    let labels: Vec<Value> = seen.iter().rev().map(controls).find(|controls| !controls.is_empty()).unwrap();
    assert!(labels.iter().any(|control| control["label"] == "red"), "{labels:?}");
    let next = shown(&mut chat);
    assert!(next["text"].as_str().unwrap().contains("blue"), "the second message has begun: {next}");
    // Sent again it answers nothing more: not even the second.
    chat.say(&answer);
    other.say(&json!({ "type": "action", "action": "decline", "source": approval["source"] }));
    let refused = other.until(|message| message["refused"] == true).pop().unwrap();
    assert_eq!(refused["code"], "stale_control");
    chat.say(&json!({ "type": "action", "action": "decline", "source": next["source"] }));
    let done = chat.until_done("msg_2");
    assert!(done.iter().all(|message| controls(message).iter().all(|control| control["label"] != "blue")), "{done:?}");
    assert!(session.result()["degraded"].as_str().unwrap().contains("approval_declined"));
}

#[test]
fn a_stop_ends_a_turn_that_waits_and_takes_its_control_away() {
    let (_provider, _folder, server) = stage();
    let session = server.session("s");
    let mut chat = session.attached();
    chat.say(&json!({ "text": button("red").to_string() }));
    let approval = shown(&mut chat);
    let state = session.read("/api/state");
    assert_eq!(state["processes"][0]["kind"], "approval", "{state}");
    assert_eq!(session.result()["event"], "approval");
    chat.say(&json!({ "type": "stop" }));
    chat.until_done("msg_1");
    let left = session.read("/api/state")["controls"].clone();
    assert_eq!(left, json!([]));
    let late = session.call("POST", "/api/action", Some(&json!({ "action": "approve", "source": approval["source"] })));
    assert_eq!((late.status, &late.json()["code"]), (409, &json!("stale_control")));
}
