//! Planted faults: a suite must be able to fail.
//!
//! Each case breaks one thing, a word that the model says, a line in a graph's file or what a server tells of a turn, and plays a small suite against the
//! real program with it and without. Without the fault all is green; with it, exactly the marked lines are red: `!` stands
//! before what must fail, `~` before what must be skipped for it.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of this is test code")]

#[path = "suites/between.rs"]
#[allow(dead_code, reason = "another test uses the rest")]
mod between;
#[path = "planted/cases.rs"]
mod cases;
#[path = "planted/model.rs"]
mod model;
#[path = "suites/player.rs"]
#[allow(dead_code, reason = "another test uses the rest")]
mod player;
#[path = "endpoint/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "another test uses the rest")]
mod support;

use cases::{Breaks, CASES, Case};
use framewright::suite::{Check, Does, Sought, Suite};
use model::Manner;
use player::{Played, play_text};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use support::{Folder, Server, Setting};

const HEAD: &str = "# Planted\n## 1\n";
/// Of a case's first line, in its suite.
const FIRST_LINE: usize = 3;

/// The lines that are marked so.
fn marked(case: &Case, mark: char) -> BTreeSet<usize> {
    let lines = (FIRST_LINE..).zip(case.suite.lines());
    lines.filter(|(_, line)| line.starts_with(mark)).map(|(number, _)| number).collect()
}

fn text(case: &Case) -> String {
    let plain = |line: &str| match line.strip_prefix(['!', '~']) {
        Some(rest) => format!("-{rest}\n"),
        None => format!("{line}\n"),
    };
    HEAD.to_owned() + &case.suite.lines().map(plain).collect::<String>()
}

/// A file of a graph with something in it written otherwise.
fn changed(file: &str, changes: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("graphs").join(file);
    changes.iter().fold(std::fs::read_to_string(path).unwrap(), |text, (from, to)| {
        assert!(text.contains(from), "{file} holds no {from}");
        text.replace(from, to)
    })
}

fn play(case: &Case, is_broken: bool) -> Played {
    played(case, is_broken, &text(case))
}

fn played(case: &Case, is_broken: bool, text: &str) -> Played {
    if let Breaks::Trace(event) = case.breaks {
        let server = Server::with(&Setting { options: &["--graph", case.graph], ..Setting::default() });
        let hides = Some(event).filter(|_| is_broken);
        let url = format!("http://{}", between::between(server.address, between::Manner { hides, ..Default::default() }));
        return play_text("planted", text, &["--url", &url]);
    }
    let sound = Manner { fault: |_, _, said| said, pause: Duration::ZERO };
    let folder = Folder::new();
    let manner = match &case.breaks {
        Breaks::Model(fault) if is_broken => Manner { fault: *fault, ..sound },
        Breaks::Pace(pause) if is_broken => Manner { pause: *pause, ..sound },
        Breaks::File(file, changes) => {
            folder.write(file, &changed(file, if is_broken { changes } else { &[] }));
            sound
        }
        Breaks::Model(_) | Breaks::Pace(_) | Breaks::Trace(_) => sound,
    };
    let url = model::start(manner);
    let graphs = folder.path().to_str().unwrap();
    let arguments = ["--graph", case.graph, "--llm-url", &url, "--model", "puppet", "--graphs", graphs, "--strict-judge"];
    // The clock counts where a case is about it, and nowhere else: a machine can be busy.
    let strict_time: &[&str] = if matches!(case.breaks, Breaks::Pace(_)) { &["--strict-time"] } else { &[] };
    play_text("planted", text, &[&arguments, strict_time].concat())
}

/// What is not as it should be; nothing where all is.
fn wrong(case: &Case) -> Option<String> {
    let control = play(case, false);
    let green = Some(0) == control.code && control.results["passed"] == control.results["total_expected"];
    if !green {
        return Some(format!("{}: it is red without the fault:\n{}{}", case.fault, control.output, control.errors));
    }
    let broken = play(case, true);
    let lines = |status| broken.with(status).iter().map(|result| result["line"].as_u64().unwrap() as usize).collect::<BTreeSet<_>>();
    let (failed, skipped) = (lines("FAIL"), lines("SKIP"));
    let is_caught = broken.code == Some(1) && failed == marked(case, '!') && skipped == marked(case, '~');
    (!is_caught).then(|| {
        format!("{}: {failed:?} failed and {skipped:?} were skipped of\n{}\n{}{}", case.fault, text(case), broken.output, broken.errors)
    })
}

/// Looks at each case, some at once; what there is to say of them.
fn each(look: impl Fn(&Case) -> Option<String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let mut found: Vec<(usize, String)> = thread::scope(|scope| {
        let work = || {
            let places = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|place| *place < CASES.len());
            places.filter_map(|place| Some((place, look(&CASES[place])?))).collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    found.sort();
    found.into_iter().map(|(_, said)| said).collect()
}

#[test]
fn each_fault_turns_what_should_catch_it_red_and_nothing_else() {
    let found = each(wrong);
    assert!(found.is_empty(), "{} of {} faults:\n\n{}", found.len(), CASES.len(), found.join("\n\n"));
}

/// What the smoketest does not come by: what another graph says meanwhile, and manners that each model has its own of.
const NOT_ON_ITS_WAY: &[&str] = &[
    "the answer begs pardon",
    "the answer has no end",
    "nobody says what is being done",
    "what is known is said to be described again",
    "a tool says something else of what it did",
    "a query asks for less than was wanted",
    "small talk is taken for a question",
    "the answer is impolite",
];

/// A suite that ships is no ornament: no other fault gets past it.
#[test]
fn the_smoketest_notices_what_its_users_would() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testcases/smoketest.md");
    let smoketest = std::fs::read_to_string(file).unwrap();
    // A slow model is a matter of minutes, and seen by a look at the clock alone.
    let is_played = |case: &Case| !matches!(case.breaks, Breaks::Pace(_));
    let unseen = each(|case| (is_played(case) && played(case, true, &smoketest).code == Some(0)).then(|| case.fault.to_owned()));
    assert_eq!(unseen, NOT_ON_ITS_WAY);
}

/// The kind of a check, with each form that it has.
fn kind(check: &Check) -> String {
    let form = |sought: &Sought| match sought {
        Sought::Contains(_) => "contains",
        Sought::NotContains(_) => "not contains",
        Sought::Matches(_) => "matches",
        Sought::Is(_) => "is",
        Sought::Length(_) => "length",
        Sought::Exists => "exists",
        Sought::NotExists => "not exists",
    };
    match check {
        Check::Response(sought) => format!("response {}", form(sought)),
        Check::Progress(sought) => format!("progress {}", form(sought)),
        Check::State { sought, .. } => format!("state {}", form(sought)),
        Check::ActionsHave(_) => "actions has".to_owned(),
        Check::ActionsLack(_) => "actions not has".to_owned(),
        Check::Actions(_) => "actions count".to_owned(),
        Check::TraceHas(_) => "trace has".to_owned(),
        Check::TraceLacks(_) => "trace not has".to_owned(),
        Check::Frames(_) => "frames".to_owned(),
        Check::Path(_) => "path".to_owned(),
        Check::Calls { .. } => "calls".to_owned(),
        Check::Rows { of, .. } => format!("{} rows", of.name()),
        Check::Columns { of, .. } => format!("{} columns", of.name()),
        Check::Kind { of, .. } => format!("{} kind", of.name()),
        Check::Time(_) => "time".to_owned(),
        Check::Judge(_) => "judge".to_owned(),
    }
}

#[test]
fn no_kind_of_check_is_without_a_fault_that_it_catches() {
    let mut caught = BTreeSet::new();
    for case in CASES {
        let suite = Suite::parse(&text(case)).unwrap_or_else(|error| panic!("{}: {error}", case.fault));
        let red = marked(case, '!');
        assert!(!red.is_empty(), "{} is caught by nothing", case.fault);
        for item in suite.steps.iter().flat_map(|step| &step.items).filter(|item| red.contains(&item.line)) {
            caught.insert(match &item.does {
                Does::Expect(check) => kind(check),
                Does::Action(_) => "action".to_owned(),
                Does::Graph(_) | Does::Clear | Does::Send(_) => panic!("{}: `{}` is no check", case.fault, item.text),
            });
        }
    }
    let mut all: BTreeSet<String> = [
        "action",
        "actions has",
        "actions not has",
        "actions count",
        "trace has",
        "trace not has",
        "frames",
        "path",
        "calls",
        "table rows",
        "table columns",
        "chart rows",
        "chart columns",
        "chart kind",
        "time",
        "judge",
    ]
    .map(str::to_owned)
    .into();
    let forms = ["contains", "not contains", "matches", "is", "length", "exists", "not exists"];
    all.extend(["response", "progress", "state"].iter().flat_map(|of| forms.map(|form| format!("{of} {form}"))));
    assert_eq!(caught, all, "{:?} catch nothing", all.difference(&caught).collect::<Vec<_>>());
}
