//! `framewright replay --graph` and `--graphs`: recorded traffic on another graph or with other prompts, and what changed, turn by turn.
//!
//! Each turn is played by itself, from its session as it was before that turn, so that one change doesn't spread to later turns.

mod changes;
mod live;
mod play;
mod recorded;
mod report;
mod seen;

use super::{Options, kept_library, of_session};
use crate::cli::exported::{self, Session};
use crate::cli::journal::{self, Place};
use crate::cli::{Failure, library, readable, tell};
use crate::config::layers::{Origin, Written};
use crate::contract::Time;
use crate::contract::journal::{Name, Record};
use crate::graph::Library;
use crate::shard::restore::Libraries;
use changes::{Changes, Kind};
use clap::ArgMatches;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned, civil};
use live::{Asks, Live, Offline};
use play::Onto;
use recorded::{Recorded, Wanted};
use report::{Compared, Report};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const HELP: &str = "With --graph or --graphs it compares: recorded turns are played on another graph or with other prompts, and what changed is shown turn by turn.
--graph FILE.json has every turn run on that graph, with the folders prompts and schemas beside the file, if they are there, over the built-in
ones; --graph NAME names a graph that exists. --graphs DIR has each turn run on the graph of its own name, with DIR over the built-in files.
Each turn starts from its session as it was recorded up to there, so a changed answer changes no later turn. A call whose request is the same is
answered as it was recorded; times of day are no part of a request. For any other the model or database of the settings is called, or with
--offline it is reported as `needs a call`. The memorizer's calls behind a turn count too. Turns that were stopped, or cut off by a restart, are
not compared. Without --graph and --graphs no call is made at all.";

#[derive(clap::Args)]
pub(super) struct Comparing {
    /// Compare all sessions of the journal, or with --user all of that user; with --graph or --graphs
    #[arg(long, conflicts_with = "what")]
    all: bool,
    /// Compare only turns that began at this time or later: a date, a time such as 2026-11-30T08:00:00Z, or an age such as 24h [default: all]
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Time>,
    /// Exit with 1 and name the turns, if one changed in one of these ways
    #[arg(long, value_name = "KINDS", value_enum, value_delimiter = ',')]
    fail_on: Vec<Kind>,
    /// Print the comparison as a JSON object
    #[arg(long)]
    json: bool,
}

impl Comparing {
    /// A flag that only a comparison has, if one was given.
    pub(super) fn flag(&self) -> Option<&'static str> {
        let flags =
            [(self.all, "--all"), (self.since.is_some(), "--since"), (!self.fail_on.is_empty(), "--fail-on"), (self.json, "--json")];
        flags.into_iter().find(|(is_given, _)| *is_given).map(|(_, flag)| flag)
    }
}

/// A date in local time, a time, or how long ago.
fn since(text: &str) -> Result<Time, String> {
    let now = Zoned::now();
    let date = text.parse::<civil::Date>().ok().and_then(|date| date.to_zoned(TimeZone::system()).ok()).map(|zoned| zoned.timestamp());
    let age = || text.parse::<Span>().ok().and_then(|span| now.checked_sub(span).ok()).map(|zoned| zoned.timestamp());
    let time = date.or_else(|| text.parse::<Timestamp>().ok()).or_else(age);
    let time = time.ok_or("write a date (2026-11-30), a time (2026-11-30T08:00:00Z) or an age (24h, 7d)")?;
    Ok(Time(u64::try_from(time.as_microsecond()).unwrap_or(0)))
}

/// What the command line says that turns are to run on.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Meant {
    graph: Option<String>,
    graphs: Option<PathBuf>,
    is_offline: bool,
}

impl Meant {
    /// Only flags count: the settings of the server are those that the turns ran on.
    pub(super) fn of(matches: &ArgMatches) -> Result<Option<Meant>, Failure> {
        let written = Written::read(matches).map_err(Failure::config)?;
        let is_flag = |id: &str| {
            let mut own = written.values.iter().filter(|value| value.setting.id == id);
            own.any(|value| matches!(value.origin, Origin::Flag { .. }))
        };
        let arguments = &written.arguments;
        let graph = Some(arguments.graph.clone()).filter(|_| is_flag("graph"));
        let graphs = arguments.graphs.clone().filter(|_| is_flag("graphs"));
        let is_offline = is_flag("offline") && arguments.offline;
        Ok((graph.is_some() || graphs.is_some()).then_some(Meant { graph, graphs, is_offline }))
    }

    /// The library, and the graph of it that every turn is to run on.
    fn library(&self) -> Result<(Arc<Library>, Option<String>), Failure> {
        let Some(graph) = &self.graph else { return Ok((Arc::new(library::load(self.graphs.as_deref())?), None)) };
        if graph.ends_with(".json") {
            let library = library::of_file(Path::new(graph), self.graphs.as_deref())?;
            let name = library.names().first().cloned();
            return Ok((Arc::new(library), name));
        }
        let library = library::load(self.graphs.as_deref())?;
        if library.graph(graph).is_none() {
            let names = library.names().join(", ");
            return Err(Failure::config(format!("there is no graph `{graph}`: name a file that ends in .json, or one of {names}")));
        }
        Ok((Arc::new(library), Some(graph.clone())))
    }
}

pub(super) fn run(options: &Options, meant: &Meant, matches: &ArgMatches) -> Result<(), Failure> {
    let (library, graph) = meant.library()?;
    let asks: Box<dyn Asks + '_> = if meant.is_offline { Box::new(Offline) } else { Box::new(Live::new(matches)) };
    let wanted = Wanted { turn: options.turn, since: options.comparing.since };
    let fail_on = options.comparing.fail_on.iter().copied().collect();
    let onto = Onto { library: &library, graph: graph.as_deref() };
    let mut comparison = Comparison { onto, asks, wanted, fail_on, is_json: options.comparing.json, report: Report::default() };
    match &options.what {
        Some(file) if file.contains(['.', '/']) => comparison.file(options, Path::new(file))?,
        _ => comparison.journal(options, &Place::of(matches)?)?,
    }
    comparison.end()
}

struct Comparison<'a> {
    onto: Onto<'a>,
    asks: Box<dyn Asks + 'a>,
    wanted: Wanted,
    fail_on: BTreeSet<Kind>,
    is_json: bool,
    report: Report,
}

impl Comparison<'_> {
    fn journal(&mut self, options: &Options, place: &Place) -> Result<(), Failure> {
        let mut reader = place.reader()?;
        let names: Vec<Name> = match &options.what {
            Some(session) => {
                let name = of_session(options, session);
                journal::session(&mut *reader, &name)?;
                vec![name]
            }
            None => {
                let since = self.wanted.since.unwrap_or_default();
                let rows = journal::sessions(&mut *reader, options.user.as_deref())?.into_iter();
                let mut names: Vec<Name> =
                    rows.filter(|row| row.used_at >= since.0).map(|row| Name { user: row.user, session: row.session }).collect();
                names.sort_unstable();
                names
            }
        };
        let is_one = options.what.is_some();
        let reader = RefCell::new(reader);
        for name in names {
            let read = |from, limit| reader.borrow_mut().records(&name, from, limit).map_err(Failure::unavailable);
            let mut known = BTreeMap::new();
            let mut libraries = |hash: &str| kept_library(&mut known, hash, || reader.borrow_mut().library(hash).ok().flatten());
            self.session(&name, journal::records(read, 1), &mut libraries, is_one)?;
        }
        Ok(())
    }

    fn file(&mut self, options: &Options, file: &Path) -> Result<(), Failure> {
        let mut count = 0;
        exported::read(file, |session, libraries| {
            let Session { name, records, .. } = session;
            if options.user.as_ref().is_some_and(|user| *user != name.user) {
                return Ok(());
            }
            count += 1;
            let mut known = BTreeMap::new();
            let mut libraries = |hash: &str| kept_library(&mut known, hash, || libraries.get(hash).cloned());
            self.session(&name, records.into_iter().map(Ok), &mut libraries, true)
        })?;
        match count {
            0 => Err(Failure::unavailable(format!("{}: there is no such session in it", file.display()))),
            _ => Ok(()),
        }
    }

    /// Compares the turns of a session. Of several in a journal, one that can't be played again is named and left out.
    fn session<'a>(
        &mut self,
        name: &Name,
        records: impl Iterator<Item = Result<Record, Failure>>,
        libraries: &'a mut Libraries<'a>,
        is_needed: bool,
    ) -> Result<(), Failure> {
        // What the program itself lacks is no matter of one session.
        let mut has_failed = false;
        let played =
            recorded::each_turn(records, libraries, self.wanted, &mut |turn| self.turn(name, turn).inspect_err(|_| has_failed = true));
        let Name { user, session } = name;
        match played {
            Ok(true) => Ok(()),
            Ok(false) => {
                tell(format_args!(
                    "warning: {user}/{session}: its records lead to other events now than when they were recorded; see `framewright replay {session}`"
                ));
                Ok(())
            }
            Err(failure) if is_needed || has_failed => Err(Failure { says: format!("{user}/{session}: {}", failure.says), ..failure }),
            Err(failure) => {
                tell(format_args!("warning: {user}/{session} is left out: {}", failure.says));
                Ok(())
            }
        }
    }

    fn turn(&mut self, name: &Name, mut recorded: Recorded) -> Result<(), Failure> {
        let mut compared = Compared::new(name, recorded.turn, &recorded.message);
        compared.skipped = recorded.skipped;
        if compared.skipped.is_none() {
            let was = std::mem::take(&mut recorded.seen);
            match play::play(recorded, &self.onto, &mut *self.asks)? {
                Some(played) => compared.changes = Some(Changes::of(was, played)),
                None => compared.skipped = Some("the graph that it ran on is not among these"),
            }
        }
        let says = self.report.add(compared, &self.fail_on, self.is_json);
        if self.is_json { Ok(()) } else { readable::written(io::stdout().write_all(says.as_bytes())) }
    }

    fn end(self) -> Result<(), Failure> {
        if self.report.compared() == 0 {
            return Err(Failure::unavailable("there are no such turns: nothing was compared"));
        }
        let text = if self.is_json {
            let json = serde_json::to_string_pretty(&self.report).map_err(Failure::unavailable)?;
            format!("{json}\n")
        } else {
            self.report.table()
        };
        readable::written(io::stdout().write_all(text.as_bytes()))?;
        match self.report.failed() {
            [] => Ok(()),
            failed => Err(Failure { code: 1, says: format!("changed in a way that --fail-on names: {}", failed.join(", ")) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_wanted_since_a_date_a_time_or_for_how_long() {
        assert_eq!(since("2026-11-30T08:00:00Z").unwrap(), Time(1_796_025_600_000_000));
        assert!(since("2026-11-30").is_ok());
        let (day, hour) = (since("1d").unwrap(), since("1h").unwrap());
        assert!(day < hour, "{day:?} {hour:?}");
        for text in ["", "soon", "-", "2026-13-01"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
