//! Where rows come from: tables of the one schema, joins, queries in parentheses and what `JSON_TABLE` makes of its argument.

use super::expression::{literal, of_type};
use super::{Outcome, State, Walked, no, none, refuse};
use crate::contract::Dialect;
use crate::sql::functions::is_system_table;
use crate::sql::{Denied, is_schema};
use sqlparser::ast::{
    Ident, Join, JoinConstraint, JoinOperator, JsonTableColumn, JsonTableColumnErrorHandling, JsonTableNamedColumn, JsonTableNestedColumn,
    ObjectName, ObjectNamePart, TableAlias, TableFactor, TableWithJoins,
};

impl Walked<'_> {
    pub(super) fn from(&mut self, from: &TableWithJoins) -> Outcome {
        let TableWithJoins { relation, joins } = from;
        self.factor(relation)?;
        for Join { relation, global, join_operator } in joins {
            no(*global, "GLOBAL")?;
            self.factor(relation)?;
            match join_operator {
                JoinOperator::Join(on)
                | JoinOperator::Inner(on)
                | JoinOperator::Left(on)
                | JoinOperator::LeftOuter(on)
                | JoinOperator::Right(on)
                | JoinOperator::RightOuter(on)
                | JoinOperator::FullOuter(on)
                | JoinOperator::CrossJoin(on)
                | JoinOperator::StraightJoin(on) => match on {
                    JoinConstraint::On(expr) => self.expression(expr)?,
                    JoinConstraint::Using(_) | JoinConstraint::Natural | JoinConstraint::None => {}
                },
                _ => return refuse("this kind of join"),
            }
        }
        Ok(())
    }

    fn factor(&mut self, factor: &TableFactor) -> Outcome {
        match factor {
            TableFactor::Table { name, alias, args, with_hints, version, with_ordinality, partitions, json_path, sample, index_hints } => {
                none(args.as_ref(), "a table function")?;
                no(!with_hints.is_empty(), "a hint behind WITH")?;
                no(!index_hints.is_empty() && self.dialect != Dialect::Mysql, "a hint (USE INDEX, FORCE INDEX)")?;
                none(version.as_ref(), "a version of a table (FOR SYSTEM_TIME)")?;
                no(*with_ordinality, "WITH ORDINALITY")?;
                no(!partitions.is_empty(), "PARTITION")?;
                none(json_path.as_ref(), "a path behind a table")?;
                none(sample.as_ref(), "TABLESAMPLE")?;
                self.alias(alias.as_ref())?;
                self.table(name)
            }
            TableFactor::Derived { lateral: _, subquery, alias, sample } => {
                none(sample.as_ref(), "TABLESAMPLE")?;
                self.alias(alias.as_ref())?;
                self.query(subquery)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.alias(alias.as_ref())?;
                self.from(table_with_joins)
            }
            TableFactor::JsonTable { json_expr, json_path, columns, alias } if self.dialect == Dialect::Mysql => {
                self.alias(alias.as_ref())?;
                self.expression(json_expr)?;
                literal(&json_path.value)?;
                json_columns(columns)
            }
            _ => refuse("a table function"),
        }
    }

    /// An alias; with columns its name stands before a parenthesis.
    pub(super) fn alias(&mut self, alias: Option<&TableAlias>) -> Outcome {
        let Some(TableAlias { explicit: _, name, columns, at }) = alias else { return Ok(()) };
        none(at.as_ref(), "AT")?;
        no(columns.iter().any(|column| column.data_type.is_some()), "the type of a column")?;
        if !columns.is_empty() {
            self.declared.insert(name.value.to_lowercase());
        }
        Ok(())
    }

    pub(super) fn schema(&mut self, name: &Ident) -> Outcome {
        if !is_schema(&name.value, self.dialect, self.schemas) {
            return Err(Denied::Schema { name: name.value.clone() });
        }
        if self.dialect == Dialect::Mysql && self.schemas.first() != Some(&name.value.as_str()) {
            self.renamed.push(name.span);
        }
        Ok(())
    }

    pub(super) fn table(&mut self, name: &ObjectName) -> Outcome {
        let table = match &name.0[..] {
            [ObjectNamePart::Identifier(table)] => {
                let lower = table.value.to_lowercase();
                if let Some(known) = self.scope.iter_mut().rev().find(|known| known.name == lower) {
                    return match &mut known.state {
                        State::Defined => Ok(()),
                        State::Open(times) => {
                            *times += 1;
                            Ok(())
                        }
                        State::Ahead => Err(Denied::Recursive { name: table.value.clone() }),
                    };
                }
                table
            }
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(table)] => {
                self.schema(schema)?;
                table
            }
            _ => return Err(Denied::Table { name: name.to_string() }),
        };
        if is_system_table(&table.value) {
            return Err(Denied::Table { name: table.value.clone() });
        }
        let is_dual = self.dialect == Dialect::Mysql && table.value.eq_ignore_ascii_case("dual");
        if !is_dual && self.known_tables.insert(table.value.clone()) {
            self.tables.push(table.value.clone());
        }
        Ok(())
    }

    /// `table.*` or `schema.table.*`.
    pub(super) fn qualified(&mut self, name: &ObjectName) -> Outcome {
        match &name.0[..] {
            [ObjectNamePart::Identifier(_)] => Ok(()),
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(_)] => self.schema(schema),
            _ => refuse("this name"),
        }
    }
}

/// The columns that `JSON_TABLE` makes of its argument.
fn json_columns(columns: &[JsonTableColumn]) -> Outcome {
    columns.iter().try_for_each(|column| match column {
        JsonTableColumn::ForOrdinality(_) => Ok(()),
        JsonTableColumn::Nested(JsonTableNestedColumn { path, columns }) => {
            literal(&path.value)?;
            json_columns(columns)
        }
        JsonTableColumn::Named(JsonTableNamedColumn { name: _, r#type, path, exists: _, on_empty, on_error }) => {
            of_type(r#type)?;
            literal(&path.value)?;
            [on_empty, on_error].into_iter().flatten().try_for_each(|handling| match handling {
                JsonTableColumnErrorHandling::Default(value) => literal(&value.value),
                JsonTableColumnErrorHandling::Null | JsonTableColumnErrorHandling::Error => Ok(()),
            })
        }
    })
}
