//! What the stream of events carries, so that a watcher needs to fetch nothing.

use super::world::{World, ada};
use crate::contract::{CallId, CallStatus, Entry, Input, Memory, Request, TurnId, What};
use serde_json::json;

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;

fn lamp() -> String {
    let states = json!({"off": {"buttons": [{"label": "On", "action": "flip", "go": "on"}]}, "on": {}});
    let calls = json!([
        {"tool": "create_machine", "args": {"id": "lamp", "initial": "off", "states": states}},
        {"tool": "set_state", "args": {"key": "count", "value": 3}},
        {"tool": "no_such_tool", "args": {}},
    ]);
    json!({"goal": "g", "tool_sequence": calls}).to_string()
}

fn a_turn_with_a_lamp() -> World {
    let mut world = World::new("v3-framed");
    world.say("a lamp");
    world.answer(PERCEIVED);
    world.answer(&lamp());
    world.answer("There.");
    world.answer(r#"{"topic":"lamps"}"#);
    world
}

#[test]
fn a_turn_starts_with_its_question_and_where_it_enters() {
    let mut world = a_turn_with_a_lamp();
    world.press("flip");
    let started: Vec<_> = (world.events.iter())
        .filter_map(|event| match &event.what {
            What::TurnStarted { message, entry, .. } => Some((event.turn.0, &**message, *entry)),
            _ => None,
        })
        .collect();
    assert_eq!(started, [(1, "a lamp", Entry::Message), (2, "On", Entry::Machine)]);
}

#[test]
fn memory_machines_and_state_are_shown_when_they_change_and_only_then() {
    let mut world = a_turn_with_a_lamp();
    let count = |world: &World, name: &str| world.names().iter().filter(|known| **known == name).count();
    let counts = |world: &World| ["machines", "state", "memory"].map(|name| count(world, name));
    assert_eq!(counts(&world), [1, 1, 1]);
    world.press("flip");
    assert_eq!(counts(&world), [2, 1, 1], "the machine has moved");
    world.say("again");
    world.answer(PERCEIVED);
    world.answer(r#"{"goal":"g","tool_sequence":[{"tool":"set_state","args":{"key":"count","value":3}}]}"#);
    world.answer("There.");
    world.answer(r#"{"topic":"lamps"}"#);
    assert_eq!(counts(&world), [2, 1, 1], "nothing has changed");
    world.put(Input::Clear { from: ada() });
    assert_eq!(counts(&world), [3, 2, 2], "all is reset");
    world.put(Input::Clear { from: ada() });
    assert_eq!(counts(&world), [3, 2, 2], "all was reset");
    let memory = world.events.iter().rev().find_map(|event| if let What::Memory { memory } = &event.what { Some(memory) } else { None });
    assert_eq!(**memory.unwrap(), Memory::initial("ada"));
}

#[test]
fn a_tool_s_result_has_the_id_of_its_call() {
    let mut world = a_turn_with_a_lamp();
    let ids = |world: &World| -> Vec<(&'static str, u64)> {
        (world.events.iter())
            .filter_map(|event| match &event.what {
                What::ToolCall { id, .. } | What::ToolResult { id, .. } => Some((event.what.name(), id.0)),
                _ => None,
            })
            .collect()
    };
    let pairs = |from: u64, to: u64| (from..=to).flat_map(|id| [("tool_call", id), ("tool_result", id)]).collect::<Vec<_>>();
    assert_eq!(ids(&world), pairs(1, 3));
    world.say("again");
    world.answer(PERCEIVED);
    world.answer(r#"{"goal":"g","tool_sequence":[{"tool":"recall","args":{"query":"lamp"}}]}"#);
    assert_eq!(ids(&world), pairs(1, 4), "they count up over turns");
}

#[test]
fn a_repair_says_why_the_model_is_called_again() {
    let mut world = World::new("v3-framed");
    world.say("why?");
    world.answer("no object");
    let reasons: Vec<_> = (world.events.iter())
        .filter_map(|event| match &event.what {
            What::ProcessStart { pid, reason, .. } => Some((*pid, reason.as_deref())),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [(CallId(1), None), (CallId(2), Some("there is no JSON object in it"))]);
}

#[test]
fn only_what_runs_after_a_turn_is_marked_as_background() {
    let mut world = World::new("v3-framed");
    world.say("why?");
    for (node, answer) in
        [("input", PERCEIVED), ("director", r#"{"goal":"g"}"#), ("output", "Because."), ("memorizer", "no object"), ("memorizer", "{}")]
    {
        let Request::Model(request) = &*world.out[0].1 else { panic!("{node} calls a model") };
        assert_eq!((&*request.role, request.background), (node, node == "memorizer"));
        world.answer(answer);
    }
    let calls: Vec<_> = world.trace().background.iter().map(|call| (&*call.label, call.status)).collect();
    assert_eq!(calls, [("memorizer", CallStatus::Done); 2], "it is repaired as any other");
}

#[test]
fn wall_time_is_data_and_durations_do_not_follow_it() {
    let mut world = World::new("v3-framed");
    let wall = world.now.wall;
    world.say("why?");
    world.now.wall.0 += 3_600_000_000;
    world.answer(PERCEIVED);
    world.now.wall.0 -= 7_200_000_000;
    world.answer(r#"{"goal":"g"}"#);
    world.answer("Because.");
    let trace = world.trace();
    assert_eq!((trace.started_at, trace.total_us), (wall, 300), "an hour ahead and two back are no time at all");
    assert!(trace.frames.iter().all(|frame| frame.ended_us - frame.started_us <= 100));
    let at: Vec<u64> = world.events.iter().filter(|event| event.turn == TurnId(1)).map(|event| event.at.0).collect();
    assert!(at[0] == wall.0 && at.iter().any(|at| *at > wall.0 + 3_000_000_000) && *at.last().unwrap() < wall.0, "{at:?}");
    world.answer("{}");
    world.say("and now?");
    assert!(world.asked().contains("local time: Thursday, 2025-11-20 19:49\nidle: under a minute"), "{}", world.asked());
    world.replay();
}
