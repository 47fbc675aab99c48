//! A short run of each target of `fuzz/`, without a fuzzer: its seeds, what was found once, and changed ones drawn from a number.
//!
//! `FUZZ_ROUNDS` and `FUZZ_SEED` make it longer or another one; `fuzz/README.md` says how to run the fuzzer itself.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

#[path = "../fuzz/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use targets::{TARGETS, seeds};

/// Bytes that are more likely to be read as something.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xc3",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"=",
    b"\"",
    b"'",
    b"`",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"/*",
    b"*/",
    b"--",
    b"#",
    b"<!--",
    b"-->",
    b"```",
    b"- expect ",
    b"data: ",
    b"[DONE]",
    b"<think>",
    b"</think>",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"\\ud800",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x99\x82",
    b"HTTP/1.1",
    b"chunked",
    b"Content-Length: ",
    b"SELECT ",
    b" UNION ",
    b" FROM ",
    b"0",
    b"ffffffff",
    b"\x81\x80",
    b"\x88\x82",
    b"[limits]",
    b"'''",
    b"\"\"\"",
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// One of the seeds, changed in a few places.
fn changed(seeds: &[Vec<u8>], dice: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = seeds[dice.usize(..seeds.len())].clone();
    for _ in 0..dice.usize(1..=6) {
        let at = dice.usize(..=bytes.len());
        let longest = 1 << dice.u32(..10);
        let length = dice.usize(..=longest.min(bytes.len() - at));
        match dice.u8(..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.u8(..8),
            1 => drop(bytes.drain(at..at + length)),
            2 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            3 => {
                let other = &seeds[dice.usize(..seeds.len())];
                let from = dice.usize(..=other.len());
                let to = dice.usize(from..=other.len());
                bytes.splice(at..at + length, other[from..to].iter().copied());
            }
            4 => drop(bytes.splice(at..at, [dice.u8(..)])),
            _ => drop(bytes.splice(at..at, WORDS[dice.usize(..WORDS.len())].iter().copied())),
        }
    }
    bytes.truncate(16 << 10);
    bytes
}

fn check(target: &str, bytes: &[u8], what: &str) {
    if catch_unwind(AssertUnwindSafe(|| targets::run(target, bytes))).is_err() {
        let path = std::env::temp_dir().join(format!("framewright-finding-{target}"));
        std::fs::write(&path, bytes).unwrap();
        panic!("{target}: {what} breaks a rule; its bytes are in {}: keep them in fuzz/findings/{target}", path.display());
    }
}

fn run(name: &str) {
    let seeds = seeds(name);
    assert!(seeds.len() >= 3, "{name} has {} seeds", seeds.len());
    seeds.iter().for_each(|seed| check(name, seed, "a seed"));
    let (rounds, first) = (number("FUZZ_ROUNDS", 2_000), number("FUZZ_SEED", 0));
    for round in 0..rounds {
        let bytes = changed(&seeds, &mut fastrand::Rng::with_seed(first + round));
        check(name, &bytes, &format!("round {round} of seed {first}"));
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        #[test]
        fn every_target_runs_here_and_in_the_fuzzer() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            let manifest = include_str!("../fuzz/Cargo.toml");
            names.iter().for_each(|name| assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")), "{name}"));
        }
    };
}

targets!(head chunks websocket message provider graph suite gate cassette config token keys api_keys answer geometry connection);

/// What nests in one of the languages that the targets read, with what may stand before it.
const NESTS: &[&str] = &[
    "[",
    "{",
    "(",
    "{\"a\":",
    "[{\"a\":",
    "{\"answer\":",
    "a.",
    "[a.",
    "a=[",
    "a={b=",
    "<think>",
    "<div>",
    "> ",
    "- ",
    "* 1. ",
    "**",
    "![",
    "`",
    "{{",
    "SELECT (",
    "SELECT * FROM (",
    "NOT ",
    "- -",
    "CASE WHEN ",
    "/*",
    "\\",
    "\r\n",
    "A: b\r\n",
    "data: {",
];

#[test]
fn what_nests_without_end_breaks_no_target() {
    const BYTES: usize = 60_000;
    for target in TARGETS {
        let beginnings = ["", "SELECT ", "{\"text\":\"a\",\"dashboard\":", "# T\n## 1\n- send: a\n- expect ", "keys = ", "GET /?a="];
        for (nest, begin) in NESTS.iter().flat_map(|nest| beginnings.iter().map(move |begin| (nest, begin))) {
            let bytes = format!("{begin}{}", nest.repeat(BYTES / nest.len()));
            check(target.name, bytes.as_bytes(), &format!("`{begin}{nest}` many times"));
        }
    }
}

/// Writes the seeds where `cargo fuzz` looks for them.
#[test]
#[ignore = "writes files: see fuzz/README.md"]
fn write_corpus() {
    for target in TARGETS {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        seeds(target.name)
            .iter()
            .enumerate()
            .for_each(|(number, seed)| std::fs::write(folder.join(format!("seed-{number:04}")), seed).unwrap());
    }
}
