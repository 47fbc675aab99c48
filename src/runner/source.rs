//! A suite with the file that it stands in.

use crate::suite::Suite;
use crate::text_file;
use sha2::{Digest, Sha256};
use std::path::Path;

/// A suite that can be run.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file's stem.
    pub name: String,
    /// The file, as it was named.
    pub file: String,
    pub suite: Suite,
}

/// Why a file can't be run: what is wrong there, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {why}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct Unreadable {
    pub file: String,
    pub line: Option<usize>,
    pub why: String,
}

/// The longest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What a session's name leaves for the suite's.
const NAME_MAX: usize = 30;
/// Of the hash that tells names apart.
const MARK_BYTES: usize = 3;

impl Source {
    pub fn read(path: &Path) -> Result<Source, Unreadable> {
        let file = path.display().to_string();
        let wrong = |why: String| Unreadable { file: file.clone(), line: None, why };
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            return Err(wrong(format!("this is a folder: name its suites, such as {}/*.md", file.trim_end_matches('/'))));
        }
        let text = text_file::read(path, FILE_BYTES_MAX).map_err(|error| wrong(format!("can't be read ({error})")))?;
        let suite =
            Suite::parse(&text).map_err(|error| Unreadable { file: file.clone(), line: Some(error.line), why: error.what.to_string() })?;
        let source = Source { name, file, suite };
        match source.suite.count(|_| true) {
            0 => {
                let why = "it checks nothing: say what is expected, such as `- expect path: reflex`".to_owned();
                Err(Unreadable { file: source.file, line: None, why })
            }
            _ => Ok(source),
        }
    }

    /// Its name as a session's name can hold it. What has to be cut or written otherwise gets a mark, so that no other suite's
    /// cassette has the same name.
    pub fn name_in_session(&self) -> String {
        let is_plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '_' | '-');
        if (1..=NAME_MAX).contains(&self.name.len()) && self.name.chars().all(is_plain) {
            return self.name.clone();
        }
        let mark: String = Sha256::digest(&self.name)[..MARK_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
        let plain = self.name.chars().map(|sign| if is_plain(sign) { sign } else { '-' });
        format!("{}-{mark}", plain.take(NAME_MAX - 1 - mark.len()).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_session_can_have_gets_a_mark_of_its_own() {
        let suite = Suite::parse("# T\n## 1\n- send: x\n- expect path: pa\n").unwrap();
        let named = |name: &str| Source { name: name.to_owned(), file: String::new(), suite: suite.clone() }.name_in_session();
        let long = "a".repeat(NAME_MAX);
        for name in ["smoketest", "fast_v4-2", &long] {
            assert_eq!(named(name), name);
        }
        for (one, other) in [("größe", "grüße"), ("a b", "a.b"), (&*format!("{long}b"), &*format!("{long}c")), ("", "-")] {
            assert_ne!(named(one), named(other), "{one} {other}");
            assert!(named(one).len() <= NAME_MAX, "{one}");
        }
    }

    #[test]
    fn what_can_not_be_played_is_named_with_its_place() {
        let folder = std::env::temp_dir().join(format!("framewright-source-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &[u8]| {
            std::fs::write(folder.join(name), text).unwrap();
            folder.join(name)
        };
        let mut said = Vec::new();
        for path in [
            write("wrong.md", b"# T\n## 1\n- sned: x\n"),
            write("bytes.md", &[0xff, 0xfe]),
            write("long.md", &b"x".repeat((1 << 20) + 1)),
            folder.join("nowhere.md"),
            folder.clone(),
        ] {
            said.push(Source::read(&path).unwrap_err().to_string().replace(&folder.display().to_string(), "F"));
        }
        let good = Source::read(&write("good.md", "\u{feff}# T\n## 1\n- send: x\n- expect path: pa\n".as_bytes())).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(good.name, "good");
        for (said, begins) in said.iter().zip([
            "F/wrong.md:3: there is no item `sned`; use",
            "F/bytes.md: can't be read (",
            "F/long.md: can't be read (it has more than 1048576 bytes)",
            "F/nowhere.md: can't be read (",
            "F: this is a folder: name its suites, such as F/*.md",
        ]) {
            assert!(said.starts_with(begins), "{said}");
        }
    }
}
