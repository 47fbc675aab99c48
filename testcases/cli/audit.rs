//! `--audit FILE`: who did what, on the real server; and what happens when the file is moved away or can't be written.

use crate::program::run_with;
use crate::support::{Folder, Server, Setting, eventually};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Waits for a line that says this was done.
fn noted(path: &Path, what: &str, outcome: &str) -> Value {
    eventually(&format!("`{what}` in {}", path.display()), || {
        lines(path).into_iter().find(|line| line["what"] == what && line["outcome"] == outcome)
    })
}

#[test]
fn notes_changes_of_graphs_deletions_reloads_and_keys() {
    let folder = Folder::new();
    let path = folder.path().join("audit.log");
    let audit = path.to_str().unwrap();
    let server = Server::with(&Setting { options: &["--audit", audit], ..Setting::default() });
    let session = server.session("noted");
    session.ask("hello, pelican");
    session.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
    session.post("/api/clear", &json!({}));
    session.post("/api/me/delete", &json!({}));
    assert_eq!(run_with(folder.path(), &[], &["reload", "--listen", &server.address.to_string()]).code, Some(0));
    for (what, detail) in
        [("switch_graph", json!("v1-direct")), ("clear", Value::Null), ("delete_data", Value::Null), ("reload", Value::Null)]
    {
        let line = noted(&path, what, "done");
        assert_eq!(line["detail"], detail, "{line}");
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        match what {
            "reload" => assert!(line["who"].as_str().unwrap().starts_with("uid:"), "{line}"),
            _ => assert_eq!(
                (&line["who"], &line["from"], &line["status"]),
                (&json!("anonymous"), &json!("127.0.0.1"), &json!(200)),
                "{line}"
            ),
        }
    }
    assert_eq!(session.call("POST", "/api/graph/switch", Some(&json!({ "name": "v9" }))).status, 404);
    assert_eq!(noted(&path, "switch_graph", "failed")["detail"], "v9");

    let key = |words: &[&str]| run_with(folder.path(), &[], &[&["key"], words, &["--api-keys", "keys.toml", "--audit", audit]].concat());
    let created = key(&["create", "ci", "--scopes", "tests"]);
    assert_eq!((created.code, key(&["revoke", "ci"]).code), (Some(0), Some(0)));
    assert_eq!(noted(&path, "key_create", "done")["detail"], "ci (tests)");
    assert_eq!(noted(&path, "key_revoke", "done")["detail"], "ci");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("pelican") && !text.contains(created.output.trim()), "no message and no key: {text}");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let refused = run_with(folder.path(), &[], &["key", "create", "x", "--api-keys", "keys.toml", "--audit", "none/audit.log"]);
    assert!(refused.code == Some(3) && refused.errors.contains("--audit"), "{refused:?}");
    assert!(!std::fs::read_to_string(folder.path().join("keys.toml")).unwrap().contains("[keys.x]"), "what can't be noted is not done");
}

#[test]
fn goes_on_in_a_new_file_on_sighup_also_when_the_reload_is_refused() {
    let folder = Folder::new();
    let (path, moved) = (folder.path().join("audit.log"), folder.path().join("audit.log.1"));
    let config = folder.write("f.toml", "log = 'info'\n");
    let options = ["--audit", path.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let clear = || drop(server.session("s").post("/api/clear", &json!({})));
    clear();
    noted(&path, "clear", "done");
    std::fs::rename(&path, &moved).unwrap();
    folder.write("f.toml", "log = 'loud'\n");
    server.signal("HUP");
    noted(&path, "reload", "refused");
    clear();
    noted(&path, "clear", "done");
    assert_eq!(lines(&moved).len(), 1);
}

#[test]
fn a_full_disk_is_an_error_in_the_log_and_the_next_line_says_what_is_missing() {
    let folder = Folder::new();
    let path = folder.path().join("audit.log");
    symlink("/dev/full", &path).unwrap();
    let server = Server::with(&Setting { options: &["--audit", path.to_str().unwrap()], ..Setting::default() });
    let clear = || drop(server.session("s").post("/api/clear", &json!({})));
    (0..3).for_each(|_| clear());
    eventually("the error in the log", || server.said().contains("lines of the audit log are lost").then_some(()));
    std::fs::remove_file(&path).unwrap();
    server.signal("HUP");
    let line = noted(&path, "reload", "done");
    assert_eq!(line["lost"], 3, "{line}");
    clear();
    assert_eq!(noted(&path, "clear", "done")["lost"], Value::Null);
    let refused = run_with(folder.path(), &[], &["--listen", "127.0.0.1:0", "--audit", "none/audit.log"]);
    assert!(refused.code == Some(4) && refused.errors.contains("--audit"), "{refused:?}");
}

#[test]
fn the_last_lines_are_written_before_the_server_ends() {
    let folder = Folder::new();
    let path = folder.path().join("audit.log");
    let mut server = Server::with(&Setting { options: &["--audit", path.to_str().unwrap()], ..Setting::default() });
    for session in 0..40 {
        server.session(&format!("s{session}")).post("/api/clear", &json!({}));
    }
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0));
    assert_eq!(lines(&path).iter().filter(|line| line["what"] == "clear").count(), 40);
}
