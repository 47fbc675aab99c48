//! What MySQL's `ONLY_FULL_GROUP_BY` is, for SQLite, which has none: a query that groups or aggregates returns only what is
//! the same for all rows of a group. SQLite would take the rest from an arbitrary row, and nobody could see it.
//!
//! A column may stand outside of an aggregate when it is grouped, is constant, or depends on such columns: through a primary
//! key or a unique one, equalities in `WHERE` and `ON`, and derived tables, CTEs and views, which are looked into. As in MySQL,
//! a lone `MIN()` or `MAX()` makes no exception, although SQLite would take the row that holds it.
//!
//! Lenient, because nothing shows that the statement is wrong: names that are not known (of table functions, of views that
//! can't be read), texts that are equal under a collation but not alike, keys with NULL in them, `ORDER BY` of a
//! combination of queries, and `SELECT DISTINCT … ORDER BY` of what isn't selected (as MariaDB).

mod expression;
mod facts;
mod from;
mod scope;
mod select;

use super::{Denied, functions, grammar, parsed, walk};
use crate::contract::Dialect;
use scope::{Reference, Scope, Shape};
use sqlparser::ast::{Ident, OrderBy, OrderByExpr, OrderByKind, Query, SetExpr, Statement};
use std::collections::BTreeMap;

/// What a database knows of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Its columns, and the sets of them that tell its rows apart.
    Table { columns: Vec<String>, keys: Vec<Vec<String>> },
    /// The statement that made it.
    View { statement: String },
}

/// Views within views that are looked into.
const VIEWS_MAX: usize = 4;

/// Refuses a statement that passed the gate when it returns a value of an arbitrary row. `look` says what is known of a
/// table; nothing, and its columns are taken as they come.
pub fn check_grouping(statement: &str, schemas: &[&str], look: &mut dyn FnMut(&str) -> Option<Known>) -> Result<(), Denied> {
    let text = statement.to_lowercase();
    if !text.contains("group") && !functions::aggregates(Dialect::Sqlite).any(|name| text.contains(name)) {
        return Ok(());
    }
    let mut parsed = parsed(statement, Dialect::Sqlite, grammar(Dialect::Sqlite))?;
    let Some(Statement::Query(query)) = parsed.pop() else { return Ok(()) };
    let mut grouping = Grouping { schemas, look, tables: BTreeMap::new(), ctes: Vec::new(), scopes: Vec::new() };
    grouping.prepare(&query, VIEWS_MAX)?;
    grouping.query(&query).map(drop)
}

struct Grouping<'a> {
    schemas: &'a [&'a str],
    look: &'a mut dyn FnMut(&str) -> Option<Known>,
    /// All tables and views that are read.
    tables: BTreeMap<String, Shape>,
    /// CTEs that can be named here, the innermost last; nothing while it is being defined.
    ctes: Vec<(String, Option<Shape>)>,
    /// The queries around, the innermost last.
    scopes: Vec<Scope>,
}

fn lower(name: &Ident) -> String {
    name.value.to_lowercase()
}

impl Grouping<'_> {
    /// Learns what is known of all tables in a query, before anything goes deep.
    fn prepare(&mut self, query: &Query, views: usize) -> Result<(), Denied> {
        let walked = walk::walk(&Statement::Query(Box::new(query.clone())), Dialect::Sqlite, self.schemas)?;
        for table in walked.tables {
            let name = table.to_lowercase();
            if self.tables.contains_key(&name) {
                continue;
            }
            // A view that names itself knows nothing of itself.
            self.tables.insert(name.clone(), Shape::default());
            let shape = match (self.look)(&table) {
                None => Shape::default(),
                Some(Known::View { statement }) if views > 0 => self.view(&statement, views - 1).unwrap_or_default(),
                Some(known) => Shape::table(&known),
            };
            self.tables.insert(name, shape);
        }
        Ok(())
    }

    /// A view as its query makes it; nothing where that can't be read, which is nothing that the statement could change.
    fn view(&mut self, statement: &str, views: usize) -> Option<Shape> {
        let mut parsed = parsed(statement, Dialect::Sqlite, grammar(Dialect::Sqlite)).ok()?;
        let Some(Statement::CreateView(view)) = parsed.pop() else { return None };
        self.prepare(&view.query, views).ok()?;
        let (mut shape, _) = self.query(&view.query).ok()?;
        if let Some(columns) = &mut shape.columns {
            for ((name, _), new) in columns.iter_mut().zip(&view.columns) {
                *name = lower(&new.name);
            }
        }
        Some(shape)
    }

    /// What a query is to the one around it, and which columns of those around it names.
    fn query(&mut self, query: &Query) -> Result<(Shape, Vec<Reference>), Denied> {
        let (outer, mut references) = (self.ctes.len(), Vec::new());
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let place = self.ctes.len();
            self.ctes.push((lower(&cte.alias.name), None));
            let (shape, more) = self.query(&cte.query)?;
            references.extend(more);
            self.ctes[place].1 = Some(shape.named(Some(&cte.alias)));
        }
        let orders: &[OrderByExpr] = match &query.order_by {
            Some(OrderBy { kind: OrderByKind::Expressions(orders), .. }) => orders,
            Some(_) | None => &[],
        };
        let (shape, more) = self.body(&query.body, orders)?;
        references.extend(more);
        self.ctes.truncate(outer);
        Ok((shape, references))
    }

    fn body(&mut self, body: &SetExpr, orders: &[OrderByExpr]) -> Result<(Shape, Vec<Reference>), Denied> {
        let (mut body, mut references, mut is_combined) = (body, Vec::new(), false);
        // A chain leans to the left.
        while let SetExpr::SetOperation { left, right, .. } = body {
            references.extend(self.body(right, &[])?.1);
            (body, is_combined) = (left, true);
        }
        let (shape, more) = match body {
            SetExpr::Select(select) => self.select(select, if is_combined { &[] } else { orders })?,
            SetExpr::Query(query) => self.query(query)?,
            SetExpr::Values(values) => {
                let width = values.rows.first().map_or(0, |row| row.content.len());
                (Shape::plain((1..=width).map(|number| format!("column{number}")).collect()), Vec::new())
            }
            _ => (Shape::default(), Vec::new()),
        };
        references.extend(more);
        let shape = match (shape.columns, is_combined) {
            (Some(columns), true) => Shape::plain(columns.into_iter().map(|(name, _)| name).collect()),
            (columns, _) => Shape { columns, ..shape },
        };
        Ok((shape, references))
    }
}

#[cfg(test)]
mod tests;
