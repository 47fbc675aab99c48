//! `framewright serve`: runs the server until it is told to end.

use super::{Failure, library};
use crate::config::{Arguments, Config};
use crate::shell::{self, ServeError, Server, Settings};
use std::sync::Arc;

pub(super) fn run(arguments: Arguments) -> Result<(), Failure> {
    let config = Config::new(arguments, |name| std::env::var(name).ok()).map_err(Failure::config)?;
    let library = Arc::new(library::load(config.graphs.as_deref())?);
    let settings = Settings::new(config.listen, library, &config.graph, config.pool());
    let settings = Settings {
        shards: config.shards.unwrap_or(settings.shards),
        data: config.data.clone(),
        development: config.development,
        ..settings
    };
    let server = shell::serve(settings).map_err(failure)?;
    eprintln!("{}", first_line(&server, &config));
    // Turns that were cut off have been told so; for the process that is a good end too.
    server.wait_for_signals().map(drop).map_err(failure)
}

/// What a start says: where, how, with which model and why, and who may use it.
fn first_line(server: &Server, config: &Config) -> String {
    let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    let (shards, backend) = (server.shards(), server.backend());
    let plural = if shards == 1 { "" } else { "s" };
    format!("framewright {version}  http://{}  {shards} shard{plural}, {backend}  model: {}  auth: off", server.address(), config.upstream)
}

fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::UnknownGraph { .. } => Failure::config(error),
        ServeError::AddressInUse { .. }
        | ServeError::Listen { .. }
        | ServeError::DataInUse { .. }
        | ServeError::Data { .. }
        | ServeError::Loop { .. }
        | ServeError::Signals { .. } => Failure::unavailable(error),
    }
}
