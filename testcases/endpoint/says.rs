//! Answers in a shape that holds the words for the user: the words reach the client while the model still writes them, once,
//! and nothing else of the shape does.

use crate::model::Model;
use crate::support::{Provider, answer_text};
use serde_json::{Value, json};

const WORDS: &str = "Some words for “you”, \"quoted\":\nünïcödé 🎲.";

#[test]
fn a_client_sees_the_words_before_the_call_ends_and_the_answer_once() {
    let provider = Provider::start();
    let recall = json!([{ "tool": "recall", "args": { "query": "tea" } }]);
    for (graph, role, plan, calls) in [
        ("v4-eras", "pa", json!({ "answer": WORDS, "hold": "pa", "after": 2 }), "input pa memorizer"),
        (
            "v3-framed",
            "interpreter",
            json!({ "say": WORDS, "tools": recall, "hold": "interpreter", "after": 2 }),
            "input director interpreter memorizer",
        ),
    ] {
        let server = provider.server_on(graph);
        let session = server.session(role);
        let before = provider.asked().len();
        let mut chat = session.attached();
        chat.say(&json!({ "text": plan.to_string() }));
        provider.holds(1);
        let mut messages = chat.until(|message| message["type"] == "delta" && message["content"] == "words ");
        assert_eq!(answer_text(&messages, "msg_1"), "Some words ", "{role}: {messages:?}");
        assert_eq!(session.read("/api/state")["processes"][0]["label"], role, "its call is still out");
        assert_eq!(session.result()["partial"], "Some words ", "{role}");
        provider.release(1);
        messages.extend(chat.until_done("msg_1"));
        assert_eq!(answer_text(&messages, "msg_1"), WORDS, "{role}");
        assert!(!messages.iter().any(|message| message["kind"] == "retold"), "{role}: {messages:?}");
        assert_eq!(session.result_of("msg_1")["response"], WORDS);
        session.memorized();
        let said: Vec<Value> = session.messages().into_iter().filter(|message| message["role"] == "assistant").collect();
        assert_eq!((said.len(), &said[0]["content"]), (1, &json!(WORDS)), "{role}");
        assert_eq!(provider.asked()[before..].join(" "), calls);
    }
}

#[test]
fn words_that_turn_out_not_to_be_the_answer_are_replaced() {
    let provider = Provider::start();
    let server = provider.server_on("v4-eras");
    let session = server.session("replaced");
    let head = r#"{"expert":null,"thinking_message":"","language":"en","answer":"#;
    // The first is no JSON in the end, and neither the second: nobody can be found to answer.
    provider.says("pa", &[head, "\"Hello wor", "ld\", no"]);
    provider.says("pa", &[head, "\"Hello world, I am", " here"]);
    let mut chat = session.attached();
    chat.say(&json!({ "text": "{}" }));
    let messages = chat.until_done("msg_1");
    let result = session.result_of("msg_1");
    assert!(result["response"].as_str().unwrap().starts_with("I could not work out"), "{result}");
    assert_eq!(answer_text(&messages, "msg_1"), result["response"].as_str().unwrap());
    let deltas: Vec<&Value> = messages.iter().filter(|message| message["type"] == "delta").collect();
    let shown: String = deltas.iter().take_while(|delta| delta["kind"].is_null()).filter_map(|delta| delta["content"].as_str()).collect();
    assert_eq!(shown, "Hello world, I am here", "the second try goes on where the first was: {deltas:?}");
    assert_eq!(session.messages()[1]["content"], result["response"]);
}

#[test]
fn the_model_server_s_answers_are_streamed_on_each_path() {
    let model = Model::with(&["--delay-ms", "0"]);
    for (graph, asked) in [
        ("v4-eras", &[("why is the sky blue?", "pa"), ("what did I say before?", "expert+interpreter")][..]),
        ("v3-framed", &[("why is the sky blue?", "director"), ("what did I say before?", "director+interpreter")]),
    ] {
        let server = model.server_on(graph);
        let session = server.session(graph);
        let mut chat = session.attached();
        for (number, (text, path)) in asked.iter().enumerate() {
            let id = format!("msg_{}", number + 1);
            chat.say(&json!({ "text": text }));
            let messages = chat.until_done(&id);
            let pieces = messages.iter().filter(|message| message["type"] == "delta" && message["kind"].is_null()).count();
            assert_eq!(session.trace_of(&id)["path"], *path);
            assert_eq!(answer_text(&messages, &id), session.result_of(&id)["response"].as_str().unwrap());
            assert!(pieces > 5, "{path}: {messages:?}");
        }
    }
}
