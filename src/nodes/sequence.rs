//! A sequence of tool calls on its way: what is done, what is out, what is still to do.
//!
//! Most tools run at once, on a copy of what the user sees. Those that ask a database wait for its answer, and here it is
//! seen to that a table is described before it is first queried: whatever the model planned, a query of tables that this
//! session does not know yet asks for their description first. What was learned is kept, so it is asked for once.

use super::tools::{self, Act};
use super::{Out, PlannedCall, ToolReport, View};
use crate::contract::{Answer, Change, DatabaseAnswer, DatabaseAsk, DatabaseRequest, Refused, Request, Rows, Ui, What, clip};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// Calls that one sequence may make.
const CALLS_MAX: usize = 20;

#[derive(Clone, Debug, PartialEq)]
pub struct Sequence {
    todo: VecDeque<PlannedCall>,
    ui: Ui,
    pub(super) reports: Vec<ToolReport>,
    pub(super) changes: Vec<Change>,
    /// The call that the database is asked for now.
    out: Option<Pending>,
}

#[derive(Clone, Debug, PartialEq)]
struct Pending {
    call: PlannedCall,
    /// Tables that are yet to be described before the call itself can go out.
    undescribed: VecDeque<String>,
    /// Tables of the call; what is known of them is old if a column is missing.
    tables: Vec<String>,
    /// The database's refusal, while its tables are described again.
    refusal: Option<String>,
}

/// How far a sequence has come.
pub(super) enum Step {
    Ask(Request, Sequence),
    Done(Sequence),
}

impl Sequence {
    pub(super) fn new(view: &View<'_>, calls: impl IntoIterator<Item = PlannedCall>) -> Sequence {
        let todo = calls.into_iter().take(CALLS_MAX).collect();
        Sequence { todo, ui: tools::fresh(view.ui), reports: Vec::new(), changes: Vec::new(), out: None }
    }

    /// Goes on with other calls; what is done stays done.
    pub(super) fn instead(mut self, calls: impl IntoIterator<Item = PlannedCall>) -> Sequence {
        self.todo = calls.into_iter().take(CALLS_MAX).collect();
        self
    }

    /// The last call, if it failed.
    pub(super) fn failure(&self) -> Option<&ToolReport> {
        self.reports.last().filter(|report| !report.ok)
    }

    /// Runs on until a database has to be asked, a call fails for which `stops_at_failure`, or nothing is left.
    pub(super) fn run(mut self, view: &View<'_>, out: &mut Out, stops_at_failure: bool) -> Step {
        while let Some(call) = self.todo.pop_front() {
            match tools::named(&call.tool).map(|tool| &tool.act) {
                Some(Act::Ask(ask)) if tools::is_offered(view, &call.tool) => {
                    out.events.push(What::ToolCall { tool: call.tool.clone(), args: call.args.clone() });
                    match ask(view, &call.args) {
                        Ok((_, tables)) => {
                            let unknown = |table: &&String| !view.schema.contains_key(&known_as(view, table));
                            let undescribed = tables.iter().filter(unknown).cloned().collect();
                            let pending = Pending { call, undescribed, tables, refusal: None };
                            if let Some(request) = self.next_question(view, out, pending) {
                                return Step::Ask(request, self);
                            }
                        }
                        Err(why) => self.report(out, failed(call, why)),
                    }
                }
                Some(Act::Run(_) | Act::Ask(_)) | None => {
                    let (report, changes) = tools::run(view, &mut self.ui, &call.tool, call.args, out);
                    self.changes.extend(changes);
                    self.reports.push(report);
                }
            }
            if stops_at_failure && self.failure().is_some() {
                return Step::Done(self);
            }
        }
        Step::Done(self)
    }

    /// Takes a database's answer and runs on.
    pub(super) fn resume(mut self, view: &View<'_>, out: &mut Out, answer: Answer, stops_at_failure: bool) -> Step {
        let mut pending = self.out.take().expect("a sequence that waits knows for what");
        let asked = match view.asked {
            Some(Request::Database(request)) => request.ask.clone(),
            Some(Request::Model(_)) | None => unreachable!("a sequence waits for databases alone"),
        };
        let Some(answer) = answer.database else {
            self.report(out, failed(pending.call, "the database gave no answer".to_owned()));
            return self.run(view, out, stops_at_failure);
        };
        let is_own = pending.undescribed.is_empty() && pending.refusal.is_none();
        match (asked, answer) {
            (DatabaseAsk::Describe { table }, DatabaseAnswer::Rows(rows)) if !rows.rows.is_empty() => {
                out.learned.push((known_as(view, &table), Some(described(&rows))));
                pending.undescribed.retain(|name| *name != table);
                if is_own && pending.call.tool == "describe" {
                    self.report(out, found(&pending.call, rows));
                    return self.run(view, out, stops_at_failure);
                }
            }
            (DatabaseAsk::Describe { table }, DatabaseAnswer::Rows(_)) => {
                self.report(out, failed(pending.call, format!("there is no table `{table}`")));
                return self.run(view, out, stops_at_failure);
            }
            (DatabaseAsk::Query { .. } | DatabaseAsk::Tables, DatabaseAnswer::Rows(rows)) => {
                let report = found(&pending.call, rows);
                self.display(view, &report);
                self.report(out, report);
                return self.run(view, out, stops_at_failure);
            }
            (DatabaseAsk::Query { .. }, DatabaseAnswer::Refused { message, reason: Refused::UnknownColumn }) => {
                // What is known of its tables may be old: they are described again, for whoever mends the query.
                for table in &pending.tables {
                    out.learned.push((known_as(view, table), None));
                }
                pending.undescribed = pending.tables.iter().cloned().collect();
                pending.refusal = Some(message);
            }
            (_, DatabaseAnswer::Refused { message, .. }) => {
                self.report(out, failed(pending.call, message));
                return self.run(view, out, stops_at_failure);
            }
        }
        match self.next_question(view, out, pending) {
            Some(request) => Step::Ask(request, self),
            None => self.run(view, out, stops_at_failure),
        }
    }

    /// The database could not be asked any more: what is left is not done.
    pub(super) fn cut_short(mut self, out: &mut Out) -> Sequence {
        if let Some(pending) = self.out.take() {
            self.report(out, failed(pending.call, "too many questions to the database in one turn".to_owned()));
        }
        self.todo.clear();
        self
    }

    /// What the database is asked for a call: first its unknown tables, then the call itself; nothing once it has failed.
    fn next_question(&mut self, view: &View<'_>, out: &mut Out, pending: Pending) -> Option<Request> {
        let ask = match (pending.undescribed.front(), &pending.refusal) {
            (Some(table), _) => DatabaseAsk::Describe { table: table.clone() },
            (None, Some(refusal)) => {
                let refusal = refusal.clone();
                self.report(out, failed(pending.call, refusal));
                return None;
            }
            (None, None) => match tools::asks(view, &pending.call) {
                Ok((DatabaseAsk::Describe { table }, _)) if view.schema.contains_key(&known_as(view, &table)) => {
                    // It was described before in this session.
                    let data = view.schema[&known_as(view, &table)].clone();
                    let summary = format!("{table}: known already");
                    self.report(out, ToolReport { tool: pending.call.tool, args: pending.call.args, ok: true, summary, data: Some(data) });
                    return None;
                }
                Ok((ask, _)) => ask,
                Err(why) => {
                    self.report(out, failed(pending.call, why));
                    return None;
                }
            },
        };
        if let DatabaseAsk::Describe { table } = &ask
            && pending.call.tool != "describe"
        {
            out.events.push(What::ToolCall { tool: "describe".to_owned(), args: json!({"table": table}) });
        }
        self.out = Some(pending);
        let database: Arc<str> = view.node.database.clone().unwrap_or_default();
        Some(Request::Database(DatabaseRequest { database, ask, limits: view.node.database_limits }))
    }

    fn report(&mut self, out: &mut Out, report: ToolReport) {
        let rows = report.data.as_ref().and_then(|data| data["rows"].as_array()).map(|rows| rows.len() as u64);
        let summary = clip(&report.summary, 500);
        out.events.push(What::ToolResult { tool: report.tool.clone(), ok: report.ok, summary, rows });
        self.reports.push(report);
    }

    /// Shows what a query found, as the call wants it shown.
    fn display(&mut self, view: &View<'_>, report: &ToolReport) {
        if let Some(change) = tools::display(view, report)
            && self.ui.apply(change.clone(), view.limits).is_ok()
        {
            self.changes.push(change);
        }
    }
}

/// The name under which a session keeps a table's description.
pub(super) fn known_as(view: &View<'_>, table: &str) -> String {
    format!("{}.{}", view.node.database.as_deref().unwrap_or_default(), table.to_lowercase())
}

fn failed(call: PlannedCall, why: String) -> ToolReport {
    ToolReport { tool: call.tool, args: call.args, ok: false, summary: why, data: None }
}

fn found(call: &PlannedCall, rows: Rows) -> ToolReport {
    let count = rows.rows.len();
    let cut = if rows.is_cut { ", cut: there are more" } else { "" };
    let summary = format!("{count} row{}{cut}", if count == 1 { "" } else { "s" });
    let data = json!({"columns": rows.columns, "rows": rows.rows, "is_cut": rows.is_cut});
    ToolReport { tool: call.tool.clone(), args: call.args.clone(), ok: true, summary, data: Some(data) }
}

/// A description as it is kept and as prompts carry it: one object a column.
fn described(rows: &Rows) -> Value {
    let column =
        |row: &Vec<Value>| -> Value { rows.columns.iter().cloned().zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into() };
    Value::Array(rows.rows.iter().map(column).collect())
}
