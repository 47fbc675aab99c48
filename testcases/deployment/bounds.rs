//! What nginx adds of its own: bounds for each address, a Unix socket to the server, no caching in development.

use crate::nginx::Nginx;
use crate::process::Process;
use crate::support::{Server, eventually};
use serde_json::json;

#[test]
fn an_address_that_asks_too_often_is_refused_in_json_and_may_try_again() {
    let server = Server::start();
    let listen = server.address.to_string();
    let nginx = Nginx::with(&["--listen", &listen, "--rate", "1"]);
    let refused = (0..50).map(|_| nginx.ask("GET", "/api/state", "", "")).find(|answer| answer.status == 429);
    let refused = refused.expect("more than the burst");
    assert_eq!(refused.json()["code"], "rate_limited");
    let head = || nginx.open("GET /api/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").head();
    let head = std::iter::repeat_with(head).take(50).find(|head| head.starts_with("HTTP/1.1 429")).expect("more than the burst");
    assert!(head.to_ascii_lowercase().contains("retry-after: 1"), "{head}");
    eventually("the refused to be let in again", || (nginx.ask("GET", "/api/state", "", "").status == 200).then_some(()));
    assert_eq!(server.connect().ask("GET", "/api/state", None).status, 200, "others were never refused");
}

#[test]
fn an_address_that_holds_too_much_open_is_refused_until_it_lets_go() {
    let server = Server::start();
    let listen = server.address.to_string();
    let nginx = Nginx::with(&["--listen", &listen, "--open", "2"]);
    let open = || nginx.open("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (mut one, mut two) = (open(), open());
    assert!(one.head().starts_with("HTTP/1.1 200") && two.head().starts_with("HTTP/1.1 200"));
    assert_eq!(nginx.ask("GET", "/api/state", "", "").json()["code"], "rate_limited");
    drop(one);
    eventually("room", || (nginx.ask("GET", "/api/state", "", "").status == 200).then_some(()));
}

#[test]
fn a_server_on_a_unix_socket_is_reached_with_its_public_name() {
    let server = Process::on_a_unix_socket(&["--host", "chat.example.org"]);
    let nginx = Nginx::with(&["--listen", &server.listen()]);
    let ask = |host: &str| nginx.open(&format!("GET /health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).answer();
    assert_eq!(ask("chat.example.org").status, 200);
    let refused = ask("other.example.org");
    assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("unknown_host")));
    let mut chat = nginx.socket("/ws?session=unix");
    assert_eq!(crate::secure::next(&mut chat)["type"], "controls");
    chat.send(tungstenite::Message::text(r#"{"text":"hello"}"#)).unwrap();
    while crate::secure::next(&mut chat)["type"] != "done" {}
}

#[test]
fn metrics_are_not_for_everyone() {
    let server = Server::start();
    assert_eq!(Nginx::before(server.address).ask("GET", "/metrics", "", "").status, 404);
}

#[test]
fn nothing_is_kept_of_a_server_in_development() {
    let server = Server::start();
    let listen = server.address.to_string();
    for (arguments, expected) in [(&["--listen", &listen, "--development"][..], true), (&["--listen", &listen], false)] {
        let nginx = Nginx::with(arguments);
        let mut page = nginx.open("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let head = page.head().to_ascii_lowercase();
        let kept: Vec<&str> = head.lines().filter(|line| line.starts_with("cache-control:")).collect();
        assert_eq!(kept == ["cache-control: no-store"], expected, "{head}");
    }
}
