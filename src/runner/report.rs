//! The outcomes of a run, one for each check, and the same as `GET /api/tests` shows them.

use super::Coverage;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Between two writes of the results so far.
const PERIOD: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    #[serde(rename = "PASS")]
    Pass,
    #[serde(rename = "FAIL")]
    Fail,
    #[serde(rename = "SKIP")]
    Skip,
}

/// What an item of a suite looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Behaviour,
    Time,
    /// A model's opinion.
    Judge,
}

/// The result of one check, or of something that could not be done.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub suite: String,
    pub step: String,
    /// The item as it stands in the file.
    pub check: String,
    pub status: Status,
    /// Why it failed or was skipped.
    pub detail: String,
    /// How long it took, with the turn that came before it.
    pub elapsed_ms: f64,
    pub file: String,
    pub line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<String>,
    /// The path that the turn took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// The nodes of each frame.
    #[serde(skip)]
    pub nodes: Vec<String>,
    #[serde(skip)]
    pub about: About,
    pub session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// Time and judgement that don't count.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reported: bool,
}

impl Outcome {
    fn counts_as(&self, status: Status) -> bool {
        self.status == status && !self.reported
    }
}

/// The outcomes of a suite.
#[derive(Clone, Debug)]
pub struct SuiteReport {
    pub name: String,
    pub file: String,
    pub outcomes: Vec<Outcome>,
    pub took: Duration,
}

impl SuiteReport {
    /// How many outcomes that count are this.
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.counts_as(status)).count()
    }
}

#[derive(Debug)]
pub struct Report {
    /// In the order of the plan.
    pub suites: Vec<SuiteReport>,
    /// How many checks there were to make.
    pub checks: usize,
    pub took: Duration,
    pub coverage: Option<Coverage>,
}

impl Report {
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.suites.iter().flat_map(|suite| &suite.outcomes)
    }

    pub fn count(&self, status: Status) -> usize {
        self.suites.iter().map(|suite| suite.count(status)).sum()
    }

    /// Whether nothing that counts has failed.
    pub fn is_passed(&self) -> bool {
        self.count(Status::Fail) == 0
    }

    /// The run as `GET /api/tests` tells it.
    pub fn results(&self) -> Value {
        results(&self.outcomes().collect::<Vec<_>>(), self.checks)
    }
}

/// The results of a run that goes on; if the run is cut off, they stay marked as that.
fn so_far(outcomes: &[Outcome], checks: usize) -> Value {
    let mut results = results(&outcomes.iter().collect::<Vec<_>>(), checks);
    results["ended"] = false.into();
    results
}

fn results(outcomes: &[&Outcome], checks: usize) -> Value {
    let count = |status| outcomes.iter().filter(|outcome| outcome.counts_as(status)).count();
    json!({
        "results": outcomes,
        "passed": count(Status::Pass),
        "failed": count(Status::Fail),
        "skipped": count(Status::Skip),
        "total_expected": checks,
    })
}

/// Replaces a file in one step, so that readers see the old contents or the new. What is not a regular file (`/dev/stdout`, a
/// pipe, a link) is written to in place.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::symlink_metadata(path).is_ok_and(|about| !about.is_file()) {
        return std::fs::write(path, text);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes the outcomes of a run that goes on, at most once a second however many there are. Returns when no more come; the
/// whole report is for the caller to write.
pub fn keep(path: &Path, checks: usize, outcomes: &Receiver<Outcome>) -> io::Result<()> {
    let mut all = Vec::new();
    loop {
        write_whole(path, &so_far(&all, checks).to_string())?;
        let written = Instant::now();
        let Ok(outcome) = outcomes.recv() else { return Ok(()) };
        all.push(outcome);
        while let Some(left) = PERIOD.checked_sub(written.elapsed()) {
            match outcomes.recv_timeout(left) {
                Ok(outcome) => all.push(outcome),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_whole_and_what_is_none_stays_what_it_is() {
        let folder = std::env::temp_dir().join(format!("framewright-report-{}", std::process::id()));
        // What an earlier process of the same number has left behind when it was killed.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for (path, text) in [(&file, "one"), (&file, "two"), (&link, "three")] {
            write_whole(path, text).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
            assert_eq!((file.is_symlink(), link.is_symlink()), (false, true), "{text}");
        }
        assert!(write_whole(&folder, "four").is_err() && folder.is_dir());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing half-written is left");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
