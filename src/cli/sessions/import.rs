//! `framewright sessions import`: exported sessions into a journal, each whole or not at all.
//!
//! The file is read twice: first to check all of it, then to import it. What can't be continued by this version is refused.

use super::exported::{self, Libraries, Session};
use super::journal::{self, Place};
use super::readable::counted;
use super::replay::verify::{self, Turns};
use super::{Failure, tell};
use crate::config::Arguments;
use crate::contract::journal::{Append, Item, Name};
use crate::contract::{Input, VERSION};
use crate::shard::restore;
use crate::store::{Store, StoreError, TurnRow};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(in crate::cli) struct Options {
    /// File that `framewright sessions export` wrote
    file: PathBuf,
    /// Name for the imported session, where the file holds one [default: the one that it had]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

const BESIDE: &str = "no call of a running server imports: stop it, import, and start it again";

pub(super) fn run(options: &Options, place: &Place) -> Result<(), Failure> {
    let checked = check(&options.file, options.name.as_deref())?;
    let mut store = place.writer_or_new(BESIDE)?;
    check_free(&mut *store, &checked, options)?;
    let mut turns = 0;
    exported::read(&options.file, |session, libraries| {
        turns += session.turns.len();
        let name = renamed(&session.name, options.name.as_deref());
        import(&mut *store, session, name, libraries)
    })?;
    println!("imported {} with {}", counted(checked.len() as u64, "session", "sessions"), counted(turns as u64, "turn", "turns"));
    Ok(())
}

pub(super) fn check_name(name: &str) -> Result<(), Failure> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    match (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        true => Ok(()),
        false => Err(Failure::usage(format!("`{name}` can't be a session's name: use 1 to 64 letters, digits, `_` and `-`"))),
    }
}

fn renamed(name: &Name, session: Option<&str>) -> Name {
    Name { session: session.unwrap_or(&name.session).to_owned(), user: name.user.clone() }
}

/// Checks the whole file, and returns the names that its sessions get.
fn check(file: &Path, own_name: Option<&str>) -> Result<Vec<Name>, Failure> {
    own_name.map_or(Ok(()), check_name)?;
    let (mut names, mut known) = (Vec::new(), BTreeSet::new());
    exported::read(file, |session, libraries| {
        check_session(file, &session, libraries)?;
        if !known.insert(session.name.clone()) {
            return Err(wrong(file, &session.name, "the file holds it twice"));
        }
        names.push(renamed(&session.name, own_name));
        Ok(())
    })?;
    match names.len() {
        0 => Err(Failure::usage(format!("{}: there are no sessions in it", file.display()))),
        2.. if own_name.is_some() => Err(Failure::usage(format!("--as names one session, and {} holds {}", file.display(), names.len()))),
        _ => Ok(names),
    }
}

/// Checks that this version can go on with a session.
fn check_session(file: &Path, session: &Session, libraries: &Libraries) -> Result<(), Failure> {
    let wrong = |why: &str| wrong(file, &session.name, why);
    let first = session.records.first().and_then(|record| serde_json::from_slice::<restore::Record>(&record.bytes).ok());
    match first.map(|record| record.input) {
        Some(Input::Opened { version, .. }) if version != VERSION => {
            return Err(wrong(&format!(
                "a version of the program wrote it whose inputs have format {version}, not {VERSION}: use that version"
            )));
        }
        Some(Input::Opened { .. }) => {}
        _ => return Err(wrong("its first record does not open a session")),
    }
    let last = session.records.len() as u64;
    if session.turns.iter().any(|row| row.turn.number > last) {
        return Err(wrong("records that its turns need are missing"));
    }
    let mut known = BTreeMap::new();
    let mut library = |hash: &str| verify::library(&mut known, hash, || libraries.get(hash).cloned());
    let proof = verify::verify(session.records.iter().cloned().map(Ok), &mut library, &mut Turns::none(), None);
    let proof = proof.map_err(|failure| Failure::usage(wrong(&failure.says).says))?;
    if let Some(difference) = proof.difference {
        tell(format_args!(
            "warning: {}: record {} leads to other events now than when it was recorded; see `framewright replay {}`",
            session.name.session,
            difference.record,
            file.display()
        ));
    }
    Ok(())
}

fn wrong(file: &Path, name: &Name, why: &str) -> Failure {
    Failure::usage(format!("{}: session `{}` of user `{}`: {why}", file.display(), name.session, name.user))
}

/// Refuses the whole import where one of the sessions exists.
fn check_free(store: &mut dyn Store, names: &[Name], options: &Options) -> Result<(), Failure> {
    for name in names {
        if !store.records(name, 1, 1).map_err(Failure::unavailable)?.is_empty() {
            let Name { user, session } = name;
            let what = match options.name.is_none() && names.len() == 1 {
                true => "import it under another name with --as",
                false => "nothing was imported",
            };
            return Err(Failure::usage(format!("user `{user}` has a session `{session}` already: {what}")));
        }
    }
    Ok(())
}

/// Imports a session: what makes it whole is one transaction; if a rating or the title fails behind it, it is deleted again.
fn import(store: &mut dyn Store, session: Session, name: Name, libraries: &Libraries) -> Result<(), Failure> {
    let Session { title, records, turns, .. } = session;
    let named: BTreeSet<String> = records.iter().filter_map(|record| exported::library_named(&record.bytes)).collect();
    let kept = named.iter().filter_map(|hash| Some((hash, libraries.get(hash)?)));
    for (hash, files) in kept {
        store.keep_library(hash, files).map_err(Failure::unavailable)?;
    }
    // Above every generation that it had, so that the next load's is one that no event was numbered with.
    let unused = store.load(&name).map_err(Failure::unavailable)?.generation;
    let generation = records.iter().map(|record| record.generation).max().unwrap_or(0).max(unused);
    let at = records.last().map(|record| record.at).unwrap_or_default();
    let append = |at, item| Append { name: name.clone(), generation, at, item };
    let mut batch = Vec::new();
    for record in records {
        let library = exported::library_named(&record.bytes);
        batch.push(append(record.at, Item::Record { number: record.number, bytes: record.bytes }));
        batch.extend(library.map(|hash| append(record.at, Item::Library { hash })));
    }
    let ratings: Vec<(u64, Option<i8>, Option<String>)> =
        turns.iter().map(|row| (row.turn.turn, row.rating, row.comment.clone())).collect();
    let (hidden, shown): (Vec<TurnRow>, Vec<TurnRow>) = turns.into_iter().partition(|row| row.is_hidden);
    let replaced: Vec<u64> = shown.iter().filter(|row| row.is_replaced).map(|row| row.turn.turn).collect();
    let turn = |row: TurnRow| append(at, Item::Turn(Box::new(row.turn)));
    let has_hidden = !hidden.is_empty();
    batch.extend(hidden.into_iter().map(turn));
    batch.extend(has_hidden.then(|| append(at, Item::Cleared)));
    batch.extend(shown.into_iter().map(turn));
    batch.extend((!replaced.is_empty()).then(|| append(at, Item::Replaced { turns: replaced, is_back: false })));
    store.append(&batch).map_err(Failure::unavailable)?;
    let completed = complete(store, &name, &title, &ratings);
    completed.map_err(|failure| {
        let undone = store.delete(&name).is_ok();
        let left = if undone { "it was not imported" } else { "it was imported without all ratings, or without its title" };
        Failure::unavailable(format!("session `{}`: {}\n{left}", name.session, failure.says))
    })
}

fn complete(store: &mut dyn Store, name: &Name, title: &str, ratings: &[(u64, Option<i8>, Option<String>)]) -> Result<(), Failure> {
    let failed = |error: StoreError| Failure::unavailable(error);
    if journal::session(store, name)?.title != title {
        store.rename(name, title).map_err(failed)?;
    }
    for (turn, rating, comment) in ratings.iter().filter(|(_, rating, comment)| rating.is_some() || comment.is_some()) {
        store.rate(name, *turn, *rating, comment.as_deref()).map_err(failed)?;
    }
    Ok(())
}
