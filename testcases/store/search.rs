//! Searches: beginnings of words, in any case, and never syntax.

use super::place::{Place, append, ended, name, turn};
use framewright::store::{Append, Item, Name, SessionQuery, Store, Turn, TurnQuery};

/// A session's first record, which ends a turn of any number.
fn first(name: &Name, number: u64, (question, answer): (&str, &str)) -> [Append; 2] {
    ended(name, Turn { number: 1, ..turn(number, question, answer) })
}

fn turns(store: &mut dyn Store, search: &str) -> Vec<u64> {
    let rows = store.turns(&TurnQuery { search: Some(search.to_owned()), limit: 99, ..TurnQuery::default() }).unwrap();
    let mut found: Vec<u64> = rows.iter().map(|row| row.turn.turn).collect();
    found.sort_unstable();
    found
}

fn sessions(store: &mut dyn Store, search: &str) -> Vec<String> {
    let rows = store.sessions(&SessionQuery { search: Some(search.to_owned()), limit: 99, ..SessionQuery::default() }).unwrap();
    let mut found: Vec<String> = rows.into_iter().map(|row| row.session).collect();
    found.sort();
    found
}

pub(crate) fn finds_beginnings_of_words_in_titles_questions_and_answers(place: &Place) {
    let mut store = place.open();
    store.append(&first(&name("ann", "s1"), 1, ("Wie hoch ist der Stromverbrauch?", "Genau 3,50 € je Tag."))).unwrap();
    store.append(&first(&name("ann", "s2"), 2, ("Über die Ökobilanz der Gebäude", "Die Häuser: größer, (wärmer)."))).unwrap();
    store.append(&first(&name("bob", "s3"), 3, ("the who, a-b", "日本語 und Ελλάδα и Москва u\u{308}bel"))).unwrap();
    store.append(&first(&name("bob", "s4"), 4, ("nichts", "leer"))).unwrap();
    store.rename(&name("bob", "s4"), "Quartalsbericht von Müller").unwrap();
    for (search, in_turns, in_sessions) in [
        ("strom", vec![1], vec!["s1"]),
        ("STROMVERBRAUCH", vec![1], vec!["s1"]),
        ("verbrauch", vec![], vec![]),
        ("strom genau", vec![1], vec!["s1"]),
        ("strom häuser", vec![], vec![]),
        ("über", vec![2], vec!["s2"]),
        ("ÜBER ÖKO", vec![2], vec!["s2"]),
        ("wärmer", vec![2], vec!["s2"]),
        ("größe", vec![2], vec!["s2"]),
        ("3,50", vec![1], vec!["s1"]),
        ("who", vec![3], vec!["s3"]),
        ("a", vec![3], vec!["s3"]),
        ("日本", vec![3], vec!["s3"]),
        ("ελλ", vec![3], vec!["s3"]),
        ("МОСК", vec![3], vec!["s3"]),
        ("übel", vec![3], vec!["s3"]),
        ("quartal", vec![], vec!["s4"]),
        ("müller QUARTAL", vec![], vec!["s4"]),
        ("d", vec![1, 2], vec!["s1", "s2"]),
        ("", vec![1, 2, 3, 4], vec!["s1", "s2", "s3", "s4"]),
        ("\t", vec![1, 2, 3, 4], vec!["s1", "s2", "s3", "s4"]),
    ] {
        assert_eq!(turns(&mut *store, search), in_turns, "{search}");
        assert_eq!(sessions(&mut *store, search), in_sessions, "{search}");
    }
    let of_ann = SessionQuery { user: Some("ann".to_owned()), search: Some("d".to_owned()), limit: 1, ..SessionQuery::default() };
    assert_eq!(store.sessions(&of_ann).unwrap().len(), 1);
    let of_bob = SessionQuery { user: Some("bob".to_owned()), search: Some("strom".to_owned()), limit: 9, ..SessionQuery::default() };
    assert_eq!(store.sessions(&of_bob).unwrap(), []);
}

pub(crate) fn reads_nothing_that_users_type_as_syntax(place: &Place) {
    let mut store = place.open();
    store.append(&first(&name("ann", "s1"), 1, ("alpha beta", "100% sicher_heit"))).unwrap();
    store.append(&first(&name("ann", "s2"), 2, ("gamma", "or not near"))).unwrap();
    for (search, found) in [
        ("\"", vec![]),
        ("'", vec![]),
        ("*", vec![]),
        ("%", vec![]),
        ("_", vec![]),
        ("alpha OR gamma", vec![]),
        ("or", vec![2]),
        ("NOT near", vec![2]),
        ("alpha NOT beta", vec![]),
        ("question:alpha", vec![]),
        ("^alpha", vec![1]),
        ("-alpha", vec![1]),
        ("{question}: alpha", vec![]),
        ("NEAR(alpha beta)", vec![]),
        ("al%beta", vec![1]),
        ("al*", vec![1]),
        ("\"alpha beta\"", vec![1]),
        ("beta\" OR \"gamma", vec![]),
        ("') OR 1 = 1 --", vec![]),
        ("x' OR turn_words MATCH 'gamma", vec![]),
        ("alpha\0", vec![1]),
        ("100%", vec![1]),
        ("heit", vec![1]),
        ("\\", vec![]),
    ] {
        assert_eq!(turns(&mut *store, search), found, "{search:?}");
        sessions(&mut *store, search);
    }
    sessions(&mut *store, &"wort ".repeat(10_000));
    sessions(&mut *store, &"w".repeat(100_000));
}

pub(crate) fn finds_nothing_that_is_hidden_or_deleted(place: &Place) {
    let (ann, bob) = (name("ann", "s1"), name("bob", "s2"));
    let mut store = place.open();
    store.append(&first(&ann, 1, ("geheimnis eins", ""))).unwrap();
    store.append(&first(&bob, 1, ("geheimnis zwei", ""))).unwrap();
    assert_eq!(sessions(&mut *store, "geheim"), ["s1", "s2"]);
    store.append(&[append(&ann, 2, Item::Cleared)]).unwrap();
    assert_eq!(sessions(&mut *store, "geheim"), ["s2"]);
    let hidden = TurnQuery { search: Some("eins".to_owned()), with_hidden: true, limit: 9, ..TurnQuery::default() };
    assert_eq!(store.turns(&hidden).unwrap().len(), 1, "an operator finds it");
    store.rename(&bob, "Urlaub").unwrap();
    store.rename(&bob, "Reise").unwrap();
    assert_eq!((sessions(&mut *store, "urlaub"), sessions(&mut *store, "reise").len()), (vec![], 1));
    store.delete(&bob).unwrap();
    assert_eq!((sessions(&mut *store, "geheim"), sessions(&mut *store, "reise")), (vec![], vec![]));
    assert_eq!(turns(&mut *store, "zwei"), [0; 0]);
}
