//! Calls of a turn: asked, streamed, completed, asked once more, cancelled.
//!
//! First rule: a chunk or a completion of a call that nobody waits for is dropped; only its usage is counted.

use super::Session;
use super::frame::count;
use super::turn::Turn;
use crate::contract::{
    Answer, CallDetail, CallError, CallId, CallRecord, CallStatus, Came, ChatMessage, Effect, Now, Outcome, Request, Role, Text, TurnId,
    Usage, What, clip,
};
use crate::nodes::{Flow, Out, Task, View};
use std::sync::Arc;

/// Text of one event.
const PIECE_BYTES_MAX: usize = 16 << 10;

/// A call that is out, and the task that waits for it.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) call: CallId,
    pub(super) node: usize,
    pub(super) task: Task,
    pub(super) request: Arc<Request>,
    pub(super) started: Now,
    /// What it has streamed.
    pub(super) text: String,
    /// It is the second try: what doesn't fit now makes the task give up.
    pub(super) is_repair: bool,
}

/// How a call ended.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) status: CallStatus,
    pub(super) usage: Usage,
    pub(super) waited_us: u64,
}

impl End {
    /// Nobody hears what it still says.
    pub(super) const CANCELLED: End = End { status: CallStatus::Cancelled, usage: Usage::NONE, waited_us: 0 };
}

impl Session {
    /// Sends a call out.
    pub(super) fn ask(
        &mut self,
        turn: TurnId,
        frame: u32,
        node: usize,
        request: Arc<Request>,
        task: Task,
        reason: Option<String>,
        effects: &mut Vec<Effect>,
    ) -> Running {
        self.call_last.0 += 1;
        let call = self.call_last;
        let name = self.graph.nodes[node].name.clone();
        let what = What::ProcessStart { pid: call, kind: request.kind(), label: request.label(), reason };
        self.emit(turn, frame, name, what, effects);
        effects.push(Effect::Call { id: call, request: request.clone() });
        Running { call, node, task, request, started: self.now, text: String::new(), is_repair: false }
    }

    pub(super) fn chunk(&mut self, call: CallId, text: String, effects: &mut Vec<Effect>) {
        let Some(mut turn) = self.turn.take() else { return };
        if let Some(running) = turn.frame.running.iter_mut().find(|running| running.call == call) {
            let (node, is_streamed) = (running.node, running.request.is_streamed());
            // What a later call of the turn says stands in a paragraph of its own.
            let is_new_paragraph = is_streamed && running.text.is_empty() && !turn.answer.is_empty();
            if running.text.len() < self.limits.answer_bytes_max {
                running.text.push_str(&text);
            }
            if is_new_paragraph {
                self.say(&mut turn, node, "\n\n", effects);
            }
            if is_streamed {
                self.say(&mut turn, node, &text, effects);
            }
        }
        self.turn = Some(turn);
    }

    /// Shows a piece of the answer, in events of a bounded size. What is blank before the first word is left out; beyond the
    /// longest answer nothing more is shown, and the cut is marked.
    pub(super) fn say(&mut self, turn: &mut Turn, node: usize, text: &str, effects: &mut Vec<Effect>) {
        let mut text = if turn.answer.is_empty() { text.trim_start() } else { text };
        let name = self.graph.nodes[node].name.clone();
        while !text.is_empty() {
            let room = self.limits.answer_bytes_max.saturating_sub(turn.answer.len());
            if room == 0 {
                return;
            }
            let (piece, rest) = text.split_at(text.floor_char_boundary(PIECE_BYTES_MAX));
            let piece: Arc<str> = if piece.len() <= room { piece.into() } else { clip(piece, room).into() };
            turn.answer.push_str(&piece);
            turn.event = "streaming";
            self.emit(turn.id, turn.frame.number, name.clone(), What::Streaming { text: piece }, effects);
            text = rest;
        }
    }

    pub(super) fn completion(
        &mut self,
        call: CallId,
        usage: Usage,
        waited_us: u64,
        outcome: Result<Answer, CallError>,
        effects: &mut Vec<Effect>,
    ) {
        self.usage += usage;
        let end = End { status: CallStatus::of(&outcome), usage, waited_us };
        let Some(mut turn) = self.turn.take() else { return self.background_completion(call, end, outcome, effects) };
        let Some(at) = turn.frame.running.iter().position(|running| running.call == call) else {
            self.turn = Some(turn);
            return self.background_completion(call, end, outcome, effects);
        };
        let running = turn.frame.running.remove(at);
        turn.usage += usage;
        let step = match outcome {
            Ok(answer) => self.answered(&mut turn, running, end, answer, effects),
            Err(CallError::Cancelled) => {
                self.put_down(&mut turn, running, end, None, effects);
                Err(Outcome::Cancelled)
            }
            Err(error) => {
                let why = told(&error, &turn, &self.graph.nodes[running.node].name);
                self.put_down(&mut turn, running, end, Some(Came::Text(why.clone())), effects);
                Err(Outcome::Failed(why))
            }
        };
        self.advance(turn, step, effects);
    }

    fn answered(
        &mut self,
        turn: &mut Turn,
        mut running: Running,
        end: End,
        mut answer: Answer,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Outcome> {
        if running.request.is_streamed() && running.text.is_empty() {
            self.say(turn, running.node, &answer.text, effects);
        } else if !running.text.is_empty() {
            answer.text = std::mem::take(&mut running.text);
        }
        let (node, is_repair, request, task) = (running.node, running.is_repair, running.request.clone(), running.task.clone());
        let said = answer.said();
        let came = Came::answered(&answer, self.limits.detail_bytes_max);
        self.put_down(turn, running, end, Some(came), effects);
        let mut out = Out::after(self.tool_last);
        let flow = task.resume(&View { asked: Some(&request), ..self.view(turn, node) }, &mut out, answer);
        match flow {
            Flow::Again { why, task } if !is_repair && self.may_ask(turn, &request) => {
                let request = Arc::new(repair(&request, &said, &why));
                count(turn, &request);
                let running = self.ask(turn.id, turn.frame.number, node, request, task, Some(clip(&why, 500)), effects);
                turn.frame.running.push(Running { is_repair: true, ..running });
                Ok(())
            }
            Flow::Ask(..) | Flow::Go(..) | Flow::Say(_) | Flow::Rest | Flow::Again { .. } | Flow::Fail(_) => {
                self.follow(turn, node, flow, out, effects)
            }
        }
    }

    /// Writes an ended call into the trace; where nothing came of it, with what it had streamed.
    fn put_down(&mut self, turn: &mut Turn, running: Running, end: End, came: Option<Came>, effects: &mut Vec<Effect>) {
        let End { status, usage, waited_us } = end;
        let node = self.graph.nodes[running.node].name.clone();
        let (pid, kind, label) = (running.call, running.request.kind(), running.request.label());
        let usage = (usage != Usage::default()).then_some(usage);
        let duration_us = self.now.moment.since(running.started.moment);
        let what = What::ProcessEnd { pid, kind, label: label.clone(), status, duration_us, waited_us, usage };
        self.emit(turn.id, turn.frame.number, node.clone(), what, effects);
        let started_us = turn.at(running.started.moment);
        turn.frame.calls.push(CallRecord { pid, kind, label, started_us, duration_us, waited_us, status, usage });
        let came = came.unwrap_or_else(|| Came::Text(clip(&running.text, self.limits.detail_bytes_max)));
        turn.details.push(CallDetail { pid, node, frame: turn.frame.number, request: running.request, came });
    }

    /// Ends every call of a turn at once; nobody waits for a worker.
    pub(super) fn end_calls(&mut self, turn: &mut Turn, effects: &mut Vec<Effect>) {
        for running in std::mem::take(&mut turn.frame.running) {
            effects.push(Effect::Cancel { id: running.call });
            self.put_down(turn, running, End::CANCELLED, None, effects);
        }
    }

    /// Stops one call: a turn that waits for it ends, a call in the background just ends. An unknown one has ended already.
    pub(super) fn cancel(&mut self, call: CallId, effects: &mut Vec<Effect>) {
        match self.turn.take_if(|turn| turn.frame.running.iter().any(|running| running.call == call)) {
            Some(turn) => self.end(turn, Outcome::Cancelled, effects),
            None => self.cancel_background(call, effects),
        }
    }
}

/// Why a call failed. Who replays a recording is told where it left it.
fn told(error: &CallError, turn: &Turn, node: &str) -> String {
    let is_of_recording = matches!(error, CallError::NotOnTape { .. });
    if is_of_recording { format!("frame {} ({node}): {error}", turn.frame.number) } else { error.to_string() }
}

/// The same question with the answer that didn't fit, and why.
pub(super) fn repair(request: &Request, said: &str, why: &str) -> Request {
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
