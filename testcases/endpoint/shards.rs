//! Two shards, any connection: whichever shard a request arrives on, it meets the one session that it names.

use crate::support::{Conversation, Folder, Provider, Server, Setting, eventually, in_parallel, run};
use serde_json::{Value, json};

const SESSIONS: usize = 16;

/// Sessions enough to live on both shards; each call of theirs is a new connection, so that calls arrive on both.
fn sessions(server: &Server, name: &str) -> Vec<Conversation> {
    (0..SESSIONS).map(|number| server.session(&format!("{name}-{number}"))).collect()
}

#[test]
fn many_connections_meet_one_session() {
    let server = Server::start();
    in_parallel(sessions(&server, "met"), |session| {
        let name = session.name.clone();
        for number in 1..=4 {
            let text = format!("hello, this is {name}, message {number}");
            assert_eq!(session.send(&text), format!("msg_{number}"));
            assert_eq!(session.result_of(&format!("msg_{number}"))["status"], "done");
            // All of these are connections of their own.
            in_parallel(0..6, |_| {
                let messages = session.messages();
                assert_eq!(messages.len(), 2 * number, "{name}");
                assert_eq!(messages[2 * number - 2]["content"], text);
            });
        }
    });
}

#[test]
fn a_socket_and_a_stream_miss_nothing_wherever_they_arrive() {
    let server = Server::start();
    in_parallel(sessions(&server, "watched"), |session| {
        // Several of each kind, so that some arrive on the wrong shard and move.
        let mut chats: Vec<_> = (0..3).map(|_| session.chat()).collect();
        let mut streams: Vec<_> = (0..3).map(|_| session.events()).collect();
        let mut traces: Vec<_> = (0..3).map(|_| session.tracing()).collect();
        // The head has been sent on each: what begins now is seen by all.
        session.send("why is the sky blue?");
        let seen: Vec<Vec<Value>> = chats.iter_mut().map(|chat| chat.until_done("msg_1")[1..].to_vec()).collect();
        assert!(seen.iter().all(|messages| *messages == seen[0]), "every chat socket sees the same: {seen:?}");
        let told: Vec<Vec<Value>> =
            streams.iter_mut().map(|stream| stream.until_trace("msg_1").into_iter().map(|told| told.event).collect()).collect();
        assert_eq!(told[0][0]["event"], "turn_started", "from its first event on: {}", told[0][0]);
        assert!(told.iter().all(|events| *events == told[0]));
        let traced: Vec<Vec<Value>> = traces.iter_mut().map(|trace| trace.until_trace("msg_1")).collect();
        assert!(traced.iter().all(|events| *events == told[0]));
    });
}

#[test]
fn messages_from_many_sockets_are_one_conversation() {
    let server = Server::start();
    for session in sessions(&server, "many") {
        let mut chats: Vec<_> = (0..6).map(|_| session.attached()).collect();
        chats.iter_mut().enumerate().for_each(|(number, chat)| chat.say(&json!({ "text": format!("hello number {number}") })));
        let seen: Vec<Vec<Value>> = chats.iter_mut().map(|chat| chat.until_done("msg_6")).collect();
        assert!(seen.iter().all(|messages| *messages == seen[0]), "all sockets see one order");
        let messages = session.messages();
        let mut texts: Vec<&str> =
            messages.iter().filter(|message| message["role"] == "user").map(|message| message["content"].as_str().unwrap()).collect();
        texts.sort_unstable();
        assert_eq!(texts, (0..6).map(|number| format!("hello number {number}")).collect::<Vec<_>>());
    }
}

#[test]
fn a_connection_may_speak_of_many_sessions() {
    let server = Server::start();
    let mut wire = server.connect();
    for session in sessions(&server, "spoken-of") {
        let text = json!({ "text": format!("hello {}", session.name) });
        assert_eq!(wire.ask("POST", &session.target("/api/send"), Some(&text)).json()["id"], "msg_1");
        let messages = wire.ask("GET", &session.target("/api/history"), None).json();
        assert_eq!(messages["messages"][0]["content"], text["text"]);
    }
}

#[test]
fn sockets_that_come_and_go_leave_the_conversation_alone() {
    let server = Server::start();
    in_parallel(sessions(&server, "restless"), |session| {
        let id = session.send("why is the sky blue?");
        for number in 0..20 {
            match number % 3 {
                0 => drop(session.chat()),
                1 => drop(session.events()),
                _ => drop(session.tracing().close()),
            }
        }
        assert_eq!(session.result_of(&id)["status"], "done");
    });
    eventually("all sockets to be gone", || {
        let gone = sessions(&server, "restless").iter().all(|session| session.read("/api/state")["ws_connected"] == false);
        gone.then_some(())
    });
}

#[test]
fn a_second_server_on_the_same_address_is_refused() {
    let mut server = Server::start();
    let folder = Folder::new();
    let (address, data) = (server.address.to_string(), folder.path().to_str().unwrap());
    for shards in ["1", "2"] {
        let ended = run(folder.path(), &["serve", "--shards", shards, "--listen", &address, "--data", data]);
        assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
        assert!(ended.errors.contains(&address) && !ended.errors.contains("panicked"), "it says which address, in a sentence: {ended:?}");
    }
    assert!(server.is_running());
    for _ in 0..8 {
        assert_eq!(server.connect().ask("GET", "/health", None).status, 200);
    }
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let mut server = Server::start();
    let data = server.folder.path().to_str().unwrap();
    let ended = run(server.folder.path(), &["serve", "--listen", "127.0.0.1:0", "--data", data]);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(ended.errors.contains(data) && !ended.errors.contains("panicked"), "it says which folder, in a sentence: {ended:?}");
    assert!(server.is_running());
}

#[test]
fn a_data_folder_is_free_again_when_its_server_is_gone() {
    let folder = Folder::new();
    for _ in 0..2 {
        let setting = Setting { data: Some(folder.path()), ..Default::default() };
        let server = Server::with(&setting);
        assert_eq!(server.session("again").ask("hello")["total_frames"], 2);
    }
}

#[test]
fn of_many_sends_at_once_one_is_taken() {
    let provider = Provider::start();
    let server = provider.server();
    for session in sessions(&server, "race") {
        let body = json!({ "text": json!({ "hold": "input" }).to_string() });
        let mut statuses = in_parallel(0..6, |_| session.call("POST", "/api/send", Some(&body)).status);
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409, 409, 409, 409, 409], "{}", session.name);
        provider.holds(1);
        provider.release(1);
        assert_eq!(session.result_of("msg_1")["status"], "done");
        assert_eq!(session.messages().len(), 2);
    }
}

#[test]
fn connections_that_are_gone_leave_no_descriptor_behind() {
    let server = Server::start();
    let session = server.session("descriptors");
    session.ask("hello");
    session.memorized();
    let before = server.descriptors();
    for _ in 0..10 {
        in_parallel(0..20, |number| match number % 5 {
            0 => drop(session.chat()),
            1 => drop(session.events()),
            2 => drop(session.tracing().close()),
            3 => drop(server.connect()),
            _ => server.connect().send("POST /api/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"),
        });
    }
    eventually("the descriptors to come back", || (server.descriptors() <= before).then_some(()));
    assert_eq!(session.ask("hello")["total_frames"], 2);
}
