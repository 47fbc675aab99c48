//! The file of a SQLite journal: who may open it, and what is refused.

use super::child;
use super::place::{Place, ended, kind, name, numbers, record, sqlite, turn};
use framewright::store::{Kind, Read, SessionQuery, sqlite as store};
use rusqlite::Connection;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

fn written() -> Place {
    let place = sqlite();
    place.open().append(&ended(&name("ann", "a"), turn(1, "frage", "antwort"))).unwrap();
    place
}

fn opens(path: &Path) -> Result<(), Kind> {
    store::open(path).map(|_| ()).map_err(|error| error.kind)
}

#[test]
fn only_one_process_writes_a_journal() {
    let place = written();
    let held = place.open();
    let link = place.path().with_file_name("link.db");
    symlink(place.path(), &link).unwrap();
    for path in [place.path(), link.clone()] {
        let error = store::open(&path).unwrap_err();
        assert_eq!(error.kind, Kind::Unavailable);
        let id = std::process::id().to_string();
        assert!(error.detail.contains(&id) && error.detail.contains("journal.db.lock"), "{error}");
        let output = child::command("opens_and_says_what_is_wrong", path.to_str().unwrap()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("outcome Unavailable") && said.contains(&id), "{said}");
    }
    // Tools read beside it.
    assert_eq!(store::read_only(&link).unwrap().records(&name("ann", "a"), 1, 9).unwrap().len(), 1);
    drop(held);
    assert_eq!(opens(&link), Ok(()));
}

#[test]
fn its_text_is_for_the_owner_only() {
    let place = written();
    let held = place.open();
    for entry in fs::read_dir(place.path().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
    }
    drop(held);
}

#[test]
fn what_is_no_journal_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let database = |name: &str, sql: &str| Connection::open(path(name)).unwrap().execute_batch(sql).unwrap();
    fs::write(path("text"), "no database, but longer than its header: ".repeat(50)).unwrap();
    fs::write(path("empty"), "").unwrap();
    database("foreign", "CREATE TABLE sessions (x)");
    database("foreign_id", "PRAGMA application_id = 7");
    database("versioned", "PRAGMA user_version = 3");
    database("vacuumed", "CREATE TABLE x (x); DROP TABLE x");
    for (name, outcome, what) in [
        ("text", Err(Kind::Corrupt), "backup"),
        ("foreign", Err(Kind::Format), "another program"),
        ("foreign_id", Err(Kind::Format), "another program"),
        ("versioned", Err(Kind::Format), "another program"),
        ("none/x.db", Err(Kind::Unavailable), "folder"),
        (".", Err(Kind::Unavailable), ""),
        ("vacuumed", Ok(()), ""),
        ("empty", Ok(()), ""),
        ("new", Ok(()), ""),
    ] {
        let before = fs::read(path(name)).ok();
        let error = store::open(&path(name)).map(|_| ());
        assert_eq!(error.clone().map_err(|error| error.kind), outcome, "{name}: {error:?}");
        if let Err(error) = error {
            assert!(error.detail.contains(what) && error.detail.contains(name), "{error}");
            assert_eq!(fs::read(path(name)).ok(), before, "{name}");
        }
    }
    for (name, outcome) in
        [("text", Some(Kind::Corrupt)), ("foreign", Some(Kind::Format)), ("absent", Some(Kind::Unavailable)), ("new", None)]
    {
        assert_eq!(store::read_only(&path(name)).err().map(|error| error.kind), outcome, "{name}");
    }
    fs::write(path("still_empty"), "").unwrap();
    assert_eq!(kind(store::read_only(&path("still_empty"))), Kind::Format);
}

#[test]
fn a_newer_format_is_refused() {
    let place = written();
    let connection = Connection::open(place.path()).unwrap();
    connection.execute_batch("UPDATE meta SET value = 99 WHERE name = 'format'; PRAGMA user_version = 99").unwrap();
    drop(connection);
    for error in [store::open(&place.path()).map(|_| ()).unwrap_err(), store::read_only(&place.path()).map(|_| ()).unwrap_err()] {
        assert_eq!(error.kind, Kind::Format);
        assert!(error.detail.contains("format 99") && error.detail.contains("newer"), "{error}");
    }
}

#[test]
fn a_corrupt_page_is_noticed_and_the_rest_can_be_read() {
    let place = sqlite();
    let mut journal = place.open();
    for user in 0..200 {
        journal.append(&ended(&name(&format!("user {user}"), "s"), turn(1, &"frage ".repeat(300), "antwort"))).unwrap();
    }
    drop(journal);
    let mut bytes = fs::read(place.path()).unwrap();
    let middle = bytes.len() / 4096 / 2 * 4096;
    bytes[middle..].fill(0xee);
    fs::write(place.path(), bytes).unwrap();
    let mut reader = store::read_only(&place.path()).unwrap();
    let outcomes: Vec<_> = (0..200).map(|user| reader.turn(&name(&format!("user {user}"), "s"), 1).map_err(|error| error.kind)).collect();
    assert!(outcomes.contains(&Err(Kind::Corrupt)), "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Ok(Some(_)))));
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Some(_)) | Err(Kind::Corrupt))), "{outcomes:?}");
}

#[test]
fn a_file_or_folder_that_cannot_be_written_is_read_only() {
    let place = written();
    let folder = place.path().parent().unwrap().to_owned();
    let lock = folder.join("journal.db.lock");
    let outcome = || {
        let output = child::without_rights("opens_and_says_what_is_wrong", &place.address()).output();
        output.ok().and_then(|output| child::said(&String::from_utf8_lossy(&output.stdout), "outcome"))
    };
    let modes = |of_folder, of_file| {
        fs::set_permissions(&folder, Permissions::from_mode(of_folder)).unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(of_file)).unwrap();
        fs::set_permissions(&lock, Permissions::from_mode(of_file)).unwrap();
    };
    modes(0o777, 0o666);
    if outcome().is_none_or(|said| !said.starts_with("written")) {
        return eprintln!("skipped: a user without rights can't run {:?}", std::env::current_exe().unwrap());
    }
    for (of_folder, of_file) in [(0o555, 0o666), (0o777, 0o444), (0o555, 0o444)] {
        modes(of_folder, of_file);
        let said = outcome().unwrap();
        assert!(said.starts_with("ReadOnly") && said.contains("writable"), "{of_folder:o} {of_file:o}: {said}");
    }
    modes(0o777, 0o666);
    assert_eq!(numbers(&mut *place.open(), &name("ann", "a")), [1]);
}

#[test]
fn a_full_disk_loses_nothing_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!("mount -t tmpfs -o size=16m tmpfs '{}' && exec \"$0\" \"$@\"", folder.path().display());
    let inner = child::command("fills_its_disk_and_goes_on_when_there_is_space", folder.path().join("journal.db").to_str().unwrap());
    let mut outer = Command::new("unshare");
    outer.args(["-m", "sh", "-c", &script]).arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let Ok(output) = outer.output() else { return eprintln!("skipped: unshare is missing") };
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare failed") || said.contains("mount: ") {
        return eprintln!("skipped: no right to mount a small disk");
    }
    assert!(said.contains("outcome recovered"), "{said}");
}

#[test]
fn deleted_text_is_in_no_file() {
    let place = sqlite();
    let mut journal = place.open();
    let secret = |user: &str| format!("{}geheim{user}wort", "füll ".repeat(20));
    for round in 0..20 {
        for user in ["ann", "bob"] {
            let text = secret(user);
            let session = name(user, &format!("{user}sitzung{round}"));
            let long = text.repeat(if round % 2 == 0 { 1 } else { 200 });
            let mut batch: Vec<_> = ended(&session, turn(1, &text, &long)).into();
            let item = framewright::store::Item::Snapshot { number: 1, bytes: long.clone().into_bytes() };
            batch.push(super::place::append(&session, 1, item));
            journal.append(&batch).unwrap();
            journal.rename(&session, &format!("titel{user}")).unwrap();
            journal.rate(&session, 1, Some(1), Some(&text)).unwrap();
        }
    }
    let mut reader = journal.reader().unwrap();
    assert_eq!(reader.sessions(&SessionQuery { limit: 99, ..SessionQuery::default() }).unwrap().len(), 40);
    let found = |word: &str| {
        let files = fs::read_dir(place.path().parent().unwrap()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(word.len()).any(|window| window == word.as_bytes())).count()
    };
    assert!(found("geheimann") > 0 && found("annsitzung") > 0 && found("titelann") > 0);
    assert_eq!(journal.delete_user("ann").unwrap().sessions, 20);
    for word in ["geheimann", "annsitzung", "titelann"] {
        assert_eq!(found(word), 0, "{word}");
    }
    assert!(found("geheimbob") > 0);
    let bobs = SessionQuery { search: Some("geheimb".to_owned()), limit: 99, ..SessionQuery::default() };
    assert_eq!(journal.sessions(&bobs).unwrap().len(), 20);
}

#[test]
fn a_file_that_was_removed_is_not_replaced_by_an_empty_one() {
    let place = written();
    let mut reader = store::read_only(&place.path()).unwrap();
    drop(reader.records(&name("ann", "a"), 1, 9).unwrap());
    drop(reader);
    fs::remove_file(place.path()).unwrap();
    assert_eq!(kind(store::read_only(&place.path())), Kind::Unavailable);
    assert!(!place.path().exists());
    let mut journal = place.open();
    journal.append(&[record(&name("ann", "a"), 1)]).unwrap();
}
