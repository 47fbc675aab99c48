//! A model that thinks before it answers, and whose thoughts count in the longest answer that it is asked for: the answers are
//! right, or say that there is none.

use crate::model::Model;
use crate::support::{Conversation, Server, eventually};
use serde_json::{Value, json};

/// More than any node of the graph lets a model say, and so many that they don't pass for an answer.
const THINKS: [&str; 4] = ["--delay-ms", "0", "--thinks", "900"];

/// Each call of a turn's trace, in order.
fn calls(trace: &Value) -> Vec<Value> {
    let frames = trace["frames"].as_array().unwrap().iter();
    frames.flat_map(|frame| frame["calls"].as_array().unwrap().clone()).filter(|call| call["kind"] == "llm").collect()
}

/// The turn's line in the log.
fn line_of(server: &Server, id: &str) -> Value {
    eventually("the turn's line in the log", || {
        let said = server.said();
        let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["message"] == "turn" && line["id"] == id)
    })
}

fn asked(session: &Conversation, text: &str) -> (String, Value, Value) {
    let id = session.send(text);
    let result = session.result_of(&id);
    let trace = session.trace_of(&id);
    assert_eq!(trace["degraded"], result["degraded"]);
    assert_eq!(session.read(&format!("/api/turn?id={id}"))["trace"]["degraded"], trace["degraded"]);
    (id, result, trace)
}

#[test]
fn a_reasoning_model_gives_the_right_answer_and_is_given_room_from_then_on() {
    for is_counted in ["yes", "no"] {
        let model = Model::with(&[&THINKS[..], &["--counts-thoughts", is_counted]].concat());
        let server = model.server_on("v4-eras");
        let session = server.session("thinking");
        let (id, result, trace) = asked(&session, "how many customers are there?");
        assert!(result["response"].as_str().unwrap().contains("16"), "{result}");
        assert_eq!((&trace["path"], &trace["total_frames"]), (&json!("expert"), &json!(4)));
        assert_eq!(trace["degraded"], Value::Null);
        assert_eq!(line_of(&server, &id)["degraded"], Value::Null);

        let calls = calls(&trace);
        let first = &calls[0];
        assert_eq!(first["label"], "input");
        assert_eq!(first["retries"], json!(["cut at 300 tokens before it could be read: 4396 tokens"]), "{calls:?}");
        assert!(first["usage"]["completion_tokens"].as_u64().unwrap() > 300 + 900, "both tries are counted: {first}");
        let reasoning = (is_counted == "yes").then_some(json!(1200)).unwrap_or_default();
        assert_eq!(first["usage"]["reasoning_tokens"], reasoning);
        assert!(calls[1..].iter().all(|call| call["retries"].is_null()), "what was learned is kept: {calls:?}");
        let sum = |field: &str| calls.iter().map(|call| call["usage"][field].as_u64().unwrap()).sum::<u64>();
        assert_eq!(trace["usage"]["total_tokens"], sum("total_tokens"));
        session.memorized();
        let ended = session.read("/api/trace?last=100")["lines"].as_array().unwrap().clone();
        let retried = ended.iter().filter(|line| line["event"] == "process_end" && !line["retries"].is_null());
        assert_eq!(retried.count(), 1, "the trace says that a call was made again: {ended:?}");

        let (_, result, _) = asked(&session, "and how many customers are there in Leipzig?");
        assert!(result["response"].as_str().unwrap().contains(char::is_numeric), "{result}");
        assert_eq!(model.lines().iter().filter(|line| line.starts_with("cut ")).count(), 1, "{:?}", model.lines());
    }
}

#[test]
fn a_model_that_never_has_room_for_an_answer_leads_to_a_sentence_and_not_to_a_guess() {
    let model = Model::with(&[&THINKS[..], &["--window", "500"]].concat());
    let server = model.server_on("v4-eras");
    let session = server.session("narrow");
    let (id, result, trace) = asked(&session, "how many customers are there?");
    assert_eq!(result["status"], "done");
    let response = result["response"].as_str().unwrap();
    assert!(response.starts_with("I could not work out") && !response.contains(char::is_numeric), "{response}");
    let reason = "input could not be understood: it is too long and was cut before its end; pa could not be understood: it is too long and was cut before its end";
    assert_eq!((&trace["degraded"], &trace["path"]), (&json!(reason), &json!("pa")));
    assert_eq!(line_of(&server, &id)["degraded"], reason);
    assert!(calls(&trace).iter().all(|call| call["label"] == "input" || call["label"] == "pa"), "nobody else was asked: {trace}");
}
