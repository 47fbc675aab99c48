//! The model process, a server with short deadlines in front of it, and what is watched of the server from outside.

use crate::support::{Conversation, Server, Setting, eventually};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub(crate) const CONNECT_MS: u64 = 1_000;
pub(crate) const FIRST_TOKEN_MS: u64 = 1_500;
pub(crate) const NEXT_TOKEN_MS: u64 = 1_500;
pub(crate) const CALL_MS: u64 = 4_000;

/// What a call may take beyond its deadline on a machine that is busy: far less than without any deadline.
pub(crate) const GRACE_MS: u64 = 30_000;

/// A shard that waited for a model would answer nobody for as long as the shortest of its deadlines.
pub(crate) const HEALTH_TIME_MAX: Duration = Duration::from_millis(CONNECT_MS);

/// A question that every path of the demo answers, and how it begins to.
pub(crate) const QUESTION: &str = "why is the sky blue?";
pub(crate) const ANSWER: &str = "Sunlight holds all colours.";

/// The model server. It prints its address, and then a line for each thing that happens.
pub(crate) struct Model {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Model {
    pub(crate) fn start(delay_ms: u64) -> Model {
        // Cargo builds examples before it runs tests, into a folder beside the binary.
        let program = Path::new(env!("CARGO_BIN_EXE_framewright")).with_file_name("examples").join("model");
        let mut command = Command::new(&program);
        command.args(["--delay-ms", &delay_ms.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}; `cargo build --examples` builds it", program.display()));
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (output, into) = (child.stdout.take().unwrap(), lines.clone());
        thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).for_each(|line| into.lock().unwrap().push(line)));
        Model { child, lines }
    }

    pub(crate) fn url(&self) -> String {
        eventually("the model's address", || self.lines.lock().unwrap().first().cloned())
    }

    /// Waits for a line that begins like this; the line, and how long after `since` it was seen.
    pub(crate) fn says(&self, begins: &str, since: Instant) -> (String, Duration) {
        self.says_one_of(&[begins], since)
    }

    /// Waits until it says that it is rid of a request: before its fault began, or in the middle of it.
    pub(crate) fn is_rid_of(&self, number: &str, since: Instant) -> (String, Duration) {
        self.says_one_of(&[&format!("closed {number} after "), &format!("faulty {number}")], since)
    }

    fn says_one_of(&self, begins: &[&str], since: Instant) -> (String, Duration) {
        let is_one = |line: &&String| begins.iter().any(|begins| line.starts_with(begins));
        let line = eventually(begins[0], || self.lines.lock().unwrap().iter().find(is_one).cloned());
        (line, since.elapsed())
    }

    /// Waits until the number of this role's first request is known.
    pub(crate) fn number_of(&self, role: &str) -> String {
        eventually(role, || {
            let lines = self.lines.lock().unwrap();
            let request = lines.iter().find(|line| line.starts_with("request ") && line.split(' ').nth(2) == Some(role))?;
            request.split(' ').nth(1).map(str::to_owned)
        })
    }

    /// A server that asks this model and waits for it long, for tests of what ends earlier than any deadline.
    pub(crate) fn patient_server(&self, more: &[&str]) -> Server {
        let patient = ["--connect-ms", "30000", "--first-token-ms", "60000", "--next-token-ms", "60000", "--call-ms", "120000"];
        server_before(&self.url(), &[&patient, more].concat())
    }

    /// A server with short deadlines that asks this model.
    pub(crate) fn server(&self, more: &[&str]) -> Server {
        server_before(&self.url(), more)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with short deadlines, but for those that are set here, that asks the model at this address.
pub(crate) fn server_before(url: &str, more: &[&str]) -> Server {
    let deadlines =
        [("--connect-ms", CONNECT_MS), ("--first-token-ms", FIRST_TOKEN_MS), ("--next-token-ms", NEXT_TOKEN_MS), ("--call-ms", CALL_MS)];
    let deadlines = deadlines.iter().filter(|(name, _)| !more.contains(name)).map(|(name, limit)| format!("{name}={limit}"));
    let deadlines: Vec<String> = deadlines.collect();
    let mut options = [&["--llm-url", url, "--model", "faulty"], more].concat();
    options.extend(deadlines.iter().map(String::as_str));
    Server::with(&Setting { options: &options, ..Setting::default() })
}

/// What a user reads of a failed turn: one plain sentence or two.
pub(crate) fn assert_is_a_sentence(error: &Value, about: &str) {
    let text = error.as_str().unwrap_or_else(|| panic!("{about}: a sentence, not {error}"));
    let begins = text.chars().next().is_some_and(char::is_uppercase);
    assert!(begins && text.ends_with('.') && text.contains(' ') && text.len() < 200, "{about}: {text}");
    assert_shows_nothing_of_the_inside(text, about);
}

/// Nothing of what a fault says of itself, and nothing of ours that is not for users.
pub(crate) fn assert_shows_nothing_of_the_inside(text: &str, about: &str) {
    for inside in ["sk-inside", "10.9.8.7", "inside.py", "x-inside", "SSH-2.0", "<html", "ureq", "panicked", "src/", "os error"] {
        let shown = text.find(inside).map(|at| text.chars().skip(at.saturating_sub(100)).take(250).collect::<String>());
        assert_eq!(shown, None, "{about}: `{inside}` is shown");
    }
}

/// Everything that a session tells anyone.
pub(crate) fn all_of(session: &Conversation) -> String {
    let paths = ["/api/trace?last=500", "/api/result", "/api/frames?last=20", "/api/history?last=200", "/api/state", "/api/poll"];
    let turns = ["/api/turn?id=msg_1", "/api/turn?id=msg_2"];
    paths.iter().chain(&turns).map(|path| session.call("GET", path, None).text()).collect::<Vec<_>>().join("\n")
}

/// Asks for the server's health all the while.
pub(crate) struct Pulse {
    ends: Arc<AtomicBool>,
    asking: JoinHandle<Vec<Duration>>,
}

impl Pulse {
    pub(crate) fn of(server: &Server) -> Pulse {
        let (ends, mut wire) = (Arc::<AtomicBool>::default(), server.connect());
        let told = ends.clone();
        let asking = thread::spawn(move || {
            let mut times = Vec::new();
            while !told.load(Ordering::Relaxed) {
                let begun = Instant::now();
                assert_eq!(wire.ask("GET", "/health", None).status, 200);
                times.push(begun.elapsed());
                thread::sleep(Duration::from_millis(10));
            }
            times
        });
        Pulse { ends, asking }
    }

    /// The median of all answers' times, and how many there were.
    pub(crate) fn end(self) -> (Duration, usize) {
        self.ends.store(true, Ordering::Relaxed);
        let mut times = self.asking.join().unwrap();
        times.sort_unstable();
        (times[times.len() / 2], times.len())
    }
}

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vitals {
    pub(crate) memory_kb: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
}

impl Vitals {
    pub(crate) fn of(pid: u32) -> Vitals {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        Vitals { memory_kb: number("VmRSS:"), descriptors, threads: number("Threads:") }
    }
}

/// A session that nothing happens to: it asks the same again and again, and every turn must be answered.
pub(crate) struct Healthy {
    ends: Arc<AtomicBool>,
    asking: JoinHandle<usize>,
}

impl Healthy {
    pub(crate) fn in_session(address: SocketAddr, name: &str) -> Healthy {
        let (ends, session) = (Arc::<AtomicBool>::default(), Conversation::new(address, name));
        let told = ends.clone();
        let asking = thread::spawn(move || {
            let mut turns = 0;
            while !told.load(Ordering::Relaxed) {
                let result = session.result_of(&session.send(QUESTION));
                assert!(result["response"].as_str().is_some_and(|answer| answer.starts_with(ANSWER)), "another session notices: {result}");
                turns += 1;
                thread::sleep(Duration::from_millis(50));
            }
            turns
        });
        Healthy { ends, asking }
    }

    /// How many turns it had.
    pub(crate) fn end(self) -> usize {
        self.ends.store(true, Ordering::Relaxed);
        self.asking.join().unwrap()
    }
}
