//! `framewright health`: whether a server serves, in an exit code: what a container or a supervisor asks now and then.

use super::Failure;
use crate::client::{Address, CallTrouble};
use crate::config::Arguments;
use crate::config::layers::Written;
use clap::ArgMatches;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(super) struct Options {
    /// URL of the server [default: the server with these settings on this machine]
    #[arg(long, value_name = "URL", env = "FRAMEWRIGHT_URL", hide_env_values = true)]
    url: Option<String>,
    /// PEM file of certificate authorities to trust instead of the public ones [default: none]
    #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CA")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

pub(super) fn run(options: &Options, matches: &ArgMatches) -> Result<(), Failure> {
    let url = match &options.url {
        Some(url) => url.clone(),
        None => Written::read(matches).map_err(Failure::config)?.arguments.listen.from_here().url(),
    };
    let address = Address::new(&url, "default", None, options.ca.as_deref()).map_err(Failure::config)?;
    match address.call("/health", None) {
        Ok(health) if health["status"] == "ok" => {
            let version = health["version"].as_str().map(|version| format!(" {version}")).unwrap_or_default();
            println!("ok  framewright{version} at {}", address.shown());
            Ok(())
        }
        Ok(_) => Err(Failure { code: 1, says: format!("what answers at {} is no framewright server", address.shown()) }),
        Err(trouble @ CallTrouble::Unreachable { .. }) => Err(Failure::unavailable(format!("{}: {trouble}", address.shown()))),
        Err(trouble) => Err(Failure { code: 1, says: format!("{}: {trouble}", address.shown()) }),
    }
}
