//! Deliveries to a real receiver over loopback.

use super::*;
use crate::contract::journal::Webhook;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const PATIENCE: Duration = Duration::from_secs(60);

/// What answers each request with the next of these, and shows it to the test.
fn receiver(answers: &'static [&'static str]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, (seen, requests)) = (format!("http://{}/hook", listener.local_addr().unwrap()), channel());
    thread::spawn(move || {
        let mut answers = answers.iter().cycle();
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, answers.next().unwrap(), &seen);
        }
    });
    (url, requests)
}

fn answer(mut stream: TcpStream, answer: &str, seen: &Sender<String>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while !request.ends_with(b"\"body\"") {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&buffer[..count]),
        }
    }
    let _ = seen.send(String::from_utf8(request).unwrap());
    let _ = stream.write_all(format!("HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").as_bytes());
}

fn courier(allowed: &str) -> (Courier, Receiver<Attempted>) {
    let settings = Settings { allowed: vec![allowed.parse().unwrap()], secrets: Secrets::read(SECRET).unwrap() };
    let (courier, (report, reports)) = (Courier::start(settings).unwrap(), channel());
    courier.report_to(move |attempted| drop(report.send(attempted)));
    (courier, reports)
}

fn delivery(id: &str, session: &str, url: &str) -> Delivery {
    let name = Name { user: "ada".to_owned(), session: session.to_owned() };
    let webhook = Webhook { turn: 7, id: id.to_owned(), url: url.to_owned() };
    Delivery { name, webhook, body: b"\"body\"".to_vec(), since: now(), attempts: 0, due: now() }
}

fn state(attempted: &Attempted) -> (DeliveryState, u32, Option<u16>) {
    (attempted.status.state, attempted.status.attempts, attempted.status.status)
}

fn header<'a>(request: &'a str, name: &str) -> &'a str {
    let line = request.lines().find_map(|line| line.split_once(": ").filter(|(is, _)| is.eq_ignore_ascii_case(name)));
    line.unwrap_or_else(|| panic!("no {name} in {request}")).1
}

#[test]
fn it_is_tried_until_it_is_taken_each_time_signed_under_the_same_id() {
    let (url, requests) = receiver(&["500 Broken", "302 Found\r\nLocation: http://127.0.0.1:1/elsewhere", "204 No Content"]);
    let (courier, reports) = courier(&url);
    courier.deliver(delivery("wh_1", "s", &url));
    courier.deliver(delivery("wh_1", "s", &url));
    for (attempts, status, is) in [(1, 500, DeliveryState::Pending), (2, 302, DeliveryState::Pending), (3, 204, DeliveryState::Delivered)] {
        let request = requests.recv_timeout(PATIENCE).unwrap();
        assert!(request.starts_with("POST /hook HTTP/1.1\r\n") && request.ends_with("\r\n\r\n\"body\""), "{request}");
        assert_eq!((header(&request, "webhook-id"), header(&request, "content-type")), ("wh_1", "application/json"));
        let timestamp = header(&request, "webhook-timestamp");
        assert!(timestamp.parse::<u64>().is_ok_and(|seconds| seconds.abs_diff(now().0 / 1_000_000) < 60), "{timestamp}");
        assert_eq!(header(&request, "webhook-signature"), Secrets::read(SECRET).unwrap().sign("wh_1", timestamp, b"\"body\""));
        assert_eq!(state(&reports.recv_timeout(PATIENCE).unwrap()), (is, attempts, Some(status)));
    }
    assert!(requests.try_recv().is_err(), "one that is known already is not delivered twice");
    let name = delivery("wh_1", "s", &url).name;
    assert_eq!(courier.status(&name, 7).map(|status| status.state), Some(DeliveryState::Delivered));
    assert_eq!(courier.counts(), Counts { waiting: 0, delivered: 1, failed: 0, retried: 2 });
}

#[test]
fn a_receiver_that_has_gone_for_good_and_an_address_that_is_not_listed_end_it() {
    let (url, requests) = receiver(&["410 Gone"]);
    let (courier, reports) = courier(&url);
    courier.deliver(delivery("wh_1", "s", &url));
    assert_eq!(state(&reports.recv_timeout(PATIENCE).unwrap()), (DeliveryState::Failed, 1, Some(410)));
    requests.recv_timeout(PATIENCE).unwrap();
    // As a journal may have it whose server had another list.
    courier.deliver(delivery("wh_2", "s", &url.replace("/hook", "/other")));
    assert_eq!(state(&reports.recv_timeout(PATIENCE).unwrap()), (DeliveryState::Failed, 0, None));
    assert!(requests.try_recv().is_err());
    assert_eq!(courier.counts().failed, 2);
}

#[test]
fn what_is_recalled_is_not_delivered_and_what_waits_has_a_bound() {
    // Nobody listens there.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/hook");
    let (courier, reports) = courier(&url);
    let later = |id: &str, session: &str| Delivery { due: Time(now().0 + 3_600_000_000), ..delivery(id, session, &url) };
    courier.deliver(delivery("wh_0", "s", &url));
    assert_eq!(state(&reports.recv_timeout(PATIENCE).unwrap()), (DeliveryState::Pending, 1, None));
    for number in 1..WAITING_MAX {
        assert!(!courier.is_full(), "{number}");
        courier.deliver(later(&format!("wh_{number}"), if number % 2 == 0 { "even" } else { "odd" }));
    }
    assert!(courier.is_full());
    courier.recall("ada", Some("odd"));
    assert_eq!((courier.is_full(), courier.counts().waiting), (false, WAITING_MAX as u64 / 2));
    courier.recall("ada", None);
    courier.recall("ada", Some("odd"));
    assert_eq!(courier.counts().waiting, 0);
    let large = Delivery { body: vec![b'x'; WAITING_BYTES_MAX], ..later("wh_large", "s") };
    courier.deliver(large);
    assert!(courier.is_full(), "by bytes");
    assert_eq!(courier.end(PATIENCE), 1);
    courier.deliver(delivery("wh_late", "s", &url));
    assert_eq!(courier.counts().waiting, 1, "nothing begins once it has ended");
}
