//! What a conversation looks like in a terminal, and what of it goes through a pipe.
//!
//! A terminal gets answers as they grow, progress in between, displays and numbered buttons. A pipe gets the answers alone,
//! each when it is whole.
//! A model wrote the text: characters that would steer the terminal or reverse text are left out.

use super::super::tell;
use serde_json::Value;
use std::io::{self, Write};

pub(super) struct Screen<W> {
    out: W,
    is_terminal: bool,
    is_coloured: bool,
    /// What stands in the line that is not ended yet.
    line: Line,
    /// A pipe's answer so far: what is written can't be taken back, so it goes out only when it is whole.
    held: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    Answer,
    Progress,
    Prompt,
}

const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[31m";
const PLAIN: &str = "\x1b[0m";

impl<W: Write> Screen<W> {
    pub(super) fn new(out: W, is_terminal: bool, is_coloured: bool) -> Self {
        Screen { out, is_terminal, is_coloured, line: Line::Empty, held: String::new() }
    }

    /// More of an answer.
    pub(super) fn answer(&mut self, text: &str) -> io::Result<()> {
        if self.is_terminal {
            return self.grow(Line::Answer, &steerless(text), "");
        }
        self.held.push_str(text);
        Ok(())
    }

    /// The whole answer so far, in place of what was shown of it.
    pub(super) fn replace_answer(&mut self, text: &str) -> io::Result<()> {
        if self.is_terminal {
            self.end_line()?;
        }
        self.held.clear();
        self.answer(text)
    }

    /// What is said while others work.
    pub(super) fn progress(&mut self, text: &str) -> io::Result<()> {
        if self.is_terminal { self.grow(Line::Progress, &steerless(text), DIM) } else { Ok(()) }
    }

    fn grow(&mut self, kind: Line, text: &str, colour: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        if self.line != kind && self.is_terminal {
            self.end_line()?;
        }
        let painted = self.painted(text, colour);
        self.out.write_all(painted.as_bytes())?;
        self.line = if text.ends_with('\n') { Line::Empty } else { kind };
        self.out.flush()
    }

    /// Ends the line that is open, if one is, and with it the answer that a pipe gets.
    pub(super) fn end_line(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.grow(Line::Answer, &steerless(&held), "")?;
        if std::mem::replace(&mut self.line, Line::Empty) != Line::Empty {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// Something that the program itself says. A pipe does not hear it.
    pub(super) fn note(&mut self, text: &str) -> io::Result<()> {
        self.whole_line(text, DIM)
    }

    /// What went wrong; through a pipe it goes beside the answers.
    pub(super) fn error(&mut self, text: &str) -> io::Result<()> {
        if !self.is_terminal {
            tell(steerless(text));
        }
        self.whole_line(text, RED)
    }

    fn whole_line(&mut self, text: &str, colour: &str) -> io::Result<()> {
        if !self.is_terminal || text.is_empty() {
            return Ok(());
        }
        self.end_line()?;
        let painted = self.painted(&steerless(text), colour);
        writeln!(self.out, "{painted}")?;
        self.out.flush()
    }

    pub(super) fn prompt(&mut self) -> io::Result<()> {
        if !self.is_terminal || self.line == Line::Prompt {
            return Ok(());
        }
        self.end_line()?;
        let painted = self.painted("> ", BOLD);
        self.out.write_all(painted.as_bytes())?;
        self.line = Line::Prompt;
        self.out.flush()
    }

    /// The user ended the line by themselves.
    pub(super) fn line_was_entered(&mut self) {
        self.line = Line::Empty;
    }

    /// Displays, and buttons with their numbers.
    pub(super) fn controls(&mut self, controls: &[Value]) -> io::Result<()> {
        if !self.is_terminal || controls.is_empty() {
            return Ok(());
        }
        self.end_line()?;
        for display in controls.iter().filter(|control| control["type"] != "button") {
            let drawn = drawing(display);
            writeln!(self.out, "{}", steerless(&drawn))?;
        }
        let buttons: Vec<String> = buttons(controls)
            .enumerate()
            .map(|(at, button)| {
                let number = self.painted(&format!("[{}]", at + 1), BOLD);
                format!("{number} {}", one_line(&words(button.get("label").unwrap_or(&button["action"]))))
            })
            .collect();
        if !buttons.is_empty() {
            writeln!(self.out, "{}", buttons.join("  "))?;
        }
        self.out.flush()
    }

    fn painted(&self, text: &str, colour: &str) -> String {
        if self.is_coloured && !colour.is_empty() { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }
}

/// All buttons; an approval brings its own.
pub(super) fn buttons(controls: &[Value]) -> impl Iterator<Item = &Value> {
    controls.iter().flat_map(|control| match control["type"].as_str() {
        Some("button") => std::slice::from_ref(control),
        Some("approval") => control["buttons"].as_array().map(Vec::as_slice).unwrap_or_default(),
        _ => &[],
    })
}

/// What a turn waits to have approved.
pub(super) fn approvals(controls: &[Value]) -> impl Iterator<Item = &Value> {
    controls.iter().filter(|control| control["type"] == "approval")
}

/// What is to be done, in full, and until when it waits.
fn approval(approval: &Value) -> String {
    let (node, tool, database) = (words(&approval["node"]), words(&approval["tool"]), words(&approval["database"]));
    let what = if tool.is_empty() { "begin".to_owned() } else { format!("call {tool}") };
    let place = if database.is_empty() { String::new() } else { format!(" on {database}") };
    let until = approval["expires_at"].as_f64().and_then(|ms| jiff::Timestamp::from_millisecond(ms as i64).ok());
    let until = until.map_or(String::new(), |until| format!(" until {until:.0}"));
    format!("{node} wants to {what}{place}. Waits for your approval{until}:\n{}", words(&approval["text"]))
}

/// Without what would steer a terminal, or turn the direction of what follows (bidi embeddings, overrides and isolates).
pub(in crate::cli) fn steerless(text: &str) -> String {
    let turns = |sign: char| matches!(sign, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|sign| !turns(*sign) && (!sign.is_control() || matches!(sign, '\n' | '\t'))).collect()
}

fn one_line(text: &str) -> String {
    steerless(text).replace(['\n', '\t'], " ")
}

/// A value as people read it.
fn words(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields.iter().map(|(name, value)| format!("{name}: {}", words(value))).collect::<Vec<_>>().join(", "),
    }
}

/// A display as text. A model wrote it: everything may be missing or odd.
fn drawing(display: &Value) -> String {
    let label = words(display.get("label").or(display.get("key")).unwrap_or(&Value::Null));
    let headed = |text: String| if label.is_empty() { text } else { format!("{label}: {text}") };
    let under = |text: String| if label.is_empty() { text } else { format!("{label}\n{text}") };
    match display["type"].as_str().unwrap_or_default() {
        "value" => headed(format!("{} {}", words(&display["value"]), words(&display["unit"])).trim_end().to_owned()),
        "progress" => headed(progress(&display["value"], &display["max"])),
        "table" => under(table(&display["columns"], &display["rows"])),
        "chart" => under(chart(display)),
        "approval" => approval(display),
        _ => headed(words(display.get("text").unwrap_or(&display["value"]))),
    }
}

/// A bar and its percentage, as on the page: without a `max`, a part of one. What isn't a number, or has no known end, has no bar.
fn progress(value: &Value, max: &Value) -> String {
    // Decimals and large integers are text.
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|number: &f64| number.is_finite());
    let end = if max.is_null() { Some(1.0) } else { number(max).filter(|max| *max > 0.0) };
    let part = number(value).zip(end).map(|(value, end)| value / end).filter(|part| *part <= 1.0 || !max.is_null());
    match part {
        Some(part) => {
            let done = (part.clamp(0.0, 1.0) * 20.0).round() as usize;
            format!("[{}{}] {} %", "#".repeat(done), ".".repeat(20 - done), (part * 100.0).round())
        }
        None if value.is_null() && max.is_null() => "–".to_owned(),
        None if max.is_null() => words(value),
        None => format!("{} / {}", if value.is_null() { "–".to_owned() } else { words(value) }, words(max)),
    }
}

/// A chart as its numbers: a row for each label, a column for each series.
fn chart(display: &Value) -> String {
    let series = display["series"].as_array().map(Vec::as_slice).unwrap_or_default();
    let values = |one: &Value| one["values"].as_array().cloned().unwrap_or_default();
    let names: Vec<Value> = std::iter::once(Value::from("")).chain(series.iter().map(|one| one["name"].clone())).collect();
    let row = |at: usize| {
        let label = display["x"].get(at).cloned().unwrap_or(Value::from(at + 1));
        let numbers = series.iter().map(|one| values(one).get(at).cloned().unwrap_or_default());
        Value::Array(std::iter::once(label).chain(numbers).collect())
    };
    let count = series.iter().map(|one| values(one).len()).max().unwrap_or(0);
    table(&Value::Array(names), &Value::Array((0..count).map(row).collect()))
}

/// Rows, lists or objects, under their columns.
fn table(columns: &Value, rows: &Value) -> String {
    let empty = Vec::new();
    let rows = rows.as_array().unwrap_or(&empty);
    let column = |column: &Value| words(["label", "name", "key"].iter().find_map(|name| column.get(name)).unwrap_or(column));
    let first = || rows.iter().find_map(Value::as_object).map(|fields| fields.keys().cloned().collect());
    let names: Vec<String> = columns.as_array().map(|columns| columns.iter().map(column).collect()).or_else(first).unwrap_or_default();
    let cells = |row: &Value| -> Vec<String> {
        match row {
            Value::Object(fields) => names.iter().map(|name| one_line(&words(fields.get(name).unwrap_or(&Value::Null)))).collect(),
            Value::Array(cells) => cells.iter().map(|cell| one_line(&words(cell))).collect(),
            _ => vec![one_line(&words(row))],
        }
    };
    let head = (!names.is_empty()).then(|| names.iter().map(|name| one_line(name)).collect::<Vec<_>>());
    let lines: Vec<Vec<String>> = head.into_iter().chain(rows.iter().map(cells)).collect();
    let width = |at: usize| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    let padded = |line: &Vec<String>| {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("  {}", cells.join("  ")).trim_end().to_owned()
    };
    lines.iter().map(padded).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn shown(is_terminal: bool, draw: impl Fn(&mut Screen<&mut Vec<u8>>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        draw(&mut Screen::new(&mut out, is_terminal, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn progress_and_answers_don_t_share_a_line_and_a_pipe_gets_the_answer_alone() {
        let draw = |screen: &mut Screen<&mut Vec<u8>>| {
            screen.prompt()?;
            screen.line_was_entered();
            screen.progress("looking …")?;
            screen.answer("It is ")?;
            screen.answer("\x1b[2Jblue.\r\x07")?;
            screen.note("connection lost")?;
            screen.controls(&[json!({"type":"button","label":"More"})])
        };
        assert_eq!(shown(true, draw), "> looking …\nIt is [2Jblue.\nconnection lost\n[1] More\n");
        let whole = |screen: &mut Screen<&mut Vec<u8>>| draw(screen).and_then(|()| screen.end_line());
        assert_eq!(shown(false, whole), "It is [2Jblue.\n");
    }

    #[test]
    fn a_pipe_gets_each_answer_once_and_without_what_was_taken_back() {
        let draw = |screen: &mut Screen<&mut Vec<u8>>| {
            screen.answer("I think ")?;
            screen.answer("aloud. ")?;
            screen.replace_answer("It is ")?;
            screen.answer("blue.")?;
            screen.end_line()?;
            screen.answer("Two\n")?;
            screen.end_line()?;
            screen.end_line()
        };
        assert_eq!(shown(false, draw), "It is blue.\nTwo\n");
        assert_eq!(shown(true, draw), "I think aloud. \nIt is blue.\nTwo\n");
    }

    #[test]
    fn text_directions_stay_as_they_are() {
        let said = "see \u{202e}gpj.exe\u{202c} \u{2067}x\u{2069} שלום";
        let whole = |screen: &mut Screen<&mut Vec<u8>>| screen.answer(said).and_then(|()| screen.end_line());
        assert_eq!(shown(false, whole), "see gpj.exe x שלום\n");
        let button = json!({"type": "button", "label": "\u{202a}Pay\u{2066} 5"});
        assert_eq!(shown(true, |screen| screen.controls(std::slice::from_ref(&button))), "[1] Pay 5\n");
    }

    #[test]
    fn unknown_progress_has_no_bar() {
        for (value, max, drawn) in [
            (json!(1), json!(4), "[#####...............] 25 %"),
            (json!(0.5), json!(null), "[##########..........] 50 %"),
            (json!(0), json!(4), "[....................] 0 %"),
            (json!(6), json!(4), "[####################] 150 %"),
            (json!(-1), json!(4), "[....................] -25 %"),
            (json!("1.00000000000000000001"), json!("4"), "[#####...............] 25 %"),
            (json!(null), json!(4), "– / 4"),
            (json!("half"), json!(4), "half / 4"),
            (json!(3), json!(0), "3 / 0"),
            (json!(3), json!("many"), "3 / many"),
            (json!(3), json!(null), "3"),
            (json!(null), json!(null), "–"),
        ] {
            assert_eq!(progress(&value, &max), drawn, "{value} of {max}");
        }
    }

    #[test]
    fn displays_are_text_and_buttons_have_numbers() {
        let controls = [
            json!({"type":"text","text":"Plain."}),
            json!({"type":"value","label":"Sum","value":3.5,"unit":"€"}),
            json!({"type":"progress","key":"work","value":1,"max":4}),
            json!({"type":"table","label":"People","columns":["name",{"label":"Age"}],"rows":[["Ada",36],["Grace",85]]}),
            json!({"type":"table","rows":[{"a":1,"b":"two\nlines"}]}),
            json!({"type":"chart","label":"Rain","x":["May","June"],"series":[{"name":"mm","values":[7,12]}]}),
            json!({"type":"odd"}),
            json!({"type":"button","label":"Red","action":"red"}),
            json!({"type":"button","action":"blue"}),
            json!({"type":"approval","node":"eras","tool":"query","database":"shop","text":"SELECT 1","expires_at":1763668166000.5,
                "buttons":[{"type":"button","label":"Approve"},{"type":"button","label":"Decline"}]}),
        ];
        expect![[r#"
            Plain.
            Sum: 3.5 €
            work: [#####...............] 25 %
            People
              name   Age
              Ada    36
              Grace  85
              a  b
              1  two lines
            Rain
                    mm
              May   7
              June  12

            eras wants to call query on shop. Waits for your approval until 2025-11-20T19:49:26Z:
            SELECT 1
            [1] Red  [2] blue  [3] Approve  [4] Decline
        "#]]
        .assert_eq(&shown(true, |screen| screen.controls(&controls)));
    }
}
