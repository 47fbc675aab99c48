//! The map of `lib.rs`, kept: this test reads the imports and fails when a module uses what it may not.

use std::fs;
use std::path::{Path, PathBuf};

/// Each pure module and those of ours that it may use.
const PURE: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("auth", &["contract"]),
    ("reading", &["contract"]),
    ("sql", &["contract"]),
    ("nodes", &["contract", "reading", "sql"]),
    ("graph", &["contract", "nodes"]),
    ("engine", &["contract", "nodes", "graph"]),
    ("wire", &["contract", "reading"]),
    ("shard", &["auth", "contract", "graph", "engine", "wire"]),
    ("sim", &["auth", "contract", "graph", "shard", "wire"]),
    ("suite", &["contract"]),
];

/// Modules that do what a pure one may not, and still use only these of ours.
const NARROW: &[(&str, &[&str])] = &[("store", &["contract"])];

/// What a pure module never names: sockets, clocks, threads, files, locks, random numbers, the environment.
const IMPURE: &[&str] = &[
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "ToSocketAddrs",
    "std::fs",
    "std::thread",
    "std::env",
    "std::io::stdin",
    "std::process",
    "Instant",
    "SystemTime",
    "Mutex",
    "RwLock",
    "Condvar",
    "LazyLock",
    "OnceLock",
    "mpsc",
    "thread_rng",
    "fastrand::Rng::new",
    "monoio",
    "ureq",
    "libc",
    "rustix",
    "Zoned::now",
    "Timestamp::now",
    "TimeZone::system",
];

fn sources(of: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(of).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false => into.push(path),
        }
    }
}

/// Every source file below `src` with the code that is not a test, comments left out.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let is_code = |name: &str| {
        name.ends_with(".rs")
            && !name.contains("/tests")
            && !name.ends_with("_tests.rs")
            && !name.ends_with("testing.rs")
            && name != "tidy.rs"
    };
    let name = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    files.iter().map(|path| (name(path), path)).filter(|(name, _)| is_code(name)).map(|(name, path)| (name, without_tests(path))).collect()
}

fn without_tests(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code: Vec<&str> = outside_tests(&text).filter(|line| !line.trim_start().starts_with("//")).collect();
    code.join("\n")
}

/// The lines outside items that are marked as tests. The code is formatted, so an item ends where its indentation returns.
fn outside_tests(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            if line.trim() != "#[cfg(test)]" {
                return Some(line);
            }
            let indent = &line[..line.len() - line.trim_start().len()];
            let mut rest = lines.by_ref().skip_while(|line| line.trim_start().starts_with("#["));
            let first = rest.next()?;
            if !first.ends_with(';') && !first.ends_with('}') {
                rest.find(|line| line.strip_prefix(indent).is_some_and(|line| line.starts_with('}')));
            }
        }
    })
}

fn module(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

#[test]
fn reads_on_behind_what_is_a_test() {
    let text = "a\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod x;\nb\n#[cfg(test)]\nmod tests {\n    fn c() {\n    }\n}\nd\nmod m {\n    \
                #[cfg(test)]\n    fn e() {}\n    fn f() {}\n}";
    assert_eq!(outside_tests(text).collect::<Vec<_>>(), ["a", "b", "d", "mod m {", "    fn f() {}", "}"]);
}

#[test]
fn modules_use_only_what_the_map_allows() {
    let code = code();
    assert!(code.len() > 30, "the sources were found");
    for (file, text) in &code {
        let of_module = |list: &'static [(&str, &[&str])]| list.iter().find(|(name, _)| *name == module(file));
        let (pure, narrow) = (of_module(PURE), of_module(NARROW));
        let Some((own, allowed)) = pure.or(narrow) else { continue };
        for name in IMPURE.iter().filter(|_| pure.is_some()) {
            assert!(
                !text.contains(name),
                "src/{file} names `{name}`, but `{own}` is pure: hand it in as data, or move the code to `work` or `shell`"
            );
        }
        for used in text.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
            let is_grouped = used.is_empty();
            assert!(!is_grouped, "src/{file}: write `use crate::<module>::…`, one module a line, so that imports can be read");
            assert!(used == *own || allowed.contains(&used), "src/{file} uses `{used}`, but `{own}` may use only {allowed:?}");
        }
    }
}

#[test]
fn only_the_shell_knows_the_loop_and_only_cli_knows_the_shell() {
    for (file, text) in code() {
        let module = module(&file);
        assert!(module == "shell" || !text.contains("monoio"), "src/{file} names monoio: only `shell` knows the loop");
        assert!(["shell", "cli"].contains(&module) || !text.contains("crate::shell"), "src/{file} imports the shell: only `cli` does");
    }
}
