//! Conversations with the real program, over HTTP and event streams: on the built-in demo model, and on the same model as a
//! process of its own behind the provider's wire.
//!
//! Answers, paths and frames must be the same on both: nothing in the program may know which of the two it talks to.
#![allow(clippy::unwrap_used, reason = "a test of whole programs, in which every function is part of a test")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);

/// A process that we started; it ends with us.
struct Process {
    child: Child,
    /// `127.0.0.1:<port>`.
    address: String,
    lines: Mutex<Receiver<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Process {
    /// Starts a program that says its address in its first line.
    fn start(program: PathBuf, arguments: &[&str]) -> Process {
        let mut command = Command::new(&program);
        let is_ours = |name: &str| ["FRAMEWRIGHT_", "OPENAI_", "OPENROUTER_", "ANTHROPIC_"].iter().any(|start| name.starts_with(start));
        for (name, _) in std::env::vars().filter(|(name, _)| is_ours(name)) {
            command.env_remove(name);
        }
        let child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{}: {error}; build it with `cargo build --examples`", program.display()));
        let (to, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] = [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let to = to.clone();
            thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).all(|line| to.send(line).is_ok()));
        }
        let first = lines.recv_timeout(PATIENCE).expect("the program says where it is");
        let address = first.split("http://").nth(1).unwrap_or_else(|| panic!("no address in `{first}`"));
        let address = address.split([' ', '/']).next().unwrap_or_default().to_owned();
        Process { child, address, lines: Mutex::new(lines) }
    }

    fn server(arguments: &[&str]) -> Process {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_framewright"));
        Process::start(program, &[&["--listen", "127.0.0.1:0", "--offline", "--durability", "none"], arguments].concat())
    }

    fn model(word_pause_ms: &str) -> Process {
        let folder = PathBuf::from(env!("CARGO_BIN_EXE_framewright"));
        Process::start(folder.with_file_name("examples").join("model"), &["--delay-ms", word_pause_ms])
    }

    fn server_with(model: &Process) -> Process {
        Process::server(&["--llm-url", &format!("http://{}/v1", model.address), "--model", "demo-over-http"])
    }

    /// Waits for a line that begins like this.
    fn says(&self, begins: &str) {
        self.says_one_of(&[begins]);
    }

    fn says_one_of(&self, begins: &[&str]) {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.lines.lock().unwrap().recv_timeout(until.saturating_duration_since(Instant::now())).expect(begins[0]);
            if begins.iter().any(|begins| line.starts_with(begins)) {
                return;
            }
        }
    }

    fn request(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + body).as_bytes()).unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut answer = String::new();
        self.request(method, path, body).read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    fn send(&self, session: &str, text: &str) -> Value {
        self.ask("POST", &format!("/api/send?session={session}"), &json!({"text": text}).to_string())["id"].clone()
    }

    /// One turn: the answer, its path and its frames.
    fn turn(&self, session: &str, text: &str) -> (String, String, u64) {
        let id = self.send(session, text);
        let until = Instant::now() + PATIENCE;
        let result = loop {
            let result = self.ask("GET", &format!("/api/result?session={session}"), "");
            if result["status"] != "running" {
                break result;
            }
            assert!(Instant::now() < until, "{text}: {result}");
            thread::sleep(Duration::from_millis(10));
        };
        assert_eq!((&result["status"], &result["id"]), (&json!("done"), &id), "{text}: {result}");
        let trace = &self.ask("GET", &format!("/api/frames?session={session}&last=1"), "")["last_trace"];
        assert_eq!((&trace["id"], trace["frames"].as_array().unwrap().len() as u64), (&id, trace["total_frames"].as_u64().unwrap()));
        (text_of(&result["response"]), text_of(&trace["path"]), trace["total_frames"].as_u64().unwrap())
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What is said, the path and its frames, and how the answer begins. `%` is the session's own number.
const CONVERSATION: &[(&str, &str, u64, &str)] = &[
    ("hello there, how are you?", "reflex", 2, "Fine, thank you"),
    ("my name is Ada%", "reflex", 2, "Nice to meet you, Ada%!"),
    ("why is the sky blue?", "director", 4, "Sunlight holds all colours."),
    ("what is my name?", "director+interpreter", 5, "Your name is Ada%."),
    ("give me two buttons: red% and blue%", "director", 4, "Here you are."),
    ("what did I say before?", "director+interpreter", 5, "Before this you said “my name is Ada%”, “why is the sky blue?”"),
    ("zeig mir eine Ampel", "director", 4, "Hier ist eine Ampel."),
    ("write a sonnet on quantum gravity", "director", 4, "I don't know that."),
];

/// Has the conversation in one session; the answers.
fn converse(server: &Process, number: usize) -> Vec<String> {
    let own = |text: &str| text.replace('%', &number.to_string());
    let mut answers = Vec::new();
    for (text, path, frames, begins) in CONVERSATION {
        let (answer, took, counted) = server.turn(&format!("s{number}"), &own(text));
        assert_eq!((took.as_str(), counted), (*path, *frames), "{text}");
        assert!(answer.starts_with(&own(begins)), "{text}: {answer}");
        answers.push(answer);
    }
    answers
}

#[test]
fn the_same_conversation_on_the_demo_model_and_over_http() {
    let model = Process::model("0");
    let (demo, provider) = (Process::server(&["--demo-delay-ms", "0"]), Process::server_with(&model));
    assert_eq!(converse(&demo, 1), converse(&provider, 1));
}

#[test]
fn an_event_stream_tells_the_same_as_the_result() {
    let model = Process::model("1");
    for server in [Process::server(&["--demo-delay-ms", "1"]), Process::server_with(&model)] {
        let mut lines = BufReader::new(server.request("GET", "/api/events?session=a", "")).lines().map(Result::unwrap);
        // From this comment on the stream misses nothing.
        assert!(lines.any(|line| line.starts_with(':')));
        let events = lines.filter_map(|line| Some(serde_json::from_str::<Value>(line.strip_prefix("data: ")?).unwrap()));
        let (answer, path, frames) = server.turn("a", "why is the sky blue?");
        let mut streamed = String::new();
        for event in events {
            streamed += event["text"].as_str().filter(|_| event["event"] == "streaming").unwrap_or_default();
            if event["event"] == "frame_trace" {
                assert_eq!((&event["trace"]["path"], &event["trace"]["total_frames"]), (&json!(path), &json!(frames)));
                break;
            }
        }
        assert_eq!(streamed, answer);
    }
}

#[test]
fn two_hundred_conversations_at_once_stay_apart() {
    let model = Process::model("0");
    for server in [Process::server(&["--demo-delay-ms", "0", "--shards", "2"]), Process::server_with(&model)] {
        thread::scope(|scope| {
            for number in 0..200 {
                let server = &server;
                scope.spawn(move || converse(server, number));
            }
        });
    }
}

#[test]
fn a_turn_that_is_cleared_closes_its_line_to_the_model() {
    let model = Process::model("0");
    let server = Process::server_with(&model);
    // Half an answer, and then nothing more for longer than this test takes.
    server.send("a", "fault:hang@output.middle why is the sky blue?");
    model.says("request 3 output");
    let begun = Instant::now();
    server.ask("POST", "/api/clear?session=a", "");
    model.says_one_of(&["faulty 3", "closed 3 after "]);
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
    assert!(server.turn("a", "thank you so much").0.starts_with("You're welcome"), "the next message works");
}
