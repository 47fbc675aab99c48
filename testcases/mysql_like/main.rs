//! Servers that are like MySQL: each is set up with what it has, and its refusals reach the operator, never the model.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests")]

mod server;

#[path = "../cli/program.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod program;
#[path = "../endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other tests use the rest")]
mod support;

use framewright::contract::{CallError, DatabaseAnswer, DatabaseAsk, DatabaseFault, DatabaseLimits, DatabaseRequest, Refused, Request};
use framewright::work::database::{Databases, Source};
use framewright::work::{Pool, Reply, Settings};
use serde_json::json;
use server::{Refusal, Script, Server};
use std::sync::Arc;
use std::sync::mpsc::channel;

type Outcome = Result<DatabaseAnswer, CallError>;

const STRICT: &str = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION";
const NO_READ_ONLY: Refusal =
    (1235, "42000", "function START TRANSACTION READ ONLY has only noop implementation in tidb now, use tidb_enable_noop_functions");
const SYNTAX: Refusal = (1064, "42000", "syntax error at position 18 near 'READ'");

fn pool(url: &str) -> Pool {
    let databases = Databases::new(vec![("shop".to_owned(), Source::parse(url).unwrap())]);
    Pool::new(Settings { databases, ..Settings::default() }, Box::new(|| unreachable!("no model is called")))
}

fn ask(pool: &Pool, ask: DatabaseAsk) -> Outcome {
    let (to, outcome) = channel();
    let reply = move |reply| {
        if let Reply::Done { outcome, .. } = reply {
            let _ = to.send(outcome);
        }
    };
    // A limit of a whole second more or less is the same statement.
    let limits = DatabaseLimits { time_ms_max: 60_000, ..DatabaseLimits::default() };
    let request = Arc::new(Request::Database(DatabaseRequest { database: "shop".into(), ask, limits }));
    let _handle = pool.start(&"test".into(), request, Box::new(reply)).unwrap();
    outcome.recv_timeout(support::PATIENCE).unwrap().map(|answer| *answer.database.unwrap())
}

fn query(pool: &Pool, sql: &str) -> Outcome {
    ask(pool, DatabaseAsk::Query { sql: sql.to_owned() })
}

#[test]
fn each_server_is_set_up_with_what_it_has() {
    let (names, read_only, end) = ("SET NAMES utf8mb4", "START TRANSACTION READ ONLY", "ROLLBACK");
    let mysql8 = Script {
        version: "8.0.36",
        variables: &[
            ("sql_mode", "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ENGINE_SUBSTITUTION"),
            ("cte_max_recursion_depth", "1000"),
            ("group_concat_max_len", "1024"),
            ("lock_wait_timeout", "31536000"),
            ("max_execution_time", "0"),
        ],
        refuses: &[("max_statement_time =", (1193, "HY000", "Unknown system variable 'max_statement_time'"))],
        ..Script::default()
    };
    let mysql57 = Script {
        version: "5.7.44-log",
        variables: &[("sql_mode", "NO_AUTO_CREATE_USER,ANSI_QUOTES"), ("lock_wait_timeout", "3"), ("max_execution_time", "0")],
        refuses: &[("cte_max_recursion_depth =", (1193, "HY000", "Unknown system variable 'cte_max_recursion_depth'"))],
        ..Script::default()
    };
    let bare_mariadb = Script {
        version: "10.11.6",
        variables: &[("sql_mode", STRICT), ("max_statement_time", "0.000000"), ("max_recursive_iterations", "1000")],
        refuses: &[("max_execution_time =", (1193, "HY000", "Unknown system variable 'max_execution_time'"))],
        ..Script::default()
    };
    let tidb = Script {
        version: "8.0.11-TiDB-v7.5.0",
        variables: &[
            ("sql_mode", STRICT),
            ("max_execution_time", "0"),
            ("group_concat_max_len", "1024"),
            ("cte_max_recursion_depth", "1000"),
        ],
        refuses: &[("READ ONLY", NO_READ_ONLY)],
        ..Script::default()
    };
    let vitess = Script {
        version: "8.0.30-Vitess",
        variables: &[("sql_mode", STRICT), ("max_execution_time", "0"), ("lock_wait_timeout", "50"), ("group_concat_max_len", "1024")],
        refuses: &[
            ("lock_wait_timeout =", (1235, "42000", "VT12001: unsupported: system setting: lock_wait_timeout")),
            ("READ ONLY", SYNTAX),
        ],
        ..Script::default()
    };
    for (what, script, first, second) in [
        (
            "MySQL 8",
            mysql8,
            vec!["SET SESSION max_execution_time", "cte_max_recursion_depth = 1000, lock_wait_timeout = 5, group_concat_max_len = 65536"],
            None,
        ),
        ("MySQL 5.7", mysql57, vec![&*format!("SET SESSION sql_mode = 'NO_AUTO_CREATE_USER,{STRICT}'"), "lock_wait_timeout = 3"], None),
        ("MariaDB behind a bare version", bare_mariadb, vec!["SET SESSION max_statement_time", "max_recursive_iterations = 1000"], None),
        ("TiDB", tidb, vec!["cte_max_recursion_depth = 1000", "group_concat_max_len = 65536"], Some("START TRANSACTION")),
        ("Vitess", vitess, vec!["group_concat_max_len = 65536"], Some("START TRANSACTION")),
    ] {
        let server = Server::start(script);
        let pool = pool(&server.url());
        for round in 0..2 {
            let outcome = query(&pool, "SELECT COUNT(*) AS n FROM orders");
            let Ok(DatabaseAnswer::Rows(rows)) = &outcome else { panic!("{what}: {outcome:?}") };
            assert_eq!(rows.rows, [[json!("42")]], "{what}");
            let statements = server.statements();
            let sets: Vec<&String> = statements.iter().filter(|sql| sql.starts_with("SET SESSION")).collect();
            let last = sets.last().unwrap();
            let all = sets.iter().map(|sql| sql.as_str()).collect::<Vec<_>>().join("; ");
            assert!(first.iter().all(|part| all.contains(part)), "{what}: {all}");
            let is_rest = |sql: &&String| !["SHOW ", "SELECT ", "SET SESSION"].iter().any(|begin| sql.starts_with(begin));
            let tail: Vec<String> = statements.iter().filter(is_rest).cloned().collect();
            let is_new = round == 0;
            match second {
                None => assert_eq!((sets.len(), &tail[..]), (1, &[names, read_only, end].map(str::to_owned)[..]), "{what}"),
                Some(begin) if is_new => assert_eq!(tail, [names, read_only, begin, end], "{what}"),
                // What was refused once is not asked for again.
                Some(begin) => assert_eq!((sets.len(), tail), (1, [names, begin, end].map(str::to_owned).to_vec()), "{what}: {last}"),
            }
        }
    }
}

#[test]
fn a_failure_of_the_set_up_or_of_our_own_question_is_never_shown_as_one_of_the_models_sql() {
    let refuses: [&'static [(&str, Refusal)]; 4] = [
        &[("sql_mode =", (1231, "42000", "Variable 'sql_mode' can't be set to the value of 'ONLY_FULL_GROUP_BY'"))],
        &[("SHOW VARIABLES", (1142, "42000", "SHOW command denied to user"))],
        &[("START TRANSACTION", (1105, "HY000", "no transactions here"))],
        &[("SET NAMES", (1193, "HY000", "Unknown system variable"))],
    ];
    for refuses in refuses {
        let server = Server::start(Script { version: "8.0.36", variables: &[("sql_mode", "")], refuses, login: None });
        let outcome = query(&pool(&server.url()), "SELECT COUNT(*) FROM orders");
        assert_eq!(outcome, Err(CallError::Database(DatabaseFault::Misconfigured)), "{}", refuses[0].0);
        assert!(!server.statements().iter().any(|sql| sql.contains("orders")), "{}", refuses[0].0);
    }
    let unknown = (1054, "42S22", "Unknown column 'table_comment' in 'field list'");
    let tables = Script { version: "8.0.36", refuses: Box::leak(Box::new([("information_schema", unknown)])), ..Script::default() };
    let server = Server::start(tables);
    let pool = pool(&server.url());
    assert_eq!(ask(&pool, DatabaseAsk::Tables), Err(CallError::Database(DatabaseFault::Misconfigured)));
    assert!(query(&pool, "SELECT COUNT(*) FROM orders").is_ok(), "the connection works for others");
}

#[test]
fn a_statement_that_the_server_refuses_comes_back_with_its_words() {
    let wrong =
        (1055, "42000", "Expression #2 of SELECT list is not in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by");
    let refuses = Box::leak(Box::new([("GROUP BY", wrong)]));
    let server = Server::start(Script { version: "8.0.36", refuses, ..Script::default() });
    match query(&pool(&server.url()), "SELECT region, seller, SUM(amount) FROM orders GROUP BY region") {
        Ok(DatabaseAnswer::Refused { message, reason: Refused::Other }) => assert!(message.contains("GROUP BY clause"), "{message}"),
        other => panic!("{other:?}"),
    }
}

/// What is wrong with a login, what a user reads, what the log and `doctor` say.
#[test]
fn unreachable_is_told_apart() {
    for (login, parameters, fault, kind, says, fix) in [
        (
            Some((1045, "28000", "Access denied for user 'reader'@'localhost' (using password: YES)")),
            "",
            DatabaseFault::Misconfigured,
            "WrongLogin",
            "refuses the user or the password (1045: Access denied",
            "correct the user and the password",
        ),
        (
            Some((1049, "42000", "Unknown database 'shop'")),
            "",
            DatabaseFault::Misconfigured,
            "UnknownDatabase",
            "has no database of that name (1049: Unknown database",
            "correct the name at the end",
        ),
        (
            Some((3159, "HY000", "Connections using insecure transport are prohibited while --require_secure_transport=ON.")),
            "?ssl-mode=DISABLED",
            DatabaseFault::Misconfigured,
            "TlsRequired",
            "demands TLS (3159:",
            "add ?ssl-mode=REQUIRED",
        ),
        (None, "?ssl-mode=REQUIRED", DatabaseFault::Misconfigured, "TlsUnavailable", "offers no TLS (", "enable TLS on the server"),
        (
            None,
            "?ssl-mode=VERIFY_IDENTITY&ssl-ca=/nowhere/ca.pem",
            DatabaseFault::Misconfigured,
            "TlsFailed",
            "can't be trusted over TLS (/nowhere/ca.pem: No such file",
            "check ssl-ca",
        ),
        (
            Some((1040, "08004", "Too many connections")),
            "",
            DatabaseFault::Unreachable,
            "Busy",
            "takes no more connections",
            "raise the server's limit",
        ),
    ] {
        let server = Server::start(Script { version: "8.0.36", login, ..Script::default() });
        let url = server.url() + parameters;
        assert_eq!(query(&pool(&url), "SELECT 1"), Err(CallError::Database(fault.clone())), "{kind}");

        let folder = support::Folder::new();
        let variables = [("FRAMEWRIGHT_DATABASE_ERAS2_PRODUCTION", &*url)];
        let ended = program::run_with(
            folder.path(),
            &variables,
            &["doctor", "--listen", "127.0.0.1:0", "--graph", "v4-eras", "--database", "eras2_production="],
        );
        let found = ended.output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(found.contains(&format!("✗ database eras2_production {says}")) && found.contains(&format!("→ {fix}")), "{kind}: {found}");
        assert!(!found.contains("secret"), "{found}");

        let database = format!("eras2_production={url}");
        let options = ["--graph", "v4-eras", "--model", "demo", "--database", &database];
        let framewright = support::Server::with(&support::Setting { options: &options, ..Default::default() });
        let session = framewright.session("asks");
        let result = session.result_of(&session.send("wie viele Kunden haben wir?"));
        assert_eq!((&result["status"], result["detail"].as_str()), (&json!("error"), Some(&*fault.to_string())), "{kind}: {result}");
        support::eventually("the cause in the log", || framewright.said().contains(kind).then_some(()));
        assert!(!framewright.said().contains("secret"), "{}", framewright.said());
    }
}

#[test]
fn tls_is_asked_for_at_each_connection_where_it_is_preferred() {
    let server = Server::start(Script { version: "8.0.36", ..Script::default() });
    let databases = Databases::new(vec![("shop".to_owned(), Source::parse(&server.url()).unwrap())]);
    for connections in [2, 4] {
        databases.look(|_, found| assert!(found.unwrap().contains("not encrypted")));
        assert_eq!(server.connections(), connections, "one that asks for TLS, one without");
    }
}

#[test]
fn doctor_says_what_a_server_has_and_what_it_refuses() {
    let script = Script {
        version: "8.0.11-TiDB-v7.5.0",
        variables: &[("sql_mode", STRICT), ("version", "8.0.11-TiDB-v7.5.0")],
        refuses: &[("READ ONLY", NO_READ_ONLY)],
        login: None,
    };
    let server = Server::start(script);
    let folder = support::Folder::new();
    let ended = program::run_with(
        folder.path(),
        &[],
        &["doctor", "--listen", "127.0.0.1:0", "--graph", "v1-direct", "--database", &format!("shop={}", server.url())],
    );
    let says = "✓ database      shop: version 8.0.11-TiDB-v7.5.0, not encrypted, refuses START TRANSACTION READ ONLY\n";
    assert!(ended.code == Some(0) && ended.output.contains(says), "{ended:?}");
}
