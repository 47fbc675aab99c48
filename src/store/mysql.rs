//! A journal on a server that speaks MySQL's protocol: MariaDB or MySQL 8, InnoDB.
//!
//! Several servers may write one journal; the generation of each session fences them. A lost connection is replaced at the next
//! statement, and a transaction is then run again from its start: appending what is there already changes nothing.
//!
//! Deleted rows leave the server's pages when it purges them. Its binary logs and backups are out of reach.

mod address;
mod connection;
mod schema;
mod trouble;

use super::engine::{Access, Outcome, Reading, Writing};
use super::sql::Sql;
use super::{Kind, Read, StoreError};
use address::Address;
use connection::{Connection, On};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;
use trouble::Retry;

/// How often a transaction is run again because another server's was in its way.
const AGAIN_MAX: u32 = 8;
const PAUSE: Duration = Duration::from_millis(20);

/// A connection that writes and reads.
pub struct Mysql {
    address: Address,
    access: Access,
    connection: Option<Connection>,
    own_libraries: BTreeSet<String>,
}

/// Connects, and creates or migrates the journal's tables.
///
/// `url` is `mysql://user:password@host:3306/database`, or `mariadb://…`, with `?ssl-mode=DISABLED|PREFERRED|REQUIRED|VERIFY_IDENTITY`,
/// `&ssl-ca=FILE` and `&socket=FILE` if wanted. The database must exist and belong to the journal alone.
///
/// # Errors
/// [`Kind::Unavailable`] if the server can't be reached or refuses the login; [`Kind::Format`] if the database holds other tables, or
/// a newer version wrote it; [`Kind::ReadOnly`] without the right to create tables; [`Kind::Other`] if `url` can't be read. No error
/// quotes the URL's user or password.
pub fn open(url: &str) -> Result<Mysql, StoreError> {
    Mysql::connected(Address::parse(url)?, Access::Write)
}

/// Connects for reading. Creates and migrates nothing.
///
/// # Errors
/// [`Kind::Format`] if no server has written to the journal yet, or it has an older format; else as [`open`].
pub fn read_only(url: &str) -> Result<impl Read + Send + use<>, StoreError> {
    Mysql::connected(Address::parse(url)?, Access::Read)
}

/// The format of a journal, 0 where nothing is written to it yet. Creates and changes nothing.
///
/// # Errors
/// As [`open`].
pub fn format(url: &str) -> Result<u32, StoreError> {
    Connection::format(&Address::parse(url)?)
}

impl Mysql {
    fn connected(address: Address, access: Access) -> Outcome<Mysql> {
        let mut store = Mysql { address, access, connection: None, own_libraries: BTreeSet::new() };
        store.connection()?;
        Ok(store)
    }

    fn connection(&mut self) -> Outcome<&mut Connection> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(Connection::open(&self.address, self.access)?)),
        }
    }

    /// Runs statements, again where that helps.
    fn attempt<T>(&mut self, mut run: impl FnMut(&mut On<'_>) -> Outcome<T>) -> Outcome<T> {
        let (mut is_reconnected, mut again) = (false, 0);
        loop {
            let mut on = self.connection()?.on();
            let error = match run(&mut on) {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match on.retry {
                Retry::Reconnect => {
                    self.connection = None;
                    if is_reconnected {
                        return Err(error);
                    }
                    is_reconnected = true;
                }
                Retry::Again if again < AGAIN_MAX => {
                    again += 1;
                    thread::sleep(PAUSE * again);
                }
                Retry::Again | Retry::No => {
                    if matches!(error.kind, Kind::Unavailable | Kind::Full | Kind::ReadOnly) {
                        self.connection = None;
                    }
                    return Err(error);
                }
            }
        }
    }
}

impl Reading for Mysql {
    fn reading<T>(&mut self, mut work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T> {
        self.attempt(|on| work(on))
    }
}

impl Writing for Mysql {
    const IS_SHARED: bool = true;

    fn writing<T>(&mut self, mut work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T> {
        self.attempt(|on| {
            on.plain("START TRANSACTION")?;
            let done = work(on).and_then(|value| on.plain("COMMIT").map(|()| value));
            if done.is_err() {
                on.roll_back();
            }
            done
        })
    }

    fn erase(&mut self) -> Outcome<()> {
        Ok(())
    }

    /// InnoDB uses the space again. To shrink a file would take `OPTIMIZE TABLE`, which copies the table and is the operator's decision.
    fn compact(&mut self) -> Outcome<bool> {
        Ok(false)
    }

    fn own_libraries(&mut self) -> &mut BTreeSet<String> {
        &mut self.own_libraries
    }

    fn another(&self) -> Outcome<Box<dyn Read + Send>> {
        Ok(Box::new(Mysql::connected(self.address.clone(), Access::Read)?))
    }
}
