//! Why a store can't do what it was called for.

use super::Name;
use std::fmt;

/// `detail` is for operators: what happened, where, and what to do. It never holds what users wrote, nor their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError {
    pub kind: Kind,
    pub detail: String,
    /// The session that is fenced.
    pub name: Option<Name>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No space is left.
    Full,
    /// Permissions, or a read-only file, file system or server.
    ReadOnly,
    /// What is there can't be read.
    Corrupt,
    /// Another process has it, or the server can't be reached.
    Unavailable,
    /// The disk fails: input and output.
    Disk,
    /// The file is no longer where it was opened.
    Moved,
    /// Another version wrote it, or it is no journal.
    Format,
    /// The session was loaded again, or deleted, since.
    Fenced,
    Other,
}

impl Kind {
    /// The reason that clients see, and what operators do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Kind::Full => "its disk is full (operators: free some space, then the server recovers by itself)",
            Kind::ReadOnly => "it is read-only (operators: make it writable, then the server recovers by itself)",
            Kind::Corrupt => "it is damaged (operators: stop the server and restore a backup)",
            Kind::Unavailable => {
                "its database can't be reached, or another process locks it (operators: see the log; then the server recovers by itself)"
            }
            Kind::Disk => {
                "its disk fails (operators: see the log and the kernel's; when the disk works again, the server recovers by itself)"
            }
            Kind::Moved => "its file was moved or deleted (operators: move it back, or restart the server)",
            Kind::Format => "another version of this program wrote it (operators: use that version)",
            Kind::Fenced => "another server continues this session",
            Kind::Other => "operators: see the log",
        }
    }

    /// How long a failure of this kind lasts, for the log.
    pub fn lasts(self) -> &'static str {
        match self {
            Kind::Corrupt => "until the server is restarted with a restored backup",
            Kind::Moved => "until its file is back, or the server is restarted",
            Kind::Format => "until the version that wrote it is started",
            Kind::Full | Kind::ReadOnly | Kind::Unavailable | Kind::Disk | Kind::Fenced | Kind::Other => "until it works again",
        }
    }
}

impl StoreError {
    pub fn new(kind: Kind, detail: impl Into<String>) -> StoreError {
        StoreError { kind, detail: detail.into(), name: None }
    }

    /// What happened, and what to do about it, which stands behind the last `; `.
    pub fn parts(&self) -> (&str, &str) {
        self.detail.rsplit_once("; ").unwrap_or((&self.detail, "see the log of the journal's server, or of the kernel"))
    }

    pub(super) fn fenced(name: &Name, why: &str) -> StoreError {
        StoreError {
            kind: Kind::Fenced,
            detail: format!("the session was {why} since it was loaded; load it again"),
            name: Some(name.clone()),
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for StoreError {}
