//! Answers as models really give them: thoughts between and beside the words, JSON in prose, arguments in odd shapes, fields
//! that say nothing. What is there is taken, what was only thought is shown to nobody, and what is missing has a name.

use crate::support::{Conversation, Provider};
use serde_json::{Value, json};

const PERCEIVED: &str =
    r#"{"who":"a user","language":"en","intent":"question","topic":"x","tone":"calm","complexity":"simple","context":""}"#;
const DECIDED: &str = r#"{"goal":"answer","steps":[],"tool_sequence":[],"present_as":"text","reason":"x"}"#;

/// The words that a turn's watchers were shown, and what they were shown instead in the end.
fn shown(session: &Conversation, text: &str) -> (String, Option<String>) {
    let mut events = session.events();
    let id = session.send(text);
    let events: Vec<Value> = events.until_trace(&id).into_iter().map(|told| told.event).collect();
    let texts = |name: &'static str| {
        let named = events.iter().filter(move |event| event["event"] == name);
        named.map(|event| event["text"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    (texts("streaming").concat(), texts("retold").pop())
}

/// What nobody may be told, in nothing that was sent to the model.
fn is_never_sent(provider: &Provider, thought: &str) {
    for role in ["input", "director", "output", "agent", "memorizer"] {
        for body in provider.asked_of(role) {
            assert!(!body.to_string().contains(thought), "{role}: {body}");
        }
    }
}

fn thoughts(session: &Conversation, id: &str) -> Vec<String> {
    let turn = session.read(&format!("/api/turn?id={id}"));
    let calls = turn["calls"].as_array().unwrap_or_else(|| panic!("{turn}"));
    calls.iter().filter_map(|call| call["reply"]["thoughts"].as_str().map(str::to_owned)).collect()
}

#[test]
fn what_a_model_thinks_is_kept_in_the_trace_and_shown_to_nobody() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("thoughts");
    // The template opens the first thought itself; the structured answers are read, and two of them teach how the model thinks.
    provider.says("input", &["Maybe {social}? ", "zebra1\n</think>\n\n", PERCEIVED]);
    provider.says("director", &["Use {x}. zebra2\n</think>```json\n", DECIDED, "\n```"]);
    provider.says("output", &["Let me see. ", "zebra3\n</th", "ink>\n\nYes, ", "it is.", "[THINK]zebra4", "[/THINK]", " Really."]);
    assert_eq!(shown(&session, "is it?"), ("Yes, it is. Really.".to_owned(), None), "nothing is shown before it is clear");
    let result = session.result();
    assert_eq!(result["response"], "Yes, it is. Really.");
    assert_eq!(session.messages()[1]["content"], "Yes, it is. Really.");
    let kept = thoughts(&session, "msg_1").concat();
    assert!((1..=4).all(|number| kept.contains(&format!("zebra{number}"))), "{kept}");
    session.memorized();
    provider.script(
        "output",
        &[
            r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"zebra5"}]},{"type":"text","text":"No."}]}}]}"#,
            r#"{"choices":[{"delta":{"reasoning":"zebra6"}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
        ],
    );
    assert_eq!(shown(&session, "and now?").0, "No.");
    assert_eq!(thoughts(&session, "msg_2").concat(), "zebra5zebra6");
    session.memorized();
    session.ask("thanks");
    is_never_sent(&provider, "zebra");
}

#[test]
fn a_thought_that_was_shown_before_it_was_known_for_one_is_taken_back() {
    let provider = Provider::start();
    let server = provider.server_on("v1-direct");
    let session = server.session("taken-back");
    provider.says("agent", &["Let me see. ", "zebra", "\n</think>\n\nYes, ", "it is."]);
    let (streamed, retold) = shown(&session, "is it?");
    assert!(streamed.contains("zebra"), "nobody could know: {streamed}");
    assert_eq!(retold.as_deref(), Some("Yes, it is."));
    assert_eq!(session.result()["response"], "Yes, it is.");
    assert_eq!(session.messages()[1]["content"], "Yes, it is.");
    provider.says("agent", &["Once more: zebra", "\n</think>\n\nYes."]);
    assert_eq!(shown(&session, "really?").1.as_deref(), Some("Yes."), "one answer proves nothing");
    // From then on it is known.
    let mut chat = session.attached();
    provider.says("agent", &["Hm, ", "zebra", "</think>", "No."]);
    chat.say(&json!({"text": "and now?"}));
    let messages = chat.until_done("msg_3");
    assert!(!messages.iter().any(|message| message.to_string().contains("zebra")), "{messages:?}");
    provider.says("agent", &["Without a thought."]);
    assert_eq!(shown(&session, "sure?"), ("Without a thought.".to_owned(), None));
    // And that answer has made it forgotten: nothing is held back any more.
    provider.says("agent", &["Plain words", "\n</think>", "Yes."]);
    let (streamed, retold) = shown(&session, "and again?");
    assert!(streamed.contains("Plain words"), "{streamed}");
    assert_eq!(retold.as_deref(), Some("Yes."));
    is_never_sent(&provider, "zebra");
}

#[test]
fn a_question_about_the_tags_gets_its_answer() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("tags");
    let answer = "A thought stands between <think> and </think>:\n```\n<think>hm</think>\n```";
    provider.says("output", &["A thought stands between <thi", "nk> and </think>:\n``", "`\n<think>hm</think>\n```"]);
    assert_eq!(shown(&session, "what do <think> and </think> mean?"), (answer.to_owned(), None));
}

#[test]
fn a_structured_answer_is_found_and_taken_for_what_it_means() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("structured");
    provider.says("input", &["I'd use {intent} here:\n", &PERCEIVED.replace(r#""context":"""#, r#""context":null"#), " {done}"]);
    let tool = r#"{"name":"emit_actions","arguments":"{\"actions\":\"Red\"}"}"#;
    provider.says(
        "director",
        &[&format!(
            r#""{}""#,
            format!(r#"{{"goal":"show","steps":null,"tool_sequence":{tool}}}"#).replace('\\', "\\\\").replace('"', "\\\"")
        )],
    );
    session.ask("a red button, please");
    for role in ["input", "director", "output"] {
        assert_eq!(provider.asked_of(role).len(), 1, "{role}");
    }
    assert_eq!(session.read("/api/state")["controls"][0]["label"], "Red");
}

#[test]
fn what_does_not_fit_goes_back_with_its_place() {
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("corrected");
    provider.says("director", &[r#"{"goal":"x","tool_sequence":[{"tool":"recall","args":{}},{"args":{}}]}"#]);
    session.ask("what now?");
    let asked = provider.asked_of("director");
    let last = asked[1]["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap();
    assert!(last.contains("`tool_sequence[1].tool` is missing") && !last.contains("untagged"), "{last}");
}

fn called(id: &str, index: u64, tool: &str, arguments: &str) -> String {
    let function = json!({"name": tool, "arguments": arguments});
    let call = json!({"index": index, "id": id, "type": "function", "function": function});
    json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}).to_string()
}

#[test]
fn arguments_are_taken_where_their_meaning_is_certain_and_never_sent_back_broken() {
    let provider = Provider::start();
    let server = provider.server_on("v1-direct");
    let finish = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#;
    for (arguments, label) in [
        (r#"{}{"actions":["Red"]}"#, "Red"),
        (r#""{\"actions\":[\"Green\"]}""#, "Green"),
        (r#"{"actions":"[\"Blue\"]"}"#, "Blue"),
        (r#"{"actions":{"label":"White"}}"#, "White"),
    ] {
        let session = server.session(label);
        provider.script("agent", &[&called("a", 0, "emit_actions", arguments), finish]);
        session.ask("a button, please");
        assert_eq!(session.read("/api/state")["controls"][0]["label"], label, "{arguments}");
    }
    let session = server.session("broken");
    let broken = r#"{"actions":["Red"#;
    provider.script("agent", &[&called("a", 0, "emit_actions", broken), &called("a", 1, "emit_actions", r#"{"actions":["Two"]}"#), finish]);
    session.ask("two buttons, please");
    assert_eq!(session.read("/api/state")["controls"][0]["label"], "Two", "two calls with one id");
    let messages = provider.asked_of("agent").pop().unwrap()["messages"].as_array().unwrap().clone();
    let [.., said, first, second] = &messages[..] else { panic!("{messages:?}") };
    let ids: Vec<&Value> = said["tool_calls"].as_array().unwrap().iter().map(|call| &call["id"]).collect();
    assert_eq!((ids[0], ids[1]), (&first["tool_call_id"], &second["tool_call_id"]));
    assert_ne!(ids[0], ids[1]);
    assert_eq!(said["tool_calls"][0]["function"]["arguments"], "{}", "what can't be read doesn't go back");
    let told = first["content"].as_str().unwrap();
    assert!(told.contains(&Value::from(broken).to_string()), "it is quoted: {told}");
}

#[test]
fn odd_fields_lose_no_answer_and_an_empty_one_says_why() {
    let provider = Provider::start();
    let server = provider.server_on("v1-direct");
    let session = server.session("odd");
    provider.script(
        "agent",
        &[
            r#"{"error":"","choices":[{"delta":{"content":{"type":"text","text":"Yes"},"refusal":[],"tool_calls":{}}}]}"#,
            r#"{"choices":[{"delta":{"content":" \ud83d!"},"logprobs":NaN,"finish_reason":{"type":"stop"}}]}"#,
        ],
    );
    session.ask("is it?");
    assert_eq!(session.result()["response"], "Yes \u{FFFD}!");
    let filtered = r#"{"choices":[{"delta":{"content":""},"finish_reason":"content_filter"}]}"#;
    let thought = r#"{"choices":[{"delta":{"reasoning_content":"hm"},"finish_reason":"stop"}]}"#;
    // What a filter withheld is not asked for again.
    for (script, times, word) in [(filtered, 1, "withheld"), (thought, 2, "only thought")] {
        (0..times).for_each(|_| provider.script("agent", &[script]));
        let session = server.session(&word.replace(' ', "-"));
        let id = session.send("is it?");
        let result = session.result_of(&id);
        assert_eq!(result["status"], "error", "{result}");
        assert!(result["detail"].as_str().unwrap().contains(word), "{result}");
    }
    let asked = provider.asked_of("agent");
    let last = asked.last().unwrap()["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
    assert!(last.contains("it held only thoughts and no answer"), "{last}");
}
