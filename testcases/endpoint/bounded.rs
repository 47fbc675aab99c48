//! Quotas over real sockets on two shards: each bound is filled, says so, and is there again.
//!
//! Shards tell one another what they counted, which takes a moment: a bound may be passed by a few, and never by many.

use crate::support::http::{Answer, Wire};
use crate::support::{Folder, Provider, Server, Setting, WebSocket, eventually, run};
use serde_json::json;

/// Far more than any bound here.
const MANY: usize = 500;

fn server(options: &[&str]) -> Server {
    Server::with(&Setting { options, ..Setting::default() })
}

/// One request on a connection of its own, which any shard may get; `headers` are whole lines.
fn ask(server: &Server, method: &str, target: &str, headers: &str, body: &str) -> Answer {
    let mut wire = Wire::open(server.address);
    let length =
        if body.is_empty() { String::new() } else { format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()) };
    wire.send(format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{headers}{length}\r\n{body}"));
    wire.answer()
}

/// Tries until it is refused, and returns how often it was not, and the refusal.
fn fill(mut attempt: impl FnMut(usize) -> Answer) -> (usize, Answer) {
    for taken in 0..MANY {
        let answer = attempt(taken);
        if answer.status == 429 {
            return (taken, answer);
        }
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    panic!("{MANY} were taken")
}

/// A refusal for now states its bound, and when to come back.
fn is_for_now(refused: &Answer, policy: &str, code: &str, retry_s_max: u64) {
    let header = |name| refused.header(name).unwrap_or_else(|| panic!("`{name}` is missing: {refused:?}")).to_owned();
    assert_eq!(refused.code(), code);
    let retry_s: u64 = header("retry-after").parse().unwrap();
    assert!((1..=retry_s_max).contains(&retry_s), "{retry_s}");
    assert_eq!((header("ratelimit-remaining"), header("ratelimit-reset")), ("0".to_owned(), retry_s.to_string()));
    let limit = header("ratelimit-limit");
    assert!(header("ratelimit-policy").starts_with(&format!("\"{policy}\";q={limit}")), "{refused:?}");
    assert_eq!(header("ratelimit"), format!("\"{policy}\";r=0;t={retry_s}"));
}

#[test]
fn requests_of_one_address_fill_its_quota_on_both_shards_and_nobody_elses() {
    let server = server(&["--address-requests", "60", "--trusted-proxy", "127.0.0.1"]);
    let from = |address: &str, target: &str| ask(&server, "GET", target, &format!("X-Forwarded-For: {address}\r\n"), "");
    let (taken, refused) = fill(|_| from("203.0.113.5", "/auth/config"));
    assert!(taken >= 60, "{taken}");
    is_for_now(&refused, "address-requests", "rate_limited", 60);
    assert_eq!(from("203.0.113.6", "/auth/config").status, 200);
    assert_eq!(from("203.0.113.5", "/health").status, 200, "whoever watches over the server is never locked out");
    eventually("a request that is taken again", || (from("203.0.113.5", "/auth/config").status == 200).then_some(()));
    let said = eventually("the log's line", || Some(server.said()).filter(|said| said.contains("rate_limited")));
    assert!(said.contains("203.0.113.5") && said.contains("--address-requests"), "{said}");
}

#[test]
fn what_a_client_forges_without_a_trusted_proxy_changes_nothing() {
    let server = server(&["--address-requests", "60"]);
    let forged = |number: usize| ask(&server, "GET", "/auth/config", &format!("X-Forwarded-For: 10.0.0.{}\r\n", number % 250), "");
    assert!(fill(forged).0 >= 60);
}

#[test]
fn a_server_without_quotas_of_its_own_locks_no_developer_out() {
    let server = server(&[]);
    let mut wire = server.connect();
    // More than the default for other addresses.
    for _ in 0..1_000 {
        wire.send("GET /auth/config HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(16));
        (0..16).for_each(|_| assert_eq!(wire.answer().status, 200));
    }
}

#[test]
fn messages_fill_their_quota_over_http_and_on_a_socket_which_stays_open() {
    let server = server(&["--address-messages", "30"]);
    let hello = json!({ "text": "hello" });
    let (taken, refused) = fill(|number| server.session(&format!("s{number}")).call("POST", "/api/send", Some(&hello)));
    assert!(taken >= 30, "{taken}");
    is_for_now(&refused, "address-messages", "rate_limited", 60);
    let mut chat = server.session("chat").attached();
    let mut attempt = |id: String| {
        chat.say(&json!({ "text": "hello", "id": id }));
        let end = chat.until(|message| message["type"] == "done").pop().unwrap();
        assert_eq!(end["client_id"], id, "{end}");
        end
    };
    let refused = (0..MANY).map(|number| attempt(format!("m{number}"))).find(|end| end["refused"] == true).expect("a refusal");
    assert_eq!(refused["code"], "rate_limited");
    assert!(refused["error"].is_string() && (1..=60_000).contains(&refused["retry_after_ms"].as_u64().unwrap()), "{refused}");
    let mut number = MANY;
    eventually("a message that is taken again", || {
        number += 1;
        attempt(format!("m{number}"))["refused"].is_null().then_some(())
    });
}

#[test]
fn streams_fill_their_quota_wherever_they_live_and_each_that_ends_makes_room() {
    let server = server(&["--address-streams", "4"]);
    let open = |number: usize| {
        let mut chat = server.session(&format!("s{number}")).chat();
        match chat.next_message() {
            tungstenite::Message::Close(frame) => Err(frame.map(|frame| (u16::from(frame.code), frame.reason.to_string()))),
            _ => Ok(chat),
        }
    };
    // What has ended before is given back, but not always before the next is there.
    let open_four = || {
        eventually("room for four", || {
            let chats: Vec<WebSocket> = (0..4).map_while(|number| open(number).ok()).collect();
            if chats.len() == 4 {
                return Some(chats);
            }
            chats.into_iter().for_each(|chat| drop(chat.close()));
            None
        })
    };
    for _ in 0..3 {
        let mut chats = open_four();
        let refused = loop {
            match open(chats.len()) {
                Ok(chat) => chats.push(chat),
                Err(refused) => break refused,
            }
            assert!(chats.len() < 40, "far too many are open");
        };
        assert_eq!(refused, Some((1013, "too_many_streams".to_owned())));
        let refused =
            eventually("a refused event stream", || Some(ask(&server, "GET", "/api/events", "", "")).filter(|answer| answer.status == 429));
        is_for_now(&refused, "address-streams", "too_many_streams", 60);
        // Half of them say goodbye, the other half just goes.
        let rest = chats.split_off(chats.len() / 2);
        rest.into_iter().for_each(|chat| drop(chat.close()));
        drop(chats);
        eventually("an event stream", || (ask(&server, "GET", "/api/events", "", "").status == 200).then_some(()));
    }
    open_four();
}

#[test]
fn turns_at_once_fill_their_quota_until_one_ends() {
    let provider = Provider::start();
    let server = server(&["--llm-url", &provider.url(), "--model", "puppet", "--user-turns", "2"]);
    let held = |number: usize| {
        let text = json!({ "say": "one two", "hold": "output" }).to_string();
        server.session(&format!("s{number}")).call("POST", "/api/send", Some(&json!({ "text": text })))
    };
    let (taken, refused) = fill(held);
    assert!(taken >= 2, "{taken}");
    is_for_now(&refused, "address-turns", "too_many_turns", 60);
    provider.holds(taken);
    // The same on a socket, which stays open.
    let mut chat = server.session("chat").attached();
    let refused = eventually("a refusal on the socket", || {
        chat.say(&json!({ "text": "hello" }));
        chat.until(|message| message["type"] == "done").pop().filter(|end| end["refused"] == true)
    });
    assert_eq!(refused["code"], "too_many_turns", "{refused}");
    provider.release(taken);
    (0..taken).for_each(|number| assert_eq!(server.session(&format!("s{number}")).result_of("msg_1")["status"], "done"));
    eventually("a turn that is taken again", || {
        chat.say(&json!({ "text": "hello" }));
        chat.until(|message| message["type"] == "done").pop().filter(|end| end["refused"].is_null())
    });
}

#[test]
fn a_day_s_tokens_and_cost_are_what_the_model_reported_and_refuse_the_next_turn() {
    let provider = Provider::start();
    // A call of the puppet takes 10 tokens and 5, and costs 0.01 + 0.01 then.
    let price = ["--price", "puppet=1000,2000", "--day-cost", "0.10"];
    let server =
        server(&[&["--llm-url", &provider.url(), "--model", "puppet", "--day-tokens", "1000", "--day-turns", "9"][..], &price].concat());
    let session = server.session("budget");
    let budget = || session.read("/api/state")["budget"].clone();
    let before = budget();
    assert_eq!(before["turns"], json!({ "limit": 9, "left": 9 }), "{before}");
    assert!(before["resets_at"].as_u64().is_some_and(|at| at.is_multiple_of(86_400_000)), "{before}");
    let trace = session.ask(&json!({ "say": "one two" }).to_string());
    let memorized = session.memorized();
    let calls = trace["frames"].as_array().unwrap().iter().flat_map(|frame| frame["calls"].as_array().unwrap()).count() as u64 + 1;
    assert!(calls >= 3, "{trace}");
    assert_eq!(trace["usage"]["cost_micros"], 20_000 * (calls - 1), "{trace}");
    let after = &memorized["budget"];
    assert_eq!((&after["turns"]["left"], &after["tokens"]["left"]), (&json!(8), &json!(1_000 - 15 * calls)), "{after}");
    assert_eq!(after["cost"]["left"], json!((100_000 - 20_000 * calls) as f64 / 1e6), "{after}");
    // The turn that takes it beyond is not cut; the next one is refused, in every session and on both shards.
    session.ask(&json!({ "say": "one two" }).to_string());
    session.memorized();
    for number in 0..6 {
        let refused = server.session(&format!("s{number}"));
        let refused = eventually("a shard that has heard of it", || {
            Some(refused.call("POST", "/api/send", Some(&json!({ "text": "hello" })))).filter(|answer| answer.status == 429)
        });
        is_for_now(&refused, "day-cost", "budget_used_up", 86_400);
    }
    assert_eq!(budget()["cost"], json!({ "limit": 0.1, "left": 0.0 }));
    assert_eq!(session.read("/api/me")["budget"]["cost"]["left"], 0.0);
}

#[test]
fn an_api_key_is_a_user_with_quotas_of_its_own() {
    let folder = Folder::new();
    let file = folder.path().join("keys.toml").display().to_string();
    let key = |name: &str| {
        let made = run(folder.path(), &["key", "create", name, "--scopes", "chat", "--api-keys", &file]);
        let key = made.output.split_whitespace().find(|word| word.starts_with("fw_"));
        key.unwrap_or_else(|| panic!("a key is printed: {made:?}")).to_owned()
    };
    let (ci, board) = (key("ci"), key("board"));
    let server = server(&["--api-keys", &file, "--user-requests", "60", "--day-turns", "2"]);
    let send = |key: &str, session: usize| {
        let target = format!("/api/send?session=s{session}");
        ask(&server, "POST", &target, &format!("Authorization: Bearer {key}\r\n"), r#"{"text":"hello"}"#)
    };
    let (taken, refused) = fill(|number| send(&ci, number));
    assert!(taken >= 2, "{taken}");
    is_for_now(&refused, "day-turns", "budget_used_up", 86_400);
    let state = ask(&server, "GET", "/api/state", &format!("Authorization: Bearer {board}\r\n"), "").json();
    assert_eq!(state["budget"]["turns"], json!({ "limit": 2, "left": 2 }), "another key is another user");
    let (taken, refused) = fill(|_| ask(&server, "GET", "/api/state", &format!("Authorization: Bearer {board}\r\n"), ""));
    assert!(taken >= 50, "{taken}");
    is_for_now(&refused, "user-requests", "rate_limited", 60);
    let said = eventually("the log's line", || Some(server.said()).filter(|said| said.contains("limit reached")));
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("limit reached")).collect();
    assert!(lines.iter().all(|line| !line.contains("board")), "nobody is named: {lines:?}");
}
