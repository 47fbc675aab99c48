//! Delivers what webhooks are to learn: posts it, signed, again and again until it is taken or given up.
//!
//! A few threads do it, so that nobody waits for a receiver; a slow one holds up at most half of them. What waits is bounded in
//! count and bytes by those who ask ([`Courier::is_full`]). What became of each attempt is reported, so that a journal can keep it:
//! a delivery is repeated where that report was lost, under the same id. Redirects are not followed, and only listed addresses are
//! called, whatever a journal says.

mod post;
mod schedule;
pub mod secret;

use crate::contract::journal::{Attempted, Delivery, DeliveryState, DeliveryStatus, Name};
use crate::contract::{Time, WebhookPrefix, WebhookUrl};
use post::{Answered, Poster};
use schedule::Next;
use secret::Secrets;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Threads, and how many of them may call one place.
const THREADS: usize = 4;
const OF_ONE_PLACE_MAX: usize = 2;
/// Deliveries that may wait, and their bytes. Beyond: messages with a webhook are refused.
const WAITING_MAX: usize = 1_000;
const WAITING_BYTES_MAX: usize = 64 << 20;
/// Deliveries that have ended whose outcome is remembered.
const ENDED_MAX: usize = 1_000;
/// How long a thread rests that has nothing to do.
const REST: Duration = Duration::from_secs(3_600);

/// Which addresses are called, and how it is proved who calls.
#[derive(Clone, Debug)]
pub struct Settings {
    pub allowed: Vec<WebhookPrefix>,
    pub secrets: Secrets,
}

/// Takes deliveries.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

/// What became of deliveries since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub waiting: u64,
    pub delivered: u64,
    pub failed: u64,
    /// Attempts that failed and are followed by another one.
    pub retried: u64,
}

struct Inner {
    settings: Settings,
    poster: Poster,
    state: Mutex<State>,
    changed: Condvar,
    delivered: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
}

#[derive(Default)]
struct State {
    /// By when they are due, and a number that makes each its own.
    waiting: BTreeMap<(Instant, u64), Job>,
    last: u64,
    bytes: usize,
    /// Those that are being attempted, by id, with whose they are and where they go.
    running: BTreeMap<String, Running>,
    ended: VecDeque<(Name, u64, DeliveryStatus)>,
    report: Option<Box<Report>>,
    is_over: bool,
}

type Report = dyn Fn(Attempted) + Send;

struct Job {
    delivery: Delivery,
    url: WebhookUrl,
    /// The status of the last attempt.
    status: Option<u16>,
}

struct Running {
    name: Name,
    turn: u64,
    place: (String, u16),
    attempts: u32,
    status: Option<u16>,
    is_recalled: bool,
}

impl Courier {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses one.
    pub fn start(settings: Settings) -> io::Result<Courier> {
        let (delivered, failed, retried) = Default::default();
        let (state, changed) = Default::default();
        let inner = Arc::new(Inner { settings, poster: Poster::new(), state, changed, delivered, failed, retried });
        for number in 0..THREADS {
            let inner = inner.clone();
            thread::Builder::new().name(format!("webhooks {number}")).spawn(move || inner.work())?;
        }
        Ok(Courier(inner))
    }

    /// Reports what becomes of each attempt, from now on.
    pub fn report_to(&self, report: impl Fn(Attempted) + Send + 'static) {
        self.0.lock().report = Some(Box::new(report));
    }

    /// Takes a delivery, unless it has it. One whose address may not be called any more fails.
    pub fn deliver(&self, delivery: Delivery) {
        let mut state = self.0.lock();
        let is_known = state.running.contains_key(&delivery.webhook.id) || state.find(&delivery.webhook.id).is_some();
        if state.is_over || is_known {
            return;
        }
        match delivery.webhook.url.parse::<WebhookUrl>() {
            Ok(url) if self.0.settings.allowed.iter().any(|prefix| prefix.allows(&url)) => {
                let wait = Duration::from_micros(delivery.due.0.saturating_sub(now().0)).min(schedule::WAIT_MAX);
                state.add(Instant::now() + wait, Job { delivery, url, status: None });
                drop(state);
                self.0.changed.notify_one();
            }
            Ok(_) | Err(_) => {
                let Delivery { name, webhook, attempts, .. } = delivery;
                tracing::warn!(id = webhook.id, "the address of a webhook may not be called any more: its delivery was given up");
                self.0.end(
                    &mut state,
                    webhook.id,
                    name,
                    webhook.turn,
                    DeliveryStatus { state: DeliveryState::Failed, attempts, status: None },
                );
            }
        }
    }

    /// Delivers nothing more of a user's session, or of all of theirs.
    pub fn recall(&self, user: &str, session: Option<&str>) {
        let mut state = self.0.lock();
        let is_theirs = |name: &Name| name.user == user && session.is_none_or(|session| name.session == session);
        state.waiting.retain(|_, job| !is_theirs(&job.delivery.name));
        state.bytes = state.waiting.values().map(Job::bytes).sum();
        state.running.values_mut().filter(|running| is_theirs(&running.name)).for_each(|running| running.is_recalled = true);
        state.ended.retain(|(name, ..)| !is_theirs(name));
    }

    /// Whether as much waits as may.
    pub fn is_full(&self) -> bool {
        let state = self.0.lock();
        state.waiting.len() + state.running.len() >= WAITING_MAX || state.bytes >= WAITING_BYTES_MAX
    }

    /// What is known of a turn's delivery.
    pub fn status(&self, name: &Name, turn: u64) -> Option<DeliveryStatus> {
        let state = self.0.lock();
        let pending = |attempts, status| Some(DeliveryStatus { state: DeliveryState::Pending, attempts, status });
        let is_it = |job: &&Job| job.delivery.name == *name && job.delivery.webhook.turn == turn;
        if let Some(job) = state.waiting.values().find(is_it) {
            return pending(job.delivery.attempts, job.status);
        }
        if let Some(running) = state.running.values().find(|running| running.name == *name && running.turn == turn) {
            return pending(running.attempts, running.status);
        }
        state.ended.iter().rev().find(|(of, number, _)| of == name && *number == turn).map(|(.., status)| *status)
    }

    pub fn counts(&self) -> Counts {
        let waiting = { self.0.lock() }.len() as u64;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts { waiting, delivered: of(&self.0.delivered), failed: of(&self.0.failed), retried: of(&self.0.retried) }
    }

    /// Begins no further attempt, and waits for those that are under way, for at most so long. Returns how many deliveries are left.
    pub fn end(&self, time: Duration) -> usize {
        let mut state = self.0.lock();
        state.is_over = true;
        self.0.changed.notify_all();
        let until = Instant::now() + time;
        while !state.running.is_empty() && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            state = self.0.changed.wait_timeout(state, left).expect(UNPOISONED).0;
        }
        state.len()
    }
}

impl State {
    fn add(&mut self, due: Instant, job: Job) {
        self.last += 1;
        self.bytes += job.bytes();
        self.waiting.insert((due, self.last), job);
    }

    fn find(&self, id: &str) -> Option<&Job> {
        self.waiting.values().find(|job| job.delivery.webhook.id == id)
    }

    fn len(&self) -> usize {
        self.waiting.len() + self.running.len()
    }

    /// The first that is due and whose place may be called now, else when to look again.
    fn take(&mut self, now: Instant) -> Result<Job, Option<Instant>> {
        let mut calls = BTreeMap::<&(String, u16), usize>::new();
        self.running.values().for_each(|running| *calls.entry(&running.place).or_default() += 1);
        let is_free = |job: &Job| calls.get(&job.place()).is_none_or(|calls| *calls < OF_ONE_PLACE_MAX);
        // What is due and not free is looked at again when an attempt has ended.
        let found = self.waiting.iter().take_while(|((due, _), _)| *due <= now).find(|(_, job)| is_free(job));
        let Some(key) = found.map(|(key, _)| *key) else {
            return Err(self.waiting.keys().map(|(due, _)| *due).find(|due| *due > now));
        };
        let job = self.waiting.remove(&key).expect("it was just found");
        self.bytes -= job.bytes();
        let running = Running {
            name: job.delivery.name.clone(),
            turn: job.delivery.webhook.turn,
            place: job.place(),
            attempts: job.delivery.attempts,
            status: job.status,
            is_recalled: false,
        };
        self.running.insert(job.delivery.webhook.id.clone(), running);
        Ok(job)
    }
}

impl Job {
    fn bytes(&self) -> usize {
        self.delivery.body.len() + self.delivery.webhook.url.len()
    }

    fn place(&self) -> (String, u16) {
        let (host, port) = self.url.place();
        (host.to_owned(), port)
    }
}

impl Inner {
    fn work(&self) {
        let mut state = self.lock();
        while !state.is_over {
            match state.take(Instant::now()) {
                Ok(job) => {
                    drop(state);
                    let answered = self.poster.post(&job.delivery, &self.settings.secrets, now());
                    state = self.lock();
                    self.attempted(&mut state, job, answered);
                    self.changed.notify_all();
                }
                Err(next) => {
                    let wait = next.map_or(REST, |next| next.saturating_duration_since(Instant::now()).min(REST));
                    state = self.changed.wait_timeout(state, wait).expect(UNPOISONED).0;
                }
            }
        }
    }

    /// An attempt has ended.
    fn attempted(&self, state: &mut State, mut job: Job, answered: Answered) {
        let is_recalled = state.running.remove(&job.delivery.webhook.id).is_none_or(|running| running.is_recalled);
        if is_recalled {
            return;
        }
        let delivery = &mut job.delivery;
        delivery.attempts += 1;
        job.status = answered.status;
        let (attempts, status, id) = (delivery.attempts, answered.status, delivery.webhook.id.clone());
        match schedule::next(&answered, attempts, delivery.since, now()) {
            Next::Delivered => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
                let ended = DeliveryStatus { state: DeliveryState::Delivered, attempts, status };
                self.end(state, id, job.delivery.name, job.delivery.webhook.turn, ended);
            }
            Next::GiveUp => {
                let (url, cause) = (job.url.to_string(), answered.cause());
                tracing::warn!(url, id, attempts, cause, "a webhook could not be delivered and was given up");
                let ended = DeliveryStatus { state: DeliveryState::Failed, attempts, status };
                self.end(state, id, job.delivery.name, job.delivery.webhook.turn, ended);
            }
            Next::Again(wait) => {
                let (url, cause, again_s) = (job.url.to_string(), answered.cause(), wait.as_secs());
                tracing::info!(url, id, attempts, cause, again_s, "a webhook was not taken: it is tried again");
                self.retried.fetch_add(1, Ordering::Relaxed);
                delivery.due = Time(now().0.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX)));
                let due = delivery.due;
                self.report(state, Attempted { id, status: DeliveryStatus { state: DeliveryState::Pending, attempts, status }, due });
                state.add(Instant::now() + wait, job);
            }
        }
    }

    /// Nothing more is tried.
    fn end(&self, state: &mut State, id: String, name: Name, turn: u64, status: DeliveryStatus) {
        if status.state == DeliveryState::Failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        if state.ended.len() >= ENDED_MAX {
            state.ended.pop_front();
        }
        state.ended.push_back((name, turn, status));
        self.report(state, Attempted { id, status, due: now() });
    }

    fn report(&self, state: &State, attempted: Attempted) {
        state.report.iter().for_each(|report| report(attempted.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNPOISONED)
    }
}

const UNPOISONED: &str = "nothing panics while it holds the deliveries";

fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
