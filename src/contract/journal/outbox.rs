//! Webhooks: who is to learn of the end of a turn, and what became of that.

use super::super::Time;
use super::Name;

/// An address that is to learn of the end of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub turn: u64,
    /// The same in every attempt, and never that of another delivery.
    pub id: String,
    pub url: String,
}

/// A turn has ended, and this is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub name: Name,
    pub webhook: Webhook,
    pub body: Vec<u8>,
    /// When the turn ended.
    pub since: Time,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next attempt is due.
    pub due: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// The turn has not ended.
    Awaited,
    /// It is tried, or tried again.
    Pending,
    Delivered,
    /// It was given up.
    Failed,
}

impl DeliveryState {
    const ALL: [DeliveryState; 4] = [Self::Awaited, Self::Pending, Self::Delivered, Self::Failed];

    /// As the wire and the store name it.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryState::Awaited => "awaited",
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }

    pub fn named(name: &str) -> Option<DeliveryState> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more is tried.
    pub fn is_final(self) -> bool {
        matches!(self, DeliveryState::Delivered | DeliveryState::Failed)
    }
}

/// What is known of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DeliveryStatus {
    pub state: DeliveryState,
    pub attempts: u32,
    /// The HTTP status of the last attempt; none where there was no answer.
    pub status: Option<u16>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempted {
    pub id: String,
    pub status: DeliveryStatus,
    /// When the next one is due.
    pub due: Time,
}

/// What a server that starts has to see to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undelivered {
    pub deliveries: Vec<Delivery>,
    /// Sessions with a turn that has not ended.
    pub awaited: Vec<Name>,
}
