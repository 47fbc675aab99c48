//! How graphs and limits change while the server runs: between two turns, never within one.
//!
//! A turn ends on the graph that it began with, and so does what runs behind it. The next turn, also one that waits already,
//! runs on the graph of the same name in the new library. A graph that is gone stays until the session switches.

use super::Session;
use super::call::Lane;
use crate::contract::Limits;
use crate::graph::{Graph, Library};
use std::sync::Arc;

/// What the session runs on from its next turn.
pub(super) struct Next {
    pub(super) library: Arc<Library>,
    pub(super) limits: Limits,
}

/// How much of a content hash a trace shows.
const HASH_SHOWN: usize = 12;

impl Session {
    /// Hands over the library that the next [`Input::Reloaded`](crate::contract::Input::Reloaded) names by its content hash.
    pub fn offer(&mut self, library: Arc<Library>) {
        self.offered = Some(library);
    }

    /// Whether a reload with these would change nothing.
    pub fn runs_on(&self, library: &Library, limits: &Limits) -> bool {
        self.next.is_none() && self.library.hash() == library.hash() && self.setup.limits == *limits
    }

    /// What a switch chooses from: it ends the running turn, so it needn't wait for it.
    pub(super) fn library_ahead(&self) -> &Arc<Library> {
        self.next.as_ref().map_or(&self.library, |next| &next.library)
    }

    pub(super) fn reloaded(&mut self, hash: &str, limits: Limits) {
        let offered = self.offered.take().filter(|library| library.hash() == hash);
        self.next = Some(Next { library: offered.expect("the library that an input names is handed over before"), limits });
    }

    /// Goes over to what was loaded. No turn is running.
    pub(super) fn adopt(&mut self) {
        let Some(Next { library, limits }) = self.next.take() else { return };
        self.setup.limits = limits;
        if let Some(graph) = library.graph(&self.graph.name).cloned() {
            self.kept.is_reloaded |= graph.hash != self.graph.hash;
            if self.work.background.is_some() {
                // One that was at work during an earlier reload as well keeps what it began with.
                self.graph_behind.get_or_insert_with(|| self.graph.clone());
            }
            self.graph = graph;
        }
        self.library = library;
    }

    /// What the trace of a turn says of a reload before it.
    pub(super) fn take_reloaded(&mut self) -> Option<Arc<str>> {
        std::mem::take(&mut self.kept.is_reloaded).then(|| self.graph.hash[..HASH_SHOWN].into())
    }

    /// The graph that the calls of a lane belong to.
    pub(super) fn graph_of(&self, lane: Lane) -> &Arc<Graph> {
        match lane {
            Lane::Turn => &self.graph,
            Lane::Background => self.graph_behind.as_ref().unwrap_or(&self.graph),
        }
    }
}
