//! SQLite, built in: a file, or the sample in memory.
//!
//! Each question has a connection to itself. It can't write: the file is opened for reading, `query_only` is on, and an
//! authorizer lets nothing pass but reading tables and calling functions. What MySQL refuses with `ONLY_FULL_GROUP_BY` is refused
//! before it runs. The sample is one image that all connections read.

use super::rows::{Taking, hex, plain_type, real, text, whole};
use super::survey::COLUMNS;
use super::trouble::{Trouble, TroubleKind};
use super::{DESCRIBES, in_trouble, keys, no_such_table, referenced, refused, sample};
use crate::contract::{CallError, DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseLimits, Dialect, Refused, Rows};
use crate::sql;
use crate::work::call::Cancel;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, Row, Statement};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

/// Connections that are kept for the next question.
const KEPT_MAX: usize = 8;
const TEXT_BYTES_MAX: i32 = 16 << 20;
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 2_000;
/// Rows from which the recursions of one statement go on. A server counts levels instead, which SQLite doesn't know.
const RECURSION_ROWS_MAX: u32 = 100_000;

pub(super) struct Sqlite {
    schema: String,
    /// Nothing: the sample.
    path: Option<PathBuf>,
    kept: Mutex<Vec<Line>>,
}

/// A connection, and whether what runs on it is ours.
struct Line {
    connection: Connection,
    is_ours: Arc<AtomicBool>,
    recursion_rows: Arc<AtomicU32>,
}

impl Sqlite {
    pub(super) fn sample(name: &str) -> Self {
        Sqlite { schema: name.to_owned(), path: None, kept: Mutex::default() }
    }

    pub(super) fn file(name: &str, path: PathBuf) -> Self {
        Sqlite { schema: name.to_owned(), path: Some(path), kept: Mutex::default() }
    }

    pub(super) fn is_sample(&self) -> bool {
        self.path.is_none()
    }

    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn ask(
        &self,
        ask: &DatabaseAsk,
        limits: DatabaseLimits,
        due: Instant,
        cancel: &Cancel,
    ) -> Result<DatabaseAnswer, CallError> {
        let kept = self.kept().pop();
        let mut line = match kept {
            Some(line) => line,
            None => self.open().map_err(|error| in_trouble(&self.schema, &self.trouble(&error)))?,
        };
        let is_late = move || Instant::now() >= due;
        line.connection
            .progress_handler(STEPS, Some(is_late))
            .map_err(|error| super::failed(&self.schema, DatabaseFault::Broken, &error))?;
        let interrupt = line.connection.get_interrupt_handle();
        let asked = cancel.interruptible(move || interrupt.interrupt(), || line.answer(ask, limits, &self.schema));
        let answer = match asked {
            None => return Err(CallError::Cancelled),
            Some(Ok(answer)) => answer,
            Some(Err(error)) => self.failed(&error, cancel)?,
        };
        let mut kept = self.kept();
        if kept.len() < KEPT_MAX {
            kept.push(line);
        }
        Ok(answer)
    }

    /// Opens it as a question does, and says what is there.
    pub(super) fn look(&self) -> Result<String, Trouble> {
        let line = self.open().map_err(|error| self.trouble(&error))?;
        let count = format!("SELECT COUNT(*) FROM \"{}\".sqlite_master WHERE type IN ('table', 'view')", self.schema);
        let count: i64 =
            line.ours(|connection| connection.query_row(&count, [], |row| row.get(0))).map_err(|error| self.trouble(&error))?;
        let what = if self.is_sample() { "sample data" } else { "SQLite" };
        Ok(format!("{what}, {count} table{}", if count == 1 { "" } else { "s" }))
    }

    /// Why the file can't be used.
    fn trouble(&self, error: &Error) -> Trouble {
        let path = self.path.as_deref();
        let kind = match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen) if path.is_some_and(|path| !path.exists()) => TroubleKind::NoFile,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => TroubleKind::Busy,
            _ => TroubleKind::NoDatabaseFile,
        };
        Trouble::new(kind, format!("{}: {}", path.unwrap_or(Path::new("sample")).display(), said(error)))
    }

    /// What the database says of a statement that it refuses; or why nothing can be said.
    fn failed(&self, error: &Error, cancel: &Cancel) -> Result<DatabaseAnswer, CallError> {
        let broken = |fault| Err(super::failed(&self.schema, fault, error));
        let message = said(error);
        match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) if cancel.is_cancelled() => Err(CallError::Cancelled),
            Some(ErrorCode::OperationInterrupted) => broken(DatabaseFault::Deadline),
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::NotADatabase
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked,
            ) => Err(in_trouble(&self.schema, &self.trouble(error))),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory) => broken(DatabaseFault::Broken),
            _ if message.contains("no such table") => Ok(refused(message, Refused::UnknownTable)),
            _ if message.contains("no such column") => Ok(refused(message, Refused::UnknownColumn)),
            _ => Ok(refused(message, Refused::Other)),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Line>> {
        self.kept.lock().expect("nothing panics while it holds this lock")
    }

    /// A connection that knows what is asked under its own name, and nothing else.
    fn open(&self) -> rusqlite::Result<Line> {
        let schema = self.schema.as_str();
        let mut connection = Connection::open_in_memory_with_flags(
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        let file = self.path.as_deref().map_or_else(|| ":memory:".to_owned(), uri);
        connection.execute(&format!("ATTACH ?1 AS \"{schema}\""), [file])?;
        if self.is_sample() {
            connection.deserialize_bytes(schema, image()?)?;
        }
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        // A misspelt column in double quotes is an error, not a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.pragma_update(None, "query_only", true)?;
        // Reads the schema, and finds out whether this is a database at all.
        connection.query_row(&format!("SELECT COUNT(*) FROM \"{schema}\".sqlite_master"), [], |_| Ok(()))?;
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, TEXT_BYTES_MAX),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 64 << 10),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
            (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, most)?;
        }
        functions(&connection)?;
        let recursion_rows = Arc::new(AtomicU32::new(0));
        step(&connection, recursion_rows.clone())?;
        let is_ours = Arc::new(AtomicBool::new(false));
        let trusted = is_ours.clone();
        connection.authorizer(Some(move |context: AuthContext<'_>| verdict(context.action, trusted.load(Ordering::Relaxed))))?;
        Ok(Line { connection, is_ours, recursion_rows })
    }
}

fn verdict(action: AuthAction<'_>, is_ours: bool) -> Authorization {
    match action {
        AuthAction::Select | AuthAction::Recursive => Authorization::Allow,
        AuthAction::Read { table_name, .. } if is_ours || !table_name.to_lowercase().starts_with("sqlite_") => Authorization::Allow,
        AuthAction::Function { function_name } if !function_name.eq_ignore_ascii_case("load_extension") => Authorization::Allow,
        AuthAction::Pragma { .. } if is_ours => Authorization::Allow,
        // Tables of functions are made when they are first named.
        AuthAction::CreateVtable { .. } if is_ours => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// A path as SQLite takes it with what it may do: only read.
fn uri(path: &Path) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');
    format!("file:{}?mode=ro", percent_encode(path.as_os_str().as_encoded_bytes(), PLAIN))
}

/// The sample, made once in the life of the process.
fn image() -> rusqlite::Result<&'static [u8]> {
    static IMAGE: OnceLock<&'static [u8]> = OnceLock::new();
    if let Some(image) = IMAGE.get() {
        return Ok(image);
    }
    let mut made = Connection::open_in_memory()?;
    made.execute_batch(&sample::sql(Dialect::Sqlite))?;
    let image: Vec<u8> = made.serialize(rusqlite::MAIN_DB)?.to_vec();
    Ok(IMAGE.get_or_init(|| Box::leak(image.into_boxed_slice())))
}

/// The mathematics that MySQL has and the built-in SQLite is built without.
fn functions(connection: &Connection) -> rusqlite::Result<()> {
    type One = (&'static str, fn(f64) -> f64);
    type Two = (&'static str, fn(f64, f64) -> f64);
    const ONE: &[One] = &[
        ("acos", f64::acos),
        ("asin", f64::asin),
        ("atan", f64::atan),
        ("ceil", f64::ceil),
        ("ceiling", f64::ceil),
        ("cos", f64::cos),
        ("degrees", f64::to_degrees),
        ("exp", f64::exp),
        ("floor", f64::floor),
        ("ln", f64::ln),
        ("log", f64::log10),
        ("log10", f64::log10),
        ("log2", f64::log2),
        ("radians", f64::to_radians),
        ("sin", f64::sin),
        ("sqrt", f64::sqrt),
        ("tan", f64::tan),
        ("trunc", f64::trunc),
    ];
    const TWO: &[Two] = &[("atan2", f64::atan2), ("mod", |a, b| a % b), ("pow", f64::powf), ("power", f64::powf)];
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    for (name, function) in ONE {
        connection.create_scalar_function(*name, 1, flags, move |context| Ok(context.get::<Option<f64>>(0)?.map(function)))?;
    }
    for (name, function) in TWO {
        connection.create_scalar_function(*name, 2, flags, move |context| {
            let (a, b) = (context.get::<Option<f64>>(0)?, context.get::<Option<f64>>(1)?);
            Ok(a.zip(b).map(|(a, b)| function(a, b)))
        })?;
    }
    connection.create_scalar_function("pi", 0, flags, |_| Ok(std::f64::consts::PI))
}

/// Counts the rows of recursions, and ends one that doesn't end.
fn step(connection: &Connection, rows: Arc<AtomicU32>) -> rusqlite::Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function(sql::STEP, 0, flags, move |_| match rows.fetch_add(1, Ordering::Relaxed) {
        RECURSION_ROWS_MAX.. => Err(Error::UserFunctionError(
            format!(
                "the recursion goes through more than {RECURSION_ROWS_MAX} rows, perhaps in a circle: end it with a condition, \
                 such as one on a depth that it counts, or use UNION without ALL"
            )
            .into(),
        )),
        _ => Ok(false),
    })
}

impl Line {
    fn answer(&self, ask: &DatabaseAsk, limits: DatabaseLimits, schema: &str) -> Result<DatabaseAnswer, Error> {
        match ask {
            DatabaseAsk::Tables => self.ours(|connection| tables(connection, schema, limits)),
            DatabaseAsk::Describe { table } => self.ours(|connection| describe(connection, schema, table, limits)),
            DatabaseAsk::Query { sql } => self.query(sql, limits, schema),
            DatabaseAsk::Columns => self.ours(|connection| columns(connection, schema, limits)),
            DatabaseAsk::Range { .. } => unreachable!("a range is asked for column by column"),
        }
    }

    fn query(&self, sql: &str, limits: DatabaseLimits, schema: &str) -> Result<DatabaseAnswer, Error> {
        // First, so that names that aren't known are refused as such.
        let statement = self.connection.prepare(sql)?;
        let mut failure = None;
        let mut look = |table: &str| {
            let known = self.ours(|connection| keys::known(connection, schema, table));
            known.unwrap_or_else(|error| {
                failure = Some(error);
                None
            })
        };
        let checked = sql::check_grouping(sql, &[schema], &mut look);
        match (failure, checked) {
            (Some(error), _) => Err(error),
            (None, Err(denied)) => Ok(refused(denied.to_string(), Refused::Other)),
            (None, Ok(())) => {
                self.recursion_rows.store(0, Ordering::Relaxed);
                match sql::counting(sql, &[schema]) {
                    Ok(counting) if counting == sql => rows_of(statement, limits),
                    Ok(counting) => rows_of(self.connection.prepare(&counting)?, limits),
                    Err(denied) => Ok(refused(denied.to_string(), Refused::Other)),
                }
            }
        }
    }

    fn ours<T>(&self, ask: impl FnOnce(&Connection) -> T) -> T {
        self.is_ours.store(true, Ordering::Relaxed);
        let answer = ask(&self.connection);
        self.is_ours.store(false, Ordering::Relaxed);
        answer
    }
}

fn tables(connection: &Connection, schema: &str, limits: DatabaseLimits) -> Result<DatabaseAnswer, Error> {
    let sql = format!(
        "SELECT name FROM \"{schema}\".sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY name"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut taking = Taking::new(vec!["table".to_owned()], limits);
    let mut names = statement.query([])?;
    while let Some(row) = names.next()? {
        if !taking.take(vec![Value::String(row.get(0)?)]) {
            break;
        }
    }
    Ok(DatabaseAnswer::Rows(taking.done()))
}

fn describe(connection: &Connection, schema: &str, table: &str, limits: DatabaseLimits) -> Result<DatabaseAnswer, Error> {
    let sql = format!("SELECT {} FROM pragma_table_info(?1, ?2) c ORDER BY c.cid", column_of("?1"));
    let mut statement = connection.prepare(&sql)?;
    let mut taking = Taking::new(DESCRIBES.map(str::to_owned).to_vec(), limits);
    let mut columns = statement.query([table, schema])?;
    let mut is_known = false;
    while let Some(row) = columns.next()? {
        is_known = true;
        if !taking.take(column(row)?.to_vec()) {
            break;
        }
    }
    if !is_known {
        return Ok(no_such_table(table, Dialect::Sqlite));
    }
    let own_name = format!("SELECT name FROM \"{schema}\".sqlite_master WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE");
    let table = connection.query_row(&own_name, [table], |row| row.get(0))?;
    Ok(DatabaseAnswer::Rows(Rows { table: Some(table), ..taking.done() }))
}

/// What [`column`] reads of a column `c` of a table.
fn column_of(table: &str) -> String {
    format!(
        "c.name, c.type, c.\"notnull\", c.pk,
        (SELECT MAX(l.\"unique\") FROM pragma_index_list({table}, ?2) l JOIN pragma_index_info(l.name, ?2) i
         WHERE i.name = c.name AND i.seqno = 0),
        (SELECT f.\"table\" || char(10) || COALESCE(f.\"to\", (SELECT p.name FROM pragma_table_info(f.\"table\", ?2) p WHERE p.pk = 1))
         FROM pragma_foreign_key_list({table}, ?2) f WHERE f.\"from\" = c.name LIMIT 1)"
    )
}

/// A column as a description has it.
fn column(row: &Row<'_>) -> Result<[Value; DESCRIBES.len()], Error> {
    let (name, kind, is_needed): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (primary, unique): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
    let key = match (primary, unique) {
        (1.., _) => "primary",
        (_, Some(1)) => "unique",
        (_, Some(_)) => "index",
        (_, None) => "",
    };
    let references: Option<String> = row.get(5)?;
    let is_nullable = !is_needed && primary == 0;
    Ok([name.into(), plain_type(&kind).into(), is_nullable.into(), key.into(), referenced(references, Dialect::Sqlite)])
}

/// The columns of all tables. There are no comments and no statistics.
fn columns(connection: &Connection, schema: &str, limits: DatabaseLimits) -> Result<DatabaseAnswer, Error> {
    let sql = format!(
        "SELECT {}, ?1, m.name, m.type FROM \"{schema}\".sqlite_master m, pragma_table_info(m.name, ?2) c
         WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY m.name, c.cid",
        column_of("m.name")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut taking = Taking::new(COLUMNS.map(str::to_owned).to_vec(), limits);
    let mut rows = statement.query(["", schema])?;
    while let Some(row) = rows.next()? {
        let (about, table, what): (String, String, String) = (row.get(6)?, row.get(7)?, row.get(8)?);
        let mut cells = vec![table.into(), about.into(), Value::Null, (what == "view").into()];
        cells.extend(column(row)?);
        cells.push("".into());
        if !taking.take(cells) {
            break;
        }
    }
    Ok(DatabaseAnswer::Rows(taking.done()))
}

fn rows_of(mut statement: Statement<'_>, limits: DatabaseLimits) -> Result<DatabaseAnswer, Error> {
    if !statement.readonly() {
        return Ok(refused("only reading is allowed", Refused::Other));
    }
    let digits: Vec<Option<usize>> = statement.columns().map(|column| column.decl_type().and_then(decimals)).collect();
    let names = statement.columns().map(|column| column.name().to_owned()).collect();
    let mut taking = Taking::new(names, limits).with_decimals(digits.iter().map(|digits| digits.is_some_and(|digits| digits > 0)));
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let cell = |(place, digits): (usize, &Option<usize>)| row.get_ref(place).map(|value| json(value, *digits));
        if !taking.take(digits.iter().enumerate().map(cell).collect::<Result<_, _>>()?) {
            break;
        }
    }
    let rows: Rows = taking.done();
    Ok(DatabaseAnswer::Rows(rows))
}

/// The digits behind the point of a column that was declared as `decimal(p,s)`.
fn decimals(declared: &str) -> Option<usize> {
    let inner = declared.to_lowercase().strip_prefix("decimal(")?.strip_suffix(')')?.to_owned();
    inner.split_once(',')?.1.trim().parse().ok().filter(|digits| *digits <= 30)
}

fn json(value: ValueRef<'_>, decimals: Option<usize>) -> Value {
    match (value, decimals) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(number), Some(0)) => number.to_string().into(),
        (ValueRef::Integer(number), Some(digits)) => format!("{number}.{}", "0".repeat(digits)).into(),
        (ValueRef::Integer(number), None) => whole(number),
        (ValueRef::Real(number), Some(digits)) if number.is_finite() => decimal(number, digits).into(),
        (ValueRef::Real(number), _) => real(number),
        (ValueRef::Text(bytes), _) => text(bytes),
        (ValueRef::Blob(bytes), _) => hex(bytes),
    }
}

/// At least as many digits behind the point as were declared, and all that are there: SQLite rounds nothing when it stores.
fn decimal(number: f64, digits: usize) -> String {
    let all = number.to_string();
    let has = all.split_once('.').map_or(0, |(_, behind)| behind.len());
    if has > digits { all } else { format!("{number:.digits$}") }
}

/// The words of SQLite.
fn said(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(message)) => message.clone(),
        Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}
