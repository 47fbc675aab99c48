//! The PA and its experts: pictures of their paths, and the rules of the database expert.

use super::world::{World, ada, picture};
use crate::contract::{Answer, CallError, CallKind, CallStatus, Code, DatabaseFault, Finish, Input, Limits, Outcome, TurnResult, What};
use crate::graph::shipped_with;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

const PERCEIVED: &str = r#"{"intent":"question","language":"de"}"#;
const TO_ERAS: &str = r#"{"expert":"eras","job":"Zähle die Kunden.","thinking_message":"Ich zähle.","language":"de"}"#;
const TO_NOBODY: &str = r#"{"expert":null,"job":"Say hello.","thinking_message":"","language":"en"}"#;
const ANSWERED: &str = r#"{"expert":null,"job":"","thinking_message":"","language":"en","answer":"Hello."}"#;
const SUMMED: &str = r#"{"findings":["drei"],"summary":"Es sind drei."}"#;
const COLUMNS: &str = r#"{"Rows":{"columns":["column","type"],"rows":[["id","int"],["name","text"]],"is_cut":false}}"#;
const THREE: &str = r#"{"Rows":{"columns":["anzahl"],"rows":[[3]],"is_cut":false}}"#;

fn plan(sql: &[&str], interpret: bool) -> String {
    let calls: Vec<Value> = sql.iter().map(|sql| json!({"tool": "query", "args": {"sql": sql}})).collect();
    json!({"tool_sequence": calls, "response_hint": "", "interpret": interpret}).to_string()
}

fn count(interpret: bool) -> String {
    plan(&["SELECT COUNT(*) AS anzahl FROM kunden"], interpret)
}

fn check(script: &[(&str, &[&str])], expect: Expect) {
    let mut world = World::new("v4-eras");
    world.is_reloading = true;
    play(&mut world, script);
    let pictures: String = world.session.traces().map(|trace| picture(trace)).collect();
    expect.assert_eq(&pictures);
    world.replay();
}

fn play(world: &mut World, script: &[(&str, &[&str])]) {
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
}

/// The labels of all calls of the last turn that asked the database.
fn asked(world: &World) -> Vec<String> {
    let calls = world.trace().frames.iter().flat_map(|frame| &frame.calls);
    calls.filter(|call| call.kind == CallKind::Db).map(|call| call.label.to_string()).collect()
}

#[test]
fn the_pa_answers_itself_in_three_frames_or_lets_output_write() {
    check(
        &[("tell me something nice", &[PERCEIVED, ANSWERED, "{}"]), ("and now?", &[PERCEIVED, TO_NOBODY, "Hello.", "{}"])],
        expect![[r#"
            turn 1: "tell me something nice"  pa Done 3 frames
              1 input         100 us  -> direct  [question · de]
                  call 1 input Done 100 us
              2 pa            100 us  -> output  [no expert · Hello.]
                  call 2 pa Done 100 us
              3 output+ui       0 us  [said by the pa]
              behind: call 3 memorizer Done 100 us
            turn 2: "and now?"  pa Done 3 frames
              1 input         100 us  -> direct  [question · de]
                  call 4 input Done 100 us
              2 pa            100 us  -> output  [no expert · Say hello.]
                  call 5 pa Done 100 us
              3 output+ui     100 us  [Hello.]
                  call 6 output Done 100 us
              behind: call 7 memorizer Done 100 us
        "#]],
    );
}

#[test]
fn an_expert_takes_four_frames_and_what_it_streams_is_not_said_again() {
    check(
        &[("wie viele Kunden?", &[PERCEIVED, TO_ERAS, &count(false), COLUMNS, THREE, "Drei.", "{}"])],
        expect![[r#"
        turn 1: "wie viele Kunden?"  expert Done 4 frames
          1 input         100 us  -> direct  [question · de]
              call 1 input Done 100 us
          2 pa            100 us  -> eras  [eras · Zähle die Kunden.]
              call 2 pa Done 100 us
          3 eras          400 us  -> output  [query ok]
              call 3 expert plan Done 100 us
              call 4 describe kunden Done 100 us
              call 5 query Done 100 us
              call 6 expert compose Done 100 us
          4 output+ui       0 us  [said by the expert]
          behind: call 7 memorizer Done 100 us
    "#]],
    );
}

#[test]
fn an_expert_whose_rows_need_judgement_takes_five_frames() {
    let script = [PERCEIVED, TO_ERAS, &count(true), COLUMNS, THREE, SUMMED, "{}"];
    check(
        &[("wie viele Kunden?", &script)],
        expect![[r#"
            turn 1: "wie viele Kunden?"  expert+interpreter Done 5 frames
              1 input         100 us  -> direct  [question · de]
                  call 1 input Done 100 us
              2 pa            100 us  -> eras  [eras · Zähle die Kunden.]
                  call 2 pa Done 100 us
              3 eras          300 us  -> interpret  [query ok]
                  call 3 expert plan Done 100 us
                  call 4 describe kunden Done 100 us
                  call 5 query Done 100 us
              4 interpreter   100 us  -> output  [Es sind drei.]
                  call 6 interpreter Done 100 us
              5 output+ui       0 us  [said by the interpreter]
              behind: call 7 memorizer Done 100 us
        "#]],
    );
}

#[test]
fn actions_enter_at_the_pa() {
    let to_desk = r#"{"expert":"desk","job":"Two buttons.","thinking_message":"","language":"en"}"#;
    let buttons = r#"{"tool_sequence":[{"tool":"emit_actions","args":{"actions":["Red","Blue"]}}],"response_hint":"","interpret":false}"#;
    let recall = r#"{"tool_sequence":[{"tool":"recall","args":{"query":""}}],"response_hint":"","interpret":true}"#;
    check(
        &[
            ("two buttons", &[PERCEIVED, to_desk, buttons, "There.", "{}"]),
            ("!red", &[to_desk, buttons, "Red.", "{}"]),
            ("!blue", &[to_desk, recall, r#"{"summary":"Blue!"}"#, "{}"]),
        ],
        expect![[r#"
            turn 1: "two buttons"  expert Done 4 frames
              1 input         100 us  -> direct  [question · de]
                  call 1 input Done 100 us
              2 pa            100 us  -> desk  [desk · Two buttons.]
                  call 2 pa Done 100 us
              3 desk          200 us  -> output  [emit_actions ok]
                  call 3 expert plan Done 100 us
                  call 4 expert compose Done 100 us
              4 output+ui       0 us  [said by the expert]
              behind: call 5 memorizer Done 100 us
            turn 2: "Red"  action+expert Done 3 frames
              1 pa            100 us  -> desk  [desk · Two buttons.]
                  call 6 pa Done 100 us
              2 desk          200 us  -> output  [emit_actions ok]
                  call 7 expert plan Done 100 us
                  call 8 expert compose Done 100 us
              3 output+ui       0 us  [said by the expert]
              behind: call 9 memorizer Done 100 us
            turn 3: "Blue"  action+expert+interpreter Done 4 frames
              1 pa            100 us  -> desk  [desk · Two buttons.]
                  call 10 pa Done 100 us
              2 desk          100 us  -> interpret  [recall ok]
                  call 11 expert plan Done 100 us
              3 interpreter   100 us  -> output  [Blue!]
                  call 12 interpreter Done 100 us
              4 output+ui       0 us  [said by the interpreter]
              behind: call 13 memorizer Done 100 us
        "#]],
    );
}

#[test]
fn an_action_that_needs_no_expert_takes_two_frames() {
    let to_desk = r#"{"expert":"desk","job":"A button.","thinking_message":"","language":"en"}"#;
    let button = r#"{"tool_sequence":[{"tool":"emit_actions","args":{"actions":["Red"]}}],"response_hint":"","interpret":false}"#;
    let mut world = World::new("v4-eras");
    play(&mut world, &[("a button", &[PERCEIVED, to_desk, button, "There.", "{}"]), ("!red", &[ANSWERED, "{}"])]);
    assert_eq!((world.trace().path.as_str(), world.trace().frames.len()), ("action", 2));
    world.replay();
}

#[test]
fn a_table_is_described_before_its_first_query_and_never_again() {
    let mut world = World::new("v4-eras");
    play(&mut world, &[("wie viele Kunden?", &[PERCEIVED, TO_ERAS, &count(false), COLUMNS, THREE, "Drei.", "{}"])]);
    assert_eq!(asked(&world), ["describe kunden", "query"]);
    play(&mut world, &[("und jetzt?", &[PERCEIVED, TO_ERAS, &count(false), THREE, "Drei.", "{}"])]);
    assert_eq!(asked(&world), ["query"]);
    let join = plan(&["SELECT * FROM kunden JOIN objekte ON objekte.kunde_id = kunden.id"], false);
    play(&mut world, &[("und Objekte?", &[PERCEIVED, TO_ERAS, &join, COLUMNS, THREE, "Drei.", "{}"])]);
    assert_eq!(asked(&world), ["describe objekte", "query"], "only what is not known yet");
    let known: Vec<&String> = world.session.schema_cache().keys().collect();
    assert_eq!(known, ["eras2_production.kunden", "eras2_production.objekte"]);
    world.put(Input::Clear { from: ada() });
    play(&mut world, &[("wie viele Kunden?", &[PERCEIVED, TO_ERAS, &count(false), THREE, "Drei.", "{}"])]);
    assert_eq!(asked(&world), ["query"], "a clear keeps what was learned");
    world.replay();
}

#[test]
fn a_table_is_kept_under_the_name_that_the_database_gives_it() {
    let described = r#"{"Rows":{"columns":["column"],"rows":[["id"]],"is_cut":false,"table":"Kunden"}}"#;
    let mut world = World::new("v4-eras");
    play(&mut world, &[("wie viele Kunden?", &[PERCEIVED, TO_ERAS, &count(false), described, THREE, "Drei.", "{}"])]);
    let known: Vec<&String> = world.session.schema_cache().keys().collect();
    assert_eq!(known, ["eras2_production.Kunden"], "as the database spells it, not as the model did");
    play(&mut world, &[("und jetzt?", &[PERCEIVED, TO_ERAS, &count(false), THREE, "Drei.", "{}"])]);
    assert_eq!(asked(&world), ["query"], "SQLite takes `kunden` for the same table");
    world.replay();
}

#[test]
fn describing_a_known_table_asks_nobody() {
    let describe = r#"{"tool_sequence":[{"tool":"describe","args":{"table":"kunden"}}],"response_hint":"","interpret":false}"#;
    let mut world = World::new("v4-eras");
    play(&mut world, &[("was steht da?", &[PERCEIVED, TO_ERAS, describe, COLUMNS, "Spalten.", "{}"])]);
    assert_eq!(asked(&world), ["describe kunden"]);
    play(&mut world, &[("nochmal", &[PERCEIVED, TO_ERAS, describe, "Spalten.", "{}"])]);
    assert_eq!(asked(&world), Vec::<String>::new());
    world.replay();
}

#[test]
fn a_failing_query_goes_back_to_the_model_twice_at_most() {
    let refused = r#"{"Refused":{"message":"syntax error near x","reason":"Other"}}"#;
    let mut world = World::new("v4-eras");
    world.say("wie viele?");
    for answer in [PERCEIVED, TO_ERAS, &count(false), COLUMNS, refused] {
        world.answer(answer);
    }
    assert_eq!(&*world.asking(), "expert plan");
    assert!(world.asked().contains("Call 1 of that plan, `query`, failed: syntax error near x"), "{}", world.asked());
    for answer in [&count(false), refused, &count(false), refused] {
        world.answer(answer);
    }
    assert!(world.asked().starts_with("# compose"), "after two repairs it composes from what there is");
    assert!(world.asked().contains("syntax error near x"));
    world.answer("Das ging leider nicht.");
    assert_eq!(world.ends(), [(1, Outcome::Answered)]);
    world.replay();
}

/// How often a text stands in what was last asked.
fn told(world: &World, text: &str) -> usize {
    world.asked().matches(text).count()
}

#[test]
fn a_repair_tells_the_table_described_last_and_each_failure_once() {
    let refused = r#"{"Refused":{"message":"no such function: FOO","reason":"Other"}}"#;
    let broken = |function: &str| plan(&["SELECT COUNT(*) FROM kunden", &format!("SELECT {function}(x) FROM objekte")], false);
    let mut world = World::new("v4-eras");
    world.say("wie viele?");
    for answer in [PERCEIVED, TO_ERAS, &broken("MAX"), COLUMNS, THREE, COLUMNS, refused] {
        world.answer(answer);
    }
    assert!(told(&world, "\nobjekte: ") == 1 && told(&world, "\nkunden: ") == 1, "{}", world.asked());
    for text in ["SELECT MAX(x)", "no such function: FOO", r#""rows":[[3]]"#] {
        assert_eq!(told(&world, text), 1, "{text}: {}", world.asked());
    }
    world.answer(&plan(&["SELECT MIN(x) FROM objekte"], false));
    world.answer(&refused.replace("FOO", "BAR"));
    for text in ["SELECT MAX(x)", "SELECT MIN(x)", "no such function: FOO", "no such function: BAR"] {
        assert_eq!(told(&world, text), 1, "{text}: {}", world.asked());
    }
    for answer in [&plan(&["SELECT AVG(x) FROM objekte"], false), THREE, "Drei.", "{}"] {
        world.answer(answer);
    }
    world.replay();
}

#[test]
fn an_answer_is_composed_from_what_was_found_for_the_message_and_not_from_what_was_repaired() {
    let refused = r#"{"Refused":{"message":"no such function: FOO","reason":"Other"}}"#;
    let mut world = World::new("v4-eras");
    world.say("wie viele sind es denn?");
    let describe = json!({"tool": "describe", "args": {"table": "kunden"}});
    let query = |sql: &str| json!({"tool": "query", "args": {"sql": sql}});
    let plan = |calls: Value| json!({"tool_sequence": calls, "response_hint": "", "interpret": false}).to_string();
    for answer in [PERCEIVED, TO_ERAS, &plan(json!([describe, query("SELECT MIN(id) FROM kunden")])), COLUMNS, refused] {
        world.answer(answer);
    }
    for answer in [&plan(json!([query("SELECT COUNT(*) FROM kunden")])), THREE] {
        world.answer(answer);
    }
    assert_eq!(&*world.asking(), "expert compose");
    for (text, count) in [
        ("## message\nwie viele sind es denn?\n", 1),
        ("## style", 0),
        (r#""rows":[[3]]"#, 1),
        ("no such function", 0),
        ("MIN(id)", 0),
        (r#""tool":"describe""#, 0),
    ] {
        assert_eq!(told(&world, text), count, "{text}: {}", world.asked());
    }
    let mut world = World::new("v4-eras");
    world.say("wie viele?");
    for answer in [PERCEIVED, TO_ERAS, &count(false), COLUMNS, refused, &plan(json!([]))] {
        world.answer(answer);
    }
    assert_eq!((&*world.asking(), told(&world, "no such function")), ("expert compose", 1), "who gives up repairing says what failed");
    let mut world = World::new("v4-eras");
    world.say("welche Spalten?");
    for answer in [PERCEIVED, TO_ERAS, &plan(json!([describe])), COLUMNS] {
        world.answer(answer);
    }
    assert_eq!(told(&world, r#""tool":"describe""#), 1, "where nothing else was found it is what was asked for");
}

#[test]
fn the_desk_is_told_what_was_pressed() {
    let to_desk = r#"{"expert":"desk","job":"A button.","thinking_message":"","language":"en"}"#;
    let button = json!({"tool_sequence": [{"tool": "emit_actions", "args": {"actions": [{"label": "Red", "payload": {"n": 7}}]}}], "response_hint": "", "interpret": false}).to_string();
    let mut world = World::new("v4-eras");
    play(&mut world, &[("a button", &[PERCEIVED, to_desk, &button, "There.", "{}"])]);
    world.press("red");
    world.answer(to_desk);
    let pressed = r#"## pressed
{"action":"red","label":"Red","data":{"n":7}}"#;
    assert_eq!(told(&world, pressed), 1, "{}", world.asked());
}

#[test]
fn a_table_that_a_plan_describes_is_not_described_again_for_its_query() {
    let calls =
        json!([{"tool": "describe", "args": {"table": "kunden"}}, {"tool": "query", "args": {"sql": "SELECT COUNT(*) FROM kunden"}}]);
    let plan = json!({"tool_sequence": calls, "response_hint": "", "interpret": false}).to_string();
    let mut world = World::new("v4-eras");
    play(&mut world, &[("wie viele?", &[PERCEIVED, TO_ERAS, &plan, COLUMNS, THREE, "Drei.", "{}"])]);
    assert_eq!(asked(&world), ["describe kunden", "query"]);
    world.replay();
}

#[test]
fn an_unknown_column_refreshes_what_is_known_of_the_table() {
    let unknown = r#"{"Refused":{"message":"unknown column plz","reason":"UnknownColumn"}}"#;
    let mut world = World::new("v4-eras");
    world.say("wie viele?");
    for answer in [PERCEIVED, TO_ERAS, &count(false), COLUMNS, unknown] {
        world.answer(answer);
    }
    assert_eq!(&*world.asking(), "describe kunden", "described again, for whoever mends the query");
    world.answer(COLUMNS);
    assert!(world.asked().contains("unknown column plz"));
    for answer in [&count(false), THREE, "Drei.", "{}"] {
        world.answer(answer);
    }
    assert_eq!(asked(&world), ["describe kunden", "query", "describe kunden", "query"]);
    world.replay();
}

#[test]
fn what_the_gate_denies_never_leaves() {
    let mut world = World::new("v4-eras");
    world.say("lösche alles");
    for answer in [PERCEIVED, TO_ERAS, &plan(&["DELETE FROM kunden"], false)] {
        world.answer(answer);
    }
    assert_eq!(&*world.asking(), "expert plan", "no database is asked");
    assert!(world.asked().contains("not allowed"), "{}", world.asked());
}

#[test]
fn a_database_that_can_not_be_reached_ends_the_turn_with_a_sentence() {
    let mut world = World::new("v4-eras");
    world.say("wie viele?");
    for answer in [PERCEIVED, TO_ERAS, &count(false)] {
        world.answer(answer);
    }
    world.fail(CallError::Database(DatabaseFault::Unreachable));
    let (why, code) = (DatabaseFault::Unreachable.to_string(), Some(Code::DatabaseFailed));
    assert_eq!(world.ends(), [(1, Outcome::Failed { why, code })]);
    assert_eq!(
        world.session.history().back().unwrap().progress,
        "Ich zähle.\nDESCRIBE kunden\n",
        "where no answer came it stands beside the question"
    );
    assert_eq!(world.trace().status, CallStatus::Error);
    world.replay();
}

#[test]
fn the_thinking_message_and_a_line_for_each_tool_are_progress_and_kept_up_to_a_bound() {
    for (answer_bytes_max, kept) in [(100, "Ich zähle.\nDESCRIBE kunden\n✓ query: 1 row\n"), (15, "Ich zähle.\nDES…")] {
        let mut world = World::with("v4-eras", Limits { answer_bytes_max, ..Limits::default() });
        play(&mut world, &[("wie viele Kunden?", &[PERCEIVED, TO_ERAS, &count(false), COLUMNS, THREE, "Drei.", "{}"])]);
        assert_eq!(world.session.history().back().unwrap().progress, kept);
    }
    let mut world = World::new("v4-eras");
    play(&mut world, &[("wie viele Kunden?", &[PERCEIVED, TO_ERAS, &count(false), COLUMNS, THREE, "Drei.", "{}"])]);
    let progress = world.events.iter().filter_map(|event| if let What::Progress { text } = &event.what { Some(&**text) } else { None });
    assert_eq!(progress.collect::<Vec<_>>(), ["Ich zähle.\n", "DESCRIBE kunden\n", "✓ query: 1 row\n"]);
    assert_eq!(world.labels(), ["table"], "the rows are shown");
}

/// What the last turn's trace and `/api/result` say of it.
fn degraded(world: &World) -> Option<String> {
    let degraded = world.trace().degraded.clone();
    if let TurnResult::Done { degraded: of_result, .. } = world.session.result() {
        assert_eq!(of_result, degraded, "both say the same");
    }
    degraded
}

/// Why an answer without JSON doesn't fit.
const NO_JSON: &str = "there is no JSON object in it";

fn last_answer(world: &World) -> &str {
    &world.session.history().back().unwrap().content
}

#[test]
fn a_question_that_nobody_can_be_found_for_is_answered_with_a_sentence_and_not_by_a_guess() {
    let nowhere = r#"{"expert":"weather","job":"rain?","thinking_message":"","language":"en"}"#;
    for (pa, why) in [
        (["hm", "well"], "there is no JSON object in it"),
        ([nowhere, nowhere], "the expert that it names is not known"),
        (["", r#"{"expert":"eras"}"#], "`job` is missing"),
        (["", r#"{"expert":"eras","job":["Anna has 4711"]}"#], "`job` is a list, but a text is wanted"),
        (["", r#"{"expert":["Anna"]}"#], "`expert` is a list, but a text is wanted"),
    ] {
        let mut world = World::new("v4-eras");
        play(&mut world, &[("wie viele Kunden?", &[PERCEIVED, pa[0], pa[1], "{}"])]);
        assert_eq!((world.trace().path.as_str(), world.trace().frames.len()), ("pa", 3));
        assert!(last_answer(&world).starts_with("Ich konnte nicht herausfinden"), "{}", last_answer(&world));
        assert_eq!(degraded(&world), Some(format!("pa could not be understood: {why}")));
        assert!(!world.names().contains(&"routed"), "nothing is shown that no model said");
        play(&mut world, &[("hallo du da", &[PERCEIVED, TO_NOBODY, "Hallo.", "{}"])]);
        assert_eq!((last_answer(&world), degraded(&world)), ("Hallo.", None), "the next turn is as any other");
        world.replay();
    }
    let mut world = World::new("v4-eras");
    play(&mut world, &[("how many?", &["hm", "hm", "hm", "hm", "{}"])]);
    assert!(last_answer(&world).starts_with("I could not work out"), "where the language is not known it is English");
    assert_eq!(
        degraded(&world).as_deref(),
        Some(format!("input could not be understood: {NO_JSON}; pa could not be understood: {NO_JSON}").as_str())
    );
}

#[test]
fn an_expert_whose_plan_can_not_be_understood_lets_nobody_guess() {
    let refused = r#"{"Refused":{"message":"syntax error near x","reason":"Other"}}"#;
    let (count, interpret) = (count(false), count(true));
    for answers in [
        &[PERCEIVED, TO_ERAS, "hm", "hm", "{}"][..],
        &[PERCEIVED, TO_ERAS, &count, COLUMNS, refused, "hm", "hm", "{}"],
        &[PERCEIVED, TO_ERAS, &interpret, COLUMNS, refused, "hm", "hm", "{}"],
    ] {
        let mut world = World::new("v4-eras");
        play(&mut world, &[("wie viele Kunden?", answers)]);
        assert_eq!((world.trace().path.as_str(), world.trace().frames.len()), ("expert", 4));
        assert!(last_answer(&world).starts_with("Ich konnte nicht planen"), "{}", last_answer(&world));
        assert_eq!(degraded(&world), Some(format!("eras could not be understood: {NO_JSON}")));
        world.replay();
    }
}

#[test]
fn what_an_expert_was_cut_in_is_marked_as_cut() {
    for (finish, ends) in [
        (Finish::Length, Outcome::Answered),
        (
            Finish::ContentFilter,
            Outcome::Failed {
                why: "The model's service withheld the rest of this answer. Please ask in another way.".to_owned(),
                code: None,
            },
        ),
    ] {
        let mut world = World::new("v4-eras");
        world.say("wie viele Kunden?");
        [PERCEIVED, TO_ERAS, &count(false), COLUMNS, THREE].into_iter().for_each(|answer| world.answer(answer));
        let (call, _) = world.out.pop_front().unwrap();
        world.put(Input::Chunk { call, text: "Es sind".to_owned() });
        let retries = vec!["cut".to_owned()];
        world.complete(call, Ok(Answer { finish, retries: retries.clone(), ..Answer::default() }));
        assert_eq!(last_answer(&world), if finish == Finish::Length { "Es sind …" } else { "Es sind" });
        assert_eq!(world.ends(), [(1, ends)]);
        let composing = world.trace().frames[2].calls.last().unwrap();
        assert_eq!(composing.retries, retries, "the trace says that a call was made again, and why");
        world.replay();
    }
}

#[test]
fn every_default_route_that_still_answers_marks_the_turn() {
    for (answers, answer, reason) in [
        (&["hm", "hm", TO_NOBODY, "Hi.", "{}"][..], "Hi.", Some("input could not be understood: there is no JSON object in it")),
        (
            &[PERCEIVED, TO_ERAS, &count(false), COLUMNS, THREE, "", "", SUMMED, "{}"],
            "Es sind drei.",
            Some("eras could not be understood: it was empty"),
        ),
        (
            &[PERCEIVED, TO_ERAS, &count(true), COLUMNS, THREE, "hm", "hm", "Drei.", "{}"],
            "Drei.",
            Some("interpreter could not be understood: there is no JSON object in it"),
        ),
        // A repair that works leaves nothing behind.
        (&[PERCEIVED, "hm", TO_NOBODY, "Hi.", "{}"], "Hi.", None),
    ] {
        let mut world = World::new("v4-eras");
        play(&mut world, &[("wie viele Kunden?", answers)]);
        assert_eq!((last_answer(&world), degraded(&world).as_deref()), (answer, reason));
        world.replay();
    }
    let mut world = World::new("v4-eras");
    play(&mut world, &[("hallo du da", &[PERCEIVED, TO_NOBODY, "Hi.", "hm", "hm"])]);
    assert_eq!(degraded(&world), None, "the answer is good");
    let last = world.events.last().unwrap();
    assert_eq!(
        last.what,
        What::Thinking { detail: format!("memorizer could not be understood: {NO_JSON}") },
        "the trace says it behind the turn"
    );
}

#[test]
fn a_turn_asks_databases_a_bounded_number_of_times() {
    let mut world = World::with("v4-eras", Limits { database_calls_max: 3, ..Limits::default() });
    let many = plan(&["SELECT * FROM a", "SELECT * FROM b", "SELECT * FROM c"], false);
    world.say("viel");
    for answer in [PERCEIVED, TO_ERAS, &many, COLUMNS, THREE, COLUMNS] {
        world.answer(answer);
    }
    assert!(&*world.asking() != "query", "the fourth question is not asked");
    assert_eq!(world.trace_calls(CallKind::Db), 3);
}

#[test]
fn a_second_expert_over_another_schema_takes_no_rust() {
    let library = shipped_with(|file| {
        let farm = r#"{ "name": "farm", "kind": "expert", "model": "strong", "description": "knows cows", "prompt": "prompts/eras.md",
            "compose": "prompts/compose.md", "schema": "schemas/plan.json", "rounds": 4, "database": "farm", "tools": ["query"],
            "edges": { "output": "output", "interpret": "interpreter" } },"#;
        let path = |name: &str, entry: &str, nodes: &str, frames: u32| {
            format!(r#"{{ "name": "{name}", "entry": "{entry}", "nodes": [{nodes}], "frames": {frames}, "calls": 20 }},"#)
        };
        let paths = [
            path("farm", "message", r#""input", "pa", "farm", "output""#, 4),
            path("farm+interpreter", "message", r#""input", "pa", "farm", "interpreter", "output""#, 5),
            path("action+farm", "action", r#""pa", "farm", "output""#, 3),
            path("action+farm+interpreter", "action", r#""pa", "farm", "interpreter", "output""#, 4),
        ]
        .concat();
        file.replace(r#""desk": "desk", "output""#, r#""desk": "desk", "farm": "farm", "output""#)
            .replace(r#"{ "name": "desk", "kind""#, &format!(r#"{farm}{{ "name": "desk", "kind""#))
            .replace(r#"{ "name": "pa", "entry""#, &format!(r#"{paths}{{ "name": "pa", "entry""#))
    });
    let mut world = World::on(library, "v4-eras", Limits::default());
    let schema = world.session.question(world.now, "pa", None).unwrap().schema.unwrap();
    assert!(schema.json.contains(r#""enum":["desk","eras","farm",null]"#), "a pa can name no one else: {}", schema.json);
    let to_farm = r#"{"expert":"farm","job":"Count the cows.","thinking_message":"","language":"en"}"#;
    let cows = plan(&["SELECT COUNT(*) AS cows FROM cows"], false);
    play(&mut world, &[("how many cows?", &[PERCEIVED, to_farm, &cows, COLUMNS, THREE, "Three.", "{}"])]);
    assert_eq!(world.trace().path, "farm");
    assert!(world.session.schema_cache().contains_key("farm.cows"));
}
