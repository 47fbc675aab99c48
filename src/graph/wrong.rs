//! What can be wrong in a graph file, each with the sentence that says what to do.

use super::Entry;
use crate::contract::{WhileBusy, counted};
use crate::nodes::{MODELS, tools};
use std::fmt;

/// What is wrong in a file, where, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct GraphError {
    pub file: String,
    pub line: usize,
    pub what: Wrong,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    Json(String),
    NoGraphs,
    WhileBusy { name: String },
    Face(String),
    NoFile { name: String },
    DoubleGraph { name: String },
    DoubleNode { name: String },
    TooMany { what: &'static str, most: usize },
    UnknownKind { node: String, kind: String },
    UnknownTool { node: String, tool: String },
    UnknownTarget { from: String, route: String, to: String },
    UnknownRoute { node: String, route: String, known: &'static [&'static str] },
    MissingRoute { node: String, route: &'static str },
    Missing { node: String, field: &'static str },
    NoDatabase { node: String, tool: String },
    Approve { node: String, found: String },
    Tool { node: String, found: String },
    PlansOnly { node: String, tool: String },
    UnknownModel { node: String, model: String },
    NoSlot { node: String, slot: &'static str },
    NoField { node: String, field: &'static str },
    Superfluous { node: String, field: &'static str },
    Schema { file: String, error: String },
    Prompt(String),
    Unreachable { node: String },
    Circle { nodes: Vec<String> },
    MissingPath { entry: Entry, nodes: Vec<String> },
    NoSuchPath { path: String },
    Frames { path: String, stated: usize, counted: usize },
    Calls { path: String, stated: u32, needed: u32 },
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "graphs/{}:{}: {}", self.file, self.line, self.what)
    }
}

impl std::error::Error for GraphError {}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::Json(error) => write!(f, "{error}"),
            Wrong::NoGraphs => write!(f, "there is no graph; put a `*.json` file there"),
            Wrong::WhileBusy { name } => {
                write!(f, "`while_busy` is `{name}`; write one of {}", WhileBusy::ALL.map(WhileBusy::name).join(", "))
            }
            Wrong::Face(wrong) => write!(f, "the graph's face: {wrong}"),
            Wrong::NoFile { name } => write!(f, "there is no file `{name}`; put it there or correct the name"),
            Wrong::DoubleGraph { name } => write!(f, "another file holds the graph `{name}` already; choose another name"),
            Wrong::DoubleNode { name } => write!(f, "there are two nodes `{name}`; rename one"),
            Wrong::TooMany { what, most } => write!(f, "too many {what}; {most} at most"),
            Wrong::UnknownKind { node, kind } => {
                write!(f, "node `{node}` is of the unknown kind `{kind}`; graphs/README.md lists the kinds")
            }
            Wrong::UnknownTool { node, tool } => {
                let known: Vec<&str> = tools::ALL.iter().map(|tool| tool.name).collect();
                write!(f, "node `{node}` names the unknown tool `{tool}`; use one of {}", known.join(", "))
            }
            Wrong::UnknownTarget { from, route, to } => {
                write!(f, "edge `{from}` --{route}--> `{to}`: there is no node `{to}`; add it or correct the name")
            }
            Wrong::UnknownRoute { node, route, known: [] } => {
                write!(f, "node `{node}` has an edge for `{route}`, but a path ends here; remove the edge")
            }
            Wrong::UnknownRoute { node, route, known } => {
                write!(f, "node `{node}` can't take the route `{route}`; its routes are {}", known.join(", "))
            }
            Wrong::MissingRoute { node, route } => {
                write!(f, "node `{node}` can take the route `{route}`, but no edge is drawn for it; add \"{route}\": \"…\" to its edges")
            }
            Wrong::Missing { node, field } => write!(f, "node `{node}` asks a model and has no `{field}`; add \"{field}\": \"…\""),
            Wrong::NoDatabase { node, tool } => write!(f, "node `{node}` has the tool `{tool}` and no `database`; add \"database\": \"…\""),
            Wrong::Approve { node, found } => write!(
                f,
                "node `{node}` has \"approve\": {found}; write true, or {{\"expires\": \"1h\"}} with a number of s, m, h or d, at most 30d"
            ),
            Wrong::Tool { node, found } => {
                write!(f, "node `{node}` has the tool {found}; write its name, or {{\"name\": \"…\", \"approve\": true}}")
            }
            Wrong::PlansOnly { node, tool } => {
                write!(f, "node `{node}` only plans calls of `{tool}`; put \"approve\" where the thinker has this tool")
            }
            Wrong::UnknownModel { node, model } => write!(
                f,
                "node `{node}` names the model `{model}`; write one of {}, and say which model that is with --model and --fast-model",
                MODELS.join(", ")
            ),
            Wrong::NoSlot { node, slot } => write!(f, "node `{node}` needs the slot `{slot}`; write `{{{{{slot}}}}}` into this prompt"),
            Wrong::NoField { node, field } => {
                write!(f, "node `{node}` needs the field `{field}` in its model's answers; add it to this schema's `properties`")
            }
            Wrong::Superfluous { node, field } => write!(f, "node `{node}` has a `{field}`, which its kind does not use; remove it"),
            Wrong::Schema { error, .. } => write!(f, "{error}"),
            Wrong::Prompt(error) => write!(f, "{error}"),
            Wrong::Unreachable { node } => write!(f, "node `{node}` can't be reached; draw an edge to it or remove it"),
            Wrong::Circle { nodes } => write!(f, "the edges run in a circle: {} → {}; remove one", nodes.join(" → "), nodes[0]),
            Wrong::MissingPath { entry, nodes } => {
                let entry = format!("{entry:?}").to_lowercase();
                write!(f, "the way {} of a {entry} is not stated; add it to `paths` with its frames and calls", nodes.join(" → "))
            }
            Wrong::NoSuchPath { path } => write!(f, "the edges make no path `{path}` as it is stated; correct its nodes or remove it"),
            Wrong::Frames { path, stated, counted: taken } => {
                write!(f, "path `{path}` states {} and takes {taken}; write \"frames\": {taken}", counted(*stated, "frame", "frames"))
            }
            Wrong::Calls { path, stated, needed } => {
                let stated = counted(*stated as usize, "model call", "model calls");
                write!(f, "path `{path}` states a budget of {stated} and may need {needed}; write at least \"calls\": {needed}")
            }
        }
    }
}
