//! How a session goes on after a restart.

use super::world::World;
use crate::contract::{Code, Input, Limits, Outcome, What};
use crate::engine::first_seq;

fn finish(world: &mut World) {
    while !world.out.is_empty() {
        world.answer("Hello");
    }
}

fn ended(world: &World) -> Vec<(u64, Option<Code>)> {
    let ends = world.events.iter().filter_map(|event| match &event.what {
        What::Done { outcome: Outcome::Failed { code, .. }, .. } => Some((event.turn.0, *code)),
        What::Done { .. } => Some((event.turn.0, None)),
        _ => None,
    });
    ends.collect()
}

#[test]
fn what_ran_ends_with_an_error_and_what_waited_begins() {
    let mut world = World::with("v1-direct", Limits::default());
    world.say("hi");
    world.say("and now?");
    assert_eq!(world.out.len(), 1);
    world.out.clear();
    world.put(Input::Resumed { generation: 7, rerun: false });
    assert_eq!(ended(&world), [(1, Some(Code::CutOff))]);
    assert_eq!(world.out.len(), 1, "the second turn's call");
    assert!(world.events.last().unwrap().seq > first_seq(7).unwrap());
    finish(&mut world);
    assert_eq!(ended(&world), [(1, Some(Code::CutOff)), (2, None)]);
    world.replay();
}

#[test]
fn what_ran_begins_again_under_its_own_id_where_that_is_wanted() {
    let mut world = World::with("v1-direct", Limits::default());
    world.say("hi");
    let (call, _) = world.out[0].clone();
    world.put(Input::Chunk { call, text: "Hel".into() });
    world.out.clear();
    world.put(Input::Resumed { generation: 2, rerun: true });
    let retold = world.events.iter().any(|event| matches!(&event.what, What::Retold { text } if text.is_empty()));
    assert!(retold, "what was shown of the first try is taken back");
    finish(&mut world);
    assert_eq!(ended(&world), [(1, None)]);
    let questions = world.session.history().iter().filter(|message| message.content == "hi").count();
    assert_eq!(questions, 1, "the question stands once in the history");
    world.replay();
}

#[test]
fn where_nothing_ran_only_the_numbers_go_on() {
    let mut world = World::with("v1-direct", Limits::default());
    world.say("hi");
    finish(&mut world);
    let (events, history) = (world.events.len(), world.session.history().clone());
    world.put(Input::Resumed { generation: 3, rerun: false });
    assert_eq!((world.events.len(), world.session.history()), (events, &history));
    assert!(world.out.is_empty());
    world.say("hello");
    let rises = world.events.windows(2).all(|pair| pair[0].seq < pair[1].seq);
    assert!(rises && world.events[events].seq > first_seq(3).unwrap());
}
