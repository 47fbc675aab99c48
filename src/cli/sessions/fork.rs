//! `framewright sessions fork`: a new session that is another one up to a turn, and goes on otherwise.

use super::import::check_name;
use super::journal::{self, Place};
use super::readable::counted;
use super::replay::{turn, verify};
use super::{Failure, tell};
use crate::auth::ANONYMOUS;
use crate::config::Arguments;
use crate::contract::journal::{Item, Name};
use crate::contract::{Memory, Time, TurnId};
use crate::shard::fork::{self, Begins, Fork, Made};
use crate::store::Store;
use crate::text_file;
use jiff::Timestamp;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const HELP: &str = "The new session has everything up to before the turn, and goes on like any other. Without --message, --again or --frame it waits there for
a message. With one of them the turn runs when a server loads the session, that is when somebody opens or uses it. --frame goes on within the
turn: the frames before it have their recorded answers, the calls of this one and of those behind it are made anew. A prompt that was changed
counts for that turn; then the session goes over to the server's own graphs. Ratings are not copied. `framewright replay` proves the fork.";

#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(in crate::cli) struct Options {
    /// Session to fork
    session: String,
    /// User whose session it is [default: anonymous]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Turn before which to fork
    #[arg(long, value_name = "N", value_parser = turn)]
    turn: TurnId,
    /// Name for the new session
    #[arg(long, value_name = "NAME")]
    to: String,
    /// Fork within the turn, where this frame begins [default: before the turn]
    #[arg(long, value_name = "F", value_parser = clap::value_parser!(u32).range(1..), conflicts_with_all = ["message", "again"])]
    frame: Option<u32>,
    /// Message that the turn begins with instead of its own
    #[arg(long, value_name = "TEXT", conflicts_with = "again")]
    message: Option<String>,
    /// Begin the turn again as it was begun
    #[arg(long)]
    again: bool,
    /// Memory that the session goes on with, as JSON like `memorizer` in /api/state [default: what it had there]
    #[arg(long, value_name = "FILE.json")]
    memory: Option<PathBuf>,
    /// Prompt that a node has in the turn: needs --message, --again or --frame
    #[arg(long, value_name = "NODE=FILE", value_parser = prompt)]
    prompt: Vec<(String, PathBuf)>,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

const BESIDE: &str = "while a server runs on the journal, fork with its `POST /api/sessions/fork`, for another message or memory";

/// A prompt or a memory is never longer.
const FILE_BYTES_MAX: u64 = 1 << 20;

fn prompt(text: &str) -> Result<(String, PathBuf), String> {
    let (node, file) = text.split_once('=').filter(|(node, file)| !node.is_empty() && !file.is_empty()).ok_or("write NODE=FILE")?;
    Ok((node.to_owned(), file.into()))
}

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let fork = wanted(options)?;
    let mut store = place.writer(BESIDE)?;
    check_free(&mut *store, &fork.to)?;
    let reader = RefCell::new(store.reader().map_err(Failure::unavailable)?);
    journal::session(&mut **reader.borrow_mut(), &fork.of)?;
    let read = |from, limit| reader.borrow_mut().records(&fork.of, from, limit).map_err(Failure::unavailable);
    let mut known = BTreeMap::new();
    let mut libraries = |hash: &str| verify::library(&mut known, hash, || reader.borrow_mut().library(hash).ok().flatten());
    let at = Time(u64::try_from(Timestamp::now().as_microsecond()).unwrap_or(0));
    let made = verify::quietly(|| fork::fork(journal::records(read, 1), &mut libraries, &fork, at))?;
    let made = made.map_err(|why| Failure::unavailable(format!("`{}` can't be forked there: {why}", fork.of.session)))?;
    let turns = keep(&mut *store, &fork.to, made)?;
    println!("forked `{}` before {} to `{}`, with {}", fork.of.session, place_of(&fork), fork.to.session, counted(turns, "turn", "turns"));
    if fork.begins != Begins::Nothing || fork.frame.is_some() {
        tell("the turn runs when a server loads the session");
    }
    Ok(())
}

fn place_of(fork: &Fork) -> String {
    fork.frame.map_or(fork.turn.to_string(), |frame| format!("frame {frame} of {}", fork.turn))
}

fn wanted(options: &Options) -> Result<Fork, Failure> {
    check_name(&options.to)?;
    let user = options.user.as_deref().unwrap_or(ANONYMOUS);
    let name = |session: &str| Name { user: user.to_owned(), session: session.to_owned() };
    let begins = match (&options.message, options.again) {
        (Some(message), _) if message.trim().is_empty() => return Err(Failure::usage("--message is empty: write some text")),
        (Some(message), _) => Begins::Message(message.clone()),
        (None, true) => Begins::Again,
        (None, false) => Begins::Nothing,
    };
    if !options.prompt.is_empty() && begins == Begins::Nothing && options.frame.is_none() {
        return Err(Failure::usage("--prompt counts for a turn that the fork runs: add --again, --message or --frame"));
    }
    let read = |file: &Path| text_file::read(file, FILE_BYTES_MAX).map_err(|error| Failure::usage(format!("{}: {error}", file.display())));
    let memory = options.memory.as_deref().map(|file| {
        let wrong = |error| Failure::usage(format!("{}: is no memory ({error}): write it like `memorizer` in /api/state", file.display()));
        serde_json::from_str::<Memory>(&read(file)?).map_err(wrong)
    });
    let prompts = options.prompt.iter().map(|(node, file)| Ok((node.clone(), read(file)?))).collect::<Result<_, Failure>>()?;
    Ok(Fork {
        of: name(&options.session),
        to: name(&options.to),
        turn: options.turn,
        frame: options.frame,
        memory: memory.transpose()?,
        prompts,
        begins,
    })
}

fn check_free(store: &mut dyn Store, name: &Name) -> Result<(), Failure> {
    if store.records(name, 1, 1).map_err(Failure::unavailable)?.is_empty() {
        return Ok(());
    }
    let Name { user, session } = name;
    Err(Failure::usage(format!("user `{user}` has a session `{session}` already: choose another name with --to")))
}

/// Keeps the new session whole, and returns how many turns it has.
fn keep(store: &mut dyn Store, name: &Name, made: Made) -> Result<u64, Failure> {
    let Made { mut appends, generation, library } = made;
    if let Some(library) = library {
        let files = serde_json::to_vec(library.files()).map_err(Failure::unavailable)?;
        store.keep_library(library.hash(), &files).map_err(Failure::unavailable)?;
    }
    let generation = generation.max(store.load(name).map_err(Failure::unavailable)?.generation);
    appends.iter_mut().for_each(|append| append.generation = generation);
    let mut turns: Vec<u64> =
        appends.iter().filter_map(|append| if let Item::Turn(turn) = &append.item { Some(turn.turn) } else { None }).collect();
    turns.sort_unstable();
    turns.dedup();
    store.append(&appends).map_err(Failure::unavailable)?;
    Ok(turns.len() as u64)
}
