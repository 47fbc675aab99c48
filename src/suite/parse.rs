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
    comments: Vec<Range<usize>>,
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
        let lines = starts.map(|start| (start, false)).collect();
        Reader { text, lines, suite, comments: Vec::new(), is_sent: false, wrong: Vec::new() }
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
        if matches!(level, HeadingLevel::H1 | HeadingLevel::H2) {
            self.mark(at);
        }
        match level {
            HeadingLevel::H1 if !self.suite.title.is_empty() => self.complain(at.start, Wrong::TwoTitles),
            HeadingLevel::H1 => self.suite.title = title,
            HeadingLevel::H2 => self.suite.steps.push(Step { title, line: self.line(at.start), items: Vec::new() }),
            _ => {}
        }
    }

    fn code(&mut self, at: &Range<usize>) {
        self.mark(at);
        let raw = self.text[at.clone()].trim();
        let sign = if raw.starts_with('~') { '~' } else { '`' };
        let length = raw.len() - raw.trim_start_matches(sign).len();
        let last = raw.lines().skip(1).last().unwrap_or_default().trim_start_matches(['>', ' ', '\t']);
        if last.len() < length || last.contains(|other| other != sign) {
            self.complain(at.start, Wrong::OpenCode);
        }
    }

    fn comments(&mut self, block: &Range<usize>) {
        let mut at = block.start;
        while let Some(begin) = self.text[at..block.end].find("<!--").map(|place| at + place) {
            let Some(length) = self.text[begin..block.end].find("-->") else { return self.complain(begin, Wrong::OpenComment) };
            at = begin + length + "-->".len();
            self.comments.push(begin..at);
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
        let lines: Vec<(usize, String)> = self
            .lines
            .iter()
            .zip(ends)
            .filter(|((_, is_read), _)| !is_read)
            .map(|((start, _), end)| (*start, self.without_comments(*start..end)))
            .collect();
        for (start, line) in lines {
            if looks_like_an_item(&line) || is_labelled(&line) {
                self.complain(start, Wrong::NotAnItem);
            } else if line.trim_start_matches('#').starts_with(char::is_alphanumeric) && line.starts_with("##") {
                self.complain(start, Wrong::NotAHeading);
            } else if line.rfind("<!--") > line.rfind("-->") {
                self.complain(start, Wrong::OpenComment);
            }
        }
    }

    fn without_comments(&self, at: Range<usize>) -> String {
        let (mut kept, mut from) = (String::new(), at.start);
        for comment in self.comments.iter().filter(|comment| comment.start < at.end && comment.end > at.start) {
            kept += &self.text[from..comment.start.max(from)];
            from = comment.end.min(at.end);
        }
        kept + &self.text[from..at.end]
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

/// Whether a line that is no item was meant as one, behind a letter of a list or a label: `b) send: x`, `TODO: expect …`.
fn is_labelled(line: &str) -> bool {
    let is_word = |sign: char| sign.is_alphanumeric() || sign == '_' || sign == '-';
    let Some(at) = line.find(char::is_alphanumeric) else { return false };
    let (marks, rest) = line.split_at(at);
    let (word, behind) = rest.split_at(rest.find(|sign: char| !is_word(sign)).unwrap_or(rest.len()));
    let is_numeral = (word.chars().count() == 1 && !word.contains(char::is_numeric)) || word.bytes().all(|byte| b"ivxIVX".contains(&byte));
    if is_numeral && behind.starts_with(['.', ')']) && looks_like_an_item(&format!("1{behind}")) {
        return true;
    }
    let is_shouted = word.len() > 1 && !word.contains(char::is_lowercase);
    let label = behind.find(':').map(|at| behind.split_at(at + 1)).filter(|(label, _)| label.len() <= LABEL_BYTES_MAX);
    let behind_words = is_shouted.then_some(behind).into_iter().chain(label.map(|(_, behind)| behind));
    !marks.ends_with('`')
        && behind_words.into_iter().any(|behind| {
            let item = behind.trim_start_matches(|sign: char| !sign.is_alphabetic() && sign != '`');
            looks_like_an_item(item)
        })
}

/// A longer one is prose.
const LABEL_BYTES_MAX: usize = 30;

/// Whether a line that is no item was meant as one. Whatever stands before its first letter may be a mark of a list or of emphasis.
fn looks_like_an_item(line: &str) -> bool {
    let line = line.replacen("[x]", "[ ]", 1).replacen("[X]", "[ ]", 1);
    let Some(at) = line.find(char::is_alphabetic) else { return false };
    let (marks, rest) = line.split_at(at);
    if marks.ends_with('`') && quotes_an_item(rest) {
        return false;
    }
    let (word, behind) = rest.split_at(rest.find(|sign: char| !sign.is_alphabetic()).unwrap_or(rest.len()));
    let key = word.to_ascii_lowercase();
    let is_key = KEYS.contains(&key.as_str());
    let marks = marks.trim();
    let is_heading = marks.starts_with('#');
    let is_number = |sign: char| sign == '#' || sign.is_ascii_digit() || ".) ".contains(sign);
    match marks {
        _ if marks.is_empty() || (is_heading && marks.chars().all(is_number)) => match key.as_str() {
            // A heading in prose may be called `Send: how it works`.
            "graph" | "send" | "action" => behind.starts_with(':') && (!is_heading || word == key),
            "expect" => behind.split_once(':').is_some_and(|(about, _)| SUBJECTS.contains(&about.trim().to_ascii_lowercase().as_str())),
            _ => false,
        },
        _ if ["-", "*", "+"].contains(&marks.trim_matches([' ', '\t', '>'])) => is_key,
        _ => is_key && (key == "expect" || behind.trim().is_empty() || behind.contains(':')),
    }
}

/// Whether prose speaks of an item: "`send: x` sends x".
fn quotes_an_item(rest: &str) -> bool {
    let Some((code, behind)) = rest.split_once('`') else { return false };
    code.split_once(':').is_some_and(|(_, value)| !value.trim().is_empty()) && behind.contains(char::is_alphanumeric)
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
#[path = "parse_tests.rs"]
mod tests;
