//! The assistant that routes, and the experts: who answers, the plan, and the answer from what the tools found.
//!
//! An expert knows its job alone. The first line of a job says what is wanted, the second in which language.

use super::questions::{Names, Question};
use super::roles::{AtWork, meant};
use super::rules::Tool;
use super::template::Scope;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The expert that puts things on the screen and looks up what was said.
const DESK: &str = "desk";

/// Who answers, in the order in which a model writes it.
#[derive(Serialize)]
struct Routing<'a> {
    expert: Option<&'a str>,
    job: String,
    thinking_message: String,
    language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
}

impl Routing<'_> {
    fn written(&self) -> String {
        serde_json::to_string(self).expect("our own plain data is always JSON")
    }
}

/// What a job says is wanted.
pub(super) fn wanted(job: &str) -> &str {
    job.split_once('\n').map_or(job, |(wanted, _)| wanted)
}

/// The line of a job that names the language.
pub(super) fn language_line(job: &str) -> Option<&str> {
    job.split_once('\n').map(|(_, language)| language)
}

impl AtWork<'_> {
    /// Decides who answers, and what their job is; or answers.
    pub(super) fn pa(&self, experts: &[String]) -> String {
        let text = meant(self.message);
        let asked = self.rules.questions.meant(&text, self.scope.slot("history"));
        let known = asked.filter(|(question, _)| question.expert.as_ref().is_none_or(|expert| experts.contains(expert)));
        let (expert, job, thinking) = match known {
            Some((question, names)) => {
                let scope = self.with(names);
                let Some(expert) = &question.expert else { return self.answers(question.says.text(&self.language, &scope)) };
                let job = question.job.text(&self.language, &scope).unwrap_or(text);
                let assumed = self.rules.questions.assumed.text(&self.language, &scope).unwrap_or_default();
                (expert.as_str(), job + &assumed, question.thinking.text(&self.language, &scope))
            }
            None if !self.rule.tools.is_empty() && !self.is_otherwise() && experts.iter().any(|expert| expert == DESK) => {
                let names = Names::from([("intent".to_owned(), self.rule.intent.clone())]);
                let thinking = self.rules.questions.thinking.text(&self.language, &self.with(names));
                (DESK, text.split_whitespace().collect::<Vec<_>>().join(" "), thinking)
            }
            None => return self.answers(Some(self.output())),
        };
        let line = self.rules.questions.answer_in.text(&self.language, &self.scope);
        let job = line.map_or(job.clone(), |line| format!("{job}\n{line}"));
        Routing { expert: Some(expert), job, thinking_message: thinking.unwrap_or_default(), language: &self.language, answer: None }
            .written()
    }

    fn answers(&self, answer: Option<String>) -> String {
        let (job, thinking_message) = (String::new(), String::new());
        Routing { expert: None, job, thinking_message, language: &self.language, answer }.written()
    }

    /// Plans a job; after a failure, what mends it, or nothing more.
    pub(super) fn plan(&self) -> Value {
        let called = |tools: &[Tool], scope: &Scope<'_>| -> Vec<Value> {
            let call = |tool: &Tool| Some(json!({"tool": tool.tool, "args": tool.args(scope)?}));
            tools.iter().filter_map(call).collect()
        };
        let failure = self.scope.slot("failure");
        let (calls, hint, interpret) = match self.question() {
            Some((question, names)) => {
                let scope = self.with(names);
                let plan = match failure {
                    "" => question.plan.as_slice(),
                    failure => question.repairs.iter().find(|repair| repair.failure.holds(failure)).map_or(&[][..], |it| &it.plan),
                };
                let hint = question.hint.text(&self.language, &scope).unwrap_or_else(|| question.about.clone());
                (called(plan, &scope), Some(hint), question.interpret)
            }
            None if failure.is_empty() => {
                let calls = called(&self.rule.tools, &self.scope);
                (calls, self.rule.goal.text(&self.language, &self.scope), self.rule.finds.is_anything())
            }
            None => (Vec::new(), None, false),
        };
        json!({"tool_sequence": calls, "response_hint": hint.unwrap_or_default(), "interpret": interpret})
    }

    /// The answer to a job from what its tools found.
    pub(super) fn compose(&self) -> String {
        let results: Vec<Value> = serde_json::from_str(self.scope.slot("results")).unwrap_or_default();
        match self.question() {
            Some((question, names)) => self.told(question, names, &results),
            None if results.iter().any(|result| !result["data"].is_null()) => self.found(),
            None => self.output(),
        }
    }

    fn told(&self, question: &Question, names: Names, results: &[Value]) -> String {
        let all = &self.rules.questions;
        let mut slots: BTreeMap<String, String> = self.scope.slots.clone();
        let found = results.iter().rev().find(|result| result["ok"] == true && result["data"]["rows"].is_array());
        if let Some(result) = found {
            let rows = &result["data"]["rows"];
            slots.insert("rows".to_owned(), rows.to_string());
            slots.extend(rows.as_array().and_then(|rows| rows.last()).map(|row| ("last_row".to_owned(), row.to_string())));
        }
        let scope = Scope { slots: &slots, names, item: Value::Null };
        let say = |say: &super::rules::Say| say.text(&self.language, &scope);
        if results.last().is_some_and(|result| result["ok"] == false) {
            return say(&question.fails).or_else(|| say(&all.failed)).unwrap_or_default();
        }
        if found.is_some_and(|result| result["data"]["rows"].as_array().is_some_and(Vec::is_empty)) {
            return say(&all.nothing).unwrap_or_default();
        }
        let mut told = say(&question.says).or_else(|| say(&all.nothing)).unwrap_or_default();
        if found.is_some_and(|result| result["data"]["is_cut"] == true) {
            told.push_str(&say(&all.cut).unwrap_or_default());
        }
        told.push_str(&say(&all.assumes).unwrap_or_default());
        told
    }

    /// The question that the job asks.
    fn question(&self) -> Option<(&Question, Names)> {
        self.rules.questions.asked(wanted(self.scope.slot("job")))
    }

    fn with(&self, names: Names) -> Scope<'_> {
        Scope { names, ..self.scope.clone() }
    }
}
