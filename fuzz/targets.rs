//! The parsers that read bytes from outside, each as a function that panics when a rule is broken.
//!
//! `cargo fuzz` calls them with what it draws (`fuzz/README.md`), `testcases/fuzzing.rs` with the seeds and with changed ones. What
//! arrives in pieces is read whole and in pieces, and both must come to the same.

use framewright::config::file::File;
use framewright::contract::{Caller, Dialect, Refusal, StreamedField};
use framewright::graph::Library;
use framewright::reading::{self, FieldStream};
use framewright::sql;
use framewright::suite::Suite;
use framewright::wire::http::{Limits, Reader, Step};
use framewright::wire::provider::{self, Bounds, Complaint, Kinds, Manner, Streams};
use framewright::wire::said;
use framewright::wire::websocket::{Codec, Received};
use framewright::work::database::geometry;
use framewright::work::tape::{self, Tape};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[path = "targets/connection.rs"]
mod connection;
#[path = "targets/sign_in.rs"]
mod sign_in;

pub(crate) struct Target {
    pub(crate) name: &'static str,
    run: fn(&[u8]),
}

pub(crate) const TARGETS: &[Target] = &[
    Target { name: "head", run: head },
    Target { name: "chunks", run: chunks },
    Target { name: "websocket", run: websocket },
    Target { name: "message", run: message },
    Target { name: "provider", run: provider },
    Target { name: "graph", run: graph },
    Target { name: "suite", run: suite },
    Target { name: "gate", run: gate },
    Target { name: "cassette", run: cassette },
    Target { name: "config", run: config },
    Target { name: "token", run: sign_in::token },
    Target { name: "keys", run: sign_in::keys },
    Target { name: "api_keys", run: sign_in::api_keys },
    Target { name: "answer", run: structured },
    Target { name: "geometry", run: wkb },
    Target { name: "connection", run: connection::connection },
];

/// Runs one target.
pub(crate) fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the table has it");
    (target.run)(bytes);
}

/// The root of the repository.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.parent().expect("the folder stands in the repository") } else { here }
}

/// What a target begins with: its own folder, what was found once, and what the repository has of its kind.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let files = |folder: PathBuf, ending: &str| -> Vec<Vec<u8>> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
        paths.retain(|path| path.is_file() && path.to_string_lossy().ends_with(ending));
        paths.sort();
        paths.iter().map(|path| fs::read(path).expect("the file can be read")).collect()
    };
    let mut seeds = files(root().join("fuzz/seeds").join(target), "");
    seeds.extend(files(root().join("fuzz/findings").join(target), ""));
    match target {
        "connection" => {
            seeds.extend(files(root().join("fuzz/seeds/head"), ""));
            let frames = files(root().join("fuzz/seeds/websocket"), "");
            seeds.extend(frames.iter().map(|frames| [connection::HANDSHAKE, frames.as_slice()].concat()));
        }
        "answer" => seeds.extend(files(root().join("fuzz/seeds/message"), "")),
        "graph" => seeds.extend(files(root().join("graphs"), ".json")),
        "suite" => seeds.extend(files(root().join("testcases"), ".md")),
        "gate" => {
            for list in files(root().join("testcases/sql"), ".txt") {
                seeds.extend(list.split(|byte| *byte == b'\n').filter(|line| line.len() > 8 && line[0] != b'#').map(<[u8]>::to_vec));
            }
        }
        _ => {}
    }
    seeds
}

/// Requests, one behind the other, whole and in pieces.
fn head(bytes: &[u8]) {
    let whole = requests(bytes, usize::MAX);
    for piece in [1, 3, 61] {
        assert_eq!(requests(bytes, piece), whole, "in pieces of {piece}");
    }
}

/// A chunked body behind a sound head.
fn chunks(bytes: &[u8]) {
    head(&[b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", bytes].concat());
}

/// What a reader makes of bytes that come in pieces of this size.
fn requests(bytes: &[u8], piece: usize) -> Vec<String> {
    let limits = Limits { head_bytes_max: 1_000, body_bytes_max: 2_000 };
    let (mut reader, mut buffer, mut seen) = (Reader::new(limits), Vec::new(), Vec::new());
    for piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        buffer.extend_from_slice(piece);
        loop {
            match reader.step(&mut buffer) {
                Step::More => break,
                // Only a client that sends no body at once is told.
                Step::Continue => {}
                Step::Refused(Refusal { code, .. }) => {
                    seen.push(code.name().to_owned());
                    assert!(matches!(reader.step(&mut buffer), Step::Refused(_)), "what is refused is never continued");
                    return seen;
                }
                Step::Request(request) => {
                    assert!(request.body.len() <= limits.body_bytes_max);
                    assert!(request.path().starts_with('/') || request.path() == "*");
                    seen.push(format!(
                        "{:?} {} {:?} {:?} {} {:?}",
                        request.method,
                        request.path(),
                        request.query("session"),
                        request.host(),
                        request.keep_alive,
                        request.body
                    ));
                }
            }
        }
        assert!(buffer.len() <= limits.head_bytes_max.max(limits.body_bytes_max) + piece.len(), "the buffer has a bound");
    }
    seen
}

const WEBSOCKET_BYTES_MAX: usize = 1_000;

/// A client's frames, whole and in pieces.
fn websocket(bytes: &[u8]) {
    let whole = messages(bytes, usize::MAX);
    for piece in [1, 5, 100] {
        assert_eq!(messages(bytes, piece), whole, "in pieces of {piece}");
    }
}

/// What was said, and the code that the server closes with.
fn messages(bytes: &[u8], piece: usize) -> (Vec<Received>, Vec<u8>) {
    let (mut codec, mut seen, mut out) = (Codec::new(WEBSOCKET_BYTES_MAX), Vec::new(), Vec::new());
    for piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        codec.feed(piece);
        assert!(codec.partial_bytes() <= 3 * WEBSOCKET_BYTES_MAX + 1_024, "a message of nothing but heads has a bound too");
        while let Some(received) = codec.next(&mut out) {
            let is_over = received == Received::Over;
            if let Received::Text(text) = &received {
                assert!(text.len() <= WEBSOCKET_BYTES_MAX);
            }
            seen.push(received);
            if is_over {
                let close = out.iter().rposition(|byte| *byte == 0x88).map(|at| &out[(at + 2).min(out.len())..(at + 4).min(out.len())]);
                return (seen, close.unwrap_or_default().to_vec());
            }
        }
    }
    assert!(out.len() <= 2 * bytes.len(), "pongs are no longer than pings");
    (seen, Vec::new())
}

/// What clients say on the chat socket and in bodies.
fn message(bytes: &[u8]) {
    let from = Caller::default;
    if let Ok(object) = said::object(bytes) {
        let _ = said::message(object.clone(), from());
        let _ = said::action(object.clone(), from());
        let _ = said::cancel(&object);
        let _ = said::switch(object, from());
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = said::client_id_of(text);
        if let Ok(input) = said::said(text, from()) {
            let written = serde_json::to_string(&input).expect("an input is JSON");
            let read: framewright::contract::Input = serde_json::from_str(&written).expect("it was written just now");
            assert_eq!(serde_json::to_string(&read).expect("an input is JSON"), written);
        }
    }
}

/// A model's answer. The first byte says how it is read.
fn provider(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let whole = answer(*how, bytes, usize::MAX);
    for piece in [1, 7, 64] {
        assert_eq!(answer(*how, bytes, piece), whole, "in pieces of {piece}");
    }
    let _ = Complaint::read(400 + u16::from(*how), bytes).error();
}

fn answer(how: u8, bytes: &[u8], piece: usize) -> String {
    let bounds = Bounds { text_bytes_max: 500, piece_bytes_max: 2_000, all_bytes_max: 1 << 20 };
    let named = if how & 2 != 0 { Kinds::named_in("<think>, <thought> and [THINK]") } else { Kinds::default() };
    let manner = Manner { opens_itself: how & 1 != 0, named, wants_json: how & 4 != 0 };
    let mut field_stream = FieldStream::new(&StreamedField { field: "answer".into(), unless: (how & 32 != 0).then(|| "expert".into()) });
    let streams = match how & 24 {
        0 => Streams::Nothing,
        8 => Streams::Text,
        _ => Streams::Field(&mut field_stream),
    };
    let mut reader = provider::Reader::new(bounds, manner, streams);
    let mut said = String::new();
    let mut fed = Ok(());
    for piece in bytes.chunks(piece.min(bytes.len().max(1))) {
        fed = reader.feed(piece, &mut |text| said.push_str(text));
        if fed.is_err() || reader.done() {
            break;
        }
    }
    let ended = fed.and_then(|()| reader.end(&mut |text| said.push_str(text)));
    match ended {
        Ok(answer) => {
            assert!(answer.text.len() <= bounds.text_bytes_max && said.len() <= 2 * bounds.text_bytes_max);
            format!("{said:?} {answer:?}")
        }
        // How much was said before it broke is a matter of the pieces.
        Err(error) => format!("{error:?}"),
    }
}

/// What a model writes where JSON is wanted.
fn structured(bytes: &[u8]) {
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "only that it can be read is looked at")]
    struct Wanted {
        answer: Option<String>,
        #[serde(default)]
        steps: Vec<Step>,
        count: Option<i64>,
        share: Option<f64>,
        is_open: Option<bool>,
    }
    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code, reason = "only that it can be read is looked at")]
    struct Step {
        tool: String,
        args: Option<BTreeMap<String, serde_json::Value>>,
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Err(wrong) = reading::read::<Wanted>(text) {
        let says = wrong.to_string();
        assert!(!says.is_empty() && says.len() < 4_000, "{says}");
    }
    if let Some(value) = reading::certain(text).filter(serde_json::Value::is_object) {
        let written = value.to_string();
        assert_eq!(reading::certain(&written).as_ref(), Some(&value), "what is certain stays so: {written}");
    }
}

/// A geometry as a database sends it.
fn wkb(bytes: &[u8]) {
    if let Some(words) = geometry::words(bytes) {
        // Three hundred digits at most for eight bytes.
        assert!(!words.is_empty() && words.len() <= 20 + 60 * bytes.len(), "{} bytes: {words}", bytes.len());
    }
}

/// A graph beside ours, with their prompts and schemas.
fn graph(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    thread_local! {
        static FILES: BTreeMap<String, String> = prompts_and_schemas();
    }
    let mut files = FILES.with(BTreeMap::clone);
    files.insert("fuzzed.json".to_owned(), text.to_owned());
    match Library::load(&files) {
        Ok(library) => {
            for name in library.names() {
                let graph = library.graph(&name).expect("it names it");
                assert_eq!(graph.describe()["name"], *name);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn prompts_and_schemas() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in ["prompts", "schemas"] {
        gather(&root().join("graphs").join(folder), folder, &mut files);
    }
    files
}

fn gather(folder: &Path, name: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("our graphs are there") {
        let path = entry.expect("the folder can be read").path();
        let name = format!("{name}/{}", path.file_name().expect("an entry has a name").to_string_lossy());
        if path.is_dir() {
            gather(&path, &name, files);
        } else {
            files.insert(name, fs::read_to_string(&path).expect("it is text"));
        }
    }
}

/// A test suite.
fn suite(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Suite::parse(text) {
        Ok(suite) => assert!(!suite.steps.is_empty() && !suite.title.is_empty()),
        Err(error) => {
            let lines = text.replace("\r\n", "\n").replace('\r', "\n").lines().count();
            assert!((1..=lines.max(1)).contains(&error.line), "{error}");
        }
    }
}

/// A statement that a model wrote.
fn gate(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for dialect in [Dialect::Mysql, Dialect::Sqlite] {
        match sql::check(text, dialect, &["shop"]) {
            Ok(reading) => {
                let again = sql::check(&reading.statement, dialect, &["shop"]);
                assert_eq!(again.as_ref(), Ok(&reading), "what may be sent may be sent as it is sent");
            }
            Err(denied) => assert!(!denied.to_string().is_empty()),
        }
    }
}

/// A recording of calls.
fn cassette(bytes: &[u8]) {
    thread_local! {
        static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder for temporary files");
    }
    FOLDER.with(|folder| {
        fs::write(tape::file(folder.path(), "fuzzed"), bytes).expect("the folder takes it");
        match Tape::replay(folder.path(), BTreeMap::from([("fuzzed".to_owned(), "fuzzed.md".to_owned())])) {
            Ok(tape) => {
                let _ = (tape.has("output"), tape.misses("fuzzed"), tape.turn("fuzzed", "send: hello", Vec::new()));
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

/// A file of settings.
fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match File::parse(Path::new("framewright.toml"), text) {
        Ok(file) => {
            for entry in &file.entries {
                assert!(entry.line >= 1 && entry.line <= text.lines().count() + 1, "{entry:?}");
            }
        }
        Err(error) => assert!(error.to_string().starts_with("framewright.toml:"), "{error}"),
    }
}
