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
use tungstenite::{Error, WebSocket};

pub type Socket = WebSocket<Stream>;

pub enum Stream {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Why there is no socket.
#[derive(Debug, PartialEq, Eq)]
pub enum NoSocket {
    /// Perhaps later.
    Broken,
    /// Not as long as nothing is changed: the sentence says what.
    Refused(String),
}

impl Address {
    /// Attaches to the chat. One look at the socket takes no longer than `look`: then its read is told that it would block.
    pub fn open(&self, since: Option<u64>, look: Duration) -> Result<Socket, NoSocket> {
        let broken = |_: io::Error| NoSocket::Broken;
        let stream = self.connect().map_err(broken)?;
        let set = stream.set_nodelay(true).and_then(|()| stream.set_read_timeout(Some(2 * CONNECT_TIME)));
        set.and_then(|()| stream.set_write_timeout(Some(2 * CONNECT_TIME))).map_err(broken)?;
        let stream = match &self.tls {
            Some(config) => Stream::Secure(Box::new(self.secured(stream, config.clone())?)),
            None => Stream::Plain(stream),
        };
        match tungstenite::client(self.socket(since), stream) {
            Ok((socket, _)) => socket.get_ref().socket().set_read_timeout(Some(look)).map(|()| socket).map_err(broken),
            Err(HandshakeError::Failure(Error::Http(answer))) if !answer.status().is_server_error() => {
                let body = answer.body().as_deref().and_then(|body| serde_json::from_slice::<Value>(body).ok()).unwrap_or_default();
                let why = body["detail"].as_str().unwrap_or("this is no server of ours");
                Err(NoSocket::Refused(format!("{} refuses the chat ({}): {why}", self.authority(), answer.status())))
            }
            Err(_) => Err(NoSocket::Broken),
        }
    }

    /// Shakes hands at once, so that a certificate which is not trusted is told as that.
    fn secured(&self, mut stream: TcpStream, config: Arc<ClientConfig>) -> Result<StreamOwned<ClientConnection, TcpStream>, NoSocket> {
        let refused = |why: &dyn std::fmt::Display| {
            let why = why.to_string();
            NoSocket::Refused(format!("{} is not trusted ({why}){}", self.authority(), secure::advice(&why)))
        };
        let name = ServerName::try_from(self.host().to_owned()).map_err(|error| refused(&error))?;
        let mut connection = ClientConnection::new(config, name).map_err(|error| refused(&error))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => refused(&error),
                _ => NoSocket::Broken,
            })?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}

/// What a server's farewell says, where coming back would not help.
pub fn refusal_of(farewell: Option<CloseFrame>) -> Option<String> {
    let farewell = farewell.filter(|farewell| u16::from(farewell.code) == 4001)?;
    Some(format!("the server wants another token ({}): give one with --token", farewell.reason))
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Stream::Plain(stream) => stream,
            Stream::Secure(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.read(into),
            Stream::Secure(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(stream) => stream.write(from),
            Stream::Secure(stream) => stream.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(stream) => stream.flush(),
            Stream::Secure(stream) => stream.flush(),
        }
    }
}
