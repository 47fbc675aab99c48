//! Lists of sessions and turns: pages, orders, filters, titles, ratings.

use super::place::{Place, append, ended, name, record, turn};
use framewright::contract::Time;
use framewright::store::{Append, Item, Name, SessionQuery, Store, Turn, TurnOrder, TurnQuery};

pub(crate) fn pages_sessions_without_gaps_or_repeats(place: &Place) {
    let mut store = place.open();
    let mut expected = Vec::new();
    for user in ["ann", "Bob", "ärger", "日本"] {
        for (session, used_at) in [("a", 5), ("B", 5), ("c", 7), ("ü", 5), ("z", 5)] {
            let name = name(user, session);
            store.append(&[Append { at: Time(used_at), ..record(&name, 1) }]).unwrap();
            expected.push((used_at, name));
        }
    }
    expected.sort_by(|(a, a_name), (b, b_name)| b.cmp(a).then(a_name.cmp(b_name)));
    for limit in [1, 2, 3, 7, 20, 50] {
        for user in [None, Some("ann"), Some("nobody")] {
            let mut query = SessionQuery { user: user.map(str::to_owned), limit, ..SessionQuery::default() };
            let mut found = Vec::new();
            loop {
                let page = store.sessions(&query).unwrap();
                assert!(page.len() <= limit);
                let Some(last) = page.last() else { break };
                query.before = Some((Time(last.used_at), name(&last.user, &last.session)));
                found.extend(page.into_iter().map(|row| (row.used_at, name(&row.user, &row.session))));
                assert!(found.len() <= expected.len(), "a page shows again what another did");
            }
            let of_user: Vec<_> = expected.iter().filter(|(_, name)| user.is_none_or(|user| user == name.user)).cloned().collect();
            assert_eq!(found, of_user, "{limit} {user:?}");
        }
    }
}

pub(crate) fn pages_turns_without_gaps_or_repeats_in_each_order(place: &Place) {
    let mut store = place.open();
    for session in 0..4 {
        let session = name(if session < 2 { "ann" } else { "bob" }, &format!("s{session}"));
        for number in 1..=6 {
            let same = Turn {
                started_at: Time(number / 3),
                total_us: number % 2,
                first_token_us: (number != 3).then_some(number % 2),
                tokens_in: 5 - number % 2,
                tokens_out: number % 2,
                cost_micros: 3,
                ..turn(number, "q", "a")
            };
            store.append(&ended(&session, same)).unwrap();
        }
    }
    let key = |order, turn: &Turn| match order {
        TurnOrder::Latest => turn.started_at.0,
        TurnOrder::Slowest => turn.total_us,
        TurnOrder::SlowestFirstToken => turn.first_token_us.unwrap_or(0),
        TurnOrder::MostTokens => turn.tokens_in + turn.tokens_out,
        TurnOrder::MostCost => turn.cost_micros,
    };
    for order in [TurnOrder::Latest, TurnOrder::Slowest, TurnOrder::SlowestFirstToken, TurnOrder::MostTokens, TurnOrder::MostCost] {
        for (user, session, count) in [(None, None, 24), (Some("ann"), None, 12), (Some("bob"), Some("s3"), 6), (None, Some("s0"), 6)] {
            for limit in [1, 4, 5, 24] {
                let query =
                    TurnQuery { user: user.map(str::to_owned), session: session.map(str::to_owned), order, limit, ..TurnQuery::default() };
                let found = pages(&mut *store, query);
                let what = format!("{order:?} {user:?} {session:?} {limit}");
                assert!(found.iter().map(|turn| key(order, turn)).is_sorted_by(|a, b| a >= b), "{what}");
                assert_eq!(found.len(), count, "{what}");
                if (order, user, session) == (TurnOrder::Latest, Some("bob"), Some("s3")) {
                    assert_eq!(found.iter().map(|turn| turn.turn).collect::<Vec<_>>(), [6, 5, 4, 3, 2, 1], "{what}");
                }
            }
        }
    }
}

/// All pages; each turn is on one of them.
fn pages(store: &mut dyn Store, mut query: TurnQuery) -> Vec<Turn> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    loop {
        let page = store.turns(&query).unwrap();
        assert!(page.len() <= query.limit);
        let Some(last) = page.last() else { break };
        // As text, as a client passes it back.
        query.before = Some(last.place.to_string().parse().unwrap());
        names.extend(page.iter().map(|row| (row.user.clone(), row.session.clone(), row.turn.turn)));
        found.extend(page.into_iter().map(|row| row.turn));
        assert!(found.len() < 1_000, "the pages don't end");
    }
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a turn is on two pages");
    found
}

pub(crate) fn filters_turns(place: &Place) {
    let (ann, bob) = (name("ann", "a"), name("bob", "b"));
    let mut store = place.open();
    let error = Turn { status: "error".to_owned(), total_us: 200, first_token_us: Some(0), cost_micros: 0, ..turn(2, "zwei", "") };
    let degraded = Turn {
        degraded: Some("director".to_owned()),
        path: "expert".to_owned(),
        total_us: 300,
        first_token_us: Some(50),
        tokens_in: 11,
        ..turn(3, "drei", "")
    };
    for its in [turn(1, "eins", ""), error, degraded] {
        store.append(&ended(&ann, its)).unwrap();
    }
    store.append(&ended(&bob, Turn { graph: "v1".to_owned(), ..turn(1, "bob", "") })).unwrap();
    store.rate(&ann, 1, Some(1), None).unwrap();
    store.rate(&ann, 2, Some(-1), Some("nein")).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let all = TurnQuery { limit: 9, ..TurnQuery::default() };
    for (query, found) in [
        (all.clone(), vec!["drei", "zwei", "bob", "eins"]),
        (TurnQuery { user: text("ann"), ..all.clone() }, vec!["drei", "zwei", "eins"]),
        (TurnQuery { user: text("ANN"), ..all.clone() }, vec![]),
        (TurnQuery { session: text("b"), ..all.clone() }, vec!["bob"]),
        (TurnQuery { user: text("ann"), session: text("a"), before_turn: Some(3), ..all.clone() }, vec!["zwei", "eins"]),
        (TurnQuery { status: text("error"), ..all.clone() }, vec!["zwei"]),
        (TurnQuery { status: text("' OR 1 = 1 --"), ..all.clone() }, vec![]),
        (TurnQuery { is_degraded: Some(true), ..all.clone() }, vec!["drei"]),
        (TurnQuery { is_degraded: Some(false), user: text("ann"), ..all.clone() }, vec!["zwei", "eins"]),
        (TurnQuery { path: text("expert"), ..all.clone() }, vec!["drei"]),
        (TurnQuery { graph: text("v1"), ..all.clone() }, vec!["bob"]),
        (TurnQuery { rating: Some(-1), ..all.clone() }, vec!["zwei"]),
        (TurnQuery { rating: Some(1), ..all.clone() }, vec!["eins"]),
        (TurnQuery { min_total_us: Some(300), ..all.clone() }, vec!["drei"]),
        (TurnQuery { min_total_us: Some(101), ..all.clone() }, vec!["drei", "zwei"]),
        (TurnQuery { min_total_us: Some(u64::MAX), ..all.clone() }, vec![]),
        // Without any text there is no first token.
        (TurnQuery { min_first_token_us: Some(0), ..all.clone() }, vec!["drei", "zwei"]),
        (TurnQuery { min_first_token_us: Some(1), ..all.clone() }, vec!["drei"]),
        (TurnQuery { min_tokens: Some(16), ..all.clone() }, vec!["drei"]),
        (TurnQuery { min_tokens: Some(17), ..all.clone() }, vec![]),
        (TurnQuery { min_cost_micros: Some(7), user: text("ann"), ..all.clone() }, vec!["drei", "eins"]),
        (TurnQuery { min_cost_micros: Some(0), ..all.clone() }, vec!["drei", "zwei", "bob", "eins"]),
        (TurnQuery { min_cost_micros: Some(7), min_total_us: Some(200), ..all.clone() }, vec!["drei"]),
        (TurnQuery { search: text("DREI"), ..all.clone() }, vec!["drei"]),
        (TurnQuery { search: text(" "), limit: 1, ..all.clone() }, vec!["drei"]),
        (TurnQuery { limit: 0, ..all.clone() }, vec![]),
    ] {
        let mut rows: Vec<String> = store.turns(&query).unwrap().into_iter().map(|row| row.turn.question).collect();
        // Two started at the same time.
        if rows.len() == 4 {
            rows[2..].sort();
        }
        assert_eq!(rows, found, "{query:?}");
    }
}

pub(crate) fn shows_details_of_one_turn_only(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&ended(&ann, turn(1, "was?", "das"))).unwrap();
    let row = store.turn(&ann, 1).unwrap().unwrap();
    assert_eq!((row.user.as_str(), row.session.as_str(), row.turn), ("ann", "a", turn(1, "was?", "das")));
    let [listed] = store.turns(&TurnQuery { limit: 9, ..TurnQuery::default() }).unwrap().try_into().unwrap();
    assert_eq!(listed.turn, Turn { detail: Vec::new(), ..turn(1, "was?", "das") });
    for (name, turn) in [(&ann, 2), (&name("ann", "b"), 1), (&name("bob", "a"), 1)] {
        assert_eq!(store.turn(name, turn).unwrap(), None);
    }
}

pub(crate) fn renames_sessions(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    let title = |store: &mut dyn Store| store.sessions(&SessionQuery { limit: 1, ..SessionQuery::default() }).unwrap().remove(0).title;
    store.append(&[record(&ann, 1)]).unwrap();
    assert_eq!(title(&mut *store), "");
    store.append(&[append(&ann, 1, Item::Turn(Box::new(turn(1, "", "ein Knopf"))))]).unwrap();
    store.append(&ended(&ann, turn(2, "Erste  Frage", ""))).unwrap();
    store.append(&ended(&ann, turn(3, "Zweite Frage", ""))).unwrap();
    assert_eq!(title(&mut *store), "Erste Frage");
    for (to, shown) in [(" Mein\nTitel ", "Mein Titel"), ("'); DROP TABLE sessions", "'); DROP TABLE sessions"), (" ", "Erste Frage")] {
        assert!(store.rename(&ann, to).unwrap());
        assert_eq!(title(&mut *store), shown);
    }
    assert!(!store.rename(&name("ann", "none"), "x").unwrap());
    assert!(store.rename(&ann, "Mein").unwrap() && store.rename(&ann, "Mein").unwrap());
    store.append(&ended(&ann, turn(4, "Vierte", ""))).unwrap();
    assert_eq!(title(&mut *store), "Mein");
}

pub(crate) fn rates_turns(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    store.append(&ended(&ann, turn(1, "q", "a"))).unwrap();
    let rated = |store: &mut dyn Store, name: &Name| store.turn(name, 1).unwrap().map(|row| (row.rating, row.comment));
    assert_eq!(rated(&mut *store, &ann), Some((None, None)));
    for (rating, comment) in
        [(Some(1), None), (Some(-1), Some("schlecht 👎")), (Some(-1), Some("schlecht 👎")), (None, Some("nur so")), (None, None)]
    {
        assert!(store.rate(&ann, 1, rating, comment).unwrap());
        assert_eq!(rated(&mut *store, &ann), Some((rating, comment.map(str::to_owned))));
    }
    assert!(!store.rate(&ann, 2, Some(1), None).unwrap());
    assert!(!store.rate(&name("bob", "a"), 1, Some(1), None).unwrap());
}
