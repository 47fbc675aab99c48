//! The whole tree of a statement, against lists of what is allowed.
//!
//! Every structure is taken apart field by field and every kind is named, so that what a later parser adds is refused until
//! someone looks at it.

use super::functions::{is_allowed, is_system_schema, is_system_table};
use super::{Denied, series};
use crate::contract::Dialect;
use sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, Cte, DataType, DateTimeField, Distinct, Expr, Fetch, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, GroupByExpr, GroupByWithModifier, Ident, Interval, Join, JoinConstraint, JoinOperator,
    LimitClause, NamedWindowExpr, ObjectName, ObjectNamePart, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectFlavor, SelectItem,
    SelectItemQualifiedWildcardKind, SelectModifiers, SetExpr, SetQuantifier, ShowStatementFilter, ShowStatementFilterPosition,
    ShowStatementOptions, Statement, TableAlias, TableFactor, TableWithJoins, TypedString, UnaryOperator, Value, Values,
    WildcardAdditionalOptions, WindowFrameBound, WindowSpec, WindowType, With,
};

/// What was found on the way.
pub(super) struct Walked<'a> {
    dialect: Dialect,
    schema: Option<&'a str>,
    pub(super) tables: Vec<String>,
    /// Names with a list of columns behind them: of CTEs and of tables in `FROM`.
    declared: Vec<String>,
    /// CTEs that can be named here, the innermost last.
    scope: Vec<Known>,
}

struct Known {
    name: String,
    state: State,
}

enum State {
    Defined,
    /// Being defined, and may name itself; how often it did.
    Open(usize),
    /// Defined further behind.
    Ahead,
}

type Outcome = Result<(), Denied>;

fn refuse<T>(what: &'static str) -> Result<T, Denied> {
    Err(Denied::Part { what })
}

/// Refuses what must not be there.
fn none<T>(part: Option<T>, what: &'static str) -> Outcome {
    if part.is_some() { refuse(what) } else { Ok(()) }
}

fn no(is_there: bool, what: &'static str) -> Outcome {
    none(is_there.then_some(()), what)
}

pub(super) fn walk<'a>(statement: &Statement, dialect: Dialect, schema: Option<&'a str>) -> Result<Walked<'a>, Denied> {
    let mut walked = Walked { dialect, schema, tables: Vec::new(), declared: Vec::new(), scope: Vec::new() };
    walked.statement(statement)?;
    Ok(walked)
}

impl Walked<'_> {
    pub(super) fn declares(&self, name: &str) -> bool {
        self.declared.iter().any(|declared| declared == name)
    }

    fn statement(&mut self, statement: &Statement) -> Outcome {
        let is_mysql = self.dialect == Dialect::Mysql;
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Explain { describe_alias: _, analyze, verbose, query_plan: _, estimate, statement, format, options } => {
                no(*analyze || *verbose || *estimate, "a variant of EXPLAIN")?;
                none(format.as_ref(), "FORMAT")?;
                none(options.as_ref(), "an option of EXPLAIN")?;
                match &**statement {
                    Statement::Query(query) => self.query(query),
                    _ => Err(Denied::Kind),
                }
            }
            Statement::ExplainTable { describe_alias: _, hive_format: None, has_table_keyword: false, table_name } if is_mysql => {
                self.table(table_name)
            }
            Statement::ShowTables { terse: false, history: false, extended: false, full: _, external: false, show_options } if is_mysql => {
                self.show(show_options, false)
            }
            Statement::ShowColumns { extended: false, full: _, show_options } if is_mysql => self.show(show_options, true),
            _ => Err(Denied::Kind),
        }
    }

    /// `SHOW TABLES` and `SHOW COLUMNS`, of this schema only.
    fn show(&mut self, options: &ShowStatementOptions, wants_table: bool) -> Outcome {
        let ShowStatementOptions { show_in, starts_with, limit, limit_from, filter_position } = options;
        none(starts_with.as_ref(), "STARTS WITH")?;
        none(limit.as_ref(), "LIMIT")?;
        none(limit_from.as_ref(), "LIMIT")?;
        match filter_position {
            None | Some(ShowStatementFilterPosition::Suffix(ShowStatementFilter::Like(_))) => {}
            Some(_) => return refuse("this filter"),
        }
        match show_in {
            None if !wants_table => Ok(()),
            Some(within) if within.parent_type.is_none() => match (&within.parent_name, wants_table) {
                (Some(name), true) => self.table(name),
                (Some(ObjectName(parts)), false) => match &parts[..] {
                    [ObjectNamePart::Identifier(name)] => self.schema(name),
                    _ => refuse("this name"),
                },
                (None, _) => Err(Denied::Kind),
            },
            _ => Err(Denied::Kind),
        }
    }

    fn query(&mut self, query: &Query) -> Outcome {
        let Query { with, body, order_by, limit_clause, fetch, locks, for_clause, settings, format_clause, pipe_operators } = query;
        if let Some(Fetch { with_ties: _, percent, quantity }) = fetch {
            no(*percent, "PERCENT")?;
            self.expressions(quantity)?;
        }
        no(!locks.is_empty(), "a lock (FOR UPDATE, FOR SHARE)")?;
        none(for_clause.as_ref(), "FOR")?;
        none(settings.as_ref(), "SETTINGS")?;
        none(format_clause.as_ref(), "FORMAT")?;
        no(!pipe_operators.is_empty(), "a pipe operator")?;
        let outer = self.scope.len();
        if let Some(with) = with {
            self.with(with)?;
        }
        self.body(body)?;
        if let Some(OrderBy { kind, interpolate }) = order_by {
            none(interpolate.as_ref(), "INTERPOLATE")?;
            match kind {
                OrderByKind::All(_) => return refuse("ORDER BY ALL"),
                OrderByKind::Expressions(orders) => self.orders(orders)?,
            }
        }
        match limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                no(!limit_by.is_empty(), "LIMIT BY")?;
                self.expressions(limit)?;
                self.expressions(offset.iter().map(|offset| &offset.value))?;
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => self.expressions([offset, limit])?,
        }
        self.scope.truncate(outer);
        Ok(())
    }

    fn with(&mut self, with: &With) -> Outcome {
        let With { with_token: _, recursive, cte_tables } = with;
        let names_itself = *recursive || self.dialect == Dialect::Sqlite;
        let first = self.scope.len();
        for Cte { alias, .. } in cte_tables {
            self.alias(Some(alias))?;
            let name = alias.name.value.to_lowercase();
            if is_system_table(&name) {
                return Err(Denied::Table { name });
            }
            // Names in front of everything that is further out, but not to be used before their turn.
            self.scope.push(Known { name, state: State::Ahead });
        }
        if !names_itself {
            // They see only those before them; a table of the same name is the table.
            self.scope.truncate(first);
        }
        for (place, cte) in cte_tables.iter().enumerate() {
            let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            none(from.as_ref(), "FROM behind a CTE")?;
            if !names_itself {
                self.query(query)?;
                self.scope.push(Known { name: alias.name.value.to_lowercase(), state: State::Defined });
                continue;
            }
            self.scope[first + place].state = State::Open(0);
            self.query(query)?;
            if let State::Open(times) = self.scope[first + place].state
                && times > 0
                && !series::is_bounded(alias, query, times)
            {
                return Err(Denied::Recursive { name: alias.name.value.clone() });
            }
            self.scope[first + place].state = State::Defined;
        }
        Ok(())
    }

    fn body(&mut self, body: &SetExpr) -> Outcome {
        let mut body = body;
        // A chain leans to the left.
        while let SetExpr::SetOperation { left, op: _, set_quantifier, right } = body {
            match set_quantifier {
                SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None => {}
                SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => return refuse("BY NAME"),
            }
            self.body(right)?;
            body = left;
        }
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::Values(Values { explicit_row: _, value_keyword: _, rows }) => {
                rows.iter().try_for_each(|row| self.expressions(&row.content))
            }
            SetExpr::SetOperation { .. } => unreachable!("the chain has been gone down"),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_) => Err(Denied::Kind),
        }
    }

    fn select(&mut self, select: &Select) -> Outcome {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        if !optimizer_hints.is_empty() {
            return Err(Denied::Hint);
        }
        match distinct {
            None | Some(Distinct::All | Distinct::Distinct) => {}
            Some(Distinct::On(_)) => return refuse("DISTINCT ON"),
        }
        if let Some(modifiers) = select_modifiers {
            no(*modifiers != SelectModifiers::default(), "a modifier behind SELECT")?;
        }
        none(top.as_ref(), "TOP")?;
        none(exclude.as_ref(), "EXCLUDE")?;
        none(into.as_ref(), "INTO")?;
        no(!lateral_views.is_empty(), "LATERAL VIEW")?;
        none(prewhere.as_ref(), "PREWHERE")?;
        no(!connect_by.is_empty(), "CONNECT BY")?;
        no(!cluster_by.is_empty() || !distribute_by.is_empty() || !sort_by.is_empty(), "CLUSTER BY, DISTRIBUTE BY or SORT BY")?;
        none(qualify.as_ref(), "QUALIFY")?;
        none(value_table_mode.as_ref(), "AS STRUCT")?;
        match flavor {
            SelectFlavor::Standard => {}
            SelectFlavor::FromFirst | SelectFlavor::FromFirstNoSelect => return refuse("FROM before SELECT"),
        }
        projection.iter().try_for_each(|item| self.item(item))?;
        from.iter().try_for_each(|from| self.from(from))?;
        self.expressions(selection)?;
        self.grouping(group_by)?;
        self.expressions(having)?;
        for window in named_window {
            match &window.1 {
                NamedWindowExpr::NamedWindow(_) => {}
                NamedWindowExpr::WindowSpec(window) => self.window(window)?,
            }
        }
        Ok(())
    }

    fn item(&mut self, item: &SelectItem) -> Outcome {
        match item {
            SelectItem::UnnamedExpr(expr) => self.expression(expr),
            SelectItem::ExprWithAlias { expr, alias: _ } => self.expression(expr),
            SelectItem::ExprWithAliases { .. } => refuse("several aliases"),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                self.qualified(name)?;
                wildcard(options)
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _) => refuse("`.*` behind an expression"),
            SelectItem::Wildcard(options) => wildcard(options),
        }
    }

    fn from(&mut self, from: &TableWithJoins) -> Outcome {
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
                no(!with_hints.is_empty() || !index_hints.is_empty(), "a hint (USE INDEX, FORCE INDEX)")?;
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
            _ => refuse("a table function"),
        }
    }

    /// An alias; with columns its name stands before a parenthesis.
    fn alias(&mut self, alias: Option<&TableAlias>) -> Outcome {
        let Some(TableAlias { explicit: _, name, columns, at }) = alias else { return Ok(()) };
        none(at.as_ref(), "AT")?;
        no(columns.iter().any(|column| column.data_type.is_some()), "the type of a column")?;
        if !columns.is_empty() {
            self.declared.push(name.value.to_lowercase());
        }
        Ok(())
    }

    fn schema(&self, name: &Ident) -> Outcome {
        let is_ours = match self.dialect {
            Dialect::Mysql => Some(name.value.as_str()) == self.schema,
            Dialect::Sqlite => {
                name.value.eq_ignore_ascii_case("main") || self.schema.is_some_and(|schema| schema.eq_ignore_ascii_case(&name.value))
            }
        };
        if is_ours && !is_system_schema(&name.value) { Ok(()) } else { Err(Denied::Schema { name: name.value.clone() }) }
    }

    fn table(&mut self, name: &ObjectName) -> Outcome {
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
        if !is_dual && !self.tables.contains(&table.value) {
            self.tables.push(table.value.clone());
        }
        Ok(())
    }

    /// `table.*` or `schema.table.*`.
    fn qualified(&self, name: &ObjectName) -> Outcome {
        match &name.0[..] {
            [ObjectNamePart::Identifier(_)] => Ok(()),
            [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(_)] => self.schema(schema),
            _ => refuse("this name"),
        }
    }

    fn grouping(&mut self, group_by: &GroupByExpr) -> Outcome {
        let GroupByExpr::Expressions(expressions, modifiers) = group_by else { return refuse("GROUP BY ALL") };
        no(modifiers.iter().any(|modifier| *modifier != GroupByWithModifier::Rollup), "this modifier of GROUP BY")?;
        self.expressions(expressions)
    }

    fn orders(&mut self, orders: &[OrderByExpr]) -> Outcome {
        orders.iter().try_for_each(|OrderByExpr { expr, options: _, with_fill }| {
            none(with_fill.as_ref(), "WITH FILL")?;
            self.expression(expr)
        })
    }

    fn window(&mut self, window: &WindowSpec) -> Outcome {
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = window;
        self.expressions(partition_by)?;
        self.orders(order_by)?;
        for bound in window_frame.iter().flat_map(|frame| [Some(&frame.start_bound), frame.end_bound.as_ref()]).flatten() {
            match bound {
                WindowFrameBound::Preceding(Some(expr)) | WindowFrameBound::Following(Some(expr)) => self.expression(expr)?,
                WindowFrameBound::Preceding(None) | WindowFrameBound::Following(None) | WindowFrameBound::CurrentRow => {}
            }
        }
        Ok(())
    }

    fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>) -> Outcome {
        expressions.into_iter().try_for_each(|expr| self.expression(expr))
    }

    /// Long chains lean to the left, so that side is gone down without going deeper on the stack.
    fn expression(&mut self, expr: &Expr) -> Outcome {
        let mut next = Some(expr);
        while let Some(expr) = next {
            next = self.level(expr)?;
        }
        Ok(())
    }

    /// Looks at all of an expression but its leftmost part, which is returned.
    fn level<'e>(&mut self, expr: &'e Expr) -> Result<Option<&'e Expr>, Denied> {
        match expr {
            Expr::Identifier(_) => Ok(None),
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
        if !is_allowed(&lower, self.dialect) {
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

fn wildcard(options: &WildcardAdditionalOptions) -> Outcome {
    let WildcardAdditionalOptions { wildcard_token: _, opt_ilike, opt_exclude, opt_except, opt_replace, opt_rename, opt_alias } = options;
    let is_plain = opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none();
    no(!is_plain, "something behind `*`")
}

fn literal(value: &Value) -> Outcome {
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

fn of_type(data_type: &DataType) -> Outcome {
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
        && text.split(|sign: char| !sign.is_ascii_digit()).all(|digits| digits.len() <= 3)
    {
        return Ok(());
    }
    Err(Denied::Argument { function: function.to_owned(), why: "write its format as a text, with widths of at most 3 digits and no `*`" })
}
