//! Where a test keeps its journal, and short ways to say what it appends.

use framewright::contract::Time;
use framewright::store::{Append, Deleted, Item, Kind, Name, Store, StoreError, Turn, mysql, sqlite};
use mysql_driver::prelude::Queryable;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{RwLock, RwLockReadGuard};

use ::mysql as mysql_driver;

/// Held while a test uses the server, and alone by those that kill it.
pub(crate) static SERVER: RwLock<()> = RwLock::new(());

/// A journal of its own, gone at the end.
pub(crate) enum Place {
    Sqlite { folder: tempfile::TempDir },
    Mariadb { url: String, name: String, _server: Option<RwLockReadGuard<'static, ()>> },
}

pub(crate) fn sqlite() -> Place {
    Place::Sqlite { folder: tempfile::tempdir().unwrap() }
}

/// None, and a line that says so, without a server.
pub(crate) fn mariadb() -> Option<Place> {
    admin_url()?;
    let server = SERVER.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    Some(database(Some(server)))
}

pub(crate) fn admin_url() -> Option<String> {
    let url = std::env::var("MARIADB_ADMIN_URL").ok();
    if url.is_none() {
        eprintln!("skipped: no MariaDB; run ./testcases/mariadb cargo test --test store");
    }
    url
}

/// A database for a test that holds [`SERVER`] itself.
pub(crate) fn database(server: Option<RwLockReadGuard<'static, ()>>) -> Place {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("journal_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    admin().query_drop(format!("CREATE DATABASE {name}")).unwrap();
    let url = admin_url().unwrap();
    let (server_url, _) = url.rsplit_once('/').unwrap();
    Place::Mariadb { url: format!("{server_url}/{name}"), name, _server: server }
}

pub(crate) fn admin() -> mysql_driver::Conn {
    let options = mysql_driver::Opts::from_url(&admin_url().unwrap()).unwrap();
    let tls = mysql_driver::SslOpts::default().with_danger_accept_invalid_certs(true);
    mysql_driver::Conn::new(mysql_driver::OptsBuilder::from_opts(options).ssl_opts(tls)).unwrap()
}

impl Place {
    pub(crate) fn open(&self) -> Box<dyn Store + Send> {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<Box<dyn Store + Send>, StoreError> {
        open(&self.address())
    }

    /// The path of the file, or the URL of the database.
    pub(crate) fn address(&self) -> String {
        match self {
            Place::Sqlite { .. } => self.path().to_str().unwrap().to_owned(),
            Place::Mariadb { url, .. } => url.clone(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Place::Sqlite { folder } => folder.path().join("journal.db"),
            Place::Mariadb { .. } => panic!("it is no file"),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Place::Mariadb { name, .. } = self {
            admin().query_drop(format!("DROP DATABASE {name}")).unwrap();
        }
    }
}

pub(crate) fn open(address: &str) -> Result<Box<dyn Store + Send>, StoreError> {
    match address.starts_with("mysql://") {
        true => mysql::open(address).map(|store| Box::new(store) as Box<dyn Store + Send>),
        false => sqlite::open(address.as_ref()).map(|store| Box::new(store) as Box<dyn Store + Send>),
    }
}

pub(crate) fn name(user: &str, session: &str) -> Name {
    Name { user: user.to_owned(), session: session.to_owned() }
}

/// An item of a session in its first generation, at a time of its number in seconds.
pub(crate) fn append(name: &Name, at: u64, item: Item) -> Append {
    Append { name: name.clone(), generation: 1, at: Time(at), item }
}

pub(crate) fn record(name: &Name, number: u64) -> Append {
    append(name, number * 1_000, Item::Record { number, bytes: bytes(number) })
}

pub(crate) fn bytes(number: u64) -> Vec<u8> {
    format!("input {number}").into_bytes()
}

pub(crate) fn snapshot(name: &Name, number: u64) -> Append {
    append(name, number * 1_000, Item::Snapshot { number, bytes: snapshot_bytes(number) })
}

pub(crate) fn snapshot_bytes(number: u64) -> Vec<u8> {
    format!("state after {number}").into_bytes()
}

pub(crate) fn turn(turn: u64, question: &str, answer: &str) -> Turn {
    Turn {
        turn,
        number: turn,
        started_at: Time(turn * 1_000),
        question: question.to_owned(),
        answer: answer.to_owned(),
        status: "done".to_owned(),
        graph: "v4".to_owned(),
        path: "direct".to_owned(),
        total_us: 100,
        tokens_in: 10,
        tokens_out: 5,
        cost_micros: 7,
        detail: format!("detail of {turn}").into_bytes(),
        ..Turn::default()
    }
}

/// A session's record and the turn that it ended.
pub(crate) fn ended(name: &Name, turn: Turn) -> [Append; 2] {
    let number = turn.number;
    [record(name, number), append(name, number * 1_000, Item::Turn(Box::new(turn)))]
}

pub(crate) fn kind<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> Kind {
    outcome.unwrap_err().kind
}

/// The numbers of a session's records, after checking their bytes.
pub(crate) fn numbers(store: &mut dyn Store, name: &Name) -> Vec<u64> {
    let records = store.records(name, 0, usize::MAX).unwrap();
    records
        .iter()
        .map(|record| {
            assert_eq!(record.bytes, bytes(record.number));
            record.number
        })
        .collect()
}

pub(crate) const NOTHING: Deleted = Deleted { sessions: 0, turns: 0, records: 0, bytes: 0 };
