//! Long texts: each stands in a cassette once, in a line of its own above the first call that was asked it, and goes by its name
//! from there on. So what every call is asked is read once, and a prompt that is changed is a line that differs.

use super::asked::Asked;
use super::cassette::Named;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// A text of a question. It goes by its name only in a file, and between there and [`whole`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Said {
    Itself(String),
    By { name: String },
}

/// Longer ones get a name.
const LONG: usize = 100;

/// The texts that a file holds so far.
#[derive(Default)]
pub(super) struct Texts {
    names: HashMap<String, String>,
    /// How many go by the same name but for their number.
    counts: HashMap<String, u32>,
}

impl Said {
    pub(super) fn of(text: &str) -> Said {
        Said::Itself(text.to_owned())
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Said::Itself(text) => f.write_str(text),
            Said::By { name } => write!(f, "({name})"),
        }
    }
}

impl Texts {
    /// Puts names in place of long texts; those that the file does not hold yet.
    pub(super) fn name(&mut self, asked: &mut Asked) -> Vec<Named> {
        let mut new = Vec::new();
        for (what, said) in asked.texts() {
            let Said::Itself(text) = said else { continue };
            if text.len() <= LONG {
                continue;
            }
            let name = self.names.entry(text.clone()).or_insert_with(|| {
                let count = self.counts.entry(what.clone()).or_default();
                *count += 1;
                new.push(Named { name: format!("{what} {count}"), text: text.clone() });
                format!("{what} {count}")
            });
            *said = Said::By { name: name.clone() };
        }
        new
    }
}

/// Puts texts in place of their names, or tells the name that none has.
pub(super) fn whole(asked: &mut Asked, texts: &HashMap<String, String>) -> Result<(), String> {
    for (_, said) in asked.texts() {
        if let Said::By { name } = said {
            *said = Said::Itself(texts.get(name).ok_or_else(|| name.clone())?.clone());
        }
    }
    Ok(())
}
