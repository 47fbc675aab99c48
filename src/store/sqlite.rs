//! A journal in one SQLite file: write-ahead log, each commit synced, one writing process.
//!
//! [`open`] is for the server, [`read_only`] for what reads beside it, in this process or another. After an error that leaves a
//! connection in doubt, the connection is closed; the next call opens another.

mod backup;
mod compact;
mod connection;
mod lock;
mod place;
mod schema;
#[cfg(test)]
mod tests;
mod trouble;

use super::engine::{Access, Outcome, Reading, Writing};
use super::sql::Sql;
use super::{Kind, Read, StoreError};
use compact::Step;
use connection::Handle;
use lock::Lock;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// How long a deletion waits for readers. A backup may take longer: then the log is emptied by a later write.
const READERS_MAX: Duration = Duration::from_millis(200);

/// The one writer of a file.
#[derive(Debug)]
pub struct Sqlite {
    handle: Handle,
    own_libraries: BTreeSet<String>,
    /// The write-ahead log is to be emptied as soon as no reader keeps it: deleted text may be in it, or free pages that the file still
    /// has.
    is_erasing: bool,
    _lock: Lock,
}

/// Reads a file, beside its writer or without one.
#[derive(Debug)]
pub struct Reader {
    handle: Handle,
}

/// Opens a journal for writing. Creates the file, for its owner only, if there is none.
///
/// # Errors
/// [`Kind::Unavailable`] if another process writes it or its folder doesn't exist; [`Kind::Corrupt`] if it is no SQLite database;
/// [`Kind::Format`] if another program or a newer version wrote it; [`Kind::ReadOnly`] if it or its folder can't be written.
pub fn open(path: &Path) -> Result<Sqlite, StoreError> {
    let path = lock::real(path)?;
    let lock = Lock::take(&path)?;
    connection::create(&path)?;
    Ok(Sqlite { handle: Handle::open(path, Access::Write)?, own_libraries: BTreeSet::new(), is_erasing: false, _lock: lock })
}

/// Opens a journal for reading.
///
/// # Errors
/// [`Kind::Unavailable`] if there is no such file; else as [`open`].
pub fn read_only(path: &Path) -> Result<Reader, StoreError> {
    Ok(Reader { handle: Handle::open(lock::real(path)?, Access::Read)? })
}

impl Sqlite {
    /// Rewrites the whole file without the space that deletions left, so that [`Store::compact`](super::Store::compact) works on
    /// it from then on. Blocks for as long as it takes to write the file, and needs as much free space on the disk.
    ///
    /// # Errors
    /// [`Kind::Full`] without enough space. The file stays as it was.
    pub fn rebuild(&mut self) -> Result<(), StoreError> {
        compact::rebuild(&mut self.handle)
    }
}

/// The format of a journal, 0 where nothing is written to it yet or there is no such file. Creates and changes nothing.
///
/// # Errors
/// As [`open`], but a lock of another process is none.
pub fn format(path: &Path) -> Result<u32, StoreError> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(0);
    }
    let path = lock::real(path)?;
    let format = connection::format(&path)?;
    if trouble::is_read_only(&path) { Err(trouble::read_only(&path)) } else { Ok(format) }
}

impl Reader {
    /// Copies the journal as it is now to a new file, while a server may go on writing it. Blocks until the copy is durable.
    ///
    /// # Errors
    /// If `to` exists, or either file fails. Then nothing is left at `to`.
    pub fn backup(&mut self, to: &Path) -> Result<(), StoreError> {
        backup::copy(&mut self.handle, to)
    }
}

impl Reading for Reader {
    fn reading<T>(&mut self, work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T> {
        self.handle.run(work)
    }
}

impl Reading for Sqlite {
    fn reading<T>(&mut self, work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T> {
        self.handle.run(work)
    }
}

impl Writing for Sqlite {
    const IS_SHARED: bool = false;

    fn writing<T>(&mut self, work: impl FnMut(&mut dyn Sql) -> Outcome<T>) -> Outcome<T> {
        if self.is_erasing {
            self.is_erasing = !self.handle.truncate_log(Duration::ZERO).unwrap_or(false);
        }
        self.handle.transaction(work)
    }

    /// Overwrites deleted text in the file and empties the write-ahead log.
    fn erase(&mut self) -> Outcome<()> {
        self.is_erasing = true;
        self.is_erasing = !self.handle.truncate_log(READERS_MAX)?;
        Ok(())
    }

    fn compact(&mut self) -> Outcome<bool> {
        match compact::step(&mut self.handle)? {
            Step::Nothing => Ok(false),
            Step::More => Ok(true),
            Step::Last => {
                self.is_erasing = true;
                self.is_erasing = !self.handle.truncate_log(Duration::ZERO)?;
                Ok(false)
            }
        }
    }

    fn own_libraries(&mut self) -> &mut BTreeSet<String> {
        &mut self.own_libraries
    }

    fn another(&self) -> Outcome<Box<dyn Read + Send>> {
        Ok(Box::new(read_only(self.handle.path())?))
    }
}

/// Whether a connection can be used further after an error. On a full disk it must be: to open another takes space. So must that
/// to a file that was moved: another would find another file.
fn is_sound(error: &StoreError) -> bool {
    match error.kind {
        Kind::Fenced | Kind::Full | Kind::Moved | Kind::Other => true,
        Kind::ReadOnly | Kind::Corrupt | Kind::Unavailable | Kind::Disk | Kind::Format => false,
    }
}
