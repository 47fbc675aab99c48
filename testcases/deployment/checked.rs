//! `framewright doctor` beside a real nginx: what it says of a site is what happens there.

use crate::nginx::{end, program};
use crate::support::http::Wire;
use crate::support::{Folder, Server, eventually, run};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// An nginx that listens in the clear.
struct Plain {
    address: SocketAddr,
    child: Child,
}

impl Plain {
    /// With this within `http`, where `LISTEN` stands for its address.
    fn start(folder: &Folder, site: &str) -> Plain {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {};", path(name)));
        let head = format!("{user} daemon off; worker_processes 1; pid {}; error_log stderr warn; events {{}}", path("nginx.pid"));
        folder.write("sites/own.conf", &site.replace("LISTEN", &address.to_string()));
        folder.write("nginx.conf", &format!("{head}\nhttp {{\n  access_log off; {}\n  include sites/*.conf;\n}}\n", places.join(" ")));
        let mut command = Command::new(program());
        command.arg("-p").arg(folder.path()).arg("-c").arg(path("nginx.conf")).args(["-e", "stderr"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(folder.path().join("said")).unwrap());
        let mut child = command.spawn().unwrap();
        eventually("nginx", || {
            assert!(child.try_wait().unwrap().is_none(), "nginx ended: {}", fs::read_to_string(folder.path().join("said")).unwrap());
            TcpStream::connect(address).ok()
        });
        Plain { address, child }
    }

    fn status(&self, target: &str, headers: &str) -> u16 {
        let mut wire = Wire::open(self.address);
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", self.address));
        wire.answer_without_body().status
    }
}

impl Drop for Plain {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

const HANDSHAKE: &str =
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[test]
fn what_doctor_says_of_a_site_is_what_happens_there() {
    let server = Server::start();
    let site = format!(
        "upstream chat {{ server {}; }}\n\
         proxy_http_version 1.1;\n\
         server {{\n  listen LISTEN;\n  server_name 127.0.0.1;\n\
         \x20 proxy_set_header Host $http_host;\n  proxy_set_header X-Forwarded-For $remote_addr;\n\
         \x20 proxy_set_header Upgrade $http_upgrade;\n  proxy_set_header Connection upgrade;\n\
         \x20 location / {{ proxy_pass http://chat; }}\n}}\n",
        server.address
    );
    let also = |location: &str| format!("location / {{ proxy_pass http://chat; }}\n  {location}");
    let own = "proxy_set_header X-A b; proxy_pass http://chat;";
    for (from, to, has_socket, has_page, lack) in [
        ("", String::new(), true, true, ""),
        ("proxy_set_header Upgrade $http_upgrade;", String::new(), false, true, "`proxy_set_header Upgrade $http_upgrade` for /ws"),
        ("proxy_set_header Connection upgrade;", String::new(), false, true, "`proxy_set_header Connection upgrade` for /ws"),
        ("proxy_set_header Host $http_host;", String::new(), true, false, "`proxy_set_header Host $http_host`"),
        ("location / { proxy_pass http://chat; }", also(&format!("location = /ws {{ {own} }}")), false, true, "for /ws"),
        (
            "location / { proxy_pass http://chat; }",
            also(&format!("location /w {{ {own} }} location ^~ /ws {{ proxy_pass http://chat; }}")),
            true,
            true,
            "",
        ),
        ("location / { proxy_pass http://chat; }", also(&format!("location ~ ^/ws$ {{ {own} }}")), false, true, "for /ws"),
        ("location / { proxy_pass http://chat; }", also("location ~ /WS { return 404; }"), true, true, ""),
        ("location / { proxy_pass http://chat; }", also("location ~* /WS { return 404; }"), false, true, "a location that passes on /ws"),
    ] {
        let folder = Folder::new();
        let nginx = Plain::start(&folder, &site.replace(if from.is_empty() { "no such text" } else { from }, &to));
        let origin = format!("Origin: http://{}\r\n", nginx.address);
        assert_eq!(nginx.status("/ws", &format!("{HANDSHAKE}{origin}")) == 101, has_socket && has_page, "{from} → {to}");
        assert_eq!(nginx.status("/api/state", &origin) == 200, has_page, "{from} → {to}");
        let conf = folder.path().join("nginx.conf");
        let listen = server.address.to_string();
        let found = run(folder.path(), &["doctor", "--listen", &listen, "--nginx", conf.to_str().unwrap(), "--trusted-proxy", "127.0.0.1"]);
        let line = found.output.lines().find(|line| line.contains("sites/own.conf:")).unwrap_or_else(|| panic!("{found:?}"));
        match lack {
            "" => assert!(line.starts_with('✓') && found.code == Some(0), "{from} → {to}: {line}"),
            lack => assert!(line.starts_with('✗') && line.contains(lack) && found.code == Some(1), "{from} → {to}: {line}"),
        }
    }
}
