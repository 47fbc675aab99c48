//! Each fault that a graph file can have, planted into a good one, with the sentence that it gets.

use super::*;
use serde_json::json;
use std::time::Duration;

mod prompts;

const GOOD: &str = r#"{
  "name": "tiny",
  "description": "two ways",
  "entries": { "message": "input", "action": "output", "machine": "ui" },
  "before": "sensor",
  "nodes": [
    { "name": "sensor", "kind": "sensor" },
    { "name": "input", "kind": "input", "model": "fast", "prompt": "p.md", "schema": "s.json.txt", "edges": { "reflex": "output", "direct": "director" } },
    { "name": "director", "kind": "director", "model": "strong", "prompt": "p.md", "schema": "s.json.txt", "tools": ["recall"], "edges": { "think": "output" } },
    { "name": "output", "kind": "output", "model": "strong", "prompt": "p.md", "with": ["ui"] },
    { "name": "ui", "kind": "ui" }
  ],
  "paths": [
    { "name": "short", "entry": "message", "nodes": ["input", "output"], "frames": 2, "calls": 3 },
    { "name": "long", "entry": "message", "nodes": ["input", "director", "output"], "frames": 3, "calls": 3 },
    { "name": "act", "entry": "action", "nodes": ["output"], "frames": 1, "calls": 1 },
    { "name": "machine", "entry": "machine", "nodes": ["ui"], "frames": 1, "calls": 0 }
  ]
}"#;

const PROMPT: &str = "# x\n{{tools}}\n=== user\n{{message}}\n";

const SCHEMA: &str = r#"{"type":"object","properties":{"intent":{},"goal":{},"tool_sequence":{}}}"#;

fn load(graph: &str) -> Result<Library, GraphError> {
    let files = [("tiny.json", graph), ("p.md", PROMPT), ("s.json.txt", SCHEMA)];
    Library::load(&files.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
}

#[test]
fn a_good_graph_loads_and_tells_its_paths() {
    let library = load(GOOD).unwrap();
    let graph = library.graph("tiny").unwrap();
    let lengths: Vec<(&str, usize)> = graph.paths.iter().map(|path| (path.name.as_str(), path.nodes.len())).collect();
    assert_eq!(lengths, [("short", 2), ("long", 3), ("act", 1), ("machine", 1)]);
    assert_eq!(library.hash().len(), 64);
    assert_ne!(library.hash(), load(&GOOD.replace("two ways", "ways")).unwrap().hash(), "the hash speaks of the content");
}

#[test]
fn a_graph_may_state_what_becomes_of_a_message_while_a_turn_runs() {
    assert_eq!(load(GOOD).unwrap().graph("tiny").unwrap().while_busy, None);
    for mode in WhileBusy::ALL {
        let stated = GOOD.replace("\"before\"", &format!("\"while_busy\": \"{}\", \"before\"", mode.name()));
        let library = load(&stated).unwrap();
        let graph = library.graph("tiny").unwrap();
        assert_eq!((graph.while_busy, &graph.describe()["while_busy"]), (Some(mode), &json!(mode.name())));
    }
}

#[test]
fn a_graph_tells_what_a_picture_of_it_needs() {
    let told = load(GOOD).unwrap().graph("tiny").unwrap().describe();
    let node = |name: &str| told["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).unwrap().clone();
    assert_eq!(
        node("director"),
        json!({"name": "director", "kind": "director", "model": "strong", "prompt": "p.md", "compose": null, "schema": "s.json.txt",
            "tools": ["recall"], "rounds": 1, "with": [], "before": false, "after": false})
    );
    assert_eq!((&node("sensor")["before"], &node("ui")["prompt"], &node("output")["with"]), (&json!(true), &Value::Null, &json!(["ui"])));
    let lines: Vec<String> = told["cytoscape"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| format!("{} {} {}", edge["data"]["source"], edge["data"]["kind"], edge["data"]["target"]).replace('"', ""))
        .collect();
    assert_eq!(
        lines,
        [
            "input route director",
            "input route output",
            "director route output",
            "output with ui",
            "sensor before input",
            "sensor before output",
        ]
    );
    assert_eq!(told["edges"].as_array().unwrap().len(), 4, "what runs before and behind is no edge of the graph");
}

#[test]
fn a_bad_graph_is_refused_with_its_line_and_what_to_do() {
    for (good, bad, says) in [
        (
            r#""before": "sensor","#,
            "\"before\": \"sensor\",\n  \"while_busy\": \"wait\",",
            "tiny.json:6: `while_busy` is `wait`; write one of enqueue, reject, interrupt, rollback",
        ),
        (r#""kind": "ui" }"#, r#""kind": "uy" }"#, "tiny.json:11: node `ui` is of the unknown kind `uy`"),
        (
            r#""direct": "director""#,
            r#""direct": "directr""#,
            "tiny.json:8: edge `input` --direct--> `directr`: there is no node `directr`",
        ),
        (r#", "direct": "director""#, "", "tiny.json:8: node `input` can take the route `direct`, but no edge is drawn for it; add"),
        (r#""think": "output""#, r#""think": "input""#, "tiny.json:8: the edges run in a circle: input → director → input"),
        (
            r#""think": "output""#,
            r#""think": "output", "act": "output""#,
            "tiny.json:9: node `director` can't take the route `act`; its routes are think",
        ),
        (
            r#""with": ["ui"]"#,
            r#""with": ["ui"], "edges": {"x": "ui"}"#,
            "tiny.json:10: node `output` has an edge for `x`, but a path ends here",
        ),
        (r#""frames": 3"#, r#""frames": 4"#, "tiny.json:15: path `long` states 4 frames and takes 3"),
        (
            r#""frames": 3, "calls": 3"#,
            r#""frames": 3, "calls": 2"#,
            "tiny.json:15: path `long` states a budget of 2 model calls and may need 3",
        ),
        (
            r#""nodes": ["input", "output"]"#,
            r#""nodes": ["output", "input"]"#,
            "tiny.json:13: the way input → output of a message is not stated",
        ),
        (r#""machine": "ui" }"#, r#""machine": "output" }"#, "tiny.json:13: the way output of a machine is not stated"),
        (r#""tools": ["recall"]"#, r#""tools": ["recal"]"#, "tiny.json:9: node `director` names the unknown tool `recal`"),
        (r#""name": "ui", "kind""#, r#""name": "output", "kind""#, "tiny.json:10: there are two nodes `output`"),
        (r#""before": "sensor","#, "", "tiny.json:7: node `sensor` can't be reached"),
        (
            r#"{ "name": "ui", "kind": "ui" }"#,
            r#"{ "name": "ui", "kind": "ui", "model": "x" }"#,
            "tiny.json:11: node `ui` has a `model`, which its kind does not use",
        ),
        (r#""strong", "prompt": "p.md", "with""#, r#""strong", "with""#, "tiny.json:10: node `output` asks a model and has no `prompt`"),
        (r#""prompt": "p.md", "with""#, r#""prompt": "q.md", "with""#, "tiny.json:10: there is no file `q.md`"),
        (r#""prompt": "p.md", "with""#, r#""prompt": "p.md", "rounds": 0, "with""#, "tiny.json:10: invalid value: integer `0`"),
        (
            r#""prompt": "p.md", "with""#,
            r#""prompt": "p.md", "tools": ["recall"], "with""#,
            "tiny.json:10: node `output` has a `tools`, which its kind does not use; remove it",
        ),
        (
            r#""model": "strong", "prompt": "p.md", "with""#,
            r#""model": "gpt-4", "prompt": "p.md", "with""#,
            "tiny.json:10: node `output` names the model `gpt-4`; write one of fast, strong, and say which model that is with --model",
        ),
        (
            r#""reflex": "output","#,
            r#""reflex": "output", "reflex": "director","#,
            "tiny.json:8: `reflex` is there twice: one of them would be lost; rename or remove it",
        ),
        (r#""description""#, r#""descripton""#, "tiny.json:3: unknown field `descripton`, expected one of"),
        (
            r#"{ "name": "act","#,
            r#"{ "name": "act", "entry": "message", "nodes": ["director"], "frames": 1, "calls": 9 }, { "name": "act","#,
            "tiny.json:16: the edges make no path `act`",
        ),
    ] {
        assert!(GOOD.contains(good), "{good}");
        let error = load(&GOOD.replacen(good, bad, 1)).expect_err(bad).to_string();
        assert!(error.starts_with(&format!("graphs/{says}")), "{error}\n  wanted: {says}");
    }
}

/// The expert of the shipped graph with this in the place of its tools.
fn eras(tools: &str) -> Result<Library, GraphError> {
    shipped_but("v4-eras.json", r#""tools": ["describe", "query"]"#, tools)
}

#[test]
fn what_is_to_be_approved_is_read_with_how_long_it_waits() {
    let day = Duration::from_secs(24 * 3_600);
    let (minutes, hours) = (Duration::from_secs(900), Duration::from_secs(7_200));
    for (tools, node, marked) in [
        (r#""tools": ["describe", "query"]"#, None, vec![]),
        (r#""tools": ["describe", {"name": "query"}]"#, None, vec![]),
        (r#""tools": ["describe", {"name": "query", "approve": false}]"#, None, vec![]),
        (r#""tools": ["describe", {"name": "query", "approve": true}]"#, None, vec![("query", day)]),
        (
            r#""tools": [{"name": "describe", "approve": {"expires": "15m"}}, {"name": "query", "approve": {"expires": "2h"}}]"#,
            None,
            vec![("describe", minutes), ("query", hours)],
        ),
        (r#""approve": true, "tools": ["describe", "query"]"#, Some(day), vec![]),
        (r#""approve": {"expires": "2h"}, "tools": ["describe", "query"]"#, Some(hours), vec![]),
    ] {
        let library = eras(tools).unwrap_or_else(|error| panic!("{error}"));
        let graph = library.graph("v4-eras").unwrap();
        let eras = graph.nodes.iter().find(|node| &*node.name == "eras").unwrap();
        let of_tools: Vec<_> = eras.approve_tools.iter().map(|(tool, expires)| (&**tool, *expires)).collect();
        assert_eq!((eras.approve, of_tools), (node, marked.clone()), "{tools}");
        assert_eq!(eras.tools.len(), 2, "{tools}");
        let told = graph.describe()["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "eras").unwrap().clone();
        assert_eq!((told["approve"] == true, told["approve_tools"].is_array()), (node.is_some(), !marked.is_empty()), "{told}");
    }
}

#[test]
fn what_is_wrong_with_an_approval_is_named_with_its_line() {
    let line = |text: &str, part: &str| text.lines().position(|line| line.contains(part)).unwrap() + 1;
    for (tools, says) in [
        (
            r#""tools": ["describe", {"name": "query", "approve": "yes"}]"#,
            "node `eras` has \"approve\": \"yes\"; write true, or {\"expires\": \"1h\"}",
        ),
        (r#""tools": ["describe", {"name": "query", "approve": {}}]"#, "node `eras` has \"approve\": {}; write true"),
        (
            r#""tools": ["describe", {"name": "query", "approve": {"expires": 60}}]"#,
            "node `eras` has \"approve\": {\"expires\":60}; write true",
        ),
        (r#""tools": ["describe", {"name": "query", "approve": {"expires": "1y"}}]"#, "node `eras` has \"approve\": {\"expires\":\"1y\"}"),
        (r#""tools": ["describe", {"name": "query", "approve": {"expires": "1h", "by": "x"}}]"#, "node `eras` has \"approve\": {"),
        (r#""approve": 1, "tools": ["describe", "query"]"#, "node `eras` has \"approve\": 1; write true"),
        (r#""tools": ["describe", 7]"#, "node `eras` has the tool 7; write its name, or {\"name\": \"…\", \"approve\": true}"),
        (r#""tools": ["describe", {"approve": true}]"#, "node `eras` has the tool {\"approve\":true}; write its name"),
        (r#""tools": ["describe", {"name": "query", "aprove": true}]"#, "node `eras` has the tool {"),
    ] {
        let text = shipped_files()["v4-eras.json"].clone();
        let at = line(&text, r#""tools": ["describe", "query"]"#);
        let error = eras(tools).expect_err(tools).to_string();
        let wanted = format!("graphs/v4-eras.json:{at}: {says}");
        assert!(error.starts_with(&wanted), "{error}\n  wanted: {wanted}");
    }
    let planned = shipped_but("v3-framed.json", r#""tools": ["emit_actions""#, r#""tools": [{"name": "emit_actions", "approve": true}"#);
    let planned = planned.unwrap_err().to_string();
    assert!(
        planned.contains("node `director` only plans calls of `emit_actions`; put \"approve\" where the thinker has this tool"),
        "{planned}"
    );
    for kind in ["sensor", "memorizer"] {
        let (from, to) = (format!("\"kind\": \"{kind}\""), format!("\"kind\": \"{kind}\", \"approve\": true"));
        let error = shipped_but("v3-framed.json", &from, &to).unwrap_err().to_string();
        assert!(error.contains(&format!("node `{kind}` has a `approve`, which its kind does not use; remove it")), "{error}");
    }
}

/// The shipped files with one of them changed.
fn shipped_but(file: &str, from: &str, to: &str) -> Result<Library, GraphError> {
    let mut files = shipped_files();
    let text = files.get_mut(file).unwrap();
    assert!(text.contains(from), "{file}: {from}");
    *text = text.replace(from, to);
    Library::load(&files)
}

#[test]
fn a_bad_prompt_is_refused_in_its_own_file() {
    for (from, to, says) in [
        ("{{message}}", "{{mesage}}", "graphs/p.md:4: there is no slot `mesage`; use one of tools, experts, message"),
        ("=== user", "=== User", "graphs/p.md:3: `=== User` divides nothing; a prompt is divided once, by the line `=== user`"),
        ("{{tools}}", "", "graphs/p.md:1: node `director` needs the slot `tools`; write `{{tools}}` into this prompt"),
        ("{{message}}", "{{history}}", "graphs/p.md:1: node `input` needs the slot `message`; write `{{message}}` into this prompt"),
    ] {
        let files = [("tiny.json", GOOD), ("p.md", &PROMPT.replace(from, to)), ("s.json.txt", SCHEMA)];
        let error = Library::load(&files.map(|(name, text)| (name.to_owned(), text.to_owned())).into()).unwrap_err();
        assert!(error.to_string().starts_with(says), "{error}");
    }
}

#[test]
fn a_prompt_without_a_slot_that_its_node_needs_is_refused() {
    for (file, slots) in [
        ("input", &["message"][..]),
        ("director", &["message", "tools"]),
        ("thinker", &["message", "open", "decision"]),
        ("interpreter", &["message", "results", "goal"]),
        ("output", &["message", "goal", "results", "findings"]),
        ("memorizer", &["message", "answer"]),
        ("agent", &["message"]),
        ("pa", &["message", "experts"]),
        ("eras", &["job", "tools", "schema", "dialect"]),
        ("desk", &["job", "tools"]),
        ("compose", &["job", "results"]),
    ] {
        let file = format!("prompts/{file}.md");
        for slot in slots {
            let error = shipped_but(&file, &format!("{{{{{slot}}}}}"), "").expect_err(slot).to_string();
            assert!(error.starts_with(&format!("graphs/{file}:1: node `")), "{error}");
            assert!(error.contains(&format!("needs the slot `{slot}`")), "{error}");
        }
        let error = shipped_but(&file, "=== user", "=== User").expect_err(&file).to_string();
        assert!(error.contains("`=== User` divides nothing"), "{error}");
    }
    let error = shipped_but("prompts/thinker.md", "{{open_tools}}", "").unwrap_err().to_string();
    assert!(error.contains("needs the slot `tools`"), "{error}");
}

#[test]
fn refuses_a_schema_without_a_field_that_its_node_reads() {
    for (file, node, fields) in [
        ("perception", "input", &["intent"][..]),
        ("decision", "director", &["goal", "tool_sequence"]),
        ("calls", "thinker", &["calls"]),
        ("interpretation", "interpreter", &["summary"]),
        ("routing", "pa", &["expert", "job"]),
        ("plan", "eras", &["tool_sequence"]),
    ] {
        let file = format!("schemas/{file}.json");
        let text = &shipped_files()[&file];
        let mut without_all: Value = serde_json::from_str(text).unwrap();
        without_all.as_object_mut().unwrap().remove("properties");
        for (field, error) in fields
            .iter()
            .map(|field| (field, shipped_but(&file, &format!("\"{field}\": {{"), "\"other\": {")))
            .chain([(&fields[0], shipped_but(&file, text, &without_all.to_string()))])
        {
            let says = format!(
                "graphs/{file}:1: node `{node}` needs the field `{field}` in its model's answers; add it to this schema's `properties`"
            );
            assert_eq!(error.expect_err(field).to_string(), says);
        }
    }
}
