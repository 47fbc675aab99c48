//! What an error of SQLite, or of the file system, means for a journal and its operator.

use super::super::{Kind, StoreError};
use super::lock;
use super::place::log_of;
use rusqlite::{Error, ErrorCode};
use rustix::fs::Access;
use std::fs::File;
use std::io;
use std::path::Path;

/// A disk with less is full: SQLite reports some failures for want of space as an error of input and output.
const SPACE_BYTES_MIN: u64 = 256 << 10;

const WRITABLE: &str = "; make it and its folder writable for this user, or restart the server if the kernel shut down the file system";

pub(super) fn refused(path: &Path, kind: Kind, why: &str) -> StoreError {
    StoreError::new(kind, format!("journal {}: {why}", path.display()))
}

pub(super) fn read_only(path: &Path) -> StoreError {
    refused(path, Kind::ReadOnly, &format!("can't be written{WRITABLE}"))
}

pub(super) fn failed(path: &Path, error: &Error) -> StoreError {
    let (kind, fix) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (Kind::Full, "; free space on its disk"),
        Some(ErrorCode::CannotOpen) => (Kind::ReadOnly, "; check that this user may write it and its folder, and the limit of open files"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => (Kind::ReadOnly, WRITABLE),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (Kind::Corrupt, "; move it away, and restore a backup"),
        Some(ErrorCode::SystemIoFailure) if !has_space(path) => (Kind::Full, "; free space on its disk"),
        Some(ErrorCode::SystemIoFailure) if is_read_only(path) => return read_only(path),
        Some(ErrorCode::SystemIoFailure) => (Kind::Disk, "; check its disk and the kernel's log"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            (Kind::Unavailable, "; find the process that locks it")
        }
        _ => (Kind::Other, ""),
    };
    StoreError::new(kind, format!("journal {}: {error}{fix}", path.display()))
}

pub(super) fn failed_io(path: &Path, what: &str, error: &io::Error) -> StoreError {
    let (kind, fix) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (Kind::Full, "free space on its disk"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (Kind::ReadOnly, "make it and its folder writable for this user")
        }
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => (Kind::Unavailable, "create its folder"),
        _ => (Kind::Disk, "check its disk and the kernel's log"),
    };
    StoreError::new(kind, format!("journal {}: {what} ({error}); {fix}", path.display()))
}

/// Whether the kernel refuses to write the journal, for which SQLite has only its error of input and output.
pub(super) fn is_read_only(path: &Path) -> bool {
    let file = rustix::fs::access(path, Access::WRITE_OK).err().map(io::Error::from);
    // Only an attempt finds a file system that the kernel shut down. It can't be the journal: to close it would release the locks
    // of a reader in this process.
    let log = File::options().append(true).open(log_of(path)).err();
    let is_refused = |error: io::Error| matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem);
    file.into_iter().chain(log).any(is_refused)
}

fn has_space(path: &Path) -> bool {
    rustix::fs::statvfs(lock::folder(path)).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= SPACE_BYTES_MIN)
}
