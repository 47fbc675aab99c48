//! Where a database is: `mysql://user:password@host:port/name`, `sqlite:path`, or the sample.
//!
//! `?ssl-mode=` and `ssl-ca=` of an address mean what they mean to MySQL's own clients, but for `VERIFY_CA`: the driver trusts
//! the public authorities whatever else it is told, so any certificate that one of them signed, for any host, would pass.

use mysql::{Opts, OptsBuilder, SslOpts};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone)]
pub enum Source {
    Sample,
    Sqlite(PathBuf),
    Mysql(Box<Address>),
}

/// A server and what it takes to get in.
#[derive(Clone)]
pub struct Address {
    options: Opts,
    pub(super) schema: String,
    pub(super) tls: Tls,
    /// Whom to trust besides the authorities that every browser trusts.
    pub(super) authority: Option<PathBuf>,
}

/// How a connection is encrypted: `ssl-mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    Disabled,
    /// Where the server offers it, without a look at its certificate.
    Preferred,
    Required,
    VerifyIdentity,
}

impl Address {
    /// What to connect with.
    pub(super) fn options(&self, is_encrypted: bool) -> Opts {
        let verified = SslOpts::default().with_root_cert_path(self.authority.clone());
        let tls = match self.tls {
            Tls::VerifyIdentity => verified,
            Tls::Disabled | Tls::Preferred | Tls::Required => verified.with_danger_accept_invalid_certs(true),
        };
        OptsBuilder::from_opts(self.options.clone()).ssl_opts(is_encrypted.then_some(tls)).into()
    }
}

/// What is wrong with an address. It is not quoted: a password may be in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    #[error("a database is written as NAME=URL")]
    Unnamed,
    #[error("a database's name has letters, digits and `_` only, and at most 64 of them")]
    Name,
    #[error("a database's address begins with mysql:// or sqlite:, or is the word `sample`")]
    Scheme,
    #[error("a mysql:// address ends with the name of the database: mysql://user:password@host:3306/name")]
    Schema,
    #[error("sqlite: is followed by the path of a file")]
    Path,
    #[error("a database is written as mysql://user:password@host:3306/name, with %40 for an @ in the password")]
    Address,
    #[error("a database's address has an unknown or repeated parameter; use ssl-mode and ssl-ca, and write a ? in its password as %3F")]
    Parameter,
    #[error("a database's address has an unknown ssl-mode; use DISABLED, PREFERRED, REQUIRED or VERIFY_IDENTITY")]
    Mode,
    #[error(
        "ssl-mode=VERIFY_CA would trust any public certificate, whatever its host; use VERIFY_IDENTITY, with ssl-ca=FILE for your own authority"
    )]
    AnyHost,
    #[error("only ssl-mode=VERIFY_IDENTITY checks certificates; use it with ssl-ca, or leave ssl-ca out")]
    Unchecked,
}

impl Source {
    /// Reads `NAME=URL`.
    pub fn named(text: &str) -> Result<(String, Source), SourceError> {
        let (name, url) = text.split_once('=').ok_or(SourceError::Unnamed)?;
        let is_name = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_name) {
            return Err(SourceError::Name);
        }
        Ok((name.to_owned(), Source::parse(url)?))
    }

    pub fn parse(url: &str) -> Result<Source, SourceError> {
        let url = url.trim();
        if url == "sample" {
            return Ok(Source::Sample);
        }
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(SourceError::Path) } else { Ok(Source::Sqlite(path.into())) };
        }
        let rest = url.strip_prefix("mysql://").or_else(|| url.strip_prefix("mariadb://")).ok_or(SourceError::Scheme)?;
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        // The rest of a password that was not encoded; the name would be shown.
        if place.split_once('/').is_some_and(|(_, name)| name.contains(['/', '@'])) {
            return Err(SourceError::Address);
        }
        let (mut mode, mut authority, mut others) = (None, None, Vec::new());
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let is_new = match name.replace('_', "-").as_str() {
                "ssl-mode" => mode.replace(Tls::named(value)?).is_none(),
                "ssl-ca" => authority.replace(PathBuf::from(percent_decode_str(value).decode_utf8_lossy().into_owned())).is_none(),
                _ => {
                    others.push(parameter);
                    OTHERS.contains(&name)
                }
            };
            if !is_new {
                return Err(SourceError::Parameter);
            }
        }
        let tls = mode.unwrap_or(if authority.is_some() { Tls::VerifyIdentity } else { Tls::Preferred });
        if authority.is_some() && tls != Tls::VerifyIdentity {
            return Err(SourceError::Unchecked);
        }
        let options = Opts::from_url(&format!("mysql://{place}?{}", others.join("&"))).map_err(|_| SourceError::Address)?;
        let schema = options.get_db_name().filter(|name| !name.is_empty()).ok_or(SourceError::Schema)?.to_owned();
        let options = OptsBuilder::from_opts(options)
            .tcp_connect_timeout(Some(CONNECT_MAX))
            .read_timeout(Some(SILENCE_MAX))
            .write_timeout(Some(SILENCE_MAX))
            .local_infile_handler(None)
            .prefer_socket(false)
            .stmt_cache_size(0)
            .max_allowed_packet(Some(ROW_BYTES_MAX))
            .tcp_nodelay(true);
        Ok(Source::Mysql(Box::new(Address { options: options.into(), schema, tls, authority })))
    }
}

impl Tls {
    fn named(name: &str) -> Result<Tls, SourceError> {
        if name.eq_ignore_ascii_case("VERIFY_CA") {
            return Err(SourceError::AnyHost);
        }
        let known = [
            ("DISABLED", Tls::Disabled),
            ("PREFERRED", Tls::Preferred),
            ("REQUIRED", Tls::Required),
            ("VERIFY_IDENTITY", Tls::VerifyIdentity),
        ];
        known.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, tls)| tls).ok_or(SourceError::Mode)
    }
}

/// What else the driver reads of an address and keeps to.
const OTHERS: [&str; 7] = [
    "compress",
    "enable_cleartext_plugin",
    "secure_auth",
    "tcp_keepalive_probe_count",
    "tcp_keepalive_probe_interval_secs",
    "tcp_keepalive_time_ms",
    "tcp_user_timeout_ms",
];

/// A row that is larger ends the connection before it fills the memory.
pub(super) const ROW_BYTES_MAX: usize = 16 << 20;
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// The last net: a deadline ends a question long before.
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// Never with what it takes to get in.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Sample => write!(f, "sample data"),
            Source::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Source::Mysql(address) => {
                write!(f, "mysql://{}:{}/{}", address.options.get_ip_or_hostname(), address.options.get_tcp_port(), address.schema)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_without_its_password() {
        for (text, shown) in [
            ("a=sample", Ok("sample data")),
            ("a=sqlite:x/y.db", Ok("sqlite:x/y.db")),
            ("a=mysql://u:secret@127.0.0.1:3307/shop", Ok("mysql://127.0.0.1:3307/shop")),
            ("a=mariadb://u:s%40e@db/shop", Ok("mysql://db:3306/shop")),
            ("mysql://u:secret@h/shop", Err(SourceError::Unnamed)),
            ("a b=sample", Err(SourceError::Name)),
            ("sample", Err(SourceError::Unnamed)),
            ("a=postgres://u:secret@h/x", Err(SourceError::Scheme)),
            ("a=mysql://u:secret@h", Err(SourceError::Schema)),
            ("a=mysql://u:secret@h:port/x", Err(SourceError::Address)),
            ("a=sqlite:", Err(SourceError::Path)),
            ("a=mysql://u:p@h/x?ssl-mode=VERIFY_IDENTITY", Ok("mysql://h:3306/x")),
            ("a=mysql://u:p@h/x?ssl-ca=ca%20file.pem&compress=true", Ok("mysql://h:3306/x")),
            ("a=mysql://u:p@h/x?ssl_mode=verify_identity&ssl-ca=ca.pem", Ok("mysql://h:3306/x")),
            ("a=mysql://u:p@h/x?ssl_mode=verify_ca&ssl-ca=ca.pem", Err(SourceError::AnyHost)),
            ("a=mysql://u:p@h/x?ssl-mode=yes", Err(SourceError::Mode)),
            ("a=mysql://u:p@h/x?ssl-mode=VERIFY_CA", Err(SourceError::AnyHost)),
            ("a=mysql://u:p@h/x?ssl-mode=REQUIRED&ssl-ca=ca.pem", Err(SourceError::Unchecked)),
            ("a=mysql://u:p@h/x?charset=utf8mb4", Err(SourceError::Parameter)),
            ("a=mysql://u:p@h/x?cert_chain_path=a.pem&priv_key_path=a.key", Err(SourceError::Parameter)),
            ("a=mysql://u:p@h/x?ssl-mode=REQUIRED&ssl_mode=DISABLED", Err(SourceError::Parameter)),
            ("a=mysql://u:p@h/x?ssl-ca=a.pem&ssl-ca=b.pem", Err(SourceError::Parameter)),
        ] {
            let read = Source::named(text).map(|(_, source)| format!("{source:?}"));
            assert_eq!(read.as_deref().map_err(Clone::clone), shown, "{text}");
        }
    }

    #[test]
    fn no_part_of_a_password_that_was_not_encoded_is_ever_shown() {
        for text in [
            "a=mysql://root:?Secret99@h/shop",
            "a=mysql://u:12?Secret@h/shop",
            "a=mysql://u:12?x&Secret&y@h/shop",
            "a=mysql://u:12?ssl-mode=Secret@h/shop",
            "a=mysql://u:12?compress=Secret@h/shop",
            "a=mysql://u:12/Secret@h/shop",
            "a=mysql://u:12#Secret@h/shop",
            "a=mysql://u:Secret#@h/shop",
        ] {
            let why = Source::named(text).expect_err(text);
            assert!(!format!("{why} {why:?}").contains("Secret"), "{text}: {why}");
        }
    }

    #[test]
    fn an_authority_of_ones_own_is_trusted_for_the_host_of_the_address_alone() {
        let Ok(Source::Mysql(address)) = Source::parse("mysql://u:p@h/x?ssl-ca=ca.pem") else { panic!("it is no address of a server") };
        assert_eq!(address.tls, Tls::VerifyIdentity);
        let options = address.options(true);
        let tls = options.get_ssl_opts().unwrap();
        assert!(!tls.skip_domain_validation() && !tls.accept_invalid_certs());
    }
}
