//! The thread that keeps the journal: one for the process, so that what all shards hand over becomes one commit.
//!
//! It takes what has gathered while it was busy, keeps it in one transaction, and tells each shard how far it is safe. When the
//! store fails it says so, holds on to what it was given, and tries again until it succeeds. Sessions are loaded here too, behind
//! what was appended before: their generation is written. So are renamed, rated and deleted sessions. Once an hour it deletes what
//! is kept no longer, and gives the space back, a step at a time, so that messages don't wait for it. What only reads has a thread
//! of its own (`journal_reader.rs`).

use super::journal_reader::{self, JournalReader};
use super::mailbox::{Letter, Mailbox};
use crate::contract::journal::{Append, Attempted, Deleted, Delivery, Item, Name, Retain, Retention, Undelivered};
use crate::contract::{Code, Refusal, Time, micros};
use crate::graph::Library;
use crate::shard::event::{Found, JobOutcome, ShardId, Ticket};
use crate::shard::identity::Key;
use crate::shard::journal_job::JournalJob;
use crate::shard::restore;
use crate::store::{Kind, RETAIN_SESSIONS_MAX, Read, Store, StoreError};
use crate::work::courier::Courier;
use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes that may wait to be kept. Beyond, new messages are refused until half of it is kept; what runs goes on.
const WAITING_BYTES_MAX: usize = 256 << 20;
/// How long the first and any later try waits after a failure.
const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// When nothing was written for so long, the store is asked whether it still could be: `/readyz` tells.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// Libraries that are held ready for sessions that ran on another one.
const LIBRARIES_MAX: usize = 16;

/// How often what is kept no longer is deleted, and how soon that is tried again where it could not be.
const RETAIN_EVERY: Duration = Duration::from_secs(3600);
const RETAIN_AGAIN: Duration = Duration::from_secs(10);
/// Between two steps of giving space back.
const COMPACT_PAUSE: Duration = Duration::from_millis(20);
/// How long that waits for shards to name their sessions, while messages wait for it.
const NAMES_TIME: Duration = Duration::from_millis(200);
/// What a server that shares the journal has not touched for so long it does not see to any more.
const ANOTHER_S_TIME: Duration = Duration::from_secs(15 * 60);
/// Until then the shards have started.
const RETAIN_FIRST: Duration = Duration::from_secs(1);

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
    Change {
        shard: ShardId,
        ticket: Ticket,
        job: Box<JournalJob>,
    },
    /// What became of an attempt to call a webhook.
    Attempted(Attempted),
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
    reader: JournalReader,
    waiting_bytes: Arc<AtomicUsize>,
    thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Journal {
    /// # Errors
    /// When the system refuses a thread.
    pub(super) fn start(
        (store, reader): (Box<dyn Store + Send>, Box<dyn Read + Send>),
        library: Arc<Library>,
        mailboxes: Arc<[Arc<Mailbox>]>,
        retain: Retain,
        courier: Option<Courier>,
    ) -> io::Result<Journal> {
        let (to, wanted) = channel();
        if let Some(courier) = &courier {
            let to = to.clone();
            courier.report_to(move |attempted| drop(to.send(Wanted::Attempted(attempted))));
        }
        let reader = JournalReader::start(reader)?;
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
            then: Vec::new(),
            is_broken: false,
            is_damaged: false,
            cause: None,
            written: Instant::now(),
            retain,
            next_retain: Instant::now() + RETAIN_FIRST,
            is_retaining: None,
            is_compacting: false,
            courier,
            attempted: Vec::new(),
        };
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || keeper.run(&wanted))?;
        Ok(Journal { to, reader, waiting_bytes, thread: Arc::new(Mutex::new(Some(thread))) })
    }

    pub(super) fn append(&self, shard: ShardId, batch: u64, appends: Vec<Append>) {
        self.waiting_bytes.fetch_add(bytes(&appends), Ordering::Relaxed);
        self.want(Wanted::Append { shard, batch, appends });
    }

    pub(super) fn load(&self, shard: ShardId, key: Key) {
        self.want(Wanted::Load { shard, key });
    }

    /// Reads or changes what is kept. Where that can't be done, that is the outcome, returned at once.
    pub(super) fn work(&self, shard: ShardId, mailbox: &Arc<Mailbox>, ticket: Ticket, job: Box<JournalJob>) -> Option<JobOutcome> {
        if !job.changes() {
            let to = self.to.clone();
            // It ends only after the last shard has.
            let then = Box::new(move |job| drop(to.send(Wanted::Change { shard, ticket, job })));
            return self.reader.read(mailbox, ticket, *job, then);
        }
        self.want(Wanted::Change { shard, ticket, job });
        None
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

const NOT_NOW: Refusal = Refusal::new(
    Code::JournalUnavailable,
    "the journal can't be written now, so nothing in it is changed or deleted: try again in a moment (operators: see `/readyz`)",
);

/// The wall clock, in µs.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, micros)
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
    /// What is to be done behind that, in order.
    then: Vec<Then>,
    /// New messages are refused now; and for good, because what was kept is damaged.
    is_broken: bool,
    is_damaged: bool,
    /// Why the store fails, as it was last reported.
    cause: Option<Kind>,
    /// When it was last found that the store can be written.
    written: Instant,
    retain: Retain,
    next_retain: Instant,
    /// What the present round has deleted so far.
    is_retaining: Option<Deleted>,
    /// All that is to be deleted is, and the space that it left is being given back.
    is_compacting: bool,
    courier: Option<Courier>,
    /// What became of deliveries and is to be kept.
    attempted: Vec<Attempted>,
}

enum Then {
    Load(ShardId, Key),
    Change(ShardId, Ticket, Box<JournalJob>),
}

impl Keeper {
    fn run(mut self, wanted: &Receiver<Wanted>) {
        let (mut retry, mut next_try) = (RETRY_MIN, None::<Instant>);
        let mut until = None;
        self.resume_deliveries();
        loop {
            let is_to_mend = self.is_broken && !self.is_damaged;
            let due = next_try.unwrap_or(if is_to_mend { Instant::now() + retry } else { self.written + CHECK_EVERY });
            let due = due.min(self.next_retain);
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
            self.follow();
            if Instant::now() >= self.next_retain && until.is_none() {
                self.maintain(next_try.is_none() && !self.is_broken);
            }
            if let Some(until) = until {
                if self.appends.is_empty() && self.attempted.is_empty() {
                    return;
                }
                if Instant::now() >= until {
                    let lost = self.appends.len();
                    tracing::error!(lost, "the server ends and the journal can't be written: unacknowledged changes are lost");
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
            Wanted::Attempted(attempted) => self.attempted.push(attempted),
            Wanted::Load { shard, key } => self.then.push(Then::Load(shard, key)),
            Wanted::Change { shard, ticket, job } => self.then.push(Then::Change(shard, ticket, job)),
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
                    std::mem::take(&mut self.appends).into_iter().for_each(|append| self.deliver(append));
                    self.written = Instant::now();
                }
                // Another server has it now: what this one still had to say is not to be kept.
                Err(StoreError { kind: Kind::Fenced, detail, name: Some(name) }) => self.drop_of(&name, &detail),
                Err(error) => return Err(error),
            }
        }
        if !self.attempted.is_empty() {
            self.store.attempted(&self.attempted)?;
            self.attempted.clear();
        }
        for (shard, batch) in std::mem::take(&mut self.batches) {
            self.tell(shard, Letter::Durable { batch });
        }
        let is_crowded = self.waiting_bytes.load(Ordering::Relaxed) > WAITING_BYTES_MAX;
        if self.is_broken && !is_crowded && !self.is_damaged {
            tracing::warn!("the journal can be written again");
            (self.is_broken, self.cause) = (false, None);
            self.tell_all(None);
        } else if is_crowded && !self.is_broken {
            self.refuse(&Refusal::new(Code::JournalUnavailable, "the journal is behind: try again in a moment"));
        }
        Ok(())
    }

    fn drop_of(&mut self, name: &Name, detail: &str) {
        tracing::error!(detail, "a session was loaded by another server: what this one had to add is dropped");
        let bytes_before = bytes(&self.appends);
        // The first is the one that was refused. What came under a later generation was loaded again since.
        let generation = self.appends.iter().find(|append| append.name == *name).map_or(u32::MAX, |append| append.generation);
        self.appends.retain(|append| append.name != *name || append.generation > generation);
        self.waiting_bytes.fetch_sub(bytes_before - bytes(&self.appends), Ordering::Relaxed);
        let key = Key { sub: name.user.as_str().into(), id: name.session.as_str().into() };
        self.tell(key.shard(self.mailboxes.len()), Letter::Fenced { key, generation });
    }

    /// What is durable now may be delivered.
    fn deliver(&self, append: Append) {
        let (Some(courier), Item::Delivery { webhook, body }) = (&self.courier, append.item) else { return };
        courier.deliver(Delivery { name: append.name, webhook: *webhook, body, since: append.at, attempts: 0, due: append.at });
    }

    /// Goes on with what an earlier server had to deliver, and with sessions whose turns it did not end. What another server may
    /// still see to, because it has done so lately, is left to it.
    fn resume_deliveries(&mut self) {
        let before = if self.store.is_shared() { now().saturating_sub(micros(ANOTHER_S_TIME)) } else { u64::MAX };
        let Undelivered { deliveries, awaited } = match self.store.undelivered(Time(before)) {
            Ok(found) => found,
            Err(error) => return tracing::error!(%error, "what webhooks are to learn can't be read from the journal"),
        };
        match &self.courier {
            Some(courier) => deliveries.into_iter().for_each(|delivery| courier.deliver(delivery)),
            None if deliveries.is_empty() => {}
            None => tracing::warn!(
                waiting = deliveries.len(),
                "deliveries to webhooks wait, and no webhook may be called: see `--webhook-allow`"
            ),
        }
        let mut keys: BTreeMap<ShardId, Vec<Key>> = BTreeMap::new();
        for Name { user, session } in awaited {
            let key = Key { sub: user.into(), id: session.into() };
            keys.entry(key.shard(self.mailboxes.len())).or_default().push(key);
        }
        keys.into_iter().for_each(|(shard, keys)| self.tell(shard, Letter::Wake(keys)));
    }

    fn failed(&mut self, error: &StoreError) {
        self.is_damaged |= error.kind == Kind::Corrupt;
        // That it is damaged stays the reason, whatever else fails then.
        if self.cause != Some(error.kind) && self.cause != Some(Kind::Corrupt) {
            self.cause = Some(error.kind);
            tracing::error!(%error, "the journal fails: new messages are refused {}", error.kind.lasts());
            let detail = format!("new messages are refused because the journal fails: {}", error.kind.advice());
            self.refuse(&Refusal::with(Code::JournalUnavailable, detail));
        }
    }

    fn refuse(&mut self, refusal: &Refusal) {
        self.is_broken = true;
        self.tell_all(Some(refusal));
    }

    /// Loads and changes what was wanted, in order.
    fn follow(&mut self) {
        for then in std::mem::take(&mut self.then) {
            match then {
                Then::Load(shard, key) => {
                    let outcome = self.find(&key);
                    self.tell(shard, Letter::Loaded { key, outcome: Box::new(outcome) });
                }
                Then::Change(shard, ticket, job) => {
                    // What waits to be kept could bring back what is deleted now.
                    let outcome = match self.appends.is_empty() {
                        true => {
                            let deleted = job.deletes();
                            let outcome = journal_reader::change(self.store.as_mut(), *job);
                            // Also where only a part could be deleted.
                            if let (Some(courier), Some((user, session))) = (&self.courier, deleted) {
                                courier.recall(&user, session.as_deref());
                            }
                            outcome
                        }
                        false => JobOutcome::Reply(NOT_NOW.into()),
                    };
                    self.tell(shard, Letter::JobDone { ticket, outcome });
                }
            }
        }
    }

    /// A step of deleting what is kept no longer, and then of giving back the space. `may_write`: the journal can be written now.
    fn maintain(&mut self, may_write: bool) {
        match self.is_compacting {
            true => self.compact(may_write),
            false => self.retain(may_write),
        }
    }

    /// Gives back some of the space that deletions have left: those of users too.
    fn compact(&mut self, may_write: bool) {
        let outcome = if may_write { self.store.compact() } else { Ok(false) };
        if let Err(error) = &outcome {
            tracing::warn!(%error, "the journal can't be made smaller now");
        }
        self.is_compacting = outcome.unwrap_or(false);
        self.next_retain = Instant::now() + if self.is_compacting { COMPACT_PAUSE } else { RETAIN_EVERY };
    }

    /// Deletes some of what is kept no longer, never of what is in memory.
    fn retain(&mut self, may_write: bool) {
        let Some(in_memory) = Some(()).filter(|()| may_write).and_then(|()| self.in_memory()) else {
            tracing::debug!("old conversations are deleted later: the journal or the server is too busy");
            self.next_retain = Instant::now() + RETAIN_AGAIN;
            return;
        };
        if self.is_retaining.is_none() && self.store.is_shared() {
            self.resume_deliveries();
        }
        let now = now();
        let since = |days: u32| Time(now.saturating_sub(u64::from(days) * 24 * 3600 * 1_000_000));
        let retention = Retention { unused_since: self.retain.days.map(since), user_bytes_max: self.retain.user_bytes };
        let outcome = self.store.retain(&retention, &|name| in_memory.contains(name));
        let step = outcome.as_ref().copied().unwrap_or_default();
        let so_far = self.is_retaining.get_or_insert_default();
        so_far.add(step);
        if outcome.is_ok() && step.sessions >= RETAIN_SESSIONS_MAX {
            // The rest follows when what has come meanwhile is done.
            self.next_retain = Instant::now();
            return;
        }
        if let Err(error) = outcome {
            tracing::error!(%error, "old conversations can't be deleted from the journal");
        }
        if so_far.sessions > 0 {
            tracing::info!(sessions = so_far.sessions, turns = so_far.turns, bytes = so_far.bytes, "old conversations were deleted");
        }
        (self.is_retaining, self.is_compacting, self.next_retain) = (None, true, Instant::now());
    }

    /// The sessions that shards have in memory. None if one does not say it in time: then any could be. No other is loaded while
    /// this thread is at work.
    fn in_memory(&self) -> Option<HashSet<Name>> {
        let (to, names) = channel();
        let asked = self.mailboxes.iter().filter(|mailbox| mailbox.put(Letter::Names(to.clone())).is_none()).count();
        let until = Instant::now() + NAMES_TIME;
        let mut all = HashSet::new();
        for _ in 0..asked {
            all.extend(names.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?);
        }
        Some(all)
    }

    fn find(&mut self, key: &Key) -> Result<Found, Refusal> {
        let name = Name { user: (*key.sub).to_owned(), session: (*key.id).to_owned() };
        if self.appends.iter().any(|append| append.name == name) {
            // It broke before all of it could be kept: what is there is not all of it.
            return Err(Refusal::new(
                Code::JournalUnavailable,
                "this session can't be loaded before all of it is kept: try again in a moment",
            ));
        }
        let loaded = self.store.load(&name).map_err(|error| {
            tracing::error!(%error, session = key.hashed(), "a session can't be read from the journal");
            self.failed(&error);
            Refusal::with(
                Code::JournalUnavailable,
                format!("the session can't be loaded because the journal fails: {}", error.kind.advice()),
            )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph;
    use crate::store::sqlite;

    #[test]
    fn a_shard_learns_which_session_was_taken_over_before_it_hears_that_its_batch_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = sqlite::open(&folder.path().join("journal.db")).unwrap();
        let name = |session: &str| Name { user: "ada".to_owned(), session: session.to_owned() };
        let record = |session: &str, generation, number| {
            let item = Item::Record { number, bytes: b"input".to_vec() };
            Append { name: name(session), generation, at: Time(1), item }
        };
        store.append(&[record("taken", 1, 1), record("own", 1, 1)]).unwrap();
        // As another server does.
        assert_eq!(store.load(&name("taken")).unwrap().generation, 2);
        let reader = store.reader().unwrap();
        let mailboxes: Arc<[Arc<Mailbox>]> = [Arc::default()].into();
        let retain = Retain::default();
        let journal = Journal::start((Box::new(store), reader), graph::shipped(), mailboxes.clone(), retain, None).unwrap();
        journal.append(ShardId(0), 1, vec![record("taken", 1, 2), record("own", 1, 2), record("taken", 2, 2)]);
        let mut heard = Vec::new();
        let until = Instant::now() + Duration::from_secs(60);
        while !heard.contains(&"durable 1".to_owned()) {
            assert!(Instant::now() < until, "{heard:?}");
            heard.extend(mailboxes[0].take().into_iter().filter_map(|letter| match letter {
                Letter::Fenced { key, generation } => Some(format!("fenced {} {generation}", key.id)),
                Letter::Durable { batch } => Some(format!("durable {batch}")),
                _ => None,
            }));
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(heard, ["fenced taken 1", "durable 1"]);
        journal.end(Duration::from_secs(60));
        let mut store = sqlite::open(&folder.path().join("journal.db")).unwrap();
        assert_eq!(["own", "taken"].map(|session| store.records(&name(session), 1, 9).unwrap().len()), [2, 2]);
    }
}
