//! A real journal behind a shard: it keeps, loads and answers as the two threads do that a server has for it.

use crate::shard::event::{Action, Event, Job};
use crate::shard::queries::name;
use crate::shard::restore;
use crate::shell::journal_reader::do_both;
use crate::store::{Read, Store, sqlite};

pub(super) struct RealStore {
    store: sqlite::Sqlite,
    _folder: tempfile::TempDir,
}

impl RealStore {
    /// An empty one, for sessions that run on the graphs that ship.
    pub(super) fn new() -> RealStore {
        let folder = tempfile::tempdir().unwrap();
        let mut store = sqlite::open(&folder.path().join("journal.db")).unwrap();
        let library = crate::graph::shipped();
        store.keep_library(library.hash(), &serde_json::to_vec(library.files()).unwrap()).unwrap();
        RealStore { store, _folder: folder }
    }

    /// What follows from an action that is for the journal; any other comes back.
    pub(super) fn done(&mut self, action: Action) -> Result<Event<'static>, Box<Action>> {
        match action {
            Action::Append { batch, appends } => {
                self.store.append(&appends).unwrap();
                Ok(Event::Durable { batch })
            }
            Action::Load { key } => {
                let loaded = self.store.load(&name(&key)).unwrap();
                let store = &mut self.store;
                let mut libraries = |hash: &str| restore::kept_library(hash, &store.library(hash).unwrap()?);
                let outcome = Ok(restore::restore(&loaded, &mut libraries).unwrap());
                Ok(Event::Loaded { key, outcome })
            }
            Action::Job { ticket, job: Job::Journal(job) } => Ok(Event::JobDone { ticket, outcome: do_both(&mut self.store, *job) }),
            other => Err(Box::new(other)),
        }
    }
}
