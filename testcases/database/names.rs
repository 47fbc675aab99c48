//! Names as a case-sensitive server spells them, and reads that the gate lets through, on a real MariaDB.

use super::{World, admin, query, rows, world};
use framewright::contract::{DatabaseAnswer, DatabaseAsk, DatabaseLimits, Refused, Rows};
use mysql::prelude::Queryable;
use serde_json::{Value, json};

/// A schema that needs quotes, with tables that do and two that differ in case alone. Its user may see everything.
pub(super) fn make_shop() {
    let mut admin = admin();
    for sql in [
        "DROP DATABASE IF EXISTS `Shop-2`",
        "CREATE DATABASE `Shop-2`",
        "CREATE TABLE `Shop-2`.Kunden (Id INT PRIMARY KEY, `Last Name` VARCHAR(40), Chef INT, KEY by_name (`Last Name`))",
        "INSERT INTO `Shop-2`.Kunden VALUES (1, 'Ada', NULL), (2, 'Bob', 1), (3, 'Cem', 2), (8, 'Ida', 9), (9, 'Jan', 8)",
        "CREATE TABLE `Shop-2`.`Order Details` (`Unit No` INT PRIMARY KEY, `Unit Price` DECIMAL(6, 2))",
        "INSERT INTO `Shop-2`.`Order Details` VALUES (1, 19.90)",
        "CREATE TABLE `Shop-2`.`log-2024` (detail INT, FOREIGN KEY (detail) REFERENCES `Order Details` (`Unit No`))",
        "CREATE TABLE `Shop-2`.Farbe (gross INT)",
        "CREATE TABLE `Shop-2`.farbe (klein INT)",
        "CREATE VIEW `Shop-2`.Namen AS SELECT `Last Name` FROM `Shop-2`.Kunden",
    ] {
        admin.query_drop(sql).unwrap();
    }
}

pub(super) fn shop_url() -> String {
    std::env::var("MARIADB_ADMIN_URL").unwrap().replace("eras2_production", "Shop-2")
}

/// Settings call it `shop`.
fn shop() -> World {
    let world = world(&[("shop", &shop_url())]);
    make_shop();
    world
}

impl World {
    fn describe(&self, table: &str) -> super::Outcome {
        self.ask("shop", DatabaseAsk::Describe { table: table.to_owned() }, DatabaseLimits::default())
    }

    fn read(&self, sql: &str) -> Rows {
        match self.query("shop", sql) {
            Ok(DatabaseAnswer::Rows(rows)) => rows,
            other => panic!("{sql}: {other:?}"),
        }
    }

    fn says(&self, sql: &str) -> String {
        self.read(sql).rows.iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }
}

fn refusal(outcome: super::Outcome) -> (String, Refused) {
    match outcome {
        Ok(DatabaseAnswer::Refused { message, reason }) => (message, reason),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_case_sensitive_server_is_read_in_its_own_spelling() {
    let world = shop();
    assert_eq!(admin().query_first::<u32, _>("SELECT @@lower_case_table_names").unwrap(), Some(0), "case matters here");
    let kunden = rows(world.describe("Kunden"));
    assert_eq!((kunden.table.as_deref(), &kunden.rows[1][0]), (Some("Kunden"), &json!("Last Name")));
    let unknown = ("no such table: kunden; there is Kunden, but no kunden".to_owned(), Refused::UnknownTable);
    assert_eq!(refusal(world.describe("kunden")), unknown);
    let (message, reason) = refusal(world.query("shop", "SELECT * FROM kunden JOIN `order details` ON 1 = 1"));
    assert_eq!(reason, Refused::UnknownTable);
    assert!(message.contains("; there is Kunden, but no kunden; there is `Order Details`, but no `order details`"), "{message}");
    for (table, column) in [("Farbe", "gross"), ("farbe", "klein")] {
        let described = rows(world.describe(table));
        assert_eq!((described.table.as_deref(), &described.rows[0][0]), (Some(table), &json!(column)), "two tables");
    }
    assert_eq!(refusal(world.describe("FARBE")).0, "no such table: FARBE; there is Farbe, but no FARBE; there is farbe, but no FARBE");
    assert_eq!(refusal(world.describe("nobody")).0, "no such table: nobody");
}

#[test]
fn names_that_need_quotes_are_told_with_them_and_found() {
    let world = shop();
    assert_eq!(rows(world.describe("Order Details")).table.as_deref(), Some("Order Details"));
    let log = rows(world.describe("log-2024"));
    assert_eq!((log.table.as_deref(), &log.rows[0][4]), (Some("log-2024"), &json!("`Order Details`.`Unit No`")));
    assert_eq!(world.read("SELECT `Unit Price` FROM `Order Details`").rows, [[json!("19.90")]]);
    assert_eq!(refusal(world.describe("no such")).0, "no such table: `no such`");
}

#[test]
fn the_database_answers_to_its_own_name_and_to_that_of_the_settings() {
    let world = shop();
    for sql in [
        "SELECT `Last Name` FROM Kunden WHERE Id = 1",
        "SELECT `Last Name` FROM shop.Kunden WHERE Id = 1",
        "SELECT `Last Name` FROM `Shop-2`.Kunden WHERE Id = 1",
        "SELECT shop.Kunden.`Last Name` FROM `Shop-2`.Kunden WHERE shop.Kunden.Id = 1",
        "SELECT `shop`.`k`.`Last Name` FROM -- ä shop.x\n `shop` . `Kunden` AS `k` WHERE Id = 1",
    ] {
        match world.query("shop", sql) {
            Ok(DatabaseAnswer::Rows(rows)) => assert_eq!(rows.rows, [[json!("Ada")]], "{sql}"),
            // A qualified alias is an error of the server's own, about the database by its own name.
            Ok(DatabaseAnswer::Refused { message, .. }) => assert!(sql.contains("AS `k`") && message.contains("Shop-2.k"), "{message}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    assert_eq!(world.read("SHOW TABLES FROM shop LIKE 'Kun%'").rows, [[json!("Kunden")]]);
    for sql in ["SELECT * FROM eras2_production.kunden", "SELECT * FROM Shop.Kunden", "SELECT * FROM mysql.user"] {
        assert!(refusal(world.query("shop", sql)).0.contains("is not the database that may be read"), "{sql}");
    }
}

#[test]
fn reads_that_look_like_writes_are_answered() {
    let world = shop();
    assert_eq!(world.says("SELECT INSERT('4006381333931', 5, 6, '******')"), "4006******931");
    let index = world.read("SHOW INDEX FROM shop.Kunden");
    assert_eq!(index.rows.len(), 2);
    assert!(world.says("SHOW KEYS IN `Order Details`").contains("Unit No"));
    assert!(world.says("SHOW CREATE TABLE `log-2024`").contains("REFERENCES `Order Details` (`Unit No`)"));
    let view = world.says("SHOW CREATE TABLE Namen");
    assert!(view.contains("VIEW") && !view.contains("killer") && !view.contains("127.0.0.1"), "{view}");
    assert!(world.says("EXPLAIN FORMAT=JSON SELECT * FROM Kunden WHERE Id = 1").contains("query_block"));
    for sql in [
        "SELECT COUNT(*) FROM Kunden USE INDEX (by_name) WHERE `Last Name` = 'Ada'",
        "SELECT COUNT(*) FROM Kunden AS k FORCE INDEX FOR ORDER BY (PRIMARY) WHERE k.Id = 1",
        "SELECT SQL_NO_CACHE COUNT(*) FROM Kunden WHERE Id = 1",
        "SELECT STRAIGHT_JOIN COUNT(*) FROM Kunden WHERE Id = 1",
        "SELECT SQL_SMALL_RESULT SQL_BUFFER_RESULT COUNT(*) FROM Kunden WHERE Id = 1",
        "SELECT SQL_BIG_RESULT SQL_CALC_FOUND_ROWS COUNT(*) FROM Kunden WHERE Id = 1 LIMIT 5",
    ] {
        assert_eq!(world.read(sql).rows, [[json!(1)]], "{sql}");
    }
    assert_eq!(
        world.says("SELECT ST_ASTEXT(POINT(1, 2)), INET6_NTOA(INET6_ATON('::1')), INET_NTOA(INET_ATON('10.0.0.1')), JSON_VALUE(JSON_SET('{}', '$.a', 'x'), '$.a')"),
        "POINT(1 2)\n::1\n10.0.0.1\nx"
    );
    assert_eq!(world.read("SELECT a FROM JSON_TABLE('[7, 8]', '$[*]' COLUMNS (a INT PATH '$')) AS x").rows, [[json!(7)], [json!(8)]]);
}

#[test]
fn a_walk_over_a_tree_ends_with_it_and_one_in_a_circle_says_that_it_was_stopped() {
    let world = shop();
    let below = |root: u32, union: &str, what: &str| {
        format!(
            "WITH RECURSIVE below AS (SELECT Id, 0 AS depth FROM Kunden WHERE Id = {root} \
             {union} SELECT k.Id, b.depth + 1 FROM Kunden k JOIN below b ON k.Chef = b.Id) SELECT {what} FROM below"
        )
    };
    assert_eq!(world.read(&below(1, "UNION ALL", "COUNT(*), MAX(depth)")).rows, [[json!(3), json!(2)]]);
    let circle = world.read(&below(8, "UNION ALL", "Id"));
    assert_eq!((circle.rows.len(), circle.is_cut), (200, true), "rows");
    // The depth: an error on MySQL; MariaDB stops there and warns.
    match world.query("shop", &below(8, "UNION ALL", "COUNT(*)")) {
        Ok(DatabaseAnswer::Rows(rows)) => assert!(rows.notes.iter().any(|note| note.contains("incomplete")), "{rows:?}"),
        Ok(DatabaseAnswer::Refused { message, .. }) => assert!(message.contains("recursi"), "{message}"),
        other => panic!("{other:?}"),
    }
    // The time.
    let limits = DatabaseLimits { time_ms_max: 300, ..DatabaseLimits::default() };
    let wide = "WITH RECURSIVE x AS (SELECT 8 AS Id UNION ALL SELECT k.Id FROM x JOIN Kunden k ON k.Chef = x.Id JOIN Kunden l) SELECT COUNT(*) FROM x";
    assert_eq!(world.ask("shop", query(wide), limits), super::fault(framewright::contract::DatabaseFault::Deadline));
    world.works();
}
