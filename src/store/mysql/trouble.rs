//! What an error of the driver or the server means for a journal and its operator.
//!
//! The server's message is shown only where it can't quote what users wrote.

use super::super::{Kind, StoreError};
use mysql::{DriverError, Error, MySqlError};

/// What helps after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    No,
    /// The connection is lost, and whether a transaction was committed is unknown: run it again on another.
    Reconnect,
    /// Another transaction was in the way, and this one was rolled back: run it again.
    Again,
}

pub(super) fn failed(place: &str, error: &Error) -> (StoreError, Retry) {
    let (kind, retry, what) = match error {
        Error::MySqlError(error) => of_server(error),
        Error::DriverError(
            error @ (DriverError::TlsNotSupported
            | DriverError::UnknownAuthPlugin(_)
            | DriverError::OldMysqlPasswordDisabled
            | DriverError::CleartextPluginDisabled),
        ) => (Kind::Unavailable, Retry::No, format!("{error}; correct its URL or the server's configuration")),
        Error::DriverError(DriverError::MismatchedStmtParams(..) | DriverError::Params(_) | DriverError::MixedParams) => {
            (Kind::Other, Retry::No, error.to_string())
        }
        Error::TlsError(error) => (Kind::Unavailable, Retry::No, format!("{error}; check ssl-ca and the host of its URL")),
        error => (Kind::Unavailable, Retry::Reconnect, format!("{error}; check that the server runs and can be reached")),
    };
    (StoreError::new(kind, format!("journal {place}: {what}")), retry)
}

fn of_server(error: &MySqlError) -> (Kind, Retry, String) {
    let is_full =
        error.message.contains("Errcode: 28") || error.message.contains("No space left") || error.message.contains("Got error 28");
    let (kind, retry, fix) = match error.code {
        1021 | 1114 => (Kind::Full, Retry::No, "free space on the server's disk"),
        _ if is_full => (Kind::Full, Retry::No, "free space on the server's disk"),
        1290 | 1792 | 1836 | 1874 | 1036 => (Kind::ReadOnly, Retry::No, "make the server writable, or name the one that is"),
        1044 | 1142 | 1143 | 1227 => (Kind::ReadOnly, Retry::No, "grant its user all rights on the database"),
        1033..=1035 | 1194 | 1195 | 1712 | 1812 | 1877 | 1932 => (Kind::Corrupt, Retry::No, "restore a backup"),
        // Deadlock, lock wait, a row that another server inserted at the same moment, a changed table.
        1213 | 1205 | 1062 | 1412 => (Kind::Unavailable, Retry::Again, "another server writes the same sessions; try again"),
        // The connection or the statement was ended, or the server is going.
        1053 | 1077 | 1079 | 1158..=1161 | 1317 | 1927 | 1969 | 3024 | 4031 | 1180 => {
            (Kind::Unavailable, Retry::Reconnect, "check that the server runs")
        }
        1040 | 1129 | 1203 | 1226 => (Kind::Unavailable, Retry::No, "raise the server's limit of connections, or close some"),
        1045 | 1130 | 1251 | 1698 | 1820 | 1862 | 2059 | 3118 | 4151 => {
            (Kind::Unavailable, Retry::No, "correct the user and the password of its URL")
        }
        1049 => (Kind::Unavailable, Retry::No, "create the database, or correct its name in the URL"),
        3159 => (Kind::Unavailable, Retry::No, "add ?ssl-mode=REQUIRED to its URL"),
        // A node of a cluster that isn't ready.
        1047 => (Kind::Unavailable, Retry::No, "wait until the server has joined its cluster"),
        1153 => (Kind::Other, Retry::Reconnect, "raise the server's max_allowed_packet"),
        code => return (Kind::Other, Retry::No, format!("the server refuses a statement with error {code} ({})", error.state)),
    };
    let message = match error.code {
        // It would quote a name.
        1062 => "duplicate entry",
        _ => &error.message,
    };
    (kind, retry, format!("error {}: {message}; {fix}", error.code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_a_kind_and_none_quotes_values() {
        let error = |code, message: &str| Error::MySqlError(MySqlError { state: "HY000".to_owned(), message: message.to_owned(), code });
        for (of, kind, retry) in [
            (error(1114, "The table 'records' is full"), Kind::Full, Retry::No),
            (error(1026, "Error writing file './x' (Errcode: 28 \"No space left on device\")"), Kind::Full, Retry::No),
            (error(1030, "Got error 28 from storage engine"), Kind::Full, Retry::No),
            (error(1290, "The server is running with the --read-only option"), Kind::ReadOnly, Retry::No),
            (error(1142, "INSERT command denied"), Kind::ReadOnly, Retry::No),
            (error(1213, "Deadlock found"), Kind::Unavailable, Retry::Again),
            (error(1062, "Duplicate entry 'secret' for key 'x'"), Kind::Unavailable, Retry::Again),
            (error(1053, "Server shutdown in progress"), Kind::Unavailable, Retry::Reconnect),
            (error(1045, "Access denied"), Kind::Unavailable, Retry::No),
            (error(1366, "Incorrect string value: 'secret' for column"), Kind::Other, Retry::No),
            (error(1406, "Data too long: 'secret'"), Kind::Other, Retry::No),
            (Error::IoError(std::io::Error::other("broken pipe")), Kind::Unavailable, Retry::Reconnect),
            (Error::DriverError(DriverError::ConnectTimeout), Kind::Unavailable, Retry::Reconnect),
        ] {
            let (failed, again) = failed("h:3306/x", &of);
            assert_eq!((failed.kind, again), (kind, retry), "{of}");
            assert!(failed.detail.starts_with("journal h:3306/x: ") && !failed.detail.contains("secret"), "{failed}");
        }
    }
}
