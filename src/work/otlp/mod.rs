//! Exports finished turns as traces to a collector, over OTLP/HTTP with protobuf.
//!
//! One thread does it, from a queue that is bounded: a shard never waits. What finds the queue full, and what the collector does
//! not take at the second try, is lost and counted. Batches go out when they are large, or some seconds after their first turn.

mod spans;

use super::openai::{Key, is_loopback};
use crate::contract::Finished;
use crate::log;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::{Agent, Body, http::Response};

/// Turns that may wait to be exported; fewer where they hold messages. Beyond: dropped and counted.
const QUEUE_MAX: usize = 1024;
const QUEUE_WITH_CONTENT_MAX: usize = 64;
/// Spans of one request, and how long the first of them waits for others.
const BATCH_SPANS: usize = 512;
const BATCH_TIME: Duration = Duration::from_secs(2);
/// Between the first try and the second, unless the collector names a time; and the longest that it may name.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// How often a failing export is logged.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// Where traces go, and what every span says of this server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Up to and with `/v1/traces`.
    pub url: Uri,
    /// Values may be keys.
    pub headers: Vec<(String, Key)>,
    /// For each try.
    pub timeout: Duration,
    /// Attributes of this server, `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// Whether messages are exported too.
    pub content: bool,
}

/// Takes finished turns; the thread that exports them ends with it.
#[derive(Clone)]
pub struct Exporter {
    queue: SyncSender<Letter>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    exported: AtomicU64,
    dropped: AtomicU64,
}

enum Letter {
    Finished(Box<Finished>),
    /// Export all that came before, and then let go of this.
    Flush(SyncSender<()>),
}

/// Why the collector did not take a batch.
enum Failure {
    /// It may take it later, maybe after so long.
    ForNow {
        why: String,
        wait: Option<Duration>,
    },
    ForGood {
        why: String,
    },
}

impl Exporter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system refuses one.
    pub fn start(settings: Settings) -> io::Result<Exporter> {
        let (queue, letters) = sync_channel(if settings.content { QUEUE_WITH_CONTENT_MAX } else { QUEUE_MAX });
        let counts = Arc::<Counts>::default();
        let mut line = Line { agent: agent(&settings), settings, counts: counts.clone(), logged: None };
        thread::Builder::new().name("otlp".to_owned()).spawn(move || line.run(&letters))?;
        Ok(Exporter { queue, counts })
    }

    /// Takes a turn, or drops it where too many wait.
    pub fn export(&self, finished: Box<Finished>) {
        if let Err(TrySendError::Full(Letter::Finished(finished)) | TrySendError::Disconnected(Letter::Finished(finished))) =
            self.queue.try_send(Letter::Finished(finished))
        {
            self.counts.dropped.fetch_add(spans::count(&finished), Ordering::Relaxed);
        }
    }

    /// Waits until all that waits has been exported, at most so long.
    pub fn flush(&self, time: Duration) {
        let (done, exported) = sync_channel(0);
        let until = Instant::now() + time;
        let mut letter = Letter::Flush(done);
        while let Err(TrySendError::Full(again)) = self.queue.try_send(letter) {
            if Instant::now() >= until {
                return;
            }
            letter = again;
            thread::sleep(Duration::from_millis(10));
        }
        // Its other end is dropped when the time has come.
        let _ = exported.recv_timeout(until.saturating_duration_since(Instant::now()));
    }

    /// Spans that the collector has taken, and those that were lost.
    pub fn counts(&self) -> (u64, u64) {
        (self.counts.exported.load(Ordering::Relaxed), self.counts.dropped.load(Ordering::Relaxed))
    }
}

/// Sends a request without any span, and returns the status of the answer. Errors show no secret.
pub fn probe(settings: &Settings) -> Result<u16, String> {
    let body = request(settings, Vec::new()).encode_to_vec();
    match post(&agent(settings), settings, &body) {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) => Err(redacted(settings, &error.to_string())),
    }
}

/// What the thread has.
struct Line {
    settings: Settings,
    agent: Agent,
    counts: Arc<Counts>,
    /// When a failure was last logged.
    logged: Option<Instant>,
}

impl Line {
    fn run(&mut self, letters: &Receiver<Letter>) {
        let mut batch: Vec<Span> = Vec::new();
        let mut due = Instant::now();
        loop {
            // Nothing to send: nothing to hurry for.
            let wait = if batch.is_empty() { BATCH_TIME } else { due.saturating_duration_since(Instant::now()) };
            let letter = letters.recv_timeout(wait);
            if batch.is_empty() {
                due = Instant::now() + BATCH_TIME;
            }
            let is_due = match letter {
                Ok(Letter::Finished(finished)) => {
                    spans::add(&mut batch, &finished);
                    batch.len() >= BATCH_SPANS || Instant::now() >= due
                }
                Ok(Letter::Flush(done)) => {
                    self.send(std::mem::take(&mut batch));
                    drop(done);
                    false
                }
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => return self.send(batch),
            };
            if is_due {
                self.send(std::mem::take(&mut batch));
            }
        }
    }

    /// Sends a batch, at the second try if the first one fails for now.
    fn send(&mut self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        if count == 0 {
            return;
        }
        let body = request(&self.settings, spans).encode_to_vec();
        let mut tried = self.post(&body);
        if let Err(Failure::ForNow { wait, .. }) = &tried {
            thread::sleep(wait.unwrap_or(PAUSE).min(PAUSE_MAX));
            tried = self.post(&body);
        }
        let rejected = match tried {
            Ok(rejected) => rejected.min(count),
            Err(Failure::ForNow { why, .. } | Failure::ForGood { why }) => {
                self.report(count, &why);
                count
            }
        };
        self.counts.exported.fetch_add(count - rejected, Ordering::Relaxed);
        self.counts.dropped.fetch_add(rejected, Ordering::Relaxed);
    }

    /// Posts a batch; returns how many of its spans the collector rejected.
    fn post(&mut self, body: &[u8]) -> Result<u64, Failure> {
        let answer = post(&self.agent, &self.settings, body).map_err(|error| Failure::ForNow { why: error.to_string(), wait: None })?;
        let status = answer.status().as_u16();
        match status {
            200..=299 => Ok(self.rejected(answer)),
            // What the standard says may be tried again.
            429 | 502 | 503 | 504 => {
                let wait = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
                Err(Failure::ForNow { why: format!("status {status}"), wait })
            }
            _ => Err(Failure::ForGood { why: format!("status {status}") }),
        }
    }

    /// What a collector says that took a part only.
    fn rejected(&mut self, mut answer: Response<Body>) -> u64 {
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec().unwrap_or_default();
        let partial = ExportTraceServiceResponse::decode(&*body).ok().and_then(|answer| answer.partial_success);
        let Some(partial) = partial.filter(|partial| partial.rejected_spans > 0) else { return 0 };
        let rejected = u64::try_from(partial.rejected_spans).unwrap_or(0);
        self.report(rejected, &partial.error_message);
        rejected
    }

    /// Logs that spans were lost; not every time.
    fn report(&mut self, spans: u64, why: &str) {
        if self.logged.is_none_or(|logged| logged.elapsed() >= LOG_EVERY) {
            self.logged = Some(Instant::now());
            let cause = redacted(&self.settings, why);
            let host = self.settings.url.host().unwrap_or_default();
            tracing::warn!(host, spans, cause, "the collector did not take spans: they are lost");
        }
    }
}

fn request(settings: &Settings, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = settings.resource.iter().map(|(key, value)| spans::text(key, value)).collect();
    let scope =
        InstrumentationScope { name: "framewright".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: spans::SCHEMA.to_owned() }];
    let resource = Some(Resource { attributes: resource, ..Resource::default() });
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, schema_url: spans::SCHEMA.to_owned() }] }
}

fn post(agent: &Agent, settings: &Settings, body: &[u8]) -> Result<Response<Body>, ureq::Error> {
    let post = agent.post(&settings.url).content_type("application/x-protobuf");
    settings.headers.iter().fold(post, |post, (name, Key(value))| post.header(name, value)).send(body)
}

/// Without the values of headers.
fn redacted(settings: &Settings, why: &str) -> String {
    log::redacted(why, settings.headers.iter().map(|(_, Key(value))| value.as_str()))
}

fn agent(settings: &Settings) -> Agent {
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = Agent::config_builder()
        .user_agent(concat!("framewright/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(settings.timeout))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .tls_config(TlsConfig::builder().unversioned_rustls_crypto_provider(crypto).build());
    if is_loopback(&settings.url) {
        config = config.proxy(None);
    }
    Agent::new_with_config(config.build())
}

#[cfg(test)]
mod tests;
