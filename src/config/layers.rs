//! The layers of settings: flags over environment over files over defaults. Each value knows which layer it came from.

use super::Arguments;
use super::file::{File, FileError};
use super::setting::{self, SETTINGS, Setting};
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

/// The file of the folder that the program is started in; another one is named with `--config`.
pub const FILE: &str = "framewright.toml";
/// The file of the machine. What the other one says stands above it.
pub const MACHINE_FILE: &str = "/etc/framewright/framewright.toml";

/// All settings as they were written, one layer over the other.
#[derive(Clone, Debug)]
pub struct Written {
    pub arguments: Arguments,
    pub values: Vec<Value>,
    /// The files that were found, the strongest first.
    pub files: Vec<File>,
}

/// What one setting is, and why.
#[derive(Clone, Debug)]
pub struct Value {
    pub setting: &'static Setting,
    pub value: Option<String>,
    pub origin: Origin,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Flag { name: String },
    Variable { name: String },
    File { path: PathBuf, line: usize },
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag { name } => write!(f, "--{name}"),
            Origin::Variable { name } => f.write_str(name),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

impl Written {
    /// Reads the files that there are and lays a command's flags over them.
    pub fn read(matches: &ArgMatches) -> Result<Written, FileError> {
        let named = matches.get_one::<PathBuf>(setting::FILE);
        let above = match named {
            Some(path) => Some(File::read(path)?.ok_or_else(|| FileError::missing(path))?),
            None => File::read(Path::new(FILE))?,
        };
        let files = above.into_iter().chain(File::read(Path::new(MACHINE_FILE))?).collect();
        Ok(Written::of(matches, files))
    }

    /// What stands where a command has no flag for settings but the one that names the file.
    pub fn of_file(named: Option<&Path>) -> Result<Written, FileError> {
        let line = named.into_iter().flat_map(|path| [OsStr::new("--config"), path.as_os_str()]);
        Written::read(&setting::command().try_get_matches_from(line).unwrap_or_else(|error| error.exit()))
    }

    /// `files`: the strongest first.
    pub(super) fn of(matches: &ArgMatches, files: Vec<File>) -> Written {
        let values: Vec<Value> = SETTINGS.iter().map(|setting| value(matches, &files, setting)).collect();
        let of = |id: &str| values.iter().find(|value| value.setting.id == id)?.value.clone();
        Written { arguments: Arguments::of_values(of), values, files }
    }
}

fn value(matches: &ArgMatches, files: &[File], setting: &'static Setting) -> Value {
    let in_file = |file: &File| {
        let entry = file.entries.iter().find(|entry| entry.setting.id == setting.id)?;
        Some((entry.value.clone(), Origin::File { path: file.path.clone(), line: entry.line }))
    };
    let (value, origin) = match matches.value_source(setting.id) {
        Some(ValueSource::CommandLine) => (setting.given(matches), Origin::Flag { name: setting.flag() }),
        Some(ValueSource::EnvVariable) => (setting.given(matches), Origin::Variable { name: setting.variable() }),
        _ => match files.iter().find_map(in_file) {
            Some((value, origin)) => (Some(value), origin),
            None => (setting.default.map(str::to_owned), Origin::Default),
        },
    };
    Value { setting, value: value.filter(|value| !value.is_empty()), origin }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File::parse(Path::new(name), text).unwrap()
    }

    #[test]
    fn a_flag_stands_over_the_files_and_one_file_over_the_other() {
        let files = vec![
            file("near.toml", "graph = 'near'\ndevelopment = true\n[limits]\nworkers = 2\n"),
            file("far.toml", "\ngraph = 'far'\n[llm]\nmodel = 'm'\n[limits]\nworkers = 3\n"),
        ];
        let matches = setting::command().try_get_matches_from(["--workers=7"]).unwrap();
        let written = Written::of(&matches, files);
        let value = |name: &str| {
            let value = written.values.iter().find(|value| value.setting.name() == name).unwrap();
            format!("{} ({})", value.value.as_deref().unwrap_or("none"), value.origin)
        };
        for (name, expected) in [
            ("limits.workers", "7 (--workers)"),
            ("graph", "near (near.toml:1)"),
            ("development", "true (near.toml:2)"),
            ("llm.model", "m (far.toml:4)"),
            ("listen", "127.0.0.1:7878 (default)"),
            ("data", "data (default)"),
        ] {
            assert_eq!(value(name), expected, "{name}");
        }
        let Arguments { graph, development, model, .. } = written.arguments;
        assert_eq!((graph.as_str(), development, model.as_deref()), ("near", true, Some("m")));
    }
}
