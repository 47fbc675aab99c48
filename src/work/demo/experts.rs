//! The assistant that routes, and the experts: who answers, the plan, and the answer from what the tools found.
//!
//! An expert knows its job alone. The first line of a job says what is wanted, the second in which language.

use super::questions::{Names, Question};
use super::roles::{AtWork, meant};
use super::rules::Tool;
use super::template::Scope;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The expert that puts things on the screen and looks up what was said.
const DESK: &str = "desk";

/// What a job says is wanted.
pub(super) fn wanted(job: &str) -> &str {
    job.split_once('\n').map_or(job, |(wanted, _)| wanted)
}

/// The line of a job that names the language.
pub(super) fn language_line(job: &str) -> Option<&str> {
    job.split_once('\n').map(|(_, language)| language)
}

impl AtWork<'_> {
    /// Decides who answers, and what their job is.
    pub(super) fn pa(&self, experts: &[String]) -> Value {
        let text = meant(self.message);
        let asked = self.rules.questions.meant(&text, self.scope.slot("history"));
        let known = asked.filter(|(question, _)| question.expert.as_ref().is_none_or(|expert| experts.contains(expert)));
        let (expert, job, thinking) = match known {
            Some((question, names)) => {
                let scope = self.with(names);
                let job = question.job.text(&self.language, &scope).unwrap_or(text);
                let assumed = self.rules.questions.assumed.text(&self.language, &scope).unwrap_or_default();
                (question.expert.as_deref(), job + &assumed, question.thinking.text(&self.language, &scope))
            }
            None if !self.rule.tools.is_empty() && !self.is_otherwise() && experts.iter().any(|expert| expert == DESK) => {
                let names = Names::from([("intent".to_owned(), self.rule.intent.clone())]);
                let thinking = self.rules.questions.thinking.text(&self.language, &self.with(names));
                (Some(DESK), text.split_whitespace().collect::<Vec<_>>().join(" "), thinking)
            }
            None => (None, self.rule.goal.text(&self.language, &self.scope).unwrap_or(text), None),
        };
        let job = match (expert, self.rules.questions.answer_in.text(&self.language, &self.scope)) {
            (Some(_), Some(line)) => format!("{job}\n{line}"),
            (Some(_), None) | (None, _) => job,
        };
        json!({"expert": expert, "job": job, "thinking_message": thinking.unwrap_or_default(), "language": self.language})
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

    /// The answer to a job from what its tools found. Where it is to be interpreted its first line is the summary.
    pub(super) fn compose(&self) -> String {
        let results: Vec<Value> = serde_json::from_str(self.scope.slot("results")).unwrap_or_default();
        match self.question() {
            Some((question, names)) => self.told(question, names, &results),
            None if results.iter().any(|result| !result["data"].is_null()) => {
                let found = self.interpreter();
                let findings = found["findings"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let findings = findings.map(|line| format!("\n- {line}")).collect::<String>();
                format!("{}{findings}", found["summary"].as_str().unwrap_or_default())
            }
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
