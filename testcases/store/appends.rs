//! Appending: all of a batch or nothing, numbers, counters, snapshots.

use super::place::{Place, append, bytes, ended, kind, name, numbers, record, snapshot, snapshot_bytes, turn};
use framewright::contract::Time;
use framewright::store::{Item, Kind, SessionQuery, SessionRow, Store, TITLE_CHARS, Turn, TurnOrder, TurnQuery};

pub(crate) fn keeps_what_was_appended_when_it_is_opened_again(place: &Place) {
    let (ann, bob) = (name("ann", "a"), name("bob", "a"));
    let mut store = place.open();
    store.append(&[record(&ann, 1), record(&bob, 1), record(&ann, 2)]).unwrap();
    store.append(&[]).unwrap();
    store.append(&[record(&ann, 3)]).unwrap();
    drop(store);
    let mut store = place.open();
    assert_eq!(numbers(&mut *store, &ann), [1, 2, 3]);
    assert_eq!(numbers(&mut *store, &bob), [1]);
    let first = &store.records(&ann, 1, 1).unwrap()[0];
    assert_eq!((first.generation, first.at), (1, Time(1_000)));
}

pub(crate) fn keeps_nothing_of_a_batch_with_a_failing_item_at_its_end(place: &Place) {
    let (ann, bob, new) = (name("ann", "a"), name("bob", "b"), name("new", "n"));
    let mut store = place.open();
    store.append(&[record(&ann, 1), record(&bob, 1)]).unwrap();
    let before = sessions(&mut *store);
    let [third, its_turn] = ended(&bob, turn(2, "wie?", "so"));
    let good = [record(&ann, 2), snapshot(&ann, 2), record(&new, 1), third, its_turn, append(&bob, 1, Item::Cleared)];
    for bad in [record(&ann, 4), snapshot(&bob, 9), append(&name("none", "x"), 1, Item::Cleared)] {
        let batch: Vec<_> = good.iter().cloned().chain([bad]).collect();
        store.append(&batch).unwrap_err();
        assert_eq!(sessions(&mut *store), before);
        assert_eq!((numbers(&mut *store, &ann), numbers(&mut *store, &bob)), (vec![1], vec![1]));
        assert_eq!(store.snapshot(&ann, 9).unwrap(), None);
        assert_eq!(store.turn(&bob, 2).unwrap(), None);
    }
    store.append(&good).unwrap();
    assert_eq!(sessions(&mut *store).len(), 3);
}

pub(crate) fn refuses_gaps_and_repeats_of_numbers(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&[record(&ann, 1), record(&ann, 2)]).unwrap();
    let other = |number| append(&ann, 1, Item::Record { number, bytes: b"other".to_vec() });
    for (what, batch) in [
        ("a gap", vec![record(&ann, 4)]),
        ("a gap in a batch", vec![record(&ann, 3), record(&ann, 5)]),
        ("zero", vec![record(&ann, 0)]),
        ("other bytes", vec![other(2)]),
        ("other bytes in a batch", vec![record(&ann, 3), other(3)]),
        ("a snapshot of the future", vec![snapshot(&ann, 3)]),
        ("a snapshot of nothing", vec![snapshot(&ann, 0)]),
    ] {
        let error = store.append(&batch).unwrap_err();
        assert_eq!((error.kind, error.name), (Kind::Other, None), "{what}: {}", error.detail);
        assert_eq!(numbers(&mut *store, &ann), [1, 2], "{what}");
    }
    // Without a first record there is nothing to append to.
    assert_eq!(kind(store.append(&[record(&name("bob", "b"), 2)])), Kind::Fenced);
}

pub(crate) fn appends_a_batch_again_without_doubling_it(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    let mut batch = vec![record(&ann, 1), record(&ann, 2), snapshot(&ann, 2)];
    batch.extend(ended(&ann, turn(3, "eins", "zwei")));
    batch.push(append(&ann, 3_000, Item::Cleared));
    batch.extend(ended(&ann, turn(4, "drei", "vier")));
    store.append(&batch).unwrap();
    let once = sessions(&mut *store);
    store.append(&batch).unwrap();
    assert_eq!(sessions(&mut *store), once);
    // What waited meanwhile may come in the same batch.
    batch.extend([record(&ann, 5), record(&ann, 5)]);
    store.append(&batch).unwrap();
    assert_eq!(numbers(&mut *store, &ann), [1, 2, 3, 4, 5]);
    let turns = store.turns(&TurnQuery { limit: 9, with_hidden: true, ..TurnQuery::default() }).unwrap();
    assert_eq!(turns.iter().map(|row| (row.turn.turn, row.is_hidden)).collect::<Vec<_>>(), [(4, false), (3, true)]);
}

pub(crate) fn counts_turns_tokens_cost_and_bytes(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    let long = "Wie  hoch\nist ".to_owned() + &"sehr ".repeat(30);
    let first = ended(&ann, Turn { graph: "v1".to_owned(), ..turn(1, &long, "äöü") });
    let second = ended(&ann, turn(2, "ja?", "nein"));
    store.append(&first).unwrap();
    store.append(&second).unwrap();
    let [row]: [SessionRow; 1] = sessions(&mut *store).try_into().unwrap();
    assert!(row.title.starts_with("Wie hoch ist sehr") && row.title.ends_with('…') && row.title.chars().count() <= TITLE_CHARS, "{row:?}");
    // What may be compressed has a byte that says whether it is.
    let of_turns = long.len() + "äöü".len() + 1 + "detail of 1".len() + "ja?nein".len() + 1 + "detail of 2".len();
    let of_records = bytes(1).len() + bytes(2).len();
    let expected = SessionRow {
        user: "ann".to_owned(),
        session: "a".to_owned(),
        title: row.title.clone(),
        created_at: 1_000,
        used_at: 2_000,
        turns: 2,
        graph: "v4".to_owned(),
        tokens: 30,
        cost_micros: 14,
        bytes: (of_turns + of_records) as u64,
    };
    assert_eq!(row, expected);
    store.append(&[snapshot(&ann, 1), snapshot(&ann, 2)]).unwrap();
    let with_snapshots = expected.bytes + (1 + snapshot_bytes(1).len() + 1 + snapshot_bytes(2).len()) as u64;
    assert_eq!(sessions(&mut *store)[0].bytes, with_snapshots);
    // The time of a record counts as use, that of a snapshot doesn't.
    assert_eq!(sessions(&mut *store)[0].used_at, 2_000);
    // No count that a provider makes up breaks a list.
    let absurd = Turn { tokens_in: u64::MAX, tokens_out: u64::MAX, cost_micros: u64::MAX, total_us: u64::MAX, ..turn(3, "", "") };
    for number in 3..=5 {
        store.append(&ended(&ann, Turn { turn: number, number, ..absurd.clone() })).unwrap();
    }
    let most = TurnQuery { order: TurnOrder::MostTokens, limit: 9, ..TurnQuery::default() };
    assert_eq!(store.turns(&most).unwrap().len(), 5);
    assert!(sessions(&mut *store)[0].tokens > 1 << 55);
}

pub(crate) fn replaces_a_turn_and_keeps_its_rating(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&ended(&ann, turn(1, "frage", "lange antwort"))).unwrap();
    assert!(store.rate(&ann, 1, Some(-1), Some("falsch")).unwrap());
    let again = Turn { tokens_out: 50, cost_micros: 1, progress: "es dauert".to_owned(), ..turn(1, "frage", "kurz") };
    store.append(&[append(&ann, 9, Item::Turn(Box::new(again.clone())))]).unwrap();
    let row = store.turn(&ann, 1).unwrap().unwrap();
    assert_eq!((row.turn, row.rating, row.comment.as_deref()), (again, Some(-1), Some("falsch")));
    let session = &sessions(&mut *store)[0];
    let size = bytes(1).len() + "fragekurz".len() + "es dauert".len() + 1 + "detail of 1".len();
    assert_eq!((session.turns, session.tokens, session.cost_micros, session.bytes), (1, 60, 1, size as u64));
}

pub(crate) fn hides_turns_when_a_session_is_cleared(place: &Place) {
    let (ann, bob) = (name("ann", "a"), name("bob", "b"));
    let mut store = place.open();
    store.append(&ended(&ann, turn(1, "eins", "1"))).unwrap();
    store.append(&ended(&bob, turn(1, "bobs", "1"))).unwrap();
    store.append(&[record(&ann, 2), append(&ann, 2_000, Item::Cleared)]).unwrap();
    store.append(&ended(&ann, turn(3, "drei", "3"))).unwrap();
    let turns = |store: &mut dyn Store, with_hidden| {
        let query = TurnQuery { user: Some("ann".to_owned()), with_hidden, limit: 9, ..TurnQuery::default() };
        store.turns(&query).unwrap().into_iter().map(|row| (row.turn.turn, row.is_hidden)).collect::<Vec<_>>()
    };
    assert_eq!(turns(&mut *store, false), [(3, false)]);
    assert_eq!(turns(&mut *store, true), [(3, false), (1, true)]);
    assert!(store.turn(&ann, 1).unwrap().unwrap().is_hidden);
    assert_eq!(numbers(&mut *store, &ann), [1, 2, 3]);
    let session = &sessions(&mut *store)[0];
    assert_eq!((session.title.as_str(), session.turns, session.tokens), ("drei", 1, 30));
    // A title that the user chose stays.
    store.rename(&ann, "Meins").unwrap();
    store.append(&[append(&ann, 3_000, Item::Cleared)]).unwrap();
    assert_eq!(sessions(&mut *store)[0].title, "Meins");
}

pub(crate) fn leaves_replaced_turns_out_of_histories(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    for number in 1..=4 {
        store.append(&ended(&ann, turn(number, &format!("frage {number}"), "antwort"))).unwrap();
    }
    let replaced = |turns: &[u64], is_back| append(&ann, 9_000, Item::Replaced { turns: turns.to_vec(), is_back });
    let turns = |store: &mut dyn Store, with_replaced| {
        let query = TurnQuery { user: Some("ann".to_owned()), with_replaced, limit: 9, ..TurnQuery::default() };
        store.turns(&query).unwrap().into_iter().map(|row| (row.turn.turn, row.is_replaced)).collect::<Vec<_>>()
    };
    let counted = |store: &mut dyn Store| {
        let session = &sessions(store)[0];
        (session.turns, session.title.clone())
    };
    // Twice the same, as after a commit whose answer was lost.
    for _ in 0..2 {
        store.append(&[replaced(&[1, 3], false)]).unwrap();
        assert_eq!(turns(&mut *store, false), [(4, false), (2, false)]);
        assert_eq!(turns(&mut *store, true), [(4, false), (3, true), (2, false), (1, true)]);
        assert_eq!(counted(&mut *store), (2, "frage 2".to_owned()));
    }
    // What runs behind a turn ends later: the turn is appended again, with the same texts or others.
    for answer in ["antwort", "andere"] {
        store.append(&[append(&ann, 9_000, Item::Turn(Box::new(turn(3, "frage 3", answer))))]).unwrap();
        assert_eq!(turns(&mut *store, false), [(4, false), (2, false)], "{answer}");
        assert_eq!(counted(&mut *store).0, 2);
    }
    store.append(&[replaced(&[1], true)]).unwrap();
    assert_eq!(turns(&mut *store, false), [(4, false), (2, false), (1, false)]);
    assert_eq!(counted(&mut *store), (3, "frage 1".to_owned()));
    store.append(&[append(&ann, 10_000, Item::Cleared)]).unwrap();
    assert_eq!(turns(&mut *store, true), [], "a clear hides them too");
}

pub(crate) fn keeps_the_two_latest_snapshots(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&(1..=9).map(|number| record(&ann, number)).collect::<Vec<_>>()).unwrap();
    let records: usize = (1..=9).map(|number| bytes(number).len()).sum();
    for (appended, kept) in [
        (3, vec![3]),
        (5, vec![3, 5]),
        (5, vec![3, 5]),
        (3, vec![3, 5]),
        (7, vec![5, 7]),
        (2, vec![5, 7]),
        (6, vec![6, 7]),
        (9, vec![7, 9]),
    ] {
        store.append(&[snapshot(&ann, appended)]).unwrap();
        let found: Vec<u64> =
            (1..=9).filter(|number| store.snapshot(&ann, *number).unwrap().is_some_and(|(at, _)| at == *number)).collect();
        assert_eq!(found, kept, "after {appended}");
        let size: usize = kept.iter().map(|number| 1 + snapshot_bytes(*number).len()).sum();
        assert_eq!(sessions(&mut *store)[0].bytes, (records + size) as u64, "after {appended}");
    }
    store.append(&[append(&ann, 1, Item::Snapshot { number: 9, bytes: b"replaced".to_vec() })]).unwrap();
    assert_eq!(store.snapshot(&ann, 9).unwrap(), Some((9, b"replaced".to_vec())));
}

pub(crate) fn keeps_any_bytes_and_any_text(place: &Place) {
    let mut store = place.open();
    let all: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let texts = ["", " ", "a ", "A", "ä", "a\u{308}", "日本語", "👩‍👩‍👧", "a'b\"c\\d%_;--", "null\0byte", "𐌰𐍂", "\u{feff}x"];
    for (at, text) in texts.into_iter().enumerate() {
        let name = name(&format!("{text}{}", "u".repeat(255 - text.len())), &format!("{text}{}", "s".repeat(64 - text.len())));
        let plain = super::place::name(text, text);
        for name in [&name, &plain] {
            let first = append(name, 1, Item::Record { number: 1, bytes: all.clone() });
            let turn = Turn {
                status: text.to_owned(),
                degraded: Some(text.to_owned()),
                graph: text.to_owned(),
                path: text.to_owned(),
                client_id: Some(text.to_owned()),
                progress: text.to_owned(),
                first_token_us: Some(u64::from(u32::MAX) + at as u64),
                detail: all.clone(),
                ..turn(1, text, text)
            };
            store.append(&[first, append(name, 1, Item::Turn(Box::new(turn.clone())))]).unwrap();
            assert!(store.rate(name, 1, Some(1), Some(text)).unwrap());
            let row = store.turn(name, 1).unwrap().unwrap();
            assert_eq!((&row.turn, row.comment.as_deref()), (&turn, Some(text)), "{text:?}");
            assert_eq!((&row.user, &row.session), (&name.user, &name.session));
            assert_eq!(store.records(name, 1, 9).unwrap()[0].bytes, all);
        }
    }
    assert_eq!(sessions(&mut *store).len(), 2 * texts.len());
}

pub(crate) fn keeps_a_large_batch(place: &Place) {
    let mut store = place.open();
    let names: Vec<_> = (0..10).map(|user| name(&format!("user {user}"), "s")).collect();
    let mut batch: Vec<_> = (1..=150).flat_map(|number| names.iter().map(move |name| record(name, number))).collect();
    let large = append(&names[0], 1, Item::Record { number: 151, bytes: vec![7; 3 << 20] });
    batch.extend([large, snapshot(&names[0], 151)]);
    store.append(&batch).unwrap();
    for name in &names[1..] {
        assert_eq!(numbers(&mut *store, name), (1..=150).collect::<Vec<_>>());
    }
    assert_eq!(store.records(&names[0], 151, 9).unwrap()[0].bytes, vec![7; 3 << 20]);
}

pub(crate) fn keeps_what_repeats_itself_small(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    let before = Turn { detail: Vec::new(), ..turn(1, "was?", "das") };
    store.append(&ended(&ann, before.clone())).unwrap();
    assert_eq!(store.turn(&ann, 1).unwrap().unwrap().turn, before, "nothing is kept as nothing");
    let prompt = "Answer in the language of the question. ".repeat(2_000).into_bytes();
    let whole = Turn { detail: prompt.clone(), ..before };
    store.append(&[append(&ann, 1, Item::Turn(Box::new(whole.clone())))]).unwrap();
    store.append(&[append(&ann, 1, Item::Snapshot { number: 1, bytes: prompt.clone() })]).unwrap();
    assert_eq!(store.turn(&ann, 1).unwrap().unwrap().turn, whole);
    assert_eq!(store.snapshot(&ann, 1).unwrap(), Some((1, prompt)));
    assert!(sessions(&mut *store)[0].bytes < 4_000, "{:?}", sessions(&mut *store)[0]);
}

fn sessions(store: &mut dyn Store) -> Vec<SessionRow> {
    store.sessions(&SessionQuery { limit: 1_000, ..SessionQuery::default() }).unwrap()
}
