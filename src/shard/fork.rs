//! Makes the records of a new session out of another one's: its inputs up to a turn, or to a frame of it, and what is changed there.
//!
//! The inputs are played again, so that turns and digests are the new session's own: `framewright replay` proves a fork like any
//! other session. Messages that waited for their turn behind the point of the fork are left out.

use super::recorded;
use super::restore::{self, Libraries, Player, Unreadable};
use crate::contract::journal::{Append, Item, Name, Record};
use crate::contract::{Accepted, Effect, Input, Memory, Moment, Now, Time, TurnId, What};
use crate::engine::Session;
use crate::graph::Library;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Where a session is forked, and what is changed there.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    pub of: Name,
    pub to: Name,
    pub turn: TurnId,
    /// Go on within the turn, where this frame begins.
    pub frame: Option<u32>,
    pub memory: Option<Memory>,
    /// Other texts of the prompts of nodes. They count until the server that loads the fork goes over to its own graphs, which is
    /// after the turn that it begins.
    pub prompts: BTreeMap<String, String>,
    pub begins: Begins,
}

/// A new session.
#[derive(Debug)]
pub struct Made {
    /// In their order, without the generation, which has to be above this one.
    pub appends: Vec<Append>,
    pub generation: u32,
    /// What the session runs on there, where prompts are changed.
    pub library: Option<Arc<Library>>,
}

/// What the fork begins when it is loaded.
#[derive(Clone, Debug, PartialEq)]
pub enum Begins {
    Nothing,
    /// The turn, as it was begun.
    Again,
    Message(String),
}

/// Why a session can't be forked there.
#[derive(Clone, Debug, PartialEq)]
pub enum NotForked {
    Unreadable {
        number: u64,
        why: Unreadable,
    },
    NoTurn(TurnId),
    /// The frame makes no calls, so there is nothing in it to be done again. These do.
    NoFrame {
        turn: TurnId,
        frame: u32,
        others: Vec<u32>,
    },
    /// The graph has no node with a prompt of this name.
    NoPrompt {
        node: String,
        graph: String,
    },
    /// The graph can't be used with the changed prompt.
    Prompt(String),
    /// The turn can't be begun again as it was.
    NotAgain(TurnId),
    Incomplete {
        number: u64,
    },
}

impl fmt::Display for NotForked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotForked::Unreadable { number, why } => write!(f, "record {number} can't be played again: {why}"),
            NotForked::NoTurn(turn) => write!(f, "the session has no turn {turn}"),
            NotForked::NoFrame { turn, frame, others } if others.is_empty() => {
                write!(f, "frame {frame} of {turn} makes no calls, and no other frame does: fork before the turn")
            }
            NotForked::NoFrame { turn, frame, others } => {
                let others: Vec<String> = others.iter().map(u32::to_string).collect();
                write!(f, "frame {frame} of {turn} makes no calls: choose one that does ({})", others.join(", "))
            }
            NotForked::NoPrompt { node, graph } => write!(f, "the graph `{graph}` has no node `{node}` with a prompt"),
            NotForked::Prompt(why) => write!(f, "the changed prompt can't be used: {why}"),
            NotForked::NotAgain(turn) => write!(f, "{turn} can't be begun again as it was: give the fork a message"),
            NotForked::Incomplete { number } => write!(f, "record {number} is missing: a fork needs all records up to its turn"),
        }
    }
}

impl std::error::Error for NotForked {}

/// Plays a session's records, and makes the new session. `at`: the time of that.
///
/// # Errors
/// The outer one is of the records' source.
pub fn fork<'a, E>(
    records: impl Iterator<Item = Result<Record, E>>,
    libraries: &'a mut Libraries<'a>,
    fork: &Fork,
    at: Time,
) -> Result<Result<Made, NotForked>, E> {
    let mut maker = Maker {
        player: Player::new(libraries),
        fork,
        number: 0,
        last: Moment(0),
        items: Vec::new(),
        starts: BTreeMap::new(),
        begun: None,
        others: Vec::new(),
        generation: 0,
    };
    let mut is_there = false;
    for (expected, record) in (1..).zip(records) {
        let record = record?;
        if record.number != expected {
            return Ok(Err(NotForked::Incomplete { number: expected }));
        }
        match maker.copy(&record) {
            Ok(false) => {}
            Ok(true) => {
                is_there = true;
                break;
            }
            Err(error) => return Ok(Err(error)),
        }
    }
    if !is_there {
        return Ok(Err(maker.missing()));
    }
    Ok(maker.end(at))
}

struct Maker<'a> {
    player: Player<'a>,
    fork: &'a Fork,
    /// The last record of the new session.
    number: u64,
    last: Moment,
    items: Vec<(Time, Item)>,
    /// When turns began, and how long they took to their first text.
    starts: BTreeMap<TurnId, (Moment, Option<u64>)>,
    /// What began the turn of the fork.
    begun: Option<Input>,
    /// Its frames that made calls.
    others: Vec<u32>,
    /// The highest of the records so far.
    generation: u32,
}

impl Maker<'_> {
    /// Copies a record. Returns whether the session is where it is to be forked.
    fn copy(&mut self, record: &Record) -> Result<bool, NotForked> {
        let number = record.number;
        let unreadable = |why: Unreadable| NotForked::Unreadable { number, why };
        let read: restore::Record =
            serde_json::from_slice(&record.bytes).map_err(|error| unreadable(Unreadable::Record { number, why: error.to_string() }))?;
        let (now, input, turn) = (read.now, read.input, self.fork.turn);
        if let Some(session) = self.player.session()
            && (self.begun.is_some() || matches!(session.accepts(&input), Ok(Accepted::Begins(begins)) if begins >= turn))
            && input.begins_turn()
        {
            let is_first = self.begun.is_none();
            if is_first {
                self.begun = Some(input.clone());
            }
            if !is_first || self.fork.frame.is_none() {
                // One that has to wait is left out, and the turn before it comes to its end.
                return Ok(is_first && !session.busy());
            }
        }
        self.generation = self.generation.max(record.generation);
        self.take(number, now, input, record.at)?;
        let session = self.player.session();
        let is_begun = self.begun.is_some();
        Ok(match (self.fork.frame, session.and_then(Session::frame_of_turn)) {
            (None, _) => is_begun && session.is_some_and(|session| !session.busy()),
            (Some(frame), Some((running, at))) if running == turn => {
                if !self.others.contains(&at) {
                    self.others.push(at);
                }
                at == frame
            }
            (Some(_), _) => false,
        })
    }

    /// Has the new session take an input, and keeps what it leads to.
    fn take(&mut self, number: u64, now: Now, input: Input, at: Time) -> Result<(), NotForked> {
        let library = match &input {
            Input::Opened { library, .. } | Input::Reloaded { library, .. } | Input::Forked { library: Some(library), .. } => {
                Some(library.clone())
            }
            _ => None,
        };
        let mut bytes = restore::begin_record(now, &input);
        let effects = self.player.handle(number, now, input).map_err(|why| NotForked::Unreadable { number, why })?;
        restore::end_record(&mut bytes, &restore::digest(restore::events(&effects)));
        self.number += 1;
        self.last = self.last.max(now.moment);
        self.items.push((at, Item::Record { number: self.number, bytes }));
        self.items.extend(library.map(|hash| (at, Item::Library { hash })));
        self.note(&effects, now, at);
        Ok(())
    }

    fn replaced(&mut self, at: Time, turns: &[TurnId], is_back: bool) {
        let turns: Vec<u64> = turns.iter().map(|turn| turn.0).collect();
        if !turns.is_empty() {
            self.items.push((at, Item::Replaced { turns, is_back }));
        }
    }

    /// Keeps the turns that have ended, and again those behind which something has.
    fn note(&mut self, effects: &[Effect], now: Now, at: Time) {
        let mut changed: Vec<TurnId> = Vec::new();
        for event in restore::events(effects) {
            match &event.what {
                What::TurnStarted { .. } => drop(self.starts.insert(event.turn, (now.moment, None))),
                What::Streaming { .. } => {
                    if let Some((start, first @ None)) = self.starts.get_mut(&event.turn) {
                        *first = Some(now.moment.since(*start));
                    }
                }
                What::Cleared => self.items.push((at, Item::Cleared)),
                What::Replaced { turns, .. } => self.replaced(at, turns, false),
                What::Withdrawn { restored } => {
                    self.replaced(at, &[event.turn], false);
                    self.replaced(at, restored, true);
                }
                What::Done { .. } => changed.push(event.turn),
                What::ProcessEnd { .. } if event.frame == 0 => changed.push(event.turn),
                _ => {}
            }
        }
        changed.dedup();
        for turn in changed {
            let first_token_us = self.starts.get(&turn).and_then(|(_, first)| *first);
            let kept = self.player.session().and_then(|session| recorded::turn(session, turn, self.number, first_token_us, true));
            self.items.extend(kept.map(|turn| (at, Item::Turn(Box::new(turn)))));
        }
    }

    /// Why the place of the fork was not found.
    fn missing(self) -> NotForked {
        let Fork { turn, frame, .. } = *self.fork;
        match (frame, self.begun) {
            (Some(frame), Some(_)) => NotForked::NoFrame { turn, frame, others: self.others },
            _ => NotForked::NoTurn(turn),
        }
    }

    /// Adds what is changed. A snapshot before it and one behind it keep loading short.
    fn end(mut self, at: Time) -> Result<Made, NotForked> {
        let Fork { of, to, turn, frame, memory, prompts, begins } = self.fork.clone();
        let begins = match (begins, self.begun.take()) {
            (Begins::Nothing, _) => None,
            (Begins::Again, Some(Input::Retry { turn, from, .. })) => Some(Input::Retry { turn, client_id: None, from }),
            (Begins::Again, Some(Input::Edit { turn, text, dashboard, from, .. })) => {
                Some(Input::Edit { turn, text, dashboard, client_id: None, from })
            }
            (Begins::Again, Some(Input::Message { text, dashboard, from, .. })) => {
                Some(Input::Message { text, dashboard, client_id: None, while_busy: None, from })
            }
            (Begins::Again, Some(Input::Action { action, data, source, from, .. })) => {
                Some(Input::Action { action, data, source, client_id: None, while_busy: None, from })
            }
            (Begins::Again, _) => return Err(NotForked::NotAgain(turn)),
            (Begins::Message(text), begun) => {
                let (dashboard, mut begun) = match begun {
                    Some(Input::Message { dashboard, from, .. } | Input::Edit { dashboard, from, .. }) => (dashboard, Some(from)),
                    Some(mut other) => (Vec::new(), other.caller_mut().cloned()),
                    None => (Vec::new(), None),
                };
                let from = begun.take().or_else(|| Some(self.player.session()?.caller().clone())).unwrap_or_default();
                Some(Input::Message { text, dashboard, client_id: None, while_busy: None, from })
            }
        };
        let library = if prompts.is_empty() { None } else { Some(self.with_prompts(prompts)?) };
        self.snapshot(at);
        let now = Now { moment: self.last, wall: at };
        let (memory, begins) = (memory.map(Box::new), begins.map(Box::new));
        let forked = Input::Forked {
            of: of.session,
            turn,
            memory,
            library: library.as_ref().map(|library| library.hash().to_owned()),
            frame,
            begins,
        };
        self.take(self.number + 1, now, forked, at)?;
        self.snapshot(at);
        let append = |(at, item)| Append { name: to.clone(), generation: 0, at, item };
        Ok(Made { appends: self.items.into_iter().map(append).collect(), generation: self.generation, library })
    }

    /// The library that the session runs on, with other prompts.
    fn with_prompts(&mut self, prompts: BTreeMap<String, String>) -> Result<Arc<Library>, NotForked> {
        let number = self.number;
        let library = self.player.graphs().map_err(|why| NotForked::Unreadable { number, why })?;
        let graph = self.player.session().map(|session| session.graph().clone());
        let mut files = library.files().clone();
        for (node, text) in prompts {
            let found = graph.as_ref().and_then(|graph| graph.nodes.iter().find(|own| *own.name == *node));
            let Some(file) = found.and_then(|node| node.prompt_file.as_deref()) else {
                return Err(NotForked::NoPrompt { node, graph: graph.map_or(String::new(), |graph| graph.name.to_string()) });
            };
            files.insert(file.to_owned(), text);
        }
        let library = Arc::new(Library::load(&files).map_err(|error| NotForked::Prompt(error.to_string()))?);
        self.player.learn(library.clone());
        Ok(library)
    }

    fn snapshot(&mut self, at: Time) {
        if let Some(session) = self.player.session() {
            let bytes = serde_json::to_vec(&session.snapshot()).expect("a session serializes");
            self.items.push((at, Item::Snapshot { number: self.number, bytes }));
        }
    }
}
