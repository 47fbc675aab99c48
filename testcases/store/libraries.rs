//! Libraries: kept by hash, deleted when no session names them.

use super::place::{Place, append, name, record};
use framewright::store::{Item, Retention};

pub(crate) fn keeps_libraries_once(place: &Place) {
    let mut store = place.open();
    let files: Vec<u8> = (0..=255).collect();
    store.keep_library("abc", &files).unwrap();
    store.keep_library("abc", &files).unwrap();
    store.keep_library("def", b"").unwrap();
    drop(store);
    let mut store = place.open();
    assert_eq!(store.library("abc").unwrap(), Some(files));
    assert_eq!(store.library("def").unwrap(), Some(Vec::new()));
    assert_eq!(store.library("ABC").unwrap(), None);
}

/// Unit tests let a day pass.
pub(crate) fn deletes_libraries_that_no_session_names(place: &Place) {
    let mut store = place.open();
    store.keep_library("new", b"files").unwrap();
    let (ann, bob) = (name("ann", "a"), name("bob", "b"));
    let names = |hash: &str| append(&ann, 1, Item::Library { hash: hash.to_owned() });
    store.append(&[record(&ann, 1), names("new"), names("new"), names("other"), record(&bob, 1)]).unwrap();
    store.append(&[names("new")]).unwrap();
    store.delete(&ann).unwrap();
    store.retain(&Retention::default(), &|_| false).unwrap();
    assert_eq!(store.library("new").unwrap().as_deref(), Some(&b"files"[..]), "it was kept less than a day ago");
}
