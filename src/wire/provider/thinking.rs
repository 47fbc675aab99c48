//! What a model thinks aloud is no part of what it says: an answer's content, told apart into thoughts and answer.
//!
//! A thought stands between tags, at the head of an answer or in it, as often as it likes. Where the template opens the first
//! one itself, only its end shows: then what came before was the thought, even if it was shown. Who knows that of a model says
//! so ([`Manner::opens_itself`]), and what comes before the end is held back.
//!
//! A tag is text where it stands in code or in an element of markup that the answer has opened. If the question names it, it is
//! text behind any other text; one that closes is, too, where it doesn't begin a line or closes such an element. A thought
//! behind text that is not closed when the model stops by itself, and calls no tool, was text too; it is held back until then.
//! Where JSON is wanted and nothing was said, the object that ends the thoughts is the answer.

use super::tags::{self, Begun, Code, Kind, Kinds, Tag, begins_line};
use crate::contract::Finish;
use crate::reading;
use std::borrow::Cow;
use std::ops::Range;

/// What is known of an answer before it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// The template opens the first thought, so that its end may come without a beginning.
    pub opens_itself: bool,
    /// The tags of which the question speaks.
    pub named: Kinds,
    /// A JSON object is wanted.
    pub wants_json: bool,
}

/// Tags that are text and not closed yet; what opens beyond them is a thought.
const SHOWN_MAX: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Thinking {
    manner: Manner,
    state: State,
    /// May still become a tag.
    held: String,
    /// What is said so far.
    pub(super) answer: String,
    pub(super) thoughts: String,
    code: Code,
    has_thought: bool,
    /// The end of a thought came without its beginning.
    pub(super) has_opened_itself: bool,
    /// What the last such end made a thought: where nothing comes after it, it ended nothing.
    aside: Option<Range<usize>>,
    /// Where, in the thoughts, an end without a beginning stood in code, and how long it is: text, if the code ends.
    in_code: Option<(usize, usize)>,
    /// Tags that open a thought and stand in what was said, or may have been, as text.
    shown: Vec<Shown>,
    /// Bytes of the answer that were handed on.
    handed_on: usize,
    /// Something that was handed on turned out to be a thought.
    pub(super) is_taken_back: bool,
    bytes_max: usize,
}

#[derive(Debug)]
struct Shown {
    kind: Kind,
    at: Range<usize>,
    /// It stands in an element.
    is_inside: bool,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Answering,
    /// From where on in the thoughts; `tag` is what opened it, if it may yet turn out to be text.
    Thinking { from: usize, tag: Option<String> },
}

impl Thinking {
    pub(super) fn new(manner: Manner, bytes_max: usize) -> Thinking {
        let state = if manner.opens_itself { State::Thinking { from: 0, tag: Some(String::new()) } } else { State::Answering };
        Thinking { manner, state, bytes_max, ..Thinking::default() }
    }

    /// Takes a piece of content.
    pub(super) fn take(&mut self, piece: &str) {
        if self.held.is_empty() && !tags::may_begin(piece) {
            return self.push(piece);
        }
        let text = match self.held.is_empty() {
            true => Cow::Borrowed(piece),
            false => Cow::Owned(std::mem::take(&mut self.held) + piece),
        };
        let mut rest = &*text;
        while let Some(at) = rest.find(tags::FIRST) {
            self.push(&rest[..at]);
            rest = &rest[at..];
            let length = match tags::begun(rest) {
                Begun::Whole(tag, length) => {
                    self.meet(tag, &rest[..length]);
                    length
                }
                Begun::Part => {
                    rest.clone_into(&mut self.held);
                    return;
                }
                Begun::Text => {
                    let length = rest.chars().next().map_or(0, char::len_utf8);
                    self.push(&rest[..length]);
                    length
                }
            };
            rest = &rest[length..];
        }
        self.push(rest);
    }

    /// Takes a piece of a thought that came as one. It never mixes with what may yet turn out to be text.
    pub(super) fn think(&mut self, piece: &str) {
        // Who sends thoughts apart sends none in the text.
        if self.may_have_opened_itself() {
            let said = std::mem::take(&mut self.thoughts);
            (self.state, self.code, self.in_code) = (State::Answering, Code::default(), None);
            self.shown.clear();
            if !said.trim().is_empty() {
                self.push(&said);
            }
        }
        let before = self.thoughts.len();
        self.keep(piece);
        let length = self.thoughts.len() - before;
        let open = match &mut self.state {
            State::Thinking { from, tag: Some(_) } => Some(from),
            State::Thinking { .. } | State::Answering => None,
        };
        let at = self.aside.as_ref().map(|aside| aside.start).or(open.as_deref().copied()).unwrap_or(before);
        let thought = self.thoughts.split_off(before);
        self.thoughts.insert_str(at, &thought);
        if let Some(from) = open {
            *from += length;
        }
        if let Some(aside) = &mut self.aside {
            *aside = aside.start + length..aside.end + length;
        }
    }

    /// Nothing opened the thought that is taken for open: it may be the answer.
    fn may_have_opened_itself(&self) -> bool {
        matches!(&self.state, State::Thinking { tag: Some(tag), .. } if tag.is_empty())
    }

    /// Nothing of the answer was handed on yet, or all of that turned out to be a thought.
    pub(super) fn starts_over(&self) -> bool {
        self.handed_on == 0
    }

    /// What there is of the answer that was not handed on yet.
    pub(super) fn news(&mut self) -> &str {
        let from = std::mem::replace(&mut self.handed_on, self.answer.len());
        &self.answer[from..]
    }

    fn push(&mut self, text: &str) {
        if let State::Thinking { .. } = self.state {
            return self.keep(text);
        }
        // The blanks between a thought and the answer belong to neither.
        let text = if self.has_thought && self.answer.is_empty() { text.trim_start() } else { text };
        self.answer.push_str(text);
    }

    fn keep(&mut self, thought: &str) {
        let room = self.bytes_max.saturating_sub(self.thoughts.len());
        self.thoughts.push_str(&thought[..thought.floor_char_boundary(room)]);
    }

    fn meet(&mut self, tag: Tag, name: &str) {
        if self.may_have_opened_itself() {
            if self.code.holds_end(&self.thoughts) {
                if matches!(tag, Tag::Close(_)) {
                    self.in_code = Some((self.thoughts.len(), name.len()));
                }
                return self.keep(name);
            }
            if self.is_text_here(tag, name) {
                return self.keep(name);
            }
        }
        if matches!(self.state, State::Answering) && (self.code.holds_end(&self.answer) || self.is_text_here(tag, name)) {
            return self.push(name);
        }
        match (&mut self.state, tag) {
            (State::Thinking { tag, .. }, Tag::Close(_)) => {
                self.has_opened_itself |= tag.as_ref().is_some_and(String::is_empty);
                self.state = State::Answering;
                self.shown.clear();
                (self.code, self.in_code, self.has_thought) = (Code::default(), None, true);
            }
            (State::Thinking { from, tag }, Tag::Open(_)) => {
                // It opens what was taken for open already.
                if self.thoughts[*from..].trim().is_empty() {
                    *tag = None;
                }
                self.keep(name);
            }
            (State::Thinking { .. }, Tag::Frame) => self.state = State::Answering,
            (State::Answering, Tag::Open(_)) => {
                let is_at_head = self.answer.trim().is_empty();
                if is_at_head {
                    (self.handed_on, self.answer) = (0, String::new());
                }
                self.state = State::Thinking { from: self.thoughts.len(), tag: (!is_at_head).then(|| name.to_owned()) };
            }
            (State::Answering, Tag::Close(_)) => self.closed(),
            (State::Answering, Tag::Frame) => {}
        }
    }

    /// Whether a tag outside of code is text where it stands.
    fn is_text_here(&mut self, tag: Tag, name: &str) -> bool {
        let said = if matches!(self.state, State::Answering) { &self.answer } else { &self.thoughts };
        match tag {
            Tag::Frame => false,
            Tag::Open(kind) => {
                if said.trim().is_empty() || self.shown.len() == SHOWN_MAX {
                    return false;
                }
                let is_inside = tags::ends_in_element(said);
                let is_text = is_inside || self.manner.named.has(kind);
                if is_text {
                    self.shown.push(Shown { kind, at: said.len()..said.len() + name.len(), is_inside });
                }
                is_text
            }
            // A tag within a line may be one that is spoken of: nothing closes it.
            Tag::Close(kind) => {
                let stands_out = |shown: &Shown| {
                    let after = said.get(shown.at.end..).unwrap_or_default().trim_start_matches([' ', '\t']);
                    shown.is_inside || begins_line(&said[..shown.at.start]) || after.starts_with('\n')
                };
                let opened = self.shown.iter().rposition(|shown| shown.kind == kind && stands_out(shown));
                let is_spoken_of = self.manner.named.has(kind) && !begins_line(said);
                opened.inspect(|place| self.shown.truncate(*place)).is_some() || is_spoken_of
            }
        }
    }

    /// A thought has ended that nobody saw begin.
    fn closed(&mut self) {
        if !self.answer.trim().is_empty() {
            self.has_opened_itself |= !self.has_thought;
            self.is_taken_back |= self.handed_on > 0;
            let said = std::mem::take(&mut self.answer);
            let from = self.thoughts.len();
            self.keep(&said);
            self.aside = self.has_thought.then_some(from..self.thoughts.len());
        }
        self.shown.clear();
        (self.answer, self.code, self.handed_on, self.has_thought) = (String::new(), Code::default(), 0, true);
    }

    /// An end that stood in code ended a thought after all if that code has no end.
    fn close_in_code(&mut self) {
        if let Some((at, length)) = self.in_code.take()
            && self.may_have_opened_itself()
            && Code::is_open_since(&self.thoughts, at)
        {
            let said = self.thoughts.split_off(at);
            (self.state, self.code, self.has_thought, self.has_opened_itself) = (State::Answering, Code::default(), true, true);
            self.push(&said[length..]);
        }
    }

    /// The answer has ended like this.
    pub(super) fn end(&mut self, finish: Finish) {
        let held = std::mem::take(&mut self.held);
        self.push(&held);
        self.close_in_code();
        if let State::Thinking { from, tag: Some(tag) } = &mut self.state
            && finish == Finish::Stop
        {
            self.answer.push_str(tag);
            self.answer += &self.thoughts.split_off(*from);
        }
        if let Some(aside) = self.aside.take().filter(|_| self.answer.trim().is_empty()) {
            self.answer = self.thoughts.drain(aside).collect();
            self.handed_on = if self.is_taken_back { self.answer.len() } else { 0 };
        }
        // Some models, and some servers, never end a thought before the object that is wanted.
        if self.manner.wants_json && finish == Finish::Stop && self.answer.trim().is_empty() {
            (self.handed_on, self.answer) = (0, reading::last(&self.thoughts).unwrap_or_default().to_owned());
        }
    }
}

#[cfg(test)]
#[path = "thinking_tests.rs"]
mod tests;
