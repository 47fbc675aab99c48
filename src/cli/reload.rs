//! `framewright reload`, and what the server does on it: it reads its files and settings again, checks all of it, and only then
//! changes anything.

use super::{Failure, library, serve};
use crate::auth::ApiKeys;
use crate::config::layers::{Value, Written};
use crate::config::{Config, reload};
use crate::contract::Listen;
use crate::graph::Library;
use crate::log::Filter;
use crate::shell::control::{self, ControlError};
use crate::shell::reload::{Apply, Reloaded, Reloads};
use crate::shell::{ServeError, Server};
use crate::work::Pool;
use crate::work::courier::Courier;
use crate::work::issuer::KeyFile;
use crate::work::otlp::Exporter;
use crate::work::probe::{self, Local, is_model};
use clap::ArgMatches;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let refused = |says: String| Failure { code: 1, says };
    let (address, wrong) = match Written::read(matches) {
        Ok(written) => (written.arguments.listen, None),
        // The server is to say so in its log as well; where it listens is known unless a file says it.
        Err(error) => (listen(matches), Some(error.to_string())),
    };
    match (control::reload(&address), wrong) {
        (Ok(reloaded), _) => {
            println!("{reloaded}");
            Ok(())
        }
        (Err(ControlError::Refused(why)), _) => Err(refused(format!("{why}\nthe reload was refused and nothing has changed"))),
        (Err(_), Some(wrong)) => Err(refused(format!("{wrong}\nthe server was not reloaded"))),
        (Err(error @ (ControlError::NoServer { .. } | ControlError::Silent { .. })), None) => Err(Failure::unavailable(error)),
    }
}

/// The listen address by flags and environment alone.
fn listen(matches: &ArgMatches) -> Listen {
    let stated = matches.get_one::<String>("listen").and_then(|text| text.parse().ok());
    stated.unwrap_or_else(|| std::net::SocketAddr::from(([127, 0, 0, 1], 7878)).into())
}

/// Reads what a running server goes by, as the command that started it did.
pub(super) struct Reloader {
    matches: ArgMatches,
    /// What runs now: settings, and hashes of the graphs by name.
    values: Vec<Value>,
    config: Config,
    graphs: BTreeMap<String, String>,
    api_keys: Arc<ApiKeys>,
    pool: Pool,
    log: Filter,
    exporter: Option<Exporter>,
    courier: Option<Courier>,
    /// Where the server listens.
    places: Vec<Listen>,
}

impl Reloader {
    pub(super) fn new(matches: &ArgMatches, values: Vec<Value>, config: &Config, library: &Library, pool: &Pool, log: Filter) -> Self {
        let (matches, config, pool) = (matches.clone(), config.clone(), pool.clone());
        let keys = config.api_keys.as_deref().and_then(|path| KeyFile::read(path).ok());
        let api_keys = keys.map(|file| file.keys()).unwrap_or_default();
        Reloader {
            matches,
            values,
            config,
            graphs: hashes(library),
            api_keys,
            pool,
            log,
            exporter: None,
            courier: None,
            places: Vec::new(),
        }
    }

    /// The same for a server that runs.
    pub(super) fn of(self, server: &Server) -> Self {
        let (exporter, courier) = (server.exporter().cloned(), server.courier().cloned());
        Reloader { exporter, courier, places: server.places().to_vec(), ..self }
    }
}

impl Reloads for Reloader {
    fn reload(&mut self, apply: &mut Apply<'_>) -> Result<Reloaded, String> {
        let written = Written::read(&self.matches).map_err(|error| error.to_string())?;
        let found = self.config.upstream.found();
        let config = |arguments| Config::new(arguments, |name| std::env::var(name).ok(), |wanted| local(found.clone(), wanted));
        // What a restart would run on has to be right as well.
        config(written.arguments.clone()).map_err(|error| error.to_string())?;
        let changes = reload::changes(&self.values, &written);
        let mut config = config(changes.arguments).map_err(|error| match changes.waiting.is_empty() {
            true => error.to_string(),
            false => format!("{error}; this needs a restart: {}", changes.waiting.join(", ")),
        })?;
        // Without sign-in it may listen nowhere else than on this machine, also where systemd chose the sockets.
        self.places.iter().try_for_each(|place| config.may_listen(place)).map_err(|error| error.to_string())?;
        let library = library::load(config.graphs.as_deref()).map_err(|failure| failure.says)?;
        let Some(graph) = library.graph(&config.graph) else {
            return Err(ServeError::UnknownGraph { name: config.graph.clone(), known: library.names() }.to_string());
        };
        let missing = library::missing_databases(graph, &config.databases);
        let keys = config.api_keys.as_deref().map(KeyFile::read).transpose().map_err(|error| error.to_string())?;
        // From here on nothing can fail.
        for (what, fix) in missing {
            tracing::warn!(fix, "{what}");
        }
        let (api_keys, graphs) = (keys.as_ref().map(KeyFile::keys).unwrap_or_default(), hashes(&library));
        let is_model_new = config.upstream != self.config.upstream;
        let (mut changed, mut waiting) = (changes.live, changes.waiting);
        // The exporter keeps what it was started with, so that is what later reloads compare with.
        if has_other_headers(&self.config, &config) {
            waiting.push("the collector's headers".to_owned());
        }
        config.otlp.clone_from(&self.config.otlp);
        changed.extend(differing(&self.graphs, &graphs));
        let has_other_models = !config.upstream.has_models_of(&self.config.upstream);
        if has_other_models && !changed.iter().any(|name| name.starts_with("llm.")) {
            changed.push("the model or its key".to_owned());
        }
        if self.api_keys != api_keys {
            changed.push("API keys".to_owned());
        }
        if is_model_new {
            config.change_models(&self.pool);
        }
        self.pool.change_limits(config.pool_limits());
        let (exporter, courier) = (self.exporter.clone(), self.courier.clone());
        apply(serve::rules(&config, Arc::new(library), api_keys.clone(), &self.pool, exporter, courier), config.drain_time);
        self.log.change(&config.log);
        (self.values, self.config, self.graphs, self.api_keys) = (changes.values, config, graphs, api_keys);
        Ok(Reloaded { changed, waiting })
    }
}

/// The model server of this machine that was found at the start, which may be busy just now; else one that is there now.
fn local(found: Option<Local>, wanted: Option<&str>) -> Option<Local> {
    let is_wanted = |found: &Local| wanted.is_none_or(|wanted| is_model(&found.model, wanted));
    found.filter(is_wanted).or_else(|| probe::local_model(wanted))
}

/// Whether a file with headers for the collector has changed.
fn has_other_headers(running: &Config, config: &Config) -> bool {
    let [before, after] = [running, config].map(|config| config.otlp.as_ref().map(|otlp| &otlp.headers));
    before != after
}

fn hashes(library: &Library) -> BTreeMap<String, String> {
    let hash = |name: String| library.graph(&name).map(|graph| (name.clone(), graph.hash.clone()));
    library.names().into_iter().filter_map(hash).collect()
}

/// A phrase for each graph that is new, gone or another.
fn differing(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let of_new = after.iter().filter_map(|(name, hash)| match before.get(name) {
        None => Some(format!("graph {name} (new)")),
        Some(old) if old != hash => Some(format!("graph {name}")),
        Some(_) => None,
    });
    of_new.chain(before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!("graph {name} (gone)"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Arguments;

    #[test]
    fn notices_other_headers_for_the_collector() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let line = format!("--offline --otlp-endpoint http://127.0.0.1:1 --otlp-headers-file {}", path.display());
        let config = |headers: &str| {
            std::fs::write(&path, headers).unwrap();
            Config::new(Arguments::of(&line).unwrap(), |_| None, |_| None).unwrap()
        };
        let running = config("authorization=one");
        assert!(!has_other_headers(&running, &config("# a comment\nauthorization=one\n")));
        assert!(has_other_headers(&running, &config("authorization=two")));
    }
}
