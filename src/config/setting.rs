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
    /// The first sentence is all that `-h` shows. A row without a default ends in `[default: …]`, which says what happens then.
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
        "Listen address, or unix:/PATH. Port 0 picks a free port. Sockets passed by systemd (a .socket unit) \
         are used instead";
    GENERAL socket_mode: SocketMode, "MODE", Mode, Some("660"),
        "Permissions of the Unix socket, in octal. Clients need write permission to connect";
    GENERAL metrics_listen: Option<SocketAddr>, "ADDRESS", TcpAddress, None,
        "Separate address for metrics and probes. It needs no sign-in and serves nothing else, so keep it inside your \
         network, such as 127.0.0.1:9464 [default: none]";
    GENERAL host: Vec<String>, "NAME", Hosts, None,
        "Additional host names of this server. Name the public name behind a proxy here: requests for other hosts are refused \
         [default: none besides loopback names and the listen address]", Live;
    GENERAL allow_origin: Vec<String>, "ORIGIN", Origins, None,
        "Origins of other web pages that may use the server. For example https://example.org; `*` allows every page [default: \
         none]", Live;
    GENERAL insecure_no_auth: bool, "BOOL", Switch, Some("false"),
        "Allow non-loopback addresses without authentication";
    GENERAL data: PathBuf, "DIR", Path, Some("data"),
        "Data folder. It holds the journal of all conversations, and two servers can't share one";
    GENERAL durability: String, "WHEN", Choice(&["turn", "every-delta", "none"]), Some("turn"),
        "When data is stored: turn, every-delta or none. `turn` stores messages and ends of turns before a client sees them; \
         `every-delta` also stores each piece of an answer first; with `none` conversations live in memory and end with the \
         server";
    GENERAL journal: Option<String>, "URL", Url, None,
        "MySQL-protocol server that stores the journal. Written as mysql://user:password@host:port/name [default: journal.db \
         in the data folder]";
    GENERAL resume: String, "HOW", Choice(&["error", "rerun"]), Some("error"),
        "Turns cut off by a crash: error or rerun. `error` ends it with an error that says so; `rerun` runs \
         it again";
    GENERAL retain_days: Option<u32>, "DAYS", Number(1, 36_500), None,
        "Delete conversations unused for this many days. Those in memory stay [default: keep all]";
    GENERAL retain_bytes: Option<u64>, "BYTES", Number(1 << 16, 1 << 50), None,
        "Bytes of journal per user. Beyond that, the user's least recently used conversations are deleted; those in memory \
         stay [default: keep all]";
    GENERAL rerun: bool, "BOOL", Switch, Some("false"),
        "Let users repeat their own model calls with another prompt. This allows POST /api/call/rerun; administrators may \
         always use it", Live;
    GENERAL audit: Option<PathBuf>, "FILE", Path, None,
        "Audit log file. One JSON line for each sign-in, access to another user's data, graph change and deletion [default: \
         none]";
    GENERAL log: String, "FILTER", Filter, Some("info"),
        "Log filter: a level, or levels by target. For example warn,framewright::work=debug", Live;
    GENERAL shards: Option<u16>, "N", Number(1, 256), None,
        "Threads that serve sessions, 1 to 256 [default: one per core]";
    GENERAL graph: String, "NAME", Text, Some("v3-framed"),
        "Graph for new sessions", Live;
    GENERAL graphs: Option<PathBuf>, "DIR", Path, None,
        "Folder of graphs, prompts and schemas. They replace built-in files of the same name or add to them [default: none]", Live;
    GENERAL database: Vec<String>, "NAME=URL", Databases, Some(DATABASE),
        "Experts' databases, NAME=URL. Separate several with spaces. A URL is \
         mysql://user:password@host:port/name, sqlite:PATH or `sample`. FRAMEWRIGHT_DATABASE_<NAME> may hold the URL; a file \
         may list databases in a section [databases]";
    GENERAL development: bool, "BOOL", Switch, Some("false"),
        "Read the page's files from disk and disable caching", Live;
    GENERAL conformance: bool, "BOOL", Switch, Some("false"),
        "Echo every request to `/` and every message on `/ws/echo`. For protocol tests only: it replaces the page";
    GENERAL tests: bool, "BOOL", Switch, Some("false"),
        "Let users run test suites from the page. Suites run on this server";
    GENERAL suites: PathBuf, "DIR", Path, Some("testcases"),
        "Folder of test suites that users can run";
    AUTH oidc_issuer: Option<String>, "URL", Issuer, None,
        "OpenID Connect issuer whose users may sign in. For example the URL of a Zitadel instance [default: none]";
    AUTH oidc_ca: Option<PathBuf>, "FILE", Path, None,
        "PEM file of the issuer's private certificate authority. Public authorities are then not trusted for the issuer \
         [default: none]";
    AUTH oidc_client_id: Option<String>, "ID", Text, None,
        "Client id of this server at the issuer. A token must be for the client or the project [default: none]";
    AUTH oidc_project_id: Option<String>, "ID", Text, None,
        "Project id at the issuer. A token must be for the project or the client [default: none]";
    AUTH admin_claim: String, "CLAIM", Text, Some("urn:zitadel:iam:org:project:roles"),
        "Claim with a user's roles. An object with a key per role, a list or a text", Live;
    AUTH admin_value: Option<String>, "ROLE", Text, None,
        "Role of administrators. They may read other users' traces and tests [default: none]", Live;
    AUTH auth_header: Option<String>, "NAME", Header, None,
        "Header in which a trusted proxy names the user. For example X-Remote-User [default: none]", Live;
    AUTH trusted_proxy: Vec<String>, "ADDRESS", Proxies, None,
        "Addresses or networks of trusted proxies. For example 10.0.0.0/8; `unix` means clients of the Unix socket. Their \
         X-Forwarded-For and sign-in header are used [default: none]", Live;
    AUTH api_keys: Option<PathBuf>, "FILE", Path, None,
        "File of API keys, from `framewright key create`. Changes take effect within seconds [default: none]";
    LLM model: Option<String>, "NAME", Text, None,
        "Model that answers; `demo` is built in. Without it: gpt-4.1-mini with OPENAI_API_KEY, openai/gpt-4.1-mini with \
         OPENROUTER_API_KEY, claude-haiku-4-5 with ANTHROPIC_API_KEY, else the first model of a server on this machine, else \
         demo [default: by key]", Live;
    LLM fast_model: Option<String>, "NAME", Text, None,
        "Model for calls that must be fast. It classifies messages and keeps the memory [default: the same]", Live;
    LLM fallback_model: Option<String>, "NAME", Text, None,
        "Model used when a call fails before its first token [default: none]", Live;
    LLM llm_url: Option<String>, "URL", Url, None,
        "Base URL of a chat-completions server, up to its `/v1`. Without it: OPENAI_BASE_URL, else the server that the key \
         belongs to [default: by key]", Live;
    LLM llm_key_file: Option<PathBuf>, "FILE", Path, None,
        "File with the model server's key in one line. FRAMEWRIGHT_LLM_KEY may hold the key itself [default: none]", Live;
    LLM offline: bool, "BOOL", Switch, Some("false"),
        "Don't look for a model server on this machine", Live;
    LLM retries: u8, "N", Number(0, 10), Some("2"),
        "Retries of calls that fail before their first token. Up to 10", Live;
    LLM demo_delay_ms: u16, "N", Number(0, 10_000), Some("15"),
        "Milliseconds between two words of the demo model. Up to 10000", Live;
    OTLP otlp_endpoint: Option<String>, "URL", Url, None,
        "OpenTelemetry collector that receives traces. OTLP over HTTP with protobuf, such as http://127.0.0.1:4318; without \
         it OTEL_EXPORTER_OTLP_ENDPOINT, if set [default: none]";
    OTLP otlp_headers_file: Option<PathBuf>, "FILE", Path, None,
        "File with headers for the collector, NAME=VALUE per line. Such as a key; without it OTEL_EXPORTER_OTLP_HEADERS, if \
         set [default: none]";
    OTLP otlp_content: bool, "BOOL", Switch, Some("false"),
        "Export prompts, messages, answers and queries too";
    WEBHOOK webhook_allow: Vec<String>, "URL", Webhooks, None,
        "URLs that webhooks may use, each with everything below. For example https://hooks.example.org/chat. A message may \
         name one as its `webhook`, called when its turn has ended; this needs a secret [default: none]";
    WEBHOOK webhook_secret_file: Option<PathBuf>, "FILE", Path, None,
        "File with the webhook signing secret, whsec_BASE64. A second secret in it signs too, for rotation. \
         FRAMEWRIGHT_WEBHOOK_SECRET may hold the secret itself [default: none]";
    LIMITS workers: u16, "N", Number(1, 4_096), Some("256"),
        "Concurrent model calls, 1 to 4096. Further calls wait", Live;
    LIMITS connect_ms: u32, "N", Number(1, MS_MAX), Some("5000"),
        "Milliseconds to connect to the model's server", Live;
    LIMITS first_token_ms: Option<u32>, "N", Number(1, MS_MAX), None,
        "Milliseconds to the model's first token, once connected. On this machine, where a model may have to be loaded first, \
         300000 [default: 60000]", Live;
    LIMITS next_token_ms: u32, "N", Number(1, MS_MAX), Some("60000"),
        "Milliseconds between two tokens of a model", Live;
    LIMITS call_ms: u32, "N", Number(1, MS_MAX), Some("600000"),
        "Milliseconds for a whole model call. Waiting and retries count", Live;
    LIMITS drain_ms: u32, "N", Number(0, 600_000), Some("10000"),
        "Milliseconds for running answers to finish at shutdown. Up to 600000", Live;
    LIMITS sessions: u32, "N", Number(1, 1_000_000), Some("10000"),
        "Sessions in memory, over all shards. When full, the least recently used session leaves memory", Live;
    LIMITS session_bytes: u64, "N", Number(1 << 20, 1 << 40), Some("536870912"),
        "Bytes per shard for histories, traces and events. When full, the least recently used session leaves memory", Live;
    LIMITS request_bytes: u64, "N", Number(2 << 20, 1 << 40), Some("268435456"),
        "Bytes per shard for requests being received. Requests beyond that are refused", Live;
    LIMITS answer_bytes: u64, "N", Number(2 << 20, 1 << 40), Some("268435456"),
        "Bytes per shard for answers that clients have not read. Beyond that the slowest readers are disconnected", Live;
    LIMITS message_bytes: u32, "N", Number(1 << 10, 1 << 20), Some("262144"),
        "Largest client message in bytes. Up to 1 MiB", Live;
    LIMITS connections: u32, "N", Number(1, 1_000_000), Some("16384"),
        "Connections per shard. Further ones are refused", Live;
    LIMITS queue: u16, "N", Number(1, 65_535), Some("1024"),
        "Model calls that may wait for a worker", Live;
    LIMITS waiting: u16, "N", Number(1, 1_000), Some("8"),
        "Messages that may wait behind a session's running turn", Live;
    LIMITS history: u16, "N", Number(2, 10_000), Some("200"),
        "Messages that a session keeps", Live;
    LIMITS traces: u16, "N", Number(1, 1_000), Some("20"),
        "Turns per session whose trace is kept in memory", Live;
    LIMITS user_requests: u32, "N", Number(0, 1_000_000), Some("3000"),
        "Requests a minute per signed-in user. 0 lifts this and each of the following bounds", Live;
    LIMITS user_messages: u32, "N", Number(0, 1_000_000), Some("300"),
        "Messages and actions a minute per signed-in user", Live;
    LIMITS user_streams: u32, "N", Number(0, 1_000_000), Some("64"),
        "Open WebSockets and event streams per signed-in user", Live;
    LIMITS user_turns: Option<u32>, "N", Number(0, 1_000_000), None,
        "Turns per user that may run at once. One per session; without sign-in, per address. Loopback addresses have no bound \
         [default: 16]", Live;
    LIMITS address_requests: Option<u32>, "N", Number(0, 1_000_000), None,
        "Requests a minute per address. For IPv6 per network of 64 bits. Loopback addresses have no bound [default: 15000]", Live;
    LIMITS address_messages: Option<u32>, "N", Number(0, 1_000_000), None,
        "Messages and actions a minute per address. Loopback addresses have no bound [default: 1500]", Live;
    LIMITS address_streams: Option<u32>, "N", Number(0, 1_000_000), None,
        "Open WebSockets and event streams per address. Loopback addresses have no bound [default: 512]", Live;
    LIMITS day_turns: Option<u64>, "N", Number(0, 1 << 50), None,
        "Turns per user and day (UTC). Without sign-in, per address [default: no bound]", Live;
    LIMITS day_tokens: Option<u64>, "N", Number(0, 1 << 50), None,
        "Tokens per user and day. Prompts and answers count; further turns are then refused. Without sign-in, per address \
         [default: no bound]", Live;
    LIMITS day_cost: Option<String>, "AMOUNT", Amount, None,
        "Cost per user and day, such as 2.50. In the unit of the prices; further turns are then refused. Every model needs a \
         price. Without sign-in, per address [default: no bound]", Live;
    LIMITS price: Vec<String>, "MODEL=PRICES", Prices, None,
        "Prices for a million tokens, MODEL=INPUT,OUTPUT. Or MODEL=INPUT,CACHED_INPUT,OUTPUT; separate several with spaces. A \
         file may list them in a section [prices] [default: none]", Live;
}

/// Shown by `--help`, but not by `-h`.
const RARE: &[&str] = &[
    "admin_claim",
    "otlp_headers_file",
    "webhook_secret_file",
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
        let arg = Arg::new(self.id).long(self.flag()).env(self.variable()).value_name(self.value_name);
        let arg = arg.help(self.short_help()).long_help(self.long_help()).hide_env(true).hide_default_value(true);
        let arg = match kind {
            Switch => arg.value_parser(BoolishValueParser::new()).num_args(0..=1).require_equals(true).default_missing_value("true"),
            _ => arg.value_parser(move |text: &str| kind.check(text).map(|()| text.to_owned())),
        };
        let arg = if kind.is_list() { arg.action(ArgAction::Append).value_delimiter(' ') } else { arg.action(ArgAction::Set) };
        let arg = arg.hide_possible_values(true).hide_short_help(RARE.contains(&self.id));
        let arg = self.default.into_iter().fold(arg, |arg, default| arg.default_value(default));
        self.section.into_iter().fold(arg, |arg, section| arg.help_heading(heading(section)))
    }

    /// One line: what the setting is, and its default if that is a value.
    fn short_help(&self) -> String {
        let text = self.help.split(" [default: ").next().unwrap_or_default();
        let sentence = text.split(". ").next().unwrap_or_default();
        match self.default.filter(|_| self.kind != Switch) {
            Some(default) => format!("{sentence} [default: {default}]"),
            None => sentence.to_owned(),
        }
    }

    fn long_help(&self) -> String {
        let default = self.default.map(|default| format!(" [default: {default}]")).unwrap_or_default();
        format!("{}{default}\n[env: {}]", self.help, self.variable())
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
        let file = file.help("Settings file [default: ./framewright.toml, if it exists]").hide_env(true);
        let file = file.long_help("Settings file [default: ./framewright.toml, if it exists] [env: FRAMEWRIGHT_CONFIG]");
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

    #[test]
    fn short_help_has_one_line_for_each_setting() {
        let help = command().term_width(100).render_help().to_string();
        let (options, others): (Vec<&str>, Vec<&str>) = help.lines().partition(|line| line.trim_start().starts_with("--"));
        assert_eq!(options.len(), SETTINGS.len() + 1 - RARE.len(), "{help}");
        let wrapped: Vec<&&str> = others.iter().filter(|line| line.starts_with("    ")).collect();
        assert!(wrapped.is_empty(), "shorten the first sentence of what ends with {wrapped:#?}");
        let long = command().render_long_help().to_string();
        for setting in SETTINGS {
            assert!(long.contains(&format!("[env: {}]", setting.variable())), "{}", setting.id);
        }
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
