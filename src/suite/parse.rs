//! A suite's file as steps and items.
//!
//! CommonMark decides what is a heading, a list, code or a comment. The text of an item is taken from the file as it stands,
//! because `*`, `\\` and `<` are ordinary characters of messages and patterns. Every line outside code and comments that looks
//! like an item and isn't one is refused, so that no check is silently skipped.

use super::check::{Check, SUBJECTS};
use super::pattern::Choice;
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag};
use std::ops::Range;

#[derive(Clone, Debug)]
pub struct Suite {
    pub title: String,
    /// What is done before the first step.
    pub before: Vec<Item>,
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub title: String,
    pub line: usize,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug)]
pub struct Item {
    pub line: usize,
    /// As it stands in the file, without its dash.
    pub text: String,
    pub does: Does,
}

#[derive(Clone, Debug)]
pub enum Does {
    Graph(String),
    Clear,
    Send(String),
    /// Uses the first control whose label or action matches.
    Action(Choice),
    Expect(Check),
}

/// What can't be read, and what was expected there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct SuiteError {
    pub line: usize,
    pub what: Wrong,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    #[error("a suite begins with a title: `# <title>`")]
    NoTitle,
    #[error("a suite has one title; write a step as `## <step>`")]
    TwoTitles,
    #[error("a suite has steps: `## <step>`")]
    NoSteps,
    #[error("there is no item `{key}`; use graph, clear, send, action or expect <what>")]
    UnknownKey { key: String },
    #[error("`{key}:` needs {what}")]
    Needs { key: String, what: String },
    #[error("a check speaks of the last `send` or `action`, and nothing was sent before it")]
    NothingSent,
    #[error("this would be skipped as prose; an item stands at the start of its line as `- key: value`")]
    NotAnItem,
    #[error("this would be skipped as prose; write a heading with a space: `## <step>`")]
    NotAHeading,
    #[error("this would be skipped; indent the line to continue the item above, or leave an empty line before prose")]
    Lazy,
    #[error("this would be skipped: it belongs to the item above, which is one paragraph; don't indent it")]
    Behind,
    #[error("a block of code begins here and is never closed, so what follows would be skipped")]
    OpenCode,
    #[error("a comment begins here and is not closed; write `<!--` at the start of a line and close it with `-->`")]
    OpenComment,
}

impl Suite {
    pub fn parse(text: &str) -> Result<Suite, SuiteError> {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let mut reader = Reader::of(&text);
        reader.blocks();
        reader.rest();
        if let Some(error) = reader.wrong.into_iter().min_by_key(|error| error.line) {
            return Err(error);
        }
        let wrong = |what| Err(SuiteError { line: text.lines().count().max(1), what });
        match (reader.suite.title.is_empty(), reader.suite.steps.is_empty()) {
            (true, _) => wrong(Wrong::NoTitle),
            (_, true) => wrong(Wrong::NoSteps),
            (false, false) => Ok(reader.suite),
        }
    }

    /// Its checks that fit.
    pub fn count(&self, fits: impl Fn(&Check) -> bool) -> usize {
        let items = self.before.iter().chain(self.steps.iter().flat_map(|step| &step.items));
        items.filter(|item| matches!(&item.does, Does::Expect(check) if fits(check))).count()
    }
}

/// What items begin with.
const KEYS: [&str; 5] = ["graph", "clear", "send", "action", "expect"];

struct Reader<'a> {
    text: &'a str,
    /// Where each line begins, and whether it has been read as something.
    lines: Vec<(usize, bool)>,
    suite: Suite,
    is_sent: bool,
    wrong: Vec<SuiteError>,
}

/// A point of a list while its parts come by.
struct Point {
    whole: Range<usize>,
    /// Its own text ends here; what follows belongs to it all the same.
    end: usize,
    /// Where a second block of it begins.
    more: Option<usize>,
}

impl<'a> Reader<'a> {
    fn of(text: &'a str) -> Reader<'a> {
        let starts = text.split_inclusive('\n').scan(0, |at, line| Some(std::mem::replace(at, *at + line.len())));
        let suite = Suite { title: String::new(), before: Vec::new(), steps: Vec::new() };
        Reader { text, lines: starts.map(|start| (start, false)).collect(), suite, is_sent: false, wrong: Vec::new() }
    }

    fn blocks(&mut self) {
        let (mut depth, mut point) = (0, None::<Point>);
        for (event, at) in Parser::new_ext(self.text, Options::empty()).into_offset_iter() {
            match event {
                Event::Start(tag) => {
                    match (&tag, &mut point) {
                        (Tag::Heading { level, .. }, _) if depth == 0 => self.heading(*level, &at),
                        (Tag::CodeBlock(CodeBlockKind::Fenced(_)), _) => self.code(&at),
                        (Tag::HtmlBlock, _) => self.comments(&at),
                        (Tag::Item, _) if depth == 1 => point = Some(Point { end: at.end, whole: at.clone(), more: None }),
                        _ => {}
                    }
                    if let (2, Some(point)) = (depth, &mut point) {
                        point.part(&tag, &at, self.text);
                    }
                    depth += 1;
                }
                Event::End(_) => {
                    depth -= 1;
                    if let Some(point) = point.take_if(|_| depth == 1) {
                        self.point(&point);
                    }
                }
                _ => {}
            }
        }
    }

    /// Only `# ` makes a title and `## ` a step: a line of dashes below prose is no heading to those who write it.
    fn heading(&mut self, level: HeadingLevel, at: &Range<usize>) {
        let raw = self.text[at.clone()].trim();
        let Some((_, title)) = raw.split_once(char::is_whitespace).filter(|(marks, _)| marks.starts_with('#')) else { return };
        let title = title.trim().to_owned();
        self.mark(at);
        match level {
            HeadingLevel::H1 if !self.suite.title.is_empty() => self.complain(at.start, Wrong::TwoTitles),
            HeadingLevel::H1 => self.suite.title = title,
            HeadingLevel::H2 => self.suite.steps.push(Step { title, line: self.line(at.start), items: Vec::new() }),
            _ => {}
        }
    }

    fn code(&mut self, at: &Range<usize>) {
        self.mark(at);
        let raw = &self.text[at.clone()];
        let fence = raw.trim_start_matches(['`', '~']);
        let fence = &raw[..raw.len() - fence.len()];
        let last = raw.trim_end().lines().skip(1).last().unwrap_or_default();
        let last = last.trim_start_matches(|sign: char| sign == '>' || sign.is_whitespace());
        if !last.starts_with(fence) || !last.trim_start_matches(&fence[..1]).is_empty() {
            self.complain(at.start, Wrong::OpenCode);
        }
    }

    fn comments(&mut self, block: &Range<usize>) {
        let mut at = block.start;
        while let Some(begin) = self.text[at..block.end].find("<!--").map(|place| at + place) {
            let Some(length) = self.text[begin..block.end].find("-->") else { return self.complain(begin, Wrong::OpenComment) };
            at = begin + length;
            self.mark(&(begin..at));
        }
    }

    /// A point of a list is an item if it says so, and prose otherwise.
    fn point(&mut self, point: &Point) {
        let own = &self.text[point.whole.start..point.end];
        let is_indented = !self.text[..point.whole.start].ends_with('\n') && point.whole.start > 0;
        let Some(own) = own.strip_prefix('-').filter(|_| !is_indented) else { return };
        let mut lines = own.trim_end().split('\n');
        let first = lines.next().unwrap_or_default().trim();
        let mut text = first.to_owned();
        let mut lazy = None;
        for (place, line) in (1..).zip(lines) {
            if !line.starts_with([' ', '\t']) {
                lazy = lazy.or(Some(place));
            }
            text = text + " " + line.trim();
        }
        let does = match does(&text, first.len()) {
            Ok(Some(does)) => does,
            Ok(None) => return,
            Err(what) => return self.complain(point.whole.start, what),
        };
        let line = self.line(point.whole.start);
        self.mark(&(point.whole.start..point.end));
        if let Some(place) = lazy {
            self.wrong.push(SuiteError { line: line + place, what: Wrong::Lazy });
        }
        if let Some(more) = point.more {
            self.complain(more, Wrong::Behind);
        }
        match &does {
            Does::Send(_) | Does::Action(_) => self.is_sent = true,
            Does::Expect(_) if !self.is_sent => self.complain(point.whole.start, Wrong::NothingSent),
            Does::Graph(_) | Does::Clear | Does::Expect(_) => {}
        }
        let items = self.suite.steps.last_mut().map_or(&mut self.suite.before, |step| &mut step.items);
        items.push(Item { line, text, does });
    }

    /// Looks through what nothing has been read from.
    fn rest(&mut self) {
        let ends = self.lines.iter().skip(1).map(|(start, _)| *start).chain([self.text.len()]);
        let lines: Vec<(usize, &str)> = self
            .lines
            .iter()
            .zip(ends)
            .filter(|((_, is_read), _)| !is_read)
            .map(|((start, _), end)| (*start, &self.text[*start..end]))
            .collect();
        for (start, line) in lines {
            if looks_like_an_item(line) {
                self.complain(start, Wrong::NotAnItem);
            } else if line.trim_start_matches('#').starts_with(char::is_alphanumeric) && line.starts_with("##") {
                self.complain(start, Wrong::NotAHeading);
            } else if line.rfind("<!--") > line.rfind("-->") {
                self.complain(start, Wrong::OpenComment);
            }
        }
    }

    fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|(start, _)| *start <= at)
    }

    fn mark(&mut self, at: &Range<usize>) {
        let (first, last) = (self.line(at.start), self.line(at.end.saturating_sub(1)));
        self.lines[first - 1..last].iter_mut().for_each(|(_, is_read)| *is_read = true);
    }

    fn complain(&mut self, at: usize, what: Wrong) {
        self.wrong.push(SuiteError { line: self.line(at), what });
    }
}

impl Point {
    /// Notes where its own text ends: behind its first paragraph, or before whatever else comes.
    fn part(&mut self, tag: &Tag<'_>, at: &Range<usize>, text: &str) {
        let is_first = text[self.whole.start..at.start].trim_start_matches('-').trim().is_empty();
        match tag {
            Tag::Paragraph if is_first => self.end = at.end,
            Tag::Paragraph | Tag::Heading { .. } | Tag::BlockQuote(_) | Tag::CodeBlock(_) | Tag::HtmlBlock | Tag::List(_) => {
                self.end = self.end.min(at.start);
                self.more = self.more.or(Some(at.start));
            }
            _ => {}
        }
    }
}

/// Whether a line that is no item was meant as one.
fn looks_like_an_item(line: &str) -> bool {
    const MARKS: &str = ">-*+–—−‐•·‣◦▪●.)([]|\\_\u{feff}\u{200b}";
    let line = line.replacen("[x]", "[ ]", 1).replacen("[X]", "[ ]", 1);
    let Some(at) = line.find(char::is_alphabetic) else { return false };
    let (marks, rest) = line.split_at(at);
    if marks.contains(|sign: char| !(sign.is_whitespace() || sign.is_ascii_digit() || MARKS.contains(sign))) {
        return false;
    }
    let (word, behind) = rest.split_at(rest.find(|sign: char| !sign.is_alphabetic()).unwrap_or(rest.len()));
    let is_key = KEYS.iter().any(|key| word.eq_ignore_ascii_case(key));
    match marks.trim_matches(|sign: char| sign.is_whitespace() || sign == '>') {
        "" if !marks.contains('>') => match word {
            "graph" | "send" | "action" => behind.starts_with(':'),
            "expect" => behind.split_once(':').is_some_and(|(about, _)| SUBJECTS.contains(&about.trim())),
            _ => false,
        },
        "-" | "*" | "+" => is_key,
        _ => is_key && (word.eq_ignore_ascii_case("expect") || behind.trim().is_empty() || behind.contains(':')),
    }
}

/// What an item does; nothing where a point of a list is prose. Its key stands within its first line.
fn does(text: &str, first_line: usize) -> Result<Option<Does>, Wrong> {
    if text == "clear" {
        return Ok(Some(Does::Clear));
    }
    let Some((key, value)) = text.split_once(':').filter(|(key, _)| key.len() < first_line && key.starts_with(char::is_alphabetic)) else {
        return Ok(None);
    };
    let (key, value) = (key.trim(), value.trim());
    let needs = |what: String| Wrong::Needs { key: key.to_owned(), what };
    let given = || if value.is_empty() { Err(needs("a value".to_owned())) } else { Ok(value.to_owned()) };
    match key.split_once(' ') {
        None if key == "graph" => given().map(Does::Graph),
        None if key == "send" => given().map(Does::Send),
        None if key == "action" => Choice::parse(&given()?).map(Does::Action).map_err(needs),
        Some(("expect", about)) => Check::parse(about.trim(), &given()?).map(Does::Expect).map_err(needs),
        Some(_) | None => Err(Wrong::UnknownKey { key: key.to_owned() }),
    }
    .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: &str = "# Smoke\nProse.\n\n- graph: v3-framed\n\n## 1. A greeting\nMore prose: with a colon.\n- clear\n- send: hello: you\n- a bullet\n- expect path: reflex\n- expect time: < 10 ms\n\n```\n- nothing: here\n```\n## 2. Buttons\n- action: red or rot\n- expect frames: == 2\n";

    #[test]
    fn a_suite_reads_as_steps_of_items_with_their_lines() {
        let suite = Suite::parse(SUITE).unwrap();
        let steps: Vec<(&str, usize, Vec<usize>)> =
            suite.steps.iter().map(|step| (step.title.as_str(), step.line, step.items.iter().map(|item| item.line).collect())).collect();
        assert_eq!(steps, [("1. A greeting", 6, vec![8, 9, 11, 12]), ("2. Buttons", 17, vec![18, 19])]);
        assert_eq!((suite.title.as_str(), suite.before.len(), suite.count(|check| !check.is_reported())), ("Smoke", 1, 2));
        assert!(matches!(&suite.steps[0].items[1].does, Does::Send(text) if text == "hello: you"));
    }

    #[test]
    fn how_an_editor_writes_lines_changes_nothing() {
        for text in [SUITE.replace('\n', "\r\n"), SUITE.replace('\n', "\r"), SUITE.trim_end().to_owned()] {
            let suite = Suite::parse(&text).unwrap();
            assert_eq!((suite.title.as_str(), suite.steps.len(), suite.count(|check| !check.is_reported())), ("Smoke", 2, 2), "{text:?}");
            assert!(matches!(&suite.steps[0].items[1].does, Does::Send(text) if text == "hello: you"), "{text:?}");
        }
    }

    #[test]
    fn what_can_not_be_read_is_named_with_its_line() {
        for (text, says) in [
            ("## 1\n- send: x\n", "line 2: a suite begins with a title: `# <title>`"),
            ("# Title\n", "line 1: a suite has steps: `## <step>`"),
            ("# T\n## 1\n- sned: x\n", "line 3: there is no item `sned`; use graph, clear, send, action or expect <what>"),
            ("# T\n## 1\n- send:\n", "line 3: `send:` needs a value"),
            ("# T\n## 1\n- expect path: pa\n", "line 3: a check speaks of the last `send` or `action`, and nothing was sent before it"),
            ("# T\n## 1\n- action: red or\n", "line 3: `action:` needs words on both sides of each `or` and `and`"),
            (
                "# T\n## 1\n- send: x\n- expect response contains x\n",
                "line 4: this would be skipped as prose; an item stands at the start of its line as `- key: value`",
            ),
            ("# T\n## 1\n```\n- send: x\n", "line 3: a block of code begins here and is never closed, so what follows would be skipped"),
        ] {
            assert_eq!(Suite::parse(text).unwrap_err().to_string(), says, "{text:?}");
        }
    }

    #[test]
    fn what_a_check_needs_is_told() {
        let of_text = "one of `contains A`, `not contains A`, `matches /re/`, `is A`, `length > N`, `exists`, `not exists`";
        let of_state = &*format!("a key first and what is said of it, such as `user_name is Ada`: {of_text}");
        let own =
            |part: &str| format!("words, and `{part}` reads like a check of its own: write a second line for it, or put it in quotes");
        let of_name = "a name alone, such as `reflex` or `reflex or director`";
        for (check, needs) in [
            ("weather: fine", "one of response, actions, state, trace, frames, path, calls, progress, table, chart, time, judge"),
            ("response: hello", of_text),
            ("response: contains", "words behind `contains`"),
            ("response: not contains \"a b", "a closing `\"`"),
            ("response: not contains Here and not contains zebra", &own("not contains zebra")),
            ("response: is hello and length > 100", &own("length > 100")),
            (
                "response: length > 3 and contains x",
                "comparisons such as `length > 0` on both sides of each `or` and `and`: write a second line for anything else",
            ),
            ("actions: not has red and not has yellow", &own("not has yellow")),
            ("actions: red", "one of `has A`, `not has A`, `count >= N`"),
            ("trace: not has perceived and not has decided", &own("not has decided")),
            ("trace: not has \"a\" or \"b", "a closing `\"`"),
            ("state: is x", of_state),
            ("state: not exists", of_state),
            ("state: user_name", of_state),
            ("state: user_name Ada", of_state),
            ("state: user_name is", "words behind `is`"),
            ("path: pa or", "words on both sides of each `or` and `and`"),
            ("path: is reflex", of_name),
            ("path: not pa", of_name),
            ("path: == pa", of_name),
            ("frames: many", "a comparison such as `== 4`"),
            ("calls: == 0", "a kind first and then a comparison, such as `db <= 1`"),
            ("calls: db", "a kind first and then a comparison, such as `db <= 1`"),
            ("time: < 5 s", "a comparison such as `< 500 ms`"),
            ("table: 3 rows", "one of `rows OP N`, `columns has A`, `kind is A`"),
        ] {
            let error = Suite::parse(&format!("# T\n## 1\n- send: x\n- expect {check}\n")).unwrap_err();
            let about = check.split(':').next().unwrap();
            assert_eq!(error.to_string(), format!("line 4: `expect {about}:` needs {needs}"), "{check}");
        }
    }

    /// The items of a step, and the line of each.
    fn items(step: &str) -> Vec<(usize, String)> {
        let suite = Suite::parse(&format!("# T\n## 1\n{step}")).unwrap_or_else(|error| panic!("{error} of\n{step}"));
        suite.steps[0].items.iter().map(|item| (item.line, item.text.clone())).collect()
    }

    #[test]
    fn what_commonmark_calls_code_or_a_comment_is_not_run() {
        for step in [
            "~~~\n- send: x\n~~~",
            "````\n```\n- send: x\n```\n````",
            "~~~~ markdown\n~~~\n- send: x\n~~~~",
            "> ```\n> - send: x\n> ```",
            "1. Like this:\n   ```\n   - send: x\n   ```",
            "<!-- - send: x -->",
            "<!--\n- send: x\n\n* expect path: pa\n-->",
            "<div>\n<!--\n- send: x\n-->\n</div>",
            "Say `- send: x` to send it.\n`send: x` is an item.",
        ] {
            assert_eq!(items(&format!("{step}\n\n- send: y\n")).len(), 1, "{step}");
        }
        for (step, line, what) in [
            ("~~~\n- send: x\n```\n", 3, Wrong::OpenCode),
            ("````\n- send: x\n```\n", 3, Wrong::OpenCode),
            ("- send: x\n\n```\n- expect path: pa\n", 5, Wrong::OpenCode),
            ("<!--\n- send: x\n", 3, Wrong::OpenComment),
            ("This <!--\n- send: x\n-->\n", 3, Wrong::OpenComment),
        ] {
            assert_eq!(Suite::parse(&format!("# T\n## 1\n{step}")).unwrap_err(), SuiteError { line, what }, "{step}");
        }
    }

    #[test]
    fn a_wrapped_item_is_joined_and_nothing_behind_it_is_lost() {
        let wrapped = "- send: one *two*\n  three <b> \\d\n\n- expect response: contains a\n    or b\n";
        let joined = [(3, "send: one *two* three <b> \\d".to_owned()), (6, "expect response: contains a or b".to_owned())];
        assert_eq!(items(wrapped), joined);
        for (step, line, what) in [
            ("- send: one\ntwo\n", 4, Wrong::Lazy),
            ("- send: one\n\n  two\n", 5, Wrong::Behind),
            ("- send: one\n  > two\n", 4, Wrong::Behind),
            ("- send: one\n  ```\n  two\n  ```\n", 4, Wrong::Behind),
            ("- send: one\n  - a bullet\n", 4, Wrong::Behind),
            ("- send: one\n  - expect path: pa\n", 4, Wrong::Behind),
            ("##2\n- send: one\n", 3, Wrong::NotAHeading),
            ("# Another\n- send: one\n", 3, Wrong::TwoTitles),
        ] {
            assert_eq!(Suite::parse(&format!("# T\n## 1\n{step}")).unwrap_err(), SuiteError { line, what }, "{step}");
        }
    }

    #[test]
    fn a_line_that_was_meant_as_an_item_is_not_passed_over() {
        for line in [
            "* send: x",
            "  - send: x",
            "      - send: x",
            "-send: x",
            "-\u{a0}send: x",
            "+ expect path: pa",
            "- expect path pa",
            "- Clear",
            "- clear it",
            "1. expect path: reflex",
            "2) send: x",
            "– expect path: reflex",
            "— send: x",
            "• send: x",
            "> - expect path: reflex",
            "> expect path: reflex",
            ">- send: x",
            "- [ ] send: x",
            "- [x] expect path: reflex",
            "- - send: x",
            "**send**: x",
            "| send: x |",
            "expect path: reflex",
            "send: x",
            "\u{feff}- send: x",
            "<details>\n- send: x",
            "Prose.\n1. expect path: reflex",
        ] {
            let place = 2 + line.lines().count();
            let error = Suite::parse(&format!("# T\n## 1\n{line}\n")).unwrap_err();
            assert_eq!(error, SuiteError { line: place, what: Wrong::NotAnItem }, "{line}");
        }
        for line in [
            "a clear day",
            "- a bullet",
            "* sending is fine",
            "--- ",
            "- expected",
            "1. Send a message",
            "> clear enough",
            "### Send: what it does",
            "Prose\n---",
            "We expect: nothing",
            "expect nothing: it is prose",
        ] {
            assert!(Suite::parse(&format!("# T\n## 1\n{line}\n")).is_ok(), "{line}");
        }
    }
}
