//! Checks: what a suite expects of a turn, and whether what came is that.
//!
//! `calls` counts by kind (`llm`, `db`, `http`) or by the first word of a call's label (`describe`, `query`, `expert`). `trace`
//! speaks of names alone: of events, nodes, routes, paths, tools, calls and how they ended, never of what anybody said.
//!
//! Invariant: what is not there satisfies nobody. Without a trace no count of frames or calls holds and nothing is missing from
//! it; without a table only `rows == 0` holds of one.

use super::pattern::{Choice, Count, OF_TEXT, Sought, begins_a_check, verb, words_behind};
use serde_json::Value;

#[derive(Clone, Debug)]
pub enum Check {
    Response(Sought),
    Progress(Sought),
    ActionsHave(Choice),
    ActionsLack(Choice),
    Actions(Count),
    State {
        key: String,
        sought: Sought,
    },
    TraceHas(Choice),
    TraceLacks(Choice),
    Frames(Count),
    Path(Choice),
    Calls {
        kind: String,
        count: Count,
    },
    Rows {
        of: &'static str,
        count: Count,
    },
    Columns {
        of: &'static str,
        have: Choice,
    },
    /// `line` or `bar`.
    Kind {
        of: &'static str,
        is: Choice,
    },
    /// Reported, and failing only where somebody is strict.
    Time(Count),
    /// Scored by a model; reported apart.
    Judge(String),
}

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
    pub time_ms: f64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Passed,
    Failed {
        got: String,
    },
    /// Not for this comparison to decide: what there is to say.
    Reported {
        holds: Option<bool>,
        got: String,
    },
}

const KNOWN: &str = "one of response, actions, state, trace, frames, path, calls, progress, table, chart, time, judge";

impl Check {
    /// Reads what is expected about a thing; the error says what it needs.
    pub fn parse(about: &str, text: &str) -> Result<Check, String> {
        let (verb, rest) = verb(text);
        let count = |text: &str| Count::parse(text, "", "== 4");
        let choice = |rest: &str| words_behind(verb, rest);
        match about {
            "response" => Sought::parse(text).map(Check::Response),
            "progress" => Sought::parse(text).map(Check::Progress),
            "actions" => match verb {
                "has" => choice(rest).map(Check::ActionsHave),
                "not has" => choice(rest).map(Check::ActionsLack),
                "count" => count(rest).map(Check::Actions),
                _ => Err("one of `has A`, `not has A`, `count >= N`".to_owned()),
            },
            "state" => {
                let needed = || format!("a key first and what is said of it, such as `user_name is Ada`: {OF_TEXT}");
                let (key, rest) =
                    text.split_once(char::is_whitespace).filter(|(key, _)| !begins_a_check(key) && *key != "not").ok_or_else(needed)?;
                let sought = Sought::parse(rest).map_err(|what| if what == OF_TEXT { needed() } else { what })?;
                Ok(Check::State { key: key.to_owned(), sought })
            }
            "trace" => match verb {
                "has" => choice(rest).map(Check::TraceHas),
                "not has" => choice(rest).map(Check::TraceLacks),
                _ => Err("one of `has EVENT`, `not has EVENT`".to_owned()),
            },
            "frames" => count(text).map(Check::Frames),
            "path" => Choice::of_names(text).map(Check::Path),
            "calls" => {
                let kind = text.split_once(char::is_whitespace).filter(|(kind, _)| !begins_a_check(kind));
                let (kind, rest) = kind.ok_or("a kind first and then a comparison, such as `db <= 1`")?;
                Ok(Check::Calls { kind: kind.to_lowercase(), count: count(rest)? })
            }
            "table" | "chart" => {
                let of = if about == "table" { "table" } else { "chart" };
                match verb {
                    "rows" => Ok(Check::Rows { of, count: count(rest)? }),
                    "columns" => {
                        let rest = rest.strip_prefix("has ").ok_or("`columns has A`")?;
                        choice(rest).map(|have| Check::Columns { of, have })
                    }
                    "kind" => {
                        let rest = rest.strip_prefix("is ").ok_or("`kind is A`")?;
                        choice(rest).map(|is| Check::Kind { of, is })
                    }
                    _ => Err("one of `rows OP N`, `columns has A`, `kind is A`".to_owned()),
                }
            }
            "time" => Count::parse(text, "ms", "< 500 ms").map(Check::Time),
            "judge" => Ok(Check::Judge(text.to_owned())),
            _ => Err(KNOWN.to_owned()),
        }
    }

    /// Whether it speaks of memory, which is there only once the memorizer has ended.
    pub fn is_about_memory(&self) -> bool {
        matches!(self, Check::State { .. })
    }

    /// Whether it is reported and does not fail a suite.
    pub fn is_reported(&self) -> bool {
        matches!(self, Check::Time(_) | Check::Judge(_))
    }

    pub fn verdict(&self, seen: &Seen) -> Verdict {
        let decided = |holds: bool, got: &dyn Fn() -> String| if holds { Verdict::Passed } else { Verdict::Failed { got: got() } };
        let shown = |text: &str| if text.is_empty() { "nothing".to_owned() } else { format!("{text:?}") };
        let text = |sought: &Sought, text: Option<&str>| decided(sought.holds(text), &|| sought.of(text));
        let said = |text| Some(text).filter(|text: &&String| !text.is_empty()).map(String::as_str);
        let number = |count: &Count, number: f64| decided(count.holds(number), &|| number.to_string());
        match self {
            Check::Response(sought) => text(sought, said(&seen.response)),
            Check::Progress(sought) => text(sought, said(&seen.progress)),
            Check::ActionsHave(choice) => decided(choice.holds(|word| seen.control(word).is_some()), &|| seen.labels()),
            Check::ActionsLack(choice) => decided(!choice.holds(|word| seen.control(word).is_some()), &|| seen.labels()),
            Check::Actions(count) => number(count, seen.buttons().count() as f64),
            Check::State { key, sought } => {
                let value = seen.memory.get(key).filter(|value| !value.is_null()).map(plain).filter(|text| !text.is_empty());
                text(sought, value.as_deref())
            }
            Check::TraceHas(_) | Check::TraceLacks(_) | Check::Frames(_) | Check::Path(_) | Check::Calls { .. } if !seen.is_traced() => {
                Verdict::Failed { got: "no trace of the turn".to_owned() }
            }
            Check::TraceHas(choice) => decided(choice.holds(|word| seen.happened(word)), &|| seen.told()),
            Check::TraceLacks(choice) => decided(!choice.holds(|word| seen.happened(word)), &|| seen.told()),
            Check::Frames(count) => number(count, seen.trace["total_frames"].as_f64().unwrap_or(f64::NAN)),
            Check::Path(choice) => {
                let path = seen.path().to_lowercase();
                decided(choice.holds(|word| path == word), &|| shown(seen.path()))
            }
            Check::Calls { kind, count } => number(count, seen.calls(kind) as f64),
            Check::Rows { of, count } => match seen.displays(of).map(rows).max() {
                Some(rows) => number(count, rows as f64),
                None => decided(count.is_none(), &|| missing(of)),
            },
            Check::Columns { of, .. } | Check::Kind { of, .. } if seen.displays(of).next().is_none() => {
                Verdict::Failed { got: missing(of) }
            }
            Check::Columns { of, have } => {
                let columns: Vec<String> = seen.displays(of).flat_map(columns).collect();
                let is_there = |word: &str| columns.iter().any(|column| column.to_lowercase().contains(word));
                decided(have.holds(is_there), &|| shown(&columns.join(", ")))
            }
            Check::Kind { of, is } => {
                let kinds: Vec<&str> = seen.displays(of).filter_map(|display| display["kind"].as_str()).collect();
                decided(is.holds(|word| kinds.iter().any(|kind| kind.eq_ignore_ascii_case(word))), &|| shown(&kinds.join(", ")))
            }
            Check::Time(count) => Verdict::Reported { holds: Some(count.holds(seen.time_ms)), got: format!("{:.0} ms", seen.time_ms) },
            Check::Judge(_) => Verdict::Reported { holds: None, got: shown(&seen.response) },
        }
    }
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

    fn buttons(&self) -> impl Iterator<Item = &Value> {
        self.controls.iter().filter(|control| control["type"] == "button")
    }

    fn displays(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.controls.iter().filter(move |control| control["type"] == kind)
    }

    /// Whether the turn's trace is there to be asked.
    fn is_traced(&self) -> bool {
        self.trace["frames"].is_array() && self.trace["total_frames"].is_number()
    }

    fn frames(&self) -> impl Iterator<Item = &Value> {
        self.trace["frames"].as_array().into_iter().flatten()
    }

    /// Whether something in the frame trace has this name, or an event of the turn, or the tool that an event tells of.
    fn happened(&self, word: &str) -> bool {
        let whole = ["path", "status"].iter().map(|field| &self.trace[*field]);
        let of_frames = self.frames().flat_map(|frame| frame["nodes"].as_array().into_iter().flatten().chain([&frame["route"]]));
        let background = self.trace["background"].as_array().into_iter().flatten();
        let calls = self.frames().flat_map(calls).chain(background);
        let of_calls = calls.flat_map(|call| ["kind", "label", "status"].map(|field| &call[field]));
        let of_events = self.events.iter().flat_map(|event| ["event", "tool"].map(|field| &event[field]));
        let mut names = whole.chain(of_frames).chain(of_calls).chain(of_events).filter_map(Value::as_str);
        names.any(|name| name.to_lowercase() == word || first_word(name) == word)
    }

    fn told(&self) -> String {
        let names: Vec<&str> = self.events.iter().filter_map(|event| event["event"].as_str()).collect();
        names.join(", ")
    }

    fn calls(&self, kind: &str) -> usize {
        let is_meant = |call: &&Value| call["kind"] == kind || call["label"].as_str().is_some_and(|label| first_word(label) == kind);
        self.frames().flat_map(calls).filter(is_meant).count()
    }
}

fn calls(frame: &Value) -> impl Iterator<Item = &Value> {
    frame["calls"].as_array().into_iter().flatten()
}

/// Of `describe kunden` it is `describe`.
fn first_word(label: &str) -> String {
    label.split(' ').next().unwrap_or_default().to_lowercase()
}

fn missing(display: &str) -> String {
    format!("no {display}")
}

/// The rows of a table, or the places along the axis of a chart.
fn rows(display: &Value) -> usize {
    display["rows"].as_array().or_else(|| display["x"].as_array()).map_or(0, Vec::len)
}

/// The columns of a table, or the series of a chart.
fn columns(display: &Value) -> Vec<String> {
    let columns = display["columns"].as_array().into_iter().flatten().map(plain);
    let series = display["series"].as_array().into_iter().flatten().map(|series| plain(&series["name"]));
    columns.chain(series).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn seen() -> Seen {
        Seen {
            response: "Hello, Ada!".into(),
            progress: "I count.\nDESCRIBE kunden\n".into(),
            controls: vec![
                json!({"type": "button", "label": "Dark red", "action": "dark"}),
                json!({"type": "button", "label": "Red", "action": "red"}),
                json!({"type": "table", "columns": ["ort", "kunden"], "rows": [["Graz", 1], ["Linz", 2]]}),
                json!({"type": "chart", "kind": "line", "x": ["1", "2", "3"], "series": [{"name": "summe", "values": [1, 2, 3]}]}),
            ],
            memory: json!({"user_name": "Ada", "topic": null, "facts": ["likes tea"]}),
            trace: json!({
                "path": "expert", "total_frames": 4, "status": "done", "message": "was it decided and interpreted?",
                "frames": [
                    {"nodes": ["pa"], "route": "eras", "summary": "planned", "calls": [{"kind": "llm", "label": "pa"}]},
                    {"nodes": ["eras"], "route": "output", "calls": [
                        {"kind": "db", "label": "describe kunden"}, {"kind": "db", "label": "query", "status": "error"}]}],
                "background": [{"kind": "llm", "label": "memorizer"}],
            }),
            events: vec![json!({"event": "routed", "output": {"job": "perceived"}}), json!({"event": "tool_call", "tool": "query"})],
            time_ms: 12.0,
        }
    }

    #[test]
    fn each_check_holds_of_what_it_expects_and_fails_of_anything_else() {
        for (about, holds, fails) in [
            ("response", "contains ada or bob", "contains bob"),
            ("response", "matches /^hello/", "is hello"),
            ("progress", "contains describe and count", "not contains kunden"),
            ("actions", "has red and dark", "has blue"),
            ("actions", "not has blue", "not has red"),
            ("actions", "count == 2", "count >= 3"),
            ("state", "user_name is ada", "user_name is bob"),
            ("state", "facts contains tea", "facts contains coffee"),
            ("state", "topic not exists", "topic exists"),
            ("trace", "has routed or decided", "has decided"),
            ("trace", "not has decided", "not has routed"),
            ("trace", "has query and tool_call", "has kunden"),
            ("trace", "has describe and memorizer", "has interpreted"),
            ("trace", "has eras and expert and done and error", "not has error"),
            ("trace", "not has perceived or planned or interpreted", "not has pa"),
            ("frames", "== 4", "== 5"),
            ("path", "expert or pa", "pa"),
            ("calls", "db == 2", "llm > 1"),
            ("calls", "describe 1", "describe == 0"),
            ("table", "rows >= 2", "rows > 2"),
            ("table", "columns has ort and kunden", "columns has ort kunden"),
            ("chart", "rows == 3", "rows == 2"),
            ("chart", "columns has summe", "columns has ort"),
            ("chart", "kind is line", "kind is bar"),
        ] {
            assert_eq!(Check::parse(about, holds).unwrap().verdict(&seen()), Verdict::Passed, "{about}: {holds}");
            let failed = Check::parse(about, fails).unwrap().verdict(&seen());
            assert!(matches!(&failed, Verdict::Failed { got } if !got.is_empty()), "{about}: {fails}: {failed:?}");
        }
    }

    #[test]
    fn what_is_not_there_satisfies_nobody() {
        for (about, text) in [
            ("frames", "!= 4"),
            ("frames", "< 5"),
            ("calls", "db == 0"),
            ("path", "expert"),
            ("trace", "not has decided"),
            ("table", "rows < 5"),
            ("table", "rows != 3"),
            ("chart", "rows >= 0"),
            ("chart", "kind is bar"),
            ("table", "columns has ort"),
            ("response", "exists"),
            ("progress", "exists"),
        ] {
            let check = Check::parse(about, text).unwrap();
            assert!(matches!(check.verdict(&Seen::default()), Verdict::Failed { .. }), "{about}: {text}");
        }
        for (about, text) in [("table", "rows == 0"), ("chart", "rows <= 0"), ("response", "not exists"), ("actions", "count == 0")] {
            assert_eq!(Check::parse(about, text).unwrap().verdict(&Seen::default()), Verdict::Passed, "{about}: {text}");
        }
    }

    #[test]
    fn time_and_judgement_are_reported_and_fail_nothing() {
        for (about, text, holds) in [("time", "< 10 ms", Some(false)), ("time", "< 20ms", Some(true)), ("judge", "it is friendly", None)] {
            let check = Check::parse(about, text).unwrap();
            assert!(check.is_reported());
            assert!(matches!(check.verdict(&seen()), Verdict::Reported { holds: got, .. } if got == holds), "{about}: {text}");
        }
    }

    #[test]
    fn a_control_is_found_by_its_whole_name_before_a_part_of_it() {
        let seen = seen();
        let action = |words: &str| seen.meant(&Choice::parse(words).unwrap()).map(|control| control["action"].clone());
        assert_eq!(action("red"), Some(json!("red")));
        assert_eq!(action("rot or dark"), Some(json!("dark")));
        assert_eq!(action("blue"), None);
    }
}
