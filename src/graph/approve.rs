//! What a graph wants approved by a person, and for how long it waits: `true`, or `{"expires": "1h"}`.

use super::NodeFile;
use super::wrong::Wrong;
use crate::contract::Name;
use crate::nodes::{Kind, tools};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an approval waits where the graph doesn't say.
const EXPIRES: Duration = Duration::from_secs(24 * 60 * 60);
const EXPIRES_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The tools of a node, each with how long it waits for an approval; none needs none.
pub(super) fn named_tools(node: &NodeFile) -> Result<Vec<(String, Option<Duration>)>, Wrong> {
    let wrong = |found: &Value| Wrong::Tool { node: node.name.clone(), found: found.to_string() };
    let tool = |tool: &Value| match tool {
        Value::String(name) => Ok((name.clone(), None)),
        Value::Object(fields) => {
            let name = fields.get("name").and_then(Value::as_str).ok_or_else(|| wrong(tool))?;
            if fields.keys().any(|key| key != "name" && key != "approve") {
                return Err(wrong(tool));
            }
            Ok((name.to_owned(), fields.get("approve").map_or(Ok(None), |approve| expires(node, approve))?))
        }
        other => Err(wrong(other)),
    };
    node.tools.iter().map(tool).collect()
}

/// How long the node itself waits for an approval.
pub(super) fn of_node(node: &NodeFile, kind: Kind) -> Result<Option<Duration>, Wrong> {
    let Some(approve) = &node.approve else { return Ok(None) };
    match kind {
        // Nobody waits for these two.
        Kind::Memorizer | Kind::Sensor => Err(Wrong::Superfluous { node: node.name.clone(), field: "approve" }),
        _ => expires(node, approve),
    }
}

/// The tools of a node that need an approval. Who only plans the calls of others makes none.
pub(super) fn of_tools(node: &NodeFile, kind: Kind, all: &[(String, Option<Duration>)]) -> Result<BTreeMap<Name, Duration>, Wrong> {
    let marked = || all.iter().filter_map(|(name, expires)| Some((tools::named(name)?, (*expires)?)));
    match marked().next() {
        Some((tool, _)) if kind == Kind::Director => Err(Wrong::PlansOnly { node: node.name.clone(), tool: tool.name.to_owned() }),
        Some(_) | None => Ok(marked().map(|(tool, expires)| (tool.name.into(), expires)).collect()),
    }
}

fn expires(node: &NodeFile, approve: &Value) -> Result<Option<Duration>, Wrong> {
    let wrong = || Wrong::Approve { node: node.name.clone(), found: approve.to_string() };
    match approve {
        Value::Bool(is_due) => Ok(is_due.then_some(EXPIRES)),
        Value::Object(fields) if fields.len() == 1 => {
            let text = fields.get("expires").and_then(Value::as_str).ok_or_else(wrong)?;
            duration(text).map(Some).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

/// A number and a unit, `90s`, `15m`, `1h`, `7d`: a second to 30 days.
fn duration(text: &str) -> Option<Duration> {
    let at = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let unit_s = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return None,
    };
    let time = Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(unit_s)?);
    (Duration::from_secs(1)..=EXPIRES_MAX).contains(&time).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_number_and_a_unit_from_a_second_to_30_days() {
        for (text, seconds) in [
            ("1s", Some(1)),
            ("90s", Some(90)),
            ("15m", Some(900)),
            ("1h", Some(3_600)),
            ("30d", Some(2_592_000)),
            ("31d", None),
            ("0s", None),
            ("1", None),
            ("h", None),
            ("1.5h", None),
            ("-1h", None),
            ("1 h", None),
            ("1w", None),
            ("99999999999999999999s", None),
            ("9999999999999999999d", None),
            ("", None),
        ] {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text:?}");
        }
    }
}
