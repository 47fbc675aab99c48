//! Clear and switch: what they end, what they reset, and what outlives them.

use crate::support::{Conversation, Provider, Server, WebSocket, seqs};
use serde_json::{Value, json};

/// A session with a history, a memory, a button, a machine, and a turn that runs with another behind it.
fn full(provider: &Provider, server: &Server, name: &str) -> (Conversation, WebSocket) {
    let session = server.session(name);
    let mut chat = session.attached();
    let tools = json!([
        { "tool": "emit_actions", "args": { "actions": [{ "label": "Red", "action": "red" }] } },
        { "tool": "set_state", "args": { "key": "score", "value": 7 } },
        { "tool": "create_machine", "args": { "id": "lamp", "initial": "off", "states": {
            "off": { "buttons": [{ "label": "On", "go": "on" }] }, "on": { "buttons": [{ "label": "Off", "go": "off" }] } } } },
    ]);
    let memory = json!({ "user_name": "Ada", "user_mood": "happy", "situation": "in a test", "facts": ["likes tea"], "topic": "lamps" });
    chat.say(&json!({ "text": json!({ "tools": tools, "memory": memory }).to_string() }));
    chat.until_done("msg_1");
    assert_eq!(session.memorized()["memorizer"]["user_name"], "Ada");
    chat.say(&json!({ "text": json!({ "hold": "output", "after": 1, "say": "one two" }).to_string() }));
    chat.until(|message| message["content"] == "one ");
    provider.holds(1);
    chat.say(&json!({ "text": "{}" }));
    // That it waits can't be seen. What is refused behind it on the same socket says that it has been read.
    chat.say(&json!({ "type": "nothing" }));
    chat.until(|message| message["refused"] == true);
    (session, chat)
}

fn kinds(messages: &[Value]) -> Vec<(&str, Option<&str>, bool)> {
    messages.iter().map(|message| (message["type"].as_str().unwrap(), message["id"].as_str(), message["cancelled"] == true)).collect()
}

#[test]
fn a_clear_ends_what_runs_tells_the_sockets_in_order_and_begins_anew() {
    let provider = Provider::start();
    let server = provider.server();
    let (session, mut chat) = full(&provider, &server, "cleared");
    let before = session.read("/api/state");
    assert_eq!(before["machines"].as_array().unwrap().len(), 1);
    assert_eq!(session.post("/api/clear", &json!({})), json!({ "status": "cleared" }));
    let messages = chat.until(|message| message["type"] == "controls");
    assert_eq!(
        kinds(&messages),
        [("done", Some("msg_2"), true), ("done", Some("msg_3"), true), ("cleared", None, false), ("controls", None, false)]
    );
    assert_eq!(messages[3]["controls"], json!([]));
    seqs(&messages);
    provider.hung_up(1);
    assert_eq!(session.result(), json!({ "status": "idle", "id": "", "stage": "cleared" }));
    let state = session.read("/api/state");
    for (field, value) in [
        ("history_len", json!(0)),
        ("controls", json!([])),
        ("machines", json!([])),
        ("ui_state", json!({})),
        ("processes", json!([])),
        ("memorizing", json!(false)),
        (
            "memorizer",
            json!({
                "user_name": "anonymous", "user_mood": "neutral", "topic": null, "topic_history": [], "situation": "in a test",
                "language": "en", "style_hint": "casual, technical", "facts": [],
            }),
        ),
    ] {
        assert_eq!(state[field], value, "{field}");
    }
    assert_eq!(session.messages(), [] as [Value; 0]);
    let frames = session.read("/api/frames");
    assert_eq!((&frames["traces"], &frames["last_trace"]), (&json!([]), &Value::Null), "nothing is left of what was said");
    let seq = messages[3]["seq"].as_u64().unwrap();
    chat.say(&json!({ "text": "{}" }));
    let next = chat.until_done("msg_4");
    assert!(seqs(&next)[0] > seq, "ids and numbers go on");
    assert_eq!(session.read("/api/graph/active")["name"], "v3-framed");
}

#[test]
fn a_clear_erases_what_was_said_wherever_it_was_kept() {
    const SECRET: &str = "my card is 4006381333931";
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("erased");
    let script = |more: Value| {
        let mut script = json!({ "say": SECRET, "tools": [{ "tool": "set_state", "args": { "key": "card", "value": SECRET } }] });
        script.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        script.to_string()
    };
    let mut chat = session.attached();
    chat.say(&json!({ "text": script(json!({ "memory": { "facts": [SECRET] } })), "id": "named-1" }));
    let begin = seqs(&chat.until_done("msg_1"))[0] - 1;
    assert_eq!(session.memorized()["memorizer"]["facts"], json!([SECRET]));
    // A turn that runs and one that waits are erased as well.
    chat.say(&json!({ "text": script(json!({ "hold": "output", "after": 1 })) }));
    provider.holds(1);
    chat.say(&json!({ "text": SECRET, "id": "named-3" }));
    chat.until(|message| message["client_id"] == "named-3");
    let everything = |session: &Conversation| -> String {
        let paths = [
            "/api/frames?last=20",
            "/api/trace?last=500",
            "/api/history?last=200",
            "/api/state",
            "/api/result",
            "/api/poll",
            "/api/turn?id=msg_1",
            "/api/turn?id=msg_2",
            "/api/graph/prompt?node=output",
        ];
        let mut read: String = paths.map(|path| session.call("GET", path, None).text()).concat();
        let mut events = session.events_since(begin);
        let told = events.until(|event| event["event"] == "frame_trace" || event["event"] == "cleared");
        read += &told.iter().map(|told| told.event.to_string()).collect::<String>();
        read
    };
    assert!(everything(&session).matches("4006381333931").count() > 8, "it is there before");
    session.post("/api/clear", &json!({}));
    chat.until(|message| message["type"] == "controls");
    let read = everything(&session);
    assert!(!read.contains("4006381333931"), "{read}");
    assert_eq!(session.call("GET", "/api/turn?id=msg_1", None).code(), "turn_not_kept");
    // A client that was away learns how its turns ended and that the session was cleared, and nothing of what was said.
    let mut away = session.chat_since(begin);
    let seen = away.until(|message| message["type"] == "controls" && message["kept_from"].is_null());
    assert!(!json!(seen).to_string().contains("4006381333931"), "{seen:?}");
    let ends: Vec<&Value> = seen.iter().filter(|message| message["type"] == "done").map(|message| &message["id"]).collect();
    assert_eq!(ends, ["msg_1", "msg_2", "msg_3"]);
    assert!(seen.iter().any(|message| message["type"] == "cleared"));
    // The names of messages stay: sent again they start nothing.
    let again = session.post("/api/send", &json!({ "text": SECRET, "id": "named-1" }));
    assert_eq!(again["id"], "msg_1");
    assert_eq!(session.read("/api/frames")["traces"], json!([]));
}

#[test]
fn clear_of_a_fresh_session_opens_nothing() {
    let server = Server::start();
    let session = server.session("fresh");
    let mut chat = session.attached();
    assert_eq!(session.post("/api/clear", &json!({})), json!({ "status": "cleared" }));
    assert_eq!(session.result(), json!({ "status": "idle" }));
    assert_eq!(session.read("/api/poll")["hash"], "no_session");
    chat.say(&json!({ "text": "hello" }));
    let messages = chat.until_done("msg_1");
    assert!(messages.iter().all(|message| message["type"] != "cleared"), "nothing was there to clear: {messages:?}");
}

#[test]
fn a_clear_ends_the_memorizer_too() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("forgotten");
    session.ask(&json!({ "hold": "memorizer", "memory": { "user_name": "Ada", "facts": ["likes tea"] } }).to_string());
    provider.holds(1);
    session.post("/api/clear", &json!({}));
    provider.hung_up(1);
    let memory = session.memorized()["memorizer"].clone();
    assert_eq!((&memory["user_name"], &memory["facts"]), (&json!("anonymous"), &json!([])), "nothing of what was cleared comes back");
}

#[test]
fn a_switch_does_the_same_on_the_new_graph_and_the_sockets_stay_open() {
    let provider = Provider::start();
    let server = provider.server();
    let (session, mut chat) = full(&provider, &server, "switched");
    let switched = session.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
    assert_eq!((&switched["status"], &switched["name"]), (&json!("ok"), &json!("v1-direct")));
    assert!(switched["note"].is_string(), "{switched}");
    let messages = chat.until(|message| message["type"] == "controls");
    assert_eq!(
        kinds(&messages),
        [("done", Some("msg_2"), true), ("done", Some("msg_3"), true), ("cleared", None, false), ("controls", None, false)]
    );
    assert_eq!(session.messages(), [] as [Value; 0]);
    assert_eq!(session.read("/api/state")["memorizer"]["user_name"], "anonymous");
    assert_eq!(session.read("/api/graph/active")["name"], "v1-direct");
    assert_eq!(session.read("/api/frames")["graph"], "v1-direct");
    assert_eq!(session.call("POST", "/api/send/check", None).json()["graph"], "v1-direct");
    chat.say(&json!({ "text": "{}" }));
    chat.until_done("msg_4");
    let trace = session.trace_of("msg_4");
    assert_eq!((&trace["graph"], &trace["total_frames"]), (&json!("v1-direct"), &json!(1)));
    let frames = session.read("/api/frames");
    assert_eq!(frames["traces"].as_array().unwrap().len(), 1, "a switch erases as a clear does: {frames}");
}

#[test]
fn a_switch_that_keeps_carries_history_and_memory_over_and_clears_nothing() {
    let provider = Provider::start();
    let server = provider.server();
    let (session, mut chat) = full(&provider, &server, "kept");
    session.post("/api/graph/switch", &json!({ "name": "v1-direct", "keep": true }));
    let messages = chat.until(|message| message["type"] == "controls");
    assert_eq!(kinds(&messages), [("done", Some("msg_2"), true), ("done", Some("msg_3"), true), ("controls", None, false)]);
    let state = session.read("/api/state");
    assert_eq!((&state["memorizer"]["user_name"], &state["memorizer"]["facts"]), (&json!("Ada"), &json!(["likes tea"])));
    assert_eq!(session.messages().len(), 5, "two messages, the stopped turn's two, and the one that waited");
    chat.say(&json!({ "text": "{}" }));
    chat.until_done("msg_4");
    let asked = provider.asked_of("agent").pop().unwrap();
    assert!(asked["messages"].as_array().unwrap().len() > 5, "the new graph sees the old conversation: {asked}");
}

#[test]
fn a_switch_to_an_unknown_graph_changes_nothing() {
    let server = Server::start();
    let session = server.session("stays");
    session.ask("hello");
    let answer = session.call("POST", "/api/graph/switch", Some(&json!({ "name": "v9-dreams" })));
    assert_eq!((answer.status, &*answer.code()), (404, "unknown_graph"));
    assert_eq!(session.messages().len(), 2);
    assert_eq!(session.read("/api/graph/active")["name"], "v3-framed");
}

#[test]
fn a_switch_concerns_its_session_alone() {
    let server = Server::start();
    let (one, other) = (server.session("one"), server.session("other"));
    one.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
    assert_eq!(one.ask("hello")["path"], "direct");
    assert_eq!(other.ask("hello")["path"], "reflex");
}
