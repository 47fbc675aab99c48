//! A sequence of tool calls on its way: what is done, what is out, what is still to do.
//!
//! Most tools run at once, on a copy of what the user sees. Those that ask a database wait for its answer, and here it is
//! seen to that a table is described before it is first queried: whatever the model planned, a query of tables that this
//! session does not know yet asks for their description first. What was learned is kept, so it is asked for once. A call that the
//! graph wants approved waits for a person once it is known to work, and is then made as it was shown.

use super::schema;
use super::tools::{self, Act, Done, Run};
use super::{Out, PlannedCall, ToolReport, View};
use crate::contract::{
    APPROVAL_BYTES_MAX, Answer, Approval, Change, DatabaseAnswer, DatabaseAsk, DatabaseRequest, Dialect, Format, Refused, Request, Rows,
    Time, ToolId, Ui, Verdict, clip, counted, micros,
};
use crate::sql;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;

/// Calls that one sequence may make. What is planned beyond is reported as left out.
pub(super) const CALLS_MAX: usize = 20;
/// Bytes of the list of calls that are left out, and of one call in it.
const LEFT_OUT_BYTES_MAX: usize = 300;
const CALL_BYTES_MAX: usize = 100;
/// Columns whose range is looked at where a statement finds nothing.
const RANGES_MAX: usize = 8;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    todo: VecDeque<PlannedCall>,
    /// The first call that is left out, and what is said of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    left_out: Option<(PlannedCall, String)>,
    ui: Ui,
    pub(super) reports: Vec<ToolReport>,
    pub(super) changes: Vec<Change>,
    /// The call that waits for the database.
    out: Option<Pending>,
    /// The call that waits for an approval and needs no database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approving: Option<(ToolId, PlannedCall)>,
    /// Why a call was not made that needs an approval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unapproved: Option<Verdict>,
    /// Stops at the first failure, and shows each call as progress: an expert's.
    is_careful: bool,
    /// How many reports are those of earlier plans.
    earlier: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    id: ToolId,
    call: PlannedCall,
    /// What the call itself asks.
    ask: DatabaseAsk,
    /// Tables that are yet to be described before the call itself can go out.
    undescribed: VecDeque<String>,
    /// The description that is out.
    describing: Option<ToolId>,
    /// Tables of the call; what is known of them is old if a column is missing.
    tables: Vec<String>,
    /// The database's refusal, while its tables are described again.
    refusal: Option<String>,
    /// A person has approved what goes out next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_approved: bool,
    /// Rows that say «none», while the range of the columns that the statement names is looked at.
    none: Option<Rows>,
}

/// How far a sequence has come.
pub(super) enum Step {
    Ask(Request, Sequence),
    Done(Sequence),
}

impl Sequence {
    pub(super) fn new(view: &View<'_>, calls: impl IntoIterator<Item = PlannedCall>) -> Sequence {
        let ui = tools::fresh(view.ui);
        let (reports, changes) = (Vec::new(), Vec::new());
        let empty = Sequence {
            todo: VecDeque::new(),
            left_out: None,
            ui,
            reports,
            changes,
            out: None,
            approving: None,
            unapproved: None,
            is_careful: false,
            earlier: 0,
        };
        empty.instead(calls)
    }

    /// One that stops at the first failure and shows its calls as progress.
    pub(super) fn careful(self) -> Sequence {
        Sequence { is_careful: true, ..self }
    }

    /// Continues with other calls; what is done stays done.
    pub(super) fn instead(mut self, calls: impl IntoIterator<Item = PlannedCall>) -> Sequence {
        let mut calls = calls.into_iter();
        self.todo = calls.by_ref().take(CALLS_MAX).collect();
        self.left_out = left_out(calls, &format!("one plan makes {CALLS_MAX} calls at most; plan again what is still needed"));
        self.earlier = self.reports.len();
        self
    }

    /// The last call, if it failed.
    pub(super) fn failure(&self) -> Option<&ToolReport> {
        self.reports.last().filter(|report| !report.ok)
    }

    /// Why a call was not made that needs an approval.
    pub(super) fn unapproved(&self) -> Option<Verdict> {
        self.unapproved
    }

    /// The same where nothing else was done that an answer could be made from.
    pub(super) fn answers_nothing(&self) -> Option<Verdict> {
        let has_done = self.reports.iter().any(|report| report.ok && report.tool != tools::DESCRIBE);
        self.unapproved.filter(|_| !has_done)
    }

    /// What became of the calls of the last plan so far.
    pub(super) fn planned(&self) -> &[ToolReport] {
        &self.reports[self.earlier..]
    }

    /// Runs until it needs a database, a careful one fails, or nothing is left.
    pub(super) fn run(mut self, view: &View<'_>, out: &mut Out) -> Step {
        while let Some(call) = self.todo.pop_front() {
            let id = out.tool_call(&call.tool, call.args.clone());
            let outcome = match tools::offered(view, &call.tool) {
                Ok(Act::Run(run)) => match self.to_be_approved(view, &call, *run) {
                    Ok(Some(request)) => {
                        self.approving = Some((id, call));
                        return Step::Ask(request, self);
                    }
                    Ok(None) => run(view, &mut self.ui, call.args.clone()),
                    Err(why) => Err(why),
                },
                Ok(Act::Ask { ask, .. }) => match ask(view, &call.args) {
                    Ok((ask, tables)) => {
                        let unknown = |table: &&String| known(view, table).is_none();
                        let undescribed = tables.iter().filter(unknown).cloned().collect();
                        let pending =
                            Pending { id, call, ask, undescribed, describing: None, tables, refusal: None, is_approved: false, none: None };
                        match self.next_question(view, out, pending) {
                            Some(request) => return Step::Ask(request, self),
                            None if self.is_careful && self.failure().is_some() => return Step::Done(self),
                            None => continue,
                        }
                    }
                    Err(why) => Err(why),
                },
                Err(why) => Err(why),
            };
            self.report(view, out, id, call, outcome);
            if self.is_careful && self.failure().is_some() {
                return Step::Done(self);
            }
        }
        self.report_left_out(view, out);
        Step::Done(self)
    }

    fn report_left_out(&mut self, view: &View<'_>, out: &mut Out) {
        if let Some((call, why)) = self.left_out.take() {
            let id = out.tool_call(&call.tool, call.args.clone());
            self.report(view, out, id, call, Err(why));
        }
    }

    /// Takes a database's answer and continues.
    pub(super) fn resume(mut self, view: &View<'_>, out: &mut Out, answer: Answer) -> Step {
        let mut pending = self.out.take().expect("a sequence that waits knows for what");
        let asked = match view.asked {
            Some(Request::Database(request)) => request.ask.clone(),
            Some(Request::Model(_) | Request::Approval(_)) | None => unreachable!("a sequence waits for databases alone"),
        };
        let describing = pending.describing.take();
        let outcome = match (asked, answer.database.map(|answer| *answer)) {
            (_, None) => Err("the database gave no answer".to_owned()),
            (DatabaseAsk::Describe { table }, Some(DatabaseAnswer::Rows(rows))) if !rows.rows.is_empty() => {
                out.learned.push((known_as(view, rows.table.as_deref().unwrap_or(&table)), Some(described(&rows))));
                pending.undescribed.retain(|name| *name != table);
                match describing {
                    Some(id) => {
                        out.tool_result(id, tools::DESCRIBE, true, &told(&rows), Some(rows.rows.len() as u64));
                        return self.go_on(view, out, pending);
                    }
                    None => Ok(found(rows)),
                }
            }
            (DatabaseAsk::Describe { table }, Some(DatabaseAnswer::Rows(_))) => Err(format!("there is no table {}", quoted(view, &table))),
            (DatabaseAsk::Query { sql }, Some(DatabaseAnswer::Rows(rows))) if is_none(&rows) => {
                let columns = schema::named_columns(view, &sql, &pending.tables, RANGES_MAX);
                // Of what was approved, nothing is run but that.
                if columns.is_empty() || view.node.approve_tools.contains_key(&*pending.call.tool) {
                    Ok(found(rows))
                } else {
                    pending.none = Some(rows);
                    let request = self.wait(view, pending, DatabaseAsk::Range { columns });
                    return Step::Ask(request, self);
                }
            }
            (DatabaseAsk::Range { .. }, answer) => Ok(found_none(pending.none.take().unwrap_or_default(), answer)),
            (DatabaseAsk::Query { .. } | DatabaseAsk::Tables | DatabaseAsk::Columns, Some(DatabaseAnswer::Rows(rows))) => Ok(found(rows)),
            (DatabaseAsk::Query { .. }, Some(DatabaseAnswer::Refused { message, reason: Refused::UnknownColumn })) => {
                // What is known of its tables may be old: they are described again before the query is repaired.
                for table in &pending.tables {
                    let name = known(view, table).map_or_else(|| known_as(view, table), |(name, _)| name.clone());
                    out.learned.push((name, None));
                }
                pending.undescribed = pending.tables.iter().cloned().collect();
                pending.refusal = Some(message);
                return self.go_on(view, out, pending);
            }
            (_, Some(DatabaseAnswer::Refused { message, .. })) => Err(message),
        };
        if let (Some(id), Err(why)) = (describing, &outcome) {
            out.tool_result(id, tools::DESCRIBE, false, why, None);
        }
        self.report(view, out, pending.id, pending.call, outcome);
        // What was just described needs no second description.
        let schema = view.schema_with(out);
        self.next(&View { schema: &schema, ..*view }, out)
    }

    /// Goes on after a person has answered whether a call may be made.
    pub(super) fn decided(mut self, view: &View<'_>, out: &mut Out, verdict: Verdict) -> Step {
        let (id, call, pending) = match (self.approving.take(), self.out.take()) {
            (Some((id, call)), _) => (id, call, None),
            (None, pending) => {
                let pending = pending.expect("a sequence that waits knows for what");
                (pending.id, pending.call.clone(), Some(pending))
            }
        };
        let outcome = match (verdict, pending) {
            (Verdict::Approved, Some(pending)) => return self.go_on(view, out, Pending { is_approved: true, ..pending }),
            (Verdict::Approved, None) => match tools::offered(view, &call.tool) {
                Ok(Act::Run(run)) => run(view, &mut self.ui, call.args.clone()),
                Ok(Act::Ask { .. }) => unreachable!("what asks a database is pending"),
                Err(why) => Err(why),
            },
            (Verdict::Declined | Verdict::Expired, _) => {
                self.unapproved = Some(verdict);
                let code = verdict.code().map_or("", |code| code.name());
                out.degraded = Some(format!("may not call {}: {code}", call.tool));
                Err(verdict.outcome().to_owned())
            }
        };
        self.report(view, out, id, call, outcome);
        self.next(view, out)
    }

    /// What a person has to approve before a tool without a database is called. One that would fail needs nobody.
    fn to_be_approved(&self, view: &View<'_>, call: &PlannedCall, run: Run) -> Result<Option<Request>, String> {
        if !view.node.approve_tools.contains_key(&*call.tool) {
            return Ok(None);
        }
        run(view, &mut self.ui.clone(), call.args.clone())?;
        let text = serde_json::to_string_pretty(&call.args).expect("JSON is JSON");
        approval(view, &call.tool, None, Format::Json, text)
    }

    fn go_on(mut self, view: &View<'_>, out: &mut Out, pending: Pending) -> Step {
        match self.next_question(view, out, pending) {
            Some(request) => Step::Ask(request, self),
            None => self.next(view, out),
        }
    }

    fn next(self, view: &View<'_>, out: &mut Out) -> Step {
        if self.is_careful && self.failure().is_some() { Step::Done(self) } else { self.run(view, out) }
    }

    /// No more database calls are left: what remains is not done.
    pub(super) fn cut_short(mut self, view: &View<'_>, out: &mut Out) -> Sequence {
        if let Some(Pending { id, call, describing, none, .. }) = self.out.take() {
            let why = "too many questions to the database in one turn".to_owned();
            if let Some(id) = describing {
                out.tool_result(id, tools::DESCRIBE, false, &why, None);
            }
            self.report(view, out, id, call, none.map(found).ok_or(why));
        }
        let rest = std::mem::take(&mut self.todo).into_iter().chain(self.left_out.take().map(|(call, _)| call));
        self.left_out = left_out(rest, "too many questions to the database in one turn");
        self.report_left_out(view, out);
        self
    }

    /// What to ask the database for a call: first its unknown tables, then the call itself; nothing once the call has ended.
    fn next_question(&mut self, view: &View<'_>, out: &mut Out, mut pending: Pending) -> Option<Request> {
        let (ask, is_first) = match (pending.undescribed.front(), pending.refusal.take()) {
            (Some(table), refusal) => {
                let ask = DatabaseAsk::Describe { table: table.clone() };
                pending.refusal = refusal;
                (ask, true)
            }
            (None, Some(refusal)) => {
                self.report(view, out, pending.id, pending.call, Err(refusal));
                return None;
            }
            (None, None) => (pending.ask.clone(), false),
        };
        if let (DatabaseAsk::Describe { table }, false) = (&ask, is_first)
            && let Some((_, columns)) = known(view, table)
        {
            let summary = format!("{}: known already", quoted(view, table));
            self.report(view, out, pending.id, pending.call, Ok(Done { summary, data: Some(columns.clone()), ..Done::default() }));
            return None;
        }
        if !std::mem::take(&mut pending.is_approved) {
            let tool = if is_first { tools::DESCRIBE } else { &pending.call.tool };
            let (format, text) = match &ask {
                DatabaseAsk::Query { sql } => (Format::Sql, sql.clone()),
                ask => (Format::Json, json!(ask).to_string()),
            };
            match approval(view, tool, view.node.database.clone(), format, text) {
                Ok(None) => {}
                Ok(Some(request)) => {
                    self.out = Some(pending);
                    return Some(request);
                }
                Err(why) => {
                    self.report(view, out, pending.id, pending.call, Err(why));
                    return None;
                }
            }
        }
        if let DatabaseAsk::Describe { table } = &ask {
            if is_first {
                pending.describing = Some(out.tool_call(tools::DESCRIBE, json!({"table": table})));
            }
            if self.is_careful {
                out.progress(format!("DESCRIBE {}\n", quoted(view, table)));
            }
        }
        Some(self.wait(view, pending, ask))
    }

    /// The question to the database for which a call waits.
    fn wait(&mut self, view: &View<'_>, pending: Pending, ask: DatabaseAsk) -> Request {
        self.out = Some(pending);
        let database: Arc<str> = view.node.database.clone().unwrap_or_default();
        Request::Database(DatabaseRequest { database, ask, limits: view.node.database_limits })
    }

    /// Notes what became of a call, and shows it.
    fn report(&mut self, view: &View<'_>, out: &mut Out, id: ToolId, call: PlannedCall, outcome: Result<Done, String>) {
        let PlannedCall { tool, args } = call;
        let ok = outcome.is_ok();
        let done = outcome.unwrap_or_else(|why| Done { summary: why, ..Done::default() });
        out.tool_result(id, &tool, ok, &done.summary, done.rows);
        if self.is_careful {
            out.progress(format!("{} {tool}: {}\n", if ok { "✓" } else { "✗" }, clip(&done.summary, 500)));
        }
        let report = ToolReport { tool, args, ok, summary: done.summary, data: done.data };
        self.changes.extend(done.changes);
        if let Some(change) = tools::display(view, &report)
            && self.ui.apply(change.clone(), view.limits).is_ok()
        {
            self.changes.push(change);
        }
        self.reports.push(report);
    }
}

/// What a person has to approve before a tool is called; none where the graph wants nobody asked.
fn approval(view: &View<'_>, tool: &str, database: Option<Arc<str>>, format: Format, text: String) -> Result<Option<Request>, String> {
    let Some((tool, expires)) = view.node.approve_tools.get_key_value(tool) else { return Ok(None) };
    if text.len() > APPROVAL_BYTES_MAX {
        return Err(format!("it needs an approval, and is too long to be shown for one: at most {APPROVAL_BYTES_MAX} bytes"));
    }
    let expires_at = Time(view.wall.0.saturating_add(micros(*expires)));
    Ok(Some(Request::Approval(Approval { node: view.node.name.clone(), tool: Some(tool.clone()), database, format, text, expires_at })))
}

/// The first of the calls that are not made, and why, with as many of them as fit.
fn left_out(calls: impl IntoIterator<Item = PlannedCall>, why: &str) -> Option<(PlannedCall, String)> {
    let mut calls = calls.into_iter();
    let first = calls.next()?;
    let named = |call: &PlannedCall| clip(&format!("`{}` {}", call.tool, call.args), CALL_BYTES_MAX);
    let (mut said, mut more) = (format!("left out ({why}): {}", named(&first)), 0);
    for call in calls {
        match named(&call) {
            next if more == 0 && said.len() + next.len() < LEFT_OUT_BYTES_MAX => said.push_str(&format!(", {next}")),
            _ => more += 1,
        }
    }
    if more > 0 {
        said.push_str(&format!(" and {more} more"));
    }
    Some((first, said))
}

/// The name under which a session keeps a table's description, whose own name it holds as the database spells it.
fn known_as(view: &View<'_>, table: &str) -> String {
    format!("{}.{table}", view.node.database.as_deref().unwrap_or_default())
}

/// What the session knows of a table. Where `Kunden` and `kunden` can be two tables, only what is spelt alike counts.
fn known<'v>(view: &View<'v>, table: &str) -> Option<(&'v String, &'v Value)> {
    let name = known_as(view, table);
    let is_one = view.database().is_some_and(|database| database.dialect == Dialect::Sqlite);
    let alike = || view.schema.iter().find(|(known, _)| is_one && known.eq_ignore_ascii_case(&name));
    view.schema.get_key_value(&name).or_else(alike)
}

fn quoted(view: &View<'_>, table: &str) -> String {
    view.database().map_or_else(|| table.to_owned(), |database| sql::quoted(table, database.dialect))
}

fn told(rows: &Rows) -> String {
    let mut told = counted(rows.rows.len(), "row", "rows");
    for note in &rows.notes {
        told.push_str("; ");
        told.push_str(note);
    }
    told
}

fn found(rows: Rows) -> Done {
    let (summary, count) = (told(&rows), rows.rows.len() as u64);
    let mut data = json!({"columns": rows.columns, "rows": rows.rows, "is_cut": rows.is_cut});
    if !rows.decimals.is_empty() {
        data["decimals"] = json!(rows.decimals);
    }
    if !rows.notes.is_empty() {
        data["notes"] = json!(rows.notes);
    }
    Done { summary, data: Some(data), rows: Some(count), ..Done::default() }
}

/// Whether a result says that there is nothing: no row, or a single one of nothing but zeros and NULL.
fn is_none(rows: &Rows) -> bool {
    let is_nothing = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.parse::<f64>() == Ok(0.0),
        value => value.as_f64() == Some(0.0),
    };
    rows.rows.len() <= 1 && rows.rows.iter().flatten().all(is_nothing)
}

/// Rows that say «none», with what there is in the columns that the statement names.
fn found_none(rows: Rows, looked: Option<DatabaseAnswer>) -> Done {
    let mut done = found(rows);
    let Some(DatabaseAnswer::Rows(looked)) = looked else { return done };
    let texts = |row: &Vec<Value>| Some((row.first()?.as_str()?.to_owned(), row.get(1)?.as_str()?.to_owned()));
    let range: Vec<(String, String)> = looked.rows.iter().filter_map(texts).collect();
    if let (Some(data), false) = (&mut done.data, range.is_empty()) {
        let lines: Vec<String> = range.iter().map(|(column, holds)| format!("{column} holds {holds}")).collect();
        done.summary = format!("{}: nothing found; {}", done.summary, lines.join("; "));
        data["range"] = range.into_iter().map(|(column, holds)| (column, holds.into())).collect::<serde_json::Map<_, _>>().into();
    }
    done
}

/// A description as it is kept and as prompts carry it: one object a column.
fn described(rows: &Rows) -> Value {
    let column =
        |row: &Vec<Value>| -> Value { rows.columns.iter().cloned().zip(row.iter().cloned()).collect::<serde_json::Map<_, _>>().into() };
    Value::Array(rows.rows.iter().map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::Packet;
    use crate::nodes::testing::Fixture;

    fn run(calls: impl IntoIterator<Item = (&'static str, Value)>, is_careful: bool) -> Sequence {
        let (fixture, packet) = (Fixture::default(), Packet::default());
        let calls: Vec<PlannedCall> = calls.into_iter().map(|(tool, args)| PlannedCall { tool: tool.to_owned(), args }).collect();
        let sequence = Sequence { is_careful, ..Sequence::new(&fixture.view(&packet), calls) };
        match sequence.run(&fixture.view(&packet), &mut Out::default()) {
            Step::Done(sequence) => sequence,
            Step::Ask(..) => panic!("no tool here needs a database"),
        }
    }

    #[test]
    fn a_failing_call_reports_why_and_changes_nothing() {
        for (tool, args, says) in [
            ("recal", json!({}), "there is no tool `recal`; the tools are emit_actions"),
            ("set_state", json!({"key": ""}), "the arguments don't fit: `value` is missing"),
            ("reset_machine", json!({"id": "lamp"}), "there is no machine `lamp`"),
            ("create_machine", json!({"id": "m", "initial": "b", "states": {"a": {}}}), "the machine `m` has no state `b`"),
            ("query", json!({"sql": "SELECT 1"}), "there is no tool `query`"),
        ] {
            let sequence = run([(tool, args)], false);
            let report = &sequence.reports[0];
            assert!(!report.ok && report.summary.starts_with(says), "{}", report.summary);
            assert!(sequence.changes.is_empty() && sequence.ui == Ui::default());
        }
    }

    #[test]
    fn what_was_cut_is_said_beside_the_rows_and_in_the_summary() {
        let cut = Rows {
            columns: vec!["a".into()],
            rows: vec![vec![json!(1)]],
            is_cut: true,
            notes: vec!["cut at 1 row".into()],
            ..Rows::default()
        };
        let done = found(cut);
        assert_eq!(done.summary, "1 row; cut at 1 row");
        assert_eq!(done.data, Some(json!({"columns": ["a"], "rows": [[1]], "is_cut": true, "notes": ["cut at 1 row"]})));
        assert_eq!(found(Rows::default()).data, Some(json!({"columns": [], "rows": [], "is_cut": false})));
    }

    #[test]
    fn a_careful_sequence_stops_at_the_first_failure() {
        let set = |key: &str| ("set_state", json!({"key": key, "value": 1}));
        let calls = || [set("a"), ("no_such_tool", json!({})), set("b")];
        assert_eq!((run(calls(), true).reports.len(), run(calls(), false).reports.len()), (2, 3));
    }

    #[test]
    fn calls_beyond_the_bound_are_reported_as_left_out() {
        let set = |number: usize| ("set_state", json!({"key": format!("k{number}"), "value": number}));
        for is_careful in [true, false] {
            assert!(run((1..=20).map(set), is_careful).reports.iter().all(|report| report.ok));
            let few = run((1..=22).map(set), is_careful);
            assert_eq!(few.reports.len(), 21);
            assert_eq!(
                few.failure().unwrap().summary,
                "left out (one plan makes 20 calls at most; plan again what is still needed): \
                 `set_state` {\"key\":\"k21\",\"value\":21}, `set_state` {\"key\":\"k22\",\"value\":22}"
            );
            let many = run((1..=1000).map(set), is_careful);
            let said = &many.failure().unwrap().summary;
            assert!(said.len() < 400 && said.ends_with(" and 975 more"), "{said}");
        }
    }

    #[test]
    fn later_calls_see_the_changes_of_earlier_ones() {
        let calls = || {
            vec![
                (
                    "create_machine",
                    json!({"id": "lamp", "initial": "off", "states": {"off": {"buttons": ["Switch on"], "content": "It is dark."}}}),
                ),
                ("add_state", json!({"id": "lamp", "state": "on", "buttons": [{"label": "Off", "go": "off"}]})),
                ("reset_machine", json!({"id": "lamp"})),
                ("emit_actions", json!({"actions": ["Red", {"label": "Blue", "payload": {"rgb": 255}}]})),
                ("emit_display", json!({"items": [{"type": "value", "key": "count"}]})),
                ("set_state", json!({"key": "count", "value": 3})),
            ]
        };
        let sequence = run(calls(), true);
        assert!(sequence.reports.iter().all(|report| report.ok), "{:?}", sequence.reports);
        assert_eq!(
            serde_json::to_value(sequence.ui.controls()).unwrap(),
            json!([
                {"type": "button", "label": "Red", "action": "red", "source": "thinker"},
                {"type": "button", "label": "Blue", "action": "blue", "payload": {"rgb": 255}, "source": "thinker"},
                {"type": "value", "key": "count", "value": 3, "language": "en"},
                {"type": "text", "text": "It is dark."},
                {"type": "button", "label": "Switch on", "action": "switch_on", "source": "machine:lamp"},
            ])
        );
        let calls = calls().into_iter().chain([("destroy_machine", json!({"id": "lamp"}))]);
        assert!(run(calls, true).ui.machines.is_empty());
    }
}
