//! A statement's signs and words, read as the database's own lexer reads them, and what is refused for them alone.
//!
//! The parser behind this is a second opinion: where two lexers could see different things (executable comments, odd
//! spaces, variables, braces), the statement is refused here, so that they can't disagree.

use super::functions::is_forbidden_word;
use super::{DEPTH_MAX, Denied};
use crate::contract::Dialect;

pub(super) const BYTES_MAX: usize = 16 << 10;
/// Each may be a level of the tree, and a tree is taken apart level by level, on a worker's stack.
pub(super) const OPERATORS_MAX: usize = 256;
/// A join takes as much stack as so many operators; no database joins more than 61 tables anyway.
const JOIN_WEIGHT: usize = 4;

/// What was seen outside texts and comments.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// Names, quoted or not, in lower case, that stand before a parenthesis.
    pub(super) calls: Vec<String>,
}

const FIRST_WORDS: &[&str] = &["select", "with", "values", "show", "describe", "desc", "explain"];

/// Words that put a level on the tree.
const OPERATOR_WORDS: &[&str] = &[
    "and",
    "or",
    "xor",
    "not",
    "is",
    "in",
    "like",
    "rlike",
    "regexp",
    "glob",
    "match",
    "between",
    "div",
    "mod",
    "collate",
    "union",
    "except",
    "intersect",
    "escape",
    "isnull",
    "notnull",
    "binary",
    "case",
    "interval",
    "select",
    "at",
    "member",
    "overlaps",
];

pub(super) fn scan(statement: &str, dialect: Dialect) -> Result<Scanned, Denied> {
    if statement.len() > BYTES_MAX {
        return Err(Denied::TooLong { bytes_max: BYTES_MAX });
    }
    let invisible = |sign: &char| sign.is_control() && !matches!(sign, '\t' | '\n' | '\r');
    if let Some(sign) = statement.chars().find(invisible) {
        return Err(Denied::Sign { sign });
    }
    if statement.replace("\r\n", "").contains('\r') {
        return Err(Denied::Sign { sign: '\r' });
    }
    let is_code = |comment: &str| comment.starts_with(['!', '+']) || comment.starts_with("M!") || comment.starts_with("m!");
    if statement.split("/*").skip(1).any(is_code) {
        return Err(Denied::Hint);
    }
    let mut scanner =
        Scanner { rest: statement, dialect, scanned: Scanned::default(), name: None, depth: 0, operators: 0, words: Vec::new() };
    scanner.run()?;
    if scanner.words.is_empty() { Err(Denied::Empty) } else { Ok(scanner.scanned) }
}

struct Scanner<'a> {
    rest: &'a str,
    dialect: Dialect,
    scanned: Scanned,
    /// The name that was just read.
    name: Option<String>,
    depth: usize,
    operators: usize,
    /// The first two words, in lower case.
    words: Vec<String>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Result<(), Denied> {
        while let Some(sign) = self.rest.chars().next() {
            match sign {
                ' ' | '\t' | '\n' | '\r' => self.skip(1),
                '\'' => self.quoted('\'', "text").map(|_| self.name = None)?,
                '"' if self.dialect == Dialect::Mysql => self.quoted('"', "text").map(|_| self.name = None)?,
                '"' | '`' => self.quoted_name(sign)?,
                '[' if self.dialect == Dialect::Sqlite => self.quoted_name(']')?,
                '#' if self.dialect == Dialect::Mysql => self.line(),
                '-' if self.begins_line_comment() => self.line(),
                '/' if self.rest.starts_with("/*") => self.comment()?,
                ';' => return self.end(),
                '(' => self.open()?,
                ')' => self.close()?,
                '@' | '$' | '?' | '{' | '}' | '\\' | ':' | '[' | ']' | '#' => return Err(Denied::Sign { sign }),
                ',' | '.' => self.skip_sign(),
                '_' => self.word()?,
                _ if sign.is_alphanumeric() => self.word()?,
                _ if sign.is_ascii_punctuation() => {
                    self.skip_sign();
                    self.count(1)?;
                }
                _ => return Err(Denied::Sign { sign }),
            }
        }
        if self.depth == 0 { Ok(()) } else { Err(Denied::Unfinished { what: "parenthesis" }) }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn skip_sign(&mut self) {
        self.skip(1);
        self.name = None;
    }

    fn count(&mut self, weight: usize) -> Result<(), Denied> {
        self.operators += weight;
        if self.operators > OPERATORS_MAX { Err(Denied::TooMany { operators_max: OPERATORS_MAX }) } else { Ok(()) }
    }

    /// MySQL wants a space behind `--`; without one it is minus minus.
    fn begins_line_comment(&self) -> bool {
        let Some(behind) = self.rest.strip_prefix("--") else { return false };
        self.dialect == Dialect::Sqlite || behind.starts_with([' ', '\t', '\n', '\r'])
    }

    fn line(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.skip(end);
    }

    fn comment(&mut self) -> Result<(), Denied> {
        let unfinished = Denied::Unfinished { what: "comment" };
        let end = self.rest[2..].find("*/").ok_or(unfinished.clone())?;
        if self.rest[2..2 + end].contains("/*") {
            return Err(unfinished);
        }
        self.skip(end + 4);
        Ok(())
    }

    /// Behind the end there is nothing but space, comments and more ends.
    fn end(&mut self) -> Result<(), Denied> {
        while let Some(sign) = self.rest.chars().next() {
            match sign {
                ' ' | '\t' | '\n' | '\r' | ';' => self.skip(1),
                '#' if self.dialect == Dialect::Mysql => self.line(),
                '-' if self.begins_line_comment() => self.line(),
                '/' if self.rest.starts_with("/*") => self.comment()?,
                _ => return Err(Denied::Several),
            }
        }
        if self.depth == 0 { Ok(()) } else { Err(Denied::Unfinished { what: "parenthesis" }) }
    }

    fn open(&mut self) -> Result<(), Denied> {
        self.scanned.calls.extend(self.name.take());
        self.depth += 1;
        self.skip(1);
        if self.depth > DEPTH_MAX { Err(Denied::TooDeep) } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), Denied> {
        self.depth = self.depth.checked_sub(1).ok_or(Denied::Unfinished { what: "parenthesis" })?;
        self.skip_sign();
        Ok(())
    }

    /// A text or a name in quotes; a doubled quote stands for itself, and in a text of MySQL's a backslash hides one.
    fn quoted(&mut self, quote: char, what: &'static str) -> Result<String, Denied> {
        let escapes = self.dialect == Dialect::Mysql && quote != '`';
        let mut content = String::new();
        let mut signs = self.rest.char_indices().skip(1).peekable();
        while let Some((place, sign)) = signs.next() {
            if sign == '\\' && escapes {
                signs.next();
            } else if sign != quote {
                content.push(sign);
            } else if quote != ']' && signs.peek().is_some_and(|(_, next)| *next == quote) {
                signs.next();
                content.push(quote);
            } else {
                self.skip(place + quote.len_utf8());
                return Ok(content);
            }
        }
        Err(Denied::Unfinished { what })
    }

    fn quoted_name(&mut self, quote: char) -> Result<(), Denied> {
        let name = self.quoted(quote, "name")?;
        look_alike(&name)?;
        if self.words.is_empty() {
            return Err(Denied::Kind);
        }
        self.name = Some(name.to_lowercase());
        Ok(())
    }

    fn word(&mut self) -> Result<(), Denied> {
        let is_part = |sign: char| sign == '_' || sign.is_alphanumeric() || is_mark(sign);
        let end = self.rest.find(|sign| !is_part(sign)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        look_alike(word)?;
        let lower = word.to_lowercase();
        if self.words.is_empty() && !FIRST_WORDS.contains(&lower.as_str()) {
            return Err(Denied::Kind);
        }
        self.rest = rest;
        let is_allowed = match lower.as_str() {
            // Functions of these names change a text; a statement has no parenthesis there.
            "replace" | "insert" => rest.trim_start().starts_with('('),
            "create" => self.words == ["show"],
            word => !is_forbidden_word(word),
        };
        if !is_allowed {
            return Err(Denied::Word { word: word.to_owned() });
        }
        if self.words.len() < 2 {
            self.words.push(lower.clone());
        }
        if OPERATOR_WORDS.contains(&lower.as_str()) {
            self.count(1)?;
        } else if lower == "join" {
            self.count(JOIN_WEIGHT)?;
        }
        self.name = Some(lower);
        Ok(())
    }
}

/// The dots of an `ü` that was typed as two signs.
fn is_mark(sign: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&sign)
}

/// A name that looks like another one: Latin letters mixed with Greek, Cyrillic or wide ones.
fn look_alike(name: &str) -> Result<(), Denied> {
    let is_latin = |sign: char| sign.is_ascii_alphabetic();
    let resembles = |sign: char| matches!(sign, '\u{370}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}' | '\u{1c80}'..='\u{1c8f}' | '\u{1f00}'..='\u{1fff}' | '\u{a640}'..='\u{a69f}' | '\u{ab70}'..='\u{abbf}');
    let is_disguise = |sign: char| {
        matches!(sign, '\u{17f}' | '\u{131}' | '\u{130}' | '\u{212a}' | '\u{2100}'..='\u{214f}' | '\u{24b6}'..='\u{24e9}' | '\u{ff00}'..='\u{ffef}' | '\u{1d400}'..='\u{1d7ff}')
            || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' | '\u{180e}')
    };
    let is_mixed = name.chars().any(is_latin) && name.chars().any(resembles);
    if is_mixed || name.chars().any(is_disguise) { Err(Denied::LookAlike { name: name.to_owned() }) } else { Ok(()) }
}
