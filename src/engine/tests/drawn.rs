//! Graphs drawn from a seed: any kinds in any acyclic order, so that the simulation speaks of the engine and not of our graphs.

use super::simulation::Dice;
use crate::graph::Library;
use crate::nodes::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const KINDS: [Kind; 6] = [Kind::Input, Kind::Director, Kind::Thinker, Kind::Interpreter, Kind::Output, Kind::Agent];

/// The fields of all kinds.
const SCHEMA: &str = r#"{"type":"object","properties":{"intent":{},"goal":{},"tool_sequence":{},"calls":{},"summary":{}}}"#;

/// A library of two drawn graphs, `one` and `two`.
pub(super) fn library(dice: &mut Dice) -> Arc<Library> {
    let mut files = BTreeMap::from([
        (
            "p.md".to_owned(),
            "# drawn\n=== user\n{{history}} {{memory}} {{decision}} {{results}} {{findings}} {{open}} {{answer}} {{message}}\n".to_owned(),
        ),
        ("s.schema".to_owned(), SCHEMA.to_owned()),
        ("plain".to_owned(), r#"{"en":[{"topic":"greeting","says":["hello"],"reply":"Hi."}]}"#.to_owned()),
    ]);
    for name in ["one", "two"] {
        files.insert(format!("{name}.json"), graph(dice, name).to_string());
    }
    Arc::new(Library::load(&files).unwrap_or_else(|error| panic!("{error}\n{files:#?}")))
}

/// Nodes in a row, each route leading somewhere further down; the last one answers.
fn graph(dice: &mut Dice, name: &str) -> Value {
    let count = 3 + dice.below(4) as usize;
    let mut kinds: Vec<Kind> = (1..count).map(|_| KINDS[dice.below(KINDS.len() as u64) as usize]).collect();
    kinds.push(if dice.below(3) == 0 { Kind::Agent } else { Kind::Output });
    let edges: Vec<Vec<usize>> = kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| kind.routes().iter().map(|_| at + 1 + dice.below((count - at - 1).max(1) as u64) as usize).collect())
        .collect();
    let action = dice.below(count as u64) as usize;
    let (mut paths, mut reached) = (Vec::new(), vec![false; count]);
    for (entry, first) in [("message", 0), ("action", action)] {
        let mut ways = Vec::new();
        walk(&edges, vec![first], &mut ways);
        for way in ways {
            way.iter().for_each(|at| reached[*at] = true);
            let names: Vec<String> = way.iter().map(|at| format!("n{at}")).collect();
            let needed = 2 * way.len() as u64 + dice.below(3);
            paths.push(json!({"name": format!("{entry}-{}", names.join("-")), "entry": entry, "nodes": names, "frames": way.len(), "calls": needed}));
        }
    }
    paths.push(json!({"name": "machine", "entry": "machine", "nodes": ["ui"], "frames": 1, "calls": 0}));
    let mut nodes: Vec<Value> =
        kinds.iter().enumerate().filter(|(at, _)| reached[*at]).map(|(at, kind)| node(at, *kind, &edges[at])).collect();
    nodes.push(json!({"name": "ui", "kind": "ui"}));
    let mut graph =
        json!({"name": name, "description": "drawn", "entries": {"message": "n0", "action": format!("n{action}"), "machine": "ui"}});
    if dice.below(2) == 0 {
        nodes.push(json!({"name": "memorizer", "kind": "memorizer", "model": "fast", "prompt": "p.md", "schema": "s.schema"}));
        graph["after"] = json!("memorizer");
    }
    (graph["nodes"], graph["paths"]) = (json!(nodes), json!(paths));
    graph
}

fn node(at: usize, kind: Kind, edges: &[usize]) -> Value {
    let mut node = json!({"name": format!("n{at}"), "kind": kind.to_string(), "model": "fast", "prompt": "p.md"});
    if kind.is_structured() {
        node["schema"] = json!("s.schema");
    }
    if kind == Kind::Input {
        node["plain"] = json!("plain");
    }
    match kind.routes() {
        [] => node["with"] = json!(["ui"]),
        routes => node["edges"] = routes.iter().zip(edges).map(|(route, to)| ((*route).to_owned(), json!(format!("n{to}")))).collect(),
    }
    if kind == Kind::Agent {
        node["rounds"] = json!(2);
    }
    node
}

/// Every way from the last node of `way` to an end.
fn walk(edges: &[Vec<usize>], way: Vec<usize>, ways: &mut Vec<Vec<usize>>) {
    let mut next = edges[*way.last().unwrap()].clone();
    next.sort_unstable();
    next.dedup();
    if next.is_empty() {
        return ways.push(way);
    }
    for to in next {
        walk(edges, [way.clone(), vec![to]].concat(), ways);
    }
}
