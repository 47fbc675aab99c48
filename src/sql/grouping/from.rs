//! `FROM` and what its joins say of columns.

use super::facts::Column;
use super::scope::{Reference, Scope, Shape, resolved};
use super::{Denied, Grouping, lower};
use sqlparser::ast::{BinaryOperator, Expr, JoinConstraint, JoinOperator, TableFactor, TableWithJoins};
use std::collections::BTreeSet;
use std::ops::Range;

/// `one = other`, as far as it says something of the columns of this query.
pub(super) struct Equality {
    column: Column,
    /// The columns on the other side.
    equals: BTreeSet<Column>,
}

/// The columns that a join fills with NULL where nothing matches.
enum Weak {
    None,
    Columns(Range<Column>),
    /// Of both sides.
    All,
}

impl Grouping<'_> {
    pub(super) fn scope(&mut self) -> &mut Scope {
        self.scopes.last_mut().expect("a `SELECT` is being looked at")
    }

    pub(super) fn from(&mut self, from: &TableWithJoins, references: &mut Vec<Reference>) -> Result<(), Denied> {
        let first = self.scope().size;
        self.factor(&from.relation, references)?;
        for join in &from.joins {
            let middle = self.scope().size;
            let left = self.scope().relations.len();
            self.factor(&join.relation, references)?;
            let (constraint, weak) = match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) | JoinOperator::StraightJoin(on) => {
                    (on, Weak::None)
                }
                JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => (on, Weak::Columns(middle..self.scope().size)),
                JoinOperator::Right(on) | JoinOperator::RightOuter(on) => (on, Weak::Columns(first..middle)),
                JoinOperator::FullOuter(on) => (on, Weak::All),
                _ => continue,
            };
            let mut named = BTreeSet::new();
            let equalities = match constraint {
                JoinConstraint::On(condition) => self.condition(condition, &mut named, references)?,
                JoinConstraint::Using(names) => {
                    let names: Vec<String> = names.iter().filter_map(|name| name.0.last()?.as_ident().map(lower)).collect();
                    self.alike(left, &names, &mut named)
                }
                JoinConstraint::Natural => {
                    let right = self.scope().relations[left..].iter().filter_map(|relation| relation.columns.as_ref());
                    let names: Vec<String> = right.flatten().map(|(name, _)| name.clone()).collect();
                    self.alike(left, &names, &mut named)
                }
                JoinConstraint::None => Vec::new(),
            };
            self.join(equalities, &named, &weak);
        }
        Ok(())
    }

    fn factor(&mut self, factor: &TableFactor, references: &mut Vec<Reference>) -> Result<(), Denied> {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                let table = name.0.last().and_then(|part| part.as_ident()).map(lower);
                let is_bare = name.0.len() == 1;
                let cte = self.ctes.iter().rev().find(|(known, _)| is_bare && table.as_ref() == Some(known));
                let shape = match (cte, &table) {
                    (Some((_, cte)), _) => cte.clone(),
                    (None, table) => table.as_ref().and_then(|table| self.tables.get(table)).cloned(),
                };
                let shape = shape.unwrap_or_default().named(alias.as_ref());
                let called = alias.as_ref().map(|alias| lower(&alias.name)).or(table);
                self.scope().add(shape, called);
            }
            TableFactor::Derived { subquery, alias, .. } => {
                // It sees what is around this query, but not what stands beside it.
                let scope = self.scopes.pop().expect("a `SELECT` is being looked at");
                let derived = self.query(subquery);
                self.scopes.push(scope);
                let (shape, more) = derived?;
                references.extend(more);
                self.scope().add(shape.named(alias.as_ref()), alias.as_ref().map(|alias| lower(&alias.name)));
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => self.from(table_with_joins, references)?,
            _ => self.scope().add(Shape::default(), None),
        }
        Ok(())
    }

    /// The columns that `USING` and `NATURAL` set equal.
    fn alike(&mut self, left: usize, names: &[String], named: &mut BTreeSet<Column>) -> Vec<Equality> {
        let (lefts, rights) = self.scope().relations.split_at(left);
        let both = |name: &String| {
            let one = lefts.iter().find_map(|relation| relation.find(name))?;
            Some((one, rights.iter().find_map(|relation| relation.find(name))?))
        };
        let mut equalities = Vec::new();
        for (one, other) in names.iter().filter_map(both) {
            named.extend([one, other]);
            equalities.push(Equality { column: one, equals: BTreeSet::from([other]) });
            equalities.push(Equality { column: other, equals: BTreeSet::from([one]) });
        }
        equalities
    }

    /// What a condition that has to hold sets equal. Columns of this query go into `named`, others into `references`.
    pub(super) fn condition(
        &mut self,
        condition: &Expr,
        named: &mut BTreeSet<Column>,
        references: &mut Vec<Reference>,
    ) -> Result<Vec<Equality>, Denied> {
        let (mut equalities, mut todo) = (Vec::new(), vec![condition]);
        while let Some(condition) = todo.pop() {
            match condition {
                Expr::Nested(condition) => todo.push(condition),
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => todo.extend([&**left, right]),
                Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                    let sides = [self.plain_column(left), self.plain_column(right)];
                    let columns = [self.columns(left, references)?, self.columns(right, references)?];
                    named.extend(columns.iter().flatten());
                    let [of_left, of_right] = columns;
                    let both = sides.into_iter().zip([of_right, of_left]);
                    equalities.extend(both.filter_map(|(column, equals)| Some(Equality { column: column?, equals })));
                }
                other => named.extend(self.columns(other, references)?),
            }
        }
        Ok(equalities)
    }

    /// A column of this query, standing alone.
    pub(super) fn plain_column(&self, expr: &Expr) -> Option<Column> {
        let level = self.scopes.len() - 1;
        let reference = match expr {
            Expr::Nested(expr) => return self.plain_column(expr),
            Expr::Identifier(name) => resolved(&self.scopes, std::slice::from_ref(name)),
            Expr::CompoundIdentifier(parts) => resolved(&self.scopes, parts),
            _ => None,
        };
        reference.filter(|reference| reference.level == level).map(|reference| reference.column)
    }

    /// Where nothing matches, the weak side is NULL as a whole: that depends on all that the condition reads of the other side.
    fn join(&mut self, equalities: Vec<Equality>, named: &BTreeSet<Column>, weak: &Weak) {
        let facts = &mut self.scope().facts;
        for Equality { column, equals } in equalities {
            match weak {
                Weak::None => facts.add(equals, [column]),
                Weak::Columns(weak) if !weak.contains(&column) => {}
                Weak::Columns(weak) if equals.iter().any(|other| weak.contains(other)) => facts.add(equals, [column]),
                Weak::Columns(weak) => facts.add(named.iter().copied().filter(|other| !weak.contains(other)), [column]),
                Weak::All => {}
            }
        }
    }

    pub(super) fn holds(&mut self, equalities: Vec<Equality>) {
        self.join(equalities, &BTreeSet::new(), &Weak::None);
    }
}
