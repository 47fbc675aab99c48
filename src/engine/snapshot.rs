//! A session as plain data: saved at rest or in the middle of a turn, and loaded again.
//!
//! What it runs on is named by content hash and not part of it. A loaded session goes on exactly as the saved one would have.

use super::{Conversation, Counters, Kept, Session, Setup, Work};
use crate::contract::{Now, VERSION};
use crate::graph::Library;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// All that a session is, but for its library.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    /// The content hash of all graphs, prompts and schemas.
    library: String,
    graph: String,
    setup: Setup,
    conversation: Conversation,
    work: Work,
    kept: Kept,
    counters: Counters,
}

/// Why a snapshot can't be loaded here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreError {
    Version { found: u32 },
    Library { found: String, own: String },
    UnknownGraph { graph: String },
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RestoreError::Version { found } => {
                write!(f, "the snapshot has version {found}, and this program reads {VERSION}: use the program that wrote it")
            }
            RestoreError::Library { found, own } => {
                write!(f, "the snapshot runs on other graphs ({found}) than this server ({own}): load it with the same graphs and prompts")
            }
            RestoreError::UnknownGraph { graph } => write!(f, "the snapshot runs on the graph `{graph}`, which is not in its library"),
        }
    }
}

impl std::error::Error for RestoreError {}

impl Snapshot {
    /// The time of the last input. The moments of later inputs follow it, also in another process.
    pub fn now(&self) -> Now {
        self.counters.now
    }
}

impl Session {
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            version: VERSION,
            library: self.library.hash().to_owned(),
            graph: (*self.graph.name).to_owned(),
            setup: self.setup.clone(),
            conversation: self.conversation.clone(),
            work: self.work.clone(),
            kept: self.kept.clone(),
            counters: self.counters,
        }
    }

    /// The session that a snapshot was taken of; refused on another library or by another version.
    pub fn restore(library: Arc<Library>, snapshot: Snapshot) -> Result<Session, RestoreError> {
        let Snapshot { version, library: hash, graph, setup, conversation, work, kept, counters } = snapshot;
        if version != VERSION {
            return Err(RestoreError::Version { found: version });
        }
        if hash != library.hash() {
            return Err(RestoreError::Library { found: hash, own: library.hash().to_owned() });
        }
        let graph = library.graph(&graph).cloned().ok_or(RestoreError::UnknownGraph { graph })?;
        Ok(Session { library, graph, engine: "engine".into(), setup, conversation, work, kept, counters })
    }
}
