//! The command line: one file per command.
//!
//! Exit codes: 0 done, 1 a turn, a test or a check of `doctor` failed, a reload was refused, or a replay differs, 2 the command line, a
//! test suite or an export is wrong, 3 the configuration or a graph is wrong, 4 something that is needed is not available (an address,
//! a folder, a server, a session), 130 a test run was stopped.
#![allow(clippy::print_stdout, reason = "this is where we speak to people")]

mod audited;
mod backup;
mod chat;
mod colour;
mod config;
mod doctor;
mod exported;
mod graph;
mod health;
mod journal;
mod key;
mod library;
mod nginx;
mod prompt;
mod readable;
mod reload;
mod replay;
mod sample_data;
mod serve;
mod sessions;
mod sim;
mod sql_check;
mod suites;
mod test;
mod version;

use crate::config::{Arguments, setting};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// A chat endpoint that answers in frames you can count, trace and replay
#[derive(Parser)]
#[command(version, after_help = AFTER)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    arguments: Box<Arguments>,
}

const AFTER: &str = "\
Precedence: flags, environment, ./framewright.toml, /etc/framewright/framewright.toml, defaults.
`framewright config print --origin` shows each value and its source; --help has every setting.

Keys: FRAMEWRIGHT_LLM_KEY, OPENAI_API_KEY, OPENROUTER_API_KEY, ANTHROPIC_API_KEY. Without a key the
server looks for a model server on this machine, and falls back to the built-in demo model.";

#[derive(Subcommand)]
enum Command {
    /// Start the server (default)
    Serve(Box<Arguments>),
    /// Chat with a running server in the terminal; from a pipe, each line is a message
    Chat(chat::Options),
    /// Run test suites, against a running server or one of its own
    Test(test::Options),
    /// Show, check and write settings
    #[command(subcommand)]
    Config(config::Command),
    /// Check the setup and suggest fixes
    Doctor(doctor::Options),
    /// Reload graphs, keys and settings of the server on this machine
    Reload(Box<Arguments>),
    /// Check that a server is up: exit code 0 if it is, 1 if it shuts down, 4 if nothing answers
    Health(health::Options),
    /// List, show, export, import, fork, delete and compact conversations
    #[command(subcommand)]
    Sessions(sessions::Command),
    /// Back up the journal, also while a server runs
    Backup(backup::Options),
    /// Replay recorded sessions and compare what clients saw, byte for byte
    Replay(replay::Options),
    /// Run the server in simulated worlds with faults
    Sim(sim::Options),
    /// Check, draw and list graphs
    #[command(subcommand)]
    Graph(graph::Command),
    /// Create, list and revoke API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Check SQL statements (JSON strings, one per line on stdin) against the SQL gate
    SqlCheck(sql_check::Arguments),
    /// Print the sample database as SQL
    SampleData(sample_data::Arguments),
    /// Print shell completions
    Completions {
        /// bash, zsh, fish, elvish or powershell
        #[arg(value_enum, hide_possible_values = true)]
        shell: clap_complete::Shell,
    },
    /// Print the version
    Version {
        /// As a JSON object
        #[arg(long)]
        json: bool,
    },
}

/// How a command failed: the exit code, and a sentence that says what to do.
struct Failure {
    code: u8,
    says: String,
}

impl Failure {
    fn config(says: impl Display) -> Self {
        Failure { code: 3, says: says.to_string() }
    }

    fn usage(says: impl Display) -> Self {
        Failure { code: 2, says: says.to_string() }
    }

    fn unavailable(says: impl Display) -> Self {
        Failure { code: 4, says: says.to_string() }
    }
}

/// Runs what the command line says.
pub fn run() -> ExitCode {
    let matches = setting::without_blank_variables(CommandLine::command()).get_matches_from(in_order(std::env::args_os().collect()));
    let line = CommandLine::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let own = innermost(&matches);
    let outcome = match line.command.unwrap_or(Command::Serve(line.arguments)) {
        Command::Serve(_) => serve::run(own),
        Command::Chat(options) => chat::run(&options),
        Command::Test(options) => test::run(&options, own),
        Command::Config(command) => config::run(command, own),
        Command::Doctor(options) => doctor::run(&options, own),
        Command::Reload(_) => reload::run(own),
        Command::Health(options) => health::run(&options, own),
        Command::Sessions(command) => sessions::run(&command, own),
        Command::Backup(options) => backup::run(&options, own),
        Command::Replay(options) => replay::run(&options, own),
        Command::Sim(options) => sim::run(&options),
        Command::Graph(command) => graph::run(command, own),
        Command::Key(command) => key::run(&command, own),
        Command::SqlCheck(arguments) => sql_check::run(arguments),
        Command::SampleData(arguments) => sample_data::run(arguments),
        Command::Completions { shell } => {
            version::complete(shell);
            Ok(())
        }
        Command::Version { json } => {
            version::print(json);
            Ok(())
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, says }) => {
            if !says.is_empty() {
                tell(says);
            }
            ExitCode::from(code)
        }
    }
}

/// Writes a line to standard error. Ignores failures: a closed terminal or a full disk must not end the program.
fn tell(text: impl Display) {
    // As one write, so that nothing comes between.
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// The same line with the settings that stand before a command's name behind it: `--config FILE config check` is
/// `config check --config FILE`. A command that does not take them refuses them there.
fn in_order(line: Vec<OsString>) -> Vec<OsString> {
    let mut command = CommandLine::command();
    let (mut names, mut settings, mut rest) = (Vec::new(), Vec::new(), line.get(1..).unwrap_or_default().to_vec());
    while command.has_subcommands() {
        // What can't be read so is told by whoever reads the line as it is.
        let Ok(matches) = setting::command().allow_external_subcommands(true).try_get_matches_from(&rest) else { return line };
        let Some((name, behind)) = matches.subcommand() else { return line };
        let Some(next) = command.find_subcommand(name).cloned() else { return line };
        let behind: Vec<OsString> = behind.get_many("").into_iter().flatten().cloned().collect();
        settings.extend_from_slice(&rest[..rest.len() - behind.len() - 1]);
        names.push(OsString::from(name));
        (command, rest) = (next, behind);
    }
    [&line[..1], &names, &settings, &rest].concat()
}

/// What was said to the command that runs.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, inner)| innermost(inner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn settings_may_stand_before_a_commands_name() {
        for (line, meant) in [
            ("", ""),
            ("--graph a --development", "--graph a --development"),
            ("config check --config f", "config check --config f"),
            ("--config f config check", "config check --config f"),
            ("config --config=f check", "config check --config=f"),
            ("--graph serve --development serve --shards 1", "serve --graph serve --development --shards 1"),
            ("--graph a config --shards 1 print --origin", "config print --graph a --shards 1 --origin"),
            ("--graph a graph show b --node c", "graph show --graph a b --node c"),
            ("--graph a chat", "chat --graph a"),
            // These are refused as they stand, or are no commands of ours.
            ("--graph a config", "--graph a config"),
            ("--graph a --nonsense config check", "--graph a --nonsense config check"),
            ("--graph a help serve", "--graph a help serve"),
            ("--graph a --help", "--graph a --help"),
        ] {
            let words = |line: &str| ["framewright"].into_iter().chain(line.split_whitespace()).map(OsString::from).collect::<Vec<_>>();
            assert_eq!(in_order(words(line)), words(meant), "{line}");
        }
    }

    #[test]
    fn the_command_line_is_sound_and_tells_every_default() {
        let mut command = CommandLine::command();
        command.clone().debug_assert();
        let help = command.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        for flag in command.get_arguments().filter(|flag| flag.get_action().takes_values()) {
            let long = flag.get_long().unwrap();
            assert!(flag.get_env().is_some(), "--{long} has an environment variable");
            let tells =
                help.split("--").find(|part| [" <", "[=<"].iter().any(|value| part.starts_with(&format!("{long}{value}")))).unwrap();
            assert!(tells.contains("[default: ") && tells.contains("[env: FRAMEWRIGHT_"), "--{long}: {tells}");
        }
    }
}
