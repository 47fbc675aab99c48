//! Graphs and limits that are loaded while a session runs: each turn keeps what it began with.

use super::world::World;
use crate::contract::{Input, Limits, What};
use crate::graph::{Library, shipped, shipped_with};
use serde_json::Value;
use std::sync::Arc;

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;

/// Every prompt says so.
fn marked() -> Arc<Library> {
    shipped_with(|file| file.replace("=== user", "MARKED\n=== user"))
}

/// In `v1-direct` each node has another place, and the graph `v3-framed` is gone.
fn moved() -> Arc<Library> {
    shipped_with(|file| match serde_json::from_str::<Value>(file) {
        Ok(mut graph) if graph["name"] == "v1-direct" => {
            graph["nodes"].as_array_mut().unwrap().rotate_right(1);
            graph.to_string()
        }
        Ok(graph) if graph["name"] == "v3-framed" => file.replace("\"v3-framed\"", "\"v3-renamed\""),
        Ok(_) | Err(_) => file.to_owned(),
    })
}

fn reloaded(world: &World) -> Vec<Option<String>> {
    world.session.traces().map(|trace| trace.reloaded.as_ref().map(ToString::to_string)).collect()
}

#[test]
fn a_turn_keeps_the_graph_that_it_began_with_and_the_next_takes_the_new_one() {
    for is_saved in [false, true] {
        let mut world = World::new("v1-direct");
        world.is_reloading = is_saved;
        world.say("one");
        assert!(!world.asked().contains("MARKED"));
        world.say("two");
        world.load(&marked(), Limits { traces_max: 1, ..Limits::default() });
        world.answer("Well.");
        let at = world.out.iter().position(|(_, request)| &*request.label() == "agent").unwrap();
        world.out.rotate_left(at);
        assert!(world.asked().contains("MARKED"), "the turn that waited runs on the new prompts: {}", world.asked());
        while !world.out.is_empty() {
            world.answer("Well.");
        }
        let hash = world.session.graph().hash[..12].to_owned();
        assert_eq!(reloaded(&world), [Some(hash)], "the trace says so, and the limit on traces is the new one");
        world.say("three");
        while !world.out.is_empty() {
            world.answer("Well.");
        }
        assert_eq!(reloaded(&world), [None], "only the first turn on a new graph says so");
        world.replay();
    }
}

#[test]
fn a_running_turn_makes_all_its_calls_from_the_old_prompts() {
    let mut world = World::new("v3-framed");
    world.is_reloading = true;
    world.say("why?");
    world.load(&marked(), Limits::default());
    let mut asked = 0;
    while world.session.busy() {
        assert!(!world.asked().contains("MARKED"), "{}", world.asked());
        asked += 1;
        world.answer(PERCEIVED);
    }
    assert!(asked >= 3, "{asked}");
    world.say("and?");
    let at = world.out.iter().position(|(_, request)| &*request.label() == "input").unwrap();
    world.out.rotate_left(at);
    assert!(world.asked().contains("MARKED"));
    world.replay();
}

#[test]
fn what_runs_behind_a_turn_ends_on_the_graph_that_it_began_with() {
    let mut world = World::new("v1-direct");
    world.is_reloading = true;
    world.say("one");
    world.answer("Well.");
    assert_eq!(&*world.asking(), "memorizer");
    world.load(&moved(), Limits::default());
    world.say("two");
    // The memorizer of the first turn has a repair, of its own node, while the second turn runs on the new graph.
    world.answer("no JSON");
    let labels: Vec<_> = world.out.iter().map(|(_, request)| request.label().to_string()).collect();
    assert_eq!(labels, ["agent", "memorizer"]);
    let of_background = world.events.iter().rev().find(|event| matches!(event.what, What::ProcessStart { .. })).unwrap();
    assert_eq!(&*of_background.node, "memorizer");
    while !world.out.is_empty() {
        world.answer("{}");
    }
    assert_eq!(world.ends().len(), 2);
    assert!(world.session.traces().all(|trace| !trace.background.is_empty()), "both were remembered");
    world.replay();
}

#[test]
fn a_graph_that_is_gone_stays_until_the_session_switches() {
    let mut world = World::new("v3-framed");
    world.is_reloading = true;
    world.load(&moved(), Limits::default());
    assert_eq!(&**world.session.graph().name(), "v3-framed");
    let switch = |graph: &str| Input::Switch { graph: graph.into(), keep: true, from: super::world::ada() };
    assert!(world.session.accepts(&switch("v3-framed")).is_err(), "it is no longer offered");
    world.say("why?");
    world.answer(PERCEIVED);
    assert!(world.session.busy(), "turns still run on it");
    world.put(Input::Clear { from: super::world::ada() });
    assert_eq!(&**world.session.graph().name(), "v3-framed");
    world.put(switch("v3-renamed"));
    assert_eq!(&**world.session.graph().name(), "v3-renamed");
    world.load(&shipped(), Limits::default());
    assert!(world.session.accepts(&switch("v3-renamed")).is_err() && world.session.accepts(&switch("v3-framed")).is_ok());
    world.replay();
}

#[test]
fn a_switch_that_comes_while_a_turn_runs_finds_the_graphs_that_were_loaded() {
    let mut world = World::new("v1-direct");
    world.is_reloading = true;
    world.say("one");
    world.load(&moved(), Limits::default());
    world.put(Input::Switch { graph: "v3-renamed".into(), keep: false, from: super::world::ada() });
    assert_eq!((&**world.session.graph().name(), world.session.busy()), ("v3-renamed", false));
    world.say("hello");
    assert_eq!(reloaded(&world), [None], "who switches knows");
    world.replay();
}

#[test]
fn files_that_do_not_belong_to_a_graph_change_nothing_about_it() {
    let mut world = World::new("v1-direct");
    let other = shipped_with(|file| match file.contains("\"v4-eras\"") {
        true => file.replace("description\": \"", "description\": \"New: "),
        false => file.to_owned(),
    });
    world.load(&other, Limits::default());
    assert_ne!(world.libraries[0].hash(), world.libraries[1].hash());
    world.say("one");
    world.answer("Well.");
    assert_eq!(reloaded(&world), [None]);
    assert_eq!(world.session.graph().library.as_ref(), world.libraries[1].hash(), "it runs on the new library all the same");
}
