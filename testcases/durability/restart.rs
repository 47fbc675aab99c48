//! What a session holds is back after a restart, and after it was not in memory for want of room.

use super::support::{Conversation, Folder, Server, Setting, nobody};
use serde_json::{Value, json};

/// What is shown of a session, but for what differs between two servers.
fn shown(session: &Conversation) -> Vec<Value> {
    let mut state = session.read("/api/state");
    state["ws_connected"] = Value::Null;
    let paths = ["/api/history?last=200", "/api/frames?last=20", "/api/result", "/api/turn?id=msg_2", "/api/graph/active", "/api/poll"];
    let mut all: Vec<Value> = paths.iter().map(|path| session.read(path)).collect();
    all.push(state);
    all
}

/// A conversation with everything in it: an answer, a database's, controls, a machine that was used, and a turn that failed.
fn talk(session: &Conversation) {
    for text in ["hello", "how many invoices are there?", "why is the sky blue?"] {
        session.ask(text);
    }
    session.memorized();
}

#[test]
fn everything_is_back_after_a_kill_and_after_an_end() {
    let (data, listen) = (Folder::new(), Some(nobody()));
    let setting = Setting { listen, data: Some(data.path()), ..Setting::default() };
    let mut server = Server::with(&setting);
    let (one, other) = (server.session("one"), server.session("other"));
    talk(&one);
    other.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
    other.ask("hello");
    other.memorized();
    let before = [shown(&one), vec![other.read("/api/history"), other.read("/api/graph/active")]];
    for signal in ["KILL", "TERM", "KILL"] {
        server.signal(signal);
        server.ended();
        server = Server::with(&setting);
        let after = [shown(&one), vec![other.read("/api/history"), other.read("/api/graph/active")]];
        assert_eq!(after, before, "{signal}");
    }
    let id = one.send("hello");
    assert_eq!(id, "msg_4", "turns are counted on");
    one.result_of(&id);
}

#[test]
fn an_event_stream_goes_on_without_a_gap_over_a_restart() {
    let (data, listen) = (Folder::new(), Some(nobody()));
    let setting = Setting { listen, data: Some(data.path()), ..Setting::default() };
    let mut server = Server::with(&setting);
    let session = server.session("s");
    let mut events = session.events();
    session.ask("hello");
    let seen = events.until(|event| event["event"] == "frame_trace");
    let last = seen.iter().filter_map(|told| told.id).max().unwrap();
    session.ask("why is the sky blue?");
    session.memorized();
    let expected: Vec<_> = events.until(|event| event["event"] == "frame_trace" && event["turn"] == "msg_2");
    server.signal("KILL");
    server.ended();
    server = Server::with(&setting);
    let mut again = server.session("s").events_since(last);
    let told: Vec<_> = again.until(|event| event["event"] == "frame_trace" && event["turn"] == "msg_2");
    assert_eq!(told, expected, "the same events under the same numbers");
    let next = server.session("s").send("hello");
    let more = again.until(|event| event["event"] == "frame_trace" && event["turn"] == next.as_str());
    let rises = expected.iter().chain(&more).filter_map(|told| told.id).collect::<Vec<_>>();
    assert!(rises.windows(2).all(|pair| pair[0] < pair[1]), "{rises:?}");
}

#[test]
fn sessions_that_find_no_room_in_memory_come_back_when_they_are_wanted() {
    let server = Server::with(&Setting { options: &["--sessions", "4"], ..Setting::default() });
    let sessions: Vec<Conversation> = (0..20).map(|number| server.session(&format!("s{number}"))).collect();
    for (number, session) in sessions.iter().enumerate() {
        session.ask("hello");
        session.ask(&format!("I am number {number}. Why is the sky blue?"));
        session.memorized();
    }
    for (number, session) in sessions.iter().enumerate() {
        let messages = session.messages();
        assert_eq!(messages.len(), 4);
        assert!(messages[2]["content"].as_str().unwrap().contains(&format!("number {number}.")), "{messages:?}");
    }
}

#[test]
fn a_session_goes_on_under_graphs_that_have_changed_and_says_so() {
    let (data, graphs, listen) = (Folder::new(), Folder::new(), Some(nobody()));
    let folder = graphs.path().to_str().unwrap().to_owned();
    let options = ["--graph", "v1-direct", "--graphs", &folder];
    let setting = Setting { listen, data: Some(data.path()), options: &options, ..Setting::default() };
    let mut server = Server::with(&setting);
    server.session("s").ask("hello");
    server.session("s").memorized();
    server.signal("KILL");
    server.ended();
    let prompt = include_str!("../../graphs/prompts/agent.md");
    graphs.write("prompts/agent.md", &prompt.replacen("=== user", "MARKED\n=== user", 1));
    server = Server::with(&setting);
    assert_eq!(server.session("s").messages().len(), 2);
    let trace = server.session("s").ask("hello again");
    assert!(trace["reloaded"].is_string(), "{trace}");
}

#[test]
fn without_a_journal_a_restart_forgets_and_nothing_is_written() {
    let (data, listen) = (Folder::new(), Some(nobody()));
    let setting = Setting { listen, data: Some(data.path()), options: &["--durability", "none"], ..Setting::default() };
    let mut server = Server::with(&setting);
    server.session("s").ask("hello");
    server.signal("TERM");
    server.ended();
    server = Server::with(&setting);
    assert!(server.session("s").messages().is_empty());
    assert!(!data.path().join("journal.db").exists());
}
