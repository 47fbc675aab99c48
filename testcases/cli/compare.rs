//! `framewright replay --graph` and `--graphs`: recorded turns on other graphs and prompts, what changed, and which calls that takes.

use crate::kept::{Kept, run_on_folder};
use crate::program::Ended;
use crate::support::{Folder, Provider, Server, Setting};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A conversation with a scripted model, in the journal of a server that still runs.
struct Talk {
    provider: Provider,
    server: Server,
    folder: Folder,
}

impl Talk {
    fn on(graph: &str, messages: &[Value]) -> Talk {
        let provider = Provider::start();
        let server = provider.server_on(graph);
        let session = server.session("talk");
        for message in messages {
            session.ask(&message.to_string());
            session.memorized();
        }
        Talk { provider, server, folder: Folder::new() }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let model = ["--llm-url", &self.provider.url(), "--model", "puppet"];
        run_on_folder(&self.folder, self.server.folder.path().to_str().unwrap(), &[&["replay"], arguments, &model].concat())
    }

    /// The roles that are called while a command runs, which ends with this code.
    fn called(&self, code: i32, arguments: &[&str]) -> (Vec<String>, Ended) {
        let before = self.provider.asked().len();
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
        (self.provider.asked().split_off(before), ended)
    }

    /// A folder of graphs where this prompt has one sentence more.
    fn with_prompt(&self, name: &str, more: &str) -> String {
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/prompts").join(format!("{name}.md"));
        let text = fs::read_to_string(built_in).unwrap();
        let (title, rest) = text.split_once('\n').unwrap();
        self.folder.write(&format!("mine/prompts/{name}.md"), &format!("{title}\n{more}\n{rest}"));
        self.folder.path().join("mine").to_str().unwrap().to_owned()
    }
}

/// A row of the table that a comparison ends with.
fn row<'a>(ended: &'a Ended, name: &str) -> &'a str {
    let found = ended.output.lines().rev().find_map(|line| line.strip_prefix(name));
    found.unwrap_or_else(|| panic!("no row `{name}`: {ended:?}")).trim()
}

#[test]
fn on_the_same_graphs_nothing_changes_and_no_call_is_needed() {
    let kept = Kept::new();
    let graphs = Folder::new();
    let graphs = graphs.path().to_str().unwrap();
    let every = ["--fail-on", "path,tools,sql,text,error,call"];
    for (arguments, turns) in [
        (&["replay", "talk", "--graph", "v4-eras"][..], "8"),
        (&["replay", "talk", "--graphs", graphs], "8"),
        (&["replay", "--all", "--graphs", graphs], "9"),
        (&["replay", "--all", "--user", "anonymous", "--since", "1h", "--graphs", graphs], "9"),
        (&["replay", "talk", "--turn", "2", "--graphs", graphs], "1"),
    ] {
        let ended = kept.run(&[arguments, &every[..]].concat());
        assert!(ended.code == Some(0) && ended.errors.is_empty(), "{arguments:?}: {ended:?}");
        assert_eq!(row(&ended, "turns"), turns, "{arguments:?}: {ended:?}");
        // The turn that `kill -9` cut off.
        let cut = if arguments.contains(&"--turn") { 0 } else { 1 };
        assert_eq!(row(&ended, "not compared"), cut.to_string(), "{ended:?}");
        assert_eq!(row(&ended, "same"), (turns.parse::<u64>().unwrap() - cut).to_string(), "{ended:?}");
        let (was, is) = row(&ended, "tokens in").split_once(" -> ").unwrap();
        assert!(was == is && was != "0", "{ended:?}");
    }
    // The same from a file with several sessions, without a journal.
    kept.folder.write("all.jsonl", &kept.done(&["sessions", "export", "--all"]));
    let elsewhere = Folder::new();
    let ended =
        run_on_folder(&kept.folder, elsewhere.path().to_str().unwrap(), &["replay", "all.jsonl", "--graphs", graphs, "--fail-on", "call"]);
    assert!(ended.code == Some(0) && row(&ended, "turns") == "9" && row(&ended, "same") == "8", "{ended:?}");
    // What was compared changed nothing in the journal.
    assert!(kept.done(&["replay", "talk"]).ends_with("the same, byte for byte\n"));
}

#[test]
fn a_fork_is_compared_before_and_after_a_server_has_run_its_turn() {
    let (provider, folder) = (Provider::start(), Folder::new());
    let options = ["--graph", "v3-framed", "--llm-url", &provider.url(), "--model", "puppet"];
    let start = || Server::with(&Setting { options: &options, data: Some(folder.path()), ..Setting::default() });
    let run = |arguments: &[&str]| run_on_folder(&folder, folder.path().to_str().unwrap(), arguments);
    let says = |text: &str| json!({ "say": text }).to_string();
    let compare = |session: &str, turns: &str| {
        let ended = run(&["replay", session, "--graph", "v3-framed", "--offline", "--fail-on", "path,tools,sql,text,error,call"]);
        assert!(ended.code == Some(0) && ended.errors.is_empty(), "{session}: {ended:?}");
        let rows = (row(&ended, "turns"), row(&ended, "same"), row(&ended, "not compared"));
        assert_eq!(rows, (turns, turns, "0"), "{session}: {ended:?}");
        let proof = run(&["replay", session]);
        assert!(proof.output.ends_with("the same, byte for byte\n"), "{session}: {proof:?}");
    };
    let mut server = start();
    for text in ["One.", "Two."] {
        server.session("talk").ask(&says(text));
        server.session("talk").memorized();
    }
    server.signal("TERM");
    server.ended();
    let another = says("Another.");
    for (to, begins) in [("other", &["--message", &another][..]), ("again", &["--again"])] {
        let ended = run(&[&["sessions", "fork", "talk", "--turn", "2", "--to", to], begins].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        // Its own turn has not begun.
        compare(to, "1");
    }
    let ended = run(&["sessions", "fork", "talk", "--turn", "2", "--to", "late", "--frame", "4"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut server = start();
    for (session, answer) in [("other", "Another."), ("again", "Two."), ("late", "Two.")] {
        let session = server.session(session);
        assert_eq!(session.result_of("msg_2")["response"], answer);
        session.memorized();
    }
    // As a test, the turn is the one that ran.
    let test = server.session("other").read("/api/turn/test?id=msg_2");
    assert!(test["suite"].as_str().unwrap().contains("Another."), "{test}");
    server.signal("TERM");
    server.ended();
    for session in ["talk", "other", "again", "late"] {
        compare(session, "2");
    }
}

#[test]
fn a_changed_prompt_calls_the_model_for_the_changed_requests_alone() {
    let talk = Talk::on("v3-framed", &[json!({"say": "The sky is blue.", "fill": []}), json!({"say": "Grass is green."})]);
    let graphs = talk.with_prompt("director", "Be quick about it.");

    let (called, ended) = talk.called(0, &["talk", "--graphs", &graphs, "--fail-on", "path,tools,sql,text,error"]);
    assert_eq!(called, ["director", "director"], "{ended:?}");
    assert!(row(&ended, "same") == "2" && row(&ended, "needs a call") == "2  (2 made)", "{ended:?}");
    assert!(ended.output.contains("anonymous/talk msg_1 ") && ended.output.contains("the same answer, with other requests"), "{ended:?}");
    let why = "  called: director, model (director): the fixed text of the system's message was ";
    assert!(ended.output.contains(why) && ended.output.contains("Be quick about it."), "{ended:?}");
    assert!(ended.errors.starts_with("calls that were not recorded go to: "), "{ended:?}");

    // That a call is needed can fail it, and --offline makes none.
    for offline in [&[][..], &["--offline"]] {
        let arguments = [&["talk", "--graphs", &graphs, "--fail-on", "call"][..], offline].concat();
        let (called, ended) = talk.called(1, &arguments);
        assert_eq!(called.len(), if offline.is_empty() { 2 } else { 0 });
        assert!(ended.errors.contains("changed in a way that --fail-on names: anonymous/talk msg_1, anonymous/talk msg_2"), "{ended:?}");
    }
    let (called, ended) = talk.called(0, &["talk", "--graphs", &graphs, "--offline", "--fail-on", "path,text,error"]);
    assert!(called.is_empty() && row(&ended, "same") == "0" && row(&ended, "needs a call") == "2", "{ended:?}");
    assert!(ended.output.contains("a call is needed, and the rest of the turn is not known"), "{ended:?}");
    assert!(ended.output.contains("  needs a call: director, model (director): the fixed text"), "{ended:?}");

    // Only behind the turn: its answer is known.
    let graphs = talk.with_prompt("memorizer", "Remember little.");
    fs::remove_file(talk.folder.path().join("mine/prompts/director.md")).unwrap();
    let (called, ended) = talk.called(0, &["talk", "--graphs", &graphs, "--offline", "--fail-on", "path,tools,sql,text,error"]);
    assert!(called.is_empty() && ended.output.contains("the same answer; a call behind it is needed"), "{ended:?}");
    let (called, _) = talk.called(0, &["talk", "--graphs", &graphs]);
    assert_eq!(called, ["memorizer", "memorizer"]);
}

#[test]
fn what_changed_is_shown_and_fails_by_its_kind() {
    let count = json!({"tool": "query", "args": {"database": "eras2_production", "sql": "SELECT COUNT(*) FROM kunden"}});
    let talk = Talk::on(
        "v3-framed",
        &[json!({"say": "The sky is blue today.", "tools": ["query"], "fill": [count]}), json!({"say": "Grass is green."})],
    );
    let graphs = talk.with_prompt("output", "Be quick about it.");
    talk.provider.says("output", &["The sky is ", "azure today."]);
    let (called, ended) = talk.called(1, &["talk", "--turn", "1", "--graphs", &graphs, "--fail-on", "text"]);
    assert_eq!(called[0], "output", "{ended:?}");
    assert!(ended.output.contains("The sky is [-blue-]{+azure+} today."), "{ended:?}");
    assert!(ended.errors.contains("--fail-on names: anonymous/talk msg_1") && !ended.errors.contains("msg_2"), "{ended:?}");
    assert_eq!((row(&ended, "text changed"), row(&ended, "path changed"), row(&ended, "turns")), ("1", "0", "1"));

    // A changed answer changes no other turn: the second one still has the first as it was.
    talk.provider.says("output", &["The sky is grey today."]);
    let (_, ended) = talk.called(0, &["talk", "--graphs", &graphs, "--fail-on", "path,error"]);
    assert_eq!((row(&ended, "text changed"), row(&ended, "same")), ("1", "1"), "{ended:?}");

    // As JSON, for programs.
    talk.provider.says("output", &["The sky is grey today."]);
    let (_, ended) = talk.called(1, &["talk", "--graphs", &graphs, "--json", "--fail-on", "text"]);
    let report: Value = serde_json::from_str(&ended.output).unwrap();
    let turn = &report["turns"][0];
    assert!(turn["kinds"].as_array().unwrap().contains(&json!("text")), "{report:#}");
    assert_eq!((&turn["was"]["text"], &turn["is"]["text"]), (&json!("The sky is blue today."), &json!("The sky is grey today.")));
    assert_eq!(
        (&report["summary"]["turns"], &report["summary"]["text"], &report["failed"][0]),
        (&json!(2), &json!(1), &json!("anonymous/talk msg_1"))
    );
}

#[test]
fn another_graph_shows_other_paths_tools_and_statements() {
    let query = |sql: &str| json!({"tool": "query", "args": {"database": "eras2_production", "sql": sql}});
    let message = |sql: &str| json!({"expert": "eras", "tools": [query(sql)], "say": "Sixteen."});
    let talk = Talk::on("v4-eras", &[message("SELECT COUNT(*) FROM kunden")]);
    // The expert plans another statement.
    let graphs = talk.with_prompt("eras", "Count otherwise.");
    let plan = json!({"tool_sequence": [query("SELECT COUNT(id) FROM kunden")], "response_hint": "", "interpret": false});
    talk.provider.says("expert", &[&plan.to_string()]);
    let (_, ended) = talk.called(1, &["talk", "--graphs", &graphs, "--fail-on", "sql"]);
    assert_eq!((row(&ended, "SQL changed"), row(&ended, "path changed")), ("1", "0"), "{ended:?}");
    for line in ["  sql     - SELECT COUNT(*) FROM kunden", "          + SELECT COUNT(id) FROM kunden"] {
        assert!(ended.output.contains(line), "{line}: {ended:?}");
    }
    // A graph of another name, as a file with no folders beside it.
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs/v1-direct.json")).unwrap();
    let file = talk.folder.write("other.json", &text.replacen("v1-direct", "other", 1));
    let (_, ended) = talk.called(1, &["talk", "--graph", file.to_str().unwrap(), "--fail-on", "path"]);
    assert!(row(&ended, "path changed") == "1" && ended.output.contains("\n  path    "), "{ended:?}");
    assert!(ended.output.contains("          - describe({\"table\":\"kunden\"})"), "{ended:?}");
    let (called, ended) = talk.called(0, &["talk", "--graph", file.to_str().unwrap(), "--offline"]);
    assert!(called.is_empty() && ended.output.contains("needs a call: "), "{ended:?}");
}

#[test]
fn a_turn_that_fails_on_the_other_graph_is_an_error() {
    let talk = Talk::on("v3-framed", &[json!({"say": "Yes."})]);
    let graphs = talk.with_prompt("output", "Be quick about it.");
    let dead = ["replay", "talk", "--graphs", &graphs, "--llm-url", "http://127.0.0.1:9/v1", "--model", "m", "--retries", "0"];
    let run = |more: &[&str]| run_on_folder(&talk.folder, talk.server.folder.path().to_str().unwrap(), &[&dead[..], more].concat());
    let ended = run(&["--fail-on", "error"]);
    assert!(ended.code == Some(1) && row(&ended, "errors") == "1", "{ended:?}");
    assert!(ended.output.contains("  error   none -> The model can't be reached right now."), "{ended:?}");
    assert_eq!(run(&["--fail-on", "path,tools"]).code, Some(0), "only kinds that are named fail it");
}

#[test]
fn what_can_not_be_compared_is_refused_with_what_to_do() {
    let folder = Folder::new();
    folder.write("broken.json", "{");
    let run = |arguments: &[&str]| run_on_folder(&folder, folder.path().to_str().unwrap(), &[&["replay"], arguments].concat());
    for (arguments, code, says) in [
        (&["talk", "--all", "--graph", "v3-framed"][..], 2, "cannot be used with"),
        (&["--all"], 2, "--all is for a comparison: name what to compare with"),
        (&["talk", "--fail-on", "text"], 2, "--fail-on is for a comparison"),
        (&["talk", "--fail-on", "speed", "--graph", "v3-framed"], 2, "speed"),
        (&["talk", "--since", "soon", "--graph", "v3-framed"], 2, "write a date"),
        (&["talk", "--graph", "nope"], 3, "there is no graph `nope`: name a file that ends in .json, or one of "),
        (&["talk", "--graph", "nope.json"], 3, "nope.json: "),
        (&["talk", "--graph", "broken.json"], 3, "broken.json:1: "),
        (&["talk", "--graph", "v3-framed"], 4, "there is no journal"),
        (&["nope.jsonl", "--graph", "v3-framed"], 4, "nope.jsonl: can't be opened"),
    ] {
        let ended = run(arguments);
        assert!(ended.code == Some(code) && ended.errors.contains(says) && ended.output.is_empty(), "{arguments:?}: {ended:?}");
    }
    let talk = Talk::on("v3-framed", &[json!({"say": "Yes."})]);
    let ended = talk.run(&["talk", "--turn", "9", "--graph", "v3-framed"]);
    assert!(ended.code == Some(4) && ended.errors.contains("there are no such turns"), "{ended:?}");
}
