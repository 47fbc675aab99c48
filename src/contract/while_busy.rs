//! What becomes of a message or action that arrives while a turn of its session runs or waits.

use serde::{Deserialize, Serialize};

/// A request states it, else the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WhileBusy {
    /// It waits, behind those that wait already.
    Enqueue,
    /// It is refused.
    Reject,
    /// The running turn ends as cancelled and stays in the history; the message waits behind those that wait already.
    Interrupt,
    /// The same, but the running turn leaves nothing in the history.
    Rollback,
}

impl WhileBusy {
    pub const ALL: [WhileBusy; 4] = [WhileBusy::Enqueue, WhileBusy::Reject, WhileBusy::Interrupt, WhileBusy::Rollback];

    /// As the wire and graph files spell it.
    pub fn name(self) -> &'static str {
        match self {
            WhileBusy::Enqueue => "enqueue",
            WhileBusy::Reject => "reject",
            WhileBusy::Interrupt => "interrupt",
            WhileBusy::Rollback => "rollback",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_by_its_name() {
        for mode in WhileBusy::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.name());
        }
    }
}
