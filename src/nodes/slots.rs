//! The slots that prompts may use: a name, and how it is filled from what a node may read.
//!
//! Prompts are built from the session's state alone, each slot is bounded, and user text is never cut without a mark.

use super::fit::fitting;
use super::{View, schema, screen, sensor, tools};
use crate::contract::{Message, Part, Role, clip, push_clipped};
use serde::Serialize;

/// A slot of a prompt.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) name: &'static str,
    fill: fn(&View<'_>) -> String,
    /// What it says first that changes by itself, such as the time.
    passing: Option<fn(&View<'_>) -> String>,
    /// Whether it is still to be found by earlier nodes of a turn that has not begun.
    pub(super) is_missing: fn(&View<'_>) -> bool,
}

const SUMMARY: Window = Window { messages_max: 8, step: 2 };
const SUMMARY_BYTES: usize = 160;
const HISTORY: Window = Window { messages_max: 14, step: 3 };
const HISTORY_BYTES: usize = 1_000;
const MESSAGE_BYTES: usize = 32 << 10;
const DATA_BYTES: usize = 32 << 10;

/// All slots, by name.
pub(super) const ALL: &[Slot] = &[
    known("message", |view| plain(clip(view.message, MESSAGE_BYTES))),
    known("summary", |view| told(view, SUMMARY, SUMMARY_BYTES)),
    known("history", |view| told(view, HISTORY, HISTORY_BYTES)),
    known("memory", |view| json(&view.memory.learned())),
    Slot { passing: Some(|view| view.packet.sensed.passing.clone()), ..known("sensed", |view| view.packet.sensed.screen.clone()) },
    found("perception", |view| view.packet.perception.as_ref().map(json).unwrap_or_default()),
    known("language", |view| language(view).to_owned()),
    known("controls", screen::controls),
    known("dashboard", screen::dashboard),
    known("pressed", |view| view.packet.action.as_ref().map(json).unwrap_or_default()),
    found("decision", |view| view.packet.decision.as_ref().map(json).unwrap_or_default()),
    found("open", |view| json(&view.packet.open)),
    found("open_tools", open_tools),
    found("goal", |view| plain(view.packet.decision.as_ref().map(|decision| decision.goal.clone()).unwrap_or_default())),
    found("present_as", |view| view.packet.decision.as_ref().map(|decision| decision.present_as.clone()).unwrap_or_default()),
    found("results", |view| json(&view.packet.results)),
    found("findings", findings),
    found("reflex", |view| if view.packet.decision.is_none() { "true".to_owned() } else { String::new() }),
    found("answer", |view| plain(clip(view.answer, HISTORY_BYTES * 4))),
    Slot {
        // A job may be given before there is a turn.
        is_missing: |view| view.packet.routing.is_none(),
        ..known("job", |view| plain(view.packet.routing.as_ref().map(|routing| routing.job.clone()).unwrap_or_default()))
    },
    known("schema", |view| plain(schema::schema(view))),
    // A day that passes is no other question.
    Slot { passing: Some(|view| sensor::today(view.wall, view.caller)), ..known("today", schema::latest) },
    known("dialect", dialect),
    found("response_hint", |view| view.packet.plan.as_ref().map(|plan| plan.response_hint.clone()).unwrap_or_default()),
    known("style", |view| view.memory.style().to_owned()),
    known("user_name", |view| view.memory.user_name.clone()),
];

/// What the session knows by itself.
const fn known(name: &'static str, fill: fn(&View<'_>) -> String) -> Slot {
    Slot { name, fill, passing: None, is_missing: |_| false }
}

/// What earlier nodes of the turn find.
const fn found(name: &'static str, fill: fn(&View<'_>) -> String) -> Slot {
    Slot { name, fill, passing: None, is_missing: |_| true }
}

impl Slot {
    /// What stands in its place: what changes by itself, if it has such, and then the rest.
    pub(super) fn fill(&self, view: &View<'_>, parts: &mut Vec<Part>) {
        parts.extend(self.passing.map(|passing| Part::Passing(self.name.into(), passing(view))));
        parts.push(Part::Slot(self.name.into(), (self.fill)(view)));
    }
}

pub(super) fn named(name: &str) -> Option<&'static Slot> {
    ALL.iter().find(|slot| slot.name == name)
}

/// The language of this turn: as perceived, else as remembered.
pub(super) fn language<'a>(view: &'a View<'_>) -> &'a str {
    let routed = view.packet.routing.as_ref().map(|routing| routing.language.as_str()).filter(|language| !language.is_empty());
    let perceived = view.packet.perception.as_ref().map(|perception| perception.language.as_str());
    routed.or(perceived.filter(|language| !language.is_empty())).unwrap_or(&view.memory.language)
}

/// The last messages before the running turn's, as many as a prompt takes.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) messages_max: usize,
    /// Its beginning moves by so many turns at once: as long as it stays, so does the beginning of the prompt, and a provider's
    /// cache hits.
    pub(super) step: u64,
}

impl Window {
    pub(super) fn of<'v>(self, view: &'v View<'_>) -> Vec<&'v Message> {
        let mut newest: Vec<&Message> = view.earlier().rev().take(self.messages_max + 1).collect();
        newest.reverse();
        if newest.len() <= self.messages_max {
            return newest;
        }
        let begins = |pair: &[&Message]| pair[0].id.0 / self.step != pair[1].id.0 / self.step;
        let first = newest.windows(2).position(begins).map_or(1, |before| before + 1);
        newest.split_off(first)
    }
}

/// The last messages as lines, not as chat turns: a model that reads them answers the question it is asked, not the last line.
fn told(view: &View<'_>, window: Window, bytes_max: usize) -> String {
    let newest = window.of(view);
    let mut lines = String::with_capacity(newest.iter().map(|message| message.content.len().min(bytes_max) + 16).sum());
    for message in newest {
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(if message.role == Role::User { "user: " } else { "assistant: " });
        let begin = lines.len();
        push_clipped(&mut lines, &message.content, bytes_max);
        if lines[begin..].contains('\n') {
            let one_line = lines[begin..].replace('\n', " ");
            lines.replace_range(begin.., &one_line);
        }
    }
    lines
}

/// People's and models' words as material: a line that begins like a heading is indented, so that it can't pass for one of ours.
fn plain(text: String) -> String {
    if !text.contains('#') {
        return text;
    }
    let text = text.replace("\n#", "\n #");
    if text.starts_with('#') { format!(" {text}") } else { text }
}

/// The signatures of the tools whose calls are open, each once.
fn open_tools(view: &View<'_>) -> String {
    let is_open = |tool: &&tools::Tool| view.packet.open.iter().any(|call| call.tool == tool.name);
    tools::signatures(&tools::ALL.iter().filter(is_open).map(tools::Tool::spec).collect::<Vec<_>>())
}

fn findings(view: &View<'_>) -> String {
    let Some(interpretation) = &view.packet.interpretation else { return String::new() };
    let mut lines = vec![interpretation.summary.clone()];
    lines.extend(interpretation.findings.iter().map(|finding| format!("- {finding}")));
    plain(lines.join("\n"))
}

fn dialect(view: &View<'_>) -> String {
    view.database().map_or_else(|| "unknown".to_owned(), |database| database.dialect.to_string())
}

pub(super) fn json(value: &(impl Serialize + ?Sized)) -> String {
    fitting(value, DATA_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::TurnId;
    use crate::nodes::Packet;
    use crate::nodes::testing::Fixture;

    #[test]
    fn the_window_moves_in_steps_and_is_never_longer_than_it_may_be() {
        let (mut fixture, mut begins) = (Fixture::default(), Vec::new());
        for turn in 1..=40 {
            let packet = Packet { turn: TurnId(turn), ..Packet::default() };
            let view = fixture.view(&packet);
            let window = HISTORY.of(&view);
            let expected = (HISTORY.messages_max - 2 * HISTORY.step as usize + 1).min(2 * (turn as usize - 1));
            assert!((expected..=HISTORY.messages_max).contains(&window.len()), "turn {turn}: {}", window.len());
            begins.extend(window.first().map(|message| message.id.0));
            for role in [Role::User, Role::Assistant] {
                fixture.history.push_back(Message::new(role, "said", TurnId(turn)));
            }
        }
        begins.dedup();
        let steps: Vec<u64> = begins.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(steps[1..], [3; 10], "{begins:?}");
    }
}
