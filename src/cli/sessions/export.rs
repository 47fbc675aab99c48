//! `framewright sessions export`: whole sessions as JSON Lines, also of a journal that a server is writing.

use super::exported::{self, Exporter};
use super::journal::{self, Place};
use super::{Failure, readable, tell};
use crate::auth::ANONYMOUS;
use crate::config::Arguments;
use crate::contract::journal::Name;
use crate::store::{Read, SessionRow};
use std::collections::BTreeSet;
use std::io::{self, Write};

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// Session to export
    #[arg(conflicts_with = "all")]
    session: Option<String>,
    /// Export all sessions, or with --user all of that user
    #[arg(long)]
    all: bool,
    /// User whose sessions to export [default: anonymous; with --all: every user]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    if options.session.is_none() && !options.all {
        return Err(Failure::usage("nothing to export: name a session, or pass --all"));
    }
    let mut reader = place.reader()?;
    let rows = match &options.session {
        Some(session) => {
            let user = options.user.as_deref().unwrap_or(ANONYMOUS).to_owned();
            let row = journal::session(&mut *reader, &Name { user, session: session.clone() })?;
            if let Some(number) = lacks_records_before(&mut *reader, &row)? {
                return Err(Failure::unavailable(format!(
                    "`{session}`: its records begin with {number}, not with 1: it can't be exported"
                )));
            }
            vec![row]
        }
        None => journal::sessions(&mut *reader, options.user.as_deref())?,
    };
    let out = io::BufWriter::new(io::stdout().lock());
    match export(&mut *reader, &rows, out) {
        Ok(()) => Ok(()),
        Err(Stopped::Written(error)) => readable::written(Err(error)),
        Err(Stopped::Read(failure)) => Err(failure),
    }
}

/// Why an export was not finished.
enum Stopped {
    Written(io::Error),
    Read(Failure),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Stopped {
        Stopped::Written(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Stopped {
        Stopped::Read(failure)
    }
}

fn export(reader: &mut dyn Read, rows: &[SessionRow], out: impl Write) -> Result<(), Stopped> {
    let (mut exporter, mut libraries) = (Exporter::begin(out)?, BTreeSet::new());
    for row in rows {
        match lacks_records_before(reader, row)? {
            None => session(reader, row, &mut exporter, &mut libraries)?,
            Some(number) => tell(format_args!("warning: `{}` is left out: its records begin with {number}, not with 1", row.session)),
        }
    }
    Ok(exporter.end()?)
}

/// The number of a session's first record, where that isn't 1.
fn lacks_records_before(reader: &mut dyn Read, row: &SessionRow) -> Result<Option<u64>, Failure> {
    let name = Name { user: row.user.clone(), session: row.session.clone() };
    let first = reader.records(&name, 1, 1).map_err(Failure::unavailable)?;
    Ok(first.first().map(|record| record.number).filter(|number| *number != 1))
}

/// Writes a session. A server may append to it meanwhile: each turn that is written has all records up to its end, and each turn that
/// ends within the records is written.
fn session(
    reader: &mut dyn Read,
    row: &SessionRow,
    exporter: &mut Exporter<impl Write>,
    libraries: &mut BTreeSet<String>,
) -> Result<(), Stopped> {
    let name = Name { user: row.user.clone(), session: row.session.clone() };
    if reader.records(&name, 1, 1).map_err(Failure::unavailable)?.is_empty() {
        // It was deleted since it was listed.
        return Ok(());
    }
    exporter.session(&name, &row.title)?;
    let mut last = records(reader, &name, 1, u64::MAX, exporter, libraries)?;
    let (mut turn, mut needed) = (0, 0);
    loop {
        let listed = journal::turns(reader, &name)?.into_iter().map(|row| row.turn.turn);
        for unwritten in listed.filter(|listed| *listed > turn).collect::<Vec<_>>() {
            turn = unwritten;
            let Some(whole) = reader.turn(&name, turn).map_err(Failure::unavailable)? else { continue };
            needed = needed.max(whole.turn.number);
            exporter.turn(whole)?;
        }
        if needed <= last {
            break;
        }
        last = records(reader, &name, last + 1, needed, exporter, libraries)?.max(needed);
    }
    Ok(exporter.end_session()?)
}

/// Writes records from one number to another, each behind the library that it names, and returns the last one's number.
fn records(
    reader: &mut dyn Read,
    name: &Name,
    from: u64,
    to: u64,
    exporter: &mut Exporter<impl Write>,
    libraries: &mut BTreeSet<String>,
) -> Result<u64, Stopped> {
    let mut last = from - 1;
    while last < to {
        let page = reader.records(name, last + 1, journal::PAGE).map_err(Failure::unavailable)?;
        if page.is_empty() {
            break;
        }
        for record in page.into_iter().take_while(|record| record.number <= to) {
            let unwritten = exported::library_named(&record.bytes).filter(|hash| !libraries.contains(hash));
            if let Some(hash) = unwritten {
                match reader.library(&hash).map_err(Failure::unavailable)? {
                    Some(files) => exporter.library(&hash, files)?,
                    None => tell(format_args!(
                        "warning: the graphs {hash} of `{}` are not in the journal; it can't be replayed or imported without them",
                        name.session
                    )),
                }
                libraries.insert(hash);
            }
            last = record.number;
            exporter.record(record)?;
        }
    }
    Ok(last)
}
