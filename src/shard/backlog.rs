//! A session's events as they are kept for those who resume.
//!
//! A watcher has the number of the last event it was shown and takes what follows when its socket can take it. So a slow
//! reader holds no memory of its own, resuming is the same as being slow, and nothing is missed or shown twice.
//!
//! Invariants: the events of the running turn and of the one before are kept, up to a bound that no honest turn reaches; once a
//! session was cleared, nothing that holds what was said before is here.

use super::bounds::{EVENTS_KEPT, EVENTS_MAX, TRACE_LINES_MAX};
use crate::contract::{Event, Seq, TurnId, Variant, What};
use crate::engine::value_bytes;
use crate::wire::json;
use std::collections::VecDeque;
use std::sync::Arc;

/// A line of the trace: an event, and the text of an answer that begins with it.
struct Line {
    event: Arc<Event>,
    text: String,
}

/// The last events of a session.
#[derive(Default)]
pub(super) struct Backlog {
    events: VecDeque<Arc<Event>>,
    /// What `/api/trace` shows: the last events, the pieces of an answer folded into the first.
    lines: VecDeque<Line>,
    /// Nothing has left yet: a client that has seen nothing can still be shown everything.
    has_all: bool,
    /// The last number that was used.
    last: Seq,
    /// Everything from this number on is kept, but for what a clear has erased.
    kept_from: Seq,
    /// The newest turn, where its events begin, and where those of the turn before begin.
    newest: TurnId,
    newest_from: Seq,
    before_from: Seq,
    bytes: usize,
    /// Events from which on nothing is shown until a batch of the journal is durable, in order.
    gates: VecDeque<Gate>,
}

/// Where what is shown ends until a batch of the journal is durable.
struct Gate {
    batch: u64,
    from: Seq,
}

impl Backlog {
    /// That of a session that was loaded: what led to its state, or the end of that.
    pub(super) fn restored(events: Vec<Event>, has_all: bool) -> Backlog {
        let mut backlog = Backlog::default();
        for event in events {
            backlog.keep(event);
        }
        backlog.has_all &= has_all;
        backlog
    }

    /// Shows nothing from this event on until a batch is durable.
    pub(super) fn hold(&mut self, batch: u64, from: Seq) {
        if self.gates.back().is_none_or(|gate| gate.batch < batch) {
            self.gates.push_back(Gate { batch, from });
        }
    }

    /// Everything up to this batch is durable.
    pub(super) fn release(&mut self, batch: u64) {
        while self.gates.front().is_some_and(|gate| gate.batch <= batch) {
            self.gates.pop_front();
        }
    }

    /// The last event that may be shown.
    pub(super) fn visible(&self) -> Seq {
        self.gates.front().map_or(self.last, |gate| Seq(gate.from.0 - 1))
    }

    /// Keeps an event, and says how many had to leave for it.
    pub(super) fn keep(&mut self, event: Event) -> u64 {
        if self.events.is_empty() && self.last == Seq(0) {
            (self.has_all, self.kept_from) = (true, event.seq);
        }
        if matches!(event.what, What::Cleared) {
            self.erase();
        }
        self.last = event.seq;
        if event.turn > self.newest {
            (self.newest, self.before_from, self.newest_from) = (event.turn, self.newest_from, event.seq);
        }
        self.bytes += weight(&event);
        let event = Arc::new(event);
        self.keep_line(&event);
        self.events.push_back(event);
        let mut left = 0;
        while self.has_too_many()
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= weight(&oldest);
            (self.has_all, self.kept_from) = (false, Seq(oldest.seq.0 + 1));
            left += 1;
        }
        left
    }

    /// Leaves only which messages were accepted and that their turns have ended: those who watch have to know.
    fn erase(&mut self) {
        self.events.retain(|event| matches!(event.what, What::Accepted { .. } | What::Done { .. }));
        self.lines.clear();
        self.bytes = self.events.iter().map(|event| weight(event)).sum();
    }

    fn keep_line(&mut self, event: &Arc<Event>) {
        if !json::is_traced(event) {
            return;
        }
        let mut line = Line { event: event.clone(), text: String::new() };
        if let What::Streaming { text } = &event.what {
            self.bytes += text.len();
            let is_answer = |line: &&mut Line| {
                let is_streaming = matches!(line.event.what, What::Streaming { .. });
                is_streaming && (line.event.turn, line.event.frame) == (event.turn, event.frame)
            };
            // Something else may have been traced in between, but not much.
            if let Some(begun) = self.lines.iter_mut().rev().take(ANSWER_LINE_NEAR).find(is_answer) {
                return begun.text.push_str(text);
            }
            line.text.push_str(text);
        }
        self.lines.push_back(line);
        if self.lines.len() > TRACE_LINES_MAX {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.text.len());
        }
    }

    fn has_too_many(&self) -> bool {
        let oldest_is_needed = self.events.front().is_none_or(|oldest| oldest.seq >= self.before_from);
        self.events.len() > if oldest_is_needed { EVENTS_MAX } else { EVENTS_KEPT }
    }

    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// About what it takes to keep it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The oldest number that is kept; the next one where nothing is.
    pub(super) fn kept_from(&self) -> Seq {
        if self.last == Seq(0) { Seq(1) } else { self.kept_from }
    }

    /// The last lines of the trace, oldest first.
    pub(super) fn lines(&self, last: usize) -> impl Iterator<Item = (&Event, &str)> {
        self.lines.range(self.lines.len().saturating_sub(last)..).map(|line| (&*line.event, &*line.text))
    }

    /// Whether everything that came after `seen` is still here, and `seen` was ever reached.
    pub(super) fn reaches(&self, seen: Seq) -> bool {
        let is_kept = seen.0.saturating_add(1) >= self.kept_from().0;
        (is_kept || (seen == Seq(0) && self.has_all)) && seen <= self.last
    }

    /// Where a new watcher begins: behind the event `since`, or with the next one.
    pub(super) fn start(&self, since: Option<Seq>) -> Seq {
        let earliest = Seq(self.kept_from().0 - 1);
        since.unwrap_or(self.visible()).clamp(earliest, self.last)
    }

    /// What comes after an event and may be shown.
    pub(super) fn after(&self, seen: Seq) -> impl Iterator<Item = &Arc<Event>> {
        let start = self.events.partition_point(|event| event.seq <= seen);
        let end = match self.gates.is_empty() {
            true => self.events.len(),
            false => self.events.partition_point(|event| event.seq <= self.visible()),
        };
        self.events.range(start.min(end)..end)
    }
}

/// How far back the line of an answer that is still growing may be.
const ANSWER_LINE_NEAR: usize = 16;

/// About what an event takes in memory.
fn weight(event: &Event) -> usize {
    const FIXED: usize = 160;
    FIXED
        + match &event.what {
            What::Streaming { text } | What::Retold { text } | What::Progress { text } => text.len(),
            What::Perceived { output }
            | What::Decided { output }
            | What::Routed { output }
            | What::Planned { output }
            | What::Interpreted { output } => value_bytes(output),
            What::ToolCall { args, .. } => value_bytes(args),
            What::Thinking { detail } | What::Updated { detail } | What::Error { detail } => detail.len(),
            What::ToolResult { summary, .. } => summary.len(),
            What::Replaced { variants, .. } => variants.iter().map(Variant::bytes).sum(),
            // Shared with the session, which counts them.
            _ => 0,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Message, Outcome, Role, Time};

    fn keep(backlog: &mut Backlog, turn: u64, what: What) {
        let seq = Seq(backlog.last().0 + 1);
        backlog.keep(Event { seq, at: Time(0), turn: TurnId(turn), frame: 1, node: "output".into(), what });
    }

    fn backlog(turns: &[(u64, usize)]) -> Backlog {
        let mut backlog = Backlog::default();
        for &(turn, events) in turns {
            for _ in 0..events {
                keep(&mut backlog, turn, What::Streaming { text: "x".into() });
            }
        }
        backlog
    }

    #[test]
    fn a_clear_leaves_nothing_of_what_was_said_and_no_gap() {
        let mut backlog = backlog(&[(1, 3)]);
        keep(&mut backlog, 1, What::Done { outcome: Outcome::Cancelled, client_id: None });
        keep(&mut backlog, 0, What::Cleared);
        keep(&mut backlog, 2, What::Streaming { text: "new".into() });
        let left = |seen: u64| backlog.after(Seq(seen)).map(|event| (event.seq.0, event.what.name())).collect::<Vec<_>>();
        assert_eq!(left(0), [(4, "done"), (5, "cleared"), (6, "streaming")]);
        assert_eq!(left(4), [(5, "cleared"), (6, "streaming")]);
        assert!((0..=6).all(|seen| backlog.reaches(Seq(seen))), "a client in the middle of it goes on to the clear");
        assert_eq!(
            backlog.lines(10).map(|(event, text)| (event.what.name(), text.to_owned())).collect::<Vec<_>>(),
            [("cleared", String::new()), ("streaming", "new".to_owned())]
        );
        assert_eq!(backlog.bytes(), backlog.events.iter().map(|event| weight(event)).sum::<usize>() + "new".len());
    }

    #[test]
    fn keeps_the_running_turn_and_the_one_before_and_little_else() {
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
            let backlog = backlog(turns);
            assert_eq!((backlog.kept_from().0, backlog.last().0), (kept_from, last as u64), "{turns:?}");
            let text: usize = backlog.lines.iter().map(|line| line.text.len()).sum();
            assert_eq!(backlog.bytes(), backlog.events.iter().map(|event| weight(event)).sum::<usize>() + text, "{turns:?}");
        }
    }

    #[test]
    fn variants_that_are_shown_count() {
        let mut backlog = Backlog::default();
        let message = Message::new(Role::User, "x".repeat(10_000), TurnId(1));
        let variants = [Variant { id: TurnId(1), messages: vec![message], cut: false }].into();
        keep(&mut backlog, 2, What::Replaced { turns: vec![TurnId(1)], variants });
        assert!((10_000..11_000).contains(&backlog.bytes()), "{}", backlog.bytes());
    }

    #[test]
    fn knows_whether_a_client_can_resume_without_a_gap() {
        let backlog = backlog(&[(1, 600), (2, 600), (3, 1)]);
        for (seen, reaches) in [(0, false), (599, false), (600, true), (1201, true), (1202, false), (u64::MAX, false)] {
            assert_eq!(backlog.reaches(Seq(seen)), reaches, "{seen}");
        }
        assert_eq!(backlog.after(Seq(1200)).map(|event| event.seq.0).collect::<Vec<_>>(), [1201]);
    }

    #[test]
    fn an_answer_is_one_line_however_many_pieces_it_came_in() {
        let backlog = backlog(&[(1, 3), (2, EVENTS_MAX)]);
        let lines: Vec<_> = backlog.lines(10).map(|(_, text)| text.len()).collect();
        assert_eq!(lines, [3, EVENTS_MAX], "reading it walks two lines, not {EVENTS_MAX} events");
    }
}
