//! Which nodes, routes and paths of a graph were taken, and which not.
//!
//! What a graph has is what `GET /api/graph/active` tells; what was taken is in the traces of turns. A sensor works before every
//! turn of its graph, the memorizer where a trace tells of it in the background.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Graphs by name. What is noted of a graph that nobody has described counts for nothing.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<String, Graph>);

#[derive(Clone, Debug, Deserialize)]
struct Graph {
    name: String,
    nodes: Vec<Node>,
    #[serde(rename = "edges")]
    routes: Vec<Route>,
    paths: Vec<Path>,
}

#[derive(Clone, Debug, Deserialize)]
struct Node {
    name: String,
    kind: String,
    #[serde(skip)]
    is_taken: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Route {
    from: String,
    route: String,
    to: String,
    #[serde(skip)]
    is_taken: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Path {
    name: String,
    nodes: Vec<String>,
    #[serde(skip)]
    is_taken: bool,
}

impl Coverage {
    /// Takes down what a graph has, unless it is known.
    pub fn describe(&mut self, graph: &Value) {
        let Ok(mut graph) = Graph::deserialize(graph) else { return };
        // `with` is no route: it says who works beside a node.
        graph.routes.retain(|route| route.route != "with");
        self.0.entry(graph.name.clone()).or_insert(graph);
    }

    /// Takes down which way a turn went. A trace may be noted again when more of it is known.
    pub fn note(&mut self, trace: &Value) {
        let Some(graph) = trace["graph"].as_str().and_then(|name| self.0.get_mut(name)) else { return };
        let mut way = Vec::new();
        for frame in list(trace, "frames") {
            let nodes: Vec<&str> = list(frame, "nodes").filter_map(Value::as_str).collect();
            for node in graph.nodes.iter_mut().filter(|node| nodes.contains(&node.name.as_str()) || node.kind == "sensor") {
                node.is_taken = true;
            }
            let Some(first) = nodes.first() else { continue };
            for route in graph.routes.iter_mut().filter(|route| route.from == *first && frame["route"] == *route.route) {
                route.is_taken = true;
            }
            way.push((*first).to_owned());
        }
        for call in list(trace, "background") {
            graph.nodes.iter_mut().filter(|node| call["label"] == *node.kind).for_each(|node| node.is_taken = true);
        }
        let is_it = |path: &&mut Path| trace["path"] == *path.name && path.nodes == way;
        graph.paths.iter_mut().filter(is_it).for_each(|path| path.is_taken = true);
    }
}

fn list<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    of[key].as_array().into_iter().flatten()
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(name, graph)| {
            writeln!(f, "coverage of {name}")?;
            part(f, "nodes", graph.nodes.iter().map(|node| (node.is_taken, node.name.clone())))?;
            let routes = graph.routes.iter();
            part(f, "routes", routes.map(|route| (route.is_taken, format!("{} -{}-> {}", route.from, route.route, route.to))))?;
            let paths = graph.paths.iter();
            part(f, "paths", paths.map(|path| (path.is_taken, format!("{} ({})", path.name, path.nodes.join(" → ")))))
        })
    }
}

fn part(f: &mut fmt::Formatter<'_>, what: &str, all: impl Iterator<Item = (bool, String)>) -> fmt::Result {
    let (taken, not): (Vec<_>, Vec<_>) = all.partition(|(is_taken, _)| *is_taken);
    let names = |all: &[(bool, String)]| all.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(", ");
    let count = taken.len() + not.len();
    writeln!(f, "  {what}: {} of {count} taken{}{}", taken.len(), if taken.is_empty() { "" } else { ": " }, names(&taken))?;
    if not.is_empty() { Ok(()) } else { writeln!(f, "    not taken: {}", names(&not)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn what_a_turn_takes_is_counted_with_who_works_before_beside_and_after_it() {
        let node = |name: &str, kind: &str| json!({"name": name, "kind": kind});
        let edge = |from: &str, route: &str, to: &str| json!({"from": from, "route": route, "to": to});
        let graph = json!({
            "name": "small",
            "nodes": [node("eye", "sensor"), node("input", "input"), node("pa", "pa"), node("output", "output"), node("ui", "ui"), node("mem", "memorizer")],
            "edges": [edge("input", "reflex", "output"), edge("input", "direct", "pa"), edge("pa", "output", "output"), edge("output", "with", "ui")],
            "paths": [{"name": "reflex", "nodes": ["input", "output"]}, {"name": "pa", "nodes": ["input", "pa", "output"]}],
        });
        let frame = |nodes: &[&str], route: &str| json!({"nodes": nodes, "route": route});
        let mut trace = json!({"graph": "small", "path": "reflex", "frames": [frame(&["input"], "reflex"), frame(&["output", "ui"], "")], "background": []});
        let mut coverage = Coverage::default();
        coverage.note(&trace);
        coverage.describe(&graph);
        coverage.note(&trace);
        trace["background"] = json!([{"kind": "llm", "label": "memorizer"}]);
        coverage.note(&trace);
        coverage.note(&json!({"graph": "other", "path": "x", "frames": []}));
        coverage.describe(&graph);
        expect![[r#"
            coverage of small
              nodes: 5 of 6 taken: eye, input, output, ui, mem
                not taken: pa
              routes: 1 of 3 taken: input -reflex-> output
                not taken: input -direct-> pa, pa -output-> output
              paths: 1 of 2 taken: reflex (input → output)
                not taken: pa (input → pa → output)
        "#]]
        .assert_eq(&coverage.to_string());
    }
}
