//! The file that `framewright sessions export` writes: JSON Lines, the first with the format's version.
//!
//! A session is a `session` line, its records and turns, and an `end` line with their counts, so that a file that was cut off is
//! noticed. A library stands before the first record that names it, once a file.

use super::Failure;
use crate::contract::journal::{Name, Record, Turn};
use crate::contract::{Input, Time};
use crate::shard::restore;
use crate::store::TurnRow;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

/// What this version writes and reads.
pub(super) const FORMAT: u32 = 1;

/// A longer line is no part of an export: inputs and turns are bounded far below.
const LINE_BYTES_MAX: u64 = 256 << 20;

/// A line, as an object with one key.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Export(Head),
    Session(About),
    Library(KeptLibrary),
    Record(KeptRecord),
    Turn(Box<KeptTurn>),
    End(Counts),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) format: u32,
    /// The program that wrote it.
    framewright: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct About {
    user: String,
    session: String,
    title: String,
}

/// JSON word for word, because digests and hashes are of bytes; what isn't JSON on one line is written as base64.
#[derive(Debug, Serialize, Deserialize)]
struct Bytes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptLibrary {
    hash: String,
    files: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptRecord {
    number: u64,
    generation: u32,
    at: u64,
    record: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptTurn {
    turn: u64,
    number: u64,
    started_at: u64,
    question: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    answer: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    progress: String,
    status: String,
    degraded: Option<String>,
    graph: String,
    path: String,
    total_us: u64,
    first_token_us: Option<u64>,
    tokens_in: u64,
    tokens_out: u64,
    cost_micros: u64,
    is_hidden: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_replaced: bool,
    rating: Option<i8>,
    comment: Option<String>,
    detail: Bytes,
}

/// Lines of the session before this one.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Counts {
    records: usize,
    turns: usize,
}

/// Libraries by content hash: the bytes of their files.
pub(super) type Libraries = BTreeMap<String, Vec<u8>>;

/// A session as a file has it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) name: Name,
    pub(super) title: String,
    pub(super) records: Vec<Record>,
    pub(super) turns: Vec<TurnRow>,
}

impl Bytes {
    fn of(bytes: Vec<u8>) -> Bytes {
        let text = String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes);
        let json = text.and_then(|text| match text.contains('\n') {
            true => Err(text.into_bytes()),
            false => RawValue::from_string(text.clone()).map_err(|_| text.into_bytes()),
        });
        match json {
            Ok(json) => Bytes { json: Some(json), base64: None },
            Err(bytes) => Bytes { json: None, base64: Some(BASE64.encode(&bytes)) },
        }
    }

    fn bytes(self) -> Option<Vec<u8>> {
        match (self.json, self.base64) {
            (Some(json), None) => Some(json.get().as_bytes().to_vec()),
            (None, Some(base64)) => BASE64.decode(base64.as_bytes()).ok(),
            _ => None,
        }
    }
}

/// The hash of the library that a record has the session run on.
pub(super) fn library_named(record: &[u8]) -> Option<String> {
    match serde_json::from_slice::<restore::Record>(record).ok()?.input {
        Input::Opened { library, .. } | Input::Reloaded { library, .. } => Some(library),
        Input::Forked { library, .. } => library,
        _ => None,
    }
}

/// Writes an export.
pub(super) struct Exporter<W> {
    out: W,
    counts: Counts,
}

impl<W: Write> Exporter<W> {
    pub(super) fn begin(out: W) -> io::Result<Exporter<W>> {
        let mut exporter = Exporter { out, counts: Counts::default() };
        exporter.write(&Line::Export(Head { format: FORMAT, framewright: env!("CARGO_PKG_VERSION").to_owned() }))?;
        Ok(exporter)
    }

    pub(super) fn session(&mut self, name: &Name, title: &str) -> io::Result<()> {
        self.counts = Counts::default();
        let Name { user, session } = name.clone();
        self.write(&Line::Session(About { user, session, title: title.to_owned() }))
    }

    pub(super) fn library(&mut self, hash: &str, files: Vec<u8>) -> io::Result<()> {
        self.write(&Line::Library(KeptLibrary { hash: hash.to_owned(), files: Bytes::of(files) }))
    }

    pub(super) fn record(&mut self, record: Record) -> io::Result<()> {
        self.counts.records += 1;
        let Record { number, generation, at, bytes } = record;
        self.write(&Line::Record(KeptRecord { number, generation, at: at.0, record: Bytes::of(bytes) }))
    }

    pub(super) fn turn(&mut self, row: TurnRow) -> io::Result<()> {
        self.counts.turns += 1;
        self.write(&Line::Turn(Box::new(KeptTurn::of(row))))
    }

    pub(super) fn end_session(&mut self) -> io::Result<()> {
        let counts = std::mem::take(&mut self.counts);
        self.write(&Line::End(counts))
    }

    pub(super) fn end(mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn write(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, line)?;
        self.out.write_all(b"\n")
    }
}

impl KeptTurn {
    fn of(row: TurnRow) -> KeptTurn {
        let TurnRow { turn, is_hidden, is_replaced, rating, comment, .. } = row;
        KeptTurn {
            turn: turn.turn,
            number: turn.number,
            started_at: turn.started_at.0,
            question: turn.question,
            client_id: turn.client_id,
            answer: turn.answer,
            progress: turn.progress,
            status: turn.status,
            degraded: turn.degraded,
            graph: turn.graph,
            path: turn.path,
            total_us: turn.total_us,
            first_token_us: turn.first_token_us,
            tokens_in: turn.tokens_in,
            tokens_out: turn.tokens_out,
            cost_micros: turn.cost_micros,
            is_hidden,
            is_replaced,
            rating,
            comment,
            detail: Bytes::of(turn.detail),
        }
    }

    fn row(self) -> Option<TurnRow> {
        let turn = Turn {
            turn: self.turn,
            number: self.number,
            started_at: Time(self.started_at),
            question: self.question,
            client_id: self.client_id,
            answer: self.answer,
            progress: self.progress,
            status: self.status,
            degraded: self.degraded,
            graph: self.graph,
            path: self.path,
            total_us: self.total_us,
            first_token_us: self.first_token_us,
            tokens_in: self.tokens_in,
            tokens_out: self.tokens_out,
            cost_micros: self.cost_micros,
            detail: self.detail.bytes()?,
        };
        let (is_hidden, is_replaced) = (self.is_hidden, self.is_replaced);
        Some(TurnRow { turn, is_hidden, is_replaced, rating: self.rating, comment: self.comment, ..TurnRow::default() })
    }
}

/// Reads an export, session by session; `take` gets each with the libraries that the file has named so far.
///
/// # Errors
/// The file can't be read, or is no whole export of a format that this version knows: the failure names the line.
pub(super) fn read(path: &Path, mut take: impl FnMut(Session, &Libraries) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut lines = Lines::open(path)?;
    let Some(Line::Export(head)) = lines.next()? else { return Err(lines.wrong("is not an export of sessions")) };
    if head.format != FORMAT {
        let Head { format, framewright } = head;
        return Err(lines
            .wrong(&format!("framewright {framewright} wrote format {format}, and this version reads format {FORMAT}: use that version")));
    }
    let (mut libraries, mut open) = (Libraries::new(), None::<Session>);
    while let Some(line) = lines.next()? {
        match (line, &mut open) {
            (Line::Session(About { user, session, title }), None) => {
                open = Some(Session { name: Name { user, session }, title, records: Vec::new(), turns: Vec::new() });
            }
            (Line::Library(KeptLibrary { hash, files }), Some(_)) => {
                let files = files.bytes().ok_or_else(|| lines.wrong("its files can't be read"))?;
                if restore::kept_library(&hash, &files).is_none() {
                    return Err(lines.wrong(&format!("the graphs {hash} can't be used by this version, or were changed")));
                }
                libraries.insert(hash, files);
            }
            (Line::Record(KeptRecord { number, generation, at, record }), Some(session)) => {
                if number != session.records.len() as u64 + 1 {
                    return Err(lines.wrong(&format!("record {} is missing", session.records.len() + 1)));
                }
                let bytes = record.bytes().ok_or_else(|| lines.wrong("the record can't be read"))?;
                session.records.push(Record { number, generation, at: Time(at), bytes });
            }
            (Line::Turn(turn), Some(session)) => {
                let row = turn.row().ok_or_else(|| lines.wrong("the turn can't be read"))?;
                session.turns.push(row);
            }
            (Line::End(counts), Some(session)) => {
                if counts != (Counts { records: session.records.len(), turns: session.turns.len() }) {
                    return Err(lines.wrong("lines of this session are missing"));
                }
                open.take().map_or(Ok(()), |session| take(session, &libraries))?;
            }
            _ => return Err(lines.wrong("this line can't stand here")),
        }
    }
    if open.is_some() { Err(lines.wrong("the file ends within a session")) } else { Ok(()) }
}

/// The lines of a file, each with its number.
struct Lines<'a> {
    path: &'a Path,
    from: BufReader<File>,
    number: usize,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Lines<'a>, Failure> {
        let failed = |error| Failure::unavailable(format!("{}: can't be opened ({error})", path.display()));
        Ok(Lines { path, from: BufReader::new(File::open(path).map_err(failed)?), number: 0 })
    }

    fn next(&mut self) -> Result<Option<Line>, Failure> {
        let mut bytes = Vec::new();
        let read = io::Read::take(&mut self.from, LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        let count = read.map_err(|error| Failure::unavailable(format!("{}: can't be read ({error})", self.path.display())))?;
        if count == 0 {
            return Ok(None);
        }
        self.number += 1;
        serde_json::from_slice(&bytes).map(Some).map_err(|error| self.wrong(&format!("is no line of an export ({error})")))
    }

    fn wrong(&self, why: &str) -> Failure {
        Failure::usage(format!("{}:{}: {why}", self.path.display(), self.number.max(1)))
    }
}
