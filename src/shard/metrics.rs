//! What a shard has counted: plain numbers that only it changes, put together with those of the others when someone asks.
//!
//! Labels come from closed sets: the table of routes, the graphs' nodes and paths, the configured models and databases, the
//! codes. What is in none of them is `other`. No label names a user or a session.

use super::event::Entry;
use super::histogram::{Histogram, LAGS, LONG, SHORT, WAITS};
use super::routes::{self, RouteId};
use super::{Settings, Sizes};
use crate::contract::{Answer, CallError, CallStatus, Request, Trace, Usage};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

mod write;

pub(super) use write::Beside;

/// What the machine side shows: the pool of workers, and the export of traces where there is one.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    pub pools: Vec<Pool>,
    /// Threads.
    pub workers: usize,
    pub spans: Option<Spans>,
    pub webhooks: Webhooks,
}

/// The calls of one kind: `llm`, `background` or `database`.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    pub name: &'static str,
    pub waiting: usize,
    pub running: usize,
}

/// Spans that were to be exported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spans {
    pub exported: u64,
    pub dropped: u64,
}

/// Deliveries to webhooks, and attempts that were followed by another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Webhooks {
    pub waiting: u64,
    pub delivered: u64,
    pub failed: u64,
    pub retried: u64,
}

/// Whose models answer, as settings name them.
#[derive(Clone, Debug)]
pub struct Models {
    pub provider: Arc<str>,
    pub fast: Arc<str>,
    pub strong: Arc<str>,
    pub fallback: Option<Arc<str>>,
}

impl Default for Models {
    fn default() -> Self {
        Models { provider: "demo".into(), fast: "demo".into(), strong: "demo".into(), fallback: None }
    }
}

impl Models {
    /// The model of a class, `fast` or `strong`.
    pub(super) fn of(&self, class: &str) -> &Arc<str> {
        if class == "fast" { &self.fast } else { &self.strong }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<str>> {
        [&self.fast, &self.strong].into_iter().chain(&self.fallback)
    }

    /// The configured model that answered. Providers call a model by a longer name, such as with its date.
    fn answered<'a>(&'a self, asked: &'a Arc<str>, answered_by: &str) -> &'a Arc<str> {
        let named = self.all().filter(|model| answered_by.starts_with(&***model));
        named.max_by_key(|model| model.len()).unwrap_or(asked)
    }
}

/// The statuses that are counted one by one.
const STATUSES: &[u16] =
    &[101, 200, 304, 400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 417, 421, 426, 429, 431, 500, 501, 503, 505];
/// The place of each status from 100 on; of the others that behind the last.
const PLACES: [u8; 500] = {
    let (mut places, mut at) = ([STATUSES.len() as u8; 500], 0);
    while at < STATUSES.len() {
        places[STATUSES[at] as usize - 100] = at as u8;
        at += 1;
    }
    places
};

#[derive(Clone, Debug)]
struct OfRoute {
    codes: [u64; STATUSES.len() + 1],
    duration: Histogram,
}

#[derive(Clone, Debug)]
struct OfPath {
    /// By [`OUTCOMES`].
    outcomes: [u64; 3],
    degraded: u64,
    duration: Histogram,
    first_delta: Histogram,
}

const OUTCOMES: [&str; 3] = ["done", "error", "cancelled"];

#[derive(Clone, Debug, Default)]
struct OfModel {
    outcomes: ByOutcome,
    /// By [`TOKENS`].
    tokens: [u64; 4],
}

const TOKENS: [&str; 4] = ["input", "output", "reasoning", "cached"];

/// Durations by `done` or the code of the error.
type ByOutcome = BTreeMap<&'static str, Histogram>;

/// Values by names of a closed set, and the one of all others.
#[derive(Clone, Debug)]
struct Named<T, K = Arc<str>> {
    known: BTreeMap<K, T>,
    other: T,
    zero: T,
}

/// A provider and its model.
type OfProvider = (Arc<str>, Arc<str>);

impl<T: Clone, K: Ord + Clone> Named<T, K> {
    fn new(zero: T) -> Self {
        Named { known: BTreeMap::new(), other: zero.clone(), zero }
    }

    /// Makes a place for each name that has none yet.
    fn learn(&mut self, names: impl IntoIterator<Item = K>) {
        for name in names {
            self.known.entry(name).or_insert_with(|| self.zero.clone());
        }
    }

    fn of<Q: Ord + ?Sized>(&mut self, name: &Q) -> &mut T
    where
        K: Borrow<Q>,
    {
        match self.known.get_mut(name) {
            Some(known) => known,
            None => &mut self.other,
        }
    }

    fn add(&mut self, more: &Named<T, K>, add: impl Fn(&mut T, &T)) {
        for (name, value) in &more.known {
            match self.known.get_mut(name) {
                Some(known) => add(known, value),
                // Its shard knows a newer set.
                None => drop(self.known.insert(name.clone(), value.clone())),
            }
        }
        add(&mut self.other, &more.other);
    }
}

impl<T> Named<T> {
    fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.known.iter().map(|(name, value)| (&**name, value)).chain([("other", &self.other)])
    }
}

impl<T> Named<T, OfProvider> {
    /// Provider, model and value.
    fn iter(&self) -> impl Iterator<Item = (&str, &str, &T)> {
        let known = self.known.iter().map(|((provider, model), value)| (&**provider, &**model, value));
        known.chain([("other", "other", &self.other)])
    }
}

#[derive(Clone, Debug)]
pub struct Metrics {
    routes: Vec<OfRoute>,
    paths: Named<OfPath>,
    nodes: Named<Histogram>,
    models: Named<OfModel, OfProvider>,
    databases: Named<ByOutcome>,
    /// Of model calls and of queries.
    waits: [Histogram; 2],
    lag: Histogram,
    /// By code: what was refused, cut or let go, and logged.
    refusals: BTreeMap<&'static str, u64>,
    panics: u64,
    /// Sessions that were loaded, and differed from what was recorded of them.
    differing: u64,
    events_dropped: u64,
    now: Present,
}

/// What there is at this moment; set when someone asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Present {
    pub(super) sizes: Sizes,
    pub(super) web_sockets: usize,
    pub(super) event_streams: usize,
}

impl Metrics {
    pub(super) fn new(settings: &Settings) -> Metrics {
        let of_path = OfPath { outcomes: [0; 3], degraded: 0, duration: Histogram::new(LONG), first_delta: Histogram::new(LONG) };
        let mut metrics = Metrics {
            routes: vec![OfRoute { codes: [0; STATUSES.len() + 1], duration: Histogram::new(SHORT) }; routes::count()],
            paths: Named::new(of_path),
            nodes: Named::new(Histogram::new(LONG)),
            models: Named::new(OfModel::default()),
            databases: Named::new(ByOutcome::default()),
            waits: [const { Histogram::new(WAITS) }; 2],
            lag: Histogram::new(LAGS),
            refusals: BTreeMap::new(),
            panics: 0,
            differing: 0,
            events_dropped: 0,
            now: Present::default(),
        };
        metrics.learn(settings);
        metrics
    }

    /// Makes places for what settings name. What was counted before stays, also under names that are gone: counters never fall.
    pub(super) fn learn(&mut self, settings: &Settings) {
        let graphs: Vec<_> = settings.library.graphs().collect();
        self.paths.learn(graphs.iter().flat_map(|graph| graph.paths.iter().map(|path| path.name.as_str().into())));
        self.nodes.learn(graphs.iter().flat_map(|graph| graph.nodes.iter().map(|node| node.name.clone())));
        let Models { provider, .. } = &settings.models;
        self.models.learn(settings.models.all().map(|model| (provider.clone(), model.clone())));
        self.databases.learn(settings.database_names.iter().cloned());
    }

    pub(super) fn answered(&mut self, route: RouteId, status: u16, us: u64) {
        let place = PLACES.get(usize::from(status).wrapping_sub(100)).map_or(STATUSES.len(), |place| usize::from(*place));
        let route = &mut self.routes[usize::from(route.0)];
        route.codes[place] += 1;
        route.duration.observe(us);
    }

    /// A turn has ended; `first_delta_us` is from its start to its first text.
    pub(super) fn turn_ended(&mut self, trace: &Trace, first_delta_us: Option<u64>) {
        let path = self.paths.of(&*trace.path);
        path.outcomes[match trace.status {
            CallStatus::Done => 0,
            CallStatus::Error => 1,
            CallStatus::Cancelled => 2,
        }] += 1;
        path.degraded += u64::from(trace.degraded.is_some());
        path.duration.observe(trace.total_us);
        first_delta_us.into_iter().for_each(|us| path.first_delta.observe(us));
        for frame in &trace.frames {
            let node = frame.nodes.first().map_or("", |node| node);
            self.nodes.of(node).observe(frame.ended_us.saturating_sub(frame.started_us));
        }
    }

    /// A call has ended.
    pub(super) fn called(
        &mut self,
        models: &Models,
        request: &Request,
        took_us: u64,
        waited_us: u64,
        usage: Usage,
        outcome: &Result<Answer, CallError>,
    ) {
        let name = outcome.as_ref().map_or_else(|error| error.code().name(), |_| OUTCOMES[0]);
        let by_outcome = match request {
            Request::Model(asked) => {
                let answered_by = outcome.as_ref().map_or("", |answer| &answer.model);
                let model = models.answered(models.of(&asked.model), answered_by);
                let model = self.models.of(&(models.provider.clone(), model.clone()));
                let Usage { prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens, .. } = usage;
                let tokens = [prompt_tokens, completion_tokens, reasoning_tokens, cached_tokens];
                model.tokens.iter_mut().zip(tokens).for_each(|(total, more)| *total = total.saturating_add(more));
                &mut model.outcomes
            }
            Request::Database(asked) => self.databases.of(&asked.database),
            Request::Approval(_) => unreachable!("no worker does an approval"),
        };
        by_outcome.entry(name).or_insert(const { Histogram::new(LONG) }).observe(took_us);
        self.waits[usize::from(matches!(request, Request::Database(_)))].observe(waited_us);
    }

    /// A timer has come so much later than it was due.
    pub(super) fn lagged(&mut self, us: u64) {
        self.lag.observe(us);
    }

    /// Events made way for newer ones.
    pub(super) fn dropped_events(&mut self, count: u64) {
        self.events_dropped += count;
    }

    /// What is logged of refusals, limits and panics is counted too.
    pub(super) fn logged(&mut self, entry: &Entry) {
        match entry {
            Entry::Limit { code, .. } | Entry::Refused { code, .. } => *self.refusals.entry(code).or_default() += 1,
            Entry::Panic { .. } => self.panics += 1,
            Entry::Differs { .. } => self.differing += 1,
            Entry::Turn { .. } => {}
        }
    }

    /// All of it, with what there is at this moment.
    pub(super) fn snapshot(&self, now: Present) -> Metrics {
        Metrics { now, ..self.clone() }
    }

    /// Adds what another shard has counted.
    pub(super) fn add(&mut self, more: &Metrics) {
        for (route, more) in self.routes.iter_mut().zip(&more.routes) {
            route.add(more);
        }
        self.paths.add(&more.paths, |path, more| {
            path.outcomes.iter_mut().zip(more.outcomes).for_each(|(count, more)| *count += more);
            path.degraded += more.degraded;
            path.duration.add(&more.duration);
            path.first_delta.add(&more.first_delta);
        });
        self.nodes.add(&more.nodes, Histogram::add);
        self.models.add(&more.models, |model, more| {
            add_outcomes(&mut model.outcomes, &more.outcomes);
            model.tokens.iter_mut().zip(more.tokens).for_each(|(count, more)| *count = count.saturating_add(more));
        });
        self.databases.add(&more.databases, add_outcomes);
        self.waits.iter_mut().zip(&more.waits).for_each(|(wait, more)| wait.add(more));
        self.lag.add(&more.lag);
        for (code, count) in &more.refusals {
            *self.refusals.entry(code).or_default() += count;
        }
        self.panics += more.panics;
        self.differing += more.differing;
        self.events_dropped += more.events_dropped;
        self.now.add(more.now);
    }
}

impl OfRoute {
    fn add(&mut self, more: &OfRoute) {
        self.codes.iter_mut().zip(more.codes).for_each(|(count, more)| *count += more);
        self.duration.add(&more.duration);
    }
}

fn add_outcomes(outcomes: &mut ByOutcome, more: &ByOutcome) {
    for (outcome, more) in more {
        outcomes.entry(outcome).or_insert(const { Histogram::new(LONG) }).add(more);
    }
}

impl Present {
    fn add(&mut self, more: Present) {
        let (sizes, other) = (&mut self.sizes, more.sizes);
        sizes.sockets += other.sockets;
        sizes.open_sessions += other.open_sessions;
        sizes.session_bytes += other.session_bytes;
        sizes.busy_sessions += other.busy_sessions;
        sizes.calls += other.calls;
        sizes.input_bytes += other.input_bytes;
        self.web_sockets += more.web_sockets;
        self.event_streams += more.event_streams;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_for_the_configured_model_that_gave_it() {
        let models = Models { fast: "gpt-5-mini".into(), strong: "gpt-5".into(), fallback: Some("haiku".into()), ..Models::default() };
        for (class, answered_by, expected) in [
            ("fast", "gpt-5-mini", "gpt-5-mini"),
            ("strong", "gpt-5-2026-01-01", "gpt-5"),
            ("fast", "gpt-5-mini-2026-01-01", "gpt-5-mini"),
            ("strong", "haiku-4", "haiku"),
            ("strong", "", "gpt-5"),
            ("fast", "something-else", "gpt-5-mini"),
        ] {
            assert_eq!(&**models.answered(models.of(class), answered_by), expected, "{class} {answered_by}");
        }
    }

    #[test]
    fn what_queries_waited_is_not_what_calls_of_models_waited() {
        let library = crate::graph::shipped();
        let mut metrics = Metrics::new(&Settings::new(library, "v3-framed"));
        let limits = crate::contract::DatabaseLimits::default();
        let asked = crate::contract::DatabaseRequest { database: "shop".into(), ask: crate::contract::DatabaseAsk::Tables, limits };
        metrics.called(&Models::default(), &Request::Database(asked), 5, 7, Usage::NONE, &Ok(Answer::default()));
        assert_eq!(metrics.waits.each_ref().map(Histogram::count), [0, 1]);
    }

    #[test]
    fn every_status_has_its_place() {
        for status in 0..=u16::MAX {
            let place = PLACES.get(usize::from(status).wrapping_sub(100)).map_or(STATUSES.len(), |place| usize::from(*place));
            let expected = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len());
            assert_eq!(place, expected, "{status}");
        }
        for code in crate::contract::Code::ALL.iter().filter(|code| !code.name().starts_with("model_")) {
            let is_of_call = ["calls_full", "call_panicked", "call_cancelled", "database_failed", "not_on_tape"].contains(&code.name());
            assert!(is_of_call || STATUSES.contains(&code.status()), "{code}: list its status {}", code.status());
        }
    }
}
