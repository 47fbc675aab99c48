//! The sample in SQLite, asked as a worker asks it.

use super::*;
use crate::contract::Rows;
use crate::work::call::Cancel;
use serde_json::json;
use std::thread;

fn ask_of(
    databases: &Databases,
    name: &str,
    ask: DatabaseAsk,
    limits: DatabaseLimits,
    cancel: &Cancel,
) -> Result<DatabaseAnswer, CallError> {
    let mut say = |_: &str| {};
    let mut call = Call { cancel, due: Instant::now() + Duration::from_secs(60), trace: None, say: &mut say };
    let request = DatabaseRequest { database: name.into(), ask, limits };
    databases.answer(&request, &mut call).outcome.map(|answer| *answer.database.unwrap())
}

fn ask(ask: DatabaseAsk) -> Result<DatabaseAnswer, CallError> {
    ask_of(&Databases::sample(), sample::NAME, ask, DatabaseLimits::default(), &Cancel::default())
}

fn query(sql: &str) -> Result<DatabaseAnswer, CallError> {
    ask(DatabaseAsk::Query { sql: sql.to_owned() })
}

fn rows(answer: Result<DatabaseAnswer, CallError>) -> Rows {
    match answer {
        Ok(DatabaseAnswer::Rows(rows)) => rows,
        other => panic!("no rows: {other:?}"),
    }
}

#[test]
fn tables_and_columns_are_told() {
    let tables = rows(ask(DatabaseAsk::Tables));
    assert_eq!((tables.columns, tables.is_cut), (vec!["table".to_owned()], false));
    assert_eq!(tables.rows, ["geraete", "kunden", "nutzeinheiten", "objekte", "rechnungen", "verbraeuche"].map(|name| vec![json!(name)]));
    let columns = rows(ask(DatabaseAsk::Describe { table: "objekte".to_owned() }));
    assert_eq!(columns.columns, DESCRIBES);
    assert_eq!(columns.rows[0], [json!("id"), json!("int"), json!(false), json!("primary"), json!(null)]);
    assert_eq!(columns.rows[1], [json!("kunde_id"), json!("int"), json!(false), json!("index"), json!("kunden.id")]);
    assert_eq!(columns.rows[2], [json!("bezeichnung"), json!("varchar(60)"), json!(false), json!(""), json!(null)]);
}

#[test]
fn rows_come_with_plain_values() {
    let answer = rows(query("SELECT name, kunde_seit AS seit, 7 AS zahl, NULL AS nichts, 1.5 AS halb FROM kunden WHERE id = 3;"));
    assert_eq!(answer.columns, ["name", "seit", "zahl", "nichts", "halb"]);
    assert_eq!(answer.rows[0][0], "Immobilien Schäfer & Söhne");
    assert_eq!(answer.rows[0][2..], [json!(7), json!(null), json!(1.5)]);
    let seit = answer.rows[0][1].as_str().unwrap();
    assert!(seit.len() == 10 && seit.starts_with("20"), "{seit}");
    let decimals = rows(query("SELECT id, flaeche_m2, '1.10' AS fassung FROM eras2_production.nutzeinheiten LIMIT 1"));
    assert_eq!(decimals.decimals, [1], "what only looks like a number with decimals is text");
    assert_eq!(decimals.rows[0][1].as_str().and_then(|text| text.split_once('.')).map(|(_, rest)| rest.len()), Some(2));
}

#[test]
fn the_sample_has_its_oddities() {
    for (what, sql) in [
        ("missing readings", "SELECT COUNT(*) FROM verbraeuche WHERE zaehlerstand IS NULL"),
        ("a swapped meter", "SELECT COUNT(*) FROM geraete n JOIN geraete a ON a.id = n.ersetzt_id WHERE a.ausgebaut_am IS NOT NULL"),
        ("a vacant unit", "SELECT COUNT(*) FROM nutzeinheiten WHERE nutzer IS NULL AND leerstand_seit IS NOT NULL"),
        (
            "a customer without a building",
            "SELECT COUNT(*) FROM kunden k WHERE NOT EXISTS (SELECT 1 FROM objekte o WHERE o.kunde_id = k.id)",
        ),
        ("years", "SELECT COUNT(DISTINCT jahr) FROM rechnungen"),
    ] {
        assert!(rows(query(sql)).rows[0][0].as_i64().unwrap() > 0, "{what}");
    }
    let readings = rows(query("SELECT COUNT(*) FROM verbraeuche")).rows[0][0].as_i64().unwrap();
    assert!((4_000..10_000).contains(&readings), "{readings}");
}

#[test]
fn an_answer_is_cut_by_rows_and_by_bytes_and_says_so() {
    let cut = |rows_max, bytes_max, sql: &str| {
        let limits = DatabaseLimits { rows_max, bytes_max, ..DatabaseLimits::default() };
        let answer =
            rows(ask_of(&Databases::sample(), sample::NAME, DatabaseAsk::Query { sql: sql.to_owned() }, limits, &Cancel::default()));
        assert!(serde_json::to_string(&answer.rows).unwrap().len() <= bytes_max.max(2));
        (answer.rows.len(), answer.is_cut)
    };
    assert_eq!(cut(200, 64 << 10, "SELECT id FROM verbraeuche"), (200, true));
    assert_eq!(cut(200, 64 << 10, "SELECT id FROM verbraeuche LIMIT 200"), (200, false));
    assert_eq!(cut(200, 64 << 10, "SELECT id FROM verbraeuche WHERE id < 0"), (0, false));
    assert_eq!(cut(200, 30, "SELECT id FROM kunden ORDER BY id"), (7, true));
    assert_eq!(cut(200, 1, "SELECT id FROM kunden"), (0, true));
}

#[test]
fn what_the_database_refuses_comes_with_its_words() {
    for (sql, reason, words) in [
        ("SELECT nam FROM kunden", Refused::UnknownColumn, "nam"),
        ("SELECT \"nam\" FROM kunden", Refused::UnknownColumn, "nam"),
        ("SELECT * FROM kundn", Refused::UnknownTable, "kundn"),
        ("SELECT SUM(name, 1) FROM kunden", Refused::Other, "SUM"),
        ("DELETE FROM kunden", Refused::Other, "not allowed: only reading"),
        ("SELECT * FROM sqlite_master", Refused::Other, "not allowed"),
    ] {
        match query(sql) {
            Ok(DatabaseAnswer::Refused { message, reason: why }) => {
                assert!(why == reason && message.contains(words), "{sql}: {why:?} {message}")
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    match ask(DatabaseAsk::Describe { table: "kundn'; DROP TABLE kunden".to_owned() }) {
        Ok(DatabaseAnswer::Refused { reason: Refused::UnknownTable, .. }) => {}
        other => panic!("{other:?}"),
    }
}

const ENDLESS: &str = "SELECT COUNT(*) FROM verbraeuche a, verbraeuche b, verbraeuche c, verbraeuche d";

#[test]
fn a_statement_without_end_ends_at_its_deadline_and_when_it_is_cancelled() {
    let databases = Databases::sample();
    let endless = || DatabaseAsk::Query { sql: ENDLESS.to_owned() };
    let limits = DatabaseLimits { time_ms_max: 100, ..DatabaseLimits::default() };
    let begun = Instant::now();
    let late = ask_of(&databases, sample::NAME, endless(), limits, &Cancel::default());
    assert_eq!(late, Err(CallError::Database(DatabaseFault::Deadline)));
    assert!((100..60_000).contains(&begun.elapsed().as_millis()));
    let cancel = Cancel::default();
    thread::scope(|scope| {
        let asked = scope.spawn(|| ask_of(&databases, sample::NAME, endless(), DatabaseLimits::default(), &cancel));
        thread::sleep(Duration::from_millis(100));
        cancel.cancel();
        assert_eq!(asked.join().unwrap(), Err(CallError::Cancelled));
    });
    assert_eq!(rows(ask_of(&databases, sample::NAME, DatabaseAsk::Tables, limits, &Cancel::default())).rows.len(), 6);
}

#[test]
fn a_file_that_is_not_there_or_no_database_can_not_be_reached() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for path in ["/nowhere/x.db", here] {
        let databases = Databases::new(vec![("a".to_owned(), Source::Sqlite(path.into()))]);
        let answer = ask_of(&databases, "a", DatabaseAsk::Tables, DatabaseLimits::default(), &Cancel::default());
        assert_eq!(answer, Err(CallError::Database(DatabaseFault::Misconfigured)), "{path}");
    }
    let unknown = ask_of(&Databases::sample(), "b", DatabaseAsk::Tables, DatabaseLimits::default(), &Cancel::default());
    assert_eq!(unknown, Err(CallError::Database(DatabaseFault::Unknown)));
}

#[test]
fn a_value_stays_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("values.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE v (ean INTEGER, price DECIMAL(10,2), code DECIMAL(20,0), raw BLOB, said TEXT);
             INSERT INTO v VALUES (4006381333931, 1.5, 9007199254740993, x'4D7953514C00', CAST(x'61FF' AS TEXT));
             INSERT INTO v VALUES (9223372036854775807, 1.2345, 7, x'', NULL);
             CREATE TABLE notes (id INTEGER, body TEXT);
             INSERT INTO notes VALUES (1, printf('%.*c', 300000, 'x')), (2, printf('%.*c', 3000000, 'y')), (3, 'short');",
        )
        .unwrap();
    let databases = Databases::new(vec![("a".to_owned(), Source::Sqlite(path))]);
    let ask = |ask: DatabaseAsk| rows(ask_of(&databases, "a", ask, DatabaseLimits::default(), &Cancel::default()));
    let all = ask(DatabaseAsk::Query { sql: "SELECT * FROM v ORDER BY ean".to_owned() });
    assert_eq!(
        all.rows,
        [
            [json!(4_006_381_333_931_i64), json!("1.50"), json!("9007199254740993"), json!("0x4D7953514C00"), json!("0x61FF"),],
            [json!("9223372036854775807"), json!("1.2345"), json!("7"), json!("0x"), json!(null)],
        ]
    );
    assert_eq!(
        ask(DatabaseAsk::Query { sql: "SELECT 9e999, -9e999, NULL".to_owned() }).rows,
        [[json!("Infinity"), json!("-Infinity"), json!(null)]]
    );
    let long = ask(DatabaseAsk::Query { sql: "SELECT body, id FROM notes ORDER BY id".to_owned() });
    assert_eq!((long.rows.len(), long.is_cut), (3, false));
    assert!(long.rows[0][0].as_str().unwrap().ends_with(" of 300000 characters]") && long.rows[2][0] == "short");
    assert_eq!(long.notes, ["2 long values are cut short (`body`), each marked with [cut: …]"]);
}

fn file(sql: &str) -> (tempfile::TempDir, Databases) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    (folder, Databases::new(vec![("shop".to_owned(), Source::Sqlite(path))]))
}

#[test]
fn a_table_is_found_by_any_spelling_and_told_by_its_own() {
    let (_folder, databases) = file(
        "CREATE TABLE \"Order Details\" (\"Unit No\" INTEGER PRIMARY KEY, price INT);
         CREATE TABLE items (id INTEGER PRIMARY KEY, part REFERENCES \"Order Details\", whole REFERENCES items(id));",
    );
    let describe = |table: &str| {
        let ask = DatabaseAsk::Describe { table: table.to_owned() };
        ask_of(&databases, "shop", ask, DatabaseLimits::default(), &Cancel::default())
    };
    let details = rows(describe("order details"));
    assert_eq!((details.table.as_deref(), &details.rows[0][0]), (Some("Order Details"), &json!("Unit No")));
    let items = rows(describe("ITEMS"));
    assert_eq!(items.table.as_deref(), Some("items"));
    let references: Vec<_> = items.rows.iter().map(|row| row[4].clone()).collect();
    assert_eq!(references, [json!(null), json!("\"Order Details\".\"Unit No\""), json!("items.id")], "a primary key is not always `id`");
    match describe("Order Detail") {
        Ok(DatabaseAnswer::Refused { message, reason }) => {
            assert_eq!((message.as_str(), reason), ("no such table: \"Order Detail\"", Refused::UnknownTable));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_seller_at_random_is_an_error_and_what_depends_on_a_group_is_not() {
    let (_folder, databases) = file(
        "CREATE TABLE Sales (id INTEGER PRIMARY KEY, region TEXT, seller TEXT, customer INT, amount REAL, year AS (amount * 2));
         INSERT INTO sales VALUES (1, 'north', 'Ada', 1, 10), (2, 'north', 'Bob', 1, 20), (3, 'south', 'Cid', 2, 5);
         CREATE TABLE customers (id INT PRIMARY KEY, name TEXT, email TEXT NOT NULL UNIQUE, phone TEXT UNIQUE, tag TEXT NOT NULL);
         INSERT INTO customers VALUES (1, 'Ada Ltd', 'a@x', NULL, 't'), (2, 'Bob Ltd', 'b@x', NULL, 'T');
         CREATE UNIQUE INDEX by_tag ON customers (LOWER(tag), name); CREATE UNIQUE INDEX some ON customers (tag) WHERE name > 'B';
         CREATE TABLE parts (sale INT, place INT, item TEXT, PRIMARY KEY (place, sale)) WITHOUT ROWID;
         CREATE VIEW regions AS SELECT id, region AS name, seller FROM sales;",
    );
    let ask = |sql: &str| {
        let ask = DatabaseAsk::Query { sql: sql.to_owned() };
        ask_of(&databases, "shop", ask, DatabaseLimits::default(), &Cancel::default())
    };
    for (sql, column) in [
        ("SELECT region, seller, SUM(amount) FROM sales GROUP BY region", "seller"),
        ("SELECT seller, MAX(amount) FROM shop.sales", "seller"),
        ("SELECT phone, name, COUNT(*) FROM customers GROUP BY phone", "name"),
        ("SELECT tag, name, COUNT(*) FROM customers GROUP BY tag", "name"),
        ("SELECT sale, item, COUNT(*) FROM parts GROUP BY sale", "item"),
        ("SELECT name, seller, COUNT(*) FROM regions GROUP BY name", "seller"),
        ("SELECT region, year, COUNT(*) FROM sales GROUP BY region", "year"),
    ] {
        match ask(sql) {
            Ok(DatabaseAnswer::Refused { message, reason: Refused::Other }) => {
                assert!(message.starts_with(&format!("`{column}` is neither grouped nor aggregated")), "{sql}: {message}");
            }
            other => panic!("{sql}: {other:?}"),
        }
    }
    for (sql, first) in [
        ("SELECT region, SUM(amount) FROM sales GROUP BY region ORDER BY 2 DESC", json!(["north", 30.0])),
        ("SELECT c.name, SUM(s.amount) FROM customers c JOIN sales s ON s.customer = c.id GROUP BY c.id", json!(["Ada Ltd", 30.0])),
        ("SELECT name, COUNT(*) FROM customers GROUP BY email", json!(["Ada Ltd", 1])),
        ("SELECT seller, name, COUNT(*) FROM regions GROUP BY id", json!(["Ada", "north", 1])),
        ("SELECT seller, year, COUNT(*) FROM SALES GROUP BY rowid", json!(["Ada", 20.0, 1])),
    ] {
        assert_eq!(json!(rows(ask(sql)).rows[0]), first, "{sql}");
    }
    // What isn't there is said first.
    match ask("SELECT region, salesman, SUM(amount) FROM sales GROUP BY region") {
        Ok(DatabaseAnswer::Refused { reason: Refused::UnknownColumn, .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_walk_over_a_tree_ends_with_it_and_one_in_a_circle_at_its_limits() {
    let (_folder, databases) = file(
        "CREATE TABLE parts (id INTEGER PRIMARY KEY, parent INT);
         INSERT INTO parts VALUES (1, NULL), (2, 1), (3, 1), (4, 2), (5, 4), (10, 11), (11, 10);",
    );
    let below = |root: u32, what: &str| {
        let sql = format!(
            "WITH RECURSIVE below AS (SELECT id, 0 AS depth FROM parts WHERE id = {root} \
             UNION ALL SELECT p.id, b.depth + 1 FROM parts p JOIN below b ON p.parent = b.id) SELECT {what} FROM below"
        );
        let limits = DatabaseLimits { time_ms_max: 60_000, ..DatabaseLimits::default() };
        ask_of(&databases, "shop", DatabaseAsk::Query { sql }, limits, &Cancel::default())
    };
    assert_eq!(rows(below(1, "COUNT(*), MAX(depth)")).rows, [[json!(5), json!(3)]]);
    let circle = rows(below(10, "id"));
    assert_eq!((circle.rows.len(), circle.is_cut), (200, true), "rows");
    match below(10, "COUNT(*)") {
        Ok(DatabaseAnswer::Refused { message, reason: Refused::Other }) => {
            assert!(message.starts_with("the recursion goes through more than 100000 rows, perhaps in a circle: end it"), "{message}");
        }
        other => panic!("no count that is not so: {other:?}"),
    }
    assert_eq!(rows(below(1, "COUNT(*)")).rows, [[json!(5)]], "each statement has all of them");
}

#[test]
fn counting_its_rows_changes_no_recursion() {
    let (_folder, databases) = file(
        "CREATE TABLE k (id TEXT PRIMARY KEY, parent TEXT, price DECIMAL(8,2));
         INSERT INTO k VALUES ('1', NULL, 1), ('2', '1', 2.5), ('5', '2', 3), ('é', '5', 0);",
    );
    for (sql, meant) in [
        (
            "WITH t(id, p) AS (SELECT id, price FROM k WHERE parent IS NULL\nUNION ALL\n  SELECT k.id, k.price FROM t JOIN k ON k.parent = t.id) \
             SELECT id, p, typeof(id), id = 5 FROM t ORDER BY id",
            json!([["1", "1.00", "text", 0], ["2", "2.50", "text", 0], ["5", "3.00", "text", 1], ["é", "0.00", "text", 0]]),
        ),
        (
            "WITH t AS (SELECT * FROM k WHERE parent IS NULL UNION SELECT k.* FROM k, t WHERE k.parent = t.id) SELECT id, price, id = 5 FROM t",
            json!([["1", "1.00", 0], ["2", "2.50", 0], ["5", "3.00", 1], ["é", "0.00", 0]]),
        ),
        (
            "SELECT 'é', (WITH RECURSIVE \"my n\" AS (VALUES ('1') UNION ALL SELECT k.id FROM k, \"my n\" n WHERE k.parent = n.column1) \
             SELECT COUNT(*) FROM \"my n\")",
            json!([["é", 4]]),
        ),
        (
            "WITH a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a WHERE n < 4), b(n) AS (SELECT 2 UNION SELECT n + 1 FROM b WHERE n < 6) \
             SELECT (SELECT COUNT(*) FROM a), (SELECT COUNT(*) FROM b)",
            json!([[4, 5]]),
        ),
        (
            "WITH t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 9 ORDER BY 1 DESC LIMIT 3) SELECT n FROM t",
            json!([[1], [2], [3]]),
        ),
    ] {
        assert!(sql::check(sql, Dialect::Sqlite, &["shop"]).is_ok(), "{sql}");
        assert_ne!(sql::counting(sql, &["shop"]).unwrap(), sql);
        let ask = DatabaseAsk::Query { sql: sql.to_owned() };
        assert_eq!(json!(rows(ask_of(&databases, "shop", ask, DatabaseLimits::default(), &Cancel::default())).rows), meant, "{sql}");
    }
}
