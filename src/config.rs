//! Every setting: a flag, else its environment variable, else a file, else its default; each is read once and has its bound.
//!
//! [`Arguments`] is what was written, [`Config`] what it means: whoever holds one can't meet a setting that is wrong. What
//! lies over what is in [`layers`]; what a setting is called in [`setting`].

pub mod file;
pub mod layers;
mod otlp;
mod quotas;
pub mod reload;
mod secrets;
pub mod setting;
mod sign_in;
mod socket_mode;
mod upstream;
mod webhooks;

pub use secrets::{KEY, KEYS, WEBHOOK_SECRET, without_password};
pub use setting::Arguments;
pub use socket_mode::SocketMode;
pub use upstream::Upstream;

use crate::auth::{Network, Rules};
use crate::contract::journal::{Durability, Keeping, Retain};
use crate::contract::{Limits, Listen, Quotas};
use crate::work::courier;
use crate::work::database::{Databases, Source, SourceError};
use crate::work::otlp::Settings as Otlp;
use crate::work::prices::Prices;
use crate::work::probe::Local;
use crate::work::tape::Tape;
use crate::work::{Pool, PoolLimits, Settings};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const MS_MAX: u64 = 3_600_000;
const DATABASE: &str = "eras2_production=sample";

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: Listen,
    pub socket_mode: SocketMode,
    /// Where metrics and probes are served, and nothing else.
    pub metrics_listen: Option<SocketAddr>,
    /// Where traces are exported to.
    pub otlp: Option<Otlp>,
    /// Others than this machine's users may reach the server without sign-in.
    insecure_no_auth: bool,
    /// Host names that requests may name, besides loopback names and the listen address.
    pub hosts: Vec<String>,
    /// Origins whose pages may use the server; `*` stands for all.
    pub origins: Vec<String>,
    /// How users sign in.
    pub sign_in: Rules,
    /// The proxies that say where a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// What each user and address may use.
    pub quotas: Quotas,
    /// What models cost.
    pub prices: Prices,
    /// The file of API keys.
    pub api_keys: Option<PathBuf>,
    /// The certificates of the issuer's authority, where it is a private one.
    pub oidc_ca: Option<PathBuf>,
    /// The audit log.
    pub audit: Option<PathBuf>,
    /// Which webhooks may be called, and what signs that; none: none may.
    pub webhooks: Option<courier::Settings>,
    /// What the log shows; [`log::filter`](crate::log::filter) reads it.
    pub log: String,
    pub data: PathBuf,
    /// How sessions are kept; none: in memory only.
    pub keeping: Option<Keeping>,
    /// How long.
    pub retain: Retain,
    /// The database server that keeps the journal; none: a file in the data folder.
    pub journal: Option<String>,
    /// Nothing: one for each core.
    pub shards: Option<usize>,
    pub workers: usize,
    pub graph: String,
    pub graphs: Option<PathBuf>,
    pub upstream: Upstream,
    pub databases: Vec<(String, Source)>,
    pub call_time: Duration,
    /// How long running turns may go on when the server is told to end.
    pub drain_time: Duration,
    pub development: bool,
    /// Echoes requests and messages, for tests of the protocols.
    pub rerun: bool,
    pub conformance: bool,
    pub tests: bool,
    /// Where suites are, and the results of the last run.
    pub suites: PathBuf,
    pub limits: ServerLimits,
}

/// The limits that are settings. The others are constants beside what they limit.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Of all shards.
    pub sessions: u32,
    /// Per shard, for histories, traces and events.
    pub session_bytes: usize,
    /// Per shard, for requests that are being received.
    pub request_bytes: usize,
    /// Per shard, for answers that clients have not read yet.
    pub answer_bytes: usize,
    pub message_bytes: usize,
    /// Per shard.
    pub connections: u32,
    /// Model calls that may wait for a worker.
    pub queue: usize,
    session: Limits,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    #[error("--database: {why}")]
    Database { why: SourceError },
    /// Everyone could use it.
    #[error(
        "{listen} can be reached from other machines, and nobody has to sign in: set --oidc-issuer, listen on 127.0.0.1, or pass \
         --insecure-no-auth"
    )]
    Open { listen: Listen },
    /// A token for any other application of the issuer would count.
    #[error("--oidc-issuer needs --oidc-client-id or --oidc-project-id: tokens for other applications must not count here")]
    NoAudience,
    #[error("{name} does nothing without --oidc-issuer: set the issuer, or leave {name} out")]
    NoIssuer { name: &'static str },
    /// Anyone could send the header.
    #[error("--auth-header needs --trusted-proxy: anyone else could send the header and be anyone")]
    NoProxy,
    #[error("--trusted-proxy: {why}")]
    Proxy { why: String },
    #[error("--day-cost is `{text}`: write an amount such as 2.50, with at most six decimals")]
    Amount { text: String },
    #[error("--price: {why}")]
    Price { why: String },
    /// What it costs would count as nothing.
    #[error(
        "--day-cost needs a price for the model `{model}`: set it with --price {model}=INPUT,OUTPUT, for a million tokens, or in \
         the section [prices]"
    )]
    NoPrice { model: String },
    #[error("{name} is `{}`: write an address such as http://127.0.0.1:11434/v1, without ? and #", without_password(url))]
    Url { name: &'static str, url: String },
    #[error("{url} needs the name of a model: say which one with --model")]
    NoModel { url: String },
    #[error("nobody is there to ask for the model `{model}`: set OPENAI_API_KEY, or say where it is with --llm-url")]
    NoProvider { model: String },
    #[error("{name} holds signs that no key has: it must be one line of plain letters, digits and signs")]
    Key { name: &'static str },
    #[error("{why}")]
    Webhooks { why: String },
    #[error("{name}: {why}")]
    Otlp { name: String, why: String },
    #[error("the key can't be read from {} ({why}): name a file that holds it in one line", path.display())]
    KeyFile { path: PathBuf, why: String },
}

/// The variable that holds the address of one database: a password belongs there rather than into a flag.
pub fn variable_of_database(name: &str) -> String {
    format!("FRAMEWRIGHT_DATABASE_{}", name.to_uppercase())
}

/// The databases of these settings: each once; the environment may hold the address of one, which has a password in it.
pub fn databases(written: &[String], environment: impl Fn(&str) -> Option<String>) -> Result<Vec<(String, Source)>, ConfigError> {
    let mut all: Vec<(String, Source)> = Vec::new();
    for text in written.iter().filter(|text| !text.trim().is_empty()) {
        let wrong = |why| ConfigError::Database { why };
        let name = text.split_once('=').map_or("", |(name, _)| name);
        let own = environment(&variable_of_database(name)).filter(|url| !url.trim().is_empty());
        let (name, source) = match own {
            Some(url) => Source::named(&format!("{name}={}", url.trim())),
            None => Source::named(text.trim()),
        }
        .map_err(wrong)?;
        all.retain(|(known, _)| *known != name);
        all.push((name, source));
    }
    Ok(all)
}

fn keeping(durability: &str, resume: &str) -> Option<Keeping> {
    let durability = match durability {
        "none" => return None,
        "every-delta" => Durability::EveryDelta,
        _ => Durability::Turn,
    };
    Some(Keeping { durability, rerun: resume == "rerun" })
}

impl Config {
    /// `environment` is asked for what has no flag: keys don't belong where everyone sees them. `local` looks for a model
    /// server on this machine, one with the named model if one is named; it is asked only where nothing else was said.
    pub fn new(
        arguments: Arguments,
        environment: impl Fn(&str) -> Option<String>,
        local: impl FnOnce(Option<&str>) -> Option<Local>,
    ) -> Result<Config, ConfigError> {
        let Arguments { insecure_no_auth, shards, .. } = arguments;
        let listen = arguments.listen.clone();
        let bytes = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let sign_in = sign_in::rules(&arguments)?;
        may_listen(&listen, insecure_no_auth, &sign_in)?;
        let secrets = secrets::beside(&arguments, &environment)?;
        let upstream = upstream::choose(&arguments, &secrets, local)?;
        let otlp = otlp::settings(&arguments, &environment)?;
        let webhooks = webhooks::settings(&arguments, &secrets)?;
        Ok(Config {
            listen,
            socket_mode: arguments.socket_mode,
            metrics_listen: arguments.metrics_listen,
            otlp,
            webhooks,
            insecure_no_auth,
            sign_in,
            trusted_proxies: quotas::trusted_proxies(&arguments)?,
            quotas: quotas::quotas(&arguments, &upstream)?,
            prices: quotas::prices(&arguments)?,
            shards: shards.map(usize::from),
            workers: usize::from(arguments.workers),
            upstream,
            call_time: Duration::from_millis(u64::from(arguments.call_ms)),
            databases: databases(&arguments.database, &secrets)?,
            api_keys: arguments.api_keys,
            oidc_ca: arguments.oidc_ca,
            audit: arguments.audit,
            data: arguments.data,
            keeping: keeping(&arguments.durability, &arguments.resume),
            retain: Retain { days: arguments.retain_days, user_bytes: arguments.retain_bytes },
            journal: arguments.journal,
            graph: arguments.graph,
            graphs: arguments.graphs,
            drain_time: Duration::from_millis(u64::from(arguments.drain_ms)),
            development: arguments.development,
            rerun: arguments.rerun,
            conformance: arguments.conformance,
            tests: arguments.tests,
            suites: arguments.suites,
            hosts: arguments.host,
            origins: arguments.allow_origin,
            log: arguments.log,
            limits: ServerLimits {
                sessions: arguments.sessions,
                session_bytes: bytes(arguments.session_bytes),
                request_bytes: bytes(arguments.request_bytes),
                answer_bytes: bytes(arguments.answer_bytes),
                message_bytes: arguments.message_bytes as usize,
                connections: arguments.connections,
                queue: usize::from(arguments.queue),
                session: Limits {
                    history_max: usize::from(arguments.history),
                    waiting_max: usize::from(arguments.waiting),
                    traces_max: usize::from(arguments.traces),
                    ..Limits::default()
                },
            },
        })
    }

    /// Whether the server may listen there: beyond this machine only with sign-in, unless that was waived.
    ///
    /// # Errors
    /// It may not.
    pub fn may_listen(&self, place: &Listen) -> Result<(), ConfigError> {
        may_listen(place, self.insecure_no_auth, &self.sign_in)
    }

    /// The pool that makes this server's calls.
    pub fn pool(&self) -> Pool {
        self.pool_on(None)
    }

    /// As [`pool`](Self::pool), with a tape that records the calls, or answers them without making any.
    pub fn pool_on(&self, tape: Option<Arc<Tape>>) -> Pool {
        let is_replay = tape.as_ref().is_some_and(|tape| !tape.is_recording());
        let PoolLimits { workers_max, background_max, queue_max, call_time_max } = self.pool_limits();
        let settings = Settings {
            workers_max,
            background_max,
            queue_max,
            call_time_max,
            databases: if is_replay { Databases::default() } else { Databases::new(self.databases.clone()) },
            tape,
            ..Settings::default()
        };
        Pool::new(settings, self.upstream.models())
    }

    /// How much the pool may do at once.
    pub fn pool_limits(&self) -> PoolLimits {
        PoolLimits {
            workers_max: self.workers,
            background_max: self.workers.div_ceil(4),
            queue_max: self.limits.queue,
            call_time_max: self.call_time,
        }
    }

    /// Has a pool that runs call the models of these settings from its next call on.
    pub fn change_models(&self, pool: &Pool) {
        pool.change_models(self.upstream.models());
    }
}

impl ServerLimits {
    /// What one session may hold.
    pub fn of_session(&self) -> Limits {
        self.session.clone()
    }
}

fn may_listen(place: &Listen, insecure_no_auth: bool, sign_in: &Rules) -> Result<(), ConfigError> {
    if place.is_local() || insecure_no_auth || sign_in.is_on() { Ok(()) } else { Err(ConfigError::Open { listen: place.clone() }) }
}

#[cfg(test)]
impl Arguments {
    /// What a command line of nothing but settings says.
    pub(crate) fn of(line: &str) -> Result<Arguments, clap::Error> {
        let matches = setting::command().try_get_matches_from(line.split_whitespace())?;
        clap::FromArgMatches::from_arg_matches(&matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a command line and a key mean, in a line; else what is wrong.
    fn read(line: &str, key: &str) -> String {
        let arguments = match Arguments::of(line) {
            Ok(arguments) => arguments,
            Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let environment = |name: &str| (name == "OPENAI_API_KEY").then(|| key.to_owned());
        match Config::new(arguments, environment, |_| None) {
            Ok(config) => format!("{} {}", config.listen, config.upstream),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn databases_are_named_once_and_the_environment_may_hold_their_addresses() {
        let environment = |name: &str| (name == "FRAMEWRIGHT_DATABASE_SHOP").then(|| "mysql://u:secret@h/shop".to_owned());
        for (written, meant) in [
            (&["shop=", "b=sample"][..], r#"[("shop", mysql://h:3306/shop), ("b", sample data)]"#),
            (&["b=sample", "b=sqlite:b.db"], r#"[("b", sqlite:b.db)]"#),
            (&[""], "[]"),
        ] {
            let written: Vec<String> = written.iter().map(ToString::to_string).collect();
            assert_eq!(format!("{:?}", databases(&written, environment).unwrap()), meant);
        }
        let wrong = databases(&["a=postgres://u:secret@h/x".to_owned()], environment).unwrap_err().to_string();
        assert!(wrong.starts_with("--database: ") && !wrong.contains("secret"), "{wrong}");
    }

    #[test]
    fn the_address_follows_from_what_is_said() {
        for (line, says) in [
            ("", "127.0.0.1:7878 demo (no key found)"),
            ("--listen [::1]:0", "[::1]:0 demo (no key found)"),
            ("--listen 0.0.0.0:80 --insecure-no-auth", "0.0.0.0:80 demo (no key found)"),
            ("--listen unix:/run/a.sock", "unix:/run/a.sock demo (no key found)"),
            ("--listen 0.0.0.0:80 --api-keys keys.toml", "0.0.0.0:80 demo (no key found)"),
        ] {
            assert_eq!(read(line, ""), says, "{line}");
        }
    }

    #[test]
    fn a_setting_that_is_wrong_is_refused_with_what_to_do() {
        for (line, key, says) in [
            ("--listen 0.0.0.0:80", "", "0.0.0.0:80 can be reached from other machines"),
            ("--llm-url localhost:11434 --model m", "", "--llm-url is `localhost:11434`: write an address such as"),
            ("--llm-url ftp://host/v1 --model m", "", "--llm-url is `ftp://host/v1`"),
            ("--llm-url http://key@host/v1 --model m", "", "--llm-url is `http://•••@host/v1`"),
            ("--llm-url http://host/v1?a=b --model m", "", "--llm-url is `http://host/v1?a=b`"),
            ("--llm-url http://host/v1", "", "http://host/v1 needs the name of a model"),
            ("--model big", "", "nobody is there to ask for the model `big`"),
            ("", "two lines\n", "OPENAI_API_KEY holds signs that no key has"),
            ("--shards 0", "", "error: invalid value '0' for '--shards <N>': 0 is not in 1..=256"),
            ("--drain-ms 600001", "", "error: invalid value '600001' for '--drain-ms <N>': 600001 is not in 0..=600000"),
            ("--workers 5000", "", "error: invalid value '5000' for '--workers <N>': 5000 is not in 1..=4096"),
            ("--retries 11", "", "error: invalid value '11' for '--retries <N>': 11 is not in 0..=10"),
            ("--call-ms 0", "", "error: invalid value '0' for '--call-ms <N>': 0 is not in 1..=3600000"),
            ("--listen here", "", "error: invalid value 'here' for '--listen <ADDRESS>'"),
        ] {
            let said = read(line, key);
            assert!(said.starts_with(says), "{line}: {said}");
            assert!(!said.contains("sk-"), "{said}");
        }
    }
}
