//! `framewright backup`: a copy of the journal, also while a server writes it.

use super::readable::{counted, number};
use super::{Failure, journal};
use crate::config::Arguments;
use crate::store;
use clap::ArgMatches;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Options {
    /// File to write; an existing file is not overwritten
    file: PathBuf,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

pub(super) fn run(options: &Options, matches: &ArgMatches) -> Result<(), Failure> {
    let file = &options.file;
    let mut reader = journal::Place::of(matches)?.file_reader()?;
    if file.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!("{} exists already: name another file", file.display())));
    }
    reader.backup(file).map_err(Failure::unavailable)?;
    let mut copy = store::sqlite::read_only(file).map_err(Failure::unavailable)?;
    let sessions = counted(journal::sessions(&mut copy, None)?.len() as u64, "session", "sessions");
    let bytes = file.metadata().map(|about| about.len()).unwrap_or_default();
    println!("{}: {sessions}, {} bytes", file.display(), number(bytes));
    Ok(())
}
