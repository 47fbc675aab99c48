//! Suites that are started from a browser: what there is, one run at a time, and everyone sees how it goes.

use crate::support::{Folder, Provider, Server, Setting, WebSocket, eventually};
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

const GREETING: &str = "# A greeting\n\n## 1. Hello\n- send: hello\n- expect path: reflex\n- expect frames: == 2\n- expect frames: == 7\n- expect time: < 1 ms\n";
const SKY: &str = "# The sky\n\n## 1. Why\n- send: why is the sky blue?\n- expect path: director\n\n## 2. Again\n- send: why is the sky blue?\n- expect path: director\n";

/// A folder of suites, and a server that plays them.
fn server() -> (Folder, Server) {
    server_with(&[])
}

fn server_with(options: &[&str]) -> (Folder, Server) {
    let folder = Folder::new();
    folder.write("greeting.md", GREETING);
    folder.write("sky.md", SKY);
    folder.write("broken.md", "# T\n\n## 1\n- sned: x\n");
    folder.write("long.md", &format!("# T\n\n## 1\n- send: {}\n", "x".repeat(70_000)));
    folder.write("notes.txt", "no suite");
    folder.write("below/deep.md", GREETING);
    let path = folder.path().to_str().unwrap();
    let server = Server::with(&Setting { options: &[&["--tests", "--suites", path], options].concat(), ..Setting::default() });
    (folder, server)
}

fn run(server: &Server, body: Option<&Value>) -> (u16, Value) {
    let answer = server.connect().ask("POST", "/api/tests/run", body);
    (answer.status, answer.json())
}

fn suites(server: &Server) -> Value {
    server.connect().ask("GET", "/api/tests/suites", None).json()
}

#[test]
fn a_run_that_is_started_from_a_browser_is_seen_by_everyone_from_its_start_to_its_end() {
    let (folder, server) = server();
    let mut watching = WebSocket::open(server.address, "/ws/test");
    assert_eq!(watching.next()["running"], false);
    let (status, started) = run(&server, Some(&json!({"suites": ["greeting"]})));
    assert_eq!((status, started), (200, json!({"status": "started", "suites": ["greeting"], "count": 3})));
    let reports = watching.until(|report| report["event"] == "suite_end");
    let first = &reports[0];
    assert_eq!((&first["event"], &first["suite"], &first["total_expected"]), (&json!("suite_start"), &json!("greeting"), &json!(3)));
    assert!(first["session"].as_str().unwrap().starts_with("test-greeting-"), "{first}");
    let results: Vec<&Value> = reports.iter().filter(|report| report["event"] == "step_result").map(|report| &report["result"]).collect();
    let statuses: Vec<&str> = results.iter().map(|result| result["status"].as_str().unwrap()).collect();
    assert_eq!(statuses[..3], ["PASS", "PASS", "FAIL"], "{results:?}");
    assert_eq!((results.len(), &results[3]["reported"]), (4, &json!(true)), "time is told and does not count");
    assert_eq!((&results[2]["expected"].as_str().is_some(), &results[2]["turn"]), (&true, &json!("msg_1")), "{:?}", results[2]);
    assert_eq!(reports[reports.len() - 1]["running"], false);
    let told = server.connect().ask("GET", "/api/tests", None).json();
    assert_eq!((&told["passed"], &told["failed"]), (&json!(2), &json!(1)));
    // They are written as they fall.
    let written = || serde_json::from_slice::<Value>(&fs::read(folder.path().join("results.json")).unwrap_or_default()).unwrap_or_default();
    eventually("the results in the folder", || (written()["passed"] == 2 && written()["failed"] == 1).then_some(()));
    eventually("the run's end", || (suites(&server)["running"] == false).then_some(()));
    let (status, started) = run(&server, Some(&json!({})));
    assert_eq!((status, &started["suites"], &started["count"]), (200, &json!(["greeting", "sky"]), &json!(5)), "all that can be played");
    let ends = |report: &Value| report["event"] == "suite_end" && report["suite"] == "sky";
    let reports = watching.until(ends);
    assert_eq!(reports[reports.len() - 1]["running"], false);
}

#[test]
fn what_there_is_to_play_is_listed_with_what_is_wrong_in_it() {
    let (folder, server) = server();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let listed = suites(&server);
    assert_eq!((&listed["enabled"], &listed["running"]), (&json!(true), &json!(false)));
    let all = listed["suites"].as_array().unwrap();
    let names: Vec<&str> = all.iter().map(|suite| suite["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["broken", "greeting", "long", "sky"], "suites of the folder itself, by name");
    assert_eq!(all[1], json!({"name": "greeting", "file": path("greeting.md"), "title": "A greeting", "steps": 1, "checks": 3}));
    let error = all[0]["error"].as_str().unwrap();
    assert!(error.starts_with(&format!("{}:4: ", path("broken.md"))) && error.contains("sned"), "{error}");
    assert!(all[2]["error"].as_str().unwrap().contains("at most 65536 bytes"), "{}", all[2]);
    assert_eq!(server.connect().ask("GET", "/health", None).json()["tests"], true);
}

#[test]
fn what_is_no_file_in_the_folder_holds_nobody_up() {
    let folder = Folder::new();
    folder.write("greeting.md", GREETING);
    for name in ["results.json", "pipe.md"] {
        assert!(Command::new("mkfifo").arg(folder.path().join(name)).status().unwrap().success());
    }
    let server = Server::with(&Setting { options: &["--tests", "--suites", folder.path().to_str().unwrap()], ..Setting::default() });
    assert_eq!(server.connect().ask("GET", "/api/tests", None).json(), json!({}));
    assert_eq!(suites(&server)["suites"].as_array().unwrap().len(), 1);
}

#[test]
fn only_suites_of_the_folder_are_played_and_only_by_their_names() {
    let (_folder, server) = server();
    for (body, status, code) in [
        (json!({"suites": ["nothing"]}), 404, "unknown_suite"),
        (json!({"suites": ["greeting.md"]}), 404, "unknown_suite"),
        (json!({"suites": ["below/deep"]}), 404, "unknown_suite"),
        (json!({"suites": ["../greeting"]}), 404, "unknown_suite"),
        (json!({"suites": ["./greeting"]}), 404, "unknown_suite"),
        (json!({"suites": ["/etc/passwd"]}), 404, "unknown_suite"),
        (json!({"suites": ["greeting\u{0}"]}), 404, "unknown_suite"),
        (json!({"suites": [""]}), 404, "unknown_suite"),
        (json!({"suites": ["broken"]}), 400, "invalid_suite"),
        (json!({"suites": "greeting"}), 400, "invalid_parameter"),
        (json!({"suites": [{"name": "greeting"}]}), 400, "invalid_parameter"),
    ] {
        let (given, answer) = run(&server, Some(&body));
        assert_eq!((given, answer["code"].as_str().unwrap()), (status, code), "{body}: {answer}");
    }
    assert_eq!(suites(&server)["running"], false);
}

#[test]
fn a_page_of_another_site_starts_nothing() {
    let (_folder, server) = server();
    for (head, body) in [("", ""), ("content-type: text/plain\r\n", "{}"), ("content-type: application/json\r\n", "{}")] {
        let mut wire = server.connect();
        let length = body.len();
        wire.send(format!(
            "POST /api/tests/run HTTP/1.1\r\nHost: localhost\r\nOrigin: https://other.example\r\n{head}Content-Length: {length}\r\n\r\n{body}"
        ));
        let answer = wire.answer();
        assert_eq!((answer.status, &*answer.code()), (403, "foreign_origin"), "{}", answer.text());
        assert_eq!(suites(&server)["running"], false, "{head}");
    }
}

#[test]
fn a_server_that_does_not_allow_it_plays_nothing_and_says_how_to() {
    let server = Server::start();
    assert_eq!(suites(&server), json!({"enabled": false, "running": false, "folder": null, "suites": []}));
    let (status, answer) = run(&server, Some(&json!({})));
    assert_eq!(status, 403);
    assert_eq!(answer["code"], "tests_disabled");
    assert!(answer["detail"].as_str().unwrap().contains("--tests"), "it names the setting: {answer}");
    assert_eq!(server.connect().ask("GET", "/health", None).json()["tests"], false);
}

#[test]
fn a_run_that_is_cut_off_with_its_server_is_told_as_one() {
    let provider = Provider::start();
    let url = provider.url();
    let model = ["--llm-url", &url, "--model", "puppet"];
    let (folder, mut killed) = server_with(&model);
    folder.write(
        "cut.md",
        "# Cut\n\n## 1\n- send: hello\n- expect path: reflex\n\n## 2\n- send: {\"hold\":\"output\"}\n- expect path: director\n",
    );
    let kept = || serde_json::from_slice::<Value>(&fs::read(folder.path().join("results.json")).unwrap_or_default()).unwrap_or_default();
    let mut watching = WebSocket::open(killed.address, "/ws/test");
    assert_eq!(run(&killed, Some(&json!({"suites": ["cut"]}))).0, 200);
    watching.until(|report| report["event"] == "step_result");
    provider.holds(1);
    eventually("the first result in the folder", || (kept()["passed"] == 1).then_some(()));
    killed.signal("KILL");
    killed.ended();
    provider.hung_up(1);
    let options = [&["--tests", "--suites", folder.path().to_str().unwrap()], &model[..]].concat();
    let again = Server::with(&Setting { options: &options, ..Setting::default() });
    let told = again.connect().ask("GET", "/api/tests", None).json();
    assert_eq!((&told["ended"], &told["passed"], &told["total_expected"]), (&json!(false), &json!(1), &json!(2)), "{told}");
    assert_eq!(told["results"].as_array().unwrap().len(), 1, "{told}");
    provider.release(1);
    assert_eq!(run(&again, Some(&json!({"suites": ["cut"]}))).0, 200);
    eventually("the end of another", || (kept()["passed"] == 2 && kept().get("ended").is_none()).then_some(()));
}

#[test]
fn one_run_goes_on_at_a_time_and_does_not_keep_the_server_from_ending() {
    let provider = Provider::start();
    let (folder, mut server) = server_with(&["--llm-url", &provider.url(), "--model", "puppet"]);
    folder.write("held.md", "# Held\n\n## 1. Still\n- send: {\"hold\":\"output\"}\n- expect path: director\n");
    assert_eq!(run(&server, Some(&json!({"suites": ["held"]}))).0, 200);
    provider.holds(1);
    let (status, answer) = run(&server, Some(&json!({"suites": ["greeting"]})));
    assert_eq!((status, suites(&server)["running"].clone()), (409, json!(true)));
    assert_eq!(answer["code"], "tests_running", "{answer}");
    server.signal("TERM");
    assert!(server.ended().success());
}
