//! A disk that is full or damaged, or may not be written: the server says so, takes nothing new, loses nothing, and recovers.

use super::support::{Conversation, Folder, Server, Setting, eventually, nobody};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A server whose data folder is a small file system of its own, in a namespace of its own.
struct Small {
    child: Child,
    address: std::net::SocketAddr,
    folder: Folder,
}

impl Small {
    /// None where the system gives no such namespace.
    fn start() -> Option<Small> {
        let folder = Folder::new();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let mut probe = Command::new("unshare");
        probe.args(["--mount", "mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(&data).stderr(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            let _ = writeln!(std::io::stderr(), "skipped: the system allows no mount namespace");
            return None;
        }
        let address = nobody();
        let script = "mount -t tmpfs -o size=4m tmpfs \"$1\" && exec \"$2\" serve --listen \"$3\" --shards 2 --data \"$1\" --offline";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&data).arg(env!("CARGO_BIN_EXE_framewright")).arg(address.to_string());
        command.current_dir(folder.path()).env("FRAMEWRIGHT_DEMO_DELAY_MS", "0").stdin(Stdio::null());
        let said = File::create(folder.path().join("said")).unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let child = command.spawn().unwrap();
        let small = Small { child, address, folder };
        eventually("the server to listen", || std::net::TcpStream::connect(address).is_ok().then_some(()));
        Some(small)
    }

    fn session(&self, name: &str) -> Conversation {
        Conversation::new(self.address, name)
    }

    /// The data folder as the server sees it.
    fn data(&self) -> PathBuf {
        let inside = self.folder.path().join("data");
        Path::new("/proc").join(self.child.id().to_string()).join("root").join(inside.strip_prefix("/").unwrap())
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.path().join("said")).unwrap()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        assert!(std::thread::panicking() || !self.said().contains("panicked"), "{}", self.said());
    }
}

fn ready(session: &Conversation) -> Value {
    session.call("GET", "/readyz", None).json()
}

/// What was acknowledged stays, refusals say why, and after `repair` the server recovers by itself.
fn fails_and_recovers(small: &Small, break_it: impl FnOnce(), repair: impl FnOnce()) {
    let session = small.session("s");
    session.ask("hello");
    session.memorized();
    let before = session.messages();
    break_it();
    let long = format!("why is the sky blue? {}", "x".repeat(20_000));
    let refused = eventually("a refusal", || {
        let answer = session.call("POST", "/api/send", Some(&json!({ "text": long })));
        if answer.status == 503 && answer.code() == "unconfirmed" {
            // It was taken before the failure was known, and runs below.
            assert!(answer.json()["id"].as_str().is_some_and(|id| id.starts_with("msg_")), "{}", answer.text());
        } else if answer.status == 503 {
            return Some(answer);
        }
        // A turn that is not kept to its end is not shown either.
        let ended = eventually("the end of a turn, or a refusal", || {
            let result = session.call("GET", "/api/result", None);
            (result.status != 200 || result.json()["status"] != "running").then_some(result)
        });
        (ended.status == 503).then_some(ended)
    });
    assert_eq!((refused.status, refused.code().as_str()), (503, "journal_unavailable"), "{}", refused.text());
    let told = ready(&session);
    assert_eq!((&told["checks"]["journal"]["ok"], &told["code"]), (&json!(false), &json!("journal_unavailable")), "{told}");
    eventually("the line in the log", || small.said().contains("the journal fails").then_some(()));
    repair();
    eventually("the journal to work again", || (ready(&session)["status"] == "ready").then_some(()));
    // What was handed to the journal before it failed was kept after all, and runs to its end.
    eventually("the end of what ran", || (session.result()["status"] != "running").then_some(()));
    session.memorized();
    session.ask("hello");
    let messages = session.messages();
    assert_eq!(messages[..before.len()], before[..], "what was acknowledged is there");
}

#[test]
fn a_full_disk_is_said_and_survived() {
    let Some(small) = Small::start() else { return };
    let ballast = small.data().join("ballast");
    let fill = || {
        let mut file = File::create(&ballast).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    };
    fails_and_recovers(&small, fill, || fs::remove_file(&ballast).unwrap());
}

#[test]
fn a_folder_that_may_not_be_written_is_refused_at_the_start() {
    let folder = Folder::new();
    let ended = super::support::run(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data", "/proc/framewright"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.errors.contains("/proc/framewright") && ended.errors.contains("--data"), "{ended:?}");
}

#[test]
fn a_damaged_journal_is_said_and_nothing_new_is_taken() {
    let data = Folder::new();
    let setting = Setting { data: Some(data.path()), ..Setting::default() };
    let mut server = Server::with(&setting);
    for name in ["a", "b", "c"] {
        for _ in 0..4 {
            server.session(name).ask("why is the sky blue?");
        }
        server.session(name).memorized();
    }
    server.signal("TERM");
    server.ended();
    let path = data.path().join("journal.db");
    // What is still in the log would hide what is wrong with the file.
    let database = rusqlite::Connection::open(&path).unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(database);
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    let bytes = file.metadata().unwrap().len();
    // The pages behind the schema, where conversations are.
    let mut page = [0; 4096];
    for at in (bytes / 4096 / 2..bytes / 4096).map(|page| page * 4096) {
        file.seek(SeekFrom::Start(at)).unwrap();
        file.read_exact(&mut page).unwrap();
        page[..64].fill(0xa5);
        file.seek(SeekFrom::Start(at)).unwrap();
        file.write_all(&page).unwrap();
    }
    drop(file);
    let server = Server::with(&setting);
    // Which of them lies where depends on how they were written.
    let read: Vec<_> = ["a", "b", "c"].iter().map(|name| server.session(name).call("GET", "/api/history", None)).collect();
    let refused: Vec<_> = read.iter().filter(|read| read.status != 200).collect();
    assert!(!refused.is_empty(), "none of them was refused");
    for read in refused {
        assert_eq!((read.status, read.code().as_str()), (503, "journal_unavailable"), "{}", read.text());
    }
    let session = server.session("a");
    let told = ready(&session);
    assert_eq!((&told["status"], &told["code"]), (&json!("not_ready"), &json!("journal_unavailable")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains("damaged"), "{told}");
    let sent = server.session("new").call("POST", "/api/send", Some(&json!({ "text": "hello" })));
    assert_eq!((sent.status, sent.code().as_str()), (503, "journal_unavailable"), "{}", sent.text());
}

#[test]
fn what_is_no_journal_is_refused_at_the_start_and_left_alone() {
    for (text, says) in [("this is a letter to my mother, and not a journal at all. ".repeat(100), "journal"), (String::new(), "")] {
        let folder = Folder::new();
        folder.write("journal.db", &text);
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", folder.path().to_str().unwrap()];
        if says.is_empty() {
            // A file with nothing in it is a journal that begins.
            drop(Server::of(&arguments, &[]));
            continue;
        }
        let ended = super::support::run(folder.path(), &arguments);
        assert_eq!(ended.code, Some(4), "{ended:?}");
        assert!(ended.errors.contains("journal.db") && !ended.errors.contains("panicked"), "{ended:?}");
        assert_eq!(fs::read_to_string(folder.path().join("journal.db")).unwrap(), text);
    }
}
