//! A session as plain data: saved at rest or in the middle of a turn, and loaded again.
//!
//! What it runs on is named by content hash and not part of it. A loaded session goes on exactly as the saved one would have.
//! After a reload it may run on more than one library: a graph that is gone from the new one, what runs behind a turn, and
//! what waits for a turn's end. Each is named.

use super::reload::Next;
use super::{Conversation, Counters, Kept, Session, Setup, Work};
use crate::contract::{Limits, Now, VERSION};
use crate::graph::{Graph, Library};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// All that a session is, but for its library.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    /// The content hash of all graphs, prompts and schemas that its graph was read with.
    library: String,
    graph: String,
    /// The library that switches choose from, where it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    switches: Option<String>,
    /// The library and graph of what runs behind a turn, where a reload came since it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<(String, String)>,
    /// What the next turn runs on, where a reload waits for the running one to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<(String, Limits)>,
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
    /// The content hashes of the libraries that it needs, that of its graph first.
    pub fn libraries(&self) -> impl Iterator<Item = &str> {
        let others = [self.switches.as_deref(), self.behind.as_ref().map(|(hash, _)| &**hash), self.next.as_ref().map(|(hash, _)| &**hash)];
        std::iter::once(&*self.library).chain(others.into_iter().flatten())
    }

    /// The time of the last input. The moments of later inputs follow it, also in another process.
    pub fn now(&self) -> Now {
        self.counters.now
    }
}

impl Session {
    pub fn snapshot(&self) -> Snapshot {
        let named = |graph: &Arc<Graph>| ((*graph.library).to_owned(), (*graph.name).to_owned());
        let (library, graph) = named(&self.graph);
        Snapshot {
            version: VERSION,
            switches: (self.library.hash() != library).then(|| self.library.hash().to_owned()),
            library,
            graph,
            behind: self.graph_behind.as_ref().map(named),
            next: self.next.as_ref().map(|next| (next.library.hash().to_owned(), next.limits.clone())),
            setup: self.setup.clone(),
            conversation: self.conversation.clone(),
            work: self.work.clone(),
            kept: self.kept.clone(),
            counters: self.counters,
        }
    }

    /// The session that a snapshot was taken of; refused without the libraries that it names, or by another version.
    pub fn restore(libraries: &[Arc<Library>], snapshot: Snapshot) -> Result<Session, RestoreError> {
        let Snapshot { version, library, graph, switches, behind, next, setup, conversation, work, kept, counters } = snapshot;
        if version != VERSION {
            return Err(RestoreError::Version { found: version });
        }
        let find = |hash: &str| {
            let own = || libraries.first().map_or(String::new(), |library| library.hash().to_owned());
            let found = libraries.iter().find(|library| library.hash() == hash).cloned();
            found.ok_or_else(|| RestoreError::Library { found: hash.to_owned(), own: own() })
        };
        let graph_of = |hash: &str, graph: String| find(hash)?.graph(&graph).cloned().ok_or(RestoreError::UnknownGraph { graph });
        Ok(Session {
            graph: graph_of(&library, graph)?,
            library: find(switches.as_ref().unwrap_or(&library))?,
            graph_behind: behind.map(|(library, graph)| graph_of(&library, graph)).transpose()?,
            offered: None,
            next: next.map(|(library, limits)| Ok(Next { library: find(&library)?, limits })).transpose()?,
            is_held: false,
            engine: "engine".into(),
            setup,
            conversation,
            work,
            kept,
            counters,
        })
    }
}
