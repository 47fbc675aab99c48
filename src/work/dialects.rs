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
    learned: Mutex<BTreeMap<String, Dialect>>,
}

const MODELS_MAX: usize = 64;

impl Dialects {
    /// A dialects that begins with what is known of everyone at this host.
    pub(super) fn new(first: Dialect) -> Dialects {
        Dialects { first, learned: Mutex::default() }
    }

    pub(super) fn dialect(&self, model: &str) -> Dialect {
        self.learned().get(model).copied().unwrap_or(self.first)
    }

    /// A model has answered what was asked like this.
    pub(super) fn worked(&self, model: &str, dialect: Dialect) {
        let mut learned = self.learned();
        let known = learned.get(model).copied().unwrap_or(self.first);
        // An answer that was asked for before the first thought came says nothing against it.
        let dialect = Dialect { opens_thoughts: dialect.opens_thoughts | known.opens_thoughts, ..dialect };
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
        let dialects = Dialects::new(Dialect::default());
        let object = Dialect { format: Format::Object, ..Dialect::default() };
        dialects.worked("small", object);
        assert_eq!((dialects.dialect("small"), dialects.dialect("big")), (object, Dialect::default()));
        (0..100).for_each(|number| dialects.worked(&number.to_string(), object));
        assert_eq!(dialects.learned().len(), MODELS_MAX);
        dialects.worked("small", Dialect { usage: false, ..object });
        assert!(!dialects.dialect("small").usage);
        dialects.worked("small", Dialect { opens_thoughts: true, ..object });
        dialects.worked("small", object);
        assert!(dialects.dialect("small").opens_thoughts, "how a model thinks is learned for good");
    }
}
