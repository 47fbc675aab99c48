//! Questions that an assistant hands to an expert, read from a data file.
//!
//! A question is understood twice: by the assistant, from what a user writes, and by the expert, from the job that the
//! assistant makes of it. So a job is written to be understood by the question's own patterns. A short message that only
//! changes a part of the question before it («and 2023?») is a follow-up: what it leaves out is taken from the history.

use super::rules::{Pattern, Say, Tool, spelled};
use super::template::{self, Scope};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const FILE: &str = include_str!("eras.json");

/// Parts of a question by name: a year, a town, a number.
pub(super) type Names = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Questions {
    /// The language of an answer, as a line of a job.
    pub(super) answer_in: Say,
    /// What is said while another expert is at work.
    pub(super) thinking: Say,
    /// Added to a job whose year nobody named, and to its answer.
    pub(super) assumed: Say,
    pub(super) assumes: Say,
    pub(super) cut: Say,
    pub(super) nothing: Say,
    pub(super) failed: Say,
    /// How parts are named, wherever they stand in a text.
    parts: BTreeMap<String, Vec<Pattern>>,
    follow_ups: Vec<FollowUp>,
    /// In the order in which they are looked through.
    pub(super) questions: Vec<Question>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// What it is about, for people who read the file.
    #[serde(rename = "question")]
    pub(super) about: String,
    /// Who answers; nobody where the assistant has to ask back.
    pub(super) expert: Option<String>,
    when: Vec<Pattern>,
    /// The parts that it may have, and that a follow-up may change.
    #[serde(default)]
    takes: Vec<String>,
    /// What holds where the question doesn't say it.
    #[serde(default)]
    usually: Names,
    pub(super) topic: String,
    #[serde(default)]
    pub(super) job: Say,
    #[serde(default)]
    pub(super) thinking: Say,
    #[serde(default)]
    pub(super) plan: Vec<Tool>,
    #[serde(default)]
    pub(super) repairs: Vec<Repair>,
    #[serde(default)]
    pub(super) hint: Say,
    #[serde(default)]
    pub(super) interpret: bool,
    pub(super) says: Say,
    /// Where the last call failed for good.
    #[serde(default)]
    pub(super) fails: Say,
}

/// What to do instead once a call has failed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Repair {
    pub(super) failure: Pattern,
    pub(super) plan: Vec<Tool>,
}

/// A message that changes a part of the question before it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FollowUp {
    when: Pattern,
    set: BTreeMap<String, String>,
}

impl Questions {
    pub(super) fn load(words: &Names) -> serde_json::Result<Questions> {
        serde_json::from_str(&spelled(FILE, words))
    }

    /// The question that a text asks by itself.
    pub(super) fn asked(&self, text: &str) -> Option<(&Question, Names)> {
        self.questions.iter().find_map(|question| Some((question, self.names(question, text)?)))
    }

    /// The question that a message asks, given what was asked before it.
    pub(super) fn meant(&self, message: &str, history: &str) -> Option<(&Question, Names)> {
        let asked = self.asked(message);
        if asked.as_ref().is_some_and(|(question, _)| question.expert.is_some()) {
            return asked;
        }
        // What is not clear by itself may be so after what was said before.
        self.follows(message, history).or(asked)
    }

    fn follows(&self, message: &str, history: &str) -> Option<(&Question, Names)> {
        let mut before: Option<(&Question, Names)> = None;
        for said in history.lines().filter_map(|line| line.strip_prefix("user: ")) {
            let known = self.asked(said).filter(|(question, _)| question.expert.is_some());
            before = known.or_else(|| self.followed(said, before.as_ref()?)).or(before);
        }
        self.followed(message, &before?)
    }

    fn followed<'a>(&self, message: &str, (question, names): &(&'a Question, Names)) -> Option<(&'a Question, Names)> {
        self.follow_ups.iter().find_map(|follow_up| {
            let new = follow_up.when.names(message)?;
            let scope = Scope { slots: &BTreeMap::new(), names: names.clone().into_iter().chain(new).collect(), item: Value::Null };
            let mut names = names.clone();
            for (name, value) in &follow_up.set {
                if !question.takes.contains(name) {
                    return None;
                }
                names.insert(name.clone(), template::text(value, &scope)?);
                if name == "year" {
                    names.remove("assumed");
                }
            }
            Some((*question, names))
        })
    }

    /// The parts of a question that the text names, and what holds where it doesn't.
    fn names(&self, question: &Question, text: &str) -> Option<Names> {
        let mut names = question.when.iter().find_map(|pattern| pattern.names(text))?;
        for part in &question.takes {
            names.extend(self.parts.get(part).into_iter().flatten().find_map(|pattern| pattern.names(text)).unwrap_or_default());
        }
        names.retain(|_, value| !value.is_empty());
        for (name, value) in &question.usually {
            if !names.contains_key(name) {
                names.insert(name.clone(), value.clone());
                if name == "year" {
                    names.insert("assumed".to_owned(), value.clone());
                }
            }
        }
        Some(names)
    }
}
