//! A model behind the chat-completions wire, asked over HTTP.
//!
//! Each worker has its own agent, so that its connection stays open between calls and ending a call ends no other. What is
//! read is bounded, what is waited for has a deadline, redirects are not followed. A call is one try after another, of one
//! model and then perhaps a second: `dialects` knows how to ask, `retry` whether to ask again. Limits are for what people
//! read: an answer that the limit cut before any of it was shown is asked for again with more room, and then with no limit.

use super::dialects::Dialects;
use super::names::Names;
use super::prices::Prices;
use super::read_deadline::ReadDeadline;
use super::retry::{Budget, Failure, Retries, retry_after};
use super::{Call, Ended, Model};
use crate::contract::{Answer, CallError, Finish, ModelRequest, Part, Usage};
use crate::log;
use crate::reading::{self, FieldStream};
use crate::wire::provider::{self, Bounds, Complaint, Dialect, Manner, Reader, Streams};
use jiff::Timestamp;
use serde::de::IgnoredAny;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::http::{Response, Uri};
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{Connector, DefaultConnector};
use ureq::{Agent, Body, Timeout};

/// A provider: where it is, what it calls its models, and how long to wait for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Provider {
    /// Up to `/v1`.
    pub url: Uri,
    pub key: Option<Key>,
    pub fast: String,
    pub strong: String,
    /// Asked where one of the two fails for good before its first token.
    pub fallback: Option<String>,
    pub deadlines: Deadlines,
    pub retries: Retries,
    /// What the models cost, where that is configured.
    pub prices: Prices,
}

/// A secret that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    pub connection: Duration,
    pub first_word: Duration,
    pub next_word: Duration,
}

impl Deadlines {
    /// A local server may load its model before it answers.
    pub fn for_host(url: &Uri) -> Self {
        let first_word = Duration::from_secs(if is_loopback(url) { 300 } else { 60 });
        Deadlines { connection: Duration::from_secs(5), first_word, next_word: Duration::from_secs(60) }
    }
}

/// What is read of a refusal, and for how long.
const REFUSAL_BYTES_MAX: u64 = 16 << 10;
const REFUSAL_TIME: Duration = Duration::from_millis(500);

/// How long the counts may take behind an answer that is finished.
const COUNTS_TIME: Duration = Duration::from_secs(2);

/// Whether a provider runs on this machine.
pub fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// What all workers share.
#[derive(Clone)]
pub struct OpenAi(Arc<Shared>);

struct Shared {
    provider: Provider,
    dialects: Dialects,
    budget: Budget,
    /// `…/chat/completions`.
    url: String,
    bearer: Option<String>,
    names: Names,
}

/// One worker's connection to the provider.
struct Line {
    shared: Arc<Shared>,
    agent: Agent,
    deadline: ReadDeadline,
    /// The agent may hold a connection of the call before, which the server may have closed.
    is_kept: Cell<bool>,
}

impl OpenAi {
    pub fn new(provider: Provider) -> OpenAi {
        OpenAi(Arc::new(Shared {
            dialects: Dialects::new(Dialect::of(provider.url.host().unwrap_or_default())),
            budget: Budget::default(),
            url: format!("{}/chat/completions", provider.url.to_string().trim_end_matches('/')),
            bearer: provider.key.as_ref().map(|Key(key)| format!("Bearer {key}")),
            names: Names::default(),
            provider,
        }))
    }

    /// A model for one worker.
    pub fn line(&self) -> Box<dyn Model> {
        let deadline = ReadDeadline::default();
        Box::new(Line { agent: self.0.agent(&deadline), shared: self.0.clone(), deadline, is_kept: Cell::new(false) })
    }
}

impl Shared {
    fn agent(&self, deadline: &ReadDeadline) -> Agent {
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let deadlines = self.provider.deadlines;
        let mut config = Agent::config_builder()
            .accept_encoding("identity")
            .user_agent(concat!("framewright/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .no_delay(true)
            .input_buffer_size(16 << 10)
            .output_buffer_size(16 << 10)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .timeout_resolve(Some(deadlines.connection))
            .timeout_connect(Some(deadlines.connection))
            .tls_config(TlsConfig::builder().unversioned_rustls_crypto_provider(crypto).build());
        if is_loopback(&self.provider.url) {
            config = config.proxy(None);
        }
        Agent::with_parts(config.build(), DefaultConnector::default().chain(deadline.clone()), self.names.clone())
    }
}

impl Shared {
    /// Logs why a call failed, without what users wrote.
    fn report(&self, model: &str, request: &ModelRequest, failure: &Failure) {
        if failure.error == CallError::Cancelled {
            return;
        }
        let texts = request.messages.iter().flat_map(|message| &message.text.0);
        let contents = texts.filter_map(|part| match part {
            Part::Fixed(_) => None,
            Part::Slot(_, text) | Part::Passing(_, text) => Some(&**text),
        });
        let key = self.provider.key.iter().map(|Key(key)| key.as_str());
        let cause = log::redacted(&failure.cause, contents.chain(key));
        let (role, has_begun) = (&*request.role, failure.has_begun);
        let status = failure.complaint.as_ref().map(|complaint| complaint.status());
        let (code, advice) = (failure.error.code().name(), advice(&failure.error));
        tracing::warn!(role, model, code, status, error = ?failure.error, has_begun, cause, advice, "model call failed");
    }
}

/// What the operator can do about it, where that is known.
fn advice(error: &CallError) -> Option<&'static str> {
    match error {
        CallError::Unauthorized => Some("the provider refuses the key: check it, and that it may use this model"),
        CallError::NotFound => {
            Some("the provider knows no such model or path: check --model, and that --llm-url ends before /chat/completions")
        }
        CallError::QuotaExhausted => Some("the account has no credit left: add credit or raise its limit, waiting does not help"),
        CallError::RateLimited => Some("the provider allows fewer requests per minute: lower --workers, or raise the account's limit"),
        CallError::Busy => Some("the provider is overloaded or starting: it passes, or --fallback-model helps"),
        CallError::Overloaded
        | CallError::Deadline { .. }
        | CallError::Unreachable
        | CallError::Rejected { .. }
        | CallError::Failed { .. }
        | CallError::Truncated
        | CallError::Unreadable
        | CallError::TooLarge
        | CallError::Panicked
        | CallError::Database(_)
        | CallError::Cancelled
        | CallError::NotOnTape { .. } => None,
    }
}

impl Model for Line {
    fn answer(&mut self, request: &ModelRequest, call: &mut Call<'_>) -> Ended {
        let cancel = call.cancel;
        let agent = self.agent.clone();
        let ended = cancel.interruptible(move || agent.shutdown(), || self.ask(request, call));
        if cancel.is_cancelled() {
            // An agent that was shut down opens no connection any more.
            self.agent = self.shared.agent(&self.deadline);
        }
        ended.unwrap_or_else(|| CallError::Cancelled.into())
    }
}

impl Line {
    /// Asks one model, and where that fails for good, the other.
    fn ask(&self, request: &ModelRequest, call: &mut Call<'_>) -> Ended {
        let Provider { fast, strong, fallback, .. } = &self.shared.provider;
        let model = if &*request.model == "fast" { fast } else { strong };
        let mut spent = Spent { field_stream: request.streamed_field.as_ref().map(FieldStream::new), ..Spent::default() };
        let mut outcome = self.ask_model(model, request, call, &mut spent);
        if let (Err(failure), Some(second)) = (&outcome, fallback)
            && second != model
            && failure.leaves_another_model()
            && !call.cancel.is_cancelled()
            && Instant::now() < call.due
        {
            tracing::warn!(role = &*request.role, model, fallback = second, "calling the fallback model");
            spent.retries.push(format!("{}: the fallback model `{second}`", failure.error.code()));
            outcome = match self.ask_model(second, request, call, &mut spent) {
                // What was wrong at first says more than what was wrong with its substitute.
                Err(later) if !later.has_begun => outcome,
                later => later,
            };
        }
        let Spent { usage, retries, field_stream: _ } = spent;
        Ended { usage, outcome: outcome.map(|answer| Answer { retries, ..answer }).map_err(|failure| failure.error) }
    }

    /// Tries until there is an answer, or a failure that neither another way of asking nor another moment would mend.
    fn ask_model(&self, model: &str, request: &ModelRequest, call: &mut Call<'_>, spent: &mut Spent) -> Result<Answer, Failure> {
        let (shared, role) = (&self.shared, &*request.role);
        let mut dialect = shared.dialects.dialect(model);
        let (mut retry, mut cuts) = (0, 0);
        shared.budget.earn();
        loop {
            let failure = match self.try_once(model, dialect, request, call, spent) {
                Ok(tried) if tried.is_unread => {
                    cuts += 1;
                    let limit = dialect.limit(request.tokens_max);
                    let Some(roomier) = dialect.roomier(cuts).filter(|_| limit.is_some()) else {
                        tracing::warn!(role, model, "the answer was cut before it could be read, without a limit of ours");
                        // With all the room there is it ended no thought, so it may have begun none.
                        shared.dialects.worked(model, shared.dialects.dialect(model), tried.is_bare);
                        return Ok(tried.answer);
                    };
                    let next = roomier.limit(request.tokens_max);
                    tracing::warn!(role, model, limit, next, "the answer was cut before it could be read; asking again with more room");
                    let said = |limit: Option<u32>| limit.map_or("no limit".to_owned(), |tokens| format!("{tokens} tokens"));
                    spent.retries.push(format!("cut at {} before it could be read: {}", said(limit), said(next)));
                    dialect = roomier;
                    continue;
                }
                Ok(Tried { answer, reasoning_tokens, is_bare, .. }) => {
                    shared.dialects.worked(model, dialect.with_room_for(reasoning_tokens), is_bare);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            self.shared.report(model, request, &failure);
            let complaint = failure.complaint.as_ref().filter(|_| !failure.has_begun);
            if let Some(simpler) = complaint.and_then(|complaint| dialect.after(complaint, request.schema.is_some())) {
                spent.retries.push(format!("{}: a simpler request", failure.error.code()));
                dialect = simpler;
                continue;
            }
            match shared.provider.retries.pause(retry, &failure, &shared.budget, call.due) {
                Some(pause) => {
                    tracing::warn!(role, model, retry = retry + 1, pause_ms = pause.as_millis() as u64, "retrying");
                    spent.retries.push(format!("{}: the same request", failure.error.code()));
                    if !call.cancel.pause(pause) {
                        return Err(failure);
                    }
                    retry += 1;
                }
                None => return Err(failure),
            }
        }
    }

    fn try_once(
        &self,
        model: &str,
        dialect: Dialect,
        request: &ModelRequest,
        call: &mut Call<'_>,
        spent: &mut Spent,
    ) -> Result<Tried, Failure> {
        let deadlines = self.shared.provider.deadlines;
        let body = provider::body(request, model, dialect);
        let traceparent = call.trace.map(|parent| parent.to_string());
        let mut waiting = Waiting { deadline: &self.deadline, due: call.due, waits_for: "the first word" };
        waiting.until(deadlines.connection + deadlines.first_word);
        let send = || {
            let post = self.agent.post(&self.shared.url).content_type("application/json").header("accept", "text/event-stream");
            let bearer = self.shared.bearer.as_deref();
            let post = bearer.into_iter().fold(post, |post, bearer| post.header("authorization", bearer));
            traceparent.iter().fold(post, |post, parent| post.header("traceparent", parent)).send(&body[..])
        };
        let sent = match send() {
            // llama.cpp's server closes right behind an answer, whatever it announces: a new connection is no retry.
            Err(ureq::Error::Io(_)) if self.is_kept.replace(false) && !call.cancel.is_cancelled() => send(),
            sent => sent,
        };
        let response = match sent {
            Ok(response) if response.status().is_success() => response,
            Ok(response) => {
                self.is_kept.set(false);
                return Err(refused(response, &waiting));
            }
            Err(error) => return Err(waiting.failure(&error, CallError::Unreachable)),
        };
        let manner = Manner {
            opens_itself: dialect.opens_thoughts,
            named: provider::named_tags(request),
            wants_json: request.schema.is_some() && dialect.format != provider::Format::Tool,
        };
        let streams = match &mut spent.field_stream {
            Some(field_stream) => Streams::Field(field_stream),
            None if request.stream => Streams::Text,
            None => Streams::Nothing,
        };
        let mut reader = Reader::new(Bounds::default(), manner, streams);
        let outcome = self.read(&mut response.into_body().into_reader(), &mut reader, &mut waiting, call);
        spent.usage += self.shared.provider.prices.priced(model, reader.usage());
        self.is_kept.set(outcome.is_ok());
        match outcome {
            Ok((answer, was_shown)) => {
                // An answer in a shape is often given without a thought, and who is asked for tags writes some.
                let says_how_it_thinks = manner.named.is_empty() && (request.schema.is_none() || reader.opens_itself());
                let has_content = was_shown || !answer.text.trim().is_empty() || !answer.thoughts.is_empty();
                let answer = provider::shaped(answer, request, dialect);
                let was_read = if request.schema.is_some() { is_whole(&answer.text) } else { was_shown };
                let is_unread = answer.finish == Finish::Length && !was_read;
                let is_bare = says_how_it_thinks.then(|| reader.opens_itself()).filter(|is_bare| *is_bare || has_content);
                Ok(Tried { answer, is_unread, reasoning_tokens: reader.usage().reasoning_tokens, is_bare })
            }
            Err(mut failure) => {
                failure.has_begun = reader.has_begun();
                if let Some(said) = reader.trouble() {
                    failure.cause = said.to_owned();
                }
                Err(failure)
            }
        }
    }

    fn read(
        &self,
        bytes: &mut dyn Read,
        reader: &mut Reader<'_>,
        waiting: &mut Waiting<'_>,
        call: &mut Call<'_>,
    ) -> Result<(Answer, bool), Failure> {
        let mut was_shown = false;
        let mut say = |piece: &str| {
            was_shown |= !piece.trim().is_empty();
            call.say(piece);
        };
        let mut buffer = [0; 8 << 10];
        let (mut progress, mut is_finished) = (0, false);
        while !reader.done() {
            let length = match bytes.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                // The answer is whole: that its counts don't come is no reason to lose it.
                Err(_) if reader.is_finished() => break,
                Err(error) => return Err(waiting.failure(&ureq::Error::from(error), CallError::Truncated)),
            };
            reader.feed(&buffer[..length], &mut say)?;
            if reader.progress() > progress && !is_finished {
                progress = reader.progress();
                is_finished = reader.is_finished();
                waiting.waits_for = "the next word";
                let limit = self.shared.provider.deadlines.next_word;
                waiting.until(if is_finished { limit.min(COUNTS_TIME) } else { limit });
            }
        }
        let answer = reader.end(&mut say)?;
        // What stands between `[DONE]` and the end of the body has mostly come already; once it is read, the connection
        // serves the next call too.
        waiting.until(Duration::from_millis(20));
        let _ = io::copy(&mut bytes.take(8 << 10), &mut io::sink());
        Ok((answer, was_shown))
    }
}

/// What all tries of a call took together, and why there was more than one.
#[derive(Default)]
struct Spent {
    usage: Usage,
    retries: Vec<String>,
    /// The field that is streamed.
    field_stream: Option<FieldStream>,
}

/// An answer to one try.
struct Tried {
    answer: Answer,
    /// The limit cut it before it could be used: nobody has seen any of it, or it is no whole object.
    is_unread: bool,
    reasoning_tokens: u64,
    /// Whether it ended a thought that nothing had begun; nothing where that says nothing of the model.
    is_bare: Option<bool>,
}

/// Whether a structured answer was complete before the limit cut what came behind it.
fn is_whole(text: &str) -> bool {
    reading::read::<IgnoredAny>(text).is_ok()
}

/// What an answer without success says: why, and what may be done about it.
fn refused(response: Response<Body>, waiting: &Waiting<'_>) -> Failure {
    let status = response.status().as_u16();
    let wait = retry_after(response.headers(), Timestamp::now());
    waiting.until(REFUSAL_TIME);
    let mut words = Vec::new();
    // Where its end doesn't come, the status says enough.
    let _ = response.into_body().into_reader().take(REFUSAL_BYTES_MAX).read_to_end(&mut words);
    let (cause, complaint) = (String::from_utf8_lossy(&words).into_owned(), Complaint::read(status, &words));
    let error = complaint.error();
    Failure { wait, cause, complaint: Some(Box::new(complaint)), ..error.into() }
}

/// What a worker waits for now.
struct Waiting<'a> {
    deadline: &'a ReadDeadline,
    /// When the whole call must have ended.
    due: Instant,
    waits_for: &'static str,
}

impl Waiting<'_> {
    fn until(&self, limit: Duration) {
        self.deadline.until(self.due.min(Instant::now() + limit));
    }

    fn failure(&self, error: &ureq::Error, broken: CallError) -> Failure {
        Failure { cause: error.to_string(), ..self.error(error, broken).into() }
    }

    /// What an error of the connection means to a user; `broken` if it just broke.
    fn error(&self, error: &ureq::Error, broken: CallError) -> CallError {
        let waited = match error {
            ureq::Error::Timeout(_) if Instant::now() >= self.due => "the end of the answer",
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => "a connection",
            ureq::Error::Timeout(_) => self.waits_for,
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) | ureq::Error::Http(_) => return CallError::Unreadable,
            _ => return broken,
        };
        CallError::Deadline { waited: waited.to_owned() }
    }
}

#[cfg(test)]
#[path = "openai_tests.rs"]
mod tests;
