//! Controls and machines in a session: what a press costs, what goes along with it, and how long what is shown stays.

use super::world::{World, ada};
use crate::contract::{Input, Limits, Source};
use serde_json::{Value, json};

const PERCEIVED: &str = r#"{"intent":"question","language":"en"}"#;

/// A turn of four frames with these tools; the memorizer has nothing to note.
fn turn(world: &mut World, tools: Value) {
    world.say("please");
    world.answer(PERCEIVED);
    world.answer(&json!({"goal": "do it", "tool_sequence": tools}).to_string());
    world.answer("There.");
    world.answer("{}");
}

fn tool(name: &str, args: Value) -> Value {
    json!({"tool": name, "args": args})
}

fn press(world: &mut World, action: &str, data: Value, source: Option<&str>) {
    let source = source.map(|source| Source::try_from(source.to_owned()).unwrap());
    world.put(Input::Action { action: action.to_owned(), data, source, client_id: None, while_busy: None, from: ada() });
}

fn lamp() -> Value {
    tool(
        "create_machine",
        json!({"id": "lamp", "initial": "off", "states": [
            {"name": "off", "buttons": [{"label": "On", "action": "switch", "go": "on", "payload": {"volts": 230}}]},
            {"name": "on", "buttons": [{"label": "Off", "action": "switch", "go": "off"}, {"label": "Ask", "payload": {"n": 1}}]}]}),
    )
}

/// The lamp, and a button of the answer that has the same action.
fn stage() -> World {
    let mut world = World::new("v3-framed");
    let actions = json!({"actions": [{"label": "Ours", "action": "switch", "go": "on", "payload": {"n": 7}}]});
    turn(&mut world, json!([tool("emit_actions", actions), lamp()]));
    assert_eq!(world.labels(), ["Ours", "On"]);
    world
}

#[test]
fn a_payload_goes_along_as_data_unless_the_press_brings_its_own() {
    for (data, told) in [(Value::Null, r#"with data {"n":1}"#), (json!({"n": 2}), r#"with data {"n":2}"#), (json!({}), "with data {}")] {
        let mut world = stage();
        world.press("switch");
        press(&mut world, "ask", data, None);
        assert_eq!(&*world.asking(), "director");
        assert!(world.asked().contains(&format!("action: ask (the control «Ask» was used {told})")), "{}", world.asked());
    }
    let mut world = World::new("v3-framed");
    turn(&mut world, json!([tool("emit_actions", json!({"actions": ["Red"]}))]));
    world.press("red");
    assert!(world.asked().contains("action: red (the control «Red» was used)"), "{}", world.asked());
    world.replay();
}

#[test]
fn only_a_machines_button_that_goes_somewhere_needs_no_model() {
    for (source, shown, asks) in [
        (None, &["Ours", "Off", "Ask"][..], "nobody"),
        (Some("machine:lamp"), &["Ours", "Off", "Ask"], "nobody"),
        (Some("thinker"), &["Ours", "On"], "director"),
    ] {
        let mut world = stage();
        press(&mut world, "switch", Value::Null, source);
        assert_eq!((world.labels(), &*world.asking()), (shown.iter().map(|label| (*label).to_owned()).collect(), asks), "{source:?}");
        if asks == "nobody" {
            let trace = world.trace();
            assert_eq!((trace.path.as_str(), trace.frames.len(), trace.frames[0].calls.len()), ("machine", 1, 0));
            assert!(!world.session.memorizing() && trace.background.is_empty(), "there is nothing to remember of it");
        }
        world.replay();
    }
}

#[test]
fn an_answer_s_buttons_go_nowhere_and_are_counted_anew_each_time() {
    let mut world = World::with("v3-framed", Limits { controls_max: 2, ..Limits::default() });
    for labels in [["Red", "Blue"], ["Red", "Green"]] {
        let actions: Vec<Value> = labels.iter().map(|label| json!({"label": label, "go": "there"})).collect();
        turn(&mut world, json!([tool("emit_actions", json!({"actions": actions}))]));
        assert_eq!(world.labels(), labels, "those of the answer before take up no place");
        let controls = serde_json::to_value(world.session.ui().controls()).unwrap();
        assert_eq!(controls[0], json!({"type": "button", "label": "Red", "action": "red", "source": "thinker"}));
    }
    world.replay();
}

#[test]
fn a_machine_is_added_to_set_back_and_taken_away_by_later_answers() {
    let mut world = World::new("v3-framed");
    let bell = tool("create_machine", json!({"id": "bell", "initial": "still", "states": {"still": {"buttons": ["Ring"]}}}));
    turn(&mut world, json!([lamp(), bell]));
    for (tools, shown) in [
        (json!([]), &["On", "Ring"][..]),
        (json!([tool("add_state", json!({"id": "lamp", "state": "off", "buttons": [{"label": "Dim", "go": "dim"}]}))]), &["On", "Ring"]),
        (
            json!([
                tool("add_state", json!({"id": "lamp", "state": "dim", "buttons": [{"label": "Bright", "go": "on"}]})),
                tool("add_state", json!({"id": "lamp", "state": "off", "buttons": [{"label": "Dim", "go": "dim"}]}))
            ]),
            &["Dim", "Ring"],
        ),
    ] {
        turn(&mut world, tools);
        assert_eq!(world.labels(), shown, "a state that a button leads to has to be there first");
    }
    world.press("dim");
    assert_eq!(world.labels(), ["Bright", "Ring"]);
    turn(&mut world, json!([tool("reset_machine", json!({"id": "lamp"}))]));
    assert_eq!(world.labels(), ["Dim", "Ring"]);
    turn(&mut world, json!([tool("destroy_machine", json!({"id": "lamp"}))]));
    assert_eq!(world.labels(), ["Ring"]);
    turn(&mut world, json!([lamp()]));
    assert_eq!(world.labels(), ["Ring", "On"], "what is made anew stands behind what was there");
    world.replay();
}

#[test]
fn who_fills_in_open_calls_sees_what_they_may_change_and_reads_of_no_other_tool() {
    let mut world = World::new("v3-framed");
    turn(
        &mut world,
        json!([tool("create_machine", json!({"id": "lamp", "initial": "off", "states": {"off": {"content": "It is dark."}}}))]),
    );
    world.say("let it say more");
    world.answer(r#"{"intent":"request","complexity":"simple","language":"en"}"#);
    world.answer(r#"{"goal":"Say it.","tool_sequence":[{"tool":"add_state"}]}"#);
    assert_eq!(&*world.asking(), "thinker");
    let asked = world.asked();
    assert!(asked.contains("It is dark.") && asked.contains("- `add_state {") && !asked.contains("- `recall {"), "{asked}");
}

#[test]
fn what_is_shown_of_the_state_is_kept_until_it_is_set_anew() {
    let mut world = World::new("v3-framed");
    let shows = tool("emit_display", json!({"items": [{"type": "value", "key": "count", "value": 0}]}));
    turn(&mut world, json!([tool("set_state", json!({"key": "count", "value": 3})), shows]));
    let value = |world: &World| serde_json::to_value(world.session.ui().controls()).unwrap()[0]["value"].clone();
    assert_eq!(value(&world), 3);
    turn(&mut world, json!([shows]));
    assert_eq!(value(&world), 3, "the state outlives the answer that set it");
    turn(&mut world, json!([tool("set_state", json!({"key": "count", "value": 4})), shows]));
    assert_eq!((value(&world), world.session.ui().state.len()), (json!(4), 1));
    world.replay();
}
