//! What a test run looks like: failures as they fall, a line of progress on a terminal, and a summary.
//!
//! What a model wrote is shown without what would steer a terminal.

use super::super::chat::steerless;
use super::super::tell;
use crate::contract::counted;
use crate::runner::{About, Outcome, Progress, Report, Status};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard};

pub(super) struct Screen {
    is_terminal: bool,
    is_coloured: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    expected: usize,
    done: usize,
    failed: usize,
    /// Where a suite is, for the line of progress.
    place: String,
    /// Whether the line of progress stands there.
    has_line: bool,
    /// Why checks were skipped, and in which suite: it is told once.
    skipped: BTreeSet<(String, String)>,
}

const GREEN: &str = "32";
const RED: &str = "31";
const YELLOW: &str = "33";
const DIM: &str = "2";
/// What is shown of an expectation or of what came instead.
const SHOWN_MAX: usize = 600;

impl Screen {
    pub(super) fn new(is_terminal: bool, is_coloured: bool) -> Screen {
        Screen { is_terminal, is_coloured, state: Mutex::default() }
    }

    /// How many checks there are.
    pub(super) fn expect(&self, checks: usize) {
        self.state().expected = checks;
    }

    pub(super) fn note(&self, text: &str) {
        self.lines(&mut self.state(), &self.painted(&steerless(text), DIM));
    }

    pub(super) fn tell(&self, progress: &Progress<'_>) {
        let mut state = self.state();
        match progress {
            Progress::Began { source, session } => {
                if !self.is_terminal {
                    self.lines(&mut state, &format!("{}: {} (session {session})", source.file, source.suite.title));
                }
            }
            Progress::Step { source, step } => {
                state.place = format!("{} · {}", source.name, one_line(step));
                self.draw(&mut state);
            }
            Progress::Came(outcome) => {
                if !outcome.reported {
                    state.done += 1;
                    state.failed += usize::from(outcome.status == Status::Fail);
                }
                let is_told = outcome.status == Status::Skip && !state.skipped.insert((outcome.file.clone(), outcome.detail.clone()));
                if let Some(told) = self.told(outcome).filter(|_| !is_told) {
                    self.lines(&mut state, &told);
                }
                self.draw(&mut state);
            }
            Progress::Ended { .. } => {}
            Progress::Note(text) => {
                self.clear(&mut state);
                tell(steerless(text));
            }
        }
    }

    /// What is said of an outcome at once; what went as it should is only counted.
    fn told(&self, outcome: &Outcome) -> Option<String> {
        let place = format!("{}:{}", outcome.file, outcome.line);
        let step = one_line(&outcome.step);
        match (outcome.status, outcome.reported) {
            (Status::Pass, _) => None,
            (Status::Fail, true) => {
                let (expected, got) = (shown(outcome.expected.as_deref()), shown(outcome.got.as_deref()));
                let why = if outcome.about == About::Judge { one_line(&outcome.detail) } else { format!("got {got}") };
                Some(format!("{}  {place}  {step}\n      {expected}: {why}", self.painted("note", YELLOW)))
            }
            (Status::Skip, _) => Some(format!(
                "{}  {place}  {step}\n      {}: {}",
                self.painted("skip", YELLOW),
                one_line(&outcome.check),
                one_line(&outcome.detail)
            )),
            (Status::Fail, false) => Some(self.failure(outcome, &place, &step)),
        }
    }

    fn failure(&self, outcome: &Outcome, place: &str, step: &str) -> String {
        let field = |name: &str, text: &str| format!("\n      {}{text}", self.painted(&format!("{name:<10}"), DIM));
        let mut told = format!("{}  {}  {step}", self.painted("FAIL", RED), place);
        told += &field("expected", &shown(outcome.expected.as_deref()));
        told += &field("got", &shown(outcome.got.as_deref()));
        if outcome.about == About::Judge {
            told += &field("judge", &one_line(&outcome.detail));
        }
        if let Some(path) = &outcome.path {
            let frames = counted(outcome.nodes.len(), "frame", "frames");
            told += &field("path", &format!("{path}, {frames}: {}", outcome.nodes.join(" → ")));
        }
        let turn = outcome.turn.as_deref().map(|turn| format!("{turn} of ")).unwrap_or_default();
        told + &field("turn", &format!("{turn}session {}", outcome.session))
    }

    /// What came of all, and how each suite that failed is played again.
    pub(super) fn sum_up(&self, report: &Report, again: &dyn Fn(&str) -> String) {
        let mut state = self.state();
        self.clear(&mut state);
        let mut said = String::new();
        let width = report.suites.iter().map(|played| played.file.chars().count()).max().unwrap_or(0);
        let counts = |count: &dyn Fn(Status) -> usize| {
            let (passed, failed, skipped) = (count(Status::Pass), count(Status::Fail), count(Status::Skip));
            let more = [(failed, "failed", RED), (skipped, "skipped", YELLOW)].into_iter().filter(|(count, _, _)| *count > 0);
            let more = more.map(|(count, what, colour)| format!(", {}", self.painted(&format!("{count} {what}"), colour)));
            self.painted(&format!("{passed} passed"), GREEN) + &more.collect::<String>()
        };
        for played in &report.suites {
            let seconds = played.took.as_secs_f64();
            said += &format!("{:<width$}  {} in {seconds:.1} s\n", played.file, counts(&|status| played.count(status)));
        }
        let seconds = report.took.as_secs_f64();
        said += &format!("{:<width$}  {} in {seconds:.1} s\n", "total", counts(&|status| report.count(status)));
        for (about, what) in [(About::Time, "time"), (About::Judge, "judge")] {
            let of_it = |outcome: &&Outcome| outcome.reported && outcome.about == about;
            let count = |status: Status| report.outcomes().filter(of_it).filter(|outcome| outcome.status == status).count();
            let (held, not, skipped) = (count(Status::Pass), count(Status::Fail), count(Status::Skip));
            if held + not + skipped > 0 {
                said += &format!(
                    "{what:<width$}  {held} held, {not} did not, {skipped} skipped (reported only; --strict-{what} lets them fail)\n"
                );
            }
        }
        if let Some(coverage) = &report.coverage {
            said += &coverage.to_string();
        }
        let failed: Vec<&str> =
            report.suites.iter().filter(|played| played.count(Status::Fail) > 0).map(|played| played.file.as_str()).collect();
        if !failed.is_empty() {
            said += "play again:\n";
            failed.iter().for_each(|file| said += &format!("  {}\n", again(file)));
        }
        write(&said);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn lines(&self, state: &mut State, text: &str) {
        self.clear(state);
        write(&format!("{text}\n"));
    }

    fn clear(&self, state: &mut State) {
        if std::mem::take(&mut state.has_line) {
            write("\r\x1b[2K");
        }
    }

    fn draw(&self, state: &mut State) {
        if !self.is_terminal {
            return;
        }
        self.clear(state);
        let failed = if state.failed > 0 { format!(" · {} failed", state.failed) } else { String::new() };
        let line = format!("[{}/{}]{failed} {}", state.done, state.expected, state.place);
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
        // Some terminals don't know how wide they are.
        let columns = size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(80);
        write(&line.chars().take(columns.saturating_sub(1).max(20)).collect::<String>());
        state.has_line = true;
    }

    fn painted(&self, text: &str, colour: &str) -> String {
        if self.is_coloured { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Whoever read what we write may have gone: the tests go on.
fn write(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn one_line(text: &str) -> String {
    steerless(text).replace(['\n', '\t'], " ")
}

/// A text that may be long, in lines that stand below one another.
fn shown(text: Option<&str>) -> String {
    let text = steerless(text.unwrap_or_default());
    let cut = match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    cut.replace('\n', &format!("\n      {:<10}", ""))
}
