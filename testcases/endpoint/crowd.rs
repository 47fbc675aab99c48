//! Two hundred conversations at once: every frame count is right, and no word crosses from one session to another.

use crate::support::{Server, Setting, answer_text, eventually, in_parallel};
use serde_json::{Value, json};

const CONVERSATIONS: usize = 200;

/// What each says, with a word of its own in it, and the path and frames that it takes.
const SCRIPT: &[(&str, &str, u64)] = &[
    ("hello", "reflex", 2),
    ("my name is TAG", "reflex", 2),
    ("give me two buttons: TAG and blue", "director", 4),
    ("what did I say before?", "director+interpreter", 5),
    ("why is TAG so green?", "director", 4),
];

#[test]
fn two_hundred_conversations_at_once_keep_apart() {
    let server = Server::with(&Setting { word_ms: 1, ..Setting::default() });
    in_parallel(0..CONVERSATIONS, |number| {
        let tag = format!("tag{number:03}x");
        let session = server.session(&format!("crowd-{number}"));
        let mut chat = session.attached();
        let mut stream = session.events();
        let mut everything = Vec::new();
        for (place, (text, path, frames)) in SCRIPT.iter().enumerate() {
            let (id, text) = (format!("msg_{}", place + 1), text.replace("TAG", &tag));
            if (number + place) % 2 == 0 {
                chat.say(&json!({ "text": text }));
            } else {
                assert_eq!(session.send(&text), id);
            }
            let messages = chat.until_done(&id);
            assert!(messages.last().unwrap()["error"].is_null(), "{tag}: {:?}", messages.last());
            let told: Vec<Value> = stream.until_trace(&id).into_iter().map(|told| told.event).collect();
            let trace = &told.last().unwrap()["trace"];
            assert_eq!((trace["path"].as_str().unwrap(), trace["total_frames"].as_u64().unwrap()), (*path, *frames), "{tag}: {text}");
            let streamed: String =
                told.iter().filter(|event| event["event"] == "streaming").map(|event| event["text"].as_str().unwrap()).collect();
            assert_eq!(answer_text(&messages, &id), streamed, "{tag}: both streams tell one answer");
            everything.extend(messages);
            everything.extend(told);
        }
        let recalled = answer_text(&everything, "msg_4");
        assert!(recalled.to_lowercase().contains(&tag), "{tag}: it is told its own words again: {recalled}");
        let messages = session.messages();
        let said: Vec<&str> =
            messages.iter().filter(|message| message["role"] == "user").map(|message| message["content"].as_str().unwrap()).collect();
        assert_eq!(said, SCRIPT.iter().map(|(text, ..)| text.replace("TAG", &tag)).collect::<Vec<_>>());
        everything.extend(messages);
        everything.push(session.memorized());
        everything.push(session.read("/api/frames?last=20"));
        let everything = Value::from(everything).to_string().to_lowercase();
        let tags = everything.match_indices("tag").filter_map(|(at, _)| everything.get(at..at + tag.len()));
        let strangers: Vec<&str> = tags.filter(|found| found.ends_with('x') && *found != tag).collect();
        assert_eq!(strangers, [] as [&str; 0], "{tag}: words of other sessions");
    });
    let totals: Vec<u64> = in_parallel(0..CONVERSATIONS, |number| {
        let frames = server.session(&format!("crowd-{number}")).read("/api/frames?last=20");
        frames["traces"].as_array().unwrap().iter().map(|trace| trace["total_frames"].as_u64().unwrap()).sum()
    });
    assert!(totals.iter().all(|total| *total == 17), "{totals:?}");
    eventually("all sockets to be closed", || {
        let idle = (0..CONVERSATIONS)
            .step_by(20)
            .all(|number| server.session(&format!("crowd-{number}")).read("/api/state")["ws_connected"] == false);
        idle.then_some(())
    });
}
