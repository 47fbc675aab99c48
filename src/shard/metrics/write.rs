//! The metrics as text. Each has its name and its sentence here and nowhere else.

use super::{Machine, Metrics, OUTCOMES, STATUSES, TOKENS};
use crate::shard::routes;
use crate::wire::exposition::Kind::{Counter, Gauge, Histogram};
use crate::wire::exposition::{Exposition, Format};
use serde_json::{Map, Value};

/// What is shown beside what shards have counted.
pub(in crate::shard) struct Beside<'a> {
    pub(in crate::shard) shards: usize,
    pub(in crate::shard) machine: Machine,
    /// With `version` and perhaps `commit`.
    pub(in crate::shard) about: &'a Map<String, Value>,
}

impl Metrics {
    pub(in crate::shard) fn write(&self, format: Format, beside: &Beside<'_>) -> Vec<u8> {
        let mut all = Exposition::new(format);
        self.requests(&mut all);
        self.turns(&mut all);
        self.calls(&mut all);
        self.present(&mut all);
        machine(&mut all, beside);
        all.end()
    }

    fn requests(&self, all: &mut Exposition) {
        let rows = routes::labels().map(|(label, ids)| {
            let mut ids = ids.into_iter();
            let mut row = self.routes[usize::from(ids.next().expect("a label has a route").0)].clone();
            ids.for_each(|id| row.add(&self.routes[usize::from(id.0)]));
            (label, row)
        });
        let rows: Vec<_> = rows.filter(|(_, row)| row.duration.count() > 0).collect();
        let mut family = all.family("http_requests_total", Counter, "HTTP requests that were answered, by route and status.");
        for (route, row) in &rows {
            for (place, count) in row.codes.iter().enumerate().filter(|(_, count)| **count > 0) {
                let code = STATUSES.get(place).map_or("other".to_owned(), u16::to_string);
                family.sample(&[("route", route), ("code", &code)], *count);
            }
        }
        let help = "Time from the whole request to its answer, or to the head of a stream. What is answered within a tick of the \
                    event loop counts as 0.";
        let mut family = all.family("http_request_duration_seconds", Histogram, help);
        for (route, row) in &rows {
            row.duration.write(&mut family, &[("route", route)]);
        }
        let mut family = all.family("refusals_total", Counter, "Requests, messages and connections refused, cut or evicted, by code.");
        for (code, count) in &self.refusals {
            family.sample(&[("code", code)], *count);
        }
        all.family("session_panics_total", Counter, "Sessions that were dropped because of a bug.").sample(&[], self.panics);
        let help = "Sessions that were loaded from the journal, and whose records led to other events than when they were written.";
        all.family("session_differences_total", Counter, help).sample(&[], self.differing);
        let help = "Events of sessions that made way for newer ones; clients that resume from before them miss them.";
        all.family("event_ring_dropped_total", Counter, help).sample(&[], self.events_dropped);
        let help = "How late the event loop was with timers that came due.";
        self.lag.write(&mut all.family("loop_lag_seconds", Histogram, help), &[]);
    }

    fn turns(&self, all: &mut Exposition) {
        let mut family = all.family("turns_total", Counter, "Turns that ended, by path through the graph and outcome.");
        for (path, of) in self.paths.iter() {
            for (outcome, count) in OUTCOMES.iter().zip(of.outcomes) {
                family.sample(&[("path", path), ("outcome", outcome)], count);
            }
        }
        let help = "Turns in which a node took its default route because an answer could not be used.";
        let mut family = all.family("degraded_turns_total", Counter, help);
        self.paths.iter().for_each(|(path, of)| family.sample(&[("path", path)], of.degraded));
        let mut family = all.family("turn_duration_seconds", Histogram, "Time from a turn's start to its end.");
        self.paths.iter().for_each(|(path, of)| of.duration.write(&mut family, &[("path", path)]));
        let help = "Time from a turn's start to the first text of its answer.";
        let mut family = all.family("time_to_first_delta_seconds", Histogram, help);
        self.paths.iter().for_each(|(path, of)| of.first_delta.write(&mut family, &[("path", path)]));
        let mut family = all.family("frames_total", Counter, "Frames that ended, by the node that they are about.");
        self.nodes.iter().for_each(|(node, of)| family.sample(&[("node", node)], of.count()));
        let mut family = all.family("frame_duration_seconds", Histogram, "Time from a frame's start to the end of its last call.");
        self.nodes.iter().for_each(|(node, of)| of.write(&mut family, &[("node", node)]));
    }

    fn calls(&self, all: &mut Exposition) {
        let help = "Time that model calls took, waiting and retries included; `outcome` is `done` or the code of the error.";
        let mut family = all.family("llm_request_duration_seconds", Histogram, help);
        for (provider, model, of) in self.models.iter() {
            for (outcome, durations) in &of.outcomes {
                durations.write(&mut family, &[("provider", provider), ("model", model), ("outcome", outcome)]);
            }
        }
        let help = "Tokens as the provider counts them; `cached` is part of `input`, `reasoning` of `output`.";
        let mut family = all.family("llm_tokens_total", Counter, help);
        for (provider, model, of) in self.models.iter() {
            for (kind, count) in TOKENS.iter().zip(of.tokens) {
                family.sample(&[("provider", provider), ("model", model), ("type", kind)], count);
            }
        }
        let help = "Time that database queries took, waiting included; `outcome` is `done` or the code of the error.";
        let mut family = all.family("database_request_duration_seconds", Histogram, help);
        for (database, outcomes) in self.databases.iter() {
            for (outcome, durations) in outcomes {
                durations.write(&mut family, &[("database", database), ("outcome", outcome)]);
            }
        }
        let mut family = all.family("worker_wait_seconds", Histogram, "Time that calls waited for a worker.");
        self.waits.iter().zip(["llm", "database"]).for_each(|(wait, pool)| wait.write(&mut family, &[("pool", pool)]));
    }

    fn present(&self, all: &mut Exposition) {
        let (sizes, now) = (&self.now.sizes, &self.now);
        for (name, help, value) in [
            ("connections", "Open connections, streams included.", sizes.sockets),
            ("ws_clients", "Open WebSockets.", now.web_sockets),
            ("sse_clients", "Open event streams.", now.event_streams),
            ("sessions", "Sessions in memory.", sizes.open_sessions),
            ("session_bytes", "Memory for histories, traces and events of sessions.", sizes.session_bytes),
            ("request_bytes", "Memory for requests that are being received.", sizes.input_bytes),
            ("busy_sessions", "Sessions with a turn that runs or waits.", sizes.busy_sessions),
            ("calls", "Calls that are out, those that wait for a worker included.", sizes.calls),
        ] {
            all.family(name, Gauge, help).sample(&[], value as u64);
        }
    }
}

fn machine(all: &mut Exposition, beside: &Beside<'_>) {
    let machine = &beside.machine;
    let mut family = all.family("worker_queue_depth", Gauge, "Calls that wait for a worker.");
    machine.pools.iter().for_each(|pool| family.sample(&[("pool", pool.name)], pool.waiting as u64));
    let mut family = all.family("workers_busy", Gauge, "Workers that make a call.");
    machine.pools.iter().for_each(|pool| family.sample(&[("pool", pool.name)], pool.running as u64));
    all.family("workers", Gauge, "Worker threads, resting ones included.").sample(&[], machine.workers as u64);
    all.family("shards", Gauge, "Threads that hold sessions.").sample(&[], beside.shards as u64);
    if let Some(spans) = machine.spans {
        all.family("spans_exported_total", Counter, "Spans that the collector took.").sample(&[], spans.exported);
        let help = "Spans that were lost: the queue was full, or the collector did not take them.";
        all.family("spans_dropped_total", Counter, help).sample(&[], spans.dropped);
    }
    let webhooks = machine.webhooks;
    all.family("webhooks_waiting", Gauge, "Deliveries to webhooks that wait or are tried.").sample(&[], webhooks.waiting);
    let mut family = all.family("webhooks_total", Counter, "Deliveries to webhooks that have ended, and attempts that were repeated.");
    for (outcome, count) in [("delivered", webhooks.delivered), ("failed", webhooks.failed), ("retried", webhooks.retried)] {
        family.sample(&[("outcome", outcome)], count);
    }
    let known = ["version", "commit"].map(|name| (name, beside.about.get(name).and_then(Value::as_str)));
    let labels: Vec<(&str, &str)> = known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    all.family("build_info", Gauge, "Always 1; says which program this is.").sample(&labels, 1);
}
