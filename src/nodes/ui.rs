//! Ui: hands what the tools want shown and changed to the engine; asks nobody.
//!
//! It stands beside the node that answers, so that a turn that fails before changes nothing. A machine's own button is a turn
//! of this node alone.

use super::{Flow, Out, View};
use crate::contract::{Change, What};

pub(crate) fn begin(view: &View<'_>, out: &mut Out) -> Flow {
    if let Some((id, to)) = view.packet.action.as_ref().and_then(|action| action.go.clone()) {
        out.summary = format!("{id}: {to}");
        out.events.push(What::Updated { detail: format!("machine `{id}` is now in state `{to}`") });
        out.changes.push(Change::Go { id, to });
    }
    out.changes.extend(view.packet.changes.iter().cloned());
    Flow::Rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::testing::check_with;
    use crate::nodes::{Action, Packet};

    #[test]
    fn a_machines_button_moves_the_machine() {
        let go = Some(("lamp".to_owned(), "on".to_owned()));
        let action = Action { action: "press".into(), label: "on".into(), data: serde_json::Value::Null, go };
        let packet = Packet { action: Some(action), ..Packet::default() };
        let mut changes = Vec::new();
        let flow = check_with(&packet, |view, out| {
            let flow = begin(view, out);
            changes = out.changes.clone();
            flow
        });
        assert_eq!((flow.as_str(), changes), ("rest", vec![Change::Go { id: "lamp".into(), to: "on".into() }]));
    }
}
