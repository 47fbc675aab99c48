//! Where a database is: `mysql://user:password@host:port/name`, `sqlite:path`, or the sample.

use mysql::{Opts, OptsBuilder};
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
    pub(super) options: Opts,
    pub(super) schema: String,
}

/// What is wrong with an address. It is not quoted: a password may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
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
        let options = Opts::from_url(&format!("mysql://{rest}")).map_err(|_| SourceError::Address)?;
        let schema = options.get_db_name().filter(|name| !name.is_empty()).ok_or(SourceError::Schema)?.to_owned();
        let options = OptsBuilder::from_opts(options)
            .tcp_connect_timeout(Some(CONNECT_MAX))
            .read_timeout(Some(SILENCE_MAX))
            .write_timeout(Some(SILENCE_MAX))
            .local_infile_handler(None)
            .prefer_socket(false)
            .stmt_cache_size(0)
            .tcp_nodelay(true);
        Ok(Source::Mysql(Box::new(Address { options: options.into(), schema })))
    }
}

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
        ] {
            let read = Source::named(text).map(|(_, source)| format!("{source:?}"));
            assert_eq!(read.as_deref().map_err(|error| *error), shown, "{text}");
        }
    }
}
