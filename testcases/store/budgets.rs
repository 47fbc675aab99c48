//! What was spent of a day's budgets: counted once, with its batch, and gone when the day is over.

use super::place::{Place, ended, kind, name, record, turn};
use framewright::contract::{Spent, Time};
use framewright::store::{Append, Item, Kind, Retention, Spending, SpentOn};

fn spent(turns: u64, tokens: u64, cost: u64) -> Spent {
    Spent { turns, tokens, cost }
}

fn spends(day: u64, payer: &str, counted_by: &str, spent: Spent) -> Append {
    let spending = Spending { day, payer: payer.to_owned(), counted_by: counted_by.to_owned(), spent };
    Append::of_no_session(Time(1), Item::Spent(Box::new(spending)))
}

fn on(day: u64, payer: &str, spent: Spent) -> SpentOn {
    SpentOn { day, payer: payer.to_owned(), spent }
}

pub(crate) fn keeps_what_each_counted_of_a_day_once(place: &Place) {
    let mut store = place.open();
    assert_eq!(store.spent().unwrap(), []);
    let batch = [spends(9, "ann", "1.0", spent(1, 20, 300)), spends(9, "bob", "1.0", spent(1, 0, 0))];
    store.append(&batch).unwrap();
    // A batch whose outcome was not known comes again.
    store.append(&batch).unwrap();
    // The same counts on; another shard, and another run of the server, have counts of their own.
    store.append(&[spends(9, "ann", "1.0", spent(2, 25, 300)), spends(9, "ann", "1.1", spent(1, 5, 7))]).unwrap();
    drop(store);
    let mut store = place.open();
    store.append(&[spends(9, "ann", "2.0", spent(4, 100, 0))]).unwrap();
    assert_eq!(store.spent().unwrap(), [on(9, "ann", spent(7, 130, 307)), on(9, "bob", spent(1, 0, 0))]);
    // What no budget can hold breaks nothing.
    store.append(&[spends(9, "ann", "3.0", spent(u64::MAX, u64::MAX, u64::MAX))]).unwrap();
    assert!(store.spent().unwrap()[0].spent.cost >= 1 << 53);
}

pub(crate) fn keeps_what_was_spent_with_its_batch_or_not_at_all(place: &Place) {
    let ann = name("ann", "a");
    let mut store = place.open();
    assert_eq!(kind(store.append(&[spends(9, "ann", "1.0", spent(1, 0, 0)), record(&ann, 2)])), Kind::Fenced);
    assert_eq!(store.spent().unwrap(), []);
    store.append(&[record(&ann, 1), spends(9, "ann", "1.0", spent(1, 0, 0))]).unwrap();
    assert_eq!(store.spent().unwrap(), [on(9, "ann", spent(1, 0, 0))]);
}

pub(crate) fn deletes_days_that_are_over_and_gives_none_back(place: &Place) {
    let (ann, day) = (name("ann", "a"), 24 * 3_600 * 1_000_000);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let today = now.as_micros() as u64 / day;
    let mut store = place.open();
    store.append(&ended(&ann, turn(1, "frage", "antwort"))).unwrap();
    store.append(&[spends(today - 3, "ann", "1.0", spent(9, 0, 0)), spends(today - 2, "bob", "1.0", spent(9, 0, 0))]).unwrap();
    assert_eq!(store.spent().unwrap(), [on(today - 2, "bob", spent(9, 0, 0))], "the first of a later day deletes earlier ones");
    // One that lies back, because a clock does, deletes none.
    store.append(&[spends(today - 3, "ann", "1.0", spent(1, 0, 0))]).unwrap();
    assert_eq!(store.spent().unwrap().len(), 2);
    store.retain(&Retention::default(), &|_| false).unwrap();
    assert_eq!(store.spent().unwrap(), [], "and nobody has to spend anything for it");
    store.append(&[spends(today, "ann", "1.0", spent(3, 0, 0))]).unwrap();
    store.retain(&Retention::default(), &|_| false).unwrap();
    store.delete_user("ann").unwrap();
    assert_eq!(store.spent().unwrap(), [on(today, "ann", spent(3, 0, 0))], "deleting all of a user's data gives nothing back");
}
