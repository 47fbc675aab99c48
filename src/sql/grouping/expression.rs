//! Which columns an expression reads outside of aggregates, and whether it has aggregates.

use super::facts::Column;
use super::scope::{Reference, resolved};
use super::{Denied, Grouping, grammar};
use crate::contract::Dialect;
use crate::sql::functions;
use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident, OrderByExpr, Query, WindowSpec,
    WindowType,
};
use sqlparser::tokenizer::{Token, Tokenizer};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub(super) struct Found {
    /// Outside of aggregates, and of expressions that are grouped.
    pub(super) references: Vec<Reference>,
    pub(super) has_aggregate: bool,
    pub(super) has_window: bool,
}

/// Expressions that are grouped, and the column that stands for each.
pub(super) type Groups = BTreeMap<String, Column>;

impl Grouping<'_> {
    /// The columns of this query that an expression reads; those of others go into `references`.
    pub(super) fn columns(&mut self, expr: &Expr, references: &mut Vec<Reference>) -> Result<BTreeSet<Column>, Denied> {
        let mut found = Found::default();
        self.expression(expr, &Groups::new(), &mut found)?;
        let level = self.scopes.len() - 1;
        let (own, outer): (Vec<_>, Vec<_>) = found.references.into_iter().partition(|reference| reference.level == level);
        references.extend(outer);
        Ok(own.into_iter().map(|reference| reference.column).collect())
    }

    pub(super) fn expression(&mut self, expr: &Expr, groups: &Groups, found: &mut Found) -> Result<(), Denied> {
        let mut todo = vec![expr];
        while let Some(expr) = todo.pop() {
            if !groups.is_empty() && groups.contains_key(&self.canonical(expr)) {
                continue;
            }
            match expr {
                Expr::Identifier(name) => found.references.extend(resolved(&self.scopes, std::slice::from_ref(name))),
                Expr::CompoundIdentifier(parts) => found.references.extend(resolved(&self.scopes, parts)),
                Expr::Function(function) if is_aggregate(function) => self.aggregate(function, found)?,
                Expr::Function(function) => {
                    found.has_window |= function.over.is_some();
                    let (parts, query) = of_function(function);
                    todo.extend(parts);
                    self.within(query, found)?;
                }
                Expr::Exists { subquery, .. } | Expr::Subquery(subquery) => self.within(Some(subquery), found)?,
                Expr::InSubquery { expr, subquery, .. } => {
                    todo.push(expr);
                    self.within(Some(subquery), found)?;
                }
                other => parts(other, &mut todo),
            }
        }
        Ok(())
    }

    /// A query that stands for a value.
    fn within(&mut self, query: Option<&Query>, found: &mut Found) -> Result<(), Denied> {
        if let Some(query) = query {
            found.references.extend(self.query(query)?.1);
        }
        Ok(())
    }

    /// An aggregate belongs to the innermost query whose columns it reads.
    fn aggregate(&mut self, function: &Function, found: &mut Found) -> Result<(), Denied> {
        let (parts, query) = of_function(function);
        let mut inside = Found::default();
        for part in parts {
            self.expression(part, &Groups::new(), &mut inside)?;
        }
        self.within(query, &mut inside)?;
        let own = self.scopes.len() - 1;
        let level = inside.references.iter().map(|reference| reference.level).max().unwrap_or(own);
        found.has_aggregate |= level == own;
        self.scopes[level].is_aggregated = true;
        found.references.extend(inside.references.into_iter().filter(|reference| reference.level < level));
        Ok(())
    }

    /// An expression as a text that is the same however its columns and words are written.
    pub(super) fn canonical(&self, expr: &Expr) -> String {
        if let Expr::Nested(expr) = expr {
            return self.canonical(expr);
        }
        let text = expr.to_string();
        let Ok(mut tokens) = Tokenizer::new(grammar(Dialect::Sqlite), &text).tokenize() else { return text };
        tokens.retain(|token| !matches!(token, Token::Whitespace(_)));
        let word = |token: &Token| match token {
            Token::Word(word) => Some(Ident { quote_style: word.quote_style, ..Ident::new(word.value.clone()) }),
            _ => None,
        };
        let mut canonical = Vec::new();
        let mut rest = &tokens[..];
        while let [token, behind @ ..] = rest {
            rest = behind;
            let Some(first) = word(token) else {
                canonical.push(token.to_string());
                continue;
            };
            let mut parts = vec![first];
            while let [Token::Period, name, behind @ ..] = rest
                && let Some(name) = word(name)
            {
                parts.push(name);
                rest = behind;
            }
            let reference = if rest.first() == Some(&Token::LParen) { None } else { resolved(&self.scopes, &parts) };
            canonical.push(match reference {
                Some(reference) => format!("#{}.{}", reference.level, reference.column),
                None => parts.iter().map(super::lower).collect::<Vec<_>>().join("."),
            });
        }
        canonical.join(" ")
    }
}

/// Whether a function makes one value of the rows of a group. With a window it does so for each row.
fn is_aggregate(function: &Function) -> bool {
    let name = function.name.to_string().to_lowercase();
    let args = match &function.args {
        FunctionArguments::List(list) => list.args.len(),
        FunctionArguments::None | FunctionArguments::Subquery(_) => 0,
    };
    function.over.is_none()
        && functions::aggregates(Dialect::Sqlite).any(|known| known == name.trim_matches(['"', '`', '[', ']']))
        // With two arguments they compare these.
        && !(["min", "max"].contains(&name.as_str()) && args > 1)
}

fn of_function(function: &Function) -> (Vec<&Expr>, Option<&Query>) {
    let mut parts = Vec::new();
    let mut query = None;
    match &function.args {
        FunctionArguments::None => {}
        FunctionArguments::Subquery(subquery) => query = Some(&**subquery),
        FunctionArguments::List(list) => {
            parts.extend(list.args.iter().filter_map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                _ => None,
            }));
            for clause in &list.clauses {
                if let FunctionArgumentClause::OrderBy(orders) = clause {
                    parts.extend(ordered(orders));
                }
            }
        }
    }
    parts.extend(ordered(&function.within_group));
    parts.extend(function.filter.as_deref());
    if let Some(WindowType::WindowSpec(window)) = &function.over {
        parts.extend(of_window(window));
    }
    (parts, query)
}

fn ordered(orders: &[OrderByExpr]) -> impl Iterator<Item = &Expr> {
    orders.iter().map(|order| &order.expr)
}

/// Bounds of a frame are constants.
pub(super) fn of_window(window: &WindowSpec) -> impl Iterator<Item = &Expr> {
    window.partition_by.iter().chain(ordered(&window.order_by))
}

/// The values that an expression is made of; queries and functions are looked at by the caller.
fn parts<'e>(expr: &'e Expr, into: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Nested(expr)
        | Expr::IsFalse(expr)
        | Expr::IsNotFalse(expr)
        | Expr::IsTrue(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsNull(expr)
        | Expr::IsNotNull(expr)
        | Expr::IsUnknown(expr)
        | Expr::IsNotUnknown(expr)
        | Expr::Extract { expr, .. }
        | Expr::UnaryOp { expr, .. }
        | Expr::Cast { expr, .. }
        | Expr::Convert { expr, .. }
        | Expr::Ceil { expr, .. }
        | Expr::Floor { expr, .. }
        | Expr::Collate { expr, .. } => into.push(expr),
        Expr::IsDistinctFrom(left, right)
        | Expr::IsNotDistinctFrom(left, right)
        | Expr::BinaryOp { left, right, .. }
        | Expr::AnyOp { left, right, .. }
        | Expr::AllOp { left, right, .. }
        | Expr::Like { expr: left, pattern: right, .. }
        | Expr::ILike { expr: left, pattern: right, .. }
        | Expr::RLike { expr: left, pattern: right, .. }
        | Expr::Position { expr: left, r#in: right } => into.extend([&**left, right]),
        Expr::InList { expr, list, .. } => {
            into.push(expr);
            into.extend(list);
        }
        Expr::Between { expr, low, high, .. } => into.extend([&**expr, low, high]),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            into.push(expr);
            into.extend(substring_from.as_deref());
            into.extend(substring_for.as_deref());
        }
        Expr::Trim { expr, trim_what, trim_characters, .. } => {
            into.push(expr);
            into.extend(trim_what.as_deref());
            into.extend(trim_characters.iter().flatten());
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            into.extend(operand.as_deref());
            into.extend(conditions.iter().flat_map(|when| [&when.condition, &when.result]));
            into.extend(else_result.as_deref());
        }
        Expr::Tuple(list) => into.extend(list),
        // Literals; the gate lets nothing else through.
        _ => {}
    }
}
