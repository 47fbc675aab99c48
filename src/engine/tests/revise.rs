//! Answers that are made again, and messages that are edited.

use super::world::{World, ada};
use crate::contract::{Accepted, CallId, Code, Input, Limits, Message, Outcome, Role, TurnId, Variant, What, WhileBusy};
use crate::engine::revise::{VARIANTS_BYTES_MAX, VARIANTS_MAX};
use serde_json::{Value, json};

fn retry(turn: Option<u64>) -> Input {
    Input::Retry { turn: turn.map(TurnId), client_id: None, from: ada() }
}

fn edit(turn: u64, text: &str) -> Input {
    Input::Edit { turn: TurnId(turn), text: text.into(), dashboard: Vec::new(), client_id: None, from: ada() }
}

fn rollback(text: &str) -> Input {
    let while_busy = Some(WhileBusy::Rollback);
    Input::Message { text: text.into(), dashboard: Vec::new(), client_id: None, while_busy, from: ada() }
}

/// A conversation of these questions, each answered with its number.
fn asked(questions: &[&str]) -> World {
    let mut world = World::new("v1-direct");
    for (question, answer) in questions.iter().zip(["Answer one.", "Answer two.", "Answer three."]) {
        world.say(question);
        finish(&mut world, answer);
    }
    world
}

/// Answers the turn, and whatever runs behind it with what changes nothing.
fn finish(world: &mut World, answer: &str) {
    world.answer(answer);
    while !world.out.is_empty() {
        world.answer("{}");
    }
}

fn history(world: &World) -> Vec<(u64, &str)> {
    world.session.history().iter().map(|message| (message.id.0, message.content.as_str())).collect()
}

/// Each variant of the message of a turn, as its texts.
fn variants(world: &World, turn: u64) -> Vec<Vec<&str>> {
    let message = world.session.history().iter().find(|message| message.id.0 == turn && message.role == Role::User).unwrap();
    message.variants.iter().map(|variant| variant.messages.iter().map(|message| message.content.as_str()).collect()).collect()
}

fn code(world: &World, input: &Input) -> Code {
    world.session.accepts(input).unwrap_err().code
}

#[test]
fn a_retry_answers_the_last_question_again_and_keeps_the_old_answer_as_a_variant() {
    for turn in [None, Some(2)] {
        let mut world = asked(&["first?", "second?"]);
        assert_eq!(world.session.accepts(&retry(turn)), Ok(Accepted::Begins(TurnId(3))));
        world.put(retry(turn));
        let prompt = world.asked();
        assert!(prompt.contains("second?") && prompt.contains("Answer one."), "{prompt}");
        assert!(!prompt.contains("Answer two."), "the model doesn't read the old answer: {prompt}");
        finish(&mut world, "Better.");
        assert_eq!(history(&world), [(1, "first?"), (1, "Answer one."), (3, "second?"), (3, "Better.")]);
        assert_eq!(variants(&world, 3), [["second?", "Answer two."]]);
        assert_eq!(variants(&world, 1), [[""; 0]; 0]);
        assert_eq!(world.ends().last(), Some(&(3, Outcome::Answered)));
        world.replay();
    }
}

#[test]
fn watchers_learn_what_was_replaced_and_which_variants_there_are() {
    let mut world = asked(&["first?", "second?"]);
    world.put(retry(None));
    finish(&mut world, "Better.");
    world.put(edit(1, "other?"));
    finish(&mut world, "Else.");
    let told: Vec<(u64, Vec<u64>, usize)> = (world.events.iter())
        .filter_map(|event| match &event.what {
            What::Replaced { turns, variants } => Some((event.turn.0, turns.iter().map(|turn| turn.0).collect(), variants.len())),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(3, vec![2], 1), (4, vec![1, 3], 1)]);
    let of_last: Vec<&str> = world.events.iter().filter(|event| event.turn == TurnId(4)).map(|event| event.what.name()).take(2).collect();
    assert_eq!(of_last, ["turn_started", "replaced"]);
    assert_eq!(variants(&world, 4), [["first?", "Answer one.", "second?", "Better."]]);
    assert_eq!(
        world.session.history_seq(),
        world.events.iter().rev().find(|event| event.turn == TurnId(4) && event.what.name() == "done").unwrap().seq
    );
}

#[test]
fn an_edit_goes_on_from_before_the_message_with_another_text() {
    let mut world = asked(&["first?", "second?", "third?"]);
    world.put(edit(2, "zweitens?"));
    let prompt = world.asked();
    assert!(prompt.contains("Answer one.") && prompt.contains("zweitens?"), "{prompt}");
    for gone in ["second?", "Answer two.", "third?", "Answer three."] {
        assert!(!prompt.contains(gone), "{gone} is gone: {prompt}");
    }
    finish(&mut world, "Anders.");
    assert_eq!(history(&world), [(1, "first?"), (1, "Answer one."), (4, "zweitens?"), (4, "Anders.")]);
    assert_eq!(variants(&world, 4), [["second?", "Answer two.", "third?", "Answer three."]]);
    // And once more, also in the place of the last message alone.
    world.put(edit(4, "deuxième?"));
    finish(&mut world, "Autrement.");
    assert_eq!(variants(&world, 5), [vec!["second?", "Answer two.", "third?", "Answer three."], vec!["zweitens?", "Anders."]]);
    world.replay();
}

#[test]
fn what_cannot_be_tried_again_or_edited_is_refused_with_a_code() {
    let mut world = World::new("v1-direct");
    assert_eq!((code(&world, &retry(None)), code(&world, &edit(1, "x"))), (Code::NothingToRetry, Code::UnknownTurn));
    world.say("first?");
    assert_eq!((code(&world, &retry(None)), code(&world, &edit(1, "x"))), (Code::TurnInProgress, Code::TurnInProgress));
    finish(&mut world, "One.");
    world.say("second?");
    finish(&mut world, "Two.");
    for (input, expected) in [
        (retry(Some(1)), Code::NotLastTurn),
        (retry(Some(9)), Code::UnknownTurn),
        (retry(Some(0)), Code::UnknownTurn),
        (edit(9, "x"), Code::UnknownTurn),
        (edit(1, " \n"), Code::MessageBlank),
    ] {
        assert_eq!(code(&world, &input), expected, "{input:?}");
    }
    world.put(edit(1, "x"));
    finish(&mut world, "X.");
    assert_eq!((code(&world, &retry(Some(2))), code(&world, &edit(2, "y"))), (Code::TurnNotKept, Code::TurnNotKept), "it is a variant now");
    world.put(Input::Clear { from: ada() });
    assert_eq!(code(&world, &retry(None)), Code::NothingToRetry);
}

#[test]
fn a_graph_that_interrupts_does_not_make_retries_interrupt() {
    let change: fn(&str) -> String = |file| file.replace("\"before\": \"sensor\"", "\"while_busy\": \"interrupt\", \"before\": \"sensor\"");
    let mut world = World::on(crate::graph::shipped_with(change), "v1-direct", Limits::default());
    world.say("first?");
    assert_eq!(code(&world, &retry(None)), Code::TurnInProgress);
}

#[test]
fn a_turn_that_failed_or_was_stopped_is_tried_again_as_well() {
    let mut world = asked(&["first?"]);
    world.say("second?");
    world.put(Input::Chunk { call: CallId(3), text: "Once".into() });
    world.put(Input::StopRunning);
    world.put(retry(None));
    finish(&mut world, "Whole.");
    assert_eq!(history(&world)[2..], [(3, "second?"), (3, "Whole.")]);
    let variant = &world.session.history()[2].variants[0];
    assert_eq!((variant.id, variant.messages[1].content.as_str(), variant.messages[1].partial), (TurnId(2), "Once", true));
    world.put(retry(None));
    world.put(Input::StopRunning);
    assert_eq!(history(&world)[2..], [(4, "second?")], "the question stays");
    assert_eq!(variants(&world, 4).len(), 2, "and so does what was there");
    world.replay();
}

#[test]
fn what_a_turn_had_replaced_is_back_when_the_turn_is_rolled_back() {
    for (input, replaced) in [(retry(None), vec![3]), (edit(1, "other?"), vec![1, 3])] {
        let mut world = asked(&["first?", "second?"]);
        world.put(retry(None));
        finish(&mut world, "Better.");
        let before: Vec<Message> = world.session.history().iter().cloned().collect();
        world.put(input);
        world.put(rollback("third?"));
        let restored = world.events.iter().find_map(|event| match &event.what {
            What::Withdrawn { restored } => Some(restored.iter().map(|turn| turn.0).collect::<Vec<_>>()),
            _ => None,
        });
        assert_eq!(restored, Some(replaced));
        assert_eq!(world.session.history().iter().take(4).cloned().collect::<Vec<_>>(), before, "to the letter, with its variants");
        let prompt = world.asked();
        assert!(prompt.contains("Better.") && !prompt.contains("other?"), "{prompt}");
        finish(&mut world, "Third.");
        assert_eq!(history(&world)[4..], [(5, "third?"), (5, "Third.")]);
        world.replay();
    }
}

#[test]
fn an_action_is_tried_again_while_its_control_is_offered() {
    let mut world = World::new("v3-framed");
    let perceived = r#"{"intent":"question","language":"en"}"#;
    let plan = |calls: Value| json!({"goal": "g", "tool_sequence": calls}).to_string();
    let states = json!({"off": {"buttons": [{"label": "Ask", "action": "ask", "payload": {"n": 1}}, {"label": "On", "action": "on", "go": "on"}]}, "on": {}});
    world.say("a lamp");
    world.answer(perceived);
    world.answer(&plan(json!([{"tool": "create_machine", "args": {"id": "m", "initial": "off", "states": states}}])));
    finish(&mut world, "There.");
    world.press("ask");
    world.answer(&plan(json!([])));
    finish(&mut world, "Asked.");
    world.put(retry(None));
    let prompt = world.asked();
    assert!(prompt.contains("the control «Ask» was used with data {\"n\":1}"), "{prompt}");
    world.answer(&plan(json!([])));
    finish(&mut world, "Asked again.");
    assert_eq!(history(&world)[2..], [(3, "Ask"), (3, "Asked again.")]);
    assert_eq!(variants(&world, 3), [["Ask", "Asked."]]);
    world.press("on");
    assert_eq!(code(&world, &retry(None)), Code::StaleControl, "the button has gone");
    world.put(edit(3, "what now?"));
    assert!(world.session.busy(), "but its message can be edited");
    world.replay();
}

#[test]
fn what_is_sent_again_under_the_same_name_starts_nothing() {
    let mut world = asked(&["first?"]);
    let client_id = Some("tab:1".parse().unwrap());
    let named = Input::Retry { turn: None, client_id: client_id.clone(), from: ada() };
    world.put(named.clone());
    let accepted = world.events.iter().find(|event| matches!(event.what, What::Accepted { .. })).unwrap();
    assert_eq!(accepted.turn, TurnId(2));
    finish(&mut world, "Better.");
    let events = world.events.len();
    world.put(named);
    world.put(Input::Edit { turn: TurnId(2), text: "x".into(), dashboard: Vec::new(), client_id, from: ada() });
    assert_eq!(world.events.len(), events);
    let names: Vec<_> = world.session.history().iter().map(|message| message.client_id.as_ref().map(|id| id.as_str())).collect();
    assert_eq!(names, [Some("tab:1"), None]);
}

#[test]
fn memory_and_machines_are_not_rolled_back() {
    let mut world = World::new("v1-direct");
    world.say("I like tea");
    world.answer("Noted.");
    world.answer(r#"{"facts":["likes tea"]}"#);
    world.put(edit(1, "I like coffee"));
    assert_eq!(world.session.memory().facts, ["likes tea"]);
    finish(&mut world, "Noted.");
}

#[test]
fn variants_have_a_bound_in_count_and_bytes_and_the_oldest_leave() {
    let mut world = asked(&["first?"]);
    for number in 0..VARIANTS_MAX + 3 {
        world.put(retry(None));
        finish(&mut world, &format!("Answer {number}."));
    }
    let last = world.session.history().back().unwrap().id.0;
    let kept = variants(&world, last);
    assert_eq!((kept.len(), kept[0][1], kept[VARIANTS_MAX - 1][1]), (VARIANTS_MAX, "Answer 2.", "Answer 9."));
    let long = "ä".repeat(VARIANTS_BYTES_MAX / 4);
    for _ in 0..4 {
        world.put(retry(None));
        finish(&mut world, &long);
        let bytes: usize = world.session.history().iter().flat_map(|message| &message.variants).map(Variant::bytes).sum();
        assert!(bytes <= VARIANTS_BYTES_MAX, "{bytes}");
    }
    let longer = "ä".repeat(VARIANTS_BYTES_MAX);
    world.put(retry(None));
    finish(&mut world, &longer);
    world.put(retry(None));
    finish(&mut world, "Short.");
    let variants = &world.session.history().iter().find(|message| !message.variants.is_empty()).unwrap().variants;
    assert_eq!((variants.len(), variants[0].cut), (1, true), "what doesn't fit is cut");
    assert!(variants[0].bytes() <= VARIANTS_BYTES_MAX && variants[0].messages[1].content.ends_with('…'));
    world.replay();
}

#[test]
fn variants_leave_before_messages_do() {
    let limits = Limits { history_bytes_max: 400, ..Limits::default() };
    let mut world = World::with("v1-direct", limits.clone());
    world.say("first?");
    finish(&mut world, &"a".repeat(100));
    world.put(retry(None));
    finish(&mut world, &"b".repeat(100));
    assert_eq!(variants(&world, 2).len(), 1);
    world.say("second?");
    finish(&mut world, &"c".repeat(190));
    assert_eq!(history(&world).len(), 4, "all messages are there");
    assert_eq!(variants(&world, 2).len(), 0, "the variant has made room");
    let bytes: usize = world.session.history().iter().map(Message::bytes).sum();
    assert!(bytes <= limits.history_bytes_max);
}

#[test]
fn a_turn_that_begins_again_after_a_crash_keeps_its_variants() {
    for (is_edit, rerun) in [(false, false), (false, true), (true, true)] {
        let mut world = asked(&["first?", "second?"]);
        world.put(if is_edit { edit(1, "other?") } else { retry(None) });
        world.reload();
        world.out.clear();
        world.put(Input::Resumed { generation: 3, rerun });
        if rerun {
            finish(&mut world, "Better.");
        }
        let replaced = if is_edit { 4 } else { 2 };
        assert_eq!(variants(&world, 3)[0].len(), replaced, "edit {is_edit}, rerun {rerun}");
        world.put(retry(None));
        world.put(rollback("x"));
        assert_eq!(variants(&world, 3)[0].len(), replaced, "and comes back");
        world.replay();
    }
}

#[test]
fn the_answer_of_a_replaced_turn_is_still_known() {
    let mut world = asked(&["first?"]);
    world.put(retry(None));
    let answer = |world: &World, turn: u64| {
        let answer = world.session.messages_of(TurnId(turn)).find(|message| message.role == Role::Assistant);
        answer.map(|message| message.content.clone()).unwrap_or_default()
    };
    assert_eq!(answer(&world, 1), "Answer one.");
    finish(&mut world, "Better.");
    assert_eq!((answer(&world, 1).as_str(), answer(&world, 2).as_str()), ("Answer one.", "Better."));
}

#[test]
fn after_a_switch_that_keeps_the_conversation_a_message_can_be_tried_again() {
    let mut world = asked(&["first?"]);
    world.put(Input::Switch { graph: "v3-framed".into(), keep: true, from: ada() });
    world.put(retry(None));
    assert!(world.asked().contains("first?"));
    world.replay();
}
