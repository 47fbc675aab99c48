//! `<think>…</think>` at the head of an answer: what a model thought aloud, which is no part of what it says.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Where the answer stands. Text is held back only while it may still turn out to be a tag.
#[derive(Debug)]
pub(super) enum Thinking {
    /// Nothing but blanks and the beginning of a tag has come; how many bytes of it are blanks.
    Maybe(String, usize),
    /// Inside; the end of what came, which may be the beginning of the closing tag.
    Inside(String),
    /// Thought through; spaces before the answer are dropped.
    After,
    Answering,
}

impl Default for Thinking {
    fn default() -> Self {
        Thinking::Maybe(String::new(), 0)
    }
}

impl Thinking {
    /// Takes a piece of content and returns what of it is the answer.
    pub(super) fn answer(&mut self, piece: &str) -> String {
        match self {
            Thinking::Answering => piece.to_owned(),
            Thinking::After => {
                let answer = piece.trim_start();
                if !answer.is_empty() {
                    *self = Thinking::Answering;
                }
                answer.to_owned()
            }
            Thinking::Maybe(held, blanks) => {
                held.push_str(piece);
                let begun = held[*blanks..].trim_start();
                *blanks = held.len() - begun.len();
                if let Some(thought) = begun.strip_prefix(OPEN) {
                    let thought = thought.to_owned();
                    *self = Thinking::Inside(String::new());
                    self.answer(&thought)
                } else if OPEN.starts_with(begun) {
                    String::new()
                } else {
                    let answer = std::mem::take(held);
                    *self = Thinking::Answering;
                    answer
                }
            }
            Thinking::Inside(held) => {
                held.push_str(piece);
                if let Some(at) = held.find(CLOSE) {
                    let rest = held[at + CLOSE.len()..].to_owned();
                    *self = Thinking::After;
                    return self.answer(&rest);
                }
                let keep = (0..CLOSE.len()).rev().find(|&length| held.ends_with(&CLOSE[..length])).unwrap_or(0);
                held.drain(..held.len() - keep);
                String::new()
            }
        }
    }

    /// The answer has ended: what was held back was no tag.
    pub(super) fn end(self) -> String {
        match self {
            Thinking::Maybe(held, _) => held,
            Thinking::Inside(_) | Thinking::After | Thinking::Answering => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_before_an_answer_are_read_once_and_kept() {
        let mut thinking = Thinking::default();
        for count in 1..=100 {
            assert_eq!(thinking.answer(" "), "");
            assert!(matches!(&thinking, Thinking::Maybe(held, blanks) if held.len() == count && *blanks == count));
        }
        assert_eq!(thinking.answer("a"), " ".repeat(100) + "a");
    }

    #[test]
    fn thoughts_are_left_out_wherever_the_tags_are_cut() {
        for (content, answer) in [
            ("<think>hm</think>\n\nYes.", "Yes."),
            ("\n<think></think>Yes.", "Yes."),
            ("<think>a < b </thin k></think> é", "é"),
            ("Use <think> in a sentence", "Use <think> in a sentence"),
            ("<thing>", "<thing>"),
            (" <thin", " <thin"),
            ("<think>never closed", ""),
            ("", ""),
        ] {
            for (cut, _) in content.char_indices() {
                let mut thinking = Thinking::default();
                let mut said = thinking.answer(&content[..cut]);
                said += &thinking.answer(&content[cut..]);
                said += &thinking.end();
                assert_eq!(said, answer, "{content:?} cut at {cut}");
            }
        }
    }
}
