//! What may stand between a client and a server: one that cuts sockets or refuses reports, and a real nginx that speaks TLS.

use crate::support::{Folder, eventually, own_address};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What it does to whoever comes by.
#[derive(Clone, Default)]
pub(crate) struct Manner {
    /// Each chat socket ends after so many bytes of the server's; the last is not cut.
    pub(crate) cuts: Vec<usize>,
    pub(crate) refuses_reports: bool,
    /// So many clears find the session busy.
    pub(crate) busy: usize,
    /// Traces are told without this event.
    pub(crate) hides: Option<&'static str>,
}

/// Passes on what comes to it, connection by connection.
pub(crate) fn between(server: SocketAddr, manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut cuts = manner.cuts.into_iter();
        let busy = Arc::new(AtomicUsize::new(manner.busy));
        for client in listener.incoming().map_while(Result::ok) {
            let mut start = [0; 8];
            let is_socket = client.peek(&mut start).is_ok() && start.starts_with(b"GET /ws?");
            let cut = if is_socket { cuts.next() } else { None };
            let (busy, refuses_reports, hides) = (busy.clone(), manner.refuses_reports, manner.hides);
            thread::spawn(move || {
                // Who breaks off has its own reasons.
                let _ = if is_socket { socket(client, server, cut) } else { request(client, server, refuses_reports, &busy, hides) };
            });
        }
    });
    address
}

fn socket(client: TcpStream, server: SocketAddr, cut: Option<usize>) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let most = cut.map_or(u64::MAX, |cut| cut as u64);
    let copied = std::io::copy(&mut (&server).take(most), &mut &client);
    let _ = (server.shutdown(Shutdown::Both), client.shutdown(Shutdown::Both));
    copied.map(drop)
}

/// One request, and then the connection ends.
fn request(
    mut client: TcpStream,
    server: SocketAddr,
    refuses_reports: bool,
    busy: &AtomicUsize,
    hides: Option<&str>,
) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body)?;
    let is_busy = || busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
    let refusal = match &head {
        head if refuses_reports && head.starts_with("POST /api/test/status") => {
            Some(("403 Forbidden", "tests_disabled", "nobody may report here"))
        }
        head if head.starts_with("POST /api/clear") && is_busy() => Some(("409 Conflict", "session_busy", "a turn is running")),
        _ => None,
    };
    if let Some((status, code, why)) = refusal {
        let said = format!(r#"{{"detail":"{why}","code":"{code}"}}"#);
        let length = said.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
        return client.write_all((head + &said).as_bytes());
    }
    let mut server = TcpStream::connect(server)?;
    server.write_all(head.replacen("\r\n", "\r\nConnection: close\r\n", 1).as_bytes())?;
    server.write_all(&body)?;
    match hides.filter(|_| head.starts_with("GET /api/trace")) {
        Some(event) => client.write_all(&without(event, server)?)?,
        None => drop(std::io::copy(&mut server, &mut client)?),
    }
    client.shutdown(Shutdown::Both)
}

/// A whole answer, as if this event had never been.
fn without(event: &str, mut server: TcpStream) -> std::io::Result<Vec<u8>> {
    let mut answer = String::new();
    server.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut trace: Value = serde_json::from_str(body).unwrap();
    trace["lines"].as_array_mut().unwrap().retain(|line| line["event"] != event);
    let body = trace.to_string();
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    Ok((head + &body).into_bytes())
}

/// nginx in front of a server, over TLS, with certificates that only its own CA stands for.
pub(crate) struct Nginx {
    child: Child,
    folder: Folder,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    pub(crate) fn start(server: SocketAddr) -> Nginx {
        let (folder, own) = (Folder::new(), own_address());
        certificates(&folder, own.ip());
        let at = folder.path().display();
        let address = TcpListener::bind(own).unwrap().local_addr().unwrap();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {at}/{name};")).concat();
        let user = if std::fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0) {
            "user root;"
        } else {
            ""
        };
        let text = format!(
            "{user} daemon off; worker_processes 1; worker_shutdown_timeout 1s; pid {at}/nginx.pid; error_log stderr warn;
             events {{ worker_connections 128; }}
             http {{
               access_log off; {temporary}
               map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
               server {{
                 listen {address} ssl; ssl_certificate {at}/own.pem; ssl_certificate_key {at}/own.key;
                 location / {{
                   proxy_pass http://{server}; proxy_set_header Host $http_host; proxy_http_version 1.1;
                   proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
                 }}
               }}
             }}"
        );
        let file = folder.write("nginx.conf", &text);
        let program = std::env::var("NGINX_BIN").unwrap_or_else(|_| "/usr/sbin/nginx".to_owned());
        let mut command = Command::new(&program);
        command
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(file)
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{program} (package nginx-light): {error}"));
        let mut nginx = Nginx { child, folder, address };
        eventually("nginx", || {
            assert!(nginx.child.try_wait().unwrap().is_none(), "nginx has ended");
            TcpStream::connect(address).ok()
        });
        nginx
    }

    /// The file of the CA that its certificate follows from.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker goes only with one that may say goodbye.
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = told.and_then(|_| self.child.wait());
    }
}

fn certificates(folder: &Folder, address: IpAddr) {
    folder.write("names", &format!("subjectAltName=IP:{address},DNS:localhost\n"));
    for line in [
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem",
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout own.key -out own.csr",
        "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out own.pem",
    ] {
        let made = Command::new("openssl").args(line.split(' ')).current_dir(folder.path()).output().expect("openssl (package openssl)");
        assert!(made.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&made.stderr));
    }
}
