//! `recall`: searches this session's messages and facts; returns data.
//!
//! A message is found when it holds a word of the query; the best and newest are returned, or those that stand first. A query
//! without a word to look for, as in «what did I say before?», finds the last messages, or the first, and all facts. Where
//! nothing matches nothing is returned, and `matched` is false.

use super::{Act, Done, Tool, args, fits};
use crate::contract::{Message, Ui, clip, counted};
use crate::nodes::View;
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const TOOL: Tool = Tool {
    name: "recall",
    description: "searches what was said earlier in this conversation and the facts remembered about the user. Returns data; `matched` is false where nothing was found.",
    parameters: r#"{"type":"object","properties":{"query":{"type":"string","description":"the words to look for; empty for whatever was said"},"from":{"enum":["start","end"],"description":"start: what was said first; end, the default: what was said last"}},"required":["query"]}"#,
    fits: fits::<Args>,
    act: Act::Run(run),
};

const FOUND_MAX: usize = 8;
const MESSAGE_BYTES_MAX: usize = 1_000;

#[derive(Deserialize)]
struct Args {
    query: String,
    #[serde(default)]
    from: From,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum From {
    Start,
    #[default]
    End,
}

fn run(view: &View<'_>, _ui: &mut Ui, value: Value) -> Result<Done, String> {
    let Args { query, from } = args(value)?;
    let words = words(&query);
    let score = |text: &str| {
        let text = text.to_lowercase();
        words.iter().filter(|word| has_word(&text, word)).count()
    };
    let is_found = |score: usize| score > 0 || words.is_empty();
    let mut found: Vec<(usize, usize, &Message)> = view
        .earlier()
        .enumerate()
        .map(|(at, message)| (score(&message.content), at, message))
        .filter(|(score, ..)| is_found(*score))
        .collect();
    let facts: Vec<&String> = view.memory.facts.iter().filter(|fact| is_found(score(fact))).collect();
    found.sort_by_key(|(score, at, _)| {
        let place = if from == From::Start { *at } else { usize::MAX - at };
        (std::cmp::Reverse(*score), place)
    });
    found.truncate(FOUND_MAX);
    found.sort_by_key(|(_, at, _)| *at);
    let matched = !found.is_empty() || !facts.is_empty();
    let shown: Vec<Value> = found
        .iter()
        .map(|(.., message)| json!({"role": message.role, "content": clip(&message.content, MESSAGE_BYTES_MAX), "turn": message.id.to_string()}))
        .collect();
    let rows = (shown.len() + facts.len()) as u64;
    let summary = match matched {
        true => [counted(shown.len(), "message", "messages"), counted(facts.len(), "fact", "facts")].join(" and "),
        false => "nothing that was said or noted matches".to_owned(),
    };
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
    fn finds_by_word_from_either_end_and_says_when_nothing_matches() {
        let mut fixture = Fixture::default();
        for (number, text) in ["I like green tea", "trains are late", "more tea please"].into_iter().enumerate() {
            let id = TurnId(number as u64 + 1);
            fixture.history.push_back(Message::new(Role::User, text, id));
        }
        for number in 4..=12 {
            fixture.history.push_back(Message::new(Role::User, "hm", TurnId(number)));
        }
        fixture.memory.facts.push("drinks tea".into());
        let packet = Packet { turn: TurnId(99), ..Packet::default() };
        for (args, matched, turns, facts) in [
            (json!({"query": "tea"}), true, &[1, 3][..], 1),
            (json!({"query": "TRAINS"}), true, &[2], 0),
            (json!({"query": "coffee"}), false, &[], 0),
            (json!({"query": "what did I say before?"}), true, &[5, 6, 7, 8, 9, 10, 11, 12], 1),
            (json!({"query": "", "from": "start"}), true, &[1, 2, 3, 4, 5, 6, 7, 8], 1),
            (json!({"query": "", "from": "end"}), true, &[5, 6, 7, 8, 9, 10, 11, 12], 1),
        ] {
            let done = run(&fixture.view(&packet), &mut Ui::default(), args.clone()).unwrap();
            let data = done.data.unwrap();
            assert_eq!(data["matched"], matched, "{args}");
            let found: Vec<String> = turns.iter().map(|turn| format!("msg_{turn}")).collect();
            let told: Vec<&str> = data["messages"].as_array().unwrap().iter().map(|message| message["turn"].as_str().unwrap()).collect();
            assert_eq!((told, data["facts"].as_array().unwrap().len()), (found.iter().map(String::as_str).collect(), facts), "{args}");
            assert_eq!(done.summary.starts_with("nothing"), !matched, "{args}");
        }
        let nobody = Fixture::default();
        let done = run(&nobody.view(&packet), &mut Ui::default(), json!({"query": ""})).unwrap();
        assert_eq!(done.data.unwrap()["matched"], false, "nothing was said yet");
    }
}
