//! Forks: on the command line and over HTTP, before a turn and within one, with another message, memory or prompt; each goes on as any
//! session, and `framewright replay` proves it.

use crate::kept::run_on_folder;
use crate::program::Ended;
use crate::support::{Folder, Provider, Server, Setting};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A data folder whose server is started, ended and started again.
struct World {
    provider: Provider,
    folder: Folder,
}

impl World {
    fn new() -> World {
        World { provider: Provider::start(), folder: Folder::new() }
    }

    fn server(&self) -> Server {
        let options = ["--llm-url", &self.provider.url(), "--model", "puppet"];
        Server::with(&Setting { options: &options, data: Some(self.folder.path()), ..Setting::default() })
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run_on_folder(&self.folder, self.folder.path().to_str().unwrap(), arguments)
    }

    fn done(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended.output
    }

    fn proves(&self, session: &str) {
        let said = self.done(&["replay", session]);
        assert!(said.ends_with("the same, byte for byte\n"), "{session}: {said}");
    }
}

fn end(mut server: Server) {
    server.signal("TERM");
    server.ended();
}

fn says(text: &str) -> String {
    json!({ "say": text }).to_string()
}

fn contents(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_fork_has_what_came_before_the_turn_and_goes_on_otherwise() {
    let world = World::new();
    let server = world.server();
    let talk = server.session("talk");
    for text in ["One.", "Two.", "Three."] {
        talk.ask(&says(text));
        talk.memorized();
    }
    let before = talk.messages();
    end(server);

    let said = world.done(&["sessions", "fork", "talk", "--turn", "2", "--to", "waits"]);
    assert_eq!(said, "forked `talk` before msg_2 to `waits`, with 1 turn\n");
    world.done(&["sessions", "fork", "talk", "--turn", "msg_3", "--to", "other", "--message", &says("Another.")]);
    world.done(&["sessions", "fork", "talk", "--turn", "3", "--to", "again", "--again"]);
    let memory = json!({
        "user_name": "Grace", "user_mood": "neutral", "topic": null, "topic_history": [], "situation": "", "language": "en",
        "style_hint": "", "facts": ["likes pelicans"],
    });
    world.folder.write("memory.json", &memory.to_string());
    world.done(&["sessions", "fork", "talk", "--turn", "3", "--to", "recalls", "--again", "--memory", "memory.json"]);
    for session in ["talk", "waits", "other", "again", "recalls"] {
        world.proves(session);
    }

    let asked = world.provider.asked().len();
    let server = world.server();
    assert_eq!(contents(&server.session("waits").messages()), contents(&before[..2]), "it waits for a message");
    assert_eq!(world.provider.asked().len(), asked, "nothing runs that was not wanted");
    assert_eq!(server.session("waits").ask(&says("Now."))["id"], "msg_2");
    let other = server.session("other");
    assert_eq!(other.result_of("msg_3")["response"], "Another.");
    assert_eq!(contents(&other.messages())[..4], contents(&before[..4]));
    assert_eq!(server.session("again").result_of("msg_3")["response"], "Three.");
    let recalls = server.session("recalls");
    assert_eq!(recalls.result_of("msg_3")["response"], "Three.");
    let asked = world.provider.asked_of("output");
    assert!(asked.last().unwrap().to_string().contains("likes pelicans"), "{}", asked.last().unwrap());
    assert_eq!(recalls.memorized()["memorizer"]["user_name"], "Grace");
    // It goes on, also after a restart, and the original is as it was.
    assert_eq!(other.ask(&says("More."))["id"], "msg_4");
    other.memorized();
    end(server);
    let server = world.server();
    assert_eq!(contents(&server.session("other").messages()).last().unwrap(), "More.");
    assert_eq!(server.session("talk").messages(), before);
    end(server);
    for session in ["talk", "waits", "other", "again", "recalls"] {
        world.proves(session);
    }
}

#[test]
fn a_fork_within_a_turn_makes_the_calls_of_its_frame_anew_and_none_before() {
    let world = World::new();
    let server = world.server();
    let talk = server.session("talk");
    talk.ask(&says("First."));
    talk.memorized();
    end(server);
    let prompt = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/prompts/output.md")).unwrap();
    let (title, rest) = prompt.split_once('\n').unwrap();
    world.folder.write("output.md", &format!("{title}\nSpeak like a sailor.\n{rest}"));
    let said = world.done(&["sessions", "fork", "talk", "--turn", "1", "--frame", "4", "--to", "late", "--prompt", "output=output.md"]);
    assert!(said.starts_with("forked `talk` before frame 4 of msg_1 to `late`"), "{said}");
    world.proves("late");

    let before = world.provider.asked().len();
    world.provider.says("output", &["Ahoy."]);
    let server = world.server();
    let late = server.session("late");
    assert_eq!(late.result_of("msg_1")["response"], "Ahoy.");
    late.memorized();
    assert_eq!(world.provider.asked()[before..], ["output", "memorizer"]);
    let asked = world.provider.asked_of("output");
    assert!(asked.last().unwrap().to_string().contains("Speak like a sailor."), "{}", asked.last().unwrap());
    let trace = late.trace_of("msg_1");
    assert_eq!((&trace["path"], &trace["total_frames"]), (&json!("director"), &json!(4)), "{trace}");
    let calls: usize = trace["frames"].as_array().unwrap().iter().map(|frame| frame["calls"].as_array().unwrap().len()).sum();
    assert_eq!(calls, 3, "each frame that calls has its call once: {trace}");
    // The changed prompt was for that turn.
    late.ask(&says("Next."));
    late.memorized();
    let asked = world.provider.asked_of("output");
    assert!(!asked.last().unwrap().to_string().contains("Speak like a sailor."), "{}", asked.last().unwrap());
    end(server);
    world.proves("late");

    for (arguments, code, says) in [
        (&["--turn", "1", "--frame", "9"][..], 4, "frame 9 of msg_1 makes no calls: choose one that does (1, 2, 4)"),
        (&["--turn", "1", "--again", "--prompt", "ui=output.md"], 4, "the graph `v3-framed` has no node `ui` with a prompt"),
        (&["--turn", "1", "--again", "--prompt", "output=memory.json"], 2, "memory.json"),
        (&["--turn", "1", "--prompt", "output=output.md"], 2, "add --again, --message or --frame"),
        (&["--turn", "9"], 4, "the session has no turn msg_9"),
        (&["--turn", "1", "--message", " "], 2, "--message is empty"),
        (&["--turn", "1", "--memory", "output.md"], 2, "is no memory"),
        (&["--turn", "1", "--to", "late"], 2, "cannot be used multiple times"),
    ] {
        let ended = world.run(&[&["sessions", "fork", "talk", "--to", "x"], arguments].concat());
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
    }
    for (arguments, code, says) in [
        (["talk", "--turn", "1", "--to", "late"], 2, "has a session `late` already"),
        (["talk", "--turn", "1", "--to", "a/b"], 2, "can't be a session's name"),
        (["nope", "--turn", "1", "--to", "x"], 4, "has no session `nope`"),
    ] {
        let ended = world.run(&[&["sessions", "fork"], &arguments[..]].concat());
        assert!(ended.code == Some(code) && ended.errors.contains(says), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn messages_that_waited_behind_the_point_of_a_fork_are_left_out() {
    let world = World::new();
    let server = world.server();
    let talk = server.session("talk");
    let mut chat = talk.attached();
    chat.say(&json!({ "text": json!({ "say": "First.", "hold": "output" }).to_string() }));
    world.provider.holds(1);
    chat.say(&json!({ "text": says("Second."), "id": "second" }));
    chat.say(&json!({ "text": says("Third."), "id": "third" }));
    chat.until(|message| message["type"] == "delta" && message["client_id"] == "third");
    world.provider.release(1);
    talk.result_of("msg_3");
    talk.memorized();
    drop(chat);
    end(server);
    world.done(&["sessions", "fork", "talk", "--turn", "2", "--to", "first"]);
    world.done(&["sessions", "fork", "talk", "--turn", "3", "--to", "second", "--message", &says("Instead.")]);
    world.proves("first");
    world.proves("second");
    let server = world.server();
    assert_eq!(contents(&server.session("first").messages()).last().unwrap(), "First.");
    let second = server.session("second");
    assert_eq!(second.result_of("msg_3")["response"], "Instead.");
    let contents = contents(&second.messages());
    assert!(contents.contains(&"Second.".to_owned()) && !contents.contains(&"Third.".to_owned()), "{contents:?}");
    second.memorized();
    end(server);
    world.proves("second");
}

#[test]
fn a_running_server_forks_a_session_and_sends_it_the_message() {
    let world = World::new();
    let server = world.server();
    let talk = server.session("talk");
    for text in ["One.", "Two."] {
        talk.ask(&says(text));
        talk.memorized();
    }
    let before = talk.messages();
    let fork = |body: Value| {
        let answer = talk.call("POST", "/api/sessions/fork", Some(&body));
        (answer.status, answer.json())
    };
    // Somebody looks at the name before there is a session, and holds a place for it.
    let (other, mut early) = (server.session("other"), server.session("other").attached());
    assert_eq!(other.messages(), Vec::<Value>::new());
    let (status, forked) = fork(json!({ "turn": "msg_2", "to": "other", "message": says("Instead.") }));
    assert_eq!((status, &forked["status"], &forked["id"]), (200, &json!("queued"), &json!("msg_2")), "{forked}");
    assert_eq!(other.result_of("msg_2")["response"], "Instead.");
    assert_eq!(contents(&other.messages())[..2], contents(&before[..2]));
    assert_eq!(early.farewell().map(|frame| frame.reason.to_string()).as_deref(), Some("forked"));
    let memory = json!({
        "user_name": "Grace", "user_mood": "neutral", "topic": null, "topic_history": [], "situation": "", "language": "en",
        "style_hint": "", "facts": [],
    });
    let (status, forked) = fork(json!({ "turn": "msg_2", "to": "waits", "memory": memory }));
    assert_eq!((status, forked), (200, json!({ "status": "forked", "id": "waits", "turn": "msg_2" })));
    assert_eq!(server.session("waits").read("/api/state")["memorizer"]["user_name"], "Grace");
    assert_eq!(contents(&server.session("waits").messages()), contents(&before[..2]));
    for (body, status, code) in [
        (json!({ "turn": "msg_2", "to": "other" }), 409, "session_exists"),
        (json!({ "turn": "msg_2", "to": "talk" }), 409, "session_exists"),
        (json!({ "turn": "msg_7", "to": "x" }), 404, "unknown_turn"),
        (json!({ "turn": "7", "to": "x" }), 400, "invalid_parameter"),
        (json!({ "turn": "msg_2" }), 400, "invalid_parameter"),
        (json!({ "turn": "msg_2", "to": "a/b" }), 400, "invalid_parameter"),
        (json!({ "turn": "msg_2", "to": "x", "message": " " }), 400, "message_blank"),
        (json!({ "turn": "msg_2", "to": "x", "message": 1 }), 400, "invalid_parameter"),
        (json!({ "turn": "msg_2", "to": "x", "memory": {} }), 400, "invalid_parameter"),
    ] {
        let (found, answer) = fork(body.clone());
        assert_eq!((found, answer["code"].as_str()), (status, Some(code)), "{body}: {answer}");
    }
    let nobody = server.session("nobody").call("POST", "/api/sessions/fork", Some(&json!({ "turn": "msg_1", "to": "x" })));
    assert_eq!((nobody.status, nobody.json()["code"].as_str()), (404, Some("unknown_session")));
    // What was cleared comes back in no fork.
    let (status, _) = fork(json!({ "turn": "msg_2", "to": "cleared" }));
    assert_eq!(status, 200);
    talk.post("/api/clear", &json!({}));
    let (status, answer) = fork(json!({ "turn": "msg_2", "to": "x" }));
    assert_eq!((status, answer["code"].as_str()), (404, Some("turn_not_kept")), "{answer}");
    other.memorized();
    for session in ["talk", "other", "waits", "cleared"] {
        world.proves(session);
    }
    end(server);
    // Nothing of it is lost.
    let server = world.server();
    assert_eq!(contents(&server.session("other").messages()).last().unwrap(), "Instead.");
}

#[test]
fn without_a_journal_there_is_nothing_to_fork() {
    let server = Server::with(&Setting { options: &["--durability", "none"], ..Setting::default() });
    let talk = server.session("talk");
    talk.ask("hello");
    let answer = talk.call("POST", "/api/sessions/fork", Some(&json!({ "turn": "msg_1", "to": "x" })));
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("no_journal")));
}
