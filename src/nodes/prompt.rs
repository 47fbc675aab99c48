//! Prompts: Markdown files of fixed text and named slots, read once when the graph is loaded.
//!
//! `{{message}}` is a slot; a line `=== user` divides what the system says from what changes with every turn, so that the
//! beginning stays the same and a provider's prompt cache hits. `{{tools}}` is fixed text: the signatures of the node's tools.

use super::slots::{self, Slot};
use super::{View, tools};
use crate::contract::{ChatMessage, Part, Role, Text, ToolSpec};
use std::fmt;
use std::sync::Arc;

/// A prompt, ready to be filled.
#[derive(Debug, Default)]
pub struct Prompt {
    messages: Vec<(Role, Vec<Piece>)>,
}

#[derive(Debug)]
enum Piece {
    Fixed(Arc<str>),
    Slot(&'static Slot),
}

/// What is wrong in a prompt file, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub enum PromptError {
    UnknownSlot { line: usize, name: String },
    OpenSlot { line: usize },
    Empty,
}

impl PromptError {
    pub fn line(&self) -> usize {
        match self {
            PromptError::UnknownSlot { line, .. } | PromptError::OpenSlot { line } => *line,
            PromptError::Empty => 1,
        }
    }
}

impl fmt::Display for PromptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PromptError::UnknownSlot { name, .. } => {
                let known: Vec<&str> = slots::ALL.iter().map(|slot| slot.name).collect();
                write!(f, "there is no slot `{name}`; use one of tools, experts, {}", known.join(", "))
            }
            PromptError::OpenSlot { .. } => write!(f, "a slot is opened with `{{{{` and not closed; write `{{{{name}}}}`"),
            PromptError::Empty => write!(f, "the prompt is empty; write what the model should do"),
        }
    }
}

impl Prompt {
    /// `experts` is what `{{experts}}` becomes: the names and descriptions of those that the node knows.
    pub fn parse(text: &str, tools: &[ToolSpec], experts: &str) -> Result<Prompt, PromptError> {
        let mut messages = vec![(Role::System, Vec::new())];
        let mut fixed = String::new();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            if line.trim_end() == "=== user" {
                close(&mut messages, &mut fixed);
                messages.push((Role::User, Vec::new()));
                continue;
            }
            let line_number = index + 1;
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("{{") {
                let (name, after) = after.split_once("}}").ok_or(PromptError::OpenSlot { line: line_number })?;
                fixed.push_str(before);
                match name.trim() {
                    "tools" => fixed.push_str(&tools::signatures(tools)),
                    "experts" => fixed.push_str(experts),
                    name => {
                        let slot =
                            slots::named(name).ok_or_else(|| PromptError::UnknownSlot { line: line_number, name: name.to_owned() })?;
                        close(&mut messages, &mut fixed);
                        last(&mut messages).push(Piece::Slot(slot));
                    }
                }
                rest = after;
            }
            fixed.push_str(rest);
        }
        close(&mut messages, &mut fixed);
        messages.retain(|(_, pieces)| !pieces.is_empty());
        if messages.is_empty() { Err(PromptError::Empty) } else { Ok(Prompt { messages }) }
    }

    /// The messages for this turn: fixed text is shared, slots are filled from the view.
    pub fn fill(&self, view: &View<'_>) -> Vec<ChatMessage> {
        let message = |(role, pieces): &(Role, Vec<Piece>)| {
            let mut parts = Vec::with_capacity(pieces.len() + 1);
            for piece in pieces {
                match piece {
                    Piece::Fixed(text) => parts.push(Part::Fixed(text.clone())),
                    Piece::Slot(slot) => slot.fill(view, &mut parts),
                }
            }
            ChatMessage::new(*role, Text(parts))
        };
        self.messages.iter().map(message).collect()
    }
}

fn last(messages: &mut [(Role, Vec<Piece>)]) -> &mut Vec<Piece> {
    &mut messages.last_mut().expect("the system's message comes first").1
}

fn close(messages: &mut [(Role, Vec<Piece>)], fixed: &mut String) {
    if !fixed.trim().is_empty() || (!fixed.is_empty() && !last(messages).is_empty()) {
        last(messages).push(Piece::Fixed(std::mem::take(fixed).into()));
    }
    fixed.clear();
}

#[cfg(test)]
mod tests {
    use super::super::{Packet, Sensed, testing::Fixture};
    use super::*;

    #[test]
    fn names_the_line_and_what_to_do_when_a_prompt_is_wrong() {
        for (text, line, says) in [
            ("one\ntwo {{mesage}}\n", 2, "there is no slot `mesage`"),
            ("one\n{{message\n", 2, "not closed"),
            ("\n \n", 1, "the prompt is empty"),
        ] {
            let error = Prompt::parse(text, &[], "").unwrap_err();
            assert_eq!(error.line(), line, "{text:?}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn what_changes_by_itself_is_marked_and_reads_as_before() {
        let sensed = Sensed { passing: "local time: now".to_owned(), screen: "\nscreen: a lamp went on".to_owned() };
        let packet = Packet { sensed, ..Packet::default() };
        let prompt = Prompt::parse("# input\n=== user\n## sensed\n{{sensed}}\n## message\n{{message}}\n", &[], "").unwrap();
        let message = prompt.fill(&Fixture::default().view(&packet)).remove(1);
        let passing: Vec<&str> =
            message.text.0.iter().filter_map(|part| if let Part::Passing(_, text) = part { Some(&**text) } else { None }).collect();
        assert_eq!(passing, ["local time: now"]);
        let told = "## sensed\nlocal time: now\nscreen: a lamp went on\n## message\na message\n";
        assert_eq!(message.text.to_string(), told);
    }

    #[test]
    fn a_line_divides_the_system_from_the_user() {
        let prompt = Prompt::parse("# input\nBe brief.\n=== user\n## message\n{{message}}\n", &[], "").unwrap();
        let roles: Vec<Role> = prompt.messages.iter().map(|(role, _)| *role).collect();
        assert_eq!(roles, [Role::System, Role::User]);
        assert_eq!(prompt.messages[1].1.len(), 3, "text, slot, text");
    }
}
