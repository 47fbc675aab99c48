//! A session's events as they are kept, and who watches them.
//!
//! A watcher has the number of the last event it was shown, and takes what follows when its socket can take it. So a slow
//! reader holds no memory of its own, resuming is the same as being slow, and nothing is missed or shown twice. Who stays
//! behind until its next event has left the log is closed with 1013.
//!
//! Invariant: the events of the running turn and of the one before are kept (up to a bound that no honest turn reaches).

use super::bounds::{EVENTS_KEPT, EVENTS_MAX, WRITE_BYTES};
use super::handover::Show;
use super::socket::{Socket, TOO_FAR_BEHIND};
use crate::contract::{Event, Seq, TurnId};
use crate::wire::{json, sse, websocket};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

/// The last events of a session.
#[derive(Default)]
pub(super) struct Log {
    events: VecDeque<Arc<Event>>,
    /// Nothing has left yet: who has seen nothing can still be shown all.
    has_all: bool,
    /// The last number that was used.
    last: Seq,
    /// The newest turn, where its events begin, and where those of the turn before begin.
    newest: TurnId,
    newest_from: Seq,
    before_from: Seq,
}

impl Log {
    pub(super) fn keep(&mut self, event: Event) {
        if self.events.is_empty() && self.last == Seq(0) {
            self.has_all = true;
        }
        self.last = event.seq;
        if event.turn > self.newest {
            (self.newest, self.before_from, self.newest_from) = (event.turn, self.newest_from, event.seq);
        }
        self.events.push_back(Arc::new(event));
        while self.has_too_many() {
            self.events.pop_front();
            self.has_all = false;
        }
    }

    fn has_too_many(&self) -> bool {
        let oldest_is_needed = self.events.front().is_none_or(|oldest| oldest.seq >= self.before_from);
        self.events.len() > if oldest_is_needed { EVENTS_MAX } else { EVENTS_KEPT }
    }

    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// The oldest number that is kept; the next one where nothing is.
    pub(super) fn kept_from(&self) -> Seq {
        self.events.front().map_or(Seq(self.last.0 + 1), |oldest| oldest.seq)
    }

    pub(super) fn events(&self) -> impl Iterator<Item = &Arc<Event>> {
        self.events.iter()
    }

    /// Whether all that came after `seen` is still here, and `seen` was ever reached.
    pub(super) fn reaches(&self, seen: Seq) -> bool {
        let is_kept = seen.0.saturating_add(1) >= self.kept_from().0;
        (is_kept || (seen == Seq(0) && self.has_all)) && seen <= self.last
    }

    fn after(&self, seen: Seq) -> impl Iterator<Item = &Arc<Event>> {
        let start = self.events.partition_point(|event| event.seq <= seen);
        self.events.range(start..)
    }
}

/// A socket that shows a session's events, and how far it has come.
pub(super) struct Watcher {
    pub(super) socket: Rc<Socket>,
    shown: Seq,
}

impl Watcher {
    /// Begins behind the event `since`, or with the next one.
    pub(super) fn new(socket: Rc<Socket>, log: &Log, since: Option<Seq>) -> Self {
        let earliest = Seq(log.kept_from().0 - 1);
        Watcher { socket, shown: since.unwrap_or(log.last()).clamp(earliest, log.last()) }
    }

    pub(super) fn is_behind(&self, log: &Log) -> bool {
        self.shown < log.last()
    }

    /// Gives its socket what comes next, if it can take it now.
    pub(super) fn show(&mut self, log: &Log, written: &mut Written) {
        if !self.is_behind(log) || !self.socket.takes() {
            return;
        }
        if !log.reaches(self.shown) {
            return self.socket.close(1013, TOO_FAR_BEHIND);
        }
        if written.show != Some(self.socket.show) || written.from != self.shown {
            *written = Written::new(log, self.socket.show, self.shown);
        }
        self.shown = written.to;
        self.socket.push(|out| out.extend_from_slice(&written.bytes));
        if self.is_behind(log) {
            self.socket.wants_more();
        }
    }
}

/// What was last written for a watcher: another one that shows the same and has come as far gets a copy.
#[derive(Default)]
pub(super) struct Written {
    show: Option<Show>,
    from: Seq,
    to: Seq,
    bytes: Vec<u8>,
}

impl Written {
    fn new(log: &Log, show: Show, from: Seq) -> Self {
        let mut written = Written { show: Some(show), from, to: from, bytes: Vec::new() };
        for event in log.after(from) {
            written.to = event.seq;
            write(&mut written.bytes, show, event);
            if written.bytes.len() >= WRITE_BYTES {
                break;
            }
        }
        written
    }
}

fn write(out: &mut Vec<u8>, show: Show, event: &Event) {
    match show {
        Show::Chat => json::chat(event).into_iter().for_each(|json| websocket::write_text(out, &json)),
        Show::Trace => json::trace(event).into_iter().for_each(|json| websocket::write_text(out, &json)),
        Show::Events => json::trace(event).into_iter().for_each(|json| sse::write_event(out, Some(event.seq.0), &json)),
        Show::Tests => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Time, What};

    fn log(turns: &[(u64, usize)]) -> Log {
        let mut log = Log::default();
        for &(turn, events) in turns {
            for _ in 0..events {
                let what = What::Streaming { text: "x".into() };
                let seq = Seq(log.last().0 + 1);
                log.keep(Event { seq, at: Time(0), turn: TurnId(turn), frame: 1, node: "output".into(), what });
            }
        }
        log
    }

    #[test]
    fn the_running_turn_and_the_one_before_are_kept_and_little_else() {
        for (turns, kept_from, last) in [
            (&[] as &[_], 1, 0),
            (&[(1, 3)], 1, 3),
            (&[(1, EVENTS_KEPT + 9)], 1, EVENTS_KEPT + 9),
            (&[(1, 600), (2, 600), (3, 1)], 601, 1201),
            (&[(1, 600), (2, 600), (3, 1), (0, 1), (2, 1)], 601, 1203),
            (&[(1, 600), (2, 600), (3, 1), (4, 600)], 1201, 1801),
            (&[(1, 50), (2, 50), (3, 50), (4, 1)], 1, 151),
            (&[(1, EVENTS_MAX + 5)], 6, EVENTS_MAX + 5),
        ] {
            let log = log(turns);
            assert_eq!((log.kept_from().0, log.last().0), (kept_from, last as u64), "{turns:?}");
        }
    }

    #[test]
    fn who_resumes_from_what_is_no_longer_kept_is_told_so() {
        let log = log(&[(1, 600), (2, 600), (3, 1)]);
        for (seen, reaches) in [(0, false), (599, false), (600, true), (1201, true), (1202, false), (u64::MAX, false)] {
            assert_eq!(log.reaches(Seq(seen)), reaches, "{seen}");
        }
        assert_eq!(log.after(Seq(1200)).map(|event| event.seq.0).collect::<Vec<_>>(), [1201]);
    }
}
