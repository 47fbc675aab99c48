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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{DatabaseInfo, Dialect};
    use crate::nodes::Packet;
    use crate::nodes::testing::Fixture;
    use crate::nodes::tools::query;
    use serde_json::json;

    /// Whatever a query can name, a description can, and bare names that a query would have to quote.
    #[test]
    fn describe_takes_every_name_that_query_takes() {
        let mut fixture = Fixture::default();
        fixture.node.database = Some("shop".into());
        let schema = Some("Shop_2".to_owned());
        fixture.databases = vec![DatabaseInfo { name: "shop".to_owned(), dialect: Dialect::Mysql, schema, is_sample: false, survey: None }];
        let packet = Packet::default();
        let view = fixture.view(&packet);
        for (name, table) in [
            ("kunden", "kunden"),
            ("`Order Details`", "Order Details"),
            ("shop.`log-2024`", "log-2024"),
            ("`Shop_2`.`Kunden`", "Kunden"),
            ("Shop_2.kunden", "kunden"),
        ] {
            let described = ask(&view, &json!({"table": name})).unwrap();
            assert_eq!(described, (DatabaseAsk::Describe { table: table.to_owned() }, Vec::new()), "{name}");
            let Act::Ask { ask, .. } = query::TOOL.act else { unreachable!("a query asks") };
            assert_eq!(ask(&view, &json!({"sql": format!("SELECT * FROM {name}")})).unwrap().1, [table], "{name}");
        }
        for (name, table) in [("Order Details", "Order Details"), ("log-2024", "log-2024"), ("shop.Order Details", "Order Details")] {
            assert_eq!(ask(&view, &json!({"table": name})).unwrap().0, DatabaseAsk::Describe { table: table.to_owned() }, "{name}");
        }
        for (name, says) in [
            ("mysql.user", "`mysql` is not the database that may be read: leave the name of the database out"),
            ("", "the table `` can't be read: use tables of this database only"),
        ] {
            assert_eq!(ask(&view, &json!({"table": name})), Err(says.to_owned()));
        }
    }
}
