//! Test suites that are started from a browser, in this process and against this server: what there is, and one run at a time.
//!
//! The shell knows no runner; who starts the server hands one in as [`Suites`]. A run has a thread of its own and asks the
//! server over its own address, as any client does.

use crate::contract::{Code, Listen, Refusal};
use crate::shard::operation::Reply;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The suites of a folder, and who plays them.
pub trait Suites: Send + Sync {
    /// Where they are looked for.
    fn place(&self) -> String;

    /// What there is; read on the helper thread, from a bounded folder.
    fn list(&self) -> Vec<Listed>;

    /// Plays suites by their names, one after the other, and comes back when all have ended or soon after `stop` was set.
    fn play(&self, run: &Run);
}

/// A file that is a suite, or should be one.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    pub name: String,
    pub file: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum What {
    Suite { title: String, steps: usize, checks: usize },
    Broken { error: String },
}

/// Takes the reports of a run into the user's test status, as `POST /api/test/status` does, or says why not.
pub type Reports = dyn Fn(Map<String, Value>) -> Result<(), String> + Send + Sync;

/// What is to be played, and where.
#[derive(Clone)]
pub struct Run {
    pub suites: Vec<String>,
    /// This server, as this machine reaches it.
    pub address: Listen,
    /// The token of who asked for it.
    pub token: Option<String>,
    /// The server is about to end.
    pub stop: Arc<AtomicBool>,
    pub reports: Arc<Reports>,
}

/// Which runs there are on this server: none or one.
pub(super) struct Runs {
    suites: Option<Arc<dyn Suites>>,
    address: Listen,
    is_running: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
}

const DISABLED: Refusal = Refusal::new(Code::TestsDisabled, "tests can't be started on this server: start it with --tests to allow that");
const RUNNING: Refusal = Refusal::new(Code::TestsRunning, "suites are running already: wait for their end");
const NOT_NAMES: Refusal =
    Refusal::new(Code::InvalidParameter, "`suites` must be a list of names from `/api/tests/suites`; leave it out to run all of them");
/// What to do where no suite was found.
pub const NAME_ANOTHER: &str = "name another folder with --suites when the server is started";
const NOTHING: Refusal = Refusal::new(Code::UnknownSuite, "no suite can be run: see `/api/tests/suites` for what is wrong with each");

impl Runs {
    pub(super) fn new(suites: Option<Arc<dyn Suites>>, listen: &Listen) -> Self {
        Runs { suites, address: listen.from_here(), is_running: Arc::default(), stop: Arc::default() }
    }

    /// Body of `/api/tests/suites`.
    pub(super) fn list(&self) -> Reply {
        let suites = self.suites.as_ref().map(|suites| suites.list()).unwrap_or_default();
        Reply::ok(&json!({
            "enabled": self.suites.is_some(),
            "running": self.is_running.load(Ordering::Acquire),
            "folder": self.suites.as_ref().map(|suites| suites.place()),
            "suites": suites,
        }))
    }

    /// Begins a run, or says why not.
    pub(super) fn start(&self, wanted: &Map<String, Value>, token: Option<String>, reports: Arc<Reports>) -> Result<Reply, Refusal> {
        let suites = self.suites.as_ref().ok_or(DISABLED)?;
        let wanted = names(wanted).ok_or(NOT_NAMES)?;
        let listed = suites.list();
        if listed.is_empty() {
            return Err(Refusal::with(Code::UnknownSuite, format!("there is no suite in `{}`: {NAME_ANOTHER}", suites.place())));
        }
        let chosen = chosen(&listed, wanted)?;
        if self.is_running.swap(true, Ordering::AcqRel) {
            return Err(RUNNING);
        }
        let over = Over(self.is_running.clone());
        let names: Vec<String> = chosen.iter().map(|(name, _)| (*name).to_owned()).collect();
        let count: usize = chosen.iter().map(|(_, checks)| checks).sum();
        let run = Run { suites: names.clone(), address: self.address.clone(), token, stop: self.stop.clone(), reports };
        let player = suites.clone();
        let play = move || {
            let _over = over;
            player.play(&run);
        };
        match thread::Builder::new().name("suites".to_owned()).spawn(play) {
            Ok(_) => Ok(Reply::ok(&json!({ "status": "started", "suites": names, "count": count }))),
            Err(_) => Err(Refusal::new(Code::Unavailable, "the system refuses a thread for the run: try again later")),
        }
    }

    /// The server is about to end: what runs comes to its end soon.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// A run that is over when this is dropped, however it ended.
struct Over(Arc<AtomicBool>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// The names that were asked for; none for all.
fn names(body: &Map<String, Value>) -> Option<Vec<&str>> {
    match body.get("suites") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(names) => names.as_array()?.iter().map(Value::as_str).collect(),
    }
}

/// Those that are to be played, each once, with their checks.
fn chosen<'a>(listed: &'a [Listed], wanted: Vec<&str>) -> Result<Vec<(&'a str, usize)>, Refusal> {
    let playable = |suite: &'a Listed| match &suite.what {
        What::Suite { checks, .. } => Some((suite.name.as_str(), *checks)),
        What::Broken { .. } => None,
    };
    for name in &wanted {
        match listed.iter().find(|suite| suite.name == *name).map(|suite| &suite.what) {
            Some(What::Suite { .. }) => {}
            Some(What::Broken { error }) => return Err(Refusal::with(Code::InvalidSuite, error.clone())),
            None => {
                let known: Vec<&str> = listed.iter().map(|suite| suite.name.as_str()).collect();
                let name = crate::contract::clip(name, 80);
                return Err(Refusal::with(Code::UnknownSuite, format!("there is no suite `{name}`: name one of {}", known.join(", "))));
            }
        }
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(&name);
    let chosen: Vec<_> = listed.iter().filter_map(playable).filter(|(name, _)| is_wanted(name)).collect();
    if chosen.is_empty() { Err(NOTHING) } else { Ok(chosen) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_reports() -> Arc<Reports> {
        Arc::new(|_| Ok(()))
    }

    fn listed() -> Vec<Listed> {
        let suite = |name: &str, what| Listed { name: name.to_owned(), file: format!("testcases/{name}.md"), what };
        let good = |checks| What::Suite { title: "T".to_owned(), steps: 1, checks };
        vec![suite("fast", good(10)), suite("wrong", What::Broken { error: "wrong.md:3: no".to_owned() }), suite("smoketest", good(40))]
    }

    #[test]
    fn suites_are_chosen_by_their_plain_names_and_all_that_can_be_played_where_none_is_named() {
        for (body, expected) in [
            (json!({}), "fast 10, smoketest 40"),
            (json!({"suites": []}), "fast 10, smoketest 40"),
            (json!({"suites": null}), "fast 10, smoketest 40"),
            (json!({"suites": ["smoketest", "smoketest"]}), "smoketest 40"),
            (json!({"suites": ["fast", "slow"]}), "unknown_suite"),
            (json!({"suites": ["../fast"]}), "unknown_suite"),
            (json!({"suites": ["/etc/passwd"]}), "unknown_suite"),
            (json!({"suites": ["fast.md"]}), "unknown_suite"),
            (json!({"suites": ["wrong"]}), "invalid_suite"),
            (json!({"suites": "fast"}), "no names"),
            (json!({"suites": [1]}), "no names"),
        ] {
            let Value::Object(body) = &body else { panic!("an object") };
            let listed = listed();
            let said = match names(body).map(|names| chosen(&listed, names)) {
                None => "no names".to_owned(),
                Some(Err(refusal)) => refusal.code.to_string(),
                Some(Ok(chosen)) => chosen.iter().map(|(name, checks)| format!("{name} {checks}")).collect::<Vec<_>>().join(", "),
            };
            assert_eq!(said, expected, "{body:?}");
        }
        assert_eq!(chosen(&listed()[1..2], Vec::new()).unwrap_err().code, Code::UnknownSuite, "nothing that could be played");
    }

    #[test]
    fn where_there_is_no_suite_it_is_said_where_they_were_looked_for() {
        struct Nothing;
        impl Suites for Nothing {
            fn place(&self) -> String {
                "some/folder".to_owned()
            }
            fn list(&self) -> Vec<Listed> {
                Vec::new()
            }
            fn play(&self, _run: &Run) {}
        }
        let runs = Runs::new(Some(Arc::new(Nothing)), &"[::1]:7".parse().unwrap());
        let refused = runs.start(&Map::new(), None, no_reports()).unwrap_err();
        assert_eq!(refused.code, Code::UnknownSuite);
        assert!(refused.detail.contains("no suite in `some/folder`") && refused.detail.contains("--suites"), "{refused}");
        assert!(String::from_utf8(runs.list().body).unwrap().contains(r#""folder":"some/folder""#));
    }

    #[test]
    fn a_run_that_breaks_makes_way_for_the_next() {
        struct Breaks;
        impl Suites for Breaks {
            fn place(&self) -> String {
                "testcases".to_owned()
            }
            fn list(&self) -> Vec<Listed> {
                listed()
            }
            fn play(&self, run: &Run) {
                assert_eq!(run.address, "[::1]:7".parse().unwrap(), "a server that listens everywhere is reached here");
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        }
        let runs = Runs::new(Some(Arc::new(Breaks)), &"[::]:7".parse().unwrap());
        for _ in 0..3 {
            while runs.is_running.load(Ordering::Acquire) {
                thread::yield_now();
            }
            assert_eq!(runs.start(&Map::new(), None, no_reports()).unwrap().status, 200);
        }
        let never = Runs::new(None, &"127.0.0.1:7".parse().unwrap());
        assert_eq!(never.start(&Map::new(), None, no_reports()).unwrap_err().code, Code::TestsDisabled);
    }
}
