//! Makes a cassette of calls that a server has kept of its turns. What was asked is not known whole there, so they are found
//! by who asked and how often.

use super::asked::Asked;
use super::cassette::{Entry, FoundBy, Head, Line, VERSION};
use crate::contract::{Answer, DatabaseInfo, Usage};
use std::collections::HashMap;

/// A call as a server kept it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) label: String,
    pub(super) is_streamed: bool,
    pub(super) usage: Usage,
    pub(super) answer: Answer,
}

/// A cassette for `session`: `calls` in the order in which they began.
pub(super) fn written(session: &str, databases: Vec<DatabaseInfo>, calls: Vec<Kept>) -> String {
    let head = Head { version: VERSION, session: session.to_owned(), suite: None, found_by: FoundBy::Label, databases };
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let entry = |kept: Kept| {
        let Kept { label, is_streamed, usage, mut answer } = kept;
        let number = numbers.entry(label.to_lowercase()).or_default();
        *number += 1;
        let chunks = if is_streamed { vec![std::mem::take(&mut answer.text)] } else { Vec::new() };
        // What was kept is what was told in the end.
        answer.is_retold = false;
        Line::Call(Box::new(Entry { label, number: *number, asked: Asked::unknown(), chunks, usage, outcome: Ok(answer) }))
    };
    let lines: Vec<Line> = std::iter::once(Line::Tape(head)).chain(calls.into_iter().map(entry)).collect();
    let mut text = String::new();
    for line in &lines {
        text.push_str(&serde_json::to_string(line).expect("our own plain data is always JSON"));
        text.push('\n');
    }
    text
}
