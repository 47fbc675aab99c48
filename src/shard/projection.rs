//! What a stream's protocol shows of a session's events.
//!
//! The chat and the trace look the same to all who watch, so what was written for one watcher is copied for the next
//! ([`Written`]). A projection with state of its own, such as [`OneTurn`], writes for itself and may end its stream.

use super::backlog::Backlog;
use super::bounds::WRITE_BYTES;
use super::event::Show;
use super::ids::SessionId;
use crate::contract::{Code, Event, Refusal, Seq, TurnId, What};
use crate::wire::{json, sse, websocket};

/// Writes an event as one of the projections without state shows it.
fn write(out: &mut Vec<u8>, show: Show, event: &Event) {
    match show {
        Show::Chat => json::chat(event).into_iter().for_each(|json| websocket::write_text(out, &json)),
        Show::Trace => json::trace(event).into_iter().for_each(|json| websocket::write_text(out, &json)),
        Show::Events => json::trace(event).into_iter().for_each(|json| sse::write_event(out, Some(event.seq.0), &json)),
        Show::Tests | Show::Turn(_) | Show::Echo => {}
    }
}

/// What was last written for a watcher: another one that shows the same and has come as far gets a copy.
#[derive(Default)]
pub(super) struct Written {
    of: Option<(SessionId, Show, Seq)>,
    pub(super) to: Seq,
    pub(super) bytes: Vec<u8>,
}

impl Written {
    /// Writes what a session's watcher is shown after `from`, unless that is what is here already.
    pub(super) fn update(&mut self, session: SessionId, backlog: &Backlog, show: Show, from: Seq) {
        if self.of == Some((session, show, from)) {
            return;
        }
        self.of = Some((session, show, from));
        self.to = from;
        self.bytes.clear();
        for event in backlog.after(from) {
            self.to = event.seq;
            write(&mut self.bytes, show, event);
            if self.bytes.len() >= WRITE_BYTES {
                break;
            }
        }
    }

    /// Forgets what was written, and keeps no large buffer.
    pub(super) fn reset(&mut self) {
        const SPARE_BYTES: usize = 16 << 10;
        self.of = None;
        self.bytes.clear();
        self.bytes.shrink_to(SPARE_BYTES);
    }
}

/// `/api/events?turn=msg_7`: the trace of one turn and its `done`, with which the stream ends.
pub(super) struct OneTurn {
    turn: TurnId,
    has_ended: bool,
}

const NOT_KEPT: Refusal = Refusal::new(Code::TurnNotKept, "not all events of this turn are kept: try `/api/turn`, which may still have it");

impl OneTurn {
    /// Follows a turn, and says from where: behind `since`, but never behind its end. `is_due`: it waits or runs.
    ///
    /// # Errors
    /// When its first events or all of them have gone.
    pub(super) fn follow(turn: TurnId, backlog: &Backlog, since: Option<Seq>, is_due: bool) -> Result<(OneTurn, Seq), Refusal> {
        let mut events = backlog.after(Seq(0)).filter(|event| event.turn == turn);
        let followed = OneTurn { turn, has_ended: false };
        let Some(first) = events.next() else {
            return if is_due { Ok((followed, backlog.visible())) } else { Err(NOT_KEPT) };
        };
        let is_whole = matches!(first.what, What::Accepted { .. } | What::TurnStarted { .. } | What::Done { .. });
        let begin = Seq(first.seq.0 - 1);
        let from = match since {
            Some(since) if backlog.reaches(since) => since.max(begin),
            Some(_) | None if is_whole => begin,
            Some(_) | None => return Err(NOT_KEPT),
        };
        let end = std::iter::once(first).chain(events).find(|event| matches!(event.what, What::Done { .. }));
        let latest = end.map_or(backlog.visible(), |end| Seq(end.seq.0 - 1));
        Ok((followed, from.min(latest)))
    }

    /// Writes what comes after `shown`, and says how far it has come.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, backlog: &Backlog, shown: Seq) -> Seq {
        let (start, mut to) = (out.len(), shown);
        for event in backlog.after(shown) {
            to = event.seq;
            if event.turn == self.turn {
                let is_done = matches!(event.what, What::Done { .. });
                let json = if is_done { json::chat(event) } else { json::trace(event) };
                json.into_iter().for_each(|json| sse::write_event(out, Some(event.seq.0), &json));
                self.has_ended = is_done;
            }
            if self.has_ended || out.len() - start >= WRITE_BYTES {
                break;
            }
        }
        to
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }
}
