//! The shipped prompts as a model reads them: what they show is what they ask for.
//!
//! An example's answer is a line that begins with `{`; its material stands in lines `slot: …` before it.

use super::*;
use crate::contract::{DatabaseInfo, Dialect, Ui};
use crate::nodes::testing::Fixture;
use crate::nodes::tools::Act;
use crate::nodes::{Node, Packet, PlannedCall};
use serde_json::json;
use std::fs;
use std::path::Path as FilePath;

/// Each prompt once, with a node that asks it.
fn each(check: impl Fn(&str, &str, &Node)) {
    let library = shipped();
    let mut seen = BTreeSet::new();
    for name in library.names() {
        for node in &library.graph(&name).unwrap().nodes {
            for file in [&node.prompt_file, &node.compose_file].into_iter().flatten() {
                if seen.insert(file.clone()) {
                    let text = fs::read_to_string(FilePath::new(env!("CARGO_MANIFEST_DIR")).join("graphs").join(&**file)).unwrap();
                    check(file, &text, node);
                }
            }
        }
    }
    assert!(seen.len() > 8, "{seen:?}");
}

/// The answers of a prompt's examples.
fn answers<'a>(file: &'a str, text: &'a str) -> impl Iterator<Item = Value> + 'a {
    let read = move |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{file}: {error} in {line}"));
    text.lines().filter(|line| line.starts_with('{') && !line.starts_with("{{")).map(read)
}

fn calls(answer: &Value) -> Vec<PlannedCall> {
    let planned = answer["tool_sequence"].as_array().or(answer["calls"].as_array());
    planned.into_iter().flatten().map(|call| serde_json::from_value(call.clone()).unwrap()).collect()
}

/// What of a value does not fit a schema, as far as our schemas say anything.
fn misfits(value: &Value, schema: &Value, place: &str) -> Vec<String> {
    let mut found = Vec::new();
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allows = |allowed: &Value| allowed == kind || allowed.as_array().is_some_and(|several| several.contains(&json!(kind)));
    if !schema["type"].is_null() && !allows(&schema["type"]) {
        found.push(format!("{place} is a {kind}, not {}", schema["type"]));
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        found.push(format!("{place} is none of {}", schema["enum"]));
    }
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(required).is_none() {
            found.push(format!("{place} has no `{required}`"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => found.extend(misfits(inner, schema, &place)),
            (None, Value::Object(_)) => found.extend(misfits(inner, &schema["additionalProperties"], &place)),
            (None, Value::Bool(false)) => found.push(format!("{place} is not foreseen")),
            (None, _) => {}
        }
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(misfits(item, &schema["items"], &format!("{place}[{at}]")));
    }
    found
}

#[test]
fn an_examples_answer_is_json_that_fits_the_nodes_schema_and_its_material_is_json_where_it_looks_so() {
    each(|file, text, node| {
        let system = text.split("=== user").next().unwrap();
        let schema: Option<Value> = node.schema.as_ref().map(|schema| serde_json::from_str(&schema.json).unwrap());
        let is_answered_in_json = schema.is_some() && node.compose_file.as_deref() != Some(file);
        let mut count = 0;
        for answer in answers(file, system) {
            let schema = schema.as_ref().unwrap_or_else(|| panic!("{file} asks for text and shows JSON"));
            assert_eq!(misfits(&answer, schema, ""), [""; 0], "{file}: {answer}");
            let known: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
            assert!(answer.as_object().unwrap().keys().all(|name| known.contains(&name)), "{file}: {answer} says more than {known:?}");
            count += 1;
        }
        assert!(count >= usize::from(is_answered_in_json), "{file} has {count} examples");
        for line in system.lines() {
            let material =
                line.split_once(": ").filter(|(slot, _)| text.contains(&format!("{{{{{slot}}}}}"))).map(|(_, material)| material);
            for material in material.into_iter().filter(|material| material.starts_with(['[', '{'])) {
                assert!(serde_json::from_str::<Value>(material).is_ok(), "{file}: {material}");
            }
        }
    });
}

#[test]
fn an_examples_calls_name_tools_of_the_node_and_work_one_after_the_other() {
    each(|file, text, node| {
        let (mut fixture, packet, mut ui) = (Fixture::default(), Packet::default(), Ui::default());
        (fixture.node.tools, fixture.node.database) = (node.tools.clone(), node.database.clone());
        let name = node.database.as_deref().unwrap_or_default().to_owned();
        // One machine of the examples is there already.
        let fan = json!({"id": "fan", "initial": "still", "states": {"still": {"content": [{"type": "text", "text": "It is still."}]}}});
        let Act::Run(create) = tools::named("create_machine").unwrap().act else { panic!("it needs no database") };
        create(&fixture.view(&packet), &mut ui, fan).unwrap();
        let mut used = BTreeSet::new();
        for call in answers(file, text).flat_map(|answer| calls(&answer)) {
            let tool = node.tools.iter().find(|tool| tool.name == call.tool);
            let tool = tool.unwrap_or_else(|| panic!("{file}: `{}` is no tool of {}", call.tool, node.name));
            let parameters: Value = serde_json::from_str(&tool.parameters).unwrap();
            assert_eq!(misfits(&call.args, &parameters, ""), [""; 0], "{file}: {}", call.args);
            used.insert(&*tool.name);
            match tools::named(&tool.name).unwrap().act {
                Act::Run(run) => {
                    let done = run(&fixture.view(&packet), &mut ui, call.args.clone());
                    assert!(done.is_ok(), "{file}: {}: {done:?}", call.args);
                }
                Act::Ask { ask, .. } => {
                    for dialect in [Dialect::Sqlite, Dialect::Mysql] {
                        fixture.databases =
                            vec![DatabaseInfo { name: name.clone(), dialect, schema: None, is_sample: false, survey: None }];
                        assert!(ask(&fixture.view(&packet), &call.args).is_ok(), "{file}: {}", call.args);
                    }
                }
            }
        }
        // What a signature does not show is seen once: a machine, a chart, a state as a whole.
        if node.tools.iter().any(|tool| &*tool.name == "create_machine") && text.contains("{{tools}}") {
            let shown = ["emit_actions", "emit_display", "set_state", "create_machine", "add_state", "recall"];
            assert!(shown.iter().all(|tool| used.contains(tool)), "{file} shows {used:?}");
        }
    });
}

#[test]
fn a_prompt_tells_what_stands_under_each_of_its_headings_and_of_no_other() {
    each(|file, text, _| {
        let (system, user) = text.split_once("=== user").unwrap();
        let given = system.split_once("under its heading").unwrap_or_else(|| panic!("{file} does not say what it gets")).1;
        let given = given.split("\n\n").next().unwrap();
        let told: Vec<&str> =
            given.lines().filter_map(|line| line.strip_prefix("- `")).map(|rest| rest.split('`').next().unwrap()).collect();
        let slots: Vec<&str> = user.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()).collect();
        assert_eq!(told, slots, "{file}");
        for slot in slots {
            assert!(user.contains(&format!("## {slot}\n{{{{{slot}}}}}\n")), "{file}: `{slot}` stands under its name");
        }
    });
}

#[test]
fn whoever_decides_what_is_shown_is_told_what_the_user_sees() {
    each(|file, text, node| {
        let decides = match node.kind {
            Kind::Director | Kind::Pa | Kind::Agent => true,
            Kind::Expert => node.tools.iter().any(|tool| tool.name == "emit_display") && node.compose_file.as_deref() != Some(file),
            _ => false,
        };
        assert_eq!(text.contains("{{controls}}") && text.contains("{{dashboard}}"), decides, "{file}");
    });
}

#[test]
fn the_table_of_nodes_names_the_schemas_and_routes_that_there_are() {
    let readme = fs::read_to_string(FilePath::new(env!("CARGO_MANIFEST_DIR")).join("graphs/README.md")).unwrap();
    let mut kinds = BTreeSet::new();
    let library = shipped();
    for graph in library.names() {
        for node in &library.graph(&graph).unwrap().nodes {
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{}` |", node.kind)));
            let cells: Vec<&str> = row.unwrap_or_else(|| panic!("no row for `{}`", node.kind)).split('|').map(str::trim).collect();
            let schema = node.schema.as_ref().map_or("none".to_owned(), |schema| format!("`{}.json`", schema.name));
            assert_eq!(cells[4], schema, "{}", node.kind);
            for route in node.kind.routes() {
                assert!(cells[5].contains(&format!("`{route}`")), "{}: the route `{route}`", node.kind);
            }
            kinds.insert(node.kind);
        }
    }
    assert_eq!(kinds.len(), readme.lines().filter(|line| line.starts_with("| `")).count(), "a row for each kind");
}
