//! Plays the cassette of one session: finds what was answered, and says what differs where nothing was.

use super::asked::{Asked, Key};
use super::cassette::{self, Entry, FoundBy, TapeError, Turn};
use super::difference;
use crate::contract::{CallError, DatabaseInfo};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

/// Calls that are told as missing; beyond, the first ones say enough.
const MISSES_MAX: usize = 20;

pub(super) struct Player {
    /// The file's name, for people.
    name: String,
    found_by: FoundBy,
    databases: Vec<DatabaseInfo>,
    /// By what they are found by, and their number.
    entries: HashMap<(Key, u32), Arc<Entry>>,
    /// Of each label, in the order of the recording.
    labels: BTreeMap<String, Vec<Arc<Entry>>>,
    /// How often each was asked so far, and each label.
    asked: HashMap<Key, u32>,
    asked_labels: HashMap<String, usize>,
    turns: VecDeque<Turn>,
    turns_played: usize,
    misses: Vec<String>,
}

impl Player {
    pub(super) fn read(path: &Path) -> Result<Player, TapeError> {
        let (head, recorded, turns) = cassette::read(path)?;
        let (mut entries, mut labels) = (HashMap::new(), BTreeMap::<String, Vec<Arc<Entry>>>::new());
        for entry in recorded.into_iter().map(Arc::new) {
            entries.insert((key(head.found_by, &entry.label, &entry.asked), entry.number), entry.clone());
            labels.entry(entry.label.clone()).or_default().push(entry);
        }
        Ok(Player {
            name: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            found_by: head.found_by,
            databases: head.databases,
            entries,
            labels,
            asked: HashMap::new(),
            asked_labels: HashMap::new(),
            turns: turns.into(),
            turns_played: 0,
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
        self.entries.get(&(key, number)).cloned().ok_or_else(|| {
            let difference = self.difference(label, asked, place);
            if self.misses.len() < MISSES_MAX {
                self.misses.push(difference.clone());
            }
            CallError::NotOnTape { difference }
        })
    }

    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.contains_key(label)
    }

    pub(super) fn misses(&mut self) -> Vec<String> {
        std::mem::take(&mut self.misses)
    }

    /// What a client saw of a turn has to be what was seen then.
    pub(super) fn turn(&mut self, turn: &Turn) -> Result<(), String> {
        if self.found_by == FoundBy::Label && self.turns.is_empty() && self.turns_played == 0 {
            // Nobody watched what was taken from a server that runs.
            return Ok(());
        }
        self.turns_played += 1;
        let number = self.turns_played;
        let Some(recorded) = self.turns.pop_front() else {
            return Err(format!("turn {number} (`{}`) is not on the tape {}: record it again with --record", turn.said, self.name));
        };
        if recorded.said != turn.said {
            return Err(format!("turn {number} is `{}`, and on the tape {} it is `{}`", turn.said, self.name, recorded.said));
        }
        let messages = recorded.seen.len().max(turn.seen.len());
        let text = |seen: &[serde_json::Value], place: usize| seen.get(place).map(ToString::to_string).unwrap_or_default();
        let pairs = (0..messages).map(|place| (place, text(&recorded.seen, place), text(&turn.seen, place)));
        match pairs.into_iter().find(|(_, was, is)| was != is) {
            None => Ok(()),
            Some((place, was, is)) => {
                let (was, is) = difference::around(&was, &is);
                Err(format!(
                    "turn {number} (`{}`) shows something else than on the tape {}: message {} was {was} and is {is}",
                    turn.said,
                    self.name,
                    place + 1
                ))
            }
        }
    }

    /// Why nothing is found: what differs from the recorded question that is most like it. `place` counts those of its label.
    fn difference(&self, label: &str, asked: &Asked, place: usize) -> String {
        let name = &self.name;
        let recorded = self.labels.get(label).map(Vec::as_slice).unwrap_or_default();
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

fn key(found_by: FoundBy, label: &str, asked: &Asked) -> Key {
    use sha2::{Digest, Sha256};
    match found_by {
        FoundBy::Question => asked.key(),
        // One name of a table is written in several ways.
        FoundBy::Label => Sha256::digest(label.to_lowercase()).into(),
    }
}
