//! What a session remembers: its messages, and what the memorizer made of them.

use super::{ClientId, TurnId, Variant};
use serde::{Deserialize, Serialize};

/// One message of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// `user` or `assistant`.
    pub role: super::Role,
    pub content: String,
    #[serde(with = "turn_id")]
    pub id: TurnId,
    /// The turn failed or was stopped: this is what was shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// What the turn's nodes told while they worked; it stands beside the turn's last message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub progress: String,
    /// The name that the client gave a user's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<ClientId>,
    /// What stood here before, on a user's message: the oldest first. No model reads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Variant>,
}

impl Message {
    pub fn new(role: super::Role, content: impl Into<String>, id: TurnId) -> Message {
        Message { role, content: content.into(), id, partial: false, progress: String::new(), client_id: None, variants: Vec::new() }
    }

    pub fn bytes(&self) -> usize {
        self.content.len() + self.progress.len() + self.variants.iter().map(Variant::bytes).sum::<usize>()
    }
}

/// A turn's id as the wire writes it.
pub(super) mod turn_id {
    use super::TurnId;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(id: &TurnId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(id)
    }
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TurnId, D::Error> {
        String::deserialize(from)?.parse().map_err(|()| D::Error::custom("a turn's id is `msg_<n>`"))
    }
}

/// What is known of the person and the conversation. The memorizer patches it after a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub user_name: String,
    pub user_mood: String,
    pub topic: Option<String>,
    pub topic_history: Vec<String>,
    pub situation: String,
    pub language: String,
    pub style_hint: String,
    pub facts: Vec<String>,
}

impl Memory {
    const STYLE: &str = "casual, technical";
    const MOOD: &str = "neutral";
    const NOBODY: &str = "anonymous";

    pub fn initial(identity: &str) -> Self {
        Memory {
            user_name: identity.to_owned(),
            user_mood: Memory::MOOD.to_owned(),
            topic: None,
            topic_history: Vec::new(),
            situation: String::new(),
            language: "en".to_owned(),
            style_hint: Memory::STYLE.to_owned(),
            facts: Vec::new(),
        }
    }

    /// What a model is shown: only what was learned. What a new memory holds by itself says nothing of the user.
    pub fn learned(&self) -> Learned<'_> {
        let known = |value: &'_ str, initial: &str| !value.is_empty() && value != initial;
        Learned {
            user_name: known(&self.user_name, Memory::NOBODY).then_some(&self.user_name),
            user_mood: known(&self.user_mood, Memory::MOOD).then_some(&self.user_mood),
            topic: self.topic.as_deref(),
            topic_history: &self.topic_history,
            situation: &self.situation,
            language: &self.language,
            style_hint: self.style(),
            facts: &self.facts,
        }
    }

    /// The same with no text and no list longer than a memory's own.
    #[must_use]
    pub fn bounded(self, facts_max: usize) -> Memory {
        let list = |items: Vec<String>, most: usize| {
            let excess = items.len().saturating_sub(facts_max);
            items.into_iter().skip(excess).map(|item| super::clip(&item, most)).collect()
        };
        let text = |text: String| super::clip(&text, 500);
        Memory {
            user_name: text(self.user_name),
            user_mood: text(self.user_mood),
            topic: self.topic.map(|topic| super::clip(&topic, 200)),
            topic_history: list(self.topic_history, 200),
            situation: text(self.situation),
            language: text(self.language),
            style_hint: text(self.style_hint),
            facts: list(self.facts, 500),
        }
    }

    /// How the user likes answers, as far as they said so.
    pub fn style(&self) -> &str {
        if self.style_hint == Memory::STYLE { "" } else { &self.style_hint }
    }

    /// Applies a patch and returns whether anything changed. Topics and facts are kept without duplicates; beyond `facts_max`
    /// the oldest are dropped.
    pub fn apply(&mut self, patch: MemoryPatch, facts_max: usize) -> bool {
        let mut has_changed = false;
        let says_more = patch.says_more();
        let mut replace = |field: &mut String, new: Option<String>| {
            if let Some(new) = new.filter(|new| !new.trim().is_empty()).map(|new| super::clip(new.trim(), 500)) {
                has_changed |= *field != new;
                *field = new;
            }
        };
        replace(&mut self.user_name, patch.user_name);
        replace(&mut self.user_mood, patch.user_mood);
        replace(&mut self.language, patch.language);
        replace(&mut self.style_hint, patch.style_hint);
        // An empty one says that it is over, unless all is empty: some models fill in every field.
        let situation = patch.situation.map(|situation| super::clip(situation.trim(), 500));
        if let Some(situation) = situation.filter(|situation| !situation.is_empty() || says_more) {
            has_changed |= self.situation != situation;
            self.situation = situation;
        }
        if let Some(topic) = patch.topic.filter(|topic| !topic.trim().is_empty()) {
            let topic = super::clip(topic.trim(), 200);
            has_changed |= remember(&mut self.topic_history, topic.clone(), facts_max) | (self.topic.as_ref() != Some(&topic));
            self.topic = Some(topic);
        }
        let known = self.facts.len();
        self.facts.retain(|fact| !patch.forget.iter().any(|wrong| wrong.trim().eq_ignore_ascii_case(fact)));
        has_changed |= self.facts.len() != known;
        for fact in patch.facts.into_iter().filter(|fact| !fact.trim().is_empty()) {
            has_changed |= remember(&mut self.facts, super::clip(fact.trim(), 500), facts_max);
        }
        has_changed
    }
}

/// Puts `item` last, once, and returns whether that changes the list.
fn remember(list: &mut Vec<String>, item: String, most: usize) -> bool {
    if list.last() == Some(&item) {
        return false;
    }
    list.retain(|known| !known.eq_ignore_ascii_case(&item));
    list.push(item);
    let excess = list.len().saturating_sub(most);
    list.drain(..excess);
    true
}

/// See [`Memory::learned`].
#[derive(Serialize)]
pub struct Learned<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_mood: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    topic_history: &'a [String],
    #[serde(skip_serializing_if = "str::is_empty")]
    situation: &'a str,
    language: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    style_hint: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    facts: &'a [String],
}

/// What the memorizer found out in one turn; what it leaves out stays as it is, `facts` are added, and those to
/// `forget` removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MemoryPatch {
    pub user_name: Option<String>,
    pub user_mood: Option<String>,
    pub topic: Option<String>,
    pub situation: Option<String>,
    pub language: Option<String>,
    pub style_hint: Option<String>,
    pub facts: Vec<String>,
    /// Facts that are wrong now, word for word.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forget: Vec<String>,
}

impl MemoryPatch {
    /// Whether it says anything beside the situation.
    fn says_more(&self) -> bool {
        let texts = [&self.user_name, &self.user_mood, &self.topic, &self.language, &self.style_hint];
        let mut texts = texts.into_iter().flatten().chain(&self.facts).chain(&self.forget);
        texts.any(|text| !text.trim().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_from_outside_is_bounded() {
        let long = || "x".repeat(2_000);
        let facts = vec!["first".to_owned(), long(), "last".to_owned()];
        let memory = Memory { user_name: long(), topic: Some(long()), facts, ..Memory::initial("ada") }.bounded(2);
        let mark = '…'.len_utf8();
        assert!(memory.user_name.len() <= 500 + mark && memory.topic.is_some_and(|topic| topic.len() <= 200 + mark));
        assert_eq!((memory.facts.len(), memory.facts[1].as_str(), memory.facts[0].len() <= 500 + mark), (2, "last", true));
        let own = Memory::initial("ada");
        assert_eq!(own.clone().bounded(2), own);
    }

    #[test]
    fn a_patch_changes_only_what_it_names_and_keeps_no_fact_twice() {
        let mut memory = Memory::initial("ada");
        let patch = MemoryPatch { topic: Some("rust".into()), facts: vec!["likes tea".into(), " ".into()], ..Default::default() };
        assert!(memory.apply(patch.clone(), 2));
        assert!(!memory.apply(patch, 2), "nothing new");
        assert_eq!((memory.user_name.as_str(), memory.topic.as_deref()), ("ada", Some("rust")));
        assert_eq!((memory.facts.len(), memory.topic_history.len()), (1, 1));
        memory.apply(MemoryPatch { facts: vec!["a".into(), "b".into()], ..Default::default() }, 2);
        assert_eq!(memory.facts, ["a", "b"], "the oldest leaves");
        let moved = MemoryPatch { facts: vec!["c".into()], forget: vec!["A".into(), "never said".into()], ..Default::default() };
        assert!(memory.apply(moved, 2));
        assert_eq!(memory.facts, ["b", "c"], "what is wrong now makes room");
        assert!(!memory.apply(MemoryPatch { forget: vec!["a".into()], ..Default::default() }, 2), "it is forgotten already");
        for (situation, topic, is_new) in [("asks for a price", "", true), ("", " ", false), ("", "trains", true)] {
            let patch = MemoryPatch { situation: Some(situation.into()), topic: Some(topic.into()), ..Default::default() };
            assert_eq!((memory.apply(patch, 2), memory.situation.is_empty()), (is_new, topic == "trains"), "{situation:?} {topic:?}");
        }
    }
}
