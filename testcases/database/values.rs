//! Values of every type of column, as a real server sends them.

use super::{World, admin, query, rows, url, world};
use framewright::contract::{DatabaseAnswer, DatabaseLimits, Refused, Rows};
use mysql::prelude::Queryable;
use serde_json::{Value, json};

fn kinds(create: &[&str]) -> World {
    let world = world(&[("kinds", &url().replace("/eras2_production", "/kinds"))]);
    let mut admin = admin();
    for sql in create {
        admin.query_drop(sql).unwrap();
    }
    world
}

fn all(world: &World, sql: &str) -> Rows {
    rows(world.ask("kinds", query(sql), DatabaseLimits::default()))
}

#[test]
fn a_value_of_any_type_stays_what_it_is() {
    let world = kinds(&[
        "CREATE OR REPLACE TABLE kinds.v (id INT, ean BIGINT, large BIGINT UNSIGNED, flag BIT(1), bits BIT(64), price DECIMAL(30,2),
            real4 FLOAT, real8 DOUBLE, raw VARBINARY(20), words BLOB, ip VARBINARY(16), uuid BINARY(16), own UUID, address INET6,
            place POINT, area POLYGON, many GEOMETRYCOLLECTION, mood ENUM('Happy','Sad'), said TEXT, doc JSON,
            day DATE, moment DATETIME(3), span TIME)",
        "INSERT INTO kinds.v VALUES (1, 4006381333931, 18446744073709551615, b'1', b'1000000001', 1234567890123456789012345678.90,
            0.1, 0.1, 'ok\\0\\n', 'plain words', INET6_ATON('2001:db8::1'), UNHEX('00112233445566778899AABBCCDDEEFF'),
            '00112233-4455-6677-8899-aabbccddeeff', '::1', POINT(13.4, 52.5), ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 1))'),
            ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 2),MULTIPOINT(1 1,2 2),LINESTRING(0 0,1 1))', 4326),
            'Happy', 'ä\\n<b>', '{\"n\": 9007199254740993}', '2024-02-29', '2024-02-29 01:02:03.5', '-27:00:01')",
        "INSERT INTO kinds.v (id) VALUES (2)",
    ]);
    let rows = all(&world, "SELECT * FROM v ORDER BY id");
    let meant = json!([
        1,
        4_006_381_333_931_i64,
        "18446744073709551615",
        1,
        513,
        "1234567890123456789012345678.90",
        0.1,
        0.1,
        "0x6F6B000A",
        "0x706C61696E20776F726473",
        "0x20010DB8000000000000000000000001",
        "0x00112233445566778899AABBCCDDEEFF",
        "00112233-4455-6677-8899-aabbccddeeff",
        "::1",
        "POINT(13.4 52.5)",
        "POLYGON((0 0,4 0,4 4,0 0),(1 1,2 1,2 2,1 1))",
        "SRID=4326;GEOMETRYCOLLECTION(POINT(1 2),MULTIPOINT(1 1,2 2),LINESTRING(0 0,1 1))",
        "Happy",
        "ä\n<b>",
        "{\"n\": 9007199254740993}",
        "2024-02-29",
        "2024-02-29 01:02:03.500000",
        "-27:00:01",
    ]);
    for (column, (is, meant)) in rows.columns.iter().zip(rows.rows[0].iter().zip(meant.as_array().unwrap())) {
        assert_eq!(is, meant, "{column}");
    }
    assert!(rows.rows[1][1..].iter().all(Value::is_null), "a missing value is none: {:?}", rows.rows[1]);
    let sums =
        all(&world, "SELECT SUM(large), SUM(flag), SUM(price) * 10, ean + 0, HEX(raw) FROM v GROUP BY ean, raw ORDER BY ean DESC LIMIT 1");
    assert_eq!(
        sums.rows,
        [[
            json!("18446744073709551615"),
            json!("1"),
            json!("12345678901234567890123456789.00"),
            json!(4_006_381_333_931_i64),
            json!("6F6B000A")
        ]]
    );
    let readable =
        "SELECT INET6_NTOA(ip), LOWER(HEX(uuid)), ST_AsText(place), ST_X(place), INET_NTOA(INET_ATON('10.0.0.1')) FROM v WHERE id = 1";
    assert_eq!(
        all(&world, readable).rows,
        [[json!("2001:db8::1"), json!("00112233445566778899aabbccddeeff"), json!("POINT(13.4 52.5)"), json!(13.4), json!("10.0.0.1")]]
    );
    let types = rows_of_types(&world);
    assert_eq!(types, ["enum('Happy','Sad')", "bit(1)", "binary(16)"]);
}

fn rows_of_types(world: &World) -> Vec<Value> {
    let ask = framewright::contract::DatabaseAsk::Describe { table: "v".to_owned() };
    let told = rows(world.ask("kinds", ask, DatabaseLimits::default()));
    let kind = |name: &str| told.rows.iter().find(|row| row[0] == name).unwrap()[1].clone();
    ["mood", "flag", "uuid"].map(kind).to_vec()
}

#[test]
fn long_values_are_cut_before_rows_and_said() {
    let world = kinds(&[
        "CREATE OR REPLACE TABLE kinds.notes (id INT, body LONGTEXT, scan LONGBLOB)",
        "INSERT INTO kinds.notes VALUES (1, REPEAT('ü', 300000), REPEAT('x', 200000)), (2, 'short', NULL)",
    ]);
    let long = all(&world, "SELECT * FROM notes ORDER BY id");
    assert_eq!((long.rows.len(), long.is_cut), (2, false));
    let cells: Vec<&str> = long.rows[0][1..].iter().map(|cell| cell.as_str().unwrap()).collect();
    assert!(cells[0].starts_with("üüü") && cells[0].ends_with(" of 300000 characters]"), "{}", cells[0].len());
    assert!(cells[1].starts_with("0x7878") && cells[1].ends_with(" of 400002 characters]"), "{}", cells[1].len());
    assert_eq!(long.rows[1][1], "short");
    assert_eq!(long.notes, ["2 long values are cut short (`body`, `scan`), each marked with [cut: …]"]);
    // A row that would fill the memory is refused with what to do.
    admin().query_drop("SET GLOBAL max_allowed_packet = 67108864").unwrap();
    match world.ask("kinds", query("SELECT REPEAT(REPEAT(body, 20), 3) FROM notes WHERE id = 1"), DatabaseLimits::default()) {
        Ok(DatabaseAnswer::Refused { message, reason: Refused::Other }) => assert!(message.contains("LEFT(column"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(all(&world, "SELECT CHAR_LENGTH(LEFT(body, 10)) FROM notes WHERE id = 1").rows, [[json!(10)]]);
}

#[test]
fn a_seller_at_random_is_an_error_and_what_the_server_made_up_is_noted() {
    let world = kinds(&[
        "CREATE OR REPLACE TABLE kinds.sales (region VARCHAR(9), seller VARCHAR(9), amount VARCHAR(20))",
        "INSERT INTO kinds.sales VALUES ('north', 'Ada', '10'), ('north', 'Bob', '1,234.50')",
    ]);
    for sql in ["SELECT region, seller, SUM(amount) FROM sales GROUP BY region", "SELECT seller, COUNT(*) FROM sales"] {
        match world.ask("kinds", query(sql), DatabaseLimits::default()) {
            Ok(DatabaseAnswer::Refused { message, .. }) => assert!(message.to_lowercase().contains("group"), "{message}"),
            other => panic!("{sql}: {other:?}"),
        }
    }
    let sum = all(&world, "SELECT region, SUM(amount) FROM sales GROUP BY region");
    assert!(
        sum.notes.len() == 1 && sum.notes[0].contains("the database warns: Truncated incorrect DOUBLE value: '1,234.50'"),
        "{:?}",
        sum.notes
    );
    let zero = all(&world, "SELECT 1 / 0");
    assert_eq!((zero.rows, zero.notes), (vec![vec![json!(null)]], vec!["the database warns: Division by 0".to_owned()]));
    let deep = all(&world, "WITH RECURSIVE m AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM m WHERE n < 10000) SELECT COUNT(*) FROM m");
    assert!(deep.notes.len() == 1 && deep.notes[0].contains("max_recursive_iterations"), "{deep:?}");
    assert!(all(&world, "SELECT region FROM sales").notes.is_empty());
}
