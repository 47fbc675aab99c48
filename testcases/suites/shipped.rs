//! The suites that ship pass, on the demo model and on each database.

use crate::player::{play, shipped};
use crate::support::{Server, Setting};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// What a server needs for the suites about the database: on the MariaDB that `testcases/mariadb` has started, else on the
/// built-in sample.
fn database() -> Option<String> {
    std::env::var("MARIADB_URL").ok().map(|url| format!("eras2_production={url}"))
}

fn options(database: &Option<String>) -> Vec<&str> {
    let mut options = vec!["--graph", "v4-eras", "--model", "demo"];
    if let Some(database) = database {
        options.extend(["--database", database]);
    }
    options
}

/// Plays one that ships; how many checks and steps it made, all of which passed.
fn counted(file: &str, options: &[&str]) -> (u64, usize) {
    let suite = format!("testcases/{file}");
    let played = play(&[&[suite.as_str()], options].concat());
    assert_eq!(played.code, Some(0), "{}{}", played.output, played.errors);
    let count = |what: &str| played.results[what].as_u64().unwrap();
    assert_eq!((count("passed"), count("failed"), count("skipped")), (count("total_expected"), 0, 0), "{}", played.output);
    let steps: BTreeSet<&str> = played.with("PASS").iter().map(|result| result["step"].as_str().unwrap()).collect();
    (count("passed"), steps.len())
}

#[test]
fn each_suite_makes_as_many_checks_as_it_is_meant_to() {
    let database = database();
    for (file, checks_min, steps_min) in
        [("smoketest.md", 40, 12), ("fast_v4.md", 28, 10), ("expert_eras.md", 23, 10), ("expert_progress.md", 10, 5)]
    {
        let (checks, steps) = counted(file, &options(&database));
        assert!(checks >= checks_min && steps >= steps_min, "{file} makes {checks} checks in {steps} steps");
    }
}

/// It names no graph: it runs on the one that the server stands on.
#[test]
fn the_fast_one_makes_its_ten_checks_on_either_graph() {
    for graph in ["v3-framed", "v4-eras"] {
        assert_eq!(counted("fast.md", &["--graph", graph]), (10, 5), "{graph}");
    }
}

/// As somebody does who has just cloned the project: whoever needs another graph than the usual one switches to it.
#[test]
fn all_suites_pass_without_a_word_about_the_server() {
    let suites = shipped();
    let played = play(&suites.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(played.code, Some(0), "{}{}", played.output, played.errors);
    let names: BTreeSet<&str> = played.with("PASS").iter().map(|result| result["suite"].as_str().unwrap()).collect();
    assert!(names.into_iter().eq(["expert_eras", "expert_progress", "fast", "fast_v4", "smoketest"]), "{suites:?}");
}

/// What can be expected is expected somewhere: a kind of check that no suite uses has nobody who would miss it.
#[test]
fn every_kind_of_check_is_in_one_of_the_suites() {
    let read = |file: &String| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let text: String = shipped().iter().map(read).collect();
    for kind in [
        "response: contains",
        "response: not contains",
        "response: matches",
        "response: is",
        "response: length",
        "actions: has",
        "actions: not has",
        "actions: count",
        "trace: has",
        "trace: not has",
        "frames: ",
        "path: ",
        "calls: llm",
        "calls: db",
        "calls: describe",
        "progress: contains",
        "progress: not contains",
        "progress: not exists",
        "table: rows",
        "table: columns has",
        "chart: rows",
        "chart: kind is",
        "time: ",
        "judge: ",
    ] {
        assert!(text.contains(&format!("\n- expect {kind}")), "no suite has `expect {kind}`");
    }
    let said_of_memory =
        |verb: &str| text.lines().any(|line| line.strip_prefix("- expect state: ").is_some_and(|rest| rest.contains(verb)));
    assert!([" is ", " contains ", " exists", " not exists"].into_iter().all(said_of_memory));
}

#[test]
fn all_suites_pass_side_by_side_and_each_in_a_session_of_its_own() {
    let (suites, database) = (shipped(), database());
    let files: Vec<&str> = suites.iter().map(String::as_str).collect();
    let played = play(&[files.as_slice(), &["--jobs", "4"], options(&database).as_slice()].concat());
    assert_eq!(played.code, Some(0), "{}{}", played.output, played.errors);
    assert_eq!(played.results["passed"], played.results["total_expected"]);
    for result in played.results["results"].as_array().unwrap() {
        // The demo model judges nothing.
        let is_well = result["status"] == "PASS" || result["reported"] == true;
        assert!(result["session"] == result["suite"] && is_well, "{result}");
        assert_eq!(result["file"], json!(format!("testcases/{}.md", result["suite"].as_str().unwrap())));
    }
}

fn server() -> Server {
    let database = database();
    Server::with(&Setting { options: &options(&database), ..Setting::default() })
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
