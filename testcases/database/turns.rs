//! What a user sees of a database in trouble, through the real program.

#[path = "../endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "another test uses the rest")]
pub(super) mod support;

use super::{alone, run, url};
use support::{Conversation, Server, Setting};

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
