//! The server as a process: started on a free port with a folder of its own, ended with the test.
//!
//! Whatever a test does, the server must not panic: that is looked for in what it says when it ends.

use super::conversation::Conversation;
use super::folder::Folder;
use super::http::Wire;
use super::patience::{PATIENCE, eventually};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What a test may set of a server; everything else is as it comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setting<'a> {
    pub(crate) options: &'a [&'a str],
    /// Instead of a free port of 127.0.0.1.
    pub(crate) listen: Option<SocketAddr>,
    /// Between two words of the demo model's answers.
    pub(crate) word_ms: u64,
    /// Instead of one of its own.
    pub(crate) data: Option<&'a Path>,
    /// Instead of the data folder.
    pub(crate) working_folder: Option<&'a Path>,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) folder: Folder,
    child: Child,
    said: Arc<Mutex<String>>,
    /// They end with its outputs.
    readers: Vec<JoinHandle<()>>,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// The environment variable that sets the demo model's pause between two words, in milliseconds.
const WORD_MS: &str = "FRAMEWRIGHT_DEMO_DELAY_MS";

impl Server {
    /// A server of two shards whose demo model answers at once.
    pub(crate) fn start() -> Server {
        Server::with(&Setting::default())
    }

    pub(crate) fn with(setting: &Setting<'_>) -> Server {
        let folder = Folder::new();
        let data = setting.data.unwrap_or(folder.path());
        let mut command = framewright(setting.working_folder.unwrap_or(folder.path()));
        let listen = setting.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0))).to_string();
        command.args(["serve", "--shards", "2", "--listen", &listen, "--data"]).arg(data).args(setting.options);
        command.env(WORD_MS, setting.word_ms.to_string());
        Server::begin(folder, command)
    }

    /// A server with these arguments, whole, and these variables in its environment.
    pub(crate) fn of(arguments: &[&str], environment: &[(&str, &str)]) -> Server {
        let folder = Folder::new();
        let mut command = framewright(folder.path());
        command.args(arguments).env(WORD_MS, "0").envs(environment.iter().copied());
        Server::begin(folder, command)
    }

    fn begin(folder: Folder, mut command: Command) -> Server {
        let mut child = command.spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let readers = vec![note(child.stdout.take().unwrap(), said.clone()), note(child.stderr.take().unwrap(), said.clone())];
        let address = eventually("the server's start-up line", || {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the server ended ({status}) instead of starting: {}", said.lock().unwrap());
            }
            address_in(&said.lock().unwrap())
        });
        Server { address, folder, child, said, readers }
    }

    /// A connection that nothing has been said on.
    pub(crate) fn connect(&self) -> Wire {
        Wire::open(self.address)
    }

    /// A session by its name.
    pub(crate) fn session(&self, name: &str) -> Conversation {
        Conversation::new(self.address, name)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many files and sockets it has open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// What it has said on its outputs.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Sends it a signal, by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().unwrap();
        assert!(status.success(), "the signal {name} could not be sent");
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        eventually("the server's end", || self.child.try_wait().unwrap())
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
        let said = self.said();
        if !thread::panicking() {
            assert!(!said.contains("panicked"), "the server panicked: {said}");
        } else if !said.is_empty() {
            eprintln!("the server said: {said}");
        }
    }
}

/// Runs a command of the binary to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Ended {
    run_for(PATIENCE, folder, arguments)
}

/// Runs a command that may take a while.
pub(crate) fn run_for(patience: Duration, folder: &Path, arguments: &[&str]) -> Ended {
    let mut child = framewright(folder).args(arguments).spawn().unwrap();
    let read = |mut from: Box<dyn Read + Send>| {
        thread::spawn(move || {
            let mut text = String::new();
            from.read_to_string(&mut text).unwrap();
            text
        })
    };
    let output = read(Box::new(child.stdout.take().unwrap()));
    let errors = read(Box::new(child.stderr.take().unwrap()));
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > patience {
            let _ = child.kill();
            panic!("`framewright {}` does not end", arguments.join(" "));
        }
        thread::sleep(Duration::from_millis(10));
    };
    Ended { code: status.code(), output: output.join().unwrap(), errors: errors.join().unwrap() }
}

/// The binary, in an environment that says nothing to it.
pub(crate) fn framewright(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framewright"));
    // Settings and keys, and what a terminal or a network would have it do.
    let heard = ["FRAMEWRIGHT_", "OPENAI_", "OPENROUTER_", "ANTHROPIC_", "NO_COLOR", "COLUMNS", "OTEL_"];
    let is_heard = |name: &str| heard.iter().any(|start| name.starts_with(start)) || name.to_ascii_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_heard)) {
        command.env_remove(name);
    }
    // Whatever model servers run on this machine, a test means the demo unless it says otherwise.
    command.env("FRAMEWRIGHT_OFFLINE", "1").current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn note(from: impl Read + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut into = into.lock().unwrap();
            into.push_str(&line);
            into.push('\n');
        }
    })
}

fn address_in(said: &str) -> Option<SocketAddr> {
    // Warnings may come first, with addresses of others in them.
    let first = said.lines().find(|line| line.starts_with("framewright "))?;
    let (_, rest) = first.split_once("http://")?;
    let end = rest.find(|sign: char| !(sign.is_ascii_digit() || sign == '.' || sign == ':'))?;
    rest[..end].parse().ok()
}
