//! A turn that a server has kept becomes a suite with its cassette, and plays without that server.

use crate::support::server::Ended;
use crate::support::{Conversation, Folder, Provider, Server, Setting, run};
use serde_json::json;

/// Takes a turn of a server's session into a folder.
fn take(server: &Server, session: &str, turn: &str, into: &Folder) -> Ended {
    let url = format!("http://{}", server.address);
    run(into.path(), &["test", "--from-turn", turn, "--url", &url, "--session", session, "--into", "taken"])
}

/// What was written of a turn, once it has played without the server that it came from.
fn plays(server: Server, session: &str, turn: &str) -> String {
    let folder = Folder::new();
    let ended = take(&server, session, turn, &folder);
    assert!(ended.code == Some(0) && ended.output.contains(&format!("--replay taken taken/turn-{turn}.md")), "{ended:?}");
    drop(server);
    let suite = format!("taken/turn-{turn}.md");
    let played = run(folder.path(), &["test", "--replay", "taken", &suite, "--results", "r.json"]);
    assert_eq!(played.code, Some(0), "{played:?}");
    std::fs::read_to_string(folder.path().join(suite)).unwrap()
}

fn has(suite: &str, items: &[&str]) {
    items.iter().for_each(|item| assert!(suite.contains(&format!("\n- {item}")), "{item}: {suite}"));
}

fn use_control(session: &Conversation, action: &str) {
    let mut chat = session.attached();
    chat.say(&json!({ "type": "action", "action": action }));
    chat.until(|message| message["type"] == "done");
}

#[test]
fn a_turn_of_tools_plays_by_itself() {
    let server = Server::start();
    let session = server.session("tools");
    session.ask("hello");
    session.ask("give me two buttons, red and blue");
    session.memorized();
    let suite = plays(server, "tools", "msg_2");
    assert!(suite.starts_with("# Turn msg_2 of the session tools, 20"), "{suite}");
    has(
        &suite,
        &[
            "graph: v3-framed",
            "send: give me two buttons, red and blue",
            "expect path: \"director\"",
            "expect frames: == 4",
            "expect calls: llm == 3",
            "expect trace: has perceived and decided and tool_call and tool_result",
            "expect response: contains \"",
        ],
    );
    assert!(!suite.contains("send: hello"), "{suite}");
}

#[test]
fn a_turn_of_the_database_plays_without_it_though_its_tables_were_known_before() {
    let server = Server::with(&Setting { options: &["--graph", "v4-eras"], ..Setting::default() });
    let session = server.session("eras");
    session.ask("how many customers are there?");
    let trace = session.ask("how many customers are there?");
    let labels: Vec<_> = trace["frames"].as_array().unwrap().iter().flat_map(|frame| frame["calls"].as_array().unwrap()).collect();
    assert!(labels.iter().all(|call| call["label"] != "describe kunden"), "the table is known: {trace}");
    session.memorized();
    let suite = plays(server, "eras", "msg_2");
    has(
        &suite,
        &[
            "graph: v4-eras",
            "send: how many customers are there?",
            "expect calls: query == 1",
            "expect response: contains \"There are **16** customers.\"",
        ],
    );
}

#[test]
fn what_was_known_of_the_database_and_is_not_asked_for_is_not_missed() {
    let server = Server::with(&Setting { options: &["--graph", "v4-eras"], ..Setting::default() });
    let session = server.session("known");
    session.ask("how many customers are there?");
    session.ask("Wie viele Objekte haben wir?");
    session.memorized();
    let folder = Folder::new();
    assert_eq!(take(&server, "known", "msg_2", &folder).code, Some(0));
    let cassette = std::fs::read_to_string(folder.path().join("taken/turn-msg_2.jsonl")).unwrap();
    assert!(cassette.contains("describe kunden"), "{cassette}");
    has(&plays(server, "known", "msg_2"), &["send: Wie viele Objekte haben wir?", "expect calls: query == 1"]);
}

#[test]
fn a_turn_of_a_control_plays_behind_those_that_made_it() {
    let server = Server::start();
    let session = server.session("lamp");
    session.ask("make me a lamp that I can switch on and off");
    session.memorized();
    let controls = session.read("/api/state")["controls"].clone();
    let button = controls.as_array().unwrap().iter().find(|control| control["type"] == "button").unwrap_or_else(|| panic!("{controls}"));
    assert!(button["source"].as_str().unwrap().starts_with("machine:"), "{button}");
    use_control(&session, button["action"].as_str().unwrap());
    let label = button["label"].as_str().unwrap();
    let suite = plays(server, "lamp", "msg_2");
    has(
        &suite,
        &[
            "send: make me a lamp that I can switch on and off",
            &format!("action: \"{label}\""),
            "expect path: \"machine\"",
            "expect frames: == 1",
            "expect calls: llm == 0",
        ],
    );
    assert!(suite.contains("## Before it"), "{suite}");
}

/// The suites and cassettes that a journal and its server write of a turn.
fn from_journal(server: Server, data: &Folder, session: &str, turn: &str) -> String {
    let data = data.path().to_str().unwrap().to_owned();
    let shown = server.session(session).read(&format!("/api/turn/test?id={turn}"));
    let url = format!("http://{}", server.address);
    let folder = Folder::new();
    let name = format!("turn-{turn}");
    let at = |folder: &Folder, into: &str, ending: &str| {
        std::fs::read_to_string(folder.path().join(into).join(format!("{name}.{ending}"))).unwrap()
    };
    let write = |into: &str, more: &[&str]| {
        let ended = run(folder.path(), &[&["test", "--from-turn", turn, "--session", session, "--into", into], more].concat());
        assert_eq!(ended.code, Some(0), "{into}: {ended:?}");
    };
    write("of-server", &["--url", &url]);
    write("beside", &["--data", &data]);
    drop(server);
    write("of-journal", &["--data", &data]);
    let suite = at(&folder, "of-journal", "md");
    assert_eq!(suite, at(&folder, "beside", "md"));
    assert_eq!(suite, at(&folder, "of-server", "md"), "a journal knows as much of a turn as its server");
    assert_eq!((shown["name"].as_str(), shown["suite"].as_str()), (Some(name.as_str()), Some(suite.as_str())));
    assert_eq!(shown["cassette"], at(&folder, "of-journal", "jsonl"));
    // What the server has shown plays as it is.
    folder.write(&format!("shown/{name}.md"), shown["suite"].as_str().unwrap());
    folder.write(&format!("shown/{name}.jsonl"), shown["cassette"].as_str().unwrap());
    for into in ["of-journal", "shown"] {
        let played = run(folder.path(), &["test", "--replay", into, &format!("{into}/{name}.md"), "--results", "r.json"]);
        assert_eq!(played.code, Some(0), "{into}: {played:?}");
    }
    suite
}

#[test]
fn a_journal_writes_a_turn_as_a_test_without_its_server_and_so_does_one_call() {
    let data = Folder::new();
    let server = Server::with(&Setting { options: &["--graph", "v4-eras"], data: Some(data.path()), ..Setting::default() });
    let session = server.session("eras");
    session.ask("how many customers are there?");
    session.memorized();
    session.ask("how many customers are there?");
    session.memorized();
    session.ask("hello");
    let suite = from_journal(server, &data, "eras", "msg_2");
    has(
        &suite,
        &["send: how many customers are there?", "expect calls: query == 1", "expect response: contains \"There are **16** customers.\""],
    );

    let data = Folder::new();
    let server = Server::with(&Setting { data: Some(data.path()), ..Setting::default() });
    let session = server.session("lamp");
    session.ask("make me a lamp that I can switch on and off");
    session.memorized();
    let controls = session.read("/api/state")["controls"].clone();
    let action = controls.as_array().unwrap().iter().find_map(|control| control["action"].as_str()).unwrap().to_owned();
    use_control(&session, &action);
    let suite = from_journal(server, &data, "lamp", "msg_2");
    assert!(suite.contains("## Before it"), "{suite}");
}

#[test]
fn what_is_not_kept_or_did_not_end_well_becomes_no_test() {
    let silent =
        Server::with(&Setting { options: &["--llm-url", "http://127.0.0.1:9/v1", "--model", "m", "--retries", "0"], ..Setting::default() });
    let session = silent.session("failed");
    session.send("why is the sky blue?");
    session.result_of("msg_1");
    let refused = |target: &str| {
        let answer = session.call("GET", target, None);
        (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused("/api/turn/test?id=msg_1"), (409, "turn_not_testable".to_owned()));
    assert_eq!(refused("/api/turn/test?id=msg_9"), (404, "turn_not_kept".to_owned()));
    assert_eq!(refused("/api/turn/test?id=7"), (400, "invalid_parameter".to_owned()));
    assert_eq!(refused("/api/turn/test"), (400, "invalid_parameter".to_owned()));
    let nobody = silent.session("nobody").call("GET", "/api/turn/test?id=msg_1", None);
    assert_eq!((nobody.status, nobody.json()["code"].as_str()), (404, Some("unknown_session")));
    session.post("/api/clear", &json!({}));
    assert_eq!(refused("/api/turn/test?id=msg_1"), (404, "turn_not_kept".to_owned()));
    let data = silent.folder.path().to_str().unwrap();
    let folder = Folder::new();
    for (arguments, says) in [
        (&["--session", "failed"][..], "msg_1 did not end well (error)"),
        (&["--session", "nobody"], "has no session `nobody`"),
        (&["--session", "failed", "--user", "ada"], "user `ada` has no session `failed`"),
    ] {
        let ended = run(folder.path(), &[&["test", "--from-turn", "msg_1", "--data", data], arguments].concat());
        assert!(ended.code == Some(4) && ended.errors.contains(says), "{arguments:?}: {ended:?}");
    }
    let ended = run(folder.path(), &["test", "--from-turn", "msg_9", "--data", data, "--session", "failed"]);
    assert!(ended.code == Some(4) && ended.errors.contains("the session has no turn msg_9 that has ended"), "{ended:?}");
    let ended = run(folder.path(), &["test", "--from-turn", "msg_1"]);
    assert!(ended.code == Some(4) && ended.errors.contains("there is no journal"), "{ended:?}");
}

#[test]
fn what_can_not_be_played_again_is_refused_and_leaves_nothing_behind() {
    let server = Server::start();
    let session = server.session("short");
    session.ask("my name is Ada");
    session.memorized();
    let folder = Folder::new();
    let url = format!("http://{}", server.address);
    let ended = take(&server, "short", "msg_9", &folder);
    assert!(ended.code == Some(4) && ended.errors.contains("this session knows no such turn"), "{ended:?}");
    for (arguments, says) in [
        (&["--from-turn", "msg_1", "--user", "ada", "--url", &url][..], "cannot be used with"),
        (&["--from-turn", "7", "--url", &url], "`7` is no turn: they are called msg_1"),
        (&["--from-turn", "msg_1", "--url", &url, "a.md"], "leave out their names"),
        (&["a.md", "--into", "x"], "--from-turn"),
    ] {
        let ended = run(folder.path(), &[&["test"], arguments].concat());
        assert!(ended.code == Some(2) && ended.errors.contains(says), "{arguments:?}: {ended:?}");
    }
    assert_eq!(take(&server, "short", "msg_1", &folder).code, Some(0));
    let again = take(&server, "short", "msg_1", &folder);
    assert!(again.code == Some(2) && again.errors.contains("turn-msg_1.md is there already"), "{again:?}");

    let silent =
        Server::with(&Setting { options: &["--llm-url", "http://127.0.0.1:9/v1", "--model", "m", "--retries", "0"], ..Setting::default() });
    let session = silent.session("failed");
    session.send("why is the sky blue?");
    session.result_of("msg_1");
    let folder = Folder::new();
    let ended = take(&silent, "failed", "msg_1", &folder);
    assert!(ended.code == Some(4) && ended.errors.contains("msg_1 did not end well (error)"), "{ended:?}");

    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("long");
    session.ask(&json!({ "say": "word ".repeat(4_000), "intent": "social" }).to_string());
    let ended = take(&server, "long", "msg_1", &folder);
    assert!(ended.code == Some(4) && ended.errors.contains("an answer to `output` in msg_1 was too long to be kept whole"), "{ended:?}");

    let forgetful = Server::with(&Setting { options: &["--traces", "1"], ..Setting::default() });
    let session = forgetful.session("lamp");
    session.ask("make me a lamp that I can switch on and off");
    session.memorized();
    let action = session.read("/api/state")["controls"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|control| control["action"].as_str())
        .unwrap()
        .to_owned();
    use_control(&session, &action);
    let ended = take(&forgetful, "lamp", "msg_2", &folder);
    assert!(ended.code == Some(4) && ended.errors.contains("this turn can't be played by itself"), "{ended:?}");
    assert_eq!(std::fs::read_dir(folder.path().join("taken")).unwrap().count(), 0, "nothing is left behind");
}
