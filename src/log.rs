//! The log of a running server: lines on standard error, compact on a terminal and JSON otherwise.
//!
//! Logging never waits: a line goes into a bounded queue, and one thread writes it. When the queue is full, lines are
//! dropped and counted, and the log says how many. Nothing in it holds message contents, keys or tokens: text from outside
//! goes through [`redacted`].

use regex_lite::Regex;
use serde_json::json;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{Registry, reload};

/// Lines that may wait to be written.
const LINES_MAX: usize = 4_096;
/// A longer line is dropped.
const LINE_BYTES_MAX: usize = 16 << 10;
/// How long the end of the program waits for the last lines.
const FLUSH_TIME_MAX: Duration = Duration::from_secs(1);

/// Reads a filter: a level, or levels by target, such as `warn,framewright::work=debug`.
pub fn filter(text: &str) -> Result<Targets, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // A word alone would be read as a target, and a misspelt level would show nothing.
    let is_level = |word: &str| LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level));
    match text.split(',').map(str::trim).find(|part| !part.contains('=') && !is_level(part)) {
        Some(word) => Err(format!("`{word}` is no level; use {}, or target=level", LEVELS.join(", "))),
        None => text.parse().map_err(|error: tracing_subscriber::filter::ParseError| error.to_string()),
    }
}

/// The log of this process. Its end writes what still waits.
#[must_use = "the last lines are lost without it"]
pub struct Log {
    queue: Queue,
    filter: Filter,
}

/// What the log shows, to be changed while the program runs.
#[derive(Clone)]
pub struct Filter(reload::Handle<Targets, Registry>);

impl Log {
    pub fn filter(&self) -> Filter {
        self.filter.clone()
    }
}

impl Filter {
    /// Has the log show what a filter says that has been checked.
    pub fn change(&self, filter: &str) {
        let filter = self::filter(filter).expect("the filter has been checked with the other settings");
        // A second server in one process logs where the first does.
        let _ = self.0.reload(filter);
    }
}

/// Starts the log, for the life of the process, with a filter that has been checked. Panics are logged from then on: where they happened, but not with what
/// data, which may be a user's.
pub fn start(filter: &str) -> Log {
    let is_terminal = io::stderr().is_terminal();
    let queue = Queue::new(LINES_MAX, io::stderr(), is_terminal);
    let filter = self::filter(filter).expect("the filter has been checked with the other settings");
    let (filter, handle) = reload::Layer::new(filter);
    // A second server in one process logs where the first does.
    let _ = tracing::subscriber::set_global_default(subscriber(filter, queue.clone(), is_terminal));
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string);
        // A message that was put together at run time may hold anything.
        let message = panic.payload().downcast_ref::<&'static str>();
        let thread = std::thread::current().name().map(str::to_owned);
        tracing::error!(location, reason = message, thread, "thread panicked");
    }));
    Log { queue, filter: Filter(handle) }
}

fn subscriber(filter: impl Layer<Registry> + Send + Sync, queue: Queue, is_terminal: bool) -> Box<dyn Subscriber + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(queue);
    let registry = tracing_subscriber::registry().with(filter);
    if is_terminal {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Box::new(registry.with(layer.compact().with_ansi(colours)))
    } else {
        Box::new(registry.with(layer.json().flatten_event(true)))
    }
}

enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

/// Where lines wait for the thread that writes them.
#[derive(Clone)]
struct Queue {
    to: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Queue {
    fn new(lines_max: usize, out: impl Write + Send + 'static, is_terminal: bool) -> Queue {
        let (to, lines) = sync_channel(lines_max);
        let dropped = Arc::<AtomicU64>::default();
        let lost = dropped.clone();
        let born = std::thread::Builder::new().name("log".to_owned()).spawn(move || write(&lines, out, &lost, is_terminal));
        // Without the thread every line is dropped.
        drop(born);
        Queue { to, dropped }
    }

    /// Waits for what was logged so far, for a bounded time.
    fn flush(&self) {
        let (to, done) = sync_channel(1);
        // A full queue means that nothing can be written: there is nobody to wait for.
        if self.to.try_send(Message::Flush(to)).is_ok() {
            let _ = done.recv_timeout(FLUSH_TIME_MAX);
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.flush();
    }
}

/// Each event is written at once, so what comes is a line.
impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() > LINE_BYTES_MAX || self.to.try_send(Message::Line(line.to_vec())).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Queue {
    type Writer = Queue;

    fn make_writer(&self) -> Queue {
        self.clone()
    }
}

fn write(lines: &Receiver<Message>, mut out: impl Write, dropped: &AtomicU64, is_terminal: bool) {
    // Nobody can be told that standard error is gone.
    while let Ok(message) = lines.recv() {
        match message {
            Message::Line(line) => drop(out.write_all(&line)),
            Message::Flush(done) => drop((out.flush(), done.try_send(()))),
        }
        let count = dropped.swap(0, Ordering::Relaxed);
        if count > 0 {
            let timestamp = format!("{:.6}", jiff::Timestamp::now());
            let said = "log lines were dropped because they could not be written fast enough";
            let line = match is_terminal {
                true => format!("{timestamp}  WARN framewright::log: {said} count={count}"),
                false => json!({"timestamp": timestamp, "level": "WARN", "message": said, "count": count, "target": "framewright::log"})
                    .to_string(),
            };
            let _ = writeln!(out, "{line}");
        }
    }
}

/// What is shown of a text from outside.
const SHOWN_CHARS_MAX: usize = 500;
/// What is looked at; more is never shown.
const READ_BYTES_MAX: usize = 8 << 10;
const HIDDEN: &str = "•••";
/// So many letters and digits in a row that also stand in a message are part of it.
const SHARED: usize = 8;

/// A text from outside, such as the body of a provider's error, for a line of the log: on one line, without keys, tokens and
/// passwords, and without what it repeats of `contents`; cut to 500 characters.
pub fn redacted<'a>(text: &str, contents: impl IntoIterator<Item = &'a str>) -> String {
    static SECRETS: LazyLock<[(Regex, &str); 6]> = LazyLock::new(|| {
        const NAMES: &str =
            r"x-api-key|api[_-]?key|password|passwd|pwd|(?:client[_-])?secret|authorization|(?:set-)?cookie|(?:\w+[_-])?token";
        let pattern = |pattern: &str| Regex::new(pattern).expect("a pattern of our own");
        [
            (pattern(r"(?i)\b(bearer|basic)\s+[^\s,]+"), "$1 •••"),
            // A password may hold any character, so this goes to the last @ of the word.
            (pattern(r#"(\w://)[^\s"<>]*@"#), "$1•••@"),
            (pattern(r"\beyJ[\w-]+\.[\w.-]+"), HIDDEN),
            (pattern(r"\b(?:sk|pk|rk|gsk|xai|ghp|key|fw)[-_][\w*.-]+"), HIDDEN),
            (pattern(&format!(r#"(?i)\b({NAMES})\b(["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;&}}]+)"#)), "$1$2•••"),
            (pattern(r"[A-Za-z0-9+/_=-]{32,}"), HIDDEN),
        ]
    });
    let read = &text[..text.floor_char_boundary(READ_BYTES_MAX)];
    // What JSON escapes is compared as it was meant.
    let read = serde_json::from_str::<serde_json::Value>(read).map_or_else(|_| read.to_owned(), |value| value.to_string());
    let plain = SECRETS.iter().fold(read, |text, (pattern, shown)| pattern.replace_all(&text, *shown).into_owned());
    let plain: Vec<char> = plain.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    let is_hidden = shared(&plain, contents);
    let mut shown = String::new();
    for (place, sign) in plain.iter().enumerate() {
        match is_hidden[place] {
            true if place == 0 || !is_hidden[place - 1] => shown.push_str(HIDDEN),
            true => {}
            false => shown.push(*sign),
        }
    }
    match shown.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// The letters and digits of a text in lower case, each with its place.
fn letters(signs: impl Iterator<Item = char>) -> impl Iterator<Item = (usize, char)> {
    let lower = |sign: char| sign.to_lowercase().next().unwrap_or(sign);
    signs.enumerate().filter(|(_, sign)| sign.is_alphanumeric()).map(move |(place, sign)| (place, lower(sign)))
}

/// Which characters of `text` also stand in `contents`, in a row of some length. Only letters and digits are compared, since
/// quoting changes the others.
fn shared<'a>(text: &[char], contents: impl IntoIterator<Item = &'a str>) -> Vec<bool> {
    let (places, letters_of_text): (Vec<usize>, Vec<char>) = letters(text.iter().copied()).unzip();
    let mut is_shared = vec![false; text.len()];
    let rows: BTreeSet<&[char]> = letters_of_text.windows(SHARED).collect();
    let mut found: BTreeSet<&[char]> = BTreeSet::new();
    for content in contents {
        let letters: Vec<char> = letters(content.chars()).map(|(_, letter)| letter).collect();
        if (3..SHARED).contains(&letters.len()) {
            for (first, _) in letters_of_text.windows(letters.len()).enumerate().filter(|(_, row)| *row == &letters[..]) {
                is_shared[places[first]..=places[first + letters.len() - 1]].fill(true);
            }
        }
        found.extend(letters.windows(SHARED).filter_map(|row| rows.get(row)));
    }
    for (first, _) in letters_of_text.windows(SHARED).enumerate().filter(|(_, row)| found.contains(row)) {
        is_shared[places[first]..=places[first + SHARED - 1]].fill(true);
    }
    is_shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    /// Writes into memory, once it may.
    struct Held(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Fails when the other end is gone, and from then on nothing is waited for.
            let _ = self.0.recv();
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn counts_and_reports_dropped_lines_and_never_waits() {
        let (hold, held) = channel();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let queue = Queue::new(10, Held(held, written.clone()), false);
        tracing::subscriber::with_default(subscriber(filter("info").unwrap(), queue.clone(), false), || {
            (0..100).for_each(|number| tracing::warn!(number, "a line"));
            tracing::debug!("filtered out");
            drop(hold);
            // The queue was full, so what waits for its end has to try again.
            while queue.to.try_send(Message::Line(b"{\"message\":\"last\"}\n".to_vec())).is_err() {
                std::thread::yield_now();
            }
            // On a busy machine a flush may give up before the thread has had its turn.
            while !String::from_utf8_lossy(&written.lock().unwrap()).contains("last") {
                queue.flush();
            }
        });
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let shown = lines.iter().filter(|line| line["message"] == "a line").count() as u64;
        let dropped: u64 = lines.iter().filter(|line| line["target"] == "framewright::log").filter_map(|line| line["count"].as_u64()).sum();
        assert!(shown >= 10 && dropped > 0, "{text}");
        assert_eq!(shown + dropped, 100, "every line is either shown or counted: {text}");
        assert_eq!(lines[0]["number"], 0);
        assert!(lines[0]["level"] == "WARN" && lines[0]["timestamp"].is_string());
    }

    #[test]
    fn shows_what_the_filter_says_that_was_changed() {
        let (release, held) = channel();
        drop(release);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let queue = Queue::new(10, Held(held, written.clone()), false);
        let (layer, handle) = reload::Layer::new(filter("info").unwrap());
        tracing::subscriber::with_default(subscriber(layer, queue.clone(), false), || {
            for shown in ["warn", "debug", "off"] {
                tracing::debug!("at {shown}");
                Filter(handle.clone()).change(shown);
            }
            tracing::debug!("at last");
            queue.flush();
        });
        let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(text.contains("at off") && text.lines().count() == 1, "{text}");
    }

    #[test]
    fn redacts_keys_tokens_passwords_and_what_repeats_a_message() {
        for (text, shown) in [
            ("model overloaded", "model overloaded"),
            ("Incorrect API key provided: sk-proj-abc123***wxyz.", "Incorrect API key provided: •••"),
            ("Authorization: Bearer abc.def", "Authorization: ••• •••"),
            ("bad header bearer abcdef, retry", "bad header bearer •••, retry"),
            ("mysql://root:p@ss/w0rd@db.example:3306/shop is down", "mysql://•••@db.example:3306/shop is down"),
            ("{\"api_key\":\"hunter2\",\"max_tokens\":5}", "{\"api_key\":•••,\"max_tokens\":5}"),
            ("?token=abc&x=1", "?token=•••&x=1"),
            ("password = 'two words'; next", "password = •••; next"),
            ("jwt eyJhbGciOi.eyJzdWIi.c2ln here", "jwt ••• here"),
            ("id 0123456789abcdef0123456789abcdef end", "id ••• end"),
            ("two\nlines\u{1b}[31m", "two lines [31m"),
            ("invalid value: 'My doctor says \\\"rest\\\"'", "invalid value: '•••\\\"'"),
            ("{\"error\":\"said: f\\u00fcr die \\u00c4rztin!\"}", "{\"error\":\"said: •••!\"}"),
            ("name ada not allowed", "name ••• not allowed"),
        ] {
            let contents = ["My doctor says \"rest\".", "Für die Ärztin", "Ada"];
            assert_eq!(redacted(text, contents), shown);
        }
        let long = redacted(&"word ".repeat(10_000), []);
        assert!(long.chars().count() <= SHOWN_CHARS_MAX + 1 && long.ends_with('…'), "{long}");
        let cut = redacted(&format!("{}mysql://u:{}", "a ".repeat(100), "p ".repeat(10_000)), []);
        assert!(cut.chars().count() <= SHOWN_CHARS_MAX + 1, "{cut}");
    }
}
