use super::state::State;
use super::testing::Session;
use super::*;
use crate::contract::Code;
use serde_json::json;
use std::collections::{BTreeMap, VecDeque};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use tungstenite::accept_hdr;
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;

/// What a client was shown of each of its messages.
#[derive(Debug, Default)]
struct Shown {
    ended: usize,
    text: String,
    has_gap: bool,
    was_refused: bool,
    was_cancelled: bool,
}

#[derive(Default)]
struct Client {
    names: BTreeMap<String, String>,
    shown: BTreeMap<String, Shown>,
    restarts: usize,
}

impl Client {
    fn send(&mut self, state: &mut State, text: &str) {
        let name = state.send(json!({ "text": text })).unwrap();
        self.shown.insert(name.clone(), Shown::default());
        self.names.insert(name, text.to_owned());
    }

    fn see(&mut self, update: Update) {
        match update {
            Update::Text { client_id: Some(client_id), content, .. } => self.shown.get_mut(&client_id).unwrap().text += &content,
            Update::Done(done) => {
                let shown = self.shown.get_mut(&done.client_id.expect("nobody else is here")).unwrap();
                shown.ended += 1;
                (shown.has_gap, shown.was_cancelled) = (done.has_gap, done.cancelled);
            }
            Update::Refused(refused) => {
                assert_eq!(refused.code, Some(Code::QueueFull));
                let shown = self.shown.get_mut(&refused.client_id).unwrap();
                shown.ended += 1;
                shown.was_refused = true;
            }
            Update::Attached { resumed: Resumed::Restarted, .. } => {
                self.restarts += 1;
                // Whatever was shown of a turn that is lost, it starts over.
                self.shown.values_mut().filter(|shown| shown.ended == 0).for_each(|shown| *shown = Shown::default());
            }
            Update::Attached { .. }
            | Update::Retold { .. }
            | Update::Text { client_id: None, .. }
            | Update::Disconnected
            | Update::Controls { .. }
            | Update::Cleared => {}
        }
    }

    fn has_ended(&self) -> bool {
        self.shown.values().all(|shown| shown.ended > 0)
    }

    fn check(&self, what: &str) {
        for (name, shown) in &self.shown {
            let whole = Session::answer(&self.names[name]).concat();
            assert_eq!(shown.ended, 1, "{what}: {name}: {shown:?}");
            assert!(shown.has_gap || shown.was_refused || shown.was_cancelled || shown.text == whole, "{what}: {name}: {shown:?}");
        }
    }
}

/// A connection that may break anywhere: what is under way arrives in part.
struct Wire {
    to_server: VecDeque<String>,
    to_client: VecDeque<String>,
}

fn simulate(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut state, mut client) = (State::new(format!("seed{seed}")), Client::default());
    let mut session = Session::new([3, 6, 1_000][random.usize(..3)]);
    let (mut wire, mut left): (Option<Wire>, usize) = (None, random.usize(1..8));
    let (may_restart, may_stop) = (random.u8(..4) == 0, random.u8(..4) == 0);
    for step in 0.. {
        assert!(step < 20_000, "seed {seed} does not end: {:?}", client.shown);
        // Faults stop after a while.
        let is_faulty = step < 200;
        match &mut wire {
            None => wire = Some(Wire { to_server: VecDeque::new(), to_client: session.attach(state.since()).into() }),
            Some(open) if is_faulty && random.u8(..10) == 0 => {
                for _ in 0..random.usize(..=open.to_server.len()) {
                    let message = open.to_server.pop_front().unwrap();
                    open.to_client.extend(session.receive(&message));
                }
                for _ in 0..random.usize(..=open.to_client.len()) {
                    state.receive(&open.to_client.pop_front().unwrap()).into_iter().for_each(|update| client.see(update));
                }
                state.disconnected();
                wire = None;
                (0..random.u8(..20)).for_each(|_| drop(session.step()));
                if may_restart && random.u8(..3) == 0 {
                    session.restart();
                }
            }
            Some(open) => match random.u8(..5) {
                0 if left > 0 => {
                    left -= 1;
                    client.send(&mut state, &format!("message {left}"));
                    session.refusals = usize::from(is_faulty && random.u8(..6) == 0);
                    if may_stop && random.u8(..3) == 0 {
                        state.stop();
                    }
                }
                1 => open.to_server.extend(state.next()),
                2 => {
                    let message = open.to_server.pop_front();
                    open.to_client.extend(message.into_iter().flat_map(|message| session.receive(&message)));
                }
                3 => open.to_client.extend(session.step()),
                _ => {
                    let message = open.to_client.pop_front();
                    message.and_then(|message| state.receive(&message)).into_iter().for_each(|update| client.see(update));
                }
            },
        }
        if left == 0 && client.has_ended() {
            break;
        }
    }
    client.check(&format!("seed {seed}"));
    let refused = client.shown.values().filter(|shown| shown.was_refused).count();
    if client.restarts == 0 && !may_restart {
        assert_eq!(session.started.len() + refused, client.shown.len(), "seed {seed}: nothing starts twice, nothing is lost");
    }
}

#[test]
fn every_message_starts_and_ends_exactly_once_wherever_connections_break() {
    (0..3_000).for_each(simulate);
}

/// Where a server breaks a connection.
#[derive(Clone, Copy, Debug)]
enum Break {
    /// Before it is a socket.
    AtHandshake,
    AfterGreeting,
    /// A message has been sent to it, and it hasn't read it.
    BeforeReading,
    /// It has taken a message, and hasn't said so.
    BeforeAcknowledging,
    /// So many messages after the greeting: the acknowledgement, the answer's pieces, the end.
    After(usize),
    Never,
}

const BREAKS: [Break; 10] = [
    Break::AtHandshake,
    Break::AfterGreeting,
    Break::BeforeReading,
    Break::BeforeAcknowledging,
    Break::After(1),
    Break::After(2),
    Break::After(3),
    Break::After(4),
    Break::After(5),
    Break::Never,
];

/// Serves a session on real sockets, one connection after the other, each broken as planned and the rest not at all.
fn serve(plan: Vec<Break>, session: Arc<Mutex<Session>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut plan = plan.into_iter();
        for stream in listener.incoming().map_while(Result::ok) {
            let breaks = plan.next().unwrap_or(Break::Never);
            if !matches!(breaks, Break::AtHandshake) {
                // A client that leaves ends a connection too.
                let _ = connection(stream, breaks, &session);
            }
            // A turn goes on whether or not anyone is connected.
            while session.lock().unwrap().step().is_some() {}
        }
    });
    address
}

#[allow(clippy::result_large_err, reason = "the handshake's type is tungstenite's")]
fn connection(stream: TcpStream, breaks: Break, session: &Mutex<Session>) -> Result<(), Error> {
    let mut since = None;
    let look = |request: &Request, response: Response| {
        since = request.uri().query().and_then(|query| query.split("since=").nth(1)?.parse().ok());
        Ok(response)
    };
    let mut socket = accept_hdr(stream, look).map_err(|_| Error::ConnectionClosed)?;
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(2)))?;
    let mut outgoing: VecDeque<String> = session.lock().unwrap().attach(since).into();
    socket.send(Message::text(outgoing.pop_front().unwrap()))?;
    if matches!(breaks, Break::AfterGreeting) {
        return Ok(());
    }
    let mut sent = 0;
    loop {
        while let Some(text) = outgoing.pop_front() {
            if matches!(breaks, Break::After(count) if count == sent) {
                return Ok(());
            }
            socket.send(Message::text(text))?;
            sent += 1;
        }
        match socket.read() {
            Ok(Message::Text(_)) if matches!(breaks, Break::BeforeReading) => return Ok(()),
            Ok(Message::Text(text)) => outgoing.extend(session.lock().unwrap().receive(&text)),
            Ok(_) => {}
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        if matches!(breaks, Break::BeforeAcknowledging) && !outgoing.is_empty() {
            return Ok(());
        }
        outgoing.extend(session.lock().unwrap().step());
    }
}

/// Sends two messages, one after the other, to a server that breaks connections as planned.
fn converse(plan: &[Break]) {
    let session = Arc::new(Mutex::new(Session::new(1_000)));
    let url = format!("http://{}", serve(plan.to_vec(), session.clone()));
    let mut conversation = Conversation::new(Address::new(&url, "any", None, None).unwrap());
    let mut client = Client::default();
    for text in ["one", "two"] {
        client.send(&mut conversation.state, text);
        while !client.has_ended() {
            conversation.receive().unwrap().into_iter().for_each(|update| client.see(update));
        }
    }
    client.check(&format!("{plan:?}"));
    assert_eq!(session.lock().unwrap().started, ["one", "two"], "{plan:?}");
}

#[test]
fn nothing_is_lost_or_doubled_wherever_two_connections_break() {
    thread::scope(|scope| {
        for first in BREAKS {
            scope.spawn(move || BREAKS.iter().for_each(|second| converse(&[first, *second])));
        }
    });
}

#[test]
fn a_server_that_is_not_there_is_reported_at_once_and_one_that_refuses_for_good_is_not_tried_again() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = Address::new(&format!("http://{nobody}"), "any", None, None).unwrap();
    assert!(matches!(Conversation::connect(address), Err(ConnectError::Broken)));

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = Address::new(&format!("http://{}", listener.local_addr().unwrap()), "any", None, None).unwrap();
    let serving = thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        let farewell = CloseFrame { code: CloseCode::Library(4001), reason: "Invalid token".into() };
        socket.close(Some(farewell)).unwrap();
        while socket.read().is_ok() {}
    });
    let mut conversation = Conversation::new(address);
    let error = loop {
        if let Err(error) = conversation.receive() {
            break error;
        }
    };
    assert!(matches!(&error, ConversationError::Refused(why) if why.contains("--token")), "{error}");
    drop(conversation);
    serving.join().unwrap();
}

fn state() -> State {
    let mut state = State::new("p".to_owned());
    let greeting = json!({"type": "controls", "controls": [], "seq": 0, "kept_from": 1}).to_string();
    assert_eq!(state.receive(&greeting), Some(Update::Attached { resumed: Resumed::First, controls: Vec::new() }));
    state
}

#[test]
fn nothing_is_sent_before_the_greeting_and_everything_without_an_end_after_the_next() {
    let mut state = State::new("p".to_owned());
    state.send(json!({"text": "a"})).unwrap();
    assert_eq!(state.next(), None);
    let mut state = self::state();
    let ids = ["a", "b"].map(|text| state.send(json!({ "text": text })).unwrap());
    assert_eq!(ids, ["p.1", "p.2"]);
    let sent = [state.next(), state.next()].map(|text| serde_json::from_str::<serde_json::Value>(&text.unwrap()).unwrap());
    assert_eq!(sent, [json!({"id": "p.1", "text": "a"}), json!({"id": "p.2", "text": "b"})]);
    assert_eq!(state.receive(r#"{"type":"delta","id":"msg_1","content":"","client_id":"p.1","seq":1}"#), None);
    state.disconnected();
    assert_eq!(state.since(), Some(1));
    assert_eq!(state.next(), None);
    state.receive(r#"{"type":"controls","controls":[],"seq":1,"kept_from":1}"#).unwrap();
    assert!(state.next().unwrap().contains("p.1") && state.next().unwrap().contains("p.2") && state.next().is_none());
    state.receive(r#"{"type":"done","id":"msg_1","client_id":"p.1","seq":2}"#).unwrap();
    state.disconnected();
    state.receive(r#"{"type":"controls","controls":[],"seq":2,"kept_from":1}"#).unwrap();
    assert!(state.next().unwrap().contains("p.2") && state.next().is_none());
}

#[test]
fn a_stop_goes_out_once_behind_everything_that_was_sent_before_it() {
    let mut state = State::new("p".to_owned());
    state.stop();
    ["a", "b"].iter().for_each(|text| drop(state.send(json!({ "text": text })).unwrap()));
    state.stop();
    state.receive(r#"{"type":"controls","controls":[],"seq":0,"kept_from":1}"#).unwrap();
    let sent: Vec<String> = std::iter::from_fn(|| state.next()).collect();
    assert_eq!((sent.len(), sent[2].as_str()), (3, r#"{"type":"stop"}"#), "{sent:?}");
    state.stop_all();
    state.stop();
    assert_eq!(state.next().as_deref(), Some(r#"{"type":"stop","waiting":true}"#), "what ends all is not weakened");
}

#[test]
fn what_was_abandoned_is_stopped_and_neither_sent_again_nor_reported() {
    let mut state = state();
    state.send(json!({"text": "a"})).unwrap();
    state.next().unwrap();
    state.abandon();
    assert!(state.next().unwrap().contains(r#""waiting":true"#) && state.next().is_none());
    state.receive(r#"{"type":"delta","id":"msg_1","content":"","client_id":"p.1","seq":1}"#);
    assert_eq!(state.receive(r#"{"type":"done","id":"msg_1","cancelled":true,"client_id":"p.1","seq":2}"#), None);
    state.disconnected();
    state.receive(r#"{"type":"controls","controls":[],"seq":2,"kept_from":1}"#).unwrap();
    assert_eq!(state.next(), None);
}

#[test]
fn other_clients_turns_are_reported_without_a_name_and_an_unnamed_refusal_is_of_the_oldest_message_without_an_answer() {
    let mut state = state();
    for message in [
        json!({"type": "delta", "id": "msg_1", "content": "", "client_id": "q.1", "seq": 1}),
        json!({"type": "delta", "id": "msg_1", "content": "hi", "kind": "progress", "seq": 2}),
        json!({"type": "done", "id": "msg_1", "client_id": "q.1", "seq": 3}),
        json!({"type": "later", "seq": 4}),
    ] {
        match state.receive(&message.to_string()) {
            Some(Update::Text { client_id: None, kind: Some(Kind::Progress), .. }) => assert_eq!(message["seq"], 2),
            Some(Update::Done(Done { client_id: None, .. })) => assert_eq!(message["seq"], 3),
            None => assert!(message["seq"] == 1 || message["seq"] == 4),
            other => panic!("{message}: {other:?}"),
        }
    }
    (0..2).for_each(|_| drop(state.send(json!({"text": ""})).unwrap()));
    state.next().unwrap();
    let refused = r#"{"type":"done","refused":true,"error":"blank","code":"message_blank"}"#;
    let expected = Refused { client_id: "p.1".to_owned(), code: Some(Code::MessageBlank), error: "blank".to_owned() };
    assert_eq!(state.receive(refused), Some(Update::Refused(expected)));
    assert_eq!(state.receive(refused), None, "the second was not sent yet");
}

#[test]
fn messages_are_bounded_in_number_and_length() {
    let mut state = state();
    assert_eq!(state.send(json!({"text": "x".repeat(MESSAGE_BYTES_MAX)})), Err(Unsendable::TooLong));
    let taken = (0..100).take_while(|_| state.send(json!({"text": "a"})).is_ok()).count();
    assert_eq!((taken, state.send(json!({"text": "a"}))), (9, Err(Unsendable::TooMany)));
}
