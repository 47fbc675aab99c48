//! `describe`: the columns of a table of the node's database; returns data, and asks each table once a session.

use super::{Act, Tool, args, fits};
use crate::contract::DatabaseAsk;
use crate::nodes::View;
use serde::Deserialize;
use serde_json::Value;

pub(super) const TOOL: Tool = Tool {
    name: "describe",
    description: "tells the columns of a table of the database. Returns data. Tables whose columns you were told need not be described.",
    parameters: r#"{"type":"object","properties":{"table":{"type":"string"}},"required":["table"]}"#,
    fits: fits::<Args>,
    act: Act::Ask { ask, display: None },
};

#[derive(Deserialize)]
struct Args {
    table: String,
}

fn ask(_view: &View<'_>, value: &Value) -> Result<(DatabaseAsk, Vec<String>), String> {
    let Args { table } = args(value.clone())?;
    let is_name = !table.is_empty() && table.len() <= 64 && table.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$');
    match is_name {
        true => Ok((DatabaseAsk::Describe { table }, Vec::new())),
        false => Err(format!("`{}` is no table's name: name one table, without quotes", crate::contract::clip(&table, 80))),
    }
}
