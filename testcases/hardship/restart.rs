//! A supervisor restarts the server at once, on the same address, however the one before has ended.

use super::support::{Server, Setting, WebSocket, in_parallel, own_address, run};
use serde_json::json;

const RESTARTS: usize = 100;
const SOCKETS: usize = 64;

#[test]
fn a_hundred_restarts_on_one_address_succeed_and_a_second_server_is_refused() {
    let mut server = Server::with(&Setting { listen: Some(own_address()), ..Setting::default() });
    let listen = Some(server.address);
    for restart in 0..RESTARTS {
        let sockets = in_use(&server);
        server.signal(if restart % 2 == 0 { "TERM" } else { "KILL" });
        let code = server.ended().code();
        assert!(code == Some(0) || restart % 2 == 1, "{code:?}");
        // Panics if the server ends instead of starting.
        server = Server::with(&Setting { listen, ..Setting::default() });
        assert_eq!(sockets.len(), SOCKETS);
    }
    let address = server.address.to_string();
    let refused = run(server.folder.path(), &["serve", "--listen", &address, "--data", "elsewhere"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.errors.contains("another program listens"), "{refused:?}");
}

/// Sockets that have said and seen something.
fn in_use(server: &Server) -> Vec<WebSocket> {
    let each = in_parallel(0..8, |part| {
        let open = |n| {
            let mut chat = server.session(&format!("s{part}-{n}")).attached();
            chat.say(&json!({ "type": "stop" }));
            chat
        };
        (0..SOCKETS / 8).map(open).collect::<Vec<_>>()
    });
    each.into_iter().flatten().collect()
}
