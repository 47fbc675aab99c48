//! The suites that can be started from a browser: those of one folder, run against this very server.

use super::tell;
use crate::client::Address;
use crate::runner::{self, Plan, Progress, Source, write_whole};
use crate::shell::suites::{Listed, NAME_ANOTHER, Run, Suites, What};
use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

/// A folder of suites; not what is below it.
pub(super) struct Folder {
    path: PathBuf,
}

/// Files that are looked at, and bytes of each. Beyond: the last by name are left out; a longer file is listed as broken.
const SUITES_MAX: usize = 100;
const SUITE_BYTES_MAX: u64 = 64 << 10;

/// Suites have sessions of their own.
const ANY_SESSION: &str = "test";

impl Folder {
    pub(super) fn shared(path: &Path) -> Arc<dyn Suites> {
        Arc::new(Folder::new(path))
    }

    /// What a start says where there is nothing to play.
    pub(super) fn warning(path: &Path) -> Option<String> {
        let what = if path.is_dir() { "no suite in" } else { "no folder" };
        let is_empty = Folder::new(path).files().is_empty();
        is_empty.then(|| format!("warning: --tests finds {what} `{}`: {NAME_ANOTHER}", path.display()))
    }

    /// How many suites there are.
    pub(super) fn count(path: &Path) -> usize {
        Folder::new(path).files().len()
    }

    fn new(path: &Path) -> Folder {
        Folder { path: path.to_owned() }
    }

    /// The suites by name; a folder that is not there holds none.
    fn files(&self) -> Vec<(String, PathBuf)> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().map_while(Result::ok).map(|entry| entry.path());
        let suite = |path: PathBuf| {
            let name = path.file_stem()?.to_str()?.to_owned();
            let is_suite = path.extension().is_some_and(|kind| kind == "md") && !name.starts_with('.') && path.is_file();
            (is_suite && name != "README").then_some((name, path))
        };
        let mut files: Vec<_> = entries.filter_map(suite).collect();
        files.sort();
        files.truncate(SUITES_MAX);
        files
    }

    fn read(path: &Path) -> Result<Source, String> {
        match fs::metadata(path) {
            Ok(about) if about.len() > SUITE_BYTES_MAX => {
                Err(format!("{}: a suite that is started from a browser has at most {SUITE_BYTES_MAX} bytes", path.display()))
            }
            Ok(_) | Err(_) => Source::read(path).map_err(|error| error.to_string()),
        }
    }
}

impl Suites for Folder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn list(&self) -> Vec<Listed> {
        self.files().into_iter().map(|(name, path)| listed(name, &path)).collect()
    }

    fn play(&self, run: &Run) {
        let url = run.address.url();
        let address = |token| Address::new(&url, ANY_SESSION, token, None);
        // What is no token is none: a server that wants one has checked it before.
        let Ok(address) = address(run.token.as_deref()).or_else(|_| address(None)) else { return };
        let is_wanted = |name: &String| run.suites.contains(name);
        let suites = self.files().into_iter().filter(|(name, _)| is_wanted(name)).filter_map(|(_, path)| Folder::read(&path).ok());
        let plan = Plan { stop: run.stop.clone(), reports: Some(run.reports.clone()), ..Plan::new(address, suites.collect()) };
        let (file, checks) = (self.path.join("results.json"), plan.checks());
        let (came, outcomes) = channel();
        // Should the server be killed, what came before is not lost.
        let kept = thread::scope(|scope| {
            let into = &file;
            let keeping = scope.spawn(move || runner::keep(into, checks, &outcomes));
            let report = runner::run(&plan, &|progress| {
                if let Progress::Came(outcome) = progress {
                    // A failed write is reported in the end.
                    let _ = came.send((*outcome).clone());
                }
            });
            drop(came);
            let kept = keeping.join().unwrap_or_else(|panic| resume_unwind(panic));
            kept.and_then(|()| write_whole(&file, &report.results().to_string()))
        });
        if let Err(error) = kept {
            tell(format_args!("warning: the results of a test run can't be kept in {}: {error}", file.display()));
        }
    }
}

fn listed(name: String, path: &Path) -> Listed {
    let what = match Folder::read(path) {
        Ok(source) => What::Suite {
            title: source.suite.title.clone(),
            steps: source.suite.steps.len(),
            checks: source.suite.count(|check| !check.is_reported()),
        },
        Err(error) => What::Broken { error },
    };
    Listed { name, file: path.display().to_string(), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Arguments, Config};
    use serde_json::Value;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn a_folder_with_nothing_to_play_is_warned_of() {
        let path = std::env::temp_dir().join(format!("framewright-warned-{}", std::process::id()));
        let said = || Folder::warning(&path).unwrap_or_default();
        assert!(said().contains(&format!("no folder `{}`", path.display())) && said().contains("--suites"), "{}", said());
        fs::create_dir_all(&path).unwrap();
        assert!(said().contains("no suite in"), "{}", said());
        fs::write(path.join("a.md"), "").unwrap();
        assert_eq!(said(), "", "one that is broken is listed with what is wrong");
        fs::remove_dir_all(&path).unwrap();
    }

    #[test]
    fn a_run_that_is_stopped_skips_what_is_left() {
        let arguments = Arguments::of("--listen 127.0.0.1:0 --shards 1 --demo-delay-ms 0").unwrap();
        let config = Config::new(arguments, |_| None, |_| None).unwrap();
        let server = super::super::serve::start(&config, super::super::library::load(None).ok().unwrap(), config.pool()).ok().unwrap();
        let path = std::env::temp_dir().join(format!("framewright-suites-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("a.md"), "# A\n## 1\n- send: hello\n- expect path: reflex\n## 2\n- send: hello\n- expect path: reflex\n")
            .unwrap();
        for (is_stopped, status) in [(false, "PASS"), (true, "SKIP")] {
            let stop = Arc::new(AtomicBool::new(is_stopped));
            // What is no token is none.
            let run = Run {
                suites: vec!["a".to_owned()],
                address: server.places()[0].clone(),
                token: Some("no token".to_owned()),
                stop,
                reports: Arc::new(|_| Ok(())),
            };
            Folder::new(&path).play(&run);
            let written: Value = serde_json::from_str(&fs::read_to_string(path.join("results.json")).unwrap()).unwrap();
            let results: Vec<&str> =
                written["results"].as_array().unwrap().iter().map(|result| result["status"].as_str().unwrap()).collect();
            assert_eq!(results, [status; 2], "{written}");
        }
        fs::remove_dir_all(&path).unwrap();
        server.stopper().stop();
        server.wait();
    }
}
