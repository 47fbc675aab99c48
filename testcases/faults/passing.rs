//! What passes by itself is tried again, and nobody sees it; what doesn't, isn't.

use crate::support::answer_text;
use crate::world::{ANSWER, Model, QUESTION};
use serde_json::{Value, json};

#[test]
fn what_passes_by_itself_is_not_seen() {
    let model = Model::start(0);
    let server = model.patient_server(&[]);
    for fault in ["429", "429-after", "500", "503", "reset", "cut", "ended", "error"] {
        for place in ["input.head", "director.head", "output.start", "agent.head"] {
            // What comes behind a head is only tried again where it says that nothing was begun.
            let place = if fault.starts_with('4') { place.replace("start", "head") } else { place.to_owned() };
            let session = server.session(&format!("{fault}-{}", place.replace('.', "-")));
            if place.starts_with("agent") {
                session.post("/api/graph/switch", &json!({ "name": "v1-direct" }));
            }
            let mut chat = session.attached();
            chat.say(&json!({ "text": format!("fault:{fault}@{place}*1 {QUESTION}") }));
            let messages = chat.until_done("msg_1");
            assert_eq!(messages[messages.len() - 1]["error"], Value::Null, "{fault} at {place}: {messages:?}");
            assert!(answer_text(&messages, "msg_1").starts_with(ANSWER), "{fault} at {place}: {messages:?}");
        }
    }
}

#[test]
fn a_second_model_answers_where_the_first_one_fails_for_good() {
    let model = Model::start(0);
    let server = model.patient_server(&["--fallback-model", "spare", "--retries", "0"]);
    for fault in ["404", "429-late", "429-quota", "html", "401", "500"] {
        let session = server.session(fault);
        let mut chat = session.attached();
        chat.say(&json!({ "text": format!("fault:{fault}@output.head*1 {QUESTION}") }));
        let messages = chat.until_done("msg_1");
        assert!(answer_text(&messages, "msg_1").starts_with(ANSWER), "{fault}: {messages:?}");
    }
    let session = server.session("begun");
    let mut chat = session.attached();
    chat.say(&json!({ "text": format!("fault:cut@output.middle*1 {QUESTION}") }));
    let messages = chat.until_done("msg_1");
    assert!(!messages[messages.len() - 1]["error"].is_null(), "an answer that was begun is not begun again: {messages:?}");
}
