//! What was learned of each model of a provider: how it wants to be asked.
//!
//! A refusal is a hint, an answer is a proof: a simpler way of asking is kept only once it has worked, so that a question
//! that is wrong in every way teaches nothing.

use crate::wire::provider::Dialect;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub(super) struct Ladder {
    first: Dialect,
    learned: Mutex<BTreeMap<String, Dialect>>,
}

const MODELS_MAX: usize = 64;

impl Ladder {
    /// A ladder that begins with what is known of everyone at this host.
    pub(super) fn new(first: Dialect) -> Ladder {
        Ladder { first, learned: Mutex::default() }
    }

    pub(super) fn dialect(&self, model: &str) -> Dialect {
        self.learned().get(model).copied().unwrap_or(self.first)
    }

    /// A model has answered what was asked like this.
    pub(super) fn worked(&self, model: &str, dialect: Dialect) {
        let mut learned = self.learned();
        let known = learned.get(model).copied().unwrap_or(self.first);
        if known != dialect && (learned.len() < MODELS_MAX || learned.contains_key(model)) {
            learned.insert(model.to_owned(), dialect);
        }
    }

    fn learned(&self) -> MutexGuard<'_, BTreeMap<String, Dialect>> {
        self.learned.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::provider::Format;

    #[test]
    fn what_worked_is_kept_for_each_model_and_for_so_many() {
        let ladder = Ladder::new(Dialect::default());
        let object = Dialect { format: Format::Object, ..Dialect::default() };
        ladder.worked("small", object);
        assert_eq!((ladder.dialect("small"), ladder.dialect("big")), (object, Dialect::default()));
        (0..100).for_each(|number| ladder.worked(&number.to_string(), object));
        assert_eq!(ladder.learned().len(), MODELS_MAX);
        ladder.worked("small", Dialect { usage: false, ..object });
        assert!(!ladder.dialect("small").usage);
    }
}
