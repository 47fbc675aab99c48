//! What waits for a person goes on waiting when the server is killed or ends, and then goes on exactly where it was.

use super::support::{Conversation, Folder, Server, Setting, eventually, nobody, run};
use serde_json::{Value, json};
use std::path::Path;

const QUESTION: &str = "wie viele Kunden haben wir?";

/// A folder of graphs in which queries have to be approved.
fn marked(approve: &str) -> Folder {
    let folder = Folder::new();
    let graph = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/v4-eras.json")).unwrap();
    let tools = r#""tools": ["describe", "query"]"#;
    assert!(graph.contains(tools));
    folder.write("v4-eras.json", &graph.replace(tools, &format!(r#""tools": ["describe", {{"name": "query", "approve": {approve}}}]"#)));
    folder
}

fn approvals(session: &Conversation) -> Vec<Value> {
    let state = session.read("/api/state");
    state["controls"].as_array().unwrap().iter().filter(|control| control["type"] == "approval").cloned().collect()
}

/// Sends the question, and waits until it waits itself.
fn begin(session: &Conversation) -> Value {
    session.send(QUESTION);
    eventually("an approval", || approvals(session).first().cloned())
}

fn calls_of(trace: &Value) -> Vec<Value> {
    let frames = trace["frames"].as_array().unwrap().iter();
    frames.flat_map(|frame| frame["calls"].as_array().unwrap()).cloned().collect()
}

#[test]
fn an_approval_survives_kills_and_ends_and_no_call_is_repeated() {
    let (data, graphs, listen) = (Folder::new(), marked("true"), Some(nobody()));
    let options = ["--graphs", graphs.path().to_str().unwrap(), "--graph", "v4-eras"];
    let setting = Setting { listen, data: Some(data.path()), options: &options, ..Setting::default() };
    let mut server = Server::with(&setting);
    let (one, other) = (server.session("one"), server.session("other"));
    let shown = begin(&one);
    assert!(shown["text"].as_str().unwrap().contains("kunden") && shown["format"] == "sql", "{shown}");
    let declined = begin(&other);
    for signal in ["KILL", "TERM", "KILL"] {
        server.signal(signal);
        let status = server.ended();
        assert!(signal == "KILL" || status.success(), "it ends without waiting for anybody: {status}");
        server = Server::with(&setting);
        assert_eq!(approvals(&one), std::slice::from_ref(&shown), "{signal}");
        assert_eq!(one.result()["status"], "running");
    }
    let hello = one.chat().next();
    assert!(hello["controls"].as_array().unwrap().contains(&shown), "whoever attaches sees it: {hello}");
    let answer = one.post("/api/action", &json!({ "action": "approve", "source": shown["source"] }));
    assert_eq!(answer, json!({ "status": "approved", "id": "msg_1" }));
    let result = one.result_of("msg_1");
    assert_eq!((&result["status"], &result["degraded"]), (&json!("done"), &Value::Null), "{result}");
    let trace = one.trace_of("msg_1");
    let calls = calls_of(&trace);
    let labels: Vec<&str> = calls.iter().map(|call| call["label"].as_str().unwrap()).collect();
    let count = |label: &str| labels.iter().filter(|known| **known == label).count();
    assert_eq!((count("expert plan"), count("approve query"), count("query")), (1, 1, 1), "{labels:?}");
    let approval = calls.iter().find(|call| call["kind"] == "approval").unwrap();
    assert_eq!((&approval["decided"]["verdict"], approval["decided"]["by"].is_string()), (&json!("approved"), true), "{approval}");
    let details = one.read("/api/turn?id=msg_1")["calls"].as_array().unwrap().clone();
    let made = details.iter().find(|call| call["request"]["ask"]["Query"].is_object()).unwrap_or_else(|| panic!("{details:?}"));
    assert_eq!(made["request"]["ask"]["Query"]["sql"], shown["text"], "what was shown is what ran");
    let answer = other.post("/api/action", &json!({ "action": "decline", "source": declined["source"] }));
    assert_eq!(answer["status"], "declined");
    let result = other.result_of("msg_1");
    assert!(result["degraded"].as_str().unwrap().contains("approval_declined"), "{result}");
    assert!(result["response"].as_str().unwrap().starts_with("Dafür braucht es eine Freigabe"), "{result}");
    assert_eq!(
        one.call("POST", "/api/action", Some(&json!({ "action": "approve", "source": shown["source"] }))).json()["code"],
        "stale_control"
    );
    for session in ["one", "other"] {
        let replayed = run(data.path(), &["replay", session, "--data", data.path().to_str().unwrap()]);
        assert!(replayed.code == Some(0) && replayed.output.ends_with("the same, byte for byte\n"), "{session}: {replayed:?}");
    }
}

#[test]
fn an_approval_expires_also_while_no_server_runs() {
    let (data, graphs, listen) = (Folder::new(), marked(r#"{"expires": "1s"}"#), Some(nobody()));
    let options = ["--graphs", graphs.path().to_str().unwrap(), "--graph", "v4-eras"];
    let setting = Setting { listen, data: Some(data.path()), options: &options, ..Setting::default() };
    let mut server = Server::with(&setting);
    let (one, other) = (server.session("one"), server.session("other"));
    let id = one.send(QUESTION);
    let result = one.result_of(&id);
    assert!(result["degraded"].as_str().unwrap().contains("approval_expired"), "the server wakes it: {result}");
    let calls = calls_of(&one.trace_of(&id));
    let approval = calls.iter().find(|call| call["kind"] == "approval").unwrap();
    assert_eq!((&approval["code"], &approval["decided"]["verdict"]), (&json!("approval_expired"), &json!("expired")), "{approval}");
    assert!(calls.iter().all(|call| call["label"] != "query"), "{calls:?}");
    let late = json!({ "action": "approve", "source": format!("approval:{}", approval["pid"]) });
    let refused = one.call("POST", "/api/action", Some(&late));
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("approval_expired")));
    let mut events = other.events();
    let id = other.send(QUESTION);
    events.until(|event| event["event"] == "process_start" && event["label"] == "approve query");
    server.signal("KILL");
    server.ended();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    server = Server::with(&setting);
    let result = server.session("other").result_of(&id);
    assert!(result["degraded"].as_str().unwrap().contains("approval_expired"), "{result}");
}
