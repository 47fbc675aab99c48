//! A machine with a real systemd as process 1, in namespaces of its own on a copy-on-write copy of this machine's files.

use crate::support::{Folder, eventually};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) struct Machine {
    child: Child,
    /// Its systemd, as this machine numbers it.
    init: u32,
    _folder: Folder,
}

/// Says past the test's own output, which nobody sees of a test that passes, what was not tested.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

impl Machine {
    /// None, and that is said, where this user or kernel can't have one.
    pub(crate) fn boot() -> Option<Machine> {
        let namespaces = ["--mount", "--pid", "--fork", "--uts", "--ipc", "--net", "--cgroup", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
        let may = Command::new("unshare").args(namespaces).output();
        if !may.is_ok_and(|ended| ended.status.success()) || !Path::new("/lib/systemd/systemd").exists() {
            skipped("no machine of its own with systemd can be started here; that takes root, namespaces and the package systemd");
            return None;
        }
        let folder = Folder::new();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases/deployment/machine");
        let mut child = Command::new(script).arg(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let Ok(init) = said.trim().parse() else {
            let ended = child.wait().unwrap();
            assert_eq!(ended.code(), Some(77), "the machine did not start: {said}");
            skipped("no machine of its own with systemd can be started here: its control groups or files can't be made");
            return None;
        };
        let machine = Machine { child, init, _folder: folder };
        eventually("systemd", || {
            let state = machine.output(&["systemctl", "is-system-running"]);
            ["running", "degraded"].contains(&String::from_utf8_lossy(&state.stdout).trim()).then_some(())
        });
        Some(machine)
    }

    /// Where this machine finds a file of that one.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.init))
    }

    pub(crate) fn output(&self, command: &[&str]) -> Output {
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &self.init.to_string(), "-m", "-p", "-u", "-i", "-n", "-C", "-r", "-w"]);
        enter.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"]).args(command);
        enter.stdin(Stdio::null()).output().unwrap()
    }

    /// What a command says; one that fails fails the test.
    pub(crate) fn run(&self, line: &str) -> String {
        let ended = self.output(&line.split_whitespace().collect::<Vec<_>>());
        let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        assert!(ended.status.success(), "{line}: {said}\n{}", self.journal());
        said
    }

    /// A property of the service.
    pub(crate) fn property(&self, name: &str) -> String {
        self.run(&format!("systemctl show --value -p {name} framewright.service")).trim().to_owned()
    }

    pub(crate) fn journal(&self) -> String {
        String::from_utf8_lossy(&self.output(&["journalctl", "--no-pager", "-n", "60", "-u", "framewright*"]).stdout).into_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}
