//! Every setting: a flag, else its environment variable, else a file, else its default; each is read once and has its bound.
//!
//! [`Arguments`] is what was written, [`Config`] what it means: whoever holds one can't meet a setting that is wrong. What
//! lies over what is in [`layers`]; what a setting is called in [`setting`].

pub mod file;
pub mod layers;
mod limits;
mod secrets;
pub mod setting;
mod upstream;

pub use limits::LimitArguments;
pub use secrets::{KEY, KEYS, without_password};
pub use upstream::Upstream;

use crate::work::database::{Databases, Source, SourceError};
use crate::work::probe::Local;
use crate::work::tape::Tape;
use crate::work::{Pool, Settings};
use clap::ArgAction::Set;
use clap::Args;
use clap::builder::FalseyValueParser;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const MS_MAX: i64 = 3_600_000;
const DATABASE: &str = "eras2_production=sample";

/// Headings of the help, and sections of the file.
const LLM: &str = "LLM";
const LIMITS: &str = "Limits";

/// The settings of a server: each is defined here, once. Its flag, its variable and its key in a file follow from it.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// File of settings [default: framewright.toml in the current folder, if there is one]
    #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CONFIG")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", env = "FRAMEWRIGHT_LISTEN", default_value = "127.0.0.1:7878")]
    pub listen: SocketAddr,
    /// Listen beyond this machine although nobody has to log in
    #[arg(long, value_name = "BOOL", env = "FRAMEWRIGHT_INSECURE_NO_AUTH", value_parser = FalseyValueParser::new(), action = Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_possible_values = true)]
    pub insecure_no_auth: bool,
    /// Folder of this server's own; no two servers may share one [default: none, nothing is kept]
    #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_DATA")]
    pub data: Option<PathBuf>,
    /// Threads that hold sessions, 1 to 256 [default: one for each core]
    #[arg(long, value_name = "N", env = "FRAMEWRIGHT_SHARDS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,
    /// Model calls at once, 1 to 4096; more wait
    #[arg(long, value_name = "N", help_heading = LIMITS, env = "FRAMEWRIGHT_WORKERS", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub workers: u16,
    /// Graph that sessions begin on
    #[arg(long, value_name = "NAME", env = "FRAMEWRIGHT_GRAPH", default_value = "v3-framed")]
    pub graph: String,
    /// Folder whose files take the place of the built-in graphs, prompts and schemas of the same name, or add to them
    /// [default: none]
    #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_GRAPHS")]
    pub graphs: Option<PathBuf>,
    /// Model that answers; `demo` is built in
    /// [default: gpt-4.1-mini with OPENAI_API_KEY, openai/gpt-4.1-mini with OPENROUTER_API_KEY, claude-haiku-4-5 with
    /// ANTHROPIC_API_KEY, else the first of a model server on this machine, else demo]
    #[arg(long, value_name = "NAME", help_heading = LLM, env = "FRAMEWRIGHT_MODEL")]
    pub model: Option<String>,
    /// Model for what has to be fast, such as perceiving a message [default: the same]
    #[arg(long, value_name = "NAME", help_heading = LLM, env = "FRAMEWRIGHT_FAST_MODEL")]
    pub fast_model: Option<String>,
    /// Model that is asked where one of the two fails for good before its first token [default: none]
    #[arg(long, value_name = "NAME", help_heading = LLM, env = "FRAMEWRIGHT_FALLBACK_MODEL")]
    pub fallback_model: Option<String>,
    /// Server of the model, up to its `/v1`; it speaks chat completions
    /// [default: OPENAI_BASE_URL, else the one that the key is for]
    #[arg(long, value_name = "URL", help_heading = LLM, env = "FRAMEWRIGHT_LLM_URL", hide_env_values = true)]
    pub llm_url: Option<String>,
    /// File that holds the key of the model's server, in one line; FRAMEWRIGHT_LLM_KEY may hold the key itself
    /// [default: none]
    #[arg(long, help_heading = LLM, value_name = "FILE", env = "FRAMEWRIGHT_LLM_KEY_FILE")]
    pub llm_key_file: Option<PathBuf>,
    /// Databases that experts may ask, as NAME=URL, several with spaces between; a URL is mysql://user:password@host:port/name,
    /// sqlite:PATH or `sample`. FRAMEWRIGHT_DATABASE_<NAME> may hold the URL of one; a file may have a section [databases] with a line for each
    #[arg(
        long,
        value_name = "NAME=URL",
        env = "FRAMEWRIGHT_DATABASE",
        hide_env_values = true,
        value_delimiter = ' ',
        default_value = DATABASE
    )]
    pub database: Vec<String>,
    /// Look for no model server on this machine
    #[arg(long, help_heading = LLM, value_name = "BOOL", env = "FRAMEWRIGHT_OFFLINE", value_parser = FalseyValueParser::new(), action = Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_possible_values = true)]
    pub offline: bool,
    /// Milliseconds until the model's server must have taken a connection
    #[arg(long, value_name = "N", help_heading = LIMITS, env = "FRAMEWRIGHT_CONNECT_MS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=MS_MAX))]
    pub connect_ms: u32,
    /// Milliseconds until the model's first token, from then on
    /// [default: 60000, and 300000 on this machine, where a model may have to be loaded first]
    #[arg(long, value_name = "N", help_heading = LIMITS, env = "FRAMEWRIGHT_FIRST_TOKEN_MS", value_parser = clap::value_parser!(u32).range(1..=MS_MAX))]
    pub first_token_ms: Option<u32>,
    /// Milliseconds between two tokens of a model
    #[arg(long, value_name = "N", help_heading = LIMITS, env = "FRAMEWRIGHT_NEXT_TOKEN_MS", default_value_t = 60_000, value_parser = clap::value_parser!(u32).range(1..=MS_MAX))]
    pub next_token_ms: u32,
    /// Milliseconds for a model call as a whole, waiting and trying again included
    #[arg(long, value_name = "N", help_heading = LIMITS, env = "FRAMEWRIGHT_CALL_MS", default_value_t = 600_000, value_parser = clap::value_parser!(u32).range(1..=MS_MAX))]
    pub call_ms: u32,
    /// How often a model call that failed before its first token is tried again, up to 10
    #[arg(long, value_name = "N", help_heading = LLM, env = "FRAMEWRIGHT_RETRIES", default_value_t = 2, value_parser = clap::value_parser!(u8).range(..=10))]
    pub retries: u8,
    /// Milliseconds between two words of the demo model, up to 10000
    #[arg(long, value_name = "N", help_heading = LLM, env = "FRAMEWRIGHT_DEMO_DELAY_MS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub demo_delay_ms: u16,
    /// Milliseconds that running answers may take to end when the server is told to stop, up to 600000
    #[arg(long, value_name = "N", help_heading = LIMITS, env = "FRAMEWRIGHT_DRAIN_MS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(..=600_000))]
    pub drain_ms: u32,
    /// Read the page's files from disk for every request, and let nothing be cached
    #[arg(long, value_name = "BOOL", env = "FRAMEWRIGHT_DEVELOPMENT", value_parser = FalseyValueParser::new(), action = Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_possible_values = true)]
    pub development: bool,
    /// Let test suites be started from a browser; they are played on this server, by whoever may use it
    #[arg(long, value_name = "BOOL", env = "FRAMEWRIGHT_TESTS", value_parser = FalseyValueParser::new(), action = Set, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_possible_values = true)]
    pub tests: bool,
    /// Folder of the suites that can be started so
    #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_SUITES", default_value = "testcases")]
    pub suites: PathBuf,
    #[command(flatten)]
    pub limits: LimitArguments,
}

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub data: Option<PathBuf>,
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
    pub tests: bool,
    /// Where suites are, and the results of the last run.
    pub suites: PathBuf,
    pub limits: LimitArguments,
}

#[derive(Debug, PartialEq, Eq)]
pub enum ConfigError {
    Database {
        why: SourceError,
    },
    /// Everyone could use it.
    Open {
        listen: SocketAddr,
    },
    Url {
        name: &'static str,
        url: String,
    },
    NoModel {
        url: String,
    },
    NoProvider {
        model: String,
    },
    Key {
        name: &'static str,
    },
    KeyFile {
        path: PathBuf,
        why: String,
    },
}

impl std::error::Error for ConfigError {}

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
        let own = environment(&variable_of_database(name));
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

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Database { why } => write!(f, "--database: {why}"),
            ConfigError::Open { listen } => write!(
                f,
                "{listen} can be reached from other machines, and nobody has to log in: listen on 127.0.0.1, or say --insecure-no-auth if that is meant"
            ),
            ConfigError::Url { name, url } => {
                let url = without_password(url);
                write!(f, "{name} is `{url}`: write an address such as http://127.0.0.1:11434/v1, without ? and #")
            }
            ConfigError::NoModel { url } => write!(f, "{url} needs the name of a model: say which one with --model"),
            ConfigError::NoProvider { model } => {
                write!(f, "nobody is there to ask for the model `{model}`: set OPENAI_API_KEY, or say where it is with --llm-url")
            }
            ConfigError::KeyFile { path, why } => {
                write!(f, "the key can't be read from {} ({why}): name a file that holds it in one line", path.display())
            }
            ConfigError::Key { name } => {
                write!(f, "{name} holds signs that no key has: it must be one line of plain letters, digits and signs")
            }
        }
    }
}

impl Config {
    /// `environment` is asked for what has no flag: keys don't belong where everyone sees them. `local` looks for a model
    /// server on this machine, one with the named model if one is named; it is asked only where nothing else was said.
    pub fn new(
        arguments: Arguments,
        environment: impl Fn(&str) -> Option<String>,
        local: impl FnOnce(Option<&str>) -> Option<Local>,
    ) -> Result<Config, ConfigError> {
        let Arguments { listen, insecure_no_auth, shards, .. } = arguments;
        if !listen.ip().is_loopback() && !insecure_no_auth {
            return Err(ConfigError::Open { listen });
        }
        Ok(Config {
            listen,
            shards: shards.map(usize::from),
            workers: usize::from(arguments.workers),
            upstream: upstream::choose(&arguments, secrets::beside(&arguments, &environment)?, local)?,
            call_time: Duration::from_millis(u64::from(arguments.call_ms)),
            databases: databases(&arguments.database, |name| environment(name).filter(|value| !value.trim().is_empty()))?,
            data: arguments.data,
            graph: arguments.graph,
            graphs: arguments.graphs,
            drain_time: Duration::from_millis(u64::from(arguments.drain_ms)),
            development: arguments.development,
            tests: arguments.tests,
            suites: arguments.suites,
            limits: arguments.limits,
        })
    }

    pub fn pool(&self) -> Pool {
        self.pool_on(None)
    }

    /// A pool that records on a tape, or plays it and asks nobody.
    pub fn pool_on(&self, tape: Option<Arc<Tape>>) -> Pool {
        let settings = Settings {
            workers_max: self.workers,
            background_max: self.workers.div_ceil(4),
            call_time_max: self.call_time,
            queue_max: usize::from(self.limits.queue),
            ..Settings::default()
        };
        let databases = || Databases::new(self.databases.clone());
        match tape {
            None => Pool::with_databases(settings, self.upstream.models(), databases()),
            Some(tape) if tape.is_recording() => Pool::recording(settings, self.upstream.models(), databases(), tape),
            Some(tape) => Pool::replaying(settings, tape),
        }
    }
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
