//! What came of a turn, and what there is to say of it.

use super::check::Display;
use super::names::Names;
use super::pattern::Choice;
use serde_json::Value;

/// What came of a turn, as the public interface shows it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub response: String,
    pub progress: String,
    pub controls: Vec<Value>,
    pub memory: Value,
    /// The turn's frame trace.
    pub trace: Value,
    /// The turn's last events.
    pub events: Vec<Value>,
    /// What traces of the turn's graph can tell of.
    pub names: Names,
    pub time_ms: f64,
}

impl Seen {
    /// The path that the turn took.
    pub fn path(&self) -> &str {
        self.trace["path"].as_str().unwrap_or_default()
    }

    /// The first button that a word means: whose label or action is the word, else whose label or action holds it.
    pub fn control(&self, word: &str) -> Option<&Value> {
        let word = word.to_lowercase();
        let says = |control: &Value, is: &dyn Fn(&str) -> bool| {
            ["label", "action"].iter().filter_map(|field| control[field].as_str()).any(|text| is(&text.to_lowercase()))
        };
        let exactly = self.buttons().find(|control| says(control, &|text| text == word));
        exactly.or_else(|| self.buttons().find(|control| says(control, &|text| text.contains(&word))))
    }

    /// The first button that one of the words means.
    pub fn meant(&self, choice: &Choice) -> Option<&Value> {
        choice.0.iter().flatten().find_map(|word| self.control(word))
    }

    /// What the buttons say.
    pub fn labels(&self) -> String {
        let labels: Vec<&str> = self.buttons().filter_map(|control| control["label"].as_str()).collect();
        if labels.is_empty() { "no buttons".to_owned() } else { labels.join(", ") }
    }

    pub(super) fn buttons(&self) -> impl Iterator<Item = &Value> {
        self.controls.iter().filter(|control| control["type"] == "button")
    }

    pub(super) fn displays(&self, display: Display) -> impl Iterator<Item = &Value> {
        self.controls.iter().filter(move |control| control["type"] == display.name())
    }

    /// Whether the turn's trace is there to be asked.
    pub(super) fn is_traced(&self) -> bool {
        self.trace["frames"].is_array() && self.trace["total_frames"].is_number()
    }

    fn frames(&self) -> impl Iterator<Item = &Value> {
        self.trace["frames"].as_array().into_iter().flatten()
    }

    /// Whether something in the frame trace has this name, or an event of the turn, or the tool that an event tells of.
    pub(super) fn happened(&self, word: &str) -> bool {
        let whole = ["path", "status"].iter().map(|field| &self.trace[*field]);
        let of_frames = self.frames().flat_map(|frame| frame["nodes"].as_array().into_iter().flatten().chain([&frame["route"]]));
        let calls = self.frames().flat_map(calls).chain(self.background());
        let of_calls = calls.flat_map(|call| ["kind", "label", "status"].map(|field| &call[field]));
        let of_events = self.events.iter().flat_map(|event| ["event", "tool"].map(|field| &event[field]));
        let degraded = self.trace["degraded"].is_string().then_some("degraded");
        let mut names = whole.chain(of_frames).chain(of_calls).chain(of_events).filter_map(Value::as_str).chain(degraded);
        names.any(|name| name.to_lowercase() == word || first_word(name) == word)
    }

    /// What of it a trace of this graph can't hold, as a sentence; nothing where all of it may be there.
    pub(super) fn unknown(&self, choice: &Choice) -> Option<String> {
        self.names.unknown(choice.0.iter().flatten().map(String::as_str).filter(|word| !self.happened(word)))
    }

    /// The names that the trace tells of.
    pub(super) fn told(&self) -> String {
        let of_events = |field: &str| counted(self.events.iter().filter_map(|event| event[field].as_str()));
        let nodes = self.frames().flat_map(|frame| frame["nodes"].as_array().into_iter().flatten()).filter_map(Value::as_str);
        let routes = self.frames().filter_map(|frame| frame["route"].as_str()).filter(|route| !route.is_empty());
        let of_all = [
            ("events", of_events("event")),
            ("tools", of_events("tool")),
            ("nodes", counted(nodes)),
            ("routes", counted(routes)),
            ("calls", counted(self.all_calls("label"))),
            ("background", counted(self.background().filter_map(|call| call["label"].as_str()))),
        ];
        let told = of_all.iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| format!("{what}: {names}"));
        told.collect::<Vec<_>>().join("; ")
    }

    /// The calls that can be counted: how many of each kind, and what they are called.
    pub(super) fn called(&self) -> String {
        let kinds = counts(self.all_calls("kind"));
        if kinds.is_empty() {
            return "there were no calls".to_owned();
        }
        let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        format!("there were {}: {}", kinds.join(", "), counted(self.all_calls("label")))
    }

    fn background(&self) -> impl Iterator<Item = &Value> {
        self.trace["background"].as_array().into_iter().flatten()
    }

    fn all_calls(&self, field: &'static str) -> impl Iterator<Item = &str> {
        self.frames().flat_map(calls).filter_map(move |call| call[field].as_str())
    }

    pub(super) fn calls(&self, kind: &str) -> usize {
        let is_meant = |call: &&Value| call["kind"] == kind || call["label"].as_str().is_some_and(|label| first_word(label) == kind);
        self.frames().flat_map(calls).filter(is_meant).count()
    }
}

fn calls(frame: &Value) -> impl Iterator<Item = &Value> {
    frame["calls"].as_array().into_iter().flatten()
}

/// Each name once, in the order in which they come, and how often: `pa, expert ×2`.
fn counted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let counts = counts(names);
    let one = |(name, count): &(&str, usize)| if *count == 1 { (*name).to_owned() } else { format!("{name} ×{count}") };
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Each name once, in the order in which they come, and how often.
fn counts<'a>(names: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for name in names {
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts
}

/// Of `describe kunden` it is `describe`.
fn first_word(label: &str) -> String {
    label.split(' ').next().unwrap_or_default().to_lowercase()
}

/// The rows of a table, or the places along the axis of a chart.
pub(super) fn rows(display: &Value) -> usize {
    display["rows"].as_array().or_else(|| display["x"].as_array()).map_or(0, Vec::len)
}

/// The columns of a table, or the series of a chart.
pub(super) fn columns(display: &Value) -> Vec<String> {
    let columns = display["columns"].as_array().into_iter().flatten().map(plain);
    let series = display["series"].as_array().into_iter().flatten().map(|series| plain(&series["name"]));
    columns.chain(series).collect()
}

pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
