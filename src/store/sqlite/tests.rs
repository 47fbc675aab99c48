//! What can be seen only from inside: limits of a connection, plans of statements, the age of libraries.

use super::super::{Append, CHECK_BYTES, FORMAT, Item, Kind, Name, Retention, SessionQuery, Store, Turn, TurnQuery, Undelivered, load};
use super::compact::STEP_PAGES;
use super::{Sqlite, open};
use crate::contract::Time;
use crate::store::Read;
use std::fs;

fn name() -> Name {
    Name { user: "ann".to_owned(), session: "a".to_owned() }
}

fn record(number: u64, size: usize) -> Append {
    Append { name: name(), generation: 1, at: Time(number), item: Item::Record { number, bytes: vec![7; size] } }
}

fn set(store: &mut Sqlite, sql: &str) {
    store.handle.connection().unwrap().execute_batch(sql).unwrap();
}

fn value(store: &mut Sqlite, sql: &str) -> i64 {
    store.handle.connection().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn after_a_full_disk_it_goes_on_with_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder.path().join("journal.db")).unwrap();
    store.append(&[record(1, 100)]).unwrap();
    let pages = value(&mut store, "PRAGMA page_count");
    set(&mut store, &format!("PRAGMA max_page_count = {pages}"));
    let error = store.append(&[record(2, 10), record(3, 100_000)]).unwrap_err();
    assert_eq!(error.kind, Kind::Full, "{error}");
    assert!(error.detail.contains("journal.db") && error.detail.contains("free space"), "{error}");
    assert_eq!(store.check().unwrap_err().kind, Kind::Full, "{CHECK_BYTES} bytes don't fit");
    assert_eq!(store.records(&name(), 1, 9).unwrap().len(), 1, "it can be read");
    set(&mut store, "PRAGMA max_page_count = 1000000");
    store.append(&[record(2, 10), record(3, 100_000)]).unwrap();
    assert_eq!(store.records(&name(), 1, 9).unwrap().len(), 3);
}

#[test]
fn nothing_is_kept_in_a_file_that_was_moved_away_or_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = open(&path).unwrap();
    let mut number = 1;
    for file in ["journal.db", "journal.db-wal"] {
        store.append(&[record(number, 1)]).unwrap();
        let (here, away) = (folder.path().join(file), folder.path().join("away"));
        fs::rename(&here, &away).unwrap();
        for replace in [false, true] {
            if replace {
                fs::copy(&away, &here).unwrap();
            }
            for error in [store.check().unwrap_err(), store.append(&[record(number + 1, 1)]).unwrap_err()] {
                assert!(error.kind == Kind::Moved && error.detail.ends_with("move it back, or restart the server"), "{file}: {error}");
            }
        }
        fs::rename(&away, &here).unwrap();
        store.check().unwrap();
        store.append(&[record(number + 1, 1)]).unwrap();
        number += 2;
    }
    drop(store);
    assert_eq!(open(&path).unwrap().records(&name(), 1, 9).unwrap().len(), 4);
}

#[test]
fn a_log_that_was_deleted_takes_nothing_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = open(&path).unwrap();
    store.append(&[record(1, 1)]).unwrap();
    fs::remove_file(folder.path().join("journal.db-wal")).unwrap();
    assert_eq!(store.append(&[record(2, 1)]).unwrap_err().kind, Kind::Moved);
    // As after `kill -9`.
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    assert_eq!(open(&copy).unwrap().records(&name(), 1, 9).unwrap().len(), 1);
}

#[test]
fn the_format_of_a_journal_is_read_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    // Each of these means something in a URL.
    let path = folder.path().join("a journal?x=%20#1.db");
    let names = || {
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!((super::format(&path), names()), (Ok(0), Vec::new()));
    let mut store = open(&path).unwrap();
    store.append(&[record(1, 1)]).unwrap();
    let beside = names();
    assert_eq!((super::format(&path), names()), (Ok(FORMAT), beside));
    set(&mut store, "PRAGMA user_version = 1");
    assert_eq!(super::format(&path), Ok(1), "what only the log has counts");
    drop(store);
    let before = (fs::read(&path).unwrap(), names());
    assert_eq!(super::format(&path), Ok(1));
    assert_eq!((fs::read(&path).unwrap(), names()), before);
}

#[test]
fn a_read_only_database_is_read_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder.path().join("journal.db")).unwrap();
    set(&mut store, "PRAGMA query_only = ON");
    assert_eq!(store.append(&[record(1, 1)]).unwrap_err().kind, Kind::ReadOnly);
    store.append(&[record(1, 1)]).unwrap();
}

#[test]
fn each_connection_syncs_and_erases() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder.path().join("journal.db")).unwrap();
    for (pragma, set) in [
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("secure_delete", 1),
        ("auto_vacuum", 2),
        ("user_version", 2),
        ("application_id", 0x6677_6a6c),
    ] {
        assert_eq!(value(&mut store, &format!("PRAGMA {pragma}")), set, "{pragma}");
    }
}

#[test]
fn loading_and_pages_of_histories_use_indexes_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder.path().join("journal.db")).unwrap();
    for sql in [
        "SELECT id, generation FROM sessions WHERE user = ? AND session = ?",
        load::OLDER_SNAPSHOT,
        load::RECORDS,
        "SELECT number, bytes FROM snapshots WHERE session_id = ? AND number <= ? ORDER BY number DESC LIMIT 1",
        "SELECT t.turn FROM turns t JOIN sessions s ON s.id = t.session_id WHERE s.user = ? AND s.session = ? AND t.turn < ? \
         ORDER BY t.turn DESC, t.session_id DESC LIMIT 20",
        "SELECT s.user FROM sessions s WHERE s.user = ? AND s.used_at <= ? ORDER BY s.used_at DESC, s.user, s.session LIMIT 20",
    ] {
        let connection = store.handle.connection().unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let plan: Vec<String> = statement.raw_query().mapped(|row| row.get::<_, String>("detail")).collect::<Result<_, _>>().unwrap();
        let is_indexed = |step: &String| step.starts_with("SEARCH ") && step.contains(" USING ");
        assert!(plan.iter().all(is_indexed), "{sql}: {plan:?}");
    }
}

#[test]
fn a_log_that_a_reader_holds_is_emptied_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = open(&path).unwrap();
    let turn = Turn { turn: 1, number: 1, question: "geheimnis".to_owned(), ..Turn::default() };
    store.append(&[record(1, 1), Append { item: Item::Turn(Box::new(turn)), ..record(1, 1) }]).unwrap();
    let reader = rusqlite::Connection::open(&path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    reader.query_row("SELECT COUNT(*) FROM turns", [], |_| Ok(())).unwrap();
    store.handle.connection().unwrap();
    store.is_erasing = true;
    store.append(&[record(2, 1)]).unwrap();
    assert!(store.is_erasing, "it waits for the reader, without waiting");
    reader.execute_batch("COMMIT").unwrap();
    store.append(&[record(3, 1)]).unwrap();
    assert!(!store.is_erasing);
}

#[test]
fn libraries_that_no_session_names_leave_after_a_day() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = open(&path).unwrap();
    for hash in ["named", "unnamed", "own"] {
        store.keep_library(hash, b"files").unwrap();
    }
    let names = Append { item: Item::Library { hash: "named".to_owned() }, ..record(1, 1) };
    let other = |session: &str, append: Append| Append { name: Name { user: "bob".to_owned(), session: session.to_owned() }, ..append };
    store.append(&[record(1, 1), names.clone(), other("b", record(1, 1))]).unwrap();
    drop(store);
    let mut store = open(&path).unwrap();
    store.keep_library("own", b"files").unwrap();
    set(&mut store, "UPDATE libraries SET kept_at = 1");
    let left = |store: &mut Sqlite| {
        store.retain(&Retention::default(), &|_| false).unwrap();
        ["named", "unnamed", "own"].into_iter().filter(|hash| store.library(hash).unwrap().is_some()).collect::<Vec<_>>()
    };
    assert_eq!(left(&mut store), ["named", "unnamed", "own"], "bob's session may need any");
    store.append(&[other("b", names)]).unwrap();
    assert_eq!(left(&mut store), ["named", "own"]);
    store.delete_user("bob").unwrap();
    assert_eq!(left(&mut store), ["named", "own"]);
    store.delete(&name()).unwrap();
    assert_eq!(left(&mut store), ["own"]);
}

#[test]
fn an_unused_journal_has_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(&folder.path().join("journal.db")).unwrap();
    assert!(store.sessions(&SessionQuery { limit: 9, ..SessionQuery::default() }).unwrap().is_empty());
    assert!(store.turns(&TurnQuery { limit: 9, ..TurnQuery::default() }).unwrap().is_empty());
}

#[test]
fn a_journal_of_the_first_format_is_brought_to_this_one_with_all_that_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = open(&path).unwrap();
    store.append(&[record(1, 100)]).unwrap();
    set(&mut store, "DROP TABLE deliveries; DROP TABLE spent; UPDATE meta SET value = 1 WHERE name = 'format'; PRAGMA user_version = 1;");
    drop(store);
    let error = super::read_only(&path).unwrap_err();
    assert!(error.kind == Kind::Format && error.detail.contains("older format"), "{error}");
    let mut store = open(&path).unwrap();
    assert_eq!(store.records(&name(), 1, 9).unwrap().len(), 1);
    assert_eq!((store.spent().unwrap(), store.undelivered(Time(u64::MAX)).unwrap()), (Vec::new(), Undelivered::default()));
    assert_eq!((value(&mut store, "PRAGMA user_version"), value(&mut store, "SELECT value FROM meta WHERE name = 'format'")), (2, 2));
}

/// A journal with sessions of so many bytes together, of which the first half was deleted.
fn half_deleted(path: &std::path::Path, is_of_an_earlier_version: bool) -> Sqlite {
    if is_of_an_earlier_version {
        // That made files that don't keep track of where each page belongs.
        let file = rusqlite::Connection::open(path).unwrap();
        file.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a); DROP TABLE t;").unwrap();
    }
    let mut store = open(path).unwrap();
    let of = |number: u64| Name { session: format!("s{number}"), ..name() };
    for number in 0..40 {
        // What can't be packed.
        let bytes = (0..200_000_u64).map(|at| (at.wrapping_mul(0x9E37_79B9_7F4A_7C15 ^ number) >> 32) as u8).collect();
        store.append(&[Append { name: of(number), item: Item::Record { number: 1, bytes }, ..record(1, 0) }]).unwrap();
    }
    (0..20).for_each(|number| assert_eq!(store.delete(&of(number)).unwrap().sessions, 1));
    store
}

fn size(path: &std::path::Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

#[test]
fn a_file_gets_smaller_after_deletions_in_small_steps_between_which_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = half_deleted(&path, false);
    let (before, mut steps, mut free) = (size(&path), 0, value(&mut store, "PRAGMA freelist_count"));
    assert!(free > 3 * STEP_PAGES as i64, "{free}");
    while store.compact().unwrap() {
        let left = value(&mut store, "PRAGMA freelist_count");
        assert!(free - left <= STEP_PAGES as i64 && left < free, "a step is bounded: {left} of {free} pages");
        steps += 1;
        store.append(&[record(steps, 10)]).unwrap();
        free = value(&mut store, "PRAGMA freelist_count");
    }
    let after = size(&path);
    assert!(steps >= 3 && after < before * 2 / 3, "{before} bytes, after {steps} steps {after}");
    assert_eq!(value(&mut store, "SELECT COUNT(*) FROM sessions"), 21);
    let found: String = store.handle.connection().unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    assert!(!store.compact().unwrap(), "there is nothing left to do");
    assert_eq!(size(&path), after);
}

#[test]
fn a_file_of_an_earlier_version_is_left_as_it_is_until_it_is_rebuilt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.db");
    let mut store = half_deleted(&path, true);
    let before = size(&path);
    assert_eq!(value(&mut store, "PRAGMA auto_vacuum"), 0);
    assert!(!store.compact().unwrap() && size(&path) == before);
    store.rebuild().unwrap();
    let rebuilt = size(&path);
    assert!(rebuilt < before * 2 / 3, "{before} bytes, rebuilt {rebuilt}");
    assert_eq!(value(&mut store, "PRAGMA auto_vacuum"), 2);
    for number in 20..30 {
        store.delete(&Name { session: format!("s{number}"), ..name() }).unwrap();
    }
    while store.compact().unwrap() {}
    assert!(size(&path) < rebuilt * 2 / 3 && store.records(&Name { session: "s30".to_owned(), ..name() }, 1, 9).unwrap().len() == 1);
    drop(store);
    assert_eq!(open(&path).unwrap().records(&Name { session: "s39".to_owned(), ..name() }, 1, 9).unwrap().len(), 1);
}
