//! Where the files of a journal are, and whether they are still there.

use super::super::engine::Outcome;
use super::super::{Kind, StoreError};
use super::trouble::{failed_io, refused};
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub(super) const MOVED: &str = "was moved or deleted while the server wrote it";
const LOG_MOVED: &str = "has lost its -wal file, which was moved or deleted while the server wrote it";

/// The write-ahead log beside a journal.
pub(super) fn log_of(journal: &Path) -> PathBuf {
    let mut name: OsString = journal.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Device and inode of the files that a connection has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Files {
    journal: Option<Identity>,
    log: Option<Identity>,
}

type Identity = (u64, u64);

impl Files {
    pub(super) fn at(journal: &Path) -> Outcome<Files> {
        Ok(Files { journal: identity(journal)?, log: identity(&log_of(journal))? })
    }

    /// Checks that the names still lead to these files: what is written to others, no restart would find.
    pub(super) fn check(&self, path: &Path) -> Outcome<()> {
        let now = Files::at(path)?;
        let what = match () {
            () if now.journal != self.journal => MOVED,
            () if now.log != self.log && self.log.is_some() => LOG_MOVED,
            () => return Ok(()),
        };
        Err(moved(path, what))
    }
}

pub(super) fn moved(path: &Path, what: &str) -> StoreError {
    refused(path, Kind::Moved, &format!("{what}; move it back, or restart the server"))
}

fn identity(path: &Path) -> Outcome<Option<Identity>> {
    match fs::metadata(path) {
        Ok(about) => Ok(Some((about.dev(), about.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed_io(path, "can't be found", &error)),
    }
}
