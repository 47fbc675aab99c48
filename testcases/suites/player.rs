//! `framewright test` as its user meets it: a command that ends with a code, a text, and results.

use crate::support::Folder;
use crate::support::server::run_for;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A run, and what it left.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
    /// What `--results` wrote; null where nothing was played.
    pub(crate) results: Value,
}

impl Played {
    /// The results that have this status.
    pub(crate) fn with(&self, status: &str) -> Vec<&Value> {
        self.results["results"].as_array().into_iter().flatten().filter(|result| result["status"] == status).collect()
    }
}

/// All suites of a run together.
const RUN_TIME: Duration = Duration::from_secs(900);

/// Plays suites from the folder of this project.
pub(crate) fn play(arguments: &[&str]) -> Played {
    played(Path::new(env!("CARGO_MANIFEST_DIR")), &Folder::new(), arguments)
}

/// Plays one suite that stands in no file yet; `<name>.md` is what messages call it.
pub(crate) fn play_text(name: &str, text: &str, arguments: &[&str]) -> Played {
    let folder = Folder::new();
    let file = format!("{name}.md");
    folder.write(&file, text);
    played(folder.path(), &folder, &[&[file.as_str()], arguments].concat())
}

/// Plays several suites that stand in no file yet, by their names.
pub(crate) fn play_all(suites: &[(String, String)], arguments: &[&str]) -> Played {
    let folder = Folder::new();
    let files: Vec<String> = suites.iter().map(|(name, _)| format!("{name}.md")).collect();
    files.iter().zip(suites).for_each(|(file, (_, text))| drop(folder.write(file, text)));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    played(folder.path(), &folder, &[files.as_slice(), arguments].concat())
}

fn played(from: &Path, results: &Folder, arguments: &[&str]) -> Played {
    let file = results.path().join("results.json");
    let ended = run_for(RUN_TIME, from, &[&["test"], arguments, &["--results", file.to_str().unwrap()]].concat());
    let results = std::fs::read(&file).ok().map(|text| serde_json::from_slice(&text).unwrap()).unwrap_or_default();
    Played { code: ended.code, output: ended.output, errors: ended.errors, results }
}

/// The suites that ship, as they are named from the folder of this project.
pub(crate) fn shipped() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut suites: Vec<String> = names.filter(|name| name.ends_with(".md")).map(|name| format!("testcases/{name}")).collect();
    suites.sort();
    suites
}
