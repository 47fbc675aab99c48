//! The one recursion that is let through: a series that counts one column up to a constant, such as the months of a year.

use sqlparser::ast::{BinaryOperator, Expr, GroupByExpr, Query, Select, SetExpr, SetOperator, TableAlias, TableFactor, Value};

/// The highest constant that a series may count to.
pub(super) const STEPS_MAX: u32 = 10_000;

/// Whether a CTE that names itself `times` times is such a series: `anchor UNION [ALL] SELECT … FROM itself WHERE column < constant`.
pub(super) fn is_bounded(alias: &TableAlias, query: &Query, times: usize) -> bool {
    let SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier: _, right } = &*query.body else { return false };
    let (SetExpr::Select(first), SetExpr::Select(step)) = (&**left, &**right) else { return false };
    times == 1
        && query.with.is_none()
        && first.from.is_empty()
        && reads_only(step, &alias.name.value)
        && step.distinct.is_none()
        && matches!(&step.group_by, GroupByExpr::Expressions(by, _) if by.is_empty())
        && step.having.is_none()
        && step.selection.as_ref().is_some_and(has_bound)
}

fn reads_only(step: &Select, own: &str) -> bool {
    let [from] = &step.from[..] else { return false };
    let TableFactor::Table { name, .. } = &from.relation else { return false };
    from.joins.is_empty() && name.0.len() == 1 && name.0[0].as_ident().is_some_and(|name| name.value.eq_ignore_ascii_case(own))
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
