//! The chat socket as a thread of its own: what is said goes in at one end, what is heard comes out at the other.
//!
//! A connection that breaks is made again and goes on with `since`, so nothing is missed and nothing heard twice. Given up
//! is only what never was there, what is refused, and what stays away for too long.

use super::Heard;
use crate::cli::Failure;
use crate::client::{Address, NoSocket, Socket, refusal_of};
use serde_json::Value;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::{Error, Message};

/// How long one look at the socket takes; what is to be said waits that long at most.
const LOOK: Duration = Duration::from_millis(20);
/// How long a server may be away before it is given up.
const AWAY_MAX: Duration = Duration::from_secs(60);
const REST_MAX: Duration = Duration::from_secs(2);
/// A server that asks for a sign of life every half minute is gone after this.
const SILENCE_MAX: Duration = Duration::from_secs(90);

pub(super) struct Link {
    address: Address,
    to_say: Receiver<Value>,
    heard: SyncSender<Heard>,
    /// The last number that was heard.
    seq: Option<u64>,
}

/// How a connection came to its end.
enum End {
    /// Nobody wants it any more.
    Unwanted,
    Broken,
    Refused(Failure),
}

impl Link {
    /// Connects; who can't be reached at all is told at once.
    pub(super) fn start(address: Address, to_say: Receiver<Value>, heard: SyncSender<Heard>) -> Result<(), Failure> {
        let mut link = Link { address, to_say, heard, seq: None };
        let socket = link.open().map_err(|end| match end {
            End::Refused(failure) => failure,
            End::Broken | End::Unwanted => {
                let authority = link.address.authority();
                Failure::unavailable(format!(
                    "no server answers at {authority}: start one with `framewright`, or say where it is with --url"
                ))
            }
        })?;
        let thread = thread::Builder::new().name("link".to_owned());
        thread.spawn(move || link.run(socket)).map(drop).map_err(Failure::unavailable)
    }

    fn run(&mut self, mut socket: Socket) {
        loop {
            match self.talk(&mut socket) {
                End::Unwanted => {
                    let _ = socket.close(None).and_then(|()| socket.flush());
                    return;
                }
                End::Refused(failure) => return drop(self.heard.send(Heard::Over(failure))),
                End::Broken => {}
            }
            if self.heard.send(Heard::Lost).is_err() {
                return;
            }
            match self.again() {
                Ok(open) => {
                    socket = open;
                    // What was said meanwhile is said again by who knows what has arrived.
                    while self.to_say.try_recv().is_ok() {}
                }
                Err(failure) => return drop(self.heard.send(Heard::Over(failure))),
            }
            if self.heard.send(Heard::Back).is_err() {
                return;
            }
        }
    }

    /// Tries again and again, ever more slowly.
    fn again(&self) -> Result<Socket, Failure> {
        let (begun, mut rest) = (Instant::now(), Duration::from_millis(100));
        while begun.elapsed() < AWAY_MAX {
            match self.open() {
                Ok(socket) => return Ok(socket),
                Err(End::Refused(failure)) => return Err(failure),
                Err(End::Broken | End::Unwanted) => thread::sleep(rest),
            }
            rest = REST_MAX.min(rest * 2);
        }
        Err(Failure::unavailable(format!("the server at {} does not come back: look whether it runs", self.address.authority())))
    }

    fn open(&self) -> Result<Socket, End> {
        self.address.open(self.seq, LOOK).map_err(|trouble| match trouble {
            NoSocket::Broken => End::Broken,
            NoSocket::Refused(why) => End::Refused(Failure::unavailable(why)),
        })
    }

    /// Says and hears until one of the two ends.
    fn talk(&mut self, socket: &mut Socket) -> End {
        let mut last_heard = Instant::now();
        loop {
            loop {
                match self.to_say.try_recv() {
                    Ok(value) => {
                        if socket.send(Message::text(value.to_string())).is_err() {
                            return End::Broken;
                        }
                    }
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return End::Unwanted,
                }
            }
            match socket.read() {
                Ok(Message::Text(text)) => {
                    last_heard = Instant::now();
                    let Ok(said) = serde_json::from_str::<Value>(&text) else { continue };
                    // What greets a connection tells the last number there is; what was missed up to it only follows.
                    // A lower number than was heard is that of a server that has begun anew.
                    let (is_greeting, seq) = (said.get("kept_from").is_some(), said["seq"].as_u64());
                    if !is_greeting || self.seq.is_none() || seq < self.seq {
                        self.seq = seq.or(self.seq);
                    }
                    if self.heard.send(Heard::Said(said)).is_err() {
                        return End::Unwanted;
                    }
                }
                Ok(Message::Close(farewell)) => {
                    return refusal_of(farewell).map_or(End::Broken, |why| End::Refused(Failure::unavailable(why)));
                }
                Ok(_) => last_heard = Instant::now(),
                Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if last_heard.elapsed() > SILENCE_MAX {
                        return End::Broken;
                    }
                }
                Err(_) => return End::Broken,
            }
        }
    }
}
