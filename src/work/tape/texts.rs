//! Long texts: each stands in a cassette once, in a line of its own above the first call that was asked it, and goes by its name
//! from there on. So what every call is asked is read once, and a prompt that is changed is a line that differs.

use super::asked::Asked;
use super::cassette::Named;
use std::collections::HashMap;

/// Longer ones get a name.
const LONG: usize = 100;

/// The texts that a file holds so far.
#[derive(Default)]
pub(super) struct Texts {
    names: HashMap<String, String>,
    /// How many go by the same name but for their number.
    counts: HashMap<String, u32>,
}

impl Texts {
    /// Puts names in place of long texts; those that the file does not hold yet.
    pub(super) fn name(&mut self, asked: &mut Asked) -> Vec<Named> {
        let mut new = Vec::new();
        for place in asked.texts() {
            let Some(text) = place.text().filter(|text| text.len() > LONG) else { continue };
            let name = self.names.entry(text.to_owned()).or_insert_with(|| {
                let count = self.counts.entry(place.what.clone()).or_default();
                *count += 1;
                let name = format!("{} {count}", place.what);
                new.push(Named { name: name.clone(), text: text.to_owned() });
                name
            });
            place.put_name(name);
        }
        new
    }
}

/// Puts texts in place of their names, or tells the name that none has.
pub(super) fn whole(asked: &mut Asked, texts: &HashMap<String, String>) -> Result<(), String> {
    for place in asked.texts() {
        if let Some(name) = place.name() {
            let text = texts.get(name).ok_or(name)?;
            place.put_text(text);
        }
    }
    Ok(())
}
