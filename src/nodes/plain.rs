//! Plain cases: an exact, listed set of sayings per language that is answered without a model.
//!
//! A data file, `{language: [{"topic", "says": [..], "reply"}]}`. Only a message that is one of the sayings, letter for letter
//! but for case, spaces and closing punctuation, is taken; everything else asks the model. `{name}` in a reply becomes the
//! user's name with a comma before it, or nothing where it isn't known.

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

#[derive(Clone, Debug, Default)]
pub struct Plain {
    /// Saying → language and case; looked up, never walked.
    by_saying: HashMap<String, (String, usize)>,
    cases: BTreeMap<String, Vec<Case>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    topic: String,
    says: Vec<String>,
    reply: String,
}

/// A plain case that a message is.
#[derive(Debug, PartialEq)]
pub struct Met<'a> {
    pub language: &'a str,
    pub topic: &'a str,
    pub reply: String,
}

impl Plain {
    pub fn parse(json: &str) -> serde_json::Result<Plain> {
        let cases: BTreeMap<String, Vec<Case>> = serde_json::from_str(json)?;
        let mut by_saying = HashMap::new();
        for (language, list) in &cases {
            for (index, case) in list.iter().enumerate() {
                for saying in &case.says {
                    by_saying.entry(normal(saying)).or_insert_with(|| (language.clone(), index));
                }
            }
        }
        Ok(Plain { by_saying, cases })
    }

    /// The case that `message` is, if it is one. Where a saying belongs to two languages the file's first one has it.
    pub fn meet(&self, message: &str, user_name: &str) -> Option<Met<'_>> {
        if message.len() > 100 {
            return None;
        }
        let (language, index) = self.by_saying.get(&normal(message))?;
        let case = &self.cases[language][*index];
        let name = match user_name {
            "" | "anonymous" => String::new(),
            name => format!(", {name}"),
        };
        Some(Met { language, topic: &case.topic, reply: case.reply.replace("{name}", &name) })
    }
}

fn normal(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").trim_end_matches(['!', '.', '?', ' ', ',']).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listed_saying_is_met() {
        let plain = Plain::parse(r#"{"en":[{"topic":"greeting","says":["good morning"],"reply":"Morning{name}!"}]}"#).unwrap();
        for (message, reply) in [
            ("Good  morning!", Some("Morning, Ada!")),
            ("good morning", Some("Morning, Ada!")),
            ("good morning, why is the sky blue?", None),
            ("", None),
        ] {
            assert_eq!(plain.meet(message, "Ada").map(|met| met.reply).as_deref(), reply, "{message:?}");
        }
        assert_eq!(plain.meet("good morning", "anonymous").map(|met| met.reply).as_deref(), Some("Morning!"));
    }
}
