//! What stands where a value stands: expressions, functions, literals, operators and types, against lists of what is allowed.

use super::{Outcome, Walked, no, refuse};
use crate::contract::Dialect;
use crate::sql::Denied;
use crate::sql::functions::class_of;
use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, DataType, DateTimeField, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Interval, MemberOf, ObjectName, ObjectNamePart, TypedString, UnaryOperator, Value, WindowType,
};

impl Walked<'_> {
    pub(super) fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) -> Outcome {
        expressions.into_iter().try_for_each(|expr| self.expression(expr))
    }

    /// Long chains lean to the left, so that side is gone down without going deeper on the stack.
    pub(super) fn expression(&mut self, expr: &Expr) -> Outcome {
        let mut next = Some(expr);
        while let Some(expr) = next {
            next = self.level(expr)?;
        }
        Ok(())
    }

    /// Looks at all of an expression but its leftmost part, which is returned.
    fn level<'e>(&mut self, expr: &'e Expr) -> Result<Option<&'e Expr>, Denied> {
        match expr {
            // The parser takes `a * FROM t` for a product of two columns.
            Expr::Identifier(name) => no(name.quote_style.is_none() && name.value.eq_ignore_ascii_case("from"), "`FROM`").map(|()| None),
            Expr::CompoundIdentifier(parts) => match &parts[..] {
                [_, _] => Ok(None),
                [schema, _, _] => self.schema(schema).map(|()| None),
                _ => refuse("this name"),
            },
            Expr::Value(value) => literal(&value.value).map(|()| None),
            Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax }) => {
                no(*uses_odbc_syntax, "`{…}`")?;
                of_type(data_type)?;
                literal(&value.value).map(|()| None)
            }
            Expr::Nested(expr)
            | Expr::IsFalse(expr)
            | Expr::IsNotFalse(expr)
            | Expr::IsTrue(expr)
            | Expr::IsNotTrue(expr)
            | Expr::IsNull(expr)
            | Expr::IsNotNull(expr)
            | Expr::IsUnknown(expr)
            | Expr::IsNotUnknown(expr)
            | Expr::Extract { field: _, syntax: _, expr } => Ok(Some(expr)),
            Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
                self.expression(right)?;
                Ok(Some(left))
            }
            Expr::InList { expr, list, negated: _ } => {
                self.expressions(list)?;
                Ok(Some(expr))
            }
            Expr::InSubquery { expr, subquery, negated: _ } => {
                self.query(subquery)?;
                Ok(Some(expr))
            }
            Expr::Between { expr, negated: _, low, high } => {
                self.expressions([&**low, high])?;
                Ok(Some(expr))
            }
            Expr::BinaryOp { left, op, right } => {
                operator(op)?;
                self.expression(right)?;
                Ok(Some(left))
            }
            Expr::UnaryOp { op, expr } => match op {
                UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not | UnaryOperator::BangNot | UnaryOperator::BitwiseNot => {
                    Ok(Some(expr))
                }
                _ => refuse("this operator"),
            },
            Expr::Like { negated: _, any: false, expr, pattern, escape_char } => {
                self.expression(pattern)?;
                self.expressions(escape_char.as_deref())?;
                Ok(Some(expr))
            }
            Expr::RLike { negated: _, expr, pattern, regexp: _ } => {
                self.expression(pattern)?;
                Ok(Some(expr))
            }
            Expr::AnyOp { left, compare_op, right, is_some: _ } | Expr::AllOp { left, compare_op, right } => {
                operator(compare_op)?;
                self.expression(right)?;
                Ok(Some(left))
            }
            Expr::Convert { is_try: false, expr, data_type, charset, target_before_value: false, styles } if styles.is_empty() => {
                data_type.as_ref().map_or(Ok(()), of_type)?;
                charset.as_ref().map_or(Ok(()), charset_name)?;
                Ok(Some(expr))
            }
            Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None } => {
                of_type(data_type)?;
                Ok(Some(expr))
            }
            Expr::Ceil { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) }
            | Expr::Floor { expr, field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) } => Ok(Some(expr)),
            Expr::Position { expr, r#in } => {
                self.expression(r#in)?;
                Ok(Some(expr))
            }
            Expr::Substring { expr, substring_from, substring_for, special: _, shorthand: _ } => {
                self.expressions(substring_from.as_deref())?;
                self.expressions(substring_for.as_deref())?;
                Ok(Some(expr))
            }
            Expr::Trim { trim_where: _, trim_what, expr, trim_characters } => {
                self.expressions(trim_what.as_deref())?;
                self.expressions(trim_characters.iter().flatten())?;
                Ok(Some(expr))
            }
            Expr::Collate { expr, collation } => {
                charset_name(collation)?;
                Ok(Some(expr))
            }
            Expr::Prefixed { prefix, value } => {
                let charsets = ["_utf8", "_utf8mb4", "_utf8mb3", "_latin1", "_binary", "_ascii"];
                no(!charsets.iter().any(|charset| charset.eq_ignore_ascii_case(&prefix.value)), "this prefix of a text")?;
                Ok(Some(value))
            }
            Expr::Function(function) => self.function(function).map(|()| None),
            Expr::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                for when in conditions {
                    self.expressions([&when.condition, &when.result])?;
                }
                self.expressions(else_result.as_deref())?;
                Ok(operand.as_deref())
            }
            Expr::MemberOf(MemberOf { value, array }) if self.dialect == Dialect::Mysql => {
                self.expression(array)?;
                Ok(Some(value))
            }
            Expr::Exists { subquery, negated: _ } | Expr::Subquery(subquery) => self.query(subquery).map(|()| None),
            Expr::Tuple(list) => self.expressions(list).map(|()| None),
            Expr::Interval(Interval { value, .. }) => Ok(Some(value)),
            Expr::MatchAgainst { columns, match_value, opt_search_modifier: _ } => {
                no(columns.iter().any(|column| column.0.len() > 2), "this name")?;
                literal(&match_value.value).map(|()| None)
            }
            _ => refuse("this expression"),
        }
    }

    fn function(&mut self, function: &Function) -> Outcome {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment: _, over } = function;
        let lower = match &name.0[..] {
            [ObjectNamePart::Identifier(name)] => name.value.to_lowercase(),
            _ => return Err(Denied::Function { name: name.to_string() }),
        };
        no(*uses_odbc_syntax, "`{…}`")?;
        no(*parameters != FunctionArguments::None, "a parameter of a function")?;
        if class_of(&lower, self.dialect).is_none() {
            return Err(Denied::Function { name: lower });
        }
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(query) => self.query(query)?,
            FunctionArguments::List(list) => {
                bounded(&lower, &list.args, self.dialect)?;
                for arg in &list.args {
                    match arg {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.expression(expr)?,
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => {}
                        FunctionArg::Unnamed(FunctionArgExpr::QualifiedWildcard(name)) => self.qualified(name)?,
                        _ => return refuse("a named argument"),
                    }
                }
                for clause in &list.clauses {
                    match clause {
                        FunctionArgumentClause::OrderBy(orders) => self.orders(orders)?,
                        FunctionArgumentClause::Limit(expr) => self.expression(expr)?,
                        FunctionArgumentClause::Separator(value) => literal(&value.value)?,
                        FunctionArgumentClause::IgnoreOrRespectNulls(_) => {}
                        _ => return refuse("this clause of a function"),
                    }
                }
            }
        }
        self.orders(within_group)?;
        self.expressions(filter.as_deref())?;
        match over {
            Some(WindowType::WindowSpec(window)) => self.window(window),
            Some(WindowType::NamedWindow(_)) | None => Ok(()),
        }
    }
}

pub(super) fn literal(value: &Value) -> Outcome {
    match value {
        Value::Number(_, false)
        | Value::SingleQuotedString(_)
        | Value::DoubleQuotedString(_)
        | Value::NationalStringLiteral(_)
        | Value::HexStringLiteral(_)
        | Value::SingleQuotedByteStringLiteral(_)
        | Value::Boolean(_)
        | Value::Null => Ok(()),
        _ => refuse("this kind of literal"),
    }
}

fn operator(operator: &BinaryOperator) -> Outcome {
    match operator {
        BinaryOperator::Plus
        | BinaryOperator::Minus
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo
        | BinaryOperator::StringConcat
        | BinaryOperator::Gt
        | BinaryOperator::Lt
        | BinaryOperator::GtEq
        | BinaryOperator::LtEq
        | BinaryOperator::Spaceship
        | BinaryOperator::Eq
        | BinaryOperator::NotEq
        | BinaryOperator::And
        | BinaryOperator::Or
        | BinaryOperator::Xor
        | BinaryOperator::BitwiseOr
        | BinaryOperator::BitwiseAnd
        | BinaryOperator::BitwiseXor
        | BinaryOperator::MyIntegerDivide
        | BinaryOperator::Match
        | BinaryOperator::Regexp
        | BinaryOperator::Glob
        | BinaryOperator::PGBitwiseXor
        | BinaryOperator::PGBitwiseShiftLeft
        | BinaryOperator::PGBitwiseShiftRight
        | BinaryOperator::PGOverlap
        | BinaryOperator::Arrow
        | BinaryOperator::LongArrow => Ok(()),
        _ => refuse("this operator"),
    }
}

/// A character set or a collation.
fn charset_name(name: &ObjectName) -> Outcome {
    match &name.0[..] {
        [ObjectNamePart::Identifier(_)] => Ok(()),
        _ => refuse("this name"),
    }
}

pub(super) fn of_type(data_type: &DataType) -> Outcome {
    const TYPES: &[&str] = &[
        "CHAR",
        "CHARACTER",
        "NCHAR",
        "VARCHAR",
        "TEXT",
        "BINARY",
        "SIGNED",
        "UNSIGNED",
        "INT",
        "INTEGER",
        "BIGINT",
        "SMALLINT",
        "DECIMAL",
        "DEC",
        "NUMERIC",
        "REAL",
        "DOUBLE",
        "FLOAT",
        "DATE",
        "DATETIME",
        "TIME",
        "TIMESTAMP",
        "YEAR",
        "JSON",
        "BOOLEAN",
        "BLOB",
        "UUID",
        // INET4 and INET6.
        "INET",
    ];
    let name = data_type.to_string();
    let first = name.split(|sign: char| !sign.is_ascii_alphabetic()).next().unwrap_or_default().to_uppercase();
    let is_short = name.split(|sign: char| !sign.is_ascii_digit()).all(|digits| digits.len() <= 4);
    let is_plain = name.chars().all(|sign| sign.is_ascii_alphanumeric() || " (),_".contains(sign));
    if TYPES.contains(&first.as_str()) && is_short && is_plain { Ok(()) } else { Err(Denied::Type { name }) }
}

/// Functions that make as much text as they are told: how much has to be a small number.
fn bounded(function: &str, args: &[FunctionArg], dialect: Dialect) -> Outcome {
    let count = match function {
        "repeat" | "lpad" | "rpad" => args.get(1),
        "space" => args.first(),
        "printf" | "format" if dialect == Dialect::Sqlite => return plain_format(function, args.first()),
        "sformat" => return plain_format(function, args.first()),
        _ => return Ok(()),
    };
    let value = |arg: &FunctionArg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) => match &value.value {
            Value::Number(digits, _) => digits.parse::<u32>().ok(),
            _ => None,
        },
        _ => None,
    };
    match count.and_then(value) {
        Some(0..=1000) => Ok(()),
        _ => Err(Denied::Argument { function: function.to_owned(), why: "write its length as a number of at most 1000" }),
    }
}

fn plain_format(function: &str, format: Option<&FunctionArg>) -> Outcome {
    if let Some(FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value)))) = format
        && let Value::SingleQuotedString(text) = &value.value
        && !text.contains('*')
        // A width in braces of its own would be an argument.
        && (function != "sformat" || text.split('{').skip(1).all(|field| field.contains('}')))
        && text.split(|sign: char| !sign.is_ascii_digit()).all(|digits| digits.len() <= 3)
    {
        return Ok(());
    }
    Err(Denied::Argument { function: function.to_owned(), why: "write its format as a text, with widths of at most 3 digits and no `*`" })
}
