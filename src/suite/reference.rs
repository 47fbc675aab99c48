//! Keeps `README.md` beside this file true: what it shows is what the parser takes, and all of that is shown.

use super::{Check, Does, Sought, Suite};
use std::collections::BTreeSet;

const REFERENCE: &str = include_str!("README.md");
const HEAD: &str = "# T\n## 1\n- send: x\n";

/// What stands in its blocks of one sort.
fn blocks(sort: &str) -> impl Iterator<Item = &'static str> {
    let begin = format!("```{sort}\n");
    REFERENCE.split("```\n").filter_map(move |part| Some(part.split_once(&begin)?.1))
}

/// What each example says; a piece of a suite gets what a suite has before it.
fn shown() -> Vec<Does> {
    let suite = |text: &str| Suite::parse(text).unwrap_or_else(|error| panic!("{error} of\n{text}"));
    let whole = |block: &str| if block.starts_with("# ") { suite(block) } else { suite(&(HEAD.to_owned() + block)) };
    let items = |suite: Suite| suite.before.into_iter().chain(suite.steps.into_iter().flat_map(|step| step.items));
    blocks("markdown").flat_map(|block| items(whole(block))).map(|item| item.does).collect()
}

fn form(sought: &Sought) -> &'static str {
    match sought {
        Sought::Contains(_) => "contains",
        Sought::NotContains(_) => "not contains",
        Sought::Matches(_) => "matches",
        Sought::Is(_) => "is",
        Sought::Length(_) => "length",
        Sought::Exists => "exists",
        Sought::NotExists => "not exists",
    }
}

/// A kind of item; whoever adds one here adds it below.
fn kind(does: &Does) -> String {
    let check = match does {
        Does::Graph(_) => return "graph".to_owned(),
        Does::Clear => return "clear".to_owned(),
        Does::Send(_) => return "send".to_owned(),
        Does::Action(_) => return "action".to_owned(),
        Does::Expect(check) => check,
    };
    match check {
        Check::Response(sought) => format!("response {}", form(sought)),
        Check::Progress(sought) => format!("progress {}", form(sought)),
        Check::State { sought, .. } => format!("state {}", form(sought)),
        Check::ActionsHave(_) => "actions has".to_owned(),
        Check::ActionsLack(_) => "actions not has".to_owned(),
        Check::Actions(_) => "actions count".to_owned(),
        Check::TraceHas(_) => "trace has".to_owned(),
        Check::TraceLacks(_) => "trace not has".to_owned(),
        Check::Frames(_) => "frames".to_owned(),
        Check::Path(_) => "path".to_owned(),
        Check::Calls { .. } => "calls".to_owned(),
        Check::Rows { of, .. } => format!("{} rows", of.name()),
        Check::Columns { of, .. } => format!("{} columns", of.name()),
        Check::Kind { of, .. } => format!("{} kind", of.name()),
        Check::Time(_) => "time".to_owned(),
        Check::Judge(_) => "judge".to_owned(),
    }
}

#[test]
fn the_reference_shows_every_kind_of_line() {
    let mut all: BTreeSet<String> = [
        "graph",
        "clear",
        "send",
        "action",
        "actions has",
        "actions not has",
        "actions count",
        "trace has",
        "trace not has",
        "frames",
        "path",
        "calls",
        "table rows",
        "table columns",
        "chart rows",
        "chart columns",
        "chart kind",
        "time",
        "judge",
    ]
    .map(str::to_owned)
    .into();
    let forms = ["contains", "not contains", "matches", "is", "length", "exists", "not exists"];
    all.extend(["response", "progress", "state"].iter().flat_map(|of| forms.map(|form| format!("{of} {form}"))));
    assert_eq!(shown().iter().map(kind).collect::<BTreeSet<_>>(), all);
}

#[test]
fn what_the_reference_calls_refused_is_refused() {
    let lines: Vec<&str> = blocks("refused").flat_map(str::lines).collect();
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        assert!(line.starts_with("- expect ") && Suite::parse(&format!("{HEAD}{line}\n")).is_err(), "{line}");
    }
}

/// What is named in passing: the memory's keys, the options and each comparison.
#[test]
fn the_reference_names_what_there_is() {
    let memory = serde_json::to_value(crate::contract::Memory::initial("any")).unwrap();
    for key in memory.as_object().unwrap().keys() {
        assert!(REFERENCE.contains(&format!("`{key}`")), "{key}");
    }
    for sign in ["==", "!=", "<", "<=", ">", ">="] {
        assert!(REFERENCE.contains(&format!("`{sign}`")), "{sign}");
    }
    assert!(include_str!("../../README.md").contains("(src/suite/README.md)"), "the README tells where to read on");
}
