//! Where a journal's server is: `mysql://user:password@host:port/database?ssl-mode=…&ssl-ca=…&socket=…`.

use super::super::{Kind, StoreError};
use mysql::{Conn, DriverError, Error, Opts, OptsBuilder, SslOpts};
use percent_encoding::percent_decode_str;
use std::path::PathBuf;
use std::time::Duration;

const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A server that is silent for so long is lost. Longer than a transaction waits for another's locks.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const STATEMENTS_KEPT_MAX: usize = 64;

#[derive(Clone)]
pub(super) struct Address {
    options: Opts,
    tls: Tls,
    authority: Option<PathBuf>,
    /// Host and database, without what is secret.
    shown: String,
}

/// How a connection is encrypted: `ssl-mode`, as MySQL's own clients understand it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Disabled,
    /// If the server offers it, without checking its certificate.
    Preferred,
    Required,
    VerifyIdentity,
}

impl Address {
    pub(super) fn parse(url: &str) -> Result<Address, StoreError> {
        let rest = url.trim().strip_prefix("mysql://").or_else(|| url.trim().strip_prefix("mariadb://"));
        let rest = rest.ok_or_else(|| wrong("begins with mysql://"))?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        // The rest of a password that was not encoded would be taken for a name, and shown.
        if place.split_once('/').is_some_and(|(_, name)| name.contains(['/', '@'])) {
            return Err(wrong("is mysql://user:password@host:3306/database, with %40 for an @ in the password"));
        }
        let (mut mode, mut authority, mut socket) = (None, None, None);
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            let before = match name.replace('_', "-").as_str() {
                "ssl-mode" => mode.replace(value),
                "ssl-ca" => authority.replace(value),
                "socket" => socket.replace(value),
                _ => return Err(wrong("has an unknown parameter; use ssl-mode, ssl-ca and socket")),
            };
            if before.is_some() {
                return Err(wrong("has a repeated parameter"));
            }
        }
        let tls = match mode {
            Some(mode) => Tls::named(&mode)?,
            None if authority.is_some() => Tls::VerifyIdentity,
            None => Tls::Preferred,
        };
        if authority.is_some() && tls != Tls::VerifyIdentity {
            return Err(wrong("has ssl-ca, which only ssl-mode=VERIFY_IDENTITY checks"));
        }
        let options = Opts::from_url(&format!("mysql://{place}"));
        let options = options.map_err(|_| wrong("is mysql://user:password@host:3306/database, with special characters encoded"))?;
        let name = options.get_db_name().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| wrong("ends with the name of its database: mysql://user:password@host:3306/database"))?;
        let shown = match &socket {
            Some(socket) => format!("{socket}/{name}"),
            None => format!("{}:{}/{name}", options.get_ip_or_hostname(), options.get_tcp_port()),
        };
        let options = OptsBuilder::from_opts(options)
            .tcp_connect_timeout(Some(CONNECT_MAX))
            .read_timeout(Some(SILENCE_MAX))
            .write_timeout(Some(SILENCE_MAX))
            .local_infile_handler(None)
            .prefer_socket(false)
            .socket(socket)
            .stmt_cache_size(STATEMENTS_KEPT_MAX)
            .tcp_nodelay(true);
        Ok(Address { options: options.into(), tls, authority: authority.map(PathBuf::from), shown })
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn connect(&self) -> Result<Conn, Error> {
        if let Some(path) = &self.authority {
            // Otherwise a missing file would look like a failure of the network.
            std::fs::File::open(path)?;
        }
        match self.tls {
            Tls::Disabled => Conn::new(self.options(false)),
            Tls::Preferred => Conn::new(self.options(true)).or_else(|error| match error {
                Error::DriverError(DriverError::TlsNotSupported) | Error::TlsError(_) => Conn::new(self.options(false)),
                error => Err(error),
            }),
            Tls::Required | Tls::VerifyIdentity => Conn::new(self.options(true)),
        }
    }

    fn options(&self, is_encrypted: bool) -> Opts {
        let checked = SslOpts::default().with_root_cert_path(self.authority.clone());
        let tls = match self.tls {
            Tls::VerifyIdentity => checked,
            Tls::Disabled | Tls::Preferred | Tls::Required => checked.with_danger_accept_invalid_certs(true),
        };
        OptsBuilder::from_opts(self.options.clone()).ssl_opts(is_encrypted.then_some(tls)).into()
    }
}

impl Tls {
    fn named(name: &str) -> Result<Tls, StoreError> {
        let known = [
            ("DISABLED", Tls::Disabled),
            ("PREFERRED", Tls::Preferred),
            ("REQUIRED", Tls::Required),
            ("VERIFY_IDENTITY", Tls::VerifyIdentity),
        ];
        let tls = known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, tls)| tls);
        tls.ok_or_else(|| wrong("has an unknown ssl-mode; use DISABLED, PREFERRED, REQUIRED or VERIFY_IDENTITY"))
    }
}

fn wrong(what: &str) -> StoreError {
    StoreError::new(Kind::Other, format!("the journal's URL can't be read: it {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls_and_never_shows_what_is_secret() {
        for (url, shown, tls) in [
            ("mysql://u:secret@127.0.0.1:3307/shop", "127.0.0.1:3307/shop", Tls::Preferred),
            ("mariadb://u:s%40e@db/shop?ssl-mode=required", "db:3306/shop", Tls::Required),
            ("mysql://u:p@h/x?ssl-ca=ca%20file.pem", "h:3306/x", Tls::VerifyIdentity),
            ("mysql://u:p@h/x?ssl_mode=DISABLED&socket=/run/my.sock", "/run/my.sock/x", Tls::Disabled),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.shown(), address.tls), (shown, tls), "{url}");
        }
        for url in [
            "postgres://u:secret@h/x",
            "mysql://u:secret@h",
            "mysql://u:secret@h/",
            "mysql://u:secret@h:port/x",
            "mysql://u:12/secret@h/x",
            "mysql://u:12?secret@h/x",
            "mysql://u:p@h/x?secret=1",
            "mysql://u:p@h/x?ssl-mode=secret",
            "mysql://u:p@h/x?ssl-mode=REQUIRED&ssl-ca=secret",
            "mysql://u:p@h/x?ssl-ca=secret&ssl-ca=secret",
        ] {
            let error = Address::parse(url).map(|_| ()).unwrap_err();
            assert_eq!(error.kind, Kind::Other, "{url}");
            assert!(!error.detail.contains("secret"), "{url}: {error}");
        }
    }
}
