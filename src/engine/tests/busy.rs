//! A message that arrives while a turn runs: it waits, is refused, or ends that turn, as the request or the graph says.

use super::world::{World, ada};
use crate::contract::{Accepted, CallId, Code, Input, Limits, Outcome, Role, TurnId, What, WhileBusy};
use crate::graph::shipped_with;
use serde_json::Value;

fn message(text: &str, while_busy: WhileBusy) -> Input {
    Input::Message { text: text.into(), dashboard: Vec::new(), client_id: None, while_busy: Some(while_busy), from: ada() }
}

/// A turn that has said «Once upon», and one more that waits.
fn busy(graph: &str) -> World {
    let mut world = World::new(graph);
    world.say("tell me");
    world.put(Input::Chunk { call: CallId(1), text: "Once upon".into() });
    world.say("why?");
    world
}

/// Answers the running turn, and what runs behind the one before.
fn answer(world: &mut World, text: &str) {
    while &*world.asking() == "memorizer" {
        world.answer("{}");
    }
    world.answer(text);
}

fn history(world: &World) -> Vec<(u64, Role, &str, bool)> {
    world.session.history().iter().map(|m| (m.id.0, m.role, m.content.as_str(), m.partial)).collect()
}

#[test]
fn without_a_word_about_it_a_message_waits() {
    for stated in [None, Some(WhileBusy::Enqueue)] {
        let mut world = busy("v1-direct");
        world.put(Input::Message { text: "how?".into(), dashboard: Vec::new(), client_id: None, while_busy: stated, from: ada() });
        assert_eq!(world.ends(), []);
        [" a time.", "So.", "Thus."].into_iter().for_each(|text| answer(&mut world, text));
        assert_eq!(world.ends().iter().map(|(turn, _)| *turn).collect::<Vec<_>>(), [1, 2, 3], "{stated:?}");
    }
}

#[test]
fn a_message_that_rejects_is_refused_while_a_turn_runs_and_taken_by_a_session_that_rests() {
    let world = busy("v1-direct");
    let refusal = world.session.accepts(&message("how?", WhileBusy::Reject)).unwrap_err();
    assert_eq!((refusal.code, refusal.code.status()), (Code::TurnInProgress, 409));
    let idle = World::new("v1-direct");
    assert_eq!(idle.session.accepts(&message("how?", WhileBusy::Reject)), Ok(Accepted::Begins(TurnId(1))));
}

#[test]
fn an_interrupt_ends_the_running_turn_keeps_what_it_said_and_goes_behind_what_waits() {
    let mut world = busy("v1-direct");
    world.put(message("how?", WhileBusy::Interrupt));
    assert_eq!(world.ends(), [(1, Outcome::Cancelled)]);
    assert_eq!(
        history(&world),
        [(1, Role::User, "tell me", false), (1, Role::Assistant, "Once upon", true), (2, Role::User, "why?", false)],
        "turns start in the order of their ids"
    );
    answer(&mut world, "So.");
    answer(&mut world, "Thus.");
    assert_eq!(world.ends(), [(1, Outcome::Cancelled), (2, Outcome::Answered), (3, Outcome::Answered)]);
    world.replay();
}

#[test]
fn a_rollback_leaves_nothing_of_the_running_turn_in_what_models_read() {
    let mut world = busy("v1-direct");
    world.put(message("how?", WhileBusy::Rollback));
    assert_eq!(world.ends(), [(1, Outcome::Withdrawn)]);
    assert_eq!(history(&world), [(2, Role::User, "why?", false)]);
    let asked = world.asked();
    assert!(!asked.contains("tell me") && !asked.contains("Once upon"), "{asked}");
    let of_first: Vec<&str> = world.events.iter().filter(|event| event.turn == TurnId(1)).map(|event| event.what.name()).collect();
    assert!(of_first.ends_with(&["frame_trace", "withdrawn", "done"]), "{of_first:?}");
    assert_eq!(world.trace().status, crate::contract::CallStatus::Cancelled, "its trace stays");
    answer(&mut world, "So.");
    answer(&mut world, "Thus.");
    assert_eq!(world.ends().len(), 3);
    assert!(!history(&world).iter().any(|(turn, ..)| *turn == 1));
    world.replay();
}

#[test]
fn what_interrupts_needs_no_room_in_the_queue() {
    for mode in [WhileBusy::Interrupt, WhileBusy::Rollback] {
        let mut world = World::with("v1-direct", Limits { waiting_max: 2, ..Limits::default() });
        (0..3).for_each(|_| world.say("why?"));
        assert_eq!(world.session.accepts(&message("how?", WhileBusy::Enqueue)).unwrap_err().code, Code::QueueFull);
        world.put(message("how?", mode));
        assert_eq!(
            world.session.accepts(&message("how?", WhileBusy::Enqueue)).unwrap_err().code,
            Code::QueueFull,
            "as many wait as before"
        );
        world.put(Input::Stop);
        assert_eq!(world.ends().len(), 4);
    }
}

#[test]
fn a_message_sent_again_interrupts_nothing() {
    for mode in WhileBusy::ALL {
        let mut world = World::new("v1-direct");
        let named = |while_busy| Input::Message {
            text: "hi".into(),
            dashboard: Vec::new(),
            client_id: Some("tab:1".parse().unwrap()),
            while_busy: Some(while_busy),
            from: ada(),
        };
        world.put(named(mode));
        let events = world.events.len();
        world.put(named(mode));
        assert_eq!((world.events.len(), world.out.len()), (events, 1), "{mode:?} while it runs");
        world.answer("Hello.");
        world.say("something else");
        let events = world.events.len();
        world.put(named(mode));
        assert_eq!((world.events.len(), world.session.busy()), (events, true), "{mode:?} while another one runs");
        world.replay();
    }
}

#[test]
fn a_graph_states_it_for_requests_that_do_not() {
    for (stated, ends) in [("interrupt", Outcome::Cancelled), ("rollback", Outcome::Withdrawn)] {
        let library = match stated {
            "interrupt" => {
                shipped_with(|file| file.replace("\"before\": \"sensor\"", "\"while_busy\": \"interrupt\", \"before\": \"sensor\""))
            }
            _ => shipped_with(|file| file.replace("\"before\": \"sensor\"", "\"while_busy\": \"rollback\", \"before\": \"sensor\"")),
        };
        let mut world = World::on(library, "v1-direct", Limits::default());
        world.say("tell me");
        world.put(message("why?", WhileBusy::Enqueue));
        assert_eq!(world.ends(), [], "the request takes precedence");
        world.say("how?");
        assert_eq!(world.ends(), [(1, ends)]);
        world.replay();
    }
}

#[test]
fn an_action_interrupts_as_a_message_does() {
    let mut world = World::new("v3-framed");
    let machine = r#"{"goal":"g","tool_sequence":[{"tool":"create_machine","args":{"id":"m","initial":"off","states":{"off":{"buttons":[{"label":"On","action":"on","go":"on"}]},"on":{"buttons":[{"label":"Off","action":"off","go":"off"}]}}}}]}"#;
    world.say("a lamp");
    for answer in [r#"{"intent":"question","language":"en"}"#, machine, "There."] {
        world.answer(answer);
    }
    for (mode, action, outcome) in [(WhileBusy::Interrupt, "on", Outcome::Cancelled), (WhileBusy::Rollback, "off", Outcome::Withdrawn)] {
        world.say(&format!("a question of {mode:?}"));
        let (turn, while_busy) = (world.session.result(), Some(mode));
        world.put(Input::Action { action: action.into(), data: Value::Null, source: None, client_id: None, while_busy, from: ada() });
        let ends = world.ends();
        assert_eq!(ends[ends.len() - 2].1, outcome, "{turn:?}");
        assert_eq!(ends[ends.len() - 1].1, Outcome::Answered);
    }
    // A prompt that is looked at is about the last turn that is still there.
    let question = world.session.question(world.now, "director", None).unwrap();
    let prompt: String = question.messages.iter().map(|(_, message)| message.text.to_string()).collect();
    assert!(prompt.contains("a question of Interrupt") && !prompt.contains("a question of Rollback"), "{prompt}");
    world.replay();
}

#[test]
fn a_stop_of_the_running_turn_lets_those_that_wait_begin() {
    let mut world = busy("v1-direct");
    world.put(Input::StopRunning);
    assert_eq!(world.ends(), [(1, Outcome::Cancelled)]);
    assert!(world.session.busy() && world.out.len() == 1, "the second has begun");
    world.put(Input::StopRunning);
    assert_eq!(world.ends(), [(1, Outcome::Cancelled), (2, Outcome::Cancelled)]);
    let events = world.events.len();
    world.put(Input::StopRunning);
    assert_eq!(world.events.len(), events, "where nothing runs nothing is stopped");
    assert!(!world.events.iter().any(|event| matches!(event.what, What::Withdrawn { .. })));
    world.replay();
}
