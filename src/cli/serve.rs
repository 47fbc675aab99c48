//! `framewright serve`: runs the server until it is told to end.

use super::reload::Reloader;
use super::suites::Folder;
use super::{Failure, doctor, journal, library, tell, version};
use crate::auth::ApiKeys;
use crate::config::Config;
use crate::config::layers::{Origin, Written};
use crate::contract::{Listen, WebhookPrefix, counted};
use crate::graph::Library;
use crate::log;
use crate::shard;
use crate::shard::bounds::SESSION_IDLE_KEPT;
use crate::shard::files::Files;
use crate::shard::metrics::Models;
use crate::shard::origin::Origins;
use crate::shell::audit::Audit;
use crate::shell::doctor::Check;
use crate::shell::{self, Inherited, OpenStore, ServeError, Server, Settings, Supervisor};
use crate::store;
use crate::work::authority::Authority;
use crate::work::courier::Courier;
use crate::work::issuer::KeyFile;
use crate::work::otlp::Exporter;
use crate::work::{Pool, probe};
use clap::ArgMatches;
use serde_json::{Map, Value};
use std::sync::{Arc, OnceLock};

pub(super) fn run(matches: &ArgMatches) -> Result<(), Failure> {
    let inherited = Inherited::take().map_err(Failure::config)?;
    let written = Written::read(matches).map_err(Failure::config)?;
    let listen = written.values.iter().find(|value| value.setting.id == "listen" && value.origin != Origin::Default).cloned();
    let config = Config::new(written.arguments, |name| std::env::var(name).ok(), probe::local_model).map_err(Failure::config)?;
    let log = log::start(&config.log);
    let library = library::load(config.graphs.as_deref())?;
    let missing = library.graph(&config.graph).map(|graph| library::missing_databases(graph, &config.databases));
    let pool = config.pool();
    let (own, reloader) = (matches.clone(), Reloader::new(matches, written.values, &config, &library, &pool, log.filter()));
    let address = Arc::new(OnceLock::new());
    let known = address.clone();
    let check = move || doctor::report(&own, known.get());
    let unused = listen.filter(|_| !inherited.is_empty());
    let server = start_on(inherited, Supervisor::of_environment(), &config, library, pool, Some(Arc::new(check)))?;
    let _ = address.set(server.places()[0].clone());
    server.hear_signals().map_err(failure)?;
    server.hear_reloads(Box::new(reloader.of(&server))).map_err(failure)?;
    tell(first_line(&server, &config));
    if let Some(listen) = unused {
        let origin = listen.origin;
        tell(format_args!(
            "warning: the server listens on the sockets of systemd, and `listen` ({origin}) has no effect: change the .socket unit"
        ));
    }
    for (what, mend) in missing.unwrap_or_default() {
        tell(format_args!("warning: {what}: {mend}"));
    }
    if let Some(warning) = config.tests.then(|| Folder::warning(&config.suites)).flatten() {
        tell(warning);
    }
    // Turns that were cut off have been told so; for the process that is a good end too.
    server.wait();
    Ok(())
}

/// Starts a server with these settings that keeps its sessions in memory; `pool` makes its calls.
pub(super) fn start(config: &Config, library: Library, pool: Pool) -> Result<Server, Failure> {
    let mut config = config.clone();
    config.keeping = None;
    start_on(Inherited::default(), Supervisor::default(), &config, library, pool, None)
}

/// The same on the sockets of systemd, if there are any, and watched by it; with the checks of `/api/doctor`.
fn start_on(
    inherited: Inherited,
    supervisor: Supervisor,
    config: &Config,
    library: Library,
    pool: Pool,
    doctor: Option<Arc<Check>>,
) -> Result<Server, Failure> {
    inherited.places().try_for_each(|place| config.may_listen(place)).map_err(Failure::config)?;
    let keeps = config.keeping.is_some();
    let settings = Settings::new(config.listen.clone(), pool.clone());
    let settings = Settings {
        inherited,
        socket_mode: config.socket_mode.0,
        supervisor,
        metrics_listen: config.metrics_listen,
        shards: config.shards.unwrap_or(settings.shards),
        data: keeps.then(|| config.data.clone()),
        store: keeps.then(|| open_store(config)),
        retain: config.retain,
        results: config.suites.join("results.json"),
        suites: config.tests.then(|| Folder::shared(&config.suites)),
        issuer: config.sign_in.issuer.clone(),
        key_file: config.api_keys.as_deref().map(KeyFile::read).transpose().map_err(Failure::config)?,
        authority: config.oidc_ca.as_deref().map(Authority::read).transpose().map_err(Failure::config)?,
        audit: config.audit.as_deref().map(Audit::start).transpose().map_err(Failure::unavailable)?,
        doctor,
        courier: config.webhooks.clone().map(Courier::start).transpose().map_err(|error| failure(ServeError::Start { error }))?,
        exporter: config.otlp.clone().map(Exporter::start).transpose().map_err(|error| failure(ServeError::Start { error }))?,
        drain_time: config.drain_time,
        ..settings
    };
    let api_keys = settings.key_file.as_ref().map(KeyFile::keys).unwrap_or_default();
    pool.keep_surveyed();
    let (exporter, courier) = (settings.exporter.clone(), settings.courier.clone());
    let rules = rules(config, Arc::new(library), api_keys, &pool, exporter, courier);
    shell::serve(settings, rules).map_err(failure)
}

/// Opens the journal: a file in the data folder, or a database server's.
fn open_store(config: &Config) -> Box<OpenStore> {
    let (path, server) = (config.data.join(journal::FILE), config.journal.clone());
    Box::new(move || {
        Ok(match server {
            Some(url) => Box::new(store::mysql::open(&url)?) as Box<dyn store::Store + Send>,
            None => Box::new(store::sqlite::open(&path)?),
        })
    })
}

/// What the shards go by, at the start and after a reload.
pub(super) fn rules(
    config: &Config,
    library: Arc<Library>,
    api_keys: Arc<ApiKeys>,
    pool: &Pool,
    exporter: Option<Exporter>,
    courier: Option<Courier>,
) -> shard::Settings {
    let (fast, strong, fallback) = config.upstream.model_names();
    let models = Models {
        provider: config.upstream.provider().into(),
        fast: fast.into(),
        strong: strong.into(),
        fallback: fallback.map(Into::into),
    };
    let load = pool.clone();
    let outbox = config.webhooks.as_ref().zip(courier.clone()).map(|(settings, courier)| outbox(settings.allowed.clone(), courier));
    let rules = shell::rules(library, &config.graph, pool);
    shard::Settings {
        models,
        machine: Box::new(move || shell::machine(&load, exporter.as_ref(), courier.as_ref())),
        outbox,
        trace_seed: fastrand::u64(..),
        export: config.otlp.as_ref().map(|otlp| shard::Export { content: otlp.content }),
        rerun: config.rerun,
        conformance: config.conformance,
        keeping: config.keeping,
        session_idle: if config.keeping.is_some() { SESSION_IDLE_KEPT } else { rules.session_idle },
        files: if config.development { Files::Development } else { rules.files },
        about: about(config),
        limits: config.limits.of_session(),
        sessions_max: config.limits.sessions as usize,
        connections_max: config.limits.connections as usize,
        session_bytes_max: config.limits.session_bytes,
        input_bytes_max: config.limits.request_bytes,
        output_bytes_max: config.limits.answer_bytes,
        message_bytes_max: config.limits.message_bytes,
        sign_in: config.sign_in.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        quotas: config.quotas,
        api_keys,
        origins: Origins { allowed: config.origins.clone(), hosts: config.hosts.clone(), ..rules.origins },
        ..rules
    }
}

/// What shards know of those who deliver.
fn outbox(allowed: Vec<WebhookPrefix>, courier: Courier) -> shard::Outbox {
    let full = courier.clone();
    shard::Outbox { allowed, is_full: Box::new(move || full.is_full()), status: Box::new(move |name, turn| courier.status(name, turn)) }
}

/// What everyone may know of this server.
fn about(config: &Config) -> Map<String, Value> {
    let model = config.upstream.about();
    let commit = version::commit().map(|commit| ("commit".to_owned(), commit.into()));
    let about = [
        ("version".into(), env!("CARGO_PKG_VERSION").into()),
        ("graph".into(), (*config.graph).into()),
        ("model".into(), model),
        ("tests".into(), config.tests.into()),
    ];
    about.into_iter().chain(commit).collect()
}

/// What a start says: where, how, with which model and why, and who may use it.
fn first_line(server: &Server, config: &Config) -> String {
    let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
    let (shards, backend) = (counted(server.shards(), "shard", "shards"), server.backend());
    // Every page of every site may then use the server.
    let origins = if config.origins.iter().any(|origin| origin == "*") { "  allow-origin: *" } else { "" };
    let echo = if config.conformance { "  conformance: echo, for tests only" } else { "" };
    let places: Vec<String> = server.places().iter().map(Listen::url).collect();
    let (places, model) = (places.join(", "), &config.upstream);
    let metrics = server.metrics_address().map(|address| format!("  metrics: http://{address}/metrics")).unwrap_or_default();
    let auth = auth(config);
    format!("framewright {version}  {places}  {shards}, {backend}  model: {model}  auth: {auth}{origins}{metrics}{echo}")
}

/// How users sign in.
fn auth(config: &Config) -> String {
    let rules = &config.sign_in;
    let issuer = rules.issuer.as_ref().map(|issuer| issuer.url.clone());
    let proxy = rules.proxy.as_ref().map(|proxy| format!("header {}", proxy.header));
    let keys = rules.api_keys.then(|| "API keys".to_owned());
    let ways: Vec<String> = [issuer, proxy, keys].into_iter().flatten().collect();
    if ways.is_empty() { "off".to_owned() } else { ways.join(", ") }
}

fn failure(error: ServeError) -> Failure {
    match error {
        ServeError::UnknownGraph { .. } => Failure::config(error),
        ServeError::AddressInUse { .. }
        | ServeError::Listen { .. }
        | ServeError::DataInUse { .. }
        | ServeError::Data { .. }
        | ServeError::Journal { .. }
        | ServeError::Start { .. }
        | ServeError::Signals { .. } => Failure::unavailable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Arguments;

    fn config(line: &str) -> Config {
        Config::new(Arguments::of(line).unwrap(), |_| None, |_| None).unwrap()
    }

    #[test]
    fn the_first_line_says_where_how_and_with_whom() {
        let config = config("--listen 127.0.0.1:0 --shards 1");
        let server = start(&config, library::load(None).ok().unwrap(), config.pool()).ok().unwrap();
        let (address, backend) = (server.places()[0].clone(), server.backend());
        let line = format!("framewright 0.1  http://{address}  1 shard, {backend}  model: demo (no key found)  auth: off");
        assert_eq!(first_line(&server, &config), line);
        let again = self::config(&format!("--listen {address}"));
        let refused = start(&again, library::load(None).ok().unwrap(), again.pool()).err().unwrap();
        assert!(refused.code == 4 && refused.says.contains("another program listens on"), "{}", refused.says);
        server.stopper().stop();
        server.wait();
    }

    #[test]
    fn the_first_line_says_aloud_that_every_page_may_use_the_server() {
        for (line, ends) in [("--allow-origin *", "auth: off  allow-origin: *"), ("--allow-origin https://a.example", "auth: off")] {
            let config = config(&format!("--listen 127.0.0.1:0 --shards 1 {line}"));
            let server = start(&config, library::load(None).ok().unwrap(), config.pool()).ok().unwrap();
            assert!(first_line(&server, &config).ends_with(ends), "{line}");
            server.stopper().stop();
            server.wait();
        }
    }

    #[test]
    fn the_default_limits_are_those_of_the_shard() {
        use crate::shard::bounds::*;
        let limits = config("").limits;
        assert_eq!((limits.sessions as usize, limits.connections as usize), (SESSIONS_MAX, CONNECTIONS_MAX));
        assert_eq!(
            [limits.session_bytes, limits.request_bytes, limits.answer_bytes, limits.message_bytes],
            [SESSION_BYTES_MAX, INPUT_BYTES_MAX, OUTPUT_BYTES_MAX, MESSAGE_BYTES_MAX]
        );
        assert_eq!(limits.of_session(), crate::contract::Limits::default());
        assert_eq!(limits.queue, crate::work::Settings::default().queue_max);
    }

    #[test]
    fn a_graph_that_is_not_there_is_a_wrong_setting() {
        let config = config("--listen 127.0.0.1:0 --graph nope");
        let refused = start(&config, library::load(None).ok().unwrap(), config.pool()).err().unwrap();
        assert_eq!((refused.code, refused.says.as_str()), (3, "there is no graph `nope`: choose one of v1-direct, v3-framed, v4-eras"));
    }
}
