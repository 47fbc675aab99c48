//! Generations: who may append to a session.

use super::place::{NOTHING, Place, append, kind, name, numbers, record};
use framewright::store::{Append, Deleted, Item, Kind, Loaded, Name};

fn in_generation(generation: u32, append: Append) -> Append {
    Append { generation, ..append }
}

pub(crate) fn refuses_a_generation_that_was_loaded_again(place: &Place) {
    let (ann, bob) = (name("ann", "a"), name("bob", "b"));
    let mut store = place.open();
    store.append(&[record(&ann, 1), record(&bob, 1)]).unwrap();
    assert_eq!(store.load(&ann).unwrap().generation, 2);
    for item in [record(&ann, 2), append(&ann, 1, Item::Cleared), append(&ann, 1, Item::Library { hash: "x".to_owned() })] {
        let error = store.append(&[record(&bob, 2), item]).unwrap_err();
        assert_eq!((error.kind, error.name.as_ref()), (Kind::Fenced, Some(&ann)));
        assert!(!error.detail.contains("ann"), "the log names no users: {error}");
    }
    assert_eq!(numbers(&mut *store, &bob), [1], "nothing of the batch is kept");
    store.append(&[in_generation(2, record(&ann, 2)), record(&bob, 2)]).unwrap();
    assert_eq!(numbers(&mut *store, &ann), [1, 2]);
    let generations: Vec<u32> = store.records(&ann, 1, 9).unwrap().iter().map(|record| record.generation).collect();
    assert_eq!(generations, [1, 2]);
}

pub(crate) fn refuses_to_append_to_a_deleted_session(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&[record(&ann, 1)]).unwrap();
    assert_eq!(store.delete(&ann).unwrap().sessions, 1);
    for item in [record(&ann, 2), append(&ann, 1, Item::Cleared)] {
        let error = store.append(&[item]).unwrap_err();
        assert_eq!((error.kind, error.name), (Kind::Fenced, Some(ann.clone())));
    }
    assert_eq!(numbers(&mut *store, &ann), [0; 0]);
}

pub(crate) fn refuses_what_another_server_created_meanwhile(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    // One server loads it, then a deletion raises the floor, then another loads it; the first one is first to append.
    assert_eq!(store.load(&ann).unwrap().generation, 1);
    deleted_in_generation(&mut *store, &name("old", "o"), 3);
    assert_eq!(store.load(&ann).unwrap().generation, 4);
    store.append(&[record(&ann, 1)]).unwrap();
    assert_eq!(kind(store.append(&[in_generation(4, record(&ann, 1))])), Kind::Fenced);
    assert_eq!(numbers(&mut *store, &ann), [1]);
}

fn deleted_in_generation(store: &mut dyn framewright::store::Store, name: &Name, generation: u32) {
    let first = store.load(name).unwrap().generation;
    store.append(&[in_generation(first, record(name, 1))]).unwrap();
    while store.load(name).unwrap().generation < generation {}
    store.delete(name).unwrap();
}

pub(crate) fn never_uses_a_generation_twice(place: &Place) {
    let (ann, new) = (name("ann", "a"), name("new", "n"));
    let mut store = place.open();
    let first = Loaded { generation: 1, ..Loaded::default() };
    assert_eq!(store.load(&ann).unwrap(), first);
    assert_eq!(store.load(&ann).unwrap(), first, "to load what doesn't exist keeps nothing");
    assert_eq!(store.delete(&ann).unwrap(), NOTHING);
    store.append(&[record(&ann, 1)]).unwrap();
    let mut highest = 1;
    for _ in 0..3 {
        for _ in 0..2 {
            highest += 1;
            assert_eq!(store.load(&ann).unwrap().generation, highest);
            drop(store);
            store = place.open();
        }
        assert_eq!(store.delete(&ann).unwrap(), Deleted { sessions: 1, records: 1, bytes: 7, ..NOTHING });
        drop(store);
        store = place.open();
        assert_eq!(store.load(&new).unwrap().generation, highest + 1, "of any name");
        highest += 1;
        assert_eq!(store.load(&ann).unwrap().generation, highest);
        store.append(&[in_generation(highest, record(&ann, 1))]).unwrap();
    }
    // A lower one doesn't lower the floor.
    store.delete(&ann).unwrap();
    let generation = store.load(&new).unwrap().generation;
    store.append(&[in_generation(generation, record(&new, 1))]).unwrap();
    store.delete(&new).unwrap();
    assert_eq!(store.load(&ann).unwrap().generation, generation + 1);
}
