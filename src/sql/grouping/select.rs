//! One `SELECT`: whether all that it returns, filters and orders by is the same within a group.

use super::expression::{Found, Groups, of_window};
use super::facts::Column;
use super::scope::{Reference, Scope, Shape};
use super::{Denied, Grouping, lower};
use sqlparser::ast::{Expr, GroupByExpr, Ident, NamedWindowExpr, OrderByExpr, Select, SelectItem, SelectItemQualifiedWildcardKind, Value};
use std::collections::BTreeSet;

/// What is selected: an expression, or a column that `*` stands for.
struct Target<'e> {
    name: String,
    what: What<'e>,
}

enum What<'e> {
    Expr(&'e Expr),
    Column(Column),
}

/// The same, once it is known what is grouped.
struct Output {
    name: String,
    /// The column, or the grouped expression, that it is.
    own: Option<Column>,
    found: Found,
}

/// What is grouped.
struct Grouped {
    columns: Vec<Column>,
    expressions: Groups,
    /// Something is grouped of which nothing is known.
    is_open: bool,
}

impl Grouping<'_> {
    pub(super) fn select(&mut self, select: &Select, orders: &[OrderByExpr]) -> Result<(Shape, Vec<Reference>), Denied> {
        let level = self.scopes.len();
        self.scopes.push(Scope { aliases: select.projection.iter().filter_map(alias).map(lower).collect(), ..Scope::default() });
        let mut references = Vec::new();
        for from in &select.from {
            self.from(from, &mut references)?;
        }
        if let Some(condition) = &select.selection {
            let equalities = self.condition(condition, &mut BTreeSet::new(), &mut references)?;
            self.holds(equalities);
        }
        let (targets, is_open) = self.targets(select);
        let by: &[Expr] = if let GroupByExpr::Expressions(by, _) = &select.group_by { by } else { &[] };
        let grouped = self.grouped(by, &targets, is_open, &mut references)?;
        let mut outputs = Vec::new();
        for target in targets {
            outputs.push(self.output(target, &grouped.expressions)?);
        }
        let mut others = Found::default();
        let windows = select.named_window.iter().filter_map(|window| match &window.1 {
            NamedWindowExpr::WindowSpec(window) => Some(of_window(window)),
            NamedWindowExpr::NamedWindow(_) => None,
        });
        let ordered = orders.iter().map(|order| &order.expr).filter(|order| !is_output(order, select));
        for expr in select.having.iter().chain(windows.flatten()).chain(ordered) {
            self.expression(expr, &grouped.expressions, &mut others)?;
        }
        let scope = self.scopes.pop().expect("it was pushed above");
        let is_grouped = !by.is_empty() || scope.is_aggregated;
        let determined = scope.facts.determined(grouped.columns.iter().copied());
        for reference in outputs.iter().map(|output| &output.found).chain([&others]).flat_map(|found| &found.references) {
            if reference.level < level {
                references.push(reference.clone());
            } else if is_grouped && !grouped.is_open && !determined.contains(&reference.column) {
                return Err(Denied::Ungrouped { name: reference.name.clone() });
            }
        }
        let is_distinct = select.distinct.is_some();
        let shape = if is_open { Shape::default() } else { shape(scope, outputs, grouped, is_grouped, is_distinct, level) };
        Ok((shape, references))
    }

    /// All that is selected; and whether more is that can't be known.
    fn targets<'e>(&self, select: &'e Select) -> (Vec<Target<'e>>, bool) {
        let (mut targets, mut is_open) = (Vec::new(), false);
        let relations = &self.scopes.last().expect("a `SELECT` is being looked at").relations;
        for item in &select.projection {
            let of = match item {
                SelectItem::UnnamedExpr(expr) => {
                    targets.push(Target { name: own_name(expr), what: What::Expr(expr) });
                    continue;
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    targets.push(Target { name: lower(alias), what: What::Expr(expr) });
                    continue;
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    name.0.last().and_then(|part| part.as_ident()).map(lower)
                }
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => None,
            };
            for relation in relations.iter().filter(|relation| of.as_ref().is_none_or(|name| relation.is_called(name))) {
                is_open |= relation.columns.is_none();
                let columns = relation.columns.iter().flatten();
                targets.extend(columns.map(|(name, column)| Target { name: name.clone(), what: What::Column(*column) }));
            }
        }
        (targets, is_open)
    }

    /// A name in `GROUP BY` is a column before it is an alias; a number is a place in the list of what is selected.
    fn grouped(&mut self, by: &[Expr], targets: &[Target<'_>], is_open: bool, outer: &mut Vec<Reference>) -> Result<Grouped, Denied> {
        let mut grouped = Grouped { columns: Vec::new(), expressions: Groups::new(), is_open: false };
        for expr in by {
            let what = match bare(expr) {
                Expr::Value(value) => match &value.value {
                    Value::Number(place, _) if is_open => {
                        grouped.is_open |= !place.is_empty();
                        continue;
                    }
                    Value::Number(place, _) => place.parse::<usize>().ok().and_then(|place| targets.get(place.checked_sub(1)?)),
                    _ => None,
                },
                Expr::Identifier(name) if self.plain_column(expr).is_none() => {
                    targets.iter().find(|target| target.name == lower(name) && matches!(target.what, What::Expr(_)))
                }
                _ => None,
            };
            let expr = match what.map(|target| &target.what) {
                Some(What::Column(column)) => {
                    grouped.columns.push(*column);
                    continue;
                }
                Some(What::Expr(expr)) => expr,
                None => expr,
            };
            let is_name = matches!(bare(expr), Expr::Identifier(_) | Expr::CompoundIdentifier(_));
            let columns = self.columns(expr, outer)?;
            match self.plain_column(expr) {
                Some(column) => grouped.columns.push(column),
                None if is_name => grouped.is_open = true,
                None => {
                    let canonical = self.canonical(expr);
                    let scope = self.scope();
                    let column = scope.fresh();
                    scope.facts.add(columns, [column]);
                    grouped.expressions.insert(canonical, column);
                    grouped.columns.push(column);
                }
            }
        }
        Ok(grouped)
    }

    fn output(&mut self, target: Target<'_>, groups: &Groups) -> Result<Output, Denied> {
        let Target { name, what } = target;
        let mut found = Found::default();
        let own = match what {
            What::Column(column) => {
                found.references.push(Reference { level: self.scopes.len() - 1, column, name: name.clone() });
                Some(column)
            }
            What::Expr(expr) => {
                self.expression(expr, groups, &mut found)?;
                let group = || groups.get(&self.canonical(expr)).copied();
                self.plain_column(expr).or_else(group)
            }
        };
        Ok(Output { name, own, found })
    }
}

/// What the query is to the one around it.
fn shape(scope: Scope, outputs: Vec<Output>, grouped: Grouped, is_grouped: bool, is_distinct: bool, level: usize) -> Shape {
    let Scope { mut size, mut facts, rows, .. } = scope;
    let mut columns = Vec::new();
    for Output { name, own, found } in outputs {
        let column = size;
        size += 1;
        columns.push((name, column));
        if let Some(own) = own {
            facts.add([own], [column]);
            facts.add([column], [own]);
        } else if !found.has_aggregate && !found.has_window {
            let read = found.references.iter().filter(|reference| reference.level == level).map(|reference| reference.column);
            facts.add(read.chain(grouped.expressions.values().copied()), [column]);
        }
    }
    let rows = match (is_grouped, is_distinct) {
        (true, _) => grouped.columns,
        (false, true) => columns.iter().map(|(_, column)| *column).collect(),
        (false, false) => rows,
    };
    facts.add(rows.iter().copied(), columns.iter().map(|(_, column)| *column));
    Shape { size, columns: Some(columns), facts, rows, ..Shape::default() }
}

fn alias(item: &SelectItem) -> Option<&Ident> {
    if let SelectItem::ExprWithAlias { alias, .. } = item { Some(alias) } else { None }
}

/// The name of a column that has no alias.
fn own_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => lower(name),
        Expr::CompoundIdentifier(parts) => parts.last().map(lower).unwrap_or_default(),
        other => other.to_string().to_lowercase(),
    }
}

fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(expr) | Expr::Collate { expr, .. } => bare(expr),
        other => other,
    }
}

/// `ORDER BY` of an alias or of a place in the list of what is selected, which is looked at anyway.
fn is_output(order: &Expr, select: &Select) -> bool {
    match bare(order) {
        Expr::Identifier(name) => select.projection.iter().filter_map(alias).any(|alias| lower(alias) == lower(name)),
        Expr::Value(_) => true,
        _ => false,
    }
}
