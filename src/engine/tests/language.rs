//! The language of a session: perceived with each message, and known at once.

use super::world::{World, ada};
use crate::contract::{Input, What};
use serde_json::json;

const BUTTON: &str = r#"{"goal":"Ja.","tool_sequence":[{"tool":"emit_actions","args":{"actions":["Weiter"]}}],"present_as":"buttons"}"#;
const GOAL: &str = r#"{"goal":"Weiter.","tool_sequence":[]}"#;

fn perceived(language: &str) -> String {
    json!({"intent": "request", "complexity": "simple", "language": language}).to_string()
}

/// A world in which the user has asked for German, and the memorizer is still at work.
fn asked_for_german() -> World {
    let mut world = World::new("v3-framed");
    world.is_reloading = true;
    world.say("ab jetzt bitte auf Deutsch, und gib mir einen Knopf");
    for answer in [&perceived("de"), BUTTON, "Bitte sehr."] {
        world.answer(answer);
    }
    assert_eq!(&*world.asking(), "memorizer");
    world
}

#[test]
fn a_button_that_is_pressed_at_once_is_answered_in_the_language_of_the_last_message() {
    let mut world = asked_for_german();
    let memorizer = world.out.pop_front().unwrap();
    world.press("weiter");
    assert!(world.asked().contains(r#""language":"de""#), "{}", world.asked());
    world.answer(GOAL);
    assert!(world.asked().contains("## language\nde\n"), "{}", world.asked());
    world.answer("Weiter geht es.");
    world.out.push_front(memorizer);
    for _ in 0..2 {
        world.answer(r#"{"language":"en","topic":"buttons"}"#);
    }
    let memory = world.session.memory();
    assert_eq!((memory.language.as_str(), memory.topic.as_deref()), ("de", Some("buttons")), "no memorizer changes it");
    let told =
        world.events.iter().filter_map(|event| if let What::Memory { memory } = &event.what { Some(&memory.language) } else { None });
    assert_eq!(told.collect::<Vec<_>>(), ["de", "de"], "watchers see it when it changes");
    world.put(Input::Clear { from: ada() });
    assert_eq!(world.session.memory().language, "en");
    world.replay();
}

#[test]
fn what_is_no_code_of_a_language_changes_nothing_and_each_message_counts() {
    let mut world = asked_for_german();
    world.answer("{}");
    for (language, becomes) in [("", "de"), ("German, I think", "de"), ("x", "de"), ("fr", "fr"), ("pt-BR", "pt-BR")] {
        world.say("weiter im Text");
        for answer in [&perceived(language), GOAL, "Gut.", "{}"] {
            world.answer(answer);
        }
        assert_eq!(world.session.memory().language, becomes, "{language:?}");
    }
    world.say("ok");
    assert_eq!(world.session.memory().language, "pt-BR", "a listed saying tells nothing of it");
}

#[test]
fn where_no_node_perceives_the_memorizer_says_it() {
    let mut world = World::new("v1-direct");
    world.say("auf Deutsch bitte");
    for answer in ["Gern.", r#"{"language":"de"}"#] {
        world.answer(answer);
    }
    assert_eq!(world.session.memory().language, "de");
}
