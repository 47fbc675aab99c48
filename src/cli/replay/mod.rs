//! `framewright replay`: proves that a session's inputs lead to the stream that its clients saw, with no model and no database; or
//! compares recorded turns with the same turns on another graph (`compare/`).

mod compare;
mod difference;
pub(super) mod verify;

use super::exported::{self, Session};
use super::journal::{self, Place};
use super::readable::{self, counted};
use super::{Failure, tell};
use crate::auth::ANONYMOUS;
use crate::config::Arguments;
use crate::contract::journal::Name;
use crate::contract::{CallId, TurnId, clip};
use crate::store::Read;
use clap::ArgMatches;
use compare::{Comparing, Meant};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use verify::{Difference, Proof, Stream, Turns, library as kept_library};

#[derive(clap::Args)]
#[command(after_help = compare::HELP)]
pub(super) struct Options {
    /// Session in the journal, or a file from `framewright sessions export`
    #[arg(value_name = "SESSION|FILE.jsonl", required_unless_present = "all")]
    what: Option<String>,
    /// User that owns the session [default: anonymous; for a file and with --all: every user]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Print what chat clients saw of this turn, one message per line; in a comparison, compare this turn only
    #[arg(long, value_name = "N", value_parser = turn)]
    turn: Option<TurnId>,
    #[command(flatten)]
    comparing: Comparing,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

/// A turn as a number or as the interface names it.
pub(super) fn turn(text: &str) -> Result<TurnId, String> {
    let number = text.strip_prefix("msg_").unwrap_or(text).parse().ok().filter(|number| *number > 0);
    number.map(TurnId).ok_or_else(|| "turns are called 1, 2 and so on, or msg_1, msg_2".to_owned())
}

pub(super) fn run(options: &Options, matches: &ArgMatches) -> Result<(), Failure> {
    if let Some(meant) = Meant::of(matches)? {
        return compare::run(options, &meant, matches);
    }
    if let Some(flag) = options.comparing.flag() {
        return Err(Failure::usage(format!("{flag} is for a comparison: name what to compare with, with --graph or --graphs")));
    }
    match options.what.as_deref().unwrap_or_default() {
        // No session is called like a path.
        file if file.contains(['.', '/']) => of_file(options, Path::new(file)),
        session => of_journal(options, &of_session(options, session), &Place::of(matches)?),
    }
}

/// A session of the user whom the command line names.
fn of_session(options: &Options, session: &str) -> Name {
    Name { user: options.user.as_deref().unwrap_or(ANONYMOUS).to_owned(), session: session.to_owned() }
}

fn of_journal(options: &Options, name: &Name, place: &Place) -> Result<(), Failure> {
    let mut reader = place.reader()?;
    journal::session(&mut *reader, name)?;
    let turns = journal::turns(&mut *reader, name)?;
    let reader = RefCell::new(reader);
    let ends: BTreeMap<TurnId, u64> = turns.iter().map(|row| (TurnId(row.turn.turn), row.turn.number)).collect();
    let detail = |turn: TurnId| kept_detail(&mut **reader.borrow_mut(), name, turn, ends.get(&turn).copied());
    let mut turns = Turns { ends: ends.clone(), detail: Box::new(detail) };
    let read = |from, limit| reader.borrow_mut().records(name, from, limit).map_err(Failure::unavailable);
    let (mut known, mut unread) = (BTreeMap::new(), None);
    let mut library = |hash: &str| {
        verify::library(&mut known, hash, || match reader.borrow_mut().library(hash) {
            Ok(files) => files,
            Err(error) => {
                unread = Some(error);
                None
            }
        })
    };
    let proof = verify::verify(journal::records(read, 1), &mut library, &mut turns, options.turn);
    let proof = proof.map_err(|failure| unread.map_or(failure, Failure::unavailable))?;
    report(options, "", &proof, &mut turns)
}

/// A turn as it was kept behind that record: a running server may have kept it again since.
fn kept_detail(reader: &mut dyn Read, name: &Name, turn: TurnId, end: Option<u64>) -> Result<Option<Vec<u8>>, Failure> {
    let row = reader.turn(name, turn.0).map_err(Failure::unavailable)?;
    Ok(row.filter(|row| Some(row.turn.number) == end).map(|row| row.turn.detail).filter(|detail| !detail.is_empty()))
}

fn of_file(options: &Options, file: &Path) -> Result<(), Failure> {
    let is_wanted = |name: &Name| options.user.as_ref().is_none_or(|user| *user == name.user);
    // With several sessions each line says which it is about, and a turn would be that of any.
    let mut count = 0;
    exported::read(file, |session, _| {
        count += usize::from(is_wanted(&session.name));
        Ok(())
    })?;
    match count {
        0 => return Err(Failure::unavailable(format!("{}: there is no such session in it", file.display()))),
        2.. if options.turn.is_some() => {
            return Err(Failure::usage(format!("--turn is for one session, and {} holds {count}: export that one alone", file.display())));
        }
        _ => {}
    }
    let mut differing = Vec::new();
    exported::read(file, |session, libraries| {
        if !is_wanted(&session.name) {
            return Ok(());
        }
        let Session { name, records, turns, .. } = session;
        // While something runs behind a turn it has no detail.
        let detail = |turn: TurnId| {
            let row = turns.iter().find(|row| row.turn.turn == turn.0 && !row.turn.detail.is_empty());
            Ok(row.map(|row| row.turn.detail.clone()))
        };
        let ends = turns.iter().map(|row| (TurnId(row.turn.turn), row.turn.number)).collect();
        let mut kept = Turns { ends, detail: Box::new(detail) };
        let mut known = BTreeMap::new();
        let mut library = |hash: &str| verify::library(&mut known, hash, || libraries.get(hash).cloned());
        let label = if count == 1 { String::new() } else { format!("{}/{}: ", name.user, name.session) };
        let labelled = |failure: Failure| Failure { says: format!("{label}{}", failure.says), ..failure };
        let proof = verify::verify(records.into_iter().map(Ok), &mut library, &mut kept, options.turn).map_err(labelled)?;
        match report(options, &label, &proof, &mut kept) {
            Err(Failure { code: 1, says }) => differing.push(says),
            other => other?,
        }
        Ok(())
    })?;
    if differing.is_empty() { Ok(()) } else { Err(Failure { code: 1, says: differing.join("\n") }) }
}

/// Says what was proven, or what differs.
fn report(options: &Options, label: &str, proof: &Proof, turns: &mut Turns<'_>) -> Result<(), Failure> {
    if let Some(difference) = &proof.difference {
        let kept = (turns.detail)(difference.turn)?;
        return Err(Failure { code: 1, says: format!("{label}{}", differs(difference, kept.as_deref(), &proof.completed)) });
    }
    let (turns, inputs) = (counted(proof.turns, "turn", "turns"), counted(proof.inputs, "input", "inputs"));
    let line = format!("{label}{turns}, {inputs}, {}: the same, byte for byte", counted(proof.events, "event", "events"));
    let Some(turn) = options.turn else {
        return readable::written(writeln!(io::stdout(), "{line}"));
    };
    if proof.stream.is_empty() {
        return Err(Failure::unavailable(format!("the session has no turn {turn} that clients saw")));
    }
    tell(line);
    let mut out = io::stdout().lock();
    readable::written(proof.stream.iter().try_for_each(|message| {
        out.write_all(message)?;
        out.write_all(b"\n")
    }))
}

/// What values are cut to.
const VALUE_BYTES: usize = 200;

/// Where the stream or a kept turn differs, and the first field of the turn that does.
fn differs(difference: &Difference, kept: Option<&[u8]>, completed: &BTreeMap<CallId, u64>) -> String {
    let Difference { record, input, turn, stream, detail } = difference;
    let kept: Option<Value> = kept.and_then(|bytes| serde_json::from_slice(bytes).ok());
    let detail = detail.as_ref().and_then(|detail| serde_json::to_value(detail).ok());
    let field = kept.as_ref().zip(detail.as_ref()).and_then(|(kept, detail)| difference::first(kept, detail));
    let what = match (&field, &kept, &detail) {
        (Some(field), ..) => {
            let value = |value: &Option<String>| value.as_ref().map_or("nothing".to_owned(), |value| clip(value, VALUE_BYTES));
            format!("`{}` was {} and is {}", field.path, value(&field.recorded), value(&field.replayed))
        }
        (None, Some(_), Some(_)) => "the turn's calls and trace are the same: only events differ".to_owned(),
        (None, Some(_), None) => "the turn does not end any more, so there is nothing to compare it with".to_owned(),
        (None, None, _) => "the turn was not kept, so there is nothing to compare it with".to_owned(),
    };
    let of_field = field.as_ref().and_then(|field| Some((field.frame?, field.node.clone()?)));
    let Some(Stream { recorded, replayed, first }) = stream else {
        let place = of_field.map(|(frame, node)| format!(", frame {frame}, node `{node}`")).unwrap_or_default();
        let answered = field.and_then(|field| field.answer_of).and_then(|call| completed.get(&CallId(call)));
        let record = answered.map_or(format!("record {record} ({input})"), |record| format!("record {record} (completion)"));
        return format!("{record}, turn {turn}{place}: the stream is the same, and the kept turn differs\n{what}");
    };
    let of_event = first.as_ref().map(|event| (u64::from(event.frame), event.node.to_string()));
    let place = of_field.or(of_event).map(|(frame, node)| format!(", frame {frame}, node `{node}`")).unwrap_or_default();
    let events = format!("{} recorded, {replayed} now", counted(*recorded as u64, "event", "events"));
    let event = first.as_ref().filter(|_| field.is_none()).map(|event| {
        let what = serde_json::to_string(&event.what).unwrap_or_default();
        format!("; the first is now {}", clip(&what, VALUE_BYTES))
    });
    format!("record {record} ({input}), turn {turn}{place}: the stream differs ({events})\n{what}{}", event.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_a_number_or_the_interfaces_name() {
        for (text, id) in [("3", Some(3)), ("msg_12", Some(12)), ("0", None), ("msg_", None), ("-1", None), ("three", None)] {
            assert_eq!(turn(text).ok(), id.map(TurnId), "{text}");
        }
    }
}
