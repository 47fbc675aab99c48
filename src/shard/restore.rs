//! A session as its journal has it: a snapshot and the inputs since, played again. And how an input is written there.
//!
//! Each record has a digest of what its input led to. So a replay, and each load, finds out whether watchers saw the same.

use crate::contract::journal::{Loaded, Webhook};
use crate::contract::{Code, Effect, Event, Input, Moment, Now, Refusal, TurnId, VERSION};
use crate::engine::{RestoreError, Session, Snapshot};
use crate::graph::Library;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::io;
use std::sync::Arc;

/// An input as it is kept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Record {
    pub now: Now,
    pub input: Input,
    /// How many events it led to, and a digest of them in the order in which watchers see them.
    pub events: usize,
    pub digest: String,
}

/// A session that goes on where its journal ends.
pub struct Restored {
    pub session: Session,
    /// What its last inputs have led to, for those who resume; and whether these are all that there ever were.
    pub events: Vec<Event>,
    pub has_all: bool,
    pub generation: u32,
    /// Its last record.
    pub number: u64,
    /// The time of its last input on its own clock.
    pub moment: Moment,
    /// Of turns that have not ended.
    pub webhooks: Vec<Webhook>,
    /// The first record that leads to other events now than when it was written: the journal was damaged, or this program behaves
    /// differently.
    pub differs: Option<u64>,
}

/// What a load has found.
#[derive(Debug)]
pub enum Found {
    /// No such session; the generation of the one that may open.
    Nothing {
        generation: u32,
    },
    Session(Box<Restored>),
}

impl fmt::Debug for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Restored").field("generation", &self.generation).field("number", &self.number).finish_non_exhaustive()
    }
}

/// Why a journal can't be played again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    Snapshot(String),
    Record {
        number: u64,
        why: String,
    },
    Session(RestoreError),
    /// The graphs that it ran on are not kept.
    Library {
        hash: String,
    },
    /// The first record doesn't open a session.
    NotOpened,
    /// Playing it again broke this program.
    Panicked {
        number: u64,
    },
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreadable::Snapshot(why) => write!(f, "its snapshot can't be read ({why})"),
            Unreadable::Record { number, why } => write!(f, "record {number} can't be read ({why})"),
            Unreadable::Session(error) => error.fmt(f),
            Unreadable::Library { hash } => write!(f, "the graphs that it ran on ({hash}) are not in the journal"),
            Unreadable::NotOpened => f.write_str("its first record does not open a session"),
            Unreadable::Panicked { number } => write!(f, "record {number} breaks this version of the program"),
        }
    }
}

impl std::error::Error for Unreadable {}

impl From<Unreadable> for Refusal {
    fn from(error: Unreadable) -> Refusal {
        Refusal::with(Code::JournalUnavailable, format!("this session can't be loaded: {error}"))
    }
}

/// Finds a library by its content hash.
pub type Libraries<'a> = dyn FnMut(&str) -> Option<Arc<Library>> + 'a;

/// The library of this content hash, from the files that a journal or an export kept of it. None if they can't be read, or are
/// another library's.
pub fn kept_library(hash: &str, files: &[u8]) -> Option<Arc<Library>> {
    let library = Library::load(&serde_json::from_slice(files).ok()?).ok()?;
    (library.hash() == hash).then(|| Arc::new(library))
}

/// The beginning of a [`Record`], before the session takes its input; [`end_record`] writes the rest.
pub fn begin_record(now: Now, input: &Input) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(b"{\"now\":");
    serde_json::to_writer(&mut bytes, &now).expect("times serialize");
    bytes.extend_from_slice(b",\"input\":");
    serde_json::to_writer(&mut bytes, input).expect("an input serializes");
    bytes
}

pub fn end_record(bytes: &mut Vec<u8>, (events, digest): &(usize, String)) {
    bytes.extend_from_slice(format!(",\"events\":{events},\"digest\":\"{digest}\"}}").as_bytes());
}

/// How many events these are, and a digest of them, in hex.
pub fn digest<'a>(events: impl Iterator<Item = &'a Event>) -> (usize, String) {
    let (mut hash, mut count) = (Hashing(Sha256::new()), 0);
    for event in events {
        count += 1;
        serde_json::to_writer(&mut hash, event).expect("an event serializes");
        hash.0.update([b'\n']);
    }
    (count, if count == 0 { String::new() } else { super::hex(&hash.0.finalize()[..8]) })
}

/// Takes what is written without keeping it.
struct Hashing(Sha256);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The events among effects.
pub fn events(effects: &[Effect]) -> impl Iterator<Item = &Event> {
    effects.iter().filter_map(|effect| if let Effect::Emit(event) = effect { Some(event) } else { None })
}

/// A session that is played again, input by input.
pub struct Player<'a> {
    session: Option<Session>,
    libraries: &'a mut Libraries<'a>,
    moment: Moment,
    is_held: bool,
    /// The last input was a fork: what it begins waits for the next one.
    is_forked: bool,
    /// One that nothing keeps yet.
    learned: Option<Arc<Library>>,
}

impl<'a> Player<'a> {
    pub fn new(libraries: &'a mut Libraries<'a>) -> Player<'a> {
        Player { session: None, libraries, moment: Moment(0), is_held: false, is_forked: false, learned: None }
    }

    /// A player of a session whose turns wait for [`Player::begin_held`].
    pub fn held(libraries: &'a mut Libraries<'a>) -> Player<'a> {
        Player { is_held: true, ..Player::new(libraries) }
    }

    /// Begins with a snapshot.
    pub fn load(&mut self, bytes: &[u8]) -> Result<(), Unreadable> {
        let snapshot: Snapshot = serde_json::from_slice(bytes).map_err(|error| Unreadable::Snapshot(error.to_string()))?;
        let libraries: Result<Vec<_>, _> = snapshot.libraries().map(|hash| self.library(hash)).collect();
        self.moment = snapshot.now().moment;
        self.session = Some(Session::restore(&libraries?, snapshot).map_err(Unreadable::Session)?);
        Ok(())
    }

    /// Plays a record, and says what it led to.
    pub fn play(&mut self, number: u64, bytes: &[u8]) -> Result<(Record, Vec<Effect>), Unreadable> {
        let unreadable = |error: serde_json::Error| Unreadable::Record { number, why: error.to_string() };
        let record: Record = serde_json::from_slice(bytes).map_err(unreadable)?;
        let effects = self.handle(number, record.now, record.input.clone())?;
        Ok((record, effects))
    }

    /// Has the session take an input.
    pub fn handle(&mut self, number: u64, now: Now, input: Input) -> Result<Vec<Effect>, Unreadable> {
        if let Input::Opened { version, library, graph, from, .. } = &input
            && self.session.is_none()
        {
            if *version != VERSION {
                return Err(Unreadable::Session(RestoreError::Version { found: *version }));
            }
            let library = self.library(library)?;
            if library.graph(graph).is_none() {
                return Err(Unreadable::Session(RestoreError::UnknownGraph { graph: graph.clone() }));
            }
            let mut session = Session::new(library, graph, from);
            if self.is_held {
                session.hold();
            }
            self.session = Some(session);
        }
        if let Input::Reloaded { library, .. } | Input::Forked { library: Some(library), .. } = &input {
            let library = self.library(library)?;
            self.session.as_mut().ok_or(Unreadable::NotOpened)?.offer(library);
        }
        self.moment = self.moment.max(now.moment);
        self.is_forked = matches!(input, Input::Forked { .. });
        self.change(number, |session, effects| session.handle(now, input, effects))
    }

    /// The turn that would begin now, if it were not held.
    pub fn next_turn(&self) -> Option<TurnId> {
        self.session.as_ref().filter(|_| !self.is_forked).and_then(Session::held)
    }

    /// Begins the turn that waits.
    pub fn begin_held(&mut self, number: u64) -> Result<Vec<Effect>, Unreadable> {
        self.change(number, Session::begin_held)
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Session, &mut Vec<Effect>)) -> Result<Vec<Effect>, Unreadable> {
        let session = self.session.as_mut().ok_or(Unreadable::NotOpened)?;
        let mut effects = Vec::new();
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| change(session, &mut effects)));
        played.map_err(|_| Unreadable::Panicked { number })?;
        Ok(effects)
    }

    /// The same session once more, as it is now.
    pub fn twin(&mut self) -> Result<Session, Unreadable> {
        let snapshot = self.session.as_ref().ok_or(Unreadable::NotOpened)?.snapshot();
        let libraries: Result<Vec<_>, _> = snapshot.libraries().map(|hash| self.library(hash)).collect();
        Session::restore(&libraries?, snapshot).map_err(Unreadable::Session)
    }

    /// The library of the graph that the session runs on.
    pub fn graphs(&mut self) -> Result<Arc<Library>, Unreadable> {
        let hash = self.session.as_ref().ok_or(Unreadable::NotOpened)?.graph().library.clone();
        self.library(&hash)
    }

    /// Knows this library too, from now on.
    pub fn learn(&mut self, library: Arc<Library>) {
        self.learned = Some(library);
    }

    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    fn library(&mut self, hash: &str) -> Result<Arc<Library>, Unreadable> {
        let learned = self.learned.as_ref().filter(|learned| learned.hash() == hash).cloned();
        learned.or_else(|| (self.libraries)(hash)).ok_or_else(|| Unreadable::Library { hash: hash.to_owned() })
    }
}

/// The session of a journal.
pub fn restore<'a>(loaded: &Loaded, libraries: &'a mut Libraries<'a>) -> Result<Found, Unreadable> {
    let generation = loaded.generation;
    let mut player = Player::new(libraries);
    let mut number = 0;
    if let Some((of, bytes)) = &loaded.snapshot {
        player.load(bytes)?;
        number = *of;
    }
    let (mut events, mut differs) = (Vec::new(), None);
    for record in &loaded.records {
        let (recorded, effects) = player.play(record.number, &record.bytes)?;
        number = record.number;
        // Behind the first difference, others follow from it.
        if differs.is_none() && digest(self::events(&effects)) != (recorded.events, recorded.digest) {
            differs = Some(number);
        }
        events.extend(effects.into_iter().filter_map(|effect| if let Effect::Emit(event) = effect { Some(event) } else { None }));
    }
    let moment = player.moment;
    Ok(match player.session {
        None => Found::Nothing { generation },
        Some(session) => {
            let (has_all, webhooks) = (loaded.snapshot.is_none(), loaded.webhooks.clone());
            Found::Session(Box::new(Restored { session, events, has_all, generation, number, moment, webhooks, differs }))
        }
    })
}
