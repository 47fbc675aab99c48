//! The other process of some tests: this program again, with one of these tests that are ignored otherwise.

use super::place::{ended, name, open, record, turn};
use framewright::store::{Append, Kind};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

const ADDRESS: &str = "STORE_ADDRESS";

/// Runs one of the tests below in a process of its own.
pub(crate) fn command(test: &str, address: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "--nocapture", &format!("child::{test}")]).env(ADDRESS, address);
    command
}

/// The same as a user without rights, where this is root.
pub(crate) fn without_rights(test: &str, address: &str) -> Command {
    let mut command = command(test, address);
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    command
}

fn address() -> String {
    std::env::var(ADDRESS).expect("another test starts this one")
}

/// What a child says: the rest of the line after `word`. The test harness writes on the same lines.
pub(crate) fn said(line: &str, word: &str) -> Option<String> {
    line.split_once(word).map(|(_, rest)| rest.trim().to_owned())
}

/// Starts a child that appends, and kills it after so many acknowledgements. Returns the last number that it acknowledged.
pub(crate) fn killed_while_appending(address: &str, count: u64) -> u64 {
    let mut child = command("appends_until_it_is_killed", address).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acknowledged = lines.map_while(Result::ok).filter_map(|line| said(&line, "acknowledged"));
    let last = acknowledged.take(count as usize).last();
    child.kill().unwrap();
    child.wait().unwrap();
    last.unwrap().parse().unwrap()
}

#[test]
#[ignore = "another test starts it"]
fn appends_until_it_is_killed() {
    let ann = name("ann", "a");
    let mut store = open(&address()).unwrap();
    let loaded = store.load(&ann).unwrap();
    let next = loaded.records.last().map_or(1, |record| record.number + 1);
    for number in next.. {
        let batch = ended(&ann, turn(number, "frage", "antwort")).map(|item| Append { generation: loaded.generation, ..item });
        store.append(&batch).unwrap();
        println!("acknowledged {number}");
    }
}

#[test]
#[ignore = "another test starts it"]
fn opens_and_says_what_is_wrong() {
    match open(&address()) {
        Ok(mut store) => match store.append(&[record(&name("new", "n"), 1)]) {
            Ok(()) => println!("outcome written"),
            Err(error) => println!("outcome {:?} {error}", error.kind),
        },
        Err(error) => println!("outcome {:?} {error}", error.kind),
    }
}

#[test]
#[ignore = "another test starts it"]
fn fills_its_disk_and_goes_on_when_there_is_space() {
    let ann = name("ann", "a");
    let path = address();
    let filler = format!("{path}.filler");
    std::fs::write(&filler, vec![1; 8 << 20]).unwrap();
    let mut store = open(&path).unwrap();
    let batch = |number| ended(&ann, turn(number, &"frage ".repeat(500), "antwort"));
    let (mut number, mut failures) = (1, 0);
    while failures < 3 {
        match store.append(&batch(number)) {
            Ok(()) => number += 1,
            Err(error) => {
                assert_eq!(error.kind, Kind::Full, "{error}");
                failures += 1;
            }
        }
    }
    // The log may have room for this little, where the batch had none.
    assert!(store.check().map_or_else(|error| error.kind == Kind::Full, |()| true));
    assert_eq!(store.records(&ann, 0, 100_000).unwrap().len() as u64, number - 1, "it can be read");
    std::fs::remove_file(&filler).unwrap();
    store.check().unwrap();
    for number in number..number + 20 {
        store.append(&batch(number)).unwrap();
    }
    drop(store);
    let mut store = open(&path).unwrap();
    assert_eq!(store.records(&ann, 0, 100_000).unwrap().len() as u64, number + 19);
    println!("outcome recovered");
}
