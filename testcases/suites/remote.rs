//! `--url`: suites against a server that somebody else has started.

use crate::between::{Manner, Nginx, between};
use crate::player::play_text;
use crate::support::{Provider, Server, Setting, WebSocket, own_address, run};
use serde_json::json;
use std::thread;

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

#[test]
fn a_deployment_behind_tls_is_tested_and_talked_to_and_trusted_only_by_its_ca() {
    let server = Server::start();
    let nginx = Nginx::start(server.address);
    let (url, ca) = (format!("https://{}", nginx.address), nginx.ca());
    let ca = ca.to_str().unwrap();
    let played = play_text("secure", TEXT, &["--url", &url, "--ca", ca, "--coverage"]);
    assert_eq!(played.code, Some(0), "{played:?}");
    assert_eq!(played.results["passed"], 3, "{}", played.results);
    let untrusted = play_text("secure", TEXT, &["--url", &url]);
    assert!(untrusted.code == Some(4) && untrusted.errors.contains("name the file of its CA with --ca"), "{untrusted:?}");
    for (options, code, says) in [(&["--ca", ca][..], 0, ""), (&[], 4, "is not trusted (")] {
        let chat = run(server.folder.path(), &[&["chat", "--session", "tls", "--url", &url], options].concat());
        assert!(chat.code == Some(code) && chat.errors.contains(says), "{options:?}: {chat:?}");
        assert_eq!(chat.errors.contains("name the file of its CA with --ca"), code == 4, "{chat:?}");
    }
}

#[test]
fn a_socket_that_breaks_loses_nothing_and_nothing_is_said_twice() {
    let server = Server::with(&Setting { word_ms: 10, ..Setting::default() });
    let whole = server.session("whole");
    whole.ask("why is the sky blue?");
    let answer = whole.result()["response"].as_str().unwrap().to_owned();
    let text = format!(
        "# T\n## 1\n- send: hello\n- expect path: reflex\n- send: why is the sky blue?\n- expect response: is \"{answer}\"\n- expect path: director\n- action: none\n## 2\n- send: why is the sky blue?\n- expect response: is \"{answer}\"\n"
    );
    for cuts in [vec![300, 220, 500, 260], vec![400, 210, 777, 1000], vec![290; 8]] {
        let address = between(server.address, Manner { cuts: cuts.clone(), ..Manner::default() });
        let played = play_text("cut", &text, &["--url", &format!("http://{address}")]);
        assert_eq!((played.with("PASS").len(), played.with("FAIL").len()), (4, 1), "{cuts:?}: {}", played.output);
        let session = played.with("PASS")[0]["session"].as_str().unwrap();
        assert_eq!(server.session(session).messages().len(), 6, "{cuts:?}");
    }
}

#[test]
fn a_server_that_wants_no_reports_is_tested_all_the_same() {
    let server = Server::start();
    let address = between(server.address, Manner { refuses_reports: true, ..Manner::default() });
    let played = play_text("unheard", TEXT, &["--url", &format!("http://{address}")]);
    assert_eq!(played.code, Some(0), "{played:?}");
    assert_eq!(played.errors.matches("nobody may report here").count(), 1, "said once: {}", played.errors);
    assert_eq!(server.session("any").read("/api/tests"), json!({}));
}

#[test]
fn a_run_with_more_results_than_a_server_keeps_ends_there_too() {
    let server = Server::start();
    let text = format!("# T\n## 1\n- send: hello\n{}", "- expect path: reflex\n".repeat(5_002));
    let played = play_text("many", &text, &["--url", &format!("http://{}", server.address)]);
    assert_eq!((played.code, played.with("PASS").len()), (Some(0), 5_002), "{}", played.errors);
    assert_eq!(played.errors.matches("too many results in one run").count(), 1, "said once: {}", played.errors);
    let told = server.session("any").read("/api/test/status");
    assert_eq!((&told["running"], &told["current"]), (&json!(false), &json!("")));
    assert_eq!(server.session("any").read("/api/tests")["passed"], 5_000, "and what it has kept is the last run");
}

#[test]
fn a_server_that_goes_away_fails_its_step_and_the_rest_is_skipped() {
    let provider = Provider::start();
    let listen = Some(own_address());
    let mut server = Server::with(&Setting { options: &["--llm-url", &provider.url(), "--model", "puppet"], listen, ..Setting::default() });
    let text = "# T\n## 1\n- send: {\"hold\":\"output\"}\n- expect path: director\n## 2\n- send: hello\n- expect path: reflex\n- expect frames: == 2\n";
    let url = format!("http://{}", server.address);
    let playing = thread::spawn(move || play_text("gone", text, &["--url", &url, "--timeout-ms", "10000", "--coverage"]));
    provider.holds(1);
    server.signal("KILL");
    server.ended();
    let played = playing.join().unwrap();
    assert_eq!((played.code, played.with("FAIL").len(), played.with("SKIP").len()), (Some(1), 1, 3), "{played:?}");
    assert!(played.with("SKIP")[2]["detail"].as_str().unwrap().contains("in line 3 could not be done"), "{}", played.results);
}
