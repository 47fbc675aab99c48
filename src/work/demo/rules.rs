//! The rules: what the demo model knows, read from the data files beside this one.
//!
//! A rule says everything about one kind of message, role by role. The first whose pattern matches is taken, so what is
//! particular stands before what is general. Words that many patterns share stand in `words.json` and are written `@word`.

use super::questions::Questions;
use super::template::{self, Scope};
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const WORDS: &str = include_str!("words.json");
/// In the order in which they are looked through.
const FILES: &[&str] =
    &[include_str!("actions.json"), include_str!("memory.json"), include_str!("controls.json"), include_str!("talk.json")];

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    /// What to note of a message, whichever rule it falls under.
    pub(super) notes: Vec<Note>,
    /// What holds where no rule says otherwise.
    pub(super) otherwise: Rule,
    /// What to say of a tool that failed.
    pub(super) failed: Say,
    /// What experts are asked.
    pub(super) questions: Questions,
    languages: BTreeMap<String, Pattern>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// What it is about, for people who read the file or a trace.
    #[serde(rename = "rule")]
    pub(super) about: String,
    #[serde(default)]
    when: Vec<Pattern>,
    // input
    pub(super) intent: String,
    #[serde(default = "simple")]
    pub(super) complexity: String,
    #[serde(default)]
    pub(super) topic: String,
    // director, thinker, agent
    #[serde(default)]
    pub(super) goal: Say,
    #[serde(default)]
    pub(super) tools: Vec<Tool>,
    #[serde(default = "text")]
    pub(super) present_as: String,
    // interpreter
    #[serde(default)]
    pub(super) finds: Say,
    #[serde(default)]
    pub(super) findings: Value,
    // output, agent
    #[serde(default)]
    pub(super) says: Say,
}

/// A tool to call, if what is `given` holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tool {
    pub(super) tool: String,
    args: Value,
    #[serde(default)]
    given: BTreeMap<String, Pattern>,
    #[serde(default)]
    not: BTreeMap<String, Pattern>,
}

/// A pattern that a message holds, and what is then worth remembering.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    when: Pattern,
    not: Option<Pattern>,
    patch: Value,
}

/// What to say, by language: the first alternative that can be filled.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Say(BTreeMap<String, Vec<Alternative>>);

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Alternative {
    Always(String),
    /// The one that was not said yet, or longest ago.
    Turn {
        one_of: Vec<String>,
    },
    /// Where places match, and others don't.
    Given {
        given: BTreeMap<String, Pattern>,
        #[serde(default)]
        not: BTreeMap<String, Pattern>,
        say: String,
    },
}

/// A regular expression that takes no notice of case.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Pattern(Regex);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    words: BTreeMap<String, String>,
    languages: BTreeMap<String, Pattern>,
    notes: Vec<Note>,
    otherwise: Rule,
    failed: Say,
}

fn simple() -> String {
    "simple".to_owned()
}

fn text() -> String {
    "text".to_owned()
}

impl TryFrom<String> for Pattern {
    type Error = regex_lite::Error;
    fn try_from(pattern: String) -> Result<Self, Self::Error> {
        Regex::new(&format!("(?i){pattern}")).map(Pattern)
    }
}

impl Rules {
    /// The rules that are built in.
    pub(super) fn load() -> serde_json::Result<Rules> {
        let Words { words, languages, notes, otherwise, failed } = serde_json::from_str(WORDS)?;
        let mut rules = Vec::new();
        for file in FILES {
            rules.extend(serde_json::from_str::<Vec<Rule>>(&spelled(file, &words))?);
        }
        let questions = Questions::load(&words)?;
        Ok(Rules { rules, notes, otherwise, failed, questions, languages })
    }

    /// The rule that a message falls under, and the names that its pattern gave to parts of the message.
    pub(super) fn choose(&self, message: &str) -> (&Rule, BTreeMap<String, String>) {
        let matched = self.rules.iter().find_map(|rule| Some((rule, rule.when.iter().find_map(|pattern| pattern.names(message))?)));
        matched.unwrap_or((&self.otherwise, BTreeMap::new()))
    }

    /// The language whose words a text holds most; `None` where it can't be told.
    pub(super) fn language(&self, text: &str) -> Option<&str> {
        let count = |pattern: &Pattern| pattern.0.find_iter(text).count();
        let mut counts: Vec<(usize, &str)> = self.languages.iter().map(|(language, pattern)| (count(pattern), language.as_str())).collect();
        counts.sort_by(|a, b| b.cmp(a));
        match counts[..] {
            [(most, language), (second, _), ..] if most > second => Some(language),
            _ => None,
        }
    }
}

/// A data file with the patterns of the words that it uses in place of them.
pub(super) fn spelled(file: &str, words: &BTreeMap<String, String>) -> String {
    let spell = |text: String, (word, pattern): (&String, &String)| text.replace(&format!("@{word}"), &pattern.replace('\\', r"\\"));
    words.iter().rev().fold(file.to_owned(), spell)
}

impl Pattern {
    pub(super) fn holds(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    /// The named groups, if the text matches.
    pub(super) fn names(&self, text: &str) -> Option<BTreeMap<String, String>> {
        let found = self.0.captures(text)?;
        let names = self.0.capture_names().flatten();
        Some(names.filter_map(|name| Some((name.to_owned(), found.name(name)?.as_str().trim().to_owned()))).collect())
    }
}

/// What stands at a place, such as a slot; nothing where nothing does.
fn at(place: &str, scope: &Scope<'_>) -> String {
    template::text(&format!("{{{place}}}"), scope).unwrap_or_default()
}

/// The scope with the names that the patterns find in their places; `None` if one of them doesn't match.
fn given<'a>(patterns: &BTreeMap<String, Pattern>, scope: &Scope<'a>) -> Option<Scope<'a>> {
    let mut scope = scope.clone();
    for (place, pattern) in patterns {
        let names = pattern.names(&at(place, &scope))?;
        scope.names.extend(names);
    }
    Some(scope)
}

impl Tool {
    /// The arguments, if the tool is to be called.
    pub(super) fn args(&self, scope: &Scope<'_>) -> Option<Value> {
        if self.not.iter().any(|(place, pattern)| pattern.holds(&at(place, scope))) {
            return None;
        }
        template::json(&self.args, &given(&self.given, scope)?)
    }
}

impl Note {
    pub(super) fn patch(&self, message: &str, scope: &Scope<'_>) -> Option<Value> {
        if self.not.as_ref().is_some_and(|not| not.0.is_match(message)) {
            return None;
        }
        let names = self.when.names(message)?;
        template::json(&self.patch, &Scope { names, ..scope.clone() })
    }
}

impl Say {
    #[cfg(test)]
    pub(super) fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether it says anything at all.
    pub(super) fn is_anything(&self) -> bool {
        !self.0.is_empty()
    }

    /// In `language`, else in English.
    pub(super) fn text(&self, language: &str, scope: &Scope<'_>) -> Option<String> {
        let alternatives = self.0.get(language).or_else(|| self.0.get("en"))?;
        alternatives.iter().find_map(|alternative| match alternative {
            Alternative::Always(say) => template::text(say, scope),
            Alternative::Turn { one_of } => {
                let history = scope.slot("history");
                template::text(one_of.iter().min_by_key(|say| history.rfind(say.as_str()))?, scope)
            }
            Alternative::Given { not, .. } if not.iter().any(|(place, pattern)| pattern.holds(&at(place, scope))) => None,
            Alternative::Given { given: patterns, say, .. } => template::text(say, &given(patterns, scope)?),
        })
    }
}
