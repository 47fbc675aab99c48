//! A writer with readers beside it, and one that is killed.

use super::child;
use super::place::{Place, ended, name, numbers, record, turn};
use framewright::store::{SessionQuery, TurnQuery};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub(crate) fn reads_beside_a_writer(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&[record(&ann, 1)]).unwrap();
    let mut reader = store.reader().unwrap();
    assert_eq!(reader.records(&ann, 1, 9).unwrap().len(), 1);
    store.append(&ended(&ann, turn(2, "frage", "antwort"))).unwrap();
    assert_eq!(reader.turn(&ann, 2).unwrap().unwrap().turn.question, "frage");
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut seen, mut rounds) = (0, 0);
            while !is_done.load(Ordering::Relaxed) || rounds == 0 {
                // Each batch has a record and a turn: a reader never sees one without the other.
                let turns = reader.turns(&TurnQuery { limit: 1_000, ..TurnQuery::default() }).unwrap().len();
                let records = reader.records(&ann, 2, 1_000).unwrap().len();
                assert!(records >= turns && turns >= seen, "{records} {turns} {seen}");
                assert_eq!(reader.sessions(&SessionQuery { limit: 9, ..SessionQuery::default() }).unwrap().len(), 1);
                (seen, rounds) = (turns, rounds + 1);
            }
            reader
        });
        for number in 3..=100 {
            store.append(&ended(&ann, turn(number, "frage", "antwort"))).unwrap();
        }
        is_done.store(true, Ordering::Relaxed);
        let mut reader = reading.join().unwrap();
        assert_eq!(reader.records(&ann, 0, 1_000).unwrap().len(), 100);
    });
}

pub(crate) fn checks_that_it_can_write(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&[record(&ann, 1)]).unwrap();
    store.check().unwrap();
    store.check().unwrap();
    assert_eq!(store.library("check").unwrap(), None, "nothing of it stays");
    assert_eq!(numbers(&mut *store, &ann), [1]);
}

/// `kill -9` at any moment: what was acknowledged is there, once, and each batch as a whole.
pub(crate) fn loses_nothing_acknowledged_when_it_is_killed(place: &Place) {
    let ann = name("ann", "a");
    for round in 1..=5 {
        let acknowledged = child::killed_while_appending(&place.address(), 20 + 7 * round);
        let mut store = place.open();
        let records = numbers(&mut *store, &ann);
        assert!(records.len() as u64 >= acknowledged, "{} of {acknowledged}", records.len());
        assert_eq!(records, (1..=records.len() as u64).collect::<Vec<_>>());
        let turns = store.turns(&TurnQuery { limit: 100_000, ..TurnQuery::default() }).unwrap();
        assert_eq!(turns.len(), records.len(), "each batch has a record and a turn");
        assert_eq!(store.sessions(&SessionQuery { limit: 9, ..SessionQuery::default() }).unwrap()[0].turns, records.len() as u64);
        let found = TurnQuery { search: Some("frage".to_owned()), limit: 100_000, ..TurnQuery::default() };
        assert_eq!(store.turns(&found).unwrap().len(), records.len(), "the index is true");
    }
}
