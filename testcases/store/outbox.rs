//! Webhooks: asked for, begun, attempted, and gone with their session.

use super::place::{Place, append, ended, kind, name, record, turn};
use framewright::contract::Time;
use framewright::store::{
    Append, Attempted, Delivery, DeliveryState, DeliveryStatus, Item, Kind, Name, Store, TurnQuery, Undelivered, Webhook,
};

const EVER: Time = Time(u64::MAX);

fn webhook(turn: u64) -> Webhook {
    Webhook { turn, id: format!("id-{turn}"), url: format!("https://example.org/ä?{turn}") }
}

fn asks(name: &Name, turn: u64) -> Append {
    append(name, 50, Item::Webhook(Box::new(webhook(turn))))
}

fn begins(name: &Name, turn: u64, at: u64) -> Append {
    append(name, at, Item::Delivery { webhook: Box::new(webhook(turn)), body: vec![0, 255, b'"'] })
}

fn pending(name: &Name, turn: u64, at: u64) -> Delivery {
    let (since, due) = (Time(at), Time(at));
    Delivery { name: name.clone(), webhook: webhook(turn), body: vec![0, 255, b'"'], since, attempts: 0, due }
}

fn attempt(turn: u64, state: DeliveryState, attempts: u32, status: Option<u16>, due: u64) -> Attempted {
    Attempted { id: format!("id-{turn}"), status: DeliveryStatus { state, attempts, status }, due: Time(due) }
}

pub(crate) fn keeps_whom_the_end_of_a_turn_is_to_be_told_until_it_has_ended(place: &Place) {
    let (ann, bob) = (name("ann", "a"), name("bob", "b"));
    let mut store = place.open();
    let asked = [record(&ann, 1), asks(&ann, 1), asks(&ann, 2), record(&bob, 1)];
    store.append(&asked).unwrap();
    store.append(&asked).unwrap();
    assert_eq!(store.undelivered(EVER).unwrap(), Undelivered { deliveries: Vec::new(), awaited: vec![ann.clone()] });
    let loaded = store.load(&ann).unwrap();
    assert_eq!((loaded.generation, loaded.webhooks), (2, vec![webhook(1), webhook(2)]));
    assert_eq!(store.load(&bob).unwrap().webhooks, []);
    let second = |append: Append| Append { generation: 2, ..append };
    let ends = second(begins(&ann, 1, 700));
    store.append(std::slice::from_ref(&ends)).unwrap();
    drop(store);
    let mut store = place.open();
    assert_eq!(store.undelivered(EVER).unwrap(), Undelivered { deliveries: vec![pending(&ann, 1, 700)], awaited: vec![ann.clone()] });
    assert_eq!(store.load(&ann).unwrap().webhooks, [webhook(2)]);
    // A server that lost the session ends no turn of it.
    assert_eq!(kind(store.append(&[second(begins(&ann, 2, 800))])), Kind::Fenced);
    // A turn that ends in the batch that it began in.
    store.append(&[second(asks(&bob, 3)), second(begins(&bob, 3, 900))]).unwrap();
    let both = [pending(&ann, 1, 700), pending(&bob, 3, 900)];
    assert_eq!(store.undelivered(EVER).unwrap().deliveries, both);
}

pub(crate) fn keeps_what_became_of_a_delivery(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    let batch = [record(&ann, 1), asks(&ann, 1), begins(&ann, 1, 700)];
    store.append(&batch).unwrap();
    store.attempted(&[attempt(1, DeliveryState::Pending, 1, Some(500), 900)]).unwrap();
    let once = Delivery { attempts: 1, due: Time(900), ..pending(&ann, 1, 700) };
    assert_eq!(store.undelivered(EVER).unwrap().deliveries, std::slice::from_ref(&once));
    // A batch that comes again begins nothing anew.
    store.append(&batch).unwrap();
    assert_eq!(store.undelivered(EVER).unwrap().deliveries, [once]);
    store.attempted(&[attempt(1, DeliveryState::Delivered, 2, Some(204), 950), attempt(77, DeliveryState::Failed, 1, None, 1)]).unwrap();
    store.append(&batch).unwrap();
    assert_eq!(store.undelivered(EVER).unwrap(), Undelivered::default());
}

pub(crate) fn shows_deliveries_beside_their_turns(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    for number in 1..=4 {
        let hook = if number < 4 { vec![asks(&ann, number), begins(&ann, number, 7)] } else { Vec::new() };
        let batch: Vec<Append> = ended(&ann, turn(number, "frage", "antwort")).into_iter().chain(hook).collect();
        store.append(&batch).unwrap();
    }
    store.attempted(&[attempt(2, DeliveryState::Failed, 10, None, 1), attempt(3, DeliveryState::Delivered, 1, Some(200), 1)]).unwrap();
    let shown = |state, attempts, status| Some(DeliveryStatus { state, attempts, status });
    let expected = [
        (4, None),
        (3, shown(DeliveryState::Delivered, 1, Some(200))),
        (2, shown(DeliveryState::Failed, 10, None)),
        (1, shown(DeliveryState::Pending, 0, None)),
    ];
    let rows = store.turns(&TurnQuery { limit: 9, ..TurnQuery::default() }).unwrap();
    assert_eq!(rows.iter().map(|row| (row.turn.turn, row.webhook)).collect::<Vec<_>>(), expected);
    for (turn, webhook) in expected {
        assert_eq!(store.turn(&ann, turn).unwrap().unwrap().webhook, webhook);
    }
}

pub(crate) fn finds_only_what_no_other_server_sees_to(place: &Place) {
    let (ann, bob) = (name("ann", "a"), name("bob", "b"));
    let mut store = place.open();
    store.append(&[record(&ann, 1), asks(&ann, 1), begins(&ann, 1, 5_000), asks(&ann, 2)]).unwrap();
    store.append(&[record(&bob, 1), asks(&bob, 3)]).unwrap();
    // Both sessions were used at 1000, and the delivery is due at 5000.
    assert_eq!(store.undelivered(Time(1_000)).unwrap(), Undelivered::default());
    let awaited = vec![ann.clone(), bob];
    assert_eq!(store.undelivered(Time(1_001)).unwrap(), Undelivered { deliveries: Vec::new(), awaited: awaited.clone() });
    assert_eq!(store.undelivered(Time(5_001)).unwrap(), Undelivered { deliveries: vec![pending(&ann, 1, 5_000)], awaited });
    assert_eq!(store.is_shared(), matches!(place, Place::Mariadb { .. }));
}

pub(crate) fn deletes_deliveries_with_their_session(place: &Place) {
    let names = [name("ann", "a"), name("ann", "b"), name("bob", "c")];
    let mut store = place.open();
    for (at, name) in names.iter().enumerate() {
        let turn = at as u64;
        store.append(&[record(name, 1), asks(name, turn), begins(name, turn, 7), asks(name, turn + 10)]).unwrap();
    }
    store.delete(&names[0]).unwrap();
    let left = |store: &mut dyn Store| {
        let Undelivered { deliveries, awaited } = store.undelivered(EVER).unwrap();
        (deliveries.into_iter().map(|delivery| delivery.name).collect::<Vec<_>>(), awaited)
    };
    assert_eq!(left(&mut *store), (names[1..].to_vec(), names[1..].to_vec()));
    store.delete_user("ann").unwrap();
    assert_eq!(left(&mut *store), (names[2..].to_vec(), names[2..].to_vec()));
    // What was deleted comes back with nothing.
    let generation = store.load(&names[0]).unwrap().generation;
    store.append(&[Append { generation, ..record(&names[0], 1) }]).unwrap();
    assert_eq!(left(&mut *store).0.len(), 1);
}
