//! What each role makes of the rule that a message falls under.

use super::experts;
use super::rules::{Rule, Rules};
use super::slots::Asked;
use super::template::{self, Scope};
use crate::contract::ToolCall;
use regex_lite::Regex;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::slice;
use std::sync::LazyLock;

/// The text of an answer, or tools to call first.
pub(super) fn answer(rules: &Rules, asked: Asked, may_call_tools: bool) -> (String, Vec<ToolCall>) {
    let Asked { role, mut slots, experts } = asked;
    if let Some(goal) = slots.get("goal").filter(|goal| role == "interpreter" && experts::language_line(goal).is_some()).cloned() {
        // It stands behind an expert, whose job is its goal.
        slots.insert("job".to_owned(), goal);
    }
    if let Some(job) = slots.get("job") {
        // To whom a job is all there is, it is the message.
        let wanted = experts::wanted(job).to_owned();
        slots.insert("message".to_owned(), wanted);
    }
    let message = slots.get("message").cloned().unwrap_or_default();
    let language = language(rules, &message, &slots);
    slots.insert("language".to_owned(), language.clone());
    if let Ok(results) = serde_json::from_str::<Vec<Value>>(slots.get("results").map_or("", String::as_str)) {
        slots.insert("found".to_owned(), found(&results).to_string());
    }
    let (rule, names) = rules.choose(&meant(&message));
    let scope = Scope { slots: &slots, names, item: Value::Null };
    let at_work = AtWork { rules, rule, language, scope, message: &message };
    let structured = match role.as_str() {
        "input" => at_work.input(),
        "director" => at_work.director(),
        "thinker" => at_work.thinker(),
        "pa" => return (at_work.pa(&experts), Vec::new()),
        "expert" => at_work.plan(),
        "interpreter" => at_work.interpreter(),
        "memorizer" => at_work.memorizer(),
        "compose" => return (at_work.compose(), Vec::new()),
        "output" => return (at_work.output(), Vec::new()),
        _ => return at_work.agent(may_call_tools),
    };
    (structured.to_string(), Vec::new())
}

/// What tools have found, as rules speak of it.
fn found(results: &[Value]) -> Value {
    let all = |path: &str| -> Vec<&Value> {
        results
            .iter()
            .filter_map(|result| result.pointer(path))
            .flat_map(|found| found.as_array().map_or(slice::from_ref(found), Vec::as_slice))
            .collect()
    };
    let messages = all("/data/messages");
    let said: Vec<&Value> = messages.iter().filter(|message| message["role"] == "user").map(|message| &message["content"]).collect();
    let failed: Vec<&Value> = results.iter().filter(|result| result["ok"] == false).map(|result| &result["summary"]).collect();
    json!({
        "said": said,
        "messages": messages,
        "facts": all("/data/facts"),
        "user_name": all("/data/user_name").last(),
        "columns": all("/data").iter().filter_map(|data| data.get("column")).collect::<Vec<_>>(),
        "failed": failed,
        "last": results.last().map(|result| &result["summary"]),
    })
}

pub(super) struct AtWork<'a> {
    pub(super) rules: &'a Rules,
    pub(super) rule: &'a Rule,
    pub(super) language: String,
    pub(super) scope: Scope<'a>,
    pub(super) message: &'a str,
}

/// What a message asks: a button whose data holds `say` asks that.
pub(super) fn meant(message: &str) -> String {
    static SAY: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"^action: .*"say":"([^"]*)""#).expect("a pattern of our own"));
    SAY.captures(message).map_or(message, |found| found.get(1).map_or(message, |say| say.as_str())).to_owned()
}

/// The language to answer in: as the request says, else as the message is written, else as remembered.
fn language(rules: &Rules, message: &str, slots: &BTreeMap<String, String>) -> String {
    let scope = Scope { slots, names: BTreeMap::new(), item: Value::Null };
    let named = |place: &str| template::text(place, &scope);
    // The words around an action's name are ours, not the user's.
    let written = if message.starts_with("action: ") { scope.slot("goal") } else { message };
    let job = || experts::language_line(slots.get("job").or_else(|| slots.get("goal"))?).and_then(|line| rules.language(line));
    let told = named("{language}").or_else(|| named("{perception.language}")).or_else(|| job().map(str::to_owned));
    let heard = || rules.language(written).map(str::to_owned);
    told.or_else(heard).or_else(|| named("{memory.language}")).unwrap_or_else(|| "en".to_owned())
}

impl AtWork<'_> {
    fn input(&self) -> Value {
        let known = template::text("{memory.user_name}", &self.scope).filter(|name| name != "anonymous");
        let asked = self.rules.questions.asked(&meant(self.message)).map(|(question, _)| question);
        let first_words: Vec<&str> = self.message.split_whitespace().take(4).collect();
        json!({
            "who": known.unwrap_or_else(|| "user".to_owned()),
            "language": self.language,
            "intent": if asked.is_some() { "question" } else { &self.rule.intent },
            "topic": asked.map(|question| question.topic.clone()).or_else(|| self.topic()).unwrap_or_else(|| first_words.join(" ")),
            "tone": if self.message.ends_with('!') { "lively" } else { "neutral" },
            "complexity": if asked.is_some() { "simple" } else { &self.rule.complexity },
            "context": "",
        })
    }

    fn director(&self) -> Value {
        let calls: Vec<Value> = self.calls().into_iter().map(|(tool, args)| json!({"tool": tool, "args": args})).collect();
        let steps: Vec<&str> = self.rule.tools.iter().map(|tool| tool.tool.as_str()).chain(["answer"]).collect();
        json!({
            "goal": self.rule.goal.text(&self.language, &self.scope).unwrap_or_else(|| self.message.to_owned()),
            "steps": steps,
            "tool_sequence": calls,
            "present_as": self.rule.present_as,
            "reason": format!("a rule of the demo model: {}", self.rule.about),
        })
    }

    fn calls(&self) -> Vec<(&str, Value)> {
        self.rule.tools.iter().filter_map(|tool| Some((tool.tool.as_str(), tool.args(&self.scope)?))).collect()
    }

    /// The rule's own arguments where a plan left them open.
    fn thinker(&self) -> Value {
        let open: Vec<Value> = serde_json::from_str(self.scope.slot("open")).unwrap_or_default();
        let calls = self.calls();
        let fill = |call: &Value| {
            let tool = call["tool"].as_str().unwrap_or_default();
            let args = calls.iter().find(|(name, _)| *name == tool).map(|(_, args)| args.clone());
            json!({"tool": tool, "args": args.unwrap_or_else(|| json!({"query": self.message}))})
        };
        json!({"calls": open.iter().map(fill).collect::<Vec<_>>()})
    }

    fn interpreter(&self) -> Value {
        let summary = self.compose();
        let findings: Vec<&str> = summary.lines().filter_map(|line| line.strip_prefix("- ")).collect();
        json!({"findings": findings, "summary": summary})
    }

    /// What was found, and a line for each thing that supports it.
    pub(super) fn found(&self) -> String {
        let said = |rule: &Rule| rule.finds.text(&self.language, &self.scope);
        let summary = said(self.rule).or_else(|| said(&self.rules.otherwise)).unwrap_or_default();
        let findings = if self.rule.findings.is_null() { &self.rules.otherwise.findings } else { &self.rule.findings };
        let findings = template::json(findings, &self.scope).unwrap_or_default();
        let lines = findings.as_array().into_iter().flatten().filter_map(Value::as_str).map(|line| format!("\n- {line}"));
        summary + &lines.collect::<String>()
    }

    fn memorizer(&self) -> Value {
        let mut patch = Map::new();
        let noted = self.rules.notes.iter().filter_map(|note| note.patch(self.message, &self.scope));
        for (field, value) in noted.filter_map(|note| if let Value::Object(fields) = note { Some(fields) } else { None }).flatten() {
            match (patch.get_mut(&field), value) {
                (Some(Value::Array(known)), Value::Array(new)) => known.extend(new),
                (_, value) => drop(patch.insert(field, value)),
            }
        }
        if let Some(topic) = self.topic().filter(|_| self.rule.intent != "social") {
            patch.insert("topic".to_owned(), topic.into());
        }
        let remembered = template::text("{memory.language}", &self.scope).unwrap_or_default();
        if let Some(language) =
            self.rules.language(self.message).filter(|language| *language != remembered && !self.message.starts_with("action: "))
        {
            patch.insert("language".to_owned(), language.into());
        }
        Value::Object(patch)
    }

    pub(super) fn output(&self) -> String {
        let failed = || self.rules.failed.text(&self.language, &self.scope);
        let found = || self.scope.slots.get("findings").cloned();
        let said = |rule: &Rule| rule.says.text(&self.language, &self.scope);
        found().or_else(failed).or_else(|| said(self.rule)).or_else(|| said(&self.rules.otherwise)).unwrap_or_default()
    }

    pub(super) fn is_otherwise(&self) -> bool {
        std::ptr::eq(self.rule, &self.rules.otherwise)
    }

    /// All roles in one: calls the rule's tools first, then speaks of what they brought.
    fn agent(&self, may_call_tools: bool) -> (String, Vec<ToolCall>) {
        let results: Vec<Value> = serde_json::from_str(self.scope.slot("results")).unwrap_or_default();
        if may_call_tools && results.is_empty() {
            let call =
                |(place, (tool, args)): (usize, (&str, Value))| ToolCall { id: format!("call_{}", place + 1), tool: tool.to_owned(), args };
            let calls: Vec<ToolCall> = self.calls().into_iter().enumerate().map(call).collect();
            if !calls.is_empty() {
                return (String::new(), calls);
            }
        }
        let mut slots: BTreeMap<String, String> = self.scope.slots.clone();
        if results.iter().any(|result| !result["data"].is_null()) {
            slots.insert("findings".to_owned(), self.found());
        }
        let scope = Scope { slots: &slots, ..self.scope.clone() };
        (AtWork { scope, language: self.language.clone(), ..*self }.output(), Vec::new())
    }

    fn topic(&self) -> Option<String> {
        template::text(&self.rule.topic, &self.scope).filter(|topic| !topic.is_empty())
    }
}
