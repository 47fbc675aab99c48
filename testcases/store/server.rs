//! What only a server has: it restarts in the middle, others write beside it, and its packets are bounded.

use super::loading::long_session;
use super::place::{Place, SERVER, admin, admin_url, append, database, ended, kind, mariadb, name, numbers, record, turn};
use ::mysql::prelude::Queryable;
use framewright::store::{Append, Item, Kind, Read, SessionQuery, Store, mysql};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

fn url(place: &Place) -> String {
    place.address()
}

fn run(variable: &str) {
    assert!(Command::new(std::env::var(variable).unwrap()).status().unwrap().success(), "{variable}");
}

#[test]
fn nothing_is_lost_or_doubled_when_the_server_is_killed() {
    if admin_url().is_none() {
        return;
    }
    let _alone = SERVER.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place = database(None);
    let ann = name("ann", "a");
    let mut store = place.open();
    let (count, failures) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut number = 1;
            while !is_done.load(Ordering::Relaxed) {
                match store.append(&ended(&ann, turn(number, "frage", "antwort"))) {
                    Ok(()) => {
                        count.store(number, Ordering::Relaxed);
                        number += 1;
                    }
                    // The same batch again, as the shell does.
                    Err(error) => {
                        assert_eq!(error.kind, Kind::Unavailable, "{error}");
                        failures.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(Duration::from_millis(50));
                    }
                }
            }
            store
        });
        let wait_for = |more: u64| {
            let goal = count.load(Ordering::Relaxed) + more;
            while count.load(Ordering::Relaxed) < goal {
                assert!(!writer.is_finished());
                thread::sleep(Duration::from_millis(5));
            }
        };
        for round in 0..3 {
            wait_for(10 + round);
            run("MARIADB_STOP");
            let before = failures.load(Ordering::Relaxed);
            while failures.load(Ordering::Relaxed) < before + 2 {
                thread::sleep(Duration::from_millis(5));
            }
            run("MARIADB_START");
        }
        wait_for(10);
        is_done.store(true, Ordering::Relaxed);
        let mut store = writer.join().unwrap();
        let records = numbers(&mut *store, &ann);
        assert_eq!(records, (1..=count.load(Ordering::Relaxed)).collect::<Vec<_>>());
        let row = store.sessions(&SessionQuery { limit: 9, ..SessionQuery::default() }).unwrap().remove(0);
        assert_eq!((row.turns, row.tokens), (records.len() as u64, 15 * records.len() as u64));
    });
    drop(place);
}

#[test]
fn says_what_is_wrong_with_a_server_that_cannot_be_reached() {
    let Some(place) = mariadb() else { return };
    let url = url(&place);
    let (server, _) = url.rsplit_once('/').unwrap();
    let (login, port) = server.rsplit_once(':').unwrap();
    for (url, kind, what) in [
        (format!("{login}:1/x"), Kind::Unavailable, "check that the server runs"),
        (format!("{server}/none_such"), Kind::Unavailable, "create the database"),
        (format!("mysql://nobody:secret@127.0.0.1:{port}/x"), Kind::Unavailable, "password"),
        (format!("{url}?ssl-mode=VERIFY_IDENTITY"), Kind::Unavailable, ""),
        (format!("{server}/eras2_production"), Kind::Format, "another program"),
        (format!("{server}/information_schema"), Kind::Format, ""),
    ] {
        let error = mysql::open(&url).map(|_| ()).unwrap_err();
        assert_eq!(error.kind, kind, "{url}: {error}");
        assert!(error.detail.contains(what) && !error.detail.contains("secret"), "{error}");
    }
    let ca = std::env::var("MARIADB_CA").unwrap();
    let checked = format!("{url}?ssl-mode=VERIFY_IDENTITY&ssl-ca={}", ca.replace('/', "%2F"));
    mysql::open(&checked).map(|_| ()).unwrap();
    let other = std::env::var("MARIADB_OTHER_CA").unwrap();
    assert_eq!(kind(mysql::open(&format!("{url}?ssl-ca={other}")).map(|_| ())), Kind::Unavailable);
    mysql::open(&format!("{url}?ssl-mode=DISABLED")).map(|_| ()).unwrap();
}

#[test]
fn a_server_that_became_read_only_refuses_until_it_can_be_written() {
    let Some(url) = admin_url() else { return };
    let _alone = SERVER.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place = database(None);
    let Place::Mariadb { name: database, .. } = &place else { unreachable!() };
    let (_, host) = url.rsplit_once('@').unwrap();
    let (host, _) = host.split_once('/').unwrap();
    let mut admin = admin();
    admin.query_drop("CREATE USER writer@'127.0.0.1' IDENTIFIED BY 'w'").unwrap();
    admin.query_drop(format!("GRANT ALL ON {database}.* TO writer@'127.0.0.1'")).unwrap();
    let ann = name("ann", "a");
    let mut store = mysql::open(&format!("mysql://writer:w@{host}/{database}")).unwrap();
    store.append(&[record(&ann, 1)]).unwrap();
    admin.query_drop("SET GLOBAL read_only = 1").unwrap();
    let refused = [store.append(&[record(&ann, 2)]), store.check(), store.load(&ann).map(|_| ())].map(kind);
    let read = store.records(&ann, 1, 9).map(|records| records.len());
    admin.query_drop("SET GLOBAL read_only = 0").unwrap();
    assert_eq!(refused, [Kind::ReadOnly; 3]);
    assert_eq!(read, Ok(1), "it can be read");
    store.append(&[record(&ann, 2)]).unwrap();
    admin.query_drop(format!("REVOKE INSERT ON {database}.* FROM writer@'127.0.0.1'")).unwrap();
    let mut store = mysql::open(&format!("mysql://writer:w@{host}/{database}")).unwrap();
    assert_eq!(kind(store.append(&[record(&ann, 3)])), Kind::ReadOnly);
    admin.query_drop("DROP USER writer@'127.0.0.1'").unwrap();
    assert_eq!(numbers(&mut *place.open(), &ann), [1, 2]);
}

#[test]
fn a_newer_format_and_half_made_tables_are_noticed() {
    let Some(place) = mariadb() else { return };
    let Place::Mariadb { name: database, .. } = &place else { unreachable!() };
    let mut admin = admin();
    // A server that was killed while it made the tables left some of them.
    admin.query_drop(format!("CREATE TABLE {database}.meta (name VARBINARY(64) NOT NULL PRIMARY KEY, value BIGINT NOT NULL)")).unwrap();
    place.open().append(&[record(&name("ann", "a"), 1)]).unwrap();
    admin.query_drop(format!("UPDATE {database}.meta SET value = 0 WHERE name = 'format'")).unwrap();
    admin.query_drop(format!("DROP TABLE {database}.turns")).unwrap();
    assert_eq!(numbers(&mut *place.open(), &name("ann", "a")), [1]);
    admin.query_drop(format!("UPDATE {database}.meta SET value = 99 WHERE name = 'format'")).unwrap();
    let error = place.try_open().map(|_| ()).unwrap_err();
    assert_eq!(error.kind, Kind::Format);
    assert!(error.detail.contains("format 99"), "{error}");
}

#[test]
fn servers_that_write_at_once_are_fenced_and_lose_nothing() {
    let Some(place) = mariadb() else { return };
    let shared = name("ann", "shared");
    place.open().append(&[record(&shared, 1)]).unwrap();
    let fenced = AtomicU64::new(0);
    thread::scope(|scope| {
        for server in 0..3 {
            let (place, shared, fenced) = (&place, &shared, &fenced);
            scope.spawn(move || {
                let mut store = place.open();
                let own = name(&format!("user {server}"), "s");
                for number in 1..=20 {
                    let loaded = store.load(shared).unwrap();
                    let next = loaded.records.last().unwrap().number + 1;
                    let theirs = Append { generation: loaded.generation, ..record(shared, next) };
                    match store.append(&[record(&own, number), theirs]) {
                        Ok(()) => {}
                        Err(error) => {
                            assert_eq!((error.kind, error.name.as_ref()), (Kind::Fenced, Some(shared)), "{error}");
                            fenced.fetch_add(1, Ordering::Relaxed);
                            store.append(&[record(&own, number)]).unwrap();
                        }
                    }
                }
                assert_eq!(numbers(&mut *store, &own), (1..=20).collect::<Vec<_>>());
            });
        }
    });
    let records = numbers(&mut *place.open(), &shared);
    assert_eq!(records, (1..=61 - fenced.load(Ordering::Relaxed)).collect::<Vec<_>>());
}

#[test]
fn a_lost_connection_is_replaced() {
    let Some(place) = mariadb() else { return };
    let Place::Mariadb { name: database, .. } = &place else { unreachable!() };
    let ann = name("ann", "a");
    let mut store = place.open();
    let mut admin = admin();
    let mut kill = || {
        let ids: Vec<u64> = admin.exec("SELECT id FROM information_schema.processlist WHERE db = ?", (database,)).unwrap();
        ids.iter().for_each(|id| admin.query_drop(format!("KILL {id}")).unwrap());
        thread::sleep(Duration::from_millis(50));
    };
    store.append(&[record(&ann, 1)]).unwrap();
    kill();
    store.append(&[record(&ann, 2)]).unwrap();
    kill();
    assert_eq!(numbers(&mut *store, &ann), [1, 2]);
    kill();
    assert_eq!(store.load(&ann).unwrap().generation, 2);
    kill();
    store.check().unwrap();
}

#[test]
fn a_batch_beyond_the_largest_packet_is_split_and_an_item_beyond_it_is_refused() {
    let Some(_) = admin_url() else { return };
    let _alone = SERVER.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place = database(None);
    let mut admin = admin();
    let before: u64 = admin.query_first("SELECT @@global.max_allowed_packet").unwrap().unwrap();
    admin.query_drop("SET GLOBAL max_allowed_packet = 1048576").unwrap();
    let mut store = place.open();
    admin.query_drop(format!("SET GLOBAL max_allowed_packet = {before}")).unwrap();
    let ann = name("ann", "a");
    let large = |number| append(&ann, 1, Item::Record { number, bytes: vec![number as u8; 700 << 10] });
    store.append(&(1..=5).map(large).collect::<Vec<_>>()).unwrap();
    let too_large = append(&ann, 1, Item::Record { number: 7, bytes: vec![0; 2 << 20] });
    let error = store.append(&[large(6), too_large]).unwrap_err();
    assert_eq!(error.kind, Kind::Other);
    assert!(error.detail.contains("max_allowed_packet"), "{error}");
    store.append(&[large(6)]).unwrap();
    assert_eq!(store.records(&ann, 1, 9).unwrap().len(), 6);
}

#[test]
fn loading_reads_no_more_rows_than_it_returns() {
    let Some(_) = admin_url() else { return };
    let _alone = SERVER.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let place = database(None);
    let mut store = place.open();
    let mut admin = admin();
    for user in 0..5 {
        long_session(&mut *store, &name(&format!("user {user}"), "s"), 1_000);
    }
    let mut read = || -> u64 {
        let rows: Vec<(String, u64)> = admin.query("SHOW GLOBAL STATUS LIKE 'Handler_read%'").unwrap();
        rows.iter().map(|(_, count)| count).sum()
    };
    let own = {
        let before = read();
        read() - before
    };
    let before = read();
    let loaded = store.load(&name("user 3", "s")).unwrap();
    let rows = read() - before - own;
    assert_eq!(loaded.records.len(), 20);
    assert!(rows < 100, "{rows} rows were read");
}
