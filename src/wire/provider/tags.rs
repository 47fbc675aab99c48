//! The tags between which models think aloud, as their public chat templates have them, and where a tag is just text.

/// What opens a thought, and what closes it.
const THOUGHTS: &[(&str, &str)] = &[
    ("<think>", "</think>"),                        // DeepSeek, Qwen, GLM, MiniMax, Nemotron and most others
    ("<thinking>", "</thinking>"),                  // models that are told to think in tags
    ("<thought>", "</thought>"),                    // EXAONE
    ("<reasoning>", "</reasoning>"),                // models that are told to think in tags
    ("<reflection>", "</reflection>"),              // Reflection
    ("<seed:think>", "</seed:think>"),              // Seed
    ("[THINK]", "[/THINK]"),                        // Magistral
    ("<|begin_of_thought|>", "<|end_of_thought|>"), // OpenThinker, Sky-T1
    ("<|START_THINKING|>", "<|END_THINKING|>"),     // Command A
    ("◁think▷", "◁/think▷"),                        // Kimi
    ("<|channel>thought", "<channel|>"),            // Gemma
    ("<|channel|>analysis<|message|>", "<|end|>"),  // gpt-oss
];

/// What some of them put around the answer itself.
const FRAMES: &[&str] = &[
    "<|begin_of_solution|>",
    "<|end_of_solution|>",
    "<|START_RESPONSE|>",
    "<|END_RESPONSE|>",
    "<|start|>assistant",
    "<|channel|>final<|message|>",
    "<|return|>",
];

/// A pair of tags: its place in [`THOUGHTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind(u8);

/// Some of the pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    pub(super) const NONE: Kinds = Kinds(0);

    /// Those of which a text speaks.
    pub fn named_in(text: &str) -> Kinds {
        if !may_begin(text) {
            return Kinds::NONE;
        }
        text.match_indices(FIRST).fold(Kinds::NONE, |kinds, (at, _)| match begun(&text[at..]) {
            Begun::Whole(Tag::Open(kind) | Tag::Close(kind), _) => Kinds(kinds.0 | 1 << kind.0),
            Begun::Whole(Tag::Frame, _) | Begun::Part | Begun::Text => kinds,
        })
    }

    pub(super) fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }

    pub(super) fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind.0 != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Open(Kind),
    Close(Kind),
    /// Stands around the answer and says nothing.
    Frame,
}

/// What text says that begins where a tag may begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// A tag of so many bytes.
    Whole(Tag, usize),
    /// It may become one.
    Part,
    Text,
}

/// Where a tag may begin.
pub(super) const FIRST: [char; 3] = ['<', '[', '◁'];

/// Whether a tag may begin in a piece of text: quick, since all text goes through here.
pub(super) fn may_begin(piece: &str) -> bool {
    // The last is the first byte of `◁`.
    piece.bytes().any(|byte| matches!(byte, b'<' | b'[' | 0xE2))
}

fn all() -> impl Iterator<Item = (&'static str, Tag)> {
    let thoughts = (0..).map(Kind).zip(THOUGHTS).flat_map(|(kind, (open, close))| [(*open, Tag::Open(kind)), (*close, Tag::Close(kind))]);
    thoughts.chain(FRAMES.iter().map(|frame| (*frame, Tag::Frame)))
}

pub(super) fn begun(text: &str) -> Begun {
    let mut is_part = false;
    for (name, tag) in all() {
        let length = name.len().min(text.len());
        if text.as_bytes()[..length].eq_ignore_ascii_case(&name.as_bytes()[..length]) {
            if length == name.len() {
                return Begun::Whole(tag, length);
            }
            is_part = true;
        }
    }
    if is_part { Begun::Part } else { Begun::Text }
}

/// Whether what comes behind a text begins a line.
pub(super) fn begins_line(text: &str) -> bool {
    let line = text.trim_end_matches([' ', '\t']);
    line.is_empty() || line.ends_with('\n')
}

/// Whether a text ends inside an element of markup that began a line: behind `<diary>`, before `</diary>`.
pub(super) fn ends_in_element(text: &str) -> bool {
    const NEVER_CLOSED: [&str; 6] = ["br", "hr", "img", "input", "link", "wbr"];
    let text = &text[text.ceil_char_boundary(text.len().saturating_sub(LINE_BYTES_MAX))..];
    let mut open: Vec<&str> = Vec::new();
    for (at, _) in text.match_indices('<') {
        let inner = &text[at + 1..];
        let Some(inner) = inner.find(['<', '>']).filter(|end| inner[*end..].starts_with('>')).map(|end| &inner[..end]) else { continue };
        let name = inner.trim_start_matches('/').split([' ', '\t', '\n', '/']).next().unwrap_or_default();
        if inner.starts_with('/') {
            open.truncate(open.iter().rposition(|other| *other == name).unwrap_or(open.len()));
        } else if name.starts_with(char::is_alphabetic)
            && !inner.ends_with('/')
            && !NEVER_CLOSED.contains(&name)
            && (!open.is_empty() || begins_line(&text[..at]))
        {
            open.push(name);
        }
    }
    !open.is_empty()
}

/// Whether the end of a text stands inside code; reads each line once.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// Where the first line begins that has not been read.
    line: usize,
    /// The mark that opened a block, and its length.
    fence: Option<(u8, usize)>,
    /// Some text was read, and the line after it may be an indented block: it follows a blank line, or one of the block.
    may_indent: bool,
    has_text: bool,
}

/// Of a long line so much is looked at.
const LINE_BYTES_MAX: usize = 4 << 10;

impl Code {
    /// `text` has grown since it was asked last.
    pub(super) fn holds_end(&mut self, text: &str) -> bool {
        while let Some(length) = text[self.line..].find('\n') {
            self.read(&text[self.line..self.line + length]);
            self.line += length + 1;
        }
        let is_block = self.may_indent && is_indented(&text[self.line..]);
        self.fence.is_some() || is_block || ends_in_ticks(&text.as_bytes()[self.line.max(text.len().saturating_sub(LINE_BYTES_MAX))..])
    }

    /// Whether the code that holds `at` in a text has no end: ticks end with their line.
    pub(super) fn is_open_since(text: &str, at: usize) -> bool {
        let line_end = text[at..].find('\n').map_or(text.len(), |length| at + length);
        let mut code = Code::default();
        let is_open = code.holds_end(&text[..line_end]);
        is_open
            && (code.fence.is_none() || {
                code.holds_end(text);
                code.read(&text[code.line..]);
                code.fence.is_some()
            })
    }

    fn read(&mut self, line: &str) {
        let is_blank = line.trim().is_empty();
        self.has_text |= !is_blank;
        self.may_indent = self.has_text && (is_blank || (self.may_indent && is_indented(line)));
        let line = line.trim();
        let Some(mark @ (b'`' | b'~')) = line.bytes().next() else { return };
        let length = line.bytes().take_while(|byte| *byte == mark).count();
        match self.fence {
            None if length >= 3 => self.fence = Some((mark, length)),
            Some((open, least)) if open == mark && length >= least && line.len() == length => self.fence = None,
            None | Some(_) => {}
        }
    }
}

fn is_indented(line: &str) -> bool {
    line.starts_with("    ") || line.starts_with('\t')
}

/// Whether a line has opened code between backticks and not closed it.
fn ends_in_ticks(line: &[u8]) -> bool {
    let (mut open, mut at) = (0, 0);
    while at < line.len() {
        let run = line[at..].iter().take_while(|byte| **byte == b'`').count();
        match run {
            0 => {}
            run if open == 0 => open = run,
            run if run == open => open = 0,
            _ => {}
        }
        at += run.max(1);
    }
    open > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_told_from_text_and_from_what_may_become_one() {
        for (text, begun_as) in [
            ("<think>x", Begun::Whole(Tag::Open(Kind(0)), 7)),
            ("<THINK>", Begun::Whole(Tag::Open(Kind(0)), 7)),
            ("</seed:think>", Begun::Whole(Tag::Close(Kind(5)), 13)),
            ("[/THINK]a", Begun::Whole(Tag::Close(Kind(6)), 8)),
            ("◁/think▷", Begun::Whole(Tag::Close(Kind(9)), "◁/think▷".len())),
            ("<|channel|>final<|message|>", Begun::Whole(Tag::Frame, 27)),
            ("<|channel|>", Begun::Part),
            ("<", Begun::Part),
            ("◁", Begun::Part),
            ("<thin k>", Begun::Text),
            ("<b>", Begun::Text),
            ("[1]", Begun::Text),
        ] {
            assert_eq!(begun(text), begun_as, "{text}");
        }
        for (name, _) in all() {
            assert!(name.starts_with(FIRST) && may_begin(name), "{name}");
        }
    }

    #[test]
    fn an_element_is_open_until_it_is_closed() {
        for (text, is_open) in [
            ("", false),
            ("<diary>", true),
            ("Here:\n  <diary day=\"1\">\n<a>x</a>\n", true),
            ("<diary>\n</diary>\n", false),
            ("<diary><entry>\n</diary>", false),
            ("<diary><entry></entry>", true),
            ("<diary/>\n", false),
            ("a<br>\n<br>\n<br/>", false),
            ("Use Vec<String>.\n", false),
            ("a < b\n<3> x\n< y>", false),
            ("<a <b>", false),
        ] {
            assert_eq!(ends_in_element(text), is_open, "{text:?}");
        }
        assert!(!ends_in_element(&("<diary>\n".to_owned() + &"é".repeat(LINE_BYTES_MAX))), "only so far back");
    }

    #[test]
    fn a_text_names_its_tags_and_no_other() {
        let named = Kinds::named_in("Write an XML with <thought>, please, not [think].");
        assert!(named.has(Kind(2)) && named.has(Kind(6)) && !named.has(Kind(0)), "{named:?}");
        assert!(Kinds::named_in("a < b, <b>").is_empty() && THOUGHTS.len() <= 16);
    }

    #[test]
    fn code_is_told_from_prose() {
        for (text, is_code) in [
            ("", false),
            ("a `b` c", false),
            ("a `b", true),
            ("a ``b ` c", true),
            ("a `b\nc", false),
            ("```html\n", true),
            ("```html\n<a>\n```\n", false),
            ("~~~~\n~~~\n", true),
            ("  ```\nx\n  ```\ny", false),
            ("So:\n\n    a", true),
            ("So:\n\n    a\n\tb", true),
            ("So:\n    a", false),
            ("So:\n\n    a\nb", false),
            ("\n\n    a", false),
        ] {
            assert_eq!(Code::default().holds_end(text), is_code, "{text:?}");
            let mut code = Code::default();
            let last = text.char_indices().map(|(at, _)| code.holds_end(&text[..at])).last();
            assert_eq!((code.holds_end(text), last.is_some()), (is_code, !text.is_empty()), "{text:?}, step by step");
        }
    }
}
