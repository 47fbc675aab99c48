//! Sessions that are forked, and turns that are held for who plays a session again.

use super::world::{World, ada};
use crate::contract::{CallStatus, Effect, Input, Limits, Memory, Request, TurnId, What};
use crate::graph::shipped;

fn finish(world: &mut World) {
    while !world.out.is_empty() {
        world.answer("Hello");
    }
}

fn forked(frame: Option<u32>, memory: Option<Memory>, begins: Option<Input>) -> Input {
    let (memory, begins) = (memory.map(Box::new), begins.map(Box::new));
    Input::Forked { of: "other".into(), turn: TurnId(2), memory, library: None, frame, begins }
}

fn ends(world: &World) -> Vec<u64> {
    let ends = world.events.iter().filter(|event| matches!(event.what, What::Done { .. }));
    ends.map(|event| event.turn.0).collect()
}

#[test]
fn what_a_fork_begins_waits_for_the_next_input_and_reads_the_other_memory() {
    let mut world = World::with("v1-direct", Limits::default());
    world.say("hi");
    finish(&mut world);
    let memory = Memory { facts: vec!["likes pelicans".into()], ..Memory::initial("ada") };
    let message = Input::Message { text: "and now?".into(), dashboard: Vec::new(), client_id: None, while_busy: None, from: ada() };
    world.put(forked(None, Some(memory), Some(message)));
    assert!(world.out.is_empty(), "the server that loads it makes the calls");
    world.reload();
    world.put(Input::Resumed { generation: 2, rerun: false });
    let (_, request) = world.out[0].clone();
    assert!(serde_json::to_string(&request).unwrap().contains("likes pelicans"));
    finish(&mut world);
    assert_eq!(ends(&world), [1, 2]);
    world.replay();
}

#[test]
fn a_frame_that_is_forked_begins_again_and_has_its_calls_once() {
    let mut world = World::with("v1-direct", Limits::default());
    world.say("hi");
    let before = world.out.pop_front().unwrap();
    world.put(forked(Some(1), None, None));
    assert_eq!(world.session.frame_of_turn(), Some((TurnId(1), 0)));
    world.reload();
    world.put(Input::Resumed { generation: 2, rerun: false });
    let again = world.out[0].clone();
    assert!(again.0 > before.0 && again.1 == before.1, "the same is asked once more");
    finish(&mut world);
    assert_eq!(ends(&world), [1]);
    let turn = world.session.kept_turn(TurnId(1)).unwrap();
    let calls: usize = turn.trace.frames.iter().map(|frame| frame.calls.len()).sum();
    let asked = turn.calls.iter().filter(|call| call.frame > 0 && matches!(&*call.request, Request::Model(_))).count();
    assert_eq!((turn.trace.frames.len(), calls, asked), (1, 1, 1), "{turn:?}");
    assert_eq!(turn.trace.status, CallStatus::Done, "it is answered, and was not cut off");
    world.replay();
}

#[test]
fn a_held_turn_begins_when_its_caller_says_so_and_on_the_graph_that_was_chosen() {
    let mut world = World::with("v1-direct", Limits::default());
    world.session.hold();
    world.say("why is the sky blue?");
    world.say("and now?");
    assert!(world.out.is_empty());
    assert_eq!(world.session.held(), Some(TurnId(1)));
    assert!(!world.session.run_on(&shipped(), "unknown") && world.session.run_on(&shipped(), "v3-framed"));
    let mut effects = Vec::new();
    world.session.begin_held(&mut effects);
    let asks = |effect: &Effect| matches!(effect, Effect::Call { request, .. } if &*request.label() == "input");
    assert_eq!(effects.iter().filter(|effect| asks(effect)).count(), 1);
    assert!(world.session.is_at_work_for(TurnId(1)) && !world.session.is_at_work_for(TurnId(2)));
    assert_eq!((world.session.held(), world.session.calls_out().count()), (None, 1));
}
