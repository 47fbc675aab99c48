//! The tape: what models and databases answered, kept in a file for each session, or played from there.
//!
//! A pool with a tape records each call that ends, or answers from a recording and asks nobody. What a question is known by
//! stands in [`asked`], the file in [`cassette`]; [`recorder`] writes one session's, [`player`] plays it. Whoever drives the
//! sessions also tells what a client saw of each turn ([`Tape::turn`]), so that a replay proves to be the same.
//!
//! Invariants: a call's number among its equals is drawn where it starts, so it does not depend on which call ends first; what
//! is not on the tape is never answered; what could not be written is told by [`Tape::trouble`], and nothing is dropped silently.

mod asked;
mod cassette;
mod difference;
mod kept;
mod player;
mod question;
mod recorder;
mod taken;
mod texts;

pub use cassette::TapeError;
pub use question::Question;
pub use taken::{Seen, Taken};

use super::call::{Call, Ended};
use crate::contract::{CallError, DatabaseInfo, Request};
use asked::Asked;
use cassette::Entry;
use player::Player;
use recorder::Recorder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

pub struct Tape {
    folder: PathBuf,
    mode: Mode,
}

enum Mode {
    Record(Recorders),
    Replay(BTreeMap<String, Mutex<Player>>),
}

struct Recorders {
    /// The file of the suite that is played in a session.
    suites: BTreeMap<String, String>,
    begun: Mutex<BTreeMap<String, Arc<Mutex<Recorder>>>>,
}

/// The label of who looks on from outside and is asked or not, with the same turn.
pub const ONLOOKER: &str = "judge";

/// A call's place on a tape.
pub(super) enum Take {
    Record(Box<Recording>),
    Play(Played),
}

/// A call that is written down when it ends.
pub(super) struct Recording {
    recorder: Arc<Mutex<Recorder>>,
    asked: Asked,
    label: String,
    number: u32,
    chunks: Vec<String>,
}

/// A call that was made when the tape was.
pub(super) struct Played(Result<Arc<Entry>, CallError>);

impl Tape {
    /// Records suites, by their sessions, into a folder, which is made if it isn't there. A session's old file is replaced when
    /// its recording is whole ([`Tape::keep`]), unless it is of another suite.
    pub fn record(folder: &Path, suites: BTreeMap<String, String>) -> Result<Tape, TapeError> {
        std::fs::create_dir_all(folder).map_err(|error| TapeError::Io { path: folder.to_owned(), error })?;
        for (session, suite) in &suites {
            let path = file(folder, session);
            cassette::head(&path).map_or(Ok(()), |head| head.is_of(suite, &path))?;
        }
        Ok(Tape { folder: folder.to_owned(), mode: Mode::Record(Recorders { suites, begun: Mutex::default() }) })
    }

    /// Plays the recordings of suites, by their sessions.
    pub fn replay(folder: &Path, suites: BTreeMap<String, String>) -> Result<Tape, TapeError> {
        let player = |(session, suite): (String, String)| {
            let player = Player::read(&file(folder, &session), &suite)?;
            Ok((session, Mutex::new(player)))
        };
        let players = suites.into_iter().map(player).collect::<Result<_, _>>()?;
        Ok(Tape { folder: folder.to_owned(), mode: Mode::Replay(players) })
    }

    pub fn is_recording(&self) -> bool {
        matches!(self.mode, Mode::Record(_))
    }

    /// The databases that a session can query: those of the recording, or `now` where it is recorded.
    pub(super) fn databases(&self, session: &str, now: Vec<DatabaseInfo>) -> Vec<DatabaseInfo> {
        match &self.mode {
            Mode::Record(recorders) => lock(&recorders.of(session)).databases(now),
            Mode::Replay(players) => players.get(session).map(|player| lock(player).databases()).unwrap_or_default(),
        }
    }

    /// A call starts: where it stands on the tape.
    pub(super) fn take(&self, session: &str, request: &Request) -> Take {
        let (asked, label) = (Asked::of(request), request.label().to_string());
        match &self.mode {
            Mode::Record(recorders) => {
                let recorder = self.recorder(recorders, session);
                let number = lock(&recorder).number(&asked);
                Take::Record(Box::new(Recording { recorder, asked, label, number, chunks: Vec::new() }))
            }
            Mode::Replay(players) => Take::Play(Played(match players.get(session) {
                Some(player) => lock(player).find(&label, &asked),
                None => Err(CallError::NotOnTape { difference: format!("the session `{session}` is not on the tape") }),
            })),
        }
    }

    /// A turn has ended, and this is what a client saw of it: it is kept, or it has to be what was kept.
    pub fn turn(&self, session: &str, said: &str, seen: Vec<Value>) -> Result<(), String> {
        let turn = cassette::Turn { said: said.to_owned(), seen };
        match &self.mode {
            Mode::Record(recorders) => {
                lock(&self.recorder(recorders, session)).turn(turn);
                Ok(())
            }
            Mode::Replay(players) => players.get(session).map_or(Ok(()), |player| lock(player).turn(&turn)),
        }
    }

    /// A session was played to its end: its recording is whole, and takes the place of the one before.
    pub fn keep(&self, session: &str) {
        if let Mode::Record(recorders) = &self.mode {
            lock(&self.recorder(recorders, session)).keep();
        }
    }

    /// What was asked in a session and is not on the tape, since this was last asked for.
    pub fn misses(&self, session: &str) -> Vec<String> {
        match &self.mode {
            Mode::Record(_) => Vec::new(),
            Mode::Replay(players) => players.get(session).map(|player| lock(player).misses()).unwrap_or_default(),
        }
    }

    /// Whether calls of this label were recorded.
    pub fn has(&self, label: &str) -> bool {
        match &self.mode {
            Mode::Record(_) => false,
            Mode::Replay(players) => players.values().any(|player| lock(player).has(label)),
        }
    }

    /// Why a recording is not whole.
    pub fn trouble(&self) -> Option<String> {
        match &self.mode {
            Mode::Record(recorders) => lock(&recorders.begun).values().find_map(|recorder| lock(recorder).trouble()),
            Mode::Replay(_) => None,
        }
    }

    /// The recorder of a session, which begins its file with the first call or turn.
    fn recorder(&self, recorders: &Recorders, session: &str) -> Arc<Mutex<Recorder>> {
        let recorder = recorders.of(session);
        let suite = recorders.suites.get(session).cloned();
        lock(&recorder).begin(&file(&self.folder, session), session, suite);
        recorder
    }
}

impl Recorders {
    fn of(&self, session: &str) -> Arc<Mutex<Recorder>> {
        lock(&self.begun).entry(session.to_owned()).or_default().clone()
    }
}

impl Recording {
    /// A piece of text came.
    pub(super) fn heard(&mut self, text: &str) {
        self.chunks.push(text.to_owned());
    }

    /// Writes down how the call ended. One that was cancelled is left out: nobody knows what it would have said.
    pub(super) fn ended(self, ended: &Ended) {
        if ended.outcome == Err(CallError::Cancelled) {
            return;
        }
        let Recording { recorder, asked, label, number, chunks } = self;
        lock(&recorder).call(Entry { label, number, asked, chunks, usage: ended.usage, outcome: ended.outcome.clone() });
    }
}

impl Played {
    /// The answer, in the pieces in which it came.
    pub(super) fn answer(&self, call: &mut Call<'_>) -> Ended {
        match &self.0 {
            Ok(entry) => {
                entry.chunks.iter().for_each(|chunk| call.say(chunk));
                Ended { usage: entry.usage, outcome: entry.outcome.clone() }
            }
            Err(error) => error.clone().into(),
        }
    }
}

/// Where a session's recording is.
pub fn file(folder: &Path, session: &str) -> PathBuf {
    folder.join(format!("{session}.jsonl"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a tape")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
