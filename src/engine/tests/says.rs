//! An answer in a shape that holds the words for the user: they are streamed while it is made, and what the node takes it for
//! in the end is the answer.

use super::world::World;
use crate::contract::{Answer, CallError, Finish, Input, Limits, Outcome, Role, What};

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;
const ROUTED: &str = r#"{"expert":null,"job":"","thinking_message":"","language":"en","answer":"Hello world."}"#;
const TO_DESK: &str = r#"{"expert":"desk","job":"Say it.","thinking_message":"","language":"en","answer":"No."}"#;
const NO_CALLS: &str = r#"{"tool_sequence":[],"response_hint":"","interpret":false}"#;

/// A turn whose PA is asked.
fn asked(limits: Limits) -> World {
    let mut world = World::with("v4-eras", limits);
    world.is_reloading = true;
    world.say("hello you");
    world.answer(PERCEIVED);
    world
}

/// The oldest call streams these pieces, and then ends with this text.
fn streams(world: &mut World, pieces: &[&str], text: &str) {
    let (call, _) = world.out.pop_front().unwrap();
    for piece in pieces {
        world.put(Input::Chunk { call, text: (*piece).to_owned() });
    }
    world.complete(call, Ok(Answer { text: text.to_owned(), ..Answer::default() }));
}

/// What watchers were shown of the answer: pieces, and `=` before what replaced them all.
fn shown(world: &World) -> Vec<String> {
    let piece = |what: &What| match what {
        What::Streaming { text } => Some(text.to_string()),
        What::Retold { text } => Some(format!("={text}")),
        _ => None,
    };
    world.events.iter().filter_map(|event| piece(&event.what)).collect()
}

/// The turn's answer, as the history has it.
fn answer(world: &World) -> &str {
    let last = world.session.history().back().unwrap();
    assert_eq!((last.role, last.partial), (Role::Assistant, false));
    &last.content
}

#[test]
fn the_words_are_shown_before_the_call_ends_and_nobody_is_asked_to_say_them_again() {
    let mut world = asked(Limits::default());
    let call = world.out[0].0;
    world.put(Input::Chunk { call, text: "Hello ".to_owned() });
    assert_eq!(shown(&world), ["Hello "]);
    streams(&mut world, &["world."], ROUTED);
    assert_eq!((shown(&world), answer(&world)), (vec!["Hello ".to_owned(), "world.".to_owned()], "Hello world."));
    assert_eq!((world.trace().path.as_str(), world.trace().frames.len(), &*world.asking()), ("pa", 3, "memorizer"));
    assert!(world.asked().contains("Hello world."), "the memorizer reads the answer: {}", world.asked());
    let calls = &world.session.turn(world.trace().id).unwrap().calls;
    assert_eq!(calls[1].came.said(), ROUTED, "the trace has all of it");
    world.replay();
}

#[test]
fn whatever_was_shown_the_answer_is_what_the_node_takes_it_for() {
    for (pieces, text, then) in [
        (&[][..], ROUTED, &["Hello world."][..]),
        (&["Hello"], ROUTED, &["Hello", " world."]),
        (&["\n", "Hello", " world", "."], ROUTED, &["Hello", " world", "."]),
        (&["Hello world. "], ROUTED, &["Hello world. ", "=Hello world."]),
        (&["Good ", "day"], ROUTED, &["Good ", "day", "=Hello world."]),
        (&["  "], ROUTED, &["Hello world."]),
    ] {
        let mut world = asked(Limits::default());
        streams(&mut world, pieces, text);
        assert_eq!((shown(&world), answer(&world)), (then.iter().map(|it| (*it).to_owned()).collect(), "Hello world."));
        world.replay();
    }
}

#[test]
fn what_was_shown_is_taken_back_where_somebody_else_answers() {
    let mut world = asked(Limits::default());
    streams(&mut world, &["No."], TO_DESK);
    assert_eq!(shown(&world), ["No.", "="]);
    world.answer(NO_CALLS);
    world.answer("Said.");
    assert_eq!(answer(&world), "Said.");
    assert_eq!(world.trace().path, "expert");
    world.replay();
}

#[test]
fn a_second_try_goes_on_where_the_first_was_cut_and_a_default_route_takes_it_back() {
    let cut = r#"{"expert":null,"job":"","thinking_message":"","language":"en","answer":"Hello wor"#;
    let mut world = asked(Limits::default());
    streams(&mut world, &["Hello wor"], cut);
    assert_eq!(&*world.asking(), "pa");
    streams(&mut world, &["Hello", " world."], ROUTED);
    assert_eq!((shown(&world).concat(), answer(&world)), ("Hello world.".to_owned(), "Hello world."));
    world.replay();

    let mut world = asked(Limits::default());
    streams(&mut world, &["Hello wor"], cut);
    streams(&mut world, &["Good day"], "hm");
    assert_eq!(shown(&world)[..2], ["Hello wor".to_owned(), "=".to_owned()]);
    assert!(answer(&world).starts_with("I could not work out"), "{}", answer(&world));
    world.replay();
}

#[test]
fn a_call_that_fails_leaves_what_was_shown_marked() {
    let mut world = asked(Limits::default());
    let call = world.out[0].0;
    world.put(Input::Chunk { call, text: "Hello".to_owned() });
    world.fail(CallError::Truncated);
    let last = world.session.history().back().unwrap();
    assert_eq!((last.content.as_str(), last.partial), ("Hello", true));
    assert!(matches!(world.ends()[0].1, Outcome::Failed { .. }));
    world.replay();
}

#[test]
fn what_a_filter_withholds_is_said_to_be_withheld_and_not_that_nobody_could_answer() {
    let cut = r#"{"expert":null,"job":null,"thinking_message":"","language":"en","answer":"Hello wor"#;
    for text in [cut, ROUTED] {
        let mut world = asked(Limits::default());
        let (call, _) = world.out.pop_front().unwrap();
        world.complete(call, Ok(Answer { text: text.to_owned(), finish: Finish::ContentFilter, ..Answer::default() }));
        match &world.ends()[0].1 {
            Outcome::Failed { why, .. } => assert!(why.contains("withheld"), "{why}"),
            other => panic!("{text}: {other:?}"),
        }
        world.replay();
    }
}

#[test]
fn a_second_try_that_comes_in_small_pieces_shows_what_is_new_and_nothing_once_it_differs() {
    for (pieces, then) in [(&["He", "l", "lo w", "orld."][..], "Hello world."), (&["He", "y", "!"], "Hello w")] {
        let mut world = asked(Limits::default());
        streams(&mut world, &["Hello w"], r#"{"expert":null,"answer":"Hello w"#);
        let call = world.out[0].0;
        for piece in pieces {
            world.put(Input::Chunk { call, text: (*piece).to_owned() });
        }
        assert_eq!(shown(&world).concat(), then);
        streams(&mut world, &[], ROUTED);
        assert_eq!(answer(&world), "Hello world.");
        world.replay();
    }
}

#[test]
fn an_answer_in_a_shape_is_cut_at_the_same_bound() {
    let mut world = asked(Limits { answer_bytes_max: 7, ..Limits::default() });
    streams(&mut world, &["Hello ", "world."], ROUTED);
    assert_eq!((shown(&world), answer(&world)), (vec!["Hello ".to_owned(), "w…".to_owned()], "Hello w…"));
    world.replay();
}

#[test]
fn the_interpreter_s_summary_is_streamed_too() {
    let mut world = World::new("v3-framed");
    world.say("what did I say?");
    world.answer(PERCEIVED);
    world.answer(r#"{"goal":"tell it","tool_sequence":[{"tool":"recall","args":{"query":""}}],"present_as":"list"}"#);
    for told in ["## language\nen\n", "## message\nwhat did I say?\n", "## goal\ntell it\n", "## present_as\nlist\n"] {
        assert!(world.asked().contains(told), "{told}: {}", world.asked());
    }
    let summary = "Nothing so far, but there is still time.";
    world.answer(&format!(r#"{{"findings":[],"summary":"{summary}"}}"#));
    assert_eq!((shown(&world).concat().as_str(), answer(&world)), (summary, summary));
    assert!(shown(&world).len() == 2, "in the pieces in which it came: {:?}", shown(&world));
    assert_eq!((world.trace().frames.len(), &*world.asking()), (5, "memorizer"));
    world.replay();
}
