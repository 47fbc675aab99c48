//! Every setting: a flag, else its environment variable, else its default; each is read once and has its bound.
//!
//! [`Arguments`] is what was written, [`Config`] what it means: whoever holds one can't meet a setting that is wrong.

use crate::work::demo::{self, Demo};
use crate::work::openai::{Deadlines, Key, OpenAi, Provider};
use crate::work::{Models, Pool, Settings};
use clap::Args;
use clap::builder::FalseyValueParser;
use serde_json::{Value, json};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Uri;

/// The settings of a server, as flags and environment variables.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Address and port to listen on; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", env = "FRAMEWRIGHT_LISTEN", default_value = "127.0.0.1:7878")]
    pub listen: SocketAddr,
    /// Listen beyond this machine although nobody has to log in
    #[arg(long, env = "FRAMEWRIGHT_INSECURE_NO_AUTH", value_parser = FalseyValueParser::new())]
    pub insecure_no_auth: bool,
    /// Folder of this server's own; no two servers may share one [default: none, nothing is kept]
    #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_DATA")]
    pub data: Option<PathBuf>,
    /// Threads that hold sessions, 1 to 256 [default: one for each core]
    #[arg(long, value_name = "N", env = "FRAMEWRIGHT_SHARDS", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub shards: Option<u16>,
    /// Model calls at once, 1 to 4096; more wait
    #[arg(long, value_name = "N", env = "FRAMEWRIGHT_WORKERS", default_value_t = 256, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub workers: u16,
    /// Graph that sessions begin on
    #[arg(long, value_name = "NAME", env = "FRAMEWRIGHT_GRAPH", default_value = "v3-framed")]
    pub graph: String,
    /// Folder whose files take the place of the built-in graphs, prompts and schemas of the same name, or add to them
    /// [default: none]
    #[arg(long, value_name = "DIR", env = "FRAMEWRIGHT_GRAPHS")]
    pub graphs: Option<PathBuf>,
    /// Model that answers; `demo` is built in [default: gpt-4.1-mini with OPENAI_API_KEY, else demo]
    #[arg(long, value_name = "NAME", env = "FRAMEWRIGHT_MODEL")]
    pub model: Option<String>,
    /// Model for what has to be fast, such as perceiving a message [default: the same]
    #[arg(long, value_name = "NAME", env = "FRAMEWRIGHT_FAST_MODEL")]
    pub fast_model: Option<String>,
    /// Server of the model, up to its `/v1`; it speaks chat completions
    /// [default: OPENAI_BASE_URL, else https://api.openai.com/v1]
    #[arg(long, value_name = "URL", env = "FRAMEWRIGHT_LLM_URL")]
    pub llm_url: Option<String>,
    /// Milliseconds between two words of the demo model, up to 10000
    #[arg(long, value_name = "N", env = "FRAMEWRIGHT_DEMO_DELAY_MS", default_value_t = 15, value_parser = clap::value_parser!(u16).range(..=10_000))]
    pub demo_delay_ms: u16,
    /// Read the page's files from disk for every request, and let nothing be cached
    #[arg(long, env = "FRAMEWRIGHT_DEVELOPMENT", value_parser = FalseyValueParser::new())]
    pub development: bool,
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
    pub development: bool,
}

/// Who answers, and why it was chosen.
#[derive(Clone, Debug)]
pub enum Upstream {
    Demo { word_pause: Duration, why: &'static str },
    Provider { provider: Box<Provider>, why: &'static str },
}

#[derive(Debug, PartialEq, Eq)]
pub enum ConfigError {
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
    Key,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Open { listen } => write!(
                f,
                "{listen} can be reached from other machines, and nobody has to log in: listen on 127.0.0.1, or say --insecure-no-auth if that is meant"
            ),
            ConfigError::Url { name, url } => {
                write!(f, "{name} is `{url}`: write an address such as http://127.0.0.1:11434/v1, without ? and #")
            }
            ConfigError::NoModel { url } => write!(f, "{url} needs the name of a model: say which one with --model"),
            ConfigError::NoProvider { model } => {
                write!(f, "nobody is there to ask for the model `{model}`: set OPENAI_API_KEY, or say where it is with --llm-url")
            }
            ConfigError::Key => {
                write!(f, "OPENAI_API_KEY holds signs that no key has: it must be one line of plain letters, digits and signs")
            }
        }
    }
}

const OPENAI: &str = "https://api.openai.com/v1";
const OPENAI_MODEL: &str = "gpt-4.1-mini";

impl Config {
    /// `environment` is asked for what has no flag: keys don't belong where everyone sees them.
    pub fn new(arguments: Arguments, environment: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let Arguments { listen, insecure_no_auth, shards, .. } = arguments;
        if !listen.ip().is_loopback() && !insecure_no_auth {
            return Err(ConfigError::Open { listen });
        }
        Ok(Config {
            listen,
            shards: shards.map(usize::from),
            workers: usize::from(arguments.workers),
            upstream: upstream(&arguments, |name| environment(name).filter(|value| !value.trim().is_empty()))?,
            data: arguments.data,
            graph: arguments.graph,
            graphs: arguments.graphs,
            development: arguments.development,
        })
    }

    pub fn pool(&self) -> Pool {
        let settings = Settings { workers_max: self.workers, background_max: self.workers.div_ceil(4), ..Settings::default() };
        Pool::new(settings, self.upstream.models())
    }
}

fn upstream(arguments: &Arguments, environment: impl Fn(&str) -> Option<String>) -> Result<Upstream, ConfigError> {
    let given = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
    let word_pause = Duration::from_millis(u64::from(arguments.demo_delay_ms));
    let model = given(&arguments.model);
    if model.as_deref() == Some(demo::NAME) {
        return Ok(Upstream::Demo { word_pause, why: "as told" });
    }
    let key = environment("OPENAI_API_KEY").map(|key| key.trim().to_owned());
    if key.as_ref().is_some_and(|key| !key.chars().all(|sign| sign.is_ascii_graphic())) {
        return Err(ConfigError::Key);
    }
    let by_flag = given(&arguments.llm_url).map(|url| ("--llm-url", url));
    let (why, url) = match by_flag.or_else(|| environment("OPENAI_BASE_URL").map(|url| ("OPENAI_BASE_URL", url))) {
        Some((name, url)) => (name, address(name, &url)?),
        None if key.is_some() => ("OPENAI_API_KEY", address("the default", OPENAI)?),
        None => match model {
            Some(model) => return Err(ConfigError::NoProvider { model }),
            None => return Ok(Upstream::Demo { word_pause, why: "no key found" }),
        },
    };
    let is_openai = url.host() == Some("api.openai.com");
    let strong =
        model.or_else(|| is_openai.then(|| OPENAI_MODEL.to_owned())).ok_or_else(|| ConfigError::NoModel { url: url.to_string() })?;
    let fast = given(&arguments.fast_model).unwrap_or_else(|| strong.clone());
    let provider = Provider { deadlines: Deadlines::for_host(&url), url, key: key.map(Key), fast, strong, bounds: Default::default() };
    Ok(Upstream::Provider { provider: Box::new(provider), why })
}

fn address(name: &'static str, text: &str) -> Result<Uri, ConfigError> {
    let wrong = || ConfigError::Url { name, url: text.to_owned() };
    let url: Uri = text.trim().parse().map_err(|_| wrong())?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty());
    let is_plain =
        url.query().is_none() && !text.contains('#') && url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    if is_http && is_plain { Ok(url) } else { Err(wrong()) }
}

impl Upstream {
    /// What everyone may know of the model: no address, no key.
    pub fn about(&self) -> Value {
        match self {
            Upstream::Demo { why, .. } => json!({ "name": demo::NAME, "demo": true, "source": why }),
            Upstream::Provider { provider, why } => json!({ "name": provider.strong, "demo": false, "source": format!("chosen by {why}") }),
        }
    }

    fn models(&self) -> Box<Models> {
        match self {
            Upstream::Demo { word_pause, .. } => {
                let demo = Demo::new(*word_pause);
                Box::new(move || Box::new(demo.clone()))
            }
            Upstream::Provider { provider, .. } => {
                let provider = OpenAi::new((**provider).clone());
                Box::new(move || provider.line())
            }
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Upstream::Demo { why, .. } => write!(f, "{} ({why})", demo::NAME),
            Upstream::Provider { provider, why } => {
                let host = provider.url.authority().map_or("", |authority| authority.as_str());
                write!(f, "{} at {host} ({why})", provider.strong)?;
                if provider.fast == provider.strong { Ok(()) } else { write!(f, ", fast: {}", provider.fast) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    /// What a command line and `OPENAI_…` variables mean, in a line; else what is wrong.
    fn read(line: &str, key: &str, base_url: &str) -> String {
        let arguments = match Line::try_parse_from(["framewright"].into_iter().chain(line.split_whitespace())) {
            Ok(line) => line.arguments,
            Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let environment = |name: &str| match name {
            "OPENAI_API_KEY" => Some(key.to_owned()),
            "OPENAI_BASE_URL" => Some(base_url.to_owned()),
            _ => None,
        };
        match Config::new(arguments, environment) {
            Ok(config) => format!("{} {}", config.listen, config.upstream),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_model_follows_from_what_is_there() {
        for (line, key, base_url, model) in [
            ("", "", "", "127.0.0.1:7878 demo (no key found)"),
            ("--model demo", "sk-1", "", "127.0.0.1:7878 demo (as told)"),
            ("", "sk-1", "", "127.0.0.1:7878 gpt-4.1-mini at api.openai.com (OPENAI_API_KEY)"),
            ("--model big --fast-model small", "sk-1", "", "127.0.0.1:7878 big at api.openai.com (OPENAI_API_KEY), fast: small"),
            ("--llm-url http://127.0.0.1:11434/v1 --model qwen", "", "", "127.0.0.1:7878 qwen at 127.0.0.1:11434 (--llm-url)"),
            ("--model qwen", "", "http://127.0.0.1:1234/v1", "127.0.0.1:7878 qwen at 127.0.0.1:1234 (OPENAI_BASE_URL)"),
            ("--listen [::1]:0", "", "", "[::1]:0 demo (no key found)"),
            ("--listen 0.0.0.0:80 --insecure-no-auth", "", "", "0.0.0.0:80 demo (no key found)"),
        ] {
            assert_eq!(read(line, key, base_url), model, "{line} {key} {base_url}");
        }
    }

    #[test]
    fn a_setting_that_is_wrong_is_refused_with_what_to_do() {
        for (line, key, says) in [
            ("--listen 0.0.0.0:80", "", "0.0.0.0:80 can be reached from other machines"),
            ("--llm-url localhost:11434 --model m", "", "--llm-url is `localhost:11434`: write an address such as"),
            ("--llm-url ftp://host/v1 --model m", "", "--llm-url is `ftp://host/v1`"),
            ("--llm-url http://key@host/v1 --model m", "", "--llm-url is `http://key@host/v1`"),
            ("--llm-url http://host/v1?a=b --model m", "", "--llm-url is `http://host/v1?a=b`"),
            ("--llm-url http://host/v1", "", "http://host/v1 needs the name of a model"),
            ("--model big", "", "nobody is there to ask for the model `big`"),
            ("", "two lines\n", "OPENAI_API_KEY holds signs that no key has"),
            ("--shards 0", "", "error: invalid value '0' for '--shards <N>': 0 is not in 1..=256"),
            ("--workers 5000", "", "error: invalid value '5000' for '--workers <N>': 5000 is not in 1..=4096"),
            ("--listen here", "", "error: invalid value 'here' for '--listen <ADDRESS>'"),
        ] {
            let said = read(line, key, "");
            assert!(said.starts_with(says), "{line}: {said}");
            assert!(!said.contains("sk-"), "{said}");
        }
    }
}
