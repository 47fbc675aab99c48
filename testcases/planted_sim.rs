//! Plants the bugs of `planted/sim.txt` one at a time and has the simulation find each.
//!
//! Runs on demand, `cargo test --test planted_sim -- --ignored`, since each bug is a build of its own, in a copy of this tree.
//! `BUG=word` plants only those whose description has the word.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Default)]
struct Bug {
    what: String,
    seeds: u64,
    edits: Vec<Edit>,
}

#[derive(Debug, Default)]
struct Edit {
    file: String,
    from: Vec<String>,
    to: Vec<String>,
}

fn bugs() -> Vec<Bug> {
    let mut bugs: Vec<Bug> = Vec::new();
    let list = fs::read_to_string(root().join("testcases/planted/sim.txt")).unwrap();
    for line in list.lines() {
        if let Some(what) = line.strip_prefix("# ") {
            bugs.push(Bug { what: what.to_owned(), ..Bug::default() });
        }
        let Some(bug) = bugs.last_mut() else { continue };
        if let Some(seeds) = line.strip_prefix("seeds ") {
            bug.seeds = seeds.parse().unwrap();
        } else if let Some(file) = line.strip_prefix("file ") {
            bug.edits.push(Edit { file: file.to_owned(), ..Edit::default() });
        } else if let Some(text) = line.strip_prefix('-') {
            bug.edits.last_mut().unwrap().from.push(text.to_owned());
        } else if let Some(text) = line.strip_prefix('+') {
            bug.edits.last_mut().unwrap().to.push(text.to_owned());
        }
    }
    bugs
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The file with the bug in it; the lines that it replaces stand there once.
fn planted(text: &str, edit: &Edit) -> Result<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let stands_at = |at: &usize| lines[*at..].iter().zip(&edit.from).all(|(line, from)| line.trim() == from.trim());
    let places: Vec<usize> = (0..lines.len().saturating_sub(edit.from.len() - 1)).filter(stands_at).collect();
    let [at] = places[..] else { return Err(format!("{} holds {} places of {:?}", edit.file, places.len(), edit.from)) };
    let to = edit.to.iter().map(String::as_str);
    let all = lines[..at].iter().copied().chain(to).chain(lines[at + edit.from.len()..].iter().copied());
    Ok(all.map(|line| format!("{line}\n")).collect())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).unwrap()),
        }
    }
}

/// Why the bug was not found; nothing if it was.
fn look_for(bug: &Bug, tree: &Path) -> Option<String> {
    for edit in &bug.edits {
        match planted(&fs::read_to_string(root().join(&edit.file)).unwrap(), edit) {
            Ok(text) => fs::write(tree.join(&edit.file), text).unwrap(),
            Err(why) => return Some(why),
        }
    }
    let seeds = bug.seeds.to_string();
    let arguments = ["run", "--quiet", "--", "sim", "--seeds", &seeds];
    let ran = Command::new(env!("CARGO")).args(arguments).current_dir(tree).env("CARGO_TARGET_DIR", tree.join("target")).output().unwrap();
    for edit in &bug.edits {
        fs::copy(root().join(&edit.file), tree.join(&edit.file)).unwrap();
    }
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    let found = said.lines().next().filter(|line| line.starts_with("seed "));
    match (ran.status.code(), found) {
        (Some(1), Some(found)) => {
            eprintln!("found: {}\n       {found}", bug.what);
            None
        }
        _ => Some(format!("{} is not found: {said}{}", bug.what, String::from_utf8_lossy(&ran.stderr))),
    }
}

#[test]
fn each_bug_can_be_planted() {
    let edits: Vec<Edit> = bugs().into_iter().flat_map(|bug| bug.edits).collect();
    let plant = |edit: &Edit| planted(&fs::read_to_string(root().join(&edit.file)).unwrap(), edit);
    let wrong: Vec<String> = edits.iter().filter_map(|edit| plant(edit).err()).collect();
    assert!(edits.len() >= 20 && wrong.is_empty(), "{} edits, of which can't be made: {wrong:#?}", edits.len());
}

#[test]
#[ignore = "builds the program once for each bug"]
fn each_planted_bug_is_found_within_its_seeds() {
    let tree: PathBuf = root().join("target/planted-sim");
    for name in ["src", "graphs", "static", "testcases", "bench"] {
        copy(&root().join(name), &tree.join(name));
    }
    for name in ["Cargo.toml", "Cargo.lock", "README.md"] {
        fs::copy(root().join(name), tree.join(name)).unwrap();
    }
    let word = std::env::var("BUG").unwrap_or_default();
    let all = bugs();
    assert!(all.len() >= 20, "{} bugs", all.len());
    let missed: Vec<String> = all.iter().filter(|bug| bug.what.contains(&word)).filter_map(|bug| look_for(bug, &tree)).collect();
    assert!(missed.is_empty(), "{} bugs were not found:\n\n{}", missed.len(), missed.join("\n\n"));
}
