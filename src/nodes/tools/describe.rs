//! `describe`: the columns of a table of the node's database; returns data, and asks each table once a session.

use super::{Act, Tool, args, fits};
use crate::contract::DatabaseAsk;
use crate::nodes::View;
use crate::sql;
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

fn ask(view: &View<'_>, value: &Value) -> Result<(DatabaseAsk, Vec<String>), String> {
    let Args { table } = args(value.clone())?;
    // Of a database that no setting names, the answer says so.
    let Some(database) = view.database() else { return Ok((DatabaseAsk::Describe { table }, Vec::new())) };
    let table = sql::table_name(&table, database.dialect, &database.schemas()).map_err(|denied| denied.to_string())?;
    Ok((DatabaseAsk::Describe { table }, Vec::new()))
}
