//! `kill -9` at any moment, under load: no acknowledged message is lost, none is doubled, and the file stays whole.

use super::client::Client;
use super::support::{Conversation, Folder, PATIENCE, Server, Setting, in_parallel, nobody};
use super::weak::Dice;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const KILLS: usize = 100;
const CLIENTS: usize = 6;
/// How long it usually takes from a broken connection to the first piece of an answer of the next server. The median of all clients
/// and kills is compared with it: a machine that stands still now and then says nothing of the server.
const RECOVERY_MAX: Duration = Duration::from_secs(2);
/// A history shows so many turns.
const TURNS_MAX: usize = 90;

#[test]
fn a_hundred_kills_under_load_lose_nothing_double_nothing_and_leave_the_file_whole() {
    kill(KILLS, &[]);
}

#[test]
fn where_every_piece_is_kept_and_what_was_cut_off_runs_again_the_same_holds() {
    let clients = kill(KILLS / 5, &["--durability", "every-delta", "--resume", "rerun"]);
    let cut = clients.iter().flat_map(|client| client.ends.values()).filter(|code| code.as_deref() == Some("cut_off")).count();
    assert_eq!(cut, 0, "what was cut off runs again");
}

/// Kills and starts a server so often, while clients talk to it.
fn kill(kills: usize, options: &[&str]) -> Vec<Client> {
    let (data, listen) = (Folder::new(), Some(nobody()));
    let setting = Setting { listen, data: Some(data.path()), options, word_ms: 2, ..Setting::default() };
    let mut server = Server::with(&setting);
    let (address, is_over, told) = (server.address, AtomicBool::new(false), AtomicUsize::new(0));
    let clients = thread::scope(|scope| {
        let talk = |number: usize| {
            let (is_over, told, mut all) = (&is_over, &told, Vec::new());
            move || {
                let mut client = Client::new(address, format!("c{number}-0"));
                while !is_over.load(Ordering::Relaxed) {
                    let before = client.turns.len();
                    client.go_on(true);
                    told.fetch_add(client.turns.len() - before, Ordering::Relaxed);
                    if client.sent() == TURNS_MAX {
                        let next = Client::new(address, format!("c{number}-{}", all.len() + 1));
                        all.push(finish(std::mem::replace(&mut client, next)));
                    }
                }
                all.push(finish(client));
                all
            }
        };
        let talking: Vec<_> = (0..CLIENTS).map(|number| scope.spawn(talk(number))).collect();
        let mut dice = Dice::new(7);
        for _ in 0..kills {
            // However slow the machine is, there is something to lose; and now and then nothing yet.
            let (enough, begun) = (told.load(Ordering::Relaxed) + dice.below(4), Instant::now());
            while told.load(Ordering::Relaxed) < enough {
                assert!(begun.elapsed() < PATIENCE, "no message is acknowledged");
                thread::sleep(Duration::from_millis(2));
            }
            thread::sleep(Duration::from_millis(dice.below(200) as u64));
            server.signal("KILL");
            server.ended();
            server = Server::with(&setting);
        }
        is_over.store(true, Ordering::Relaxed);
        talking.into_iter().flat_map(|talking| talking.join().unwrap()).collect::<Vec<Client>>()
    });
    let (mut acknowledged, mut cut) = (0, 0);
    for client in &clients {
        let messages = Conversation::new(address, &client.session).messages();
        let mut kept: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for message in messages.iter().filter(|message| message["role"] == "user") {
            kept.entry(message["client_id"].as_str().unwrap()).or_default().push(message["id"].as_str().unwrap());
        }
        for (id, turn) in &client.turns {
            assert_eq!(kept.remove(id.as_str()).as_deref(), Some(&[turn.as_str()][..]), "{}: {id} is there once", client.session);
            assert!(client.ends.contains_key(turn), "{}: {turn} has ended", client.session);
        }
        assert!(kept.is_empty(), "{}: nobody was told of {kept:?}", client.session);
        acknowledged += client.turns.len();
        cut += client.ends.values().filter(|code| code.as_deref() == Some("cut_off")).count();
    }
    let mut recoveries: Vec<Duration> = clients.iter().flat_map(|client| client.recoveries.iter().copied()).collect();
    recoveries.sort_unstable();
    let (median, slowest) = (recoveries[recoveries.len() / 2], recoveries[recoveries.len() - 1]);
    println!(
        "{kills} kills, {acknowledged} messages, {cut} turns cut off, {median:?} from a broken connection to the next answer (of {}: the \
         median), at most {slowest:?}",
        recoveries.len()
    );
    assert!(acknowledged >= kills, "a load that is none shows nothing: {acknowledged} messages");
    assert!(recoveries.len() >= kills, "{} recoveries from {kills} kills", recoveries.len());
    assert!(median < RECOVERY_MAX, "it takes {median:?} until the next server answers");
    server.signal("TERM");
    server.ended();
    let file = rusqlite::Connection::open(data.path().join("journal.db")).unwrap();
    let found: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    clients
}

/// Waits for the end of what was sent last.
fn finish(mut client: Client) -> Client {
    let begun = Instant::now();
    while !client.is_idle() {
        assert!(begun.elapsed() < PATIENCE, "{}: the last message never ends", client.session);
        client.go_on(false);
    }
    client
}

#[test]
fn a_server_that_ends_as_it_should_loses_nothing_either() {
    let (data, listen) = (Folder::new(), Some(nobody()));
    let setting = Setting { listen, data: Some(data.path()), ..Setting::default() };
    let mut server = Server::with(&setting);
    let address = server.address;
    let names: Vec<String> = (0..4).map(|number| format!("s{number}")).collect();
    for round in 1..=5 {
        let told =
            in_parallel(&names, |name| Conversation::new(address, name).ask("why is the sky blue?")["id"].as_str().unwrap().to_owned());
        assert_eq!(told, vec![format!("msg_{round}"); names.len()], "turns are counted on");
        server.signal("TERM");
        assert_eq!(server.ended().code(), Some(0));
        server = Server::with(&setting);
    }
    for name in &names {
        assert_eq!(Conversation::new(address, name).messages().len(), 10);
    }
}
