//! What was spent of a day's budgets: a row for each day, payer and shard that counted it.

use super::append::COUNT_MAX;
use super::sql::{Sql, Value};
use super::{Spending, SpentOn, StoreError};
use crate::contract::Spent;

/// Replaces what this shard had counted before. The first of a later day deletes the earlier ones.
pub(super) fn keep(sql: &mut dyn Sql, spending: &Spending) -> Result<(), StoreError> {
    let Spending { day, payer, counted_by, spent: Spent { turns, tokens, cost } } = spending;
    let key = [Value::from(*day), payer.as_str().into(), counted_by.as_str().into()];
    let counts = [turns, tokens, cost].map(|count| Value::from((*count).min(COUNT_MAX)));
    let is_there = sql.first("SELECT 1 FROM spent WHERE day = ? AND payer = ? AND counted_by = ?", &key)?.is_some();
    let values: Vec<Value<'_>> = counts.into_iter().chain(key).collect();
    if is_there {
        sql.run("UPDATE spent SET turns = ?, tokens = ?, cost_micros = ? WHERE day = ? AND payer = ? AND counted_by = ?", &values)?;
    } else {
        sql.run("DELETE FROM spent WHERE day < ?", &values[3..4])?;
        sql.run("INSERT INTO spent (turns, tokens, cost_micros, day, payer, counted_by) VALUES (?, ?, ?, ?, ?, ?)", &values)?;
    }
    Ok(())
}

pub(super) fn spent(sql: &mut dyn Sql) -> Result<Vec<SpentOn>, StoreError> {
    let sums = "SELECT day, payer, CAST(SUM(turns) AS SIGNED), CAST(SUM(tokens) AS SIGNED), CAST(SUM(cost_micros) AS SIGNED) FROM spent \
                GROUP BY day, payer ORDER BY day, payer";
    let rows = sql.rows(sums, &[])?.into_iter();
    rows.map(|mut row| {
        let (day, payer) = (row.number()?, row.text()?);
        Ok(SpentOn { day, payer, spent: Spent { turns: row.number()?, tokens: row.number()?, cost: row.number()? } })
    })
    .collect()
}

/// Deletes the days before this one.
pub(super) fn forget(sql: &mut dyn Sql, before: u64) -> Result<u64, StoreError> {
    sql.run("DELETE FROM spent WHERE day < ?", &[before.into()])
}
