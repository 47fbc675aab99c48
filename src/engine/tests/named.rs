//! Messages with a client id: sending one again starts nothing, whatever has become of it.

use super::world::{World, ada};
use crate::contract::{Accepted, ClientId, Input, Outcome, TurnId, What};
use serde_json::{Value, json};

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;

fn named(text: &str, id: &str) -> Input {
    Input::Message { text: text.to_owned(), dashboard: Vec::new(), client_id: Some(id.parse().unwrap()), while_busy: None, from: ada() }
}

fn known(turn: u64, done: Option<Outcome>) -> Accepted {
    Accepted::Known { turn: TurnId(turn), done }
}

fn answer_all(world: &mut World) {
    while !world.out.is_empty() {
        world.answer(r#"{"intent":"social","language":"en"}"#);
    }
}

#[test]
fn a_known_message_starts_nothing_while_it_waits_runs_or_has_ended() {
    let mut world = World::new("v3-framed");
    let (first, second) = (named("why?", "a"), named("and why?", "b"));
    assert_eq!(world.session.accepts(&first), Ok(Accepted::Begins(TurnId(1))));
    world.put(first.clone());
    world.put(second.clone());
    let events = world.events.len();
    for input in [&first, &second] {
        world.put(input.clone());
    }
    assert_eq!(world.events.len(), events, "no event");
    assert_eq!((world.session.accepts(&first), world.session.accepts(&second)), (Ok(known(1, None)), Ok(known(2, None))));
    answer_all(&mut world);
    assert_eq!(world.session.accepts(&first), Ok(known(1, Some(Outcome::Answered))));
    world.put(named("more?", "c"));
    world.put(Input::Stop);
    assert_eq!(world.session.accepts(&named("more?", "c")), Ok(known(3, Some(Outcome::Cancelled))));
    assert_eq!(world.ends().len(), 3);
    world.replay();
}

#[test]
fn a_known_message_is_known_even_when_a_new_one_would_be_refused() {
    let mut world = World::new("v3-framed");
    for id in ["a", "b", "c", "d", "e", "f", "g", "h", "i"] {
        world.put(named("why?", id));
    }
    assert!(world.session.accepts(&named("why?", "j")).is_err(), "the queue is full");
    assert_eq!(world.session.accepts(&named("why?", "i")), Ok(known(9, None)));
    assert_eq!(world.session.accepts(&named(" ", "i")), Ok(known(9, None)));
}

#[test]
fn an_action_refused_at_its_turn_is_known_with_its_failure() {
    let mut world = World::new("v3-framed");
    world.say("two buttons");
    world.answer(PERCEIVED);
    let actions = json!([{"tool": "emit_actions", "args": {"actions": ["Red"]}}]);
    world.answer(&json!({"goal": "g", "tool_sequence": actions}).to_string());
    answer_all(&mut world);
    world.say("something else");
    let action = |id: &str| {
        let client_id = Some(id.parse::<ClientId>().unwrap());
        Input::Action { action: "red".into(), data: Value::Null, source: None, client_id, while_busy: None, from: ada() }
    };
    world.put(action("press"));
    world.answer(PERCEIVED);
    world.answer(r#"{"goal":"g"}"#);
    answer_all(&mut world);
    let Ok(Accepted::Known { turn, done: Some(Outcome::Failed { why, .. }) }) = world.session.accepts(&action("press")) else {
        panic!("{:?}", world.session.accepts(&action("press")))
    };
    assert!(turn == TurnId(3) && why.contains("control"), "{why}");
    assert!(world.session.accepts(&action("again")).is_err(), "the control is gone");
}

#[test]
fn names_outlive_a_clear_and_a_switch() {
    let mut world = World::new("v3-framed");
    world.put(named("hello", "a"));
    world.put(Input::Clear { from: ada() });
    world.put(Input::Switch { graph: "v1-direct".into(), keep: false, from: ada() });
    assert_eq!(world.session.accepts(&named("hello", "a")), Ok(known(1, Some(Outcome::Answered))));
    assert_eq!(world.session.accepts(&named("hello", "b")), Ok(Accepted::Begins(TurnId(2))));
}

#[test]
fn remembers_the_last_200_names_and_no_more_than_a_bound() {
    let mut world = World::new("v3-framed");
    for number in 0..1_000 {
        world.put(named("hello", &format!("tab:{number}")));
        answer_all(&mut world);
    }
    let is_known = |number: u64| matches!(world.session.accepts(&named("hello", &format!("tab:{number}"))), Ok(Accepted::Known { .. }));
    assert!((800..1_000).all(is_known), "the last 200");
    assert!(!(0..790).any(is_known), "the others are forgotten");
}

#[test]
fn the_client_id_is_on_all_that_is_kept_and_shown_of_its_turn() {
    let mut world = World::new("v3-framed");
    world.put(named("hello", "tab:1"));
    let id: ClientId = "tab:1".parse().unwrap();
    let accepted = &world.events[0];
    assert_eq!((accepted.turn, &accepted.what), (TurnId(1), &What::Accepted { client_id: id.clone() }));
    let ids: Vec<(&str, &str)> = (world.events.iter())
        .filter_map(|event| match &event.what {
            What::TurnStarted { client_id: Some(client_id), .. } | What::Done { client_id: Some(client_id), .. } => {
                Some((event.what.name(), client_id.as_str()))
            }
            What::FrameTrace { trace } => trace.client_id.as_ref().map(|client_id| ("frame_trace", client_id.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [("turn_started", "tab:1"), ("frame_trace", "tab:1"), ("done", "tab:1")]);
    let history: Vec<_> = world.session.history().iter().map(|message| message.client_id.as_ref()).collect();
    assert_eq!(history, [Some(&id), None], "the user's message alone");
    let result = crate::wire::json::result(&world.session.result(), world.session.memory());
    assert_eq!(serde_json::from_slice::<Value>(&result).unwrap()["client_id"], "tab:1");
}
