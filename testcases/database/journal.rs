//! A journal on a real MariaDB: sessions come back, also after the database server was killed in the middle.

use super::turns::support::{Folder, Server, Setting, eventually, nobody};
use super::{alone, run};
use mysql::prelude::Queryable;
use serde_json::json;

#[test]
fn sessions_live_in_a_database_server_and_survive_its_end() {
    let _alone = alone();
    let admin = std::env::var("MARIADB_ADMIN_URL").expect("run ./testcases/mariadb cargo test --test database");
    let name = format!("journal_of_sessions_{}", std::process::id());
    let mut connection = mysql::Conn::new(mysql::Opts::from_url(&admin).unwrap()).unwrap();
    connection.query_drop(format!("CREATE DATABASE {name}")).unwrap();
    let (before, _) = admin.rsplit_once('/').unwrap();
    let url = format!("{before}/{name}");
    let (data, listen) = (Folder::new(), Some(nobody()));
    let options = ["--journal", &url];
    let setting = Setting { listen, data: Some(data.path()), options: &options, ..Setting::default() };
    let mut server = Server::with(&setting);
    let session = server.session("s");
    session.ask("hello");
    session.ask("why is the sky blue?");
    session.memorized();
    let messages = session.messages();
    server.signal("KILL");
    server.ended();
    server = Server::with(&setting);
    assert_eq!(session.messages(), messages);
    run("MARIADB_STOP");
    let refused = eventually("a refusal", || {
        let answer = session.call("POST", "/api/send", Some(&json!({ "text": "hello" })));
        // One that was taken before the failure was known runs later, and says so.
        (answer.status == 503 && answer.code() != "unconfirmed").then_some(answer)
    });
    assert_eq!(refused.code(), "journal_unavailable", "{}", refused.text());
    let ready = session.call("GET", "/readyz", None);
    assert_eq!((ready.status, ready.json()["checks"]["journal"]["ok"].clone()), (503, json!(false)));
    run("MARIADB_START");
    eventually("the journal to work again", || (session.call("GET", "/readyz", None).status == 200).then_some(()));
    eventually("the end of what ran", || (session.result()["status"] != "running").then_some(()));
    session.ask("hello");
    let after = session.messages();
    assert_eq!(after[..messages.len()], messages[..]);
    assert!(!server.said().contains("pa%40ss") && !server.said().contains(":k@"), "no password is logged");
}
