//! What came of a run: an outcome for each check, and the same as `GET /api/tests` tells it.

use super::Coverage;
use serde::Serialize;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Status {
    #[serde(rename = "PASS")]
    Pass,
    #[serde(rename = "FAIL")]
    Fail,
    #[serde(rename = "SKIP")]
    Skip,
}

/// What came of one check, or of something that could not be done.
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
    pub way: Vec<String>,
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

/// A suite that was played.
#[derive(Clone, Debug)]
pub struct Played {
    pub name: String,
    pub file: String,
    pub outcomes: Vec<Outcome>,
    pub took: Duration,
}

impl Played {
    /// How many outcomes that count are this.
    pub fn count(&self, status: Status) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.counts_as(status)).count()
    }
}

#[derive(Debug)]
pub struct Report {
    /// In the order of the plan.
    pub suites: Vec<Played>,
    /// How many checks there were to make.
    pub checks: usize,
    pub took: Duration,
    pub coverage: Option<Coverage>,
}

impl Report {
    pub fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.suites.iter().flat_map(|played| &played.outcomes)
    }

    pub fn count(&self, status: Status) -> usize {
        self.suites.iter().map(|played| played.count(status)).sum()
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

/// What came of a run that has not ended, told as one that has, but for this: what is cut off stays so.
pub fn so_far(outcomes: &[Outcome], checks: usize) -> Value {
    let mut told = results(&outcomes.iter().collect::<Vec<_>>(), checks);
    told["ended"] = false.into();
    told
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

/// Writes a file whole or not at all: whoever reads meanwhile sees what was there before. What is no file (`/dev/stdout`, a pipe, a
/// link) stays what it is, and is written to.
pub fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::symlink_metadata(path).is_ok_and(|about| !about.is_file()) {
        return std::fs::write(path, text);
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
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
