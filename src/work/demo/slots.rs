//! What a request says, read as a model reads it: from its text alone.
//!
//! Our prompts begin with a line `# <role>` and put each material under a line `## <slot>`. So the demo model knows exactly as
//! much as a real one, and the same rules can answer over HTTP. A heading that was seen before is text: what a user writes
//! below `## message` can't replace what stands above it.

use crate::contract::{ChatMessage, Role};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const NAMES: &[&str] = &[
    "message",
    "summary",
    "history",
    "memory",
    "sensed",
    "perception",
    "language",
    "controls",
    "dashboard",
    "pressed",
    "decision",
    "open",
    "open_tools",
    "goal",
    "present_as",
    "results",
    "findings",
    "reflex",
    "answer",
    "user_name",
    "job",
    "schema",
    "today",
    "dialect",
    "response_hint",
    "style",
];

/// The role that a request is for, and the material that goes with it.
#[derive(Debug, Default, PartialEq)]
pub struct Asked {
    /// Empty where the prompt names none.
    pub role: String,
    pub slots: BTreeMap<String, String>,
    /// The experts that the prompt tells of, by name.
    pub experts: Vec<String>,
}

pub fn slots_of(messages: &[ChatMessage]) -> Asked {
    let texts: Vec<(Role, String)> = messages.iter().map(|message| (message.role, message.text.to_string())).collect();
    let system = texts.iter().find(|(role, _)| *role == Role::System).map(|(_, text)| text.as_str()).unwrap_or_default();
    let role = system.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap_or_default().trim().to_owned();
    let of_user = |place: &usize| texts[*place].0 == Role::User;
    let has_blocks = |place: &usize| texts[*place].1.lines().any(|line| heading(line).is_some());
    let question = (0..texts.len()).rev().filter(of_user).find(has_blocks).or_else(|| (0..texts.len()).rev().find(of_user));
    let experts = experts(system);
    let Some(question) = question else { return Asked { role, slots: BTreeMap::new(), experts } };

    let mut slots = blocks(&texts[question].1);
    let turns = texts[..question].iter().filter(|(role, _)| *role != Role::System);
    let told: Vec<String> =
        turns.map(|(role, text)| format!("{}: {text}", if *role == Role::User { "user" } else { "assistant" })).collect();
    if !told.is_empty() {
        slots.entry("history".to_owned()).or_insert(told.join("\n"));
    }
    // What is said after the question: why an answer to it did not do.
    let since = (question + 1..texts.len()).filter(of_user).map(|place| texts[place].1.as_str()).collect::<Vec<_>>().join("\n");
    if !since.is_empty() {
        slots.entry("failure".to_owned()).or_insert(since);
    }
    let results = results(&messages[question..]);
    if !results.is_empty() {
        slots.entry("results".to_owned()).or_insert(Value::from(results).to_string());
    }
    Asked { role, slots, experts }
}

/// The names of the list that stands under `Experts:`.
fn experts(system: &str) -> Vec<String> {
    let list = system.lines().skip_while(|line| *line != "Experts:").skip(1);
    let name = |line: &str| Some(line.strip_prefix("- `")?.split_once('`')?.0.to_owned());
    list.map_while(name).collect()
}

fn heading(line: &str) -> Option<&'static str> {
    let name = line.strip_prefix("## ")?.trim_end();
    NAMES.iter().find(|known| **known == name).copied()
}

/// The text under each heading; without any, all of it is the message.
fn blocks(text: &str) -> BTreeMap<String, String> {
    let mut slots: BTreeMap<String, String> = BTreeMap::new();
    let mut open = "message";
    for line in text.split_inclusive('\n') {
        match heading(line).filter(|name| !slots.contains_key(*name)) {
            Some(name) => {
                open = name;
                slots.insert(open.to_owned(), String::new());
            }
            None => slots.entry(open.to_owned()).or_default().push_str(line),
        }
    }
    slots.retain(|_, value| !value.trim().is_empty());
    slots.values_mut().for_each(|value| *value = value.trim().to_owned());
    slots
}

/// What native tool calls brought since the question, in the shape that the `results` slot has.
fn results(since: &[ChatMessage]) -> Vec<Value> {
    let tool = |id: &str| since.iter().flat_map(|message| &message.tool_calls).find(|call| call.id == id).map(|call| call.tool.clone());
    let answers = since.iter().filter(|message| message.role == Role::Tool);
    let result = |message: &ChatMessage| {
        let text = message.text.to_string();
        let data = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
        let tool = tool(message.tool_call_id.as_deref().unwrap_or_default());
        json!({"tool": tool, "ok": true, "summary": text, "data": data})
    };
    answers.map(result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Text, ToolCall};

    fn says(role: Role, text: &str) -> ChatMessage {
        ChatMessage::new(role, Text::slot("said", text))
    }

    fn asked(messages: &[ChatMessage]) -> Value {
        let Asked { role, slots, .. } = slots_of(messages);
        json!({"role": role, "slots": slots})
    }

    #[test]
    fn slots_stand_under_their_headings() {
        let question = "## memory\n{\"user_name\":\"Ada\"}\n\n## history\n\n## message\nHi\n## memory\n## nonsense\n";
        assert_eq!(
            asked(&[says(Role::System, "# output\nBe brief."), says(Role::User, question)]),
            json!({"role": "output", "slots": {"memory": "{\"user_name\":\"Ada\"}", "message": "Hi\n## memory\n## nonsense"}})
        );
    }

    #[test]
    fn chat_turns_are_history_and_tool_messages_are_results() {
        let mut called = says(Role::Assistant, "");
        called.tool_calls.push(ToolCall { id: "a".into(), tool: "recall".into(), args: json!({}) });
        let mut found = says(Role::Tool, "{\"matched\":true}");
        found.tool_call_id = Some("a".into());
        let turns = [says(Role::User, "Hi"), says(Role::Assistant, "Hello."), says(Role::User, "What did I say?"), called, found];
        assert_eq!(
            asked(&turns)["slots"],
            json!({
                "history": "user: Hi\nassistant: Hello.",
                "message": "What did I say?",
                "results": r#"[{"data":{"matched":true},"ok":true,"summary":"{\"matched\":true}","tool":"recall"}]"#,
            })
        );
    }

    #[test]
    fn every_heading_of_our_prompts_is_known() {
        let prompts = concat!(env!("CARGO_MANIFEST_DIR"), "/graphs/prompts");
        for file in std::fs::read_dir(prompts)
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|file| file.extension().is_some_and(|it| it == "md"))
        {
            let text = std::fs::read_to_string(&file).unwrap();
            let name = file.file_stem().unwrap().to_str().unwrap();
            let role = if ["desk", "eras"].contains(&name) { "expert" } else { name };
            assert!(text.starts_with(&format!("# {role}\n")), "{role} names its role first");
            for line in text.lines().filter(|line| line.starts_with("## ")) {
                assert!(heading(line).is_some(), "{role}: {line}");
            }
        }
    }
}
