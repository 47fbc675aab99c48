//! `framewright config`: what the settings are and where each comes from, whether they are right, and a file to begin with.

use super::{Failure, library};
use crate::config::layers::{FILE, Value, Written};
use crate::config::setting::{self, Change, SETTINGS, Setting};
use crate::config::{Arguments, Config, KEY, KEYS, WEBHOOK_SECRET, variable_of_database, without_password};
use crate::work::probe;
use clap::{ArgMatches, CommandFactory};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Print all settings as a settings file
    Print {
        /// Show where each value comes from
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        _settings: Box<Arguments>,
    },
    /// Check settings files, environment and graphs
    Check {
        #[command(flatten)]
        _settings: Box<Arguments>,
    },
    /// Print an nginx site for this server
    Nginx {
        #[command(flatten)]
        options: super::nginx::Options,
        #[command(flatten)]
        _settings: Box<Arguments>,
    },
    /// Write a settings file with every setting as a comment
    Init {
        /// File to write; an existing file is not overwritten
        #[arg(default_value = FILE)]
        file: PathBuf,
    },
}

pub(super) fn run(command: Command, matches: &ArgMatches) -> Result<(), Failure> {
    match command {
        Command::Print { origin, .. } => {
            let written = Written::read(matches).map_err(Failure::config)?;
            print!("{}", printed(&written, origin, |name| set_variables().any(|set| set == name)));
            Ok(())
        }
        Command::Check { .. } => check(matches),
        Command::Nginx { options, .. } => {
            let arguments = Written::read(matches).map_err(Failure::config)?.arguments;
            print!("{}", super::nginx::configuration(&options, &arguments.listen, arguments.development)?);
            Ok(())
        }
        Command::Init { file } => init(&file),
    }
}

fn check(matches: &ArgMatches) -> Result<(), Failure> {
    let written = Written::read(matches).map_err(Failure::config)?;
    let unknown = unknown_variables(set_variables(), &written.arguments.database);
    if !unknown.is_empty() {
        return Err(Failure::config(unknown.join("\n")));
    }
    let files: Vec<String> = written.files.iter().map(|file| file.path.display().to_string()).collect();
    let config = Config::new(written.arguments, |name| std::env::var(name).ok(), probe::local_model).map_err(Failure::config)?;
    let library = library::load(config.graphs.as_deref())?;
    if library.graph(&config.graph).is_none() {
        return Err(Failure::config(crate::shell::ServeError::UnknownGraph { name: config.graph, known: library.names() }));
    }
    let files = if files.is_empty() { "no file".to_owned() } else { files.join(", ") };
    println!("ok  {files}  graph: {}  model: {}", config.graph, config.upstream);
    Ok(())
}

/// The names of the variables that are set to something.
pub(super) fn set_variables() -> impl Iterator<Item = String> {
    let set = std::env::vars_os().filter(|(_, value)| !value.to_string_lossy().trim().is_empty());
    set.filter_map(|(name, _)| name.into_string().ok())
}

/// A sentence for each variable that is called like a setting and is none, where these are the databases.
pub(super) fn unknown_variables(names: impl Iterator<Item = String>, databases: &[String]) -> Vec<String> {
    let names_of_databases = databases.iter().filter_map(|said| said.split_once('=')).map(|(name, _)| name);
    let mut known: BTreeSet<String> = names_of_databases.map(variable_of_database).collect();
    known.extend([KEY, WEBHOOK_SECRET].map(str::to_owned));
    variables(&super::CommandLine::command(), &mut known);
    let ours = |name: &str| name.strip_prefix("FRAMEWRIGHT_").map(str::to_owned);
    let unknown = names.filter(|name| !known.contains(name)).filter_map(|name| ours(&name));
    let sentence = |name: String| match setting::nearest(&name, known.iter().filter_map(|name| ours(name))) {
        Some(meant) => format!("no setting is called FRAMEWRIGHT_{name}: did you mean FRAMEWRIGHT_{meant}?"),
        None => format!("no setting is called FRAMEWRIGHT_{name}: `framewright --help` names all there are"),
    };
    unknown.map(sentence).collect()
}

fn variables(command: &clap::Command, into: &mut BTreeSet<String>) {
    into.extend(command.get_arguments().filter_map(|arg| arg.get_env()).map(|name| name.to_string_lossy().into_owned()));
    command.get_subcommands().for_each(|command| variables(command, into));
}

/// The settings as a file would hold them; what has no value is a comment. Secrets are not shown.
fn printed(written: &Written, origin: bool, is_set: impl Fn(&str) -> bool) -> String {
    let mut rows: Vec<(Option<&str>, String, String)> = Vec::new();
    for Value { setting, value, origin } in &written.values {
        let told = match value {
            Some(value) => format!("{} = {}", setting.key(), setting.written(&without_password(value))),
            None => format!("# {} =", setting.key()),
        };
        rows.push((setting.section, told, origin.to_string()));
        if setting.name() == "llm.key_file" {
            let held = std::iter::once(&KEY).chain(KEYS).filter(|name| is_set(name));
            rows.extend(held.map(|name| (setting.section, "# key = •••".to_owned(), (*name).to_owned())));
        }
    }
    let width = rows.iter().map(|(_, told, _)| told.chars().count()).filter(|width| *width < 60).max().unwrap_or(0);
    let (mut text, mut section) = (String::new(), None);
    for (own, told, from) in rows {
        if own != section {
            text.push_str(&format!("\n[{}]\n", own.unwrap_or_default()));
            section = own;
        }
        text.push_str(&if origin { format!("{told:width$}  # {from}\n") } else { format!("{told}\n") });
    }
    text
}

fn init(path: &PathBuf) -> Result<(), Failure> {
    let refused = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::config(format!("{} exists already: it is left as it is", path.display())),
        _ => Failure::unavailable(format!("{} can't be written ({error}): name another file", path.display())),
    };
    let mut file = File::create_new(path).map_err(refused)?;
    file.write_all(template().as_bytes()).map_err(refused)?;
    println!("{} holds every setting with its default, as comments", path.display());
    Ok(())
}

/// A file of comments: what each setting is, and its default.
fn template() -> String {
    let mut text = "# Settings of framewright, each with its default behind the `#`.\n\
                    # Precedence: flags, environment, this file, /etc/framewright/framewright.toml, defaults.\n"
        .to_owned();
    let mut section = None;
    for setting in SETTINGS {
        if setting.section != section {
            text.push_str(&format!("\n[{}]\n", setting.section.unwrap_or_default()));
            section = setting.section;
        }
        let default = setting.default.map(|value| format!(" {}", setting.written(value))).unwrap_or_default();
        let Setting { help, .. } = setting;
        let change = if setting.change == Change::Live { "" } else { "; a change needs a restart" };
        text.push_str(&format!("\n# {help}\n# {}, --{}{change}\n# {} ={default}\n", setting.variable(), setting.flag(), setting.key()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::File;
    use std::path::Path;

    #[test]
    fn the_file_to_begin_with_says_nothing_and_names_everything() {
        let text = template();
        assert!(File::parse(Path::new(FILE), &text).is_ok_and(|file| file.entries.is_empty()), "{text}");
        let open = text
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')));
        let said: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).chain(open).collect();
        for setting in SETTINGS.iter().filter(|setting| setting.default.is_some()) {
            assert!(said.iter().any(|line| line.starts_with(&format!("{} = ", setting.key()))), "{}", setting.name());
        }
    }

    #[test]
    fn a_variable_that_no_setting_has_is_told() {
        let names = [
            "FRAMEWRIGHT_LISTEN",
            "FRAMEWRIGHT_LISSTEN",
            "PATH",
            "FRAMEWRIGHT_LLM_KEY",
            "FRAMEWRIGHT_ZEBRA",
            "FRAMEWRIGHT_DATABASE_SHOP",
            "FRAMEWRIGHT_DATABASE_SHPO",
        ];
        let said = unknown_variables(names.into_iter().map(str::to_owned), &["a=sample".to_owned(), "shop=".to_owned()]);
        assert_eq!(
            said,
            [
                "no setting is called FRAMEWRIGHT_LISSTEN: did you mean FRAMEWRIGHT_LISTEN?",
                "no setting is called FRAMEWRIGHT_ZEBRA: `framewright --help` names all there are",
                "no setting is called FRAMEWRIGHT_DATABASE_SHPO: did you mean FRAMEWRIGHT_DATABASE_SHOP?",
            ]
        );
    }
}
