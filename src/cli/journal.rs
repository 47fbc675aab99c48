//! The journal that the settings name: commands read it beside a running server, and write it while none runs.

use super::Failure;
use crate::client::Address;
use crate::config::Arguments;
use crate::config::layers::Written;
use crate::contract::Listen;
use crate::contract::journal::{Name, Record};
use crate::store::{self, Kind, Read, SessionQuery, SessionRow, Store, StoreError, TurnQuery, TurnRow};
use clap::ArgMatches;
use std::fs;
use std::path::PathBuf;

/// The journal's name in the data folder.
pub(super) const FILE: &str = "journal.db";

/// Where the journal is, and where its server would listen.
pub(super) struct Place {
    data: PathBuf,
    server: Option<String>,
    listen: Listen,
    /// The audit log.
    pub(super) audit: Option<PathBuf>,
}

impl Place {
    pub(super) fn of(matches: &ArgMatches) -> Result<Place, Failure> {
        Ok(Place::named(&Written::read(matches).map_err(Failure::config)?.arguments))
    }

    pub(super) fn named(arguments: &Arguments) -> Place {
        let Arguments { data, journal, listen, audit, .. } = arguments;
        Place { data: data.clone(), server: journal.clone(), listen: listen.clone(), audit: audit.clone() }
    }

    /// What the settings call it. A URL holds its password.
    pub(super) fn shown(&self) -> String {
        self.server.clone().unwrap_or_else(|| self.path().display().to_string())
    }

    /// The format of what is there, 0 where nothing is yet. Creates and changes nothing.
    pub(super) fn format(&self) -> Result<u32, StoreError> {
        match &self.server {
            Some(url) => store::mysql::format(url),
            None => store::sqlite::format(&self.path()),
        }
    }

    fn path(&self) -> PathBuf {
        self.data.join(FILE)
    }

    /// A handle for reading. It changes nothing and disturbs no server.
    pub(super) fn reader(&self) -> Result<Box<dyn Read + Send>, Failure> {
        match &self.server {
            Some(url) => Ok(Box::new(store::mysql::read_only(url).map_err(Failure::unavailable)?)),
            None => Ok(Box::new(self.file_reader()?)),
        }
    }

    /// The same of a journal in a file.
    pub(super) fn file_reader(&self) -> Result<store::sqlite::Reader, Failure> {
        self.check_is_file()?;
        self.check_exists()?;
        store::sqlite::read_only(&self.path()).map_err(Failure::unavailable)
    }

    /// The writer of an existing journal, while no server runs on it. `beside`: what to do where one does.
    pub(super) fn writer(&self, beside: &str) -> Result<Box<dyn Store + Send>, Failure> {
        match &self.server {
            Some(url) => {
                self.check_no_server(beside)?;
                Ok(Box::new(store::mysql::open(url).map_err(Failure::unavailable)?))
            }
            None => {
                self.check_exists()?;
                self.open_file(beside)
            }
        }
    }

    /// The same, which creates the journal if there is none. A server may run on one in a database server.
    pub(super) fn writer_or_new(&self, beside: &str) -> Result<Box<dyn Store + Send>, Failure> {
        if let Some(url) = &self.server {
            return Ok(Box::new(store::mysql::open(url).map_err(Failure::unavailable)?));
        }
        let failed =
            |error| Failure::unavailable(format!("can't create the folder {} ({error}): choose another with --data", self.data.display()));
        fs::create_dir_all(&self.data).map_err(failed)?;
        self.open_file(beside)
    }

    /// The same of a journal in a file.
    pub(super) fn file_writer(&self) -> Result<store::sqlite::Sqlite, Failure> {
        self.check_is_file()?;
        self.check_exists()?;
        store::sqlite::open(&self.path()).map_err(Failure::unavailable)
    }

    /// The size of the file.
    pub(super) fn file_bytes(&self) -> Result<u64, Failure> {
        fs::metadata(self.path()).map(|file| file.len()).map_err(Failure::unavailable)
    }

    fn check_is_file(&self) -> Result<(), Failure> {
        match self.server {
            Some(_) => Err(Failure::config(
                "the journal is on a database server (--journal); use that server's own tools, such as mariadb-dump or OPTIMIZE TABLE",
            )),
            None => Ok(()),
        }
    }

    fn open_file(&self, beside: &str) -> Result<Box<dyn Store + Send>, Failure> {
        let opened = store::sqlite::open(&self.path()).map_err(|error| match error.kind {
            Kind::Unavailable => Failure::unavailable(format!("{error}\n{beside}")),
            _ => Failure::unavailable(error),
        });
        Ok(Box::new(opened?))
    }

    fn check_exists(&self) -> Result<(), Failure> {
        let path = self.path();
        if path.exists() {
            return Ok(());
        }
        let path = path.display();
        Err(Failure::unavailable(format!(
            "there is no journal {path}: name the server's data folder with --data, or its database with --journal"
        )))
    }

    /// A database server doesn't say who uses it: what can be seen is whether a server of these settings answers here.
    fn check_no_server(&self, beside: &str) -> Result<(), Failure> {
        let url = self.listen.from_here().url();
        let is_running = Address::new(&url, "default", None, None).is_ok_and(|address| address.call("/health", None).is_ok());
        if is_running {
            let why = format!("a server runs at {url}: stop it first\n{beside}");
            return Err(Failure::unavailable(why));
        }
        Ok(())
    }

    pub(super) fn is_on_a_database_server(&self) -> bool {
        self.server.is_some()
    }
}

/// All sessions of a user, or of all users, the latest used first.
pub(super) fn sessions(reader: &mut dyn Read, user: Option<&str>) -> Result<Vec<SessionRow>, Failure> {
    let query = SessionQuery { user: user.map(str::to_owned), limit: usize::MAX, ..SessionQuery::default() };
    reader.sessions(&query).map_err(Failure::unavailable)
}

/// The session of this name.
///
/// # Errors
/// There is none.
pub(super) fn session(reader: &mut dyn Read, name: &Name) -> Result<SessionRow, Failure> {
    let found = sessions(reader, Some(&name.user))?.into_iter().find(|row| row.session == name.session);
    found.ok_or_else(|| {
        let Name { user, session } = name;
        Failure::unavailable(format!("user `{user}` has no session `{session}` in the journal: see `framewright sessions list`"))
    })
}

/// Records that are read from a journal at once.
pub(super) const PAGE: usize = 500;

/// A session's records, from this number on.
pub(super) fn records(
    mut read: impl FnMut(u64, usize) -> Result<Vec<Record>, Failure>,
    from: u64,
) -> impl Iterator<Item = Result<Record, Failure>> {
    let (mut page, mut next, mut has_failed) = (Vec::new().into_iter(), from, false);
    std::iter::from_fn(move || {
        if page.len() == 0 && !has_failed {
            match read(next, PAGE) {
                Ok(more) => page = more.into_iter(),
                Err(failure) => {
                    has_failed = true;
                    return Some(Err(failure));
                }
            }
        }
        let record: Record = page.next()?;
        next = record.number + 1;
        Some(Ok(record))
    })
}

/// A session's turns without their detail, the first first.
pub(super) fn turns(reader: &mut dyn Read, name: &Name) -> Result<Vec<TurnRow>, Failure> {
    let query = TurnQuery {
        user: Some(name.user.clone()),
        session: Some(name.session.clone()),
        with_hidden: true,
        limit: usize::MAX,
        ..TurnQuery::default()
    };
    let mut rows = reader.turns(&query).map_err(Failure::unavailable)?;
    rows.reverse();
    Ok(rows)
}
