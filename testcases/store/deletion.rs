//! Deletion: complete, of nobody else, and in bounded steps.

use super::place::{NOTHING, Place, append, ended, name, numbers, record, snapshot, turn};
use framewright::contract::Time;
use framewright::store::{Append, Deleted, Item, Name, RETAIN_SESSIONS_MAX, Retention, SessionQuery, Store, TurnQuery};

fn full_session(store: &mut dyn Store, name: &Name) {
    store.append(&ended(name, turn(1, "erste frage", "erste antwort"))).unwrap();
    store.append(&ended(name, turn(2, "zweite frage", "zweite antwort"))).unwrap();
    store.append(&[snapshot(name, 1), snapshot(name, 2), append(name, 3, Item::Library { hash: "abc".to_owned() })]).unwrap();
    store.rate(name, 1, Some(1), Some("gut")).unwrap();
}

fn names(store: &mut dyn Store) -> Vec<String> {
    let rows = store.sessions(&SessionQuery { limit: 10_000, ..SessionQuery::default() }).unwrap();
    let mut names: Vec<String> = rows.into_iter().map(|row| format!("{}/{}", row.user, row.session)).collect();
    names.sort();
    names
}

fn has_nothing_of(store: &mut dyn Store, gone: &Name) {
    assert_eq!(numbers(store, gone), [0; 0]);
    assert_eq!((store.snapshot(gone, 9).unwrap(), store.turn(gone, 1).unwrap()), (None, None));
    let query = TurnQuery {
        user: Some(gone.user.clone()),
        session: Some(gone.session.clone()),
        with_hidden: true,
        limit: 9,
        ..TurnQuery::default()
    };
    assert_eq!(store.turns(&query).unwrap(), []);
    let loaded = store.load(gone).unwrap();
    assert_eq!((loaded.snapshot, loaded.records), (None, vec![]));
}

pub(crate) fn deletes_a_session_with_all_that_belongs_to_it(place: &Place) {
    let (gone, stays) = (name("ann", "gone"), name("ann", "stays"));
    let mut store = place.open();
    full_session(&mut *store, &gone);
    full_session(&mut *store, &stays);
    let bytes = store.sessions(&SessionQuery { limit: 1, ..SessionQuery::default() }).unwrap()[0].bytes;
    assert_eq!(store.delete(&gone).unwrap(), Deleted { sessions: 1, turns: 2, records: 2, bytes });
    assert_eq!(store.delete(&gone).unwrap(), NOTHING);
    has_nothing_of(&mut *store, &gone);
    assert_eq!(numbers(&mut *store, &stays), [1, 2]);
    assert_eq!(store.turn(&stays, 1).unwrap().unwrap().comment.as_deref(), Some("gut"));
    // The name can be used again.
    let generation = store.load(&gone).unwrap().generation;
    assert_eq!(generation, 2);
    store.append(&ended(&gone, turn(1, "neu", "neu")).map(|item| Append { generation, ..item })).unwrap();
    assert_eq!(store.turn(&gone, 1).unwrap().unwrap().rating, None);
}

pub(crate) fn deletes_a_user_and_no_other(place: &Place) {
    let mut store = place.open();
    for session in 0..450 {
        store.append(&[record(&name("ann", &format!("s{session}")), 1)]).unwrap();
    }
    full_session(&mut *store, &name("ann", "full"));
    for other in ["ann ", "Ann", "anna", "an", ""] {
        full_session(&mut *store, &name(other, "full"));
    }
    let deleted = store.delete_user("ann").unwrap();
    assert_eq!((deleted.sessions, deleted.records, deleted.turns), (451, 452, 2));
    has_nothing_of(&mut *store, &name("ann", "full"));
    has_nothing_of(&mut *store, &name("ann", "s0"));
    assert_eq!(names(&mut *store), ["/full", "Ann/full", "an/full", "ann /full", "anna/full"]);
    assert_eq!(store.delete_user("ann").unwrap(), NOTHING);
    assert_eq!(store.delete_user("nobody").unwrap(), NOTHING);
}

pub(crate) fn deletes_sessions_by_age(place: &Place) {
    let mut store = place.open();
    for (session, used_at) in [("a", 10), ("b", 20), ("c", 30), ("live", 5)] {
        store.append(&[Append { at: Time(used_at), ..record(&name("ann", session), 1) }]).unwrap();
    }
    let is_live = |name: &Name| name.session == "live";
    for (unused_since, left) in [
        (None, vec!["ann/a", "ann/b", "ann/c", "ann/live"]),
        (Some(10), vec!["ann/a", "ann/b", "ann/c", "ann/live"]),
        (Some(11), vec!["ann/b", "ann/c", "ann/live"]),
        (Some(31), vec!["ann/live"]),
    ] {
        store.retain(&Retention { unused_since: unused_since.map(Time), user_bytes_max: None }, &is_live).unwrap();
        assert_eq!(names(&mut *store), left, "{unused_since:?}");
    }
    let deleted = store.retain(&Retention { unused_since: Some(Time(31)), user_bytes_max: None }, &|_| false).unwrap();
    assert_eq!(deleted, Deleted { sessions: 1, records: 1, bytes: 7, ..NOTHING });
}

pub(crate) fn deletes_sessions_by_size(place: &Place) {
    let mut store = place.open();
    for (user, session, used_at, size) in
        [("ann", "a", 1, 400), ("ann", "b", 2, 300), ("ann", "c", 3, 200), ("bob", "a", 1, 900), ("cat", "a", 1, 100)]
    {
        let item = Item::Record { number: 1, bytes: vec![1; size] };
        store.append(&[append(&name(user, session), used_at, item)]).unwrap();
    }
    let retain = |store: &mut dyn Store, bytes, live: &str| {
        let retention = Retention { user_bytes_max: Some(bytes), ..Retention::default() };
        let live = live.to_owned();
        store.retain(&retention, &move |name| format!("{}/{}", name.user, name.session) == live).unwrap().sessions
    };
    for (bytes, live, deleted, left) in [
        (900, "", 0, vec!["ann/a", "ann/b", "ann/c", "bob/a", "cat/a"]),
        (899, "bob/a", 1, vec!["ann/b", "ann/c", "bob/a", "cat/a"]),
        (200, "bob/a", 1, vec!["ann/c", "bob/a", "cat/a"]),
        (100, "ann/c", 1, vec!["ann/c", "cat/a"]),
        (0, "", 2, vec![]),
    ] {
        assert_eq!(retain(&mut *store, bytes, live), deleted, "{bytes} {live}");
        assert_eq!(names(&mut *store), left, "{bytes} {live}");
    }
}

pub(crate) fn deletes_at_most_so_many_sessions_a_call(place: &Place) {
    let mut store = place.open();
    let all: Vec<Append> = (0..RETAIN_SESSIONS_MAX + 30).map(|session| record(&name("ann", &format!("s{session:03}")), 1)).collect();
    store.append(&all).unwrap();
    let retention = Retention { unused_since: Some(Time(u64::MAX)), user_bytes_max: Some(0) };
    assert_eq!(store.retain(&retention, &|_| false).unwrap().sessions, RETAIN_SESSIONS_MAX);
    assert_eq!(store.retain(&retention, &|name| name.session.as_str() < "s210").unwrap().sessions, 20);
    assert_eq!(store.retain(&retention, &|_| false).unwrap().sessions, 10);
    assert_eq!(store.retain(&retention, &|_| false).unwrap(), NOTHING);
}
