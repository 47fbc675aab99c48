//! The names that a trace can hold: a check that asks for another one would hold of everything, or of nothing.
//!
//! Events, statuses and kinds of calls are the same everywhere; nodes, routes, paths and tools are those of a graph, as
//! `GET /api/graph/active` tells them.

use serde_json::Value;
use std::collections::BTreeSet;

/// What traces of one graph can tell of, in small letters. Of a graph that nobody has described every name is possible.
#[derive(Clone, Debug, Default)]
pub struct Names {
    graph: String,
    /// Of anything in a trace.
    all: BTreeSet<String>,
    /// What `calls` can count.
    calls: BTreeSet<String>,
}

const EVENTS: [&str; 24] = [
    "turn_started",
    "memory",
    "machines",
    "state",
    "thinking",
    "updated",
    "perceived",
    "decided",
    "routed",
    "planned",
    "interpreted",
    "streaming",
    "retold",
    "tool_call",
    "tool_result",
    "controls",
    "process_start",
    "process_end",
    "frame_trace",
    "error",
    "done",
    "cleared",
    "replaced",
    "withdrawn",
];
/// How calls and turns end.
const STATUSES: [&str; 4] = ["done", "error", "cancelled", "degraded"];
const CALL_KINDS: [&str; 2] = ["llm", "db"];
/// What a database is asked for, whichever tool asks.
const DATABASE_CALLS: [&str; 3] = ["tables", "describe", "query"];

/// Names that are nearer than this are told.
const NEAR_MIN: f64 = 0.8;
const NEAR_MAX: usize = 3;

impl Names {
    /// Of a graph as `GET /api/graph/active` tells it.
    pub fn of_graph(graph: &Value) -> Names {
        let list = |key: &str| graph[key].as_array().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
        let kinds = list("nodes").map(|node| text(&node["kind"]));
        // What goes on behind a turn is not counted.
        let asking = list("nodes").filter(|node| node["model"].is_string() && node["after"] != true).map(|node| text(&node["kind"]));
        let tools = list("nodes").flat_map(|node| node["tools"].as_array().into_iter().flatten()).map(text);
        let nodes = list("nodes").map(|node| text(&node["name"]));
        // `with` is no route: it says who works beside a node.
        let routes = list("edges").map(|edge| text(&edge["route"])).filter(|route| route != "with");
        let paths = list("paths").map(|path| text(&path["name"]));
        let everywhere = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let calls: BTreeSet<String> = asking.chain(everywhere(&CALL_KINDS)).chain(everywhere(&DATABASE_CALLS)).collect();
        let fixed = [everywhere(&EVENTS), everywhere(&STATUSES)].concat();
        let all = calls.iter().cloned().chain(fixed).chain(kinds).chain(tools).chain(nodes).chain(routes).chain(paths);
        Names { graph: graph["name"].as_str().unwrap_or_default().to_owned(), all: all.collect(), calls }
    }

    /// Whether these are the names of the graph that a trace is of.
    pub fn are_of(&self, trace: &Value) -> bool {
        trace["graph"] == *self.graph
    }

    /// Says which of the words no trace can tell of; nothing where each can be there.
    pub(super) fn unknown<'a>(&self, words: impl Iterator<Item = &'a str>) -> Option<String> {
        self.said_of(&self.all, words, "can tell of")
    }

    /// Says why no call can be called this; nothing where one can.
    pub(super) fn unknown_call(&self, kind: &str) -> Option<String> {
        self.said_of(&self.calls, [kind].into_iter(), "can count")
    }

    fn said_of<'a>(&self, names: &BTreeSet<String>, words: impl Iterator<Item = &'a str>, can: &str) -> Option<String> {
        if names.is_empty() {
            return None;
        }
        let sentence = |word: &str| format!("no trace of the graph `{}` {can} `{word}`{}", self.graph, near(word, names));
        // Of what a call is called, such as `describe kunden`, its first word is known.
        let is_known = |word: &str| {
            let first = word.split_once(' ').map(|(first, _)| first);
            names.contains(word) || first.is_some_and(|first| self.calls.contains(first))
        };
        let sentences: Vec<String> = words.filter(|word| !is_known(word)).map(sentence).collect();
        (!sentences.is_empty()).then(|| sentences.join("; "))
    }
}

/// The names that somebody may have meant, else all that there are.
fn near(word: &str, names: &BTreeSet<String>) -> String {
    let nearness = |name: &&String| strsim::jaro_winkler(word, name);
    let mut near: Vec<&String> = names.iter().filter(|name| nearness(name) > NEAR_MIN).collect();
    near.sort_by(|one, other| nearness(other).total_cmp(&nearness(one)));
    near.truncate(NEAR_MAX);
    let quoted = |names: &[&String]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
    match near.is_empty() {
        true => format!("; there are {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
        false => format!(": did you mean {}?", quoted(&near)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A name that an event has and nobody here knows would fail checks that are right.
    #[test]
    fn every_event_is_known() {
        let source = include_str!("../contract/event.rs");
        let names = source.split("pub fn name(").nth(1).unwrap().split("\n    }\n").next().unwrap();
        let named: BTreeSet<&str> = names.split("=> \"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        // An acknowledgement is for the chat, and no trace shows it.
        assert_eq!(named, EVENTS.into_iter().chain(["accepted"]).collect());
    }

    #[test]
    fn a_name_that_is_none_is_told_with_those_that_are_near() {
        let names = Names::of_graph(&json!({
            "name": "small",
            "nodes": [
                {"name": "eye", "kind": "input", "model": "fast", "tools": []},
                {"name": "boss", "kind": "director", "model": "strong", "tools": ["recall"]},
                {"name": "screen", "kind": "ui", "model": null, "tools": []},
                {"name": "mind", "kind": "memorizer", "model": "fast", "after": true, "tools": []},
            ],
            "edges": [{"from": "eye", "route": "direct", "to": "boss"}, {"from": "boss", "route": "with", "to": "screen"}],
            "paths": [{"name": "Short"}],
        }));
        for word in [
            "perceived",
            "eye",
            "input",
            "recall",
            "direct",
            "short",
            "cancelled",
            "degraded",
            "llm",
            "query",
            "ui",
            "memorizer",
            "describe kunden",
            "director plan",
        ] {
            assert_eq!(names.unknown([word].into_iter()), None, "{word}");
        }
        assert!(names.unknown(["with"].into_iter()).is_some());
        let says = names.unknown(["percieved", "eye"].into_iter()).unwrap();
        assert_eq!(says, "no trace of the graph `small` can tell of `percieved`: did you mean `perceived`?");
        let says = names.unknown_call("zzz").unwrap();
        assert_eq!(says, "no trace of the graph `small` can count `zzz`; there are db, describe, director, input, llm, query, tables");
        for not_counted in ["eye", "ui", "memorizer", "recall"] {
            assert!(names.unknown_call(not_counted).is_some(), "{not_counted}");
        }
        assert_eq!((names.unknown_call("director"), Names::default().unknown_call("zzz")), (None, None));
    }
}
