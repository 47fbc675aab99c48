//! The pool: blocking calls on threads that come when they are needed and leave when they are not.
//!
//! Calls stand in lanes, each with its own limit, so that slow work of one kind never starves another. The worker that rested
//! last is woken first: it has the warmest connection, and the others get to leave.
//!
//! Invariants: each call that was started yields exactly one [`Reply::Done`], last, from a worker's thread, whether it
//! ends, fails, panics, waits too long or is cancelled; a full lane refuses at once; as many workers
//! are awake as jobs may begin, and never more than the lanes' limits together, but for those that are stuck.

use super::call::{Call, Cancel, Ended, Model};
use super::database::Databases;
use super::tape::{Take, Tape};
use crate::contract::{Answer, CallError, DatabaseFault, DatabaseInfo, Request, TraceParent, Usage, micros};
use crate::sql;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

#[derive(Clone)]
pub struct Settings {
    /// Calls that people wait for, at once.
    pub workers_max: usize,
    /// Calls in the background, at once.
    pub background_max: usize,
    /// Questions to each database, at once.
    pub database_max: usize,
    /// Calls that may wait, in each lane.
    pub queue_max: usize,
    /// How long a worker rests before it leaves.
    pub rest_max: Duration,
    /// The longest that a call may take, waiting included.
    pub call_time_max: Duration,
    pub databases: Databases,
    /// Records the calls, or answers them without making any.
    pub tape: Option<Arc<Tape>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            workers_max: 256,
            background_max: 64,
            database_max: 8,
            queue_max: 1024,
            rest_max: Duration::from_secs(30),
            call_time_max: Duration::from_secs(600),
            databases: Databases::default(),
            tape: None,
        }
    }
}

/// How much a pool does at once, and for how long: the part of [`Settings`] that may change while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    pub workers_max: usize,
    pub background_max: usize,
    pub queue_max: usize,
    pub call_time_max: Duration,
}

/// What a call says: any number of chunks, then its end. `waited` is how long it stood in line.
#[derive(Debug)]
pub enum Reply {
    Chunk(String),
    Done { usage: Usage, waited: Duration, outcome: Result<Answer, CallError> },
}

/// Makes each worker its own model.
pub type Models = dyn Fn() -> Box<dyn Model> + Send + Sync;

#[derive(Clone)]
pub struct Pool(Arc<Shared>);

/// A call that was started.
pub struct CallHandle {
    pool: Pool,
    cancel: Arc<Cancel>,
}

struct Shared {
    settings: Settings,
    /// Who makes each worker its model, and how often that has changed.
    models: Mutex<(u64, Arc<Models>)>,
    /// The longest that a call may take, in microseconds. Shards ask for it, and must not wait for a lock.
    call_us_max: AtomicU64,
    state: Mutex<State>,
}

struct State {
    limits: PoolLimits,
    /// By [`Lane::place`].
    lanes: Vec<LaneState>,
    workers: usize,
    workers_ever: u64,
    /// Last in, first out.
    resting: Vec<(u64, Thread)>,
}

#[derive(Default)]
struct LaneState {
    waiting: VecDeque<Job>,
    /// The workers that are at it, and when each must have ended.
    running: Vec<(u64, Instant)>,
}

struct Job {
    lane: Lane,
    request: Arc<Request>,
    /// Its place on the tape, where there is one.
    take: Option<Take>,
    trace: Option<TraceParent>,
    cancel: Arc<Cancel>,
    since: Instant,
    due: Instant,
    reply: Box<dyn FnMut(Reply) + Send>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// Calls that were cancelled while they waited: all they need is their end, which the canceller's thread must not give,
    /// because whom it tells may be waiting for that thread.
    Farewell,
    Foreground,
    Background,
    /// One for each database, by its place: a slow one is waited for by nobody else.
    Database(usize),
}

/// A worker's model.
struct Fitted {
    /// The change of models since which it is the right one.
    change: u64,
    model: Box<dyn Model>,
}

const UNPOISONED: &str = "nothing panics while it holds this lock";

const STACK_BYTES: usize = if sql::STACK_BYTES > (256 << 10) { sql::STACK_BYTES } else { 256 << 10 };
/// How long beyond its deadline a worker may take to notice it.
const LOST_AFTER: Duration = Duration::from_secs(1);

impl Pool {
    /// `models` makes each worker its own model.
    pub fn new(settings: Settings, models: Box<Models>) -> Pool {
        let lanes = (0..Lane::Database(settings.databases.len()).place()).map(|_| LaneState::default()).collect();
        let Settings { workers_max, background_max, queue_max, call_time_max, .. } = settings;
        let limits = PoolLimits { workers_max, background_max, queue_max, call_time_max };
        let state = Mutex::new(State { limits, lanes, workers: 0, workers_ever: 0, resting: Vec::new() });
        let call_us_max = AtomicU64::new(micros(call_time_max));
        Pool(Arc::new(Shared { settings, models: Mutex::new((0, models.into())), call_us_max, state }))
    }

    /// From its next call on, each worker has a model that these make. Calls that are out end as they began.
    pub fn change_models(&self, models: Box<Models>) {
        let mut current = self.0.models.lock().expect(UNPOISONED);
        *current = (current.0 + 1, models.into());
    }

    /// Goes by other limits from now on. Calls that run or wait go on, with the time that they were given.
    pub fn change_limits(&self, limits: PoolLimits) {
        self.0.call_us_max.store(micros(limits.call_time_max), Ordering::Relaxed);
        let mut state = self.0.state();
        state.limits = limits;
        let waiting: usize = state.lanes.iter().map(|lane| lane.waiting.len()).sum();
        drop(state);
        // There may be room for those that wait. Where the system starts no thread now, they wait for a worker that runs.
        for _ in 0..waiting {
            self.wake(self.0.state());
        }
    }

    /// The databases that a session can query.
    pub fn databases(&self, session: &str) -> Vec<DatabaseInfo> {
        let now = self.0.settings.databases.infos();
        match &self.0.settings.tape {
            Some(tape) => tape.databases(session, now),
            None => now,
        }
    }

    /// The names of all databases, whatever a tape says of them.
    pub fn database_names(&self) -> Vec<Arc<str>> {
        self.0.settings.databases.infos().into_iter().map(|info| info.name.into()).collect()
    }

    /// Has all databases surveyed, now and when it is due, in the background. A replay has what its tape says of them.
    pub fn keep_surveyed(&self) {
        let databases = &self.0.settings.databases;
        match &self.0.settings.tape {
            None => databases.keep_surveyed(),
            // Each recording is to have the same.
            Some(tape) if tape.is_recording() => databases.survey(),
            Some(_) => {}
        }
    }

    /// Starts a call of a session, or says at once why not. `reply` is called on a worker's thread, and may block it.
    pub fn start(&self, session: &Arc<str>, request: Arc<Request>, reply: Box<dyn FnMut(Reply) + Send>) -> Result<CallHandle, CallError> {
        self.start_traced(session, request, None, reply)
    }

    /// The same, with what the call says of its span in a distributed trace.
    pub fn start_traced(
        &self,
        session: &Arc<str>,
        request: Arc<Request>,
        trace: Option<TraceParent>,
        reply: Box<dyn FnMut(Reply) + Send>,
    ) -> Result<CallHandle, CallError> {
        let lane = self.0.lane(&request);
        let take = self.0.settings.tape.as_ref().map(|tape| tape.take(session, &request));
        let cancel = Arc::new(Cancel::default());
        let since = Instant::now();
        let due = since + self.deadline(&request);
        let job = Job { lane, request, take, trace, cancel: cancel.clone(), since, due, reply };
        let mut state = self.0.state();
        let (room, queue_max) = (self.0.room(&state, lane), state.limits.queue_max);
        let line = &mut state.lanes[lane.place()].waiting;
        if line.len() >= room + queue_max {
            drop(state);
            tracing::warn!(lane = ?lane, queue_max, "call refused: the queue is full");
            return Err(job.refused());
        }
        line.push_back(job);
        if !self.wake(state)
            && let Some(job) = self.0.state().remove(&cancel)
        {
            tracing::error!(lane = ?lane, "call refused: the system starts no thread");
            return Err(job.refused());
        }
        Ok(CallHandle { pool: self.clone(), cancel })
    }

    /// The longest that a call for `request` takes. Who waits longer waits for a worker that is stuck.
    pub fn deadline(&self, request: &Request) -> Duration {
        let call_time_max = Duration::from_micros(self.0.call_us_max.load(Ordering::Relaxed));
        match request {
            Request::Model(_) => call_time_max,
            Request::Approval(_) => unreachable!("no worker does an approval"),
            Request::Database(asked) => call_time_max.min(Duration::from_millis(asked.limits.time_ms_max)),
        }
    }

    /// Calls that wait and that run, by kind: `llm`, `background`, `database`.
    pub fn load(&self) -> [(&'static str, usize, usize); 3] {
        let state = self.0.state();
        let of = |lanes: &[LaneState]| {
            let count = |count: fn(&LaneState) -> usize| lanes.iter().map(count).sum::<usize>();
            (count(|lane| lane.waiting.len()), count(|lane| lane.running.len()))
        };
        let lane = |lane: Lane| std::slice::from_ref(&state.lanes[lane.place()]);
        [("llm", lane(Lane::Foreground)), ("background", lane(Lane::Background)), ("database", &state.lanes[Lane::Database(0).place()..])]
            .map(|(name, lanes)| (name, of(lanes).0, of(lanes).1))
    }

    /// Threads that there are now.
    pub fn workers(&self) -> usize {
        self.0.state().workers
    }

    /// Gets a worker for the job that was put in line last, one that rests or a new one, unless enough are awake for all jobs
    /// that may begin. `false` if the system gives us no thread and nobody will come.
    fn wake(&self, mut state: MutexGuard<'_, State>) -> bool {
        let running: usize = state.lanes.iter().map(|lane| lane.running.len()).sum();
        let may_begin = |lane: &Lane| state.lanes[lane.place()].waiting.len().min(self.0.room(&state, *lane));
        if state.workers - state.resting.len() - running >= self.0.lanes().map(|lane| may_begin(&lane)).sum() {
            return true;
        }
        if let Some((_, worker)) = state.resting.pop() {
            worker.unpark();
            return true;
        }
        state.workers += 1;
        state.workers_ever += 1;
        let number = state.workers_ever;
        drop(state);
        let shared = self.0.clone();
        let born = thread::Builder::new().name("worker".to_owned()).stack_size(STACK_BYTES).spawn(move || shared.work(number));
        if born.is_err() {
            let mut state = self.0.state();
            state.workers -= 1;
            return state.workers > 0;
        }
        true
    }
}

impl CallHandle {
    /// Ends the call: a read in flight is broken off, a call that waits leaves the line.
    pub fn cancel(&self) {
        self.cancel.cancel();
        let mut state = self.pool.0.state();
        if let Some(job) = state.remove(&self.cancel) {
            state.lanes[Lane::Farewell.place()].waiting.push_back(Job { lane: Lane::Farewell, ..job });
            self.pool.wake(state);
        }
    }
}

impl Job {
    /// There is no room for it; that too is on the tape.
    fn refused(self) -> CallError {
        if let Some(Take::Record(recording)) = self.take {
            recording.ended(&CallError::Overloaded.into());
        }
        CallError::Overloaded
    }
}

impl State {
    /// Takes a job out of its line, if it still stands there.
    fn remove(&mut self, cancel: &Arc<Cancel>) -> Option<Job> {
        self.lanes.iter_mut().find_map(|lane| {
            let place = lane.waiting.iter().position(|job| Arc::ptr_eq(&job.cancel, cancel))?;
            lane.waiting.remove(place)
        })
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNPOISONED)
    }

    /// Makes sure that a worker has a model of those that count now.
    fn fit(&self, model: &mut Option<Fitted>) {
        let (change, models) = self.models.lock().expect(UNPOISONED).clone();
        if model.as_ref().is_none_or(|fitted| fitted.change != change) {
            *model = Some(Fitted { change, model: models() });
        }
    }

    fn lane(&self, request: &Request) -> Lane {
        match request {
            Request::Model(model) if model.background => Lane::Background,
            Request::Model(_) => Lane::Foreground,
            Request::Approval(_) => unreachable!("no worker does an approval"),
            // One that is not known is told so at once.
            Request::Database(asked) => self.settings.databases.place(&asked.database).map_or(Lane::Foreground, Lane::Database),
        }
    }

    /// In the order in which a worker that is free looks for a job.
    fn lanes(&self) -> impl Iterator<Item = Lane> {
        [Lane::Farewell, Lane::Foreground, Lane::Background].into_iter().chain((0..self.settings.databases.len()).map(Lane::Database))
    }

    fn limit(&self, limits: &PoolLimits, lane: Lane) -> usize {
        match lane {
            Lane::Farewell => 1,
            Lane::Foreground => limits.workers_max.max(1),
            Lane::Background => limits.background_max.max(1),
            Lane::Database(_) => self.settings.database_max.max(1),
        }
    }

    /// Jobs of a lane that may begin now. A worker that is stuck beyond its deadline is lost until it returns, and another
    /// may take its place; at most as many again.
    fn room(&self, state: &State, lane: Lane) -> usize {
        let (limit, running) = (self.limit(&state.limits, lane), &state.lanes[lane.place()].running);
        if running.len() < limit {
            return limit - running.len();
        }
        let now = Instant::now();
        let lost = running.iter().filter(|(_, due)| *due + LOST_AFTER < now).count();
        (limit + lost.min(limit)).saturating_sub(running.len())
    }

    fn work(&self, number: u64) {
        let mut model = None;
        while let Some(job) = self.next(number) {
            let lane = job.lane;
            // A reply that panics is its owner's loss; the worker goes on.
            let _ = catch_unwind(AssertUnwindSafe(|| self.run(job, &mut model)));
            self.state().lanes[lane.place()].running.retain(|(worker, _)| *worker != number);
        }
    }

    /// The next job; `None` when the worker has rested long enough and leaves.
    fn next(&self, number: u64) -> Option<Job> {
        let begun = Instant::now();
        loop {
            let mut state = self.state();
            let rested = begun.elapsed();
            let job = self.take(&mut state, number);
            if job.is_some() || rested >= self.settings.rest_max {
                state.resting.retain(|(resting, _)| *resting != number);
                state.workers -= usize::from(job.is_none());
                return job;
            }
            if !state.resting.iter().any(|(resting, _)| *resting == number) {
                state.resting.push((number, thread::current()));
            }
            drop(state);
            thread::park_timeout(self.settings.rest_max.saturating_sub(rested));
        }
    }

    fn take(&self, state: &mut State, worker: u64) -> Option<Job> {
        self.lanes().find_map(|lane| {
            if self.room(state, lane) == 0 {
                return None;
            }
            let here = &mut state.lanes[lane.place()];
            let job = here.waiting.pop_front()?;
            here.running.push((worker, job.due));
            Some(job)
        })
    }

    fn run(&self, job: Job, model: &mut Option<Fitted>) {
        let Job { lane, request, take, trace, cancel, since, due, mut reply } = job;
        let (mut recording, played) = match take {
            Some(Take::Record(recording)) => (Some(recording), None),
            Some(Take::Play(played)) => (None, Some(played)),
            None => (None, None),
        };
        let begun = Instant::now();
        let waited = begun - since;
        let mut ended = if cancel.is_cancelled() {
            CallError::Cancelled.into()
        } else if begun >= due {
            tracing::warn!(lane = ?lane, waited_ms = waited.as_millis() as u64, "call timed out in the queue");
            match &*request {
                Request::Model(_) => CallError::Deadline { waited: "a free worker".to_owned() }.into(),
                Request::Database(_) => CallError::Database(DatabaseFault::Deadline).into(),
                Request::Approval(_) => unreachable!("no worker does an approval"),
            }
        } else {
            let mut say = |text: &str| {
                recording.iter_mut().for_each(|recording| recording.heard(text));
                reply(Reply::Chunk(text.to_owned()));
            };
            let mut call = Call { cancel: &cancel, due, trace, say: &mut say };
            let answered = catch_unwind(AssertUnwindSafe(|| match (&played, &*request) {
                (Some(played), _) => played.answer(&mut call),
                (None, Request::Model(asked)) => {
                    self.fit(model);
                    model.as_mut().expect("it was just fitted").model.answer(asked, &mut call)
                }
                (None, Request::Database(asked)) => self.settings.databases.answer(asked, &mut call),
                (None, Request::Approval(_)) => unreachable!("no worker does an approval"),
            }));
            answered.unwrap_or_else(|_| {
                tracing::error!(lane = ?lane, "call panicked; the worker goes on without what it had open");
                *model = None;
                CallError::Panicked.into()
            })
        };
        if ended.outcome.is_err() && cancel.is_cancelled() {
            ended.outcome = Err(CallError::Cancelled);
        }
        recording.into_iter().for_each(|recording| recording.ended(&ended));
        let Ended { usage, outcome } = ended;
        reply(Reply::Done { usage, waited, outcome });
    }
}

impl Lane {
    fn place(self) -> usize {
        match self {
            Lane::Farewell => 0,
            Lane::Foreground => 1,
            Lane::Background => 2,
            Lane::Database(place) => 3 + place,
        }
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
