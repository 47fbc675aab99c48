//! What an error of SQLite, or of the file system, means for a journal and its operator.

use super::super::{Kind, StoreError};
use super::lock;
use rusqlite::{Error, ErrorCode};
use std::io;
use std::path::Path;

/// A disk with less is full: SQLite reports some failures for want of space as an error of input and output.
const SPACE_BYTES_MIN: u64 = 256 << 10;

pub(super) fn refused(path: &Path, kind: Kind, why: &str) -> StoreError {
    StoreError::new(kind, format!("journal {}: {why}", path.display()))
}

pub(super) fn failed(path: &Path, error: &Error) -> StoreError {
    let (kind, fix) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (Kind::Full, "; free space on its disk"),
        Some(ErrorCode::CannotOpen) => (Kind::ReadOnly, "; check that this user may write it and its folder, and the limit of open files"),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied) => {
            (Kind::ReadOnly, "; make it and its folder writable for this user")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (Kind::Corrupt, "; move it away, and restore a backup"),
        Some(ErrorCode::SystemIoFailure) if !has_space(path) => (Kind::Full, "; free space on its disk"),
        Some(ErrorCode::SystemIoFailure) => (Kind::Unavailable, "; check its disk"),
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
        io::ErrorKind::NotFound => (Kind::Unavailable, "create its folder"),
        _ => (Kind::Unavailable, "check its disk"),
    };
    StoreError::new(kind, format!("journal {}: {what} ({error}); {fix}", path.display()))
}

fn has_space(path: &Path) -> bool {
    rustix::fs::statvfs(lock::folder(path)).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= SPACE_BYTES_MIN)
}
