//! Statements that MySQL takes and refuses under `ONLY_FULL_GROUP_BY`.

use super::*;

fn look(table: &str) -> Option<Known> {
    let table_of = |columns: &str, keys: &[&str]| {
        let list = |names: &str| names.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Some(Known::Table { columns: list(columns), keys: keys.iter().map(|key| list(key)).collect() })
    };
    let view = |statement: &str| Some(Known::View { statement: statement.to_owned() });
    match table.to_lowercase().as_str() {
        "sales" => table_of("id region seller customer_id amount day", &["id"]),
        "customers" => table_of("id name email city", &["id", "email"]),
        "lines" => table_of("sale_id pos item price", &["sale_id pos"]),
        "people" => view("CREATE VIEW people AS SELECT id, name AS called, city FROM customers"),
        "people2" => view("CREATE VIEW \"people2\" (no, called) AS SELECT id, called FROM people"),
        "totals" => view("CREATE VIEW totals AS SELECT region, SUM(amount) AS total FROM sales GROUP BY region"),
        "circle" => view("CREATE VIEW circle AS SELECT * FROM circle"),
        _ => None,
    }
}

/// What stands neither grouped nor aggregated.
fn ungrouped(statement: &str) -> Option<String> {
    super::super::check(statement, Dialect::Sqlite, &["shop"]).unwrap_or_else(|why| panic!("{statement}: {why}"));
    match check_grouping(statement, &["shop"], &mut look) {
        Ok(()) => None,
        Err(Denied::Ungrouped { name }) => Some(name),
        Err(other) => panic!("{statement}: {other}"),
    }
}

#[test]
fn a_value_of_an_arbitrary_row_is_refused() {
    for (statement, name) in [
        ("SELECT region, seller, SUM(amount) FROM sales GROUP BY region", "seller"),
        ("SELECT region, s.Seller, SUM(amount) FROM sales AS s GROUP BY region", "s.Seller"),
        ("SELECT seller, COUNT(*) FROM sales", "seller"),
        ("SELECT seller, MAX(amount) FROM sales", "seller"),
        ("SELECT seller FROM sales GROUP BY region", "seller"),
        ("SELECT * FROM sales GROUP BY region", "id"),
        ("SELECT s.*, COUNT(*) FROM sales s GROUP BY s.region", "id"),
        ("SELECT region, UPPER(seller) || '!' FROM sales GROUP BY 1", "seller"),
        ("SELECT region, CASE WHEN amount > 1 THEN 1 ELSE SUM(amount) END FROM sales GROUP BY region", "amount"),
        ("SELECT region, MAX(amount, 3) FROM sales GROUP BY region", "amount"),
        ("SELECT region, SUM(amount) FROM sales GROUP BY region HAVING seller = 'Ada'", "seller"),
        ("SELECT MAX(amount) AS amount FROM sales GROUP BY region HAVING amount > 10", "amount"),
        ("SELECT region, SUM(amount) FROM sales GROUP BY region ORDER BY day", "day"),
        ("SELECT region FROM sales ORDER BY COUNT(*)", "region"),
        ("SELECT strftime('%Y', day) AS y, strftime('%m', day) FROM sales GROUP BY y", "day"),
        // What depends on something that is not grouped.
        ("SELECT c.name, COUNT(*) FROM customers c JOIN sales s ON s.customer_id = c.id GROUP BY s.id", ""),
        ("SELECT s.region, COUNT(*) FROM customers c JOIN sales s ON s.customer_id = c.id GROUP BY c.id", "s.region"),
        ("SELECT sale_id, item, SUM(price) FROM lines GROUP BY sale_id", "item"),
        ("SELECT c.name, COUNT(s.id) FROM sales s LEFT JOIN customers c ON c.city = s.region GROUP BY s.region", "c.name"),
        ("SELECT s.region, COUNT(*) FROM sales s LEFT JOIN customers c ON c.id = s.id GROUP BY c.id", "s.region"),
        (
            "SELECT c.name, COUNT(*) FROM sales s LEFT JOIN customers c ON c.id = s.customer_id AND s.amount > 5 GROUP BY s.customer_id",
            "c.name",
        ),
        ("SELECT seller, COUNT(*) FROM sales WHERE seller = 'Ada' OR region = 'north'", "seller"),
        // Queries within queries.
        ("SELECT region, (SELECT name FROM customers c WHERE c.id = s.customer_id) FROM sales s GROUP BY region", "s.customer_id"),
        ("SELECT region, (SELECT SUM(l.price + s.amount) FROM lines l) FROM sales s GROUP BY region", "s.amount"),
        ("SELECT * FROM (SELECT region, seller, SUM(amount) FROM sales GROUP BY region) t", "seller"),
        ("WITH t AS (SELECT region, seller, SUM(amount) FROM sales GROUP BY region) SELECT * FROM t", "seller"),
        ("SELECT 1 AS n UNION SELECT COUNT(*) + id FROM sales", "id"),
        ("SELECT a, b FROM (SELECT id AS a, name AS b FROM customers UNION ALL SELECT id, seller FROM sales) u GROUP BY a", "b"),
        ("SELECT id FROM customers WHERE id IN (SELECT customer_id FROM sales GROUP BY region)", "customer_id"),
        ("SELECT called, COUNT(*) FROM people GROUP BY city", "called"),
        ("SELECT total, COUNT(*) FROM totals GROUP BY total > 5", "total"),
        // Windows look at groups, not at rows.
        ("SELECT region, SUM(amount), ROW_NUMBER() OVER (ORDER BY seller) FROM sales GROUP BY region", "seller"),
        ("SELECT region, RANK() OVER w FROM sales GROUP BY region WINDOW w AS (ORDER BY amount)", "amount"),
        ("SELECT region, SUM(amount) OVER () FROM sales GROUP BY region", "amount"),
        ("SELECT n, city FROM (SELECT city, ROW_NUMBER() OVER (ORDER BY city) AS n FROM customers) t GROUP BY city", "n"),
    ] {
        assert_eq!(ungrouped(statement), Some(name.to_owned()).filter(|name| !name.is_empty()), "{statement}");
    }
}

#[test]
fn what_is_grouped_aggregated_or_depends_on_it_passes() {
    for statement in [
        "SELECT region, seller FROM sales",
        "SELECT region, SUM(amount), COUNT(DISTINCT seller) FROM sales GROUP BY region HAVING MAX(amount) > 3 ORDER BY SUM(amount) DESC",
        "SELECT Region, SUM(amount) AS total FROM sales s GROUP BY s.REGION HAVING total > 10 ORDER BY total, 1",
        "SELECT \"region\", 7, 'x' FROM main.sales GROUP BY (region)",
        "SELECT MAX(amount) AS amount FROM sales ORDER BY amount",
        "SELECT UPPER(seller) AS seller, COUNT(*) FROM sales GROUP BY UPPER( sales.seller ) ORDER BY seller COLLATE NOCASE",
        "SELECT strftime('%Y', day) AS y, SUM(amount) FROM sales GROUP BY y ORDER BY y",
        "SELECT strftime('%Y', s.day) || '!', SUM(amount) FROM sales s GROUP BY strftime('%Y', day)",
        "SELECT CASE WHEN amount > 5 THEN 'large' ELSE 'small' END AS size, COUNT(*) FROM sales GROUP BY 1",
        "SELECT region, SUM(CASE WHEN seller = 'Ada' THEN amount END) FILTER (WHERE day > '2024') FROM sales GROUP BY region",
        // Keys.
        "SELECT * FROM sales GROUP BY id",
        "SELECT id, name, COUNT(*) FROM customers GROUP BY email",
        "SELECT name, rowid FROM customers GROUP BY rowid",
        "SELECT item, COUNT(*) FROM lines GROUP BY pos, sale_id",
        "SELECT c.name, c.city, SUM(s.amount) FROM customers c JOIN sales s ON s.customer_id = c.id GROUP BY c.id ORDER BY c.email",
        "SELECT c.name, SUM(s.amount) FROM customers c, sales s WHERE s.customer_id = c.id AND s.day > '2024' GROUP BY s.customer_id",
        "SELECT c.name, COUNT(s.id) FROM customers c LEFT JOIN sales s ON s.customer_id = c.id GROUP BY c.id",
        "SELECT c.name, COUNT(*) FROM sales s LEFT JOIN customers c ON c.id = s.customer_id GROUP BY s.customer_id",
        "SELECT c.name, COUNT(*) FROM customers c RIGHT JOIN sales s ON c.id = s.customer_id GROUP BY s.customer_id",
        "SELECT name, COUNT(*) FROM customers JOIN (SELECT customer_id AS id FROM sales) t USING (id) GROUP BY t.id",
        "SELECT name, COUNT(*) FROM (SELECT customer_id AS id FROM sales) t NATURAL JOIN customers GROUP BY id",
        "SELECT c.name, o.name, COUNT(*) FROM customers c JOIN customers o ON o.email = c.email GROUP BY c.id",
        // Constants.
        "SELECT seller, COUNT(*) FROM sales WHERE seller = 'Ada' AND amount > 2",
        "SELECT name, city, COUNT(*) FROM customers WHERE 3 = id",
        "SELECT c.name, (SELECT COUNT(*) FROM sales) AS n FROM customers c",
        // Queries within queries.
        "SELECT c.name, (SELECT MAX(s.day) FROM sales s WHERE s.customer_id = c.id) FROM customers c GROUP BY c.id",
        "SELECT region, (SELECT SUM(s.amount) FROM customers LIMIT 1) FROM sales s GROUP BY region",
        "SELECT s.region, MAX((SELECT name FROM customers c WHERE c.id = s.customer_id)) FROM sales s GROUP BY s.region",
        "SELECT region FROM sales s WHERE amount = (SELECT MAX(amount) FROM sales x WHERE x.region = s.region)",
        "SELECT s.seller, (SELECT s.seller || MAX(name) FROM customers) FROM sales s",
        "WITH t AS (SELECT customer_id, SUM(amount) AS total FROM sales GROUP BY customer_id) \
         SELECT c.name, t.total, COUNT(*) FROM customers c JOIN t ON t.customer_id = c.id GROUP BY c.id",
        "WITH t (who, total) AS (SELECT customer_id, SUM(amount) FROM sales GROUP BY 1) SELECT total, COUNT(*) FROM t GROUP BY who",
        "SELECT x.a, y.m FROM (SELECT id AS a, name FROM customers) x, (SELECT MAX(amount) AS m FROM sales) y GROUP BY x.a, x.name",
        "SELECT name, low FROM (SELECT id, name, LOWER(name) AS low FROM customers) t GROUP BY id",
        "SELECT n, city FROM (SELECT id, city, ROW_NUMBER() OVER (ORDER BY city) AS n FROM customers) t GROUP BY id",
        "SELECT a, COUNT(*) FROM (SELECT id AS a FROM customers UNION SELECT id FROM sales) u GROUP BY a",
        "WITH RECURSIVE m(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM m WHERE n < 12) SELECT m.n, SUM(s.amount) FROM m \
         LEFT JOIN sales s ON s.id = m.n GROUP BY m.n",
        // Views.
        "SELECT called, city, COUNT(*) FROM people GROUP BY id",
        "SELECT p.called, COUNT(*) FROM people2 p JOIN sales s ON s.customer_id = p.no GROUP BY p.no",
        "SELECT total, COUNT(*) FROM totals GROUP BY region",
        // Windows.
        "SELECT seller, SUM(amount) OVER (PARTITION BY region) FROM sales",
        "SELECT region, SUM(SUM(amount)) OVER (ORDER BY region) FROM sales GROUP BY region",
        // Lenient: nothing is known, or MariaDB takes it.
        "SELECT DISTINCT region FROM sales ORDER BY day",
        "SELECT a, b, COUNT(*) FROM unknown GROUP BY a",
        "SELECT x, COUNT(*) FROM circle GROUP BY y",
    ] {
        assert_eq!(ungrouped(statement), None, "{statement}");
    }
}

#[test]
fn the_error_says_what_can_be_done() {
    let why = check_grouping("SELECT region, seller, SUM(amount) FROM sales GROUP BY region", &["shop"], &mut look).unwrap_err();
    assert_eq!(
        why.to_string(),
        "`seller` is neither grouped nor aggregated, so its value would be that of an arbitrary row: add it to GROUP BY, aggregate it, \
         or take one row with ORDER BY … LIMIT 1"
    );
}

#[test]
fn queries_that_grow_by_doubling_are_let_be() {
    let mut statement = "WITH t0 AS (SELECT id, name FROM customers)".to_owned();
    for step in 1..40 {
        statement.push_str(&format!(", t{step} AS (SELECT a.id, b.name FROM t{0} a JOIN t{0} b ON a.id = b.id)", step - 1));
    }
    statement.push_str(" SELECT id, name, COUNT(*) FROM t39 GROUP BY id");
    assert_eq!(ungrouped(&statement), None);
}

#[test]
fn what_the_gate_takes_is_looked_at_on_the_stack_of_the_gate() {
    let run = || {
        let mut looked_at = 0;
        for times in 1..=crate::sql::DEPTH_MAX {
            for (open, inner, close) in [
                ("(SELECT ", "SUM(1)", ")"),
                ("(SELECT MAX(p.id) + ", "1", " FROM people2 p)"),
                ("COALESCE(1, ", "1", ")"),
                ("CASE WHEN ", "1", " THEN 1 END"),
                ("1 IN (SELECT SUM(1) + ", "1", ")"),
                ("(SELECT x FROM (SELECT COUNT(*) AS x, ", "1", ") t)"),
                ("(WITH x AS (SELECT 1) SELECT ", "1", ")"),
            ] {
                let statement =
                    format!("SELECT {}{inner}{}, COUNT(*) FROM sales GROUP BY amount + 1", open.repeat(times), close.repeat(times));
                if crate::sql::check(&statement, Dialect::Sqlite, &["shop"]).is_ok() {
                    looked_at += 1;
                    assert_eq!(ungrouped(&statement), None, "{statement}");
                }
            }
        }
        assert!(looked_at > 40, "{looked_at}");
    };
    std::thread::Builder::new().stack_size(crate::sql::STACK_BYTES).spawn(run).unwrap().join().unwrap();
}
