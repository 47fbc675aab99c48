//! The Debian package on a machine with a real systemd: installed, run, upgraded under traffic, supervised, removed.

use crate::machine::{Machine, skipped};
use crate::support::http::{Wire, request};
use crate::support::{Folder, eventually, run, server};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const SOCKET: &str = "/run/framewright.sock";

/// `cargo deb`, where it is installed: in the build folder, or for the user.
fn cargo_deb() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = root.join("target/cargo-deb/bin/cargo-deb");
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    std::iter::once(beside).chain(on_path.map(|folder| folder.join("cargo-deb"))).find(|path| path.is_file())
}

/// A package of this version with the program that is tested.
fn package(tool: &Path, version: &str, folder: &Folder) -> PathBuf {
    let release = folder.path().join("release");
    fs::create_dir_all(&release).unwrap();
    let program = release.join("framewright");
    if !program.exists() {
        let stripped = Command::new("strip").arg("-o").arg(&program).arg(env!("CARGO_BIN_EXE_framewright")).status().unwrap();
        assert!(stripped.success());
    }
    let package = folder.path().join(format!("framewright_{version}.deb"));
    let mut command = Command::new(tool);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("CARGO_TARGET_DIR", folder.path());
    command.args(["--no-build", "--no-strip", "--fast", "--deb-version", version, "--output"]).arg(&package);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    package
}

fn health(machine: &Machine) -> serde_json::Value {
    Wire::open_file(&machine.path(SOCKET)).ask("GET", "/health", None).json()
}

#[test]
fn a_package_installs_starts_upgrades_under_traffic_and_leaves() {
    let Some(tool) = cargo_deb() else { return skipped("the Debian package: there is no cargo-deb (cargo install cargo-deb)") };
    let Some(machine) = Machine::boot() else { return };
    let folder = Folder::new();
    for version in ["0.1.0-1", "0.1.1-1"] {
        fs::copy(package(&tool, version, &folder), machine.path(&format!("/root/{version}.deb"))).unwrap();
    }
    machine.run("dpkg -i /root/0.1.0-1.deb");
    runs_as_the_unit_says(&machine);
    secrets_reach_it_as_credentials(&machine);
    nobody_is_refused_while_it_is_upgraded(&machine, &folder);
    a_server_that_stands_still_is_restarted(&machine);
    machine.run("dpkg -r framewright");
    assert!(!machine.output(&["systemctl", "is-active", "framewright.socket", "framewright.service"]).status.success());
    assert!(machine.path("/etc/framewright/framewright.toml").exists(), "settings stay until the purge");
    machine.run("dpkg -P framewright");
    assert!(!machine.path("/etc/framewright").exists() && !machine.path("/var/lib/framewright").exists());
}

fn runs_as_the_unit_says(machine: &Machine) {
    for unit in ["framewright.socket", "framewright.service"] {
        assert_eq!(machine.run(&format!("systemctl is-active {unit}")), "active\n");
        assert_eq!(machine.run(&format!("systemctl is-enabled {unit}")), "enabled\n");
    }
    assert_eq!(fs::metadata(machine.path(SOCKET)).unwrap().permissions().mode() & 0o777, 0o660);
    // The event loop that this machine allows is allowed under the unit's filter too.
    let here = run(Path::new("/"), &["doctor"]).output;
    assert_eq!(here.contains("event loop    io_uring"), health(machine)["io"] == "io_uring", "{here}");
    assert!(machine.run("framewright health").starts_with("ok  framewright"), "over TCP, within that machine");
    eventually("the status", || machine.property("StatusText").starts_with("Serving ").then_some(()));
    let pid = machine.property("MainPID");
    let user = machine.run(&format!("ps -o user:32= -p {pid}"));
    assert_eq!(user.trim(), "framewright", "not root");
    let rated = machine.run("systemd-analyze security --no-pager --threshold=19 framewright.service");
    assert!(rated.contains("OK"), "{rated}");
}

fn secrets_reach_it_as_credentials(machine: &Machine) {
    let secret = machine.path("/etc/framewright/credentials/openai_api_key");
    assert_eq!(health(machine)["model"]["name"], "demo");
    fs::write(&secret, "sk-test\n").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    machine.run("systemctl restart framewright.service");
    assert_eq!(health(machine)["model"]["name"], "gpt-4.1-mini", "the key's provider");
    fs::remove_file(secret).unwrap();
    machine.run("systemctl restart framewright.service");
    assert_eq!(health(machine)["model"]["name"], "demo");
}

fn nobody_is_refused_while_it_is_upgraded(machine: &Machine, folder: &Folder) {
    let path = machine.path(SOCKET);
    let before = machine.property("MainPID");
    let kept = Wire::open_file(&path).ask("POST", "/api/send?session=kept", Some(&json!({ "text": "hello" })));
    assert_eq!(kept.status, 200, "{}", kept.text());
    let history = |session: &str| {
        let shown = Wire::open_file(&path).ask("GET", &format!("/api/history?session={session}&last=200"), None);
        shown.json()["messages"].as_array().unwrap().clone()
    };
    let earlier = eventually("an answer", || Some(history("kept")).filter(|messages| messages.len() == 2));
    let (stop, answered, unheard) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    // Someone who talks on and on, as the page does: each message has a name, and is sent again until it is acknowledged.
    let mut chat = server::framewright(folder.path());
    chat.args(["chat", "--url", &format!("unix:{}", path.display())]).stdin(Stdio::piped());
    let mut chat = chat.spawn().unwrap();
    let mut lines = chat.stdin.take().unwrap();
    let said = thread::scope(|scope| {
        // Also where a check fails: the scope waits for its threads.
        let _stops = Stops(&stop);
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut stream: TcpStream =
                        OwnedFd::from(UnixStream::connect(&path).expect("nobody is refused, whichever server there is")).into();
                    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
                    let _ = stream.write_all(&request("GET", "/health", None));
                    let mut head = [0; 12];
                    // One that was taken in just before its server ended may not be heard.
                    let count = if stream.read_exact(&mut head).is_ok() { &answered } else { &unheard };
                    assert!([b"HTTP/1.1 200", b"HTTP/1.1 503", &[0; 12]].contains(&&head));
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let talking = scope.spawn(|| {
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                lines.write_all(b"hello\n").unwrap();
                count += 1;
                thread::sleep(Duration::from_millis(50));
            }
            drop(lines);
            count
        });
        eventually("traffic", || (answered.load(Ordering::Relaxed) > 50).then_some(()));
        // What came before the turn that is running now is complete.
        let talked = eventually("a conversation", || Some(history("default")).filter(|messages| messages.len() >= 4));
        let before_now = format!("default&before={}", talked[talked.len() - 1]["id"].as_str().unwrap());
        let talked = history(&before_now);
        machine.run("dpkg -i /root/0.1.1-1.deb");
        assert_eq!(history("kept"), earlier, "the new server has what the old one had");
        assert!(talked.len() >= 2 && history(&before_now) == talked, "{talked:?} is now {:?}", history(&before_now));
        let so_far = answered.load(Ordering::Relaxed);
        eventually("traffic with the new server", || (answered.load(Ordering::Relaxed) > so_far + 50).then_some(()));
        stop.store(true, Ordering::Relaxed);
        talking.join().unwrap()
    });
    assert_ne!(machine.property("MainPID"), before, "another server runs");
    assert!(machine.run("dpkg -s framewright").contains("Version: 0.1.1-1"));
    assert!(unheard.load(Ordering::Relaxed) <= 8, "{unheard:?} of {answered:?}");
    let talked = chat.wait_with_output().unwrap();
    let talked_of = String::from_utf8_lossy(&talked.stdout).into_owned();
    assert!(talked.status.success(), "{talked_of}\n{}\n{}", String::from_utf8_lossy(&talked.stderr), machine.journal());
    assert!(said > 2 && talked_of.lines().filter(|line| !line.is_empty()).count() >= said, "{said} messages: {talked_of}");
}

/// Ends the traffic.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn a_server_that_stands_still_is_restarted(machine: &Machine) {
    let drop_in = machine.path("/etc/systemd/system/framewright.service.d");
    fs::create_dir_all(&drop_in).unwrap();
    fs::write(drop_in.join("quick.conf"), "[Service]\nWatchdogSec=3\nTimeoutAbortSec=1\n").unwrap();
    machine.run("systemctl daemon-reload");
    machine.run("systemctl restart framewright.service");
    let before = machine.property("MainPID");
    machine.run(&format!("kill -STOP {before}"));
    eventually("another server", || {
        let pid = machine.property("MainPID");
        (pid != "0" && pid != before && machine.property("SubState") == "running").then_some(())
    });
    assert_eq!(health(machine)["status"], "ok");
    assert!(machine.journal().contains("atchdog"), "{}", machine.journal());
}
