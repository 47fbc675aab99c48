//! Plays the cassette of one session: finds what was answered, and says what differs where nothing was.

use super::asked::{Asked, Key};
use super::cassette::{self, Cassette, Entry, FoundBy, TapeError, Turn};
use super::{ONLOOKER, difference};
use crate::contract::{CallError, DatabaseInfo};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Calls that are told as missing; beyond, the first ones say enough.
const MISSES_MAX: usize = 20;

pub(super) struct Player {
    /// The file's name, for people.
    name: String,
    found_by: FoundBy,
    databases: Vec<DatabaseInfo>,
    /// In the order of the recording.
    calls: Vec<Arc<Entry>>,
    /// The place of each in that order, by what it is found by and its number; until it is asked.
    places: HashMap<(Key, u32), usize>,
    /// How often each was asked so far, and each label.
    asked: HashMap<Key, u32>,
    asked_labels: HashMap<String, usize>,
    /// Each with how many calls had ended before.
    turns: VecDeque<(Turn, usize)>,
    turns_played: usize,
    /// The calls of the turns that were played: it was looked whether all are asked.
    looked_at: usize,
    misses: Vec<String>,
}

impl Player {
    pub(super) fn read(path: &Path, suite: &str) -> Result<Player, TapeError> {
        let Cassette { head, calls, turns } = cassette::read(path)?;
        head.is_of(suite, path)?;
        let place = |(place, entry): (usize, &Entry)| ((key(head.found_by, &entry.label, &entry.asked), entry.number), place);
        Ok(Player {
            name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            found_by: head.found_by,
            databases: head.databases,
            places: calls.iter().enumerate().map(place).collect(),
            calls: calls.into_iter().map(Arc::new).collect(),
            asked: HashMap::new(),
            asked_labels: HashMap::new(),
            turns: turns.into(),
            turns_played: 0,
            looked_at: 0,
            misses: Vec::new(),
        })
    }

    pub(super) fn databases(&self) -> Vec<DatabaseInfo> {
        self.databases.clone()
    }

    /// The recorded answer to a question that is asked now.
    pub(super) fn find(&mut self, label: &str, asked: &Asked) -> Result<Arc<Entry>, CallError> {
        let key = key(self.found_by, label, asked);
        let number = self.asked.entry(key).or_default();
        *number += 1;
        let number = *number;
        let place = self.asked_labels.entry(label.to_owned()).or_default();
        *place += 1;
        let place = *place - 1;
        if let Some(place) = self.places.remove(&(key, number)) {
            return Ok(self.calls[place].clone());
        }
        let difference = self.difference(label, asked, place);
        if self.misses.len() < MISSES_MAX {
            self.misses.push(difference.clone());
        }
        Err(CallError::NotOnTape { difference })
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.calls.iter().any(|entry| entry.label == label)
    }

    pub(super) fn misses(&mut self) -> Vec<String> {
        std::mem::take(&mut self.misses)
    }

    /// A turn has ended. What a client saw of it has to be what was seen then, and whatever was asked then has to be asked.
    pub(super) fn turn(&mut self, turn: &Turn) -> Result<(), String> {
        if self.found_by == FoundBy::Label && self.turns.is_empty() && self.turns_played == 0 {
            // Nobody watched what was taken from a server that runs.
            return Ok(());
        }
        self.turns_played += 1;
        let number = self.turns_played;
        let Some((recorded, calls)) = self.turns.pop_front() else {
            return Err(format!("turn {number} (`{}`) is not on the tape {}: record it again with --record", turn.said, self.name));
        };
        if recorded.said != turn.said {
            return Err(format!("turn {number} is `{}`, and on the tape {} it is `{}`", turn.said, self.name, recorded.said));
        }
        let looked_at = std::mem::replace(&mut self.looked_at, calls);
        let (unasked, shown) = (self.unasked(looked_at..calls), shown(&recorded.seen, &turn.seen));
        let (said, name) = (&turn.said, &self.name);
        let unasked = unasked.map(|labels| format!("turn {number} (`{said}`) no longer asks what it asked on the tape {name}: {labels}"));
        let shown = shown.map(|what| format!("turn {number} (`{said}`) shows something else than on the tape {name}: {what}"));
        let differences: Vec<String> = unasked.into_iter().chain(shown).collect();
        if differences.is_empty() { Ok(()) } else { Err(differences.join("; ")) }
    }

    /// The labels of those of these calls that nobody has asked for.
    fn unasked(&self, calls: Range<usize>) -> Option<String> {
        let mut places: Vec<usize> = self.places.values().copied().filter(|place| calls.contains(place)).collect();
        places.sort_unstable();
        let labels = places.into_iter().map(|place| &self.calls[place].label).filter(|label| *label != ONLOOKER);
        let labels: Vec<String> = labels.map(|label| format!("`{label}`")).collect();
        (!labels.is_empty()).then(|| labels.join(", "))
    }

    /// Why nothing is found: what differs from the recorded question that is most like it. `place` counts those of its label.
    fn difference(&self, label: &str, asked: &Asked, place: usize) -> String {
        let name = &self.name;
        let recorded: Vec<&Arc<Entry>> = self.calls.iter().filter(|entry| entry.label == label).collect();
        let likest = recorded
            .iter()
            .enumerate()
            .max_by_key(|(index, entry)| (difference::likeness(&entry.asked, asked), std::cmp::Reverse(index.abs_diff(place))));
        match likest {
            None => format!("`{label}` is asked, which it never was on the tape {name}"),
            Some((_, entry)) if self.found_by == FoundBy::Label || entry.asked == *asked => {
                let count = recorded.iter().filter(|entry| self.found_by == FoundBy::Label || entry.asked == *asked).count();
                format!("`{label}` is asked once more than on the tape {name}, where it was asked this {count}×")
            }
            Some((_, entry)) => {
                format!("what `{label}` is asked is not on the tape {name}: {}", difference::of(&entry.asked, asked))
            }
        }
    }
}

/// The first message of a turn that a client saw otherwise.
fn shown(recorded: &[Value], now: &[Value]) -> Option<String> {
    let text = |seen: &[Value], place: usize| seen.get(place).map(Value::to_string).unwrap_or_default();
    let mut messages = (0..recorded.len().max(now.len())).map(|place| (place, text(recorded, place), text(now, place)));
    let (place, was, is) = messages.find(|(_, was, is)| was != is)?;
    let (was, is) = difference::around(&was, &is);
    Some(format!("message {} was {was} and is {is}", place + 1))
}

fn key(found_by: FoundBy, label: &str, asked: &Asked) -> Key {
    use sha2::{Digest, Sha256};
    match found_by {
        FoundBy::Question => asked.key(),
        // One name of a table is written in several ways.
        FoundBy::Label => Sha256::digest(label.to_lowercase()).into(),
    }
}
