//! What sign-in has to wait for: the issuer's keys, what it knows of a user, and the file of API keys.
//!
//! One thread fetches discovery and keys, so there is one fetch at a time; [`Refresh`] decides when. What it brings goes to
//! every shard as [`News`]. A fetch that fails, or brings nothing usable, changes nothing: the keys stay as they were.
//! A second thread asks for userinfo, so that a slow answer about one user keeps nobody from signing in.

use super::authority::Authority;
use crate::auth::{self, ApiKeyError, ApiKeys, Ask, JWKS_BYTES_MAX, KeySet, KeySetError, Names, News, Refresh};
use crate::contract::{Moment, micros};
use crate::log;
use crate::text_file::{self, ReadError};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, http::Uri};

/// How long one answer of the issuer may take.
const FETCH_TIME: Duration = Duration::from_secs(5);
/// How often the file of API keys is looked at.
const FILE_EVERY: Duration = Duration::from_secs(1);
const FILE_BYTES_MAX: u64 = 4 << 20;
/// Users that wait to be asked about. Beyond: they are shown by their id.
const USERINFO_WAITING_MAX: usize = 64;
const USERINFO_BYTES_MAX: u64 = 64 << 10;

/// Passes news on to every shard.
pub type Tell = dyn Fn(News) + Send + Sync;

/// Asks the issuer, on threads of its own; they end with it.
#[derive(Clone)]
pub struct Identity(Arc<Shared>);

struct Shared {
    issuer: Option<auth::Issuer>,
    agent: Agent,
    start: Instant,
    state: Mutex<State>,
    /// Wakes the thread that fetches keys.
    keys_wanted: SyncSender<()>,
    users: SyncSender<(Arc<str>, String)>,
}

#[derive(Default)]
struct State {
    refresh: Refresh,
    /// A fetch is under way, or about to begin.
    is_fetching: bool,
    /// From discovery.
    userinfo: Option<String>,
}

/// Why nothing usable came from the issuer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{url} could not be fetched ({why})")]
    Unreachable { url: String, why: String },
    #[error("{url} answered with status {status}")]
    Status { url: String, status: u16 },
    #[error("{url} answered with more than 256 KiB")]
    TooLarge { url: String },
    #[error("{url} is not a discovery document: it has no {missing}")]
    Discovery { url: String, missing: &'static str },
    #[error("{url} names the issuer `{named}`: set --oidc-issuer to that")]
    OtherIssuer { url: String, named: String },
    #[error("{url} may not be used: only https counts, or http on this machine")]
    Unsafe { url: String },
    #[error("{url}: {why}")]
    Keys { url: String, why: KeySetError },
}

/// What discovery says.
#[derive(Debug)]
pub struct Discovered {
    /// What `iss` must be.
    pub issuer: String,
    pub keys: String,
    pub userinfo: Option<String>,
}

/// What an issuer answers to `doctor`.
pub struct Fetched {
    pub keys: KeySet,
    /// The time by its clock, as the header `Date` says it.
    pub date: Option<String>,
}

/// Whether secrets may be asked for there: over TLS, or on this machine.
pub fn is_safe_url(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| match uri.scheme_str() {
        Some("https") => uri.host().is_some_and(|host| !host.is_empty()),
        Some("http") => super::openai::is_loopback(&uri),
        _ => false,
    })
}

impl Identity {
    /// Starts fetching for these rules; `tell` passes news to every shard. `authority` vouches for the issuer, `file` is the file
    /// of API keys.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(
        issuer: Option<auth::Issuer>,
        authority: Option<&Authority>,
        file: Option<KeyFile>,
        tell: Arc<Tell>,
    ) -> io::Result<Identity> {
        let (keys_wanted, wanted) = sync_channel(1);
        let (users, waiting) = sync_channel(USERINFO_WAITING_MAX);
        let agent = agent(issuer.as_ref().map_or("", |issuer| &issuer.url), authority);
        let state = Mutex::new(State { is_fetching: issuer.is_some(), ..State::default() });
        let shared = Arc::new(Shared { issuer, agent, start: Instant::now(), state, keys_wanted, users });
        let (fetching, asking) = (Arc::downgrade(&shared), Arc::downgrade(&shared));
        let told = tell.clone();
        let fetch = move || {
            let mut file = file;
            loop {
                let Some(shared) = fetching.upgrade() else { return };
                shared.fetch_if_due(&*told);
                file.iter_mut().for_each(|file| file.look(&*told));
                let rest = shared.rest(file.is_some());
                drop(shared);
                if wanted.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        };
        thread::Builder::new().name("issuer".to_owned()).spawn(fetch)?;
        let ask = move || {
            let waiting: Receiver<(Arc<str>, String)> = waiting;
            while let Ok((sub, token)) = waiting.recv() {
                let Some(shared) = asking.upgrade() else { return };
                let names = shared.userinfo(&sub, &token);
                tell(News::Userinfo { sub, names });
            }
        };
        thread::Builder::new().name("userinfo".to_owned()).spawn(ask)?;
        Ok(Identity(shared))
    }

    /// Asks for something. News follows, or is returned at once where none will come.
    pub fn ask(&self, ask: Ask) -> Option<News> {
        match ask {
            Ask::Keys => {
                let mut state = self.0.state();
                if !state.is_fetching {
                    if self.0.issuer.is_none() || !state.refresh.ask(self.0.now()) {
                        return Some(News::Keys(None));
                    }
                    state.is_fetching = true;
                    // Full: it is about to wake anyway.
                    let _ = self.0.keys_wanted.try_send(());
                }
                None
            }
            Ask::Userinfo { sub, token } => match self.0.users.try_send((sub, token)) {
                Ok(()) => None,
                Err(TrySendError::Full((sub, _)) | TrySendError::Disconnected((sub, _))) => Some(News::Userinfo { sub, names: None }),
            },
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds this lock")
    }

    fn now(&self) -> Moment {
        Moment(micros(self.start.elapsed()))
    }

    /// How long the thread may sleep unless it is woken.
    fn rest(&self, has_file: bool) -> Duration {
        let due = self.state().refresh.due().since(self.now());
        let due = if self.issuer.is_some() { Duration::from_micros(due) } else { FILE_EVERY };
        if has_file { due.min(FILE_EVERY) } else { due }
    }

    fn fetch_if_due(&self, tell: &Tell) {
        let Some(issuer) = &self.issuer else { return };
        {
            let mut state = self.state();
            if !state.is_fetching && state.refresh.due() > self.now() {
                return;
            }
            state.is_fetching = true;
        }
        let fetched = discover(&self.agent, issuer).and_then(|(found, _)| Ok((keys(&self.agent, &found)?, found)));
        let is_good = fetched.is_ok();
        let news = match fetched {
            Ok((keys, found)) => {
                tracing::debug!(issuer = issuer.url, keys = keys.len(), "fetched the issuer's keys");
                self.state().userinfo = found.userinfo;
                Some(Arc::new(keys))
            }
            Err(error) => {
                let cause = log::redacted(&error.to_string(), []);
                tracing::warn!(issuer = issuer.url, cause, "the issuer's keys could not be fetched; those fetched before stay");
                None
            }
        };
        // Before the fetch counts as ended: a request from then on has the news already.
        tell(News::Keys(news));
        let mut state = self.state();
        state.refresh.ended(self.now(), is_good);
        state.is_fetching = false;
    }

    /// What the issuer says of the user whose token this is.
    fn userinfo(&self, sub: &str, token: &str) -> Option<Names> {
        let url = self.state().userinfo.clone()?;
        let asked = self.agent.get(&url).header("authorization", format!("Bearer {token}")).call();
        let named = match asked {
            Ok(mut answer) if answer.status().is_success() => {
                let body = answer.body_mut().with_config().limit(USERINFO_BYTES_MAX).read_to_vec().ok();
                body.and_then(|body| serde_json::from_slice::<Value>(&body).ok())
            }
            Ok(answer) => {
                tracing::debug!(status = answer.status().as_u16(), "the issuer says nothing about a user");
                None
            }
            Err(error) => {
                tracing::debug!(cause = log::redacted(&error.to_string(), [token]), "the issuer could not be asked about a user");
                None
            }
        };
        // The token may be another user's.
        let claims = named.as_ref()?.as_object().filter(|claims| claims.get("sub").and_then(Value::as_str) == Some(sub))?;
        Some(Names::of(claims))
    }
}

fn agent(issuer: &str, authority: Option<&Authority>) -> Agent {
    let roots = authority.map_or(RootCerts::WebPki, Authority::roots);
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = Agent::config_builder()
        .user_agent(concat!("framewright/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(FETCH_TIME))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .tls_config(TlsConfig::builder().root_certs(roots).unversioned_rustls_crypto_provider(crypto).build());
    if issuer.parse().is_ok_and(|url| super::openai::is_loopback(&url)) {
        config = config.proxy(None);
    }
    Agent::new_with_config(config.build())
}

/// Reads the issuer's discovery document, and its `Date`.
///
/// # Errors
/// When it can't be had, or is another issuer's.
fn discover(agent: &Agent, issuer: &auth::Issuer) -> Result<(Discovered, Option<String>), FetchError> {
    let url = format!("{}/.well-known/openid-configuration", issuer.url);
    let (document, date) = get(agent, &url)?;
    Ok((discovered(&url, &document, issuer)?, date))
}

/// Reads a discovery document that came from `url`.
///
/// # Errors
/// When it is none, or another issuer's.
pub fn discovered(url: &str, document: &[u8], issuer: &auth::Issuer) -> Result<Discovered, FetchError> {
    let (url, document) = (url.to_owned(), serde_json::from_slice::<Value>(document).unwrap_or_default());
    let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
    let named = text("issuer").ok_or_else(|| FetchError::Discovery { url: url.clone(), missing: "`issuer`" })?;
    if named.trim_end_matches('/') != issuer.url {
        return Err(FetchError::OtherIssuer { url, named });
    }
    let keys = text("jwks_uri").ok_or(FetchError::Discovery { url, missing: "`jwks_uri`" })?;
    Ok(Discovered { issuer: named, keys, userinfo: text("userinfo_endpoint").filter(|url| is_safe_url(url)) })
}

fn keys(agent: &Agent, found: &Discovered) -> Result<KeySet, FetchError> {
    let (document, _) = get(agent, &found.keys)?;
    KeySet::read(&found.issuer, &document).map_err(|why| FetchError::Keys { url: found.keys.clone(), why })
}

/// A document, and the `Date` that it came with.
fn get(agent: &Agent, url: &str) -> Result<(Vec<u8>, Option<String>), FetchError> {
    if !is_safe_url(url) {
        return Err(FetchError::Unsafe { url: url.to_owned() });
    }
    let unreachable = |error: ureq::Error| FetchError::Unreachable { url: url.to_owned(), why: error.to_string() };
    let mut answer = agent.get(url).header("accept", "application/json").call().map_err(unreachable)?;
    if answer.status().as_u16() != 200 {
        return Err(FetchError::Status { url: url.to_owned(), status: answer.status().as_u16() });
    }
    let date = answer.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
    let body = answer.body_mut().with_config().limit(JWKS_BYTES_MAX as u64 + 1).read_to_vec();
    match body {
        Err(ureq::Error::BodyExceedsLimit(_)) => Err(FetchError::TooLarge { url: url.to_owned() }),
        Err(error) => Err(unreachable(error)),
        Ok(body) => Ok((body, date)),
    }
}

/// Fetches an issuer's keys once, for `framewright doctor`.
///
/// # Errors
/// What a server would meet.
pub fn fetch_once(issuer: &auth::Issuer, authority: Option<&Authority>) -> Result<Fetched, FetchError> {
    let agent = agent(&issuer.url, authority);
    let (found, date) = discover(&agent, issuer)?;
    Ok(Fetched { keys: keys(&agent, &found)?, date })
}

/// A file of API keys, as it was last read.
pub struct KeyFile {
    path: PathBuf,
    keys: Arc<ApiKeys>,
    /// Changes with the file.
    stamp: Option<(SystemTime, u64)>,
    /// It was read anew at the last look.
    is_fresh: bool,
    /// What was wrong when it was last looked at, so that it is said once.
    wrong: Option<String>,
}

/// Why a file of API keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("{}: {why}; `framewright key create NAME` writes it", path.display())]
    Read { path: PathBuf, why: ReadError },
    #[error("{}: {why}", path.display())]
    Wrong { path: PathBuf, why: ApiKeyError },
}

impl KeyFile {
    /// Reads the file.
    ///
    /// # Errors
    /// A file that can't be read or understood: a start without the keys that were meant would be a surprise.
    pub fn read(path: &Path) -> Result<KeyFile, KeyFileError> {
        let stamp = stamp(path);
        let keys = Arc::new(read(path)?);
        Ok(KeyFile { path: path.to_owned(), keys, stamp, is_fresh: false, wrong: None })
    }

    pub fn keys(&self) -> Arc<ApiKeys> {
        self.keys.clone()
    }

    /// Reads the file again if it has changed. One that is wrong changes nothing.
    ///
    /// A reload reads it too, and hands what it read to the shards without this thread. So the keys are told even if they are those
    /// told last, and once more a look later: a reload may have read the file before a change and applied it after.
    fn look(&mut self, tell: &Tell) {
        let stamp = stamp(&self.path);
        if stamp == self.stamp && (stamp.is_some() || self.wrong.is_some()) {
            if std::mem::take(&mut self.is_fresh) {
                tell(News::ApiKeys(self.keys.clone()));
            }
            return;
        }
        self.stamp = stamp;
        match read(&self.path) {
            Ok(keys) => {
                (self.wrong, self.is_fresh) = (None, true);
                if keys != *self.keys {
                    tracing::info!(keys = keys.len(), "read the file of API keys again");
                }
                self.keys = Arc::new(keys);
                tell(News::ApiKeys(self.keys.clone()));
            }
            Err(error) => {
                let cause = error.to_string();
                if self.wrong.as_ref() != Some(&cause) {
                    tracing::warn!(cause, "the file of API keys is wrong; the keys read before stay valid");
                }
                self.wrong = Some(cause);
            }
        }
    }
}

fn read(path: &Path) -> Result<ApiKeys, KeyFileError> {
    let text = text_file::read(path, FILE_BYTES_MAX).map_err(|why| KeyFileError::Read { path: path.to_owned(), why })?;
    ApiKeys::read(&text).map_err(|why| KeyFileError::Wrong { path: path.to_owned(), why })
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
