//! `POST /api/call/rerun`: a recorded call is made again by the real pool, from memory and from the journal.

use crate::support::{Conversation, Folder, Server, Setting, eventually};
use serde_json::{Value, json};

/// The first call of a turn, as `/api/turn` shows it.
fn call_of(session: &Conversation, turn: &str) -> Value {
    session.call("GET", &format!("/api/turn?id={turn}"), None).json()["calls"][0].clone()
}

fn again(session: &Conversation, turn: &str, more: Value) -> Value {
    let mut body = json!({ "turn": turn, "pid": call_of(session, turn)["pid"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = session.call("POST", "/api/call/rerun", Some(&body));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn a_call_gives_the_same_answer_again_and_another_to_another_prompt_also_from_the_journal() {
    let data = Folder::new();
    let setting = Setting { data: Some(data.path()), options: &["--graph", "v1-direct", "--rerun"], ..Setting::default() };
    let server = Server::with(&setting);
    let session = server.session("s");
    session.ask("why is the sky blue?");
    session.memorized();
    let before = session.call("GET", "/api/poll", None).json();
    let same = again(&session, "msg_1", json!({}));
    assert_eq!((&same["same"], &same["rerun"]["status"]), (&json!(true), &json!("done")), "{same}");
    let messages = same["request"]["messages"].as_array().unwrap();
    let last = messages.len() - 1;
    assert!(messages[last]["content"].as_str().unwrap().contains("why is the sky blue?"), "{same}");
    let other = json!({ "edits": [{ "message": last, "content": "What is 6 times 7?" }] });
    let edited = again(&session, "msg_1", other);
    assert_eq!(edited["same"], false, "{edited}");
    assert_ne!(edited["rerun"]["answer"], edited["recorded"]["answer"]);
    assert_eq!(session.call("GET", "/api/poll", None).json(), before, "the session was not touched");
    // Twenty turns later the first one is in the journal only.
    for _ in 0..20 {
        session.ask("hello");
    }
    session.memorized();
    drop(server);
    let server = Server::with(&setting);
    let session = server.session("s");
    let kept = eventually("the first turn", || {
        let answer = session.call("GET", "/api/turn?id=msg_1", None);
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!(kept["trace"]["message"], "why is the sky blue?");
    let same = again(&session, "msg_1", json!({}));
    assert_eq!((&same["same"], &same["recorded"]), (&json!(true), &edited["recorded"]), "{same}");
}

#[test]
fn users_may_not_unless_the_server_says_so() {
    let server = Server::start();
    let session = server.session("s");
    session.ask("why is the sky blue?");
    let refused = session.call("POST", "/api/call/rerun", Some(&json!({ "turn": "msg_1", "pid": call_of(&session, "msg_1")["pid"] })));
    assert_eq!((refused.status, refused.code().as_str()), (403, "rerun_disabled"), "{}", refused.text());
}
