//! `recall`: searches this session's messages and facts; returns data.
//!
//! A message is found when it holds a word of the query; the best and newest come first. Where nothing matches, the last
//! messages and all facts are returned and `matched` is false, so that «what did I say before?» has an answer.

use super::{Act, Done, Tool, args, fits};
use crate::contract::{Message, Ui, clip, counted};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "recall",
    description: "searches what was said earlier in this conversation and the facts remembered about the user. Returns data.",
    parameters: r#"{"type":"object","properties":{"query":{"type":"string","description":"the words to look for; empty for the last messages"}},"required":["query"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

const FOUND_MAX: usize = 8;
const MESSAGE_BYTES_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Args {
    query: String,
}

fn run(view: &View<'_>, _ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { query } = args(value)?;
    let words = words(&query);
    let score = |text: &str| {
        let text = text.to_lowercase();
        words.iter().filter(|word| has_word(&text, word)).count()
    };
    let mut found: Vec<(usize, usize, &Message)> =
        view.earlier().enumerate().map(|(at, message)| (score(&message.content), at, message)).filter(|(score, ..)| *score > 0).collect();
    let facts: Vec<&String> = view.memory.facts.iter().filter(|fact| score(fact) > 0).collect();
    let matched = !found.is_empty() || !facts.is_empty();
    let facts = if matched { facts } else { view.memory.facts.iter().collect() };
    let mut messages: Vec<(usize, &Message)> = if matched {
        found.sort_by_key(|(score, at, _)| std::cmp::Reverse((*score, *at)));
        found.into_iter().map(|(_, at, message)| (at, message)).take(FOUND_MAX).collect()
    } else {
        let all: Vec<(usize, &Message)> = view.earlier().enumerate().collect();
        all.into_iter().rev().take(FOUND_MAX).collect()
    };
    messages.sort_by_key(|(at, _)| *at);
    let shown: Vec<Value> = messages
        .iter()
        .map(|(_, message)| json!({"role": message.role, "content": clip(&message.content, MESSAGE_BYTES_MAX), "turn": message.id.to_string()}))
        .collect();
    let rows = (shown.len() + facts.len()) as u64;
    let found = [counted(shown.len(), "message", "messages"), counted(facts.len(), "fact", "facts")].join(" and ");
    let summary = format!("{found}{}", if matched { "" } else { ", none of them matching" });
    let data = json!({"query": query, "matched": matched, "user_name": view.memory.user_name, "messages": shown, "facts": facts});
    Ok(Done { summary, data: Some(data), rows: Some(rows), ..Done::default() })
}

/// The words that can be looked for: short and common ones say nothing.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2).map(str::to_lowercase);
    words.filter(|word| !COMMON.contains(&word.as_str())).collect()
}

/// Whether `word` stands in `text` as a whole word; both in lower case.
fn has_word(text: &str, word: &str) -> bool {
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(word).any(|(at, _)| is_edge(text[..at].chars().next_back()) && is_edge(text[at + word.len()..].chars().next()))
}

const COMMON: &[&str] = &[
    "the", "and", "what", "did", "say", "said", "before", "you", "was", "were", "tell", "about", "earlier", "der", "die", "das", "und",
    "was", "habe", "ich", "ist", "hast", "gesagt", "vorher", "mein", "meine", "eben",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Role, TurnId};
    use crate::nodes::Packet;
    use crate::nodes::testing::Fixture;

    #[test]
    fn finds_by_word_else_returns_the_last_messages() {
        let mut fixture = Fixture::default();
        for (number, text) in ["I like green tea", "trains are late", "more tea please"].into_iter().enumerate() {
            let id = TurnId(number as u64 + 1);
            fixture.history.push_back(Message::new(Role::User, text, id));
        }
        fixture.memory.facts.push("drinks tea".into());
        let packet = Packet { turn: TurnId(9), ..Packet::default() };
        for (query, matched, messages, facts) in [("tea", true, 2, 1), ("what did I say before?", false, 3, 1), ("TRAINS", true, 1, 0)] {
            let done = run(&fixture.view(&packet), &mut Ui::default(), json!({"query": query})).unwrap();
            let data = done.data.unwrap();
            assert_eq!(data["matched"], matched, "{query}");
            assert_eq!((data["messages"].as_array().unwrap().len(), data["facts"].as_array().unwrap().len()), (messages, facts), "{query}");
        }
    }
}
