//! A disk that is full or damaged, or may not be written: the server says so, takes nothing new, loses nothing, and recovers.

use super::support::{Conversation, Folder, Server, Setting, eventually, nobody};
use rustix::fs::{IFlags, Mode, OFlags, ioctl_getflags, ioctl_setflags};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;

/// A server whose data folder can be broken: a file system of its own, in a namespace of its own, or a plain folder.
struct Small {
    child: Child,
    address: std::net::SocketAddr,
    folder: Rc<Folder>,
}

const TMPFS: &str = "mount -t tmpfs -o size=4m tmpfs data";
/// `disk` is a file with a file system of ext4.
const EXT4: &str = "{ e2fsck -p disk >&2; true; } && mount -o loop,errors=remount-ro disk data";

impl Small {
    /// None where the system gives no such namespace.
    fn start() -> Option<Small> {
        let folder = Rc::new(Folder::new());
        fs::create_dir(folder.path().join("data")).unwrap();
        is_mountable(&folder, TMPFS).then(|| Small::mounted(folder, TMPFS))
    }

    fn mounted(folder: Rc<Folder>, mount: &str) -> Small {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("{mount} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_framewright")]);
        Small::run(folder, command)
    }

    fn plain() -> Small {
        let folder = Rc::new(Folder::new());
        fs::create_dir(folder.path().join("data")).unwrap();
        Small::run(folder, Command::new(env!("CARGO_BIN_EXE_framewright")))
    }

    fn run(folder: Rc<Folder>, mut command: Command) -> Small {
        let address = nobody();
        command.args(["serve", "--shards", "2", "--data", "data", "--offline", "--listen", &address.to_string()]);
        command.current_dir(folder.path()).env("FRAMEWRIGHT_DEMO_DELAY_MS", "0").stdin(Stdio::null());
        let said = File::create(folder.path().join("said")).unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let child = command.spawn().unwrap();
        let small = Small { child, address, folder };
        eventually("the server to listen", || std::net::TcpStream::connect(address).is_ok().then_some(()));
        small
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

/// Whether this can be mounted in a namespace of its own; else a line says that the test is skipped.
fn is_mountable(folder: &Folder, mount: &str) -> bool {
    let probe = Command::new("unshare").args(["--mount", "sh", "-c", mount]).current_dir(folder.path()).output();
    let is_mountable = probe.as_ref().is_ok_and(|probe| probe.status.success());
    if !is_mountable {
        let _ = writeln!(std::io::stderr(), "skipped: this machine lets the test mount nothing in a namespace of its own: {probe:?}");
    }
    is_mountable
}

fn ready(session: &Conversation) -> Value {
    session.call("GET", "/readyz", None).json()
}

/// `/readyz` says that the journal fails, and this of it.
fn not_ready(session: &Conversation, why: &str) {
    let told = ready(session);
    assert_eq!((&told["checks"]["journal"]["ok"], &told["code"]), (&json!(false), &json!("journal_unavailable")), "{told}");
    assert!(told["detail"].as_str().unwrap().contains(why), "{told}");
}

/// What was acknowledged stays, refusals say `why`, and after `repair` the server recovers by itself.
fn fails_and_recovers(small: &Small, why: &str, break_it: impl FnOnce(), repair: impl FnOnce()) {
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
    not_ready(&session, why);
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
    fails_and_recovers(&small, "its disk is full", fill, || fs::remove_file(&ballast).unwrap());
}

/// Files that nobody may write, while they are frozen.
struct Frozen(Vec<PathBuf>);

impl Frozen {
    fn set(&self, is_frozen: bool) -> rustix::io::Result<()> {
        self.0.iter().try_for_each(|path| {
            let file = rustix::fs::open(path, OFlags::RDONLY, Mode::empty())?;
            let mut flags = ioctl_getflags(&file)?;
            flags.set(IFlags::IMMUTABLE, is_frozen);
            ioctl_setflags(&file, flags)
        })
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = self.set(false);
    }
}

#[test]
fn a_journal_that_becomes_read_only_is_said_and_survived() {
    let small = Small::plain();
    let frozen = Frozen(["journal.db", "journal.db-wal"].map(|name| small.data().join(name)).into());
    eventually("the journal", || frozen.0.iter().all(|path| path.exists()).then_some(()));
    if let Err(error) = frozen.set(true).and_then(|()| frozen.set(false)) {
        let _ =
            writeln!(std::io::stderr(), "skipped: the file system of the test's folder, or its user's rights, freeze no files: {error}");
        return;
    }
    fails_and_recovers(&small, "it is read-only", || frozen.set(true).unwrap(), || frozen.set(false).unwrap());
}

#[test]
fn a_file_system_that_the_kernel_shuts_down_needs_a_restart_and_loses_nothing() {
    let folder = Rc::new(Folder::new());
    fs::create_dir(folder.path().join("data")).unwrap();
    File::create(folder.path().join("disk")).unwrap().set_len(32 << 20).unwrap();
    let made = Command::new("mkfs.ext4").args(["-q", "disk"]).current_dir(folder.path()).output();
    if !made.as_ref().is_ok_and(|made| made.status.success()) {
        let _ = writeln!(std::io::stderr(), "skipped: no mkfs.ext4: {made:?}");
        return;
    }
    if !is_mountable(&folder, &format!("{EXT4} && umount data")) {
        return;
    }
    let mut small = Small::mounted(folder, EXT4);
    let session = small.session("s");
    session.ask("hello");
    session.memorized();
    let before = session.messages();
    let mounts = fs::read_to_string(format!("/proc/{}/mountinfo", small.child.id())).unwrap();
    let device =
        mounts.lines().find_map(|line| line.contains(" - ext4 /dev/loop").then(|| line.split("/dev/").nth(1)?.split(' ').next())?);
    let mounted = Path::new("/sys/fs/ext4").join(device.unwrap_or_else(|| panic!("{mounts}")));
    if let Err(error) = fs::write(mounted.join("trigger_fs_error"), "this is a test") {
        let _ = writeln!(std::io::stderr(), "skipped: the kernel can't be told to shut down a file system: {error}");
        return;
    }
    let sent = || session.call("POST", "/api/send", Some(&json!({ "text": "hello" })));
    let refused = eventually("a refusal", || Some(sent()).filter(|answer| answer.status == 503 && answer.code() != "unconfirmed"));
    assert_eq!(refused.code(), "journal_unavailable", "{}", refused.text());
    not_ready(&session, "it is read-only");
    small.child.kill().unwrap();
    small.child.wait().unwrap();
    eventually("the end of the mount", || (!mounted.exists()).then_some(()));
    let small = Small::mounted(small.folder.clone(), EXT4);
    let session = small.session("s");
    assert_eq!(session.messages()[..before.len()], before[..]);
    session.ask("hello");
}

#[test]
fn a_journal_that_is_moved_away_is_said_and_written_again_when_it_is_back() {
    let small = Small::plain();
    let (here, away) = (small.data().join("journal.db"), small.data().join("away.db"));
    let (leave, come) = (|| fs::rename(&here, &away).unwrap(), || fs::rename(&away, &here).unwrap());
    let why = "its file was moved or deleted (operators: move it back, or restart the server)";
    fails_and_recovers(&small, why, leave, come);
    // It is noticed where nobody sends anything, too.
    let session = small.session("s");
    leave();
    eventually("the server to notice it", || (ready(&session)["status"] != "ready").then_some(()));
    not_ready(&session, why);
    come();
    eventually("the journal to work again", || (ready(&session)["status"] == "ready").then_some(()));
    session.ask("hello");
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
    let says = "the journal fails: new messages are refused until the server is restarted with a restored backup";
    eventually("the line in the log", || server.said().contains(says).then_some(()));
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
