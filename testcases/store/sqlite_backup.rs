//! Backups of a SQLite journal, with and without a server beside it.

use super::child;
use super::place::{Place, ended, kind, name, numbers, sqlite, turn};
use framewright::store::{Kind, Read, Store, TurnQuery, sqlite as store};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

fn backup(place: &Place, to: &Path) -> Result<(), Kind> {
    store::read_only(&place.path()).unwrap().backup(to).map_err(|error| error.kind)
}

/// Each backup is a journal: whole batches from the first on.
fn checked(path: &Path) -> usize {
    let mut copy = store::open(path).unwrap();
    let records = numbers(&mut copy, &name("ann", "a"));
    assert_eq!(records, (1..=records.len() as u64).collect::<Vec<_>>());
    let turns = TurnQuery { search: Some("frage".to_owned()), limit: 100_000, ..TurnQuery::default() };
    assert_eq!(copy.turns(&turns).unwrap().len(), records.len());
    records.len()
}

#[test]
fn copies_a_journal_that_another_process_writes() {
    let place = sqlite();
    let folder = place.path().parent().unwrap().to_owned();
    let mut writer = child::command("appends_until_it_is_killed", &place.address());
    let mut writer = writer.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut acknowledged = move || loop {
        let line = lines.next().unwrap().unwrap();
        if let Some(number) = child::said(&line, "acknowledged") {
            return number.parse::<usize>().unwrap();
        }
    };
    for round in 0..5 {
        let before = (0..20).map(|_| acknowledged()).last().unwrap();
        let copy = folder.join(format!("backup {round}.db"));
        assert_eq!(backup(&place, &copy), Ok(()));
        assert!(checked(&copy) >= before);
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
}

#[test]
fn a_backup_is_one_file_for_its_owner_that_can_be_read_and_continued() {
    use std::os::unix::fs::PermissionsExt;
    let place = sqlite();
    let mut journal = place.open();
    journal.append(&ended(&name("ann", "a"), turn(1, "frage", "antwort"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    assert_eq!(backup(&place, &copy), Ok(()));
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["copy.db"]);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o077, 0);
    assert_eq!(store::read_only(&copy).unwrap().records(&name("ann", "a"), 1, 9).unwrap().len(), 1);
    // A backup of a backup.
    assert_eq!(store::read_only(&copy).unwrap().backup(&folder.path().join("again.db")).map_err(|error| error.kind), Ok(()));
    let mut restored = store::open(&copy).unwrap();
    assert_eq!(restored.load(&name("ann", "a")).unwrap().generation, 2);
    assert_eq!(journal.load(&name("ann", "a")).unwrap().generation, 2, "they are two journals");
}

#[test]
fn a_backup_never_overwrites_a_file_and_leaves_nothing_when_it_fails() {
    let place = sqlite();
    place.open().append(&ended(&name("ann", "a"), turn(1, "frage", "antwort"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken.db");
    fs::write(&taken, "precious").unwrap();
    let dangling = folder.path().join("link.db");
    std::os::unix::fs::symlink("nowhere", &dangling).unwrap();
    for to in [&taken, &dangling] {
        let error = store::read_only(&place.path()).unwrap().backup(to).unwrap_err();
        assert_eq!(error.kind, Kind::Other);
        assert!(error.detail.contains("exists already"), "{error}");
    }
    assert_eq!(backup(&place, &place.path()), Err(Kind::Other));
    assert_eq!(backup(&place, &folder.path().join("none/x.db")), Err(Kind::Unavailable));
    assert_eq!(fs::read(&taken).unwrap(), b"precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let text = folder.path().join("text.db");
    fs::write(&text, "no database ".repeat(100)).unwrap();
    assert_eq!(kind(store::read_only(&text)), Kind::Corrupt);
}
