//! `framewright sessions`: lists, shows, exports, imports, forks and deletes the conversations of a journal, and shrinks its file.

mod compact;
mod delete;
mod export;
mod fork;
mod import;
mod list;
mod show;

use super::{Failure, audited, exported, journal, readable, replay, tell};
use clap::ArgMatches;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List sessions, most recently used first
    List(list::Options),
    /// Show the turns of a session: question, answer, path, time and tokens
    Show(show::Options),
    /// Export sessions as JSON Lines on standard output
    Export(export::Options),
    /// Import exported sessions while no server uses the journal; existing sessions are skipped
    Import(import::Options),
    /// Copy a session up to a turn into a new one, with another message, memory or prompt, while no server uses the journal
    Fork(fork::Options),
    /// Delete sessions with all their data, while no server uses the journal
    Delete(delete::Options),
    /// Shrink the journal's file to what it holds, while no server uses it; takes as much free disk space as the journal
    Compact(compact::Options),
}

pub(super) fn run(command: &Command, matches: &ArgMatches) -> Result<(), Failure> {
    let place = journal::Place::of(matches)?;
    match command {
        Command::List(options) => list::run(options, &place),
        Command::Show(options) => show::run(options, &place),
        Command::Export(options) => export::run(options, &place),
        Command::Import(options) => import::run(options, &place),
        Command::Fork(options) => fork::run(options, &place),
        Command::Delete(options) => delete::run(options, &place),
        Command::Compact(_) => compact::run(&place),
    }
}
