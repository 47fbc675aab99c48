//! Why a database can't be used: one of these for its operator, one of two sentences for the user.
//!
//! The kind and the cause go to the log and to `framewright doctor`, which also says what to do about it. Causes are the
//! server's own words, or the system's.

use crate::contract::DatabaseFault;
use mysql::{DriverError, Error};
use std::fmt;
use std::io;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TroubleKind {
    WrongLogin,
    UnknownDatabase,
    NoRight,
    NoFile,
    NoDatabaseFile,
    TlsRequired,
    TlsUnavailable,
    TlsFailed,
    RefusedSetting,
    UnknownHost,
    NotListening,
    Busy,
    Silent,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub(super) kind: TroubleKind,
    pub(super) cause: String,
}

impl TroubleKind {
    /// What an operator does about it.
    fn fix(self) -> &'static str {
        match self {
            TroubleKind::WrongLogin => "correct the user and the password of its URL; an @ in a password is written %40",
            TroubleKind::UnknownDatabase => "correct the name at the end of its URL, or create the database",
            TroubleKind::NoRight => "grant its user SELECT on the database",
            TroubleKind::NoFile => "correct the path behind `sqlite:`; relative paths start in the server's working directory",
            TroubleKind::NoDatabaseFile => "name a SQLite database that this user may read",
            TroubleKind::TlsRequired => "add ?ssl-mode=REQUIRED to its URL, or VERIFY_IDENTITY with ssl-ca=FILE",
            TroubleKind::TlsUnavailable => "enable TLS on the server, or take ssl-mode out of its URL",
            TroubleKind::TlsFailed => "check ssl-ca and the host name of its URL against the server's certificate",
            TroubleKind::RefusedSetting => "let its user set the session's variables, or connect to the server behind the proxy",
            TroubleKind::UnknownHost => "correct the host name of its URL",
            TroubleKind::NotListening => "start it, or correct the host and the port of its URL",
            TroubleKind::Busy => "raise the server's limit of connections, or close some",
            TroubleKind::Silent => "check that a MySQL server listens at that port, and the network",
            TroubleKind::Other => "look at the server's log",
        }
    }

    /// Whether a server that is starting may be in this trouble.
    pub(super) fn is_retried(self) -> bool {
        self.is_transient() && self != TroubleKind::Silent
    }

    /// Whether trying again in a moment may help; whatever else is wrong, an operator has to change something.
    fn is_transient(self) -> bool {
        match self {
            TroubleKind::NotListening | TroubleKind::Busy | TroubleKind::Silent | TroubleKind::Other => true,
            TroubleKind::WrongLogin
            | TroubleKind::UnknownDatabase
            | TroubleKind::NoRight
            | TroubleKind::NoFile
            | TroubleKind::NoDatabaseFile
            | TroubleKind::TlsRequired
            | TroubleKind::TlsUnavailable
            | TroubleKind::TlsFailed
            | TroubleKind::RefusedSetting
            | TroubleKind::UnknownHost => false,
        }
    }

    pub(super) fn fault(self) -> DatabaseFault {
        match self {
            TroubleKind::Silent => DatabaseFault::Deadline,
            kind if kind.is_transient() => DatabaseFault::Unreachable,
            _ => DatabaseFault::Misconfigured,
        }
    }
}

/// What is wrong, as `doctor` shows it.
impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            TroubleKind::WrongLogin => "refuses the user or the password",
            TroubleKind::UnknownDatabase => "has no database of that name",
            TroubleKind::NoRight => "gives the user no right to the database",
            TroubleKind::NoFile => "names a file that isn't there",
            TroubleKind::NoDatabaseFile => "can't be read as a SQLite database",
            TroubleKind::TlsRequired => "demands TLS",
            TroubleKind::TlsUnavailable => "offers no TLS",
            TroubleKind::TlsFailed => "can't be trusted over TLS",
            TroubleKind::RefusedSetting => "refuses a setting of the session",
            TroubleKind::UnknownHost => "has an unknown host name",
            TroubleKind::NotListening => "can't be reached",
            TroubleKind::Busy => "takes no more connections",
            TroubleKind::Silent => "does not answer in time",
            TroubleKind::Other => "can't be used",
        };
        write!(f, "{what} ({})", self.cause)
    }
}

impl Trouble {
    /// What an operator does about it.
    pub fn fix(&self) -> &'static str {
        self.kind.fix()
    }

    pub(super) fn new(kind: TroubleKind, cause: impl Into<String>) -> Self {
        Trouble { kind, cause: cause.into() }
    }

    /// What kept a connection from being made.
    pub(super) fn of_connecting(error: &Error) -> Self {
        let kind = match error {
            Error::MySqlError(error) => match error.code {
                1045 | 1130 | 1251 | 1698 | 1862 | 1820 | 2059 | 3118 | 4151 => TroubleKind::WrongLogin,
                1044 => TroubleKind::NoRight,
                1049 => TroubleKind::UnknownDatabase,
                3159 => TroubleKind::TlsRequired,
                1040 | 1129 | 1203 | 1226 => TroubleKind::Busy,
                1053 | 1077 | 1079 | 1927 => TroubleKind::NotListening,
                _ => TroubleKind::Other,
            },
            Error::DriverError(DriverError::TlsNotSupported) => TroubleKind::TlsUnavailable,
            Error::DriverError(
                DriverError::UnknownAuthPlugin(_) | DriverError::OldMysqlPasswordDisabled | DriverError::CleartextPluginDisabled,
            ) => TroubleKind::WrongLogin,
            Error::DriverError(DriverError::CouldNotConnect(Some((_, says, kind)))) => of_io(*kind, says),
            Error::DriverError(DriverError::ConnectTimeout | DriverError::Timeout) => TroubleKind::Silent,
            Error::TlsError(_) => TroubleKind::TlsFailed,
            Error::IoError(error) | Error::CodecError(mysql_common::proto::codec::error::PacketCodecError::Io(error)) => {
                if is_of_tls(error) { TroubleKind::TlsFailed } else { of_io(error.kind(), &error.to_string()) }
            }
            _ => TroubleKind::Other,
        };
        Trouble::new(kind, said(error))
    }
}

/// The words of an error without the names of types around them.
pub(super) fn said(error: &Error) -> String {
    match error {
        Error::MySqlError(error) => format!("{}: {}", error.code, error.message),
        Error::DriverError(error) => error.to_string(),
        Error::IoError(error) => error.to_string(),
        other => other.to_string(),
    }
}

fn is_of_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

fn of_io(kind: io::ErrorKind, says: &str) -> TroubleKind {
    match kind {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => TroubleKind::Silent,
        // A name server that can't be asked is no unknown name.
        _ if says.contains("lookup address") && !says.contains("Temporary") => TroubleKind::UnknownHost,
        _ => TroubleKind::NotListening,
    }
}
