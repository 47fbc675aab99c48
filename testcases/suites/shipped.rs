//! The suites that ship pass, on the demo model and on each database.

use crate::player::{play, shipped};
use crate::support::{Server, Setting};
use serde_json::json;

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

fn check(file: &str, checks_min: u64) {
    let database = database();
    let suite = format!("testcases/{file}");
    let played = play(&[&[suite.as_str()], options(&database).as_slice()].concat());
    assert_eq!(played.code, Some(0), "{}{}", played.output, played.errors);
    let count = |what: &str| played.results[what].as_u64().unwrap();
    assert_eq!((count("passed"), count("failed"), count("skipped")), (count("total_expected"), 0, 0), "{}", played.output);
    assert!(count("passed") >= checks_min, "{file} makes {} checks, and should make {checks_min}", count("passed"));
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

#[test]
fn all_suites_pass_side_by_side_and_each_in_a_session_of_its_own() {
    let (suites, database) = (shipped(), database());
    let files: Vec<&str> = suites.iter().map(String::as_str).collect();
    let played = play(&[files.as_slice(), &["--jobs", "4"], options(&database).as_slice()].concat());
    assert_eq!(played.code, Some(0), "{}{}", played.output, played.errors);
    assert_eq!(played.results["passed"], played.results["total_expected"]);
    for result in played.results["results"].as_array().unwrap() {
        assert_eq!((&result["session"], result["status"].as_str()), (&result["suite"], Some("PASS")), "{result}");
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
