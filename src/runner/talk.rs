//! One session of the server that is tested: what is said there, and all that a client can see of what came.
//!
//! Over the chat socket, as a browser does. A socket that breaks is opened again and goes on with `since`; what was said and
//! has not arrived is said again, as the server's count of turns tells. A turn is known by its number: whatever comes after
//! the last one that has ended is ours, because nobody else uses the session.

use crate::client::{Address, CallTrouble, NoSocket, Socket, refusal_of};
use crate::suite::{Names, Seen};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::{Error, Message};

/// Why something could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The next step may go well.
    Step(String),
    /// The server has gone, or refuses us for good.
    Gone(String),
}

pub(super) struct Talk {
    address: Address,
    patience: Duration,
    /// Set from elsewhere: nothing is waited for any more.
    stop: Arc<AtomicBool>,
    socket: Option<Socket>,
    /// The last number that was heard.
    seq: Option<u64>,
    /// The last turn that has ended.
    ended: u64,
}

/// A turn that has ended.
#[derive(Debug, Default)]
struct Turn {
    id: String,
    answer: String,
    progress: String,
    /// The chat socket's messages, without their numbers.
    heard: Vec<Value>,
    /// Some of what was said can't be heard any more.
    has_gap: bool,
}

/// What a socket brought.
enum Heard {
    Said(Value),
    /// Nothing so far.
    Silence,
    Broken,
}

/// One look at the socket.
const LOOK: Duration = Duration::from_millis(250);
/// A server asks for a sign of life every half minute: one that says nothing for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// How long a server may be away.
const AWAY_MAX: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(1);
/// How long what follows from a turn may take until it can be read.
const AFTER_TIME: Duration = Duration::from_secs(5);

impl Talk {
    pub(super) fn new(address: Address, patience: Duration, stop: Arc<AtomicBool>) -> Talk {
        Talk { address, patience, stop, socket: None, seq: None, ended: 0 }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Reads or posts. A server that is away or busy for a moment is asked again.
    pub(super) fn call(&self, path: &str, body: Option<&Value>) -> Result<Value, Trouble> {
        let (begun, mut rest) = (Instant::now(), REST);
        loop {
            let trouble = match self.address.call(path, body) {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let (may_pass, why) = match trouble {
                CallTrouble::Refused { status: status @ (409 | 429 | 503), detail } => {
                    (true, Trouble::Step(format!("{detail} ({status})")))
                }
                CallTrouble::Refused { status: 401, detail } => (false, Trouble::Gone(format!("{detail} (401)"))),
                CallTrouble::Refused { status, detail } => (false, Trouble::Step(format!("{detail} ({status})"))),
                CallTrouble::Unreachable { .. } | CallTrouble::Unreadable => (true, Trouble::Gone(trouble.to_string())),
            };
            if !may_pass || self.is_stopped() || begun.elapsed() > AWAY_MAX.min(self.patience) {
                return Err(why);
            }
            thread::sleep(rest);
            rest = REST_MAX.min(rest * 2);
        }
    }

    /// Says something, waits for the end of its turn, and looks at what came of it; the turn's id with it, and what was heard.
    pub(super) fn turn(&mut self, said: &Value) -> Result<(String, Seen, Vec<Value>), Trouble> {
        let begun = Instant::now();
        let until = begun + self.patience;
        if self.socket.is_none() {
            self.attach(until)?;
        }
        let turn = self.said(said, until);
        if turn.is_err() {
            self.leave();
        }
        let turn = turn?;
        let time_ms = begun.elapsed().as_secs_f64() * 1000.0;
        let seen = self.seen(&turn, time_ms)?;
        Ok((turn.id, seen, turn.heard))
    }

    fn said(&mut self, said: &Value, until: Instant) -> Result<Turn, Trouble> {
        let mut turn = Turn::default();
        self.say(said);
        let (mut last_heard, mut refusal) = (Instant::now(), None);
        loop {
            if self.is_stopped() {
                return Err(Trouble::Step("the run was stopped".to_owned()));
            }
            if Instant::now() >= until {
                // A turn that was only ever refused did not begin.
                if let Some(refusal) = &refusal {
                    return Err(refused_by(refusal));
                }
                let patience = self.patience.as_millis();
                return Err(Trouble::Step(format!("the turn did not end within {patience} ms: give it more with --patience-ms")));
            }
            match self.hear()? {
                Heard::Said(heard) => {
                    last_heard = Instant::now();
                    turn.heard.extend(without_number(&heard));
                    let is_refused = heard["refused"] == true;
                    let text = || heard["content"].as_str().unwrap_or_default();
                    match heard["type"].as_str().unwrap_or_default() {
                        "delta" if number(&heard) > self.ended && heard["kind"] == "progress" => turn.progress.push_str(text()),
                        "delta" if number(&heard) > self.ended => turn.answer.push_str(text()),
                        "controls" if heard["gap"] == true => {
                            turn.has_gap = true;
                            // Its end may be among what can't be heard any more.
                            let result = self.call("/api/result", None)?;
                            if result["status"] != "running" && number(&result) > self.ended {
                                return Ok(self.done(turn, &result));
                            }
                        }
                        "done" if is_refused => self.refused(&heard, said, until)?,
                        "done" if number(&heard) > self.ended => return Ok(self.done(turn, &heard)),
                        _ => {}
                    }
                    match is_refused {
                        true => refusal = Some(heard),
                        false if number(&heard) > self.ended => refusal = None,
                        false => {}
                    }
                }
                Heard::Silence if last_heard.elapsed() < SILENCE_MAX => {}
                Heard::Silence | Heard::Broken => {
                    self.again(said, until)?;
                    last_heard = Instant::now();
                }
            }
        }
    }

    /// The end of a turn, by its `done` or by its result.
    fn done(&mut self, mut turn: Turn, end: &Value) -> Turn {
        self.ended = number(end);
        turn.id = end["id"].as_str().unwrap_or_default().to_owned();
        if turn.has_gap
            && let Ok(result) = self.call("/api/result", None)
        {
            turn.answer = result["response"].as_str().unwrap_or_default().to_owned();
        }
        // What a turn that failed says instead of an answer is what its user reads.
        if let Some(why) = end["error"].as_str().or(end["detail"].as_str()) {
            turn.answer.push_str(why);
        }
        turn
    }

    /// Whoever can't take it yet is asked again after a rest: a session that is busy, a server that is about to end. Everything
    /// else that is refused stays refused.
    fn refused(&mut self, refusal: &Value, said: &Value, until: Instant) -> Result<(), Trouble> {
        let may_pass = self.call("/api/send/check", Some(&json!({})))?["ready"] == false;
        if !may_pass || Instant::now() + REST_MAX >= until {
            return Err(refused_by(refusal));
        }
        thread::sleep(REST_MAX);
        self.idle(until)?;
        self.say(said);
        Ok(())
    }

    /// Opens a new socket behind everything that has happened in this session so far.
    fn attach(&mut self, until: Instant) -> Result<(), Trouble> {
        self.seq = None;
        self.socket = Some(self.open(until)?);
        // What greets us says from where to go on, should the socket break.
        while self.seq.is_none() {
            match self.hear()? {
                Heard::Said(_) => {}
                Heard::Silence if Instant::now() < until => {}
                Heard::Silence | Heard::Broken => self.socket = Some(self.open(until)?),
            }
            if Instant::now() >= until {
                return Err(Trouble::Gone("the chat socket opens, but nothing is said there".to_owned()));
            }
        }
        self.ended = self.idle(until)?;
        Ok(())
    }

    /// Waits until no turn runs; the number of the last one.
    fn idle(&self, until: Instant) -> Result<u64, Trouble> {
        let mut rest = REST;
        loop {
            let result = self.call("/api/result", None)?;
            if result["status"] != "running" {
                return Ok(number(&result));
            }
            if self.is_stopped() || Instant::now() >= until {
                return Err(Trouble::Step("another turn of this session does not end".to_owned()));
            }
            thread::sleep(rest);
            rest = REST_MAX.min(rest * 2);
        }
    }

    /// Opens the socket again where it was, and says again what has not arrived.
    fn again(&mut self, said: &Value, until: Instant) -> Result<(), Trouble> {
        self.socket = None;
        self.socket = Some(self.open(until)?);
        let latest = number(&self.call("/api/result", None)?);
        if latest < self.ended {
            return Err(Trouble::Step("the server has begun anew in the middle of this suite: its sessions are lost".to_owned()));
        }
        if latest == self.ended {
            self.say(said);
        }
        Ok(())
    }

    fn open(&self, until: Instant) -> Result<Socket, Trouble> {
        let (begun, mut rest) = (Instant::now(), REST);
        loop {
            match self.address.open(self.seq, LOOK) {
                Ok(socket) => return Ok(socket),
                Err(NoSocket::Refused(why)) => return Err(Trouble::Gone(why)),
                Err(NoSocket::Broken) if self.is_stopped() || begun.elapsed() > AWAY_MAX || Instant::now() >= until => {
                    let authority = self.address.authority();
                    return Err(Trouble::Gone(format!("no chat socket opens at {authority}: look whether the server runs")));
                }
                Err(NoSocket::Broken) => thread::sleep(rest),
            }
            rest = REST_MAX.min(rest * 2);
        }
    }

    /// A socket that can't be written to is told by the next look at it.
    fn say(&mut self, said: &Value) {
        if let Some(socket) = &mut self.socket
            && socket.send(Message::text(said.to_string())).is_err()
        {
            self.socket = None;
        }
    }

    fn hear(&mut self) -> Result<Heard, Trouble> {
        let Some(socket) = &mut self.socket else { return Ok(Heard::Broken) };
        match socket.read() {
            Ok(Message::Text(text)) => {
                let heard: Value = serde_json::from_str(&text).unwrap_or_default();
                // What greets a connection tells the last number there is; what was missed up to it only follows.
                let (is_greeting, seq) = (heard.get("kept_from").is_some(), heard["seq"].as_u64());
                if !is_greeting || self.seq.is_none() || seq < self.seq {
                    self.seq = seq.or(self.seq);
                }
                Ok(Heard::Said(heard))
            }
            Ok(Message::Close(farewell)) => refusal_of(farewell).map_or(Ok(Heard::Broken), |why| Err(Trouble::Gone(why))),
            // A sign of life.
            Ok(_) => Ok(Heard::Said(Value::Null)),
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(Heard::Silence),
            Err(_) => Ok(Heard::Broken),
        }
    }

    /// Stops what may still run, so that the next step finds the session idle.
    fn leave(&mut self) {
        self.say(&json!({"type": "stop"}));
        if let Some(mut socket) = self.socket.take() {
            let _ = socket.close(None).and_then(|()| socket.flush());
        }
    }

    /// All that the public interface shows of a turn.
    fn seen(&self, turn: &Turn, time_ms: f64) -> Result<Seen, Trouble> {
        let begun = Instant::now();
        let trace = loop {
            let found = self.traces()?.into_iter().find(|trace| trace["id"] == *turn.id);
            match found {
                Some(trace) => break trace,
                None if begun.elapsed() > AFTER_TIME => return Err(Trouble::Step(format!("the server shows no trace of {}", turn.id))),
                None => thread::sleep(REST),
            }
        };
        let mut events = self.call("/api/trace?last=40", None)?;
        let mut state = self.call("/api/state", None)?;
        let list = |value: &mut Value| match value.take() {
            Value::Array(items) => items,
            _ => Vec::new(),
        };
        Ok(Seen {
            response: turn.answer.clone(),
            progress: turn.progress.clone(),
            controls: list(&mut state["controls"]),
            memory: state["memorizer"].take(),
            trace,
            events: list(&mut events["lines"]).into_iter().filter(|event| event["turn"] == *turn.id).collect(),
            names: Names::default(),
            time_ms,
        })
    }

    /// The last turns that are kept, the oldest first.
    pub(super) fn traces(&self) -> Result<Vec<Value>, Trouble> {
        match self.call("/api/frames?last=20", None)?["traces"].take() {
            Value::Array(traces) => Ok(traces),
            _ => Err(Trouble::Step("the server shows no traces".to_owned())),
        }
    }

    /// The state of the session, once what goes on behind a turn has ended or takes too long.
    pub(super) fn settled(&self) -> Result<Value, Trouble> {
        self.settled_within(AFTER_TIME)
    }

    /// The same, where it is waited for as long as for a turn: nothing may go on behind the next one.
    pub(super) fn at_rest(&self) -> Result<(), Trouble> {
        match self.settled_within(self.patience)?["memorizing"] == true {
            true => Err(Trouble::Step("the memorizer does not end: give it more time with --patience-ms".to_owned())),
            false => Ok(()),
        }
    }

    fn settled_within(&self, time_max: Duration) -> Result<Value, Trouble> {
        let begun = Instant::now();
        loop {
            let state = self.call("/api/state", None)?;
            if state["memorizing"] != true || self.is_stopped() || begun.elapsed() > time_max {
                return Ok(state);
            }
            thread::sleep(REST);
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            let _ = socket.close(None).and_then(|()| socket.flush());
        }
    }
}

fn refused_by(refusal: &Value) -> Trouble {
    Trouble::Step(format!("the server refuses it: {}", refusal["error"].as_str().unwrap_or("no reason is given")))
}

/// A message as every client hears it; nothing of what is for this connection alone.
fn without_number(heard: &Value) -> Option<Value> {
    let is_for_all = heard.get("kept_from").is_none() && heard["refused"] != true;
    let mut message = heard.as_object().filter(|_| is_for_all)?.clone();
    message.remove("seq");
    Some(Value::Object(message))
}

/// The number of a turn: 7 of `msg_7`, 0 of none.
fn number(of: &Value) -> u64 {
    of["id"].as_str().and_then(|id| id.strip_prefix("msg_")?.parse().ok()).unwrap_or(0)
}
