//! The whole tree of a statement, against lists of what is allowed: queries are here, where their rows come from in
//! `walk/from.rs`, values in `walk/expression.rs`.
//!
//! Every structure is taken apart field by field and every kind is named, so that what a later parser adds is refused until
//! someone looks at it.

use super::functions::is_system_table;
use super::{Denied, recursion};
use crate::contract::Dialect;
use sqlparser::ast::{
    AnalyzeFormat, AnalyzeFormatKind, Cte, Distinct, Fetch, GroupByExpr, GroupByWithModifier, LimitClause, NamedWindowExpr, ObjectName,
    ObjectNamePart, OrderBy, OrderByExpr, OrderByKind, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind,
    SelectModifiers, SetExpr, SetQuantifier, ShowCreateObject, ShowStatementFilter, ShowStatementFilterPosition, ShowStatementOptions,
    Statement, Values, WildcardAdditionalOptions, WindowFrameBound, WindowSpec, With,
};

use sqlparser::tokenizer::Span;
use std::collections::BTreeSet;

mod expression;
mod from;

/// Every table is looked for among all CTEs that it could name.
const CTES_MAX: usize = 64;

/// What was found on the way.
pub(super) struct Walked<'a> {
    dialect: Dialect,
    schemas: &'a [&'a str],
    /// Where the schema stands under another name than its own.
    pub(super) renamed: Vec<Span>,
    /// What makes each recursion count its rows, and where it goes.
    pub(super) counters: Vec<(Span, String)>,
    pub(super) tables: Vec<String>,
    /// The same, to find them in.
    known_tables: BTreeSet<String>,
    /// Names with a list of columns behind them: of CTEs and of tables in `FROM`.
    declared: BTreeSet<String>,
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

pub(super) fn walk<'a>(statement: &Statement, dialect: Dialect, schemas: &'a [&'a str]) -> Result<Walked<'a>, Denied> {
    let mut walked = Walked {
        dialect,
        schemas,
        renamed: Vec::new(),
        counters: Vec::new(),
        tables: Vec::new(),
        known_tables: BTreeSet::new(),
        declared: BTreeSet::new(),
        scope: Vec::new(),
    };
    walked.statement(statement)?;
    Ok(walked)
}

impl Walked<'_> {
    pub(super) fn declares(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    fn statement(&mut self, statement: &Statement) -> Outcome {
        let is_mysql = self.dialect == Dialect::Mysql;
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Explain { describe_alias: _, analyze, verbose, query_plan: _, estimate, statement, format, options } => {
                no(*analyze || *verbose || *estimate, "a variant of EXPLAIN")?;
                match format {
                    None => {}
                    Some(AnalyzeFormatKind::Assignment(AnalyzeFormat::JSON | AnalyzeFormat::TREE)) if is_mysql => {}
                    Some(_) => return refuse("this FORMAT"),
                }
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
            Statement::ShowCreate { obj_type: ShowCreateObject::Table, obj_name } if is_mysql => self.table(obj_name),
            Statement::ShowColumns { extended: false, full: _, show_options } if is_mysql => self.show(show_options, true),
            _ => Err(Denied::Kind),
        }
    }

    /// `SHOW TABLES`, and `SHOW COLUMNS` or `SHOW INDEX`, of this schema only.
    fn show(&mut self, options: &ShowStatementOptions, wants_table: bool) -> Outcome {
        let ShowStatementOptions { show_in, starts_with, limit, limit_from, filter_position } = options;
        none(starts_with.as_ref(), "STARTS WITH")?;
        none(limit.as_ref(), "LIMIT")?;
        none(limit_from.as_ref(), "LIMIT")?;
        match filter_position {
            None | Some(ShowStatementFilterPosition::Suffix(ShowStatementFilter::Like(_))) => {}
            Some(ShowStatementFilterPosition::Suffix(ShowStatementFilter::Where(condition))) => self.expression(condition)?,
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
        no(first + cte_tables.len() > CTES_MAX, "so many CTEs (more than 64)")?;
        for Cte { alias, .. } in cte_tables {
            self.alias(Some(alias))?;
            let name = alias.name.value.to_lowercase();
            if is_system_table(&name) {
                return Err(Denied::Table { name: alias.name.value.clone() });
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
            {
                if !recursion::is_bounded(alias, query, times) {
                    return Err(Denied::Recursive { name: alias.name.value.clone() });
                }
                self.counters.extend(recursion::counter(alias, query));
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
        if let Some(SelectModifiers {
            high_priority,
            straight_join: _,
            sql_small_result: _,
            sql_big_result: _,
            sql_buffer_result: _,
            sql_no_cache: _,
            sql_calc_found_rows: _,
        }) = select_modifiers
        {
            // It lets a reader overtake those who wait to write.
            no(*high_priority, "HIGH_PRIORITY")?;
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
