//! The server as a process that listens on a Unix socket, or on what a supervisor hands it.

use crate::support::http::Wire;
use crate::support::{Folder, eventually, server};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) struct Process {
    pub(crate) folder: Folder,
    child: Child,
    said: Arc<Mutex<String>>,
}

/// The program that holds sockets as systemd does, and passes them on.
const ACTIVATE: &str = "systemd-socket-activate";

impl Process {
    /// One on a Unix socket of its own, in its folder.
    pub(crate) fn on_a_unix_socket(options: &[&str]) -> Process {
        Process::in_folder(Folder::new(), options)
    }

    pub(crate) fn in_folder(folder: Folder, options: &[&str]) -> Process {
        let mut command = server::framewright(folder.path());
        command.args(["serve", "--shards", "2", "--listen", &format!("unix:{}/a.sock", folder.path().display())]).args(options);
        Process::start(folder, command)
    }

    /// Starts a server and waits for its first line.
    pub(crate) fn start(folder: Folder, mut command: Command) -> Process {
        let child = command.env("FRAMEWRIGHT_DEMO_DELAY_MS", "0").spawn().unwrap();
        Process::of(folder, child)
    }

    fn of(folder: Folder, mut child: Child) -> Process {
        let said = Arc::new(Mutex::new(String::new()));
        for output in [Box::new(child.stdout.take().unwrap()) as Box<dyn Read + Send>, Box::new(child.stderr.take().unwrap())] {
            let said = said.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    *said.lock().unwrap() += &format!("{line}\n");
                }
            });
        }
        let mut process = Process { folder, child, said };
        eventually("the server's first line", || {
            assert!(process.child.try_wait().unwrap().is_none(), "the server ended instead of starting: {}", process.said());
            process.said().contains("model: ").then_some(())
        });
        process
    }

    /// A server as systemd starts one: `systemd-socket-activate` holds these sockets (`ListenStream=`), and becomes the server
    /// when someone connects.
    pub(crate) fn activated(folder: Folder, sockets: &[&str], options: &[&str]) -> Process {
        let mut child =
            activated(&folder, sockets, options).spawn().unwrap_or_else(|error| panic!("{ACTIVATE} (package systemd): {error}"));
        let first = sockets[0].to_owned();
        let _visitor = eventually("the sockets", || {
            assert!(child.try_wait().unwrap().is_none(), "{ACTIVATE} ended");
            visit(&first)
        });
        Process::of(folder, child)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("a.sock")
    }

    /// As `--listen` and `--url` name it.
    pub(crate) fn listen(&self) -> String {
        format!("unix:{}", self.path().display())
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::open_file(&self.path())
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap().success());
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually("the server's end", || self.child.try_wait().unwrap())
    }
}

/// The command that holds these sockets and passes them on.
pub(crate) fn activated(folder: &Folder, sockets: &[&str], options: &[&str]) -> Command {
    let server = server::framewright(folder.path());
    let mut command = Command::new(ACTIVATE);
    command.args(["-E", "FRAMEWRIGHT_OFFLINE=1", "-E", "FRAMEWRIGHT_DEMO_DELAY_MS=0"]);
    for socket in sockets {
        command.args(["-l", socket]);
    }
    command.arg(server.get_program()).args(["serve", "--shards", "2"]).args(options).current_dir(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Something that connects.
fn visit(socket: &str) -> Option<OwnedFd> {
    if socket.starts_with('/') {
        UnixStream::connect(socket).ok().map(OwnedFd::from)
    } else {
        TcpStream::connect(socket).ok().map(OwnedFd::from)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the server said: {}", self.said());
        } else {
            assert!(!self.said().contains("panicked"), "the server panicked: {}", self.said());
        }
    }
}
