//! A kept turn as a suite with its cassette, from what a server or a journal shows of it.
//!
//! What is kept of a turn is what each call was answered, but not all that came before it. So the calls of such a cassette are found
//! by who asked and how often.

use super::kept::{self, Kept};
use crate::contract::{Answer, DatabaseAnswer, DatabaseInfo, Rows, Usage, clip};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::Write;

/// What is expected of an answer, at most.
const EXPECTED_BYTES: usize = 120;
/// Events whose coming is expected of a turn.
const EVENTS: &[&str] = &["perceived", "decided", "routed", "planned", "interpreted", "tool_call", "tool_result"];
/// The last events of a turn in which they are looked for.
const LINES: usize = 30;

/// What is known of a turn.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The session's name.
    pub session: String,
    /// The turns that made its controls, where one was used, and the turn itself, as `/api/turn` shows them.
    pub turns: Vec<Value>,
    /// The messages of the session, as `/api/history` shows them.
    pub history: Value,
    /// What happened in the turn, by the names of its events, in order.
    pub events: Vec<String>,
    /// The tables that the session knew, as `schema_cache` in `/api/state`.
    pub known: Value,
}

/// A turn as it is written down.
pub struct Taken {
    /// The name of both files, without their endings.
    pub name: String,
    pub suite: String,
    pub cassette: String,
}

impl Taken {
    /// # Errors
    /// Why it can't be played again, in a sentence.
    pub fn of(seen: &Seen) -> Result<Taken, String> {
        let turn = seen.turns.last().ok_or("there is no turn")?;
        let calls = seen.turns.iter().map(calls_of).collect::<Result<Vec<_>, _>>()?.concat();
        let calls: Vec<Kept> = described(&calls, &seen.known).into_iter().chain(calls).collect();
        let databases: Vec<DatabaseInfo> = read(&turn["databases"])?;
        let name = format!("turn-{}", text(&turn["id"]));
        Ok(Taken { suite: suite(seen)?, cassette: kept::written(&name, databases, calls), name })
    }
}

/// What each call of a turn was answered, in the order in which they began.
fn calls_of(turn: &Value) -> Result<Vec<Kept>, String> {
    let (id, trace) = (text(&turn["id"]), &turn["trace"]);
    if trace["status"] != "done" {
        return Err(format!("{id} did not end well ({}): only a turn with an answer can be played again", text(&trace["status"])));
    }
    let records = list(&trace["frames"]).iter().flat_map(|frame| list(&frame["calls"])).chain(list(&trace["background"]));
    let records: Vec<&Value> = records.collect();
    let mut calls: Vec<&Value> = list(&turn["calls"]).iter().collect();
    calls.sort_by_key(|call| call["pid"].as_u64());
    let kept = |call: &Value| {
        let node = text(&call["node"]);
        let record = records.iter().find(|record| record["pid"] == call["pid"]);
        let record = record.ok_or_else(|| format!("the trace of {id} does not tell of a call of `{node}`"))?;
        if record["kind"] == "approval" {
            return Err(format!("{id} waited for a person's approval, which no suite can give: choose a turn without one"));
        }
        if record["status"] != "done" {
            return Err(format!("a call of `{node}` in {id} failed: what it would have said is not known"));
        }
        if call["reply"].is_null() {
            return Err(format!("an answer to `{node}` in {id} was too long to be kept whole, so it can't be played again"));
        }
        Ok(Kept {
            label: text(&record["label"]).to_owned(),
            is_streamed: call["request"]["stream"] == true,
            usage: if record["usage"].is_null() { Usage::NONE } else { read(&record["usage"])? },
            answer: read(&call["reply"])?,
        })
    };
    calls.into_iter().map(kept).collect()
}

/// Descriptions of tables that the session knew from earlier turns: a new one asks for them.
fn described(calls: &[Kept], known: &Value) -> Vec<Kept> {
    let asks_databases = calls.iter().any(|call| call.answer.database.is_some());
    let is_described = |label: &str| calls.iter().any(|call| call.label.eq_ignore_ascii_case(label));
    let tables = known.as_object().into_iter().flatten().filter(|_| asks_databases);
    let table = |(name, columns): (&String, &Value)| {
        let table = name.split_once('.').map_or(name.as_str(), |(_, table)| table);
        let label = format!("describe {table}");
        let columns = list(columns);
        let names: Vec<String> = columns.first().and_then(Value::as_object).into_iter().flat_map(|column| column.keys().cloned()).collect();
        let row = |column: &Value| names.iter().map(|name| column[name].clone()).collect();
        let rows =
            Rows { rows: columns.iter().map(row).collect(), columns: names.clone(), table: Some(table.to_owned()), ..Rows::default() };
        let answer = Answer { database: Some(Box::new(DatabaseAnswer::Rows(rows))), ..Answer::default() };
        (!is_described(&label)).then_some(Kept { label, is_streamed: false, usage: Usage::NONE, answer })
    };
    tables.filter_map(table).collect()
}

/// The suite: a step for the turn, and one before it for those that made its controls.
fn suite(seen: &Seen) -> Result<String, String> {
    let Seen { session, turns, history, events, .. } = seen;
    let (turn, earlier) = turns.split_last().ok_or("there is no turn")?;
    let (id, trace) = (text(&turn["id"]), &turn["trace"]);
    let mut suite = format!("# Turn {id} of the session {}, {}\n\n", session, day(&trace["started_at"]));
    suite += "What a server kept of this turn, to be played with its cassette. The session before it is not part of it, so its calls are found\n\
              by who asked and how often, whatever was asked: this tells that the same answers lead the same way, not that the prompts are\n\
              still the same.\n";
    if !earlier.is_empty() {
        suite += "A control was used, so the turns before it are played first, as far as they are kept.\n";
    }
    put(&mut suite, format_args!("\n- graph: {}\n", text(&trace["graph"])));
    if !earlier.is_empty() {
        suite += "\n## Before it\n";
        for turn in earlier {
            put(&mut suite, format_args!("{}- expect path: \"{}\"\n", begins(turn, history)?, text(&turn["trace"]["path"])));
        }
    }
    put(&mut suite, format_args!("\n## The turn\n{}", begins(turn, history)?));
    put(&mut suite, format_args!("- expect path: \"{}\"\n", text(&trace["path"])));
    put(&mut suite, format_args!("- expect frames: == {}\n", trace["total_frames"]));
    let calls: Vec<&Value> = list(&trace["frames"]).iter().flat_map(|frame| list(&frame["calls"])).collect();
    let count = |is_meant: &dyn Fn(&Value) -> bool| calls.iter().filter(|call| is_meant(call)).count();
    put(&mut suite, format_args!("- expect calls: llm == {}\n", count(&|call| call["kind"] == "llm")));
    let queries = count(&|call| call["label"] == "query");
    if queries > 0 {
        put(&mut suite, format_args!("- expect calls: query == {queries}\n"));
    }
    let own = &events[events.len().saturating_sub(LINES)..];
    let events: Vec<&str> = EVENTS.iter().filter(|event| own.iter().any(|own| own == *event)).copied().collect();
    if !events.is_empty() {
        put(&mut suite, format_args!("- expect trace: has {}\n", events.join(" and ")));
    }
    if let Some(answer) = said(history, id, "assistant") {
        put(&mut suite, format_args!("- expect response: {}\n", expected(answer)));
    }
    Ok(suite)
}

/// The item that begins a turn.
fn begins(turn: &Value, history: &Value) -> Result<String, String> {
    let id = text(&turn["id"]);
    let title = said(history, id, "user").unwrap_or(text(&turn["trace"]["message"])).trim();
    match turn["action"].as_str() {
        // Whatever a label says, what is quoted is one word.
        Some(action) => match [title, action].into_iter().find(|word| !word.is_empty() && !word.contains(['"', '\n'])) {
            Some(word) => Ok(format!("- action: \"{word}\"\n")),
            None => Err(format!("the control of {id} can't be named in a suite: its label and its action hold quotes or lines")),
        },
        None if title.contains('\n') => Err(format!("the message of {id} has several lines, which a suite can't hold")),
        None => Ok(format!("- send: {title}\n")),
    }
}

/// What is expected of an answer: its longest line, as far as it can be quoted.
fn expected(answer: &str) -> String {
    let longest = answer.split(['"', '\n']).map(str::trim).max_by_key(|line| line.len()).unwrap_or_default();
    let whole_words = |cut: String| match cut.strip_suffix('…') {
        Some(cut) => cut.rsplit_once(' ').map_or(cut, |(words, _)| words).to_owned(),
        None => cut,
    };
    match longest.is_empty() {
        true => "length > 0".to_owned(),
        false => format!("contains \"{}\"", whole_words(clip(longest, EXPECTED_BYTES)).trim()),
    }
}

/// What someone said in a turn.
fn said<'a>(history: &'a Value, id: &str, role: &str) -> Option<&'a str> {
    let own = list(history).iter().find(|message| message["id"] == *id && message["role"] == *role);
    own.and_then(|message| message["content"].as_str()).filter(|content| !content.trim().is_empty())
}

fn day(started_ms: &Value) -> String {
    let day = started_ms.as_f64().and_then(|ms| Timestamp::from_millisecond(ms as i64).ok());
    day.map(|time| time.strftime("%Y-%m-%d").to_string()).unwrap_or_default()
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone())
        .map_err(|error| format!("what is kept of the turn has another form than this program knows ({error})"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn put(suite: &mut String, line: std::fmt::Arguments<'_>) {
    suite.write_fmt(line).expect("a text takes whatever is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_expected_of_an_answer_can_be_quoted() {
        let (long, one) = ("sentence ".repeat(100), "w".repeat(300));
        for (answer, expected) in [
            ("Hello! What can I do for you?", "contains \"Hello! What can I do for you?\"".to_owned()),
            ("| a |\nThere are **16** customers.\n", "contains \"There are **16** customers.\"".to_owned()),
            ("He said \"no\" to it all.", "contains \"to it all.\"".to_owned()),
            ("\"", "length > 0".to_owned()),
            (&long, format!("contains \"{}\"", "sentence ".repeat(13).trim())),
            (&one, format!("contains \"{}\"", &one[..EXPECTED_BYTES])),
        ] {
            assert_eq!(super::expected(answer), expected, "{answer}");
        }
    }

    #[test]
    fn what_a_suite_can_not_say_is_refused() {
        let history = json!([{"id": "msg_1", "role": "user", "content": "two\nlines"}]);
        let turn = |id: &str, action: Value, message: &str| json!({"id": id, "action": action, "trace": {"message": message}});
        for (turn, item) in [
            (turn("msg_2", Value::Null, " hello: you "), Ok("- send: hello: you\n")),
            (turn("msg_1", Value::Null, "two"), Err("several lines")),
            (turn("msg_2", json!("red"), "Red or dead"), Ok("- action: \"Red or dead\"\n")),
            (turn("msg_2", json!("red"), "The \"red\" one"), Ok("- action: \"red\"\n")),
            (turn("msg_2", json!("\""), "\""), Err("can't be named")),
        ] {
            match (begins(&turn, &history), item) {
                (Ok(said), Ok(item)) => assert_eq!(said, item),
                (Err(said), Err(why)) => assert!(said.contains(why), "{said}"),
                (said, _) => panic!("{said:?}"),
            }
        }
    }
}
