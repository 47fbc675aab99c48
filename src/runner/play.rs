//! Runs one suite in its session: sends what it says, checks what it expects, and reports each outcome at once.

use super::session::{Session, Trouble, Turn};
use super::{About, Outcome, Run, Source, Status};
use crate::suite::{Check, Does, Item, Names, Seen, Verdict};
use serde_json::{Value, json};
use std::sync::atomic::Ordering;
use std::time::Instant;

pub(super) struct Player<'a> {
    run: &'a Run<'a>,
    source: &'a Source,
    /// The session's name.
    name: &'a str,
    session: Session,
    /// What came of the last turn that was done.
    seen: Option<Seen>,
    turn: Option<String>,
    /// What traces of the graph can tell of.
    names: Names,
    /// What the last turn answers, for the judge.
    message: String,
    /// Since the last outcome.
    begun: Instant,
    outcomes: Vec<Outcome>,
}

/// Longer texts are cut, in reports and on the screen.
const TEXT_MAX: usize = 2_000;
/// What is done before the first step stands under this name.
const BEFORE: &str = "before the first step";
const STOPPED: &str = "the run was stopped";

impl<'a> Player<'a> {
    pub(super) fn new(run: &'a Run<'a>, source: &'a Source, name: &'a str) -> Player<'a> {
        let address = run.plan.address.in_session(name).expect("the plan makes names that sessions have");
        Player {
            run,
            source,
            name,
            session: Session::new(address, run.plan.timeout, run.plan.stop.clone()),
            seen: None,
            turn: None,
            names: Names::default(),
            message: String::new(),
            begun: Instant::now(),
            outcomes: Vec::new(),
        }
    }

    pub(super) fn play(mut self) -> Vec<Outcome> {
        let suite = &self.source.suite;
        let steps = suite.steps.iter().map(|step| (step.title.as_str(), false, &step.items));
        // Why nothing more of this suite can be played.
        let mut lost: Option<String> = None;
        // A server that does not tell is told by the first message that it does not take.
        let _ = self.look_at_graph();
        let all = std::iter::once((BEFORE, true, &suite.before)).chain(steps).filter(|(_, _, items)| !items.is_empty());
        for (step, is_before, items) in all {
            (self.run.progress)(&super::Progress::Step { source: self.source, step });
            // Why nothing more of this step is.
            let mut skipped: Option<String> = None;
            for item in items {
                if self.is_stopped() {
                    lost.get_or_insert_with(|| STOPPED.to_owned());
                }
                match (skipped.as_ref().or(lost.as_ref()), &item.does) {
                    (Some(why), Does::Expect(check)) => self.skip(step, item, check, why.clone()),
                    (Some(_), _) => {}
                    (None, Does::Expect(check)) => self.check(step, item, check),
                    (None, does) => match self.does(does) {
                        Ok(()) => {}
                        // What was broken off has not failed: what comes now is skipped.
                        Err(_) if self.is_stopped() => {}
                        Err(trouble) => {
                            self.failed(step, item, sentence(&trouble));
                            let why = format!("`{}` in line {} could not be done", cut(&item.text, 80), item.line);
                            let is_for_good = is_before || matches!(trouble, Trouble::Gone(_));
                            *if is_for_good { &mut lost } else { &mut skipped } = Some(why);
                        }
                    },
                }
            }
        }
        self.look_back();
        if let (Some(tape), None) = (&self.run.plan.tape, lost) {
            tape.keep(self.name);
        }
        self.outcomes
    }

    fn is_stopped(&self) -> bool {
        self.run.plan.stop.load(Ordering::Relaxed)
    }

    fn does(&mut self, does: &Does) -> Result<(), Trouble> {
        match does {
            Does::Graph(name) => {
                self.look_back();
                self.session.call("/api/graph/switch", Some(&json!({"name": name})))?;
                self.look_at_graph()
            }
            Does::Clear => self.session.call("/api/clear", Some(&json!({}))).map(drop),
            Does::Send(text) => {
                self.message.clone_from(text);
                let state = self.session.call("/api/state", None)?;
                self.turn("send", &json!({"text": text, "dashboard": dashboard(&state)}))
            }
            Does::Action(choice) => {
                let state = self.session.call("/api/state", None)?;
                let offered = Seen { controls: state["controls"].as_array().cloned().unwrap_or_default(), ..Seen::default() };
                let Some(control) = offered.meant(choice) else {
                    (self.seen, self.turn) = (None, None);
                    return Err(Trouble::Step(format!("no button is called that; there are: {}", offered.labels())));
                };
                self.message = control["label"].as_str().unwrap_or_default().to_owned();
                let action =
                    json!({"type": "action", "action": control["action"], "source": control["source"], "data": control["payload"]});
                self.turn("action", &action)
            }
            Does::Expect(_) => Ok(()),
        }
    }

    /// `item`: how a suite calls what is sent.
    fn turn(&mut self, item: &str, message: &Value) -> Result<(), Trouble> {
        (self.seen, self.turn) = (None, None);
        let (turn, mut seen) = self.session.turn(message)?;
        if !self.names.are_of(&seen.trace) {
            // Where the server doesn't describe its graph, every name is possible.
            self.names = self.session.call("/api/graph/active", None).map(|graph| Names::of_graph(&graph)).unwrap_or_default();
        }
        seen.names = self.names.clone();
        if self.run.plan.coverage {
            self.run.coverage().note(&seen.trace);
        }
        (self.turn, self.seen) = (Some(turn.id.clone()), Some(seen));
        self.tape(&format!("{item}: {}", self.message), turn)
    }

    /// With a tape, the next item waits until the session is idle, so that every run makes the same calls; and what the chat
    /// socket showed of the turn is recorded, or compared with the recording.
    fn tape(&self, message: &str, turn: Turn) -> Result<(), Trouble> {
        let Some(tape) = &self.run.plan.tape else { return Ok(()) };
        self.session.at_rest()?;
        let error = turn.error.unwrap_or_default();
        let compared = tape.turn(self.name, message, turn.received);
        let told = |miss: String| if error.contains(&miss) { error.clone() } else { format!("behind the turn: {miss}") };
        let misses: Vec<String> = tape.misses(self.name).into_iter().map(told).collect();
        match misses.is_empty() {
            true => compared.map_err(Trouble::Step),
            false => Err(Trouble::Step(format!("{}; if that is meant, record it again with --record", misses.join("; ")))),
        }
    }

    fn check(&mut self, step: &str, item: &Item, check: &Check) {
        let Some(seen) = &mut self.seen else {
            return self.skip(step, item, check, "the message that it speaks of could not be sent".to_owned());
        };
        if check.is_about_memory() {
            match self.session.settled() {
                // What is not waited for to its end is not known.
                Ok(_) | Err(_) if self.run.plan.stop.load(Ordering::Relaxed) => {
                    return self.skip(step, item, check, STOPPED.to_owned());
                }
                Ok(mut state) => seen.memory = state["memorizer"].take(),
                Err(trouble) => return self.failed(step, item, sentence(&trouble)),
            }
        }
        let (status, got, detail) = match check.verdict(seen) {
            Verdict::Passed => (Status::Pass, None, String::new()),
            Verdict::Failed { got } => (Status::Fail, Some(got), String::new()),
            Verdict::Reported { holds: Some(holds), got } => {
                let status = if holds { Status::Pass } else { Status::Fail };
                (status, Some(got), String::new())
            }
            Verdict::Reported { holds: None, got } => self.judged(check, &got),
        };
        let expected = cut(item.text.strip_prefix("expect ").unwrap_or(&item.text), TEXT_MAX);
        let got = got.map(|got| cut(&got, TEXT_MAX));
        let detail = match (&got, status) {
            (Some(got), Status::Fail) if detail.is_empty() => format!("expected {expected}, got {got}"),
            _ => detail,
        };
        let reported = !self.run.plan.counts(check);
        self.came(Outcome { status, detail, expected: Some(expected), got, reported, ..self.outcome(step, item) });
    }

    fn judged(&self, check: &Check, got: &str) -> (Status, Option<String>, String) {
        let (Check::Judge(criterion), Some(seen)) = (check, &self.seen) else {
            return (Status::Skip, None, "there is nothing to judge".to_owned());
        };
        let Some(judge) = &self.run.plan.judge else { return (Status::Skip, None, super::judge::NOBODY.to_owned()) };
        match judge.score(self.name, criterion, &self.message, &seen.response) {
            Ok(score) => {
                let status = if score.holds() { Status::Pass } else { Status::Fail };
                (status, Some(got.to_owned()), score.to_string())
            }
            Err(why) => {
                // Where judgement counts, a judge that fails must not let everything pass.
                let status = if self.run.plan.strict_judge { Status::Fail } else { Status::Skip };
                (status, None, format!("{} could not judge it: {why}", judge.name()))
            }
        }
    }

    fn failed(&mut self, step: &str, item: &Item, why: &str) {
        let (why, expected) = (cut(why, TEXT_MAX), cut(&item.text, TEXT_MAX));
        let outcome =
            Outcome { status: Status::Fail, detail: why.clone(), expected: Some(expected), got: Some(why), ..self.outcome(step, item) };
        self.came(outcome);
    }

    fn skip(&mut self, step: &str, item: &Item, check: &Check, why: String) {
        let reported = !self.run.plan.counts(check);
        let outcome = Outcome { status: Status::Skip, detail: format!("skipped: {why}"), reported, ..self.outcome(step, item) };
        self.came(outcome);
    }

    fn came(&mut self, outcome: Outcome) {
        self.begun = Instant::now();
        self.run.report(&outcome);
        self.outcomes.push(outcome);
    }

    /// What every outcome of an item says.
    fn outcome(&self, step: &str, item: &Item) -> Outcome {
        let trace = self.seen.as_ref().map(|seen| &seen.trace);
        Outcome {
            suite: self.source.name.clone(),
            step: step.to_owned(),
            check: item.text.clone(),
            status: Status::Pass,
            detail: String::new(),
            elapsed_ms: (self.begun.elapsed().as_secs_f64() * 1e6).round() / 1e3,
            file: self.source.file.clone(),
            line: item.line,
            expected: None,
            got: None,
            path: self.seen.as_ref().map(|seen| seen.path().to_owned()),
            frames: trace.and_then(|trace| trace["total_frames"].as_u64()),
            nodes: trace.map(nodes).unwrap_or_default(),
            session: self.name.to_owned(),
            turn: self.turn.clone(),
            about: match &item.does {
                Does::Expect(Check::Time(_)) => About::Time,
                Does::Expect(Check::Judge(_)) => About::Judge,
                Does::Graph(_) | Does::Clear | Does::Send(_) | Does::Action(_) | Does::Expect(_) => About::Behaviour,
            },
            reported: false,
        }
    }

    /// Which graph the session is on now, for who wants to know what of it is used.
    fn look_at_graph(&self) -> Result<(), Trouble> {
        if self.run.plan.coverage {
            let graph = self.session.call("/api/graph/active", None)?;
            self.run.coverage().describe(&graph);
        }
        Ok(())
    }

    /// What goes on behind a turn is in its trace only once it has ended.
    fn look_back(&self) {
        if self.run.plan.coverage && self.turn.is_some() {
            let traces = self.session.settled().and_then(|_| self.session.traces());
            traces.iter().flatten().for_each(|trace| self.run.coverage().note(trace));
        }
    }
}

fn sentence(trouble: &Trouble) -> &str {
    match trouble {
        Trouble::Step(why) | Trouble::Gone(why) => why,
    }
}

/// What a page would say that its user sees: the controls, displays with the values that they are bound to.
fn dashboard(state: &Value) -> Value {
    let bound = |control: &Value| {
        let value = control["key"].as_str().and_then(|key| state["ui_state"].get(key));
        let mut control = control.clone();
        if let Some(value) = value {
            control["value"] = value.clone();
        }
        control
    };
    state["controls"].as_array().into_iter().flatten().map(bound).collect()
}

/// The nodes of each frame of a turn.
fn nodes(trace: &Value) -> Vec<String> {
    let nodes = |frame: &Value| {
        let nodes = frame["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        nodes.collect::<Vec<_>>().join("+")
    };
    trace["frames"].as_array().into_iter().flatten().map(nodes).collect()
}

/// A text that is not longer than that.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashboard_is_what_a_user_sees() {
        let state = json!({
            "controls": [{"type": "button", "label": "Red"}, {"type": "progress", "key": "work"}, {"type": "value", "key": "unknown", "value": 1}],
            "ui_state": {"work": 3, "other": 4},
        });
        let seen = json!([{"type": "button", "label": "Red"}, {"type": "progress", "key": "work", "value": 3}, {"type": "value", "key": "unknown", "value": 1}]);
        assert_eq!(dashboard(&state), seen);
        assert_eq!(dashboard(&json!({})), json!([]));
    }
}
