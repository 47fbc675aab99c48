//! All calls, of the turn and of the background: started, streamed, completed, repaired, cancelled.
//!
//! First rule: a chunk or a completion of a call that nobody waits for is dropped; only its usage is counted.

use super::turn::{About, Turn};
use super::{Session, Work};
use crate::contract::{
    Answer, CallDetail, CallError, CallId, CallKind, CallRecord, CallStatus, Came, ChatMessage, Code, Decided, Effect, Finish, Now,
    Outcome, Request, Role, Silence, Text, Usage, What, clip,
};
use crate::nodes::{Flow, Out, Task, View};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Text of one event.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// Who waits for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Lane {
    Turn,
    /// What runs after a turn.
    Background,
}

/// A call that is out, and the task that waits for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Running {
    pub(super) call: CallId,
    pub(super) lane: Lane,
    pub(super) node: usize,
    /// None where a node waits for the approval to begin.
    pub(super) task: Option<Task>,
    pub(super) request: Arc<Request>,
    /// What such a node asks first, as it was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<Arc<Request>>,
    pub(super) started: Now,
    /// What it has streamed.
    text: String,
    /// How long the turn's answer was when it began.
    answer_before: usize,
    /// How much of that answer a streamed field has repeated; nothing once it differs.
    repeated: Option<usize>,
    /// It is the second try: if its answer doesn't fit either, the task gives up.
    is_repair: bool,
}

/// A call that a node's step asks for.
pub(super) struct Ask {
    pub(super) node: usize,
    pub(super) request: Request,
    /// None, and what is held back, where a node has not begun.
    pub(super) task: Option<Task>,
    pub(super) held: Option<Arc<Request>>,
    /// Why a model is called again.
    pub(super) reason: Option<String>,
    pub(super) is_repair: bool,
}

/// How a call ended.
struct End {
    status: CallStatus,
    usage: Usage,
    waited_us: u64,
    /// Nothing where all that came of it is what it had streamed.
    came: Option<Came>,
    /// Why it failed.
    code: Option<Code>,
    retries: Vec<String>,
    decided: Option<Decided>,
}

impl Work {
    pub(super) fn turn(&self) -> &Turn {
        self.turn.as_ref().expect("what happens in a turn happens while it runs")
    }

    pub(super) fn turn_mut(&mut self) -> &mut Turn {
        self.turn.as_mut().expect("what happens in a turn happens while it runs")
    }

    pub(super) fn is_waiting(&self, lane: Lane) -> bool {
        self.calls.iter().any(|running| running.lane == lane)
    }

    pub(super) fn take_call(&mut self, call: CallId) -> Option<Running> {
        let at = self.calls.iter().position(|running| running.call == call)?;
        Some(self.calls.remove(at))
    }
}

impl Session {
    /// What the calls of a lane are about.
    pub(super) fn about(&self, lane: Lane) -> &About {
        match lane {
            Lane::Turn => &self.work.turn().about,
            Lane::Background => &self.work.background.as_ref().expect("a call of the background has its task").about,
        }
    }

    /// The frame of a lane; 0 in the background.
    fn frame(&self, lane: Lane) -> u32 {
        match lane {
            Lane::Turn => self.work.turn().frame.number,
            Lane::Background => 0,
        }
    }

    pub(super) fn view(&self, lane: Lane, node: usize) -> View<'_> {
        self.view_at(self.counters.now.wall, self.about(lane), &self.graph_of(lane).nodes[node])
    }

    /// Shows something that a node of a lane does.
    pub(super) fn emit_in(&mut self, lane: Lane, node: usize, what: What, effects: &mut Vec<Effect>) {
        let (turn, frame, name) = (self.about(lane).id(), self.frame(lane), self.graph_of(lane).nodes[node].name.clone());
        self.emit(turn, frame, name, what, effects);
    }

    /// Starts a call.
    pub(super) fn ask(&mut self, lane: Lane, ask: Ask, effects: &mut Vec<Effect>) {
        let Ask { node, request, task, held, reason, is_repair } = ask;
        self.counters.call_last.0 += 1;
        let (call, request) = (self.counters.call_last, Arc::new(request));
        match (lane, &*request) {
            (Lane::Turn, Request::Model(_)) => self.work.turn_mut().calls += 1,
            (Lane::Turn, Request::Database(_)) => self.work.turn_mut().database_calls += 1,
            (Lane::Turn, Request::Approval(_)) => self.work.turn_mut().event = CallKind::Approval.name().into(),
            (Lane::Background, _) => self.work.background.iter_mut().for_each(|background| background.calls += 1),
        }
        let what = What::ProcessStart { pid: call, kind: request.kind(), label: request.label(), reason };
        self.emit_in(lane, node, what, effects);
        let is_approval = matches!(*request, Request::Approval(_));
        if !is_approval {
            effects.push(Effect::Call { id: call, request: request.clone() });
        }
        let started = self.counters.now;
        let answer_before = self.work.turn.as_ref().map_or(0, |turn| turn.about.answer.len());
        let (text, repeated) = (String::new(), Some(0));
        self.work.calls.push(Running { call, lane, node, task, request, held, started, text, answer_before, repeated, is_repair });
        if is_approval {
            self.show_approvals(effects);
        }
    }

    /// Whether a lane has calls left: those of some path that the turn can still take; in the background those that its node
    /// may make, each with one repair. Databases have a bound of their own, and people answer as often as they are asked.
    pub(super) fn may_ask(&self, lane: Lane, request: &Request) -> bool {
        match (lane, request) {
            (Lane::Turn, Request::Model(_)) => {
                let turn = self.work.turn();
                self.graph.paths_from(turn.entry, &turn.path).any(|path| turn.calls < path.calls)
            }
            (Lane::Turn, Request::Database(_)) => self.work.turn().database_calls < self.setup.limits.database_calls_max,
            (Lane::Turn, Request::Approval(_)) => true,
            (Lane::Background, _) => {
                let graph = self.graph_of(lane);
                let rounds = graph.after.map_or(0, |node| graph.nodes[node].rounds);
                self.work.background.as_ref().is_some_and(|background| background.calls < 2 * rounds)
            }
        }
    }

    pub(super) fn chunk(&mut self, call: CallId, text: &str, effects: &mut Vec<Effect>) {
        let Some(running) = self.work.calls.iter_mut().find(|running| running.call == call) else { return };
        let (is_first, is_field) = (running.text.is_empty(), running.request.streamed_field().is_some());
        // Blanks before a field's text are never shown.
        let text = if is_first && is_field { text.trim_start() } else { text };
        if running.text.len() < self.setup.limits.answer_bytes_max {
            running.text.push_str(text);
        }
        let (node, answer_before) = (running.node, running.answer_before);
        if running.lane == Lane::Background {
            return;
        }
        if is_field {
            // A second try shows only what goes beyond the first.
            let Some(repeated) = running.repeated else { return };
            let shown = self.work.turn.as_ref().map_or("", |turn| &turn.about.answer);
            let rest = shown.get(repeated..answer_before).unwrap_or_default();
            let new = if rest.starts_with(text) { Some("") } else { text.strip_prefix(rest) };
            running.repeated = new.map(|new| repeated + text.len() - new.len());
            let new = new.unwrap_or_default().to_owned();
            self.say(node, &new, effects);
        } else if running.request.is_streamed() {
            // What a later call of the turn says starts a new paragraph.
            if is_first && answer_before > 0 {
                self.say(node, "\n\n", effects);
            }
            self.say(node, text, effects);
        }
    }

    /// Shows a piece of the turn's answer, in events of a bounded size. Leading blanks are left out; beyond the longest answer
    /// nothing more is shown, and the cut is marked.
    pub(super) fn say(&mut self, node: usize, text: &str, effects: &mut Vec<Effect>) {
        let mut text = if self.work.turn().about.answer.is_empty() { text.trim_start() } else { text };
        while !text.is_empty() {
            let turn = self.work.turn_mut();
            let room = self.setup.limits.answer_bytes_max.saturating_sub(turn.about.answer.len());
            if room == 0 {
                return;
            }
            let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE_BYTES_MAX));
            let piece: Arc<str> = if piece.len() <= room { piece.into() } else { clip(piece, room).into() };
            turn.about.answer.push_str(&piece);
            let what = What::Streaming { text: piece };
            turn.event = what.name().into();
            self.emit_in(Lane::Turn, node, what, effects);
            text = rest;
        }
    }

    /// Makes this the whole answer of the turn: says what is left of it, or takes back what was shown instead.
    pub(super) fn tell(&mut self, node: usize, text: &str, effects: &mut Vec<Effect>) {
        let text = clip(text.trim_start(), self.setup.limits.answer_bytes_max);
        match text.strip_prefix(&*self.work.turn().about.answer) {
            Some(rest) => self.say(node, rest, effects),
            None => self.retell(node, 0, &text, effects),
        }
    }

    /// Takes back what a call has said, and says this instead.
    fn retell(&mut self, node: usize, before: usize, text: &str, effects: &mut Vec<Effect>) {
        let room = self.setup.limits.answer_bytes_max;
        let answer = &mut self.work.turn_mut().about.answer;
        answer.truncate(before);
        if before > 0 && !text.is_empty() {
            answer.push_str("\n\n");
        }
        answer.push_str(&clip(text.trim_start(), room.saturating_sub(answer.len())));
        let text = answer.as_str().into();
        self.emit_in(Lane::Turn, node, What::Retold { text }, effects);
    }

    pub(super) fn completion(
        &mut self,
        call: CallId,
        usage: Usage,
        waited_us: u64,
        outcome: Result<Answer, CallError>,
        effects: &mut Vec<Effect>,
    ) {
        self.counters.usage += usage;
        let Some(running) = self.work.take_call(call) else { return };
        let (lane, status) = (running.lane, CallStatus::of(&outcome));
        if lane == Lane::Turn {
            self.work.turn_mut().usage += usage;
        }
        let code = outcome.as_ref().err().filter(|error| **error != CallError::Cancelled).map(CallError::code);
        let end = |came, retries| End { status, usage, waited_us, came, code, retries, decided: None };
        let step = match outcome {
            Ok(answer) => self.answered(running, end, answer, effects),
            Err(CallError::Cancelled) => {
                self.record_call(running, end(None, Vec::new()), effects);
                Err(Outcome::Cancelled)
            }
            Err(error) => {
                let why = self.why(&running, &error);
                let came = Came::Text(clip(&why, self.setup.limits.detail_bytes_max));
                self.record_call(running, end(Some(came), Vec::new()), effects);
                Err(Outcome::Failed { why, code })
            }
        };
        self.settle(lane, step, effects);
    }

    /// Goes on after a step of a lane.
    fn settle(&mut self, lane: Lane, step: Result<(), Outcome>, effects: &mut Vec<Effect>) {
        match lane {
            Lane::Turn => self.advance(step, effects),
            Lane::Background => self.settle_background(effects),
        }
    }

    fn answered(
        &mut self,
        mut running: Running,
        end: impl Fn(Option<Came>, Vec<String>) -> End,
        mut answer: Answer,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Outcome> {
        let (lane, node, is_repair) = (running.lane, running.node, running.is_repair);
        if answer.is_retold && lane == Lane::Turn {
            self.retell(node, running.answer_before, &answer.text, effects);
        } else if !running.text.is_empty() && running.request.streamed_field().is_none() {
            answer.text = std::mem::take(&mut running.text);
        } else if lane == Lane::Turn && running.request.is_streamed() {
            self.say(node, &answer.text, effects);
        }
        let (request, task, said, finish) = (running.request.clone(), running.task.clone(), answer.said(), answer.finish);
        let task = task.expect("what a worker answers was asked by a task");
        let came = Came::answered(&answer, self.setup.limits.detail_bytes_max);
        self.record_call(running, end(Some(came), answer.retries.clone()), effects);
        let mut out = Out::after(self.counters.tool_last);
        let flow = task.resume(&View { asked: Some(&request), ..self.view(lane, node) }, &mut out, answer);
        let flow = match flow {
            Flow::Again { task, .. } if finish == Finish::Length => {
                Flow::Again { why: "it is too long and was cut before its end".into(), task }
            }
            // A filter that ends an answer for the user would end the next one too.
            Flow::Again { .. } if finish == Finish::ContentFilter && request.streamed_field().is_some() => {
                Flow::Fail(Silence::Withheld.to_string())
            }
            Flow::Go(route, mut found) if finish == Finish::ContentFilter => {
                found.answered_by.iter_mut().for_each(|by| by.finish = finish);
                Flow::Go(route, found)
            }
            other => other,
        };
        match flow {
            Flow::Again { why, task } if !is_repair && self.may_ask(lane, &request) => {
                let (request, reason) = (repair(&request, &said, &why.why), Some(clip(&why.why, 500)));
                self.ask(lane, Ask { node, request, task: Some(task), held: None, reason, is_repair: true }, effects);
                Ok(())
            }
            Flow::Ask(..) | Flow::Go(..) | Flow::Say(_) | Flow::Rest | Flow::Again { .. } | Flow::Fail(_) => {
                self.follow(lane, node, flow, out, effects)
            }
        }
    }

    /// Writes an ended call into the trace of its turn.
    fn record_call(&mut self, running: Running, end: End, effects: &mut Vec<Effect>) {
        let End { status, usage, waited_us, came, code, retries, decided } = end;
        let (lane, request) = (running.lane, running.request);
        let (pid, kind, label) = (running.call, request.kind(), request.label());
        let usage = (usage != Usage::default()).then_some(usage);
        let duration_us = self.counters.now.moment.since(running.started.moment);
        let what = What::ProcessEnd { pid, kind, label: label.clone(), status, duration_us, waited_us, usage, retries: retries.clone() };
        self.emit_in(lane, running.node, what, effects);
        let about = self.about(lane);
        let (turn, started_us) = (about.id(), running.started.moment.since(about.started.moment));
        let record = CallRecord { pid, kind, label, started_us, duration_us, waited_us, status, code, usage, retries, decided };
        let came = came.unwrap_or_else(|| Came::Text(clip(&running.text, self.setup.limits.detail_bytes_max)));
        let node = self.graph_of(lane).nodes[running.node].name.clone();
        let detail = CallDetail { pid, node, frame: self.frame(lane), request, came };
        match lane {
            Lane::Turn => {
                let turn = self.work.turn_mut();
                turn.frame.calls.push(record);
                turn.details.push(detail);
            }
            Lane::Background => {
                if let Some(kept) = self.kept.turns.iter_mut().find(|kept| kept.trace.id == turn) {
                    Arc::make_mut(&mut kept.trace).background.push(record);
                    kept.calls.push(detail);
                }
            }
        }
    }

    /// Writes an approval into the trace that somebody answered, or that has expired.
    pub(super) fn record_decided(&mut self, running: Running, decided: Decided, effects: &mut Vec<Effect>) {
        let code = decided.verdict.code();
        let status = if code.is_some() { CallStatus::Error } else { CallStatus::Done };
        let came = Some(Came::Text(match &decided.by {
            Some(by) => format!("{} by {by}", decided.verdict.name()),
            None => decided.verdict.name().to_owned(),
        }));
        let end = End { status, usage: Usage::NONE, waited_us: 0, came, code, retries: Vec::new(), decided: Some(decided) };
        self.record_call(running, end, effects);
    }

    /// Ends every call of a lane at once; nobody waits for a worker.
    pub(super) fn end_calls(&mut self, lane: Lane, effects: &mut Vec<Effect>) {
        while let Some(at) = self.work.calls.iter().position(|running| running.lane == lane) {
            let running = self.work.calls.remove(at);
            if running.approval().is_none() {
                effects.push(Effect::Cancel { id: running.call });
            }
            let end = End {
                status: CallStatus::Cancelled,
                usage: Usage::NONE,
                waited_us: 0,
                came: None,
                code: None,
                retries: Vec::new(),
                decided: None,
            };
            self.record_call(running, end, effects);
        }
    }

    /// Stops one call: a turn that waits for it ends, the background just ends. An unknown one has ended already.
    pub(super) fn cancel(&mut self, call: CallId, effects: &mut Vec<Effect>) {
        let Some(lane) = self.work.calls.iter().find(|running| running.call == call).map(|running| running.lane) else { return };
        if lane == Lane::Background {
            self.end_calls(lane, effects);
        }
        self.settle(lane, Err(Outcome::Cancelled), effects);
    }

    /// Why a call failed. Who replays a recording learns where they left it.
    fn why(&self, running: &Running, error: &CallError) -> String {
        let is_of_recording = matches!(error, CallError::NotOnTape { .. });
        let place = || format!("frame {} ({}): ", self.frame(running.lane), self.graph_of(running.lane).nodes[running.node].name);
        format!("{}{error}", if is_of_recording { place() } else { String::new() })
    }
}

/// The same question with the answer that didn't fit, and why.
fn repair(request: &Request, said: &str, why: &str) -> Request {
    let Request::Model(request) = request else { return request.clone() };
    let mut request = request.clone();
    let plea = match request.schema {
        Some(_) => format!("That answer can't be used: {why}. Answer again, with nothing but one JSON object that fits."),
        None => format!("That answer can't be used: {why}. Answer again."),
    };
    request.messages.push(ChatMessage::new(Role::Assistant, Text::slot("said", clip(said, 4_000))));
    request.messages.push(ChatMessage::new(Role::User, Text::slot("repair", plea)));
    Request::Model(request)
}
