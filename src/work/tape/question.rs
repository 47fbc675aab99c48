//! A request as tapes compare it, for those who look for a recorded answer elsewhere.

use super::asked::{Asked, Key};
use super::difference;
use crate::contract::Request;

/// What a request asks, but for what changes by itself.
#[derive(Clone, Debug)]
pub struct Question {
    asked: Asked,
    key: Key,
    label: String,
}

impl Question {
    pub fn of(request: &Request) -> Question {
        let asked = Asked::of(request);
        Question { key: asked.key(), asked, label: request.label().to_string() }
    }

    pub fn is_same(&self, other: &Question) -> bool {
        self.key == other.key
    }

    /// What differs from the likest of these recorded ones, in words.
    pub fn difference<'a>(&self, recorded: impl Iterator<Item = &'a Question>) -> String {
        let own = recorded.filter(|recorded| recorded.label.eq_ignore_ascii_case(&self.label));
        match own.max_by_key(|recorded| difference::likeness(&recorded.asked, &self.asked)) {
            None => "the recorded turn made no such call".to_owned(),
            Some(likest) if likest.is_same(self) => "the recorded turn made this call less often".to_owned(),
            Some(likest) => difference::of(&likest.asked, &self.asked),
        }
    }
}
