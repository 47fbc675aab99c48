//! What surveys found reaches prompts as an input, and an empty result brings a look at the range.

use super::world::{World, databases};
use crate::contract::{CallKind, DatabaseInfo, Holds, Input, Limits, Survey, SurveyedColumn, SurveyedTable};
use serde_json::{Value, json};
use std::sync::Arc;

const PERCEIVED: &str = r#"{"intent":"question","language":"de"}"#;
const TO_ERAS: &str = r#"{"expert":"eras","job":"Zähle die Rechnungen von 2026.","thinking_message":"","language":"de"}"#;
const COLUMNS: &str = r#"{"Rows":{"columns":["column","type"],"rows":[["id","int"],["jahr","int"]],"is_cut":false,"table":"rechnungen"}}"#;
const RANGE: &str = r#"{"Rows":{"columns":["column","holds"],"rows":[["rechnungen.jahr","2022, 2023, 2024"]],"is_cut":false}}"#;

fn plan(sql: &str) -> String {
    json!({"tool_sequence": [{"tool": "query", "args": {"sql": sql}}], "response_hint": "", "interpret": false}).to_string()
}

fn rows(rows: &Value) -> String {
    json!({"Rows": {"columns": ["n"], "rows": rows, "is_cut": false}}).to_string()
}

fn surveyed(columns: &[&str]) -> Input {
    let column = |name: &&str| SurveyedColumn {
        name: (*name).to_owned(),
        kind: "int".to_owned(),
        holds: Some(Holds::Range("2022".to_owned(), "2024".to_owned())),
        ..SurveyedColumn::default()
    };
    let columns = columns.iter().map(column).collect();
    let table = SurveyedTable { name: "rechnungen".to_owned(), rows: Some(288), columns, ..SurveyedTable::default() };
    let survey = Some(Arc::new(Survey { tables: vec![table], is_cut: false }));
    let databases = databases().into_iter().map(|database| DatabaseInfo { survey: survey.clone(), ..database }).collect();
    Input::Surveyed { databases }
}

fn asked(world: &World) -> Vec<String> {
    let calls = world.trace().frames.iter().flat_map(|frame| &frame.calls);
    calls.filter(|call| call.kind == CallKind::Db).map(|call| call.label.to_string()).collect()
}

#[test]
fn a_survey_stands_in_the_first_plans_prompt_and_replays() {
    let mut world = World::new("v4-eras");
    world.is_reloading = true;
    world.put(surveyed(&["id", "jahr"]));
    world.say("wie viele?");
    [PERCEIVED, TO_ERAS].into_iter().for_each(|answer| world.answer(answer));
    assert!(world.asked().contains("pays\n- id int: 2022 to 2024\n- jahr int: 2022 to 2024"), "{}", world.asked());
    assert!(world.asked().contains("\nrechnungen (288 rows): yearly bills"), "{}", world.asked());
    assert!(world.asked().contains("## today\nThursday, 2025-11-20"), "{}", world.asked());
    [&plan("SELECT COUNT(*) FROM rechnungen"), COLUMNS, &rows(&json!([[288]])), "288.", "{}"]
        .into_iter()
        .for_each(|answer| world.answer(answer));
    assert_eq!(asked(&world), ["describe rechnungen", "query"], "a table is still described before its first query");
    world.put(surveyed(&["id", "jahr"]));
    assert_eq!(world.session.schema_cache().len(), 1, "a survey that agrees changes nothing");
    world.put(surveyed(&["id", "jahr", "neu"]));
    assert!(world.session.schema_cache().is_empty(), "a description that a newer survey contradicts is old");
    world.say("und jetzt?");
    [PERCEIVED, TO_ERAS].into_iter().for_each(|answer| world.answer(answer));
    assert!(world.asked().contains("- neu int"), "{}", world.asked());
    world.replay();
}

#[test]
fn an_empty_result_brings_one_look_at_the_range_of_what_the_statement_names() {
    let sql = "SELECT COUNT(*) AS n FROM rechnungen WHERE jahr = 2026";
    for (result, looks) in [
        (json!([[0]]), true),
        (json!([[null]]), true),
        (json!([["0.00"]]), true),
        (json!([]), true),
        (json!([[3]]), false),
        (json!([["none"]]), false),
        (json!([[0], [0]]), false),
    ] {
        let mut world = World::new("v4-eras");
        world.is_reloading = true;
        world.say("wie viele?");
        [PERCEIVED, TO_ERAS, &plan(sql), COLUMNS, &rows(&result)].into_iter().for_each(|answer| world.answer(answer));
        if looks {
            assert_eq!(&*world.asking(), "range", "{result}");
            world.answer(RANGE);
        }
        assert_eq!(&*world.asking(), "expert compose", "{result}");
        assert_eq!(world.asked().contains(r#""range":{"rechnungen.jahr":"2022, 2023, 2024"}"#), looks, "{}", world.asked());
        ["Keine.", "{}"].into_iter().for_each(|answer| world.answer(answer));
        assert_eq!(world.trace().frames.len(), 4, "it takes no frame of its own");
        world.replay();
    }
}

#[test]
fn a_look_that_finds_nothing_or_is_one_call_too_many_leaves_the_result_as_it_is() {
    let sql = "SELECT COUNT(*) AS n FROM rechnungen WHERE jahr = 2026";
    let empty = r#"{"Rows":{"columns":["column","holds"],"rows":[],"is_cut":false}}"#;
    for (database_calls_max, look) in [(40, Some(empty)), (2, None)] {
        let mut world = World::with("v4-eras", Limits { database_calls_max, ..Limits::default() });
        world.say("wie viele?");
        let begin = [PERCEIVED, TO_ERAS, &plan(sql), COLUMNS, &rows(&json!([[0]]))];
        begin.into_iter().chain(look).for_each(|answer| world.answer(answer));
        assert!(!world.asking().contains("range"));
        assert!(world.asked().contains(r#""rows":[[0]]"#) || !world.asked().contains("compose"), "{}", world.asked());
        world.replay();
    }
    // A statement that names no column of note has no range.
    let mut world = World::new("v4-eras");
    world.say("wie viele?");
    [PERCEIVED, TO_ERAS, &plan("SELECT COUNT(*) FROM rechnungen"), COLUMNS, &rows(&json!([[0]]))]
        .into_iter()
        .for_each(|answer| world.answer(answer));
    assert_eq!(&*world.asking(), "expert compose");
}
