//! The table of settings: each row defines a flag, its environment variable, its key in a file, its default and its help.
//!
//! One name yields all others: `llm_url` is `--llm-url`, `FRAMEWRIGHT_LLM_URL`, and `url` in the section `[llm]`. A row also
//! defines a field of [`Arguments`] with its type. To add a setting, add a row.

use crate::auth::Network;
use crate::config::{DATABASE, MS_MAX, SocketMode};
use crate::contract::{Listen, WebhookPrefix};
use crate::work::database::Source;
use crate::work::prices::{self, amount};
use clap::builder::{BoolishValueParser, Resettable};
use clap::{Arg, ArgAction, ArgMatches, Command};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug)]
pub struct Setting {
    /// The field of [`Arguments`], and the name that clap knows it by.
    pub id: &'static str,
    /// The table of the file that holds it, and the heading in the help; none: above all tables.
    pub section: Option<&'static str>,
    value_name: &'static str,
    pub kind: Kind,
    pub default: Option<&'static str>,
    pub help: &'static str,
    pub change: Change,
}

/// When a new value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// From the next start.
    Restart,
    /// From the next reload. Such a row ends in `Live`.
    Live,
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Switch,
    /// A whole number within these bounds.
    Number(u64, u64),
    Path,
    Text,
    /// An address of the model's server, which may hold a password.
    Url,
    Address,
    /// An address of TCP.
    TcpAddress,
    /// Permissions of a file.
    Mode,
    /// What the log shows.
    Filter,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Lists are words with spaces between, or an array in a file.
    Databases,
    Origins,
    Hosts,
    Proxies,
    /// The address of an issuer.
    Issuer,
    /// The name of a header.
    Header,
    /// An amount of money.
    Amount,
    /// A list of models and what they cost.
    Prices,
    /// What the addresses of webhooks may begin with.
    Webhooks,
}

use Kind::*;

const GENERAL: Option<&str> = None;
const AUTH: Option<&str> = Some("auth");
const LLM: Option<&str> = Some("llm");
const OTLP: Option<&str> = Some("otlp");
const WEBHOOK: Option<&str> = Some("webhook");
const LIMITS: Option<&str> = Some("limits");

macro_rules! settings {
    (@change) => { Change::Restart };
    (@change $change:ident) => { Change::$change };
    ($($section:ident $id:ident: $type:ty, $value_name:literal, $kind:expr, $default:expr, $help:literal $(, $change:ident)?;)*) => {
        /// Every setting that a file may hold, in the order of the file; sections stay together.
        pub static SETTINGS: &[Setting] = &[$(Setting {
            id: stringify!($id), section: $section, value_name: $value_name, kind: $kind, default: $default, help: $help,
            change: settings!(@change $($change)?),
        }),*];

        /// The value of each setting, of its type.
        #[derive(Clone, Debug)]
        pub struct Arguments {
            $(pub $id: $type,)*
        }

        impl Arguments {
            /// `value` returns the text of a setting, which has been checked. Empty text is no value: the default counts.
            pub(super) fn of_values(value: impl Fn(&str) -> Option<String>) -> Arguments {
                let read = |id: &str, default: Option<&str>| {
                    value(id).filter(|text| !text.trim().is_empty()).or_else(|| default.map(str::to_owned))
                };
                Arguments { $($id: Read::read(read(stringify!($id), $default)),)* }
            }
        }
    };
}

settings! {
    GENERAL listen: Listen, "ADDRESS", Address, Some("127.0.0.1:7878"),
        "Address and port to listen on, or a Unix socket as unix:/PATH; port 0 takes any free port. Sockets that systemd passes \
         (a .socket unit) are used instead";
    GENERAL socket_mode: SocketMode, "MODE", Mode, Some("660"),
        "Permissions of the Unix socket, in octal; who may write to it may connect";
    GENERAL metrics_listen: Option<SocketAddr>, "ADDRESS", TcpAddress, None,
        "Additional address that serves metrics and health checks without sign-in, and nothing else; keep it inside your network, \
         such as 127.0.0.1:9464 [default: none]";
    GENERAL host: Vec<String>, "NAME", Hosts, None,
        "Additional host names under which clients reach the server, such as its public name behind nginx; requests for other \
         hosts are refused [default: none besides loopback names and the listen address]", Live;
    GENERAL allow_origin: Vec<String>, "ORIGIN", Origins, None,
        "Web pages of other origins that may use the server, such as https://example.org; `*` allows every page [default: none]", Live;
    GENERAL insecure_no_auth: bool, "BOOL", Switch, Some("false"),
        "Allow listening on non-loopback addresses without authentication";
    GENERAL data: PathBuf, "DIR", Path, Some("data"),
        "Data folder, which holds the journal of all conversations; two servers can't share one";
    GENERAL durability: String, "WHEN", Choice(&["turn", "every-delta", "none"]), Some("turn"),
        "What is safely stored before a client sees it: `turn` (messages and the ends of turns), `every-delta` (each piece of an answer \
         as well), or `none` (conversations are kept in memory and end with the server)";
    GENERAL journal: Option<String>, "URL", Url, None,
        "Server that speaks MySQL's protocol and keeps the journal, as mysql://user:password@host:port/name [default: journal.db in \
         the data folder]";
    GENERAL resume: String, "HOW", Choice(&["error", "rerun"]), Some("error"),
        "What becomes of a turn that a crash cut off: it ends with an `error` that says so, or runs again (`rerun`)";
    GENERAL retain_days: Option<u32>, "DAYS", Number(1, 36_500), None,
        "Delete conversations that were not used for so many days; those in memory stay [default: keep all]";
    GENERAL retain_bytes: Option<u64>, "BYTES", Number(1 << 16, 1 << 50), None,
        "Delete each user's least recently used conversations when the journal keeps more bytes of them than this; those in memory stay \
         [default: keep all]";
    GENERAL rerun: bool, "BOOL", Switch, Some("false"),
        "Allow users to make a recorded model call of their own again with an edited prompt (POST /api/call/rerun); administrators always \
         may", Live;
    GENERAL audit: Option<PathBuf>, "FILE", Path, None,
        "Audit log: who signed in, read another user's data, changed a graph or deleted data; one JSON line each [default: none]";
    GENERAL log: String, "FILTER", Filter, Some("info"),
        "What to log on standard error: a level, or levels by target such as warn,framewright::work=debug", Live;
    GENERAL shards: Option<u16>, "N", Number(1, 256), None,
        "Threads that hold sessions, 1 to 256 [default: one per core]";
    GENERAL graph: String, "NAME", Text, Some("v3-framed"),
        "Graph that new sessions use", Live;
    GENERAL graphs: Option<PathBuf>, "DIR", Path, None,
        "Folder with graphs, prompts and schemas that replace built-in files of the same name or add to them [default: none]", Live;
    GENERAL database: Vec<String>, "NAME=URL", Databases, Some(DATABASE),
        "Databases that experts may query, as NAME=URL separated by spaces; a URL is mysql://user:password@host:port/name, \
         sqlite:PATH or `sample`. FRAMEWRIGHT_DATABASE_<NAME> may hold the URL of one; a file may list them in a section [databases]";
    GENERAL development: bool, "BOOL", Switch, Some("false"),
        "Read the page's files from disk for every request and disable caching", Live;
    GENERAL conformance: bool, "BOOL", Switch, Some("false"),
        "Send back every request to `/` and every message on `/ws/echo`; for tests of the protocols only, since it takes the page's place";
    GENERAL tests: bool, "BOOL", Switch, Some("false"),
        "Allow users to start test suites from a browser; they run on this server";
    GENERAL suites: PathBuf, "DIR", Path, Some("testcases"),
        "Folder of the test suites that users can start";
    AUTH oidc_issuer: Option<String>, "URL", Issuer, None,
        "OpenID Connect issuer, such as a Zitadel instance, whose users may sign in [default: none]";
    AUTH oidc_ca: Option<PathBuf>, "FILE", Path, None,
        "Certificates, in PEM, of the authority that vouches for the issuer, where it is a private one; no other counts then [default: none]";
    AUTH oidc_client_id: Option<String>, "ID", Text, None,
        "Client id of this server's application at the issuer; a token must be for it or for the project [default: none]";
    AUTH oidc_project_id: Option<String>, "ID", Text, None,
        "Project id at the issuer; a token must be for it or for the client [default: none]";
    AUTH admin_claim: String, "CLAIM", Text, Some("urn:zitadel:iam:org:project:roles"),
        "Claim that holds a user's roles: an object with a key for each, a list, or a text", Live;
    AUTH admin_value: Option<String>, "ROLE", Text, None,
        "Role that makes a user an administrator, who may read other users' traces and tests [default: none]", Live;
    AUTH auth_header: Option<String>, "NAME", Header, None,
        "Header in which a trusted proxy names the user that it has signed in, such as X-Remote-User [default: none]", Live;
    AUTH trusted_proxy: Vec<String>, "ADDRESS", Proxies, None,
        "Addresses or networks of the proxies in front of the server, such as 10.0.0.0/8: what they state in X-Forwarded-For \
         and in the sign-in header counts; `unix` means clients of the Unix socket [default: none]", Live;
    AUTH api_keys: Option<PathBuf>, "FILE", Path, None,
        "File of API keys, written by `framewright key create`; changes take effect within seconds [default: none]";
    LLM model: Option<String>, "NAME", Text, None,
        "Model that answers; `demo` is built in [default: gpt-4.1-mini with OPENAI_API_KEY, openai/gpt-4.1-mini with \
         OPENROUTER_API_KEY, claude-haiku-4-5 with ANTHROPIC_API_KEY, else the first of a model server on this machine, else demo]", Live;
    LLM fast_model: Option<String>, "NAME", Text, None,
        "Model for calls that must be fast, such as perceiving a message [default: the same]", Live;
    LLM fallback_model: Option<String>, "NAME", Text, None,
        "Fallback model, used when a call fails before its first token [default: none]", Live;
    LLM llm_url: Option<String>, "URL", Url, None,
        "Base URL of a chat-completions server, up to its `/v1` [default: OPENAI_BASE_URL, else the server that the key is for]", Live;
    LLM llm_key_file: Option<PathBuf>, "FILE", Path, None,
        "File that holds the key of the model's server in one line; FRAMEWRIGHT_LLM_KEY may hold the key itself [default: none]", Live;
    LLM offline: bool, "BOOL", Switch, Some("false"),
        "Don't look for a model server on this machine", Live;
    LLM retries: u8, "N", Number(0, 10), Some("2"),
        "How often a model call that failed before its first token is retried, up to 10", Live;
    LLM demo_delay_ms: u16, "N", Number(0, 10_000), Some("15"),
        "Milliseconds between two words of the demo model, up to 10000", Live;
    OTLP otlp_endpoint: Option<String>, "URL", Url, None,
        "Base URL of an OpenTelemetry collector to export traces to, over HTTP with protobuf, such as http://127.0.0.1:4318 \
         [default: OTEL_EXPORTER_OTLP_ENDPOINT, else none]";
    OTLP otlp_headers_file: Option<PathBuf>, "FILE", Path, None,
        "File with headers for the collector, such as a key, as a line NAME=VALUE for each [default: OTEL_EXPORTER_OTLP_HEADERS]";
    OTLP otlp_content: bool, "BOOL", Switch, Some("false"),
        "Export prompts, messages, answers and queries too";
    WEBHOOK webhook_allow: Vec<String>, "URL", Webhooks, None,
        "Addresses that the server may call when a turn has ended, each with everything below it, such as https://hooks.example.org/chat; \
         a message may name one as its `webhook`; needs a secret [default: none]";
    WEBHOOK webhook_secret_file: Option<PathBuf>, "FILE", Path, None,
        "File with the secret that signs what webhooks receive, as whsec_BASE64; a second one signs too, while receivers change over; \
         FRAMEWRIGHT_WEBHOOK_SECRET may hold the secret itself [default: none]";
    LIMITS workers: u16, "N", Number(1, 4_096), Some("256"),
        "Concurrent model calls, 1 to 4096; further calls wait", Live;
    LIMITS connect_ms: u32, "N", Number(1, MS_MAX), Some("5000"),
        "Milliseconds to connect to the model's server", Live;
    LIMITS first_token_ms: Option<u32>, "N", Number(1, MS_MAX), None,
        "Milliseconds to the model's first token, once connected [default: 60000, and 300000 on this machine, where a model \
         may have to be loaded first]", Live;
    LIMITS next_token_ms: u32, "N", Number(1, MS_MAX), Some("60000"),
        "Milliseconds between two tokens of a model", Live;
    LIMITS call_ms: u32, "N", Number(1, MS_MAX), Some("600000"),
        "Milliseconds for a model call as a whole, including waiting and retries", Live;
    LIMITS drain_ms: u32, "N", Number(0, 600_000), Some("10000"),
        "Milliseconds that running answers get to finish when the server is stopped, up to 600000", Live;
    LIMITS sessions: u32, "N", Number(1, 1_000_000), Some("10000"),
        "Sessions in memory, of all shards; when full, the session unused longest makes room", Live;
    LIMITS session_bytes: u64, "N", Number(1 << 20, 1 << 40), Some("536870912"),
        "Memory of each shard for histories, traces and events, in bytes; when full, the session unused longest makes room", Live;
    LIMITS request_bytes: u64, "N", Number(2 << 20, 1 << 40), Some("268435456"),
        "Memory of each shard for requests that are being received, in bytes; beyond it requests are refused", Live;
    LIMITS answer_bytes: u64, "N", Number(2 << 20, 1 << 40), Some("268435456"),
        "Memory of each shard for answers that clients have not read yet, in bytes; beyond it the slowest readers are cut", Live;
    LIMITS message_bytes: u32, "N", Number(1 << 10, 1 << 20), Some("262144"),
        "Largest message that a client may send, in bytes, up to 1 MiB", Live;
    LIMITS connections: u32, "N", Number(1, 1_000_000), Some("16384"),
        "Connections of each shard; further ones are refused", Live;
    LIMITS queue: u16, "N", Number(1, 65_535), Some("1024"),
        "Model calls that may wait for a worker", Live;
    LIMITS waiting: u16, "N", Number(1, 1_000), Some("8"),
        "Messages that may wait behind the running turn of a session", Live;
    LIMITS history: u16, "N", Number(2, 10_000), Some("200"),
        "Messages that a session keeps", Live;
    LIMITS traces: u16, "N", Number(1, 1_000), Some("20"),
        "Turns of a session whose trace is kept", Live;
    LIMITS user_requests: u32, "N", Number(0, 1_000_000), Some("3000"),
        "Requests a minute from each signed-in user; 0 is no bound, here and in what follows", Live;
    LIMITS user_messages: u32, "N", Number(0, 1_000_000), Some("300"),
        "Messages and actions a minute from each signed-in user", Live;
    LIMITS user_streams: u32, "N", Number(0, 1_000_000), Some("64"),
        "WebSockets and event streams that each signed-in user may have open at once", Live;
    LIMITS user_turns: Option<u32>, "N", Number(0, 1_000_000), None,
        "Turns of each user that may run at once, one in each session; without sign-in, of each address \
         [default: 16, and no bound for loopback addresses]", Live;
    LIMITS address_requests: Option<u32>, "N", Number(0, 1_000_000), None,
        "Requests a minute from each address, which for IPv6 is a network of 64 bits [default: 15000, and no bound for loopback addresses]", Live;
    LIMITS address_messages: Option<u32>, "N", Number(0, 1_000_000), None,
        "Messages and actions a minute from each address [default: 1500, and no bound for loopback addresses]", Live;
    LIMITS address_streams: Option<u32>, "N", Number(0, 1_000_000), None,
        "WebSockets and event streams that each address may have open at once [default: 512, and no bound for loopback addresses]", Live;
    LIMITS day_turns: Option<u64>, "N", Number(0, 1 << 50), None,
        "Turns that each user may start on a day (UTC); without sign-in, each address [default: no bound]", Live;
    LIMITS day_tokens: Option<u64>, "N", Number(0, 1 << 50), None,
        "Tokens, of prompts and answers, that each user's calls may use on a day before further turns are refused; without \
         sign-in, each address's [default: no bound]", Live;
    LIMITS day_cost: Option<String>, "AMOUNT", Amount, None,
        "What each user's calls may cost on a day before further turns are refused, such as 2.50, in the unit of the prices; \
         without sign-in, each address's; every model needs a price [default: no bound]", Live;
    LIMITS price: Vec<String>, "MODEL=PRICES", Prices, None,
        "Prices for a million tokens as MODEL=INPUT,OUTPUT or MODEL=INPUT,CACHED_INPUT,OUTPUT, separated by spaces; a file may \
         list them in a section [prices] [default: none]", Live;
}

/// Shown by `--help`, but not by `-h`.
const RARE: &[&str] = &[
    "socket_mode",
    "retain_days",
    "retain_bytes",
    "conformance",
    "sessions",
    "session_bytes",
    "request_bytes",
    "answer_bytes",
    "message_bytes",
    "connections",
    "queue",
    "waiting",
    "history",
    "traces",
    "user_requests",
    "user_messages",
    "user_streams",
    "user_turns",
    "address_requests",
    "address_messages",
    "address_streams",
    "day_turns",
    "day_tokens",
    "day_cost",
    "price",
];

/// The one flag that a file can't hold.
pub(super) const FILE: &str = "config";

/// A value as its type. The text has been checked, and a setting whose type has no empty value has a default.
trait Read {
    fn read(text: Option<String>) -> Self;
}

macro_rules! read {
    ($($type:ty)*) => {$(
        impl Read for $type {
            fn read(text: Option<String>) -> Self {
                text.and_then(|text| text.parse().ok()).expect("the setting has a default, and its text has been checked")
            }
        }
    )*};
}

read!(u8 u16 u32 u64 bool String PathBuf SocketAddr Listen SocketMode);

impl<T: Read> Read for Option<T> {
    fn read(text: Option<String>) -> Self {
        text.map(|text| T::read(Some(text)))
    }
}

impl Read for Vec<String> {
    fn read(text: Option<String>) -> Self {
        text.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect()
    }
}

impl Kind {
    pub(super) fn is_list(self) -> bool {
        matches!(self, Databases | Origins | Hosts | Proxies | Prices | Webhooks)
    }

    /// Checks a value; of a list, one word.
    pub(super) fn check(self, text: &str) -> Result<(), String> {
        let is_host = |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-[:]".contains(&byte));
        match self {
            Switch => text.parse::<bool>().map(drop).map_err(|error| error.to_string()),
            Number(min, max) => match text.parse::<i64>().map_err(|error| error.to_string())? {
                number if u64::try_from(number).is_ok_and(|number| (min..=max).contains(&number)) => Ok(()),
                number => Err(format!("{number} is not in {min}..={max}")),
            },
            TcpAddress => text.parse::<SocketAddr>().map(drop).map_err(|error| error.to_string()),
            Address => text.parse::<Listen>().map(drop).map_err(|error| error.to_string()),
            Mode => text.parse::<SocketMode>().map(drop),
            Filter => crate::log::filter(text).map(drop),
            Choice(words) if words.contains(&text) => Ok(()),
            Choice(words) => Err(format!("choose one of: {}", words.join(", "))),
            Origins if text == "*" => Ok(()),
            Origins => match text.split_once("://") {
                Some(("http" | "https", host)) if is_host(host) => Ok(()),
                _ => Err("write an origin as the browser sends it, such as https://example.org, or `*`".to_owned()),
            },
            Hosts if is_host(text) && (text.starts_with('[') == text.contains(':')) => Ok(()),
            Hosts => Err("write a host name without a port, such as chat.example.org".to_owned()),
            Proxies => text.parse::<Network>().map(drop),
            Issuer if is_issuer(text) => Ok(()),
            Issuer => Err("write https://HOST[/PATH], without ? and # (http only on this machine)".to_owned()),
            Header if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => Ok(()),
            Header => Err("write the name of a header, such as X-Remote-User".to_owned()),
            Amount if amount(text).is_some() => Ok(()),
            Amount => Err("write an amount such as 2.50, with at most six decimals".to_owned()),
            Prices => prices::Prices::read([text]).map(drop),
            Webhooks => text.parse::<WebhookPrefix>().map(drop).map_err(str::to_owned),
            Path | Text | Url | Databases => Ok(()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Switch => "true or false",
            Number(..) => "a whole number",
            Path | Text | Url | Address | TcpAddress | Mode | Filter | Choice(_) | Issuer | Header => "a text in quotes",
            Amount => "a number such as 2.50",
            Databases | Origins | Hosts | Proxies | Prices | Webhooks => "a text in quotes, or an array of them",
        })
    }
}

impl Setting {
    pub fn flag(&self) -> String {
        self.id.replace('_', "-")
    }

    pub fn variable(&self) -> String {
        format!("FRAMEWRIGHT_{}", self.id.to_ascii_uppercase())
    }

    /// The key within its section: `url`.
    pub fn key(&self) -> &'static str {
        self.section.and_then(|section| self.id.strip_prefix(section)?.strip_prefix('_')).unwrap_or(self.id)
    }

    /// The key with its section: `llm.url`.
    pub fn name(&self) -> String {
        self.section.map_or_else(|| self.id.to_owned(), |section| format!("{section}.{}", self.key()))
    }

    /// A value as a file holds it.
    pub fn written(&self, value: &str) -> String {
        match self.kind {
            Switch | Number(..) | Amount => value.to_owned(),
            _ => toml::Value::String(value.to_owned()).to_string(),
        }
    }

    fn arg(&self) -> Arg {
        let kind = self.kind;
        let arg = Arg::new(self.id).long(self.flag()).env(self.variable()).help(self.help).value_name(self.value_name);
        let arg = match kind {
            Switch => arg.value_parser(BoolishValueParser::new()).num_args(0..=1).require_equals(true).default_missing_value("true"),
            _ => arg.value_parser(move |text: &str| kind.check(text).map(|()| text.to_owned())),
        };
        let arg = if kind.is_list() { arg.action(ArgAction::Append).value_delimiter(' ') } else { arg.action(ArgAction::Set) };
        let arg = arg.hide_env_values(matches!(kind, Databases | Url)).hide_possible_values(true).hide_short_help(RARE.contains(&self.id));
        let arg = self.default.into_iter().fold(arg, |arg, default| arg.default_value(default));
        self.section.into_iter().fold(arg, |arg, section| arg.help_heading(heading(section)))
    }

    /// The value that clap has read, from wherever.
    pub(super) fn given(&self, matches: &ArgMatches) -> Option<String> {
        match self.kind {
            Switch => matches.get_one::<bool>(self.id).map(bool::to_string),
            _ => Some(matches.get_many::<String>(self.id)?.map(String::as_str).collect::<Vec<_>>().join(" ")),
        }
    }
}

impl clap::Args for Arguments {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE).long(FILE).env("FRAMEWRIGHT_CONFIG").value_name("FILE").value_parser(clap::value_parser!(PathBuf));
        let file = file.help("File of settings [default: framewright.toml in the current folder, if there is one]");
        command.arg(file).args(SETTINGS.iter().map(Setting::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Arguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |id: &str| SETTINGS.iter().find(|setting| setting.id == id)?.given(matches);
        Ok(Arguments::of_values(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn heading(section: &str) -> &'static str {
    match Some(section) {
        AUTH => "Sign-in",
        LLM => "LLM",
        OTLP => "Traces",
        WEBHOOK => "Webhooks",
        _ => "Limits",
    }
}

/// Tokens and keys are read from there: only over TLS, or from this machine.
fn is_issuer(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"?#@\"<>\\^`{|}".contains(&byte);
    text.bytes().all(plain) && crate::work::issuer::is_safe_url(text)
}

/// The command that has the settings as flags, and nothing else.
pub fn command() -> Command {
    let command = Command::new("framewright").no_binary_name(true).disable_help_flag(true);
    without_blank_variables(<Arguments as clap::Args>::augment_args(command))
}

/// Takes variables that are blank for unset ones: compose files write them so.
pub fn without_blank_variables(command: Command) -> Command {
    let is_blank = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.to_string_lossy().trim().is_empty());
    let without = |arg: Arg| if is_blank(&arg) { arg.env(Resettable::Reset) } else { arg };
    command.mut_args(without).mut_subcommands(without_blank_variables)
}

/// A database as `NAME=URL`; its URL may be left to its variable.
pub(super) fn check_database(name: &str, url: &str) -> Result<String, String> {
    let said = format!("{name}={url}");
    match () {
        () if said.contains(' ') => Err("can't hold a space".to_owned()),
        () if url.is_empty() => Ok(said),
        () => Source::named(&said).map(|_| said).map_err(|why| format!("is wrong: {why}")),
    }
}

/// The name that someone may have meant, if one is near.
pub fn nearest(written: &str, names: impl IntoIterator<Item = String>) -> Option<String> {
    let leaf = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
    let plain = written.replace('-', "_").to_ascii_lowercase();
    let nearness = |name: &str| {
        let lower = name.to_ascii_lowercase();
        strsim::jaro_winkler(&plain, &lower).max(strsim::jaro_winkler(&plain, &lower.replace('.', "_"))).max(
            // The right word in the wrong section.
            strsim::jaro_winkler(&leaf(&plain), &leaf(&lower)) - 0.01,
        )
    };
    let near = names.into_iter().map(|name| (nearness(&name), name)).filter(|(nearness, _)| *nearness > 0.82);
    near.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_setting_is_named_once_explained_and_has_a_default_that_it_accepts() {
        let names: BTreeSet<String> = SETTINGS.iter().map(Setting::name).collect();
        assert_eq!(names.len(), SETTINGS.len(), "no two settings share a key");
        for name in ["listen", "llm.url", "llm.model", "llm.key_file", "limits.workers", "limits.message_bytes"] {
            assert!(names.contains(name), "{name} is missing from {names:?}");
        }
        for setting in SETTINGS {
            assert!(setting.default.is_some() || setting.help.contains("[default: "), "{}", setting.id);
            assert_eq!(setting.default.map_or(Ok(()), |default| setting.kind.check(default)), Ok(()), "{}", setting.id);
        }
        assert!(RARE.iter().all(|rare| SETTINGS.iter().any(|setting| setting.id == *rare)));
        let sections: Vec<_> = SETTINGS.iter().map(|setting| setting.section).collect();
        assert!(sections.is_sorted_by_key(|section| [GENERAL, AUTH, LLM, OTLP, WEBHOOK, LIMITS].iter().position(|known| known == section)));
    }

    /// Which settings the program reads is seen where this is built: a field that nothing reads is a warning.
    #[test]
    fn a_value_is_read_as_its_type() {
        let arguments = Arguments::of("--host a.example --host b.example --allow-origin=* --development --data= --message-bytes 2048");
        let Arguments { host, allow_origin, development, data, message_bytes, shards, .. } = arguments.unwrap();
        assert_eq!((host, allow_origin), (vec!["a.example".to_owned(), "b.example".to_owned()], vec!["*".to_owned()]));
        assert_eq!((development, data, message_bytes, shards), (true, "data".into(), 2048, None));
    }

    #[test]
    fn rejects_values_that_a_setting_cannot_have() {
        for (id, text, is_valid) in [
            ("allow_origin", "https://example.org", true),
            ("allow_origin", "http://[::1]:8080", true),
            ("allow_origin", "*", true),
            ("allow_origin", "https://example.org/", false),
            ("allow_origin", "example.org", false),
            ("allow_origin", "https://", false),
            ("host", "chat.example.org", true),
            ("host", "[2001:db8::1]", true),
            ("host", "chat.example.org:8443", false),
            ("host", "https://chat.example.org", false),
            ("host", "*", false),
            ("message_bytes", "1023", false),
            ("message_bytes", "1048577", false),
            ("oidc_issuer", "https://id.example.org", true),
            ("oidc_issuer", "https://id.example.org/realms/a/", true),
            ("oidc_issuer", "http://127.0.0.1:8080", true),
            ("oidc_issuer", "http://id.example.org", false),
            ("oidc_issuer", "id.example.org", false),
            ("oidc_issuer", "https://", false),
            ("oidc_issuer", "https://user@id.example.org", false),
            ("oidc_issuer", "https://id.example.org?a=b", false),
            ("trusted_proxy", "10.0.0.0/8", true),
            ("trusted_proxy", "nginx", false),
            ("auth_header", "X-Remote-User", true),
            ("auth_header", "X Remote", false),
            ("log", "warn,framewright::work=debug", true),
            ("log", "loud", false),
            ("listen", "unix:/run/framewright.sock", true),
            ("listen", "unix:framewright.sock", false),
            ("socket_mode", "660", true),
            ("socket_mode", "0600", true),
            ("socket_mode", "668", false),
            ("socket_mode", "1777", false),
            ("trusted_proxy", "unix", true),
            ("webhook_allow", "https://hooks.example.org/a", true),
            ("webhook_allow", "hooks.example.org", false),
            ("webhook_allow", "https://hooks.example.org/a?b", false),
            ("webhook_allow", "https://hooks.example.org/a/../b", false),
            ("user_requests", "0", true),
            ("day_cost", "2.50", true),
            ("day_cost", "-1", false),
            ("price", "gpt-4.1-mini=0.40,1.60", true),
            ("price", "gpt-4.1-mini", false),
            ("shards", "-1", false),
        ] {
            let setting = SETTINGS.iter().find(|setting| setting.id == id).unwrap();
            assert_eq!(setting.kind.check(text).is_ok(), is_valid, "{id} {text}");
        }
    }

    #[test]
    fn what_was_meant_is_found_and_nothing_far_away() {
        for (written, meant) in [
            ("lissten", Some("listen")),
            ("llm.modell", Some("llm.model")),
            ("llm-url", Some("llm.url")),
            ("workers", Some("limits.workers")),
            ("llm.workers", Some("limits.workers")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(written, SETTINGS.iter().map(Setting::name)).as_deref(), meant, "{written}");
        }
    }
}
