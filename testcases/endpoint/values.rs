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

#[test]
fn a_number_of_a_model_or_a_client_keeps_its_digits_wherever_it_goes() {
    const LARGE: &str = "123456789012345678901234567890";
    const FINE: &str = "0.1234567890123456789";
    let provider = Provider::start();
    let server = provider.server();
    let session = server.session("digits");
    let decided = format!(
        r#"{{"goal":"x","steps":[],"tool_sequence":[
            {{"tool":"set_state","args":{{"key":"n","value":{LARGE}}}}},
            {{"tool":"emit_display","args":{{"items":[{{"type":"value","label":"n","value":{FINE}}},
                {{"type":"chart","kind":"bar","x":["a","b"],"series":[{{"name":"s","values":[{LARGE},1.5]}}]}}]}}}},
            {{"tool":"emit_actions","args":{{"actions":[{{"label":"Go","action":"go","payload":{{"id":{LARGE}}}}}]}}}}
        ],"present_as":"text","reason":"x"}}"#
    );
    provider.says("director", &[&decided]);
    let mut chat = session.attached();
    session.ask("show them");
    let state = session.read("/api/state");
    assert_eq!(state["ui_state"]["n"], LARGE, "{state}");
    assert_eq!(find(&state, &|value| value["type"] == "value").expect("the value is shown")["value"], FINE);
    assert_eq!(find(&state, &|value| value["type"] == "chart").expect("the chart is shown")["series"][0]["values"], json!([LARGE, 1.5]));
    let button = find(&state, &|value| value["type"] == "button").expect("the button is shown");
    assert_eq!(button["payload"]["id"], LARGE);
    let shown = json!(chat.until_done("msg_1"));
    assert_eq!(find(&shown, &|value| value["type"] == "button").expect("the chat shows it")["payload"]["id"], LARGE);
    let trace = session.trace_of("msg_1").to_string() + &session.read("/api/trace?last=200").to_string();
    assert!(trace.contains(LARGE) && !trace.contains("e+29") && !trace.contains("e29"), "{trace}");

    // What a client sends in its own JSON, and what a model sends as an object where its text is meant.
    let body = format!(r#"{{"action":"go","data":{{"id":{LARGE},"part":{FINE}}},"source":"thinker"}}"#);
    let (target, length) = (session.target("/api/action"), body.len());
    let mut wire = server.connect();
    wire.send(format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let answer = wire.answer();
    assert_eq!(answer.status, 200, "{answer:?}");
    session.result_of("msg_2");
    let asked = json!(provider.asked_of("output")).to_string();
    assert!(asked.contains(LARGE) && asked.contains(FINE), "{asked}");
    let direct = provider.server_on("v1-direct");
    let session = direct.session("object");
    let call = format!(r#"{{"name":"set_state","arguments":{{"key":"n","value":{LARGE}}}}}"#);
    let called = format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{{"index":0,"id":"a","function":{call}}}]}}}}]}}"#);
    provider.script("agent", &[&called, r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#]);
    session.ask("set it");
    assert_eq!(session.read("/api/state")["ui_state"]["n"], LARGE);
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
