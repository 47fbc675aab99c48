//! A cassette: the file of one session, a JSON object a line.
//!
//! The first line is its head; then a line for each call that has ended, and one for each turn as a client saw it, in the order
//! in which they ended; and one for each long text that calls were asked, above the first of them. Each line is written whole
//! and at once, so that a recording that breaks off can be read to where it did.

use super::asked::Asked;
use super::texts;
use crate::contract::{Answer, CallError, DatabaseInfo, Usage};
use crate::text_file::without_mark;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// What a line looks like; raised when that changes.
pub(super) const VERSION: u32 = 3;
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;
pub(super) const FILE_BYTES_MAX: u64 = 256 << 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Line {
    Tape(Head),
    Text(Named),
    Call(Box<Entry>),
    Turn(Turn),
}

/// What a session runs on, and how its calls are found again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) version: u32,
    pub(super) session: String,
    /// The file of the suite that was played; of a turn that was taken from a server that runs, none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) suite: Option<String>,
    pub(super) found_by: FoundBy,
    pub(super) databases: Vec<DatabaseInfo>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum FoundBy {
    /// By all that was asked; the same question again by its number.
    Question,
    /// By who asked, and its number: what came before the recording is not known.
    Label,
}

/// A long text, and what it is called below.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) text: String,
}

/// A call that has ended, cancelled ones left out. `number` counts those that are found by the same, from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) label: String,
    pub(super) number: u32,
    pub(super) asked: Asked,
    /// Text in the pieces in which it came.
    pub(super) chunks: Vec<String>,
    pub(super) usage: Usage,
    pub(super) outcome: Result<Answer, CallError>,
}

/// A turn as a client of the chat saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Turn {
    /// What began it: `send: hello`.
    pub(super) said: String,
    /// The chat socket's messages, without their numbers.
    pub(super) seen: Vec<Value>,
}

/// What a cassette holds, every text in its place.
pub(super) struct Cassette {
    pub(super) head: Head,
    pub(super) calls: Vec<Entry>,
    /// Each with how many of the calls had ended before.
    pub(super) turns: Vec<(Turn, usize)>,
}

/// Why a cassette can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TapeError {
    /// The folder can't be made, or a file in it can't be written or read.
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: std::io::Error },
    #[error("there is no cassette {}: make it with --record", path.display())]
    Missing { path: PathBuf },
    #[error("{}:{line}: {why}; make the cassette again with --record", path.display())]
    Line { path: PathBuf, line: usize, why: String },
    #[error("{} is longer than {} MiB: it is no cassette", path.display(), FILE_BYTES_MAX >> 20)]
    TooLong { path: PathBuf },
    /// It was recorded of another suite, which is still there.
    #[error("{} is the cassette of {by}: give {suite} a folder of its own", path.display())]
    Taken { path: PathBuf, by: String, suite: String },
}

impl Head {
    /// Refuses a suite that it was not recorded of. A suite that is no longer where it was may be this one.
    pub(super) fn is_of(&self, suite: &str, path: &Path) -> Result<(), TapeError> {
        let place = |file: &String| Path::new(file).canonicalize().ok();
        match self.suite.as_ref().filter(|by| place(by).is_some_and(|place| Some(place) != Path::new(suite).canonicalize().ok())) {
            None => Ok(()),
            Some(by) => Err(TapeError::Taken { path: path.to_owned(), by: by.clone(), suite: suite.to_owned() }),
        }
    }
}

/// The head of a file that is a cassette.
pub(super) fn head(path: &Path) -> Option<Head> {
    let mut line = Vec::new();
    BufReader::new(File::open(path).ok()?).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).ok()?;
    match serde_json::from_slice(without_mark(&line)).ok()? {
        Line::Tape(head) => Some(head),
        Line::Text(_) | Line::Call(_) | Line::Turn(_) => None,
    }
}

pub(super) fn read(path: &Path) -> Result<Cassette, TapeError> {
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => TapeError::Missing { path: path.to_owned() },
        _ => TapeError::Io { path: path.to_owned(), error },
    };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(TapeError::TooLong { path: path.to_owned() });
    }
    let mut reader = BufReader::new(file);
    let (mut head, mut texts, mut calls, mut turns) = (None, HashMap::new(), Vec::new(), Vec::new());
    for line in 1.. {
        let wrong = |why: String| TapeError::Line { path: path.to_owned(), line, why };
        let mut bytes = Vec::new();
        reader.by_ref().take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut bytes).map_err(failed)?;
        if bytes.is_empty() {
            break;
        }
        if bytes.pop() != Some(b'\n') {
            return Err(wrong("the line is cut".to_owned()));
        }
        let read =
            serde_json::from_slice(without_mark(&bytes)).map_err(|error| wrong(format!("the line can't be understood ({error})")))?;
        match (read, &head) {
            (Line::Tape(_), Some(_)) => return Err(wrong("a second head".to_owned())),
            (Line::Tape(it), None) if it.version != VERSION => {
                return Err(wrong(format!("a cassette of version {}, and this program knows {VERSION}", it.version)));
            }
            (Line::Tape(it), None) => head = Some(it),
            (Line::Text(_) | Line::Call(_) | Line::Turn(_), None) => return Err(wrong("the head is missing".to_owned())),
            (Line::Text(Named { name, text }), Some(_)) => drop(texts.insert(name, text)),
            (Line::Call(mut entry), Some(_)) => {
                texts::whole(&mut entry.asked, &texts).map_err(|name| wrong(format!("no text `{name}` stands above it")))?;
                calls.push(*entry);
            }
            (Line::Turn(turn), Some(_)) => turns.push((turn, calls.len())),
        }
    }
    let head = head.ok_or_else(|| TapeError::Line { path: path.to_owned(), line: 1, why: "the file is empty".to_owned() })?;
    Ok(Cassette { head, calls, turns })
}
