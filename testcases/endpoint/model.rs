//! The same conversation over HTTP, over the event stream and over the chat socket: with the demo model inside, and with a
//! model server outside, a process of its own that speaks the provider's wire.

use crate::support::{Conversation, Server, Setting, answer_text, eventually, own_address};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// The model server. It prints its address, and then a line for each thing that happens.
pub(crate) struct Model {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Model {
    fn start(delay_ms: u64) -> Model {
        Model::at("127.0.0.1:0", delay_ms)
    }

    fn at(address: &str, delay_ms: u64) -> Model {
        Model::with(&["--listen", address, "--delay-ms", &delay_ms.to_string()])
    }

    pub(crate) fn with(options: &[&str]) -> Model {
        // Cargo builds examples before it runs tests, into a folder beside the binary.
        let program = Path::new(env!("CARGO_BIN_EXE_framewright")).with_file_name("examples").join("model");
        let mut command = Command::new(&program);
        command.args(options).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child =
            command.spawn().unwrap_or_else(|error| panic!("{}: {error}; `cargo build --examples` builds it", program.display()));
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (output, into) = (child.stdout.take().unwrap(), lines.clone());
        std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).for_each(|line| into.lock().unwrap().push(line)));
        Model { child, lines }
    }

    fn url(&self) -> String {
        eventually("the model's address", || self.lines.lock().unwrap().first().cloned())
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn server(&self) -> Server {
        Server::with(&Setting { options: &["--llm-url", &self.url(), "--model", "demo-outside"], ..Setting::default() })
    }

    /// A server whose model this is, on the given graph.
    pub(crate) fn server_on(&self, graph: &str) -> Server {
        Server::with(&Setting { options: &["--llm-url", &self.url(), "--model", "demo-outside", "--graph", graph], ..Setting::default() })
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was asked, how the turn went, and what was answered.
type Account = Vec<(String, String, u64, String)>;

const SAID: &[&str] = &[
    "hello",
    "my name is Ada",
    "why is the sky blue?",
    "give me two buttons: red and blue",
    "show me a traffic light",
    "what did I say before?",
    "what is my name?",
    "what does the demo know of quantum gravity?",
    "erzähl mir einen Witz",
    "thank you",
];

fn account_of(session: &Conversation, id: &str, text: &str, answer: String) -> (String, String, u64, String) {
    let trace = session.trace_of(id);
    // The next message must find the same memory whichever way it comes.
    session.memorized();
    (text.to_owned(), trace["path"].as_str().unwrap().to_owned(), trace["total_frames"].as_u64().unwrap(), answer)
}

fn over_http(session: &Conversation) -> Account {
    let turn = |(place, text): (usize, &&str)| {
        let id = session.send(text);
        assert_eq!(id, format!("msg_{}", place + 1));
        let result = session.result_of(&id);
        account_of(session, &id, text, result["response"].as_str().unwrap().to_owned())
    };
    SAID.iter().enumerate().map(turn).collect()
}

fn over_the_event_stream(session: &Conversation) -> Account {
    let mut stream = session.events();
    let turn = |(place, text): (usize, &&str)| {
        let id = format!("msg_{}", place + 1);
        session.send(text);
        let events: Vec<Value> = stream.until_trace(&id).into_iter().map(|told| told.event).collect();
        let pieces = events.iter().filter(|event| event["event"] == "streaming" && event["turn"] == id);
        let answer = pieces.map(|event| event["text"].as_str().unwrap()).collect();
        account_of(session, &id, text, answer)
    };
    SAID.iter().enumerate().map(turn).collect()
}

fn over_the_socket(session: &Conversation) -> Account {
    let mut chat = session.attached();
    let turn = |(place, text): (usize, &&str)| {
        let id = format!("msg_{}", place + 1);
        chat.say(&json!({ "text": text }));
        let answer = answer_text(&chat.until_done(&id), &id);
        account_of(session, &id, text, answer)
    };
    SAID.iter().enumerate().map(turn).collect()
}

#[test]
fn one_conversation_is_the_same_whichever_way_it_goes_and_wherever_the_model_is() {
    let model = Model::start(0);
    let (inside, outside) = (Server::start(), model.server());
    let account = over_http(&inside.session("http"));
    let frames: Vec<u64> = account.iter().map(|(_, _, frames, _)| *frames).collect();
    assert!([2, 4, 5].iter().all(|count| frames.contains(count)), "paths of 2, 4 and 5 frames: {account:?}");
    assert!(account.iter().all(|(.., answer)| !answer.trim().is_empty()), "{account:?}");
    assert!(account[6].3.contains("Ada"), "{:?}", account[6]);
    assert_eq!(over_the_event_stream(&inside.session("stream")), account);
    assert_eq!(over_the_socket(&inside.session("socket")), account);
    assert_eq!(over_http(&outside.session("http")), account);
    assert_eq!(over_the_event_stream(&outside.session("stream")), account);
    assert_eq!(over_the_socket(&outside.session("socket")), account);
    let lines = model.lines();
    assert!(lines.iter().any(|line| line.starts_with("request ")), "the model outside was asked: {lines:?}");
}

#[test]
fn the_direct_graph_calls_its_tools_over_the_wire() {
    let model = Model::start(0);
    let server = model.server_on("v1-direct");
    let session = server.session("direct");
    for (text, controls) in [("hello", 0), ("give me two buttons: red and blue", 2)] {
        let trace = session.ask(text);
        assert_eq!((&trace["path"], &trace["total_frames"]), (&json!("direct"), &json!(1)), "{text}");
        assert_eq!(session.read("/api/state")["controls"].as_array().unwrap().len(), controls, "{text}");
    }
}

#[test]
fn stop_closes_the_connection_to_the_model() {
    let model = Model::start(0);
    let server = model.server();
    let session = server.session("stopped");
    let mut chat = session.attached();
    // Half an answer, and then nothing more.
    chat.say(&json!({ "text": "fault:hang@output.middle what does the demo know of quantum gravity?" }));
    let begun = chat.until(|message| message["type"] == "delta");
    chat.say(&json!({ "type": "stop" }));
    let mut messages = begun;
    messages.extend(chat.until_done("msg_1"));
    assert_eq!(messages.last().unwrap()["cancelled"], true);
    // Whoever is quick is gone before the fault begins.
    let is_told = |line: &String| line.starts_with("faulty ") || line.starts_with("closed ");
    eventually("the model to see that its client has gone", || model.lines().iter().any(is_told).then_some(()));
    let kept = session.messages();
    assert_eq!((&kept[1]["content"], &kept[1]["partial"]), (&json!(answer_text(&messages, "msg_1")), &json!(true)));
    chat.say(&json!({ "text": "hello" }));
    assert!(chat.until_done("msg_2").last().unwrap()["error"].is_null(), "the next message works");
}

#[test]
fn a_model_that_dies_fails_the_turn_in_words_and_the_next_one_works_when_it_is_back() {
    let mut model = Model::at(&own_address().to_string(), 0);
    let server = model.server();
    let session = server.session("orphan");
    let mut chat = session.attached();
    chat.say(&json!({ "text": "fault:hang@output.middle what does the demo know of quantum gravity?" }));
    chat.until(|message| message["type"] == "delta");
    model.child.kill().unwrap();
    model.child.wait().unwrap();
    let done = chat.until_done("msg_1").pop().unwrap();
    let sentence = done["error"].as_str().unwrap_or_else(|| panic!("an error: {done}"));
    assert!(sentence.contains(' ') && !sentence.contains("127."), "{sentence}");
    assert_eq!(session.messages()[1]["partial"], true, "what was shown stays");
    let back = Model::at(model.url().trim_start_matches("http://").trim_end_matches("/v1"), 0);
    assert_eq!(back.url(), model.url());
    session.ask("why is the sky blue?");
}
