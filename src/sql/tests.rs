//! The gate against a corpus of statements (`testcases/sql`), and against what can be made of the hostile ones.

use super::functions::class_of;
use super::*;
use counting::Counting;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

mod counting;

/// What straight reading asks of the grammar at most, a token.
const STEPS_A_TOKEN_MAX: usize = 100;
const DIALECTS: [Dialect; 2] = [Dialect::Mysql, Dialect::Sqlite];

fn corpus(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases/sql").join(name);
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| !line.starts_with("##")).map(unescape).collect()
}

fn unescape(line: &str) -> String {
    let mut parts = line.split('⟨');
    let mut text = parts.next().unwrap().replace('⏎', "\n");
    for part in parts {
        let (code, rest) = part.split_once('⟩').unwrap();
        text.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
        text.push_str(&rest.replace('⏎', "\n"));
    }
    text
}

fn statements(kind: &str, dialect: Dialect) -> Vec<String> {
    let own = if dialect == Dialect::Mysql { "mysql" } else { "sqlite" };
    [corpus(&format!("{kind}.txt")), corpus(&format!("{kind}-{own}.txt"))].concat()
}

fn gate(statement: &str, dialect: Dialect) -> Result<Reading, Denied> {
    check(statement, dialect, &["eras2_production"])
}

fn all_denied(statements: impl IntoIterator<Item = String>, dialect: Dialect) {
    let passed: Vec<String> = statements.into_iter().filter(|statement| gate(statement, dialect).is_ok()).collect();
    assert!(passed.is_empty(), "{} hostile statements pass as {dialect:?}:\n{}", passed.len(), passed.join("\n"));
}

#[test]
fn no_hostile_statement_passes() {
    for dialect in DIALECTS {
        let hostile = statements("hostile", dialect);
        assert!(hostile.len() >= 150);
        all_denied(hostile, dialect);
    }
}

#[test]
fn every_legitimate_statement_passes() {
    for dialect in DIALECTS {
        let legitimate = statements("legitimate", dialect);
        assert!(legitimate.len() >= 60);
        let refused: Vec<String> =
            legitimate.iter().filter_map(|statement| gate(statement, dialect).err().map(|why| format!("{statement}\n    {why}"))).collect();
        assert!(refused.is_empty(), "{} legitimate statements are refused as {dialect:?}:\n{}", refused.len(), refused.join("\n"));
    }
}

#[test]
fn a_hostile_statement_stays_hostile_whatever_is_made_of_it() {
    for dialect in DIALECTS {
        for statement in statements("hostile", dialect) {
            all_denied(mutations(&statement), dialect);
        }
    }
}

/// Other ways to write a statement, and places to hide it in.
fn mutations(statement: &str) -> Vec<String> {
    let swapped: String = statement
        .chars()
        .enumerate()
        .map(|(at, sign)| if at % 2 == 0 { sign.to_ascii_uppercase() } else { sign.to_ascii_lowercase() })
        .collect();
    let bare = statement.trim_end().trim_end_matches(';');
    if !bare.contains(' ') {
        // A single word would be the name of a column.
        return vec![statement.to_lowercase(), format!("{statement};"), format!("/* x */ {statement}"), format!("SELECT 1; {statement}")];
    }
    vec![
        statement.to_lowercase(),
        statement.to_uppercase(),
        swapped,
        statement.replace(' ', "/**/"),
        statement.replace(' ', "\n\t "),
        statement.replace(' ', " /* x */ "),
        statement.replace(' ', "\u{a0}"),
        statement.replace('(', " ("),
        statement.replace('(', "/**/("),
        statement.replace('(', " -- x\n("),
        format!("{statement};"),
        format!("{statement} -- x"),
        format!(" \n{statement}\n"),
        format!("/* x */ {statement}"),
        format!("-- x\n{statement}"),
        format!("({bare})"),
        format!("(({bare}))"),
        format!("EXPLAIN {bare}"),
        format!("SELECT 1; {statement}"),
        format!("{bare}; SELECT 1"),
        format!("SELECT * FROM ({bare}) AS x"),
        format!("SELECT ({bare})"),
        format!("SELECT id FROM kunden WHERE id IN ({bare})"),
        format!("SELECT id FROM kunden WHERE EXISTS ({bare})"),
        format!("WITH x AS ({bare}) SELECT * FROM x"),
        format!("SELECT 1 UNION ALL {bare}"),
        format!("{bare} UNION ALL SELECT 1"),
        format!("SELECT CASE WHEN ({bare}) THEN 1 END"),
        format!("SELECT COALESCE(({bare}), 1) FROM kunden ORDER BY 1"),
        format!("SELECT SUM(1) OVER (ORDER BY ({bare})) FROM kunden"),
        statement.replace("SLEEP", "`SLEEP`"),
        statement.replace("SLEEP", "sLeEp"),
        statement.replace("mysql.", "`mysql`."),
        statement.replace("mysql.", "MySQL."),
    ]
}

#[test]
fn a_reading_names_its_tables_once_and_as_written() {
    for (statement, tables) in [
        ("SELECT 1", &[][..]),
        ("SELECT * FROM Kunden k JOIN eras2_production.objekte o ON 1 = 1 JOIN Kunden z", &["Kunden", "objekte"]),
        ("WITH x AS (SELECT * FROM kunden) SELECT * FROM x, `geräte`", &["kunden", "geräte"]),
        ("WITH x AS (SELECT * FROM kunden) SELECT * FROM (WITH y AS (SELECT 1) SELECT * FROM y, x) z, y", &["kunden", "y"]),
        ("WITH kunden AS (SELECT * FROM kunden) SELECT * FROM kunden", &["kunden"]),
        ("SELECT (SELECT 1 FROM a) FROM b WHERE EXISTS (SELECT 1 FROM c) ORDER BY (SELECT 1 FROM d)", &["a", "b", "c", "d"]),
        ("SELECT 1 FROM dual", &[]),
        ("DESCRIBE kunden", &["kunden"]),
        ("SHOW COLUMNS FROM kunden", &["kunden"]),
        ("SHOW TABLES", &[]),
    ] {
        assert_eq!(
            gate(statement, Dialect::Mysql).map(|reading| reading.tables),
            Ok(tables.iter().map(ToString::to_string).collect()),
            "{statement}"
        );
    }
}

#[test]
fn without_a_schema_no_name_of_one_is_taken() {
    for dialect in DIALECTS {
        assert!(check("SELECT * FROM kunden", dialect, &[]).is_ok());
        assert!(matches!(check("SELECT * FROM eras2_production.kunden", dialect, &[]), Err(Denied::Schema { .. })));
        assert!(matches!(check("SELECT * FROM mysql.user", dialect, &["mysql"]), Err(Denied::Schema { .. })));
    }
}

#[test]
fn a_denial_says_what_to_do() {
    for (statement, says) in [
        ("", "there is no statement: write one SELECT"),
        ("DELETE FROM kunden", "only reading is allowed: write one SELECT (or WITH … SELECT)"),
        ("SELECT SLEEP(5)", "the function `sleep` is not allowed: use common aggregate, window, text, date or math functions"),
        ("SELECT * FROM mysql.user", "`mysql` is not the database that may be read: leave the name of the database out"),
        ("SELECT 1; SELECT 2", "write exactly one statement, with nothing behind its `;`"),
        ("SELECT 1 INTO OUTFILE 'x'", "`INTO` is not allowed, only reading is; quote it if it is the name of a column"),
        ("SELECT 1 FROM t FOR UPDATE", "`UPDATE` is not allowed, only reading is; quote it if it is the name of a column"),
        ("SELECT 1 FROM t FOR SHARE", "a lock (FOR UPDATE, FOR SHARE) is not allowed here: write a plain SELECT without it"),
        ("SELECT @a", "`@` is not allowed outside a quoted text: write values into the statement, without variables or parameters"),
        ("SELECT /*! 1 */", "comments that are code or hints (`/*!`, `/*M!`, `/*+`) are not allowed: leave them out"),
        ("SELECT FROM WHERE", "the gate can't read the statement as MySQL: Expected an expression, found: FROM at Line: 1, Column: 13"),
    ] {
        assert_eq!(gate(statement, Dialect::Mysql).map_err(|why| why.to_string()), Err(says.to_owned()), "{statement}");
    }
}

/// Each blank would be a token that every look ahead skips again, so the work would grow with the square of their number.
#[test]
fn blanks_and_comments_are_no_work_for_whoever_reads_tokens() {
    for dialect in DIALECTS {
        let count = |gap: &str| {
            let statement = format!("SELECT{gap}COUNT{gap}(*){gap}FROM{gap}kunden{gap}WHERE{gap}id{gap}>{gap}1");
            assert!(statement.len() <= scan::BYTES_MAX);
            assert!(gate(&statement, dialect).is_ok(), "{gap:?}");
            tokens(&statement, dialect, grammar(dialect)).unwrap().len()
        };
        for gap in [" ".repeat(1_600), "\n".repeat(1_600), "/**/".repeat(400)] {
            assert_eq!(count(&gap), count(" "));
        }
    }
}

#[test]
fn rejects_more_ctes_than_any_statement_needs() {
    let statement = |count: usize| {
        let ctes: Vec<String> = (0..count).map(|number| format!("c{number} AS (SELECT 1)")).collect();
        format!("WITH {} SELECT * FROM c0", ctes.join(", "))
    };
    for dialect in DIALECTS {
        assert!(gate(&statement(64), dialect).is_ok());
        assert!(matches!(gate(&statement(65), dialect), Err(Denied::Part { .. })));
    }
}

/// On a stack as small as a worker's, and in a number of steps that grows with the statement.
#[test]
fn what_is_long_or_deep_is_refused_or_read_but_never_too_much() {
    let deep = |open: &str, inner: &str, close: &str, times: usize| format!("SELECT {}{inner}{}", open.repeat(times), close.repeat(times));
    let mut statements = vec!["SELECT ".to_owned() + &"a, ".repeat(20_000) + "a", "SELECT 1".to_owned() + &" + 1".repeat(250)];
    for times in [5, 10, 20, 24, 40, 200, 2_000] {
        statements.extend([
            deep("(", "1", ")", times),
            deep("ABS(", "1", ")", times),
            deep("-(", "1", ")", times),
            deep("- ", "1", "", times),
            deep("NOT ", "1", "", times),
            deep("CASE WHEN ", "1", " THEN 1 END", times),
            deep("(SELECT ", "1", ")", times),
            deep("1 IN (", "1", ")", times),
            deep("CAST(", "1", " AS CHAR)", times),
            deep("EXISTS (SELECT ", "1", ")", times),
            deep("INTERVAL ", "1", " DAY", times),
            format!("SELECT * FROM {}t{}", "(".repeat(times), ")".repeat(times)),
            format!("SELECT * FROM {}t{}", "(t JOIN ".repeat(times), ")".repeat(times)),
            format!("SELECT * FROM {}SELECT 1{}", "(".repeat(times), ") x".repeat(times)),
            format!("SELECT * FROM {}SELECT 1{}", "(SELECT * FROM ".repeat(times), ") x".repeat(times)),
            format!("{}SELECT 1{}", "(".repeat(times), ")".repeat(times)),
            format!("{}SELECT 1{}", "WITH x AS (".repeat(times), ") SELECT 1".repeat(times)),
            "SELECT 1".to_owned() + &" UNION SELECT 1".repeat(times),
            "SELECT 1".to_owned() + &" IS NULL".repeat(times),
            "SELECT a".to_owned() + &" COLLATE b".repeat(times),
            "SELECT a".to_owned() + &" OR b".repeat(times),
            "SELECT a".to_owned() + &" BETWEEN 1 AND 2".repeat(times),
            "SELECT a".to_owned() + &".a".repeat(times),
            "SELECT ".to_owned() + &"a ".repeat(times),
            "SELECT 1 FROM t".to_owned() + &" JOIN t".repeat(times),
            "SELECT ".to_owned() + &"'a' ".repeat(times),
        ]);
    }
    let run = move || {
        for statement in &statements {
            for dialect in DIALECTS {
                let counting = Counting { inner: grammar(dialect), steps: Cell::new(0) };
                let _ = check_by(&counting, statement, dialect, &["eras2_production"]);
                let tokens = tokens(statement, dialect, grammar(dialect)).map_or(0, |tokens| tokens.len());
                // Straight reading takes some ten steps a token; looking at everything twice on each level takes millions.
                let steps = counting.steps.get();
                assert!(
                    steps <= STEPS_A_TOKEN_MAX * (tokens + 1),
                    "{steps} steps for {tokens} tokens: {}…",
                    &statement[..60.min(statement.len())]
                );
            }
        }
    };
    std::thread::Builder::new().stack_size(super::STACK_BYTES).spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_list_of_values_may_be_long() {
    let ids: Vec<String> = (0..2_000).map(|id| id.to_string()).collect();
    assert_eq!(gate(&format!("SELECT * FROM kunden WHERE id IN ({})", ids.join(", ")), Dialect::Mysql).map(|_| ()), Ok(()));
}

/// The names in a list of functions, with the class that the list gives them.
fn listed(name: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases/sql").join(name);
    let (mut class, mut names) = (String::new(), Vec::new());
    for line in fs::read_to_string(path).unwrap().lines() {
        match line.strip_prefix("## ") {
            Some(heading) => class = heading.to_owned(),
            None => names.extend(line.split_whitespace().map(|name| (name.to_lowercase(), class.clone()))),
        }
    }
    names
}

/// The manuals' lists: each function is in one class that the gate allows or in one that it refuses, and is treated so.
#[test]
fn every_function_of_the_manuals_has_one_verdict_and_gets_it() {
    // These have a grammar of their own; the corpus has statements with them.
    const OWN_GRAMMAR: &[&str] =
        &["cast", "convert", "extract", "json_table", "position", "timestampadd", "timestampdiff", "char", "get_format"];
    let refused: BTreeMap<String, String> = listed("functions-refused.txt").into_iter().collect();
    let names: Vec<String> = ["functions-mysql.txt", "functions-mariadb.txt"].into_iter().flat_map(listed).map(|(name, _)| name).collect();
    assert!(names.len() > 900);
    let mut wrong = Vec::new();
    for name in &names {
        let forms = [
            format!("SELECT {name}()"),
            format!("SELECT {name}(1)"),
            format!("SELECT {name}('a', 1)"),
            format!("SELECT {name}('a', 1, 'b')"),
            format!("SELECT `{name}`('a', 1)"),
            format!("SELECT * FROM t WHERE x = {name} (y, 1)"),
        ];
        let passes = forms.iter().filter(|form| gate(form, Dialect::Mysql).is_ok()).count();
        match (class_of(name, Dialect::Mysql), refused.get(name)) {
            (Some(_), None) if passes > 0 || OWN_GRAMMAR.contains(&name.as_str()) => {}
            (None, Some(_)) if passes == 0 => {}
            (allowed, refused) => wrong.push(format!("{name}: allowed {allowed:?}, refused {refused:?}, {passes} forms pass")),
        }
    }
    assert!(wrong.is_empty(), "{} functions:\n{}", wrong.len(), wrong.join("\n"));
    let unlisted: Vec<&String> = refused.keys().filter(|name| !names.contains(name)).collect();
    assert!(unlisted.is_empty(), "in no manual: {unlisted:?}");
}

#[test]
fn the_database_is_called_by_its_own_name_or_that_of_the_settings_and_is_sent_its_own() {
    let schemas = &["Shop-2", "shop"];
    for (statement, sent) in [
        ("SELECT * FROM kunden", "SELECT * FROM kunden"),
        ("SELECT * FROM shop.kunden", "SELECT * FROM `Shop-2`.kunden"),
        ("SELECT * FROM `Shop-2`.kunden", "SELECT * FROM `Shop-2`.kunden"),
        ("SELECT 'ü shop.x', `shop`.`Kunden`.`id` FROM shop . Kunden", "SELECT 'ü shop.x', `Shop-2`.`Kunden`.`id` FROM `Shop-2` . Kunden"),
        (
            "SELECT shop.k.*, k.shop\nFROM -- ä shop.k\r\n shop.k JOIN shop.l ON shop.k.id = shop.l.id",
            "SELECT `Shop-2`.k.*, k.shop\nFROM -- ä shop.k\r\n `Shop-2`.k JOIN `Shop-2`.l ON `Shop-2`.k.id = `Shop-2`.l.id",
        ),
        ("SELECT shop.id FROM kunden shop", "SELECT shop.id FROM kunden shop"),
        ("SHOW TABLES FROM shop", "SHOW TABLES FROM `Shop-2`"),
        ("DESCRIBE shop.kunden", "DESCRIBE `Shop-2`.kunden"),
        ("SHOW INDEX FROM shop.kunden", "SHOW INDEX FROM `Shop-2`.kunden"),
        ("SHOW CREATE TABLE shop.kunden", "SHOW CREATE TABLE `Shop-2`.kunden"),
        ("WITH shop AS (SELECT 1 FROM shop.a) SELECT * FROM shop", "WITH shop AS (SELECT 1 FROM `Shop-2`.a) SELECT * FROM shop"),
    ] {
        assert_eq!(check(statement, Dialect::Mysql, schemas).map(|reading| reading.statement), Ok(sent.to_owned()), "{statement}");
    }
    for statement in ["SELECT * FROM Shop.kunden", "SELECT * FROM `shop-2`.kunden", "SELECT * FROM andere.kunden"] {
        assert!(matches!(check(statement, Dialect::Mysql, schemas), Err(Denied::Schema { .. })), "{statement}");
    }
    assert!(check("SELECT * FROM mysql.user", Dialect::Mysql, &["shop", "mysql"]).is_err(), "a name of the server's is none of ours");
    assert!(check("SELECT * FROM SHOP.kunden JOIN Main.x", Dialect::Sqlite, &["shop"]).is_ok());
}

#[test]
fn a_table_is_named_as_in_a_statement_or_bare() {
    let long = "x".repeat(65);
    for (text, mysql, sqlite) in [
        ("kunden", Some("kunden"), Some("kunden")),
        (" Kunden ", Some("Kunden"), Some("Kunden")),
        ("`Order Details`", Some("Order Details"), Some("Order Details")),
        ("\"Order Details\"", Some("Order Details"), Some("Order Details")),
        ("Order Details", Some("Order Details"), Some("Order Details")),
        ("log-2024", Some("log-2024"), Some("log-2024")),
        ("2024_log", Some("2024_log"), Some("2024_log")),
        ("größe", Some("größe"), Some("größe")),
        ("order", Some("order"), Some("order")),
        ("`a``b`", Some("a`b"), Some("a`b")),
        ("`a.b`", Some("a.b"), Some("a.b")),
        ("shop.kunden", Some("kunden"), Some("kunden")),
        ("Shop-2.kunden", Some("kunden"), Some("kunden")),
        ("`Shop-2`.`Order Details`", Some("Order Details"), Some("Order Details")),
        ("shop.Order Details", Some("Order Details"), Some("Order Details")),
        ("shop.log-2024", Some("log-2024"), Some("log-2024")),
        ("main.kunden", None, Some("kunden")),
        ("andere.kunden", None, None),
        ("mysql.user", None, None),
        ("`mysql`.user", None, None),
        ("information_schema", None, None),
        ("sqlite_master", None, None),
        ("", None, None),
        ("shop.", None, None),
        (&long, None, None),
    ] {
        for (dialect, table) in [(Dialect::Mysql, mysql), (Dialect::Sqlite, sqlite)] {
            assert_eq!(table_name(text, dialect, &["Shop-2", "shop"]).ok().as_deref(), table, "{text} in {dialect:?}");
        }
    }
}

#[test]
fn a_name_is_quoted_where_it_needs_quotes_and_reads_back() {
    for (name, mysql, sqlite) in [
        ("kunden", "kunden", "kunden"),
        ("Kunden", "Kunden", "Kunden"),
        ("größe", "größe", "größe"),
        ("_x1", "_x1", "_x1"),
        ("name", "name", "name"),
        ("Order Details", "`Order Details`", "\"Order Details\""),
        ("log-2024", "`log-2024`", "\"log-2024\""),
        ("2024", "`2024`", "\"2024\""),
        ("order", "`order`", "\"order\""),
        ("Rank", "`Rank`", "\"Rank\""),
        ("a`b\"c", "`a``b\"c`", "\"a`b\"\"c\""),
        ("a$b", "`a$b`", "\"a$b\""),
    ] {
        for (dialect, quotes) in [(Dialect::Mysql, mysql), (Dialect::Sqlite, sqlite)] {
            assert_eq!(quoted(name, dialect), quotes);
            let reading = check(&format!("SELECT * FROM {quotes}"), dialect, &[]);
            assert_eq!(reading.map(|reading| reading.tables), Ok(vec![name.to_owned()]), "{quotes} in {dialect:?}");
            assert_eq!(table_name(quotes, dialect, &[]), Ok(name.to_owned()), "{quotes} in {dialect:?}");
        }
    }
}
