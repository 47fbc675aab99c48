//! Cassettes of a test run: recorded with `--record`, played with `--replay`.
//!
//! Both are for a server that is started for the test, because they replace what its pool asks.

use super::{Failure, Options};
use crate::config::Arguments;
use crate::runner::Source;
use crate::work::demo;
use crate::work::tape::{self, Tape};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The tape of a run, if one is asked for.
pub(super) fn tape(options: &Options, has_url: bool, suites: &[Source]) -> Result<Option<Arc<Tape>>, Failure> {
    let tape = match (&options.record, &options.replay) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(Failure::usage("--record and --replay can't both be: leave one out")),
        (Some(_), None) | (None, Some(_)) if has_url => {
            return Err(Failure::usage("--record and --replay are for a server that is started for the test: leave out --url"));
        }
        (Some(folder), None) => Tape::record(folder, named(folder, suites)?),
        (None, Some(folder)) => Tape::replay(folder, named(folder, suites)?),
    };
    tape.map(|tape| Some(Arc::new(tape))).map_err(Failure::usage)
}

/// The files of suites by the names of their cassettes, which are those of their sessions.
fn named(folder: &Path, suites: &[Source]) -> Result<BTreeMap<String, String>, Failure> {
    let mut named: BTreeMap<String, String> = BTreeMap::new();
    for source in suites {
        let name = source.name_in_session();
        if let Some(other) = named.insert(name.clone(), source.file.clone()) {
            let cassette = tape::file(folder, &name);
            return Err(Failure::usage(format!(
                "{other} and {} have one cassette, {}: play them one after the other, each with a folder of its own",
                source.file,
                cassette.display()
            )));
        }
    }
    Ok(named)
}

/// The settings of a server that asks nobody: no model is looked for, no key is needed, no database is opened.
pub(super) fn without_models(arguments: Arguments) -> Arguments {
    Arguments { model: Some(demo::NAME.to_owned()), llm_url: None, llm_key_file: None, database: Vec::new(), offline: true, ..arguments }
}
