//! How a session goes on after a restart: what was cut off ends with an error that says so, or begins again. A turn that waits
//! for a person goes on waiting: no call of it was out.

use super::Session;
use super::call::Lane;
use super::turn::Waiting;
use crate::contract::{Code, Effect, Outcome, Seq, What};

/// Events that one generation of a session may have.
const SEQS_OF_GENERATION: u32 = 32;

const CUT_OFF: &str = "The server ended before this answer was finished. Please ask again.";

/// The number before the first event of a generation; none where no journal counts generations.
pub fn first_seq(generation: u32) -> Option<Seq> {
    (generation > 0).then(|| Seq(u64::from(generation) << SEQS_OF_GENERATION))
}

impl Session {
    /// The calls that were out are gone with the process that made them.
    pub(super) fn resumed(&mut self, generation: u32, rerun: bool, effects: &mut Vec<Effect>) {
        let before = effects.len();
        self.counters.seq_last = first_seq(generation).unwrap_or_default().max(self.counters.seq_last);
        self.work.is_kept_waiting = false;
        // What the memorizer has missed, it is told again.
        self.end_calls(Lane::Background, effects);
        let unmemorized = self.work.background.take().map(|background| background.about);
        self.graph_behind = None;
        if !self.begin_again(effects)
            && let Some(turn) = &self.work.turn
            && !self.waits_for_people()
        {
            if rerun {
                let (id, trace) = (turn.about.id(), turn.about.trace);
                let again = Waiting {
                    id,
                    client_id: turn.client_id.clone(),
                    begun: turn.begun.clone(),
                    trace,
                    replaces: turn.replaces.clone(),
                    is_too_late: false,
                };
                self.end_calls(Lane::Turn, effects);
                self.work.turn = None;
                self.conversation.history.retain(|message| message.id != id);
                // Pieces may have been shown that the journal lost.
                self.emit(id, 0, self.engine.clone(), What::Retold { text: "".into() }, effects);
                self.work.waiting.push_front(again);
            } else {
                self.end(Outcome::Failed { why: CUT_OFF.to_owned(), code: Some(Code::CutOff) }, effects);
            }
        }
        // No call is out, so nothing that ends here is cancelled.
        let mut own = effects.split_off(before);
        own.retain(|effect| !matches!(effect, Effect::Cancel { .. }));
        effects.append(&mut own);
        self.expire(effects);
        if let Some(about) = unmemorized.filter(|_| self.work.background.is_none()) {
            self.memorize(about, effects);
        }
    }
}
