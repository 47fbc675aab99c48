//! The worker pool, with the model and the databases behind it, and the thread for blocking jobs.
//!
//! A call's fate depends on the session's name and the call's number alone, so it is the same with or without other sessions.

use super::world::{Happens, Owned, World};
use super::{below, mix, one_in};
use crate::contract::{Answer, CallError, CallId, DatabaseAnswer, DatabaseAsk, DatabaseFault, Refused, Request, Rows, ToolCall, Usage};
use crate::shard::event::{Job, JobOutcome, SessionId, Ticket};
use crate::shard::journal_answers;
use crate::shard::journal_job::{JournalJob, NO_JOURNAL};
use crate::shard::operation::Reply;
use fastrand::Rng;
use serde_json::{Value, json};
use std::sync::Arc;

/// A call that is out.
pub(super) struct Call {
    /// What was planned before a cancel no longer happens.
    generation: u32,
    fate: Fate,
    rng: Rng,
}

/// What a call still does.
struct Fate {
    chunks: Vec<String>,
    usage: Usage,
    waited_us: u64,
    outcome: Result<Answer, CallError>,
}

impl World<'_> {
    pub(super) fn call(&mut self, shard: usize, session: SessionId, call: CallId, owner: &str, request: &Arc<Request>) {
        let number = owner.bytes().fold(7, |hash, byte| mix(hash, u64::from(byte)));
        let mut rng = Rng::with_seed(mix(mix(self.script.seed, number), call.0));
        let failing = if self.is_quiet { 0 } else { self.script.calls_failing };
        let fate = fate(&mut rng, owner, request, failing);
        let first_us = match (failing > 0, below(&mut rng, 40)) {
            // Hangs until somebody loses patience.
            (true, 0) => 900_000_000,
            _ if matches!(fate.outcome, Err(CallError::Overloaded)) => 1,
            _ => fate.waited_us + self.pace(&mut rng),
        };
        if self.calls.insert((shard, session, call), Call { generation: 0, fate, rng }).is_some() {
            self.fail(format!("call {} of {owner} was started twice", call.0));
        }
        self.later(first_us, Happens::Call { shard, session, call, generation: 0 });
    }

    fn pace(&self, rng: &mut Rng) -> u64 {
        let most = [100, 3_000, 80_000, 600_000][below(rng, if self.is_quiet { 2 } else { 4 }) as usize];
        1 + below(rng, most)
    }

    /// A call's next chunk, or its end.
    pub(super) fn call_goes_on(&mut self, shard: usize, session: SessionId, id: CallId, generation: u32) {
        let is_quiet = self.is_quiet;
        let Some(call) = self.calls.get_mut(&(shard, session, id)).filter(|call| call.generation == generation) else { return };
        if call.fate.chunks.is_empty() {
            let call = self.calls.remove(&(shard, session, id)).expect("it was just found");
            let Fate { usage, waited_us, outcome, .. } = call.fate;
            return self.put_event(0, shard, Owned::Completion { session, call: id, usage, waited_us, outcome });
        }
        let text = call.fate.chunks.remove(0);
        let most = [10, 2_000, 100_000][below(&mut call.rng, if is_quiet { 2 } else { 3 }) as usize];
        let wait_us = 1 + below(&mut call.rng, most);
        self.put_event(0, shard, Owned::Chunk { session, call: id, text });
        self.later(wait_us, Happens::Call { shard, session, call: id, generation });
    }

    pub(super) fn cancel_call(&mut self, shard: usize, session: SessionId, id: CallId) {
        // Its completion may be on the way already.
        let Some(call) = self.calls.get_mut(&(shard, session, id)) else { return };
        call.generation += 1;
        call.fate.chunks.truncate(below(&mut call.rng, 3) as usize);
        // A cancel may come too late.
        if !one_in(&mut call.rng, 4) {
            call.fate.outcome = Err(CallError::Cancelled);
        }
        let (generation, wait_us) = (call.generation, 1 + below(&mut call.rng, 50_000));
        self.later(wait_us, Happens::Call { shard, session, call: id, generation });
    }

    /// When faults stop, whatever hangs goes on.
    pub(super) fn hasten_calls(&mut self) {
        let out: Vec<_> = self
            .calls
            .iter_mut()
            .map(|(id, call)| {
                (*id, {
                    call.generation += 1;
                    call.generation
                })
            })
            .collect();
        for ((shard, session, call), generation) in out {
            self.later(1 + call.0 % 1_000, Happens::Call { shard, session, call, generation });
        }
    }

    pub(super) fn job(&mut self, shard: usize, ticket: Ticket, job: &Job) {
        let outcome = match job {
            Job::File { .. } => JobOutcome::File(None),
            Job::LastRun => JobOutcome::Reply(Reply::of(b"{}".to_vec())),
            Job::ListSuites => JobOutcome::Reply(Reply::of(br#"{"suites":[]}"#.to_vec())),
            // Here nothing is rated, and what has left memory is not read.
            Job::Journal(job) => match &**job {
                JournalJob::Turn { shown, .. } if shown.in_memory.is_some() => journal_answers::turn(Some(None), (**shown).clone()),
                _ => JobOutcome::Reply(NO_JOURNAL.into()),
            },
            Job::Call(again) => {
                let outcome = Err(CallError::Overloaded);
                JobOutcome::Called { again: again.clone(), waited_us: 0, usage: Usage::NONE, outcome }
            }
            Job::StartTests { .. } | Job::StopTests | Job::Doctor => JobOutcome::Reply(Reply::of(br#"{"ok":true}"#.to_vec())),
        };
        let wait_us = 1 + mix(self.script.seed, self.now) % 20_000;
        self.put_event(wait_us, shard, Owned::JobDone { ticket, outcome });
    }
}

fn fate(rng: &mut Rng, owner: &str, request: &Request, failing: u64) -> Fate {
    let usage = Usage { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110, ..Usage::NONE };
    let mut fate =
        Fate { chunks: Vec::new(), usage, waited_us: below(rng, 500), outcome: Ok(Answer { model: "sim".into(), ..Answer::default() }) };
    let fails = below(rng, 100) < failing;
    let answer = fate.outcome.as_mut().expect("it was just made");
    match request {
        Request::Database(request) => {
            answer.database = Some(Box::new(rows(rng, owner, &request.ask)));
            if fails {
                match below(rng, 5) {
                    0 => fate.outcome = Err(CallError::Database(DatabaseFault::Deadline)),
                    1 => fate.outcome = Err(CallError::Database(DatabaseFault::Broken)),
                    2 => fate.outcome = Err(CallError::Overloaded),
                    _ => {
                        answer.database = Some(Box::new(DatabaseAnswer::Refused {
                            message: format!("no such column ~{owner}~"),
                            reason: Refused::UnknownColumn,
                        }))
                    }
                }
            }
        }
        Request::Approval(_) => unreachable!("no worker does an approval"),
        Request::Model(_) => {
            let text = match (fails, below(rng, 10)) {
                (true, 0) => "gärbled {\"goal\":".to_owned(),
                (true, 1) => String::new(),
                (true, 2) => r#"{"other":[1,2,3]}"#.to_owned(),
                (true, 3) => format!("~{owner}~ ").repeat(4_000),
                _ => fitting(rng, owner, &request.label()),
            };
            if &*request.label() == "agent" && one_in(rng, 3) {
                answer.tool_calls = vec![tool_call(rng, owner)];
            }
            fate.chunks = match request.streamed_field() {
                // What was shown need not be what is meant in the end.
                Some(_) if one_in(rng, 8) => torn(rng, &format!("Hm, ~{owner}~")),
                Some(says) => torn(rng, field(&text, &says.field).as_deref().unwrap_or_default()),
                None if request.is_streamed() => torn(rng, &text),
                None => Vec::new(),
            };
            if !request.is_streamed() {
                answer.text = text;
            }
            if fails && one_in(rng, 2) {
                fate.chunks.truncate(below(rng, 3) as usize);
                fate.outcome = Err(match below(rng, 7) {
                    0 => CallError::Overloaded,
                    1 => CallError::Truncated,
                    2 => CallError::RateLimited,
                    3 => CallError::Failed { status: 500 },
                    4 => CallError::Deadline { waited: "the first token".to_owned() },
                    5 => CallError::Panicked,
                    _ => CallError::Unreachable,
                });
            }
        }
    }
    if matches!(fate.outcome, Err(CallError::Overloaded)) {
        (fate.chunks, fate.usage, fate.waited_us) = (Vec::new(), Usage::default(), 0);
    }
    fate
}

fn field(text: &str, name: &str) -> Option<String> {
    Some(serde_json::from_str::<Value>(text).ok()?.get(name)?.as_str()?.to_owned())
}

fn torn(rng: &mut Rng, text: &str) -> Vec<String> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let most = (rest.len() as u64).clamp(1, 20_000);
        let mut at = if chunks.len() >= 6 { rest.len() } else { 1 + below(rng, most) as usize };
        while !rest.is_char_boundary(at) {
            at += 1;
        }
        chunks.push(rest[..at].to_owned());
        rest = &rest[at..];
    }
    chunks
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[below(rng, from.len() as u64) as usize]
}

/// An answer of the shape that a node wants. Whatever can hold text names the session.
fn fitting(rng: &mut Rng, owner: &str, asking: &str) -> String {
    let tagged = |text: &str| format!("{text} ~{owner}~");
    let calls = |rng: &mut Rng| {
        let calls = (0..below(rng, 3)).map(|_| tool_call(rng, owner)).map(|call| json!({ "tool": call.tool, "args": call.args }));
        calls.collect::<Vec<_>>()
    };
    match asking {
        "input" => json!({
            "who": tagged("a user"), "language": "en", "intent": pick(rng, &["social", "question", "request"]), "topic": tagged("lamps"),
            "tone": "calm", "complexity": "simple", "context": "none"
        }),
        "director" => json!({
            "goal": tagged("answer"), "steps": [tagged("say it")], "tool_sequence": calls(rng),
            "present_as": pick(rng, &["text", "list", "buttons"]), "reason": tagged("asked")
        }),
        "thinker" => json!({ "calls": calls(rng) }),
        "interpreter" => json!({ "summary": tagged("summed up"), "findings": [tagged("found")] }),
        "memorizer" => json!({ "topic": tagged("lamps"), "facts": [tagged("has a lamp")] }),
        "pa" => json!({
            "expert": if one_in(rng, 4) { Value::Null } else { json!(pick(rng, &["eras", "desk"])) }, "job": tagged("count"),
            "thinking_message": tagged("Let me look."), "language": "en",
            "answer": if one_in(rng, 2) { tagged("Ünïcödé 🎲") } else { String::new() }
        }),
        plan if plan.ends_with("plan") => {
            let query = json!({ "tool": "query", "args": { "sql": "SELECT COUNT(*) AS n FROM kunden" } });
            let sequence = if one_in(rng, 2) { vec![query] } else { calls(rng) };
            json!({ "tool_sequence": sequence, "response_hint": tagged("short"), "interpret": one_in(rng, 2) })
        }
        _ => {
            let sentence = tagged("An answer. Ünïcödé 🎲") + " ";
            return sentence.repeat(if one_in(rng, 30) { 200 } else { 1 + below(rng, 6) as usize });
        }
    }
    .to_string()
}

fn tool_call(rng: &mut Rng, owner: &str) -> ToolCall {
    let label = format!("On ~{owner}~");
    let states = json!({
        "off": { "buttons": [{ "label": label, "action": "on", "go": "on" }] },
        "on": { "buttons": [{ "label": "Off", "action": "off", "go": "off" }, { "label": "Ask", "action": "ask" }] }
    });
    let (tool, args) = match below(rng, 8) {
        0..2 => ("create_machine", json!({ "id": format!("m{}", below(rng, 4)), "initial": "off", "states": states })),
        2 => ("destroy_machine", json!({ "id": "m1" })),
        3 => ("emit_actions", json!({ "actions": ["Red", label] })),
        4 => ("set_state", json!({ "key": "k", "value": label })),
        5 => ("recall", json!({ "query": "lamp" })),
        6 => ("recall", Value::Null),
        _ => ("no_such_tool", json!({ "x": [label] })),
    };
    ToolCall { id: "t".to_owned(), tool: tool.to_owned(), args }
}

fn rows(rng: &mut Rng, owner: &str, ask: &DatabaseAsk) -> DatabaseAnswer {
    let (columns, rows) = match ask {
        DatabaseAsk::Columns | DatabaseAsk::Range { .. } => {
            (vec!["column", "holds"], vec![vec![json!("kunden.name"), json!("'a' to 'z'")]])
        }
        DatabaseAsk::Tables => (vec!["table"], vec![vec![json!("kunden")]]),
        DatabaseAsk::Describe { .. } => (vec!["column", "type"], vec![vec![json!("id"), json!("int")], vec![json!("name"), json!("text")]]),
        DatabaseAsk::Query { .. } => (vec!["n", "who"], (0..below(rng, 5)).map(|n| vec![json!(n), json!(format!("~{owner}~"))]).collect()),
    };
    DatabaseAnswer::Rows(Rows { columns: columns.into_iter().map(str::to_owned).collect(), rows, ..Rows::default() })
}
