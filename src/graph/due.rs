//! What a node's prompt and schema must have, so that its model knows what it is asked and its answer can be used.

use super::NodeFile;
use crate::nodes::Kind;

/// The slots without which its prompt leaves out what the nodes before it found, or what it can call.
pub(super) fn slots(kind: Kind, node: &NodeFile, all: &[NodeFile]) -> Vec<&'static str> {
    let follows = |other| leads(other, node, all);
    [
        (true, kind.slots()),
        (kind.plans() && !node.tools.is_empty(), &["tools"]),
        (kind.knows_experts() && !experts(node, all).is_empty(), &["experts"]),
        (kind == Kind::Expert && node.database.is_some(), &["schema", "dialect"]),
        (kind == Kind::Interpreter && follows(Kind::Expert), &["goal"]),
        // A PA that chooses no expert hands on its brief as the goal.
        (kind == Kind::Output && follows(Kind::Pa), &["goal"]),
        (kind == Kind::Output && follows(Kind::Thinker), &["results"]),
        (kind == Kind::Output && follows(Kind::Interpreter), &["findings"]),
    ]
    .into_iter()
    .filter(|(is_due, _)| *is_due)
    .flat_map(|(_, slots): (bool, &[&'static str])| slots.iter().copied())
    .collect()
}

/// The fields without which its answer can't be used; a model that is held to a schema gives no others.
pub(super) fn fields(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Input => &["intent"],
        Kind::Director => &["goal", "tool_sequence"],
        Kind::Thinker => &["calls"],
        Kind::Interpreter => &["summary"],
        Kind::Pa => &["expert", "job"],
        Kind::Expert => &["tool_sequence"],
        // Each field of a memory patch may be left out.
        Kind::Memorizer | Kind::Output | Kind::Ui | Kind::Sensor | Kind::Agent => &[],
    }
}

/// What `{{experts}}` says: the experts that a node's edges lead to, by route. Who speaks for the assistant knows of all.
pub(super) fn experts(node: &NodeFile, all: &[NodeFile]) -> String {
    if node.kind == Kind::Output.to_string() {
        let experts = all.iter().filter(|other| other.kind == Kind::Expert.to_string());
        return experts.map(|expert| format!("\n- {}", expert.description)).collect();
    }
    let told = |(route, to): (&String, &String)| {
        let expert = all.iter().find(|other| other.name == *to && !other.description.is_empty())?;
        Some(format!("- `{route}`: {}", expert.description))
    };
    node.edges.iter().filter_map(told).collect::<Vec<_>>().join("\n")
}

/// Whether a node of this kind has an edge to `node`.
fn leads(kind: Kind, node: &NodeFile, all: &[NodeFile]) -> bool {
    all.iter().any(|other| other.kind == kind.to_string() && other.edges.values().any(|to| *to == node.name))
}
