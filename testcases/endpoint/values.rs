//! Values on their way from a database to the model and to the user: exact, and cut where all can see it.

use crate::support::{Folder, Provider, Server, Setting};
use serde_json::{Value, json};

#[test]
fn long_values_are_cut_before_rows_and_the_model_and_the_user_are_told() {
    let folder = Folder::new();
    let path = folder.path().join("shop.db");
    let sql = "CREATE TABLE notes (id INTEGER, ean INTEGER, large INTEGER, price DECIMAL(30,2), scan BLOB, body TEXT);
         INSERT INTO notes VALUES (1, 4006381333931, 9007199254740993, 1.5, x'4D7953514C00', printf('%.*c', 300000, 'x'));
         INSERT INTO notes VALUES (2, NULL, 7, 1.2345, x'', 'short');";
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let (model, database) = (Provider::start(), format!("eras2_production=sqlite:{}", path.display()));
    let options = ["--llm-url", &model.url(), "--model", "puppet", "--graph", "v4-eras", "--database", &database];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let session = server.session("values");
    let plan = json!({"expert": "eras", "say": "Done.", "tools": [{"tool": "query", "args": {"sql": "SELECT * FROM notes ORDER BY id"}}]});
    let id = session.send(&plan.to_string());
    assert_eq!(session.result_of(&id)["status"], "done");

    let note = "1 long value is cut short (`body`), each marked with [cut: …]";
    let composed = model.asked_of("compose").pop().expect("the answer is composed").to_string();
    for said in
        ["2 rows; 1 long value is cut short", "of 300000 characters]", "short", "4006381333931", "9007199254740993", "0x4D7953514C00"]
    {
        assert!(composed.contains(said), "{said} is not in the request");
    }
    let state = session.read("/api/state");
    let table = find(&state, &|value| value["type"] == "table").expect("the rows are shown").clone();
    assert_eq!(table["note"], note);
    assert_eq!(
        table["rows"][0].as_array().unwrap()[..5],
        [json!(1), json!(4_006_381_333_931_i64), json!("9007199254740993"), json!("1.50"), json!("0x4D7953514C00")]
    );
    assert!(table["rows"][0][5].as_str().unwrap().ends_with(" of 300000 characters]"));
    assert_eq!(table["rows"][1], json!([2, null, 7, "1.2345", "0x", "short"]));
}

#[test]
fn a_seller_at_random_goes_back_to_the_model_which_groups_by_it() {
    let folder = Folder::new();
    let path = folder.path().join("shop.db");
    let sql = "CREATE TABLE sales (id INTEGER PRIMARY KEY, region TEXT, seller TEXT, amount INT);
         INSERT INTO sales VALUES (1, 'north', 'Ada', 10), (2, 'north', 'Bob', 20), (3, 'north', 'Ada', 5);";
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let (model, database) = (Provider::start(), format!("eras2_production=sqlite:{}", path.display()));
    let options = ["--llm-url", &model.url(), "--model", "puppet", "--graph", "v4-eras", "--database", &database];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let session = server.session("grouped");
    let tools = |sql: &str| json!([{"tool": "query", "args": {"sql": sql}}]);
    let plan = json!({
        "expert": "eras", "say": "Ada sold 15, Bob 20.",
        "tools": tools("SELECT region, seller, SUM(amount) FROM sales GROUP BY region"),
        "repair": tools("SELECT region, seller, SUM(amount) FROM sales GROUP BY region, seller ORDER BY seller"),
    });
    let id = session.send(&plan.to_string());
    assert_eq!(session.result_of(&id)["status"], "done");
    let why = "`seller` is neither grouped nor aggregated, so its value would be that of an arbitrary row: add it to GROUP BY";
    let plans = model.asked_of("expert");
    assert!(plans.len() == 2 && !plans[0].to_string().contains(why) && plans[1].to_string().contains(why), "{plans:?}");
    let table = session.read("/api/state");
    let table = find(&table, &|value| value["type"] == "table").expect("the rows are shown");
    assert_eq!(table["rows"], json!([["north", "Ada", 15], ["north", "Bob", 20]]));
}

/// The first part of a value that is so.
fn find<'a>(value: &'a Value, is_so: &dyn Fn(&Value) -> bool) -> Option<&'a Value> {
    if value.is_object() && is_so(value) {
        return Some(value);
    }
    match value {
        Value::Object(fields) => fields.values().find_map(|field| find(field, is_so)),
        Value::Array(items) => items.iter().find_map(|item| find(item, is_so)),
        _ => None,
    }
}
