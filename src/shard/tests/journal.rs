//! What is durable before it is seen, and how sessions come back.

use super::*;
use crate::contract::journal::{Durability, Item, Loaded, Name, Record};
use crate::shard::restore::{self, Found};

const KEY: &str = "/ws?session=a";

fn keeping(durability: Durability, rerun: bool) -> World {
    World::new(Settings { keeping: Some(Keeping { durability, rerun }), graph: "v1-direct".into(), ..settings() })
}

impl World {
    /// The journal has kept all that it was given.
    pub(super) fn durable(&mut self) {
        let batch = self.batch;
        self.tick(vec![Event::Durable { batch }]);
    }

    /// Answers each load with what the journal has of that session up to now; says how many there were.
    pub(super) fn load(&mut self) -> usize {
        let loads = std::mem::take(&mut self.loads);
        let count = loads.len();
        for key in loads {
            let outcome = Ok(self.found(&key));
            self.tick(vec![Event::Loaded { key, outcome }]);
        }
        count
    }

    pub(super) fn found(&self, key: &Key) -> Found {
        let name = Name { user: key.sub.to_string(), session: key.id.to_string() };
        let own: Vec<&Append> = self.appended.iter().filter(|append| append.name == name).collect();
        let generation = own.iter().map(|append| append.generation).max().unwrap_or(0) + 1;
        let mut snapshots = own.iter().filter_map(|append| match &append.item {
            Item::Snapshot { number, bytes } => Some((*number, bytes.clone())),
            _ => None,
        });
        let _last = snapshots.next_back();
        let snapshot = snapshots.next_back();
        let from = snapshot.as_ref().map_or(0, |(number, _)| *number);
        let records = own.iter().filter_map(|append| match &append.item {
            Item::Record { number, bytes } if *number > from => {
                Some(Record { number: *number, generation: append.generation, at: append.at, bytes: bytes.clone() })
            }
            _ => None,
        });
        let mut webhooks = Vec::new();
        for append in &own {
            match &append.item {
                Item::Webhook(webhook) => webhooks.push((**webhook).clone()),
                Item::Delivery { webhook, .. } => webhooks.retain(|awaited| awaited != &**webhook),
                _ => {}
            }
        }
        let loaded = Loaded { generation, snapshot, records: records.collect(), webhooks };
        let library = self.shard.settings.library.clone();
        restore::restore(&loaded, &mut |hash| (library.hash() == hash).then(|| library.clone())).unwrap()
    }

    /// The process ended, and another one begins with the same journal. Another clock starts.
    pub(super) fn restart(self) -> World {
        let keeping = self.shard.settings.keeping.unwrap();
        let outbox = super::outbox::outbox(false);
        let mut next = World::new(Settings { keeping: Some(keeping), graph: "v1-direct".into(), outbox: Some(outbox), ..settings() });
        next.now.wall = Time(self.now.wall.0 + 60_000_000);
        next.appended = self.appended;
        next
    }

    fn watch(&mut self, target: &str) -> SocketId {
        let socket = self.websocket(target);
        self.load();
        self.durable();
        socket
    }

    /// The session's turn runs to its end; the model says this.
    pub(super) fn answer(&mut self, text: &str) {
        let (session, call) = *self.calls.last().unwrap();
        self.tick(vec![Event::Chunk { session, call, text: text.to_owned() }]);
        self.complete(text);
    }
}

fn types(messages: &str) -> Vec<&str> {
    ["\"type\":\"delta\"", "\"client_id\"", "\"type\":\"done\""].into_iter().filter(|kind| messages.contains(kind)).collect()
}

#[test]
fn a_message_is_shown_to_be_taken_when_it_is_durable_and_its_model_is_called_before() {
    let mut world = keeping(Durability::Turn, false);
    let socket = world.watch(KEY);
    world.take(socket);
    world.say(socket, r#"{"text":"hi","id":"m1"}"#);
    assert_eq!((world.take(socket).as_str(), world.calls.len()), ("", 1), "the call goes out at once, and nothing is seen");
    let (session, call) = world.calls[0];
    world.tick(vec![Event::Chunk { session, call, text: "Hello".to_owned() }]);
    assert_eq!(world.take(socket), "", "nor is its first piece");
    world.durable();
    assert_eq!(types(&world.take(socket)), ["\"type\":\"delta\"", "\"client_id\""]);
    world.tick(vec![Event::Chunk { session, call, text: " there".to_owned() }]);
    assert!(world.take(socket).contains(" there"), "what comes between is shown at once");
    world.complete("Hello there");
    assert!(!world.take(socket).contains("\"done\""), "the end is not");
    world.durable();
    assert!(world.take(socket).contains("\"done\""));
}

#[test]
fn every_delta_waits_where_that_is_wanted() {
    let mut world = keeping(Durability::EveryDelta, false);
    let socket = world.watch(KEY);
    world.say(socket, r#"{"text":"hi"}"#);
    world.durable();
    world.take(socket);
    let (session, call) = world.calls[0];
    world.tick(vec![Event::Chunk { session, call, text: "Hello".to_owned() }]);
    assert_eq!(world.take(socket), "");
    world.durable();
    assert!(world.take(socket).contains("Hello"));
}

#[test]
fn an_answer_over_http_waits_for_what_it_tells_and_is_refused_where_that_takes_too_long() {
    let mut world = keeping(Durability::Turn, false);
    let post = |world: &mut World| {
        let socket = world.connect();
        let body = r#"{"text":"hi"}"#;
        world.send(
            socket,
            format!("POST /api/send?session=a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                .as_bytes(),
        );
        socket
    };
    let socket = post(&mut world);
    assert_eq!((world.take(socket).as_str(), world.calls.len()), ("", 0), "its session is loaded first");
    assert_eq!(world.load(), 1);
    assert_eq!((world.take(socket).as_str(), world.calls.len()), ("", 1));
    world.durable();
    assert!(world.take(socket).contains("\"queued\""));
    // Another session, and a journal that does not answer.
    let slow = world.connect();
    world.send(slow, b"GET /api/state?session=b HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.pass(Duration::from_secs(11));
    let refused = world.take(slow);
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("journal_unavailable"), "{refused}");
    assert_eq!(world.load(), 1, "what comes too late is dropped");
    assert_eq!(world.shard.sizes().journal, 0);
}

#[test]
fn a_session_comes_back_with_its_numbers_and_its_clients_miss_nothing() {
    let mut world = keeping(Durability::Turn, false);
    let socket = world.watch(KEY);
    world.say(socket, r#"{"text":"hi","id":"m1"}"#);
    world.durable();
    world.answer("Hello");
    world.durable();
    let seen = world.take(socket);
    let seqs = |text: &str| -> Vec<u64> {
        text.match_indices("\"seq\":")
            .filter_map(|(at, key)| text[at + key.len()..].split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
            .collect()
    };
    let last = *seqs(&seen).last().unwrap();
    assert_eq!(last >> 32, 1, "{seen}");
    let state = |world: &mut World, target: &str| {
        let socket = world.connect();
        world.send(socket, format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        world.load();
        world.durable();
        let answer = world.take(socket);
        serde_json::from_str::<Value>(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    };
    let before = state(&mut world, "/api/history?session=a");
    let mut world = world.restart();
    assert_eq!(state(&mut world, "/api/history?session=a")["messages"], before["messages"]);
    let again = world.watch(&format!("{KEY}&since={last}"));
    let hello = world.take(again);
    assert!(!hello.contains("\"gap\":true"), "{hello}");
    assert_eq!(world.calls.len(), 1, "what the memorizer has missed it is told again");
    world.complete("{}");
    world.durable();
    world.say(again, r#"{"text":"hi","id":"m1"}"#);
    assert!(world.calls.is_empty(), "a message that it has starts nothing, also after a restart");
    world.say(again, r#"{"text":"and now?","id":"m2"}"#);
    world.durable();
    world.answer("Now");
    world.durable();
    let more = world.take(again);
    assert!(seqs(&more).iter().all(|seq| seq >> 32 == 2) && !seqs(&more).is_empty(), "{more}");
    assert!(more.contains("msg_2") && more.contains("\"done\""), "{more}");
}

/// A session with a turn that runs and a message that waits behind it, both stored.
fn running_and_waiting(rerun: bool) -> (World, SocketId) {
    let mut world = keeping(Durability::Turn, rerun);
    let socket = world.watch(KEY);
    world.say(socket, r#"{"text":"hi","id":"m1"}"#);
    world.say(socket, r#"{"text":"and?","id":"m2"}"#);
    world.durable();
    (world, socket)
}

#[test]
fn a_turn_that_was_cut_off_ends_with_an_error_or_runs_again() {
    for rerun in [false, true] {
        let (mut world, _) = running_and_waiting(rerun);
        let (session, call) = world.calls[0];
        world.tick(vec![Event::Chunk { session, call, text: "Hel".to_owned() }]);
        world.durable();
        let mut world = world.restart();
        let socket = world.watch(&format!("{KEY}&since=0"));
        world.durable();
        let seen = world.take(socket);
        assert_eq!(seen.contains("cut_off"), !rerun, "{seen}");
        assert_eq!(world.calls.len(), 1, "the turn that waited begins, or the one that ran begins again");
        world.answer("Hello");
        world.durable();
        if rerun {
            world.answer("And");
            world.durable();
        }
        let rest = seen + &world.take(socket);
        for turn in ["msg_1", "msg_2"] {
            let done = format!("\"type\":\"done\",\"id\":\"{turn}\"");
            assert_eq!(rest.matches(&done).count(), 1, "rerun {rerun}: {turn} ends once: {rest}");
        }
    }
}

#[test]
fn where_the_journal_fails_nothing_new_is_taken_and_what_was_taken_is_not_shown() {
    let mut world = keeping(Durability::Turn, false);
    let socket = world.watch(KEY);
    world.take(socket);
    world.say(socket, r#"{"text":"hi","id":"m1"}"#);
    let refusal = Refusal::new(crate::contract::Code::JournalUnavailable, "the disk is full");
    world.tick(vec![Event::JournalState { broken: Some(refusal) }]);
    world.say(socket, r#"{"text":"more","id":"m2"}"#);
    let seen = world.take(socket);
    assert!(seen.contains("journal_unavailable") && seen.contains("m2") && !seen.contains("m1"), "{seen}");
    let (status, body) = world.get("/readyz");
    assert_eq!((status, body["checks"]["journal"]["ok"].clone()), (503, json!(false)), "{body}");
    world.durable();
    world.tick(vec![Event::JournalState { broken: None }]);
    assert!(world.take(socket).contains("\"client_id\":\"m1\""), "it was kept after all");
    assert_eq!(world.get("/readyz").0, 200);
    world.say(socket, r#"{"text":"more","id":"m2"}"#);
    world.durable();
    assert!(world.take(socket).contains("\"client_id\":\"m2\""));
}

/// Sends a request whose answer may come later.
fn asked(world: &mut World, method: &str, path: &str, body: &str) -> SocketId {
    let socket = world.connect();
    let head = format!("Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
    world.send(socket, format!("{method} {path}?session=a HTTP/1.1\r\n{head}\r\n\r\n{body}").as_bytes());
    world.load();
    socket
}

#[test]
fn a_message_that_was_taken_and_is_not_stored_in_time_is_answered_with_its_id() {
    const MESSAGE: &str = r#"{"text":"hi","id":"m1"}"#;
    let broken = Refusal::new(crate::contract::Code::JournalUnavailable, "the disk is full");
    let fails: [fn(&mut World, Refusal); 2] =
        [|world, broken| world.tick(vec![Event::JournalState { broken: Some(broken) }]), |world, _| world.pass(bounds::JOURNAL_TIME)];
    for fail in fails {
        let mut world = keeping(Durability::Turn, false);
        let message = asked(&mut world, "POST", "/api/send", MESSAGE);
        let read = asked(&mut world, "GET", "/api/state", "");
        assert_eq!(world.take(message) + &world.take(read), "", "nothing is stored");
        fail(&mut world, broken.clone());
        let answer = world.take(message);
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        for part in [r#""code":"unconfirmed""#, r#""id":"msg_1""#, r#""client_id":"m1""#] {
            assert!(answer.contains(part), "{part}: {answer}");
        }
        let answer = world.take(read);
        assert!(answer.contains(r#""code":"journal_unavailable""#) && !answer.contains("msg_1"), "{answer}");
        world.durable();
        world.tick(vec![Event::JournalState { broken: None }]);
        world.answer("Hello");
        world.durable();
        let again = asked(&mut world, "POST", "/api/send", MESSAGE);
        world.durable();
        assert!(world.take(again).contains(r#""id":"msg_1""#), "it has run, once");
    }
}

#[test]
fn a_session_that_nobody_uses_leaves_memory_only_when_it_is_durable() {
    let mut world = keeping(Durability::Turn, false);
    let socket = world.watch(KEY);
    world.say(socket, r#"{"text":"hi"}"#);
    world.durable();
    world.answer("Hello");
    world.tick(vec![Event::Failed { socket }]);
    let later = bounds::SESSION_IDLE * 2;
    world.pass(later);
    assert_eq!(world.shard.sizes().open_sessions, 1, "its end is not durable");
    world.durable();
    world.pass(later);
    assert_eq!(world.shard.sizes().open_sessions, 0);
    let socket = world.watch(KEY);
    assert_eq!(world.shard.sizes().open_sessions, 1, "it is back");
    assert!(world.take(socket).contains("\"type\":\"control\"") || world.shard.sizes().watchers == 1);
}

#[test]
fn a_long_conversation_is_loaded_from_a_snapshot_and_goes_on_the_same() {
    let mut world = keeping(Durability::Turn, false);
    let socket = world.watch(KEY);
    for turn in 1..=60 {
        world.say(socket, &format!(r#"{{"text":"question {turn}","id":"m{turn}"}}"#));
        world.durable();
        world.answer(&format!("answer {turn}"));
        world.durable();
        // The memorizer's call.
        while world.shard.sizes().calls > 0 {
            world.complete("{}");
            world.durable();
        }
        world.take(socket);
    }
    let snapshots = world.appended.iter().filter(|append| matches!(append.item, Item::Snapshot { .. })).count();
    assert!(snapshots >= 3, "{snapshots}");
    let turns: Vec<String> = world
        .appended
        .iter()
        .filter_map(|append| match &append.item {
            Item::Turn(turn) => Some(format!("{} {} {} {}", turn.turn, turn.question, turn.answer, turn.status)),
            _ => None,
        })
        .collect();
    assert!(turns.contains(&"60 question 60 answer 60 done".to_owned()), "{:?}", turns.last());
    let Found::Session(restored) = world.found(&Key { sub: "anonymous".into(), id: "a".into() }) else { panic!("it is there") };
    let live = world.shard.sessions.iter().next().unwrap();
    let whole = |session: &crate::engine::Session| serde_json::to_string(&session.snapshot()).unwrap();
    assert_eq!(whole(&restored.session), whole(&live.session));
    assert!(!restored.has_all && restored.events.len() < 60 * 40, "{}", restored.events.len());
}

#[test]
fn a_call_that_a_crash_cut_off_is_shown_to_end() {
    for rerun in [false, true] {
        let mut world = keeping(Durability::Turn, rerun);
        let socket = world.watch(KEY);
        world.say(socket, r#"{"text":"hi"}"#);
        world.durable();
        let mut world = world.restart();
        let socket = world.watch("/ws/trace?session=a&since=0");
        world.durable();
        let seen = world.take(socket);
        let count = |kind: &str| seen.matches(&format!("\"event\":\"{kind}\"")).count();
        assert_eq!((count("process_start"), count("process_end")), (1 + usize::from(rerun), 1), "rerun {rerun}: {seen}");
    }
}

#[test]
fn pieces_that_the_journal_lost_are_taken_back_where_a_turn_begins_again() {
    let mut world = keeping(Durability::Turn, true);
    let socket = world.watch(KEY);
    world.say(socket, r#"{"text":"hi"}"#);
    world.durable();
    let durable = world.appended.len();
    let (session, call) = world.calls[0];
    world.tick(vec![Event::Chunk { session, call, text: "Hel".to_owned() }]);
    assert!(world.take(socket).contains("Hel"));
    world.appended.truncate(durable);
    let mut world = world.restart();
    let socket = world.watch(&format!("{KEY}&since={}", (1_u64 << 32) + 20));
    world.durable();
    let seen = world.take(socket);
    assert!(seen.contains("\"kind\":\"retold\"") && !seen.contains("\"gap\":true"), "{seen}");
}

#[test]
fn what_waits_for_a_slow_journal_does_not_grow() {
    let mut world = keeping(Durability::EveryDelta, false);
    let socket = world.watch(KEY);
    world.say(socket, r#"{"text":"hi"}"#);
    let (session, call) = world.calls[0];
    for _ in 0..100 {
        world.tick(vec![Event::Chunk { session, call, text: "a ".to_owned() }]);
    }
    assert_eq!(world.shard.sizes().journal, 1, "one session waits, however much it has there");
    let slow = world.connect();
    world.send(slow, b"GET /api/state?session=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(world.shard.sizes().journal, 2);
    world.pass(Duration::from_secs(11));
    assert!(world.take(slow).starts_with("HTTP/1.1 503"));
    assert_eq!(world.shard.sizes().journal, 1, "an answer that came too late is not held");
    world.durable();
    assert_eq!(world.shard.sizes().journal, 0);
}

#[test]
fn a_server_that_drains_takes_up_no_session_and_begins_nothing() {
    let mut world = keeping(Durability::Turn, true);
    let socket = world.watch(KEY);
    world.say(socket, r#"{"text":"hi"}"#);
    world.durable();
    let mut world = world.restart();
    world.tick(vec![Event::Drain]);
    let appended = world.appended.len();
    let late = world.connect();
    world.send(late, b"GET /api/state?session=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.load();
    let refused = world.take(late);
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("draining"), "{refused}");
    let watching = world.watch(KEY);
    assert!(world.take(watching).contains("the server is shutting down"));
    assert_eq!((world.calls.len(), world.appended.len() - appended, world.shard.sizes().journal), (0, 0, 0));
}

#[test]
fn a_session_that_there_is_no_room_for_is_not_said_to_be_unreadable() {
    let mut world = keeping(Durability::Turn, false);
    for session in ["a", "b"] {
        let socket = world.watch(&format!("/ws?session={session}"));
        world.say(socket, r#"{"text":"hi"}"#);
        world.durable();
    }
    let keeping = world.shard.settings.keeping;
    let appended = std::mem::take(&mut world.appended);
    let mut world = World::new(Settings { keeping, sessions_max: 1, graph: "v1-direct".into(), ..settings() });
    world.appended = appended;
    let first = world.watch("/ws?session=a");
    assert!(world.take(first).contains("\"kept_from\""));
    let second = world.watch("/ws?session=b");
    assert!(world.take(second).contains("session limit reached"));
}

#[test]
fn a_load_brings_back_the_events_of_the_last_two_turns_however_often_snapshots_are_kept() {
    let keeping = Some(Keeping { durability: Durability::Turn, rerun: false });
    let mut world = World::new(Settings { keeping, snapshot_turns: 1, graph: "v1-direct".into(), ..settings() });
    let socket = world.watch(KEY);
    let mut begins = Vec::new();
    for turn in 1..=7 {
        world.say(socket, &format!(r#"{{"text":"question {turn}"}}"#));
        world.durable();
        world.answer("answer");
        while world.shard.sizes().calls > 0 {
            world.complete("{}");
        }
        world.durable();
        let seen = world.take(socket);
        let seq = seen.split("\"seq\":").nth(1).unwrap().split(|c: char| !c.is_ascii_digit()).next().unwrap().to_owned();
        begins.push(seq);
    }
    let snapshots = world.appended.iter().filter(|append| matches!(append.item, Item::Snapshot { .. })).count();
    assert!(snapshots >= 2, "{snapshots}");
    let mut world = world.restart();
    let socket = world.watch(&format!("{KEY}&since={}", begins[5]));
    let hello = world.take(socket);
    assert!(hello.contains("\"kept_from\"") && !hello.contains("\"gap\":true"), "{hello}");
}

#[test]
fn a_request_for_another_shard_waits_as_long_as_the_journal_there_may_take() {
    let keeping = Some(Keeping { durability: Durability::Turn, rerun: false });
    let mut world = World::new(Settings { shards: 2, keeping, ..settings() });
    let is_elsewhere = |id: &String| Key { sub: "anonymous".into(), id: id.as_str().into() }.shard(2) != world.shard.id;
    let other = (0..100).map(|number| format!("s{number}")).find(is_elsewhere).unwrap();
    let socket = world.connect();
    world.send(socket, format!("GET /api/state?session={other} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
    world.pass(bounds::FORWARD_TIME + Duration::from_secs(1));
    assert_eq!(world.take(socket), "");
    world.pass(bounds::JOURNAL_TIME);
    assert!(world.take(socket).contains("shard_timeout"));
}

#[test]
fn nobody_is_told_that_something_was_kept_of_a_session_that_another_server_has_taken_over() {
    let mut world = keeping(Durability::Turn, false);
    let watcher = world.watch("/ws?session=taken");
    world.take(watcher);
    let sender = world.connect();
    world.send(sender, message_to("taken"));
    world.load();
    let other = world.connect();
    world.send(other, message_to("own"));
    world.load();
    assert_eq!((world.take(sender), world.take(other)), (String::new(), String::new()), "both wait for the journal");
    let key = Key { sub: "anonymous".into(), id: "taken".into() };
    let generation = world.appended.iter().find(|append| append.name.session == "taken").unwrap().generation;
    // News of an earlier time is none.
    world.tick(vec![Event::Fenced { key: key.clone(), generation: generation - 1 }]);
    assert_eq!(world.take(sender), "");
    let batch = world.batch;
    world.tick(vec![Event::Fenced { key: key.clone(), generation }, Event::Durable { batch }]);
    let refused = world.take(sender);
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\"code\":\"session_moved\""), "{refused}");
    assert!(world.take(other).starts_with("HTTP/1.1 200 "), "another session is not concerned");
    let seen = world.take(watcher);
    assert!(!seen.contains("\"delta\"") && seen.contains("another server has taken over"), "{seen}");
    assert!(world.shard.session(&key).is_none() && !world.cancelled.is_empty(), "it leaves memory with its calls");
    // Wanted again, it is loaded.
    let again = world.connect();
    world.send(again, b"GET /api/result?session=taken HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(world.loads.len(), 1);
}

fn message_to(session: &str) -> &'static [u8] {
    let body = r#"{"text":"hi"}"#;
    let length = body.len();
    let head = format!("POST /api/send?session={session} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json");
    format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").leak().as_bytes()
}

#[test]
fn what_a_server_that_ends_leaves_is_done_by_the_next_one() {
    for rerun in [false, true] {
        let (mut world, socket) = running_and_waiting(rerun);
        world.tick(vec![Event::Drain]);
        assert!(world.ended.is_empty(), "a turn runs");
        world.tick(vec![Event::Stop]);
        world.durable();
        let seen = world.take(socket);
        assert_eq!(seen.contains("cut_off"), !rerun, "{seen}");
        assert_eq!(world.cancelled.len(), 1, "its call ends");
        let mut world = world.restart();
        let socket = world.watch(&format!("{KEY}&since=0"));
        for answer in ["One", "Two"].iter().skip(usize::from(!rerun)) {
            world.answer(answer);
            world.durable();
        }
        let seen = world.take(socket);
        assert_eq!(seen.contains("One"), rerun, "{seen}");
        assert!(seen.contains("Two") && seen.matches("\"type\":\"done\"").count() == 2, "rerun {rerun}: {seen}");
    }
}

#[test]
fn damage_that_is_still_json_is_logged_and_counted_and_the_session_is_loaded_all_the_same() {
    let mut world = keeping(Durability::Turn, false);
    let socket = world.watch(KEY);
    for question in ["hi", "and now?"] {
        world.say(socket, &json!({ "text": question }).to_string());
        world.durable();
        world.answer("Hello");
        world.complete("{}");
        world.durable();
    }
    let differences =
        |world: &World| -> Vec<Entry> { world.log.iter().filter(|entry| matches!(entry, Entry::Differs { .. })).cloned().collect() };
    let mut world = world.restart();
    world.watch(KEY);
    assert_eq!(differences(&world), [], "it is as it was");
    let damaged = world.appended.iter_mut().find_map(|append| match &mut append.item {
        Item::Record { number, bytes } => {
            let text = String::from_utf8(bytes.clone()).unwrap();
            *bytes = text.replace("Hello", "Jello").into_bytes();
            (*bytes != text.as_bytes()).then_some(*number)
        }
        _ => None,
    });
    let mut world = world.restart();
    let socket = world.watch(KEY);
    let session = Key { sub: "anonymous".into(), id: "a".into() }.hashed().into();
    assert_eq!(differences(&world), [Entry::Differs { session, record: damaged.unwrap() }], "the first record that differs");
    assert!(world.take(socket).contains("\"kept_from\""), "it is there");
    assert_eq!(world.get("/api/history?session=a").1["messages"].as_array().unwrap().len(), 4);
    let metrics = world.connect();
    world.send(metrics, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let shown = world.take(metrics);
    assert!(shown.contains("\nframewright_session_differences_total 1\n"), "{shown}");
}
