//! The thread that keeps the journal: one for the process, so that what all shards hand over becomes one commit.
//!
//! It takes what has gathered while it was busy, keeps it in one transaction, and tells each shard how far it is safe. When the
//! store fails it says so, holds on to what it was given, and tries again until it succeeds. Sessions are loaded here too, behind
//! what was appended before: their generation is written.

use super::mailbox::{Letter, Mailbox};
use crate::contract::journal::{Append, Name};
use crate::contract::{Code, Refusal};
use crate::graph::Library;
use crate::shard::event::{Found, ShardId};
use crate::shard::identity::Key;
use crate::shard::restore;
use crate::store::{Kind, Store, StoreError};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Bytes that may wait to be kept. Beyond, new messages are refused until half of it is kept; what runs goes on.
const WAITING_BYTES_MAX: usize = 256 << 20;
/// How long the first and any later try waits after a failure.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// When nothing was written for so long, the store is asked whether it still could be: `/readyz` tells.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// Libraries that are held ready for sessions that ran on another one.
const LIBRARIES_MAX: usize = 16;

/// What the journal is asked to do.
enum Wanted {
    Append {
        shard: ShardId,
        batch: u64,
        appends: Vec<Append>,
    },
    Load {
        shard: ShardId,
        key: Key,
    },
    /// What sessions run on from now on.
    Library(Arc<Library>),
    End {
        until: Instant,
    },
}

/// Hands work to the thread; each shard has one.
#[derive(Clone)]
pub(super) struct Journal {
    to: Sender<Wanted>,
    waiting_bytes: Arc<AtomicUsize>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Journal {
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(store: Box<dyn Store + Send>, library: Arc<Library>, mailboxes: Arc<[Arc<Mailbox>]>) -> io::Result<Journal> {
        let (to, wanted) = channel();
        let waiting_bytes = Arc::<AtomicUsize>::default();
        let keeper = Keeper {
            store,
            mailboxes,
            waiting_bytes: waiting_bytes.clone(),
            library: library.clone(),
            libraries: BTreeMap::new(),
            unkept: vec![library],
            appends: Vec::new(),
            batches: BTreeMap::new(),
            loads: Vec::new(),
            is_broken: false,
            is_damaged: false,
            written: Instant::now(),
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || keeper.run(&wanted))?;
        Ok(Journal { to, waiting_bytes, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    pub(super) fn append(&self, shard: ShardId, batch: u64, appends: Vec<Append>) {
        self.waiting_bytes.fetch_add(bytes(&appends), Ordering::Relaxed);
        self.want(Wanted::Append { shard, batch, appends });
    }

    pub(super) fn load(&self, shard: ShardId, key: Key) {
        self.want(Wanted::Load { shard, key });
    }

    /// New sessions run on this from now on.
    pub(super) fn learn(&self, library: Arc<Library>) {
        self.want(Wanted::Library(library));
    }

    fn want(&self, wanted: Wanted) {
        // It ends only after the last shard has.
        let _ = self.to.send(wanted);
    }

    /// Keeps what it was given, for at most so long, and ends.
    pub(super) fn end(&self, time: Duration) {
        let until = Instant::now() + time;
        self.want(Wanted::End { until });
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread has panicked: what was not kept is lost");
        }
    }
}

fn bytes(appends: &[Append]) -> usize {
    appends.iter().map(|append| append.item.bytes()).sum()
}

/// The thread.
struct Keeper {
    store: Box<dyn Store + Send>,
    mailboxes: Arc<[Arc<Mailbox>]>,
    waiting_bytes: Arc<AtomicUsize>,
    library: Arc<Library>,
    /// Others that sessions run on, by content hash.
    libraries: BTreeMap<String, Arc<Library>>,
    /// Libraries that the store does not have yet.
    unkept: Vec<Arc<Library>>,
    /// What is to be kept, and the last batch of each shard in it.
    appends: Vec<Append>,
    batches: BTreeMap<ShardId, u64>,
    loads: Vec<(ShardId, Key)>,
    /// New messages are refused now; and for good, because what was kept is damaged.
    is_broken: bool,
    is_damaged: bool,
    /// When it was last found that the store can be written.
    written: Instant,
}

impl Keeper {
    fn run(mut self, wanted: &Receiver<Wanted>) {
        let (mut retry, mut next_try) = (RETRY_MIN, None::<Instant>);
        let mut until = None;
        loop {
            let is_to_mend = self.is_broken && !self.is_damaged;
            let due = next_try.unwrap_or(if is_to_mend { Instant::now() + retry } else { self.written + CHECK_EVERY });
            match wanted.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(first) => std::iter::once(first).chain(wanted.try_iter()).for_each(|wanted| until = self.take(wanted).or(until)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => until = until.or(Some(Instant::now())),
            }
            if next_try.is_none_or(|next_try| next_try <= Instant::now()) {
                match self.keep() {
                    Ok(()) => (retry, next_try) = (RETRY_MIN, None),
                    Err(error) => {
                        self.failed(&error);
                        next_try = Some(Instant::now() + retry);
                        retry = (retry * 2).min(RETRY_MAX);
                    }
                }
            }
            self.load();
            if let Some(until) = until {
                if self.appends.is_empty() {
                    return;
                }
                if Instant::now() >= until {
                    let lost = self.appends.len();
                    tracing::error!(lost, "the server ends and the journal can't be written: what nobody was told of is lost");
                    return;
                }
            }
        }
    }

    /// Returns when all must be over, if that was said.
    fn take(&mut self, wanted: Wanted) -> Option<Instant> {
        match wanted {
            Wanted::Append { shard, batch, mut appends } => {
                self.appends.append(&mut appends);
                self.batches.insert(shard, batch);
            }
            Wanted::Load { shard, key } => self.loads.push((shard, key)),
            Wanted::Library(library) => {
                let before = std::mem::replace(&mut self.library, library.clone());
                self.know(before);
                self.unkept.push(library);
            }
            Wanted::End { until } => return Some(until),
        }
        None
    }

    fn keep(&mut self) -> Result<(), StoreError> {
        while let Some(library) = self.unkept.last() {
            let files = serde_json::to_vec(library.files()).expect("texts serialize");
            self.store.keep_library(library.hash(), &files)?;
            self.unkept.pop();
        }
        let has_waited = self.written.elapsed() >= CHECK_EVERY;
        if self.appends.is_empty() && (has_waited || self.is_broken && !self.is_damaged) {
            self.store.check()?;
            self.written = Instant::now();
        }
        while !self.appends.is_empty() {
            match self.store.append(&self.appends) {
                Ok(()) => {
                    self.waiting_bytes.fetch_sub(bytes(&self.appends), Ordering::Relaxed);
                    self.appends.clear();
                    self.written = Instant::now();
                }
                // Another server has it now: what this one still had to say is not to be kept.
                Err(StoreError { kind: Kind::Fenced, detail, name: Some(name) }) => self.drop_of(&name, &detail),
                Err(error) => return Err(error),
            }
        }
        for (shard, batch) in std::mem::take(&mut self.batches) {
            self.tell(shard, Letter::Durable { batch });
        }
        let is_crowded = self.waiting_bytes.load(Ordering::Relaxed) > WAITING_BYTES_MAX;
        if self.is_broken && !is_crowded && !self.is_damaged {
            tracing::warn!("the journal can be written again");
            self.is_broken = false;
            self.tell_all(None);
        } else if is_crowded && !self.is_broken {
            self.refuse(&Refusal::new(Code::JournalUnavailable, "the journal is behind: try again in a moment"));
        }
        Ok(())
    }

    fn drop_of(&mut self, name: &Name, detail: &str) {
        tracing::error!(detail, "a session was loaded by another server: what this one had to add is dropped");
        let bytes_before = bytes(&self.appends);
        self.appends.retain(|append| append.name != *name);
        self.waiting_bytes.fetch_sub(bytes_before - bytes(&self.appends), Ordering::Relaxed);
    }

    fn failed(&mut self, error: &StoreError) {
        self.is_damaged |= error.kind == Kind::Corrupt;
        if !self.is_broken {
            tracing::error!(%error, "the journal fails: new messages are refused until it works again");
            let detail = format!("the journal fails, so nothing new is taken: {}", error.kind.advice());
            self.refuse(&Refusal::with(Code::JournalUnavailable, detail));
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.is_broken = true;
        self.tell_all(Some(refusal));
    }

    fn load(&mut self) {
        for (shard, key) in std::mem::take(&mut self.loads) {
            let outcome = self.find(&key);
            self.tell(shard, Letter::Loaded { key, outcome: Box::new(outcome) });
        }
    }

    fn find(&mut self, key: &Key) -> Result<Found, Refusal> {
        let name = Name { user: (*key.sub).to_owned(), session: (*key.id).to_owned() };
        let loaded = self.store.load(&name).map_err(|error| {
            tracing::error!(%error, session = key.hashed(), "a session can't be read from the journal");
            self.failed(&error);
            Refusal::with(Code::JournalUnavailable, format!("the journal can't be read now: {}", error.kind.advice()))
        })?;
        let restored = restore::restore(&loaded, &mut |hash| self.library(hash));
        restored.map_err(|error| {
            tracing::error!(%error, session = key.hashed(), "a session can't be loaded from the journal");
            Refusal::from(error)
        })
    }

    /// The library of this content hash: the one that is run on, one that was, or one that the store has.
    fn library(&mut self, hash: &str) -> Option<Arc<Library>> {
        if self.library.hash() == hash {
            return Some(self.library.clone());
        }
        if let Some(library) = self.libraries.get(hash) {
            return Some(library.clone());
        }
        let files = self.store.library(hash).ok().flatten()?;
        let library = restore::kept_library(hash, &files)?;
        self.know(library.clone());
        Some(library)
    }

    fn know(&mut self, library: Arc<Library>) {
        if self.libraries.len() >= LIBRARIES_MAX {
            self.libraries.pop_first();
        }
        self.libraries.insert(library.hash().to_owned(), library);
    }

    fn tell(&self, shard: ShardId, letter: Letter) {
        // A shard that has ended waits for nothing.
        drop(self.mailboxes[shard.0].put(letter));
    }

    fn tell_all(&self, broken: Option<&Refusal>) {
        for shard in 0..self.mailboxes.len() {
            self.tell(ShardId(shard), Letter::JournalState { broken: broken.cloned() });
        }
    }
}
