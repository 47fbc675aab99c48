//! A conversation over the chat socket that survives broken connections and restarts of the server.
//!
//! [`Conversation`] moves bytes and time; what is sent again, and what counts as received, is decided in [`state`].

mod state;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use state::{Done, Kind, MESSAGE_BYTES_MAX, Refused, Resumed, Unsendable, Update};

use super::{Address, CallTrouble, ConnectError, Socket, socket};
use serde_json::Value;
use state::State;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};
use tungstenite::{Error, Message};

/// How long a server may be away.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// Between two attempts to connect, growing.
const REST: Duration = Duration::from_millis(50);
const REST_MAX: Duration = Duration::from_secs(2);
/// A server pings every half minute: one that is silent for this long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// Messages of history that cover every turn that may be pending.
const HISTORY: &str = "/api/history?last=20";

/// Why a conversation can't go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConversationError {
    #[error("{0}")]
    Refused(String),
    #[error("no chat socket opens at {authority}: check that the server is running")]
    Away { authority: String },
}

pub struct Conversation {
    address: Address,
    state: State,
    socket: Option<Socket>,
    received_at: Instant,
    away: Option<Away>,
}

/// A server that can't be reached, or that has not greeted yet.
struct Away {
    since: Instant,
    next: Instant,
    rest: Duration,
}

impl Conversation {
    /// Connects when it is first received from.
    pub fn new(address: Address) -> Conversation {
        let state = State::new(format!("{:016x}", fastrand::u64(..)));
        let now = Instant::now();
        Conversation { address, state, socket: None, received_at: now, away: Some(Away { since: now, next: now, rest: REST }) }
    }

    /// Connects at once; a server that isn't there is not waited for.
    pub fn connect(address: Address) -> Result<Conversation, ConnectError> {
        let mut conversation = Conversation::new(address);
        conversation.socket = Some(conversation.address.open(None)?);
        Ok(conversation)
    }

    /// Sends a message or an action as soon as there is a connection, and on each new one until the server has it.
    pub fn send(&mut self, message: Value) -> Result<String, Unsendable> {
        self.state.send(message)
    }

    /// Stops the running turn; those that wait go on.
    pub fn stop(&mut self) {
        self.state.stop();
    }

    /// Stops the running turn and those that wait.
    pub fn stop_all(&mut self) {
        self.state.stop_all();
    }

    /// Stops everything, and forgets the messages that have no end yet.
    pub fn abandon(&mut self) {
        self.state.abandon();
    }

    pub fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// What to report where the server does not come back.
    pub fn away(&self) -> ConversationError {
        ConversationError::Away { authority: self.address.authority() }
    }

    /// The next thing that happens; nothing where nothing does for some milliseconds.
    pub fn receive(&mut self) -> Result<Option<Update>, ConversationError> {
        let Some(socket) = &mut self.socket else { return self.reconnect() };
        while let Some(text) = self.state.next() {
            if socket.send(Message::text(text)).is_err() {
                return Ok(Some(self.disconnected()));
            }
        }
        match socket.read() {
            Ok(Message::Text(text)) => {
                self.received_at = Instant::now();
                let update = self.state.receive(&text);
                if matches!(update, Some(Update::Attached { .. })) {
                    self.away = None;
                }
                Ok(update)
            }
            Ok(Message::Close(farewell)) => match socket::refusal_of(farewell) {
                Some(why) => Err(ConversationError::Refused(why)),
                None => Ok(Some(self.disconnected())),
            },
            Ok(_) => {
                self.received_at = Instant::now();
                Ok(None)
            }
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok((self.received_at.elapsed() > SILENCE_MAX).then(|| self.disconnected()))
            }
            Err(_) => Ok(Some(self.disconnected())),
        }
    }

    /// The whole answer of a turn, where some of it was missed.
    pub fn answer(&self, turn: &str) -> Result<String, CallTrouble> {
        let history = self.address.call(HISTORY, None)?;
        let messages = history["messages"].as_array().into_iter().flatten();
        let answers = messages.filter(|message| message["id"] == *turn && message["role"] == "assistant");
        Ok(answers.filter_map(|message| message["content"].as_str()).collect())
    }

    fn disconnected(&mut self) -> Update {
        self.socket = None;
        self.state.disconnected();
        let now = Instant::now();
        let away = self.away.get_or_insert(Away { since: now, next: now, rest: REST });
        away.postpone(now);
        Update::Disconnected
    }

    fn reconnect(&mut self) -> Result<Option<Update>, ConversationError> {
        let now = Instant::now();
        let away = self.away.get_or_insert(Away { since: now, next: now, rest: REST });
        if now < away.next {
            thread::sleep(socket::LOOK.min(away.next - now));
            return Ok(None);
        }
        match self.address.open(self.state.since()) {
            Ok(socket) => (self.socket, self.received_at) = (Some(socket), Instant::now()),
            Err(ConnectError::Refused(why)) => return Err(ConversationError::Refused(why)),
            Err(ConnectError::Broken) if away.since.elapsed() > AWAY_MAX => {
                return Err(self.away());
            }
            Err(ConnectError::Broken) => away.postpone(Instant::now()),
        }
        Ok(None)
    }
}

impl Away {
    fn postpone(&mut self, now: Instant) {
        self.next = now + self.rest;
        self.rest = REST_MAX.min(self.rest * 2);
    }
}

impl Drop for Conversation {
    /// A stop that was not sent yet goes out first.
    fn drop(&mut self) {
        let Some(mut socket) = self.socket.take() else { return };
        let rest = std::iter::from_fn(|| self.state.next()).try_for_each(|text| socket.send(Message::text(text)));
        let _ = rest.and_then(|()| socket.close(None)).and_then(|()| socket.flush());
    }
}
