//! What planners are shown of a database before anything was asked, and after it has changed.

use crate::support::{Conversation, Folder, Server, Setting, eventually};
use rusqlite::Connection;

/// The first prompt of the database expert, once it has this.
fn prompt_with(session: &Conversation, text: &str) -> String {
    eventually(&format!("a prompt with «{text}»"), || {
        let question = session.read("/api/graph/prompt?node=eras&text=Wie%20viele%20Rechnungen%20dieses%20Jahr");
        let prompt = question["messages"][1]["content"].as_str().unwrap().to_owned();
        prompt.contains(text).then_some(prompt)
    })
}

#[test]
fn the_schema_its_meanings_and_the_date_reach_the_planner_before_the_first_message() {
    let server = Server::with(&Setting { options: &["--graph", "v4-eras"], ..Setting::default() });
    let session = server.session("new");
    let prompt = prompt_with(&session, "rechnungen (288 rows)");
    for line in [
        "- jahr int: 2022, 2023, 2024 (the year billed; issued the year after, see ausgestellt_am)",
        "- ausgestellt_am date: '2023-03-01' to '2025-06-28'",
        "- status varchar(12): 'bezahlt', 'gemahnt', 'offen' (offen and gemahnt are both unpaid; gemahnt was reminded)",
        "- nutzer varchar(60), nullable (the tenant, who may have several units; NULL where the unit is vacant)",
        "- objekt_id int -> objekte.id",
    ] {
        assert!(prompt.contains(&format!("\n{line}\n")), "{line} is not in {prompt}");
    }
    let today = prompt.split_once("## today\n").unwrap().1.lines().next().unwrap();
    let (day, latest) = today.split_once(", ").unwrap();
    assert!(day.ends_with("day") && latest.ends_with("; the latest date in the database is 2025-06-28"), "{today}");
    assert!(!prompt.contains("nothing is described yet"));
    // A session from before the survey gets it too; its first question describes what it queries, its second nothing.
    assert_eq!(session.ask("wie viele Kunden haben wir?")["path"], "expert");
    prompt_with(&session, "rechnungen (288 rows)");
}

#[test]
fn a_database_that_changes_is_surveyed_again_and_all_sessions_know() {
    let folder = Folder::new();
    let path = folder.path().join("eras.db");
    let run = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    run("CREATE TABLE kunden (id int PRIMARY KEY, art text); INSERT INTO kunden VALUES (1, 'a'), (2, 'a')");
    let database = format!("eras2_production=sqlite:{}", path.display());
    let server = Server::with(&Setting { options: &["--graph", "v4-eras", "--database", &database], ..Setting::default() });
    let old = server.session("old");
    prompt_with(&old, "kunden (2 rows): customers, who own or manage properties\n- id int, primary key\n- art text, nullable: 'a'\n");
    old.ask("wie viele Kunden haben wir?");
    run("ALTER TABLE kunden ADD COLUMN seit date; UPDATE kunden SET seit = '2024-05-06'");
    // Another session describes the table: it differs from the survey.
    let mut asked = 0;
    eventually("a survey of the changed table", || {
        asked += 1;
        server.session(&format!("other{asked}")).ask("wie viele Kunden haben wir?");
        let question = old.read("/api/graph/prompt?node=eras&text=x");
        question["messages"][1]["content"].as_str().unwrap().contains("- seit date, nullable: '2024-05-06'").then_some(())
    });
}
