//! The recursions that are let through: a series that counts one column up to a constant, such as the months of a year, and
//! a walk over a tree, such as a category with all below it.
//!
//! A series ends at its constant. A walk goes from row to row over a link, so it ends with the table's rows; where the rows
//! lead in a circle it ends at the limits that every statement has: its time, and the server's depth of recursion. SQLite has no
//! such depth, but goes from row to row: there each CTE counts its rows, with a part that adds none ([`counter`]).

use sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, JoinConstraint, JoinOperator, Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier,
    TableAlias, TableFactor, Value,
};
use sqlparser::tokenizer::Span;

/// The highest constant that a series may count to. A server's own limit may be lower, and stays.
pub(super) const STEPS_MAX: u32 = 10_000;

/// Whether a CTE that names itself `times` times is one of them: `anchor UNION [ALL] SELECT … FROM itself …`.
pub(super) fn is_bounded(alias: &TableAlias, query: &Query, times: usize) -> bool {
    let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier: _, right } = &*query.body else { return false };
    let SetExpr::Select(step) = &**right else { return false };
    let is_plain = step.distinct.is_none()
        && matches!(&step.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && step.having.is_none()
        && query.with.is_none();
    times == 1 && is_plain && (is_series(left, step, &alias.name.value) || is_walk(step, &alias.name.value))
}

/// The function that SQLite calls for each row from which a recursion goes on. No statement of a model may call it.
pub const STEP: &str = "framewright_step";

/// What makes a bounded recursion count its rows, and where it stands: before the part that goes on.
pub(super) fn counter(alias: &TableAlias, query: &Query) -> Option<(Span, String)> {
    let SetExpr::SetOperation { left, set_quantifier, right, .. } = &*query.body else { return None };
    let SetExpr::Select(step) = &**right else { return None };
    let own = super::names::in_quotes(&alias.name.value, crate::contract::Dialect::Sqlite);
    // As many columns as the CTE has. NULL changes the type of none of them, so it comes first.
    let count = match alias.columns.len() {
        0 => columns(left).or_else(|| columns(right)),
        count => Some(count),
    };
    let nothing = count.map_or_else(|| format!("{own}.*"), |count| vec!["NULL"; count].join(", "));
    let union = if *set_quantifier == SetQuantifier::All { "UNION ALL" } else { "UNION" };
    let at = Span { end: step.select_token.0.span.start, ..step.select_token.0.span };
    Some((at, format!("SELECT {nothing} FROM {own} WHERE {STEP}() {union} ")))
}

/// How many columns a query has, where that can be seen.
fn columns(body: &SetExpr) -> Option<usize> {
    match body {
        SetExpr::Select(select) => {
            let is_one = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
            select.projection.iter().all(is_one).then_some(select.projection.len())
        }
        SetExpr::SetOperation { left, right, .. } => columns(right).or_else(|| columns(left)),
        SetExpr::Values(values) => values.rows.first().map(|row| row.content.len()),
        _ => None,
    }
}

fn is_series(anchor: &SetExpr, step: &Select, own: &str) -> bool {
    let SetExpr::Select(anchor) = anchor else { return false };
    let [from] = &step.from[..] else { return false };
    anchor.from.is_empty() && from.joins.is_empty() && is_own(&from.relation, own) && step.selection.as_ref().is_some_and(has_bound)
}

fn is_own(factor: &TableFactor, own: &str) -> bool {
    matches!(factor, TableFactor::Table { name, .. }
        if name.0.len() == 1 && name.0[0].as_ident().is_some_and(|name| name.value.eq_ignore_ascii_case(own)))
}

/// The CTE, joined by inner joins alone with tables, and a link between them.
fn is_walk(step: &Select, own: &str) -> bool {
    let (mut itself, mut others, mut conditions) = (None, Vec::new(), Vec::new());
    conditions.extend(&step.selection);
    for from in &step.from {
        for join in &from.joins {
            match &join.join_operator {
                JoinOperator::Join(on) | JoinOperator::Inner(on) | JoinOperator::CrossJoin(on) | JoinOperator::StraightJoin(on) => match on
                {
                    JoinConstraint::On(condition) => conditions.push(condition),
                    JoinConstraint::Using(_) | JoinConstraint::Natural | JoinConstraint::None => {}
                },
                // An outer join makes rows out of nothing, without an end.
                _ => return false,
            }
        }
        for factor in std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation)) {
            let TableFactor::Table { name, alias, .. } = factor else { return false };
            let table = name.0.last().and_then(|part| part.as_ident()).map(|name| name.value.as_str());
            let Some(called) = alias.as_ref().map(|alias| alias.name.value.as_str()).or(table) else { return false };
            if is_own(factor, own) { itself = Some(called) } else { others.push(called) }
        }
    }
    itself.is_some_and(|itself| conditions.into_iter().any(|condition| has_link(condition, itself, &others)))
}

/// `itself.column = other.another_column`, alone or beside other conditions that all have to hold.
fn has_link(condition: &Expr, itself: &str, others: &[&str]) -> bool {
    match condition {
        Expr::Nested(condition) => has_link(condition, itself, others),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => has_link(left, itself, others) || has_link(right, itself, others),
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (&**left, &**right) {
            (Expr::CompoundIdentifier(left), Expr::CompoundIdentifier(right)) => {
                let ([.., one, of_one], [.., other, of_other]) = (&left[..], &right[..]) else { return false };
                let is_itself = |name: &str| name.eq_ignore_ascii_case(itself);
                let is_other = |name: &str| others.iter().any(|other| other.eq_ignore_ascii_case(name));
                // A column that equals itself in the next row leads nowhere.
                !of_one.value.eq_ignore_ascii_case(&of_other.value)
                    && (is_itself(&one.value) && is_other(&other.value) || is_other(&one.value) && is_itself(&other.value))
            }
            _ => false,
        },
        _ => false,
    }
}

/// `column < constant`, alone or beside other conditions that all have to hold.
fn has_bound(condition: &Expr) -> bool {
    match condition {
        Expr::Nested(condition) => has_bound(condition),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => has_bound(left) || has_bound(right),
        Expr::BinaryOp { left, op: BinaryOperator::Lt | BinaryOperator::LtEq, right } => counts(left) && is_constant(right),
        Expr::BinaryOp { left, op: BinaryOperator::Gt | BinaryOperator::GtEq, right } => counts(right) && is_constant(left),
        _ => false,
    }
}

fn counts(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::BinaryOp { left, op: BinaryOperator::Plus, right } => {
            counts(left) && (is_constant(right) || matches!(**right, Expr::Interval(_)))
        }
        Expr::Function(function) => ["date", "date_add", "adddate"].contains(&function.name.to_string().to_lowercase().as_str()),
        _ => false,
    }
}

/// A small number, a date, or the present day.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(expr) => is_constant(expr),
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse::<u32>().is_ok_and(|number| number <= STEPS_MAX),
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.starts_with("19") || text.starts_with("20"),
            _ => false,
        },
        Expr::TypedString(_) => true,
        Expr::Function(function) => {
            ["date", "curdate", "current_date", "last_day", "now"].contains(&function.name.to_string().to_lowercase().as_str())
        }
        _ => false,
    }
}
