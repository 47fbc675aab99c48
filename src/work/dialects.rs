//! What was learned of each model of a provider: how it wants to be asked.
//!
//! A refusal is a hint, an answer is a proof: a simpler or roomier way of asking is kept only once it has worked, so that a
//! question that is wrong in every way teaches nothing.

use crate::wire::provider::Dialect;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

#[derive(Debug)]
pub(super) struct Dialects {
    first: Dialect,
    learned: Mutex<BTreeMap<String, Learned>>,
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    dialect: Dialect,
    /// Answers in a row that held the end of a thought and no beginning.
    bare: u32,
}

/// One such answer proves nothing: a user can ask for it.
const BARE_MIN: u32 = 2;

const MODELS_MAX: usize = 64;

impl Dialects {
    /// A dialects that begins with what is known of everyone at this host.
    pub(super) fn new(first: Dialect) -> Dialects {
        Dialects { first, learned: Mutex::default() }
    }

    pub(super) fn dialect(&self, model: &str) -> Dialect {
        self.learned().get(model).map_or(self.first, |learned| learned.dialect)
    }

    /// A model has answered what was asked like this. `is_bare`: whether the answer held the end of a thought that nothing had
    /// begun; nothing where that says nothing of the model.
    pub(super) fn worked(&self, model: &str, dialect: Dialect, is_bare: Option<bool>) {
        let mut learned = self.learned();
        let known = learned.get(model).copied().unwrap_or(Learned { dialect: self.first, bare: 0 });
        let bare = match is_bare {
            Some(true) => known.bare.saturating_add(1).min(BARE_MIN),
            Some(false) => 0,
            None => known.bare,
        };
        let dialect = Dialect { opens_thoughts: bare >= BARE_MIN, ..dialect };
        if (known.dialect, known.bare) != (dialect, bare) && (learned.len() < MODELS_MAX || learned.contains_key(model)) {
            learned.insert(model.to_owned(), Learned { dialect, bare });
        }
    }

    fn learned(&self) -> MutexGuard<'_, BTreeMap<String, Learned>> {
        self.learned.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::provider::Format;

    #[test]
    fn what_worked_is_kept_for_each_model_and_for_so_many() {
        let dialects = Dialects::new(Dialect::default());
        let object = Dialect { format: Format::Object, ..Dialect::default() };
        dialects.worked("small", object, None);
        assert_eq!((dialects.dialect("small"), dialects.dialect("big")), (object, Dialect::default()));
        (0..100).for_each(|number| dialects.worked(&number.to_string(), object, None));
        assert_eq!(dialects.learned().len(), MODELS_MAX);
        dialects.worked("small", Dialect { usage: false, ..object }, None);
        assert!(!dialects.dialect("small").usage);
    }

    #[test]
    fn how_a_model_thinks_is_learned_of_two_answers_and_forgotten_after_one() {
        let dialects = Dialects::new(Dialect::default());
        for (is_bare, is_known) in [
            (Some(true), false),
            (Some(false), false),
            (Some(true), false),
            (None, false),
            (Some(true), true),
            (None, true),
            (Some(true), true),
            (Some(false), false),
            (Some(true), false),
        ] {
            dialects.worked("small", Dialect::default(), is_bare);
            assert_eq!(dialects.dialect("small").opens_thoughts, is_known, "{is_bare:?}");
        }
    }
}
