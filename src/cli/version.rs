//! `framewright version`: which program this is.

use super::CommandLine;
use clap::CommandFactory;
use clap_complete::Shell;
use serde_json::json;

pub(super) fn print(as_json: bool) {
    let version = env!("CARGO_PKG_VERSION");
    match as_json {
        true => println!("{}", json!({ "name": "framewright", "version": version, "target": target(), "debug": cfg!(debug_assertions) })),
        false => println!("framewright {version}"),
    }
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
