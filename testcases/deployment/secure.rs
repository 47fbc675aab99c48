//! A client over TLS: HTTP by hand, and WebSockets.

use crate::support::PATIENCE;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use socket2::{Domain, Socket as Socket2, Type};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::Message;

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;
pub(crate) type Socket = tungstenite::WebSocket<Stream>;

pub(crate) struct Secure {
    stream: Stream,
    /// Bytes that have come and were not yet looked at.
    read: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// A connection on which one of these protocols is spoken; none: the one that everybody speaks.
pub(crate) fn connect(ip: IpAddr, port: u16, certificate: &Path, protocols: &[&[u8]]) -> Stream {
    over(TcpStream::connect((ip, port)).unwrap(), certificate, protocols)
}

/// TLS over a connection that is there.
fn over(stream: TcpStream, certificate: &Path, protocols: &[&[u8]]) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(crypto).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap(), stream)
}

impl Secure {
    pub(crate) fn open(ip: IpAddr, port: u16, certificate: &Path) -> Secure {
        Secure { stream: connect(ip, port, certificate, &[]), read: Vec::new() }
    }

    /// Opens one from this address.
    pub(crate) fn open_from(source: Ipv4Addr, ip: IpAddr, port: u16, certificate: &Path) -> Secure {
        let socket = Socket2::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
        socket.connect(&SocketAddr::from((ip, port)).into()).unwrap();
        Secure { stream: over(socket.into(), certificate, &[]), read: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    pub(crate) fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }

    /// The whole answer, up to the end of the connection.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.head();
        while self.more() {}
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {head}"));
        Answer { status, body: String::from_utf8(std::mem::take(&mut self.read)).unwrap() }
    }

    pub(crate) fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                return String::from_utf8(self.read.drain(..end + 4).collect()).unwrap();
            }
            assert!(self.more(), "the connection ended within a head: {:?}", String::from_utf8_lossy(&self.read));
        }
    }

    /// So many bytes of a body.
    pub(crate) fn bytes(&mut self, count: usize) -> String {
        while self.read.len() < count {
            assert!(self.more(), "the connection ended within a body");
        }
        String::from_utf8(self.read.drain(..count).collect()).unwrap()
    }

    /// Waits until something comes, but no longer than this.
    pub(crate) fn wait_for(&mut self, time: Duration) {
        self.stream.sock.set_read_timeout(Some(time)).unwrap();
        let mut bytes = [0; 4 << 10];
        if let Ok(count) = self.stream.read(&mut bytes) {
            self.read.extend_from_slice(&bytes[..count]);
        }
    }

    /// All that has come by now, without waiting for more.
    pub(crate) fn what_came(mut self) -> String {
        self.stream.sock.set_nonblocking(true).unwrap();
        let _ = self.stream.read_to_end(&mut self.read);
        String::from_utf8_lossy(&self.read).into_owned()
    }

    pub(crate) fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                return String::from_utf8(self.read.drain(..=end).collect()).unwrap();
            }
            assert!(self.more(), "the stream ended");
        }
    }

    fn more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        // A peer that ends without a last word of TLS has ended too.
        let count = match self.stream.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came in time"),
            Err(_) => 0,
        };
        self.read.extend_from_slice(&bytes[..count]);
        count > 0
    }
}

pub(crate) fn socket(ip: IpAddr, port: u16, certificate: &Path, target: &str) -> Socket {
    let (socket, _) = tungstenite::client(format!("wss://localhost:{port}{target}"), connect(ip, port, certificate, &[])).unwrap();
    socket
}

/// The next message, as JSON.
pub(crate) fn next(socket: &mut Socket) -> Value {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) => {}
            other => panic!("a message of text was expected, not {other:?}"),
        }
    }
}
