//! A tape in a pool: what was answered once is answered again, the same, and by nobody.

use super::*;
use crate::contract::{Answer, ChatMessage, DatabaseAsk, DatabaseLimits, DatabaseRequest, ModelRequest, Part, Role, Text, Usage};
use crate::work::database::{Databases, sample};
use crate::work::{Model, Pool, Reply, Settings};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

/// A folder of a test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("framewright-tape-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Folder(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Answers each question with how many it has answered so far; `fail` fails, `wait` waits until it is cancelled.
struct Counting(u64);

impl Model for Counting {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> Ended {
        self.0 += 1;
        let text = request.messages.iter().map(|message| message.text.to_string()).collect::<String>();
        call.say("answer ");
        call.say(&self.0.to_string());
        if text.contains("wait") {
            while call.cancel.pause(Duration::from_secs(3600)) {}
        }
        let usage = Usage { total_tokens: self.0, ..Usage::default() };
        match text.contains("fail") || call.cancel.is_cancelled() {
            true => Ended { usage, outcome: Err(CallError::Truncated) },
            false => Ended { usage, outcome: Ok(Answer { model: "counting".into(), ..Answer::default() }) },
        }
    }
}

fn recording(folder: &Folder) -> (Pool, Arc<Tape>) {
    let tape = Arc::new(Tape::record(&folder.0, BTreeMap::new()).unwrap());
    let settings = Settings { workers_max: 1, databases: Databases::sample(), tape: Some(tape.clone()), ..Settings::default() };
    (Pool::new(settings, Box::new(|| Box::new(Counting(0)))), tape)
}

/// Suites that are in no file.
fn suites(sessions: &[&str]) -> BTreeMap<String, String> {
    sessions.iter().map(|session| ((*session).to_owned(), String::new())).collect()
}

fn replaying(folder: &Folder, sessions: &[&str]) -> (Pool, Arc<Tape>) {
    let tape = Arc::new(Tape::replay(&folder.0, suites(sessions)).unwrap());
    let settings = Settings { tape: Some(tape.clone()), ..Settings::default() };
    (Pool::new(settings, Box::new(|| panic!("a replay calls no model"))), tape)
}

fn ask(prompt: &str, time: &str, message: &str) -> Request {
    let parts = vec![Part::Passing("sensed".into(), time.into()), Part::Slot("message".into(), message.into())];
    Request::Model(ModelRequest {
        role: "director".into(),
        stage: None,
        background: false,
        model: "strong".into(),
        messages: vec![ChatMessage::new(Role::System, Text(vec![Part::Fixed(prompt.into())])), ChatMessage::new(Role::User, Text(parts))],
        schema: None,
        tools: Arc::default(),
        stream: true,
        streamed_field: None,
        tokens_max: 1,
    })
}

fn query(sql: &str) -> Request {
    let ask = DatabaseAsk::Query { sql: sql.to_owned() };
    Request::Database(DatabaseRequest { database: sample::NAME.into(), ask, limits: DatabaseLimits::default() })
}

/// A call, and all that it says.
fn call(pool: &Pool, session: &str, request: Request) -> Vec<String> {
    let (to, replies) = channel();
    let reply = move |reply| {
        let told = match reply {
            Reply::Chunk(text) => format!("+{text}"),
            Reply::Done { usage, outcome, .. } => format!("{} {outcome:?}", usage.total_tokens),
        };
        to.send(told).unwrap();
    };
    let _handle = pool.start(&session.into(), Arc::new(request), Box::new(reply)).unwrap();
    replies.iter().collect()
}

#[test]
fn what_was_answered_once_is_answered_again_the_same_and_by_nobody() {
    let folder = Folder::new();
    let rows = "SELECT 1 AS one UNION ALL SELECT 2";
    let questions = |time: &str| {
        [
            ("a", ask("Decide.", time, "hi")),
            ("a", ask("Decide.", time, "fail")),
            ("b", ask("Decide.", time, "hi")),
            ("a", ask("Decide.", time, "hi")),
            ("a", query(rows)),
            ("a", query("SELECT nothing FROM nowhere")),
        ]
    };
    let (pool, tape) = recording(&folder);
    let opened = ["a", "b"].map(|session| pool.databases(session));
    ["a", "b"].iter().for_each(|session| tape.keep(session));
    assert_eq!(opened[0].len(), 1, "the sample");
    let recorded: Vec<_> = questions("noon").into_iter().map(|(session, question)| call(&pool, session, question)).collect();
    assert_eq!(tape.trouble(), None);
    assert_ne!(recorded[0], recorded[3], "the same question has another answer the second time");
    assert!(recorded[1][2].contains("Truncated") && recorded[4][0].contains("Rows"), "{recorded:?}");
    for _ in 0..2 {
        let (pool, tape) = replaying(&folder, &["a", "b"]);
        assert_eq!(["a", "b"].map(|session| pool.databases(session)), opened, "the databases are those of the recording");
        let replayed: Vec<_> = questions("midnight").into_iter().map(|(session, question)| call(&pool, session, question)).collect();
        assert_eq!(replayed, recorded);
        assert!(tape.misses("a").is_empty());
    }
}

#[test]
fn a_fresh_recording_replaces_the_old_one_and_a_session_that_opens_again_goes_on() {
    let folder = Folder::new();
    for run in 1..=2 {
        let (pool, tape) = recording(&folder);
        pool.databases("a");
        tape.keep("a");
        call(&pool, "a", ask("", "", &format!("run {run}")));
        pool.databases("a");
        call(&pool, "a", ask("", "", "again"));
    }
    let text = std::fs::read_to_string(folder.0.join("a.jsonl")).unwrap();
    assert_eq!((text.lines().count(), text.contains("run 1"), text.contains("run 2")), (3, false, true), "{text}");
}

#[test]
fn a_call_that_was_cancelled_is_not_on_the_tape() {
    let folder = Folder::new();
    let (pool, tape) = recording(&folder);
    pool.databases("a");
    tape.keep("a");
    let (to, replies) = channel();
    let reply = move |reply| to.send(format!("{reply:?}")).unwrap();
    let handle = pool.start(&"a".into(), Arc::new(ask("", "", "wait")), Box::new(reply)).unwrap();
    replies.recv().unwrap();
    handle.cancel();
    assert!(replies.iter().last().unwrap().contains("Cancelled"));
    drop((pool, tape));
    let (pool, tape) = replaying(&folder, &["a"]);
    assert!(call(&pool, "a", ask("", "", "wait"))[0].contains("NotOnTape"));
    assert_eq!(tape.misses("a").len(), 1);
}

#[test]
fn what_is_not_on_the_tape_is_told_with_the_node_and_what_differs() {
    let folder = Folder::new();
    let (pool, tape) = recording(&folder);
    pool.databases("a");
    tape.keep("a");
    call(&pool, "a", ask("Decide what to do.", "noon", "hi"));
    call(&pool, "a", ask("Decide what to do.", "noon", "how are you?"));
    call(&pool, "a", query("SELECT 1"));
    for (session, question, says) in [
        (
            "a",
            ask("Decide what to say.", "noon", "hi"),
            r#"what `director` is asked is not on the tape a.jsonl: the fixed text of the system's message was "Decide what to do." and is "Decide what to say.""#,
        ),
        (
            "a",
            ask("Decide what to do.", "noon", "who are you?"),
            r#"the slot `message` of the user's message was "hi" and is "who are you?""#,
        ),
        ("a", query("SELECT 2"), r#"what `query` is asked is not on the tape a.jsonl: the statement was "SELECT 1" and is "SELECT 2""#),
        ("b", ask("Decide what to do.", "noon", "hi"), "the session `b` is not on the tape"),
    ] {
        let (pool, _) = replaying(&folder, &["a"]);
        let said = call(&pool, session, question).join(" ").replace("\\\"", "\"");
        assert!(said.contains(says), "{said}");
    }
    let (pool, tape) = replaying(&folder, &["a"]);
    assert!(call(&pool, "a", ask("Decide what to do.", "noon", "hi")).last().unwrap().contains("Ok"));
    assert!(
        call(&pool, "a", ask("Decide what to do.", "noon", "hi"))[0]
            .contains("once more than on the tape a.jsonl, where it was asked this 1×")
    );
    assert_eq!((tape.misses("a").len(), tape.misses("a").len()), (1, 0), "each is told once");
}

#[test]
fn a_file_that_is_no_cassette_is_refused_with_its_line() {
    let folder = Folder::new();
    let (pool, tape) = recording(&folder);
    pool.databases("whole");
    tape.keep("whole");
    call(&pool, "whole", ask("", "", "hi"));
    tape.turn("whole", "send: hi", vec![json!({"type": "done"})]).unwrap();
    let whole = std::fs::read_to_string(folder.0.join("whole.jsonl")).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let head = lines[0];
    for (text, says) in [
        (whole[..whole.len() - 5].to_owned(), ":3: the line is cut"),
        (format!("{head}\nnonsense\n"), ":2: the line can't be understood (expected value"),
        (format!("{head}\n{}\n", lines[1].replace("\"number\":1", "\"number\":\"one\"")), ":2: the line can't be understood (invalid type"),
        (format!("{head}\n{head}\n"), ":2: a second head"),
        (format!("{}\n", lines[1]), ":1: the head is missing"),
        (
            format!("{}\n", head.replace("\"version\":3", "\"version\":2")),
            ":1: a cassette of version 2, and this program knows 3; make the cassette again with --record",
        ),
        (String::new(), ":1: the file is empty"),
    ] {
        std::fs::write(folder.0.join("a.jsonl"), &text).unwrap();
        let error = Tape::replay(&folder.0, suites(&["a"])).err().unwrap().to_string();
        assert!(error.contains(&format!("a.jsonl{says}")), "{error}");
    }
    std::fs::File::create(folder.0.join("a.jsonl")).unwrap().set_len(cassette::FILE_BYTES_MAX + 1).unwrap();
    assert!(
        Tape::replay(&folder.0, suites(&["a"])).err().unwrap().to_string().ends_with("a.jsonl is longer than 256 MiB: it is no cassette")
    );
    let missing = Tape::replay(&folder.0, suites(&["nobody"])).err().unwrap().to_string();
    assert!(missing.starts_with("there is no cassette ") && missing.ends_with("nobody.jsonl: make it with --record"), "{missing}");
}

#[test]
fn what_a_client_sees_of_a_turn_has_to_be_what_was_seen_then() {
    let folder = Folder::new();
    let (pool, tape) = recording(&folder);
    pool.databases("a");
    tape.keep("a");
    let delta = |text: &str| json!({"type": "delta", "content": text});
    tape.turn("a", "send: hi", vec![delta("Hel"), delta("lo")]).unwrap();
    for (said, seen, says) in [
        ("send: hi", vec![delta("Hel"), delta("lo")], ""),
        (
            "send: hi",
            vec![delta("Hel"), delta("p")],
            r#"turn 1 (`send: hi`) shows something else than on the tape a.jsonl: message 2 was "{\"content\":\"lo"#,
        ),
        ("send: hi", vec![delta("Hello")], "message 1 was"),
        ("send: hi", vec![delta("Hel")], "message 2 was"),
        ("send: ho", vec![], "turn 1 is `send: ho`, and on the tape a.jsonl it is `send: hi`"),
    ] {
        let (_, tape) = replaying(&folder, &["a"]);
        let compared = tape.turn("a", said, seen);
        assert!(compared.as_ref().err().map_or("", String::as_str).contains(says) && compared.is_ok() == says.is_empty(), "{compared:?}");
    }
    let (_, tape) = replaying(&folder, &["a"]);
    tape.turn("a", "send: hi", vec![delta("Hel"), delta("lo")]).unwrap();
    assert!(tape.turn("a", "send: hi", vec![]).unwrap_err().starts_with("turn 2 (`send: hi`) is not on the tape a.jsonl"));
}

#[test]
fn a_recording_that_can_not_be_written_says_so() {
    let folder = Folder::new();
    let (pool, tape) = recording(&folder);
    std::fs::create_dir(folder.0.join("a.jsonl")).unwrap();
    pool.databases("a");
    tape.keep("a");
    assert!(call(&pool, "a", ask("", "", "hi")).last().unwrap().contains("Ok"), "the call itself is none the worse");
    assert!(tape.trouble().unwrap().contains("a.jsonl can't be written"), "{:?}", tape.trouble());
}

#[test]
fn a_long_text_stands_in_the_file_once_and_every_call_is_found_by_all_of_it() {
    let folder = Folder::new();
    let long = |what: &str| format!("{what}, and do it well. ").repeat(10);
    let prompts = ["Decide", "Decide", "Answer", "Short"].map(|what| if what == "Short" { what.to_owned() } else { long(what) });
    let (pool, tape) = recording(&folder);
    pool.databases("a");
    tape.keep("a");
    for (prompt, message) in prompts.iter().zip(["one", "two", "three", "four"]) {
        call(&pool, "a", ask(prompt, "noon", message));
    }
    let file = folder.0.join("a.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    let begins: Vec<&str> =
        text.lines().map(|line| line.split([':', ',']).nth(if line.starts_with("{\"text") { 2 } else { 0 }).unwrap()).collect();
    let (first, second) = ("\"director prompt 1\"", "\"director prompt 2\"");
    assert_eq!(begins, ["{\"tape\"", first, "{\"call\"", "{\"call\"", second, "{\"call\"", "{\"call\""], "{text}");
    assert_eq!((text.matches(&long("Decide")).count(), text.matches(&long("Answer")).count()), (1, 1), "{text}");
    let (pool, tape) = replaying(&folder, &["a"]);
    for (prompt, message) in prompts.iter().zip(["one", "two", "three", "four"]) {
        assert!(call(&pool, "a", ask(prompt, "noon", message)).last().unwrap().contains("Ok"));
    }
    assert!(tape.misses("a").is_empty());
    let (pool, _) = replaying(&folder, &["a"]);
    let said = call(&pool, "a", ask(&long("Decide").replacen("well", "badly", 1), "noon", "one")).concat().replace("\\\"", "\"");
    let parts = "the fixed text of the system's message was \"Decide, and do it well. Decide";
    assert!(said.contains(parts) && said.contains("and is \"Decide, and do it badly."), "{said}");
    std::fs::write(&file, text.replace(&format!("\"name\":{second},"), "\"name\":\"other\",")).unwrap();
    let error = Tape::replay(&folder.0, suites(&["a"])).err().unwrap().to_string();
    assert!(error.contains("a.jsonl:6: no text `director prompt 2` stands above it; make the cassette again"), "{error}");
}

#[test]
fn what_was_asked_in_a_turn_has_to_be_asked_again() {
    let folder = Folder::new();
    let judge = || match ask("", "", "judge this") {
        Request::Model(asked) => Request::Model(ModelRequest { role: ONLOOKER.into(), ..asked }),
        Request::Database(_) | Request::Approval(_) => unreachable!("a model is asked"),
    };
    let (pool, tape) = recording(&folder);
    pool.databases("a");
    tape.keep("a");
    call(&pool, "a", ask("", "", "hi"));
    call(&pool, "a", query("SELECT 1"));
    tape.turn("a", "send: hi", Vec::new()).unwrap();
    call(&pool, "a", judge());
    call(&pool, "a", ask("", "", "hi"));
    call(&pool, "a", ask("", "", "ho"));
    tape.turn("a", "send: ho", Vec::new()).unwrap();
    let (hi, ho) = (|| ask("", "", "hi"), || ask("", "", "ho"));
    let (first, second) = (
        "turn 1 (`send: hi`) no longer asks what it asked on the tape a.jsonl: ",
        "turn 2 (`send: ho`) no longer asks what it asked on the tape a.jsonl: ",
    );
    for (asked, says) in [
        ([vec![hi(), query("SELECT 1")], vec![hi(), ho()]], [String::new(), String::new()]),
        ([vec![query("SELECT 1"), hi()], vec![judge(), ho(), hi()]], [String::new(), String::new()]),
        ([vec![hi()], vec![hi(), ho()]], [format!("{first}`query`"), String::new()]),
        ([vec![], vec![]], [format!("{first}`director`, `query`"), format!("{second}`director`, `director`")]),
        ([vec![hi(), query("SELECT 1")], vec![ho()]], [String::new(), format!("{second}`director`")]),
    ] {
        let (pool, tape) = replaying(&folder, &["a"]);
        for ((turn, asked), says) in ["send: hi", "send: ho"].into_iter().zip(asked).zip(says) {
            asked.into_iter().for_each(|question| drop(call(&pool, "a", question)));
            assert_eq!(tape.turn("a", turn, Vec::new()).err().unwrap_or_default(), says);
        }
    }
    // What comes in turns that are not played is not missed.
    let (pool, tape) = replaying(&folder, &["a"]);
    [hi(), query("SELECT 1")].into_iter().for_each(|question| drop(call(&pool, "a", question)));
    tape.turn("a", "send: hi", Vec::new()).unwrap();
}

#[test]
fn a_suite_has_its_cassette_to_itself() {
    let folder = Folder::new();
    let named = |name: &str| -> BTreeMap<String, String> {
        [("fast".to_owned(), folder.0.join(name).join("fast.md").display().to_string())].into()
    };
    for name in ["a", "b"] {
        std::fs::create_dir_all(folder.0.join(name)).unwrap();
        std::fs::write(folder.0.join(name).join("fast.md"), "").unwrap();
    }
    let record = |name: &str| {
        let tape = Tape::record(&folder.0, named(name)).map_err(|error| error.to_string())?;
        tape.keep("fast");
        tape.turn("fast", &format!("send: {name}"), Vec::new())
    };
    record("a").unwrap();
    record("a").unwrap();
    let taken = format!("fast.jsonl is the cassette of {}/a/fast.md: give {0}/b/fast.md a folder of its own", folder.0.display());
    let said = record("b").unwrap_err();
    assert!(said.contains(&taken), "{said}");
    let said = Tape::replay(&folder.0, named("b")).err().unwrap().to_string();
    assert!(said.contains(&taken), "{said}");
    Tape::replay(&folder.0, named("a")).unwrap().turn("fast", "send: a", Vec::new()).unwrap();
    std::fs::remove_file(folder.0.join("a/fast.md")).unwrap();
    Tape::replay(&folder.0, named("b")).unwrap().turn("fast", "send: a", Vec::new()).expect("a suite that was moved plays");
    record("b").unwrap();
}
