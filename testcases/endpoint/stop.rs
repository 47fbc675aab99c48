//! Stop and cancel: what runs ends at once, up to the model's own connection; what was shown stays and is marked.

use crate::support::{Provider, answer_text};
use serde_json::{Value, json};

fn held(node: &str) -> Value {
    json!({ "text": json!({ "hold": node, "after": 3, "say": "one two three four five" }).to_string() })
}

#[test]
fn a_stop_with_waiting_ends_the_turn_and_those_waiting_and_hangs_up_on_the_model() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("stopped");
    let mut chat = session.attached();
    chat.say(&held("output"));
    chat.until(|message| message["content"] == "three ");
    provider.holds(1);
    chat.say(&json!({ "text": "{}" }));
    chat.say(&json!({ "text": "{}" }));
    chat.say(&json!({ "type": "stop", "waiting": true }));
    let messages = chat.until_done("msg_3");
    let ends: Vec<(&str, bool)> = messages
        .iter()
        .filter(|message| message["type"] == "done")
        .map(|done| (done["id"].as_str().unwrap(), done["cancelled"] == true))
        .collect();
    assert_eq!(ends, [("msg_1", true), ("msg_2", true), ("msg_3", true)]);
    provider.hung_up(1);
    let history = session.messages();
    assert_eq!(
        (&history[1]["content"], &history[1]["partial"]),
        (&json!("one two three "), &json!(true)),
        "what was shown stays: {history:?}"
    );
    let result = session.result();
    assert_eq!((&result["id"], &result["status"], &result["stage"]), (&json!("msg_3"), &json!("error"), &json!("error")), "{result}");
    assert!(result["detail"].is_string());
    for id in ["msg_1", "msg_2", "msg_3"] {
        assert_eq!(session.trace_of(id)["status"], "cancelled", "{id}");
    }
    assert_eq!(session.read("/api/state")["processes"], json!([]));
    chat.say(&json!({ "text": json!({ "say": "I go on." }).to_string() }));
    assert_eq!(answer_text(&chat.until_done("msg_4"), "msg_4"), "I go on.", "the next message works");
}

#[test]
fn a_stop_ends_the_running_turn_alone() {
    let provider = Provider::start();
    let server = provider.server();
    for (number, name) in ["by-socket", "by-http"].into_iter().enumerate() {
        let session = server.session(name);
        let mut chat = session.attached();
        chat.say(&held("output"));
        chat.until(|message| message["content"] == "three ");
        provider.holds(1);
        for say in ["Two.", "Three."] {
            chat.say(&json!({ "text": json!({ "say": say }).to_string() }));
        }
        match name {
            "by-http" => assert_eq!(session.post("/api/stop", &json!({})), json!({ "status": "ok" })),
            _ => chat.say(&json!({ "type": "stop" })),
        }
        assert_eq!(chat.until_done("msg_1").pop().unwrap()["cancelled"], true);
        provider.hung_up(number + 1);
        let rest = chat.until_done("msg_3");
        assert_eq!((answer_text(&rest, "msg_2"), answer_text(&rest, "msg_3")), ("Two.".to_owned(), "Three.".to_owned()));
        assert!(rest.iter().all(|message| message["cancelled"].is_null()), "{rest:?}");
    }
}

#[test]
fn every_node_can_be_stopped_at_its_work() {
    let provider = Provider::start();
    let server = provider.server();
    for (number, node) in ["input", "director", "interpreter", "output"].into_iter().enumerate() {
        let session = server.session(node);
        let mut chat = session.attached();
        let recall = json!([{ "tool": "recall", "args": { "query": "tea" } }]);
        let tools = if node == "interpreter" { recall } else { json!([]) };
        chat.say(&json!({ "text": json!({ "hold": node, "tools": tools }).to_string() }));
        provider.holds(1);
        chat.say(&json!({ "type": "stop" }));
        let done = chat.until_done("msg_1").pop().unwrap();
        assert_eq!(done["cancelled"], true, "{node}: {done}");
        provider.hung_up(number + 1);
        let trace = session.trace_of("msg_1");
        assert_eq!(trace["status"], "cancelled", "{node}");
        let calls = trace["frames"].as_array().unwrap().last().unwrap()["calls"].clone();
        assert_eq!(calls[0]["status"], "cancelled", "{node}: {calls}");
        assert_eq!(session.messages(), [json!({ "role": "user", "content": trace["message"], "id": "msg_1", "partial": true })], "{node}");
    }
}

#[test]
fn one_running_call_can_be_cancelled_by_its_number() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("cancelled");
    let mut chat = session.attached();
    chat.say(&held("director"));
    provider.holds(1);
    chat.say(&json!({ "text": json!({ "say": "Next." }).to_string() }));
    let pid = session.read("/api/state")["processes"][0]["pid"].as_u64().unwrap();
    chat.say(&json!({ "type": "cancel_process", "pid": pid + 100 }));
    chat.say(&json!({ "type": "cancel_process", "pid": pid }));
    let messages = chat.until_done("msg_2");
    let ends: Vec<_> = messages.iter().filter(|message| message["type"] == "done").collect();
    assert_eq!((&ends[0]["id"], &ends[0]["cancelled"]), (&json!("msg_1"), &json!(true)));
    assert!(ends[1]["cancelled"].is_null() && ends[1]["error"].is_null(), "what waited goes on: {}", ends[1]);
    provider.hung_up(1);
}

#[test]
fn the_memorizer_can_be_cancelled_without_harm() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("forgetful");
    let mut chat = session.attached();
    chat.say(&json!({ "text": json!({ "hold": "memorizer", "memory": { "user_name": "Ada" } }).to_string() }));
    chat.until_done("msg_1");
    provider.holds(1);
    let state = session.read("/api/state");
    assert_eq!(state["memorizing"], true, "it runs behind the finished turn");
    assert_eq!(session.call("POST", "/api/send/check", None).json()["ready"], true, "and holds nothing up");
    chat.say(&json!({ "type": "cancel_process", "pid": state["processes"][0]["pid"] }));
    provider.hung_up(1);
    let state = session.memorized();
    assert_eq!(state["memorizer"]["user_name"], "anonymous");
    assert_eq!(session.trace_of("msg_1")["background"][0]["status"], "cancelled");
}

#[test]
fn stopping_what_does_not_run_does_nothing() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("calm");
    let mut chat = session.attached();
    chat.say(&json!({ "text": "{}" }));
    chat.until_done("msg_1");
    chat.say(&json!({ "type": "stop" }));
    chat.say(&json!({ "text": "{}" }));
    let messages = chat.until_done("msg_2");
    assert!(messages.iter().all(|message| message["cancelled"].is_null()), "{messages:?}");
}
