//! The units of `deploy/`, as systemd's own checker sees them.

use crate::support::Folder;
use std::path::Path;
use std::process::Command;

fn analyze(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    let ended = command.args(arguments).output().unwrap_or_else(|error| panic!("systemd-analyze (package systemd): {error}"));
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8_lossy(&said).into_owned())
}

/// The units, with a program that is there.
fn units() -> (Folder, String, String) {
    let folder = Folder::new();
    let [service, socket] = ["service", "socket"].map(|kind| {
        let name = format!("framewright.{kind}");
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(&name)).unwrap();
        folder.write(&name, &text.replace("/usr/bin/framewright", env!("CARGO_BIN_EXE_framewright"))).display().to_string()
    });
    (folder, service, socket)
}

#[test]
fn the_units_are_sound() {
    let (_folder, service, socket) = units();
    assert_eq!(analyze(&["verify", "--man=no", "--recursive-errors=no", &service, &socket]), (true, String::new()));
}

#[test]
fn the_service_is_exposed_less_than_two_of_ten() {
    let (folder, service, _) = units();
    let rated = |service: &str| analyze(&["security", "--offline=true", "--threshold=19", service]);
    let (is_below, said) = rated(&service);
    assert!(is_below, "{said}");
    // Without its protection it is not.
    let text = std::fs::read_to_string(service).unwrap();
    let bare: String = text
        .lines()
        .filter(|line| !line.starts_with("SystemCall") && !line.starts_with("Protect"))
        .map(|line| format!("{line}\n"))
        .collect();
    let bare = folder.write("bare.service", &bare).display().to_string();
    assert!(!rated(&bare).0);
}
