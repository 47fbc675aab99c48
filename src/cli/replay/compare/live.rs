//! Calls that were not recorded: made as a server of these settings would make them, or not at all.

use crate::cli::{Failure, tell};
use crate::config::layers::{Origin, Written};
use crate::config::{Arguments, Config};
use crate::contract::{Answer, CallError, Listen, Request, Usage, micros};
use crate::work::{Pool, Reply, probe};
use clap::ArgMatches;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::time::Instant;

pub(super) trait Asks {
    /// Makes a call and waits for its end. `None`: no call may be made.
    fn ask(&mut self, request: &Arc<Request>) -> Result<Option<Heard>, Failure>;
}

/// What came of a call.
pub(super) struct Heard {
    pub(super) chunks: Vec<String>,
    pub(super) usage: Usage,
    pub(super) waited_us: u64,
    pub(super) time_us: u64,
    pub(super) outcome: Result<Answer, CallError>,
}

/// Makes no calls.
pub(super) struct Offline;

impl Asks for Offline {
    fn ask(&mut self, _request: &Arc<Request>) -> Result<Option<Heard>, Failure> {
        Ok(None)
    }
}

/// Makes calls with the models and databases that the settings name, which are set up for the first of them.
pub(super) struct Live<'a> {
    matches: &'a ArgMatches,
    pool: Option<Pool>,
}

impl<'a> Live<'a> {
    pub(super) fn new(matches: &'a ArgMatches) -> Live<'a> {
        Live { matches, pool: None }
    }

    fn pool(&mut self) -> Result<&Pool, Failure> {
        if self.pool.is_none() {
            let config = config(self.matches)?;
            tell(format_args!("calls that were not recorded go to: {}", config.upstream));
            self.pool = Some(config.pool_on(None));
        }
        Ok(self.pool.as_ref().expect("it has just been made"))
    }
}

/// The settings of a server that nobody reaches.
fn config(matches: &ArgMatches) -> Result<Config, Failure> {
    let written = Written::read(matches).map_err(Failure::config)?;
    let is_default = |id: &str| written.values.iter().any(|value| value.setting.id == id && value.origin == Origin::Default);
    let demo_delay_ms = if is_default("demo_delay_ms") { 0 } else { written.arguments.demo_delay_ms };
    let listen = Listen::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let arguments = Arguments { listen, demo_delay_ms, ..written.arguments };
    Config::new(arguments, |name| std::env::var(name).ok(), probe::local_model).map_err(Failure::config)
}

impl Asks for Live<'_> {
    fn ask(&mut self, request: &Arc<Request>) -> Result<Option<Heard>, Failure> {
        let (to, replies) = mpsc::channel();
        let begun = Instant::now();
        // Who has stopped listening needs no reply.
        let reply = Box::new(move |reply| drop(to.send(reply)));
        let started = self.pool()?.start(&"replay".into(), request.clone(), reply);
        let mut chunks = Vec::new();
        let (usage, waited, outcome) = loop {
            if let Err(error) = &started {
                break (Usage::NONE, std::time::Duration::ZERO, Err(error.clone()));
            }
            match replies.recv() {
                Ok(Reply::Chunk(text)) => chunks.push(text),
                Ok(Reply::Done { usage, waited, outcome }) => break (usage, waited, outcome),
                Err(_) => break (Usage::NONE, std::time::Duration::ZERO, Err(CallError::Panicked)),
            }
        };
        Ok(Some(Heard { chunks, usage, waited_us: micros(waited), time_us: micros(begun.elapsed()), outcome }))
    }
}
