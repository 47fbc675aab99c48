//! `framewright doctor`: what a server needs, looked at before one is started: what is, what is wrong, how to mend it.
//!
//! It starts nothing and keeps nothing. Over the network it connects to what the settings choose: the model's server, the
//! databases, the issuer and the collector of traces.

mod access;
mod collector;
mod directives;
mod journal;
mod machine;
mod model;
mod place;
mod site;
mod unit;
mod webhooks;

use super::colour::Colour;
use super::journal::Place;
use super::{Failure, config as settings, library};
use crate::config::layers::{FILE, MACHINE_FILE, Written};
use crate::config::{Arguments, Config, KEY, KEYS, WEBHOOK_SECRET, without_password};
use crate::contract::Listen;
use crate::graph::Library;
use crate::text_file;
use crate::work::database::{Databases, Trouble};
use crate::work::probe;
use clap::ArgMatches;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(super) struct Options {
    /// Use colour: auto, always or never; NO_COLOR turns it off
    #[arg(long, value_name = "WHEN", value_enum, env = "FRAMEWRIGHT_COLOR", default_value = "auto")]
    color: Colour,
    /// Print the findings as JSON, like `GET /api/doctor`
    #[arg(long)]
    json: bool,
    /// nginx configuration or site to check [default: /etc/nginx/nginx.conf, if it exists]
    #[arg(long, value_name = "FILE")]
    nginx: Option<PathBuf>,
    /// systemd unit to check, with drop-ins and .socket [default: framewright.service, if it exists]
    #[arg(long, value_name = "FILE")]
    unit: Option<PathBuf>,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

/// What was found about one thing.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    about: &'static str,
    /// What is.
    is: String,
    status: Status,
    /// What to do about it, where it is wrong or could be better.
    mend: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Ok,
    /// It works, and something about it should be known.
    Warn,
    Fail,
}

impl Finding {
    fn good(about: &'static str, is: impl Into<String>) -> Self {
        Finding { about, is: is.into(), status: Status::Ok, mend: None }
    }

    fn bad(about: &'static str, is: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { about, is: is.into(), status: Status::Fail, mend: Some(mend.into()) }
    }

    fn warn(about: &'static str, is: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { status: Status::Warn, ..Finding::bad(about, is, mend) }
    }
}

/// Who asks, and what for.
#[derive(Default)]
struct Asked<'a> {
    /// Where this very process listens, if it does.
    own: Option<&'a Listen>,
    nginx: Option<&'a Path>,
    unit: Option<&'a Path>,
}

pub(super) fn run(options: &Options, matches: &ArgMatches) -> Result<(), Failure> {
    let asked = Asked { own: None, nginx: options.nginx.as_deref(), unit: options.unit.as_deref() };
    if options.json {
        let report = reported(matches, &asked);
        println!("{report}");
        let is_bad = report["checks"].as_array().is_some_and(|checks| checks.iter().any(|check| check["status"] == "fail"));
        return if is_bad { Err(Failure { code: 1, says: String::new() }) } else { Ok(()) };
    }
    let is_coloured = options.color.is_wanted(std::io::stdout().is_terminal());
    let (mut bad, mut count) = (0, 0);
    // Each is told as soon as it is known: some take a while.
    look(matches, &asked, &mut |finding| {
        count += 1;
        bad += usize::from(finding.status == Status::Fail);
        print!("{}", line(&finding, is_coloured));
    });
    if bad == 0 { Ok(()) } else { Err(Failure { code: 1, says: format!("{bad} of {count} checks failed") }) }
}

/// All findings, as programs read them. `own`: where this very process listens, if it does.
pub(super) fn report(matches: &ArgMatches, own: Option<&Listen>) -> Value {
    reported(matches, &Asked { own, ..Asked::default() })
}

fn reported(matches: &ArgMatches, asked: &Asked<'_>) -> Value {
    let mut checks = Vec::new();
    look(matches, asked, &mut |Finding { about, is, status, mend }| {
        let status = match status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        };
        let mut check = json!({ "name": about.to_lowercase().replace([' ', '-'], "_"), "status": status, "detail": is });
        if let Some(mend) = mend {
            check["fix"] = mend.into();
        }
        checks.push(check);
    });
    json!({ "checks": checks })
}

fn look(matches: &ArgMatches, asked: &Asked<'_>, tell: &mut dyn FnMut(Finding)) {
    // What a library says of an address may hold a password, and of a key the key.
    let secrets = secrets(matches);
    let hide = |text: String| secrets.iter().fold(without_password(&text), |text, secret| text.replace(secret.as_str(), "•••"));
    look_at_all(matches, asked, &mut |Finding { about, is, status, mend }| {
        tell(Finding { about, is: hide(is), status, mend: mend.map(&hide) })
    });
}

/// The keys of model servers, wherever they stand.
fn secrets(matches: &ArgMatches) -> Vec<String> {
    let variables = [KEY, WEBHOOK_SECRET].iter().chain(KEYS).filter_map(|name| std::env::var(name).ok());
    let files = Written::read(matches).ok().map(|Written { arguments, .. }| [arguments.llm_key_file, arguments.webhook_secret_file]);
    let held = files.into_iter().flatten().flatten().filter_map(|path| text_file::read(&path, SECRET_BYTES_MAX).ok());
    variables.chain(held).map(|secret| secret.trim().to_owned()).filter(|secret| secret.len() >= 4).collect()
}

const SECRET_BYTES_MAX: u64 = 16 << 10;

fn look_at_all(matches: &ArgMatches, asked: &Asked<'_>, tell: &mut dyn FnMut(Finding)) {
    let written = match Written::read(matches) {
        Ok(written) => {
            tell(found_files(&written));
            Some(written)
        }
        Err(error) => {
            tell(Finding::bad("settings", error.to_string(), "mend these lines; `framewright config check` looks again"));
            None
        }
    };
    let databases = written.as_ref().map(|written| &*written.arguments.database).unwrap_or_default();
    let unknown = settings::unknown_variables(settings::set_variables(), databases);
    unknown.into_iter().for_each(|said| tell(Finding::bad("environment", said, "rename it, or take it away")));
    tell(machine::event_loop());
    let connections = written.as_ref().map(|written| (written.arguments.connections, written.arguments.shards));
    tell(machine::descriptors(connections));
    tell(machine::clock());
    let Some(written) = written else { return };
    let (listen, data) =
        (written.arguments.listen.clone(), (written.arguments.durability != "none").then(|| written.arguments.data.clone()));
    tell(place::hosts(&listen, &written.arguments.host));
    if written.arguments.allow_origin.iter().any(|origin| origin == "*") {
        tell(Finding::bad("origins", "every web page may use the server (`*`)", "list the origins with --allow-origin instead"));
    }
    let (graph, graphs) = (written.arguments.graph.clone(), written.arguments.graphs.clone());
    let server = place::address(&listen, asked.own, tell);
    let folder = place::data(data.as_deref(), server);
    let is_to_open = data.is_some() && folder.status != Status::Fail;
    tell(folder);
    if is_to_open {
        tell(journal::look(&Place::named(&written.arguments)));
    }
    machine::disk(data.as_deref().into_iter().chain(written.arguments.audit.as_deref())).into_iter().for_each(&mut *tell);
    if let Some(address) = written.arguments.metrics_listen {
        tell(place::metrics(address, server));
    }
    let needs = unit::Needs {
        descriptors: machine::connections_of(written.arguments.connections, written.arguments.shards),
        listen: written.values.iter().find(|value| value.setting.id == "listen"),
    };
    let mut places = unit::look(asked.unit, &needs, tell);
    if !places.contains(&listen) {
        places.push(listen);
    }
    let library = library::load(graphs.as_deref());
    tell(graphs_of(&graph, &library));
    let suites = written.arguments.tests.then(|| written.arguments.suites.clone());
    if let Some(folder) = suites {
        tell(place::suites(&folder));
    }
    match Config::new(written.arguments, |name| std::env::var(name).ok(), probe::local_model) {
        Ok(config) => {
            let graph = library.as_ref().ok().and_then(|library| library.graph(&graph));
            let missing = graph.map(|graph| library::missing_databases(graph, &config.databases)).unwrap_or_default();
            missing.into_iter().for_each(|(what, mend)| tell(Finding::bad("database", what, mend)));
            access::look(&config, tell);
            if let Listen::Unix(path) = &config.listen {
                tell(place::socket_mode(path, config.socket_mode, config.sign_in.is_on()));
            }
            let front = site::Front { places: &places, hosts: &config.hosts, trusted: &config.trusted_proxies };
            site::look(asked.nginx, &front, tell);
            if let Some(settings) = &config.otlp {
                tell(collector::look(settings));
            }
            if let Some(settings) = &config.webhooks {
                webhooks::look(settings, config.keeping.is_some(), tell);
            }
            Databases::new(config.databases).look(|name, found| tell(database(name, found)));
            model::look(&config.upstream, tell);
        }
        Err(error) => tell(Finding::bad("settings", error.to_string(), "`framewright config print --origin` says where each comes from")),
    }
}

fn found_files(written: &Written) -> Finding {
    let files: Vec<String> = written.files.iter().map(|file| file.path.display().to_string()).collect();
    match files.is_empty() {
        true => Finding::good("settings", format!("there is neither {FILE} nor {MACHINE_FILE}: flags, environment and defaults alone")),
        false => Finding::good("settings", files.join(" over ")),
    }
}

fn graphs_of(name: &str, library: &Result<Library, Failure>) -> Finding {
    match library {
        Ok(library) if library.graph(name).is_none() => Finding::bad(
            "graphs",
            format!("there is no graph `{name}`"),
            format!("choose one of {} with --graph", library.names().join(", ")),
        ),
        Ok(library) => Finding::good("graphs", format!("{name}, of {}", library.names().join(", "))),
        Err(failure) => Finding::bad("graphs", &*failure.says, "`framewright graph check` looks again"),
    }
}

fn database(name: &str, found: Result<String, Trouble>) -> Finding {
    match found {
        Ok(found) => Finding::good("database", format!("{name}: {found}")),
        Err(trouble) => Finding::bad("database", format!("{name} {trouble}"), trouble.fix()),
    }
}

fn line(finding: &Finding, is_coloured: bool) -> String {
    let (sign, colour) = match finding.status {
        Status::Ok => ("✓", "32"),
        Status::Warn => ("!", "33"),
        Status::Fail => ("✗", "31"),
    };
    let sign = if is_coloured { format!("\x1b[{colour}m{sign}\x1b[0m") } else { sign.to_owned() };
    let mend = finding.mend.as_ref().map(|mend| format!("\n{:16}→ {mend}", "")).unwrap_or_default();
    format!("{sign} {:13} {}{mend}\n", finding.about, finding.is.replace('\n', &format!("\n{:16}", "")))
}
