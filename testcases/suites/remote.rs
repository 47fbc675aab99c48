//! `--url`: suites against a server that somebody else has started.

use crate::player::play_text;
use crate::support::{Server, Setting, WebSocket};
use serde_json::json;

const TEXT: &str = "# T\n## 1\n- send: my name is Ada\n- expect response: contains Ada\n- expect state: user_name is Ada\n- clear\n- send: what is my name?\n- expect response: not contains Ada\n- expect time: < 0 ms\n";

#[test]
fn a_server_that_runs_is_tested_beside_its_users_and_shows_how_it_goes() {
    let server = Server::with(&Setting { options: &["--graph", "v4-eras"], ..Setting::default() });
    let user = server.session("remote");
    user.ask("my name is Grace");
    let mut watching = WebSocket::open(server.address, "/ws/test");
    assert_eq!(watching.next()["running"], false);
    let url = format!("http://{}", server.address);
    let played = play_text("remote", TEXT, &["--url", &url, "--color", "always"]);
    assert_eq!(played.code, Some(0), "{played:?}");
    assert!(played.output.contains("model: demo  graph: v4-eras") && played.output.contains("\x1b["), "{}", played.output);
    let session = played.with("PASS")[0]["session"].as_str().unwrap().to_owned();
    assert!(session.starts_with("test-remote-"), "{session}");
    assert_eq!(user.messages().len(), 2, "whoever talks in a session of the suite's name is left alone");

    let told = watching.until(|report| report["event"] == "suite_end");
    let begin = &told[0];
    for (key, value) in [
        ("suite", json!("remote")),
        ("session", json!(session)),
        ("file", json!("remote.md")),
        ("checks", json!(3)),
        ("total_expected", json!(3)),
    ] {
        assert_eq!(begin[key], value, "{key}: {begin}");
    }
    let results: Vec<_> = told.iter().filter(|report| report["event"] == "step_result").map(|report| report["result"].clone()).collect();
    assert_eq!(json!(results), played.results["results"], "each as it fell, and the same as in the file");
    assert_eq!(user.read("/api/tests"), played.results, "the server tells the run as the file does");

    let again = play_text("remote", TEXT, &["--url", &url]);
    assert_ne!(again.with("PASS")[0]["session"], json!(session), "the next run has sessions of its own");
}
