//! Pictures of turns: a line of input, what the model says, and what happened. `UPDATE_EXPECT=1 cargo test` redraws them.

use super::world::{World, picture};
use expect_test::{Expect, expect};

const PERCEIVED: &str =
    r#"{"who":"ada","language":"en","intent":"question","topic":"sky","tone":"neutral","complexity":"simple","context":""}"#;
const SOCIAL: &str =
    r#"{"who":"ada","language":"en","intent":"social","topic":"small talk","tone":"friendly","complexity":"trivial","context":""}"#;
const DECIDED: &str = r#"{"goal":"explain the sky","steps":[],"tool_sequence":[],"present_as":"text","reason":"a question"}"#;
const RECALLING: &str = r#"{"goal":"tell what was said","steps":[],"tool_sequence":[{"tool":"recall","args":{"query":""}}],"present_as":"text","reason":"it was said earlier"}"#;
const SHOWING: &str = r#"{"goal":"show","steps":[],"tool_sequence":[
    {"tool":"create_machine","args":{"id":"lamp","initial":"off","states":{
        "off":{"buttons":[{"label":"On","action":"on","go":"on"}]},
        "on":{"buttons":[{"label":"Off","action":"off","go":"off"},{"label":"Why","action":"why"}]}}}},
    {"tool":"emit_actions","args":{"actions":["Red"]}}],"present_as":"buttons","reason":"asked for"}"#;
const INTERPRETED: &str = r#"{"findings":[],"summary":"Nothing was said."}"#;

/// Plays messages and button presses (`!action`) against scripted answers, draws the traces, and replays it all.
fn check(graph: &str, script: &[(&str, &[&str])], expect: Expect) {
    let mut world = World::new(graph);
    for (input, answers) in script {
        match input.strip_prefix('!') {
            Some(action) => world.press(action),
            None => world.say(input),
        }
        for answer in *answers {
            world.answer(answer);
        }
        assert_eq!(&*world.asking(), "nobody", "the script answers every call");
    }
    let pictures: String = world.session.traces().map(|trace| picture(trace)).collect();
    expect.assert_eq(&pictures);
    world.replay();
}

#[test]
fn a_plain_greeting_takes_two_frames_and_no_model() {
    check(
        "v3-framed",
        &[("hello", &[])],
        expect![[r#"
            turn 1: "hello"  reflex Done 2 frames
              1 input           0 us  -> reflex  [social · en]
              2 output+ui       0 us  [Hello, ada! What can I do for you?]
        "#]],
    );
}

#[test]
fn small_talk_takes_two_frames() {
    check(
        "v3-framed",
        &[("how are you doing?", &[SOCIAL, "Fine!", "{}"])],
        expect![[r#"
        turn 1: "how are you doing?"  reflex Done 2 frames
          1 input         100 us  -> reflex  [social · en]
              call 1 input Done 100 us
          2 output+ui     100 us  [Fine!]
              call 2 output Done 100 us
          behind: call 3 memorizer Done 100 us
    "#]],
    );
}

#[test]
fn a_question_takes_four_frames() {
    check(
        "v3-framed",
        &[("why is the sky blue?", &[PERCEIVED, DECIDED, "Because.", "{}"])],
        expect![[r#"
        turn 1: "why is the sky blue?"  director Done 4 frames
          1 input         100 us  -> direct  [question · en]
              call 1 input Done 100 us
          2 director      100 us  -> think  [explain the sky]
              call 2 director Done 100 us
          3 thinker         0 us  -> output  []
          4 output+ui     100 us  [Because.]
              call 3 output Done 100 us
          behind: call 4 memorizer Done 100 us
    "#]],
    );
}

#[test]
fn data_is_interpreted_in_a_fifth_frame() {
    check(
        "v3-framed",
        &[("what did I say?", &[PERCEIVED, RECALLING, INTERPRETED, "{}"])],
        expect![[r#"
            turn 1: "what did I say?"  director+interpreter Done 5 frames
              1 input         100 us  -> direct  [question · en]
                  call 1 input Done 100 us
              2 director      100 us  -> think  [tell what was said]
                  call 2 director Done 100 us
              3 thinker         0 us  -> interpret  [recall ok]
              4 interpreter   100 us  -> output  [Nothing was said.]
                  call 3 interpreter Done 100 us
              5 output+ui       0 us  [said by the interpreter]
              behind: call 4 memorizer Done 100 us
        "#]],
    );
}

#[test]
fn a_machines_button_takes_one_frame_and_other_actions_three_or_four() {
    check(
        "v3-framed",
        &[
            ("a lamp and a button", &[PERCEIVED, SHOWING, "There.", "{}"]),
            ("!on", &[]),
            ("!red", &[DECIDED, "Red it is.", "{}"]),
            ("!why", &[RECALLING, INTERPRETED, "{}"]),
        ],
        expect![[r#"
            turn 1: "a lamp and a button"  director Done 4 frames
              1 input         100 us  -> direct  [question · en]
                  call 1 input Done 100 us
              2 director      100 us  -> think  [show]
                  call 2 director Done 100 us
              3 thinker         0 us  -> output  [create_machine ok, emit_actions ok]
              4 output+ui     100 us  [There.]
                  call 3 output Done 100 us
              behind: call 4 memorizer Done 100 us
            turn 2: "On"  machine Done 1 frames
              1 ui              0 us  [lamp: on]
            turn 3: "Red"  action Done 3 frames
              1 director      100 us  -> think  [explain the sky]
                  call 5 director Done 100 us
              2 thinker         0 us  -> output  []
              3 output+ui     100 us  [Red it is.]
                  call 6 output Done 100 us
              behind: call 7 memorizer Done 100 us
            turn 4: "Why"  action+interpreter Done 4 frames
              1 director      100 us  -> think  [tell what was said]
                  call 8 director Done 100 us
              2 thinker         0 us  -> interpret  [recall ok]
              3 interpreter   100 us  -> output  [Nothing was said.]
                  call 9 interpreter Done 100 us
              4 output+ui       0 us  [said by the interpreter]
              behind: call 10 memorizer Done 100 us
        "#]],
    );
}

#[test]
fn the_direct_graph_takes_one_frame() {
    check(
        "v1-direct",
        &[("hello", &["Hello!", "{}"])],
        expect![[r#"
        turn 1: "hello"  direct Done 1 frames
          1 agent         100 us  [Hello!]
              call 1 agent Done 100 us
          behind: call 2 memorizer Done 100 us
    "#]],
    );
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_once_more_and_then_the_default_route_is_taken() {
    check(
        "v3-framed",
        &[("why?", &["what?", PERCEIVED, "{}", DECIDED, "Because.", "{}"]), ("why?", &["no", "no", "no", "no", "no", "no"])],
        expect![[r#"
            turn 1: "why?"  director Done 4 frames
              1 input         200 us  -> direct  [question · en]
                  call 1 input Done 100 us
                  call 2 input Done 100 us
              2 director      200 us  -> think  [explain the sky]
                  call 3 director Done 100 us
                  call 4 director Done 100 us
              3 thinker         0 us  -> output  []
              4 output+ui     100 us  [Because.]
                  call 5 output Done 100 us
              behind: call 6 memorizer Done 100 us
            turn 2: "why?"  director Done 4 frames
              degraded: input could not be understood: there is no JSON object in it; director could not be understood: there is no JSON object in it
              1 input         200 us  -> direct  [not understood]
                  call 7 input Done 100 us
                  call 8 input Done 100 us
              2 director      200 us  -> think  [not understood]
                  call 9 director Done 100 us
                  call 10 director Done 100 us
              3 thinker         0 us  -> output  []
              4 output+ui       0 us  [I could not work out who can answer this question, and I would rather not guess. Please try again, or put it in other wo…]
              behind: call 11 memorizer Done 100 us
              behind: call 12 memorizer Done 100 us
        "#]],
    );
}
