//! What runs after a turn: the memorizer. It counts in no frame and holds nothing up.
//!
//! One runs per session; a turn that ends meanwhile makes it run again. Clear and switch end it.

use super::Session;
use super::call::Lane;
use super::turn::About;
use crate::contract::Effect;
use crate::nodes::Out;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The memorizer at work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Background {
    /// The turn that has ended.
    pub(super) about: Arc<About>,
    /// Calls so far.
    pub(super) calls: u32,
}

impl Session {
    pub(super) fn memorize(&mut self, about: Arc<About>, effects: &mut Vec<Effect>) {
        let Some(node) = self.graph.after else { return };
        if self.work.background.is_some() {
            self.work.background_next = Some(about);
            return;
        }
        self.work.background = Some(Background { about, calls: 0 });
        let mut out = Out::after(self.counters.tool_last);
        let flow = self.graph.nodes[node].kind.begin(&self.view(Lane::Background, node), &mut out);
        // It fails alone: the turn has ended.
        let _failed = self.follow(Lane::Background, node, flow, out, effects);
        self.settle_background(effects);
    }

    /// Ends the background when its last call has ended, and goes on with the turn that ended meanwhile.
    pub(super) fn settle_background(&mut self, effects: &mut Vec<Effect>) {
        if self.work.background.is_some() && !self.work.is_waiting(Lane::Background) {
            self.work.background = None;
            self.graph_behind = None;
            if let Some(next) = self.work.background_next.take() {
                self.memorize(next, effects);
            }
        }
    }
}
