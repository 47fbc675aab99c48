//! What a session holds is back after a restart, and after it was not in memory for want of room.

use super::support::{Conversation, Folder, Server, Setting, nobody};
use serde_json::{Value, json};

/// The turns of [`talk`].
const TURNS: usize = 8;

/// What is shown of a session, but for what differs between two servers.
fn shown(session: &Conversation) -> Vec<(String, Value)> {
    let turns = (1..=TURNS).map(|turn| format!("/api/turn?id=msg_{turn}"));
    let paths = ["/api/state", "/api/history?last=200", "/api/frames?last=20", "/api/result", "/api/graph/active", "/api/poll"];
    let paths = paths.iter().map(|path| (*path).to_owned()).chain(turns);
    let read = |path: String| {
        let mut shown = session.read(&path);
        if path == "/api/state" {
            shown["ws_connected"] = Value::Null;
        }
        (path, shown)
    };
    paths.map(read).collect()
}

/// Uses a button of the session, by its source and label.
fn uses(session: &Conversation, source: &str, label: &str) {
    let controls = session.read("/api/state")["controls"].clone();
    let is_it = |control: &&Value| {
        let has = |key: &str, text: &str| control[key].as_str().is_some_and(|of| of.to_lowercase().starts_with(text));
        has("source", source) && has("label", label)
    };
    let button = controls.as_array().unwrap().iter().find(is_it).unwrap_or_else(|| panic!("no button `{label}`: {controls}"));
    let sent = session.post("/api/action", &json!({ "action": button["action"], "source": button["source"] }));
    let result = session.result_of(sent["id"].as_str().unwrap());
    assert_eq!(result["status"], "done", "{result}");
}

/// A conversation with everything in it: answers, one of a database's expert, controls, one of which was used, a machine that was used,
/// a rated turn, and a turn that failed because its server was killed. Returns the server that goes on.
fn talk(mut server: Server, setting: &Setting<'_>, name: &str) -> Server {
    let session = server.session(name);
    session.ask("hello");
    let answered = session.ask("how many customers are there?");
    assert!(answered["path"].as_str().unwrap().starts_with("expert"), "{answered}");
    session.ask("give me two buttons, red and blue");
    uses(&session, "", "red");
    session.ask("make a lamp with one button, “Switch on”, that becomes “Switch off”");
    uses(&session, "machine:", "switch on");
    session.memorized();
    session.post("/api/feedback", &json!({ "turn": "msg_2", "rating": 1, "comment": "right" }));
    server.signal("KILL");
    server.ended();
    server = Server::with(&Setting { word_ms: 100, ..setting.clone() });
    let mut chat = session.attached();
    chat.say(&json!({ "text": "why is the sky blue?" }));
    chat.until(|message| message["type"] == "delta" && message["content"].as_str().is_some_and(|text| !text.is_empty()));
    server.signal("KILL");
    server.ended();
    server = Server::with(setting);
    assert_eq!(session.result_of("msg_7")["status"], "error");
    session.ask("thank you");
    session.memorized();
    let state = session.read("/api/state");
    assert_eq!((state["machines"].as_array().unwrap().len(), state["schema_cache"].as_object().unwrap().is_empty()), (1, false), "{state}");
    let frames = session.read("/api/frames?last=20");
    let statuses: Vec<&str> = frames["traces"].as_array().unwrap().iter().map(|trace| trace["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["done", "done", "done", "done", "done", "done", "error", "done"]);
    assert_eq!(session.read("/api/turn?id=msg_2")["rating"], 1);
    server
}

#[test]
fn everything_is_back_after_a_kill_and_after_an_end() {
    let (data, listen) = (Folder::new(), Some(nobody()));
    let setting = Setting { listen, data: Some(data.path()), options: &["--graph", "v4-eras"], ..Setting::default() };
    let mut server = talk(Server::with(&setting), &setting, "one");
    let (one, other) = (server.session("one"), server.session("other"));
    other.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
    other.ask("hello");
    other.memorized();
    let of_other = || ["/api/history", "/api/graph/active", "/api/state"].map(|path| other.read(path));
    let before = (shown(&one), of_other());
    for signal in ["KILL", "TERM", "KILL"] {
        server.signal(signal);
        server.ended();
        server = Server::with(&setting);
        for (before, after) in before.0.iter().zip(shown(&one)) {
            assert_eq!(&after, before, "{signal}");
        }
        assert_eq!(of_other(), before.1, "{signal}");
    }
    // What it shows can be used.
    uses(&one, "machine:", "switch off");
    let id = one.send("hello");
    assert_eq!(id, format!("msg_{}", TURNS + 2), "turns are counted on");
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
