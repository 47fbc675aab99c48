//! A connection with its settings, and the statements that run on it.

use super::super::engine::{Access, Outcome};
use super::super::sql::{Bounds, Cell, Dialect, Row, Sql, Value};
use super::super::{Kind, StoreError};
use super::address::Address;
use super::schema;
use super::trouble::{Retry, failed};
use mysql::prelude::Queryable;
use mysql::{Conn, Error, Params, Value as Sent};

/// Strict, so that nothing is cut or changed when it is written.
const SETTINGS: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', autocommit = 1, innodb_lock_wait_timeout = 3";
/// Records that one statement inserts at most.
const ROWS_MAX: usize = 64;
/// What a statement takes besides its values, at most.
const STATEMENT_BYTES: usize = 16 << 10;

pub(super) struct Connection {
    conn: Conn,
    place: String,
    /// The largest statement that the server accepts.
    packet_bytes: usize,
}

/// A connection while statements run on it.
pub(super) struct On<'a> {
    connection: &'a mut Connection,
    /// What helps after the latest error.
    pub(super) retry: Retry,
}

impl Connection {
    pub(super) fn open(address: &Address, access: Access) -> Outcome<Connection> {
        let (mut connection, flush) = Connection::connect(address)?;
        match access {
            Access::Read => schema::readable(&mut connection.on())?,
            Access::Write => {
                schema::prepare(&mut connection.on())?;
                if flush != 1 {
                    tracing::warn!(
                        journal = connection.place,
                        "innodb_flush_log_at_trx_commit is {flush}: a crash of the database server loses the latest messages; set it to 1"
                    );
                }
            }
        }
        Ok(connection)
    }

    /// The format of the journal there, which is not changed.
    pub(super) fn format(address: &Address) -> Outcome<u32> {
        let (mut connection, _) = Connection::connect(address)?;
        schema::format(&mut connection.on())
    }

    /// Returns the server's `innodb_flush_log_at_trx_commit` too.
    fn connect(address: &Address) -> Outcome<(Connection, u64)> {
        let place = address.shown().to_owned();
        let conn = address.connect().map_err(|error| failed(&place, &error).0)?;
        let mut connection = Connection { conn, place, packet_bytes: 0 };
        let mut on = connection.on();
        on.plain(SETTINGS)?;
        let found = on.first("SELECT @@max_allowed_packet, @@innodb_flush_log_at_trx_commit", &[])?;
        let (packet_bytes, flush) = match found {
            Some(mut row) => (row.number()?, row.number()?),
            None => (0, 1),
        };
        connection.packet_bytes = usize::try_from(packet_bytes).unwrap_or(usize::MAX);
        Ok((connection, flush))
    }

    pub(super) fn on(&mut self) -> On<'_> {
        On { connection: self, retry: Retry::No }
    }
}

impl On<'_> {
    /// Runs a statement that can't be prepared.
    pub(super) fn plain(&mut self, sql: &str) -> Outcome<()> {
        let done = self.connection.conn.query_drop(sql);
        done.map_err(|error| self.failed(&error))
    }

    pub(super) fn roll_back(&mut self) {
        if self.connection.conn.query_drop("ROLLBACK").is_err() {
            self.retry = Retry::Reconnect;
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.connection.place
    }

    fn failed(&mut self, error: &Error) -> StoreError {
        let (failed, retry) = failed(&self.connection.place, error);
        self.retry = retry;
        failed
    }

    fn sent(&self, values: &[Value<'_>]) -> Outcome<Params> {
        let bytes: usize = values.iter().map(Value::size).sum();
        let bytes_max = self.connection.packet_bytes;
        if bytes_max > 0 && bytes.saturating_add(STATEMENT_BYTES) > bytes_max {
            let detail = format!(
                "journal {}: {bytes} bytes don't fit into the server's max_allowed_packet of {bytes_max}; raise it, and                  innodb_log_file_size to ten times as much",
                self.connection.place
            );
            return Err(StoreError::new(Kind::Other, detail));
        }
        let sent = |value: &Value<'_>| match value {
            Value::Null => Sent::NULL,
            Value::Int(number) => Sent::Int(*number),
            Value::Text(text) => Sent::Bytes(text.as_bytes().to_vec()),
            Value::Bytes(bytes) => Sent::Bytes(bytes.to_vec()),
        };
        Ok(if values.is_empty() { Params::Empty } else { Params::Positional(values.iter().map(sent).collect()) })
    }
}

impl Sql for On<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    fn bounds(&self) -> Bounds {
        Bounds { rows: ROWS_MAX, bytes: self.connection.packet_bytes.saturating_sub(STATEMENT_BYTES) }
    }

    fn run(&mut self, sql: &str, values: &[Value<'_>]) -> Outcome<u64> {
        let params = self.sent(values)?;
        let done = self.connection.conn.exec_drop(sql, params);
        done.map_err(|error| self.failed(&error))?;
        Ok(self.connection.conn.affected_rows())
    }

    fn insert(&mut self, sql: &str, values: &[Value<'_>]) -> Outcome<u64> {
        self.run(sql, values)?;
        Ok(self.connection.conn.last_insert_id())
    }

    fn rows(&mut self, sql: &str, values: &[Value<'_>]) -> Outcome<Vec<Row>> {
        let params = self.sent(values)?;
        let rows: Result<Vec<mysql::Row>, Error> = self.connection.conn.exec(sql, params);
        let rows = rows.map_err(|error| self.failed(&error))?;
        Ok(rows.into_iter().map(|row| Row::new(row.unwrap().into_iter().map(cell).collect())).collect())
    }
}

fn cell(value: Sent) -> Cell {
    match value {
        Sent::Int(number) => Cell::Int(number),
        Sent::UInt(number) => Cell::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        Sent::Bytes(bytes) => Cell::Bytes(bytes),
        // No column is of such a type.
        Sent::NULL | Sent::Float(_) | Sent::Double(_) | Sent::Date(..) | Sent::Time(..) => Cell::Null,
    }
}
