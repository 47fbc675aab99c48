//! The chat socket: a WebSocket over a plain connection or over TLS.

use super::address::CONNECT_TIME;
use super::{Address, secure};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, WebSocket};

pub(super) type Socket = WebSocket<Box<dyn Stream>>;

/// A connection, plain or over TLS.
pub(super) trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

/// How long a read waits for the next message.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// Why there is no socket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    #[error("the server can't be reached")]
    Broken,
    /// Trying again would not help: the sentence says what to change.
    #[error("{0}")]
    Refused(String),
}

impl Address {
    /// Attaches to the chat. A read that has to wait for longer than [`LOOK`] returns `WouldBlock`.
    pub(super) fn open(&self, since: Option<u64>) -> Result<Socket, ConnectError> {
        let broken = |_: io::Error| ConnectError::Broken;
        let stream = self.connect().map_err(broken)?;
        // A Unix socket has no such option, and needs none.
        let _ = stream.set_nodelay(true);
        stream.set_read_timeout(Some(2 * CONNECT_TIME)).and_then(|()| stream.set_write_timeout(Some(2 * CONNECT_TIME))).map_err(broken)?;
        let timeouts = stream.try_clone().map_err(broken)?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(config) => Box::new(self.secured(stream, config.clone())?),
            None => Box::new(stream),
        };
        match tungstenite::client(self.socket(since), stream) {
            Ok((socket, _)) => timeouts.set_read_timeout(Some(LOOK)).map(|()| socket).map_err(broken),
            Err(HandshakeError::Failure(Error::Http(answer))) if !answer.status().is_server_error() => {
                let body = answer.body().as_deref().and_then(|body| serde_json::from_slice::<Value>(body).ok()).unwrap_or_default();
                let why = body["detail"].as_str().unwrap_or("this is not a framewright server");
                Err(ConnectError::Refused(format!("{} refuses the chat ({}): {why}", self.shown(), answer.status())))
            }
            Err(_) => Err(ConnectError::Broken),
        }
    }

    /// Completes the handshake at once, so that an untrusted certificate is reported as such.
    fn secured(&self, mut stream: TcpStream, config: Arc<ClientConfig>) -> Result<StreamOwned<ClientConnection, TcpStream>, ConnectError> {
        let refused = |why: &dyn std::fmt::Display| {
            let why = why.to_string();
            ConnectError::Refused(format!("{} is not trusted ({why}){}", self.authority(), secure::advice(&why)))
        };
        let name = ServerName::try_from(self.host().to_owned()).map_err(|error| refused(&error))?;
        let mut connection = ClientConnection::new(config, name).map_err(|error| refused(&error))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => refused(&error),
                _ => ConnectError::Broken,
            })?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}

/// Why the server closed the connection, where connecting again would not help.
pub(super) fn refusal_of(farewell: Option<CloseFrame>) -> Option<String> {
    let farewell = farewell?;
    match farewell.code {
        CloseCode::Library(4001) => Some(format!("the server rejects the token ({}): pass another with --token", farewell.reason)),
        CloseCode::Size => Some(format!("a message is too large ({}): send a shorter one", farewell.reason)),
        _ => None,
    }
}
