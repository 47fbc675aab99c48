//! A connection that ends after the server has committed and before it says so: the batch is there once.

use super::place::{SERVER, admin_url, append, database, ended, name, numbers, record, turn};
use framewright::store::{Item, SessionQuery, mysql};
use framewright::store::{Read, Store};
use std::io::{Read as _, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// Passes bytes on to a server. While `cuts` is not 0, a connection ends with the server's answer to its COMMIT.
fn proxy(server: String, cuts: Arc<AtomicU32>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let (mut to_client, mut from_client) = (client.try_clone().unwrap(), client);
            let (mut to_server, mut from_server) = (server.try_clone().unwrap(), server);
            let is_cutting = Arc::new(AtomicU32::new(0));
            let (cuts, cutting) = (cuts.clone(), is_cutting.clone());
            thread::spawn(move || {
                let mut bytes = [0; 1 << 16];
                while let Ok(count @ 1..) = from_client.read(&mut bytes) {
                    if bytes[..count].ends_with(b"COMMIT") && cuts.load(Ordering::SeqCst) > 0 {
                        cuts.fetch_sub(1, Ordering::SeqCst);
                        cutting.store(1, Ordering::SeqCst);
                    }
                    if to_server.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                let _ = to_server.shutdown(Shutdown::Both);
            });
            thread::spawn(move || {
                let mut bytes = [0; 1 << 16];
                while let Ok(count @ 1..) = from_server.read(&mut bytes) {
                    if is_cutting.load(Ordering::SeqCst) == 1 || to_client.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                let _ = to_client.shutdown(Shutdown::Both);
                let _ = from_server.shutdown(Shutdown::Both);
            });
        }
    });
    port
}

#[test]
fn a_commit_whose_answer_was_lost_is_neither_lost_nor_doubled() {
    if admin_url().is_none() {
        return;
    }
    let server = SERVER.read().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place = database(Some(server));
    drop(place.open());
    let url = place.address();
    let (login, rest) = url.rsplit_once('@').unwrap();
    let (host, database) = rest.split_once('/').unwrap();
    let cuts = Arc::new(AtomicU32::new(0));
    let port = proxy(host.to_owned(), cuts.clone());
    let mut store = mysql::open(&format!("{login}@127.0.0.1:{port}/{database}?ssl-mode=DISABLED")).unwrap();
    let ann = name("ann", "a");
    let batch = |number| {
        let mut batch: Vec<_> = ended(&ann, turn(number, "frage", "antwort")).into();
        batch.push(append(&ann, 1, Item::Snapshot { number, bytes: vec![1; 100] }));
        batch
    };
    for number in 1..=5 {
        cuts.store(1, Ordering::SeqCst);
        store.append(&batch(number)).unwrap();
        assert_eq!(cuts.load(Ordering::SeqCst), 0);
    }
    // Twice in a row: whether it was committed can't be found out now, so the caller appends it again.
    cuts.store(2, Ordering::SeqCst);
    assert!(store.append(&batch(6)).is_err());
    let mut more = batch(6);
    more.push(record(&ann, 7));
    store.append(&more).unwrap();
    assert_eq!(numbers(&mut store, &ann), [1, 2, 3, 4, 5, 6, 7]);
    let row = store.sessions(&SessionQuery { limit: 9, ..SessionQuery::default() }).unwrap().remove(0);
    assert_eq!((row.turns, row.tokens, row.cost_micros), (6, 90, 42));
    // A new generation is new whether or not the first answer came.
    cuts.store(1, Ordering::SeqCst);
    assert!(store.load(&ann).unwrap().generation > 1);
    cuts.store(1, Ordering::SeqCst);
    assert_eq!(store.delete(&ann).map(|_| ()), Ok(()));
    assert_eq!(numbers(&mut store, &ann), [0; 0]);
}
