//! Checks: what a suite expects of a turn, and whether what came is that.
//!
//! `calls` counts by kind (`llm`, `db`, `http`) or by the first word of a call's label (`describe`, `query`, `expert`). `trace`
//! speaks of names alone: of events, nodes, routes, paths, tools, calls and how they ended, never of what anybody said.
//!
//! Invariant: what is not there satisfies nobody. Without a trace no count of frames or calls holds and nothing is missing from
//! it; without a table only `rows == 0` holds of one. A name that nobody knows is never missing: that would hold of everything.

use super::pattern::{Choice, Count, OF_TEXT, Sought, begins_a_check, verb, words_behind};
use super::seen::{Seen, columns, plain, rows};

/// A display that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    Table,
    Chart,
}

impl Display {
    /// Its `type`, and how suites call it.
    pub fn name(self) -> &'static str {
        match self {
            Display::Table => "table",
            Display::Chart => "chart",
        }
    }
}

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
        of: Display,
        count: Count,
    },
    Columns {
        of: Display,
        have: Choice,
    },
    /// `line` or `bar`.
    Kind {
        of: Display,
        is: Choice,
    },
    /// Reported, and failing only where somebody is strict.
    Time(Count),
    /// Scored by a model; reported apart.
    Judge(String),
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

/// What a check can be about.
pub(super) const SUBJECTS: [&str; 12] =
    ["response", "actions", "state", "trace", "frames", "path", "calls", "progress", "table", "chart", "time", "judge"];

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
                let of = if about == "table" { Display::Table } else { Display::Chart };
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
            _ => Err(format!("one of {}", SUBJECTS.join(", "))),
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
                if let Some(memory) = seen.memory.as_object().filter(|memory| !memory.contains_key(key)) {
                    let keys: Vec<&str> = memory.keys().map(String::as_str).collect();
                    return Verdict::Failed { got: format!("the memory has no `{key}`, only {}", keys.join(", ")) };
                }
                let value = seen.memory.get(key).filter(|value| !value.is_null()).map(plain).filter(|text| !text.is_empty());
                text(sought, value.as_deref())
            }
            Check::TraceHas(_) | Check::TraceLacks(_) | Check::Frames(_) | Check::Path(_) | Check::Calls { .. } if !seen.is_traced() => {
                Verdict::Failed { got: "no trace of the turn".to_owned() }
            }
            Check::TraceHas(choice) => {
                let got = || seen.unknown(choice).map_or(seen.told(), |why| format!("{}; {why}", seen.told()));
                decided(choice.holds(|word| seen.happened(word)), &got)
            }
            Check::TraceLacks(choice) => match seen.unknown(choice) {
                Some(why) => Verdict::Failed { got: why },
                None => decided(!choice.holds(|word| seen.happened(word)), &|| seen.told()),
            },
            Check::Frames(count) => number(count, seen.trace["total_frames"].as_f64().unwrap_or(f64::NAN)),
            Check::Path(choice) => {
                let path = seen.path().to_lowercase();
                decided(choice.holds(|word| path == word), &|| shown(seen.path()))
            }
            Check::Calls { kind, count } => {
                let calls = seen.calls(kind);
                match seen.names.unknown_call(kind).filter(|_| calls == 0) {
                    Some(why) => Verdict::Failed { got: why },
                    None => decided(count.holds(calls as f64), &|| format!("{calls}; {}", seen.called())),
                }
            }
            Check::Rows { of, count } => match seen.displays(*of).map(rows).max() {
                Some(rows) => number(count, rows as f64),
                None => decided(count.is_none(), &|| missing(*of)),
            },
            Check::Columns { of, .. } | Check::Kind { of, .. } if seen.displays(*of).next().is_none() => {
                Verdict::Failed { got: missing(*of) }
            }
            Check::Columns { of, have } => {
                let columns: Vec<String> = seen.displays(*of).flat_map(columns).collect();
                let is_there = |word: &str| columns.iter().any(|column| column.to_lowercase().contains(word));
                decided(have.holds(is_there), &|| shown(&columns.join(", ")))
            }
            Check::Kind { of, is } => {
                let kinds: Vec<&str> = seen.displays(*of).filter_map(|display| display["kind"].as_str()).collect();
                decided(is.holds(|word| kinds.iter().any(|kind| kind.eq_ignore_ascii_case(word))), &|| shown(&kinds.join(", ")))
            }
            Check::Time(count) => Verdict::Reported { holds: Some(count.holds(seen.time_ms)), got: format!("{:.0} ms", seen.time_ms) },
            Check::Judge(_) => Verdict::Reported { holds: None, got: shown(&seen.response) },
        }
    }
}

fn missing(display: Display) -> String {
    format!("no {}", display.name())
}

#[cfg(test)]
mod tests {
    use super::super::names::Names;
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
                "path": "expert", "total_frames": 4, "status": "done", "degraded": "pa could not be understood", "message": "was it decided and interpreted?",
                "frames": [
                    {"nodes": ["pa"], "route": "eras", "summary": "planned", "calls": [{"kind": "llm", "label": "pa"}]},
                    {"nodes": ["eras"], "route": "output", "calls": [
                        {"kind": "db", "label": "describe kunden"}, {"kind": "db", "label": "query", "status": "error"}]}],
                "background": [{"kind": "llm", "label": "memorizer"}],
            }),
            names: Names::of_graph(&json!({
                "name": "small",
                "nodes": [
                    {"name": "pa", "kind": "pa", "model": "strong", "tools": []},
                    {"name": "eras", "kind": "expert", "model": "strong", "tools": ["describe", "query"]},
                    {"name": "output", "kind": "output", "model": "strong", "tools": []}],
                "edges": [{"from": "pa", "route": "eras", "to": "eras"}],
                "paths": [{"name": "expert"}],
            })),
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
            ("trace", "has degraded", "not has degraded"),
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
    fn what_nobody_knows_is_not_missing() {
        for (about, text, says) in [
            (
                "calls",
                "databse == 0",
                "no trace of the graph `small` can count `databse`; there are db, describe, expert, llm, output, pa, query, tables",
            ),
            ("calls", "eras == 0", "no trace of the graph `small` can count `eras`; there are db, describe, expert, "),
            ("calls", "exprt == 0", "no trace of the graph `small` can count `exprt`: did you mean `expert`?"),
            ("trace", "not has percieved", "no trace of the graph `small` can tell of `percieved`: did you mean `perceived`?"),
            ("trace", "not has decided or dircetor", "no trace of the graph `small` can tell of `dircetor`"),
            ("trace", "has plannde", "no trace of the graph `small` can tell of `plannde`: did you mean `planned`?"),
            ("state", "user_nmae not exists", "the memory has no `user_nmae`, only facts, topic, user_name"),
        ] {
            let verdict = Check::parse(about, text).unwrap().verdict(&seen());
            assert!(matches!(&verdict, Verdict::Failed { got } if got.contains(says)), "{about}: {text}: {verdict:?}");
        }
        for (about, text) in [
            ("calls", "tables == 0"),
            ("trace", "not has \"describe rechnungen\""),
            ("trace", "has routed or no_such_name"),
            ("path", "expert or another"),
        ] {
            assert_eq!(Check::parse(about, text).unwrap().verdict(&seen()), Verdict::Passed, "{about}: {text}");
        }
        let undescribed = Seen { names: Names::default(), ..seen() };
        assert_eq!(Check::parse("calls", "databse == 0").unwrap().verdict(&undescribed), Verdict::Passed);
    }

    #[test]
    fn what_there_was_is_told() {
        for (about, text, says) in [
            ("calls", "db == 1", "2; there were llm 1, db 2: pa, describe kunden, query"),
            (
                "trace",
                "has decided",
                "events: routed, tool_call; tools: query; nodes: pa, eras; routes: eras, output; calls: pa, describe kunden, query; background: memorizer",
            ),
            ("response", "length > 20", "11: \"Hello, Ada!\""),
            ("response", "is x", "\"Hello, Ada!\""),
            ("state", "topic exists", "nothing"),
        ] {
            let got = says.to_owned();
            assert_eq!(Check::parse(about, text).unwrap().verdict(&seen()), Verdict::Failed { got }, "{about}: {text}");
        }
        let mut idle = seen();
        idle.trace["frames"] = json!([{"nodes": ["ui"], "calls": []}, {"nodes": ["ui"]}]);
        idle.controls.clear();
        for (about, text, says) in [
            ("calls", "llm == 1", "0; there were no calls"),
            ("trace", "has decided", "events: routed, tool_call; tools: query; nodes: ui ×2; background: memorizer"),
            ("table", "rows > 0", "no table"),
            ("table", "columns has ort", "no table"),
            ("chart", "kind is bar", "no chart"),
        ] {
            let got = says.to_owned();
            assert_eq!(Check::parse(about, text).unwrap().verdict(&idle), Verdict::Failed { got }, "{about}: {text}");
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
