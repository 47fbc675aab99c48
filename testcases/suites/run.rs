//! A run as a whole: suites side by side, what everyone sees of it meanwhile, and its line on a terminal.

use crate::between::{Manner, between};
use crate::player::{Played, play_all, play_text};
use crate::support::server::framewright;
use crate::support::{Folder, Provider, Server, WebSocket, eventually};
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::thread;

#[test]
fn suites_run_side_by_side_as_many_as_told() {
    let provider = Provider::start();
    let url = provider.url();
    let suite = format!("# T\n## 1\n- send: {}\n- expect response: contains done\n", json!({"hold": "output", "say": "done"}));
    let suites = ["a", "b", "c"].map(|name| (name.to_owned(), suite.clone()));
    let playing = thread::spawn(move || play_all(&suites, &["--jobs", "2", "--llm-url", &url, "--model", "puppet"]));
    provider.holds(2);
    provider.release(1);
    provider.holds(2);
    provider.release(2);
    let played: Played = playing.join().unwrap();
    assert_eq!((played.code, played.with("PASS").len()), (Some(0), 3), "{played:?}");
    let sessions: Vec<&Value> = played.with("PASS").iter().map(|result| &result["session"]).collect();
    assert_eq!(sessions, ["a", "b", "c"], "results stand in the order of the suites");
}

#[test]
fn whoever_looks_on_sees_one_run_from_its_begin_to_its_end() {
    let server = Server::start();
    let text = "# T\n## 1\n- send: hello\n- expect frames: == 2\n- expect path: director\n";
    let suites: Vec<(String, String)> = (1..=4).map(|number| (format!("s{number}"), text.to_owned())).collect();
    let url = format!("http://{}", server.address);
    for jobs in ["1", "3"] {
        let mut watching = WebSocket::open(server.address, "/ws/test");
        watching.next();
        let played = play_all(&suites, &["--jobs", jobs, "--url", &url]);
        assert_eq!(played.code, Some(1), "{played:?}");
        let told: Vec<Value> = (0..16).map(|_| watching.next()).collect();
        let events = |event: &str| told.iter().filter(|report| report["event"] == event).count();
        assert_eq!([events("suite_start"), events("step_result"), events("suite_end")], [4, 8, 4], "{told:?}");
        assert_eq!(told.iter().filter(|report| report.get("count").is_some()).count(), 1, "the count comes once");
        assert_eq!((&told[0]["count"], &told[0]["event"]), (&json!(8), &json!("suite_start")), "and first");
        for (place, report) in told.iter().enumerate() {
            assert_eq!(
                (&report["total_expected"], &report["running"]),
                (&json!(8), &json!(place < 15)),
                "{jobs} at once, {place}: {report}"
            );
        }
        let run = server.session("any").read("/api/tests");
        for what in ["passed", "failed", "skipped", "total_expected"] {
            assert_eq!(run[what], played.results[what], "{what}");
        }
        assert_eq!((&run["passed"], &run["failed"]), (&json!(4), &json!(4)));
    }
}

#[test]
fn a_run_that_is_interrupted_stops_its_turn_tells_everyone_and_keeps_what_it_has() {
    let (provider, folder) = (Provider::start(), Folder::new());
    let server = provider.server();
    let held = "## Again\n- send: {\"hold\":\"output\"}\n- expect path: director\n";
    let file = folder.write("held.md", &format!("# T\n## 1\n- send: hello\n- expect path: reflex\n{held}{held}"));
    let mut watching = WebSocket::open(server.address, "/ws/test");
    let mut command = framewright(folder.path());
    command.arg("test").arg(file).args(["--url", &format!("http://{}", server.address), "--results", "r.json"]);
    let playing = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let reports = watching.until(|report| report["event"] == "step_result");
    let session = server.session(reports.iter().find_map(|report| report["session"].as_str()).unwrap());
    provider.holds(1);
    assert_eq!((&session.result()["id"], &session.result()["status"]), (&json!("msg_2"), &json!("running")));
    let told = Command::new("kill").args(["-INT", &playing.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ended = playing.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.code() == Some(130) && errors.contains("the run was stopped"), "{ended:?}");
    let results: Value = serde_json::from_slice(&std::fs::read(folder.path().join("r.json")).unwrap()).unwrap();
    assert_eq!(["passed", "failed", "skipped"].map(|key| results[key].as_u64().unwrap()), [1, 0, 2], "{results}");
    assert_eq!(server.session("any").read("/api/test/status")["running"], false);
    eventually("the end of its turn", || (session.result()["status"] != "running").then_some(()));
    assert_eq!(session.read("/api/frames")["last_trace"]["status"], "cancelled", "nobody waits for it any more");
}

#[test]
fn a_recording_that_is_interrupted_leaves_the_one_before_as_it_was() {
    let folder = Folder::new();
    let sky = "- send: why is the sky blue?\n- expect path: director\n- expect frames: == 4\n";
    folder.write("sky.md", &format!("# T\n## 1\n{sky}{sky}"));
    let record = |word_ms: &str| {
        let mut command = framewright(folder.path());
        command.args(["test", "sky.md", "--record", "tapes", "--results", "r.json", "--demo-delay-ms", word_ms]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    assert_eq!(record("0").wait_with_output().unwrap().status.code(), Some(0));
    let cassette = || std::fs::read_to_string(folder.path().join("tapes/sky.jsonl")).unwrap();
    let before = cassette();
    let part = folder.path().join("tapes/sky.jsonl.part");
    assert!(!part.exists(), "what is whole stands where it belongs");
    let recording = record("200");
    eventually("a call that is recorded", || (std::fs::read_to_string(&part).ok()?.contains(r#""call""#)).then_some(()));
    assert!(Command::new("kill").args(["-INT", &recording.id().to_string()]).status().unwrap().success());
    let ended = recording.wait_with_output().unwrap();
    let (said, errors) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.code() == Some(130) && errors.contains("not whole end in .part"), "{ended:?}");
    assert!(said.matches("the run was stopped").count() == 1 && said.contains(" 4 skipped"), "it is told once: {said}");
    assert!(cassette() == before && part.exists());
}

#[test]
fn what_was_not_waited_for_to_its_end_has_not_failed() {
    let (provider, folder) = (Provider::start(), Folder::new());
    let server = provider.server();
    let message = json!({"hold": "memorizer"});
    let text = format!("# T\n## 1\n- send: {message}\n- expect frames: > 1\n- expect state: user_name is Ada\n");
    let mut watching = WebSocket::open(server.address, "/ws/test");
    let mut command = framewright(folder.path());
    command.arg("test").arg(folder.write("told.md", &text));
    command.args(["--url", &format!("http://{}", server.address), "--results", "r.json"]);
    let mut playing = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // What comes next waits for the memorizer.
    watching.until(|report| report["event"] == "step_result");
    assert!(Command::new("kill").args(["-INT", &playing.id().to_string()]).status().unwrap().success());
    assert_eq!(playing.wait().unwrap().code(), Some(130));
    let results: Value = serde_json::from_slice(&std::fs::read(folder.path().join("r.json")).unwrap()).unwrap();
    let counts = ["passed", "failed", "skipped"].map(|key| results[key].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 1], "{results}");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let server = Server::start();
    let address = between(server.address, Manner { busy: 2, ..Manner::default() });
    let played = play_text("busy", "# T\n## 1\n- clear\n- send: hello\n- expect frames: == 2\n", &["--url", &format!("http://{address}")]);
    assert_eq!(played.code, Some(0), "{played:?}");
}

#[test]
fn a_message_goes_with_what_its_user_sees() {
    let provider = Provider::start();
    let tools = json!({"tools": [{"tool": "emit_actions", "args": {"actions": [{"label": "Red one", "action": "red"}]}}]});
    let text = format!(
        "# T\n## 1\n- send: {tools}\n- expect actions: has red\n- send: {{}}\n- expect actions: count == 0\n- send: {{}}\n- expect frames: > 1\n"
    );
    let played = play_text("seeing", &text, &["--llm-url", &provider.url(), "--model", "puppet"]);
    assert_eq!(played.code, Some(0), "{played:?}");
    let asked = provider.asked_of("director");
    let dashboards: Vec<bool> = asked
        .iter()
        .map(|body| {
            let asked = body["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
            let controls = asked.split("## controls\n").nth(1).is_some_and(|rest| rest.contains("Red one"));
            assert_eq!(asked.contains("## dashboard\nthe same as under `controls`\n"), controls, "{asked}");
            controls
        })
        .collect();
    assert_eq!(dashboards, [false, true, false]);
}

#[test]
fn a_terminal_shows_how_far_it_is() {
    let folder = Folder::new();
    folder.write("shown.md", "# T\n## 1. A greeting\n- send: hello\n- expect frames: == 2\n- expect path: director\n");
    let program = env!("CARGO_BIN_EXE_framewright");
    let shown = |options: &str| {
        let mut command = Command::new("script");
        for (name, value) in framewright(folder.path()).get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.args(["-qefc", &format!("exec '{program}' test shown.md {options}"), "/dev/null"]);
        let ended = command.current_dir(folder.path()).output().unwrap();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        String::from_utf8(ended.stdout).unwrap()
    };
    let plain = shown("--color never");
    for part in [
        "[0/2] shown · 1. A greeting\r\u{1b}[2K[1/2] shown · 1. A greeting\r\u{1b}[2K",
        "FAIL  shown.md:5  1. A greeting",
        "[2/2] · 1 failed shown",
    ] {
        assert!(plain.contains(part), "{part:?}: {plain:?}");
    }
    assert!(
        !plain.contains("\u{1b}[31m") && shown("").contains("\u{1b}[31mFAIL\u{1b}[0m"),
        "a terminal is coloured, unless it is declined"
    );
}
