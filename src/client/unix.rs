//! A server's Unix socket. Its bytes are read and written as those of TCP, so it takes the place of a TCP connection.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::{Agent, Error};

pub(super) fn connect(path: &Path) -> io::Result<TcpStream> {
    UnixStream::connect(path).map(|stream| TcpStream::from(OwnedFd::from(stream)))
}

/// Calls go there, whatever host they name.
pub(super) fn agent(path: &Path, time_max: Duration) -> Agent {
    let config = Agent::config_builder().timeout_global(Some(time_max)).max_redirects(0).max_redirects_will_error(false);
    let config = config.proxy(None).http_status_as_error(false).build();
    Agent::with_parts(config, ToFile { path: path.to_owned(), time_max }, DefaultResolver::default())
}

#[derive(Debug)]
struct ToFile {
    path: PathBuf,
    time_max: Duration,
}

impl Connector for ToFile {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails<'_>, _chained: Option<()>) -> Result<Option<Connection>, Error> {
        let stream = UnixStream::connect(&self.path)?;
        stream.set_write_timeout(Some(self.time_max))?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Connection { stream, buffers, time_max: self.time_max }))
    }
}

struct Connection {
    stream: UnixStream,
    buffers: LazyBuffers,
    time_max: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a connection to a Unix socket")
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.write_all(&self.buffers.output()[..amount]).map_err(|error| failed(error, &timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let left = self.time_max.min(*timeout.after).max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left))?;
        let count = self.stream.read(self.buffers.input_append_buf()).map_err(|error| failed(error, &timeout))?;
        self.buffers.input_appended(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        // What the server has said or done since the last answer ends the connection.
        let looked = self.stream.set_nonblocking(true).and_then(|()| {
            let read = self.stream.read(&mut [0]);
            self.stream.set_nonblocking(false).and(Ok(read))
        });
        matches!(looked, Ok(Err(error)) if error.kind() == ErrorKind::WouldBlock)
    }
}

fn failed(error: io::Error, timeout: &NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
