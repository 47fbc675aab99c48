//! MySQL and MariaDB: connections that are kept, statements that are prepared, transactions that only read.
//!
//! A connection is reset before each question and set up again (`connection.rs`, [`super::setup`]), so that nothing of the last
//! one is left. A failure of that, or of a question of ours, is never the model's. A deadline or a cancellation shuts the socket
//! down; such a connection is never used again, and the server is asked to end what it was doing.

mod connection;

use super::cells::{json, plain};
use super::mysql_lists::{self, Listed};
use super::rows::Taking;
use super::source::{Address, ROW_BYTES_MAX};
use super::trouble::{Trouble, TroubleKind, said};
use super::watch::{self, Socket};
use super::{failed, in_trouble, refused};
use crate::contract::{CallError, DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseLimits, Refused};
use crate::work::call::Cancel;
use mysql::consts::ColumnType;
use mysql::prelude::Queryable;
use mysql::{Column, Conn, DriverError, Error, Params, Row, Value as Cell};
use mysql_common::proto::codec::error::PacketCodecError;
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Connections that are kept for the next question.
const KEPT_MAX: usize = 8;
/// A server that is down is tried again for so long, with growing pauses.
const TRYING_MAX: Duration = Duration::from_millis(1_500);
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// Rows beyond the cut that are read to keep the connection; with more it is cheaper to make a new one.
const DRAINED_MAX: usize = 2_000;
/// Warnings of one statement that are noted.
const WARNINGS_MAX: usize = 3;
/// What the server changed or left out of an answer without failing: a text cut or read as another number, a date that is none,
/// a division by zero, a recursion that ended too soon.
const WARNINGS_NOTED: [u64; 10] = [1260, 1264, 1265, 1292, 1301, 1365, 1366, 1411, 1441, 1931];

pub(super) struct Mysql(Arc<Shared>);

struct Shared {
    address: Address,
    kept: Mutex<Vec<Conn>>,
    connecting: AtomicUsize,
    /// A server that was loaded with the sample says so once it is asked.
    is_sample: AtomicBool,
    /// What it refuses to set, and is not asked for again.
    refused: Mutex<BTreeSet<&'static str>>,
}

/// Why a question brought no answer.
pub(super) enum Failure {
    Server(Error),
    /// The server's answer to something that we ask for ourselves.
    Ours(Error),
    /// Its own answer.
    Refused(Box<DatabaseAnswer>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Server(error)
    }
}

impl Mysql {
    pub(super) fn new(address: Address) -> Self {
        let (connecting, is_sample) = (AtomicUsize::new(0), AtomicBool::new(false));
        let shared = Shared { address, kept: Mutex::default(), connecting, is_sample, refused: Mutex::default() };
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
                Some(Ok(_)) => {}
                // It was kept too long; a new one is made.
                Some(Err(_)) if !is_fresh && !cancel.is_cancelled() && Instant::now() < due => {
                    drop(guard);
                    continue;
                }
                Some(Err(error)) => return self.0.failed(Failure::Ours(error), due, cancel),
            }
            let again = shut.clone();
            let asked = cancel.interruptible(move || again.shut(), || self.0.answer(&mut conn, ask, limits, &shut));
            let asked = asked.ok_or(CallError::Cancelled)?;
            drop(guard);
            let is_broken = matches!(&asked, Err(Failure::Server(error) | Failure::Ours(error)) if !matches!(error, Error::MySqlError(_)));
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
                Err(trouble) if !trouble.kind.is_retried() || Instant::now() + pause >= until => {
                    return Err(in_trouble(self.schema(), &trouble));
                }
                Err(_) => {}
            }
            if !cancel.pause(pause) {
                return Err(CallError::Cancelled);
            }
            pause *= 2;
        }
    }

    /// Connects as a question does, and says what is there.
    pub(super) fn look(&self, due: Instant) -> Result<String, Trouble> {
        let mut conn = self.0.clone().connect_by(due)?;
        let _guard = watch::guard(Socket::new(conn.as_raw_fd()), due);
        let has = self.0.ready(&mut conn, due).map_err(|error| Trouble::new(TroubleKind::RefusedSetting, said(&error)))?;
        let tls = conn.query_first::<Row, _>("SHOW STATUS LIKE 'Ssl_version'").ok().flatten();
        let tls = tls.and_then(|row| row.unwrap().pop()).and_then(plain).filter(|version| !version.is_empty());
        let mut found = format!("version {}", has.get("version").map_or("unknown", String::as_str));
        found.push_str(&tls.map_or_else(|| ", not encrypted".to_owned(), |version| format!(", {version}")));
        for refused in self.0.refused().iter() {
            found.push_str(&format!(", refuses {refused}"));
        }
        Ok(found)
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

    fn answer(
        &self,
        conn: &mut Conn,
        ask: &DatabaseAsk,
        limits: DatabaseLimits,
        socket: &Socket,
    ) -> Result<(DatabaseAnswer, bool), Failure> {
        let (answer, is_whole) = match ask {
            DatabaseAsk::Tables => self.listed(mysql_lists::tables(conn, &self.address.schema, limits, socket))?,
            DatabaseAsk::Describe { table } => mysql_lists::describe(conn, &self.address.schema, table, limits, socket).map_err(ours)?,
            DatabaseAsk::Columns => self.listed(mysql_lists::columns(conn, &self.address.schema, limits, socket))?,
            DatabaseAsk::Range { .. } => unreachable!("a range is asked for column by column"),
            DatabaseAsk::Query { sql } => take(conn, sql, Params::Empty, limits, socket, |row, columns| {
                row.into_iter().zip(columns).map(|(cell, column)| json(cell, column)).collect()
            })?,
        };
        if is_whole {
            conn.query_drop("ROLLBACK").map_err(Failure::Ours)?;
        }
        Ok((answer, is_whole))
    }

    /// An answer that also says whether the server holds the sample.
    fn listed(&self, listed: Result<Listed, Failure>) -> Result<(DatabaseAnswer, bool), Failure> {
        let Listed { answer, is_whole, is_sample } = listed.map_err(ours)?;
        self.is_sample.store(is_sample, Ordering::Relaxed);
        Ok((answer, is_whole))
    }

    fn failed(&self, failure: Failure, due: Instant, cancel: &Cancel) -> Result<DatabaseAnswer, CallError> {
        let (error, is_ours) = match failure {
            Failure::Refused(answer) => return Ok(*answer),
            Failure::Server(error) => (error, false),
            Failure::Ours(error) => (error, true),
        };
        if cancel.is_cancelled() {
            return Err(CallError::Cancelled);
        }
        let broken = |fault| Err(failed(&self.address.schema, fault, &said(&error)));
        let error = match error {
            Error::MySqlError(ref error) => error,
            Error::CodecError(PacketCodecError::PacketTooLarge) | Error::DriverError(DriverError::PacketTooLarge) => {
                let says =
                    format!("a row is larger than {} MB: take fewer columns, or LEFT(column, 1000) of long ones", ROW_BYTES_MAX >> 20);
                return Ok(refused(says, Refused::Other));
            }
            _ => return broken(if Instant::now() >= due { DatabaseFault::Deadline } else { DatabaseFault::Broken }),
        };
        match error.code {
            // The time of a statement is up, or someone ended it.
            1969 | 3024 | 1317 => broken(DatabaseFault::Deadline),
            // The connection is being ended, the server too.
            1053 | 1927 | 1077 | 1079 | 4031 => broken(DatabaseFault::Broken),
            1040 | 1203 | 1226 => broken(DatabaseFault::Unreachable),
            _ if is_ours => {
                let trouble = Trouble::new(TroubleKind::RefusedSetting, format!("{}: {}", error.code, error.message));
                Err(in_trouble(&self.address.schema, &trouble))
            }
            1044 | 1045 | 1049 => broken(DatabaseFault::Misconfigured),
            1146 | 1051 | 1109 => Ok(refused(&*error.message, Refused::UnknownTable)),
            1054 => Ok(refused(&*error.message, Refused::UnknownColumn)),
            // These name the user and the host.
            1142 | 1143 | 1227 | 1370 => Ok(refused("this database gives no right to read that", Refused::Other)),
            _ => Ok(refused(without_places(&error.message), Refused::Other)),
        }
    }
}

/// Runs a statement and takes its rows; the second says whether all of them were read.
pub(super) fn take(
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
    for note in warnings(conn) {
        taking.note(note);
    }
    conn.close(statement)?;
    Ok((DatabaseAnswer::Rows(taking.done()), true))
}

/// Where an answer isn't what its statement says, in the server's words.
fn warnings(conn: &mut Conn) -> Vec<String> {
    if conn.warnings() == 0 {
        return Vec::new();
    }
    let noted = |row: Row| {
        let cells: Option<[Cell; 3]> = row.unwrap().try_into().ok();
        let [_, code, message] = cells?;
        let code: u64 = plain(code)?.parse().ok()?;
        WARNINGS_NOTED.contains(&code).then(|| plain(message))?
    };
    match conn.query::<Row, _>("SHOW WARNINGS") {
        Ok(rows) => {
            let all: Vec<String> = rows.into_iter().filter_map(noted).collect();
            let more = all.len().saturating_sub(WARNINGS_MAX);
            let mut notes: Vec<String> =
                all.into_iter().take(WARNINGS_MAX).map(|message| format!("the database warns: {}", without_places(&message))).collect();
            if more > 0 {
                notes.push(format!("the database warns {more} more times"));
            }
            notes
        }
        Err(error) => {
            tracing::debug!(cause = said(&error), "warnings can't be read");
            vec!["the database gives a warning that can't be read".to_owned()]
        }
    }
}

/// The server refuses a question that no model wrote.
fn ours(failure: Failure) -> Failure {
    match failure {
        Failure::Server(error) | Failure::Ours(error) => Failure::Ours(error),
        Failure::Refused(answer) => Failure::Refused(answer),
    }
}

/// A message without `'user'@'host'`.
fn without_places(message: &str) -> String {
    if message.contains("'@'") { "the database refuses the statement".to_owned() } else { message.to_owned() }
}
