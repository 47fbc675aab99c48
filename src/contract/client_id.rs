//! The names that clients give their messages, and what a session does with an input that carries one.

use super::{Outcome, TurnId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A client's own name for a message or action: 1 to 64 characters of `A-Z a-z 0-9 _ . : -`. The same name again starts nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ClientId(Arc<str>);

/// What is wrong with a client's name for a message.
pub const INVALID_CLIENT_ID: &str = "a message's id is 1 to 64 letters, digits, `_`, `.`, `:` and `-`";

impl ClientId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-');
        let is_valid = (1..=64).contains(&text.len()) && text.bytes().all(is_plain);
        is_valid.then(|| ClientId(text.into())).ok_or(INVALID_CLIENT_ID)
    }
}

impl TryFrom<String> for ClientId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a session would do with an input that it does not refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Accepted {
    /// It starts this turn, now or after those that wait.
    Begins(TurnId),
    /// Its client id has come before: it starts nothing. `done` is how its turn ended, if it has.
    Known { turn: TurnId, done: Option<Outcome> },
    /// It answers what this running turn waits for.
    Resumes(TurnId),
    /// It starts no turn.
    Plain,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_only_short_names_of_plain_characters() {
        let longest = "a".repeat(64);
        for (text, is_valid) in [
            ("a", true),
            ("0190b6a0-7e1c:tab.2_x", true),
            (longest.as_str(), true),
            ("", false),
            (&"a".repeat(65), false),
            ("a b", false),
            ("ä", false),
            ("a/b", false),
        ] {
            assert_eq!(text.parse::<ClientId>().is_ok(), is_valid, "{text:?}");
            assert_eq!(serde_json::from_value::<ClientId>(text.into()).is_ok(), is_valid, "{text:?}");
        }
    }
}
