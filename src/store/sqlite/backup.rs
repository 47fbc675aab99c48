//! A copy of a journal that a server is writing: SQLite's online backup, to a file that appears when it is whole.

use super::super::engine::Outcome;
use super::super::{Kind, StoreError};
use super::connection::Handle;
use super::lock;
use super::trouble::{failed, failed_io, refused};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

const PAUSE: Duration = Duration::from_millis(50);
const TRIES_MAX: u32 = 200;

/// The copy is made in one step, so that a writer can't make it start over. Meanwhile the writer's log grows.
pub(super) fn copy(from: &mut Handle, to: &Path) -> Outcome<()> {
    if to.symlink_metadata().is_ok() {
        return Err(taken(to));
    }
    let folder = lock::folder(to);
    let part = tempfile::Builder::new().prefix(".journal-backup-").tempfile_in(folder);
    let part = part.map_err(|error| failed_io(to, "can't be created", &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut copy = Connection::open_with_flags(part.path(), flags).map_err(|error| failed(to, &error))?;
    let path = from.path().to_owned();
    let backup = Backup::new(from.connection()?, &mut copy).map_err(|error| failed(&path, &error))?;
    for _ in 0..TRIES_MAX {
        match backup.step(-1).map_err(|error| failed(to, &error))? {
            StepResult::Done => {
                drop(backup);
                return keep(copy, part, to);
            }
            StepResult::Busy | StepResult::Locked => thread::sleep(PAUSE),
            _ => {}
        }
    }
    Err(refused(&path, Kind::Unavailable, "is locked; find the process that locks it"))
}

/// Checks the copy, makes it one file that needs no log beside it, and gives it its name.
fn keep(copy: Connection, part: tempfile::NamedTempFile, to: &Path) -> Outcome<()> {
    let failed = |error: rusqlite::Error| failed(to, &error);
    copy.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())).map_err(failed)?;
    let found: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if found != "ok" {
        return Err(refused(to, Kind::Corrupt, "was not written, because the journal is corrupt; restore an older backup"));
    }
    copy.close().map_err(|(_, error)| failed(error))?;
    part.as_file().sync_all().map_err(|error| failed_io(to, "can't be written", &error))?;
    match part.persist_noclobber(to) {
        Ok(_) => lock::sync_folder(to).map_err(|error| failed_io(to, "can't be written", &error)),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Err(taken(to)),
        Err(error) => Err(failed_io(to, "can't be written", &error.error)),
    }
}

fn taken(to: &Path) -> StoreError {
    StoreError::new(Kind::Other, format!("backup {}: exists already; name another file", to.display()))
}
