//! The wall clock jumps under a running server: nothing times out early, and nothing waits longer than it should.

use super::support::{Folder, Provider, Server, eventually, in_parallel};
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Puts the wall clock of a process, and only that, under the test's control (Debian: `apt-get install faketime`).
fn library() -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    found.expect("libfaketime is missing: apt-get install faketime")
}

#[test]
fn a_wall_clock_that_jumps_moves_no_deadline() {
    // An hour either way; two days is more than any deadline.
    in_parallel(["-3600", "+3600", "+172800"], jumps_by);
}

fn jumps_by(jump: &str) {
    let (provider, folder) = (Provider::start(), Folder::new());
    let (clock, library) = (folder.path().join("clock"), library());
    std::fs::write(&clock, "+0").unwrap();
    let url = provider.url();
    let arguments = ["serve", "--shards", "2", "--listen", "127.0.0.1:0", "--llm-url", &url, "--model", "puppet", "--call-ms", "20000"];
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let server = Server::of(&arguments, &environment);
    // Day and hour.
    let date = || server.connect().ask("GET", "/health", None).header("date").unwrap()[..19].to_owned();

    let kept = server.session("kept");
    kept.ask(&json!({ "say": "hello" }).to_string());
    let mut idle = server.session("idle").attached();
    let hold = json!({ "text": json!({ "hold": "output", "after": 2, "say": "one two three" }).to_string() });
    let (mut running, mut stuck) = (server.session("running").attached(), server.session("stuck").attached());
    for chat in [&mut running, &mut stuck] {
        chat.say(&hold);
        chat.until(|message| message["content"] == "two ");
    }
    provider.holds(2);
    let (mut half, mut never) = (server.connect(), server.connect());
    half.send("GET /health HTTP/1.1\r\nHost: local");
    never.send("GET /health HTTP/1.1\r\nHost: local");

    let before = date();
    std::fs::write(&clock, jump).unwrap();
    eventually("the server's new date", || (date() != before).then_some(()));
    // Anything that goes by the wall clock gets its chance.
    thread::sleep(Duration::from_millis(600));

    half.send("host\r\n\r\n");
    assert_eq!(half.answer().status, 200, "{jump}: half a request");
    idle.say(&json!({ "text": json!({ "say": "still here" }).to_string() }));
    idle.until_done("msg_1");
    provider.release(1);
    // One of the two goes on; the other one runs into the longest time that a call may take.
    let ends = in_parallel([running, stuck], |mut chat| chat.until_done("msg_1").pop().unwrap());
    let failed: Vec<bool> = ends.iter().map(|end| end["error"].is_string()).collect();
    assert_ne!(failed[0], failed[1], "{jump}: {ends:?}");
    assert_eq!(kept.messages().len(), 2, "{jump}: an idle session");
    let mut rest = Vec::new();
    never.stream.read_to_end(&mut rest).unwrap();
    assert!(!String::from_utf8_lossy(&rest).contains(" 200 "), "{jump}: a request that never ends");
}
