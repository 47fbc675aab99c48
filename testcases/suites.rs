//! The suites, played against the real program on the built-in demo model and the built-in sample database.
//!
//! Only the public interface is used: what a suite sees is what a browser sees.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

#[path = "endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "another test uses the rest")]
mod support;

use framewright::suite::{Does, Item, Seen, Suite, Verdict};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::Path;
use std::time::Instant;
use support::{Conversation, Server, Setting, answer_text, eventually};

/// A session that a suite is played in.
struct Player {
    session: Conversation,
    seen: Seen,
}

impl Player {
    fn new(server: &Server, name: &str) -> Player {
        Player { session: server.session(name), seen: Seen::default() }
    }

    /// Does an item; what is to be said where it fails.
    fn play(&mut self, item: &Item) -> Result<(), String> {
        match &item.does {
            Does::Graph(name) => self.took("/api/graph/switch", &json!({"name": name})),
            Does::Clear => self.took("/api/clear", &json!({})),
            Does::Send(text) => {
                self.turn(&json!({"text": text}));
                Ok(())
            }
            Does::Action(choice) => {
                let control = self.seen.meant(choice).ok_or_else(|| self.seen.labels())?;
                let action =
                    json!({"type": "action", "action": control["action"], "source": control["source"], "data": control["payload"]});
                self.turn(&action);
                Ok(())
            }
            Does::Expect(check) => {
                if check.is_about_memory() {
                    self.seen.memory = self.session.memorized()["memorizer"].clone();
                }
                match check.verdict(&self.seen) {
                    Verdict::Passed | Verdict::Reported { .. } => Ok(()),
                    Verdict::Failed { got } => Err(got),
                }
            }
        }
    }

    fn took(&self, path: &str, body: &Value) -> Result<(), String> {
        let answer = self.session.call("POST", path, Some(body));
        if answer.status == 200 { Ok(()) } else { Err(answer.text()) }
    }

    /// Says something, waits for the end of its turn, and looks at what came of it.
    fn turn(&mut self, message: &Value) {
        let mut chat = self.session.attached();
        let begun = Instant::now();
        chat.say(message);
        let messages = chat.until(|message| message["type"] == "done");
        let time_ms = begun.elapsed().as_secs_f64() * 1000.0;
        let done = messages.last().unwrap();
        let id = done["id"].as_str().unwrap_or_else(|| panic!("{message} was not taken: {done}"));
        let is_progress = |message: &&Value| message["type"] == "delta" && message["kind"] == "progress";
        let progress = messages.iter().filter(is_progress).map(|message| message["content"].as_str().unwrap()).collect();
        let events = self.session.read("/api/trace?last=40")["lines"].clone();
        let events = events.as_array().unwrap().iter().filter(|event| event["turn"] == id).cloned().collect();
        let state = self.session.read("/api/state");
        let error = done["error"].as_str().unwrap_or_default();
        self.seen = Seen {
            response: answer_text(&messages, id) + error,
            progress,
            controls: state["controls"].as_array().unwrap().clone(),
            memory: state["memorizer"].clone(),
            trace: eventually("the turn's trace", || Some(self.session.trace_of(id))),
            events,
            time_ms,
        };
    }
}

/// Plays a suite in a session of its own; a failing item ends its step, and the next one begins.
fn play(server: &Server, file: &str) -> (usize, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases").join(file);
    let suite = Suite::parse(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("testcases/{file}: {error}"));
    let mut player = Player::new(server, file.trim_end_matches(".md"));
    let (mut passed, mut failures) = (0, String::new());
    let steps = suite.steps.iter().map(|step| (step.title.as_str(), &step.items));
    for (title, items) in [("before the first step", &suite.before)].into_iter().chain(steps) {
        for item in items {
            match (player.play(item), &item.does) {
                (Ok(()), Does::Expect(check)) if !check.is_reported() => passed += 1,
                (Ok(()), _) => {}
                (Err(got), does) => {
                    let place = format!("testcases/{file}:{}", item.line);
                    let path = player.seen.path();
                    writeln!(failures, "{place}: {title}\n  {}\n  got: {got}\n  path: {path}", item.text).unwrap();
                    if !matches!(does, Does::Expect(_)) {
                        break;
                    }
                }
            }
        }
    }
    if failures.is_empty() {
        assert_eq!(passed, suite.checks(), "{file}: each check was made");
    }
    (passed, failures)
}

/// The program with its sample database: on the MariaDB that `testcases/mariadb` has started, else on the built-in one.
fn server() -> Server {
    let database = std::env::var("MARIADB_URL").map(|url| format!("eras2_production={url}"));
    let mut options = vec!["--graph", "v4-eras", "--model", "demo"];
    if let Ok(database) = &database {
        options.extend(["--database", database]);
    }
    Server::with(&Setting { options: &options, ..Setting::default() })
}

fn check(file: &str, checks_min: usize) {
    let server = server();
    let (passed, failures) = play(&server, file);
    assert!(failures.is_empty(), "{file}: {passed} checks passed; these failed:\n{failures}");
    assert!(passed >= checks_min, "{file} makes {passed} checks, and should make {checks_min}");
}

#[test]
fn fast_v4() {
    check("fast_v4.md", 28);
}

#[test]
fn expert_eras() {
    check("expert_eras.md", 23);
}

#[test]
fn expert_progress() {
    check("expert_progress.md", 10);
}

/// What is learned of a table is kept for the session: the trace of a second question shows no description, and neither
/// does one after a clear.
#[test]
fn a_second_question_on_the_same_tables_describes_nothing() {
    let server = server();
    let session = server.session("described-once");
    let asked = |question: &str| -> Vec<String> {
        let trace = session.ask(question);
        let frames = trace["frames"].as_array().unwrap();
        let calls = frames.iter().flat_map(|frame| frame["calls"].as_array().unwrap()).filter(|call| call["kind"] == "db");
        calls.map(|call| call["label"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(asked("how many customers are there?"), ["describe kunden", "query"]);
    assert_eq!(asked("how many customers are there in Leipzig?"), ["query"]);
    assert_eq!(asked("which properties are in Leipzig?"), ["describe objekte", "query"], "only the table that is new");
    assert_eq!(asked("which properties are in Fürth?"), ["query"]);
    session.post("/api/clear", &json!({}));
    assert_eq!(asked("how many customers are there?"), ["query"], "a clear keeps what was learned");
}
