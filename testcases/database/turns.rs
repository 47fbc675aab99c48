//! What a user sees of a database in trouble, through the real program.

#[path = "../endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "another test uses the rest")]
pub(super) mod support;

use super::names::{make_shop, shop_url};
use super::{alone, run, url};
use serde_json::{Value, json};
use support::{Conversation, Provider, Server, Setting};

fn server(database: &str) -> Server {
    let database = format!("eras2_production={database}");
    Server::with(&Setting { options: &["--graph", "v4-eras", "--model", "demo", "--database", &database], ..Setting::default() })
}

/// A question that can't be answered ends with a sentence that tells nothing of the inside.
fn fails(session: &Conversation, question: &str) {
    let id = session.send(question);
    let result = session.result_of(&id);
    let detail = result["detail"].as_str().unwrap_or_default();
    assert!(result["status"] == "error" && detail.to_lowercase().contains("database"), "{result}");
    for inside in ["127.0.0.1", "reader", "mysql://", "pa%40ss", "panicked"] {
        assert!(!detail.contains(inside), "{detail}");
    }
}

#[test]
fn a_user_is_told_when_the_database_is_gone_and_is_answered_when_it_is_back() {
    let _alone = alone();
    let server = server(&url());
    let (session, other) = (server.session("asks"), server.session("other"));
    session.ask("wie viele Kunden haben wir?");
    run("MARIADB_STOP");
    fails(&session, "wie viele Objekte haben wir?");
    assert_eq!(other.ask("hello")["total_frames"], 2, "others notice nothing");
    assert_eq!(session.ask("hello")["total_frames"], 2, "the next message works");
    run("MARIADB_START");
    assert_eq!(session.ask("wie viele Objekte haben wir?")["path"], "expert");
}

#[test]
fn a_database_that_is_down_at_the_start_keeps_no_server_from_starting() {
    let _alone = alone();
    run("MARIADB_STOP");
    let server = server(&url());
    let session = server.session("early");
    fails(&session, "wie viele Kunden haben wir?");
    run("MARIADB_START");
    assert_eq!(session.ask("wie viele Kunden haben wir?")["path"], "expert");
}

/// Settings call it as the graph does, it calls itself `Shop-2`, and its names are of all kinds.
#[test]
fn a_model_is_shown_names_as_the_database_spells_them_and_mends_its_own() {
    let _alone = alone();
    make_shop();
    let (model, database) = (Provider::start(), format!("eras2_production={}", shop_url()));
    let options = ["--llm-url", &model.url(), "--model", "puppet", "--graph", "v4-eras", "--database", &database];
    let server = Server::with(&Setting { options: &options, ..Setting::default() });
    let session = server.session("names");
    let query = |sql: &str| json!({"tool": "query", "args": {"sql": sql}});
    let ask = |plan: Value| {
        let id = session.send(&plan.to_string());
        assert_eq!(session.result_of(&id)["status"], "done");
        session.read(&format!("/api/turn?id={id}"))
    };
    let turn = ask(json!({"expert": "eras", "say": "Done.", "tools": [
        {"tool": "describe", "args": {"table": "Order Details"}},
        {"tool": "describe", "args": {"table": "eras2_production.log-2024"}},
        query("SELECT `Unit Price` FROM eras2_production.`Order Details`"),
    ]}));
    assert!(turn.to_string().contains("19.90"), "{turn}");
    let turn = ask(json!({"expert": "eras", "say": "Done.",
        "tools": [query("SELECT COUNT(*) AS n FROM kunden")],
        "repair": [query("SELECT COUNT(*) AS n FROM `Shop-2`.Kunden")],
    }));
    let asked = model.asked_of("expert");
    let repair = asked.last().unwrap().to_string();
    assert!(asked.len() == 3 && repair.contains("there is Kunden, but no kunden"), "{repair}");
    assert!(turn["display"].to_string().contains("[[5]]") || turn.to_string().contains("[[5]]"), "{turn}");
    ask(json!({"expert": "eras", "say": "Done.", "tools": []}));
    let asked = model.asked_of("expert");
    let prompt = asked.last().unwrap()["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap().to_owned();
    for line in ["\nKunden", "\n- Id int", "\n- `Last Name` ", "\n`Order Details`", "\n- `Unit No` ", "\n`log-2024`"] {
        assert!(prompt.contains(line), "{line} is not in {prompt}");
    }
    assert!(!prompt.contains("\nkunden") && !prompt.contains("\norder details"), "{prompt}");
}
