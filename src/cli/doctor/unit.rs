//! The systemd unit that runs the server, and its sockets: whether systemd hears of the server's state and can start it again.

use super::Finding;
use crate::config::layers::{Origin, Value};
use crate::contract::Listen;
use crate::text_file;
use std::fs;
use std::path::{Path, PathBuf};

/// Where systemd looks for units; the first that has one wins.
const FOLDERS: &[&str] =
    &["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];
const NAME: &str = "framewright.service";
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What of the settings the unit has to fit.
pub(super) struct Needs<'a> {
    /// One for each connection of every shard.
    pub(super) descriptors: u64,
    /// Where it is to listen, and who says so.
    pub(super) listen: Option<&'a Value>,
}

/// Checks the unit, if there is one, and returns where its sockets listen.
pub(super) fn look(named: Option<&Path>, needs: &Needs<'_>, tell: &mut dyn FnMut(Finding)) -> Vec<Listen> {
    let folders =
        named.map_or_else(|| FOLDERS.iter().map(PathBuf::from).collect(), |path| vec![path.parent().unwrap_or(Path::new(".")).to_owned()]);
    let name = named.and_then(Path::file_name).map_or(NAME.into(), |name| name.to_string_lossy().into_owned());
    let unit = match Unit::find(&folders, &name) {
        Ok(Some(unit)) => unit,
        Ok(None) if named.is_none() => return Vec::new(),
        Ok(None) => {
            tell(Finding::bad("unit", format!("{name} isn't there, or is masked"), "name another unit with --unit"));
            return Vec::new();
        }
        Err(error) => {
            tell(Finding::warn("unit", error, "run doctor as a user who may read it"));
            return Vec::new();
        }
    };
    let socket = name.replace(".service", ".socket");
    let sockets = Unit::find(&folders, &socket).ok().flatten().map(|unit| unit.sockets()).unwrap_or_default();
    let mut wrong = unit.wrong(needs);
    if let Some(listen) = needs.listen.filter(|listen| !sockets.is_empty() && listen.origin != Origin::Default) {
        let place = listen.value.as_deref().unwrap_or_default();
        if !sockets.iter().any(|socket| socket.to_string() == place) {
            let is = format!("{socket} passes its sockets, so `listen` ({}) has no effect", listen.origin);
            wrong.push(Finding::warn("unit", is, format!("set ListenStream= there, or run `systemctl mask --now {socket}`")));
        }
    }
    if wrong.is_empty() {
        let on = sockets.iter().map(Listen::to_string).collect::<Vec<_>>().join(" and ");
        let on = if on.is_empty() { String::new() } else { format!(", on {on} of {socket}") };
        tell(Finding::good("unit", format!("{}: started again when it ends or hangs{on}", unit.path.display())));
    }
    wrong.into_iter().for_each(tell);
    sockets
}

/// A unit with its drop-ins.
struct Unit {
    path: PathBuf,
    /// Of all sections, in order.
    lines: Vec<(String, String)>,
}

impl Unit {
    fn find(folders: &[PathBuf], name: &str) -> Result<Option<Unit>, String> {
        let Some(path) = folders.iter().map(|folder| folder.join(name)).find(|path| path.symlink_metadata().is_ok()) else {
            return Ok(None);
        };
        // A masked unit is a link to /dev/null.
        if fs::canonicalize(&path).is_ok_and(|target| target == Path::new("/dev/null")) {
            return Ok(None);
        }
        let drop_ins = folders.iter().rev().flat_map(|folder| {
            let files = fs::read_dir(folder.join(format!("{name}.d"))).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
            let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "conf")).collect();
            files.sort();
            files
        });
        let mut lines = Vec::new();
        for file in std::iter::once(path.clone()).chain(drop_ins) {
            let text = text_file::read(&file, FILE_BYTES_MAX).map_err(|error| format!("{} can't be read ({error})", file.display()))?;
            lines.extend(settings(&text));
        }
        Ok(Some(Unit { path, lines }))
    }

    /// The last value of a setting; an empty one counts as none.
    fn last(&self, key: &str) -> Option<&str> {
        self.all(key).pop()
    }

    /// All values of a setting that is a list: an empty one drops those before it.
    fn all(&self, key: &str) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for (_, value) in self.lines.iter().filter(|(known, _)| known == key) {
            if value.is_empty() { all.clear() } else { all.push(value) }
        }
        all
    }

    fn sockets(&self) -> Vec<Listen> {
        let meant = |text: &str| match text.parse::<u16>() {
            Ok(port) => format!("[::]:{port}").parse().ok(),
            Err(_) if text.starts_with('/') => format!("unix:{text}").parse().ok(),
            Err(_) => text.parse().ok(),
        };
        self.all("ListenStream").into_iter().filter_map(meant).collect()
    }

    fn wrong(&self, needs: &Needs<'_>) -> Vec<Finding> {
        let file = self.path.display();
        let mut wrong = Vec::new();
        let mut warn = |is: String, add: &str| wrong.push(Finding::warn("unit", format!("{file}: {is}"), format!("add {add} to it")));
        let kind = self.last("Type").unwrap_or("simple");
        if !kind.starts_with("notify") {
            warn(format!("Type={kind}, so systemd doesn't learn when the server is ready"), "Type=notify");
        }
        if self.last("WatchdogSec").is_none_or(|time| time == "0" || time == "infinity") {
            warn("without WatchdogSec=, nothing ends a server that hangs".to_owned(), "WatchdogSec=20");
        }
        if self.last("Restart").is_none_or(|when| when == "no") {
            warn("without Restart=, nothing starts a server that has ended".to_owned(), "Restart=always");
        }
        if self.last("ExecReload").is_none() && kind != "notify-reload" {
            warn("without ExecReload=, `systemctl reload` does nothing".to_owned(), "ExecReload=/bin/kill -HUP $MAINPID");
        }
        if self.last("User").is_none_or(|user| user == "root") && self.last("DynamicUser") != Some("yes") {
            warn("the server runs as root".to_owned(), "User=framewright");
        }
        let most = self.last("LimitNOFILE").and_then(|most| most.split(':').next_back()?.parse::<u64>().ok());
        if let Some(most) = most.filter(|most| *most < needs.descriptors) {
            let is = format!("LimitNOFILE={most}, but --connections lets in {} on all shards", needs.descriptors);
            warn(is, &format!("LimitNOFILE={}", needs.descriptors.next_power_of_two()));
        }
        let mut bad = |is: String, mend: &str| wrong.push(Finding::bad("unit", format!("{file}: {is}"), mend));
        match self.last("ExecStart").and_then(|line| line.trim_start_matches(['-', '@', ':', '+', '!']).split_whitespace().next()) {
            None => bad("without ExecStart=, nothing is started".to_owned(), "add ExecStart=/usr/bin/framewright serve"),
            Some(program) if is_missing(program) => {
                bad(format!("starts {program}, which isn't there"), "install the program there, or correct ExecStart=");
            }
            Some(_) => {}
        }
        let optional = self.all("EnvironmentFile").into_iter().filter(|path| !path.starts_with('-'));
        for path in optional.filter(|path| is_missing(path)) {
            bad(
                format!("EnvironmentFile={path} isn't there, so systemd doesn't start the server"),
                "create it, or put `-` before its name",
            );
        }
        let credentials = self.all("LoadCredential").into_iter().filter_map(|line| line.split_once(':'));
        for (_, path) in credentials.filter(|(_, path)| is_missing(path)) {
            bad(
                format!("LoadCredential= names {path}, which isn't there, so systemd doesn't start the server"),
                "create it; a folder may be empty",
            );
        }
        wrong
    }
}

/// Whether nothing is there. What systemd fills in (`%S`) is not known here, and what may not be seen may be there.
fn is_missing(path: &str) -> bool {
    path.starts_with('/') && !path.contains(['%', '*']) && matches!(Path::new(path).try_exists(), Ok(false))
}

/// The lines `KEY=VALUE` of a unit.
fn settings(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';', '[']));
    lines.filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}
