//! `framewright version`: which program this is.

use super::CommandLine;
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

pub(super) fn print(as_json: bool) {
    let version = env!("CARGO_PKG_VERSION");
    match as_json {
        true => {
            let mut about = json!({ "name": "framewright", "version": version, "target": target(), "debug": cfg!(debug_assertions) });
            commit().into_iter().for_each(|commit| about["commit"] = commit.into());
            println!("{about}");
        }
        false => println!("framewright {version}"),
    }
}

/// The commit that this was built from, where whoever built it said so in `FRAMEWRIGHT_COMMIT`.
pub(super) fn commit() -> Option<&'static str> {
    option_env!("FRAMEWRIGHT_COMMIT").map(str::trim).filter(|commit| !commit.is_empty())
}

fn target() -> String {
    format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)
}

/// Writes what a shell needs to complete our command line.
pub(super) fn complete(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "framewright", &mut script);
    // Whoever stopped reading has what they wanted.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), &script);
}
