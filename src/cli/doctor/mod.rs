//! `framewright doctor`: what a server needs, looked at before one is started: what is, what is wrong, how to mend it.
//!
//! It starts nothing and keeps nothing. Over the network it connects to what the settings choose: the model's server and the
//! databases.

mod machine;
mod model;
mod place;

use super::colour::Colour;
use super::{Failure, config as settings, library};
use crate::auth::Rules;
use crate::config::layers::{FILE, MACHINE_FILE, Written};
use crate::config::{Arguments, Config};
use crate::contract::counted;
use crate::graph::Library;
use crate::work::database::{Databases, Trouble};
use crate::work::issuer::{self, KeyFile};
use crate::work::probe;
use clap::ArgMatches;
use std::io::IsTerminal;
use std::path::Path;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Whether to colour; NO_COLOR is heeded
    #[arg(long, value_name = "WHEN", value_enum, env = "FRAMEWRIGHT_COLOR", default_value = "auto")]
    color: Colour,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

/// What was found about one thing.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    about: &'static str,
    /// What is.
    is: String,
    /// What to do about it, where it is wrong.
    mend: Option<String>,
}

impl Finding {
    fn good(about: &'static str, is: impl Into<String>) -> Self {
        Finding { about, is: is.into(), mend: None }
    }

    fn bad(about: &'static str, is: impl Into<String>, mend: impl Into<String>) -> Self {
        Finding { about, is: is.into(), mend: Some(mend.into()) }
    }
}

pub(super) fn run(options: &Options, matches: &ArgMatches) -> Result<(), Failure> {
    let is_coloured = options.color.is_wanted(std::io::stdout().is_terminal());
    let (mut bad, mut count) = (0, 0);
    // Each is told as soon as it is known: some take a while.
    look(matches, &mut |finding| {
        count += 1;
        bad += usize::from(finding.mend.is_some());
        print!("{}", line(&finding, is_coloured));
    });
    if bad == 0 { Ok(()) } else { Err(Failure { code: 1, says: format!("{bad} of {count} checks failed") }) }
}

fn look(matches: &ArgMatches, tell: &mut dyn FnMut(Finding)) {
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
    tell(machine::descriptors());
    tell(machine::clock());
    let Some(written) = written else { return };
    let (listen, data) = (written.arguments.listen.clone(), written.arguments.data.clone());
    tell(place::hosts(&listen, &written.arguments.host));
    if written.arguments.allow_origin.iter().any(|origin| origin == "*") {
        tell(Finding::bad("origins", "every web page may use the server (`*`)", "list the origins with --allow-origin instead"));
    }
    let (graph, graphs) = (written.arguments.graph.clone(), written.arguments.graphs.clone());
    let server = place::address(&listen, tell);
    tell(place::data(data.as_deref(), server));
    let library = library::load(graphs.as_deref());
    tell(graphs_of(&graph, &library));
    match Config::new(written.arguments, |name| std::env::var(name).ok(), probe::local_model) {
        Ok(config) => {
            let graph = library.as_ref().ok().and_then(|library| library.graph(&graph));
            let missing = graph.map(|graph| library::missing_databases(graph, &config.databases)).unwrap_or_default();
            missing.into_iter().for_each(|(what, mend)| tell(Finding::bad("database", what, mend)));
            sign_in(&config.sign_in, config.api_keys.as_deref(), tell);
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

/// Whether users can sign in: the issuer's keys, and the file of API keys.
fn sign_in(rules: &Rules, api_keys: Option<&Path>, tell: &mut dyn FnMut(Finding)) {
    if let Some(issuer) = &rules.issuer {
        tell(match issuer::fetch_once(issuer) {
            Ok(keys) => Finding::good("issuer", format!("{}: {}", keys.issuer(), counted(keys.len(), "key", "keys"))),
            Err(error) => Finding::bad("issuer", error.to_string(), "check --oidc-issuer, the network and the issuer; nobody can sign in"),
        });
    }
    if let Some(path) = api_keys {
        tell(match KeyFile::read(path) {
            Ok(file) => Finding::good("API keys", format!("{}: {}", path.display(), counted(file.keys().len(), "key", "keys"))),
            Err(error) => Finding::bad("API keys", error.to_string(), "`framewright key create NAME` writes one"),
        });
    }
}

fn line(finding: &Finding, is_coloured: bool) -> String {
    let (sign, colour) = if finding.mend.is_some() { ("✗", "31") } else { ("✓", "32") };
    let sign = if is_coloured { format!("\x1b[{colour}m{sign}\x1b[0m") } else { sign.to_owned() };
    let mend = finding.mend.as_ref().map(|mend| format!("\n{:16}→ {mend}", "")).unwrap_or_default();
    format!("{sign} {:13} {}{mend}\n", finding.about, finding.is.replace('\n', &format!("\n{:16}", "")))
}
