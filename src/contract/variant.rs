//! What stood in a conversation before a message was edited, or its answer made again.

use super::memory::turn_id;
use super::{Message, TurnId};
use serde::{Deserialize, Serialize};

/// A message as it was, with all that came after it, in the order of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// The turn of the message.
    #[serde(with = "turn_id")]
    pub id: TurnId,
    pub messages: Vec<Message>,
    /// Some of it did not fit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Variant {
    pub fn bytes(&self) -> usize {
        self.messages.iter().map(Message::bytes).sum()
    }
}
