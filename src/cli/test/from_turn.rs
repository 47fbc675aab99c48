//! `framewright test --from-turn`: a turn that a server or a journal has kept, written down as a suite with its cassette.
//!
//! What is written down is played once: where it does not go as it went, nothing is left behind, and why is said.

use super::{Failure, Options, Screen, ask};
use crate::auth::ANONYMOUS;
use crate::cli::journal::{self, Place};
use crate::cli::replay::verify;
use crate::client::Address;
use crate::config::Arguments;
use crate::contract::TurnId;
use crate::contract::journal::Name;
use crate::runner::{self, Plan, Source, Status};
use crate::shard::material::{self, Material};
use crate::work::tape::{Seen, Taken, Tape};
use clap::ArgMatches;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long what goes on behind the turn may take to end.
const REST_TIME: Duration = Duration::from_secs(30);

pub(super) fn run(options: &Options, id: &str, arguments: Arguments, matches: &ArgMatches, screen: &Screen) -> Result<(), Failure> {
    if !options.files.is_empty() || options.record.is_some() || options.replay.is_some() {
        return Err(Failure::usage("--from-turn plays no suites: leave out their names, --record and --replay"));
    }
    let turn = id.parse::<TurnId>().ok().filter(|_| id.starts_with("msg_"));
    let turn = turn.ok_or_else(|| Failure::usage(format!("`{id}` is no turn: they are called msg_1, msg_2 and so on, see /api/frames")))?;
    let name = format!("turn-{id}");
    let files = [options.into.join(format!("{name}.md")), options.into.join(format!("{name}.jsonl"))];
    if let Some(file) = files.iter().find(|file| file.exists()) {
        return Err(Failure::usage(format!("{} is there already: name another folder with --into", file.display())));
    }
    let seen = match options.url.as_deref() {
        Some(url) => {
            let address = Address::new(url, &options.session, options.token.as_deref(), options.ca.as_deref()).map_err(Failure::config)?;
            of_server(&address, id).map_err(Failure::unavailable)?
        }
        None => of_journal(options, turn, &Place::of(matches)?)?,
    };
    let taken = Taken::of(&seen).map_err(Failure::unavailable)?;
    let written = [(&files[0], &taken.suite), (&files[1], &taken.cassette)].into_iter().try_for_each(|(file, text)| {
        let unwritten = |error| Failure::unavailable(format!("{} can't be written: {error}", file.display()));
        std::fs::create_dir_all(&options.into).and_then(|()| std::fs::write(file, text)).map_err(unwritten)
    });
    let played = written.and_then(|()| played(&files[0], &options.into, arguments));
    if played.is_err() {
        files.iter().for_each(|file| drop(std::fs::remove_file(file)));
    }
    played?;
    let (folder, suite) = (options.into.display(), files[0].display());
    screen.note(&format!("{suite} and its cassette are written; play it with `framewright test --replay {folder} {suite}`"));
    Ok(())
}

/// Plays what was written down, as anyone would.
fn played(suite: &Path, folder: &Path, arguments: Arguments) -> Result<(), Failure> {
    let source =
        Source::read(suite).map_err(|error| Failure::unavailable(format!("the turn can't be written down as a suite: {error}")))?;
    let suites = [(source.name_in_session(), source.file.clone())].into();
    let tape = Arc::new(Tape::replay(folder, suites).map_err(Failure::unavailable)?);
    let (target, _) = super::started(arguments, Some(tape.clone()))?;
    let plan = Plan { is_own_server: true, tape: Some(tape), ..Plan::new(target.address.clone(), vec![source]) };
    let report = runner::run(&plan, &|_| {});
    target.end();
    match report.outcomes().find(|outcome| outcome.status == Status::Fail) {
        None => Ok(()),
        Some(outcome) => Err(Failure::unavailable(format!(
            "this turn can't be played by itself: `{}` went otherwise ({}). What came before it and is no part of it may be why",
            outcome.check, outcome.detail
        ))),
    }
}

/// What a journal has of a turn: the session is played again up to its end.
fn of_journal(options: &Options, turn: TurnId, place: &Place) -> Result<Seen, Failure> {
    let user = options.user.as_deref().unwrap_or(ANONYMOUS).to_owned();
    let name = Name { user, session: options.session.clone() };
    let mut reader = place.reader()?;
    journal::session(&mut *reader, &name)?;
    let reader = RefCell::new(reader);
    let read = |from, limit| reader.borrow_mut().records(&name, from, limit).map_err(Failure::unavailable);
    let mut known = BTreeMap::new();
    let mut libraries = |hash: &str| verify::library(&mut known, hash, || reader.borrow_mut().library(hash).ok().flatten());
    let found = verify::quietly(|| material::of_turn(journal::records(read, 1), &mut libraries, turn))?;
    let Material { turns, history, events, known } = found.map_err(Failure::unavailable)?;
    Ok(Seen { session: name.session, turns, history, events, known })
}

/// What a server shows of a turn.
fn of_server(address: &Address, id: &str) -> Result<Seen, String> {
    at_rest(address)?;
    let turn = ask(address, &format!("/api/turn?id={id}"))?;
    let history = ask(address, "/api/history?last=1000000")?["messages"].take();
    let mut turns = if turn["action"].is_null() { Vec::new() } else { before(address, &turn)? };
    turns.push(turn);
    let known = ask(address, "/api/state")?["schema_cache"].take();
    let lines = ask(address, "/api/trace?last=500")?["lines"].take();
    let own = list(&lines).iter().filter(|line| line["turn"] == *id).filter_map(|line| line["event"].as_str());
    Ok(Seen { session: address.session().to_owned(), turns, history, events: own.map(str::to_owned).collect(), known })
}

/// Waits until nothing goes on behind the last turn: it may be the one that is asked for.
fn at_rest(address: &Address) -> Result<(), String> {
    let begun = Instant::now();
    while ask(address, "/api/state")?["memorizing"] == true {
        if begun.elapsed() > REST_TIME {
            return Err("the memorizer of this session does not end: try again in a moment".to_owned());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The turns that made the controls of this one, as far as they are kept: those before it on its graph that ended well.
fn before(address: &Address, turn: &Value) -> Result<Vec<Value>, String> {
    let traces = ask(address, "/api/frames?last=1000000")?["traces"].take();
    let traces = list(&traces).iter().rev().skip_while(|trace| trace["id"] != turn["id"]).skip(1);
    let same_graph = traces.take_while(|trace| trace["graph"] == turn["trace"]["graph"]);
    let ended_well = same_graph.filter(|trace| trace["status"] == "done").filter_map(|trace| trace["id"].as_str());
    let mut turns = ended_well.map(|id| ask(address, &format!("/api/turn?id={id}"))).collect::<Result<Vec<_>, _>>()?;
    turns.reverse();
    Ok(turns)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
