//! The lock file beside a journal: one process writes it at a time.
//!
//! The kernel releases the lock when the process ends, however it ends. The file stays: to remove it would let two processes lock
//! two files of the same name.

use super::super::{Kind, StoreError};
use super::trouble::{failed_io, refused};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a journal whose path is [`real`].
    pub(super) fn take(journal: &Path) -> Result<Lock, StoreError> {
        let mut name: OsString = journal.as_os_str().to_owned();
        name.push(".lock");
        let path = PathBuf::from(name);
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
        let mut file = file.map_err(|error| failed_io(&path, "can't be created", &error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim().parse::<u32>().map_or_else(|_| "another process".to_owned(), |id| format!("process {id}"));
                let why = format!("is in use by {holder}, which holds {}; stop it, or name another file", path.display());
                return Err(refused(journal, Kind::Unavailable, &why));
            }
            Err(error) => return Err(failed_io(&path, "can't be locked", &error.into())),
        }
        // Only for the message above: on a full disk it stays empty.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

/// The path without links, so that each journal has one lock file. The file need not exist, its folder must.
pub(super) fn real(path: &Path) -> Result<PathBuf, StoreError> {
    if let Ok(real) = path.canonicalize() {
        return if real.is_dir() { Err(refused(path, Kind::Unavailable, "is a folder; name a file")) } else { Ok(real) };
    }
    let folder = folder(path);
    let name = path.file_name().ok_or_else(|| refused(path, Kind::Unavailable, "is no file; name one"))?;
    match folder.canonicalize() {
        Ok(real) => Ok(real.join(name)),
        Err(error) => Err(failed_io(path, &format!("can't be opened: its folder {} can't be used", folder.display()), &error)),
    }
}

/// Makes a new file's name outlive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

pub(super) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
