//! A connection that is opened when it is needed and closed when it is in doubt, and the statements that run on it.

use super::super::engine::{Access, Outcome, unreadable};
use super::super::sql::{Bounds, Cell, Dialect, Row, Sql, Value};
use super::super::{Kind, StoreError};
use super::place::{Files, MOVED, log_of, moved};
use super::trouble::{failed, failed_io, read_only, refused};
use super::{is_sound, lock, schema};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, MAIN_DB, OpenFlags, ToSql};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a connection waits for another one. Only checkpoints and a first opening wait at all.
const BUSY_MAX: Duration = Duration::from_secs(5);
/// What the write-ahead log shrinks to after a checkpoint, once it was larger.
const LOG_BYTES_MAX: u64 = 64 << 20;
/// Pages of the write-ahead log after which it is copied into the file: pages that change often are copied once for many commits.
const LOG_PAGES: u32 = 4_000;
const STATEMENTS_KEPT_MAX: usize = 64;
/// What a path in a URL is encoded without.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

#[derive(Debug)]
pub(super) struct Handle {
    path: PathBuf,
    access: Access,
    connection: Option<Connection>,
    /// What it has open.
    files: Option<Files>,
}

impl Handle {
    pub(super) fn open(path: PathBuf, access: Access) -> Outcome<Handle> {
        let mut handle = Handle { path, access, connection: None, files: None };
        handle.connection()?;
        Ok(handle)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn connection(&mut self) -> Outcome<&mut Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let connection = none.insert(connect(&self.path, self.access)?);
                self.files = Some(Files::at(&self.path)?);
                Ok(connection)
            }
        }
    }

    /// Runs statements without a transaction around them.
    pub(super) fn run<T>(&mut self, mut work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T> {
        self.connection()?;
        let (connection, path) = (self.connection.as_ref().expect("it was opened above"), &self.path);
        let done = work(&mut On { connection, path });
        self.close_if_in_doubt(&done);
        done
    }

    /// Runs statements in a transaction, durable when this returns.
    pub(super) fn transaction<T>(&mut self, mut work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T> {
        self.connection()?;
        self.check_in_place()?;
        self.run(|sql| {
            sql.run("BEGIN IMMEDIATE", &[])?;
            let done = work(sql).and_then(|value| sql.run("COMMIT", &[]).map(|_| value));
            if done.is_err() {
                // SQLite may have rolled back by itself. If it could not, the connection is closed.
                let _ = sql.run("ROLLBACK", &[]);
            }
            done
        })
    }

    /// Checks that what is written now will be found where it belongs.
    fn check_in_place(&self) -> Outcome<()> {
        let is_in_place = self.files.map_or(Ok(()), |files| files.check(&self.path));
        if let (Err(_), Some(connection)) = (&is_in_place, &self.connection) {
            // What only the log has would be lost with a log that was deleted. The connection still has both files.
            let _ = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
        is_in_place
    }

    /// Copies the write-ahead log into the file and empties it. False if a reader kept it from that.
    pub(super) fn truncate_log(&mut self, wait: Duration) -> Outcome<bool> {
        let path = self.path.clone();
        let connection = self.connection()?;
        let failed = |error: &rusqlite::Error| failed(&path, error);
        connection.busy_timeout(wait).map_err(|error| failed(&error))?;
        let is_busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        connection.busy_timeout(BUSY_MAX).map_err(|error| failed(&error))?;
        let done = is_busy.map(|is_busy| !is_busy).map_err(|error| failed(&error));
        self.close_if_in_doubt(&done);
        done
    }

    fn close_if_in_doubt<T>(&mut self, done: &Outcome<T>) {
        let is_in_transaction = self.connection.as_ref().is_some_and(|connection| !connection.is_autocommit());
        if is_in_transaction || done.as_ref().is_err_and(|error| !is_sound(error)) {
            self.connection = None;
        }
    }
}

/// Creates an empty file, if there is none, so that only its owner can read it and it outlives a power cut.
pub(super) fn create(path: &Path) -> Outcome<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file.sync_all().and_then(|()| lock::sync_folder(path)).map_err(|error| failed_io(path, "can't be created", &error)),
        // It must not be opened here: to close it would release the locks of a reader in this process.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed_io(path, "can't be created", &error)),
    }
}

fn connect(path: &Path, access: Access) -> Outcome<Connection> {
    if !path.exists() {
        return Err(match access {
            Access::Read => refused(path, Kind::Unavailable, "doesn't exist; restore it from a backup, or name another file"),
            // It was there when it was opened first.
            Access::Write => moved(path, MOVED),
        });
    }
    let failed = |error: rusqlite::Error| failed(path, &error);
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    let mut connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    connection.busy_timeout(BUSY_MAX).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT_MAX);
    let format = schema::format(&connection, path)?;
    match access {
        Access::Read => unreadable(format).map_or(Ok(()), |why| Err(refused(path, Kind::Format, why)))?,
        Access::Write => {
            if connection.is_readonly(MAIN_DB).map_err(failed)? {
                return Err(read_only(path));
            }
            if format == 0 {
                // Only an empty file takes this, and only before anything else: deletions can then make it smaller.
                connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(failed)?;
            }
            let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
            if mode != "wal" {
                return Err(refused(path, Kind::Unavailable, "its file system has no shared memory; put it on a local disk"));
            }
            connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
            connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
            connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
            connection.query_row(&format!("PRAGMA journal_size_limit = {LOG_BYTES_MAX}"), [], |_| Ok(())).map_err(failed)?;
            connection.query_row(&format!("PRAGMA wal_autocheckpoint = {LOG_PAGES}"), [], |_| Ok(())).map_err(failed)?;
            schema::migrate(&mut connection, format, path)?;
        }
    }
    Ok(connection)
}

/// The format of a journal, which is neither changed nor, as by other readers, given a write-ahead log.
pub(super) fn format(path: &Path) -> Outcome<u32> {
    let failed = |error: rusqlite::Error| failed(path, &error);
    // Nobody writes a journal that has no log.
    let parameters = if log_of(path).exists() { "mode=ro" } else { "mode=ro&immutable=1" };
    let url = format!("file:{}?{parameters}", percent_encode(path.as_os_str().as_encoded_bytes(), PLAIN));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(url, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_MAX).map_err(failed)?;
    schema::format(&connection, path)
}

/// A connection that statements run on.
struct On<'a> {
    connection: &'a Connection,
    path: &'a Path,
}

impl On<'_> {
    fn with<T>(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        take: impl FnOnce(&mut CachedStatement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let run = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            for (at, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(at + 1, value)?;
            }
            take(&mut statement)
        };
        run().map_err(|error| failed(self.path, &error))
    }
}

impl Sql for On<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn bounds(&self) -> Bounds {
        // A prepared statement that is run again costs less than a longer one.
        Bounds { rows: 1, bytes: usize::MAX }
    }

    fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        self.with(sql, values, |statement| statement.raw_execute()).map(|rows| rows as u64)
    }

    fn insert(&mut self, sql: &str, values: &[Value<'_>]) -> Result<u64, StoreError> {
        self.run(sql, values)?;
        Ok(u64::try_from(self.connection.last_insert_rowid()).unwrap_or_default())
    }

    fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, StoreError> {
        self.with(sql, values, |statement| {
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let cells = (0..columns).map(|column| row.get_ref(column).map(cell)).collect::<rusqlite::Result<Vec<_>>>()?;
                all.push(Row::new(cells));
            }
            Ok(all)
        })
    }
}

fn cell(value: ValueRef<'_>) -> Cell {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        // No column holds one: a row that does is refused as corrupt.
        ValueRef::Real(_) => Cell::Null,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
