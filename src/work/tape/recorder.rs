//! Writes the cassette of one session: beside the one that may be there, which it replaces once it is whole.

use super::asked::{Asked, Key};
use super::cassette::{Entry, FILE_BYTES_MAX, FoundBy, Head, LINE_BYTES_MAX, Line, Turn, VERSION};
use super::texts::Texts;
use crate::contract::DatabaseInfo;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub(super) struct Recorder {
    /// Nothing before the session opens, and after its file could not be written.
    out: Option<(PathBuf, File)>,
    bytes: u64,
    /// How often each question was asked.
    asked: HashMap<Key, u32>,
    texts: Texts,
    databases: Option<Vec<DatabaseInfo>>,
    trouble: Option<String>,
}

impl Recorder {
    /// The databases that the session can query: those that it saw first, `now` if this is the first time.
    pub(super) fn databases(&mut self, now: Vec<DatabaseInfo>) -> Vec<DatabaseInfo> {
        self.databases.get_or_insert(now).clone()
    }

    /// Begins a file beside `path`; a session that opens again in the same run goes on where it was.
    pub(super) fn begin(&mut self, path: &Path, session: &str, suite: Option<String>) {
        if self.out.is_some() || self.trouble.is_some() {
            return;
        }
        let databases = self.databases.clone().unwrap_or_default();
        let head = Head { version: VERSION, session: session.to_owned(), suite, found_by: FoundBy::Question, databases };
        match File::create(unfinished(path)) {
            Ok(file) => self.out = Some((path.to_owned(), file)),
            Err(error) => self.trouble = Some(format!("{} can't be written ({error})", path.display())),
        }
        self.write(&Line::Tape(head));
    }

    /// Draws the number of a question among its equals.
    pub(super) fn number(&mut self, asked: &Asked) -> u32 {
        let count = self.asked.entry(asked.key()).or_default();
        *count += 1;
        *count
    }

    pub(super) fn call(&mut self, mut entry: Entry) {
        for text in self.texts.name(&mut entry.asked) {
            self.write(&Line::Text(text));
        }
        self.write(&Line::Call(Box::new(entry)));
    }

    pub(super) fn turn(&mut self, turn: Turn) {
        self.write(&Line::Turn(turn));
    }

    /// The recording is whole: it takes the place of what was there. What is still written comes to stand behind it.
    pub(super) fn keep(&mut self) {
        let Some((path, _)) = &self.out else { return };
        if let Err(error) = std::fs::rename(unfinished(path), path) {
            self.trouble = Some(format!("{} can't be written ({error})", path.display()));
        }
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }

    fn write(&mut self, line: &Line) {
        let Some((path, file)) = &mut self.out else { return };
        let mut bytes = serde_json::to_vec(line).expect("our own plain data is always JSON");
        bytes.push(b'\n');
        self.bytes += bytes.len() as u64;
        let written = match bytes.len() > LINE_BYTES_MAX || self.bytes > FILE_BYTES_MAX {
            true => Err("it would grow too long".to_owned()),
            false => file.write_all(&bytes).map_err(|error| error.to_string()),
        };
        if let Err(why) = written {
            self.trouble = Some(format!("{} can't be written any further ({why})", path.display()));
            self.out = None;
        }
    }
}

/// What is being recorded into `path`.
fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("jsonl.part")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_recording_that_would_grow_too_long_ends_and_says_so() {
        let path = std::env::temp_dir().join(format!("framewright-recorder-{}.jsonl", std::process::id()));
        for (before, line, is_whole) in [(0, 10, true), (FILE_BYTES_MAX - 50, 10, false), (0, LINE_BYTES_MAX, false)] {
            let mut recorder = Recorder::default();
            recorder.begin(&path, "a", None);
            recorder.bytes += before;
            recorder.turn(Turn { said: "x".repeat(line), seen: vec![json!({})] });
            assert_eq!(recorder.trouble().is_none(), is_whole, "{:?}", recorder.trouble());
        }
        std::fs::remove_file(unfinished(&path)).unwrap();
    }

    #[test]
    fn what_was_recorded_before_stays_until_a_new_recording_is_whole() {
        let path = std::env::temp_dir().join(format!("framewright-kept-{}.jsonl", std::process::id()));
        std::fs::write(&path, "before").unwrap();
        let mut recorder = Recorder::default();
        recorder.begin(&path, "a", None);
        recorder.turn(Turn { said: "one".to_owned(), seen: Vec::new() });
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "before");
        recorder.keep();
        recorder.turn(Turn { said: "two".to_owned(), seen: Vec::new() });
        let kept = std::fs::read_to_string(&path).unwrap();
        assert!(kept.lines().count() == 3 && kept.contains("two") && !unfinished(&path).exists(), "{kept}");
        recorder.keep();
        assert!(recorder.trouble().is_some(), "there is nothing left to keep");
        std::fs::remove_file(path).unwrap();
    }
}
