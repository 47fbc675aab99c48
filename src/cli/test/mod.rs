//! `framewright test`: plays suites against a server that runs, or against one that is started for it in this process.
//!
//! Exit codes: 0 all passed, 1 a check failed, 2 a suite or the command line can't be read, 3 the configuration is wrong,
//! 4 the server can't be reached, or what came can't be written; 130 the run was stopped, by Ctrl-C or by SIGTERM.

mod cassettes;
mod from_turn;
mod repeat;
mod screen;

use super::colour::Colour;
use super::{Failure, library, serve};
use crate::client::{Address, CallTrouble};
use crate::config::layers::{Origin, Written};
use crate::config::setting::SETTINGS;
use crate::config::{Arguments, Config, Upstream};
use crate::runner::{self, Judge, Plan, Report, Source, TIMEOUT};
use crate::shell::Server;
use crate::suite::Check;
use crate::work::probe;
use crate::work::tape::Tape;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command};
use screen::Screen;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[derive(clap::Args)]
pub(super) struct Options {
    /// Suites to run, such as testcases/smoketest.md
    #[arg(value_name = "SUITE")]
    files: Vec<PathBuf>,
    /// URL of the server to test [default: a server of its own, with the settings of `serve`]
    #[arg(long, value_name = "URL", env = "FRAMEWRIGHT_URL", hide_env_values = true)]
    url: Option<String>,
    /// Token or API key for servers with sign-in [default: none]
    #[arg(long, value_name = "TOKEN", env = "FRAMEWRIGHT_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// PEM file of certificate authorities to trust instead of the public ones [default: none]
    #[arg(long, value_name = "FILE", env = "FRAMEWRIGHT_CA")]
    ca: Option<PathBuf>,
    /// Suites to run in parallel, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=runner::JOBS_MAX as i64))]
    jobs: u16,
    /// Milliseconds per turn
    #[arg(long, value_name = "N", default_value_t = TIMEOUT.as_millis() as u32, value_parser = clap::value_parser!(u32).range(1..=3_600_000))]
    timeout_ms: u32,
    /// Let `expect time` fail a suite
    #[arg(long)]
    strict_time: bool,
    /// Let `expect judge` fail a suite
    #[arg(long)]
    strict_judge: bool,
    /// Model for `expect judge` [default: the model that answers]
    #[arg(long, value_name = "NAME")]
    judge_model: Option<String>,
    /// Show which nodes, routes and paths ran, and which did not
    #[arg(long)]
    coverage: bool,
    /// Write the results to this file as JUnit XML [default: none]
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the results to this file as JSON [default: testcases/results.json, where that folder exists]
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Use colour: auto, always or never; NO_COLOR turns it off
    #[arg(long, value_name = "WHEN", value_enum, env = "FRAMEWRIGHT_COLOR", default_value = "auto")]
    color: Colour,
    /// Record all answers of models and databases in this folder, one cassette per suite [default: none]
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Answer from the cassettes in this folder and make no calls [default: none]
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// Write a past turn, such as msg_7, as a suite with its cassette; from the server at --url, else from the journal [default: none]
    #[arg(long, value_name = "ID")]
    from_turn: Option<String>,
    /// Session of that turn
    #[arg(long, value_name = "NAME", default_value = "default", requires = "from_turn")]
    session: String,
    /// User that owns the session in the journal [default: anonymous]
    #[arg(long, value_name = "NAME", requires = "from_turn", conflicts_with = "url")]
    user: Option<String>,
    /// Folder to write to
    #[arg(long, value_name = "DIR", default_value = ".", requires = "from_turn")]
    into: PathBuf,
    #[command(flatten)]
    _settings: Box<Arguments>,
}

const WHAT_TO_DO: &str = "name the suites to play, such as `framewright test testcases/*.md`: a suite is a Markdown file with steps. \
                          They are played against a server that is started for it, or against the one that --url names";
/// Suites have sessions of their own.
const ANY_SESSION: &str = "test";
/// The exit code of a run that was stopped, as shells know it from Ctrl-C.
const STOPPED: u8 = 130;
const RESULTS: &str = "testcases/results.json";
/// Settings that say who judges; of a server that runs already, nothing else can be set.
const OF_JUDGE: &[&str] = &["llm_url", "llm_key_file", "offline", "retries", "connect_ms", "first_token_ms", "next_token_ms", "call_ms"];

pub(super) fn run(options: &Options, matches: &ArgMatches) -> Result<(), Failure> {
    let is_terminal = std::io::stdout().is_terminal();
    let screen = Screen::new(is_terminal, options.color.is_wanted(is_terminal));
    if let Some(turn) = &options.from_turn {
        return from_turn::run(options, turn, arguments(matches)?, matches, &screen);
    }
    let suites = read(&options.files)?;
    let url = options.url.as_deref();
    let tape = cassettes::tape(options, url.is_some(), &suites)?;
    let target = match url {
        Some(url) => there(url, options, matches, &screen)?,
        None => {
            let (target, about) = started(arguments(matches)?, tape.clone())?;
            screen.note(&about);
            target
        }
    };
    let judges = suites.iter().any(|source| source.suite.count(|check| matches!(check, Check::Judge(_))) > 0);
    let plan = Plan {
        jobs: usize::from(options.jobs),
        is_own_server: target.server.is_some(),
        timeout: Duration::from_millis(u64::from(options.timeout_ms)),
        strict_time: options.strict_time,
        strict_judge: options.strict_judge,
        judge: if judges { judge(options, target.arguments.clone(), tape.as_ref())? } else { None },
        coverage: options.coverage,
        tape: tape.clone(),
        ..Plan::new(target.address.clone(), suites)
    };
    listen_for_signals(&plan.stop)?;
    screen.expect(plan.checks());
    let report = runner::run(&plan, &|progress| screen.tell(progress));
    target.end();
    let written = write(options, &report, &screen);
    let again = |file: &str| repeat::command(&command(), matches, file);
    screen.sum_up(&report, &again);
    let trouble = tape.and_then(|tape| tape.trouble());
    let whole = trouble.map_or(Ok(()), |why| Err(Failure::unavailable(format!("the recording is not whole: {why}"))));
    let kept = written.and(whole);
    if plan.stop.load(Ordering::Relaxed) {
        let more = kept.err().map(|failure| format!("; {}", failure.says)).unwrap_or_default();
        let cut =
            if options.record.is_some() { "; recordings that are not whole end in .part, those of before are as they were" } else { "" };
        return Err(Failure { code: STOPPED, says: format!("the run was stopped, and what was left of it is skipped{cut}{more}") });
    }
    if report.is_passed() {
        return kept;
    }
    // A check that failed is what the code tells, whatever could not be kept of it.
    Err(Failure { code: 1, says: kept.err().map(|failure| failure.says).unwrap_or_default() })
}

/// The first signal lets a run come to its end: the turns that it has begun are stopped, what is left is skipped, and everyone is told.
/// The second one ends the program at once.
fn listen_for_signals(stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let listen = |signal| {
        signal_hook::flag::register_conditional_default(signal, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())
    };
    let heard = [SIGINT, SIGTERM].into_iter().try_for_each(|signal| listen(signal).map(drop));
    heard.map_err(|error: std::io::Error| Failure::unavailable(format!("the system lets no signal be heard: {error}")))
}

/// Reads all suites; everything that can't be read is told at once.
fn read(files: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    if files.is_empty() {
        return Err(Failure::usage(WHAT_TO_DO));
    }
    let (mut suites, mut wrong) = (Vec::new(), Vec::new());
    for file in files {
        match Source::read(file) {
            Ok(source) => suites.push(source),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    if wrong.is_empty() { Ok(suites) } else { Err(Failure::usage(wrong.join("\n"))) }
}

/// A server that can be tested.
struct Target {
    address: Address,
    /// The one that was started for it.
    server: Option<Server>,
    /// What was set, for who judges.
    arguments: Arguments,
}

impl Target {
    /// Ends the server that was started.
    fn end(self) {
        if let Some(server) = self.server {
            server.stopper().stop();
            server.wait();
        }
    }
}

/// A server that runs already, if it answers.
fn there(url: &str, options: &Options, matches: &ArgMatches, screen: &Screen) -> Result<Target, Failure> {
    let is_said = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let said = SETTINGS.iter().filter(|setting| is_said(setting.id) && !OF_JUDGE.contains(&setting.id));
    let said: Vec<String> = said.map(|setting| format!("--{}", setting.flag())).collect();
    if !said.is_empty() {
        let them = said.join(", ");
        return Err(Failure::usage(format!("{them} can't be set of a server that runs already: leave it out, or leave out --url")));
    }
    let address = Address::new(url, ANY_SESSION, options.token.as_deref(), options.ca.as_deref()).map_err(Failure::config)?;
    let about = ask(&address, "/health").map_err(Failure::unavailable)?;
    // It takes who may use it.
    ask(&address, "/api/result").map_err(Failure::unavailable)?;
    let (model, graph) = (about["model"]["name"].as_str().unwrap_or("unknown"), about["graph"].as_str().unwrap_or("unknown"));
    screen.note(&format!("{}  model: {model}  graph: {graph}", address.authority()));
    Ok(Target { address, server: None, arguments: arguments(matches)? })
}

/// Reads a path of a server that was named, or says why there is nothing to read.
fn ask(address: &Address, path: &str) -> Result<Value, String> {
    let authority = address.authority();
    address.call(path, None).map_err(|trouble| match &trouble {
        CallTrouble::Unreachable { why } => {
            format!("no server answers at {authority} ({why}){}", trouble.advice())
        }
        CallTrouble::Refused { status, detail, .. } => format!("{authority} refuses this ({status}): {detail}"),
        CallTrouble::Unreadable => format!("what answers at {authority} is no server of ours"),
    })
}

/// A server in this process, that nobody else uses and that leaves nothing behind; and what is to be said of it.
fn started(arguments: Arguments, tape: Option<Arc<Tape>>) -> Result<(Target, String), Failure> {
    let is_replay = tape.as_ref().is_some_and(|tape| !tape.is_recording());
    let arguments = if is_replay { cassettes::without_models(arguments) } else { arguments };
    // What a test does is nobody's doing.
    let mut config = config(arguments.clone())?;
    config.audit = None;
    let server = serve::start(&config, library::load(config.graphs.as_deref())?, config.pool_on(tape))?;
    let model = if is_replay { "none, recordings answer".to_owned() } else { config.upstream.to_string() };
    let about = format!("a server of its own  model: {model}  graph: {}", config.graph);
    let address = Address::new(&server.places()[0].url(), ANY_SESSION, None, None).map_err(Failure::config)?;
    Ok((Target { address, server: Some(server), arguments }, about))
}

/// The settings of a server that is started for a test: where it listens and what it keeps is not for anyone to say.
fn arguments(matches: &ArgMatches) -> Result<Arguments, Failure> {
    let written = Written::read(matches).map_err(Failure::config)?;
    let is_default = |id: &str| written.values.iter().any(|value| value.setting.id == id && value.origin == Origin::Default);
    // Nobody reads along while the demo model writes.
    let demo_delay_ms = if is_default("demo_delay_ms") { 0 } else { written.arguments.demo_delay_ms };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(Arguments { listen: listen.into(), demo_delay_ms, drain_ms: 0, ..written.arguments })
}

fn config(arguments: Arguments) -> Result<Config, Failure> {
    Config::new(arguments, |name| std::env::var(name).ok(), probe::local_model).map_err(Failure::config)
}

/// Who scores answers, if a model is there that can.
fn judge(options: &Options, arguments: Arguments, tape: Option<&Arc<Tape>>) -> Result<Option<Judge>, Failure> {
    if let Some(tape) = tape.filter(|tape| !tape.is_recording()) {
        let config = config(arguments)?;
        return match tape.has(Judge::LABEL) {
            true => Ok(Some(Judge::new(config.pool_on(Some(tape.clone())), "the recording"))),
            false if options.strict_judge => {
                Err(Failure::config("--strict-judge needs judgements, and none were recorded: record them with a model that can judge"))
            }
            false => Ok(None),
        };
    }
    let model = options.judge_model.clone().or(arguments.model);
    let config = config(Arguments { model, ..arguments })?;
    match &config.upstream {
        Upstream::Provider { provider, .. } => Ok(Some(Judge::new(config.pool_on(tape.cloned()), &provider.strong))),
        Upstream::Demo { .. } if options.strict_judge => Err(Failure::config(
            "--strict-judge needs a model that can judge: set OPENAI_API_KEY, or name one with --judge-model and --llm-url",
        )),
        Upstream::Demo { .. } => Ok(None),
    }
}

/// Writes the results; where the usual folder is not there, that is said.
fn write(options: &Options, report: &Report, screen: &Screen) -> Result<(), Failure> {
    let unwritten =
        |file: &Path, error: &dyn std::fmt::Display| Failure::unavailable(format!("{} can't be written: {error}", file.display()));
    let usual = Path::new(RESULTS);
    let file = options.results.as_deref().or(usual.parent().filter(|folder| folder.is_dir()).map(|_| usual));
    match file {
        Some(file) => runner::write_whole(file, &format!("{:#}\n", report.results())).map_err(|error| unwritten(file, &error))?,
        None => screen.note("there is no folder `testcases`, so no results are written: name a file with --results"),
    }
    let Some(file) = &options.junit else { return Ok(()) };
    runner::junit(report).and_then(|text| runner::write_whole(file, &text)).map_err(|error| unwritten(file, &error))
}

/// The command line of this command, as clap knows it.
fn command() -> Command {
    Options::augment_args(Command::new("test"))
}
