//! Loading: snapshots, and the records after them.

use super::place::{Place, append, bytes, name, record, snapshot, snapshot_bytes, turn};
use framewright::store::Item;

pub(crate) fn returns_the_older_of_two_snapshots_and_what_came_after_it(place: &Place) {
    let mut store = place.open();
    for (at, (snapshots, expected, first)) in [
        (&[][..], None, 1),
        (&[4][..], None, 1),
        (&[4, 6][..], Some(4), 5),
        (&[4, 6, 8][..], Some(6), 7),
        (&[8, 10][..], Some(8), 9),
        (&[9, 10, 10][..], Some(9), 10),
    ]
    .into_iter()
    .enumerate()
    {
        let session = name("ann", &at.to_string());
        store.append(&(1..=10).map(|number| record(&session, number)).collect::<Vec<_>>()).unwrap();
        store.append(&snapshots.iter().map(|number| snapshot(&session, *number)).collect::<Vec<_>>()).unwrap();
        let loaded = store.load(&session).unwrap();
        assert_eq!(loaded.snapshot, expected.map(|number| (number, snapshot_bytes(number))), "{snapshots:?}");
        let numbers: Vec<u64> = loaded.records.iter().map(|record| record.number).collect();
        assert_eq!(numbers, (first..=10).collect::<Vec<_>>(), "{snapshots:?}");
        assert!(loaded.records.iter().all(|record| record.bytes == bytes(record.number)));
    }
}

pub(crate) fn reads_records_and_snapshots_by_number(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&(1..=10).map(|number| record(&ann, number)).collect::<Vec<_>>()).unwrap();
    store.append(&[snapshot(&ann, 4), snapshot(&ann, 8)]).unwrap();
    for (from, limit, numbers) in
        [(0, 3, vec![1, 2, 3]), (1, 2, vec![1, 2]), (9, 9, vec![9, 10]), (11, 9, vec![]), (5, 0, vec![]), (10, usize::MAX, vec![10])]
    {
        let found: Vec<u64> = store.records(&ann, from, limit).unwrap().iter().map(|record| record.number).collect();
        assert_eq!(found, numbers, "from {from}, {limit}");
    }
    for (number, found) in [(3, None), (4, Some(4)), (7, Some(4)), (8, Some(8)), (u64::MAX, Some(8))] {
        assert_eq!(store.snapshot(&ann, number).unwrap().map(|(at, _)| at), found, "{number}");
    }
    let none = name("ann", "none");
    assert!(store.records(&none, 1, 9).unwrap().is_empty() && store.snapshot(&none, 9).unwrap().is_none());
}

/// `server.rs` and the unit tests of SQLite check that no more is read than is returned.
pub(crate) fn loads_a_long_session_from_its_latest_snapshots(place: &Place) {
    let (ann, bob) = (name("ann", "a"), name("bob", "b"));
    let mut store = place.open();
    long_session(&mut *store, &ann, 2_000);
    long_session(&mut *store, &bob, 100);
    let loaded = store.load(&ann).unwrap();
    assert_eq!((loaded.snapshot.map(|(number, _)| number), loaded.records.len()), (Some(1_980), 20));
}

/// A session of so many turns of one record each, with a snapshot every ten.
pub(crate) fn long_session(store: &mut dyn framewright::store::Store, name: &framewright::store::Name, turns: u64) {
    for first in (1..=turns).step_by(100) {
        let mut batch = Vec::new();
        for number in first..first + 100 {
            batch.extend([record(name, number), append(name, number, Item::Turn(Box::new(turn(number, "frage", "antwort"))))]);
        }
        batch.extend([snapshot(name, first + 79), snapshot(name, first + 99)]);
        store.append(&batch).unwrap();
    }
}
