//! Surveys: what a database holds, read without a model, so that a plan can be made before anything was asked.
//!
//! One at a time for each database, on a thread of its own that nobody waits for, through the same connections, read-only guard and
//! limits as models' queries. A survey is done again once it is old or was contradicted, when its database is next asked. It is
//! careful with what is large: of tables with many rows only the ends of indexes are read, and each table has a time of its own.

use super::look::{Class, Look, may_be_few, one_line, range};
use super::{Backend, Databases, Known};
use crate::contract::{
    CallError, DatabaseAnswer, DatabaseAsk, DatabaseLimits, Dialect, Holds, Rows, Survey, SurveyedColumn, SurveyedTable, clip,
};
use crate::sql;
use crate::work::call::Cancel;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Tables and columns beyond are left out, and the survey says that there are more.
const TABLES_MAX: usize = 2_000;
const LISTED: DatabaseLimits = DatabaseLimits { rows_max: 20_000, bytes_max: 4 << 20, time_ms_max: 15_000 };
/// Bytes of a type or a comment.
const TEXT_BYTES_MAX: usize = 200;
/// Tables with more rows are not read through.
const SCANNED_ROWS_MAX: u64 = 100_000;
/// Columns whose ends are read in one statement.
const ENDS_MAX: usize = 50;
const TABLE_TIME: Duration = Duration::from_secs(2);
const SURVEY_TIME: Duration = Duration::from_secs(30);
/// How old a survey gets.
const FRESH: Duration = Duration::from_secs(600);
/// One that failed or was contradicted is done again no sooner, and no sooner than this many times as long as the last one took.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_TIMES: u32 = 20;

/// What the answer to [`DatabaseAsk::Columns`] says of each column. `rows` is an estimate, or NULL.
pub(super) const COLUMNS: [&str; 10] = ["table", "about", "rows", "is_view", "column", "type", "nullable", "key", "references", "comment"];

/// A database's survey, and when the next is due.
#[derive(Default)]
pub(super) struct Surveys(Mutex<State>);

#[derive(Default)]
struct State {
    /// Somebody wants surveys at all.
    is_wanted: bool,
    is_running: bool,
    is_stale: bool,
    latest: Option<Arc<Survey>>,
    /// When the last one ended, and how long it took.
    last: Option<(Instant, Duration)>,
}

impl Surveys {
    pub(super) fn latest(&self) -> Option<Arc<Survey>> {
        self.state().latest.clone()
    }

    /// What a database answers may show that the survey is old: it is done again.
    pub(super) fn compare(&self, described: &Rows) {
        let mut state = self.state();
        let Some(survey) = &state.latest else { return };
        let table = survey.tables.iter().find(|table| Some(&table.name) == described.table.as_ref());
        let differs = match table {
            Some(table) => {
                let known = table.columns.iter().map(|column| (Some(column.name.as_str()), Some(column.kind.as_str())));
                let found = described.rows.iter().map(|row| (row.first().and_then(Value::as_str), row.get(1).and_then(Value::as_str)));
                !described.is_cut && !known.eq(found)
            }
            None => !survey.is_cut,
        };
        state.is_stale |= differs;
    }

    /// Whether a survey is due now; if so, the caller has to run it.
    fn begins(&self) -> bool {
        let mut state = self.state();
        let is_due = state.last.is_none_or(|(ended, took)| {
            let wait = if state.is_stale || state.latest.is_none() { PAUSE.max(took * PAUSE_TIMES) } else { FRESH };
            ended.elapsed() >= wait
        });
        let begins = state.is_wanted && !state.is_running && is_due;
        if begins {
            (state.is_running, state.is_stale) = (true, false);
        }
        begins
    }

    /// One that failed leaves what there was.
    fn ended(&self, found: Option<Survey>, took: Duration) {
        let mut state = self.state();
        (state.is_running, state.last) = (false, Some((Instant::now(), took)));
        match found {
            Some(found) if state.latest.as_deref() != Some(&found) => state.latest = Some(Arc::new(found)),
            Some(_) => {}
            None => state.is_stale = true,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

impl Databases {
    /// Surveys all databases, now and whenever it is due; nobody waits for it.
    pub fn keep_surveyed(&self) {
        for known in self.0.iter() {
            known.surveys.state().is_wanted = true;
        }
        (0..self.0.len()).for_each(|place| self.survey_if_due(place));
    }

    /// Surveys all databases once and waits for it. One that can't be used has none.
    pub fn survey(&self) {
        for known in self.0.iter() {
            let begun = Instant::now();
            known.surveys.ended(known.survey(), begun.elapsed());
        }
    }

    pub(super) fn survey_if_due(&self, place: usize) {
        if !self.0[place].surveys.begins() {
            return;
        }
        let databases = self.clone();
        let survey = move || {
            let known = &databases.0[place];
            let begun = Instant::now();
            let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| known.survey()));
            known.surveys.ended(found.unwrap_or_default(), begun.elapsed());
        };
        if thread::Builder::new().name("survey".to_owned()).stack_size(sql::STACK_BYTES).spawn(survey).is_err() {
            self.0[place].surveys.ended(None, Duration::ZERO);
        }
    }
}

impl Known {
    /// Nothing where the database can't be asked; the log says why.
    fn survey(&self) -> Option<Survey> {
        let until = Instant::now() + SURVEY_TIME;
        let cancel = Cancel::default();
        let listed = match self.backend.ask(&DatabaseAsk::Columns, LISTED, until, &cancel) {
            Ok(DatabaseAnswer::Rows(rows)) => rows,
            Ok(DatabaseAnswer::Refused { message, .. }) => {
                tracing::warn!(database = self.name, cause = message, "the database can't be surveyed");
                return None;
            }
            Err(_) => return None,
        };
        let mut survey = Survey { tables: Vec::new(), is_cut: listed.is_cut };
        let mut views = Vec::new();
        for row in &listed.rows {
            let text = |place: usize| row.get(place).and_then(Value::as_str).unwrap_or_default();
            if survey.tables.last().is_none_or(|table: &SurveyedTable| table.name != text(0)) {
                if survey.tables.len() == TABLES_MAX {
                    survey.is_cut = true;
                    break;
                }
                let rows = text(2).parse().ok();
                let is_view = row[3] == true;
                views.extend(is_view.then_some(survey.tables.len()));
                let about = clip(&one_line(text(1)), TEXT_BYTES_MAX);
                survey.tables.push(SurveyedTable {
                    name: text(0).to_owned(),
                    comment: about,
                    rows,
                    is_estimate: true,
                    columns: Vec::new(),
                });
            }
            let column = SurveyedColumn {
                name: text(4).to_owned(),
                kind: clip(text(5), TEXT_BYTES_MAX),
                nullable: row[6] == true,
                key: text(7).to_owned(),
                references: row[8].as_str().map(str::to_owned),
                comment: clip(&one_line(text(9)), TEXT_BYTES_MAX),
                holds: None,
            };
            survey.tables.last_mut().expect("a column's table was just added").columns.push(column);
        }
        if listed.is_cut {
            // Its columns may not all be there.
            survey.tables.pop();
        }
        for (place, table) in survey.tables.iter_mut().enumerate() {
            let now = Instant::now();
            if now < until && !views.contains(&place) {
                self.look_into(table, Look { backend: &self.backend, due: until.min(now + TABLE_TIME), cancel: &cancel });
            }
        }
        Some(survey)
    }

    /// Counts a table's rows and looks at what stands in its columns, as far as that takes little.
    fn look_into(&self, table: &mut SurveyedTable, look: Look<'_>) {
        let name = self.quoted(&table.name);
        let is_small = table.rows.is_none_or(|rows| rows <= SCANNED_ROWS_MAX) && {
            let counted = look.one(&format!("SELECT COUNT(*) FROM (SELECT 1 FROM {name} LIMIT {}) AS some", SCANNED_ROWS_MAX + 1));
            match counted.and_then(|count| count.as_u64()) {
                Some(count @ 0..=SCANNED_ROWS_MAX) => {
                    (table.rows, table.is_estimate) = (Some(count), false);
                    true
                }
                Some(_) | None => false,
            }
        };
        if !is_small && self.dialect() == Dialect::Sqlite {
            // There are no statistics; the last number given to a row is about how many there are.
            table.rows = look.one(&format!("SELECT MAX(rowid) FROM {name}")).and_then(|rows| rows.as_u64());
        }
        let rows = table.rows.unwrap_or_default();
        let is_worth = |column: &&mut SurveyedColumn| {
            let has_own_values = column.key != "primary" && column.key != "unique" && column.references.is_none();
            has_own_values && (is_small || column.key == "index")
        };
        let mut columns: Vec<(&mut SurveyedColumn, Class)> =
            table.columns.iter_mut().filter(is_worth).filter_map(|column| Class::of(&column.kind).map(|class| (column, class))).collect();
        for some in columns.chunks_mut(ENDS_MAX) {
            let names: Vec<String> = some.iter().map(|(column, _)| self.quoted(&column.name)).collect();
            let ends = look.ends(&name, &names, is_small);
            for ((column, class), ends) in some.iter_mut().zip(ends) {
                column.holds = ends.and_then(|ends| range(*class, ends));
            }
        }
        for (column, class) in columns.into_iter().filter(|_| is_small) {
            let column_name = self.quoted(&column.name);
            if let Some(values) = may_be_few(class, column.holds.as_ref()).then(|| look.values(&name, &column_name, class)).flatten()
                // Where nearly each row has a value of its own, these are no statuses or types, and may name people.
                && values.len() as u64 * 2 <= rows
            {
                column.holds = Some(Holds::Values(values));
            }
        }
    }

    /// What stands in columns now; a column of which nothing can be said in time is left out.
    pub(super) fn range(&self, columns: &[(String, String)], due: Instant, cancel: &Cancel) -> Result<DatabaseAnswer, CallError> {
        let mut found = Rows { columns: vec!["column".to_owned(), "holds".to_owned()], ..Rows::default() };
        // Well before the call's own end: a look that takes too long must not cost the answer.
        let due = due.min(Instant::now() + TABLE_TIME);
        let look = Look { backend: &self.backend, due, cancel };
        for (table, column) in columns {
            let described = self.backend.ask(&DatabaseAsk::Describe { table: table.clone() }, DatabaseLimits::default(), due, cancel);
            let Ok(DatabaseAnswer::Rows(described)) = described else { continue };
            let row = described.rows.iter().find(|row| row.first().and_then(Value::as_str) == Some(column));
            let Some(class) = row.and_then(|row| Class::of(row.get(1)?.as_str()?)) else { continue };
            let (table, column) = (self.quoted(table), self.quoted(column));
            let ends = look.ends(&table, std::slice::from_ref(&column), false).pop().flatten();
            let range = ends.and_then(|ends| range(class, ends));
            let values = may_be_few(class, range.as_ref()).then(|| look.values(&table, &column, class)).flatten();
            if let Some(holds) = values.map(Holds::Values).or(range) {
                found.rows.push(vec![format!("{table}.{column}").into(), holds.to_string().into()]);
            }
        }
        if cancel.is_cancelled() { Err(CallError::Cancelled) } else { Ok(DatabaseAnswer::Rows(found)) }
    }

    fn quoted(&self, name: &str) -> String {
        sql::quoted(name, self.dialect())
    }

    fn dialect(&self) -> Dialect {
        match self.backend {
            Backend::Sqlite(_) => Dialect::Sqlite,
            Backend::Mysql(_) => Dialect::Mysql,
        }
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
