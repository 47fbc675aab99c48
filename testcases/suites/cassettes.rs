//! Cassettes as their user meets them: a suite recorded once with a model plays without one, and proves that it is the same.

use crate::player::{play, shipped};
use crate::support::server::framewright;
use crate::support::{Folder, Provider, run};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const SUITE: &str = "# Cassette
- graph: v3-framed

## 1. Every way
- send: hello
- expect path: reflex
- send: why is the sky blue?
- expect path: director
- expect response: contains \"blue light\"
- send: my name is Ada
- send: what is my name?
- expect response: contains Ada
- expect state: user_name is Ada
- send: what did I say before?
- expect path: director+interpreter
- send: what time is it?
- expect response: length > 0

## 2. Controls
- send: give me two buttons, red and blue
- expect actions: has red
- action: red
- expect path: action
- clear
- send: make me a lamp that I can switch on and off
- expect actions: count >= 1

## 3. An expert and its database
- graph: v4-eras
- send: how many customers are there?
- expect path: expert or expert+interpreter
- expect calls: query >= 1

## 4. Native tools
- graph: v1-direct
- send: give me two buttons, red and blue
- expect actions: has red
- expect calls: llm == 2
";

/// A model server, as a process that can be ended.
struct Model {
    child: Child,
    url: String,
}

impl Model {
    /// It takes its time, so that what goes on behind a turn is still going on when the next could begin.
    fn start() -> Model {
        // Cargo builds examples before it runs tests, into a folder beside the binary.
        let program = Path::new(env!("CARGO_BIN_EXE_framewright")).with_file_name("examples").join("model");
        let mut child = Command::new(&program).args(["--delay-ms", "10"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Model { child, url }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A suite in a folder of its own, with its cassettes.
struct Stage(Folder);

impl Stage {
    fn new(suite: &str) -> Stage {
        let folder = Folder::new();
        folder.write("tour.md", suite);
        Stage(folder)
    }

    fn cassette(&self) -> PathBuf {
        self.0.path().join("tapes/tour.jsonl")
    }

    fn test(&self, more: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = framewright(self.0.path());
        command.args(["test", "tour.md", "--results", "results.json"]).args(more).envs(environment.iter().copied());
        let Output { status, stdout, stderr } = command.output().unwrap();
        (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
    }

    fn record(&self, more: &[&str]) {
        let (code, said) = self.test(&[&["--record", "tapes"], more].concat(), &[]);
        assert_eq!(code, Some(0), "{said}");
    }

    fn replay(&self, more: &[&str]) -> (Option<i32>, String) {
        self.test(&[&["--replay", "tapes"], more].concat(), &[])
    }
}

#[test]
fn a_suite_that_was_recorded_with_a_model_plays_without_one_at_any_time_and_place() {
    let stage = Stage::new(SUITE);
    let model = Model::start();
    stage.record(&["--llm-url", &model.url, "--model", "any"]);
    let recorded = std::fs::read_to_string(stage.cassette()).unwrap();
    drop(model);
    let nobody = "eras2_production=mysql://nobody:nothing@127.0.0.1:9/none";
    for (more, environment) in [
        (&[][..], &[][..]),
        (&["--database", nobody], &[("TZ", "Asia/Tokyo"), ("OPENAI_API_KEY", "sk-none"), ("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")]),
    ] {
        let (code, said) = stage.test(&[&["--replay", "tapes"], more].concat(), environment);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("model: none, recordings answer"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(stage.cassette()).unwrap(), recorded, "a replay writes nothing");
}

#[test]
fn whoever_records_again_gets_the_same() {
    // An answer that tells the time is another one a minute later.
    let stage = Stage::new(&SUITE.replace("- send: what time is it?\n- expect response: length > 0\n", ""));
    let model = Model::start();
    let record = || {
        stage.record(&["--llm-url", &model.url, "--model", "any"]);
        whole(&std::fs::read_to_string(stage.cassette()).unwrap())
    };
    let (recorded, again) = (record(), record());
    for (line, (one, other)) in (1..).zip(recorded.iter().zip(&again)) {
        assert_eq!(one, other, "line {line}");
    }
    assert_eq!(again.len(), recorded.len());
}

/// The lines of a cassette, answers in one piece: in which pieces they come is up to the network.
fn whole(cassette: &str) -> Vec<Value> {
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        let chunks = line.pointer("/call/chunks").and_then(Value::as_array);
        if let Some(text) = chunks.map(|chunks| chunks.iter().filter_map(Value::as_str).collect::<String>()) {
            line["call"]["chunks"] = text.into();
        }
        line
    };
    cassette.lines().map(line).collect()
}

#[test]
fn every_suite_that_ships_plays_from_its_recording_again_and_again() {
    let folder = Folder::new();
    let tapes = folder.path().join("tapes");
    let (tapes, suites) = (tapes.to_str().unwrap(), shipped());
    let suites: Vec<&str> = suites.iter().map(String::as_str).collect();
    for (place, jobs) in ["1", "4", "4"].into_iter().enumerate() {
        let recorded = play(&[&suites[..], &["--record", tapes, "--jobs", jobs]].concat());
        assert_eq!(recorded.code, Some(0), "{place}: {}{}", recorded.output, recorded.errors);
        assert!(std::fs::metadata(folder.path().join("tapes/expert_eras.jsonl")).unwrap().len() < 300_000, "a prompt stands there once");
        for jobs in ["4", "1"] {
            let replayed = play(&[&suites[..], &["--replay", tapes, "--jobs", jobs]].concat());
            assert_eq!(replayed.code, Some(0), "{place}: {}{}", replayed.output, replayed.errors);
            assert_eq!(replayed.with("PASS").len(), recorded.with("PASS").len());
        }
    }
}

/// A copy of the graphs with a file that is changed.
fn graphs_with(stage: &Stage, file: &str, change: impl Fn(&str) -> String) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs");
    for folder in ["", "prompts", "schemas"] {
        for entry in std::fs::read_dir(from.join(folder)).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let name = Path::new("graphs").join(folder).join(entry.file_name());
            let mut text = std::fs::read_to_string(entry.path()).unwrap();
            if entry.file_name() == file {
                text = change(&text);
            }
            stage.0.write(name.to_str().unwrap(), &text);
        }
    }
}

#[test]
fn a_prompt_that_was_changed_is_told_with_the_frame_the_node_and_what_differs() {
    let suite = "# T\n## 1\n- send: why is the sky blue?\n- expect path: director\n";
    let stage = Stage::new(suite);
    stage.record(&[]);
    for (prompt, frame) in
        [("director.md", "frame 2 (director): what `director` is asked"), ("memorizer.md", "behind the turn: what `memorizer` is asked")]
    {
        graphs_with(&stage, prompt, |text| text.replacen("You ", "Today you ", 1));
        let (code, said) = stage.replay(&["--graphs", "graphs"]);
        assert_eq!(code, Some(1), "{said}");
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for says in [
            "tour.md:3",
            frame,
            "is not on the tape tour.jsonl",
            "if that is meant, record it again with --record",
            "the fixed text of the system's message was",
            "You ",
            "Today you ",
        ] {
            assert!(words.contains(says), "{prompt} — {says}: {said}");
        }
    }
    graphs_with(&stage, "director.md", str::to_owned);
    assert_eq!(stage.replay(&["--graphs", "graphs"]).0, Some(0), "a copy that says the same is the same");
}

#[test]
fn a_graph_that_asks_less_than_when_it_was_recorded_is_told() {
    let stage = Stage::new("# T\n## 1\n- send: how are you doing?\n- expect path: reflex\n");
    stage.record(&[]);
    graphs_with(&stage, "v3-framed.json", |text| {
        let mut graph: Value = serde_json::from_str(text).unwrap();
        graph.as_object_mut().unwrap().remove("after").unwrap();
        graph["nodes"].as_array_mut().unwrap().retain(|node| node["name"] != "memorizer");
        graph.to_string()
    });
    let (code, said) = stage.replay(&["--graphs", "graphs"]);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, Some(1), "{said}");
    for says in ["tour.md:3", "turn 1 (`send: how are you doing?`) no longer asks what it asked on the tape tour.jsonl: `memorizer`"] {
        assert!(words.contains(says), "{says}: {said}");
    }
}

#[test]
fn what_is_not_played_of_a_recording_is_not_missed() {
    let first = "# T\n## 1\n- send: my name is Ada\n- clear\n- send: hello\n- expect path: reflex\n";
    let whole = format!("{first}## 2\n- send: why is the sky blue?\n- expect path: director\n");
    let stage = Stage::new(&whole);
    stage.0.write("other.md", "# T\n## 1\n- send: hello\n- expect path: reflex\n");
    let model = Model::start();
    stage.record(&["other.md", "--llm-url", &model.url, "--model", "any"]);
    drop(model);
    let recorded = std::fs::read_to_string(stage.cassette()).unwrap();
    assert_eq!(recorded.matches(r#"{"call":{"label":"memorizer""#).count(), 2, "none was cut off: {recorded}");
    for suite in [&*whole, first] {
        stage.0.write("tour.md", suite);
        let (code, said) = stage.replay(&[]);
        assert_eq!(code, Some(0), "one suite of two: {suite}: {said}");
    }
    // What fails leaves out the rest of its step, and says only why.
    stage.0.write(
        "tour.md",
        &whole.replace("## 2\n", "- action: none\n- send: why is the sky blue?\n").replace("- expect path: director\n", ""),
    );
    let (code, said) = stage.replay(&[]);
    assert!(code == Some(1) && said.contains("tour.md:7") && !said.contains("no longer asks"), "{said}");
}

#[test]
fn a_judge_that_is_no_longer_asked_is_no_part_of_a_turn() {
    let provider = Provider::start();
    let plain = "# T\n## 1\n- send: {\"say\":\"Yes.\",\"judge\":{\"points\":9,\"reason\":\"So.\"}}\n- expect response: is Yes.\n";
    let again = "- send: {\"say\":\"No.\"}\n- expect response: is No.\n";
    let stage = Stage::new(&format!("{plain}- expect judge: it agrees\n{again}"));
    stage.record(&["--llm-url", &provider.url(), "--model", "puppet"]);
    let (code, said) = stage.replay(&["--strict-judge"]);
    assert_eq!(code, Some(0), "{said}");
    stage.0.write("tour.md", &format!("{plain}{again}"));
    let (code, said) = stage.replay(&[]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn suites_of_one_name_never_share_a_cassette() {
    let folder = Folder::new();
    let suite = |says: &str| format!("# T\n## 1\n- send: {says}\n- expect frames: > 1\n");
    folder.write("a/fast.md", &suite("hello"));
    folder.write("b/fast.md", &suite("why is the sky blue?"));
    let test = |arguments: &[&str]| run(folder.path(), &[&["test", "--results", "r.json"], arguments].concat());
    for how in ["--record", "--replay"] {
        let ended = test(&["a/fast.md", "b/fast.md", how, "tapes"]);
        let says =
            "a/fast.md and b/fast.md have one cassette, tapes/fast.jsonl: play them one after the other, each with a folder of its own";
        assert!(ended.code == Some(2) && ended.errors.contains(says) && ended.output.is_empty(), "{ended:?}");
    }
    assert_eq!(test(&["a/fast.md", "--record", "tapes"]).code, Some(0));
    let recorded = std::fs::read_to_string(folder.path().join("tapes/fast.jsonl")).unwrap();
    for how in ["--record", "--replay"] {
        let ended = test(&["b/fast.md", how, "tapes"]);
        let says = "tapes/fast.jsonl is the cassette of a/fast.md: give b/fast.md a folder of its own";
        assert!(ended.code == Some(2) && ended.errors.contains(says), "{ended:?}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("tapes/fast.jsonl")).unwrap(), recorded);
    assert_eq!(test(&["b/fast.md", "--record", "others"]).code, Some(0));
    for (suite, tapes) in [("./a/fast.md", "tapes"), ("b/fast.md", "others")] {
        let ended = test(&[suite, "--replay", tapes]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    assert_eq!(test(&["a/fast.md", "b/fast.md"]).code, Some(0), "without a tape they are played together");
}

#[test]
fn what_a_client_sees_is_compared_byte_for_byte() {
    let stage = Stage::new("# T\n## 1\n- send: hello\n- expect path: reflex\n");
    stage.record(&[]);
    let text = std::fs::read_to_string(stage.cassette()).unwrap();
    let turn = text.lines().position(|line| line.starts_with("{\"turn\"")).unwrap();
    let edited: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(place, line)| if place == turn { line.replacen("Hello!", "Hallo!", 1) } else { line.to_owned() })
        .collect();
    assert_ne!(edited.join("\n"), text.trim_end());
    std::fs::write(stage.cassette(), edited.join("\n") + "\n").unwrap();
    let (code, said) = stage.replay(&[]);
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(code, Some(1), "{said}");
    for says in ["tour.md:3", "turn 1 (`send: hello`) shows something else than on the tape tour.jsonl: message 1 was", "Hallo!", "Hello!"]
    {
        assert!(words.contains(says), "{says}: {said}");
    }
}

#[test]
fn a_model_that_fails_is_recorded_too() {
    let stage = Stage::new("# T\n## 1\n- send: why is the sky blue?\n- expect response: contains \"can't be reached\"\n");
    stage.record(&["--llm-url", "http://127.0.0.1:9/v1", "--model", "any", "--retries", "0"]);
    assert_eq!(stage.replay(&[]).0, Some(0));
}

#[test]
fn what_can_not_be_replayed_is_told_before_anything_is_played() {
    let stage = Stage::new("# T\n## 1\n- send: why is the sky blue?\n- expect path: director\n");
    let (code, said) = stage.replay(&[]);
    assert!(code == Some(2) && said.contains("there is no cassette tapes/tour.jsonl: make it with --record"), "{said}");
    stage.record(&[]);
    let text = std::fs::read_to_string(stage.cassette()).unwrap();
    std::fs::write(stage.cassette(), &text[..text.len() / 2]).unwrap();
    let (code, said) = stage.replay(&[]);
    let line = text[..text.len() / 2].lines().count();
    assert!(code == Some(2) && said.contains(&format!("tapes/tour.jsonl:{line}: the line is cut")), "{said}");
    for (more, says) in [
        (&["--record", "a", "--replay", "b"][..], "--record and --replay can't both be: leave one out"),
        (&["--record", "a", "--url", "http://127.0.0.1:9"], "leave out --url"),
        (&["--replay", "a", "--url", "http://127.0.0.1:9"], "leave out --url"),
    ] {
        let (code, said) = stage.test(more, &[]);
        assert!(code == Some(2) && said.contains(says), "{more:?}: {said}");
    }
    std::fs::write(stage.0.path().join("file"), "").unwrap();
    let (code, said) = stage.test(&["--record", "file/tapes"], &[]);
    assert!(code == Some(2) && said.contains("file/tapes: "), "{said}");
}
