//! `expect judge`: a model scores answers; reported apart, and counted only where somebody is strict.

use crate::player::{play, play_text};
use crate::support::{Folder, Provider, Server, run};
use serde_json::{Value, json};

const TEXT: &str = r#"# T
## 1
- send: {"say":"Light is scattered.","judge":{"points":9,"reason":"It names the scattering."}}
- expect response: contains scattered
- expect judge: it explains the colour of the sky
- send: {"say":"No idea.","judge":{"points":6,"reason":"It explains nothing."}}
- expect judge: it explains the colour of the sky
- send: {"say":"Hm.","judge":"perhaps"}
- expect judge: it is polite
"#;

#[test]
fn a_model_scores_answers_and_that_is_reported_apart() {
    let provider = Provider::start();
    let model = ["--llm-url", &provider.url(), "--model", "puppet"];
    let played = play_text("judged", TEXT, &model);
    assert_eq!(played.code, Some(0), "{played:?}");
    assert_eq!((played.results["passed"].as_u64(), played.results["total_expected"].as_u64()), (Some(1), Some(1)));
    let judged: Vec<_> = played.results["results"].as_array().unwrap().iter().filter(|result| result["reported"] == true).collect();
    for (result, (status, says)) in judged.iter().zip([
        ("PASS", "9 of 10: It names the scattering."),
        ("FAIL", "6 of 10: It explains nothing."),
        ("SKIP", "puppet could not judge it: its answer is no score: there is no JSON object in it"),
    ]) {
        assert_eq!((result["status"].as_str(), result["detail"].as_str()), (Some(status), Some(says)), "{result}");
    }
    for says in ["note  judged.md:7  1\n", "6 of 10: It explains nothing.", "1 held, 1 did not, 1 skipped (reported only; --strict-judge"] {
        assert!(played.output.contains(says), "{says}: {}", played.output);
    }
    let asked = provider.asked_of("judge");
    assert_eq!((asked.len(), &asked[0]["model"]), (3, &json!("puppet")));
    let question = asked[0]["messages"][1]["content"].as_str().unwrap();
    for (heading, text) in [("answer", "Light is scattered."), ("criterion", "it explains the colour of the sky")] {
        assert!(question.contains(&format!("## {heading}\n{text}")), "{question}");
    }

    let strict = play_text("judged", TEXT, &[&model[..], &["--strict-judge", "--judge-model", "wise"]].concat());
    assert_eq!((strict.code, strict.with("FAIL").len()), (Some(1), 2), "{strict:?}");
    assert_eq!(strict.results["total_expected"], 4);
    assert!(
        strict.output.contains("FAIL  judged.md:7") && strict.output.contains("      judge     6 of 10: It explains nothing.\n"),
        "{}",
        strict.output
    );
    assert!(provider.asked_of("judge")[3..].iter().all(|body| body["model"] == "wise"), "the judge may be another model");
    assert!(provider.asked_of("output").iter().all(|body| body["model"] == "puppet"), "and is no one else");
}

#[test]
fn whoever_tests_a_server_elsewhere_brings_a_judge_along() {
    let (provider, server) = (Provider::start(), Server::start());
    let (url, model) = (format!("http://{}", server.address), provider.url());
    let played = play_text("judged", TEXT, &["--url", &url, "--llm-url", &model, "--judge-model", "wise"]);
    assert_eq!(played.results["results"].as_array().unwrap().iter().filter(|result| result["reported"] == true).count(), 3, "{played:?}");
    assert_eq!(provider.asked().iter().filter(|role| *role == "judge").count(), 3, "{:?}", provider.asked());
    assert_eq!(provider.asked().len(), 3, "the server has a model of its own");
}

#[test]
fn where_nobody_can_judge_it_says_what_to_do() {
    let played = play_text("judged", TEXT, &[]);
    let skipped = played.with("SKIP");
    assert_eq!(skipped.len(), 3, "{played:?}");
    assert!(skipped[0]["detail"].as_str().unwrap().contains("name a model with --judge-model and --llm-url"), "{}", skipped[0]);
    let strict = play_text("judged", TEXT, &["--strict-judge"]);
    assert!(strict.code == Some(3) && strict.errors.contains("--strict-judge needs a model that can judge"), "{strict:?}");
    let unused = play(&["testcases/fast_v4.md", "--strict-judge"]);
    assert_eq!(unused.code, Some(0), "no judge is needed where none is asked: {unused:?}");
}

#[test]
fn judgements_are_recorded_and_played_with_their_suite() {
    let provider = Provider::start();
    let folder = Folder::new();
    folder.write("judged.md", TEXT);
    folder.write("plain.md", "# T\n## 1\n- send: hello\n- expect judge: it is kind\n");
    let test = |arguments: &[&str]| run(folder.path(), &[&["test", "--results", "r.json"], arguments].concat());
    let results = || -> Vec<Value> {
        let told: Value = serde_json::from_slice(&std::fs::read(folder.path().join("r.json")).unwrap()).unwrap();
        told["results"].as_array().unwrap().iter().map(|result| json!([result["status"], result["got"]])).collect()
    };
    let recorded = test(&["judged.md", "--record", "tapes", "--strict-judge", "--llm-url", &provider.url(), "--model", "puppet"]);
    assert_eq!(recorded.code, Some(1), "{recorded:?}");
    let (as_recorded, asked) = (results(), provider.asked().len());
    let replayed = test(&["judged.md", "--replay", "tapes", "--strict-judge"]);
    assert!(replayed.code == Some(1) && replayed.output.contains("6 of 10: It explains nothing."), "{replayed:?}");
    assert_eq!((results(), provider.asked().len()), (as_recorded, asked), "and nobody is asked");

    assert_eq!(test(&["plain.md", "--record", "tapes"]).code, Some(0));
    assert_eq!(test(&["plain.md", "--replay", "tapes"]).code, Some(0), "a judgement that nobody made is skipped again");
    let strict = test(&["plain.md", "--replay", "tapes", "--strict-judge"]);
    assert!(strict.code == Some(3) && strict.errors.contains("none were recorded"), "{strict:?}");
}
