//! Connecting to a server, preparing a connection for the next question, and ending what it still does.

use super::super::cells::plain;
use super::super::setup::{self, Variables};
use super::super::source::Tls;
use super::super::trouble::{Trouble, TroubleKind, said};
use super::super::watch::{self, Socket};
use super::{Cell, Shared};
use mysql::prelude::Queryable;
use mysql::{Conn, Error, Row};
use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Connections that are being made; a server that takes none would gather them.
const CONNECTING_MAX: usize = 16;
const STACK_BYTES: usize = 256 << 10;
/// What `refused` holds of a server without read-only transactions.
const READ_ONLY: &str = "START TRANSACTION READ ONLY";

impl Shared {
    pub(super) fn refused(&self) -> MutexGuard<'_, BTreeSet<&'static str>> {
        self.refused.lock().expect("nothing panics while it holds this lock")
    }

    /// On a thread of its own: a server that takes the connection and then says nothing is waited for no longer than `due`.
    pub(super) fn connect_by(self: Arc<Self>, due: Instant) -> Result<Conn, Trouble> {
        if self.connecting.fetch_add(1, Ordering::Relaxed) >= CONNECTING_MAX {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(Trouble::new(TroubleKind::NotListening, format!("{CONNECTING_MAX} connections are being made already")));
        }
        let (to, conn) = channel();
        let shared = self.clone();
        let connect = move || {
            let conn = shared.connected();
            shared.connecting.fetch_sub(1, Ordering::Relaxed);
            let _ = to.send(conn);
        };
        if let Err(error) = thread::Builder::new().name("connecting".to_owned()).stack_size(STACK_BYTES).spawn(connect) {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(Trouble::new(TroubleKind::Other, error.to_string()));
        }
        match conn.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(conn) => conn,
            Err(RecvTimeoutError::Disconnected) => Err(Trouble::new(TroubleKind::Other, "connecting panicked")),
            Err(RecvTimeoutError::Timeout) => Err(Trouble::new(TroubleKind::Silent, "no connection in time")),
        }
    }

    /// With TLS where the address says so, or where the server offers it and nothing was said.
    fn connected(&self) -> Result<Conn, Trouble> {
        if let Some(path) = &self.address.authority {
            // Otherwise this would look like a failure of the network.
            std::fs::File::open(path).map_err(|error| Trouble::new(TroubleKind::TlsFailed, format!("{}: {error}", path.display())))?;
        }
        let connect = |is_encrypted| Conn::new(self.address.options(is_encrypted)).map_err(|error| Trouble::of_connecting(&error));
        match self.address.tls {
            Tls::Disabled => connect(false).map_err(|trouble| match trouble.kind {
                // MariaDB gives the same error to a user who must use TLS as for a wrong password.
                TroubleKind::WrongLogin if connect(true).is_ok() => Trouble { kind: TroubleKind::TlsRequired, ..trouble },
                _ => trouble,
            }),
            // Asked for each time: a server that has none now may have it tomorrow.
            Tls::Preferred => connect(true).or_else(|trouble| match trouble.kind {
                TroubleKind::TlsUnavailable | TroubleKind::TlsFailed => connect(false),
                _ => Err(trouble),
            }),
            Tls::Required | Tls::VerifyIdentity => connect(true),
        }
    }

    /// Takes away what the last question left, and sets what every question needs. Returns what the server has.
    pub(super) fn ready(&self, conn: &mut Conn, due: Instant) -> Result<Variables, Error> {
        conn.reset()?;
        let has: Variables = conn.query::<Row, _>(setup::QUESTION)?.into_iter().filter_map(variable).collect();
        let left = due.saturating_duration_since(Instant::now()).max(Duration::from_millis(10));
        let assignments = setup::fitted(&has, left, &self.refused());
        if !assignments.is_empty() && refusal(conn.query_drop(setup::statement(&assignments)))?.is_some() {
            for assignment in &assignments {
                match refusal(conn.query_drop(setup::statement([assignment])))? {
                    Some(error) if assignment.is_needed => return Err(error),
                    Some(error) => self.note_refusal(assignment.variable, &error),
                    None => {}
                }
            }
        }
        conn.query_drop("SET NAMES utf8mb4")?;
        if !self.refused().contains(READ_ONLY) {
            match refusal(conn.query_drop("START TRANSACTION READ ONLY"))? {
                None => return Ok(has),
                Some(error) => self.note_refusal(READ_ONLY, &error),
            }
        }
        conn.query_drop("START TRANSACTION")?;
        Ok(has)
    }

    fn note_refusal(&self, what: &'static str, error: &Error) {
        if self.refused().insert(what) {
            let cause = crate::log::redacted(&said(error), []);
            tracing::warn!(database = self.address.schema, what, cause, "the database refuses a setting and is used without it");
        }
    }

    /// Asks the server to end a statement that nobody waits for any more.
    pub(super) fn kill(self: Arc<Self>, id: u32) {
        let due = Instant::now() + Duration::from_secs(5);
        let kill = move || {
            if let Ok(mut conn) = self.connect_by(due) {
                let _guard = watch::guard(Socket::new(conn.as_raw_fd()), due);
                let _ = conn.query_drop(format!("KILL {id}"));
            }
        };
        // Where there is no thread, the server's own time limit ends it.
        let _ = thread::Builder::new().name("ending a statement".to_owned()).stack_size(STACK_BYTES).spawn(kill);
    }
}

/// A variable and its value, as the server lists them.
fn variable(row: Row) -> Option<(String, String)> {
    let [name, value]: [Cell; 2] = row.unwrap().try_into().ok()?;
    Some((plain(name)?.to_ascii_lowercase(), plain(value)?))
}

/// The error of a server that refuses a statement for good; one of this moment remains an error.
fn refusal(said: Result<(), Error>) -> Result<Option<Error>, Error> {
    match said {
        Ok(()) => Ok(None),
        Err(Error::MySqlError(error))
            if !matches!(error.code, 1040 | 1053 | 1077 | 1079 | 1205 | 1213 | 1317 | 1927 | 1969 | 3024 | 4031) =>
        {
            Ok(Some(Error::MySqlError(error)))
        }
        Err(error) => Err(error),
    }
}
