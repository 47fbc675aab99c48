//! What was spent of a day's budget stays spent over a restart, whatever ended the server, until the day is over.

use super::support::http::{Answer, Wire};
use super::support::{Folder, Provider, Server, eventually};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Puts the wall clock of a process under the test's control (Debian: `apt-get install faketime`).
fn faketime() -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
    let found = folders.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1")).find(|path| path.exists());
    found.expect("libfaketime is missing: apt-get install faketime")
}

/// Servers that have one data folder after another, with users whom a proxy names and a clock of their own.
struct Servers {
    provider: Provider,
    folder: Folder,
    server: Server,
    durability: &'static str,
}

impl Servers {
    fn start(durability: &'static str) -> Servers {
        let (provider, folder) = (Provider::start(), Folder::new());
        std::fs::write(folder.path().join("clock"), "@2025-03-01 10:00:00").unwrap();
        let server = serve(&provider, &folder, durability);
        Servers { provider, folder, server, durability }
    }

    fn restart(&mut self, signal: &str) {
        self.server.signal(signal);
        self.server.ended();
        self.server = serve(&self.provider, &self.folder, self.durability);
    }

    fn set_clock(&self, to: &str) {
        std::fs::write(self.folder.path().join("clock"), format!("@{to}")).unwrap();
    }

    fn call(&self, user: &str, method: &str, target: &str, body: &str) -> Answer {
        let mut wire = Wire::open(self.server.address);
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
        wire.send(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Remote-User: {user}\r\n{length}\r\n{body}"));
        wire.answer()
    }

    /// Sends a message, again where the journal is slow to answer; its id makes it one message.
    fn send(&self, user: &str, session: &str) -> Answer {
        static SENT: AtomicU32 = AtomicU32::new(0);
        let id = format!("m{}", SENT.fetch_add(1, Ordering::Relaxed));
        let body = json!({ "text": json!({ "say": "one two" }).to_string(), "id": id }).to_string();
        let send = || self.call(user, "POST", &format!("/api/send?session={session}"), &body);
        eventually("the message to be answered", || Some(send()).filter(|answer| answer.status != 503))
    }

    /// Sends a message and waits for the end of all that it leads to.
    fn talk(&self, user: &str, session: &str) {
        let sent = self.send(user, session);
        assert_eq!(sent.status, 200, "{}", sent.text());
        eventually("the end of the turn and of what runs behind it", || {
            let result = self.call(user, "GET", &format!("/api/result?session={session}"), "").json();
            let state = self.call(user, "GET", &format!("/api/state?session={session}"), "").json();
            (result["status"] == "done" && state["memorizing"] == false).then_some(())
        });
    }

    /// What is left of the budget, by any shard.
    fn left(&self, user: &str, session: &str) -> Value {
        let state = || self.call(user, "GET", &format!("/api/state?session={session}"), "");
        eventually("the state", || Some(state()).filter(|answer| answer.status == 200)).json()["budget"].clone()
    }

    fn refuses(&self, user: &str, session: &str) {
        let refused = self.send(user, session);
        assert_eq!((refused.status, refused.code().as_str()), (429, "budget_used_up"), "{user} in {session}: {}", refused.text());
    }
}

fn serve(provider: &Provider, folder: &Folder, durability: &str) -> Server {
    let (url, data, clock) = (provider.url(), folder.path().join("data"), folder.path().join("clock"));
    let options = "serve --shards 2 --listen 127.0.0.1:0 --model puppet --auth-header X-Remote-User --trusted-proxy 127.0.0.1 \
                   --price puppet=1000,2000 --day-turns 3 --day-tokens 100000 --day-cost 50";
    let more = ["--llm-url", &url, "--data", data.to_str().unwrap(), "--durability", durability];
    let arguments: Vec<&str> = options.split_whitespace().chain(more).collect();
    let library = faketime();
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    Server::of(&arguments, &environment)
}

#[test]
fn a_restart_gives_no_budget_back_and_a_new_day_does() {
    let mut servers = Servers::start("turn");
    servers.talk("ada", "one");
    servers.talk("ada", "two");
    servers.talk("bob", "one");
    let before = servers.left("ada", "one");
    assert_eq!(before["turns"], json!({ "limit": 3, "left": 1 }), "{before}");
    assert!(before["tokens"]["left"].as_u64().unwrap() < 100_000 && before["cost"]["left"].as_f64().unwrap() < 50.0, "{before}");
    servers.restart("KILL");
    for session in ["one", "two", "three", "four"] {
        let after = servers.left("ada", session);
        assert_eq!(
            [&after["turns"], &after["tokens"], &after["cost"]],
            [&before["turns"], &before["tokens"], &before["cost"]],
            "each shard knows it"
        );
    }
    servers.talk("ada", "three");
    for signal in ["KILL", "TERM"] {
        servers.restart(signal);
        ["one", "two", "three", "four"].iter().for_each(|session| servers.refuses("ada", session));
        assert_eq!(servers.left("ada", "one")["turns"]["left"], 0);
        assert_eq!(servers.call("ada", "GET", "/api/me", "").json()["budget"]["turns"]["left"], 0);
    }
    assert_eq!(servers.left("bob", "one")["turns"]["left"], 2, "another user has what that user had");
    // Deleting everything gives nothing back, neither at once nor after a restart.
    assert_eq!(servers.call("ada", "POST", "/api/me/delete", "").status, 200);
    servers.restart("KILL");
    servers.refuses("ada", "one");
    // Nor does a clock that is set back.
    servers.set_clock("2025-02-20 10:00:00");
    servers.restart("KILL");
    servers.refuses("ada", "one");
    servers.set_clock("2025-03-02 00:00:01");
    servers.restart("KILL");
    servers.talk("ada", "one");
    assert_eq!(servers.left("ada", "one")["turns"]["left"], 2);
}

#[test]
fn what_runs_again_after_a_crash_is_paid_for_by_its_user() {
    let (provider, folder) = (Provider::start(), Folder::new());
    std::fs::write(folder.path().join("clock"), "@2025-03-01 10:00:00").unwrap();
    let server = serve(&provider, &folder, "turn");
    let mut servers = Servers { provider, folder, server, durability: "turn" };
    let text = json!({ "hold": "memorizer", "say": "one two" }).to_string();
    let sent = servers.call("ada", "POST", "/api/send?session=one", &json!({ "text": text }).to_string());
    assert_eq!(sent.status, 200, "{}", sent.text());
    servers.provider.holds(1);
    let before = servers.left("ada", "one")["tokens"]["left"].as_u64().unwrap();
    servers.restart("KILL");
    servers.provider.hung_up(1);
    // The memorizer is given again what it had not finished.
    servers.left("ada", "one");
    servers.provider.holds(1);
    servers.provider.release(1);
    let after =
        eventually("what the memorizer has used", || servers.left("ada", "one")["tokens"]["left"].as_u64().filter(|left| *left < before));
    assert_eq!(before - after, 15, "one call of the puppet");
}

#[test]
fn without_a_journal_a_restart_gives_the_budget_back() {
    let mut servers = Servers::start("none");
    servers.talk("ada", "one");
    assert_eq!(servers.left("ada", "one")["turns"]["left"], 2);
    servers.restart("KILL");
    assert_eq!(servers.left("ada", "one")["turns"]["left"], 3);
}
