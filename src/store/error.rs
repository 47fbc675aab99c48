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
    /// Another version wrote it, or it is no journal.
    Format,
    /// The session was loaded again, or deleted, since.
    Fenced,
    Other,
}

impl Kind {
    /// What clients are told of it, and operators what to do.
    pub fn advice(self) -> &'static str {
        match self {
            Kind::Full => "its disk is full; free some space, and it goes on by itself",
            Kind::ReadOnly => "it may not be written; give the server the right to, and it goes on by itself",
            Kind::Corrupt => "it is damaged; stop the server and restore a backup",
            Kind::Unavailable => "it can't be reached; bring its server back, and it goes on by itself",
            Kind::Format => "another version of this program wrote it; use that one",
            Kind::Fenced => "another server goes on with this session",
            Kind::Other => "see the log",
        }
    }
}

impl StoreError {
    pub fn new(kind: Kind, detail: impl Into<String>) -> StoreError {
        StoreError { kind, detail: detail.into(), name: None }
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
