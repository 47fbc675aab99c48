//! Plays a recorded turn on another graph: from the session as it was before the turn, with the recorded answer to each request
//! that is the same.
//!
//! What was recorded comes in the order of its records, so that a turn that makes the same calls goes the same way.

use super::live::Asks;
use super::recorded::{Call, Came, Recorded};
use super::seen::Seen;
use crate::cli::Failure;
use crate::contract::{CallId, CallKind, Effect, Input, Moment, Now, Request, Time, TurnId, What};
use crate::engine::Session;
use crate::graph::Library;
use crate::work::tape::Question;
use serde::Serialize;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// A turn as it went on the other graph.
pub(super) struct Played {
    pub(super) seen: Seen,
    /// Calls that were not recorded.
    pub(super) calls: Vec<NewCall>,
    /// Such a call would be needed and was not made, so that the turn ends here.
    pub(super) is_short: bool,
}

/// A call whose request was not recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct NewCall {
    pub(super) node: Arc<str>,
    pub(super) kind: CallKind,
    pub(super) label: Arc<str>,
    /// How the request differs from a recorded one.
    pub(super) why: String,
    pub(super) was_made: bool,
}

/// A call that is out.
struct Out {
    id: CallId,
    answer: Answer,
}

enum Answer {
    /// What is still to come of a recorded one.
    Recorded(VecDeque<(u64, Now, Input)>),
    New {
        request: Arc<Request>,
        node: Arc<str>,
        why: String,
    },
}

/// On which graph the turn is played: this one, or the one of the name that it ran on.
pub(super) struct Onto<'a> {
    pub(super) library: &'a Arc<Library>,
    pub(super) graph: Option<&'a str>,
}

/// Plays the turn. `None`: the library has no graph of the name that the turn ran on.
///
/// # Errors
/// The program can't make calls at all.
pub(super) fn play(recorded: Recorded, onto: &Onto<'_>, asks: &mut dyn Asks) -> Result<Option<Played>, Failure> {
    let Recorded { turn, now, mut before, calls, others, .. } = recorded;
    let graph = onto.graph.map_or_else(|| before.graph().name.clone(), Arc::from);
    if !before.run_on(onto.library, &graph) {
        return Ok(None);
    }
    let (own, behind): (Vec<_>, Vec<_>) = calls.into_iter().partition(|call| call.asked.is_some());
    // What was given up before it was answered, as where a fork begins, answers nothing.
    let is_answered = |call: &Call| call.came.iter().any(|(.., input)| matches!(input, Input::Completion { .. }));
    let unused =
        own.into_iter().filter(is_answered).filter_map(|call| Some((Question::of(&call.asked?.request), Some(call.came)))).collect();
    let out = behind.into_iter().map(|call| Out { id: call.id, answer: Answer::Recorded(call.came.into()) }).collect();
    let mut stage = Stage {
        session: before,
        turn,
        now,
        unused,
        out,
        others: others.into(),
        starts: HashMap::new(),
        seen: Seen::default(),
        calls: Vec::new(),
    };
    let mut effects = Vec::new();
    stage.session.begin_held(&mut effects);
    stage.note(effects);
    let mut is_short = false;
    while stage.session.is_at_work_for(turn) {
        match stage.next_recorded() {
            Some((now, input)) => stage.handle(now, input),
            None if !stage.has_new() => break,
            None if !stage.make(asks)? => {
                is_short = true;
                break;
            }
            None => {}
        }
    }
    is_short |= !stage.seen.has_ended;
    Ok(Some(Played { seen: stage.seen, calls: stage.calls, is_short }))
}

struct Stage {
    session: Session,
    turn: TurnId,
    now: Now,
    /// What the recorded turn asked, in order, with what came, until that is used.
    unused: Vec<(Question, Option<Came>)>,
    out: Vec<Out>,
    others: VecDeque<(u64, Now, Input)>,
    /// The node that made a call, and for which turn.
    starts: HashMap<CallId, (TurnId, Arc<str>)>,
    seen: Seen,
    calls: Vec<NewCall>,
}

impl Stage {
    fn handle(&mut self, now: Now, input: Input) {
        self.now = Now { moment: self.now.moment.max(now.moment), wall: self.now.wall.max(now.wall) };
        let mut effects = Vec::new();
        if let Input::Completion { call, usage, .. } = &input
            && self.starts.get(call).is_some_and(|(turn, _)| *turn == self.turn)
        {
            self.seen.spend(usage);
        }
        self.session.handle(self.now, input, &mut effects);
        self.note(effects);
    }

    fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let turn = match &effect {
                Effect::Emit(event) => {
                    if let What::ProcessStart { pid, .. } = &event.what {
                        self.starts.insert(*pid, (event.turn, event.node.clone()));
                    }
                    event.turn
                }
                Effect::Call { id, request } => {
                    let (turn, node) = self.starts.get(id).cloned().unwrap_or_default();
                    let answer = self.answer(request, node);
                    self.out.push(Out { id: *id, answer });
                    turn
                }
                Effect::Cancel { id } => {
                    self.out.retain(|out| out.id != *id);
                    continue;
                }
            };
            if turn == self.turn {
                self.seen.note(&effect);
            }
        }
    }

    /// What was recorded as the answer to this request, the first that is left; or how the request differs.
    fn answer(&mut self, request: &Arc<Request>, node: Arc<str>) -> Answer {
        let question = Question::of(request);
        let same = self.unused.iter_mut().find(|(recorded, came)| came.is_some() && recorded.is_same(&question));
        match same.and_then(|(_, came)| came.take()) {
            Some(came) => Answer::Recorded(came.into()),
            None => {
                let why = question.difference(self.unused.iter().map(|(recorded, _)| recorded));
                Answer::New { request: request.clone(), node, why }
            }
        }
    }

    /// The next of what was recorded for this turn, in the order of the records.
    fn next_recorded(&mut self) -> Option<(Now, Input)> {
        let first = |out: &Out| if let Answer::Recorded(came) = &out.answer { came.front().map(|(number, ..)| *number) } else { None };
        let of_call = self.out.iter().enumerate().filter_map(|(place, out)| Some((first(out)?, place))).min();
        // What else happened behind the last answer that is wanted changes nothing any more, unless a person is waited for.
        let next = of_call.map(|(number, _)| number).or_else(|| self.session.due().map(|_| u64::MAX));
        if self.others.front().is_some_and(|(other, ..)| next.is_some_and(|next| *other < next)) {
            return self.others.pop_front().map(|(_, now, input)| (now, self.aimed(input)));
        }
        let (_, place) = of_call?;
        let Out { id, answer } = &mut self.out[place];
        let id = *id;
        let Answer::Recorded(came) = answer else { return None };
        let (_, now, input) = came.pop_front()?;
        let input = match input {
            Input::Chunk { text, .. } => Input::Chunk { call: id, text },
            Input::Completion { usage, waited_us, outcome, .. } => {
                self.out.remove(place);
                Input::Completion { call: id, usage, waited_us, outcome }
            }
            other => other,
        };
        Some((now, input))
    }

    /// A person's answer, for what waits for one now.
    fn aimed(&self, input: Input) -> Input {
        match input {
            Input::Approve { approved, client_id, from, .. } => {
                let waiting = self.session.processes().into_iter().find(|process| process.kind == CallKind::Approval);
                // Where nothing waits, the person who answered is still the session's caller.
                match waiting {
                    Some(waiting) => Input::Approve { call: waiting.pid, approved, client_id, from },
                    None => Input::Attached { from },
                }
            }
            other => other,
        }
    }

    fn has_new(&self) -> bool {
        self.out.iter().any(|out| matches!(out.answer, Answer::New { .. }))
    }

    /// Makes the first call that was not recorded. `false`: none may be made; then all that are wanted now are noted.
    fn make(&mut self, asks: &mut dyn Asks) -> Result<bool, Failure> {
        while let Some(place) = self.out.iter().position(|out| matches!(out.answer, Answer::New { .. })) {
            let Out { id, answer } = self.out.remove(place);
            let Answer::New { request, node, why } = answer else { continue };
            let heard = asks.ask(&request)?;
            let (kind, label) = (request.kind(), request.label());
            self.calls.push(NewCall { node, kind, label, why, was_made: heard.is_some() });
            let Some(heard) = heard else { continue };
            for text in heard.chunks {
                self.handle(self.now, Input::Chunk { call: id, text });
            }
            let now = Now { moment: Moment(self.now.moment.0 + heard.time_us), wall: Time(self.now.wall.0 + heard.time_us) };
            self.handle(now, Input::Completion { call: id, usage: heard.usage, waited_us: heard.waited_us, outcome: heard.outcome });
            return Ok(true);
        }
        Ok(false)
    }
}
