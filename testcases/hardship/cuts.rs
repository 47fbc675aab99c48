//! Cut at random moments: in the handshake, in a frame, between two words. Whoever comes back reads the answer whole, once.

use super::support::{Conversation, Server, Setting, answer_text, eventually, in_parallel, seqs};
use super::weak::{Dice, Weak};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use tungstenite::Message;

const QUESTION: &str = "why is the sky blue?";
/// A line carries fewer bytes than this: from nothing at all to about a third of an answer.
const BYTES_MOST: usize = 1_500;
const SESSIONS: u64 = 8;
const TURNS: usize = 8;

/// A server that takes its time over an answer.
fn slow() -> Server {
    Server::with(&Setting { word_ms: 3, ..Setting::default() })
}

fn check(what: &str, follow: impl Fn(&Conversation, &mut Dice) -> usize + Sync) {
    let server = slow();
    let cuts: usize = in_parallel(1..=SESSIONS, |seed| follow(&server.session(&format!("cut-{seed}")), &mut Dice::new(seed))).iter().sum();
    println!("{what}: {cuts} cuts survived, in {} answers", SESSIONS * TURNS as u64);
    assert!(cuts >= 150, "lines that hardly ever break show nothing: {cuts} cuts");
}

fn whole(session: &Conversation, id: &str) -> String {
    let result = session.result_of(id);
    assert_eq!(result["status"], "done", "{result}");
    let messages = session.messages();
    let answer = messages.iter().find(|message| message["role"] == "assistant" && message["id"] == id).unwrap();
    assert!(answer["partial"].is_null(), "{answer}");
    assert_eq!(answer["content"], result["response"]);
    answer["content"].as_str().unwrap().to_owned()
}

fn number(event: &Value) -> u64 {
    event["seq"].as_u64().unwrap()
}

/// Attaches over a weak line and hands on what comes, the first message too, until it breaks or enough was heard. True when it
/// broke.
fn hear(session: &Conversation, dice: &mut Dice, since: u64, mut each: impl FnMut(Value) -> bool) -> bool {
    let url = format!("ws://{}{}", session.address, session.target(&format!("/ws?since={since}")));
    let Ok((mut socket, _)) = tungstenite::client(url, Weak::open(session.address, dice, BYTES_MOST)) else { return true };
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => {
                if each(serde_json::from_str(&text).unwrap()) {
                    return false;
                }
            }
            Ok(_) => {}
            Err(_) => return true,
        }
    }
}

#[test]
fn a_chat_that_is_cut_goes_on_behind_the_last_message_that_was_seen() {
    check("WebSocket, by `since`", |session, dice| {
        let (mut cuts, mut seen, mut last) = (0, Vec::new(), 0);
        for _ in 0..TURNS {
            let id = session.send(QUESTION);
            let mut is_done = false;
            while !is_done {
                let mut is_first = true;
                let broke = hear(session, dice, last, |message| {
                    if std::mem::take(&mut is_first) {
                        assert!(message["type"] == "controls" && message["kept_from"].is_u64() && message["gap"].is_null(), "{message}");
                        return false;
                    }
                    assert!(number(&message) > last, "{message} after {last}");
                    last = number(&message);
                    is_done = message["type"] == "done" && message["id"] == id.as_str();
                    seen.push(message);
                    is_done
                });
                cuts += usize::from(broke);
            }
            assert_eq!(answer_text(&seen, &id), whole(session, &id), "neither doubled nor short");
        }
        seqs(&seen);
        assert_eq!(seen.iter().filter(|message| message["type"] == "done").count(), TURNS);
        cuts
    });
}

#[test]
fn an_event_stream_that_is_cut_goes_on_behind_the_last_event_that_was_seen() {
    check("event stream, by `Last-Event-ID`", |session, dice| {
        let (mut cuts, mut last) = (0, 0);
        for _ in 0..TURNS {
            let id = session.send(QUESTION);
            let (mut text, mut is_done) = (String::new(), false);
            while !is_done {
                let broke = listen(session, dice, last, |number, event| {
                    assert!(number > last, "{number} after {last}");
                    last = number;
                    if event["event"] == "streaming" && event["turn"] == id.as_str() {
                        text.push_str(event["text"].as_str().unwrap());
                    }
                    is_done = event["event"] == "frame_trace" && event["turn"] == id.as_str();
                    is_done
                });
                cuts += usize::from(broke);
            }
            assert_eq!(text, whole(session, &id), "neither doubled nor short");
        }
        cuts
    });
}

/// Like [`hear`], for an event stream.
fn listen(session: &Conversation, dice: &mut Dice, since: u64, mut each: impl FnMut(u64, Value) -> bool) -> bool {
    // What traces tell is longer than what the chat shows.
    let mut line = Weak::open(session.address, dice, 4 * BYTES_MOST);
    let target = session.target("/api/events");
    line.write_all(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {since}\r\n\r\n").as_bytes()).unwrap();
    let (mut reader, mut id, mut data) = (BufReader::new(line), None, None);
    loop {
        let mut line = String::new();
        // A line without an end was cut in its middle.
        match reader.read_line(&mut line) {
            Ok(count) if count > 0 && line.ends_with('\n') => {}
            _ => return true,
        }
        if let Some(number) = line.strip_prefix("id: ") {
            id = number.trim().parse().ok();
        } else if let Some(json) = line.strip_prefix("data: ") {
            data = serde_json::from_str(json).ok();
        } else if line == "\n"
            && let (Some(id), Some(data)) = (id.take(), data.take())
            && each(id, data)
        {
            return false;
        }
    }
}

#[test]
fn who_forgets_all_reads_the_history_and_goes_on_from_its_number() {
    check("WebSocket, by the history's `seq`", |session, dice| {
        let mut cuts = 0;
        for _ in 0..TURNS {
            let id = session.send(QUESTION);
            let text = loop {
                let history = session.read("/api/history?last=200");
                let messages = history["messages"].as_array().unwrap();
                if let Some(answer) = messages.iter().find(|message| message["role"] == "assistant" && message["id"] == id.as_str()) {
                    break answer["content"].as_str().unwrap().to_owned();
                }
                let (mut text, mut is_done, mut is_first) = (String::new(), false, true);
                let broke = hear(session, dice, number(&history), |message| {
                    if std::mem::take(&mut is_first) {
                        assert!(message["gap"].is_null(), "{message}");
                    } else if message["type"] == "delta" && message["kind"].is_null() {
                        assert_eq!(message["id"], id.as_str(), "finished turns are in the history: {message}");
                        text.push_str(message["content"].as_str().unwrap());
                    }
                    is_done = message["type"] == "done";
                    is_done
                });
                cuts += usize::from(broke);
                if is_done {
                    break text;
                }
            };
            assert_eq!(text, whole(session, &id), "neither doubled nor short");
        }
        cuts
    });
}

#[test]
fn who_was_away_too_long_or_counts_too_far_is_told_of_the_gap_in_the_middle_of_an_answer() {
    let server = slow();
    let session = server.session("gap");
    let gap = |since: u64| session.chat_since(since).next()["gap"] == true;
    let turns = (1..2_000).find(|_| {
        session.ask("hello");
        gap(1)
    });
    assert!(turns.is_some(), "events leave at some time");
    for since in [1, 1_000_000_000] {
        let id = session.send(QUESTION);
        eventually("the answer's first words", || {
            let result = session.result();
            (result["partial"] != "" && result["id"] == id.as_str()).then_some(())
        });
        let mut back = session.chat_since(since);
        let hello = back.next();
        assert_eq!(hello["gap"], true, "{since}: {hello}");
        // As the page does: what was missed is in the history, and the rest comes behind it.
        let history = session.read("/api/history?last=200");
        let mut fresh = session.chat_since(number(&history));
        assert_eq!(fresh.next()["gap"], Value::Null);
        let answer =
            history["messages"].as_array().unwrap().iter().find(|message| message["role"] == "assistant" && message["id"] == id.as_str());
        let text = match answer {
            Some(answer) => answer["content"].as_str().unwrap().to_owned(),
            None => answer_text(&fresh.until_done(&id), &id),
        };
        assert_eq!(text, whole(&session, &id));
        // The socket that came with the wrong number goes on all the same, from where it can: turns before this one among it.
        back.say(&json!({ "text": "hello" }));
        let next = id.strip_prefix("msg_").unwrap().parse::<u64>().unwrap() + 1;
        seqs(&back.until_done(&format!("msg_{next}")));
    }
}

#[test]
fn a_turn_ends_though_everyone_has_left() {
    let server = slow();
    in_parallel(1..=6, |seed| {
        let (session, mut dice) = (server.session(&format!("left-{seed}")), Dice::new(seed));
        let mut chat = session.attached();
        chat.say(&json!({ "text": QUESTION }));
        chat.until(|message| message["type"] == "delta");
        drop(chat);
        hear(&session, &mut dice, 0, |_| false);
        assert!(whole(&session, "msg_1").len() > 100);
    });
}
