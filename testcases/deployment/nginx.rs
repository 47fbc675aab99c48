//! A real nginx in a folder of its own, with the configuration that the program prints.

use crate::http2::Http2;
use crate::secure::{Answer, Secure};
use crate::support::{Folder, eventually, http::Wire, own_address, run};
use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

pub(crate) struct Nginx {
    pub(crate) port: u16,
    plain_port: u16,
    /// Where it is reached.
    pub(crate) ip: IpAddr,
    folder: Folder,
    child: Child,
}

impl Nginx {
    /// Starts one before whatever listens on this address.
    pub(crate) fn before(address: SocketAddr) -> Nginx {
        Nginx::with(&["--listen", &address.to_string()])
    }

    /// One that is printed with these arguments, for a server that runs.
    pub(crate) fn with(arguments: &[&str]) -> Nginx {
        Nginx::at(own_address().ip(), arguments)
    }

    /// The same, reached over IPv6. Nothing, and that is told, where the machine has none.
    pub(crate) fn on_ipv6_before(address: SocketAddr) -> Option<Nginx> {
        let ip = IpAddr::from(Ipv6Addr::LOCALHOST);
        if let Err(error) = TcpListener::bind((ip, 0)) {
            // Past the test's own output, which nobody sees of a test that passes.
            let _ = writeln!(std::io::stderr(), "skipped: this machine has no IPv6 ({error})");
            return None;
        }
        Some(Nginx::at(ip, &["--listen", &address.to_string()]))
    }

    fn at(ip: IpAddr, arguments: &[&str]) -> Nginx {
        let folder = Folder::new();
        certify(&folder, ip);
        // Both are free until nginx takes them: nobody else comes to this address.
        let [port, plain_port] = [(); 2].map(|()| TcpListener::bind((ip, 0)).unwrap()).map(|held| held.local_addr().unwrap().port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (certificate, key) = (path("certificate.pem"), path("key.pem"));
        let own = ["config", "nginx", "--name", "localhost", "--certificate", &certificate, "--certificate-key", &key];
        // Tests are in more of a hurry than people; what comes last counts.
        let fast = ["--rate", "100000", "--open", "65535"];
        let is_given = |flag: &str| arguments.contains(&flag);
        let fast = fast.chunks(2).filter(|pair| !is_given(pair[0])).flatten().copied();
        let printed = run(folder.path(), &own.into_iter().chain(fast).chain(arguments.iter().copied()).collect::<Vec<_>>());
        assert_eq!(printed.code, Some(0), "{printed:?}");
        // Everything as it was printed but for the ports, which belong to the machine, and the log's place.
        let mut text = printed.output;
        let (other, any) = if ip.is_ipv4() { ("[::]:", "") } else { ("", "[::]:") };
        for (from, to) in [
            (format!("    listen {other}443 ssl http2;\n"), String::new()),
            (format!("    listen {other}80;\n"), String::new()),
            (format!("listen {any}443 ssl"), format!("listen {} ssl", SocketAddr::new(ip, port))),
            (format!("listen {any}80;"), format!("listen {};", SocketAddr::new(ip, plain_port))),
            ("/var/log/nginx/framewright.log".to_owned(), path("access.log")),
        ] {
            assert!(text.contains(&from), "`{from}` is printed: {text}");
            text = text.replacen(&from, &to, 1);
        }
        folder.write("framewright.conf", &text);
        let user = if is_root() { "user root;" } else { "" };
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|name| format!("{name}_temp_path {};", path(name)));
        let conf = format!(
            "{user} daemon off; worker_processes 1; pid {}; error_log stderr warn; events {{ worker_connections 64; }}\n\
             http {{ access_log off; {} include {}; }}\n",
            path("nginx.pid"),
            places.join(" "),
            path("framewright.conf"),
        );
        folder.write("nginx.conf", &conf);
        let mut command = Command::new(program());
        command.arg("-p").arg(folder.path()).arg("-c").arg(path("nginx.conf")).args(["-e", "stderr"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(folder.path().join("said")).unwrap());
        let child =
            command.spawn().unwrap_or_else(|error| panic!("{} can't be started ({error}): install nginx-light", program().display()));
        let mut nginx = Nginx { port, plain_port, ip, folder, child };
        eventually("nginx", || {
            let said = nginx.read("said");
            assert!(nginx.child.try_wait().unwrap().is_none(), "nginx ended: {said}");
            std::net::TcpStream::connect((ip, port)).ok()
        });
        nginx
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// A connection on which this has been sent.
    pub(crate) fn open(&self, text: &str) -> Secure {
        let mut secure = Secure::open(self.ip, self.port, &self.certificate());
        secure.send(text.as_bytes());
        secure
    }

    /// One request on a connection of its own; `headers` are whole lines.
    pub(crate) fn ask(&self, method: &str, target: &str, headers: &str, body: &str) -> Answer {
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: localhost:{}\r\n{headers}{length}Connection: close\r\n\r\n", self.port);
        let mut secure = Secure::open(self.ip, self.port, &self.certificate());
        // Who refuses it may stop reading in the middle.
        secure.try_send(format!("{head}{body}").as_bytes());
        secure.answer()
    }

    /// One request from this address; `headers` are whole lines.
    pub(crate) fn ask_from(&self, source: Ipv4Addr, target: &str, headers: &str) -> Answer {
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost:{}\r\n{headers}Connection: close\r\n\r\n", self.port);
        let mut secure = Secure::open_from(source, self.ip, self.port, &self.certificate());
        secure.send(head.as_bytes());
        secure.answer()
    }

    /// The answer's head to a request without TLS.
    pub(crate) fn ask_plain(&self, target: &str) -> String {
        let mut wire = Wire::open(SocketAddr::new(self.ip, self.plain_port));
        wire.send(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        std::iter::from_fn(|| wire.line()).take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn socket(&self, target: &str) -> crate::secure::Socket {
        crate::secure::socket(self.ip, self.port, &self.certificate(), target)
    }

    pub(crate) fn http2(&self) -> Http2 {
        Http2::open(self.ip, self.port, &self.certificate())
    }

    /// The access log, once it tells of this.
    pub(crate) fn logged(&self, part: &str) -> String {
        eventually("a line in the access log", || Some(self.read("access.log")).filter(|log| log.contains(part)))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        end(&mut self.child);
        if std::thread::panicking() {
            eprintln!("nginx said: {}", self.read("said"));
        }
    }
}

/// Ends an nginx. Asked to, it takes its workers along.
pub(crate) fn end(nginx: &mut Child) {
    let _ = Command::new("kill").arg(nginx.id().to_string()).status();
    let _ = nginx.wait();
}

pub(crate) fn program() -> PathBuf {
    std::env::var_os("NGINX_BIN").map_or_else(|| PathBuf::from("/usr/sbin/nginx"), PathBuf::from)
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0\t")))
}

/// A certificate for `localhost` and this address that vouches for itself.
fn certify(folder: &Folder, ip: IpAddr) {
    let conf = "[req]\ndistinguished_name = name\nx509_extensions = more\nprompt = no\n[name]\nCN = localhost\n\
                [more]\nbasicConstraints = critical,CA:FALSE\nsubjectAltName = DNS:localhost,IP:";
    let conf = folder.write("certificate.conf", &format!("{conf}{ip}\n"));
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-config"])
        .arg(conf);
    command.arg("-keyout").arg(folder.path().join("key.pem")).arg("-out").arg(folder.path().join("certificate.pem"));
    let made = command.output().unwrap_or_else(|error| panic!("openssl can't be started ({error}): install openssl"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
