//! Crowds: sockets that open and die by the thousand, and a server that has no descriptor left.

use super::process::{allow, allowed, descriptors, memory, processor_time};
use super::raw::handshake;
use super::support::{PATIENCE, Server, Setting, WebSocket, eventually, in_parallel, own_address, request};
use super::weak::{Dice, ENDS, break_off};
use serde_json::json;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SOCKETS: usize = 1_000;
const THREADS: usize = 4;
const HELD_MOST: usize = 60;
/// The second and third thousand may leave so much more behind than the first: what an allocator keeps, and little else.
const LEFT_KIB_MOST: u64 = 12 << 10;

#[test]
fn a_thousand_sockets_that_open_and_die_leave_nothing_behind() {
    let server = Server::with(&Setting { word_ms: 1, ..Setting::default() });
    let (pid, before) = (server.pid(), descriptors(server.pid()));
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let steady = scope.spawn(|| {
            let (session, mut answers) = (server.session("steady"), 0);
            let mut chat = session.attached();
            while !is_over.load(Ordering::Relaxed) {
                answers += 1;
                chat.say(&json!({ "text": "hello" }));
                let told = chat.until_done(&format!("msg_{answers}"));
                assert!(told.last().unwrap()["error"].is_null(), "{told:?}");
            }
            chat.close();
            answers
        });
        let mut left = Vec::new();
        for round in 0..3 {
            let lives =
                in_parallel(0..THREADS, |thread| live_and_die(server.address, &mut Dice::new((round * THREADS + thread + 1) as u64)));
            assert!(lives.into_iter().all(|is_taken| is_taken), "it takes all of them");
            // The steady socket is one.
            eventually("the descriptors' return", || (descriptors(pid) <= before + 1).then_some(()));
            left.push(memory(pid));
        }
        is_over.store(true, Ordering::Relaxed);
        let answers = steady.join().unwrap();
        println!("3 × {SOCKETS} sockets; KiB held after each thousand: {left:?}; others had {answers} answers meanwhile");
        assert!(left[2] <= left[0] + LEFT_KIB_MOST, "memory stays behind: {left:?} KiB");
    });
    eventually("the last descriptor's return", || (descriptors(pid) <= before).then_some(()));
    server.session("after").ask("hello");
}

/// A quarter of the thousand: some at once, each ending sooner or later, in the middle of something.
/// False where nobody takes connections any more, because the server has ended.
fn live_and_die(address: SocketAddr, dice: &mut Dice) -> bool {
    let mut held = Vec::new();
    for _ in 0..SOCKETS / THREADS {
        let Ok(one) = live(address, dice) else { return false };
        held.push(one);
        if held.len() > HELD_MOST {
            let one: TcpStream = held.swap_remove(dice.below(HELD_MOST));
            break_off(&one, dice.below(ENDS));
        }
    }
    held.iter().for_each(|one| break_off(one, dice.below(ENDS)));
    true
}

fn live(address: SocketAddr, dice: &mut Dice) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let session = format!("crowd-{}", dice.below(16));
    let upgrade = handshake(&format!("/ws?session={session}"));
    let text = if dice.below(2) == 0 { "hello" } else { "why is the sky blue?" };
    let body = json!({ "text": text }).to_string();
    // Masked with nothing.
    let frame = [&[0x81, 0x80 | u8::try_from(body.len()).unwrap(), 0, 0, 0, 0][..], body.as_bytes()].concat();
    let whole = request("POST", &format!("/api/send?session={session}"), Some(&json!({ "text": text })));
    let events = request("GET", &format!("/api/events?session={session}&since=0"), None);
    let (said, reads) = match dice.below(9) {
        0 => (Vec::new(), false),
        1 => (upgrade.as_bytes()[..dice.below(upgrade.len())].to_vec(), false),
        2 => (upgrade.into_bytes(), false),
        3 => ([upgrade.as_bytes(), &frame[..dice.below(frame.len())]].concat(), dice.below(2) == 0),
        4 | 5 => ([upgrade.as_bytes(), &frame].concat(), true),
        6 => (events, dice.below(2) == 0),
        7 => (whole[..whole.len() - 1 - dice.below(body.len())].to_vec(), false),
        // A frame that nobody may send.
        _ => ([upgrade.as_bytes(), &[0xff; 30]].concat(), true),
    };
    // Who was refused in the middle has its end already.
    let _ = stream.write_all(&said);
    if reads {
        let _ = stream.read(&mut vec![0; 1 + dice.below(400)]);
    }
    Ok(stream)
}

#[test]
fn a_server_ends_well_in_the_middle_of_a_crowd() {
    // So that nobody else is met there when it has ended.
    let mut server = Server::with(&Setting { word_ms: 1, listen: Some(own_address()), ..Setting::default() });
    let address = server.address;
    std::thread::scope(|scope| {
        for seed in 0..4 {
            // Until there is no server any more.
            scope.spawn(move || while live_and_die(address, &mut Dice::new(1_000 + seed)) {});
        }
        // So that the crowd is there.
        eventually("the crowd", || (descriptors(server.pid()) > 60).then_some(()));
        server.signal("TERM");
        assert_eq!(server.ended().code(), Some(0));
    });
}

/// A connection to a client with little room.
pub(crate) fn narrow(address: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(32 << 10).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.into()
}

#[test]
fn a_server_without_descriptors_waits_and_others_go_on() {
    let server = Server::start();
    let pid = server.pid();
    let session = server.session("lucky");
    let mut chat = session.attached();
    let mut kept = server.connect();
    assert_eq!(kept.ask("GET", "/health", None).status, 200);
    let now = u64::try_from(descriptors(pid)).unwrap();
    let (current, maximum) = allowed(pid);
    assert_eq!(current, maximum, "the server takes all that it may have");
    allow(pid, now + 10);
    // Each of them asks; about ten are answered.
    let full = Instant::now();
    let mut crowd: Vec<_> = (0..60).map(|_| server.connect()).collect();
    crowd.iter_mut().for_each(|one| one.send(request("GET", "/health", None)));
    // Not counted: a number may be taken by what is only about to have a file, and is then in no list.
    eventually("the shards' complaint", || server.said().contains("can't accept connections").then_some(()));
    // It looks again ten times a second; a server that spun would use all of this time, on each shard.
    let (used, waited) = (processor_time(pid), Duration::from_secs(2));
    std::thread::sleep(waited);
    let used = processor_time(pid) - used;
    assert!(used < waited / 4, "it was busy for {used:?} of {waited:?} with waiting");
    let complaints = server.said().matches("can't accept connections").count();
    let complaints_most = 2 * (1 + usize::try_from(full.elapsed().as_secs()).unwrap() / 10);
    assert!((1..=complaints_most).contains(&complaints), "each shard says so, but not each time: {complaints}");
    for turn in 1..=20 {
        chat.say(&json!({ "text": "hello" }));
        assert!(chat.until_done(&format!("msg_{turn}")).last().unwrap()["error"].is_null());
        assert_eq!(kept.ask("GET", "/health", None).status, 200);
    }
    // A connection that was waited for before the limit fell may come on top, on each shard.
    assert!((descriptors(pid) as u64) < now + 20, "it keeps to what it is allowed");
    // As those that were answered leave, those that wait get their turn: all 60 do.
    in_parallel(crowd, |mut one| assert_eq!(one.answer().status, 200));
    eventually("the descriptors' return", || (descriptors(pid) as u64 <= now).then_some(()));
    session.ask("hello");
    WebSocket::open(server.address, "/ws?session=new").next();
}

#[test]
fn a_reader_that_sleeps_through_many_answers_is_let_go_and_comes_back() {
    let server = Server::start();
    let session = server.session("sleeper");
    let url = format!("ws://{}{}", server.address, session.target("/ws/trace"));
    let (mut sleeper, _) = tungstenite::client(url, narrow(server.address)).unwrap();
    let mut awake = session.attached();
    // Much more than the system holds for it; the events of all but the last two turns leave meanwhile.
    for turn in 1..=60 {
        awake.say(&json!({ "text": "why is the sky blue?" }));
        awake.until_done(&format!("msg_{turn}"));
    }
    let (mut last, end) = (0, session.read("/api/history")["seq"].as_u64().unwrap());
    let code = loop {
        match sleeper.read().unwrap() {
            tungstenite::Message::Text(text) => {
                let event: serde_json::Value = serde_json::from_str(&text).unwrap();
                assert!(event["seq"].as_u64().unwrap() > last, "in order, each once");
                last = event["seq"].as_u64().unwrap();
            }
            tungstenite::Message::Close(frame) => break frame.map(|frame| u16::from(frame.code)),
            _ => {}
        }
    };
    assert_eq!(code, Some(1013), "{last} of {end}");
    assert!(last < end, "it was behind");
    let hello = session.chat_since(last).next();
    assert_eq!(hello["gap"], true, "{hello}");
    let history = session.read("/api/history");
    let mut back = session.chat_since(history["seq"].as_u64().unwrap());
    assert!(back.next()["gap"].is_null());
    back.say(&json!({ "text": "hello" }));
    back.until_done("msg_61");
}
