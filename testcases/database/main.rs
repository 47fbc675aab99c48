//! Databases as the pool asks them: MariaDB beside the SQLite that is built in, and MariaDB in every kind of trouble.
//!
//! `./testcases/mariadb cargo test --test database` brings the server.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

mod journal;
mod names;
mod survey;
mod tls;
mod turns;
mod values;

use framewright::contract::{
    Answer, CallError, DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseLimits, DatabaseRequest, Refused, Request, Rows,
};
use framewright::work::database::{Databases, Source, sample};
use framewright::work::{CallHandle, Pool, Reply, Settings};
use mysql::prelude::Queryable;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

type Outcome = Result<DatabaseAnswer, CallError>;

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// What ends at once ends long before this on a machine that is busy, and without a reason to end much later.
const SOON: Duration = Duration::from_secs(15);

/// A pool that knows the server, the sample in SQLite, and whatever else a test names.
struct World {
    pool: Pool,
    _alone: MutexGuard<'static, ()>,
}

/// One test at a time: some of them kill the server.
static ALONE: Mutex<()> = Mutex::new(());

fn url() -> String {
    std::env::var("MARIADB_URL").expect("run ./testcases/mariadb cargo test --test database")
}

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn world(more: &[(&str, &str)]) -> World {
    let (url, alone) = (url(), alone());
    let mut sources = vec![("maria".to_owned(), Source::parse(&url).unwrap()), (sample::NAME.to_owned(), Source::Sample)];
    sources.extend(more.iter().map(|(name, url)| ((*name).to_owned(), Source::parse(url).unwrap())));
    let pool =
        Pool::new(Settings { databases: Databases::new(sources), ..Settings::default() }, Box::new(|| unreachable!("no model is called")));
    World { pool, _alone: alone }
}

impl World {
    fn start(&self, name: &str, ask: DatabaseAsk, limits: DatabaseLimits) -> (CallHandle, Receiver<Result<Answer, CallError>>) {
        let (to, outcome) = channel();
        let reply = move |reply| {
            if let Reply::Done { outcome, .. } = reply {
                let _ = to.send(outcome);
            }
        };
        let request = Arc::new(Request::Database(DatabaseRequest { database: name.into(), ask, limits }));
        (self.pool.start(&"test".into(), request, Box::new(reply)).unwrap(), outcome)
    }

    fn ask(&self, name: &str, ask: DatabaseAsk, limits: DatabaseLimits) -> Outcome {
        let (_handle, outcome) = self.start(name, ask, limits);
        outcome.recv_timeout(PATIENCE).unwrap().map(|answer| *answer.database.unwrap())
    }

    fn query(&self, name: &str, sql: &str) -> Outcome {
        self.ask(name, query(sql), DatabaseLimits::default())
    }

    fn works(&self) {
        assert_eq!(rows(self.query("maria", "SELECT COUNT(*) FROM kunden")).rows, [[json!(16)]]);
    }
}

fn query(sql: &str) -> DatabaseAsk {
    DatabaseAsk::Query { sql: sql.to_owned() }
}

fn rows(outcome: Outcome) -> Rows {
    match outcome {
        Ok(DatabaseAnswer::Rows(rows)) => rows,
        other => panic!("no rows: {other:?}"),
    }
}

fn fault(fault: DatabaseFault) -> Outcome {
    Err(CallError::Database(fault))
}

fn run(variable: &str) {
    assert!(Command::new(std::env::var(variable).unwrap()).status().unwrap().success(), "{variable}");
}

fn admin() -> mysql::Conn {
    // Over TLS, so that it works while the server demands it.
    let options = mysql::OptsBuilder::from_opts(mysql::Opts::from_url(&std::env::var("MARIADB_ADMIN_URL").unwrap()).unwrap());
    mysql::Conn::new(options.ssl_opts(mysql::SslOpts::default().with_danger_accept_invalid_certs(true))).unwrap()
}

/// Ids of the statements that the reader waits for now; not of what a connection begins with.
fn running() -> Vec<u64> {
    admin().query("SELECT id FROM information_schema.processlist WHERE user = 'reader' AND info LIKE '%verbraeuche%'").unwrap()
}

/// Ids of all that the reader has open on the server.
fn connections() -> Vec<u64> {
    admin().query("SELECT id FROM information_schema.processlist WHERE user = 'reader'").unwrap()
}

/// Numbers alone: `"1.50"` and `1.5` are the same amount.
fn plain(value: &Value) -> Value {
    match value.as_str().and_then(|text| text.parse::<f64>().ok()).or_else(|| value.as_f64()) {
        Some(number) => json!((number * 1e4).round() / 1e4),
        None => value.clone(),
    }
}

const ENDLESS: &str = "SELECT COUNT(*) FROM verbraeuche a, verbraeuche b, verbraeuche c WHERE a.verbrauch + b.verbrauch > c.verbrauch";

#[test]
fn both_dialects_describe_and_answer_alike() {
    let world = world(&[]);
    let both = |ask: DatabaseAsk| {
        let [maria, sqlite] = ["maria", sample::NAME].map(|name| rows(world.ask(name, ask.clone(), DatabaseLimits::default())));
        (maria, sqlite)
    };
    let (maria, sqlite) = both(DatabaseAsk::Tables);
    assert_eq!(maria, sqlite);
    for table in &maria.rows {
        let (maria, sqlite) = both(DatabaseAsk::Describe { table: table[0].as_str().unwrap().to_owned() });
        assert_eq!(maria, sqlite, "{table:?}");
    }
    for table in &maria.rows {
        let table = table[0].as_str().unwrap();
        let (maria, sqlite) = both(query(&format!("SELECT * FROM {table} ORDER BY id")));
        assert_eq!(maria, sqlite, "{table}");
    }
    for sql in [
        "SELECT k.name, COUNT(*) AS n FROM kunden k JOIN objekte o ON o.kunde_id = k.id GROUP BY k.id, k.name ORDER BY n DESC, k.name LIMIT 5",
        "SELECT monat, SUM(verbrauch) AS summe FROM verbraeuche GROUP BY monat ORDER BY monat",
        "SELECT jahr, status, COUNT(*), SUM(betrag - vorauszahlung) FROM rechnungen GROUP BY jahr, status ORDER BY jahr, status",
        "SELECT name, ROW_NUMBER() OVER (ORDER BY name) AS nr, LENGTH('ü') FROM eras2_production.kunden ORDER BY id LIMIT 3",
        "WITH RECURSIVE m AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM m WHERE n < 12) SELECT n, NULL AS nichts, 'äöü' AS text, 1.5 AS halb FROM m",
        "SELECT COALESCE(MAX(verbrauch), 0) FROM verbraeuche WHERE geraet_id = -1",
    ] {
        let (maria, sqlite) = both(query(sql));
        let numbers = |rows: &Rows| rows.rows.iter().map(|row| row.iter().map(plain).collect::<Vec<_>>()).collect::<Vec<_>>();
        if !sql.contains("LENGTH") {
            assert_eq!(numbers(&maria), numbers(&sqlite), "{sql}");
        }
        assert_eq!((maria.columns, maria.is_cut), (sqlite.columns, sqlite.is_cut), "{sql}");
    }
    // A page writes decimals as its reader's language does; text that looks like them stays text.
    let decimals = |sql: &str| rows(world.query("maria", sql)).decimals;
    assert_eq!(
        decimals("SELECT AVG(id), SUM(id), '1.10', CAST(1 AS DECIMAL(9, 2)), 1.5e0, CAST(4006381333931 AS DECIMAL(13, 0)) FROM kunden"),
        [0, 3]
    );
}

#[test]
fn a_server_that_holds_the_sample_says_so_once_it_was_asked() {
    let world = world(&[]);
    let is_sample = || world.pool.databases("any")[0].is_sample;
    assert!(!is_sample());
    rows(world.ask("maria", DatabaseAsk::Tables, DatabaseLimits::default()));
    assert!(is_sample());
}

#[test]
fn answers_are_cut_and_a_huge_one_costs_little() {
    let world = world(&[]);
    let cut = |rows_max, bytes_max, sql: &str| {
        let limits = DatabaseLimits { rows_max, bytes_max, ..DatabaseLimits::default() };
        let answer = rows(world.ask("maria", query(sql), limits));
        assert!(serde_json::to_string(&answer.rows).unwrap().len() <= bytes_max);
        (answer.rows.len(), answer.is_cut)
    };
    assert_eq!(cut(200, 64 << 10, "SELECT id FROM verbraeuche"), (200, true));
    assert_eq!(cut(200, 64 << 10, "SELECT id FROM verbraeuche LIMIT 200"), (200, false));
    assert_eq!(cut(200, 30, "SELECT id FROM kunden ORDER BY id"), (7, true));
    let begun = Instant::now();
    assert!(cut(200, 64 << 10, "SELECT a.id, b.id, a.monat FROM verbraeuche a, verbraeuche b").1);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    world.works();
}

#[test]
fn what_the_server_refuses_comes_with_its_words_and_without_its_names() {
    let world = world(&[]);
    for (sql, reason, words) in [
        ("SELECT nam FROM kunden", Refused::UnknownColumn, "nam"),
        ("SELECT * FROM kundn", Refused::UnknownTable, "kundn"),
        ("SELECT name FROM kunden GROUP BY (SELECT 1, 2)", Refused::Other, "1 column"),
        ("SELECT SLEEP(5)", Refused::Other, "not allowed"),
        ("DELETE FROM kunden", Refused::Other, "not allowed"),
    ] {
        match world.query("maria", sql) {
            Ok(DatabaseAnswer::Refused { message, reason: why }) => {
                assert!(why == reason && message.contains(words) && !message.contains("reader"), "{sql}: {why:?} {message}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    let unknown = world.ask("maria", DatabaseAsk::Describe { table: "kundn".to_owned() }, DatabaseLimits::default());
    assert!(matches!(unknown, Ok(DatabaseAnswer::Refused { reason: Refused::UnknownTable, .. })), "{unknown:?}");
    let both: Vec<Outcome> = ["SELECT 'a\\'; b', \"x\"", "SELECT 'ä', 1 -- x"].map(|sql| world.query("maria", sql)).into();
    assert_eq!(rows(both[0].clone()).rows, [[json!("a'; b"), json!("x")]]);
    assert_eq!(rows(both[1].clone()).rows, [[json!("ä"), json!(1)]]);
}

#[test]
fn a_slow_statement_ends_at_its_deadline_and_leaves_nothing_running() {
    let world = world(&[]);
    let begun = Instant::now();
    let limits = DatabaseLimits { time_ms_max: 500, ..DatabaseLimits::default() };
    assert_eq!(world.ask("maria", query(ENDLESS), limits), fault(DatabaseFault::Deadline));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    world.works();
    wait_until(|| running().is_empty());
}

#[test]
fn a_cancelled_statement_ends_at_once_there_and_here() {
    let world = world(&[]);
    // Its deadline is much later.
    let limits = DatabaseLimits { time_ms_max: 60_000, ..DatabaseLimits::default() };
    let (handle, outcome) = world.start("maria", query(ENDLESS), limits);
    wait_until(|| !running().is_empty());
    let begun = Instant::now();
    handle.cancel();
    let ended = outcome.recv_timeout(PATIENCE).unwrap();
    assert_eq!(ended.map(|_| ()), Err(CallError::Cancelled));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    wait_until(|| running().is_empty());
    world.works();
}

#[test]
fn a_killed_connection_breaks_one_answer_and_not_the_next() {
    let world = world(&[]);
    let (_handle, outcome) = world.start("maria", query(ENDLESS), DatabaseLimits::default());
    wait_until(|| !running().is_empty());
    for id in running() {
        admin().query_drop(format!("KILL {id}")).unwrap();
    }
    let ended = outcome.recv_timeout(PATIENCE).unwrap();
    assert_eq!(ended.map(|_| ()), Err(CallError::Database(DatabaseFault::Broken)));
    world.works();
    // One that rests is replaced without a word.
    for id in connections() {
        let _ = admin().query_drop(format!("KILL {id}"));
    }
    wait_until(|| connections().is_empty());
    world.works();
}

#[test]
fn a_server_that_dies_is_found_again_once_it_is_back() {
    let world = world(&[]);
    world.works();
    let (_handle, outcome) = world.start("maria", query(ENDLESS), DatabaseLimits::default());
    wait_until(|| !running().is_empty());
    run("MARIADB_STOP");
    let ended = outcome.recv_timeout(PATIENCE).unwrap();
    assert_eq!(ended.map(|_| ()), Err(CallError::Database(DatabaseFault::Broken)));
    let begun = Instant::now();
    assert_eq!(world.query("maria", "SELECT 1"), fault(DatabaseFault::Unreachable));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert_eq!(rows(world.query(sample::NAME, "SELECT 1")).rows, [[json!(1)]]);
    run("MARIADB_START");
    world.works();
}

#[test]
fn a_server_that_is_down_at_the_start_is_no_reason_to_wait() {
    // Bound, so that nobody else takes it, and not listened on.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let nobody = socket.local_addr().unwrap().as_socket().unwrap();
    let world = world(&[("down", &format!("mysql://u:secret@{nobody}/x"))]);
    assert_eq!(world.query("down", "SELECT 1"), fault(DatabaseFault::Unreachable));
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_ends_at_the_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let world = world(&[("silent", &format!("mysql://u:secret@127.0.0.1:{port}/x"))]);
    let limits = DatabaseLimits { time_ms_max: 300, ..DatabaseLimits::default() };
    let begun = Instant::now();
    assert_eq!(world.ask("silent", query("SELECT 1"), limits), fault(DatabaseFault::Deadline));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn a_slow_database_keeps_no_other_waiting() {
    let world = world(&[]);
    let limits = DatabaseLimits { time_ms_max: 10_000, ..DatabaseLimits::default() };
    let slow: Vec<_> = (0..30).map(|_| world.start("maria", query(ENDLESS), limits)).collect();
    for _ in 0..20 {
        assert_eq!(rows(world.query(sample::NAME, "SELECT 1")).rows, [[json!(1)]]);
    }
    assert!(slow.iter().all(|(_, outcome)| outcome.try_recv().is_err()), "the others still wait");
    for (_handle, outcome) in slow {
        let ended = outcome.recv_timeout(PATIENCE).unwrap();
        assert_eq!(ended.map(|_| ()), Err(CallError::Database(DatabaseFault::Deadline)));
    }
    world.works();
    wait_until(|| running().is_empty());
}

fn wait_until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never came to be");
        thread::sleep(Duration::from_millis(20));
    }
}
