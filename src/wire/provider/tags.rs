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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Open,
    Close,
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
    let thoughts = THOUGHTS.iter().flat_map(|(open, close)| [(*open, Tag::Open), (*close, Tag::Close)]);
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

/// Whether a text speaks of such a tag.
pub(super) fn is_named_in(text: &str) -> bool {
    may_begin(text) && text.match_indices(FIRST).any(|(at, _)| matches!(begun(&text[at..]), Begun::Whole(Tag::Open | Tag::Close, _)))
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
        is_open && (code.fence.is_none() || { code.holds_end(text) && code.fence.is_some() })
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
            ("<think>x", Begun::Whole(Tag::Open, 7)),
            ("<THINK>", Begun::Whole(Tag::Open, 7)),
            ("</seed:think>", Begun::Whole(Tag::Close, 13)),
            ("[/THINK]a", Begun::Whole(Tag::Close, 8)),
            ("◁/think▷", Begun::Whole(Tag::Close, "◁/think▷".len())),
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
