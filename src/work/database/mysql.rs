//! MySQL and MariaDB: connections that are kept, statements that are prepared, transactions that only read.
//!
//! A connection is reset before each question and given its settings again, so that nothing of the last one is left. A
//! deadline or a cancellation shuts its socket down; such a connection is never used again, and the server is asked to end
//! what it was doing.

use super::rows::{Taking, hex, plain_type, real, whole, whole_unsigned};
use super::source::Address;
use super::watch::{self, Socket};
use super::{DESCRIBES, failed, refused, sample};
use crate::contract::{CallError, DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseLimits, Refused};
use crate::work::call::Cancel;
use mysql::consts::ColumnType;
use mysql::prelude::Queryable;
use mysql::{Column, Conn, Error, Params, Value as Cell};
use serde_json::Value;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Connections that are kept for the next question.
const KEPT_MAX: usize = 8;
/// Connections that are being made; a server that takes none would gather them.
const CONNECTING_MAX: usize = 16;
/// A server that is down is tried again for so long, with growing pauses.
const TRYING_MAX: Duration = Duration::from_millis(1_500);
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Rows beyond the cut that are read to keep the connection; with more it is cheaper to make a new one.
const DRAINED_MAX: usize = 2_000;
const STACK_BYTES: usize = 256 << 10;

pub(super) struct Mysql(Arc<Shared>);

struct Shared {
    address: Address,
    kept: Mutex<Vec<Conn>>,
    connecting: AtomicUsize,
    /// A server that was loaded with the sample says so once it is asked.
    is_sample: AtomicBool,
}

/// Why a question brought no answer.
enum Failure {
    Server(Error),
    /// Its own answer.
    Refused(DatabaseAnswer),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Server(error)
    }
}

impl Mysql {
    pub(super) fn new(address: Address) -> Self {
        let shared = Shared { address, kept: Mutex::default(), connecting: AtomicUsize::new(0), is_sample: AtomicBool::new(false) };
        Mysql(Arc::new(shared))
    }

    pub(super) fn schema(&self) -> &str {
        &self.0.address.schema
    }

    pub(super) fn is_sample(&self) -> bool {
        self.0.is_sample.load(Ordering::Relaxed)
    }

    pub(super) fn ask(
        &self,
        ask: &DatabaseAsk,
        limits: DatabaseLimits,
        due: Instant,
        cancel: &Cancel,
    ) -> Result<DatabaseAnswer, CallError> {
        loop {
            let kept = self.0.kept().pop();
            let is_fresh = kept.is_none();
            let mut conn = match kept {
                Some(conn) => conn,
                None => self.connect(due, cancel)?,
            };
            let socket = Socket::new(conn.as_raw_fd());
            let guard = watch::guard(socket.clone(), due);
            let shut = socket.clone();
            let id = conn.connection_id();
            let ready = cancel.interruptible(move || socket.shut(), || self.0.ready(&mut conn, due));
            match ready {
                None => return Err(CallError::Cancelled),
                Some(Ok(())) => {}
                // It was kept too long; a new one is made.
                Some(Err(_)) if !is_fresh && !cancel.is_cancelled() && Instant::now() < due => {
                    drop(guard);
                    continue;
                }
                Some(Err(error)) => return self.0.failed(Failure::Server(error), due, cancel),
            }
            let again = shut.clone();
            let asked = cancel.interruptible(move || again.shut(), || self.0.answer(&mut conn, ask, limits, &shut));
            let asked = asked.ok_or(CallError::Cancelled)?;
            drop(guard);
            let is_broken = matches!(&asked, Err(Failure::Server(error)) if !matches!(error, Error::MySqlError(_)));
            if is_broken {
                drop(conn);
                if cancel.is_cancelled() || Instant::now() >= due {
                    self.0.clone().kill(id);
                }
            } else if let Ok((_, true)) | Err(_) = &asked {
                self.0.keep(conn);
            }
            return match asked {
                Ok((answer, _)) => Ok(answer),
                Err(failure) => self.0.failed(failure, due, cancel),
            };
        }
    }

    /// A new connection. A server that is down may be coming back: it is tried again for a while.
    fn connect(&self, due: Instant, cancel: &Cancel) -> Result<Conn, CallError> {
        let until = due.min(Instant::now() + TRYING_MAX);
        let mut pause = PAUSE_FIRST;
        loop {
            match self.0.clone().connect_by(due) {
                Ok(conn) => return Ok(conn),
                Err((fault, cause)) if !matches!(fault, DatabaseFault::Unreachable) || Instant::now() + pause >= until => {
                    return Err(failed(self.schema(), fault, &cause));
                }
                Err(_) => {}
            }
            if !cancel.pause(pause) {
                return Err(CallError::Cancelled);
            }
            pause *= 2;
        }
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Vec<Conn>> {
        self.kept.lock().expect("nothing panics while it holds this lock")
    }

    fn keep(&self, conn: Conn) {
        let mut kept = self.kept();
        if kept.len() < KEPT_MAX {
            kept.push(conn);
        }
    }

    /// On a thread of its own: a server that takes the connection and then says nothing is waited for no longer than `due`.
    fn connect_by(self: Arc<Self>, due: Instant) -> Result<Conn, (DatabaseFault, String)> {
        let unreachable = |cause: String| (DatabaseFault::Unreachable, cause);
        if self.connecting.fetch_add(1, Ordering::Relaxed) >= CONNECTING_MAX {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(unreachable(format!("{CONNECTING_MAX} connections are being made already")));
        }
        let (to, conn) = channel();
        let shared = self.clone();
        let connect = move || {
            let conn = Conn::new(shared.address.options.clone());
            shared.connecting.fetch_sub(1, Ordering::Relaxed);
            let _ = to.send(conn);
        };
        if let Err(error) = thread::Builder::new().name("connecting".to_owned()).stack_size(STACK_BYTES).spawn(connect) {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(unreachable(error.to_string()));
        }
        match conn.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Ok(conn)) => Ok(conn),
            Ok(Err(error)) => Err(unreachable(error.to_string())),
            Err(RecvTimeoutError::Disconnected) => Err(unreachable("connecting panicked".to_owned())),
            Err(RecvTimeoutError::Timeout) => Err((DatabaseFault::Deadline, "no connection in time".to_owned())),
        }
    }

    /// Takes away what the last question left, and sets what every question needs.
    fn ready(&self, conn: &mut Conn, due: Instant) -> Result<(), Error> {
        conn.reset()?;
        let left = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(10));
        let is_mariadb = conn.query_first::<String, _>("SELECT VERSION()")?.is_some_and(|version| version.contains("MariaDB"));
        let bounds = match is_mariadb {
            true => format!("max_statement_time = {:.3}, max_recursive_iterations = 10000", left.as_secs_f64()),
            false => format!("max_execution_time = {}, cte_max_recursion_depth = 10000", left.as_millis()),
        };
        // The gate reads texts, names and backslashes as this mode does.
        conn.query_drop(format!(
            "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', lock_wait_timeout = 5, group_concat_max_len = 65536, {bounds}"
        ))?;
        conn.query_drop("SET NAMES utf8mb4")?;
        conn.query_drop("START TRANSACTION READ ONLY")
    }

    /// The answer, and whether the connection is fit for another question.
    fn answer(
        &self,
        conn: &mut Conn,
        ask: &DatabaseAsk,
        limits: DatabaseLimits,
        socket: &Socket,
    ) -> Result<(DatabaseAnswer, bool), Failure> {
        let (answer, is_whole) = match ask {
            DatabaseAsk::Tables => self.tables(conn, limits, socket)?,
            DatabaseAsk::Describe { table } => self.describe(conn, table, limits, socket)?,
            DatabaseAsk::Query { sql } => take(conn, sql, Params::Empty, limits, socket, |row, columns| {
                row.into_iter().zip(columns).map(|(cell, column)| json(cell, column)).collect()
            })?,
        };
        if is_whole {
            conn.query_drop("ROLLBACK")?;
        }
        Ok((answer, is_whole))
    }

    fn tables(&self, conn: &mut Conn, limits: DatabaseLimits, socket: &Socket) -> Result<(DatabaseAnswer, bool), Failure> {
        let sql = "SELECT table_name AS `table`, table_comment FROM information_schema.tables WHERE table_schema = ? ORDER BY table_name";
        let mut is_sample = false;
        let (mut answer, is_whole) = take(conn, sql, (&self.address.schema,).into(), limits, socket, |row, columns| {
            let mut cells: Vec<Value> = row.into_iter().zip(columns).map(|(cell, column)| json(cell, column)).collect();
            is_sample |= cells.pop().is_some_and(|about| about.as_str().is_some_and(|about| about.starts_with(sample::MARK)));
            cells
        })?;
        self.is_sample.store(is_sample, Ordering::Relaxed);
        if let DatabaseAnswer::Rows(rows) = &mut answer {
            rows.columns.truncate(1);
        }
        Ok((answer, is_whole))
    }

    fn describe(&self, conn: &mut Conn, table: &str, limits: DatabaseLimits, socket: &Socket) -> Result<(DatabaseAnswer, bool), Failure> {
        let sql = "SELECT c.column_name, c.column_type, c.is_nullable, c.column_key,
            (SELECT CONCAT(k.referenced_table_name, '.', k.referenced_column_name) FROM information_schema.key_column_usage k
             WHERE k.table_schema = c.table_schema AND k.table_name = c.table_name AND k.column_name = c.column_name
             AND k.referenced_table_name IS NOT NULL LIMIT 1)
            FROM information_schema.columns c WHERE c.table_schema = ? AND c.table_name = ? ORDER BY c.ordinal_position";
        let (mut answer, is_whole) = take(conn, sql, (&self.address.schema, table).into(), limits, socket, |row, columns| {
            let cells: Vec<Value> = row.into_iter().zip(columns).map(|(cell, column)| json(cell, column)).collect();
            let text = |place: usize| cells[place].as_str().unwrap_or_default();
            let key = match text(3) {
                "PRI" => "primary",
                "UNI" => "unique",
                "MUL" => "index",
                _ => "",
            };
            vec![text(0).into(), plain_type(text(1)).into(), (text(2) == "YES").into(), key.into(), cells[4].clone()]
        })?;
        if let DatabaseAnswer::Rows(rows) = &mut answer {
            rows.columns = DESCRIBES.map(str::to_owned).to_vec();
            if rows.rows.is_empty() {
                return Err(Failure::Refused(refused(format!("no such table: {table}"), Refused::UnknownTable)));
            }
        }
        Ok((answer, is_whole))
    }

    fn failed(&self, failure: Failure, due: Instant, cancel: &Cancel) -> Result<DatabaseAnswer, CallError> {
        let error = match failure {
            Failure::Refused(answer) => return Ok(answer),
            Failure::Server(error) => error,
        };
        if cancel.is_cancelled() {
            return Err(CallError::Cancelled);
        }
        let broken = |fault, cause: &dyn std::fmt::Display| Err(failed(&self.address.schema, fault, cause));
        let Error::MySqlError(error) = error else {
            return broken(if Instant::now() >= due { DatabaseFault::Deadline } else { DatabaseFault::Broken }, &error);
        };
        match error.code {
            // The time of a statement is up, or someone ended it.
            1969 | 3024 | 1317 => broken(DatabaseFault::Deadline, &error),
            // The connection is being ended, the server too.
            1053 | 1927 | 1077 | 1079 | 4031 => broken(DatabaseFault::Broken, &error),
            1040 | 1044 | 1045 | 1049 | 1203 | 1226 => broken(DatabaseFault::Unreachable, &error),
            1146 | 1051 | 1109 => Ok(refused(error.message, Refused::UnknownTable)),
            1054 => Ok(refused(error.message, Refused::UnknownColumn)),
            // These name the user and the host.
            1142 | 1143 | 1227 | 1370 => Ok(refused("this database gives no right to read that", Refused::Other)),
            _ => Ok(refused(without_places(&error.message), Refused::Other)),
        }
    }

    /// Asks the server to end a statement that nobody waits for any more.
    fn kill(self: Arc<Self>, id: u32) {
        let due = Instant::now() + Duration::from_secs(5);
        let kill = move || {
            if let Ok(mut conn) = self.connect_by(due) {
                let _guard = watch::guard(Socket::new(conn.as_raw_fd()), due);
                let _ = conn.query_drop(format!("KILL {id}"));
            }
        };
        // Where there is no thread, the server's own time limit ends it.
        let _ = thread::Builder::new().name("ending a statement".to_owned()).stack_size(STACK_BYTES).spawn(kill);
    }
}

/// Runs a statement and takes its rows; the second says whether all of them were read.
fn take(
    conn: &mut Conn,
    sql: &str,
    params: Params,
    limits: DatabaseLimits,
    socket: &Socket,
    mut row_of: impl FnMut(Vec<Cell>, &[Column]) -> Vec<Value>,
) -> Result<(DatabaseAnswer, bool), Failure> {
    let statement = conn.prep(sql)?;
    let mut result = conn.exec_iter(&statement, params)?;
    let columns: Vec<Column> = result.columns().as_ref().to_vec();
    let mut taking = Taking::new(columns.iter().map(|column| column.name_str().into_owned()).collect(), limits)
        .with_decimals(columns.iter().map(|column| column.column_type() == ColumnType::MYSQL_TYPE_NEWDECIMAL && column.decimals() > 0));
    let mut beyond = 0;
    let mut is_full = false;
    for row in result.by_ref() {
        let cells = row?.unwrap();
        is_full = is_full || !taking.take(row_of(cells, &columns));
        beyond += usize::from(is_full);
        if beyond > DRAINED_MAX {
            // Dropping the result would read all of the rest.
            socket.shut();
            return Ok((DatabaseAnswer::Rows(taking.done()), false));
        }
    }
    drop(result);
    conn.close(statement)?;
    Ok((DatabaseAnswer::Rows(taking.done()), true))
}

fn json(cell: Cell, column: &Column) -> Value {
    const BINARY: u16 = 63;
    match cell {
        Cell::NULL => Value::Null,
        Cell::Int(number) => whole(number),
        Cell::UInt(number) => whole_unsigned(number),
        // As it is written, not as its nearest neighbour with more digits.
        Cell::Float(number) => number.to_string().parse().map_or(Value::Null, real),
        Cell::Double(number) => real(number),
        Cell::Bytes(bytes) => match column.column_type() {
            ColumnType::MYSQL_TYPE_BIT => hex(&bytes),
            ColumnType::MYSQL_TYPE_NEWDECIMAL | ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_JSON => text(bytes),
            _ if column.character_set() == BINARY && std::str::from_utf8(&bytes).is_err() => hex(&bytes),
            _ => text(bytes),
        },
        Cell::Date(year, month, day, hour, minute, second, micro) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            let is_date = column.column_type() == ColumnType::MYSQL_TYPE_DATE;
            Value::String(if is_date { date } else { format!("{date} {}", clock(u32::from(hour), minute, second, micro)) })
        }
        Cell::Time(is_negative, days, hours, minute, second, micro) => {
            let sign = if is_negative { "-" } else { "" };
            Value::String(format!("{sign}{}", clock(days * 24 + u32::from(hours), minute, second, micro)))
        }
    }
}

fn clock(hour: u32, minute: u8, second: u8, micro: u32) -> String {
    let rest = if micro == 0 { String::new() } else { format!(".{micro:06}") };
    format!("{hour:02}:{minute:02}:{second:02}{rest}")
}

fn text(bytes: Vec<u8>) -> Value {
    Value::String(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A message without `'user'@'host'`.
fn without_places(message: &str) -> String {
    if message.contains("'@'") { "the database refuses the statement".to_owned() } else { message.to_owned() }
}
