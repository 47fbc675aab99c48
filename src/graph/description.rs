//! Graphs as the interface describes them: the list of all, and one with its nodes, its edges, and the picture that the page draws.

use super::{Entry, Graph, Library};
use crate::nodes::Node;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Library {
    /// The body of `GET /api/graph/list`.
    pub fn list(&self) -> Value {
        let entry = |graph: &Arc<Graph>| json!({"name": graph.name, "description": graph.description, "paths": graph.paths_json()});
        json!({"graphs": self.graphs.values().map(entry).collect::<Vec<_>>()})
    }
}

impl Graph {
    /// The body of `GET /api/graph/active`.
    pub fn describe(&self) -> Value {
        let edges: Vec<Value> = self
            .edges()
            .map(|(from, route, to)| json!({"from": self.nodes[from].name, "route": route, "to": self.nodes[to].name}))
            .collect();
        json!({
            "name": self.name,
            "description": self.description,
            "while_busy": self.while_busy,
            "face": self.face,
            "nodes": (0..self.nodes.len()).map(|index| self.describe_node(index)).collect::<Vec<_>>(),
            "edges": edges,
            "paths": self.paths_json(),
            "cytoscape": self.picture(),
        })
    }

    fn describe_node(&self, index: usize) -> Value {
        let node = &self.nodes[index];
        let mut described = json!({
            "name": node.name,
            "kind": node.kind.to_string(),
            "model": if node.kind.asks() { json!(node.model) } else { Value::Null },
            "prompt": node.prompt_file,
            "compose": node.compose_file,
            "schema": node.schema.as_ref().map(|schema| &schema.name),
            "tools": node.tools.iter().map(|tool| &tool.name).collect::<Vec<_>>(),
            "rounds": node.rounds,
            "with": node.beside.iter().map(|beside| &self.nodes[*beside].name).collect::<Vec<_>>(),
            "before": self.before == Some(index),
            "after": self.after == Some(index),
        });
        if node.approve.is_some() {
            described["approve"] = json!(true);
        }
        if !node.approve_tools.is_empty() {
            described["approve_tools"] = json!(node.approve_tools.keys().collect::<Vec<_>>());
        }
        described
    }

    /// The graph as Cytoscape.js takes it. What is no route has a `kind` of its own, so that it can be drawn in another way.
    fn picture(&self) -> Value {
        let shape = |node: &Node| json!({"data": {"id": node.name, "label": node.name, "kind": node.kind.to_string()}});
        let line = |(from, label, to, kind): (usize, &str, usize, &str)| {
            let (from, to) = (&self.nodes[from].name, &self.nodes[to].name);
            json!({"data": {"id": format!("{from}-{label}-{to}"), "source": from, "target": to, "label": label, "kind": kind}})
        };
        let routes = self.edges().map(|(from, route, to)| (from, route, to, if route == "with" { "with" } else { "route" }));
        // A machine's own button takes neither of the two along.
        let paths = || self.paths.iter().filter(|path| path.entry != Entry::Machine);
        let firsts: BTreeSet<usize> = paths().filter_map(|path| path.nodes.first().copied()).collect();
        let lasts: BTreeSet<usize> = paths().filter_map(|path| path.nodes.last().copied()).collect();
        let before = self.before.into_iter().flat_map(|before| firsts.iter().map(move |first| (before, "before", *first, "before")));
        let after = self.after.into_iter().flat_map(|after| lasts.iter().map(move |last| (*last, "after", after, "after")));
        json!({
            "nodes": self.nodes.iter().map(shape).collect::<Vec<_>>(),
            "edges": routes.chain(before).chain(after).map(line).collect::<Vec<_>>(),
        })
    }

    /// Every edge as from, route, to; `with` joins nodes of one frame.
    fn edges(&self) -> impl Iterator<Item = (usize, &str, usize)> {
        self.nodes.iter().enumerate().flat_map(|(from, node)| {
            let routes = node.edges.iter().map(move |(route, to)| (from, route.as_str(), *to));
            routes.chain(node.beside.iter().map(move |to| (from, "with", *to)))
        })
    }

    fn paths_json(&self) -> Vec<Value> {
        self.paths
            .iter()
            .map(|path| json!({"name": path.name, "nodes": path.node_names, "frames": path.frames, "calls": path.calls}))
            .collect()
    }
}
